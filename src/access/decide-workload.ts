/** A pipeline's job becomes a session: its service person's, for the human who set it off, and never longer than a job. */
import type { Refusal } from './command.ts';
import { beginSession } from './decide-session.ts';
import { personActor } from './decision.ts';
import type { Change, Instant, Person, Session, Workload } from './model.ts';

/** As long as a hosted job may run; whoever needs more asks again with another token. */
export const WORKLOAD_SESSION_MS = 6 * 3_600_000;

export const WORKLOAD_SCOPES = ['requests:read', 'requests:write', 'grants:write'] as const;

export interface WorkloadFacts {
  /** The service person. */
  readonly person: Person;
  readonly workload: Omit<Workload, 'onBehalfOf'>;
  /** The policy of the workload wants to know who set it off. */
  readonly needsHuman: boolean;
  /** Whoever set it off, where the file knows the account. */
  readonly human?: Person;
  /** The run is done again, and nothing says by whom. */
  readonly again: boolean;
  readonly sessionId: string;
  readonly secretHash: string;
}

export function decideWorkload(
  facts: WorkloadFacts,
  now: Instant,
): { readonly session: Session; readonly changes: readonly Change[] } | { readonly refusal: Refusal } {
  const { person, needsHuman, human } = facts;
  if (needsHuman && human === undefined)
    return refused('unmapped_actor', 'Nothing says who the account is that set this job off.');
  // The token names whoever began the first attempt: whoever set off this one could approve it.
  if (needsHuman && facts.again) return refused('run_again', 'A run that is done again does not say by whom.');
  const workload: Workload = {
    ...facts.workload,
    ...(needsHuman && human !== undefined
      ? { onBehalfOf: { person: human.id, name: human.name, email: human.email } }
      : {}),
  };
  const session: Session = {
    id: facts.sessionId,
    version: 1,
    kind: 'workload',
    secretHash: facts.secretHash,
    person: person.id,
    personName: person.name,
    label: `${workload.name}, ${workload.runName}`,
    scopes: WORKLOAD_SCOPES,
    workload,
    createdAt: now,
    createdBy: `workload ${workload.name}`,
    expiresAt: now + WORKLOAD_SESSION_MS,
  };
  const actor = personActor({ ...person, via: { kind: 'workload', session: session.id } });
  return { session, changes: beginSession(session, actor, now) };
}

type Fault = Extract<Refusal, { code: 'workload_refused' }>['fault'];

function refused(fault: Fault, why: string): { readonly refusal: Refusal } {
  return { refusal: { code: 'workload_refused', fault, why } };
}
