// Block Kit, drawn: the blocks and elements that Hallpass uses, each as Slack shows it. What is not known is said, not
// left out, so that a new block cannot go unnoticed here.
import { el, freshId } from './dom.js';
import { menu, picker } from './menus.js';
import { richText, textNodes } from './text.js';

/**
 * @typedef {object} Surface where blocks are shown, and what happens when they are used
 * @property {import('./text.js').Names} names
 * @property {(block: any, element: any, chosen: object) => void} act something was pressed or chosen
 * @property {(block: any, element: any, typed: string) => Promise<any>} suggest the answer of an external select
 * @property {(block: any, element: any) => any} value what an input holds: Slack's own value object, or undefined
 * @property {(block: any, element: any, value: object) => void} keep an input has changed
 * @property {Readonly<Record<string, string>>} errors by block id
 * @property {(title: string) => HTMLElement} heading
 */

/** @param {readonly any[]} blocks @param {Surface} surface */
export function drawBlocks(blocks, surface) {
  const made = el('div', { class: 'blocks' });
  for (const block of blocks) made.append(drawBlock(block, surface));
  return made;
}

/** @param {any} block @param {Surface} surface @returns {HTMLElement} */
function drawBlock(block, surface) {
  switch (block.type) {
    case 'header':
      return surface.heading(String(block.text?.text ?? ''));
    case 'divider':
      return el('hr');
    case 'section':
      return section(block, surface);
    case 'context':
      return el(
        'div',
        { class: 'context' },
        ...block.elements.map((/** @type {any} */ one) =>
          one.type === 'image' ? image(one) : el('span', {}, ...textNodes(one, surface.names)),
        ),
      );
    case 'rich_text':
      return richText(block, surface.names);
    case 'actions':
      return el(
        'div',
        { class: 'actions' },
        ...block.elements.map((/** @type {any} */ one) => element(block, one, surface)),
      );
    case 'input':
      return input(block, surface);
    case 'image':
      return el(
        'figure',
        {},
        image(block),
        block.title ? el('figcaption', {}, ...textNodes(block.title, surface.names)) : null,
      );
    case 'markdown':
      return el('p', { class: 'plain' }, String(block.text ?? ''));
    default:
      return el('p', { class: 'unknown' }, `(a block of type ${String(block.type)}, which this page cannot draw)`);
  }
}

/** @param {any} block @param {Surface} surface */
function section(block, surface) {
  const text = block.text ? el('p', { class: 'plain' }, ...textNodes(block.text, surface.names)) : null;
  const fields = block.fields
    ? el(
        'div',
        { class: 'fields' },
        ...block.fields.map((/** @type {any} */ one) => el('p', { class: 'plain' }, ...textNodes(one, surface.names))),
      )
    : null;
  if (block.accessory === undefined) return el('div', { class: 'section' }, text, fields);
  return el(
    'div',
    { class: 'section with-accessory' },
    el('div', {}, text, fields),
    block.accessory.type === 'image' ? image(block.accessory) : element(block, block.accessory, surface),
  );
}

/** Pictures live on other machines; the page loads nothing from there and says what they show. @param {any} one */
function image(one) {
  return el('span', { class: 'image', role: 'img', 'aria-label': one.alt_text }, `[${one.alt_text}]`);
}

/** Whatever can be pressed or chosen, outside an input block. @param {any} block @param {any} one @param {Surface} surface @returns {HTMLElement} */
function element(block, one, surface) {
  const act = (/** @type {object} */ chosen) => confirmed(one.confirm, () => surface.act(block, one, chosen));
  switch (one.type) {
    case 'button':
      return el(
        'button',
        {
          type: 'button',
          class: `button ${one.style ?? ''}`,
          'aria-label': one.accessibility_label,
          'data-key': `${block.block_id}/${one.action_id}`,
          onclick: () => {
            if (one.url) window.open(one.url, '_blank', 'noopener');
            act({});
          },
        },
        String(one.text?.text ?? ''),
      );
    case 'overflow':
      return menu(one, `${block.block_id}/${one.action_id}`, (option) => act({ selected_option: option }));
    default:
      return field(block, one, surface, (value) => act(value), `Choose: ${one.placeholder?.text ?? one.type}`);
  }
}

/** @param {any} block @param {Surface} surface */
function input(block, surface) {
  const id = freshId('input');
  const error = surface.errors[block.block_id];
  const described = [block.hint ? `${id}-hint` : '', error ? `${id}-error` : ''].filter(Boolean).join(' ') || undefined;
  const label = [
    String(block.label?.text ?? ''),
    block.optional ? el('span', { class: 'quiet' }, ' (optional)') : null,
  ];
  const dispatch = block.dispatch_action === true;
  const one = block.element;
  const grouped = one.type === 'radio_buttons' || one.type === 'checkboxes';
  const made = field(
    block,
    one,
    surface,
    (value) => {
      surface.keep(block, one, value);
      if (dispatch && one.type !== 'plain_text_input') surface.act(block, one, value);
    },
    undefined,
    { id, described, invalid: error !== undefined, required: block.optional !== true },
  );
  return el(
    grouped ? 'fieldset' : 'div',
    { class: `input${error ? ' wrong' : ''}` },
    grouped ? el('legend', {}, ...label) : el('label', { for: id }, ...label),
    made,
    block.hint ? el('p', { class: 'quiet', id: `${id}-hint` }, ...textNodes(block.hint, surface.names)) : null,
    error ? el('p', { class: 'error', id: `${id}-error` }, error) : null,
  );
}

