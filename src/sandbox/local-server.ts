/**
 * What the local servers of vendors have in common: loopback only, faults on demand, a log, and a way for another
 * process to control them, `POST /__control` and `GET /__control/state`.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { OktaFaults as Faults } from './okta-faults.ts';

export interface LogEntry {
  readonly method: string;
  readonly path: string;
  /** 0: no answer was sent, or not to its end. */
  readonly status: number;
  readonly at: number;
}

export interface Asking {
  readonly method: string;
  readonly url: URL;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
  /** How many requests were answered before this one. */
  readonly number: number;
}

export interface Told {
  readonly status: number;
  /** JSON; absent: no body. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
}

export interface LocalParts {
  /** Default: any free one. */
  readonly port?: number;
  readonly now: () => number;
  /** Takes effect and says so. */
  readonly answer: (asking: Asking) => Promise<Told>;
  /** The vendor's own words for a status, for faults. */
  readonly refuse: (status: number) => Told;
  readonly control: (command: unknown) => void;
  readonly state: () => unknown;
}

export interface LocalServer {
  /** `http://127.0.0.1:<port>`, without a slash. */
  readonly url: string;
  readonly faults: Faults;
  log(): readonly LogEntry[];
  requests(): number;
  byStatus(): Readonly<Record<string, number>>;
  close(): Promise<void>;
}

/** The log is for looking at, not for keeping. */
const LOG_MAX = 5_000;
const REQUEST_MAX_BYTES = 1_000_000;
const DRIP_EVERY_MS = 20;

export async function startLocalServer(parts: LocalParts): Promise<LocalServer> {
  const faults = new Faults();
  const byStatus: Record<string, number> = {};
  const log: LogEntry[] = [];
  let requests = 0;
  let origin = '';

  function note(method: string, path: string, status: number): void {
    requests += 1;
    byStatus[status] = (byStatus[status] ?? 0) + 1;
    log.push({ method, path, status, at: parts.now() });
    if (log.length > LOG_MAX) log.shift();
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
    const told =
      fault?.kind === 'status'
        ? { ...parts.refuse(fault.status ?? 500), headers: fault.headers ?? {} }
        : await parts.answer({ method, url, headers: request.headers, body, number: requests });
    if (fault?.kind === 'reset' || fault?.kind === 'hang') {
      note(method, path, 0);
      if (fault.kind === 'reset') request.socket.destroy();
      return;
    }
    const headers = told.headers as Record<string, string>;
    if (fault?.kind === 'malformed') {
      note(method, path, 200);
      response.writeHead(200, { ...headers, 'content-type': 'text/html' }).end('<html><body>Please sign in');
      return;
    }
    if (fault?.kind === 'drip') {
      drip(method, path, response, headers);
      return;
    }
    note(method, path, told.status);
    const said = fault?.body?.replaceAll('{{authorization}}', request.headers.authorization ?? '');
    response.writeHead(told.status, {
      ...(told.body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    });
    response.end(said ?? (told.body === undefined ? undefined : JSON.stringify(told.body)));
  }

  function drip(method: string, path: string, response: ServerResponse, headers: Record<string, string>): void {
    note(method, path, 0);
    response.writeHead(200, { ...headers, 'content-type': 'application/json' });
    const dripping = setInterval(() => response.write(' '), DRIP_EVERY_MS);
    response.on('close', () => clearInterval(dripping));
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
    else if (method === 'GET' && url.pathname === '/__control/state') reply(200, parts.state());
    else if (method !== 'POST' || url.pathname !== '/__control') reply(404, { error: 'no such control' });
    else if (request.headers['content-type'] !== 'application/json') reply(415, { error: 'application/json only' });
    else {
      try {
        parts.control(JSON.parse(body));
        reply(200, { ok: true });
      } catch (error) {
        reply(400, { error: error instanceof Error ? error.message : String(error) });
      }
    }
  }

  const server = createServer((request, response) => {
    serve(request, response).catch((error: unknown) => {
      response.destroy(error instanceof Error ? error : undefined);
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(parts.port ?? 0, '127.0.0.1', resolve);
  });
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  return {
    url: origin,
    faults,
    log: () => [...log],
    requests: () => requests,
    byStatus: () => ({ ...byStatus }),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
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
