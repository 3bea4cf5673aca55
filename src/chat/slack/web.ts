/** Calls to Slack's Web API: paced, one deadline, no retries, every failure as a `MessengerError`, every call counted. */
import { webApi } from '@slack/bolt';
import { type Clock, MessengerError, type Metrics } from '../../access/ports.ts';
import { createLimiter } from './limiter.ts';
import { type BoltLogger, said } from './log.ts';

export const CALL_DEADLINE_MS = 8_000;

export interface Web {
  /**
   * The answer's fields; throws `MessengerError` only. Where Slack's limits leave no room it waits `patienceMs` at most,
   * which is not at all unless given: a job can come back later.
   */
  call(method: string, args: Record<string, unknown>, patienceMs?: number): Promise<Record<string, unknown>>;
  /** Milliseconds after which Slack's limits leave room for it; 0 when they do now. */
  roomIn(method: string, channel?: string): number;
}

export interface WebOptions {
  readonly botToken: string;
  readonly apiUrl?: string;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly boltLogger: BoltLogger;
  readonly deadlineMs?: number;
}

export function createWeb(options: WebOptions): Web {
  // No `headers`: the client writes its token into the given object, and whoever shares it calls in its name.
  const client = new webApi.WebClient(options.botToken, {
    logger: options.boltLogger,
    allowAbsoluteUrls: false,
    rejectRateLimitedCalls: true,
    // Retried here, a message whose answer was lost would be posted again within the second; the job decides instead.
    retryConfig: { retries: 0 },
    timeout: options.deadlineMs ?? CALL_DEADLINE_MS,
    ...(options.apiUrl === undefined ? {} : { slackApiUrl: options.apiUrl }),
  });
  const limiter = createLimiter(options.clock);
  return {
    roomIn: limiter.roomIn,
    async call(method, args, patienceMs = 0) {
      const conversation = method === 'chat.postMessage' && typeof args.channel === 'string' ? args.channel : undefined;
      try {
        await limiter.enter(method, conversation, patienceMs);
      } catch (error) {
        options.metrics.count('hallpass_slack_calls_total', { method, outcome: 'held_back' });
        throw error;
      }
      const startedAt = options.clock.monotonic();
      let outcome = 'ok';
      try {
        return (await client.apiCall(method, args)) as unknown as Record<string, unknown>;
      } catch (error) {
        let failure = classify(method, error);
        if (failure.code === 'rate_limited') {
          const retryAfterMs = limiter.tooMany(method, failure.retryAfterMs);
          failure = new MessengerError('rate_limited', failure.message, { retryAfterMs, cause: failure.cause });
        }
        outcome = failure.code;
        throw failure;
      } finally {
        options.metrics.count('hallpass_slack_calls_total', { method, outcome });
        options.metrics.observe('hallpass_slack_call_seconds', (options.clock.monotonic() - startedAt) / 1000, {
          method,
        });
      }
    },
  };
}

/** Slack says `ok: false` and may all the same have done part of it. */
const MAYBE_DONE = new Set(['internal_error', 'fatal_error', 'service_unavailable', 'request_timeout']);
const NOT_FOUND = new Set([
  'channel_not_found',
  'is_archived',
  'not_in_channel',
  'message_not_found',
  'user_not_found',
  'users_not_found',
  'no_such_subteam',
  'user_disabled',
]);
const UNAUTHORIZED = new Set([
  'invalid_auth',
  'not_authed',
  'token_revoked',
  'token_expired',
  'account_inactive',
  'missing_scope',
  'not_allowed_token_type',
  'no_permission',
  'team_access_not_granted',
]);
const RATE_LIMITED = new Set(['ratelimited', 'rate_limited', 'accesslimited', 'message_limit_exceeded']);
/** Of what was not found, this one message and nothing else. */
const MESSAGE_MISSING = new Set(['message_not_found']);
/** The connection was never made, so nothing was sent. */
const NEVER_SENT = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ENETUNREACH',
  'EHOSTUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
]);
/** What the client says of a 429 whose Retry-After it cannot read. */
const NO_RETRY_AFTER = /Retry header did not contain a valid timeout/;

/** The Slack error a `MessengerError` came from, such as `users_not_found`; absent when Slack did not answer. */
export function slackCode(error: unknown): string | undefined {
  const cause = error instanceof Error ? error.cause : undefined;
  return cause instanceof webApi.WebAPIPlatformError ? cause.data.error : undefined;
}

export function classify(method: string, error: unknown): MessengerError {
  const message = (what: string) => `Slack ${method}: ${what}`;
  if (error instanceof webApi.WebAPIRateLimitedError)
    return new MessengerError('rate_limited', message('rate limited'), {
      retryAfterMs: error.retryAfter * 1000,
      cause: error,
    });
  if (error instanceof webApi.WebAPIPlatformError) {
    const code = error.data.error;
    const more = { cause: error };
    if (RATE_LIMITED.has(code)) return new MessengerError('rate_limited', message(code), more);
    if (MAYBE_DONE.has(code)) return new MessengerError('unavailable', message(code), { ...more, effect: 'unknown' });
    if (NOT_FOUND.has(code))
      return new MessengerError('not_found', message(code), {
        ...more,
        missing: MESSAGE_MISSING.has(code) ? 'message' : 'conversation',
      });
    if (UNAUTHORIZED.has(code)) return new MessengerError('unauthorized', message(code), more);
    return new MessengerError('rejected', message(code), more);
  }
  if (error instanceof webApi.WebAPIHTTPError) {
    const status = error.statusCode;
    if (status === 401 || status === 403)
      return new MessengerError('unauthorized', message(`HTTP ${status}`), { cause: error });
    if (status >= 400 && status < 500)
      return new MessengerError('rejected', message(`HTTP ${status}`), { cause: error });
    return new MessengerError('unavailable', message(`HTTP ${status}`), { effect: 'unknown', cause: error });
  }
  if (error instanceof Error && NO_RETRY_AFTER.test(error.message))
    return new MessengerError('rate_limited', message('rate limited'), { cause: error });
  if (neverSent(error)) return new MessengerError('unavailable', message(said(error)), { cause: error });
  // A timeout, a reset, an answer that is no JSON: it may have happened.
  return new MessengerError('unavailable', message(said(error)), { effect: 'unknown', cause: error });
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
