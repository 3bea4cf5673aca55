/**
 * Everything that will happen by itself, in order of time: answers that arrive, effects that land, a slow database.
 * What a step leads to is carried to the end before the next one, so that a history depends on nothing but its seed.
 */
import { setImmediate } from 'node:timers/promises';
import type { HandClock } from '../support/clock.ts';

interface Entry {
  readonly at: number;
  readonly order: number;
  readonly act: () => void;
}

export interface Agenda {
  /** After so many milliseconds of real time; entries of one instant go in the order they were made. */
  after(ms: number, act: () => void): void;
  /** Real time of the next entry. */
  nextAt(): number | undefined;
  /** Time goes on to the next entry, which happens with all that follows at once. */
  fire(): Promise<void>;
  /** Resolves when everything under way waits for an entry. */
  settle(): Promise<void>;
  readonly size: number;
}

/** `busy`: resolves when work outside (a database) is over; absent when there is none. */
export function createAgenda(clock: HandClock, busy: () => Promise<unknown> | undefined): Agenda {
  const entries: Entry[] = [];
  let order = 0;

  function first(): number {
    let best = 0;
    for (let n = 1; n < entries.length; n++) {
      const one = entries[n] as Entry;
      const other = entries[best] as Entry;
      if (one.at < other.at || (one.at === other.at && one.order < other.order)) best = n;
    }
    return best;
  }

  async function settle(): Promise<void> {
    for (;;) {
      await setImmediate();
      const outside = busy();
      if (outside === undefined) return;
      await outside;
    }
  }

  return {
    after(ms, act) {
      entries.push({ at: clock.monotonic() + Math.max(0, Math.round(ms)), order: order++, act });
    },
    nextAt: () => entries[first()]?.at,
    async fire() {
      const [entry] = entries.splice(first(), 1);
      if (entry === undefined) return;
      clock.pass(Math.max(0, entry.at - clock.monotonic()));
      entry.act();
      await settle();
    },
    settle,
    get size() {
      return entries.length;
    },
  };
}
