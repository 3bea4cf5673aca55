/** However eagerly it is used, no window of Teams' published limits is ever overrun, and nothing waits longer than it must. */
import { expect, it } from 'vitest';
import { createLimiter } from '../../src/chat/teams/limiter.ts';

function eager(conversations: readonly string[], forMs: number, stepMs: number): Map<string, number[]> {
  let now = 0;
  const limiter = createLimiter({ monotonic: () => now });
  const sent = new Map<string, number[]>(conversations.map((one) => [one, []]));
  for (; now < forMs; now += stepMs)
    for (const one of conversations) while (limiter.take(one) === 0) sent.get(one)?.push(now);
  return sent;
}

function most(times: readonly number[], windowMs: number): number {
  let first = 0;
  return times.reduce((max, at, index) => {
    while ((times[first] ?? at) <= at - windowMs) first++;
    return Math.max(max, index - first + 1);
  }, 0);
}

it('in a conversation: 7 a second, 8 in two, 60 in thirty, 1,800 an hour', () => {
  const times = eager(['c'], 2 * 3_600_000, 50).get('c') ?? [];
  expect(most(times, 1_000)).toBeLessThanOrEqual(7);
  expect(most(times, 2_000)).toBeLessThanOrEqual(8);
  expect(most(times, 30_000)).toBeLessThanOrEqual(60);
  expect(most(times, 3_600_000)).toBeLessThanOrEqual(1_800);
  expect(times.length).toBeGreaterThan(3_000);
});

it('in a tenant: 50 a second over all conversations', () => {
  const many = Array.from({ length: 200 }, (_, i) => `c${i}`);
  const all = [...eager(many, 20_000, 20).values()].flat().sort((a, b) => a - b);
  expect(most(all, 1_000)).toBeLessThanOrEqual(50);
  expect(all.length).toBeGreaterThan(500);
});

it('a 429 stops the conversation it was for, as long as it says, and no other', () => {
  let now = 0;
  const limiter = createLimiter({ monotonic: () => now });
  expect(limiter.tooMany('a', 9_000)).toBe(9_000);
  expect(limiter.roomIn('a')).toBe(9_000);
  expect(limiter.roomIn('b')).toBe(0);
  now = 9_000;
  expect(limiter.take('a')).toBe(0);
});
