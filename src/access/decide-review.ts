/**
 * Post-access reviews: opened when a grant has ended that owes one (break-glass: when it was taken), said again while
 * overdue, and made once, by somebody else than the holder.
 */
import type { Refusal } from './command.ts';
import type { Rung } from './decide-close.ts';
import { audienceId, event, eventRow, personActor, refused, timer } from './decision.ts';
import type {
  AccessRequest,
  AccountRef,
  Actor,
  Audience,
  Change,
  Instant,
  Person,
  PersonId,
  Review,
  ReviewRule,
} from './model.ts';
import { PRIORITY } from './model.ts';
import { anyHolds, type SubjectAnswer, subjectName } from './policy.ts';
import type { GrantRecord } from './ports.ts';
import { askedFor, requestersOf } from './workload.ts';

/** Written to in person; the channels are told in any case. */
const TOLD_MOST = 20;
/** An overdue review is said again this often, and then only the digests still show it. */
const REMIND_EVERY_MS = 24 * 60 * 60_000;
const REMINDERS_MAX = 7;

export function reviewersToTell(reviewers: readonly Person[], except: readonly PersonId[]): readonly AccountRef[] {
  return reviewers
    .filter(({ id }) => !except.includes(id))
    .flatMap(({ account, accounts }) => accounts ?? (account === undefined ? [] : [account]))
    .slice(0, TOLD_MOST);
}

/** The channels in which the request was shown: the summary stands below it. */
export function channelsOf({ audiences }: { readonly audiences: readonly Audience[] }): readonly Audience[] {
  return audiences.filter(({ kind }) => kind === 'channel');
}

/** The security channels, the request's own message and each reviewer, drawn from what holds when they are sent. */
export function showReview(review: Review, below: readonly Audience[], now: Instant): readonly Change[] {
  return [
    told(review, 'security', {}, now),
    ...below.map((audience) => told(review, `below:${audienceId(audience)}`, { below: audience }, now)),
    ...review.tell.map((account) => told(review, accountText(account), { account }, now)),
  ];
}

function remind(review: Review, reminder: number, now: Instant): readonly Change[] {
  return [
    told(review, `security#${reminder}`, { reminder }, now),
    ...review.tell.map((account) => told(review, `${accountText(account)}#${reminder}`, { account, reminder }, now)),
  ];
}

function accountText({ platform, tenant, id }: AccountRef): string {
  return `${platform}:${tenant}:${id}`;
}

interface Where {
  readonly account?: AccountRef;
  readonly below?: Audience;
  readonly reminder?: number;
}

function told(review: Review, where: string, place: Where, now: Instant): Change {
  return {
    put: 'job',
    row: {
      kind: 'notification',
      id: `msg:review:${review.id}:${where}`,
      lane: 'chat',
      priority: PRIORITY.usual,
      dueAt: now,
      payload: { tell: 'review', reviewId: review.id, ...place },
    },
  };
}

// ------------------------------------------------------------------------------------------------------- its timer

export interface ReviewRingFacts {
  readonly review?: Review;
  /** Those whom the rule names now, where a review is about to be opened. */
  readonly reviewers: readonly Person[];
}

/** Absent: nothing is opened, so nobody has to be looked up. */
export function ruleToOpen(record: GrantRecord | undefined, review: Review | undefined): ReviewRule | undefined {
  if (record === undefined || review !== undefined) return undefined;
  const { grant } = record;
  return grant.state === 'ended' && grant.startsAt !== undefined ? grant.review : undefined;
}

export function ringReview(record: GrantRecord | undefined, facts: ReviewRingFacts, now: Instant): Rung {
  const { review } = facts;
  const rule = ruleToOpen(record, review);
  if (record === undefined) return [];
  if (rule !== undefined) return opened(record, rule, facts.reviewers, now);
  if (review === undefined) return [];
  const { grant, request } = record;
  // What was said while it was live is drawn again with how it ended.
  const summary = grant.state === 'ended' ? showReview(review, channelsOf(request), now) : [];
  if (review.state !== 'open') return summary;
  const reminders = review.reminders ?? 0;
  const remindAt = reminders === 0 ? review.dueAt : (review.remindedAt ?? review.dueAt) + REMIND_EVERY_MS;
  const again = (at: Instant) => timer({ ring: 'review', grantId: grant.id }, at);
  if (reminders >= REMINDERS_MAX) return summary;
  if (now < remindAt) return [...summary, again(remindAt)];
  const number = reminders + 1;
  const row: Review = { ...review, version: review.version + 1, reminders: number, remindedAt: now };
  return [
    { put: 'review', row, was: review.version },
    event('review.reminded', now, BY_TIMER, {
      requestId: request.id,
      grantId: grant.id,
      detail: { entitlement: review.entitlement, number, dueAt: review.dueAt },
    }),
    ...remind(row, number, now),
    ...(number < REMINDERS_MAX ? [again(now + REMIND_EVERY_MS)] : []),
  ];
}

