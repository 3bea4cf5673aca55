/**
 * What people type by mistake, or to do harm. Either a plain sentence to that person alone and nothing changed, or an
 * ordinary request whose text is only text wherever it is shown.
 */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createPerson, type Reply } from '../../src/sandbox/slack-people.ts';
import { button, dmsOf, messagesIn, textOf } from '../../src/sandbox/slack-reading.ts';
import type { SlackMessage } from '../../src/sandbox/slack-state.ts';
import { type Name, SECRETS } from '../../src/sandbox/world.ts';
import { inspectMessage } from '../support/block-kit.ts';
import { APPROVALS, DIALECTS, GROUPS, type Journey, PEOPLE, startJourney } from '../support/journey.ts';

const WAIT_MS = 6_000;
const REASON = 'fix stuck migration';
const LIVE_FALLBACK = /[<>*`~]|&(?!amp;|lt;|gt;)|https?:\/\/|[@#][\p{L}\p{N}]|:[a-z_]+:/u;

/** Everything that must be the same after somebody was told no. */
async function picture(journey: Journey) {
  const records = await journey.bot.store.list({ limit: 1_000 });
  return {
    requests: records.map(({ request, grant }) => [request.id, request.state, request.version, grant?.state]),
    members: journey.okta.state().groups,
    messages: journey.slack.state.messages.map(({ channel, ts, revision }) => [channel, ts, revision]),
    events: (await journey.bot.store.chain(0, 100_000)).length,
  };
}

/** No delivery is left in the inbox for ever, or thrown away without an answer. */
async function nothingLost(journey: Journey): Promise<void> {
  const later = journey.now() + 60_000;
  expect(await journey.bot.store.unanswered(later, later + 1, 100)).toEqual([]);
}

async function expectNo(journey: Journey, act: () => Promise<Reply>, words: RegExp): Promise<string> {
  const before = await picture(journey);
  const others = journey.slack.state.ephemerals.length;
  const reply = await act();
  expect(reply.status).toBe(200);
  const said = await reply.said(WAIT_MS);
  const text = textOf(said);
  expect(text).toMatch(words);
  expect(inspectMessage(said)).toMatchObject({ problems: [], interpreted: [] });
  expect(said.text).not.toMatch(LIVE_FALLBACK);
  await journey.idle();
  expect(await picture(journey)).toEqual(before);
  // Said once, to whoever asked.
  expect(journey.slack.state.ephemerals.slice(others).map((shown) => shown.user)).toEqual([said.user]);
  await nothingLost(journey);
  return text;
}

function textsOf(journey: Journey, id: string): readonly SlackMessage[] {
  return journey.slack.state.messages.filter((message) => textOf(message).includes(id));
}

describe('what cannot be understood or is not allowed', () => {
  let journey: Journey;
  beforeAll(async () => {
    journey = await startJourney('sqlite', {
      slackSeed: (seed) => ({
        ...seed,
        users: [...seed.users, { id: 'U0EVE', name: 'eve', email: 'eve@elsewhere.example', is_email_confirmed: true }],
      }),
    });
  });
  afterAll(() => journey.end());

  const typed = (name: Name, text: string, words: RegExp) =>
    expectNo(journey, () => journey.person(name).slash(text), words);

  it.each([
    [
      'a resource with a slip of the finger',
      `request db-prdo 30m ${REASON}`,
      /no resource called “db-prdo”.*Did you mean db-prod/s,
    ],
    [
      'a resource that nobody has heard of',
      `request mainframe 30m ${REASON}`,
      /no resource called “mainframe”.*Check the spelling/s,
    ],
    [
      'a role that the resource does not have',
      `request db-prod:owner 30m ${REASON}`,
      /no role called “owner”.*It has read and admin/s,
    ],
    ['a resource called constructor', `request constructor 30m ${REASON}`, /no resource called “constructor”/],
    ['a resource called __proto__', `request __proto__ 30m ${REASON}`, /no resource called/],
    ['a role called toString', `request db-prod:toString 30m ${REASON}`, /no role called “toString”/],
    ['a resource of emoji', `request 🔥🔥🔥 30m ${REASON}`, /no resource called “🔥🔥🔥”/],
    ['a resource from right to left', `request דבי-פרוד 30m ${REASON}`, /no resource called “דבי-פרוד”/],
    ['a resource that is a mention of everyone', `request <!channel> 30m ${REASON}`, /no resource called “@channel”/],
    ['a resource that is a link', `request <https://evil.example|db-prod> 30m ${REASON}`, /no resource called/],
    [
      'a resource in bold',
      `request *db-prod* 30m ${REASON}`,
      /no resource called “\*db-prod\*”.*Did you mean db-prod/s,
    ],
    ['a resource of 50,000 letters', `request ${'x'.repeat(50_000)} 30m ${REASON}`, /no resource called “x{59}…”/],
  ])('%s is refused by name', async (_what, text, words) => {
    await typed('ana', text, words);
  });

  it.each([
    '0',
    '0m',
    '-5m',
    '−5m',
    '+5m',
    '30x',
    '1e9h',
    '0x10',
    '½h',
    '1.5h',
    '30m30m',
    'until 25:00',
    'until 12:60',
  ])('a duration of %s is refused, and not taken as the reason', async (duration) => {
    const text = await typed('ana', `request db-prod ${duration} ${REASON}`, /is not a duration/);
    expect(text).toContain(`“${duration}” is not a duration`);
    expect(text).toContain('Write it like 30m');
  });

  it.each([
    ['4h1s', /4 h 1 s is longer than this policy allows.*Ask for 4 h or less/s],
    ['366d', /366 days is longer than this policy allows/],
    ['999999999d', /“999999999d” is not a duration/],
    ['until 00:00', /is already past.*Give a later time/s],
  ])('a time of %s is refused with what would help', async (duration, words) => {
    await typed('ana', `request db-prod ${duration} ${REASON}`, words);
  });

  it.each([
    ['no reason', 'request db-prod 30m', /A reason is missing.*at least 10 characters/s],
    ['a short reason', 'request db-prod 30m because', /too short: 7 of at least 10 characters/],
    ['a reason of blanks', `request db-prod 30m ${' '.repeat(200)}`, /A reason is missing/],
    ['a reason of zero-width characters', `request db-prod 30m ${'\u200b'.repeat(40)}`, /A reason is missing/],
    ['a reason of joiners', `request db-prod 30m ${'\u200d'.repeat(40)}`, /A reason is missing/],
    ['a reason of empty quotes', 'request db-prod 30m ""', /A reason is missing/],
    ['a reason padded with invisible characters', `request db-prod 30m fix${'\u200b'.repeat(40)}`, /too short: 3 of/],
    [
      'a reason of 50,000 characters',
      `request db-prod 30m ${'why '.repeat(12_500)}`,
      /too long: 49999 of at most 1000 characters/,
    ],
  ])('%s is refused, with how long it may be', async (_what, text, words) => {
    await typed('ana', text, words);
  });

  it.each([
    ['a word that is no command', 'frobnicate', /no command “frobnicate”.*\/access help/s],
    [
      'a command with a slip of the finger',
      `requst db-prod 30m ${REASON}`,
      /no command “requst”.*Did you mean \/access request/s,
    ],
    [
      'a request without the word request',
      `db-prod 30m ${REASON}`,
      /Did you mean \/access request db-prod 30m fix stuck migration/,
    ],
    ['a command called constructor', 'constructor', /no command “constructor”/],
    ['revoking without a reason', 'revoke R-ZZZZ', /A reason is missing/],
    ['a list of something else', 'list everything', /Write \/access list \[mine\|pending\|active\]/],
    ['extend without a time', 'extend R-ZZZZ', /Write \/access extend <id> <duration>/],
    ['extend by a word', 'extend R-ZZZZ longer please', /“longer” is not a duration/],
  ])('%s is answered with what to write', async (_what, text, words) => {
    const said = await typed('ana', text, words);
    expect(said).not.toMatch(/undefined|\[object/);
  });

  it.each(['help', 'HELP'])('“/access %s” shows what can be asked', async (text) => {
    await typed('ana', text, /\/access request <resource>\[:role\] \[duration\] <reason>/);
  });

  it.each(['', '   ', '\u200b', 'request'])(
    '“/access %s” opens the form, and nothing is asked for yet',
    async (text) => {
      const before = await picture(journey);
      const reply = await journey.person('ana').slash(text);
      expect(reply.status).toBe(200);
      expect((await reply.opened(WAIT_MS)).type).toBe('modal');
      await journey.idle();
      expect(await picture(journey)).toEqual(before);
      await nothingLost(journey);
    },
  );

  it.each(['cancel', 'status', 'approve', 'deny', 'return', 'extend', 'revoke'])(
    '%s with an id that nobody has says so',
    async (word) => {
      const more = word === 'extend' ? ' 30m' : word === 'revoke' ? ' no longer needed' : '';
      for (const id of ['R-ZZZZ', 'G-ZZZZ', 'db-prod', '<#C0APPROVALS|x>', 'constructor', 'R-ZZZZ\u202e'])
        await typed(
          'sam',
          `${word} ${id}${more}`,
          // Of a whole resource there may be nothing to revoke.
          word === 'revoke' && id === 'db-prod' ? /Nobody holds or waits/ : /There is nothing called “/,
        );
    },
  );

  it('somebody whom the directory does not know is told so, whatever they type', async () => {
    const eve = journey.account('U0EVE');
    for (const text of [`request db-prod 30m ${REASON}`, 'list', 'status R-ZZZZ', 'revoke R-ZZZZ just because'])
      await expectNo(journey, () => eve.slash(text), /has nobody with the login eve.*Ask the people who run Hallpass/s);
  });

  it('a command in another word’s name is answered in that word', async () => {
    const { status, said } = await journey.person('ana').slash('frobnicate', { command: '/hallpass' });
    expect(status).toBe(200);
    expect(textOf(await said(WAIT_MS))).toContain('/hallpass help');
  });

  it('a button that stands for nothing any more says that it is out of date', async () => {
    const { card } = await journey.ask('ana', `db-prod 30m ${REASON}`);
    for (const value of ['Zm9yZ2VkZm9yZ2VkZm9yZ2Vk', 'R-7KQ2', '', '<!channel>', 'x'.repeat(2_000), '__proto__']) {
      const forged = {
        ...card,
        blocks: JSON.parse(
          JSON.stringify(card.blocks).replaceAll(JSON.stringify(button(card, 'approve')?.value), JSON.stringify(value)),
        ) as SlackMessage['blocks'],
      };
      await expectNo(journey, () => journey.person('ben').press(forged, 'approve'), /button is out of date/);
    }
    await (await journey.person('ana').slash('cancel db-prod')).said(WAIT_MS);
    await journey.idle();
    await expectNo(journey, () => journey.person('ben').press(card, 'approve'), /no longer waiting for an answer/);
    const dialog = await (await journey.person('ben').press(card, 'deny')).opened(WAIT_MS);
    const before = await picture(journey);
    await journey.person('ben').submitView(dialog, { reason: 'no longer needed' });
    await journey.told('ben', /no longer waiting for an answer/);
    await journey.idle();
    const { messages: _told, ...after } = await picture(journey);
    expect(before).toMatchObject(after);
  });

  it('somebody else’s request or grant is left alone', async () => {
    const { id, card } = await journey.ask('ana', `db-prod 30m ${REASON}`);
    const grant = id.replace('R-', 'G-');
    await typed('dan', `cancel ${id}`, /is not yours.*\/access list/s);
    await typed('dan', `cancel ${id.slice(2).toLowerCase()}`, /is not yours/);
    await journey.approve('ben', card, 'ana');
    await journey.idle();
    await typed('dan', `return ${id}`, /is not yours/);
    await typed('dan', `return ${grant.toLowerCase()}`, /is not yours/);
    await typed('dan', `extend ${grant} 30m`, /is not yours/);
    await typed('pat', `status ${id}`, /may not see other people/);
    await expectAttempt(() => journey.person('dan').slash(`revoke ${id} not mine at all`), /may not revoke/);
    expect(journey.isMember('ana', 'read')).toBe(true);

    // Buttons in somebody's own messages are out of reach; one that was forged is not believed either.
    const running = await journey.slack.waitFor(
      (state) => dmsOf(state, PEOPLE.ana.slack).findLast((shown) => button(shown, 'return') !== undefined),
      WAIT_MS,
    );
    for (const action of ['return', 'extend'])
      await expectNo(
        journey,
        () => journey.person('dan').press({ ...running, channel: APPROVALS }, action),
        /is not yours/,
      );
    await (await journey.person('ana').slash(`return ${id}`)).said(WAIT_MS);
    await journey.idle();
    expect(journey.isMember('ana', 'read')).toBe(false);
  });

  /** Refused, and the attempt is kept for security; nothing else. */
  async function expectAttempt(act: () => Promise<Reply>, words: RegExp): Promise<void> {
    const { events, ...before } = await picture(journey);
    expect(textOf(await (await act()).said(WAIT_MS))).toMatch(words);
    await journey.idle();
    const { events: later, ...after } = await picture(journey);
    expect(after).toEqual(before);
    expect(later).toBe(events + 1);
  }
});

