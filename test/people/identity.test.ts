/**
 * Who an account is, and whom a subject stands for. The promise: nobody becomes somebody else, by a name, a re-used
 * email, a lenient directory or an outage; and what cannot be looked up approves nothing.
 */
import { beforeEach, expect, test } from 'vitest';
import type { AccountRef, DirectoryUser, Pin, PinnedGroup, Session, Workload } from '../../src/access/model.ts';
import {
  type AccountFacts,
  type Directory,
  DirectoryError,
  type DirectoryGroup,
  MessengerError,
  type OnCallEntry,
  type People,
} from '../../src/access/ports.ts';
import { createPeople, type PeopleSettings } from '../../src/people/identity.ts';

const ref = (id: string, tenant = 'T1'): AccountRef => ({ platform: 'slack', tenant, id });
const fact = (id: string, email: string | undefined, more: Partial<AccountFacts> = {}): AccountFacts => ({
  account: ref(id),
  name: id,
  ...(email !== undefined && { email }),
  emailConfirmed: true,
  deleted: false,
  bot: false,
  guest: false,
  foreign: false,
  ...more,
});
const user = (id: string, email: string, more: Partial<DirectoryUser> = {}): DirectoryUser => ({
  directory: 'okta',
  id,
  login: email,
  email,
  name: id,
  active: true,
  ...more,
});

let now: number;
let calls: string[];
let down: Set<string>;
let accounts: Map<string, AccountFacts>;
let users: Map<string, DirectoryUser[]>;
let groups: Map<string, (DirectoryGroup & { members: string[] })[]>;
let shift: OnCallEntry[];
let pinnedAccounts: Map<string, string>;
let pinnedGroups: Map<string, PinnedGroup>;
let settings: PeopleSettings;
let people: People;
let counted: string[];
let pins: Map<string, string>;
let disputes: string[];
let sessions: Map<string, Session>;
let workloads: string[];
let trusted: { directory: string; group: string; by: string }[];

function directory(name: string): Directory {
  const reach = (what: string): void => {
    calls.push(`${name}.${what}`);
    if (down.has(name)) throw new DirectoryError(name, 'unavailable', 'no answer');
  };
  const all = (): DirectoryUser[] => users.get(name) ?? [];
  const group = (id: string) => groups.get(name)?.find((candidate) => candidate.id === id);
  return {
    name,
    lagMs: 0,
    callDeadlineMs: 1000,
    async findGroup(wanted) {
      reach('findGroup');
      return groups.get(name)?.find((candidate) => candidate.id === wanted || candidate.name === wanted);
    },
    async findUser(login) {
      reach('findUser');
      // Lenient on purpose, as some search endpoints are: a display name is no login.
      const found = all().filter((one) => one.login === login.toLowerCase() || one.name === login);
      if (found.length > 1) throw new DirectoryError(name, 'rejected', `several people are called ${login}`);
      return found[0];
    },
    async getUser(id) {
      reach('getUser');
      return all().find((one) => one.id === id);
    },
    async isMember(groupId, userId) {
      reach('isMember');
      const found = group(groupId);
      if (found === undefined) throw new DirectoryError(name, 'not_found', 'no group', { missing: 'group' });
      return found.members.includes(userId);
    },
    add: () => Promise.reject(new Error('people never change a directory')),
    remove: () => Promise.reject(new Error('people never change a directory')),
    async listMembers(groupId) {
      reach('listMembers');
      return all().filter((one) => group(groupId)?.members.includes(one.id));
    },
  };
}

