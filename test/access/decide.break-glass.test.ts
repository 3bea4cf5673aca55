/** Promise: access without approval is for those named, short, never secret, and owed a review by somebody else. */
import { describe, expect, test } from 'vitest';
import { type BreakGlassFacts, decideBreakGlass } from '../../src/access/decide-break-glass.ts';
import { decideOperation } from '../../src/access/decide-operation.ts';
import type { BreakGlass, Freeze, Policy, Review, Scope } from '../../src/access/model.ts';
import {
  ana,
  ben,
  broken,
  cat,
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
  policy,
  request,
  requestFacts,
  T0,
  yes,
} from '../support/builders.ts';
import { changesOf, eventKinds, faultsOf, jobs, put, refusalOf } from '../support/given.ts';

const DAY = 24 * HOUR;

const review: Review = {
  id: 'rev-1',
  version: 1,
  state: 'open',
  why: 'break_glass',
  grantId: 'G-7KQ2',
  requestId: 'R-7KQ2',
  holder: ana.id,
  holderName: 'Ana',
  entitlement: 'db-prod:read',
  durationMs: 30 * MINUTE,
  reason: 'orders are down, nobody answers',
  reviewers: [group('security')],
  tell: [],
  createdAt: T0,
  dueAt: T0 + DAY,
};
const GLASS: BreakGlass = {
  by: [onCall('dba')],
  maxMs: 30 * MINUTE,
  review: { by: [group('security')], withinMs: DAY },
};
const REASON = 'orders are down, nobody answers';

function facts(more: Partial<BreakGlassFacts> = {}, glass: Partial<BreakGlass> = {}): BreakGlassFacts {
  const own = entitlement({ policy: policy({ breakGlass: { ...GLASS, ...glass } }) });
  return {
    ...requestFacts({
      entitlement: own,
      approvalsChannel: 'C0',
      standing: [{ record: { key: keyOf('prod-db-read'), grants: [] } }],
    }),
    breakGlassSubjects: [yes(onCall('dba'))],
    told: [ana, ben],
    reviewers: [cat, ana],
    openReviews: [],
    reviewId: 'rev-1',
    ...more,
  };
}

const use = (given = facts(), more: { readonly duration?: { readonly ms: number }; readonly reason?: string } = {}) =>
  decideBreakGlass({ reason: REASON, ...more }, given, T0);

function frozen(scope: Scope) {
  const freeze: Freeze = { id: 'f', version: 1, scope, name: 'it', reason: 'incident', by: 'Cat', at: T0 };
  return { version: 1, live: [freeze] };
}

describe('break-glass under a policy that wants proofs', () => {
  const proven = (wanted: Policy['proof']) => {
    const own = entitlement({
      policy: policy({ breakGlass: GLASS, ...(wanted === undefined ? {} : { proof: wanted }) }),
    });
    const by = { platform: 'slack', tenant: 'T1', id: 'U1' } as const;
    const command = { do: 'break-glass', by, resource: 'db-prod', reason: REASON } as const;
    return use(facts({ entitlement: own, proving: { newId: 'p1', link: (id) => id, by, command, open: [] } }));
  };

  test('wants one where asking does, and none where only approving does: it has to work when the issuer is away', () => {
    expect(refusalOf(proven({ request: 'mfa' }))).toMatchObject({ code: 'proof_needed', purpose: 'break_glass' });
    expect(put(changesOf(proven({ approve: 'mfa' })), 'grant')).toHaveLength(1);
  });
});

