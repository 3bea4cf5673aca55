/** What keeps the promise when something around the bot goes wrong: the sweep, the heartbeat, and other bots. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { keyText } from '../../src/access/ledger.ts';
import { createLog } from '../../src/log.ts';
import { run } from '../../src/main.ts';
import { dmsOf, messagesIn, textOf } from '../../src/sandbox/slack-reading.ts';
import { APPROVALS, DIALECTS, EITHER, GROUPS, type Journey, PEOPLE, startJourney } from '../support/journey.ts';
import { type Listener, startListener } from '../support/listener.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;

let journey: Journey;

const kindsOf = async (id: string) => (await journey.story(id)).map((event) => event.kind);
const calls = (method: string) => journey.okta.state().log.filter((entry) => entry.method === method).length;
/** As after a bug, or a database restored from a copy. */
const lose = (job: string) => journey.bot.store.commit({ changes: [{ drop: 'job', id: job }] });

async function recorded(id: string, kind: string): Promise<void> {
  await vi.waitFor(async () => expect(await kindsOf(id)).toContain(kind), { timeout: 5_000, interval: 10 });
}

async function active(): Promise<string> {
  const { id, card } = await journey.ask('ana', 'db-prod 30m fix stuck migration');
  await journey.approve('ben', card, 'ana');
  return id;
}

async function removed(id: string): Promise<void> {
  await journey.told('ana', new RegExp(`${id}: ended.*Removed from prod-db-read .*checked`));
  expect(journey.isMember('ana', 'read')).toBe(false);
}

describe.each(EITHER)('the sweep, on %s', (dialect) => {
  afterEach(() => journey.end());

  it('finds an end whose timer is gone', async () => {
    journey = await startJourney(dialect);
    const id = await active();
    await lose(`end:G-${id.slice(2)}`);
    await journey.moveClock(31 * MINUTE);
    await removed(id);
  });

  it('finds a removal whose job is gone', async () => {
    journey = await startJourney(dialect);
    const id = await active();
    journey.okta.control({ do: 'fault', fault: { kind: 'down', method: 'DELETE' } });
    await journey.moveClock(31 * MINUTE);
    await recorded(id, 'membership.removal_failed');
    await journey.idle();
    await lose(`op:${keyText({ directory: 'okta', groupId: GROUPS.read, userId: PEOPLE.ana.okta })}`);
    journey.okta.control({ do: 'clear' });
    await journey.bot.sweep.sweep();
    await removed(id);
  });

  it('finds an addition that nobody gave up in time', async () => {
    journey = await startJourney(dialect);
    const { id, card } = await journey.ask('ana', 'db-prod 30m fix stuck migration');
    journey.okta.control({ do: 'fault', fault: { kind: 'reset', method: 'PUT', after: true } });
    await journey.person('ben').press(card, 'approve');
    await recorded(id, 'membership.addition_unknown');
    await journey.idle();
    await lose(`addby:G-${id.slice(2)}`);
    await journey.pass(11 * MINUTE, MINUTE);
    await journey.told('ana', new RegExp(`${id}: ended.*Given up: not added in time`));
    expect(journey.isMember('ana', 'read')).toBe(false);
  });

  it('finds a request that nobody let lapse', async () => {
    journey = await startJourney(dialect);
    const { id } = await journey.ask('ana', 'db-prod 30m fix stuck migration');
    await lose(`lapse:${id}`);
    await journey.moveClock(61 * MINUTE);
    await journey.told('ana', new RegExp(`${id}: lapsed`));
  });
});

describe.each(EITHER)('the heartbeat, on %s', (dialect) => {
  let listener: Listener;
  beforeEach(async () => {
    listener = await startListener();
  });
  afterEach(async () => {
    await journey.end();
    await listener.close();
  });

  it('is sent with every sweep', async () => {
    journey = await startJourney(dialect, { env: { HALLPASS_HEARTBEAT_URL: listener.url } });
    await journey.bot.sweep.sweep();
    const { length } = listener.heard;
    expect(length).toBeGreaterThan(0);
    expect(listener.heard[0]?.method).toBe('GET');
    await journey.bot.sweep.sweep();
    expect(listener.heard).toHaveLength(length + 1);
  });

  it('that nobody takes stops nothing', async () => {
    listener.answer(500);
    journey = await startJourney(dialect, { env: { HALLPASS_HEARTBEAT_URL: listener.url } });
    const id = await active();
    await listener.close();
    await journey.moveClock(31 * MINUTE);
    await removed(id);
  });
});

describe.each(EITHER)('a bot that is stopped, on %s', (dialect) => {
  afterEach(() => journey.end());

  it('in the middle of an addition: the next one goes on where it was', async () => {
    journey = await startJourney(dialect, { callDeadlineMs: 500 });
    const { id, card } = await journey.ask('ana', 'db-prod 30m fix stuck migration');
    journey.okta.control({ do: 'fault', fault: { kind: 'hang', method: 'PUT', after: true, times: 1 } });
    await journey.person('ben').press(card, 'approve');
    await recorded(id, 'membership.addition_started');
    await journey.restart();
    await journey.pass(20 * SECOND);
    await journey.told('ana', new RegExp(`${id}: active.*Added to prod-db-read`));
    await journey.moveClock(31 * MINUTE);
    await journey.pass(20 * SECOND);
    await removed(id);
  });
});

describe.each(DIALECTS)('two bots on one database, on %s', (dialect) => {
  it('do everything once', async () => {
    journey = await startJourney(dialect);
    const clock = { now: journey.now, monotonic: () => performance.now() };
    const other = await run({ settings: journey.settings, clock, log: createLog('silent'), host: '127.0.0.1' });
    try {
      await other.slack?.connected;
      const { id, card } = await journey.ask('ana', 'db-prod 30m fix stuck migration');
      await journey.approve('ben', card, 'ana');
      await Promise.all([journey.moveClock(31 * MINUTE), other.sweep.sweep()]);
      await removed(id);
      await Promise.all([journey.idle(), other.loop.idle()]);
      expect(calls('PUT')).toBe(1);
      expect(calls('DELETE')).toBe(1);
      const kinds = await kindsOf(id);
      for (const kind of ['grant.activated', 'grant.expired', 'grant.ended'])
        expect(kinds.filter((each) => each === kind)).toHaveLength(1);
      const { state } = journey.slack;
      expect(messagesIn(state, APPROVALS).filter((message) => textOf(message).includes(id))).toHaveLength(1);
      expect(dmsOf(state, PEOPLE.ana.slack).filter((message) => /: ended/.test(message.text)).length).toBeLessThan(4);
    } finally {
      await other.stop();
      await journey.end();
    }
  });
});
