/**
 * A local Okta on loopback, for tests and for the sandbox. Stricter than Okta where Okta is not documented, so that
 * nothing comes to rely on a guess. Everything is in memory. Faults and events are set through `control`, or by another
 * process through `POST /__control`; `GET /__control/state` shows all it knows.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type ApiAnswer, answerApi, oktaError } from './okta-api.ts';
import { type OktaFault, OktaFaults } from './okta-faults.ts';
import { type OktaLag, type OktaSeedGroup, type OktaSeedRule, type OktaSeedUser, OktaState } from './okta-state.ts';
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
  | { readonly do: 'revoke-token'; readonly token?: string }
  | { readonly do: 'add-token'; readonly token: string; readonly readOnly?: boolean }
  | OktaEvent;

type OktaEvent =
  | { readonly do: 'set-status'; readonly user: string; readonly status: string }
  | { readonly do: 'delete-user'; readonly user: string }
  | { readonly do: 'delete-group'; readonly group: string }
  | { readonly do: 'add-member' | 'remove-member'; readonly group: string; readonly user: string };

export interface OktaLogEntry {
  readonly method: string;
  readonly path: string;
  /** 0: no answer was sent, or not to its end. */
  readonly status: number;
  readonly at: number;
}

export interface OktaSnapshot {
  /** Group id → member ids, as they hold, whatever reads show. */
  readonly groups: Readonly<Record<string, readonly string[]>>;
  readonly users: readonly OktaSeedUser[];
  /** Rule id → user ids on its exclusion list. */
  readonly excluded: Readonly<Record<string, readonly string[]>>;
  readonly faults: readonly OktaFault[];
  readonly log: readonly OktaLogEntry[];
  readonly counters: {
    readonly requests: number;
    readonly tokensIssued: number;
    readonly byStatus: Readonly<Record<string, number>>;
  };
}

export interface OktaServer {
  /** `http://127.0.0.1:<port>`, without a slash. */
  readonly url: string;
  control(command: OktaControl): void;
  state(): OktaSnapshot;
  /** What holds, whatever reads show. */
  isMember(groupId: string, userId: string): boolean;
  close(): Promise<void>;
}

/** The log is for looking at, not for keeping. */
const LOG_MAX = 5_000;
const REQUEST_MAX_BYTES = 1_000_000;
const DRIP_EVERY_MS = 20;

