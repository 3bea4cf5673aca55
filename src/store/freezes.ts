/** Freezes, and the row on which everything rests that may open access. */
import { and, asc, desc, eq, getTableColumns, sql } from 'drizzle-orm';
import type { Freezes } from '../access/model.ts';
import { columns, columnsBeside, type Prepare, value } from './prepare.ts';
import { toFreeze } from './rows.ts';
import type { Dialect, Tables } from './schema.ts';
import { type Database, type Program, run } from './session.ts';

export function freezeStatements(db: Database, t: Tables, dialect: Dialect, prepare: Prepare) {
  const { freezes, freezeHead } = t;
  const atVersion = and(eq(freezeHead.id, 1), eq(freezeHead.version, value('was')));
  const head = db.select({ id: freezeHead.id }).from(freezeHead).where(atVersion);
  return {
    // Shared, so that approvals do not wait for one another; a freeze that moves the row waits for all of them, and
    // those that come after it find another version.
    restOnFreezes: prepare(
      'rest_on_freezes',
      dialect === 'sqlite' ? head : (head as unknown as { for(strength: 'share'): typeof head }).for('share'),
    ),
    moveFreezes: prepare(
      'move_freezes',
      db
        .update(freezeHead)
        .set({ version: value('version') })
        .where(atVersion)
        .returning({ id: freezeHead.id }),
    ),
    insertFreeze: prepare(
      'insert_freeze',
      db.insert(freezes).values(columns(freezes)).onConflictDoNothing().returning({ id: freezes.id }),
    ),
    updateFreeze: prepare(
      'update_freeze',
      db
        .update(freezes)
        .set(columnsBeside(freezes, 'id'))
        .where(and(eq(freezes.id, value('id')), eq(freezes.version, value('was'))))
        .returning({ id: freezes.id }),
    ),
    freeze: prepare(
      'freeze',
      db
        .select()
        .from(freezes)
        .where(eq(freezes.id, value('id'))),
    ),
    // One statement, so that the version and the freezes are of one moment however they are read.
    liveFreezes: prepare(
      'live_freezes',
      db
        .select({ head: freezeHead.version, freeze: getTableColumns(freezes) })
        .from(freezeHead)
        .leftJoin(freezes, sql`${freezes.liftedAt} is null`)
        .where(eq(freezeHead.id, 1))
        .orderBy(asc(freezes.at), desc(freezes.id)),
    ),
  };
}

export function* readFreezes(): Program<Freezes> {
  const rows = yield* run((s) => s.statements.liveFreezes({}));
  const [first] = rows;
  if (first === undefined) throw new Error('the database has lost the row that freezes rest on');
  return { version: first.head, live: rows.flatMap(({ freeze }) => (freeze === null ? [] : [toFreeze(freeze)])) };
}
