/**
 * The console's own sessions: a secret in a cookie, of which only a hash is kept. A new one at each sign-in, over after
 * eight hours, or half an hour without use, or as soon as the directory has nobody active behind it.
 */
import { beginSession, endSession, holds } from '../access/decide-session.ts';
import { personActor } from '../access/decision.ts';
import type { Actor, Instant, Person, Session } from '../access/model.ts';
import { type Clock, type Ids, type People, PeopleError, type Store } from '../access/ports.ts';
import type { SignedIn, SignInKept } from '../access/sign-in.ts';

const LASTS_MS = 8 * 3_600_000;
const IDLE_MS = 30 * 60_000;
/** How long somebody may take at the issuer. */
const SIGNING_IN_S = 600;
/** In characters; what we keep there is far shorter. */
const KEPT_MAX = 3_000;
const AMR_MAX = 10;

export interface WebSession {
  readonly session: Session;
  readonly person: Person;
  /** What a form of this session carries: made from the secret, so that another site can neither read nor guess it. */
  readonly csrf: string;
}

/** `over`: what was said of why, in words for people. */
export type Met = WebSession | { readonly over: string } | undefined;

export interface SessionParts {
  readonly store: Pick<Store, 'commit' | 'session' | 'sessionBySecret' | 'sessionUsed'>;
  readonly people: Pick<People, 'identify'>;
  readonly clock: Pick<Clock, 'now'>;
  readonly ids: Pick<Ids, 'opaque' | 'hash'>;
  /** Whether browsers reach us by https only; else it is this machine. */
  readonly secure: boolean;
}

export interface WebSessions {
  /** Whoever sent the cookie. Throws `PeopleError` `unavailable` when it cannot be told who that is now. */
  met(request: Request): Promise<Met>;
  /** Whether it still holds; looking is no use of it. */
  still(web: WebSession): Promise<boolean>;
  /** Ends what the browser had, and gives it a secret that nobody has seen. Throws `PeopleError`. */
  begin(request: Request, who: Pick<Session, 'person' | 'personName'>, signedIn: SignedIn): Promise<readonly string[]>;
  /** The cookie that forgets it. */
  end(web: WebSession): Promise<string>;
  forget(): string;
  /** What a sign-in has to remember, in the browser that began it. */
  keep(kept: Kept): string;
  kept(request: Request): Kept | undefined;
  unkept(): string;
}

export interface Kept {
  readonly kept: SignInKept;
  readonly to: string;
}

export function createWebSessions({ store, people, clock, ids, secure }: SessionParts): WebSessions {
  // The prefix keeps other hosts of the domain from setting it, and from being sent it.
  const name = secure ? '__Host-hallpass' : 'hallpass';
  const signIn = `${name}-sign-in`;
  const cookie = (which: string, value: string, seconds: number) =>
    `${which}=${value}; Path=/; Max-Age=${seconds}; HttpOnly; SameSite=Lax${secure ? '; Secure' : ''}`;
  const forget = () => cookie(name, '', 0);
  const idle = ({ lastUsedAt, createdAt }: Session, now: Instant) => now - (lastUsedAt ?? createdAt) > IDLE_MS;

  async function sessionOf(
    request: Request,
  ): Promise<{ readonly session: Session; readonly secret: string } | undefined> {
    const secret = cookieOf(request, name);
    if (secret === undefined || !/^[0-9a-f]{64}$/.test(secret)) return undefined;
    const session = await store.sessionBySecret(ids.hash(secret));
    return session?.kind === 'web' ? { session, secret } : undefined;
  }

  async function close(session: Session, by: Actor, byName: string): Promise<void> {
    const changes = endSession(session, by, byName, clock.now());
    if (changes.length > 0) await store.commit({ changes });
  }

  const OURS: Actor = { kind: 'hallpass', part: 'console' };

  return {
    async met(request) {
      const found = await sessionOf(request);
      if (found === undefined) return undefined;
      const { session, secret } = found;
      const now = clock.now();
      if (!holds(session, now)) return { over: 'Your session is over.' };
      if (idle(session, now)) {
        await close(session, OURS, 'Hallpass, after half an hour without use');
        return { over: 'Your session ended after half an hour without use.' };
      }
      let person: Person;
      try {
        person = await people.identify({ session: session.id });
      } catch (error) {
        if (!(error instanceof PeopleError) || error.code === 'unavailable') throw error;
        await close(session, OURS, `Hallpass: ${error.code}`);
        return { over: error.message };
      }
      await store.sessionUsed(session.id, now);
      return { session, person, csrf: ids.hash(`form ${secret}`) };
    },

    async still({ session }) {
      const found = await store.session(session.id);
      const now = clock.now();
      return found !== undefined && holds(found, now) && !idle(found, now);
    },

    async begin(request, who, signedIn) {
      const now = clock.now();
      const before = await sessionOf(request);
      if (before !== undefined)
        await close(before.session, personActor({ id: who.person, name: who.personName }), who.personName);
      const secret = `${ids.opaque()}${ids.opaque()}`;
      const session: Session = {
        id: `S-${ids.opaque()}`,
        version: 1,
        kind: 'web',
        secretHash: ids.hash(secret),
        ...who,
        scopes: [],
        ...(signedIn.authAt === undefined ? {} : { signedInAt: signedIn.authAt }),
        ...(signedIn.acr === undefined ? {} : { acr: signedIn.acr }),
        ...(signedIn.amr.length === 0 ? {} : { amr: signedIn.amr.slice(0, AMR_MAX) }),
        createdAt: now,
        createdBy: who.personName,
        expiresAt: now + LASTS_MS,
      };
      const by = personActor({ id: who.person, name: who.personName, via: { kind: 'web', session: session.id } });
      await store.commit({ changes: beginSession(session, by, now) });
      return [cookie(name, secret, LASTS_MS / 1_000), cookie(signIn, '', 0)];
    },

    async end({ session, person }) {
      await close(session, personActor(person), person.name);
      return forget();
    },
    forget,

    keep: (kept) => cookie(signIn, encodeURIComponent(JSON.stringify(kept)), SIGNING_IN_S),
    unkept: () => cookie(signIn, '', 0),
    kept(request) {
      const text = cookieOf(request, signIn);
      if (text === undefined || text.length > KEPT_MAX) return undefined;
      try {
        const { kept, to } = JSON.parse(decodeURIComponent(text)) as Partial<Kept>;
        const whole = [kept?.state, kept?.nonce, kept?.verifier, kept?.redirectUri, to];
        if (kept === undefined || to === undefined || !whole.every((part) => typeof part === 'string'))
          return undefined;
        return { kept, to };
      } catch {
        return undefined;
      }
    },
  };
}

/** Given twice, it is nobody's: only one of them can be ours. */
function cookieOf(request: Request, name: string): string | undefined {
  const values = (request.headers.get('cookie') ?? '')
    .split(';')
    .map((part) => part.trim())
    .filter((part) => part.startsWith(`${name}=`))
    .map((part) => part.slice(name.length + 1));
  return values.length === 1 && values[0] !== '' ? values[0] : undefined;
}
