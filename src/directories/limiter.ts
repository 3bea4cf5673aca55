/**
 * One credential's share of a vendor's capacity: the budget per minute, learnt from its answers, and the calls in
 * flight. Removals come before everything else, and a reserve of both is theirs alone: never open what we may be
 * unable to close.
 */
import { type CallLane, type Clock, DirectoryError, type Room } from '../access/ports.ts';
import type { Breaker } from './breaker.ts';
import type { Rate } from './rate-limit.ts';

export type Urgency = CallLane;

/** Whoever waits longest of the first of these that may go is next. */
const ORDER: readonly Urgency[] = ['removal', 'ordinary', 'proof', 'reconcile'];
/** The share of a budget that each leaves to those before it. */
const LEFT: Readonly<Record<Urgency, number>> = { removal: 0, ordinary: 0.3, proof: 0.3, reconcile: 0.5 };

/** Of 75 simultaneous calls that Okta allows an organisation (35 on a free one), other programs need some too. */
const IN_FLIGHT_MAX = 30;
/** Slots that all but removals leave free, so that a directory that hangs on additions still hears a removal. */
const IN_FLIGHT_RESERVE = 9;
const WAITING_MAX = 1_000;
const QUEUE_FULL_RETRY_MS = 1_000;
/** Shorter than this nobody is sent away: the clocks of two machines do not agree better. */
const WAIT_MIN_MS = 100;
/** Where somebody else spends from the same budget, this much of it is left: what they take shows a little late. */
const RIVAL_SHARE = 0.02;

interface Budget {
  limit: number;
  remaining: number;
  reset: number;
  /** On the monotonic clock. */
  endsAt: number;
  /** Calls that were on their way when it was learnt, taken for spent from it. */
  unsettled: number;
  /** Somebody else spends from it too. */
  rival: boolean;
}

interface Waiter {
  readonly bucket: string;
  readonly urgency: Urgency;
  admit(): void;
  refuse(error: DirectoryError): void;
}

export interface LimiterOptions {
  readonly directory: string;
  readonly clock: Clock;
  readonly inFlightMax?: number;
  readonly inFlightReserve?: number;
  readonly waitingMax?: number;
}

/**
 * Budgets are kept by bucket, which the adapter names after the vendor's endpoint: vendors count endpoints apart, and
 * a small bucket that is used up must not hold back the others. Two of our buckets that look like one to the vendor
 * are counted as one, until an answer shows that they are two.
 */
export class Limiter {
  readonly #directory: string;
  readonly #clock: Clock;
  readonly #inFlightMax: number;
  readonly #inFlightOthers: number;
  readonly #waitingMax: number;
  readonly #budgets = new Map<string, Budget>();
  readonly #waiting: Readonly<Record<Urgency, Waiter[]>> = { removal: [], ordinary: [], proof: [], reconcile: [] };
  /** Buckets from which others were seen to spend. */
  readonly #rivals = new Set<string>();
  readonly #inFlightOf = new Map<string, number>();
  #inFlight = 0;

  constructor(options: LimiterOptions) {
    this.#directory = options.directory;
    this.#clock = options.clock;
    this.#inFlightMax = options.inFlightMax ?? IN_FLIGHT_MAX;
    this.#inFlightOthers = Math.max(1, this.#inFlightMax - (options.inFlightReserve ?? IN_FLIGHT_RESERVE));
    this.#waitingMax = options.waitingMax ?? WAITING_MAX;
  }

