/**
 * Slack's published Block Kit limits, checked block by block, and every text that Slack would interpret. An unknown
 * type is a problem: a block nobody checks must not slip through.
 */
import { REASON_MAX } from '../../src/access/grammar.ts';

type Fields = Readonly<Record<string, unknown>>;

export interface BlockKitReport {
  readonly problems: readonly string[];
  /** Texts in `mrkdwn` objects and `markdown` blocks: what is in here, Slack interprets. */
  readonly interpreted: readonly string[];
  /** Texts shown as they are. */
  readonly shown: readonly string[];
  readonly mentions: readonly string[];
  readonly buttons: readonly { readonly action: string; readonly value: string; readonly label: string }[];
}

export function inspectMessage(message: { readonly text: string; readonly blocks: readonly object[] }): BlockKitReport {
  const walk = walker();
  const textLength = message.text.length;
  if (textLength === 0 || textLength > 4000) walk.problems.push(`text has ${textLength} characters`);
  if (message.blocks.length === 0 || message.blocks.length > 50) walk.problems.push(`${message.blocks.length} blocks`);
  message.blocks.forEach((block, index) => {
    walk.block(block, `blocks/${index}`, 'message');
  });
  return walk.report();
}

export function inspectModal(view: object): BlockKitReport {
  const walk = walker();
  const fields = view as Fields;
  walk.text(fields.title, 'title', 24, true);
  if (fields.submit !== undefined) walk.text(fields.submit, 'submit', 24, true);
  if (fields.close !== undefined) walk.text(fields.close, 'close', 24, true);
  walk.string(fields.callback_id, 'callback_id', 255);
  if (fields.private_metadata !== undefined) walk.string(fields.private_metadata, 'private_metadata', 3000);
  const blocks = list(fields.blocks);
  if (blocks.length === 0 || blocks.length > 100) walk.problems.push(`${blocks.length} blocks`);
  const hasInput = blocks.some((block) => (block as Fields).type === 'input');
  if (hasInput && fields.submit === undefined) walk.problems.push('an input without submit');
  blocks.forEach((block, index) => {
    walk.block(block, `blocks/${index}`, 'modal');
  });
  return walk.report();
}

export function inspectHome(view: object): BlockKitReport {
  const walk = walker('home');
  const fields = view as Fields;
  if (fields.type !== 'home') walk.problems.push(`type ${String(fields.type)}`);
  const blocks = list(fields.blocks);
  if (blocks.length === 0 || blocks.length > 100) walk.problems.push(`${blocks.length} blocks`);
  blocks.forEach((block, index) => {
    walk.block(block, `blocks/${index}`, 'home');
  });
  return walk.report();
}

