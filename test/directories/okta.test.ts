import { describe, expect, test } from 'vitest';
import type { Metrics } from '../../src/access/ports.ts';
import { type OktaServer, startOktaServer } from '../../src/sandbox/okta-server.ts';
import { OKTA_SCHEMAS, OKTA_STATUSES, oktaOperation } from '../support/okta-openapi.ts';
import { connect, credentialsOf, groupId, isWrite, keys, sectionFor, TOKEN, userId, type Way } from './okta-local.ts';

const seed = {
  users: [{ id: userId(1), login: 'ana@acme.example', email: 'ana@acme.example', name: 'Ana Alves' }],
  groups: [{ id: groupId(1), name: 'prod-db-read' }],
};

async function serving<T>(
  way: Way,
  run: (server: OktaServer) => Promise<T>,
  more: Partial<Parameters<typeof startOktaServer>[0]> = {},
): Promise<T> {
  const server = await startOktaServer({ seed: { ...credentialsOf(way), ...seed }, ...more });
  try {
    return await run(server);
  } finally {
    await server.close();
  }
}

describe('signing in as a service app', () => {
  test('works with an EC key', () =>
    serving('ec', async (server) => {
      expect(await connect('ec', server).add(groupId(1), userId(1))).toBe('added');
    }));

  test('many calls at once fetch one token, and it is kept', () =>
    serving('rsa', async (server) => {
      const okta = connect('rsa', server);
      await Promise.all(Array.from({ length: 20 }, () => okta.getUser(userId(1))));
      await okta.getUser(userId(1));
      expect(server.state().counters.tokensIssued).toBe(1);
    }));

  test('a token is renewed shortly before it ends, by the monotonic clock', () =>
    serving('rsa', async (server) => {
      let moved = 0;
      const okta = connect('rsa', server, { clock: { now: () => Date.now(), monotonic: () => moved } });
      await okta.getUser(userId(1));
      moved = 3_539_000;
      await okta.getUser(userId(1));
      expect(server.state().counters.tokensIssued).toBe(1);
      moved = 3_541_000;
      await okta.getUser(userId(1));
      expect(server.state().counters.tokensIssued).toBe(2);
    }));

  test('a token that Okta no longer takes is replaced, and the write goes through', () =>
    serving('rsa', async (server) => {
      const okta = connect('rsa', server);
      await okta.getUser(userId(1));
      server.control({ do: 'revoke-token' });
      expect(await okta.add(groupId(1), userId(1))).toBe('added');
      expect(server.state().counters).toMatchObject({ tokensIssued: 2, byStatus: { 204: 1, 401: 1 } });
    }));

  test('a key that Okta does not know is unauthorized, and nothing is sent with a made-up token', () =>
    serving('rsa', async (server) => {
      const okta = connect('rsa', server, { keyText: keys.ec.privateKey });
      await expect(okta.add(groupId(1), userId(1))).rejects.toMatchObject({
        code: 'unauthorized',
        effect: 'none',
        message: expect.stringContaining('invalid_client'),
      });
      expect(server.state().log.every((entry) => entry.path === '/oauth2/v1/token')).toBe(true);
    }));

  test.each([
    [{ kind: 'status', status: 400 }, 'unauthorized'],
    [{ kind: 'status', status: 429 }, 'rate_limited'],
    [{ kind: 'status', status: 500 }, 'unavailable'],
    [{ kind: 'malformed' }, 'unavailable'],
    [{ kind: 'reset' }, 'unavailable'],
    [{ kind: 'hang' }, 'unavailable'],
  ] as const)('a token endpoint with %o fails as %s, and the write was not sent', (fault, code) =>
    serving('rsa', async (server) => {
      server.control({ do: 'fault', fault: { ...fault, path: '^/oauth2/' } });
      const okta = connect('rsa', server, { callDeadlineMs: 150 });
      await expect(okta.remove(groupId(1), userId(1))).rejects.toMatchObject({ code, effect: 'none' });
      expect(server.state().log.some(isWrite)).toBe(false);
    }),
  );

  test('scopes that were not granted are unauthorized', () =>
    serving('rsa', async (server) => {
      const section = { ...sectionFor('rsa', server.url) };
      const auth = { clientId: '0oaHallpass', keyFile: 'okta.pem', keyId: 'k1', scopes: ['okta.logs.read'] };
      const okta = connect('rsa', server, { section: { ...section, auth } });
      await expect(okta.getUser(userId(1))).rejects.toMatchObject({ code: 'unauthorized' });
    }));
});

