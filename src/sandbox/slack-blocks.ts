/**
 * The limits of Block Kit, checked the way Slack checks them: a message over a limit is refused whole.
 * Only the blocks that Hallpass may use are known; an unknown type is refused rather than waved through.
 */

type Fields = Readonly<Record<string, unknown>>;

const BLOCKS_IN_MESSAGE = 50;
const BLOCKS_IN_VIEW = 100;

function fields(value: unknown): Fields | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : undefined;
}

/** Slack counts characters as people do, not UTF-16 units. */
function length(text: string): number {
  return [...text].length;
}

interface Check {
  readonly problems: string[];
  /** Of the block being looked at: an action id may return in another block, never in the same. */
  readonly actionIds: Set<string>;
  readonly blockIds: Set<string>;
  readonly surface: 'message' | 'modal' | 'home';
}

export function checkBlocks(blocks: unknown, surface: Check['surface']): readonly string[] {
  const check: Check = { problems: [], actionIds: new Set(), blockIds: new Set(), surface };
  if (!Array.isArray(blocks)) return ['blocks must be an array'];
  const most = surface === 'message' ? BLOCKS_IN_MESSAGE : BLOCKS_IN_VIEW;
  if (blocks.length > most) check.problems.push(`no more than ${most} items allowed [json-pointer:/blocks]`);
  blocks.forEach((block, index) => {
    checkBlock(check, block, `/blocks/${index}`);
  });
  return check.problems;
}

export function checkView(view: unknown): readonly string[] {
  const given = fields(view);
  if (given === undefined) return ['view must be an object'];
  if (given.type !== 'modal' && given.type !== 'home') return ['unsupported type [json-pointer:/view/type]'];
  const problems = [...checkBlocks(given.blocks, given.type)];
  const check: Check = { problems, actionIds: new Set(), blockIds: new Set(), surface: given.type };
  if (given.type === 'modal') {
    text(check, given.title, '/view/title', { most: 24, plain: true });
    if (given.submit !== undefined) text(check, given.submit, '/view/submit', { most: 24, plain: true });
    if (given.close !== undefined) text(check, given.close, '/view/close', { most: 24, plain: true });
    const inputs = Array.isArray(given.blocks) && given.blocks.some((block) => fields(block)?.type === 'input');
    if (inputs && given.submit === undefined) problems.push('submit is required when there is an input block');
  } else if (given.title !== undefined) problems.push('a home view has no title');
  string(check, given.callback_id, '/view/callback_id', 255);
  string(check, given.private_metadata, '/view/private_metadata', 3000);
  string(check, given.external_id, '/view/external_id', 255);
  return problems;
}

function string(check: Check, value: unknown, at: string, most: number): void {
  if (value === undefined) return;
  if (typeof value !== 'string') check.problems.push(`must be a string [json-pointer:${at}]`);
  else if (length(value) > most) check.problems.push(`must be less than ${most + 1} characters [json-pointer:${at}]`);
}

function text(check: Check, value: unknown, at: string, rule: { most: number; plain?: boolean }): void {
  const given = fields(value);
  if (given === undefined) {
    check.problems.push(`missing required field [json-pointer:${at}]`);
    return;
  }
  if (given.type !== 'plain_text' && given.type !== 'mrkdwn')
    check.problems.push(`unsupported text type [json-pointer:${at}/type]`);
  if (rule.plain === true && given.type !== 'plain_text')
    check.problems.push(`must be plain_text [json-pointer:${at}/type]`);
  if (typeof given.text !== 'string' || given.text.length === 0)
    check.problems.push(`must be more than 0 characters [json-pointer:${at}/text]`);
  else string(check, given.text, `${at}/text`, rule.most);
  if (given.type === 'mrkdwn' && given.emoji !== undefined)
    check.problems.push(`emoji is for plain_text only [json-pointer:${at}/emoji]`);
  if (given.type === 'plain_text' && given.verbatim !== undefined)
    check.problems.push(`verbatim is for mrkdwn only [json-pointer:${at}/verbatim]`);
}

function list(check: Check, value: unknown, at: string, most: number, each: (item: unknown, at: string) => void): void {
  if (!Array.isArray(value) || value.length === 0) {
    check.problems.push(`must have at least one item [json-pointer:${at}]`);
    return;
  }
  if (value.length > most) check.problems.push(`no more than ${most} items allowed [json-pointer:${at}]`);
  value.forEach((item, index) => {
    each(item, `${at}/${index}`);
  });
}

function checkBlock(check: Check, value: unknown, at: string): void {
  const block = fields(value);
  if (block === undefined) {
    check.problems.push(`must be an object [json-pointer:${at}]`);
    return;
  }
  check.actionIds.clear();
  string(check, block.block_id, `${at}/block_id`, 255);
  if (typeof block.block_id === 'string') {
    if (check.blockIds.has(block.block_id))
      check.problems.push(`block_id already exists [json-pointer:${at}/block_id]`);
    check.blockIds.add(block.block_id);
  }
  switch (block.type) {
    case 'divider':
      return;
    case 'header':
      text(check, block.text, `${at}/text`, { most: 150, plain: true });
      return;
    case 'section':
      if (block.text === undefined && block.fields === undefined)
        check.problems.push(`a section needs text or fields [json-pointer:${at}]`);
      if (block.text !== undefined) text(check, block.text, `${at}/text`, { most: 3000 });
      if (block.fields !== undefined)
        list(check, block.fields, `${at}/fields`, 10, (item, where) => {
          text(check, item, where, { most: 2000 });
        });
      if (block.accessory !== undefined) checkElement(check, block.accessory, `${at}/accessory`);
      return;
    case 'context':
      list(check, block.elements, `${at}/elements`, 10, (item, where) => {
        if (fields(item)?.type === 'image') checkImage(check, item, where);
        else text(check, item, where, { most: 3000 });
      });
      return;
    case 'actions':
      list(check, block.elements, `${at}/elements`, 25, (item, where) => {
        checkElement(check, item, where);
      });
      return;
    case 'input':
      if (check.surface === 'home') check.problems.push(`input is not allowed here [json-pointer:${at}]`);
      text(check, block.label, `${at}/label`, { most: 2000, plain: true });
      if (block.hint !== undefined) text(check, block.hint, `${at}/hint`, { most: 2000, plain: true });
      checkElement(check, block.element, `${at}/element`);
      return;
    case 'rich_text':
      list(check, block.elements, `${at}/elements`, 1000, (item, where) => {
        if (!Array.isArray(fields(item)?.elements)) check.problems.push(`missing elements [json-pointer:${where}]`);
      });
      return;
    case 'image':
      checkImage(check, block, at);
      return;
    case 'markdown':
      string(check, block.text, `${at}/text`, 12_000);
      return;
    default:
      check.problems.push(`unsupported block type [json-pointer:${at}/type]`);
  }
}

