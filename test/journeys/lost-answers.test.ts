/**
 * What was sent may have happened, whatever was heard of it. Promise: after any lost, late or lagging answer, and after
 * the bot has died at any point, nobody is a member once the grant is over, and nothing of ours is ever taken for a
 * permanent membership. Asserted on what Okta holds, not on what its reads show.
 */
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { OktaFault } from '../../src/sandbox/okta-faults.ts';
import { textOf } from '../../src/sandbox/slack-reading.ts';
import type { SlackMessage } from '../../src/sandbox/slack-state.ts';
import { APPROVALS, createWorld } from '../../src/sandbox/world.ts';
import { freshDatabase } from '../support/databases.ts';
import { DIALECTS, EITHER, GROUPS, type Journey, PEOPLE, SECURITY, startJourney } from '../support/journey.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
/** Longer than the lease of a call, its deadline, the margin and the lag together. */
const SETTLED = 40 * SECOND;

let journey: Journey;

const fault = (laid: OktaFault) => journey.okta.control({ do: 'fault', fault: laid });
const kindsOf = async (id: string) => (await journey.story(id)).map((event) => event.kind);

/** Resolves when the trail of the request has this event. */
async function recorded(id: string, kind: string): Promise<void> {
  await vi.waitFor(async () => expect(await kindsOf(id)).toContain(kind), { timeout: 5_000, interval: 10 });
}

/** Resolves when a call of the bot hangs at Okta. */
async function hanging(): Promise<void> {
  const hung = () => journey.okta.state().log.some(({ status }) => status === 0);
  await vi.waitFor(() => expect(hung()).toBe(true), { timeout: 5_000, interval: 10 });
}

async function approved(text = 'db-prod 30m fix stuck migration'): Promise<{ id: string; card: SlackMessage }> {
  const asked = await journey.ask('ana', text);
  await journey.person('ben').press(asked.card, 'approve');
  return asked;
}

/** The grant is over, proven, and was never taken for somebody's permanent membership. */
async function over(id: string): Promise<void> {
  await journey.idle();
  expect(journey.isMember('ana', 'read')).toBe(false);
  const kinds = await kindsOf(id);
  expect(kinds).toContain('grant.ended');
  expect(kinds).not.toContain('membership.baseline_found');
}

