/** Where a bot may speak: remembered whole, and absent is absent. */
import { expect, test } from 'vitest';
import type { Bench } from './store.ts';

export function placeContract(bench: Bench): void {
  test('a place is what was put last, without what is no longer said of it', async () => {
    const [store, other] = [await bench.store(), await bench.another()];
    expect(await store.place('teams:person:t/a')).toBeUndefined();
    const open = {
      id: 'teams:person:t/a',
      serviceUrl: 'https://smba.trafficmanager.net/emea/',
      conversation: 'a:1',
      user: '29:a',
      name: 'Ana',
      zone: 'Europe/Berlin',
      seenAt: 1_800_000_000_000,
    };
    await store.putPlace(open);
    expect(await other.place(open.id)).toEqual(open);
    const closed = { id: open.id, serviceUrl: open.serviceUrl, closedAt: 1_800_000_000_001, seenAt: open.seenAt };
    await other.putPlace(closed);
    expect(await store.place(open.id)).toEqual(closed);
  });
}
