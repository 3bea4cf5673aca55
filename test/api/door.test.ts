/** Promise: a credential opens what it was made for, while it holds, and says nothing to whoever has none. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ApiWorld, startApi } from '../support/api.ts';
import { HOUR, MINUTE } from '../support/builders.ts';

let world: ApiWorld;
beforeEach(async () => {
  world = await startApi();
});
afterEach(async () => {
  expect(world.errors).toEqual([]);
  await world.close();
});

const token = (scopes: readonly string[]) => world.credential('ana', 'token', { scopes });

describe('a credential', () => {
  it('stands for one person, who may see what it is', async () => {
    const secret = await world.credential('ana', 'token', { scopes: ['requests:read'], label: 'nightly export' });
    const { status, body } = await world.call('GET', '/me', { secret });
    expect(status).toBe(200);
    expect(body).toMatchObject({
      person: { id: 'okta/ana', name: 'Ana', email: 'ana@acme.com' },
      session: { kind: 'token', label: 'nightly export', scopes: ['requests:read'] },
      zone: 'UTC',
    });
    expect(JSON.stringify(body)).not.toContain(secret);
  });

  it('is remembered by when it was last used', async () => {
    const secret = await token([]);
    world.clock.pass(MINUTE);
    await world.call('GET', '/me', { secret });
    expect(await world.store.sessions({ limit: 9 })).toMatchObject([{ lastUsedAt: world.clock.now() }]);
  });

  const WRONG: Readonly<Record<string, () => Promise<string | undefined>>> = {
    missing: async () => undefined,
    forged: async () => `hallpass_${'0'.repeat(43)}`,
    expired: () => world.credential('ana', 'token', { expiresAt: world.clock.now() + HOUR }),
    ended: () => world.credential('ana', 'token', { endedAt: world.clock.now() }),
    'a browser’s': () => world.credential('ana', 'web'),
  };

  it.each(Object.keys(WRONG))('that is %s is refused, in the same words as every other', async (which) => {
    const secret = await WRONG[which]?.();
    world.clock.pass(HOUR);
    const answer = await world.call('GET', '/me', secret === undefined ? {} : { secret });
    const nonsense = await world.call('GET', '/me', { secret: 'x' });
    expect([answer.status, answer.body]).toEqual([401, nonsense.body]);
    expect(answer.headers.get('www-authenticate')).toBe(nonsense.headers.get('www-authenticate'));
  });

  it('of another scope is refused before anything else is looked at', async () => {
    const secret = await token(['requests:read']);
    const { status, body, headers } = await world.call('POST', '/requests', { secret, body: { wrong: true } });
    expect([status, body['code']]).toEqual([403, 'scope_missing']);
    expect(headers.get('www-authenticate')).toContain('scope="requests:write"');
  });

  it('of a disabled person does nothing any more', async () => {
    const secret = await token(['requests:read']);
    world.setActive('ana', false);
    const { status, body } = await world.call('GET', '/requests', { secret });
    expect([status, body['code']]).toEqual([403, 'not_recognised']);
  });
});

describe('too many calls', () => {
  it('of one credential are refused for the rest of the minute, and it is said when to come back', async () => {
    const secret = await token([]);
    const statuses: number[] = [];
    for (let n = 0; n < 301; n++) statuses.push((await world.call('GET', '/me', { secret })).status);
    expect([statuses.filter((status) => status === 200).length, statuses.at(-1)]).toEqual([300, 429]);
    const refused = await world.call('GET', '/me', { secret });
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(refused.headers.get('ratelimit')).toMatch(/^"session";r=0;t=\d+$/);
    world.clock.pass(MINUTE);
    expect((await world.call('GET', '/me', { secret })).status).toBe(200);
  });

  it('with credentials that do not hold shut the address out, and nobody who was in already', async () => {
    const known = await token([]);
    await world.call('GET', '/me', { secret: known });
    const fresh = await token([]);
    for (let n = 0; n < 30; n++) await world.call('GET', '/me', { secret: `hp_${String(n).padStart(40, '0')}` });
    expect((await world.call('GET', '/me', { secret: 'hp_guess' })).status).toBe(429);
    expect((await world.call('GET', '/me', { secret: fresh })).status).toBe(429);
    expect((await world.call('GET', '/me', { secret: known })).status).toBe(200);
    expect((await world.call('GET', '/me', { secret: fresh, from: '10.0.0.2' })).status).toBe(200);
  });
});

describe('what is no call of the API', () => {
  it('says so: no such path, another method, not JSON, not what the schema wants', async () => {
    const secret = await token(['requests:write']);
    const answers = [
      await world.call('GET', '/nothing', { secret }),
      await world.call('DELETE', '/me', { secret }),
      await world.call('POST', '/requests', { secret, body: 'x', headers: { 'content-type': 'text/plain' } }),
      await world.call('POST', '/requests', { secret, body: '{' }),
      await world.call('POST', '/requests', { secret, body: { resource: 7, more: 1 } }),
    ];
    expect(answers.map(({ status, body }) => [status, body['code']])).toEqual([
      [404, 'no_such_path'],
      [405, 'other_method'],
      [415, 'not_json'],
      [400, 'bad_json'],
      [422, 'invalid'],
    ]);
    expect(answers[1]?.headers.get('allow')).toBe('GET, HEAD');
    expect(answers[4]?.body['errors']).toMatchObject([
      { path: 'body.resource' },
      { path: 'body.reason' },
      { path: 'body' },
    ]);
    for (const { headers } of answers) expect(headers.get('content-type')).toBe('application/problem+json');
    expect(await world.store.list({ limit: 9 })).toEqual([]);
  });
});
