/**
 * Who may ask, answer and be believed. Each attempt comes as Slack would send it, or as somebody would who is not
 * Slack; what is looked at afterwards is the directory and the record, not the answer alone.
 */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createPerson, type Reply, signature } from '../../src/sandbox/slack-people.ts';
import { button, dmsOf, messagesIn, textOf } from '../../src/sandbox/slack-reading.ts';
import type { SlackMessage } from '../../src/sandbox/slack-state.ts';
import { type Name, SECRETS } from '../../src/sandbox/world.ts';
import {
  APPROVALS,
  DIALECTS,
  GROUPS,
  type Journey,
  type JourneyOptions,
  PEOPLE,
  SECURITY,
  startJourney,
} from '../support/journey.ts';

const MINUTE = 60_000;
const WAIT_MS = 6_000;
const ASK = 'db-prod 30m fix stuck migration';
const FORM = 'application/x-www-form-urlencoded';

async function says(reply: Promise<Reply> | Reply): Promise<string> {
  const came = await reply;
  expect(came.status).toBe(200);
  return textOf(await came.said(WAIT_MS));
}

async function kindsOf(journey: Journey, id: string): Promise<readonly string[]> {
  return (await journey.story(id)).map((event) => event.kind);
}

async function count(journey: Journey, id: string, kind: string): Promise<number> {
  return (await kindsOf(journey, id)).filter((known) => known === kind).length;
}

/** One approval, one grant, one membership, however often it was pressed. */
async function expectOnce(journey: Journey, id: string): Promise<void> {
  await journey.told('ana', /Added to .*\(checked\)/);
  await journey.idle();
  const record = await journey.bot.store.request(id);
  expect(record?.request.state).toBe('approved');
  expect(record?.approvals).toHaveLength(1);
  for (const kind of ['approval.given', 'request.approved', 'grant.activated'])
    expect(await count(journey, id, kind), kind).toBe(1);
  expect(await journey.bot.store.list({ limit: 100 })).toHaveLength(1);
  expect([...(journey.okta.state().groups[GROUPS.read] ?? [])].sort()).toEqual([PEOPLE.ana.okta, PEOPLE.pat.okta]);
}

/** More people, each with the same email in both worlds, in engineering and on call. */
function withMore(
  more: readonly (Parameters<typeof slackUser>[0] & { readonly okta?: string; readonly onCall?: boolean })[],
): JourneyOptions {
  return {
    slackSeed: (seed) => ({ ...seed, users: [...seed.users, ...more.map(slackUser)] }),
    okta: {
      seed: (seed) => {
        const known = new Set<string>(seed.users.map((user) => user.email));
        const users = more
          .filter(({ email }) => email !== undefined && !known.has(email))
          .map(({ id, email = '' }) => ({ id: `00u${id.toLowerCase()}`, login: email, email, name: `Person ${id}` }));
        return {
          ...seed,
          users: [...seed.users, ...users],
          groups: seed.groups.map((group) =>
            group.id === GROUPS.engineering
              ? { ...group, members: [...group.members, ...users.map((user) => user.id)] }
              : group,
          ),
        };
      },
    },
    config: (yaml) => {
      const emails = [...new Set(more.flatMap(({ email }) => email ?? []))].filter((email) => !yaml.includes(email));
      return yaml.replace(`${PEOPLE.cat.email} ]`, `${[PEOPLE.cat.email, ...emails].join(', ')} ]`);
    },
  };
}

function slackUser(user: {
  readonly id: string;
  readonly email?: string;
  readonly more?: Readonly<Record<string, unknown>>;
}) {
  return {
    id: user.id,
    name: user.id.toLowerCase(),
    ...(user.email === undefined ? {} : { email: user.email }),
    is_email_confirmed: true,
    ...user.more,
  };
}

