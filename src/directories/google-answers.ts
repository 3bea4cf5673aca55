/**
 * Reading Google's answers, apart from asking. Google says what went wrong by *reason*, not by status: a 403 may be a
 * rate limit, a 404 may name the group or the member, and a 409 is sometimes good news.
 */
import { z } from 'zod';
import type { DirectoryUser, Instant } from '../access/model.ts';
import { DirectoryError } from '../access/ports.ts';
import { type Answer, type Asked, jsonOf, malformed, tell, title } from './http.ts';
import { retryAfterMs } from './rate-limit.ts';

/** Ids of users and groups: digits, or lower-case letters and digits. None can leave its place in a path. */
export const ID_PATTERN = /^[A-Za-z0-9]{1,64}$/;

/** What a failure means, whatever its status. */
type Kind = 'rate' | 'day' | 'transient' | 'overlap' | 'exists' | 'condition' | 'gone' | 'credential' | 'refused';

/**
 * By `error.errors[].reason` of the Directory API and `error.status` of the Cloud Identity API. What is not here is
 * judged by its status; a 4xx of an unknown reason is a refusal.
 */
const REASONS: Readonly<Record<string, Kind>> = {
  quotaExceeded: 'rate',
  rateLimitExceeded: 'rate',
  userRateLimitExceeded: 'rate',
  sharingRateLimitExceeded: 'rate',
  RESOURCE_EXHAUSTED: 'rate',
  dailyLimitExceeded: 'day',
  backendError: 'transient',
  badGateway: 'transient',
  gatewayTimeout: 'transient',
  internalError: 'transient',
  serviceNotAvailable: 'transient',
  transientError: 'transient',
  ABORTED: 'transient',
  DEADLINE_EXCEEDED: 'transient',
  INTERNAL: 'transient',
  UNAVAILABLE: 'transient',
  // Another change of the same group is under way, and this one may be carried out after it.
  conflict: 'overlap',
  duplicate: 'exists',
  ALREADY_EXISTS: 'exists',
  conditionNotMet: 'condition',
  FAILED_PRECONDITION: 'condition',
  notFound: 'gone',
  NOT_FOUND: 'gone',
  authError: 'credential',
  UNAUTHENTICATED: 'credential',
};

/** Nothing frees a daily limit before the day is over; asked again at the longest wait there is. */
const DAY_RETRY_MS = 90_000;

/** Says that something does not exist. `unsaid`: Google did not say what. */
export interface Missing {
  readonly missing: 'group' | 'member' | 'user' | 'unsaid';
}

export interface GoogleMember {
  readonly id: string;
  /** OWNER, MANAGER or MEMBER. */
  readonly role: string;
}

export interface GoogleGroup {
  readonly id: string;
  readonly email: string;
}

export interface GoogleUser extends DirectoryUser {
  readonly aliases: readonly string[];
}

const textSchema = z.string().nullish();
const idSchema = z.string().regex(ID_PATTERN);

const errorSchema = z.object({
  error: z.object({
    message: z.string().catch(''),
    status: z.string().optional().catch(undefined),
    errors: z
      .array(z.object({ reason: z.string(), message: z.string().catch('') }))
      .optional()
      .catch(undefined),
  }),
});

const memberSchema = z.object({
  id: idSchema,
  email: textSchema,
  role: z.string(),
  type: z.string(),
  status: textSchema,
});
const membersSchema = z.object({ members: z.array(memberSchema).nullish(), nextPageToken: textSchema });
const groupSchema = z.object({ id: idSchema, email: z.string().min(3) });
const userSchema = z.object({
  id: idSchema,
  primaryEmail: z.string().min(3),
  name: z.object({ fullName: textSchema }).nullish(),
  suspended: z.boolean().nullish(),
  archived: z.boolean().nullish(),
  aliases: z.array(z.string()).nullish(),
  nonEditableAliases: z.array(z.string()).nullish(),
});

/** A membership's name in the Cloud Identity API; nothing else goes into a path that takes it as it is. */
const MEMBERSHIP_NAME = /^groups\/([A-Za-z0-9]{1,64})\/memberships\/[A-Za-z0-9]{1,64}$/;
const nameSchema = z.object({ name: z.string().regex(MEMBERSHIP_NAME) });
const rolesSchema = z.object({
  membership: z.object({
    roles: z.array(z.object({ name: z.string(), expiryDetail: z.object({ expireTime: textSchema }).nullish() })),
  }),
});
const transitiveSchema = z.object({ hasMembership: z.boolean().nullish() });

