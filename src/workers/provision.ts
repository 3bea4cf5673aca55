/**
 * Brings memberships to what grants want. Each directory has lanes of its own, so that a slow one never holds up
 * another: removals, additions, and proofs, each taken on only while the directory has room for it. Each membership has
 * at most one operation, held by one worker under a lease.
 */
import { decideOperation, nativeExpiryTold, type OperationCall } from '../access/decide-operation.ts';
import { removalDueAt } from '../access/digest-view.ts';
import { isLive, type Lesson, UNKNOWN_MARGIN_MS } from '../access/ledger.ts';
import { type Change, type Grant, type Instant, type MembershipKey, PRIORITY } from '../access/model.ts';
import {
  type CallLane,
  type Clock,
  type Directory,
  DirectoryError,
  type GrantRecord,
  type Ids,
  type JobSettlement,
  type LeasedJob,
  type Metrics,
  type Room,
  StaleStateError,
  type Store,
} from '../access/ports.ts';
import { listingWhenMany } from './listing.ts';
import type { Lane, LoopLog } from './loop.ts';

/** A lease outlives the deadline of the call made under it by this much, less what the mark's commit took. */
const LEASE_MARGIN_MS = 7_000;
/** Decisions under one lease: reads, writes and proofs of one membership, and being overtaken a few times. */
const STEPS_MAX = 40;

export interface ProvisionParts {
  readonly store: Store;
  readonly directory: Directory;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: LoopLog;
  readonly metrics?: Metrics;
  /** Ends what is due and adds nothing: for the host's own commands, which may end access and never give it. */
  readonly endOnly?: boolean;
  /** An accepted removal is passed on to the lane of proofs, so that the next removal need not wait for it. */
  readonly passOnProofs?: boolean;
  /** Runs something in so many milliseconds; `setTimeout` when left out. */
  readonly after?: (ms: number, act: () => void) => unknown;
}

/** Those that the budget held back together do not come back together. */
const HELD_BACK_SPREAD_MS = 500;

/** With `endOnly`, a membership that a live grant wants is left to the bot, and not looked at again before that. */
const LEFT_ALONE_MS = 2_000;

export type Operation = LeasedJob & { kind: 'operation' };

export function leaseMsFor(directory: Directory): number {
  return directory.callDeadlineMs + LEASE_MARGIN_MS;
}

/** With work on as many removals as a directory is called at once, and proofs enough to list a group for. */
const LANES: readonly { name: string; priority: number; lane: CallLane; slots: number }[] = [
  { name: 'remove', priority: PRIORITY.removal, lane: 'removal', slots: 30 },
  { name: 'add', priority: PRIORITY.addition, lane: 'ordinary', slots: 16 },
  { name: 'prove', priority: PRIORITY.proof, lane: 'proof', slots: 200 },
];

/** Where the directory does not tell, there is room. */
const ROOM: Room = { calls: Number.MAX_SAFE_INTEGER, inMs: 0 };
/** Calls are waiting for their turn, and will have had it by then. */
const TURN_MS = 50;

export function provisionLanes(parts: ProvisionParts): readonly Lane<LeasedJob>[] {
  return LANES.map((lane) => provisionLane(parts, lane));
}

function provisionLane(parts: ProvisionParts, of: (typeof LANES)[number]): Lane<LeasedJob> {
  const { store, clock } = parts;
  const { name } = parts.directory;
  const directory = parts.directory.as?.(of.lane) ?? parts.directory;
  const leaseMs = leaseMsFor(directory);
  const own: ProvisionParts = {
    ...parts,
    directory: of.lane === 'proof' ? listingWhenMany(directory, parts.after) : directory,
    passOnProofs: of.lane === 'removal',
  };
  const room = () => directory.room?.(of.lane) ?? ROOM;
  /** Proofs wait while removals do: what they would spend is needed for those, and many together cost less. */
  const mustWait = async () => {
    if (of.lane !== 'proof') return false;
    const removalAt = await store.nextDue('operation', name, PRIORITY.removal);
    return removalAt !== undefined && removalAt <= clock.now();
  };
  let running = 0;
  return {
    name: `${of.name}:${name}`,
    slots: of.slots,
    beside: `provision:${name}`,
    takes: (job) => job.kind === 'operation' && job.lane === name && job.priority === of.priority,
    lease: async (limit) => {
      // While it is failing, one addition at a time shows whether it still does.
      const most = of.lane === 'ordinary' && directory.failing?.() !== undefined ? 1 - running : room().calls;
      if (room().calls < 1 || most < 1 || (await mustWait())) return [];
      const now = clock.now();
      const leaseUntil = now + leaseMs;
      const { priority } = of;
      return store.lease({ kind: 'operation', lane: name, priority, limit: Math.min(limit, most), now, leaseUntil });
    },
    run: async (job) => {
      running++;
      try {
        if (job.kind === 'operation') return await operate(own, job);
      } finally {
        running--;
      }
    },
    nextDue: async () => {
      const dueAt = await store.nextDue('operation', name, of.priority);
      const { calls, inMs } = room();
      if (dueAt === undefined || (calls > 0 && !(await mustWait()))) return dueAt;
      return Math.max(dueAt, clock.now() + Math.max(inMs, TURN_MS));
    },
  };
}

