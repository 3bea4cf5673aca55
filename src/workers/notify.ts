/**
 * Tells people. A message about a request is a projection: whatever holds when the job runs is posted, or shown in
 * place of what was posted before; several changes in a row become one update.
 *
 * That a message is about to be posted is written down first. When its answer is lost, or the process dies, it is
 * looked for by its mark before it is posted again.
 */

import { messageId, showEverywhere, tellSecurity } from '../access/decision.ts';
import type { FindingAudience, FindingView } from '../access/finding-view.ts';
import { actionableMessage } from '../access/messages.ts';
import type { AccessRequest, AccountRef, Audience, Change, DigestRecord, Job, Notification } from '../access/model.ts';
import {
  type Clock,
  type Ids,
  type JobSettlement,
  type LeasedJob,
  type MessageRow,
  type MessageTarget,
  type Messenger,
  MessengerError,
  platformOf,
  StaleStateError,
  type Store,
  targetOf,
} from '../access/ports.ts';
import type { ReportView } from '../access/report.ts';
import { type ReviewView, reminding } from '../access/review-view.ts';
import { detailsNote } from '../access/security-digest.ts';
import { type MessageView, noticeView, type RequestView, reminderText } from '../access/view.ts';
import { type DetailsParts, tellDetails } from './details.ts';
import type { Lane, LoopLog } from './loop.ts';

const LEASE_MS = 30_000;
const SLOTS = 8;
const WAIT_MAX_MS = 60_000;
/** At a minute each: what could not be said for half a day is no longer news, and is given up. */
const ATTEMPTS_MAX = 720;
const OVERTAKEN_MAX = 10;
const TURNED_AWAY_MAX = 16;
const TURNED_AWAY_PAUSE_MS = 250;
/** Longer than any call: after this, a message that is not there will not come any more. */
const MAY_ARRIVE_MS = 10_000;
/** How long to wait for leave to look before posting again without having looked. */
const LOOK_FOR_MS = 60_000;
/** A message posted again blindly, and lost again, is not posted a third time before this. */
const AGAIN_BLINDLY_MS = 5 * 60_000;
/** A channel that cannot be used is told of again after this, while requests are still sent there. */
const TELL_AGAIN_MS = 24 * 60 * 60_000;
const DAY_MS = 24 * 60 * 60_000;

export interface NotifyParts {
  readonly store: Store;
  /** By platform; a message for one that is not configured cannot be delivered. */
  readonly messengers: Messengers;
  /** Where security is told, at most once for each platform; empty when nowhere is configured. */
  readonly securityChannels: () => readonly Conversation[];
  readonly timezone: () => string;
  readonly view: (requestId: string, zone?: string) => Promise<RequestView | undefined>;
  readonly review: (id: string) => Promise<ReviewView | undefined>;
  readonly revocation: (id: string) => Promise<ReportView | undefined>;
  /** The digest of a day. */
  readonly finding: (id: string, audience: FindingAudience) => Promise<FindingView | undefined>;
  /** Where findings are told instead of the security channels; absent: there. */
  readonly findingsChannel: () => Conversation | undefined;
  readonly digest: (day: string) => Promise<DigestRecord | undefined>;
  /** Where it is posted, at most once for each platform. */
  readonly digestChannels: () => readonly Conversation[];
  /** Every line of it as a file. */
  readonly details: DetailsParts['details'];
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: LoopLog;
}

export type Messengers = Readonly<Partial<Record<AccountRef['platform'], Messenger>>>;

export interface Conversation {
  readonly platform: AccountRef['platform'];
  readonly conversation: string;
}

/** What is being told about channels at this moment: jobs that fail together tell it once. */
interface Telling extends NotifyParts {
  readonly telling: Set<string>;
  /** Jobs turned away in a row, and when the last one was. */
  turnedAway: number;
  turnedAwayAt: number;
}

