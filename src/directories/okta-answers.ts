/**
 * Reading Okta's answers, apart from asking: every function takes an answer and gives what it says, or throws the
 * `DirectoryError` it stands for.
 */
import { z } from 'zod';
import type { DirectoryUser, Instant } from '../access/model.ts';
import type { DirectoryError } from '../access/ports.ts';
import { type Answer, type Asked, jsonOf, malformed, refusal, refusedHere, type Said } from './http.ts';

/** Okta's ids are 20 letters and digits; none can leave its place in a path. */
export const ID_PATTERN = /^[A-Za-z0-9_-]{1,64}$/;

/** Okta's error codes for something that does not exist. */
const NOT_FOUND = new Set(['E0000007', 'E0000008']);

const errorSchema = z.object({ errorCode: z.string(), errorSummary: z.string().catch('') });
const idSchema = z.string().regex(ID_PATTERN);
const textSchema = z.string().nullish();

const userSchema = z.object({
  id: idSchema,
  status: z.string(),
  profile: z.object({
    login: z.string(),
    email: textSchema,
    displayName: textSchema,
    firstName: textSchema,
    lastName: textSchema,
  }),
});

const groupSchema = z.object({ id: idSchema, type: z.string(), profile: z.object({ name: z.string() }) });

const ruleSchema = z.object({
  id: z.string(),
  name: z.string(),
  status: z.string(),
  actions: z.object({ assignUserToGroups: z.object({ groupIds: z.array(z.string()) }).nullish() }).nullish(),
});

export interface OktaGroup {
  readonly id: string;
  readonly name: string;
  readonly type: string;
}

export interface OktaRule {
  readonly name: string;
  readonly active: boolean;
  readonly groupIds: readonly string[];
}

export interface Page<T> {
  readonly items: readonly T[];
  /** Absent on the last page. */
  readonly next?: URL;
}

/** `undefined`: Okta says that there is none. */
export function processUser(asked: Asked, answer: Answer, now: Instant): DirectoryUser | undefined {
  return processOne(asked, answer, now, userSchema, (user) => userOf(asked, user));
}

/** `undefined`: Okta says that there is none. */
export function processGroup(asked: Asked, answer: Answer, now: Instant): OktaGroup | undefined {
  return processOne(asked, answer, now, groupSchema, groupOf);
}

/** A 404 throws `not_found` without `missing`: the caller knows what its address names. */
export function processUsers(asked: Asked, answer: Answer, now: Instant, from: URL): Page<DirectoryUser> {
  return processPage(asked, answer, now, from, userSchema, (user) => userOf(asked, user));
}

export function processGroups(asked: Asked, answer: Answer, now: Instant, from: URL): Page<OktaGroup> {
  return processPage(asked, answer, now, from, groupSchema, groupOf);
}

export function processRules(asked: Asked, answer: Answer, now: Instant, from: URL): Page<OktaRule> {
  return processPage(asked, answer, now, from, ruleSchema, (rule) => ({
    name: rule.name,
    // INVALID rules feed nobody in; only what is not ACTIVE by Okta's own word counts as asleep.
    active: rule.status === 'ACTIVE',
    groupIds: rule.actions?.assignUserToGroups?.groupIds ?? [],
  }));
}

/** Returns when Okta accepted the change. `not_found` comes without `missing`: Okta's words do not name it reliably. */
export function processChange(asked: Asked, answer: Answer, now: Instant): void {
  // Exactly 204: a 200 would be some gateway's page, and then nobody knows what became of the call.
  if (answer.status === 204) return;
  if (answer.status >= 200 && answer.status < 300) throw malformed(asked, `status ${answer.status} instead of 204`);
  throw refused(asked, answer, now);
}

/**
 * Who may be given access: people who can sign in, or can as soon as they have chosen a new password. Not LOCKED_OUT:
 * someone is guessing that account's password, and access can wait until it is unlocked. Not STAGED and PROVISIONED:
 * nobody has ever signed in. Unknown statuses are inactive.
 */
export function isActive(status: string): boolean {
  return status === 'ACTIVE' || status === 'PASSWORD_EXPIRED' || status === 'RECOVERY';
}

/**
 * The next page from `Link` headers; Okta sends one header per relation, which `Headers` joins with commas. Followed
 * only to the address it came from with another query: anything else would carry the credential elsewhere.
 */
export function nextPage(asked: Asked, headers: Headers, from: URL): URL | undefined {
  for (const [, target, parameters] of (headers.get('link') ?? '').matchAll(/<([^<>]*)>((?:\s*;[^,<]*)*)/g)) {
    if (target === undefined || !/;\s*rel\s*=\s*"?next"?\s*(;|$)/i.test(parameters ?? '')) continue;
    if (!URL.canParse(target, from.href)) throw malformed(asked, 'the address of the next page');
    const next = new URL(target, from.href);
    if (next.origin !== from.origin || next.pathname !== from.pathname || next.username !== '' || next.password !== '')
      throw refusedHere(asked, 'the next page is at another address');
    return next;
  }
  return undefined;
}

export function refused(asked: Asked, answer: Answer, now: Instant): DirectoryError {
  return refusal(asked, answer, saidBy(answer), now);
}

function saidBy(answer: Answer): Said | undefined {
  const parsed = errorSchema.safeParse(jsonOf(answer));
  if (!parsed.success) return undefined;
  const { errorCode, errorSummary } = parsed.data;
  return { code: errorCode, summary: errorSummary, notFound: NOT_FOUND.has(errorCode) };
}

function processOne<S extends z.ZodType, T>(
  asked: Asked,
  answer: Answer,
  now: Instant,
  schema: S,
  map: (value: z.output<S>) => T,
): T | undefined {
  if (answer.status === 404 && saidBy(answer)?.notFound === true) return undefined;
  if (answer.status !== 200) throw refused(asked, answer, now);
  return map(parsed(asked, answer, schema));
}

export function processPage<S extends z.ZodType, T>(
  asked: Asked,
  answer: Answer,
  now: Instant,
  from: URL,
  schema: S,
  map: (value: z.output<S>) => T,
): Page<T> {
  if (answer.status !== 200) throw refused(asked, answer, now);
  const items = parsed(asked, answer, z.array(schema)).map((value) => map(value));
  const next = nextPage(asked, answer.headers, from);
  return next === undefined ? { items } : { items, next };
}

function parsed<S extends z.ZodType>(asked: Asked, answer: Answer, schema: S): z.output<S> {
  const result = schema.safeParse(jsonOf(answer));
  if (result.success) return result.data;
  const path = result.error.issues[0]?.path.join('.') ?? '';
  throw malformed(asked, path === '' ? 'not what the API describes' : `at ${path}`);
}

function userOf(asked: Asked, user: z.output<typeof userSchema>): DirectoryUser {
  const { login, email, displayName, firstName, lastName } = user.profile;
  const fullName = [firstName, lastName].filter((part) => part != null && part !== '').join(' ');
  return {
    directory: asked.directory,
    id: user.id,
    login,
    email: email ?? '',
    name: displayName || fullName || login,
    active: isActive(user.status),
  };
}

function groupOf(group: z.output<typeof groupSchema>): OktaGroup {
  return { id: group.id, name: group.profile.name, type: group.type };
}
