/**
 * The rows a decision is made on, held in memory and guarded as the store guards them, and a directory that behaves
 * as badly as a real one: it lags, loses answers before and after the effect, and lets a lost call land late.
 */

import { type Rung, ringAddBy, ringEnd, ringLapse, ringWarn } from '../../src/access/decide-close.ts';
import { decideOperation, type OperationCall, type OperationDecision } from '../../src/access/decide-operation.ts';
import { isRefused, type Outcome } from '../../src/access/decision.ts';
import { isLive, keyText, type Lesson } from '../../src/access/ledger.ts';
import type {
  AccessRequest,
  Approval,
  AuditEvent,
  Card,
  Change,
  Grant,
  Instant,
  Job,
  Membership,
  MembershipKey,
} from '../../src/access/model.ts';
import type { GrantRecord, MembershipRecord, RequestRecord } from '../../src/access/ports.ts';

export function changesOf(outcome: Outcome): readonly Change[] {
  if (isRefused(outcome)) throw new Error(`refused: ${JSON.stringify(outcome.refusal)}`);
  return outcome.changes;
}

export function refusalOf(outcome: Outcome) {
  if (!isRefused(outcome)) throw new Error(`decided: ${outcome.done}`);
  return outcome.refusal;
}

export function put<K extends Extract<Change, { put: unknown }>['put']>(changes: readonly Change[], kind: K) {
  return changes.flatMap((change) => ('put' in change && change.put === kind ? [change.row] : [])) as Extract<
    Change,
    { put: K }
  >['row'][];
}

export function dropped(changes: readonly Change[]): readonly string[] {
  return changes.flatMap((change) => ('drop' in change ? [change.id] : []));
}

export function jobs(changes: readonly Change[]): ReadonlyMap<string, Job> {
  return new Map(put(changes, 'job').map((job) => [job.id, job]));
}

export function eventKinds(changes: readonly Change[]): readonly string[] {
  return put(changes, 'event').map((event) => event.kind);
}

/** What the store would refuse for ever, or accept and regret. */
export function faultsOf(changes: readonly Change[]): readonly string[] {
  const faults: string[] = [];
  const versions = new Map<string, number>();
  for (const change of changes) {
    if ('drop' in change) continue;
    if (change.put !== 'request' && change.put !== 'grant' && change.put !== 'membership') continue;
    const id = change.put === 'membership' ? `membership ${keyText(change.row.key)}` : `${change.put} ${change.row.id}`;
    const known = versions.get(id);
    if (known !== undefined && change.was !== known) faults.push(`${id} is put twice on version ${String(change.was)}`);
    if (change.row.version !== (change.was ?? 0) + 1)
      faults.push(`${id} goes from version ${String(change.was)} to ${change.row.version}`);
    versions.set(id, change.row.version);
    if (change.put !== 'grant') continue;
    const { row } = change;
    if (change.was === undefined && !jobs(changes).has(`end:${row.id}`)) faults.push(`${row.id} has no end timer`);
  }
  return faults;
}

/** Rows, guarded by version; every commit is whole or throws. */
export class Rows {
  readonly requests = new Map<string, AccessRequest>();
  readonly grants = new Map<string, Grant>();
  readonly memberships = new Map<string, Membership>();
  readonly approvals: Approval[] = [];
  readonly cards = new Map<string, Card>();
  readonly jobs = new Map<string, Job & { version: number }>();
  readonly events: AuditEvent[] = [];

  commit(changes: readonly Change[]): void {
    const faults = faultsOf(changes);
    if (faults.length > 0) throw new Error(faults.join('; '));
    for (const change of changes) {
      if ('drop' in change) {
        this.jobs.delete(change.id);
        continue;
      }
      switch (change.put) {
        case 'request':
          guard(change.row.id, this.requests.get(change.row.id), change.was);
          this.requests.set(change.row.id, change.row);
          break;
        case 'grant':
          guard(change.row.id, this.grants.get(change.row.id), change.was);
          this.grants.set(change.row.id, change.row);
          break;
        case 'membership': {
          const id = keyText(change.row.key);
          guard(id, this.memberships.get(id), change.was);
          this.memberships.set(id, change.row);
          break;
        }
        case 'approval': {
          const { requestId, approver, digest } = change.row;
          const same = (one: Approval) =>
            one.requestId === requestId && one.approver === approver && one.digest === digest;
          if (this.approvals.some(same)) throw new Error(`${approver} has answered ${requestId} already`);
          this.approvals.push(change.row);
          break;
        }
        case 'card':
          this.cards.set(change.row.id, change.row);
          break;
        case 'job':
          this.jobs.set(change.row.id, { ...change.row, version: (this.jobs.get(change.row.id)?.version ?? 0) + 1 });
          break;
        case 'event':
          this.events.push(change.row);
          break;
      }
    }
  }

