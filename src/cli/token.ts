/** `hallpass token`: credentials for programs. The secret is said once, and only its hash is kept. */
import { randomBytes } from 'node:crypto';
import { beginSession, endSession, holds } from '../access/decide-session.ts';
import { cleanName } from '../access/grammar.ts';
import type { Actor, Change, Session } from '../access/model.ts';
import { type Clock, StaleStateError, type Store } from '../access/ports.ts';
import { cut, timeText } from '../access/words.ts';
import { isScope, SCOPES, type Scope } from '../api/scopes.ts';
import type { Settings } from '../config.ts';
import { randomIds } from '../ids.ts';
import { openDirectories } from '../main/opening.ts';
import { createMetrics } from '../metrics.ts';
import { hostPeople, opened } from './host.ts';
import { EXIT, type Out } from './out.ts';

export interface TokenOrder {
  /** Email of a person in the identity directory. */
  readonly for: string;
  readonly scopes: readonly string[];
  readonly expiresInMs: number;
  readonly label?: string;
  readonly operator: string;
}

const DAY_MS = 86_400_000;
/** Longer than a year nobody remembers what it was for. */
const EXPIRES_MAX_MS = 366 * DAY_MS;
/** The words that leaked secrets are searched for. */
const SECRET_PREFIX = 'hallpass_';
const ATTEMPTS_MAX = 5;
const LISTED_MAX = 500;
const LABEL_MAX = 80;

export async function createTokenCommand(io: Out, settings: Settings, order: TokenOrder): Promise<number> {
  const no = (error: string): number => {
    io.say({ ok: false, error }, error);
    return EXIT.failed;
  };
  const scopes: Scope[] = [];
  for (const scope of order.scopes) {
    if (!isScope(scope))
      return no(`There is no scope "${cut(scope, 40)}". There are: ${Object.keys(SCOPES).join(', ')}.`);
    if (!scopes.includes(scope)) scopes.push(scope);
  }
  if (order.expiresInMs > EXPIRES_MAX_MS) return no('A token lasts at most 366d. Make a new one before it is over.');
  const { store, clock } = await opened(settings);
  try {
    const people = hostPeople(settings, openDirectories(settings, clock, createMetrics()));
    const person = await people.named(order.for);
    if (person === undefined)
      return no(`The directory "${settings.identityDirectory}" has nobody with the login ${order.for}.`);
    if (!person.active) return no(`${order.for} is deactivated in the directory "${settings.identityDirectory}".`);
    const secret = `${SECRET_PREFIX}${randomBytes(32).toString('base64url')}`;
    const label = cut(cleanName(order.label ?? ''), LABEL_MAX);
    const session = await begun(store, clock, order.operator, {
      secretHash: randomIds().hash(secret),
      person: person.id,
      personName: person.name,
      scopes,
      expiresAt: clock.now() + order.expiresInMs,
      ...(label === '' ? {} : { label }),
    });
    const { id, expiresAt } = session;
    const zone = settings.catalog.timezone;
    io.say({ ok: true, id, secret, for: person.email, scopes, expiresAt: new Date(expiresAt).toISOString() }, [
      `${id} acts for ${person.name} (${person.email}) until ${timeText(expiresAt, clock.now(), zone)}. It never approves.`,
      'This is its secret. It is not kept here, and not said again:',
      '',
      secret,
      '',
      `End it with: hallpass token revoke ${id}`,
    ]);
    return EXIT.done;
  } finally {
    await store.close();
  }
}

/** Under an id that nobody has yet. */
async function begun(
  store: Pick<Store, 'commit'>,
  clock: Clock,
  operator: string,
  of: Pick<Session, 'secretHash' | 'person' | 'personName' | 'scopes' | 'expiresAt' | 'label'>,
): Promise<Session> {
  const ids = randomIds();
  for (let attempt = 1; ; attempt++) {
    const now = clock.now();
    const session: Session = {
      ...of,
      id: `T-${ids.short(attempt)}`,
      version: 1,
      kind: 'token',
      createdAt: now,
      createdBy: `${operator} on the host`,
    };
    try {
      await store.commit({ changes: beginSession(session, { kind: 'operator', name: operator }, now) });
      return session;
    } catch (error) {
      if (!(error instanceof StaleStateError) || attempt === ATTEMPTS_MAX) throw error;
    }
  }
}

export async function listTokensCommand(io: Out, settings: Settings): Promise<number> {
  const { store, clock } = await opened(settings);
  try {
    const tokens = await store.sessions({ kind: 'token', limit: LISTED_MAX });
    const now = clock.now();
    const at = (instant: number | undefined) =>
      instant === undefined ? undefined : timeText(instant, now, settings.catalog.timezone);
    const shown = tokens.map((token) => ({
      id: token.id,
      for: token.personName,
      scopes: token.scopes,
      state: token.endedAt !== undefined ? 'revoked' : holds(token, now) ? 'live' : 'expired',
      createdAt: new Date(token.createdAt).toISOString(),
      createdBy: token.createdBy,
      expiresAt: new Date(token.expiresAt).toISOString(),
      ...(token.label === undefined ? {} : { label: token.label }),
      ...(token.lastUsedAt === undefined ? {} : { lastUsedAt: new Date(token.lastUsedAt).toISOString() }),
    }));
    const lines = tokens.map((token, index) =>
      [
        `${token.id}  ${shown[index]?.state}`,
        `for ${token.personName}${token.label === undefined ? '' : ` (${token.label})`}`,
        token.scopes.join(' ') || 'no scope',
        token.endedAt === undefined
          ? `${now < token.expiresAt ? 'until' : 'ended'} ${at(token.expiresAt)}`
          : `ended ${at(token.endedAt)} by ${token.endedBy ?? ''}`,
        token.lastUsedAt === undefined ? 'never used' : `last used ${at(token.lastUsedAt)}`,
      ].join(', '),
    );
    io.say({ ok: true, tokens: shown }, lines.length === 0 ? 'There are no tokens.' : lines);
    return EXIT.done;
  } finally {
    await store.close();
  }
}

export async function revokeTokenCommand(
  io: Out,
  settings: Settings,
  { id, operator }: { readonly id: string; readonly operator: string },
): Promise<number> {
  const { store, clock } = await opened(settings);
  try {
    // Of a session its id as the trail has it; that of a token in whatever letters it was read out.
    const token = (await store.session(id)) ?? (await store.session(id.toUpperCase()));
    if (token === undefined) {
      const error = `There is no token ${cut(id, 40)}. See them with: hallpass token list`;
      io.say({ ok: false, error }, error);
      return EXIT.failed;
    }
    const actor: Actor = { kind: 'operator', name: operator };
    const changes: readonly Change[] = endSession(token, actor, `${operator} on the host`, clock.now());
    if (changes.length > 0) await store.commit({ changes });
    io.say(
      { ok: true, id: token.id, was: changes.length > 0 ? 'live' : 'over' },
      changes.length > 0
        ? `Ended: ${token.id}, for ${token.personName}. What it asked for stands; end that with hallpass revoke.`
        : `${token.id} was over already.`,
    );
    return EXIT.done;
  } finally {
    await store.close();
  }
}
