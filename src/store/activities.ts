/** What was done under grants, what was counted of it, and what was found in it. */
import { and, asc, desc, eq, getTableColumns, gt, gte, lt, lte, type SQL, sql } from 'drizzle-orm';
import type { ActivityStore, GrantWindow } from '../access/activity.ts';
import type { PinnedUser } from '../access/model.ts';
import { columns, columnsBeside, type Prepare, value } from './prepare.ts';
import { toActivity, toFinding, toUse } from './rows.ts';
import type { Dialect, Tables } from './schema.ts';
import { type Database, type Driver, run } from './session.ts';

export function activityStatements(db: Database, t: Tables, dialect: Dialect, prepare: Prepare) {
  const { activities, grantUses, sourceCursors, grants, requests } = t;
  const limit = sql.placeholder('limit');
  const windows = () =>
    db
      .select({ grant: getTableColumns(grants), request: getTableColumns(requests) })
      .from(grants)
      .innerJoin(requests, eq(requests.id, grants.requestId));
  const begun = sql`${grants.startsAt} is not null`;
  return {
    // All rows of a commit as one JSON text: bound one by one they cost more than they do.
    insertActivities: prepare(
      'insert_activities',
      db
        .insert(activities)
        .select(rowsFrom(dialect, value('rows'), ACTIVITY_COLUMNS))
        .onConflictDoNothing()
        .returning({ uid: activities.uid }),
    ),
    knownActivities: prepare(
      'known_activities',
      db
        .select({ uid: activities.uid })
        .from(activities)
        .where(
          and(eq(activities.source, value('source')), sql`${activities.uid} in ${textsFrom(dialect, value('uids'))}`),
        ),
    ),
    activitiesOf: prepare(
      'activities_of',
      db
        .select()
        .from(activities)
        .where(eq(activities.grantId, value('grantId')))
        .orderBy(desc(activities.at), desc(activities.uid))
        .limit(limit),
    ),
    use: prepare(
      'use',
      db
        .select()
        .from(grantUses)
        .where(eq(grantUses.grantId, value('grantId'))),
    ),
    uses: prepare(
      'uses',
      db
        .select()
        .from(grantUses)
        .where(sql`${grantUses.grantId} in ${textsFrom(dialect, value('ids'))}`),
    ),
    // One that has moved on since it was read is neither put nor returned.
    putUses: prepare(
      'put_uses',
      db
        .insert(grantUses)
        .select(rowsFrom(dialect, value('rows'), USE_COLUMNS))
        .onConflictDoUpdate({
          target: grantUses.grantId,
          set: {
            version: sql`excluded.version`,
            firstAt: sql`excluded.first_at`,
            content: sql`excluded.content`,
          },
          setWhere: sql`${grantUses.version} = excluded.version - 1`,
        })
        .returning({ id: grantUses.grantId }),
    ),
    usesOf: prepare(
      'uses_of',
      db
        .select()
        .from(grantUses)
        .where(eq(grantUses.person, value('person')))
        .orderBy(desc(grantUses.firstAt), desc(grantUses.grantId))
        .limit(limit),
    ),
    sourceCursor: prepare(
      'source_cursor',
      db
        .select()
        .from(sourceCursors)
        .where(eq(sourceCursors.source, value('source'))),
    ),
    insertSourceCursor: prepare(
      'insert_source_cursor',
      db
        .insert(sourceCursors)
        .values(columns(sourceCursors))
        .onConflictDoNothing()
        .returning({ source: sourceCursors.source }),
    ),
    updateSourceCursor: prepare(
      'update_source_cursor',
      db
        .update(sourceCursors)
        .set(columnsBeside(sourceCursors, 'source'))
        .where(and(eq(sourceCursors.source, value('source')), eq(sourceCursors.version, value('was'))))
        .returning({ source: sourceCursors.source }),
    ),
    windowsOpen: prepare(
      'windows_open',
      windows()
        .where(and(sql`${grants.state} <> 'ended'`, begun, gt(grants.id, value('after'))))
        .orderBy(asc(grants.id))
        .limit(limit),
    ),
    windowsBegun: prepare(
      'windows_begun',
      windows()
        .where(and(gte(grants.startsAt, value('since')), begun))
        .orderBy(asc(grants.startsAt), asc(grants.id))
        .limit(limit),
    ),
    windowsEnded: prepare(
      'windows_ended',
      windows()
        .where(and(gt(grants.endedAt, value('after')), lte(grants.endedAt, value('to')), begun))
        .orderBy(asc(grants.endedAt), asc(grants.id))
        .limit(limit),
    ),
    forgetActivities: prepare(
      'forget_activities',
      db
        .delete(activities)
        .where(
          sql`(${activities.source}, ${activities.uid}) in (${db
            .select({ source: activities.source, uid: activities.uid })
            .from(activities)
            .where(lt(activities.receivedAt, value('before')))
            .orderBy(asc(activities.receivedAt))
            .limit(limit)})`,
        )
        .returning({ uid: activities.uid }),
    ),
  };
}

