import { expect, test } from 'vitest';
import type { Change, Freeze } from '../../src/access/model.ts';
import { StaleStateError } from '../../src/access/ports.ts';
import type { Bench } from './store.ts';
import { aRequest, MINUTE, T0 } from './store-rows.ts';

const head = (was: number, version = was): Change => ({ put: 'freeze_head', row: { version }, was });

function aFreeze(change: Partial<Freeze> = {}): Freeze {
  const scope = { kind: 'resource', resource: 'db-prod' } as const;
  return {
    id: 'resource:db-prod',
    version: 1,
    scope,
    name: 'db-prod',
    reason: 'Incident “7”',
    by: 'Cat',
    at: T0,
    ...change,
  };
}

export function freezeContract(bench: Bench): void {
  test('a freeze is read back until it is lifted, and its row after that', async () => {
    const store = await bench.store();
    expect(await store.freezes()).toStrictEqual({ version: 0, live: [] });
    const all = aFreeze({ id: 'all', scope: { kind: 'all' }, name: 'everything', at: T0 + 1 });
    await store.commit({ changes: [{ put: 'freeze', row: aFreeze() }, head(0, 1)] });
    await store.commit({ changes: [{ put: 'freeze', row: all }, head(1, 2)] });
    expect(await store.freezes()).toStrictEqual({ version: 2, live: [aFreeze(), all] });
    const lifted = aFreeze({ version: 2, liftedAt: T0 + MINUTE, liftedBy: 'Sam' });
    await store.commit({ changes: [{ put: 'freeze', row: lifted, was: 1 }, head(2, 3)] });
    expect(await store.freezes()).toStrictEqual({ version: 3, live: [all] });
    expect(await store.freeze('resource:db-prod')).toStrictEqual(lifted);
    expect(await store.freeze('resource:other')).toBeUndefined();
  });

  test('of what was decided before a freeze and rests on it, nothing is committed after it', async () => {
    const [one, other] = [await bench.store(), await bench.another()];
    await one.commit({ changes: [{ put: 'freeze', row: aFreeze() }, head(0, 1)] });
    const late = other.commit({ changes: [{ put: 'request', row: aRequest() }, head(0)] });
    await expect(late).rejects.toThrow(StaleStateError);
    expect(await other.request('R-7KQ2')).toBeUndefined();
    await other.commit({ changes: [{ put: 'request', row: aRequest() }, head(1)] });
  });

  test('what rests on the freezes does not get into each other’s way, and of two freezes at once one is decided again', async () => {
    const stores = [await bench.store(), await bench.another()];
    const rounds = Array.from({ length: 12 }, (_, n) =>
      stores[n % 2]!.commit({ changes: [{ put: 'request', row: aRequest({ id: `R-${1000 + n}` }) }, head(0)] }),
    );
    await Promise.all(rounds);
    const freezes = stores.map((store, n) =>
      store.commit({ changes: [{ put: 'freeze', row: aFreeze({ id: `resource:${n}` }) }, head(0, 1)] }),
    );
    const outcomes = await Promise.allSettled(freezes);
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect((await stores[0]!.freezes()).live).toHaveLength(1);
  });

  test('a list can be of a resource with its parts, and of grants by their state', async () => {
    const store = await bench.store();
    const names = ['db', 'db/orders', 'db-2', 'db_2', 'DB'];
    await store.commit({
      changes: names.map((resource, n) => ({ put: 'request', row: aRequest({ id: `R-${1000 + n}`, resource }) })),
    });
    const found = await store.list({ resource: 'db', limit: 10 });
    expect(found.map(({ request }) => request.resource).sort()).toEqual(['db', 'db/orders']);
    expect(await store.list({ grantStates: ['adding'], limit: 10 })).toEqual([]);
  });

  test('an account is known by what it was pinned to', async () => {
    const store = await bench.store();
    const account = { platform: 'slack', tenant: 'T1', id: 'U1' } as const;
    expect(await store.personOf(account)).toBeUndefined();
    await store.pinAccount(account, 'okta/00u1', T0);
    expect(await store.personOf(account)).toBe('okta/00u1');
  });

  test('a revocation is read back as it was put, and moves on only from where it was', async () => {
    const store = await bench.store();
    const row = {
      id: 'rev-1',
      version: 1,
      state: 'previewed' as const,
      scope: { kind: 'all' as const },
      name: 'everything',
      except: [{ person: 'okta/00u1', name: 'Ada “<b>”' }],
      since: T0 - MINUTE,
      reason: 'Incident',
      by: 'Cat',
      grants: ['G-7KQ2'],
      more: false,
      createdAt: T0,
    };
    await store.commit({ changes: [{ put: 'revocation', row }] });
    expect(await store.revocation('rev-1')).toStrictEqual(row);
    const running = { ...row, version: 2, state: 'running' as const, confirmedAt: T0 + 1 };
    await store.commit({ changes: [{ put: 'revocation', row: running, was: 1 }] });
    expect(await store.revocation('rev-1')).toStrictEqual(running);
    await expect(store.commit({ changes: [{ put: 'revocation', row: running, was: 1 }] })).rejects.toThrow(
      StaleStateError,
    );
    const sweep = aFreeze({ id: 'revocation:rev-1', sweeping: 'rev-1', except: ['okta/00u1'] });
    await store.commit({ changes: [{ put: 'freeze', row: sweep }, head(0, 1)] });
    expect((await store.freezes()).live).toStrictEqual([sweep]);
    expect(await store.grants(['G-7KQ2'])).toEqual([]);
  });

  test('a review is found by its id, by its request, and among the open ones until it is made', async () => {
    const store = await bench.store();
    const row = {
      id: 'review-1',
      version: 1,
      state: 'open' as const,
      why: 'break_glass' as const,
      grantId: 'G-7KQ2',
      requestId: 'R-7KQ2',
      holder: 'okta/00u1',
      holderName: 'Ada',
      entitlement: 'db-prod:read',
      durationMs: MINUTE,
      reason: 'on “fire”',
      reviewers: [{ kind: 'everyone' as const }],
      tell: [{ platform: 'slack' as const, tenant: 'T1', id: 'U1' }],
      createdAt: T0,
      dueAt: T0 + MINUTE,
    };
    await store.commit({
      changes: [
        { put: 'request', row: aRequest() },
        { put: 'review', row },
      ],
    });
    expect(await store.review('review-1')).toStrictEqual(row);
    expect(await store.reviewOf('R-7KQ2')).toStrictEqual(row);
    expect(await store.openReviews(10)).toStrictEqual([row]);
    expect(await store.openReviews(10, 'okta/other')).toEqual([]);
    const made = {
      ...row,
      version: 2,
      state: 'signed_off' as const,
      reminders: 2,
      remindedAt: T0,
      decidedAt: T0 + 1,
      decidedBy: 'Sam',
      note: 'fine',
    };
    await store.commit({ changes: [{ put: 'review', row: made, was: 1 }] });
    await expect(store.commit({ changes: [{ put: 'review', row: made, was: 1 }] })).rejects.toThrow(StaleStateError);
    expect(await store.openReviews(10, 'okta/00u1')).toEqual([]);
    expect(await store.review('review-1')).toStrictEqual(made);
  });
}
