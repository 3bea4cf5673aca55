/**
 * Tells others what becomes of requests and grants, along the trail: in order, at least once, signed as Standard
 * Webhooks has it. Where each of them is stands in the database, so that it goes on after a restart; several processes
 * share that place, so that an event may come twice, under the same `webhook-id`.
 *
 * Memory does not grow while one is away: what it has not been told stays in the trail. One that is away holds up nobody
 * but itself.
 */
import { createHmac } from 'node:crypto';
import { type Handler, requestIdOf } from '../access/handle.ts';
import type { Clock, Ids, Metrics, TrailEvent, TrailStore } from '../access/ports.ts';
import { iso, requestShown } from './shown.ts';
import { type WebhookSection, webhookKey } from './webhooks-section.ts';

export interface WebhookParts {
  readonly store: Pick<TrailStore, 'trailEvents' | 'chainHead' | 'cursor' | 'moveCursor'>;
  readonly view: Handler['view'];
  readonly webhooks: Readonly<Record<string, WebhookSection>>;
  readonly clock: Clock;
  readonly ids: Pick<Ids, 'jitter'>;
  readonly metrics: Metrics;
  readonly log: { warn(fields: object, message: string): void };
  readonly fetch?: typeof globalThis.fetch;
}

export interface Webhooks {
  /** So many events were committed: they are told soon. */
  committed(events: number): void;
  /** Tells everybody who has not been told. Never rejects. One at a time. */
  ring(): Promise<void>;
  stop(): Promise<void>;
  /** What an operator should know. */
  problems(): readonly string[];
}

const DEADLINE_MS = 10_000;
const PAGE = 200;
/** In one go; the rest comes with the next ring. */
const PAGES_MAX = 50;
const SOON_MS = 500;
const PAUSE_MS = 1_000;
const PAUSE_MAX_MS = 300_000;
const STOP_WAITS_MS = 1_000;
/** In a row, before an operator is told. */
const FAILURES_TOLD = 3;

interface State {
  readonly section: WebhookSection;
  readonly key: Buffer;
  readonly events: ReadonlySet<string>;
  failures: number;
  notBefore: number;
  error?: string;
}

