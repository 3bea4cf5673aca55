/** The sweep with a store made by hand. */
import { describe, expect, it } from 'vitest';
import type { MembershipKey, Ring } from '../../src/access/model.ts';
import type { Commit, Store } from '../../src/access/ports.ts';
import type { Loop } from '../../src/workers/loop.ts';
import { createSweep } from '../../src/workers/sweep.ts';
import { handClock } from '../support/clock.ts';

const START = Date.UTC(2026, 2, 2, 9);
const KEY: MembershipKey = { directory: 'okta', groupId: '00gproddbread0000001', userId: '00uana00000000000001' };

function sweepOver(found: {
  readonly forgotten?: () => Promise<{
    readonly rings: readonly Ring[];
    readonly memberships: readonly MembershipKey[];
  }>;
  readonly fetch?: () => Promise<Response>;
}) {
  const seen = { commits: [] as Commit[], beats: 0, wakes: 0, errors: 0, asked: 0 };
  const store = {
    forgotten: async () => {
      seen.asked++;
      return found.forgotten?.() ?? { rings: [], memberships: [] };
    },
    forgetDeliveries: async () => 0,
    forgetDevices: async () => 0,
    commit: async (commit: Commit) => void seen.commits.push(commit),
  };
  const sweep = createSweep({
    store: store as unknown as Store,
    loop: { wake: () => void seen.wakes++ } as unknown as Loop,
    clock: handClock(START),
    metrics: { count: () => undefined, observe: () => undefined },
    log: { error: () => void seen.errors++, warn: () => undefined },
    agree: async () => undefined,
    heartbeatUrl: 'http://127.0.0.1:9/',
    fetch: async () => {
      seen.beats++;
      return found.fetch?.() ?? new Response(null, { status: 204 });
    },
  });
  return { sweep, seen };
}

describe('the sweep', () => {
  it('puts a job for everything that has none, due now, and wakes the loop', async () => {
    const rings: Ring[] = [{ ring: 'end', grantId: 'G-7KQ2' }];
    const { sweep, seen } = sweepOver({ forgotten: async () => ({ rings, memberships: [KEY] }) });
    await sweep.sweep();
    const jobs = seen.commits.flatMap((commit) =>
      commit.changes.flatMap((change) => ('put' in change && change.put === 'job' ? [change.row] : [])),
    );
    expect(jobs.map(({ id, dueAt }) => [id, dueAt])).toEqual([
      ['end:G-7KQ2', START],
      [`op:okta:${KEY.groupId}:${KEY.userId}`, START],
    ]);
    expect(seen.wakes).toBe(1);
    expect(seen.beats).toBe(1);
  });

  it('sends no heartbeat while the database does not answer: nobody should believe that removals go on', async () => {
    const { sweep, seen } = sweepOver({ forgotten: () => Promise.reject(new Error('no database')) });
    await sweep.sweep();
    expect(seen.beats).toBe(0);
    expect(seen.errors).toBe(1);
    expect(seen.wakes).toBe(1);
  });

  it('survives a heartbeat that cannot be sent', async () => {
    const { sweep, seen } = sweepOver({ fetch: () => Promise.reject(new Error('no route')) });
    await sweep.sweep();
    await sweep.sweep();
    expect(seen.beats).toBe(2);
    expect(seen.errors).toBe(0);
  });

  it('is one at a time', async () => {
    const gate = Promise.withResolvers<{ rings: readonly Ring[]; memberships: readonly MembershipKey[] }>();
    const { sweep, seen } = sweepOver({ forgotten: () => gate.promise });
    const both = [sweep.sweep(), sweep.sweep()];
    gate.resolve({ rings: [], memberships: [] });
    await Promise.all(both);
    expect(seen.asked).toBe(1);
    await sweep.sweep();
    expect(seen.asked).toBe(2);
  });
});
