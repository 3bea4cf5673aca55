/** How the Okta adapter proves who it is: an API token, or a service app's signed assertion turned into a token. */
import { createPrivateKey, type KeyObject, randomUUID } from 'node:crypto';
import { SignJWT } from 'jose';
import { z } from 'zod';
import type { Instant } from '../access/model.ts';
import { type Clock, DirectoryError } from '../access/ports.ts';
import { type Credential, HEADER_SAFE, within } from './credential.ts';
import {
  type Answer,
  type Asked,
  type Caller,
  type Deadline,
  deadlineIn,
  jsonOf,
  malformed,
  notSent,
  refusal,
} from './http.ts';

/** Five minutes at most; the rest is for a clock that runs ahead of Okta's. */
const ASSERTION_LIFE_S = 240;
/** A token is renewed this long before its end, or after nine tenths of a short life. */
const RENEW_BEFORE_MS = 60_000;

export function apiToken(token: string): Credential {
  if (!HEADER_SAFE.test(token)) throw new Error('the Okta API token contains characters that no token has');
  return { authorization: () => Promise.resolve(`SSWS ${token}`), refused: () => false };
}

export interface ServiceApp {
  readonly directory: string;
  readonly url: URL;
  readonly clientId: string;
  readonly keyPem: string;
  readonly keyId?: string;
  readonly scopes: readonly string[];
  readonly clock: Clock;
  readonly call: Caller;
  readonly callDeadlineMs: number;
}

interface Token {
  readonly header: string;
  /** On the monotonic clock: a wall clock set back must not stretch a token's life. */
  readonly until: number;
}

export function serviceApp(app: ServiceApp): Credential {
  const { key, alg } = signingKey(app.keyPem);
  const tokenUrl = new URL('/oauth2/v1/token', app.url);
  let held: Token | undefined;
  let fetching: Promise<Token> | undefined;

  async function fetchToken(deadline: Deadline): Promise<Token> {
    const issuedAt = Math.floor(app.clock.now() / 1_000);
    const assertion = await new SignJWT({})
      .setProtectedHeader({ alg, ...(app.keyId === undefined ? {} : { kid: app.keyId }) })
      .setIssuer(app.clientId)
      .setSubject(app.clientId)
      .setAudience(tokenUrl.href)
      .setIssuedAt(issuedAt)
      .setExpirationTime(issuedAt + ASSERTION_LIFE_S)
      .setJti(randomUUID())
      .sign(key);
    const asked: Asked = { directory: app.directory, operation: 'get_token', write: false, secrets: [assertion] };
    const askedAt = app.clock.monotonic();
    const { token, lifeMs } = await app.call(
      {
        ...asked,
        method: 'POST',
        url: tokenUrl,
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        body: new URLSearchParams({
          grant_type: 'client_credentials',
          scope: app.scopes.join(' '),
          client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
          client_assertion: assertion,
        }).toString(),
        bucket: 'token',
        // Nothing can be removed without a token.
        urgency: 'removal',
        read: (answer) => processToken(asked, answer, app.clock.now()),
      },
      deadline,
    );
    return { header: `Bearer ${token}`, until: askedAt + lifeMs - Math.min(RENEW_BEFORE_MS, lifeMs / 10) };
  }

  return {
    async authorization(deadline) {
      if (held !== undefined && held.until > app.clock.monotonic()) return held.header;
      if (fetching === undefined) {
        // Its own deadline: it serves everyone who waits, also after the first of them has given up.
        fetching = fetchToken(deadlineIn(app.callDeadlineMs));
        fetching.then(
          (token) => {
            held = token;
            fetching = undefined;
          },
          () => {
            fetching = undefined;
          },
        );
      }
      const asked: Asked = { directory: app.directory, operation: 'get_token', write: false, secrets: [] };
      const token = await within(fetching, deadline, () => notSent(asked, deadline, 'waited for a token'));
      return token.header;
    },
    refused(authorization) {
      if (held?.header === authorization) held = undefined;
      return true;
    },
  };
}

const tokenSchema = z.object({
  access_token: z.string().regex(HEADER_SAFE),
  token_type: z.string().regex(/^bearer$/i),
  expires_in: z.number().positive(),
});
const tokenErrorSchema = z.object({ error: z.string(), error_description: z.string().catch('') });

/** Reads the token endpoint's answer. Its 400 and 403 are about the client, so they are `unauthorized` like a 401. */
export function processToken(asked: Asked, answer: Answer, now: Instant): { token: string; lifeMs: number } {
  if (answer.status !== 200) {
    const said = tokenErrorSchema.safeParse(jsonOf(answer));
    const words = said.success
      ? { code: said.data.error, summary: said.data.error_description, notFound: false }
      : undefined;
    const error = refusal(asked, answer, words, now);
    if (error.code !== 'rejected') throw error;
    throw new DirectoryError(asked.directory, 'unauthorized', error.message);
  }
  const parsed = tokenSchema.safeParse(jsonOf(answer));
  if (!parsed.success) throw malformed(asked, `at ${parsed.error.issues[0]?.path.join('.') || 'the body'}`);
  return { token: parsed.data.access_token, lifeMs: parsed.data.expires_in * 1_000 };
}

function signingKey(pem: string): { key: KeyObject; alg: string } {
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
  } catch {
    // Without its cause: what OpenSSL says of a key does not belong in a log.
    throw new Error('the Okta private key is not a PEM private key without a passphrase');
  }
  if (key.asymmetricKeyType === 'rsa') return { key, alg: 'RS256' };
  if (key.asymmetricKeyType === 'ec' && key.asymmetricKeyDetails?.namedCurve === 'prime256v1') {
    return { key, alg: 'ES256' };
  }
  throw new Error('the Okta private key must be RSA or EC P-256');
}
