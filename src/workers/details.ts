/**
 * Every line of a digest as a file: below the digest of a day, or with one person who asked. A file cannot be looked for
 * once its answer was lost, so it is then shared again: twice is better than never.
 */
import type { AccountRef, Notification } from '../access/model.ts';
import {
  type Clock,
  type MessageTarget,
  type Messenger,
  MessengerError,
  type Period,
  type SharedFile,
  type Store,
} from '../access/ports.ts';

export interface DetailsParts {
  readonly store: Pick<Store, 'message' | 'putMessage'>;
  readonly messengers: Readonly<Partial<Record<AccountRef['platform'], Messenger>>>;
  /** Draws the file. */
  readonly details: (period: Period, day: string | undefined) => Promise<SharedFile>;
  readonly clock: Pick<Clock, 'now'>;
}

/** The digest's own message is posted by another job, which may come to it later. */
const WAIT_FOR_MESSAGE_MS = 5_000;

export async function tellDetails(
  parts: DetailsParts,
  id: string,
  what: Notification & { tell: 'details' },
): Promise<void> {
  const { store, clock } = parts;
  const { to } = what;
  const messenger = parts.messengers['day' in to ? 'slack' : to.account.platform];
  if (messenger?.attach === undefined) return;
  const row = await store.message(id);
  if (row?.state === 'posted') return;
  const target = 'day' in to ? await below(parts, to.day) : { account: to.account };
  if (target === undefined) return;
  const period = { from: what.fromAt, to: what.toAt };
  const file = await parts.details(period, 'day' in to ? to.day : undefined);
  await messenger.attach(target, file);
  await store.putMessage({ id, requestId: '', state: 'posted', at: clock.now() });
}

/** Absent: the digest is not to be seen anywhere, and neither is its file. */
async function below({ store }: DetailsParts, day: string): Promise<MessageTarget | undefined> {
  const message = await store.message(`digest:${day}`);
  if (message?.state === 'gone') return undefined;
  if (message?.state !== 'posted' || message.conversation === undefined || message.ts === undefined)
    throw new MessengerError('unavailable', 'the digest has not been posted yet', {
      retryAfterMs: WAIT_FOR_MESSAGE_MS,
    });
  return { conversation: message.conversation, thread: message.ts };
}
