/**
 * Access without anybody's approval, for when waiting costs more than trust: at once, short, loud, and looked at
 * afterwards. The grant, those who are told and the review that is owed are one commit.
 */
import type { DurationWish, Refusal } from './command.ts';
import { giveGrant, holderOf } from './decide-grant.ts';
import {
  audiences,
  durationOf,
  isBaseline,
  made,
  provenAsking,
  type RequestFacts,
  requestOf,
  zoneOf,
} from './decide-request.ts';
import { reviewersToTell, showReview } from './decide-review.ts';
import { event, eventRow, type Outcome, personActor, refused, tellSecurity, timer } from './decision.ts';
import { frozenBy, frozenRefusal, personFrozen } from './freeze.ts';
import type { AccessRequest, BreakGlass, Change, Instant, Notice, Person, Review } from './model.ts';
import { anyHolds, type SubjectAnswer, subjectName } from './policy.ts';
import { durationText } from './words.ts';

export interface BreakGlassFacts extends RequestFacts {
  /** The person against `policy.breakGlass.by`. */
  readonly breakGlassSubjects: readonly SubjectAnswer[];
  /** Approvers, whom nobody asked, and the owner: they hear of it. */
  readonly told: readonly Person[];
  readonly reviewers: readonly Person[];
  /** Reviews of this person's earlier uses that nobody has made yet. */
  readonly openReviews: readonly Review[];
  readonly reviewId: string;
}

export function decideBreakGlass(
  command: { readonly duration?: DurationWish; readonly reason: string },
  facts: BreakGlassFacts,
  now: Instant,
): Outcome {
  const { person, entitlement } = facts;
  const { breakGlass, reason: wanted, duration } = entitlement.policy;
  if (breakGlass === undefined) return refused({ code: 'no_break_glass', entitlement: entitlement.id });
  const no = mayNot(facts, breakGlass, command.reason, now);
  if (no !== undefined) return no;
  const frozen = frozenNow(facts, breakGlass);
  if (frozen !== undefined) return refused(frozen);
  const usual = Math.min(duration.defaultMs, breakGlass.maxMs);
  const asked = durationOf(command.duration, usual, zoneOf(facts), now);
  if (typeof asked !== 'number') return refused(asked);
  if (asked > breakGlass.maxMs)
    return refused({ code: 'duration_over_maximum', askedMs: asked, maxMs: breakGlass.maxMs });
  const length = [...command.reason].length;
  const minLength = Math.max(1, wanted.minLength);
  if (length === 0) return refused({ code: 'reason_missing', minLength });
  if (length < minLength) return refused({ code: 'reason_too_short', minLength, length });
  const live = facts.grants.find((grant) => grant.state === 'adding' || grant.state === 'active');
  if (live !== undefined) return refused({ code: 'already_granted', grantId: live.id });
  if (facts.standing.length > 0 && facts.standing.every(isBaseline))
    return refused({ code: 'already_member', groups: facts.groups.map((group) => group.groupName) });
  const unreviewed = facts.openReviews[0];
  if (breakGlass.block === true && unreviewed !== undefined)
    return refused({ code: 'review_open', grantId: unreviewed.grantId, dueAt: unreviewed.dueAt });

  const proven = provenAsking(facts, 'break_glass', undefined, now);
  if ('refusal' in proven) return proven;

  const wish = { durationMs: asked, reason: command.reason, known: true };
  const others = facts.told.filter(({ id }) => id !== person.id);
  const request: AccessRequest = {
    ...requestOf(facts, wish, undefined, audiences(facts, others), now),
    approvalsNeeded: 0,
    breakGlass: breakGlass.underFreeze === true ? 'under_freeze' : 'usual',
  };
  const review = reviewOf(facts, breakGlass, request, now);
  // Its own maximum bounds it, extensions and all, and not the policy's; so with the review.
  const policy = {
    ...entitlement.policy,
    duration: { ...duration, maxMs: breakGlass.maxMs },
    review: breakGlass.review,
  };
  return giveGrant(
    {
      request,
      unstored: true,
      entitlement: { ...entitlement, policy },
      durationMs: asked,
      memberships: facts.standing.map(({ record }) => record),
      ...holderOf(facts.circumstances),
      by: personActor(person),
      because: [
        ...proven.changes,
        ...made(facts, request, undefined, [], now),
        { put: 'review', row: review },
        event('break_glass.used', now, personActor(person), {
          requestId: request.id,
          grantId: review.grantId,
          detail: {
            entitlement: entitlement.id,
            durationMs: asked,
            reviewDueAt: review.dueAt,
            told: others.map(({ id }) => id),
          },
          personal: { reason: command.reason },
          ...(facts.correlation === undefined ? {} : { correlation: facts.correlation }),
        }),
        ...loud(facts, request, review, now),
        ...showReview(review, [], now),
        timer({ ring: 'review', grantId: review.grantId }, review.dueAt),
      ],
      detail: { breakGlass: true },
      ...(facts.correlation === undefined ? {} : { correlation: facts.correlation }),
    },
    now,
  );
}