  /**
   * Resolves when the call may be sent; the caller runs the returned function once, when the exchange is over. Throws
   * `rate_limited` when the budget or the queue says no, and the signal's reason when that fires first. In either
   * case nothing was sent.
   */
  enter(bucket: string, urgency: Urgency, signal: AbortSignal): Promise<() => void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) {
        reject(signal.reason);
        return;
      }
      const queue = this.#waiting[urgency];
      const onAbort = () => {
        const at = queue.indexOf(waiter);
        if (at >= 0) queue.splice(at, 1);
        reject(signal.reason);
      };
      const waiter: Waiter = {
        bucket,
        urgency,
        admit: () => {
          signal.removeEventListener('abort', onAbort);
          resolve(() => {
            this.#inFlight -= 1;
            this.#inFlightOf.set(bucket, (this.#inFlightOf.get(bucket) ?? 1) - 1);
            this.#pump();
          });
        },
        refuse: (error) => {
          signal.removeEventListener('abort', onAbort);
          reject(error);
        },
      };
      signal.addEventListener('abort', onAbort, { once: true });
      queue.push(waiter);
      this.#pump();
      this.#trim();
    });
  }

  /** How many calls may be sent before the budget says no, and when it is worth asking again where that is none. */
  room(bucket: string, urgency: Urgency): Room {
    const budget = this.#current(bucket);
    const before = ORDER.slice(0, ORDER.indexOf(urgency) + 1).reduce((n, lane) => n + this.#waiting[lane].length, 0);
    if (budget === undefined) return { calls: Math.max(0, this.#inFlightMax - before), inMs: 0 };
    const calls = Math.max(0, budget.remaining - leftBy(urgency, budget));
    return calls > 0 ? { calls: Math.max(0, calls - before), inMs: 0 } : { calls: 0, inMs: this.#waitMs(budget) };
  }

  /** Takes in what an answer says of its bucket. */
  learn(bucket: string, status: number, rate: Rate | undefined): void {
    if (rate === undefined || rate.limit === 0) return;
    const known = this.#current(bucket);
    // A 429 for too many calls at once carries the concurrency limit in the same headers. Taken for an empty minute, it
    // would hold back removals that could go through at once; so a 429 only confirms a budget that is known.
    if (status === 429 && known?.limit !== rate.limit) return;
    if (known !== undefined && rate.reset < known.reset) {
      if (known.unsettled > 0) {
        known.unsettled -= 1;
        known.remaining += 1;
      }
      return;
    }
    const endsAt = this.#clock.monotonic() + rate.resetInMs;
    if (known !== undefined && rate.reset === known.reset) {
      // Answers overtake one another, but not by more than this: whoever counts so differently counts something else.
      if (rate.remaining > known.remaining + 2 * this.#inFlightMax && this.#isShared(bucket, known)) {
        this.#budgets.set(bucket, { ...known, remaining: rate.remaining, endsAt });
        return;
      }
      // Answers overtake one another, and calls in flight are counted by us alone: the smaller number is the safe one.
      if (rate.remaining < known.remaining) {
        known.rival = true;
        this.#rivals.add(bucket);
      }
      known.remaining = Math.min(known.remaining, rate.remaining);
      // Servers tell the time in whole seconds, so that each answer overstates the rest of the window by up to one.
      known.endsAt = Math.min(known.endsAt, endsAt);
      return;
    }
    const others = Math.max(0, (this.#inFlightOf.get(bucket) ?? 0) - 1);
    const twin = known === undefined ? this.#twinOf(rate) : undefined;
    if (twin !== undefined) twin.remaining = Math.min(twin.remaining - others, rate.remaining);
    // Calls that are on their way are not in this answer's count yet; one that turns out to belong to the window before
    // is given back.
    this.#budgets.set(
      bucket,
      twin ?? {
        limit: rate.limit,
        remaining: Math.max(0, rate.remaining - others),
        unsettled: others,
        reset: rate.reset,
        endsAt,
        rival: this.#rivals.has(bucket),
      },
    );
  }

  /** Another bucket's budget that this answer may be about: the same window, and no more left than we know of. */
  #twinOf({ limit, reset, remaining }: Rate): Budget | undefined {
    for (const [bucket, budget] of this.#budgets)
      if (this.#current(bucket) === budget && budget.limit === limit && budget.reset === reset)
        if (remaining <= budget.remaining + 1) return budget;
    return undefined;
  }

  #isShared(bucket: string, budget: Budget): boolean {
    return [...this.#budgets].some(([other, theirs]) => other !== bucket && theirs === budget);
  }

  /** Calls a minute that the vendor allows in this bucket, as it last told. */
  perMinute(bucket: string): number | undefined {
    return this.#current(bucket)?.limit;
  }

  /** Calls in a window, by bucket, as far as an answer has said. */
  limits(): Readonly<Record<string, number>> {
    return Object.fromEntries([...this.#budgets].map(([bucket, { limit }]) => [bucket, limit]));
  }

  #current(bucket: string): Budget | undefined {
    const budget = this.#budgets.get(bucket);
    if (budget === undefined || budget.endsAt > this.#clock.monotonic()) return budget;
    this.#budgets.delete(bucket);
    return undefined;
  }

  #pump(): void {
    for (;;) {
      const urgency = ORDER.find((lane) => this.#waiting[lane].length > 0 && this.#inFlight < this.#mostInFlight(lane));
      const waiter = urgency === undefined ? undefined : this.#waiting[urgency].shift();
      if (waiter === undefined) return;
      const budget = this.#current(waiter.bucket);
      if (budget !== undefined && budget.remaining <= leftBy(waiter.urgency, budget)) {
        waiter.refuse(this.#tooMany('the budget of calls is used up', this.#waitMs(budget)));
        continue;
      }
      if (budget !== undefined) budget.remaining -= 1;
      this.#inFlight += 1;
      this.#inFlightOf.set(waiter.bucket, (this.#inFlightOf.get(waiter.bucket) ?? 0) + 1);
      waiter.admit();
    }
  }

  #mostInFlight(urgency: Urgency): number {
    return urgency === 'removal' ? this.#inFlightMax : this.#inFlightOthers;
  }

  // Whoever came last of the least urgent gives way, so that a removal finds room in a full queue.
  #trim(): void {
    const queues = ORDER.map((lane) => this.#waiting[lane]);
    while (queues.reduce((n, queue) => n + queue.length, 0) > this.#waitingMax) {
      const last = queues.findLast((queue) => queue.length > 0)?.pop();
      last?.refuse(this.#tooMany('too many calls are waiting', QUEUE_FULL_RETRY_MS));
    }
  }

  #waitMs(budget: Budget): number {
    return Math.max(WAIT_MIN_MS, Math.ceil(budget.endsAt - this.#clock.monotonic()));
  }

  #tooMany(why: string, waitMs: number): DirectoryError {
    return new DirectoryError(this.#directory, 'rate_limited', `${this.#directory}: not sent, ${why}`, {
      retryAfterMs: waitMs,
      heldBack: true,
    });
  }
}

/** What a call of this urgency has to leave of a budget. */
function leftBy(urgency: Urgency, { limit, rival }: Budget): number {
  return Math.ceil(limit * LEFT[urgency]) + (rival ? Math.ceil(limit * RIVAL_SHARE) : 0);
}

const BREAKER_LOOK_MS = 2_000;

/** What a lane may send: its room in the budget, and for what opens access no more than the breaker lets through. */
export function roomOf(room: Room, lane: CallLane, breaker: Breaker): Room {
  if (lane !== 'ordinary') return room;
  const additions = breaker.additions();
  // Asked again soon all the same: whatever else gets through closes the breaker before its time.
  const inMs = Math.max(room.inMs, Math.min(additions.inMs, BREAKER_LOOK_MS));
  return { calls: Math.min(room.calls, additions.calls), inMs };
}
