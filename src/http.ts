/** The one listening socket. It knows paths, methods and limits; what a request means is its route's business. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ReadableStream as NodeWebStream } from 'node:stream/web';

export interface HttpRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  /** Lower-case names; every value that was sent, so that a header given twice shows. */
  readonly headers: Readonly<Record<string, readonly string[] | undefined>>;
  /** As it came over the wire, complete. */
  readonly body: Buffer;
}

export interface HttpReply {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
}

/** Matched by exact method and path. A handler that throws is answered with 500 and reported, never with its message. */
export interface HttpRoute {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  readonly path: string;
  /** In bytes; the server's own limit when left out. */
  readonly maxBody?: number;
  handle(request: HttpRequest): Promise<HttpReply> | HttpReply;
}

/**
 * Everything at and below a path that no route names, spoken to in the words of the web platform, whatever the method.
 * Its own headers go before those that every answer has. An answer may be a stream: it is cut when the caller leaves
 * and when we stop.
 */
export interface HttpMount {
  /** `/api/v1`. The longest one that fits answers. */
  readonly prefix: string;
  /** In bytes; the server's own limit when left out. */
  readonly maxBody?: number;
  fetch(request: Request, from: { readonly remoteAddress: string }): Promise<Response> | Response;
  /** What is said where `fetch` is not asked, or has thrown. Left out: plain text. */
  refuse?(status: 413 | 500): Response;
}

export interface HttpOptions {
  readonly routes: readonly HttpRoute[];
  readonly mounts?: readonly HttpMount[];
  /** In bytes, for routes without a limit of their own; 1 MiB when left out. */
  readonly maxBody?: number;
  /** In bytes: what all bodies that are being received may hold together; 64 MiB when left out. */
  readonly maxTogether?: number;
  /** Told of a handler that threw, and of a socket error while listening. */
  readonly onError?: (error: unknown, where: string) => void;
}

export interface Http {
  /** Resolves when the socket listens; port 0 takes a free one. Rejects when the port is taken. */
  start(port: number, host?: string): Promise<void>;
  /** Where it listens; absent before `start` and after `stop`. */
  readonly address: AddressInfo | undefined;
  /** Accepts nothing new, lets requests under way finish, and cuts whatever is left after `deadlineMs`. */
  stop(deadlineMs: number): Promise<void>;
}

const MAX_BODY = 1024 * 1024;
const MAX_TOGETHER = 64 * MAX_BODY;
/** What chat platforms send is smaller: however much others send at once, it gets in. */
const SMALL_BODY = 64 * 1024;
/** A slow sender holds a socket no longer than this; platforms send their few kilobytes at once. */
const REQUEST_TIMEOUT_MS = 15_000;
const HEADERS_TIMEOUT_MS = 10_000;

const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
};

