/** The facts behind break-glass. */
import { findEntitlement } from './catalog.ts';
import type { Command } from './command.ts';
import { decideBreakGlass } from './decide-break-glass.ts';
import type { ProvingFact } from './decide-proof.ts';
import type { RequestFacts } from './decide-request.ts';
import { type Outcome, refused } from './decision.ts';
import type { EmergencyParts } from './emergency.ts';
import { askSubjects } from './gather.ts';
import type { Entitlement, Person } from './model.ts';
import type { Ids } from './ports.ts';
import { everybody } from './reviews.ts';

const OPEN_MAX = 20;

export interface BreakGlassParts extends EmergencyParts {
  readonly ids: Ids;
  readonly facts: (
    person: Person,
    entitlement: Entitlement,
    attempt: number,
    correlation: Correlation,
  ) => Promise<RequestFacts>;
}

/** What a proof takes, where the policy wants one. */
export type Prove = (person: Person, entitlement: Entitlement) => Promise<{ readonly proving?: ProvingFact }>;

interface Correlation {
  readonly correlation?: string;
}

export interface BreakGlasses {
  use(
    command: Command & { do: 'break-glass' },
    attempt: number,
    correlation: Correlation,
    proving: Prove,
  ): Promise<Outcome>;
}

export function createBreakGlasses(parts: BreakGlassParts): BreakGlasses {
  const { store, people, clock, catalog, ids } = parts;

  async function use(
    command: Command & { do: 'break-glass' },
    attempt: number,
    correlation: Correlation,
    proving: Prove,
  ): Promise<Outcome> {
    const person = await people.identify(command.by);
    const entitlement = findEntitlement(catalog(), command.resource, command.role);
    if ('code' in entitlement) return refused(entitlement);
    const { breakGlass } = entitlement.policy;
    const by = breakGlass?.by ?? [];
    const [facts, breakGlassSubjects, told, reviewers, openReviews, proof] = await Promise.all([
      parts.facts(person, entitlement, attempt, correlation),
      askSubjects(people, by, person),
      everybody(people, [
        ...entitlement.policy.approvers,
        ...(entitlement.ownerSubject === undefined ? [] : [entitlement.ownerSubject]),
      ]),
      everybody(people, breakGlass?.review.by ?? []),
      store.openReviews(OPEN_MAX, person.id),
      proving(person, entitlement),
    ]);
    return decideBreakGlass(
      command,
      { ...facts, ...proof, breakGlassSubjects, told, reviewers, openReviews, reviewId: ids.opaque() },
      clock.now(),
    );
  }

  return { use };
}
