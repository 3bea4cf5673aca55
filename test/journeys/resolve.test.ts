/** A group that was deleted under a grant never leaves it *ending* for ever without a person being told. */
import { afterEach, describe, expect, it } from 'vitest';
import { createOut } from '../../src/cli/out.ts';
import { resolveCommand } from '../../src/cli/resolve.ts';
import { EITHER, GROUPS, type Journey, SECURITY, startJourney } from '../support/journey.ts';

describe.each(EITHER)('a group deleted under a grant, on %s', (dialect) => {
  let journey: Journey;
  afterEach(() => journey.end());

  async function resolve(id: string, reason = 'deleted with the old cluster') {
    let said = '';
    const io = createOut(false, (text) => {
      said += text;
    });
    const code = await resolveCommand(io, journey.settings, { id, reason, operator: 'root' });
    return { code, said };
  }

  it('is told to security with what to do, refused while it is live, and closed by a person', async () => {
    journey = await startJourney(dialect);
    const { id, card } = await journey.ask('ana', 'db-prod 30m fix stuck migration');
    await journey.approve('ben', card, 'ana');
    const grantId = id.replace('R-', 'G-');
    expect(await resolve(grantId)).toMatchObject({ code: 1, said: expect.stringMatching(/is live/) });

    journey.okta.control({ do: 'delete-group', group: GROUPS.read });
    await journey.person('ana').slash(`return ${grantId}`);
    await journey.told('ana', /Perhaps still a member of prod-db-read/);
    await journey.pass(30_000, 5_000);
    await journey.posted(SECURITY, new RegExp(`hallpass resolve ${grantId}`));
    expect((await journey.ready()).removalsOutstanding).toBe(1);

    expect(await resolve(grantId)).toMatchObject({
      code: 0,
      said: expect.stringMatching(/closed on your word, not checked/),
    });
    await journey.moveClock(1_000);
    await journey.told('ana', new RegExp(`${id}: ended.*Returned.*no longer exists in the directory; closed by hand`));
    await journey.posted(SECURITY, /root \(on the host\) closed it.*deleted with the old cluster/s);
    expect((await journey.ready()).removalsOutstanding).toBe(0);
    expect((await journey.story(id)).map(({ kind }) => kind)).toContain('membership.resolved');
    expect(await resolve(grantId)).toMatchObject({ code: 1, said: expect.stringMatching(/has ended/) });
  });
});
