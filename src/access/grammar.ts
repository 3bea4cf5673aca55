/**
 * What people type after the command's own word, turned into a command or a refusal. Pure, linear in the length of the
 * text, and it never throws.
 */
import { nearest } from './catalog.ts';
import type { Aim, Command, DurationWish, ListWhich, Refusal } from './command.ts';
import type { AccountRef } from './model.ts';

/** What can be typed, by its first word; shown in usage refusals and in the help. */
export const USAGE = {
  request: 'request <resource>[:role] [duration] <reason>',
  approve: 'approve <id> [duration]',
  deny: 'deny <id> [reason]',
  cancel: 'cancel <id>',
  status: 'status [id]',
  story: 'story <id>',
  list: 'list [mine|pending|active] [page]',
  who: 'who <resource>[:role]',
  explain: 'explain <resource>[:role] [duration] [reason]',
  'on-call': 'on-call [resource]',
  digest: 'digest [today|7d|sign-off [date] [note]]',
  extend: 'extend <id> <duration> [reason]',
  return: 'return <id>',
  revoke: 'revoke <id|@person|resource|all> [granted-since:2h] [except:@person] <reason>',
  'break-glass': 'break-glass <resource>[:role] [duration] <reason>',
  review: 'review <id> <sign-off|question> [reason]',
  finding: 'finding <id> <ask|revoke|dismiss|explain> [text]',
  adopt: 'adopt <id> <reason>',
  freeze: 'freeze <resource|@person|all> <reason>',
  unfreeze: 'unfreeze <resource|@person|all>',
  link: 'link',
  help: 'help',
} as const;

type Word = keyof typeof USAGE;

/** In code points. Long enough for a paragraph; a whole log belongs in the ticket. */
export const REASON_MAX = 1000;

/** In code points. Slack allows 80, directories more; the rest of a longer one is nobody's name. */
const NAME_MAX = 120;

const DURATION_MAX_MS = 366 * 86_400_000;
const DURATION_EXAMPLE = '30m';
/** Longer words are nobody's duration, id or resource; they are shortened before they are said back. */
const ASKED_MAX = 60;