/** As Google words it where the edition has no expiry. */
const NO_SUCH_EDITION = /\b300[56]\b/;

export function isMissing(value: unknown): value is Missing {
  return typeof value === 'object' && value !== null && 'missing' in value;
}

export function processUser(asked: Asked, answer: Answer, now: Instant): GoogleUser | Missing {
  return processOne(asked, answer, now, userSchema, (user) => ({
    directory: asked.directory,
    id: user.id,
    login: user.primaryEmail,
    email: user.primaryEmail,
    name: user.name?.fullName || user.primaryEmail,
    active: user.suspended !== true && user.archived !== true,
    aliases: [...(user.aliases ?? []), ...(user.nonEditableAliases ?? [])],
  }));
}

export function processGroup(asked: Asked, answer: Answer, now: Instant): GoogleGroup | Missing {
  return processOne(asked, answer, now, groupSchema, ({ id, email }) => ({ id, email }));
}

export function processMember(asked: Asked, answer: Answer, now: Instant): GoogleMember | Missing {
  return processOne(asked, answer, now, memberSchema, ({ id, role }) => ({ id, role }));
}

/**
 * One page of members. A group or the whole organisation can be a member too: listed by its own id, so that nobody
 * overlooks it, and inactive, so that nobody takes it for a person.
 */
export function processMembers(
  asked: Asked,
  answer: Answer,
  now: Instant,
): { readonly items: readonly DirectoryUser[]; readonly next?: string } | Missing {
  return processOne(asked, answer, now, membersSchema, ({ members, nextPageToken }) => ({
    items: (members ?? []).map((member) => memberOf(asked, member)),
    ...(nextPageToken ? { next: nextPageToken } : {}),
  }));
}

/**
 * `exists`: Google says that there is such a membership, or will be; whether that is a direct one is for a read to say.
 */
export function processInsert(asked: Asked, answer: Answer, now: Instant): GoogleMember | Missing | 'exists' {
  const said = saidBy(answer);
  const kind = kindOf(answer.status, said);
  if (kind === 'exists') return 'exists';
  // Also what Google answers to a group that would contain itself; that one is a refusal.
  if (kind === 'condition' && said?.message.includes('Cyclic memberships') !== true) return 'exists';
  return processMember(asked, answer, now);
}

/** `unclear`: a precondition failed, which can mean that there is no such member; a read has to say. */
export function processDelete(asked: Asked, answer: Answer, now: Instant): 'removed' | 'unclear' | Missing {
  const { status, body } = answer;
  if (status === 204 || (status === 200 && isEmpty(body))) return 'removed';
  // Some gateway's page, and then nobody knows what became of the call.
  if (status >= 200 && status < 300) throw malformed(asked, `status ${status} with a body`);
  const said = saidBy(answer);
  const kind = kindOf(status, said);
  if (kind === 'condition') return 'unclear';
  if (kind === 'gone') return { missing: missingBy(said?.message ?? '') };
  throw failure(asked, answer, now);
}

/** The name of a membership in this group, and in no other. */
export function processMembershipName(asked: Asked, answer: Answer, groupId: string, now: Instant): string | Missing {
  const name = processOne(asked, answer, now, nameSchema, (found) => found.name);
  if (typeof name !== 'string' || MEMBERSHIP_NAME.exec(name)?.[1] === groupId) return name;
  throw malformed(asked, 'the membership of another group');
}

/** `set` only when Google shows the MEMBER role with the very time that was sent, or with none. */
export function processExpiry(
  asked: Asked,
  answer: Answer,
  expireTime: string | null,
  now: Instant,
): 'set' | 'unavailable' | Missing {
  if (lacksEdition(answer)) return 'unavailable';
  const shown = processOne(asked, answer, now, rolesSchema, ({ membership }) =>
    membership.roles.find(({ name }) => name === 'MEMBER'),
  );
  if (shown !== undefined && isMissing(shown)) return shown;
  if (shown === undefined) throw malformed(asked, 'no MEMBER role');
  const at = shown.expiryDetail?.expireTime ?? null;
  const same = at === null || expireTime === null ? at === expireTime : Date.parse(at) === Date.parse(expireTime);
  if (!same) throw malformed(asked, 'it shows another end than the one that was sent');
  return 'set';
}

