/**
 * Reconciliation: each governed group listed, and compared with what grants want and the ledger holds. Every six hours,
 * and when somebody asks. Several processes may do it at the same time: what is found is found once, under a guard.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { schedule } from 'node-cron';
import type { Catalog } from '../access/catalog.ts';
import { event } from '../access/decision.ts';
import { keyText } from '../access/ledger.ts';
import type { Change, Drift, Instant, MembershipKey } from '../access/model.ts';
import {
  type Clock,
  type Directory,
  DirectoryError,
  type DriftStore,
  type Metrics,
  StaleStateError,
  type Store,
} from '../access/ports.ts';
import {
  type DriftFinding,
  type DriftRules,
  type GroupFacts,
  LISTED_STILL_MS,
  missingFrom,
  REMOVALS_AT_ONCE,
  reconcileGroup,
  TELL_ONLY,
  tellDrift,
} from '../access/reconcile.ts';
import { type Governed, governed } from './governed.ts';
import type { LoopLog } from './loop.ts';

/** Minute 17: not when everything else that runs by the clock does. */
const EVERY = '17 */6 * * *';
const ROWS_MAX = 20_000;
/** Absences that are confirmed one by one in one group; what is beyond them waits for the next time. */
const CONFIRMED_MAX = 50;
const OVERTAKEN_MAX = 5;
/** How long one directory's comparison waits, all groups together, for what is more urgent to leave it some room. */
const WAITED_MAX_MS = 15 * 60_000;
/** It is asked again at least this often, since what is urgent may be over sooner; and never at once. */
const LOOK_MS = { most: 30_000, least: 100 };

export interface ReconcileParts {
  readonly store: DriftStore & Pick<Store, 'commit' | 'pinnedGroup'>;
  readonly directories: ReadonlyMap<string, Directory>;
  readonly rules: ReadonlyMap<string, DriftRules>;
  readonly catalog: () => Catalog;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly log: LoopLog;
  /** In milliseconds of real time, or until `stop`; the usual timer when left out. */
  readonly wait?: (ms: number, stopped: AbortSignal) => Promise<unknown>;
}

export interface DirectoryReport {
  readonly directory: string;
  readonly observe: boolean;
  readonly groups: number;
  readonly members: number;
  readonly findings: readonly DriftFinding[];
  /** Groups that could not be compared, and why. Nothing was decided about them. */
  readonly failed: readonly { readonly group: string; readonly error: string }[];
}

export interface ReconcileOrder {
  /** Left out: all of them. */
  readonly directory?: string;
  /** `false`: only looked at; nothing is written down, told or done. */
  readonly apply: boolean;
  /** A person has looked at the list: however many removals it holds. */
  readonly unlimited?: boolean;
}

export interface Reconciler {
  reconcile(order: ReconcileOrder): Promise<readonly DirectoryReport[]>;
  start(): void;
  stop(): Promise<void>;
}

type Compared = Omit<GroupFacts, 'records' | 'known'>;

