/** Calls to Teams: paced, one deadline, no retries, every failure as a `MessengerError`, every call counted. */
import { type Clock, MessengerError, type Metrics } from '../../access/ports.ts';
import { createLimiter } from './limiter.ts';
import { type Address, isServiceUrl, type Outgoing, type Wire } from './wire.ts';

export const CALL_DEADLINE_MS = 8_000;
const MEMBERS_PAGES = 10;

export interface Calls {
  /** All throw `MessengerError` only. */
  send(to: Address, activity: Outgoing): Promise<{ conversation: string; ts: string }>;
  update(to: Address, activityId: string, activity: Outgoing): Promise<void>;
  /** The conversation with one person, by the id that Teams knows them by towards this bot, or by their object id. */
  openPersonal(serviceUrl: string, tenant: string, member: string): Promise<string>;
  /** A new thread in a channel. */
  openThread(
    to: Address,
    tenant: string | undefined,
    activity: Outgoing,
  ): Promise<{ conversation: string; ts: string }>;
  /** Absent: not a member there. */
  member(to: Address, id: string): Promise<unknown>;
  /** The first so many members; `complete` when those are all. */
  members(to: Address): Promise<{ readonly members: readonly unknown[]; readonly complete: boolean }>;
  roomIn(conversation?: string): number;
}

export interface CallsOptions {
  readonly wire: Wire;
  /** Only this machine is called, instead of Microsoft. */
  readonly local: boolean;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly deadlineMs?: number;
}

export function createCalls({ wire, local, clock, metrics, deadlineMs = CALL_DEADLINE_MS }: CallsOptions): Calls {
  const limiter = createLimiter(clock);

  async function call<T>(
    method: string,
    { serviceUrl, conversation }: Address,
    ask: (signal: AbortSignal) => Promise<T>,
    paced = false,
  ): Promise<T> {
    // Our token goes with every call, so it is looked at each time where that leads.
    if (!isServiceUrl(serviceUrl, local))
      throw new MessengerError('rejected', `Teams ${method}: not sent, since the address is not one of Microsoft's`);
    const waitMs = paced ? limiter.take(conversation) : 0;
    if (waitMs > 0) {
      metrics.count('hallpass_teams_calls_total', { method, outcome: 'held_back' });
      throw new MessengerError('rate_limited', `Teams ${method}: not sent, too many at once`, { retryAfterMs: waitMs });
    }
    const startedAt = clock.monotonic();
    let outcome = 'ok';
    try {
      return await ended(ask, deadlineMs);
    } catch (error) {
      let failure = classify(method, error);
      if (failure.code === 'rate_limited') {
        const retryAfterMs = limiter.tooMany(conversation, failure.retryAfterMs);
        failure = new MessengerError('rate_limited', failure.message, { retryAfterMs, cause: failure.cause });
      }
      outcome = failure.code;
      throw failure;
    } finally {
      metrics.count('hallpass_teams_calls_total', { method, outcome });
      metrics.observe('hallpass_teams_call_seconds', (clock.monotonic() - startedAt) / 1000, { method });
    }
  }

  return {
    roomIn: limiter.roomIn,
    async send(to, activity) {
      const { id } = await call('send', to, (signal) => wire.send(to, activity, signal), true);
      if (id === undefined || id === '') throw noId('send');
      return { conversation: to.conversation, ts: id };
    },
    update: (to, activityId, activity) =>
      call('update', to, (signal) => wire.update(to, activityId, activity, signal), true),
    async openPersonal(serviceUrl, tenant, member) {
      const what = {
        isGroup: false,
        members: [{ id: member }],
        tenantId: tenant,
        channelData: { tenant: { id: tenant } },
      };
      const { id } = await call('open_personal', { serviceUrl, conversation: member }, (signal) =>
        wire.open(serviceUrl, what, signal),
      );
      if (id === undefined || id === '') throw noId('open_personal');
      return id;
    },
    async openThread(to, tenant, activity) {
      const what = {
        isGroup: true,
        ...(tenant === undefined ? {} : { tenantId: tenant }),
        channelData: { channel: { id: to.conversation }, ...(tenant === undefined ? {} : { tenant: { id: tenant } }) },
        activity,
      };
      const opened = await call('open_thread', to, (signal) => wire.open(to.serviceUrl, what, signal), true);
      if (opened.id === undefined || opened.activityId === undefined) throw noId('open_thread');
      return { conversation: opened.id, ts: opened.activityId };
    },
    async member(to, id) {
      try {
        return await call('member', to, (signal) => wire.member(to, id, signal));
      } catch (error) {
        if (error instanceof MessengerError && error.code === 'not_found') return undefined;
        throw error;
      }
    },
    async members(to) {
      const members: unknown[] = [];
      let continuation: string | undefined;
      for (let page = 0; page < MEMBERS_PAGES; page++) {
        const answer = await call('members', to, (signal) => wire.members(to, continuation, signal));
        if (!Array.isArray(answer.members))
          throw new MessengerError('unavailable', 'Teams members: no members in the answer');
        members.push(...answer.members);
        const next = answer.continuationToken;
        if (typeof next !== 'string' || next === '') return { members, complete: true };
        continuation = next;
      }
      return { members, complete: false };
    },
  };
}

