/** What whoever answers for access looks at beyond single requests: freezes, reviews, revocations, activity, the trail. */
import type { ActivityStore, Finding, GrantActivity, Use } from './activity.ts';
import type { Refusal } from './command.ts';
import { visibleTo } from './freeze.ts';
import { askSubjects, type Sources } from './gather.ts';
import { createHomes, type Operations } from './home.ts';
import type { Freeze, Grant, Person, RequestId, Review, Revocation, Subject } from './model.ts';
import { anyHolds, subjectName } from './policy.ts';
import type { Clock } from './ports.ts';
import { rightsOf } from './rights.ts';
import { isOwn } from './workload.ts';

export interface OversightParts extends Sources {
  readonly clock: Clock;
  readonly activity: Pick<ActivityStore, 'activityOf' | 'activitiesOf' | 'findingsOf' | 'openFindings'>;
}

/** What was done under one grant, as far as the sources have told. */
export interface GrantUse {
  /** Absent: nothing was seen. */
  readonly use?: Use;
  /** Newest first. */
  readonly activities: readonly GrantActivity[];
  readonly findings: readonly Finding[];
}

/** Each for whom it is, or why not. What could not be looked up is not shown. */
export interface Oversight {
  /** The trail, as an admin or a responder. Absent: may. */
  mayNotAudit(person: Person): Promise<Refusal | undefined>;
  /** Those that concern this person; all of them with a right to see everybody's access. */
  freezes(person: Person): Promise<readonly Freeze[]>;
  /** Post-access reviews that nobody has made: their own, those they may make, and all of them as one who audits. */
  reviews(person: Person): Promise<readonly Review[]>;
  /** For whoever previewed it, and for those who audit; `grants` are those that it ends. */
  revocation(
    person: Person,
    id: string,
  ): Promise<{ readonly revocation: Revocation; readonly grants: readonly Grant[] } | Refusal>;
  /** For the holder, and for those who audit; the holder hears of a finding once they were asked about it. */
  activity(person: Person, requestId: RequestId): Promise<GrantUse | Refusal>;
  /** Findings that nobody has closed, as one who audits. */
  findings(person: Person): Promise<readonly Finding[] | Refusal>;
  /** How directories answer, as an admin or a responder. */
  operations(person: Person): Promise<Operations | Refusal>;
}

const REVIEWS_MAX = 100;
const FINDINGS_MAX = 100;
const ACTIVITIES_MAX = 100;

export function createOversight(parts: OversightParts): Oversight {
  const { store, people, activity } = parts;
  // Only what it finds for those who answer for directories is wanted of it, and nothing of that throws a look-up's error.
  const homes = createHomes({ ...parts, view: async () => undefined, refusalOf: () => undefined });

  async function mayNotAudit(person: Person): Promise<Refusal | undefined> {
    const { audits, unknown } = await rightsOf(parts, person);
    if (audits) return undefined;
    return unknown === undefined
      ? { code: 'not_a_responder' }
      : { code: 'cannot_check', what: 'whether you may see this', error: unknown };
  }

  async function reviews(person: Person): Promise<readonly Review[]> {
    const open = await store.openReviews(REVIEWS_MAX);
    if ((await rightsOf(parts, person)).audits) return open;
    const known = new Map<string, Promise<boolean>>();
    const found: Review[] = [];
    for (const review of open) {
      const key = review.reviewers.map(subjectName).join(' ');
      const may = known.get(key) ?? holdsOne(person, review.reviewers);
      known.set(key, may);
      if (review.holder === person.id || (await may)) found.push(review);
    }
    return found;
  }

  async function holdsOne(person: Person, subjects: readonly Subject[]): Promise<boolean> {
    return anyHolds('eligible', subjects, await askSubjects(people, subjects, person)).is === 'satisfied';
  }

  return {
    mayNotAudit,
    reviews,
    async freezes(person) {
      const { sees } = await rightsOf(parts, person);
      return visibleTo(await store.freezes(), person.id, sees);
    },
    async revocation(person, id) {
      const revocation = await store.revocation(id);
      if (revocation === undefined) return { code: 'unknown_id', asked: id };
      const no = revocation.byPerson === person.id ? undefined : await mayNotAudit(person);
      return no ?? { revocation, grants: await store.grants(revocation.grants) };
    },
    async activity(person, requestId) {
      const record = await store.request(requestId);
      if (record === undefined) return { code: 'unknown_id', asked: requestId };
      const { grant } = record;
      if (grant === undefined) return { code: 'no_grant', requestId };
      const no = await mayNotAudit(person);
      if (no !== undefined && !isOwn(record.request, person)) return no;
      const use = await activity.activityOf(grant.id);
      return {
        ...(use === undefined ? {} : { use }),
        activities: await activity.activitiesOf(grant.id, ACTIVITIES_MAX),
        findings: (await activity.findingsOf(grant.id)).filter(
          ({ askedAt }) => no === undefined || askedAt !== undefined,
        ),
      };
    },
    async findings(person) {
      return (await mayNotAudit(person)) ?? (await activity.openFindings(FINDINGS_MAX));
    },
    async operations(person) {
      const operations = await homes.operationsFor(person);
      return operations ?? { code: 'not_a_responder' };
    },
  };
}