export async function operate(parts: ProvisionParts, job: Operation): Promise<'passed_on' | void> {
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
    // Only what opens access rests on what is frozen, and only it pays for asking.
    const opens = record.grants.some((grant) => grant.state === 'adding' || grant.extending !== undefined);
    const freezes = opens ? await store.freezes() : undefined;
    const nativeExpiry =
      directory.expireAt === undefined ? undefined : await whetherTold(store, directory.name, lesson);
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
        ...(nativeExpiry === undefined ? {} : { nativeExpiry }),
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
      const seen = await call(parts, 'read', job.payload);
      if ('heldBackMs' in seen) return await comeBack(parts, guard, seen.heldBackMs, record.membership.failures);
      lesson = seen;
      continue;
    }
    let settlement: JobSettlement;
    const passOn =
      parts.passOnProofs === true && next.do === 'call' && next.call === 'read' && awaitsProof(decision.changes);
    if (passOn)
      settlement = { ...guard, later: { dueAt: now, priority: PRIORITY.proof, attempts: record.membership.failures } };
    else if (next.do === 'call') settlement = { job: job.id, epoch: job.epoch, keep: { leaseUntil: now + leaseMs } };
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
    if (lesson?.learnt === 'removed') observeAccepted(parts, record.grants, now);
    if (passOn) return 'passed_on';
    if (next.do !== 'call') return;
    // The mark and the lease are reckoned from the decision. Sent later than that allows, the call could still take
    // effect when absence is already believed, or when the next holder of the lease is at work.
    const taught =
      clock.monotonic() - decidedAt > UNKNOWN_MARGIN_MS
        ? notSent(next.call)
        : await call(parts, next.call, job.payload, next.call === 'expire' ? next.at : undefined);
    if ('heldBackMs' in taught) {
      const later = await store.job(job.id);
      if (later?.epoch === job.epoch)
        await comeBack(parts, { ...guard, version: later.version }, taught.heldBackMs, record.membership.failures);
      return;
    }
    lesson = taught;
  }
  parts.log.warn({ job: job.id }, 'an operation took too many steps under one lease; it goes on under the next');
}

/** Asked only where it matters: once for each time that a directory says that it ends nothing by itself. */
async function whetherTold(store: Store, directory: string, lesson: Lesson | undefined): Promise<'told' | 'untold'> {
  if (lesson?.learnt !== 'expiry_unavailable') return 'told';
  return (await store.pinned('told', nativeExpiryTold(directory))) === undefined ? 'untold' : 'told';
}

/** A read that the budget held back taught nothing and failed at nothing. */
async function comeBack(
  { store, clock, ids }: ProvisionParts,
  guard: { readonly job: string; readonly epoch: number; readonly version: number },
  inMs: number,
  attempts: number,
): Promise<void> {
  const later = { dueAt: clock.now() + Math.ceil(inMs + ids.jitter() * HELD_BACK_SPREAD_MS), attempts };
  await store.commit({ changes: [], job: { ...guard, later } }).catch((error: unknown) => {
    // Put again meanwhile: the lease runs out, and it is looked at as it is then.
    if (!(error instanceof StaleStateError)) throw error;
  });
}

function observeAccepted({ metrics }: ProvisionParts, grants: readonly Grant[], now: Instant): void {
  for (const grant of grants)
    if (grant.state === 'ending')
      metrics?.observe('hallpass_removal_step_seconds', Math.max(0, now - removalDueAt(grant)) / 1000, {
        step: 'accepted',
      });
}

/** Its removal was accepted, and nothing has shown yet that it held. */
function awaitsProof(changes: readonly Change[]): boolean {
  return changes.some(
    (change) => 'put' in change && change.put === 'membership' && change.row.removeOutcome === 'accepted',
  );
}

function notSent(call: OperationCall): Lesson {
  const error = 'not sent: the database took too long to keep the mark';
  return { learnt: 'failed', call, code: 'unavailable', effect: 'none', error };
}

/** One call, and what it taught. The mark is committed; from here on a lost answer counts as "may have happened". */
async function call(
  parts: ProvisionParts,
  what: OperationCall,
  key: MembershipKey,
  at?: Instant,
): Promise<Lesson | { readonly heldBackMs: number }> {
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
      case 'expire': {
        // Taken out of the file a moment ago: then there is nobody to ask.
        const set = (await directory.expireAt?.(key.groupId, key.userId, at)) ?? 'unavailable';
        if (set === 'unavailable') return { learnt: 'expiry_unavailable' };
        return { learnt: 'expiry_set', ...(at === undefined ? {} : { at }) };
      }
    }
  } catch (error) {
    if (!(error instanceof DirectoryError)) {
      parts.log.error({ call: what, error }, 'a directory adapter failed in a way it should not');
      return { learnt: 'failed', call: what, code: 'unavailable', effect: 'unknown', error: 'internal error' };
    }
    if (what === 'read' && error.heldBack === true) return { heldBackMs: error.retryAfterMs ?? 0 };
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
