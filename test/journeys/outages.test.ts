/**
 * What people rely on while Okta or Slack fails: access never starts late, always ends, and whoever must know is told
 * by a way that still works.
 */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { OktaFault } from '../../src/sandbox/okta-faults.ts';
import { dmsOf, messagesIn, textOf } from '../../src/sandbox/slack-reading.ts';
import { SECRETS } from '../../src/sandbox/world.ts';
import { APPROVALS, EITHER, GROUPS, type Journey, PEOPLE, SECURITY, startJourney } from '../support/journey.ts';
import { type Listener, startListener } from '../support/listener.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

let journey: Journey;

const fault = (laid: OktaFault) => journey.okta.control({ do: 'fault', fault: laid });
const clear = () => journey.okta.control({ do: 'clear' });
const kindsOf = async (id: string) => (await journey.story(id)).map((event) => event.kind);
const calls = (method: string) => journey.okta.state().log.filter((entry) => entry.method === method).length;

async function recorded(id: string, kind: string): Promise<void> {
  await vi.waitFor(async () => expect(await kindsOf(id)).toContain(kind), { timeout: 5_000, interval: 10 });
}

async function active(text = 'db-prod 30m fix stuck migration'): Promise<string> {
  const { id, card } = await journey.ask('ana', text);
  await journey.approve('ben', card, 'ana');
  return id;
}

async function removed(id: string): Promise<void> {
  await journey.told('ana', new RegExp(`${id}: ended.*Removed from prod-db-read .*checked`));
  expect(journey.isMember('ana', 'read')).toBe(false);
}

const saidIn = (channel: string, words: RegExp) =>
  messagesIn(journey.slack.state, channel).filter((message) => words.test(textOf(message)));

