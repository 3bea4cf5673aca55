/**
 * Freezing and lifting, through Slack and from the host: nothing new is granted there meanwhile, every surface says so,
 * and what is live stays.
 */
import { afterEach, describe, expect, it } from 'vitest';
import { freezeCommand, unfreezeCommand } from '../../src/cli/emergency.ts';
import { createOut } from '../../src/cli/out.ts';
import { dmsOf, textOf } from '../../src/sandbox/slack-reading.ts';
import type { Name } from '../../src/sandbox/world.ts';
import { APPROVALS, EITHER, type Journey, PEOPLE, SECURITY, startJourney } from '../support/journey.ts';

const MINUTE = 60_000;
const WAIT_MS = 6_000;
const ASK = 'db-prod 30m fix stuck migration';

let journey: Journey;
afterEach(() => journey.end());

async function says(name: Name, text: string): Promise<string> {
  return textOf(await (await journey.person(name).slash(text)).said(WAIT_MS));
}

async function state(id: string): Promise<string | undefined> {
  return (await journey.bot.store.request(id))?.request.state;
}

const frozenKinds = async () =>
  (await journey.bot.store.chain(0, 1_000))
    .map(({ canonical }) => (JSON.parse(canonical) as { kind: string }).kind)
    .filter((kind) => kind.startsWith('freeze.'));

describe.each(EITHER)('a freeze, on %s', (dialect) => {
  it('of a resource withdraws what waits, refuses what is asked, leaves what is live, and ends when it is lifted', async () => {
    journey = await startJourney(dialect);
    const live = await journey.ask('ana', ASK);
    await journey.approve('ben', live.card, 'ana');
    const waiting = await journey.ask('dan', 'db-prod:admin 30m fix it all again');

    for (const name of ['dan', 'ben'] as const)
      expect(await says(name, 'freeze db-prod I would rather')).toMatch(/may not revoke access, freeze/);
    expect(await says('sam', 'freeze db-prod incident 4711, see the channel')).toMatch(
      /Frozen: db-prod\. 1 waiting request withdrawn/,
    );
    await journey.posted(SECURITY, /db-prod is frozen by Sam Haddad.*incident 4711/s);
    await journey.posted(APPROVALS, /db-prod is frozen by Sam Haddad.*incident 4711/s);
    await journey.told('dan', new RegExp(`${waiting.id}.*Withdrawn.*db-prod is frozen: incident 4711`));
    expect(await state(waiting.id)).toBe('withdrawn');
    expect(journey.isMember('ana', 'read')).toBe(true);

    const pressed = await journey.person('ben').press(waiting.card, 'approve');
    expect(textOf(await pressed.said(WAIT_MS))).toMatch(/no longer waiting/);
    const why = /db-prod is frozen since .{0,12}\d\d:\d\d UTC, by Sam Haddad: “incident 4711, see the channel”/;
    expect(await says('dan', 'request db-prod:admin 30m fix it all again')).toMatch(why);
    expect(await says('ana', `extend ${live.id} 30m still not done`)).toMatch(why);
    for (const [name, text] of [
      ['ana', 'list active'],
      ['ana', `status ${live.id}`],
      ['ana', 'who db-prod'],
      ['dan', 'on-call db-prod'],
      ['sam', 'digest today'],
    ] as const)
      expect(await says(name, text), text).toMatch(why);
    expect(await says('dan', 'on-call')).toMatch(why);

    // Another resource is open, though it confers the same group.
    expect(await says('dan', 'request reports 30m the monthly report')).toMatch(/Requested/);
    expect(await says('sam', 'freeze db-prod once more')).toMatch(/That freeze stands/);
    expect(await says('dan', 'unfreeze db-prod')).toMatch(/may not/);
    expect(await says('sam', 'unfreeze db-prod')).toMatch(/Lifted\. db-prod can be requested again/);
    await journey.posted(SECURITY, /db-prod is open again, lifted by Sam Haddad/);
    expect(await says('sam', 'unfreeze db-prod')).toMatch(/is not frozen/);
    await journey.idle();
    const again = await journey.ask('dan', 'db-prod:admin 30m fix it all again');
    await journey.approve('ben', again.card, 'dan');
    expect(journey.isMember('dan', 'admin')).toBe(true);
    expect(await frozenKinds()).toEqual([
      'freeze.refused',
      'freeze.refused',
      'freeze.made',
      'freeze.refused',
      'freeze.lifted',
    ]);
  });

  it('of a person holds for that person alone, in every resource and every account, also when they have left', async () => {
    journey = await startJourney(dialect);
    const waiting = await journey.ask('ana', ASK);
    journey.okta.control({ do: 'set-status', user: PEOPLE.ana.okta, status: 'SUSPENDED' });
    await journey.moveClock(2 * MINUTE);
    const mention = `<@${PEOPLE.ana.slack}|ana>`;
    expect(await says('sam', `freeze ${mention} laptop stolen`)).toMatch(/Frozen: Ana .*1 waiting request withdrawn/);
    expect(await state(waiting.id)).toBe('withdrawn');
    journey.okta.control({ do: 'set-status', user: PEOPLE.ana.okta, status: 'ACTIVE' });
    await journey.moveClock(2 * MINUTE);
    expect(await says('ana', `request ${ASK}`)).toMatch(/Ana .* is frozen since .*laptop stolen/);
    expect(await says('dan', 'list')).not.toMatch(/frozen/);
    await journey.ask('dan', ASK);
    expect(await says('sam', `unfreeze ${PEOPLE.ana.email}`)).toMatch(/Lifted/);
    await journey.ask('ana', ASK);
  });

  it('that comes at the moment of the approval wins or loses whole: no access begins after it', async () => {
    journey = await startJourney(dialect);
    const { id, card } = await journey.ask('ana', ASK);
    const press = journey.person('ben').press(card, 'approve');
    const [approved, frozen] = await Promise.all([
      press.then((reply) => reply.said(WAIT_MS)).then(textOf),
      says('sam', 'freeze all everything is on fire'),
    ]);
    expect(frozen).toMatch(/Frozen: everything|Checking/);
    await journey.posted(SECURITY, /everything is frozen by Sam Haddad/);
    await journey.pass(30_000);
    await journey.idle();
    const record = await journey.bot.store.request(id);
    const events = await journey.story(id);
    const sent = events.filter(({ kind }) => kind === 'membership.addition_started');
    if (record?.request.state === 'approved') {
      expect(approved).toMatch(/Approved/);
      // Added before the freeze, and then left alone; or stopped, and taken out again where it was on its way.
      expect(journey.isMember('ana', 'read')).toBe(record.grant?.state === 'active');
    } else {
      expect(record?.request.state).toBe('withdrawn');
      expect(sent).toEqual([]);
      expect(journey.isMember('ana', 'read')).toBe(false);
    }
    expect(dmsOf(journey.slack.state, PEOPLE.ana.slack).map(textOf).join('\n')).toMatch(
      /everything is frozen|Added to/,
    );
  });
});

