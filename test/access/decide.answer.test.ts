import { describe, expect, test } from 'vitest';
import { type ApproveFacts, decideApprove, decideDeny } from '../../src/access/decide-answer.ts';
import { ADD_WITHIN_MS } from '../../src/access/decide-grant.ts';
import { digestOf } from '../../src/access/digest.ts';
import {
  activeGrant,
  ana,
  answerFacts,
  approval,
  approveFacts,
  baseline,
  ben,
  broken,
  cardOf,
  cat,
  dan,
  entitlement,
  grant,
  grantRecord,
  group,
  HOUR,
  hash,
  keyOf,
  MINUTE,
  membershipRecord,
  no,
  onCall,
  ourMembership,
  person,
  pinned,
  policy,
  request,
  requestRecord,
  T0,
  yes,
} from '../support/builders.ts';
import { changesOf, dropped, eventKinds, faultsOf, jobs, put, refusalOf } from '../support/given.ts';

const approve = (more: Partial<ApproveFacts> = {}, now = T0 + MINUTE) => decideApprove(approveFacts(more), now);
const two = request({ approvalsNeeded: 2 });

describe('the last approval', () => {
  test('commits the grant together with the timers that end it and the additions owed', () => {
    const now = T0 + MINUTE;
    const changes = changesOf(approve());
    expect(faultsOf(changes)).toEqual([]);
    expect(put(changes, 'grant')[0]).toMatchObject({
      id: 'G-7KQ2',
      state: 'adding',
      addBy: now + ADD_WITHIN_MS,
      hardEndAt: now + ADD_WITHIN_MS + 30 * MINUTE,
    });
    expect(jobs(changes).get('end:G-7KQ2')?.dueAt).toBe(now + ADD_WITHIN_MS + 30 * MINUTE);
    expect(jobs(changes).get('addby:G-7KQ2')?.dueAt).toBe(now + ADD_WITHIN_MS);
    expect([...jobs(changes).keys()]).toContain('op:okta:id-prod-db-read:okta-ana@acme.com');
    expect(dropped(changes)).toEqual(['lapse:R-7KQ2', 'ask:R-7KQ2']);
    expect(eventKinds(changes)).toEqual(['approval.given', 'request.approved']);
  });

  test('looks again at a permanent membership, and leaves what is ours as it is', () => {
    const old = put(changesOf(approve({ memberships: [membershipRecord(baseline())] })), 'membership')[0];
    expect(old).toMatchObject({ origin: 'baseline', version: 2 });
    expect(old).not.toHaveProperty('seen');
    const ending = ourMembership({ removeStartedAt: T0, version: 7 });
    expect(put(changesOf(approve({ memberships: [membershipRecord(ending)] })), 'membership')[0]).toEqual({
      ...ending,
      version: 8,
    });
  });

  test('holds a group once that the file names twice', () => {
    const held = { key: keyOf('prod-db-read'), grants: [] };
    const changes = changesOf(approve({ memberships: [held, held] }));
    expect(faultsOf(changes)).toEqual([]);
    expect(put(changes, 'grant')[0]?.memberships).toHaveLength(1);
  });
});

describe('two approvals', () => {
  test('are given by two people', () => {
    const record = requestRecord(two);
    const first = approve({ record });
    expect(first).toMatchObject({ done: 'approval_recorded' });
    expect(put(changesOf(first), 'grant')).toEqual([]);
    expect(put(changesOf(first), 'request')[0]?.version).toBe(2);
    const second = approve({ record: requestRecord(two, [approval(two, ben)]), person: cat });
    expect(second).toMatchObject({ done: 'approved' });
  });

  test('are not given by one person clicking twice, nor from a second linked account', () => {
    const record = requestRecord(two, [approval(two, ben)]);
    expect(refusalOf(approve({ record }))).toMatchObject({ code: 'already_answered' });
    const linked = person('ben', { account: { platform: 'teams', tenant: 'T9', id: 'other' } });
    expect(refusalOf(approve({ record, person: linked }))).toMatchObject({ code: 'already_answered' });
  });

  test('are counted by people even if one of them is on record twice', () => {
    const three = request({ approvalsNeeded: 3 });
    const record = requestRecord(three, [approval(three, ben), approval(three, ben)]);
    expect(approve({ record, person: cat })).toMatchObject({ done: 'approval_recorded' });
  });
});

