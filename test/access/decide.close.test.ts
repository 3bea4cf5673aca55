import { describe, expect, test } from 'vitest';
import {
  decideCancel,
  decideReturn,
  decideRevoke,
  type RevokeFacts,
  type Rung,
  ringAddBy,
  ringEnd,
  ringLapse,
  ringWarn,
} from '../../src/access/decide-close.ts';
import {
  activeGrant,
  ana,
  baseline,
  ben,
  broken,
  entitlement,
  grant,
  grantRecord,
  group,
  HOUR,
  keyOf,
  MINUTE,
  membership,
  no,
  onCall,
  ourMembership,
  request,
  requestRecord,
  T0,
  yes,
} from '../support/builders.ts';
import { changesOf, dropped, eventKinds, faultsOf, jobs, put, refusalOf } from '../support/given.ts';

const OP = 'op:okta:id-prod-db-read:okta-ana@acme.com';
const ours = () => grantRecord(activeGrant(), [ourMembership()]);
const wide = { memberships: [keyOf('prod-db-read'), keyOf('prod-db-admin')] };
const second = (more = {}) => ourMembership({ key: keyOf('prod-db-admin'), groupName: 'prod-db-admin', ...more });

function changes(rung: Rung) {
  if ('dueAt' in rung) throw new Error(`rings again at ${rung.dueAt}`);
  expect(faultsOf(rung)).toEqual([]);
  return rung;
}

describe('a request', () => {
  test('is cancelled by its requester only, and only while it waits', () => {
    const record = requestRecord(request());
    const cancelled = changesOf(decideCancel({ person: ana, record }, T0));
    expect(put(cancelled, 'request')[0]).toMatchObject({ state: 'cancelled', version: 2 });
    expect(dropped(cancelled)).toEqual(['lapse:R-7KQ2', 'ask:R-7KQ2']);
    expect(refusalOf(decideCancel({ person: ben, record }, T0))).toMatchObject({ code: 'not_yours' });
    const approved = requestRecord(request({ state: 'approved' }));
    expect(refusalOf(decideCancel({ person: ana, record: approved }, T0))).toMatchObject({ code: 'not_pending' });
  });

  test('lapses when nobody answered, however early, late or often the timer rings', () => {
    const record = requestRecord(request());
    expect(ringLapse(record, T0 + HOUR - 1)).toEqual({ dueAt: T0 + HOUR });
    expect(put(changes(ringLapse(record, T0 + 9 * HOUR)), 'request')[0]).toMatchObject({ state: 'lapsed' });
    expect(ringLapse(requestRecord(request({ state: 'lapsed' })), T0 + 9 * HOUR)).toEqual([]);
    expect(ringLapse(undefined, T0)).toEqual([]);
  });
});

describe('a grant', () => {
  test('is given back by its holder only', () => {
    const returned = changesOf(decideReturn({ person: ana, record: ours() }, T0 + MINUTE));
    expect(put(returned, 'grant')[0]).toMatchObject({ state: 'ending', endReason: 'returned', endedBy: 'Ana' });
    expect(jobs(returned).get(OP)).toMatchObject({ dueAt: T0 + MINUTE, priority: 0 });
    expect(refusalOf(decideReturn({ person: ben, record: ours() }, T0))).toMatchObject({ code: 'not_yours' });
    const over = grantRecord(activeGrant({ state: 'ending' }), [ourMembership()]);
    expect(refusalOf(decideReturn({ person: ana, record: over }, T0))).toMatchObject({ code: 'not_live' });
  });

  test('that ends withdraws the request for more time that waits on it', () => {
    const extension = request({ id: 'R-9XYZ', extendsGrant: 'G-7KQ2' });
    const record = grantRecord(activeGrant(), [ourMembership()], { extension });
    const returned = changesOf(decideReturn({ person: ana, record }, T0));
    expect(faultsOf(returned)).toEqual([]);
    expect(put(returned, 'request')).toMatchObject([{ id: 'R-9XYZ', state: 'withdrawn' }]);
    expect(dropped(returned)).toContain('lapse:R-9XYZ');
  });

  test('that added nothing is over at once, and touches the ledger so that an addition on its way is decided again', () => {
    const record = grantRecord(grant(), [membership()]);
    const ended = changesOf(decideReturn({ person: ana, record }, T0));
    expect(put(ended, 'grant')[0]).toMatchObject({ state: 'ended' });
    expect(put(ended, 'membership')[0]).toMatchObject({ version: 2, origin: 'none' });
    expect(jobs(ended).has(OP)).toBe(false);
  });

  test('ends on paper only where another grant needs the membership or it was there before', () => {
    const other = activeGrant({ id: 'G-OTHR' });
    const held = grantRecord(activeGrant(wide), [ourMembership(), { ...baseline(), key: keyOf('prod-db-admin') }], {
      others: [other],
    });
    const ended = changesOf(decideReturn({ person: ana, record: held }, T0));
    expect(put(ended, 'grant')[0]).toMatchObject({ state: 'ended' });
    expect(put(ended, 'job').filter((job) => job.kind === 'operation')).toEqual([]);
    expect(put(ended, 'membership').map((row) => row.version)).toEqual([2, 2]);
  });
});

