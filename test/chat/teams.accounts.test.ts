/**
 * Who Teams says somebody is. The promise: a guest, a bot, a stranger or an address that anybody can set is never taken
 * for an employee, and what Teams does not say speaks for nobody.
 */
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { AccountRef } from '../../src/access/model.ts';
import { readMember } from '../../src/chat/teams/accounts.ts';
import { isServiceUrl } from '../../src/chat/teams/wire.ts';
import {
  ANA,
  BEN,
  type Connector,
  deliver,
  member,
  OTHER_TENANT,
  startConnector,
  startTeams,
  TENANT,
  typed,
} from './teams-support.ts';

let connector: Connector;
beforeEach(async () => {
  connector = await startConnector();
});
afterEach(() => connector.close());

const ana: AccountRef = { platform: 'teams', tenant: TENANT, id: ANA };
const facts = (more: object) => readMember(member('ana', ANA, more), [TENANT])?.facts;

it('an employee is known by object id and tenant, and by the principal name', () => {
  expect(facts({ email: 'somebody-else@example.com' })).toMatchObject({
    account: ana,
    email: 'ana@example.com',
    emailConfirmed: true,
    guest: false,
    bot: false,
    foreign: false,
  });
});

it.each<[string, object, object]>([
  ['a guest, by role', { userRole: 'guest' }, { guest: true }],
  [
    'a guest, by name',
    { userPrincipalName: 'ana_evil.com#EXT#@acme.onmicrosoft.com' },
    { guest: true, emailConfirmed: false },
  ],
  ['somebody without a role', { userRole: undefined }, { guest: true }],
  ['somebody anonymous', { userRole: 'anonymous' }, { guest: true }],
  ['somebody without a principal name', { userPrincipalName: undefined }, { guest: true, emailConfirmed: false }],
  ['somebody of another tenant', { tenantId: OTHER_TENANT }, { foreign: true }],
  ['somebody of no tenant', { tenantId: undefined }, { foreign: true }],
  ['a bot', { id: '28:bot' }, { bot: true }],
])('%s is nobody to act for', (_what, more, expected) => {
  expect(facts(more)).toMatchObject(expected);
});

it('somebody without an object id is nobody at all', () => {
  expect(facts({ aadObjectId: undefined })).toBeUndefined();
});

it('before anything has come from Teams nobody can be looked up, and that is said', async () => {
  const { teams } = startTeams({ connector });
  await expect(teams.accounts.lookup(ana)).rejects.toMatchObject({ code: 'unavailable' });
  expect(teams.facts()).toMatchObject({ ready: false });
});

it('somebody who wrote is looked up where they wrote, and an answer about somebody else is not taken', async () => {
  const { teams } = startTeams({ connector });
  await deliver(teams, typed(connector.url, 'help'));
  await teams.stop(1_000);
  expect(teams.facts()).toEqual({ ready: true });
  expect(await teams.accounts.lookup(ana)).toMatchObject({ account: ana, name: 'Ana Sousa', zone: 'Europe/Berlin' });
  connector.respond = ({ path }) => (path.includes('/members/') ? { body: member('ben', BEN) } : undefined);
  expect(await teams.accounts.lookup(ana)).toBeUndefined();
});

it('somebody who never wrote is found by principal name in the team of the approvals channel', async () => {
  const { teams, store } = startTeams({ connector });
  await deliver(teams, typed(connector.url, '', { type: 'conversationUpdate', text: undefined }));
  expect(await teams.accounts.byEmail('Ben@example.com')).toMatchObject({ account: { id: BEN } });
  // Where Teams takes no principal name, the roster is read.
  connector.respond = ({ path }) => (path.endsWith('@example.com') ? { status: 404 } : undefined);
  expect(await teams.accounts.byEmail('ben@example.com')).toMatchObject({ account: { id: BEN } });
  expect(await teams.accounts.byEmail('eve@example.com')).toBeUndefined();
  expect(store.rows.get(`teams:person:${TENANT}/${BEN}`)).toMatchObject({ user: '29:ben', name: 'Ben Okafor' });
});

it('a place that was learnt survives a restart', async () => {
  const { teams, store } = startTeams({ connector });
  await deliver(teams, typed(connector.url, 'help'));
  await teams.stop(1_000);
  const again = startTeams({ connector, store });
  await again.teams.start();
  expect(again.teams.facts()).toEqual({ ready: true });
});

it.each([
  ['https://smba.trafficmanager.net/emea/', true],
  ['https://smba.trafficmanager.net.evil.com/', false],
  ['https://evil.com/smba.trafficmanager.net', false],
  ['http://smba.trafficmanager.net/', false],
  ['https://smba.trafficmanager.net:8443/', false],
  ['https://user@smba.trafficmanager.net/', false],
  ['https://europe.directline.botframework.com/', true],
  ['https://notbotframework.com/', false],
  ['https://127.0.0.1/', false],
  ['file:///etc/passwd', false],
  ['', false],
])('our token goes to %s: %s', (url, may) => {
  expect(isServiceUrl(url, false)).toBe(may);
});
