/** Promise: what a policy wants looked at is looked at by somebody else, and until then it is said again and again. */
import { describe, expect, test } from 'vitest';
import { decideReview, type ReviewFacts, ringReview } from '../../src/access/decide-review.ts';
import { endGrant, settleGrant } from '../../src/access/lifecycle.ts';
import type { Grant, Review } from '../../src/access/model.ts';
import { reviewSection, reviewView } from '../../src/access/review-view.ts';
import {
  activeGrant,
  ana,
  approval,
  ben,
  cat,
  grant,
  grantRecord,
  group,
  HOUR,
  MINUTE,
  membership,
  no,
  ourMembership,
  request,
  T0,
  yes,
} from '../support/builders.ts';
import { eventKinds, jobs, put } from '../support/given.ts';

const DAY = 24 * HOUR;
const REASON = 'orders are down, nobody answers';
const RULE = { by: [group('security')], withinMs: DAY };
const END = T0 + 22 * MINUTE;
const channel = { kind: 'channel', conversation: 'C0' } as const;

const over = (more: Partial<Grant> = {}) =>
  activeGrant({ state: 'ended', endReason: 'returned', endingAt: END, endedAt: END, review: RULE, ...more });
const asked = request({ state: 'approved', audiences: [channel] });
const recordOf = (of: Grant) => grantRecord(of, [], { request: asked });

function changesOf(rung: ReturnType<typeof ringReview>) {
  if ('dueAt' in rung) throw new Error('nothing was decided');
  return rung;
}

function review(more: Partial<Review> = {}): Review {
  return {
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
    reason: REASON,
    reviewers: [group('security')],
    tell: [],
    createdAt: T0,
    dueAt: T0 + DAY,
    ...more,
  };
}

describe('a grant whose policy wants a review', () => {
  test('has its review looked at as soon as it has ended, and not before', () => {
    const live = activeGrant({ review: RULE });
    const ending = { reason: 'returned', by: { kind: 'operator', name: 'x' } } as const;
    const own = ourMembership();
    const removing = jobs(endGrant(grantRecord(live, [own]), ending, END));
    expect(removing.has('review:G-7KQ2')).toBe(false);
    const gone = membership({ provenAbsentAt: END });
    const settled = settleGrant(grantRecord({ ...live, state: 'ending', endReason: 'returned' }, [gone]), END, 0);
    expect(jobs(settled).get('review:G-7KQ2')).toMatchObject({ dueAt: END, lane: 'ask' });
    // Of what was never added there is nothing to say.
    const never = grant({ review: RULE, memberships: [] });
    expect(jobs(endGrant(grantRecord(never), ending, END)).has('review:G-7KQ2')).toBe(false);
  });

  test('is told below its request, to security and to the reviewers, never to its holder', () => {
    const changes = changesOf(ringReview(recordOf(over()), { reviewers: [ana, cat] }, END));
    expect(put(changes, 'review')).toMatchObject([
      { id: 'card-1', why: 'policy', state: 'open', holder: ana.id, tell: [cat.account], dueAt: END + DAY },
    ]);
    expect(eventKinds(changes)).toEqual(['review.opened']);
    expect([...jobs(changes).keys()]).toEqual([
      'msg:review:card-1:security',
      'msg:review:card-1:below:channel:C0',
      'msg:review:card-1:slack:T1:U-cat',
      'review:G-7KQ2',
    ]);
    expect(changesOf(ringReview(recordOf(activeGrant({ review: RULE })), { reviewers: [] }, END))).toEqual([]);
  });

  test('is said again once a day while it is overdue, at most a week, and never after it was made', () => {
    let row = review({ why: 'policy', tell: cat.account ? [cat.account] : [] });
    let at = T0 + DAY - 1;
    expect(eventKinds(changesOf(ringReview(recordOf(over()), { review: row, reviewers: [] }, at)))).toEqual([]);
    const said: string[] = [];
    for (let day = 1; day <= 9; day++) {
      at = T0 + day * DAY;
      const changes = changesOf(ringReview(recordOf(over()), { review: row, reviewers: [] }, at));
      said.push(...[...jobs(changes).keys()].filter((id) => id.includes('#')));
      row = put(changes, 'review')[0] ?? row;
      const next = jobs(changes).get('review:G-7KQ2');
      if (day < 7) expect(next?.dueAt).toBe(at + DAY);
      else expect(next).toBeUndefined();
    }
    expect(row.reminders).toBe(7);
    expect(said.slice(0, 2)).toEqual(['msg:review:rev-1:security#1', 'msg:review:rev-1:slack:T1:U-cat#1']);
    expect(said).toHaveLength(14);
    const made = review({ state: 'signed_off', decidedAt: END, decidedBy: 'Cat' });
    expect(eventKinds(changesOf(ringReview(recordOf(over()), { review: made, reviewers: [] }, at)))).toEqual([]);
  });

  test('is summed up: how much of it was used, by whose word, why, and what is not known', () => {
    const record = { request: asked, grant: over(), approvals: [approval(asked, ben)] };
    const of = review({ why: 'policy' });
    expect(reviewView({ review: of, record }, END, 'UTC')).toMatchObject({
      title: 'Review of access, G-7KQ2',
      lines: [
        'Ana had db-prod:read for 22 min of the 30 min granted, from 09:00 UTC to 09:22 UTC, when it was returned.',
        'Approved by Ben.',
        `Why: ${REASON}`,
        'What was done is not known: no activity source is configured.',
      ],
    });
    const activity = { kinds: [{ kind: 'table read', count: 12 }], findings: ['Bulk export'], failing: ['okta'] };
    expect(reviewView({ review: of, record, activity }, END, 'UTC').lines.slice(3)).toEqual([
      'Not looked at: okta did not answer.',
      'What was done: table read 12.',
      'Findings: Bulk export.',
    ]);
  });
});

