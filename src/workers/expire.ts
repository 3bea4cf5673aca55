/**
 * Ends what is due with nothing but the database and the directories: for a second machine, or a person, while the bot
 * is dead. Harmless while it lives, since every job is leased and every change guarded. Adds nothing.
 */

import { operation, operationId, timer } from '../access/decision.ts';
import { isLive, keyText } from '../access/ledger.ts';
import type { Instant, MembershipKey } from '../access/model.ts';
import { PRIORITY } from '../access/model.ts';
import type { Clock, Directory, Ids, MembershipRecord, Store } from '../access/ports.ts';
import { StaleStateError } from '../access/ports.ts';
import { listingWhenMany } from './listing.ts';
import type { LoopLog } from './loop.ts';
import { leaseMsFor, operate } from './provision.ts';
import { signOut } from './sign-out.ts';
import { ring, TIMER_LEASE_MS } from './timers.ts';

export interface ExpireParts {
  readonly store: Store;
  readonly directories: ReadonlyMap<string, Directory>;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: LoopLog;
  /** Runs something in so many milliseconds; `setTimeout` when left out. */
  readonly after?: (ms: number, act: () => void) => unknown;
}

export interface Outstanding {
  readonly membership: MembershipKey;
  readonly group: string;
  readonly login: string;
  readonly failures: number;
  readonly error?: string;
}

export interface ExpireReport {
  /** Timers that were due and were looked at. */
  readonly rung: number;
  /** Memberships that were owed a removal and are proven gone. */
  readonly proven: readonly Outstanding[];
  /** Still owed: the bot, or the next run, goes on. */
  readonly outstanding: readonly Outstanding[];
}

const BATCH = 50;
const POLL_MS = 250;
const FORGOTTEN_MAX = 1_000;
/** As many as anybody reads; with one of them left it is not done. */
const OVERDUE_MAX = 100;

/**
 * `sleep` in milliseconds of real time. Goes on until nothing is owed, until what was asked for is `enough`, or until
 * `deadlineMs` has passed.
 */
export async function expireDue(
  parts: ExpireParts,
  deadlineMs: number,
  sleep: (ms: number) => Promise<void>,
  enough: () => Promise<boolean> = async () => false,
): Promise<ExpireReport> {
  const { store, clock } = parts;
  const until = clock.monotonic() + deadlineMs;
  const owed = new Map<string, Outstanding>();
  // Removals first, and their proofs together: many of one group are one listing of it.
  const directories = new Map(
    [...parts.directories].map(([name, directory]) => [name, listingWhenMany(directory, parts.after)]),
  );
  await recall(parts);
  let rung = await ringDue(parts);
  let signingOut: Promise<void> | undefined;
  for (;;) {
    const outstanding = await store.outstandingRemovals(clock.now(), FORGOTTEN_MAX);
    for (const record of outstanding) owed.set(keyText(record.key), described(record));
    const overdue = await pastTheirEnd(parts);
    if (outstanding.length + overdue.length === 0 || clock.monotonic() >= until || (await enough())) {
      // No longer than its calls' deadline; the record is closed after this.
      await signingOut;
      const open = new Set(outstanding.map((record) => keyText(record.key)));
      return {
        rung,
        proven: [...owed].filter(([key]) => !open.has(key)).map(([, membership]) => membership),
        outstanding: [...outstanding.map(described), ...overdue],
      };
    }
    const worked = await removeDue({ ...parts, directories }, outstanding);
    signingOut ??= signOutDue(parts)
      .catch((error: unknown) => parts.log.error({ error }, 'sessions could not be ended; that stays owed'))
      .finally(() => {
        signingOut = undefined;
      });
    rung += await ringDue(parts);
    // Held by another process, waiting for a lag to pass, or failing: look again in a moment.
    if (worked === 0) await sleep(POLL_MS);
  }
}

/** Grants past their end and removals owed that have no job, as after a restored database. */
async function recall({ store, clock }: ExpireParts): Promise<void> {
  const now = clock.now();
  const { rings, memberships } = await store.forgotten(now, FORGOTTEN_MAX);
  const changes = [
    ...rings.filter(({ ring }) => ring !== 'lapse').map((one) => timer(one, now)),
    ...memberships.map((key) => operation(key, now, PRIORITY.removal)),
  ];
  if (changes.length === 0) return;
  await store.commit({ changes }).catch((error: unknown) => {
    if (!(error instanceof StaleStateError)) throw error;
  });
}

/** Live grants past their end: their timer is held by a process that may be dead, until its lease runs out. */
async function pastTheirEnd({ store, clock }: ExpireParts): Promise<readonly Outstanding[]> {
  const overdue: Outstanding[] = [];
  for (const id of await store.overdue(clock.now(), OVERDUE_MAX)) {
    const record = await store.grant(id);
    const [membership] = record?.grant.memberships ?? [];
    // It was ended a moment ago.
    if (record === undefined || membership === undefined || !isLive(record.grant)) continue;
    const group = record.request.groups[0]?.groupName ?? membership.groupId;
    const error = `${id} is past its end, and another process holds its timer`;
    overdue.push({ membership, group, login: record.grant.holderName, failures: 0, error });
  }
  return overdue;
}

async function ringDue(parts: ExpireParts): Promise<number> {
  const { store, clock } = parts;
  let rung = 0;
  for (;;) {
    const now: Instant = clock.now();
    const leaseUntil = now + TIMER_LEASE_MS;
    const jobs = await store.lease({
      kind: 'timer',
      limit: BATCH,
      now,
      leaseUntil,
      idPrefix: ['end:', 'addby:', 'freeze:', 'revocation:'],
    });
    for (const job of jobs) if (job.kind === 'timer') await ring(parts, job);
    rung += jobs.length;
    if (jobs.length < BATCH) return rung;
  }
}

/** Beside the removals, and never waited for: what fails is the bot's, or the next run's. */
async function signOutDue({ store, clock, ids, log, directories }: ExpireParts): Promise<void> {
  for (const [name, directory] of directories) {
    const now = clock.now();
    const leaseUntil = now + leaseMsFor(directory);
    const jobs = await store.lease({ kind: 'sign_out', lane: name, limit: BATCH, now, leaseUntil });
    await Promise.all(
      jobs.map(async (job) => {
        if (job.kind === 'sign_out') await signOut({ store, directory, clock, ids, log }, job);
      }),
    );
  }
}

async function removeDue(parts: ExpireParts, outstanding: readonly MembershipRecord[]): Promise<number> {
  const { store, clock, directories } = parts;
  let worked = 0;
  for (const [name, directory] of directories) {
    const ids = outstanding.filter(({ key }) => key.directory === name).map(({ key }) => operationId(key));
    for (let from = 0; from < ids.length; from += BATCH) {
      const now = clock.now();
      const jobs = await store.lease({
        kind: 'operation',
        lane: name,
        limit: BATCH,
        now,
        leaseUntil: now + leaseMsFor(directory),
        idPrefix: ids.slice(from, from + BATCH),
      });
      worked += jobs.length;
      await Promise.all(
        jobs.map(async (job) => {
          if (job.kind === 'operation') await operate({ ...parts, directory, endOnly: true, passOnProofs: true }, job);
        }),
      );
    }
  }
  return worked;
}

function described({ key, membership }: MembershipRecord): Outstanding {
  return {
    membership: key,
    group: membership?.groupName ?? key.groupId,
    login: membership?.login ?? key.userId,
    failures: membership?.failures ?? 0,
    ...(membership?.lastError === undefined ? {} : { error: membership.lastError }),
  };
}
