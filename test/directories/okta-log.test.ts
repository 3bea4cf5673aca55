/** Who was added to a group, by Okta's own log: what is ours, what is somebody else's, told once and in order. */
import { generateKeyPairSync } from 'node:crypto';
import { afterEach, describe, expect, test } from 'vitest';
import type { Clock, Metrics } from '../../src/access/ports.ts';
import { createOkta, type OktaSection } from '../../src/directories/okta.ts';
import { additionsQuery, processAdditions } from '../../src/directories/okta-log.ts';
import { type OktaServer, startOktaServer } from '../../src/sandbox/okta-server.ts';

const clock: Clock = { now: () => Date.now(), monotonic: () => performance.now() };
const metrics: Metrics = { count: () => {}, observe: () => {} };
const user = (n: number) => `00u${String(n).padStart(17, '0')}`;
const group = (n: number) => `00g${String(n).padStart(17, '0')}`;
const AT = Date.parse('2026-11-23T12:00:00Z');

let server: OktaServer;
afterEach(() => server?.close());

const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const privateKey = pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
const publicKey = pair.publicKey.export({ type: 'spki', format: 'pem' }).toString();

async function connect(auth: OktaSection['auth'], scopes?: readonly string[]) {
  server = await startOktaServer({
    pageMax: 2,
    seed: {
      users: [1, 2, 3, 4, 5].map((n) => ({ id: user(n), login: `u${n}@acme.example`, email: '', name: `U ${n}` })),
      groups: [
        { id: group(1), name: 'prod-db-read' },
        { id: group(2), name: 'other' },
      ],
      tokens: [{ token: 'good' }],
      clients: [{ clientId: '0oaHallpass', publicKey, ...(scopes === undefined ? {} : { scopes }) }],
    },
  });
  return createOkta({
    name: 'okta',
    section: { type: 'okta', url: server.url, auth },
    keyText: privateKey,
    clock,
    metrics,
    jitter: () => 0,
  });
}

const APP = {
  clientId: '0oaHallpass',
  keyFile: 'okta.pem',
  scopes: ['okta.groups.manage', 'okta.users.read', 'okta.logs.read'],
};

describe.each([
  ['an API token', { token: 'good' }],
  ['a service app', APP],
] as const)('with %s', (_, auth) => {
  test('additions of ours are told apart from those of an administrator, over all pages and for one group', async () => {
    const okta = await connect(auth, APP.scopes);
    const since = Date.now() - 1_000;
    for (const n of [1, 2, 3, 4]) await okta.add(group(1), user(n));
    await okta.add(group(2), user(5));
    server.control({ do: 'add-member', group: group(1), user: user(5) });
    const additions = (await okta.additions?.(group(1), since)) ?? [];
    expect(additions.map(({ userId, byUs }) => [userId, byUs])).toEqual([
      [user(1), true],
      [user(2), true],
      [user(3), true],
      [user(4), true],
      [user(5), false],
    ]);
    expect(additions[0]).toMatchObject({ login: 'u1@acme.example' });
    expect(await okta.additions?.(group(1), Date.now() + 60_000)).toEqual([]);
  });
});

test('a service app that may not read the log is refused, and nothing is guessed', async () => {
  const okta = await connect({ clientId: '0oaHallpass', keyFile: 'okta.pem' });
  await expect(okta.additions?.(group(1), 0)).rejects.toMatchObject({ code: 'rejected' });
});

describe('reading a page of the log', () => {
  const event = (more: object = {}) => ({
    uuid: 'u-1',
    published: '2026-11-23T12:00:00.000Z',
    eventType: 'group.user_membership.add',
    outcome: { result: 'SUCCESS' },
    actor: { id: '00uowner', type: 'User' },
    transaction: { detail: { requestApiTokenId: '00T1' } },
    target: [
      { id: group(1), type: 'UserGroup' },
      { id: user(1), type: 'User', alternateId: 'u1@acme.example' },
    ],
    ...more,
  });
  const asked = { directory: 'okta', operation: 'read_log', write: false, secrets: [] };
  const from = new URL('https://acme.okta.example/api/v1/logs');
  const read = (...events: object[]) =>
    processAdditions(asked, { status: 200, headers: new Headers(), body: JSON.stringify(events) }, AT, from, group(1), {
      ownerId: '00uowner',
    }).items.map(({ userId, byUs }) => `${userId} ${byUs}`);

  test('targets are found by their type, wherever they stand', () => {
    expect(read(event())).toEqual([`${user(1)} true`]);
  });

  test.each([
    ['in the console, without a token', event({ transaction: { detail: {} } })],
    ['by another administrator with a token', event({ actor: { id: '00uother' } })],
    ['by nobody that is named', event({ actor: null, transaction: null })],
  ])('what was added %s is not ours', (_, one) => {
    expect(read(one)).toEqual([`${user(1)} false`]);
  });

  test.each([
    ['that failed', event({ outcome: { result: 'FAILURE' } })],
    ['that was a removal', event({ eventType: 'group.user_membership.remove' })],
    [
      'of another group',
      event({
        target: [
          { id: group(2), type: 'UserGroup' },
          { id: user(1), type: 'User' },
        ],
      }),
    ],
    [
      'whose user has no id that could be asked for',
      event({
        target: [
          { id: group(1), type: 'UserGroup' },
          { id: '../x', type: 'User' },
        ],
      }),
    ],
    ['without targets', event({ target: null })],
  ])('an event %s is no addition', (_, one) => {
    expect(read(one)).toEqual([]);
  });

  test('what is not a log is refused', () => {
    expect(() => read({ uuid: 1 })).toThrow(/unreadable answer/);
  });

  test('the query has an end, so that its pages have one', () => {
    expect(additionsQuery(group(1), AT, AT + 1_000)).toMatchObject({
      since: '2026-11-23T12:00:00.000Z',
      until: '2026-11-23T12:00:01.000Z',
      sortOrder: 'ASCENDING',
    });
  });
});