export function createReconciler(parts: ReconcileParts): Reconciler {
  const { store, directories, catalog, clock, metrics, log } = parts;
  let task: ReturnType<typeof schedule> | undefined;
  let ringing = false;
  let committing: Promise<void> | undefined;
  let stopped = false;
  const stopping = new AbortController();
  const wait = parts.wait ?? ((ms, signal) => pause(ms, undefined, { signal }));

  async function reconcile(order: ReconcileOrder): Promise<readonly DirectoryReport[]> {
    const wanted = [...directories.values()].filter(
      ({ name }) => order.directory === undefined || name === order.directory,
    );
    return await Promise.all(wanted.map((directory) => one(directory, order)));
  }

  async function one(named: Directory, order: ReconcileOrder): Promise<DirectoryReport> {
    // In its own lane: everything that somebody waits for goes first, and half of the budget is left to it.
    const directory = named.as?.('reconcile') ?? named;
    const patience = { leftMs: WAITED_MAX_MS };
    const rules = parts.rules.get(directory.name) ?? TELL_ONLY;
    const failed: { group: string; error: string }[] = [];
    const compared: Compared[] = [];
    const groups = await governed(parts, directory, failed);
    const unnamed = failed.length > 0;
    // One listing at a time: reconciliation is never in a hurry, and what is due goes first.
    for (const group of groups) {
      if (stopped) break;
      try {
        compared.push(await comparedWithRoom(directory, group, patience));
      } catch (error) {
        failed.push({ group: group.group, error: error instanceof Error ? error.message : String(error) });
      }
    }
    // A group that is governed no more has no drift; one whose name could not be looked up may still be among them.
    const ungoverned = (drift: Drift) => !unnamed && !groups.some(({ groupId }) => groupId === drift.key.groupId);
    const findings = await settle(directory, rules, compared, failed, ungoverned, order);
    metrics.count('hallpass_reconciles_total', {
      directory: directory.name,
      outcome: failed.length === 0 ? 'done' : 'partial',
    });
    return {
      directory: directory.name,
      observe: rules.observe,
      groups: compared.length,
      members: compared.reduce((sum, { listed }) => sum + (listed === 'gone' ? 0 : listed.members.length), 0),
      findings,
      failed,
    };
  }

  /** Begun only when there is room; where that ends in the middle of it, begun anew when there is some again. */
  async function comparedWithRoom(
    directory: Directory,
    group: Governed,
    patience: { leftMs: number },
  ): Promise<Compared> {
    for (;;) {
      const room = directory.room?.('reconcile');
      let inMs = room === undefined || room.calls > 0 ? 0 : room.inMs;
      if (inMs === 0)
        try {
          return await compare(directory, group);
        } catch (error) {
          if (!(error instanceof DirectoryError) || error.heldBack !== true || patience.leftMs <= 0) throw error;
          inMs = error.retryAfterMs ?? LOOK_MS.most;
        }
      if (patience.leftMs <= 0 || stopped)
        throw new Error('the directory had no room for it beside what is more urgent');
      const ms = Math.min(Math.max(inMs, LOOK_MS.least), LOOK_MS.most, patience.leftMs);
      patience.leftMs -= ms;
      await wait(ms, stopping.signal).catch(() => undefined);
    }
  }

  /** The listing first, the ledger after it: whatever we do in between explains what is seen, never the other way. */
  async function compare(directory: Directory, { group, groupId, exclusive }: Governed): Promise<Compared> {
    const base = { directory: directory.name, groupId, groupName: group, exclusive, lagMs: directory.lagMs };
    const readAt = clock.now();
    let members: Awaited<ReturnType<Directory['listMembers']>>;
    try {
      members = await directory.listMembers(groupId);
    } catch (error) {
      if (error instanceof DirectoryError && error.code === 'not_found' && error.missing === 'group')
        return { ...base, listed: 'gone', absent: new Set() };
      throw error;
    }
    const listed = { members: members.map(({ id, login }) => ({ id, login })), readAt };
    const records = await ledgerOf(directory.name, groupId);
    const candidates = missingFrom({ ...base, listed, records });
    const absent = new Set<string>();
    for (const key of candidates.slice(0, CONFIRMED_MAX)) if (await isAbsent(directory, key)) absent.add(keyText(key));
    return { ...base, listed, absent };
  }

  const ledgerOf = (directory: string, groupId: string) =>
    store.ledgerOf(directory, groupId, clock.now() - LISTED_STILL_MS, ROWS_MAX);

  /** A listing may come from a copy. A read that fails shows nothing. */
  async function isAbsent(directory: Directory, key: MembershipKey): Promise<boolean> {
    try {
      return !(await directory.isMember(key.groupId, key.userId));
    } catch (error) {
      if (!(error instanceof DirectoryError)) throw error;
      return error.code === 'not_found' && error.missing === 'user';
    }
  }

  async function settle(
    directory: Directory,
    rules: DriftRules,
    compared: readonly Compared[],
    failed: DirectoryReport['failed'],
    ungoverned: (drift: Drift) => boolean,
    order: ReconcileOrder,
  ): Promise<readonly DriftFinding[]> {
    for (let attempt = 0; attempt < OVERTAKEN_MAX; attempt++) {
      const known = (await store.drifts(ROWS_MAX)).filter(({ key }) => key.directory === directory.name);
      const decided = [];
      const now = clock.now();
      for (const facts of compared)
        decided.push(await decide(facts, known, rules, now, order.unlimited === true ? ROWS_MAX : REMOVALS_AT_ONCE));
      const findings = decided.flatMap((decision) => decision.findings);
      if (!order.apply || stopped) return findings;
      const changes = [
        ...decided.flatMap((decision) => decision.changes),
        ...known.filter(ungoverned).map(({ id }): Change => ({ drop: 'drift', id })),
        ...tellDrift(directory.name, findings, now, catalog().timezone),
        finished(directory.name, rules, compared, findings, failed, now),
      ];
      try {
        committing = store.commit({ changes });
        await committing;
      } catch (error) {
        // A grant moved on, or another process found the same: looked at again, against the same listing.
        if (error instanceof StaleStateError) continue;
        throw error;
      }
      for (const { drift, fresh } of findings)
        if (fresh) metrics.count('hallpass_drift_found_total', { directory: directory.name, class: drift.class });
      return findings;
    }
    throw new StaleStateError(`what was found in ${directory.name}`);
  }

  async function decide(facts: Compared, known: readonly Drift[], rules: DriftRules, now: Instant, atOnce: number) {
    const records = await ledgerOf(facts.directory, facts.groupId);
    const mine = known.filter(({ key }) => key.groupId === facts.groupId);
    return reconcileGroup({ ...facts, records, known: mine }, rules, now, atOnce);
  }

  function ring(): void {
    // One that takes longer than six hours is not joined by a second one.
    if (ringing) return;
    ringing = true;
    void reconcile({ apply: true })
      .then((reports) => {
        for (const { directory, failed } of reports)
          if (failed.length > 0)
            log.warn({ directory, failed: failed.slice(0, 10) }, 'some groups could not be compared');
      })
      .catch((error: unknown) => {
        if (!stopped) log.error({ error }, 'reconciliation failed; the next one is in six hours');
      })
      .finally(() => {
        ringing = false;
      });
  }

  return {
    reconcile,
    start() {
      task = schedule(EVERY, ring, { name: 'hallpass reconcile' });
    },
    async stop() {
      stopped = true;
      stopping.abort();
      await task?.destroy();
      // Listings that are under way are not waited for: nothing is committed any more.
      await committing?.catch(() => undefined);
    },
  };
}

function finished(
  directory: string,
  rules: DriftRules,
  compared: readonly Compared[],
  findings: readonly DriftFinding[],
  failed: DirectoryReport['failed'],
  now: Instant,
): Change {
  const counted: Record<string, number> = {};
  for (const { drift, course } of findings) {
    const name = `${drift.class}.${course}`;
    counted[name] = (counted[name] ?? 0) + 1;
  }
  return event(
    'reconcile.finished',
    now,
    { kind: 'hallpass', part: 'reconcile' },
    { detail: { directory, observe: rules.observe, groups: compared.length, found: counted, failed: failed.length } },
  );
}
