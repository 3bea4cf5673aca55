/** The facts behind post-access reviews: whom they wait for, what they are about, and what is shown of them. */
import { type Catalog, entitlementById } from './catalog.ts';
import type { Command } from './command.ts';
import type { Rung } from './decide-close.ts';
import { channelsOf, decideReview, ringReview, ruleToOpen } from './decide-review.ts';
import type { Carried } from './emergency.ts';
import { askSubjects, type Sources } from './gather.ts';
import type { GrantId, Instant, Person, Review, Subject } from './model.ts';
import type { Clock, People } from './ports.ts';
import { type ReviewView, reviewView } from './review-view.ts';

export interface ReviewParts extends Pick<Sources, 'store' | 'people' | 'catalog'> {
  readonly clock: Pick<Clock, 'now'>;
  readonly requestIdOf: (typed: string) => string | undefined;
}

export interface Reviews {
  decide(command: Command & { do: 'review' }, correlation: { readonly correlation?: string }): Promise<Carried>;
  /** As it is now, in this zone or the configured one. */
  view(id: string, zone?: string): Promise<ReviewView | undefined>;
}

export function createReviews({ store, people, catalog, clock, requestIdOf }: ReviewParts): Reviews {
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
      answer: { say: 'review', review: reviewView({ review: decided.review, ...shownOf(record) }, clock.now(), zone) },
    };
  }

  async function reviewAt(target: (Command & { do: 'review' })['target']): Promise<Review | undefined> {
    if ('card' in target) return await store.review(target.card);
    const requestId = requestIdOf(target.typed);
    return requestId === undefined ? undefined : await store.reviewOf(requestId);
  }

  return {
    decide,
    async view(id, zone) {
      const review = await store.review(id);
      if (review === undefined) return undefined;
      const record = await store.request(review.requestId);
      return reviewView({ review, ...shownOf(record) }, clock.now(), zone ?? catalog().timezone);
    },
  };
}

function shownOf<R>(record: R | undefined): { readonly record?: R } {
  return record === undefined ? {} : { record };
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
