/**
 * The inbox: a command is durable before it is acknowledged, decided at once, and taken up again after a restart when
 * it never was.
 */
import type { Answer } from '../access/command.ts';
import type { Handler } from '../access/handle.ts';
import type { AccountRef } from '../access/model.ts';
import type { Clock, Delivery, Desk, Incoming, Replier, Store } from '../access/ports.ts';
import type { Lane, LoopLog } from './loop.ts';

/** How long the process that took a delivery has it to itself. */
const LEASE_MS = 10_000;
/** After that many failures the person is told, and the delivery is closed. */
const ATTEMPTS_MAX = 5;
const SLOTS = 8;

export interface InboxParts {
  readonly store: Store;
  readonly handler: Handler;
  readonly clock: Clock;
  readonly log: LoopLog;
}

const BUSY: Answer = { say: 'refused', refusal: { code: 'busy' } };
const BEING_RETRIED: Answer = { say: 'refused', refusal: { code: 'being_retried' } };

export function createDesk(parts: InboxParts): Desk {
  const { store, handler, clock, log } = parts;
  return {
    async take(incoming) {
      const now = clock.now();
      const body = JSON.stringify({ command: incoming.command, reply: incoming.reply });
      const fresh = await store.receive({ key: incoming.key, receivedAt: now, body }, now + LEASE_MS);
      if (!fresh) return { fresh, answer: Promise.resolve(BUSY) };
      const answer = handler.handle(incoming.command, incoming.key).catch((error: unknown) => {
        // It stays in the inbox and is tried again; nothing was committed yet, and it may still be.
        log.error({ delivery: incoming.key, error }, 'a delivery could not be decided');
        return BEING_RETRIED;
      });
      return { fresh, answer };
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
    lease: (limit) => {
      const now = clock.now();
      return store.unanswered(now, now + LEASE_MS, limit);
    },
    run: async (delivery) => {
      const { command, reply } = JSON.parse(delivery.body) as Pick<Incoming, 'command' | 'reply'>;
      let answer: Answer;
      if (delivery.attempts > ATTEMPTS_MAX) {
        log.error({ delivery: delivery.key }, 'a delivery is given up');
        await store.answered(delivery.key);
        answer = BUSY;
      } else answer = await handler.handle(command, delivery.key);
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