const BY_TIMER: Actor = { kind: 'hallpass', part: 'timers' };

function opened(
  { grant, request }: GrantRecord,
  rule: ReviewRule,
  reviewers: readonly Person[],
  now: Instant,
): readonly Change[] {
  const row: Review = {
    // Opaque already, and a request has at most one review.
    id: request.cardId,
    version: 1,
    state: 'open',
    why: 'policy',
    grantId: grant.id,
    requestId: request.id,
    holder: grant.holder,
    holderName: grant.holderName,
    entitlement: grant.entitlement,
    durationMs: grant.durationMs,
    reason: request.reason,
    reviewers: rule.by,
    tell: reviewersToTell(reviewers, requestersOf(request)),
    createdAt: now,
    dueAt: now + rule.withinMs,
  };
  return [
    { put: 'review', row },
    event('review.opened', now, BY_TIMER, {
      requestId: request.id,
      grantId: grant.id,
      detail: {
        review: row.id,
        why: row.why,
        entitlement: row.entitlement,
        reviewers: rule.by.map(subjectName),
        dueAt: row.dueAt,
      },
    }),
    ...showReview(row, channelsOf(request), now),
    timer({ ring: 'review', grantId: grant.id }, row.dueAt),
  ];
}

// ------------------------------------------------------------------------------------------------- a person's word

export interface ReviewFacts {
  readonly person: Person;
  readonly review: Review;
  /** What it is about: whoever set off a pipeline does not sign off what it did. */
  readonly request?: AccessRequest;
  /** The person against `review.reviewers`. */
  readonly subjects: readonly SubjectAnswer[];
  /** Below which it is shown. */
  readonly below?: readonly Audience[];
  readonly correlation?: string;
}

export function decideReview(
  command: { readonly verdict: 'sign_off' | 'question'; readonly note?: string },
  facts: ReviewFacts,
  now: Instant,
):
  | { readonly review: Review; readonly changes: readonly Change[] }
  | { readonly refusal: Refusal; readonly record?: ReturnType<typeof eventRow> } {
  const { person, review } = facts;
  const about = { requestId: review.requestId, grantId: review.grantId };
  const attempt = (refusal: Refusal) =>
    refused(
      refusal,
      eventRow('review.refused', now, personActor(person), {
        ...about,
        detail: { entitlement: review.entitlement, asked: command.verdict, code: refusal.code },
        ...(facts.correlation === undefined ? {} : { correlation: facts.correlation }),
      }),
    );
  if (person.id === review.holder || (facts.request !== undefined && askedFor(facts.request, person.id)))
    return attempt({ code: 'own_review' });
  const verdict = anyHolds('eligible', review.reviewers, facts.subjects);
  if (verdict.is === 'broken')
    return refused({ code: 'cannot_check', what: 'whether you may review this', error: verdict.finding.why });
  if (verdict.is === 'unsatisfied')
    return attempt({ code: 'not_a_reviewer', wanted: review.reviewers.map(subjectName) });
  if (review.state !== 'open')
    return refused({ code: 'reviewed_already', grantId: review.grantId, by: review.decidedBy ?? '' });
  const note = command.note ?? '';
  if (command.verdict === 'question' && note === '') return refused({ code: 'reason_missing', minLength: 1 });
  const row: Review = {
    ...review,
    version: review.version + 1,
    state: command.verdict === 'sign_off' ? 'signed_off' : 'questioned',
    decidedAt: now,
    decidedBy: person.name,
    ...(note === '' ? {} : { note }),
  };
  return {
    review: row,
    changes: [
      { put: 'review', row, was: review.version },
      event(command.verdict === 'sign_off' ? 'review.signed_off' : 'review.questioned', now, personActor(person), {
        ...about,
        detail: {
          entitlement: review.entitlement,
          holder: review.holder,
          late: now > review.dueAt,
          dueAt: review.dueAt,
        },
        ...(note === '' ? {} : { personal: { note } }),
        ...(facts.correlation === undefined ? {} : { correlation: facts.correlation }),
      }),
      ...showReview(row, facts.below ?? [], now),
    ],
  };
}
