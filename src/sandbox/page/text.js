// Slack's texts. `plain_text` is shown as it is, always. `mrkdwn` gets the little that Slack documents: emphasis, code,
// quotes, links and mentions, each made as an element, never as HTML.
import { el } from './dom.js';

/** @typedef {{ person: (id: string) => string, channel: (id: string) => string }} Names */

/** @param {any} object a Block Kit text object @param {Names} names */
export function textNodes(object, names) {
  if (object === undefined || object === null) return [];
  if (object.type === 'mrkdwn') return mrkdwn(String(object.text), names);
  return [String(object.text ?? '')];
}

const SPAN = /```([\s\S]+?)```|`([^`\n]+)`|<([^<>\n]+)>|(?<![\p{L}\p{N}])([*_~])(?=\S)([^\n]*?\S)\4(?![\p{L}\p{N}])/gu;

/** @param {string} text @param {Names} names @returns {(Node | string)[]} */
export function mrkdwn(text, names) {
  /** @type {(Node | string)[]} */
  const nodes = [];
  const lines = text.split('\n');
  /** @type {string[]} */
  let plain = [];
  const flush = () => {
    if (plain.length > 0) nodes.push(...spans(plain.join('\n'), names));
    plain = [];
  };
  for (let at = 0; at < lines.length; at += 1) {
    if (!/^(?:&gt;|>)/.test(lines[at])) {
      plain.push(lines[at]);
      continue;
    }
    flush();
    const quoted = [];
    for (; at < lines.length && /^(?:&gt;|>)/.test(lines[at]); at += 1)
      quoted.push(lines[at].replace(/^(?:&gt;|>) ?/, ''));
    at -= 1;
    nodes.push(el('blockquote', {}, ...spans(quoted.join('\n'), names)));
  }
  flush();
  return nodes;
}

/** @param {string} text @param {Names} names @returns {(Node | string)[]} */
function spans(text, names) {
  /** @type {(Node | string)[]} */
  const nodes = [];
  let last = 0;
  for (const found of text.matchAll(SPAN)) {
    if (found.index > last) nodes.push(unescaped(text.slice(last, found.index)));
    last = found.index + found[0].length;
    const [, block, code, angle, mark, inner] = found;
    if (block !== undefined) nodes.push(el('pre', {}, unescaped(block)));
    else if (code !== undefined) nodes.push(el('code', {}, unescaped(code)));
    else if (angle !== undefined) nodes.push(angled(angle, names));
    else nodes.push(el(mark === '*' ? 'strong' : mark === '_' ? 'em' : 's', {}, ...spans(inner, names)));
  }
  if (last < text.length) nodes.push(unescaped(text.slice(last)));
  return nodes;
}

/** @param {string} inside what stands between < and > @param {Names} names */
function angled(inside, names) {
  const [target, label] = inside.split('|', 2);
  if (target.startsWith('@')) return mention(`@${label ?? names.person(target.slice(1))}`);
  if (target.startsWith('#')) return mention(`#${label ?? names.channel(target.slice(1))}`);
  if (target.startsWith('!')) return mention(label === undefined ? `@${target.slice(1)}` : unescaped(label));
  return link(unescaped(target), label === undefined ? unescaped(target) : unescaped(label));
}

/** @param {string} text */
export function mention(text) {
  return el('span', { class: 'mention' }, text);
}

/** @param {string} url @param {string} label */
export function link(url, label) {
  if (!/^(?:https?:\/\/|mailto:)/i.test(url)) return document.createTextNode(label);
  return el('a', { href: url, target: '_blank', rel: 'noopener noreferrer' }, label);
}

/** The three characters that Slack escapes, and no others. @param {string} text */
function unescaped(text) {
  return text.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&');
}

/** As it is read aloud. @param {string} text @param {Names} names */
export function spoken(text, names) {
  return el('p', {}, ...mrkdwn(text, names)).textContent ?? '';
}

/** @param {any} block a rich_text block @param {Names} names */
export function richText(block, names) {
  return el('div', { class: 'rich' }, ...(block.elements ?? []).map((/** @type {any} */ one) => richPart(one, names)));
}

/** @param {any} part @param {Names} names @returns {HTMLElement} */
function richPart(part, names) {
  const inside = () => (part.elements ?? []).map((/** @type {any} */ one) => richInline(one, names));
  switch (part.type) {
    case 'rich_text_quote':
      return el('blockquote', {}, ...inside());
    case 'rich_text_preformatted':
      return el('pre', {}, ...inside());
    case 'rich_text_list':
      return el(
        part.style === 'ordered' ? 'ol' : 'ul',
        {
          class: `indent-${Math.min(Number(part.indent ?? 0), 4)}`,
          start: part.offset === undefined ? undefined : part.offset + 1,
        },
        ...(part.elements ?? []).map((/** @type {any} */ item) =>
          el('li', {}, ...(item.elements ?? []).map((/** @type {any} */ one) => richInline(one, names))),
        ),
      );
    default:
      return el('p', {}, ...inside());
  }
}

/** @param {any} one @param {Names} names @returns {Node} */
function richInline(one, names) {
  switch (one.type) {
    case 'text':
      return styled(document.createTextNode(String(one.text ?? '')), one.style);
    case 'link':
      return styled(link(String(one.url), String(one.text ?? one.url)), one.style);
    case 'user':
      return mention(`@${names.person(one.user_id)}`);
    case 'channel':
      return mention(`#${names.channel(one.channel_id)}`);
    case 'usergroup':
      return mention(`@${one.usergroup_id}`);
    case 'broadcast':
      return mention(`@${one.range}`);
    case 'emoji':
      return document.createTextNode(
        one.unicode === undefined
          ? `:${one.name}:`
          : String.fromCodePoint(
              ...String(one.unicode)
                .split('-')
                .map((code) => Number.parseInt(code, 16)),
            ),
      );
    case 'date':
      return document.createTextNode(String(one.fallback ?? new Date(Number(one.timestamp) * 1000).toISOString()));
    default:
      return document.createTextNode(String(one.text ?? ''));
  }
}

/** @param {Node} node @param {any} style */
function styled(node, style) {
  let made = node;
  if (style?.code) made = el('code', {}, made);
  if (style?.strike) made = el('s', {}, made);
  if (style?.italic) made = el('em', {}, made);
  if (style?.bold) made = el('strong', {}, made);
  return made;
}
