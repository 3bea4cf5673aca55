/** One history: what happens next is drawn from the seed, until the faults stop and everything has to come to rest. */

import type { Aim, Command } from '../../src/access/command.ts';
import { decideSignedIn } from '../../src/access/decide-proof.ts';
import { isLive } from '../../src/access/ledger.ts';
import type { AccountRef } from '../../src/access/model.ts';
import { type Incoming, StaleStateError } from '../../src/access/ports.ts';
import { HOUR, hash, MINUTE, SECOND } from '../support/builders.ts';
import { deepInvariants, honoured, invariants, quiet } from './invariants.ts';
import { type Random, seeded } from './random.ts';
import {
  catalogOf,
  createWorld,
  type DatabaseMode,
  type DirectoryMode,
  HUMANS,
  ROLES,
  Violation,
  type World,
  type WorldOptions,
} from './world.ts';

export interface HistoryOptions extends WorldOptions {
  readonly steps?: number;
}

export interface HistoryReport {
  readonly grants: number;
  readonly ended: Readonly<Record<string, number>>;
  readonly answers: ReadonlyMap<string, number>;
}

const STEPS = 100;
/** Events in one stretch of attention; more means that something never comes to rest. */
const RESTLESS = 30_000;

/** Rejects with a `Violation` that names the seed and tells the story. */
export async function simulate(options: HistoryOptions): Promise<HistoryReport> {
  try {
    return await live(options);
  } catch (error) {
    if (!(error instanceof Violation) || options.trace || options.url?.startsWith('postgres')) throw error;
    return await live({ ...options, trace: true });
  }
}

async function live(options: HistoryOptions): Promise<HistoryReport> {
  const world = await createWorld(options);
  try {
    world.start(0);
    world.start(1);
    const plan = draw(world);
    for (const key of world.keys)
      if (world.random.chance(plan.outsiders ? 0.15 : 0.05))
        world.directories.get(key.directory)?.outside(key.groupId, key.userId, true);
    for (let step = 0; step < (options.steps ?? STEPS); step++) {
      await plan.next();
      await check(world, options);
    }
    await comeToRest(world, options);
    const ended: { [reason: string]: number } = {};
    for (const grant of world.rows.grants.values())
      ended[grant.endReason ?? grant.state] = (ended[grant.endReason ?? grant.state] ?? 0) + 1;
    return { grants: world.rows.grants.size, ended, answers: world.answers };
  } finally {
    for (const process of world.processes) process.dead = true;
    await world.agenda.settle();
    await world.close();
  }
}

async function check(world: World, options: HistoryOptions): Promise<void> {
  invariants(world);
  await speak(world, options);
}

async function speak(world: World, { seed }: HistoryOptions): Promise<void> {
  if (world.wrongs.length === 0) return;
  const told = world.story.length === 0 ? '' : `\n${world.story.slice(-STORY_LINES).join('\n')}`;
  throw new Violation(`seed ${seed}: ${[...new Set(world.wrongs)].join('; ')}${told}`);
}

const STORY_LINES = 400;

// ---------------------------------------------------------------------------------------------------- what happens

interface Plan {
  readonly outsiders: boolean;
  next(): Promise<void>;
}

