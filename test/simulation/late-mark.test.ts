/** Found by the simulation: a mark that the database took long to keep, and a call sent all the same. */
import { expect, test } from 'vitest';
import { operation } from '../../src/access/decision.ts';
import { PRIORITY } from '../../src/access/model.ts';
import type { Store } from '../../src/access/ports.ts';
import { operate } from '../../src/workers/provision.ts';
import { grant, hash, keyOf, membership, request, SECOND, T0 } from '../support/builders.ts';
import { handClock } from '../support/clock.ts';
import { createFakeDirectory } from '../support/fakes.ts';
import { openTestStore } from '../support/open-store.ts';

async function addWith(commitMs: number) {
  const clock = handClock(T0);
  const fake = createFakeDirectory({
    name: 'okta',
    lagMs: SECOND,
    callDeadlineMs: 10 * SECOND,
    now: clock.monotonic,
    after: (_ms, act) => queueMicrotask(act),
    course: () => ({ actsAfterMs: 0, answersAfterMs: 0 }),
    tellsAlready: false,
  });
  const key = keyOf('prod-db-read');
  fake.addGroup({ id: key.groupId, name: 'prod-db-read' });
  fake.addUser({ id: key.userId, login: 'ana@acme.com' });
  const raw = await openTestStore('sqlite::memory:', clock.now);
  const of = request({ state: 'approved' });
  await raw.commit({
    changes: [
      { put: 'request', row: of },
      { put: 'grant', row: grant() },
      { put: 'membership', row: membership({ seen: 'absent', seenAt: T0 }) },
      operation(key, T0, PRIORITY.addition),
    ],
  });
  const store: Store = {
    ...raw,
    async commit(commit) {
      const marks = commit.changes.some(
        (one) => 'put' in one && one.put === 'event' && one.row.kind === 'membership.addition_started',
      );
      await raw.commit(commit);
      if (marks) clock.pass(commitMs);
    },
  };
  const [job] = await store.lease({ kind: 'operation', limit: 1, now: T0, leaseUntil: T0 + 17 * SECOND });
  if (job?.kind !== 'operation') throw new Error('nothing to do');
  const ids = { short: () => '', opaque: () => '', jitter: () => 0.5, hash };
  const log = { error() {}, warn() {} };
  await operate({ store, directory: fake.port('worker'), clock, ids, log }, job);
  const row = (await raw.membership(key)).membership;
  const left = await raw.job(job.id);
  await raw.close();
  return { writes: fake.writes, origin: row?.origin, left };
}

test('an addition is sent when its mark is kept in time', async () => {
  expect(await addWith(SECOND)).toMatchObject({ writes: 1, origin: 'ours' });
});

test('an addition is not sent when the database takes so long to keep its mark that the call could outlast its lease', async () => {
  const { writes, origin, left } = await addWith(11 * SECOND);
  expect(writes).toBe(0);
  // Nothing was sent, so nothing is ours; the addition is tried again.
  expect(origin).toBe('none');
  expect(left?.dueAt).toBeGreaterThan(T0 + 11 * SECOND);
});
