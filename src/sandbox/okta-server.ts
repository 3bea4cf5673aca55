/**
 * A local Okta on loopback, for tests and for the sandbox. Stricter than Okta where Okta is not documented, so that
 * nothing comes to rely on a guess. Everything is in memory. Faults and events are set through `control`, or by another
 * process through `POST /__control`; `GET /__control/state` shows all it knows.
 */
import { type Asking, type LogEntry, startLocalServer, type Told } from './local-server.ts';
import { type ApiAnswer, answerApi, oktaError } from './okta-api.ts';
import type { OktaFault } from './okta-faults.ts';
import {
  type OktaDeed,
  type OktaLag,
  type OktaSeedGroup,
  type OktaSeedRule,
  type OktaSeedUser,
  OktaState,
} from './okta-state.ts';
import { type OktaSeedClient, type OktaSeedToken, OktaTokens } from './okta-tokens.ts';

export interface OktaSeed {
  readonly users?: readonly OktaSeedUser[];
  readonly groups?: readonly OktaSeedGroup[];
  readonly rules?: readonly OktaSeedRule[];
  readonly tokens?: readonly OktaSeedToken[];
  readonly clients?: readonly OktaSeedClient[];
}

export interface OktaServerOptions {
  /** Default: any free one. */
  readonly port?: number;
  readonly seed: OktaSeed;
  /** Calls per window and credential; default 600 a minute. */
  readonly budget?: { readonly limit: number; readonly windowMs: number };
  /** Cuts every page; default 1000. */
  readonly pageMax?: number;
  /** Life of a bearer token; default an hour. */
  readonly tokenLifeS?: number;
  readonly now?: () => number;
}

/** What happens to the local Okta from outside its API. Users and groups by id. */
export type OktaControl =
  | { readonly do: 'fault'; readonly fault: OktaFault }
  | { readonly do: 'clear' }
  | ({ readonly do: 'lag' } & OktaLag)
  | { readonly do: 'reset-skew'; readonly ms: number }
  | { readonly do: 'budget'; readonly limit: number; readonly windowMs: number }
  /** Another program spends from the budget of this credential. */
  | { readonly do: 'spend'; readonly credential: string; readonly calls: number }
  | { readonly do: 'revoke-token'; readonly token?: string }
  | { readonly do: 'add-token'; readonly token: string; readonly readOnly?: boolean }
  | OktaEvent;

type OktaEvent =
  | { readonly do: 'set-status'; readonly user: string; readonly status: string }
  | { readonly do: 'delete-user'; readonly user: string }
  | { readonly do: 'add-user'; readonly user: OktaSeedUser }
  /** Somebody does something that only the System Log shows. */
  | ({ readonly do: 'deed'; readonly user: string } & Partial<Omit<OktaDeed, 'userId' | 'login'>> &
      Pick<OktaDeed, 'eventType'>)
  | { readonly do: 'rename-user'; readonly user: string; readonly login: string; readonly email: string }
  | { readonly do: 'add-group'; readonly group: OktaSeedGroup }
  | { readonly do: 'delete-group'; readonly group: string }
  | { readonly do: 'add-member' | 'remove-member'; readonly group: string; readonly user: string };

export type OktaLogEntry = LogEntry;

export interface OktaSnapshot {
  /** Group id → member ids, as they hold, whatever reads show. */
  readonly groups: Readonly<Record<string, readonly string[]>>;
  readonly users: readonly OktaSeedUser[];
  /** Rule id → user ids on its exclusion list. */
  readonly excluded: Readonly<Record<string, readonly string[]>>;
  readonly faults: readonly OktaFault[];
  readonly log: readonly OktaLogEntry[];
  /** Every window of a budget so far, by credential, oldest first. */
  readonly windows: readonly OktaWindow[];
  readonly counters: {
    readonly requests: number;
    readonly tokensIssued: number;
    readonly byStatus: Readonly<Record<string, number>>;
  };
}

export interface OktaWindow {
  readonly credential: string;
  readonly limit: number;
  readonly opensAt: number;
  readonly endsAt: number;
  /** Calls that were let through, and of those the ones of `spend`. */
  readonly used: number;
  readonly spent: number;
}

export interface OktaServer {
  /** `http://127.0.0.1:<port>`, without a slash. */
  readonly url: string;
  control(command: OktaControl): void;
  state(): OktaSnapshot;
  /** What holds, whatever reads show. */
  isMember(groupId: string, userId: string): boolean;
  /** How often all sessions of the person were ended. */
  signedOut(userId: string): number;
  close(): Promise<void>;
}

const WINDOWS_MAX = 1_000;

