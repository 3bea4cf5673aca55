/** The budget in lanes, and the breaker, on a clock moved by hand. */
import { describe, expect, test } from 'vitest';
import type { CallLane, Clock } from '../../src/access/ports.ts';
import { createBreaker } from '../../src/directories/breaker.ts';
import { Limiter, roomOf } from '../../src/directories/limiter.ts';

let monotonic = 0;
const clock: Clock = { now: () => 0, monotonic: () => monotonic };
const patient = new AbortController().signal;
const rate = (remaining: number, more: { reset?: number; limit?: number; resetInMs?: number } = {}) => ({
  limit: 100,
  remaining,
  reset: 60,
  resetInMs: 60_000,
  ...more,
});
function limiter(inFlightMax = 30, inFlightReserve = 9): Limiter {
  monotonic = 0;
  return new Limiter({ directory: 'okta', clock, inFlightMax, inFlightReserve });
}

describe('the lanes of a budget', () => {
  test('whoever is more urgent goes first, however late they came', async () => {
    const budget = limiter(1, 0);
    const order: string[] = [];
    const leave = await budget.enter('b', 'ordinary', patient);
    const waiting = (['reconcile', 'proof', 'ordinary', 'removal'] as const).map((lane: CallLane) =>
      budget.enter('b', lane, patient).then((done) => {
        order.push(lane);
        done();
      }),
    );
    leave();
    await Promise.all(waiting);
    expect(order).toEqual(['removal', 'ordinary', 'proof', 'reconcile']);
  });

  test.each([
    ['removal', 100],
    ['ordinary', 70],
    ['proof', 70],
    ['reconcile', 50],
  ] as const)('a %s may spend %i of a hundred, and is told so beforehand', async (lane, most) => {
    const budget = limiter();
    budget.learn('b', 200, rate(100));
    expect(budget.room('b', lane)).toEqual({ calls: most, inMs: 0 });
    for (let n = 0; n < most; n += 1) (await budget.enter('b', lane, patient))();
    monotonic = 45_000;
    expect(budget.room('b', lane)).toEqual({ calls: 0, inMs: 15_000 });
    await expect(budget.enter('b', lane, patient)).rejects.toMatchObject({ code: 'rate_limited', heldBack: true });
    monotonic = 60_000;
    expect(budget.room('b', lane).calls).toBe(30);
  });

  test('calls that are on their way when a window is learnt are taken for spent, and given back when they were not', async () => {
    const budget = limiter();
    const leave = await Promise.all(Array.from({ length: 10 }, () => budget.enter('b', 'removal', patient)));
    budget.learn('b', 200, rate(99));
    expect(budget.room('b', 'removal').calls).toBe(90);
    leave[0]?.();
    // This one was still counted in the minute before.
    budget.learn('b', 200, rate(3, { reset: 0 }));
    expect(budget.room('b', 'removal').calls).toBe(91);
  });

  test('where others spend from the same budget a little is left to them, since what they take shows late', () => {
    const budget = limiter();
    budget.learn('b', 200, rate(90));
    budget.learn('b', 200, rate(80));
    expect(budget.room('b', 'removal').calls).toBe(78);
  });

  test('two endpoints that the vendor counts as one are one, until an answer shows that they are two', async () => {
    const budget = limiter(5, 0);
    budget.learn('changes', 200, rate(60));
    budget.learn('reads', 200, rate(59));
    for (let n = 0; n < 40; n += 1) (await budget.enter('reads', 'removal', patient))();
    expect(budget.room('changes', 'removal').calls).toBe(19);
    budget.learn('changes', 200, rate(58));
    expect(budget.room('changes', 'removal').calls).toBe(58);
    expect(budget.room('reads', 'removal').calls).toBe(19);
  });

  test('the end of a window is where the earliest of its answers puts it', () => {
    const budget = limiter();
    budget.learn('b', 200, rate(1, { resetInMs: 60_000 }));
    monotonic = 100;
    budget.learn('b', 200, rate(0, { resetInMs: 59_200 }));
    expect(budget.room('b', 'removal')).toEqual({ calls: 0, inMs: 59_200 });
  });
});

describe('the breaker of a directory', () => {
  test('knows that the credential is refused from the first time until another answer comes', () => {
    const breaker = createBreaker(clock);
    breaker.note('unavailable');
    expect(breaker.refused()).toBe(false);
    breaker.note('unauthorized');
    breaker.note('unavailable');
    breaker.note('rate_limited');
    expect([breaker.refused(), breaker.failing()]).toEqual([true, undefined]);
    breaker.note('ok');
    expect(breaker.refused()).toBe(false);
  });

  const open = () => {
    monotonic = 0;
    const breaker = createBreaker(clock);
    for (; monotonic <= 5_000; monotonic += 1_000) breaker.note('unavailable');
    return breaker;
  };

  test('lets a few lost answers pass, and a burst of them', () => {
    monotonic = 0;
    const breaker = createBreaker(clock);
    for (let n = 0; n < 20; n += 1) breaker.note('unavailable');
    expect(breaker.failing()).toBeUndefined();
    expect(breaker.additions().calls).toBe(Number.POSITIVE_INFINITY);
  });

  test('stops additions after failures in a row, and nothing else', () => {
    const breaker = open();
    expect(breaker.failing()).toMatch(/6 calls in a row failed/);
    const room = { calls: 20, inMs: 0 };
    expect(roomOf(room, 'ordinary', breaker)).toEqual({ calls: 0, inMs: 2_000 });
    for (const lane of ['removal', 'proof', 'reconcile'] as const) expect(roomOf(room, lane, breaker)).toBe(room);
  });

  test('lets one through now and then, more and more seldom while it fails', () => {
    const breaker = open();
    monotonic = 10_000;
    expect(breaker.additions().calls).toBe(1);
    breaker.note('unavailable');
    monotonic = 19_999;
    expect(breaker.additions()).toEqual({ calls: 0, inMs: 1 });
    monotonic = 20_000;
    expect(breaker.additions().calls).toBe(1);
  });

  test.each(['ok', 'rejected', 'not_found'])('is closed by an answer, %s as any other', (outcome) => {
    const breaker = open();
    breaker.note(outcome);
    expect(breaker.failing()).toBeUndefined();
    expect(breaker.additions().calls).toBe(Number.POSITIVE_INFINITY);
  });

  test('a call that was held back says nothing of the directory', () => {
    const breaker = open();
    breaker.note('rate_limited');
    expect(breaker.failing()).toBeDefined();
  });
});