describe.each(EITHER)('Okta is down at the approval, on %s', (dialect) => {
  afterEach(() => journey.end());

  it('the requester is told until when it is tried, and is added when Okta is back in time', async () => {
    journey = await startJourney(dialect);
    const { id, card } = await journey.ask('ana', 'db-prod 30m fix stuck migration');
    fault({ kind: 'down' });
    await journey.person('ben').press(card, 'approve');
    await journey.told('ana', new RegExp(`${id}.*not added yet: okta says .*Trying again until \\d\\d:\\d\\d UTC`));
    await journey.pass(4 * MINUTE, MINUTE);
    expect(journey.isMember('ana', 'read')).toBe(false);

    clear();
    await journey.pass(MINUTE, 20 * SECOND);
    await journey.told('ana', new RegExp(`${id}: active.*Added to prod-db-read \\(checked\\)`));
    expect(journey.isMember('ana', 'read')).toBe(true);
    // The outage did not eat into the approved time.
    await journey.moveClock(28 * MINUTE);
    await journey.idle();
    expect(journey.isMember('ana', 'read')).toBe(true);
    await journey.moveClock(3 * MINUTE);
    await removed(id);
  });

  it('what could not be added in ten minutes is given up, told, and never added later', async () => {
    journey = await startJourney(dialect);
    const { id, card } = await journey.ask('ana', 'db-prod 30m fix stuck migration');
    fault({ kind: 'down' });
    await journey.person('ben').press(card, 'approve');
    await journey.told('ana', new RegExp(`${id}.*not added yet`));
    await journey.pass(11 * MINUTE, 2 * MINUTE);
    await journey.posted(SECURITY, /Additions are failing/);
    await journey.told('ana', new RegExp(`${id}: ended.*Given up: not added in time`));

    clear();
    await journey.pass(2 * HOUR, 20 * MINUTE);
    expect(journey.isMember('ana', 'read')).toBe(false);
    expect(calls('PUT')).toBe(0);
    expect(await kindsOf(id)).toContain('grant.ended');
    // Nothing stands in the way of asking again.
    await active('db-prod 30m fix stuck migration once more');
  });

  it('an addition that may have happened is taken away again when it is given up', async () => {
    journey = await startJourney(dialect);
    const { id, card } = await journey.ask('ana', 'db-prod 30m fix stuck migration');
    fault({ kind: 'reset', method: 'PUT', after: true });
    await journey.person('ben').press(card, 'approve');
    await recorded(id, 'membership.addition_unknown');
    await journey.pass(11 * MINUTE, 2 * MINUTE);
    await journey.told('ana', new RegExp(`${id}: ended.*Given up`));
    expect(journey.isMember('ana', 'read')).toBe(false);
  });

  it('an addition that Okta refuses is given up at once and security is told', async () => {
    journey = await startJourney(dialect);
    const { id, card } = await journey.ask('ana', 'db-prod 30m fix stuck migration');
    fault({ kind: 'status', status: 403, method: 'PUT' });
    await journey.person('ben').press(card, 'approve');
    await journey.told('ana', new RegExp(`${id}: ended.*Given up: the directory refused it. Nothing was added`));
    await journey.posted(SECURITY, /An addition was refused/);
    expect(calls('PUT')).toBe(1);
  });

  it('a credential that Okta does not take is told at once, and mending it in time is enough', async () => {
    journey = await startJourney(dialect);
    const { id, card } = await journey.ask('ana', 'db-prod 30m fix stuck migration');
    journey.okta.control({ do: 'revoke-token', token: SECRETS.oktaToken });
    await journey.person('ben').press(card, 'approve');
    await journey.posted(SECURITY, /Additions are failing/);
    journey.okta.control({ do: 'add-token', token: SECRETS.oktaToken });
    await journey.pass(2 * MINUTE, 20 * SECOND);
    await journey.told('ana', new RegExp(`${id}: active.*Added to prod-db-read`));
  });

  it('an addition that is asked to wait waits as long as it was asked to', async () => {
    journey = await startJourney(dialect);
    const { id, card } = await journey.ask('ana', 'db-prod 30m fix stuck migration');
    fault({ kind: 'status', status: 429, method: 'PUT', headers: { 'retry-after': '30' }, times: 1 });
    await journey.person('ben').press(card, 'approve');
    await journey.told('ana', new RegExp(`${id}.*not added yet`));
    await journey.pass(24 * SECOND, 8 * SECOND);
    expect(calls('PUT')).toBe(1);
    await journey.pass(10 * SECOND, 5 * SECOND);
    await journey.told('ana', new RegExp(`${id}: active.*Added to prod-db-read`));
  });

  it('a requester whose account was deactivated meanwhile cannot be approved', async () => {
    journey = await startJourney(dialect);
    const { id, card } = await journey.ask('ana', 'db-prod 30m fix stuck migration');
    journey.okta.control({ do: 'set-status', user: PEOPLE.ana.okta, status: 'DEPROVISIONED' });
    await journey.moveClock(2 * MINUTE);
    const reply = await journey.person('ben').press(card, 'approve');
    expect(textOf(await reply.said())).toMatch(/cannot be approved: the account is not active/);
    await journey.idle();
    expect(journey.isMember('ana', 'read')).toBe(false);
    expect(await kindsOf(id)).not.toContain('request.approved');
  });

  it('a requester who is no longer one of those who may ask cannot be approved', async () => {
    journey = await startJourney(dialect);
    const { card } = await journey.ask('ana', 'db-prod 30m fix stuck migration');
    journey.okta.control({ do: 'remove-member', group: GROUPS.engineering, user: PEOPLE.ana.okta });
    await journey.moveClock(2 * MINUTE);
    const reply = await journey.person('ben').press(card, 'approve');
    expect(textOf(await reply.said())).toMatch(/cannot be approved: the policy no longer lets them/);
    expect(journey.isMember('ana', 'read')).toBe(false);
  });
});