export function notifyLane(given: NotifyParts): Lane<LeasedJob> {
  const parts: Telling = { ...given, telling: new Set(), turnedAway: 0, turnedAwayAt: 0 };
  const { store, clock } = parts;
  /** Turning away costs a write each: when nothing goes through, it is done no faster than this. */
  const pauseMs = (): number => {
    if (parts.turnedAway < TURNED_AWAY_MAX) return 0;
    const leftMs = parts.turnedAwayAt + TURNED_AWAY_PAUSE_MS - clock.monotonic();
    if (leftMs <= 0) parts.turnedAway = 0;
    return Math.max(0, leftMs);
  };
  return {
    name: 'notify',
    slots: SLOTS,
    takes: (job) => job.kind === 'notification' && job.lane === 'chat',
    lease: async (limit) => {
      if (pauseMs() > 0) return [];
      const now = clock.now();
      return store.lease({ kind: 'notification', lane: 'chat', limit, now, leaseUntil: now + LEASE_MS });
    },
    run: async (job) => {
      if (job.kind === 'notification') await carry(parts, job, job.payload);
    },
    nextDue: async () => {
      const dueAt = await store.nextDue('notification', 'chat');
      const waitMs = pauseMs();
      return dueAt === undefined || waitMs === 0 ? dueAt : Math.max(dueAt, clock.now() + Math.ceil(waitMs));
    },
  };
}

type Outcome =
  | { readonly done: true; readonly changes?: readonly Change[] }
  | { readonly retryInMs: number; readonly error: string };

async function carry(parts: Telling, job: LeasedJob, what: Notification): Promise<void> {
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
      await store.commit({ changes: 'done' in outcome ? (outcome.changes ?? []) : [], job: settlement });
      return;
    } catch (error) {
      // It was put again while it was being told: something changed since, so it is told again as it is now.
      if (!(error instanceof StaleStateError)) throw error;
    }
  }
}

async function tell(parts: Telling, job: LeasedJob, what: Notification): Promise<Outcome> {
  try {
    const waitMs = await roomFor(parts, what);
    if (waitMs > 0)
      throw new MessengerError('rate_limited', 'not sent: too many messages at once', { retryAfterMs: waitMs });
    parts.turnedAway = 0;
    if (what.tell === 'request') await tellRequest(parts, job.id, what);
    else if (what.tell === 'digest') await tellDigest(parts, job.id, what);
    else if (isDrawn(what)) await tellDrawn(parts, job.id, what);
    else if (what.tell === 'details') await tellDetails(parts, job.id, what);
    else if (what.tell === 'reminder') await tellReminder(parts, job.id, what);
    else await tellNotice(parts, job.id, what);
    return { done: true };
  } catch (error) {
    if (!(error instanceof MessengerError)) throw error;
    return await undelivered(parts, job, what, error);
  }
}

/** Asked first: under load most would be drawn and written down only to be turned away. */
async function roomFor(parts: Telling, what: Notification): Promise<number> {
  const { store } = parts;
  const messenger = what.tell === 'request' ? parts.messengers[platformOf(what.audience)] : undefined;
  if (messenger?.roomIn === undefined || what.tell !== 'request') return 0;
  const row = await store.message(messageId(what.requestId, what.audience));
  const waitMs =
    row?.state === 'gone' ? 0 : messenger.roomIn(row?.state === 'posted' ? 'update' : targetOf(what.audience));
  if (waitMs > 0) {
    parts.turnedAway += 1;
    parts.turnedAwayAt = parts.clock.monotonic();
  }
  return waitMs;
}

async function tellRequest(parts: NotifyParts, id: string, what: Notification & { tell: 'request' }): Promise<void> {
  const { audience } = what;
  const stored = (await parts.store.request(what.requestId))?.request;
  if (stored === undefined) return;
  // The requester's own messages are in the requester's zone; everybody else's in the configured one.
  const own = audience.kind !== 'channel' && audience.kind !== 'approver';
  const request = await parts.view(what.requestId, own ? stored.requesterZone : undefined);
  if (request === undefined) return;
  const view: MessageView = {
    kind: 'request',
    audience: audience.kind,
    request,
    ...(await mentions(parts, stored, audience)),
  };
  const place = { id, requestId: what.requestId, platform: platformOf(audience), target: targetOf(audience) };
  const sent = await show(parts, place, view);
  // A message that was given up, or had nothing new to say, has not tried the channel.
  if (sent && audience.kind === 'channel') await channelWorks(parts, audience.conversation);
}