function noId(method: string): MessengerError {
  return new MessengerError('unavailable', `Teams ${method}: no id in the answer`, { effect: 'unknown' });
}

/** The SDK fetches a token first, which no signal stops: so the waiting ends here in any case. */
async function ended<T>(ask: (signal: AbortSignal) => Promise<T>, deadlineMs: number): Promise<T> {
  const signal = AbortSignal.timeout(deadlineMs);
  let late: (error: Error) => void = () => {};
  const gaveUp = new Promise<never>((_, reject) => {
    late = reject;
  });
  const onAbort = () => late(new Error(`no answer within ${deadlineMs / 1000} s`));
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([ask(signal), gaveUp]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

/** The connection was never made, so nothing was sent. */
const NEVER_SENT = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'ENETUNREACH', 'EHOSTUNREACH']);
/** The conversation is there and closed to us: the app was removed or blocked, or the bot is not in it. */
const CLOSED = new Set([
  'MessageWritesBlocked',
  'BotNotInConversationRoster',
  'BotDisabledByAdmin',
  'ForbiddenOperationException',
]);

export function classify(method: string, error: unknown): MessengerError {
  const message = (what: string) => `Teams ${method}: ${what}`;
  const status = statusOf(error);
  const code = codeOf(error);
  const what = status === undefined ? said(error) : `HTTP ${status}${code === undefined ? '' : ` ${code}`}`;
  if (status === undefined) {
    const sent = !neverSent(error);
    return new MessengerError('unavailable', message(what), { ...(sent ? { effect: 'unknown' } : {}), cause: error });
  }
  if (status === 429) {
    const retryAfterMs = retryAfterOf(error);
    return new MessengerError('rate_limited', message(what), {
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
      cause: error,
    });
  }
  if (status === 401) return new MessengerError('unauthorized', message(what), { cause: error });
  if (status === 403)
    return new MessengerError('rejected', message(`${what}: ${closedText(code)}`), {
      missing: 'conversation',
      cause: error,
    });
  if (status === 404)
    return new MessengerError('not_found', message(what), {
      missing: method === 'update' && code !== 'ConversationNotFound' ? 'message' : 'conversation',
      cause: error,
    });
  // 412 is Teams' word for "somebody else writes there just now".
  if (status === 412) return new MessengerError('unavailable', message(what), { cause: error });
  if (status >= 400 && status < 500) return new MessengerError('rejected', message(what), { cause: error });
  return new MessengerError('unavailable', message(what), { effect: 'unknown', cause: error });
}

function closedText(code: string | undefined): string {
  return code === undefined || CLOSED.has(code)
    ? 'the bot may not write there; the Hallpass app has to be added'
    : 'the bot may not write there';
}

/** An error in one line, without the request it came from. */
export function said(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.replace(/eyJ[\w-]+\.[\w-]+\.[\w-]*/g, '[token]').slice(0, 300);
}

function statusOf(error: unknown): number | undefined {
  const status = field(error, 'statusCode');
  return typeof status === 'number' ? status : undefined;
}

/** `{ error: { code } }`, wherever the SDK left the answer's body. */
function codeOf(error: unknown): string | undefined {
  for (const body of [field(error, 'details'), field(error, 'body'), bodyOf(error)]) {
    const code = textField(field(body, 'error'), 'code') ?? textField(body, 'code');
    if (code !== undefined) return code.slice(0, 80);
  }
  return undefined;
}

function bodyOf(error: unknown): unknown {
  const text = field(field(error, 'response'), 'bodyAsText');
  if (typeof text !== 'string') return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function retryAfterOf(error: unknown): number | undefined {
  const headers = field(field(error, 'response'), 'headers');
  const get = field(headers, 'get');
  const value: unknown = typeof get === 'function' ? get.call(headers, 'retry-after') : undefined;
  const seconds = typeof value === 'string' && /^\d{1,5}$/.test(value) ? Number(value) : undefined;
  return seconds === undefined ? undefined : seconds * 1000;
}

function neverSent(error: unknown): boolean {
  for (let at: unknown = error, depth = 0; at instanceof Error && depth < 5; at = at.cause, depth++)
    if ('code' in at && typeof at.code === 'string' && NEVER_SENT.has(at.code)) return true;
  return false;
}

export function field(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined;
}

export function textField(value: unknown, key: string): string | undefined {
  const found = field(value, key);
  return typeof found === 'string' && found !== '' ? found : undefined;
}
