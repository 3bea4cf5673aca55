/** Calls to the API: each has a deadline, and is sent again only where sending it twice does no harm. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Problem } from '../../api/schemas.ts';

/** The API said no, or could not be asked. */
export class ClientError extends Error {
  /** HTTP status; 0 when there was no answer. */
  readonly status: number;
  readonly problem: Problem | undefined;
  /** What was answered, read as JSON. */
  readonly answer: unknown;
  readonly retryAfterMs: number;
  constructor(status: number, message: string, answer?: unknown, retryAfterMs = 0) {
    const problem = isProblem(answer) ? answer : undefined;
    super(problem?.title ?? message);
    this.name = 'ClientError';
    this.status = status;
    this.problem = problem;
    this.answer = answer;
    this.retryAfterMs = retryAfterMs;
  }
}

export interface Call {
  readonly body?: object;
  /** As a form, where that is what is wanted. */
  readonly form?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
  /** The longest that one try may take. */
  readonly withinMs?: number;
  /** Longest that it is tried again. */
  readonly triesMs?: number;
}

export interface Client {
  readonly url: string;
  /** Reading: sent again while there is no answer. */
  get<T>(path: string, call?: Call): Promise<T>;
  /** A command: carries a key, so that it acts once however often it is sent. Throws `ClientError`. */
  post<T>(path: string, call?: Call): Promise<T>;
  delete(path: string): Promise<void>;
}

const WITHIN_MS = 20_000;
const TRIES_MS = 30_000;
const PAUSE_MS = 500;
const PAUSE_MAX_MS = 10_000;
const BODY_MAX = 4 * 1024 * 1024;
/** The same call may end otherwise in a while. */
const AGAIN = new Set([0, 429, 502, 503, 504]);

export function createClient(url: string, token: string | undefined, send: typeof fetch = fetch): Client {
  async function once(method: string, path: string, key: string | undefined, call: Call): Promise<unknown> {
    const { body, form, signal, withinMs = WITHIN_MS } = call;
    const deadline = AbortSignal.timeout(withinMs);
    let response: Response;
    let text: string;
    try {
      response = await send(`${url}/api/v1${path}`, {
        method,
        // A redirect would carry the credential to wherever the answer points.
        redirect: 'error',
        signal: signal === undefined ? deadline : AbortSignal.any([signal, deadline]),
        headers: {
          accept: 'application/json',
          'user-agent': 'hallpass-cli',
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
          ...(key === undefined ? {} : { 'idempotency-key': key }),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...(form === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        ...(form === undefined ? {} : { body: new URLSearchParams(form).toString() }),
      });
      text = await response.text();
    } catch (error) {
      signal?.throwIfAborted();
      throw new ClientError(0, `${url} cannot be reached: ${reasonOf(error)}.`);
    }
    if (text.length > BODY_MAX) throw new ClientError(0, `${url} answered with more than anybody reads.`);
    const said = parsed(text);
    if (response.ok) return said;
    throw new ClientError(response.status, `${url} answered with ${response.status}.`, said, retryAfter(response));
  }

  async function persistent(method: string, path: string, key: string | undefined, call: Call): Promise<unknown> {
    const until = performance.now() + (call.triesMs ?? TRIES_MS);
    for (let pause = PAUSE_MS; ; pause = Math.min(pause * 2, PAUSE_MAX_MS)) {
      try {
        return await once(method, path, key, call);
      } catch (error) {
        if (!(error instanceof ClientError) || !isWorthAnotherTry(error)) throw error;
        const waitMs = Math.max(pause * (0.5 + Math.random()), error.retryAfterMs);
        if (performance.now() + waitMs > until) throw error;
        await sleep(waitMs, undefined, call.signal === undefined ? {} : { signal: call.signal });
      }
    }
  }

  return {
    url,
    get: async <T>(path: string, call: Call = {}) => (await persistent('GET', path, undefined, call)) as T,
    post: async <T>(path: string, call: Call = {}) => (await persistent('POST', path, randomUUID(), call)) as T,
    async delete(path) {
      await persistent('DELETE', path, undefined, {});
    },
  };
}

function isWorthAnotherTry({ status, problem }: ClientError): boolean {
  if (problem?.code === 'no_address') return false;
  return AGAIN.has(status) || problem?.code === 'idempotency_in_progress';
}

function retryAfter(response: Response): number {
  const seconds = Number(response.headers.get('retry-after') ?? 0);
  return Number.isFinite(seconds) && seconds > 0 ? seconds * 1_000 : 0;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isProblem(said: unknown): said is Problem {
  return typeof said === 'object' && said !== null && 'title' in said && 'code' in said;
}

/** What Node says of a connection that failed is in its cause. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === 'TimeoutError') return 'no answer in time';
  const { cause } = error;
  if (cause instanceof AggregateError) return cause.errors.map(reasonOf).join(', ');
  return cause instanceof Error && cause.message !== '' ? cause.message : error.message;
}
