/** What people can see of the local Slack: plain functions over its state, in this process or from another. */
import type { Fields, SlackEphemeral, SlackMessage, SlackState } from './slack-state.ts';

export interface Button {
  readonly type: string;
  readonly action_id: string;
  readonly block_id: string;
  readonly value?: string;
  readonly text: string;
  readonly style?: string;
}

/** Messages of a conversation as people see them now, oldest first. */
export function messagesIn(state: SlackState, channel: string): readonly SlackMessage[] {
  return state.messages.filter((message) => message.channel === channel && !message.deleted);
}

/** What the bot wrote to one person. */
export function dmsOf(state: SlackState, user: string): readonly SlackMessage[] {
  const channel = state.channels.find((candidate) => candidate.is_im && candidate.user === user);
  return channel === undefined ? [] : messagesIn(state, channel.id);
}

export function ephemeralsOf(state: SlackState, user: string): readonly SlackEphemeral[] {
  return state.ephemerals.filter((shown) => shown.user === user);
}

/** Every text a person could read in a message or view, joined: the fallback, and each block's. */
export function textOf(shown: { readonly text?: string; readonly blocks?: unknown }): string {
  const found: string[] = shown.text === undefined ? [] : [shown.text];
  const walk = (value: unknown): void => {
    if (Array.isArray(value)) value.forEach(walk);
    else if (typeof value === 'object' && value !== null)
      for (const [key, inner] of Object.entries(value)) {
        if (key === 'text' && typeof inner === 'string') found.push(inner);
        else walk(inner);
      }
  };
  walk(shown.blocks);
  return found.join('\n');
}

/** The button whose action id is, or ends in, this, and which carries the value if one is given; absent: there is none. */
export function button(
  shown: { readonly blocks?: unknown },
  actionIdSuffix: string,
  value?: string,
): Button | undefined {
  for (const block of blocksOf(shown))
    for (const element of elementsIn(block))
      if (
        element.type === 'button' &&
        String(element.action_id).endsWith(actionIdSuffix) &&
        (value === undefined || element.value === value)
      )
        return {
          type: 'button',
          action_id: String(element.action_id),
          block_id: String(block.block_id),
          text: String((element.text as Fields | undefined)?.text ?? ''),
          ...(typeof element.value === 'string' && { value: element.value }),
          ...(typeof element.style === 'string' && { style: element.style }),
        };
  return undefined;
}

export function buttonOf(shown: { readonly blocks?: unknown }, actionId: string, value?: string): Button {
  const found = button(shown, actionId, value);
  if (found === undefined) throw new Error(`there is no button ${actionId} in: ${textOf(shown)}`);
  return found;
}

/** The option of a menu that says this, as Slack sends it when it is chosen. */
export function optionOf(shown: { readonly blocks?: unknown }, actionId: string, text: string): Fields {
  for (const block of blocksOf(shown))
    for (const element of elementsIn(block)) {
      if (!String(element.action_id).endsWith(actionId) || !Array.isArray(element.options)) continue;
      const chosen = (element.options as readonly Fields[]).find((one) => (one.text as Fields).text === text);
      if (chosen !== undefined)
        return {
          type: element.type,
          action_id: element.action_id,
          block_id: block.block_id,
          selected_option: chosen,
        };
    }
  throw new Error(`there is no ${text} to choose in: ${textOf(shown)}`);
}

export function blocksOf(shown: { readonly blocks?: unknown }): readonly Fields[] {
  return Array.isArray(shown.blocks) ? (shown.blocks as readonly Fields[]) : [];
}

export function elementsIn(block: Fields): readonly Fields[] {
  const elements = Array.isArray(block.elements) ? (block.elements as readonly Fields[]) : [];
  return [
    ...elements,
    ...[block.accessory, block.element].filter((one): one is Fields => typeof one === 'object' && one !== null),
  ];
}

export function elementOf(view: Fields, actionId: string): { action_id: string; block_id: string } {
  for (const block of blocksOf(view))
    for (const element of elementsIn(block))
      if (String(element.action_id).endsWith(actionId))
        return { action_id: String(element.action_id), block_id: String(block.block_id) };
  throw new Error(`there is no ${actionId} in this dialog`);
}
