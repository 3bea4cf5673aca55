/**
 * Promise: whatever wishes, faults, lags, crashes and clock steps come, the rows and the directory end up where the
 * grants want them, nothing that was there before us is taken away, and nothing is called proven that is not.
 *
 * What no ledger can tell, and is therefore kept out of the histories: somebody else adding the same member while our
 * own addition is under way or a read still lags, and a wall clock that jumps ahead while a lost call may still land.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decideApprove } from '../../src/access/decide-answer.ts';
import { decideRevoke } from '../../src/access/decide-close.ts';
import { timer } from '../../src/access/decision.ts';
import { isLive, keyText } from '../../src/access/ledger.ts';
import { endsAt } from '../../src/access/lifecycle.ts';
import type { MembershipKey } from '../../src/access/model.ts';
import { type DriftRules, missingFrom, reconcileGroup, TELL_ONLY } from '../../src/access/reconcile.ts';
import {
  approveFacts,
  cardOf,
  entitlement,
  HOUR,
  keyOf,
  MINUTE,
  pinned,
  request,
  requestRecord,
  SECOND,
  T0,
} from '../support/builders.ts';
import { type CallFault, changesOf, ModelDirectory, operate, Rows } from '../support/given.ts';

const KINDS = {
  read: ['a'],
  write: ['a', 'b'],
  admin: ['b', 'a'],
} as const;

type Action =
  | { readonly act: 'approve'; readonly kind: keyof typeof KINDS }
  | { readonly act: 'revoke'; readonly which: number }
  | { readonly act: 'extend'; readonly which: number; readonly approved: boolean }
  | { readonly act: 'outside'; readonly group: 'a' | 'b'; readonly member: boolean }
  | { readonly act: 'wait'; readonly ms: number }
  /** Nothing of ours runs for so long. */
  | { readonly act: 'down'; readonly ms: number }
  /** Listed, asked after one by one, and decided on `ms` later, by when the ledger has moved on. */
  | { readonly act: 'reconcile'; readonly end: boolean; readonly ms: number }
  | { readonly act: 'step'; readonly by: number }
  | { readonly act: 'faults'; readonly next: readonly CallFault[] }
  | { readonly act: 'stale'; readonly next: readonly boolean[] };

class World {
  readonly rows = new Rows();
  readonly directory: ModelDirectory;
  readonly clock = { real: T0, skew: 0 };
  readonly owner = new Map<string, 'us' | 'outside'>();
  readonly wrongs: string[] = [];
  faults: CallFault[] = [];
  stales: boolean[] = [];
  /** After that the same wall time comes twice, and a lag window with it. */
  private steppedBack = false;
  private count = 0;
  private calls: { key: string; at: number }[] = [];
  private seenEvents = 0;
  private readonly lates = new Map<string, number>();

  /** Nobody is in the groups without a grant: whoever somebody else adds is taken out by reconciliation. */
  readonly exclusive: boolean;

  constructor(lagMs: number, callDeadlineMs: number, exclusive = false, expires = false) {
    this.exclusive = exclusive;
    this.directory = new ModelDirectory(lagMs, callDeadlineMs, expires);
    const set = this.directory.set.bind(this.directory);
    this.directory.set = (key, member, real) => {
      const before = this.directory.member(key);
      if (before && !member && this.owner.get(key) === 'outside' && !exclusive)
        this.wrongs.push(`${key} was there before us`);
      if (!before && member) this.owner.set(key, 'us');
      set(key, member, real);
    };
    const later = this.directory.later.bind(this.directory);
    this.directory.later = (key, to, at) => {
      this.lates.set(key, Math.max(this.lates.get(key) ?? 0, at));
      later(key, to, at);
    };
  }

  get now(): number {
    return this.clock.real + this.clock.skew;
  }

  private get pendingLate(): boolean {
    return [...this.lates.values()].some((at) => at + this.directory.callDeadlineMs >= this.clock.real);
  }