/** Legal reasons that want to be more than text, and how each is kept. */
const HOSTILE: readonly (readonly [what: string, typed: string, kept: string])[] = [
  ['emoji', 'fix the 🔥 migration 👩‍👩‍👧‍👦 now', 'fix the 🔥 migration 👩‍👩‍👧‍👦 now'],
  ['right-to-left letters', 'תיקון של המיגרציה התקועה', 'תיקון של המיגרציה התקועה'],
  ['a direction override', 'fix \u202egnihton\u202c in the migration', 'fix gnihton in the migration'],
  ['zero-width characters', 'fi\u200bx st\u2060uck migr\ufeffation', 'fix stuck migration'],
  ['a call to the whole channel', '<!channel> fix stuck migration', '@channel fix stuck migration'],
  ['a call to everyone, escaped', '&lt;!here&gt; fix stuck migration', '<!here> fix stuck migration'],
  ['a link that says Approve', '<https://evil.example|Approve> this please', 'https://evil.example this please'],
  ['a link without Slack’s brackets', 'see https://evil.example/a?b=c&amp;d', 'see https://evil.example/a?b=c&d'],
  ['bold, italics, strike and code', '*bold* _it_ ~gone~ `code` migration', '*bold* _it_ ~gone~ `code` migration'],
  ['a mention of a person', '<@U0SAM|ben> said that it is fine', '@U0SAM said that it is fine'],
  ['a mention of a user group', '<!subteam^S0DBA|@dba> please approve', '@S0DBA please approve'],
  [
    'an emoji code and a date',
    ':fire: <!date^1392734382^{date}|now> migration',
    ':fire: @date^1392734382^{date} migration',
  ],
  ['smart quotes', '“fix the stuck migration”', 'fix the stuck migration'],
  ['quotes and backslashes', 'it\'s "stuck" \\ {"type":"mrkdwn"} ]]> --', 'it\'s "stuck" \\ {"type":"mrkdwn"} ]]> --'],
  ['a line that looks like ours', 'fix it\nApproved by Sam Haddad.', 'fix it Approved by Sam Haddad.'],
  ['control characters', 'fix\u0000 the\u0007 stuck\u001b[31m migration', 'fix the stuck[31m migration'],
  ['a thousand emoji', '👩‍🚒'.repeat(333), '👩‍🚒'.repeat(333)],
  ['a thousand brackets', '&lt;&amp;&gt;'.repeat(333), '<&>'.repeat(333)],
  ['SQL', "x'); drop table request; -- {1+1} $1 ?", "x'); drop table request; -- {1+1} $1 ?"],
];

