/**
 * The digest: once a day in the security channel, however many processes ring, late rather than never, the worst first;
 * and when somebody who may see it asks.
 */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createLog } from '../../src/log.ts';
import { run } from '../../src/main.ts';
import { blocksOf, dmsOf, messagesIn, textOf } from '../../src/sandbox/slack-reading.ts';
import type { SlackMessage } from '../../src/sandbox/slack-state.ts';
import { inspectMessage } from '../support/block-kit.ts';
import {
  type DIALECTS,
  EITHER,
  type Journey,
  type JourneyOptions,
  PEOPLE,
  SECURITY,
  startJourney,
} from '../support/journey.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const DIGEST = /^Access digest/;

let journey: Journey;

/** `HH:MM` in UTC, that long from now. */
function inUtc(ms: number): string {
  return new Date(Date.now() + ms).toISOString().slice(11, 16);
}

async function start(
  dialect: (typeof DIALECTS)[number],
  inMs: number,
  more: JourneyOptions & { readonly to?: string } = {},
) {
  const digest = `digest: { at: '${inUtc(inMs)}', to: ${more.to ?? 'security'} }\n`;
  journey = await startJourney(dialect, { ...more, config: (yaml) => (more.config?.(yaml) ?? yaml) + digest });
  // The first start notes where the first digest begins.
  await vi.waitFor(async () => expect(await journey.bot.store.lastDigest()).toBeDefined(), { timeout: 5_000 });
}

const digests = (): readonly SlackMessage[] =>
  messagesIn(journey.slack.state, SECURITY).filter((message) => DIGEST.test(message.text));

async function posted(count: number): Promise<SlackMessage> {
  await vi.waitFor(() => expect(digests()).toHaveLength(count), { timeout: 6_000, interval: 20 });
  await journey.idle();
  expect(digests()).toHaveLength(count);
  const newest = digests().at(-1);
  if (newest === undefined) throw new Error('there is no digest');
  const { problems } = inspectMessage({ text: newest.text, blocks: blocksOf(newest) });
  expect(problems).toEqual([]);
  return newest;
}

async function eventsOf(kind: string) {
  return (await journey.bot.store.chain(0, 10_000))
    .map(({ canonical }) => JSON.parse(canonical) as { kind: string; detail: Record<string, unknown> })
    .filter((event) => event.kind === kind);
}

