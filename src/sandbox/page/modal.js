// Dialogs that the bot opens. What was filled in stays while the bot changes the dialog around it, as in Slack.
import { drawBlocks } from './blocks.js';
import { el, fill } from './dom.js';
import { actAsMe, dialogOf, me } from './state.js';

const dialog = /** @type {HTMLDialogElement} */ (el('dialog', { class: 'modal', 'aria-labelledby': 'modal-title' }));
document.body.append(dialog);

/** @type {any} */
let open;
let user = '';
let drawn = '';
/** Block and action id → Slack's value object. @type {Map<string, any>} */
let values = new Map();
/** @type {Record<string, string>} */
let errors = {};
let failed = '';
let busy = false;

// Escape: the dialog goes when the bot's Slack says so, like every other change.
dialog.addEventListener('cancel', (event) => {
  event.preventDefault();
  void close();
});

/** Shows what should be shown now. @param {import('./text.js').Names} names */
export function showDialog(names) {
  const view = dialogOf(me.user);
  if (view === undefined || user !== me.user || open?.id !== view.id) {
    values = new Map();
    errors = {};
    failed = '';
    busy = false;
    drawn = '';
  }
  open = view;
  user = me.user;
  if (view === undefined) {
    if (dialog.open) dialog.close();
    return;
  }
  const now = JSON.stringify([view, errors, failed, busy]);
  if (now === drawn) return;
  drawn = now;
  draw(view, names);
}

/** @param {any} view @param {import('./text.js').Names} names */
function draw(view, names) {
  const { title, submit, close: closeText, blocks } = view.view;
  const held = /** @type {HTMLElement | null} */ (document.activeElement);
  const focused = dialog.contains(held) ? held?.dataset.key : undefined;
  const body = el('div', { class: 'modal-body', tabindex: '0', role: 'group', 'aria-label': 'Contents' });
  if (failed !== '') body.append(el('p', { class: 'error', role: 'alert' }, failed));
  const surface = {
    names,
    errors,
    act: (/** @type {any} */ block, /** @type {any} */ one, /** @type {object} */ chosen) =>
      void actAsMe({
        do: 'press',
        view: view.id,
        block: block.block_id,
        action: one.action_id,
        chosen,
        values: stateValues(blocks),
      }).then((done) => {
        failed = done.ok ? '' : done.said;
        showDialog(names);
      }),
    suggest: async (/** @type {any} */ _block, /** @type {any} */ one, /** @type {string} */ typed) => {
      const done = await actAsMe({ do: 'suggest', view: view.id, action: one.action_id, typed });
      return done.ok ? (done.offered ?? {}) : undefined;
    },
    value: (/** @type {any} */ block, /** @type {any} */ one) => values.get(`${block.block_id}/${one.action_id}`),
    keep: (/** @type {any} */ block, /** @type {any} */ one, /** @type {object} */ value) =>
      values.set(`${block.block_id}/${one.action_id}`, value),
    heading: (/** @type {string} */ text) => el('h3', {}, text),
  };
  body.append(drawBlocks(blocks, surface));
  const form = el(
    'form',
    {
      method: 'dialog',
      novalidate: true,
      onsubmit: (/** @type {Event} */ event) => {
        event.preventDefault();
        void send(view, names);
      },
    },
    el('h2', { id: 'modal-title' }, String(title?.text ?? '')),
    body,
    el(
      'div',
      { class: 'modal-foot' },
      el(
        'button',
        { type: 'button', class: 'button', onclick: () => void close() },
        String(closeText?.text ?? 'Close'),
      ),
      submit ? el('button', { type: 'submit', class: 'button primary', disabled: busy }, String(submit.text)) : null,
    ),
  );
  fill(dialog, form);
  if (!dialog.open) dialog.showModal();
  const wrong = /** @type {HTMLElement | null} */ (dialog.querySelector('[aria-invalid=true]'));
  const again =
    focused === undefined
      ? null
      : /** @type {HTMLElement | null} */ (dialog.querySelector(`[data-key="${CSS.escape(focused)}"]`));
  const first = /** @type {HTMLElement | null} */ (
    dialog.querySelector('.input input, .input textarea') ?? dialog.querySelector('.modal-foot button')
  );
  (wrong ?? again ?? first)?.focus();
}

/** `state.values`, as Slack would send it with anything pressed in the dialog. @param {any[]} blocks */
function stateValues(blocks) {
  /** @type {Record<string, Record<string, object>>} */
  const made = {};
  for (const block of blocks) {
    const all =
      block.type === 'input'
        ? [block.element]
        : [...(block.elements ?? []), ...(block.accessory ? [block.accessory] : [])];
    for (const one of all) {
      if (
        one.action_id === undefined ||
        ['button', 'overflow', 'image'].includes(one.type) ||
        block.type === 'context' ||
        block.type === 'rich_text'
      )
        continue;
      made[block.block_id] = {
        ...made[block.block_id],
        [one.action_id]: { type: one.type, ...initial(one), ...values.get(`${block.block_id}/${one.action_id}`) },
      };
    }
  }
  return made;
}

/** @param {any} one */
function initial(one) {
  switch (one.type) {
    case 'static_select':
    case 'external_select':
    case 'radio_buttons':
      return { selected_option: one.initial_option ?? null };
    case 'checkboxes':
      return { selected_options: one.initial_options ?? [] };
    case 'users_select':
      return { selected_user: one.initial_user ?? null };
    case 'datepicker':
      return { selected_date: one.initial_date ?? null };
    case 'timepicker':
      return { selected_time: one.initial_time ?? null };
    default:
      return { value: one.initial_value ?? null };
  }
}

/** @param {any} view @param {import('./text.js').Names} names */
async function send(view, names) {
  if (busy) return;
  errors = missing(view);
  failed = '';
  if (Object.keys(errors).length > 0) return showDialog(names);
  busy = true;
  showDialog(names);
  const filled = Object.fromEntries(
    view.view.blocks
      .filter((/** @type {any} */ block) => block.type === 'input')
      .map((/** @type {any} */ { block_id, element }) => [
        element.action_id,
        stateValues(view.view.blocks)[block_id][element.action_id],
      ]),
  );
  const done = await actAsMe({ do: 'submit', view: view.id, values: filled });
  busy = false;
  failed = done.ok ? '' : done.said;
  errors = done.errors ?? {};
  showDialog(names);
}

/** What Slack's own client would not let a person send. @param {any} view */
function missing(view) {
  /** @type {Record<string, string>} */
  const found = {};
  for (const block of view.view.blocks) {
    if (block.type !== 'input') continue;
    const value = /** @type {any} */ (stateValues([block])[block.block_id][block.element.action_id]);
    const given =
      value.value ??
      value.selected_option ??
      value.selected_user ??
      value.selected_date ??
      value.selected_time ??
      value.selected_options;
    const empty = given === null || given === undefined || given.length === 0;
    const least = Number(block.element.min_length ?? 0);
    if (empty && block.optional !== true) found[block.block_id] = 'Please fill this in.';
    else if (!empty && typeof value.value === 'string' && [...value.value].length < least)
      found[block.block_id] = `Please write at least ${least} characters.`;
  }
  return found;
}

async function close() {
  if (open !== undefined) await actAsMe({ do: 'close', view: open.id });
}
