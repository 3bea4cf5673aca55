/** What the tests of this room share: views, a clock, a desk, and a Slack Web API of a few lines. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Answer } from '../../src/access/command.ts';
import type { Clock, Desk, HandedIn, Metrics } from '../../src/access/ports.ts';
import type { RequestView } from '../../src/access/view.ts';
import type { Log } from '../../src/chat/slack/log.ts';
import { sign } from '../../src/chat/slack/signature.ts';

export const SECRET = 'shhh-signing';
export const NOW = Date.UTC(2026, 10, 23, 13, 32);

export const clock: Clock = { now: () => NOW, monotonic: () => performance.now() };
export const metrics: Metrics = { count: () => {}, observe: () => {} };
export const quiet: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

export function requestView(more: Partial<RequestView> = {}): RequestView {
  return {
    id: 'R-7KQ2',
    state: 'pending',
    requesterName: 'Ana Torres',
    entitlement: 'db-prod:read',
    resource: 'db-prod',
    role: 'read',
    title: 'Orders database',
    groups: [{ directory: 'okta', group: 'prod-db-read' }],
    durationMs: 30 * 60_000,
    reason: 'fix stuck migration',
    policyName: 'standard',
    approvalsNeeded: 2,
    approvals: [{ name: 'Ben Okafor', at: NOW }],
    createdAt: NOW,
    lapsesAt: NOW + 3_600_000,
    cardId: 'card-0123456789abcdef',
    headline: 'Waiting for 1 more approval until 15:32 CET.',
    severity: 'waiting',
    zone: 'Europe/Berlin',
    at: NOW,
    can: { answer: true, cancel: true, extend: false, return: false },
    ...more,
  };
}

export function signed(body: string, seconds: number, contentType = 'application/x-www-form-urlencoded') {
  return {
    'content-type': contentType,
    'x-slack-request-timestamp': String(seconds),
    'x-slack-signature': sign(SECRET, String(seconds), Buffer.from(body)),
  };
}

export function slashBody(text: string, more: Record<string, string> = {}): string {
  return new URLSearchParams({
    token: 'x',
    team_id: 'T1',
    user_id: 'U1',
    user_name: 'mallory',
    command: '/access',
    text,
    api_app_id: 'A1',
    is_enterprise_install: 'false',
    trigger_id: '1.2.abc',
    ...more,
  }).toString();
}

export function payloadBody(payload: object): string {
  return new URLSearchParams({ payload: JSON.stringify(payload) }).toString();
}

export function clickPayload(action: string, value: string | undefined, more: Record<string, unknown> = {}): object {
  return {
    type: 'block_actions',
    api_app_id: 'A1',
    team: { id: 'T1', domain: 'acme' },
    user: { id: 'U1', team_id: 'T1', name: 'mallory' },
    container: { type: 'message', message_ts: '1.1', channel_id: 'C1' },
    trigger_id: '1.2.abc',
    actions: [{ type: 'button', action_id: action, block_id: 'b', ...(value === undefined ? {} : { value }) }],
    ...more,
  };
}

export function denyPayload(card: string, reason: string | null, more: Record<string, unknown> = {}): object {
  return {
    type: 'view_submission',
    api_app_id: 'A1',
    team: { id: 'T1', domain: 'acme' },
    user: { id: 'U1', team_id: 'T1', name: 'mallory' },
    view: {
      id: 'V1',
      type: 'modal',
      callback_id: 'hallpass:deny',
      private_metadata: card,
      state: { values: { reason: { reason: { type: 'plain_text_input', value: reason } } } },
    },
    ...more,
  };
}

/** A desk that answers as told and remembers what it was given. */
export function fakeDesk(
  take: (incoming: HandedIn) => ReturnType<Desk['take']> = async () => answered({ say: 'help' }),
): Desk & { readonly taken: HandedIn[] } {
  const taken: HandedIn[] = [];
  return {
    taken,
    take: (incoming) => {
      taken.push(incoming);
      return take(incoming);
    },
  };
}

export function answered(answer: Answer): { fresh: boolean; answer: Promise<Answer> } {
  return { fresh: true, answer: Promise.resolve(answer) };
}

export interface ApiCall {
  readonly method: string;
  readonly args: Record<string, unknown>;
  readonly headers: NodeJS.Dict<string | string[]>;
}

/** What one Web API call is answered with; a number is an HTTP status, `hang` never answers. */
export type ApiAnswer =
  | object
  | { readonly http: number; readonly headers?: Record<string, string> }
  | 'hang'
  | 'reset';

export interface FakeApi {
  readonly url: string;
  readonly calls: ApiCall[];
  answer: Record<string, (args: Record<string, unknown>) => ApiAnswer>;
  /** Resolves with the first call of that method that the test accepts, made already or to come. */
  called(method: string, accept?: (call: ApiCall) => boolean): Promise<ApiCall>;
  close(): Promise<void>;
}

export async function startFakeApi(): Promise<FakeApi> {
  const calls: ApiCall[] = [];
  let waiting: (() => void)[] = [];
  const server: Server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const method = (request.url ?? '').replace(/^\/(api\/)?/, '');
      const raw = Buffer.concat(chunks).toString();
      const isJson = String(request.headers['content-type']).startsWith('application/json');
      const args = isJson ? (JSON.parse(raw) as Record<string, unknown>) : unfold(raw);
      calls.push({ method, args, headers: request.headers });
      const answer = api.answer[method]?.(args) ?? { ok: true };
      for (const wake of waiting.splice(0)) wake();
      if (answer === 'hang') return;
      if (answer === 'reset') return void request.socket.destroy();
      const fields = answer as Record<string, unknown>;
      const status = typeof fields.http === 'number' ? fields.http : 200;
      response.writeHead(status, { 'content-type': 'application/json', ...(fields.headers as object | undefined) });
      response.end(JSON.stringify(answer));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const api: FakeApi = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/`,
    calls,
    answer: {
      'auth.test': () => ({ ok: true, team_id: 'T1', team: 'Acme', user_id: 'UBOT', bot_id: 'B1', app_id: 'A1' }),
      'chat.postMessage': (args) => ({ ok: true, channel: String(args.channel).replace(/^U/, 'D'), ts: '17.1' }),
      'conversations.info': () => ({ ok: true, channel: { id: 'C1', name: 'approvals', is_member: true } }),
    },
    called: async (method, accept = () => true) => {
      for (;;) {
        const found = calls.find((call) => call.method === method && accept(call));
        if (found !== undefined) return found;
        await new Promise<void>((resolve) => waiting.push(resolve));
      }
    },
    close: () =>
      new Promise((resolve) => {
        waiting = [];
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
  return api;
}

function unfold(raw: string): Record<string, unknown> {
  return Object.fromEntries(
    [...new URLSearchParams(raw)].map(([key, value]) => [key, /^[[{]/.test(value) ? JSON.parse(value) : value]),
  );
}
