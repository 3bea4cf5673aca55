/** One person with accounts on two platforms is one person: pinned once, asked on both, and let in only from our own. */
import { beforeEach, expect, test } from 'vitest';
import type { AccountRef } from '../../src/access/model.ts';
import type { AccountFacts, Accounts, Directory } from '../../src/access/ports.ts';
import { createPeople, type PeopleSettings } from '../../src/people/identity.ts';

const TENANT = '5a5a5a5a-0000-4000-8000-000000000001';
const SLACK: AccountRef = { platform: 'slack', tenant: 'T1', id: 'UBEN' };
const TEAMS: AccountRef = { platform: 'teams', tenant: TENANT, id: '5a5a5a5a-0000-4000-8000-0000000000b1' };

const facts = (account: AccountRef, more: Partial<AccountFacts> = {}): AccountFacts => ({
  account,
  name: 'Ben',
  email: 'ben@acme.com',
  emailConfirmed: true,
  deleted: false,
  bot: false,
  guest: false,
  foreign: false,
  ...more,
});

let settings: PeopleSettings;
let known: Map<string, AccountFacts>;
let pins: Map<string, string>;

const platform = (name: AccountRef['platform']): Accounts => ({
  lookup: async (account) => known.get(account.id),
  byEmail: async (email) =>
    [...known.values()].find((one) => one.account.platform === name && one.email === email.toLowerCase()),
  groupMembers: async () => [],
});

function people(platforms: readonly AccountRef['platform'][] = ['slack', 'teams']) {
  const ben = {
    directory: 'okta',
    id: '00uben',
    login: 'ben@acme.com',
    email: 'ben@acme.com',
    name: 'Ben',
    active: true,
  };
  const okta: Pick<Directory, 'findUser'> = { findUser: async (login) => (login === ben.login ? ben : undefined) };
  return createPeople({
    accounts: Object.fromEntries(platforms.map((name) => [name, platform(name)])),
    directories: new Map([['okta', okta as Directory]]),
    identityDirectory: 'okta',
    settings: () => settings,
    onCall: new Map([['dba', { now: async () => [{ email: 'ben@acme.com' }] }]]),
    store: {
      async pinAccount(account, person) {
        const key = JSON.stringify(account);
        pins.set(key, pins.get(key) ?? person);
        return pins.get(key) ?? person;
      },
      pin: async ({ id }) => id,
      pinned: async () => undefined,
      pinGroup: async (group) => group,
      pinnedGroup: async () => undefined,
      accountOf: async () => undefined,
    },
    disputed: async () => {},
    clock: { now: () => 0, monotonic: () => 0 },
    metrics: { count: () => {}, observe: () => {} },
  });
}

const onCall = async (platforms?: readonly AccountRef['platform'][]) =>
  (await people(platforms).membersOf({ kind: 'on-call', source: 'dba' }))[0]?.accounts;

beforeEach(() => {
  settings = { match: 'confirmed-email', people: {}, workspaces: ['T1'], tenants: [TENANT] };
  pins = new Map();
  known = new Map([
    [SLACK.id, facts(SLACK)],
    [TEAMS.id, facts(TEAMS)],
  ]);
});

test('both accounts lead to one person', async () => {
  const both = people();
  expect((await both.identify(SLACK)).id).toBe('okta/00uben');
  expect((await both.identify(TEAMS)).id).toBe('okta/00uben');
});

test('whoever is to be asked is asked on each platform there is, and on no other', async () => {
  expect(await onCall()).toEqual([SLACK, TEAMS]);
  expect(await onCall(['teams'])).toEqual([TEAMS]);
});

test('a platform that does not answer keeps nobody from being asked on the other', async () => {
  known.set(SLACK.id, facts(SLACK, { emailConfirmed: false }));
  expect(await onCall()).toEqual([TEAMS]);
});

test('a tenant that is not listed is foreign, whatever Teams thinks of it', async () => {
  settings = { ...settings, tenants: ['5a5a5a5a-0000-4000-8000-000000000002'] };
  await expect(people().identify(TEAMS)).rejects.toMatchObject({ code: 'foreign' });
  expect((await people().identify(SLACK)).id).toBe('okta/00uben');
});

test('without trusted emails the map names each account with its platform, its tenant and its id', async () => {
  settings = { people: {}, tenants: [TENANT] };
  await expect(people().identify(TEAMS)).rejects.toMatchObject({
    code: 'unmapped',
    message: expect.stringContaining(`teams:${TENANT}/${TEAMS.id}`),
  });
  // A bare id is Slack's; it must not open a Teams account that happens to be called the same.
  settings = { people: { [TEAMS.id]: 'ben@acme.com' }, tenants: [TENANT] };
  await expect(people().identify(TEAMS)).rejects.toMatchObject({ code: 'unmapped' });
  settings = { people: { [`teams:${TENANT}/${TEAMS.id}`]: 'ben@acme.com' }, tenants: [TENANT] };
  expect((await people().identify(TEAMS)).id).toBe('okta/00uben');
  expect(await onCall()).toEqual([TEAMS]);
});
