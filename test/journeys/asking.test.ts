/** Who is asked, and when: stages, the ladder and handovers, from signed Slack requests to the directory. */
import { afterEach, describe, expect, it } from 'vitest';
import { button, dmsOf, messagesIn, textOf } from '../../src/sandbox/slack-reading.ts';
import { APPROVALS, EITHER, type Journey, PEOPLE, startJourney } from '../support/journey.ts';

const MINUTE = 60_000;
const WAIT_MS = 6_000;
const WHO = '    approvers:  [ on-call:dba ]\n    approvals: 1\n';

let journey: Journey;

const policy = (text: string) => (yaml: string) => yaml.replace(WHO, text);
const kindsOf = async (id: string) => (await journey.story(id)).map((event) => event.kind);
const cardTo = (name: keyof typeof PEOPLE, id: string) => journey.told(name, new RegExp(`Access request ${id}`));

/** Ids mentioned in the newest state of the request's message in the channel. */
function mentioned(id: string): readonly string[] {
  const message = messagesIn(journey.slack.state, APPROVALS).find((one) => textOf(one).includes(id));
  return [...JSON.stringify(message?.blocks ?? []).matchAll(/"user_id":"([^"]+)"/g)].map((match) => match[1] ?? '');
}

async function channelMentions(id: string, name: keyof typeof PEOPLE): Promise<void> {
  await journey.slack.waitFor(() => mentioned(id).includes(PEOPLE[name].slack) || undefined, WAIT_MS, `${name} named`);
}

