/**
 * Questions to a service that keeps on-call schedules or incidents. Only ever reads. Whatever goes wrong is
 * `PeopleError` with `unavailable`: who cannot be looked up is nobody's approver.
 *
 * Apart from the directories' own caller because there is no write here whose effect could be unknown, and no budget
 * of which removals need a share.
 */
import { type Clock, type Metrics, PeopleError } from '../access/ports.ts';

/** For everything that one question sends; whoever clicked is waiting for it. */
const WITHIN_MS = 5_000;
/** A question that failed is asked once more after a random part of this. */
const RETRY_DELAY_MAX_MS = 250;
/** A longer wait would outlive the question. */
const RATE_WAIT_MAX_MS = 1_000;
const BODY_MAX_BYTES = 4 * 1024 * 1024;

const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]']);

export interface AskingParts {
  readonly clock: Clock;
  readonly metrics: Metrics;
  /** Uniform in [0, 1). */
  readonly jitter: () => number;
  readonly fetch?: typeof fetch;
  readonly withinMs?: number;
}

/** Who is asked, and for what; goes into errors and metrics. */
export interface Asked {
  /** `PagerDuty` */
  readonly service: string;
  /** `on-call source "dba"` */
  readonly source: string;
}

export interface Reply {
  readonly status: 200 | 404;
  readonly body: unknown;
}

export interface Question {
  /** `oncalls`, for metrics. */
  readonly operation: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
}

export interface Asker {
  /** All questions put with one `signal` share its time. */
  ask(question: Question, signal: AbortSignal): Promise<Reply>;
  signal(): AbortSignal;
  /** For an answer that arrived and does not serve; `what` follows the service's name. */
  unusable(what: string): PeopleError;
}

/** An address to which a token may be sent: https, or plain http to this machine alone; without a path. */
export function isServiceUrl(value: string): boolean {
  if (!URL.canParse(value)) return false;
  const url = new URL(value);
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '' || url.username !== '' || url.password !== '')
    return false;
  return url.protocol === 'https:' || (url.protocol === 'http:' && LOOPBACK.has(url.hostname));
}

export function createAsker(parts: AskingParts, asked: Asked): Asker {
  const send = parts.fetch ?? fetch;
  const withinMs = parts.withinMs ?? WITHIN_MS;

  async function once(question: Question, signal: AbortSignal): Promise<Reply> {
    let response: Response;
    let text: string;
    try {
      response = await send(question.url, {
        headers: { accept: 'application/json', 'user-agent': 'hallpass', ...question.headers },
        // A redirect would carry the token to wherever the answer points.
        redirect: 'error',
        signal,
      });
      text = await readBody(response);
    } catch (error) {
      throw new Failure(signal.aborted ? `did not answer within ${withinMs / 1000} s` : 'cannot be reached', error);
    }
    const { status, headers } = response;
    if (status === 200 || status === 404) {
      const body = jsonOf(text);
      // A proxy's own page says nothing about what we asked.
      if (body === undefined) throw new Failure(`gave an unreadable answer (${status})`);
      return { status, body };
    }
    throw statusFailure(status, headers);
  }

  async function measured(question: Question, signal: AbortSignal): Promise<Reply> {
    return await watch(parts, asked, question.operation, () => once(question, signal));
  }

  return {
    signal: () => AbortSignal.timeout(withinMs),
    unusable: (what) => failed(asked, new Failure(what)),
    async ask(question, signal) {
      try {
        return await measured(question, signal);
      } catch (error) {
        if (!(error instanceof Failure) || !error.again || signal.aborted) throw failed(asked, error);
        await pause(error.waitMs ?? parts.jitter() * RETRY_DELAY_MAX_MS, signal);
        if (signal.aborted) throw failed(asked, error);
        try {
          return await measured(question, signal);
        } catch (second) {
          throw failed(asked, second);
        }
      }
    },
  };
}

/** What a service did instead of answering, in words that follow its name. */
export class Failure extends Error {
  /** Worth one more try. */
  readonly again: boolean;
  readonly waitMs: number | undefined;
  readonly outcome: string;
  constructor(
    what: string,
    cause?: unknown,
    more: { readonly again?: boolean; readonly waitMs?: number; readonly outcome?: string } = {},
  ) {
    super(what, cause === undefined ? undefined : { cause });
    this.name = 'Failure';
    this.again = more.again ?? true;
    this.waitMs = more.waitMs;
    this.outcome = more.outcome ?? 'unavailable';
  }
}

export function statusFailure(status: number, headers: Headers): Failure {
  if (status === 401 || status === 403)
    return new Failure(
      `refuses the credential that Hallpass has for it (${status}); whoever runs Hallpass has to give it another`,
      undefined,
      { again: false, outcome: 'unauthorized' },
    );
  if (status === 429) {
    const waitMs = waitOf(headers);
    return new Failure('asks Hallpass to slow down (429)', undefined, {
      again: waitMs !== undefined && waitMs <= RATE_WAIT_MAX_MS,
      ...(waitMs === undefined ? {} : { waitMs }),
      outcome: 'rate_limited',
    });
  }
  if (status >= 500 || status === 408) return new Failure(`failed (${status})`);
  return new Failure(`refused the question (${status})`, undefined, { again: false, outcome: 'rejected' });
}

/** Counts and times one call. */
export async function watch<T>(
  parts: Pick<AskingParts, 'clock' | 'metrics'>,
  { service }: Asked,
  operation: string,
  call: () => Promise<T>,
): Promise<T> {
  const startedAt = parts.clock.monotonic();
  let outcome = 'failed';
  try {
    const result = await call();
    outcome = 'ok';
    return result;
  } catch (error) {
    if (error instanceof Failure) outcome = error.outcome;
    throw error;
  } finally {
    const labels = { service, operation, outcome };
    parts.metrics.count('hallpass_source_calls_total', labels);
    parts.metrics.observe('hallpass_source_call_seconds', (parts.clock.monotonic() - startedAt) / 1_000, labels);
  }
}

export function failed({ service, source }: Asked, error: unknown): PeopleError {
  if (error instanceof PeopleError) return error;
  const what = error instanceof Failure ? error.message : 'could not be asked';
  // Neither the address nor the service's words: they are for the log, through the cause, and may hold anything.
  return new PeopleError('unavailable', `The ${source} could not be asked: ${service} ${what}.`, error);
}

/** Seconds, in the header that a service uses for it. */
function waitOf(headers: Headers): number | undefined {
  const said = headers.get('retry-after') ?? headers.get('ratelimit-reset');
  return said !== null && /^\d{1,6}$/.test(said) ? Number(said) * 1_000 : undefined;
}

async function readBody(response: Response): Promise<string> {
  if (response.body === null) return '';
  const decoder = new TextDecoder();
  let bytes = 0;
  let text = '';
  for await (const chunk of response.body) {
    bytes += chunk.byteLength;
    if (bytes > BODY_MAX_BYTES) throw new Error(`answer longer than ${BODY_MAX_BYTES} bytes`);
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
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