function draw(world: World): Plan {
  const { random, clock, agenda, rows, temper } = world;
  // Each history has a mind of its own: what it does often, seldom or never.
  const taste = (weight: number, ...others: readonly number[]) => random.pick([weight, ...others]);
  const outsiders = random.chance(0.4);
  const concentrated = random.chance(0.6);
  // Grants that end within seconds of their beginning: where lost answers, lags and second thoughts meet.
  const hasty = random.chance(0.6);
  if (hasty && random.chance(0.6)) for (const name of world.modes.keys()) world.modes.set(name, 'flaky');
  const sent: Incoming[] = [];
  let deliveries = 0;
  let edition = 0;
  let setBack = 0;
  let onDuty: readonly number[] = [1];

  const alive = () => random.pick(world.processes.filter((process) => !process.dead));
  const requester = () => (concentrated ? 0 : random.below(4));
  const account = (n: number): AccountRef => {
    const accounts = HUMANS[n]?.accounts ?? [];
    return random.chance(0.85) && accounts[0] !== undefined ? accounts[0] : random.pick(accounts);
  };

  /** Mostly somebody who may, but any of them at times. */
  const answerer = () =>
    account(random.chance(hasty ? 0.9 : 0.6) ? random.pick([2, ...onDuty]) : random.below(HUMANS.length));

  function command(): Command | undefined {
    const pending = [...rows.requests.values()].filter((request) => request.state === 'pending');
    const live = [...rows.grants.values()].filter(isLive);
    const any = [...rows.requests.values()];
    const wish = random.weighted([
      [4, 'request'],
      [pending.length > 0 ? 8 : 0, 'approve'],
      [pending.length > 0 ? 0.7 : 0, 'deny'],
      [pending.length > 0 ? 0.7 : 0, 'cancel'],
      [live.length > 0 ? 3 : 0, 'extend'],
      [live.length > 0 ? (hasty ? 6 : 1.5) : 0, 'return'],
      [live.length > 0 ? (hasty ? 4 : 1) : 0, 'revoke'],
      [any.length > 0 ? 0.3 : 0, 'late'],
    ] as const);
    const by = account(random.below(HUMANS.length));
    switch (wish) {
      case 'request': {
        const ms = random.pick([5 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR]);
        return {
          do: 'request',
          by: account(random.chance(0.95) ? requester() : 4),
          resource: 'db',
          role: random.pick(ROLES),
          duration: { ms },
          reason: 'to see',
        };
      }
      case 'approve':
        return { do: 'approve', by: answerer(), target: { card: random.pick(pending).cardId } };
      case 'deny':
        return { do: 'deny', by, target: { typed: random.pick(pending).id }, reason: 'no' };
      case 'cancel': {
        const request = random.pick(pending);
        return { do: 'cancel', by: accountOf(request.requester) ?? by, target: { typed: request.id } };
      }
      case 'extend': {
        const grant = random.pick(live);
        const ms = random.pick([5 * MINUTE, HOUR]);
        return { do: 'extend', by: accountOf(grant.holder) ?? by, target: { typed: grant.id }, duration: { ms } };
      }
      case 'return': {
        const grant = random.pick(live);
        return {
          do: 'return',
          by: random.chance(0.9) ? (accountOf(grant.holder) ?? by) : by,
          target: { typed: grant.id },
        };
      }
      case 'revoke': {
        const grant = random.pick(live);
        const who = random.chance(0.5) ? { operator: 'root' } : by;
        return { do: 'revoke', by: who, target: { typed: grant.id }, reason: 'over' };
      }
      case 'late':
        return { do: 'approve', by: answerer(), target: { card: random.pick(any).cardId } };
    }
  }

  const say = (wanted: Command) => {
    const reply = 'platform' in wanted.by ? wanted.by : account(0);
    const incoming = { key: `d${deliveries++}`, command: wanted, reply: { account: reply } };
    sent.push(incoming);
    world.take(alive(), incoming);
  };
  const moment = () => attend(world, random.pick([0, 0, 50, 150, 400, SECOND, 2 * SECOND, 4 * SECOND]));
  // Freezes have a chance of their own: the histories without them stay what they were.
  const frost = world.seed % 4 === 3 ? seeded(world.seed + 1_000_000) : undefined;

  const door = world.proven ? seeded(world.seed + 2_000_000) : undefined;

  /** Whoever has a link signs in, or somebody else does, and clicks: once, twice, or too late. */
  async function signIns(dice: Random): Promise<void> {
    for (const proof of [...rows.proofs.values()].filter(({ state }) => state === 'open')) {
      if (!dice.chance(0.8)) continue;
      const seal = `seal of ${proof.id}`;
      const found = {
        person: dice.chance(0.9) ? proof.person : 'okta/mal',
        ...(dice.chance(0.1) ? { lacks: 'it was too weak' } : {}),
        freshUntil: clock.now() + 5 * MINUTE,
        amr: ['mfa'],
        sealHash: hash(seal),
      };
      const request = rows.requests.get(proof.requestId ?? '');
      const signedIn = decideSignedIn(proof, found, request, clock.now());
      if (signedIn === undefined) continue;
      // Whoever was faster is looked at again the next time.
      await rows.store.commit({ changes: signedIn.changes }).catch((error: unknown) => {
        if (!(error instanceof StaleStateError)) throw error;
      });
      const other = dice.chance(0.1) ? 'guessed' : seal;
      for (let clicks = dice.between(1, 2); clicks > 0; clicks--)
        say({ do: 'confirm-proof', by: proof.by, proof: proof.id, seal: other });
    }
  }

  /** Something is frozen at the very moment at which others answer, ask and add. */
  function freeze(dice: Random): void {
    const live = [...rows.freezes.values()].filter(({ liftedAt }) => liftedAt === undefined);
    const aim = dice.pick<Aim>([
      { all: true },
      { resource: 'db' },
      { account: { platform: 'slack', tenant: 'T1', id: `U-${dice.pick(['ana', 'ben', 'cat', 'dan'])}` } },
      { email: dice.pick(['ana@acme.com', 'dan@acme.com']) },
    ]);
    const by = dice.chance(0.6) ? { operator: 'root' } : account(dice.pick([1, 2, 3]));
    if (live.length > 0 && dice.chance(0.7)) {
      const { scope } = dice.pick(live);
      const lift = scope.kind === 'all' ? { all: true as const } : scope.kind === 'resource' ? { resource: 'db' } : aim;
      say({ do: 'unfreeze', by, aim: lift });
      return;
    }
    const pending = [...rows.requests.values()].filter((request) => request.state === 'pending');
    const previewed = [...rows.revocations.values()].findLast(({ state }) => state === 'previewed');
    if (previewed === undefined && dice.chance(0.4)) {
      const except: readonly Aim[] = dice.chance(0.3) ? [{ email: 'dan@acme.com' }] : [];
      say({ do: 'revoke-all', by: { operator: 'root' }, aim, except, reason: 'incident' });
      return;
    }
    const acts = [
      () =>
        previewed === undefined
          ? say({ do: 'freeze', by, aim, reason: 'incident' })
          : say({ do: 'confirm-revocation', by: { operator: 'root' }, id: previewed.id }),
      ...pending.map(
        (one) => () => say({ do: 'approve', by: account(dice.pick([1, 2, 3])), target: { card: one.cardId } }),
      ),
      () =>
        say({
          do: 'request',
          by: account(dice.pick([0, 3])),
          resource: 'db',
          role: dice.pick(ROLES),
          duration: { ms: HOUR },
          reason: 'to see',
        }),
    ];
    // In any order, and at once.
    for (const act of dice.chance(0.5) ? acts : acts.toReversed()) act();
  }

  const pendingOf = (person: string) =>
    [...rows.requests.values()].filter((one) => one.state === 'pending' && one.requester === person);

  /** Somebody gets access, gives it back, and wants it again, faster than a directory can follow. */
  async function scene(n: number): Promise<void> {
    const who = HUMANS[n];
    const by = who?.accounts[0];
    if (who === undefined || by === undefined) return;
    const asked = random.between(1, 3);
    for (let n = 0; n < asked; n++)
      say({ do: 'request', by, resource: 'db', role: random.pick(ROLES), duration: { ms: HOUR }, reason: 'to see' });
    await attend(world, SECOND);
    const end = () => {
      const mine = [...rows.grants.values()].filter((grant) => isLive(grant) && grant.holder === who.id);
      for (const grant of mine)
        if (random.chance(0.7))
          say({ do: 'revoke', by: { operator: 'root' }, target: { typed: grant.id }, reason: 'over' });
    };
    const answer = () => {
      for (const request of pendingOf(who.id))
        if (random.chance(0.8)) say({ do: 'approve', by: answerer(), target: { card: request.cardId } });
    };
    // In any order and at once: what ends and what begins share groups.
    for (const act of random.pick([[answer], [answer, end], [end, answer], [end]])) act();
    await moment();
    for (const act of random.pick([[end], [answer, end], [end, answer]])) act();
    await moment();
  }

  const steps: readonly (readonly [number, () => Promise<void> | void])[] = [
    [
      taste(24, 14),
      () => {
        const wanted = command();
        if (wanted !== undefined) say(wanted);
      },
    ],
    [
      hasty ? 6 : 1,
      async () => {
        const who = requester();
        for (let n = random.between(1, 4); n > 0; n--) await scene(who);
      },
    ],
    [
      taste(1, 4),
      () => {
        const again = sent.length === 0 ? undefined : random.pick(sent.slice(-6));
        if (again !== undefined) world.take(alive(), again);
      },
    ],
    [
      taste(8, 20, 3),
      () => {
        const process = alive();
        world.look(process, random.pick(process.lanes), random.between(1, 4));
      },
    ],
    [
      taste(14, 25, 5),
      async () => {
        for (let n = random.between(1, 15); n > 0 && agenda.size > 0; n--) {
          await agenda.fire();
          invariants(world);
        }
      },
    ],
    [
      taste(3, 8),
      // Nobody looks at anything meanwhile.
      () =>
        pass(
          world,
          hasty && random.chance(0.9)
            ? random.pick([5, SECOND, 4 * SECOND, 12 * SECOND])
            : random.pick([5, SECOND, 12 * SECOND, 40 * SECOND, MINUTE, 11 * MINUTE, HOUR]),
        ),
    ],
    [
      taste(10, 4),
      () =>
        attend(
          world,
          hasty && random.chance(0.9)
            ? random.pick([200, 400, SECOND, 3 * SECOND, 11 * SECOND, 20 * SECOND])
            : random.pick([SECOND, 10 * SECOND, MINUTE, 5 * MINUTE, 12 * MINUTE, HOUR]),
        ),
    ],
    [
      taste(0, 1, 4),
      () => {
        const slot = random.below(world.processes.length);
        const process = world.processes[slot];
        if (process !== undefined) world.kill(process);
        world.start(slot);
      },
    ],
    [0.5, () => world.sweep(alive())],
    [taste(0, 0.3), () => world.expire(random.pick([0, 5 * SECOND, MINUTE]))],
    [
      outsiders ? 4 : 0,
      () => {
        const key = random.pick(world.keys.filter((one) => !concentrated || one.userId.endsWith('-ana')));
        const fake = world.directories.get(key.directory);
        const member = fake?.spell(key.groupId, key.userId) === undefined;
        world.say(`somebody else ${member ? 'adds' : 'removes'} ${key.groupId} ${key.userId}`);
        fake?.outside(key.groupId, key.userId, member);
      },
    ],
    [
      taste(0, 0, 1),
      () => {
        // A process's own clock never goes back by more than a little (`src/clock.ts`); one that starts takes the
        // machine's. So a great step comes with a restart of all of them. Forward only while nothing is under way: a
        // lease or a deadline that seems to be over and is not cannot be told from one that is.
        const little = random.chance(0.4);
        if (setBack > 0 && random.chance(0.3)) {
          if (world.underWay()) return;
          world.say(`the clock is put forward by ${setBack}`);
          clock.step(setBack);
          setBack = 0;
        } else if (setBack < HOUR) {
          const by = little ? SECOND : random.pick([MINUTE, HOUR - MINUTE]);
          if (!little) world.killAll();
          world.say(`the clock is set back by ${by}`);
          clock.step(-by);
          setBack += by;
          if (!little) for (const slot of world.processes.keys()) world.start(slot);
        }
      },
    ],
    [
      taste(3, 0, 6),
      () => {
        const name = random.pick([...world.modes.keys()]);
        const mode = random.weighted<DirectoryMode>([
          [6, 'flaky'],
          [3, 'healthy'],
          [2, 'slow'],
          [1, 'limited'],
          [0.7, 'unauthorized'],
          [0.7, 'forbidden'],
          [1, 'down'],
          [1, 'failing'],
        ]);
        world.say(`${name} is ${mode}`);
        world.modes.set(name, mode);
      },
    ],
    [
      taste(0, 1),
      () => {
        temper.database = random.pick<DatabaseMode>(['instant', 'quick', 'quick', 'slow']);
        world.say(`the database is ${temper.database}`);
      },
    ],
    [
      1.5,
      () => {
        onDuty = random.pick([[1], [3], [0, 1], []]);
        const people = onDuty.map((n) => HUMANS[n]?.id ?? '');
        world.say(`on call: ${people.join(' ')}`);
        world.people.handOver('dba', people);
      },
    ],
    [
      taste(0, 0.5),
      () => {
        const human = HUMANS[requester()];
        const active = random.chance(0.6);
        if (human === undefined) return;
        world.say(`${human.name} is ${active ? 'active' : 'deactivated'}`);
        world.people.setActive(human.id, active);
        for (const [name, fake] of world.directories) fake.setActive(human.users[name] ?? '', active);
      },
    ],
    [
      taste(0, 0.5),
      () => {
        world.catalog = catalogOf(++edition, world.proven);
        world.say(`edition ${edition} of the configuration`);
      },
    ],
  ];

  return {
    outsiders,
    async next() {
      if (frost?.chance(0.12) === true) freeze(frost);
      await random.weighted(steps)();
      await agenda.settle();
      if (door !== undefined) await signIns(door);
    },
  };
}

