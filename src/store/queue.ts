/** Jobs and deliveries as workers and the inbox ask for them. */
import { and, eq, isNotNull, isNull, or, type SQL, sql } from 'drizzle-orm';
import { type Instant, type Job, PRIORITY } from '../access/model.ts';
import type { Delivery, LeasedJob, Store } from '../access/ports.ts';
import { earliest, endOfLease, leaseQuery } from './queue-statements.ts';
import { toLeasedJob, type Values } from './rows.ts';
import type { Tables } from './schema.ts';
import { type Program, run, type Session } from './session.ts';

type Want = Parameters<Store['lease']>[0];

/** Most urgent first. */
const PRIORITIES: readonly number[] = Object.values(PRIORITY).sort((a, b) => a - b);

/** Lanes are searched by priority: a job of any other one would never be found. */
export function knownPriority(priority: number): number {
  if (!PRIORITIES.includes(priority)) throw new Error(`there is no priority ${priority}`);
  return priority;
}

export function* leaseJobs(want: Want): Program<readonly LeasedJob[]> {
  const { lane } = want;
  const rows = lane === undefined || want.idPrefix ? yield* run(leaseAmong(want)) : yield* leaseOfLane(want, lane);
  // An update gives its rows back in any order.
  rows.sort((a, b) => a.priority - b.priority || a.dueAt - b.dueAt || (a.id < b.id ? -1 : 1));
  return rows.map(toLeasedJob);
}

/** Each question is answered from the front of an index, however many jobs of the lane are due or wait. */
function* leaseOfLane({ kind, priority: only, limit, now, leaseUntil }: Want, lane: string): Program<Leased[]> {
  const values: Values = { kind, lane, now, leaseUntil, ...span(only) };
  // Those whose holder has had its time have waited longest.
  const rows = yield* run((s) => s.statements.leaseLapsed({ ...values, limit }));
  for (const priority of only === undefined ? PRIORITIES : [only]) {
    const left = limit - rows.length;
    if (left <= 0) break;
    rows.push(...(yield* run((s) => s.statements.leaseFree({ ...values, priority, limit: left }))));
  }
  return rows;
}

function span(only: number | undefined) {
  return { from: only ?? Number.MIN_SAFE_INTEGER, to: only ?? Number.MAX_SAFE_INTEGER };
}

type Leased = Tables['jobs']['$inferSelect'];

/** Not prepared: `expire` asks like this, now and then. */
function leaseAmong({ kind, lane, idPrefix, now, leaseUntil, limit }: Want) {
  return (s: Session) => {
    const { jobs } = s.tables;
    // Not `like`: its wildcards would have to be escaped, and SQLite's takes no notice of case.
    const named = idPrefix?.map((prefix) => sql`substr(${jobs.id}, 1, length(${prefix})) = ${prefix}`);
    const among = and(
      eq(jobs.kind, kind),
      lane === undefined ? undefined : eq(jobs.lane, lane),
      named && or(sql`1 = 0`, ...named),
    );
    const values = { now: sql`${now}`, leaseUntil: sql`${leaseUntil}`, limit };
    return s.fetch(leaseQuery(s.db, s.tables, s.dialect, among, values));
  };
}

export function* readNextDue(
  kind: Job['kind'],
  lane: string | undefined,
  priority: number | undefined,
): Program<Instant | undefined> {
  const found = lane === undefined ? yield* nextAmong(kind) : yield* nextOfLane(kind, lane, priority);
  const instants = found.flatMap(({ at }) => (at === null ? [] : [at]));
  return instants.length === 0 ? undefined : Math.min(...instants);
}

function* nextOfLane(kind: Job['kind'], lane: string, only: number | undefined): Program<{ at: number | null }[]> {
  const found = yield* run((s) => s.statements.nextHeld({ kind, lane, ...span(only) }));
  for (const priority of only === undefined ? PRIORITIES : [only])
    found.push(...(yield* run((s) => s.statements.nextFree({ kind, lane, priority }))));
  return found;
}

function* nextAmong(kind: Job['kind']): Program<{ at: number | null }[]> {
  const among = (s: Session, held: SQL) => and(eq(s.tables.jobs.kind, kind), held);
  const held = yield* run((s) =>
    s.fetch(earliest(s.db, s.tables, endOfLease(s.dialect), among(s, isNotNull(s.tables.jobs.leaseUntil)))),
  );
  const free = yield* run((s) =>
    s.fetch(earliest(s.db, s.tables, sql`due_at`, among(s, isNull(s.tables.jobs.leaseUntil)))),
  );
  return [...held, ...free];
}

export function* takeUnanswered(
  now: Instant,
  leaseUntil: Instant,
  limit: number,
): Program<readonly (Delivery & { readonly attempts: number })[]> {
  const rows = yield* run((s) => s.statements.unanswered({ now, leaseUntil, limit }));
  rows.sort((a, b) => a.receivedAt - b.receivedAt || (a.key < b.key ? -1 : 1));
  return rows.map(({ key, receivedAt, body, attempts }) => ({ key, receivedAt, body, attempts }));
}