/** The command that the text asks for, or why it asks for none. Tell them apart by `'do' in …`. */
export function parseCommand(text: string, by: AccountRef): Command | Refusal {
  const words = reader(text);
  const first = words.next();
  if (first === undefined) return { do: 'help', by };
  const word = first.toLowerCase();
  if (!isWord(word)) return unknownCommand(first, words.rest());
  switch (word) {
    case 'request':
      return request(words, by);
    case 'break-glass': {
      const asked = request(words, by, 'break-glass');
      return 'code' in asked ? asked : { ...asked, do: 'break-glass' };
    }
    case 'review': {
      const typed = words.next();
      const verdict = words.next()?.toLowerCase();
      if (typed === undefined || (verdict !== 'sign-off' && verdict !== 'question')) return usage('review');
      const note = cleanReason(words.rest());
      if (typeof note !== 'string') return note;
      return {
        do: 'review',
        by,
        target: { typed: canonicalId(typed) },
        verdict: verdict === 'question' ? 'question' : 'sign_off',
        ...(note === '' ? {} : { note }),
      };
    }
    case 'finding':
      return finding(words, by);
    case 'approve': {
      const typed = words.next();
      if (typed === undefined) return usage('approve');
      const duration = takeDuration(words);
      if (duration !== undefined && 'code' in duration) return duration;
      const target = { typed: canonicalId(typed) };
      return duration === undefined ? { do: 'show', by, target } : { do: 'show', by, target, duration };
    }
    case 'deny': {
      const typed = words.next();
      if (typed === undefined) return usage('deny');
      const reason = cleanReason(words.rest());
      if (typeof reason !== 'string') return reason;
      return { do: 'deny', by, target: { typed: canonicalId(typed) }, ...(reason === '' ? {} : { reason }) };
    }
    case 'cancel':
    case 'story':
    case 'return': {
      const typed = words.next();
      return typed === undefined ? usage(word) : { do: word, by, target: { typed: canonicalId(typed) } };
    }
    case 'status': {
      const typed = words.next();
      return typed === undefined ? { do: 'status', by } : { do: 'status', by, target: { typed: canonicalId(typed) } };
    }
    case 'list': {
      const which = words.next()?.toLowerCase() ?? 'mine';
      const page = pageNumber(words.next() ?? '1');
      if (!isListWhich(which) || page === undefined) return usage('list');
      return page === 1 ? { do: 'list', by, which } : { do: 'list', by, which, page };
    }
    case 'who': {
      const asked = entitlementName(words.next());
      return asked === undefined ? usage('who') : { do: 'who', by, ...asked };
    }
    case 'explain': {
      const asked = request(words, by, 'explain');
      if (!('do' in asked) || asked.do !== 'request') return asked;
      const { reason, ...rest } = asked;
      return { ...rest, do: 'explain', ...(reason === '' ? {} : { reason }) };
    }
    case 'link':
      return { do: 'link', by };
    case 'on-call': {
      if (words.peek() === undefined) return { do: 'on-call', by };
      const asked = entitlementName(words.next());
      return asked === undefined ? usage('on-call') : { do: 'on-call', by, ...asked };
    }
    case 'digest': {
      const span = words.next()?.toLowerCase() ?? 'today';
      if (span === 'sign-off') return signDigest(words, by);
      return span === 'today' || span === '7d' ? { do: 'digest', by, span } : usage('digest');
    }
    case 'extend':
      return extend(words, by);
    case 'revoke':
      return revoke(words, by);
    case 'adopt': {
      const typed = words.next();
      if (typed === undefined) return usage('adopt');
      const reason = cleanReason(words.rest());
      if (typeof reason !== 'string') return reason;
      if (reason === '') return { code: 'reason_missing', minLength: 1 };
      return { do: 'adopt', by, target: { typed: canonicalId(typed) }, reason };
    }
    case 'freeze': {
      const aim = takeAim(words, by);
      if (aim === undefined) return usage('freeze');
      if ('code' in aim) return aim;
      const reason = cleanReason(words.rest());
      if (typeof reason !== 'string') return reason;
      return reason === '' ? { code: 'reason_missing', minLength: 1 } : { do: 'freeze', by, aim, reason };
    }
    case 'unfreeze': {
      const aim = takeAim(words, by);
      if (aim === undefined || words.peek() !== undefined) return usage('unfreeze');
      return 'code' in aim ? aim : { do: 'unfreeze', by, aim };
    }
    case 'help':
      return { do: 'help', by };
    default: {
      const never: never = word;
      return never;
    }
  }
}

/** Whether the text names nothing to be done yet: a door that has a form shows it then. */
export function asksForForm(text: string): boolean {
  const words = reader(text);
  const first = words.next();
  return first === undefined || (first.toLowerCase() === 'request' && words.peek() === undefined);
}

/** A duration that stands alone, as in a form's own field; absent when there is none, and refused when it is none. */
export function parseWish(text: string): DurationWish | Extract<Refusal, { code: 'bad_duration' }> | undefined {
  const words = reader(text);
  if (words.peek() === undefined) return undefined;
  const wish = takeDuration(words);
  if (wish === undefined || (!('code' in wish) && words.peek() !== undefined)) return badDuration(text.trim());
  return wish;
}

/** `45s`, `30m`, `1h30m`, `2d`: milliseconds, more than 0 and at most 366 days; `undefined` for anything else. */
export function parseDuration(text: string): number | undefined {
  if (text.length > 40) return undefined;
  const parts = /^(?:(\d{1,9})d)?(?:(\d{1,9})h)?(?:(\d{1,9})m)?(?:(\d{1,9})s)?$/i.exec(text);
  if (parts === null) return undefined;
  const [days, hours, minutes, seconds] = parts.slice(1).map((part) => Number(part ?? 0));
  const ms = (((days ?? 0) * 24 + (hours ?? 0)) * 60 + (minutes ?? 0)) * 60_000 + (seconds ?? 0) * 1000;
  return ms > 0 && ms <= DURATION_MAX_MS ? ms : undefined;
}

/**
 * A reason as it is kept: what the person wrote, on one line, without control characters, invisible fillers and
 * direction overrides (which could make an approver read something else than is stored), and without quotes around it.
 */
