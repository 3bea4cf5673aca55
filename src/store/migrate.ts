/**
 * Brings a database up to the schema this code knows; never past it, never down.
 *
 * Not drizzle's migrator: that one goes by timestamps, takes no lock, so that two replicas starting together would both
 * migrate, and runs happily on a database from the future, whose rows this code would misread.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type Client from 'better-sqlite3';
import pg from 'pg';
import type { Instant } from '../access/model.ts';

const LEDGER = `create table if not exists hallpass_migrations
  (position integer primary key, tag text not null, applied_at bigint not null)`;
const APPLIED = 'select position, tag from hallpass_migrations order by position';

/** Any number will do that nothing else in the database locks. */
const LOCK = 4_711_200_306;

export interface Migration {
  readonly tag: string;
  readonly statements: readonly string[];
}

/** In order, from drizzle-kit's journal. */
export function readMigrations(folder: string): readonly Migration[] {
  const journal = JSON.parse(readFileSync(join(folder, 'meta', '_journal.json'), 'utf8')) as {
    entries: readonly { tag: string }[];
  };
  return journal.entries.map(({ tag }) => ({
    tag,
    statements: readFileSync(join(folder, `${tag}.sql`), 'utf8').split('--> statement-breakpoint'),
  }));
}

/** Those still to be applied. Throws when the database has seen others than these, or more. */
function pending(known: readonly Migration[], applied: readonly { tag: string }[]) {
  for (const [position, { tag }] of applied.entries()) {
    if (known[position]?.tag !== tag) {
      throw new Error(
        `The database has migration ${tag}, which this version of Hallpass does not know. Start the version that made it, or a newer one.`,
      );
    }
  }
  return known.map((migration, position) => ({ ...migration, position })).slice(applied.length);
}

/** Returns the tags it applied. All or none of them. */
export function migrateSqlite(client: Client.Database, folder: string, now: Instant): readonly string[] {
  const known = readMigrations(folder);
  const apply = client.transaction(() => {
    client.exec(LEDGER);
    const todo = pending(known, client.prepare<[], { tag: string }>(APPLIED).all());
    const note = client.prepare('insert into hallpass_migrations (position, tag, applied_at) values (?, ?, ?)');
    for (const { position, tag, statements } of todo) {
      for (const statement of statements) client.exec(statement);
      note.run(position, tag, now);
    }
    return todo.map(({ tag }) => tag);
  });
  // The write lock first: of two processes that start together, the second waits and finds nothing left to do.
  return apply.immediate();
}

/** What is still to be applied; absent on a database that was never migrated. */
async function missing(client: pg.Client, known: readonly Migration[]): Promise<readonly Migration[] | undefined> {
  const { rows } = await client.query<{ there: boolean }>(
    "select to_regclass('hallpass_migrations') is not null as there",
  );
  if (rows[0]?.there !== true) return undefined;
  return pending(known, (await client.query<{ position: number; tag: string }>(APPLIED)).rows);
}

/** `insufficient_privilege`. */
function mayNot(error: unknown): error is Error {
  return error instanceof Error && 'code' in error && error.code === '42501';
}

/** As for SQLite. Uses its own connection, since a migration may take longer than any statement of ours. */
export async function migratePostgres(url: string, folder: string, now: Instant): Promise<readonly string[]> {
  const known = readMigrations(folder);
  const client = new pg.Client({ connectionString: url, application_name: 'hallpass migrate' });
  client.on('error', () => undefined);
  await client.connect();
  try {
    // Looked at first: the role that Hallpass runs as need not be allowed to make tables, once they are made.
    const todoNow = await missing(client, known);
    if (todoNow?.length === 0) return [];
    await client.query('begin');
    await client.query('select pg_advisory_xact_lock($1)', [LOCK]);
    await client.query(LEDGER);
    const todo = pending(known, (await client.query<{ tag: string }>(APPLIED)).rows);
    for (const { position, tag, statements } of todo) {
      await client.query(statements.join(';'));
      await client.query('insert into hallpass_migrations (position, tag, applied_at) values ($1, $2, $3)', [
        position,
        tag,
        now,
      ]);
    }
    await client.query('commit');
    return todo.map(({ tag }) => tag);
  } catch (error) {
    if (!mayNot(error)) throw error;
    throw new Error(
      `The database is not up to date, and this role may not change that. Run hallpass migrate with the owner's DATABASE_URL (${error.message}).`,
      { cause: error },
    );
  } finally {
    // Ending the connection undoes whatever was not committed.
    await client.end();
  }
}
