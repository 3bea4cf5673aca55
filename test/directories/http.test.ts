import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Clock, DirectoryError } from '../../src/access/ports.ts';
import { type Answer, type Asked, createCaller, deadlineIn, refusal, tell } from '../../src/directories/http.ts';
import { Limiter } from '../../src/directories/limiter.ts';
import { rateOf, retryAfterMs } from '../../src/directories/rate-limit.ts';

const NOW = Date.parse('2026-11-23T12:00:00Z');
const asked = (write: boolean): Asked => ({ directory: 'okta', operation: 'add_member', write, secrets: [] });
const answer = (status: number, headers: Record<string, string> = {}, body = ''): Answer => ({
  status,
  headers: new Headers(headers),
  body,
});

describe('what an answer stands for', () => {
  test.each([
    [301, 'unavailable', 'unknown'],
    [400, 'rejected', 'none'],
    [401, 'unauthorized', 'none'],
    [403, 'rejected', 'none'],
    [408, 'unavailable', 'unknown'],
    [409, 'rejected', 'none'],
    [429, 'rate_limited', 'none'],
    [500, 'unavailable', 'unknown'],
    [503, 'unavailable', 'unknown'],
  ] as const)('a write answered %i is %s, its effect %s', (status, code, effect) => {
    expect(refusal(asked(true), answer(status), undefined, NOW)).toMatchObject({ code, effect });
    expect(refusal(asked(false), answer(status), undefined, NOW)).toMatchObject({ code, effect: 'none' });
  });

  test('a 404 means not found only when the vendor itself says so', () => {
    const said = { code: 'E0000007', summary: 'Not found', notFound: true };
    expect(refusal(asked(true), answer(404), said, NOW)).toMatchObject({ code: 'not_found', effect: 'none' });
    expect(refusal(asked(true), answer(404), undefined, NOW)).toMatchObject({ code: 'unavailable', effect: 'unknown' });
  });

  test("the vendor's words are one line of at most 200 code points, without secrets even at the cut", () => {
    const words = tell({ secrets: ['s3cret'] }, `${'🙂'.repeat(197)}s3cret\r\nX-Injected: 1`);
    expect([...words]).toHaveLength(200);
    expect(words).not.toMatch(/s3|[\r\n]/);
  });
});

describe('how long a rate limit lasts', () => {
  const date = new Date(NOW).toUTCString();
  const reset = String(NOW / 1_000 + 30);

  test("the reset is judged against the server's own clock, not ours", () => {
    for (const skewMs of [-7_200_000, 0, 7_200_000]) {
      expect(retryAfterMs(new Headers({ date, 'x-rate-limit-reset': reset }), NOW + skewMs)).toBe(30_000);
    }
  });

  test('without a Date header our clock has to do, within the same bounds', () => {
    expect(retryAfterMs(new Headers({ 'x-rate-limit-reset': reset }), NOW)).toBe(30_000);
    expect(retryAfterMs(new Headers({ 'x-rate-limit-reset': reset }), NOW - 7_200_000)).toBe(90_000);
    expect(retryAfterMs(new Headers({ 'x-rate-limit-reset': reset }), NOW + 7_200_000)).toBe(1_000);
  });

  test('Retry-After comes first, in seconds or as a date', () => {
    const headers = { date, 'x-rate-limit-reset': reset };
    expect(retryAfterMs(new Headers({ ...headers, 'retry-after': '7' }), NOW)).toBe(7_000);
    const later = new Date(NOW + 12_000).toUTCString();
    expect(retryAfterMs(new Headers({ ...headers, 'retry-after': later }), NOW)).toBe(12_000);
  });

  test('whatever the headers say, the wait is between a second and a minute and a half', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), fc.string(), fc.integer(), (after, at, sent, now) => {
        const headers = new Headers();
        for (const [name, value] of [
          ['retry-after', after],
          ['x-rate-limit-reset', at],
          ['date', sent],
        ] as const) {
          if (/^[\x20-\x7e]*$/.test(value)) headers.set(name, value);
        }
        const wait = retryAfterMs(headers, now);
        expect(wait).toBeGreaterThanOrEqual(1_000);
        expect(wait).toBeLessThanOrEqual(90_000);
      }),
    );
  });

  test('an answer without a complete set of headers teaches nothing', () => {
    expect(rateOf(new Headers({ 'x-rate-limit-limit': '600', 'x-rate-limit-remaining': '-1' }), NOW)).toBeUndefined();
  });
});

