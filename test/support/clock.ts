/** A clock that is moved by hand. */
import type { Instant } from '../../src/access/model.ts';
import type { Clock } from '../../src/access/ports.ts';

export interface HandClock extends Clock {
  /** Time really goes by: both clocks move. */
  pass(ms: number): void;
  /** Somebody sets the wall clock: only that one moves, either way. */
  step(ms: number): void;
  /** Wall clock minus time gone by. */
  readonly skew: number;
  /** `monotonic` at the last step; absent: it was never set. */
  readonly steppedAt: number | undefined;
}

/** `monotonic` starts at zero. */
export function handClock(start: Instant): HandClock {
  let gone = 0;
  let skew = 0;
  let steppedAt: number | undefined;
  return {
    now: () => start + gone + skew,
    monotonic: () => gone,
    pass(ms) {
      gone += ms;
    },
    step(ms) {
      skew += ms;
      steppedAt = gone;
    },
    get skew() {
      return skew;
    },
    get steppedAt() {
      return steppedAt;
    },
  };
}
