/** What all prepared statements are made with. */
import { getTableColumns, sql } from 'drizzle-orm';
import type { SQLiteTable } from 'drizzle-orm/sqlite-core';
import type { Values } from './rows.ts';
import type { Dialect } from './schema.ts';
import type { Rows } from './session.ts';

export type Statement<Row> = (values: Values) => Rows<Row>;

interface Query<Row> {
  prepare(): { all(values?: Record<string, unknown>): Row[] };
}
/** What drizzle's Postgres queries offer instead; a name lets the server keep the plan for the connection. */
interface PostgresQuery<Row> {
  prepare(name: string): { execute(values?: Record<string, unknown>): Promise<Row[]> };
}

export type Prepare = <Row>(name: string, query: Query<Row>) => Statement<Row>;

export function preparer(dialect: Dialect): Prepare {
  if (dialect === 'sqlite') {
    return (_name, query) => {
      const prepared = query.prepare();
      return (values) => prepared.all(values);
    };
  }
  return <Row>(name: string, query: Query<Row>) => {
    const prepared = (query as unknown as PostgresQuery<Row>).prepare(name);
    return (values) => prepared.execute(values);
  };
}

export const value = (name: string) => sql`${sql.placeholder(name)}`;

const columnNames = (table: SQLiteTable) => Object.keys(getTableColumns(table));

/** A placeholder for each column, under the column's own name. */
export function columns<T extends SQLiteTable>(table: T, among = columnNames(table)) {
  return Object.fromEntries(among.map((name) => [name, value(name)])) as unknown as T['$inferInsert'];
}

/**
 * The same without the key, for updates: a key that is set, even to what it was, has SQLite look through every table
 * that refers to it.
 */
export function columnsBeside<T extends SQLiteTable>(table: T, ...keys: (keyof T['$inferInsert'] & string)[]) {
  const rest = columnNames(table).filter((name) => !keys.some((key) => key === name));
  return columns(table, rest) as Omit<T['$inferInsert'], (typeof keys)[number]> & Partial<T['$inferInsert']>;
}

/**
 * A value for each of the table's columns, null where the record says nothing. What has no column is our mistake and
 * said at once: dropped in silence it would be missing only later, and only sometimes.
 */
export function valuesFor(table: SQLiteTable, record: object): Record<string, string | number | null> {
  const given = record as Record<string, string | number | null | undefined>;
  const known = getTableColumns(table);
  for (const name of Object.keys(given))
    if (!Object.hasOwn(known, name)) throw new Error(`there is no column for ${name}`);
  return Object.fromEntries(columnNames(table).map((name) => [name, given[name] ?? null]));
}

/** Postgres: passes over rows that another worker is about to take, so that two workers never wait for one another. */
export function skippingLocked<Q extends object>(dialect: Dialect, query: Q): Q {
  if (dialect === 'sqlite') return query;
  return (query as unknown as { for(strength: 'update', how: object): Q }).for('update', { skipLocked: true });
}