beforeEach(() => {
  now = 0;
  calls = [];
  down = new Set();
  counted = [];
  pins = new Map();
  disputes = [];
  sessions = new Map();
  workloads = ['deploy'];
  trusted = [];
  accounts = new Map([
    ['UANN', fact('UANN', 'ann@acme.com', { zone: 'Asia/Tokyo' })],
    ['UBEN', fact('UBEN', 'ben@acme.com')],
  ]);
  users = new Map([
    ['okta', [user('00uann', 'ann@acme.com'), user('00uben', 'ben@acme.com'), user('00ucat', 'cat@acme.com')]],
    ['google', [user('g1', 'ann@acme.com', { directory: 'google' })]],
  ]);
  groups = new Map([
    [
      'okta',
      [
        { id: '00gdba', name: 'dba', members: ['00uben', '00ucat'] },
        { id: '00grule', name: 'fed-by-rule', members: ['00uann'], unmanageable: 'it is fed by a group rule' },
      ],
    ],
    ['google', [{ id: 'gg1', name: 'admins@acme.com', members: ['g1'] }]],
  ]);
  shift = [{ email: 'ben@acme.com' }];
  pinnedAccounts = new Map();
  pinnedGroups = new Map();
  settings = { match: 'confirmed-email', people: {} };
  const reach = (): void => {
    if (down.has('slack')) throw new MessengerError('unavailable', 'no answer');
  };
  people = createPeople({
    accounts: {
      slack: {
        async lookup(account) {
          calls.push('slack.lookup');
          reach();
          return accounts.get(account.id);
        },
        async byEmail(email) {
          reach();
          return [...accounts.values()].find((one) => one.email === email);
        },
        groupMembers: async () => [],
      },
    },
    directories: new Map([
      ['okta', directory('okta')],
      ['google', directory('google')],
    ]),
    identityDirectory: 'okta',
    settings: () => settings,
    session: async (id) => sessions.get(id),
    workloads: () => workloads,
    onCall: new Map([
      [
        'web',
        {
          async now() {
            if (down.has('web')) throw new Error('no answer');
            return shift;
          },
        },
      ],
    ]),
    store: {
      async pinAccount(account, person) {
        const known = pinnedAccounts.get(account.id) ?? person;
        pinnedAccounts.set(account.id, known);
        return known;
      },
      async pin({ space, name, id }: Pin) {
        const known = pins.get(`${space} ${name}`) ?? id;
        pins.set(`${space} ${name}`, known);
        return known;
      },
      pinned: async (space, name) => pins.get(`${space} ${name}`),
      async pinGroup(group) {
        const key = `${group.directory}/${group.groupName}`;
        const known = pinnedGroups.get(key) ?? group;
        pinnedGroups.set(key, known);
        return known;
      },
      pinnedGroup: async (name, group) => pinnedGroups.get(`${name}/${group}`),
      accountOf: async (person) => {
        const id = [...pinnedAccounts].find(([, known]) => known === person)?.[0];
        return id === undefined ? undefined : ref(id);
      },
    },
    clock: { now: () => now, monotonic: () => now },
    metrics: { count: (name, labels) => counted.push(`${name} ${labels?.code}`), observe: () => {} },
    trusted: () => trusted,
    disputed: async ({ key, detail }) => void disputes.push(`${key}: ${detail}`),
  });
});

const ann = () => people.identify(ref('UANN'));
const ben = () => people.identify(ref('UBEN'));

test('a confirmed email of the workspace leads to the directory user, whose immutable id is the person', async () => {
  expect(await ann()).toEqual({
    id: 'okta/00uann',
    name: '00uann',
    email: 'ann@acme.com',
    zone: 'Asia/Tokyo',
    account: ref('UANN'),
    active: true,
  });
});

test.each([
  ['a guest', { guest: true }, 'guest'],
  ['a bot', { bot: true }, 'bot'],
  ['a deactivated account', { deleted: true }, 'deactivated'],
  ['an account of another workspace', { foreign: true }, 'foreign'],
  ['an email that is not confirmed', { emailConfirmed: false }, 'unmapped'],
] as const)('%s is nobody we act for', async (_what, more, code) => {
  accounts.set('UANN', fact('UANN', 'ann@acme.com', more));
  await expect(ann()).rejects.toMatchObject({ code });
  expect(pinnedAccounts.size).toBe(0);
});

test('an account of a workspace that is not listed is foreign, whatever the platform thinks of it', async () => {
  settings = { ...settings, workspaces: ['T2'] };
  await expect(ann()).rejects.toMatchObject({ code: 'foreign' });
});

test('without the rule that emails may be trusted, only the map says who an account is', async () => {
  settings = { people: {} };
  await expect(ann()).rejects.toMatchObject({ code: 'unmapped', message: expect.stringContaining('people:') });
  settings = { people: { 'slack:T1/UANN': 'cat@acme.com' } };
  expect((await ann()).id).toBe('okta/00ucat');
  await expect(people.identify(ref('constructor'))).rejects.toMatchObject({ code: 'unmapped' });
});

