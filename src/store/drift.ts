/** What reconciliation asks of the record: what the ledger holds of a group, and what was found before. */
import { and, asc, eq, gte, or, sql } from 'drizzle-orm';
import type { Drift, Instant, PinnedGroup } from '../access/model.ts';
import type { MembershipRecord } from '../access/ports.ts';
import { columns, type Prepare, value } from './prepare.ts';
import { readMemberships } from './reads.ts';
import { toDrift } from './rows.ts';
import type { Tables } from './schema.ts';
import { type Database, type Program, run } from './session.ts';

export function driftStatements(db: Database, t: Tables, prepare: Prepare) {
  const { drifts, memberships, grantMemberships } = t;
  const limit = sql.placeholder('limit');
  const group = and(eq(memberships.directory, value('directory')), eq(memberships.groupId, value('groupId')));
  const held = sql`exists (
    select 1 from ${grantMemberships} where ${grantMemberships.directory} = ${memberships.directory}
      and ${grantMemberships.groupId} = ${memberships.groupId} and ${grantMemberships.userId} = ${memberships.userId})`;
  return {
    insertDrift: prepare(
      'insert_drift',
      db.insert(drifts).values(columns(drifts)).onConflictDoNothing().returning({ id: drifts.id }),
    ),
    dropDrift: prepare(
      'drop_drift',
      db
        .delete(drifts)
        .where(eq(drifts.id, value('id')))
        .returning({ id: drifts.id }),
    ),
    openDrifts: prepare(
      'open_drifts',
      db.select().from(drifts).orderBy(asc(drifts.sinceAt), asc(drifts.id)).limit(limit),
    ),
    countDrifts: prepare('count_drifts', db.select({ count: sql<number>`count(*)`.mapWith(Number) }).from(drifts)),
    filledGroups: prepare(
      'filled_groups',
      db
        .select({
          directory: memberships.directory,
          groupId: memberships.groupId,
          groupName: sql<string>`max(${memberships.groupName})`,
        })
        .from(memberships)
        .where(sql`${memberships.origin} = 'ours'`)
        .groupBy(memberships.directory, memberships.groupId)
        .orderBy(asc(memberships.directory), asc(memberships.groupId))
        .limit(limit),
    ),
    ledgerOf: prepare(
      'ledger_of',
      db
        .select({ userId: memberships.userId })
        .from(memberships)
        .where(
          and(
            group,
            or(sql`${memberships.origin} <> 'none'`, gte(memberships.removeAcceptedAt, value('removedSince')), held),
          ),
        )
        .orderBy(asc(memberships.userId))
        .limit(limit),
    ),
  };
}

export function* readLedgerOf(
  directory: string,
  groupId: string,
  removedSince: Instant,
  limit: number,
): Program<readonly MembershipRecord[]> {
  const rows = yield* run((s) => s.statements.ledgerOf({ directory, groupId, removedSince, limit }));
  return yield* readMemberships(rows.map(({ userId }) => ({ directory, groupId, userId })));
}

export function* readFilledGroups(limit: number): Program<readonly PinnedGroup[]> {
  return yield* run((s) => s.statements.filledGroups({ limit }));
}

export function* readDrifts(limit: number): Program<readonly Drift[]> {
  return (yield* run((s) => s.statements.openDrifts({ limit }))).map(toDrift);
}
