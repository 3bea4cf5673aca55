/** A directory that ends memberships by itself, for when nothing of ours runs: told after us, and moved before us. */
import { describe, expect, test } from 'vitest';
import { decideApprove } from '../../src/access/decide-answer.ts';
import { decideOperation, type OperationFacts } from '../../src/access/decide-operation.ts';
import { keyText, type Lesson, madePermanent, NATIVE_EXPIRY_AFTER_MS } from '../../src/access/ledger.ts';
import { endGrant } from '../../src/access/lifecycle.ts';
import type { Change, Grant, Membership } from '../../src/access/model.ts';
import { viewOf } from '../../src/access/view.ts';
import {
  activeGrant,
  approveFacts,
  baseline,
  grant,
  grantRecord,
  HOUR,
  MINUTE,
  ourMembership,
  request,
  requestRecord,
  SECOND,
  T0,
} from '../support/builders.ts';
import { changesOf, eventKinds, faultsOf, jobs, put } from '../support/given.ts';

const END = T0 + 30 * MINUTE;
const NATIVE = END + NATIVE_EXPIRY_AFTER_MS;
const LONGER = END + HOUR;
const seen = (more: Partial<Membership> = {}) => ourMembership({ seen: 'present', seenAt: T0 + 1, ...more });
const told = (more: Partial<Membership> = {}) => seen({ nativeExpiryAt: NATIVE, ...more });
const more = request({ id: 'R-2222', extendsGrant: 'G-7KQ2', durationMs: HOUR, state: 'approved' });
const extending = (of: Partial<Grant> = {}) => activeGrant({ extending: { requestId: more.id, toAt: LONGER }, ...of });
const failed = (code: 'unavailable' | 'rejected' | 'not_found', effect: 'none' | 'unknown'): Lesson => ({
  learnt: 'failed',
  call: 'expire',
  code,
  effect,
  error: 'no',
});

function decide(
  row: Membership,
  grants: readonly Grant[],
  lesson?: Lesson,
  facts: Partial<OperationFacts> = {},
  now = T0 + MINUTE,
) {
  const decision = decideOperation(
    {
      membership: row,
      grants: grants.map((one) => ({
        ...grantRecord(one, [row], { others: grants.filter(({ id }) => id !== one.id) }),
        ...(one.extending === undefined ? {} : { extending: more }),
      })),
      freezes: { version: 1, live: [] },
      lagMs: 5 * SECOND,
      callDeadlineMs: 10 * SECOND,
      nativeExpiry: 'told',
      jitter: 0.5,
      correlation: 'op#1',
      ...facts,
    },
    lesson,
    now,
  );
  expect(faultsOf(decision.changes)).toEqual([]);
  return decision;
}
const row = (changes: readonly Change[]) => put(changes, 'membership').at(-1);
const notices = (changes: readonly Change[]) =>
  put(changes, 'job').flatMap((job) =>
    job.kind === 'notification' && 'notice' in job.payload ? [job.payload.notice.code] : [],
  );

