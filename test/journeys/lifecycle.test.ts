/** Everything that can become of a request and of a grant, short of trouble. */
import { afterEach, describe, expect, it } from 'vitest';
import { button, dmsOf, messagesIn, textOf } from '../../src/sandbox/slack-reading.ts';
import type { SlackMessage } from '../../src/sandbox/slack-state.ts';
import { APPROVALS, DIALECTS, type Journey, PEOPLE, startJourney } from '../support/journey.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

let journey: Journey;

const kindsOf = async (id: string) => (await journey.story(id)).map((event) => event.kind);

async function active(text: string): Promise<string> {
  const { id, card } = await journey.ask('ana', text);
  await journey.approve('ben', card, 'ana');
  expect(journey.isMember('ana', 'read')).toBe(true);
  return id;
}

/** As it is shown now. */
const cardOf = (id: string): SlackMessage => {
  const found = messagesIn(journey.slack.state, APPROVALS).find((message) => textOf(message).includes(id));
  if (found === undefined) throw new Error(`no approval message of ${id}`);
  return found;
};

const says = async (name: 'ana' | 'ben' | 'cat' | 'dan' | 'sam', text: string) =>
  textOf(await (await journey.person(name).slash(text)).said());

const presses = async (name: 'ana' | 'ben' | 'cat' | 'dan' | 'sam', message: SlackMessage, action: string) =>
  textOf(await (await journey.person(name).press(message, action)).said());

async function removed(id: string): Promise<void> {
  await journey.told('ana', new RegExp(`${id}: ended.*Removed from prod-db-read .*checked`));
  expect(journey.isMember('ana', 'read')).toBe(false);
}

describe.each(DIALECTS)('a request that leads to nothing, on %s', (dialect) => {
  afterEach(() => journey.end());

  it('lapses after an hour; the message says so, and its button no longer works', async () => {
    journey = await startJourney(dialect);
    const { id, card } = await journey.ask('ana', 'db-prod 30m fix stuck migration');
    await journey.moveClock(59 * MINUTE);
    await journey.idle();
    expect(button(cardOf(id), 'approve')).toBeDefined();

    await journey.moveClock(2 * MINUTE);
    await journey.told('ana', new RegExp(`${id}: lapsed.*nobody approved it in time`));
    await journey.posted(APPROVALS, new RegExp(`${id}: lapsed`));
    expect(button(cardOf(id), 'approve')).toBeUndefined();
    expect(await presses('ben', card, 'approve')).toMatch(/no longer waiting for an answer/);
    await journey.idle();
    expect(journey.isMember('ana', 'read')).toBe(false);
    await journey.ask('ana', 'db-prod 30m fix stuck migration');
  });

  it('has lapsed at its hour even when the timer has not rung yet', async () => {
    journey = await startJourney(dialect);
    const { id, card } = await journey.ask('ana', 'db-prod 30m fix stuck migration');
    await journey.bot.store.commit({ changes: [{ drop: 'job', id: `lapse:${id}` }] });
    // The press comes in before anybody looks for what was forgotten.
    const moved = journey.moveClock(61 * MINUTE);
    expect(await presses('ben', card, 'approve')).toMatch(/no longer waiting for an answer/);
    await moved;
    await journey.told('ana', new RegExp(`${id}: lapsed`));
    expect(journey.isMember('ana', 'read')).toBe(false);
  });

  it('is cancelled by the one who made it, and by nobody else', async () => {
    journey = await startJourney(dialect);
    const { id, card } = await journey.ask('ana', 'db-prod 30m fix stuck migration');
    expect(await says('dan', `cancel ${id}`)).toMatch(/is not yours/);
    const mine = await journey.told('ana', new RegExp(`${id}: waiting`));
    expect(await presses('ana', mine, 'cancel')).toMatch(/Cancelled/);
    await journey.posted(APPROVALS, new RegExp(`${id}: cancelled`));
    expect(await presses('ben', card, 'approve')).toMatch(/no longer waiting for an answer/);
    expect(journey.isMember('ana', 'read')).toBe(false);
  });

  it('is denied with a reason, which the requester is told', async () => {
    journey = await startJourney(dialect);
    const { id, card } = await journey.ask('ana', 'db-prod 30m fix stuck migration');
    const ben = journey.person('ben');
    const dialog = await (await ben.press(card, 'deny')).opened();
    expect(await kindsOf(id)).not.toContain('request.denied');
    await ben.submitView(dialog, { reason: 'use the replica instead' });
    const told = await journey.told('ana', new RegExp(`${id}: denied`));
    expect(textOf(told)).toMatch(/Denied by Ben Okafor/);
    expect(textOf(told)).toMatch(/use the replica instead/);
    expect(await presses('cat', card, 'approve')).toMatch(/no longer waiting for an answer/);
    expect(journey.isMember('ana', 'read')).toBe(false);
  });

  it('that Slack delivers twice is one request', async () => {
    journey = await startJourney(dialect);
    const reply = await journey.person('ana').slash('request db-prod 30m fix stuck migration');
    expect(textOf(await reply.said())).toMatch(/Requested/);
    expect((await reply.again()).status).toBe(200);
    await journey.idle();
    expect(messagesIn(journey.slack.state, APPROVALS)).toHaveLength(1);
    expect(await says('ana', 'request db-prod 30m fix stuck migration')).toMatch(/asked for this already/);
  });

  it('is not denied by somebody who is no approver', async () => {
    journey = await startJourney(dialect);
    const { id, card } = await journey.ask('ana', 'db-prod 30m fix stuck migration');
    expect(await says('dan', `deny ${id} because`)).toMatch(/may not answer requests/);
    expect(await presses('dan', card, 'approve')).toMatch(/may not answer requests/);
    expect(await presses('ana', card, 'approve')).toMatch(/cannot approve or deny your own/);
    expect(await kindsOf(id)).toEqual(expect.arrayContaining(['request.made', 'approval.refused']));
    expect(await kindsOf(id)).not.toContain('request.denied');
    expect(journey.isMember('ana', 'read')).toBe(false);
  });
});