function accountOf(person: string): AccountRef | undefined {
  return HUMANS.find((human) => human.id === person)?.accounts[0];
}

// --------------------------------------------------------------------------------------------------- time goes on

async function pass(world: World, ms: number): Promise<void> {
  const { clock, agenda } = world;
  const until = clock.monotonic() + ms;
  for (let n = 0; n < RESTLESS; n++) {
    const next = agenda.nextAt();
    if (next === undefined || next > until) break;
    await agenda.fire();
    invariants(world);
    if (world.wrongs.length > 0) return;
  }
  if (until > clock.monotonic()) clock.pass(until - clock.monotonic());
}

/** The loop's part: whatever is due is taken up, by whichever process comes first. */
async function attend(world: World, ms: number): Promise<void> {
  const { clock, agenda, random } = world;
  const until = clock.monotonic() + ms;
  for (let n = 0; ; n++) {
    if (n > RESTLESS) return world.fail('it never comes to rest');
    const due = dueLanes(world);
    if (due.now.size > 0) {
      const order = random.chance(0.5) ? world.processes : [...world.processes].reverse();
      let looking = false;
      for (const process of order)
        for (const lane of process.lanes)
          if (due.now.has(lane.name) && world.look(process, lane, lane.slots)) looking = true;
      await agenda.settle();
      invariants(world);
      if (world.wrongs.length > 0) return;
      // Else a slow database, or a lane with no slot left, is waited for.
      if (looking) continue;
    }
    const entry = agenda.nextAt();
    const next = Math.min(entry ?? Number.POSITIVE_INFINITY, due.nextAt);
    if (next > until) break;
    if (entry === next) await agenda.fire();
    else clock.pass(next - clock.monotonic());
    invariants(world);
    if (world.wrongs.length > 0) return;
  }
  if (until > clock.monotonic()) clock.pass(until - clock.monotonic());
}

