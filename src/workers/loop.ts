/**
 * The only loop. Each lane takes as many due jobs as it has free slots, runs them, and takes more; between times one
 * timer sleeps until the next job is due, and never longer than 30 s, so that nothing depends on a wake-up arriving.
 *
 * One timer, not one per job: timers beyond 2^31 ms fire at once, and thousands of them die with the process.
 */
import type { Instant, Job } from '../access/model.ts';
import type { Clock, Metrics } from '../access/ports.ts';

export interface Lane<Held = unknown> {
  readonly name: string;
  /** Jobs run at the same time. */
  readonly slots: number;
  /** Whether a job that was just committed is this lane's; left out: any may be. */
  takes?(job: Job): boolean;
  /** Lanes of the same name here pass jobs on to each other. */
  readonly beside?: string;
  lease(limit: number): Promise<readonly Held[]>;
  /**
   * `passed_on`: the job now belongs to a lane beside this one. Rejects only when we were wrong: the lease then runs out
   * and the job is due again.
   */
  run(job: Held): Promise<'passed_on' | void>;
  nextDue(): Promise<Instant | undefined>;
}

export interface Loop {
  start(): void;
  /** Look now; with the jobs that were just committed, only where there is something new to see. */
  wake(committed?: readonly Job[]): void;
  /** Takes no more jobs and waits for those running, at most `deadlineMs`. `false`: some were still running. */
  stop(deadlineMs: number): Promise<boolean>;
  /** Resolves when every lane has been looked at, nothing runs and nothing is due: for tests and one-off commands. */
  idle(): Promise<void>;
}

export interface LoopLog {
  error(detail: object, message: string): void;
  warn(detail: object, message: string): void;
}

const SLEEP_MAX_MS = 30_000;
/** After the store could not be asked, before it is asked again; doubles up to the longest sleep. */
const TROUBLE_WAIT_MS = 500;
/** A wall clock that moved this much more or less than time did is reported, and the due set looked at again. */
const DRIFT_MS = 2_000;

interface LaneState {
  readonly lane: Lane;
  running: number;
  /** Ids of the jobs that run now. */
  readonly ids: Set<unknown>;
  /** A look at the store is under way; `again` asks for another one after it. */
  looking: boolean;
  again: boolean;
  /** A look is about to begin: what ends in the same moment frees its slots first, and they are filled together. */
  about: boolean;
  nextDueAt: Instant | undefined;
  /** When it was last looked at, on the monotonic clock. */
  lookedAt: number;
  troubles: number;
}

