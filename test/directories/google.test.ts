import { generateKeyPairSync } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Clock, Metrics } from '../../src/access/ports.ts';
import { createGoogle } from '../../src/directories/google.ts';
import { library } from '../../src/directories/google-library.ts';
import type { GoogleSection } from '../../src/directories/google-section.ts';
import { type GoogleSeed, type GoogleServer, startGoogleServer } from '../../src/sandbox/google-server.ts';
import type { OktaFault as Fault } from '../../src/sandbox/okta-faults.ts';
import { type ContractFault, type DirectoryHarness, directoryContract } from '../contracts/directory.ts';
import { googleMethods, methodOf } from '../support/google-methods.ts';

const clock: Clock = { now: () => Date.now(), monotonic: () => performance.now() };
const metrics: Metrics = { count: () => {}, observe: () => {} };
const ACCOUNT = 'hallpass@acme-prod.iam.gserviceaccount.com';
const ADMIN = 'admin@acme.example';

function account() {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  return {
    publicKey: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    secret: pem.split('\n')[1] ?? 'no key',
    json: JSON.stringify({ type: 'service_account', client_email: ACCOUNT, private_key: pem, private_key_id: 'k1' }),
  };
}
const key = account();
const userId = (n: number) => `1${String(n).padStart(20, '0')}`;
const groupId = (n: number) => `01gold${String(n).padStart(9, '0')}`;
const groupName = (word: string) => `${word}@acme.example`;

interface How {
  readonly subject?: string;
  readonly role?: 'groups-admin' | 'read-only' | 'none';
  readonly delegates?: readonly string[];
}

function connect(server: GoogleServer, how: How = {}, more: Partial<Parameters<typeof createGoogle>[0]> = {}) {
  const section: GoogleSection = {
    type: 'google',
    auth: { keyFile: 'google.json', ...(how.subject === undefined ? {} : { subject: how.subject }) },
    rootUrl: server.url,
  };
  return createGoogle({ name: 'google', section, keyText: key.json, clock, metrics, jitter: () => 0, ...more });
}

const accountsFor = (how: How): GoogleSeed['accounts'] => [
  {
    email: ACCOUNT,
    publicKey: key.publicKey,
    ...(how.role === undefined ? {} : { role: how.role }),
    ...(how.delegates === undefined ? {} : { delegates: how.delegates }),
  },
];

const isWrite = ({ method, path }: { method: string; path: string }) => method !== 'GET' && path.startsWith('/admin/');

function googleFaults(fault: ContractFault): Fault[] {
  const { kind, on } = fault;
  const where = {
    path: on === 'all' ? '^/' : '^/admin/',
    ...(fault.times === undefined ? {} : { times: fault.times }),
  };
  const methods = on === 'writes' ? ['POST', 'DELETE'] : on === 'reads' ? ['GET'] : ['GET', 'POST', 'DELETE'];
  const message = 'Invalid Input: {{authorization}}';
  const said = JSON.stringify({ error: { code: fault.status, message, errors: [{ reason: 'invalid', message }] } });
  return methods.map((method) => {
    if (kind === 'reset-before' || kind === 'reset-after')
      return { ...where, method, kind: 'reset', after: kind === 'reset-after' };
    if (kind === 'hang' || kind === 'hang-after')
      return { ...where, method, kind: 'hang', after: kind === 'hang-after' };
    if (kind !== 'status') return { ...where, method, kind };
    return { ...where, method, kind, status: fault.status ?? 500, ...(fault.echo === true ? { body: said } : {}) };
  });
}

const RATE_LIMIT = JSON.stringify({
  error: { code: 403, message: 'Rate Limit Exceeded', errors: [{ reason: 'userRateLimitExceeded', message: '' }] },
});

function harness(how: How): DirectoryHarness {
  return {
    userId,
    groupId,
    groupName,
    // The role: an owner or manager is never removed.
    removalReads: 1,
    unmanageable: [],
    memberCounts: [0, 1, 199, 200, 201, 401],
    async start(seed, options = {}) {
      const server = await startGoogleServer({
        ...(options.budget === undefined ? {} : { budget: { limit: options.budget, windowMs: 60_000 } }),
        seed: {
          accounts: accountsFor(how) ?? [],
          users: seed.users.map(({ id, login, active }) => ({
            id,
            email: login,
            name: login,
            suspended: active === false,
          })),
          groups: seed.groups.map(({ id, name, members }) => ({
            id,
            email: name,
            ...(members === undefined ? {} : { members }),
          })),
        },
      });
      return {
        directory: connect(server, how, {
          callDeadlineMs: options.callDeadlineMs ?? 5_000,
          ...(options.budget === undefined ? {} : { perMinute: options.budget }),
        }),
        secrets: ['ya29.', 'eyJ', key.secret],
        holds: server.isMember,
        fault: (fault) => {
          for (const each of googleFaults(fault)) server.control({ do: 'fault', fault: each });
        },
        clear: () => server.control({ do: 'clear' }),
        lagReads: (reads) => server.control({ do: 'lag', reads }),
        rateLimit: (resetInMs, skewMs) => {
          const headers = { 'retry-after': new Date(Date.now() + resetInMs + skewMs).toUTCString() };
          const fault = { kind: 'status', status: 403, path: '^/admin/', headers, body: RATE_LIMIT } as const;
          server.control({ do: 'fault', fault });
        },
        deleteGroup: (group) => server.control({ do: 'delete-group', group }),
        deleteUser: (user) => server.control({ do: 'delete-user', user }),
        revokeCredential: () => server.control({ do: 'revoke-tokens', accounts: true }),
        forbidWrites: () => {
          for (const method of ['POST', 'DELETE'])
            server.control({ do: 'fault', fault: { kind: 'status', status: 403, method, path: '^/admin/' } });
        },
        writes: () => server.state().log.filter(isWrite).length,
        reads: () => server.state().log.filter(({ method }) => method === 'GET').length,
        stop: () => server.close(),
      };
    },
  };
}