/** Below the message that it is about; where that could not be posted there is nothing to remind of. */
async function tellReminder(parts: NotifyParts, id: string, what: Notification & { tell: 'reminder' }): Promise<void> {
  const { audience, requestId, number, mention } = what;
  const card = await parts.store.message(messageId(requestId, audience));
  const request = await parts.view(requestId);
  if (request?.state !== 'pending' || card?.state !== 'posted') return;
  if (card.conversation === undefined || card.ts === undefined) return;
  const place = {
    id: `${id}#${number}`,
    requestId,
    platform: platformOf(audience),
    target: { conversation: card.conversation, thread: card.ts },
  };
  await show(parts, place, { kind: 'reminder', text: reminderText(request, number), mention });
}

/**
 * In the channel, those who are asked now are named while it waits, so that it rings for them; and whoever could not be
 * written to in person is told so.
 */
async function mentions(
  parts: NotifyParts,
  request: AccessRequest,
  audience: Audience,
): Promise<Pick<Extract<MessageView, { kind: 'request' }>, 'mention' | 'unreached'>> {
  if (audience.kind !== 'channel' || request.state !== 'pending') return {};
  const platform = platformOf(audience);
  const now = request.asking?.now.map(({ person }) => person);
  const asked = request.audiences.filter(
    (one) => one.kind === 'approver' && one.account.platform === platform && now?.includes(one.person) !== false,
  );
  const rows = await Promise.all(asked.map((one) => parts.store.message(messageId(request.id, one))));
  const accounts = asked.flatMap((one) => (one.kind === 'approver' ? [one.account] : []));
  const unreached = accounts.filter((_, i) => rows[i]?.state === 'gone');
  return { mention: accounts, ...(unreached.length === 0 ? {} : { unreached }) };
}

type NoticeJob = Extract<Notification, { readonly tell: 'security' | 'alert' }>;

/** Where a message is to stand, and under which id and mark. */
interface Place {
  readonly platform: AccountRef['platform'];
  readonly id: string;
  readonly requestId: string;
  readonly target: MessageTarget;
}

/** Whether the platform was asked to show something, and did. */
async function show(parts: NotifyParts, place: Place, view: MessageView): Promise<boolean> {
  const { store, clock, ids } = parts;
  const { id, requestId } = place;
  const messenger = messengerOf(parts, place.platform);
  const shown = ids.hash(JSON.stringify(timeless(view)));
  let row = await store.message(id);
  if (row?.state === 'gone') return false;
  if (row?.state === 'sending' || row?.state === 'unknown') row = await reconcile(parts, place, row);
  if (row?.state === 'posted' && row.conversation !== undefined && row.ts !== undefined) {
    if (row.shown === shown) return false;
    await messenger.update({ conversation: row.conversation, ts: row.ts }, view);
    await store.putMessage({ ...row, shown, at: clock.now() });
    return true;
  }
  // A later message to the requester is not worth starting once there is nothing left to say in it.
  if (!actionableMessage(view)) return false;
  const again = row?.state === 'sending' || row?.state === 'unknown';
  await store.putMessage({ id, requestId, state: again ? 'unknown' : 'sending', at: clock.now() });
  let posted: Awaited<ReturnType<Messenger['post']>>;
  try {
    posted = await messenger.post(place.target, view, id);
  } catch (error) {
    // Only what may have been posted has to be looked for before it is posted again.
    if (error instanceof MessengerError && error.effect === 'none')
      await store.putMessage({ id, requestId, state: again ? 'unknown' : 'unsent', at: clock.now() });
    throw error;
  }
  await store.putMessage({ id, requestId, state: 'posted', ...posted, shown, at: clock.now() });
  return true;
}

