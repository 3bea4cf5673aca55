/** The lanes of two directories on a real store and loop: what waits, and what does not wait for it. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { operation } from '../../src/access/decision.ts';
import { type Job, PRIORITY } from '../../src/access/model.ts';
import type { CallLane, Directory, Room } from '../../src/access/ports.ts';
import type { OpenStore } from '../../src/store/database.ts';
import { provisionLanes } from '../../src/workers/provision.ts';
import { T0 } from '../contracts/store-rows.ts';
import { handClock } from '../support/clock.ts';
import { openTestStore } from '../support/open-store.ts';

let store: OpenStore;
beforeEach(async () => {
  store = await openTestStore('sqlite::memory:');
});
afterEach(() => store.close());

function lanesOf(name: string, room: (lane: CallLane) => Room, failing?: string) {
  const directory = {
    name,
    lagMs: 0,
    callDeadlineMs: 8_000,
    room,
    failing: () => failing,
  } as unknown as Directory;
  const ids = { short: () => '', opaque: () => '', jitter: () => 0, hash: () => '' };
  const log = { error: () => undefined, warn: () => undefined };
  const lanes = provisionLanes({ store, directory, clock: handClock(T0), ids, log });
  return Object.fromEntries(lanes.map((lane) => [lane.name.split(':')[0], lane]));
}
async function owed(directory: string, priority: number, many: number): Promise<void> {
  const keys = Array.from({ length: many }, (_, n) => ({ directory, groupId: 'g1', userId: `u${priority}${n}` }));
  await store.commit({ changes: keys.map((key) => operation(key, T0, priority)) });
}
const plenty = (): Room => ({ calls: 500, inMs: 0 });

it('takes removals, additions and proofs apart from each other, each in its own slots', async () => {
  for (const priority of [PRIORITY.removal, PRIORITY.addition, PRIORITY.proof]) await owed('okta', priority, 3);
  const lanes = lanesOf('okta', plenty);
  // Proofs wait for the removals to be on their way.
  expect(await lanes.prove?.lease(10)).toEqual([]);
  for (const [name, priority] of [
    ['add', PRIORITY.addition],
    ['remove', PRIORITY.removal],
    ['prove', PRIORITY.proof],
  ] as const) {
    const held = (await lanes[name]?.lease(10)) as readonly Job[];
    expect(held.map((job) => job.priority)).toEqual([priority, priority, priority]);
  }
});

it('takes on no more than the directory has room for, and comes back when there is some', async () => {
  await owed('okta', PRIORITY.removal, 3);
  await owed('okta', PRIORITY.addition, 3);
  const lanes = lanesOf('okta', (lane) => (lane === 'removal' ? { calls: 2, inMs: 0 } : { calls: 0, inMs: 40_000 }));
  expect(await lanes.remove?.lease(30)).toHaveLength(2);
  expect(await lanes.add?.lease(16)).toEqual([]);
  expect(await lanes.add?.nextDue()).toBe(T0 + 40_000);
});

it('leaves one directory alone when another has no room', async () => {
  await owed('okta', PRIORITY.removal, 2);
  await owed('google', PRIORITY.removal, 2);
  expect(await lanesOf('okta', () => ({ calls: 0, inMs: 60_000 })).remove?.lease(30)).toEqual([]);
  expect(await lanesOf('google', plenty).remove?.lease(30)).toHaveLength(2);
});

it('lets one addition through to try while the directory is failing, and every removal', async () => {
  await owed('okta', PRIORITY.addition, 3);
  await owed('okta', PRIORITY.removal, 3);
  const lanes = lanesOf('okta', plenty, '6 calls in a row failed');
  expect(await lanes.add?.lease(16)).toHaveLength(1);
  expect(await lanes.remove?.lease(30)).toHaveLength(3);
});
