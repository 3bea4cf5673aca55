/**
 * The one place where a vendor's failure becomes a `DirectoryError`.
 *
 * Sending and reading are two functions: `createCaller` exchanges bytes within a deadline, the `read` of a call judges
 * the answer and is tested with answers made by hand.
 *
 * What may have happened, by failure: nothing when the connection was never made or the vendor refused (4xx); unknown
 * for a write whose answer was lost, late, a 5xx or not the vendor's own.
 */
import type { DirectoryErrorCode, Instant } from '../access/model.ts';
import { type Clock, DirectoryError, type Metrics } from '../access/ports.ts';
import type { Breaker } from './breaker.ts';
import type { Limiter, Urgency } from './limiter.ts';
import { rateOf, retryAfterMs } from './rate-limit.ts';

/** Room for a page of 200 users with large profiles; an endless body is cut here. */
const BODY_MAX_BYTES = 8 * 1024 * 1024;
/** A read that failed is tried once more after a random part of this. */
const RETRY_DELAY_MAX_MS = 250;
const SAID_MAX_CODE_POINTS = 200;

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: string;
}

/** Who asks what; goes into errors and metrics. */
export interface Asked {
  readonly directory: string;
  /** `add_member`, for metrics; spelt with spaces in errors. */
  readonly operation: string;
  readonly write: boolean;
  /** Texts that must not come back in an error, even when the vendor repeats them. */
  readonly secrets: readonly string[];
}

/** What goes over the wire: written here, or by the vendor's own library, which is lent the connection. */
export type Request =
  | { readonly url: URL; readonly headers: Readonly<Record<string, string>>; readonly body?: string }
  | { readonly send: (connection: typeof fetch, signal: AbortSignal) => Promise<Response> };

export type Call<T> = Asked &
  Request & {
    readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE';
    readonly bucket: string;
    readonly urgency: Urgency;
    /** The post-condition of the call, or a `DirectoryError`. */
    readonly read: (answer: Answer) => T;
  };

/** What is left of a method's time; shared by everything the method sends. */
export interface Deadline {
  readonly ms: number;
  readonly signal: AbortSignal;
  /** How urgent the reads are that the method sends. */
  readonly lane: Urgency;
}

export function deadlineIn(ms: number, lane: Urgency = 'ordinary'): Deadline {
  return { ms, signal: AbortSignal.timeout(ms), lane };
}

export interface CallerParts {
  readonly directory: string;
  readonly clock: Clock;
  readonly metrics: Metrics;
  /** Uniform in [0, 1). */
  readonly jitter: () => number;
  readonly limiter: Limiter;
  /** Told how each exchange went. */
  readonly breaker?: Breaker;
  readonly fetch?: typeof fetch;
  readonly bodyMaxBytes?: number;
}

export type Caller = <T>(call: Call<T>, deadline: Deadline) => Promise<T>;

export function createCaller(parts: CallerParts): Caller {
  const send = parts.fetch ?? fetch;
  const bodyMaxBytes = parts.bodyMaxBytes ?? BODY_MAX_BYTES;

  async function exchange<T>(call: Call<T>, deadline: Deadline): Promise<Answer> {
    let leave: () => void;
    try {
      leave = await parts.limiter.enter(call.bucket, call.urgency, deadline.signal);
    } catch (error) {
      throw error instanceof DirectoryError ? error : notSent(call, deadline, 'waited for its turn');
    }
    try {
      const response =
        'send' in call
          ? await call.send(send, deadline.signal)
          : await send(call.url, {
              method: call.method,
              headers: { accept: 'application/json', 'user-agent': 'hallpass', ...call.headers },
              // A redirect would carry the credential to wherever the answer points.
              redirect: 'error',
              signal: deadline.signal,
              ...(call.body === undefined ? {} : { body: call.body }),
            });
      parts.limiter.learn(call.bucket, response.status, rateOf(response.headers, parts.clock.now()));
      const body = await readBody(response, bodyMaxBytes);
      return { status: response.status, headers: response.headers, body };
    } catch (error) {
      throw lost(call, deadline, error);
    } finally {
      leave();
    }
  }

  async function once<T>(call: Call<T>, deadline: Deadline): Promise<T> {
    const startedAt = parts.clock.monotonic();
    let outcome = 'failed';
    try {
      const result = call.read(await exchange(call, deadline));
      outcome = 'ok';
      return result;
    } catch (error) {
      if (error instanceof DirectoryError) outcome = error.code;
      throw error;
    } finally {
      parts.breaker?.note(outcome);
      const labels = { directory: parts.directory, operation: call.operation, outcome };
      parts.metrics.count('hallpass_directory_calls_total', labels);
      parts.metrics.observe('hallpass_directory_call_seconds', (parts.clock.monotonic() - startedAt) / 1_000, labels);
    }
  }

  return async (call, deadline) => {
    try {
      return await once(call, deadline);
    } catch (error) {
      // Only reads: a write with a lost answer belongs to its job, which knows what it has marked as sent.
      const again = call.method === 'GET' && error instanceof DirectoryError && error.code === 'unavailable';
      if (!again || deadline.signal.aborted) throw error;
      await pause(parts.jitter() * RETRY_DELAY_MAX_MS, deadline.signal);
      if (deadline.signal.aborted) throw error;
      return once(call, deadline);
    }
  };
}

/** What the vendor's error body says. `notFound` when it is the vendor itself who says that something does not exist. */
export interface Said {
  readonly code: string;
  readonly summary: string;
  readonly notFound: boolean;
}

