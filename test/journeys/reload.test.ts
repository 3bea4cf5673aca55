/** A file that is changed while Hallpass runs holds whole or not at all, and the trail knows which policy held when. */
import { afterEach, describe, expect, it } from 'vitest';
import { messagesIn, textOf } from '../../src/sandbox/slack-reading.ts';
import { APPROVALS, EITHER, type Journey, PEOPLE, SECURITY, startJourney } from '../support/journey.ts';

const WAIT_MS = 6_000;
const ASK = 'db-prod 30m fix stuck migration';
const same = (yaml: string) => yaml;

let journey: Journey;
afterEach(() => journey.end());

const says = async (reply: ReturnType<ReturnType<Journey['person']>['press']>) =>
  textOf(await (await reply).said(WAIT_MS));

async function events(...kinds: readonly string[]) {
  const all = (await journey.bot.store.chain(0, 1_000)).map(
    ({ canonical }) => JSON.parse(canonical) as { kind: string; detail: Record<string, unknown> },
  );
  return all.filter(({ kind }) => kinds.includes(kind));
}

describe.each(EITHER)('reading the file again, on %s', (dialect) => {
  it('other approvers hold at once, and the trail has both hashes of the policy', async () => {
    journey = await startJourney(dialect);
    const { card } = await journey.ask('ana', ASK);
    expect(await says(journey.person('dan').press(card, 'approve'))).toMatch(/may not answer/);

    const onlyDan = (yaml: string) => yaml.replace('[ on-call:dba ]', `[ user:${PEOPLE.dan.email} ]`);
    expect(await journey.reload(onlyDan)).toBe(true);
    const again = await journey.ask('cat', 'db-prod 30m look at the slow queries');
    expect(await says(journey.person('ben').press(again.card, 'approve'))).toMatch(/may not answer/);
    await journey.approve('dan', again.card, 'cat');

    const [start, first, ...more] = await events('config.loaded', 'policy.changed');
    expect([start?.detail.how, first?.detail.how]).toEqual(['start', 'reload']);
    expect(first?.detail.before).toBe(start?.detail.fileHash);
    const [was, now] = [start, first].map(
      (one) => (one?.detail.policies as Record<string, string> | undefined)?.standard,
    );
    expect(more.map(({ kind, detail }) => ({ kind, ...detail }))).toEqual([
      { kind: 'policy.changed', policy: 'standard', before: was, now },
    ]);
    expect(was).not.toBe(now);
    expect((await journey.ready()).degraded).toEqual([]);
  });

  it('a policy that changed while nothing ran is in the trail too', async () => {
    journey = await startJourney(dialect);
    await journey.restart({ config: same });
    expect(await events('policy.changed')).toEqual([]);
    await journey.restart({ config: (yaml) => yaml.replace('max: 4h', 'max: 2h') });
    expect((await events('policy.changed')).map(({ detail }) => detail.policy)).toEqual(['standard']);
    expect((await events('config.loaded')).map(({ detail }) => detail.how)).toEqual(['start', 'start', 'start']);
  });

  it('a file with a mistake changes nothing, and says so in the channel, in the trail and in /readyz', async () => {
    journey = await startJourney(dialect);
    expect(await journey.reload((yaml) => yaml.replace('max: 4h', 'max: 4 hours').replace('dba:', 'dbb:'))).toBe(false);
    expect((await journey.ready()).degraded).toEqual([
      { what: 'configuration', why: expect.stringMatching(/^Line 17: policies\.standard\.duration\.max: /) },
    ]);
    await journey.posted(SECURITY, /configuration was not taken.*still holds.*Line 17/is);
    const { id, card } = await journey.ask('ana', ASK);
    await journey.approve('ben', card, 'ana');
    expect((await journey.bot.store.request(id))?.request.state).toBe('approved');
    expect(await events('config.refused')).toHaveLength(1);

    expect(await journey.reload(same)).toBe(true);
    expect((await journey.ready()).degraded).toEqual([]);
    expect(await events('policy.changed')).toEqual([]);
  });
});

describe('what cannot change while Hallpass runs', () => {
  it('a directory with open grants that is gone from the file keeps the old one, and its name is said', async () => {
    journey = await startJourney('sqlite');
    const { card } = await journey.ask('ana', ASK);
    await journey.approve('ben', card, 'ana');
    const renamed = (yaml: string) =>
      yaml.replaceAll('okta/', 'sso/').replaceAll('directory: okta', 'directory: sso').replace('  okta:', '  sso:');
    expect(await journey.reload(renamed)).toBe(false);
    await journey.posted(SECURITY, /directory "okta" is gone from the file, and 1 unended grant is in it/);
    expect((await journey.ready()).degraded).toMatchObject([{ what: 'configuration' }]);
    await journey.pass(31 * 60_000, 5 * 60_000);
    expect(journey.isMember('ana', 'read')).toBe(false);
  });

  it('another chat channel, or another directory, needs a restart, and nothing of that file is taken', async () => {
    journey = await startJourney('sqlite');
    expect(
      await journey.reload((yaml) => yaml.replace(SECURITY, APPROVALS).replace('approvals: 1', 'approvals: 2')),
    ).toBe(false);
    expect((await journey.ready()).degraded).toEqual([
      { what: 'configuration', why: 'chat.slack cannot change while Hallpass runs. Restart it to use this file.' },
    ]);
    const { card } = await journey.ask('ana', ASK);
    await journey.approve('ben', card, 'ana');
    await journey.idle();
    expect(messagesIn(journey.slack.state, SECURITY).some((one) => /was not taken/.test(textOf(one)))).toBe(true);
  });

  it('an on-call list that is read again is asked again, also within the minute of its last answer', async () => {
    journey = await startJourney('sqlite');
    const { card } = await journey.ask('ana', ASK);
    expect(await says(journey.person('dan').press(card, 'approve'))).toMatch(/may not answer/);
    const more = (yaml: string) => yaml.replace('people: [', `people: [ ${PEOPLE.dan.email},`);
    expect(await journey.reload(more)).toBe(true);
    await journey.approve('dan', card, 'ana');
    expect(journey.isMember('ana', 'read')).toBe(true);
  });
});
