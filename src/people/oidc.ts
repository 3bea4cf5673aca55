/**
 * Signing in by OpenID Connect: authorization code with PKCE, state and nonce. The one home of `openid-client`, which
 * judges signatures, audience, nonce, state and times; what makes a sign-in a proof it leaves to us (`lacks`).
 */
import * as client from 'openid-client';
import type { Instant } from '../access/model.ts';
import type { Clock, Metrics } from '../access/ports.ts';
import { type SignedIn, SignInError, type SignInKept, type SignInWish } from '../access/sign-in.ts';
import { Failure, watch } from './asking.ts';
import { isIssuer, proofRule, type StepUpSection } from './step-up-section.ts';

/** For each call to the issuer; a person is waiting for it in a browser. */
const WITHIN_MS = 5_000;
const RETRY_DELAY_MAX_MS = 250;
/** An issuer changes its addresses seldom, and its keys are fetched by themselves. */
const KEPT_MS = 3_600_000;
/** An issuer that failed is looked at again after this, by whoever asks how it is. */
const LOOK_AGAIN_MS = 30_000;

export interface OidcParts {
  readonly section: StepUpSection;
  readonly clock: Clock;
  /** A token's times are the issuer's, so they are compared with the real clock. */
  readonly wallClock: () => Instant;
  readonly metrics: Metrics;
  /** Uniform in [0, 1). */
  readonly jitter: () => number;
  readonly withinMs?: number;
}

export interface Oidc {
  begin(wish: SignInWish): Promise<{ readonly url: string; readonly kept: SignInKept }>;
  finish(callback: URLSearchParams, kept: SignInKept): Promise<SignedIn>;
  /** Why nobody can sign in, as it was last seen; looks again in the background. */
  trouble(): string | undefined;
}

interface Met {
  readonly configuration: client.Configuration;
  readonly at: number;
}

export function createOidc(parts: OidcParts): Oidc {
  const { section, clock, metrics, jitter } = parts;
  const rule = proofRule(section);
  const withinMs = parts.withinMs ?? WITHIN_MS;
  let met: Met | undefined;
  let meeting: Promise<Met> | undefined;
  let failed: { readonly why: string; readonly at: number } | undefined;

  async function asked<T>(operation: string, call: () => Promise<T>): Promise<T> {
    try {
      return await watch({ clock, metrics }, { service: 'oidc', source: 'issuer' }, operation, async () => {
        try {
          return await call();
        } catch (error) {
          const wrong = operation === 'discovery' ? undiscovered(error) : classified(error);
          throw new Failure(wrong.message, wrong, { outcome: wrong.code });
        }
      });
    } catch (error) {
      throw error instanceof Failure && error.cause instanceof SignInError ? error.cause : error;
    }
  }

  async function discover(): Promise<Met> {
    const configuration = await asked('discovery', () =>
      client.discovery(
        new URL(section.issuer),
        section.clientId,
        undefined,
        client.ClientSecretPost(section.clientSecret),
        {
          timeout: withinMs / 1_000,
          // An id token comes straight from the issuer, by TLS; its signature is judged all the same.
          execute: [
            client.enableNonRepudiationChecks,
            ...(section.issuer.startsWith('http:') ? [client.allowInsecureRequests] : []),
          ],
        },
      ),
    );
    // Whoever could write the metadata over an open line could send people anywhere.
    const { authorization_endpoint: page, token_endpoint: token } = configuration.serverMetadata();
    for (const address of [page, token])
      if (address === undefined || !isIssuer(address.split('?')[0] ?? ''))
        throw new SignInError('unavailable', 'The issuer does not say where to sign in.');
    return { configuration, at: clock.monotonic() };
  }

  async function meet(): Promise<client.Configuration> {
    if (met !== undefined && clock.monotonic() - met.at < KEPT_MS) return met.configuration;
    meeting ??= (async () => {
      try {
        try {
          return await discover();
        } catch {
          await new Promise((resolve) => setTimeout(resolve, jitter() * RETRY_DELAY_MAX_MS));
          return await discover();
        }
      } finally {
        meeting = undefined;
      }
    })();
    try {
      met = await meeting;
      failed = undefined;
      return met.configuration;
    } catch (error) {
      throw noted(error);
    }
  }

  function noted(error: unknown): unknown {
    if (error instanceof SignInError && error.code === 'unavailable') {
      failed = { why: error.message, at: clock.monotonic() };
      met = undefined;
    }
    return error;
  }

  return {
    async begin({ redirectUri, proof, hint }) {
      const configuration = await meet();
      const kept = {
        state: client.randomState(),
        nonce: client.randomNonce(),
        verifier: client.randomPKCECodeVerifier(),
        redirectUri,
      };
      const url = client.buildAuthorizationUrl(configuration, {
        redirect_uri: redirectUri,
        scope: 'openid email',
        state: kept.state,
        nonce: kept.nonce,
        code_challenge: await client.calculatePKCECodeChallenge(kept.verifier),
        code_challenge_method: 'S256',
        ...(hint === undefined ? {} : { login_hint: hint }),
        ...(proof ? wanted(rule) : {}),
      });
      return { url: url.href, kept };
    },

    async finish(callback, kept) {
      const configuration = await meet();
      const url = new URL(kept.redirectUri);
      url.search = callback.toString();
      try {
        const tokens = await asked('token', () =>
          client.authorizationCodeGrant(configuration, url, {
            pkceCodeVerifier: kept.verifier,
            expectedState: kept.state,
            expectedNonce: kept.nonce,
            idTokenExpected: true,
          }),
        );
        return signedIn(tokens.claims() ?? {}, rule.type, clock.now(), parts.wallClock());
      } catch (error) {
        throw noted(error);
      }
    },

    trouble() {
      const lookedAt = failed?.at ?? met?.at;
      const due = failed === undefined ? met === undefined : clock.monotonic() - failed.at > LOOK_AGAIN_MS;
      if (lookedAt === undefined || due) void meet().catch(() => undefined);
      return failed?.why;
    },
  };
}