export function findingStatements(db: Database, t: Tables, prepare: Prepare) {
  const { findings } = t;
  const limit = sql.placeholder('limit');
  return {
    finding: prepare(
      'finding',
      db
        .select()
        .from(findings)
        .where(eq(findings.id, value('id'))),
    ),
    insertFinding: prepare(
      'insert_finding',
      db.insert(findings).values(columns(findings)).onConflictDoNothing().returning({ id: findings.id }),
    ),
    updateFinding: prepare(
      'update_finding',
      db
        .update(findings)
        .set(columnsBeside(findings, 'id'))
        .where(and(eq(findings.id, value('id')), eq(findings.version, value('was'))))
        .returning({ id: findings.id }),
    ),
    findingsOf: prepare(
      'findings_of',
      db
        .select()
        .from(findings)
        .where(eq(findings.grantId, value('grantId')))
        .orderBy(asc(findings.createdAt), asc(findings.id))
        .limit(limit),
    ),
    openFindings: prepare(
      'open_findings',
      db
        .select()
        .from(findings)
        .where(sql`${findings.state} <> 'dismissed' and ${findings.state} <> 'revoked'`)
        .orderBy(asc(findings.createdAt), asc(findings.id))
        .limit(limit),
    ),
    findingsSince: prepare(
      'findings_since',
      db
        .select()
        .from(findings)
        .where(gte(findings.createdAt, value('from')))
        .orderBy(asc(findings.createdAt), asc(findings.id))
        .limit(limit),
    ),
  };
}

/** The columns of a row, in the order in which the table has them. */
const ACTIVITY_COLUMNS = ['text', 'text', 'text', 'text', 'text', 'number', 'number', 'text'] as const;
const USE_COLUMNS = ['text', 'number', 'text', 'number', 'text'] as const;

/** Rows out of a JSON text of arrays. */
function rowsFrom(dialect: Dialect, rows: SQL, of: readonly ('text' | 'number')[]): SQL {
  const columns = of.map((kind, n) => {
    if (dialect === 'sqlite') return sql.raw(`value ->> ${n}`);
    return sql.raw(kind === 'text' ? `row ->> ${n}` : `(row ->> ${n})::bigint`);
  });
  const list = sql.join(columns, sql.raw(', '));
  // Without the `where`, SQLite would take the conflict clause for a part of a join.
  return dialect === 'sqlite'
    ? sql`select ${list} from json_each(${rows}) where true`
    : sql`select ${list} from jsonb_array_elements(${rows}::jsonb) as rows(row)`;
}

function textsFrom(dialect: Dialect, texts: SQL): SQL {
  return dialect === 'sqlite'
    ? sql`(select value from json_each(${texts}))`
    : sql`(select jsonb_array_elements_text(${texts}::jsonb))`;
}

const FINDINGS_MAX = 200;

interface WindowRow {
  readonly grant: Tables['grants']['$inferSelect'];
  readonly request: Tables['requests']['$inferSelect'];
}

function toWindow({ grant, request }: WindowRow): GrantWindow {
  const users = JSON.parse(request.users) as readonly PinnedUser[];
  return {
    grantId: grant.id,
    requestId: grant.requestId,
    holder: grant.holder,
    holderName: grant.holderName,
    entitlement: grant.entitlement,
    resource: request.resource,
    role: request.role,
    reason: request.reason,
    durationMs: grant.durationMs,
    breakGlass: request.breakGlass !== null,
    sessionTailMs: grant.sessionTailMs,
    startsAt: grant.startsAt ?? grant.approvedAt,
    ...(grant.endedAt === null ? {} : { endedAt: grant.endedAt }),
    accounts: [
      ...new Set([
        grant.holder.toLowerCase(),
        ...users.flatMap(({ directory, userId, login }) => [
          `${directory}/${userId}`.toLowerCase(),
          login.toLowerCase(),
        ]),
      ]),
    ],
  };
}

export function activitiesOn({ each, writeOne }: Driver): ActivityStore {
  return {
    async activityOf(grantId) {
      const [row] = await each(run((s) => s.statements.use({ grantId })));
      return row && toUse(row);
    },
    async findingsOf(grantId) {
      return (await each(run((s) => s.statements.findingsOf({ grantId, limit: FINDINGS_MAX })))).map(toFinding);
    },
    async activitiesOf(grantId, limit) {
      return (await each(run((s) => s.statements.activitiesOf({ grantId, limit })))).map(toActivity);
    },
    async finding(id) {
      const [row] = await each(run((s) => s.statements.finding({ id })));
      return row && toFinding(row);
    },
    async openFindings(limit) {
      return (await each(run((s) => s.statements.openFindings({ limit })))).map(toFinding);
    },
    async findingsSince(from, limit) {
      return (await each(run((s) => s.statements.findingsSince({ from, limit })))).map(toFinding);
    },
    async uses(ids) {
      if (ids.length === 0) return [];
      return (await each(run((s) => s.statements.uses({ ids: JSON.stringify(ids) })))).map(toUse);
    },
    async usesOf(person, limit) {
      return (await each(run((s) => s.statements.usesOf({ person, limit })))).map(toUse);
    },
    async knownActivities(source, uids) {
      if (uids.length === 0) return new Set();
      const rows = await each(run((s) => s.statements.knownActivities({ source, uids: JSON.stringify(uids) })));
      return new Set(rows.map(({ uid }) => uid));
    },
    async openWindows(after, limit) {
      return (await each(run((s) => s.statements.windowsOpen({ after, limit })))).map(toWindow);
    },
    async windowsBegun(since, limit) {
      return (await each(run((s) => s.statements.windowsBegun({ since, limit })))).map(toWindow);
    },
    async windowsEnded(after, to, limit) {
      return (await each(run((s) => s.statements.windowsEnded({ after, to, limit })))).map(toWindow);
    },
    async sourceCursor(source) {
      const [row] = await each(run((s) => s.statements.sourceCursor({ source })));
      return row;
    },
    async forgetActivities(before, limit) {
      return (await writeOne(() => run((s) => s.statements.forgetActivities({ before, limit })))).length;
    },
  };
}
