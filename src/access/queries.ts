/** The questions people ask, which change nothing: what is listed, who holds what, who is on call, and the digest. */
import { type Catalog, entitlementById, findEntitlement, resourceNamed } from './catalog.ts';
import type { Answer, Command, DigestSpan, ListWhich, Refusal } from './command.ts';
import { refusedAnswer } from './decision.ts';
import { covers, freezeLines, isPartOf, visibleTo } from './freeze.ts';
import { askSubjects, messageOf, type Sources } from './gather.ts';
import type { AccessRequest, Change, Entitlement, Freeze, GroupName, Person, RequestId, Subject } from './model.ts';
import { anyHolds, subjectName } from './policy.ts';
import type { Clock, ListFilter, Reports, RequestRecord } from './ports.ts';
import { detailsNote, handDetails } from './security-digest.ts';
import { everAsked } from './stages.ts';
import type { RequestView } from './view.ts';
import { onCallView, whoView } from './who-view.ts';
import { askedFor, isOwn, requestersOf } from './workload.ts';
import { startOfDay } from './zone.ts';

export interface QueryParts extends Sources {
  readonly clock: Clock;
  /** Absent: there is nothing to draw reports with, as in a command of the host. */
  readonly reports?: Reports;
  readonly view: (id: RequestId, zone?: string) => Promise<RequestView | undefined>;
}

export interface Queries {
  list(command: Command & { do: 'list' }): Promise<Answer>;
  who(command: Command & { do: 'who' }): Promise<Answer>;
  onCall(command: Command & { do: 'on-call' }): Promise<Answer>;
  /** With the file that is owed besides, where one can be sent. */
  digest(
    command: Command & { do: 'digest' },
  ): Promise<{ readonly answer: Answer; readonly changes?: readonly Change[] }>;
  /** What else is to be said of a request: what keeps it frozen. */
  notesOn(request: AccessRequest, person: Person): Promise<{ readonly notes?: readonly string[] }>;
  /** Absent: may. `no`: may not. A refusal: could not be told. */
  mayNot(person: Person, subjects: readonly Subject[]): Promise<Refusal | 'no' | undefined>;
  /** Those who may see everybody's access. */
  seers(): readonly Subject[];
}

const PAGE = 15;
/** Whoever may not see everything is shown what they may answer among this many of the newest. */
const LOOKED_AT_MAX = 200;
const WHO_MAX = 40;
const DAY_MS = 86_400_000;

