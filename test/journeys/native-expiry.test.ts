/** With a Google that ends memberships by itself: an extension, and a day on which nothing of ours runs. */
import { afterEach, expect, it } from 'vitest';
import { type GoogleServer, startGoogleServer } from '../../src/sandbox/google-server.ts';
import { messagesIn, textOf } from '../../src/sandbox/slack-reading.ts';
import { GOOGLE_GROUP, googleSeed, serviceAccount } from '../../src/sandbox/world.ts';
import { APPROVALS, type Journey, PEOPLE, SECURITY, startJourney } from '../support/journey.ts';

const MINUTE = 60_000;
const AFTER_MS = 5 * MINUTE;

let journey: Journey | undefined;
let google: GoogleServer | undefined;
afterEach(async () => {
  await journey?.end();
  await google?.close();
  journey = google = undefined;
});

/** Its own time is the bot's, so that what it ends by itself ends when the test lets time pass. */
async function start(edition = true): Promise<{ journey: Journey; google: GoogleServer }> {
  const account = serviceAccount();
  const server = await startGoogleServer({
    seed: googleSeed(account.publicKey),
    now: () => journey?.now() ?? Date.now(),
    edition,
  });
  google = server;
  const section = `google: { type: google, auth: { key: "\${GOOGLE_KEY}" }, rootUrl: "${server.url}", nativeExpiry: true, lag: 1s }`;
  journey = await startJourney('sqlite', {
    env: { GOOGLE_KEY: account.json },
    config: (yaml) =>
      yaml
        .replace(/^( *)okta: \{ type: okta.*$/m, (line, indent: string) => `${line}\n${indent}${section}`)
        .replace(
          /(reports:[\s\S]*?)\{ directory: okta, group: prod-db-read \}/,
          `$1{ directory: google, group: ${GOOGLE_GROUP.email} }`,
        ),
  });
  return { journey, google: server };
}

const endsAt = () => google?.expiresAt(GOOGLE_GROUP.id, PEOPLE.ana.google);
const isIn = () => google?.isMember(GOOGLE_GROUP.id, PEOPLE.ana.google);
const seconds = (at: number) => Math.ceil(at / 1_000) * 1_000;

async function granted(of: Journey): Promise<{ id: string; expiresAt: number }> {
  const { id, card } = await of.ask('ana', 'reports 30m the monthly report');
  await of.approve('ben', card, 'ana');
  await of.idle();
  const grant = (await of.bot.store.request(id))?.grant;
  return { id, expiresAt: grant?.expiresAt ?? 0 };
}

it('an extension moves Google first, and a bot that is gone for good leaves nobody in', async () => {
  const world = await start();
  const { id, expiresAt } = await granted(world.journey);
  expect(endsAt()).toBe(seconds(expiresAt + AFTER_MS));

  // Google does not answer: nobody is told an end that it might take back.
  google?.control({ do: 'fault', fault: { kind: 'status', status: 503, path: ':modifyMembershipRoles' } });
  await world.journey.person('ana').slash(`extend ${id} 20m it takes longer`);
  const more = await world.journey.posted(APPROVALS, /it takes longer/);
  await world.journey.person('ben').press(more, 'approve');
  await world.journey.told('ana', /as soon as the directory has moved its own end/);
  expect((await world.journey.bot.store.request(id))?.grant?.expiresAt).toBe(expiresAt);
  google?.control({ do: 'clear' });
  await world.journey.pass(10_000, 2_000);
  await world.journey.told('ana', /Approved\. G-.* now ends/);
  expect(endsAt()).toBe(seconds(expiresAt + 20 * MINUTE + AFTER_MS));

  // Nothing of ours runs until after Google has ended it.
  await world.journey.bot.stop();
  const { restart, moveClock } = world.journey;
  await moveClock(56 * MINUTE).catch(() => undefined);
  expect(isIn()).toBe(false);
  await restart();
  await world.journey.pass(10_000, 2_000);
  await world.journey.told('ana', /ended.*Removed from db-admins.*checked/);
  const kinds = (await world.journey.story(id)).map(({ kind }) => kind);
  expect(kinds).toContain('grant.expired');
  expect(kinds).not.toContain('grant.removed_outside');
});

it('an edition without it is said to security once, and grants begin and end as ever', async () => {
  const world = await start(false);
  const { id } = await granted(world.journey);
  await world.journey.posted(SECURITY, /its edition does not have it/);
  expect(endsAt()).toBeUndefined();
  await world.journey.moveClock(31 * MINUTE);
  await world.journey.told('ana', new RegExp(`${id}: ended.*checked`));
  await granted(world.journey);
  const said = messagesIn(world.journey.slack.state, SECURITY).map(textOf);
  expect(said.filter((text) => /its edition does not have it/.test(text))).toHaveLength(1);
});