export function cleanReason(text: string): string | Refusal {
  const reason = unquoted(oneLine(text)).trim();
  const length = codePoints(reason);
  return length > REASON_MAX ? { code: 'reason_too_long', maxLength: REASON_MAX, length } : reason;
}

/** A person's name as it is kept and shown: no directory keeps people from writing into it what they like. May be empty. */
export function cleanName(text: string): string {
  const name = oneLine(text);
  return name.length <= NAME_MAX ? name : [...name.slice(0, NAME_MAX * 2)].slice(0, NAME_MAX).join('');
}

function oneLine(text: string): string {
  const line = text
    .toWellFormed()
    .replace(INVISIBLE, (char) => (/\s/.test(char) && char !== '\ufeff' ? ' ' : ''))
    .replace(/\s+/g, ' ')
    .trim();
  return /^(?:\u200c|\u200d| )*$/.test(line) ? '' : line;
}

/**
 * Control and format characters, except the two joiners that scripts and emoji need.
 * A reason of ten zero-width spaces would otherwise count as ten letters.
 */
const INVISIBLE = /(?!\u200c|\u200d)[\p{Cc}\p{Cf}\u2028\u2029]/gu;

function request(
  words: Words,
  by: AccountRef,
  word: 'request' | 'explain' | 'break-glass' = 'request',
): (Command & { do: 'request' }) | Refusal {
  const asked = entitlementName(words.next());
  if (asked === undefined) return usage(word);
  const duration = takeDuration(words);
  if (duration !== undefined && 'code' in duration) return duration;
  const reason = cleanReason(words.rest());
  if (typeof reason !== 'string') return reason;
  // An empty reason goes on: only the policy knows whether one is needed, and an unknown resource is the better news.
  return {
    do: 'request',
    by,
    ...asked,
    ...(duration === undefined ? {} : { duration }),
    reason,
  };
}

function signDigest(words: Words, by: AccountRef): Command | Refusal {
  const dated = /^\d{4}-\d{2}-\d{2}$/.test(words.peek() ?? '');
  const day = dated ? words.next() : undefined;
  const note = cleanReason(words.rest());
  if (typeof note !== 'string') return note;
  const which = day === undefined ? {} : { day };
  return { do: 'sign-digest', by, which, ...(note === '' ? {} : { note }) };
}

/** `db-prod` or `db-prod:read`; absent when a part of it is missing. */
function entitlementName(asked: string | undefined): { readonly resource: string; readonly role?: string } | undefined {
  if (asked === undefined) return undefined;
  const colon = asked.indexOf(':');
  const resource = unquoted(colon < 0 ? asked : asked.slice(0, colon));
  const role = colon < 0 ? undefined : unquoted(asked.slice(colon + 1));
  if (resource === '' || role === '') return undefined;
  return { resource: shortened(resource), ...(role === undefined ? {} : { role: shortened(role) }) };
}

/** `active.2`: what the buttons of a list carry. It names a page of what its presser may see, and gives no right to it. */
export function listCursor(which: ListWhich, page: number): string {
  return `${which}.${page}`;
}

export function parseListCursor(cursor: string): { readonly which: ListWhich; readonly page: number } | undefined {
  const [which = '', number = '', ...rest] = cursor.split('.');
  const page = pageNumber(number);
  return isListWhich(which) && page !== undefined && rest.length === 0 ? { which, page } : undefined;
}

/** Beyond this nobody turns pages. */
const PAGE_MAX = 200;

function pageNumber(text: string): number | undefined {
  const page = /^[1-9]\d{0,2}$/.test(text) ? Number(text) : undefined;
  return page !== undefined && page <= PAGE_MAX ? page : undefined;
}

function isListWhich(text: string): text is ListWhich {
  return text === 'mine' || text === 'pending' || text === 'active';
}

function extend(words: Words, by: AccountRef): Command | Refusal {
  const typed = words.next();
  if (typed === undefined || words.peek() === undefined) return usage('extend');
  const duration = takeDuration(words);
  if (duration === undefined) return badDuration(words.next() ?? '');
  if ('code' in duration) return duration;
  const reason = cleanReason(words.rest());
  if (typeof reason !== 'string') return reason;
  return { do: 'extend', by, target: { typed: canonicalId(typed) }, duration, ...(reason === '' ? {} : { reason }) };
}

