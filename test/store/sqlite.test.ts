import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import Client from 'better-sqlite3';
import { expect, test } from 'vitest';
import { verifyChain } from '../../src/audit/chain.ts';
import { storeContract } from '../contracts/store.ts';
import { freshDatabase, openTestStore, sha256 } from '../support/databases.ts';

storeContract({
  name: 'SQLite, in a file',
  fresh: () => freshDatabase('sqlite'),
  sql: async (url, statement) => {
    const client = new Client(url.slice('sqlite:'.length));
    try {
      client.exec(statement);
    } finally {
      client.close();
    }
  },
});

// Two stores in one process never meet inside SQLite, since each transaction runs without a pause; two processes do.
test('processes that write at once wait for each other and leave one unbroken chain', async () => {
  const { url, drop } = await freshDatabase('sqlite');
  const writer = join(import.meta.dirname, 'writer.ts');
  const run = promisify(execFile);
  await Promise.all(Array.from({ length: 3 }, () => run(process.execPath, [writer, url, '100'])));
  const store = await openTestStore(url);
  const links = await store.chain(0, 1_000);
  expect(links).toHaveLength(300);
  expect(verifyChain(links, sha256)).toBeUndefined();
  await store.close();
  await drop();
});
