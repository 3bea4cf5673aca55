/** The facts behind break-glass and the review of it. */
import type { Catalog } from './catalog.ts';
import { entitlementById, findEntitlement } from './catalog.ts';
import type { Command } from './command.ts';
import { decideBreakGlass, decideReview } from './decide-break-glass.ts';
import type { RequestFacts } from './decide-request.ts';
import { type Outcome, refused } from './decision.ts';
import type { Carried, EmergencyParts } from './emergency.ts';
import { askSubjects } from './gather.ts';
import type { Entitlement, Person, Review, Subject } from './model.ts';
import type { Ids } from './ports.ts';
import { type ReviewView, reviewView } from './review-view.ts';

const OPEN_MAX = 20;

export interface BreakGlassParts extends EmergencyParts {
  readonly ids: Ids;
  readonly facts: (
    person: Person,
    entitlement: Entitlement,
    attempt: number,
    correlation: Correlation,
  ) => Promise<RequestFacts>;
  readonly requestIdOf: (typed: string) => string | undefined;
}

interface Correlation {
  readonly correlation?: string;
}

export interface BreakGlasses {
  use(command: Command & { do: 'break-glass' }, attempt: number, correlation: Correlation): Promise<Outcome>;
  review(command: Command & { do: 'review' }, correlation: Correlation): Promise<Carried>;
  view(id: string): Promise<ReviewView | undefined>;
}

export function createBreakGlasses(parts: BreakGlassParts): BreakGlasses {
  const { store, people, clock, catalog, ids } = parts;

  async function use(
    command: Command & { do: 'break-glass' },
    attempt: number,
    correlation: Correlation,
  ): Promise<Outcome> {
    const person = await people.identify(command.by);
    const entitlement = findEntitlement(catalog(), command.resource, command.role);
    if ('code' in entitlement) return refused(entitlement);
    const { breakGlass } = entitlement.policy;
    const by = breakGlass?.by ?? [];
    const [facts, breakGlassSubjects, told, reviewers, openReviews] = await Promise.all([
      parts.facts(person, entitlement, attempt, correlation),
      askSubjects(people, by, person),
      everybody([
        ...entitlement.policy.approvers,
        ...(entitlement.ownerSubject === undefined ? [] : [entitlement.ownerSubject]),
      ]),
      everybody(breakGlass?.review.by ?? []),
      store.openReviews(OPEN_MAX, person.id),
    ]);
    return decideBreakGlass(
      command,
      { ...facts, breakGlassSubjects, told, reviewers, openReviews, reviewId: ids.opaque() },
      clock.now(),
    );
  }

  /** Whoever cannot be looked up is not told in person; the channels are told all the same. */
  async function everybody(subjects: readonly Subject[]): Promise<readonly Person[]> {
    const found = await Promise.allSettled(subjects.map((subject) => people.membersOf(subject)));
    const all = found.flatMap((result) => (result.status === 'fulfilled' ? result.value : []));
    return [...new Map(all.map((person) => [person.id, person])).values()];
  }

  async function review(command: Command & { do: 'review' }, correlation: Correlation): Promise<Carried> {
    const person = await people.identify(command.by);
    const found = await reviewAt(command.target);
    if (found === undefined)
      return {
        refusal:
          'card' in command.target ? { code: 'expired_button' } : { code: 'unknown_id', asked: command.target.typed },
      };
    const current = { ...found, reviewers: reviewersNow(catalog(), found) };
    const subjects = await askSubjects(people, current.reviewers, person);
    const decided = decideReview(command, { person, review: current, subjects, ...correlation }, clock.now());
    if ('refusal' in decided) return decided;
    const zone = person.zone ?? catalog().timezone;
    return {
      changes: decided.changes,
      answer: { say: 'review', review: reviewView(decided.review, clock.now(), zone) },
    };
  }

  async function reviewAt(target: (Command & { do: 'review' })['target']): Promise<Review | undefined> {
    if ('card' in target) return await store.review(target.card);
    const requestId = parts.requestIdOf(target.typed);
    return requestId === undefined ? undefined : await store.reviewOf(requestId);
  }

  return {
    use,
    review,
    async view(id) {
      const found = await store.review(id);
      return found && reviewView(found, clock.now(), catalog().timezone);
    },
  };
}

/** Asked afresh; those it named then, where the file no longer has the policy. */
function reviewersNow(catalog: Catalog, review: Review): readonly Subject[] {
  return entitlementById(catalog, review.entitlement)?.policy.breakGlass?.review.by ?? review.reviewers;
}
