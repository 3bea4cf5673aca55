// The side: clock, directory, what can go wrong, the trail, and what to try first.
import { byId, dayText, el, fill, leftText, secondsText, timeText } from './dom.js';
import { act, clock, parts } from './state.js';

const WORDS = {
  bot: { running: 'running', stopped: 'stopped', changing: '…' },
  okta: { up: 'up', down: 'down' },
  google: { up: 'up', down: 'down' },
  slack: { up: 'up', down: 'down' },
};
const NAMES = { bot: 'The bot', okta: 'Okta', google: 'Google', slack: 'Slack' };
const BUTTONS = {
  bot: { running: 'Kill the bot', stopped: 'Start the bot', changing: 'Wait…' },
  okta: { up: 'Take Okta down', down: 'Bring Okta back' },
  google: { up: 'Take Google down', down: 'Bring Google back' },
  slack: { up: 'Take Slack down', down: 'Bring Slack back' },
};

/** @param {(text: string) => void} say */
export function startWorld(say) {
  for (const button of /** @type {NodeListOf<HTMLButtonElement>} */ (document.querySelectorAll('[data-move]')))
    button.addEventListener('click', async () => {
      const done = await act({ do: 'clock', ms: Number(button.dataset.move) });
      say(done.ok ? `The clock now says ${timeText(clock.now())} UTC.` : done.said);
    });
  for (const item of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll('[data-machine]'))) {
    const which = /** @type {'bot' | 'okta' | 'google' | 'slack'} */ (item.dataset.machine);
    item.querySelector('button')?.addEventListener('click', async () => {
      const state = parts.get('machinery')?.[which];
      const done = await act(
        which === 'bot' ? { do: 'bot', run: state === 'stopped' } : { do: which, down: state === 'up' },
      );
      if (!done.ok) say(done.said);
    });
  }
  setInterval(tick, 500);
}

/** What moves by itself. */
export function tick() {
  const now = clock.now();
  const text = `${secondsText(now)} UTC`;
  byId('clock-top').textContent = text;
  byId('clock').textContent = `${dayText(now)}, ${text}`;
  for (const left of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll('[data-until]'))) {
    const ms = Number(left.dataset.until) - now;
    const words = ms > 0 ? `${leftText(ms)} left` : 'time is over';
    if (left.textContent !== words) left.textContent = words;
    left.parentElement?.classList.toggle('over', ms <= 0);
  }
}

/** @param {ReadonlySet<string>} changed @param {(text: string) => void} say */
export function showWorld(changed, say) {
  if (changed.has('machinery')) machinery(say);
  if (changed.has('directory')) directory();
  if (changed.has('trail')) trail();
  if (changed.has('tried')) steps(say);
  tick();
}

/** @type {any} */
let machines;
/** @param {(text: string) => void} say */
function machinery(say) {
  const now = parts.get('machinery');
  clock.offsetMs = now.clockOffsetMs;
  for (const which of /** @type {const} */ (['bot', 'okta', 'google', 'slack'])) {
    const state = now[which];
    const item = /** @type {HTMLElement} */ (document.querySelector(`[data-machine=${which}]`));
    const words = /** @type {any} */ (WORDS[which])[state];
    item.dataset.state = state;
    /** @type {HTMLElement} */ (item.querySelector('.state')).textContent = words;
    const button = /** @type {HTMLButtonElement} */ (item.querySelector('button'));
    button.textContent = /** @type {any} */ (BUTTONS[which])[state];
    button.setAttribute('aria-disabled', String(state === 'changing'));
    if (machines !== undefined && machines[which] !== state && state !== 'changing')
      say(`${NAMES[which]} is ${words}.`);
  }
  machines = now;
}

function directory() {
  /** @type {any[]} */
  const groups = parts.get('directory').groups;
  fill(
    byId('directory'),
    ...groups
      .toSorted((a, b) => Number(b.governed) - Number(a.governed))
      .map((group) =>
        el(
          'section',
          {
            class: `group${group.governed ? ' governed' : ''}`,
            'aria-label': `Group ${group.name}`,
            'data-group': group.name,
          },
          el(
            'h3',
            {},
            group.name,
            el('span', { class: 'quiet' }, ` ${where(group)}${group.governed ? '' : ', not managed by Hallpass'}`),
          ),
          group.members.length === 0
            ? el('p', { class: 'quiet' }, 'nobody')
            : el(
                'ul',
                {},
                ...group.members.map((/** @type {any} */ one) =>
                  el('li', {}, el('span', { class: 'who' }, one.name), standing(one, group)),
                ),
              ),
        ),
      ),
  );
}

/** @param {any} group */
function where(group) {
  return group.directory === 'google' ? 'Google' : 'Okta';
}

/** @param {any} one @param {any} group */
function standing(one, group) {
  const tag = (/** @type {string} */ kind, /** @type {(Node | string)[]} */ ...words) =>
    el('span', { class: `standing ${kind}` }, ...words);
  switch (one.state) {
    case 'permanent':
      return group.governed ? tag('permanent', 'permanent') : '';
    case 'active':
      return tag('active', `until ${timeText(one.until)} · `, el('span', { 'data-until': String(one.until) }, ''));
    case 'adding':
      return tag('adding', one.present ? 'added, being checked' : 'approved, not added yet');
    case 'ending':
      return tag('ending', 'being removed');
    default:
      return tag('unexplained', 'no grant explains this');
  }
}

function trail() {
  const { events, lines } = parts.get('trail');
  byId('trail-count').textContent = events === 1 ? '1 event' : `${events} events`;
  fill(
    byId('trail'),
    ...lines
      .toReversed()
      .map((/** @type {any} */ line) =>
        el(
          'li',
          {},
          el('time', {}, secondsText(line.at)),
          el('code', {}, line.kind),
          el('span', { class: 'quiet' }, `${line.who}${line.about === '' ? '' : ` · ${line.about}`}`),
        ),
      ),
  );
}

/** @type {any} */
let tried;
/** @param {(text: string) => void} say */
function steps(say) {
  const now = parts.get('tried');
  for (const item of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll('[data-step]'))) {
    const key = /** @type {string} */ (item.dataset.step);
    item.classList.toggle('done', now[key]);
    /** @type {HTMLElement} */ (item.querySelector('.state')).textContent = now[key] ? 'done' : 'not done yet';
    if (tried !== undefined && now[key] && !tried[key]) say(`Done: ${item.querySelector('strong')?.textContent}.`);
  }
  tried = now;
}
