/** Okta as a place where membership lives: Groups and Users API v1 over fetch, no SDK. */
import type { ActivityPage } from '../access/activity.ts';
import type { DirectoryUser, Instant } from '../access/model.ts';
import {
  type CallLane,
  type Clock,
  type Directory,
  DirectoryError,
  type DirectoryGroup,
  type LoggedAddition,
  type Metrics,
} from '../access/ports.ts';
import { createBreaker } from './breaker.ts';
import { type Answer, type Asked, createCaller, type Deadline, deadlineIn, malformed, refusedHere } from './http.ts';
import { Limiter, roomOf, type Urgency } from './limiter.ts';
import { activityQuery, processActivity } from './okta-activity.ts';
import {
  type OktaGroup,
  type Page,
  processChange,
  processGroup,
  processGroups,
  processRules,
  processUser,
  processUsers,
} from './okta-answers.ts';
import { apiToken, serviceApp } from './okta-auth.ts';
import { createGroupsOf } from './okta-groups-of.ts';
import { additionsQuery, type Ourselves, processAdditions } from './okta-log.ts';
import { apiUrl, isPlainName, loginUrl } from './okta-paths.ts';
import type { OktaSection } from './okta-section.ts';
import { durationMs } from './section.ts';

export { type OktaSection, oktaSection } from './okta-section.ts';

const CALL_DEADLINE_MS = 8_000;
/** Okta takes up to half a minute for a page of its log. */
const LOG_DEADLINE_MS = 35_000;
/** The log is written within seconds; asking oftener costs calls that others need more. */
const LOG_EVERY_MS = 60_000;
/** Okta does not say how soon a read shows a write; two seconds covers what its own console shows. */
const LAG = '2s';
/** What Okta recommends; larger pages are slower and, for groups, less accurate. */
const PAGE_SIZE = 200;
const RULES_PAGE_SIZE = 50;
/** 100,000 members. A listing that goes on beyond that is a loop of ours or of theirs. */
const PAGES_MAX = 500;
/** How long a group that could be read counts as readable. */
const GROUP_SEEN_MS = 60_000;
const GROUPS_SEEN_MAX = 1_000;
/** The form Okta gives its own group ids. */
const GROUP_ID_PATTERN = /^00g[A-Za-z0-9]{17}$/;

export interface OktaParts {
  readonly name: string;
  readonly section: OktaSection;
  /** Content of `auth.keyFile`; whoever reads the configuration reads the file. */
  readonly keyText?: string;
  readonly clock: Clock;
  readonly metrics: Metrics;
  /** Uniform in [0, 1). */
  readonly jitter: () => number;
  readonly fetch?: typeof fetch;
  /** Every method ends within this, with all its pages, waiting and second tries; 8 s by default. */
  readonly callDeadlineMs?: number;
}

/**
 * The contract is `Directory`. What is Okta's own: it does not say whether an accepted addition was new, so `add` never
 * returns `already_member`; and it empties the groups of a deactivated account, so an absence there is a true one.
 * Throws an ordinary `Error` when the credential itself is unusable.
 */