export function createHttp(options: HttpOptions): Http {
  const byPath = new Map<string, Map<string, HttpRoute>>();
  for (const route of options.routes) {
    const methods = byPath.get(route.path) ?? new Map<string, HttpRoute>();
    if (methods.has(route.method)) throw new Error(`two routes for ${route.method} ${route.path}`);
    byPath.set(route.path, methods.set(route.method, route));
  }
  const mounts = [...(options.mounts ?? [])].sort((a, b) => b.prefix.length - a.prefix.length);
  const report = options.onError ?? (() => {});
  const streams = new Set<ServerResponse>();
  const together: Together = { bytes: 0, most: options.maxTogether ?? MAX_TOGETHER };
  let stopping = false;

  const server = createServer(
    { requestTimeout: REQUEST_TIMEOUT_MS, headersTimeout: HEADERS_TIMEOUT_MS },
    (message, response) => {
      void serve(message, response).catch((error: unknown) => {
        report(error, `${message.method ?? ''} ${message.url ?? ''}`);
        response.destroy();
      });
    },
  );
  server.on('clientError', (_error, socket) => {
    if (socket.writable) socket.end('HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n');
    else socket.destroy();
  });

  async function serve(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const method = message.method ?? '';
    const target = parseTarget(message.url ?? '');
    const methods = target === undefined ? undefined : byPath.get(target.path);
    const route = methods?.get(method === 'HEAD' ? 'GET' : method);
    if (target === undefined) return send(message, response, { status: 400, body: 'bad request\n' });
    const mount = methods === undefined ? mounts.find(({ prefix }) => isBelow(prefix, target.path)) : undefined;
    if (mount !== undefined) return await serveMount(mount, message, response);
    if (methods === undefined) return send(message, response, { status: 404, body: 'not found\n' });
    if (route === undefined) {
      const allow = [...methods.keys(), ...(methods.has('GET') ? ['HEAD'] : [])].sort().join(', ');
      return send(message, response, { status: 405, headers: { allow }, body: 'method not allowed\n' });
    }
    const body = await readBody(message, route.maxBody ?? options.maxBody ?? MAX_BODY, together);
    if (body === 'too_much')
      return send(message, response, { status: 503, headers: { 'retry-after': '1' }, body: 'too much at once\n' });
    if (body === 'too_large') return send(message, response, { status: 413, body: 'too large\n' });
    if (body === 'aborted') {
      response.destroy();
      return;
    }
    let reply: HttpReply;
    try {
      reply = await route.handle({ method, ...target, headers: message.headersDistinct, body });
    } catch (error) {
      report(error, `${method} ${target.path}`);
      reply = { status: 500, body: 'internal error\n' };
    }
    send(message, response, reply);
  }

  async function serveMount(mount: HttpMount, message: IncomingMessage, response: ServerResponse): Promise<void> {
    // The web platform has no requests of these, for good reason.
    if (/^(?:TRACE|TRACK|CONNECT)$/i.test(message.method ?? ''))
      return send(message, response, { status: 405, body: 'method not allowed\n' });
    const body = await readBody(message, mount.maxBody ?? options.maxBody ?? MAX_BODY, together);
    if (body === 'too_much')
      return send(message, response, { status: 503, headers: { 'retry-after': '1' }, body: 'too much at once\n' });
    if (body === 'aborted') {
      response.destroy();
      return;
    }
    const refuse = (status: 413 | 500) =>
      mount.refuse?.(status) ?? new Response(status === 413 ? 'too large\n' : 'internal error\n', { status });
    if (body === 'too_large') return await stream(message, response, refuse(413));
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    let answer: Response;
    try {
      const request = webRequest(message, body, gone.signal);
      answer = await mount.fetch(request, { remoteAddress: message.socket.remoteAddress ?? '' });
    } catch (error) {
      report(error, `${message.method ?? ''} ${message.url ?? ''}`);
      answer = refuse(500);
    }
    await stream(message, response, answer);
  }

  /** As it comes; what is short enough to be whole already gets its length. */
  async function stream(message: IncomingMessage, response: ServerResponse, answer: Response): Promise<void> {
    const headers: Record<string, string | string[]> = { ...SECURITY_HEADERS, ...Object.fromEntries(answer.headers) };
    const cookies = answer.headers.getSetCookie();
    if (cookies.length > 0) headers['set-cookie'] = cookies;
    if (stopping || !message.complete) headers['connection'] = 'close';
    if (!message.complete) message.resume();
    if (response.destroyed) return void (await answer.body?.cancel());
    response.writeHead(answer.status, headers);
    if (message.method === 'HEAD' || answer.body === null) {
      await answer.body?.cancel();
      response.end();
      return;
    }
    response.flushHeaders();
    streams.add(response);
    try {
      await pipeline(Readable.fromWeb(answer.body as NodeWebStream), response);
    } catch (error) {
      // Whoever asked has left, or we stop: there is nobody to tell.
      if (!response.destroyed) throw error;
    } finally {
      streams.delete(response);
    }
  }

  function send(message: IncomingMessage, response: ServerResponse, reply: HttpReply): void {
    if (response.headersSent || response.destroyed) return;
    const body = Buffer.from(reply.body ?? '');
    const type = body.length > 0 ? { 'content-type': 'text/plain; charset=utf-8' } : {};
    // A body that was not read to its end would be taken for the next request on the same connection.
    const close = stopping || !message.complete ? { connection: 'close' } : {};
    response.writeHead(reply.status, {
      ...SECURITY_HEADERS,
      ...type,
      ...reply.headers,
      ...close,
      'content-length': String(body.length),
    });
    response.end(message.method === 'HEAD' ? undefined : body);
    if (!message.complete) message.resume();
  }

  return {
    get address() {
      const address = server.address();
      return address === null || typeof address === 'string' ? undefined : address;
    },
    start: (port, host) =>
      new Promise((resolve, reject) => {
        server.once('error', reject);
        server.listen({ port, ...(host === undefined ? {} : { host }) }, () => {
          server.off('error', reject);
          server.on('error', (error) => report(error, 'listening'));
          resolve();
        });
      }),
    stop: (deadlineMs) =>
      new Promise((resolve) => {
        stopping = true;
        if (!server.listening) return resolve();
        const cut = setTimeout(() => server.closeAllConnections(), deadlineMs);
        server.close(() => {
          clearTimeout(cut);
          resolve();
        });
        server.closeIdleConnections();
        // They would last as long as whoever watches them.
        for (const response of streams) response.destroy();
      }),
  };
}

