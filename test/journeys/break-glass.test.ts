/** Break-glass: at once and without approval, heard by everybody, gone on time, and reviewed by somebody else. */
import { afterEach, describe, expect, it } from 'vitest';
import { button, messagesIn, textOf } from '../../src/sandbox/slack-reading.ts';
import type { Name } from '../../src/sandbox/world.ts';
import { APPROVALS, EITHER, type Journey, SECURITY, startJourney } from '../support/journey.ts';

const MINUTE = 60_000;
const WAIT_MS = 6_000;
const GLASS = 'breakGlass: { by: [ on-call:dba ], max: 30m, review: { by: [ group:okta/security ], within: 24h }';
const withGlass = (more = '') => ({
  config: (yaml: string) => yaml.replace('    lapseAfter: 1h', `    ${GLASS}${more} }\n    lapseAfter: 1h`),
});

let journey: Journey;
afterEach(() => journey.end());

async function says(name: Name, text: string): Promise<string> {
  return textOf(await (await journey.person(name).slash(text)).said(WAIT_MS));
}

describe.each(EITHER)('break-glass, on %s', (dialect) => {
  it('gives access at once, tells everybody, ends on time, and is signed off by somebody else', async () => {
    journey = await startJourney(dialect, withGlass());
    expect(await says('ana', 'break-glass db-prod 20m orders are down')).toMatch(/You may not request/);
    expect(await says('ben', 'break-glass db-prod 45m orders are down')).toMatch(/Ask for 30 min or less/);
    const said = await says('ben', 'break-glass db-prod 20m orders are down, nobody answers');
    expect(said).toMatch(/Break-glass, without approval/);
    const id = /R-[0-9A-Z]{4,6}/.exec(said)?.[0] ?? '';
    await journey.told('ben', /Break-glass, without approval\. Added to prod-db-read \(checked\)/);
    expect(journey.isMember('ben', 'read')).toBe(true);

    await journey.posted(SECURITY, /Urgent: Break-glass was used.*Ben .*orders are down, nobody answers/s);
    await journey.posted(APPROVALS, new RegExp(`${id}.*Break-glass`, 's'));
    // The approver whom nobody asked.
    await journey.told('cat', new RegExp(`${id}.*Break-glass, without approval`, 's'));
    const review = await journey.posted(SECURITY, /Review of break-glass access/);
    await journey.told('sam', /Review of break-glass access.*To be reviewed until/s);
    await journey.idle();

    expect(textOf(await (await journey.person('ben').press(review, 'sign-off')).said(WAIT_MS))).toMatch(/own access/);
    expect(textOf(await (await journey.person('cat').press(review, 'sign-off')).said(WAIT_MS))).toMatch(
      /may not review/,
    );
    expect(await says('sam', 'digest today')).toMatch(/Break-glass, not reviewed.*Ben .*not due yet/s);
    await journey.moveClock(21 * MINUTE);
    await journey.told('ben', /Break-glass, without approval\. .*Removed from prod-db-read .*checked/);
    expect(journey.isMember('ben', 'read')).toBe(false);

    const pressed = await journey.person('sam').press(review, 'sign-off');
    expect(textOf(await pressed.said(WAIT_MS))).toMatch(/Signed off by Sam Haddad/);
    await journey.posted(SECURITY, /Review of break-glass access.*Signed off by Sam Haddad/s);
    const shown = messagesIn(journey.slack.state, SECURITY).filter((one) => /Review of break-glass/.test(textOf(one)));
    expect(shown).toHaveLength(1);
    expect(button(shown[0] ?? {}, 'sign-off')).toBeUndefined();
    const kinds = (await journey.story(id)).map(({ kind }) => kind);
    for (const kind of ['break_glass.used', 'grant.expired', 'review.refused', 'review.signed_off'])
      expect(kinds, kind).toContain(kind);
  });
});

describe('break-glass', () => {
  it('is questioned with a reason, and where the policy waits for reviews the next use waits', async () => {
    journey = await startJourney('sqlite', withGlass(', block: true'));
    const said = await says('ben', 'break-glass db-prod 20m orders are down, nobody answers');
    const id = /R-[0-9A-Z]{4,6}/.exec(said)?.[0] ?? '';
    await journey.told('ben', /Added to prod-db-read \(checked\)/);
    await says('ben', `return ${id}`);
    await journey.told('ben', /Removed from .*checked/);
    expect(await says('ben', 'break-glass db-prod:admin 20m orders are down again')).toMatch(/has not been reviewed/);
    const review = await journey.told('sam', /Review of break-glass access/);
    const dialog = await (await journey.person('sam').press(review, 'question')).opened(WAIT_MS);
    await journey.person('sam').submitView(dialog, { reason: 'which order was it?' });
    await journey.posted(SECURITY, /Questioned by Sam Haddad .*which order was it\?/s);
    expect(await says('sam', `review ${id} sign-off`)).toMatch(/reviewed already, by Sam Haddad/);
    expect(await says('ben', 'break-glass db-prod:admin 20m orders are down again')).toMatch(/Break-glass/);
  });

  it('under a freeze is refused unless the policy lets it, and then is not stopped by it', async () => {
    journey = await startJourney('sqlite', withGlass());
    expect(await says('sam', 'freeze db-prod incident 4711')).toMatch(/Frozen/);
    expect(await says('ben', 'break-glass db-prod 20m orders are down, nobody answers')).toMatch(/db-prod is frozen/);
    await journey.restart(withGlass(', underFreeze: true'));
    expect(await says('ben', 'break-glass db-prod 20m orders are down, nobody answers')).toMatch(/Break-glass/);
    await journey.told('ben', /Added to prod-db-read \(checked\)/);
    expect(journey.isMember('ben', 'read')).toBe(true);
  });

  it('that no policy has is refused, and nothing is told of it', async () => {
    journey = await startJourney('sqlite');
    expect(await says('ben', 'break-glass db-prod 20m orders are down, nobody answers')).toMatch(
      /cannot be taken by break-glass/,
    );
    expect(await says('ben', 'break-glass')).toMatch(/Write .*break-glass <resource>/);
    expect(await says('sam', 'review R-ZZZZ sign-off')).toMatch(/nothing called/);
    await journey.idle();
    expect(messagesIn(journey.slack.state, SECURITY)).toEqual([]);
  });
});
