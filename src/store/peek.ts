/** A look into a database without touching it: not migrated, not even made. */
import { existsSync } from 'node:fs';
import Client from 'better-sqlite3';
import pg from 'pg';

/** A record without requests and one without tables are alike: nobody's. */
const REQUESTERS = 'select distinct requester from requests limit 1000';
const NO_SUCH_TABLE = '42P01';
const CONNECT_WITHIN_MS = 5_000;

/** Ids of people who have requested something in that record. Throws when the database cannot be reached. */
export async function requestersIn(url: string): Promise<readonly string[]> {
  const path = /^sqlite:(.+)$/.exec(url)?.[1];
  if (path === undefined) return await requestersInPostgres(url);
  if (path === ':memory:' || !existsSync(path)) return [];
  const client = new Client(path, { readonly: true });
  try {
    const made = client.prepare("select 1 from sqlite_master where name = 'requests'").get() !== undefined;
    return made ? client.prepare<[], string>(REQUESTERS).pluck().all() : [];
  } finally {
    client.close();
  }
}

async function requestersInPostgres(connectionString: string): Promise<readonly string[]> {
  const client = new pg.Client({ connectionString, connectionTimeoutMillis: CONNECT_WITHIN_MS });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return (await client.query<{ requester: string }>(REQUESTERS)).rows.map(({ requester }) => requester);
  } catch (error) {
    if (error instanceof pg.DatabaseError && error.code === NO_SUCH_TABLE) return [];
    throw error;
  } finally {
    await client.end();
  }
}