describe.each(DIALECTS)('approval, on %s', (dialect) => {
  afterEach(() => journey.end());

  const withTwo = (yaml: string) => yaml.replace('approvals: 1', 'approvals: 2');

  it('by two different people, where the policy wants two', async () => {
    journey = await startJourney(dialect, { config: withTwo });
    const { id, card } = await journey.ask('ana', 'db-prod 30m fix stuck migration');
    expect(await presses('ben', card, 'approve')).toMatch(/Your approval is recorded/);
    await journey.posted(APPROVALS, new RegExp(`${id}.*1 of 2 approvals`));
    expect(await presses('ben', card, 'approve')).toMatch(/have answered .* already/);
    await journey.idle();
    expect(journey.isMember('ana', 'read')).toBe(false);

    await journey.approve('cat', card, 'ana');
    expect(journey.isMember('ana', 'read')).toBe(true);
    await journey.moveClock(31 * MINUTE);
    await removed(id);
  });

  it('by two people at the same moment counts both, where the policy wants two', async () => {
    journey = await startJourney(dialect, { config: withTwo });
    const { id, card } = await journey.ask('ana', 'db-prod 30m fix stuck migration');
    await Promise.all([journey.person('ben').press(card, 'approve'), journey.person('cat').press(card, 'approve')]);
    await journey.told('ana', new RegExp(`${id}: active`));
    expect((await kindsOf(id)).filter((kind) => kind === 'approval.given')).toHaveLength(2);
  });

  it('by two people at the same moment, and delivered twice, gives one grant', async () => {
    journey = await startJourney(dialect);
    const { id, card } = await journey.ask('ana', 'db-prod 30m fix stuck migration');
    const presses = await Promise.all([
      journey.person('ben').press(card, 'approve'),
      journey.person('cat').press(card, 'approve'),
      journey.person('ben').press(card, 'approve'),
    ]);
    await Promise.all(presses.map((press) => press.again()));
    await journey.told('ana', new RegExp(`${id}: active`));
    await journey.idle();
    const kinds = await kindsOf(id);
    for (const kind of ['request.approved', 'membership.addition_started', 'grant.activated'])
      expect(kinds.filter((each) => each === kind)).toHaveLength(1);
  });

  it('typed shows the request first, and only its button approves', async () => {
    journey = await startJourney(dialect);
    const { id } = await journey.ask('ana', 'db-prod 30m fix stuck migration');
    const shown = await (await journey.person('ben').slash(`approve ${id}`)).said();
    expect(textOf(shown)).toMatch(/fix stuck migration/);
    expect(textOf(shown)).toMatch(/prod-db-read in okta/);
    await journey.idle();
    expect(await kindsOf(id)).not.toContain('approval.given');

    await journey.person('ben').press(shown, 'approve');
    await journey.told('ana', new RegExp(`${id}: active`));
    expect(journey.isMember('ana', 'read')).toBe(true);
  });

  it('of a request whose policy has changed since it was shown does not count until it was shown again', async () => {
    journey = await startJourney(dialect);
    const { id, card } = await journey.ask('ana', 'db-prod 30m fix stuck migration');
    await journey.restart({ config: (yaml) => yaml.replace('max: 4h', 'max: 2h') });
    expect(await presses('ben', card, 'approve')).toMatch(/has changed since you were shown it/);
    await journey.idle();
    expect(journey.isMember('ana', 'read')).toBe(false);
    // The old button stays worthless, also for somebody else.
    expect(await presses('cat', card, 'approve')).toMatch(/has changed since you were shown it/);

    await journey.approve('ben', cardOf(id), 'ana');
    expect(await kindsOf(id)).toContain('request.shown_again');
  });

  it('of a request whose groups have changed confers what was shown again, and nothing else', async () => {
    journey = await startJourney(dialect, {
      config: (yaml) =>
        yaml.replace(
          'grants: [ { directory: okta, group: prod-db-admin } ]',
          'grants: [ { directory: okta, group: prod-db-read } ]',
        ),
    });
    const { id, card } = await journey.ask('ana', 'db-prod:admin 30m fix stuck migration');
    await journey.restart({ config: (yaml) => yaml });
    expect(await presses('ben', card, 'approve')).toMatch(/has changed since you were shown it/);
    await journey.posted(APPROVALS, new RegExp(`${id}[^]*prod-db-admin in okta`));
    await journey.approve('ben', cardOf(id), 'ana');
    expect(journey.isMember('ana', 'admin')).toBe(true);
    expect(journey.isMember('ana', 'read')).toBe(false);
    await journey.moveClock(31 * MINUTE);
    await journey.told('ana', new RegExp(`${id}: ended.*Removed from prod-db-admin.*Sessions already open may last`));
    expect(journey.isMember('ana', 'admin')).toBe(false);
  });

  it('of something that is no longer in the configuration withdraws the request', async () => {
    journey = await startJourney(dialect);
    const { id, card } = await journey.ask('ana', 'reports 30m the monthly report');
    await journey.restart({ config: (yaml) => yaml.slice(0, yaml.indexOf('  reports:')) });
    await journey.person('ben').press(card, 'approve');
    await journey.told('ana', new RegExp(`${id}: withdrawn.*no longer in the configuration`));
    expect(journey.isMember('ana', 'read')).toBe(false);
  });

  it('by a button that stands for nothing is refused', async () => {
    journey = await startJourney(dialect);
    const { card } = await journey.ask('ana', 'db-prod 30m fix stuck migration');
    const value = button(card, 'approve')?.value ?? '';
    const old = JSON.parse(JSON.stringify(card).replaceAll(value, [...value].reverse().join(''))) as SlackMessage;
    expect(await presses('ben', old, 'approve')).toMatch(/button is out of date/);
    await journey.idle();
    expect(journey.isMember('ana', 'read')).toBe(false);
  });
});

