/**
 * Revoking a person, a resource or everything: shown first, confirmed by whoever was shown it, and over when the
 * directory itself says that everybody is out.
 */
import { afterEach, describe, expect, it } from 'vitest';
import { createOut } from '../../src/cli/out.ts';
import { type ManyOrder, revokeManyCommand } from '../../src/cli/revoke-many.ts';
import { button, messagesIn, textOf } from '../../src/sandbox/slack-reading.ts';
import type { SlackEphemeral } from '../../src/sandbox/slack-state.ts';
import type { Name } from '../../src/sandbox/world.ts';
import { EITHER, GROUPS, type Journey, PEOPLE, SECURITY, startJourney } from '../support/journey.ts';

const MINUTE = 60_000;
const SECOND = 1_000;
const WAIT_MS = 6_000;

let journey: Journey;
afterEach(() => journey.end());

async function reply(name: Name, text: string): Promise<SlackEphemeral> {
  return await (await journey.person(name).slash(text)).said(WAIT_MS);
}
const says = async (name: Name, text: string) => textOf(await reply(name, text));

async function give(name: Name, what: string): Promise<string> {
  const { id, card } = await journey.ask(name, what);
  await journey.approve(name === 'ben' ? 'cat' : 'ben', card, name);
  return id;
}

async function press(name: Name, preview: SlackEphemeral): Promise<string> {
  const pressed = await journey.person(name).press(preview, 'confirm-revocation');
  const said = textOf(await pressed.said(WAIT_MS));
  // Its first look is over before the clock is moved.
  await journey.idle();
  return said;
}

const told = (words: RegExp) => journey.posted(SECURITY, words);

