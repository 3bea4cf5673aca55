/**
 * When the digest is made: once for each day of the configured zone, at its time or as soon after it as somebody looks;
 * days on which the clock is changed are days like any other.
 */
import { describe, expect, test } from 'vitest';
import type { Catalog } from '../../src/access/catalog.ts';
import type { Change, DigestRecord } from '../../src/access/model.ts';
import { type Commit, type DigestFacts, type Period, StaleStateError } from '../../src/access/ports.ts';
import { createDigests } from '../../src/workers/digest.ts';
import { createStanding } from '../../src/workers/standing.ts';
import { HOUR, MINUTE, SECOND } from '../support/builders.ts';
import { handClock } from '../support/clock.ts';
import { quietFacts } from '../support/digest-facts.ts';

type JobPut = Extract<Change, { readonly put: 'job' }>;

const silent = { error: () => undefined, warn: () => undefined };

function bench(options: { start: number; zone: string; at: { hour: number; minute: number } }) {
  const clock = handClock(options.start);
  const rows = new Map<string, DigestRecord>();
  const commits: Commit[] = [];
  const periods: Period[] = [];
  const catalog: Catalog = { resources: {}, admins: [], responders: [], viewers: [], timezone: options.zone };
  const store = {
    freezes: async () => ({ version: 0, live: [] }),
    openReviews: async () => [],
    lastDigest: async () => [...rows.values()].sort((a, b) => a.toAt - b.toAt).at(-1),
    digestFacts: async (period: Period): Promise<DigestFacts> => {
      periods.push(period);
      return quietFacts();
    },
    explained: async () => [],
    digestRequests: async () => [],
    requestsWithReviews: async () => [],
    digestOf: async (day: string) => rows.get(day),
    digestById: async () => undefined,
    unsignedDigests: async () => [],
    commit: async (commit: Commit) => {
      for (const change of commit.changes)
        if ('put' in change && change.put === 'digest') {
          if (rows.has(change.row.day)) throw new StaleStateError(change.row.day);
          rows.set(change.row.day, change.row);
        }
      commits.push(commit);
    },
  };
  const process = () =>
    createDigests({
      store,
      standing: async () => [],
      catalog: () => catalog,
      settings: () => ({ ...options.at, channels: [{ platform: 'slack', conversation: 'C1' }] }),
      clock,
      ids: { opaque: () => 'opaque' },
      log: silent,
    });
  const posted = (): readonly JobPut[] =>
    commits.flatMap(({ changes }) =>
      changes.filter((change): change is JobPut => 'put' in change && change.put === 'job'),
    );
  return { clock, rows, periods, process, posted };
}

test('the first start only notes where the first digest begins', async () => {
  const { clock, rows, process, posted } = bench({
    start: Date.UTC(2026, 2, 10, 15),
    zone: 'UTC',
    at: { hour: 9, minute: 0 },
  });
  const digests = process();
  await digests.ring();
  expect(posted()).toEqual([]);
  expect([...rows.keys()]).toEqual(['2026-03-10']);
  clock.pass(18 * HOUR);
  await digests.ring();
  expect(posted()).toEqual([]);
  clock.pass(5 * SECOND);
  await digests.ring();
  await digests.ring();
  expect(posted().map(({ row }) => row.id)).toEqual(['digest:2026-03-11']);
});

test('each digest begins where the one before it ended, so that nothing falls between them', async () => {
  const { clock, periods, process } = bench({
    start: Date.UTC(2026, 2, 10, 15),
    zone: 'UTC',
    at: { hour: 9, minute: 0 },
  });
  const digests = process();
  await digests.ring();
  for (let day = 0; day < 4; day++) {
    clock.pass(24 * HOUR + 17 * MINUTE);
    await digests.ring();
  }
  expect(periods).toHaveLength(4);
  for (const [index, period] of periods.slice(1).entries()) expect(period.from).toBe(periods[index]?.to);
});

