/**
 * On-call sources against strict local servers. The promise: only whoever is on call now, at the named level; and a
 * source that cannot tell throws, saying which service and why, without its token or its words.
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { OnCall } from '../../src/access/ports.ts';
import { Cache } from '../../src/people/cache.ts';
import { createGoogleCalendarOnCall } from '../../src/people/google-calendar.ts';
import { createIncidentIoOnCall } from '../../src/people/incident-io.ts';
import { createPagerDutyOnCall } from '../../src/people/pagerduty.ts';
import { createSlackUserGroupOnCall, slackUserGroupSection } from '../../src/people/slack-user-group.ts';
import { createTroubles } from '../../src/people/sources.ts';
import { type Services, startServices, TOKENS } from '../support/services.ts';

let services: Services;
let counted: string[];
const NOW = Date.parse('2026-11-25T12:00:00Z');

beforeEach(async () => {
  counted = [];
  services = await startServices();
});
afterEach(() => services.close());

const parts = (withinMs?: number) => ({
  clock: { now: () => NOW, monotonic: () => 0 },
  metrics: {
    count: (name: string, labels: Readonly<Record<string, string>> = {}) =>
      void counted.push(`${name} ${labels.service} ${labels.operation} ${labels.outcome}`),
    observe: () => {},
  },
  jitter: () => 0,
  ...(withinMs === undefined ? {} : { withinMs }),
});

const pagerDuty = (more: { level?: number; token?: string; withinMs?: number } = {}): OnCall =>
  createPagerDutyOnCall(
    'dba',
    {
      type: 'pagerduty',
      schedule: 'PABC123',
      token: more.token ?? TOKENS.pagerDuty,
      url: services.url,
      ...(more.level === undefined ? {} : { level: more.level }),
    },
    parts(more.withinMs),
  );

const incidentIo = (schedule = '01SCHED'): OnCall =>
  createIncidentIoOnCall(
    'web',
    { type: 'incident-io', schedule, token: TOKENS.incidentIo, url: services.url },
    parts(),
  );

const calendar = (accessToken = TOKENS.google): OnCall =>
  createGoogleCalendarOnCall(
    'sre',
    { type: 'google-calendar', calendar: 'c_1@group.calendar.google.com', rootUrl: services.url },
    { ...parts(), accessToken },
  );

const event = (more: object) => ({
  status: 'confirmed',
  start: { dateTime: '2026-11-25T09:00:00+01:00' },
  end: { dateTime: '2026-11-25T17:00:00+01:00' },
  ...more,
});

describe('PagerDuty', () => {
  test('names those at the first level of the schedule, and nobody of the levels after it', async () => {
    services.onCall = [
      { schedule: 'PABC123', level: 1, id: 'U1', email: 'ben@acme.com' },
      { schedule: 'PABC123', level: 2, id: 'U2', email: 'cat@acme.com' },
      { schedule: 'POTHER1', level: 1, id: 'U3', email: 'dan@acme.com' },
      { schedule: 'PABC123', level: 1, id: 'U4' },
    ];
    expect(await pagerDuty().now(NOW)).toEqual([{ email: 'ben@acme.com' }]);
    expect(await pagerDuty({ level: 2 }).now(NOW)).toEqual([{ email: 'cat@acme.com' }]);
    expect(await pagerDuty({ level: 3 }).now(NOW)).toEqual([]);
    expect(counted).toContain('hallpass_source_calls_total PagerDuty oncalls ok');
  });

  test('counts a person once who is on call by several policies, and reads every page', async () => {
    services.onCall = Array.from({ length: 150 }, (_, at) => ({
      schedule: 'PABC123',
      level: at < 120 ? 2 : 1,
      id: `U${at % 125}`,
      email: `u${at % 125}@acme.com`,
    }));
    const found = await pagerDuty().now(NOW);
    expect(found).toHaveLength(30);
    expect(services.asked).toEqual(['GET /oncalls', 'GET /oncalls']);
  });

  test('asks once more after a failure, and then says that it could not be asked', async () => {
    services.onCall = [{ schedule: 'PABC123', level: 1, id: 'U1', email: 'ben@acme.com' }];
    services.next = [503];
    expect(await pagerDuty().now(NOW)).toEqual([{ email: 'ben@acme.com' }]);
    services.next = [503, 502];
    await expect(pagerDuty().now(NOW)).rejects.toMatchObject({
      code: 'unavailable',
      message: 'The on-call source "dba" could not be asked: PagerDuty failed (502).',
    });
  });

  test('a dead token is said plainly, asked with once, and never repeated', async () => {
    await expect(pagerDuty({ token: 'revoked-token' }).now(NOW)).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringMatching(/PagerDuty refuses the credential .*\(401\)/),
    });
    await expect(pagerDuty({ token: 'revoked-token' }).now(NOW)).rejects.not.toThrow(/revoked-token/);
    expect(services.asked).toHaveLength(2);
    expect(counted).toContain('hallpass_source_calls_total PagerDuty oncalls unauthorized');
  });

  test('a service that is silent is given up within its time', async () => {
    services.next = ['silence', 'silence'];
    await expect(pagerDuty({ withinMs: 50 }).now(NOW)).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('did not answer within'),
    });
  });

  test('waits where it is told to for a moment, and does not where it would be too long', async () => {
    services.next = [{ status: 429, headers: { 'ratelimit-reset': '0' }, body: '{}' }];
    expect(await pagerDuty().now(NOW)).toEqual([]);
    services.next = [{ status: 429, headers: { 'ratelimit-reset': '40' }, body: '{}' }];
    await expect(pagerDuty().now(NOW)).rejects.toThrow(/slow down/);
  });

  test.each([
    ['not JSON', { status: 200, body: '<html>' }],
    ['no list', { status: 200, body: '{"oncalls":"none"}' }],
    ['a redirect to somewhere else', { status: 302, headers: { location: 'http://127.0.0.1:1/' }, body: '' }],
  ])('an answer that is %s is no answer', async (_, broken) => {
    services.next = [broken, broken];
    await expect(pagerDuty().now(NOW)).rejects.toMatchObject({ code: 'unavailable' });
  });
});

describe('incident.io', () => {
  test('names whoever finally has the shift at this instant, overrides included', async () => {
    services.schedules['01SCHED'] = [
      { from: '2026-11-25T08:00:00Z', until: '2026-11-25T20:00:00Z', email: 'ann@acme.com', replaced: true },
      { from: '2026-11-25T08:00:00Z', until: '2026-11-25T20:00:00Z', email: 'ben@acme.com' },
      { from: '2026-11-25T12:00:30Z', until: '2026-11-25T20:00:00Z', email: 'cat@acme.com' },
      { from: '2026-11-25T08:00:00Z', until: '2026-11-25T20:00:00Z', email: null },
    ];
    expect(await incidentIo().now(NOW)).toEqual([{ email: 'ben@acme.com' }]);
  });

  test('an unknown schedule is named', async () => {
    await expect(incidentIo('01GONE').now(NOW)).rejects.toThrow(
      'The on-call source "web" could not be asked: incident.io has no schedule 01GONE.',
    );
  });

  test('a schedule that nobody covers is nobody, not an error', async () => {
    services.schedules['01SCHED'] = [];
    expect(await incidentIo().now(NOW)).toEqual([]);
  });
});

describe('Google Calendar', () => {
  const ID = 'c_1@group.calendar.google.com';

  test('names those invited to an event that is on, unless they declined, are a room, or the event is none', async () => {
    services.calendars[ID] = [
      event({
        attendees: [
          { email: 'ben@acme.com', responseStatus: 'needsAction' },
          { email: 'cat@acme.com', responseStatus: 'declined' },
          { email: 'room-1@resource.calendar.google.com', resource: true },
        ],
      }),
      event({ status: 'cancelled', attendees: [{ email: 'dan@acme.com' }] }),
      event({ eventType: 'outOfOffice', attendees: [{ email: 'dan@acme.com' }] }),
      event({ start: { dateTime: '2026-11-25T12:00:30Z' }, attendees: [{ email: 'dan@acme.com' }] }),
      event({ end: { dateTime: '2026-11-25T12:00:00Z' }, attendees: [{ email: 'dan@acme.com' }] }),
      event({ summary: 'nobody is invited' }),
    ];
    expect(await calendar().now(NOW)).toEqual([{ email: 'ben@acme.com' }]);
  });

  test("an all-day shift is over at midnight of the calendar's zone, and its last day is not part of it", async () => {
    services.calendars[ID] = [
      event({ start: { date: '2026-11-25' }, end: { date: '2026-11-26' }, attendees: [{ email: 'ben@acme.com' }] }),
      event({ start: { date: '2026-11-24' }, end: { date: '2026-11-25' }, attendees: [{ email: 'dan@acme.com' }] }),
    ];
    expect(await calendar().now(NOW)).toEqual([{ email: 'ben@acme.com' }]);
    // In Berlin it is the 26th by then.
    expect(await calendar().now(Date.parse('2026-11-25T23:00:00Z'))).toEqual([]);
  });

  test('a list of invited people that Google has cut is no answer', async () => {
    services.calendars[ID] = [event({ attendeesOmitted: true, attendees: [{ email: 'ben@acme.com' }] })];
    await expect(calendar().now(NOW)).rejects.toMatchObject({ code: 'unavailable' });
  });

  test('a calendar that is not shared, a dead credential and an outage are told apart', async () => {
    await expect(calendar().now(NOW)).rejects.toThrow(/shows Hallpass no calendar c_1@.*share it/);
    await expect(calendar('dead').now(NOW)).rejects.toThrow(/refuses the credential .*\(401\)/);
    services.next = [503, 503, 503];
    await expect(calendar().now(NOW)).rejects.toThrow(/Google Calendar failed \(503\)/);
    expect(counted.filter((line) => line.includes('Google Calendar'))).toEqual([
      'hallpass_source_calls_total Google Calendar events rejected',
      'hallpass_source_calls_total Google Calendar events unauthorized',
      'hallpass_source_calls_total Google Calendar events unavailable',
    ]);
  });
});

describe('a Slack user group', () => {
  test('is on call as the accounts it has', async () => {
    const account = { platform: 'slack', tenant: 'T1', id: 'UBEN' } as const;
    const asked: string[] = [];
    const source = createSlackUserGroupOnCall({ type: 'slack-user-group', group: 'S0DBA' }, () => ({
      groupMembers: async (group) => {
        asked.push(group);
        return [account];
      },
    }));
    expect(await source.now(0)).toEqual([{ account }]);
    expect(asked).toEqual(['S0DBA']);
  });

  test('is named by its id, never by a handle that members can change', () => {
    expect(slackUserGroupSection.safeParse({ type: 'slack-user-group', group: '@dba' }).success).toBe(false);
  });
});

test('a source that cannot be asked is told when that changes, not at each question', async () => {
  const told: string[] = [];
  const troubles = createTroubles((what, why) => told.push(`${what}: ${why ?? 'well again'}`));
  const down = () => troubles.watch('dba', () => Promise.reject(new Error('away')));
  await expect(down()).rejects.toThrow('away');
  await expect(down()).rejects.toThrow('away');
  expect(troubles.list()).toEqual([{ what: 'dba', why: 'away' }]);
  await troubles.watch('dba', async () => 'ben');
  expect(troubles.list()).toEqual([]);
  expect(told).toEqual(['dba: away', 'dba: well again']);
});

test('what is remembered is bounded, the oldest answer going first', async () => {
  const asked: string[] = [];
  const cache = new Cache<string>({ monotonic: () => 0, maxAgeMs: 60_000, maxEntries: 2 });
  for (const key of ['a', 'b', 'c', 'c', 'b', 'a'])
    await cache.get(key, async () => {
      asked.push(key);
      return key;
    });
  expect(asked).toEqual(['a', 'b', 'c', 'a']);
});
