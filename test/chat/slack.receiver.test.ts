/**
 * What the receiver promises: bytes that Slack did not sign, or not within five minutes either way of now, reach nothing;
 * and no person ever sees an error because we were slow. Not shown here: Socket Mode, which has no signatures.
 */
import type { App, ReceiverEvent } from '@slack/bolt';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { boltLogger } from '../../src/chat/slack/log.ts';
import { createHttpReceiver, createSocketReceiver } from '../../src/chat/slack/receiver.ts';
import { createHttp, type Http } from '../../src/http.ts';
import { clickPayload, denyPayload, NOW, payloadBody, quiet, SECRET, signed, slashBody } from './slack-support.ts';

const seconds = NOW / 1000;
let http: Http;
let events: ReceiverEvent[];
let onEvent: (event: ReceiverEvent) => Promise<void>;
let url: string;

beforeEach(async () => {
  events = [];
  onEvent = (event) => event.ack();
  const { receiver, route } = createHttpReceiver({
    signingSecret: SECRET,
    wallClock: () => NOW,
    logger: quiet,
    count: () => {},
    ackDeadlineMs: 50,
  });
  const app = {
    processEvent: async (event: ReceiverEvent) => {
      events.push(event);
      await onEvent(event);
    },
  };
  receiver.init(app as unknown as App);
  http = createHttp({ routes: [route] });
  await http.start(0, '127.0.0.1');
  url = `http://127.0.0.1:${http.address?.port}/slack/events`;
});

afterEach(() => http.stop(1000));

function post(body: string | Buffer, headers: Record<string, string>): Promise<Response> {
  return fetch(url, { method: 'POST', body: body as never, headers });
}

const bodies: readonly (readonly [string, string, string])[] = [
  ['a command', slashBody('help'), 'application/x-www-form-urlencoded'],
  ['a button', payloadBody(clickPayload('hallpass:approve', 'card-1')), 'application/x-www-form-urlencoded'],
  ['a dialog', payloadBody(denyPayload('card-1', 'no')), 'application/x-www-form-urlencoded'],
  ['an event', JSON.stringify({ type: 'event_callback', event: { type: 'x' } }), 'application/json'],
  ['the certificate check', 'ssl_check=1&token=x', 'application/x-www-form-urlencoded'],
  ['the address check', JSON.stringify({ type: 'url_verification', challenge: 'c' }), 'application/json'],
  ['rubbish', '\u0000{', 'text/plain'],
];

describe.each(bodies)('%s that Slack did not sign', (_name, body, type) => {
  const good = signed(body, seconds, type);
  const attempts: readonly (readonly [string, Record<string, string>, string])[] = [
    ['no headers', { 'content-type': type }, body],
    ['no signature', { 'content-type': type, 'x-slack-request-timestamp': String(seconds) }, body],
    ['no timestamp', { 'content-type': type, 'x-slack-signature': good['x-slack-signature'] }, body],
    ['an empty signature', { ...good, 'x-slack-signature': '' }, body],
    ['another signature', { ...good, 'x-slack-signature': `v0=${'0'.repeat(64)}` }, body],
    [
      'a signature of another version',
      { ...good, 'x-slack-signature': good['x-slack-signature'].replace('v0', 'v1') },
      body,
    ],
    ['a body changed by a byte', good, `${body}&`],
    ['another timestamp', { ...good, 'x-slack-request-timestamp': String(seconds + 1) }, body],
    ['a timestamp that is no number', { ...good, 'x-slack-request-timestamp': `${seconds}x` }, body],
    ['a signature of six minutes ago', signed(body, seconds - 301, type), body],
    ['a signature of tomorrow', signed(body, seconds + 86_400, type), body],
    ['a signature of six minutes ahead', signed(body, seconds + 301, type), body],
  ];
  test.each(attempts)('is turned away with %s', async (_how, headers, sent) => {
    const response = await post(sent, headers);
    expect(response.status).toBe(401);
    expect(await response.text()).toBe('');
    expect(events).toEqual([]);
  });
});

