import { expect, test } from 'vitest';
import type { Proof } from '../../src/access/model.ts';
import { StaleStateError } from '../../src/access/ports.ts';
import type { Bench } from './store.ts';
import { MINUTE, T0 } from './store-rows.ts';

function aProof(change: Partial<Proof> = {}): Proof {
  const by = { platform: 'slack', tenant: 'T1', id: 'U1' } as const;
  return {
    id: 'p1',
    version: 1,
    state: 'open',
    purpose: 'approve',
    person: 'okta/00uben',
    personName: "Ben “the' DBA”",
    by,
    command: { do: 'approve', by, target: { card: 'c1' } },
    entitlement: 'db-prod:read',
    requestId: 'R-7KQ2',
    digest: 'd1',
    createdAt: T0,
    expiresAt: T0 + 5 * MINUTE,
    ...change,
  };
}

export function proofContract(bench: Bench): void {
  test('a proof reads back as it was put, and the open ones of a person are found', async () => {
    const store = await bench.store();
    const newer = aProof({ id: 'p2', createdAt: T0 + 1, state: 'signed_in', seal: 'h', amr: ['mfa'], acr: 'phr' });
    const over = aProof({ id: 'p3', state: 'used' });
    const other = aProof({ id: 'p4', person: 'okta/00ucat' });
    for (const row of [aProof(), newer, over, other]) await store.commit({ changes: [{ put: 'proof', row }] });
    expect(await store.proof('p2')).toStrictEqual(newer);
    expect(await store.proof('p9')).toBeUndefined();
    expect(await store.openProofs('okta/00uben', 5)).toStrictEqual([newer, aProof()]);
    expect(await store.openProofs('okta/00uben', 1)).toStrictEqual([newer]);
  });

  test('of two clicks on one proof one is told that somebody was faster', async () => {
    const [one, other] = [await bench.store(), await bench.another()];
    await one.commit({ changes: [{ put: 'proof', row: aProof() }] });
    const used = { put: 'proof', row: aProof({ version: 2, state: 'used' }), was: 1 } as const;
    await one.commit({ changes: [used] });
    await expect(other.commit({ changes: [used] })).rejects.toThrow(StaleStateError);
    expect((await other.proof('p1'))?.state).toBe('used');
  });
}