describe('an approver may shorten', () => {
  const hour = request({ durationMs: HOUR, approvalsNeeded: 2 });
  const shorter = (more: Partial<ApproveFacts>, durationMs: number) =>
    decideApprove(approveFacts(more), T0 + MINUTE, durationMs);

  test('and the shortest holds, whoever gives it, without voiding what others approved', () => {
    const first = changesOf(shorter({ record: requestRecord(hour) }, 20 * MINUTE));
    const given = put(first, 'approval')[0];
    expect(given).toMatchObject({ durationMs: 20 * MINUTE, digest: hour.digest });
    const second = shorter(
      { record: requestRecord(hour, given === undefined ? [] : [given]), person: cat },
      40 * MINUTE,
    );
    expect(second).toMatchObject({ done: 'approved' });
    expect(put(changesOf(second), 'grant')[0]).toMatchObject({
      durationMs: 20 * MINUTE,
      hardEndAt: T0 + MINUTE + ADD_WITHIN_MS + 20 * MINUTE,
    });
  });

  test('never lengthen, whatever a button was made to carry', () => {
    for (const wish of [HOUR + 1, 8 * HOUR, 0, -MINUTE, Number.NaN])
      expect(refusalOf(shorter({ record: requestRecord(hour) }, wish))).toEqual({
        code: 'longer_than_asked',
        requestId: 'R-7KQ2',
        askedMs: HOUR,
      });
  });

  test('as long as was asked is an ordinary approval', () => {
    expect(put(changesOf(shorter({ record: requestRecord(hour) }, HOUR)), 'approval')[0]).not.toHaveProperty(
      'durationMs',
    );
  });

  test('more time on a live grant too', () => {
    const of = request({ extendsGrant: 'G-OLD1', durationMs: HOUR });
    const extended = grantRecord(activeGrant({ id: 'G-OLD1' }), [ourMembership()]);
    const moved = put(changesOf(shorter({ record: requestRecord(of), extended }, 10 * MINUTE)), 'grant')[0];
    expect(moved?.expiresAt).toBe(T0 + 40 * MINUTE);
  });
});

describe('nobody approves', () => {
  test('their own request, even as an approver and from a linked account', () => {
    const linked = person('ana', { account: { platform: 'teams', tenant: 'T9', id: 'other' } });
    for (const own of [ana, linked]) {
      const outcome = approve({ person: own });
      expect(refusalOf(outcome)).toEqual({ code: 'own_request' });
      expect(outcome).toMatchObject({ record: { kind: 'approval.refused', requestId: 'R-7KQ2' } });
    }
  });

  test('who is no approver at the click, whoever was asked before; security is told', () => {
    const asked = request({
      audiences: [{ kind: 'approver', person: dan.id, account: { platform: 'slack', tenant: 'T1', id: 'U-dan' } }],
    });
    const outcome = approve({
      record: requestRecord(asked),
      person: dan,
      subjects: [no(onCall('dba')), no(group('dba-leads'))],
    });
    expect(refusalOf(outcome)).toMatchObject({
      code: 'not_an_approver',
      wanted: ['on-call:dba', 'group:okta/dba-leads'],
    });
    expect(outcome).toMatchObject({ record: { kind: 'approval.refused' } });
  });

  test('while a look-up is broken', () => {
    expect(refusalOf(approve({ subjects: [no(onCall('dba')), broken(group('dba-leads'))] }))).toMatchObject({
      code: 'cannot_check',
    });
    expect(refusalOf(approve({ requesterActive: { error: 'no answer' } }))).toMatchObject({ code: 'cannot_check' });
    expect(refusalOf(approve({ requesterSubjects: [broken(group('engineering'))] }))).toMatchObject({
      code: 'cannot_check',
    });
  });

  test('what has lapsed, even before the timer has rung', () => {
    expect(refusalOf(approve({}, T0 + HOUR))).toMatchObject({ code: 'not_pending' });
    expect(approve({}, T0 + HOUR - 1)).toMatchObject({ done: 'approved' });
  });

  test('what is decided already', () => {
    for (const state of ['approved', 'denied', 'cancelled', 'lapsed', 'withdrawn'] as const)
      expect(refusalOf(approve({ record: requestRecord(request({ state })) }))).toMatchObject({ code: 'not_pending' });
  });

  test('for somebody deactivated or no longer eligible meanwhile', () => {
    for (const unfit of [
      { requesterActive: { active: false } },
      { requesterSubjects: [no(group('engineering'))] },
    ] as const)
      expect(refusalOf(approve(unfit))).toMatchObject({ code: 'requester_not_eligible' });
  });

  test('a second grant of the same to the same person', () => {
    const live = activeGrant({ id: 'G-OLD1' });
    const outcome = approve({ memberships: [membershipRecord(ourMembership(), [live])] });
    expect(refusalOf(outcome)).toEqual({ code: 'already_granted', grantId: 'G-OLD1' });
  });
});

