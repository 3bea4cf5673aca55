/**
 * Waiting for something to change: each who waits looks again when a request is said to have changed here, and every
 * few seconds besides, since another process may have changed it. Bounded in number and in time.
 */
import type { RequestId } from '../access/model.ts';
import { tooOften } from './problems.ts';

export interface Waits {
  /**
   * Asks `look` until it answers; `undefined` when the time is over, the caller has left, or we stop. Throws a problem
   * when too many wait already, of one session or of all.
   */
  until<T>(wait: {
    readonly request: RequestId;
    readonly session: string;
    readonly timeoutMs: number;
    readonly gone: AbortSignal;
    look(): Promise<T | undefined>;
  }): Promise<T | undefined>;
  changed(requests: readonly RequestId[]): void;
  /** Whoever waits is answered now, and nobody waits any more. */
  stop(): void;
}

const WAITING_MOST = 200;
const OF_ONE_SESSION = 10;
const LOOKS_EVERY_MS = 2_000;
const COME_BACK_S = 5;

export function createWaits(): Waits {
  const waiting = new Map<RequestId, Set<() => void>>();
  const bySession = new Map<string, number>();
  const stopping = new AbortController();
  let all = 0;

  function nudge(request: RequestId, ms: number, over: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const others = waiting.get(request) ?? new Set();
      const done = () => {
        clearTimeout(timer);
        over.removeEventListener('abort', done);
        others.delete(done);
        if (others.size === 0 && waiting.get(request) === others) waiting.delete(request);
        resolve();
      };
      const timer = setTimeout(done, ms);
      waiting.set(request, others.add(done));
      over.addEventListener('abort', done);
      if (over.aborted) done();
    });
  }

  return {
    async until({ request, session, timeoutMs, gone, look }) {
      const mine = bySession.get(session) ?? 0;
      if (all >= WAITING_MOST || mine >= OF_ONE_SESSION) throw tooOften(COME_BACK_S);
      all += 1;
      bySession.set(session, mine + 1);
      const until = performance.now() + timeoutMs;
      const over = AbortSignal.any([gone, stopping.signal]);
      try {
        for (;;) {
          // Listened for before it is looked at: what changes in between is not missed.
          const left = until - performance.now();
          const next = nudge(request, Math.max(0, Math.min(left, LOOKS_EVERY_MS)), over);
          const found = await look();
          if (found !== undefined || left <= 0 || over.aborted) return found;
          await next;
        }
      } finally {
        all -= 1;
        const left = (bySession.get(session) ?? 1) - 1;
        if (left === 0) bySession.delete(session);
        else bySession.set(session, left);
      }
    },
    changed(requests) {
      for (const request of requests) for (const wake of [...(waiting.get(request) ?? [])]) wake();
    },
    stop: () => stopping.abort(),
  };
}
