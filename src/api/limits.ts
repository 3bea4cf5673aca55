/** How often something may happen: so many times in each window, by key, in bounded memory. */
import type { Clock } from '../access/ports.ts';

export interface Limit {
  /** Counts one more. */
  take(key: string): Taken;
  /** Whether it has been counted in the window that runs. */
  knows(key: string): boolean;
  /** As it stands, without counting. */
  look(key: string): Taken;
  readonly most: number;
  readonly windowMs: number;
}

export interface Taken {
  readonly ok: boolean;
  readonly left: number;
  /** Seconds until the window is over; at least 1. */
  readonly resetS: number;
}

/** More keys than this are remembered by nobody who behaves. */
const KEYS_MAX = 10_000;

export function createLimit({ clock, most, windowMs }: { clock: Clock; most: number; windowMs: number }): Limit {
  const windows = new Map<string, { count: number; readonly endsAt: number }>();

  function current(key: string) {
    const known = windows.get(key);
    const now = clock.monotonic();
    if (known !== undefined && now < known.endsAt) return known;
    return { count: 0, endsAt: now + windowMs };
  }

  const taken = ({ count, endsAt }: { count: number; endsAt: number }): Taken => ({
    ok: count <= most,
    left: Math.max(0, most - count),
    resetS: Math.max(1, Math.ceil((endsAt - clock.monotonic()) / 1000)),
  });

  return {
    most,
    windowMs,
    take(key) {
      const window = current(key);
      window.count += 1;
      // The oldest goes first: put again, it is the newest.
      windows.delete(key);
      windows.set(key, window);
      if (windows.size > KEYS_MAX) windows.delete(windows.keys().next().value ?? '');
      return taken(window);
    },
    knows: (key) => current(key).count > 0,
    look: (key) => taken(current(key)),
  };
}
