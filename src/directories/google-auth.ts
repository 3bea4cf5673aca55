/** How the Google adapter proves who it is: Google's own auth library, with our deadline and our errors. */
import { z } from 'zod';
import { type Clock, DirectoryError, type Metrics } from '../access/ports.ts';
import { type Credential, HEADER_SAFE, within } from './credential.ts';
import { library } from './google-library.ts';
import type { ServiceAccountKey } from './google-section.ts';
import { type Asked, type Deadline, deadlineIn, notSent, tell, title } from './http.ts';

const TOKEN_URL = 'https://oauth2.googleapis.com/token';

export interface GoogleSignIn {
  readonly directory: string;
  /** Absent: Application Default Credentials. */
  readonly key?: ServiceAccountKey;
  /** An administrator to act as. */
  readonly subject?: string;
  readonly scopes: readonly string[];
  /** The local server that stands in for Google, token endpoint included. */
  readonly rootUrl?: string;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly callDeadlineMs: number;
  readonly fetch?: typeof fetch;
}

interface TokenSource {
  getAccessToken(): Promise<{ token?: string | null | undefined }>;
}

export function googleCredential(parts: GoogleSignIn): Credential {
  const connection = parts.fetch ?? fetch;
  let source: Promise<TokenSource> | undefined;

  function asked(secrets: readonly string[] = []): Asked {
    return { directory: parts.directory, operation: 'get_token', write: false, secrets };
  }

  async function open(): Promise<TokenSource> {
    const { auth } = await library();
    const lent: typeof fetch = (input, init) =>
      connection(
        parts.rootUrl !== undefined && addressOf(input) === TOKEN_URL ? new URL('/token', parts.rootUrl) : input,
        {
          ...init,
          // An assertion is as good as the key for as long as it lives: it goes nowhere else.
          redirect: 'error',
          signal: AbortSignal.timeout(parts.callDeadlineMs),
        },
      );
    const transporterOptions = { fetchImplementation: lent, retry: false };
    const scopes = [...parts.scopes];
    if (parts.key === undefined) {
      return await new auth.GoogleAuth({ scopes, clientOptions: { transporterOptions } }).getClient();
    }
    const { email, pem, keyId } = parts.key;
    const client = new auth.JWT({
      email,
      key: pem,
      scopes,
      transporterOptions,
      ...(keyId === undefined ? {} : { keyId }),
      ...(parts.subject === undefined ? {} : { subject: parts.subject }),
    });
    client.transporter.interceptors.request.add({
      // The library asks for tokens again on its own; so does our job, which knows its deadline.
      resolved: (config) => {
        config.retryConfig = { retry: 0, noResponseRetries: 0 };
        return Promise.resolve(config);
      },
    });
    return client;
  }

  async function token(): Promise<string> {
    const startedAt = parts.clock.monotonic();
    let outcome = 'ok';
    source ??= open();
    const current = source;
    try {
      const { token: given } = await (await current).getAccessToken();
      if (typeof given !== 'string' || !HEADER_SAFE.test(given)) throw new Error('Google gave no usable access token');
      return given;
    } catch (error) {
      // A client that failed may have kept what it failed with.
      if (source === current) source = undefined;
      const failed = signInFailure(asked(), error);
      outcome = failed.code;
      throw failed;
    } finally {
      const labels = { directory: parts.directory, operation: 'get_token', outcome };
      parts.metrics.count('hallpass_directory_calls_total', labels);
      parts.metrics.observe('hallpass_directory_call_seconds', (parts.clock.monotonic() - startedAt) / 1_000, labels);
    }
  }

  let held: { readonly header: string; readonly checkedAt: number } | undefined;
  let fetching: Promise<string> | undefined;
  return {
    async authorization(deadline: Deadline) {
      // The library renews a token five minutes before its end, so asking it now and then is enough.
      if (held !== undefined && parts.clock.monotonic() - held.checkedAt < RECHECK_MS) return held.header;
      // Its own deadline: it serves everyone who waits, also after the first of them has given up.
      const own = deadlineIn(parts.callDeadlineMs);
      fetching ??= within(token(), own, () => notSent(asked(), own, 'waited for a token')).finally(() => {
        fetching = undefined;
      });
      const given = await within(fetching, deadline, () => notSent(asked(), deadline, 'waited for a token'));
      held = { header: `Bearer ${given}`, checkedAt: parts.clock.monotonic() };
      return held.header;
    },
    refused(authorization) {
      if (held?.header === authorization) {
        held = undefined;
        source = undefined;
      }
      return true;
    },
  };
}

/** How long a token is used without asking the library whether it still holds. */
const RECHECK_MS = 30_000;

const responseSchema = z.object({
  status: z.number(),
  data: z
    .object({ error: z.string(), error_description: z.string().catch('') })
    .optional()
    .catch(undefined),
});

/**
 * What a failure of the auth library stands for. A refusal by the token endpoint is about the credential, whatever its
 * status; only when nobody answered, or the answer was 5xx, may the same credential do better later.
 */
export function signInFailure(asked: Asked, error: unknown): DirectoryError {
  if (error instanceof DirectoryError) return error;
  const response = responseSchema.safeParse((error as { response?: unknown } | undefined)?.response).data;
  const fail = (code: 'unauthorized' | 'rate_limited' | 'unavailable', words: string) =>
    new DirectoryError(
      asked.directory,
      code,
      `${title(asked)} failed: ${tell(asked, words)}`,
      code === 'rate_limited' ? { retryAfterMs: TOKEN_RETRY_MS } : {},
    );
  if (response === undefined) {
    const code = (error as { code?: unknown } | undefined)?.code;
    const message = error instanceof Error ? error.message : String(error);
    // What the library says before it asks anybody: there is no credential, or it is of no use.
    return /could not load the default credentials|invalid|unsupported/i.test(message)
      ? fail('unauthorized', message)
      : fail('unavailable', typeof code === 'string' ? `connection failed (${code})` : 'connection failed');
  }
  const { status, data } = response;
  const words = data === undefined ? String(status) : `${status} ${data.error} ${data.error_description}`;
  if (status === 429) return fail('rate_limited', words);
  return status >= 400 && status < 500 && status !== 408 ? fail('unauthorized', words) : fail('unavailable', words);
}

const TOKEN_RETRY_MS = 5_000;

function addressOf(input: Parameters<typeof fetch>[0]): string {
  return typeof input === 'string' ? input : input instanceof URL ? input.href : input.url;
}
