import { connect } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { createHttp, type Http, type HttpMount, type HttpRoute } from '../src/http.ts';

let http: Http | undefined;
afterEach(() => http?.stop(500));

async function serve(routes: readonly HttpRoute[], onError?: (error: unknown, where: string) => void): Promise<string> {
  http = createHttp({ routes, maxBody: 100, ...(onError === undefined ? {} : { onError }) });
  await http.start(0, '127.0.0.1');
  return `http://127.0.0.1:${http.address?.port}`;
}

const echo: HttpRoute = { method: 'POST', path: '/echo', handle: ({ body }) => ({ status: 200, body }) };
const alive: HttpRoute = {
  method: 'GET',
  path: '/healthz',
  handle: ({ query }) => ({ status: 200, body: `ok ${query.get('x') ?? ''}` }),
};

/** Bytes straight onto the wire; everything that comes back until the other side closes. */
function raw(bytes: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(http?.address?.port ?? 0, '127.0.0.1');
    let said = '';
    socket.on('data', (chunk) => {
      said += chunk.toString();
    });
    socket.on('close', () => resolve(said));
    socket.on('error', () => {});
    socket.write(bytes);
  });
}

describe('the one socket', () => {
  test('serves each path by its method, and says which methods there are', async () => {
    const url = await serve([echo, alive]);
    expect(await (await fetch(`${url}/healthz?x=1`)).text()).toBe('ok 1');
    expect(await (await fetch(`${url}/echo`, { method: 'POST', body: 'ä' })).text()).toBe('ä');
    expect((await fetch(`${url}/healthz/`)).status).toBe(404);
    const wrong = await fetch(`${url}/healthz`, { method: 'POST' });
    expect([wrong.status, wrong.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
    const head = await fetch(`${url}/healthz`, { method: 'HEAD' });
    expect([head.status, await head.text()]).toEqual([200, '']);
  });

  test('gives every answer headers that keep browsers from guessing and framing', async () => {
    const url = await serve([alive]);
    for (const path of ['/healthz', '/nowhere']) {
      const { headers } = await fetch(url + path);
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect(headers.get('cache-control')).toBe('no-store');
      expect(headers.get('content-security-policy')).toContain("default-src 'none'");
    }
  });

  test('refuses a body over the limit, announced or not, before its handler', async () => {
    let entered = 0;
    const url = await serve([{ ...echo, handle: () => ({ status: 200 + ++entered * 0 }) }]);
    expect((await fetch(`${url}/echo`, { method: 'POST', body: 'x'.repeat(101) })).status).toBe(413);
    const chunk = `${(60).toString(16)}\r\n${'x'.repeat(60)}\r\n`;
    const said = await raw(
      `POST /echo HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n${chunk}${chunk}0\r\n\r\n`,
    );
    expect(said).toContain(' 413 ');
    expect(entered).toBe(0);
  });

  test('shows a header that was given twice as two', async () => {
    await serve([{ ...alive, handle: ({ headers }) => ({ status: 200, body: JSON.stringify(headers['x-a']) }) }]);
    expect(await raw('GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx-a: 1\r\nX-A: 2\r\n\r\n')).toContain(
      '["1","2"]',
    );
  });

  test.each(['rubbish\r\n\r\n', 'GET * HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n', 'GET /a b HTTP/1.1\r\n\r\n'])(
    'survives %j',
    async (bytes) => {
      const url = await serve([alive]);
      expect(await raw(bytes)).toMatch(/^HTTP\/1\.1 4\d\d /);
      expect((await fetch(`${url}/healthz`)).status).toBe(200);
    },
  );

  test('answers 500 without the message when a handler throws, and reports it', async () => {
    const reported: unknown[] = [];
    const failing: HttpRoute = {
      ...alive,
      handle: () => {
        throw new Error('secret');
      },
    };
    const url = await serve([failing], (error, where) => reported.push([(error as Error).message, where]));
    const response = await fetch(`${url}/healthz`);
    expect([response.status, await response.text()]).toEqual([500, 'internal error\n']);
    expect(reported).toEqual([['secret', 'GET /healthz']]);
  });

  test('rejects when the port is taken', async () => {
    await serve([alive]);
    const second = createHttp({ routes: [] });
    await expect(second.start(http?.address?.port ?? 0, '127.0.0.1')).rejects.toThrow(/EADDRINUSE/);
  });
});

describe('stopping', () => {
  test('lets a request under way finish', async () => {
    const entered = Promise.withResolvers<void>();
    const finish = Promise.withResolvers<void>();
    const slow: HttpRoute = {
      ...alive,
      handle: async () => {
        entered.resolve();
        await finish.promise;
        return { status: 200, body: 'done' };
      },
    };
    const url = await serve([slow]);
    const response = fetch(`${url}/healthz`);
    await entered.promise;
    const stopped = http?.stop(10_000);
    await expect(fetch(`${url}/healthz`)).rejects.toThrow();
    finish.resolve();
    expect(await (await response).text()).toBe('done');
    await stopped;
  });

  test('cuts what is left at the deadline, and may be asked for twice or before the start', async () => {
    await createHttp({ routes: [] }).stop(1);
    const entered = Promise.withResolvers<void>();
    const stuck: HttpRoute = {
      ...alive,
      handle: () => {
        entered.resolve();
        return new Promise(() => {});
      },
    };
    const url = await serve([stuck]);
    const response = fetch(`${url}/healthz`);
    const cut = expect(response).rejects.toThrow();
    await entered.promise;
    await http?.stop(20);
    await http?.stop(20);
    await cut;
  });
});

test('large bodies of strangers hold no more than so much together, and small ones get in all the same', async () => {
  const held = Promise.withResolvers<void>();
  http = createHttp({ routes: [echo], maxBody: 1_000_000, maxTogether: 150_000 });
  await http.start(0, '127.0.0.1');
  const url = `http://127.0.0.1:${http.address?.port}/echo`;
  const slow = connect(http.address?.port ?? 0, '127.0.0.1');
  slow.on('error', () => {});
  slow.write('POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 200000\r\n\r\n');
  slow.write(Buffer.alloc(140_000), () => held.resolve());
  await held.promise;
  const send = async (bytes: number) => (await fetch(url, { method: 'POST', body: 'x'.repeat(bytes) })).status;
  await expect.poll(() => send(100_000)).toBe(503);
  expect(await send(60_000)).toBe(200);
  slow.destroy();
  await expect.poll(() => send(100_000)).toBe(200);
});

describe('a mount', () => {
  async function mounted(mount: Partial<HttpMount>, onError?: (error: unknown) => void): Promise<string> {
    http = createHttp({
      routes: [alive, { ...alive, path: '/app/exact' }],
      mounts: [{ prefix: '/app', fetch: () => new Response('app'), ...mount }],
      maxBody: 100,
      ...(onError === undefined ? {} : { onError }),
    });
    await http.start(0, '127.0.0.1');
    return `http://127.0.0.1:${http.address?.port}`;
  }

  test('answers for everything at and below its path that no route names, whatever the method', async () => {
    const url = await mounted({
      fetch: async (request) => new Response(`${request.method} ${request.url} ${await request.text()}`),
    });
    expect(await (await fetch(`${url}/app/a/b?c=d`, { method: 'PATCH', body: 'ä' })).text()).toBe(
      'PATCH http://localhost/app/a/b?c=d ä',
    );
    expect(await (await fetch(`${url}/app`)).text()).toBe('GET http://localhost/app ');
    expect(await (await fetch(`${url}/app/exact?x=1`)).text()).toBe('ok 1');
    expect((await fetch(`${url}/apple`)).status).toBe(404);
    expect((await raw('TRACE /app HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n')).slice(0, 12)).toBe(
      'HTTP/1.1 405',
    );
  });

  test('has the headers of every answer unless it says otherwise, and each of its cookies', async () => {
    const headers = new Headers({ 'content-security-policy': "default-src 'self'" });
    headers.append('set-cookie', 'a=1; Secure');
    headers.append('set-cookie', 'b=2; Secure');
    const url = await mounted({ fetch: () => new Response('page', { headers }) });
    const answer = await fetch(`${url}/app`);
    expect(answer.headers.getSetCookie()).toEqual(['a=1; Secure', 'b=2; Secure']);
    expect(answer.headers.get('content-security-policy')).toBe("default-src 'self'");
    expect(answer.headers.get('x-frame-options')).toBe('DENY');
  });

  test('is not asked about a body over the limit, and its own words say what went wrong', async () => {
    const told: unknown[] = [];
    const url = await mounted(
      {
        fetch: () => Promise.reject(new Error('a secret')),
        refuse: (status) => Response.json({ status }, { status }),
      },
      (error) => told.push(error),
    );
    const over = await fetch(`${url}/app`, { method: 'POST', body: 'x'.repeat(101) });
    expect([over.status, await over.json()]).toEqual([413, { status: 413 }]);
    const failed = await fetch(`${url}/app`);
    expect([failed.status, await failed.json()]).toEqual([500, { status: 500 }]);
    expect(told).toHaveLength(1);
  });

  test('may stream: what it says arrives at once, and a stop does not wait for it to end', async () => {
    const cancelled = Promise.withResolvers<void>();
    const url = await mounted({
      fetch: () =>
        new Response(
          new ReadableStream({
            start: (stream) => stream.enqueue(new TextEncoder().encode('data: 1\n\n')),
            cancel: () => cancelled.resolve(),
          }),
        ),
    });
    const reader = (await fetch(`${url}/app`)).body?.getReader();
    expect(new TextDecoder().decode((await reader?.read())?.value)).toBe('data: 1\n\n');
    await http?.stop(60_000);
    await cancelled.promise;
    await expect(reader?.read()).rejects.toThrow();
  });
});