/**
 * What became of a message whose answer was lost, or whose sender died: posted, or certainly not. Where it cannot be
 * looked for it is posted once more, knowingly: an approval nobody sees costs more than one seen twice, and both
 * copies carry the same button, which acts once.
 */
async function reconcile(parts: NotifyParts, place: Place, row: MessageRow): Promise<MessageRow> {
  const { store, clock, log } = parts;
  const { id, requestId } = row;
  const messenger = messengerOf(parts, place.platform);
  const ageMs = clock.now() - row.at;
  try {
    const found = await messenger.find(place.target, id, row.at);
    if (found !== undefined) {
      // What it shows is not known, so it is shown afresh.
      const posted: MessageRow = { id, requestId, state: 'posted', ...found, at: clock.now() };
      await store.putMessage(posted);
      return posted;
    }
    // A call that was given up may still arrive.
    if (ageMs < MAY_ARRIVE_MS)
      throw new MessengerError('unavailable', 'it is not known yet whether the message was posted', {
        retryAfterMs: MAY_ARRIVE_MS - ageMs,
      });
    return { id, requestId, state: 'unsent', at: row.at };
  } catch (error) {
    if (!(error instanceof MessengerError) || error.code === 'unavailable' || error.missing !== undefined) throw error;
    const patienceMs = row.state === 'unknown' ? AGAIN_BLINDLY_MS : error.code === 'rate_limited' ? LOOK_FOR_MS : 0;
    if (ageMs < patienceMs)
      throw new MessengerError('unavailable', error.message, {
        retryAfterMs: Math.min(error.retryAfterMs ?? WAIT_MAX_MS, patienceMs - ageMs),
        cause: error,
      });
    log.warn({ message: id, error: error.message }, 'a message may be posted twice: the first could not be looked for');
    return row;
  }
}

/** Without the instant of drawing: a message that would only say the same is not sent again. */
function timeless(view: MessageView): unknown {
  return view.kind === 'request' ? { ...view, request: { ...view.request, at: 0 } } : view;
}

/** On each platform, where the configuration says now; one that was posted already is updated where it stands. */
async function tellDigest(parts: NotifyParts, id: string, { day }: Notification & { tell: 'digest' }): Promise<void> {
  const made = await parts.digest(day);
  if (made?.view === undefined) return;
  const { view: digest, id: signs, signedAt, signedBy, note } = made;
  const days = Math.max(1, Math.round((made.toAt - made.fromAt) / DAY_MS));
  await inEach(parts.digestChannels(), async ({ platform, conversation }) => {
    const attaches = parts.messengers[platform]?.attach !== undefined;
    const view: MessageView = {
      kind: 'digest',
      digest,
      ...(digest.quiet ? {} : { note: detailsNote(attaches ? 'below' : 'host', days) }),
      ...(signs === undefined
        ? {}
        : {
            signing: {
              id: signs,
              day,
              ...(signedAt === undefined
                ? {}
                : { signed: { by: signedBy ?? '', at: signedAt, ...(note === undefined ? {} : { note }) } }),
            },
          }),
    };
    const place = { id: platform === 'slack' ? id : `${id}:${platform}`, requestId: '', platform };
    await show(parts, { ...place, target: { conversation } }, view);
  });
}

type DrawnJob = Extract<Notification, { readonly tell: 'revocation' | 'review' | 'finding' }>;

function isDrawn(what: Notification): what is DrawnJob {
  return what.tell === 'revocation' || what.tell === 'review' || what.tell === 'finding';
}

