/** What holds now, as far as one person may see it: what waits for them, who holds what, what is frozen, what is stuck. */
import { entitlementById } from './catalog.ts';
import { respondersFor } from './decide-close.ts';
import { visibleTo } from './freeze.ts';
import { askSubjects, type Sources } from './gather.ts';
import { createHomes, type Operations, type Shelf } from './home.ts';
import { isLive } from './ledger.ts';
import { endsAt } from './lifecycle.ts';
import type { Caller, Freeze, GrantId, Instant, Person, RequestId, Subject } from './model.ts';
import { anyHolds, subjectName } from './policy.ts';
import type { Clock, People, RequestRecord } from './ports.ts';
import type { ReviewView } from './review-view.ts';
import { type Rights, rightsOf } from './rights.ts';
import type { RequestView } from './view.ts';

export interface Overview {
  readonly person: Person;
  readonly rights: Rights;
  readonly zone: string;
  /** It holds for this moment. */
  readonly at: Instant;
  /** Those that concern this person. */
  readonly freezes: readonly Freeze[];
  /** Other people's requests that this person may answer and has not, newest first. */
  readonly waiting: Shelf<RequestView>;
  /** What else waits, as far as they may see it: their own, and with a right to see everybody's. */
  readonly pending: Shelf<RequestView>;
  /** What is not over, the soonest end first; their own without a right to see everybody's. */
  readonly live: Shelf<RequestView>;
  /** Their own of what is shown. */
  readonly mine: ReadonlySet<RequestId>;
  /** Of what is live, what they may end without being the holder. */
  readonly revocable: ReadonlySet<GrantId>;
  /** Post-access reviews that they may make, oldest first. */
  readonly reviews: Shelf<ReviewView>;
  /** For admins and responders. */
  readonly operations?: Operations;
}

export interface OverviewParts extends Sources {
  readonly clock: Clock;
  readonly view: (id: RequestId, zone?: string) => Promise<RequestView | undefined>;
  readonly review: (id: string) => Promise<ReviewView | undefined>;
}

export const SHOWN = { waiting: 50, pending: 50, live: 150, reviews: 20 } as const;
/** Of the reviews that nobody has made, so many are looked through for what this person may make. */
const REVIEWS_MAX = 100;

export function createOverviews(parts: OverviewParts): (by: Caller) => Promise<Overview> {
  const { store, people, clock, catalog, view } = parts;
  // What a look-up throws is for whoever asked: only `home` words it, and that is not asked here.
  const { waitingFor, operationsFor } = createHomes({ ...parts, refusalOf: () => undefined });

  async function shown(records: readonly RequestRecord[], most: number, zone: string): Promise<Shelf<RequestView>> {
    const views = await Promise.all(records.slice(0, most).map(({ request }) => view(request.id, zone)));
    return { items: views.filter((one) => one !== undefined), more: records.length > most };
  }

  async function revocableOf(records: readonly RequestRecord[], person: Person): Promise<ReadonlySet<GrantId>> {
    const known = new Map<string, Promise<boolean>>();
    const found = new Set<GrantId>();
    for (const record of records)
      if (record.grant !== undefined && (await mayRevoke(parts, person, record, known))) found.add(record.grant.id);
    return found;
  }

  return async (by) => {
    const person = await people.identify(by);
    const rights = await rightsOf(parts, person);
    const zone = person.zone ?? catalog().timezone;
    const own = rights.sees ? {} : { person: person.id };
    const [waiting, pending, live, reviews, operations, freezes] = await Promise.all([
      waitingFor(person, SHOWN.waiting),
      store.list({ ...own, states: ['pending'], limit: SHOWN.pending + SHOWN.waiting + 1 }),
      store.list({ ...own, states: ['approved'], liveGrants: true, limit: SHOWN.live + 1 }),
      reviewsToSign(parts, person),
      operationsFor(person),
      store.freezes(),
    ]);
    const answerable = new Set(waiting.map(({ request }) => request.id));
    const end = ({ request, grant }: RequestRecord) => (grant === undefined ? request.lapsesAt : endsAt(grant));
    return {
      person,
      rights,
      zone,
      at: clock.now(),
      freezes: visibleTo(freezes, person.id, rights.sees),
      waiting: await shown(waiting, SHOWN.waiting, zone),
      pending: await shown(
        pending.filter(({ request }) => !answerable.has(request.id)),
        SHOWN.pending,
        zone,
      ),
      live: {
        ...(await shown(
          live.slice(0, SHOWN.live).toSorted((a, b) => end(a) - end(b)),
          SHOWN.live,
          zone,
        )),
        more: live.length > SHOWN.live,
      },
      mine: new Set(
        [...pending, ...live].flatMap(({ request }) => (request.requester === person.id ? [request.id] : [])),
      ),
      revocable: await revocableOf(live, person),
      reviews,
      ...(operations === undefined ? {} : { operations }),
    };
  };
}

/** Post-access reviews that the person may make, oldest first. */
export async function reviewsToSign(
  { store, people, review: drawn }: Pick<OverviewParts, 'store' | 'people' | 'review'>,
  person: Person,
): Promise<Shelf<ReviewView>> {
  const items: ReviewView[] = [];
  for (const review of await store.openReviews(REVIEWS_MAX)) {
    if (review.holder === person.id || !(await holdsOne(people, person, review.reviewers))) continue;
    if (items.length === SHOWN.reviews) return { items, more: true };
    const view = await drawn(review.id);
    if (view !== undefined) items.push(view);
  }
  return { items, more: false };
}

/** Whether a person may end a grant without being its holder. `known`: what was answered already, by who may. */
export async function mayRevoke(
  { people, catalog }: Pick<Sources, 'people' | 'catalog'>,
  person: Person,
  { request, grant }: RequestRecord,
  known = new Map<string, Promise<boolean>>(),
): Promise<boolean> {
  if (grant === undefined || !isLive(grant)) return false;
  const { responders } = catalog();
  const entitlement = entitlementById(catalog(), request.entitlement);
  const wanted = respondersFor({ responders, ...(entitlement === undefined ? {} : { entitlement }) });
  const key = wanted.map(subjectName).join(' ');
  const answer = known.get(key) ?? holdsOne(people, person, wanted);
  known.set(key, answer);
  return await answer;
}

async function holdsOne(people: People, person: Person, subjects: readonly Subject[]): Promise<boolean> {
  return anyHolds('eligible', subjects, await askSubjects(people, subjects, person)).is === 'satisfied';
}
