/** Statements of the jobs and of the inbox. */
import {
  and,
  asc,
  eq,
  gte,
  inArray,
  isNotNull,
  isNull,
  lt,
  lte,
  or,
  type Placeholder,
  type SQL,
  sql,
} from 'drizzle-orm';
import { columns, type Prepare, skippingLocked, value } from './prepare.ts';
import type { Dialect, Tables } from './schema.ts';
import type { Database } from './session.ts';

export function queueStatements(db: Database, t: Tables, dialect: Dialect, prepare: Prepare) {
  const { jobs } = t;
  const settling = and(eq(jobs.id, value('id')), eq(jobs.epoch, value('epoch')));
  const settlingVersion = and(settling, eq(jobs.version, value('version')));
  const freed = { dueAt: value('dueAt'), attempts: value('attempts'), lastError: value('lastError'), leaseUntil: null };
  const ofLane = and(eq(jobs.kind, value('kind')), eq(jobs.lane, value('lane')));
  const ofSpan = and(ofLane, gte(jobs.priority, value('from')), lte(jobs.priority, value('to')));
  const ofPriority = and(ofLane, eq(jobs.priority, value('priority')));

  return {
    job: prepare(
      'job',
      db
        .select()
        .from(jobs)
        .where(eq(jobs.id, value('id'))),
    ),
    // The lease stays with its holder, who learns from the version that there is something newer to see to.
    putJob: prepare(
      'put_job',
      db
        .insert(jobs)
        .values({
          ...columns(jobs, ['id', 'kind', 'lane', 'priority', 'dueAt', 'payload', 'epoch']),
          version: 1,
          attempts: 0,
        })
        .onConflictDoUpdate({
          target: jobs.id,
          set: {
            ...columns(jobs, ['kind', 'lane', 'priority', 'dueAt', 'payload']),
            version: sql`${jobs.version} + 1`,
            attempts: 0,
            lastError: null,
          },
        })
        .returning({ version: jobs.version }),
    ),
    dropJob: prepare(
      'drop_job',
      db
        .delete(jobs)
        .where(eq(jobs.id, value('id')))
        .returning({ id: jobs.id }),
    ),
    keepJob: prepare(
      'keep_job',
      db
        .update(jobs)
        .set({ leaseUntil: value('leaseUntil') })
        .where(settling)
        .returning({ id: jobs.id }),
    ),
    doneJob: prepare('done_job', db.delete(jobs).where(settlingVersion).returning({ id: jobs.id })),
    laterJob: prepare('later_job', db.update(jobs).set(freed).where(settlingVersion).returning({ id: jobs.id })),
    laterJobAt: prepare(
      'later_job_at',
      db
        .update(jobs)
        .set({ ...freed, priority: value('priority') })
        .where(settlingVersion)
        .returning({ id: jobs.id }),
    ),
    leaseFree: prepare('lease_free', leaseQuery(db, t, dialect, and(ofPriority, isNull(jobs.leaseUntil)))),
    leaseLapsed: prepare('lease_lapsed', leaseQuery(db, t, dialect, and(ofSpan, isNotNull(jobs.leaseUntil)))),
    nextFree: prepare('next_free', earliest(db, t, sql`due_at`, and(ofPriority, isNull(jobs.leaseUntil)))),
    nextHeld: prepare('next_held', earliest(db, t, endOfLease(dialect), and(ofSpan, isNotNull(jobs.leaseUntil)))),
  };
}

/** When a job that is held now can be leased again. */
export function endOfLease(dialect: Dialect): SQL {
  return dialect === 'sqlite' ? sql`max(due_at, lease_until)` : sql`greatest(due_at, lease_until)`;
}

export function earliest(db: Database, { jobs }: Tables, at: SQL, among: SQL | undefined) {
  return db
    .select({ at: sql<number | null>`min(${at})`.mapWith(Number) })
    .from(jobs)
    .where(among);
}

/**
 * Takes due jobs, among those the condition names. The select is a CTE because Postgres may otherwise run it once for
 * every row it looks at, each time skipping what it has locked before, and so take more than the limit.
 */
export function leaseQuery(
  db: Database,
  { jobs }: Tables,
  dialect: Dialect,
  among: SQL | undefined,
  { now, leaseUntil, limit }: { now: SQL; leaseUntil: SQL; limit: Placeholder | number } = {
    now: value('now'),
    leaseUntil: value('leaseUntil'),
    limit: sql.placeholder('limit'),
  },
) {
  const free = or(isNull(jobs.leaseUntil), lte(jobs.leaseUntil, now));
  const due = db.$with('due').as(
    skippingLocked(
      dialect,
      db
        .select({ id: jobs.id })
        .from(jobs)
        .where(and(among, lte(jobs.dueAt, now), free))
        .orderBy(asc(jobs.priority), asc(jobs.dueAt), asc(jobs.id))
        .limit(limit),
    ),
  );
  return db
    .with(due)
    .update(jobs)
    .set({ leaseUntil, epoch: sql`${jobs.epoch} + 1` })
    .where(inArray(jobs.id, db.select({ id: due.id }).from(due)))
    .returning();
}

export function inboxStatements(db: Database, { deliveries }: Tables, dialect: Dialect, prepare: Prepare) {
  const waiting = db.$with('waiting').as(
    skippingLocked(
      dialect,
      db
        .select({ key: deliveries.key })
        .from(deliveries)
        .where(and(isNull(deliveries.answeredAt), lte(deliveries.leaseUntil, value('now'))))
        .orderBy(asc(deliveries.receivedAt), asc(deliveries.key))
        .limit(sql.placeholder('limit')),
    ),
  );
  return {
    receive: prepare(
      'receive',
      db
        .insert(deliveries)
        .values({ ...columns(deliveries, ['key', 'receivedAt', 'body', 'leaseUntil', 'answeredAt']), attempts: 0 })
        .onConflictDoNothing()
        .returning({ key: deliveries.key }),
    ),
    unanswered: prepare(
      'unanswered',
      db
        .with(waiting)
        .update(deliveries)
        .set({ leaseUntil: value('leaseUntil'), attempts: sql`${deliveries.attempts} + 1` })
        .where(inArray(deliveries.key, db.select({ key: waiting.key }).from(waiting)))
        .returning(),
    ),
    answer: prepare(
      'answer',
      db
        .update(deliveries)
        .set({ answeredAt: value('answeredAt') })
        .where(and(eq(deliveries.key, value('key')), isNull(deliveries.answeredAt)))
        .returning({ key: deliveries.key }),
    ),
    forgetDeliveries: prepare(
      'forget_deliveries',
      db
        .delete(deliveries)
        .where(lt(deliveries.answeredAt, value('before')))
        .returning({ key: deliveries.key }),
    ),
  };
}