describe.each(EITHER)('revoking everything somebody holds, on %s', (dialect) => {
  it('is shown, confirmed, proven and told in one message, and freezes the person', async () => {
    journey = await startJourney(dialect);
    await give('ana', 'db-prod 30m fix stuck migration');
    await give('ana', 'db-prod:admin 30m fix it with more');
    const other = await give('dan', 'db-prod 30m look at it too');
    const waiting = await journey.ask('ana', 'reports 30m the monthly report');

    const mention = `<@${PEOPLE.ana.slack}|ana>`;
    expect(await says('ben', `revoke ${mention} laptop stolen`)).toMatch(/may not revoke access/);
    const preview = await reply('sam', `revoke ${mention} laptop stolen`);
    expect(textOf(preview)).toMatch(
      /Preview: revoke all access of Ana Sousa.*ends 2 grants of 1 person in 2 groups.*2 removals in okta.*1 waiting request withdrawn.*Ana Sousa is frozen/s,
    );
    expect(textOf(preview)).toMatch(/Nothing has happened yet\. Confirm until .{0,12}\d\d:\d\d UTC/);
    await journey.idle();
    expect(journey.isMember('ana', 'read')).toBe(true);

    expect(await press('sam', preview)).toMatch(/Revok(ing|ed) all access of Ana Sousa/);
    expect(await press('sam', preview)).toMatch(/out of date/);
    const message = await told(/Revok(ing|ed) all access of Ana Sousa/);
    // Within Slack's limits the last change of the message may have to wait for its turn.
    await journey.pass(60 * SECOND, 5 * SECOND);
    const done = await told(/Revoked all access of Ana Sousa: 2 of 2 proven/);
    expect(done.ts).toBe(message.ts);
    expect(textOf(done)).toMatch(/By Sam Haddad .*laptop stolen/s);
    expect(textOf(done)).toMatch(
      /Over, and how it is known.*Ana Sousa: db-prod:admin .*Removed from prod-db-admin .*checked/s,
    );
    await journey.told('sam', /Revoked all access of Ana Sousa: 2 of 2 proven/);
    expect([journey.isMember('ana', 'read'), journey.isMember('ana', 'admin')]).toEqual([false, false]);
    expect(journey.isMember('dan', 'read')).toBe(true);
    expect((await journey.bot.store.request(other))?.grant?.state).toBe('active');
    expect((await journey.bot.store.request(waiting.id))?.request.state).toBe('withdrawn');

    expect(await says('ana', 'request db-prod 30m just once more')).toMatch(/Ana Sousa is frozen .*laptop stolen/);
    expect(await says('sam', `unfreeze ${mention}`)).toMatch(/Lifted/);
    await journey.ask('ana', 'db-prod 30m just once more');
    const kinds = (await journey.bot.store.chain(0, 5_000)).map(
      ({ canonical }) => (JSON.parse(canonical) as { kind: string }).kind,
    );
    for (const kind of ['revocation.previewed', 'revocation.confirmed', 'revocation.proven'])
      expect(
        kinds.filter((one) => one === kind),
        kind,
      ).toHaveLength(1);
    expect(kinds.filter((one) => one === 'grant.revoked')).toHaveLength(2);
  });

  it('of a resource spares whom it excepts and what is older, and leaves the resource open', async () => {
    journey = await startJourney(dialect);
    await give('dan', 'db-prod 2h look at it');
    await journey.moveClock(45 * MINUTE);
    await give('ana', 'db-prod 2h fix stuck migration');
    await give('cat', 'db-prod:admin 2h fix it with more');
    const preview = await reply(
      'sam',
      `revoke db-prod granted-since:30m except:<@${PEOPLE.cat.slack}|cat> credentials leaked`,
    );
    expect(textOf(preview)).toMatch(/ends 1 grant of 1 person in 1 group/);
    expect(textOf(preview)).toMatch(/Approved since: .*Except: Cat/s);
    expect(await press('sam', preview)).toMatch(/Revok(ing|ed) all access to db-prod/);
    await journey.pass(10 * SECOND);
    await told(/Revoked all access to db-prod: 1 of 1 proven/);
    expect(journey.isMember('ana', 'read')).toBe(false);
    expect([journey.isMember('dan', 'read'), journey.isMember('cat', 'admin')]).toEqual([true, true]);
    expect((await journey.bot.store.freezes()).live).toEqual([]);
    await journey.ask('ana', 'db-prod 30m with new credentials');
  });

  it('goes on while the directory is failing, shows what remains, and ends with the proof', async () => {
    journey = await startJourney(dialect);
    await give('ana', 'db-prod 4h fix stuck migration');
    await give('dan', 'db-prod:admin 4h fix it with more');
    journey.okta.control({ do: 'fault', fault: { kind: 'status', status: 503, method: 'DELETE' } });
    const preview = await reply('sam', 'revoke all the directory fails as well');
    expect(await press('sam', preview)).toMatch(/0 of 2 grants proven over/);
    await journey.pass(20 * SECOND);
    const meanwhile = await told(/Revoking all access to everything: 0 of 2 proven/);
    expect(textOf(meanwhile)).toMatch(
      /Remains.*Ana Sousa: db-prod:read .*(Removing from|Perhaps still a member of) prod-db-read/s,
    );
    expect(journey.isMember('ana', 'read')).toBe(true);
    journey.okta.control({ do: 'clear' });
    await journey.pass(MINUTE, 15 * SECOND);
    const done = await told(/Revoked all access to everything: 2 of 2 proven/);
    expect(done.ts).toBe(meanwhile.ts);
    expect([journey.isMember('ana', 'read'), journey.isMember('dan', 'admin')]).toEqual([false, false]);
  });
});

