import { expect, test } from 'vitest';
import { type LeasedJob, StaleStateError, type Store } from '../../src/access/ports.ts';
import type { Bench } from './store.ts';
import { aRequest, aTimer, MINUTE, T0 } from './store-rows.ts';

export function jobContract(bench: Bench): void {
  const leaseUntil = T0 + MINUTE;
  const lease = (store: Store, change: Partial<Parameters<Store['lease']>[0]> = {}) =>
    store.lease({ kind: 'timer', limit: 10, now: T0, leaseUntil, ...change });
  const put = (store: Store, ...rows: ReturnType<typeof aTimer>[]) =>
    store.commit({ changes: rows.map((row) => ({ put: 'job', row }) as const) });
  const done = ({ id, epoch, version }: LeasedJob) =>
    ({ changes: [], job: { job: id, epoch, version, done: true } }) as const;
  async function leaseOne(store: Store, now = T0, until = now + MINUTE): Promise<LeasedJob> {
    const [job] = await lease(store, { now, leaseUntil: until });
    if (!job) throw new Error('no job was leased');
    return job;
  }

  test('due jobs are leased most urgent first, then longest due, and never before their time', async () => {
    const store = await bench.store();
    await put(
      store,
      aTimer({ id: 'usual', dueAt: T0 - 9 }),
      aTimer({ id: 'urgent', priority: 0 }),
      aTimer({ id: 'urgent and older', priority: 0, dueAt: T0 - 5 }),
      aTimer({ id: 'not yet', priority: 0, dueAt: T0 + 1 }),
    );
    expect((await lease(store)).map(({ id }) => id)).toEqual(['urgent and older', 'urgent', 'usual']);
  });

  test('a worker gets jobs of its kind, its lane and the ids it names only', async () => {
    const store = await bench.store();
    await put(
      store,
      aTimer({ id: 'end:G-1' }),
      aTimer({ id: 'END:G-2' }),
      aTimer({ id: 'warn:G-1', lane: 'x' }),
      aTimer({ id: 'e%d' }),
    );
    expect(await lease(store, { kind: 'operation' })).toEqual([]);
    expect(await lease(store, { lane: 'y' })).toEqual([]);
    expect(await lease(store, { idPrefix: [] })).toEqual([]);
    expect(await lease(store, { idPrefix: ['e_', 'en%'] })).toEqual([]);
    expect((await lease(store, { idPrefix: ['e%'] })).map(({ id }) => id)).toEqual(['e%d']);
    expect((await lease(store, { idPrefix: ['end:', 'lapse:'] })).map(({ id }) => id)).toEqual(['end:G-1']);
    expect((await lease(store, { lane: 'x' })).map(({ id }) => id)).toEqual(['warn:G-1']);
  });

  test('workers that lease at once share the jobs out, each within its limit', async () => {
    const stores = [await bench.store(), await bench.another()];
    await put(stores[0]!, ...Array.from({ length: 40 }, (_, n) => aTimer({ id: `end:G-${n}` })));
    const shares = await Promise.all(Array.from({ length: 10 }, (_, n) => lease(stores[n % 2]!, { limit: 3 })));
    const ids = shares.flat().map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    for (const share of shares) expect(share.length).toBeLessThanOrEqual(3);
    // Whoever found the front of the queue taken may have come away with less; the rest is still there.
    while (ids.length < 40) {
      const more = await lease(stores[0]!, { limit: 3 });
      expect(more.length).toBeGreaterThan(0);
      expect(more.length).toBeLessThanOrEqual(3);
      ids.push(...more.map(({ id }) => id));
    }
    expect(new Set(ids).size).toBe(40);
  });

  test('a leased job is nobody else’s until its lease has run out', async () => {
    const store = await bench.store();
    await put(store, aTimer());
    const first = await leaseOne(store);
    expect(await lease(store, { now: leaseUntil - 1 })).toEqual([]);
    const second = await leaseOne(store, leaseUntil);
    expect(second.epoch).toBe(first.epoch + 1);
  });

  test('who lost the lease changes nothing, whatever it says', async () => {
    const store = await bench.store();
    await put(store, aTimer());
    const { id, epoch, version } = await leaseOne(store);
    await leaseOne(store, leaseUntil);
    const note = { put: 'request', row: aRequest() } as const;
    const later = { dueAt: T0, attempts: 1 };
    for (const job of [
      { job: id, epoch, version, done: true },
      { job: id, epoch, version, later },
      { job: id, epoch, keep: { leaseUntil: T0 + 9 * MINUTE } },
    ] as const) {
      await expect(store.commit({ changes: [note], job })).rejects.toThrow(StaleStateError);
    }
    expect(await store.request('R-7KQ2')).toBeUndefined();
    expect(await store.nextDue('timer')).toBe(leaseUntil + MINUTE);
  });

  test('a lease can be kept for longer', async () => {
    const store = await bench.store();
    await put(store, aTimer());
    const { id, epoch } = await leaseOne(store);
    await store.commit({ changes: [], job: { job: id, epoch, keep: { leaseUntil: T0 + 5 * MINUTE } } });
    expect(await lease(store, { now: T0 + 4 * MINUTE })).toEqual([]);
    expect(await lease(store, { now: T0 + 5 * MINUTE })).toHaveLength(1);
  });

  test('a job put again while it is being done is not forgotten when that is finished', async () => {
    const store = await bench.store();
    await put(store, aTimer());
    const held = await leaseOne(store);
    await put(store, aTimer({ dueAt: T0 + 3, priority: 1 }));
    await expect(store.commit(done(held))).rejects.toThrow(StaleStateError);
    expect(await lease(store, { now: T0 + 3 })).toEqual([]);
    // The holder looks again and settles what it finds, under the lease it still has.
    const now = await store.job(held.id);
    expect(now).toStrictEqual({ version: held.version + 1, epoch: held.epoch, dueAt: T0 + 3 });
    await store.commit(done({ ...held, version: now!.version }));
    expect(await store.job(held.id)).toBeUndefined();
  });

  test('a job put off is free again, at its new time, with its failures counted', async () => {
    const store = await bench.store();
    await put(store, aTimer());
    const { id, epoch, version } = await leaseOne(store);
    const later = { dueAt: T0 + 5, attempts: 2, priority: 1, lastError: 'unavailable' };
    await store.commit({ changes: [], job: { job: id, epoch, version, later } });
    expect(await store.nextDue('timer')).toBe(T0 + 5);
    const again = await leaseOne(store, T0 + 5);
    expect(again).toMatchObject({ attempts: 2, priority: 1, dueAt: T0 + 5 });
    const same = { dueAt: T0 + 6, attempts: 3 };
    await store.commit({ changes: [], job: { job: id, epoch: again.epoch, version, later: same } });
    expect(await leaseOne(store, T0 + 6)).toMatchObject({ attempts: 3, priority: 1 });
  });

  test('a job put again starts afresh: its failures are not held against it', async () => {
    const store = await bench.store();
    await put(store, aTimer());
    const { id, epoch, version } = await leaseOne(store);
    await store.commit({ changes: [], job: { job: id, epoch, version, later: { dueAt: T0, attempts: 7 } } });
    await put(store, aTimer());
    expect(await leaseOne(store)).toMatchObject({ attempts: 0, version: version + 1 });
  });

  test('a job can be done and put anew in one commit', async () => {
    const store = await bench.store();
    await put(store, aTimer());
    const held = await leaseOne(store);
    const next = aTimer({ dueAt: T0 + 9 });
    await store.commit({ ...done(held), changes: [{ put: 'job', row: next }] });
    expect(await store.nextDue('timer')).toBe(T0 + 9);
  });

  test('a late worker cannot settle a newer job that has the same id', async () => {
    const store = await bench.store();
    await put(store, aTimer());
    const late = await leaseOne(store);
    await store.commit({ changes: [{ drop: 'job', id: late.id }] });
    await put(store, aTimer());
    await leaseOne(store);
    await expect(store.commit(done(late))).rejects.toThrow(StaleStateError);
  });

  test('a dropped job is gone, and dropping one that is gone is no error', async () => {
    const store = await bench.store();
    await put(store, aTimer());
    await store.commit({ changes: [{ drop: 'job', id: 'end:G-7KQ2' }] });
    await store.commit({ changes: [{ drop: 'job', id: 'end:G-7KQ2' }] });
    expect(await store.job('end:G-7KQ2')).toBeUndefined();
  });

  test('the next job is due at its time, or when its lease ends, whichever is later', async () => {
    const store = await bench.store();
    await put(store, aTimer({ id: 'a' }), aTimer({ id: 'b', dueAt: T0 + 5 * MINUTE, lane: 'x' }));
    expect(await store.nextDue('timer')).toBe(T0);
    expect(await store.nextDue('timer', 'x')).toBe(T0 + 5 * MINUTE);
    expect(await store.nextDue('operation')).toBeUndefined();
    await leaseOne(store);
    expect(await store.nextDue('timer')).toBe(leaseUntil);
    await put(store, aTimer({ id: 'a', dueAt: T0 + 9 * MINUTE }));
    expect(await store.nextDue('timer')).toBe(T0 + 5 * MINUTE);
    expect(await store.nextDue('timer', 'timers')).toBe(T0 + 9 * MINUTE);
  });

  test('a delivery is taken in once, however often and wherever it arrives', async () => {
    const stores = [await bench.store(), await bench.another()];
    const delivery = { key: 'd1', receivedAt: T0, body: '{"say":"hi"}' };
    const taken = await Promise.all(Array.from({ length: 6 }, (_, n) => stores[n % 2]!.receive(delivery, leaseUntil)));
    expect(taken.filter(Boolean)).toHaveLength(1);
  });

  test('a delivery acts once: its second answer undoes what came with it', async () => {
    const stores = [await bench.store(), await bench.another()];
    await stores[0]!.receive({ key: 'd1', receivedAt: T0, body: '{}' }, leaseUntil);
    const answers = await Promise.allSettled(
      stores.map((store, n) =>
        store.commit({ changes: [{ put: 'request', row: aRequest({ id: `R-${n}` }) }], delivery: 'd1' }),
      ),
    );
    expect(answers.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(await stores[0]!.list({ limit: 10 })).toHaveLength(1);
    await stores[0]!.answered('d1');
    await expect(stores[0]!.commit({ changes: [], delivery: 'never received' })).rejects.toThrow(StaleStateError);
  });

  test('a delivery can be taken in by the very commit that answers it, once, and never when it was here before', async () => {
    const stores = [await bench.store(), await bench.another()];
    const delivery = { key: 'd1', receivedAt: T0, body: '{}' };
    const row = (n: number) => ({ put: 'request' as const, row: aRequest({ id: `R-${n}` }) });
    const tries = await Promise.allSettled(stores.map((store, n) => store.commit({ changes: [row(n)], delivery })));
    expect(tries.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(await stores[0]!.list({ limit: 10 })).toHaveLength(1);
    expect(await stores[1]!.receive(delivery, leaseUntil)).toBe(false);
    expect(await stores[0]!.unanswered(leaseUntil, leaseUntil + MINUTE, 10)).toEqual([]);

    await stores[0]!.receive({ ...delivery, key: 'd2' }, leaseUntil);
    const late = { changes: [row(5)], delivery: { ...delivery, key: 'd2' } };
    await expect(stores[0]!.commit(late)).rejects.toThrow(StaleStateError);
    expect(await stores[0]!.list({ limit: 10 })).toHaveLength(1);
  });

  test('a delivery that was never answered is taken up again, oldest first, once its first holder had its time', async () => {
    const store = await bench.store();
    await store.receive({ key: 'young', receivedAt: T0 + 1, body: 'y' }, leaseUntil);
    await store.receive({ key: 'old', receivedAt: T0, body: 'o' }, leaseUntil);
    await store.receive({ key: 'closed', receivedAt: T0, body: 'c' }, leaseUntil);
    await store.answered('closed');
    expect(await store.unanswered(leaseUntil - 1, leaseUntil + MINUTE, 10)).toEqual([]);
    expect(await store.unanswered(leaseUntil, leaseUntil + MINUTE, 10)).toStrictEqual([
      { key: 'old', receivedAt: T0, body: 'o', attempts: 1 },
      { key: 'young', receivedAt: T0 + 1, body: 'y', attempts: 1 },
    ]);
    expect(await store.unanswered(leaseUntil, leaseUntil + MINUTE, 10)).toEqual([]);
    const again = await store.unanswered(leaseUntil + MINUTE, leaseUntil + 2 * MINUTE, 1);
    expect(again).toMatchObject([{ key: 'old', attempts: 2 }]);
  });

  test('answered deliveries are forgotten after a while; unanswered ones never', async () => {
    const store = await bench.store();
    await store.receive({ key: 'closed', receivedAt: T0, body: '' }, leaseUntil);
    await store.receive({ key: 'open', receivedAt: T0, body: '' }, leaseUntil);
    await store.answered('closed');
    expect(await store.forgetDeliveries(T0)).toBe(0);
    expect(await store.forgetDeliveries(T0 + 1)).toBe(1);
    expect(await store.receive({ key: 'open', receivedAt: T0, body: '' }, leaseUntil)).toBe(false);
  });
}
