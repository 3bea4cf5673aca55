import { expect, test } from 'vitest';
import type { AccessRequest, Change, Grant } from '../../src/access/model.ts';
import { StaleStateError } from '../../src/access/ports.ts';
import type { Bench } from './store.ts';
import { aGrant, aMembership, anApproval, anEvent, aRequest, KEY, MINUTE, T0 } from './store-rows.ts';

const PERIOD = { from: T0, to: T0 + 60 * MINUTE };
const LATE_MS = 5 * MINUTE;

/** A request with its grant; `at` is when it was approved. */
function grantedAt(id: string, at: number, grant: Partial<Grant> = {}, request: Partial<AccessRequest> = {}): Change[] {
  const entitlement = 'db-prod:read';
  const asked = aRequest({ id: `R-${id}`, entitlement, state: 'approved', createdAt: at, decidedAt: at, ...request });
  const row = aGrant({
    id: `G-${id}`,
    requestId: asked.id,
    entitlement: asked.entitlement,
    state: 'active',
    approvedAt: at,
    startsAt: at,
    expiresAt: at + 30 * MINUTE,
    ...grant,
  });
  return [
    { put: 'request', row: asked },
    { put: 'grant', row },
  ];
}

const closed = (id: string, state: AccessRequest['state'], at: number, more: Partial<AccessRequest> = {}): Change => ({
  put: 'request',
  row: aRequest({ id: `R-${id}`, entitlement: 'db-prod:read', state, decidedAt: at, ...more }),
});

