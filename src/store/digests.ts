/** What the digest asks of the record: counted in full, listed in part, and always from an index. */
import { and, asc, desc, eq, getTableColumns, gte, inArray, lt, or, sql } from 'drizzle-orm';
import type { EndReason, Instant, RequestId } from '../access/model.ts';
import type { DigestFacts, DigestStore, Period, Spread } from '../access/ports.ts';
import { readDrifts } from './drift.ts';
import { columns, columnsBeside, type Prepare, value } from './prepare.ts';
import { readMemberships, withAnswers } from './reads.ts';
import { toGrant, toReview } from './rows.ts';
import type { Tables } from './schema.ts';
import { type Database, type Program, run, type Session } from './session.ts';
import { recall } from './trail.ts';

/** Entitlements named with their counts; far more than are shown. */
const ENTITLEMENTS_MAX = 20;
/** Pairs of people looked through for those who approve each other. */
const PAIRS_MAX = 20_000;

export function digestStatements(db: Database, t: Tables, prepare: Prepare) {
  const { requests, grants, memberships, digests, approvals, auditEvents } = t;
  const limit = sql.placeholder('limit');
  const from = value('from');
  const to = value('to');
  const count = sql<number>`count(*)`.mapWith(Number);
  const requestColumns = getTableColumns(requests);
  const ofGrants = () => db.select(requestColumns).from(grants).innerJoin(requests, eq(requests.id, grants.requestId));

  const approved = and(gte(grants.approvedAt, from), lt(grants.approvedAt, to));
  const ending = and(gte(grants.endingAt, from), lt(grants.endingAt, to));
  const decided = and(gte(requests.decidedAt, from), lt(requests.decidedAt, to));
  // Constants are written out: SQLite uses a partial index only for a condition it can see through.
  const live = sql`${grants.state} <> 'ended' and ${grants.state} <> 'ending'`;
  const pending = sql`${requests.state} = 'pending'`;
  const end = sql<number>`coalesce(${grants.expiresAt}, ${grants.hardEndAt})`;
  // Decided late, as after an hour without Hallpass, it was due when the grant ran out.
  const due = sql`case when ${end} < ${grants.endingAt} then ${end} else ${grants.endingAt} end`;
  const lateness = sql<number>`(${grants.endedAt} - ${due})`.mapWith(Number);
  const untilAccepted = sql<number>`(${grants.removedAt} - ${due})`.mapWith(Number);
  // What never began was never removed either.
  const proven = and(gte(grants.endedAt, from), lt(grants.endedAt, to), sql`${grants.startsAt} is not null`);

  const accepted = and(proven, sql`${grants.removedAt} is not null`);

  return {
    insertDigest: prepare(
      'insert_digest',
      db.insert(digests).values(columns(digests)).onConflictDoNothing().returning({ day: digests.day }),
    ),
    updateDigest: prepare(
      'update_digest',
      db
        .update(digests)
        .set(columnsBeside(digests, 'day'))
        .where(and(eq(digests.day, value('day')), eq(digests.version, value('was'))))
        .returning({ day: digests.day }),
    ),
    digest: prepare(
      'digest',
      db
        .select()
        .from(digests)
        .where(eq(digests.day, value('day'))),
    ),
    digestById: prepare(
      'digest_by_id',
      db
        .select()
        .from(digests)
        .where(eq(digests.id, value('id'))),
    ),
    unsignedDigests: prepare(
      'unsigned_digests',
      db
        .select({ day: digests.day, toAt: digests.toAt })
        .from(digests)
        .where(sql`${digests.id} is not null and ${digests.signedAt} is null`)
        .orderBy(asc(digests.toAt))
        .limit(limit),
    ),
    lastDigest: prepare(
      'last_digest',
      db.select().from(digests).orderBy(desc(digests.toAt), desc(digests.day)).limit(1),
    ),
    countGranted: prepare('count_granted', db.select({ count }).from(grants).where(approved)),
    countDecided: prepare(
      'count_decided',
      db
        .select({
          state: requests.state,
          extension: sql<number>`case when ${requests.extendsGrant} is null then 0 else 1 end`.mapWith(Number),
          count,
        })
        .from(requests)
        .where(decided)
        .groupBy(requests.state, sql`case when ${requests.extendsGrant} is null then 0 else 1 end`),
    ),
    countEnding: prepare(
      'count_ending',
      db.select({ reason: grants.endReason, count }).from(grants).where(ending).groupBy(grants.endReason),
    ),
    countProven: prepare(
      'count_proven',
      db
        .select({
          count,
          late: sql<number>`coalesce(sum(case when ${lateness} >= ${value('lateMs')} then 1 else 0 end), 0)`.mapWith(
            Number,
          ),
        })
        .from(grants)
        .where(proven),
    ),
    countAccepted: prepare('count_accepted', db.select({ count }).from(grants).where(accepted)),
    provenAt: prepare(
      'proven_at',
      db
        .select({ ms: lateness })
        .from(grants)
        .where(proven)
        .orderBy(asc(lateness))
        .limit(1)
        .offset(sql.placeholder('rank')),
    ),
    acceptedAt: prepare(
      'accepted_at',
      db
        .select({ ms: untilAccepted })
        .from(grants)
        .where(accepted)
        .orderBy(asc(untilAccepted))
        .limit(1)
        .offset(sql.placeholder('rank')),
    ),
    countLive: prepare('count_live', db.select({ count }).from(grants).where(live)),
    countPending: prepare('count_pending', db.select({ count }).from(requests).where(pending)),
    grantedIn: prepare(
      'granted_in',
      ofGrants().where(approved).orderBy(desc(grants.approvedAt), desc(grants.id)).limit(limit),
    ),
    grantedByEntitlement: prepare(
      'granted_by_entitlement',
      db
        .select({ entitlement: grants.entitlement, count })
        .from(grants)
        .where(approved)
        .groupBy(grants.entitlement)
        .orderBy(desc(sql`count(*)`), asc(grants.entitlement))
        .limit(limit),
    ),
    liveSoonest: prepare('live_soonest', ofGrants().where(live).orderBy(asc(end), asc(grants.id)).limit(limit)),
    endedEarlyIn: prepare(
      'ended_early_in',
      ofGrants()
        .where(and(ending, sql`${grants.endReason} <> 'expired'`))
        .orderBy(desc(grants.endingAt), desc(grants.id))
        .limit(limit),
    ),
    refusedIn: prepare(
      'refused_in',
      db
        .select()
        .from(requests)
        .where(and(decided, sql`${requests.state} <> 'approved' and ${requests.state} <> 'cancelled'`))
        .orderBy(desc(requests.decidedAt), desc(requests.id))
        .limit(limit),
    ),
    latestProven: prepare(
      'latest_proven',
      db.select().from(grants).where(proven).orderBy(desc(lateness), asc(grants.id)).limit(limit),
    ),
    pendingOldest: prepare(
      'pending_oldest',
      db.select().from(requests).where(pending).orderBy(asc(requests.lapsesAt), asc(requests.id)).limit(limit),
    ),
    countBreakGlass: prepare(
      'count_break_glass',
      db
        .select({ count })
        .from(requests)
        .where(and(decided, sql`${requests.breakGlass} is not null`)),
    ),
    breakGlassIn: prepare(
      'break_glass_in',
      db
        .select()
        .from(requests)
        .where(and(decided, sql`${requests.breakGlass} is not null`))
        .orderBy(desc(requests.decidedAt), desc(requests.id))
        .limit(limit),
    ),
    approvedFor: prepare(
      'approved_for',
      db
        .select({
          approver: approvals.approver,
          approverName: sql<string>`max(${approvals.approverName})`,
          requester: requests.requester,
          requesterName: sql<string>`max(${requests.requesterName})`,
          count,
        })
        .from(requests)
        .innerJoin(approvals, eq(approvals.requestId, requests.id))
        .where(
          and(
            decided,
            sql`${requests.state} = 'approved'`,
            sql`${approvals.answer} = 'approved'`,
            eq(approvals.digest, requests.digest),
          ),
        )
        .groupBy(approvals.approver, requests.requester)
        .orderBy(desc(sql`count(*)`), asc(approvals.approver), asc(requests.requester))
        .limit(limit),
    ),
    policyChangesIn: prepare(
      'policy_changes_in',
      db
        .select({ canonical: auditEvents.canonical })
        .from(auditEvents)
        .where(and(sql`${auditEvents.kind} = 'policy.changed'`, gte(auditEvents.at, from), lt(auditEvents.at, to)))
        .orderBy(desc(auditEvents.at), desc(auditEvents.seq))
        .limit(limit),
    ),
    decidedIds: prepare(
      'decided_ids',
      db
        .select({ id: requests.id, at: requests.createdAt })
        .from(requests)
        .where(decided)
        .orderBy(desc(requests.decidedAt))
        .limit(limit),
    ),
    pendingIds: prepare(
      'pending_ids',
      db.select({ id: requests.id, at: requests.createdAt }).from(requests).where(pending).limit(limit),
    ),
    endingIds: prepare(
      'ending_ids',
      db
        .select({ id: grants.requestId, at: grants.approvedAt })
        .from(grants)
        .where(ending)
        .orderBy(desc(grants.endingAt))
        .limit(limit),
    ),
    endedIds: prepare(
      'ended_ids',
      db
        .select({ id: grants.requestId, at: grants.approvedAt })
        .from(grants)
        .where(and(gte(grants.endedAt, from), lt(grants.endedAt, to)))
        .orderBy(desc(grants.endedAt))
        .limit(limit),
    ),
    unendedIds: prepare(
      'unended_ids',
      db
        .select({ id: grants.requestId, at: grants.approvedAt })
        .from(grants)
        .where(sql`${grants.state} <> 'ended'`)
        .limit(limit),
    ),
    explained: prepare(
      'explained',
      db
        .select({ userId: memberships.userId })
        .from(memberships)
        .where(
          and(
            eq(memberships.directory, value('directory')),
            eq(memberships.groupId, value('groupId')),
            or(eq(memberships.origin, 'ours'), gte(memberships.removeAcceptedAt, value('removedSince'))),
          ),
        )
        .orderBy(asc(memberships.userId))
        .limit(limit),
    ),
  };
}

