/** Jobs and deliveries as workers and the inbox ask for them. */
import { and, eq, or, sql } from 'drizzle-orm';
import type { Instant, Job } from '../access/model.ts';
import type { Delivery, LeasedJob, Store } from '../access/ports.ts';
import { leaseQuery } from './queue-statements.ts';
import { toLeasedJob, type Values } from './rows.ts';
import { type Program, run, type Session } from './session.ts';

export function* leaseJobs(want: Parameters<Store['lease']>[0]): Program<readonly LeasedJob[]> {
  const { kind, lane, limit, now, leaseUntil, idPrefix } = want;
  const values: Values = { kind, limit, now, leaseUntil };
  const rows = yield* run((s) => {
    if (idPrefix) return leaseByPrefix(want, idPrefix)(s);
    return lane === undefined ? s.statements.leaseKind(values) : s.statements.leaseLane({ ...values, lane });
  });
  // An update gives its rows back in any order.
  rows.sort((a, b) => a.priority - b.priority || a.dueAt - b.dueAt || (a.id < b.id ? -1 : 1));
  return rows.map(toLeasedJob);
}

/** Not prepared: `expire` asks like this, once. */
function leaseByPrefix(want: Parameters<Store['lease']>[0], prefixes: readonly string[]) {
  return (s: Session) => {
    const { jobs } = s.tables;
    // Not `like`: its wildcards would have to be escaped, and SQLite's takes no notice of case.
    const named = prefixes.map((prefix) => sql`substr(${jobs.id}, 1, length(${prefix})) = ${prefix}`);
    const among = and(
      eq(jobs.kind, want.kind),
      want.lane === undefined ? undefined : eq(jobs.lane, want.lane),
      or(sql`1 = 0`, ...named),
    );
    const { now, leaseUntil, limit } = want;
    const values = { now: sql`${now}`, leaseUntil: sql`${leaseUntil}`, limit };
    return s.fetch(leaseQuery(s.db, s.tables, s.dialect, among, values));
  };
}

export function* readNextDue(kind: Job['kind'], lane: string | undefined): Program<Instant | undefined> {
  // Two questions, each answered from an index; asked as one, every job of the kind would be looked at.
  const found = yield* run((s) =>
    lane === undefined ? s.statements.nextFree({ kind }) : s.statements.nextFreeInLane({ kind, lane }),
  );
  const leased = yield* run((s) =>
    lane === undefined ? s.statements.nextLeased({ kind }) : s.statements.nextLeasedInLane({ kind, lane }),
  );
  const instants = [...found, ...leased].flatMap(({ at }) => (at === null ? [] : [at]));
  return instants.length === 0 ? undefined : Math.min(...instants);
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