test.each([
  ['the clock is put on', Date.UTC(2026, 2, 26, 12), { hour: 2, minute: 30 }],
  ['the clock is put back', Date.UTC(2026, 9, 22, 12), { hour: 2, minute: 30 }],
  ['at midnight', Date.UTC(2026, 2, 26, 12), { hour: 0, minute: 0 }],
])('there is one digest a day when %s', async (_what, start, at) => {
  const { clock, rows, process, posted } = bench({ start, zone: 'Europe/Berlin', at });
  const [one, two] = [process(), process()];
  // Two processes that look every ten minutes, for six days.
  for (let look = 0; look < 6 * 24 * 6; look++) {
    await Promise.all([one.ring(), two.ring()]);
    clock.pass(10 * MINUTE);
  }
  expect(posted()).toHaveLength(6);
  expect(new Set(posted().map(({ row }) => row.id)).size).toBe(6);
  const made = [...rows.values()].map(({ madeAt }) => madeAt).slice(1);
  for (const [index, time] of made.slice(1).entries()) {
    const gap = time - (made[index] ?? 0);
    expect(gap).toBeGreaterThanOrEqual(22 * HOUR);
    expect(gap).toBeLessThanOrEqual(26 * HOUR);
  }
});

test('several missed days are one digest', async () => {
  const { clock, rows, process, posted } = bench({
    start: Date.UTC(2026, 2, 10, 15),
    zone: 'UTC',
    at: { hour: 9, minute: 0 },
  });
  await process().ring();
  clock.pass(5 * 24 * HOUR);
  await process().ring();
  const [job, ...more] = posted();
  expect(more).toEqual([]);
  expect(job?.row.payload).toMatchObject({ tell: 'digest', day: '2026-03-15' });
  expect(JSON.stringify(rows.get('2026-03-15')?.view)).toContain('is late');
});

test('a process that is stopped while the directories are being asked makes none', async () => {
  const { clock, process, posted, rows } = bench({
    start: Date.UTC(2026, 2, 10, 15),
    zone: 'UTC',
    at: { hour: 9, minute: 0 },
  });
  await process().ring();
  clock.pass(24 * HOUR);
  const digests = process();
  const ringing = digests.ring();
  await digests.stop();
  await ringing;
  expect(posted()).toEqual([]);
  expect(rows.size).toBe(1);
  await process().ring();
  expect(posted()).toHaveLength(1);
});

describe('standing members', () => {
  const user = (id: string, name = id) => ({
    directory: 'okta',
    id,
    login: `${id}@acme.com`,
    email: `${id}@acme.com`,
    name,
    active: true,
  });
  const measure = (listMembers: (id: string) => Promise<readonly ReturnType<typeof user>[]>, ours: string[] = []) =>
    createStanding({
      store: { explained: async () => ours },
      people: { group: async (directory, group) => ({ directory, groupId: group, groupName: group }) },
      directories: new Map([['okta', { listMembers } as never]]),
      clock: handClock(0),
      withinMs: 30,
    });
  const groups = [
    { directory: 'okta', group: 'a' },
    { directory: 'okta', group: 'b' },
  ];

  test('are the members whom the ledger does not explain', async () => {
    const standing = measure(async () => [user('1', 'Pat'), user('2', 'Ana'), user('3', '')], ['2']);
    expect(await standing(groups)).toEqual(groups.map((group) => ({ ...group, members: ['3@acme.com', 'Pat'] })));
  });

  test('are asked of the directory once for many who ask', async () => {
    let calls = 0;
    const standing = measure(async () => {
      calls++;
      return [];
    });
    await Promise.all([standing(groups), standing(groups)]);
    await standing(groups);
    expect(calls).toBe(2);
  });

  test('of a directory that does not answer are not known, and keep nobody waiting', async () => {
    const standing = measure((id) => (id === 'a' ? new Promise(() => undefined) : Promise.resolve([user('1', 'Pat')])));
    expect(await standing(groups)).toEqual([
      { ...groups[0], error: 'no answer in 0.03 s' },
      { ...groups[1], members: ['Pat'] },
    ]);
  });

  test('of a directory that fails are not known, and it is asked again the next time', async () => {
    let calls = 0;
    const standing = measure(async () => {
      calls++;
      throw new Error('down for maintenance');
    });
    const asked = [{ directory: 'okta', group: 'a' }];
    expect(await standing(asked)).toEqual([{ ...asked[0], error: 'down for maintenance' }]);
    await standing(asked);
    expect(calls).toBe(2);
    expect(await standing([{ directory: 'nowhere', group: 'a' }])).toEqual([
      { directory: 'nowhere', group: 'a', error: 'there is no such directory' },
    ]);
  });
});
