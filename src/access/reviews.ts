/** The facts behind post-access reviews: whom they wait for, what they are about, and what is shown of them. */
import type { ActivityStore } from './activity.ts';
import { type Catalog, entitlementById } from './catalog.ts';
import type { Command } from './command.ts';
import type { Rung } from './decide-close.ts';
import { channelsOf, decideReview, ringReview, ruleToOpen } from './decide-review.ts';
import type { Carried } from './emergency.ts';
import { askSubjects, type Sources } from './gather.ts';
import type { GrantId, Instant, Person, Review, Subject } from './model.ts';
import type { Clock, People, RequestRecord } from './ports.ts';
import { type ReviewedActivity, type ReviewView, reviewedActivity, reviewView } from './review-view.ts';

export interface ReviewParts extends Pick<Sources, 'store' | 'people' | 'catalog'> {
  readonly clock: Pick<Clock, 'now'>;
  readonly requestIdOf: (typed: string) => string | undefined;
  /** What was done; absent: no activity is read here. */
  readonly activity?: Pick<ActivityStore, 'activityOf' | 'findingsOf'>;
  /** Sources that do not answer now. */
  readonly activityFailing?: () => readonly string[];
}

export interface Reviews {
  decide(command: Command & { do: 'review' }, correlation: { readonly correlation?: string }): Promise<Carried>;
  /** As it is now, in this zone or the configured one. */
  view(id: string, zone?: string): Promise<ReviewView | undefined>;
}

export function createReviews(parts: ReviewParts): Reviews {
  const { store, people, catalog, clock, requestIdOf } = parts;

  async function decide(
    command: Command & { do: 'review' },
    correlation: { readonly correlation?: string },
  ): Promise<Carried> {
    const person = await people.identify(command.by);
    const found = await reviewAt(command.target);
    if (found === undefined)
      return {
        refusal:
          'card' in command.target ? { code: 'expired_button' } : { code: 'unknown_id', asked: command.target.typed },
      };
    const current = { ...found, reviewers: reviewersNow(catalog(), found) };
    const [subjects, record] = await Promise.all([
      askSubjects(people, current.reviewers, person),
      store.request(found.requestId),
    ]);
    const below = record === undefined ? [] : channelsOf(record.request);
    const decided = decideReview(
      command,
      {
        person,
        review: current,
        subjects,
        below,
        ...(record === undefined ? {} : { request: record.request }),
        ...correlation,
      },
      clock.now(),
    );
    if ('refusal' in decided) return decided;
    const zone = person.zone ?? catalog().timezone;
    return {
      changes: decided.changes,
      answer: { say: 'review', review: await shown(decided.review, record, zone) },
    };
  }

  async function reviewAt(target: (Command & { do: 'review' })['target']): Promise<Review | undefined> {
    if ('card' in target) return await store.review(target.card);
    const requestId = requestIdOf(target.typed);
    return requestId === undefined ? undefined : await store.reviewOf(requestId);
  }

  async function shown(review: Review, record: RequestRecord | undefined, zone: string): Promise<ReviewView> {
    const activity = await doneUnder(review);
    const material = {
      review,
      ...(record === undefined ? {} : { record }),
      ...(activity === undefined ? {} : { activity }),
    };
    return reviewView(material, clock.now(), zone);
  }

  /** Absent where the file says of no activity that it is done with this access. */
  async function doneUnder({ entitlement, grantId }: Review): Promise<ReviewedActivity | undefined> {
    const { activity, activityFailing } = parts;
    if (activity === undefined || entitlementById(catalog(), entitlement)?.activity === undefined) return undefined;
    const [use, findings] = await Promise.all([activity.activityOf(grantId), activity.findingsOf(grantId)]);
    return reviewedActivity(use, findings, activityFailing?.() ?? []);
  }

  return {
    decide,
    async view(id, zone) {
      const review = await store.review(id);
      if (review === undefined) return undefined;
      return await shown(review, await store.request(review.requestId), zone ?? catalog().timezone);
    },
  };
}

/** Asked afresh; those it named then, where the file no longer has the policy, or it wants no review any more. */
function reviewersNow(catalog: Catalog, review: Review): readonly Subject[] {
  const policy = entitlementById(catalog, review.entitlement)?.policy;
  const rule = review.why === 'break_glass' ? policy?.breakGlass?.review : policy?.review;
  return rule?.by ?? review.reviewers;
}

/** Whoever cannot be looked up is not told in person; the channels are told all the same. */
export async function everybody(people: People, subjects: readonly Subject[]): Promise<readonly Person[]> {
  const found = await Promise.allSettled(subjects.map((subject) => people.membersOf(subject)));
  const all = found.flatMap((result) => (result.status === 'fulfilled' ? result.value : []));
  return [...new Map(all.map((person) => [person.id, person])).values()];
}

/** What its timer leads to. Throws only when the record cannot be read. */
export async function lookAtReview(
  { store, people }: Pick<Sources, 'store' | 'people'>,
  grantId: GrantId,
  now: Instant,
): Promise<Rung> {
  const record = await store.grant(grantId);
  const review = record === undefined ? undefined : await store.reviewOf(record.request.id);
  const rule = ruleToOpen(record, review);
  const reviewers = rule === undefined ? [] : await everybody(people, rule.by);
  return ringReview(record, { ...(review === undefined ? {} : { review }), reviewers }, now);
}
