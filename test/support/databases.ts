/** New, empty databases for tests. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getTableName } from 'drizzle-orm';
import pg from 'pg';
import { inject } from 'vitest';
import { type Dialect, defineTables } from '../../src/store/schema.ts';

import type { TestPostgres } from './postgres-server.ts';

export { openTestStore, sha256 } from './open-store.ts';

export interface TestDatabase {
  readonly url: string;
  drop(): Promise<void>;
}

/**
 * A database with no rows, for one test or one file. On Postgres it may be one that an earlier test has dropped: making
 * one takes a quarter of a second, and emptying one hardly anything.
 */
export async function freshDatabase(dialect: Dialect): Promise<TestDatabase> {
  if (dialect === 'sqlite') return bareDatabase(dialect);
  const used = dropped.pop();
  if (used === undefined) {
    const made = await bareDatabase(dialect);
    return { url: made.url, drop: () => emptied(made.url, made.drop) };
  }
  return { url: used.url, drop: () => emptied(used.url, used.drop) };
}

let asked: Promise<TestPostgres> | undefined;

/** The server of this run, which begins when it is asked for. */
export function testPostgres(): Promise<TestPostgres> {
  asked ??= fetch(inject('postgres')).then(async (answer) => (await answer.json()) as TestPostgres);
  return asked;
}

/** A database with nothing in it, not even tables. */
export async function bareDatabase(dialect: Dialect): Promise<TestDatabase> {
  if (dialect === 'sqlite') {
    const folder = await mkdtemp(join(tmpdir(), 'hallpass-sqlite-'));
    return {
      url: `sqlite:${join(folder, 'hallpass.db')}`,
      drop: () => rm(folder, { recursive: true, force: true }),
    };
  }
  const server = await testPostgres();
  if ('missing' in server) throw new Error(`This test needs Postgres. ${server.missing}`);
  const name = `${server.prefix}${randomBytes(6).toString('hex')}`;
  await onServer(server.url, `create database ${name}`);
  const url = new URL(server.url);
  url.pathname = `/${name}`;
  return { url: url.href, drop: () => onServer(server.url, `drop database if exists ${name} with (force)`) };
}

/** Emptied Postgres databases of this worker; what is left at the end goes with the run. */
const dropped: TestDatabase[] = [];

const TABLES = Object.values(defineTables('postgres')).map((table) => getTableName(table));

async function emptied(url: string, drop: () => Promise<void>): Promise<void> {
  const deletes = TABLES.filter((name) => !name.endsWith('_head')).map((name) => `delete from ${name}`);
  const head = `update chain_head set seq = 0, hash = repeat('0', 64); update freeze_head set version = 0`;
  try {
    // As a replica would: without the triggers that keep the audit trail from being emptied.
    await onServer(url, ['set session_replication_role = replica', ...deletes, head].join('; '));
    dropped.push({ url, drop });
  } catch {
    await drop();
  }
}

async function onServer(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}
