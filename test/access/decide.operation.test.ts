import { describe, expect, test } from 'vitest';
import {
  decideOperation,
  FAILURES_TOLD,
  type OperationFacts,
  retryDelayMs,
} from '../../src/access/decide-operation.ts';
import type { Lesson } from '../../src/access/ledger.ts';
import type { Grant, Membership } from '../../src/access/model.ts';
import {
  activeGrant,
  baseline,
  grant,
  grantRecord,
  HOUR,
  keyOf,
  MINUTE,
  membership,
  ourMembership,
  request,
  SECOND,
  T0,
} from '../support/builders.ts';
import { eventKinds, faultsOf, jobs, put } from '../support/given.ts';

const A = 'prod-db-read';
const B = 'prod-db-admin';
const wide = { memberships: [keyOf(A), keyOf(B)] };
const other = (more: Partial<Membership> = {}): Membership => ({ ...ourMembership(more), key: keyOf(B), groupName: B });

function decide(
  row: Membership,
  grants: readonly Grant[],
  lesson?: Lesson,
  now = T0 + MINUTE,
  more: { rows?: readonly Membership[]; lagMs?: number } = {},
) {
  const rows = [row, ...(more.rows ?? [])];
  const facts: OperationFacts = {
    membership: row,
    grants: grants.map((one) => grantRecord(one, rows, { others: grants.filter((held) => held.id !== one.id) })),
    lagMs: more.lagMs ?? 5 * SECOND,
    callDeadlineMs: 10 * SECOND,
    jitter: 0.5,
    correlation: 'op#1',
  };
  const decision = decideOperation(facts, lesson, now);
  expect(faultsOf(decision.changes)).toEqual([]);
  return decision;
}

const marked = (at = T0) => ({
  ...membership(),
  origin: 'ours' as const,
  addAttempts: 1,
  addStartedAt: at,
  addDeadlineAt: at + 10 * SECOND,
});
const removing = (more: Partial<Membership> = {}) =>
  ourMembership({ removeStartedAt: T0, removeOutcome: 'accepted', removeAcceptedAt: T0, ...more });
const failed = (call: 'read' | 'add' | 'remove', more: Partial<Lesson> = {}): Lesson =>
  ({ learnt: 'failed', call, code: 'unavailable', effect: 'unknown', error: 'no answer', ...more }) as Lesson;
const absent = (at: number): Lesson => ({ learnt: 'seen_absent', readAt: at });
const notices = (changes: Parameters<typeof put>[0]) =>
  put(changes, 'job').flatMap((job) =>
    job.kind === 'notification' && 'notice' in job.payload ? [`${job.payload.tell}:${job.payload.notice.code}`] : [],
  );

