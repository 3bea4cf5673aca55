/**
 * A local Google on loopback, for tests and for the sandbox: its token endpoint, and the parts of the Directory and the
 * Cloud Identity API that manage membership. Stricter than Google where Google is not documented, so that nothing comes to rely on a guess.
 */
import { answerDirectory, googleError } from './google-api.ts';
import { answerIdentity } from './google-identity-api.ts';
import { answerReports, type GoogleDeed, isReports } from './google-reports-api.ts';
import { type GoogleLag, type GoogleSeedGroup, type GoogleSeedUser, GoogleState } from './google-state.ts';
import { type GoogleSeedAccount, GoogleTokens } from './google-tokens.ts';
import { type Asking, type LogEntry, startLocalServer, type Told } from './local-server.ts';
import type { OktaFault as Fault } from './okta-faults.ts';

export interface GoogleSeed {
  readonly users?: readonly GoogleSeedUser[];
  readonly groups?: readonly GoogleSeedGroup[];
  readonly accounts?: readonly GoogleSeedAccount[];
}

export interface GoogleServerOptions {
  /** Default: any free one. */
  readonly port?: number;
  readonly seed: GoogleSeed;
  /** Calls per window and credential; default 2,400 a minute. */
  readonly budget?: { readonly limit: number; readonly windowMs: number };
  /** Cuts every page; default 200. */
  readonly pageMax?: number;
  /** Memberships can be made to end by themselves; default true. */
  readonly edition?: boolean;
  /** Life of an access token; default an hour. */
  readonly tokenLifeS?: number;
  readonly now?: () => number;
}

/** What happens to the local Google from outside its API. Users and groups by id. */
export type GoogleControl =
  | { readonly do: 'fault'; readonly fault: Fault }
  | { readonly do: 'clear' }
  | ({ readonly do: 'lag' } & GoogleLag)
  | { readonly do: 'budget'; readonly limit: number; readonly windowMs: number }
  /** Whether memberships can be made to end by themselves. Those that were stay so. */
  | { readonly do: 'edition'; readonly expiry: boolean }
  | { readonly do: 'revoke-tokens'; readonly accounts?: boolean }
  | GoogleEvent;

type GoogleEvent =
  /** Somebody does something that only the reports show. */
  | ({ readonly do: 'deed'; readonly user: string } & Omit<GoogleDeed, 'userId'>)
  | { readonly do: 'suspend'; readonly user: string }
  /** The old address becomes an alias, as Google does, or with `release` nobody's. */
  | { readonly do: 'rename-user'; readonly user: string; readonly email: string; readonly release?: boolean }
  | { readonly do: 'delete-user'; readonly user: string }
  | { readonly do: 'delete-group'; readonly group: string }
  | { readonly do: 'add-member' | 'remove-member'; readonly group: string; readonly user: string }
  | { readonly do: 'set-role'; readonly group: string; readonly user: string; readonly role: string };

export interface GoogleSnapshot {
  /** Group id → member ids, as they hold, whatever reads show. */
  readonly groups: Readonly<Record<string, readonly string[]>>;
  readonly users: readonly GoogleSeedUser[];
  readonly faults: readonly Fault[];
  readonly log: readonly LogEntry[];
  readonly counters: {
    readonly requests: number;
    readonly tokensIssued: number;
    readonly byStatus: Readonly<Record<string, number>>;
  };
}

export interface GoogleServer {
  /** `http://127.0.0.1:<port>`, without a slash. */
  readonly url: string;
  control(command: GoogleControl): void;
  state(): GoogleSnapshot;
  /** What holds, whatever reads show. */
  isMember(groupId: string, userId: string): boolean;
  /** When the membership ends by itself; absent where it does not. */
  expiresAt(groupId: string, userId: string): number | undefined;
  close(): Promise<void>;
}