/** The error that an answer other than the awaited one stands for. `now` serves only when the answer has no `Date`. */
export function refusal(asked: Asked, answer: Answer, said: Said | undefined, now: Instant): DirectoryError {
  const status = answer.status;
  const words = said === undefined ? '' : ` ${tell(asked, `${said.code} ${said.summary}`)}`;
  const message = `${title(asked)} failed: ${status}${words}`;
  const fail = (code: DirectoryErrorCode, more?: More) => new DirectoryError(asked.directory, code, message, more);
  if (status === 401) return fail('unauthorized');
  if (status === 429) return fail('rate_limited', { retryAfterMs: retryAfterMs(answer.headers, now) });
  // A 404 page of a proxy says nothing about groups, users or members, nor whether the call went through.
  if (status === 404 && said?.notFound === true) return fail('not_found');
  if (status >= 400 && status < 500 && status !== 404 && status !== 408) return fail('rejected');
  return fail('unavailable', { effect: asked.write ? 'unknown' : 'none' });
}

type More = ConstructorParameters<typeof DirectoryError>[3];

/** For an answer that arrived and makes no sense. */
export function malformed(asked: Asked, what: string): DirectoryError {
  return new DirectoryError(asked.directory, 'unavailable', `${title(asked)} got an unreadable answer: ${what}`, {
    effect: asked.write ? 'unknown' : 'none',
  });
}

/** For what is refused here, before anything is sent. */
export function refusedHere(asked: Pick<Asked, 'directory' | 'operation'>, why: string): DirectoryError {
  return new DirectoryError(asked.directory, 'rejected', `${title(asked)} was not sent: ${why}`);
}

/** For a deadline that passed before anything was sent. */
export function notSent(asked: Asked, deadline: Deadline, why: string): DirectoryError {
  return new DirectoryError(
    asked.directory,
    'unavailable',
    `${title(asked)} was not sent: ${why} for ${deadline.ms} ms`,
  );
}

/** JSON of an answer, or `undefined`. The parser's own error is dropped: it quotes the body. */
export function jsonOf(answer: Answer): unknown {
  try {
    return JSON.parse(answer.body);
  } catch {
    return undefined;
  }
}

function lost(asked: Asked, deadline: Deadline, error: unknown): DirectoryError {
  const effect = asked.write && !neverSent(error) ? 'unknown' : 'none';
  if (deadline.signal.aborted) {
    return new DirectoryError(asked.directory, 'unavailable', `${title(asked)}: no answer within ${deadline.ms} ms`, {
      effect,
    });
  }
  if (error instanceof BodyTooLargeError) {
    return new DirectoryError(asked.directory, 'unavailable', `${title(asked)}: ${error.message}`, { effect });
  }
  const code = codeOf(error);
  const what = isSpawn(innermost(error)) ? 'could not be started' : 'connection failed';
  return new DirectoryError(
    asked.directory,
    'unavailable',
    `${title(asked)}: ${what}${code === undefined ? '' : ` (${code})`}`,
    { effect, cause: error },
  );
}

/** TLS failures end the connection before the request is written. */
const TLS_REFUSALS = new Set([
  'CERT_HAS_EXPIRED',
  'CERT_NOT_YET_VALID',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]);

// By the system call, not by the code alone: an established connection can also end in ETIMEDOUT or EHOSTUNREACH.
function neverSent(error: unknown): boolean {
  const at = innermost(error);
  if (at instanceof AggregateError) return at.errors.length > 0 && at.errors.every(neverSent);
  const { code, syscall } = at as { code?: unknown; syscall?: unknown };
  if (syscall === 'connect' || syscall === 'getaddrinfo') return true;
  if (isSpawn(at)) return true;
  return code === 'UND_ERR_CONNECT_TIMEOUT' || (typeof code === 'string' && TLS_REFUSALS.has(code));
}

/** An executable that stands in for a connection was never started. */
function isSpawn(error: object): boolean {
  const { syscall } = error as { syscall?: unknown };
  return typeof syscall === 'string' && syscall.startsWith('spawn');
}

function codeOf(error: unknown): string | undefined {
  const { code } = innermost(error) as { code?: unknown };
  return typeof code === 'string' && /^[A-Z0-9_]{1,60}$/.test(code) ? code : undefined;
}

function innermost(error: unknown): object {
  let at: unknown = error;
  for (let depth = 0; depth < 5 && at instanceof Error && at.cause instanceof Error; depth += 1) at = at.cause;
  return typeof at === 'object' && at !== null ? at : {};
}

/** More was said than is read; whoever says it has been cut off. */
export class BodyTooLargeError extends Error {}

async function readBody(response: Response, maxBytes: number): Promise<string> {
  if (response.body === null) return '';
  const decoder = new TextDecoder();
  let bytes = 0;
  let text = '';
  for await (const chunk of response.body) {
    bytes += chunk.byteLength;
    if (bytes > maxBytes) throw new BodyTooLargeError(`answer longer than ${maxBytes} bytes`);
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

/** How an error begins: who, and what it was about. */
export function title(asked: Pick<Asked, 'directory' | 'operation'>): string {
  return `${asked.directory}: ${asked.operation.replaceAll('_', ' ')}`;
}

/** A vendor's words, fit to be shown: one line, at most 200 code points, and none of our secrets in them. */
export function tell(asked: Pick<Asked, 'secrets'>, words: string): string {
  let safe = words;
  // Before the cut, or a secret that the cut goes through would stay half readable.
  for (const secret of asked.secrets) if (secret !== '') safe = safe.replaceAll(secret, '[secret]');
  safe = safe.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ').trim();
  const points = [...safe];
  return points.length <= SAID_MAX_CODE_POINTS ? safe : points.slice(0, SAID_MAX_CODE_POINTS).join('');
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done, { once: true });
  });
}
