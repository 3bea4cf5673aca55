/** A post-access review of ordinary access: summed up where it was asked for, signed off by somebody else, said again. */
import { afterEach, expect, it } from 'vitest';
import type { AuditEvent } from '../../src/access/model.ts';
import { button, messagesIn, textOf } from '../../src/sandbox/slack-reading.ts';
import { replay } from '../simulation/replay.ts';
import { APPROVALS, type Journey, SECURITY, startJourney } from '../support/journey.ts';

const HOUR = 3_600_000;
const WAIT_MS = 6_000;

let journey: Journey;
afterEach(() => journey.end());

it('is summed up below the request when the access is over, reminded of when overdue, and signed off', async () => {
  journey = await startJourney('sqlite', {
    config: (yaml) =>
      yaml.replace('    lapseAfter: 1h', '    review: { by: [ group:okta/security ], within: 4h }\n    lapseAfter: 1h'),
  });
  const { id, card } = await journey.ask('ana', 'db-prod 30m fix stuck migration');
  await journey.approve('ben', card, 'ana');
  await journey.moveClock(10 * 60_000);
  await (await journey.person('ana').slash(`return ${id}`)).said(WAIT_MS);
  const shown = await journey.posted(APPROVALS, /Review of access.*Ana .*had db-prod:read for 10 min of the 30 min/s);
  expect(shown.thread_ts).toBe(card.ts);
  expect(textOf(shown)).toMatch(/Approved by Ben .*Why: fix stuck migration.*no activity source is configured/s);
  const review = await journey.told('sam', /Review of access, G-.*To be reviewed until/s);
  await journey.posted(SECURITY, /Review of access/);
  const refused = await (await journey.person('ana').press(shown, 'sign-off')).said(WAIT_MS);
  expect(textOf(refused)).toMatch(/own access/);

  const story = textOf(await (await journey.person('sam').press(review, 'story')).said(WAIT_MS));
  expect(story).toMatch(/Story of G-.*Ana Sousa asked for db-prod:read for 30 min: fix stuck migration/s);
  expect(story).toMatch(/The directory accepted the addition to prod-db-read.*gone from prod-db-read in okta, proven/s);
  expect(story).toMatch(/Messages.*the request, in its channel: posted in C0APPROVALS/s);
  // Whoever may not see its status may not see its story.
  const hidden = await (await journey.person('pat').press(shown, 'story')).said(WAIT_MS);
  expect(textOf(hidden)).toMatch(/may not see other people's access/);
  const typed = await (await journey.person('ana').slash(`story ${id}`)).said(WAIT_MS);
  expect(textOf(typed)).toMatch(/Story of G-/);

  await journey.idle();
  await journey.moveClock(5 * HOUR);
  await journey.told('sam', /Reminder: Review of access.*Overdue since/s);
  const digest = await (await journey.person('sam').slash('digest today')).said(WAIT_MS);
  expect(textOf(digest)).toMatch(/Access, not reviewed.*Ana .*overdue by 1 h/s);
  expect(textOf(await (await journey.person('sam').press(review, 'sign-off')).said(WAIT_MS))).toMatch(
    /Signed off by Sam/,
  );
  await journey.posted(APPROVALS, /Review of access.*Signed off by Sam Haddad/s);
  const below = messagesIn(journey.slack.state, APPROVALS).filter((one) => /Review of access/.test(textOf(one)));
  expect(below).toHaveLength(1);
  expect(button(below[0] ?? {}, 'sign-off')).toBeUndefined();
  const kinds = (await journey.story(id)).map(({ kind }) => kind);
  for (const kind of ['review.opened', 'review.refused', 'review.reminded', 'review.signed_off'])
    expect(kinds, kind).toContain(kind);

  // The trail, told forward, comes to the same rows.
  const told = replay(
    (await journey.bot.store.chain(0, 10_000)).map(({ canonical }) => JSON.parse(canonical) as AuditEvent),
  );
  const record = await journey.bot.store.request(id);
  expect(told.reviews.get(record?.grant?.id ?? '')).toBe((await journey.bot.store.reviewOf(id))?.state);
  expect(record?.grant).toMatchObject({ ...told.grants.get(record?.grant?.id ?? ''), memberships: expect.anything() });
});