export async function startGoogleServer(options: GoogleServerOptions): Promise<GoogleServer> {
  const now = options.now ?? Date.now;
  const state = new GoogleState(options.seed, now);
  const tokens = new GoogleTokens(options.seed.accounts ?? [], { now, lifeS: options.tokenLifeS ?? 3_600 });
  const windows = new Map<string, { readonly endsAt: number; used: number }>();
  let edition = options.edition ?? true;
  let budget = options.budget ?? { limit: 2_400, windowMs: 60_000 };

  function overBudget(credential: string): boolean {
    let window = windows.get(credential);
    if (window === undefined || window.endsAt <= now()) {
      window = { endsAt: now() + budget.windowMs, used: 0 };
      windows.set(credential, window);
    }
    window.used += 1;
    return window.used > budget.limit;
  }

  async function answer({ method, url, headers, body }: Asking): Promise<Told> {
    if (url.pathname === '/token' && method === 'POST') return await tokens.issue(new URLSearchParams(body));
    if (headers.authorization === undefined) return googleError(401, 'required');
    const caller = tokens.caller(headers.authorization);
    if (caller === undefined) return googleError(401, 'authError');
    // No headers that would tell: Google has none.
    if (overBudget(caller.credential)) return googleError(403, 'userRateLimitExceeded');
    if (url.pathname.startsWith('/v1/')) return answerIdentity(state, { method, url, body, caller }, edition);
    if (isReports(url)) return answerReports(state, { method, url, caller }, options.pageMax ?? PAGE_MAX);
    return answerDirectory(state, { method, url, body, caller }, options.pageMax ?? PAGE_MAX);
  }

  function control(command: GoogleControl): void {
    if (command.do === 'fault') server.faults.add(command.fault);
    else if (command.do === 'edition') edition = command.expiry;
    else if (command.do === 'lag') state.lag = { ms: command.ms ?? 0, reads: command.reads ?? 0 };
    else if (command.do === 'revoke-tokens') tokens.revoke(command.accounts === true);
    else if (command.do === 'budget') {
      budget = { limit: command.limit, windowMs: command.windowMs };
      windows.clear();
    } else if (command.do === 'clear') {
      server.faults.clear();
      state.lag = {};
    } else happen(state, command);
  }

  function snapshot(): GoogleSnapshot {
    return {
      groups: Object.fromEntries([...state.groups].map(([id, group]) => [id, [...state.members(group).keys()]])),
      users: [...state.users.values()].map((user) => ({ ...user })),
      faults: server.faults.list(),
      log: server.log(),
      counters: { requests: server.requests(), tokensIssued: tokens.issued, byStatus: server.byStatus() },
    };
  }

  const server = await startLocalServer({
    ...(options.port === undefined ? {} : { port: options.port }),
    now,
    answer,
    refuse: (status) => googleError(status, REASONS[status] ?? 'backendError'),
    control: (command) => control(command as GoogleControl),
    state: snapshot,
  });

  return {
    url: server.url,
    control,
    state: snapshot,
    isMember: (groupId, userId) => {
      const group = state.groups.get(groupId);
      return group !== undefined && state.members(group).has(userId);
    },
    expiresAt: (groupId, userId) => {
      const group = state.groups.get(groupId);
      return group === undefined ? undefined : state.members(group).get(userId)?.expiresAt;
    },
    close: server.close,
  };
}

const PAGE_MAX = 200;

const REASONS: Readonly<Record<number, string>> = {
  400: 'invalid',
  401: 'authError',
  403: 'forbidden',
  404: 'notFound',
  409: 'conflict',
  412: 'conditionNotMet',
  429: 'rateLimitExceeded',
};

/** What somebody does in Google's own console. */
function happen(state: GoogleState, event: GoogleEvent): void {
  switch (event.do) {
    case 'deed': {
      const { do: _do, user, ...deed } = event;
      state.deeds.push({ ...deed, userId: known(state.users, user).id });
      break;
    }
    case 'suspend':
      known(state.users, event.user).suspended = true;
      break;
    case 'rename-user': {
      const user = known(state.users, event.user);
      if (event.release !== true) user.aliases = [...user.aliases, user.email];
      user.email = event.email;
      break;
    }
    case 'delete-user':
      known(state.users, event.user);
      for (const group of state.groups.values()) group.members.delete(event.user);
      state.users.delete(event.user);
      break;
    case 'delete-group':
      known(state.groups, event.group);
      state.groups.delete(event.group);
      break;
    case 'add-member':
      state.put(known(state.groups, event.group), { id: known(state.users, event.user).id, role: 'MEMBER' });
      break;
    case 'remove-member':
      state.remove(known(state.groups, event.group), known(state.users, event.user).id);
      break;
    case 'set-role':
      state.put(known(state.groups, event.group), { id: known(state.users, event.user).id, role: event.role });
      break;
    default:
      throw new Error(`no such control: ${JSON.stringify((event as { do?: unknown }).do)}`);
  }
}

function known<T>(rows: ReadonlyMap<string, T>, id: string): T {
  const row = rows.get(id);
  if (row === undefined) throw new Error(`nothing here with id ${id}`);
  return row;
}
