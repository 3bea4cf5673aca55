/** Filling in a dialog the way Slack's own client does, and refusing to send what it would not. */
import { blocksOf, elementsIn } from './slack-reading.ts';
import type { Fields, SlackView } from './slack-state.ts';

/**
 * `state.values` of a dialog as it is sent: what was typed or chosen, else what stood there at first. Not `whole`: while
 * it is still being filled in, when nothing is required yet.
 */
export function fillIn(view: SlackView, given: Readonly<Record<string, string | Fields>>, whole = true): Fields {
  const left = new Set(Object.keys(given));
  const values: Record<string, Record<string, Fields>> = {};
  for (const block of blocksOf(view.view)) {
    for (const element of elementsIn(block)) {
      if (element.type === 'button') continue;
      const id = String(element.action_id);
      const key = [...left].find((candidate) => id === candidate || id.endsWith(candidate));
      if (key !== undefined) left.delete(key);
      const value = stateOf(element, key === undefined ? undefined : given[key]);
      if (
        whole &&
        block.type === 'input' &&
        block.optional !== true &&
        Object.values(value).every((part) => part === null || part === element.type)
      )
        throw new Error(`Slack would not send this dialog: ${id} is required`);
      const blockId = String(block.block_id);
      values[blockId] = { ...values[blockId], [id]: value };
    }
  }
  if (left.size > 0) throw new Error(`this dialog has no ${[...left].join(', ')}`);
  return values;
}

function stateOf(element: Fields, given: string | Fields | undefined): Fields {
  const type = String(element.type);
  if (typeof given === 'object') return { type, ...given };
  switch (type) {
    case 'plain_text_input': {
      const value = given ?? (element.initial_value as string | undefined) ?? '';
      const length = [...value].length;
      if (value !== '' && typeof element.min_length === 'number' && length < element.min_length)
        throw new Error(`Slack would not send this dialog: ${element.action_id} is shorter than ${element.min_length}`);
      if (typeof element.max_length === 'number' && length > element.max_length)
        throw new Error(`Slack would not send this dialog: ${element.action_id} is longer than ${element.max_length}`);
      return { type, value: value === '' ? null : value };
    }
    case 'static_select':
    case 'radio_buttons': {
      if (given === undefined) return { type, selected_option: element.initial_option ?? null };
      const groups = Array.isArray(element.option_groups) ? (element.option_groups as readonly Fields[]) : [element];
      const option = groups
        .flatMap((group) => (group.options ?? []) as readonly Fields[])
        .find((one) => one.value === given);
      if (option === undefined) throw new Error(`${element.action_id} does not offer ${given}`);
      return { type, selected_option: option };
    }
    case 'external_select':
      if (given === undefined) return { type, selected_option: element.initial_option ?? null };
      return { type, selected_option: { text: { type: 'plain_text', text: given, emoji: true }, value: given } };
    case 'users_select':
      return { type, selected_user: given ?? element.initial_user ?? null };
    case 'checkboxes': {
      const all = (element.options ?? []) as readonly Fields[];
      const chosen =
        given === undefined
          ? element.initial_options
          : all.filter((one) => given.split(',').includes(String(one.value)));
      return { type, selected_options: chosen ?? [] };
    }
    default:
      return { type, value: given ?? null };
  }
}
