/** The ticket that a reason names, found by the policy's own pattern. */

/** What follows the beginning of a word for so many characters is looked at: no ticket's key is longer. */
const KEY_MAX = 60;
/** More would make a long reason slow to look through; a key needs two. */
const OPEN_ENDS_MAX = 3;
export const PATTERN_MAX = 200;

/**
 * What keeps a pattern from being used; absent when it can be. JavaScript's own matcher can take for ever over a group
 * that repeats: with none of those, at most three open ends and sixty characters to look at, no reason takes long.
 */
export function patternProblem(pattern: string): string | undefined {
  if (pattern.length > PATTERN_MAX) return `a pattern has at most ${PATTERN_MAX} characters`;
  try {
    new RegExp(pattern, 'u');
  } catch (error) {
    return `this is not a regular expression: ${error instanceof Error ? error.message : String(error)}`;
  }
  // Characters in brackets and escaped ones stand for themselves.
  const bare = pattern.replace(/\\./gu, 'x').replace(/\[[^\]]*\]/gu, 'x');
  if (/\(\?(?![:<])|\(\?<[=!]/u.test(bare) || /\\(?:[1-9]|k<)/u.test(pattern))
    return 'looking ahead or behind and referring back to a group are not supported';
  if (/[\^$]/u.test(bare)) return 'it is looked for wherever a word begins, so ^ and $ have no place in it';
  if (/\)(?:[*+]|\{\d+,?\d*\})/u.test(bare))
    return 'a group must not be repeated; write what repeats as one class, such as [A-Z0-9]+';
  if ((bare.match(/[*+]|\{\d+,\}/gu) ?? []).length > OPEN_ENDS_MAX)
    return `at most ${OPEN_ENDS_MAX} of *, + and {n,} can stand in it`;
  if (new RegExp(`^(?:${pattern})$`, 'u').test('')) return 'it matches nothing at all, so that every reason would fit';
  return undefined;
}

/** The first ticket in the text: the pattern's first group, or all of it. */
export function ticketIn(text: string, pattern: string | undefined): string | undefined {
  if (pattern === undefined) return undefined;
  const key = new RegExp(`^(?:${pattern})(?![\\p{L}\\p{N}_])`, 'u');
  // A word begins at the start, and after whatever is neither letter nor digit.
  for (const { index } of text.matchAll(/(?<![\p{L}\p{N}_])\S/gu)) {
    const found = key.exec(text.slice(index, index + KEY_MAX).toWellFormed());
    if (found !== null) return found[1] ?? found[0];
  }
  return undefined;
}

export function ticketUrl(ticket: string, link: string | undefined): string | undefined {
  return link?.replaceAll('{ticket}', encodeURIComponent(ticket));
}