function checkImage(check: Check, value: unknown, at: string): void {
  const image = fields(value);
  string(check, image?.image_url, `${at}/image_url`, 3000);
  if (typeof image?.alt_text !== 'string') check.problems.push(`missing required field [json-pointer:${at}/alt_text]`);
  string(check, image?.alt_text, `${at}/alt_text`, 2000);
}

const OPTION_ELEMENTS = new Map([
  ['static_select', 100],
  ['multi_static_select', 100],
  ['radio_buttons', 10],
  ['checkboxes', 10],
  ['overflow', 5],
]);
const OTHER_ELEMENTS = new Set([
  'external_select',
  'users_select',
  'multi_users_select',
  'conversations_select',
  'channels_select',
  'datepicker',
  'timepicker',
  'datetimepicker',
]);

function checkElement(check: Check, value: unknown, at: string): void {
  const element = fields(value);
  if (element === undefined) {
    check.problems.push(`must be an object [json-pointer:${at}]`);
    return;
  }
  string(check, element.action_id, `${at}/action_id`, 255);
  if (typeof element.action_id === 'string') {
    if (check.actionIds.has(element.action_id))
      check.problems.push(`action_id already exists [json-pointer:${at}/action_id]`);
    check.actionIds.add(element.action_id);
  }
  if (element.confirm !== undefined) checkConfirm(check, element.confirm, `${at}/confirm`);
  if (element.placeholder !== undefined)
    text(check, element.placeholder, `${at}/placeholder`, { most: 150, plain: true });
  const options = typeof element.type === 'string' ? OPTION_ELEMENTS.get(element.type) : undefined;
  if (options !== undefined) {
    if (element.option_groups === undefined) checkOptions(check, element.options, `${at}/options`, options);
    else
      list(check, element.option_groups, `${at}/option_groups`, 100, (group, where) => {
        text(check, fields(group)?.label, `${where}/label`, { most: 75, plain: true });
        checkOptions(check, fields(group)?.options, `${where}/options`, 100);
      });
    return;
  }
  switch (element.type) {
    case 'button':
      text(check, element.text, `${at}/text`, { most: 75, plain: true });
      string(check, element.value, `${at}/value`, 2000);
      string(check, element.url, `${at}/url`, 3000);
      string(check, element.accessibility_label, `${at}/accessibility_label`, 75);
      if (element.style !== undefined && element.style !== 'primary' && element.style !== 'danger')
        check.problems.push(`must be primary or danger [json-pointer:${at}/style]`);
      return;
    case 'plain_text_input':
      if (typeof element.max_length === 'number' && (element.max_length < 1 || element.max_length > 3000))
        check.problems.push(`must be between 1 and 3000 [json-pointer:${at}/max_length]`);
      if (typeof element.min_length === 'number' && (element.min_length < 0 || element.min_length > 3000))
        check.problems.push(`must be between 0 and 3000 [json-pointer:${at}/min_length]`);
      return;
    default:
      if (typeof element.type !== 'string' || !OTHER_ELEMENTS.has(element.type))
        check.problems.push(`unsupported element type [json-pointer:${at}/type]`);
  }
}

/** Also what the answer to a `block_suggestion` may hold. */
export function checkOptions(check: Pick<Check, 'problems'>, value: unknown, at: string, most: number): void {
  const inner: Check = { problems: check.problems, actionIds: new Set(), blockIds: new Set(), surface: 'message' };
  list(inner, value, at, most, (item, where) => {
    const option = fields(item);
    text(inner, option?.text, `${where}/text`, { most: 75 });
    if (option?.description !== undefined) text(inner, option.description, `${where}/description`, { most: 75 });
    if (typeof option?.value !== 'string') inner.problems.push(`missing required field [json-pointer:${where}/value]`);
    // The documents say 150 and the types say 75; the stricter is what works everywhere.
    else string(inner, option.value, `${where}/value`, 75);
  });
}

function checkConfirm(check: Check, value: unknown, at: string): void {
  const confirm = fields(value);
  text(check, confirm?.title, `${at}/title`, { most: 100, plain: true });
  text(check, confirm?.text, `${at}/text`, { most: 300 });
  text(check, confirm?.confirm, `${at}/confirm`, { most: 30, plain: true });
  text(check, confirm?.deny, `${at}/deny`, { most: 30, plain: true });
}

/** Slack gives every block an id that has none. */
export function withBlockIds(blocks: unknown, id: () => string): readonly Fields[] {
  if (!Array.isArray(blocks)) return [];
  return blocks.map((block: unknown) => {
    const given = fields(block) ?? {};
    return given.block_id === undefined ? { ...given, block_id: id() } : given;
  });
}