export function createLoop(parts: {
  readonly lanes: readonly Lane[];
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly log: LoopLog;
}): Loop {
  const { clock, metrics, log } = parts;
  const states: LaneState[] = parts.lanes.map((lane) => ({
    lane,
    running: 0,
    ids: new Set(),
    looking: false,
    again: false,
    about: false,
    nextDueAt: undefined,
    lookedAt: 0,
    troubles: 0,
  }));
  let stopped = true;
  let timer: NodeJS.Timeout | undefined;
  let idlers: (() => void)[] = [];
  let lastWall = clock.now();
  let lastMonotonic = clock.monotonic();

  async function look(state: LaneState): Promise<void> {
    if (stopped) return;
    if (state.looking) {
      state.again = true;
      return;
    }
    state.looking = true;
    try {
      do {
        state.again = false;
        state.lookedAt = clock.monotonic();
        await fill(state);
        state.nextDueAt = stopped ? undefined : await state.lane.nextDue();
        state.troubles = 0;
      } while (state.again && !stopped);
    } catch (error) {
      state.troubles++;
      metrics.count('hallpass_loop_troubles_total', { lane: state.lane.name });
      log.error({ lane: state.lane.name, error }, 'the store could not be asked for due jobs');
      state.nextDueAt = clock.now() + Math.min(TROUBLE_WAIT_MS * 2 ** state.troubles, SLEEP_MAX_MS);
    } finally {
      state.looking = false;
      arm();
      settleIdle();
    }
  }

  async function fill(state: LaneState): Promise<void> {
    while (!stopped) {
      const free = state.lane.slots - state.running;
      if (free <= 0) return;
      const jobs = await state.lane.lease(free);
      for (const job of jobs) {
        const id = idOf(job);
        // Its lease ran out under our hands (a suspended machine, a clock set on). Whoever still runs it finds itself
        // fenced; running it twice at once could post a message twice, so this lease is left to run out too.
        if (id !== undefined && state.ids.has(id)) continue;
        if (id !== undefined) state.ids.add(id);
        state.running++;
        void work(state, job);
      }
      if (jobs.length < free) return;
    }
  }

  async function work(state: LaneState, job: unknown): Promise<void> {
    try {
      if ((await state.lane.run(job)) === 'passed_on')
        for (const other of states) if (other.lane.beside === state.lane.beside) void look(other);
      metrics.count('hallpass_jobs_total', { lane: state.lane.name, outcome: 'done' });
    } catch (error) {
      metrics.count('hallpass_jobs_total', { lane: state.lane.name, outcome: 'failed' });
      log.error({ lane: state.lane.name, job: idOf(job), error }, 'a job failed; it is due again when its lease ends');
    } finally {
      state.ids.delete(idOf(job));
      state.running--;
      if (stopped) settleIdle();
      else lookSoon(state);
    }
  }

  function lookSoon(state: LaneState): void {
    if (state.about) return;
    state.about = true;
    queueMicrotask(() => {
      state.about = false;
      void look(state);
    });
  }

  function arm(): void {
    clearTimeout(timer);
    timer = undefined;
    if (stopped) return;
    timer = setTimeout(tick, Math.max(1, Math.min(...states.map(sleepMs), SLEEP_MAX_MS)));
  }

  /** Until a lane is to be looked at again by itself. */
  function sleepMs(state: LaneState): number {
    const longest = state.lookedAt + SLEEP_MAX_MS - clock.monotonic();
    // A lane whose slots are all taken is looked at when one of them is free.
    if (state.nextDueAt === undefined || state.running >= state.lane.slots) return longest;
    return Math.min(longest, state.nextDueAt - clock.now());
  }

  function tick(): void {
    const wall = clock.now() - lastWall;
    const real = clock.monotonic() - lastMonotonic;
    lastWall = clock.now();
    lastMonotonic = clock.monotonic();
    if (Math.abs(wall - real) > DRIFT_MS) {
      log.warn({ byMs: Math.round(wall - real) }, 'the wall clock stepped; everything due is looked at again');
      wake();
      return;
    }
    for (const state of states) if (sleepMs(state) <= 0) void look(state);
    arm();
  }

  function wake(committed?: readonly Job[]): void {
    if (stopped) return;
    for (const state of states) {
      const takes = state.lane.takes;
      const news = takes === undefined ? undefined : committed?.filter((job) => takes(job));
      if (news?.length === 0) continue;
      const soonest = news === undefined ? clock.now() : Math.min(...news.map(({ dueAt }) => dueAt));
      // What a look under way finds may be older than this.
      if (soonest <= clock.now() || state.looking) void look(state);
      else if (state.nextDueAt === undefined || soonest < state.nextDueAt) {
        state.nextDueAt = soonest;
        arm();
      }
    }
  }

  function quiet(): boolean {
    const now = clock.now();
    return states.every(
      (state) =>
        state.running === 0 &&
        !state.looking &&
        !state.about &&
        (state.nextDueAt === undefined || state.nextDueAt > now),
    );
  }

  function settleIdle(): void {
    const done = stopped ? states.every((state) => state.running === 0 && !state.looking) : quiet();
    if (!done) return;
    const waiting = idlers;
    idlers = [];
    for (const resolve of waiting) resolve();
  }

  return {
    start() {
      stopped = false;
      lastWall = clock.now();
      lastMonotonic = clock.monotonic();
      wake();
    },
    wake,
    async stop(deadlineMs) {
      stopped = true;
      clearTimeout(timer);
      const deadline = Promise.withResolvers<void>();
      const alarm = setTimeout(deadline.resolve, deadlineMs);
      const finished = new Promise<void>((resolve) => idlers.push(resolve));
      settleIdle();
      await Promise.race([finished, deadline.promise]);
      clearTimeout(alarm);
      return states.every((state) => state.running === 0);
    },
    idle() {
      const done = new Promise<void>((resolve) => idlers.push(resolve));
      wake();
      // A loop that is stopped looks at nothing any more: it is idle when nothing runs.
      if (stopped) settleIdle();
      return done;
    },
  };
}

function idOf(job: unknown): unknown {
  return typeof job === 'object' && job !== null && 'id' in job ? job.id : undefined;
}
