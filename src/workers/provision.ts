/**
 * Brings memberships to what grants want: one lane per directory, so that a slow one never holds up another. Each
 * membership has at most one operation, held by one worker under a lease.
 */
import { decideOperation, type OperationCall } from '../access/decide-operation.ts';
import { isLive, type Lesson, UNKNOWN_MARGIN_MS } from '../access/ledger.ts';
import type { MembershipKey } from '../access/model.ts';
import {
  type Clock,
  type Directory,
  DirectoryError,
  type GrantRecord,
  type Ids,
  type JobSettlement,
  type LeasedJob,
  StaleStateError,
  type Store,
} from '../access/ports.ts';
import type { Lane, LoopLog } from './loop.ts';

/** A lease outlives the deadline of the call made under it by this much, less what the mark's commit took. */
const LEASE_MARGIN_MS = 7_000;
/** Decisions under one lease: reads, writes and proofs of one membership, and being overtaken a few times. */
const STEPS_MAX = 40;
const SLOTS = 16;

export interface ProvisionParts {
  readonly store: Store;
  readonly directory: Directory;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: LoopLog;
  /** Ends what is due and adds nothing: for the host's own commands, which may end access and never give it. */
  readonly endOnly?: boolean;
}

/** With `endOnly`, a membership that a live grant wants is left to the bot, and not looked at again before that. */
const LEFT_ALONE_MS = 2_000;

export type Operation = LeasedJob & { kind: 'operation' };

export function leaseMsFor(directory: Directory): number {
  return directory.callDeadlineMs + LEASE_MARGIN_MS;
}

export function provisionLane(parts: ProvisionParts): Lane<LeasedJob> {
  const { store, directory, clock } = parts;
  const leaseMs = leaseMsFor(directory);
  return {
    name: `provision:${directory.name}`,
    slots: SLOTS,
    takes: (job) => job.kind === 'operation' && job.lane === directory.name,
    lease: (limit) => {
      const now = clock.now();
      return store.lease({ kind: 'operation', lane: directory.name, limit, now, leaseUntil: now + leaseMs });
    },
    run: async (job) => {
      if (job.kind === 'operation') await operate(parts, job);
    },
    nextDue: () => store.nextDue('operation', directory.name),
  };
}

export async function operate(parts: ProvisionParts, job: Operation): Promise<void> {
  const { store, directory, clock, ids } = parts;
  const leaseMs = leaseMsFor(directory);
  let lesson: Lesson | undefined;
  for (let step = 0; step < STEPS_MAX; step++) {
    const [record, held] = await Promise.all([store.membership(job.payload), store.job(job.id)]);
    // The lease ran out and somebody else took over: what we learnt counts as an answer that was lost.
    if (held === undefined || held.epoch !== job.epoch) return;
    const guard = { job: job.id, epoch: job.epoch, version: held.version };
    if (record.membership === undefined) {
      await store.commit({ changes: [], job: { ...guard, done: true } });
      return;
    }
    const grants = await Promise.all(record.grants.map((grant) => store.grant(grant.id)));
    // Only an addition rests on what is frozen, and only it pays for asking.
    const freezes = record.grants.some((grant) => grant.state === 'adding') ? await store.freezes() : undefined;
    const now = clock.now();
    const decidedAt = clock.monotonic();
    if (parts.endOnly === true && record.grants.some(isLive)) {
      const later = { dueAt: now + LEFT_ALONE_MS, attempts: record.membership.failures };
      await store.commit({ changes: [], job: { ...guard, later } });
      return;
    }
    const decision = decideOperation(
      {
        membership: record.membership,
        grants: grants.filter((grant): grant is GrantRecord => grant !== undefined),
        ...(freezes === undefined ? {} : { freezes }),
        lagMs: directory.lagMs,
        callDeadlineMs: directory.callDeadlineMs,
        jitter: ids.jitter(),
        correlation: `${job.id}#${job.epoch}`,
      },
      lesson,
      now,
    );
    const { next } = decision;
    // A first look changes nothing and holds a fresh lease: what it shows is committed with what follows from it.
    if (step === 0 && next.do === 'call' && next.call === 'read' && decision.changes.length === 1) {
      lesson = await call(parts, 'read', job.payload);
      continue;
    }
    let settlement: JobSettlement;
    if (next.do === 'call') settlement = { job: job.id, epoch: job.epoch, keep: { leaseUntil: now + leaseMs } };
    else if (next.do === 'done') settlement = { ...guard, done: true };
    else {
      const { dueAt, priority, lastError } = next;
      const later = {
        dueAt,
        priority,
        attempts: record.membership.failures,
        ...(lastError === undefined ? {} : { lastError }),
      };
      settlement = { ...guard, later };
    }
    try {
      await store.commit({ changes: decision.changes, job: settlement });
    } catch (error) {
      // Overtaken: what was learnt is kept, and everything else looked at again.
      if (error instanceof StaleStateError) continue;
      throw error;
    }
    if (next.do !== 'call') return;
    // The mark and the lease are reckoned from the decision. Sent later than that allows, the call could still take
    // effect when absence is already believed, or when the next holder of the lease is at work.
    lesson =
      clock.monotonic() - decidedAt > UNKNOWN_MARGIN_MS
        ? notSent(next.call)
        : await call(parts, next.call, job.payload);
  }
  parts.log.warn({ job: job.id }, 'an operation took too many steps under one lease; it goes on under the next');
}

function notSent(call: OperationCall): Lesson {
  const error = 'not sent: the database took too long to keep the mark';
  return { learnt: 'failed', call, code: 'unavailable', effect: 'none', error };
}

/** One call, and what it taught. The mark is committed; from here on a lost answer counts as "may have happened". */
async function call(parts: ProvisionParts, what: OperationCall, key: MembershipKey): Promise<Lesson> {
  const { directory, clock } = parts;
  try {
    switch (what) {
      case 'read': {
        // The instant before the read: whatever it shows was so at this time or later.
        const readAt = clock.now();
        const member = await directory.isMember(key.groupId, key.userId);
        return { learnt: member ? 'seen_present' : 'seen_absent', readAt };
      }
      case 'add':
        return { learnt: await directory.add(key.groupId, key.userId) };
      case 'remove':
        await directory.remove(key.groupId, key.userId);
        // A 404 that names the member is as good as a removal; the proof is the read that follows either way.
        return { learnt: 'removed' };
    }
  } catch (error) {
    if (!(error instanceof DirectoryError)) {
      parts.log.error({ call: what, error }, 'a directory adapter failed in a way it should not');
      return { learnt: 'failed', call: what, code: 'unavailable', effect: 'unknown', error: 'internal error' };
    }
    return {
      learnt: 'failed',
      call: what,
      code: error.code,
      effect: error.effect,
      // A vendor's text: the trail's canonical form and Postgres refuse half characters and NUL.
      error: error.message.toWellFormed().replaceAll('\u0000', ''),
      ...(error.retryAfterMs === undefined ? {} : { retryAfterMs: error.retryAfterMs }),
    };
  }
}