describe.each(DIALECTS)('a delivery that comes more than once, on %s', (dialect) => {
  let journey: Journey;
  afterEach(() => journey.end());

  it('a command delivered again makes one request, and an approval delivered again one grant', async () => {
    journey = await startJourney(dialect);
    const asked = await journey.person('ana').slash(`request ${ASK}`);
    const id = /R-[0-9A-Z]{4,6}/.exec(textOf(await asked.said(WAIT_MS)))?.[0] ?? '';
    expect((await asked.again()).status).toBe(200);
    const card = await journey.posted(APPROVALS, new RegExp(id));
    const pressed = await journey.person('ben').press(card, 'approve');
    for (let turn = 0; turn < 3; turn++) expect((await pressed.again()).status).toBe(200);
    await expectOnce(journey, id);

    // What was true when it was pressed is not made true again later.
    await (await journey.person('ana').slash(`return ${id}`)).said(WAIT_MS);
    await journey.told('ana', /Removed from .*checked/);
    for (const reply of [pressed, asked]) expect((await reply.again()).status).toBe(200);
    await journey.idle();
    expect(journey.isMember('ana', 'read')).toBe(false);
  });

  it('the same bytes under the same signature act once, a minute later and after a restart too', async () => {
    journey = await startJourney(dialect);
    const { id, card } = await journey.ask('ana', ASK);
    const body = new URLSearchParams({ payload: JSON.stringify(await pressPayload(journey, 'ben', card)) }).toString();
    const headers = { 'content-type': FORM, ...signature(SECRETS.signingSecret, body) };
    const post = () => fetch(endpoint(journey), { method: 'POST', headers, body });
    const answers = await Promise.all([post(), post(), post()]);
    expect(answers.map((answer) => answer.status)).toEqual([200, 200, 200]);
    await expectOnce(journey, id);
    const { length } = journey.slack.state.ephemerals;
    await journey.moveClock(MINUTE);
    expect((await post()).status).toBe(200);
    await journey.restart();
    expect((await post()).status).toBe(200);
    await journey.idle();
    await expectOnce(journey, id);
    // Nobody is answered a second time for one click.
    expect(journey.slack.state.ephemerals).toHaveLength(length);
  });

  it('two presses at once by one person give one grant', async () => {
    journey = await startJourney(dialect);
    const { id, card } = await journey.ask('ana', ASK);
    const ben = journey.person('ben');
    const [first, second] = await Promise.all([ben.press(card, 'approve'), ben.press(card, 'approve')]);
    const said = await Promise.all([says(first), says(second)]);
    expect(said.filter((text) => /Approved/.test(text) && !/^No:/.test(text))).toHaveLength(1);
    expect(said.filter((text) => /^No:.*no longer waiting|answered .* already/s.test(text))).toHaveLength(1);
    await expectOnce(journey, id);
  });

  it('ten people pressing at once give one grant, and each is told what became of it', async () => {
    const ten = Array.from({ length: 10 }, (_, i) => ({ id: `U0TEN${i}`, email: `ten${i}@example.com` }));
    journey = await startJourney(dialect, withMore(ten));
    const { id, card } = await journey.ask('ana', ASK);
    const said = await Promise.all(ten.map(({ id: user }) => says(journey.account(user).press(card, 'approve'))));
    expect(said.filter((text) => !/^No:/.test(text))).toHaveLength(1);
    for (const text of said) expect(text).toMatch(/Approved|no longer waiting/);
    await expectOnce(journey, id);
  });

  it('one of ten denies while nine approve: it is one or the other, for everybody', async () => {
    const ten = Array.from({ length: 10 }, (_, i) => ({ id: `U0TEN${i}`, email: `ten${i}@example.com` }));
    journey = await startJourney(dialect, withMore(ten));
    const { id, card } = await journey.ask('ana', ASK);
    const denier = journey.account('U0TEN0');
    const dialog = await (await denier.press(card, 'deny')).opened(WAIT_MS);
    await Promise.all([
      denier.submitView(dialog, { reason: 'not today, please' }),
      ...ten.slice(1).map(({ id: user }) => says(journey.account(user).press(card, 'approve'))),
    ]);
    await journey.slack.waitFor(
      (state) => dmsOf(state, 'U0TEN0').find((shown) => /Denied|no longer waiting/.test(textOf(shown))),
      WAIT_MS,
      'what became of the denial',
    );
    await journey.idle();
    const record = await journey.bot.store.request(id);
    const approved = record?.request.state === 'approved';
    expect(record?.approvals.map((given) => given.answer)).toEqual([approved ? 'approved' : 'denied']);
    if (approved) await journey.told('ana', /Added to .*\(checked\)/);
    expect(journey.isMember('ana', 'read')).toBe(approved);
  });

  it('a person who counts twice is not two approvers', async () => {
    journey = await startJourney(dialect, {
      ...withMore([{ id: 'U0BENTWO', email: PEOPLE.ben.email }]),
      config: (yaml) => yaml.replace('approvals: 1', 'approvals: 2'),
    });
    const { id, card } = await journey.ask('ana', ASK);
    const [ben, benToo] = [journey.person('ben'), journey.account('U0BENTWO')];
    const said = await Promise.all([ben, ben, benToo].map((account) => says(account.press(card, 'approve'))));
    expect(said.filter((text) => /recorded/.test(text))).toHaveLength(1);
    expect(said.filter((text) => new RegExp(`You have answered ${id} already`).test(text))).toHaveLength(2);
    expect(await says(benToo.slash(`approve ${id}`))).toContain(id);
    await journey.idle();
    expect(await count(journey, id, 'approval.given')).toBe(1);
    expect((await journey.bot.store.request(id))?.request.state).toBe('pending');
    expect(journey.isMember('ana', 'read')).toBe(false);

    await journey.approve('cat', card, 'ana');
    expect(journey.isMember('ana', 'read')).toBe(true);
    expect(await count(journey, id, 'approval.given')).toBe(2);
  });
});