describe('a delivery that Slack signed', () => {
  test('reaches the app, up to five minutes either way', async () => {
    for (const at of [seconds, seconds - 300, seconds + 300])
      expect((await post(slashBody('help'), signed(slashBody('help'), at))).status).toBe(200);
    expect(events).toHaveLength(3);
    expect(events[0]?.body).toMatchObject({ command: '/access', text: 'help' });
  });

  test('with a header given twice is turned away', async () => {
    const body = slashBody('help');
    const { 'x-slack-signature': signature, ...rest } = signed(body, seconds);
    const headers = new Headers(rest);
    headers.append('x-slack-signature', signature);
    headers.append('x-slack-signature', signature);
    const response = await fetch(url, { method: 'POST', body, headers });
    expect(response.status).toBe(401);
  });

  test('carries the same key when it is replayed, and another when it is said again', async () => {
    const body = slashBody('help');
    for (const at of [seconds, seconds, seconds + 1]) await post(body, signed(body, at));
    const keys = events.map((event) => event.customProperties?.deliveryKey);
    expect(keys[0]).toMatch(/^slack:[0-9a-f]{64}$/);
    expect(keys[1]).toBe(keys[0]);
    expect(keys[2]).not.toBe(keys[0]);
  });

  test('is read with parameters on its content type', async () => {
    const body = slashBody('help');
    const response = await post(body, signed(body, seconds, 'application/x-www-form-urlencoded; charset=utf-8'));
    expect(response.status).toBe(200);
    expect(events).toHaveLength(1);
  });

  test('may only be posted', async () => {
    for (const method of ['GET', 'PUT', 'DELETE']) {
      const response = await fetch(url, { method });
      expect(response.status).toBe(405);
      expect(response.headers.get('allow')).toBe('POST');
    }
    expect(events).toEqual([]);
  });

  test('of more than a megabyte is not read', async () => {
    const body = slashBody('x'.repeat(1024 * 1024));
    const response = await post(body, signed(body, seconds)).catch(() => ({ status: 413 }));
    expect(response.status).toBe(413);
    expect(events).toEqual([]);
  });

  test('of another type is refused for good', async () => {
    const response = await post('<x/>', signed('<x/>', seconds, 'text/xml'));
    expect(response.status).toBe(415);
    expect(response.headers.get('x-slack-no-retry')).toBe('1');
  });

  test.each([
    ['broken JSON', '{', 'application/json'],
    ['a list', '[]', 'application/json'],
    ['a payload that is no JSON', 'payload=%7B', 'application/x-www-form-urlencoded'],
    ['a payload that is no object', 'payload=null', 'application/x-www-form-urlencoded'],
    ['an empty form', '', 'application/x-www-form-urlencoded'],
  ])('that is %s is refused for good', async (_name, body, type) => {
    const response = await post(body, signed(body, seconds, type));
    expect(response.status).toBe(400);
    expect(response.headers.get('x-slack-no-retry')).toBe('1');
    expect(events).toEqual([]);
  });

  test('that is no UTF-8 is refused', async () => {
    const raw = Buffer.from([0x7b, 0xff, 0x7d]);
    const { createHmac } = await import('node:crypto');
    const mac = createHmac('sha256', SECRET).update(`v0:${seconds}:`).update(raw).digest('hex');
    const response = await post(raw, { ...signed('', seconds, 'application/json'), 'x-slack-signature': `v0=${mac}` });
    expect(response.status).toBe(400);
  });

  test('answers Slack’s own checks without the app', async () => {
    const challenge = JSON.stringify({ type: 'url_verification', challenge: 'abc' });
    const response = await post(challenge, signed(challenge, seconds, 'application/json'));
    expect(await response.json()).toEqual({ challenge: 'abc' });
    expect((await post('ssl_check=1', signed('ssl_check=1', seconds))).status).toBe(200);
    expect(events).toEqual([]);
  });

  test('is answered with what the app acknowledges', async () => {
    onEvent = (event) => event.ack({ text: 'hello' });
    const response = await post(slashBody('x'), signed(slashBody('x'), seconds));
    expect(await response.json()).toEqual({ text: 'hello' });
  });

  test('that the app takes too long for is answered with "still working", never with an error', async () => {
    onEvent = () => new Promise(() => {});
    const command = await post(slashBody('x'), signed(slashBody('x'), seconds));
    expect(command.status).toBe(200);
    expect(await command.json()).toMatchObject({ response_type: 'ephemeral' });
    const click = payloadBody(clickPayload('hallpass:approve', 'c'));
    const button = await post(click, signed(click, seconds));
    expect([button.status, await button.text()]).toEqual([200, '']);
  });

  test('that nobody listens to is answered at once', async () => {
    onEvent = async () => {};
    const body = JSON.stringify({ type: 'something_new' });
    const response = await post(body, signed(body, seconds, 'application/json'));
    expect(response.status).toBe(200);
  });

  test('that the app cannot read is refused, and the next one is served', async () => {
    onEvent = async () => {
      throw new TypeError('no');
    };
    expect((await post(slashBody('x'), signed(slashBody('x'), seconds))).status).toBe(400);
    onEvent = (event) => event.ack();
    expect((await post(slashBody('x'), signed(slashBody('x'), seconds))).status).toBe(200);
  });

  test('carries Slack’s retry number', async () => {
    const body = slashBody('x');
    await post(body, { ...signed(body, seconds), 'x-slack-retry-num': '1', 'x-slack-retry-reason': 'http_timeout' });
    expect(events[0]).toMatchObject({ retryNum: 1, retryReason: 'http_timeout' });
  });
});

test('over Socket Mode a delivery has a key too, the same for the same payload', async () => {
  const receiver = createSocketReceiver({ appToken: 'xapp-1', logger: quiet, boltLogger: boltLogger(quiet) });
  const keys: unknown[] = [];
  const acked: unknown[] = [];
  const processEvent = async (event: ReceiverEvent) => {
    keys.push(event.customProperties?.deliveryKey);
    await event.ack('ok');
  };
  receiver.init({ processEvent } as unknown as App);
  for (const text of ['help', 'help', 'list'])
    receiver.client.emit('slack_event', {
      body: { command: '/access', text },
      ack: async (body: unknown) => acked.push(body),
    });
  await vi.waitFor(() => expect(acked).toEqual(['ok', 'ok', 'ok']));
  expect(keys[0]).toMatch(/^slack:[0-9a-f]{64}$/);
  expect(keys[1]).toBe(keys[0]);
  expect(keys[2]).not.toBe(keys[0]);
});

test('an empty signing secret is refused at start, since every forger knows it', () => {
  expect(() => createHttpReceiver({ signingSecret: '', wallClock: () => NOW, logger: quiet, count: () => {} })).toThrow(
    /signing secret/,
  );
});
