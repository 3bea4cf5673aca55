/** What the directory holds and the record does not explain, and the other way round. */
import { afterEach, describe, expect, it } from 'vitest';
import { createOut } from '../../src/cli/out.ts';
import { reconcileCommand } from '../../src/cli/reconcile.ts';
import { messagesIn, textOf } from '../../src/sandbox/slack-reading.ts';
import { EITHER, GROUPS, type Journey, PEOPLE, SECURITY, startJourney } from '../support/journey.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** `prod-db-admin` holds nobody without a grant. */
const exclusive = (drift: string) => (yaml: string) =>
  yaml
    .replace('{ directory: okta, group: prod-db-admin }', '{ directory: okta, group: prod-db-admin, exclusive: true }')
    .replace(/auth: \{ token: "\$\{OKTA_TOKEN\}" \}/, (auth) => `${auth}, ${drift}`);

let journey: Journey;
afterEach(() => journey.end());

const give = (name: 'ana' | 'dan' | 'pat', group: keyof typeof GROUPS = 'admin') =>
  journey.okta.control({ do: 'add-member', group: GROUPS[group], user: PEOPLE[name].okta });
const reconcile = async () => {
  const [report] = await journey.bot.reconciler.reconcile({ apply: true });
  await journey.idle();
  return report?.findings.map(({ drift, course }) => `${drift.login} ${drift.class} ${course}`);
};

describe.each(EITHER)('an exclusive group, on %s', (dialect) => {
  it('removes who has no grant from an exclusive group after the deadline, proves it, and says so in one message', async () => {
    journey = await startJourney(dialect, {
      config: exclusive('drift: { unknownMember: remove, removeAfter: 24h }'),
    });
    const { card } = await journey.ask('ana', 'db-prod:admin 2h fix stuck migration');
    await journey.approve('ben', card, 'ana');
    give('dan');
    give('pat');
    expect(await reconcile()).toEqual([
      `${PEOPLE.dan.email} unknown_member waits`,
      `${PEOPLE.pat.email} unknown_member waits`,
    ]);
    const told = textOf(await journey.posted(SECURITY, /The directory differs from the record/));
    expect(told).toMatch(/2 differences found in okta.*dan@example\.com is in prod-db-admin.*pat@example\.com is in/s);
    await reconcile();
    expect(messagesIn(journey.slack.state, SECURITY).filter((one) => /differs/.test(textOf(one)))).toHaveLength(1);

    await journey.moveClock(25 * HOUR);
    await journey.idle();
    expect(await reconcile()).toEqual([
      `${PEOPLE.dan.email} unknown_member removing`,
      `${PEOPLE.pat.email} unknown_member removing`,
    ]);
    await journey.pass(10_000);
    expect(journey.okta.state().groups[GROUPS.admin]).toEqual([]);
    expect((await journey.ready()).removalsOutstanding).toBe(0);
    // Where the group is not exclusive, who was there before stays.
    expect(journey.isMember('pat', 'read')).toBe(true);
    expect(await reconcile()).toEqual([]);
  });
});