describe('the budget of a credential', () => {
  let monotonic = 0;
  const clock: Clock = { now: () => NOW, monotonic: () => monotonic };
  const limiter = (more: { inFlightMax?: number; inFlightReserve?: number; waitingMax?: number } = {}) => {
    monotonic = 0;
    return new Limiter({ directory: 'okta', clock, ...more });
  };
  const rate = (remaining: number, reset = 60, limit = 100) => ({ limit, remaining, reset, resetInMs: 60_000 });
  const patient = new AbortController().signal;
  const order = () => {
    const entered: string[] = [];
    const note = (name: string) => (leave: () => void) => {
      entered.push(name);
      return leave;
    };
    return { entered, note };
  };

  test('the last three tenths are for removals, until the window ends', async () => {
    const budget = limiter();
    budget.learn('membership', 200, rate(32));
    for (let n = 0; n < 2; n += 1) (await budget.enter('membership', 'ordinary', patient))();
    monotonic = 20_000;
    await expect(budget.enter('membership', 'ordinary', patient)).rejects.toMatchObject({
      code: 'rate_limited',
      effect: 'none',
      retryAfterMs: 40_000,
    });
    for (let n = 0; n < 30; n += 1) (await budget.enter('membership', 'removal', patient))();
    await expect(budget.enter('membership', 'removal', patient)).rejects.toMatchObject({ code: 'rate_limited' });
    (await budget.enter('other', 'ordinary', patient))();
    monotonic = 60_000;
    (await budget.enter('membership', 'ordinary', patient))();
  });

  test('an answer that was overtaken does not give budget back', async () => {
    const budget = limiter();
    budget.learn('membership', 200, rate(31));
    budget.learn('membership', 200, rate(50));
    budget.learn('membership', 200, rate(99, 0));
    (await budget.enter('membership', 'ordinary', patient))();
    await expect(budget.enter('membership', 'ordinary', patient)).rejects.toMatchObject({ code: 'rate_limited' });
    budget.learn('membership', 200, rate(99, 120));
    (await budget.enter('membership', 'ordinary', patient))();
  });

  test('a 429 for too many calls at once does not stand for an empty minute', async () => {
    const budget = limiter();
    budget.learn('membership', 200, rate(80));
    budget.learn('membership', 429, { ...rate(0, 61), limit: 35 });
    budget.learn('unseen', 429, { ...rate(0), limit: 35 });
    budget.learn('unseen', 200, { ...rate(0), limit: 0 });
    (await budget.enter('membership', 'ordinary', patient))();
    (await budget.enter('unseen', 'ordinary', patient))();
  });

  test('calls that hang leave room for a removal, and removals leave the queue first', async () => {
    const budget = limiter({ inFlightMax: 2, inFlightReserve: 1 });
    const { entered, note } = order();
    const leaveFirst = await budget.enter('b', 'ordinary', patient).then(note('first'));
    const second = budget.enter('b', 'ordinary', patient).then(note('second'));
    const leaveRemoval = await budget.enter('b', 'removal', patient).then(note('removal'));
    const later = budget.enter('b', 'removal', patient).then(note('later removal'));
    leaveFirst();
    await later;
    leaveRemoval();
    (await later)();
    (await second)();
    expect(entered).toEqual(['first', 'removal', 'later removal', 'second']);
  });

  test('a full queue sends away whoever came last of the ordinary, never a removal before them', async () => {
    const budget = limiter({ inFlightMax: 1, inFlightReserve: 0, waitingMax: 1 });
    const leave = await budget.enter('b', 'ordinary', patient);
    const waiting = budget.enter('b', 'ordinary', patient);
    const removal = budget.enter('b', 'removal', patient);
    await expect(waiting).rejects.toMatchObject({ code: 'rate_limited', retryAfterMs: 1_000 });
    leave();
    (await removal)();
  });

  test('whoever stops waiting leaves the queue', async () => {
    const budget = limiter({ inFlightMax: 1, inFlightReserve: 0 });
    const leave = await budget.enter('b', 'ordinary', patient);
    const stop = new AbortController();
    const waiting = budget.enter('b', 'ordinary', stop.signal);
    stop.abort(new Error('late'));
    await expect(waiting).rejects.toThrow('late');
    await expect(budget.enter('b', 'ordinary', stop.signal)).rejects.toThrow('late');
    leave();
    (await budget.enter('b', 'ordinary', patient))();
  });
});