/** A 403 stands for an edition without it, or for a permission that is missing: Google does not say which. */
export function processCanExpire(asked: Asked, answer: Answer, now: Instant): boolean | Missing {
  if (lacksEdition(answer)) return false;
  return processOne(asked, answer, now, transitiveSchema, () => true);
}

function lacksEdition(answer: Answer): boolean {
  return answer.status === 403 && NO_SUCH_EDITION.test(saidBy(answer)?.message ?? '');
}

/** The error that an answer other than the awaited one stands for. `now` serves only when the answer has no `Date`. */
export function failure(asked: Asked, answer: Answer, now: Instant): DirectoryError {
  const { status } = answer;
  const said = saidBy(answer);
  const words = said === undefined ? '' : ` ${tell(asked, `${said.reason}: ${said.message}`)}`;
  const fail = (code: DirectoryError['code'], more?: { retryAfterMs?: number; effect?: 'none' | 'unknown' }) =>
    new DirectoryError(asked.directory, code, `${title(asked)} failed: ${status}${words}`, more);
  const maybe = { effect: asked.write ? 'unknown' : 'none' } as const;
  switch (kindOf(status, said)) {
    case 'rate':
      return fail('rate_limited', { retryAfterMs: retryAfterMs(answer.headers, now) });
    case 'day':
      return fail('rate_limited', { retryAfterMs: DAY_RETRY_MS });
    case 'credential':
      return fail('unauthorized');
    case 'gone':
      return fail('not_found');
    case 'refused':
      return fail('rejected');
    default:
      return fail('unavailable', maybe);
  }
}

interface GoogleSaid {
  readonly reason: string;
  readonly message: string;
}

function saidBy(answer: Answer): GoogleSaid | undefined {
  const parsed = errorSchema.safeParse(jsonOf(answer));
  if (!parsed.success) return undefined;
  const { message, status, errors } = parsed.data.error;
  const first = errors?.[0];
  const reason = first?.reason ?? status;
  return reason === undefined ? undefined : { reason, message: message || first?.message || '' };
}

function kindOf(status: number, said: GoogleSaid | undefined): Kind {
  // Whatever the reason is called: nobody was let in, it is too much, or Google is at fault.
  if (status === 401) return 'credential';
  if (status === 429) return 'rate';
  if (status >= 500 || status === 408) {
    const named = said === undefined ? undefined : REASONS[said.reason];
    return named === 'rate' ? 'rate' : 'transient';
  }
  if (status < 400) return 'transient';
  if (said?.reason === 'invalid' && said.message.includes('system error has occurred')) return 'transient';
  const kind = said === undefined || !Object.hasOwn(REASONS, said.reason) ? undefined : REASONS[said.reason];
  // A 404 without Google's reason is some gateway's: it says nothing of groups, users or members.
  return kind ?? (status === 404 ? 'transient' : 'refused');
}

function missingBy(message: string): Missing['missing'] {
  const [, key] = /\b(group|member|user)Key\b/.exec(message) ?? [];
  return key === 'group' || key === 'member' || key === 'user' ? key : 'unsaid';
}

function processOne<S extends z.ZodType, T>(
  asked: Asked,
  answer: Answer,
  now: Instant,
  schema: S,
  map: (value: z.output<S>) => T,
): T | Missing {
  if (answer.status === 200) {
    const result = schema.safeParse(jsonOf(answer));
    if (result.success) return map(result.data);
    const path = result.error.issues[0]?.path.join('.') ?? '';
    throw malformed(asked, path === '' ? 'not what the API describes' : `at ${path}`);
  }
  const said = saidBy(answer);
  if (kindOf(answer.status, said) === 'gone') return { missing: missingBy(said?.message ?? '') };
  throw failure(asked, answer, now);
}

function memberOf(asked: Asked, member: z.output<typeof memberSchema>): DirectoryUser {
  const { id, email, type, status } = member;
  const address = email ?? '';
  const name =
    type === 'GROUP' ? `everyone in ${address || id}` : type === 'CUSTOMER' ? 'everyone in the organisation' : address;
  return {
    directory: asked.directory,
    id,
    login: address || name || id,
    email: address,
    name: name || id,
    active: type === 'USER' && status === 'ACTIVE',
  };
}

function isEmpty(body: string): boolean {
  return body.trim() === '' || /^\s*\{\s*\}\s*$/.test(body);
}
