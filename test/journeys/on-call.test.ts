/** Who is on call is asked of the service that keeps the schedule, at the click; when it is away, nobody is guessed. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { textOf } from '../../src/sandbox/slack-reading.ts';
import { EITHER, GROUPS, type Journey, PEOPLE, startJourney } from '../support/journey.ts';
import { type Services, startServices, TOKENS } from '../support/services.ts';

const MINUTE = 60_000;
const WAIT_MS = 6_000;

describe.each(EITHER)('a PagerDuty schedule as the on-call source, on %s', (dialect) => {
  let services: Services;
  let journey: Journey;
  beforeEach(async () => {
    services = await startServices();
    services.onCall = [
      { schedule: 'PABC123', level: 1, id: 'UBEN', email: PEOPLE.ben.email },
      { schedule: 'PABC123', level: 2, id: 'UDAN', email: PEOPLE.dan.email },
    ];
    const source = `{ type: pagerduty, schedule: PABC123, token: "\${PAGERDUTY_TOKEN}", url: "${services.url}" }`;
    journey = await startJourney(dialect, {
      env: { PAGERDUTY_TOKEN: TOKENS.pagerDuty },
      config: (yaml) =>
        yaml
          .replace(/dba: \{ type: static.*\}/, `dba: ${source}`)
          .replace('[ on-call:dba ]', `[ on-call:dba, user:${PEOPLE.cat.email} ]`),
    });
  });
  afterEach(async () => {
    await journey.end();
    await services.close();
  });

  it('whoever has the shift at the click may approve, the level after it may not, and an outage approves nothing', async () => {
    const says = async (reply: ReturnType<ReturnType<Journey['person']>['press']>) =>
      textOf(await (await reply).said(WAIT_MS));
    const { id, card } = await journey.ask('ana', 'db-prod 30m fix stuck migration');
    expect(await says(journey.person('dan').press(card, 'approve'))).toMatch(/may not answer.*on-call:dba/s);

    services.next = Array.from({ length: 8 }, () => 503);
    await journey.moveClock(2 * MINUTE);
    expect(await says(journey.person('ben').press(card, 'approve'))).toMatch(
      /on-call source "dba" could not be asked: PagerDuty failed \(503\)/,
    );
    await journey.idle();
    expect((await journey.bot.store.request(id))?.approvals).toEqual([]);
    expect((await journey.ready()).degraded).toContainEqual({
      what: 'on-call source dba',
      why: expect.stringMatching(/PagerDuty failed \(503\)/),
    });
    expect(await says(journey.person('ana').slash('on-call db-prod'))).toMatch(/could not be asked/);

    services.next = [];
    services.onCall = [{ schedule: 'PABC123', level: 1, id: 'UDAN', email: PEOPLE.dan.email }];
    await journey.moveClock(2 * MINUTE);
    expect(await says(journey.person('ben').press(card, 'approve'))).toMatch(/may not answer/);
    await journey.approve('dan', card, 'ana');
    expect(journey.okta.state().groups[GROUPS.read]).toContain(PEOPLE.ana.okta);
    expect((await journey.ready()).degraded).toEqual([]);
  });
});