test('somebody deactivated in the directory may not act, nor somebody it does not know', async () => {
  users.set('okta', [user('00uann', 'ann@acme.com', { active: false })]);
  await expect(ann()).rejects.toMatchObject({ code: 'deactivated' });
  await expect(ben()).rejects.toMatchObject({ code: 'unmapped' });
});

test('an email that now belongs to somebody else does not carry the old account over', async () => {
  await ann();
  users.set('okta', [user('00unew', 'ann@acme.com')]);
  now += 60_001;
  await expect(ann()).rejects.toMatchObject({ code: 'identity_changed' });
  expect(disputes).toEqual([
    'account slack:T1/UANN okta/00unew: The Slack account T1/UANN was okta/00uann when Hallpass first saw it; now it leads to okta/00unew (ann@acme.com). It may not act. If that is right: hallpass forget account slack:T1/UANN <reason>',
  ]);
});

test('an account whose email was changed to a colleague’s does not become that colleague', async () => {
  await ann();
  accounts.set('UANN', fact('UANN', 'ben@acme.com'));
  now += 60_001;
  await expect(ann()).rejects.toMatchObject({ code: 'identity_changed' });
  expect(disputes).toHaveLength(1);
  accounts.set('UANN', fact('UANN', 'ann@acme.com'));
  now += 60_001;
  expect((await ann()).id).toBe('okta/00uann');
});

test('two accounts of one person are one person, each mapped in the file or by its email', async () => {
  settings = { match: 'confirmed-email', people: { UANN2: 'ann@acme.com', 'slack:T1/UANN3': 'ANN@acme.com' } };
  for (const id of ['UANN2', 'UANN3']) accounts.set(id, fact(id, 'somebody@else.com'));
  const ids = await Promise.all(['UANN', 'UANN2', 'UANN3'].map(async (id) => (await people.identify(ref(id))).id));
  expect(ids).toEqual(['okta/00uann', 'okta/00uann', 'okta/00uann']);
});

test('an email in another directory that is given to somebody else takes no access along', async () => {
  expect((await people.userIn('google', 'okta/00uann')).id).toBe('g1');
  users.set('google', [user('g2', 'ann@acme.com', { directory: 'google' })]);
  now += 60_001;
  await expect(people.userIn('google', 'okta/00uann')).rejects.toMatchObject({ code: 'identity_changed' });
  expect(disputes).toEqual([expect.stringContaining('was the account g1 and is now g2')]);
});

test('an account that was renamed in another directory is still the same account', async () => {
  await people.userIn('google', 'okta/00uann');
  users.set('google', [user('g1', 'ann.married@acme.com', { directory: 'google' })]);
  now += 60_001;
  expect((await people.userIn('google', 'okta/00uann')).id).toBe('g1');
  users.set('google', []);
  now += 60_001;
  await expect(people.userIn('google', 'okta/00uann')).rejects.toMatchObject({ code: 'unmapped' });
  expect(disputes).toEqual([]);
});

test('an account of one person that is renamed to another’s email is nobody else’s', async () => {
  await people.userIn('google', 'okta/00uann');
  users.set('google', [user('g1', 'ben@acme.com', { directory: 'google' })]);
  now += 60_001;
  await expect(people.userIn('google', 'okta/00uben')).rejects.toMatchObject({ code: 'identity_changed' });
  expect(disputes).toEqual([expect.stringContaining("was okta/00uann's; now its email is okta/00uben's")]);
  // Being looked at under another name has claimed nothing.
  expect((await people.userIn('google', 'okta/00uann')).id).toBe('g1');
});

test('an email written in the file stands for whoever it was at first, not for the next one who gets it', async () => {
  const subject = { kind: 'user', email: 'Ben@acme.com' } as const;
  expect(await people.holds(subject, await ben())).toBe(true);
  users.set('okta', [user('00unew', 'ben@acme.com'), user('00uann', 'ann@acme.com')]);
  accounts.set('UNEW', fact('UNEW', 'ben@acme.com'));
  now += 60_001;
  const next = await people.identify(ref('UNEW'));
  await expect(people.holds(subject, next)).rejects.toMatchObject({ code: 'identity_changed' });
  // For anybody else it is simply not them.
  expect(await people.holds(subject, await ann())).toBe(false);
  expect(await people.membersOf(subject)).toEqual([]);
  expect(disputes[0]).toContain('Ben@acme.com in the configuration was okta/00uben and is now okta/00unew');
  shift = [{ email: 'ben@acme.com', written: true }];
  expect(await people.holds({ kind: 'on-call', source: 'web' }, next)).toBe(false);
  // A schedule that is kept elsewhere says whom it means today.
  shift = [{ email: 'ben@acme.com' }];
  now += 60_001;
  expect(await people.holds({ kind: 'on-call', source: 'web' }, next)).toBe(true);
});