describe('what was shown', () => {
  const changed: [string, Partial<ApproveFacts>][] = [
    ['the policy', { entitlement: entitlement({ policy: policy({ hash: 'policy-2', approvals: 2 }) }) }],
    ['the group behind a name', { groups: [{ ...pinned('prod-db-read'), groupId: 'id-other' }] }],
    ['the list of groups', { groups: [pinned('prod-db-read'), pinned('prod-db-admin')] }],
  ];
  test.each(changed)('is shown again when %s has changed, and nothing is granted', (_what, more) => {
    const record = requestRecord(two, [approval(two, cat)]);
    const outcome = approve({ record, ...more });
    expect(refusalOf(outcome)).toMatchObject({ code: 'changed_since_shown' });
    if (!('changes' in outcome)) throw new Error('nothing was put');
    const changes = outcome.changes ?? [];
    expect(faultsOf(changes)).toEqual([]);
    const [row] = put(changes, 'request');
    expect(row).toMatchObject({ state: 'pending', cardId: 'card-2' });
    expect(row?.digest).not.toBe(two.digest);
    expect(put(changes, 'card')[0]).toMatchObject({ id: 'card-2', digest: row?.digest });
    expect(put(changes, 'approval')).toEqual([]);
  });

  test('before the change does not count towards the new text', () => {
    const again = { ...two, policyHash: 'policy-2' };
    const now = { ...again, digest: digestOf(again, hash), cardId: 'card-2' };
    const record = requestRecord(now, [approval(two, cat)]);
    const strict = entitlement({ policy: policy({ hash: 'policy-2' }) });
    expect(approve({ record, card: cardOf(now), entitlement: strict })).toMatchObject({ done: 'approval_recorded' });
    expect(refusalOf(approve({ record, card: cardOf(two), entitlement: strict }))).toMatchObject({
      code: 'changed_since_shown',
    });
  });

  test('covers who, what, how long, why, under which policy and for which grant', () => {
    const digests = [
      request(),
      request({ requester: cat.id }),
      request({ entitlement: 'db-prod:admin' }),
      request({ durationMs: HOUR }),
      request({ reason: 'something else entirely' }),
      request({ policyHash: 'policy-2' }),
      request({ extendsGrant: 'G-OLD1' }),
      request({ groups: [{ ...pinned('prod-db-read'), groupId: 'id-other' }] }),
    ].map((one) => one.digest);
    expect(new Set(digests).size).toBe(digests.length);
  });

  test('that is no longer in the file is withdrawn by an approval and by a denial alike', () => {
    const { entitlement: _gone, ...rest } = approveFacts();
    for (const outcome of [decideApprove(rest, T0 + 1), decideDeny({}, { ...rest, person: dan }, T0 + 1)]) {
      expect(refusalOf(outcome)).toMatchObject({ code: 'changed_since_shown' });
      const { changes = [] } = 'refusal' in outcome ? outcome : {};
      expect(put(changes, 'request')).toMatchObject([{ state: 'withdrawn' }]);
    }
  });
});

