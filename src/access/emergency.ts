/** The facts behind the commands of an emergency, and what follows from them. What is said is what was committed. */
import { type Catalog, nearest, resourceNamed } from './catalog.ts';
import type { Aim, Answer, By, Command, Refusal } from './command.ts';
import { decideFreeze, decideUnfreeze, type FreezeBy, type FreezeFacts, type InScope } from './decide-freeze.ts';
import type { Refused } from './decision.ts';
import { isPartOf, scopeId } from './freeze.ts';
import { askSubjects, type Sources } from './gather.ts';
import type { Change, Entitlement, Place, Scope, Subject } from './model.ts';
import { subjectName } from './policy.ts';
import type { Clock, GrantRecord, ListFilter, Store } from './ports.ts';

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

/** What an aim turned out to be. */
export interface Aimed {
  readonly scope: Scope;
  readonly name: string;
}

export function createEmergency(parts: EmergencyParts): Emergency {
  const { store, people, clock, catalog } = parts;

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
    by: Awaited<ReturnType<typeof identified>>,
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

  async function identified(by: By) {
    return 'operator' in by ? by : { person: await people.identify(by) };
  }

  /** Who or what is meant; a person is known by what was pinned also when nobody can be looked up or they have left. */
  async function aimedAt(aim: Aim): Promise<Aimed | Refusal> {
    if ('all' in aim) return { scope: { kind: 'all' }, name: 'everything' };
    if ('resource' in aim) {
      const resource = resourceNamed(catalog(), aim.resource);
      if (resource !== undefined) return { scope: { kind: 'resource', resource: resource.name }, name: resource.name };
      const names = Object.keys(catalog().resources);
      return { code: 'unknown_resource', asked: aim.resource, suggestions: nearest(aim.resource.toLowerCase(), names) };
    }
    if ('account' in aim) {
      const pinned = await store.personOf(aim.account);
      if (pinned !== undefined) return { scope: { kind: 'person', person: pinned }, name: await nameOf(pinned) };
      const person = await people.identify(aim.account);
      return { scope: { kind: 'person', person: person.id }, name: person.name };
    }
    return await byEmail(aim.email);
  }

  async function byEmail(email: string): Promise<Aimed | Refusal> {
    const wanted = email.toLowerCase();
    // Those who hold or wait for something first: that is what an emergency is about, and it needs no directory.
    const open = await openRequests(store, {});
    const fits = open.filter(({ request }) => request.users.some(({ login }) => login.toLowerCase() === wanted));
    const ids = [...new Set(fits.map(({ request }) => request.requester))];
    if (ids.length > 1) return { code: 'ambiguous_id', asked: email, ids };
    const [only] = fits;
    if (only !== undefined)
      return { scope: { kind: 'person', person: only.request.requester }, name: only.request.requesterName };
    const person = await people.named(email);
    return person === undefined
      ? { code: 'unknown_person', asked: email }
      : { scope: { kind: 'person', person: person.id }, name: person.name };
  }

  async function nameOf(person: string): Promise<string> {
    const [newest] = await store.list({ person, limit: 1 });
    if (newest !== undefined) return newest.request.requesterName;
    try {
      const user = await people.userIn(person.slice(0, person.indexOf('/')), person);
      return user.name || user.login;
    } catch {
      // Somebody is frozen by id; that their name cannot be looked up must not keep it from happening.
      return person;
    }
  }

  return { freeze, unfreeze };
}

function isRefusedFreeze<T extends object>(outcome: T | Refused): outcome is Refused {
  return 'refusal' in outcome;
}

export function isRefusedCarried(carried: Carried): carried is Refused {
  return 'refusal' in carried;
}

/** Far more than wait or are live at once anywhere. */
const OPEN_MAX = 5_000;

export async function openRequests(store: Store, of: Pick<ListFilter, 'person' | 'resource'>) {
  return [
    ...(await store.list({ ...of, states: ['pending'], limit: OPEN_MAX })),
    ...(await store.list({ ...of, states: ['approved'], grantStates: ['adding', 'active'], limit: OPEN_MAX })),
  ];
}

export function filterOf(scope: Scope): Pick<ListFilter, 'person' | 'resource'> {
  if (scope.kind === 'person') return { person: scope.person };
  return scope.kind === 'resource' ? { resource: scope.resource } : {};
}

/** Pending requests, and grants of which nothing was sent, at most so many of each. */
export async function waitingIn(store: Store, scope: Scope, limit: number): Promise<InScope> {
  const of = filterOf(scope);
  const [pending, adding] = await Promise.all([
    store.list({ ...of, states: ['pending'], limit: limit + 1 }),
    store.list({ ...of, states: ['approved'], grantStates: ['adding'], limit: limit + 1 }),
  ]);
  const unsent = adding.filter(({ grant }) => grant !== undefined && grant.startsAt === undefined).slice(0, limit);
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

/** Those who may act on a scope: on call only for resources they approve, and so never for a person or for everything. */
export function mayIn(catalog: Catalog, subjects: readonly Subject[], scope: Scope): readonly Subject[] {
  const covered = entitlementsIn(catalog, scope);
  const approved = (resource: string) =>
    new Set(
      covered
        .filter((entitlement) => entitlement.resource === resource)
        .flatMap(({ policy }) => policy.approvers.map(subjectName)),
    );
  const each = [...new Set(covered.map(({ resource }) => resource))].map(approved);
  return subjects.filter(
    (subject) =>
      subject.kind !== 'on-call' ||
      (scope.kind === 'resource' && each.length > 0 && each.every((names) => names.has(subjectName(subject)))),
  );
}

function entitlementsIn(catalog: Catalog, scope: Scope): readonly Entitlement[] {
  if (scope.kind !== 'resource') return [];
  return Object.values(catalog.resources)
    .filter(({ name }) => isPartOf(name, scope.resource))
    .flatMap(({ roles }) => Object.values(roles));
}

/** Where the people of the frozen resources look; the approvals channel for those without one of their own. */
export function placesOf(catalog: Catalog, scope: Scope): readonly Place[] {
  if (scope.kind === 'person') return [];
  const { approvalsChannel, teamsChannel } = catalog;
  const channels =
    scope.kind === 'all'
      ? [{ slack: approvalsChannel, teams: teamsChannel }]
      : entitlementsIn(catalog, scope).map((one) => ({
          slack: one.channel ?? approvalsChannel,
          teams: one.teamsChannel ?? teamsChannel,
        }));
  const places = channels.flatMap(({ slack, teams }): Place[] => [
    ...(slack === undefined ? [] : [{ platform: 'slack' as const, conversation: slack }]),
    ...(teams === undefined ? [] : [{ platform: 'teams' as const, conversation: teams }]),
  ]);
  return [...new Map(places.map((place) => [`${place.platform} ${place.conversation}`, place])).values()];
}