  act(action: Action): void {
    switch (action.act) {
      case 'approve': {
        const id = `R-${String(++this.count).padStart(4, '0')}`;
        const names = KINDS[action.kind];
        const of = request({
          id,
          entitlement: `db:${action.kind}`,
          groups: names.map((name) => pinned(name)),
          durationMs: 3.5 * HOUR,
          cardId: `card-${id}`,
          createdAt: this.now,
          lapsesAt: this.now + HOUR,
        });
        this.rows.commit([{ put: 'request', row: of }]);
        const outcome = decideApprove(
          approveFacts({
            record: requestRecord(of),
            card: cardOf(of),
            entitlement: entitlement({ id: of.entitlement }),
            memberships: names.map((name) => this.rows.membership(keyOf(name))),
          }),
          this.now,
        );
        if ('refusal' in outcome) {
          expect(outcome.refusal.code).toBe('already_granted');
          return;
        }
        this.rows.commit(changesOf(outcome));
        break;
      }
      case 'revoke': {
        const live = [...this.rows.grants.values()].filter(isLive);
        const grant = live[action.which % Math.max(1, live.length)];
        const record = grant === undefined ? undefined : this.rows.grant(grant.id);
        if (record === undefined) return;
        this.rows.commit(
          changesOf(decideRevoke({ reason: 'over' }, { by: { operator: 'root' }, responders: [], record }, this.now)),
        );
        break;
      }
      case 'extend': {
        const active = [...this.rows.grants.values()].filter((one) => one.state === 'active');
        const extended = this.rows.grant(active[action.which % Math.max(1, active.length)]?.id ?? '');
        if (extended === undefined || extended.extension !== undefined) return;
        const id = `R-${String(++this.count).padStart(4, '0')}`;
        const wish = request({
          id,
          entitlement: extended.grant.entitlement,
          extendsGrant: extended.grant.id,
          durationMs: HOUR,
          createdAt: this.now,
          lapsesAt: this.now + HOUR,
        });
        this.rows.commit([{ put: 'request', row: wish }, timer({ ring: 'lapse', requestId: id }, wish.lapsesAt)]);
        if (!action.approved) return;
        const outcome = decideApprove(
          approveFacts({ record: requestRecord(wish), extended, memberships: extended.memberships }),
          this.now,
        );
        this.rows.commit('refusal' in outcome ? (outcome.changes ?? []) : outcome.changes);
        break;
      }
      case 'outside': {
        const key = keyText(keyOf(action.group));
        const row = this.rows.memberships.get(key);
        // Adding what is ours already, or is being added, cannot be told from our own work by anybody.
        if (action.member && (row?.origin === 'ours' || this.pendingLate || this.steppedBack)) return;
        this.run(35 * SECOND + this.directory.lagMs);
        if (action.member && (this.rows.memberships.get(key)?.origin === 'ours' || this.directory.member(key))) return;
        this.owner.delete(key);
        this.directory.set(key, action.member, this.clock.real);
        if (action.member) this.owner.set(key, 'outside');
        this.clock.real += 35 * SECOND + this.directory.lagMs;
        break;
      }
      case 'reconcile':
        this.reconcile(action.end, action.ms);
        break;
      case 'wait':
        this.run(action.ms);
        break;
      case 'down':
        this.clock.real += action.ms;
        this.directory.land(this.clock.real);
        break;
      case 'step':
        // Its clock is not ours: what it ends is then before or after our own end by as much as ours is wrong.
        if (this.directory.expires) return;
        if (action.by > 0 && this.pendingLate) return;
        if (action.by < 0) this.steppedBack = true;
        if (Math.abs(this.clock.skew + action.by) <= HOUR) this.clock.skew += action.by;
        break;
      case 'faults':
        this.faults = [...action.next];
        break;
      case 'stale':
        this.stales = [...action.next];
        break;
    }
    this.check();
  }