describe.each(DIALECTS)('the end of a grant, on %s', (dialect) => {
  afterEach(() => journey.end());

  it('is warned of five minutes before, with buttons to extend and to return', async () => {
    journey = await startJourney(dialect);
    const id = await active('db-prod 30m fix stuck migration');
    const count = () => dmsOf(journey.slack.state, PEOPLE.ana.slack).length;
    const before = count();
    await journey.moveClock(24 * MINUTE);
    await journey.idle();
    expect(count()).toBe(before);

    await journey.moveClock(90 * SECOND);
    await journey.slack.waitFor(() => count() === before + 1, 5_000, 'one more message to Ana');
    const warning = dmsOf(journey.slack.state, PEOPLE.ana.slack).at(-1) as SlackMessage;
    expect(textOf(warning)).toMatch(/ends soon.*Ends \d\d:\d\d UTC/);
    expect(button(warning, 'extend')).toBeDefined();

    expect(await presses('ana', warning, 'return')).toMatch(/Returned/);
    await removed(id);
    expect(await kindsOf(id)).toContain('grant.returned');
  });

  it('comes at once when the holder returns it, and the button then does nothing more', async () => {
    journey = await startJourney(dialect);
    const id = await active('db-prod 30m fix stuck migration');
    const message = await journey.slack.waitFor((state) =>
      dmsOf(state, PEOPLE.ana.slack).find((shown) => button(shown, 'return')),
    );
    expect(await presses('ana', message, 'return')).toMatch(/Returned/);
    await removed(id);
    expect(await presses('ana', message, 'return')).toMatch(/has ended or is ending/);
  });

  it('comes at once when a responder revokes it, and not when anybody else tries', async () => {
    journey = await startJourney(dialect);
    const id = await active('db-prod 30m fix stuck migration');
    for (const name of ['ben', 'dan', 'ana'] as const)
      expect(await says(name, `revoke ${id} I would rather not`)).toMatch(/may not revoke access/);
    await journey.idle();
    expect(journey.isMember('ana', 'read')).toBe(true);

    expect(await says('sam', `revoke ${id} wrong database`)).toMatch(/Revoked/);
    await removed(id);
    await journey.told('ana', new RegExp(`${id}: ended.*Revoked by Sam Haddad .*wrong database`));
    const kinds = await kindsOf(id);
    expect(kinds.filter((kind) => kind === 'revocation.refused')).toHaveLength(3);
    expect(kinds).toContain('grant.revoked');
  });

  it('comes on time for a grant whose resource has left the configuration', async () => {
    journey = await startJourney(dialect);
    const id = await active('reports 30m the monthly report');
    await journey.restart({ config: (yaml) => yaml.slice(0, yaml.indexOf('  reports:')) });
    await journey.moveClock(31 * MINUTE);
    await removed(id);
  });

  it('comes as soon as the bot is back when it was away at the time', async () => {
    journey = await startJourney(dialect);
    const id = await active('db-prod 30m fix stuck migration');
    const { bot } = journey;
    await bot.stop();
    expect(journey.isMember('ana', 'read')).toBe(true);
    await journey.restart();
    await journey.moveClock(31 * MINUTE);
    await removed(id);
  });

  it('is not moved by a policy that allows more or less from now on', async () => {
    journey = await startJourney(dialect);
    const id = await active('db-prod 3h fix stuck migration');
    await journey.restart({ config: (yaml) => yaml.replace('max: 4h', 'max: 1h') });
    await journey.moveClock(2 * HOUR);
    await journey.idle();
    expect(journey.isMember('ana', 'read')).toBe(true);
    await journey.moveClock(61 * MINUTE);
    await removed(id);
  });
});

