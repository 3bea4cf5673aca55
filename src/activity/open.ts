/** The room as a whole: what comes in by itself, what is read, what is judged at the end, and what is forgotten. */
import type { ActivitySource, ActivityStore } from '../access/activity.ts';
import type { Catalog } from '../access/catalog.ts';
import type { Detection } from '../access/detection.ts';
import type { Clock, Ids, Metrics, Store } from '../access/ports.ts';
import { type ActivityLog, createCollector, type Source } from './collector.ts';
import { judgeEnds, keptMs } from './ends.ts';
import { createIngest, type IngestRoute } from './ingest.ts';
import { createReader } from './reader.ts';
import { createWindows } from './windows.ts';

/** A source that sends, with the secret it signs with; or one that is read. */
export type OpenedSource = Source & ({ readonly secret: string } | { readonly port: ActivitySource });

export interface ActivityParts {
  readonly store: ActivityStore & Pick<Store, 'commit'>;
  readonly sources: readonly OpenedSource[];
  readonly catalog: () => Catalog;
  /** Those that hold now. */
  readonly settings: () => {
    readonly aliases: Readonly<Record<string, string>>;
    readonly activityKeptMs: number;
    readonly detections: readonly Detection[];
  };
  readonly clock: Clock;
  /** The real wall clock, for the age of signatures. */
  readonly wallClock: () => number;
  readonly ids: Ids;
  readonly metrics: Metrics;
  readonly log: ActivityLog;
}

export interface ActivityRoom {
  /** None where nothing is sent. */
  readonly routes: readonly IngestRoute[];
  /** Reads what is due, judges what is over and forgets what is old. Never rejects. One at a time. */
  ring(): Promise<void>;
  stop(): Promise<void>;
  problems(): readonly string[];
}

/** Forgotten in one statement; between two of them everybody else gets a turn. */
const FORGOTTEN_AT_ONCE = 500;
const FORGOTTEN_MAX = 100_000;
const ENDS_PAGES_MAX = 20;
/** A source that hangs does not hold a stop up: where it is stands in the record. */
const STOP_WAITS_MS = 1_000;

export function openActivity(parts: ActivityParts): ActivityRoom {
  const { store, clock, log, settings } = parts;
  const sources = new Map(parts.sources.map((source) => [source.name, source]));
  const sending = new Map(parts.sources.flatMap((one) => ('secret' in one ? [[one.name, one] as const] : [])));
  const read = new Map(parts.sources.flatMap((one) => ('port' in one ? [[one.name, one] as const] : [])));
  const detections = () => settings().detections;
  const windows = createWindows({
    store,
    clock,
    keptMs: () => keptMs(sources),
    aliases: () => settings().aliases,
  });
  const collector = createCollector({ ...parts, windows, detections });
  const reader = createReader({ ...parts, sources: read, collector });
  const ingest = createIngest({ ...parts, sources: sending, collector });
  let running: Promise<void> | undefined;
  let stopped = false;

  async function once(): Promise<void> {
    try {
      await reader.ring();
      for (let pages = 0; pages < ENDS_PAGES_MAX && !stopped; pages++)
        if (!(await judgeEnds({ ...parts, sources, detections }))) break;
      const before = clock.now() - settings().activityKeptMs;
      for (let forgotten = 0; forgotten < FORGOTTEN_MAX && !stopped; ) {
        const some = await store.forgetActivities(before, FORGOTTEN_AT_ONCE);
        if (some === 0) break;
        forgotten += some;
      }
    } catch (error) {
      if (!stopped) log.error({ error }, 'activity could not be looked at; it is tried again in a minute');
    }
  }

  return {
    routes: sending.size === 0 ? [] : [ingest],
    ring() {
      if (stopped || sources.size === 0) return Promise.resolve();
      running ??= once().finally(() => {
        running = undefined;
      });
      return running;
    },
    async stop() {
      stopped = true;
      reader.stop();
      let waited: NodeJS.Timeout | undefined;
      const enough = new Promise<void>((resolve) => {
        waited = setTimeout(resolve, STOP_WAITS_MS);
      });
      await Promise.race([running, enough]);
      clearTimeout(waited);
    },
    problems: () => reader.problems(),
  };
}
