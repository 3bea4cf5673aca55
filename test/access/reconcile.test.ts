/** Three-way: what grants want, what the ledger holds, who the directory lists. The ledger wins over a listing. */
import { describe, expect, test } from 'vitest';
import { nextStep } from '../../src/access/ledger.ts';
import type { Drift, Grant, Membership } from '../../src/access/model.ts';
import type { MembershipRecord } from '../../src/access/ports.ts';
import {
  type DriftRules,
  findingText,
  type GroupFacts,
  missingFrom,
  reconcileGroup,
  TELL_ONLY,
  tellDrift,
} from '../../src/access/reconcile.ts';
import { noticeView } from '../../src/access/view.ts';
import {
  activeGrant,
  baseline,
  grant,
  HOUR,
  keyOf,
  MINUTE,
  membership,
  ourMembership,
  SECOND,
  T0,
} from '../support/builders.ts';
import { eventKinds, faultsOf, jobs, put } from '../support/given.ts';

const NOW = T0 + HOUR;
const EVE = { id: 'okta-eve', login: 'eve@acme.com' };
const ANA = { id: 'okta-ana@acme.com', login: 'ana@acme.com' };
const eveKey = { ...keyOf('prod-db-read'), userId: EVE.id };

function facts(more: Partial<GroupFacts> = {}): GroupFacts {
  return {
    directory: 'okta',
    groupId: 'id-prod-db-read',
    groupName: 'prod-db-read',
    exclusive: true,
    listed: { members: [], readAt: NOW },
    records: [],
    absent: new Set(),
    known: [],
    lagMs: 5 * SECOND,
    ...more,
  };
}
const listed = (...members: readonly { id: string; login: string }[]) => ({ members, readAt: NOW });
const record = (row: Membership, grants: readonly Grant[] = []): MembershipRecord => ({
  key: row.key,
  membership: row,
  grants,
});
const rules = (more: Partial<DriftRules> = {}): DriftRules => ({ ...TELL_ONLY, ...more });

function reconcile(of: GroupFacts, by: Partial<DriftRules> = {}, now = NOW) {
  const decision = reconcileGroup(of, rules(by), now);
  expect(faultsOf(decision.changes)).toEqual([]);
  return { ...decision, courses: decision.findings.map(({ drift, course }) => `${drift.class} ${course}`) };
}

