/**
 * The questions asked of directories, chat platforms and on-call sources, with their failures put into the words of
 * `PeopleError`. Every answer is at most a minute old; a question that got no answer is `unavailable`, never a no.
 */
import type { AccountRef, DirectoryUser, Pin, PinnedGroup } from '../access/model.ts';
import {
  type AccountFacts,
  type Accounts,
  type Clock,
  type Directory,
  DirectoryError,
  type DirectoryGroup,
  type OnCall,
  type OnCallEntry,
  PeopleError,
} from '../access/ports.ts';
import { Cache } from './cache.ts';

/** How long an answer may be used: what the ports promise. */
export const MAX_AGE_MS = 60_000;
/** Of each kind of answer; far above the people of one busy minute, and bounded whatever is asked. */
const MAX_ENTRIES = 5_000;

export interface Lookups {
  account(account: AccountRef): Promise<AccountFacts | undefined>;
  accountByEmail(platform: AccountRef['platform'], email: string): Promise<AccountFacts | undefined>;
  /** By login or email; absent when the directory has nobody who is exactly that. */
  userByEmail(directory: string, email: string): Promise<DirectoryUser | undefined>;
  userById(directory: string, id: string): Promise<DirectoryUser | undefined>;
  isMember(directory: string, groupId: string, userId: string): Promise<boolean>;
  members(directory: string, groupId: string): Promise<readonly DirectoryUser[]>;
  onCall(source: string): Promise<readonly OnCallEntry[]>;
  /** Throws `DirectoryError`: who asks for a group needs to know what kind of failure it was. */
  findGroup(directory: string, nameOrId: string): Promise<DirectoryGroup | undefined>;
  /** What is pinned, if anything is. */
  pinnedGroup(directory: string, name: string): Promise<PinnedGroup | undefined>;
  accountOf(person: string, platform: AccountRef['platform']): Promise<AccountRef | undefined>;
  /** Pins where nothing is pinned yet; returns what is pinned. */
  pin(space: Pin['space'], name: string, id: string): Promise<string>;
  pinAccount(account: AccountRef, person: string): Promise<string>;
}

export interface PinStore {
  pin(pin: Pin): Promise<string>;
  pinned(space: Pin['space'], name: string): Promise<string | undefined>;
  pinAccount(account: AccountRef, person: string, now: number): Promise<string>;
  pinGroup(group: PinnedGroup, now: number): Promise<PinnedGroup>;
  pinnedGroup(directory: string, name: string): Promise<PinnedGroup | undefined>;
  accountOf(person: string, platform: AccountRef['platform']): Promise<AccountRef | undefined>;
}

export interface Sources {
  /** May be a record of getters: a platform is looked at only when it is asked. */
  readonly accounts: Readonly<Partial<Record<AccountRef['platform'], Accounts>>>;
  readonly directories: ReadonlyMap<string, Directory>;
  readonly onCall: ReadonlyMap<string, OnCall>;
  readonly store: PinStore;
  readonly clock: Clock;
}

