/**
 * One credential's share of a vendor's capacity: the budget per minute, learnt from its answers, and the calls in
 * flight. Removals come before everything else, and a reserve of both is theirs alone: never open what we may be
 * unable to close.
 */
import { type Clock, DirectoryError } from '../access/ports.ts';
import type { Rate } from './rate-limit.ts';

export type Urgency = 'removal' | 'ordinary';

/** Of 75 simultaneous calls that Okta allows an organisation (35 on a free one), other programs need some too. */
const IN_FLIGHT_MAX = 30;
/** Slots that ordinary calls leave free, so that a directory that hangs on additions still hears a removal. */
const IN_FLIGHT_RESERVE = 5;
const WAITING_MAX = 1_000;
const RESERVE_SHARE = 0.1;
const RESERVE_MAX = 50;
const QUEUE_FULL_RETRY_MS = 1_000;

interface Budget {
  limit: number;
  remaining: number;
  reset: number;
  /** On the monotonic clock. */
  endsAt: number;
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
 * a small bucket that is used up must not hold back the others. Where two of our buckets are one to the vendor, every
 * answer still tells what is left of it.
 */
export class Limiter {
  readonly #directory: string;
  readonly #clock: Clock;
  readonly #inFlightMax: number;
  readonly #ordinaryMax: number;
  readonly #waitingMax: number;
  readonly #budgets = new Map<string, Budget>();
  readonly #removals: Waiter[] = [];
  readonly #ordinary: Waiter[] = [];
  #inFlight = 0;

  constructor(options: LimiterOptions) {
    this.#directory = options.directory;
    this.#clock = options.clock;
    this.#inFlightMax = options.inFlightMax ?? IN_FLIGHT_MAX;
    this.#ordinaryMax = Math.max(1, this.#inFlightMax - (options.inFlightReserve ?? IN_FLIGHT_RESERVE));
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
      const queue = urgency === 'removal' ? this.#removals : this.#ordinary;
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

  /** Takes in what an answer says of its bucket. */
  learn(bucket: string, status: number, rate: Rate | undefined): void {
    if (rate === undefined || rate.limit === 0) return;
    const known = this.#current(bucket);
    // A 429 for too many calls at once carries the concurrency limit in the same headers. Taken for an empty minute, it
    // would hold back removals that could go through at once; so a 429 only confirms a budget that is known.
    if (status === 429 && known?.limit !== rate.limit) return;
    if (known !== undefined && rate.reset < known.reset) return;
    if (known !== undefined && rate.reset === known.reset) {
      // Answers overtake one another, and calls in flight are counted by us alone: the smaller number is the safe one.
      known.remaining = Math.min(known.remaining, rate.remaining);
      return;
    }
    this.#budgets.set(bucket, {
      limit: rate.limit,
      remaining: rate.remaining,
      reset: rate.reset,
      endsAt: this.#clock.monotonic() + rate.resetInMs,
    });
  }

  /** Calls a minute that the vendor allows in this bucket, as it last told. */
  perMinute(bucket: string): number | undefined {
    return this.#current(bucket)?.limit;
  }

  #current(bucket: string): Budget | undefined {
    const budget = this.#budgets.get(bucket);
    if (budget === undefined || budget.endsAt > this.#clock.monotonic()) return budget;
    this.#budgets.delete(bucket);
    return undefined;
  }

  #pump(): void {
    while (this.#inFlight < this.#inFlightMax) {
      const waiter =
        this.#removals.shift() ?? (this.#inFlight < this.#ordinaryMax ? this.#ordinary.shift() : undefined);
      if (waiter === undefined) return;
      const budget = this.#current(waiter.bucket);
      const reserve =
        budget === undefined || waiter.urgency === 'removal'
          ? 0
          : Math.min(RESERVE_MAX, Math.ceil(budget.limit * RESERVE_SHARE));
      if (budget !== undefined && budget.remaining <= reserve) {
        const waitMs = Math.max(1_000, Math.ceil(budget.endsAt - this.#clock.monotonic()));
        waiter.refuse(this.#tooMany('the budget of calls is used up', waitMs));
        continue;
      }
      if (budget !== undefined) budget.remaining -= 1;
      this.#inFlight += 1;
      waiter.admit();
    }
  }

  // Whoever came last of the least urgent gives way, so that a removal finds room in a full queue.
  #trim(): void {
    while (this.#removals.length + this.#ordinary.length > this.#waitingMax) {
      const last = this.#ordinary.pop() ?? this.#removals.pop();
      last?.refuse(this.#tooMany('too many calls are waiting', QUEUE_FULL_RETRY_MS));
    }
  }

  #tooMany(why: string, waitMs: number): DirectoryError {
    return new DirectoryError(this.#directory, 'rate_limited', `${this.#directory}: not sent, ${why}`, {
      retryAfterMs: waitMs,
    });
  }
}
