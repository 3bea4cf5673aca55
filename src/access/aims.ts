/** Whom or what an emergency command means, who may, and where else it is told. */
import { type Catalog, nearest, resourceNamed } from './catalog.ts';
import type { Aim, By, Refusal } from './command.ts';
import { isPartOf } from './freeze.ts';
import type { Sources } from './gather.ts';
import type { Entitlement, Person, Place, Scope, Subject } from './model.ts';
import { subjectName } from './policy.ts';
import type { ListFilter, Store } from './ports.ts';

/** What an aim turned out to be. */
export interface Aimed {
  readonly scope: Scope;
  readonly name: string;
}

export interface Aims {
  identified(by: By): Promise<{ readonly operator: string } | { readonly person: Person }>;
  /** Who or what is meant; a person is known by what was pinned also when nobody can be looked up or they have left. */
  aimedAt(aim: Aim): Promise<Aimed | Refusal>;
}

export function createAims({ store, people, catalog }: Pick<Sources, 'store' | 'people' | 'catalog'>): Aims {
  async function identified(by: By) {
    return 'operator' in by ? by : { person: await people.identify(by) };
  }

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

  return { identified, aimedAt };
}

/** Far more than wait or are live at once anywhere. */
export const OPEN_MAX = 5_000;

export async function openRequests(store: Store, of: Pick<ListFilter, 'person' | 'resource'>) {
  return [
    ...(await store.list({ ...of, states: ['pending'], limit: OPEN_MAX })),
    ...(await store.list({ ...of, states: ['approved'], grantStates: ['adding', 'active'], limit: OPEN_MAX })),
  ];
}

export function filterOf(scope: Scope): Pick<ListFilter, 'concerning' | 'resource'> {
  if (scope.kind === 'person') return { concerning: scope.person };
  return scope.kind === 'resource' ? { resource: scope.resource } : {};
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
