import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { Clock, Metrics } from '../../src/access/ports.ts';
import { createOkta, type OktaSection } from '../../src/directories/okta.ts';
import type { OktaFault } from '../../src/sandbox/okta-faults.ts';
import { type OktaServer, startOktaServer } from '../../src/sandbox/okta-server.ts';
import { type ContractFault, type DirectoryHarness, directoryContract } from '../contracts/directory.ts';

const clock: Clock = { now: () => Date.now(), monotonic: () => performance.now() };
const metrics: Metrics = { count: () => {}, observe: () => {} };
const TOKEN = '00canaryTokenThatNobodyMaySee';
const pem = (type: 'rsa' | 'ec') => {
  const pair =
    type === 'rsa'
      ? generateKeyPairSync('rsa', { modulusLength: 2048 })
      : generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return {
    privateKey: pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    publicKey: pair.publicKey.export({ type: 'spki', format: 'pem' }).toString(),
  };
};
const keys = { rsa: pem('rsa'), ec: pem('ec') };
const id = (prefix: string) => (n: number) => `${prefix}${String(n).padStart(17, '0')}`;
const userId = id('00u');
const groupId = id('00g');

type Way = 'token' | 'rsa' | 'ec';

function sectionFor(way: Way, url: string): OktaSection {
  const auth = way === 'token' ? { token: TOKEN } : { clientId: '0oaHallpass', keyFile: 'okta.pem', keyId: 'k1' };
  return { type: 'okta', url, auth };
}

function connect(way: Way, server: OktaServer, more: Partial<Parameters<typeof createOkta>[0]> = {}) {
  return createOkta({
    name: 'okta',
    section: sectionFor(way, server.url),
    ...(way === 'token' ? {} : { keyText: keys[way].privateKey }),
    clock,
    metrics,
    jitter: () => 0,
    ...more,
  });
}

const credentialsOf = (way: Way) =>
  way === 'token'
    ? { tokens: [{ token: TOKEN }] }
    : { clients: [{ clientId: '0oaHallpass', publicKey: keys[way].publicKey, keyId: 'k1' }] };

const isWrite = (entry: { method: string }) => entry.method === 'PUT' || entry.method === 'DELETE';

function oktaFaults(fault: ContractFault): OktaFault[] {
  const { kind, on } = fault;
  const where = {
    path: on === 'all' ? '^/' : '^/api/v1/',
    ...(fault.times === undefined ? {} : { times: fault.times }),
  };
  const methods = on === 'writes' ? ['PUT', 'DELETE'] : on === 'reads' ? ['GET'] : ['GET', 'PUT', 'DELETE', 'POST'];
  const said = JSON.stringify({ errorCode: 'E0000001', errorSummary: 'Api validation failed: {{authorization}}' });
  return methods.map((method) => {
    if (kind === 'reset-before' || kind === 'reset-after') {
      return { ...where, method, kind: 'reset', after: kind === 'reset-after' };
    }
    if (kind === 'hang' || kind === 'hang-after')
      return { ...where, method, kind: 'hang', after: kind === 'hang-after' };
    if (kind !== 'status') return { ...where, method, kind };
    return { ...where, method, kind, status: fault.status ?? 500, ...(fault.echo === true ? { body: said } : {}) };
  });
}

function harness(way: Way): DirectoryHarness {
  return {
    userId,
    groupId,
    groupName: (word) => word,
    removalReads: 0,
    unmanageable: ['rule-fed', 'app-mastered', 'built-in'],
    memberCounts: [0, 1, 199, 200, 201, 401],
    async start(seed, options = {}) {
      const server = await startOktaServer({
        ...(options.budget === undefined ? {} : { budget: { limit: options.budget, windowMs: 60_000 } }),
        seed: {
          ...credentialsOf(way),
          users: seed.users.map(({ id: each, login, active }) => ({
            id: each,
            login,
            email: login,
            name: login,
            status: active === false ? 'SUSPENDED' : 'ACTIVE',
          })),
          groups: seed.groups.map(({ kind, ...group }) => ({
            ...group,
            type: kind === 'app-mastered' ? 'APP_GROUP' : kind === 'built-in' ? 'BUILT_IN' : 'OKTA_GROUP',
          })),
          rules: seed.groups.flatMap((group) =>
            group.kind === 'rule-fed'
              ? [{ id: `0pr${group.id}`, name: 'all of engineering', status: 'ACTIVE' as const, groupIds: [group.id] }]
              : [],
          ),
        },
      });
      const directory = connect(way, server, { callDeadlineMs: options.callDeadlineMs ?? 5_000 });
      const secrets = way === 'token' ? [TOKEN] : ['local.', keys[way].privateKey.split('\n')[1] ?? 'no key', 'eyJ'];
      return {
        directory,
        secrets,
        holds: server.isMember,
        fault: (fault) => {
          for (const each of oktaFaults(fault)) server.control({ do: 'fault', fault: each });
        },
        clear: () => server.control({ do: 'clear' }),
        lagReads: (reads) => server.control({ do: 'lag', reads }),
        rateLimit: (resetInMs, skewMs) => {
          const reset = Math.round((Date.now() + resetInMs + skewMs) / 1_000);
          const headers = {
            'x-rate-limit-limit': '100',
            'x-rate-limit-remaining': '0',
            'x-rate-limit-reset': `${reset}`,
          };
          server.control({ do: 'fault', fault: { kind: 'status', status: 429, path: '^/api/', headers } });
        },
        deleteGroup: (group) => server.control({ do: 'delete-group', group }),
        deleteUser: (user) => server.control({ do: 'delete-user', user }),
        revokeCredential: () => {
          server.control({ do: 'revoke-token', token: TOKEN });
          server.control({ do: 'revoke-token' });
          if (way !== 'token')
            server.control({ do: 'fault', fault: { kind: 'status', status: 401, path: '^/oauth2/' } });
        },
        forbidWrites: () => {
          for (const method of ['PUT', 'DELETE']) {
            server.control({ do: 'fault', fault: { kind: 'status', status: 403, method, path: '^/api/' } });
          }
        },
        writes: () => server.state().log.filter(isWrite).length,
        reads: () => server.state().log.filter((entry) => entry.method === 'GET').length,
        stop: () => server.close(),
      };
    },
  };
}

directoryContract('Okta with an API token', harness('token'));
directoryContract('Okta with a service app (RSA key)', harness('rsa'));

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
