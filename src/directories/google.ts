/** Google as a place where membership lives: the Directory API, through Google's own client. */
import type { DirectoryUser } from '../access/model.ts';
import { type CallLane, type Clock, type Directory, DirectoryError, type Metrics } from '../access/ports.ts';
import { createBreaker } from './breaker.ts';
import {
  type GoogleMember,
  ID_PATTERN,
  isMissing,
  type Missing,
  processDelete,
  processGroup,
  processInsert,
  processMember,
  processMembers,
  processUser,
} from './google-answers.ts';
import { createAsk } from './google-ask.ts';
import { googleCredential } from './google-auth.ts';
import { createNativeExpiry, EXPIRY_SCOPE } from './google-expiry.ts';
import { type Admin, library } from './google-library.ts';
import { createReports, REPORTS_SCOPE } from './google-reports.ts';
import { type GoogleSection, serviceAccountKey } from './google-section.ts';
import { createCaller, type Deadline, deadlineIn, malformed, refusedHere } from './http.ts';
import { Limiter, roomOf, type Urgency } from './limiter.ts';
import { durationMs } from './section.ts';

const CALL_DEADLINE_MS = 8_000;
/** Google's reads are eventually consistent and it does not say how soon; providers that poll see it within seconds. */
const LAG = '10s';
const PAGE_SIZE = 200;
/** 100,000 members. A listing that goes on beyond that is a loop of ours or of theirs. */
const PAGES_MAX = 500;
/** How long a person who could be read counts as known. */
const USER_SEEN_MS = 60_000;
const USERS_SEEN_MAX = 10_000;
/** What Google allows a user and project by default. It sends no headers that would tell. */
const PER_MINUTE = 2_400;
const MINUTE_MS = 60_000;
const EMAIL_MAX = 320;

const SCOPE = 'https://www.googleapis.com/auth/admin.directory';
const SCOPES = [`${SCOPE}.group.member`, `${SCOPE}.group.readonly`, `${SCOPE}.user.readonly`];

export interface GoogleParts {
  readonly name: string;
  readonly section: GoogleSection;
  /** Content of `auth.keyFile`; whoever reads the configuration reads the file. */
  readonly keyText?: string;
  readonly clock: Clock;
  readonly metrics: Metrics;
  /** Uniform in [0, 1). */
  readonly jitter: () => number;
  readonly fetch?: typeof fetch;
  /** Every method ends within this, with all its pages, waiting and second tries; 8 s by default. */
  readonly callDeadlineMs?: number;
  /** Calls in a minute; 2,400 by default. */
  readonly perMinute?: number;
}

/**
 * The contract is `Directory`. What is Google's own: groups are named by their address; an addition goes by the
 * person's address and is checked by id; owners and managers of a group are members that are never removed, so a
 * removal looks at the role first. Throws an ordinary `Error` when the credential itself is unusable.
 */
