/**
 * Several grants on one membership, and memberships that others gave: whoever still needs it keeps it, what was there
 * before stays, and what we added goes. `reports:read` and `db-prod:read` confer the same group.
 */
import { afterEach, describe, expect, it } from 'vitest';
import { textOf } from '../../src/sandbox/slack-reading.ts';
import { DIALECTS, GROUPS, type Journey, PEOPLE, startJourney } from '../support/journey.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

describe.each(DIALECTS)('grants that share a group, on %s', (dialect) => {
  let journey: Journey;
  afterEach(() => journey.end());

  async function granted(text: string): Promise<string> {
    const { id, card } = await journey.ask('ana', text);
    await journey.approve('ben', card, 'ana');
    expect(journey.isMember('ana', 'read')).toBe(true);
    return id;
  }

  const kinds = async (id: string) => (await journey.story(id)).map((event) => event.kind);

  it('the first to end leaves the membership to the one that lasts longer', async () => {
    journey = await startJourney(dialect);
    const short = await granted('db-prod 30m fix stuck migration');
    const long = await granted('reports 2h the monthly report');

    await journey.moveClock(31 * MINUTE);
    await journey.told('ana', new RegExp(`${short}: ended.*Another grant still needs prod-db-read`));
    await journey.idle();
    expect(journey.isMember('ana', 'read')).toBe(true);
    expect(await kinds(short)).not.toContain('membership.removal_started');

    await journey.moveClock(90 * MINUTE);
    await journey.told('ana', new RegExp(`${long}: ended.*Removed from prod-db-read .*checked`));
    expect(journey.isMember('ana', 'read')).toBe(false);
  });

  it('a shorter second grant never shortens the first', async () => {
    journey = await startJourney(dialect);
    const long = await granted('db-prod 2h fix stuck migration');
    const short = await granted('reports 30m the monthly report');

    await journey.moveClock(31 * MINUTE);
    await journey.told('ana', new RegExp(`${short}: ended.*Another grant still needs prod-db-read`));
    await journey.moveClock(88 * MINUTE);
    await journey.idle();
    expect(journey.isMember('ana', 'read')).toBe(true);

    await journey.moveClock(2 * MINUTE);
    await journey.told('ana', new RegExp(`${long}: ended.*Removed from prod-db-read .*checked`));
    expect(journey.isMember('ana', 'read')).toBe(false);
  });

  it('of two that end at the same instant, neither leaves the removal to the other', async () => {
    journey = await startJourney(dialect);
    const ids = [await granted('db-prod 30m fix stuck migration'), await granted('reports 30m the monthly report')];

    await journey.moveClock(31 * MINUTE);
    for (const id of ids) await journey.told('ana', new RegExp(`${id}: ended`));
    await journey.idle();
    expect(journey.isMember('ana', 'read')).toBe(false);
    for (const id of ids) expect(await kinds(id)).toContain('grant.ended');
    const stories = (await Promise.all(ids.map(kinds))).flat();
    expect(stories.filter((kind) => kind === 'membership.proven_absent')).toHaveLength(1);
  });

  it('one is returned and the other runs out', async () => {
    journey = await startJourney(dialect);
    const returned = await granted('db-prod 1h fix stuck migration');
    const kept = await granted('reports 30m the monthly report');

    await journey.person('ana').slash(`return ${returned}`);
    await journey.told('ana', new RegExp(`${returned}: ended.*Another grant still needs prod-db-read`));
    await journey.idle();
    expect(journey.isMember('ana', 'read')).toBe(true);

    await journey.moveClock(31 * MINUTE);
    await journey.told('ana', new RegExp(`${kept}: ended.*Removed from prod-db-read .*checked`));
    expect(journey.isMember('ana', 'read')).toBe(false);
  });

  it('one is revoked, and the other goes on until its own end', async () => {
    journey = await startJourney(dialect);
    const revoked = await granted('db-prod 1h fix stuck migration');
    const kept = await granted('reports 30m the monthly report');

    await journey.person('sam').slash(`revoke ${revoked} not needed any more`);
    await journey.told('ana', new RegExp(`${revoked}: ended.*Revoked by Sam Haddad.*Another grant still needs`));
    await journey.idle();
    expect(journey.isMember('ana', 'read')).toBe(true);

    await journey.moveClock(31 * MINUTE);
    await journey.told('ana', new RegExp(`${kept}: ended.*Removed from prod-db-read`));
    expect(journey.isMember('ana', 'read')).toBe(false);
  });

  it('one that is asked for while the last is still being removed takes the membership over, and ends it', async () => {
    journey = await startJourney(dialect);
    journey.okta.control({ do: 'fault', fault: { kind: 'status', status: 503, method: 'DELETE' } });
    const first = await granted('db-prod 30m fix stuck migration');
    await journey.moveClock(31 * MINUTE);
    await journey.told('ana', new RegExp(`${first}.*[Ss]till a member of prod-db-read`));
    expect(journey.isMember('ana', 'read')).toBe(true);

    // The read before an addition would show a member: our own, not a baseline.
    const second = await granted('db-prod 30m fix stuck migration once more');
    await journey.told('ana', new RegExp(`${first}: ended.*Another grant still needs prod-db-read`));
    expect(await kinds(second)).not.toContain('membership.baseline_found');

    journey.okta.control({ do: 'clear' });
    await journey.moveClock(31 * MINUTE);
    await journey.told('ana', new RegExp(`${second}: ended.*Removed from prod-db-read .*checked`));
    expect(journey.isMember('ana', 'read')).toBe(false);
  });

  it('one that is asked for before a lost removal is known about is not undone by it', async () => {
    journey = await startJourney(dialect, { callDeadlineMs: 1_000 });
    const first = await granted('db-prod 30m fix stuck migration');
    // Both the removal and everything that would tell of it fail, until the new grant is there.
    journey.okta.control({ do: 'fault', fault: { kind: 'reset', after: true, method: 'DELETE' } });
    await journey.moveClock(31 * MINUTE);
    await journey.told('ana', new RegExp(`${first}.*[Ss]till a member of prod-db-read`));
    expect(journey.isMember('ana', 'read')).toBe(false);

    const second = await granted('db-prod 30m fix stuck migration once more');
    await journey.pass(20 * SECOND);
    expect(journey.isMember('ana', 'read')).toBe(true);

    journey.okta.control({ do: 'clear' });
    await journey.moveClock(31 * MINUTE);
    await journey.told('ana', new RegExp(`${second}: ended.*Removed from prod-db-read .*checked`));
    expect(journey.isMember('ana', 'read')).toBe(false);
  });
});