function isBelow(prefix: string, path: string): boolean {
  return path === prefix || path.startsWith(`${prefix}/`);
}

/** The host is not the caller's to say: whoever needs an address of ours takes it from the configuration. */
function webRequest(message: IncomingMessage, body: Buffer, signal: AbortSignal): Request {
  const headers = new Headers();
  for (const [name, values = []] of Object.entries(message.headersDistinct))
    for (const value of values) headers.append(name, value);
  const method = message.method ?? 'GET';
  const none = method === 'GET' || method === 'HEAD';
  return new Request(`http://localhost${message.url ?? '/'}`, {
    method,
    headers,
    signal,
    ...(none ? {} : { body: new Uint8Array(body) }),
  });
}

/** Absent for what is no path of ours: `*`, an absolute address, or broken bytes. */
function parseTarget(url: string): { path: string; query: URLSearchParams } | undefined {
  if (!url.startsWith('/')) return undefined;
  const mark = url.indexOf('?');
  const path = mark < 0 ? url : url.slice(0, mark);
  return { path, query: new URLSearchParams(mark < 0 ? '' : url.slice(mark + 1)) };
}

/** Bodies that are being received, before anybody knows who sends them. */
interface Together {
  bytes: number;
  readonly most: number;
}

async function readBody(
  message: IncomingMessage,
  limit: number,
  together: Together,
): Promise<Buffer | 'too_large' | 'too_much' | 'aborted'> {
  // Said before a byte is read; a sender that lies about the length is caught below.
  if (Number(message.headers['content-length'] ?? 0) > limit) return 'too_large';
  let held = 0;
  try {
    return await new Promise((resolve) => {
      const chunks: Buffer[] = [];
      let size = 0;
      let over = false;
      const refuse = (why: 'too_large' | 'too_much') => {
        over = true;
        chunks.length = 0;
        resolve(why);
      };
      message.on('data', (chunk: Buffer) => {
        // Read to its end, and kept nowhere.
        if (over) return;
        size += chunk.length;
        if (size > limit) return refuse('too_large');
        if (size > SMALL_BODY && together.bytes + chunk.length > together.most) return refuse('too_much');
        chunks.push(chunk);
        held += chunk.length;
        together.bytes += chunk.length;
      });
      message.on('end', () => resolve(Buffer.concat(chunks)));
      message.on('error', () => resolve('aborted'));
      message.on('close', () => resolve('aborted'));
    });
  } finally {
    together.bytes -= held;
  }
}
