/** Who calls: a credential of ours, the scope it has, and how often it calls. Everything else comes after. */
import type { MiddlewareHandler } from 'hono';
import { createMiddleware } from 'hono/factory';
import { holds } from '../access/decide-session.ts';
import type { Person, Session } from '../access/model.ts';
import { type Clock, type Ids, type Metrics, type People, PeopleError, type Store } from '../access/ports.ts';
import { createLimit, type Limit, type Taken } from './limits.ts';
import { ApiProblem, refusalProblem, tooOften, unauthorized } from './problems.ts';
import type { Scope } from './scopes.ts';

export interface Admitted {
  readonly session: Session;
  readonly person: Person;
  readonly by: { readonly session: string };
}

// A type, since hono's generics take no interface here.
export type ApiEnv = {
  Bindings: { readonly remoteAddress: string };
  Variables: { readonly caller: Admitted };
};

export interface DoorParts {
  readonly store: Pick<Store, 'sessionBySecret' | 'sessionUsed'>;
  readonly people: Pick<People, 'identify'>;
  readonly clock: Clock;
  readonly ids: Pick<Ids, 'hash'>;
  readonly metrics: Metrics;
}

export interface Door {
  /** For a route: who may pass, and how the OpenAPI document says it. Without a scope: whoever has a credential. */
  needs(scope?: Scope): {
    readonly security: { bearer: string[] }[];
    readonly middleware: MiddlewareHandler<ApiEnv>;
  };
}

const MINUTE_MS = 60_000;
/** Calls of one credential, and credentials that do not hold from one address, in a minute. */
const CALLS_MOST = 300;
const FAILED_MOST = 30;
const USED_TO_THE_MS = 60_000;

/** 256 random bits; what is longer is nothing we gave out. */
const SECRET = /^Bearer ([A-Za-z0-9_-]{20,200})$/i;

export function createDoor({ store, people, clock, ids, metrics }: DoorParts): Door {
  const calls = createLimit({ clock, most: CALLS_MOST, windowMs: MINUTE_MS });
  const failed = createLimit({ clock, most: FAILED_MOST, windowMs: MINUTE_MS });

  async function sessionOf(header: string | undefined, from: string): Promise<Session> {
    const secret = header === undefined ? undefined : SECRET.exec(header)?.[1];
    const secretHash = secret === undefined ? undefined : ids.hash(secret);
    // Whoever was let in lately is not kept out by others who guess from the same address.
    const { left, resetS } = failed.look(from);
    if (left === 0 && (secretHash === undefined || !calls.knows(secretHash))) {
      metrics.count('hallpass_api_refused_credentials_total', { why: 'too_often' });
      throw tooOften(resetS);
    }
    const session = secretHash === undefined ? undefined : await store.sessionBySecret(secretHash);
    // What a browser holds in a cookie is no bearer token.
    if (session !== undefined && session.kind !== 'web' && holds(session, clock.now())) return session;
    failed.take(from);
    metrics.count('hallpass_api_refused_credentials_total', { why: 'not_held' });
    throw unauthorized();
  }

  async function personOf(session: Session): Promise<Person> {
    try {
      return await people.identify({ session: session.id });
    } catch (error) {
      if (!(error instanceof PeopleError)) throw error;
      if (error.code === 'signed_out') throw unauthorized();
      throw refusalProblem(
        error.code === 'unavailable'
          ? { code: 'cannot_check', what: 'who you are', error: error.message }
          : { code: 'not_recognised', why: error.code, message: error.message },
        undefined,
      );
    }
  }

  function needs(scope?: Scope) {
    const middleware = createMiddleware<ApiEnv>(async (c, next) => {
      const session = await sessionOf(c.req.header('authorization'), c.env.remoteAddress);
      const taken = calls.take(session.secretHash);
      for (const [name, value] of Object.entries(limitHeaders(calls, taken))) c.header(name, value);
      if (!taken.ok) throw tooOften(taken.resetS);
      if (scope !== undefined && isLimited(session) && !session.scopes.includes(scope)) throw missing(scope);
      const person = await personOf(session);
      const now = clock.now();
      if (now - (session.lastUsedAt ?? 0) >= USED_TO_THE_MS)
        // For lists only: whoever calls is not refused because it cannot be written down.
        await store.sessionUsed(session.id, now).catch(() => undefined);
      c.set('caller', { session, person, by: { session: session.id } });
      await next();
    });
    return { security: [{ bearer: scope === undefined ? [] : [scope] }], middleware };
  }

  return { needs };
}

/** A person who is signed in may do whatever they may; what was made for a machine, only what it was made for. */
function isLimited({ kind }: Session): boolean {
  return kind === 'token' || kind === 'workload';
}

function missing(scope: Scope): ApiProblem {
  return new ApiProblem(
    {
      title: `This credential lacks the scope ${scope}.`,
      status: 403,
      detail: 'Make another token that has it: hallpass token create --scope …',
      code: 'scope_missing',
    },
    { 'www-authenticate': `Bearer realm="hallpass", error="insufficient_scope", scope="${scope}"` },
  );
}

/** As the IETF draft "RateLimit header fields for HTTP" has them. */
function limitHeaders({ most, windowMs }: Limit, { left, resetS }: Taken): Readonly<Record<string, string>> {
  return {
    'ratelimit-policy': `"session";q=${most};w=${windowMs / 1000}`,
    ratelimit: `"session";r=${left};t=${resetS}`,
  };
}