function dueLanes(world: World): { readonly now: ReadonlySet<string>; readonly nextAt: number } {
  const { clock, rows, temper } = world;
  const now = new Set<string>();
  let next = Number.POSITIVE_INFINITY;
  const see = (lane: string, at: number) => {
    if (at <= clock.now()) now.add(lane);
    else next = Math.min(next, at);
  };
  for (const { job, dueAt, leaseUntil } of rows.jobs.values()) {
    const at = Math.max(dueAt, leaseUntil ?? 0);
    if (job.kind === 'notification' && job.lane === 'chat' && !temper.chat) continue;
    if (job.kind === 'timer') see(job.lane === 'ask' ? 'asking' : 'timers', at);
    else if (job.kind === 'sign_out') see(`sign-out:${job.lane}`, at);
    else if (job.kind === 'operation') see(`${['remove', 'add', 'prove'][job.priority]}:${job.lane}`, at);
    else see(job.lane === 'alert' ? 'alert' : 'notify', at);
  }
  for (const { leaseUntil, answered } of rows.deliveries.values()) if (!answered) see('inbox', leaseUntil);
  return { now, nextAt: next - clock.now() + clock.monotonic() };
}

async function comeToRest(world: World, options: HistoryOptions): Promise<void> {
  const { temper, agenda } = world;
  world.say('faults stop');
  for (const name of world.modes.keys()) world.modes.set(name, 'healthy');
  temper.database = 'quick';
  temper.peopleFail = 0;
  temper.messengerFails = 0;
  // The database's own faults end with the processes that suffer from them.
  world.killAll();
  temper.databaseFaults = 0;
  for (const slot of world.processes.keys()) world.start(slot);
  await agenda.settle();
  // Proofs wait for instants that were noted before the clock was set back: bounded delay, as with the ends.
  await attend(world, 15 * MINUTE + Math.max(0, -world.clock.skew));
  honoured(world);
  await speak(world, options);
  await attend(world, HOUR);
  honoured(world);
  await speak(world, options);
  await attend(world, 6 * HOUR);
  const before = world.rows.jobs.size;
  const [process] = world.processes;
  if (process !== undefined) world.sweep(process);
  await attend(world, MINUTE);
  if (world.rows.jobs.size > before) world.fail('the sweep found something');
  quiet(world);
  await deepInvariants(world);
  await speak(world, options);
}
