/**
 * The sandbox's page: `http://127.0.0.1:4400`, held by the parent process, so that it stays while the bot is killed. It
 * serves the shell and its static files, tells what happens by server-sent events, takes what people do, and passes the
 * bot's own paths on to the bot.
 */
import { readdir, readFile } from 'node:fs/promises';
import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname } from 'node:path';
import { act, BadAct, type Stage } from './page-acts.ts';
import { refusedBecause } from './page-guard.ts';
import { type PageNote, partsOf } from './page-parts.ts';
import { openRecordReader } from './page-record.ts';
import { shell } from './page-shell.ts';
import { createTeller } from './page-teller.ts';
import type { Fields } from './slack-state.ts';
import type { World } from './world.ts';

export interface Page {
  /** `http://127.0.0.1:<port>` */
  readonly url: string;
  readonly port: number;
  close(): Promise<void>;
}

export const PAGE_PORT = 4400;
const PORTS_TRIED = 20;
const BODY_MOST_BYTES = 64 * 1024;
const NOTES_KEPT = 200;
/** The record changes without a word to this process, a little later than what people see. */
const LOOK_EVERY_MS = 400;
const BOT_PATHS = new Set(['/slack/events', '/healthz', '/readyz', '/metrics']);
const TYPES: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
};
const HEADERS: Readonly<Record<string, string>> = {
  'cache-control': 'no-store',
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
};

/** The bot has been started once: the record is there to be read. Without a port: 4400, or the next free one. */
export async function startPage(world: World, options: { readonly port?: number } = {}): Promise<Page> {
  const assets = await readAssets();
  const html = shell(world.consoleUrl);
  const record = await openRecordReader(world.databaseUrl);
  const switches: Stage['switches'] = {
    okta: 'up',
    google: 'up',
    slack: 'up',
    botChanging: false,
    clock: Promise.resolve(),
  };
  const notes: PageNote[] = [];
  const offsets = new Map<string, number>();
  let noted = 0;

  const teller = createTeller({
    async parts() {
      const slack = { ...world.slack.state };
      return partsOf({
        slack,
        groups: { ...world.okta.state().groups, ...world.google.state().groups },
        recorded: await record.read(),
        machinery: {
          bot: switches.botChanging ? 'changing' : world.running ? 'running' : 'stopped',
          okta: switches.okta,
          google: switches.google,
          slack: switches.slack,
          clockOffsetMs: world.clockOffsetMs,
        },
        notes,
        postedAt,
      });
    },
    // Cheap to ask, and every change of the local Slack shows in it.
    version: () => world.slack.state.version,
    everyMs: LOOK_EVERY_MS,
  });

  /** Slack stamps with the real time; people look at the sandbox's. */
  function postedAt(ts: string): number {
    const offset = offsets.get(ts) ?? world.clockOffsetMs;
    offsets.set(ts, offset);
    return Math.floor(Number(ts) * 1000) + offset;
  }

  const stage: Stage = {
    world,
    switches,
    note(note) {
      noted += 1;
      notes.push({ id: noted, at: Date.now() + world.clockOffsetMs, ...note });
      notes.splice(0, notes.length - NOTES_KEPT);
      teller.look();
    },
    changed: () => teller.look(),
  };

  const server = createServer((request, response) => {
    serve(request, response).catch((error: unknown) => {
      if (response.headersSent) response.destroy();
      else reply(response, 500, { ok: false, said: error instanceof Error ? error.message : String(error) });
    });
  });

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const port = (server.address() as AddressInfo).port;
    const path = (request.url ?? '/').split('?', 1)[0] ?? '/';
    const refused = refusedBecause(request, port, BOT_PATHS.has(path));
    if (refused !== undefined) return reply(response, 403, { ok: false, said: refused });
    if (BOT_PATHS.has(path)) return proxy(world, request, response);
    if (request.method === 'POST' && path === '/sandbox/act') return await acted(request, response);
    if (request.method !== 'GET' && request.method !== 'HEAD')
      return reply(response, 405, { ok: false, said: 'method not allowed' });
    if (path === '/sandbox/events') return teller.listen(response, HEADERS);
    const asset = path === '/' ? { type: 'text/html; charset=utf-8', bytes: Buffer.from(html) } : assets.get(path);
    if (asset === undefined) return reply(response, 404, { ok: false, said: 'not found' });
    response.writeHead(200, { ...HEADERS, 'content-type': asset.type, 'content-length': asset.bytes.length });
    response.end(request.method === 'HEAD' ? undefined : asset.bytes);
  }

  async function acted(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await readJson(request);
    if (body === undefined) return reply(response, 400, { ok: false, said: 'a small JSON object is wanted' });
    try {
      reply(response, 200, await act(stage, body));
    } catch (error) {
      if (!(error instanceof BadAct)) throw error;
      reply(response, 400, { ok: false, said: error.message });
    }
  }

  const port = await listen(server, options.port).catch(async (error: unknown) => {
    await teller.close();
    await record.close();
    throw error;
  });
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    async close() {
      await teller.close();
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
      await record.close();
    },
  };
}

interface Asset {
  readonly type: string;
  readonly bytes: Buffer;
}

/** Read once: no path of a request ever reaches the file system. */
async function readAssets(): Promise<ReadonlyMap<string, Asset>> {
  const folder = new URL('./page/', import.meta.url);
  const assets = new Map<string, Asset>();
  for (const name of await readdir(folder)) {
    const type = TYPES[extname(name)];
    if (type !== undefined) assets.set(`/page/${name}`, { type, bytes: await readFile(new URL(name, folder)) });
  }
  return assets;
}

async function listen(server: ReturnType<typeof createServer>, wanted: number | undefined): Promise<number> {
  for (let tried = 0; ; tried += 1) {
    try {
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject);
        server.listen(wanted ?? PAGE_PORT + tried, '127.0.0.1', () => {
          server.off('error', reject);
          resolve();
        });
      });
      return (server.address() as AddressInfo).port;
    } catch (error) {
      const taken = error instanceof Error && 'code' in error && error.code === 'EADDRINUSE';
      if (!taken || wanted !== undefined || tried >= PORTS_TRIED) throw error;
    }
  }
}

function proxy(world: World, request: IncomingMessage, response: ServerResponse): void {
  const onward = httpRequest(
    {
      host: '127.0.0.1',
      port: world.bot?.port ?? 0,
      path: request.url,
      method: request.method,
      headers: request.headers,
    },
    (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    },
  );
  onward.on('error', () => {
    if (response.headersSent) response.destroy();
    else reply(response, 502, { ok: false, said: 'the bot is not running' });
  });
  request.pipe(onward);
}

function reply(response: ServerResponse, status: number, body: Fields): void {
  response.writeHead(status, { ...HEADERS, 'content-type': 'application/json; charset=utf-8' });
  response.end(JSON.stringify(body));
}

async function readJson(request: IncomingMessage): Promise<Fields | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > BODY_MOST_BYTES) return undefined;
    chunks.push(chunk);
  }
  try {
    const parsed = JSON.parse(Buffer.concat(chunks).toString('utf8')) as unknown;
    return typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed) ? (parsed as Fields) : undefined;
  } catch {
    return undefined;
  }
}
