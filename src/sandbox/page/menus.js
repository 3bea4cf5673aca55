// The two menus of Block Kit that no native control covers: a select with search (the options may come from the bot),
// and the overflow menu. Both work with the keyboard alone.
import { el, fill, freshId } from './dom.js';

const ASK_AFTER_MS = 150;

/**
 * A combobox over `options`, `option_groups`, people, or whatever the bot answers for what was typed.
 * @param {{ common: Record<string, unknown>, element: any, held: any, people: import('./text.js').Names & { all?: () => readonly any[] },
 *   changed: (value: object) => void, suggest: (typed: string) => Promise<any> }} given
 */
export function picker({ common, element, held, people, changed, suggest }) {
  const listId = freshId('options');
  const external = element.type === 'external_select';
  const users = element.type === 'users_select';
  const ofUser = (/** @type {string} */ id) => ({ text: { text: people.person(id) }, value: id });
  const first = users ? element.initial_user && ofUser(element.initial_user) : element.initial_option;
  const now = users ? held?.selected_user && ofUser(held.selected_user) : held?.selected_option;
  /** @type {any} */
  let chosen = (held === undefined ? first : now) ?? null;
  /** @type {any[]} */
  let shown = [];
  let active = -1;
  let asked = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let waiting;

  const box = /** @type {HTMLInputElement} */ (
    el('input', {
      ...common,
      role: 'combobox',
      'aria-autocomplete': 'list',
      'aria-expanded': 'false',
      'aria-controls': listId,
      autocomplete: 'off',
      placeholder: element.placeholder?.text ?? 'Choose…',
      oninput: () => look(box.value),
      onfocus: () => box.select(),
      onclick: () => list.hidden && look(''),
      onkeydown: key,
      onblur: () => close(),
    })
  );
  const list = el('ul', { id: listId, class: 'options', role: 'listbox', 'aria-label': 'Options', hidden: true });
  // A press inside the list must not take the focus away from the box before the click arrives.
  list.addEventListener('mousedown', (event) => event.preventDefault());
  box.value = chosen?.text?.text ?? '';

  /** @param {string} typed */
  function look(typed) {
    clearTimeout(waiting);
    if (!external) return show(local(typed));
    const least = Number(element.min_query_length ?? 3);
    if (typed.length < least) return say(`Type ${least === 1 ? 'a character' : `${least} characters`} to search`);
    asked += 1;
    const mine = asked;
    waiting = setTimeout(async () => {
      const offered = await suggest(typed);
      if (mine !== asked || document.activeElement !== box) return;
      if (offered === undefined) say('No answer from Hallpass');
      else show(offered.option_groups ?? [{ options: offered.options ?? [] }]);
    }, ASK_AFTER_MS);
  }

  /** @param {string} typed */
  function local(typed) {
    const wanted = typed.trim().toLowerCase();
    const fits = (/** @type {any} */ option) =>
      wanted === '' || String(option.text?.text).toLowerCase().includes(wanted);
    const groups = users ? [{ options: (people.all?.() ?? []).map(ofUser) }] : (element.option_groups ?? [element]);
    return groups.map((/** @type {any} */ group) => ({ ...group, options: group.options.filter(fits) }));
  }

  /** @param {any[]} groups */
  function show(groups) {
    shown = groups.flatMap((group) => group.options);
    if (shown.length === 0) return say('Nothing fits');
    active = Math.max(
      0,
      shown.findIndex((option) => option.value === chosen?.value),
    );
    let at = 0;
    const drawn = groups
      .filter((group) => group.options.length > 0)
      .map((group) => {
        const options = group.options.map((/** @type {any} */ option) => one(option, at++));
        if (group.label === undefined) return options;
        return [
          el(
            'li',
            { role: 'group', 'aria-label': group.label.text },
            el('span', { class: 'group', 'aria-hidden': 'true' }, group.label.text),
            el('ul', { role: 'presentation' }, ...options),
          ),
        ];
      });
    fill(list, ...drawn.flat());
    open();
    mark();
  }

  /** @param {any} option @param {number} at */
  function one(option, at) {
    const more = option.description?.text;
    return el(
      'li',
      { id: `${listId}-${at}`, role: 'option', 'aria-selected': 'false', onclick: () => choose(option) },
      String(option.text?.text ?? ''),
      more ? el('span', { class: 'quiet' }, ` ${more}`) : null,
    );
  }

  /** @param {string} text */
  function say(text) {
    shown = [];
    active = -1;
    fill(list, el('li', { class: 'none', role: 'option', 'aria-disabled': 'true', 'aria-selected': 'false' }, text));
    open();
  }

  function open() {
    list.hidden = false;
    box.setAttribute('aria-expanded', 'true');
  }

  function close() {
    clearTimeout(waiting);
    list.hidden = true;
    box.setAttribute('aria-expanded', 'false');
    box.removeAttribute('aria-activedescendant');
    if (box.value === '' && chosen !== null) {
      chosen = null;
      tell();
    } else box.value = chosen?.text?.text ?? '';
  }

  function mark() {
    for (const item of list.querySelectorAll('[role=option]')) {
      const on = item.id === `${listId}-${active}`;
      item.setAttribute('aria-selected', String(on));
      if (on) item.scrollIntoView({ block: 'nearest' });
    }
    box.setAttribute('aria-activedescendant', `${listId}-${active}`);
  }

  /** @param {any} option */
  function choose(option) {
    chosen = option;
    box.value = option.text?.text ?? '';
    close();
    tell();
  }

  function tell() {
    changed(users ? { selected_user: chosen?.value ?? null } : { selected_option: chosen });
  }

  /** @param {Event} event */
  function key(event) {
    const { key: pressed } = /** @type {KeyboardEvent} */ (event);
    const isOpen = !list.hidden;
    if (pressed === 'ArrowDown' || pressed === 'ArrowUp') {
      event.preventDefault();
      if (!isOpen) return look('');
      if (shown.length === 0) return;
      active = (active + (pressed === 'ArrowDown' ? 1 : -1) + shown.length) % shown.length;
      mark();
    } else if (pressed === 'Enter' && isOpen && shown[active] !== undefined) {
      event.preventDefault();
      choose(shown[active]);
    } else if (pressed === 'Escape' && isOpen) {
      // Only the list closes; the dialog around it stays.
      event.preventDefault();
      event.stopPropagation();
      close();
    }
  }

  return el('div', { class: 'picker-box' }, box, list);
}

