/**
 * Who is who. An account becomes a person only through the platform's own record of it, the one rule that the
 * configuration states (a confirmed email, or an entry under `people:`), and an active user of the identity directory.
 * Names and whatever a message carries never identify anybody.
 */

import { holds as holdsNow } from '../access/decide-session.ts';
import { cleanName } from '../access/grammar.ts';
import { accountKey } from '../access/links.ts';
import type {
  AccountRef,
  Caller,
  DirectoryUser,
  GroupName,
  Person,
  PersonId,
  PinnedGroup,
  Session,
  Subject,
  Workload,
} from '../access/model.ts';
import {
  type AccountFacts,
  type AccountOwners,
  DirectoryError,
  type DirectoryGroup,
  type Metrics,
  type People,
  PeopleError,
} from '../access/ports.ts';
import { asked, createLookups, type Sources } from './lookups.ts';

export interface PeopleSettings {
  /** The workspace's emails may be trusted; without it only `people` says who an account is. */
  readonly match?: 'confirmed-email';
  /**
   * By account: `U012ABC`, `slack:T012ABC/U012ABC`, or `teams:<tenant id>/<object id>`. An entry goes before the
   * account's email.
   */
  readonly people: Readonly<Record<string, string>>;
  /** Slack workspaces whose accounts may act. Left out: what the platform itself calls its own. */
  readonly workspaces?: readonly string[];
  /** The same for tenants of Teams. */
  readonly tenants?: readonly string[];
}

export interface PeopleOptions extends Sources {
  /** The first directory of the file: its immutable user ids are the person ids. */
  readonly identityDirectory: string;
  /** Asked each time, so that a reloaded file holds at once. */
  readonly settings: () => PeopleSettings;
  readonly metrics: Metrics;
  /** Absent: there is no door but chat. */
  readonly session?: (id: string) => Promise<Session | undefined>;
  /** People may say by a sign-in whose an account is that nothing else says. */
  readonly linking?: boolean;
  /** Names of the workloads that the file has now; asked each time. */
  readonly workloads?: () => readonly string[];
  /** Groups that the configuration relies on for authority, and where it does. Asked each time. */
  readonly trusted?: () => readonly Trusted[];
  /** Told whenever somebody is met under another identity than before; never rejects. */
  readonly disputed: (dispute: Dispute) => Promise<void>;
}

export interface Trusted extends GroupName {
  /** `policies.standard.approvers[0]` */
  readonly by: string;
}

/** An identity that is not what it was when it was pinned. Whoever claims it is refused. */
export interface Dispute {
  /** The same for the same claim, however often it is met. */
  readonly key: string;
  /** For those who look after Hallpass: what it was, and what it is now. */
  readonly detail: string;
}

/** Asking more people than this for one approval is noise. */
const ASKED_MOST = 20;
/** Of a large group, how many are tried to find those; each may cost a call to the chat platform. */
const TRIED_MOST = 60;

