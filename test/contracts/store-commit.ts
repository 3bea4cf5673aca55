import { expect, test } from 'vitest';
import type { Change } from '../../src/access/model.ts';
import { StaleStateError } from '../../src/access/ports.ts';
import type { Bench } from './store.ts';
import {
  aGrant,
  aMembership,
  anApproval,
  anEvent,
  aRequest,
  aTimer,
  KEY,
  MINUTE,
  OTHER_KEY,
  T0,
} from './store-rows.ts';

export function commitContract(bench: Bench): void {
  const given: readonly Change[] = [
    { put: 'request', row: aRequest() },
    { put: 'grant', row: aGrant() },
    { put: 'holder', row: { person: 'okta/00u1', version: 1 } },
    { put: 'membership', row: aMembership() },
    { put: 'approval', row: anApproval() },
    { put: 'card', row: { id: 'c1', requestId: 'R-7KQ2', digest: 'd1', createdAt: T0 } },
  ];

  const stale: readonly (readonly [string, Change])[] = [
    ['a request that has moved on', { put: 'request', row: aRequest({ version: 9 }), was: 8 }],
    ['a request that exists already', { put: 'request', row: aRequest() }],
    [
      'a second pending request for the same thing',
      { put: 'request', row: aRequest({ id: 'R-3333', entitlement: 'db-prod:read' }) },
    ],
    ['a limit judged on what has changed since', { put: 'holder', row: { person: 'okta/00u1', version: 3 }, was: 2 }],
    ['a limit first judged by somebody else', { put: 'holder', row: { person: 'okta/00u1', version: 1 } }],
    ['a request that never was', { put: 'request', row: aRequest({ id: 'R-NONE', version: 2 }), was: 1 }],
    ['a grant that has moved on', { put: 'grant', row: aGrant({ version: 9 }), was: 8 }],
    ['a grant that exists already', { put: 'grant', row: aGrant() }],
    ['a second grant for a request', { put: 'grant', row: aGrant({ id: 'G-2222' }) }],
    ['a membership that has moved on', { put: 'membership', row: aMembership({ version: 9 }), was: 8 }],
    ['a membership that exists already', { put: 'membership', row: aMembership() }],
    ['a second answer of one approver to what was shown', { put: 'approval', row: anApproval({ answer: 'denied' }) }],
    ['a card id used before', { put: 'card', row: { id: 'c1', requestId: 'R-7KQ2', digest: 'd2', createdAt: T0 } }],
  ];

  test.each(stale)('%s is refused as stale, and nothing else in the commit happens', async (_what, change) => {
    const store = await bench.store();
    await store.commit({ changes: given });
    const before = await store.request('R-7KQ2');
    await store.receive({ key: 'd1', receivedAt: T0, body: '{}' }, T0);
    const commit = {
      changes: [
        { put: 'request', row: aRequest({ id: 'R-2222' }) },
        { put: 'job', row: aTimer() },
        { put: 'event', row: anEvent() },
        change,
        { put: 'membership', row: aMembership({ key: OTHER_KEY }) },
      ],
      delivery: 'd1',
    } as const;
    await expect(store.commit(commit)).rejects.toThrow(StaleStateError);
    expect(await store.request('R-2222')).toBeUndefined();
    expect(await store.request('R-7KQ2')).toStrictEqual(before);
    expect(await store.job('end:G-7KQ2')).toBeUndefined();
    expect(await store.membership(OTHER_KEY)).not.toHaveProperty('membership');
    expect(await store.chain(0, 10)).toEqual([]);
    expect(await store.unanswered(T0, T0 + 1, 10)).toHaveLength(1);
    // The store is as good as before.
    await store.commit({ changes: [{ put: 'request', row: aRequest({ version: 2, state: 'denied' }), was: 1 }] });
  });

  test('an approver may answer again when something else is shown', async () => {
    const store = await bench.store();
    await store.commit({ changes: given });
    await store.commit({ changes: [{ put: 'approval', row: anApproval({ digest: 'd2', at: T0 + 9 * MINUTE }) }] });
    expect((await store.request('R-7KQ2'))?.approvals.map(({ digest }) => digest)).toEqual(['d1', 'd2']);
  });

  test('a put under the version it was decided on is refused as a mistake, since it would guard nothing', async () => {
    const store = await bench.store();
    await store.commit({ changes: given });
    const same = { put: 'request', row: aRequest({ version: 1, state: 'denied' }), was: 1 } as const;
    await expect(store.commit({ changes: [same] })).rejects.toThrow('the same version');
    expect((await store.request('R-7KQ2'))?.request.state).toBe('pending');
  });

  test('a database that refuses a write undoes the whole commit and goes on working', async () => {
    const store = await bench.store();
    const orphan: Change = { put: 'card', row: { id: 'c9', requestId: 'R-NONE', digest: 'd', createdAt: T0 } };
    const refused = store.commit({ changes: [{ put: 'request', row: aRequest() }, orphan] });
    await expect(refused).rejects.toThrow(/foreign key/i);
    await expect(refused).rejects.not.toThrow(StaleStateError);
    expect(await store.request('R-7KQ2')).toBeUndefined();
    await store.commit({ changes: given });
    expect((await store.membership(KEY)).grants).toHaveLength(1);
  });

  test('an error from the database does not carry the texts of people', async () => {
    const store = await bench.store();
    const orphan = anApproval({ requestId: 'R-NONE', reason: 'my private reason' });
    const error = await store
      .commit({ changes: [{ put: 'approval', row: orphan }] })
      .catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(Error);
    expect(String((error as Error).stack)).not.toContain('private');
  });

  test('of ten clicks at once on the last approval, in two processes, exactly one makes the grant', async () => {
    const stores = [await bench.store(), await bench.another()];
    await stores[0]!.commit({ changes: [{ put: 'request', row: aRequest() }] });
    const clicks = Array.from({ length: 10 }, (_, n) =>
      stores[n % 2]!.commit({
        changes: [
          { put: 'request', row: aRequest({ version: 2, state: 'approved' }), was: 1 },
          { put: 'approval', row: anApproval({ approver: `okta/a${n}` }) },
          { put: 'grant', row: aGrant() },
          { put: 'event', row: anEvent() },
        ],
      }),
    );
    const outcomes = await Promise.allSettled(clicks);
    const lost = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason as unknown] : []));
    expect(lost).toHaveLength(9);
    for (const reason of lost) expect(reason).toBeInstanceOf(StaleStateError);
    const record = await stores[1]!.request('R-7KQ2');
    expect(record?.approvals).toHaveLength(1);
    expect(record?.grant).toStrictEqual(aGrant());
    expect(await stores[1]!.chain(0, 10)).toHaveLength(1);
  });

  test('commits that name the same rows in opposite orders do not wait for each other for ever', async () => {
    const stores = [await bench.store(), await bench.another()];
    const ids = ['R-1111', 'R-2222', 'R-3333', 'R-4444'];
    await stores[0]!.commit({ changes: ids.map((id) => ({ put: 'request', row: aRequest({ id }) }) as const) });
    const rounds = Array.from({ length: 12 }, (_, n) => {
      const jobs = ids.map((id) => ({ put: 'job', row: aTimer({ id: `lapse:${id}` }) }) as const);
      const changes: Change[] = [{ put: 'event', row: anEvent() }, ...jobs];
      return stores[n % 2]!.commit({ changes: n % 3 === 0 ? changes : changes.toReversed() });
    });
    await Promise.all(rounds);
    expect((await stores[1]!.job('lapse:R-1111'))?.version).toBe(12);
    expect(await stores[1]!.chain(0, 100)).toHaveLength(12);
  });
}
