/** Opens the record: `sqlite:<path>` or `postgres://…`, migrated, with the same promises either way. */
import { fileURLToPath } from 'node:url';
import type { ActivityStore } from '../access/activity.ts';
import type { Instant } from '../access/model.ts';
import type { AnswerStore, DigestStore, DriftStore, PlaceStore, Store, TrailStore } from '../access/ports.ts';
import { activitiesOn } from './activities.ts';
import { answersOn } from './answers.ts';
import { commitProgram, type Writing } from './commit.ts';
import { readDigestFacts, readDigestRequests, readExplained, readRequestsWithReviews } from './digests.ts';
import { readDrifts, readFilledGroups, readLedgerOf } from './drift.ts';
import { readFreezes, readGrants } from './freezes.ts';
import { migratePostgres, migrateSqlite } from './migrate.ts';
import { valuesFor } from './prepare.ts';
import { leaseJobs, readNextDue, takeUnanswered } from './queue.ts';
import {
  readForgotten,
  readGrant,
  readGrantRecords,
  readList,
  readMembership,
  readMemberships,
  readOpen,
  readOutstandingRemovals,
  readRequest,
  readStory,
} from './reads.ts';
import {
  toAccount,
  toCard,
  toDevice,
  toDigest,
  toFreeze,
  toLink,
  toMessage,
  toPinnedGroup,
  toPlace,
  toProof,
  toReview,
  toRevocation,
  toSession,
} from './rows.ts';
import { type Dialect, defineTables } from './schema.ts';
import { type Driver, run } from './session.ts';
import { connectSqlite, sqliteDriver } from './sqlite.ts';
import type { Secrets } from './trail.ts';
import { trailOn } from './trail-reads.ts';

export interface StoreOptions extends Secrets {
  /** `sqlite:<path>`, `sqlite::memory:`, `postgres://…` or `postgresql://…`. */
  readonly url: string;
  readonly now: () => Instant;
  /** Holds one folder for each database; the one shipped with the code when absent. */
  readonly migrationsFolder?: string;
  /** Connections to Postgres at most; SQLite has one. */
  readonly poolSize?: number;
}

export interface OpenStore extends Store, DigestStore, DriftStore, PlaceStore, TrailStore, ActivityStore, AnswerStore {
  readonly dialect: Dialect;
  /** The wall clock that all processes on this database share; absent on SQLite. */
  serverTime(): Promise<Instant | undefined>;
  /** When the newest event of the trail happened, by the clock of whoever wrote it; absent while there is none. */
  newestEventAt(): Promise<Instant | undefined>;
  /** The settings that a commit's durability rests on, as the database has them now. */
  durability(): Promise<Readonly<Record<string, string>>>;
}

/** Written down so often at most. */
const USED_TO_THE_MS = 60_000;

const SHIPPED = fileURLToPath(new URL('../../migrations', import.meta.url));

/** Throws when the URL is neither kind, the database cannot be reached, or a newer Hallpass has migrated it. */
export async function openStore(options: StoreOptions): Promise<OpenStore> {
  const { url, now } = options;
  const place = locate(url, options.migrationsFolder);
  if (place.dialect === 'postgres') {
    await migratePostgres(url, place.folder, now());
    // Loaded only where it is wanted: it is a fifth of what a start on SQLite would load.
    const { connectPostgres, postgresDriver } = await import('./postgres.ts');
    return storeOn(postgresDriver(connectPostgres(url, options.poolSize)), options);
  }
  const client = connectSqlite(place.path);
  try {
    migrateSqlite(client, place.folder, now());
    return storeOn(sqliteDriver(client), options);
  } catch (error) {
    client.close();
    throw error;
  }
}

/** Brings the database up to date without opening it for work; returns the names of the migrations applied. */
export async function migrate(
  url: string,
  options: { readonly now: () => Instant; readonly migrationsFolder?: string },
): Promise<readonly string[]> {
  const place = locate(url, options.migrationsFolder);
  if (place.dialect === 'postgres') return migratePostgres(url, place.folder, options.now());
  const client = connectSqlite(place.path);
  try {
    return migrateSqlite(client, place.folder, options.now());
  } finally {
    client.close();
  }
}