describe.each(DIALECTS)('answers that were lost, on %s', (dialect) => {
  afterEach(() => journey.end());

  it.each([
    ['after it took effect', true],
    ['before it took effect', false],
  ])('an addition whose connection breaks %s is sent again, and the grant runs its time', async (_, after) => {
    journey = await startJourney(dialect);
    fault({ kind: 'reset', method: 'PUT', after, times: 1 });
    const { id } = await approved();
    await recorded(id, 'membership.addition_unknown');
    await journey.idle();
    expect(journey.isMember('ana', 'read')).toBe(after);

    await journey.moveClock(2 * SECOND);
    await journey.told('ana', new RegExp(`${id}: active.*Added to prod-db-read \\(checked\\)`));
    expect(journey.isMember('ana', 'read')).toBe(true);

    await journey.moveClock(31 * MINUTE);
    await journey.pass(SETTLED);
    await over(id);
  });

  it.each([
    ['after it took effect', true],
    ['before it took effect', false],
  ])('a removal whose connection breaks %s is sent again until it is proven', async (_, after) => {
    journey = await startJourney(dialect);
    const { id, card } = await journey.ask('ana', 'db-prod 30m fix stuck migration');
    await journey.approve('ben', card, 'ana');
    fault({ kind: 'reset', method: 'DELETE', after, times: 1 });
    await journey.moveClock(31 * MINUTE);
    await recorded(id, 'membership.removal_failed');
    expect(await kindsOf(id)).not.toContain('grant.ended');

    await journey.pass(SETTLED);
    await journey.told('ana', new RegExp(`${id}: ended.*Removed from prod-db-read .*checked`));
    await over(id);
  });

  it.each([
    ['and it took effect', true],
    ['and it did not', false],
  ])('an addition that hangs, %s, is sent again after its deadline', async (_, after) => {
    journey = await startJourney(dialect, { callDeadlineMs: 500 });
    fault({ kind: 'hang', method: 'PUT', after, times: 1 });
    const { id } = await approved();
    await recorded(id, 'membership.addition_unknown');
    await journey.moveClock(2 * SECOND);
    await journey.told('ana', new RegExp(`${id}: active.*Added to prod-db-read \\(checked\\)`));
    await journey.moveClock(31 * MINUTE);
    await journey.pass(SETTLED);
    await over(id);
  });

  it('additions whose answers are lost until the time to add is over are given up and taken away', async () => {
    journey = await startJourney(dialect);
    fault({ kind: 'reset', method: 'PUT', after: true });
    const { id } = await approved();
    await recorded(id, 'membership.addition_unknown');
    expect(journey.isMember('ana', 'read')).toBe(true);
    await journey.moveClock(10 * MINUTE);
    await journey.pass(SETTLED);
    await journey.told('ana', new RegExp(`${id}: ended.*Given up: not added in time`));
    await over(id);
  });

  it('a second request after a lost answer never finds a permanent member', async () => {
    journey = await startJourney(dialect);
    fault({ kind: 'reset', method: 'PUT', after: true, times: 1 });
    fault({ kind: 'status', status: 503, method: 'DELETE' });
    const first = await approved();
    await recorded(first.id, 'membership.addition_unknown');
    await journey.person('ana').slash(`return ${first.id}`);
    await recorded(first.id, 'membership.removal_failed');
    expect(journey.isMember('ana', 'read')).toBe(true);

    const second = await journey.ask('ana', 'db-prod 30m fix stuck migration again');
    await journey.approve('ben', second.card, 'ana');
    journey.okta.control({ do: 'clear' });
    await journey.moveClock(31 * MINUTE);
    await journey.pass(SETTLED);
    await over(first.id);
    await over(second.id);
  });

  it('an addition that takes effect after it was given up for lost is removed all the same', async () => {
    journey = await startJourney(dialect, { callDeadlineMs: 300 });
    fault({ kind: 'latency', method: 'PUT', ms: 900, times: 1 });
    const { id } = await approved();
    await recorded(id, 'membership.addition_started');
    await journey.person('sam').slash(`revoke ${id} not needed any more`);
    await recorded(id, 'membership.removed');
    expect(journey.isMember('ana', 'read')).toBe(false);
    expect(await kindsOf(id)).not.toContain('membership.proven_absent');
    // It lands.
    await vi.waitFor(() => expect(journey.isMember('ana', 'read')).toBe(true), { timeout: 3_000, interval: 10 });

    await journey.pass(SETTLED);
    await over(id);
  });
});

describe.each(EITHER)('reads that lag behind, on %s', (dialect) => {
  afterEach(() => journey.end());

  it('an old read is neither taken for a removal by somebody else nor for a removal that did not hold', async () => {
    let now = Date.now;
    journey = await startJourney(dialect, { okta: { now: () => now() } });
    now = journey.now;
    journey.okta.control({ do: 'lag', ms: 1_500 });
    const { id } = await approved();
    await recorded(id, 'membership.added');
    expect(journey.isMember('ana', 'read')).toBe(true);
    await journey.idle();
    expect((await kindsOf(id)).at(-1)).toBe('membership.seen_absent');
    await journey.pass(4 * SECOND, SECOND);
    await journey.told('ana', new RegExp(`${id}: active.*Added to prod-db-read \\(checked\\)`));

    await journey.moveClock(31 * MINUTE);
    await recorded(id, 'membership.removed');
    expect(journey.isMember('ana', 'read')).toBe(false);
    // Asked for again while reads still show the old membership.
    const again = await journey.ask('ana', 'db-prod 30m fix stuck migration again');
    await journey.approve('ben', again.card, 'ana');
    await journey.pass(4 * SECOND, SECOND);
    expect(journey.isMember('ana', 'read')).toBe(true);

    await journey.moveClock(31 * MINUTE);
    await journey.pass(8 * SECOND, SECOND);
    await over(id);
    await over(again.id);
    for (const kinds of [await kindsOf(id), await kindsOf(again.id)]) {
      expect(kinds).not.toContain('grant.removed_outside');
      expect(kinds).not.toContain('membership.removal_failed');
    }
  });

  it('a membership that stays missing for longer than reads may lag ends the grant, and a removal is sent all the same', async () => {
    let now = Date.now;
    journey = await startJourney(dialect, { okta: { now: () => now() } });
    now = journey.now;
    journey.okta.control({ do: 'lag', ms: 5_000 });
    const { id } = await approved();
    await recorded(id, 'membership.added');
    await journey.pass(3 * SECOND, SECOND);
    await recorded(id, 'grant.removed_outside');
    await journey.posted(SECURITY, /removed outside Hallpass/);
    await journey.pass(SETTLED);
    await over(id);
    expect(await kindsOf(id)).toContain('membership.removed');
  });
});