  membership(key: MembershipKey): MembershipRecord {
    const row = this.memberships.get(keyText(key));
    const grants = [...this.grants.values()].filter(
      (grant) => grant.state !== 'ended' && grant.memberships.some((held) => keyText(held) === keyText(key)),
    );
    return { key, ...(row === undefined ? {} : { membership: row }), grants };
  }

  grant(id: string): GrantRecord | undefined {
    const grant = this.grants.get(id);
    const request = grant === undefined ? undefined : this.requests.get(grant.requestId);
    if (grant === undefined || request === undefined) return undefined;
    const extending = this.requests.get(grant.extending?.requestId ?? '');
    const extension = [...this.requests.values()].find((one) => one.extendsGrant === id && one.state === 'pending');
    return {
      grant,
      request,
      memberships: grant.memberships.map((key) => this.membership(key)),
      ...(extension === undefined ? {} : { extension }),
      ...(extending === undefined ? {} : { extending }),
    };
  }

  request(id: string): RequestRecord | undefined {
    const request = this.requests.get(id);
    if (request === undefined) return undefined;
    return { request, approvals: this.approvals.filter((one) => one.requestId === id) };
  }

  /** What must hold of the rows after any commit. */
  faults(): readonly string[] {
    const faults: string[] = [];
    for (const grant of this.grants.values())
      if (isLive(grant) && !this.jobs.has(`end:${grant.id}`)) faults.push(`${grant.id} is live without an end timer`);
    for (const [id, row] of this.memberships) {
      if (row.origin !== 'ours' || this.membership(row.key).grants.some(isLive)) continue;
      if (!this.jobs.has(`op:${id}`)) faults.push(`${id} is ours, nobody holds it, and nothing is due`);
    }
    for (const grant of this.grants.values()) {
      if (grant.state !== 'ending' && grant.state !== 'adding') continue;
      const due = grant.memberships.some((key) => this.jobs.has(`op:${keyText(key)}`));
      if (!due && (grant.state === 'ending' || !this.jobs.has(`addby:${grant.id}`)))
        faults.push(`${grant.id} is ${grant.state} and nothing is due`);
    }
    return faults;
  }

  ring(id: string, now: Instant): void {
    const job = this.jobs.get(id);
    if (job?.kind !== 'timer') return;
    const ring = job.payload;
    let rung: Rung;
    if (ring.ring === 'lapse') rung = ringLapse(this.request(ring.requestId), now);
    else if (ring.ring === 'end') rung = ringEnd(this.grant(ring.grantId), now);
    else if (ring.ring === 'freeze' || ring.ring === 'revocation') rung = [];
    else if (ring.ring === 'add_by') rung = ringAddBy(this.grant(ring.grantId), now);
    else if (ring.ring === 'warn') rung = ringWarn(this.grant(ring.grantId), now);
    else return;
    if ('dueAt' in rung) {
      this.jobs.set(id, { ...job, dueAt: rung.dueAt });
      return;
    }
    const put = rung.some((change) => 'put' in change && change.put === 'job' && change.row.id === id);
    this.commit(rung.filter((change) => !('drop' in change && change.id === id)));
    if (!put) this.jobs.delete(id);
  }
}

function guard(what: string, row: { readonly version: number } | undefined, was: number | undefined): void {
  if (row?.version !== was) throw new Error(`${what} is at ${String(row?.version)}, decided on ${String(was)}`);
}

export type CallFault = 'none' | 'definite' | 'lost_before' | 'lost_after' | 'late' | 'crash_before' | 'crash_after';

interface Late {
  readonly at: number;
  readonly key: string;
  readonly to: boolean;
}

/** True memberships with their history (`real` time, which no clock step touches). */
export class ModelDirectory {
  readonly lagMs: number;
  readonly callDeadlineMs: number;
  /** It ends memberships by itself, when it is told to. */
  readonly expires: boolean;
  /** In `real` time. */
  readonly expiry = new Map<string, number>();
  /** Ended by itself last, and not by anybody. */
  readonly expired = new Set<string>();
  private readonly history = new Map<string, { at: number; member: boolean }[]>();
  private late: Late[] = [];

  constructor(lagMs: number, callDeadlineMs: number, expires = false) {
    this.expires = expires;
    this.lagMs = lagMs;
    this.callDeadlineMs = callDeadlineMs;
  }

  set(key: string, member: boolean, real: number): void {
    const list = this.history.get(key) ?? [{ at: Number.NEGATIVE_INFINITY, member: false }];
    if (list.at(-1)?.member !== member) {
      this.expiry.delete(key);
      this.expired.delete(key);
    }
    list.push({ at: real, member });
    this.history.set(key, list);
  }

  member(key: string): boolean {
    return this.history.get(key)?.at(-1)?.member ?? false;
  }

  /** What a read shows: some state that held within the lag. */
  read(key: string, real: number, stale: boolean): boolean {
    const list = this.history.get(key) ?? [];
    if (!stale) return this.member(key);
    return list.findLast((entry) => entry.at <= real - this.lagMs)?.member ?? false;
  }

