/** One request with all that is known of it, as far as one person may see it, and what they may do with it. */
import type { ActivityStore, Use } from './activity.ts';
import type { Refusal } from './command.ts';
import { type FindingView, findingView } from './finding-view.ts';
import { askSubjects, type Sources } from './gather.ts';
import type { Handler } from './handle.ts';
import type { Caller, Person, RequestId, Review } from './model.ts';
import { mayRevoke } from './overview.ts';
import { anyHolds } from './policy.ts';
import type { Clock, MessageRow, TrailStore } from './ports.ts';
import type { ReviewView } from './review-view.ts';
import { type Rights, rightsOf } from './rights.ts';
import { type StoryLine, storyOf, withoutFindings } from './story.ts';
import type { RequestView } from './view.ts';
import { askedFor } from './workload.ts';

export interface RequestPage {
  readonly person: Person;
  readonly rights: Rights;
  readonly request: RequestView;
  /** What else holds there, such as a freeze. */
  readonly notes: readonly string[];
  /** Oldest first. */
  readonly story: readonly StoryLine[];
  /** Those that were posted, or were to be. */
  readonly messages: readonly MessageRow[];
  readonly mine: boolean;
  readonly mayAnswer: boolean;
  readonly mayRevoke: boolean;
  readonly review?: ReviewView;
  readonly mayReview: boolean;
  /** For those who may read the trail, and never about themselves: whoever is looked into is asked, not shown. */
  readonly findings: readonly FindingView[];
  /** The same; absent where nothing was seen. */
  readonly use?: Use;
}

export interface RequestPageParts extends Sources {
  readonly clock: Clock;
  readonly handler: Pick<Handler, 'handle' | 'review'>;
  readonly trail: Pick<TrailStore, 'messagesOf'>;
  readonly activities: Pick<ActivityStore, 'findingsOf' | 'activityOf'>;
}

export function createRequestPages(
  parts: RequestPageParts,
): (by: Caller, id: RequestId) => Promise<RequestPage | Refusal> {
  const { store, people, handler, trail, activities } = parts;

  async function mayReview(person: Person, review: Review | undefined): Promise<boolean> {
    if (review === undefined || review.state !== 'open' || review.holder === person.id) return false;
    return (
      anyHolds('eligible', review.reviewers, await askSubjects(people, review.reviewers, person)).is === 'satisfied'
    );
  }

  return async (by, id) => {
    // Who may see it is what `status` says, whoever asks from where.
    const status = await handler.handle({ do: 'status', by, target: { typed: id } });
    if (status.say === 'refused') return status.refusal;
    if (status.say !== 'status') throw new Error(`the answer to status is ${status.say}`);
    const { request } = status;
    const person = await people.identify(by);
    const rights = await rightsOf(parts, person);
    const record = await store.request(request.id);
    if (record === undefined) return { code: 'unknown_id', asked: id };
    const grantId = record.grant?.id;
    const look = rights.audits && grantId !== undefined ? grantId : undefined;
    const [events, messages, review, shown, ending, findings, use] = await Promise.all([
      store.story(request.id),
      trail.messagesOf(request.id),
      store.reviewOf(request.id),
      request.can.answer ? handler.handle({ do: 'show', by, target: { typed: request.id } }) : undefined,
      mayRevoke(parts, person, record),
      look === undefined || askedFor(record.request, person.id) ? [] : activities.findingsOf(look),
      look === undefined ? undefined : activities.activityOf(look),
    ]);
    const drawn = review === undefined ? undefined : await handler.review(review.id);
    return {
      person,
      rights,
      request,
      notes: status.notes ?? [],
      story: storyOf(rights.audits ? events : withoutFindings(events), record.request.groups, request.zone),
      messages,
      mine: record.request.requester === person.id,
      mayAnswer: shown?.say === 'card',
      mayRevoke: ending,
      ...(drawn === undefined ? {} : { review: drawn }),
      mayReview: await mayReview(person, review),
      findings: findings.map((one) => findingView(one, record.grant, 'security', parts.clock.now(), request.zone)),
      ...(use === undefined ? {} : { use }),
    };
  };
}
