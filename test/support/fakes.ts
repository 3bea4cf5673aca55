/**
 * Doubles of the ports that pass what the real ones pass, and then behave as badly as they may: the directory is
 * truthful about its own state and nasty about telling it.
 */
import { holds } from '../../src/access/decide-session.ts';
import type {
  AccountRef,
  DirectoryErrorCode,
  DirectoryUser,
  Person,
  PersonId,
  PinnedGroup,
  Session,
  Subject,
} from '../../src/access/model.ts';
import {
  type Directory,
  DirectoryError,
  type DirectoryGroup,
  type MessageTarget,
  type Messenger,
  MessengerError,
  type People,
  PeopleError,
} from '../../src/access/ports.ts';
import type { MessageView } from '../../src/access/view.ts';

// ------------------------------------------------------------------------------------------------------ directory

export interface DirectoryCall {
  readonly what: 'read' | 'add' | 'remove' | 'list' | 'find';
  readonly by: string;
  readonly groupId?: string;
  readonly userId?: string;
  readonly startedAt: number;
  readonly deadlineAt: number;
}

export interface CallFailure {
  readonly code: DirectoryErrorCode;
  readonly effect: 'none' | 'unknown';
  readonly retryAfterMs?: number;
  readonly message?: string;
}

/** How one call goes. */
export interface Course {
  /** When the directory acts on it, or looks; absent: never. Held to the call's deadline. */
  readonly actsAfterMs?: number;
  /** When the answer arrives; absent: never, and the caller gives up at the deadline. */
  readonly answersAfterMs?: number;
  /** Answered with this, whatever the directory did. */
  readonly failure?: CallFailure;
  /** What a read shows is the state this long before it looked. */
  readonly staleMs?: number;
  /** It was turned away before it reached the directory: not counted as having arrived. */
  readonly kept?: boolean;
}

export type AddedBy = 'us' | 'outside';

/** One stretch of time in which somebody is a member. */
export interface Spell {
  readonly by: AddedBy;
  readonly since: number;
}

export interface FakeDirectoryParts {
  readonly name: string;
  readonly lagMs: number;
  readonly callDeadlineMs: number;
  /** Milliseconds that only grow. */
  readonly now: () => number;
  readonly after: (ms: number, act: () => void) => void;
  readonly course: (call: DirectoryCall) => Course;
  /** Whether this vendor tells an addition that changed nothing from one that did. */
  readonly tellsAlready: boolean;
  /** Before the call's course is drawn. */
  readonly onCall?: (call: DirectoryCall) => void;
  /** The answer, or the deadline, has come. */
  readonly onAnswered?: (call: DirectoryCall) => void;
  /** Our own call changed a membership. */
  readonly onEffect?: (groupId: string, userId: string, member: boolean) => void;
}

export interface FakeDirectory {
  /** As one caller sees it. */
  port(by: string): Directory;
  addGroup(group: DirectoryGroup): void;
  addUser(user: { readonly id: string; readonly login: string; readonly active?: boolean }): void;
  setActive(userId: string, active: boolean): void;
  deleteGroup(groupId: string): void;
  deleteUser(userId: string): void;
  /** Somebody else changes a membership; nothing happens when it is so already. */
  outside(groupId: string, userId: string, member: boolean): void;
  /** The truth. */
  spell(groupId: string, userId: string): Spell | undefined;
  /** When somebody else's membership was last there; absent: never. */
  outsideUntil(groupId: string, userId: string): number | undefined;
  /** Who changed it last, and when. */
  lastChange(groupId: string, userId: string): { readonly by: AddedBy; readonly at: number } | undefined;
  /** Writes that arrived, answered or not. */
  readonly writes: number;
  readonly reads: number;
}

const ID = /^[A-Za-z0-9_.@-]+$/;
const isId = (text: string) => ID.test(text) && !/^\.+$/.test(text);

