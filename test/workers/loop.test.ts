/** The loop with lanes made by hand, and time moved by hand: no database, no waiting. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Metrics } from '../../src/access/ports.ts';
import { createLoop, type Lane, type Loop } from '../../src/workers/loop.ts';
import { type HandClock, handClock } from '../support/clock.ts';

const SECOND = 1_000;
const START = Date.UTC(2026, 2, 2, 9);
const SLEEP_MAX_MS = 30 * SECOND;

const metrics: Metrics = { count: () => undefined, observe: () => undefined };

interface Job {
  readonly id: string;
  readonly dueAt: number;
}

/** Jobs in memory, leased once each; a job that runs goes on until it is let go. */
interface HandLane extends Lane<Job> {
  readonly jobs: Job[];
  readonly started: string[];
  looks: number;
  /** The next looks at the store fail. */
  broken: boolean;
  /** Jobs end only when they are let go. */
  holds: boolean;
  finish(id: string, error?: Error): void;
}

describe('the loop', () => {
  let clock: HandClock;
  let loop: Loop;
  let errors: string[];
  let warnings: object[];

  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    clock = handClock(START);
    errors = [];
    warnings = [];
  });
  afterEach(async () => {
    const stopped = loop.stop(0);
    await vi.advanceTimersByTimeAsync(1);
    await stopped;
    vi.useRealTimers();
  });

  function lane(name: string, slots = 2): HandLane {
    const running = new Map<string, PromiseWithResolvers<void>>();
    const made: HandLane = {
      name,
      slots,
      jobs: [],
      started: [],
      looks: 0,
      broken: false,
      holds: false,
      lease: async (limit) => {
        made.looks++;
        if (made.broken) throw new Error('no database');
        const due = made.jobs.filter((job) => job.dueAt <= clock.now()).slice(0, limit);
        for (const job of due) made.jobs.splice(made.jobs.indexOf(job), 1);
        return due;
      },
      run: async (job) => {
        made.started.push(job.id);
        if (!made.holds) return;
        const done = Promise.withResolvers<void>();
        running.set(job.id, done);
        await done.promise;
      },
      nextDue: async () => (made.jobs.length === 0 ? undefined : Math.min(...made.jobs.map((job) => job.dueAt))),
      finish(id, error) {
        const done = running.get(id);
        if (error === undefined) done?.resolve();
        else done?.reject(error);
      },
    };
    return made;
  }

  function start(...lanes: Lane<Job>[]): void {
    loop = createLoop({
      lanes: lanes as readonly Lane[],
      clock,
      metrics,
      log: {
        error: (_, message) => void errors.push(message),
        warn: (detail) => void warnings.push(detail),
      },
    });
    loop.start();
  }

  /** Time goes by on both clocks, and every timer due on the way rings. */
  async function pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= SECOND) {
      clock.pass(Math.min(left, SECOND));
      await vi.advanceTimersByTimeAsync(Math.min(left, SECOND));
    }
  }
  const settle = () => vi.advanceTimersByTimeAsync(0);

  it('sleeps on one timer, however many jobs and lanes there are', async () => {
    const lanes = [lane('a'), lane('b'), lane('c')];
    for (const one of lanes)
      for (let job = 0; job < 1_000; job++) one.jobs.push({ id: `${job}`, dueAt: START + 3_600 * SECOND + job });
    start(...lanes);
    await settle();
    expect(vi.getTimerCount()).toBe(1);
  });

  it('wakes for the next job that is due, in whichever lane', async () => {
    const [a, b] = [lane('a'), lane('b')];
    a.jobs.push({ id: 'late', dueAt: START + 20 * SECOND });
    b.jobs.push({ id: 'soon', dueAt: START + 5 * SECOND });
    start(a, b);
    await pass(4 * SECOND);
    expect(b.started).toEqual([]);
    await pass(SECOND);
    expect(b.started).toEqual(['soon']);
    expect(a.started).toEqual([]);
    await pass(15 * SECOND);
    expect(a.started).toEqual(['late']);
  });

  it('looks at least every 30 s, whatever the store said is due next', async () => {
    const a = lane('a');
    a.nextDue = async () => START + 2 ** 40;
    start(a);
    await settle();
    const { looks } = a;
    await pass(SLEEP_MAX_MS - SECOND);
    expect(a.looks).toBe(looks);
    // Put by another process, which cannot wake this one.
    a.jobs.push({ id: 'unannounced', dueAt: START });
    await pass(SECOND);
    expect(a.looks).toBeGreaterThan(looks);
    expect(a.started).toEqual(['unannounced']);
  });

  it('a hundred wake-ups while it is looking cost one more look', async () => {
    const a = lane('a');
    const gate = Promise.withResolvers<void>();
    const { lease } = a;
    a.lease = async (limit) => {
      await gate.promise;
      return lease(limit);
    };
    start(a);
    for (let wake = 0; wake < 100; wake++) loop.wake();
    gate.resolve();
    await settle();
    expect(a.looks).toBe(2);
  });

  it('a job that is put while it is looking is not left until the next timer', async () => {
    const a = lane('a');
    const { nextDue } = a;
    a.nextDue = async () => {
      // Committed after the store was asked for due jobs, and before it says what is due next.
      if (a.looks === 1) {
        a.jobs.push({ id: 'between', dueAt: START });
        loop.wake();
      }
      return nextDue();
    };
    start(a);
    await settle();
    expect(a.started).toEqual(['between']);
  });

  it('never runs more of a lane than it has slots, and fills a slot that becomes free', async () => {
    const a = lane('a', 2);
    a.holds = true;
    for (const id of ['1', '2', '3']) a.jobs.push({ id, dueAt: START });
    start(a);
    await settle();
    loop.wake();
    await settle();
    expect(a.started).toEqual(['1', '2']);
    a.finish('1');
    await settle();
    expect(a.started).toEqual(['1', '2', '3']);
    a.finish('2');
    a.finish('3');
    await settle();
  });

  it('a lane that is full does not hold up another', async () => {
    const [a, b] = [lane('a', 1), lane('b', 1)];
    a.holds = true;
    a.jobs.push({ id: 'slow', dueAt: START }, { id: 'waiting', dueAt: START });
    b.jobs.push({ id: 'other', dueAt: START });
    start(a, b);
    await settle();
    expect(a.started).toEqual(['slow']);
    expect(b.started).toEqual(['other']);
    a.finish('slow');
    await settle();
    a.finish('waiting');
    await settle();
  });

  it('a lane whose store fails is asked again more and more slowly, and the others go on', async () => {
    const [a, b] = [lane('a'), lane('b')];
    a.broken = true;
    a.jobs.push({ id: 'owed', dueAt: START });
    b.jobs.push({ id: 'now', dueAt: START }, { id: 'later', dueAt: START + 10 * SECOND });
    start(a, b);
    await settle();
    expect(b.started).toEqual(['now']);
    await pass(20 * SECOND);
    expect(b.started).toEqual(['now', 'later']);
    expect(errors.length).toBeGreaterThan(1);
    expect(a.looks).toBeLessThan(12);
    a.broken = false;
    await pass(SLEEP_MAX_MS);
    expect(a.started).toEqual(['owed']);
  });

  it('a job that fails is logged, and its slot is free again', async () => {
    const a = lane('a', 1);
    a.holds = true;
    a.jobs.push({ id: 'bad', dueAt: START }, { id: 'good', dueAt: START });
    start(a);
    await settle();
    a.finish('bad', new Error('a bug'));
    await settle();
    expect(errors).toEqual([expect.stringContaining('a job failed')]);
    expect(a.started).toEqual(['bad', 'good']);
    a.finish('good');
    await settle();
  });

  it('a stop takes no more jobs, and waits for those under way', async () => {
    const a = lane('a', 1);
    a.holds = true;
    a.jobs.push({ id: 'running', dueAt: START }, { id: 'next', dueAt: START });
    start(a);
    await settle();
    let drained: boolean | undefined;
    void loop.stop(5 * SECOND).then((answer) => {
      drained = answer;
    });
    await pass(2 * SECOND);
    expect(drained).toBeUndefined();
    a.finish('running');
    await settle();
    expect(drained).toBe(true);
    loop.wake();
    await pass(SLEEP_MAX_MS);
    expect(a.started).toEqual(['running']);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('a stop does not wait for ever, and says that something was left', async () => {
    const a = lane('a');
    a.holds = true;
    a.jobs.push({ id: 'endless', dueAt: START });
    start(a);
    await settle();
    let drained: boolean | undefined;
    void loop.stop(5 * SECOND).then((answer) => {
      drained = answer;
    });
    await pass(4 * SECOND);
    expect(drained).toBeUndefined();
    await pass(SECOND);
    expect(drained).toBe(false);
    a.finish('endless');
    await settle();
  });

  it('a stop while the store is being asked waits for what was leased', async () => {
    const a = lane('a');
    a.holds = true;
    a.jobs.push({ id: 'leased', dueAt: START });
    const gate = Promise.withResolvers<void>();
    const { lease } = a;
    a.lease = async (limit) => {
      await gate.promise;
      return lease(limit);
    };
    start(a);
    let drained: boolean | undefined;
    void loop.stop(5 * SECOND).then((answer) => {
      drained = answer;
    });
    gate.resolve();
    await settle();
    expect(a.started).toEqual(['leased']);
    expect(drained).toBeUndefined();
    a.finish('leased');
    await settle();
    expect(drained).toBe(true);
  });

  it.each([
    ['on', 3_600 * SECOND],
    ['back', -3_600 * SECOND],
  ])('a wall clock that is set %s is logged, and everything due is looked at', async (_, step) => {
    const a = lane('a');
    a.jobs.push({ id: 'at noon', dueAt: START + 1_800 * SECOND });
    start(a);
    await pass(SECOND);
    expect(warnings).toEqual([]);
    clock.step(step);
    await pass(SLEEP_MAX_MS);
    expect(warnings).toEqual([{ byMs: step }]);
    expect(a.started).toEqual(step > 0 ? ['at noon'] : []);
    await pass(2 * SLEEP_MAX_MS);
    expect(warnings).toHaveLength(1);
  });

  it('is idle only when nothing runs and nothing is due', async () => {
    const a = lane('a', 1);
    a.holds = true;
    a.jobs.push({ id: 'one', dueAt: START }, { id: 'two', dueAt: START }, { id: 'later', dueAt: START + SLEEP_MAX_MS });
    start(a);
    let idle = false;
    void loop.idle().then(() => {
      idle = true;
    });
    await settle();
    expect(idle).toBe(false);
    a.finish('one');
    await settle();
    expect(idle).toBe(false);
    a.finish('two');
    await settle();
    expect(idle).toBe(true);
  });

  it('that is stopped is idle when nothing runs', async () => {
    start(lane('a'));
    await loop.stop(SECOND);
    await expect(loop.idle()).resolves.toBeUndefined();
  });
});
