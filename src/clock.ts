/** The process's clocks. Everything else is given time. */
import type { Instant } from './access/model.ts';
import type { Clock } from './access/ports.ts';

export interface AdjustableClock extends Clock {
  /** The sandbox's own time, added to this machine's. */
  adjust(shiftMs: number): void;
  readonly shiftMs: number;
  /** Told when this machine's clock was set back, and by how much. */
  onStepBack: ((byMs: number) => void) | undefined;
  /** Goes on this much ahead of the machine's time, until that is set on. */
  hold(byMs: number): void;
}

/** What the composition root needs to know of a clock beyond the time. */
export type ProcessClock = Clock & Partial<Pick<AdjustableClock, 'shiftMs' | 'onStepBack' | 'hold'>>;

/** Less is a clock being slewed, and two readings that were not taken at the same moment. */
const STEP_MS = 2_000;

/**
 * The process's wall clock, which never goes back: when the machine's is set back by an hour, every end that was
 * written down before would come an hour late. Going on at the old time, each grant gets the length it was approved
 * for; a little early is better than late. For what happened while no process ran, see `notBefore`.
 */
export function systemClock(
  shiftMs = 0,
  machine: { wall(): number; monotonic(): number } = { wall: Date.now, monotonic: () => performance.now() },
): AdjustableClock {
  let shift = shiftMs;
  let held = 0;
  let last = { wall: machine.wall(), monotonic: machine.monotonic() };
  const clock: AdjustableClock = {
    now() {
      const wall = machine.wall();
      const monotonic = machine.monotonic();
      const ahead = wall - last.wall - (monotonic - last.monotonic);
      last = { wall, monotonic };
      if (ahead < -STEP_MS) {
        held -= ahead;
        clock.onStepBack?.(-ahead);
      } else if (ahead > STEP_MS) held = Math.max(0, held - ahead);
      return Math.floor(wall + held + shift);
    },
    monotonic: machine.monotonic,
    adjust(ms) {
      shift = ms;
    },
    get shiftMs() {
      return shift;
    },
    onStepBack: undefined,
    hold(byMs) {
      held += byMs;
    },
  };
  return clock;
}

/** A measurement that took longer says too little about when the server read its clock. */
const ROUND_TRIP_MAX_MS = 1_000;

/**
 * The process's clock, brought to agree with the database's. Processes on one Postgres decide about the same instants,
 * so they must mean the same by "now"; which of them is right matters less.
 */
export function sharedClock(
  base: ProcessClock,
  serverTime: () => Promise<number | undefined>,
): Clock & {
  /** Measures once more; keeps the last offset when that fails. Returns the offset in milliseconds. */
  agree(): Promise<number>;
  /**
   * Never earlier than what has happened already: where the database has no clock of its own, one that was set back
   * between two runs would make every grant last longer. Returns by how much it was behind; 0 when it was not.
   */
  notBefore(at: Instant): number;
} {
  let offset = 0;
  return {
    now: () => base.now() + offset,
    monotonic: base.monotonic,
    async agree() {
      const before = base.now();
      const server = await serverTime();
      const after = base.now();
      if (server !== undefined && after >= before && after - before <= ROUND_TRIP_MAX_MS)
        // The shift of a sandbox is its own affair, and stays.
        offset = Math.round(server - (before + after) / 2 + (base.shiftMs ?? 0));
      return offset;
    },
    notBefore(at) {
      const behind = at - base.now() - offset;
      if (behind <= STEP_MS || base.hold === undefined) return 0;
      base.hold(behind);
      return behind;
    },
  };
}
