import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MessengerError } from '../../src/access/ports.ts';
import { boltLogger } from '../../src/chat/slack/log.ts';
import { createMessenger, METADATA_TYPE } from '../../src/chat/slack/messenger.ts';
import { createWeb } from '../../src/chat/slack/web.ts';
import { clock, type FakeApi, metrics, NOW, quiet, startFakeApi } from './slack-support.ts';

const ANA = { account: { platform: 'slack', tenant: 'T1', id: 'UANA' } } as const;
const CHANNEL = { conversation: 'C1' };
const WALL = 1_800_000_000_000;

let api: FakeApi;
beforeEach(async () => {
  api = await startFakeApi();
});
afterEach(() => api.close());

const web = (apiUrl = api.url) =>
  createWeb({ botToken: 'xoxb-1', apiUrl, clock, metrics, boltLogger: boltLogger(quiet), deadlineMs: 2_000 });
const messenger = () =>
  createMessenger({
    web: web(),
    clock,
    metrics,
    zone: () => 'UTC',
    commandWord: '/access',
    wallClock: () => WALL,
    botUser: () => 'UBOT',
  }).messenger;

const message = (mark: string, more: object = {}) => ({
  type: 'message',
  user: 'UBOT',
  ts: '18.1',
  metadata: { event_type: METADATA_TYPE, event_payload: { mark } },
  ...more,
});

async function failure(call: Promise<unknown>): Promise<MessengerError> {
  const error = await call.then(
    () => undefined,
    (caught: unknown) => caught,
  );
  if (!(error instanceof MessengerError)) throw new Error(`not a MessengerError: ${String(error)}`);
  return error;
}

describe('a message that may have been posted', () => {
  it('is found by its mark, in the time since, over several pages', async () => {
    api.answer['conversations.history'] = (args) =>
      args.cursor === undefined
        ? { ok: true, messages: [message('other')], has_more: true, response_metadata: { next_cursor: 'p2' } }
        : { ok: true, messages: [message('mine', { ts: '17.5' })], has_more: false };
    expect(await messenger().find(CHANNEL, 'mine', NOW - 60_000)).toEqual({ conversation: 'C1', ts: '17.5' });
    const [first] = api.calls.filter(({ method }) => method === 'conversations.history');
    // In real time, however far the process's own clock has been moved; and with room for clocks that differ.
    const oldest = Number(first?.args.oldest) * 1000;
    expect(oldest).toBeLessThanOrEqual(WALL - 60_000);
    expect(oldest).toBeGreaterThan(WALL - 60 * 60_000);
    expect(String(first?.args.include_all_metadata)).toBe('true');
  });

  it('is not there: that is an answer', async () => {
    api.answer['conversations.history'] = () => ({ ok: true, messages: [message('other')] });
    expect(await messenger().find(CHANNEL, 'mine', NOW)).toBeUndefined();
  });

  it('is looked for in the conversation with the person, asked for once', async () => {
    api.answer['conversations.open'] = () => ({ ok: true, channel: { id: 'DANA' } });
    api.answer['conversations.history'] = () => ({ ok: true, messages: [message('mine')] });
    const own = messenger();
    for (let n = 0; n < 2; n++) expect(await own.find(ANA, 'mine', NOW)).toEqual({ conversation: 'DANA', ts: '18.1' });
    expect(api.calls.filter(({ method }) => method === 'conversations.open')).toHaveLength(1);
  });

  it('is not one that somebody else posted with our mark', async () => {
    api.answer['conversations.history'] = () => ({ ok: true, messages: [message('mine', { user: 'UOTHER' })] });
    expect(await messenger().find(CHANNEL, 'mine', NOW)).toBeUndefined();
  });

  it('cannot be looked for without leave, or among too many: then nobody says that it is not there', async () => {
    api.answer['conversations.history'] = () => ({ ok: false, error: 'missing_scope' });
    expect(await failure(messenger().find(CHANNEL, 'mine', NOW))).toMatchObject({ code: 'unauthorized' });
    api.answer['conversations.history'] = () => ({
      ok: true,
      messages: [message('other')],
      response_metadata: { next_cursor: 'more' },
    });
    expect(await failure(messenger().find(CHANNEL, 'mine', NOW))).toMatchObject({ code: 'rejected' });
  });
});

describe('a call that Slack did not carry out', () => {
  it.each([
    [{ http: 429, headers: { 'retry-after': '7' } }, 7_000],
    [{ http: 429 }, 10_000],
    [{ http: 429, headers: { 'retry-after': 'soon' } }, 10_000],
    [{ ok: false, error: 'ratelimited' }, 10_000],
  ])('for %j had no effect, and says when to come back', async (answer, retryAfterMs) => {
    api.answer['chat.update'] = () => answer;
    const calls = web();
    expect(await failure(calls.call('chat.update', {}))).toMatchObject({
      code: 'rate_limited',
      effect: 'none',
      retryAfterMs,
    });
    // The next one is not sent at all, and others are.
    expect(await failure(calls.call('chat.update', {}))).toMatchObject({ code: 'rate_limited', effect: 'none' });
    expect(api.calls.filter(({ method }) => method === 'chat.update')).toHaveLength(1);
    await calls.call('users.info', {});
  });

  it('because nobody listens there had no effect; one whose answer was lost may have had', async () => {
    const gone = await startFakeApi();
    await gone.close();
    expect(await failure(web(gone.url).call('chat.postMessage', {}))).toMatchObject({
      code: 'unavailable',
      effect: 'none',
    });
    api.answer['chat.postMessage'] = () => 'reset';
    expect(await failure(web().call('chat.postMessage', {}))).toMatchObject({ code: 'unavailable', effect: 'unknown' });
  });

  it.each([
    ['message_not_found', 'message'],
    ['is_archived', 'conversation'],
    ['not_in_channel', 'conversation'],
    ['channel_not_found', 'conversation'],
  ])('for %s says that the %s is missing', async (error, missing) => {
    api.answer['chat.update'] = () => ({ ok: false, error });
    expect(await failure(web().call('chat.update', {}))).toMatchObject({ code: 'not_found', missing });
  });
});
