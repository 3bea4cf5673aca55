import { expect, test } from 'vitest';
import { createSigner, createVerifier, newSigningKey } from '../../src/audit/checkpoint.ts';
import { verifyTrail } from '../../src/audit/verify.ts';
import { sha256 } from '../support/databases.ts';
import type { Bench } from './store.ts';
import { anEvent, aRequest, T0 } from './store-rows.ts';

export function trailContract(bench: Bench): void {
  const signer = createSigner(newSigningKey());

  async function trail(count: number) {
    const store = await bench.store();
    for (let n = 0; n < count; n += 1)
      await store.commit({
        changes: [{ put: 'event', row: anEvent({ at: T0 + n * 1_000, personal: { reason: `because of ${n}` } }) }],
      });
    return store;
  }

  test('the head, the links and the events tell the same', async () => {
    const store = await trail(3);
    const links = await store.trailLinks(0, 10, true);
    expect(await store.chainHead()).toEqual({ seq: 3, hash: links[2]?.hash });
    expect(links[1]?.columns).toEqual({ at: T0 + 1_000, kind: 'request.made', requestId: 'R-7KQ2' });
    const events = await store.trailEvents(1, 10);
    expect(events.map(({ seq, event }) => [seq, event.at, event.personal])).toEqual([
      [2, T0 + 1_000, { reason: 'because of 1' }],
      [3, T0 + 2_000, { reason: 'because of 2' }],
    ]);
    expect(await store.trailEvents(3, 10)).toEqual([]);
  });

  test('events are searched by whoever did them or asked for it, by resource, kind, time and place', async () => {
    const store = await bench.store();
    await store.commit({ changes: [{ put: 'request', row: aRequest() }] });
    const { requester, id, resource } = aRequest();
    const by = (person: string) => ({ kind: 'person' as const, id: person, name: 'Somebody' });
    const rows = [
      anEvent({ at: T0, actor: by(requester), requestId: id, kind: 'request.made', personal: { reason: 'why' } }),
      anEvent({ at: T0 + 1, actor: by('okta/ben'), requestId: id, kind: 'request.approved' }),
      anEvent({ at: T0 + 2, actor: by('okta/ben'), requestId: 'R-ELSE', kind: 'request.made' }),
    ];
    await store.commit({ changes: rows.map((row) => ({ put: 'event', row })) });
    const found = async (filter: Partial<Parameters<typeof store.searchEvents>[0]>) =>
      (await store.searchEvents({ limit: 10, ...filter })).map(({ seq }) => seq);
    expect(await found({})).toEqual([3, 2, 1]);
    expect(await found({ person: requester })).toEqual([2, 1]);
    expect(await found({ person: 'okta/ben' })).toEqual([3, 2]);
    expect(await found({ resource })).toEqual([2, 1]);
    expect(await found({ resource: `${resource}/part` })).toEqual([]);
    expect(await found({ requestId: 'R-ELSE' })).toEqual([3]);
    expect(await found({ kinds: ['request.made'] })).toEqual([3, 1]);
    expect(await found({ from: T0 + 1, to: T0 + 2 })).toEqual([2]);
    expect(await found({ beforeSeq: 3, limit: 1 })).toEqual([2]);
    expect(await found({ afterSeq: 1 })).toEqual([2, 3]);
    expect((await store.searchEvents({ kinds: ['request.made'], limit: 1, afterSeq: 0 }))[0]?.event.personal).toEqual({
      reason: 'why',
    });
  });

  test('the place before an instant is found, whatever the instant', async () => {
    const store = await trail(3);
    expect(await store.seqBefore(T0 - 1)).toBe(0);
    expect(await store.seqBefore(T0 + 500)).toBe(1);
    expect(await store.seqBefore(T0 + 2_000)).toBe(2);
    expect(await store.seqBefore(T0 + 2_001)).toBe(3);
  });

  test('a checkpoint is signed once for each place, by whichever process is first, and verifies', async () => {
    const store = await trail(4);
    expect(await store.lastCheckpoint()).toBeUndefined();
    const links = await store.trailLinks(0, 10, true);
    const checkpoint = signer.checkpoint({ seq: 3, hash: links[2]?.hash ?? '' }, T0);
    expect(await store.putCheckpoint(checkpoint)).toBe(true);
    expect(await (await bench.another()).putCheckpoint({ ...checkpoint, at: T0 + 1 })).toBe(false);
    expect(await store.lastCheckpoint()).toEqual(checkpoint);
    expect(await store.checkpoints(3, 10)).toEqual([]);
    const report = await verifyTrail(
      { page: store.trailLinks, checkpoints: store.checkpoints },
      { verifiers: [createVerifier(signer.publicPem)], anchors: [], deep: true, hash: sha256 },
    );
    expect(report).toMatchObject({ ok: true, events: 4, checkpoints: 1 });
  });

  test.each(['update audit_checkpoints set at = at', 'delete from audit_checkpoints'])(
    'the database itself refuses: %s',
    async (statement) => {
      const store = await trail(1);
      await store.putCheckpoint(signer.checkpoint(await store.chainHead(), T0));
      await expect(bench.sql(statement)).rejects.toThrow('append-only');
    },
  );

  test('a sink’s cursor moves only from where it was, so that two processes tell nothing twice', async () => {
    const store = await trail(1);
    const other = await bench.another();
    expect(await store.cursor('siem')).toBe(0);
    expect(await store.moveCursor('siem', 0, 5)).toBe(true);
    expect(await other.moveCursor('siem', 0, 5)).toBe(false);
    expect(await other.moveCursor('siem', 5, 9)).toBe(true);
    expect([await store.cursor('siem'), await store.cursor('file')]).toEqual([9, 0]);
  });
}