function mayNot(facts: BreakGlassFacts, { by }: BreakGlass, reason: string, now: Instant): Outcome | undefined {
  const { entitlement, person } = facts;
  const verdict = anyHolds('eligible', by, facts.breakGlassSubjects);
  if (verdict.is === 'satisfied') return undefined;
  if (verdict.is === 'broken')
    return refused({ code: 'cannot_check', what: 'whether you may break the glass', error: verdict.finding.why });
  return refused(
    { code: 'not_eligible', entitlement: entitlement.id, wanted: by.map(subjectName) },
    eventRow('break_glass.refused', now, personActor(person), {
      detail: { entitlement: entitlement.id, code: 'not_eligible', policyHash: entitlement.policy.hash },
      personal: { reason },
      ...(facts.correlation === undefined ? {} : { correlation: facts.correlation }),
    }),
  );
}

/** A person who is frozen never; a resource that is only where the policy says so. */
function frozenNow(
  { freezes, person, entitlement }: BreakGlassFacts,
  { underFreeze }: BreakGlass,
): Refusal | undefined {
  const own = personFrozen(freezes, person.id);
  const other = frozenBy(freezes, { person: person.id, resource: entitlement.resource });
  const freeze = own ?? (underFreeze === true ? undefined : other);
  return freeze === undefined ? undefined : frozenRefusal(freeze);
}

function reviewOf(facts: BreakGlassFacts, breakGlass: BreakGlass, request: AccessRequest, now: Instant): Review {
  const { person, entitlement } = facts;
  return {
    id: facts.reviewId,
    version: 1,
    state: 'open',
    why: 'break_glass',
    grantId: `G-${request.id.slice(2)}`,
    requestId: request.id,
    holder: person.id,
    holderName: person.name,
    entitlement: entitlement.id,
    durationMs: request.durationMs,
    reason: request.reason,
    reviewers: breakGlass.review.by,
    tell: reviewersToTell(facts.reviewers, [person.id]),
    createdAt: now,
    dueAt: now + breakGlass.review.withinMs,
  };
}

function loud(facts: BreakGlassFacts, request: AccessRequest, review: Review, now: Instant): readonly Change[] {
  const notice: Notice = {
    code: 'break_glass_used',
    severity: 'critical',
    at: now,
    grantId: review.grantId,
    requestId: request.id,
    holderName: facts.person.name,
    entitlement: request.entitlement,
    says: [
      `Access for ${durationText(request.durationMs)} without anybody's approval. Reason: ${request.reason}`,
      `A review is due within ${durationText(review.dueAt - now)}, by ${review.reviewers.map(subjectName).join(', ')}.`,
    ],
  };
  return tellSecurity(`break_glass_used:${review.grantId}`, notice);
}