export function createGoogle(parts: GoogleParts): Directory {
  const { name, section, clock } = parts;
  const callDeadlineMs = parts.callDeadlineMs ?? CALL_DEADLINE_MS;
  const limiter = new Limiter({ directory: name, clock });
  const breaker = createBreaker(clock);
  const lentRoot = section.rootUrl === undefined ? {} : { rootUrl: section.rootUrl };
  const lentFetch = parts.fetch === undefined ? {} : { fetch: parts.fetch };
  const caller = { directory: name, clock, metrics: parts.metrics, jitter: parts.jitter, limiter, ...lentFetch };
  const call = createCaller({ ...caller, breaker });
  const signIn = { directory: name, ...signInOf(), clock, metrics: parts.metrics, callDeadlineMs, ...lentRoot };
  const credential = googleCredential({ ...signIn, scopes: SCOPES, ...lentFetch });
  /** By user id, when last read without complaint; on the monotonic clock. */
  const usersSeen = new Map<string, number>();
  const minute = { number: 0, endsAt: Number.NEGATIVE_INFINITY };
  function signInOf() {
    if (section.auth === 'adc') return {};
    const key = serviceAccountKey(section.auth.key ?? parts.keyText ?? '');
    if ('wrong' in key) throw new Error(`${name}: ${key.wrong}`);
    return { key, ...(section.auth.subject === undefined ? {} : { subject: section.auth.subject }) };
  }

  // Google sends no budget in headers, so the documented one is counted here; as with one that is learnt, a part of it
  // is left for removals.
  function openMinute(): void {
    if (clock.monotonic() < minute.endsAt) return;
    minute.number += 1;
    minute.endsAt = clock.monotonic() + MINUTE_MS;
    const limit = parts.perMinute ?? PER_MINUTE;
    limiter.learn(BUCKET, 200, { limit, remaining: limit, reset: minute.number, resetInMs: MINUTE_MS });
  }

  const ask = createAsk<Admin>({
    directory: name,
    open: () => library().then(({ admin }) => admin({ version: 'directory_v1' })),
    call,
    credential,
    bucket: BUCKET,
    before: openMinute,
    ...lentRoot,
  });

  function mustBeIds(operation: string, ...ids: readonly string[]): void {
    if (!ids.every((id) => ID_PATTERN.test(id))) throw refusedHere({ directory: name, operation }, 'not an id');
  }

  function gone(what: 'group' | 'user', operation: string): DirectoryError {
    const message = `${name}: ${operation.replaceAll('_', ' ')}: the ${what} does not exist`;
    return new DirectoryError(name, 'not_found', message, { missing: what });
  }

  function failed(code: 'rejected' | 'unavailable', operation: string, words: string, effect?: 'unknown') {
    const message = `${name}: ${operation.replaceAll('_', ' ')}: ${words}`;
    return new DirectoryError(name, code, message, effect === undefined ? {} : { effect });
  }

  const reports = createReports({
    directory: name,
    clock,
    // As with the expiry: that reports cannot be read says nothing of memberships.
    call: createCaller(caller),
    credential: googleCredential({ ...signIn, scopes: [REPORTS_SCOPE], ...lentFetch }),
    ...lentRoot,
  });
  const expiry =
    section.nativeExpiry === true
      ? createNativeExpiry({
          directory: name,
          clock,
          // What it cannot do is no reason to stop additions, so that it tells the breaker nothing.
          call: createCaller(caller),
          credential: googleCredential({ ...signIn, scopes: [EXPIRY_SCOPE], ...lentFetch }),
          ...lentRoot,
          addressOf: async (userId, deadline) => {
            const user = await readUser(userId, 'read_user', deadline);
            if (user?.id !== userId) throw gone('user', 'set_expiry');
            return user.login;
          },
          groupAddressOf: async (groupId, deadline) => {
            const group = await readGroup(groupId, 'read_group', deadline);
            if (group?.id !== groupId) throw gone('group', 'check_edition');
            return group.email;
          },
        })
      : undefined;

  async function readUser(userKey: string, operation: string, deadline: Deadline, urgency?: Urgency) {
    const user = await ask(
      {
        operation,
        urgency,
        write: (api, lent) => api.users.get({ userKey, projection: 'basic' }, lent),
        read: (asked, answer) => processUser(asked, answer, clock.now()),
      },
      deadline,
    );
    return isMissing(user) ? undefined : user;
  }

  async function readGroup(groupKey: string, operation: string, deadline: Deadline, urgency?: Urgency) {
    const group = await ask(
      {
        operation,
        urgency,
        write: (api, lent) => api.groups.get({ groupKey }, lent),
        read: (asked, answer) => processGroup(asked, answer, clock.now()),
      },
      deadline,
    );
    return isMissing(group) ? undefined : group;
  }

  /** `undefined`: Google names the member as what is missing. */
  async function readMember(
    groupId: string,
    userId: string,
    operation: string,
    deadline: Deadline,
    urgency?: Urgency,
  ): Promise<GoogleMember | undefined> {
    const member = await ask(
      {
        operation,
        urgency,
        write: (api, lent) => api.members.get({ groupKey: groupId, memberKey: userId }, lent),
        read: (asked, answer) => processMember(asked, answer, clock.now()),
      },
      deadline,
    );
    if (!isMissing(member)) return member.id === userId ? member : undefined;
    await mustBeMember(member, groupId, operation, deadline, urgency);
    return undefined;
  }

  /** Throws unless what is missing is the member: only that is an absence. */
  async function mustBeMember(
    { missing }: Missing,
    groupId: string,
    operation: string,
    deadline: Deadline,
    urgency?: Urgency,
  ): Promise<void> {
    if (missing === 'member') return;
    if (missing === 'user') throw gone('user', operation);
    const group = missing === 'unsaid' ? await readGroup(groupId, 'read_group', deadline, urgency) : undefined;
    if (group?.id !== groupId) throw gone('group', operation);
  }

  /** Google's 404 for a member does not tell a stranger from somebody who no longer exists. */
  async function mustExist(userId: string, operation: string, deadline: Deadline, urgency?: Urgency): Promise<void> {
    const seenAt = usersSeen.get(userId);
    if (seenAt !== undefined && clock.monotonic() - seenAt < USER_SEEN_MS) return;
    usersSeen.delete(userId);
    if ((await readUser(userId, 'read_user', deadline, urgency))?.id !== userId) throw gone('user', operation);
    if (usersSeen.size >= USERS_SEEN_MAX) usersSeen.clear();
    usersSeen.set(userId, clock.monotonic());
  }

  async function sendRemoval(groupId: string, memberId: string, deadline: Deadline) {
    return await ask(
      {
        operation: 'remove_member',
        method: 'DELETE',
        urgency: 'removal',
        write: (api, lent) => api.members.delete({ groupKey: groupId, memberKey: memberId }, lent),
        read: (asked, answer) => processDelete(asked, answer, clock.now()),
      },
      deadline,
    );
  }

  /** The address went to somebody else between the look and the addition: that person is taken out again at once. */
  async function undo(groupId: string, stranger: string, deadline: Deadline): Promise<DirectoryError> {
    const done = await sendRemoval(groupId, stranger, deadline).catch(() => undefined);
    return done === 'removed'
      ? failed('unavailable', 'add_member', 'the address has just passed to another person, who was taken out again')
      : failed(
          'rejected',
          'add_member',
          `the address has just passed to user ${stranger}, who must be taken out by hand`,
        );
  }

  const view = (lane: CallLane): Directory => ({
    name,
    lagMs: durationMs(section.lag ?? LAG),
    callDeadlineMs,

    async findGroup(nameOrId) {
      const operation = 'find_group';
      const address = isAddress(nameOrId);
      if (!address && !ID_PATTERN.test(nameOrId)) {
        throw refusedHere({ directory: name, operation }, 'a Google group is named by its address or its id');
      }
      const group = await readGroup(nameOrId, operation, deadlineIn(callDeadlineMs, lane));
      if (group === undefined) return undefined;
      if (address ? group.email.toLowerCase() === nameOrId.toLowerCase() : group.id === nameOrId) {
        return { id: group.id, name: group.email };
      }
      // An alias can be given to another group; whoever writes the file should see which one is meant.
      throw failed('rejected', operation, `this is another name of ${group.email}; write that`);
    },

    async findUser(login) {
      const operation = 'find_user';
      if (login === '' || login.length > EMAIL_MAX || !login.isWellFormed() || /[\p{Cc}/\\]|^\.+$/u.test(login)) {
        throw refusedHere({ directory: name, operation }, 'not a login');
      }
      // Google also answers to ids; an id must not become a login.
      if (!isAddress(login)) return undefined;
      const user = await readUser(login, operation, deadlineIn(callDeadlineMs, lane));
      const wanted = login.toLowerCase();
      const own = user !== undefined && [user.login, ...user.aliases].some((one) => one.toLowerCase() === wanted);
      return own ? personOf(user) : undefined;
    },

    async getUser(id) {
      mustBeIds('read_user', id);
      const user = await readUser(id, 'read_user', deadlineIn(callDeadlineMs, lane));
      return user?.id === id ? personOf(user) : undefined;
    },

    async isMember(groupId, userId) {
      const operation = 'check_member';
      mustBeIds(operation, groupId, userId);
      const deadline = deadlineIn(callDeadlineMs, lane);
      // The direct membership, which is the only kind that an addition makes and a removal ends. `hasMember` counts
      // nested ones too, and would never prove a removal from a group that somebody is in twice.
      if ((await readMember(groupId, userId, operation, deadline)) !== undefined) return true;
      await mustExist(userId, operation, deadline);
      return false;
    },

    async add(groupId, userId) {
      const operation = 'add_member';
      mustBeIds(operation, groupId, userId);
      const deadline = deadlineIn(callDeadlineMs, lane);
      const user = await readUser(userId, 'read_user', deadline);
      if (user?.id !== userId) throw gone('user', operation);
      const outcome = await ask(
        {
          operation,
          method: 'POST',
          write: (api, lent) =>
            api.members.insert({ groupKey: groupId, requestBody: { email: user.login, role: 'MEMBER' } }, lent),
          read: (asked, answer) => processInsert(asked, answer, clock.now()),
        },
        deadline,
      );
      if (outcome === 'exists') {
        if ((await readMember(groupId, userId, operation, deadline)) !== undefined) return 'already_member';
        const words = 'Google says that this is a member and does not show it; perhaps an invitation is pending';
        throw failed('unavailable', operation, words);
      }
      if (!isMissing(outcome)) {
        if (outcome.id === userId) return 'added';
        throw await undo(groupId, outcome.id, deadline);
      }
      await mustBeMember(outcome, groupId, operation, deadline, 'ordinary');
      // Neither is missing after all: a group or person so new that not all of Google knows it.
      throw failed('unavailable', operation, 'Google does not find what it shows elsewhere');
    },

    async remove(groupId, userId) {
      const operation = 'remove_member';
      mustBeIds(operation, groupId, userId);
      const deadline = deadlineIn(callDeadlineMs, lane);
      const member = await readMember(groupId, userId, 'check_role', deadline, 'removal');
      // Somebody made them responsible for the group since: that is no longer the membership that was granted.
      if (member !== undefined && member.role !== 'MEMBER') {
        const words = `they are ${member.role} of the group now, which Hallpass never removes; make them a MEMBER, or remove them by hand`;
        throw failed('rejected', operation, words);
      }
      // Sent even when the look showed nobody: it may be older than our own addition.
      const outcome = await sendRemoval(groupId, userId, deadline);
      if (outcome === 'removed') return 'removed';
      if (outcome === 'unclear') {
        if ((await readMember(groupId, userId, operation, deadline, 'removal')) === undefined) return 'was_not_member';
        throw failed('unavailable', operation, 'Google did not carry it out', 'unknown');
      }
      await mustBeMember(outcome, groupId, operation, deadline, 'removal');
      await mustExist(userId, operation, deadline, 'removal');
      return 'was_not_member';
    },

    async listMembers(groupId) {
      const operation = 'list_members';
      mustBeIds(operation, groupId);
      const deadline = deadlineIn(callDeadlineMs, lane);
      const asked = { directory: name, operation, write: false, secrets: [] };
      const members = new Map<string, DirectoryUser>();
      const visited = new Set<string>();
      for (let pageToken: string | undefined; ; ) {
        const from = pageToken;
        const page = await ask(
          {
            operation,
            write: (api, lent) =>
              api.members.list(
                { groupKey: groupId, maxResults: PAGE_SIZE, ...(from === undefined ? {} : { pageToken: from }) },
                lent,
              ),
            read: (by, answer) => processMembers(by, answer, clock.now()),
          },
          deadline,
        );
        if (isMissing(page)) throw gone('group', operation);
        for (const member of page.items) members.set(member.id, member);
        if (page.next === undefined) return [...members.values()];
        if (visited.has(page.next)) throw malformed(asked, 'its pages lead in a circle');
        if (visited.size + 1 >= PAGES_MAX) throw refusedHere(asked, `more than ${PAGES_MAX} pages`);
        visited.add(page.next);
        pageToken = page.next;
      }
    },

    ...(expiry === undefined
      ? {}
      : {
          async expireAt(groupId, userId, at) {
            mustBeIds('set_expiry', groupId, userId);
            return await expiry.expireAt(groupId, userId, at, deadlineIn(callDeadlineMs, lane));
          },
          async canExpire(groupId) {
            mustBeIds('check_edition', groupId);
            return await expiry.canExpire(groupId, deadlineIn(callDeadlineMs, lane));
          },
        }),
    activity: (source, of) => reports(source, of, lane),
    as: view,
    room: (of) => roomOf(limiter.room(BUCKET, of), of, breaker),
    failing: () => breaker.failing(),
    refusesUs: () => breaker.refused(),
  });
  return view('ordinary');
}

/** One for everything: Google counts all calls of a user and project together. */
const BUCKET = 'google';

function personOf({ aliases: _, ...user }: DirectoryUser & { readonly aliases: readonly string[] }): DirectoryUser {
  return user;
}

function isAddress(value: string): boolean {
  return value.length <= EMAIL_MAX && value.isWellFormed() && /^[^\s@/\\\p{Cc}]+@[^\s@/\\\p{Cc}]+$/u.test(value);
}