describe.each(EITHER)('Okta is down at the end, on %s', (dialect) => {
  let listener: Listener;
  beforeEach(async () => {
    listener = await startListener();
  });
  afterEach(async () => {
    await journey.end();
    await listener.close();
  });

  const start = (options: Parameters<typeof startJourney>[1] = {}) =>
    startJourney(dialect, { ...options, env: { HALLPASS_ALERT_URL: listener.url } });
  const alerts = (code: string) => listener.heard.filter(({ body }) => (body as { code?: string }).code === code);

  it('it is tried for ever; security, the webhook and /readyz tell it once, and tell when it is done', async () => {
    journey = await start();
    const id = await active();
    fault({ kind: 'down' });
    await journey.moveClock(31 * MINUTE);
    await journey.told('ana', new RegExp(`${id}: ending.*till a member of prod-db-read`));
    expect(alerts('removal_failing')).toHaveLength(0);

    await journey.pass(10 * SECOND, 2 * SECOND);
    await journey.posted(SECURITY, /A removal keeps failing/);
    await vi.waitFor(() => expect(alerts('removal_failing')).toHaveLength(1));
    expect(alerts('removal_failing')[0]?.body).toMatchObject({
      code: 'removal_failing',
      severity: 'critical',
      text: expect.stringContaining('prod-db-read'),
      at: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
    });
    expect(await journey.ready()).toMatchObject({
      status: 'degraded',
      removalsOutstanding: 1,
      degraded: [{ what: 'removal from prod-db-read', why: expect.stringContaining('failures in a row') }],
    });

    await journey.pass(2 * HOUR, 10 * MINUTE);
    expect(saidIn(SECURITY, /A removal keeps failing/)).toHaveLength(1);
    expect(alerts('removal_failing')).toHaveLength(1);
    expect(journey.isMember('ana', 'read')).toBe(true);

    clear();
    await journey.pass(8 * MINUTE, 2 * MINUTE);
    await removed(id);
    await journey.posted(SECURITY, /A removal that was failing is done/);
    await vi.waitFor(() => expect(alerts('removal_recovered')).toHaveLength(1));
    expect(await journey.ready()).toMatchObject({ status: 'ready', removalsOutstanding: 0, degraded: [] });
  });

  it('an alert that the webhook does not take is sent again', async () => {
    journey = await start();
    listener.answer(503);
    const id = await active();
    fault({ kind: 'down' });
    await journey.moveClock(31 * MINUTE);
    await recorded(id, 'membership.removal_failed');
    await journey.pass(10 * SECOND, 2 * SECOND);
    await vi.waitFor(() => expect(alerts('removal_failing').length).toBeGreaterThan(0));
    listener.answer(204);
    const before = alerts('removal_failing').length;
    await journey.pass(2 * MINUTE, 30 * SECOND);
    expect(alerts('removal_failing')).toHaveLength(before + 1);
    await journey.pass(10 * MINUTE, 5 * MINUTE);
    expect(alerts('removal_failing')).toHaveLength(before + 1);
  });

  it('security hears of it by webhook while Slack is down too', async () => {
    journey = await start();
    await active();
    fault({ kind: 'down' });
    await journey.slack.control({ do: 'down', down: true });
    await journey.moveClock(31 * MINUTE);
    await journey.pass(20 * SECOND, 2 * SECOND);
    await vi.waitFor(() => expect(alerts('removal_failing')).toHaveLength(1));
    await journey.slack.control({ do: 'down', down: false });
    await journey.pass(2 * MINUTE, 30 * SECOND);
    await journey.posted(SECURITY, /A removal keeps failing/);
  });

  const refusals = [
    ['401 because the token was revoked', 401],
    ['403 because the token may no longer do it', 403],
    ['500', 500],
    ['503', 503],
  ] as const;
  it.each(refusals)('an answer of %s is never taken for a membership that is gone', async (_, status) => {
    journey = await start();
    const id = await active();
    fault({ kind: 'status', status });
    await journey.moveClock(31 * MINUTE);
    await recorded(id, 'membership.removal_failed');
    await journey.pass(HOUR, 10 * MINUTE);
    expect(journey.isMember('ana', 'read')).toBe(true);
    const kinds = await kindsOf(id);
    expect(kinds).not.toContain('membership.proven_absent');
    expect(kinds).not.toContain('grant.ended');
    clear();
    await journey.pass(8 * MINUTE, 2 * MINUTE);
    await removed(id);
  });

  it('a removal that was accepted is not called done while reads are refused', async () => {
    journey = await start();
    const id = await active();
    fault({ kind: 'status', status: 401, method: 'GET' });
    await journey.moveClock(31 * MINUTE);
    await recorded(id, 'membership.read_failed');
    await journey.pass(MINUTE, 20 * SECOND);
    expect(journey.isMember('ana', 'read')).toBe(false);
    expect(await kindsOf(id)).not.toContain('grant.ended');
    clear();
    await journey.pass(8 * MINUTE, 2 * MINUTE);
    await removed(id);
  });

  it('a removal that is asked to wait waits, and is done when it may', async () => {
    journey = await start();
    const id = await active();
    fault({ kind: 'status', status: 429, method: 'DELETE', headers: { 'retry-after': '20' }, times: 1 });
    await journey.moveClock(31 * MINUTE);
    await recorded(id, 'membership.removal_failed');
    await journey.pass(16 * SECOND, 8 * SECOND);
    expect(calls('DELETE')).toBe(1);
    await journey.pass(8 * SECOND, 4 * SECOND);
    expect(calls('DELETE')).toBe(2);
    await removed(id);
  });

  it('a group that was deleted is not taken for a removal; security is told', async () => {
    journey = await start();
    const id = await active();
    journey.okta.control({ do: 'delete-group', group: GROUPS.read });
    await journey.moveClock(31 * MINUTE);
    await recorded(id, 'membership.removal_failed');
    await journey.pass(20 * SECOND, 2 * SECOND);
    await journey.posted(SECURITY, /A removal keeps failing/);
    expect(await kindsOf(id)).not.toContain('membership.proven_absent');
    expect((await journey.ready()).degraded[0]?.why).toMatch(/group does not exist/);
  });

  it('a holder whose account is deactivated during the grant is out of the group, and the grant ends in order', async () => {
    journey = await start();
    const id = await active();
    journey.okta.control({ do: 'set-status', user: PEOPLE.ana.okta, status: 'DEPROVISIONED' });
    expect(journey.isMember('ana', 'read')).toBe(false);
    await journey.moveClock(31 * MINUTE);
    await journey.told('ana', new RegExp(`${id}: ended`));
    expect(journey.isMember('ana', 'read')).toBe(false);
    expect(await kindsOf(id)).toContain('membership.proven_absent');
  });
});

