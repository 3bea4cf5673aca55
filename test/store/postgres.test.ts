import pg from 'pg';
import { expect, test } from 'vitest';
import { storeContract } from '../contracts/store.ts';
import { freshDatabase, openTestStore } from '../support/databases.ts';

async function sql(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}

storeContract({ name: 'Postgres', fresh: () => freshDatabase('postgres'), sql });

test('a store survives the loss of all its connections', async () => {
  const { url, drop } = await freshDatabase('postgres');
  const store = await openTestStore(url);
  await Promise.all([store.list({ limit: 1 }), store.list({ limit: 1 })]);
  await sql(url, 'select pg_terminate_backend(pid) from pg_stat_activity where application_name = $$hallpass$$');
  // The first use may still meet a connection that does not know yet; the pool throws that one away.
  await expect.poll(() => store.healthy()).toBe(true);
  expect(await store.list({ limit: 1 })).toEqual([]);
  await store.close();
  await drop();
});

test('the audit trail cannot be emptied at once either', async () => {
  const { url, drop } = await freshDatabase('postgres');
  const store = await openTestStore(url);
  await expect(sql(url, 'truncate audit_events cascade')).rejects.toThrow('append-only');
  await store.close();
  await drop();
});
