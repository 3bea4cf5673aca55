/** Who held what, when: grants of a stretch of time, as far as one person may see them. */
import type { ActivityStore, Finding } from './activity.ts';
import type { Sources } from './gather.ts';
import { endsAt } from './lifecycle.ts';
import type { Caller, EndReason, EntitlementId, Grant, GrantId, Instant, PersonId, RequestId } from './model.ts';
import type { Clock, Period, RequestRecord } from './ports.ts';
import { type Rights, rightsOf } from './rights.ts';

export interface TimelineWish {
  /** Left out: the last day, and what is still to come of live grants. */
  readonly period?: Period;
  readonly person?: PersonId;
  readonly resource?: string;
  /** Only grants in which a detection rule found something. */
  readonly found?: boolean;
}

export interface Timeline {
  readonly rights: Rights;
  readonly zone: string;
  readonly at: Instant;
  readonly period: Period;
  /** By holder and entitlement, each in order of its beginning. */
  readonly lanes: readonly Lane[];
  /** There was more in this time than is drawn. */
  readonly more: boolean;
  /** Everybody and everything in this time, to filter by. */
  readonly people: readonly { readonly id: PersonId; readonly name: string }[];
  readonly resources: readonly string[];
}

export interface Lane {
  readonly holder: PersonId;
  readonly holderName: string;
  readonly entitlement: EntitlementId;
  readonly title: string;
  readonly spans: readonly Span[];
}

export interface Span {
  readonly grantId: GrantId;
  readonly requestId: RequestId;
  readonly from: Instant;
  /** When it was proven over; of one that is not, when it is to end, or now where that has passed. */
  readonly to: Instant;
  readonly state: Grant['state'];
  readonly endReason?: EndReason;
  readonly breakGlass: boolean;
  readonly reason: string;
  readonly findings: readonly Pick<Finding, 'id' | 'title' | 'level'>[];
}

export interface TimelineParts extends Pick<Sources, 'store' | 'people' | 'catalog'> {
  readonly clock: Clock;
  readonly activities: Pick<ActivityStore, 'findingsOf'>;
}

export const DRAWN_MAX = 300;
const HOUR_MS = 3_600_000;
export const PERIOD_MAX_MS = 400 * 24 * HOUR_MS;
export const PERIOD_MIN_MS = 60_000;

export function createTimelines(parts: TimelineParts): (by: Caller, wish: TimelineWish) => Promise<Timeline> {
  const { store, people, catalog, clock, activities } = parts;

  return async (by, wish) => {
    const person = await people.identify(by);
    const rights = await rightsOf(parts, person);
    const now = clock.now();
    const period = wish.period ?? { from: now - 20 * HOUR_MS, to: now + 4 * HOUR_MS };
    const records = await store.list({
      ...(rights.sees ? {} : { person: person.id }),
      states: ['approved'],
      held: period,
      limit: DRAWN_MAX + 1,
    });
    const drawn = records.slice(0, DRAWN_MAX);
    const wanted = drawn.filter(
      ({ request }) =>
        (wish.person === undefined || request.requester === wish.person) &&
        (wish.resource === undefined ||
          request.resource === wish.resource ||
          request.resource.startsWith(`${wish.resource}/`)),
    );
    const spans = await Promise.all(
      wanted.map(async (record) => ({
        record,
        span: spanOf(record, now, rights.audits ? await findingsOf(record) : []),
      })),
    );
    const seen = spans.flatMap(({ record, span }) =>
      span === undefined || (wish.found === true && span.findings.length === 0) ? [] : [{ record, span }],
    );
    return {
      rights,
      zone: person.zone ?? catalog().timezone,
      at: now,
      period,
      lanes: lanesOf(seen),
      more: records.length > DRAWN_MAX,
      people: namesOf(drawn),
      resources: [...new Set(drawn.map(({ request }) => request.resource))].sort(),
    };
  };

  /** For those who look into it; what was found is no message to the holder. */
  async function findingsOf({ grant }: RequestRecord): Promise<readonly Finding[]> {
    return grant === undefined ? [] : await activities.findingsOf(grant.id);
  }
}

function spanOf({ request, grant }: RequestRecord, now: Instant, findings: readonly Finding[]): Span | undefined {
  if (grant?.startsAt === undefined) return undefined;
  return {
    grantId: grant.id,
    requestId: request.id,
    from: grant.startsAt,
    to: Math.max(grant.startsAt, grant.endedAt ?? (grant.state === 'ending' ? now : Math.max(now, endsAt(grant)))),
    state: grant.state,
    ...(grant.endReason === undefined ? {} : { endReason: grant.endReason }),
    breakGlass: request.breakGlass !== undefined,
    reason: request.reason,
    findings: findings.map(({ id, title, level }) => ({ id, title, level })),
  };
}

function lanesOf(seen: readonly { readonly record: RequestRecord; readonly span: Span }[]): readonly Lane[] {
  const byLane = Map.groupBy(seen, ({ record: { request } }) => `${request.requester} ${request.entitlement}`);
  const lanes = [...byLane.values()].flatMap((of): Lane[] => {
    const request = of[0]?.record.request;
    if (request === undefined) return [];
    const { requester: holder, requesterName: holderName, entitlement, title } = request;
    return [
      { holder, holderName, entitlement, title, spans: of.map(({ span }) => span).sort((a, b) => a.from - b.from) },
    ];
  });
  return lanes.sort((a, b) => a.holderName.localeCompare(b.holderName) || a.entitlement.localeCompare(b.entitlement));
}

function namesOf(records: readonly RequestRecord[]): Timeline['people'] {
  const names = new Map(records.map(({ request }) => [request.requester, request.requesterName]));
  return [...names].map(([id, name]) => ({ id, name })).sort((a, b) => a.name.localeCompare(b.name));
}
