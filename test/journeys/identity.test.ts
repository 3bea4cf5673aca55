/** Somebody who comes under another identity than before is refused, and security hears of it once. */
import { afterEach, expect, it } from 'vitest';
import { forgetCommand } from '../../src/cli/forget.ts';
import { createOut, EXIT } from '../../src/cli/out.ts';
import { messagesIn, textOf } from '../../src/sandbox/slack-reading.ts';
import { EITHER, GROUPS, type Journey, PEOPLE, SECURITY, startJourney } from '../support/journey.ts';

const MINUTE = 60_000;
const WAIT_MS = 6_000;

let journey: Journey;
afterEach(() => journey.end());

it.each(EITHER)('an account whose email becomes an approver’s approves nothing, on %s', async (dialect) => {
  journey = await startJourney(dialect);
  const { id, card } = await journey.ask('ana', 'db-prod 30m fix stuck migration');
  const dan = journey.person('dan');
  const press = async () => textOf(await (await dan.press(card, 'approve')).said(WAIT_MS));
  expect(await press()).toMatch(/may not answer/);

  await journey.slack.control({ do: 'set_user', user: { id: PEOPLE.dan.slack, email: PEOPLE.ben.email } });
  await journey.moveClock(2 * MINUTE);
  expect(await press()).toMatch(/was somebody else when Hallpass first saw it. Security was told/);
  await journey.posted(SECURITY, /identity has changed.*may not act/is);
  expect(await press()).toMatch(/was somebody else/);
  await journey.idle();

  expect((await journey.bot.store.request(id))?.approvals).toEqual([]);
  const notices = messagesIn(journey.slack.state, SECURITY).filter((one) => /identity has changed/i.test(textOf(one)));
  expect(notices).toHaveLength(1);
  const kinds = (await journey.bot.store.chain(0, 500)).map(({ canonical }) => JSON.parse(canonical).kind);
  expect(kinds.filter((kind) => kind === 'identity.disputed')).toHaveLength(1);
  expect(journey.isMember('ana', 'read')).toBe(false);

  // Somebody has looked at it: the account is Ben's now.
  const said: string[] = [];
  const out = createOut(false, (text) => said.push(text));
  const name = `slack:${journey.slack.state.team.id}/${PEOPLE.dan.slack}`;
  const order = { kind: 'account', name, reason: 'Dan was given this mailbox', operator: 'root' } as const;
  expect(await forgetCommand(out, journey.settings, { ...order, name: 'slack:T0/U0NOBODY' })).toBe(EXIT.failed);
  expect(await forgetCommand(out, journey.settings, order)).toBe(EXIT.done);
  expect(said).toEqual([
    'Nothing is known of account slack:T0/U0NOBODY; there is nothing to forget.\n',
    expect.stringContaining(`Forgotten: account ${name} was okta/${PEOPLE.dan.okta}.`),
  ]);
  await journey.moveClock(2 * MINUTE);
  await journey.approve('dan', card, 'ana');
  expect((await journey.bot.store.request(id))?.approvals).toMatchObject([{ approver: `okta/${PEOPLE.ben.okta}` }]);
  const after = (await journey.bot.store.chain(0, 500)).map(({ canonical }) => JSON.parse(canonical).kind);
  expect(after.filter((kind) => kind === 'identity.forgotten')).toHaveLength(1);
});

it('a group that gives authority is given to nobody, also where the file names it once by name and once by id', async () => {
  journey = await startJourney('sqlite', {
    config: (yaml) => yaml.replace('group: prod-db-admin', `group: ${GROUPS.security}`),
  });
  const reply = await journey.person('ana').slash('request db-prod:admin 30m fix stuck migration');
  expect(textOf(await reply.said(WAIT_MS))).toMatch(/admins\[0\] trusts as "security".*would also get that authority/s);
  expect(await journey.bot.store.list({ limit: 10 })).toEqual([]);
  expect(journey.okta.state().groups[GROUPS.security]).not.toContain(PEOPLE.ana.okta);
});