export function createQueries(parts: QueryParts): Queries {
  const { store, people, clock, catalog, view } = parts;

  async function list({ by, which, page = 1, after }: Command & { do: 'list' }): Promise<Answer> {
    const person = await people.identify(by);
    const found = await pageOf(person, which, after === undefined ? { offset: (page - 1) * PAGE } : { after });
    const shown = await Promise.all(found.slice(0, PAGE).map((record) => view(record.request.id, person.zone)));
    return {
      say: 'list',
      which,
      page,
      items: shown.filter((item): item is RequestView => item !== undefined),
      more: found.length > PAGE,
      ...(await frozenNotes(
        person,
        ({ scope }) =>
          which !== 'mine' || scope.kind === 'all' || (scope.kind === 'person' && scope.person === person.id),
      )),
    };
  }

  /** What is frozen, as far as this person may hear of it. */
  async function frozenNotes(
    person: Person,
    about: (freeze: Freeze) => boolean,
  ): Promise<{ readonly notes?: readonly string[] }> {
    const freezes = await store.freezes();
    if (freezes.live.length === 0) return {};
    const shown = visibleTo(freezes, person.id, (await mayNot(person, seers())) === undefined).filter(about);
    return shown.length === 0 ? {} : { notes: freezeLines(shown, clock.now(), person.zone ?? catalog().timezone) };
  }

  async function notesOn(request: AccessRequest, person: Person) {
    const { resource } = request;
    return await frozenNotes(person, ({ scope }) =>
      requestersOf(request).some((one) => covers(scope, { person: one, resource })),
    );
  }

  /** One more than a page holds, when there is one. */
  async function pageOf(
    person: Person,
    which: ListWhich,
    place: Pick<ListFilter, 'offset' | 'after'>,
  ): Promise<readonly RequestRecord[]> {
    const limit = PAGE + 1;
    const { offset = 0, ...after } = place;
    if (person.workload !== undefined) {
      const newest = await store.list({ person: person.id, ...after, limit: LOOKED_AT_MAX });
      return newest.filter(({ request }) => isOwn(request, person)).slice(offset, offset + limit);
    }
    if (which === 'mine') return await store.list({ person: person.id, ...place, limit });
    const wanted =
      which === 'pending' ? ({ states: ['pending'] } as const) : ({ states: ['approved'], liveGrants: true } as const);
    if ((await mayNot(person, seers())) === undefined) return await store.list({ ...wanted, ...place, limit });
    if (which === 'active') return await store.list({ ...wanted, person: person.id, ...place, limit });
    const newest = await store.list({ ...wanted, ...after, limit: LOOKED_AT_MAX });
    return (await ownOrAnswerable(newest, person)).slice(offset, offset + limit);
  }

  /** Whoever may not see everything sees their own, and what waits for their answer. */
  async function ownOrAnswerable(records: readonly RequestRecord[], person: Person): Promise<readonly RequestRecord[]> {
    const answerable = new Map<string, boolean>();
    const kept: RequestRecord[] = [];
    for (const record of records) {
      const { entitlement } = record.request;
      const own = askedFor(record.request, person.id);
      if (!own && !answerable.has(entitlement)) {
        const guarded = entitlementById(catalog(), entitlement);
        const asked = guarded === undefined ? [] : everAsked(guarded.policy);
        answerable.set(entitlement, (await mayNot(person, asked)) === undefined);
      }
      if (own || answerable.get(entitlement) === true) kept.push(record);
    }
    return kept;
  }

  async function who({ by, resource: asked, role }: Command & { do: 'who' }): Promise<Answer> {
    const person = await people.identify(by);
    const found = entitlementsOf(catalog(), asked, role);
    if ('code' in found) return { say: 'refused', refusal: found };
    const { what, title, entitlements } = found;
    const no = await mayNot(person, seers());
    if (no !== undefined && no !== 'no') return { say: 'refused', refusal: no };
    const ownOnly = no === 'no';
    const records = await store.list({
      ...(ownOnly ? { person: person.id } : {}),
      states: ['approved'],
      liveGrants: true,
      entitlements: entitlements.map(({ id }) => id),
      limit: WHO_MAX + 1,
    });
    if (ownOnly && records.length === 0) return { say: 'refused', refusal: { code: 'not_a_viewer' } };
    const standing =
      ownOnly || parts.reports === undefined ? undefined : await parts.reports.standing(groupsOf(entitlements));
    const zone = person.zone ?? catalog().timezone;
    const report = whoView(
      {
        what,
        title,
        records,
        shown: WHO_MAX,
        ownOnly,
        zone,
        ...(standing === undefined ? {} : { standing }),
        frozen: (await frozenNotes(person, touches(entitlements))).notes ?? [],
      },
      clock.now(),
    );
    return { say: 'report', about: 'who', report };
  }

  /** Whom to ask is no secret to those who may ask. */
  async function onCall({ by, resource: asked, role }: Command & { do: 'on-call' }): Promise<Answer> {
    const person = await people.identify(by);
    const found = asked === undefined ? undefined : entitlementsOf(catalog(), asked, role);
    if (found !== undefined && 'code' in found) return { say: 'refused', refusal: found };
    const everything = Object.values(catalog().resources).flatMap((resource) => Object.values(resource.roles));
    const approvers = unique((found?.entitlements ?? everything).flatMap(({ policy }) => everAsked(policy)));
    const sources = await Promise.all(
      approvers
        .filter((subject) => subject.kind === 'on-call')
        .map(async (subject) => {
          const source = subjectName(subject);
          try {
            return { source, people: await people.membersOf(subject) };
          } catch (error) {
            return { source, error: messageOf(error) };
          }
        }),
    );
    const report = onCallView(
      {
        ...(found === undefined ? {} : { resource: found.what }),
        sources,
        others: found === undefined ? [] : approvers.filter((subject) => subject.kind !== 'on-call'),
        frozen: (await frozenNotes(person, touches(found?.entitlements ?? everything))).notes ?? [],
        zone: person.zone ?? catalog().timezone,
      },
      clock.now(),
    );
    return { say: 'report', about: 'on-call', report };
  }

  async function digest({ by, span }: Command & { do: 'digest' }): ReturnType<Queries['digest']> {
    const person = await people.identify(by);
    const no = await mayNot(person, seers());
    if (no !== undefined) return { answer: refusedAnswer(no === 'no' ? { code: 'not_a_viewer' } : no) };
    if (parts.reports === undefined)
      return { answer: refusedAnswer({ code: 'cannot_check', what: 'the digest', error: 'not drawn here' }) };
    const zone = person.zone ?? catalog().timezone;
    const period = periodOf(span, zone);
    const report = await parts.reports.digest(period, zone);
    if (report.quiet) return { answer: { say: 'report', about: 'digest', report } };
    // Teams lets no bot share a file without asking; there the host has it.
    const account = 'platform' in by && by.platform === 'slack' ? by : undefined;
    const where = detailsNote(account === undefined ? 'host' : 'own', span === 'today' ? 1 : 7);
    return {
      answer: {
        say: 'report',
        about: 'digest',
        report: { ...report, note: [report.note, where].filter((part) => part !== undefined).join(' ') },
      },
      ...(account === undefined ? {} : { changes: [handDetails(period, { account }, clock.now())] }),
    };
  }

  function periodOf(span: DigestSpan, zone: string) {
    const now = clock.now();
    // What is decided in this very millisecond belongs to the answer too.
    return { from: span === 'today' ? startOfDay(zone, now) : now - 7 * DAY_MS, to: now + 1 };
  }

  function seers(): readonly Subject[] {
    const { viewers, responders, admins } = catalog();
    return [...viewers, ...responders, ...admins];
  }

  async function mayNot(person: Person, subjects: readonly Subject[]): Promise<Refusal | 'no' | undefined> {
    const verdict = anyHolds('eligible', subjects, await askSubjects(people, subjects, person));
    if (verdict.is === 'satisfied') return undefined;
    if (verdict.is === 'unsatisfied') return 'no';
    return { code: 'cannot_check', what: 'whether you may see this', error: verdict.finding.why };
  }

  return { list, who, onCall, digest, notesOn, mayNot, seers };
}