describe('a revocation', () => {
  it('that was previewed too long ago ends nothing', async () => {
    journey = await startJourney('sqlite');
    await give('ana', 'db-prod 4h fix stuck migration');
    const preview = await reply('sam', 'revoke db-prod credentials leaked');
    await journey.moveClock(11 * MINUTE);
    expect(await press('sam', preview)).toMatch(/preview is more than 10 minutes old/);
    expect(journey.isMember('ana', 'read')).toBe(true);
  });

  it('ends what was shown, and says what began since', async () => {
    journey = await startJourney('sqlite');
    await give('ana', 'db-prod 4h fix stuck migration');
    const preview = await reply('sam', 'revoke db-prod credentials leaked');
    await give('dan', 'db-prod 4h look at it too');
    expect(await press('sam', preview)).toMatch(/1 grant began after the preview and is not in it/);
    await journey.pass(10 * SECOND);
    await told(/1 of 1 proven/);
    expect([journey.isMember('ana', 'read'), journey.isMember('dan', 'read')]).toEqual([false, true]);
  });

  it('of a whole team is done in batches and told in one message', async () => {
    const many = Array.from({ length: 60 }, (_, n) => n);
    journey = await startJourney('sqlite');
    // Grants as an earlier process left them: what is looked at here is how many are ended, and how.
    const { store } = journey.bot;
    const base = await give('ana', 'db-prod 4h fix stuck migration');
    const record = await store.request(base);
    if (record?.grant === undefined) throw new Error('no grant');
    const { request, grant } = record;
    const cloned = many.flatMap((n) => {
      const [id, gid] = [`R-X${1000 + n}`, `G-X${1000 + n}`];
      const requester = `okta/other${n}`;
      return [
        { put: 'request' as const, row: { ...request, id, version: 1, requester, cardId: `x${n}`, audiences: [] } },
        { put: 'grant' as const, row: { ...grant, id: gid, version: 1, requestId: id, holder: requester } },
      ];
    });
    await store.commit({ changes: cloned });
    const preview = await reply('sam', 'revoke db-prod credentials leaked');
    expect(textOf(preview)).toMatch(/ends 61 grants of 61 people in 1 group/);
    await press('sam', preview);
    await journey.pass(20 * SECOND);
    await told(/Revoked all access to db-prod: 61 of 61 proven/);
    expect(
      messagesIn(journey.slack.state, SECURITY).filter((one) => /db-prod: \d+ of 61/.test(textOf(one))),
    ).toHaveLength(1);
    expect(journey.okta.state().groups[GROUPS.read]).toEqual([PEOPLE.pat.okta]);
  });

  it('comes from the host with the same preview, the same trail and the proof, while chat is away', async () => {
    journey = await startJourney('sqlite');
    await give('ana', 'db-prod 4h fix stuck migration');
    const waiting = await journey.ask('ana', 'reports 30m the monthly report');
    const said: string[] = [];
    const io = createOut(false, (text) => said.push(text));
    const order = (id: string, more: Partial<ManyOrder> = {}): ManyOrder => ({
      id,
      reason: 'laptop stolen',
      operator: 'root',
      waitMs: 20_000,
      except: [],
      yes: false,
      ...more,
    });
    const run = async (one: ManyOrder) => {
      said.length = 0;
      return [await revokeManyCommand(io, journey.settings, one), said.join('')] as const;
    };
    expect(await run(order(PEOPLE.ana.email))).toEqual([1, expect.stringMatching(/ends 1 grant.*Add --yes/s)]);
    expect(journey.isMember('ana', 'read')).toBe(true);
    expect(await run(order('all', { except: [PEOPLE.ana.email] }))).toEqual([1, expect.stringMatching(/Nobody holds/)]);
    expect((await run(order('all', { except: ['everybody'] })))[0]).toBe(1);
    expect((await run(order('db-prd')))[0]).toBe(1);
    const [code, text] = await run(order(PEOPLE.ana.email, { yes: true }));
    expect(text).toMatch(/Revoked all access of Ana Sousa: 1 of 1 proven.*By root \(on the host\).*checked/s);
    expect(code).toBe(0);
    expect(journey.isMember('ana', 'read')).toBe(false);
    expect((await journey.bot.store.request(waiting.id))?.request.state).toBe('withdrawn');
    expect((await journey.bot.store.freezes()).live.map(({ name }) => name)).toEqual(['Ana Sousa']);
  });

  it('names what is wrong with a command, and changes nothing', async () => {
    journey = await startJourney('sqlite');
    await give('ana', 'db-prod 4h fix stuck migration');
    for (const [text, words] of [
      ['revoke all', /reason is missing/],
      ['revoke db-prod granted-since:soon because', /not a duration/],
      ['revoke db-prod except:db-prod because', /nobody called/],
      ['revoke @ana because', /nobody called/],
      ['revoke reports because', /Nobody holds or waits/],
      ['revoke G-ZZZZ because', /nothing called/],
    ] as const)
      expect(await says('sam', text), text).toMatch(words);
    const preview = await reply('sam', 'revoke db-prod because');
    expect(button(preview, 'confirm-revocation')).toBeDefined();
    expect(journey.isMember('ana', 'read')).toBe(true);
  });
});