/** One message in each place, that follows what holds: put as often as it is looked at, it is drawn as it is sent. */
async function tellDrawn(parts: NotifyParts, id: string, what: DrawnJob): Promise<void> {
  const view = await drawn(parts, what);
  if (view === undefined) return;
  if (what.tell === 'review' && what.below !== undefined && view.kind === 'review')
    return await tellBelow(parts, id, what.below, view);
  const { account } = what;
  const places: readonly { readonly platform: AccountRef['platform']; readonly target: MessageTarget }[] =
    account === undefined
      ? channelsFor(parts, what).map(({ platform, conversation }) => ({ platform, target: { conversation } }))
      : [{ platform: account.platform, target: { account } }];
  await inEach(places, async ({ platform, target }) => {
    const place = { id: `${id}:${platform}`, requestId: '', platform, target };
    await show(parts, place, view);
  });
}

/** Below the request's own message; where that could not be posted, the security channels have it. */
async function tellBelow(
  parts: NotifyParts,
  id: string,
  audience: Audience,
  view: Extract<MessageView, { kind: 'review' }>,
): Promise<void> {
  const { requestId } = view.review;
  const card = await parts.store.message(messageId(requestId, audience));
  if (card?.state !== 'posted' || card.conversation === undefined || card.ts === undefined) return;
  const target = { conversation: card.conversation, thread: card.ts };
  await show(parts, { id, requestId, platform: platformOf(audience), target }, view);
}

function channelsFor(parts: NotifyParts, what: DrawnJob): readonly Conversation[] {
  const own = what.tell === 'finding' ? parts.findingsChannel() : undefined;
  return own === undefined ? parts.securityChannels() : [own];
}

async function drawn(parts: NotifyParts, what: DrawnJob): Promise<MessageView | undefined> {
  if (what.tell === 'review') {
    const review = await parts.review(what.reviewId);
    if (review === undefined) return undefined;
    return { kind: 'review', review: what.reminder === undefined ? review : reminding(review, what.reminder) };
  }
  if (what.tell === 'finding') {
    const audience = what.account === undefined ? 'security' : 'holder';
    const finding = await parts.finding(what.findingId, audience);
    return finding && { kind: 'finding', audience, finding };
  }
  const report = await parts.revocation(what.revocationId);
  return report && { kind: 'revocation', report };
}

/** One platform that is down does not keep the other from telling; where it was told it is not told again. */
async function inEach<P>(places: readonly P[], tell: (place: P) => Promise<void>): Promise<void> {
  let failure: unknown;
  for (const place of places) await tell(place).catch((error: unknown) => (failure ??= error));
  if (failure !== undefined) throw failure;
}

async function tellNotice(parts: NotifyParts, id: string, what: NoticeJob): Promise<void> {
  const place = 'place' in what ? what.place : undefined;
  const channels = place === undefined ? parts.securityChannels() : [place];
  if (channels.length === 0) parts.log.warn({ notice: what.notice }, 'there is no security channel to tell');
  await inEach(channels, async ({ platform, conversation }) => {
    const shown = {
      // The same notice at another time is another message.
      id: `${id}@${what.notice.at}${platform === 'slack' ? '' : `:${platform}`}`,
      requestId: what.notice.requestId ?? '',
      platform,
      target: { conversation },
    };
    await show(parts, shown, noticeView(what.notice, parts.timezone()));
  });
}

function messengerOf({ messengers }: NotifyParts, platform: AccountRef['platform']): Messenger {
  const messenger = messengers[platform];
  if (messenger === undefined) throw new MessengerError('rejected', `chat.${platform} is not in the configuration`);
  return messenger;
}

