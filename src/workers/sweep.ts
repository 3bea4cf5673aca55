/**
 * The minute's sweep, by node-cron: finds what a lost wake-up, a bug or a restored database left without a job, puts
 * the job, and says outside that somebody is alive.
 */
import { schedule } from 'node-cron';
import { operation, timer } from '../access/decision.ts';
import { PRIORITY } from '../access/model.ts';
import type { Clock, Metrics, Store } from '../access/ports.ts';
import type { Loop, LoopLog } from './loop.ts';

const FORGOTTEN_MAX = 500;
const HEARTBEAT_DEADLINE_MS = 5_000;
/** Longer than any platform retries or a signature is believed; then a delivery's row is only weight. */
/** Long enough to be told that its time was over. */
const DEVICES_KEPT_MS = 3_600_000;
const DELIVERIES_KEPT_MS = 7 * 86_400_000;

export interface SweepParts {
  readonly store: Store;
  readonly loop: Loop;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly log: LoopLog;
  /** Measures again how far this clock is from the one all processes share. */
  readonly agree: () => Promise<void>;
  readonly heartbeatUrl?: string;
  /** Looked at with each sweep, and not waited for: what is due once a day. */
  readonly daily?: () => Promise<void>;
  readonly fetch?: typeof globalThis.fetch;
}

export interface Sweep {
  /** One sweep now; resolves when it is over. Never rejects. */
  sweep(): Promise<void>;
  start(): void;
  stop(): Promise<void>;
}

export function createSweep(parts: SweepParts): Sweep {
  const { store, loop, clock, metrics, log } = parts;
  let running: Promise<void> | undefined;
  let task: ReturnType<typeof schedule> | undefined;

  async function once(): Promise<void> {
    try {
      await parts.agree();
      const now = clock.now();
      const { rings, memberships } = await store.forgotten(now, FORGOTTEN_MAX);
      if (rings.length + memberships.length > 0) {
        log.warn({ rings: rings.length, memberships: memberships.length }, 'found what had no job; it has one now');
        await store.commit({
          changes: [
            ...rings.map((ring) => timer(ring, now)),
            ...memberships.map((key) => operation(key, now, PRIORITY.removal)),
          ],
        });
      }
      await store.forgetDeliveries(now - DELIVERIES_KEPT_MS);
      await store.forgetDevices(now - DEVICES_KEPT_MS);
      metrics.count('hallpass_sweeps_total', { outcome: 'done' });
      // After the database has answered: a heartbeat says that removals can be worked off, not that a process exists.
      await beat();
    } catch (error) {
      metrics.count('hallpass_sweeps_total', { outcome: 'failed' });
      log.error({ error }, 'the sweep failed; the next one is in a minute');
    }
    loop.wake();
    void parts.daily?.();
  }

  async function beat(): Promise<void> {
    if (parts.heartbeatUrl === undefined) return;
    try {
      const response = await (parts.fetch ?? globalThis.fetch)(parts.heartbeatUrl, {
        redirect: 'error',
        signal: AbortSignal.timeout(HEARTBEAT_DEADLINE_MS),
      });
      await response.body?.cancel();
      metrics.count('hallpass_heartbeats_total', { outcome: response.ok ? 'sent' : 'refused' });
    } catch (error) {
      metrics.count('hallpass_heartbeats_total', { outcome: 'failed' });
      log.warn({ error }, 'the heartbeat could not be sent');
    }
  }

  /** One at a time: a sweep that takes longer than a minute is not joined by a second one. */
  function sweep(): Promise<void> {
    running ??= once().finally(() => {
      running = undefined;
    });
    return running;
  }

  return {
    sweep,
    start() {
      task = schedule('* * * * *', sweep, { name: 'hallpass sweep' });
    },
    async stop() {
      await task?.destroy();
      await running;
    },
  };
}