  reconcile(end: boolean, ms: number): void {
    const rules: DriftRules = {
      ...TELL_ONLY,
      missingMember: end ? 'end' : 'tell',
      unknownMember: this.exclusive ? 'remove' : 'tell',
    };
    const read = (key: MembershipKey) =>
      this.directory.read(keyText(key), this.clock.real, this.stales.shift() ?? false);
    const compared = (['a', 'b'] as const).map((name) => {
      const key = keyOf(name);
      const { directory, groupId, userId } = key;
      const members = read(key) ? [{ id: userId, login: userId }] : [];
      const base = { directory, groupId, groupName: name, exclusive: this.exclusive, lagMs: this.directory.lagMs };
      const listed = { members, readAt: this.now };
      const missing = missingFrom({ ...base, listed, records: [this.rows.membership(key)] });
      return { ...base, key, listed, absent: new Set(missing.filter((one) => !read(one)).map(keyText)) };
    });
    this.run(ms);
    for (const { key, ...facts } of compared) {
      const records = [this.rows.membership(key)];
      const { findings, changes } = reconcileGroup({ ...facts, records, known: [] }, rules, this.now);
      for (const { course } of findings)
        if (course === 'removing' && this.rows.membership(key).grants.length > 0)
          this.wrongs.push(`${keyText(key)} is taken from a grant`);
      this.rows.commit(changes);
    }
  }

  run(ms: number): void {
    const until = this.clock.real + ms;
    for (let turns = 0; turns < 20_000; turns++) {
      const due = [...this.rows.jobs.values()]
        .filter((job) => job.kind === 'operation' || job.kind === 'timer')
        .sort((a, b) => a.dueAt - b.dueAt)[0];
      const at = due === undefined ? until : Math.max(this.clock.real, due.dueAt - this.clock.skew);
      if (due === undefined || at > until) {
        this.clock.real = Math.max(this.clock.real, until);
        this.directory.land(this.clock.real);
        return;
      }
      this.clock.real = at;
      this.directory.land(at);
      if (due.kind === 'timer') this.rows.ring(due.id, this.now);
      else this.operate(due.payload as MembershipKey);
      this.check();
    }
    throw new Error('the loop never slept');
  }

  /** No new grant that the directory has yet to hear of. */
  private settled(key: MembershipKey): boolean {
    return !this.rows.jobs.has(`op:${keyText(key)}`);
  }

  private operate(key: MembershipKey): void {
    const calls = operate(
      {
        rows: this.rows,
        directory: this.directory,
        clock: this.clock,
        fault: () => this.faults.shift() ?? 'none',
        stale: () => this.stales.shift() ?? false,
      },
      key,
    );
    this.calls.push(...calls.map(() => ({ key: keyText(key), at: this.clock.real })));
    this.calls = this.calls.filter((one) => one.at > this.clock.real - MINUTE);
    if (this.calls.length > 150) this.wrongs.push(`${this.calls.length} calls within a minute`);
    if (calls.length === 0) this.clock.real += 1;
  }

  check(): void {
    this.wrongs.push(...this.rows.faults());
    for (const event of this.rows.events.slice(this.seenEvents)) {
      if (event.kind === 'grant.removed_outside') {
        const { memberships = [] } = this.rows.grants.get(event.grantId ?? '') ?? {};
        if (
          !memberships.some((key) => !this.directory.expired.has(keyText(key)) && !this.directory.member(keyText(key)))
        )
          this.wrongs.push(`${event.grantId} is said to be removed by somebody else`);
      }
      if (event.kind !== 'membership.proven_absent' || event.membership === undefined) continue;
      const key = keyText(event.membership);
      if (this.directory.member(key) && this.owner.get(key) === 'us') this.wrongs.push(`${key} is not absent`);
    }
    this.seenEvents = this.rows.events.length;
    for (const { id, startsAt, expiresAt, maxMs } of this.rows.grants.values())
      if (startsAt !== undefined && expiresAt !== undefined && expiresAt - startsAt > maxMs)
        this.wrongs.push(`${id} outlives its maximum`);
    for (const row of this.rows.memberships.values()) {
      const key = keyText(row.key);
      const expiry = this.directory.expiry.get(key);
      if (expiry !== undefined && this.owner.get(key) === 'outside')
        this.wrongs.push(`${key} was there before us, and is to end`);
      for (const grant of this.rows.membership(row.key).grants)
        if (
          expiry !== undefined &&
          isLive(grant) &&
          this.now < endsAt(grant) &&
          expiry + this.clock.skew < endsAt(grant)
        )
          if (this.settled(row.key)) this.wrongs.push(`${key} ends before ${grant.id} does`);
      if (row.origin === 'none' && this.directory.member(key) && this.owner.get(key) === 'us')
        this.wrongs.push(`${key} is in by us, and the ledger says none`);
    }
    if (this.wrongs.length > 0) throw new Error(this.wrongs.join('; '));
  }
}

