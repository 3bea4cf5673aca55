import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import Client from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { StaleStateError } from '../../src/access/ports.ts';
import { verifyChain } from '../../src/audit/chain.ts';
import type { OpenStore } from '../../src/store/database.ts';
import { storeContract } from '../contracts/store.ts';
import { anEvent, aRequest, aTimer, T0 } from '../contracts/store-rows.ts';
import { freshDatabase, openTestStore, sha256, type TestDatabase } from '../support/databases.ts';

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

/**
 * Promise: writes that share a transaction fail and succeed each for itself, as if each had one of its own, and what has
 * resolved is in the file. Attack: a stale one, a refused one, and one that ends the whole transaction, in the midst of
 * good ones. Not shown here: power loss.
 */
describe('writes of one turn, which share a transaction', () => {
  let database: TestDatabase;
  let store: OpenStore;

  beforeEach(async () => {
    database = await freshDatabase('sqlite');
    store = await openTestStore(database.url);
  });
  afterEach(async () => {
    await store.close();
    await database.drop();
  });

  const admin = <T>(work: (client: Client.Database) => T): T => {
    const client = new Client(database.url.slice('sqlite:'.length));
    try {
      return work(client);
    } finally {
      client.close();
    }
  };
  const good = (id: string) =>
    store.commit({
      changes: [
        { put: 'request', row: aRequest({ id }) },
        { put: 'event', row: anEvent({ requestId: id }) },
      ],
    });
  const stale = () =>
    store.commit({
      changes: [
        { put: 'event', row: anEvent({ requestId: 'R-NONE' }) },
        { put: 'request', row: aRequest({ id: 'R-NONE', version: 8 }), was: 7 },
      ],
    });
  const card = (id: string, requestId: string) =>
    store.commit({
      changes: [
        { put: 'job', row: aTimer({ id: `lapse:${id}` }) },
        { put: 'card', row: { id, requestId, digest: 'd', createdAt: T0 } },
      ],
    });
  const received = (key: string) => store.receive({ key, receivedAt: T0, body: '{}' }, T0 + 1);
  const kept = () =>
    admin((client) => ({
      requests: client.prepare('select id from requests order by id').pluck().all(),
      deliveries: client.prepare('select key from deliveries order by key').pluck().all(),
      jobs: client.prepare('select id from jobs order by id').pluck().all(),
    }));

  async function expectSound(events: number): Promise<void> {
    const links = await store.chain(0, 1_000);
    expect(links).toHaveLength(events);
    expect(verifyChain(links, sha256)).toBeUndefined();
  }

  test('a stale one takes nothing of the others with it, and leaves nothing of itself', async () => {
    const all = await Promise.allSettled([good('R-1111'), stale(), received('d1'), good('R-2222'), stale()]);
    expect(all.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'fulfilled', 'rejected']);
    expect((all[1] as PromiseRejectedResult).reason).toBeInstanceOf(StaleStateError);
    expect(kept()).toEqual({ requests: ['R-1111', 'R-2222'], deliveries: ['d1'], jobs: [] });
    await expectSound(2);
  });

  test('one that the database refuses fails alone, and the others are written once', async () => {
    const all = await Promise.allSettled([good('R-1111'), card('c1', 'R-NONE'), received('d1'), good('R-2222')]);
    expect(all.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'fulfilled']);
    expect(String((all[1] as PromiseRejectedResult).reason)).toMatch(/foreign key/i);
    expect(kept()).toEqual({ requests: ['R-1111', 'R-2222'], deliveries: ['d1'], jobs: [] });
    await expectSound(2);
  });

  test('one that ends the whole transaction fails alone, and nothing is written outside of one', async () => {
    admin((client) =>
      client.exec(
        "create trigger boom before insert on cards when new.id = 'boom' begin select raise(rollback, 'boom'); end",
      ),
    );
    const all = await Promise.allSettled([
      good('R-1111'),
      card('boom', 'R-1111'),
      good('R-2222'),
      card('c2', 'R-2222'),
    ]);
    expect(all.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'fulfilled']);
    expect(kept()).toEqual({ requests: ['R-1111', 'R-2222'], deliveries: [], jobs: ['lapse:c2'] });
    await expectSound(2);
  });

  test('they see each other in the order in which they came, and a delivery is taken once', async () => {
    const first = good('R-1111');
    const second = store.commit({
      changes: [{ put: 'request', row: aRequest({ id: 'R-1111', version: 2, state: 'denied' }), was: 1 }],
    });
    const twice = [received('d1'), received('d1')];
    await Promise.all([first, second]);
    expect(await Promise.all(twice)).toEqual([true, false]);
    expect((await store.request('R-1111'))?.request).toMatchObject({ version: 2, state: 'denied' });
  });

  test('what has resolved is in the file, and what was asked for before the close is too', async () => {
    await good('R-1111');
    expect(kept().requests).toEqual(['R-1111']);
    const last = good('R-2222');
    await store.close();
    await last;
    expect(kept().requests).toEqual(['R-1111', 'R-2222']);
    store = await openTestStore(database.url);
  });

  test('as many as come are written, in order', async () => {
    const ids = Array.from({ length: 300 }, (_, n) => `R-${1_000 + n}`);
    await Promise.all(ids.map((id) => good(id)));
    expect(kept().requests).toEqual(ids);
    await expectSound(300);
  });
});
