/** The local Okta is what the adapter is trusted against, so it must refuse what Okta refuses. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type OktaServer, startOktaServer } from '../../src/sandbox/okta-server.ts';

const user = (n: number) => `00u${String(n).padStart(17, '0')}`;
const group = (n: number) => `00g${String(n).padStart(17, '0')}`;
let server: OktaServer;

beforeAll(async () => {
  server = await startOktaServer({
    seed: {
      users: [1, 2, 3].map((n) => ({
        id: user(n),
        login: `u${n}@acme.example`,
        email: `u${n}@acme.example`,
        name: `U ${n}`,
      })),
      groups: [
        { id: group(1), name: 'fed', members: [user(1), user(2), user(3)] },
        { id: group(2), name: 'Everyone', type: 'BUILT_IN' },
        { id: group(3), name: 'fed too' },
      ],
      rules: [{ id: '0pr1', name: 'feeds', status: 'ACTIVE', groupIds: [group(1)] }],
      tokens: [{ token: 'good' }, { token: 'reader', readOnly: true }],
    },
  });
});
afterAll(() => server.close());

const ask = async (method: string, path: string, token = 'good') => {
  const response = await fetch(server.url + path, { method, headers: { authorization: `SSWS ${token}` } });
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: text === '' ? undefined : JSON.parse(text) };
};
const post = (body: unknown, headers: Record<string, string> = { 'content-type': 'application/json' }) =>
  fetch(`${server.url}/__control`, { method: 'POST', headers, body: JSON.stringify(body) });

describe('the local Okta', () => {
  test('takes no token that it was not told of', async () => {
    for (const token of ['bad', '', 'undefined']) {
      expect(await ask('GET', '/api/v1/groups', token)).toMatchObject({ status: 401, body: { errorCode: 'E0000011' } });
    }
  });

  test('refuses changes by a read-only token and of groups that are not its own', async () => {
    const forbidden = { status: 403, body: { errorCode: 'E0000006' } };
    expect(await ask('PUT', `/api/v1/groups/${group(1)}/users/${user(1)}`, 'reader')).toMatchObject(forbidden);
    expect(await ask('PUT', `/api/v1/groups/${group(2)}/users/${user(1)}`)).toMatchObject(forbidden);
  });

  test('pages by an opaque cursor and refuses one that was built', async () => {
    const first = await ask('GET', `/api/v1/groups/${group(1)}/users?limit=2`);
    expect(first.body).toHaveLength(2);
    const next = /<([^>]+)>; rel="next"/.exec(first.headers.get('link') ?? '')?.[1] ?? '';
    const second = await ask('GET', next.slice(server.url.length));
    expect(second.body).toMatchObject([{ id: user(3) }]);
    expect(second.headers.get('link')).not.toContain('next');
    expect((await ask('GET', `/api/v1/groups/${group(1)}/users?after=${user(2)}`)).status).toBe(400);
  });

  test('searches names by their beginning and refuses an expression it does not understand', async () => {
    expect((await ask('GET', '/api/v1/groups?q=fed')).body).toMatchObject([{ id: group(1) }, { id: group(3) }]);
    const exact = encodeURIComponent('profile.name eq "fed too"');
    expect((await ask('GET', `/api/v1/groups?search=${exact}`)).body).toMatchObject([{ id: group(3) }]);
    expect((await ask('GET', '/api/v1/users?filter=profile.login')).status).toBe(400);
  });

  test('puts a person removed from a fed group on the exclusion list of the rule', async () => {
    expect((await ask('DELETE', `/api/v1/groups/${group(1)}/users/${user(1)}`)).status).toBe(204);
    expect(server.state().excluded).toEqual({ '0pr1': [user(1)] });
  });

  test('is controlled by JSON from its own host only, and shows what it knows', async () => {
    expect((await post({ do: 'add-member', group: group(3), user: user(2) })).status).toBe(200);
    const shown = await (await fetch(`${server.url}/__control/state`)).json();
    expect(shown).toMatchObject({ groups: { [group(3)]: [user(2)] }, counters: { tokensIssued: 0 } });
    expect((await post({ do: 'clear' }, { 'content-type': 'text/plain' })).status).toBe(415);
    expect((await post({ do: 'explode' })).status).toBe(400);
    expect((await post({ do: 'delete-group', group: 'none' })).status).toBe(400);
    const elsewhere = server.url.replace('127.0.0.1', 'localhost');
    expect((await fetch(`${elsewhere}/__control/state`)).status).toBe(403);
  });

  test('answers 429 with its own body when the budget of the window is spent', async () => {
    server.control({ do: 'budget', limit: 1, windowMs: 60_000 });
    expect((await ask('GET', '/api/v1/groups')).headers.get('x-rate-limit-remaining')).toBe('0');
    expect(await ask('GET', '/api/v1/groups')).toMatchObject({ status: 429, body: { errorCode: 'E0000047' } });
    server.control({ do: 'budget', limit: 600, windowMs: 60_000 });
  });
});
