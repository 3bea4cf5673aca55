import { expect, test } from 'vitest';
import type { Finding, GrantActivity, Use } from '../../src/access/activity.ts';
import type { Change } from '../../src/access/model.ts';
import { StaleStateError } from '../../src/access/ports.ts';
import type { Bench } from './store.ts';
import { aGrant, aRequest, MINUTE, T0 } from './store-rows.ts';

export function anActivity(more: Partial<GrantActivity> = {}): GrantActivity {
  return {
    source: 'bastion',
    uid: 'a-1',
    at: T0,
    action: 'SELECT',
    kind: 'read',
    account: 'ada_ro',
    outcome: 'success',
    resource: 'orders',
    target: 'customers — "all" 🙏',
    ip: '192.0.2.7',
    country: 'DE',
    device: '',
    amount: 12,
    grantId: 'G-7KQ2',
    fit: 'within',
    receivedAt: T0 + 5,
    ...more,
  };
}

export function aUse(more: Partial<Use> = {}): Use {
  return {
    grantId: 'G-7KQ2',
    version: 1,
    requestId: 'R-7KQ2',
    person: 'okta/00u1',
    entitlement: 'db-prod:read',
    activities: 1,
    amount: 12,
    kinds: { read: 1 },
    outside: 0,
    after: 0,
    countries: ['DE'],
    devices: [],
    firstAt: T0,
    lastAt: T0,
    ...more,
  };
}

export function aFinding(more: Partial<Finding> = {}): Finding {
  const { grantId: _grant, fit: _fit, receivedAt: _receipt, ...example } = anActivity();
  return {
    id: 'F-7KQ2M',
    version: 1,
    state: 'open',
    rule: 'bulk-export',
    title: 'Bulk export',
    level: 'high',
    grantId: 'G-7KQ2',
    requestId: 'R-7KQ2',
    holder: 'okta/00u1',
    holderName: 'Ada Lovelace',
    entitlement: 'db-prod:read',
    count: 1,
    examples: [example],
    firstAt: T0,
    lastAt: T0,
    createdAt: T0 + 10,
    ...more,
  };
}

const stale = (work: Promise<unknown>) =>
  work.then(
    () => false,
    (error: unknown) => error instanceof StaleStateError,
  );