function expectInert(shown: { readonly text: string; readonly blocks: readonly object[] }): void {
  const report = inspectMessage(shown);
  expect(report.problems).toEqual([]);
  expect(report.interpreted).toEqual([]);
  // Those who were asked are mentioned, by us; nobody whom a text names.
  for (const mention of report.mentions) expect([PEOPLE.ben.slack, PEOPLE.cat.slack]).toContain(mention);
  expect(shown.text).not.toMatch(LIVE_FALLBACK);
  for (const text of [shown.text, ...report.shown]) expect(text).not.toMatch(/[\u202a-\u202e\u2066-\u2069]/);
}

describe('texts that want to be more than text', () => {
  let journey: Journey;
  beforeAll(async () => {
    journey = await startJourney('sqlite');
  });
  afterEach(async () => void (await journey.person('ana').slash('cancel db-prod')));
  afterAll(() => journey.end());

  it.each(HOSTILE)('%s in a reason is kept and shown as text', async (_what, typed, kept) => {
    const { id, card } = await journey.ask('ana', `db-prod 30m ${typed}`);
    const record = await journey.bot.store.request(id);
    expect(record?.request.reason).toBe(kept);
    expect(record?.request.durationMs).toBe(30 * 60_000);
    await journey.told('ben', new RegExp(id));
    await journey.told('cat', new RegExp(id));
    expect(inspectMessage(card).shown.some((text) => text.includes(kept))).toBe(true);
    const dialog = await (await journey.person('ben').press(card, 'deny')).opened(WAIT_MS);
    await journey.person('ben').submitView(dialog, { reason: kept });
    await journey.told('ana', /denied/i);
    await journey.idle();
    const messages = textsOf(journey, id);
    expect(messages.length).toBeGreaterThanOrEqual(3);
    for (const message of messages) expectInert(message);
    const status = await (await journey.person('ana').slash(`status ${id}`)).said(WAIT_MS);
    expectInert(status);
    await nothingLost(journey);
  });
});

