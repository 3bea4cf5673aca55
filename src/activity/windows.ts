/**
 * The grants that activities can belong to, at hand: every activity of every source is looked for among them. Once read,
 * only what may have begun or ended since is read again.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { ActivityStore, GrantWindow } from '../access/activity.ts';
import { indexWindows, type WindowIndex } from '../access/attribution.ts';
import type { Clock } from '../access/ports.ts';

/** Between two pages everybody else gets a turn. */
const PAGE = 100;
/** Far beyond what a company has at a time. */
const WINDOWS_MAX = 50_000;
/** Read whole again, so that what is long over is let go. */
const WHOLE_EVERY_MS = 600_000;
/** That a grant has begun is written down this long after it has, at most; whatever is later is found with the whole. */
const BEGUN_WITHIN_MS = 120_000;
/** A wall clock may step, and another process has its own. */
const MARGIN_MS = 60_000;

export interface Windows {
  /** As the record had them after this time on the monotonic clock. */
  since(at: number): Promise<WindowIndex>;
}

export interface WindowsParts {
  readonly store: Pick<ActivityStore, 'openWindows' | 'windowsBegun' | 'windowsEnded'>;
  readonly clock: Clock;
  /** How long after its end an activity can still belong to a grant. */
  readonly keptMs: () => number;
  /** Other names of people: account → login, in lower case. */
  readonly aliases: () => Readonly<Record<string, string>>;
}

interface Loaded {
  readonly found: Map<string, GrantWindow>;
  index: WindowIndex;
  readonly aliases: Readonly<Record<string, string>>;
  /** On the monotonic clock: when it was read whole, and when it was last brought up to date. */
  readonly wholeAt: number;
  freshAt: number;
  /** On the wall clock, for asking what has changed since. */
  freshSince: number;
}

export function createWindows({ store, clock, keptMs, aliases }: WindowsParts): Windows {
  let loaded: Loaded | undefined;
  let working: Promise<Loaded> | undefined;
  let next: Promise<Loaded> | undefined;

  async function whole(): Promise<Loaded> {
    const [freshAt, freshSince] = [clock.monotonic(), clock.now()];
    const found = new Map<string, GrantWindow>();
    // Those that run first: one that ends in between is then found twice, and not missed.
    for (let after = ''; found.size < WINDOWS_MAX; ) {
      const page = await store.openWindows(after, PAGE);
      for (const one of page) found.set(one.grantId, one);
      const last = page.at(-1);
      if (last === undefined || page.length < PAGE) break;
      after = last.grantId;
      await nextTurn();
    }
    await ended(freshSince - keptMs(), (one) => found.set(one.grantId, one));
    const names = aliases();
    return { found, index: indexed(found, names), aliases: names, wholeAt: freshAt, freshAt, freshSince };
  }

  /** Proven over after this. */
  async function ended(since: number, each: (window: GrantWindow) => void): Promise<void> {
    for (let after = since, pages = 0; pages * PAGE < WINDOWS_MAX; pages++) {
      const page = await store.windowsEnded(after, Number.MAX_SAFE_INTEGER, PAGE);
      for (const one of page) each(one);
      const end = page.at(-1)?.endedAt;
      if (end === undefined || page.length < PAGE) return;
      // Many grants can end in one millisecond; a page of nothing else must not be read for ever.
      after = page[0]?.endedAt === end ? end : end - 1;
      await nextTurn();
    }
  }

  async function changes(known: Loaded): Promise<Loaded> {
    const [freshAt, freshSince] = [clock.monotonic(), clock.now()];
    let changed = false;
    const note = (one: GrantWindow) => {
      const before = known.found.get(one.grantId);
      if (before !== undefined && before.endedAt === one.endedAt) return;
      known.found.set(one.grantId, one);
      changed = true;
    };
    for (const one of await store.windowsBegun(known.freshSince - BEGUN_WITHIN_MS, WINDOWS_MAX)) note(one);
    await ended(known.freshSince - MARGIN_MS, note);
    if (changed) known.index = indexed(known.found, known.aliases);
    known.freshAt = freshAt;
    known.freshSince = freshSince;
    return known;
  }

  async function refresh(): Promise<Loaded> {
    const known = loaded;
    const stale =
      known === undefined || clock.monotonic() - known.wholeAt >= WHOLE_EVERY_MS || known.aliases !== aliases();
    working = stale ? whole() : changes(known);
    try {
      loaded = await working;
      return loaded;
    } finally {
      working = undefined;
    }
  }

  /** One at a time; whoever asks while one is under way waits for the one after it, which began later than they asked. */
  function fresh(): Promise<Loaded> {
    next ??= (async () => {
      await working?.catch(() => undefined);
      next = undefined;
      return await refresh();
    })();
    return next;
  }

  return {
    async since(at) {
      if (loaded !== undefined && loaded.freshAt > at && loaded.aliases === aliases()) return loaded.index;
      return (await fresh()).index;
    },
  };
}

function indexed(found: ReadonlyMap<string, GrantWindow>, aliases: Readonly<Record<string, string>>): WindowIndex {
  return indexWindows([...found.values()], new Map(Object.entries(aliases)));
}
