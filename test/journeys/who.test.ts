/** Who holds what, who is on call, and lists longer than a page: each for those who may see it, and for nobody else. */
import { afterEach, describe, expect, it } from 'vitest';
import { blocksOf, button, textOf } from '../../src/sandbox/slack-reading.ts';
import type { Name } from '../../src/sandbox/world.ts';
import { inspectMessage } from '../support/block-kit.ts';
import { EITHER, type Journey, PEOPLE, startJourney } from '../support/journey.ts';

const MINUTE = 60_000;

let journey: Journey;

async function asks(name: Name, text: string): Promise<string> {
  const reply = await (await journey.person(name).slash(text)).said(6_000);
  const said = { text: reply.text ?? '', blocks: blocksOf(reply) };
  expect(inspectMessage(said).problems).toEqual([]);
  return textOf(said);
}

async function gets(name: Name, what: string, by: Name): Promise<void> {
  const { card } = await journey.ask(name, what);
  await journey.approve(by, card, name);
}

describe.each(EITHER)('/access who, on %s', (dialect) => {
  afterEach(() => journey.end());

  it('tells those who may see it who holds it, until when, by whom and why, and who needs no grant', async () => {
    journey = await startJourney(dialect);
    expect(await asks('sam', 'who db-prod')).toMatch(/Nobody holds it through Hallpass now\.[\s\S]*Pat Moreau/);
    await gets('ana', 'db-prod 30m fix stuck migration', 'ben');
    await gets('dan', 'db-prod:admin 2h long migration tonight', 'cat');
    const both = await asks('sam', 'who db-prod');
    expect(both).toContain('2 people hold it through Hallpass now.');
    expect(both).toMatch(/Ana Sousa: db-prod:read until .* UTC \(G-\w+\), approved by Ben Okafor: fix stuck migration/);
    expect(both).toMatch(/Dan Ito: db-prod:admin until .* UTC \(G-\w+\), approved by Cat Lindqvist: long migration/);
    expect(both).toContain('prod-db-read in okta: Pat Moreau');
    const admins = await asks('ben', 'who DB-PROD:admin');
    expect(admins).toContain('1 person holds it through Hallpass now.');
    expect(admins).not.toContain('Ana Sousa');
    expect(admins).not.toContain('Pat Moreau');
    await journey.pass(32 * MINUTE, 16 * MINUTE);
    await journey.told('ana', /Removed from prod-db-read .*checked/);
    expect(await asks('sam', 'who db-prod:read')).toContain('Nobody holds it through Hallpass now.');
  });

  it('shows others only what is their own, and says so', async () => {
    journey = await startJourney(dialect, {
      config: (yaml) => yaml.replace('viewers:    [ group:okta/engineering ]', 'viewers:    [ group:okta/security ]'),
    });
    await gets('ana', 'db-prod 30m fix stuck migration', 'ben');
    await gets('dan', 'db-prod 30m another migration', 'ben');
    const own = await asks('ana', 'who db-prod');
    expect(own).toContain('Your own access');
    expect(own).toContain('fix stuck migration');
    expect(own).not.toContain('Dan Ito');
    expect(own).not.toContain('Pat Moreau');
    for (const name of ['cat', 'pat'] as const) {
      const refused = await asks(name, 'who db-prod');
      expect(refused).toContain("You may not see other people's access");
      expect(refused).not.toContain('Ana Sousa');
    }
    expect(await asks('sam', 'who db-prod')).toContain('2 people hold it');
  });

  it('knows no resource that is not there, and asks for one', async () => {
    journey = await startJourney(dialect);
    expect(await asks('sam', 'who db-prdo')).toContain('Did you mean db-prod?');
    expect(await asks('sam', 'who db-prod:write')).toContain('It has read and admin');
    expect(await asks('sam', 'who')).toContain('Write /access who');
  });

  it('refuses rather than guesses while it cannot be looked up who may see it', async () => {
    journey = await startJourney(dialect);
    await gets('ana', 'db-prod 30m fix stuck migration', 'ben');
    await journey.moveClock(2 * MINUTE);
    journey.okta.control({ do: 'fault', fault: { kind: 'down', method: 'GET' } });
    const refused = await asks('sam', 'who db-prod');
    expect(refused).toContain('could not check');
    expect(refused).not.toContain('Ana Sousa');
    journey.okta.control({ do: 'clear' });
  });
});