export async function startOktaServer(options: OktaServerOptions): Promise<OktaServer> {
  const now = options.now ?? Date.now;
  const state = new OktaState(options.seed, now);
  const tokens = new OktaTokens(options.seed, { now, lifeS: options.tokenLifeS ?? 3_600 });
  const windows: { -readonly [K in keyof OktaWindow]: OktaWindow[K] }[] = [];
  let budget = options.budget ?? { limit: 600, windowMs: 60_000 };
  let resetSkewMs = 0;

  /** Windows end on whole seconds, which is all that the header can tell. */
  function windowOf(credential: string) {
    const open = windows.findLast((one) => one.credential === credential);
    if (open !== undefined && open.endsAt > now()) return open;
    const endsAt = Math.ceil((now() + budget.windowMs) / 1_000) * 1_000;
    const made = { credential, limit: budget.limit, opensAt: now(), endsAt, used: 0, spent: 0 };
    windows.push(made);
    if (windows.length > WINDOWS_MAX) windows.shift();
    return made;
  }

  function spend(credential: string): { over: boolean; headers: Record<string, string> } {
    const window = windowOf(credential);
    const over = window.used >= window.limit;
    if (!over) window.used += 1;
    return {
      over,
      headers: {
        'x-rate-limit-limit': String(window.limit),
        'x-rate-limit-remaining': String(window.limit - window.used),
        'x-rate-limit-reset': String(Math.ceil((window.endsAt + resetSkewMs) / 1_000)),
      },
    };
  }

  async function answer(asking: Asking): Promise<Told> {
    const { method, url } = asking;
    const proof = asking.headers.dpop === undefined ? undefined : String(asking.headers.dpop);
    const headers = { 'x-okta-request-id': `local-${asking.number + 1}` };
    const tell = (made: ApiAnswer, more: Record<string, string> = {}) => told(made, url, { ...headers, ...more });
    if (url.pathname === '/oauth2/v1/token') {
      if (method !== 'POST') return tell(oktaError(405, 'E0000022'));
      const given = await tokens.issue(new URLSearchParams(asking.body), `${url.origin}/oauth2/v1/token`, proof);
      return tell(given, given.nonce === undefined ? {} : { 'dpop-nonce': given.nonce });
    }
    const caller = await tokens.caller({
      authorization: asking.headers.authorization,
      proof,
      method,
      url: `${url.origin}${url.pathname}`,
    });
    if (caller === undefined) return tell(oktaError(401, 'E0000011'));
    const spent = spend(caller.credential);
    if (spent.over) return tell(oktaError(429, 'E0000047'), spent.headers);
    return tell(
      answerApi(state, { method, url, scopes: caller.scopes, actor: caller.actor }, options.pageMax ?? 1_000),
      spent.headers,
    );
  }

  function control(command: OktaControl): void {
    if (command.do === 'fault') server.faults.add(command.fault);
    else if (command.do === 'lag') state.lag = { ms: command.ms ?? 0, reads: command.reads ?? 0 };
    else if (command.do === 'reset-skew') resetSkewMs = command.ms;
    else if (command.do === 'revoke-token') tokens.revoke(command.token);
    else if (command.do === 'add-token') tokens.addApiToken(command);
    else if (command.do === 'budget') {
      budget = { limit: command.limit, windowMs: command.windowMs };
      windows.length = 0;
    } else if (command.do === 'spend') {
      const window = windowOf(command.credential);
      const calls = Math.min(command.calls, window.limit - window.used);
      window.used += calls;
      window.spent += calls;
    } else if (command.do === 'clear') {
      server.faults.clear();
      state.lag = {};
      resetSkewMs = 0;
    } else happen(state, command);
  }

  function snapshot(): OktaSnapshot {
    return {
      groups: Object.fromEntries([...state.groups].map(([id, group]) => [id, [...group.members]])),
      users: [...state.users.values()].map((user) => ({ ...user })),
      excluded: Object.fromEntries(state.rules.map((rule) => [rule.id, [...rule.excluded]])),
      faults: server.faults.list(),
      log: server.log(),
      windows: windows.map((window) => ({ ...window })),
      counters: { requests: server.requests(), tokensIssued: tokens.issued, byStatus: server.byStatus() },
    };
  }

  const server = await startLocalServer({
    ...(options.port === undefined ? {} : { port: options.port }),
    now,
    answer,
    refuse: (status) => oktaError(status, ERROR_CODES[status] ?? 'E0000009'),
    control: (command) => control(command as OktaControl),
    state: snapshot,
  });

  return {
    url: server.url,
    control,
    state: snapshot,
    isMember: (groupId, userId) => state.groups.get(groupId)?.members.has(userId) ?? false,
    signedOut: (userId) => state.signedOut.get(userId) ?? 0,
    close: server.close,
  };
}

/** What somebody does in Okta's own console. */
function happen(state: OktaState, event: OktaEvent): void {
  switch (event.do) {
    case 'set-status':
      state.setStatus(known(state.users, event.user), event.status);
      break;
    case 'delete-user':
      known(state.users, event.user);
      for (const group of state.groups.values()) group.members.delete(event.user);
      state.users.delete(event.user);
      break;
    case 'add-user':
      state.addUser(event.user);
      break;
    case 'deed': {
      const { do: _do, user, ...told } = event;
      state.deed(known(state.users, user), told);
      break;
    }
    case 'rename-user':
      state.users.set(event.user, { ...known(state.users, event.user), login: event.login, email: event.email });
      break;
    case 'add-group':
      state.addGroup(event.group);
      break;
    case 'delete-group':
      known(state.groups, event.group);
      state.groups.delete(event.group);
      break;
    case 'add-member':
      state.add(known(state.groups, event.group), known(state.users, event.user).id);
      break;
    case 'remove-member':
      state.remove(known(state.groups, event.group), known(state.users, event.user).id);
      break;
    default:
      throw new Error(`no such control: ${JSON.stringify((event as { do?: unknown }).do)}`);
  }
}

const ERROR_CODES: Readonly<Record<number, string>> = {
  400: 'E0000001',
  401: 'E0000011',
  403: 'E0000006',
  404: 'E0000007',
  429: 'E0000047',
};

function told(made: ApiAnswer, url: URL, headers: Readonly<Record<string, string>>): Told {
  if (!Array.isArray(made.body)) return { ...made, headers };
  const links = [`<${url.href}>; rel="self"`, ...(made.next === undefined ? [] : [`<${made.next}>; rel="next"`])];
  return { ...made, headers: { ...headers, link: links } };
}

function known<T>(rows: ReadonlyMap<string, T>, id: string): T {
  const row = rows.get(id);
  if (row === undefined) throw new Error(`nothing here with id ${id}`);
  return row;
}
