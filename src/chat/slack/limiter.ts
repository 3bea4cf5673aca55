/**
 * How fast Slack may be called. Messages are paced from the start, since a message can wait; what a person or a decision
 * waits for is not, until Slack says that it is too much. Nothing queues here: who has to wait is told for how long, and
 * the queue is the jobs in the store.
 */
import { type Clock, MessengerError } from '../../access/ports.ts';

interface Tier {
  readonly perMinute: number;
  /** Held to its tier from the first call on. */
  readonly paced?: boolean;
}

/** Slack's tiers, which are counted by method and workspace. Posting is "several hundred a minute". */
const TIERS: Readonly<Record<string, Tier>> = {
  'chat.postMessage': { perMinute: 300, paced: true },
  'chat.update': { perMinute: 50, paced: true },
  'chat.postEphemeral': { perMinute: 100 },
  'conversations.history': { perMinute: 50 },
  'conversations.info': { perMinute: 50 },
  'conversations.open': { perMinute: 50 },
  'files.completeUploadExternal': { perMinute: 100 },
  'files.getUploadURLExternal': { perMinute: 100 },
  'usergroups.users.list': { perMinute: 20 },
  'users.info': { perMinute: 100 },
  'users.lookupByEmail': { perMinute: 50 },
  'views.open': { perMinute: 100 },
  'views.publish': { perMinute: 100 },
  'views.update': { perMinute: 100 },
};
const OTHERWISE: Tier = { perMinute: 20 };

/** One message a second in a conversation; Slack lets short bursts pass. */
const IN_CONVERSATION: Tier = { perMinute: 60, paced: true };
const CONVERSATION_BURST = 5;
const CONVERSATIONS_REMEMBERED = 1_000;

/** A 429 that does not say for how long. */
const PAUSE_MS = 10_000;
/** Longer than this nobody is sent away at once, however many wait: the rate may be better by then. */
const AWAY_MAX_MS = 60_000;
const MINUTE_MS = 60_000;
/** Each 429 halves the rate, down to a tenth of the tier; each minute without one wins half of it back. */
const SLOWEST_SHARE = 0.1;
const RECOVERY = 1.5;

/** All times on the monotonic clock. */
interface Bucket {
  readonly tier: Tier;
  readonly burst: number;
  tokens: number;
  perMinute: number;
  filledAt: number;
  /** When the rate was last lowered or raised; absent while it is the tier's own. */
  learntAt: number | undefined;
  pausedUntil: number;
  /** When the last one that was sent away may come back: the next one comes after it. */
  awayUntil: number;
}

export interface Limiter {
  /**
   * Resolves when the call may be sent, within `patienceMs`. Else throws `rate_limited` with the time to come back at;
   * nothing was sent.
   */
  enter(method: string, conversation?: string, patienceMs?: number): Promise<void>;
  /** When to come back, in milliseconds; 0 when there is room now, which this does not take. */
  roomIn(method: string, conversation?: string): number;
  /** Slack said 429 to this method, and for how long where it did. Returns for how long the method is paused. */
  tooMany(method: string, retryAfterMs: number | undefined): number;
}

