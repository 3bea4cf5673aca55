import { describe, expect, test } from 'vitest';
import type { AccessRequest, Grant, Membership } from '../../src/access/model.ts';
import { noticeView, viewOf } from '../../src/access/view.ts';
import {
  activeGrant,
  approval,
  baseline,
  ben,
  grant,
  grantRecord,
  HOUR,
  keyOf,
  MINUTE,
  membership,
  ourMembership,
  request,
  requestRecord,
  T0,
} from '../support/builders.ts';

const NOW = T0 + 5 * MINUTE;
const BERLIN = 'Europe/Berlin';

function shown(of: Grant, rows: readonly Membership[], now = NOW, others: readonly Grant[] = []) {
  const approved = request({ state: 'approved', decidedAt: T0 });
  const record = { ...requestRecord(approved), grant: of };
  return viewOf({ record, grant: grantRecord(of, rows, { others }) }, now, BERLIN);
}

const waiting = (more: Partial<AccessRequest> = {}, approvals: Parameters<typeof requestRecord>[1] = []) =>
  viewOf({ record: requestRecord(request(more), approvals) }, NOW, BERLIN);

const wide = { memberships: [keyOf('prod-db-read'), keyOf('prod-db-admin')] };
const second = (row: Membership): Membership => ({ ...row, key: keyOf('prod-db-admin'), groupName: 'prod-db-admin' });
const ending = activeGrant({ state: 'ending', endReason: 'expired', endingAt: T0 + 30 * MINUTE });
const ended = { ...ending, state: 'ended' as const, endedAt: T0 + 31 * MINUTE };
const removing = ourMembership({ removeStartedAt: T0 + 30 * MINUTE });
const removed = { ...removing, removeOutcome: 'accepted' as const, removeAcceptedAt: T0 + 30 * MINUTE };
const proven = membership({ provenAbsentAt: T0 + 31 * MINUTE, removeAcceptedAt: T0 + 30 * MINUTE, seen: 'absent' });

describe('a request that is not granted', () => {
  const two = request({ approvalsNeeded: 2 });
  test.each([
    [waiting(), 'Waiting for approval. Lapses 11:00 CET.', 'waiting'],
    [
      waiting({ approvalsNeeded: 2 }, [approval(two, ben)]),
      'Waiting for approval. 1 of 2 approvals so far. Lapses 11:00 CET.',
      'waiting',
    ],
    [
      waiting({ state: 'denied', decidedAt: NOW, closedBy: 'Ben' }),
      'Denied by Ben 10:05 CET. Nothing was added.',
      'over',
    ],
    [waiting({ state: 'cancelled', decidedAt: NOW }), 'Cancelled 10:05 CET. Nothing was added.', 'over'],
    [
      waiting({ state: 'lapsed', decidedAt: NOW }),
      'Lapsed 10:05 CET: nobody approved it in time. Ask again if you still need it.',
      'over',
    ],
    [
      waiting({ state: 'withdrawn', decidedAt: NOW, closedNote: 'G-7KQ2 is over' }),
      'Withdrawn 10:05 CET: G-7KQ2 is over.',
      'over',
    ],
  ])('says so (%#)', (view, headline, severity) => {
    expect(view).toMatchObject({ headline, severity });
  });

  test('does not count approvals that were given for another text', () => {
    const view = waiting({ approvalsNeeded: 2 }, [approval(two, ben, { digest: 'older' })]);
    expect(view.approvals).toEqual([]);
    expect(view.headline).toContain('0 of 2');
  });

  test('can be answered and cancelled only while it waits', () => {
    expect(waiting().can).toEqual({ answer: true, cancel: true, extend: false, return: false });
    expect(waiting({ state: 'denied' }).can).toEqual({ answer: false, cancel: false, extend: false, return: false });
  });
});

