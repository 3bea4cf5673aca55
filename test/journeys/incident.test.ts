/** Access for an incident, from a signed Slack request to the removal that its closing brings, proven in the directory. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { textOf } from '../../src/sandbox/slack-reading.ts';
import { EITHER, type Journey, startJourney } from '../support/journey.ts';
import { type Services, startServices, TOKENS } from '../support/services.ts';

const MINUTE = 60_000;

let services: Services;
let journey: Journey;

function incident(status: 'triggered' | 'resolved'): Services['incidents'][number] {
  return { id: 'Q1', title: 'orders are slow', status, service: 'PSVC1', createdAt: '2026-11-25T08:00:00Z' };
}

const tied = (yaml: string) =>
  yaml
    .replace('    approvals: 1\n', '    approvals: 1\n    endWithIncident: true\n')
    .concat(
      `incidents: { type: pagerduty, token: "\${PAGERDUTY_TOKEN}", url: "${services.url}", services: { db-prod: PSVC1 } }\n`,
    );

describe.each(EITHER)('access for an incident, on %s', (dialect) => {
  beforeEach(async () => {
    services = await startServices();
    services.incidents = [incident('triggered')];
  });
  afterEach(async () => {
    await journey.end();
    await services.close();
  });

  it('ends soon after the incident is closed, with a warning, and not because its source is away', async () => {
    journey = await startJourney(dialect, {
      config: tied,
      env: { PAGERDUTY_TOKEN: TOKENS.pagerDuty },
    });
    const { id, card } = await journey.ask('ana', 'db-prod 2h restart the order workers');
    expect(textOf(card)).toMatch(/Q1: orders are slow\. The access ends when it is closed\./);
    await journey.approve('ben', card, 'ana');

    services.next = Array.from({ length: 40 }, () => 503);
    await journey.moveClock(3 * MINUTE);
    await journey.idle();
    await journey.moveClock(3 * MINUTE);
    await journey.idle();
    expect(journey.isMember('ana', 'read')).toBe(true);
    expect((await journey.story(id)).map((event) => event.kind)).not.toContain('grant.incident_closed');

    services.next = [];
    services.incidents = [incident('resolved')];
    await journey.moveClock(3 * MINUTE);
    await journey.told('ana', /Your access ends soon.*incident Q1 is closed/s);
    expect(journey.isMember('ana', 'read')).toBe(true);
    await journey.idle();

    await journey.moveClock(11 * MINUTE);
    await journey.told('ana', /incident Q1 is closed\. Removed from prod-db-read .*checked/);
    expect(journey.isMember('ana', 'read')).toBe(false);
  });
});
