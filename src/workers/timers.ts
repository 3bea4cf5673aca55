/** Rings what is due. A timer carries no order: what follows is decided from what holds when it rings. */

import { ringAsk } from '../access/decide-ask.ts';
import { type Rung, ringAddBy, ringEnd, ringLapse, ringWarn } from '../access/decide-close.ts';
import { ringFreeze } from '../access/decide-freeze.ts';
import { ringIncident } from '../access/decide-incident.ts';
import { ringProof } from '../access/decide-proof.ts';
import { timerId } from '../access/decision.ts';
import { CLOSED_AT_ONCE, waitingIn } from '../access/emergency.ts';
import { askFacts, type Sources, stillOpen } from '../access/gather.ts';
import { type Instant, PRIORITY, type Ring } from '../access/model.ts';
import { type Clock, type LeasedJob, StaleStateError, type Store } from '../access/ports.ts';
import { lookAtReview } from '../access/reviews.ts';
import { lookAtRevocation } from '../access/revocations.ts';
import { ringTogether } from './ends.ts';
import type { Lane } from './loop.ts';

export const TIMER_LEASE_MS = 15_000;
/** Longer than on-call sources and directories may take to answer one after the other. */
const ASK_LEASE_MS = 90_000;
/** Those that end access are decided this many at once. */
const SLOTS = 64;
const ASK_SLOTS = 8;
const OVERTAKEN_MAX = 20;
/** Commits under one lease, for a timer that has more to do than fits one of them. */
const BATCHES_MAX = 100;

export interface TimerParts {
  readonly store: Store;
  readonly clock: Clock;
}

export interface AskParts extends TimerParts, Pick<Sources, 'people' | 'catalog' | 'incidents'> {}

export function timerLane(parts: TimerParts): Lane<LeasedJob> {
  const { store, clock } = parts;
  const ringEnd = ringTogether(parts, (job) => ring(parts, job));
  return {
    name: 'timers',
    slots: SLOTS,
    takes: (job) => job.kind === 'timer' && job.lane === 'timer',
    lease: (limit) => {
      const now = clock.now();
      const leaseUntil = now + TIMER_LEASE_MS;
      return store.lease({ kind: 'timer', lane: 'timer', priority: PRIORITY.usual, limit, now, leaseUntil });
    },
    run: async (job) => {
      if (job.kind !== 'timer') return;
      if (job.payload.ring === 'end') await ringEnd(job, job.payload.grantId);
      else await ring(parts, job);
    },
    nextDue: () => store.nextDue('timer', 'timer', PRIORITY.usual),
  };
}

/** The rings that look something up first, apart from those that end access: a source that hangs delays only its own. */
export function askLane(parts: AskParts): Lane<LeasedJob> {
  const { store, clock } = parts;
  return {
    name: 'asking',
    slots: ASK_SLOTS,
    takes: (job) => job.kind === 'timer' && job.lane === 'ask',
    lease: (limit) => {
      const now = clock.now();
      return store.lease({ kind: 'timer', lane: 'ask', limit, now, leaseUntil: now + ASK_LEASE_MS });
    },
    run: async (job) => {
      if (job.kind === 'timer') await ring(parts, job, (what, now) => lookOutside(parts, what, now));
    },
    nextDue: () => store.nextDue('timer', 'ask'),
  };
}

type Look = (ring: Ring, now: Instant) => Promise<Rung>;

export async function ring(
  parts: TimerParts,
  job: LeasedJob & { kind: 'timer' },
  look: Look = (what, now) => lookInside(parts.store, what, now),
): Promise<void> {
  const { store, clock } = parts;
  const id = timerId(job.payload);
  let overtaken = 0;
  for (let batch = 0; overtaken < OVERTAKEN_MAX; ) {
    const held = await store.job(job.id);
    if (held === undefined || held.epoch !== job.epoch) return;
    const guard = { job: job.id, epoch: job.epoch, version: held.version };
    const now = clock.now();
    const answer = await look(job.payload, now);
    try {
      if ('dueAt' in answer) {
        await store.commit({ changes: [], job: { ...guard, later: { dueAt: answer.dueAt, attempts: 0 } } });
        return;
      }
      const again = answer.find((change) => 'put' in change && change.put === 'job' && change.row.id === id);
      // Settled under its guard; a put or a drop among the changes would take it away from under it.
      const changes = answer.filter((change) => change !== again && !('drop' in change && change.id === id));
      const dueAt = again !== undefined && 'row' in again && 'dueAt' in again.row ? again.row.dueAt : undefined;
      if (dueAt === undefined) return await store.commit({ changes, job: { ...guard, done: true } });
      if (dueAt > now || ++batch === BATCHES_MAX)
        return await store.commit({
          changes,
          job: { ...guard, later: { dueAt: Math.max(dueAt, now + 1), attempts: 0 } },
        });
      // There is more to do at once: under this lease, since another could not be had before this one is given back.
      await store.commit({
        changes,
        job: { job: job.id, epoch: job.epoch, keep: { leaseUntil: now + TIMER_LEASE_MS } },
      });
    } catch (error) {
      if (!(error instanceof StaleStateError)) throw error;
      overtaken++;
    }
  }
}

/** What is asked outside is asked before anything is decided, and never inside a transaction. */
async function lookOutside(parts: AskParts, ring: Ring, now: Instant): Promise<Rung> {
  if (ring.ring === 'incident') {
    const grant = await parts.store.grant(ring.grantId);
    const incident = grant?.grant.incident;
    return ringIncident(grant, incident === undefined ? undefined : await stillOpen(parts, incident.id), now);
  }
  if (ring.ring === 'review') return await lookAtReview(parts, ring.grantId, now);
  if (ring.ring !== 'ask') return await lookInside(parts.store, ring, now);
  const record = await parts.store.request(ring.requestId);
  return ringAsk(record, await askFacts(parts, record, now), now);
}

async function lookInside(store: Store, ring: Ring, now: Instant): Promise<Rung> {
  switch (ring.ring) {
    case 'freeze': {
      const freeze = await store.freeze(ring.freezeId);
      if (freeze === undefined || freeze.liftedAt !== undefined) return [];
      return ringFreeze(freeze, await waitingIn(store, freeze.scope, CLOSED_AT_ONCE), now);
    }
    case 'ask':
    case 'incident':
    case 'review':
      throw new Error(`what ${timerId(ring)} rests on is looked up in a lane of its own`);
    case 'revocation':
      return await lookAtRevocation(store, ring.revocationId, now);
    case 'proof': {
      const proof = await store.proof(ring.proofId);
      const about = proof?.requestId === undefined ? undefined : await store.request(proof.requestId);
      return ringProof(proof, about?.request, now);
    }
    case 'lapse':
      return ringLapse(await store.request(ring.requestId), now);
    case 'end':
      return ringEnd(await store.grant(ring.grantId), now);
    case 'add_by':
      return ringAddBy(await store.grant(ring.grantId), now);
    case 'warn':
      return ringWarn(await store.grant(ring.grantId), now);
  }
}
