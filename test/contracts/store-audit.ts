import { expect, test } from 'vitest';
import type { AuditEvent } from '../../src/access/model.ts';
import { StaleStateError } from '../../src/access/ports.ts';
import { verifyChain } from '../../src/audit/chain.ts';
import { sha256 } from '../support/databases.ts';
import type { Bench } from './store.ts';
import { anEvent, aRequest, KEY, T0 } from './store-rows.ts';

export function auditContract(bench: Bench): void {
  const told: AuditEvent = {
    at: T0,
    kind: 'request.approved',
    actor: {
      kind: 'person',
      id: 'okta/00u2',
      name: 'Grace Hopper',
      account: { platform: 'slack', tenant: 'T1', id: 'U2' },
    },
    requestId: 'R-7KQ2',
    grantId: 'G-7KQ2',
    membership: KEY,
    detail: { policy: { hash: 'p1', approvals: [1, 2.5, null, true] }, to: 'approved' },
    personal: { reason: 'a very private reason', note: 'Ünïcödé 🙏 "quoted"' },
    correlation: 'd1',
  };

  test('the newest event says when it happened, by whoever wrote it', async () => {
    const store = await bench.store();
    expect(await store.newestEventAt()).toBeUndefined();
    await store.commit({
      changes: [
        { put: 'event', row: anEvent({ at: T0 + 5 }) },
        { put: 'event', row: anEvent({ at: T0 }) },
      ],
    });
    expect(await store.newestEventAt()).toBe(T0);
  });

  test('the story of a request tells its events as they were put, in order, and no other’s', async () => {
    const store = await bench.store();
    const operator = anEvent({ actor: { kind: 'operator', name: 'root' }, kind: 'grant.revoked' });
    const account = anEvent({ actor: { kind: 'account', account: { platform: 'slack', tenant: 'T1', id: 'U9' } } });
    await store.commit({ changes: [anEvent(), told].map((row) => ({ put: 'event', row }) as const) });
    await store.commit({
      changes: [operator, anEvent({ requestId: 'R-2222' }), account].map((row) => ({ put: 'event', row }) as const),
    });
    expect(await store.story('R-7KQ2')).toStrictEqual([anEvent(), told, operator, account]);
  });

  test('the chain holds over what is stored, in pages too, and holds no text or name of a person', async () => {
    const store = await bench.store();
    await store.commit({
      changes: [
        { put: 'event', row: told },
        { put: 'request', row: aRequest() },
      ],
    });
    await store.commit({
      changes: [
        { put: 'event', row: anEvent() },
        { put: 'event', row: told },
      ],
    });
    const stale = { put: 'request', row: aRequest() } as const;
    await expect(store.commit({ changes: [{ put: 'event', row: told }, stale] })).rejects.toThrow(StaleStateError);
    await store.commit({ changes: [{ put: 'event', row: anEvent({ actor: { kind: 'operator', name: 'root' } }) }] });

    const links = await store.chain(0, 100);
    expect(links.map(({ seq }) => seq)).toEqual([1, 2, 3, 4]);
    expect(verifyChain(links, sha256)).toBeUndefined();
    expect(verifyChain(await store.chain(2, 100), sha256, links[1])).toBeUndefined();
    expect(await store.chain(1, 2)).toStrictEqual(links.slice(1, 3));
    const text = JSON.stringify(links);
    for (const secret of ['private', 'Grace', 'root', '🙏']) expect(text).not.toContain(secret);
  });

  test('an event that is altered, dropped or moved is named', async () => {
    const store = await bench.store();
    for (let n = 0; n < 4; n += 1) await store.commit({ changes: [{ put: 'event', row: anEvent({ at: T0 + n }) }] });
    const links = await store.chain(0, 100);
    const [first, second, third, fourth] = [links[0]!, links[1]!, links[2]!, links[3]!];
    const canonical = second.canonical.replace('request.made', 'request.mode');
    expect(verifyChain([first, { ...second, canonical }, third, fourth], sha256)).toBe(2);
    expect(verifyChain([first, { ...second, canonical, hash: sha256(canonical) }, third, fourth], sha256)).toBe(3);
    expect(verifyChain([first, third, fourth], sha256)).toBe(2);
    expect(verifyChain([first, third, second, fourth], sha256)).toBe(2);
    expect(verifyChain([second, third, fourth], sha256)).toBe(1);
    const renumbered = { ...third, seq: 2, prevHash: first.hash };
    expect(verifyChain([first, renumbered], sha256)).toBe(2);
  });

  test('two processes that commit at once leave one unbroken chain', async () => {
    const stores = [await bench.store(), await bench.another()];
    await Promise.all(
      Array.from({ length: 30 }, (_, n) =>
        stores[n % 2]!.commit({
          changes: [
            { put: 'event', row: anEvent({ detail: { n } }) },
            { put: 'request', row: aRequest({ id: `R-${n}` }) },
            { put: 'event', row: told },
          ],
        }),
      ),
    );
    const links = await stores[0]!.chain(0, 100);
    expect(links).toHaveLength(60);
    expect(verifyChain(links, sha256)).toBeUndefined();
  });

  test.each([
    'update audit_events set canonical = canonical',
    'update audit_events set actor = actor where seq = 1',
    'delete from audit_events where seq = 1',
    'delete from audit_events',
  ])('the database itself refuses: %s', async (statement) => {
    const store = await bench.store();
    await store.commit({ changes: [{ put: 'event', row: anEvent() }] });
    await expect(bench.sql(statement)).rejects.toThrow('append-only');
    expect(await store.chain(0, 10)).toHaveLength(1);
  });

  test('the texts of a person can be erased, and the chain still holds', async () => {
    const store = await bench.store();
    await store.commit({ changes: [{ put: 'event', row: told }] });
    await bench.sql("delete from audit_personal where field = 'personal.reason'");
    const { reason: _, ...kept } = told.personal ?? {};
    expect(await store.story('R-7KQ2')).toStrictEqual([{ ...told, personal: kept }]);

    await bench.sql('delete from audit_personal');
    const { personal: __, ...bare } = told;
    expect(await store.story('R-7KQ2')).toStrictEqual([{ ...bare, actor: { ...told.actor, name: '[erased]' } }]);
    expect(verifyChain(await store.chain(0, 10), sha256)).toBeUndefined();
  });
}