function finding(words: Words, by: AccountRef): Command | Refusal {
  const typed = words.next();
  const what = words.next()?.toLowerCase();
  if (typed === undefined) return usage('finding');
  const id = canonicalId(typed);
  const text = cleanReason(words.rest());
  if (typeof text !== 'string') return text;
  switch (what) {
    case 'ask':
      return { do: 'ask-holder', by, finding: id };
    case 'revoke':
      return { do: 'revoke-finding', by, finding: id };
    case 'dismiss':
      return { do: 'dismiss-finding', by, finding: id, reason: text };
    case 'explain':
      return { do: 'explain-finding', by, finding: id, explanation: text };
    default:
      return usage('finding');
  }
}

function revoke(words: Words, by: AccountRef): Command | Refusal {
  const typed = words.next();
  if (typed === undefined) return usage('revoke');
  const limits = takeLimits(words, by);
  if ('code' in limits) return limits;
  const reason = cleanReason(words.rest());
  if (typeof reason !== 'string') return reason;
  if (reason === '') return { code: 'reason_missing', minLength: 1 };
  const aim = parseAim(typed, by);
  if ('code' in aim) return aim;
  const whole = !('resource' in aim) || limits.except.length > 0 || limits.grantedWithinMs !== undefined;
  // An id, or a resource's name: only the record can tell which.
  if (!whole) return { do: 'revoke', by, target: { typed: canonicalId(typed) }, reason };
  return { do: 'revoke-all', by, aim, ...limits, reason };
}

interface Limits {
  readonly grantedWithinMs?: number;
  readonly except: readonly Aim[];
}

const EXCEPT_MOST = 20;

/** `granted-since:2h` and `except:@person`, in any order, before the reason. */
function takeLimits(words: Words, by: AccountRef): Limits | Refusal {
  const except: Aim[] = [];
  let grantedWithinMs: number | undefined;
  for (let word = words.peek(); word !== undefined; word = words.peek()) {
    const [, name, value = ''] = /^(granted-since|except):(.*)$/is.exec(word) ?? [];
    if (name === undefined) break;
    words.next();
    if (name.toLowerCase() === 'granted-since') {
      grantedWithinMs = parseDuration(value);
      if (grantedWithinMs === undefined) return badDuration(value);
      continue;
    }
    const aim = parseAim(value, by);
    if ('code' in aim) return aim;
    if (!('account' in aim || 'email' in aim) || except.length === EXCEPT_MOST)
      return { code: 'unknown_person', asked: shortened(value) };
    except.push(aim);
  }
  return { except, ...(grantedWithinMs === undefined ? {} : { grantedWithinMs }) };
}

function takeAim(words: Words, by: AccountRef): Aim | Refusal | undefined {
  const word = words.next();
  return word === undefined ? undefined : parseAim(word, by);
}

/** `@U012ABC` (as a mention arrives), an email, `all`, or a resource's name. */
export function parseAim(word: string, by: AccountRef | undefined): Aim | Refusal {
  if (word.toLowerCase() === 'all') return { all: true };
  if (word.startsWith('@')) {
    const id = word.slice(1);
    // A typed name is nobody's id: two people can share it, and a person can change it.
    const fits = by?.platform === 'slack' ? /^[UW][A-Z0-9]{1,31}$/.test(id) : by !== undefined && id !== '';
    if (!fits || by === undefined) return { code: 'unknown_person', asked: shortened(word) };
    return { account: { platform: by.platform, tenant: by.tenant, id } };
  }
  if (/^[^@\s]+@[^@\s]+$/.test(word)) return { email: word };
  return { resource: shortened(word) };
}