describe('an exchange', () => {
  const clock: Clock = { now: () => NOW, monotonic: () => performance.now() };
  const metrics = { count: () => {}, observe: () => {} };

  async function against(
    handle: (url: string, respond: (status: number, headers: Record<string, string>, body: string) => void) => void,
    bodyMaxBytes = 1_000,
  ) {
    const visited: string[] = [];
    const server = createServer((request, response) => {
      visited.push(request.url ?? '');
      handle(request.url ?? '', (status, headers, body) => response.writeHead(status, headers).end(body));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    const limiter = new Limiter({ directory: 'okta', clock });
    const call = createCaller({ directory: 'okta', clock, metrics, jitter: () => 0, limiter, bodyMaxBytes });
    const error = await call(
      {
        ...asked(true),
        method: 'PUT',
        url,
        headers: {},
        bucket: 'b',
        urgency: 'ordinary',
        read: () => undefined,
      },
      deadlineIn(2_000),
    ).catch((reason: unknown) => reason);
    await new Promise((resolve) => {
      server.close(resolve);
      server.closeAllConnections();
    });
    return { error, visited };
  }

  test('an answer longer than the limit is cut off, and the effect of a write is unknown', async () => {
    const { error } = await against((_, respond) => respond(200, {}, 'x'.repeat(2_000)));
    expect(error).toBeInstanceOf(DirectoryError);
    expect(error).toMatchObject({ code: 'unavailable', effect: 'unknown' });
  });

  test('a redirect is not followed', async () => {
    const { error, visited } = await against((_, respond) => respond(307, { location: '/elsewhere' }, ''));
    expect(error).toMatchObject({ code: 'unavailable', effect: 'unknown' });
    expect(visited).toEqual(['/']);
  });

  test.each([
    [Object.assign(new Error('getaddrinfo'), { code: 'ENOTFOUND', syscall: 'getaddrinfo' }), 'none'],
    [Object.assign(new Error('connect'), { code: 'ETIMEDOUT', syscall: 'connect' }), 'none'],
    [Object.assign(new Error('tls'), { code: 'CERT_HAS_EXPIRED' }), 'none'],
    [Object.assign(new Error('read'), { code: 'ETIMEDOUT', syscall: 'read' }), 'unknown'],
    [Object.assign(new Error('read'), { code: 'ECONNRESET', syscall: 'read' }), 'unknown'],
    [Object.assign(new Error('closed'), { code: 'UND_ERR_SOCKET' }), 'unknown'],
  ] as const)('%o leaves the effect of a write %s', async (cause, effect) => {
    const limiter = new Limiter({ directory: 'okta', clock });
    const failing = () => Promise.reject(new TypeError('fetch failed', { cause }));
    const call = createCaller({ directory: 'okta', clock, metrics, jitter: () => 0, limiter, fetch: failing });
    const url = new URL('http://127.0.0.1/');
    const sent = call(
      { ...asked(true), method: 'PUT', url, headers: {}, bucket: 'b', urgency: 'ordinary', read: () => undefined },
      deadlineIn(1_000),
    );
    await expect(sent).rejects.toMatchObject({ code: 'unavailable', effect });
  });
});