describe("Okta's own ways", () => {
  test('a group fed by a rule beyond the first page of rules is unmanageable, and a sleeping rule feeds nobody', async () => {
    const rules = Array.from({ length: 120 }, (_, n) => ({
      id: `0pr${n}`,
      name: `rule ${n}`,
      status: n === 119 ? ('ACTIVE' as const) : ('INACTIVE' as const),
      groupIds: [groupId(n === 119 ? 2 : 1)],
    }));
    const groups = [...seed.groups, { id: groupId(2), name: 'fed' }];
    await serving(
      'token',
      async (server) => {
        const okta = connect('token', server);
        expect((await okta.findGroup('fed'))?.unmanageable).toContain('rule 119');
        expect(await okta.findGroup('prod-db-read')).toEqual({ id: groupId(1), name: 'prod-db-read' });
      },
      { seed: { ...credentialsOf('token'), ...seed, groups, rules } },
    );
  });

  test('two groups of one name are refused, and the refusal names both ids', async () => {
    const groups = [...seed.groups, { id: groupId(2), name: 'prod-db-read', type: 'APP_GROUP' as const }];
    await serving(
      'token',
      async (server) => {
        const failed = expect(connect('token', server).findGroup('prod-db-read')).rejects;
        await failed.toMatchObject({ code: 'rejected', message: expect.stringContaining(groupId(2)) });
      },
      { seed: { ...credentialsOf('token'), ...seed, groups } },
    );
  });

  test("a person's groups are read to the last page before somebody counts as absent", async () => {
    const groups = Array.from({ length: 9 }, (_, n) => ({
      id: groupId(n),
      name: `group ${n}`,
      members: [userId(1)],
    }));
    await serving(
      'token',
      async (server) => {
        expect(await connect('token', server).isMember(groupId(8), userId(1))).toBe(true);
      },
      { pageMax: 2, seed: { ...credentialsOf('token'), ...seed, groups } },
    );
  });

  test('a 404 page that is not from Okta does not make a member absent', () =>
    serving('token', async (server) => {
      server.control({
        do: 'fault',
        fault: { kind: 'status', status: 404, method: 'DELETE', body: '<h1>nginx: not found</h1>' },
      });
      const failed = expect(connect('token', server).remove(groupId(1), userId(1))).rejects;
      await failed.toMatchObject({ code: 'unavailable', effect: 'unknown' });
    }));

  test('a 404 while group and person both exist means that the member was not there', () =>
    serving('token', async (server) => {
      server.control({ do: 'fault', fault: { kind: 'status', status: 404, path: '/users/00u', times: 1 } });
      expect(await connect('token', server).remove(groupId(1), userId(1))).toBe('was_not_member');
    }));

  test('every call is counted by operation and outcome', () =>
    serving('token', async (server) => {
      const counted: unknown[] = [];
      const seen: Metrics = { count: (name, labels) => counted.push([name, labels]), observe: () => {} };
      const okta = connect('token', server, { metrics: seen });
      await okta.add(groupId(1), userId(1));
      await okta.remove(groupId(3), userId(1)).catch(() => {});
      expect(counted).toEqual(
        [
          ['add_member', 'ok'],
          ['remove_member', 'not_found'],
          ['read_group', 'ok'],
        ].map(([operation, outcome]) => ['hallpass_directory_calls_total', { directory: 'okta', operation, outcome }]),
      );
    }));
});

describe('proof of possession', () => {
  test('is given when Okta asks for it, with its nonce, and a token is fetched once', () =>
    serving('dpop', async (server) => {
      const okta = connect('dpop', server);
      await Promise.all([okta.getUser(userId(1)), okta.add(groupId(1), userId(1))]);
      expect(await okta.remove(groupId(1), userId(1))).toBe('removed');
      const { log, counters } = server.state();
      expect(counters.tokensIssued).toBe(1);
      // Without a proof, without its nonce, with both.
      expect(log.filter(({ path }) => path === '/oauth2/v1/token').map(({ status }) => status)).toEqual([
        400, 400, 200,
      ]);
    }));

  test('a token that is bound to the key is worth nothing without it', () =>
    serving('dpop', async (server) => {
      let stolen = '';
      const watching: typeof fetch = (input, init) => {
        stolen = new Headers(init?.headers).get('authorization') ?? stolen;
        return fetch(input, init);
      };
      await connect('dpop', server, { fetch: watching }).getUser(userId(1));
      expect(stolen).toMatch(/^DPoP /);
      for (const authorization of [stolen, stolen.replace('DPoP', 'Bearer')]) {
        const answer = await fetch(`${server.url}/api/v1/users/${userId(1)}`, { headers: { authorization } });
        expect(answer.status).toBe(401);
      }
    }));

  test('an Okta that never takes a proof is unauthorized, after three tries', () =>
    serving('dpop', async (server) => {
      const body = JSON.stringify({ error: 'invalid_dpop_proof', error_description: 'no' });
      server.control({ do: 'fault', fault: { kind: 'status', status: 400, path: '^/oauth2/', body } });
      await expect(connect('dpop', server).getUser(userId(1))).rejects.toMatchObject({ code: 'unauthorized' });
      expect(server.state().counters.requests).toBe(3);
    }));
});