describe('break-glass', () => {
  test('is the grant, its review and everybody who hears of it, in one commit', () => {
    const changes = changesOf(use());
    expect(faultsOf(changes)).toEqual([]);
    expect(put(changes, 'request')).toMatchObject([{ state: 'approved', approvalsNeeded: 0, breakGlass: 'usual' }]);
    expect(put(changes, 'grant')).toMatchObject([{ state: 'adding', durationMs: 30 * MINUTE, maxMs: 30 * MINUTE }]);
    expect(put(changes, 'review')).toMatchObject([
      { id: 'rev-1', state: 'open', grantId: 'G-7KQ2', holder: ana.id, dueAt: T0 + DAY, tell: [cat.account] },
    ]);
    expect(put(changes, 'request')[0]?.audiences.map(({ kind }) => kind)).toEqual(['channel', 'approver', 'requester']);
    expect(eventKinds(changes)).toEqual(expect.arrayContaining(['break_glass.used', 'request.approved']));
    const told = [...jobs(changes).keys()];
    for (const id of ['security:break_glass_used:G-7KQ2', 'alert:break_glass_used:G-7KQ2', 'msg:review:rev-1:security'])
      expect(told).toContain(id);
    // Rests on what is frozen, like everything that opens access.
    expect(put(changes, 'freeze_head')).toEqual([{ version: 0 }]);
    // Its own review, and not the policy's, is what the grant owes.
    expect(put(changes, 'grant')[0]?.review).toEqual(GLASS.review);
    expect(jobs(changes).get('review:G-7KQ2')?.dueAt).toBe(T0 + DAY);
  });

  test('is for those named alone, and an attempt by anybody else is kept', () => {
    const outcome = use(facts({ breakGlassSubjects: [no(onCall('dba'))] }));
    expect(outcome).toMatchObject({ refusal: { code: 'not_eligible' }, record: { kind: 'break_glass.refused' } });
    const unsure = facts({ breakGlassSubjects: [broken(onCall('dba'))] });
    expect(refusalOf(use(unsure))).toMatchObject({ code: 'cannot_check' });
    const none = { ...facts(), entitlement: entitlement() };
    expect(refusalOf(use(none))).toMatchObject({ code: 'no_break_glass' });
  });

  test('is short, and wants a reason even where the policy wants none', () => {
    expect(refusalOf(use(facts(), { duration: { ms: HOUR } }))).toMatchObject({ code: 'duration_over_maximum' });
    expect(refusalOf(use(facts(), { reason: '' }))).toMatchObject({ code: 'reason_missing' });
    expect(refusalOf(use(facts(), { reason: 'short' }))).toMatchObject({ code: 'reason_too_short' });
  });

  test('waits for the review of the last use only where the policy says so', () => {
    const openReviews = [review];
    expect(use(facts({ openReviews }))).toMatchObject({ done: 'approved' });
    expect(refusalOf(use(facts({ openReviews }, { block: true })))).toMatchObject({
      code: 'review_open',
      grantId: 'G-7KQ2',
    });
  });

  test('under a freeze only where the policy says so, and never by a person who is frozen', () => {
    for (const scope of [{ kind: 'all' }, { kind: 'resource', resource: 'db-prod' }] as const) {
      expect(refusalOf(use(facts({ freezes: frozen(scope) })))).toMatchObject({ code: 'frozen' });
      expect(use(facts({ freezes: frozen(scope) }, { underFreeze: true }))).toMatchObject({ done: 'approved' });
    }
    const own = frozen({ kind: 'person', person: ana.id });
    expect(refusalOf(use(facts({ freezes: own }, { underFreeze: true })))).toMatchObject({ code: 'frozen' });
  });

  test('under a freeze is added in spite of it, and what was only approved is not', () => {
    const row = membership({ seen: 'absent', seenAt: T0 });
    const next = (breakGlass: 'usual' | 'under_freeze', scope: Scope) =>
      decideOperation(
        {
          membership: row,
          grants: [grantRecord(grant(), [row], { request: request({ state: 'approved', breakGlass }) })],
          freezes: frozen(scope),
          lagMs: 0,
          callDeadlineMs: 10_000,
          jitter: 0.5,
          correlation: 'op',
        },
        undefined,
        T0 + 1,
      ).next;
    expect(next('under_freeze', { kind: 'all' })).toEqual({ do: 'call', call: 'add' });
    expect(next('usual', { kind: 'all' })).toEqual({ do: 'done' });
    expect(next('under_freeze', { kind: 'person', person: ana.id })).toEqual({ do: 'done' });
  });
});