/**
 * @param {any} block @param {any} one @param {Surface} surface
 * @param {(value: object) => void} changed
 * @param {string} [name] its accessible name, where no label stands by
 * @param {{ id?: string, described?: string | undefined, invalid?: boolean, required?: boolean }} [more]
 * @returns {HTMLElement}
 */
function field(block, one, surface, changed, name, more = {}) {
  const key = `${block.block_id}/${one.action_id}`;
  const held = surface.value(block, one);
  const common = {
    id: more.id,
    'aria-label': name,
    'aria-describedby': more.described,
    'aria-invalid': more.invalid ? 'true' : undefined,
    'aria-required': more.required ? 'true' : undefined,
    'data-key': key,
  };
  switch (one.type) {
    case 'plain_text_input':
    case 'email_text_input':
    case 'url_text_input':
    case 'number_input': {
      const made = /** @type {HTMLInputElement} */ (
        el(one.multiline ? 'textarea' : 'input', {
          ...common,
          rows: one.multiline ? 4 : undefined,
          maxlength: one.max_length,
          minlength: one.min_length,
          placeholder: one.placeholder?.text,
          oninput: () => changed({ value: made.value === '' ? null : made.value }),
        })
      );
      made.value = held === undefined ? (one.initial_value ?? '') : (held.value ?? '');
      return made;
    }
    case 'static_select':
    case 'external_select':
    case 'users_select':
      return picker({
        common,
        element: one,
        held,
        people: surface.names,
        changed,
        suggest: (typed) => surface.suggest(block, one, typed),
      });
    case 'radio_buttons':
    case 'checkboxes':
      return choices(one, held, key, changed, surface);
    case 'datepicker':
    case 'timepicker': {
      const [type, kept] = one.type === 'datepicker' ? ['date', 'selected_date'] : ['time', 'selected_time'];
      const made = /** @type {HTMLInputElement} */ (
        el('input', { ...common, type, onchange: () => changed({ [kept]: made.value === '' ? null : made.value }) })
      );
      made.value = (held === undefined ? one[`initial_${type}`] : held[kept]) ?? '';
      return made;
    }
    default:
      return el('p', { class: 'unknown' }, `(an element of type ${String(one.type)}, which this page cannot draw)`);
  }
}

/** @param {any} one @param {any} held @param {string} key @param {(value: object) => void} changed @param {Surface} surface */
function choices(one, held, key, changed, surface) {
  const many = one.type === 'checkboxes';
  const first = many ? (one.initial_options ?? []) : one.initial_option ? [one.initial_option] : [];
  const chosen =
    held === undefined
      ? first
      : many
        ? (held.selected_options ?? [])
        : held.selected_option
          ? [held.selected_option]
          : [];
  const group = freshId('choice');
  const made = el('div', { class: 'choices' });
  for (const [at, option] of one.options.entries()) {
    const box = /** @type {HTMLInputElement} */ (
      el('input', {
        type: many ? 'checkbox' : 'radio',
        name: group,
        value: at,
        'data-key': `${key}/${at}`,
        onchange: tell,
      })
    );
    box.checked = chosen.some((/** @type {any} */ other) => other.value === option.value);
    const more = option.description
      ? [el('br'), el('span', { class: 'quiet' }, ...textNodes(option.description, surface.names))]
      : [];
    made.append(el('label', {}, box, el('span', {}, ...textNodes(option.text, surface.names), ...more)));
  }
  function tell() {
    const all = [.../** @type {NodeListOf<HTMLInputElement>} */ (made.querySelectorAll('input'))];
    const now = all.filter((box) => box.checked).map((box) => one.options[Number(box.value)]);
    changed(many ? { selected_options: now } : { selected_option: now[0] ?? null });
  }
  return made;
}

/** Asks first where the bot wants it asked. @param {any} confirm @param {() => void} go */
export function confirmed(confirm, go) {
  if (confirm === undefined) return go();
  const title = freshId('confirm');
  const dialog = /** @type {HTMLDialogElement} */ (el('dialog', { class: 'modal small', 'aria-labelledby': title }));
  const close = (/** @type {boolean} */ yes) => {
    dialog.close();
    if (yes) go();
  };
  dialog.append(
    el('h2', { id: title }, String(confirm.title?.text ?? '')),
    el(
      'div',
      { class: 'modal-body' },
      el('p', { class: 'plain' }, ...textNodes(confirm.text, { person: String, channel: String })),
    ),
    el(
      'div',
      { class: 'modal-foot' },
      el(
        'button',
        { type: 'button', class: 'button', onclick: () => close(false) },
        String(confirm.deny?.text ?? 'Cancel'),
      ),
      el(
        'button',
        {
          type: 'button',
          class: `button ${confirm.style === 'danger' ? 'danger' : 'primary'}`,
          onclick: () => close(true),
        },
        String(confirm.confirm?.text ?? 'Yes'),
      ),
    ),
  );
  dialog.addEventListener('close', () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