describe('somebody in a group whom no grant explains', () => {
  test('is no drift where the group is not exclusive', () => {
    expect(reconcile(facts({ exclusive: false, listed: listed(EVE) }))).toMatchObject({ findings: [], changes: [] });
  });

  test('is told and left alone unless the operator says otherwise', () => {
    const { courses, changes } = reconcile(facts({ listed: listed(EVE) }));
    expect(courses).toEqual(['unknown_member told']);
    expect(put(changes, 'membership')).toEqual([]);
    expect(put(changes, 'drift')).toHaveLength(1);
    expect(eventKinds(changes)).toEqual(['drift.found']);
  });

  test('is told once: what is known already is neither put nor told again', () => {
    const first = reconcile(facts({ listed: listed(EVE) }));
    const known = put(first.changes, 'drift');
    const again = reconcile(facts({ listed: listed(EVE), known }), {}, NOW + HOUR);
    expect(again.changes).toEqual([]);
    expect(tellDrift('okta', again.findings, NOW, 'UTC')).toEqual([]);
    const over = reconcile(facts({ known }), {}, NOW + 2 * HOUR);
    expect(over.changes).toContainEqual({ drop: 'drift', id: known[0]?.id });
    expect(eventKinds(over.changes)).toEqual(['drift.over']);
  });

  test('is removed where that is configured: from then on the ledger owes it like any other removal', () => {
    const { courses, changes } = reconcile(facts({ listed: listed(EVE) }), { unknownMember: 'remove' });
    expect(courses).toEqual(['unknown_member removing']);
    const [row] = put(changes, 'membership');
    expect(row).toMatchObject({ key: eveKey, origin: 'ours', ruling: 'unknown_member', version: 1 });
    expect(jobs(changes).get('op:okta:id-prod-db-read:okta-eve')).toMatchObject({ priority: 0, dueAt: NOW });
    expect(eventKinds(changes)).toEqual(['drift.found', 'membership.claimed']);
    expect(nextStep(row as Membership, { wanted: false, mayAdd: false }, NOW, 0)).toEqual({ do: 'remove' });
  });

  test('is removed only after the deadline, counted from when it was first found', () => {
    const wait = { unknownMember: 'remove', removeAfterMs: 2 * HOUR } as const;
    const first = reconcile(facts({ listed: listed(EVE) }), wait);
    expect(first.courses).toEqual(['unknown_member waits']);
    const known = put(first.changes, 'drift');
    expect(reconcile(facts({ listed: listed(EVE), known }), wait, NOW + 2 * HOUR - 1).courses).toEqual([
      'unknown_member waits',
    ]);
    expect(reconcile(facts({ listed: listed(EVE), known }), wait, NOW + 2 * HOUR).courses).toEqual([
      'unknown_member removing',
    ]);
  });

  test('is only said to be removed while the directory is observed', () => {
    const { courses, changes } = reconcile(facts({ listed: listed(EVE) }), { unknownMember: 'remove', observe: true });
    expect(courses).toEqual(['unknown_member would_remove']);
    expect(put(changes, 'membership')).toEqual([]);
    expect(jobs(changes).size).toBe(0);
    expect(reconcile(facts({ listed: listed(EVE) }), { unknownMember: 'adopt', observe: true }).courses).toEqual([
      'unknown_member told',
    ]);
  });

  test('is taken for permanent where that is configured, and is no drift from then on', () => {
    const { courses, changes } = reconcile(facts({ listed: listed(EVE) }), { unknownMember: 'adopt' });
    expect(courses).toEqual(['unknown_member adopted']);
    const [row] = put(changes, 'membership');
    expect(row).toMatchObject({ origin: 'baseline', ruling: 'adopted' });
    expect(eventKinds(changes)).toContain('membership.adopted');
    expect(reconcile(facts({ listed: listed(EVE), records: [record(row as Membership)] })).findings).toEqual([]);
  });

  test('too many at once are a mistake in the file until a person says otherwise', () => {
    const many = Array.from({ length: 26 }, (_, i) => ({ id: `okta-${i}`, login: `p${i}@acme.com` }));
    const { courses, changes } = reconcile(facts({ listed: listed(...many) }), { unknownMember: 'remove' });
    expect(new Set(courses)).toEqual(new Set(['unknown_member too_many']));
    expect(put(changes, 'membership')).toEqual([]);
    const all = reconcileGroup(facts({ listed: listed(...many) }), rules({ unknownMember: 'remove' }), NOW, 100);
    expect(put(all.changes, 'membership')).toHaveLength(26);
  });

  test.each<[string, MembershipRecord]>([
    ['was added by us for a grant', record(ourMembership(), [activeGrant()])],
    ['is being added', record(ourMembership({ addOutcome: 'unknown' }), [grant()])],
    ['is ours and owed a removal', record(ourMembership({ removeStartedAt: NOW }))],
    ['is about to be looked at for a grant', record(membership(), [grant()])],
    [
      'was removed by us so lately that a listing may still show it',
      record(membership({ removeAcceptedAt: NOW - MINUTE })),
    ],
    ['was adopted', record(baseline({ ruling: 'adopted', ruledAt: T0 }))],
  ])('is no drift when the membership %s', (_, one) => {
    expect(reconcile(facts({ listed: listed(ANA), records: [one] }), { unknownMember: 'remove' }).findings).toEqual([]);
  });

  test.each<[string, MembershipRecord]>([
    ['was there before us', record(baseline())],
    ['was removed by us long ago', record(membership({ removeAcceptedAt: NOW - HOUR }))],
  ])('is drift in an exclusive group also when the membership %s', (_, one) => {
    const { courses, changes } = reconcile(facts({ listed: listed(ANA), records: [one] }), { unknownMember: 'remove' });
    expect(courses).toEqual(['unknown_member removing']);
    expect(put(changes, 'membership')[0]).toMatchObject({ origin: 'ours', version: 2 });
  });
});