function endpoint(journey: Journey): string {
  return `http://127.0.0.1:${journey.bot.port}/slack/events`;
}

/** A press of Approve as Slack would send it. */
async function pressPayload(journey: Journey, name: Name, card: SlackMessage): Promise<object> {
  const made = (await journey.slack.control({
    do: 'interaction',
    user: PEOPLE[name].slack,
    channel: card.channel,
  })) as { trigger_id: string; response_url: string };
  const { team, bot } = journey.slack.state;
  return {
    type: 'block_actions',
    user: { id: PEOPLE[name].slack, team_id: team.id },
    team: { id: team.id, domain: team.domain },
    api_app_id: bot.appId,
    trigger_id: made.trigger_id,
    response_url: made.response_url,
    actions: [{ action_id: 'hallpass:approve', value: button(card, 'approve')?.value }],
  };
}

const OUTSIDERS: readonly (readonly [
  what: string,
  id: string,
  more: Readonly<Record<string, unknown>>,
  words: RegExp,
])[] = [
  ['a guest', 'U0GUEST', { is_restricted: true }, /Guest accounts cannot/],
  ['a single-channel guest', 'U0SINGLE', { is_restricted: true, is_ultra_restricted: true }, /Guest accounts cannot/],
  ['a bot', 'U0BOT', { is_bot: true }, /Bots and apps cannot/],
  ['Slackbot', 'USLACKBOT', {}, /Bots and apps cannot/],
  ['a deactivated account', 'U0GONE', { deleted: true }, /account is deactivated/],
  ['somebody invited and not arrived', 'U0INVITED', { is_invited_user: true }, /another workspace or organisation/],
  ['a stranger', 'U0STRANGER', { is_stranger: true }, /another workspace or organisation/],
  ['somebody of another workspace', 'U0FOREIGN', { team_id: 'T0ELSEWHERE' }, /another workspace/],
  ['somebody whose email is not confirmed', 'U0UNCONFIRMED', { is_email_confirmed: false }, /no confirmed email/],
  ['somebody without an email', 'U0NOMAIL', { email: undefined }, /no confirmed email/],
];

