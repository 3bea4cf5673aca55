/**
 * A database restored from yesterday knows nothing of today's grants. The directory does: what our own credential added
 * is found in its log, taken away and proven gone.
 */
import { copyFileSync, rmSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { createOut } from '../../src/cli/out.ts';
import { fromLogCommand } from '../../src/cli/reconcile.ts';
import { GROUPS, type Journey, PEOPLE, SECURITY, startJourney } from '../support/journey.ts';

let journey: Journey;
afterEach(() => journey.end());

const DAY = 86_400_000;
const file = () => journey.settings.env.databaseUrl.replace(/^sqlite:/, '');
const whileStopped = (act: () => void) => (yaml: string) => {
  act();
  return yaml;
};

async function fromLog(apply: boolean) {
  let said = '';
  const io = createOut(false, (text) => {
    said += text;
  });
  const options = { directory: 'okta', sinceMs: DAY, apply, waitMs: 10_000, operator: 'root' };
  const code = await fromLogCommand(io, journey.settings, options);
  return { code, said };
}

describe('a database restored from before a grant', () => {
  it('loses the grant, finds the membership in the log, and takes it away with proof', async () => {
    journey = await startJourney('sqlite');
    await journey.restart({ config: whileStopped(() => copyFileSync(file(), `${file()}.yesterday`)) });
    const { card } = await journey.ask('ana', 'db-prod 4h fix stuck migration');
    await journey.approve('ben', card, 'ana');
    // Somebody else's doing, before and after: not ours to take away.
    journey.okta.control({ do: 'add-member', group: GROUPS.read, user: PEOPLE.dan.okta });
    await journey.restart({
      config: whileStopped(() => {
        for (const part of ['-wal', '-shm']) rmSync(`${file()}${part}`, { force: true });
        copyFileSync(`${file()}.yesterday`, file());
      }),
    });
    expect(journey.isMember('ana', 'read')).toBe(true);
    expect((await journey.ready()).removalsOutstanding).toBe(0);

    const looked = await fromLog(false);
    expect(looked).toMatchObject({
      code: 0,
      said: expect.stringMatching(/ana@example\.com in prod-db-read.*no grant of this record says so/),
    });
    expect(looked.said).not.toMatch(/dan@|pat@/);
    expect(journey.isMember('ana', 'read')).toBe(true);

    expect(await fromLog(true)).toMatchObject({ code: 0, said: expect.stringMatching(/Removed and checked: 1/) });
    expect(journey.isMember('ana', 'read')).toBe(false);
    for (const name of ['dan', 'pat'] as const) expect(journey.isMember(name, 'read')).toBe(true);
    await journey.bot.sweep.sweep();
    await journey.posted(SECURITY, /root \(on the host\) compared the record with the log of okta/);
    expect((await journey.ready()).removalsOutstanding).toBe(0);
    expect(await fromLog(true)).toMatchObject({
      said: expect.stringMatching(/explains every membership that Hallpass added/),
    });
  });
});

it('finds nothing where nothing was lost: live grants and memberships of others explain themselves', async () => {
  journey = await startJourney('postgres');
  const { card } = await journey.ask('ana', 'db-prod 4h fix stuck migration');
  await journey.approve('ben', card, 'ana');
  // Added by us, taken away, and added for good by somebody else.
  const { id, card: second } = await journey.ask('dan', 'db-prod 1h look at one order');
  await journey.approve('ben', second, 'dan');
  await journey.person('dan').slash(`return ${id}`);
  await journey.told('dan', /Removed from prod-db-read .*checked/);
  journey.okta.control({ do: 'add-member', group: GROUPS.read, user: PEOPLE.dan.okta });

  expect(await fromLog(true)).toMatchObject({ code: 0, said: expect.stringMatching(/explains every membership/) });
  for (const name of ['ana', 'dan', 'pat'] as const) expect(journey.isMember(name, 'read')).toBe(true);
});
