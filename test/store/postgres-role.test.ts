/** Promise: with the role that the pages describe, Hallpass starts and works, and nobody with its password can touch what happened. */
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import pg from 'pg';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { migrate } from '../../src/store/database.ts';
import { bareDatabase, openTestStore, type TestDatabase } from '../support/databases.ts';
import { startJourney } from '../support/journey.ts';

const page = await readFile(new URL('../../docs/audit.md', import.meta.url), 'utf8');
const documented = /^```sql\n([\s\S]*?)^```$/m.exec(page)?.[1] ?? '';

let database: TestDatabase;
let role: string;
let url: string;
beforeEach(async () => {
  database = await bareDatabase('postgres');
  role = `hallpass_bot_${randomBytes(4).toString('hex')}`;
  await sql(database.url, `create role ${role} login password 'secret'`);
  const as = new URL(database.url);
  as.username = role;
  as.password = 'secret';
  url = as.href;
});
afterEach(async () => {
  await sql(database.url, `drop owned by ${role}; drop role ${role}`);
  await database.drop();
});

async function sql(at: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: at });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}

test('what it may not make it says, and who has to', async () => {
  await expect(openTestStore(url)).rejects.toThrow(/Run hallpass migrate with the owner's DATABASE_URL/);
});

test('a whole life of a grant is recorded under it, and none of it can be changed', async () => {
  await migrate(database.url, { now: Date.now });
  expect(documented).toContain('revoke update, delete');
  await sql(database.url, documented.replaceAll('hallpass_bot', role));
  const journey = await startJourney('postgres', { database: { url, drop: async () => undefined } });
  const { id, card } = await journey.ask('ana', 'db-prod 30m fix stuck migration');
  await journey.approve('ben', card, 'ana');
  await (await journey.person('ana').slash(`return ${id}`)).said(6_000);
  await journey.told('ana', /Removed from prod-db-read .*checked/);
  expect((await journey.story(id)).map(({ kind }) => kind)).toContain('membership.proven_absent');
  await journey.end();
  for (const attempt of [
    'update audit_events set actor = actor',
    'delete from audit_events',
    'truncate audit_events cascade',
    'update audit_checkpoints set hash = hash',
    'delete from audit_checkpoints',
    'alter table audit_events disable trigger all',
    'drop trigger audit_events_no_change on audit_events',
    'drop table audit_events cascade',
    'set session_replication_role = replica',
    "insert into hallpass_migrations values (999, 'x', 1)",
  ])
    await expect(sql(url, attempt), attempt).rejects.toThrow(/permission denied|must be owner/);
}, 60_000);