describe('accounts that are not an employee’s', () => {
  let journey: Journey;
  let card: SlackMessage;
  let id: string;

  beforeAll(async () => {
    // Each stands on the on-call list and in engineering: only the account itself is wrong.
    const more = OUTSIDERS.map(([, user, facts]) => ({
      id: user,
      email: `${user.toLowerCase()}@example.com`,
      more: facts,
    }));
    journey = await startJourney('sqlite', withMore(more));
    ({ id, card } = await journey.ask('ana', ASK));
    await journey.idle();
  });
  afterAll(() => journey.end());

  it.each(OUTSIDERS)('%s can neither answer nor ask', async (_what, user, _facts, words) => {
    const account = journey.account(user);
    const events = (await journey.bot.store.chain(0, 100_000)).length;
    expect(await says(account.press(card, 'approve'))).toMatch(words);
    for (const text of [`request ${ASK}`, `approve ${id}`, `deny ${id} because`, `status ${id}`, 'list active'])
      expect(await says(account.slash(text))).toMatch(words);
    const deny = await account.press(card, 'deny');
    if (user === 'U0FOREIGN') expect(await says(deny)).toMatch(words);
    else {
      // Nobody can write to a deactivated account; that it was tried shows that the dialog has been dealt with.
      const tries = () =>
        journey.slack.state.requests.filter(
          ({ method, args }) => method === 'chat.postMessage' && args.channel === user,
        ).length;
      const before = tries();
      await account.submitView(await deny.opened(WAIT_MS), { reason: 'let me deny it' });
      await journey.slack.waitFor(() => tries() > before, WAIT_MS, 'the answer to the dialog');
    }
    await journey.idle();
    await expectUntouched();
    expect(await journey.bot.store.chain(0, 100_000)).toHaveLength(events);
  });

  it('an account of another workspace is refused at the door, whatever its id', async () => {
    const botUrl = new URL(endpoint(journey)).origin;
    const typing = { signingSecret: SECRETS.signingSecret, botUrl, userId: PEOPLE.ben.slack, teamId: 'T0ELSEWHERE' };
    const reply = createPerson(journey.slack, typing).slash(`request ${ASK}`);
    expect(await says(reply)).toMatch(/belongs to another workspace/);
    const before = journey.slack.state.ephemerals.length;
    await pressAs({ id: PEOPLE.ben.slack, team_id: 'T0ELSEWHERE' });
    await answered(before, /belongs to another workspace/);
    await expectUntouched();
  });

  it('an account that Slack does not know is refused', async () => {
    const before = journey.slack.state.ephemerals.length;
    await pressAs({ id: 'U0NOBODY', team_id: journey.slack.state.team.id });
    await answered(before, /does not know this account/);
    await expectUntouched();
  });

  async function pressAs(user: { readonly id: string; readonly team_id: string }): Promise<void> {
    const payload = JSON.stringify({ ...(await pressPayload(journey, 'ben', card)), user });
    const body = new URLSearchParams({ payload }).toString();
    const headers = { 'content-type': FORM, ...signature(SECRETS.signingSecret, body) };
    expect((await fetch(endpoint(journey), { method: 'POST', headers, body })).status).toBe(200);
  }

  async function answered(before: number, words: RegExp): Promise<void> {
    const shown = await journey.slack.waitFor((state) => state.ephemerals[before], WAIT_MS, `${words}`);
    expect(textOf(shown)).toMatch(words);
    await journey.idle();
  }

  async function expectUntouched(): Promise<void> {
    const record = await journey.bot.store.request(id);
    expect(record?.request).toMatchObject({ state: 'pending', version: 1 });
    expect(record?.approvals).toEqual([]);
    expect(await count(journey, id, 'approval.given')).toBe(0);
    expect(await journey.bot.store.list({ limit: 100 })).toHaveLength(1);
    expect(journey.okta.state().groups[GROUPS.read]).toEqual([PEOPLE.pat.okta]);
  }
});