const NONE: Readonly<Record<EndReason, number>> = {
  expired: 0,
  revoked: 0,
  returned: 0,
  abandoned: 0,
  removed_outside: 0,
};

function* readSteps(period: Period, proven: number): Program<DigestFacts['steps']> {
  if (proven === 0) return undefined;
  const [accepted] = yield* run((s) => s.statements.countAccepted({ ...period }));
  const count = accepted?.count ?? 0;
  const all = yield* readSpread(proven, (s, rank) => s.statements.provenAt({ ...period, rank }));
  if (count === 0) return { proven: all };
  return { accepted: yield* readSpread(count, (s, rank) => s.statements.acceptedAt({ ...period, rank })), proven: all };
}

/** By nearest rank: each of the three was really taken by one of them. */
function* readSpread(
  count: number,
  at: (session: Session, rank: number) => ReturnType<Session['statements']['provenAt']>,
): Program<Spread> {
  const ms: number[] = [];
  for (const share of [0.5, 0.99, 1]) {
    const [row] = yield* run((s) => at(s, Math.max(0, Math.ceil(count * share) - 1)));
    ms.push(Math.max(0, row?.ms ?? 0));
  }
  const [p50Ms = 0, p99Ms = 0, maxMs = 0] = ms;
  return { p50Ms, p99Ms, maxMs };
}