describe('revoking', () => {
  const responders = [group('security'), onCall('dba'), onCall('web')];
  const revoke = (
    subjects: RevokeFacts['by'] extends infer T ? Extract<T, { subjects: unknown }>['subjects'] : never,
  ) =>
    decideRevoke(
      { reason: 'incident' },
      { by: { person: ben, subjects }, responders, entitlement: entitlement(), record: ours() },
      T0,
    );

  test('is for responders, and for those on call only on what they approve', () => {
    expect(revoke([yes(group('security'))])).toMatchObject({ done: 'revoked' });
    expect(revoke([no(group('security')), yes(onCall('dba'))])).toMatchObject({ done: 'revoked' });
    const outside = revoke([no(group('security')), no(onCall('dba')), yes(onCall('web'))]);
    expect(refusalOf(outside)).toEqual({ code: 'not_a_responder' });
    expect(outside).toMatchObject({ record: { kind: 'revocation.refused', grantId: 'G-7KQ2' } });
  });

  test('is refused while it cannot be told whether the person may', () => {
    expect(refusalOf(revoke([broken(group('security')), no(onCall('dba'))]))).toMatchObject({ code: 'cannot_check' });
  });

  test('on call is worth nothing on a resource the file no longer has', () => {
    const by = { person: ben, subjects: [no(group('security')), yes(onCall('dba'))] };
    const outcome = decideRevoke({ reason: 'x' }, { by, responders, record: ours() }, T0);
    expect(refusalOf(outcome)).toEqual({ code: 'not_a_responder' });
  });

  test('from a shell on the host ends anything that runs, and says who and why', () => {
    const outcome = decideRevoke({ reason: 'drill' }, { by: { operator: 'root' }, responders: [], record: ours() }, T0);
    expect(put(changesOf(outcome), 'grant')[0]).toMatchObject({
      endReason: 'revoked',
      endedBy: 'root (on the host)',
      endNote: 'drill',
    });
    // The one that gives up an addition rings no more since it was added.
    expect(dropped(changesOf(outcome))).toEqual(['end:G-7KQ2', 'warn:G-7KQ2']);
  });

  test('while the addition is under way leaves a removal due', () => {
    const { addOutcome: _unknown, ...sent } = ourMembership();
    const record = grantRecord(grant(), [sent]);
    const outcome = decideRevoke({ reason: 'x' }, { by: { operator: 'root' }, responders: [], record }, T0);
    expect(put(changesOf(outcome), 'grant')[0]).toMatchObject({ state: 'ending' });
    expect(jobs(changesOf(outcome)).has(OP)).toBe(true);
  });
});