const fault = fc.constantFrom<CallFault>(
  'none',
  'definite',
  'lost_before',
  'lost_after',
  'late',
  'crash_before',
  'crash_after',
);
const action: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ act: fc.constant('approve' as const), kind: fc.constantFrom('read', 'write', 'admin') }),
  },
  { weight: 4, arbitrary: fc.record({ act: fc.constant('revoke' as const), which: fc.nat(3) }) },
  {
    weight: 2,
    arbitrary: fc.record({ act: fc.constant('extend' as const), which: fc.nat(3), approved: fc.boolean() }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      act: fc.constant('outside' as const),
      group: fc.constantFrom('a', 'b'),
      member: fc.boolean(),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      act: fc.constant('reconcile' as const),
      end: fc.boolean(),
      ms: fc.constantFrom(0, 900, 70_000),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      act: fc.constant('wait' as const),
      ms: fc.constantFrom(0, 60, 900, 4_000, 12_000, 70_000, 900_000),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ act: fc.constant('down' as const), ms: fc.constantFrom(20_000, 400_000, 4 * HOUR) }),
  },
  { weight: 1, arbitrary: fc.record({ act: fc.constant('step' as const), by: fc.constantFrom(-HOUR, HOUR) }) },
  {
    weight: 4,
    arbitrary: fc.record({ act: fc.constant('faults' as const), next: fc.array(fault, { maxLength: 6, size: 'max' }) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      act: fc.constant('stale' as const),
      next: fc.array(fc.boolean(), { maxLength: 6, size: 'max' }),
    }),
  },
);

function play(actions: readonly Action[], lagMs: number, exclusive = false, expires = false): World {
  const world = new World(lagMs, 10 * SECOND, exclusive, expires);
  for (const one of actions) world.act(one);
  world.faults = [];
  world.stales = [];
  return world;
}

describe('when faults stop', () => {
  test('what a running grant holds is there, and what nobody wants is gone or was there before', () => {
    fc.assert(
      fc.property(
        fc.array(action, { minLength: 8, maxLength: 25, size: 'max' }),
        fc.constantFrom(0, 1_000, 5_000),
        fc.boolean(),
        (actions, lagMs, expires) => {
          const world = play(actions, lagMs, false, expires);
          world.run(2.5 * HOUR);
          for (const grant of world.rows.grants.values()) {
            if (grant.state !== 'active') continue;
            for (const key of grant.memberships) {
              const row = world.rows.memberships.get(keyText(key));
              const held = row?.origin === 'ours' && row.addOutcome === 'accepted' && row.removeStartedAt === undefined;
              if (held && world.owner.has(keyText(key)))
                expect(world.directory.member(keyText(key)), `${grant.id} holds ${keyText(key)}`).toBe(true);
            }
          }
          world.run(8 * HOUR);
          for (const grant of world.rows.grants.values()) expect(grant.state).toBe('ended');
          for (const [key, row] of world.rows.memberships) {
            expect(row.origin).not.toBe('ours');
            expect(world.directory.member(key)).toBe(world.owner.get(key) === 'outside' && world.directory.member(key));
          }
        },
      ),
      { numRuns: 1_000, seed: 7 },
    );
  });

  test('nobody is in an exclusive group whom no grant put there, and no grant lost what it holds to that', () => {
    fc.assert(
      fc.property(
        fc.array(action, { minLength: 8, maxLength: 25, size: 'max' }),
        fc.constantFrom(0, 1_000, 5_000),
        (actions, lagMs) => {
          const world = play(actions, lagMs, true);
          world.run(10 * HOUR);
          world.reconcile(false, 0);
          world.run(HOUR);
          for (const grant of world.rows.grants.values()) expect(grant.state).toBe('ended');
          for (const name of ['a', 'b']) expect(world.directory.member(keyText(keyOf(name))), name).toBe(false);
        },
      ),
      { numRuns: 400, seed: 11 },
    );
  });
});