export function createLimiter(clock: Pick<Clock, 'monotonic'>): Limiter {
  const methods = new Map<string, Bucket>();
  const conversations = new Map<string, Bucket>();

  function methodBucket(method: string): Bucket {
    const tier = Object.hasOwn(TIERS, method) ? (TIERS[method] ?? OTHERWISE) : OTHERWISE;
    const known = methods.get(method) ?? bucket(tier, tier.perMinute, clock.monotonic());
    methods.set(method, known);
    return known;
  }

  function conversationBucket(id: string): Bucket {
    const known = conversations.get(id) ?? bucket(IN_CONVERSATION, CONVERSATION_BURST, clock.monotonic());
    // Put in again, so that the one that was quiet for longest is the first to be forgotten.
    conversations.delete(id);
    conversations.set(id, known);
    const oldest = conversations.size > CONVERSATIONS_REMEMBERED ? conversations.keys().next() : undefined;
    if (oldest?.done === false) conversations.delete(oldest.value);
    return known;
  }

  function bucketsOf(method: string, conversation: string | undefined): readonly Bucket[] {
    return [methodBucket(method), ...(conversation === undefined ? [] : [conversationBucket(conversation)])];
  }

  function comeBackIn(buckets: readonly Bucket[], now: number): number {
    return Math.max(...buckets.map((one) => sendAway(one, waitOf(one, now), now)));
  }

  async function enter(method: string, conversation?: string, patienceMs = 0): Promise<void> {
    const buckets = bucketsOf(method, conversation);
    const giveUpAt = clock.monotonic() + patienceMs;
    for (;;) {
      const now = clock.monotonic();
      const waitMs = Math.max(...buckets.map((one) => waitOf(one, now)));
      if (waitMs <= 0) {
        for (const one of buckets) one.tokens -= 1;
        return;
      }
      if (now + waitMs > giveUpAt)
        throw new MessengerError('rate_limited', `Slack ${method}: not sent, too many at once`, {
          retryAfterMs: comeBackIn(buckets, now),
        });
      await new Promise((resolve) => setTimeout(resolve, Math.ceil(waitMs)));
    }
  }

  return {
    enter,
    roomIn: (method, conversation) => comeBackIn(bucketsOf(method, conversation), clock.monotonic()),
    tooMany(method, retryAfterMs) {
      const now = clock.monotonic();
      const one = methodBucket(method);
      const pauseMs = Math.max(retryAfterMs ?? PAUSE_MS, 0);
      one.pausedUntil = Math.max(one.pausedUntil, now + pauseMs);
      fill(one, now);
      one.tokens = Math.min(one.tokens, 1);
      // Answers to calls that were sent together say the same thing several times.
      if (one.learntAt === undefined || now - one.learntAt > 1_000) {
        one.perMinute = Math.max(one.perMinute / 2, one.tier.perMinute * SLOWEST_SHARE);
        one.learntAt = now;
      }
      return pauseMs;
    },
  };
}

function bucket(tier: Tier, burst: number, now: number): Bucket {
  return {
    tier,
    burst,
    tokens: burst,
    perMinute: tier.perMinute,
    filledAt: now,
    learntAt: undefined,
    pausedUntil: 0,
    awayUntil: 0,
  };
}

function fill(one: Bucket, now: number): void {
  while (one.learntAt !== undefined && now - one.learntAt >= MINUTE_MS) {
    one.perMinute = Math.min(one.perMinute * RECOVERY, one.tier.perMinute);
    one.learntAt = one.perMinute < one.tier.perMinute ? one.learntAt + MINUTE_MS : undefined;
  }
  one.tokens = Math.min(one.burst, one.tokens + ((now - one.filledAt) * one.perMinute) / MINUTE_MS);
  one.filledAt = now;
}

function waitOf(one: Bucket, now: number): number {
  fill(one, now);
  const pausedMs = Math.max(0, one.pausedUntil - now);
  if (one.tier.paced !== true && one.learntAt === undefined) {
    one.tokens = Math.max(one.tokens, 1);
    return pausedMs;
  }
  const short = 1 - one.tokens;
  return Math.max(pausedMs, short <= 0 ? 0 : (short * MINUTE_MS) / one.perMinute);
}

/** One after the other at the bucket's pace: sent away together, they would all come back together. */
function sendAway(one: Bucket, waitMs: number, now: number): number {
  if (waitMs <= 0) return 0;
  const next = one.awayUntil > now ? one.awayUntil + MINUTE_MS / one.perMinute : 0;
  const at = Math.max(now + waitMs, next);
  one.awayUntil = Math.min(at, now + Math.max(waitMs, AWAY_MAX_MS));
  return Math.ceil(Math.min(at - now, Math.max(waitMs, AWAY_MAX_MS)));
}