export function createFakeDirectory(parts: FakeDirectoryParts): FakeDirectory {
  const { name, now, after } = parts;
  const groups = new Map<string, DirectoryGroup>();
  const users = new Map<string, { id: string; login: string; active: boolean }>();
  const spells = new Map<string, Spell>();
  /** Membership over time, for reads that lag. */
  const history = new Map<string, { at: number; member: boolean; by: AddedBy }[]>();
  const outsideEnded = new Map<string, number>();
  let writes = 0;
  let reads = 0;

  const at = (groupId: string, userId: string) => `${groupId} ${userId}`;
  const isWrite = (what: DirectoryCall['what']) => what === 'add' || what === 'remove';

  function set(groupId: string, userId: string, member: boolean, by: AddedBy): void {
    const key = at(groupId, userId);
    if (spells.has(key) === member) return;
    if (spells.get(key)?.by === 'outside') outsideEnded.set(key, now());
    if (member) spells.set(key, { by, since: now() });
    else spells.delete(key);
    const changes = history.get(key) ?? [];
    changes.push({ at: now(), member, by });
    history.set(key, changes);
    if (by === 'us') parts.onEffect?.(groupId, userId, member);
  }

  function shown(groupId: string, userId: string, staleMs: number): boolean {
    const key = at(groupId, userId);
    if (staleMs <= 0) return spells.has(key);
    return history.get(key)?.findLast((change) => change.at <= now() - staleMs)?.member ?? false;
  }

  function missing(what: 'group' | 'user'): DirectoryError {
    return new DirectoryError(name, 'not_found', `there is no such ${what}`, { missing: what });
  }

  function exist(groupId: string, userId?: string): void {
    if (!groups.has(groupId)) throw missing('group');
    if (userId !== undefined && !users.has(userId)) throw missing('user');
  }

  function failed(failure: CallFailure): DirectoryError {
    const { code, effect, retryAfterMs } = failure;
    return new DirectoryError(name, code, failure.message ?? code, {
      effect,
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    });
  }

  function send<T>(call: DirectoryCall, act: (course: Course) => T): Promise<T> {
    parts.onCall?.(call);
    const course = parts.course(call);
    const left = Math.max(0, call.deadlineAt - now());
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    if (!course.kept) {
      if (isWrite(call.what)) writes++;
      else reads++;
    }
    let result: { readonly value: T } | { readonly error: unknown } | undefined;
    if (course.actsAfterMs !== undefined)
      after(Math.min(course.actsAfterMs, left), () => {
        try {
          result = { value: act(course) };
        } catch (error) {
          result = { error };
        }
      });
    const answered = course.answersAfterMs !== undefined && course.answersAfterMs < left;
    after(answered ? (course.answersAfterMs ?? 0) : left, () => {
      parts.onAnswered?.(call);
      if (!answered)
        reject(failed({ code: 'unavailable', effect: isWrite(call.what) ? 'unknown' : 'none', message: 'no answer' }));
      else if (course.failure !== undefined) reject(failed(course.failure));
      else if (result === undefined) reject(new Error('a course answers before it acts'));
      else if ('error' in result) reject(result.error);
      else resolve(result.value);
    });
    return promise;
  }

  function call(what: DirectoryCall['what'], by: string, groupId?: string, userId?: string): DirectoryCall {
    const startedAt = now();
    return {
      what,
      by,
      startedAt,
      deadlineAt: startedAt + parts.callDeadlineMs,
      ...(groupId === undefined ? {} : { groupId }),
      ...(userId === undefined ? {} : { userId }),
    };
  }

  /** Once more when it failed in passing and there is time left, as the adapters do. */
  async function look<T>(one: DirectoryCall, act: (course: Course) => T): Promise<T> {
    try {
      return await send(one, act);
    } catch (error) {
      const passing =
        error instanceof DirectoryError && error.code === 'unavailable' && error.retryAfterMs === undefined;
      if (!passing || now() >= one.deadlineAt) throw error;
      return await send(one, act);
    }
  }

  function userOf(id: string): DirectoryUser | undefined {
    const user = users.get(id);
    return user && { directory: name, id, login: user.login, email: user.login, name: user.login, active: user.active };
  }

  async function write<T>(one: DirectoryCall, act: () => T): Promise<T> {
    if (!isId(one.groupId ?? '') || !isId(one.userId ?? '')) throw failed({ code: 'rejected', effect: 'none' });
    return await send(one, act);
  }

  return {
    port: (by) => ({
      name,
      lagMs: parts.lagMs,
      callDeadlineMs: parts.callDeadlineMs,
      findGroup: (wanted) =>
        look(call('find', by), () => groups.get(wanted) ?? [...groups.values()].find((group) => group.name === wanted)),
      findUser: (login) =>
        look(call('find', by), () => {
          const found = [...users.values()].find((user) => user.login === login.toLowerCase());
          return found && userOf(found.id);
        }),
      getUser: (id) => look(call('find', by), () => userOf(id)),
      isMember: (groupId, userId) =>
        look(call('read', by, groupId, userId), ({ staleMs }) => {
          exist(groupId, userId);
          return shown(groupId, userId, staleMs ?? 0);
        }),
      add: (groupId, userId) =>
        write(call('add', by, groupId, userId), () => {
          exist(groupId, userId);
          if (users.get(userId)?.active === false)
            throw failed({ code: 'rejected', effect: 'none', message: 'the account is not active' });
          const before = spells.has(at(groupId, userId));
          set(groupId, userId, true, 'us');
          return before && parts.tellsAlready ? 'already_member' : 'added';
        }),
      remove: (groupId, userId) =>
        write(call('remove', by, groupId, userId), () => {
          exist(groupId, userId);
          const before = spells.has(at(groupId, userId));
          set(groupId, userId, false, 'us');
          return before ? 'removed' : 'was_not_member';
        }),
      listMembers: (groupId) =>
        look(call('list', by, groupId), ({ staleMs }) => {
          exist(groupId);
          return [...users.keys()].filter((id) => shown(groupId, id, staleMs ?? 0)).flatMap((id) => userOf(id) ?? []);
        }),
    }),
    addGroup(group) {
      groups.set(group.id, group);
    },
    addUser({ id, login, active = true }) {
      users.set(id, { id, login, active });
    },
    setActive(userId, active) {
      const user = users.get(userId);
      if (user !== undefined) user.active = active;
    },
    deleteGroup(groupId) {
      groups.delete(groupId);
    },
    deleteUser(userId) {
      users.delete(userId);
    },
    outside: (groupId, userId, member) => set(groupId, userId, member, 'outside'),
    spell: (groupId, userId) => spells.get(at(groupId, userId)),
    outsideUntil(groupId, userId) {
      const key = at(groupId, userId);
      return spells.get(key)?.by === 'outside' ? now() : outsideEnded.get(key);
    },
    lastChange: (groupId, userId) => history.get(at(groupId, userId))?.at(-1),
    get writes() {
      return writes;
    },
    get reads() {
      return reads;
    },
  };
}

