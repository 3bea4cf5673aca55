/**
 * What the signed token of a pipeline's job says, once it is certain that its issuer said it, to us, about now. Claims
 * are matched by immutable ids; `sub` is not looked at, since its form is the repository owner's to choose.
 */
import {
  createRemoteJWKSet,
  customFetch,
  decodeJwt,
  errors,
  type JWTPayload,
  type JWTVerifyGetKey,
  jwtVerify,
} from 'jose';
import type { WorkloadFault } from '../access/command.ts';
import { type Metrics, PeopleError } from '../access/ports.ts';
import type { WorkloadSection } from './workload-section.ts';

/** A job as its token tells of it. */
export interface Job {
  /** Immutable and whole: platform, repository or project, run, attempt. */
  readonly run: string;
  readonly runName: string;
  readonly runUrl?: string;
  /** The account that set it off. */
  readonly actorId?: string;
  /** The same run again, set off by somebody whom the token does not name. */
  readonly again: boolean;
  /** Unique to this token, for ever. */
  readonly tokenId: string;
}

export class WorkloadError extends Error {
  readonly fault: WorkloadFault;
  constructor(fault: WorkloadFault, message: string) {
    super(message);
    this.name = 'WorkloadError';
    this.fault = fault;
  }
}

export interface TokenParts {
  readonly metrics: Metrics;
  /** Of this machine: a token's age is not judged by a time that anybody else sets. */
  readonly wallClock: () => number;
  readonly fetch?: typeof fetch;
}

export interface TokenReader {
  /** Throws `WorkloadError` for a token that does not serve, `PeopleError` where its issuer's keys cannot be had. */
  read(token: string, section: WorkloadSection & { readonly audience: string }): Promise<Job>;
}

/** Asymmetric ones alone: a shared secret would let whoever reads it make tokens, and `none` everybody. */
const ALGORITHMS = ['RS256', 'ES256'];
/** Longer than any issuer's tokens need to arrive, and far shorter than deliveries are remembered. */
const LIFETIME_MAX_S = 86_400;
const SKEW_S = 30;
const TOKEN_MAX = 16_384;
const KEYS_WITHIN_MS = 5_000;
const KEYS_KEPT_MS = 600_000;
/** A token with an unknown key is anybody's to send: so often at most are the keys fetched for it. */
const KEYS_COOLDOWN_MS = 30_000;
/** An issuer that does not answer is not asked again by every token that comes in. */
const FAILED_FOR_MS = 5_000;
const BODY_MAX = 1_048_576;

