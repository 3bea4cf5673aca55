/** Promise: a program asks through the API, people answer in chat, and what it may do it may do by its token alone. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Session } from '../../src/access/model.ts';
import { createOut } from '../../src/cli/out.ts';
import { createTokenCommand, listTokensCommand, revokeTokenCommand } from '../../src/cli/token.ts';
import { randomIds } from '../../src/ids.ts';
import { PEOPLE } from '../../src/sandbox/world.ts';
import { APPROVALS, type Journey, startJourney } from '../support/journey.ts';

const DAY = 86_400_000;
let journey: Journey;
beforeEach(async () => {
  journey = await startJourney('sqlite');
});
afterEach(() => journey.end());

/** What a command on the host says, as JSON. */
async function host(command: (io: ReturnType<typeof createOut>) => Promise<number>) {
  let said = '';
  const code = await command(
    createOut(true, (text) => {
      said += text;
    }),
  );
  return { code, said: JSON.parse(said) as Record<string, unknown> };
}

const made = (scopes: readonly string[], more: { readonly for?: string; readonly days?: number } = {}) =>
  host((io) =>
    createTokenCommand(io, journey.settings, {
      for: more.for ?? PEOPLE.ana.email,
      scopes,
      expiresInMs: (more.days ?? 90) * DAY,
      label: 'nightly export',
      operator: 'root',
    }),
  );

const url = () => `http://127.0.0.1:${journey.bot.port}`;

async function call(secret: string, method: string, path: string, body?: string) {
  const response = await fetch(`${url()}/api/v1${path}`, {
    method,
    headers: {
      authorization: `Bearer ${secret}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body }),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

describe('the commands of docs/api.md', () => {
  it('ask, wait until a person has approved in chat and the access is seen, extend and return', async () => {
    const { said } = await made(['requests:read', 'requests:write', 'grants:write']);
    const page = await readFile(join(import.meta.dirname, '../../docs/api.md'), 'utf8');
    const [script = ''] = [...page.matchAll(/^```bash\n([\s\S]*?)^```$/gm)].map((match) => match[1] ?? '');
    const shell = spawn('bash', ['-euo', 'pipefail', '-c', script], {
      env: { PATH: process.env.PATH, HALLPASS_URL: url(), HALLPASS_TOKEN: String(said.secret) },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let printed = '';
    shell.stdout.on('data', (text: Buffer) => {
      printed += text.toString();
    });
    shell.stderr.on('data', (text: Buffer) => {
      printed += text.toString();
    });
    const ended = once(shell, 'close');
    const card = await journey.posted(APPROVALS, /fix the stuck migration/);
    await journey.person('ben').press(card, 'approve');
    const [code] = (await ended) as [number | null];
    expect([code, printed]).toEqual([0, expect.stringMatching(/^R-\S+: Waiting for approval\. [^\n]*Asked: /)]);
    expect(printed.split('\n').slice(1)).toEqual([
      'true',
      expect.stringMatching(/^Waiting for approval\./),
      expect.stringMatching(/^Returned\. Removing from prod-db-read\./),
      expect.stringMatching(/^Returned\. Removed from prod-db-read .*, checked\./),
      '',
    ]);
    expect(journey.isMember('ana', 'read')).toBe(false);
    const [first] = await journey.story(/^R-[0-9A-Z]+/.exec(printed)?.[0] ?? '');
    expect(first?.actor).toMatchObject({ kind: 'person', name: 'Ana Sousa', via: { session: said.id } });
  });
});

describe('a token', () => {
  it('is listed with its last use and without its secret, and ends at once when it is revoked', async () => {
    const { said } = await made(['requests:read']);
    const secret = String(said.secret);
    expect((await call(secret, 'GET', '/requests')).status).toBe(200);
    const tooLarge = await call(secret, 'POST', '/requests', JSON.stringify({ reason: 'x'.repeat(70_000) }));
    expect([tooLarge.status, tooLarge.body.code]).toEqual([413, 'too_large']);
    const listed = await host((io) => listTokensCommand(io, journey.settings));
    expect(listed.said.tokens).toMatchObject([
      { id: said.id, for: 'Ana Sousa', label: 'nightly export', state: 'live', lastUsedAt: expect.any(String) },
    ]);
    expect(JSON.stringify(listed.said)).not.toContain(secret);
    await host((io) => revokeTokenCommand(io, journey.settings, { id: String(said.id), operator: 'root' }));
    expect((await call(secret, 'GET', '/requests')).status).toBe(401);
    // It is nobody's for whom the directory has no account, has no other scopes than there are, and ends within a year.
    expect(await made(['requests:read'], { for: 'nobody@example.com' })).toMatchObject({ code: 1 });
    expect((await made(['requests:approve'])).said.error).toContain('There is no scope "requests:approve"');
    expect(await made(['requests:read'], { days: 400 })).toMatchObject({ code: 1 });
    expect(await journey.bot.store.sessions({ limit: 9 })).toHaveLength(1);
  });

  it('is not all that the host can end: a stolen session of a command line ends there too, by its id in the trail', async () => {
    const { said } = await made(['requests:read']);
    const token = await journey.bot.store.session(String(said.id));
    if (token === undefined) throw new Error('there is no token');
    const secret = `hps_${'x'.repeat(40)}`;
    const { scopes: _, ...of } = token;
    const stolen: Session = { ...of, id: 'S-0a1b2c', kind: 'cli', secretHash: randomIds().hash(secret), scopes: [] };
    await journey.bot.store.commit({ changes: [{ put: 'session', row: stolen }] });
    expect((await call(secret, 'GET', '/me')).status).toBe(200);
    await host((io) => revokeTokenCommand(io, journey.settings, { id: stolen.id, operator: 'root' }));
    expect((await call(secret, 'GET', '/me')).status).toBe(401);
  });
});