export function createOkta(parts: OktaParts): Directory {
  const { name, section, clock } = parts;
  const base = new URL(section.url);
  const callDeadlineMs = parts.callDeadlineMs ?? CALL_DEADLINE_MS;
  const limiter = new Limiter({ directory: name, clock });
  const breaker = createBreaker(clock);
  const caller = {
    directory: name,
    clock,
    metrics: parts.metrics,
    jitter: parts.jitter,
    limiter,
    ...(parts.fetch === undefined ? {} : { fetch: parts.fetch }),
  };
  const call = createCaller({ ...caller, breaker });
  /** That the log cannot be read says nothing of memberships, and is no reason to stop additions. */
  const callLog = createCaller(caller);
  const credential = credentialOf();
  /** By group id, when it was last read without complaint; on the monotonic clock. */
  const groupsSeen = new Map<string, number>();
  const groupsOf = createGroupsOf(() => clock.monotonic());

  /** For signing out: apart, so that a scope which was not granted fails this and nothing else. */
  const signOutCredential = section.clearSessionsOnRevoke === true ? credentialOf(['okta.users.manage']) : undefined;

  function credentialOf(scopes?: readonly string[]) {
    const auth = section.auth;
    if ('token' in auth) return apiToken(auth.token);
    const keyPem = auth.key ?? parts.keyText;
    if (keyPem === undefined) throw new Error(`${name}: the private key of the service app was not handed in`);
    return serviceApp({
      directory: name,
      url: base,
      clientId: auth.clientId,
      keyPem,
      ...(auth.keyId === undefined ? {} : { keyId: auth.keyId }),
      scopes: scopes ?? auth.scopes ?? ['okta.groups.manage', 'okta.users.read'],
      clock,
      call,
      callDeadlineMs,
    });
  }

  interface Question<T> {
    readonly operation: string;
    readonly method?: 'GET' | 'PUT' | 'DELETE';
    readonly url: URL;
    readonly bucket: string;
    readonly urgency?: Urgency | undefined;
    readonly read: (asked: Asked, answer: Answer) => T;
    readonly by?: typeof call;
  }

  async function ask<T>(question: Question<T>, deadline: Deadline, signer = credential): Promise<T> {
    for (let renewed = false; ; renewed = true) {
      const method = question.method ?? 'GET';
      const signed = await signer.sign({ method, url: question.url }, deadline);
      const { authorization } = signed;
      const asked: Asked = {
        directory: name,
        operation: question.operation,
        write: method !== 'GET',
        secrets: [authorization.slice(authorization.indexOf(' ') + 1), signed.dpop ?? ''],
      };
      try {
        return await (question.by ?? call)(
          {
            ...asked,
            method,
            url: question.url,
            headers: { ...signed },
            bucket: question.bucket,
            urgency: question.urgency ?? deadline.lane,
            read: (answer) => question.read(asked, answer),
          },
          deadline,
        );
      } catch (error) {
        // A 401 means that nothing happened, so that even a write may be sent again with a fresh token.
        const unauthorized = error instanceof DirectoryError && error.code === 'unauthorized';
        if (!unauthorized || renewed || !signer.refused(authorization)) throw error;
      }
    }
  }

  async function* pages<T>(
    question: Omit<Question<unknown>, 'read'> & {
      readonly read: (asked: Asked, answer: Answer, from: URL) => Page<T>;
    },
    deadline: Deadline | (() => Deadline),
  ): AsyncGenerator<{ readonly items: readonly T[]; readonly last: boolean }> {
    const asked = { directory: name, operation: question.operation, write: false, secrets: [] };
    const visited = new Set<string>();
    let url: URL | undefined = question.url;
    while (url !== undefined) {
      const from: URL = url;
      if (visited.has(from.href)) throw malformed(asked, 'its pages lead in a circle');
      if (visited.size >= PAGES_MAX) throw refusedHere(asked, `more than ${PAGES_MAX} pages`);
      visited.add(from.href);
      const page: Page<T> = await ask(
        { ...question, url: from, read: (by, answer) => question.read(by, answer, from) },
        typeof deadline === 'function' ? deadline() : deadline,
      );
      url = page.next;
      yield { items: page.items, last: url === undefined };
    }
  }

  const path = (operation: string, segments: readonly string[], query?: Record<string, string>) =>
    apiUrl({ directory: name, operation }, base, segments, query);

  async function readUser(id: string, deadline: Deadline, urgency?: Urgency) {
    const user = await ask(
      {
        operation: 'read_user',
        url: path('read_user', ['users', id]),
        bucket: 'user',
        urgency,
        read: (asked, answer) => processUser(asked, answer, clock.now()),
      },
      deadline,
    );
    // The same address takes logins and short names; only the immutable id is the person who was pinned.
    return user?.id === id ? user : undefined;
  }

  async function readGroup(id: string, deadline: Deadline, urgency?: Urgency) {
    const group = await ask(
      {
        operation: 'read_group',
        url: path('read_group', ['groups', id]),
        bucket: 'group',
        urgency,
        read: (asked, answer) => processGroup(asked, answer, clock.now()),
      },
      deadline,
    );
    return group?.id === id ? group : undefined;
  }

  // `q` and not `search`: `search` reads a replica that may not know a new name yet. Okta matches beginnings, exact
  // names first, so the exact comparison is ours.
  async function groupsNamed(groupName: string, deadline: Deadline): Promise<OktaGroup[]> {
    const found = new Map<string, OktaGroup>();
    const listing = pages(
      {
        operation: 'find_group',
        url: path('find_group', ['groups'], { q: groupName, limit: String(PAGE_SIZE) }),
        bucket: 'groups',
        read: (asked, answer, from) => processGroups(asked, answer, clock.now(), from),
      },
      deadline,
    );
    for await (const { items } of listing) {
      for (const group of items) if (group.name === groupName) found.set(group.id, group);
    }
    return [...found.values()];
  }

  /** A rule puts people back in whom we remove, and our removal would put them on its exclusion list for good. */
  async function ruleFeeding(groupId: string, deadline: Deadline): Promise<string | undefined> {
    const listing = pages(
      {
        operation: 'list_rules',
        url: path('list_rules', ['groups', 'rules'], { limit: String(RULES_PAGE_SIZE) }),
        bucket: 'rules',
        read: (asked, answer, from) => processRules(asked, answer, clock.now(), from),
      },
      deadline,
    );
    for await (const { items } of listing) {
      const feeding = items.find((rule) => rule.active && rule.groupIds.includes(groupId));
      if (feeding !== undefined) return feeding.name;
    }
    return undefined;
  }

  async function unmanageable(group: OktaGroup, deadline: Deadline): Promise<string | undefined> {
    if (group.type === 'APP_GROUP') return 'it is mastered by an application, not by Okta';
    if (group.type === 'BUILT_IN') return 'it is built into Okta';
    if (group.type !== 'OKTA_GROUP') return `it is of type ${group.type}, which Hallpass does not know`;
    const rule = await ruleFeeding(group.id, deadline);
    return rule === undefined ? undefined : `it is fed by the active group rule "${rule}"`;
  }

  /** Who the log calls us. A token acts as the administrator who made it; its own id can be asked nowhere. */
  async function ourselves(): Promise<Ourselves> {
    if ('clientId' in section.auth) return { clientId: section.auth.clientId };
    const operation = 'read_self';
    const owner = await ask(
      {
        operation,
        url: path(operation, ['users', 'me']),
        bucket: 'user',
        read: (asked, answer) => processUser(asked, answer, clock.now()),
      },
      deadlineIn(callDeadlineMs),
    );
    if (owner === undefined) throw missing('user', operation);
    return { ownerId: owner.id };
  }

  async function mustSee(groupId: string, deadline: Deadline): Promise<void> {
    const seenAt = groupsSeen.get(groupId);
    if (seenAt !== undefined && clock.monotonic() - seenAt < GROUP_SEEN_MS) return;
    groupsSeen.delete(groupId);
    if ((await readGroup(groupId, deadline)) === undefined) throw missing('group', 'check_member');
    if (groupsSeen.size >= GROUPS_SEEN_MAX) groupsSeen.clear();
    groupsSeen.set(groupId, clock.monotonic());
  }

  function missing(what: 'group' | 'user', operation: string, cause?: unknown): DirectoryError {
    const message = `${name}: ${operation.replaceAll('_', ' ')}: the ${what} does not exist`;
    return new DirectoryError(name, 'not_found', message, { missing: what, ...(cause === undefined ? {} : { cause }) });
  }

  /** Sends a change. `false`: Okta answered 404 although group and user both exist. */
  async function change(method: 'PUT' | 'DELETE', groupId: string, userId: string): Promise<boolean> {
    const operation = method === 'PUT' ? 'add_member' : 'remove_member';
    const urgency = method === 'PUT' ? 'ordinary' : 'removal';
    const deadline = deadlineIn(callDeadlineMs);
    // Before and after: a listing that is on its way meanwhile may show either.
    groupsOf.forget(userId);
    try {
      await ask(
        {
          operation,
          method,
          url: path(operation, ['groups', groupId, 'users', userId]),
          bucket: 'membership',
          urgency,
          read: (asked, answer) => processChange(asked, answer, clock.now()),
        },
        deadline,
      );
      return true;
    } catch (error) {
      if (!(error instanceof DirectoryError) || error.code !== 'not_found') throw error;
      // One 404 stands for three things, and only one of them means that the membership is not there.
      if ((await readGroup(groupId, deadline, urgency)) === undefined) throw missing('group', operation, error);
      if ((await readUser(userId, deadline, urgency)) === undefined) throw missing('user', operation, error);
      return false;
    } finally {
      groupsOf.forget(userId);
    }
  }

  async function readActivity(
    source: string,
    cursor: string | undefined,
    since: Instant,
    lane: CallLane,
  ): Promise<ActivityPage> {
    const operation = 'read_activity';
    const start = path(operation, ['logs'], activityQuery(since));
    const url = cursor === undefined ? start : new URL(cursor, base);
    // It was Okta's own link; whatever became of it in the database, the credential goes nowhere else.
    if (url.origin !== start.origin || url.pathname !== start.pathname)
      throw refusedHere({ directory: name, operation }, 'not an address of the log');
    const startedAt = clock.now();
    const page = await ask(
      {
        operation,
        url,
        bucket: 'logs',
        by: callLog,
        read: (asked, answer) => processActivity(asked, answer, clock.now(), url, source),
      },
      deadlineIn(LOG_DEADLINE_MS, lane),
    );
    // Pages may be shorter than was asked for; only an empty one says that there is nothing more yet.
    const more = page.count > 0;
    const newest = Math.max(...page.items.map(({ activity }) => activity.at));
    return {
      told: page.items,
      cursor: `${page.next.pathname}${page.next.search}`,
      readTo: more && newest < startedAt ? newest : startedAt,
      more,
    };
  }

  const view = (lane: CallLane): Directory => ({
    name,
    lagMs: durationMs(section.lag ?? LAG),
    callDeadlineMs,
    removalsPerMinute: () => limiter.perMinute('membership'),

    rateLimits: () => ({
      perMinute: limiter.limits(),
      note: 'Okta lets one token or app use half of what the organisation has, unless its share is raised',
    }),

    async findGroup(nameOrId) {
      const deadline = deadlineIn(callDeadlineMs, lane);
      if (!isPlainName(nameOrId)) throw refusedHere({ directory: name, operation: 'find_group' }, 'not a group name');
      const byId = GROUP_ID_PATTERN.test(nameOrId) ? await readGroup(nameOrId, deadline) : undefined;
      const found = byId === undefined ? await groupsNamed(nameOrId, deadline) : [byId];
      const group = found[0];
      if (group === undefined) return undefined;
      if (found.length > 1) {
        const ids = found.map((each) => each.id).join(', ');
        throw new DirectoryError(name, 'rejected', `${name}: more than one group is named so; use an id: ${ids}`);
      }
      const why = await unmanageable(group, deadline);
      const result: DirectoryGroup = { id: group.id, name: group.name };
      return why === undefined ? result : { ...result, unmanageable: why };
    },

    async findUser(login) {
      const deadline = deadlineIn(callDeadlineMs, lane);
      const user = await ask(
        {
          operation: 'find_user',
          url: loginUrl({ directory: name, operation: 'find_user' }, base, login),
          bucket: 'user',
          read: (asked, answer) => processUser(asked, answer, clock.now()),
        },
        deadline,
      );
      // Okta also answers to ids and to short names; `ana` must not become whichever `ana@…` it finds.
      const wanted = login.toLowerCase();
      return user?.login.toLowerCase() === wanted || user?.email.toLowerCase() === wanted ? user : undefined;
    },

    async getUser(id) {
      return readUser(id, deadlineIn(callDeadlineMs, lane));
    },

    async isMember(groupId, userId) {
      const deadline = deadlineIn(callDeadlineMs, lane);
      const operation = 'check_member';
      path(operation, ['groups', groupId]);
      // The person's groups, not the group's members: one page however large the group is.
      const listing = pages(
        {
          operation,
          url: path(operation, ['users', userId, 'groups']),
          bucket: 'user-groups',
          read: (asked, answer, from) => processGroups(asked, answer, clock.now(), from),
        },
        deadline,
      );
      try {
        const seen = new Set<string>();
        const askedAt = clock.monotonic();
        for await (const { items, last } of listing) {
          for (const group of items) seen.add(group.id);
          if (last) groupsOf.put(userId, seen, askedAt);
          if (seen.has(groupId)) return true;
        }
      } catch (error) {
        throw error instanceof DirectoryError && error.code === 'not_found' ? missing('user', operation, error) : error;
      }
      // A credential that may no longer see a group could be shown a list without it. That would not be an absence.
      await mustSee(groupId, deadline);
      return false;
    },

    lastSeen: (groupId, userId) => groupsOf.of(userId)?.has(groupId),

    async add(groupId, userId) {
      if (await change('PUT', groupId, userId)) return 'added';
      // Neither is missing after all: a group or person so new that not all of Okta knows it.
      throw new DirectoryError(name, 'unavailable', `${name}: add member: Okta does not find what it shows elsewhere`);
    },

    async remove(groupId, userId) {
      return (await change('DELETE', groupId, userId)) ? 'removed' : 'was_not_member';
    },

    ...(signOutCredential === undefined
      ? {}
      : {
          async signOut(userId) {
            const operation = 'sign_out';
            await ask(
              {
                operation,
                method: 'DELETE',
                // Factors that devices are remembered by are the person's own affair.
                url: path(operation, ['users', userId, 'sessions'], { oauthTokens: 'true', forgetDevices: 'false' }),
                bucket: 'user-sessions',
                read: (asked, answer) => processChange(asked, answer, clock.now()),
              },
              deadlineIn(callDeadlineMs, lane),
              signOutCredential,
            ).catch((error: unknown) => {
              if (!(error instanceof DirectoryError) || error.code !== 'not_found') throw error;
            });
          },
        }),

    async listMembers(groupId) {
      const deadline = deadlineIn(callDeadlineMs, lane);
      const operation = 'list_members';
      const members = new Map<string, DirectoryUser>();
      const listing = pages(
        {
          operation,
          url: path(operation, ['groups', groupId, 'users'], { limit: String(PAGE_SIZE) }),
          bucket: 'group-users',
          read: (asked, answer, from) => processUsers(asked, answer, clock.now(), from),
        },
        deadline,
      );
      try {
        for await (const { items } of listing) for (const user of items) members.set(user.id, user);
      } catch (error) {
        throw error instanceof DirectoryError && error.code === 'not_found'
          ? missing('group', operation, error)
          : error;
      }
      return [...members.values()];
    },

    async additions(groupId, since) {
      const operation = 'read_log';
      path(operation, ['groups', groupId]);
      const we = await ourselves();
      const found = new Map<string, LoggedAddition>();
      const question = {
        operation,
        url: path(operation, ['logs'], additionsQuery(groupId, since, clock.now())),
        bucket: 'logs',
        read: (asked: Asked, answer: Answer, from: URL) =>
          processAdditions(asked, answer, clock.now(), from, groupId, we),
      };
      for await (const page of pages(question, () => deadlineIn(LOG_DEADLINE_MS)))
        for (const { uuid, ...addition } of page.items) found.set(uuid, addition);
      return [...found.values()].sort((a, b) => a.at - b.at);
    },

    activity: (source) => ({
      everyMs: LOG_EVERY_MS,
      async read(cursor, since) {
        try {
          return await readActivity(source, cursor, since, lane);
        } catch (error) {
          // A place that Okta does not take any more: from as far back as is still of use. What is told again is known.
          const lost = cursor !== undefined && error instanceof DirectoryError && error.code === 'rejected';
          if (!lost) throw error;
          return await readActivity(source, undefined, since, lane);
        }
      },
    }),

    as: view,
    room: (of) => roomOf(limiter.room(of === 'proof' ? 'user-groups' : 'membership', of), of, breaker),
    failing: () => breaker.failing(),
    refusesUs: () => breaker.refused(),
  });
  return view('ordinary');
}