export function createPeople(options: PeopleOptions): People & AccountOwners {
  const { identityDirectory, settings, store, clock, metrics } = options;
  const look = createLookups(options);

  function personId(user: DirectoryUser): PersonId {
    return `${identityDirectory}/${user.id}`;
  }

  function employee(account: AccountRef, facts: AccountFacts | undefined): AccountFacts {
    if (facts === undefined || facts.account.id !== account.id)
      throw new PeopleError('unmapped', `${platformName(account)} does not know this account.`);
    if (facts.deleted) throw new PeopleError('deactivated', 'This account is deactivated.');
    if (facts.bot) throw new PeopleError('bot', 'Bots and apps cannot ask for access or answer.');
    const ours = tenantsOf(settings(), account.platform);
    const outside = ours !== undefined && !(ours.includes(account.tenant) && ours.includes(facts.account.tenant));
    if (facts.foreign || outside)
      throw new PeopleError(
        'foreign',
        'This account belongs to another workspace or organisation, and only employees of this one may act here.',
      );
    if (facts.guest) throw new PeopleError('guest', 'Guest accounts cannot ask for access or answer.');
    return facts;
  }

  function emailOf(account: AccountRef, facts: AccountFacts): string {
    const { match, people } = settings();
    const full = `${account.platform}:${account.tenant}/${account.id}`;
    const stated = own(people, full) ?? (account.platform === 'slack' ? own(people, account.id) : undefined);
    if (stated !== undefined) return stated;
    if (match !== 'confirmed-email')
      throw new PeopleError(
        'unmapped',
        `Nothing says who this account is. An administrator can add ${account.platform === 'slack' ? account.id : full} under "people:" in the configuration.`,
      );
    if (facts.email === undefined || !facts.emailConfirmed)
      throw new PeopleError(
        'unmapped',
        `${platformName(account)} has no confirmed email for this account, so nobody can tell whose it is.`,
      );
    return facts.email;
  }

  async function identify(caller: Caller): Promise<Person> {
    return 'session' in caller ? await signedIn(caller.session) : await inChat(caller);
  }

  /** Whoever a credential was given out to; it holds no longer than their account in the directory does. */
  async function signedIn(id: string): Promise<Person> {
    const session = await asked('The record of sessions could not be read', async () => options.session?.(id));
    if (session === undefined || !holdsNow(session, clock.now()))
      throw new PeopleError('signed_out', 'This session is over. Sign in again.');
    const person = await byId(session.person);
    if (session.workload !== undefined) await stillTrusted(session.workload);
    const accounts = await accountsFor(person);
    const account = accounts[0];
    return {
      ...person,
      ...(account === undefined ? {} : { account, accounts }),
      via: { kind: session.kind, session: session.id },
      ...(session.workload === undefined ? {} : { workload: session.workload }),
    };
  }

  /** A job ends with its workload's entry in the file, and with the human it acts for. */
  async function stillTrusted({ name, onBehalfOf }: Workload): Promise<void> {
    if (options.workloads?.().includes(name) !== true)
      throw new PeopleError('signed_out', `The configuration has no workload "${name}" any more.`);
    if (onBehalfOf !== undefined) await byId(onBehalfOf.person);
  }

  async function byId(id: PersonId): Promise<Person> {
    const user = await userIn(identityDirectory, id);
    if (!user.active)
      throw new PeopleError('deactivated', `${user.login} is deactivated in the directory "${identityDirectory}".`);
    return { id, name: nameOf(user), email: user.email || user.login, active: true };
  }

  async function stated(email: string): Promise<Person> {
    return known(await written(email), email);
  }

  /** By what the file or the workspace says of the account; else by what its person has proven. */
  async function userOf(account: AccountRef, facts: AccountFacts): Promise<{ user: DirectoryUser; email: string }> {
    try {
      const email = emailOf(account, facts);
      const user = await look.userByEmail(identityDirectory, email);
      if (user !== undefined) return { user, email };
      throw new PeopleError('unmapped', `The directory "${identityDirectory}" has nobody with the login ${email}.`);
    } catch (error) {
      if (!(error instanceof PeopleError) || error.code !== 'unmapped' || options.linking !== true) throw error;
      const linked = await asked('The record of linked accounts could not be read', () =>
        store.pinned('linked', accountKey(account)),
      );
      if (linked === undefined)
        throw new PeopleError('unmapped', `${error.message} You can also say whose it is yourself: type link.`);
      const user = await userIn(identityDirectory, linked);
      return { user, email: user.email || user.login };
    }
  }

  async function ownerOf(account: AccountRef): ReturnType<AccountOwners['ownerOf']> {
    const facts = employee(account, await look.account(account));
    const known = await userOf(account, facts).catch((error: unknown) => {
      if (error instanceof PeopleError && error.code === 'unmapped') return undefined;
      throw error;
    });
    return {
      name: cleanName(facts.name) || account.id,
      ...(known === undefined ? {} : { person: personId(known.user) }),
      ...(facts.email === undefined || !facts.emailConfirmed ? {} : { email: facts.email }),
    };
  }

  async function inChat(account: AccountRef): Promise<Person> {
    const facts = employee(account, await look.account(account));
    const { user, email } = await userOf(account, facts);
    if (!user.active)
      throw new PeopleError('deactivated', `${email} is deactivated in the directory "${identityDirectory}".`);
    const id = personId(user);
    const pinned = await look.pinAccount(account, id);
    if (pinned !== id) {
      const name = `${platformName(account)} account ${account.tenant}/${account.id}`;
      await options.disputed({
        key: `account ${account.platform}:${account.tenant}/${account.id} ${id}`,
        detail: `The ${name} was ${pinned} when Hallpass first saw it; now it leads to ${id} (${email}). It may not act. If that is right: hallpass forget account ${account.platform}:${account.tenant}/${account.id} <reason>`,
      });
      throw new PeopleError(
        'identity_changed',
        'This account was somebody else when Hallpass first saw it. Security was told, and it cannot act until they have looked at it.',
      );
    }
    return {
      id,
      name: nameOf(user, cleanName(facts.name)),
      email: user.email || email,
      ...(facts.zone !== undefined && { zone: facts.zone }),
      account,
      active: true,
    };
  }

  async function userIn(directory: string, person: PersonId): Promise<DirectoryUser> {
    const prefix = `${identityDirectory}/`;
    if (!person.startsWith(prefix))
      throw new PeopleError('unmapped', `This person was known through another directory than "${identityDirectory}".`);
    const user = await look.userById(identityDirectory, person.slice(prefix.length));
    if (user === undefined)
      throw new PeopleError('unmapped', `The directory "${identityDirectory}" no longer has this person.`);
    if (directory === identityDirectory) return user;
    return accountIn(directory, person, user.email || user.login);
  }

  /**
   * A person's account in a directory that does not say who people are: found by email once, and by its id ever after.
   * An email that is given to somebody else there takes nobody's access along.
   */
  async function accountIn(directory: string, person: PersonId, email: string): Promise<DirectoryUser> {
    const place = `${directory} ${person}`;
    const pinned = await asked('The record of known people could not be read', () => store.pinned('user', place));
    const there = await look.userByEmail(directory, email);
    if (there === undefined) {
      // Renamed there, or not yet here: it is the same account.
      const renamed = pinned === undefined ? undefined : await look.userById(directory, pinned);
      if (renamed !== undefined) return renamed;
      throw new PeopleError('unmapped', `${email} has no account in the directory "${directory}".`);
    }
    // What is somebody else's already is not claimed for this person by being looked at.
    const owner = (pinned ?? there.id) === there.id ? await look.pin('owner', `${directory} ${there.id}`, person) : '';
    if (owner === person && (await look.pin('user', place, there.id)) === there.id) return there;
    await options.disputed({
      key: `user ${place} ${there.id}`,
      detail:
        pinned === undefined || pinned === there.id
          ? `The account ${there.id} (${email}) of the directory "${directory}" was ${owner}'s; now its email is ${person}'s. Nothing is given to it. If that is right: hallpass forget user ${directory}:${owner} <reason>`
          : `In the directory "${directory}" ${email} was the account ${pinned} and is now ${there.id}. Nothing is given to ${person} there. If that is right: hallpass forget user ${directory}:${person} <reason>`,
    });
    throw new PeopleError(
      'identity_changed',
      `The account ${email} in the directory "${directory}" is not the one that Hallpass first saw. Security was told, and nothing is given to it until they have looked at it.`,
    );
  }

  /** Whoever an email that is written in the configuration stands for: the person it stood for at first. */
  async function written(email: string): Promise<DirectoryUser | undefined> {
    const user = await look.userByEmail(identityDirectory, email);
    if (user === undefined) return undefined;
    const id = personId(user);
    const pinned = await look.pin('email', email.toLowerCase(), id);
    if (pinned === id) return user;
    await options.disputed({
      key: `email ${email.toLowerCase()} ${id}`,
      detail: `${email} in the configuration was ${pinned} and is now ${id}. It stands for nobody. If that is right: hallpass forget email ${email.toLowerCase()} <reason>`,
    });
    throw new PeopleError(
      'identity_changed',
      `${email} in the configuration was somebody else when Hallpass first used it. Security was told.`,
    );
  }

  /** The group that a subject trusts, pinned. Unlike `group`, it may be fed by a rule: it is only read. */
  async function trusted(directory: string, name: string): Promise<PinnedGroup> {
    return asked(`The group "${name}" of "${directory}" could not be looked up`, async () => {
      const pinned = await look.pinnedGroup(directory, name);
      if (pinned !== undefined) return pinned;
      const found = await look.findGroup(directory, name);
      if (found === undefined)
        throw new PeopleError('unavailable', `The directory "${directory}" has no group "${name}".`);
      return store.pinGroup({ directory, groupId: found.id, groupName: name }, clock.now());
    });
  }

  async function group(directory: string, name: string): Promise<PinnedGroup> {
    const pinned = await look.pinnedGroup(directory, name);
    const refuse = (reason: string): DirectoryError =>
      new DirectoryError(directory, 'rejected', `The group "${name}" of "${directory}" ${reason}.`, {
        missing: 'group',
      });
    let found: DirectoryGroup | undefined;
    try {
      // By the pinned id, so that a group renamed stays itself and one that took over the name does not become it.
      found = await look.findGroup(directory, pinned?.groupId ?? name);
      if (pinned !== undefined && found?.id !== pinned.groupId) {
        const usurper = await look.findGroup(directory, name);
        throw refuse(
          usurper === undefined
            ? `no longer exists (it was ${pinned.groupId})`
            : `was re-created: it was ${pinned.groupId} and is now ${usurper.id}`,
        );
      }
    } catch (error) {
      if (!(error instanceof DirectoryError))
        throw new DirectoryError(
          directory,
          'unavailable',
          `The group "${name}" of "${directory}" could not be looked up.`,
          { cause: error },
        );
      // What is pinned is still the same group while the directory is away; the operation itself will wait for it.
      if (pinned !== undefined && error.code !== 'rejected' && error.code !== 'not_found') return notRelied(pinned);
      throw error;
    }
    if (found === undefined) throw refuse('does not exist');
    if (found.unmanageable !== undefined)
      throw new DirectoryError(
        directory,
        'rejected',
        `The group "${name}" of "${directory}" cannot be managed: ${found.unmanageable}.`,
      );
    await notRelied({ directory, groupId: found.id, groupName: name });
    return pinned ?? store.pinGroup({ directory, groupId: found.id, groupName: name }, clock.now());
  }

  /**
   * The file is judged by the names it uses; here, by ids, no other name hides that whoever gets this group also gets
   * authority. What cannot be looked up might be the same group, and so refuses.
   */
  async function notRelied(granted: PinnedGroup): Promise<PinnedGroup> {
    const { directory, groupId, groupName } = granted;
    const others = (options.trusted?.() ?? []).filter((one) => one.directory === directory);
    const ids = await Promise.all(
      others.map(async ({ group }) => {
        const pinned = await store.pinnedGroup(directory, group);
        return pinned?.groupId ?? (await look.findGroup(directory, group))?.id;
      }),
    );
    const same = others[ids.indexOf(groupId)];
    if (same === undefined) return granted;
    throw new DirectoryError(
      directory,
      'rejected',
      `The group "${groupName}" of "${directory}" is the one that ${same.by} trusts as "${same.group}": whoever got it would also get that authority.`,
    );
  }

  async function holds(subject: Subject, person: Person): Promise<boolean> {
    if (!person.active) return false;
    switch (subject.kind) {
      case 'everyone':
        // Employees: a pipeline is asked for by its name.
        return person.workload === undefined;
      case 'workload':
        return person.workload?.name === subject.workload;
      case 'user': {
        const user = await look.userByEmail(identityDirectory, subject.email);
        if (user?.active !== true || personId(user) !== person.id) return false;
        // Only the one who would gain by it hears that the email was somebody else's.
        return (await written(subject.email)) !== undefined;
      }
      case 'group': {
        const { groupId } = await trusted(subject.directory, subject.group);
        let user: DirectoryUser;
        try {
          user = await userIn(subject.directory, person.id);
        } catch (error) {
          // Who has no account there is in none of its groups. Anything else is no answer.
          if (error instanceof PeopleError && error.code === 'unmapped') return false;
          throw error;
        }
        return user.active && (await look.isMember(subject.directory, groupId, user.id));
      }
      case 'on-call': {
        let unknown: unknown;
        for (const entry of await look.onCall(subject.source)) {
          try {
            if ((await onCallPerson(entry)).id === person.id) return true;
          } catch (error) {
            // One colleague who cannot be mapped must not keep the others from answering; but when somebody could not
            // be looked up at all, "not on call" would be a guess.
            if (!(error instanceof PeopleError) || error.code === 'unavailable') unknown ??= error;
          }
        }
        if (unknown !== undefined) throw unknown;
        return false;
      }
    }
  }

  async function onCallPerson(entry: Awaited<ReturnType<typeof look.onCall>>[number]): Promise<Person> {
    if ('account' in entry) return identify(entry.account);
    const find = entry.written === true ? written(entry.email) : look.userByEmail(identityDirectory, entry.email);
    return known(await find, entry.email);
  }

  async function known(user: DirectoryUser | undefined, email: string): Promise<Person> {
    if (user === undefined)
      throw new PeopleError('unmapped', `The directory "${identityDirectory}" has nobody with the login ${email}.`);
    if (!user.active)
      throw new PeopleError('deactivated', `${email} is deactivated in the directory "${identityDirectory}".`);
    return { id: personId(user), name: nameOf(user), email: user.email || email, active: true };
  }

  async function named(email: string): Promise<Person | undefined> {
    const user = await look.userByEmail(identityDirectory, email);
    if (user === undefined) return undefined;
    return { id: personId(user), name: nameOf(user), email: user.email || email, active: user.active };
  }

  async function membersOf(subject: Subject): Promise<readonly Person[]> {
    switch (subject.kind) {
      case 'everyone':
      case 'workload':
        // Who may be asked is everyone; who is asked by name is nobody, and a pipeline answers nothing.
        return [];
      case 'user':
        return collect([async () => known(await written(subject.email), subject.email)], subject.kind);
      case 'on-call': {
        const entries = await look.onCall(subject.source);
        return collect(
          entries.map((entry) => () => onCallPerson(entry)),
          subject.kind,
        );
      }
      case 'group': {
        const { groupId } = await trusted(subject.directory, subject.group);
        const members = (await look.members(subject.directory, groupId))
          .filter((member) => member.active)
          .slice(0, TRIED_MOST);
        return collect(
          members.map((member) => async () => {
            if (subject.directory === identityDirectory) return known(member, member.email);
            return known(await look.userByEmail(identityDirectory, member.email), member.email);
          }),
          subject.kind,
          ASKED_MOST,
        );
      }
    }
  }

  /** With `most`, only people who can be written to are taken, up to that many. */
  async function collect(
    resolvers: readonly (() => Promise<Person>)[],
    kind: string,
    most?: number,
  ): Promise<readonly Person[]> {
    const found = new Map<PersonId, Person>();
    for (const resolve of resolvers) {
      if (most !== undefined && found.size >= most) break;
      try {
        const person = await resolve();
        const accounts = await accountsFor(person);
        const account = accounts[0];
        if (most === undefined || account !== undefined)
          found.set(person.id, account === undefined ? person : { ...person, account, accounts });
      } catch (error) {
        metrics.count('hallpass_people_unmapped_total', {
          subject: kind,
          code: error instanceof PeopleError ? error.code : 'unexpected',
        });
      }
    }
    return [...found.values()];
  }

  /** One for each platform that there is; the account that the person was seen with goes first. */
  async function accountsFor(person: Person): Promise<readonly AccountRef[]> {
    const platforms = (['slack', 'teams'] as const).filter((platform) => options.accounts[platform] !== undefined);
    const known = person.account;
    const others = platforms.filter((platform) => platform !== known?.platform);
    const found = await Promise.all(others.map((platform) => accountFor(person, platform)));
    return [...(known === undefined ? [] : [known]), ...found.filter((account) => account !== undefined)];
  }

  /** Where to write to a person; absent when nobody can tell, since that must not keep the others from being asked. */
  async function accountFor(person: Person, platform: AccountRef['platform']): Promise<AccountRef | undefined> {
    try {
      const pinned = await look.accountOf(person.id, platform);
      if (pinned !== undefined) return pinned;
      const { match, people, workspaces } = settings();
      const email = person.email.toLowerCase();
      const stated = Object.keys(people)
        .filter((candidate) => people[candidate]?.toLowerCase() === email)
        .map((key) => accountRef(key, workspaces?.[0] ?? ''))
        .find((account) => account?.platform === platform);
      if (stated !== undefined) {
        const facts = employee(stated, await look.account(stated));
        return facts.account.tenant === '' ? undefined : facts.account;
      }
      if (match !== 'confirmed-email') return undefined;
      const facts = await look.accountByEmail(platform, person.email);
      if (facts === undefined || !facts.emailConfirmed || facts.email?.toLowerCase() !== email) return undefined;
      // A profile's email can be somebody else's login: the account must lead back to this very person.
      const owner = await look.userByEmail(identityDirectory, facts.email);
      if (owner === undefined || personId(owner) !== person.id) return undefined;
      return employee(facts.account, facts).account;
    } catch {
      return undefined;
    }
  }

  return { ownerOf, identify, holds, membersOf, named, stated, byId, userIn, group };
}

/** Own keys only: an account called `constructor` must not be found. */
function own(record: Readonly<Record<string, string>>, key: string): string | undefined {
  return Object.hasOwn(record, key) ? record[key] : undefined;
}

/** The directory's name, else the platform's, else the login: nobody is anonymous to an approver. */
function nameOf(user: DirectoryUser, otherwise = ''): string {
  return cleanName(user.name) || otherwise || cleanName(user.login);
}

function accountRef(key: string, tenant: string): AccountRef | undefined {
  const full = /^(slack|teams):([^/]+)\/(.+)$/.exec(key);
  if (full !== null)
    return { platform: full[1] === 'teams' ? 'teams' : 'slack', tenant: full[2] ?? '', id: full[3] ?? '' };
  return key.includes(':') ? undefined : { platform: 'slack', tenant, id: key };
}

function tenantsOf(settings: PeopleSettings, platform: AccountRef['platform']): readonly string[] | undefined {
  return platform === 'slack' ? settings.workspaces : settings.tenants;
}

function platformName(account: AccountRef): string {
  return account.platform === 'slack' ? 'Slack' : 'Teams';
}
