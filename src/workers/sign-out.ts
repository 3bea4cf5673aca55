/**
 * Ends the sessions of people whose access was revoked, in directories where that is configured. Beside the removals,
 * never before them: a membership is removed and proven whether or not this succeeds.
 */
import { retryDelayMs } from '../access/decide-operation.ts';
import { decideSignedOut, type SignedOut } from '../access/decide-sign-out.ts';
import { type Directory, DirectoryError, type LeasedJob, StaleStateError } from '../access/ports.ts';
import type { Lane } from './loop.ts';
import { leaseMsFor, type ProvisionParts } from './provision.ts';

const SLOTS = 8;
const OVERTAKEN_MAX = 20;

export type SignOutParts = Pick<ProvisionParts, 'store' | 'directory' | 'clock' | 'ids' | 'log'>;
export type SignOutJob = LeasedJob & { kind: 'sign_out' };

export function signOutLane(parts: SignOutParts): Lane<LeasedJob> {
  const { store, clock } = parts;
  const { name } = parts.directory;
  return {
    name: `sign-out:${name}`,
    slots: SLOTS,
    takes: (job) => job.kind === 'sign_out' && job.lane === name,
    lease: (limit) => {
      const now = clock.now();
      return store.lease({ kind: 'sign_out', lane: name, limit, now, leaseUntil: now + leaseMsFor(parts.directory) });
    },
    run: async (job) => {
      if (job.kind === 'sign_out') await signOut(parts, job);
    },
    nextDue: () => store.nextDue('sign_out', name),
  };
}

export async function signOut(parts: SignOutParts, job: SignOutJob): Promise<void> {
  const { store, clock, directory, ids } = parts;
  const guard = { job: job.id, epoch: job.epoch, version: job.version };
  const outcome = await ended(parts, directory, job.payload.userId);
  for (let attempt = 0; attempt < OVERTAKEN_MAX; attempt++) {
    const record = await store.grant(job.payload.grantId);
    const now = clock.now();
    const changes =
      record === undefined || outcome === 'not wanted'
        ? []
        : decideSignedOut(record, directory.name, outcome, job.attempts, now);
    const failed = outcome !== 'not wanted' && !outcome.done ? outcome : undefined;
    const wait = retryDelayMs(job.attempts + 1, false, ids.jitter(), failed?.retryAfterMs);
    try {
      await store.commit({
        changes,
        job:
          failed === undefined
            ? { ...guard, done: true }
            : { ...guard, later: { dueAt: now + wait, attempts: job.attempts + 1, lastError: failed.error } },
      });
      return;
    } catch (error) {
      // The grant moved on: its removal was proven just now. Or somebody else holds this job, and has it.
      if (!(error instanceof StaleStateError)) throw error;
      if ((await store.job(job.id))?.epoch !== job.epoch) return;
    }
  }
}

async function ended(
  parts: SignOutParts,
  directory: Directory,
  userId: string,
): Promise<'not wanted' | (SignedOut & { readonly retryAfterMs?: number })> {
  if (directory.signOut === undefined) return 'not wanted';
  try {
    await directory.signOut(userId);
    return { done: true };
  } catch (error) {
    if (!(error instanceof DirectoryError)) {
      parts.log.error({ error }, 'a directory adapter failed in a way it should not');
      return { done: false, code: 'unavailable', error: 'internal error' };
    }
    return {
      done: false,
      code: error.code,
      // A vendor's text: the trail's canonical form and Postgres refuse half characters and NUL.
      error: error.message.toWellFormed().replaceAll('\u0000', ''),
      ...(error.retryAfterMs === undefined ? {} : { retryAfterMs: error.retryAfterMs }),
    };
  }
}
