/** The alert webhook: the one way of telling somebody that does not depend on chat. */
import type { Clock, Ids, LeasedJob, Metrics, Store } from '../access/ports.ts';
import { StaleStateError } from '../access/ports.ts';
import { noticeView } from '../access/view.ts';
import type { Lane, LoopLog } from './loop.ts';

const LEASE_MS = 15_000;
const DEADLINE_MS = 5_000;
const WAIT_MAX_MS = 60_000;
const ATTEMPTS_MAX = 720;

export interface AlertParts {
  readonly store: Store;
  /** Absent: nobody is told this way, and the jobs are dropped. */
  readonly url: string | undefined;
  readonly timezone: () => string;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly metrics: Metrics;
  readonly log: LoopLog;
  readonly fetch?: typeof globalThis.fetch;
}

export function alertLane(parts: AlertParts): Lane<LeasedJob> {
  const { store, clock } = parts;
  return {
    name: 'alert',
    slots: 2,
    takes: (job) => job.kind === 'notification' && job.lane === 'alert',
    lease: (limit) => {
      const now = clock.now();
      return store.lease({ kind: 'notification', lane: 'alert', limit, now, leaseUntil: now + LEASE_MS });
    },
    run: (job) => alert(parts, job),
    nextDue: () => store.nextDue('notification', 'alert'),
  };
}

async function alert(parts: AlertParts, job: LeasedJob): Promise<void> {
  if (job.kind !== 'notification' || !('notice' in job.payload)) return;
  const { store, clock, ids, metrics, log } = parts;
  const { notice } = job.payload;
  const view = noticeView(notice, parts.timezone());
  const error =
    parts.url === undefined
      ? undefined
      : await post(parts.fetch ?? globalThis.fetch, parts.url, {
          code: notice.code,
          severity: notice.severity,
          text: [view.title, ...view.lines].join(' '),
          at: new Date(notice.at).toISOString(),
        });
  metrics.count('hallpass_alerts_total', { outcome: error === undefined ? 'sent' : 'failed' });
  const guard = { job: job.id, epoch: job.epoch, version: job.version };
  const wait = Math.min(1_000 * 2 ** Math.min(job.attempts, 10), WAIT_MAX_MS) * (0.75 + ids.jitter() / 2);
  const again = error !== undefined && job.attempts < ATTEMPTS_MAX;
  if (error !== undefined) log.warn({ job: job.id, error, again }, 'the alert webhook did not take an alert');
  try {
    await store.commit({
      changes: [],
      job: again
        ? { ...guard, later: { dueAt: clock.now() + Math.round(wait), attempts: job.attempts + 1, lastError: error } }
        : { ...guard, done: true },
    });
  } catch (stale) {
    if (!(stale instanceof StaleStateError)) throw stale;
  }
}

/** What went wrong, or nothing. */
async function post(fetch: typeof globalThis.fetch, url: string, body: object): Promise<string | undefined> {
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
      redirect: 'error',
      signal: AbortSignal.timeout(DEADLINE_MS),
    });
    await response.body?.cancel();
    return response.ok ? undefined : `HTTP ${response.status}`;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
