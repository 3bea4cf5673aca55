/** The home tab through the local Slack: what it shows, that its buttons do what messages' do, and that it keeps up. */
import { afterEach, describe, expect, it } from 'vitest';
import { button, textOf } from '../../src/sandbox/slack-reading.ts';
import { dialog, errorsIn, field, homeTab, textOfView } from '../support/form.ts';
import { APPROVALS, EITHER, type Journey, type PEOPLE, SECURITY, startJourney } from '../support/journey.ts';

const MINUTE = 60_000;
const REASON = 'fix stuck migration';
type Name = keyof typeof PEOPLE;

let journey: Journey;
afterEach(() => journey.end());

async function openHome(name: Name) {
  expect((await journey.person(name).openHome()).status).toBe(200);
}

function publishes(): number {
  return journey.slack.state.requests.filter(({ method }) => method === 'views.publish').length;
}

describe.each(EITHER)('the home tab, on %s', (dialect) => {
  it('takes a request all the way: asked, approved, returned and asked again, each from the tab', async () => {
    journey = await startJourney(dialect);
    await openHome('ana');
    const empty = await homeTab(journey, 'ana', /What you hold/);
    for (const words of [
      /Nothing\. Ask for what you need/,
      /Orders database\ndb-prod:read/,
      /None yet/,
      /As of .* UTC/,
    ])
      expect(textOfView(empty)).toMatch(words);
    expect(textOfView(empty)).not.toMatch(/Operations|Waiting for your answer/);
    await openHome('ben');
    await homeTab(journey, 'ben', /What you hold/);

    await journey.person('ana').pressInView(empty, 'hallpass:ask', 'db-prod:read');
    const form = await dialog(journey, 'ana', /1 approval by on-call:dba/);
    const filled = await journey.person('ana').submitView(form, { duration: '45m', reason: REASON });
    expect([filled.status, errorsIn(filled)]).toEqual([200, {}]);

    // Nobody opens it again: it follows by itself.
    const waiting = await homeTab(journey, 'ben', /Waiting for your answer/);
    expect(textOfView(waiting)).toMatch(/Ana Sousa asks for Orders database, db-prod:read \(R-.*for 45 min/);
    expect(textOfView(waiting)).toContain(`Why: ${REASON}`);
    await homeTab(journey, 'ana', /Waiting for approval/);

    await journey.person('ben').pressInView(waiting, 'hallpass:approve');
    const held = await homeTab(journey, 'ana', /Added to prod-db-read \(checked\)\. Ends .* UTC\. 4[45] min left/);
    expect(journey.isMember('ana', 'read')).toBe(true);
    await homeTab(journey, 'ben', /What you hold/, /Waiting for your answer/);
    await journey.told('ben', /Approved/);

    await journey.person('ana').pressInView(held, 'hallpass:return');
    const returned = await homeTab(journey, 'ana', /Removed from prod-db-read .*checked/);
    expect(journey.isMember('ana', 'read')).toBe(false);

    await journey.person('ana').pressInView(returned, 'hallpass:again');
    const again = await dialog(journey, 'ana', /1 approval by on-call:dba/, form);
    expect(field(again, 'hallpass:resource')).toMatchObject({ initial_option: { value: 'db-prod' } });
    expect(field(again, 'duration')).toMatchObject({ initial_value: '45m' });
    expect(field(again, 'reason')).toMatchObject({ initial_value: REASON });
    expect(errorsIn(await journey.person('ana').submitView(again, {}))).toEqual({});
    await homeTab(journey, 'ana', /Waiting for approval/);
  });
});

describe('the home tab', () => {
  it('asks for a reason when somebody denies from it, and lets a request be cancelled', async () => {
    journey = await startJourney('sqlite');
    await journey.ask('ana', 'db-prod 30m fix stuck migration');
    await openHome('cat');
    await journey.person('cat').pressInView(await homeTab(journey, 'cat', /Waiting for your answer/), 'hallpass:deny');
    await journey.person('cat').submitView(await dialog(journey, 'cat', /Why\?/), { reason: 'not today' });
    await journey.told('ana', /Denied by Cat Lindqvist/);
    await homeTab(journey, 'cat', /What you hold/, /Waiting for your answer/);

    await journey.ask('ana', 'reports 30m monthly numbers');
    await openHome('ana');
    const waiting = await homeTab(journey, 'ana', /Waiting for approval/);
    await journey.person('ana').pressInView(waiting, 'hallpass:cancel');
    await homeTab(journey, 'ana', /Cancelled/);
  });

  it('follows the end of a grant, and offers it again afterwards', async () => {
    journey = await startJourney('sqlite');
    const { card } = await journey.ask('ana', 'db-prod 30m fix stuck migration');
    await journey.approve('ben', card, 'ana');
    await openHome('ana');
    const held = await homeTab(journey, 'ana', /Ends .* min left/);
    expect([button(held.view, 'hallpass:extend'), button(held.view, 'hallpass:return')]).not.toContain(undefined);
    expect(button(held.view, 'hallpass:again')).toBeUndefined();
    await journey.moveClock(31 * MINUTE);
    const over = await homeTab(journey, 'ana', /Removed from prod-db-read .*checked/);
    expect(textOfView(over)).toMatch(/Nothing\. Ask for what you need/);
    expect(button(over.view, 'hallpass:again')).toBeDefined();
  });

  it('is drawn only for those who opened it, once for several changes, and again after a restart when they look', async () => {
    journey = await startJourney('sqlite');
    const { card } = await journey.ask('ana', 'db-prod 30m fix stuck migration');
    expect(publishes()).toBe(0);
    const opened = await journey.person('ana').openHome();
    await homeTab(journey, 'ana', /Waiting for approval/);
    await opened.again();
    expect(publishes()).toBe(1);
    await journey.approve('ben', card, 'ana');
    await homeTab(journey, 'ana', /Added to prod-db-read \(checked\)/);
    // Approved, added, seen: three commits, and no more than two drawings.
    expect(publishes()).toBeLessThanOrEqual(3);

    await journey.restart();
    const before = publishes();
    await journey.person('ana').slash('return db-prod');
    await journey.told('ana', /Removed from prod-db-read .*checked/);
    expect(publishes()).toBe(before);
    await openHome('ana');
    await homeTab(journey, 'ana', /Returned\. Removed from prod-db-read/);
  });

  it('shows responders which directory answers and which removals are outstanding, and nobody else', async () => {
    journey = await startJourney('sqlite');
    const { card } = await journey.ask('ana', 'db-prod 30m fix stuck migration');
    await journey.approve('ben', card, 'ana');
    await openHome('sam');
    const well = await homeTab(journey, 'sam', /Operations/);
    expect(textOfView(well)).toMatch(/okta answers\./);
    expect(textOfView(well)).toMatch(/None: whoever should be out is out/);
    expect(textOfView(well)).toMatch(/There is nothing that you may request/);

    journey.okta.control({ do: 'fault', fault: { kind: 'status', status: 503, method: 'DELETE' } });
    await journey.moveClock(31 * MINUTE);
    await journey.pass(2 * MINUTE, 15_000);
    await journey.posted(SECURITY, /A removal keeps failing/);
    await openHome('sam');
    const ill = await homeTab(journey, 'sam', /okta answers\. 1 removal is failing/);
    expect(textOfView(ill)).toMatch(/ana@example\.com from prod-db-read in okta: failed \d+ times?, ".+"/);
    await openHome('dan');
    expect(textOfView(await homeTab(journey, 'dan', /What you hold/))).not.toMatch(/Operations|ana@example/);
    journey.okta.control({ do: 'clear' });
  });

  it('does not fill in somebody else’s request, and tells a guest why there is nothing', async () => {
    journey = await startJourney('sqlite', {
      slackSeed: (seed) => ({
        ...seed,
        users: [...seed.users, { id: 'U0GUEST', name: 'guest', email: 'g@example.com', is_restricted: true }],
      }),
    });
    const { id } = await journey.ask('ana', 'db-prod 30m fix stuck migration');
    const cardId = (await journey.bot.store.request(id))?.request.cardId ?? '';
    await openHome('dan');
    const home = await homeTab(journey, 'dan', /What you hold/);
    const forged = { ...home, view: { ...home.view, blocks: againBlocks(cardId) } };
    await journey.person('dan').pressInView(forged, 'hallpass:again');
    const form = await dialog(journey, 'dan', /What do you need access to/);
    expect(JSON.stringify(form.view)).not.toContain('stuck');

    await journey.account('U0GUEST').openHome();
    const view = await journey.slack.waitFor((state) => state.views.find(({ user }) => user === 'U0GUEST'));
    expect(textOfView(view)).toMatch(/Guest accounts cannot ask/);
    expect(button(view.view, 'hallpass:form')).toBeUndefined();
  });

  it('that Slack refuses to show holds up nothing, and comes back', async () => {
    journey = await startJourney('sqlite');
    await journey.slack.control({ do: 'fault', method: 'views.publish', kind: 'rate_limited', retryAfterSeconds: 1 });
    await openHome('ana');
    const { card } = await journey.ask('ana', 'db-prod 30m fix stuck migration');
    await journey.approve('ben', card, 'ana');
    await homeTab(journey, 'ana', /Added to prod-db-read/);
    await journey.posted(APPROVALS, /Added to prod-db-read/);
    expect(textOf(await journey.told('ana', /checked/))).toContain('prod-db-read');
  });
});

function againBlocks(cardId: string) {
  const text = { type: 'plain_text', text: 'Again' };
  return [
    {
      type: 'actions',
      block_id: 'b',
      elements: [{ type: 'button', action_id: 'hallpass:again', value: cardId, text }],
    },
  ];
}
