/**
 * The ledger goes by immutable ids, one row for each directory, group and user: names that move, groups that are made
 * anew, and a grant that reaches into two directories change nothing of what is owed.
 */
import { afterEach, describe, expect, it } from 'vitest';
import { createOut } from '../../src/cli/out.ts';
import { resolveCommand } from '../../src/cli/resolve.ts';
import { type OktaServer, startOktaServer } from '../../src/sandbox/okta-server.ts';
import { textOf } from '../../src/sandbox/slack-reading.ts';
import { oktaSeed } from '../../src/sandbox/world.ts';
import { EITHER, GROUPS, type Journey, PEOPLE, startJourney } from '../support/journey.ts';

const SECOND = 1_000;
const MINUTE = 60_000;

let journey: Journey;
let backup: OktaServer | undefined;
afterEach(async () => {
  await journey.end();
  await backup?.close();
  backup = undefined;
});

async function granted(what: string): Promise<string> {
  const { id, card } = await journey.ask('ana', what);
  await journey.approve('ben', card, 'ana');
  return id;
}

describe.each(EITHER)('a grant of groups in two directories, on %s', (dialect) => {
  it('is over only when both show it gone; what another grant needs in one of them stays there alone', async () => {
    backup = await startOktaServer({ seed: oktaSeed() });
    const { url } = backup;
    const inBackup = () => backup?.isMember(GROUPS.read, PEOPLE.ana.okta);
    journey = await startJourney(dialect, {
      config: (yaml) =>
        yaml
          .replace(
            /^( *)okta: \{ type: okta.*$/m,
            (line, indent: string) =>
              `${line}\n${indent}backup: { type: okta, url: "${url}", auth: { token: "\${OKTA_TOKEN}" } }`,
          )
          .replace(
            '{ directory: okta, group: prod-db-admin }',
            '{ directory: okta, group: prod-db-admin }, { directory: backup, group: prod-db-read }',
          )
          .replace(
            /(reports:[\s\S]*?)\{ directory: okta, group: prod-db-read \}/,
            '$1{ directory: backup, group: prod-db-read }',
          ),
    });
    const wide = await granted('db-prod:admin 30m fix stuck migration');
    const narrow = await granted('reports 1h the monthly report');
    expect([journey.isMember('ana', 'admin'), journey.isMember('ana', 'read'), inBackup()]).toEqual([
      true,
      false,
      true,
    ]);

    journey.okta.control({ do: 'fault', fault: { kind: 'status', status: 503, method: 'DELETE' } });
    await journey.moveClock(31 * MINUTE);
    await journey.told('ana', new RegExp(`${wide}.*Perhaps still a member of prod-db-admin`));
    journey.okta.control({ do: 'clear' });
    await journey.pass(20 * SECOND, 5 * SECOND);
    await journey.told(
      'ana',
      new RegExp(`${wide}: ended.*Removed from prod-db-admin.*Another grant still needs prod-db-read`),
    );
    expect([journey.isMember('ana', 'admin'), inBackup()]).toEqual([false, true]);

    await journey.moveClock(30 * MINUTE);
    await journey.told('ana', new RegExp(`${narrow}: ended.*Removed from prod-db-read .*checked`));
    expect(inBackup()).toBe(false);
  });
});

describe('names that move', () => {
  it('an email that was given to somebody else during a grant: its holder is taken out, the other is never touched', async () => {
    journey = await startJourney('sqlite');
    const id = await granted('db-prod 30m fix stuck migration');
    const heir = `00u${'heir'.padStart(17, '0')}`;
    journey.okta.control({
      do: 'rename-user',
      user: PEOPLE.ana.okta,
      login: 'ana.new@example.com',
      email: 'ana.new@example.com',
    });
    journey.okta.control({
      do: 'add-user',
      user: { id: heir, login: PEOPLE.ana.email, email: PEOPLE.ana.email, name: 'Ana Heir' },
    });
    journey.okta.control({ do: 'add-member', group: GROUPS.read, user: heir });

    await journey.moveClock(31 * MINUTE);
    await journey.told('ana', new RegExp(`${id}: ended.*Removed from prod-db-read .*checked`));
    expect(journey.isMember('ana', 'read')).toBe(false);
    expect(journey.okta.isMember(GROUPS.read, heir)).toBe(true);
    expect(journey.okta.state().log.filter(({ method, path }) => method === 'DELETE' && path.includes(heir))).toEqual(
      [],
    );
  });

  it('a group made anew under the old name is another group: it is refused with both ids, and taken when named by its id', async () => {
    journey = await startJourney('sqlite');
    const id = await granted('db-prod 30m fix stuck migration');
    const anew = `00g${'anew'.padStart(17, '0')}`;
    journey.okta.control({ do: 'delete-group', group: GROUPS.read });
    journey.okta.control({ do: 'add-group', group: { id: anew, name: 'prod-db-read', members: [PEOPLE.ana.okta] } });

    await journey.moveClock(31 * MINUTE);
    await journey.told('ana', new RegExp(`${id}.*Perhaps still a member of prod-db-read`));
    const io = createOut(false, () => undefined);
    const order = { id, reason: 'it was made anew', operator: 'root' };
    expect(await resolveCommand(io, journey.settings, order)).toBe(0);
    await journey.moveClock(SECOND);
    await journey.told('ana', new RegExp(`${id}: ended.*closed by hand`));
    // Whoever is in the new group was not put there by us.
    expect(journey.okta.isMember(anew, PEOPLE.ana.okta)).toBe(true);

    const refused = textOf(await (await journey.person('ana').slash('request db-prod 30m once more please')).said());
    expect(refused).toContain(GROUPS.read);
    expect(refused).toContain(anew);
    journey.okta.control({ do: 'remove-member', group: anew, user: PEOPLE.ana.okta });
    await journey.restart({ config: (yaml) => yaml.replaceAll('group: prod-db-read', `group: ${anew}`) });
    const second = await granted('db-prod 30m once more please');
    expect(journey.okta.isMember(anew, PEOPLE.ana.okta)).toBe(true);
    await journey.moveClock(31 * MINUTE);
    await journey.told('ana', new RegExp(`${second}: ended.*checked`));
    expect(journey.okta.isMember(anew, PEOPLE.ana.okta)).toBe(false);
  });
});
