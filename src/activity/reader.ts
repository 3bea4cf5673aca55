/**
 * Reads the sources that have to be asked, a little after everything else: each minute from where each of them is, page
 * by page, until there is nothing new. One that fails waits longer each time and says so; it is never taken for one in
 * which nothing happened.
 */
import type { ActivitySource, ActivityStore } from '../access/activity.ts';
import { type Clock, type Metrics, StaleStateError } from '../access/ports.ts';
import type { ActivityLog, Collector, Source } from './collector.ts';

export interface ReaderParts {
  readonly store: Pick<ActivityStore, 'sourceCursor'>;
  readonly sources: ReadonlyMap<string, Source & { readonly port: ActivitySource }>;
  readonly collector: Collector;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly log: ActivityLog;
}

export interface Reader {
  /** Reads each source that is due. Never rejects. */
  ring(): Promise<void>;
  stop(): void;
  /** What an operator should know. */
  problems(): readonly string[];
}

/** In one go; the rest comes with the next ring, so that a stop never waits for a whole history. */
const PAGES_MAX = 50;
const BACK_OFF_MAX_MS = 900_000;
/** A source that failed this often in a row is told of. */
const FAILING_AFTER = 3;

interface State {
  failures: number;
  notBefore: number;
  error?: string;
}

export function createReader(parts: ReaderParts): Reader {
  const { store, sources, collector, clock, metrics, log } = parts;
  const states = new Map<string, State>();
  let stopped = false;

  async function one(source: Source & { readonly port: ActivitySource }): Promise<void> {
    const { name, port } = source;
    const state = states.get(name) ?? { failures: 0, notBefore: 0 };
    states.set(name, state);
    if (clock.monotonic() < state.notBefore) return;
    let outcome = 'failed';
    try {
      let more = true;
      for (let pages = 0; more && pages < PAGES_MAX && !stopped; pages++) {
        const known = await store.sourceCursor(name);
        // At first from as far back as an activity would still be taken.
        const page = await port.read(known?.cursor, clock.now() - source.lateMs);
        await collector.take(source, page.told, { cursor: page.cursor, readAt: page.readTo });
        more = page.more;
      }
      state.failures = 0;
      delete state.error;
      // What is left over goes on with the next ring.
      state.notBefore = more ? 0 : clock.monotonic() + port.everyMs;
      outcome = 'done';
    } catch (error) {
      // Another process reads it too, and was faster.
      if (error instanceof StaleStateError) outcome = 'overtaken';
      else {
        state.failures += 1;
        state.error = error instanceof Error ? error.message : String(error);
        state.notBefore = clock.monotonic() + backOffMs(state.failures, port.everyMs);
        log.warn(
          { source: name, failures: state.failures, error: state.error },
          'activity could not be read; it waits',
        );
      }
    } finally {
      metrics.count('hallpass_activity_reads_total', { source: name, outcome });
    }
  }

  return {
    async ring() {
      await Promise.all([...sources.values()].map(one));
      for (const { name } of sources.values()) {
        const at = (await store.sourceCursor(name))?.readAt;
        if (at !== undefined)
          metrics.gauge?.('hallpass_activity_lag_seconds', Math.max(0, clock.now() - at) / 1_000, { source: name });
      }
    },
    stop() {
      stopped = true;
    },
    problems: () =>
      [...states].flatMap(([name, { failures, error }]) =>
        failures < FAILING_AFTER
          ? []
          : [
              `the source "${name}" could not be read ${failures} times in a row, so what is done there is not seen: ${error ?? ''}`,
            ],
      ),
  };
}

function backOffMs(failures: number, everyMs: number): number {
  return Math.min(everyMs * 2 ** Math.min(failures - 1, 10), BACK_OFF_MAX_MS);
}
