/** What one person finds on their own page: what they hold, what waits for them, what they may ask for, what they asked. */
import { type Catalog, entitlementById } from './catalog.ts';
import type { Refusal } from './command.ts';
import { freezeLines, visibleTo } from './freeze.ts';
import { askSubjects, messageOf } from './gather.ts';
import type { Caller, Entitlement, Instant, Person, RequestId, Subject } from './model.ts';
import { anyHolds, subjectName } from './policy.ts';
import { type Clock, type Directory, DirectoryError, type People, type RequestRecord, type Store } from './ports.ts';
import type { Choice } from './preview.ts';
import { answerersOf } from './stages.ts';
import type { RequestView } from './view.ts';
import { askedFor } from './workload.ts';

export interface HomeView {
  readonly zone: string;
  /** When it was looked up; what is shown holds for that moment. */
  readonly at: Instant;
  /** There is nobody to act for: nothing else is shown. */
  readonly refusal?: Refusal;
  /** A line for each freeze that concerns this person. */
  readonly frozen?: readonly string[];
  /** Live grants, newest first. */
  readonly held: Shelf<RequestView>;
  /** Other people's requests that this person may answer and has not. */
  readonly waiting: Shelf<RequestView>;
  readonly choices: Shelf<Choice & { readonly role: string }>;
  /** This person's own requests, newest first. */
  readonly recent: Shelf<RequestView>;
  /** For admins and responders. */
  readonly operations?: Operations;
}

export interface Shelf<T> {
  readonly items: readonly T[];
  /** There are more than are shown. */
  readonly more: boolean;
}

export interface Operations {
  readonly directories: readonly {
    readonly name: string;
    /** `unknown`: nothing of it is managed, so there was nothing to ask for. */
    readonly state: 'answers' | 'fails' | 'unknown';
    readonly error?: string;
    /** Removals in it that have failed at least once and are tried again. */
    readonly failing: number;
  }[];
  readonly removals: Shelf<{
    readonly directory: string;
    readonly group: string;
    readonly login: string;
    readonly failures: number;
    readonly error?: string;
  }>;
}

const SHOWN = { held: 8, waiting: 8, choices: 10, recent: 5, removals: 8 } as const;
/** Of everything that waits, how much is looked through for what this person may answer. */
const PENDING_MAX = 200;
/** Each may cost a look-up; a file with more policies than these shows what the first of them allow. */
const POLICIES_MAX = 30;
const REMOVALS_MAX = 100;
/** A directory is asked whether it answers at most this often, however many admins look. */
const PROBE_MS = 30_000;

export interface HomeParts {
  readonly people: People;
  readonly store: Store;
  readonly clock: Clock;
  readonly directories: ReadonlyMap<string, Directory>;
  readonly catalog: () => Catalog;
  readonly view: (id: RequestId, zone?: string) => Promise<RequestView | undefined>;
  readonly refusalOf: (error: unknown) => Refusal | undefined;
}

type Probe = Pick<Operations['directories'][number], 'state' | 'error'>;