describe('a membership of ours', () => {
  test('is made to end by itself a little after its grant, once it is seen, and nothing more is owed then', () => {
    const first = decide(seen(), [activeGrant()]);
    expect(first.next).toEqual({ do: 'call', call: 'expire', at: NATIVE });
    expect(row(first.changes)).toMatchObject({ nativeExpirySent: NATIVE });
    const marked = row(first.changes) as Membership;
    const done = decide(marked, [activeGrant()], { learnt: 'expiry_set', at: NATIVE });
    expect(done.next).toEqual({ do: 'done' });
    expect(row(done.changes)).toMatchObject({ nativeExpiryAt: NATIVE });
    expect(row(done.changes)).not.toHaveProperty('nativeExpirySent');
  });

  test('that two grants hold ends by itself after the later of them, and after the other once that one is over', () => {
    const long = activeGrant({ id: 'G-2222', requestId: 'R-2222', expiresAt: LONGER });
    expect(decide(told(), [activeGrant(), long]).next).toMatchObject({ at: LONGER + NATIVE_EXPIRY_AFTER_MS });
    const record = grantRecord(long, [told()], { others: [activeGrant()] });
    const ending = { reason: 'revoked', by: { kind: 'operator', name: 'root' } } as const;
    expect(jobs(endGrant(record, ending, T0 + MINUTE)).has(`op:${keyText(told().key)}`)).toBe(true);
  });

  test('whose directory has no such thing is left alone, and security hears of it once', () => {
    const untold = decide(seen(), [activeGrant()], { learnt: 'expiry_unavailable' }, { nativeExpiry: 'untold' });
    expect(untold.next).toEqual({ do: 'done' });
    expect(notices(untold.changes)).toEqual(['native_expiry_unavailable']);
    expect(put(untold.changes, 'pin')).toMatchObject([{ space: 'told' }]);
    expect(notices(decide(seen(), [activeGrant()], { learnt: 'expiry_unavailable' }).changes)).toEqual([]);
    expect(decide(row(untold.changes) as Membership, [activeGrant()]).next).toEqual({ do: 'done' });
  });

  test('that cannot be made to end is tried again more and more slowly, and told of after three times', () => {
    const once = decide(seen({ nativeExpirySent: NATIVE }), [activeGrant()], failed('rejected', 'none'));
    expect(once.next).toMatchObject({ do: 'later', priority: 1 });
    expect(notices(once.changes)).toEqual([]);
    const third = decide(seen({ nativeExpirySent: NATIVE, failures: 2 }), [activeGrant()], failed('rejected', 'none'));
    expect(notices(third.changes)).toEqual(['native_expiry_failing']);
  });

  test('that the directory does not find is looked at before anything else', () => {
    const { changes } = decide(told({ nativeExpirySent: NATIVE }), [activeGrant()], failed('not_found', 'none'));
    expect(row(changes)).not.toHaveProperty('seen');
  });
});

describe('what is not ours', () => {
  test('is never made to end', () => {
    expect(decide(baseline(), [grant()]).next).toEqual({ do: 'done' });
    expect(decide(baseline(), []).next).toEqual({ do: 'done' });
  });

  test('any more, because an admin made it permanent, is told to end no longer', () => {
    const adopted = madePermanent(told(), T0 + MINUTE);
    for (const grants of [[activeGrant()], []]) {
      const first = decide(adopted, grants);
      expect(first.next).toEqual({ do: 'call', call: 'expire' });
      const done = decide(row(first.changes) as Membership, grants, { learnt: 'expiry_set' });
      expect(done.next).toEqual({ do: 'done' });
      expect(row(done.changes)).not.toHaveProperty('nativeExpiryAt');
      expect(row(done.changes)).toMatchObject({ origin: 'baseline' });
    }
  });
});