export function* readDigestFacts({ from, to }: Period, lateMs: number, limit: number): Program<DigestFacts> {
  const period = { from, to };
  const some = { ...period, limit };
  const [granted] = yield* run((s) => s.statements.countGranted(period));
  const decided = yield* run((s) => s.statements.countDecided(period));
  const ending = yield* run((s) => s.statements.countEnding(period));
  const [proven] = yield* run((s) => s.statements.countProven({ ...period, lateMs }));
  const [live] = yield* run((s) => s.statements.countLive({}));
  const [pending] = yield* run((s) => s.statements.countPending({}));
  const [owed] = yield* run((s) => s.statements.countOwed({}));
  const [drifts] = yield* run((s) => s.statements.countDrifts({}));
  const [glass] = yield* run((s) => s.statements.countBreakGlass(period));
  const policyChanges = yield* run((s) => s.statements.policyChangesIn(some));
  const closed = (state: string) =>
    decided.filter((row) => row.state === state).reduce((sum, row) => sum + row.count, 0);
  const counts = {
    granted: granted?.count ?? 0,
    extended: decided.find((row) => row.state === 'approved' && row.extension === 1)?.count ?? 0,
    denied: closed('denied'),
    lapsed: closed('lapsed'),
    cancelled: closed('cancelled'),
    withdrawn: closed('withdrawn'),
    ending: { ...NONE, ...Object.fromEntries(ending.map(({ reason, count }) => [reason ?? 'expired', count])) },
    proven: proven?.count ?? 0,
    late: proven?.late ?? 0,
    breakGlass: glass?.count ?? 0,
    live: live?.count ?? 0,
    pending: pending?.count ?? 0,
    removals: owed?.count ?? 0,
    drift: drifts?.count ?? 0,
  };
  const steps = yield* readSteps(period, counts.proven);
  const byEntitlement = yield* run((s) => s.statements.grantedByEntitlement({ ...period, limit: ENTITLEMENTS_MAX }));
  const latest = yield* run((s) => s.statements.latestProven(some));
  const removals = yield* run((s) => s.statements.owedRemovals({ limit }));
  return {
    counts,
    ...(steps === undefined ? {} : { steps }),
    granted: yield* withAnswers(yield* run((s) => s.statements.grantedIn(some))),
    byEntitlement,
    live: yield* withAnswers(yield* run((s) => s.statements.liveSoonest({ limit }))),
    endedEarly: yield* withAnswers(yield* run((s) => s.statements.endedEarlyIn(some))),
    refused: yield* withAnswers(yield* run((s) => s.statements.refusedIn(some))),
    latest: latest.map(toGrant),
    removals: yield* readMemberships(
      removals.map(({ directory, groupId, userId }) => ({ directory, groupId, userId })),
    ),
    drift: yield* readDrifts(limit),
    pending: yield* withAnswers(yield* run((s) => s.statements.pendingOldest({ limit }))),
    breakGlass: yield* withAnswers(yield* run((s) => s.statements.breakGlassIn(some))),
    approvedFor: yield* run((s) => s.statements.approvedFor({ ...period, limit: PAIRS_MAX })),
    policyChanges: policyChanges.map(({ canonical }) => recall(canonical, [])),
  };
}

