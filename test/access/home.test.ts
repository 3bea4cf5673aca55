import { describe, expect, test } from 'vitest';
import type { Catalog } from '../../src/access/catalog.ts';
import { NO_FREEZES } from '../../src/access/freeze.ts';
import { createHomes } from '../../src/access/home.ts';
import type { Person } from '../../src/access/model.ts';
import { type Directory, DirectoryError, type People, type RequestRecord, type Store } from '../../src/access/ports.ts';
import type { RequestView } from '../../src/access/view.ts';
import {
  ana,
  approval,
  ben,
  cat,
  dan,
  entitlement,
  group,
  policy,
  request,
  requestRecord,
  T0,
} from '../support/builders.ts';

const account = { platform: 'slack', tenant: 'T1', id: 'U1' } as const;
const dba = group('dba');
const staff = group('staff');
const open = entitlement({ policy: policy({ requesters: [staff], approvers: [dba] }) });

function catalogOf(count: number): Catalog {
  const resources = Array.from({ length: count }, (_, at) => {
    const name = `db-${at}`;
    return [name, { name, title: name, defaultRole: 'read', roles: { read: open } }] as const;
  });
  const prod = { name: 'db-prod', title: 'Orders database', defaultRole: 'read', roles: { read: open } };
  return {
    resources: Object.fromEntries([...resources, ['db-prod', prod]]),
    admins: [group('platform')],
    responders: [],
    viewers: [],
    timezone: 'UTC',
  };
}

function homeOf(
  person: Person,
  groups: readonly string[],
  more: {
    readonly pending?: readonly RequestRecord[];
    readonly catalog?: Catalog;
    readonly findGroup?: Directory['findGroup'];
    readonly owed?: Awaited<ReturnType<Store['outstandingRemovals']>>;
  } = {},
) {
  const asked = { holds: 0, directory: 0 };
  const homes = createHomes({
    people: {
      identify: async () => person,
      holds: async (subject: { readonly group: string }) => {
        asked.holds++;
        if (subject.group === 'broken') throw new Error('away');
        return groups.includes(subject.group);
      },
    } as unknown as People,
    store: {
      list: async (filter: { readonly states?: readonly string[] }) => (filter.states ? (more.pending ?? []) : []),
      outstandingRemovals: async () => more.owed ?? [],
      freezes: async () => NO_FREEZES,
    } as unknown as Store,
    clock: { now: () => T0, monotonic: () => 0 },
    directories: new Map([
      [
        'okta',
        {
          name: 'okta',
          findGroup: async (name: string) => {
            asked.directory++;
            return more.findGroup?.(name);
          },
        } as unknown as Directory,
      ],
    ]),
    catalog: () => more.catalog ?? catalogOf(2),
    view: async (id) => ({ id }) as RequestView,
    refusalOf: () => undefined,
  });
  return { home: () => homes.home(account), asked };
}

describe('what waits for a person', () => {
  const of = async (person: Person, groups: readonly string[], pending: readonly RequestRecord[]) =>
    (await homeOf(person, groups, { pending }).home()).waiting.items.map(({ id }) => id);
  const made = request();

  test('is what they may answer and have not, and never their own', async () => {
    expect(await of(ben, ['dba'], [requestRecord(made)])).toEqual([made.id]);
    expect(await of(ana, ['dba'], [requestRecord(made)])).toEqual([]);
    expect(await of(dan, ['staff'], [requestRecord(made)])).toEqual([]);
    expect(await of(ben, ['dba'], [requestRecord(made, [approval(made, ben)])])).toEqual([]);
    expect(await of(cat, ['dba'], [requestRecord(made, [approval(made, ben)])])).toEqual([made.id]);
    expect(await of(ben, ['dba'], [requestRecord({ ...made, entitlement: 'gone:read' })])).toEqual([]);
  });

  test('is judged once for each policy, and cut where a page ends', async () => {
    const pending = Array.from({ length: 50 }, (_, at) => requestRecord(request({ id: `R-${at}` })));
    const { home, asked } = homeOf(ben, ['dba'], { pending });
    const { waiting } = await home();
    expect([waiting.items.length, waiting.more]).toEqual([8, true]);
    expect(asked.holds).toBeLessThan(6);
  });
});

describe('what a person may request', () => {
  test('is the first ten, in the order of the file, and that there are more', async () => {
    const { home, asked } = homeOf(dan, ['staff'], { catalog: catalogOf(10_000) });
    const { choices } = await home();
    expect([choices.items.length, choices.items[0]?.resource, choices.more]).toEqual([10, 'db-0', true]);
    expect(asked.holds).toBeLessThan(6);
    expect((await homeOf(dan, []).home()).choices).toEqual({ items: [], more: false });
  });

  test('is another role where the usual one is not for them, and nothing that could not be looked up', async () => {
    const closed = entitlement({ policy: policy({ requesters: [group('broken')], hash: 'closed' }) });
    const roles = { read: closed, view: { ...open, role: 'view' } };
    const resources = { x: { name: 'x', title: 'x', defaultRole: 'read', roles } };
    const { choices } = await homeOf(dan, ['staff'], { catalog: { ...catalogOf(0), resources } }).home();
    expect(choices.items).toEqual([{ resource: 'x', title: 'x', role: 'view' }]);
  });
});

describe('operations', () => {
  test('are for admins and responders alone', async () => {
    expect((await homeOf(dan, ['staff', 'dba']).home()).operations).toBeUndefined();
    expect((await homeOf(dan, ['platform']).home()).operations?.directories).toEqual([
      { name: 'okta', state: 'answers', failing: 0 },
    ]);
  });

  test('tell a directory that is away from one that says no, and ask it once for many who look', async () => {
    const failing = (error: DirectoryError) => homeOf(dan, ['platform'], { findGroup: () => Promise.reject(error) });
    const away = failing(new DirectoryError('okta', 'unavailable', 'timeout'));
    for (let looks = 0; looks < 3; looks++)
      expect((await away.home()).operations?.directories[0]).toMatchObject({ state: 'fails', error: 'timeout' });
    expect(away.asked.directory).toBe(1);
    const no = failing(new DirectoryError('okta', 'rejected', 'two of that name'));
    expect((await no.home()).operations?.directories[0]?.state).toBe('answers');
  });

  test('show the removals that fail most first', async () => {
    const owed = [0, 3, 1].map((failures) => ({
      key: { directory: 'okta', groupId: 'g', userId: `u${failures}` },
      membership: { groupName: 'prod', login: `u${failures}`, failures } as never,
      grants: [],
    }));
    const { operations } = await homeOf(dan, ['platform'], { owed }).home();
    expect(operations?.removals.items.map(({ login }) => login)).toEqual(['u3', 'u1', 'u0']);
    expect(operations?.directories[0]?.failing).toBe(2);
  });
});
