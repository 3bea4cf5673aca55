/** Ends everything there is, and waits for the proof: what is done before Hallpass is taken away. */
import { event } from '../access/decision.ts';
import { isLive } from '../access/ledger.ts';
import { closeRequest, endGrant } from '../access/lifecycle.ts';
import type { Actor, Change } from '../access/model.ts';
import { StaleStateError } from '../access/ports.ts';
import { type ExpireParts, type ExpireReport, expireDue } from './expire.ts';

/** Looked at in one go; what is beyond them comes in the next. */
const BATCH = 500;
const ROUNDS_MAX = 200;

export interface DrainReport extends ExpireReport {
  /** Requests that waited, withdrawn. */
  readonly withdrawn: number;
  /** Grants that were live, ended. */
  readonly ended: number;
}

/** How much there is, before anything is done. */
export async function drainPreview(parts: Pick<ExpireParts, 'store' | 'clock'>): Promise<{
  readonly pending: number;
  readonly live: number;
  readonly owed: number;
}> {
  const { store, clock } = parts;
  const [pending, unended, owed] = await Promise.all([
    store.list({ states: ['pending'], limit: PREVIEWED_MAX }),
    store.list({ liveGrants: true, limit: PREVIEWED_MAX }),
    store.outstandingRemovals(clock.now(), PREVIEWED_MAX),
  ]);
  return {
    pending: pending.length,
    live: unended.filter(({ grant }) => grant !== undefined && isLive(grant)).length,
    owed: owed.length,
  };
}

const PREVIEWED_MAX = 10_000;

/** Everything is frozen by then, so that nothing new comes while this goes on. */
export async function drain(
  parts: ExpireParts,
  order: { readonly by: Actor; readonly reason: string; readonly waitMs: number },
  sleep: (ms: number) => Promise<void>,
): Promise<DrainReport> {
  const { store, clock } = parts;
  let withdrawn = 0;
  let ended = 0;
  for (let round = 0; round < ROUNDS_MAX; round++) {
    const pending = await store.list({ states: ['pending'], limit: BATCH });
    for (const { request } of pending) {
      const changes = closeRequest(request, 'withdrawn', order.by, clock.now(), order.reason);
      if (await committed(parts, changes)) withdrawn++;
    }
    const unended = await store.list({ liveGrants: true, limit: PREVIEWED_MAX });
    const live = unended.flatMap(({ grant }) => (grant !== undefined && isLive(grant) ? [grant.id] : []));
    for (const id of live) {
      const record = await store.grant(id);
      if (record === undefined || !isLive(record.grant)) continue;
      const ending = { reason: 'revoked', by: order.by, note: order.reason } as const;
      if (await committed(parts, endGrant(record, ending, clock.now()))) ended++;
    }
    if (pending.length + live.length === 0) break;
  }
  const report = await expireDue(parts, order.waitMs, sleep);
  const at = clock.now();
  const outstanding = report.outstanding.length;
  await store.commit({
    changes: [
      event('drain.finished', at, order.by, {
        detail: { withdrawn, ended, proven: report.proven.length, outstanding },
        personal: { reason: order.reason },
      }),
    ],
  });
  return { ...report, withdrawn, ended };
}

/** `false`: somebody was faster; the next round looks again. */
async function committed({ store }: ExpireParts, changes: readonly Change[]): Promise<boolean> {
  try {
    await store.commit({ changes });
    return true;
  } catch (error) {
    if (error instanceof StaleStateError) return false;
    throw error;
  }
}