/** The duration in front, taken; absent when the next word starts the reason. */
function takeDuration(words: Words): DurationWish | Extract<Refusal, { code: 'bad_duration' }> | undefined {
  const word = words.peek();
  if (word === undefined) return undefined;
  const lower = word.toLowerCase();
  if (lower.startsWith('until')) {
    words.next();
    if (lower !== 'until') return badDuration(word);
    const time = words.next();
    const parts = time === undefined ? null : /^(\d{1,2}):(\d{2})$/.exec(time);
    const hour = Number(parts?.[1] ?? 99);
    const minute = Number(parts?.[2] ?? 99);
    if (hour > 23 || minute > 59) return badDuration(`until ${time ?? ''}`.trim());
    return { until: { hour, minute } };
  }
  // Whatever begins like a number was meant as a time; taken as the reason, "30x fix" would silently become the default.
  if (!/^(?:\p{N}|\p{Pd}|[+\u2212\u00b1]|[.,]\p{N})/u.test(word)) return undefined;
  words.next();
  const ms = parseDuration(word);
  return ms === undefined ? badDuration(word) : { ms };
}

function badDuration(asked: string): Extract<Refusal, { code: 'bad_duration' }> {
  return { code: 'bad_duration', asked: shortened(asked), example: DURATION_EXAMPLE };
}

function usage(word: Word): Refusal {
  return { code: 'usage', usage: USAGE[word] };
}

function unknownCommand(first: string, rest: string): Refusal {
  const word = first.toLowerCase();
  const asked = shortened(first);
  const near = nearest(word, Object.keys(USAGE));
  if (near.length > 0) return { code: 'unknown_command', asked, suggestions: near };
  // `db-prod 30m fix it`: everything is there but the first word.
  const more = cleanReason(rest);
  const whole = typeof more === 'string' && more !== '' ? [`request ${shortened(`${first} ${more}`)}`] : [];
  return { code: 'unknown_command', asked, suggestions: whole };
}

function isWord(word: string): word is Word {
  return Object.hasOwn(USAGE, word);
}

/** `r-7kq2` → `R-7KQ2`. Anything else stays as typed: it may be a resource's name. */
function canonicalId(typed: string): string {
  return shortened(/^[rgf]-[a-z0-9]{3,8}$/i.test(typed) ? typed.toUpperCase() : typed);
}

interface Words {
  /** The next word, made plain, and taken. */
  next(): string | undefined;
  /** The next word, left where it is. */
  peek(): string | undefined;
  /** What follows, exactly as written. */
  rest(): string;
}

function reader(text: string): Words {
  const pattern = /\s*(\S+)/y;
  let at = 0;
  const read = (): { word: string; end: number } | undefined => {
    pattern.lastIndex = at;
    for (let found = pattern.exec(text); found !== null; found = pattern.exec(text)) {
      const word = plain(found[1] ?? '');
      // A word of nothing but invisible characters is no word.
      if (word !== '') return { word, end: pattern.lastIndex };
    }
    return undefined;
  };
  return {
    next: () => {
      const found = read();
      if (found !== undefined) at = found.end;
      return found?.word;
    },
    peek: () => read()?.word,
    rest: () => text.slice(at),
  };
}

/** A word that is matched: no invisible characters, no smart punctuation, no quotes around it. */
function plain(word: string): string {
  const bare = word
    .toWellFormed()
    .replace(/[\p{Cc}\p{Cf}]/gu, '')
    .replace(/[\u2018\u2019\u201a\u201b\u2032]/g, "'")
    .replace(/[\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb]/g, '"');
  return unquoted(bare);
}

const QUOTES: readonly (readonly [open: string, close: string])[] = [
  ['"', '"'],
  ["'", "'"],
  ['`', '`'],
  ['\u201c', '\u201d'],
  ['\u201e', '\u201c'],
  ['\u2018', '\u2019'],
  ['\u00ab', '\u00bb'],
];

/** Without one pair of quotes around the whole; `"a" and "b"` is not quoted as a whole. */
function unquoted(text: string): string {
  if (text.length < 2) return text;
  const inner = text.slice(1, -1);
  for (const [open, close] of QUOTES)
    if (text.startsWith(open) && text.endsWith(close) && !inner.includes(open) && !inner.includes(close)) return inner;
  return text;
}

function shortened(text: string): string {
  if (text.length <= ASKED_MAX) return text;
  return `${[...text.slice(0, ASKED_MAX * 2)].slice(0, ASKED_MAX - 1).join('')}…`;
}

function codePoints(text: string): number {
  let count = 0;
  for (const _ of text) count++;
  return count;
}