describe.each(EITHER)('a slow or silent Okta, on %s', (dialect) => {
  afterEach(() => journey.end());

  async function timed<T>(work: Promise<T>): Promise<{ readonly value: T; readonly ms: number }> {
    const startedAt = performance.now();
    const value = await work;
    return { value, ms: performance.now() - startedAt };
  }

  it('never delays an acknowledgement: the answer follows', async () => {
    journey = await startJourney(dialect);
    fault({ kind: 'latency', ms: 600 });
    const { value: reply, ms } = await timed(journey.person('ana').slash('request db-prod 30m fix stuck migration'));
    expect(reply.status).toBe(200);
    expect(ms).toBeLessThan(3_000);
    expect(textOf(await reply.said())).toMatch(/Checking… The answer follows/);
    clear();
    await journey.told('ana', /Waiting for approval/);
    await journey.slack.waitFor(
      (state) => state.ephemerals.find((shown) => shown.user === PEOPLE.ana.slack && /Requested\./.test(textOf(shown))),
      6_000,
      'the answer after "Checking…"',
    );
  });

  it('a button is acknowledged while Okta hangs, and the person is told that nothing was done', async () => {
    journey = await startJourney(dialect, { callDeadlineMs: 700 });
    const { id, card } = await journey.ask('ana', 'db-prod 30m fix stuck migration');
    await journey.moveClock(2 * MINUTE);
    fault({ kind: 'hang' });
    const { value: reply, ms } = await timed(journey.person('ben').press(card, 'approve'));
    expect(reply.status).toBe(200);
    expect(ms).toBeLessThan(3_000);
    expect(textOf(await reply.said())).toMatch(/could not|Try again in a minute/);
    expect(await kindsOf(id)).not.toContain('request.approved');
    clear();
    await journey.approve('ben', card, 'ana');
  });

  it('with Okta down, a request is answered at once with what to do', async () => {
    journey = await startJourney(dialect);
    fault({ kind: 'down' });
    const { value: reply, ms } = await timed(journey.person('ana').slash('request db-prod 30m fix stuck migration'));
    expect(reply.status).toBe(200);
    expect(ms).toBeLessThan(3_000);
    expect(textOf(await reply.said())).toMatch(/Hallpass could not check .*so nothing was done.*Try again in a minute/);
    expect(messagesIn(journey.slack.state, APPROVALS)).toHaveLength(0);
  });
});

