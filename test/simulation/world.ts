/**
 * The whole machine room without its doors: the real store, handler, desk, lanes and sweep, twice over one database,
 * with time, chance, people and directories that are ours to play with.
 */

import type { Catalog } from '../../src/access/catalog.ts';
import { createHandler, type Handler } from '../../src/access/handle.ts';
import { keyText } from '../../src/access/ledger.ts';
import type { AuditEvent, Job, MembershipKey, PersonId, Subject } from '../../src/access/model.ts';
import type { Desk, Directory, Ids, Incoming, Metrics, People, Store } from '../../src/access/ports.ts';
import { openStore } from '../../src/store/database.ts';
import { alertLane } from '../../src/workers/alert.ts';
import { expireDue } from '../../src/workers/expire.ts';
import { createDesk, inboxLane } from '../../src/workers/inbox.ts';
import type { Lane, LoopLog } from '../../src/workers/loop.ts';
import { notifyLane } from '../../src/workers/notify.ts';
import { provisionLanes } from '../../src/workers/provision.ts';
import { signOutLane } from '../../src/workers/sign-out.ts';
import { createSweep, type Sweep } from '../../src/workers/sweep.ts';
import { askLane, timerLane } from '../../src/workers/timers.ts';
import { entitlement, group, HOUR, hash, MINUTE, onCall, policy, SECOND, T0 } from '../support/builders.ts';
import { type HandClock, handClock } from '../support/clock.ts';
import {
  type Course,
  createFakeDirectory,
  createFakeMessenger,
  createFakePeople,
  type DirectoryCall,
  type FakeDirectory,
  type FakeHuman,
  type FakeMessenger,
  type FakePeople,
} from '../support/fakes.ts';
import { type Agenda, createAgenda } from './agenda.ts';
import { type Random, seeded } from './random.ts';
import { type Record as Rows, watchRecord } from './record.ts';

/** What is broken on purpose, to see whether it is noticed: a port as the code under test sees it. */
export interface Mutant {
  readonly store?: (store: Store, world: World) => Store;
  readonly directory?: (directory: Directory, world: World) => Directory;
  readonly people?: (people: People) => People;
}

export interface WorldOptions {
  readonly seed: number;
  /** `sqlite::memory:` when absent. */
  readonly url?: string;
  readonly mutant?: Mutant;
  readonly trace?: boolean;
}

/** Something that must never be so. */
export class Violation extends Error {}

/** The database did not answer, or its answer was lost: the one error a worker may fail with. */
class DatabaseFault extends Error {}

export type DirectoryMode =
  | 'healthy'
  | 'flaky'
  | 'slow'
  | 'limited'
  | 'unauthorized'
  | 'forbidden'
  | 'down'
  | 'failing';
export type DatabaseMode = 'instant' | 'quick' | 'slow';

/** What one history is like; drawn from its seed, so that some histories are all crashes and others have none. */
export interface Temper {
  readonly staleReads: number;
  databaseFaults: number;
  peopleFail: number;
  messengerFails: number;
  database: DatabaseMode;
  /** Without chat nobody is told anything, and a history takes a third of the time. */
  readonly chat: boolean;
}

export interface Process {
  readonly name: string;
  dead: boolean;
  readonly store: Store;
  readonly handler: Handler;
  readonly desk: Desk;
  readonly lanes: readonly Lane[];
  readonly sweep: Sweep;
  readonly running: Map<string, number>;
  readonly looking: Set<string>;
}