describe.each(DIALECTS)('memberships that somebody else gave, on %s', (dialect) => {
  let journey: Journey;
  afterEach(() => journey.end());

  const give = (name: 'ana' | 'dan' | 'pat') =>
    journey.okta.control({ do: 'add-member', group: GROUPS.read, user: PEOPLE[name].okta });
  const take = (name: 'ana' | 'dan' | 'pat') =>
    journey.okta.control({ do: 'remove-member', group: GROUPS.read, user: PEOPLE[name].okta });

  it('a permanent member who asks is told so, and stays', async () => {
    journey = await startJourney(dialect, {
      okta: {
        seed: (seed) => ({
          ...seed,
          groups: seed.groups.map((group) =>
            group.id === GROUPS.engineering ? { ...group, members: [...group.members, PEOPLE.pat.okta] } : group,
          ),
        }),
      },
    });
    give('dan');
    for (const name of ['pat', 'dan'] as const) {
      const reply = await journey.person(name).slash('request db-prod 30m look at one order');
      expect(textOf(await reply.said())).toMatch(/permanent member of prod-db-read already/);
    }
    await journey.pass(5 * HOUR, HOUR);
    expect(journey.isMember('pat', 'read')).toBe(true);
    expect(journey.isMember('dan', 'read')).toBe(true);
  });

  it('who becomes a permanent member before the approval is left as a permanent member', async () => {
    journey = await startJourney(dialect);
    const { id, card } = await journey.ask('ana', 'db-prod 30m fix stuck migration');
    give('ana');
    await journey.person('ben').press(card, 'approve');
    await journey.told('ana', new RegExp(`${id}: ended.*already a member.*prod-db-read was there before and stays`));
    await journey.pass(5 * HOUR, HOUR);
    expect(journey.isMember('ana', 'read')).toBe(true);
    const kinds = (await journey.story(id)).map((event) => event.kind);
    expect(kinds).toContain('membership.baseline_found');
    expect(kinds).not.toContain('membership.addition_started');
    expect(kinds).not.toContain('membership.removal_started');
  });

  it('a permanent membership that was taken away since can be granted, and that grant ends', async () => {
    journey = await startJourney(dialect);
    const before = await journey.ask('ana', 'db-prod 30m fix stuck migration');
    give('ana');
    await journey.person('ben').press(before.card, 'approve');
    await journey.told('ana', new RegExp(`${before.id}: ended.*already a member`));
    take('ana');

    const after = await journey.ask('ana', 'db-prod 30m fix stuck migration');
    await journey.approve('ben', after.card, 'ana');
    expect(journey.isMember('ana', 'read')).toBe(true);
    await journey.moveClock(31 * MINUTE);
    await journey.told('ana', new RegExp(`${after.id}: ended.*Removed from prod-db-read .*checked`));
    expect(journey.isMember('ana', 'read')).toBe(false);
  });

  it('somebody else adding the holder during a grant does not outlive the grant', async () => {
    journey = await startJourney(dialect);
    const { id, card } = await journey.ask('ana', 'db-prod 30m fix stuck migration');
    await journey.approve('ben', card, 'ana');
    give('ana');
    await journey.moveClock(31 * MINUTE);
    await journey.told('ana', new RegExp(`${id}: ended.*Removed from prod-db-read .*checked`));
    expect(journey.isMember('ana', 'read')).toBe(false);
  });

  it('a grant of two groups adds only the one that was missing, and takes only that one away', async () => {
    journey = await startJourney(dialect, {
      config: (yaml) =>
        yaml.replace(
          'grants: [ { directory: okta, group: prod-db-admin } ]',
          'grants: [ { directory: okta, group: prod-db-admin }, { directory: okta, group: prod-db-read } ]',
        ),
    });
    give('ana');
    const { id, card } = await journey.ask('ana', 'db-prod:admin 30m fix stuck migration');
    await journey.approve('ben', card, 'ana');
    expect(journey.isMember('ana', 'admin')).toBe(true);
    await journey.moveClock(31 * MINUTE);
    await journey.told('ana', new RegExp(`${id}: ended.*Removed from prod-db-admin`));
    expect(journey.isMember('ana', 'admin')).toBe(false);
    expect(journey.isMember('ana', 'read')).toBe(true);
  });
});

