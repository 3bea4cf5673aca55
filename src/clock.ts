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

/** A measurement that took longer says too little about when the server read its clock. */
const ROUND_TRIP_MAX_MS = 1_000;

/**
 * The process's clock, brought to agree with the database's. Processes on one Postgres decide about the same instants,
 * so they must mean the same by "now"; which of them is right matters less.
 */
export function sharedClock(
  base: Clock,
  serverTime: () => Promise<number | undefined>,
): Clock & {
  /** Measures once more; keeps the last offset when that fails. Returns the offset in milliseconds. */
  agree(): Promise<number>;
} {
  let offset = 0;
  return {
    now: () => base.now() + offset,
    monotonic: base.monotonic,
    async agree() {
      const before = Date.now();
      const server = await serverTime();
      const after = Date.now();
      if (server !== undefined && after >= before && after - before <= ROUND_TRIP_MAX_MS)
        // Against the real clock: an offset that the sandbox has put on the base is its own affair.
        offset = Math.round(server - (before + after) / 2);
      return offset;
    },
  };
}
