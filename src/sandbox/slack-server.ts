/**
 * A small strict Slack of our own on loopback: the Web API, `response_url`s, and the faults a real one has. What it
 * refuses, Slack refuses; where the documents leave a choice it takes the stricter. No Socket Mode: Node has no
 * WebSocket server of its own, and the sandbox needs none.
 *
 * A test in the same process reads `state`; another process does the same over `/__control` (`connectSlack`).
 */
import { timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { control, type SlackControl, type SlackFault } from './slack-control.ts';
import { content, type MethodResult, methods } from './slack-methods.ts';
import { type Fields, type SlackSeed, type SlackState, SlackWorld } from './slack-state.ts';

const BODY_MOST_BYTES = 1024 * 1024;
const LONG_POLL_MOST_MS = 30_000;

/** What a person at a screen, or a test, can reach of the local Slack, from wherever it runs. */
export interface SlackRemote {
  /** Up to and including `/api/`. */
  readonly url: string;
  snapshot(): Promise<SlackState>;
  control(order: SlackControl): Promise<Fields>;
  /** Resolves with what the predicate returns, as soon as that is neither undefined nor false; rejects at the timeout. */
  waitFor<T>(predicate: (state: SlackState) => T | undefined | false, timeoutMs?: number, what?: string): Promise<T>;
}

export interface SlackServer extends SlackRemote {
  readonly state: SlackState;
  close(): Promise<void>;
}

export async function startSlackServer(options: {
  readonly port?: number;
  readonly seed: SlackSeed;
}): Promise<SlackServer> {
  const world = new SlackWorld(options.seed);
  const faults: SlackFault[] = [];
  const mode = { down: false };
  const sockets = new Set<Socket>();

  const server = createServer((request, response) => {
    serve(request, response).catch((error: unknown) => {
      if (response.headersSent) response.destroy();
      else reply(response, 500, { ok: false, error: 'fatal_error', detail: String(error) });
    });
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port ?? 0, '127.0.0.1', resolve);
  });
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  world.origin = origin;

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const target = new URL(request.url ?? '/', origin);
    const body = await readBody(request);
    if (body === undefined) return reply(response, 413, { ok: false, error: 'request_too_large' });
    if (target.pathname === '/__control/state') return await longPoll(target, response);
    if (target.pathname === '/__control' && request.method === 'POST') return ordered(body, response);
    if (mode.down) {
      request.socket.destroy();
      return;
    }
    if (target.pathname.startsWith('/response/') && request.method === 'POST')
      return await faulty('response_url', {}, request, response, () =>
        respond(target.pathname.slice('/response/'.length), body),
      );
    if (target.pathname.startsWith('/upload/v1/') && request.method === 'POST')
      return await faulty('upload', {}, request, response, () =>
        world.upload(target.pathname.slice('/upload/v1/'.length), body)
          ? { ok: true }
          : { status: 400, body: { ok: false, error: 'no such upload' }, outcome: 'no such upload' },
      );
    if (target.pathname.startsWith('/api/'))
      return await call(target.pathname.slice('/api/'.length), body, request, response);
    reply(response, 404, { ok: false, error: 'not_found' });
  }

  async function call(name: string, body: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const parsed = argumentsOf(request, body);
    if (parsed === undefined) return reply(response, 200, { ok: false, error: 'invalid_form_data' });
    const { token, ...args } = parsed;
    const bearer = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1] ?? token;
    await faulty(name, args, request, response, () => {
      if (bearer === undefined) return { ok: false, error: 'not_authed' };
      if (typeof bearer !== 'string' || !same(bearer, options.seed.botToken))
        return { ok: false, error: 'invalid_auth' };
      const method = Object.hasOwn(methods, name) ? methods[name] : undefined;
      if (method === undefined) return { ok: false, error: 'unknown_method', req_method: name };
      return method(world, args);
    });
  }

  /** Runs a call through the first fault that is laid for it. */
  async function faulty(
    method: string,
    args: Fields,
    request: IncomingMessage,
    response: ServerResponse,
    run: () => MethodResult | { status: number; body: Fields; outcome: string },
  ): Promise<void> {
    const at = faults.findIndex((fault) => fault.method === method || fault.method === '*');
    const fault = at < 0 ? undefined : faults[at];
    if (fault !== undefined) {
      fault.times -= 1;
      if (fault.times <= 0) faults.splice(at, 1);
    }
    const note = (outcome: string, effect: boolean): void =>
      world.log({ at: Date.now(), method, args, outcome, effect });
    const effect = (): { status: number; body: Fields; outcome: string; ok: boolean } => {
      const result = run();
      if ('status' in result && 'body' in result) {
        const answer = result as { status: number; body: Fields; outcome: string };
        return { ...answer, ok: answer.outcome === 'ok' };
      }
      const answer = result as MethodResult;
      return { status: 200, body: answer, outcome: answer.error ?? 'ok', ok: answer.ok };
    };
    switch (fault?.kind) {
      case 'rate_limited':
        note('rate_limited', false);
        response.setHeader('retry-after', String(fault.retryAfterSeconds ?? 1));
        return reply(response, 429, { ok: false, error: 'ratelimited' });
      case 'server_error': {
        const done = fault.after === true ? effect() : undefined;
        note(`http_${fault.status ?? 503}`, done?.ok ?? false);
        return reply(response, fault.status ?? 503, { ok: false, error: 'service_unavailable' });
      }
      case 'slack_error': {
        const done = fault.after === true ? effect() : undefined;
        note(fault.error ?? 'internal_error', done?.ok ?? false);
        return reply(response, 200, { ok: false, error: fault.error ?? 'internal_error' });
      }
      case 'hang':
        // Never answered: the caller's own deadline has to end it.
        note('hang', fault.after === true ? effect().ok : false);
        return;
      case 'reset':
        note('reset', fault.after === true ? effect().ok : false);
        request.socket.destroy();
        return;
      case 'latency':
        await new Promise((resolve) => setTimeout(resolve, fault.ms ?? 1000));
        break;
      case undefined:
        break;
    }
    const answer = effect();
    note(answer.outcome, answer.ok);
    reply(response, answer.status, answer.body);
  }

  function respond(id: string, body: string): { status: number; body: Fields; outcome: string } {
    let args: Fields;
    try {
      args = JSON.parse(body) as Fields;
    } catch {
      return { status: 400, body: { ok: false, error: 'invalid_payload' }, outcome: 'invalid_payload' };
    }
    const said = args.delete_original === true ? { text: '', blocks: [] } : content(world, args);
    if ('error' in said) return { status: 400, body: said, outcome: said.error };
    const place = world.useResponse(id);
    if (place === undefined) return { status: 404, body: { ok: false, error: 'used_url' }, outcome: 'used_url' };
    const original = place.message && world.message(place.message.channel, place.message.ts);
    if (original !== undefined && args.replace_original === true)
      world.putMessage({ ...original, ...said, revision: original.revision + 1 });
    else if (original !== undefined && args.delete_original === true) world.putMessage({ ...original, deleted: true });
    else if (args.response_type === 'in_channel') {
      const { userId: user, botId: bot_id, appId: app_id } = world.state.bot;
      world.putMessage({
        channel: place.channel,
        ts: world.ts(),
        user,
        bot_id,
        app_id,
        ...said,
        deleted: false,
        revision: 0,
      });
    } else
      world.putEphemeral({
        ts: world.ts(),
        user: place.user,
        channel: place.channel,
        ...said,
        via: 'response_url',
        responseId: id,
        replaceOriginal: args.replace_original === true,
        deleteOriginal: args.delete_original === true,
      });
    return { status: 200, body: { ok: true }, outcome: 'ok' };
  }

  function ordered(body: string, response: ServerResponse): void {
    let order: SlackControl;
    try {
      order = JSON.parse(body) as SlackControl;
    } catch {
      reply(response, 400, { error: 'the body is not JSON' });
      return;
    }
    try {
      reply(response, 200, control({ world, faults, mode, origin, sockets }, order));
    } catch (error) {
      reply(response, 400, { error: error instanceof Error ? error.message : String(error) });
    }
  }

  /** `?after=<version>` answers only when something has changed since, or after 30 s. */
  async function longPoll(target: URL, response: ServerResponse): Promise<void> {
    const after = Number(target.searchParams.get('after') ?? '-1');
    if (world.state.version <= after) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const stop = world.onChange(resolve);
      const timer = setTimeout(resolve, LONG_POLL_MOST_MS);
      response.once('close', resolve);
      await promise;
      stop();
      clearTimeout(timer);
    }
    if (!response.destroyed) reply(response, 200, { ...world.state });
  }

  return {
    url: `${origin}/api/`,
    get state() {
      return world.state;
    },
    async snapshot() {
      return { ...world.state };
    },
    async control(order) {
      return control({ world, faults, mode, origin, sockets }, order);
    },
    waitFor(predicate, timeoutMs = 5_000, what) {
      return new Promise((resolve, reject) => {
        const done = (settle: () => void): void => {
          stop();
          clearTimeout(timer);
          settle();
        };
        const check = (): void => {
          try {
            const found = predicate(world.state);
            if (found !== undefined && found !== false) done(() => resolve(found));
          } catch (error) {
            done(() => reject(error));
          }
        };
        const stop = world.onChange(check);
        const timer = setTimeout(() => done(() => reject(notSeen(world.state, timeoutMs, what))), timeoutMs);
        check();
      });
    },
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

/** The same local Slack, seen from another process. */
export function connectSlack(url: string): SlackRemote {
  const origin = new URL(url).origin;
  async function look(after: number, signal?: AbortSignal): Promise<SlackState> {
    const response = await fetch(`${origin}/__control/state?after=${after}`, signal === undefined ? {} : { signal });
    return (await response.json()) as SlackState;
  }
  return {
    url,
    snapshot: () => look(-1),
    async control(order) {
      const response = await fetch(`${origin}/__control`, { method: 'POST', body: JSON.stringify(order) });
      const answer = (await response.json()) as Fields;
      if (!response.ok) throw new Error(String(answer.error));
      return answer;
    },
    async waitFor(predicate, timeoutMs = 5_000, what) {
      const signal = AbortSignal.timeout(timeoutMs);
      let seen: SlackState | undefined;
      for (;;) {
        try {
          seen = await look(seen?.version ?? -1, signal);
        } catch (error) {
          if (signal.aborted && seen !== undefined) throw notSeen(seen, timeoutMs, what);
          throw error;
        }
        const found = predicate(seen);
        if (found !== undefined && found !== false) return found;
      }
    },
  };
}

const LAST_SHOWN = 8;

function notSeen(state: SlackState, timeoutMs: number, what = 'what was waited for'): Error {
  const messages = state.messages
    .slice(-LAST_SHOWN)
    .map((m) => `${m.channel} ${m.ts} r${m.revision}: ${m.text.slice(0, 120)}`);
  const calls = state.requests.slice(-LAST_SHOWN).map((r) => `${r.method} → ${r.outcome}`);
  return new Error(
    `not seen within ${timeoutMs} ms: ${what}\nlast messages:\n  ${messages.join('\n  ')}\nlast calls:\n  ${calls.join('\n  ')}`,
  );
}

function reply(response: ServerResponse, status: number, body: Fields): void {
  response.writeHead(status, { 'content-type': 'application/json; charset=utf-8' });
  response.end(JSON.stringify(body));
}

async function readBody(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > BODY_MOST_BYTES) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function argumentsOf(request: IncomingMessage, body: string): Fields | undefined {
  const type = request.headers['content-type'] ?? '';
  const query = Object.fromEntries(new URL(request.url ?? '/', 'http://localhost').searchParams);
  if (body === '') return query;
  if (type.startsWith('application/json')) {
    try {
      const parsed = JSON.parse(body) as unknown;
      return typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed) ? (parsed as Fields) : undefined;
    } catch {
      return undefined;
    }
  }
  if (type.startsWith('application/x-www-form-urlencoded'))
    return { ...query, ...Object.fromEntries(new URLSearchParams(body)) };
  return undefined;
}

function same(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}