export function createLookups({ accounts, directories, onCall, store, clock }: Sources): Lookups {
  const cache = <T>(): Cache<T> =>
    new Cache<T>({ monotonic: () => clock.monotonic(), maxAgeMs: MAX_AGE_MS, maxEntries: MAX_ENTRIES });
  const facts = cache<AccountFacts | undefined>();
  const users = cache<DirectoryUser | undefined>();
  const groups = cache<DirectoryGroup | undefined>();
  const memberships = cache<boolean>();
  const memberLists = cache<readonly DirectoryUser[]>();
  const shifts = cache<readonly OnCallEntry[]>();
  const pins = cache<string>();
  const groupPins = cache<PinnedGroup | undefined>();
  const accountPins = cache<AccountRef | undefined>();

  /** A source that was replaced by a reload does not answer for the new one. */
  const generations = new WeakMap<OnCall, number>();
  let newest = 0;
  function generationOf(source: OnCall | undefined): number {
    if (source === undefined) return 0;
    const known = generations.get(source) ?? ++newest;
    generations.set(source, known);
    return known;
  }

  function platform(name: AccountRef['platform']): Accounts {
    const found = accounts[name];
    if (found === undefined)
      throw new PeopleError('unavailable', `${name} is not configured, so its accounts cannot be looked up.`);
    return found;
  }

  function directory(name: string): Directory {
    const found = directories.get(name);
    if (found === undefined)
      throw new DirectoryError(name, 'rejected', `There is no directory "${name}" in the configuration.`);
    return found;
  }

  return {
    account: (account) =>
      facts.get(JSON.stringify(['id', account.platform, account.tenant, account.id]), () =>
        asked(`${account.platform} could not be asked about the account`, async () =>
          platform(account.platform).lookup(account),
        ),
      ),
    accountByEmail: (name, email) =>
      facts.get(JSON.stringify(['email', name, email.toLowerCase()]), () =>
        asked(`${name} could not be asked about an email`, async () => platform(name).byEmail(email)),
      ),
    userByEmail: (name, email) =>
      users.get(JSON.stringify(['email', name, email.toLowerCase()]), () =>
        asked(`The directory "${name}" could not be asked about a person`, async () => {
          const user = await directory(name).findUser(email);
          // A directory that answers with somebody near enough would make one person act as another.
          return user !== undefined && isNamed(user, email) ? user : undefined;
        }),
      ),
    userById: (name, id) =>
      users.get(JSON.stringify(['id', name, id]), () =>
        asked(`The directory "${name}" could not be asked about a person`, async () => {
          const user = await directory(name).getUser(id);
          // Some directories take a login where they take an id; only the id counts here.
          return user?.id === id ? user : undefined;
        }),
      ),
    isMember: (name, groupId, userId) =>
      memberships.get(JSON.stringify([name, groupId, userId]), () =>
        asked(`The directory "${name}" could not be asked who is in a group`, async () =>
          directory(name).isMember(groupId, userId),
        ),
      ),
    members: (name, groupId) =>
      memberLists.get(JSON.stringify([name, groupId]), () =>
        asked(`The directory "${name}" could not be asked who is in a group`, async () =>
          directory(name).listMembers(groupId),
        ),
      ),
    onCall: (source) =>
      shifts.get(`${generationOf(onCall.get(source))} ${source}`, () =>
        asked(`The on-call source "${source}" could not be asked`, async () => {
          const found = onCall.get(source);
          if (found === undefined)
            throw new PeopleError('unavailable', `There is no on-call source "${source}" in the configuration.`);
          return found.now(clock.now());
        }),
      ),
    findGroup: (name, nameOrId) =>
      groups.get(JSON.stringify([name, nameOrId]), async () => directory(name).findGroup(nameOrId)),
    pin: (space, name, id) =>
      pins.get(JSON.stringify([space, name, id]), () =>
        asked('The record of known people could not be read', () =>
          store.pin({ space, name, id, pinnedAt: clock.now() }),
        ),
      ),
    pinnedGroup: (name, group) =>
      groupPins.get(JSON.stringify([name, group]), () => store.pinnedGroup(name, group), isPinned),
    accountOf: (person, name) =>
      accountPins.get(JSON.stringify([person, name]), () => store.accountOf(person, name), isPinned),
    pinAccount: (account, person) =>
      pins.get(JSON.stringify([account.platform, account.tenant, account.id, person]), () =>
        asked('The record of known accounts could not be read', () => store.pinAccount(account, person, clock.now())),
      ),
  };
}

/** That nothing is pinned yet may change with the very next step, and is not kept. */
const isPinned = (found: unknown) => found !== undefined;

export function isNamed(user: DirectoryUser, email: string): boolean {
  const wanted = email.toLowerCase();
  // Two people without an email are not each other.
  if (wanted === '') return false;
  return user.login.toLowerCase() === wanted || user.email.toLowerCase() === wanted;
}

/** What could not be looked up is `unavailable`; only two of one name is told apart, since waiting does not mend it. */
export async function asked<T>(failure: string, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof PeopleError) throw error;
    if (error instanceof DirectoryError && error.code === 'rejected')
      throw new PeopleError('ambiguous', `${failure}: ${error.message}`, error);
    throw new PeopleError('unavailable', `${failure} right now.`, error);
  }
}
