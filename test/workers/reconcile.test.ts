/** Reconciliation beside what is more urgent: in its own lane, and only while there is room for it. */
import { expect, it } from 'vitest';
import { type CallLane, type Directory, DirectoryError, type Room } from '../../src/access/ports.ts';
import { createReconciler } from '../../src/workers/reconcile.ts';
import { T0 } from '../contracts/store-rows.ts';
import { handClock } from '../support/clock.ts';

const GROUPS = ['a', 'b'].map((groupId) => ({ directory: 'okta', groupId, groupName: groupId }));

function given(room: () => Room, list: () => Promise<[]> = async () => []) {
  const asked: { lane: CallLane; groupId: string }[] = [];
  const waited: number[] = [];
  const view = (lane: CallLane) =>
    ({
      name: 'okta',
      lagMs: 0,
      callDeadlineMs: 8_000,
      as: view,
      room: (of: CallLane) => (of === 'reconcile' ? room() : { calls: 9, inMs: 0 }),
      listMembers: async (groupId: string) => {
        asked.push({ lane, groupId });
        return await list();
      },
    }) as unknown as Directory;
  const clock = handClock(T0);
  const catalog = { resources: {}, admins: [], responders: [], viewers: [], timezone: 'UTC', approvalsChannel: 'C0' };
  const reconciler = createReconciler({
    store: {
      ledgerOf: async () => [],
      filledGroups: async () => GROUPS,
      drifts: async () => [],
      commit: async () => undefined,
      pinnedGroup: async () => undefined,
    },
    directories: new Map([['okta', view('ordinary')]]),
    rules: new Map(),
    catalog: () => catalog,
    clock,
    metrics: { count: () => undefined, observe: () => undefined },
    log: { error: () => undefined, warn: () => undefined },
    wait: async (ms) => {
      waited.push(ms);
      clock.pass(ms);
    },
  });
  return { reconciler, asked, waited };
}

it('reads in its own lane, and waits while there is no room for it', async () => {
  const rooms: Room[] = [
    { calls: 0, inMs: 2_000 },
    { calls: 0, inMs: 90_000 },
  ];
  const { reconciler, asked, waited } = given(() => rooms.shift() ?? { calls: 5, inMs: 0 });
  const [report] = await reconciler.reconcile({ apply: true });
  expect(report).toMatchObject({ groups: 2, failed: [] });
  expect(asked).toEqual([
    { lane: 'reconcile', groupId: 'a' },
    { lane: 'reconcile', groupId: 'b' },
  ]);
  expect(waited).toEqual([2_000, 30_000]);
});

it('lists a group anew whose listing was held back in the middle', async () => {
  const held = new DirectoryError('okta', 'rate_limited', 'not sent', { heldBack: true, retryAfterMs: 4_000 });
  const results = [Promise.reject(held)];
  const { reconciler, asked, waited } = given(
    () => ({ calls: 5, inMs: 0 }),
    async () => (await results.shift()) ?? [],
  );
  const [report] = await reconciler.reconcile({ apply: true });
  expect(report).toMatchObject({ groups: 2, failed: [] });
  expect(asked.map(({ groupId }) => groupId)).toEqual(['a', 'a', 'b']);
  expect(waited).toEqual([4_000]);
});

it('gives up after a quarter of an hour without room, and says of which groups it knows nothing', async () => {
  const { reconciler, asked, waited } = given(() => ({ calls: 0, inMs: 60_000 }));
  const [report] = await reconciler.reconcile({ apply: true });
  expect(report?.failed.map(({ group }) => group)).toEqual(['a', 'b']);
  expect(report?.failed[0]?.error).toMatch(/no room/);
  expect([asked.length, waited.reduce((sum, ms) => sum + ms, 0)]).toEqual([0, 15 * 60_000]);
});
