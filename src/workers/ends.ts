/**
 * Ends that ring at the same moment are decided in one pass and kept in one commit: a thousand grants that end together
 * do not wait for a thousand commits. Each is decided as if it had rung alone, on what the ones before it leave.
 */
import { ranOut, ringEnd } from '../access/decide-close.ts';
import { endGrants } from '../access/decide-operation.ts';
import type { GrantId } from '../access/model.ts';
import type { Clock, GrantRecord, JobSettlement, LeasedJob, Store } from '../access/ports.ts';

/** In one commit: nobody waits for longer than these take. */
const TOGETHER_MAX = 64;

export type EndJob = LeasedJob & { kind: 'timer' };

interface Waiting {
  readonly job: EndJob;
  readonly grantId: GrantId;
  resolve(): void;
  reject(error: unknown): void;
}

/** `alone` looks at one by itself: when nothing else rings, and when another one stood in the way of all of them. */
export function ringTogether(
  parts: { readonly store: Store; readonly clock: Clock },
  alone: (job: EndJob) => Promise<void>,
): (job: EndJob, grantId: GrantId) => Promise<void> {
  let waiting: Waiting[] = [];

  function flush(): void {
    const all = waiting;
    waiting = [];
    for (let from = 0; from < all.length; from += TOGETHER_MAX) void settle(all.slice(from, from + TOGETHER_MAX));
  }

  async function settle(batch: readonly Waiting[]): Promise<void> {
    try {
      if (batch.length > 1) {
        await together(parts, batch);
        for (const { resolve } of batch) resolve();
        return;
      }
    } catch {
      // Whatever stood in the way of all: decided alone, the one it is about says so, and keeps nobody else's access in
      // place. What was committed after all, though its answer was lost, is found settled by then.
    }
    for (const { job, resolve, reject } of batch) alone(job).then(resolve, reject);
  }

  return (job, grantId) =>
    new Promise((resolve, reject) => {
      // What was leased together is run in the same turn.
      if (waiting.length === 0) setImmediate(flush);
      waiting.push({ job, grantId, resolve, reject });
    });
}

async function together(
  { store, clock }: { readonly store: Store; readonly clock: Clock },
  batch: readonly Waiting[],
): Promise<void> {
  const records = new Map(
    (await store.grantRecords(batch.map(({ grantId }) => grantId))).map((one) => [one.grant.id, one]),
  );
  const now = clock.now();
  const due: GrantRecord[] = [];
  const jobs: JobSettlement[] = [];
  for (const { job, grantId } of batch) {
    const guard = { job: job.id, epoch: job.epoch, version: job.version };
    const record = records.get(grantId);
    const rung = ringEnd(record, now);
    if ('dueAt' in rung) jobs.push({ ...guard, later: { dueAt: rung.dueAt, attempts: 0 } });
    else {
      jobs.push({ ...guard, done: true });
      if (record !== undefined && rung.length > 0) due.push(record);
    }
  }
  const rung = new Set(batch.map(({ job }) => job.id));
  const changes = endGrants(due, ranOut, now).filter((change) => !('drop' in change && rung.has(change.id)));
  await store.commit({ changes, jobs });
}