describe.each(EITHER)('who is asked, on %s', (dialect) => {
  afterEach(() => journey.end());

  it('security after on-call: the second stage is asked when the first is complete, and nobody counts in both', async () => {
    journey = await startJourney(dialect, {
      config: policy(
        '    stages:\n      - { approvers: [ on-call:dba ] }\n      - { approvers: [ group:okta/security, on-call:dba ] }\n',
      ),
    });
    const { id, card } = await journey.ask('ana', 'db-prod 30m fix stuck migration');
    expect(textOf(card)).toMatch(
      /Waiting for approval by on-call dba \(stage 1 of 2\)\. Then security or on-call dba\./,
    );
    expect(dmsOf(journey.slack.state, PEOPLE.sam.slack)).toEqual([]);
    const early = await journey.person('sam').press(card, 'approve');
    expect(textOf(await early.said(WAIT_MS))).toMatch(/waits for on-call dba first/);

    await journey.person('ben').press(card, 'approve');
    await cardTo('sam', id);
    await channelMentions(id, 'sam');
    expect(mentioned(id)).not.toContain(PEOPLE.ben.slack);
    const twice = await journey.person('ben').press(card, 'approve');
    expect(textOf(await twice.said(WAIT_MS))).toMatch(/answered R-\w+ already/);
    expect(journey.isMember('ana', 'read')).toBe(false);

    await journey.approve('sam', card, 'ana');
    expect(journey.isMember('ana', 'read')).toBe(true);
    const record = await journey.bot.store.request(id);
    expect(record?.approvals.map(({ approverName, stage }) => [approverName, stage])).toEqual([
      [PEOPLE.ben.name, undefined],
      [PEOPLE.sam.name, 1],
    ]);
  });

  it('an approver may give less than was asked, from the menu or typed, and never more', async () => {
    journey = await startJourney(dialect);
    const { id, card } = await journey.ask('ana', 'db-prod 2h fix stuck migration');
    const longer = await journey.person('ben').slash(`approve ${id} 3h`);
    expect(textOf(await longer.said(WAIT_MS))).toMatch(/asks for 2 h, and nobody can approve it for longer/);
    const typed = await (await journey.person('ben').slash(`approve ${id} 45m`)).said(WAIT_MS);
    expect(textOf(typed)).toMatch(/You would approve it for 45 min/);
    expect(button(typed, 'approve')?.text).toBe('Approve for 45 min');

    await journey.person('cat').pick(card, 'approve_for', '30 min');
    const told = await journey.told('ana', /Added to .*\(checked\)/);
    expect(textOf(told)).toMatch(/30 min \(asked 2 h, Cat Lindqvist approved for 30 min\)/);
    const grant = (await journey.bot.store.request(id))?.grant;
    expect((grant?.expiresAt ?? 0) - (grant?.startsAt ?? 0)).toBe(30 * MINUTE);
  });

  it('a request that nobody answers goes to the next people at its time, who may answer from then on', async () => {
    journey = await startJourney(dialect, {
      config: policy(`${WHO}    escalate: [ { after: 10m, to: [ group:okta/security ] } ]\n`),
    });
    const { id, card } = await journey.ask('ana', 'db-prod 30m fix stuck migration');
    expect(textOf(card)).toMatch(/Goes to security .{0,12}\d\d:\d\d UTC if nobody answers\./);
    const early = await journey.person('sam').press(card, 'approve');
    expect(textOf(await early.said(WAIT_MS))).toMatch(/may not answer/);

    await journey.moveClock(11 * MINUTE);
    const asked = await cardTo('sam', id);
    expect(await kindsOf(id)).toContain('request.escalated');
    await journey.approve('sam', asked, 'ana');
    expect(journey.isMember('ana', 'read')).toBe(true);
  });

  it('those who can answer are reminded below the request, and no longer once it is answered', async () => {
    journey = await startJourney(dialect, { config: policy(`${WHO}    remindEvery: 10m\n`) });
    const { id, card } = await journey.ask('ana', 'db-prod 30m fix stuck migration');
    const own = await cardTo('ben', id);
    await journey.idle();
    await journey.moveClock(11 * MINUTE);
    const reminder = await journey.told('ben', /Reminder: R-\w+ still waits for an answer\./);
    expect(reminder.thread_ts).toBe(own.ts);
    expect(textOf(reminder)).toMatch(/Ana Sousa asks for db-prod:read for 30 min\. It lapses/);
    await journey.told('cat', /Reminder: /);

    await journey.approve('ben', card, 'ana');
    await journey.moveClock(11 * MINUTE);
    await journey.idle();
    expect(dmsOf(journey.slack.state, PEOPLE.ben.slack).filter((one) => /^Reminder/.test(one.text))).toHaveLength(1);
    expect((await kindsOf(id)).filter((kind) => kind === 'request.reminded')).toHaveLength(1);
  });

  it('with nobody on call but the requester it goes to the next people at once', async () => {
    journey = await startJourney(dialect, {
      config: (yaml) =>
        policy(`${WHO}    escalate: [ { after: 10m, to: [ group:okta/security ] } ]\n`)(yaml).replace(
          `people: [ ${PEOPLE.ben.email}, ${PEOPLE.cat.email} ]`,
          `people: [ ${PEOPLE.ana.email} ]`,
        ),
    });
    const { id } = await journey.ask('ana', 'db-prod 30m fix stuck migration');
    await cardTo('sam', id);
    const record = await journey.bot.store.request(id);
    expect(record?.request.asking).toMatchObject({ steps: 1, now: [{ name: PEOPLE.sam.name }] });
  });

  it('whoever comes on call while a request waits is asked and named, and whoever went off call can no longer approve', async () => {
    journey = await startJourney(dialect, {
      slackSeed: (seed) => ({
        ...seed,
        usergroups: [{ id: 'S0DBA', handle: 'dba', users: [PEOPLE.ben.slack] }],
      }),
      config: (yaml) =>
        policy(`${WHO}    escalate: [ { after: 50m, to: [ group:okta/security ] } ]\n`)(yaml).replace(
          /dba: .*/,
          'dba: { type: slack-user-group, group: S0DBA }',
        ),
    });
    const { id, card } = await journey.ask('ana', 'db-prod 30m fix stuck migration');
    const first = await cardTo('ben', id);
    await journey.slack.control({ do: 'set_group', group: { id: 'S0DBA', users: [PEOPLE.cat.slack] } });
    await journey.moveClock(3 * MINUTE);
    const second = await cardTo('cat', id);
    await channelMentions(id, 'cat');
    expect(mentioned(id)).toEqual([PEOPLE.cat.slack]);

    const late = await journey.person('ben').press(first, 'approve');
    expect(textOf(await late.said(WAIT_MS))).toMatch(/may not answer/);
    expect(textOf(card)).toContain(id);
    await journey.approve('cat', second, 'ana');
    expect(journey.isMember('ana', 'read')).toBe(true);
  });

  it('an on-call source that is down is named, its fallback is asked, and nothing is approved by it', async () => {
    journey = await startJourney(dialect, {
      slackSeed: (seed) => ({
        ...seed,
        usergroups: [{ id: 'S0DBA', handle: 'dba', users: [PEOPLE.ben.slack] }],
      }),
      config: (yaml) =>
        policy(`${WHO}    escalate: [ { after: 50m, to: [ group:okta/security ] } ]\n`)(yaml).replace(
          /dba: .*/,
          'dba: { type: slack-user-group, group: S0DBA }',
        ),
    });
    await journey.slack.control({
      do: 'fault',
      method: 'usergroups.users.list',
      kind: 'slack_error',
      error: 'fatal_error',
      times: 50,
    });
    const { id, card } = await journey.ask('ana', 'db-prod 30m fix stuck migration');
    const asked = await cardTo('sam', id);
    expect(textOf(asked)).toMatch(/Could not look up on-call:dba\./);
    const unsure = await journey.person('ben').press(card, 'approve');
    expect(textOf(await unsure.said(WAIT_MS))).toMatch(/could not check/);
    expect(journey.isMember('ana', 'read')).toBe(false);
  });
});
