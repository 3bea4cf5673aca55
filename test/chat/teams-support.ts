/**
 * What the tests of this room share: a Bot Framework connector of a few lines, and an issuer of tokens whose keys the
 * bot fetches, as it fetches Microsoft's.
 */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import type { Place, PlaceStore } from '../../src/access/ports.ts';
import { createTeams, type TeamsOptions } from '../../src/chat/teams/app.ts';
import type { Teams } from '../../src/chat/teams/bot.ts';
import { answered, clock, fakeDesk, metrics, quiet, requestView } from './slack-support.ts';

export const APP_ID = '5a5a5a5a-0000-4000-8000-00000000000b';
export const TENANT = '5a5a5a5a-0000-4000-8000-000000000001';
export const OTHER_TENANT = '5a5a5a5a-0000-4000-8000-000000000002';
export const ANA = '5a5a5a5a-0000-4000-8000-0000000000a1';
export const BEN = '5a5a5a5a-0000-4000-8000-0000000000b1';
export const CHANNEL = '19:approvals@thread.tacv2';

export interface Call {
  readonly method: string;
  readonly path: string;
  // biome-ignore lint/suspicious/noExplicitAny: a body is looked into as a test likes.
  readonly body: any;
  readonly authorization: string | undefined;
}

export interface Answer {
  readonly status?: number;
  readonly headers?: Record<string, string>;
  readonly body?: unknown;
}

/** `hang`: never answers. */
export type Respond = (call: Call) => Answer | 'hang' | undefined;

export interface Connector {
  readonly url: string;
  readonly calls: Call[];
  /** Asked first; what it leaves undefined is answered as Teams would. */
  respond: Respond;
  member(id: string): object;
  close(): Promise<void>;
}

export const member = (name: string, object: string, more: object = {}) => ({
  id: `29:${name}`,
  aadObjectId: object,
  name: name === 'ana' ? 'Ana Sousa' : 'Ben Okafor',
  userPrincipalName: `${name}@example.com`,
  tenantId: TENANT,
  userRole: 'user',
  ...more,
});

export async function startConnector(): Promise<Connector> {
  const members = [member('ana', ANA), member('ben', BEN)];
  let ids = 0;
  const connector: Omit<Connector, 'url' | 'close'> = {
    calls: [],
    respond: () => undefined,
    member: (id) => members.find((one) => one.id === id) ?? {},
  };
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const text = Buffer.concat(chunks).toString();
      const path = decodeURIComponent(new URL(request.url ?? '', 'http://x').pathname);
      const call: Call = {
        method: request.method ?? '',
        path,
        body: text === '' ? undefined : JSON.parse(text),
        authorization: request.headers.authorization,
      };
      connector.calls.push(call);
      const own = connector.respond(call);
      if (own === 'hang') return;
      const answer = own ?? usual(call);
      response.writeHead(answer.status ?? 200, { 'content-type': 'application/json', ...answer.headers });
      response.end(answer.body === undefined ? '' : JSON.stringify(answer.body));
    });
  });
  function usual({ method, path, body }: Call): Answer {
    const id = `m${++ids}`;
    if (method === 'POST' && path === '/v3/conversations')
      return body.isGroup === true
        ? { status: 201, body: { id: `${body.channelData.channel.id};messageid=${id}`, activityId: id } }
        : { status: 201, body: { id: `a:${body.members[0].id}` } };
    if (path.endsWith('/pagedmembers')) return { body: { members } };
    const asked = /\/members\/(.+)$/.exec(path)?.[1];
    if (asked !== undefined) {
      const found = members.find((one) => [one.id, one.aadObjectId, one.userPrincipalName].includes(asked));
      return found === undefined
        ? { status: 404, body: { error: { code: 'MemberNotFoundInConversation' } } }
        : { body: found };
    }
    return { status: method === 'POST' ? 201 : 200, body: { id } };
  }
  const url = await listen(server);
  return Object.assign(connector, { url, close: () => closed(server) });
}

export interface Issuer {
  readonly metadataUrl: string;
  readonly requests: { readonly method: string; readonly path: string }[];
  /** An `Authorization` header. `key`: signed by somebody else than the published one. */
  token(claims?: Record<string, unknown>, more?: { readonly key?: 'other'; readonly kid?: string }): Promise<string>;
  close(): Promise<void>;
}