describe('more time', () => {
  const approve = (membership: Membership) => {
    const asked = request({ id: 'R-2222', extendsGrant: 'G-7KQ2', durationMs: HOUR });
    const extended = grantRecord(activeGrant(), [membership]);
    const memberships = extended.memberships;
    return changesOf(
      decideApprove(approveFacts({ record: requestRecord(asked), extended, memberships }), T0 + 2 * MINUTE),
    );
  };

  test('that is approved does not move the end before the directory has moved its own', () => {
    const approved = approve(told());
    expect(put(approved, 'grant')).toMatchObject([
      { expiresAt: END, extending: { requestId: 'R-2222', toAt: LONGER } },
    ]);
    expect(jobs(approved).has('end:G-7KQ2')).toBe(false);
    expect(eventKinds(approved)).toContain('grant.extension_approved');
    const sent = decide(told(), [extending()]);
    expect(sent.next).toEqual({ do: 'call', call: 'expire', at: LONGER + NATIVE_EXPIRY_AFTER_MS });
    const lesson: Lesson = { learnt: 'expiry_set', at: LONGER + NATIVE_EXPIRY_AFTER_MS };
    const { changes } = decide(row(sent.changes) as Membership, [extending()], lesson);
    expect(put(changes, 'grant').at(-1)).toMatchObject({ expiresAt: LONGER, hardEndAt: LONGER });
    expect(put(changes, 'grant').at(-1)).not.toHaveProperty('extending');
    expect(jobs(changes).get('end:G-7KQ2')?.dueAt).toBe(LONGER);
    expect(eventKinds(changes)).toContain('grant.extended');
  });

  test('moves the end at once where no directory ends the membership by itself', () => {
    expect(put(approve(seen()), 'grant')).toMatchObject([{ expiresAt: LONGER }]);
  });

  test('waits while the answer is lost, and does not come into force when the grant is over before', () => {
    const lost = decide(told({ nativeExpirySent: LONGER }), [extending()], failed('unavailable', 'unknown'));
    expect(put(lost.changes, 'grant').at(-1)).toMatchObject({ expiresAt: END });
    const lesson: Lesson = { learnt: 'expiry_set', at: LONGER + NATIVE_EXPIRY_AFTER_MS };
    const late = decide(told(), [extending()], lesson, {}, END + SECOND);
    expect(put(late.changes, 'grant').at(-1)).toMatchObject({ expiresAt: END });
  });

  test('is not sent on its way, nor comes into force, under a freeze', () => {
    const freeze = {
      id: 'all',
      version: 1,
      scope: { kind: 'all' },
      name: 'everything',
      reason: 'incident',
      by: 'Cat',
      at: T0,
    } as const;
    const freezes = { version: 2, live: [freeze] };
    expect(decide(told(), [extending()], undefined, { freezes }).next).toEqual({ do: 'done' });
    const lesson: Lesson = { learnt: 'expiry_set', at: LONGER + NATIVE_EXPIRY_AFTER_MS };
    const { changes } = decide(told(), [extending()], lesson, { freezes });
    expect(put(changes, 'grant').at(-1)).toMatchObject({ expiresAt: END });
  });

  test('is said as it is: approved, moved, or never moved', () => {
    const say = (extended: Grant) => viewOf({ record: requestRecord(more), extended }, T0 + 2 * MINUTE, 'UTC').headline;
    expect(say(extending())).toMatch(/ends 10:30 UTC as soon as the directory has moved its own end; until then 09:30/);
    expect(say(activeGrant({ expiresAt: LONGER }))).toMatch(/now ends 10:30/);
    expect(say(extending({ state: 'ended' }))).toMatch(/had not moved its own end .*no time was added/);
  });
});

describe('a membership that its directory has ended', () => {
  const gone: Lesson = { learnt: 'seen_absent', readAt: NATIVE + SECOND };

  test('is not called removed by somebody else, however often it is looked at before its end is rung', () => {
    const first = decide(told(), [activeGrant()], gone, {}, NATIVE + SECOND);
    expect(first.next).toEqual({ do: 'done' });
    const again: Lesson = { learnt: 'seen_absent', readAt: NATIVE + HOUR };
    const second = decide(row(first.changes) as Membership, [activeGrant()], again, {}, NATIVE + HOUR);
    expect(eventKinds([...first.changes, ...second.changes])).not.toContain('grant.removed_outside');
    expect(notices([...first.changes, ...second.changes])).toEqual([]);
  });

  test('is added again for whoever may have it longer', () => {
    const newer = activeGrant({ id: 'G-2222', requestId: 'R-2222', expiresAt: LONGER });
    expect(decide(told(), [activeGrant(), newer], gone, {}, NATIVE + SECOND).next).toEqual({ do: 'call', call: 'add' });
  });

  test('is removed and proven like any other once its grant has ended', () => {
    const ending = activeGrant({ state: 'ending', endReason: 'expired' });
    expect(decide(told(), [ending], undefined, {}, NATIVE + SECOND).next).toEqual({ do: 'call', call: 'remove' });
  });
});
