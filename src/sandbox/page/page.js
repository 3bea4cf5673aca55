// The page: who one is, which conversation is open, and what is seen there.
import { drawBlocks } from './blocks.js';
import { FIRST, setLine, startComposer } from './composer.js';
import { byId, el, timeText } from './dom.js';
import { showDialog } from './modal.js';
import { actAsMe, entriesFor, hasUnread, homeOf, markRead, me, named, parts } from './state.js';
import { mrkdwn, spoken } from './text.js';
import { showWorld, startWorld } from './world.js';

const messages = byId('messages');
const people = /** @type {HTMLButtonElement[]} */ ([...document.querySelectorAll('[data-as]')]);
const conversations = /** @type {HTMLButtonElement[]} */ ([...document.querySelectorAll('[data-conversation]')]);
const TOPICS = {
  C0APPROVALS: 'Requests waiting for approval, and what became of them',
  C0SECURITY: 'The daily digest, and what goes wrong',
  dm: 'What Hallpass tells one person alone',
  home: 'What Hallpass shows on its own page in Slack',
};

/** @type {import('./text.js').Names & { all: () => readonly string[] }} */
const names = {
  person: (id) => people.find((one) => one.dataset.user === id)?.dataset.name ?? (id === 'UHALLPASS' ? 'Hallpass' : id),
  channel: (id) => conversations.find((one) => one.dataset.conversation === id)?.dataset.title?.slice(1) ?? id,
  all: () => people.map((one) => one.dataset.user ?? ''),
};

/** What a screen reader is told; one thing after the other, so that two at once are not lost. */
function say(/** @type {string} */ text) {
  const line = el('p', {}, text);
  byId('said').append(line);
  setTimeout(() => line.remove(), 10_000);
}

// ------------------------------------------------------------------------------------------------- messages

/** Key → what is on the screen. @type {Map<string, { text: string, node: HTMLElement }>} */
const shown = new Map();
let shownIn = '';

function showConversation() {
  const { as, user, conversation } = me;
  const place = `${as} ${conversation}`;
  const fresh = place !== shownIn;
  if (fresh) {
    shown.clear();
    messages.replaceChildren();
    shownIn = place;
  }
  byId('composer').hidden = conversation === 'home';
  if (conversation === 'home') return showHome();
  const entries = entriesFor(conversation, user);
  const atEnd = fresh || messages.scrollHeight - messages.scrollTop - messages.clientHeight < 80;
  const keys = new Set(entries.map((entry) => entry.key));
  for (const [key, { node }] of shown)
    if (!keys.has(key)) {
      node.remove();
      shown.delete(key);
    }
  let grew = false;
  /** @type {HTMLElement | undefined} */
  let answered;
  for (const entry of entries) {
    const text = JSON.stringify(entry);
    const old = shown.get(entry.key);
    if (old?.text === text) continue;
    const node = drawEntry(entry);
    if (old === undefined) {
      messages.append(node);
      grew = true;
    } else replace(old.node, node);
    shown.set(entry.key, { text, node });
    // What only this person is told answers a click of theirs, which may have been far above.
    if (!fresh && old === undefined && entry.key.startsWith('ephemeral:')) answered = node;
    if (!fresh && !entry.key.startsWith('note:'))
      say(`${old === undefined ? '' : 'Changed: '}${spoken(entry.text, names)}`);
    else if (!fresh && entry.kind === 'note') say(entry.text);
  }
  document.getElementById('nothing')?.remove();
  if (entries.length === 0) messages.append(el('p', { id: 'nothing', class: 'nothing' }, nothingYet(conversation)));
  if (atEnd && (grew || fresh)) messages.scrollTop = messages.scrollHeight;
  else answered?.scrollIntoView({ block: 'nearest' });
  markRead(conversation, user);
}

/** @param {string} conversation */
function nothingYet(conversation) {
  if (conversation === 'dm') return 'Nothing yet. Type a command below, or send the one that is written there.';
  if (conversation === 'C0APPROVALS') return 'No request is waiting. Ask for something as Ana, and it appears here.';
  return 'All quiet: the daily digest comes here, and what goes wrong with a removal. Type /access digest today.';
}

