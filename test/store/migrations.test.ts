/**
 * Promise: opening a database brings it to the schema this code knows, whoever else is opening it; a database that a
 * newer Hallpass has changed is refused and left alone.
 */
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { migrate, openStore } from '../../src/store/database.ts';
import { readMigrations } from '../../src/store/migrate.ts';
import { isSoundSqlite } from '../../src/store/sqlite.ts';
import { bareDatabase, openTestStore, sha256 } from '../support/databases.ts';

const now = () => 1_700_000_000_000;
const shipped = join(import.meta.dirname, '../../migrations');

describe.each(['sqlite', 'postgres'] as const)('%s', (dialect) => {
  const known = readMigrations(join(shipped, dialect)).map(({ tag }) => tag);
  const undo: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const step of undo.splice(0).reverse()) await step();
  });

  async function database() {
    const fresh = await bareDatabase(dialect);
    undo.push(fresh.drop);
    return fresh.url;
  }

  /** The shipped migrations and one more, as the next release might bring it. */
  async function nextRelease(statement: string) {
    const folder = await mkdtemp(join(tmpdir(), 'hallpass-migrations-'));
    undo.push(() => rm(folder, { recursive: true }));
    await cp(shipped, folder, { recursive: true });
    const journalFile = join(folder, dialect, 'meta/_journal.json');
    const journal = JSON.parse(await readFile(journalFile, 'utf8')) as { entries: unknown[] };
    journal.entries.push({ ...(journal.entries[0] as object), tag: '9999_next' });
    await writeFile(journalFile, JSON.stringify(journal));
    await writeFile(join(folder, dialect, '9999_next.sql'), statement);
    return folder;
  }

  test('an empty database gets every migration, and none a second time', async () => {
    const url = await database();
    expect(await migrate(url, { now })).toEqual(known);
    expect(await migrate(url, { now })).toEqual([]);
  });

  test('replicas that start together on an empty database all come up', async () => {
    const url = await database();
    const stores = await Promise.all([openTestStore(url), openTestStore(url), openTestStore(url)]);
    expect(await Promise.all(stores.map((store) => store.healthy()))).toEqual([true, true, true]);
    await Promise.all(stores.map((store) => store.close()));
  });

  test('a database from the last release is brought up to this one', async () => {
    const url = await database();
    await migrate(url, { now });
    const migrationsFolder = await nextRelease('alter table messages add column extra text');
    expect(await migrate(url, { now, migrationsFolder })).toEqual(['9999_next']);
  });

  test('a database that a newer release has migrated is refused', async () => {
    const url = await database();
    await migrate(url, { now, migrationsFolder: await nextRelease('alter table messages add column extra text') });
    await expect(openTestStore(url)).rejects.toThrow('migration 9999_next');
    await expect(migrate(url, { now })).rejects.toThrow('migration 9999_next');
  });

  test('a migration that fails leaves the database as it was', async () => {
    const url = await database();
    const migrationsFolder = await nextRelease('alter table no_such_table add column extra text');
    await expect(migrate(url, { now, migrationsFolder })).rejects.toThrow('no_such_table');
    expect(await migrate(url, { now })).toEqual(known);
  });
});

test('a store in memory works like any other', async () => {
  const store = await openTestStore('sqlite::memory:');
  expect(await store.healthy()).toBe(true);
  await store.close();
});

test('a URL of another kind is refused without being repeated', async () => {
  const opening = openStore({ url: 'mysql://root:secret@db/hallpass', now, hash: sha256, salt: () => 'salt' });
  await expect(opening).rejects.toThrow('A database URL begins with sqlite:, postgres:// or postgresql://');
});

test.each([
  ['3.51.3', true],
  ['3.54.1', true],
  ['3.100.0', true],
  ['4.0.0', true],
  ['3.51.2', false],
  ['3.9.10', false],
])('SQLite %s is trusted with the record: %s', (version, sound) => {
  expect(isSoundSqlite(version)).toBe(sound);
});