test('two people of one email are ambiguous, and neither is taken', async () => {
  accounts.set('UZOE', fact('UZOE', 'zoe@acme.com'));
  users.get('okta')?.push(user('00uz1', 'zoe@acme.com'), user('00uz2', 'zoe@acme.com'));
  await expect(people.identify(ref('UZOE'))).rejects.toMatchObject({ code: 'ambiguous' });
});

test('a directory that answers with somebody else than was asked for is not believed', async () => {
  accounts.set('UANN', fact('UANN', 'ANN@acme.com'));
  expect((await ann()).id).toBe('okta/00uann');
  users.set('okta', [user('00uother', 'zoe@acme.com', { name: 'ben@acme.com' })]);
  await expect(ben()).rejects.toMatchObject({ code: 'unmapped' });
});

test.each(['slack', 'okta'])('while %s is away nobody is identified', async (part) => {
  down.add(part);
  await expect(ann()).rejects.toMatchObject({ code: 'unavailable' });
});

test('an answer is used for a minute and no longer, and ten at once ask only once', async () => {
  await Promise.all(Array.from({ length: 10 }, () => ann()));
  expect(calls).toEqual(['slack.lookup', 'okta.findUser']);
  now += 60_000;
  await ann();
  expect(calls).toHaveLength(2);
  now += 1;
  accounts.set('UANN', fact('UANN', 'ann@acme.com', { deleted: true }));
  await expect(ann()).rejects.toMatchObject({ code: 'deactivated' });
});

test('a failure is not remembered', async () => {
  down.add('okta');
  await expect(ann()).rejects.toMatchObject({ code: 'unavailable' });
  down.clear();
  expect((await ann()).id).toBe('okta/00uann');
});

test('subjects hold the people they name, by immutable ids', async () => {
  const [a, b] = [await ann(), await ben()];
  const dba = { kind: 'group', directory: 'okta', group: 'dba' } as const;
  const web = { kind: 'on-call', source: 'web' } as const;
  expect(await people.holds({ kind: 'everyone' }, a)).toBe(true);
  expect(await people.holds({ kind: 'user', email: 'ANN@acme.com' }, a)).toBe(true);
  expect(await people.holds({ kind: 'user', email: 'ann@acme.com' }, b)).toBe(false);
  expect([await people.holds(dba, a), await people.holds(dba, b)]).toEqual([false, true]);
  expect([await people.holds(web, a), await people.holds(web, b)]).toEqual([false, true]);
  expect(await people.holds({ kind: 'group', directory: 'google', group: 'admins@acme.com' }, a)).toBe(true);
  expect(await people.holds({ kind: 'group', directory: 'google', group: 'admins@acme.com' }, b)).toBe(false);
  expect(await people.holds({ kind: 'everyone' }, { ...a, active: false })).toBe(false);
});

test('what cannot be looked up is not held, and says so', async () => {
  const b = await ben();
  down.add('okta').add('web');
  now += 60_001;
  for (const subject of [
    { kind: 'user', email: 'ben@acme.com' },
    { kind: 'group', directory: 'okta', group: 'dba' },
    { kind: 'on-call', source: 'web' },
    { kind: 'on-call', source: 'nowhere' },
    { kind: 'group', directory: 'nowhere', group: 'dba' },
  ] as const)
    await expect(people.holds(subject, b)).rejects.toMatchObject({ name: 'PeopleError' });
});

test('a trusted group that was re-created under its old name is not the trusted group', async () => {
  const b = await ben();
  const dba = { kind: 'group', directory: 'okta', group: 'dba' } as const;
  expect(await people.holds(dba, b)).toBe(true);
  groups.set('okta', [{ id: '00gevil', name: 'dba', members: ['00uben'] }]);
  now += 60_001;
  await expect(people.holds(dba, b)).rejects.toMatchObject({ code: 'unavailable' });
});