  later(key: string, to: boolean, at: number): void {
    this.late.push({ key, to, at });
  }

  /** Lost calls that take effect by now. */
  land(real: number): readonly Late[] {
    const landed = this.late.filter((one) => one.at <= real).sort((a, b) => a.at - b.at);
    this.late = this.late.filter((one) => one.at > real);
    for (const one of landed) this.set(one.key, one.to, one.at);
    for (const [key, at] of [...this.expiry]) {
      if (at > real) continue;
      this.set(key, false, at);
      this.expired.add(key);
    }
    return landed;
  }
}

/** Whether the worker would go on at once; a run of these without an end is a storm. */
export const STEPS_MAX = 40;

export interface WorkerParts {
  readonly rows: Rows;
  readonly directory: ModelDirectory;
  readonly clock: { real: number; skew: number };
  /** What goes wrong with the next call. */
  fault(): CallFault;
  /** Whether the next read is answered from a lagging copy. */
  stale(): boolean;
}

/** One lease of one operation, as the worker would carry it out. Returns the calls made. */
export function operate(parts: WorkerParts, key: MembershipKey): readonly string[] {
  const { rows, directory, clock } = parts;
  const id = `op:${keyText(key)}`;
  const now = () => clock.real + clock.skew;
  const calls: string[] = [];
  let lesson: Lesson | undefined;
  for (let step = 0; step < STEPS_MAX; step++) {
    const record = rows.membership(key);
    const job = rows.jobs.get(id);
    if (job === undefined || record.membership === undefined) return calls;
    const decision: OperationDecision = decideOperation(
      {
        membership: record.membership,
        grants: record.grants.flatMap((grant) => rows.grant(grant.id) ?? []),
        lagMs: directory.lagMs,
        callDeadlineMs: directory.callDeadlineMs,
        jitter: 0.5,
        correlation: id,
        freezes: { version: 1, live: [] },
        ...(directory.expires ? { nativeExpiry: 'told' as const } : {}),
      },
      lesson,
      now(),
    );
    rows.commit(decision.changes);
    const { next } = decision;
    if (next.do === 'done') {
      rows.jobs.delete(id);
      return calls;
    }
    if (next.do === 'later') {
      rows.jobs.set(id, { ...job, dueAt: next.dueAt, priority: next.priority });
      return calls;
    }
    calls.push(next.call);
    const answer = call(parts, next.call, key, now, next.call === 'expire' ? next.at : undefined);
    if (answer === 'crash') {
      // The lease runs out only after the call can no longer be under way.
      rows.jobs.set(id, { ...job, dueAt: now() + directory.callDeadlineMs + 7_000 });
      return calls;
    }
    lesson = answer;
    clock.real += 50;
    directory.land(clock.real);
  }
  throw new Error(`${id} went on for ${STEPS_MAX} steps under one lease: ${calls.join(' ')}`);
}

function call(
  parts: WorkerParts,
  what: OperationCall,
  key: MembershipKey,
  now: () => Instant,
  at: Instant | undefined,
): Lesson | 'crash' {
  const { directory, clock } = parts;
  const text = keyText(key);
  const fault = parts.fault();
  const failed = (effect: 'none' | 'unknown'): Lesson => ({
    learnt: 'failed',
    call: what,
    code: 'unavailable',
    effect,
    error: 'no answer',
  });
  if (what === 'read') {
    if (fault === 'crash_before' || fault === 'crash_after') return 'crash';
    if (fault !== 'none') return failed('none');
    return { learnt: directory.read(text, clock.real, parts.stale()) ? 'seen_present' : 'seen_absent', readAt: now() };
  }
  if (what === 'expire') {
    if (fault === 'definite') return failed('none');
    if (fault === 'crash_before') return 'crash';
    if (fault === 'lost_before' || fault === 'late') return failed('unknown');
    if (!directory.member(text)) return { ...failed('none'), code: 'not_found' } as Lesson;
    if (at === undefined) directory.expiry.delete(text);
    else directory.expiry.set(text, at - clock.skew);
    if (fault === 'crash_after') return 'crash';
    if (fault === 'lost_after') return failed('unknown');
    return { learnt: 'expiry_set', ...(at === undefined ? {} : { at }) };
  }
  const to = what === 'add';
  const before = directory.member(text);
  if (fault === 'definite') return failed('none');
  if (fault === 'crash_before') return 'crash';
  if (fault === 'lost_before') return failed('unknown');
  if (fault === 'late') {
    directory.later(text, to, clock.real + directory.callDeadlineMs - 1);
    return failed('unknown');
  }
  directory.set(text, to, clock.real);
  if (fault === 'crash_after') return 'crash';
  if (fault === 'lost_after') return failed('unknown');
  if (to) return { learnt: before ? 'already_member' : 'added' };
  return { learnt: 'removed' };
}