function locate(url: string, migrations = SHIPPED) {
  if (/^postgres(ql)?:\/\//.test(url)) return { dialect: 'postgres', folder: `${migrations}/postgres` } as const;
  const path = /^sqlite:(.+)$/.exec(url)?.[1];
  // The URL is not repeated: it may hold a password.
  if (path === undefined) throw new Error('A database URL begins with sqlite:, postgres:// or postgresql://');
  return { dialect: 'sqlite', folder: `${migrations}/sqlite`, path } as const;
}

function storeOn(driver: Driver, { now, hash, salt }: StoreOptions): OpenStore {
  const { write, writeOne, snapshot, each } = driver;
  const tables = defineTables(driver.dialect);
  const writing: Writing = { now, hash, salt, tables };

  return {
    dialect: driver.dialect,

    request: (id) => snapshot(readRequest(id)),
    grant: (id) => snapshot(readGrant(id)),
    grantRecords: (ids) => snapshot(readGrantRecords(ids)),
    membership: (key) => snapshot(readMembership(key)),
    memberships: (keys) => snapshot(readMemberships(keys)),
    open: (person, entitlement) => snapshot(readOpen(person, entitlement)),
    async requestsSince(person, since) {
      const [row] = await each(run((s) => s.statements.requestsSince({ person, since })));
      return row?.count ?? 0;
    },
    async holder(person) {
      const [row] = await each(run((s) => s.statements.holder({ person })));
      return row?.version;
    },
    list: (filter) => snapshot(readList(filter)),
    forgotten: (at, limit) => snapshot(readForgotten(at, limit)),
    async overdue(at, limit) {
      return (await each(run((s) => s.statements.overdueEnds({ now: at, limit })))).map(({ id }) => id);
    },
    outstandingRemovals: (_now, limit) => snapshot(readOutstandingRemovals(limit)),
    story: (requestId) => snapshot(readStory(requestId)),
    nextDue: (kind, lane, priority) => snapshot(readNextDue(kind, lane, priority)),
    freezes: () => each(readFreezes()),
    async freeze(id) {
      const [row] = await each(run((s) => s.statements.freeze({ id })));
      return row && toFreeze(row);
    },
    grants: (ids) => snapshot(readGrants(ids)),
    async review(id) {
      const [row] = await each(run((s) => s.statements.review({ id })));
      return row && toReview(row);
    },
    async reviewOf(requestId) {
      const [row] = await each(run((s) => s.statements.reviewOf({ requestId })));
      return row && toReview(row);
    },
    async openReviews(limit, holder) {
      const rows = await each(
        run((s) =>
          holder === undefined ? s.statements.openReviews({ limit }) : s.statements.openReviewsOf({ limit, holder }),
        ),
      );
      return rows.map(toReview);
    },
    async proof(id) {
      const [row] = await each(run((s) => s.statements.proof({ id })));
      return row && toProof(row);
    },
    async openProofs(person, limit) {
      const rows = await each(run((s) => s.statements.openProofs({ person, limit })));
      return rows.map(toProof);
    },
    async session(id) {
      const [row] = await each(run((s) => s.statements.session({ id })));
      return row && toSession(row);
    },
    async sessionBySecret(secretHash) {
      const [row] = await each(run((s) => s.statements.sessionBySecret({ secretHash })));
      return row && toSession(row);
    },
    async sessions({ kind, limit }) {
      const rows = await each(
        run((s) => (kind === undefined ? s.statements.sessions({ limit }) : s.statements.sessionsOf({ kind, limit }))),
      );
      return rows.map(toSession);
    },
    async sessionUsed(id, at) {
      await writeOne(() => run((s) => s.statements.sessionUsed({ id, at, before: at - USED_TO_THE_MS })));
    },
    async device(by) {
      const [row] = await each(
        run((s) =>
          'id' in by ? s.statements.device({ id: by.id }) : s.statements.deviceByCode({ userCode: by.userCode }),
        ),
      );
      return row && toDevice(row);
    },
    async forgetDevices(before) {
      return (await each(run((s) => s.statements.forgetDevices({ before })))).length;
    },
    async revocation(id) {
      const [row] = await each(run((s) => s.statements.revocation({ id })));
      return row && toRevocation(row);
    },
    async card(id) {
      const [row] = await each(run((s) => s.statements.card({ id })));
      return row && toCard(row);
    },

    commit: (commit) => write(() => commitProgram(commit, writing)),

    lease: (want) => writeOne(() => leaseJobs(want)),
    async job(id) {
      const [row] = await each(run((s) => s.statements.job({ id })));
      return row && { version: row.version, epoch: row.epoch, dueAt: row.dueAt };
    },

    async receive({ key, receivedAt, body }, leaseUntil) {
      const rows = await writeOne(() =>
        run((s) => s.statements.receive({ key, receivedAt, body, leaseUntil, answeredAt: null })),
      );
      return rows.length > 0;
    },
    unanswered: (at, leaseUntil, limit) => writeOne(() => takeUnanswered(at, leaseUntil, limit)),
    async answered(key) {
      await writeOne(() => run((s) => s.statements.answer({ key, answeredAt: now() })));
    },
    async forgetDeliveries(before) {
      return (await each(run((s) => s.statements.forgetDeliveries({ before })))).length;
    },

    async message(id) {
      const [row] = await each(run((s) => s.statements.message({ id })));
      return row && toMessage(row);
    },
    async putMessage(row) {
      await writeOne(() => run((s) => s.statements.putMessage(valuesFor(tables.messages, row))));
    },

    async place(id) {
      const [row] = await each(run((s) => s.statements.place({ id })));
      return row && toPlace(row);
    },
    async putPlace(place) {
      await writeOne(() => run((s) => s.statements.putPlace(valuesFor(tables.places, place))));
    },

    // No snapshot around the statements: the last must see the pin that the write lost to. Looked up first, since a pin is
    // made once and asked for ever after.
    async pinAccount({ platform, tenant, id: accountId }, person, at) {
      const account = { platform, tenant, accountId };
      const [known] = await each(run((s) => s.statements.pinnedAccount(account)));
      if (known) return known.person;
      const [mine] = await writeOne(() => run((s) => s.statements.pinAccount({ ...account, person, pinnedAt: at })));
      if (mine) return person;
      const [pinned] = await each(run((s) => s.statements.pinnedAccount(account)));
      return pinned?.person ?? person;
    },
    async pinGroup(group, at) {
      const { directory, groupName, groupId } = group;
      await writeOne(() => run((s) => s.statements.pinGroup({ directory, groupName, groupId, pinnedAt: at })));
      const [pinned] = await each(run((s) => s.statements.pinnedGroup({ directory, groupName })));
      return pinned ? toPinnedGroup(pinned) : group;
    },
    async pinnedGroup(directory, groupName) {
      const [pinned] = await each(run((s) => s.statements.pinnedGroup({ directory, groupName })));
      return pinned && toPinnedGroup(pinned);
    },
    async personOf({ platform, tenant, id: accountId }) {
      const [pinned] = await each(run((s) => s.statements.pinnedAccount({ platform, tenant, accountId })));
      return pinned?.person;
    },
    async pin(pin) {
      const { space, name } = pin;
      const [known] = await each(run((s) => s.statements.pinned({ space, name })));
      if (known) return known.id;
      const [mine] = await writeOne(() => run((s) => s.statements.pin(valuesFor(tables.pins, pin))));
      if (mine) return mine.id;
      const [pinned] = await each(run((s) => s.statements.pinned({ space, name })));
      return pinned?.id ?? pin.id;
    },
    async pinned(space, name) {
      const [pinned] = await each(run((s) => s.statements.pinned({ space, name })));
      return pinned?.id;
    },
    async accountOf(person, platform) {
      const [pinned] = await each(run((s) => s.statements.accountOf({ person, platform })));
      return pinned && toAccount(pinned);
    },

    async chain(afterSeq, limit) {
      return (await each(run((s) => s.statements.chain({ afterSeq, limit })))).map(toLink);
    },

    ...trailOn(driver),
    ...activitiesOn(driver),
    ...answersOn(driver, tables),

    async lastDigest() {
      const [row] = await each(run((s) => s.statements.lastDigest({})));
      return row && toDigest(row);
    },
    async digestOf(day) {
      const [row] = await each(run((s) => s.statements.digest({ day })));
      return row && toDigest(row);
    },
    async digestById(id) {
      const [row] = await each(run((s) => s.statements.digestById({ id })));
      return row && toDigest(row);
    },
    async unsignedDigests(limit) {
      return await each(run((s) => s.statements.unsignedDigests({ limit })));
    },
    digestFacts: (period, lateMs, limit) => snapshot(readDigestFacts(period, lateMs, limit)),
    digestRequests: (period, limit) => snapshot(readDigestRequests(period, limit)),
    requestsWithReviews: (ids) => snapshot(readRequestsWithReviews(ids)),
    explained: (directory, groupId, removedSince, limit) =>
      each(readExplained(directory, groupId, removedSince, limit)),

    ledgerOf: (directory, groupId, removedSince, limit) =>
      snapshot(readLedgerOf(directory, groupId, removedSince, limit)),
    filledGroups: (limit) => snapshot(readFilledGroups(limit)),
    drifts: (limit) => snapshot(readDrifts(limit)),

    async healthy() {
      try {
        await each(run(({ db, fetch }) => fetch(db.select({ id: tables.chainHead.id }).from(tables.chainHead))));
        return true;
      } catch {
        return false;
      }
    },
    serverTime: () => driver.serverTime(),
    async newestEventAt() {
      const [row] = await each(run((s) => s.statements.newestEvent({})));
      return row?.at;
    },
    durability: () => driver.durability(),
    close: () => driver.close(),
  };
}