describe.each(EITHER)('the daily digest, on %s', (dialect) => {
  afterEach(() => journey.end());

  it('says who got what, by whom, how long and why, what is live, and who needs no grant', async () => {
    await start(dialect, 2 * HOUR);
    const { card } = await journey.ask('ana', 'db-prod 30m fix stuck migration');
    await journey.approve('ben', card, 'ana');
    await journey.pass(32 * MINUTE, 16 * MINUTE);
    await journey.told('ana', /Removed from prod-db-read .*checked/);
    const second = await journey.ask('dan', 'db-prod:admin 4h long migration tonight');
    await journey.approve('cat', second.card, 'dan');
    await journey.moveClock(89 * MINUTE);
    const text = textOf(await posted(1));
    expect(text).toMatch(/Ana Sousa.* db-prod:read for 30 min, approved by Ben Okafor .*: fix stuck migration/);
    expect(text).toMatch(/Dan Ito.* db-prod:admin until .* UTC \(G-.*approved by Cat Lindqvist/);
    expect(text).toMatch(/prod-db-read in okta: Pat Moreau/);
    expect(text).toContain('No removal is late.');
    expect(text).toContain('1 grant live now. 2 granted.');
    const metrics = await (await fetch(`http://127.0.0.1:${journey.bot.port}/metrics`)).text();
    expect(metrics).toContain('hallpass_removal_lateness_seconds_count{reason="expired"} 1');
    const [event, ...more] = await eventsOf('digest.posted');
    expect(more).toEqual([]);
    expect(event?.detail).toMatchObject({ quiet: false, counts: { granted: 2, live: 1, standing: 1, troubled: 0 } });
  });

  it('says in one line that a day was quiet, every day anew', async () => {
    await start(dialect, HOUR);
    await journey.moveClock(HOUR + MINUTE);
    const first = await posted(1);
    expect(first.text).toMatch(
      /A quiet time since .* UTC: nothing was requested.* 1 standing member: Pat Moreau in prod-db-read/,
    );
    // Its title, the line, and below it where the trail ends.
    expect(blocksOf(first).map(({ type }) => type)).toEqual(['header', 'section', 'context', 'actions']);
    expect(first.text).toMatch(/Audit trail: \d+ events?, each as it was written.*Ends at \d+:[0-9a-f]{64}/);
    await journey.moveClock(MINUTE);
    await journey.moveClock(DAY);
    await posted(2);
  });

  it('comes late after a night without Hallpass, once, and covers all of it', async () => {
    await start(dialect, HOUR);
    const { card } = await journey.ask('ana', 'db-prod 4h fix stuck migration');
    await journey.approve('ben', card, 'ana');
    await journey.bot.stop();
    await journey.moveClock(2 * DAY + 3 * HOUR);
    await journey.restart();
    const text = textOf(await posted(1));
    expect(text).toMatch(/It was due .* UTC and is late/);
    expect(text).toContain('fix stuck migration');
    await journey.moveClock(MINUTE);
    await journey.idle();
    expect(digests()).toHaveLength(1);
  });

  it('shows a removal that fails before anything else', async () => {
    await start(dialect, 2 * HOUR);
    const { card } = await journey.ask('ana', 'db-prod 30m fix stuck migration');
    await journey.approve('ben', card, 'ana');
    journey.okta.control({ do: 'fault', fault: { kind: 'down', method: 'DELETE' } });
    await journey.pass(40 * MINUTE, 10 * MINUTE);
    await journey.moveClock(90 * MINUTE);
    const digest = await posted(1);
    expect(digest.text).toMatch(
      /^Access digest, .* UTC: needs attention\. 1 removal failing or late, the oldest due since/,
    );
    const [, , worst] = blocksOf(digest);
    const shown = textOf({ blocks: [worst] });
    expect(shown).toContain('Removals failing or late');
    expect(shown).toMatch(
      /Ana Sousa\n.*not proven gone from prod-db-read in okta\. Due .* late\. \d+ failures? in a row/,
    );
    journey.okta.control({ do: 'clear' });
    await journey.pass(6 * MINUTE, MINUTE);
    await journey.told('ana', /Removed from prod-db-read .*checked/);
    await journey.moveClock(DAY);
    const next = textOf(await posted(2));
    expect(next).toMatch(/1 removal proven late, the longest by .*min/);
    expect(next).toContain('Removed late, and proven gone');
  });

  it('tells security when its channel cannot be used', async () => {
    await start(dialect, HOUR, {
      to: 'C0DIGEST',
      slackSeed: (seed) => ({
        ...seed,
        channels: [...seed.channels, { id: 'C0DIGEST', name: 'digests', is_member: true, is_archived: true }],
      }),
    });
    await journey.moveClock(HOUR + MINUTE);
    await journey.posted(SECURITY, /The daily digest could not be posted in its channel/);
    expect(digests()).toEqual([]);
  });

  it('says which group could not be looked at, and comes all the same', async () => {
    await start(dialect, HOUR);
    journey.okta.control({ do: 'fault', fault: { kind: 'down', method: 'GET', path: '/users' } });
    await journey.moveClock(HOUR + MINUTE);
    expect((await posted(1)).text).toMatch(/Who is in prod-db-read(?: and prod-db-admin)? could not be asked/);
  });
});

describe('a digest as a control', () => {
  afterEach(() => journey.end());

  it('is signed off once, by those who may, has every line below it as a file, and says what was left unsigned', async () => {
    await start('sqlite', HOUR);
    const { card } = await journey.ask('ana', 'db-prod 30m =SUM(A1) fix it');
    await journey.approve('ben', card, 'ana');
    await journey.moveClock(HOUR + MINUTE);
    const first = await posted(1);
    const file = await journey.slack.waitFor(
      (state) => messagesIn(state, SECURITY).find(({ files }) => files !== undefined),
      6_000,
      'the file',
    );
    expect(file.thread_ts).toBe(first.ts);
    const [csv] = file.files ?? [];
    expect(csv?.name).toMatch(/^digest-\d{4}-\d{2}-\d{2}\.csv$/);
    expect(csv?.text).toMatch(
      /^request,grant,who,.*\r\nR-\w+,G-\w+,Ana Sousa,db-prod:read,'=SUM\(A1\) fix it,approved,/,
    );

    await journey.moveClock(DAY);
    const second = await posted(2);
    expect(textOf(second)).toMatch(/Digests not signed.*1, the oldest of .*1 day unsigned/s);
    const press = async (name: 'ana' | 'sam', message: SlackMessage) =>
      textOf(await (await journey.person(name).press(message, 'sign-digest')).said(6_000));
    expect(await press('ana', second)).toMatch(/You may not sign the digest\. It can be signed by/);
    expect(await press('sam', second)).toMatch(/Signed off: the digest of/);
    const signed = await journey.posted(SECURITY, /Access digest.*Signed off by Sam Haddad/s);
    expect(signed.ts).toBe(second.ts);
    expect(blocksOf(signed).some(({ type }) => type === 'actions')).toBe(false);
    expect(await press('sam', second)).toMatch(/has been signed already, by Sam Haddad/);
    const day = csv?.name.slice(7, 17) ?? '';
    const typed = await journey.person('sam').slash(`digest sign-off ${day} looked at the one grant`);
    expect(textOf(await typed.said(6_000))).toContain(`Signed off: the digest of ${day}`);
    expect((await eventsOf('digest.signed_off')).map(({ detail }) => detail.day)).toContain(day);
    expect(await eventsOf('digest.sign_refused')).toHaveLength(1);
    await journey.moveClock(DAY);
    expect(textOf(await posted(3))).not.toContain('not signed');
  });
});

describe('two processes on one Postgres', () => {
  afterEach(() => journey.end());

  it('post one digest between them', async () => {
    await start('postgres', HOUR);
    const other = await run({
      settings: journey.settings,
      clock: {
        now: journey.now,
        monotonic: () => performance.now(),
        get shiftMs() {
          return journey.now() - Date.now();
        },
      },
      log: createLog('silent'),
      host: '127.0.0.1',
    });
    try {
      await other.slack?.connected;
      await journey.moveClock(HOUR + MINUTE);
      await other.sweep.sweep();
      await posted(1);
      await other.sweep.sweep();
      await other.loop.idle();
      expect(digests()).toHaveLength(1);
      expect(await eventsOf('digest.posted')).toHaveLength(1);
    } finally {
      await other.stop();
    }
  });
});

describe.each(EITHER)('/access digest, on %s', (dialect) => {
  afterEach(() => journey.end());

  it('answers those who may see everything, and refuses the others', async () => {
    journey = await startJourney(dialect);
    const { card } = await journey.ask('ana', 'db-prod 30m fix stuck migration');
    await journey.approve('ben', card, 'ana');
    const seen = textOf(await (await journey.person('sam').slash('digest')).said(6_000));
    expect(seen).toMatch(/1 grant live now\. 1 granted\./);
    expect(seen).toContain('fix stuck migration');
    expect(seen).toContain('Pat Moreau');
    const week = textOf(await (await journey.person('ana').slash('digest 7d')).said(6_000));
    expect(week).toContain('1 granted');
    expect(week).toContain('follows as a file');
    const own = await journey.slack.waitFor(
      (state) => dmsOf(state, PEOPLE.ana.slack).find(({ files }) => files !== undefined),
      6_000,
      'the file that Ana asked for',
    );
    expect(own.files?.[0]?.text).toContain('Ana Sousa,db-prod:read,fix stuck migration');
    const refused = textOf(await (await journey.person('pat').slash('digest')).said(6_000));
    expect(refused).toContain("You may not see other people's access");
    expect(refused).not.toContain('migration');
    expect(digests()).toEqual([]);
  });
});
