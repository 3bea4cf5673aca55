/** What a holder did, as a bastion tells it: kept with the grant, flagged, asked about, answered, and closed by somebody else. */
import { afterEach, describe, expect, it } from 'vitest';
import { button, messagesIn, textOf } from '../../src/sandbox/slack-reading.ts';
import type { Name } from '../../src/sandbox/world.ts';
import { ACTIVITY_SECRET, send, withBastion } from '../support/activity.ts';
import { type Journey, SECURITY, startJourney } from '../support/journey.ts';

const WAIT_MS = 6_000;
let journey: Journey;
afterEach(() => journey.end());

const start = async () => {
  journey = await startJourney('sqlite', { config: withBastion, env: { BASTION_SECRET: ACTIVITY_SECRET } });
};

async function says(name: Name, text: string): Promise<string> {
  return textOf(await (await journey.person(name).slash(text)).said(WAIT_MS));
}

const done = (id: string, more: object = {}) => ({
  id,
  at: journey.now(),
  account: 'ana_ro',
  action: 'SELECT',
  kind: 'read',
  resource: 'orders',
  target: 'customers',
  ...more,
});

describe('an export under a grant', () => {
  it('is told to security at once; its holder is asked and answers; nobody dismisses what is about themselves', async () => {
    await start();
    const { id, card } = await journey.ask('ana', 'db-prod 30m fix stuck migration');
    await journey.approve('ben', card, 'ana');
    const grantId = id.replace('R-', 'G-');
    const { port } = journey.bot;
    expect(await send(port, [done('1'), done('2'), done('3', { account: 'somebody_else' })])).toEqual({
      status: 200,
      body: { kept: 2, known: 0, unattributed: 1, rejected: 0, errors: [] },
    });
    expect(
      (await send(port, [done('2'), done('4', { kind: 'export', action: 'pg_dump', amount: 12_000 })])).body,
    ).toMatchObject({
      kept: 1,
      known: 1,
    });
    expect(await journey.bot.store.activityOf(grantId)).toMatchObject({
      activities: 3,
      amount: 12_000,
      kinds: { read: 2, export: 1 },
    });

    const finding = await journey.posted(SECURITY, /Finding F-\w+ \(high\): Export or bulk download/);
    expect(textOf(finding)).toMatch(/Ana Sousa, db-prod:read, G-.*pg_dump on orders, customers, amount 12,000/s);
    const findingId = /F-[0-9A-Z]+/.exec(textOf(finding))?.[0] ?? '';
    await journey.idle();

    const outsider = await (await journey.person('dan').press(finding, 'ask-holder')).said(WAIT_MS);
    expect(textOf(outsider)).toMatch(/may not act on findings/);
    const asked = await (await journey.person('sam').press(finding, 'ask-holder')).said(WAIT_MS);
    expect(textOf(asked)).toMatch(/Sam Haddad asked Ana Sousa .*no answer yet/);
    const question = await journey.told('ana', /Security asks about your access to db-prod:read/);
    await journey.idle();
    expect(textOf(question)).not.toMatch(/F-\w+ \(/);
    const dialog = await (await journey.person('ana').press(question, 'explain-finding')).opened(WAIT_MS);
    await journey.person('ana').submitView(dialog, { reason: 'a backup before the migration <!channel>' });
    await journey.posted(SECURITY, /Ana Sousa says: “a backup before the migration/);

    expect(await says('ana', `finding ${findingId} dismiss it was me`)).toMatch(/about your own access/);
    const closing = await (await journey.person('sam').press(finding, 'dismiss-finding')).opened(WAIT_MS);
    await journey.person('sam').submitView(closing, { reason: 'seen the backup' });
    await journey.posted(SECURITY, /Dismissed by Sam Haddad .*seen the backup/);
    await journey.idle();
    const [shown] = messagesIn(journey.slack.state, SECURITY).filter((one) => textOf(one).includes(findingId));
    for (const name of ['ask-holder', 'revoke-finding', 'dismiss-finding'])
      expect(button(shown ?? {}, name)).toBeUndefined();
    const kinds = (await journey.story(id)).map(({ kind }) => kind).filter((kind) => kind.startsWith('finding.'));
    expect(kinds).toEqual([
      'finding.opened',
      'finding.refused',
      'finding.asked',
      'finding.explained',
      'finding.refused',
      'finding.dismissed',
    ]);
  });

  it('ends the access with one press, and what is done after that is a finding of its own', async () => {
    await start();
    const { id, card } = await journey.ask('ana', 'db-prod 30m fix stuck migration');
    await journey.approve('ben', card, 'ana');
    await send(journey.bot.port, [done('1', { resource: 'payments' })]);
    const finding = await journey.posted(SECURITY, /\(high\): Used for something else than was granted/);
    await journey.idle();
    await journey.person('sam').press(finding, 'revoke-finding');
    await journey.told('ana', /Removed from prod-db-read .*checked/);
    expect(journey.isMember('ana', 'read')).toBe(false);
    await journey.posted(SECURITY, /Access revoked by Sam Haddad/);
    await journey.moveClock(5 * 60_000);
    expect((await send(journey.bot.port, [done('2')])).body).toMatchObject({ kept: 1 });
    await journey.posted(SECURITY, /\(critical\): Used after access should have been gone/);
    await journey.idle();
    const kinds = (await journey.story(id)).map(({ kind }) => kind);
    expect(kinds.filter((kind) => kind.startsWith('finding.') || kind === 'grant.revoked')).toEqual([
      'finding.opened',
      'grant.revoked',
      'finding.revoked',
      'finding.opened',
    ]);
  });
});
