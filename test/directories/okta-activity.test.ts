/**
 * What people did, by Okta's own log: read on from where it was, over all pages and again after a restart, whatever order
 * it comes in; what cannot be read is left out, and a log that cannot be read is an error and never an empty one.
 */
import { afterEach, describe, expect, test } from 'vitest';
import type { ActivitySource, Told } from '../../src/access/activity.ts';
import { countryCode } from '../../src/directories/country.ts';
import { processActivity } from '../../src/directories/okta-activity.ts';
import { type OktaServer, startOktaServer } from '../../src/sandbox/okta-server.ts';
import { connect, userId } from './okta-local.ts';

let server: OktaServer;
afterEach(() => server?.close());

async function start(): Promise<ActivitySource> {
  server = await startOktaServer({
    pageMax: 2,
    seed: {
      users: [1, 2].map((n) => ({ id: userId(n), login: `u${n}@acme.example`, email: '', name: `U ${n}` })),
      groups: [],
      tokens: [{ token: '00canaryTokenThatNobodyMaySee' }],
    },
  });
  return source();
}

function source(): ActivitySource {
  const port = connect('token', server).activity?.('okta-log');
  if (port === undefined) throw new Error('Okta keeps a log');
  return port;
}

/** All there is from a place on, as the reader reads it. */
async function drain(port: ActivitySource, from?: string) {
  const told: Told[] = [];
  let cursor = from;
  for (;;) {
    const page = await port.read(cursor, Date.now() - 3_600_000);
    told.push(...page.told);
    cursor = page.cursor;
    if (!page.more) return { told, cursor };
  }
}

const actions = (told: readonly Told[]) => told.map(({ activity }) => activity.action);

describe('the log of the local Okta', () => {
  test('is read to its end, and from there on by whoever comes next', async () => {
    const port = await start();
    const deed = (eventType: string, more: object = {}) =>
      server.control({ do: 'deed', user: userId(1), eventType, ...more });
    deed('user.session.start', { ip: '192.0.2.7', country: 'Germany', os: 'Mac OS X' });
    deed('policy.rule.update', { target: 'Default policy' });
    deed('user.mfa.factor.reset_all', { result: 'DENY' });
    const first = await drain(port);
    expect(actions(first.told)).toEqual(['user.session.start', 'policy.rule.update', 'user.mfa.factor.reset_all']);
    expect(first.told[0]).toMatchObject({
      who: { directory: 'okta', id: userId(1) },
      activity: {
        source: 'okta-log',
        account: 'u1@acme.example',
        kind: 'login',
        outcome: 'success',
        ip: '192.0.2.7',
        country: 'DE',
        device: 'Mac OS X CHROME',
      },
    });
    expect(first.told[1]?.activity).toMatchObject({ kind: 'policy', resource: 'Default policy', country: '' });
    expect(first.told[2]?.activity).toMatchObject({ kind: 'factor', outcome: 'failure' });
    expect((await drain(port, first.cursor)).told).toEqual([]);

    // Written down late, and long before what was read already: it is not passed over.
    deed('system.api_token.create', { published: Date.now() - 600_000 });
    const later = await drain(source(), first.cursor);
    expect(later.told.map(({ activity }) => activity.kind)).toEqual(['credential']);
    // From the same place again comes the same again.
    expect((await drain(port, first.cursor)).told).toEqual(later.told);
  });

  test('is read from as far back as is of use when its place is not known any more', async () => {
    const port = await start();
    server.control({ do: 'deed', user: userId(1), eventType: 'user.session.start' });
    const { told } = await drain(port, '/api/v1/logs?limit=1000&sortOrder=ASCENDING&after=gone');
    expect(actions(told)).toEqual(['user.session.start']);
  });

  test('is asked for nowhere but at Okta, whatever the record says its place is', async () => {
    const port = await start();
    for (const place of ['https://elsewhere.example/api/v1/logs', '/api/v1/users', '//elsewhere.example/api/v1/logs'])
      await drain(port, place);
    const asked = server.state().log.map(({ path }) => path);
    expect(asked.filter((path) => !path.startsWith('/api/v1/logs'))).toEqual([]);
  });

  test('that does not answer, or with something else, is an error', async () => {
    const port = await start();
    server.control({ do: 'fault', fault: { kind: 'status', status: 503, path: '^/api/' } });
    await expect(drain(port)).rejects.toMatchObject({ code: 'unavailable' });
    server.control({ do: 'clear' });
    server.control({ do: 'fault', fault: { kind: 'status', status: 200, path: '^/api/', body: '{"not":"a list"}' } });
    await expect(drain(port)).rejects.toMatchObject({ code: 'unavailable' });
  });
});

describe('a page of the log', () => {
  const from = new URL('https://acme.okta.com/api/v1/logs?after=1');
  const asked = { directory: 'okta', operation: 'read_activity', write: false, secrets: [] };
  const event = {
    uuid: 'u-1',
    published: '2026-03-10T09:00:00.000Z',
    eventType: 'user.session.start',
    actor: { id: userId(1), type: 'User' },
  };
  const page = (events: readonly unknown[], link = '<https://acme.okta.com/api/v1/logs?after=2>; rel="next"') =>
    processActivity(
      asked,
      { status: 200, headers: new Headers({ link }), body: JSON.stringify(events) },
      0,
      from,
      'okta-log',
    );

  test('leaves out what it cannot read and what no person did, and says how many there were', () => {
    const { items, count } = page([
      event,
      { ...event, uuid: 7 },
      { ...event, published: 'yesterday' },
      { ...event, actor: { id: '0oaApp', type: 'PublicClientApp' } },
      { ...event, actor: null },
      'nothing',
      { ...event, uuid: 'u-2', client: { geographicalContext: { country: { odd: true } } }, outcome: 7, target: 'x' },
    ]);
    expect(items.map(({ activity }) => activity.uid)).toEqual(['u-1', 'u-2']);
    expect(count).toBe(7);
  });

  test('without a place to go on from is no page of it', () => {
    expect(() => page([event], '<https://acme.okta.com/api/v1/logs>; rel="self"')).toThrow(/no link to go on/);
    expect(() => page([event], '<https://elsewhere.example/api/v1/logs?after=2>; rel="next"')).toThrow();
  });
});

test('countries are told in two letters where their name is known', () => {
  expect(['Germany', 'united states', 'FR', '', 'Atlantis'].map(countryCode)).toEqual([
    'DE',
    'US',
    'FR',
    '',
    'Atlantis',
  ]);
});