export function digestContract(bench: Bench): void {
  test('of an empty record everything is zero', async () => {
    const store = await bench.store();
    expect(await store.lastDigest()).toBeUndefined();
    expect(await store.explained('okta', '00g1', T0, 10)).toEqual([]);
    const facts = await store.digestFacts(PERIOD, LATE_MS, 10);
    const { counts, steps, ...lists } = facts;
    expect(steps).toBeUndefined();
    const { ending, ...plain } = counts;
    expect([...Object.values(plain), ...Object.values(ending)].every((count) => count === 0)).toBe(true);
    expect(Object.values(lists).every((list) => list.length === 0)).toBe(true);
  });

  test('a day has one digest, whoever puts it', async () => {
    const [one, two] = [await bench.store(), await bench.another()];
    const row = { day: '2026-11-23', version: 1, fromAt: T0, toAt: T0 + 1, madeAt: T0 + 2 };
    const job = (id: string): Change => ({
      put: 'job',
      row: { kind: 'timer', id, lane: 'x', priority: 1, dueAt: T0, payload: { ring: 'lapse', requestId: 'R-1' } },
    });
    const put = (store: typeof one, by: string) => store.commit({ changes: [{ put: 'digest', row }, job(by)] });
    const results = await Promise.allSettled([put(one, 'one'), put(two, 'two')]);
    const lost = results.filter((result) => result.status === 'rejected');
    expect(lost).toHaveLength(1);
    expect(lost[0]?.reason).toBeInstanceOf(StaleStateError);
    expect([await one.job('one'), await one.job('two')].filter((found) => found !== undefined)).toHaveLength(1);
    expect(await two.lastDigest()).toStrictEqual(row);
    await one.commit({ changes: [{ put: 'digest', row: { ...row, day: '2026-11-24', toAt: T0 + 9 } }] });
    expect((await two.lastDigest())?.day).toBe('2026-11-24');
  });

  test('a digest is found by its day and by its id, signed once, and unsigned until then', async () => {
    const store = await bench.store();
    const made = { day: '2026-11-24', version: 1, fromAt: T0, toAt: T0 + 1, madeAt: T0 + 2, id: 'opaque' };
    const mark = { day: '2026-11-23', version: 1, fromAt: T0, toAt: T0, madeAt: T0 };
    await store.commit({
      changes: [
        { put: 'digest', row: mark },
        { put: 'digest', row: made },
      ],
    });
    expect(await store.digestOf('2026-11-23')).toStrictEqual(mark);
    expect(await store.digestById('opaque')).toStrictEqual(made);
    // The mark of the first start counts nothing, so nobody owes it a signature.
    expect(await store.unsignedDigests(10)).toEqual([{ day: '2026-11-24', toAt: T0 + 1 }]);
    const signed = { ...made, version: 2, signedAt: T0 + 3, signedBy: 'Sam', note: 'read' };
    await store.commit({ changes: [{ put: 'digest', row: signed, was: 1 }] });
    await expect(store.commit({ changes: [{ put: 'digest', row: signed, was: 1 }] })).rejects.toThrow(StaleStateError);
    expect(await store.digestById('opaque')).toStrictEqual(signed);
    expect(await store.unsignedDigests(10)).toEqual([]);
  });

  test('who approves for whom, what was taken without approval and which policies changed are of the period', async () => {
    const store = await bench.store();
    const [ada, grace] = ['okta/00u1', 'okta/00u2'];
    const asked = (id: string, by: string, at: number, more: Partial<AccessRequest> = {}) => [
      ...grantedAt(id, at, {}, { requester: by, requesterName: by, ...more }),
      { put: 'approval' as const, row: anApproval({ requestId: `R-${id}`, approver: by === ada ? grace : ada }) },
    ];
    const changed = (at: number): Change => ({
      put: 'event',
      row: anEvent({ at, kind: 'policy.changed', detail: { policy: 'standard' } }),
    });
    await store.commit({
      changes: [
        ...asked('A1', ada, T0),
        ...asked('A2', ada, T0 + 1),
        ...asked('B1', grace, T0 + 2),
        ...asked('OLD', grace, T0 - 1),
        // An approval of what was shown before it changed does not count.
        ...asked('B2', grace, T0 + 3, { digest: 'other' }),
        ...grantedAt('G1', T0 + 4, {}, { breakGlass: 'usual' }),
        changed(T0 - 1),
        changed(T0 + 5),
        { put: 'event', row: anEvent({ at: T0 + 6 }) },
      ],
    });
    const facts = await store.digestFacts(PERIOD, LATE_MS, 10);
    expect(facts.approvedFor.map(({ approver, requester, count }) => [approver, requester, count])).toEqual([
      [grace, ada, 2],
      [ada, grace, 1],
    ]);
    expect(facts.counts.breakGlass).toBe(1);
    expect(facts.breakGlass.map(({ request }) => request.id)).toEqual(['R-G1']);
    expect(facts.policyChanges.map(({ at, detail }) => [at, detail.policy])).toEqual([[T0 + 5, 'standard']]);
  });

  test('the lines of a digest are what was decided or ended in the period, and what is live or waits', async () => {
    const store = await bench.store();
    const ended = { state: 'ended', endReason: 'expired' } as const;
    await store.commit({
      changes: [
        ...grantedAt('OLD', T0 - 9, { ...ended, endingAt: T0 - 2, endedAt: T0 - 1 }),
        ...grantedAt('END', T0 - 8, { ...ended, endingAt: T0 - 1, endedAt: T0 }),
        ...grantedAt('LIVE', T0 - 7),
        ...grantedAt('NEW', T0 + 1),
        closed('NO', 'denied', T0 + 2, { createdAt: T0 - 6 }),
        { put: 'request', row: aRequest({ id: 'R-WAIT', createdAt: T0 - 5 }) },
      ],
    });
    const ids = await store.digestRequests(PERIOD, 10);
    expect(ids).toEqual(['R-NEW', 'R-WAIT', 'R-NO', 'R-LIVE', 'R-END']);
    expect(await store.digestRequests(PERIOD, 2)).toEqual(['R-NEW', 'R-WAIT']);
    const rows = await store.requestsWithReviews(ids.slice(0, 2));
    expect(rows.map(({ record, review }) => [record.request.id, record.grant?.id, review])).toEqual([
      ['R-NEW', 'G-NEW', undefined],
      ['R-WAIT', undefined, undefined],
    ]);
  });

  test('the beginning of a period belongs to it, its end to the next', async () => {
    const store = await bench.store();
    await store.commit({
      changes: [
        ...grantedAt('AAAA', PERIOD.from - 1),
        ...grantedAt('BBBB', PERIOD.from),
        ...grantedAt('CCCC', PERIOD.to - 1),
        ...grantedAt('DDDD', PERIOD.to),
      ],
    });
    const { counts, granted, live } = await store.digestFacts(PERIOD, LATE_MS, 10);
    expect(counts).toMatchObject({ granted: 2, live: 4 });
    expect(granted.map(({ grant }) => grant?.id)).toEqual(['G-CCCC', 'G-BBBB']);
    expect(live.map(({ grant }) => grant?.id)).toEqual(['G-AAAA', 'G-BBBB', 'G-CCCC', 'G-DDDD']);
  });

  test('everything is counted, and listed up to the limit', async () => {
    const store = await bench.store();
    await store.commit({
      changes: [
        ...Array.from({ length: 7 }, (_, index) => grantedAt(`AAA${index}`, T0 + index)).flat(),
        ...Array.from({ length: 3 }, (_, index) =>
          grantedAt(`BBB${index}`, T0 + index, {}, { entitlement: 'db-prod:admin' }),
        ).flat(),
        closed('C1', 'denied', T0),
        closed('C2', 'denied', T0, { extendsGrant: 'G-AAA1' }),
        closed('C3', 'lapsed', T0),
        closed('C4', 'withdrawn', T0),
        closed('C5', 'cancelled', T0),
        closed('C6', 'approved', T0, { extendsGrant: 'G-AAA1' }),
        closed('C7', 'denied', T0 - 1),
        { put: 'request', row: aRequest({ id: 'R-P1', lapsesAt: T0 + 2 }) },
        { put: 'request', row: aRequest({ id: 'R-P2', lapsesAt: T0 + 1 }) },
        { put: 'approval', row: anApproval({ requestId: 'R-AAA6' }) },
      ],
    });
    const facts = await store.digestFacts(PERIOD, LATE_MS, 2);
    expect(facts.counts).toMatchObject({
      granted: 10,
      extended: 1,
      denied: 2,
      lapsed: 1,
      withdrawn: 1,
      cancelled: 1,
      pending: 2,
      live: 10,
    });
    expect(facts.byEntitlement).toEqual([
      { entitlement: 'db-prod:read', count: 7 },
      { entitlement: 'db-prod:admin', count: 3 },
    ]);
    expect(facts.granted.map(({ grant }) => grant?.id)).toEqual(['G-AAA6', 'G-AAA5']);
    expect(facts.granted[0]?.approvals).toHaveLength(1);
    expect(facts.live).toHaveLength(2);
    expect(facts.refused).toHaveLength(2);
    expect(facts.pending.map(({ request }) => request.id)).toEqual(['R-P2', 'R-P1']);
  });

  test('of what was proven over, half, 99 of 100 and the longest are told, from due to accepted and to proven', async () => {
    const store = await bench.store();
    const at = T0 - 40 * MINUTE;
    const over = (n: number) =>
      grantedAt(`A${String(n).padStart(3, '0')}`, at, {
        state: 'ended',
        expiresAt: T0,
        endingAt: T0,
        endReason: 'expired',
        removedAt: T0 + n * 10,
        endedAt: T0 + n * 100,
      });
    await store.commit({ changes: Array.from({ length: 200 }, (_, n) => over(n + 1)).flat() });
    expect((await store.digestFacts(PERIOD, LATE_MS, 2)).steps).toEqual({
      accepted: { p50Ms: 1_000, p99Ms: 1_980, maxMs: 2_000 },
      proven: { p50Ms: 10_000, p99Ms: 19_800, maxMs: 20_000 },
    });
  });

  test('an end is counted by its reason, and its lateness from when it was due', async () => {
    const store = await bench.store();
    const at = T0 - 40 * MINUTE;
    const over = (id: string, more: Partial<Grant>) =>
      grantedAt(id, at, { state: 'ended', expiresAt: T0, endingAt: T0, endReason: 'expired', ...more });
    await store.commit({
      changes: [
        ...over('AAAA', { endedAt: T0 + 1_000 }),
        // Looked at only eight minutes after its end, and proven two minutes after that.
        ...over('BBBB', { endingAt: T0 + 8 * MINUTE, endedAt: T0 + 10 * MINUTE }),
        ...over('CCCC', { endReason: 'revoked', expiresAt: T0 + 50 * MINUTE, endedAt: T0 + 6 * MINUTE }),
        ...over('DDDD', { endReason: 'returned', expiresAt: T0 + 50 * MINUTE, endedAt: T0 + 1 }),
        // Never began: its end says nothing about removals.
        ...grantedAt('EEEE', at, { state: 'ended', endReason: 'abandoned', endingAt: T0, endedAt: T0 }).map((change) =>
          'put' in change && change.put === 'grant' ? { ...change, row: withoutStart(change.row) } : change,
        ),
        ...over('FFFF', { state: 'ending' }),
      ],
    });
    const facts = await store.digestFacts(PERIOD, LATE_MS, 3);
    expect(facts.counts).toMatchObject({
      ending: { expired: 3, revoked: 1, returned: 1, abandoned: 1, removed_outside: 0 },
      proven: 4,
      late: 2,
      live: 0,
    });
    expect(facts.latest.map(({ id }) => id)).toEqual(['G-BBBB', 'G-CCCC', 'G-AAAA']);
    expect(facts.endedEarly.map(({ grant }) => grant?.id)).toEqual(['G-EEEE', 'G-DDDD', 'G-CCCC']);
  });

  test('a removal that is owed is told with its membership and who held it', async () => {
    const store = await bench.store();
    await store.commit({
      changes: [
        ...grantedAt('AAAA', T0, { state: 'ending', endingAt: T0 + 1, endReason: 'expired' }),
        { put: 'membership', row: aMembership({ origin: 'ours', failures: 4, lastError: 'HTTP 503' }) },
      ],
    });
    const { counts, removals } = await store.digestFacts(PERIOD, LATE_MS, 10);
    expect(counts.removals).toBe(1);
    expect(removals).toMatchObject([{ key: KEY, membership: { failures: 4 }, grants: [{ id: 'G-AAAA' }] }]);
  });

  test('a membership is explained while it is ours, and for a while after we removed it', async () => {
    const store = await bench.store();
    const row = (userId: string, more: object): Change => ({
      put: 'membership',
      row: aMembership({ key: { ...KEY, userId }, ...more }),
    });
    await store.commit({
      changes: [
        row('u1', { origin: 'ours' }),
        row('u2', { origin: 'none', removeAcceptedAt: T0 }),
        row('u3', { origin: 'none', removeAcceptedAt: T0 - 1 }),
        row('u4', { origin: 'baseline' }),
        row('u5', { origin: 'none' }),
        { put: 'membership', row: aMembership({ key: { ...KEY, groupId: 'other', userId: 'u6' }, origin: 'ours' }) },
      ],
    });
    expect(await store.explained('okta', KEY.groupId, T0, 10)).toEqual(['u1', 'u2']);
    expect(await store.explained('okta', KEY.groupId, T0, 1)).toEqual(['u1']);
  });

  test('a list is turned page by page, and kept to some entitlements', async () => {
    const store = await bench.store();
    await store.commit({
      changes: [
        ...grantedAt('AAAA', T0),
        ...grantedAt('BBBB', T0 + 1, {}, { entitlement: 'db-prod:admin' }),
        ...grantedAt('CCCC', T0 + 2),
        ...grantedAt('DDDD', T0 + 3, { state: 'ended', endingAt: T0 + 4, endedAt: T0 + 4 }),
      ],
    });
    const ids = async (filter: Parameters<typeof store.list>[0]) =>
      (await store.list(filter)).map(({ request }) => request.id);
    expect(await ids({ liveGrants: true, limit: 2 })).toEqual(['R-CCCC', 'R-BBBB']);
    expect(await ids({ liveGrants: true, limit: 2, offset: 2 })).toEqual(['R-AAAA']);
    expect(await ids({ liveGrants: true, entitlements: ['db-prod:read'], limit: 9 })).toEqual(['R-CCCC', 'R-AAAA']);
    expect(await ids({ limit: 9, offset: 9 })).toEqual([]);
  });
}

function withoutStart({ startsAt: _startsAt, expiresAt: _expiresAt, ...rest }: Grant): Grant {
  return rest;
}
