/** Policies at work: what a condition keeps out, what it lets through, and what it gives without asking anybody. */
import { afterEach, describe, expect, it } from 'vitest';
import { textOf } from '../../src/sandbox/slack-reading.ts';
import { APPROVALS, DIALECTS, type Journey, startJourney } from '../support/journey.ts';

const WAIT_MS = 6_000;

describe.each(DIALECTS)('a policy with conditions, on %s', (dialect) => {
  let journey: Journey;
  afterEach(() => journey.end());

  const says = async (text: string) =>
    textOf(await (await journey.person('ana').slash(`request ${text}`)).said(WAIT_MS));

  it('approves what it may by itself, refuses what it must, and asks people for the rest', async () => {
    journey = await startJourney(dialect, {
      config: (yaml) =>
        yaml
          .replace(
            'reason: { minLength: 10 }',
            `$&\n    when: "!reason.contains('playing')"\n    autoApprove: role == 'read' && duration <= duration('15m') && history.grants24h < 1`,
          )
          .replace('title: Orders database', '$&\n    tags: [ prod ]'),
    });

    expect(await says('db-prod 15m just playing around')).toContain(
      "allows this only when: !reason.contains('playing')",
    );
    expect(journey.isMember('ana', 'read')).toBe(false);

    const said = await says('db-prod 15m look at the stuck order');
    expect(said).toContain('Approved');
    const id = /R-[0-9A-Z]{4,6}/.exec(said)?.[0] ?? '';
    await journey.told('ana', /Added to prod-db-read .*\(checked\)/);
    expect(journey.isMember('ana', 'read')).toBe(true);
    await journey.posted(APPROVALS, new RegExp(id));
    const story = await journey.story(id);
    expect(story.find(({ kind }) => kind === 'request.approved')).toMatchObject({
      actor: { kind: 'hallpass' },
      detail: { automatic: true, condition: expect.stringContaining("role == 'read'") },
    });
    expect(story.map(({ kind }) => kind)).not.toContain('approval.given');
    expect((await journey.bot.store.request(id))?.request.automatic).toContain("role == 'read'");

    await (await journey.person('ana').slash(`return ${id}`)).said(WAIT_MS);
    await journey.told('ana', /Removed from prod-db-read .*checked/);
    expect(journey.isMember('ana', 'read')).toBe(false);

    // It was given once today: the second time somebody has to look.
    const again = await journey.ask('ana', 'db-prod 15m look at it once more');
    expect(journey.isMember('ana', 'read')).toBe(false);
    await journey.approve('ben', again.card, 'ana');
    expect(journey.isMember('ana', 'read')).toBe(true);
  });
});