/** Where the focus was, it stays. @param {HTMLElement} old @param {HTMLElement} fresh */
function replace(old, fresh) {
  const held = /** @type {HTMLElement | null} */ (document.activeElement);
  const inside = old.contains(held);
  old.replaceWith(fresh);
  if (!inside) return;
  const key = held?.dataset.key;
  const again =
    key === undefined
      ? null
      : /** @type {HTMLElement | null} */ (fresh.querySelector(`[data-key="${CSS.escape(key)}"]`));
  if (again !== null) again.focus();
  else {
    fresh.tabIndex = -1;
    fresh.focus();
  }
}

/** @param {import('./state.js').Entry} entry */
function drawEntry(entry) {
  const time = el('time', { class: 'at' }, timeText(entry.at));
  if (entry.kind === 'typed')
    return el(
      'article',
      { class: 'entry typed', 'aria-label': `You, ${timeText(entry.at)}` },
      face(me.as, me.name),
      el(
        'div',
        {},
        el('p', { class: 'by' }, el('strong', {}, me.name), ' ', time),
        el('p', {}, el('code', {}, entry.text)),
      ),
    );
  if (entry.kind === 'note')
    return el(
      'article',
      { class: 'entry note', 'aria-label': `Slack, ${timeText(entry.at)}` },
      el('p', {}, entry.text),
    );
  const alone = entry.key.startsWith('ephemeral:');
  const by = el(
    'p',
    { class: 'by' },
    el('strong', {}, 'Hallpass'),
    el('span', { class: 'app' }, 'APP'),
    ' ',
    time,
    entry.revision > 0 ? el('span', { class: 'quiet' }, ' (edited)') : null,
  );
  const body =
    entry.blocks.length > 0
      ? drawBlocks(entry.blocks, surfaceOf({ ts: entry.ts, conversation: entry.conversation }))
      : el('div', { class: 'blocks' }, el('p', { class: 'plain' }, ...mrkdwn(entry.text, names)));
  return el(
    'article',
    { class: `entry${alone ? ' alone' : ''}`, 'aria-label': `Hallpass, ${timeText(entry.at)}`, 'data-ts': entry.ts },
    el('span', { class: 'face face-bot', 'aria-hidden': 'true' }, 'H'),
    el('div', {}, alone ? el('p', { class: 'only' }, 'Only visible to you') : null, by, body),
  );
}

/** @param {string} as @param {string} name */
function face(as, name) {
  return el('span', { class: `face face-${as}`, 'aria-hidden': 'true' }, name.charAt(0));
}

/** @param {object} where what the bot is told of the place @returns {import('./blocks.js').Surface} */
function surfaceOf(where) {
  return {
    names,
    errors: {},
    act: async (block, element, chosen) => {
      const done = await actAsMe({
        do: 'press',
        ...where,
        block: block.block_id,
        action: element.action_id,
        chosen,
        values: {},
      });
      if (!done.ok) say(done.said);
    },
    suggest: async () => undefined,
    value: () => undefined,
    keep: () => {},
    heading: (text) => el('h3', {}, text),
  };
}

let homeDrawn = '';
function showHome() {
  const home = homeOf(me.user);
  const now = `${me.user} ${JSON.stringify(home ?? null)}`;
  if (now === homeDrawn && messages.firstChild !== null) return;
  homeDrawn = now;
  const node =
    home === undefined
      ? el(
          'p',
          { class: 'nothing' },
          `Hallpass has published no home for ${me.name}. What it has to say stands in the direct messages.`,
        )
      : el('div', { class: 'home' }, drawBlocks(home.view.blocks, surfaceOf({ view: home.id })));
  const old = /** @type {HTMLElement | null} */ (messages.firstChild);
  if (old === null) messages.append(node);
  else replace(old, node);
}

// ------------------------------------------------------------------------------------------------- who and where

