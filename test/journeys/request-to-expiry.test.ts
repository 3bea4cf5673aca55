import { afterEach, describe, expect, it } from 'vitest';
import { APPROVALS, DIALECTS, type Journey, startJourney } from '../support/journey.ts';

const MINUTE = 60_000;

describe.each(DIALECTS)('from a request in Slack to a removal proven in Okta, on %s', (dialect) => {
  let journey: Journey;
  afterEach(() => journey.end());

  it('a request that somebody on call approves gives access for its time and no longer', async () => {
    journey = await startJourney(dialect);
    const { id, card } = await journey.ask('ana', 'db-prod 30m fix stuck migration');
    expect(journey.isMember('ana', 'read')).toBe(false);

    await journey.approve('ben', card, 'ana');
    expect(journey.isMember('ana', 'read')).toBe(true);

    await journey.moveClock(29 * MINUTE);
    await journey.idle();
    expect(journey.isMember('ana', 'read')).toBe(true);

    await journey.moveClock(2 * MINUTE);
    await journey.told('ana', /Removed from prod-db-read .*checked/);
    expect(journey.isMember('ana', 'read')).toBe(false);
    await journey.posted(APPROVALS, /Removed from prod-db-read .*checked/);

    const kinds = (await journey.story(id)).map((event) => event.kind);
    for (const kind of [
      'request.made',
      'approval.given',
      'request.approved',
      'membership.addition_started',
      'membership.added',
      'grant.activated',
      'grant.expired',
      'membership.removed',
      'membership.proven_absent',
      'grant.ended',
    ])
      expect(kinds).toContain(kind);
  });
});