describe.each(DIALECTS)('a bot that dies, on %s', (dialect) => {
  afterEach(() => journey.end());

  it.each([
    ['before the addition took effect', false],
    ['after the addition took effect', true],
  ])('between the mark and the answer, %s: the next one adds, and removes at the end', async (_, after) => {
    journey = await startJourney(dialect);
    fault({ kind: 'hang', method: 'PUT', after, times: 1 });
    const { id } = await approved();
    await recorded(id, 'membership.addition_started');
    if (after) await vi.waitFor(() => expect(journey.isMember('ana', 'read')).toBe(true), { interval: 10 });
    await journey.crash();
    expect(await kindsOf(id)).not.toContain('membership.added');

    await journey.pass(SETTLED);
    await journey.told('ana', new RegExp(`${id}: active.*Added to prod-db-read \\(checked\\)`));
    expect(journey.isMember('ana', 'read')).toBe(true);
    await journey.moveClock(31 * MINUTE);
    await journey.pass(SETTLED);
    await over(id);
  });

  it('in the middle of an addition and comes back after the time to add: it is taken away, not kept', async () => {
    journey = await startJourney(dialect);
    fault({ kind: 'hang', method: 'PUT', after: true, times: 1 });
    const { id } = await approved();
    await recorded(id, 'membership.addition_started');
    await vi.waitFor(() => expect(journey.isMember('ana', 'read')).toBe(true), { interval: 10 });
    await journey.crash();
    await journey.moveClock(11 * MINUTE);
    await journey.pass(SETTLED);
    await over(id);
    expect(await kindsOf(id)).toContain('grant.abandoned');
  });

  it.each([
    ['before the removal took effect', false],
    ['after the removal took effect', true],
  ])('in the middle of a removal, %s: the next one removes and proves it', async (_, after) => {
    journey = await startJourney(dialect);
    const { id, card } = await journey.ask('ana', 'db-prod 30m fix stuck migration');
    await journey.approve('ben', card, 'ana');
    fault({ kind: 'hang', method: 'DELETE', after, times: 1 });
    await journey.moveClock(31 * MINUTE);
    await recorded(id, 'membership.removal_started');
    await journey.crash();
    await journey.pass(SETTLED);
    await journey.told('ana', new RegExp(`${id}: ended.*Removed from prod-db-read .*checked`));
    await over(id);
  });

  it('and stays away beyond the end: what was due is removed as soon as one is back', async () => {
    journey = await startJourney(dialect);
    const { id, card } = await journey.ask('ana', 'db-prod 30m fix stuck migration');
    await journey.approve('ben', card, 'ana');
    await journey.crash();
    await journey.moveClock(31 * MINUTE);
    await journey.told('ana', new RegExp(`${id}: ended.*Removed from prod-db-read .*checked`));
    await over(id);
  });

  it('after it acknowledged a request and before it decided it: the next one answers', async () => {
    journey = await startJourney(dialect);
    fault({ kind: 'hang', method: 'GET' });
    const reply = await journey.person('ana').slash('request db-prod 30m fix stuck migration');
    expect(reply.status).toBe(200);
    expect(textOf(await reply.said())).toMatch(/Checking/);
    await hanging();
    journey.okta.control({ do: 'clear' });
    await journey.crash();
    await journey.moveClock(15 * SECOND);
    await journey.posted(APPROVALS, /Ana Sousa asks for Orders database/);
    await journey.told('ana', /Waiting for approval/);
    const listed = await journey.person('ana').slash('list');
    expect(textOf(await listed.said()).match(/Waiting for approval/g)?.length).toBeGreaterThan(0);
  });

  it('after it acknowledged an approval and before it decided it: the next one grants it, once', async () => {
    journey = await startJourney(dialect);
    const { id, card } = await journey.ask('ana', 'db-prod 30m fix stuck migration');
    await journey.moveClock(2 * MINUTE);
    fault({ kind: 'hang', method: 'GET' });
    const reply = await journey.person('ben').press(card, 'approve');
    expect(reply.status).toBe(200);
    await hanging();
    journey.okta.control({ do: 'clear' });
    await journey.crash();
    await journey.moveClock(15 * SECOND);
    await journey.told('ana', new RegExp(`${id}: active`));
    await journey.person('ben').press(card, 'approve');
    await journey.idle();
    expect((await kindsOf(id)).filter((kind) => kind === 'request.approved')).toHaveLength(1);
    await journey.moveClock(31 * MINUTE);
    await journey.pass(SETTLED);
    await over(id);
  });

  it('before it told anybody: the next one tells', async () => {
    journey = await startJourney(dialect);
    const { id, card } = await journey.ask('ana', 'db-prod 30m fix stuck migration');
    await (await journey.person('ben').slash('list pending')).said();
    // Slack answers at first only to those who ask who Ben is.
    await journey.slack.control({ do: 'fault', method: 'chat.postMessage', kind: 'server_error', times: 50 });
    await journey.slack.control({ do: 'fault', method: 'chat.update', kind: 'server_error', times: 50 });
    await journey.person('ben').press(card, 'approve');
    await recorded(id, 'grant.activated');
    await journey.crash();
    await journey.slack.control({ do: 'clear_faults' });
    await journey.pass(2 * MINUTE, 30 * SECOND);
    await journey.told('ana', new RegExp(`${id}: active.*Added to prod-db-read \\(checked\\)`));
    await journey.posted(APPROVALS, new RegExp(`${id}: active`));
  });
});