function showNavigation() {
  for (const one of people) {
    const mine = one.dataset.as === me.as;
    one.setAttribute('aria-pressed', String(mine));
    const news = !mine && hasUnread('dm', one.dataset.user ?? '');
    dot(one, news);
  }
  for (const one of conversations) {
    const here = one.dataset.conversation ?? '';
    one.setAttribute('aria-pressed', String(here === me.conversation));
    if (here === me.conversation) {
      byId('title').textContent = one.dataset.title ?? '';
      byId('topic').textContent = /** @type {any} */ (TOPICS)[here] ?? '';
      byId('typed-label').textContent = `Message to ${one.dataset.title}, as ${me.name}`;
    }
    dot(one, here !== 'home' && here !== me.conversation && hasUnread(here, me.user));
  }
  const machinery = parts.get('machinery');
  const trouble =
    machinery?.slack === 'down'
      ? 'Slack is down: nothing can be sent. What Hallpass has to say waits; access still ends on time.'
      : machinery?.bot === 'stopped'
        ? 'The bot is stopped: nobody answers. What it owes is in its database, and is done when it starts again.'
        : machinery?.okta === 'down'
          ? 'Okta is down: nobody is added or removed there. Removals are tried again until they are proven.'
          : machinery?.google === 'down'
            ? 'Google is down: nobody is added or removed there. Removals are tried again until they are proven.'
            : '';
  const banner = byId('banner');
  if (banner.textContent !== trouble) banner.textContent = trouble;
  banner.hidden = trouble === '';
}

/** @param {HTMLElement} button @param {boolean} on */
function dot(button, on) {
  const found = /** @type {HTMLElement} */ (button.querySelector('.dot'));
  found.hidden = !on;
}

/** @param {HTMLElement} button */
function become(button) {
  me.as = button.dataset.as ?? 'ana';
  me.user = button.dataset.user ?? '';
  me.name = button.dataset.name ?? '';
  setLine('');
}

for (const one of people)
  one.addEventListener('click', () => {
    become(one);
    say(`You are ${me.name}.`);
    if (me.conversation === 'home') void actAsMe({ do: 'home' });
    show(new Set());
  });
for (const one of conversations)
  one.addEventListener('click', () => {
    me.conversation = one.dataset.conversation ?? 'dm';
    if (me.conversation === 'home') void actAsMe({ do: 'home' });
    show(new Set());
  });
for (const one of /** @type {NodeListOf<HTMLButtonElement>} */ (document.querySelectorAll('[data-show]')))
  one.addEventListener('click', () => {
    document.body.dataset.shown = one.dataset.show;
    for (const other of document.querySelectorAll('[data-show]'))
      other.setAttribute('aria-pressed', String(other === one));
  });

/** @param {ReadonlySet<string>} changed */
function show(changed) {
  showConversation();
  showNavigation();
  showWorld(changed, say);
  showDialog(names);
}

// ------------------------------------------------------------------------------------------------- what happens

const lost = byId('lost');
const events = new EventSource('/sandbox/events');
events.addEventListener('message', (event) => {
  const told = JSON.parse(event.data);
  if (told.first) parts.clear();
  const news = [];
  for (const [key, part] of Object.entries(told.parts)) {
    if (part === null) parts.delete(key);
    else parts.set(key, part);
    if (!told.first && key.startsWith('message:') && part !== null) news.push(/** @type {any} */ (part).conversation);
  }
  // What was there before the page was opened is not news to anybody.
  if (told.first)
    for (const one of people)
      for (const place of ['C0APPROVALS', 'C0SECURITY', 'dm']) markRead(place, one.dataset.user ?? '');
  lost.hidden = true;
  show(new Set(Object.keys(told.parts)));
  for (const place of new Set(news)) if (place !== named(me.conversation, me.user)) announce(place);
  document.body.dataset.ready = 'true';
});
events.addEventListener('error', () => {
  lost.textContent = 'The sandbox does not answer. Is it still running in the terminal?';
  lost.hidden = false;
});

/** @param {string} place */
function announce(place) {
  const person = people.find((one) => place === `dm:${one.dataset.user}`);
  if (person !== undefined) say(`New message for ${person.dataset.name}.`);
  else say(`New message in #${names.channel(place)}.`);
}

become(people[0]);
setLine(FIRST);
startComposer(() => {
  messages.scrollTop = messages.scrollHeight;
}, say);
byId('shortcut').addEventListener('click', () => void actAsMe({ do: 'shortcut' }));
startWorld(say);
