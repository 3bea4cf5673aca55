/**
 * The local Slack is what the journeys trust, so it is held to Slack's documents here: what it would refuse, a real
 * workspace refuses. Driven by Slack's own client, over the wire, from both sides.
 */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebClient } from '@slack/web-api';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createPerson, signature } from '../../src/sandbox/slack-people.ts';
import { button, dmsOf, ephemeralsOf, messagesIn, textOf } from '../../src/sandbox/slack-reading.ts';
import { connectSlack, type SlackServer, startSlackServer } from '../../src/sandbox/slack-server.ts';

const seed = {
  team: { id: 'T1', name: 'Acme', domain: 'acme' },
  botToken: 'xoxb-test',
  signingSecret: 'shh',
  appId: 'A1',
  users: [
    { id: 'UANN', name: 'ann', email: 'ann@acme.com' },
    { id: 'UBEN', name: 'ben', email: 'ben@acme.com' },
    { id: 'UGONE', name: 'gone', email: 'gone@acme.com', deleted: true },
    { id: 'UFAR', name: 'far', email: 'far@other.com', team_id: 'T2', is_stranger: false },
  ],
  channels: [
    { id: 'C1', name: 'approvals' },
    { id: 'C2', name: 'elsewhere', is_member: false },
  ],
  usergroups: [{ id: 'S1', handle: 'dba', users: ['UBEN', 'UGONE'] }],
};

let slack: SlackServer;
let client: WebClient;
let bot: Server;
let botUrl: string;
let received: { headers: Record<string, unknown>; body: string }[];
let acknowledge: () => { type?: string; body: string };

beforeEach(async () => {
  slack = await startSlackServer({ seed });
  client = new WebClient('xoxb-test', {
    slackApiUrl: slack.url,
    retryConfig: { retries: 0 },
    rejectRateLimitedCalls: true,
  });
  received = [];
  acknowledge = () => ({ body: '' });
  bot = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += String(chunk);
    received.push({ headers: request.headers, body });
    const answer = acknowledge();
    response.writeHead(200, { 'content-type': answer.type ?? 'text/plain' }).end(answer.body);
  });
  await new Promise<void>((resolve) => bot.listen(0, '127.0.0.1', resolve));
  botUrl = `http://127.0.0.1:${(bot.address() as AddressInfo).port}`;
});

afterEach(async () => {
  bot.closeAllConnections();
  bot.close();
  await slack.close();
});

const person = (userId: string) => createPerson(slack, { signingSecret: 'shh', botUrl, userId });
const payloadOf = (body: string) => JSON.parse(new URLSearchParams(body).get('payload') ?? '{}');

const card = [
  { type: 'section', text: { type: 'plain_text', text: 'Ann asks for db-prod' } },
  {
    type: 'actions',
    elements: [
      { type: 'button', action_id: 'card:approve', text: { type: 'plain_text', text: 'Approve' }, value: 'opaque' },
    ],
  },
];

test('a wrong or missing token is refused', async () => {
  const wrong = new WebClient('xoxb-other', { slackApiUrl: slack.url, retryConfig: { retries: 0 } });
  await expect(wrong.auth.test()).rejects.toMatchObject({ data: { error: 'invalid_auth' } });
  const none = await fetch(`${slack.url}auth.test`, { method: 'POST' });
  expect(await none.json()).toEqual({ ok: false, error: 'not_authed' });
  expect(await client.auth.test()).toMatchObject({ team_id: 'T1', user_id: 'UHALLPASS', app_id: 'A1' });
});

test('people and groups are told as Slack tells them', async () => {
  expect((await client.users.info({ user: 'UFAR' })).user).toMatchObject({ team_id: 'T2', is_stranger: false });
  expect((await client.users.lookupByEmail({ email: 'ANN@acme.com' })).user?.id).toBe('UANN');
  for (const email of ['gone@acme.com', 'far@other.com', 'nobody@acme.com'])
    await expect(client.users.lookupByEmail({ email })).rejects.toMatchObject({ data: { error: 'users_not_found' } });
  expect((await client.usergroups.users.list({ usergroup: 'S1' })).users).toEqual(['UBEN']);
});