describe.each(EITHER)('an end that overtakes an addition, on %s', (dialect) => {
  afterEach(() => journey.end());

  const ways = [
    ['revoked', (id: string) => journey.person('sam').slash(`revoke ${id} not needed any more`)],
    ['returned', (id: string) => journey.person('ana').slash(`return ${id}`)],
  ] as const;

  it.each(ways)('a grant %s while its addition hangs leaves nobody in', async (_, end) => {
    journey = await startJourney(dialect, { callDeadlineMs: 500 });
    fault({ kind: 'hang', method: 'PUT', after: true, times: 1 });
    const { id } = await approved();
    await recorded(id, 'membership.addition_started');
    await end(id);
    await recorded(id, 'membership.removed');
    await journey.pass(SETTLED);
    await over(id);
  });

  it.each(ways)('a grant %s while its addition is slow leaves nobody in', async (_, end) => {
    journey = await startJourney(dialect);
    fault({ kind: 'latency', method: 'PUT', ms: 400, times: 1 });
    const { id } = await approved();
    await recorded(id, 'membership.addition_started');
    await end(id);
    await journey.told('ana', new RegExp(`${id}: ended.*Removed from prod-db-read .*checked`));
    await over(id);
  });

  it.each(ways)('a grant %s at the moment of its approval leaves nobody in', async (_, end) => {
    journey = await startJourney(dialect);
    const { id, card } = await journey.ask('ana', 'db-prod 30m fix stuck migration');
    await journey.person('ben').press(card, 'approve');
    await recorded(id, 'request.approved');
    await end(id);
    await journey.told('ana', new RegExp(`${id}: ended`));
    await journey.pass(SETTLED);
    await over(id);
  });
});

it.each(DIALECTS)(
  'a bot killed by the system in the middle of an addition is made good by the next, on %s',
  async (dialect) => {
    const database = await freshDatabase(dialect);
    const world = await createWorld({ databaseUrl: database.url });
    try {
      await world.startBot();
      world.okta.control({ do: 'fault', fault: { kind: 'hang', method: 'PUT', after: true, times: 1 } });
      await world.person('ana').slash('request db-prod 30m fix stuck migration');
      const card = await world.slack.waitFor((state) =>
        state.messages.find((message) => message.channel === APPROVALS && /waiting for approval/.test(textOf(message))),
      );
      await world.person('ben').press(card, 'approve');
      const isMember = () => world.okta.isMember(GROUPS.read, PEOPLE.ana.okta);
      await vi.waitFor(() => expect(isMember()).toBe(true), { timeout: 5_000, interval: 10 });
      await world.bot?.kill();
      await world.startBot();
      await world.moveClock(20 * SECOND);
      const said = (words: RegExp) =>
        world.slack.waitFor(
          (state) => state.messages.find((message) => words.test(textOf(message))),
          6_000,
          String(words),
        );
      await said(/Added to prod-db-read \(checked\)/);
      await world.moveClock(31 * MINUTE);
      await said(/Removed from prod-db-read .*checked/);
      expect(isMember()).toBe(false);
    } finally {
      await world.close();
      await database.drop();
    }
  },
);
