/** Ends that ring together, on a real record: one commit, and the same outcome as one after the other. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { timer } from '../../src/access/decision.ts';
import type { Change, MembershipKey } from '../../src/access/model.ts';
import { type Commit, type LeasedJob, StaleStateError } from '../../src/access/ports.ts';
import type { OpenStore } from '../../src/store/database.ts';
import { timerLane } from '../../src/workers/timers.ts';
import { aGrant, aMembership, aRequest, MINUTE, T0 } from '../contracts/store-rows.ts';
import { handClock } from '../support/clock.ts';
import { openTestStore } from '../support/open-store.ts';

let store: OpenStore;
beforeEach(async () => {
  store = await openTestStore('sqlite::memory:');
});
afterEach(() => store.close());

const keyOf = (userId: string): MembershipKey => ({ directory: 'okta', groupId: 'g1', userId });

function live(id: string, userId: string, expiresAt: number): Change[] {
  const request = aRequest({ id: `R-${id}`, entitlement: `db:${id}`, state: 'approved' });
  const grant = aGrant({
    id: `G-${id}`,
    requestId: request.id,
    entitlement: request.entitlement,
    state: 'active',
    startsAt: T0,
    expiresAt,
    memberships: [keyOf(userId)],
  });
  return [
    { put: 'request', row: request },
    { put: 'grant', row: grant },
    timer({ ring: 'end', grantId: grant.id }, T0),
  ];
}
const member = (userId: string): Change => ({
  put: 'membership',
  row: aMembership({ key: keyOf(userId), origin: 'ours', addOutcome: 'accepted', addAttempts: 1 }),
});

/** Rings everything that is due at once; `meddle` is called before each commit. */
async function ring(meddle: (commit: Commit) => Promise<void> = async () => undefined): Promise<readonly Commit[]> {
  const commits: Commit[] = [];
  const watched = {
    ...store,
    async commit(commit: Commit) {
      await meddle(commit);
      commits.push(commit);
      await store.commit(commit);
    },
  };
  const lane = timerLane({ store: watched, clock: handClock(T0 + MINUTE) });
  const jobs = (await lane.lease(64)) as readonly LeasedJob[];
  await Promise.all(jobs.map((job) => lane.run(job)));
  return commits;
}
const stateOf = async (id: string) => (await store.grant(`G-${id}`))?.grant.state;

it('a pass over many is one commit, and two that shared a membership leave its removal to nobody else', async () => {
  const changes = Array.from({ length: 20 }, (_, n) => live(`A${n}`, `u${n}`, T0 + n)).flat();
  const members = Array.from({ length: 20 }, (_, n) => member(`u${n}`));
  await store.commit({ changes: [...changes, ...members, ...live('B0', 'u0', T0 + 5)] });
  expect(await ring()).toHaveLength(1);
  // The first of the two needs nothing removed, since the other one still held it; that one owes the removal.
  expect([await stateOf('A0'), await stateOf('B0'), await stateOf('A19')]).toEqual(['ended', 'ending', 'ending']);
  expect(await store.job('op:okta:g1:u0')).toBeDefined();
  expect(await store.nextDue('timer', 'timer')).toBeUndefined();
  expect((await store.story('R-A7')).map(({ kind }) => kind)).toEqual(['grant.expired']);
});

it('one that rings too early is put back, and holds up none', async () => {
  await store.commit({
    changes: [...live('A', 'u1', T0), ...live('B', 'u2', T0 + 5 * MINUTE), member('u1'), member('u2')],
  });
  await ring();
  expect([await stateOf('A'), await stateOf('B')]).toEqual(['ending', 'active']);
  expect(await store.nextDue('timer', 'timer')).toBe(T0 + 5 * MINUTE);
});

it('one that somebody else changed at this moment is decided again, and so are the others', async () => {
  await store.commit({ changes: [...live('A', 'u1', T0), ...live('B', 'u2', T0), member('u1'), member('u2')] });
  let meddled = false;
  const commits = await ring(async ({ jobs }) => {
    if (meddled || jobs === undefined) return;
    meddled = true;
    const grant = (await store.grant('G-A'))?.grant;
    if (grant === undefined) throw new Error('no such grant');
    const row = { ...grant, version: grant.version + 1, expiresAt: T0 + 9 * MINUTE };
    await store.commit({ changes: [{ put: 'grant', row, was: grant.version }] });
  });
  expect(commits).toHaveLength(3);
  expect([await stateOf('A'), await stateOf('B')]).toEqual(['active', 'ending']);
  expect(await store.nextDue('timer', 'timer')).toBe(T0 + 9 * MINUTE);
});

it('a job that was put again meanwhile is not settled by the pass that held it', async () => {
  await store.commit({ changes: [...live('A', 'u1', T0), ...live('B', 'u2', T0), member('u1'), member('u2')] });
  let once = true;
  await ring(async ({ jobs }) => {
    if (jobs === undefined || !once) return;
    once = false;
    await store.commit({ changes: [timer({ ring: 'end', grantId: 'G-B' }, T0 + MINUTE)] });
  });
  expect([await stateOf('A'), await stateOf('B')]).toEqual(['ending', 'ending']);
  await expect(
    store.commit({ changes: [], jobs: [{ job: 'end:G-B', epoch: 0, version: 1, done: true }] }),
  ).rejects.toBeInstanceOf(StaleStateError);
});

it('one that cannot be decided at all fails alone: the others end on time', async () => {
  await store.commit({ changes: [...live('A', 'u1', T0), ...live('B', 'u2', T0), member('u1'), member('u2')] });
  const broken = (id: string) => (id === 'G-A' ? Promise.reject(new Error('a row that nobody can read')) : undefined);
  const lane = timerLane({
    store: {
      ...store,
      grantRecords: async (ids) => (await Promise.all(ids.map(broken))) && (await store.grantRecords(ids)),
      grant: async (id) => (await broken(id)) ?? (await store.grant(id)),
    },
    clock: handClock(T0 + MINUTE),
  });
  const jobs = (await lane.lease(64)) as readonly LeasedJob[];
  const rung = await Promise.allSettled(jobs.map((job) => lane.run(job)));
  expect(jobs.map(({ id }, n) => [id, rung[n]?.status])).toEqual([
    ['end:G-A', 'rejected'],
    ['end:G-B', 'fulfilled'],
  ]);
  expect([await stateOf('A'), await stateOf('B')]).toEqual(['active', 'ending']);
});