/** What a search is answered with. */
export function inspectOptions(answer: { readonly options: readonly object[] }): BlockKitReport {
  const walk = walker();
  if (answer.options.length > 100) walk.problems.push(`${answer.options.length} options`);
  answer.options.forEach((option, index) => {
    walk.option(option, `options/${index}`);
  });
  return walk.report();
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

type Surface = 'message' | 'modal' | 'home';

/** In a message of ours every action has its own id; a home tab shows the same buttons for many requests. */
function walker(surfaceOfIds: Surface = 'message') {
  const problems: string[] = [];
  const interpreted: string[] = [];
  const shown: string[] = [];
  const mentions: string[] = [];
  const buttons: { action: string; value: string; label: string }[] = [];
  const actionIds = new Set<string>();
  const blockIds = new Set<string>();

  function string(value: unknown, at: string, max: number): void {
    if (typeof value !== 'string' || value.length === 0) problems.push(`${at}: no text`);
    // In UTF-16 units, the stricter way to count.
    else if (value.length > 2 * max || [...value].length > max) problems.push(`${at}: longer than ${max}`);
  }

  function text(value: unknown, at: string, max: number, plainOnly = false): void {
    const fields = (value ?? {}) as Fields;
    string(fields.text, at, max);
    if (fields.type === 'plain_text') {
      if (fields.emoji !== false) problems.push(`${at}: emoji codes are interpreted`);
      shown.push(String(fields.text));
    } else if (fields.type === 'mrkdwn' && !plainOnly) interpreted.push(String(fields.text));
    else problems.push(`${at}: type ${String(fields.type)}`);
  }

  function unique(ids: Set<string>, value: unknown, at: string): void {
    if (value === undefined) return;
    string(value, at, 255);
    if (ids.has(String(value))) problems.push(`${at}: ${String(value)} is used twice`);
    ids.add(String(value));
  }

  function option(value: unknown, at: string): void {
    const fields = (value ?? {}) as Fields;
    text(fields.text, `${at}/text`, 75, true);
    string(fields.value, `${at}/value`, 75);
    if (fields.description !== undefined) text(fields.description, `${at}/description`, 75, true);
  }

  function element(value: unknown, at: string): void {
    const fields = value as Fields;
    unique(actionIds, fields.action_id, `${at}/action_id`);
    if (fields.type === 'button') {
      text(fields.text, `${at}/text`, 75, true);
      string(fields.value, `${at}/value`, 75);
      if (fields.accessibility_label !== undefined) string(fields.accessibility_label, `${at}/label`, 75);
      const confirm = fields.confirm as Fields | undefined;
      if (confirm !== undefined) {
        text(confirm.title, `${at}/confirm/title`, 100, true);
        text(confirm.text, `${at}/confirm/text`, 300);
        text(confirm.confirm, `${at}/confirm/confirm`, 30, true);
        text(confirm.deny, `${at}/confirm/deny`, 30, true);
      }
      const label = String((fields.text as Fields | undefined)?.text);
      buttons.push({ action: String(fields.action_id), value: String(fields.value), label });
    } else if (fields.type === 'plain_text_input') {
      const max = Number(fields.max_length ?? REASON_MAX);
      if (max < 1 || max > 3000) problems.push(`${at}: max_length ${max}`);
      const initial = String(fields.initial_value ?? '');
      if ([...initial].length > max) problems.push(`${at}: initial_value longer than ${max}`);
      if (fields.placeholder !== undefined) text(fields.placeholder, `${at}/placeholder`, 150, true);
    } else if (fields.type === 'external_select' || fields.type === 'static_select') {
      if (fields.placeholder !== undefined) text(fields.placeholder, `${at}/placeholder`, 150, true);
      if (fields.initial_option !== undefined) option(fields.initial_option, `${at}/initial_option`);
      if (fields.type === 'external_select') return;
      const options = list(fields.options);
      if (options.length === 0 || options.length > 100) problems.push(`${at}: ${options.length} options`);
      options.forEach((one, index) => {
        option(one, `${at}/options/${index}`);
      });
      const values = options.map((one) => (one as Fields).value);
      if (new Set(values).size < values.length) problems.push(`${at}: two options of one value`);
      const initial = fields.initial_option as Fields | undefined;
      // Slack compares the whole option, not only its value.
      if (initial !== undefined && !options.some((one) => JSON.stringify(one) === JSON.stringify(initial)))
        problems.push(`${at}: initial_option is none of the options`);
    } else problems.push(`${at}: unknown element ${String(fields.type)}`);
  }

  function richText(value: unknown, at: string): void {
    const fields = value as Fields;
    switch (fields.type) {
      case 'rich_text_section':
      case 'rich_text_quote':
      case 'rich_text_preformatted':
      case 'rich_text_list':
        list(fields.elements).forEach((inner, index) => {
          richText(inner, `${at}/${index}`);
        });
        return;
      case 'text':
        string(fields.text, at, 3000);
        shown.push(String(fields.text));
        return;
      case 'link':
        string(fields.text, at, 3000);
        if (!/^https:\/\/\S{1,3000}$/.test(String(fields.url))) problems.push(`${at}: link ${String(fields.url)}`);
        shown.push(String(fields.text));
        return;
      case 'user':
        if (!/^[UW][A-Z0-9]+$/.test(String(fields.user_id))) problems.push(`${at}: user ${String(fields.user_id)}`);
        mentions.push(String(fields.user_id));
        return;
      default:
        problems.push(`${at}: unknown rich text ${String(fields.type)}`);
    }
  }

  function block(value: unknown, at: string, surface: Surface): void {
    const fields = value as Fields;
    if (surfaceOfIds === 'home') actionIds.clear();
    unique(blockIds, fields.block_id, `${at}/block_id`);
    switch (fields.type) {
      case 'divider':
        return;
      case 'header':
        text(fields.text, at, 150, true);
        return;
      case 'section': {
        if (fields.text !== undefined) text(fields.text, at, 3000);
        const parts = list(fields.fields);
        if (fields.text === undefined && parts.length === 0) problems.push(`${at}: an empty section`);
        if (parts.length > 10) problems.push(`${at}: ${parts.length} fields`);
        for (const part of parts) text(part, `${at}/fields`, 2000);
        if (fields.accessory !== undefined) element(fields.accessory, `${at}/accessory`);
        return;
      }
      case 'context': {
        const parts = list(fields.elements);
        if (parts.length === 0 || parts.length > 10) problems.push(`${at}: ${parts.length} elements`);
        for (const part of parts) text(part, at, 3000);
        return;
      }
      case 'actions': {
        const parts = list(fields.elements);
        if (parts.length === 0 || parts.length > 25) problems.push(`${at}: ${parts.length} elements`);
        parts.forEach((part, index) => {
          element(part, `${at}/${index}`);
        });
        return;
      }
      case 'input':
        if (surface !== 'modal') problems.push(`${at}: an input in a message`);
        text(fields.label, `${at}/label`, 2000, true);
        if (fields.hint !== undefined) text(fields.hint, `${at}/hint`, 2000, true);
        element(fields.element, `${at}/element`);
        return;
      case 'rich_text':
        list(fields.elements).forEach((part, index) => {
          richText(part, `${at}/${index}`);
        });
        return;
      case 'markdown':
        interpreted.push(String(fields.text));
        return;
      default:
        problems.push(`${at}: unknown block ${String(fields.type)}`);
    }
  }

  return {
    problems,
    string,
    text,
    block,
    option,
    report: (): BlockKitReport => ({ problems, interpreted, shown, mentions, buttons }),
  };
}
