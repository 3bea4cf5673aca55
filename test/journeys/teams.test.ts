/**
 * The main job through Teams: Microsoft's Playground speaks to the bot as Teams does, headless, and every outcome is
 * asked of the directory. Promise: one request, on two platforms, in one state.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { buttonIn, type Playground, startPlayground, TENANT } from '../../src/sandbox/playground.ts';
import { withTeams } from '../../src/sandbox/world.ts';
import { BEN, type Connector, pressed, startConnector, typed } from '../chat/teams-support.ts';
import { APPROVALS, EITHER, type Journey, PEOPLE, startJourney } from '../support/journey.ts';

const MINUTE = 60_000;
const WAIT_MS = 15_000;

describe.each(EITHER)('asked for in a dialog in Teams, on %s', (dialect) => {
  let journey: Journey;
  let teams: Playground;
  let folder: string;
  afterEach(async () => {
    await teams.close();
    await journey.end();
    await rm(folder, { recursive: true, force: true });
  });

  it('somebody on call approves it there, it is in Okta for its time, and both platforms say that it is over', async () => {
    journey = await startJourney(dialect, { config: withTeams });
    folder = await mkdtemp(join(tmpdir(), 'hallpass-teams-'));
    const botUrl = `http://127.0.0.1:${journey.bot.port}`;
    teams = await startPlayground({ folder, botUrl, people: PEOPLE });
    expect((await journey.ready()).degraded).toMatchObject([{ what: 'teams' }]);

    await teams.type('request');
    const offer = await teams.waitFor(
      (all) => all.find(({ card }) => card.includes('task/fetch')),
      WAIT_MS,
      'the offer of a form',
    );
    expect((await journey.ready()).degraded).toEqual([]);
    // The Playground has no dialogs, so what Teams would post is posted here, as the same person.
    let presses = 0;
    const dialog = async (name: string, data: object) => {
      const response = await fetch(`${botUrl}/api/messages`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({
          type: 'invoke',
          name,
          id: `dialog-${++presses}`,
          channelId: 'msteams',
          serviceUrl: `${teams.url}/_connector`,
          from: { id: '29:ana', name: PEOPLE.ana.name, aadObjectId: `${TENANT.slice(0, 24)}000000000100` },
          conversation: { id: offer.conversation, conversationType: 'personal', tenantId: TENANT },
          value: { data },
        }),
      });
      return JSON.stringify(await response.json());
    };
    const choose = await dialog('task/fetch', { hallpass: { do: 'form' } });
    expect(choose).toContain('db-prod');
    const ask = await dialog('task/submit', { ...buttonIn(choose, 'form_choose'), resource: 'db-prod' });
    expect(ask).toContain('Ben Okafor');
    const short = await dialog('task/submit', { ...buttonIn(ask, 'form_send'), duration: '30m', reason: 'x' });
    expect(short).toContain('too short');
    const sent = await dialog('task/submit', {
      ...buttonIn(short, 'form_send'),
      duration: '30m',
      reason: 'fix stuck migration',
    });
    const id = /R-[0-9A-Z]{4,6}/.exec(sent)?.[0] ?? 'none';
    // Sent twice, it was asked once.
    await dialog('task/submit', { ...buttonIn(short, 'form_send'), duration: '30m', reason: 'fix stuck migration' });

    const inChannel = (words: RegExp) =>
      teams.waitFor(
        (all) =>
          all.findLast(
            ({ conversation, text }) => conversation.includes('tacv2') && text.includes(id) && words.test(text),
          ),
        WAIT_MS,
        `${words} in the channel`,
      );
    const card = await inChannel(/waiting for approval/);
    expect(card.text).toContain('Asked: ');
    expect(teams.messages().filter(({ conversation }) => conversation.includes('tacv2'))).toHaveLength(1);
    await journey.posted(APPROVALS, new RegExp(id));
    const look = buttonIn(card.card, 'look') ?? {};
    expect((await teams.press('ana', card, look)).text).toMatch(/own request/);
    expect((await teams.press('dan', card, look)).text).toMatch(/may not answer/);
    const approve = buttonIn((await teams.press('ben', card, look)).card, 'approve') ?? {};
    // A button shown to Ben is nobody else's.
    expect((await teams.press('dan', card, approve)).text).toMatch(/may not answer/);
    expect(journey.isMember('ana', 'read')).toBe(false);
    expect((await teams.press('ben', card, approve)).text).toMatch(/Approved/);
    await inChannel(/Added to prod-db-read \(checked\)/);
    expect(journey.isMember('ana', 'read')).toBe(true);

    await journey.idle();
    await journey.moveClock(31 * MINUTE);
    await inChannel(/ended.*Removed from prod-db-read .*checked/);
    expect(journey.isMember('ana', 'read')).toBe(false);
    await journey.posted(APPROVALS, /Removed from prod-db-read .*checked/);
    expect((await journey.story(id)).map(({ kind }) => kind)).toContain('grant.ended');
  });
});

describe('an approver who has not added the app', () => {
  let journey: Journey;
  let connector: Connector;
  afterEach(async () => {
    await journey.end();
    await connector.close();
  });

  it('is named in the channel, and can answer there', async () => {
    journey = await startJourney('sqlite', { config: withTeams });
    connector = await startConnector();
    const closed = { status: 403, body: { error: { code: 'BotNotInConversationRoster' } } };
    connector.respond = ({ path, body }) =>
      path === '/v3/conversations' && body.isGroup === false && body.members[0].id === '29:ben' ? closed : undefined;
    const deliver = async (activity: object) => {
      const response = await fetch(`http://127.0.0.1:${journey.bot.port}/api/messages`, {
        method: 'POST',
        body: JSON.stringify(activity),
      });
      const text = await response.text();
      return text === '' ? '' : JSON.stringify(JSON.parse(text));
    };
    await deliver(typed(connector.url, 'request db-prod 30m fix stuck migration'));
    const shown = (method: string) =>
      connector.calls.findLast(
        ({ path, ...call }) => call.method === method && JSON.stringify([path, call.body]).includes('tacv2'),
      );
    await vi.waitFor(
      () => expect(JSON.stringify(shown('PUT')?.body)).toContain('Could not be written to in person'),
      10_000,
    );
    expect(JSON.stringify(shown('PUT')?.body)).toContain(`"mentioned":{"id":"${BEN}`);
    // Cat has no account in Teams at all, and was asked in Slack like Ben.
    await journey.told('cat', /db-prod/);

    const ben = { from: { id: '29:ben', name: 'Ben Okafor', aadObjectId: BEN } };
    const look = buttonIn(JSON.stringify(shown('PUT')?.body.attachments[0].content), 'look') ?? {};
    const card = JSON.parse(await deliver(pressed(connector.url, look, ben))).value;
    await deliver(pressed(connector.url, buttonIn(JSON.stringify(card), 'approve') ?? {}, ben));
    await vi.waitFor(() => expect(journey.isMember('ana', 'read')).toBe(true), 10_000);
    await journey.idle();
  });
});