test('one colleague on call who cannot be mapped does not keep the others from answering', async () => {
  shift = [{ account: ref('UGONE') }, { email: 'ben@acme.com' }];
  expect(await people.holds({ kind: 'on-call', source: 'web' }, await ben())).toBe(true);
  expect(await people.holds({ kind: 'on-call', source: 'web' }, await ann())).toBe(false);
  expect((await people.membersOf({ kind: 'on-call', source: 'web' })).map((one) => one.id)).toEqual(['okta/00uben']);
  expect(counted).toEqual(['hallpass_people_unmapped_total unmapped']);
});

test('asking a group asks its active members who can be written to, and asking everyone asks nobody', async () => {
  const asked = await people.membersOf({ kind: 'group', directory: 'okta', group: 'dba' });
  expect(asked.map((one) => [one.id, one.account?.id])).toEqual([['okta/00uben', 'UBEN']]);
  expect(await people.membersOf({ kind: 'everyone' })).toEqual([]);
});

test('a large group is asked up to twenty people', async () => {
  const many = Array.from({ length: 70 }, (_, i) => user(`00u${i}`, `p${i}@acme.com`));
  users.set('okta', many);
  groups.set('okta', [{ id: '00gdba', name: 'dba', members: many.map((one) => one.id) }]);
  for (const [i, one] of many.entries()) accounts.set(`U${i}`, fact(`U${i}`, one.email));
  expect(await people.membersOf({ kind: 'group', directory: 'okta', group: 'dba' })).toHaveLength(20);
});

test('a guest is never asked, even when the directory has them in the group', async () => {
  accounts.set('UBEN', fact('UBEN', 'ben@acme.com', { guest: true }));
  expect(await people.membersOf({ kind: 'group', directory: 'okta', group: 'dba' })).toEqual([]);
});

test("a person's account in another directory is found by email", async () => {
  expect((await people.userIn('okta', 'okta/00uann')).id).toBe('00uann');
  expect((await people.userIn('google', 'okta/00uann')).id).toBe('g1');
  await expect(people.userIn('google', 'okta/00uben')).rejects.toMatchObject({ code: 'unmapped' });
  await expect(people.userIn('okta', 'entra/00uann')).rejects.toMatchObject({ code: 'unmapped' });
});

test('a group to be managed is pinned, refused when unknown, re-created or fed by a rule, and named in the refusal', async () => {
  expect(await people.group('okta', 'dba')).toEqual({ directory: 'okta', groupId: '00gdba', groupName: 'dba' });
  await expect(people.group('okta', 'nope')).rejects.toMatchObject({
    code: 'rejected',
    message: expect.stringContaining('"nope"'),
  });
  await expect(people.group('okta', 'fed-by-rule')).rejects.toMatchObject({
    code: 'rejected',
    message: expect.stringContaining('fed by a group rule'),
  });
  groups.set('okta', [{ id: '00gevil', name: 'dba', members: [] }]);
  now += 60_001;
  await expect(people.group('okta', 'dba')).rejects.toMatchObject({ message: expect.stringContaining('re-created') });
});

test('a pinned group stays known while its directory is away, and through a change of its name', async () => {
  const pinned = await people.group('okta', 'dba');
  down.add('okta');
  now += 60_001;
  expect(await people.group('okta', 'dba')).toEqual(pinned);
  await expect(people.group('okta', 'other')).rejects.toMatchObject({ code: 'unavailable' });
  down.clear();
  groups.set('okta', [{ id: '00gdba', name: 'database-admins', members: [] }]);
  expect(await people.group('okta', 'dba')).toEqual(pinned);
});

test('a group that gives authority under another name is not given out, neither by name nor by id', async () => {
  trusted = [{ directory: 'okta', group: '00gdba', by: 'policies.standard.approvers[0]' }];
  await expect(people.group('okta', 'dba')).rejects.toMatchObject({
    code: 'rejected',
    message:
      'The group "dba" of "okta" is the one that policies.standard.approvers[0] trusts as "00gdba": whoever got it would also get that authority.',
  });
  trusted = [{ directory: 'google', group: 'dba', by: 'admins[0]' }];
  expect((await people.group('okta', 'dba')).groupId).toBe('00gdba');
  trusted = [{ directory: 'okta', group: 'dba', by: 'admins[0]' }];
  await expect(people.group('okta', '00gdba')).rejects.toMatchObject({ code: 'rejected' });
});

