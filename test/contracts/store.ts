/**
 * What every store must do, written once for all of them.
 *
 * Promise: a commit happens whole or not at all, never on a row that has moved on; a job has one holder at a time, and
 * who lost it changes nothing; a delivery acts once; the audit chain is one unbroken line.
 * Attack: two stores opened on one database, as two processes would, committing and leasing at the same time.
 * Not shown here: power loss, and a network that falls silent between Postgres and us.
 */
import { afterEach, describe } from 'vitest';
import type { OpenStore } from '../../src/store/database.ts';
import { openTestStore, type TestDatabase } from '../support/databases.ts';
import { activityContract } from './store-activities.ts';
import { auditContract } from './store-audit.ts';
import { commitContract } from './store-commit.ts';
import { digestContract } from './store-digests.ts';
import { driftContract } from './store-drift.ts';
import { freezeContract } from './store-freezes.ts';
import { jobContract } from './store-jobs.ts';
import { placeContract } from './store-places.ts';
import { proofContract } from './store-proofs.ts';
import { readContract } from './store-reads.ts';
import { T0 } from './store-rows.ts';
import { sessionContract } from './store-sessions.ts';
import { trailContract } from './store-trail.ts';

export interface Bench {
  /** A store on a database that no other test has seen. */
  store(): Promise<OpenStore>;
  /** Another one on the same database. */
  another(): Promise<OpenStore>;
  /** Runs SQL on that database past the store, as an administrator might. */
  sql(statement: string): Promise<void>;
}

export interface StoreUnderTest {
  readonly name: string;
  fresh(): Promise<TestDatabase>;
  sql(url: string, statement: string): Promise<void>;
}

export function storeContract(subject: StoreUnderTest): void {
  let database: TestDatabase | undefined;
  const open: OpenStore[] = [];

  async function another(): Promise<OpenStore> {
    database ??= await subject.fresh();
    const store = await openTestStore(database.url, () => T0);
    open.push(store);
    return store;
  }
  const bench: Bench = {
    store: another,
    another,
    sql: async (statement) => {
      if (database) await subject.sql(database.url, statement);
    },
  };

  afterEach(async () => {
    for (const store of open.splice(0)) await store.close();
    await database?.drop();
    database = undefined;
  });

  describe(subject.name, () => {
    describe('records', () => readContract(bench));
    describe('commits', () => commitContract(bench));
    describe('freezes', () => freezeContract(bench));
    describe('jobs and deliveries', () => jobContract(bench));
    describe('the audit trail', () => auditContract(bench));
    describe('the trail, read for an audit', () => trailContract(bench));
    describe('the digest', () => digestContract(bench));
    describe('drift', () => driftContract(bench));
    describe('activities and findings', () => activityContract(bench));
    describe('places', () => placeContract(bench));
    describe('sessions', () => sessionContract(bench));
    describe('proofs', () => proofContract(bench));
  });
}
