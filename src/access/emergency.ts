/** The facts behind the commands of an emergency, and what follows from them. What is said is what was committed. */
import { type Aimed, createAims, filterOf, mayIn, placesOf } from './aims.ts';
import type { Answer, Command } from './command.ts';
import { decideFreeze, decideUnfreeze, type FreezeBy, type FreezeFacts, type InScope } from './decide-freeze.ts';
import type { Refused } from './decision.ts';
import { scopeId } from './freeze.ts';
import { askSubjects, type Sources } from './gather.ts';
import type { AccessRequest, Change, Person, Scope, Subject } from './model.ts';
import type { Clock, GrantRecord, Store } from './ports.ts';

/** Requests and grants closed in one commit at most; the rest follow by a timer. */
export const CLOSED_AT_ONCE = 200;

export interface EmergencyParts extends Sources {
  readonly clock: Clock;
}

/** Something to commit, and what is said once it is; or why not. */
export type Carried = { readonly changes: readonly Change[]; readonly answer: Answer } | Refused;

export interface Emergency {
  freeze(command: Command & { do: 'freeze' }, correlation: Correlation): Promise<Carried>;
  unfreeze(command: Command & { do: 'unfreeze' }, correlation: Correlation): Promise<Carried>;
}

interface Correlation {
  readonly correlation?: string;
}

export function createEmergency(parts: EmergencyParts): Emergency {
  const { store, people, clock, catalog } = parts;
  const { identified, aimedAt } = createAims(parts);

  async function freeze(command: Command & { do: 'freeze' }, correlation: Correlation): Promise<Carried> {
    const by = await identified(command.by);
    const aimed = await aimedAt(command.aim);
    if ('code' in aimed) return { refusal: aimed };
    const facts = await factsFor(by, aimed, catalog().responders);
    const inScope = await waitingIn(store, aimed.scope, CLOSED_AT_ONCE);
    const decided = decideFreeze(command, { ...facts, inScope, ...correlation }, clock.now());
    if (isRefusedFreeze(decided)) return decided;
    const { changes, closed, ended } = decided;
    return { changes, answer: { say: 'freeze', what: 'frozen', freeze: decided.freeze, closed, ended } };
  }

  async function unfreeze(command: Command & { do: 'unfreeze' }, correlation: Correlation): Promise<Carried> {
    const by = await identified(command.by);
    const aimed = await aimedAt(command.aim);
    if ('code' in aimed) return { refusal: aimed };
    const { responders, admins } = catalog();
    const facts = await factsFor(by, aimed, [...responders, ...admins]);
    const decided = decideUnfreeze({ ...facts, ...correlation }, clock.now());
    if (isRefusedFreeze(decided)) return decided;
    const { changes, closed, ended } = decided;
    return { changes, answer: { say: 'freeze', what: 'unfrozen', freeze: decided.freeze, closed, ended } };
  }

  async function factsFor(
    by: { readonly operator: string } | { readonly person: Person },
    { scope, name }: Aimed,
    subjects: readonly Subject[],
  ): Promise<Omit<FreezeFacts, 'inScope'>> {
    const may = mayIn(catalog(), subjects, scope);
    const who: FreezeBy =
      'operator' in by ? by : { person: by.person, subjects: await askSubjects(people, may, by.person) };
    const [known, freezes] = await Promise.all([store.freeze(scopeId(scope)), store.freezes()]);
    return {
      by: who,
      may,
      scope,
      name,
      ...(known === undefined ? {} : { known }),
      freezes,
      tell: placesOf(catalog(), scope),
    };
  }

  return { freeze, unfreeze };
}

function isRefusedFreeze<T extends object>(outcome: T | Refused): outcome is Refused {
  return 'refusal' in outcome;
}

export function isRefusedCarried(carried: Carried): carried is Refused {
  return 'refusal' in carried;
}

/** Pending requests, and grants of which nothing was sent, at most so many of each. */
export async function waitingIn(store: Store, scope: Scope, limit: number): Promise<InScope> {
  const of = filterOf(scope);
  const [pending, adding] = await Promise.all([
    store.list({ ...of, states: ['pending'], limit: limit + 1 }),
    store.list({ ...of, states: ['approved'], grantStates: ['adding'], limit: limit + 1 }),
  ]);
  // What was taken in spite of freezes is not stopped by one, unless it is the person who is frozen.
  const spared = (request: AccessRequest) => request.breakGlass === 'under_freeze' && scope.kind !== 'person';
  const unsent = adding
    .filter(({ request, grant }) => grant !== undefined && grant.startsAt === undefined && !spared(request))
    .slice(0, limit);
  const records = await Promise.all(unsent.map(({ grant }) => store.grant(grant?.id ?? '')));
  return {
    pending: pending.slice(0, limit).map(({ request }) => request),
    adding: records.filter((record): record is GrantRecord => isUnsent(record)),
    more: pending.length > limit || adding.length > limit,
  };
}

function isUnsent(record: GrantRecord | undefined): boolean {
  return record?.grant.state === 'adding' && record.grant.startsAt === undefined;
}
