/** A pool of connections, each with its own prepared statements. */
import { DrizzleQueryError } from 'drizzle-orm/errors';
import { drizzle } from 'drizzle-orm/node-postgres';
import pg from 'pg';
import { StaleStateError } from '../access/ports.ts';
import { defineTables } from './schema.ts';
import type { Database, Driver, Program, Session } from './session.ts';
import { prepareStatements } from './statements.ts';

const DEFAULT_POOL_SIZE = 10;
const CONNECT_TIMEOUT_MS = 5_000;
/** Ours take milliseconds. The server gives up first, so that we learn what became of the statement. */
const STATEMENT_TIMEOUT_MS = 10_000;
const QUERY_TIMEOUT_MS = 15_000;
const LOCK_TIMEOUT_MS = 5_000;

/** Someone else's transaction won: `serialization_failure`, `deadlock_detected`. */
const LOST_TO_ANOTHER = new Set(['40001', '40P01']);

export function connectPostgres(url: string, poolSize = DEFAULT_POOL_SIZE): pg.Pool {
  const pool = new pg.Pool({
    connectionString: url,
    max: poolSize,
    application_name: 'hallpass',
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    statement_timeout: STATEMENT_TIMEOUT_MS,
    query_timeout: QUERY_TIMEOUT_MS,
    lock_timeout: LOCK_TIMEOUT_MS,
    idle_in_transaction_session_timeout: QUERY_TIMEOUT_MS,
    keepAlive: true,
  });
  // An idle connection that breaks has already left the pool; without a listener the event would end the process.
  pool.on('error', () => undefined);
  return pool;
}

export function postgresDriver(pool: pg.Pool): Driver {
  const tables = defineTables('postgres');
  const sessions = new WeakMap<pg.PoolClient, Session>();

  function sessionOf(client: pg.PoolClient): Session {
    const known = sessions.get(client);
    if (known) return known;
    const db = drizzle(client) as unknown as Database;
    const statements = prepareStatements(db, tables, 'postgres');
    const session: Session = {
      dialect: 'postgres',
      db,
      tables,
      statements,
      fetch: <Row>(query: object) => (query as { execute(): Promise<Row[]> }).execute(),
    };
    sessions.set(client, session);
    return session;
  }

  async function runAll<T>(session: Session, program: Program<T>): Promise<T> {
    let step = program.next();
    while (!step.done) step = program.next(await step.value(session));
    return step.value;
  }

  /** Gives the connection back whatever happens, and throws it away when it can no longer be relied on. */
  async function withClient<T>(work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
    const client = await pool.connect();
    let broken = false;
    // A connection that dies between two statements says so by an event, which without a listener ends the process.
    const onError = () => {
      broken = true;
    };
    client.on('error', onError);
    try {
      return await work(client);
    } catch (caught) {
      const error = undressed(caught);
      broken ||= !isAnswer(error);
      throw error;
    } finally {
      client.off('error', onError);
      client.release(broken);
    }
  }

  function transaction<T>(begin: string, program: Program<T>): Promise<T> {
    return withClient(async (client) => {
      await client.query(begin);
      try {
        const result = await runAll(sessionOf(client), program);
        await client.query('commit');
        return result;
      } catch (caught) {
        // Otherwise the connection is thrown away, which undoes as much; a rollback would only wait behind what hangs.
        if (isAnswer(undressed(caught))) await client.query('rollback');
        throw caught;
      }
    });
  }

  return {
    dialect: 'postgres',
    write: (program) => transaction('begin isolation level read committed', program()),
    writeOne: (program) => withClient((client) => runAll(sessionOf(client), program())),
    snapshot: (program) => transaction('begin isolation level repeatable read read only', program),
    each: (program) => withClient((client) => runAll(sessionOf(client), program)),
    // The one place where the database is asked for the time: to agree with other replicas, never to decide anything.
    async serverTime() {
      const { rows } = await pool.query<{ at: string }>(
        'select (extract(epoch from clock_timestamp()) * 1000)::bigint as at',
      );
      return rows[0] === undefined ? undefined : Number(rows[0].at);
    },
    async durability() {
      const { rows } = await pool.query<{ fsync: string; synchronous_commit: string }>(
        "select current_setting('fsync') as fsync, current_setting('synchronous_commit') as synchronous_commit",
      );
      return { ...rows[0] };
    },
    close: () => pool.end(),
  };
}

/**
 * The driver's own error: drizzle's wrapper carries the values in its message, reasons and names among them, and
 * would take them to the log. A lost deadlock is a stale decision like any other.
 */
function undressed(caught: unknown): unknown {
  const error = caught instanceof DrizzleQueryError ? caught.cause : caught;
  return LOST_TO_ANOTHER.has(codeOf(error)) ? new StaleStateError('a row that another commit holds') : error;
}

/** Whether the connection is as good as before: our own guard spoke, or the server did and lives on. */
function isAnswer(error: unknown): boolean {
  return error instanceof StaleStateError || /^(?!57P)[0-9A-Z]{5}$/.test(codeOf(error));
}

function codeOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : '';
}