test('a trusted group that cannot be looked up might be the one that is asked for, so nothing is given', async () => {
  await people.group('okta', 'dba');
  trusted = [{ directory: 'okta', group: 'leads', by: 'admins[0]' }];
  now += 60_001;
  down.add('okta');
  await expect(people.group('okta', 'dba')).rejects.toMatchObject({ code: 'unavailable' });
  down.clear();
  expect((await people.group('okta', 'dba')).groupId).toBe('00gdba');
});

function aSession(change: Partial<Session> = {}): void {
  const session: Session = {
    id: 'S-1',
    version: 1,
    kind: 'web',
    secretHash: 'hash',
    person: 'okta/00uann',
    personName: 'Ann',
    scopes: [],
    createdAt: 0,
    createdBy: 'Ann',
    expiresAt: 1_000,
    ...change,
  };
  sessions.set(session.id, session);
}

test('whoever holds a session is the person it was given to, and is written to in chat', async () => {
  aSession();
  expect(await people.identify({ session: 'S-1' })).toEqual({
    id: 'okta/00uann',
    name: '00uann',
    email: 'ann@acme.com',
    account: ref('UANN'),
    accounts: [ref('UANN')],
    via: { kind: 'web', session: 'S-1' },
    active: true,
  });
});

test('a session that is over, was ended or was never begun is nobody', async () => {
  await expect(people.identify({ session: 'S-1' })).rejects.toMatchObject({ code: 'signed_out' });
  aSession({ endedAt: 0, endedBy: 'Sam' });
  await expect(people.identify({ session: 'S-1' })).rejects.toMatchObject({ code: 'signed_out' });
  aSession();
  now = 1_000;
  await expect(people.identify({ session: 'S-1' })).rejects.toMatchObject({ code: 'signed_out' });
});

test('a session holds no longer than the account in the directory, and is not believed while that cannot be asked', async () => {
  aSession({ expiresAt: 1_000_000 });
  users.set('okta', [user('00uann', 'ann@acme.com', { active: false })]);
  await expect(people.identify({ session: 'S-1' })).rejects.toMatchObject({ code: 'deactivated' });
  now += 60_001;
  down.add('okta');
  await expect(people.identify({ session: 'S-1' })).rejects.toMatchObject({ code: 'unavailable' });
});

const deploy: Workload = {
  name: 'deploy',
  run: 'github/1/2/1',
  runName: 'run 2',
  onBehalfOf: { person: 'okta/00ubob', name: 'Bob', email: 'bob@acme.com' },
};

test("a pipeline's job is its service person, is in its own workload, and in nothing that employees are in", async () => {
  users.set('okta', [user('00uann', 'ann@acme.com'), user('00ubob', 'bob@acme.com')]);
  aSession({ kind: 'workload', workload: deploy });
  const job = await people.identify({ session: 'S-1' });
  expect(job).toMatchObject({ id: 'okta/00uann', workload: deploy, via: { kind: 'workload' } });
  expect(await people.holds({ kind: 'workload', workload: 'deploy' }, job)).toBe(true);
  expect(await people.holds({ kind: 'workload', workload: 'release' }, job)).toBe(false);
  expect(await people.holds({ kind: 'everyone' }, job)).toBe(false);
  const { workload: _, ...person } = job;
  expect(await people.holds({ kind: 'workload', workload: 'deploy' }, person)).toBe(false);
});

test("a pipeline's job is nobody any more once its workload left the file, or whoever set it off left the company", async () => {
  users.set('okta', [user('00uann', 'ann@acme.com'), user('00ubob', 'bob@acme.com')]);
  aSession({ kind: 'workload', workload: deploy });
  workloads = [];
  await expect(people.identify({ session: 'S-1' })).rejects.toMatchObject({ code: 'signed_out' });
  workloads = ['deploy'];
  users.set('okta', [user('00uann', 'ann@acme.com'), user('00ubob', 'bob@acme.com', { active: false })]);
  await expect(people.identify({ session: 'S-1' })).rejects.toMatchObject({ code: 'deactivated' });
});