/** Freezes of everything, of these resources or of systems they are part of; not those of people. */
function touches(entitlements: readonly Entitlement[]): (freeze: Freeze) => boolean {
  return ({ scope }) =>
    scope.kind === 'all' ||
    (scope.kind === 'resource' && entitlements.some(({ resource }) => isPartOf(resource, scope.resource)));
}

/** Without a role every role of the resource. */
function entitlementsOf(
  catalog: Catalog,
  asked: string,
  role: string | undefined,
): Refusal | { readonly what: string; readonly title: string; readonly entitlements: readonly Entitlement[] } {
  // Found by its default role first: that is where an unknown name gets its suggestions.
  const one = findEntitlement(catalog, asked, role);
  if (!('code' in one) && role !== undefined) return { what: one.id, title: one.title, entitlements: [one] };
  const resource = resourceNamed(catalog, asked);
  if (resource === undefined || role !== undefined)
    return 'code' in one ? one : { code: 'unknown_resource', asked, suggestions: [] };
  return { what: resource.name, title: resource.title, entitlements: Object.values(resource.roles) };
}

export function groupsOf(entitlements: readonly Entitlement[]): readonly GroupName[] {
  const groups = new Map<string, GroupName>();
  for (const { directory, group } of entitlements.flatMap((entitlement) => entitlement.groups))
    groups.set(`${directory}/${group}`, { directory, group });
  return [...groups.values()];
}

function unique(subjects: readonly Subject[]): readonly Subject[] {
  return [...new Map(subjects.map((subject) => [subjectName(subject), subject])).values()];
}