export function createTokenReader(parts: TokenParts): TokenReader {
  const keys = new Map<string, { readonly get: JWTVerifyGetKey; readonly at: number }>();
  const looking = new Map<string, Promise<JWTVerifyGetKey>>();
  const failed = new Map<string, { readonly error: unknown; readonly at: number }>();
  const send = parts.fetch ?? fetch;

  async function keysOf(issuer: string): Promise<JWTVerifyGetKey> {
    const known = keys.get(issuer);
    if (known !== undefined && parts.wallClock() - known.at < 6 * KEYS_KEPT_MS) return known.get;
    const before = failed.get(issuer);
    if (before !== undefined && parts.wallClock() - before.at < FAILED_FOR_MS) throw before.error;
    const found =
      looking.get(issuer) ??
      discover(issuer)
        .catch((error: unknown) => {
          failed.set(issuer, { error, at: parts.wallClock() });
          throw error;
        })
        .finally(() => looking.delete(issuer));
    looking.set(issuer, found);
    const get = await found;
    keys.set(issuer, { get, at: parts.wallClock() });
    return get;
  }

  /** Its keys are where it says, and nowhere but on its own host. */
  async function discover(issuer: string): Promise<JWTVerifyGetKey> {
    const response = await ask(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`);
    const text = response.ok ? await response.text() : '';
    const said = text.length > BODY_MAX ? undefined : parsed(text);
    const address = said?.jwks_uri;
    if (typeof address !== 'string' || said?.issuer !== issuer || !URL.canParse(address))
      throw new PeopleError('unavailable', `${issuer} does not say where its keys are.`);
    const url = new URL(address);
    if (url.origin !== new URL(issuer).origin)
      throw new PeopleError('unavailable', `${issuer} says that its keys are on another host.`);
    return createRemoteJWKSet(url, {
      timeoutDuration: KEYS_WITHIN_MS,
      cooldownDuration: KEYS_COOLDOWN_MS,
      cacheMaxAge: KEYS_KEPT_MS,
      [customFetch]: (at, options) => send(at, options),
    });
  }

  async function ask(address: string): Promise<Response> {
    try {
      return await send(address, { redirect: 'error', signal: AbortSignal.timeout(KEYS_WITHIN_MS) });
    } catch (error) {
      throw new PeopleError('unavailable', `${new URL(address).origin} cannot be asked for its keys.`, error);
    }
  }

  return {
    async read(token, section) {
      if (token.length > TOKEN_MAX) throw new WorkloadError('token_invalid', 'The token is too long.');
      // What it says of itself is believed only so far: the keys of others are not asked for.
      if (issuerOf(token) !== section.issuer)
        throw new WorkloadError('foreign_issuer', `The token is not from ${section.issuer}.`);
      const get = await keysOf(section.issuer);
      const now = parts.wallClock();
      let claims: JWTPayload;
      try {
        const verified = await jwtVerify(token, get, {
          issuer: section.issuer,
          audience: section.audience,
          algorithms: ALGORITHMS,
          requiredClaims: ['exp', 'iat', 'jti'],
          clockTolerance: SKEW_S,
          maxTokenAge: LIFETIME_MAX_S,
          currentDate: new Date(now),
        });
        claims = verified.payload;
      } catch (error) {
        throw faultOf(error, section);
      }
      if ((claims.exp ?? 0) * 1_000 > now + LIFETIME_MAX_S * 1_000)
        throw new WorkloadError('token_invalid', 'The token would hold for more than a day.');
      return jobOf(claims, section);
    },
  };
}

function issuerOf(token: string): string | undefined {
  try {
    return decodeJwt(token).iss;
  } catch {
    throw new WorkloadError('token_invalid', 'This is no signed token.');
  }
}

function parsed(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function faultOf(error: unknown, { issuer, audience }: WorkloadSection): Error {
  if (error instanceof errors.JWTExpired) return new WorkloadError('expired', 'The token is over. Ask for a new one.');
  if (error instanceof errors.JWTClaimValidationFailed)
    switch (error.claim) {
      case 'aud':
        return new WorkloadError('wrong_audience', `The token is not made out for ${audience}.`);
      default:
        return new WorkloadError('token_invalid', `The token's ${error.claim} does not hold.`);
    }
  // Keys that cannot be fetched are no judgement on the token.
  if (
    error instanceof errors.JWKSTimeout ||
    error instanceof errors.JWKSInvalid ||
    !(error instanceof errors.JOSEError)
  )
    return new PeopleError('unavailable', `The keys of ${issuer} cannot be had.`, error);
  if (error.code === 'ERR_JOSE_GENERIC')
    return new PeopleError('unavailable', `The keys of ${issuer} cannot be had.`, error);
  return new WorkloadError('token_invalid', `${issuer} did not sign this token.`);
}

/** Set off by whoever can open one, write under one or follow one, with whatever they put in it. */
const OF_STRANGERS =
  /^(?:pull_request|external_pull_request|issue|discussion|fork$|watch$|workflow_run$|merge_request_event$)/;

function jobOf(claims: JWTPayload, { match, issuer }: WorkloadSection): Job {
  const setOff = textOf(claims.event_name) ?? textOf(claims.pipeline_source) ?? '';
  const named = match.event_name ?? match.pipeline_source ?? [];
  if (OF_STRANGERS.test(setOff) && !named.includes(setOff))
    throw new WorkloadError('pull_request', `The job was set off by ${setOff}, which this workload does not name.`);
  for (const [claim, wanted] of Object.entries(match)) {
    const said = textOf(claims[claim]);
    const allowed = Array.isArray(wanted) ? wanted : [String(wanted)];
    if (said === undefined || !allowed.includes(said))
      throw new WorkloadError('no_match', `The token's ${claim} is not what this workload wants.`);
  }
  const tokenId = `${issuer} ${claims.jti}`;
  return 'project_id' in claims ? gitlabJob(claims, issuer, tokenId) : githubJob(claims, issuer, tokenId);
}

function githubJob(claims: JWTPayload, issuer: string, tokenId: string): Job {
  const [repository, run] = [idOf(claims, 'repository_id'), idOf(claims, 'run_id')];
  const attempt = idOf(claims, 'run_attempt');
  const path = textOf(claims['repository']) ?? '';
  const runUrl = /^[\w.-]+\/[\w.-]+$/.test(path) ? `${githubOf(issuer)}/${path}/actions/runs/${run}` : undefined;
  return {
    run: `github/${repository}/${run}/${attempt}`,
    runName: `run ${run}`,
    ...(runUrl === undefined ? {} : { runUrl }),
    actorId: idOf(claims, 'actor_id'),
    again: attempt !== '1',
    tokenId,
  };
}

/** Where people look at runs: on the issuer's own host, but for the one of github.com. */
function githubOf(issuer: string): string {
  const { host, origin } = new URL(issuer);
  if (host === 'token.actions.githubusercontent.com') return 'https://github.com';
  const own = /^token\.actions\.([a-z0-9-]+\.ghe\.com)$/.exec(host)?.[1];
  return own === undefined ? origin : `https://${own}`;
}

function gitlabJob(claims: JWTPayload, issuer: string, tokenId: string): Job {
  const [project, pipeline] = [idOf(claims, 'project_id'), idOf(claims, 'pipeline_id')];
  const job = idOf(claims, 'job_id');
  const path = textOf(claims['project_path']) ?? '';
  const runUrl = /^[\w./-]+$/.test(path) ? `${issuer.replace(/\/$/, '')}/${path}/-/jobs/${job}` : undefined;
  return {
    run: `gitlab/${project}/${pipeline}/${job}`,
    runName: `job ${job}`,
    ...(runUrl === undefined ? {} : { runUrl }),
    actorId: idOf(claims, 'user_id'),
    // Of a job that is done again, GitLab names whoever did that.
    again: false,
    tokenId,
  };
}

function textOf(claim: unknown): string | undefined {
  return typeof claim === 'string'
    ? claim
    : typeof claim === 'number' || typeof claim === 'boolean'
      ? String(claim)
      : undefined;
}

function idOf(claims: JWTPayload, claim: string): string {
  const id = textOf(claims[claim]);
  if (id === undefined || !/^\d{1,20}$/.test(id))
    throw new WorkloadError('token_invalid', `The token has no ${claim}.`);
  return id;
}