describe('somebody whom the record has in the group, and the directory has not', () => {
  const live = record(ourMembership({ seen: 'present', seenAt: T0 + SECOND }), [
    activeGrant({ expiresAt: NOW + HOUR }),
  ]);
  const confirmed = new Set(['okta:id-prod-db-read:okta-ana@acme.com']);

  test('is asked after once more, and nothing follows from the listing alone', () => {
    expect(missingFrom(facts({ records: [live] }))).toEqual([live.key]);
    expect(reconcile(facts({ records: [live] })).findings).toEqual([]);
  });

  test('is told with the grant that is not honoured, and the grant goes on', () => {
    const { courses, changes, findings } = reconcile(facts({ records: [live], absent: confirmed }));
    expect(courses).toEqual(['missing_member told']);
    expect(put(changes, 'membership')).toEqual([]);
    expect(findings[0]).toMatchObject({ grants: ['G-7KQ2'] });
  });

  test('makes the ledger look for itself where the grant is to end: it trusts no listing', () => {
    const { courses, changes } = reconcile(facts({ records: [live], absent: confirmed }), { missingMember: 'end' });
    expect(courses).toEqual(['missing_member ending']);
    const [row] = put(changes, 'membership');
    expect(row).not.toHaveProperty('seen');
    expect(nextStep(row as Membership, { wanted: true, mayAdd: false }, NOW, 0)).toEqual({ do: 'read' });
    expect(put(changes, 'grant')).toEqual([]);
  });

  test.each<[string, MembershipRecord]>([
    [
      'the addition is younger than a read may lag',
      record(ourMembership({ addDeadlineAt: NOW - SECOND }), [activeGrant()]),
    ],
    ['the addition may not have happened', record(ourMembership({ addOutcome: 'unknown' }), [activeGrant()])],
    ['the membership is being removed', record(ourMembership({ removeStartedAt: NOW }), [activeGrant()])],
    ['no grant wants it', record(ourMembership(), [])],
    ['it is proven gone', record(membership(), [])],
  ])('is not missed while %s', (_, one) => {
    expect(missingFrom(facts({ records: [one] }))).toEqual([]);
  });

  test('a permanent member who is gone is told, and is permanent no longer', () => {
    const one = record(baseline());
    const { courses, changes } = reconcile(facts({ records: [one], absent: confirmed }));
    expect(courses).toEqual(['baseline_gone forgotten']);
    expect(put(changes, 'membership')[0]).toMatchObject({ origin: 'none', seen: 'absent' });
    expect(put(changes, 'drift')).toEqual([]);
  });
});

test('a group that is gone is told with the grants in it, and nothing is decided about its members', () => {
  const held = record(ourMembership(), [activeGrant()]);
  const { courses, changes, findings } = reconcile(facts({ listed: 'gone', records: [held] }), {
    unknownMember: 'remove',
  });
  expect(courses).toEqual(['group_gone told']);
  expect(findings[0]?.grants).toEqual(['G-7KQ2']);
  expect(put(changes, 'membership')).toEqual([]);
});

test('what is new in a directory is one message, the worst first, cut and counted', () => {
  const many = Array.from({ length: 30 }, (_, i) => ({ id: `okta-${i}`, login: `p${i}@acme.com` }));
  const { findings } = reconcile(facts({ listed: listed(...many) }));
  const told = put(tellDrift('okta', findings, NOW, 'UTC'), 'job');
  expect(told).toHaveLength(1);
  const [job] = told;
  if (job?.kind !== 'notification' || !('notice' in job.payload)) throw new Error('not told');
  const { title, lines } = noticeView(job.payload.notice, 'UTC');
  expect(title).toBe('The directory differs from the record');
  expect(lines[0]).toMatch(/^30 differences found in okta/);
  expect(lines).toHaveLength(1 + 15 + 2);
  expect(lines).toContain('And 15 more.');
});

test('each finding says who, where, and what happens next', () => {
  const drift: Drift = {
    id: '1',
    class: 'unknown_member',
    key: eveKey,
    groupName: 'prod-db-read',
    login: EVE.login,
    sinceAt: NOW,
  };
  const said = (course: 'told' | 'waits', actAt?: number) =>
    findingText({ drift, course, fresh: true, grants: [], ...(actAt === undefined ? {} : { actAt }) }, NOW, 'UTC');
  expect(said('told')).toBe(
    'eve@acme.com is in prod-db-read in okta, which holds nobody without a grant. Nothing is done.',
  );
  expect(said('waits', NOW + HOUR)).toMatch(/It is removed 11:00 UTC\.$/);
});