describe('a freeze', () => {
  it('is shown in the form and on the home tab before anything is sent', async () => {
    journey = await startJourney('sqlite');
    expect(await says('sam', 'freeze all everything is on fire')).toMatch(/Frozen: everything/);
    const by = { platform: 'slack', tenant: journey.slack.state.team.id, id: PEOPLE.ana.slack } as const;
    const form = await journey.bot.handler.form(by, { resource: 'db-prod' });
    expect(form.chosen?.preview.refusal).toMatchObject({ code: 'frozen', what: 'everything', by: 'Sam Haddad' });
    const home = await journey.bot.handler.home(by);
    expect(home.frozen?.join()).toMatch(/everything is frozen .*on fire/);
  });

  it('is for those on call on what they approve, and not of people or of everything', async () => {
    journey = await startJourney('sqlite', {
      config: (yaml) =>
        yaml.replace('responders: [ group:okta/security ]', 'responders: [ group:okta/security, on-call:dba ]'),
    });
    expect(await says('ben', 'freeze db-prod looks wrong to me')).toMatch(/Frozen: db-prod/);
    expect(await says('ben', 'freeze all looks wrong to me')).toMatch(/may not/);
    expect(await says('ben', `freeze <@${PEOPLE.ana.slack}|ana> looks wrong`)).toMatch(/may not/);
    expect(await says('cat', 'unfreeze db-prod')).toMatch(/Lifted/);
  });

  it('comes from the host too while chat is away, and is lifted there', async () => {
    journey = await startJourney('sqlite');
    const { id } = await journey.ask('ana', ASK);
    const said: string[] = [];
    const io = createOut(false, (text) => said.push(text));
    const by = { operator: 'root' };
    expect(await freezeCommand(io, journey.settings, { scope: PEOPLE.ana.email, reason: 'stolen', by })).toBe(0);
    expect(said.join('')).toMatch(/Frozen: Ana Sousa\. 1 waiting request withdrawn.*hallpass revoke/s);
    expect((await journey.bot.store.request(id))?.request).toMatchObject({
      state: 'withdrawn',
      closedBy: 'root (on the host)',
    });
    // Nobody holds or waits for anything there: the directory says who it is.
    expect(await freezeCommand(io, journey.settings, { scope: PEOPLE.dan.email, reason: 'stolen too', by })).toBe(0);
    expect(await unfreezeCommand(io, journey.settings, { scope: PEOPLE.ana.email, by })).toBe(0);
    expect((await journey.bot.store.freezes()).live.map(({ name }) => name)).toEqual(['Dan Ito']);
    for (const [scope, reason] of [
      ['db-prd', 'incident'],
      ['@ana', 'incident'],
      ['all', ' \u200b '],
    ] as const)
      expect(await freezeCommand(io, journey.settings, { scope, reason, by })).toBe(1);
  });

  it('names what is wrong with a command, and changes nothing', async () => {
    journey = await startJourney('sqlite');
    for (const [text, words] of [
      ['freeze', /Write .*freeze <resource/],
      ['freeze db-prod', /reason is missing/],
      ['freeze db-prd the reason', /Did you mean “?db-prod/],
      ['freeze @ana the reason', /nobody called “@ana”/],
      ['freeze nobody@example.com the reason', /nobody called/],
      ['unfreeze', /Write .*unfreeze/],
    ] as const)
      expect(await says('sam', text), text).toMatch(words);
    expect((await journey.bot.store.freezes()).version).toBe(0);
  });
});
