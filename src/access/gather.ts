/** The facts a decision about people rests on, looked up through the ports. Nothing here decides. */
import { type Catalog, entitlementById } from './catalog.ts';
import type { Circumstances, Condition, Looked } from './condition.ts';
import { type AskFacts, toLookUp } from './decide-ask.ts';
import type { Approvers } from './decide-request.ts';
import { isLive } from './ledger.ts';
import type {
  Entitlement,
  Grant,
  Instant,
  Membership,
  MembershipKey,
  Person,
  PersonId,
  PinnedGroup,
  PinnedUser,
  Stage,
  Subject,
} from './model.ts';
import { type SubjectAnswer, subjectName } from './policy.ts';
import type { Directory, Incident, Incidents, MembershipRecord, People, RequestRecord, Store } from './ports.ts';
import { stagesOf } from './stages.ts';
import { askingAs, requestersOf } from './workload.ts';

export interface Sources {
  readonly store: Store;
  readonly people: People;
  readonly directories: ReadonlyMap<string, Directory>;
  /** Absent: none are configured, and no condition speaks of them. */
  readonly incidents?: Incidents;
  /** The configuration as it is now; replaced whole on reload. */
  readonly catalog: () => Catalog;
}

/** Cheapest first: most questions are settled before a directory is asked. */
const COST: Record<Subject['kind'], number> = { everyone: 0, workload: 0, user: 1, 'on-call': 2, group: 3 };

/**
 * Asks about each subject until one holds. A failed look-up is an answer too (`error`), and those after the first that
 * holds are left unasked.
 */
export async function askSubjects(
  people: People,
  subjects: readonly Subject[],
  person: Person,
): Promise<readonly SubjectAnswer[]> {
  const answers: SubjectAnswer[] = [];
  for (const subject of [...subjects].sort((a, b) => COST[a.kind] - COST[b.kind])) {
    try {
      const holds = await people.holds(subject, person);
      answers.push({ subject, holds });
      if (holds) break;
    } catch (error) {
      answers.push({ subject, error: messageOf(error) });
    }
  }
  return answers;
}

/** A person's grants on one entitlement are looked through this far back. */
export const PAST_MAX = 500;

/** What the policy's conditions ask about the requester, and nothing else. A failed look-up is an answer too. */
export async function circumstancesOf(
  { people, store, incidents }: Sources,
  person: Person,
  entitlement: Entitlement,
): Promise<Circumstances> {
  const { when, autoApprove, duration, maxLive } = entitlement.policy;
  const conditions = [when, autoApprove].filter((condition) => condition !== undefined);
  const reads = (root: string) => conditions.some((one) => one.reads.some((path) => path.startsWith(root)));
  const [groups, onCall, open, past, live] = await Promise.all([
    reads('requester.groups') ? holding(people, person, named(conditions, 'groups').map(groupNamed)) : undefined,
    reads('requester.onCall') ? holding(people, person, named(conditions, 'onCall').map(onCallNamed)) : undefined,
    reads('incident.') ? openIncidents(incidents, entitlement.resource) : undefined,
    reads('history.') || duration.perDayMs !== undefined ? pastGrants(store, person, entitlement) : undefined,
    maxLive === undefined ? undefined : liveGrants(store, person, entitlement.policy.name),
  ]);
  return {
    ...(groups === undefined ? {} : { groups }),
    ...(onCall === undefined ? {} : { onCall }),
    ...(open === undefined ? {} : { incidents: open }),
    ...(past === undefined ? {} : { past }),
    ...live,
  };
}

interface Named {
  readonly name: string;
  readonly subject: Subject;
}

function named(conditions: readonly Condition[], what: 'groups' | 'onCall'): readonly string[] {
  return [...new Set(conditions.flatMap((condition) => condition[what]))];
}

function groupNamed(name: string): Named {
  const slash = name.indexOf('/');
  return { name, subject: { kind: 'group', directory: name.slice(0, slash), group: name.slice(slash + 1) } };
}

function onCallNamed(name: string): Named {
  return { name, subject: { kind: 'on-call', source: name } };
}

/** Which of these the person is in. One that cannot be told makes the whole unknown: a list with a gap looks complete. */
async function holding(people: People, person: Person, wanted: readonly Named[]): Promise<Looked<readonly string[]>> {
  try {
    const held = await Promise.all(wanted.map(async ({ subject }) => await people.holds(subject, person)));
    return { value: wanted.filter((_, i) => held[i]).map(({ name }) => name) };
  } catch (error) {
    return { error: messageOf(error) };
  }
}

async function openIncidents(incidents: Incidents | undefined, resource: string): Promise<Looked<readonly Incident[]>> {
  if (incidents === undefined) return { error: 'no source of incidents is configured' };
  try {
    return { value: await incidents.openFor(resource) };
  } catch (error) {
    return { error: messageOf(error) };
  }
}

/** Those that access would end with. A source that does not answer ties nothing: the access has its own end. */
export async function incidentsToEndWith(
  { incidents }: Pick<Sources, 'incidents'>,
  entitlement: Entitlement,
): Promise<readonly Incident[]> {
  if (entitlement.policy.endWithIncident !== true) return [];
  const looked = await openIncidents(incidents, entitlement.resource);
  return 'value' in looked ? looked.value : [];
}

/** Absent: nobody could tell. */
export async function stillOpen(
  { incidents }: Pick<Sources, 'incidents'>,
  incidentId: string,
): Promise<boolean | undefined> {
  return await incidents?.isOpen(incidentId).catch(() => undefined);
}

