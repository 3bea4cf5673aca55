// The line that people type: what was sent before (up, down), and what can follow (Tab, or down into the list).
import { byId, el, fill } from './dom.js';
import { actAsMe, me } from './state.js';

const box = /** @type {HTMLInputElement} */ (byId('typed'));
const offers = byId('offers');
const form = byId('composer');
/** @type {string[]} */
const usage = JSON.parse(document.body.dataset.usage ?? '[]');
/** @type {string[]} */
const resources = JSON.parse(document.body.dataset.resources ?? '[]');

export const FIRST = '/access request db-prod 30m fix stuck migration';

/** Per person, oldest first. @type {Map<string, string[]>} */
const sent = new Map();
/** Steps back in what was sent; 0: the line being written. */
let back = 0;
let draft = '';
/** @type {string[]} */
let fits = [];
let active = -1;

/** What may stand at the end of the line, whole lines. @param {string} line */
export function completions(line) {
  if (line !== '' && '/access'.startsWith(line.trimEnd()) && !line.includes(' ')) return ['/access '];
  const rest = /^\/access (.*)$/.exec(line)?.[1];
  if (rest === undefined) return [];
  const words = rest.split(' ');
  if (words.length === 1) {
    const all = [...new Set(usage.map((text) => text.split(' ')[0]))];
    return all.filter((word) => word.startsWith(words[0]) && word !== words[0]).map((word) => `/access ${word} `);
  }
  if (words.length !== 2) return [];
  const [word, begun] = words;
  const shape = usage.find((text) => text.startsWith(`${word} `)) ?? '';
  const choices = /<resource>|<id>/.test(shape)
    ? resources
    : (/\[([a-z|]+)\]/.exec(shape)?.[1] ?? '').split('|').filter((one) => one.length > 2);
  return choices.filter((one) => one.startsWith(begun) && one !== begun).map((one) => `/access ${word} ${one} `);
}

/** How the command goes on, as a hint. @param {string} line */
function hint(line) {
  const word = /^\/access (\S+)/.exec(line)?.[1];
  const shape = usage.find((text) => text.split(' ')[0] === word);
  byId('composer-hint').textContent =
    shape === undefined ? '↑ ↓ what you sent before · Tab completes · try /access help' : `/access ${shape}`;
}

function offer() {
  hint(box.value);
  fits = document.activeElement === box ? completions(box.value).slice(0, 8) : [];
  active = -1;
  fill(
    offers,
    ...fits.map((line, at) =>
      el(
        'li',
        { id: `offer-${at}`, role: 'option', 'aria-selected': 'false', onclick: () => take(line) },
        line.trimEnd(),
      ),
    ),
  );
  show(fits.length > 0 && box.value !== '');
}

/** @param {boolean} on */
function show(on) {
  offers.hidden = !on;
  box.setAttribute('aria-expanded', String(on));
  if (!on) box.removeAttribute('aria-activedescendant');
}

/** @param {string} line */
function take(line) {
  box.value = line;
  box.focus();
  offer();
}

/** @param {number} by */
function move(by) {
  active = (active + by + fits.length + (active < 0 && by < 0 ? 1 : 0)) % fits.length;
  for (const [at, item] of [...offers.children].entries()) item.setAttribute('aria-selected', String(at === active));
  box.setAttribute('aria-activedescendant', `offer-${active}`);
}

/** @param {number} by */
function recall(by) {
  const mine = sent.get(me.as) ?? [];
  const next = Math.min(mine.length, Math.max(0, back + by));
  if (next === back) return;
  if (back === 0) draft = box.value;
  back = next;
  box.value = back === 0 ? draft : (mine[mine.length - back] ?? '');
  hint(box.value);
  box.setSelectionRange(box.value.length, box.value.length);
}

box.addEventListener('input', () => {
  back = 0;
  offer();
});
box.addEventListener('blur', () => show(false));
offers.addEventListener('mousedown', (event) => event.preventDefault());
box.addEventListener('keydown', (event) => {
  const isOpen = !offers.hidden;
  if (event.key === 'Tab' && !event.shiftKey && isOpen) {
    event.preventDefault();
    take(fits[Math.max(0, active)]);
  } else if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
    event.preventDefault();
    const by = event.key === 'ArrowDown' ? 1 : -1;
    // A recalled line is walked through; a line being written goes on into the list.
    if (isOpen && back === 0) move(by);
    else recall(-by);
  } else if (event.key === 'Enter' && isOpen && active >= 0) {
    event.preventDefault();
    take(fits[active]);
  } else if (event.key === 'Escape' && isOpen) {
    event.preventDefault();
    show(false);
  }
});

/** @param {() => void} onSent @param {(text: string) => void} say */
export function startComposer(onSent, say) {
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const line = box.value.trim();
    if (line === '') return;
    const text = /^\/access(?:\s+([\s\S]*))?$/.exec(line);
    if (text === null) {
      const only = 'Only /access is understood here. Begin with it, for example: /access help';
      byId('composer-hint').textContent = only;
      say(only);
      return;
    }
    sent.set(me.as, [...(sent.get(me.as) ?? []).filter((one) => one !== line), line]);
    back = 0;
    draft = '';
    box.value = '';
    offer();
    onSent();
    void actAsMe({
      do: 'slash',
      conversation: me.conversation === 'dm' ? `dm:${me.user}` : me.conversation,
      text: text[1] ?? '',
    });
  });
}

/** Another person begins with another line. @param {string} line */
export function setLine(line) {
  box.value = line;
  back = 0;
  show(false);
  hint(line);
}