test('a message reaches a channel the bot is in, a person through their own conversation, and nowhere else', async () => {
  const posted = await client.chat.postMessage({ channel: 'C1', text: 'hello', blocks: card });
  expect(messagesIn(slack.state, 'C1')).toMatchObject([{ ts: posted.ts, text: 'hello', revision: 0 }]);
  const direct = await client.chat.postMessage({ channel: 'UANN', text: 'for you' });
  expect(direct.channel).toMatch(/^D/);
  expect(dmsOf(slack.state, 'UANN').map((message) => message.text)).toEqual(['for you']);
  for (const [channel, error] of [
    ['C2', 'not_in_channel'],
    ['C9', 'channel_not_found'],
  ])
    await expect(client.chat.postMessage({ channel: channel as string, text: 'x' })).rejects.toMatchObject({
      data: { error },
    });
  await slack.control({ do: 'set_channel', channel: { id: 'C1', is_archived: true } });
  await expect(client.chat.postMessage({ channel: 'C1', text: 'x' })).rejects.toMatchObject({
    data: { error: 'is_archived' },
  });
});

test('an update needs the conversation and keeps the message; a deleted message cannot be updated', async () => {
  const posted = await client.chat.postMessage({ channel: 'UANN', text: 'one' });
  const [channel, ts] = [posted.channel as string, posted.ts as string];
  await client.chat.update({ channel, ts, text: 'two', blocks: card });
  expect(dmsOf(slack.state, 'UANN')).toMatchObject([{ text: 'two', revision: 1 }]);
  await expect(client.chat.update({ channel: 'UANN', ts, text: 'x' })).rejects.toMatchObject({
    data: { error: 'channel_not_found' },
  });
  await expect(client.chat.update({ channel, ts, text: 'x'.repeat(4001) })).rejects.toMatchObject({
    data: { error: 'msg_too_long' },
  });
  await slack.control({ do: 'delete_message', channel, ts });
  await expect(client.chat.update({ channel, ts, text: 'x' })).rejects.toMatchObject({
    data: { error: 'message_not_found' },
  });
});

const plain = (text: string) => ({ type: 'plain_text' as const, text });
test.each([
  ['more than fifty blocks', Array.from({ length: 51 }, () => ({ type: 'divider' }))],
  ['an empty text', [{ type: 'section', text: plain('') }]],
  ['a section of 3,001 characters', [{ type: 'section', text: plain('x'.repeat(3001)) }]],
  [
    'a button text of 76 characters',
    [{ type: 'actions', elements: [{ type: 'button', action_id: 'a', text: plain('x'.repeat(76)) }] }],
  ],
  [
    'one action id twice',
    [
      {
        type: 'actions',
        elements: [
          { type: 'button', action_id: 'a', text: plain('1') },
          { type: 'button', action_id: 'a', text: plain('2') },
        ],
      },
    ],
  ],
  ['an unknown block', [{ type: 'approval' }]],
])('a message with %s is refused whole', async (_what, blocks) => {
  const sent = client.apiCall('chat.postMessage', { channel: 'C1', text: 'x', blocks });
  await expect(sent).rejects.toMatchObject({ data: { error: 'invalid_blocks' } });
  expect(slack.state.messages).toEqual([]);
});

test('a slash command arrives signed and complete, and its acknowledgement is seen by that person', async () => {
  acknowledge = () => ({ type: 'application/json', body: JSON.stringify({ text: 'looking' }) });
  const reply = await person('UANN').slash('request db-prod 30m fix it', { channel: 'C1' });
  expect(reply).toMatchObject({
    status: 200,
    body: { text: 'looking' },
    ephemerals: [{ text: 'looking', via: 'ack' }],
  });
  const [arrived] = received;
  const at = Number(arrived?.headers['x-slack-request-timestamp']);
  expect(arrived?.headers['x-slack-signature']).toBe(signature('shh', arrived?.body ?? '', at)['x-slack-signature']);
  const form = Object.fromEntries(new URLSearchParams(arrived?.body));
  expect(form).toMatchObject({
    team_id: 'T1',
    channel_id: 'C1',
    user_id: 'UANN',
    command: '/access',
    text: 'request db-prod 30m fix it',
    api_app_id: 'A1',
    is_enterprise_install: 'false',
  });
  await reply.again();
  expect(received[1]?.body).toBe(arrived?.body);
});

test('a response_url serves five answers and then no more', async () => {
  const reply = await person('UANN').slash('help');
  const url = new URLSearchParams(received[0]?.body).get('response_url') ?? '';
  const statuses = [];
  for (let i = 0; i < 6; i++)
    statuses.push((await fetch(url, { method: 'POST', body: JSON.stringify({ text: `answer ${i}` }) })).status);
  expect(statuses).toEqual([200, 200, 200, 200, 200, 404]);
  expect((await reply.said()).text).toBe('answer 0');
  expect(ephemeralsOf(slack.state, 'UANN')).toHaveLength(5);
});

