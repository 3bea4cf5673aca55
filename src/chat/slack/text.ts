/** Texts for places that Slack interprets, made inert; and the few Block Kit objects that show a text as it is. */
import type { PlainTextElement } from '@slack/types';
import { cut } from '../../access/words.ts';

/** Slack advises 4,000 for `text` and refuses more in `chat.update`; escaping is counted in. */
export const TEXT_MAX = 3_900;

/** Invisible, silent when read aloud, and enough to stop Slack from seeing a link, a mention or an emoji. */
const JOINER = '\u2060';

/** Formatting marks and their look-alikes: Slack has no way of escaping them. */
const LOOK_ALIKES: Readonly<Record<string, string>> = { '*': '\u2217', _: '\uff3f', '~': '\u223c', '`': '\u02cb' };

/**
 * Any text as Slack's fallback `text`: cut by code points first, then escaped, so that no entity is cut in half. What
 * escaping does not stop (formatting, bare links, `@name`, `#channel`, `:emoji:`) is broken up.
 */
export function inert(text: string, max: number = TEXT_MAX): string {
  const clean = legible(text);
  const whole = disarmed(cut(clean, max));
  if (whole.length <= max) return whole;
  // Escaping made it longer than the limit: each character grows to at most six.
  let length = 0;
  const kept: string[] = [];
  for (const point of clean) {
    length += disarmed(point).length + JOINER.length;
    if (length > max - 1) break;
    kept.push(point);
  }
  return disarmed(`${kept.join('')}…`);
}

function disarmed(text: string): string {
  return (
    text
      // An underscore inside a word formats nothing, and names such as `prod_db_read` are read aloud and searched for.
      .replace(/[*~`]|(?<![\p{L}\p{N}])_|_(?![\p{L}\p{N}])/gu, (mark) => LOOK_ALIKES[mark] ?? mark)
      .replace(/[@#](?=\S)/g, (mark) => mark + JOINER)
      // Only where it may begin an emoji or a link: `db-prod:read` and `14:32` stay as they are.
      .replace(/:(?=\/\/|[^\s:]{1,100}:)/g, `:${JOINER}`)
      .replace(/(?<=[\p{L}\p{N}])\.(?=\p{L})/gu, `.${JOINER}`)
      .replace(/&/g, '&amp;')
      .replace(/</g, '&lt;')
      .replace(/>/g, '&gt;')
  );
}

/** Without control characters and direction overrides: a name that turns the line around lies about all of it. */
export function legible(text: string): string {
  return text.toWellFormed().replace(/[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]|(?!\n)\p{Cc}/gu, '');
}

/** Never empty, since Slack refuses empty texts. */
export function plain(text: string, max: number): PlainTextElement {
  const whole = cut(legible(text), max);
  return { type: 'plain_text', text: whole.trim() === '' ? '–' : whole, emoji: false };
}
