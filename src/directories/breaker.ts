/**
 * Stops additions while a directory is failing, so that nothing is opened that could not be closed. Removals and reads
 * go on: they are what there is to learn from that it works again.
 */
import type { Clock } from '../access/ports.ts';

/** Failures in a row, for so long: one lost answer, or a burst of them, is no outage. */
const FAILURES = 5;
const FAILING_MS = 5_000;
const WAIT_MS = 5_000;
const WAIT_MAX_MS = 60_000;

export interface Breaker {
  /** `ok`, or the code of the error; any answer that was a decision of the directory's counts as working. */
  note(outcome: string): void;
  /** How many additions may be sent now; where none may, when the next one is let through to try. */
  additions(): { readonly calls: number; readonly inMs: number };
  failing(): string | undefined;
  /** The last answer was that the credential is not taken. */
  refused(): boolean;
}

export function createBreaker(clock: Clock): Breaker {
  let failures = 0;
  let since = 0;
  let waitMs = WAIT_MS;
  /** On the monotonic clock; absent while it is closed. */
  let tryAt: number | undefined;
  let last = '';
  let refused = false;

  return {
    note(outcome) {
      if (outcome !== 'unavailable' && outcome !== 'unauthorized') {
        // A call that was held back here says nothing of the directory.
        if (outcome === 'rate_limited') return;
        refused = false;
        failures = 0;
        waitMs = WAIT_MS;
        tryAt = undefined;
        return;
      }
      // Of a call that got no answer nothing is known but that.
      refused ||= outcome === 'unauthorized';
      const now = clock.monotonic();
      if (failures === 0) since = now;
      failures += 1;
      last = outcome;
      if (failures < FAILURES || now - since < FAILING_MS) return;
      if (tryAt === undefined) tryAt = now + waitMs;
      else if (now >= tryAt) {
        waitMs = Math.min(2 * waitMs, WAIT_MAX_MS);
        tryAt = now + waitMs;
      }
    },
    additions() {
      if (tryAt === undefined) return { calls: Number.POSITIVE_INFINITY, inMs: 0 };
      const inMs = tryAt - clock.monotonic();
      return inMs > 0 ? { calls: 0, inMs: Math.ceil(inMs) } : { calls: 1, inMs: 0 };
    },
    refused: () => refused,
    failing: () => (tryAt === undefined ? undefined : `${failures} calls in a row failed (${last})`),
  };
}