describe('who somebody is', () => {
  let journey: Journey;
  afterEach(() => journey.end());

  it('an account that becomes somebody else after its first use may do nothing more', async () => {
    journey = await startJourney('sqlite');
    const { id, card } = await journey.ask('ana', ASK);
    await journey.slack.control({ do: 'set_user', user: { id: PEOPLE.ana.slack, email: PEOPLE.ben.email } });
    await journey.moveClock(2 * MINUTE);
    const ana = journey.person('ana');
    for (const reply of [ana.press(card, 'approve'), ana.slash(`request ${ASK}`), ana.slash(`cancel ${id}`)])
      expect(await says(reply)).toMatch(/was somebody else when Hallpass first saw it/);
    // Nor is it approved for her: nobody can tell any more for whom.
    expect(await says(journey.person('ben').press(card, 'approve'))).toMatch(/cannot be approved.*not active/s);
    await journey.idle();
    expect(await count(journey, id, 'approval.given')).toBe(0);
    expect(journey.isMember('ana', 'read')).toBe(false);
    expect(journey.isMember('ben', 'read')).toBe(false);
  });

  it('an approver’s account that takes over another email does not become that person', async () => {
    journey = await startJourney('sqlite');
    const first = await journey.ask('ana', ASK);
    await says(journey.person('dan').press(first.card, 'approve'));
    await journey.slack.control({ do: 'set_user', user: { id: PEOPLE.dan.slack, email: PEOPLE.cat.email } });
    await journey.moveClock(2 * MINUTE);
    expect(await says(journey.person('dan').press(first.card, 'approve'))).toMatch(/was somebody else/);
    await journey.idle();
    expect(await count(journey, first.id, 'approval.given')).toBe(0);
  });

  it('a second account of the requester cannot approve the request', async () => {
    journey = await startJourney('sqlite', withMore([{ id: 'U0ANATWO', email: PEOPLE.ana.email }]));
    // On call herself: that she may answer others' requests does not let her answer her own.
    const { id, card } = await journey.ask('ben', ASK);
    expect(await says(journey.person('ben').press(card, 'approve'))).toMatch(/your own request/);
    await says(journey.person('ben').slash(`cancel ${id}`));
    const second = await journey.ask('ana', ASK);
    expect(await says(journey.account('U0ANATWO').press(second.card, 'approve'))).toMatch(/your own request/);
    expect(await says(journey.account('U0ANATWO').slash(`request ${ASK}`))).toMatch(/asked for this already/);
    await journey.idle();
    expect(await count(journey, second.id, 'approval.given')).toBe(0);
    expect(journey.isMember('ana', 'read')).toBe(false);
  });

  it('an approver whom Okta has deactivated may not approve', async () => {
    journey = await startJourney('sqlite');
    const { id, card } = await journey.ask('ana', ASK);
    journey.okta.control({ do: 'set-status', user: PEOPLE.ben.okta, status: 'SUSPENDED' });
    await journey.moveClock(2 * MINUTE);
    expect(await says(journey.person('ben').press(card, 'approve'))).toMatch(/ben@example\.com is deactivated/);
    await journey.idle();
    expect(await count(journey, id, 'approval.given')).toBe(0);
    await journey.approve('cat', card, 'ana');
  });

  it('a requester whom Okta has deactivated is given nothing, and cannot ask', async () => {
    journey = await startJourney('sqlite');
    const { id, card } = await journey.ask('ana', ASK);
    journey.okta.control({ do: 'set-status', user: PEOPLE.ana.okta, status: 'DEPROVISIONED' });
    await journey.moveClock(2 * MINUTE);
    expect(await says(journey.person('ben').press(card, 'approve'))).toMatch(
      /account is not active.*Nothing was granted/s,
    );
    expect(await says(journey.person('ana').slash('request db-prod:admin 30m fix it all again'))).toMatch(
      /deactivated/,
    );
    await journey.idle();
    expect(await count(journey, id, 'approval.given')).toBe(0);
    expect(journey.isMember('ana', 'read')).toBe(false);
  });

  it('somebody who has left engineering since the request is given nothing', async () => {
    journey = await startJourney('sqlite');
    const { id, card } = await journey.ask('ana', ASK);
    journey.okta.control({ do: 'remove-member', group: GROUPS.engineering, user: PEOPLE.ana.okta });
    await journey.moveClock(2 * MINUTE);
    expect(await says(journey.person('ben').press(card, 'approve'))).toMatch(/policy no longer lets them/);
    await journey.idle();
    expect(await count(journey, id, 'approval.given')).toBe(0);
    expect(journey.isMember('ana', 'read')).toBe(false);
  });
});

