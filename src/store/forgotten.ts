/** What is owed and has no job: the sweep's questions. Normally every answer is empty. */
import { and, asc, eq, lte, notExists, or, type SQL, sql } from 'drizzle-orm';
import { type Prepare, value } from './prepare.ts';
import type { Tables } from './schema.ts';
import type { Database } from './session.ts';

export function forgottenStatements(db: Database, t: Tables, prepare: Prepare) {
  const { requests, grants, grantMemberships, memberships, jobs } = t;
  const limit = sql.placeholder('limit');
  const job = (id: SQL) => db.select({ id: jobs.id }).from(jobs).where(eq(jobs.id, id));
  const held = and(
    eq(grantMemberships.directory, memberships.directory),
    eq(grantMemberships.groupId, memberships.groupId),
    eq(grantMemberships.userId, memberships.userId),
  );
  // Constants are written out, here and below: SQLite uses a partial index only for a condition it can see through.
  const live = sql`${grants.state} <> 'ended' and ${grants.state} <> 'ending'`;
  const holding = db
    .select({ id: grants.id })
    .from(grantMemberships)
    .innerJoin(grants, eq(grants.id, grantMemberships.grantId));
  const owed = and(sql`${memberships.origin} = 'ours'`, notExists(holding.where(and(held, live))));
  // An ending grant of which nothing is being worked on: it is looked at again, and closes if nothing is owed.
  const stuck = sql`exists (
    select 1 from grant_memberships gm join grants g on g.id = gm.grant_id
    where g.state = 'ending' and gm.directory = ${memberships.directory}
      and gm.group_id = ${memberships.groupId} and gm.user_id = ${memberships.userId}
      and not exists (
        select 1 from grant_memberships om
        join jobs j on j.id = 'op:' || om.directory || ':' || om.group_id || ':' || om.user_id
        where om.grant_id = g.id))`;
  const end = sql<number>`coalesce(${grants.expiresAt}, ${grants.hardEndAt})`;
  // Owed since the first of its grants began to end; where that grant's paper is closed, since we last touched it.
  const endedAt = db
    .select({ at: sql`min(${grants.endingAt})` })
    .from(grantMemberships)
    .innerJoin(grants, eq(grants.id, grantMemberships.grantId))
    .where(held);
  const since = sql`coalesce(${endedAt}, ${memberships.removeStartedAt}, ${memberships.addStartedAt}, 0)`;

  return {
    forgottenEnds: prepare(
      'forgotten_ends',
      db
        .select({ id: grants.id })
        .from(grants)
        .where(and(live, lte(end, value('now')), notExists(job(sql`'end:' || ${grants.id}`))))
        .orderBy(asc(end), asc(grants.id))
        .limit(limit),
    ),
    overdueEnds: prepare(
      'overdue_ends',
      db
        .select({ id: grants.id })
        .from(grants)
        .where(and(live, lte(end, value('now'))))
        .orderBy(asc(end), asc(grants.id))
        .limit(limit),
    ),
    forgottenAdditions: prepare(
      'forgotten_additions',
      db
        .select({ id: grants.id })
        .from(grants)
        .where(
          and(
            live,
            eq(grants.state, 'adding'),
            lte(grants.addBy, value('now')),
            notExists(job(sql`'addby:' || ${grants.id}`)),
          ),
        )
        .orderBy(asc(grants.addBy), asc(grants.id))
        .limit(limit),
    ),
    forgottenLapses: prepare(
      'forgotten_lapses',
      db
        .select({ id: requests.id })
        .from(requests)
        .where(
          and(
            sql`${requests.state} = 'pending'`,
            lte(requests.lapsesAt, value('now')),
            notExists(job(sql`'lapse:' || ${requests.id}`)),
          ),
        )
        .orderBy(asc(requests.lapsesAt), asc(requests.id))
        .limit(limit),
    ),
    forgottenRemovals: prepare(
      'forgotten_removals',
      db
        .select()
        .from(memberships)
        .where(
          and(
            or(owed, stuck),
            notExists(
              job(
                sql`'op:' || ${memberships.directory} || ':' || ${memberships.groupId} || ':' || ${memberships.userId}`,
              ),
            ),
          ),
        )
        .orderBy(asc(since), asc(memberships.directory), asc(memberships.groupId), asc(memberships.userId))
        .limit(limit),
    ),
    countOwed: prepare(
      'count_owed',
      db
        .select({ count: sql<number>`count(*)`.mapWith(Number) })
        .from(memberships)
        .where(owed),
    ),
    owedRemovals: prepare(
      'owed_removals',
      db
        .select()
        .from(memberships)
        .where(owed)
        .orderBy(asc(since), asc(memberships.directory), asc(memberships.groupId), asc(memberships.userId))
        .limit(limit),
    ),
  };
}
