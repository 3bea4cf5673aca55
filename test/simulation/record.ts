/**
 * The real store, watched: every write that was committed is also applied to rows in memory, so that what must hold can
 * be looked at after each event without a query; at the end of a history both are compared. Calls go one at a time, on
 * both databases, so that a history depends on nothing but its seed and the kind of database.
 */
import { isDeepStrictEqual } from 'node:util';
import { covers, frozenBy } from '../../src/access/freeze.ts';
import { isLive, keyText } from '../../src/access/ledger.ts';
import type {
  AccessRequest,
  Approval,
  AuditEvent,
  Change,
  Freeze,
  Grant,
  Instant,
  Job,
  Membership,
  Proof,
  Revocation,
} from '../../src/access/model.ts';
import type { Commit, LeasedJob, Store } from '../../src/access/ports.ts';

export interface JobRow {
  readonly job: Job;
  readonly dueAt: Instant;
  readonly leaseUntil: Instant | undefined;
}

export interface Record {
  readonly store: Store;
  readonly requests: ReadonlyMap<string, AccessRequest>;
  readonly grants: ReadonlyMap<string, Grant>;
  readonly memberships: ReadonlyMap<string, Membership>;
  readonly jobs: ReadonlyMap<string, JobRow>;
  readonly approvals: readonly Approval[];
  readonly freezes: ReadonlyMap<string, Freeze>;
  readonly revocations: ReadonlyMap<string, Revocation>;
  readonly proofs: ReadonlyMap<string, Proof>;
  /** Deliveries taken in, and whether each is answered. */
  readonly deliveries: ReadonlyMap<string, { readonly leaseUntil: Instant; readonly answered: boolean }>;
  /** Deliveries whose commits changed something. */
  readonly acted: ReadonlyMap<string, number>;
  readonly faults: readonly string[];
  /** Resolves when no call is under way; absent when there is none. */
  busy(): Promise<unknown> | undefined;
  /** Where the rows in memory differ from those in the database. */
  differences(): Promise<readonly string[]>;
}

export interface Watch {
  /** Each committed event, in the order of the chain. */
  onEvent(event: AuditEvent): void;
  onApproval(approval: Approval, correlation: string | undefined): void;
}

/** Rows are read back after so many commits, to see whether all of them was kept. */
const COMPARED_EVERY = 10;