async function undelivered(
  parts: Telling,
  job: LeasedJob,
  what: Notification,
  error: MessengerError,
): Promise<Outcome> {
  const { store, clock, ids, log } = parts;
  // An app that was installed before it could share files is not going to be allowed to by waiting.
  const mayCome = error.code === 'unauthorized' && what.tell !== 'details';
  const passing = error.code === 'rate_limited' || error.code === 'unavailable' || mayCome;
  if (passing && job.attempts < ATTEMPTS_MAX) {
    const backOff = Math.min(1_000 * 2 ** Math.min(job.attempts, 10), WAIT_MAX_MS);
    // Told when to come back, it comes back then: what was turned away a hundred times is not to wait the longer for it.
    const wait = error.retryAfterMs ?? backOff * (0.75 + ids.jitter() / 2);
    return { retryInMs: Math.round(wait * (1 + ids.jitter() / 10)), error: error.message };
  }
  if (what.tell === 'security' || what.tell === 'alert') return undeliveredNotice(parts, job, what, error);
  log.warn({ job: job.id, code: error.code, error: error.message }, 'a message cannot be delivered');
  // The message that it was about is still there.
  if (what.tell === 'reminder') return { done: true };
  if (what.tell === 'digest') {
    const notice = {
      code: 'message_undeliverable',
      severity: 'warning',
      at: clock.now(),
      error: error.message,
    } as const;
    return { done: true, changes: tellSecurity(`message_undeliverable:${job.id}`, notice) };
  }
  // Its progress is in the security channel as well, and what it ends is ended without being told. A file that cannot be
  // shared is still to be had on the host.
  if (isDrawn(what) || what.tell === 'details') return { done: true };
  const id = messageId(what.requestId, what.audience);
  // The channel is where security expects requests to be seen; a person's own copy is one of several.
  if (what.audience.kind === 'channel')
    await tellOfChannel(parts, id, what.audience.conversation, what.requestId, error);
  // Given up only once security is told: a job that is overtaken would not come back to it.
  const row = await store.message(id);
  await store.putMessage({ ...(row ?? { id, requestId: what.requestId }), state: 'gone', at: clock.now() });
  // Whoever cannot be written to is told so where the request is shown.
  if (what.audience.kind !== 'approver' || error.missing !== 'conversation') return { done: true };
  const request = (await store.request(what.requestId))?.request;
  if (request === undefined) return { done: true };
  const { platform } = what.audience.account;
  const channels = request.audiences.filter((one) => one.kind === 'channel' && platformOf(one) === platform);
  return { done: true, changes: showEverywhere({ ...request, audiences: channels }, clock.now()) };
}

/** A channel that cannot be used is told of once, not with every request that would have been shown there. */
async function tellOfChannel(
  parts: Telling,
  id: string,
  conversation: string,
  requestId: string,
  error: MessengerError,
): Promise<void> {
  const { store, clock, telling } = parts;
  const whole = error.missing === 'conversation';
  const about = whole ? channelId(conversation) : id;
  if (telling.has(about)) return;
  telling.add(about);
  try {
    const known = whole ? await store.message(about) : undefined;
    if (known?.state === 'gone' && clock.now() - known.at < TELL_AGAIN_MS) return;
    await store.commit({
      changes: tellSecurity(`message_undeliverable:${about}`, {
        code: 'message_undeliverable',
        severity: 'warning',
        at: clock.now(),
        requestId,
        error: error.message,
      }),
    });
    if (whole) await store.putMessage({ id: about, requestId: '', state: 'gone', conversation, at: clock.now() });
  } finally {
    telling.delete(about);
  }
}

/** The channel is of use again, so the next time it is not is news. */
async function channelWorks(parts: NotifyParts, conversation: string): Promise<void> {
  const id = channelId(conversation);
  const known = await parts.store.message(id);
  if (known?.state === 'gone') await parts.store.putMessage({ ...known, state: 'unsent', at: parts.clock.now() });
}

function channelId(conversation: string): string {
  return `channel:${conversation}`;
}

/** Security cannot be told where it wants to be: by the way that does not depend on chat, then. */
function undeliveredNotice(parts: NotifyParts, job: LeasedJob, { notice }: NoticeJob, error: MessengerError): Outcome {
  parts.log.error({ job: job.id, notice, error: error.message }, 'security cannot be told in its channel');
  const row: Job = {
    kind: 'notification',
    id: `alert:${job.id}`,
    lane: 'alert',
    priority: job.priority,
    dueAt: parts.clock.now(),
    payload: { tell: 'alert', notice },
  };
  return { done: true, changes: [{ put: 'job', row }] };
}
