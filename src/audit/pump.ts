/**
 * Tells the outside what is in the trail: the end of the chain is signed and noted elsewhere, and every event is told to
 * each sink, in order and at least once. Where each of them is stands in the database, so that it goes on after a
 * restart. Several processes share that place: a page may be told by two of them in the same moment, and whoever reads
 * tells one from another by `seq`.
 *
 * Memory does not grow while a sink is away: what it has not been told stays in the trail.
 */
import type { Clock, Metrics, TrailStore } from '../access/ports.ts';
import type { Signer } from './checkpoint.ts';
import { type ExportFormat, exportLine } from './export.ts';
import type { Outlet } from './outlet.ts';

export interface PumpLog {
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export interface PumpParts {
  readonly store: TrailStore;
  /** Absent: nothing is signed, and so nothing anchored. */
  readonly signer?: Signer;
  /** Why nothing is signed although it should be. */
  readonly unsigned?: string;
  readonly anchors: ReadonlyMap<string, Outlet>;
  readonly sinks: ReadonlyMap<string, { readonly outlet: Outlet; readonly format: ExportFormat }>;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly log: PumpLog;
}

export interface Pump {
  /** So many events were committed; a checkpoint follows when they are enough. */
  committed(events: number): void;
  /** Signs what is new, and tells everybody who has not been told. Never rejects. One at a time. */
  ring(): Promise<void>;
  stop(): Promise<void>;
  /** What an operator should know. */
  problems(): readonly string[];
}

/** Signed at the latest after so many events; and once a minute, when the sweep rings. */
const CHECKPOINT_EVENTS = 1_000;
const PAGE = 500;
/** In one go; the rest comes with the next ring, so that a stop never waits for a whole history. */
const PAGES_MAX = 40;
const BACK_OFF_MAX_MS = 300_000;
/** A sink that hangs does not hold a stop up: what it may not have taken is told again after the next start. */
const STOP_WAITS_MS = 1_000;
/** Events are told this soon after they were committed. */
const SOON_MS = 1_000;

interface Told {
  failures: number;
  notBefore: number;
  error?: string;
}

export function createPump(parts: PumpParts): Pump {
  const { store, signer, clock, metrics, log } = parts;
  const states = new Map<string, Told>();
  let unsigned = 0;
  let running: Promise<void> | undefined;
  let soon: NodeJS.Timeout | undefined;
  let stopped = false;

  async function sign(): Promise<void> {
    if (signer === undefined) return;
    const head = await store.chainHead();
    const last = await store.lastCheckpoint();
    unsigned = 0;
    if (head.seq === 0 || last?.seq === head.seq) return;
    await store.putCheckpoint(signer.checkpoint(head, clock.now()));
    metrics.count('hallpass_audit_checkpoints_total');
  }

  async function tellAnchor(name: string, outlet: Outlet): Promise<void> {
    await along(`anchor:${name}`, outlet, async (after) => {
      const page = await store.checkpoints(after, PAGE);
      return { last: page.at(-1)?.seq, text: page.map((one) => `${JSON.stringify(one)}\n`).join('') };
    });
  }

  async function tellSink(name: string, outlet: Outlet, format: ExportFormat): Promise<void> {
    await along(`sink:${name}`, outlet, async (after) => {
      const page = await store.trailEvents(after, PAGE);
      return { last: page.at(-1)?.seq, text: page.map((link) => exportLine(format, link)).join('') };
    });
    const lag = (await store.chainHead()).seq - (await store.cursor(`sink:${name}`));
    metrics.gauge?.('hallpass_audit_sink_lag_events', lag, { sink: name });
  }

  /** From its cursor on, page by page, until there is nothing new or it does not take any. */
  async function along(
    cursor: string,
    outlet: Outlet,
    read: (after: number) => Promise<{ last: number | undefined; text: string }>,
  ): Promise<void> {
    const state = states.get(cursor) ?? { failures: 0, notBefore: 0 };
    states.set(cursor, state);
    if (clock.monotonic() < state.notBefore) return;
    try {
      for (let pages = 0; pages < PAGES_MAX && !stopped; pages += 1) {
        const from = await store.cursor(cursor);
        const { last, text } = await read(from);
        if (last === undefined) break;
        await outlet.write(text);
        // Moved after it was taken: a crash in between tells the page once more, and none is left out.
        if (!(await store.moveCursor(cursor, from, last))) break;
      }
      state.failures = 0;
      delete state.error;
    } catch (error) {
      state.failures += 1;
      state.error = error instanceof Error ? error.message : String(error);
      state.notBefore = clock.monotonic() + Math.min(1_000 * 2 ** Math.min(state.failures, 20), BACK_OFF_MAX_MS);
      metrics.count('hallpass_audit_tellings_failed_total', { to: cursor });
      log.warn({ to: cursor, failures: state.failures, error: state.error }, 'the trail could not be told; it waits');
    }
  }

  async function once(): Promise<void> {
    try {
      await sign();
      await Promise.all([
        ...[...parts.anchors].map(([name, outlet]) => tellAnchor(name, outlet)),
        ...[...parts.sinks].map(([name, { outlet, format }]) => tellSink(name, outlet, format)),
      ]);
    } catch (error) {
      if (!stopped) log.error({ error }, 'the trail could not be signed; it is tried again in a minute');
    }
  }

  function ring(): Promise<void> {
    if (stopped) return running ?? Promise.resolve();
    running ??= once().finally(() => {
      running = undefined;
    });
    return running;
  }

  return {
    committed(events) {
      if (events === 0 || stopped) return;
      unsigned += events;
      const due = unsigned >= CHECKPOINT_EVENTS ? 0 : parts.sinks.size > 0 ? SOON_MS : undefined;
      if (due === undefined || soon !== undefined) return;
      soon = setTimeout(() => {
        soon = undefined;
        void ring();
      }, due);
      soon.unref();
    },
    ring,
    async stop() {
      stopped = true;
      clearTimeout(soon);
      let waited: NodeJS.Timeout | undefined;
      const enough = new Promise<void>((resolve) => {
        waited = setTimeout(resolve, STOP_WAITS_MS);
      });
      await Promise.race([running, enough]);
      clearTimeout(waited);
    },
    problems: () => [
      ...(parts.unsigned === undefined ? [] : [`checkpoints of the trail are not signed: ${parts.unsigned}`]),
      ...[...states].flatMap(([to, { failures, error }]) =>
        failures < 3 ? [] : [`${to} has not taken the trail ${failures} times in a row: ${error ?? ''}`],
      ),
    ],
  };
}
