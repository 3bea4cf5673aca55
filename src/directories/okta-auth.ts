/** How the Okta adapter proves who it is: an API token, or a service app's signed assertion turned into a token. */
import { createPrivateKey, type KeyObject, randomUUID } from 'node:crypto';
import { SignJWT } from 'jose';
import { z } from 'zod';
import type { Instant } from '../access/model.ts';
import { type Clock, DirectoryError } from '../access/ports.ts';
import { HEADER_SAFE, within } from './credential.ts';
import { createProver } from './dpop.ts';
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

/** What signs a call: an `Authorization` header, and a `DPoP` proof where the token is bound to a key. */
export interface Signed {
  readonly authorization: string;
  readonly dpop?: string;
}

export interface OktaCredential {
  /** The headers that sign this call. Throws `unauthorized`, `rate_limited` or `unavailable`, always without effect. */
  sign(call: { readonly method: string; readonly url: URL }, deadline: Deadline): Promise<Signed>;
  /** Says that the API refused this header. `true`: a new one may do better, ask again. */
  refused(authorization: string): boolean;
}

export function apiToken(token: string): OktaCredential {
  if (!HEADER_SAFE.test(token)) throw new Error('the Okta API token contains characters that no token has');
  return { sign: () => Promise.resolve({ authorization: `SSWS ${token}` }), refused: () => false };
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
  /** The token itself, when every call has to prove that it holds the key. */
  readonly bound?: string;
  /** On the monotonic clock: a wall clock set back must not stretch a token's life. */
  readonly until: number;
}

/** Okta asks for a proof, then for a nonce in it; more than that is a quarrel. */
const TOKEN_TRIES = 3;

export function serviceApp(app: ServiceApp): OktaCredential {
  const { key, alg } = signingKey(app.keyPem);
  const tokenUrl = new URL('/oauth2/v1/token', app.url);
  const prover = createProver(app.clock);
  // What Okta has asked for is kept: the app is set up so, and would ask again each time.
  let asksProof = false;
  let nonce: string | undefined;
  let held: Token | undefined;
  let fetching: Promise<Token> | undefined;

  async function requestToken(deadline: Deadline): Promise<Token | Wanted> {
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
    const proof = asksProof
      ? await prover.prove({ method: 'POST', url: tokenUrl, ...(nonce === undefined ? {} : { nonce }) })
      : undefined;
    const asked: Asked = { directory: app.directory, operation: 'get_token', write: false, secrets: [assertion] };
    const askedAt = app.clock.monotonic();
    const answered = await app.call(
      {
        ...asked,
        method: 'POST',
        url: tokenUrl,
        headers: {
          'content-type': 'application/x-www-form-urlencoded',
          ...(proof === undefined ? {} : { dpop: proof }),
        },
        body: new URLSearchParams({
          grant_type: 'client_credentials',
          scope: app.scopes.join(' '),
          client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
          client_assertion: assertion,
        }).toString(),
        bucket: 'token',
        // Nothing can be removed without a token.
        urgency: 'removal',
        read: (answer) => wantedBy(answer) ?? processToken(asked, answer, app.clock.now(), proof !== undefined),
      },
      deadline,
    );
    if ('wants' in answered) return answered;
    const { token, lifeMs, bound } = answered;
    return {
      header: `${bound ? 'DPoP' : 'Bearer'} ${token}`,
      ...(bound ? { bound: token } : {}),
      until: askedAt + lifeMs - Math.min(RENEW_BEFORE_MS, lifeMs / 10),
    };
  }

  async function fetchToken(deadline: Deadline): Promise<Token> {
    for (let tries = 0; tries < TOKEN_TRIES; tries += 1) {
      const answered = await requestToken(deadline);
      if (!('wants' in answered)) return answered;
      asksProof = true;
      if (answered.wants === 'nonce') nonce = answered.nonce;
    }
    const message = `${app.directory}: get token failed: Okta takes none of our proofs of possession`;
    throw new DirectoryError(app.directory, 'unauthorized', message);
  }

  async function current(deadline: Deadline): Promise<Token> {
    if (held !== undefined && held.until > app.clock.monotonic()) return held;
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
    return await within(fetching, deadline, () => notSent(asked, deadline, 'waited for a token'));
  }

  return {
    async sign(call, deadline) {
      const token = await current(deadline);
      if (token.bound === undefined) return { authorization: token.header };
      return { authorization: token.header, dpop: await prover.prove({ ...call, token: token.bound }) };
    },
    refused(authorization) {
      if (held?.header === authorization) held = undefined;
      return true;
    },
  };
}

type Wanted = { readonly wants: 'proof' } | { readonly wants: 'nonce'; readonly nonce: string };

/** What the token endpoint wants before it gives a token to this app; absent: nothing, or something else. */
export function wantedBy(answer: Answer): Wanted | undefined {
  if (answer.status !== 400) return undefined;
  const said = tokenErrorSchema.safeParse(jsonOf(answer)).data?.error;
  if (said === 'invalid_dpop_proof') return { wants: 'proof' };
  const nonce = answer.headers.get('dpop-nonce');
  return said === 'use_dpop_nonce' && nonce !== null && HEADER_SAFE.test(nonce) ? { wants: 'nonce', nonce } : undefined;
}

const tokenSchema = z.object({
  access_token: z.string().regex(HEADER_SAFE),
  token_type: z.string().regex(/^bearer$/i),
  expires_in: z.number().positive(),
});
// With a proof, a server may bind the token to its key; without one there is nothing it could be bound to.
const boundSchema = tokenSchema.extend({ token_type: z.string().regex(/^(bearer|dpop)$/i) });
const tokenErrorSchema = z.object({ error: z.string(), error_description: z.string().catch('') });

export interface OktaToken {
  readonly token: string;
  readonly lifeMs: number;
  /** Good only together with a proof of possession. */
  readonly bound: boolean;
}

/** Reads the token endpoint's answer. Its 400 and 403 are about the client, so they are `unauthorized` like a 401. */
export function processToken(asked: Asked, answer: Answer, now: Instant, proved = false): OktaToken {
  if (answer.status !== 200) {
    const said = tokenErrorSchema.safeParse(jsonOf(answer));
    const words = said.success
      ? { code: said.data.error, summary: said.data.error_description, notFound: false }
      : undefined;
    const error = refusal(asked, answer, words, now);
    if (error.code !== 'rejected') throw error;
    throw new DirectoryError(asked.directory, 'unauthorized', error.message);
  }
  const parsed = (proved ? boundSchema : tokenSchema).safeParse(jsonOf(answer));
  if (!parsed.success) throw malformed(asked, `at ${parsed.error.issues[0]?.path.join('.') || 'the body'}`);
  const { access_token: token, token_type: type, expires_in: lifeS } = parsed.data;
  return { token, lifeMs: lifeS * 1_000, bound: type.toLowerCase() === 'dpop' };
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