export function createHomes({ people, store, clock, directories, catalog, view, refusalOf }: HomeParts) {
  const probes = new Map<string, { readonly at: number; readonly answer: Promise<Probe> }>();

  async function home(by: Caller): Promise<HomeView> {
    const nothing = { items: [], more: false };
    let person: Person;
    try {
      person = await people.identify(by);
    } catch (error) {
      const refusal = refusalOf(error);
      if (refusal === undefined) throw error;
      const empty = { held: nothing, waiting: nothing, choices: nothing, recent: nothing };
      return { zone: catalog().timezone, at: clock.now(), refusal, ...empty };
    }
    const zone = person.zone ?? catalog().timezone;
    const [held, waiting, choices, recent, operations, freezes] = await Promise.all([
      store.list({ person: person.id, liveGrants: true, limit: SHOWN.held + 1 }),
      waitingFor(person, SHOWN.waiting),
      mayRequest(person),
      store.list({ person: person.id, limit: SHOWN.recent + 1 }),
      operationsFor(person),
      store.freezes(),
    ]);
    const frozen = freezeLines(visibleTo(freezes, person.id, operations !== undefined), clock.now(), zone);
    return {
      zone,
      at: clock.now(),
      ...(frozen.length === 0 ? {} : { frozen }),
      held: stillHeld(await shown(held, SHOWN.held, zone)),
      waiting: await shown(waiting, SHOWN.waiting, zone),
      choices,
      recent: await shown(recent, SHOWN.recent, zone),
      ...(operations === undefined ? {} : { operations }),
    };
  }

  async function shown(records: readonly RequestRecord[], most: number, zone: string): Promise<Shelf<RequestView>> {
    const views = await Promise.all(records.slice(0, most).map(({ request }) => view(request.id, zone)));
    return { items: views.filter((one) => one !== undefined), more: records.length > most };
  }

  /** Other people's requests that this person may answer and has not; one more than `most`, when there is one. */
  async function waitingFor(person: Person, most: number): Promise<readonly RequestRecord[]> {
    const known = new Map<string, Promise<boolean>>();
    // Asked once for each set of people who may answer: many requests wait for the same ones.
    const may = (subjects: readonly Subject[]): Promise<boolean> => {
      const key = JSON.stringify(subjects.map(subjectName));
      const answer = known.get(key) ?? holdsOne(person, subjects);
      known.set(key, answer);
      return answer;
    };
    const found: RequestRecord[] = [];
    for (const record of await store.list({ states: ['pending'], limit: PENDING_MAX })) {
      const { request, approvals } = record;
      const answered = approvals.some((one) => one.approver === person.id && one.digest === request.digest);
      const entitlement = entitlementById(catalog(), request.entitlement);
      if (askedFor(request, person.id) || answered || entitlement === undefined) continue;
      if (await may(answerersOf(entitlement.policy, record))) found.push(record);
      if (found.length > most) break;
    }
    return found;
  }

  async function mayRequest(person: Person): Promise<HomeView['choices']> {
    const may = onceEach((entitlement) => holdsOne(person, entitlement.policy.requesters), POLICIES_MAX);
    const items: (Choice & { readonly role: string })[] = [];
    for (const resource of Object.values(catalog().resources)) {
      const usual = resource.roles[resource.defaultRole];
      const roles = Object.values(resource.roles).filter((entitlement) => entitlement !== usual);
      for (const entitlement of usual === undefined ? roles : [usual, ...roles]) {
        if (!(await may(entitlement))) continue;
        if (items.length === SHOWN.choices) return { items, more: true };
        items.push({ resource: resource.name, title: resource.title, role: entitlement.role });
        break;
      }
    }
    return { items, more: false };
  }

  /** Asked once for each policy: there are far fewer of them than of resources. */
  function onceEach(ask: (entitlement: Entitlement) => Promise<boolean>, most = Number.POSITIVE_INFINITY) {
    const known = new Map<string, Promise<boolean>>();
    return (entitlement: Entitlement): Promise<boolean> => {
      const { hash } = entitlement.policy;
      const answer = known.get(hash) ?? (known.size < most ? ask(entitlement) : Promise.resolve(false));
      known.set(hash, answer);
      return answer;
    };
  }

  /** What could not be looked up is not offered; asking for it says why. */
  async function holdsOne(person: Person, subjects: readonly Subject[]): Promise<boolean> {
    return anyHolds('eligible', subjects, await askSubjects(people, subjects, person)).is === 'satisfied';
  }

  /** For admins and responders; absent for everybody else. */
  async function operationsFor(person: Person): Promise<Operations | undefined> {
    const { admins, responders } = catalog();
    if (!(await holdsOne(person, [...responders, ...admins]))) return undefined;
    const owed = await store.outstandingRemovals(clock.now(), REMOVALS_MAX);
    const removals = owed.map(({ key, membership }) => ({
      directory: key.directory,
      group: membership?.groupName ?? key.groupId,
      login: membership?.login ?? key.userId,
      failures: membership?.failures ?? 0,
      ...(membership?.lastError === undefined ? {} : { error: membership.lastError }),
    }));
    // The worst first: those are what a person has to look at.
    const worst = removals.toSorted((a, b) => b.failures - a.failures);
    return {
      directories: await Promise.all(
        [...directories.values()].map(async (directory) => ({
          name: directory.name,
          ...(await probe(directory)),
          failing: removals.filter((one) => one.directory === directory.name && one.failures > 0).length,
        })),
      ),
      removals: { items: worst.slice(0, SHOWN.removals), more: removals.length > SHOWN.removals },
    };
  }

  function probe(directory: Directory): Promise<Probe> {
    const known = probes.get(directory.name);
    if (known !== undefined && clock.monotonic() - known.at < PROBE_MS) return known.answer;
    const answer = answers(directory);
    probes.set(directory.name, { at: clock.monotonic(), answer });
    return answer;
  }

  async function answers(directory: Directory): Promise<Probe> {
    const group = anyGroupOf(directory.name);
    if (group === undefined) return { state: 'unknown' };
    try {
      await directory.findGroup(group);
      return { state: 'answers' };
    } catch (error) {
      // It was there and said no to this one question; that is not a directory that is away.
      if (error instanceof DirectoryError && (error.code === 'rejected' || error.code === 'not_found'))
        return { state: 'answers' };
      return { state: 'fails', error: messageOf(error) };
    }
  }

  function anyGroupOf(directory: string): string | undefined {
    for (const resource of Object.values(catalog().resources))
      for (const entitlement of Object.values(resource.roles))
        for (const group of entitlement.groups) if (group.directory === directory) return group.group;
    return undefined;
  }

  return { home, waitingFor, operationsFor };
}

/** Each is read after the list of them was: what has ended in between is held no more. */
function stillHeld({ items, more }: Shelf<RequestView>): Shelf<RequestView> {
  return { items: items.filter(({ grant }) => grant?.state !== 'ended'), more };
}