export function createWebhooks(parts: WebhookParts): Webhooks {
  const { store, view, clock, ids, metrics, log, fetch = globalThis.fetch } = parts;
  const states = new Map(
    Object.entries(parts.webhooks).map(([name, section]): [string, State] => {
      const key = webhookKey(section.secret);
      if (key === undefined) throw new Error(`the secret of webhook ${name} was not judged`);
      return [name, { section, key, events: new Set<string>(section.events), failures: 0, notBefore: 0 }];
    }),
  );
  const stopping = new AbortController();
  let begun: Promise<void> | undefined;
  let running: Promise<void> | undefined;
  let soon: NodeJS.Timeout | undefined;
  let again = false;

  /** Whoever is new is told what happens from now on, not all that ever happened. */
  async function begin(): Promise<void> {
    const { seq } = await store.chainHead();
    for (const name of states.keys())
      if (seq > 0 && (await store.cursor(cursorOf(name))) === 0) await store.moveCursor(cursorOf(name), 0, seq);
  }

  async function tell(name: string, state: State): Promise<void> {
    if (clock.monotonic() < state.notBefore) return;
    const cursor = cursorOf(name);
    try {
      for (let pages = 0; pages < PAGES_MAX && !stopping.signal.aborted; pages += 1) {
        let place = await store.cursor(cursor);
        const page = await store.trailEvents(place, PAGE);
        for (const event of page.filter(({ event: { kind } }) => state.events.has(kind))) {
          await send(name, state, event);
          // Moved after it was taken: a crash in between tells it once more, and none is left out.
          if (!(await store.moveCursor(cursor, place, event.seq))) return;
          place = event.seq;
        }
        const last = page.at(-1)?.seq;
        if (last === undefined) break;
        if (last > place && !(await store.moveCursor(cursor, place, last))) return;
        if (page.length < PAGE) break;
      }
    } catch (error) {
      failed(name, state, error);
    }
  }

  function failed(name: string, state: State, error: unknown): void {
    if (stopping.signal.aborted) return;
    state.failures += 1;
    state.error = error instanceof Error ? error.message : String(error);
    const pause = Math.min(PAUSE_MS * 2 ** Math.min(state.failures - 1, 20), PAUSE_MAX_MS);
    state.notBefore = clock.monotonic() + pause * (0.75 + ids.jitter() / 2);
    metrics.count('hallpass_webhooks_total', { webhook: name, outcome: 'failed' });
    log.warn({ webhook: name, failures: state.failures, error: state.error }, 'a webhook did not take it; it waits');
    wake(state.notBefore - clock.monotonic());
  }

  async function send(name: string, state: State, told: TrailEvent): Promise<void> {
    const { event, seq } = told;
    const requestId = event.requestId ?? (event.grantId === undefined ? undefined : requestIdOf(event.grantId));
    const request = requestId === undefined ? undefined : await view(requestId);
    const body = JSON.stringify({
      type: event.kind,
      timestamp: iso(event.at),
      data: { seq, ...(request === undefined ? {} : { request: requestShown(request) }) },
    });
    const headers = signed(state.key, `evt_${seq}`, Math.floor(clock.now() / 1000), body);
    const started = clock.monotonic();
    const response = await fetch(state.section.url, {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json', 'user-agent': 'Hallpass' },
      body,
      redirect: 'error',
      signal: AbortSignal.any([stopping.signal, AbortSignal.timeout(DEADLINE_MS)]),
    });
    await response.body?.cancel();
    metrics.observe('hallpass_webhook_seconds', (clock.monotonic() - started) / 1000, { webhook: name });
    if (!response.ok) throw new Error(`HTTP ${response.status}`);
    metrics.count('hallpass_webhooks_total', { webhook: name, outcome: 'taken' });
    state.failures = 0;
    delete state.error;
  }

  async function once(): Promise<void> {
    begun ??= begin();
    try {
      await begun;
    } catch (error) {
      begun = undefined;
      log.warn({ error }, 'where webhooks are could not be read; it is tried again');
      return;
    }
    do {
      again = false;
      await Promise.all([...states].map(([name, state]) => tell(name, state)));
    } while (again && !stopping.signal.aborted);
  }

  function ring(): Promise<void> {
    if (stopping.signal.aborted || states.size === 0) return running ?? Promise.resolve();
    if (running !== undefined) again = true;
    running ??= once().finally(() => {
      running = undefined;
    });
    return running;
  }

  function wake(ms: number): void {
    if (soon !== undefined || stopping.signal.aborted) return;
    soon = setTimeout(() => {
      soon = undefined;
      void ring();
    }, ms);
    soon.unref();
  }

  return {
    committed(events) {
      if (events > 0 && states.size > 0) wake(SOON_MS);
    },
    ring,
    async stop() {
      clearTimeout(soon);
      stopping.abort();
      let waited: NodeJS.Timeout | undefined;
      const enough = new Promise<void>((resolve) => {
        waited = setTimeout(resolve, STOP_WAITS_MS);
      });
      await Promise.race([running, enough]);
      clearTimeout(waited);
    },
    problems: () =>
      [...states].flatMap(([name, { failures, error }]) =>
        failures < FAILURES_TOLD
          ? []
          : [`${name} has not taken an event ${failures} times in a row: ${error ?? ''}; later ones wait`],
      ),
  };
}

const cursorOf = (name: string) => `webhook:${name}`;

/** https://www.standardwebhooks.com: HMAC-SHA256 over id, seconds and body, so that neither can be changed alone. */
function signed(key: Buffer, id: string, seconds: number, body: string): Readonly<Record<string, string>> {
  const signature = createHmac('sha256', key).update(`${id}.${seconds}.${body}`).digest('base64');
  return { 'webhook-id': id, 'webhook-timestamp': String(seconds), 'webhook-signature': `v1,${signature}` };
}