describe('reconciliation', () => {
  const dialect = 'sqlite';

  it('only says what it would remove while a directory is observed, and grants still begin and end', async () => {
    journey = await startJourney(dialect, { config: exclusive('observe: true, drift: { unknownMember: remove }') });
    give('dan');
    expect(await reconcile()).toEqual([`${PEOPLE.dan.email} unknown_member would_remove`]);
    await journey.posted(SECURITY, /It would be removed; the directory is only observed/);
    const { id, card } = await journey.ask('ana', 'db-prod:admin 30m fix stuck migration');
    await journey.approve('ben', card, 'ana');
    await journey.moveClock(31 * MINUTE);
    await journey.told('ana', new RegExp(`${id}: ended.*Removed from prod-db-admin .*checked`));
    expect(journey.okta.state().groups[GROUPS.admin]).toEqual([PEOPLE.dan.okta]);
  });

  it('ends a grant whose membership somebody else took away, when told to, and not by the listing alone', async () => {
    journey = await startJourney(dialect, { config: exclusive('lag: 500ms, drift: { missingMember: end }') });
    const { id, card } = await journey.ask('ana', 'db-prod 2h fix stuck migration');
    await journey.approve('ben', card, 'ana');
    await journey.moveClock(20_000);
    expect(await reconcile()).toEqual([]);
    journey.okta.control({ do: 'remove-member', group: GROUPS.read, user: PEOPLE.ana.okta });
    expect(await reconcile()).toEqual([`${PEOPLE.ana.email} missing_member ending`]);
    await journey.pass(10_000);
    await journey.told('ana', new RegExp(`${id}: ended.*Somebody else removed the membership`));
    expect(await reconcile()).toEqual([]);
  });

  it('on the host only looks without --apply; with it removes, proves, and leaves nothing to the bot', async () => {
    journey = await startJourney(dialect, { config: exclusive('drift: { unknownMember: remove }') });
    give('dan');
    const host = async (apply: boolean) => {
      let said = '';
      const io = createOut(false, (text) => {
        said += text;
      });
      const code = await reconcileCommand(io, journey.settings, { apply, waitMs: 10_000, directory: 'okta' });
      return { code, said };
    };
    const looked = await host(false);
    expect(looked).toMatchObject({
      code: 0,
      said: expect.stringMatching(/dan@example\.com is in prod-db-admin.*Only looked at/s),
    });
    expect(journey.isMember('dan', 'admin')).toBe(true);
    expect(await journey.bot.store.drifts(10)).toEqual([]);
    expect(await host(true)).toMatchObject({ code: 0, said: expect.stringMatching(/Removed and checked: 1/) });
    expect(journey.isMember('dan', 'admin')).toBe(false);
    await journey.bot.sweep.sweep();
    await journey.posted(SECURITY, /dan@example\.com is in prod-db-admin.*It is being removed/s);
    expect(await host(true)).toMatchObject({ code: 0, said: expect.stringMatching(/No difference/) });
  });

  it('a directory that does not answer is named, and nothing is decided about it', async () => {
    journey = await startJourney(dialect, { config: exclusive('drift: { unknownMember: remove }') });
    give('dan');
    await reconcile();
    journey.okta.control({ do: 'fault', fault: { kind: 'status', status: 403, path: '/users' } });
    give('pat');
    const [report] = await journey.bot.reconciler.reconcile({ apply: true });
    expect(report?.failed.map(({ group }) => group).sort()).toEqual(['prod-db-admin', 'prod-db-read']);
    expect(report?.findings).toEqual([]);
    journey.okta.control({ do: 'clear' });
    expect(journey.isMember('pat', 'admin')).toBe(true);
  });
});

describe('adoption', () => {
  it('by an admin, and by nobody else, makes a granted membership permanent: its grant ends and it stays', async () => {
    journey = await startJourney('sqlite');
    const { id, card } = await journey.ask('ana', 'db-prod 30m fix stuck migration');
    await journey.approve('ben', card, 'ana');
    const adopt = async (name: 'ana' | 'ben' | 'sam') =>
      textOf(await (await journey.person(name).slash(`adopt ${id} joins the team for good`)).said());
    for (const name of ['ana', 'ben'] as const) expect(await adopt(name)).toMatch(/may not make access permanent/);
    expect(await adopt('sam')).toMatch(/Made permanent/);
    await journey.posted(SECURITY, /made it permanent: prod-db-read in okta.*joins the team for good/s);
    await journey.moveClock(31 * MINUTE);
    await journey.told('ana', new RegExp(`${id}: ended.*made permanent by an admin and stays`));
    expect(journey.isMember('ana', 'read')).toBe(true);
    expect((await journey.ready()).removalsOutstanding).toBe(0);
  });
});
