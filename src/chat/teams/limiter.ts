/**
 * How fast Teams may be written to: seven messages a second in a conversation, sixty in half a minute, 1,800 an hour, and
 * fifty a second in a tenant. Kept a little below, since what is refused has to be sent again. Nothing queues here:
 * whoever has to wait is told for how long, and the queue is the jobs in the store.
 */
import type { Clock } from '../../access/ports.ts';

interface Rate {
  /** So many at once; then `perSecond`. */
  readonly burst: number;
  readonly perSecond: number;
}

const IN_CONVERSATION: readonly Rate[] = [
  { burst: 4, perSecond: 1.8 },
  { burst: 150, perSecond: 0.45 },
];
const IN_TENANT: readonly Rate[] = [{ burst: 20, perSecond: 30 }];

const CONVERSATIONS_REMEMBERED = 1_000;
/** A 429 that does not say for how long. */
const PAUSE_MS = 5_000;

/** All times on the monotonic clock. */
interface Bucket {
  readonly rate: Rate;
  tokens: number;
  filledAt: number;
}

interface Gate {
  readonly buckets: readonly Bucket[];
  pausedUntil: number;
}

export interface Limiter {
  /** When to come back, in milliseconds; 0 when there is room now, which this does not take. */
  roomIn(conversation?: string): number;
  /** Takes the room, or says when to come back. */
  take(conversation: string): number;
  /** Teams said that it is too much there, and for how long where it did. Returns for how long nothing is sent. */
  tooMany(conversation: string, retryAfterMs: number | undefined): number;
}

export function createLimiter(clock: Pick<Clock, 'monotonic'>): Limiter {
  const gate = (rates: readonly Rate[]): Gate => ({
    buckets: rates.map((rate) => ({ rate, tokens: rate.burst, filledAt: clock.monotonic() })),
    pausedUntil: 0,
  });
  const tenant = gate(IN_TENANT);
  const conversations = new Map<string, Gate>();

  function gatesOf(conversation: string | undefined): readonly Gate[] {
    if (conversation === undefined) return [tenant];
    const known = conversations.get(conversation) ?? gate(IN_CONVERSATION);
    // Put in again, so that the one that was quiet for longest is the first to be forgotten.
    conversations.delete(conversation);
    conversations.set(conversation, known);
    const oldest = conversations.size > CONVERSATIONS_REMEMBERED ? conversations.keys().next() : undefined;
    if (oldest?.done === false) conversations.delete(oldest.value);
    return [tenant, known];
  }

  function waitOf(gates: readonly Gate[]): number {
    const now = clock.monotonic();
    let waitMs = 0;
    for (const { buckets, pausedUntil } of gates) {
      waitMs = Math.max(waitMs, pausedUntil - now);
      for (const bucket of buckets) {
        const { burst, perSecond } = bucket.rate;
        bucket.tokens = Math.min(burst, bucket.tokens + ((now - bucket.filledAt) * perSecond) / 1000);
        bucket.filledAt = now;
        if (bucket.tokens < 1) waitMs = Math.max(waitMs, ((1 - bucket.tokens) * 1000) / perSecond);
      }
    }
    return Math.ceil(waitMs);
  }

  return {
    roomIn: (conversation) => waitOf(gatesOf(conversation)),
    take(conversation) {
      const gates = gatesOf(conversation);
      const waitMs = waitOf(gates);
      if (waitMs === 0) for (const { buckets } of gates) for (const bucket of buckets) bucket.tokens -= 1;
      return waitMs;
    },
    tooMany(conversation, retryAfterMs) {
      const pauseMs = Math.max(retryAfterMs ?? PAUSE_MS, 0);
      const [, here] = gatesOf(conversation);
      if (here !== undefined) here.pausedUntil = Math.max(here.pausedUntil, clock.monotonic() + pauseMs);
      return pauseMs;
    },
  };
}
