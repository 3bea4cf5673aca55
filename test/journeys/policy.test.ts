/** Policies at work: what a condition keeps out, what it lets through, and what it gives without asking anybody. */
import { afterEach, describe, expect, it } from 'vitest';
import { type ExplainOrder, explainCommand } from '../../src/cli/explain.ts';
import { createOut } from '../../src/cli/out.ts';
import { textOf } from '../../src/sandbox/slack-reading.ts';
import { APPROVALS, DIALECTS, type Journey, PEOPLE, startJourney } from '../support/journey.ts';

const WAIT_MS = 6_000;

describe.each(DIALECTS)('limits, when everything is sent at the same moment, on %s', (dialect) => {
  let journey: Journey;
  afterEach(() => journey.end());

  it('one request is left pending, one grant is given, and the ticket is there to be opened', async () => {
    journey = await startJourney(dialect, {
      config: (yaml) =>
        yaml.replace(
          'reason: { minLength: 10 }',
          "reason: { minLength: 10, pattern: 'INC-[0-9]+', link: 'https://acme.example/{ticket}' }\n    maxLive: 1",
        ),
    });
    const ana = journey.person('ana');
    const answers = await Promise.all(
      [1, 2, 3, 4, 5].map(async (n) =>
        textOf(await (await ana.slash(`request db-prod 30m fix INC-${n} at once`)).said(WAIT_MS)),
      ),
    );
    // Under load an answer may say first that it is being looked at; what counts is what is there afterwards.
    expect(answers.filter((said) => said.includes('Requested.')).length).toBeLessThanOrEqual(1);
    await journey.idle();
    const pending = await journey.bot.store.list({ states: ['pending'], limit: 10 });
    expect(pending).toHaveLength(1);
    const { id: first, ticket, ticketUrl } = pending[0]?.request ?? {};
    expect(ticketUrl).toBe(`https://acme.example/${ticket}`);

    const admin = await journey.ask('ana', 'db-prod:admin 30m fix INC-9 as well');
    const read = await journey.posted(APPROVALS, new RegExp(first ?? ''));
    expect(JSON.stringify(read.blocks)).toContain(`"url":"${ticketUrl}"`);
    await Promise.all([
      journey.person('ben').press(read, 'approve'),
      journey.person('cat').press(admin.card, 'approve'),
    ]);
    await journey.told('ana', /Added to prod-db-.*\(checked\)/);
    await journey.idle();
    expect(await journey.bot.store.list({ liveGrants: true, limit: 10 })).toHaveLength(1);
    expect([journey.isMember('ana', 'read'), journey.isMember('ana', 'admin')].filter(Boolean)).toHaveLength(1);
    expect(await says(journey, 'reports 30m fix INC-10 too')).toContain('is the most at a time');
  });
});

async function onHost(journey: Journey, order: ExplainOrder): Promise<unknown> {
  let said = '';
  const io = createOut(true, (line) => {
    said += line;
  });
  await explainCommand(io, journey.settings, order);
  return JSON.parse(said);
}

async function says(journey: Journey, text: string): Promise<string> {
  return textOf(await (await journey.person('ana').slash(`request ${text}`)).said(WAIT_MS));
}

describe.each(DIALECTS)('a policy with conditions, on %s', (dialect) => {
  let journey: Journey;
  afterEach(() => journey.end());

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

    expect(await says(journey, 'db-prod 15m just playing around')).toContain(
      "allows this only when: !reason.contains('playing')",
    );
    expect(journey.isMember('ana', 'read')).toBe(false);

    const explained = await (await journey.person('ana').slash('explain db-prod 15m')).said(WAIT_MS);
    expect(textOf(explained)).toContain('Depends on the reason');
    expect(await onHost(journey, { as: PEOPLE.ana.email, entitlement: 'db-prod', duration: '2h' })).toMatchObject({
      ok: true,
      verdict: 'asks',
      asked: expect.arrayContaining([expect.stringMatching(/\S/)]),
    });
    expect(
      await onHost(journey, {
        as: PEOPLE.ana.email,
        entitlement: 'db-prod',
        duration: '15m',
        reason: 'look at it now',
      }),
    ).toMatchObject({ verdict: 'automatic', asked: [] });
    expect(await onHost(journey, { as: 'nobody@acme.example', entitlement: 'db-prod' })).toMatchObject({ ok: false });
    expect(await journey.bot.store.list({ limit: 10 })).toEqual([]);

    const said = await says(journey, 'db-prod 15m look at the stuck order');
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
