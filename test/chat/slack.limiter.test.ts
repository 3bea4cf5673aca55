import { describe, expect, it } from 'vitest';
import { MessengerError } from '../../src/access/ports.ts';
import { createLimiter, type Limiter } from '../../src/chat/slack/limiter.ts';

let now = 0;

function limiter(): Limiter {
  now = 1_000_000;
  return createLimiter({ monotonic: () => now });
}

/** 0 when it may be sent, else the milliseconds after which to come back. */
async function away(of: Limiter, method: string, conversation?: string): Promise<number> {
  try {
    await of.enter(method, conversation);
    return 0;
  } catch (error) {
    if (!(error instanceof MessengerError)) throw error;
    expect(error).toMatchObject({ code: 'rate_limited', effect: 'none' });
    expect(error.retryAfterMs).toBeGreaterThan(0);
    return error.retryAfterMs ?? 0;
  }
}

async function sent(of: Limiter, method: string, times: number, conversation?: string): Promise<number> {
  let count = 0;
  for (let i = 0; i < times; i++) if ((await away(of, method, conversation)) === 0) count++;
  return count;
}

describe('a conversation', () => {
  it('takes a short burst, and then one message a second', async () => {
    const of = limiter();
    expect(await sent(of, 'chat.postMessage', 20, 'C1')).toBe(5);
    now += 1_000;
    expect(await sent(of, 'chat.postMessage', 20, 'C1')).toBe(1);
    now += 3_000;
    expect(await sent(of, 'chat.postMessage', 20, 'C1')).toBe(3);
  });

  it('does not hold up another one', async () => {
    const of = limiter();
    await sent(of, 'chat.postMessage', 20, 'C1');
    expect(await sent(of, 'chat.postMessage', 20, 'C2')).toBe(5);
  });

  it('tells those it sends away to come back one after the other', async () => {
    const of = limiter();
    await sent(of, 'chat.postMessage', 5, 'C1');
    const waits = [];
    for (let i = 0; i < 4; i++) waits.push(await away(of, 'chat.postMessage', 'C1'));
    expect(waits).toEqual([1_000, 2_000, 3_000, 4_000]);
  });

  it('sends nobody away for longer than a minute at once', async () => {
    const of = limiter();
    for (let i = 0; i < 500; i++) expect(await away(of, 'chat.postMessage', 'C1')).toBeLessThanOrEqual(60_000);
  });

  it('that has more to say than the workspace may takes no room from what it cannot send', async () => {
    const of = limiter();
    await sent(of, 'chat.postMessage', 1_000, 'C1');
    let others = 0;
    for (let i = 0; i < 400; i++) others += await sent(of, 'chat.postMessage', 1, `D${i}`);
    expect(others).toBe(295);
  });
});

describe('a method', () => {
  it('that changes messages is held to its tier', async () => {
    const of = limiter();
    expect(await sent(of, 'chat.update', 200)).toBe(50);
    now += 60_000;
    expect(await sent(of, 'chat.update', 200)).toBe(50);
  });

  it('that a decision waits for is not held to its tier before Slack says so', async () => {
    const of = limiter();
    expect(await sent(of, 'users.info', 500)).toBe(500);
  });

  it('pauses for as long as Slack says, and no other does', async () => {
    const of = limiter();
    expect(of.tooMany('users.info', 7_000)).toBe(7_000);
    expect(await away(of, 'users.info')).toBe(7_000);
    expect(await away(of, 'users.lookupByEmail')).toBe(0);
    expect(await away(of, 'chat.postMessage', 'C1')).toBe(0);
    now += 6_999;
    expect(await away(of, 'users.info')).toBeGreaterThan(0);
    now += 1;
    expect(await away(of, 'users.info')).toBe(0);
  });

  it('pauses for a while when Slack does not say for how long', async () => {
    const of = limiter();
    const pauseMs = of.tooMany('chat.update', undefined);
    expect(pauseMs).toBeGreaterThanOrEqual(1_000);
    expect(await away(of, 'chat.update')).toBe(pauseMs);
  });

  it('goes on at half its rate, and wins it back', async () => {
    const of = limiter();
    of.tooMany('chat.update', 1_000);
    now += 1_000;
    await sent(of, 'chat.update', 200);
    now += 58_000;
    expect(await sent(of, 'chat.update', 200)).toBe(24);
    now += 20 * 60_000;
    expect(await sent(of, 'chat.update', 200)).toBe(50);
  });

  it('learns once from answers that came together, and never stands still', async () => {
    const together = limiter();
    for (let i = 0; i < 8; i++) together.tooMany('chat.update', 1_000);
    now += 1_000;
    await sent(together, 'chat.update', 200);
    now += 12_000;
    expect(await sent(together, 'chat.update', 200)).toBe(5);

    const again = limiter();
    for (let i = 0; i < 50; i++) {
      again.tooMany('chat.update', 1_000);
      now += 2_000;
    }
    await sent(again, 'chat.update', 200);
    now += 12_000;
    expect(await sent(again, 'chat.update', 200)).toBe(1);
  });
});

it('who has patience waits for a short while instead of being sent away', async () => {
  const of = createLimiter({ monotonic: () => performance.now() });
  of.tooMany('chat.postMessage', 20);
  const startedAt = performance.now();
  await of.enter('chat.postMessage', 'D1', 5_000);
  expect(performance.now() - startedAt).toBeGreaterThanOrEqual(19);
  of.tooMany('chat.postMessage', 60_000);
  await expect(of.enter('chat.postMessage', 'D1', 5_000)).rejects.toMatchObject({ code: 'rate_limited' });
});