export async function startOktaServer(options: OktaServerOptions): Promise<OktaServer> {
  const now = options.now ?? Date.now;
  const state = new OktaState(options.seed, now);
  const tokens = new OktaTokens(options.seed, { now, lifeS: options.tokenLifeS ?? 3_600 });
  const faults = new OktaFaults();
  const windows = new Map<string, { endsAt: number; used: number }>();
  const byStatus: Record<string, number> = {};
  const log: OktaLogEntry[] = [];
  let budget = options.budget ?? { limit: 600, windowMs: 60_000 };
  let resetSkewMs = 0;
  let requests = 0;
  let origin = '';

  function note(method: string, path: string, status: number): void {
    requests += 1;
    byStatus[status] = (byStatus[status] ?? 0) + 1;
    log.push({ method, path, status, at: now() });
    if (log.length > LOG_MAX) log.shift();
  }

  function spend(credential: string): { over: boolean; headers: Record<string, string> } {
    let window = windows.get(credential);
    if (window === undefined || window.endsAt <= now()) {
      window = { endsAt: now() + budget.windowMs, used: 0 };
      windows.set(credential, window);
    }
    window.used += 1;
    return {
      over: window.used > budget.limit,
      headers: {
        'x-rate-limit-limit': String(budget.limit),
        'x-rate-limit-remaining': String(Math.max(0, budget.limit - window.used)),
        'x-rate-limit-reset': String(Math.ceil((window.endsAt + resetSkewMs) / 1_000)),
      },
    };
  }

  async function answer(method: string, url: URL, request: IncomingMessage, body: string, fault?: OktaFault) {
    const headers: Record<string, string> = {};
    if (fault?.kind === 'status') {
      const { status = 500 } = fault;
      return { answer: oktaError(status, ERROR_CODES[status] ?? 'E0000009'), headers: { ...fault.headers } };
    }
    if (url.pathname === '/oauth2/v1/token') {
      if (method !== 'POST') return { answer: oktaError(405, 'E0000022'), headers };
      return { answer: await tokens.issue(new URLSearchParams(body), `${origin}/oauth2/v1/token`), headers };
    }
    const caller = tokens.caller(request.headers.authorization);
    if (caller === undefined) return { answer: oktaError(401, 'E0000011'), headers };
    const spent = spend(caller.credential);
    if (spent.over) return { answer: oktaError(429, 'E0000047'), headers: spent.headers };
    const api = answerApi(state, { method, url, scopes: caller.scopes }, options.pageMax ?? 1_000);
    return { answer: api, headers: spent.headers };
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const method = request.method ?? '';
    const path = request.url ?? '/';
    const body = await textOf(request);
    const url = new URL(path, origin);
    if (url.pathname.startsWith('/__control')) {
      serveControl(method, url, request, response, body);
      return;
    }
    const fault = await faults.strike(method, path);
    const early = fault !== undefined && fault.after !== true;
    if (fault?.kind === 'down' || (early && (fault.kind === 'reset' || fault.kind === 'hang'))) {
      note(method, path, 0);
      if (fault.kind !== 'hang') request.socket.destroy();
      return;
    }
    const { answer: made, headers } = await answer(method, url, request, body, fault);
    if (fault?.kind === 'reset' || fault?.kind === 'hang') {
      note(method, path, 0);
      if (fault.kind === 'reset') request.socket.destroy();
      return;
    }
    headers['x-okta-request-id'] = `local-${requests + 1}`;
    if (fault?.kind === 'malformed') {
      note(method, path, 200);
      response.writeHead(200, { ...headers, 'content-type': 'text/html' }).end('<html><body>Please sign in');
      return;
    }
    if (fault?.kind === 'drip') {
      note(method, path, 0);
      response.writeHead(200, { ...headers, 'content-type': 'application/json' });
      const drip = setInterval(() => response.write(' '), DRIP_EVERY_MS);
      response.on('close', () => clearInterval(drip));
      return;
    }
    note(method, path, made.status);
    const said = fault?.body?.replaceAll('{{authorization}}', request.headers.authorization ?? '');
    send(response, made, url, headers, said);
  }

  function serveControl(
    method: string,
    url: URL,
    request: IncomingMessage,
    response: ServerResponse,
    body: string,
  ): void {
    const reply = (status: number, value: unknown) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
    // A web page in somebody's browser can reach loopback too: it cannot name this host, nor send JSON unasked.
    if (`http://${request.headers.host}` !== origin) reply(403, { error: `the host must be ${origin}` });
    else if (method === 'GET' && url.pathname === '/__control/state') reply(200, snapshot());
    else if (method !== 'POST' || url.pathname !== '/__control') reply(404, { error: 'no such control' });
    else if (request.headers['content-type'] !== 'application/json') reply(415, { error: 'application/json only' });
    else {
      try {
        control(JSON.parse(body) as OktaControl);
        reply(200, { ok: true });
      } catch (error) {
        reply(400, { error: error instanceof Error ? error.message : String(error) });
      }
    }
  }

  function control(command: OktaControl): void {
    if (command.do === 'fault') faults.add(command.fault);
    else if (command.do === 'lag') state.lag = { ms: command.ms ?? 0, reads: command.reads ?? 0 };
    else if (command.do === 'reset-skew') resetSkewMs = command.ms;
    else if (command.do === 'revoke-token') tokens.revoke(command.token);
    else if (command.do === 'add-token') tokens.addApiToken(command);
    else if (command.do === 'budget') {
      budget = { limit: command.limit, windowMs: command.windowMs };
      windows.clear();
    } else if (command.do === 'clear') {
      faults.clear();
      state.lag = {};
      resetSkewMs = 0;
    } else happen(state, command);
  }

  function snapshot(): OktaSnapshot {
    return {
      groups: Object.fromEntries([...state.groups].map(([id, group]) => [id, [...group.members]])),
      users: [...state.users.values()].map((user) => ({ ...user })),
      excluded: Object.fromEntries(state.rules.map((rule) => [rule.id, [...rule.excluded]])),
      faults: faults.list(),
      log: [...log],
      counters: { requests, tokensIssued: tokens.issued, byStatus: { ...byStatus } },
    };
  }

  const server = createServer((request, response) => {
    serve(request, response).catch((error: unknown) => {
      response.destroy(error instanceof Error ? error : undefined);
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port ?? 0, '127.0.0.1', resolve);
  });
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  return {
    url: origin,
    control,
    state: snapshot,
    isMember: (groupId, userId) => state.groups.get(groupId)?.members.has(userId) ?? false,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
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

function send(
  response: ServerResponse,
  made: ApiAnswer,
  url: URL,
  headers: Record<string, string>,
  body?: string,
): void {
  const links = [`<${url.href}>; rel="self"`, ...(made.next === undefined ? [] : [`<${made.next}>; rel="next"`])];
  const isList = Array.isArray(made.body);
  response.writeHead(made.status, {
    ...(isList ? { link: links } : {}),
    ...(made.body === undefined ? {} : { 'content-type': 'application/json' }),
    ...headers,
  });
  response.end(body ?? (made.body === undefined ? undefined : JSON.stringify(made.body)));
}

function known<T>(rows: ReadonlyMap<string, T>, id: string): T {
  const row = rows.get(id);
  if (row === undefined) throw new Error(`nothing here with id ${id}`);
  return row;
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.byteLength;
    if (bytes > REQUEST_MAX_BYTES) throw new Error('request too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