export function activityContract(bench: Bench): void {
  test('an activity is kept once with what was counted of it, and reads back as it was', async () => {
    const [one, two] = [await bench.store(), await bench.another()];
    const changes: readonly Change[] = [
      { put: 'activities', row: [anActivity(), anActivity({ uid: 'a-2', at: T0 + MINUTE })] },
      { put: 'uses', row: [aUse()] },
    ];
    await one.commit({ changes });
    expect(await two.activitiesOf('G-7KQ2', 10)).toStrictEqual([
      anActivity({ uid: 'a-2', at: T0 + MINUTE }),
      anActivity(),
    ]);
    expect(await two.activityOf('G-7KQ2')).toStrictEqual(aUse());
    expect(await two.activityOf('G-AAAA')).toBeUndefined();
    expect(await two.knownActivities('bastion', ['a-1', 'a-3'])).toEqual(new Set(['a-1']));
    expect(await two.knownActivities('other', ['a-1'])).toEqual(new Set());

    // Sent again beside something new, by another process: nothing of it is kept, and it has to be looked at afresh.
    const again: readonly Change[] = [
      { put: 'activities', row: [anActivity({ uid: 'a-3' }), anActivity()] },
      { put: 'uses', row: [aUse({ version: 2, activities: 9 })] },
    ];
    expect(await stale(two.commit({ changes: again }))).toBe(true);
    expect((await one.activitiesOf('G-7KQ2', 10)).map(({ uid }) => uid)).toEqual(['a-2', 'a-1']);
    expect((await one.activityOf('G-7KQ2'))?.activities).toBe(1);
  });

  test('two that count in the same grant at once do not lose what the other counted', async () => {
    const [one, two] = [await bench.store(), await bench.another()];
    await one.commit({ changes: [{ put: 'uses', row: [aUse()] }] });
    const count = (store: typeof one) =>
      stale(store.commit({ changes: [{ put: 'uses', row: [aUse({ version: 2, activities: 2 })] }] }));
    expect((await Promise.all([count(one), count(two)])).filter(Boolean)).toHaveLength(1);
    expect((await one.usesOf('okta/00u1', 5)).map(({ version }) => version)).toEqual([2]);
    expect(await two.uses(['G-7KQ2', 'G-AAAA'])).toHaveLength(1);
  });

  test('activities are forgotten by when they came in, oldest first, and what was counted of them stays', async () => {
    const store = await bench.store();
    const rows = [1, 2, 3].map((n) => anActivity({ uid: `a-${n}`, receivedAt: T0 + n }));
    await store.commit({
      changes: [
        { put: 'activities', row: rows },
        { put: 'uses', row: [aUse({ activities: 3 })] },
      ],
    });
    expect(await store.forgetActivities(T0 + 3, 1)).toBe(1);
    expect((await store.activitiesOf('G-7KQ2', 10)).map(({ uid }) => uid).sort()).toEqual(['a-2', 'a-3']);
    expect(await store.forgetActivities(T0 + 3, 10)).toBe(1);
    expect(await store.forgetActivities(T0 + 3, 10)).toBe(0);
    expect((await store.activityOf('G-7KQ2'))?.activities).toBe(3);
  });

  test('of one rule a grant has one finding that is not over', async () => {
    const [one, two] = [await bench.store(), await bench.another()];
    const put = (store: typeof one, id: string) =>
      stale(store.commit({ changes: [{ put: 'finding', row: aFinding({ id }) }] }));
    expect((await Promise.all([put(one, 'F-AAAAA'), put(two, 'F-CCCCC')])).filter(Boolean)).toHaveLength(1);
    const [open] = await one.openFindings(10);
    if (open === undefined) throw new Error('none is open');
    expect(open).toStrictEqual(aFinding({ id: open.id }));
    expect(await two.findingsOf('G-7KQ2')).toEqual([open]);
    expect(await two.findingsSince(T0 + 10, 5)).toEqual([open]);
    expect(await two.findingsSince(T0 + 11, 5)).toEqual([]);
    const over = { ...open, version: 2, state: 'dismissed' as const, closedBy: 'Sam', note: 'planned' };
    await one.commit({ changes: [{ put: 'finding', row: over, was: 1 }] });
    expect(await two.finding(open.id)).toStrictEqual(over);
    expect(await two.openFindings(10)).toEqual([]);
    expect(await put(two, 'F-DDDDD')).toBe(false);
  });

  test('how far a source was read moves on by one at a time', async () => {
    const [one, two] = [await bench.store(), await bench.another()];
    const row = { source: 'okta-log', version: 1, cursor: 'after=1', readAt: T0 };
    await one.commit({ changes: [{ put: 'source_cursor', row }] });
    expect(await two.sourceCursor('okta-log')).toStrictEqual(row);
    expect(await two.sourceCursor('bastion')).toBeUndefined();
    const move = (store: typeof one) =>
      stale(
        store.commit({ changes: [{ put: 'source_cursor', row: { ...row, version: 2, cursor: 'after=2' }, was: 1 }] }),
      );
    expect((await Promise.all([move(one), move(two)])).filter(Boolean)).toHaveLength(1);
  });

  test('a grant can have activities from its start until some time after its end, by each account of its holder', async () => {
    const store = await bench.store();
    const grants = [
      { id: 'G-7KQ2', requestId: 'R-7KQ2', state: 'active', startsAt: T0 },
      { id: 'G-AAAA', requestId: 'R-AAAA', state: 'adding' },
      { id: 'G-CCCC', requestId: 'R-CCCC', state: 'ended', startsAt: T0, endedAt: T0 + 9 },
      { id: 'G-DDDD', requestId: 'R-DDDD', state: 'ended', startsAt: T0, endedAt: T0 + 10 },
    ] as const;
    await store.commit({
      changes: grants.flatMap((grant): readonly Change[] => [
        { put: 'request', row: aRequest({ id: grant.requestId, state: 'approved' }) },
        { put: 'grant', row: aGrant(grant) },
      ]),
    });
    const windows = [...(await store.openWindows('', 10)), ...(await store.windowsEnded(T0 + 9, T0 + 99, 10))];
    expect(windows.map(({ grantId }) => grantId)).toEqual(['G-7KQ2', 'G-DDDD']);
    expect(await store.openWindows('G-7KQ2', 10)).toEqual([]);
    expect((await store.windowsBegun(T0, 10)).map(({ grantId }) => grantId)).toEqual(['G-7KQ2', 'G-CCCC', 'G-DDDD']);
    expect(await store.windowsBegun(T0 + 1, 10)).toEqual([]);
    expect(windows[0]).toMatchObject({
      holder: 'okta/00u1',
      resource: 'db-prod',
      breakGlass: false,
      startsAt: T0,
      accounts: ['okta/00u1', 'ada@example.com'],
    });
    expect(windows[1]?.endedAt).toBe(T0 + 10);
    expect((await store.windowsEnded(T0 + 8, T0 + 9, 10)).map(({ grantId }) => grantId)).toEqual(['G-CCCC']);
  });
}
