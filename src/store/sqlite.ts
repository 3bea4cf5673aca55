/**
 * One file, one connection: a sequence runs from its first statement to its last without anything in between.
 *
 * Making a commit durable costs far more than writing it, so writes that arrive in the same turn of the event loop share
 * one transaction, each in a savepoint of its own: none resolves before all of them are on the disk.
 */
import Client from 'better-sqlite3';
import { drizzle } from 'drizzle-orm/better-sqlite3';
import { StaleStateError } from '../access/ports.ts';
import { defineTables } from './schema.ts';
import type { Driver, Program, Session } from './session.ts';
import { prepareStatements } from './statements.ts';

/** How long a second process waits for the first one's transaction; ours take milliseconds. */
const BUSY_TIMEOUT_MS = 5_000;

/** Writes in one transaction: none waits for longer than these take. */
const TOGETHER_MAX = 64;

/**
 * Pages written before they are carried over from the log to the file; a page written a hundred times is carried once.
 * The default of 1,000 is used up by a few dozen busy commits, each time with two more waits for the disk.
 */
const CHECKPOINT_PAGES = 8_000;
/** Kibibytes of the file kept at hand; the default of 2,000 is less than the indexes of a busy month. */
const CACHE_KIB = 32_000;

interface Waiting {
  readonly make: () => Program<unknown>;
  /** Never stale, so that it is not undone by itself and needs no savepoint. */
  readonly plain: boolean;
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

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
    whenFree(() => setPragma(client, 'journal_mode', 'wal', path === ':memory:' ? 'memory' : 'wal'));
    setPragma(client, 'synchronous', 'full', 2);
    setPragma(client, 'foreign_keys', 'on', 1);
    setPragma(client, 'busy_timeout', BUSY_TIMEOUT_MS, BUSY_TIMEOUT_MS);
    setPragma(client, 'cache_size', -CACHE_KIB, -CACHE_KIB);
    setPragma(client, 'wal_autocheckpoint', CHECKPOINT_PAGES, CHECKPOINT_PAGES);
  } catch (error) {
    client.close();
    throw error;
  }
  return client;
}

const FREE_LOOK_MS = 20;

/**
 * Changing the journal mode does not wait for another process that is opening the same new file, whatever the busy
 * timeout says, so the waiting is done here. At opening only, when there is nothing else this process could do.
 */
function whenFree(change: () => void): void {
  const pause = new Int32Array(new SharedArrayBuffer(4));
  for (let left = BUSY_TIMEOUT_MS / FREE_LOOK_MS; ; left--)
    try {
      change();
      return;
    } catch (error) {
      if (left <= 0 || !(error instanceof Client.SqliteError) || !error.code.startsWith('SQLITE_BUSY')) throw error;
      Atomics.wait(pause, 0, 0, FREE_LOOK_MS);
    }
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
  // Inside another one it becomes a savepoint.
  const transaction = client.transaction((program: Program<unknown>) => {
    const result = runAll(program);
    // A full disk or a trigger can end the transaction from inside; what follows would have been committed singly.
    if (!client.inTransaction) throw new Error('the transaction was ended by SQLite itself');
    return result;
  });

  let waiting: Waiting[] = [];
  let flushing: NodeJS.Immediate | undefined;

  function write<T>(make: () => Program<T>, plain = false): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      waiting.push({ make, plain, resolve: (value) => resolve(value as T), reject });
      // Not a microtask: what this turn's other sockets bring in is to share the commit.
      flushing ??= setImmediate(flush);
    });
  }

  function flush(): void {
    if (flushing !== undefined) clearImmediate(flushing);
    flushing = undefined;
    while (waiting.length > 0) {
      const batch = waiting.slice(0, TOGETHER_MAX);
      waiting = waiting.slice(TOGETHER_MAX);
      if (batch.length === 1 || !together(batch)) for (const one of batch) alone(one);
    }
  }

  function alone({ make, resolve, reject }: Waiting): void {
    try {
      // Immediate, since a transaction that begins by reading may be refused the write lock without any waiting.
      resolve(transaction.immediate(make()));
    } catch (error) {
      reject(error);
    }
  }

  let begun = false;
  const shared = client.transaction((batch: readonly Waiting[], settled: (() => void)[]) => {
    begun = true;
    for (const { make, plain, resolve, reject } of batch) {
      // What an earlier one wrote is gone with the transaction, and what a later one writes would stand alone.
      if (!client.inTransaction) throw new Error('the transaction was ended by SQLite itself');
      try {
        const result = plain ? runAll(make()) : transaction(make());
        settled.push(() => resolve(result));
      } catch (error) {
        // Its savepoint is undone, and the others are none the wiser.
        if (!(error instanceof StaleStateError) || !client.inTransaction) throw error;
        settled.push(() => reject(error));
      }
    }
  });

  /** `false`: nothing of it was written, and each has to be tried by itself to learn whose fault it was. */
  function together(batch: readonly Waiting[]): boolean {
    const settled: (() => void)[] = [];
    begun = false;
    try {
      shared.immediate(batch, settled);
    } catch (error) {
      if (begun && settled.length < batch.length) return false;
      // It never began, and each by itself would wait as long for the lock; or the commit itself failed, and what may
      // be written after all would be written twice.
      for (const { reject } of batch) reject(error);
      return true;
    }
    for (const settle of settled) settle();
    return true;
  }

  return {
    dialect: 'sqlite',
    write,
    writeOne: (make) => write(make, true),
    snapshot: async <T>(program: Program<T>) => transaction.deferred(program) as T,
    each: async (program) => runAll(program),
    serverTime: () => Promise.resolve(undefined),
    durability: async () => ({
      journal_mode: String(client.pragma('journal_mode', { simple: true })),
      synchronous: String(client.pragma('synchronous', { simple: true })),
    }),
    close: async () => {
      flush();
      client.close();
    },
  };
}
