/**
 * The inbox: a command is durable before it is acknowledged, decided at once, and taken up again after a restart when
 * it never was. Most are decided so soon that one commit holds both the delivery and what follows from it.
 */
import type { Answer } from '../access/command.ts';
import type { Handler } from '../access/handle.ts';
import type { AccountRef } from '../access/model.ts';
import type { Clock, Delivery, Desk, HandedIn, Intake, Replier, Store } from '../access/ports.ts';
import type { Lane, LoopLog } from './loop.ts';

/** How long the process that took a delivery has it to itself. */
const LEASE_MS = 10_000;
/** After that many failures the person is told, and the delivery is closed. */
const ATTEMPTS_MAX = 5;
const SLOTS = 8;
/** A delivery that is not decided by then is recorded by itself, and may be acknowledged. */
const RECORD_AFTER_MS = 250;

export interface InboxParts {
  readonly store: Store;
  readonly handler: Handler;
  readonly clock: Clock;
  readonly log: LoopLog;
}

const BUSY: Answer = { say: 'refused', refusal: { code: 'busy' } };
const BEING_RETRIED: Answer = { say: 'refused', refusal: { code: 'being_retried' } };

/** `after` runs something in so many milliseconds, unless what it returns is called first; `setTimeout` by default. */
export function createDesk(parts: InboxParts & { readonly after?: (ms: number, act: () => void) => () => void }): Desk {
  const { store, handler, clock, log, after = inRealTime } = parts;
  return {
    async take(incoming) {
      const now = clock.now();
      const body = JSON.stringify({ command: incoming.command, reply: incoming.reply });
      const intake = createIntake(store, { key: incoming.key, receivedAt: now, body }, now + LEASE_MS);
      const answer = handler.handle(incoming.command, intake).catch(async (error: unknown) => {
        log.error({ delivery: incoming.key, error }, 'a delivery could not be decided');
        // Nothing was committed yet, and it may still be: recorded, it stays in the inbox and is tried again.
        await intake.record('whatever became of the commit');
        return BEING_RETRIED;
      });
      const cancel = after(RECORD_AFTER_MS, () => void intake.record().catch(() => undefined));
      const decided = answer.then(() => !intake.replayed).finally(cancel);
      const fresh = await Promise.race([decided, intake.recorded]);
      return { fresh, answer: fresh ? answer.catch(() => BEING_RETRIED) : Promise.resolve(BUSY) };
    },
  };
}

function inRealTime(ms: number, act: () => void): () => void {
  const timer = setTimeout(act, ms);
  return () => clearTimeout(timer);
}

interface Recording extends Intake {
  /** Puts it into the inbox, unless a commit that does so is under way. */
  record(even?: 'whatever became of the commit'): Promise<void>;
  /** Resolves when it was put there by itself: whether it was new. */
  readonly recorded: Promise<boolean>;
  readonly replayed: boolean;
}

function createIntake(store: Store, delivery: Delivery, leaseUntil: number): Recording {
  const recorded = Promise.withResolvers<boolean>();
  // Whoever waits hears of it; that nobody waits any more is no error.
  recorded.promise.catch(() => undefined);
  let recording: Promise<boolean> | undefined;
  let committing = false;
  let replayed = false;

  function record(): Promise<boolean> {
    if (recording === undefined) {
      recording = store.receive(delivery, leaseUntil).then((fresh) => {
        replayed = !fresh;
        return fresh;
      });
      recording.then(recorded.resolve, recorded.reject);
    }
    return recording;
  }

  return {
    key: delivery.key,
    recorded: recorded.promise,
    get replayed() {
      return replayed;
    },
    async record(even) {
      if (!committing || even !== undefined) await record();
    },
    async closing() {
      if (recording !== undefined) return (await recording) ? delivery.key : 'replayed';
      committing = true;
      return delivery;
    },
    overtaken() {
      committing = false;
      // Recorded before the next try: that it was known already is one of the things that can make a commit stale.
      void record().catch(() => undefined);
    },
  };
}

type Unanswered = Delivery & { readonly attempts: number };

export function inboxLane(
  parts: InboxParts & { readonly replier: (platform: AccountRef['platform']) => Replier | undefined },
): Lane<Unanswered> {
  const { store, handler, clock, log } = parts;
  return {
    name: 'inbox',
    slots: SLOTS,
    // Deliveries are no jobs, and no commit leaves one behind.
    takes: () => false,
    lease: (limit) => {
      const now = clock.now();
      return store.unanswered(now, now + LEASE_MS, limit);
    },
    run: async (delivery) => {
      const { command, reply } = JSON.parse(delivery.body) as Pick<HandedIn, 'command' | 'reply'>;
      let answer: Answer;
      if (delivery.attempts > ATTEMPTS_MAX) {
        log.error({ delivery: delivery.key }, 'a delivery is given up');
        await store.answered(delivery.key);
        answer = BUSY;
      } else answer = await handler.handle(command, delivery.key);
      if (reply === undefined) return;
      await parts
        .replier(reply.account.platform)
        ?.say(reply, answer)
        .catch((error: unknown) => {
          // What was done is committed, and the messages about it follow by themselves.
          log.warn({ delivery: delivery.key, error }, 'the answer to a delivery could not be said');
        });
    },
    // Looked at with every wake-up and at least every 30 s; a restart is rare, and its leases are short.
    nextDue: () => Promise.resolve(undefined),
  };
}
