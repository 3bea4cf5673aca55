import { describe, expect, test } from 'vitest';
import { decideExtend, decideRequest, type ExtendFacts } from '../../src/access/decide-request.ts';
import type { Grant } from '../../src/access/model.ts';
import { platformOf } from '../../src/access/ports.ts';
import {
  activeGrant,
  ana,
  baseline,
  ben,
  broken,
  cat,
  entitlement,
  grantRecord,
  group,
  HOUR,
  MINUTE,
  membership,
  membershipRecord,
  no,
  ourMembership,
  person,
  policy,
  request,
  requestFacts,
  T0,
} from '../support/builders.ts';
import { changesOf, eventKinds, faultsOf, jobs, put, refusalOf } from '../support/given.ts';

const WISH = { reason: 'fix stuck migration' };
const ask = (more: Parameters<typeof requestFacts>[0] = {}, wish: Parameters<typeof decideRequest>[0] = WISH) =>
  decideRequest(wish, requestFacts(more), T0);

describe('a request', () => {
  test('commits with its card, its lapse timer, its event and a message for everybody concerned', () => {
    const outcome = ask({ approvalsChannel: 'C0APPROVALS' });
    const changes = changesOf(outcome);
    expect(faultsOf(changes)).toEqual([]);
    const [row] = put(changes, 'request');
    expect(row).toMatchObject({ state: 'pending', durationMs: 30 * MINUTE, lapsesAt: T0 + HOUR, approvalsNeeded: 1 });
    expect(put(changes, 'card')).toEqual([{ id: 'card-1', requestId: 'R-7KQ2', digest: row?.digest, createdAt: T0 }]);
    expect(jobs(changes).get('lapse:R-7KQ2')?.dueAt).toBe(T0 + HOUR);
    expect(eventKinds(changes)).toEqual(['request.made']);
    expect(row?.audiences.map((audience) => audience.kind)).toEqual(['channel', 'approver', 'approver', 'requester']);
  });

  test('is shown on both platforms where there are two, and each approver is asked wherever they have an account', () => {
    const account = (platform: 'slack' | 'teams') => ({ platform, tenant: 'T', id: `${platform}-ben` });
    const both = { ...ben, accounts: [account('slack'), account('teams')] };
    const outcome = ask({
      approvalsChannel: 'C0APPROVALS',
      teamsChannel: '19:a@thread.tacv2',
      approvers: { people: [both], complete: true },
    });
    const audiences = put(changesOf(outcome), 'request')[0]?.audiences ?? [];
    expect(audiences.map((one) => `${one.kind} ${platformOf(one)}`)).toEqual([
      'channel slack',
      'channel teams',
      'approver slack',
      'approver teams',
      'requester slack',
    ]);
    expect(outcome).toMatchObject({ asked: ['Ben'] });
    const messages = [...jobs(changesOf(outcome)).values()].filter((job) => job.kind === 'notification');
    expect(messages).toHaveLength(audiences.length);
  });

  test('never asks its own requester for approval', () => {
    const outcome = ask({ approvers: { people: [ana, ben], complete: true } });
    expect(outcome).toMatchObject({ asked: ['Ben'] });
    const audiences = put(changesOf(outcome), 'request')[0]?.audiences ?? [];
    expect(audiences.filter((audience) => audience.kind === 'approver')).toHaveLength(1);
  });

  test('that only its own requester could approve is refused at once', () => {
    expect(refusalOf(ask({ approvers: { people: [ana], complete: true } }))).toMatchObject({ code: 'nobody_to_ask' });
    expect(ask({ approvers: { people: [ana], complete: false } })).toMatchObject({ done: 'requested' });
  });

  test('of somebody who may not ask is refused and kept for security', () => {
    const outcome = ask({ subjects: [no(group('engineering'))] });
    expect(refusalOf(outcome)).toMatchObject({ code: 'not_eligible', wanted: ['group:okta/engineering'] });
    expect(outcome).toMatchObject({ record: { kind: 'request.refused' } });
  });

  test('is refused when it cannot be told whether the person may ask', () => {
    expect(refusalOf(ask({ subjects: [broken(group('engineering'))] }))).toMatchObject({ code: 'cannot_check' });
  });

  test.each([
    [{ ms: 5 * HOUR }, WISH.reason, 'duration_over_maximum'],
    [{ ms: 0 }, WISH.reason, 'duration_over_maximum'],
    [undefined, '', 'reason_missing'],
    [undefined, 'short', 'reason_too_short'],
    [undefined, 'x'.repeat(1_001), 'reason_too_long'],
    [{ until: { hour: 8, minute: 0 } }, WISH.reason, 'time_past'],
  ])('for %o because "%.8s" is refused with %s', (duration, reason, code) => {
    const wish = duration === undefined ? { reason } : { duration, reason };
    expect(refusalOf(ask({}, wish))).toMatchObject({ code });
  });

  test('until a time of day lasts to that time in the person’s own zone', () => {
    const berlin = person('ana', { zone: 'Europe/Berlin' });
    const outcome = ask({ person: berlin }, { duration: { until: { hour: 11, minute: 0 } }, reason: WISH.reason });
    expect(put(changesOf(outcome), 'request')[0]?.durationMs).toBe(HOUR);
  });

  test('is refused while another one waits or runs, and not while the last one is still being removed', () => {
    expect(refusalOf(ask({ pending: [request()] }))).toEqual({ code: 'already_pending', requestId: 'R-7KQ2' });
    expect(refusalOf(ask({ grants: [activeGrant()] }))).toMatchObject({ code: 'already_granted', grantId: 'G-7KQ2' });
    expect(ask({ grants: [activeGrant({ state: 'ending' })] })).toMatchObject({ done: 'requested' });
  });

  test('is answered with "you have this already" only if every group is a permanent membership', () => {
    const permanent = { record: membershipRecord(baseline()), member: true };
    const absent = { record: membershipRecord(membership()), member: false };
    const unread = { record: membershipRecord(membership()) };
    const ending = { record: membershipRecord(ourMembership()), member: true };
    expect(refusalOf(ask({ standing: [permanent, permanent] }))).toMatchObject({ code: 'already_member' });
    for (const other of [absent, unread, ending])
      expect(ask({ standing: [permanent, other] })).toMatchObject({ done: 'requested' });
  });
});