/** A name is not chosen by us either: it comes from the directory, or from Slack where the directory has none. */
const NAMES: readonly (readonly [what: string, name: string])[] = [
  ['markup', '<!channel> *Ana* <@U0SAM> <https://evil.example|Approve>'],
  ['a direction override', 'Ana \u202eeruza'],
  ['control characters', 'Ana\u0000\u0007 Sousa\nApproved by Sam'],
  ['only invisible characters', '\u200b\u200b\u200b'],
  ['four thousand letters', 'A'.repeat(4_000)],
];

describe.each(DIALECTS)('texts that a database could choke on, on %s', (dialect) => {
  let journey: Journey;
  afterEach(() => journey.end());

  it('NUL characters and lone surrogates, typed and in a dialog, lose nothing', async () => {
    journey = await startJourney(dialect);
    const { id, card } = await journey.ask('ana', 'db-prod 30m fix\u0000 the\ud800 stuck\udc00 migration');
    expect((await journey.bot.store.request(id))?.request.reason).toBe('fix the\ufffd stuck\ufffd migration');
    await expectNo(
      journey,
      () => journey.person('dan').slash('request db\u0000-nowhere\ud800 30m why not then'),
      /no resource called “db-nowhere/,
    );
    await expectNo(
      journey,
      () => journey.person('dan').slash('status R-\u0000ZZZZ\udfff'),
      /There is nothing called “/,
    );

    // In a dialog the text travels as JSON, which can hold half a character.
    const dialog = await (await journey.person('ben').press(card, 'deny')).opened(WAIT_MS);
    await journey.person('ben').submitView(dialog, { reason: 'not\u0000 now \ud83d please' });
    await journey.told('ana', /denied/i);
    await journey.idle();
    const record = await journey.bot.store.request(id);
    expect(record?.request.state).toBe('denied');
    expect(record?.approvals[0]?.reason).toBe('not now \ufffd please');
    await nothingLost(journey);
    const story = await journey.story(id);
    expect(story.map((event) => event.kind)).toContain('request.denied');
  });

  it.each(NAMES)('a name with %s in Slack, where the directory has none, is only a name', async (_what, name) => {
    journey = await startJourney(dialect, {
      slackSeed: (seed) => ({
        ...seed,
        users: seed.users.map((user) => (user.id === PEOPLE.ana.slack ? { ...user, real_name: name } : user)),
      }),
      okta: {
        seed: (seed) => ({
          ...seed,
          users: seed.users.map((user) => (user.id === PEOPLE.ana.okta ? { ...user, name: '' } : user)),
        }),
      },
    });
    await named(journey);
  });

  it.each(NAMES)('a name with %s in the directory is only a name', async (_what, name) => {
    journey = await startJourney(dialect, {
      okta: {
        seed: (seed) => ({
          ...seed,
          users: seed.users.map((user) => (user.id === PEOPLE.ana.okta ? { ...user, name } : user)),
        }),
      },
    });
    await named(journey);
  });

  async function named(at: Journey): Promise<void> {
    const { id, card } = await at.ask('ana', `db-prod 30m ${REASON}`);
    await at.approve('ben', card, 'ana');
    expect(at.isMember('ana', 'read')).toBe(true);
    const reply = await at.person('ana').slash(`return ${id}`);
    expectInert(await reply.said(WAIT_MS));
    await at.told('ana', /checked/);
    await at.idle();
    expect(at.isMember('ana', 'read')).toBe(false);
    for (const message of textsOf(at, id)) expectInert(message);
    await nothingLost(at);
  }

  it('rubbish that Slack could never send is turned away, and the bot goes on', async () => {
    journey = await startJourney(dialect);
    const url = `http://127.0.0.1:${journey.bot.port}/slack/events`;
    const account = (userId: string, teamId: string) =>
      createPerson(
        { ...journey.slack, control: async () => made(userId) },
        { signingSecret: SECRETS.signingSecret, botUrl: new URL(url).origin, userId, teamId },
      );
    const made = (userId: string) => ({
      trigger_id: 'x',
      response_id: 'x',
      response_url: 'http://169.254.169.254/latest/meta-data',
      user: { name: userId, team_id: 'T0SANDBOX' },
      channel: { id: 'C1', name: 'c' },
      team: { id: 'T0SANDBOX', domain: 'sandbox' },
      bot: journey.slack.state.bot,
    });
    const before = await picture(journey);
    for (const [user, team] of [
      ['U0\u0000ANA', 'T0SANDBOX'],
      ['u0ana; drop', 'T0SANDBOX'],
      ['', 'T0SANDBOX'],
      [PEOPLE.ana.slack, 'T\ud800'],
    ] as const) {
      const reply = await account(user, team).slash(`request db-prod 30m ${REASON}`);
      expect(reply.status).toBe(200);
      expect(JSON.stringify(reply.body)).toMatch(/could not read this, so nothing was done/);
    }
    await journey.idle();
    expect(await picture(journey)).toEqual(before);
    await nothingLost(journey);
    const { card } = await journey.ask('ana', `db-prod 30m ${REASON}`);
    expect(messagesIn(journey.slack.state, APPROVALS)).toContainEqual(card);
    expect(journey.okta.state().groups[GROUPS.read]).toEqual([PEOPLE.pat.okta]);
  });
});
