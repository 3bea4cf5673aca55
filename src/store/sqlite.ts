/** One file, one connection: a sequence runs from its first statement to its last without anything in between. */
import Client from 'better-sqlite3';
import { drizzle } from 'drizzle-orm/better-sqlite3';
import { defineTables } from './schema.ts';
import type { Driver, Program, Session } from './session.ts';
import { prepareStatements } from './statements.ts';

/** How long a second process waits for the first one's transaction; ours take milliseconds. */
const BUSY_TIMEOUT_MS = 5_000;

/** Before 3.51.3 two connections to a WAL database could, rarely, corrupt it. */
const OLDEST_SQLITE = '3.51.3';

/** Whether SQLite of this version may be trusted with the record. */
export function isSoundSqlite(version: string): boolean {
  return version.localeCompare(OLDEST_SQLITE, 'en', { numeric: true }) >= 0;
}

export function connectSqlite(path: string): Client.Database {
  const client = new Client(path, { timeout: BUSY_TIMEOUT_MS });
  try {
    const version = String(client.prepare('select sqlite_version()').pluck().get());
    if (!isSoundSqlite(version))
      throw new Error(`SQLite ${version} is too old: ${OLDEST_SQLITE} is the oldest supported`);
    // `memory` is all that a database in memory can do.
    setPragma(client, 'journal_mode', 'wal', path === ':memory:' ? 'memory' : 'wal');
    setPragma(client, 'synchronous', 'full', 2);
    setPragma(client, 'foreign_keys', 'on', 1);
    setPragma(client, 'busy_timeout', BUSY_TIMEOUT_MS, BUSY_TIMEOUT_MS);
  } catch (error) {
    client.close();
    throw error;
  }
  return client;
}

/** SQLite ignores a pragma that it cannot honour, so what holds is read back. */
function setPragma(client: Client.Database, name: string, wanted: string | number, expected: string | number): void {
  client.pragma(`${name} = ${wanted}`);
  const actual = client.pragma(name, { simple: true });
  if (actual !== expected) throw new Error(`SQLite did not accept ${name} = ${wanted}; it is ${String(actual)}`);
}

export function sqliteDriver(client: Client.Database): Driver {
  const db = drizzle(client);
  const tables = defineTables('sqlite');
  const statements = prepareStatements(db, tables, 'sqlite');
  const session: Session = { dialect: 'sqlite', db, tables, statements, fetch: (query) => query.all() };

  function runAll<T>(program: Program<T>): T {
    let step = program.next();
    while (!step.done) step = program.next(step.value(session) as unknown[]);
    return step.value;
  }
  const transaction = client.transaction((program: Program<unknown>) => {
    const result = runAll(program);
    // A full disk or a trigger can end the transaction from inside; what follows would have been committed singly.
    if (!client.inTransaction) throw new Error('the transaction was ended by SQLite itself');
    return result;
  });

  return {
    dialect: 'sqlite',
    // Immediate, since a transaction that begins by reading may be refused the write lock without any waiting.
    write: async <T>(program: Program<T>) => transaction.immediate(program) as T,
    snapshot: async <T>(program: Program<T>) => transaction.deferred(program) as T,
    each: async (program) => runAll(program),
    serverTime: () => Promise.resolve(undefined),
    close: async () => {
      client.close();
    },
  };
}