describe('a request for more time', () => {
  const facts = ({ grant, ...more }: Partial<ExtendFacts> & { grant?: Grant }): ExtendFacts => ({
    ...requestFacts({ ids: { short: '9XYZ', opaque: 'card-9' } }),
    extended: grantRecord(grant ?? activeGrant(), [], { request: request({ state: 'approved' }) }),
    ...more,
  });
  const extend = (
    more: Parameters<typeof facts>[0] = {},
    wish: Parameters<typeof decideExtend>[0] = {},
    now = T0 + MINUTE,
  ) => decideExtend(wish, facts(more), now);

  test('goes the way of any other request and keeps the first reason', () => {
    const changes = changesOf(extend({}, { duration: { ms: HOUR } }));
    expect(put(changes, 'request')[0]).toMatchObject({ extendsGrant: 'G-7KQ2', durationMs: HOUR, reason: WISH.reason });
    expect(put(changes, 'grant')).toEqual([]);
    expect(faultsOf(changes)).toEqual([]);
  });

  test('is bounded by the maximum of the whole', () => {
    expect(refusalOf(extend({}, { duration: { ms: 4 * HOUR } }))).toMatchObject({
      code: 'over_maximum',
      leftMs: 3.5 * HOUR,
    });
    const nearly = activeGrant({ expiresAt: T0 + 3 * HOUR + 50 * MINUTE });
    expect(put(changesOf(extend({ grant: nearly })), 'request')[0]?.durationMs).toBe(10 * MINUTE);
    expect(refusalOf(extend({ grant: activeGrant({ expiresAt: T0 + 4 * HOUR }) }))).toMatchObject({
      code: 'over_maximum',
    });
  });

  test('is only for the holder of a grant that runs', () => {
    expect(refusalOf(extend({ person: cat }))).toMatchObject({ code: 'not_yours' });
    expect(refusalOf(extend({ grant: activeGrant({ state: 'adding' }) }))).toMatchObject({ code: 'not_added_yet' });
    expect(refusalOf(extend({ grant: activeGrant({ state: 'ending' }) }))).toMatchObject({ code: 'not_live' });
    expect(refusalOf(extend({}, {}, T0 + 30 * MINUTE))).toMatchObject({ code: 'not_live' });
    expect(refusalOf(extend({ pending: [request()] }))).toMatchObject({ code: 'already_pending' });
  });

  test('until a time before the present end is refused', () => {
    expect(refusalOf(extend({}, { duration: { until: { hour: 9, minute: 20 } } }))).toMatchObject({
      code: 'time_past',
    });
  });

  test('is held to the present policy', () => {
    const strict = entitlement({ policy: policy({ duration: { defaultMs: MINUTE, maxMs: 40 * MINUTE } }) });
    expect(refusalOf(extend({ entitlement: strict }, { duration: { ms: HOUR } }))).toMatchObject({
      code: 'over_maximum',
    });
    expect(refusalOf(extend({ subjects: [no(group('engineering'))] }))).toMatchObject({ code: 'not_eligible' });
  });
});