describe('a Slack user group as the on-call source', () => {
  let journey: Journey;
  afterEach(() => journey.end());
  const dba = (users: readonly string[]): JourneyOptions => ({
    ...withMore([{ id: 'U0GUEST', email: 'guest@example.com', more: { is_restricted: true } }]),
    // The file is refused when nobody but the group could approve.
    config: (yaml) =>
      yaml
        .replace(/dba: \{ type: static.*\}/, 'dba: { type: slack-user-group, group: S0DBA }')
        .replace('[ on-call:dba ]', `[ on-call:dba, user:${PEOPLE.sam.email} ]`),
    slackSeed: (seed) => ({
      ...seed,
      users: [...seed.users, slackUser({ id: 'U0GUEST', email: 'guest@example.com', more: { is_restricted: true } })],
      usergroups: [{ id: 'S0DBA', handle: 'dba', users }],
    }),
  });

  it('whoever is in it at the click may approve, and nobody else', async () => {
    journey = await startJourney('sqlite', dba([PEOPLE.ben.slack, 'U0GUEST']));
    const first = await journey.ask('ana', ASK);
    expect(await says(journey.person('cat').press(first.card, 'approve'))).toMatch(/may not answer.*on-call:dba/s);
    expect(await says(journey.account('U0GUEST').press(first.card, 'approve'))).toMatch(/Guest accounts cannot/);

    await journey.slack.control({ do: 'set_group', group: { id: 'S0DBA', users: [PEOPLE.cat.slack] } });
    await journey.moveClock(2 * MINUTE);
    expect(await says(journey.person('ben').press(first.card, 'approve'))).toMatch(/may not answer/);
    await journey.approve('cat', first.card, 'ana');
    expect(await count(journey, first.id, 'approval.given')).toBe(1);
  });

  it('when Slack cannot say who is in it, nobody approves by it', async () => {
    journey = await startJourney('sqlite', dba([PEOPLE.ben.slack]));
    const { id, card } = await journey.ask('ana', ASK);
    await journey.moveClock(2 * MINUTE);
    await journey.slack.control({
      do: 'fault',
      method: 'usergroups.users.list',
      kind: 'slack_error',
      error: 'missing_scope',
      times: 50,
    });
    expect(await says(journey.person('ben').press(card, 'approve'))).toMatch(/could not check whether you may answer/);
    await journey.idle();
    expect(await count(journey, id, 'approval.given')).toBe(0);
    await journey.slack.control({ do: 'clear_faults' });
    await journey.approve('ben', card, 'ana');
  });
});

describe('an approvals channel that is shared with another organisation', () => {
  let journey: Journey;
  afterEach(() => journey.end());

  it('is never posted to; security is told, and the approvers are asked directly', async () => {
    journey = await startJourney('sqlite');
    await journey.slack.control({ do: 'set_channel', channel: { id: APPROVALS, is_ext_shared: true } });
    await journey.moveClock(2 * MINUTE);
    const id = /R-[0-9A-Z]{4,6}/.exec(await says(journey.person('ana').slash(`request ${ASK}`)))?.[0] ?? '';
    await journey.posted(SECURITY, /message cannot be delivered.*shared with another organisation/is);
    const asked = await journey.told('ben', new RegExp(id));
    await journey.idle();
    expect(messagesIn(journey.slack.state, APPROVALS)).toEqual([]);
    await journey.person('ben').press(asked, 'approve');
    await journey.told('ana', /Added to .*\(checked\)/);
    await journey.idle();
    expect(messagesIn(journey.slack.state, APPROVALS)).toEqual([]);
  });

  it('shows nothing more of what it showed before: the message is emptied, and the others tell the rest', async () => {
    journey = await startJourney('sqlite');
    const { id, card } = await journey.ask('ana', ASK);
    await journey.posted(APPROVALS, new RegExp(id));
    await journey.slack.control({ do: 'set_channel', channel: { id: APPROVALS, is_ext_shared: true } });
    await journey.moveClock(2 * MINUTE);
    await journey.approve('ben', card, 'ana');
    await journey.posted(APPROVALS, /no longer shown in this channel/);
    await journey.idle();
    const shown = messagesIn(journey.slack.state, APPROVALS).map(textOf).join(' ');
    expect(shown).not.toMatch(/Ana|db-prod|stuck migration/);
    await journey.posted(SECURITY, /message cannot be delivered.*shared with another organisation/is);
  });

  it('is said at the start, in what /readyz shows', async () => {
    journey = await startJourney('sqlite', {
      slackSeed: (seed) => ({
        ...seed,
        channels: seed.channels.map((channel) =>
          channel.id === APPROVALS ? { ...channel, is_ext_shared: true } : channel,
        ),
      }),
    });
    await expect.poll(async () => JSON.stringify(await journey.ready())).toMatch(/shared with another organisation/);
  });
});

