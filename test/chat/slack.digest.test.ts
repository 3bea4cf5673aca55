/** However much happened in a day, its digest is a message that Slack takes, that reads aloud, and that interprets nothing. */
import { describe, expect, test } from 'vitest';
import { digestView } from '../../src/access/digest-view.ts';
import type { GroupStanding } from '../../src/access/ports.ts';
import { renderAnswer, renderMessage } from '../../src/chat/slack/render.ts';
import { renderReport } from '../../src/chat/slack/render-digest.ts';
import { inspectMessage } from '../support/block-kit.ts';
import { activeGrant, HOUR, MINUTE, membershipRecord, ourMembership, requestRecord, T0 } from '../support/builders.ts';
import { granted, quietFacts } from '../support/digest-facts.ts';
import { NOW, requestView } from './slack-support.ts';

const context = { now: NOW, zone: 'UTC', commandWord: '/access' };

/** A day on which `count` of everything happened, of which the record lists 40, as it would. */
function day(count: number, name?: string, reason?: string) {
  const listed = Array.from({ length: Math.min(count, 40) }, (_, index) => granted(index, name, reason));
  const requests = listed.map(({ request }) => requestRecord({ ...request, state: 'pending' }));
  const over = listed.flatMap(({ grant }) =>
    grant === undefined ? [] : [{ ...grant, endingAt: T0 - HOUR, expiresAt: T0 - HOUR, endedAt: T0 }],
  );
  const standing: GroupStanding[] = Array.from({ length: Math.min(count, 300) }, (_, index) => ({
    directory: 'okta',
    group: `group-${index}`,
    ...(index % 7 === 6
      ? { error: reason ?? 'no answer in 6 s' }
      : { members: Array.from({ length: index % 5 === 0 ? count : 1 }, () => name ?? 'Pat Moreau') }),
  }));
  const facts = quietFacts({
    counts: {
      granted: count,
      live: count,
      denied: count,
      pending: count,
      removals: count,
      late: count,
      proven: count,
      ending: { expired: count, revoked: count, returned: count, abandoned: count, removed_outside: count },
    },
    granted: listed,
    byEntitlement: count === 0 ? [] : [{ entitlement: 'db-prod:read', count }],
    live: listed,
    endedEarly: listed,
    refused: requests,
    pending: requests,
    latest: over,
    removals: over.map((grant) =>
      membershipRecord(ourMembership({ failures: 5, lastError: reason ?? 'HTTP 503' }), [
        activeGrant({ ...grant, state: 'ending' }),
      ]),
    ),
  });
  const period = { from: T0 - 24 * HOUR, to: T0 };
  return digestView({ facts, standing, period, zone: 'Europe/Berlin', dueAt: T0 - HOUR }, T0 + 3 * MINUTE);
}

describe.each([0, 1, 10, 100, 5_000])('%i of everything in a day', (count) => {
  const rendered = renderMessage({ kind: 'digest', digest: day(count) }, context);
  const report = inspectMessage(rendered);

  test('is one message within every limit', () => {
    expect(report.problems).toEqual([]);
    expect(rendered.blocks.length).toBeLessThanOrEqual(15);
    expect(rendered.text.length).toBeLessThanOrEqual(3_900);
    // Far below the 40,000 at which Slack cuts a whole message.
    expect(JSON.stringify(rendered.blocks).length).toBeLessThan(30_000);
  });

  test('interprets nothing', () => {
    expect(report.interpreted).toEqual([]);
    expect(report.mentions).toEqual([]);
  });
});

test('the worst that people can be called and can write still fits', () => {
  const wide = '\u{1F469}\u200d\u{1F4BB}'.repeat(400);
  for (const text of [
    'x'.repeat(1_000),
    wide,
    '<!channel> *bold* http://evil.example',
    '\u202e'.repeat(500),
    '&'.repeat(1_000),
  ]) {
    const rendered = renderMessage({ kind: 'digest', digest: day(5_000, text, text) }, context);
    expect(inspectMessage(rendered).problems).toEqual([]);
    expect(rendered.text.length).toBeLessThanOrEqual(3_900);
    expect(rendered.text).not.toContain('<!channel>');
  }
});

test('a granted list of 5,000 shows ten, and says how many more there are', () => {
  const listed = Array.from({ length: 40 }, (_, index) => granted(index));
  const facts = quietFacts({ counts: { granted: 5_000 }, granted: listed });
  const digest = digestView({ facts, standing: [], period: { from: T0 - HOUR, to: T0 }, zone: 'UTC' }, T0);
  const shown = inspectMessage(renderReport(digest)).shown.join('\n');
  expect(shown.match(/approved by Ben/g)).toHaveLength(10);
  expect(shown).toContain('and 4,990 more');
});

test('heard aloud, it begins with the worst, then what is live, then what was granted', () => {
  const { text } = renderMessage({ kind: 'digest', digest: day(3) }, context);
  const places = ['3 removals failing or late', 'Live now:', 'Granted:', 'Standing members'].map((part) =>
    text.indexOf(part),
  );
  expect(places).not.toContain(-1);
  expect(places).toEqual([...places].sort((a, b) => a - b));
});

describe('a list of pages', () => {
  const list = (page: number, more: boolean) =>
    inspectMessage(renderAnswer({ say: 'list', which: 'active', page, items: [requestView()], more }, context));

  test.each([
    [1, false, []],
    [1, true, ['active.2']],
    [2, true, ['active.1', 'active.3']],
    [3, false, ['active.2']],
  ] as const)('page %i (more: %s) offers %j', (page, more, values) => {
    const report = list(page, more);
    expect(report.problems).toEqual([]);
    expect(report.buttons.map(({ value }) => value)).toEqual(values);
  });

  test('says how to see the rest to those who type', () => {
    expect(list(2, true).shown.join()).toContain('/access list active 3');
  });
});