describe.each(DIALECTS)('a grant of two groups, on %s', (dialect) => {
  let journey: Journey;
  afterEach(() => journey.end());

  const both = (yaml: string) =>
    yaml.replace(
      'grants: [ { directory: okta, group: prod-db-admin } ]',
      'grants: [ { directory: okta, group: prod-db-admin }, { directory: okta, group: prod-db-read } ]',
    );
  const toAdmin = { method: 'PUT', path: GROUPS.admin } as const;

  async function approved(): Promise<string> {
    const { id, card } = await journey.ask('ana', 'db-prod:admin 30m fix stuck migration');
    await journey.person('ben').press(card, 'approve');
    // Acknowledged is not decided yet: the clock must not be moved before.
    await journey.told('ana', new RegExp(`${id}: (approved|active)`));
    // Nor while a call is under way: minutes that pass between its mark and its answer make that answer a lost one.
    await journey.idle();
    return id;
  }

  async function over(id: string): Promise<void> {
    await journey.moveClock(31 * MINUTE);
    await journey.pass(20 * SECOND, 10 * SECOND);
    await journey.told('ana', new RegExp(`${id}: ended`));
    expect(journey.isMember('ana', 'read')).toBe(false);
    expect(journey.isMember('ana', 'admin')).toBe(false);
  }

  it('shares one of them with another grant, and each is removed with the last that needs it', async () => {
    journey = await startJourney(dialect, { config: both });
    const { id: wide, card } = await journey.ask('ana', 'db-prod:admin 30m fix stuck migration');
    await journey.approve('ben', card, 'ana');
    const narrow = await journey.ask('ana', 'reports 1h the monthly report');
    await journey.approve('ben', narrow.card, 'ana');

    await journey.moveClock(31 * MINUTE);
    await journey.told(
      'ana',
      new RegExp(`${wide}: ended.*Removed from prod-db-admin.*Another grant still needs prod-db-read`),
    );
    expect(journey.isMember('ana', 'admin')).toBe(false);
    expect(journey.isMember('ana', 'read')).toBe(true);
    await journey.moveClock(30 * MINUTE);
    await journey.told('ana', new RegExp(`${narrow.id}: ended.*Removed from prod-db-read`));
    expect(journey.isMember('ana', 'read')).toBe(false);
  });

  it('of which Okta refuses one goes on with the other, says so, and ends with it', async () => {
    journey = await startJourney(dialect, { config: both });
    journey.okta.control({ do: 'fault', fault: { kind: 'status', status: 403, ...toAdmin } });
    const id = await approved();
    await journey.told('ana', new RegExp(`${id}: active.*Added to prod-db-read.*Not added to prod-db-admin`));
    expect(journey.isMember('ana', 'read')).toBe(true);
    await over(id);
  });

  it('of which one cannot be added in time goes on with the other, and never adds it later', async () => {
    journey = await startJourney(dialect, { config: both });
    journey.okta.control({ do: 'fault', fault: { kind: 'status', status: 429, ...toAdmin } });
    const id = await approved();
    await journey.pass(11 * MINUTE, 2 * MINUTE);
    await journey.told('ana', new RegExp(`${id}: active.*Added to prod-db-read.*Not added to prod-db-admin`));
    journey.okta.control({ do: 'clear' });
    await journey.pass(10 * MINUTE, 5 * MINUTE);
    expect(journey.isMember('ana', 'admin')).toBe(false);
    expect(journey.isMember('ana', 'read')).toBe(true);
    await over(id);
  });

  it('of which one was added with every answer lost ends with both removed', async () => {
    journey = await startJourney(dialect, { config: both });
    journey.okta.control({ do: 'fault', fault: { kind: 'reset', after: true, ...toAdmin } });
    const id = await approved();
    await journey.pass(11 * MINUTE, 2 * MINUTE);
    await journey.told('ana', new RegExp(`${id}: active.*Ends`));
    expect(journey.isMember('ana', 'admin')).toBe(true);
    await over(id);
  });
});
