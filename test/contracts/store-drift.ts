import { expect, test } from 'vitest';
import type { Change, Drift, Membership } from '../../src/access/model.ts';
import { StaleStateError } from '../../src/access/ports.ts';
import type { Bench } from './store.ts';
import { aGrant, aMembership, aRequest, KEY, MINUTE, T0 } from './store-rows.ts';

const user = (userId: string) => ({ ...KEY, userId });
const row = (userId: string, more: Partial<Membership> = {}): Change => ({
  put: 'membership',
  row: aMembership({ key: user(userId), ...more }),
});

export function driftContract(bench: Bench): void {
  const drift: Drift = {
    id: 'unknown_member:okta:00g1:00u9',
    class: 'unknown_member',
    key: user('00u9'),
    groupName: 'prod-db-read',
    login: 'eve@example.com',
    sinceAt: T0,
  };

  test('what was found is found once, reads back as it was, and is gone when it is over', async () => {
    const [one, two] = [await bench.store(), await bench.another()];
    const put = (store: typeof one) => store.commit({ changes: [{ put: 'drift', row: drift }] });
    const results = await Promise.allSettled([put(one), put(two)]);
    const lost = results.filter((result) => result.status === 'rejected');
    expect(lost.map(({ reason }) => reason instanceof StaleStateError)).toEqual([true]);
    expect(await two.drifts(10)).toStrictEqual([drift]);
    const facts = await one.digestFacts({ from: T0, to: T0 + MINUTE }, MINUTE, 10);
    expect([facts.counts.drift, facts.drift]).toEqual([1, [drift]]);
    await two.commit({ changes: [{ drop: 'drift', id: drift.id }] });
    expect(await one.drifts(10)).toEqual([]);
    // Nothing to drop is nothing to complain of: another process may have seen the end of it too.
    await one.commit({ changes: [{ drop: 'drift', id: drift.id }] });
  });

  test('the ledger of a group is what is there, what a grant holds and what was removed lately, each with its grants', async () => {
    const store = await bench.store();
    await store.commit({
      changes: [
        { put: 'request', row: aRequest({ state: 'approved' }) },
        { put: 'grant', row: aGrant({ state: 'active', memberships: [user('held')] }) },
        row('ours', { origin: 'ours' }),
        row('baseline', { origin: 'baseline' }),
        row('held', { origin: 'none' }),
        row('lately', { origin: 'none', removeAcceptedAt: T0 }),
        row('long-ago', { origin: 'none', removeAcceptedAt: T0 - 1 }),
        row('never', { origin: 'none' }),
        { put: 'membership', row: aMembership({ key: { ...KEY, groupId: '00g2', userId: 'ours' }, origin: 'ours' }) },
      ],
    });
    const records = await store.ledgerOf('okta', '00g1', T0, 10);
    expect(records.map(({ key, grants }) => [key.userId, grants.length])).toEqual([
      ['baseline', 0],
      ['held', 1],
      ['lately', 0],
      ['ours', 0],
    ]);
    expect((await store.filledGroups(10)).map(({ directory, groupId }) => `${directory}/${groupId}`)).toEqual([
      'okta/00g1',
      'okta/00g2',
    ]);
  });
}