// --------------------------------------------------------------------------------------------------------- people

export interface FakeHuman {
  readonly id: PersonId;
  readonly name: string;
  readonly email: string;
  readonly accounts: readonly AccountRef[];
  /** By directory. */
  readonly users: Readonly<Record<string, string>>;
  readonly groups: readonly string[];
}

export interface FakePeople {
  readonly port: People;
  handOver(source: string, onCall: readonly PersonId[]): void;
  setActive(person: PersonId, active: boolean): void;
  /** Whether the person was (in) one of the subjects at any moment between the two. */
  held(subjects: readonly Subject[], person: PersonId, from: number, to: number): boolean;
}

export function createFakePeople(parts: {
  readonly humans: readonly FakeHuman[];
  readonly onCall: Readonly<Record<string, readonly PersonId[]>>;
  readonly now: () => number;
  /** Whether this look-up fails. */
  readonly fails: () => boolean;
  /** Absent: there is no door but chat. */
  readonly session?: (id: string) => Promise<Session | undefined>;
}): FakePeople {
  const { humans, now, fails } = parts;
  const inactive = new Set<PersonId>();
  const rota = new Map(
    Object.entries(parts.onCall).map(([source, people]) => [source, [{ at: Number.NEGATIVE_INFINITY, people }]]),
  );

  function lookedUp(): void {
    if (fails()) throw new PeopleError('unavailable', 'no answer');
  }
  function human(id: PersonId): FakeHuman {
    const found = humans.find((one) => one.id === id);
    if (found === undefined) throw new PeopleError('unmapped', id);
    return found;
  }
  function personOf(of: FakeHuman, account = of.accounts[0]): Person {
    return {
      id: of.id,
      name: of.name,
      email: of.email,
      ...(account === undefined ? {} : { account }),
      active: !inactive.has(of.id),
    };
  }
  async function signedIn(id: string): Promise<Person> {
    const session = await parts.session?.(id);
    if (session === undefined || !holds(session, now())) throw new PeopleError('signed_out', id);
    const person = personOf(human(session.person));
    if (!person.active) throw new PeopleError('deactivated', `${person.name} is deactivated.`);
    return { ...person, via: { kind: session.kind, session: id } };
  }
  function isIn(subject: Subject, of: FakeHuman, onCall: readonly PersonId[]): boolean {
    switch (subject.kind) {
      case 'everyone':
        return true;
      case 'user':
        return subject.email === of.email;
      case 'group':
        return of.groups.includes(subject.group);
      case 'on-call':
        return onCall.includes(of.id);
      case 'workload':
        return false;
    }
  }
  const onCallNow = (subject: Subject) =>
    subject.kind === 'on-call' ? (rota.get(subject.source)?.at(-1)?.people ?? []) : [];

  return {
    port: {
      async identify(account) {
        lookedUp();
        if ('session' in account) return await signedIn(account.session);
        const found = humans.find((one) =>
          one.accounts.some((own) => own.platform === account.platform && own.id === account.id),
        );
        if (found === undefined) throw new PeopleError('unmapped', account.id);
        if (inactive.has(found.id)) throw new PeopleError('deactivated', found.name);
        return personOf(found, account);
      },
      async holds(subject, person) {
        lookedUp();
        return isIn(subject, human(person.id), onCallNow(subject));
      },
      async membersOf(subject) {
        lookedUp();
        return humans.filter((one) => isIn(subject, one, onCallNow(subject))).map((one) => personOf(one));
      },
      async stated(email) {
        lookedUp();
        const found = humans.find((one) => one.email === email);
        if (found === undefined) throw new PeopleError('unmapped', email);
        return personOf(found);
      },
      async byId(id) {
        lookedUp();
        if (inactive.has(id)) throw new PeopleError('deactivated', id);
        return personOf(human(id));
      },
      async named(email) {
        lookedUp();
        const found = humans.find((one) => one.email === email);
        return found === undefined ? undefined : personOf(found);
      },
      async userIn(directory, person) {
        lookedUp();
        const of = human(person);
        const id = of.users[directory];
        if (id === undefined) throw new PeopleError('unmapped', person);
        return { directory, id, login: of.email, email: of.email, name: of.name, active: !inactive.has(person) };
      },
      async group(directory, group): Promise<PinnedGroup> {
        lookedUp();
        return { directory, groupId: `id-${group}`, groupName: group };
      },
    },
    handOver(source, people) {
      rota.set(source, [...(rota.get(source) ?? []), { at: now(), people }]);
    },
    setActive(person, active) {
      if (active) inactive.delete(person);
      else inactive.add(person);
    },
    held(subjects, person, from, to) {
      const of = human(person);
      return subjects.some((subject) => {
        if (subject.kind !== 'on-call') return isIn(subject, of, []);
        const turns = rota.get(subject.source) ?? [];
        return turns.some(
          (turn, n) =>
            turn.people.includes(person) && turn.at <= to && (turns[n + 1]?.at ?? Number.POSITIVE_INFINITY) >= from,
        );
      });
    },
  };
}

