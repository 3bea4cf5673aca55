/** Freezes, revocations and reviews, and the row on which everything rests that may open access. */
import { and, asc, desc, eq, getTableColumns, inArray, sql } from 'drizzle-orm';
import type { Freezes, Grant, GrantId } from '../access/model.ts';
import { columns, columnsBeside, type Prepare, value } from './prepare.ts';
import { toFreeze, toGrant } from './rows.ts';
import type { Dialect, Tables } from './schema.ts';
import { type Database, type Program, run } from './session.ts';

export function freezeStatements(db: Database, t: Tables, dialect: Dialect, prepare: Prepare) {
  const { freezes, freezeHead, revocations, reviews } = t;
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
    revocation: prepare(
      'revocation',
      db
        .select()
        .from(revocations)
        .where(eq(revocations.id, value('id'))),
    ),
    insertRevocation: prepare(
      'insert_revocation',
      db.insert(revocations).values(columns(revocations)).onConflictDoNothing().returning({ id: revocations.id }),
    ),
    updateRevocation: prepare(
      'update_revocation',
      db
        .update(revocations)
        .set(columnsBeside(revocations, 'id'))
        .where(and(eq(revocations.id, value('id')), eq(revocations.version, value('was'))))
        .returning({ id: revocations.id }),
    ),
    ...reviewStatements(db, reviews, prepare),
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

function reviewStatements(db: Database, reviews: Tables['reviews'], prepare: Prepare) {
  const open = sql`${reviews.state} = 'open'`;
  const limit = sql.placeholder('limit');
  const found = () => db.select().from(reviews);
  return {
    review: prepare('review', found().where(eq(reviews.id, value('id')))),
    reviewOf: prepare('review_of', found().where(eq(reviews.requestId, value('requestId')))),
    openReviews: prepare(
      'open_reviews',
      found().where(open).orderBy(asc(reviews.createdAt), asc(reviews.id)).limit(limit),
    ),
    openReviewsOf: prepare(
      'open_reviews_of',
      found()
        .where(and(open, eq(reviews.holder, value('holder'))))
        .orderBy(asc(reviews.createdAt), asc(reviews.id))
        .limit(limit),
    ),
    insertReview: prepare(
      'insert_review',
      db.insert(reviews).values(columns(reviews)).onConflictDoNothing().returning({ id: reviews.id }),
    ),
    updateReview: prepare(
      'update_review',
      db
        .update(reviews)
        .set(columnsBeside(reviews, 'id'))
        .where(and(eq(reviews.id, value('id')), eq(reviews.version, value('was'))))
        .returning({ id: reviews.id }),
    ),
  };
}

/** So many ids fit into one statement of either database. */
const IDS_AT_ONCE = 500;

export function* readGrants(ids: readonly GrantId[]): Program<readonly Grant[]> {
  const found: Grant[] = [];
  for (let from = 0; from < ids.length; from += IDS_AT_ONCE) {
    const some = ids.slice(from, from + IDS_AT_ONCE);
    const rows = yield* run(({ db, fetch, tables: { grants } }) =>
      fetch(db.select().from(grants).where(inArray(grants.id, some)).orderBy(asc(grants.approvedAt), asc(grants.id))),
    );
    found.push(...rows.map(toGrant));
  }
  return found;
}

export function* readFreezes(): Program<Freezes> {
  const rows = yield* run((s) => s.statements.liveFreezes({}));
  const [first] = rows;
  if (first === undefined) throw new Error('the database has lost the row that freezes rest on');
  return { version: first.head, live: rows.flatMap(({ freeze }) => (freeze === null ? [] : [toFreeze(freeze)])) };
}
