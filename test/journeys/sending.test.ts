/**
 * What people may rely on when Slack loses answers, says that it is too much, or no longer has the place to write to:
 * every message comes once, shows what holds, and none of it delays access or its end.
 */
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { SlackControl } from '../../src/sandbox/slack-control.ts';
import { button, dmsOf, messagesIn, textOf } from '../../src/sandbox/slack-reading.ts';
import type { SlackMessage } from '../../src/sandbox/slack-state.ts';
import { APPROVALS, type DIALECTS, type Journey, PEOPLE, SECURITY, startJourney } from '../support/journey.ts';
import { startListener } from '../support/listener.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;

let journey: Journey;
afterEach(() => journey.end());

const start = async (dialect: (typeof DIALECTS)[number] = 'sqlite', env: Record<string, string> = {}) => {
  journey = await startJourney(dialect, { env });
};
const order = (what: SlackControl) => journey.slack.control(what);
const said = (where: readonly SlackMessage[], id: string) => where.filter((message) => textOf(message).includes(id));
const inChannel = (id: string) => said(messagesIn(journey.slack.state, APPROVALS), id);
const inSecurity = (words: RegExp) =>
  messagesIn(journey.slack.state, SECURITY).filter((message) => words.test(textOf(message)));
const toPerson = (name: keyof typeof PEOPLE, id: string) => said(dmsOf(journey.slack.state, PEOPLE[name].slack), id);

async function recorded(id: string, kind: string): Promise<void> {
  const seen = async () => expect((await journey.story(id)).map((event) => event.kind)).toContain(kind);
  await vi.waitFor(seen, { timeout: 5_000, interval: 10 });
}

/** Asks without waiting for any message about it. */
async function asked(name: keyof typeof PEOPLE, text: string): Promise<string> {
  const answer = textOf(await (await journey.person(name).slash(`request ${text}`)).said());
  const id = /R-[0-9A-Z]{4,6}/.exec(answer)?.[0];
  if (id === undefined) throw new Error(answer);
  return id;
}

/** The approver's own copy of the request, with its buttons. */
const cardOf = (name: keyof typeof PEOPLE, id: string) =>
  journey.slack.waitFor(
    () => toPerson(name, id).find((message) => button(message, 'approve') !== undefined),
    6_000,
    `${id} asked of ${name}`,
  );

describe.each(['sqlite', 'postgres'] as const)('Slack is away for an hour, on %s', (dialect) => {
  it('access ends on time, and afterwards every place shows that in the one message it has', async () => {
    await start(dialect);
    const { id, card } = await journey.ask('ana', 'db-prod 30m fix stuck migration');
    await journey.approve('ben', card, 'ana');
    const count = () => journey.slack.state.messages.length;
    const before = count();

    await order({ do: 'down', down: true });
    await journey.moveClock(31 * MINUTE);
    await recorded(id, 'grant.ended');
    expect(journey.isMember('ana', 'read')).toBe(false);
    await journey.pass(30 * MINUTE, 5 * MINUTE);

    await order({ do: 'down', down: false });
    await journey.pass(3 * MINUTE, 30 * SECOND);
    const places = [inChannel(id), toPerson('ben', id), toPerson('cat', id)];
    for (const shown of places) {
      expect(shown).toHaveLength(1);
      expect(textOf(shown[0] as SlackMessage)).toMatch(/: ended/);
    }
    await journey.told('ana', new RegExp(`${id}: ended.*Removed from prod-db-read`));
    // And one more that says how it ended; nothing of what would have been said meanwhile.
    expect(count()).toBeLessThanOrEqual(before + 1);
  });
});

describe('Slack says that it is too much', () => {
  it('to every call for a minute: access begins all the same, and each message comes once', async () => {
    await start();
    const { id, card } = await journey.ask('ana', 'db-prod 30m fix stuck migration');
    // Slack has been asked who Ben is, a moment ago.
    await (await journey.person('ben').slash('list pending')).said();
    await journey.idle();
    await order({ do: 'clear_log' });
    await order({ do: 'fault', method: '*', kind: 'rate_limited', times: 10_000, retryAfterSeconds: 5 });
    await journey.person('ben').press(card, 'approve');
    await recorded(id, 'grant.activated');
    expect(journey.isMember('ana', 'read')).toBe(true);
    await journey.pass(MINUTE, SECOND);
    // A method that pauses is tried about once in its five seconds, not by every message that waits.
    expect(journey.slack.state.requests.filter(({ method }) => method === 'chat.update').length).toBeLessThan(40);

    await order({ do: 'clear_faults' });
    await journey.pass(2 * MINUTE, 5 * SECOND);
    for (const shown of [inChannel(id), toPerson('ben', id), toPerson('cat', id)]) {
      expect(shown).toHaveLength(1);
      expect(textOf(shown[0] as SlackMessage)).toMatch(/: active/);
    }
  });

  it('a channel gets a short burst and then a message a second, while people are asked at once', async () => {
    await start();
    const ids: string[] = [];
    for (const name of ['ana', 'ben', 'cat', 'dan'] as const)
      for (const what of ['db-prod', 'db-prod:admin', 'reports'])
        ids.push(await asked(name, `${what} 30m fix stuck migration`));
    await journey.idle();
    const posted = () => messagesIn(journey.slack.state, APPROVALS).length;
    expect(posted()).toBeGreaterThanOrEqual(5);
    expect(posted()).toBeLessThan(12);
    expect(journey.slack.state.requests.filter(({ outcome }) => outcome === 'rate_limited')).toEqual([]);
    await journey.pass(20 * SECOND, SECOND);
    expect(posted()).toBe(12);
    for (const id of ids) expect(inChannel(id)).toHaveLength(1);
  });
});

