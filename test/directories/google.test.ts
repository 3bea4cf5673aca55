import { describe, expect, test } from 'vitest';
import { type GoogleSeed, type GoogleServer, startGoogleServer } from '../../src/sandbox/google-server.ts';
import { googleMethods, methodOf } from '../support/google-methods.ts';
import { accountsFor, connect, groupId, groupName, userId } from './google-local.ts';

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

describe('memberships that Google ends by itself', () => {
  const at = Math.ceil(Date.now() / 1_000) * 1_000 + 3_600_000;

  test('an owner or manager is never made to end', () =>
    serving(
      async (server) => {
        await expect(connect(server).expireAt?.(group.id, ana.id, at)).rejects.toMatchObject({ code: 'rejected' });
        expect(server.expiresAt(group.id, ana.id)).toBeUndefined();
      },
      { groups: [{ ...group, members: [ana.id], roles: { [ana.id]: 'OWNER' } }] },
    ));

  test('without its scope everything else goes on, removals first of all', () =>
    serving(async (server) => {
      // As where the delegation lists only the three scopes that are always needed.
      const narrow: typeof fetch = async (input, init) => {
        const assertion = new URLSearchParams(String(init?.body)).get('assertion');
        const claims = Buffer.from(assertion?.split('.')[1] ?? '', 'base64url').toString();
        if (claims.includes('cloud-identity'))
          return Response.json({ error: 'unauthorized_client', error_description: 'scope' }, { status: 401 });
        return await fetch(input, init);
      };
      const google = connect(server, {}, { fetch: narrow });
      expect(await google.add(group.id, ana.id)).toBe('added');
      await expect(google.expireAt?.(group.id, ana.id, at)).rejects.toMatchObject({ code: 'unauthorized' });
      expect(google.failing?.()).toBeUndefined();
      expect(await google.remove(group.id, ana.id)).toBe('removed');
    }));

  test('without the key in the file there is no such thing', () =>
    serving(async (server) => {
      const section = { type: 'google', auth: { keyFile: 'google.json' }, rootUrl: server.url } as const;
      expect(connect(server, {}, { section }).expireAt).toBeUndefined();
    }));
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
        await google.expireAt?.(group.id, ben.id, Date.now() + 3_600_000);
        await google.canExpire?.(group.id);
        await google.remove(group.id, ben.id);
        const methods = [...googleMethods('admin/directory_v1'), ...googleMethods('cloudidentity/v1')];
        expect(methods.length).toBeGreaterThan(150);
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
          'users.get',
          'groups$Memberships.lookup',
          'groups$Memberships.modifyMembershipRoles',
          'groups.get',
          'groups$Memberships.checkTransitiveMembership',
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