export async function startIssuer(): Promise<Issuer> {
  const [ours, other] = await Promise.all([generateKeyPair('RS256'), generateKeyPair('RS256')]);
  const jwk = { ...(await exportJWK(ours.publicKey)), kid: 'k1', use: 'sig', endorsements: ['msteams'] };
  const requests: Issuer['requests'] = [];
  const server = createServer((request, response) => {
    requests.push({ method: request.method ?? '', path: request.url ?? '' });
    const { port } = server.address() as AddressInfo;
    response.setHeader('content-type', 'application/json');
    response.end(
      JSON.stringify(request.url === '/keys' ? { keys: [jwk] } : { jwks_uri: `http://127.0.0.1:${port}/keys` }),
    );
  });
  const url = await listen(server);
  return {
    metadataUrl: `${url}/openid`,
    requests,
    async token(claims = {}, { key, kid = 'k1' } = {}) {
      const now = Math.floor(Date.now() / 1000);
      const payload = { iss: 'https://api.botframework.com', aud: APP_ID, nbf: now - 60, exp: now + 600, ...claims };
      const signed = new SignJWT(payload).setProtectedHeader({ alg: 'RS256', kid, typ: 'JWT' });
      return `Bearer ${await signed.sign(key === 'other' ? other.privateKey : ours.privateKey)}`;
    },
    close: () => closed(server),
  };
}

export function memoryPlaces(): PlaceStore & { readonly rows: Map<string, Place> } {
  const rows = new Map<string, Place>();
  return {
    rows,
    place: async (id) => rows.get(id),
    putPlace: async (place) => {
      rows.set(place.id, place);
    },
  };
}

export interface BenchOptions extends Partial<TeamsOptions> {
  readonly connector: Connector;
  readonly issuer?: Issuer;
}

export function startTeams({ connector: _connector, issuer, ...more }: BenchOptions) {
  const desk = fakeDesk();
  const store = memoryPlaces();
  const teams = createTeams({
    ...(issuer === undefined
      ? {}
      : {
          identity: { appId: APP_ID, type: 'SingleTenant', tenant: TENANT, password: 'not used' },
          trust: { metadataUrl: issuer.metadataUrl },
        }),
    tenants: [TENANT],
    approvalsChannel: CHANNEL,
    store,
    desk,
    questions: {
      choices: async () => [{ resource: 'db-prod', title: 'Orders database' }],
      form: async (_by, { duration = '', reason = '' }) => ({ zone: 'UTC', duration, reason }),
      again: async () => undefined,
      stamp: () => undefined,
      home: async () => ({ zone: 'UTC', at: 0, held: none, waiting: none, choices: none, recent: none }),
    },
    look: async () => ({ say: 'card', request: requestView() }),
    clock,
    metrics,
    logger: quiet,
    zone: () => 'UTC',
    ...more,
  });
  return { teams, desk, store };
}

const none = { items: [], more: false };

export { answered, clock, fakeDesk, metrics, quiet, requestView };

let activities = 0;

/** A message typed in personal chat, as Teams posts it. */
export function typed(serviceUrl: string, text: string, more: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    type: 'message',
    id: `act-${++activities}`,
    channelId: 'msteams',
    serviceUrl,
    text,
    from: { id: '29:ana', name: 'Ana Sousa', aadObjectId: ANA },
    recipient: { id: `28:${APP_ID}`, name: 'Hallpass' },
    conversation: { id: 'a:ana', conversationType: 'personal', tenantId: TENANT },
    channelData: { tenant: { id: TENANT } },
    localTimezone: 'Europe/Berlin',
    ...more,
  };
}

export function inChannel(serviceUrl: string, text: string, more: Record<string, unknown> = {}) {
  return typed(serviceUrl, text, {
    conversation: { id: `${CHANNEL};messageid=1`, conversationType: 'channel', tenantId: TENANT },
    entities: [{ type: 'mention', text: '<at>Hallpass</at>', mentioned: { id: `28:${APP_ID}`, name: 'Hallpass' } }],
    ...more,
  });
}

export function invoked(serviceUrl: string, name: string, value: unknown, more: Record<string, unknown> = {}) {
  return typed(serviceUrl, '', { type: 'invoke', name, value, text: undefined, ...more });
}

export function pressed(serviceUrl: string, data: object, more: Record<string, unknown> = {}) {
  const action = { type: 'Action.Execute', verb: 'hallpass', data };
  return invoked(serviceUrl, 'adaptiveCard/action', { action, trigger: 'manual' }, more);
}

export async function deliver(teams: Teams, activity: unknown, authorization?: string) {
  const route = teams.routes[0];
  if (route === undefined) throw new Error('no route');
  const body = Buffer.from(typeof activity === 'string' ? activity : JSON.stringify(activity));
  const reply = await route.handle({
    headers: authorization === undefined ? {} : { authorization: [authorization] },
    body,
  });
  return { ...reply, json: reply.body === undefined ? undefined : JSON.parse(reply.body) };
}

async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function closed(server: Server): Promise<void> {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
}