test('a click carries the button as it was seen, even when the message has changed since', async () => {
  const posted = await client.chat.postMessage({ channel: 'C1', text: 'card', blocks: card });
  const seen = messagesIn(slack.state, 'C1')[0];
  if (seen === undefined) throw new Error('no message');
  await client.chat.update({ channel: 'C1', ts: posted.ts as string, text: 'closed', blocks: [] });
  expect(button(messagesIn(slack.state, 'C1')[0] ?? {}, 'approve')).toBeUndefined();
  expect(textOf(seen)).toContain('Ann asks for db-prod');
  await person('UBEN').press(seen, 'approve');
  expect(payloadOf(received[0]?.body ?? '')).toMatchObject({
    type: 'block_actions',
    user: { id: 'UBEN', team_id: 'T1' },
    api_app_id: 'A1',
    is_enterprise_install: false,
    container: { channel_id: 'C1', message_ts: posted.ts, is_ephemeral: false },
    channel: { id: 'C1' },
    actions: [{ action_id: 'card:approve', value: 'opaque', type: 'button' }],
  });
});

test('a trigger opens one dialog, and what is filled in comes back', async () => {
  const reply = await person('UANN').slash('request');
  const trigger_id = new URLSearchParams(received[0]?.body).get('trigger_id') ?? '';
  const view = {
    type: 'modal' as const,
    callback_id: 'request',
    title: plain('Request access'),
    submit: plain('Ask'),
    blocks: [
      {
        type: 'input' as const,
        block_id: 'why',
        label: plain('Reason'),
        element: { type: 'plain_text_input' as const, action_id: 'reason', min_length: 3 },
      },
    ],
  };
  await client.views.open({ trigger_id, view });
  await expect(client.views.open({ trigger_id, view })).rejects.toMatchObject({
    data: { error: 'exchanged_trigger_id' },
  });
  const opened = await reply.opened();
  await expect(person('UANN').submitView(opened, {})).rejects.toThrow('reason is required');
  acknowledge = () => ({
    type: 'application/json',
    body: JSON.stringify({ response_action: 'errors', errors: { why: 'too vague' } }),
  });
  await person('UANN').submitView(opened, { reason: 'stuck' });
  expect(slack.state.views[0]?.state).toBe('open');
  acknowledge = () => ({ body: '' });
  await person('UANN').submitView(opened, { reason: 'stuck migration' });
  expect(payloadOf(received[2]?.body ?? '')).toMatchObject({
    type: 'view_submission',
    view: {
      id: opened.id,
      state: { values: { why: { reason: { type: 'plain_text_input', value: 'stuck migration' } } } },
    },
  });
  expect(slack.state.views[0]?.state).toBe('submitted');
});

test('faults answer instead of Slack for as many calls as they were laid for', async () => {
  await slack.control({
    do: 'fault',
    method: 'chat.postMessage',
    kind: 'rate_limited',
    times: 1,
    retryAfterSeconds: 7,
  });
  await slack.control({ do: 'fault', method: 'chat.postMessage', kind: 'server_error', status: 500 });
  await slack.control({ do: 'fault', method: 'chat.postMessage', kind: 'reset', after: true });
  const post = () => client.chat.postMessage({ channel: 'C1', text: 'x' });
  await expect(post()).rejects.toMatchObject({ retryAfter: 7 });
  await expect(post()).rejects.toMatchObject({ statusCode: 500 });
  expect(messagesIn(slack.state, 'C1')).toHaveLength(0);
  await expect(post()).rejects.toThrow();
  expect(messagesIn(slack.state, 'C1')).toHaveLength(1);
  await post();
  expect(slack.state.requests.map((call) => [call.outcome, call.effect])).toEqual([
    ['rate_limited', false],
    ['http_500', false],
    ['reset', true],
    ['ok', true],
  ]);
});

test('another process sees and orders the same over the wire', async () => {
  const remote = connectSlack(slack.url);
  const seen = remote.waitFor((state) => messagesIn(state, 'C1')[0]?.text);
  await remote.control({ do: 'down', down: true });
  await expect(client.chat.postMessage({ channel: 'C1', text: 'lost' })).rejects.toThrow();
  await remote.control({ do: 'down', down: false });
  await client.chat.postMessage({ channel: 'C1', text: 'kept' });
  expect(await seen).toBe('kept');
  await expect(remote.control({ do: 'set_channel', channel: { id: 'C7' } })).rejects.toThrow('no channel C7');
});
