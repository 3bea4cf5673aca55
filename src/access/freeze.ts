/** What a freeze covers, and what is said of it. Whatever may open access asks here, and rests on the answer. */
import type { Command, FrozenWhy, Refusal } from './command.ts';
import type { Change, Freeze, Freezes, Instant, PersonId, Scope } from './model.ts';
import { frozenText } from './words.ts';

export const NO_FREEZES: Freezes = { version: 0, live: [] };

/** What a freeze is asked about: who would get what. */
export interface Frozen {
  readonly person: PersonId;
  readonly resource: string;
}

export function scopeId(scope: Scope): string {
  switch (scope.kind) {
    case 'all':
      return 'all';
    case 'resource':
      return `resource:${scope.resource}`;
    case 'person':
      return `person:${scope.person}`;
  }
}

export function covers(scope: Scope, { person, resource }: Frozen): boolean {
  switch (scope.kind) {
    case 'all':
      return true;
    case 'resource':
      return isPartOf(resource, scope.resource);
    case 'person':
      return person === scope.person;
  }
}

/** The resource itself, or a part of it: in an incident a system is meant with everything in it. */
export function isPartOf(resource: string, whole: string): boolean {
  return resource === whole || resource.startsWith(`${whole}/`);
}

/** The widest freeze that keeps this person from this resource; absent when nothing does. */
export function frozenBy(freezes: Freezes, what: Frozen): Freeze | undefined {
  const order = { all: 0, resource: 1, person: 2 } as const;
  return freezes.live
    .filter(({ scope, except }) => covers(scope, what) && except?.includes(what.person) !== true)
    .sort((a, b) => order[a.scope.kind] - order[b.scope.kind])[0];
}

/** A person who is frozen neither approves nor lifts: an account that was taken over would begin with that. */
export function personFrozen(freezes: Freezes, person: PersonId): Freeze | undefined {
  return freezes.live.find(({ scope }) => scope.kind === 'person' && scope.person === person);
}

/** What says that all was as it should be; as little to be said by a person who is frozen as an approval. */
export function vouches(command: Command): boolean {
  switch (command.do) {
    case 'review':
      return command.verdict === 'sign_off';
    case 'dismiss-finding':
    case 'sign-digest':
      return true;
    default:
      return false;
  }
}

export function frozenRefusal(freeze: Freeze): Refusal {
  return { code: 'frozen', ...frozenWhy(freeze) };
}

/** What is decided is stale when anything was frozen or lifted meanwhile. */
export function restsOn(freezes: Freezes): Change {
  return { put: 'freeze_head', row: { version: freezes.version }, was: freezes.version };
}

export function frozenWhy({ name, by, reason, at }: Freeze): FrozenWhy {
  return { what: name, by, reason, at };
}

/** Those that somebody may hear of: who else is frozen is not everybody's business. */
export function visibleTo(freezes: Freezes, person: PersonId, seesAll: boolean): readonly Freeze[] {
  // One under which a revocation looks through its scope is over before anybody has read of it.
  const lasting = freezes.live.filter(({ sweeping }) => sweeping === undefined);
  return lasting.filter(({ scope }) => seesAll || scope.kind !== 'person' || scope.person === person);
}

/** A line for each freeze, worst first, and no more than are read. */
export function freezeLines(live: readonly Freeze[], now: Instant, zone: string): readonly string[] {
  const order = { all: 0, resource: 1, person: 2 } as const;
  const sorted = live.toSorted((a, b) => order[a.scope.kind] - order[b.scope.kind] || a.at - b.at);
  const more = sorted.length - SHOWN;
  return [
    ...sorted.slice(0, SHOWN).map((freeze) => frozenText(frozenWhy(freeze), zone, now)),
    ...(more > 0 ? [`${more} more are frozen.`] : []),
  ];
}

const SHOWN = 8;
