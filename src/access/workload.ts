/**
 * Pipelines: a job asks as its service person, for the human who set it off. Both count as the requester, so that nobody
 * approves their own pipeline, and a run touches only what it asked for itself.
 */
import type { Command, Refusal } from './command.ts';
import { frozenBy } from './freeze.ts';
import type { AccessRequest, Freeze, Freezes, Instant, Person, PersonId, Workload } from './model.ts';

/** What a job is given for its token. The secret is nowhere else. */
export interface WorkloadSession {
  readonly secret: string;
  readonly id: string;
  readonly expiresAt: Instant;
  readonly person: string;
  readonly workload: Workload;
}

export interface Workloads {
  /** A token serves once, whichever process it is given to. Rejects only when we were wrong. */
  exchange(name: string, token: string): Promise<WorkloadSession | { readonly refusal: Refusal }>;
}

/** What a job may do; everything else is for people, whatever the session of the job was given. */
const FOR_WORKLOADS: ReadonlySet<Command['do']> = new Set([
  'request',
  'cancel',
  'extend',
  'return',
  'status',
  'list',
  'help',
]);

export function workloadMay(command: Command): boolean {
  return FOR_WORKLOADS.has(command.do);
}

type Asked = Pick<AccessRequest, 'requester' | 'workload'>;

/** Everybody who asked: whoever gets the access and, of a pipeline, the human behind it. */
export function requestersOf({ requester, workload }: Asked): readonly PersonId[] {
  const human = workload?.onBehalfOf?.person;
  return human === undefined ? [requester] : [requester, human];
}

export function askedFor(request: Asked, person: PersonId): boolean {
  return requestersOf(request).includes(person);
}

/** Of a request whoever would be making it now. */
export function askingAs(person: Person): Asked {
  return { requester: person.id, ...(person.workload === undefined ? {} : { workload: person.workload }) };
}

/** The person's own; of a job, only what its very run asked for. */
export function isOwn(request: Asked, { id, workload }: Person): boolean {
  if (request.requester !== id) return false;
  return workload === undefined || (request.workload?.name === workload.name && request.workload.run === workload.run);
}

/** The freeze that keeps any of those who asked from this resource. */
export function frozenAmong(freezes: Freezes, request: Asked & Pick<AccessRequest, 'resource'>): Freeze | undefined {
  for (const person of requestersOf(request)) {
    const freeze = frozenBy(freezes, { person, resource: request.resource });
    if (freeze !== undefined) return freeze;
  }
  return undefined;
}

/** `deploy, for Ana Sousa · run 1234` */
export function workloadText({ name, runName, onBehalfOf }: Workload): string {
  return `${name}${onBehalfOf === undefined ? '' : `, for ${onBehalfOf.name}`} · ${runName}`;
}