export interface World {
  readonly seed: number;
  readonly random: Random;
  readonly clock: HandClock;
  readonly agenda: Agenda;
  readonly rows: Rows;
  readonly people: FakePeople;
  readonly messenger: FakeMessenger;
  readonly directories: ReadonlyMap<string, FakeDirectory>;
  readonly modes: Map<string, DirectoryMode>;
  readonly temper: Temper;
  readonly processes: Process[];
  readonly keys: readonly MembershipKey[];
  /** Approvals count only with a proof. */
  readonly proven: boolean;
  catalog: Catalog;
  readonly ledgerOf: Ledger;
  /** What people were told, how often. */
  readonly answers: Map<string, number>;
  readonly story: string[];
  say(line: string): void;
  start(slot: number): void;
  kill(process: Process): void;
  /** `expire` on the second machine too. */
  killAll(): void;
  take(process: Process, incoming: Incoming): void;
  /** One look of one lane: leases up to `limit` and runs them. `false`: it is looking already, or has no slot left. */
  look(process: Process, lane: Lane, limit: number): boolean;
  sweep(process: Process): void;
  /** `hallpass expire --due` on a second machine. */
  expire(deadlineMs: number): void;
  /** Calls of ours under way, or lost ones that may still land. */
  underWay(): boolean;
  fail(what: string): void;
  readonly wrongs: readonly string[];
  close(): Promise<void>;
}

/** What the directories and the trail have shown, by membership. */
export interface Ledger {
  readonly started: Map<string, { add: number; remove: number }>;
  readonly sent: Map<string, { add: number; remove: number }>;
  /** When the read was sent on which the present stretch of additions rests. */
  readonly basis: Map<string, number>;
  readonly removedAt: Map<string, number>;
  readonly events: Map<string, number>;
  readonly recent: Map<string, number[]>;
}

export const HUMANS: readonly FakeHuman[] = ['ana', 'ben', 'cat', 'dan', 'mal'].map((name) => ({
  id: `okta/${name}`,
  name,
  email: `${name}@acme.com`,
  // The same human behind two accounts: neither may answer for the other.
  accounts: [
    { platform: 'slack', tenant: 'T1', id: `U-${name}` },
    { platform: 'teams', tenant: 'T2', id: `V-${name}` },
  ],
  users: { okta: `o-${name}`, google: `g-${name}` },
  groups: name === 'mal' ? [] : ['engineering'],
}));

const GROUPS = [
  { directory: 'okta', group: 'a' },
  { directory: 'okta', group: 'b' },
  { directory: 'google', group: 'g' },
] as const;

export const APPROVERS: readonly Subject[] = [onCall('dba'), { kind: 'user', email: 'cat@acme.com' }];

/** What the hash of a policy ends in that wants a proof of whoever approves. */
export const PROVEN = '-proof';

/** Entitlements that share groups; `edition` stands for the file as it was changed and loaded again. */
export function catalogOf(edition: number, proven: boolean): Catalog {
  const guarded = (approvals: number) =>
    policy({
      hash: `policy-${edition}-${approvals}${proven ? PROVEN : ''}`,
      ...(proven ? { proof: { approve: 'mfa' as const } } : {}),
      requesters: [group('engineering')],
      approvers: APPROVERS,
      approvals,
      duration: { defaultMs: 30 * MINUTE, maxMs: 2 * HOUR },
      reason: { minLength: 3 },
    });
  const role = (name: string, approvals: number, groups: readonly number[]) => [
    name,
    entitlement({
      id: `db:${name}`,
      resource: 'db',
      role: name,
      groups: groups.map((n) => GROUPS[n] ?? GROUPS[0]),
      policy: guarded(approvals),
    }),
  ];
  return {
    resources: {
      db: {
        name: 'db',
        title: 'Orders',
        defaultRole: 'read',
        roles: Object.fromEntries([
          role('read', 1, edition % 2 === 0 ? [0] : [0, 1]),
          role('write', 1, [0, 1]),
          role('admin', 2, [1, 2]),
          role('books', 1, [2]),
        ]),
      },
    },
    admins: [],
    responders: APPROVERS,
    viewers: [group('engineering')],
    timezone: 'UTC',
    approvalsChannel: 'C0',
  };
}

export const ROLES = ['read', 'write', 'admin', 'books'] as const;

const metrics: Metrics = { count: () => {}, observe: () => {} };
/** Calls on one membership within a minute; more is a storm. */
const STORM = 150;