export function* readDigestRequests({ from, to }: Period, limit: number): Program<readonly RequestId[]> {
  const some = { from, to, limit };
  const found = [
    ...(yield* run((s) => s.statements.pendingIds({ limit }))),
    ...(yield* run((s) => s.statements.unendedIds({ limit }))),
    ...(yield* run((s) => s.statements.decidedIds(some))),
    ...(yield* run((s) => s.statements.endingIds(some))),
    ...(yield* run((s) => s.statements.endedIds(some))),
  ];
  const newest = found.sort((a, b) => b.at - a.at || (a.id < b.id ? 1 : -1));
  return [...new Set(newest.map(({ id }) => id))].slice(0, limit);
}

export function* readRequestsWithReviews(
  ids: readonly RequestId[],
): Program<Awaited<ReturnType<DigestStore['requestsWithReviews']>>> {
  if (ids.length === 0) return [];
  const rows = yield* run(({ db, fetch, tables: { requests } }) =>
    fetch(
      db
        .select()
        .from(requests)
        .where(inArray(requests.id, [...ids]))
        .orderBy(desc(requests.createdAt), desc(requests.id)),
    ),
  );
  const reviews = yield* run(({ db, fetch, tables: { reviews } }) =>
    fetch(
      db
        .select()
        .from(reviews)
        .where(inArray(reviews.requestId, [...ids])),
    ),
  );
  const reviewOf = new Map(reviews.map((row) => [row.requestId, toReview(row)]));
  return (yield* withAnswers(rows)).map((record) => {
    const review = reviewOf.get(record.request.id);
    return review === undefined ? { record } : { record, review };
  });
}

export function* readExplained(
  directory: string,
  groupId: string,
  removedSince: Instant,
  limit: number,
): Program<readonly string[]> {
  const rows = yield* run((s) => s.statements.explained({ directory, groupId, removedSince, limit }));
  return rows.map(({ userId }) => userId);
}
