/** A database is looked into before it is used: one that is not there, that is empty, and that somebody relies on. */
import { existsSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { requestersIn } from '../../src/store/peek.ts';
import { request } from '../support/builders.ts';
import { hallpass } from '../support/cli.ts';
import { bareDatabase, openTestStore, type TestDatabase } from '../support/databases.ts';

const databases: TestDatabase[] = [];
afterEach(async () => {
  for (const database of databases.splice(0)) await database.drop();
});

async function database(dialect: 'sqlite' | 'postgres'): Promise<string> {
  const made = await bareDatabase(dialect);
  databases.push(made);
  return made.url;
}

async function asked(url: string, requester: string): Promise<void> {
  const store = await openTestStore(url);
  await store.commit({ changes: [{ put: 'request', row: request({ requester }) }] });
  await store.close();
}

describe.each(['sqlite', 'postgres'] as const)('a record on %s', (dialect) => {
  it('that was never made has nobody in it, and is not made by looking', async () => {
    const url = await database(dialect);
    expect(await requestersIn(url)).toEqual([]);
    if (dialect === 'sqlite') expect(existsSync(url.slice('sqlite:'.length))).toBe(false);
    expect(await requestersIn(url)).toEqual([]);
  });

  it('says who has requested something in it', async () => {
    const url = await database(dialect);
    await asked(url, 'okta/00ureal');
    expect(await requestersIn(url)).toEqual(['okta/00ureal']);
  });
});

it('the sandbox does not open a record that real people are in, and changes nothing in it', async () => {
  const url = await database('sqlite');
  await asked(url, 'okta/00ureal');
  const { code, stdout, stderr } = await hallpass(['sandbox', '--tour'], { DATABASE_URL: url });
  expect(code).toBe(1);
  expect(`${stdout}${stderr}`).toMatch(/env\.DATABASE_URL: holds requests of people who are not in the sandbox/);
  const store = await openTestStore(url);
  expect(await store.chain(0, 10)).toEqual([]);
  await store.close();
});