describe.each(EITHER)('Slack is down, on %s', (dialect) => {
  afterEach(() => journey.end());

  const down = (is: boolean) => journey.slack.control({ do: 'down', down: is });

  it('during the approval: the membership follows at once, the messages when Slack is back', async () => {
    journey = await startJourney(dialect);
    const { id, card } = await journey.ask('ana', 'db-prod 30m fix stuck migration');
    // Slack has been asked who Ben is, a moment ago.
    await (await journey.person('ben').slash('list pending')).said();
    await down(true);
    expect((await journey.person('ben').press(card, 'approve')).status).toBe(200);
    await recorded(id, 'grant.activated');
    expect(journey.isMember('ana', 'read')).toBe(true);
    await journey.pass(MINUTE, 20 * SECOND);

    await down(false);
    await journey.pass(2 * MINUTE, 30 * SECOND);
    await journey.told('ana', new RegExp(`${id}: active.*Added to prod-db-read \\(checked\\)`));
    await journey.posted(APPROVALS, new RegExp(`${id}: active`));
  });

  it('at the end: the removal is on time, the messages follow', async () => {
    journey = await startJourney(dialect);
    const id = await active();
    await down(true);
    await journey.moveClock(31 * MINUTE);
    await recorded(id, 'grant.ended');
    expect(journey.isMember('ana', 'read')).toBe(false);
    await journey.pass(10 * MINUTE, 2 * MINUTE);
    expect(dmsOf(journey.slack.state, PEOPLE.ana.slack).some((message) => /: ended/.test(textOf(message)))).toBe(false);

    await down(false);
    await journey.pass(2 * MINUTE, 30 * SECOND);
    await removed(id);
    await journey.posted(APPROVALS, new RegExp(`${id}: ended.*Removed from prod-db-read`));
  });

  it('a request while Slack is down is not lost silently: nothing is opened that nobody can see', async () => {
    journey = await startJourney(dialect);
    await down(true);
    const reply = await journey.person('ana').slash('request db-prod 30m fix stuck migration');
    expect(reply.status).toBe(200);
    expect(textOf(await reply.said())).toMatch(/could not check who is who|Checking/);
    await down(false);
    await journey.idle();
    expect(messagesIn(journey.slack.state, APPROVALS)).toHaveLength(0);
  });

  it('for the answer to a post: it is found again, not posted again', async () => {
    journey = await startJourney(dialect);
    await journey.slack.control({ do: 'fault', method: 'chat.postMessage', kind: 'reset', after: true, times: 4 });
    const { id } = await journey.ask('ana', 'db-prod 30m fix stuck migration');
    await journey.pass(10 * SECOND, 2 * SECOND);
    const copies = saidIn(APPROVALS, new RegExp(id));
    expect(copies).toHaveLength(1);
    for (const copy of copies) await journey.person('ben').press(copy, 'approve');
    await recorded(id, 'grant.activated');
    expect((await kindsOf(id)).filter((kind) => kind === 'approval.given')).toHaveLength(1);
  });
});

describe.each(EITHER)('a machine whose clock is set wrong, on %s', (dialect) => {
  afterEach(() => journey.end());

  it('set back during a grant, the end comes no later', async () => {
    journey = await startJourney(dialect);
    const id = await active();
    await journey.stepClock(-2 * HOUR);
    await journey.moveClock(31 * MINUTE);
    await removed(id);
    await active('db-prod 30m fix stuck migration again');
  });

  it('set on and back again, nothing is taken for permanent and everything ends', async () => {
    journey = await startJourney(dialect);
    const first = await active();
    await journey.stepClock(HOUR);
    // Processes that share a database go by its time; alone, an end comes early rather than late.
    if (dialect === 'sqlite') await removed(first);
    else expect(journey.isMember('ana', 'read')).toBe(true);
    await journey.stepClock(-HOUR);
    if (dialect === 'postgres') await journey.moveClock(31 * MINUTE);
    await removed(first);

    const second = await active('db-prod 30m fix stuck migration again');
    await journey.moveClock(31 * MINUTE);
    await removed(second);
  });

  it('set back while a removal is being proven, it is proven all the same', async () => {
    journey = await startJourney(dialect);
    const id = await active();
    fault({ kind: 'status', status: 503, method: 'GET' });
    await journey.moveClock(31 * MINUTE);
    await recorded(id, 'membership.removed');
    await journey.stepClock(-10 * MINUTE);
    clear();
    await journey.pass(6 * MINUTE, MINUTE);
    await removed(id);
  });
});
