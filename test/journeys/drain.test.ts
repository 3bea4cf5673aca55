/** Before Hallpass is taken away: nothing new, everything ended, and what remains is said. */
import { afterEach, describe, expect, it } from 'vitest';
import { drainCommand } from '../../src/cli/drain.ts';
import { createOut } from '../../src/cli/out.ts';
import { textOf } from '../../src/sandbox/slack-reading.ts';
import { EITHER, type Journey, startJourney } from '../support/journey.ts';

describe.each(EITHER)('draining, on %s', (dialect) => {
  let journey: Journey;
  afterEach(() => journey.end());

  async function drain(yes: boolean, waitMs = 10_000) {
    let said = '';
    const io = createOut(false, (text) => {
      said += text;
    });
    const code = await drainCommand(io, journey.settings, { reason: 'moving on', yes, waitMs, operator: 'root' });
    return { code, said };
  }

  it('only says how much there is without --yes; with it ends all of it, with proof, and nothing new is granted', async () => {
    journey = await startJourney(dialect);
    for (const [name, what] of [
      ['ana', 'db-prod 2h fix stuck migration'],
      ['dan', 'db-prod:admin 2h fix stuck migration'],
    ] as const) {
      const { card } = await journey.ask(name, what);
      await journey.approve('ben', card, name);
    }
    const waiting = await journey.ask('ana', 'reports 1h the monthly report');
    expect(await drain(false)).toMatchObject({
      code: 1,
      said: expect.stringMatching(/withdraw 1 waiting and end 2 live.*Nothing was done/s),
    });
    expect(journey.isMember('ana', 'read')).toBe(true);

    // While Okta is down nothing is called done, and it may be run again.
    journey.okta.control({ do: 'fault', fault: { kind: 'status', status: 503, method: 'DELETE' } });
    const failed = await drain(true, 500);
    expect(failed.code).toBe(1);
    expect(failed.said).toMatch(/Withdrawn: 1\. Ended: 2\. Removed and checked: 0\..*STILL A MEMBER.*Run it again/s);
    journey.okta.control({ do: 'clear' });
    expect(await drain(true)).toMatchObject({
      code: 0,
      said: expect.stringMatching(/Nothing that Hallpass added is left/),
    });
    expect(journey.isMember('ana', 'read')).toBe(false);
    expect(journey.isMember('dan', 'admin')).toBe(false);
    // Who was there before us stays.
    expect(journey.isMember('pat', 'read')).toBe(true);

    await journey.moveClock(1_000);
    await journey.told('ana', new RegExp(`${waiting.id}.*[Ww]ithdrawn`));
    await journey.told('dan', /Revoked by root.*moving on.*Removed from prod-db-admin .*checked/);
    const refused = await journey.person('ana').slash('request db-prod 30m just once more please');
    expect(textOf(await refused.said())).toMatch(/frozen/i);
  });
});
