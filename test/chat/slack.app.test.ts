/**
 * Deliveries through the real HTTP server, receiver and Bolt, to a desk of the test's; and the ways out to a Slack Web
 * API of a few lines. What a desk decides is not shown here.
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Answer } from '../../src/access/command.ts';
import { type Desk, MessengerError } from '../../src/access/ports.ts';
import { createSlack, type Slack, type SlackOptions } from '../../src/chat/slack/app.ts';
import { isReplyAddress } from '../../src/chat/slack/messenger.ts';
import { createHttp, type Http } from '../../src/http.ts';
import {
  answered,
  clickPayload,
  clock,
  denyPayload,
  type FakeApi,
  fakeDesk,
  metrics,
  NOW,
  payloadBody,
  quiet,
  requestView,
  SECRET,
  signed,
  slashBody,
  startFakeApi,
} from './slack-support.ts';

let api: FakeApi;
let http: Http | undefined;
let slack: Slack;
const account = { platform: 'slack', tenant: 'T1', id: 'U1' } as const;

beforeEach(async () => {
  api = await startFakeApi();
});

afterEach(async () => {
  await slack.stop(1000);
  await http?.stop(1000);
  await api.close();
});

function options(desk: Desk): SlackOptions {
  return {
    botToken: 'xoxb-1',
    signingSecret: SECRET,
    apiUrl: api.url,
    approvalsChannel: 'C1',
    desk,
    wallClock: () => NOW,
    clock,
    metrics,
    logger: quiet,
    patience: { durableMs: 60, answerMs: 60, ackMs: 500 },
  };
}

async function run(desk: Desk, more: Partial<SlackOptions> = {}, connect = true): Promise<void> {
  slack = createSlack({ ...options(desk), ...more });
  http = createHttp({ routes: slack.routes });
  await http.start(0, '127.0.0.1');
  if (connect) {
    slack.start();
    await slack.connected;
  }
}

async function send(body: string): Promise<{ status: number; text: string; json: Record<string, unknown> }> {
  const response = await fetch(`http://127.0.0.1:${http?.address?.port}/slack/events`, {
    method: 'POST',
    body,
    headers: signed(body, NOW / 1000),
  });
  const text = await response.text();
  return { status: response.status, text, json: text.startsWith('{') ? JSON.parse(text) : {} };
}

const responseUrl = () => new URL('/response/1', api.url).href;
const late = () => api.called('response/1');
const never = () => new Promise<never>(() => {});

describe('deliveries that cannot be believed', () => {
  const forged = async () => {
    const body = slashBody('list');
    const headers = { ...signed(body, NOW / 1000), 'x-slack-signature': `v0=${'0'.repeat(64)}` };
    const url = `http://127.0.0.1:${http?.address?.port}/slack/events`;
    return (await fetch(url, { method: 'POST', body, headers })).status;
  };

  test('are refused one by one, and said to be a problem once all of them are', async () => {
    await run(fakeDesk());
    expect([await forged(), await forged()]).toEqual([401, 401]);
    expect(slack.facts().problems).toEqual([]);
    await forged();
    expect(slack.facts().problems.join()).toMatch(/last 3 deliveries were refused.*SLACK_SIGNING_SECRET/);
    await send(slashBody('list'));
    expect(slack.facts().problems).toEqual([]);
  });

  test('that carry no signature at all say nothing about the secret', async () => {
    await run(fakeDesk());
    const url = `http://127.0.0.1:${http?.address?.port}/slack/events`;
    for (let sent = 0; sent < 4; sent += 1) await fetch(url, { method: 'POST', body: 'hello' });
    expect(slack.facts().problems).toEqual([]);
  });
});

describe('a typed command', () => {
  test('is handed to the desk once it is verified, and acknowledged with its answer', async () => {
    const desk = fakeDesk(async () => answered({ say: 'status', request: requestView() }));
    await run(desk);
    const reply = await send(slashBody('status R-7KQ2'));
    expect(reply.status).toBe(200);
    expect(reply.json).toMatchObject({ response_type: 'ephemeral' });
    expect(reply.text).toContain('Waiting for 1 more approval');
    expect(desk.taken[0]).toMatchObject({ command: { do: 'status', by: account }, reply: { account } });
    expect(desk.taken[0]?.key).toMatch(/^slack:/);
  });

  test('that cannot be understood is answered at once, without the desk', async () => {
    const desk = fakeDesk();
    await run(desk);
    const reply = await send(slashBody('reqest db-prod', { command: '/pass' }));
    expect(reply.text).toContain('/pass request');
    expect(desk.taken).toEqual([]);
  });

  test('whose answer takes longer is acknowledged with "Checking", and answered where it was asked', async () => {
    const answer = Promise.withResolvers<Answer>();
    await run(fakeDesk(async () => ({ fresh: true, answer: answer.promise })));
    const reply = await send(slashBody('list', { response_url: responseUrl() }));
    expect(reply.json.text).toMatch(/^Checking/);
    answer.resolve({ say: 'list', which: 'mine', items: [], more: false });
    const { args } = await late();
    expect(args).toMatchObject({ response_type: 'ephemeral', replace_original: false });
    expect(args.text).toContain('none');
  });

  test('that could not be recorded is never said to be done', async () => {
    await run(fakeDesk(async () => Promise.reject(new Error('database is down'))));
    const reply = await send(slashBody('request db-prod 30m fix'));
    expect(reply.status).toBe(200);
    expect(reply.json.text).toMatch(/Nothing was done/);
    expect(reply.text).not.toContain('database');
  });

  test('that is recorded too late says so when it fails after all', async () => {
    const taken = Promise.withResolvers<never>();
    await run(fakeDesk(() => taken.promise));
    const reply = await send(slashBody('request db-prod 30m fix', { response_url: responseUrl() }));
    expect(reply.json.text).toMatch(/^Checking/);
    taken.reject(new Error('no'));
    expect((await late()).args.text).toMatch(/Nothing was done/);
  });

  test('delivered again is acknowledged without a word', async () => {
    await run(fakeDesk(async () => ({ fresh: false, answer: never() })));
    expect(await send(slashBody('help'))).toMatchObject({ status: 200, text: '' });
  });

  test('is acknowledged even when the desk throws', async () => {
    await run(
      fakeDesk(() => {
        throw new Error('bug');
      }),
    );
    expect((await send(slashBody('help'))).json.text).toMatch(/Nothing was done/);
  });

  test('goes through while Slack itself is down, since nothing about it needs asking', async () => {
    api.answer['auth.test'] = () => ({ http: 503 });
    const desk = fakeDesk();
    await run(desk, {}, false);
    slack.start();
    expect((await send(slashBody('help'))).status).toBe(200);
    expect(desk.taken).toHaveLength(1);
    expect(slack.facts()).toMatchObject({ ready: false });
  });
});

describe('a button', () => {
  test('is acknowledged when it is durable, and its answer follows to that person alone', async () => {
    const desk = fakeDesk(async () => answered({ say: 'refused', refusal: { code: 'own_request' } }));
    await run(desk);
    const reply = await send(payloadBody(clickPayload('hallpass:approve', 'card-1', { response_url: responseUrl() })));
    expect(reply).toMatchObject({ status: 200, text: '' });
    const { args } = await late();
    expect(args).toMatchObject({ response_type: 'ephemeral', replace_original: false });
    expect(args.text).toContain('your own request');
    expect(desk.taken[0]).toMatchObject({ command: { do: 'approve', by: account, target: { card: 'card-1' } } });
  });

  test('that could not be recorded says so', async () => {
    await run(fakeDesk(async () => Promise.reject(new Error('down'))));
    await send(payloadBody(clickPayload('hallpass:approve', 'card-1', { response_url: responseUrl() })));
    expect((await late()).args.text).toMatch(/Nothing was done/);
  });

  test('Deny opens a dialog that carries the card, and asks the desk nothing yet', async () => {
    const desk = fakeDesk();
    await run(desk);
    await send(payloadBody(clickPayload('hallpass:deny', 'card-1')));
    const { args } = await api.called('views.open');
    expect(args).toMatchObject({
      trigger_id: '1.2.abc',
      view: { private_metadata: 'card-1', callback_id: 'hallpass:deny' },
    });
    expect(desk.taken).toEqual([]);
  });

  test('Deny whose dialog does not open says that nothing was done', async () => {
    await run(fakeDesk());
    api.answer['views.open'] = () => ({ ok: false, error: 'expired_trigger_id' });
    await send(payloadBody(clickPayload('hallpass:deny', 'card-1', { response_url: responseUrl() })));
    expect((await late()).args.text).toMatch(/nothing was done/);
  });

  test('pressed from another workspace never reaches the desk', async () => {
    const desk = fakeDesk();
    await run(desk);
    const user = { id: 'U9', team_id: 'T9' };
    await send(payloadBody(clickPayload('hallpass:approve', 'card-1', { user, response_url: responseUrl() })));
    expect((await late()).args.text).toContain('another workspace');
    expect(desk.taken).toEqual([]);
  });
});

describe('the deny dialog', () => {
  test('denies, and the answer comes as a direct message since Slack gives no other way', async () => {
    const denied = requestView({ state: 'denied', headline: 'Denied by Ana.' });
    const desk = fakeDesk(async () => answered({ say: 'done', what: 'denied', request: denied }));
    await run(desk);
    expect(await send(payloadBody(denyPayload('card-1', 'not today')))).toMatchObject({ status: 200, text: '' });
    const { args } = await api.called('chat.postMessage');
    expect(args).toMatchObject({ channel: 'U1' });
    expect(args.text).toContain('Denied');
    expect(desk.taken[0]).toMatchObject({ command: { do: 'deny', target: { card: 'card-1' }, reason: 'not today' } });
  });

  test('stays open with an error when it cannot be recorded', async () => {
    await run(fakeDesk(async () => Promise.reject(new Error('down'))));
    const reply = await send(payloadBody(denyPayload('card-1', 'no')));
    expect(reply.json).toMatchObject({
      response_action: 'errors',
      errors: { reason: expect.stringMatching(/Nothing was done/) },
    });
  });
});

describe('late answers', () => {
  test('go to Slack’s own address or the configured server, and nowhere else', () => {
    const own = 'http://127.0.0.1:4000';
    expect(isReplyAddress('https://hooks.slack.com/actions/T1/2/x', undefined)).toBe(true);
    expect(isReplyAddress(`${own}/response/1`, own)).toBe(true);
    for (const url of [
      `${own}/response/1`,
      'http://hooks.slack.com/x',
      'https://hooks.slack.com.evil.example/x',
      'https://hooks.slack.com@evil.example/x',
      'https://user@hooks.slack.com/x',
      'http://169.254.169.254/latest',
      'file:///etc/passwd',
      'hooks.slack.com',
    ])
      expect(isReplyAddress(url, undefined), url).toBe(false);
  });

  test('go to the person directly when the address is elsewhere, used up or redirects', async () => {
    await run(fakeDesk());
    api.answer['response/1'] = () => ({ http: 404 });
    api.answer['response/2'] = () => ({ http: 302, headers: { location: 'http://127.0.0.1:1/' } });
    for (const url of ['http://127.0.0.1:1/x', responseUrl(), responseUrl().replace('/1', '/2')]) {
      const before = api.calls.filter(({ method }) => method === 'chat.postMessage').length;
      await slack.replier.say({ account, url }, { say: 'help' });
      expect(api.calls.filter(({ method }) => method === 'chat.postMessage')).toHaveLength(before + 1);
    }
  });
});

describe('posting', () => {
  const view = { kind: 'request', audience: 'channel', request: requestView() } as const;

  test('sends inert text, the mark, and the token of this workspace', async () => {
    await run(fakeDesk());
    const at = await slack.messenger.post({ conversation: 'C1' }, view, 'mark-1');
    expect(at).toEqual({ conversation: 'C1', ts: '17.1' });
    const { args, headers } = await api.called('chat.postMessage');
    expect(args).toMatchObject({
      channel: 'C1',
      parse: 'none',
      link_names: 'false',
      unfurl_links: 'false',
      unfurl_media: 'false',
      mrkdwn: 'false',
      metadata: { event_type: 'hallpass_message', event_payload: { mark: 'mark-1' } },
    });
    expect(headers.authorization).toBe('Bearer xoxb-1');
    await slack.messenger.update(at, view);
    expect((await api.called('chat.update')).args).toMatchObject({ channel: 'C1', ts: '17.1', parse: 'none' });
  });

  test('to a person returns the conversation that Slack opened, which updates need', async () => {
    await run(fakeDesk());
    expect(await slack.messenger.post({ account }, { ...view, audience: 'requester' }, 'm')).toMatchObject({
      conversation: 'D1',
    });
  });

  test.each([
    { is_ext_shared: true },
    { is_pending_ext_shared: true },
    { pending_shared: ['T9'] },
    { is_archived: true },
  ])('into a channel with %j is refused', async (fact) => {
    await run(fakeDesk());
    api.answer['conversations.info'] = () => ({ ok: true, channel: { id: 'C2', is_member: true, ...fact } });
    await expect(slack.messenger.post({ conversation: 'C2' }, view, 'm')).rejects.toMatchObject({ code: 'rejected' });
    expect(api.calls.some(({ method }) => method === 'chat.postMessage')).toBe(false);
  });

  test.each<[string, object | 'hang' | 'reset', object]>([
    [
      'a rate limit',
      { http: 429, headers: { 'retry-after': '7' } },
      { code: 'rate_limited', retryAfterMs: 7000, effect: 'none' },
    ],
    ['a server error', { http: 500 }, { code: 'unavailable', effect: 'unknown' }],
    ['a lost connection', 'reset', { code: 'unavailable', effect: 'unknown' }],
    ['a half-done call', { ok: false, error: 'internal_error' }, { code: 'unavailable', effect: 'unknown' }],
    ['no such channel', { ok: false, error: 'channel_not_found' }, { code: 'not_found', effect: 'none' }],
    ['not invited', { ok: false, error: 'not_in_channel' }, { code: 'not_found' }],
    ['an archived channel', { ok: false, error: 'is_archived' }, { code: 'not_found' }],
    ['a revoked token', { ok: false, error: 'token_revoked' }, { code: 'unauthorized' }],
    ['a wrong token', { ok: false, error: 'invalid_auth' }, { code: 'unauthorized' }],
    ['a text too long', { ok: false, error: 'msg_too_long' }, { code: 'rejected', effect: 'none' }],
  ])('that meets %s fails once, by code, and is not tried again here', async (_name, answer, expected) => {
    await run(fakeDesk());
    api.answer['chat.postMessage'] = () => answer;
    const failure = await slack.messenger.post({ account }, view, 'm').catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(MessengerError);
    expect(failure).toMatchObject(expected);
    expect(String(failure)).not.toContain('xoxb');
    expect(api.calls.filter(({ method }) => method === 'chat.postMessage')).toHaveLength(1);
  });
});

describe('people', () => {
  const ana = {
    id: 'U1',
    team_id: 'T1',
    deleted: false,
    is_bot: false,
    is_restricted: false,
    is_ultra_restricted: false,
    is_email_confirmed: true,
    tz: 'Europe/Berlin',
    profile: { real_name: 'Ana Torres', email: 'ana@acme.com' },
  };

  async function looked(more: object) {
    await run(fakeDesk());
    api.answer['users.info'] = () => ({ ok: true, user: { ...ana, ...more } });
    return slack.accounts.lookup(account);
  }

  test('an employee is what Slack says', async () => {
    expect(await looked({})).toEqual({
      account,
      name: 'Ana Torres',
      email: 'ana@acme.com',
      emailConfirmed: true,
      zone: 'Europe/Berlin',
      deleted: false,
      bot: false,
      guest: false,
      foreign: false,
    });
  });

  test.each<[object, object]>([
    [{ deleted: true }, { deleted: true }],
    [{ deleted: undefined }, { deleted: true }],
    [{ is_bot: true }, { bot: true }],
    [{ is_bot: null }, { bot: true }],
    [{ id: 'USLACKBOT' }, { bot: true }],
    [{ is_restricted: true }, { guest: true }],
    [{ is_restricted: undefined }, { guest: true }],
    [{ is_ultra_restricted: true }, { guest: true }],
    [{ is_stranger: true }, { foreign: true }],
    [{ is_invited_user: true }, { foreign: true }],
    [{ team_id: 'T9' }, { foreign: true }],
    [{ team_id: undefined }, { foreign: true }],
    [{ is_email_confirmed: undefined }, { emailConfirmed: false }],
  ])('%j makes %j', async (more, expected) => {
    expect(await looked(more)).toMatchObject(expected);
  });

  test('an account that came from another workspace is foreign, whatever Slack says of its id', async () => {
    await run(fakeDesk());
    api.answer['users.info'] = () => ({ ok: true, user: ana });
    expect(await slack.accounts.lookup({ ...account, tenant: 'T9' })).toMatchObject({ foreign: true });
  });

  test('nobody is absent; a failure is a failure', async () => {
    await run(fakeDesk());
    api.answer['users.info'] = () => ({ ok: false, error: 'user_not_found' });
    api.answer['users.lookupByEmail'] = () => ({ ok: false, error: 'users_not_found' });
    api.answer['usergroups.users.list'] = () => ({ ok: true, users: ['U1', 'U2'] });
    expect(await slack.accounts.lookup(account)).toBeUndefined();
    expect(await slack.accounts.byEmail('x@acme.com')).toBeUndefined();
    expect(await slack.accounts.groupMembers('S1')).toEqual([account, { ...account, id: 'U2' }]);
    api.answer['users.info'] = () => ({ http: 500 });
    await expect(slack.accounts.lookup(account)).rejects.toMatchObject({ code: 'unavailable' });
  });

  test('cannot be told apart before Slack has said which workspace this is', async () => {
    await run(fakeDesk(), {}, false);
    await expect(slack.accounts.lookup(account)).rejects.toMatchObject({ code: 'unavailable' });
  });
});

describe('starting', () => {
  test('learns who we are', async () => {
    await run(fakeDesk());
    expect(slack.facts()).toMatchObject({ mode: 'http', ready: true, team: 'T1', botUserId: 'UBOT', appId: 'A1' });
  });

  test('asks again when Slack does not answer', async () => {
    let asked = 0;
    const tell = api.answer['auth.test'];
    api.answer['auth.test'] = (args) => (++asked === 1 ? { http: 503 } : (tell?.(args) ?? {}));
    await run(fakeDesk());
    expect(asked).toBe(2);
  });

  test('asks Slack who we are once, not at every delivery', async () => {
    await run(fakeDesk());
    for (const text of ['help', 'list', 'status']) await send(slashBody(text));
    expect(api.calls.filter(({ method }) => method === 'auth.test')).toHaveLength(1);
  });

  test('says of a channel whether requests may be posted there', async () => {
    await run(fakeDesk());
    expect(await slack.checkChannel('C1')).toEqual({ id: 'C1', name: 'approvals', isMember: true });
  });

  test('needs a signing secret or an app token', () => {
    slack = createSlack({ ...options(fakeDesk()), appToken: 'xapp-1' });
    expect(slack.routes).toEqual([]);
    expect(slack.facts()).toMatchObject({ mode: 'socket', ready: false });
    const { signingSecret: _none, ...neither } = options(fakeDesk());
    expect(() => createSlack(neither)).toThrow(/signing secret/);
    expect(() => createSlack({ ...neither, signingSecret: '' })).toThrow(/signing secret/);
  });
});