describe('an addition', () => {
  test('is marked in the same commit that lets it be sent', () => {
    const decision = decide(membership(), [grant()], absent(T0 + MINUTE));
    expect(decision.next).toEqual({ do: 'call', call: 'add' });
    expect(put(decision.changes, 'membership')).toMatchObject([
      { origin: 'ours', version: 2, addStartedAt: T0 + MINUTE },
    ]);
    expect(eventKinds(decision.changes)).toEqual(['membership.seen_absent', 'membership.addition_started']);
  });

  test('that was accepted fixes the end from when it was sent', () => {
    const { changes } = decide(marked(T0 + MINUTE), [grant()], { learnt: 'added' }, T0 + MINUTE + SECOND);
    expect(put(changes, 'grant')[0]).toMatchObject({
      state: 'active',
      startsAt: T0 + MINUTE,
      expiresAt: T0 + 31 * MINUTE,
    });
    expect(jobs(changes).get('end:G-7KQ2')?.dueAt).toBe(T0 + 31 * MINUTE);
    expect(jobs(changes).get('warn:G-7KQ2')?.dueAt).toBe(T0 + 26 * MINUTE);
  });

  test('whose answer is unknown starts the clock too, and the end stays where it was fixed', () => {
    const first = decide(marked(T0 + MINUTE), [grant()], failed('add'), T0 + MINUTE + SECOND);
    const [begun] = put(first.changes, 'grant');
    expect(begun).toMatchObject({ state: 'adding', expiresAt: T0 + 31 * MINUTE });
    expect(first.next).toMatchObject({ do: 'later' });
    if (begun === undefined) throw new Error('the grant was not put');
    const later = decide({ ...marked(T0 + 5 * MINUTE), addAttempts: 2 }, [begun], { learnt: 'added' }, T0 + 6 * MINUTE);
    expect(put(later.changes, 'grant')[0]).toMatchObject({ state: 'active', expiresAt: T0 + 31 * MINUTE });
  });

  test('found marked without an answer counts as one that may have happened', () => {
    const { changes } = decide(marked(T0), [grant()], undefined, T0 + MINUTE);
    expect(eventKinds(changes)).toContain('membership.addition_unknown');
    expect(put(changes, 'grant')[0]).toMatchObject({ startsAt: T0 });
  });

  test('never ends past the hard end, even on a clock that ran ahead meanwhile', () => {
    const { changes } = decide(marked(T0 + HOUR), [grant()], { learnt: 'added' }, T0 + HOUR);
    expect(put(changes, 'grant')[0]?.expiresAt).toBe(T0 + 40 * MINUTE);
  });

  test('that every directory refused ends the grant, and one that some refused does not', () => {
    const no = failed('add', { code: 'rejected', effect: 'none' } as Partial<Lesson>);
    const all = decide(marked(), [grant()], no);
    expect(put(all.changes, 'grant')[0]).toMatchObject({ state: 'ended', endReason: 'abandoned' });
    expect(notices(all.changes)).toContain('security:addition_abandoned');
    const some = decide(marked(), [grant(wide)], no, T0 + MINUTE, { rows: [other()] });
    expect(put(some.changes, 'grant')[0]).toMatchObject({ state: 'active' });
  });

  test('is not begun by a membership that is still being removed for an earlier grant', () => {
    const { changes, next } = decide(removing(), [grant()]);
    expect(next).toEqual({ do: 'call', call: 'add' });
    expect(put(changes, 'grant')[0]).not.toHaveProperty('startsAt');
  });

  test('of two memberships of one grant puts the grant whichever settles first', () => {
    const sent = { ...marked(), key: keyOf(B) };
    const first = decide(marked(), [grant(wide)], { learnt: 'added' }, T0 + MINUTE, { rows: [sent] });
    expect(put(first.changes, 'grant')[0]).toMatchObject({ state: 'adding', version: 2 });
    const ending = activeGrant({ ...wide, state: 'ending' });
    const rows = [{ ...removing(), key: keyOf(B) }];
    const half = decide(removing(), [ending], absent(T0 + MINUTE), T0 + MINUTE, { rows });
    expect(put(half.changes, 'grant')[0]).toMatchObject({ state: 'ending', version: 2 });
  });

  test('is not needed by somebody who was there before, and nothing is ever removed from them', () => {
    const { changes, next } = decide(membership(), [grant()], { learnt: 'seen_present', readAt: T0 + MINUTE });
    expect(put(changes, 'grant')[0]).toMatchObject({
      state: 'ended',
      endReason: 'abandoned',
      endNote: 'already a member',
    });
    expect(next).toEqual({ do: 'done' });
  });

  test('does not begin on a permanent membership that this grant has not looked at', () => {
    const { seen: _seen, seenAt: _at, ...unread } = { ...baseline(), key: keyOf(B), groupName: B };
    const { changes } = decide(marked(), [grant(wide)], { learnt: 'added' }, T0 + MINUTE, { rows: [unread] });
    expect(put(changes, 'grant')[0]).toMatchObject({ state: 'adding' });
  });
});

describe('a membership that two grants share', () => {
  const ended = activeGrant({ state: 'ending', endingAt: T0 });

  test('stays when one of them ends, and goes when the last one has', () => {
    const live = activeGrant({ id: 'G-OTHR', requestId: 'R-OTHR' });
    const kept = decide(ourMembership(), [ended, live]);
    expect(put(kept.changes, 'grant')).toMatchObject([{ id: 'G-7KQ2', state: 'ended' }]);
    expect(kept.next).toEqual({ do: 'call', call: 'read' });
    const last = decide(ourMembership(), [{ ...live, state: 'ending' }]);
    expect(last.next).toEqual({ do: 'call', call: 'remove' });
  });

  test('lets an ending grant end when a newer one took it over, though there is nothing to call', () => {
    const live = activeGrant({ id: 'G-OTHR', requestId: 'R-OTHR' });
    const decision = decide(ourMembership({ seen: 'present', seenAt: T0 }), [ended, live]);
    expect(decision.next).toEqual({ do: 'done' });
    expect(put(decision.changes, 'grant')).toMatchObject([{ id: 'G-7KQ2', state: 'ended' }]);
  });

  test('is removed once for two grants that end at the same instant', () => {
    const both = [ended, { ...ended, id: 'G-OTHR', requestId: 'R-OTHR' }];
    const proven = decide(removing(), both, absent(T0 + MINUTE));
    expect(put(proven.changes, 'grant').map((one) => [one.id, one.state])).toEqual([
      ['G-7KQ2', 'ended'],
      ['G-OTHR', 'ended'],
    ]);
    expect(proven.next).toEqual({ do: 'done' });
  });

  test('and was removed by somebody else ends both, in one list that the store can take', () => {
    const missing = ourMembership({ seen: 'absent', seenAt: T0, missingSinceAt: T0 });
    const both = [activeGrant(wide), activeGrant({ ...wide, id: 'G-OTHR', requestId: 'R-OTHR' })];
    const decision = decide(missing, both, absent(T0 + MINUTE), T0 + MINUTE, { rows: [other()] });
    expect(put(decision.changes, 'grant').map((one) => [one.state, one.endReason])).toEqual([
      ['ended', 'removed_outside'],
      ['ending', 'removed_outside'],
    ]);
    expect(decision.next).toEqual({ do: 'call', call: 'remove' });
    expect(jobs(decision.changes).has('op:okta:id-prod-db-admin:okta-ana@acme.com')).toBe(true);
    expect(notices(decision.changes)).toEqual(['security:removed_outside']);
  });

  test('and was removed by somebody else while another is still being added ends that grant too', () => {
    const missing = ourMembership({ seen: 'absent', seenAt: T0, missingSinceAt: T0 });
    const decision = decide(missing, [grant(wide)], absent(T0 + MINUTE), T0 + MINUTE, {
      rows: [{ ...marked(), key: keyOf(B) }],
    });
    expect(put(decision.changes, 'grant')[0]).toMatchObject({ state: 'ending', endReason: 'removed_outside' });
  });
});

