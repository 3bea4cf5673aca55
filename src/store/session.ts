/**
 * How a sequence of statements is written once and run on both databases.
 *
 * better-sqlite3 answers at once and must (a promise inside its transaction would let later writes leak out of it);
 * Postgres answers later. So a sequence is a generator: it yields a step, its driver runs the step and hands the rows
 * back in. The SQLite driver never waits, the Postgres driver always does, and the sequence cannot tell.
 */
import type { BetterSQLite3Database } from 'drizzle-orm/better-sqlite3';
import type { Dialect, Tables } from './schema.ts';
import type { Statements } from './statements.ts';

/** SQLite's type also for Postgres, as with the tables: the builders used here are the same in both. */
export type Database = BetterSQLite3Database;

export type Rows<Row> = Row[] | Promise<Row[]>;

export interface Session {
  readonly dialect: Dialect;
  readonly db: Database;
  readonly tables: Tables;
  readonly statements: Statements;
  /** Runs a query built for the occasion. */
  readonly fetch: <Row>(query: { all(): Row[] }) => Rows<Row>;
}

export type Step = (session: Session) => Rows<unknown>;
export type Program<T> = Generator<Step, T, unknown[]>;

export function* run<Row>(step: (session: Session) => Rows<Row>): Generator<Step, Row[], unknown[]> {
  return (yield step) as Row[];
}

/** One open database. */
export interface Driver {
  readonly dialect: Dialect;
  /**
   * All of it or nothing; sees what others commit meanwhile only by losing to it. Durable when it resolves. The program
   * is made anew for each try.
   */
  write<T>(program: () => Program<T>): Promise<T>;
  /** The same for a program that is never stale, of statements that may stand alone: it needs no transaction of its own. */
  writeOne<T>(program: () => Program<T>): Promise<T>;
  /** Reads that show one moment, however many statements they take. */
  snapshot<T>(program: Program<T>): Promise<T>;
  /** Each statement for itself. */
  each<T>(program: Program<T>): Promise<T>;
  /** The server's wall clock; absent where the database has none but this process's. */
  serverTime(): Promise<number | undefined>;
  /** The settings that a commit's durability rests on, as they hold on the connection that commits. */
  durability(): Promise<Readonly<Record<string, string>>>;
  close(): Promise<void>;
}