describe('a grant', () => {
  const failing = { failures: 2, lastError: 'timeout' };
  test.each<[string, ReturnType<typeof shown>, string]>([
    ['waiting', shown(grant(), [membership()]), 'Approved. Adding to prod-db-read.'],
    [
      'warning',
      shown(grant(), [membership(failing)]),
      'Approved, not added yet: okta says "timeout". Trying again until 10:10 CET.',
    ],
    [
      'warning',
      shown(grant(), [ourMembership({ ...failing, addOutcome: 'unknown' })]),
      'Approved, not known to be added yet: okta says "timeout". Trying again until 10:10 CET.',
    ],
    ['good', shown(activeGrant(), [ourMembership()]), 'Added to prod-db-read. Ends 10:30 CET.'],
    [
      'good',
      shown(activeGrant(), [ourMembership({ seen: 'present', seenAt: T0 })]),
      'Added to prod-db-read (checked). Ends 10:30 CET.',
    ],
    [
      'warning',
      shown(activeGrant(wide), [ourMembership(), second(membership())]),
      'Added to prod-db-read. Ends 10:30 CET. Not added to prod-db-admin.',
    ],
    [
      'warning',
      shown(activeGrant(wide), [ourMembership(), second(removed)]),
      'Added to prod-db-read. Ends 10:30 CET. Not added to prod-db-admin.',
    ],
    [
      'warning',
      shown(activeGrant(), [ourMembership({ addOutcome: 'unknown' })]),
      "Perhaps added to prod-db-read: the directory's answer was lost. Ends 10:30 CET.",
    ],
    [
      'good',
      shown(activeGrant(wide), [ourMembership(), second(baseline())]),
      'Added to prod-db-read. prod-db-admin was there before. Ends 10:30 CET.',
    ],
    [
      'warning',
      shown(activeGrant(), [ourMembership()], T0 + 31 * MINUTE),
      'Added to prod-db-read. Was due to end 10:30 CET.',
    ],
    ['waiting', shown(ending, [ourMembership()]), 'The time is over. Removing from prod-db-read.'],
    [
      'warning',
      shown(ending, [{ ...removing, ...failing }]),
      'The time is over. Perhaps still a member of prod-db-read: okta says "timeout". Trying again until it is gone.',
    ],
    ['waiting', shown(ending, [removed]), 'The time is over. Removed from prod-db-read; checking that it is gone.'],
    [
      'warning',
      shown(ending, [{ ...removed, ...failing }]),
      'The time is over. Removed from prod-db-read, not checked yet: okta says "timeout". Trying again until it is gone.',
    ],
    ['over', shown(ended, [proven]), 'The time is over. Removed from prod-db-read 10:30 CET, checked.'],
    [
      'over',
      shown(ended, [ourMembership()], NOW, [activeGrant({ id: 'G-OTHR' })]),
      'The time is over. Another grant still needs prod-db-read.',
    ],
    ['over', shown(ended, [removing]), 'The time is over. Ended 10:31 CET.'],
    [
      'warning',
      shown(grant({ state: 'ended', endReason: 'abandoned', endNote: 'not added in time' }), [membership()]),
      'Given up: not added in time. Nothing was added.',
    ],
    [
      'warning',
      shown(grant({ state: 'ended', endReason: 'abandoned', endNote: 'already a member' }), [baseline()]),
      'Given up: already a member. prod-db-read was there before and stays.',
    ],
  ])('says what holds and no more (%#, %s)', (severity, view, headline) => {
    expect(view).toMatchObject({ headline, severity });
  });

  test('is not said to be checked before a read has proven it', () => {
    for (const row of [membership(), ourMembership(), removing, removed, { ...removed, seen: 'absent' as const }])
      for (const of of [grant(), activeGrant(), ending]) {
        const view = shown(of, [row]);
        expect(view.headline).not.toMatch(/\bchecked\.|\(checked\)/);
        expect(view.grant?.memberships[0]?.standing).not.toBe('checked');
      }
  });

  test('takes no credit for a removal that was proven before it was approved', () => {
    const never = grant({ state: 'ended', endReason: 'returned', endedAt: NOW });
    expect(shown(never, [{ ...proven, provenAbsentAt: T0 - 1 }]).headline).toBe('Returned. Nothing was added.');
  });

  test('says until when sessions already open may last, while they may', () => {
    const tail = { ...ended, sessionTailMs: HOUR };
    expect(shown(tail, [proven]).headline).toContain('Sessions already open may last until 11:30 CET.');
    expect(shown(tail, [proven], T0 + 3 * HOUR).headline).not.toContain('Sessions');
  });

  test('can be given back while it lives, and extended while it runs and there is time left', () => {
    expect(shown(grant(), [membership()]).can).toMatchObject({ return: true, extend: false });
    expect(shown(activeGrant(), [ourMembership()]).can).toMatchObject({ return: true, extend: true });
    expect(shown(activeGrant({ maxMs: 30 * MINUTE }), [ourMembership()]).can).toMatchObject({ extend: false });
    expect(shown(ending, [removing]).can).toMatchObject({ return: false, extend: false });
  });
});

test('every time that is shown carries its zone, and its day when that is another one', () => {
  const tomorrow = shown(activeGrant({ expiresAt: T0 + 24 * HOUR }), [ourMembership()]);
  expect(tomorrow.headline).toBe('Added to prod-db-read. Ends Wed 11 Mar 10:00 CET.');
  expect(tomorrow.zone).toBe(BERLIN);
});

test('an extension says from when to when', () => {
  const wish = request({ id: 'R-9XYZ', extendsGrant: 'G-7KQ2', durationMs: HOUR });
  const view = viewOf({ record: requestRecord(wish), extended: activeGrant() }, NOW, 'UTC');
  expect(view.extension).toEqual({ grantId: 'G-7KQ2', from: T0 + 30 * MINUTE, until: T0 + 90 * MINUTE });
});

test('a notice about a removal claims neither presence nor absence, and carries a zone', () => {
  const notice = {
    code: 'removal_failing',
    severity: 'critical',
    at: T0,
    group: 'g',
    directory: 'okta',
    failures: 3,
  } as const;
  const view = noticeView(notice, BERLIN);
  expect(view.lines.join(' ')).toContain('Not proven gone from g in okta after 3 failures');
  expect(view.lines.join(' ')).toContain('10:00 CET');
});