describe('a review', () => {
  const of = (more: Partial<ReviewFacts> = {}): ReviewFacts => ({
    person: cat,
    review: review(),
    subjects: [yes(group('security'))],
    ...more,
  });

  test('is signed off or questioned once, with its reason, and told where it was shown', () => {
    const signed = decideReview({ verdict: 'sign_off', note: 'as agreed' }, of(), T0 + HOUR);
    if ('refusal' in signed) throw new Error('refused');
    expect(put(signed.changes, 'review')).toMatchObject([
      { version: 2, state: 'signed_off', decidedBy: 'Cat', note: 'as agreed' },
    ]);
    expect(eventKinds(signed.changes)).toEqual(['review.signed_off']);
    expect(jobs(signed.changes).has('msg:review:rev-1:security')).toBe(true);
    expect(reviewView({ review: signed.review }, T0 + HOUR, 'UTC')).toMatchObject({
      open: false,
      headline: 'Signed off by Cat 10:00 UTC: “as agreed”.',
    });
    expect(decideReview({ verdict: 'question' }, of(), T0)).toMatchObject({ refusal: { code: 'reason_missing' } });
    expect(decideReview({ verdict: 'sign_off' }, of({ review: signed.review }), T0)).toMatchObject({
      refusal: { code: 'reviewed_already', by: 'Cat' },
    });
  });

  test('is never the holder’s, nor anybody’s who is not named; attempts are kept', () => {
    expect(decideReview({ verdict: 'sign_off' }, of({ person: ana }), T0)).toMatchObject({
      refusal: { code: 'own_review' },
      record: { kind: 'review.refused' },
    });
    expect(decideReview({ verdict: 'sign_off' }, of({ subjects: [no(group('security'))] }), T0)).toMatchObject({
      refusal: { code: 'not_a_reviewer' },
      record: { kind: 'review.refused' },
    });
  });

  test('that nobody has made stands in the digest with its age', () => {
    expect(reviewSection([], T0)).toEqual([]);
    const [section] = reviewSection([review()], T0 + DAY + 2 * HOUR);
    expect(section?.lines[0]).toEqual({
      lead: 'Ana',
      rest: `db-prod:read (G-7KQ2), used 1 day 2 h ago, overdue by 2 h: ${REASON}`,
    });
  });
});