/** What is asked of the issuer; whether it did it is judged by its answer. */
function wanted(rule: ReturnType<typeof proofRule>): Readonly<Record<string, string>> {
  const maxAge = String(Math.floor(rule.maxAgeMs / 1_000));
  switch (rule.type) {
    case 'entra':
      // It knows no acr_values, and takes a context as a claim.
      return {
        claims: JSON.stringify({ id_token: { acrs: { essential: true, value: rule.acr[0] } } }),
        prompt: 'login',
      };
    case 'google':
      return {};
    default:
      return { ...(rule.acr.length === 0 ? {} : { acr_values: rule.acr.join(' ') }), max_age: maxAge };
  }
}

type Claims = Readonly<Record<string, unknown>>;

function signedIn(claims: Claims, type: StepUpSection['type'], now: Instant, wallNow: Instant): SignedIn {
  const { iss, sub, email, acr, auth_time: authTime } = claims;
  if (typeof iss !== 'string' || typeof sub !== 'string' || sub === '')
    throw new SignInError('invalid', 'The issuer does not say who signed in.');
  return {
    issuer: iss,
    subject: sub,
    ...(typeof email === 'string' && email !== '' ? { email } : {}),
    emailVerified: isVerified(claims, type),
    ...(typeof acr === 'string' ? { acr } : {}),
    acrs: textsOf(claims['acrs']),
    amr: textsOf(claims['amr']),
    ...(typeof authTime === 'number' ? { authAt: now - (wallNow - authTime * 1_000) } : {}),
  };
}

/** Whether the issuer still answers for the email, and not only did when the account was opened. */
function isVerified(claims: Claims, type: StepUpSection['type']): boolean {
  // Anybody can open an account of Google's with an address of ours that they once read; only Workspace names its domain.
  if (type === 'google') return claims['email_verified'] === true && textsOf(claims['hd']).some((hd) => hd !== '');
  // Entra says it in another claim, and only where an administrator added that.
  return claims['email_verified'] === true || isTrue(claims['xms_edov']);
}

function isTrue(value: unknown): boolean {
  return value === true || value === 1 || value === '1' || value === 'true';
}

function textsOf(value: unknown): readonly string[] {
  const list: readonly unknown[] = Array.isArray(value) ? value : [value];
  return list.filter((one) => typeof one === 'string');
}

/** What of an answer is ours to tell is the kind of it; its texts stay in the cause. */
function classified(error: unknown): SignInError {
  if (error instanceof SignInError) return error;
  if (error instanceof client.AuthorizationResponseError) {
    if (error.error === 'unmet_authentication_requirements')
      return new SignInError('unmet', 'The issuer cannot ask this person for what is needed here.', error);
    return error.error === 'server_error' || error.error === 'temporarily_unavailable'
      ? new SignInError('unavailable', 'The issuer failed while the person signed in.', error)
      : new SignInError('declined', 'The sign-in was not finished.', error);
  }
  if (error instanceof client.ResponseBodyError)
    return error.error === 'invalid_client' || error.error === 'unauthorized_client'
      ? new SignInError('unavailable', 'The issuer refuses the credential that Hallpass has for it.', error)
      : new SignInError('invalid', 'The issuer does not accept this sign-in; it may have been used already.', error);
  if (error instanceof client.ClientError && INVALID.has(error.code ?? ''))
    return new SignInError('invalid', 'What came back does not belong to the sign-in that was begun.', error);
  return new SignInError('unavailable', 'The issuer could not be asked.', error);
}

function undiscovered(error: unknown): SignInError {
  const other = error instanceof client.ClientError && error.code === 'OAUTH_JSON_ATTRIBUTE_COMPARISON_FAILED';
  const why = other ? 'The metadata there is that of another issuer.' : 'The issuer could not be asked.';
  return new SignInError('unavailable', why, error);
}

const INVALID: ReadonlySet<string> = new Set([
  'OAUTH_INVALID_RESPONSE',
  'OAUTH_JWT_CLAIM_COMPARISON_FAILED',
  'OAUTH_JWT_TIMESTAMP_CHECK_FAILED',
  'OAUTH_JSON_ATTRIBUTE_COMPARISON_FAILED',
  'OAUTH_PARSE_ERROR',
]);
