/**
 * The door to Teams. Promise: nothing acts but what Bot Framework signed for this bot, from a tenant of ours, by a person
 * with an object id, once. Attack: forged, foreign, replayed and malformed activities; each must change nothing.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createHttp } from '../../src/http.ts';
import {
  ANA,
  APP_ID,
  BEN,
  type Connector,
  deliver,
  type Issuer,
  inChannel,
  invoked,
  OTHER_TENANT,
  pressed,
  startConnector,
  startIssuer,
  startTeams,
  TENANT,
  typed,
} from './teams-support.ts';

let connector: Connector;
let issuer: Issuer;
let bench: ReturnType<typeof startTeams>;

beforeAll(async () => {
  connector = await startConnector();
  issuer = await startIssuer();
});
afterAll(async () => {
  await connector.close();
  await issuer.close();
});
beforeEach(() => {
  connector.calls.length = 0;
  bench = startTeams({ connector, issuer });
});

const genuine = () => issuer.token({ serviceurl: connector.url });
const list = () => typed(connector.url, 'list');

async function nothingHappened(): Promise<void> {
  await bench.teams.stop(1_000);
  expect(bench.desk.taken).toEqual([]);
  expect([...bench.store.rows.keys()]).toEqual([]);
  expect(connector.calls).toEqual([]);
}

it('takes what Bot Framework signed, as a command of the person with that object id', async () => {
  expect((await deliver(bench.teams, list(), await genuine())).status).toBe(200);
  expect(bench.desk.taken).toMatchObject([
    { command: { do: 'list', by: { platform: 'teams', tenant: TENANT, id: ANA } }, reply: { account: { id: ANA } } },
  ]);
  await bench.teams.stop(1_000);
  expect(connector.calls.map(({ method, path }) => `${method} ${path}`)).toEqual([
    'POST /v3/conversations/a:ana/activities',
  ]);
});

describe('is shut to', () => {
  const header = (claims: object, alg = 'RS256') =>
    `${Buffer.from(JSON.stringify({ alg, kid: 'k1' })).toString('base64url')}.${Buffer.from(JSON.stringify(claims)).toString('base64url')}`;
  const soon = () => Math.floor(Date.now() / 1000) + 600;

  it.each<[string, () => Promise<string | undefined>]>([
    ['no token', async () => undefined],
    ['an empty one', async () => ''],
    ['another scheme', async () => (await genuine()).replace('Bearer', 'Basic')],
    ['something that is no token', async () => 'Bearer x.y.z'],
    ['two tokens in one header', async () => `${await genuine()} ${await genuine()}`],
    ['another audience', () => issuer.token({ serviceurl: connector.url, aud: OTHER_TENANT })],
    ['another issuer', () => issuer.token({ serviceurl: connector.url, iss: 'https://sts.windows.net/x/' })],
    [
      'the issuer of tokens for emulators',
      () =>
        issuer.token({
          serviceurl: connector.url,
          iss: 'https://sts.windows.net/d6d49420-f39b-4df7-a1dc-d59a935871db/',
        }),
    ],
    ['an expired one', () => issuer.token({ serviceurl: connector.url, exp: Math.floor(Date.now() / 1000) - 3_600 })],
    ['another service address than was signed', () => issuer.token({ serviceurl: 'http://127.0.0.1:1/' })],
    ['no service address in the token', () => issuer.token()],
    ['another key', () => issuer.token({ serviceurl: connector.url }, { key: 'other' })],
    ['a key that nobody published', () => issuer.token({ serviceurl: connector.url }, { kid: 'k2' })],
    [
      'no signature (alg none)',
      async () =>
        `Bearer ${header({ iss: 'https://api.botframework.com', aud: '5a5a5a5a-0000-4000-8000-00000000000b', exp: soon(), serviceurl: connector.url }, 'none')}.`,
    ],
    [
      'a signature of nothing',
      async () =>
        `Bearer ${header({ iss: 'https://api.botframework.com', aud: '5a5a5a5a-0000-4000-8000-00000000000b', exp: soon(), serviceurl: connector.url })}.AAAA`,
    ],
  ])('%s: 401', async (_what, token) => {
    expect((await deliver(bench.teams, list(), await token())).status).toBe(401);
    await nothingHappened();
  });

  it.each<[string, (url: string) => object]>([
    [
      'another tenant in the conversation',
      (url) =>
        typed(url, 'list', { conversation: { id: 'a:x', conversationType: 'personal', tenantId: OTHER_TENANT } }),
    ],
    [
      'another tenant in the channel data',
      (url) => typed(url, 'list', { channelData: { tenant: { id: OTHER_TENANT } } }),
    ],
    [
      'no tenant at all',
      (url) => typed(url, 'list', { channelData: {}, conversation: { id: 'a:ana', conversationType: 'personal' } }),
    ],
    ['another channel than Teams', (url) => typed(url, 'list', { channelId: 'webchat' })],
    ['a person without an object id', (url) => typed(url, 'list', { from: { id: '29:ana', name: 'Ana' } })],
    ['an object id that is none', (url) => typed(url, 'list', { from: { id: '29:ana', aadObjectId: 'ana' } })],
    ['a bot', (url) => typed(url, 'list', { from: { id: '28:other', aadObjectId: ANA } })],
    ['nobody', (url) => typed(url, 'list', { from: undefined })],
  ])('%s: 403', async (_what, activity) => {
    expect((await deliver(bench.teams, activity(connector.url), await genuine())).status).toBe(403);
    await nothingHappened();
  });

  it('a service address that is not Microsoft’s, even when it was signed: 403', async () => {
    const url = 'http://192.0.2.1:80/';
    const token = await issuer.token({ serviceurl: url });
    expect((await deliver(bench.teams, typed(url, 'list'), token)).status).toBe(403);
    await nothingHappened();
  });

  it.each([
    ['no JSON', 'text=list'],
    ['no object', '[]'],
    ['no conversation', JSON.stringify({ type: 'message', channelId: 'msteams', serviceUrl: 'x' })],
    ['something endless', `${'['.repeat(50_000)}`],
  ])('%s: 400', async (_what, body) => {
    expect((await deliver(bench.teams, body, await genuine())).status).toBe(400);
    await nothingHappened();
  });

  it('a megabyte: 413', async () => {
    const http = createHttp({ routes: bench.teams.routes });
    await http.start(0, '127.0.0.1');
    const body = JSON.stringify(typed(connector.url, 'x'.repeat(1024 * 1024)));
    const response = await fetch(`http://127.0.0.1:${http.address?.port}/api/messages`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: await genuine() },
      body,
    });
    expect(response.status).toBe(413);
    await http.stop(1_000);
    await nothingHappened();
  });
});

describe('a card', () => {
  it('that carries no action is refused: 400', async () => {
    for (const value of [undefined, {}, { action: {} }, { action: 'x' }, 7])
      expect(
        (await deliver(bench.teams, invoked(connector.url, 'adaptiveCard/action', value), await genuine())).status,
      ).toBe(
        value !== undefined && typeof value === 'object' && 'action' in value && typeof value.action === 'object'
          ? 200
          : 400,
      );
    expect(bench.desk.taken).toEqual([]);
  });

  it('that comes as a message without text is the button it was', async () => {
    const activity = typed(connector.url, '', {
      text: undefined,
      value: { hallpass: { do: 'approve', card: 'card-1' } },
    });
    await deliver(bench.teams, activity, await genuine());
    expect(bench.desk.taken).toMatchObject([{ command: { do: 'approve', target: { card: 'card-1' } } }]);
  });

  it('of a review signs it off, or questions it with what was written', async () => {
    const signs = pressed(connector.url, { hallpass: { do: 'sign_off', card: 'review-1' } });
    await deliver(bench.teams, signs, await genuine());
    const questions = pressed(connector.url, {
      hallpass: { do: 'question', card: 'review-1' },
      reason: ' which order? ',
    });
    await deliver(bench.teams, { ...questions, id: 'another' }, await genuine());
    expect(bench.desk.taken).toMatchObject([
      { command: { do: 'review', target: { card: 'review-1' }, verdict: 'sign_off' } },
      { command: { do: 'review', target: { card: 'review-1' }, verdict: 'question', note: 'which order?' } },
    ]);
  });

  it('that carries something else than our data does nothing, and says so', async () => {
    for (const data of [
      {},
      { hallpass: { do: 'approve' } },
      { hallpass: { do: 'revoke', card: 'c' } },
      { hallpass: { do: 'approve', card: '<at>' } },
    ])
      expect((await deliver(bench.teams, pressed(connector.url, data), await genuine())).json).toMatchObject({
        type: 'application/vnd.microsoft.card.adaptive',
      });
    expect(bench.desk.taken).toEqual([]);
  });

  it('is answered with what came of it, for the one who pressed', async () => {
    const reply = await deliver(
      bench.teams,
      pressed(
        connector.url,
        { hallpass: { do: 'deny', card: 'card-1' }, reason: 'not today' },
        {
          from: { id: '29:ben', name: 'Ben', aadObjectId: BEN.toUpperCase() },
        },
      ),
      await genuine(),
    );
    expect(reply.json).toMatchObject({ statusCode: 200, value: { type: 'AdaptiveCard' } });
    expect(bench.desk.taken).toMatchObject([{ command: { do: 'deny', by: { id: BEN }, reason: 'not today' } }]);
  });

  it('that refreshes by itself changes nothing and records nothing', async () => {
    const reply = await deliver(
      bench.teams,
      pressed(connector.url, { hallpass: { do: 'look', card: 'card-1' } }),
      await genuine(),
    );
    expect(JSON.stringify(reply.json)).toContain('Approve');
    expect(bench.desk.taken).toEqual([]);
  });
});

it('a replayed activity acts once', async () => {
  const once = list();
  await deliver(bench.teams, once, await genuine());
  expect((await deliver(bench.teams, once, await genuine())).status).toBe(200);
  expect(bench.desk.taken).toHaveLength(1);
  // In another process it is the inbox that knows: by the same key.
  const elsewhere = startTeams({ connector, issuer });
  await deliver(elsewhere.teams, once, await genuine());
  expect(elsewhere.desk.taken.map(({ key }) => key)).toEqual(bench.desk.taken.map(({ key }) => key));
  await Promise.all([bench.teams.stop(1_000), elsewhere.teams.stop(1_000)]);
});

it('a mention in a channel is the same command, and its answer goes to the person alone', async () => {
  await deliver(bench.teams, inChannel(connector.url, '<at>Hallpass</at>&nbsp;status R-7KQ2'), await genuine());
  expect(bench.desk.taken).toMatchObject([{ command: { do: 'status', target: { typed: 'R-7KQ2' } } }]);
  await bench.teams.stop(1_000);
  expect(connector.calls.map(({ path }) => path)).toEqual([
    '/v3/conversations',
    '/v3/conversations/a:29:ana/activities',
  ]);
});

it('a mention of somebody else is their object id, as Teams tells it, and never their label', async () => {
  const freeze = (mentioned: string) =>
    inChannel(connector.url, '<at>Hallpass</at> freeze <at>Cat</at> stolen laptop', {
      entities: [
        { type: 'mention', text: '<at>Hallpass</at>', mentioned: { id: `28:${APP_ID}`, name: 'Hallpass' } },
        { type: 'mention', text: '<at>Cat</at>', mentioned: { id: mentioned, name: 'Cat' } },
      ],
    });
  await deliver(bench.teams, freeze('29:ben'), await genuine());
  expect(bench.desk.taken).toMatchObject([
    { command: { do: 'freeze', aim: { account: { platform: 'teams', tenant: TENANT, id: BEN } } } },
  ]);
  await deliver(bench.teams, freeze('29:nobody'), await genuine());
  // Known to nobody, so that the look-up refuses it.
  expect(bench.desk.taken[1]?.command).toMatchObject({ aim: { account: { id: '29:nobody' } } });
  await bench.teams.stop(1_000);
});

it('whoever has not added the app is told so where they asked, and not what the answer is', async () => {
  connector.respond = ({ path, body }) =>
    path === '/v3/conversations' && body.isGroup === false
      ? { status: 403, body: { error: { code: 'BotNotInConversationRoster' } } }
      : undefined;
  await deliver(bench.teams, inChannel(connector.url, '<at>Hallpass</at> help'), await genuine());
  await bench.teams.stop(1_000);
  connector.respond = () => undefined;
  const said = connector.calls.at(-1);
  expect(said?.path).toBe('/v3/conversations/19:approvals@thread.tacv2;messageid=1/activities');
  expect(JSON.stringify(said?.body)).toContain('Add the Hallpass app for yourself');
  expect(JSON.stringify(said?.body)).not.toContain('request <resource>');
});

it('adding the app opens the person’s own conversation with a welcome, and removing it closes it', async () => {
  const activity = (action: string) =>
    typed(connector.url, '', { type: 'installationUpdate', action, text: undefined, name: undefined });
  await deliver(bench.teams, activity('add'), await genuine());
  await bench.teams.stop(1_000);
  expect(JSON.stringify(connector.calls.at(-1)?.body)).toContain('takes it away on time');
  const id = `teams:person:${TENANT}/${ANA}`;
  expect(bench.store.rows.get(id)).toMatchObject({ conversation: 'a:ana', user: '29:ana', zone: 'Europe/Berlin' });
  await deliver(bench.teams, activity('remove'), await genuine());
  expect(bench.store.rows.get(id)?.closedAt).toBeDefined();
});

it('`request` alone offers the form, since Teams opens a dialog only for a press', async () => {
  await deliver(bench.teams, typed(connector.url, 'request'), await genuine());
  await bench.teams.stop(1_000);
  expect(JSON.stringify(connector.calls.at(-1)?.body)).toContain('task/fetch');
  expect(bench.desk.taken).toEqual([]);
});