// ------------------------------------------------------------------------------------------------------ messenger

export interface FakeMessenger {
  readonly port: Messenger;
  /** What a posted message shows, by its `ts`. */
  readonly shown: ReadonlyMap<string, MessageView>;
}

export type MessengerFault = 'none' | 'before' | 'after' | 'limited';

export function createFakeMessenger(parts: {
  readonly fault: () => MessengerFault;
  /** Resolves when the platform answers. */
  readonly answer: () => Promise<void>;
}): FakeMessenger {
  const shown = new Map<string, MessageView>();
  const marked = new Map<string, { readonly conversation: string; readonly ts: string }>();
  let posted = 0;

  async function carry(effect: () => void): Promise<void> {
    const fault = parts.fault();
    if (fault === 'none' || fault === 'after') effect();
    await parts.answer();
    if (fault === 'limited') throw new MessengerError('rate_limited', 'slow down', { retryAfterMs: 2_000 });
    if (fault !== 'none') throw new MessengerError('unavailable', 'no answer', { effect: 'unknown' });
  }

  return {
    shown,
    port: {
      platform: 'slack',
      async post(to: MessageTarget, view, mark) {
        const at = {
          conversation: 'conversation' in to ? to.conversation : `D-${to.account.id}`,
          ts: String(++posted),
        };
        await carry(() => {
          shown.set(at.ts, view);
          marked.set(mark, at);
        });
        return at;
      },
      async find(_to, mark) {
        await carry(() => undefined);
        return marked.get(mark);
      },
      async update({ ts }, view) {
        await carry(() => shown.set(ts, view));
      },
    },
  };
}