export async function createWorld(options: WorldOptions): Promise<World> {
  const random = seeded(options.seed);
  const clock = handClock(T0);
  const proven = options.seed % 8 === 4;
  const wrongs: string[] = [];
  const story: string[] = [];
  const say = (line: string) => {
    if (options.trace) story.push(`${(clock.monotonic() / 1_000).toFixed(3)} ${line}`);
  };
  const fail = (what: string) => {
    say(`WRONG ${what}`);
    wrongs.push(what);
  };
  const temper: Temper = {
    staleReads: random.pick([0, 0.3, 0.9]),
    databaseFaults: random.pick([0, 0, 0, 0.01, 0.05]),
    peopleFail: random.pick([0, 0, 0.05]),
    messengerFails: random.pick([0, 0.2]),
    database: random.pick(['instant', 'quick', 'quick', 'slow']),
    chat: random.chance(0.15),
  };

  // ------------------------------------------------------------------------------------------------- what was seen
  const ledgerOf: Ledger = {
    started: new Map(),
    sent: new Map(),
    basis: new Map(),
    removedAt: new Map(),
    events: new Map(),
    recent: new Map(),
  };
  const reads = new Map<string, { wall: number; real: number }[]>();
  const open = new Map<string, DirectoryCall[]>();
  const attempts = new Map<string, number>();
  const counted = (map: Map<string, { add: number; remove: number }>, key: string) => {
    const known = map.get(key) ?? { add: 0, remove: 0 };
    map.set(key, known);
    return known;
  };

  function onEvent(event: AuditEvent): void {
    say(
      `event ${event.kind} ${event.grantId ?? event.requestId ?? ''} ${event.membership ? keyText(event.membership) : ''}`,
    );
    if (event.grantId !== undefined && /^grant\.(ended|activated|started)$/.test(event.kind)) {
      const id = `${event.kind} ${event.grantId}`;
      const times = (ledgerOf.events.get(id) ?? 0) + 1;
      ledgerOf.events.set(id, times);
      if (times > 1) fail(`${id} ${times} times`);
    }
    if (event.membership === undefined) return;
    const key = keyText(event.membership);
    if (event.kind === 'membership.baseline_found') {
      const { directory, groupId, userId } = event.membership;
      const until = directories.get(directory)?.outsideUntil(groupId, userId) ?? Number.NEGATIVE_INFINITY;
      const window = (LAGS[directory] ?? 0) + MINUTE;
      // How long ago our own removal was is told by the wall clock: with a step in between, a read that still lags is
      // taken for somebody else's membership. It does no more harm than a refusal; the next grant looks again.
      const stepped = clock.steppedAt !== undefined && clock.steppedAt > clock.monotonic() - window;
      if (until < clock.monotonic() - window && !stepped) fail(`${key} was nobody's, and is a baseline now`);
    }
    if (event.kind === 'membership.removal_started') counted(ledgerOf.started, key).remove++;
    if (event.kind !== 'membership.addition_started') return;
    counted(ledgerOf.started, key).add++;
    if (event.detail['attempt'] !== 1) return;
    const wall = event.detail['seenAbsentAt'];
    // A read that nobody sent is no excuse: then whatever is there by now was there before us.
    ledgerOf.basis.set(key, reads.get(key)?.findLast((read) => read.wall === wall)?.real ?? clock.monotonic());
  }

  // ----------------------------------------------------------------------------------------------------- the record
  let salts = 0;
  const raw = await openStore({
    url: options.url ?? 'sqlite::memory:',
    now: clock.now,
    hash,
    salt: () => hash(`salt ${options.seed} ${salts++}`).slice(0, 32),
    poolSize: 2,
  });
  const humanOf = (person: PersonId) => person.replace(/#.*$/, '');
  const rows = watchRecord(raw, {
    onEvent,
    onApproval(approval, correlation) {
      const request = rows.requests.get(approval.requestId);
      if (request === undefined || approval.answer !== 'approved') return;
      const human = humanOf(approval.approver);
      if (human === humanOf(request.requester)) fail(`${human} approved their own ${request.id}`);
      const from = attempts.get(correlation ?? '') ?? clock.monotonic();
      if (!people.held(APPROVERS, human, from, clock.monotonic())) fail(`${human} is no approver of ${request.id}`);
    },
  });
  const agenda = createAgenda(clock, () => rows.busy());

  // ---------------------------------------------------------------------------------------------------- directories
  const keyOf = (directory: string, call: DirectoryCall) =>
    keyText({ directory, groupId: call.groupId ?? '', userId: call.userId ?? '' });

  function onCall_(directory: string, lagMs: number, call: DirectoryCall): void {
    if (!call.by.startsWith('worker')) return;
    const key = keyOf(directory, call);
    const now = clock.monotonic();
    const recent = [...(ledgerOf.recent.get(key) ?? []), now].filter((at) => at > now - MINUTE);
    ledgerOf.recent.set(key, recent);
    if (recent.length > STORM) fail(`${recent.length} calls on ${key} within a minute`);
    if (call.what === 'read') {
      const list = reads.get(key) ?? [];
      list.push({ wall: clock.now(), real: now });
      reads.set(key, list);
      return;
    }
    if (call.what !== 'add' && call.what !== 'remove') return;
    say(`${call.by} sends ${call.what} ${key}`);
    const sent = counted(ledgerOf.sent, key);
    sent[call.what]++;
    if (sent[call.what] > counted(ledgerOf.started, key)[call.what]) fail(`${call.what} of ${key} is not in the trail`);
    const others = (open.get(key) ?? []).filter((other) => other.deadlineAt > now);
    if (others.length > 0) fail(`${call.what} of ${key} by ${call.by} while ${others[0]?.by} is at it`);
    open.set(key, [...others, call]);
    if (rows.memberships.get(key)?.origin !== 'ours') fail(`${call.what} of ${key}, which is not ours`);
    const spell = directories.get(directory)?.spell(call.groupId ?? '', call.userId ?? '');
    if (call.what !== 'remove' || spell?.by !== 'outside') return;
    // What nobody can tell apart is left out: somebody else adding a member while our own addition is under way, or
    // while reads may still show the membership that we took away.
    const basis = ledgerOf.basis.get(key) ?? Number.POSITIVE_INFINITY;
    const lagging = basis <= (ledgerOf.removedAt.get(key) ?? Number.NEGATIVE_INFINITY) + lagMs + SECOND;
    if (spell.since <= basis - lagMs && !lagging) fail(`${key} was there before us and is removed`);
  }

  const LAGS: { readonly [name: string]: number } = {
    okta: random.pick([0, SECOND, 5 * SECOND]),
    google: random.pick([0, 2 * SECOND, 30 * SECOND]),
  };
  const modes = new Map<string, DirectoryMode>([
    ['okta', 'healthy'],
    ['google', 'healthy'],
  ]);
  const directories = new Map<string, FakeDirectory>();
  for (const name of ['okta', 'google']) {
    const lagMs = LAGS[name] ?? 0;
    const fake = createFakeDirectory({
      name,
      lagMs,
      callDeadlineMs: 10 * SECOND,
      now: clock.monotonic,
      after: agenda.after,
      tellsAlready: name === 'google',
      course: (call) => courseOf(random, modes.get(name) ?? 'healthy', call, lagMs, temper.staleReads, say),
      onCall: (call) => onCall_(name, lagMs, call),
      onAnswered(call) {
        const key = keyOf(name, call);
        open.set(
          key,
          (open.get(key) ?? []).filter((other) => other !== call),
        );
        if (call.what === 'remove') ledgerOf.removedAt.set(key, clock.monotonic());
      },
      onEffect: (groupId, userId, member) => say(`${name} ${groupId} ${userId} is ${member ? 'in' : 'out'} by us`),
    });
    for (const one of GROUPS) if (one.directory === name) fake.addGroup({ id: `id-${one.group}`, name: one.group });
    for (const human of HUMANS) fake.addUser({ id: human.users[name] ?? '', login: human.email });
    directories.set(name, fake);
  }
  const keys = GROUPS.flatMap(({ directory, group: name }) =>
    HUMANS.slice(0, 4).map((human) => ({ directory, groupId: `id-${name}`, userId: human.users[directory] ?? '' })),
  );

  const people = createFakePeople({
    humans: HUMANS,
    onCall: { dba: ['okta/ben'] },
    now: clock.monotonic,
    fails: () => random.chance(temper.peopleFail),
  });
  const messenger = createFakeMessenger({
    fault: () => (random.chance(temper.messengerFails) ? random.pick(['before', 'after', 'limited'] as const) : 'none'),
    answer: () => new Promise((resolve) => agenda.after(random.below(300), resolve)),
  });

  // ------------------------------------------------------------------------------------------------------ processes
  const ids: Ids = {
    // Few letters, so that two requests get the same id now and then.
    short: (attempt) => Array.from({ length: attempt === 0 ? 4 : 5 }, () => random.pick(['A', 'C', 'D'])).join(''),
    opaque: () =>
      Array.from({ length: 4 }, () =>
        random
          .below(2 ** 32)
          .toString(16)
          .padStart(8, '0'),
      ).join(''),
    jitter: random.next,
    hash,
  };
  const never = new Promise<never>(() => {});

  function delay(): number {
    switch (temper.database) {
      case 'instant':
        return 0;
      case 'quick':
        return random.chance(0.75) ? 0 : random.between(1, 40);
      case 'slow':
        return random.chance(0.6) ? 0 : random.chance(0.85) ? random.between(1, 2_500) : random.between(1, 14_000);
    }
  }

  /** A port as one process reaches it: it may wait before and after, and hears nothing any more once it has died. */
  function through<T extends object>(process: { dead: boolean }, port: T, wait: () => number, faults: number): T {
    const gate = (ms: number) =>
      new Promise<void>((resolve) =>
        agenda.after(ms, () => {
          if (!process.dead) resolve();
        }),
      );
    const wrapped = Object.entries(port).map(([name, value]) => {
      if (typeof value !== 'function') return [name, value];
      const call = async (...args: unknown[]) => {
        if (process.dead) return await never;
        const before = wait();
        if (before > 0) await gate(before);
        if (faults > 0 && random.chance(faults)) throw new DatabaseFault(`${name} did not arrive`);
        let result: unknown;
        let failed: unknown;
        try {
          result = await Reflect.apply(value, port, args);
        } catch (error) {
          failed = error;
        }
        if (process.dead) return await never;
        const after = wait();
        if (after > 0) await gate(after);
        if (failed !== undefined) throw failed;
        if (faults > 0 && random.chance(faults)) throw new DatabaseFault(`the answer to ${name} was lost`);
        return result;
      };
      return [name, call];
    });
    return Object.fromEntries(wrapped) as T;
  }

  const log = (name: string): LoopLog => ({
    error(detail, message) {
      const error = 'error' in detail ? detail.error : undefined;
      say(`${name} logs an error: ${message} ${String(error ?? '')}`);
      if (error !== undefined && !(error instanceof DatabaseFault))
        fail(`${message}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    },
    warn(detail, message) {
      say(`${name} warns: ${message}`);
      if (/too many steps|had no job/.test(message)) fail(`${message} ${JSON.stringify(detail)}`);
    },
  });

  function unlessDatabase(what: string): (error: unknown) => void {
    return (error) => {
      if (error instanceof DatabaseFault) say(`${what} failed: ${error.message}`);
      else fail(`${what} failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    };
  }

  const partsOf = (process: { dead: boolean }, name: string) => {
    const reach = through(process, rows.store, delay, 0);
    const faulty = {
      ...rows.store,
      ...through(process, rows.store, delay, temper.databaseFaults),
      close: reach.close,
    };
    const ports = (by: string) =>
      new Map(
        [...directories].map(([dir, fake]) => {
          const port = through(process, fake.port(`${by} ${name}`), () => 0, 0);
          return [dir, options.mutant?.directory?.(port, world) ?? port];
        }),
      );
    return {
      store: options.mutant?.store?.(faulty, world) ?? faulty,
      workers: ports('worker'),
      asked: ports('handler'),
    };
  };

  let born = 0;
  const others: { dead: boolean }[] = [];
  function start(slot: number): void {
    const name = `p${slot}.${born++}`;
    const state = { name, dead: false, running: new Map<string, number>(), looking: new Set<string>() };
    const { store, workers, asked } = partsOf(state, name);
    const patience = () => (random.chance(0.8) ? 0 : random.between(1, 1_500));
    const reach = through(state, people.port, patience, 0);
    const handler = createHandler({
      store,
      people: options.mutant?.people?.(reach) ?? reach,
      directories: asked,
      catalog: () => world.catalog,
      clock,
      ids,
      ...(proven ? { proofLink: (id: string) => id } : {}),
    });
    const noted: Handler = {
      ...handler,
      handle(command, delivery) {
        const key = typeof delivery === 'object' ? delivery.key : delivery;
        if (key !== undefined && !attempts.has(key)) attempts.set(key, clock.monotonic());
        return handler.handle(command, delivery);
      },
    };
    const parts = { store, handler: noted, clock, log: log(name) };
    const later = (ms: number, act: () => void) => {
      let wanted = true;
      agenda.after(ms, () => {
        if (wanted && !state.dead) act();
      });
      return () => {
        wanted = false;
      };
    };
    const lanes: Lane[] = [
      timerLane({ store, clock }),
      askLane({ store, clock, people: reach, catalog: () => world.catalog }),
      ...[...workers.values()].flatMap((directory) => [
        ...provisionLanes({ store, directory, clock, ids, log: parts.log, after: later }),
        signOutLane({ store, directory, clock, ids, log: parts.log }),
      ]),
      inboxLane({ ...parts, replier: () => undefined }),
      alertLane({ ...parts, url: undefined, timezone: () => 'UTC', ids, metrics }),
    ];
    if (temper.chat)
      lanes.push(
        notifyLane({
          ...parts,
          messengers: { slack: through(state, messenger.port, () => 0, 0) },
          securityChannels: () => [{ platform: 'slack', conversation: 'C-SEC' }],
          timezone: () => 'UTC',
          view: handler.view,
          revocation: handler.revocation,
          review: handler.review,
          digest: async () => undefined,
          finding: handler.finding,
          findingsChannel: () => undefined,
          digestChannels: () => [],
          details: async () => ({ name: 'digest.csv', title: 'digest', text: '' }),
          ids,
        }),
      );
    const idleLoop = { start() {}, wake() {}, stop: () => Promise.resolve(true), idle: () => Promise.resolve() };
    const process: Process = Object.assign(state, {
      store,
      handler: noted,
      desk: createDesk({ ...parts, after: later }),
      lanes,
      sweep: createSweep({ store, loop: idleLoop, clock, metrics, log: parts.log, agree: () => Promise.resolve() }),
    });
    world.processes[slot] = process;
    say(`${name} starts`);
  }

  const world: World = {
    seed: options.seed,
    random,
    clock,
    agenda,
    rows,
    people,
    messenger,
    directories,
    modes,
    temper,
    processes: [],
    keys,
    proven,
    catalog: catalogOf(0, proven),
    ledgerOf,
    answers: new Map(),
    story,
    wrongs,
    say,
    fail,
    start,
    kill(process) {
      say(`${process.name} dies`);
      process.dead = true;
    },
    killAll() {
      for (const process of world.processes) world.kill(process);
      for (const other of others) other.dead = true;
    },
    take(process, incoming) {
      const { command } = incoming;
      const target = 'target' in command && command.target !== undefined ? JSON.stringify(command.target) : '';
      const by = 'by' in command && 'id' in command.by ? command.by.id : '';
      say(
        `${process.name} takes ${incoming.key}: ${by} ${command.do} ${'role' in command ? command.role : ''}${target}`,
      );
      process.desk.take(incoming).then(
        ({ answer }) => {
          void answer.then((said) => {
            const word = said.say === 'refused' ? said.refusal.code : said.say === 'done' ? said.what : said.say;
            world.answers.set(word, (world.answers.get(word) ?? 0) + 1);
            say(`${incoming.key}: ${word}`);
          });
        },
        unlessDatabase(`taking ${incoming.key}`),
      );
    },
    look(process, lane, limit) {
      if (process.dead || process.looking.has(lane.name)) return false;
      const free = lane.slots - (process.running.get(lane.name) ?? 0);
      if (free <= 0) return false;
      process.looking.add(lane.name);
      const looked = lane.lease(Math.min(free, limit)).then((jobs) => {
        for (const job of jobs) {
          process.running.set(lane.name, (process.running.get(lane.name) ?? 0) + 1);
          void lane
            .run(job)
            .catch(unlessDatabase(`${process.name} ${lane.name} ${(job as Partial<Job>).id ?? ''}`))
            .then(() => process.running.set(lane.name, (process.running.get(lane.name) ?? 1) - 1));
        }
        process.looking.delete(lane.name);
      });
      looked.catch((error: unknown) => {
        unlessDatabase(`${process.name} ${lane.name}`)(error);
        agenda.after(500, () => process.looking.delete(lane.name));
      });
      return true;
    },
    sweep(process) {
      void process.sweep.sweep();
    },
    expire(deadlineMs) {
      const state = { dead: false };
      others.push(state);
      const { store, workers } = partsOf(state, 'expire');
      const sleep = (ms: number) => new Promise<void>((resolve) => agenda.after(ms, resolve));
      say('expire --due');
      const after = (ms: number, act: () => void) => agenda.after(ms, () => state.dead || act());
      void expireDue({ store, directories: workers, clock, ids, log: log('expire'), after }, deadlineMs, sleep).then(
        (report) => say(`expire: ${report.proven.length} proven, ${report.outstanding.length} outstanding`),
        unlessDatabase('expire'),
      );
    },
    underWay() {
      const now = clock.monotonic();
      if ([...open.values()].some((calls) => calls.some((call) => call.deadlineAt > now))) return true;
      return [...rows.jobs.values()].some(({ leaseUntil }) => leaseUntil !== undefined && leaseUntil > clock.now());
    },
    close: () => raw.close(),
  };
  return world;
}

/** How one call goes, as the directory is just now. Whatever happens, nothing lands after the deadline. */
function courseOf(
  random: Random,
  mode: DirectoryMode,
  call: DirectoryCall,
  lagMs: number,
  staleReads: number,
  say: (line: string) => void,
): Course {
  const write = call.what === 'add' || call.what === 'remove';
  const deadlineMs = call.deadlineAt - call.startedAt;
  const stale = lagMs > 0 && random.chance(staleReads) ? { staleMs: random.between(0, lagMs) } : {};
  const lost = { code: 'unavailable', effect: write ? 'unknown' : 'none' } as const;
  const soon = random.below(200);
  const fine: Course = { actsAfterMs: soon, answersAfterMs: soon + random.below(200), ...stale };
  const no = (failure: Course['failure'] & object): Course => ({ answersAfterMs: random.below(200), failure });
  switch (mode) {
    case 'healthy':
      return fine;
    case 'slow': {
      const acts = random.below(deadlineMs);
      return { actsAfterMs: acts, answersAfterMs: acts + random.below(deadlineMs), ...stale };
    }
    case 'limited':
      return random.chance(0.2)
        ? fine
        : no({ code: 'rate_limited', effect: 'none', retryAfterMs: random.below(30_000) });
    case 'unauthorized':
      return no({ code: 'unauthorized', effect: 'none' });
    case 'forbidden':
      return write ? no({ code: 'rejected', effect: 'none' }) : fine;
    case 'down':
      return no({ code: 'unavailable', effect: 'none' });
    case 'failing':
      return { ...(random.chance(0.5) ? { actsAfterMs: soon } : {}), answersAfterMs: soon + 1, failure: lost };
    case 'flaky': {
      if (random.chance(0.4)) return fine;
      const course = random.pick<Course>([
        no(lost),
        { ...fine, failure: lost },
        // The answer is lost at once, and the effect comes much later.
        { actsAfterMs: random.below(deadlineMs), answersAfterMs: random.below(300), failure: lost },
        { actsAfterMs: deadlineMs - 1, answersAfterMs: random.below(300), failure: lost },
        { actsAfterMs: random.below(deadlineMs) },
        {},
        no({ code: 'unavailable', effect: 'none' }),
      ]);
      say(`  ${call.what} will go ${JSON.stringify(course)}`);
      return course;
    }
  }
}