describe.each(EITHER)('/access on-call, on %s', (dialect) => {
  afterEach(() => journey.end());

  it('names who is on call now, for one resource and for all', async () => {
    journey = await startJourney(dialect, {
      config: (yaml) =>
        yaml
          .replace('onCall:\n', `onCall:\n  web: { type: static, people: [ ${PEOPLE.dan.email} ] }\n`)
          .replace('approvers:  [ on-call:dba ]', 'approvers:  [ on-call:dba, group:okta/security ]')
          .replace(
            'resources:\n',
            'resources:\n  shop: { roles: { read: { grants: [ { directory: okta, group: prod-db-admin } ], policy: web } } }\n',
          )
          .replace(
            'policies:\n',
            'policies:\n  web: { requesters: [ group:okta/security ], approvers: [ on-call:web ] }\n',
          ),
    });
    const one = await asks('ana', 'on-call db-prod');
    expect(one).toMatch(/on-call:dba[\s\S]*Ben Okafor[\s\S]*Cat Lindqvist/);
    expect(one).toContain('May approve as well: group:okta/security.');
    expect(one).not.toContain('Dan Ito');
    const all = await asks('ana', 'on-call');
    expect(all).toMatch(/on-call:dba[\s\S]*Ben Okafor/);
    expect(all).toMatch(/on-call:web[\s\S]*Dan Ito/);
    expect(await asks('ana', 'on-call nowhere')).toContain('There is no resource called');
  });

  it('says which source could not be asked', async () => {
    journey = await startJourney(dialect, {
      config: (yaml) =>
        yaml
          .replace('onCall:\n', 'onCall:\n  away: { type: slack-user-group, group: S0AWAY }\n')
          .replace('approvers:  [ on-call:dba ]', 'approvers:  [ on-call:dba, on-call:away ]'),
    });
    const said = await asks('ana', 'on-call db-prod');
    expect(said).toContain('1 of 2 on-call sources could not be asked.');
    expect(said).toContain('Ben Okafor');
  });
});

describe('a list of more than a page', () => {
  afterEach(() => journey.end());

  it('is turned by its buttons and by typing, and shows each once', async () => {
    journey = await startJourney('sqlite');
    const ids: string[] = [];
    for (let count = 0; count < 17; count++) {
      const { id } = await journey.ask('ana', `db-prod 30m migration number ${count}`);
      ids.push(id);
      await (await journey.person('ana').slash(`cancel ${id}`)).said(6_000);
      await journey.moveClock(1_000);
    }
    const reply = await (await journey.person('ana').slash('list')).said(6_000);
    const first = textOf(reply);
    expect(first).toContain('There are more: /access list mine 2.');
    expect(button(reply, 'next')?.value).toBe('mine.2');
    expect(button(reply, 'previous')).toBeUndefined();
    const second = await asks('ana', 'list mine 2');
    const turned = textOf(await (await journey.person('ana').press(reply, 'next')).said(6_000));
    expect(turned).toContain('Your requests, page 2');
    expect(turned).toContain(ids[0]);
    expect(second).toContain('Your requests, page 2');
    const newestFirst = ids.toReversed();
    for (const [index, id] of newestFirst.entries()) {
      expect(first.includes(id), `${id} on page 1`).toBe(index < 15);
      expect(second.includes(id), `${id} on page 2`).toBe(index >= 15);
    }
    expect(await asks('ana', 'list mine 3')).toContain('Your requests, page 3: no more.');
  });

  it('shows whoever presses Next what they may see, whatever the button says', async () => {
    journey = await startJourney('sqlite');
    await gets('ana', 'db-prod 30m fix stuck migration', 'ben');
    const own = await (await journey.person('pat').slash('list active')).said(6_000);
    const foreign = (value: string) => ({
      ...own,
      blocks: [
        {
          type: 'actions',
          elements: [
            { type: 'button', action_id: 'hallpass:list:next', value, text: { type: 'plain_text', text: 'Next' } },
          ],
        },
      ],
    });
    const pressed = async (value: string) =>
      textOf(await (await journey.person('pat').press(foreign(value), 'next')).said(6_000));
    expect(await pressed('active.1')).toContain('Live access: none.');
    for (const crooked of ['active.0', 'active.-1', 'everything.1', 'active.1.1', 'active.1e9'])
      expect(await pressed(crooked)).toContain('This button is out of date.');
    expect(await asks('pat', 'list active')).toBe('Live access: none.\nLive access: none.');
  });
});