describe('an approval for more time', () => {
  const wish = request({ id: 'R-9XYZ', extendsGrant: 'G-7KQ2', durationMs: HOUR });
  const more = (of = activeGrant(), facts: Partial<ApproveFacts> = {}, now = T0 + MINUTE) =>
    approve({ record: requestRecord(wish), extended: grantRecord(of, [ourMembership()]), ...facts }, now);

  test('moves the end and the timers, and holds nothing anew', () => {
    const changes = changesOf(more());
    expect(faultsOf(changes)).toEqual([]);
    expect(put(changes, 'grant')[0]).toMatchObject({ expiresAt: T0 + 90 * MINUTE, version: 2 });
    expect(jobs(changes).get('end:G-7KQ2')?.dueAt).toBe(T0 + 90 * MINUTE);
    expect(jobs(changes).get('warn:G-7KQ2')?.dueAt).toBe(T0 + 85 * MINUTE);
    expect(put(changes, 'membership')).toEqual([]);
    expect(eventKinds(changes)).toContain('grant.extended');
  });

  test('never moves it past the maximum of the whole, of the grant or of the present policy', () => {
    const late = activeGrant({ expiresAt: T0 + 3.5 * HOUR });
    expect(put(changesOf(more(late)), 'grant')[0]?.expiresAt).toBe(T0 + 4 * HOUR);
    const strict = policy({ duration: { defaultMs: MINUTE, maxMs: HOUR } });
    const outcome = more(activeGrant(), { entitlement: entitlement({ policy: strict }) });
    expect(put(changesOf(outcome), 'grant')[0]?.expiresAt).toBe(T0 + HOUR);
    const full = more(activeGrant({ expiresAt: T0 + HOUR }), { entitlement: entitlement({ policy: strict }) });
    expect(refusalOf(full)).toMatchObject({ code: 'over_maximum' });
  });

  test('revives nothing that is over', () => {
    for (const over of [activeGrant({ state: 'ending' }), activeGrant({ state: 'ended' }), grant()])
      expect(refusalOf(more(over))).toMatchObject({ code: 'not_live' });
    expect(refusalOf(more(activeGrant(), {}, T0 + 30 * MINUTE))).toMatchObject({ code: 'not_live' });
  });
});

describe('a denial', () => {
  test('by the first approver closes the request', () => {
    const changes = changesOf(decideDeny({ reason: 'not now' }, answerFacts(), T0 + MINUTE));
    expect(faultsOf(changes)).toEqual([]);
    expect(put(changes, 'request')[0]).toMatchObject({ state: 'denied', closedBy: 'Ben', closedNote: 'not now' });
    expect(put(changes, 'approval')[0]).toMatchObject({ answer: 'denied', reason: 'not now' });
    expect(dropped(changes)).toEqual(['lapse:R-7KQ2', 'ask:R-7KQ2']);
  });

  test('by somebody who had approved closes it too, and keeps one answer of theirs on record', () => {
    const facts = answerFacts({ record: requestRecord(two, [approval(two, ben)]) });
    const changes = changesOf(decideDeny({}, facts, T0 + MINUTE));
    expect(put(changes, 'approval')).toEqual([]);
    expect(put(changes, 'request')[0]).toMatchObject({ state: 'denied', closedBy: 'Ben' });
  });

  test('by the requester, an outsider or somebody who cannot be looked up is refused', () => {
    const deny = (more: Parameters<typeof answerFacts>[0]) => refusalOf(decideDeny({}, answerFacts(more), T0 + MINUTE));
    expect(deny({ person: ana })).toEqual({ code: 'own_request' });
    expect(deny({ subjects: [no(onCall('dba')), no(group('dba-leads'))] })).toMatchObject({ code: 'not_an_approver' });
    expect(deny({ subjects: [broken(onCall('dba'))] })).toMatchObject({ code: 'cannot_check' });
    expect(
      deny({ subjects: [yes(onCall('dba'))], record: requestRecord(request({ state: 'approved' })) }),
    ).toMatchObject({
      code: 'not_pending',
    });
  });
});