describe('a removal that keeps failing', () => {
  const ending = activeGrant({ state: 'ending' });

  test('is retried for ever, more and more slowly', () => {
    const waits = [1, 2, 3, 8, 9, 20, 1_000].map((failures) => retryDelayMs(failures, false, 0.5, undefined));
    expect(waits).toEqual([1_000, 2_000, 4_000, 128_000, 256_000, 300_000, 300_000]);
    expect(retryDelayMs(1_000, true, 0.5, undefined)).toBe(60_000);
    expect(retryDelayMs(1, false, 0, 30_000)).toBe(30_000);
    const decision = decide(removing({ failures: 500 }), [ending], failed('remove'));
    expect(decision.next).toMatchObject({ do: 'later', lastError: 'no answer' });
  });

  test('is told once after three failures, and once when it is over', () => {
    const told = [0, 1, 2, 3, 4].map((failures) =>
      notices(decide(removing({ failures }), [ending], failed('remove')).changes),
    );
    expect(told).toEqual([[], [], ['security:removal_failing', 'alert:removal_failing'], [], []]);
    const over = decide(removing({ failures: FAILURES_TOLD + 4 }), [ending], absent(T0 + MINUTE));
    expect(notices(over.changes)).toEqual(['security:removal_recovered', 'alert:removal_recovered']);
  });

  test('is told after three failures of its own, however often the addition had failed before', () => {
    const start = decide(ourMembership({ addOutcome: 'unknown', failures: 9 }), [ending]);
    expect(put(start.changes, 'membership')[0]?.failures).toBe(0);
  });

  test('by being undone each time is slowed down and told as well', () => {
    const present: Lesson = { learnt: 'seen_present', readAt: T0 + MINUTE };
    const decision = decide(removing({ failures: 2 }), [ending], present, T0 + MINUTE, { lagMs: 0 });
    expect(decision.next).toMatchObject({ do: 'later', dueAt: T0 + MINUTE + 4_000, priority: 0 });
    expect(notices(decision.changes)).toContain('alert:removal_failing');
  });

  test('does not wait for the addition that failed just before the grant was revoked', () => {
    const decision = decide({ ...marked(), failures: 8 }, [ending], failed('add'));
    expect(decision.next).toEqual({ do: 'call', call: 'remove' });
    const limited = failed('add', { code: 'rate_limited', retryAfterMs: 9_000 } as Partial<Lesson>);
    expect(decide({ ...marked(), addAttempts: 2 }, [ending], limited).next).toMatchObject({ do: 'later' });
  });
});

test('a grant never calls absent what has not been read since the removal', () => {
  const { changes } = decide(ourMembership({ removeStartedAt: T0 }), [activeGrant({ state: 'ending' })], {
    learnt: 'removed',
  });
  expect(put(changes, 'grant')[0]).toMatchObject({ state: 'ending' });
  expect(eventKinds(changes)).not.toContain('grant.ended');
});

test('the requester is told the outcome in a message of its own when the grant has ended', () => {
  const { changes } = decide(removing(), [activeGrant({ state: 'ending' })], absent(T0 + MINUTE));
  expect(put(changes, 'request')[0]?.audiences).toMatchObject([{ kind: 'outcome' }]);
  expect(request().audiences).toEqual([]);
});