async function pastGrants(store: Store, person: Person, entitlement: Entitlement): Promise<readonly Grant[]> {
  const records = await store.list({
    concerning: person.id,
    entitlements: [entitlement.id],
    states: ['approved'],
    limit: PAST_MAX,
  });
  return records.flatMap(({ grant }) => (grant === undefined ? [] : [grant]));
}

/** Beyond any limit that a policy can set. */
const LIVE_MAX = 200;

async function liveGrants(
  store: Store,
  person: Person,
  policy: string,
): Promise<Pick<Circumstances, 'live' | 'holderVersion'>> {
  // Before the grants: one that is added in between is then seen, or makes the commit stale.
  const version = await store.holder(person.id);
  const records = await store.list({ concerning: person.id, states: ['approved'], liveGrants: true, limit: LIVE_MAX });
  return {
    live: records.flatMap(({ request, grant }) =>
      grant !== undefined && request.policyName === policy && isLive(grant) ? [grant] : [],
    ),
    ...(version === undefined ? {} : { holderVersion: version }),
  };
}

/**
 * Everyone to ask in a stage, once each, besides those who may not answer it (`except`). Whoever cannot be looked up is
 * left out, and then the list is not complete. `reached` steps of the ladder are asked in any case, and the next ones
 * as long as there is nobody to ask.
 */
export async function whoIsAsked(
  people: People,
  stage: Stage,
  reached: number,
  except: ReadonlySet<PersonId>,
): Promise<Approvers> {
  const found = new Map<string, Person>();
  const failed: string[] = [];
  let complete = true;
  let open = false;
  let steps = -1;
  for (const subjects of [stage.approvers, ...stage.escalate.map((step) => step.to)]) {
    if (steps >= reached && (open || [...found.keys()].some((id) => !except.has(id)))) break;
    steps++;
    const answers = await Promise.allSettled(subjects.map((subject) => people.membersOf(subject)));
    answers.forEach((result, index) => {
      const subject = subjects[index];
      if (subject?.kind === 'everyone') open = true;
      // A group may have more members than are asked one by one, and `everyone` is nobody in particular.
      if (result.status === 'rejected' || subject?.kind === 'group' || subject?.kind === 'everyone') complete = false;
      if (result.status === 'fulfilled')
        for (const person of result.value) if (!found.has(person.id)) found.set(person.id, person);
      if (result.status === 'rejected' && subject !== undefined) failed.push(subjectName(subject));
    });
  }
  return {
    people: [...found.values()].filter(({ id }) => !except.has(id)),
    // With steps left to take there are others than these.
    complete: complete && steps === stage.escalate.length,
    steps,
    failed,
  };
}

/** Those who are asked first. */
export async function whoApproves(people: People, entitlement: Entitlement, person: Person): Promise<Approvers> {
  const [first] = stagesOf(entitlement.policy);
  if (first === undefined) throw new Error(`${entitlement.policy.name} has no stage`);
  return await whoIsAsked(people, first, 0, new Set(requestersOf(askingAs(person))));
}

/** What `ringAsk` rests on. A source that does not answer is part of it (`failed`); only our own mistakes throw. */
export async function askFacts(
  { people, catalog }: Pick<Sources, 'people' | 'catalog'>,
  record: RequestRecord | undefined,
  now: Instant,
): Promise<AskFacts> {
  const entitlement = record === undefined ? undefined : entitlementById(catalog(), record.request.entitlement);
  const wanted = toLookUp(record, entitlement, now);
  const stage = wanted?.asking.stages[wanted.asking.stage];
  if (entitlement === undefined || wanted === undefined || stage === undefined) return {};
  return { entitlement, asked: await whoIsAsked(people, stage, wanted.steps, wanted.except) };
}

export async function groupsOf(people: People, entitlement: Entitlement): Promise<readonly PinnedGroup[]> {
  return await Promise.all(entitlement.groups.map((group) => people.group(group.directory, group.group)));
}

/** The person's account in every directory the entitlement reaches into. */
export async function usersOf(
  people: People,
  entitlement: Entitlement,
  person: Person,
): Promise<readonly (PinnedUser & { readonly active: boolean })[]> {
  const names = [...new Set(entitlement.groups.map((group) => group.directory))];
  return await Promise.all(
    names.map(async (directory) => {
      const user = await people.userIn(directory, person.id);
      return { directory, userId: user.id, login: user.login, active: user.active };
    }),
  );
}

export function keysFor(groups: readonly PinnedGroup[], users: readonly PinnedUser[]): readonly MembershipKey[] {
  return groups.flatMap((group) => {
    const user = users.find((one) => one.directory === group.directory);
    return user === undefined ? [] : [{ directory: group.directory, groupId: group.groupId, userId: user.userId }];
  });
}

/** The ledger's word and the directory's, for each membership. A read that fails leaves `member` out. */
export async function standingOf(
  sources: Sources,
  keys: readonly MembershipKey[],
): Promise<readonly { readonly record: MembershipRecord; readonly member?: boolean }[]> {
  const records = await sources.store.memberships(keys);
  return await Promise.all(
    records.map(async (record) => {
      if (ours(record.membership)) return { record };
      const { groupId, userId } = record.key;
      const directory = sources.directories.get(record.key.directory);
      // That they have it already would refuse the request, so it is asked afresh; that they do not refuses nothing.
      if (directory?.lastSeen?.(groupId, userId) === false) return { record, member: false };
      try {
        const member = await directory?.isMember(groupId, userId);
        return member === undefined ? { record } : { record, member };
      } catch {
        // Whether they have it already is a courtesy to tell; the addition reads again before it is sent.
        return { record };
      }
    }),
  );
}

function ours(row: Membership | undefined): boolean {
  return row?.origin === 'ours';
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