export function watchRecord(raw: Store, watch: Watch): Record {
  const requests = new Map<string, AccessRequest>();
  const grants = new Map<string, Grant>();
  const memberships = new Map<string, Membership>();
  const jobs = new Map<string, JobRow>();
  const approvals: Approval[] = [];
  const freezes = new Map<string, Freeze>();
  const revocations = new Map<string, Revocation>();
  const proofs = new Map<string, Proof>();
  const deliveries = new Map<string, { leaseUntil: Instant; answered: boolean }>();
  const acted = new Map<string, number>();
  const faults: string[] = [];
  const doomed = new Map<string, string>();
  let last: Promise<unknown> = Promise.resolve();
  let waiting = 0;
  let commits = 0;

  function oneAtATime<T>(work: () => Promise<T>): Promise<T> {
    waiting++;
    const result = last.then(work).finally(() => {
      waiting--;
    });
    last = result.catch(() => undefined);
    return result;
  }

  function apply(change: Change, correlation: string | undefined): void {
    if ('drop' in change) {
      jobs.delete(change.id);
      return;
    }
    switch (change.put) {
      case 'freeze':
        freezes.set(change.row.id, change.row);
        break;
      case 'proof':
        proofs.set(change.row.id, change.row);
        break;
      case 'revocation':
        revocations.set(change.row.id, change.row);
        if (change.row.state === 'running') confirmed(change.row);
        break;
      case 'request':
        if (change.was === undefined) unfrozen(`${change.row.id} is asked`, change.row.requester, change.row.resource);
        requests.set(change.row.id, change.row);
        break;
      case 'grant':
        if (change.was === undefined && [...grants.values()].some((one) => one.requestId === change.row.requestId))
          faults.push(`${change.row.requestId} has two grants`);
        given(change.row, grants.get(change.row.id));
        grants.set(change.row.id, change.row);
        break;
      case 'membership':
        memberships.set(keyText(change.row.key), change.row);
        break;
      case 'approval':
        approvals.push(change.row);
        watch.onApproval(change.row, correlation);
        break;
      case 'job': {
        const known = jobs.get(change.row.id);
        jobs.set(change.row.id, { job: change.row, dueAt: change.row.dueAt, leaseUntil: known?.leaseUntil });
        break;
      }
      case 'event':
        if (change.row.kind === 'membership.addition_started') added(change.row);
        watch.onEvent(change.row);
        break;
      case 'card':
        break;
    }
  }

  /** Commits come one after the other: a freeze that is known here was committed before. */
  function unfrozen(what: string, person: string, resource: string): void {
    const live = [...freezes.values()].filter(({ liftedAt }) => liftedAt === undefined);
    const by = frozenBy({ version: 0, live }, { person, resource });
    if (by !== undefined) faults.push(`${what} although ${by.id} is frozen`);
  }

  /** What waits in the scope of a revocation at its confirmation becomes nothing. */
  function confirmed({ id, scope, except }: Revocation): void {
    for (const { id: requestId, state, requester, resource } of requests.values()) {
      const meant =
        covers(scope, { person: requester, resource }) && !except.some(({ person }) => person === requester);
      if (state === 'pending' && meant) doomed.set(requestId, id);
    }
  }

  function given(grant: Grant, before: Grant | undefined): void {
    const resource = requests.get(grant.requestId)?.resource ?? '';
    const by = doomed.get(grant.requestId);
    if (before === undefined && by !== undefined) faults.push(`${grant.id} is granted although ${by} was confirmed`);
    if (before === undefined) unfrozen(`${grant.id} is granted`, grant.holder, resource);
    else if (before.expiresAt !== undefined && (grant.expiresAt ?? 0) > before.expiresAt)
      unfrozen(`${grant.id} is extended`, grant.holder, resource);
  }

  function added(event: AuditEvent): void {
    const text = event.membership === undefined ? '' : keyText(event.membership);
    const held = [...grants.values()].filter(
      (grant) => isLive(grant) && grant.memberships.some((key) => keyText(key) === text),
    );
    // What a running grant lost through a late removal of ours is put back: that gives nobody anything new.
    if (held.some(({ state }) => state === 'active')) return;
    const open = held.some((grant) => {
      const resource = requests.get(grant.requestId)?.resource ?? '';
      const live = [...freezes.values()].filter(({ liftedAt }) => liftedAt === undefined);
      return frozenBy({ version: 0, live }, { person: grant.holder, resource }) === undefined;
    });
    if (held.length > 0 && !open) faults.push(`${text} is added although all who want it are frozen`);
  }

  function committed({ changes, job: one, jobs: more = [], delivery }: Commit): void {
    const key = typeof delivery === 'object' ? delivery.key : delivery;
    if (key !== undefined) {
      const known = deliveries.get(key);
      deliveries.set(key, { leaseUntil: known?.leaseUntil ?? 0, answered: true });
      acted.set(key, (acted.get(key) ?? 0) + 1);
    }
    for (const job of one === undefined ? more : [one, ...more]) {
      const row = jobs.get(job.job);
      if ('done' in job) jobs.delete(job.job);
      else if (row !== undefined)
        jobs.set(
          job.job,
          'keep' in job
            ? { ...row, leaseUntil: job.keep.leaseUntil }
            : {
                ...row,
                job: { ...row.job, priority: job.later.priority ?? row.job.priority },
                dueAt: job.later.dueAt,
                leaseUntil: undefined,
              },
        );
    }
    // The chain comes last in every commit.
    for (const change of changes) if ('drop' in change || change.put !== 'event') apply(change, key);
    for (const change of changes) if ('put' in change && change.put === 'event') apply(change, key);
  }

  function leased(rows: readonly LeasedJob[]): void {
    for (const { id, leaseUntil } of rows) {
      const row = jobs.get(id);
      if (row === undefined) faults.push(`${id} was leased and should not exist`);
      else jobs.set(id, { ...row, leaseUntil });
    }
  }

  async function compare({ changes }: Commit): Promise<readonly string[]> {
    const wrong: string[] = [];
    const same = (what: string, mine: unknown, theirs: unknown) => {
      if (!isDeepStrictEqual(plain(mine), plain(theirs))) wrong.push(`${what} is read back otherwise than it was put`);
    };
    for (const change of changes) {
      if (!('put' in change)) continue;
      if (change.put === 'membership') {
        const key = keyText(change.row.key);
        same(key, memberships.get(key), (await raw.membership(change.row.key)).membership);
      } else if (change.put === 'grant')
        same(change.row.id, grants.get(change.row.id), (await raw.grant(change.row.id))?.grant);
      else if (change.put === 'request')
        same(change.row.id, requests.get(change.row.id), (await raw.request(change.row.id))?.request);
    }
    return wrong;
  }

  const methods = Object.entries(raw).map(([name, value]) => [
    name,
    typeof value === 'function'
      ? (...args: unknown[]) => oneAtATime(() => Promise.resolve(Reflect.apply(value, raw, args)))
      : value,
  ]);
  const store: Store = {
    ...(Object.fromEntries(methods) as unknown as Store),
    commit: (commit) =>
      oneAtATime(async () => {
        await raw.commit(commit);
        committed(commit);
        if (++commits % COMPARED_EVERY === 0) for (const wrong of await compare(commit)) faults.push(wrong);
      }),
    lease: (want) =>
      oneAtATime(async () => {
        const rows = await raw.lease(want);
        leased(rows);
        return rows;
      }),
    receive: (delivery, leaseUntil) =>
      oneAtATime(async () => {
        const fresh = await raw.receive(delivery, leaseUntil);
        if (fresh) deliveries.set(delivery.key, { leaseUntil, answered: false });
        return fresh;
      }),
    unanswered: (now, leaseUntil, limit) =>
      oneAtATime(async () => {
        const rows = await raw.unanswered(now, leaseUntil, limit);
        for (const { key } of rows) deliveries.set(key, { leaseUntil, answered: false });
        return rows;
      }),
    answered: (key) =>
      oneAtATime(async () => {
        await raw.answered(key);
        const known = deliveries.get(key);
        if (known !== undefined) deliveries.set(key, { ...known, answered: true });
      }),
  };

  return {
    store,
    requests,
    grants,
    memberships,
    jobs,
    approvals,
    freezes,
    revocations,
    proofs,
    deliveries,
    acted,
    faults,
    busy: () => (waiting === 0 ? undefined : last),
    async differences() {
      const wrong: string[] = [];
      const same = (what: string, mine: unknown, theirs: unknown) => {
        if (!isDeepStrictEqual(plain(mine), plain(theirs))) wrong.push(`${what} differs from the database's`);
      };
      for (const [id, row] of requests) same(id, row, (await raw.request(id))?.request);
      for (const [id, row] of grants) same(id, row, (await raw.grant(id))?.grant);
      for (const [id, row] of memberships) same(id, row, (await raw.membership(row.key)).membership);
      for (const [id, row] of jobs) same(id, row.dueAt, (await raw.job(id))?.dueAt);
      return wrong;
    },
  };
}

/** Absent and `undefined` alike. */
function plain(value: unknown): unknown {
  return value === undefined ? undefined : JSON.parse(JSON.stringify(value));
}