const signingOut = (way: Way, server: OktaServer) =>
  connect(way, server, { section: { ...sectionFor(way, server.url), clearSessionsOnRevoke: true } });
const withScopes = (...scopes: readonly string[]) => {
  const { clients = [] } = { clients: undefined, ...credentialsOf('rsa') };
  return { seed: { ...seed, clients: clients.map((client) => ({ ...client, scopes })) } };
};

describe('signing somebody out of Okta', () => {
  test('ends their sessions, and somebody who is gone has none', () =>
    serving('token', async (server) => {
      const okta = signingOut('token', server);
      await okta.signOut?.(userId(1));
      await okta.signOut?.(userId(9));
      expect([server.signedOut(userId(1)), server.signedOut(userId(9))]).toEqual([1, 0]);
      await expect(okta.signOut?.('../me')).rejects.toMatchObject({ code: 'rejected', effect: 'none' });
    }));

  test('without its scope fails alone: removals go on', () =>
    serving('rsa', async (server) => {
      const okta = signingOut('rsa', server);
      await okta.add(groupId(1), userId(1));
      await expect(okta.signOut?.(userId(1))).rejects.toMatchObject({ code: 'unauthorized' });
      expect(await okta.remove(groupId(1), userId(1))).toBe('removed');
    }));

  test('is something that only a configured Okta does', () =>
    serving('token', async (server) => {
      expect(connect('token', server).signOut).toBeUndefined();
    }));
});

describe("Okta's own description of its API", () => {
  const properties = (kind: keyof typeof OKTA_SCHEMAS) => OKTA_SCHEMAS[kind].split(' ');

  test('knows every request that the adapter makes, with its parameters and the scope it has asked for', () =>
    serving(
      'rsa',
      async (server) => {
        const okta = signingOut('rsa', server);
        await okta.findGroup('prod-db-read');
        await okta.findGroup(groupId(1));
        await okta.findUser('ana@acme.example');
        await okta.getUser(userId(1));
        await okta.add(groupId(1), userId(1));
        await okta.isMember(groupId(2), userId(1)).catch(() => {});
        await okta.listMembers(groupId(1));
        await okta.remove(groupId(1), userId(1));
        await okta.signOut?.(userId(1));
        const asked = server.state().log.filter(({ path }) => path.startsWith('/api/'));
        const operations = asked.map(({ method, path }) => oktaOperation(method, path));
        expect(new Set(operations.map((operation) => operation?.id))).toEqual(
          new Set([
            'listGroups',
            'listGroupRules',
            'getGroup',
            'getUser',
            'assignUserToGroup',
            'listUserGroups',
            'listGroupUsers',
            'unassignUserFromGroup',
            'revokeUserSessions',
          ]),
        );
        for (const [at, operation] of operations.entries()) expect(operation?.statuses).toContain(asked[at]?.status);
        // `manage` contains `read`.
        const granted = new Set(['okta.groups.manage', 'okta.groups.read', 'okta.users.read', 'okta.users.manage']);
        expect(operations.filter((operation) => !granted.has(operation?.scope ?? ''))).toEqual([]);
      },
      withScopes('okta.groups.manage', 'okta.users.read', 'okta.users.manage'),
    ));

  test('has every property and every status that the local Okta answers with', async () => {
    const rules = [{ id: '0pr1', name: 'feeds', status: 'ACTIVE' as const, groupIds: [groupId(1)] }];
    const groups = [{ id: groupId(1), name: 'prod-db-read', members: [userId(1)] }];
    await serving(
      'token',
      async (server) => {
        const authorization = `SSWS ${TOKEN}`;
        const ask = async (path: string) =>
          (await (await fetch(server.url + path, { headers: { authorization } })).json()) as Record<string, unknown>[];
        const [user] = await ask(`/api/v1/groups/${groupId(1)}/users`);
        const [group] = await ask('/api/v1/groups');
        const [rule] = await ask('/api/v1/groups/rules');
        const error = (await ask('/api/v1/groups/none')) as unknown as Record<string, unknown>;
        expect(properties('User')).toEqual(expect.arrayContaining(Object.keys(user ?? { none: 1 })));
        expect(properties('Group')).toEqual(expect.arrayContaining(Object.keys(group ?? { none: 1 })));
        expect(properties('GroupRule')).toEqual(expect.arrayContaining(Object.keys(rule ?? { none: 1 })));
        expect(Object.keys(error).sort()).toEqual(properties('Error'));
        expect(OKTA_STATUSES.user).toContain(user?.status);
        expect(OKTA_STATUSES.group).toContain(group?.type);
        expect(OKTA_STATUSES.rule).toContain(rule?.status);
      },
      { seed: { ...credentialsOf('token'), ...seed, groups, rules } },
    );
  });
});
