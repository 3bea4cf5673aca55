/** The process's clocks. Everything else is given time. */
import type { Clock } from './access/ports.ts';

export interface AdjustableClock extends Clock {
  /** Added to the wall clock: the measured offset to a shared database, or the sandbox's own time. */
  adjust(offsetMs: number): void;
}

export function systemClock(offsetMs = 0): AdjustableClock {
  let offset = offsetMs;
  return {
    now: () => Date.now() + offset,
    monotonic: () => performance.now(),
    adjust(ms) {
      offset = ms;
    },
  };
}