// Not within a deadline of 150 ms: loading Google's client takes about that long.
beforeAll(async () => {
  await library();
});

directoryContract('Google with the role on the service account', harness({}));
directoryContract('Google with domain-wide delegation', harness({ subject: ADMIN, delegates: [ADMIN] }));

const ana = { id: userId(1), email: 'ana@acme.example', name: 'Ana Alves' };
const ben = { id: userId(2), email: 'ben@acme.example', name: 'Ben Okafor' };
const group = { id: groupId(1), email: groupName('db-admins') };

async function serving<T>(
  run: (server: GoogleServer) => Promise<T>,
  seed: Partial<GoogleSeed> = {},
  options: Partial<Parameters<typeof startGoogleServer>[0]> = {},
): Promise<T> {
  const server = await startGoogleServer({
    seed: { accounts: accountsFor({}) ?? [], users: [ana, ben], groups: [group], ...seed },
    ...options,
  });
  try {
    return await run(server);
  } finally {
    await server.close();
  }
}

describe('who is a member', () => {
  test('an owner or manager is a member, and is never removed', () =>
    serving(
      async (server) => {
        const google = connect(server);
        for (const user of [ana.id, ben.id]) {
          expect(await google.isMember(group.id, user)).toBe(true);
          await expect(google.remove(group.id, user)).rejects.toMatchObject({ code: 'rejected', effect: 'none' });
          expect(server.isMember(group.id, user)).toBe(true);
          expect(await google.add(group.id, user)).toBe('already_member');
        }
        expect(server.state().log.some(({ method }) => method === 'DELETE')).toBe(false);
      },
      { groups: [{ ...group, members: [ana.id, ben.id], roles: { [ana.id]: 'OWNER', [ben.id]: 'MANAGER' } }] },
    ));

  test('somebody who is in a group within the group is no direct member, and can be added and removed', () => {
    const inner = { id: groupId(2), email: groupName('dbas'), members: [ana.id] };
    return serving(
      async (server) => {
        const google = connect(server);
        expect(await google.isMember(group.id, ana.id)).toBe(false);
        expect(await google.add(group.id, ana.id)).toBe('added');
        expect(await google.remove(group.id, ana.id)).toBe('removed');
        expect(await google.isMember(group.id, ana.id)).toBe(false);
      },
      { groups: [{ ...group, members: [inner.id] }, inner] },
    );
  });

  test('a group within the group is listed as what it is, and is nobody who can act', () => {
    const inner = { id: groupId(2), email: groupName('dbas') };
    return serving(
      async (server) => {
        expect(await connect(server).listMembers(group.id)).toMatchObject([
          { id: ben.id, login: 'ben@acme.example', active: true },
          { id: inner.id, name: 'everyone in dbas@acme.example', active: false },
        ]);
      },
      { groups: [{ ...group, members: [ben.id, inner.id] }, inner] },
    );
  });

  test('an invitation that is pending is neither an absence nor a membership', () =>
    serving(
      async (server) => {
        const google = connect(server);
        expect(await google.isMember(group.id, ana.id)).toBe(false);
        await expect(google.add(group.id, ana.id)).rejects.toMatchObject({
          code: 'unavailable',
          effect: 'none',
          message: expect.stringContaining('pending'),
        });
      },
      { groups: [{ ...group, pending: [ana.email] }] },
    ));

  test('a removal is sent although a read that lags shows nobody', () =>
    serving(async (server) => {
      const google = connect(server);
      server.control({ do: 'lag', reads: 1 });
      await google.add(group.id, ana.id);
      expect(await google.remove(group.id, ana.id)).toBe('removed');
      expect(server.isMember(group.id, ana.id)).toBe(false);
    }));
});

