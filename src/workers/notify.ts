/**
 * Tells people. A message about a request is a projection: whatever holds when the job runs is posted, or shown in
 * place of what was posted before; several changes in a row become one update.
 *
 * A post whose answer was lost is posted again, knowingly: an approval nobody sees costs more than one seen twice, and
 * both copies carry the same button, which acts once.
 */
import { messageId, tellSecurity } from '../access/decision.ts';
import { actionableMessage } from '../access/messages.ts';
import type { AccessRequest, AccountRef, Notification } from '../access/model.ts';
import {
  type Clock,
  type Ids,
  type JobSettlement,
  type LeasedJob,
  type MessageTarget,
  type Messenger,
  MessengerError,
  StaleStateError,
  type Store,
  targetOf,
} from '../access/ports.ts';
import { type MessageView, noticeView, type RequestView } from '../access/view.ts';
import type { Lane, LoopLog } from './loop.ts';

const LEASE_MS = 30_000;
const SLOTS = 8;
const WAIT_MAX_MS = 60_000;
/** At a minute each: what could not be said for half a day is no longer news, and is given up. */
const ATTEMPTS_MAX = 720;
const OVERTAKEN_MAX = 10;

export interface NotifyParts {
  readonly store: Store;
  readonly messenger: Messenger;
  /** A conversation id for security; absent when none is configured. */
  readonly securityChannel: () => string | undefined;
  readonly timezone: () => string;
  readonly view: (requestId: string, zone?: string) => Promise<RequestView | undefined>;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: LoopLog;
}

export function notifyLane(parts: NotifyParts): Lane<LeasedJob> {
  const { store, clock } = parts;
  return {
    name: 'notify',
    slots: SLOTS,
    lease: (limit) => {
      const now = clock.now();
      return store.lease({ kind: 'notification', lane: 'chat', limit, now, leaseUntil: now + LEASE_MS });
    },
    run: async (job) => {
      if (job.kind === 'notification') await carry(parts, job, job.payload);
    },
    nextDue: () => store.nextDue('notification', 'chat'),
  };
}

type Outcome = { readonly done: true } | { readonly retryInMs: number; readonly error: string };

async function carry(parts: NotifyParts, job: LeasedJob, what: Notification): Promise<void> {
  const { store, clock } = parts;
  for (let attempt = 0; attempt < OVERTAKEN_MAX; attempt++) {
    const held = await store.job(job.id);
    if (held === undefined || held.epoch !== job.epoch) return;
    const outcome = await tell(parts, job, what);
    const guard = { job: job.id, epoch: job.epoch, version: held.version };
    const settlement: JobSettlement =
      'done' in outcome
        ? { ...guard, done: true }
        : {
            ...guard,
            later: {
              dueAt: clock.now() + outcome.retryInMs,
              attempts: job.attempts + 1,
              lastError: outcome.error,
            },
          };
    try {
      await store.commit({ changes: [], job: settlement });
      return;
    } catch (error) {
      // It was put again while it was being told: something changed since, so it is told again as it is now.
      if (!(error instanceof StaleStateError)) throw error;
    }
  }
}

async function tell(parts: NotifyParts, job: LeasedJob, what: Notification): Promise<Outcome> {
  try {
    if (what.tell === 'request') await tellRequest(parts, job.id, what);
    else await tellNotice(parts, what);
    return { done: true };
  } catch (error) {
    if (!(error instanceof MessengerError)) throw error;
    return await undelivered(parts, job, what, error);
  }
}

async function tellRequest(parts: NotifyParts, id: string, what: Notification & { tell: 'request' }): Promise<void> {
  const { audience } = what;
  const stored = (await parts.store.request(what.requestId))?.request;
  if (stored === undefined) return;
  // The requester's own messages are in the requester's zone; everybody else's in the configured one.
  const own = audience.kind !== 'channel' && audience.kind !== 'approver';
  const request = await parts.view(what.requestId, own ? stored.requesterZone : undefined);
  if (request === undefined) return;
  const view: MessageView = { kind: 'request', audience: audience.kind, request, ...mentions(stored, audience.kind) };
  await show(parts, id, what.requestId, targetOf(audience), view);
}

/** In the channel, those who were asked are named while it waits, so that it rings for them. */
function mentions(request: AccessRequest, audience: string): { readonly mention?: readonly AccountRef[] } {
  if (audience !== 'channel' || request.state !== 'pending') return {};
  return { mention: request.audiences.flatMap((asked) => (asked.kind === 'approver' ? [asked.account] : [])) };
}

async function show(
  parts: NotifyParts,
  id: string,
  requestId: string,
  target: MessageTarget,
  view: MessageView,
): Promise<void> {
  const { store, messenger, clock, ids } = parts;
  const shown = ids.hash(JSON.stringify(timeless(view)));
  const row = await store.message(id);
  if (row?.state === 'gone') return;
  if (row?.state === 'posted' && row.conversation !== undefined && row.ts !== undefined) {
    if (row.shown === shown) return;
    await messenger.update({ conversation: row.conversation, ts: row.ts }, view);
    await store.putMessage({ ...row, shown, at: clock.now() });
    return;
  }
  // A later message to the requester is not worth starting once there is nothing left to say in it.
  if (row === undefined && !actionableMessage(view)) return;
  await store.putMessage({ id, requestId, state: 'sending', at: clock.now() });
  const posted = await messenger.post(target, view, id);
  await store.putMessage({ id, requestId, state: 'posted', ...posted, shown, at: clock.now() });
}

/** Without the instant of drawing: a message that would only say the same is not sent again. */
function timeless(view: MessageView): unknown {
  return view.kind === 'request' ? { ...view, request: { ...view.request, at: 0 } } : view;
}

async function tellNotice(parts: NotifyParts, what: Notification & { tell: 'security' | 'alert' }): Promise<void> {
  const conversation = parts.securityChannel();
  if (conversation === undefined) {
    parts.log.warn({ notice: what.notice }, 'there is no security channel to tell');
    return;
  }
  await parts.messenger.post({ conversation }, noticeView(what.notice, parts.timezone()), what.notice.code);
}

async function undelivered(
  parts: NotifyParts,
  job: LeasedJob,
  what: Notification,
  error: MessengerError,
): Promise<Outcome> {
  const { store, clock, ids, log } = parts;
  const passing = error.code === 'rate_limited' || error.code === 'unavailable' || error.code === 'unauthorized';
  if (passing && job.attempts < ATTEMPTS_MAX) {
    const wait = Math.min(1_000 * 2 ** Math.min(job.attempts, 10), WAIT_MAX_MS) * (0.75 + ids.jitter() / 2);
    return { retryInMs: Math.round(Math.max(wait, error.retryAfterMs ?? 0)), error: error.message };
  }
  log.warn({ job: job.id, code: error.code, error: error.message }, 'a message cannot be delivered');
  if (what.tell !== 'request') return { done: true };
  const id = messageId(what.requestId, what.audience);
  const row = await store.message(id);
  await store.putMessage({ ...(row ?? { id, requestId: what.requestId }), state: 'gone', at: clock.now() });
  // The channel is where security expects requests to be seen; a person's own copy is one of several.
  if (what.audience.kind === 'channel')
    await store.commit({
      changes: tellSecurity(`message_undeliverable:${id}`, {
        code: 'message_undeliverable',
        severity: 'warning',
        at: clock.now(),
        requestId: what.requestId,
        error: error.message,
      }),
    });
  return { done: true };
}