describe('an answer to a post is lost', () => {
  it('after it was posted: it is found by its mark and follows the request', async () => {
    await start();
    await order({ do: 'fault', method: 'chat.postMessage', kind: 'reset', after: true, times: 4 });
    const id = await asked('ana', 'db-prod 30m fix stuck migration');
    await journey.pass(20 * SECOND, 2 * SECOND);
    for (const shown of [inChannel(id), toPerson('ben', id), toPerson('cat', id)]) expect(shown).toHaveLength(1);
    await journey.person('ben').press(await cardOf('ben', id), 'approve');
    await journey.posted(APPROVALS, new RegExp(`${id}: active`));
    await journey.idle();
    expect(inChannel(id)).toHaveLength(1);
  });

  it('before it was posted: it is looked for, and then posted', async () => {
    await start();
    await order({ do: 'fault', method: 'chat.postMessage', kind: 'reset', times: 4 });
    const id = await asked('ana', 'db-prod 30m fix stuck migration');
    await journey.pass(30 * SECOND, 2 * SECOND);
    for (const shown of [inChannel(id), toPerson('ben', id), toPerson('cat', id)]) expect(shown).toHaveLength(1);
  });

  it('and Slack does not let us look: it is posted once more, and both copies act once', async () => {
    await start();
    await order({
      do: 'fault',
      method: 'conversations.history',
      kind: 'slack_error',
      error: 'missing_scope',
      times: 99,
    });
    await order({ do: 'fault', method: 'chat.postMessage', kind: 'reset', after: true, times: 4 });
    const id = await asked('ana', 'db-prod 30m fix stuck migration');
    await journey.pass(20 * SECOND, 2 * SECOND);
    expect(inChannel(id)).toHaveLength(2);
    for (const copy of inChannel(id)) await journey.person('ben').press(copy, 'approve');
    await recorded(id, 'grant.activated');
    expect((await journey.story(id)).filter((event) => event.kind === 'approval.given')).toHaveLength(1);
  });

  it.each([true, false])('because the bot died, and the message was posted: %s', async (after) => {
    await start();
    await order({ do: 'fault', method: 'chat.postMessage', kind: 'hang', after, times: 4 });
    const id = await asked('ana', 'db-prod 30m fix stuck migration');
    const underWay = () => journey.slack.state.requests.filter(({ outcome }) => outcome === 'hang').length >= 3;
    await journey.slack.waitFor(underWay, 6_000, 'posts under way');
    await journey.crash();
    await order({ do: 'clear_faults' });
    await journey.pass(MINUTE, 5 * SECOND);
    for (const shown of [inChannel(id), toPerson('ben', id), toPerson('cat', id)]) expect(shown).toHaveLength(1);
  });
});

describe('the place is gone', () => {
  const reopened = { id: APPROVALS, is_archived: false, is_member: true };

  it.each([
    ['archived', { id: APPROVALS, is_archived: true }],
    ['left', { id: APPROVALS, is_member: false }],
  ])('a channel that was %s: security is told once, requests go on by direct message', async (_what, channel) => {
    await start();
    await order({ do: 'set_channel', channel });
    const ids = [
      await asked('ana', 'db-prod 30m fix stuck migration'),
      await asked('dan', 'db-prod 30m fix stuck migration'),
      await asked('dan', 'reports 30m write the report'),
    ];
    const [id = ''] = ids;
    await journey.person('ben').press(await cardOf('ben', id), 'approve');
    await journey.told('ana', new RegExp(`${id}: active`));
    await journey.posted(SECURITY, /message cannot be delivered/i);
    await journey.pass(5 * MINUTE, MINUTE);
    expect(inSecurity(/message cannot be delivered/i)).toHaveLength(1);
    for (const one of ids) expect(inChannel(one)).toHaveLength(0);

    await order({ do: 'set_channel', channel: reopened });
    await journey.moveClock(MINUTE);
    const { id: next } = await journey.ask('cat', 'db-prod 30m fix stuck migration');
    expect(inChannel(next)).toHaveLength(1);

    await order({ do: 'set_channel', channel });
    await journey.moveClock(2 * MINUTE);
    await asked('cat', 'reports 30m write the report');
    await vi.waitFor(() => expect(inSecurity(/message cannot be delivered/i)).toHaveLength(2), { timeout: 5_000 });
  });

  it('a message that was deleted stays deleted, and security is told', async () => {
    await start();
    const { id, card } = await journey.ask('ana', 'db-prod 30m fix stuck migration');
    await order({ do: 'delete_message', channel: card.channel, ts: card.ts });
    await journey.person('ben').press(await cardOf('ben', id), 'approve');
    await journey.told('ana', new RegExp(`${id}: active`));
    await journey.posted(SECURITY, /message cannot be delivered/i);
    await journey.idle();
    expect(inChannel(id)).toHaveLength(0);
    // The channel itself is fine.
    const { id: next } = await journey.ask('dan', 'db-prod 30m fix stuck migration');
    expect(inChannel(next)).toHaveLength(1);
  });

  it('of security itself: the alert webhook is told instead', async () => {
    const webhook = await startListener();
    try {
      await start('sqlite', { HALLPASS_ALERT_URL: webhook.url });
      await order({ do: 'set_channel', channel: { id: APPROVALS, is_archived: true } });
      await order({ do: 'set_channel', channel: { id: SECURITY, is_archived: true } });
      await asked('ana', 'db-prod 30m fix stuck migration');
      await vi.waitFor(
        () => expect(webhook.heard.map(({ body }) => body)).toMatchObject([{ code: 'message_undeliverable' }]),
        { timeout: 5_000 },
      );
    } finally {
      await webhook.close();
    }
  });
});
