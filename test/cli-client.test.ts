/** The command line as a client, in this process: the real API behind it, and a folder of its own for what it keeps. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import * as client from '../src/cli/client/commands.ts';
import { type Client, createClient } from '../src/cli/client/http.ts';
import { loginCommand, logoutCommand } from '../src/cli/client/login.ts';
import { addressOf, loginAt, placeAt, urlFor } from '../src/cli/client/place.ts';
import { plain, table } from '../src/cli/client/show.ts';
import { createOut } from '../src/cli/out.ts';
import { readClientEnvironment } from '../src/config-env.ts';
import { type ApiWorld, type Human, startApi } from './support/api.ts';
import { sha256 } from './support/open-store.ts';

const URL_ = 'https://hallpass.acme.example';
const NOW = Date.now();

let api: ApiWorld;
let folder: string;
let said: string;
const out = createOut(false, (text) => {
  said += text;
});
const send: typeof fetch = (address, options) =>
  api.raw(new Request(String(address), { ...options, signal: options?.signal ?? null }));
const env = () => readClientEnvironment({ XDG_CONFIG_HOME: folder });

beforeEach(async () => {
  api = await startApi();
  folder = mkdtempSync(join(tmpdir(), 'hallpass-client-'));
  said = '';
});
afterEach(async () => {
  await api.close();
  rmSync(folder, { recursive: true, force: true });
});

async function as(who: Human): Promise<Client> {
  return createClient(URL_, await api.credential(who, 'cli'), send);
}

describe('signing in', () => {
  async function login(answer: 'confirm' | 'deny'): Promise<number> {
    const secret = await api.credential('ana', 'web');
    const session = (await api.store.sessionBySecret(sha256(secret)))?.id ?? '';
    let code = '';
    return await loginCommand(
      out,
      env(),
      `${URL_}/`,
      (line) => {
        code = /code: (\S+)/.exec(line)?.[1] ?? code;
      },
      {
        send,
        async pause(ms) {
          api.clock.pass(ms);
          await api.devices.answer(code, { session }, answer);
        },
      },
    );
  }

  test('keeps the session where only its owner reads it, and is then meant by every command', async () => {
    expect(await login('confirm')).toBe(0);
    expect(said).toMatch(/You are Ana at https:\/\/hallpass\.acme\.example for 12 hours/);
    const place = placeAt(URL_, env(), NOW);
    const files = readdirSync(join(folder, 'hallpass')).map((name) => join(folder, 'hallpass', name));
    expect(files.map((file) => statSync(file).mode & 0o777)).toEqual([0o600, 0o600]);
    expect(said).not.toContain(place.token);
    expect(urlFor(env(), false)).toBe(URL_);
    // What names this host's configuration means this host.
    expect(urlFor(env(), true)).toBeUndefined();
    expect(urlFor(readClientEnvironment({ XDG_CONFIG_HOME: folder, HALLPASS_CONFIG: 'x' }), false)).toBeUndefined();
    const me = await createClient(URL_, place.token, send).get('/me');
    expect(me).toMatchObject({ person: { name: 'Ana' }, session: { kind: 'cli' } });
    expect(() => placeAt(URL_, env(), NOW + 13 * 3_600_000)).toThrow(/is over/);

    expect(await logoutCommand(out, env(), URL_, send)).toBe(0);
    expect(loginAt(URL_, env())).toBeUndefined();
    expect(urlFor(env(), false)).toBeUndefined();
    await expect(createClient(URL_, place.token, send).get('/me')).rejects.toMatchObject({ status: 401 });
  });

  test('that somebody says no to keeps nothing', async () => {
    expect(await login('deny')).toBe(1);
    expect(said).toContain('You said no in the browser.');
    expect(loginAt(URL_, env())).toBeUndefined();
  });

  test('does not go by a session that others can read', async () => {
    await login('confirm');
    const file = join(folder, 'hallpass', readdirSync(join(folder, 'hallpass')).find((n) => n.endsWith('.json')) ?? '');
    writeFileSync(file, readFileSync(file), { mode: 0o644 });
    rmSync(file);
    writeFileSync(file, '{}', { mode: 0o644 });
    expect(() => placeAt(URL_, env(), NOW)).toThrow(/Others can read/);
  });

  test('sends no credential over a line that others hear', () => {
    for (const url of ['http://hallpass.acme.example', 'ftp://x', 'hallpass', 'https://u:p@hallpass.acme.example'])
      expect(() => addressOf(url)).toThrow();
    expect(addressOf('http://127.0.0.1:3000/')).toBe('http://127.0.0.1:3000');
  });

  test('a token in the environment goes with the address there, and with no other', () => {
    const both = readClientEnvironment({ HALLPASS_URL: URL_, HALLPASS_TOKEN: 'hp_x', HOME: folder });
    expect(placeAt(URL_, both, NOW)).toEqual({ url: URL_, token: 'hp_x' });
    expect(both.child).toEqual({ HOME: folder });
    expect(() => placeAt(URL_, readClientEnvironment({ HALLPASS_TOKEN: 'hp_x', HOME: folder }), NOW)).toThrow(
      /not signed in/,
    );
  });
});

describe('a command', () => {
  const wish = { resource: 'db-prod', duration: '30m', reason: 'fix the stuck migration' };

  test('asks, shows, is answered by somebody else, and lists as a table', async () => {
    const [ana, ben] = [await as('ana'), await as('ben')];
    expect(await client.requestCommand(out, ana, wish, undefined, () => undefined)).toBe(0);
    const id = /R-\w+/.exec(said)?.[0] ?? '';
    expect(said).toMatch(/^Requested\. R-\w+: .*\nAsked: Ben\.\n$/);
    said = '';
    expect(await client.listCommand(out, ana, 'mine')).toBe(0);
    expect(said.split('\n')[0]).toMatch(/^ID +WHO +WHAT +STATE +UNTIL +WHY$/);
    expect(said.split('\n')[1]).toMatch(new RegExp(`^${id} +Ana +db-prod:read +pending .*fix the stuck migration$`));
    said = '';
    const shown: string[] = [];
    const sure = async (lines: readonly string[]) => shown.push(...lines) > 0;
    expect(await client.approveCommand(out, ben, id, '10m', sure)).toBe(0);
    expect(shown.join('\n')).toContain('Why: fix the stuck migration');
    expect(said).toMatch(/^Approved\. /);
  });

  test('that is refused says why and what helps, and exits with 1', async () => {
    const ana = await as('ana');
    expect(await client.requestCommand(out, ana, { ...wish, reason: 'short' }, undefined, () => undefined)).toBe(1);
    expect(said.split('\n').length).toBeGreaterThan(2);
    said = '';
    expect(await client.approveCommand(out, ana, 'R-7KQ2', undefined, async () => true)).toBe(1);
    expect(await client.simpleCommand(out, ana, 'return', 'G-7KQ2')).toBe(1);
    const json = createOut(true, (text) => {
      said = text;
    });
    expect(await client.simpleCommand(json, ana, 'cancel', 'R-7KQ2')).toBe(1);
    expect(JSON.parse(said)).toMatchObject({ ok: false, code: 'unknown_id', status: 404 });
  });

  test('whose answer was lost is sent again under the same key, and acts once', async () => {
    const secret = await api.credential('ana', 'cli');
    let lost = 1;
    const losing: typeof fetch = async (address, options) => {
      const answer = await send(address, options);
      if (lost-- > 0) throw new TypeError('fetch failed');
      return answer;
    };
    const ana = createClient(URL_, secret, losing);
    expect(await client.requestCommand(out, ana, wish, undefined, () => undefined)).toBe(0);
    const listed = await ana.get<{ items: unknown[] }>('/requests?which=mine');
    expect(listed.items).toHaveLength(1);
  });

  test('that cannot reach anybody says so, and is no crash', async () => {
    const nobody = createClient(URL_, 'x', () => Promise.reject(new TypeError('fetch failed')));
    await expect(nobody.get('/me', { triesMs: 0 })).rejects.toMatchObject({ status: 0, message: /cannot be reached/ });
  });
});

test('what people wrote steers no terminal', () => {
  expect(plain('red \u001b[31malert\u0007\nnext\u202e')).toBe('red  [31malert next');
  const [, row] = table(['ID', 'WHY'], [['R-1', `${'long '.repeat(30)}`]]);
  expect(row).not.toContain('\n');
});