describe('the end timer', () => {
  test('rung early rings again, rung late ends the grant, rung twice does nothing more', () => {
    expect(ringEnd(ours(), T0 + 30 * MINUTE - 1)).toEqual({ dueAt: T0 + 30 * MINUTE });
    expect(put(changes(ringEnd(ours(), T0 + 9 * HOUR)), 'grant')[0]).toMatchObject({
      state: 'ending',
      endReason: 'expired',
    });
    expect(ringEnd(grantRecord(activeGrant({ state: 'ending' }), [ourMembership()]), T0 + 9 * HOUR)).toEqual([]);
  });

  test('follows an end that was moved', () => {
    expect(ringEnd(grantRecord(activeGrant({ expiresAt: T0 + HOUR })), T0 + 30 * MINUTE)).toEqual({ dueAt: T0 + HOUR });
  });

  test('ends at the hard end what never began', () => {
    const ended = changes(ringEnd(grantRecord(grant(), [membership()]), T0 + 40 * MINUTE));
    expect(put(ended, 'grant')[0]).toMatchObject({ state: 'ended', endReason: 'abandoned' });
  });
});

describe('when the time to add has passed', () => {
  const ring = (...rows: Parameters<typeof grantRecord>[1] & object) =>
    ringAddBy(grantRecord(grant(rows.length > 1 ? wide : {}), rows), T0 + 10 * MINUTE);

  test('before it, nothing happens', () => {
    expect(ringAddBy(grantRecord(grant(), [membership()]), T0 + MINUTE)).toEqual({ dueAt: T0 + 10 * MINUTE });
    expect(ringAddBy(ours(), T0 + HOUR)).toEqual([]);
  });

  test('a grant with nothing added is abandoned, with a removal unless nothing can have happened', () => {
    const none = changes(ring(membership()));
    expect(put(none, 'grant')[0]).toMatchObject({ state: 'ended', endReason: 'abandoned' });
    expect(jobs(none).has(OP)).toBe(false);
    const perhaps = changes(ring(ourMembership({ addOutcome: 'unknown' })));
    expect(put(perhaps, 'grant')[0]).toMatchObject({ state: 'ending', endReason: 'abandoned' });
    expect(jobs(perhaps).has(OP)).toBe(true);
  });

  test('what is in place of two directories stays until its end, and its clock runs', () => {
    const partly = changes(ring(ourMembership(), membership({ key: keyOf('prod-db-admin') })));
    expect(put(partly, 'grant')[0]).toMatchObject({ state: 'active', startsAt: T0, expiresAt: T0 + 30 * MINUTE });
    expect(jobs(partly).get('end:G-7KQ2')?.dueAt).toBe(T0 + 30 * MINUTE);
  });

  test('a grant whose every membership is there becomes active', () => {
    expect(put(changes(ring(ourMembership(), second())), 'grant')[0]).toMatchObject({ state: 'active' });
  });
});

describe('the warning', () => {
  const warned = (more = {}) =>
    grantRecord(activeGrant(more), [ourMembership()], { request: request({ state: 'approved' }) });

  test('comes once for each end, however often its timer rings', () => {
    expect(ringWarn(warned(), T0)).toEqual({ dueAt: T0 + 25 * MINUTE });
    const first = changes(ringWarn(warned(), T0 + 26 * MINUTE));
    const [row] = put(first, 'request');
    expect(row?.audiences).toMatchObject([{ kind: 'warning', endsAt: T0 + 30 * MINUTE }]);
    expect(eventKinds(first)).toEqual(['grant.warned']);
    if (row === undefined) throw new Error('no request was put');
    expect(ringWarn({ ...warned(), request: row }, T0 + 27 * MINUTE)).toEqual([]);
    const moved = { ...warned({ expiresAt: T0 + HOUR }), request: row };
    expect(changes(ringWarn(moved, T0 + 56 * MINUTE))).not.toEqual([]);
  });

  test('is not given after the end, and waits while something is still being added', () => {
    expect(ringWarn(warned(), T0 + 30 * MINUTE)).toEqual([]);
    expect(ringWarn(warned({ state: 'ending' }), T0 + 26 * MINUTE)).toEqual([]);
    const adding = ringWarn(warned({ state: 'adding' }), T0 + 26 * MINUTE);
    expect(adding).toEqual({ dueAt: T0 + 26 * MINUTE + 15_000 });
  });
});
