/** The sandbox's server without a browser: who may talk to it, what it passes on, and what it says of itself. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { PAGE_PORT, type Page, startPage } from '../../src/sandbox/page.ts';
import { createWorld, type World } from '../../src/sandbox/world.ts';

let world: World;
let page: Page;
beforeAll(async () => {
  world = await createWorld({ logLevel: 'fatal' });
  await world.startBot();
  page = await startPage(world, { port: 0 });
});
afterAll(async () => {
  await page?.close();
  await world?.close();
});

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

/** With headers that `fetch` would not let through. */
function ask(method: string, path: string, headers: Record<string, string> = {}, body = ''): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asked = request(`${page.url}${path}`, { method, headers }, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: text }));
    });
    asked.on('error', reject);
    asked.end(body);
  });
}

const json = { 'content-type': 'application/json' };
const okta = JSON.stringify({ do: 'okta', down: true });

describe('the page is for this machine’s own browser', () => {
  it('refuses a name that only points here', async () => {
    for (const path of ['/', '/sandbox/events', '/readyz', '/slack/events'])
      expect((await ask('GET', path, { host: `rebound.example:${page.port}` })).status).toBe(403);
    expect((await ask('GET', '/', { host: `localhost:${page.port}` })).status).toBe(200);
  });

  it('lets no other page act', async () => {
    const own = { ...json, origin: page.url };
    const others: Record<string, string>[] = [
      json,
      { ...json, origin: 'http://evil.example' },
      { ...json, origin: 'null' },
      { ...json, origin: `http://127.0.0.1:${page.port + 1}` },
      { origin: page.url, 'content-type': 'text/plain' },
      { ...own, 'sec-fetch-site': 'cross-site' },
    ];
    for (const headers of others) expect((await ask('POST', '/sandbox/act', headers, okta)).status).toBe(403);
    expect(world.okta.state().faults).toEqual([]);
    expect(await ask('POST', '/sandbox/act', own, okta)).toMatchObject({ status: 200, body: '{"ok":true}' });
    expect(world.okta.state().faults).toHaveLength(1);
    world.okta.control({ do: 'clear' });
  });

  it('says no to what is no act, and changes nothing', async () => {
    const own = { ...json, origin: page.url };
    const bodies = [
      '',
      'null',
      '[]',
      '{"do":"clock","ms":-5}',
      '{"do":"clock","ms":1e300}',
      '{"do":"slash","as":"constructor","text":"help"}',
      '{"do":"slash","as":"ana","text":7}',
      '{"do":"nothing","as":"ana"}',
      '{"do":"press","as":"ana","ts":"1.1","block":"b","action":"a"}',
    ];
    for (const body of bodies) {
      const { status, body: said } = await ask('POST', '/sandbox/act', own, body);
      expect(status).toBe(400);
      expect(JSON.parse(said)).toMatchObject({ ok: false });
    }
    expect(world.clockOffsetMs).toBe(0);
  });

  it('allows no script but its own files, and serves nothing besides them', async () => {
    const { headers, body } = await ask('GET', '/');
    expect(headers['content-security-policy']).toMatch(/default-src 'none'; script-src 'self';/);
    expect(body).not.toMatch(/<script(?![^>]*src=)|\son[a-z]+=|style=/);
    for (const path of ['/page/../page.ts', '/page/%2e%2e/world.ts', '/page/tsconfig.json', '/page/', '/nothing'])
      expect((await ask('GET', path)).status).toBe(404);
    expect((await ask('GET', '/page/page.js')).headers['content-type']).toBe('text/javascript; charset=utf-8');
    expect((await ask('PUT', '/', { ...json, origin: page.url })).status).toBe(405);
  });
});

describe('the bot’s own paths', () => {
  it('are passed on to the bot, and say when it is not there', async () => {
    expect(await ask('GET', '/healthz')).toMatchObject({ status: 200, body: expect.stringContaining('alive') });
    expect((await ask('GET', '/readyz')).status).toBe(200);
    expect((await ask('GET', '/metrics')).body).toContain('# TYPE');
    expect((await ask('POST', '/slack/events', { 'content-type': 'application/json' }, '{}')).status).toBe(401);
    await world.bot?.kill();
    expect(await ask('GET', '/healthz')).toMatchObject({ status: 502, body: expect.stringContaining('not running') });
    await world.startBot();
    expect((await ask('GET', '/healthz')).status).toBe(200);
  });
});

describe('hallpass sandbox', () => {
  const children: ChildProcess[] = [];
  afterEach(async () => {
    for (const child of children.splice(0)) if (child.exitCode === null) child.kill('SIGKILL');
  });

  function run(...args: string[]): { child: ChildProcess; told: (words: RegExp) => Promise<string> } {
    const cli = fileURLToPath(new URL('../../src/cli.ts', import.meta.url));
    const child = spawn(process.execPath, [cli, 'sandbox', ...args], {
      env: { PATH: process.env.PATH ?? '' },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    children.push(child);
    let said = '';
    const { stdout } = child;
    if (stdout === null) throw new Error('no output');
    stdout.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    return {
      child,
      async told(words) {
        while (!words.test(said)) await once(stdout, 'data');
        return said;
      },
    };
  }

  it('says where it is, takes the next free port when its own is taken, and ends well', async () => {
    // Somebody else may hold 4400 on this machine; then that one is the squatter.
    const squatter = createServer().listen(PAGE_PORT, '127.0.0.1');
    await Promise.race([once(squatter, 'listening'), once(squatter, 'error')]).catch(() => {});
    try {
      const { child, told } = run();
      const said = await told(/Ctrl-C/);
      const port = Number(/open http:\/\/127\.0\.0\.1:(\d+)/.exec(said)?.[1]);
      expect(port).toBeGreaterThan(PAGE_PORT);
      expect(said).toContain(`Port ${PAGE_PORT} is taken, so this is on ${port}.`);
      expect((await fetch(`http://127.0.0.1:${port}/`)).status).toBe(200);
      child.kill('SIGTERM');
      const [code] = await once(child, 'exit');
      expect(code).toBe(0);
      await expect(fetch(`http://127.0.0.1:${port}/`)).rejects.toThrow();
    } finally {
      if (squatter.listening) squatter.close();
    }
  }, 90_000);

  it('fails when the port that was asked for is taken', async () => {
    const squatter = createServer().listen(0, '127.0.0.1');
    await once(squatter, 'listening');
    const { port } = squatter.address() as AddressInfo;
    const { child } = run('--port', String(port), '--json');
    const [code] = await once(child, 'exit');
    expect(code).toBe(1);
    squatter.close();
  }, 90_000);
});