describe('ids decide, not addresses', () => {
  test('somebody whose address has changed is still found, added and removed', () =>
    serving(async (server) => {
      const google = connect(server);
      server.control({ do: 'rename-user', user: ana.id, email: 'ana.alves@acme.example' });
      expect(await google.findUser('ana@acme.example')).toMatchObject({
        id: ana.id,
        login: 'ana.alves@acme.example',
      });
      expect(await google.add(group.id, ana.id)).toBe('added');
      expect(await google.remove(group.id, ana.id)).toBe('removed');
    }));

  test('an address that passes to another person during the addition adds nobody for good', () =>
    serving(async (server) => {
      // Between the look at the address and the addition.
      const swap: typeof fetch = (input, init) => {
        if (init?.method === 'POST' && String(input).includes('/members')) {
          server.control({ do: 'rename-user', user: ana.id, email: 'old@acme.example', release: true });
          server.control({ do: 'rename-user', user: ben.id, email: ana.email, release: true });
        }
        return fetch(input, init);
      };
      const google = connect(server, {}, { fetch: swap });
      await expect(google.add(group.id, ana.id)).rejects.toMatchObject({ code: 'unavailable', effect: 'none' });
      expect(server.state().groups[group.id]).toEqual([]);
    }));

  test('a group is named by its own address: another name of it is refused, with the one to write', () =>
    serving(
      async (server) => {
        const google = connect(server);
        expect(await google.findGroup('DB-Admins@acme.example')).toEqual({ id: group.id, name: group.email });
        await expect(google.findGroup('dba@acme.example')).rejects.toMatchObject({
          code: 'rejected',
          message: expect.stringContaining(group.email),
        });
        await expect(google.findGroup('db admins')).rejects.toMatchObject({ code: 'rejected' });
      },
      { groups: [{ ...group, aliases: ['dba@acme.example'] }] },
    ));
});

describe('signing in to Google', () => {
  test('many calls at once fetch one token, and it is kept', () =>
    serving(async (server) => {
      const google = connect(server);
      await Promise.all(Array.from({ length: 20 }, () => google.getUser(ana.id)));
      await google.getUser(ana.id);
      expect(server.state().counters.tokensIssued).toBe(1);
    }));

  test('a token that Google no longer takes is replaced, and the write goes through', () =>
    serving(async (server) => {
      const google = connect(server);
      await google.getUser(ana.id);
      server.control({ do: 'revoke-tokens' });
      expect(await google.add(group.id, ana.id)).toBe('added');
      expect(server.state().counters.tokensIssued).toBe(2);
    }));

  test('acting as an administrator who did not delegate is unauthorized', () =>
    serving(async (server) => {
      await expect(connect(server, { subject: 'boss@acme.example' }).getUser(ana.id)).rejects.toMatchObject({
        code: 'unauthorized',
        effect: 'none',
        message: expect.stringContaining('unauthorized_client'),
      });
    }));

  test.each(['read-only', 'none'] as const)('a service account with the role %s may change nothing', (role) =>
    serving(
      async (server) => {
        await expect(connect(server).add(group.id, ana.id)).rejects.toMatchObject({ code: 'rejected', effect: 'none' });
      },
      { accounts: accountsFor({ role }) ?? [] },
    ),
  );

  test.each([
    [{ kind: 'status', status: 400 }, 'unauthorized'],
    [{ kind: 'status', status: 429 }, 'rate_limited'],
    [{ kind: 'status', status: 500 }, 'unavailable'],
    [{ kind: 'malformed' }, 'unavailable'],
    [{ kind: 'reset' }, 'unavailable'],
    [{ kind: 'hang' }, 'unavailable'],
  ] as const)('a token endpoint with %o fails as %s, is asked once, and the write was not sent', (fault, code) =>
    serving(async (server) => {
      server.control({ do: 'fault', fault: { ...fault, path: '^/token' } });
      const google = connect(server, {}, { callDeadlineMs: 300 });
      await expect(google.remove(group.id, ana.id)).rejects.toMatchObject({ code, effect: 'none' });
      expect(server.state().log.map(({ path }) => path)).toEqual(['/token']);
    }),
  );
});

describe("Google's own description of its API", () => {
  test('knows every request that the adapter makes, with its verb, its path and its parameters', () =>
    serving(
      async (server) => {
        const google = connect(server);
        await google.findGroup(group.email);
        await google.findUser(ana.email);
        await google.getUser(ben.id);
        await google.listMembers(group.id);
        await google.add(group.id, ben.id);
        await google.isMember(group.id, ben.id);
        await google.remove(group.id, ben.id);
        const methods = googleMethods('admin/directory_v1');
        expect(methods.length).toBeGreaterThan(100);
        const asked = server.state().log.filter(({ path }) => path !== '/token');
        expect(asked.map(({ method, path }) => methodOf(methods, method, path)?.name)).toEqual([
          'groups.get',
          'users.get',
          'users.get',
          'members.list',
          'members.list',
          'users.get',
          'members.insert',
          'members.get',
          'members.get',
          'members.delete',
        ]);
      },
      {
        groups: [{ ...group, members: [ana.id, userId(3)] }],
        users: [ana, ben, { ...ben, id: userId(3), email: 'c@acme.example' }],
      },
      { pageMax: 1 },
    ));
});
