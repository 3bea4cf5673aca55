/** Promise: a program asks through the API, people answer in chat, and what it may do it may do by its token alone. */
import { afterEach, describe, expect, it } from 'vitest';
import { createOut } from '../../src/cli/out.ts';
import { createTokenCommand, listTokensCommand, revokeTokenCommand } from '../../src/cli/token.ts';
import { PEOPLE } from '../../src/sandbox/world.ts';
import { APPROVALS, type Journey, startJourney } from '../support/journey.ts';

const DAY = 86_400_000;
let journey: Journey;
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

const made = (scopes: readonly string[], more: { readonly for?: string } = {}) =>
  host((io) =>
    createTokenCommand(io, journey.settings, {
      for: more.for ?? PEOPLE.ana.email,
      scopes,
      expiresInMs: 90 * DAY,
      label: 'nightly export',
      operator: 'root',
    }),
  );

async function call(secret: string, method: string, path: string, body?: object) {
  const response = await fetch(`http://127.0.0.1:${journey.bot.port}/api/v1${path}`, {
    method,
    headers: {
      authorization: `Bearer ${secret}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

describe('a token', () => {
  it('asks, waits until a person has approved in chat and the access is seen, and is in the trail', async () => {
    journey = await startJourney('sqlite');
    const { said } = await made(['requests:read', 'requests:write']);
    const secret = String(said['secret']);
    const asked = await call(secret, 'POST', '/requests', {
      resource: 'db-prod',
      duration: '30m',
      reason: 'fix the stuck migration',
    });
    expect(asked.status).toBe(201);
    const { id } = asked.body['request'] as { id: string };
    const card = await journey.posted(APPROVALS, new RegExp(id));
    const waiting = call(secret, 'GET', `/requests/${id}/wait?until=active&timeout=30`);
    await journey.person('ben').press(card, 'approve');
    expect((await waiting).body).toMatchObject({
      reached: true,
      request: { grant: { state: 'active', checked: true } },
    });
    expect(journey.isMember('ana', 'read')).toBe(true);
    await journey.told('ana', /Added to .*\(checked\)/);
    const [first] = await journey.story(id);
    expect(first?.actor).toMatchObject({
      kind: 'person',
      name: 'Ana Sousa',
      via: { kind: 'token', session: said['id'] },
    });
  });

  it('is listed with its last use and without its secret, and ends at once when it is revoked', async () => {
    journey = await startJourney('sqlite');
    const { said } = await made(['requests:read']);
    const secret = String(said['secret']);
    expect((await call(secret, 'GET', '/requests')).status).toBe(200);
    const listed = await host((io) => listTokensCommand(io, journey.settings));
    expect(listed.said['tokens']).toMatchObject([
      { id: said['id'], for: 'Ana Sousa', label: 'nightly export', state: 'live', lastUsedAt: expect.any(String) },
    ]);
    expect(JSON.stringify(listed.said)).not.toContain(secret);
    await host((io) => revokeTokenCommand(io, journey.settings, { id: String(said['id']), operator: 'root' }));
    expect((await call(secret, 'GET', '/requests')).status).toBe(401);
  });

  it('is not made for an unknown person, an unknown scope, or longer than a year', async () => {
    journey = await startJourney('sqlite');
    expect(await made(['requests:read'], { for: 'nobody@example.com' })).toMatchObject({ code: 1 });
    expect((await made(['requests:approve'])).said['error']).toContain('There is no scope "requests:approve"');
    const order = { for: PEOPLE.ana.email, scopes: [], expiresInMs: 400 * DAY, operator: 'root' };
    expect(await host((io) => createTokenCommand(io, journey.settings, order))).toMatchObject({ code: 1 });
    expect(await journey.bot.store.sessions({ limit: 9 })).toEqual([]);
  });
});