describe.each(DIALECTS)('an extension, on %s', (dialect) => {
  afterEach(() => journey.end());

  async function extend(text: string): Promise<{ readonly id: string; readonly card: SlackMessage }> {
    const id = /R-[0-9A-Z]{4,6}/.exec(await says('ana', `extend ${text}`))?.[0] ?? '';
    const card = await journey.slack.waitFor(
      (state) =>
        messagesIn(state, APPROVALS).find((message) => textOf(message).includes(id) && button(message, 'approve')),
      5_000,
      `the approval message of ${id}`,
    );
    return { id, card };
  }

  it('goes through the same approval, moves the end, warns again, and ends at the new time', async () => {
    journey = await startJourney(dialect);
    const id = await active('db-prod 30m fix stuck migration');
    const more = await extend(`${id} 1h it takes longer`);
    await journey.idle();
    expect(await kindsOf(more.id)).not.toContain('grant.extended');
    await journey.person('ben').press(more.card, 'approve');
    await journey.told('ana', new RegExp(`${more.id}: approved.*now ends`));

    await journey.moveClock(31 * MINUTE);
    await journey.idle();
    expect(journey.isMember('ana', 'read')).toBe(true);
    expect(await kindsOf(id)).not.toContain('grant.warned');
    await journey.moveClock(55 * MINUTE);
    await journey.idle();
    expect(await kindsOf(id)).toContain('grant.warned');
    expect(journey.isMember('ana', 'read')).toBe(true);
    await journey.moveClock(5 * MINUTE);
    await removed(id);
  });

  it('can be asked for with the button of the warning', async () => {
    journey = await startJourney(dialect);
    const id = await active('db-prod 30m fix stuck migration');
    await journey.moveClock(26 * MINUTE);
    await journey.idle();
    const warning = dmsOf(journey.slack.state, PEOPLE.ana.slack).findLast((message) => button(message, 'extend'));
    expect(await presses('ana', warning as SlackMessage, 'extend')).toMatch(/More time requested/);
    const card = await journey.slack.waitFor((state) =>
      messagesIn(state, APPROVALS).find((message) => /More time/.test(textOf(message)) && button(message, 'approve')),
    );
    await journey.person('ben').press(card, 'approve');
    await journey.told('ana', /: approved.*now ends/);
    await journey.moveClock(5 * MINUTE);
    await journey.idle();
    expect(journey.isMember('ana', 'read')).toBe(true);
    await journey.moveClock(30 * MINUTE);
    await removed(id);
  });

  it('never makes the whole longer than the policy allows', async () => {
    journey = await startJourney(dialect);
    const id = await active('db-prod 3h fix stuck migration');
    expect(await says('ana', `extend ${id} 2h it takes longer`)).toMatch(/longer than the 4 h.*At most 1 h more/s);
    const more = await extend(`${id} 1h it takes longer`);
    await journey.person('ben').press(more.card, 'approve');
    await journey.told('ana', new RegExp(`${more.id}: approved`));
    expect(await says('ana', `extend ${id} 10m and longer`)).toMatch(/No more time can be added/);
    await journey.moveClock(4 * HOUR + MINUTE);
    await removed(id);
  });

  it('that nobody has answered when the grant ends is withdrawn, and can no longer be approved', async () => {
    journey = await startJourney(dialect);
    const id = await active('db-prod 30m fix stuck migration');
    const more = await extend(`${id} 1h it takes longer`);
    await journey.moveClock(31 * MINUTE);
    await removed(id);
    await journey.told('ana', new RegExp(`${more.id}: withdrawn`));
    expect(await presses('ben', more.card, 'approve')).toMatch(/no longer waiting for an answer/);
    await journey.idle();
    expect(journey.isMember('ana', 'read')).toBe(false);
  });

  it('approved at the moment of the revocation does not bring the access back', async () => {
    journey = await startJourney(dialect);
    const id = await active('db-prod 30m fix stuck migration');
    const more = await extend(`${id} 1h it takes longer`);
    await Promise.all([
      journey.person('ben').press(more.card, 'approve'),
      journey.person('sam').slash(`revoke ${id} wrong database`),
    ]);
    await removed(id);
    await journey.moveClock(2 * HOUR);
    await journey.idle();
    expect(journey.isMember('ana', 'read')).toBe(false);
  });
});