describe('a request that does not come from Slack', () => {
  let journey: Journey;
  let body: string;
  beforeAll(async () => {
    journey = await startJourney('sqlite');
    const { team, bot } = journey.slack.state;
    body = new URLSearchParams({
      team_id: team.id,
      user_id: PEOPLE.ana.slack,
      command: '/access',
      text: `request ${ASK}`,
      api_app_id: bot.appId,
    }).toString();
  });
  afterAll(() => journey.end());

  const now = () => Math.floor(Date.now() / 1000);
  const good = () => signature(SECRETS.signingSecret, body);

  async function expectNothing(): Promise<void> {
    await journey.idle();
    expect(await journey.bot.store.list({ limit: 10 })).toEqual([]);
    const links = await journey.bot.store.chain(0, 10);
    expect(links.map(({ canonical }) => JSON.parse(canonical).kind)).toEqual(['config.loaded']);
    expect(journey.slack.state.messages).toEqual([]);
    const later = journey.now() + MINUTE;
    expect(await journey.bot.store.unanswered(later, later, 10)).toEqual([]);
  }

  const FORGERIES: readonly (readonly [what: string, headers: () => Record<string, string>])[] = [
    ['unsigned', () => ({})],
    ['signed with another secret', () => signature('another-secret', body)],
    ['signed for other words', () => signature(SECRETS.signingSecret, `${body}&x=1`)],
    ['signed six minutes ago', () => signature(SECRETS.signingSecret, body, now() - 360)],
    ['signed yesterday', () => signature(SECRETS.signingSecret, body, now() - 86_400)],
    ['signed six minutes ahead', () => signature(SECRETS.signingSecret, body, now() + 360)],
    ['signed for the year 2100', () => signature(SECRETS.signingSecret, body, 4_102_444_800)],
    ['signed for no time at all', () => signature(SECRETS.signingSecret, body, Number.NaN)],
    ['signed with an empty signature', () => ({ ...good(), 'x-slack-signature': '' })],
  ];

  it.each(FORGERIES)('%s is answered 401 and leaves nothing behind', async (_what, headers) => {
    const response = await fetch(endpoint(journey), {
      method: 'POST',
      headers: { 'content-type': FORM, ...headers() },
      body,
    });
    expect(response.status).toBe(401);
    expect(await response.text()).toBe('');
    await expectNothing();
  });

  it('the bot’s own moved clock does not make an old signature good', async () => {
    const headers = { 'content-type': FORM, ...signature(SECRETS.signingSecret, body, now() - 3_600) };
    await journey.stepClock(-60 * MINUTE);
    const response = await fetch(endpoint(journey), { method: 'POST', headers, body });
    await journey.stepClock(60 * MINUTE);
    expect(response.status).toBe(401);
    await expectNothing();
  });

  it.each(['GET', 'HEAD', 'PUT', 'DELETE'])('%s is answered 405', async (method) => {
    const response = await fetch(endpoint(journey), { method, headers: good() });
    expect(response.status).toBe(405);
    expect(response.headers.get('allow')).toBe('POST');
    await expectNothing();
  });

  it('two megabytes are answered 413, signed or not', async () => {
    const large = `${body}&x=${'x'.repeat(2 * 1024 * 1024)}`;
    for (const headers of [{}, signature(SECRETS.signingSecret, large)]) {
      const response = await fetch(endpoint(journey), {
        method: 'POST',
        headers: { 'content-type': FORM, ...headers },
        body: large,
      });
      expect(response.status).toBe(413);
    }
    await expectNothing();
  });

  it.each(['text/plain', 'multipart/form-data; boundary=x', 'application/xml', ''])(
    'a signed body of type “%s” is answered 415',
    async (type) => {
      const bytes = new TextEncoder().encode(body);
      const headers = { ...good(), ...(type === '' ? {} : { 'content-type': type }) };
      const response = await fetch(endpoint(journey), { method: 'POST', headers, body: bytes });
      expect(response.status).toBe(415);
      await expectNothing();
    },
  );

  it('the same body, signed by Slack, is a request', async () => {
    const response = await fetch(endpoint(journey), {
      method: 'POST',
      headers: { 'content-type': FORM, ...good() },
      body,
    });
    expect(response.status).toBe(200);
    await journey.posted(APPROVALS, /fix stuck migration/);
  });
});
