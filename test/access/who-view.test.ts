/** Who holds it and who is on call, with nobody, one and many of them. */
import { expect, test } from 'vitest';
import { onCallView, whoView } from '../../src/access/who-view.ts';
import { renderReport } from '../../src/chat/slack/render-digest.ts';
import { inspectMessage } from '../support/block-kit.ts';
import { activeGrant, ana, ben, group, T0 } from '../support/builders.ts';
import { granted } from '../support/digest-facts.ts';

const who = (records: Parameters<typeof whoView>[0]['records'], more: object = {}) =>
  whoView({ what: 'db-prod', title: 'Orders database', records, shown: 40, ownOnly: false, zone: 'UTC', ...more }, T0);

test('nobody, one, some who are being removed, and more than are shown', () => {
  const one = granted(1);
  const leaving = { ...granted(2), grant: activeGrant({ state: 'ending', endingAt: T0 }) };
  expect(who([]).headline).toBe('Nobody holds it through Hallpass now.');
  expect(who([one]).headline).toBe('1 person holds it through Hallpass now.');
  expect(who([one, granted(3), leaving]).headline).toBe('2 people hold it through Hallpass now. 1 being removed.');
  expect(who([leaving]).headline).toBe('Nobody holds it through Hallpass now. 1 being removed.');
  const many = who(Array.from({ length: 41 }, (_, index) => granted(index)));
  expect(many.headline).toBe('More than 40 hold it through Hallpass now.');
  expect(many.sections[0]?.lines).toHaveLength(40);
  expect(many.sections[0]?.note).toContain('There are more');
});

test('whoever may see only their own is told so, and of no standing member', () => {
  const own = who([granted(1)], { ownOnly: true });
  expect(own.headline).toContain('Your own access');
  expect(own.sections.map(({ title }) => title)).toEqual(['With a grant']);
});

test('long names and many groups stay within what Slack takes', () => {
  const records = Array.from({ length: 41 }, (_, index) => granted(index, '<!here> '.repeat(40), '*'.repeat(1_000)));
  const standing = Array.from({ length: 200 }, (_, index) => ({
    directory: 'okta',
    group: `${'g'.repeat(200)}-${index}`,
    members: Array.from({ length: 900 }, () => 'Pat'.repeat(60)),
  }));
  const rendered = renderReport(who(records, { standing }));
  expect(inspectMessage(rendered).problems).toEqual([]);
  expect(rendered.text.length).toBeLessThanOrEqual(3_900);
});

test('each on-call source says who, nobody, or that it could not be asked', () => {
  const view = onCallView(
    {
      resource: 'db-prod',
      sources: [
        { source: 'on-call:dba', people: [ana, ben] },
        { source: 'on-call:web', people: [] },
        { source: 'on-call:away', error: 'HTTP 503' },
      ],
      others: [group('dba-leads')],
      zone: 'UTC',
    },
    T0,
  );
  expect(view.severity).toBe('warning');
  expect(view.headline).toBe('1 of 3 on-call sources could not be asked.');
  expect(view.note).toBe('As of Tue 10 Mar 09:00 UTC. May approve as well: group:okta/dba-leads.');
  expect(view.sections.map(({ lines }) => lines[0]?.lead)).toEqual(['Ana', 'Nobody', 'Could not be asked']);
  const none = onCallView({ resource: 'db-prod', sources: [], others: [], zone: 'UTC' }, T0);
  expect(none.headline).toBe('Nobody on call approves it.');
});