/**
 * The overflow menu.
 * @param {any} element @param {string} key @param {(option: any) => void} choose
 */
export function menu(element, key, choose) {
  const id = freshId('menu');
  const button = el(
    'button',
    {
      type: 'button',
      class: 'button more',
      'aria-label': 'More',
      'aria-expanded': 'false',
      'aria-controls': id,
      'data-key': key,
      onclick: () => show(list.hidden !== false),
    },
    '⋯',
  );
  const list = el('ul', { id, class: 'options', hidden: true });
  for (const option of element.options)
    list.append(
      el(
        'li',
        {},
        el(
          'button',
          {
            type: 'button',
            onclick: () => {
              show(false);
              button.focus();
              choose(option);
            },
          },
          String(option.text?.text ?? ''),
        ),
      ),
    );
  /** @param {boolean} on */
  function show(on) {
    list.hidden = !on;
    button.setAttribute('aria-expanded', String(on));
    if (on) list.querySelector('button')?.focus();
  }
  const made = el('div', { class: 'picker-box' }, button, list);
  made.addEventListener('keydown', (event) => {
    if (event.key !== 'Escape' || list.hidden) return;
    event.preventDefault();
    event.stopPropagation();
    show(false);
    button.focus();
  });
  made.addEventListener('focusout', (event) => {
    if (!made.contains(/** @type {Node | null} */ (event.relatedTarget))) show(false);
  });
  return made;
}
