/** A click in Slack that counts only once its person has signed in at a real issuer and confirmed it. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { type Issuer, startIssuer } from '../../src/sandbox/issuer.ts';
import { button, ephemeralsOf, messagesIn, textOf } from '../../src/sandbox/slack-reading.ts';
import type { SlackMessage } from '../../src/sandbox/slack-state.ts';
import { stepUp } from '../../src/sandbox/world.ts';
import { APPROVALS, type Journey, PEOPLE, SECURITY, startJourney } from '../support/journey.ts';
import { type Page, type Visitor, visitor } from '../support/visitor.ts';

const BASE = 'http://127.0.0.1:9';
const MINUTE = 60_000;

let issuer: Issuer;
let journey: Journey;
let browser: Visitor;

beforeAll(async () => {
  const started = await startIssuer({
    people: Object.values(PEOPLE).map(({ okta, name, email }) => ({ subject: okta, name, email })),
    clientId: 'hallpass',
    clientSecret: 'secret',
    redirectUris: [`${BASE}/proof/callback`],
  });
  if (started === undefined) throw new Error('oidc-provider is not installed');
  issuer = started;
});
afterAll(() => issuer.close());

/** Its own address is that of the configuration; it is asked where it listens. */
const toBot = (url: string, init: RequestInit) =>
  fetch(url.replace(BASE, `http://127.0.0.1:${journey.bot.port}`), init);
const newBrowser = () => visitor({ prefix: BASE, fetch: toBot });

beforeEach(async () => {
  journey = await startJourney('sqlite', {
    env: { OIDC_SECRET: 'secret', HALLPASS_BASE_URL: BASE },
    config: (yaml) =>
      `${yaml.replace('    approvals: 1\n', '    approvals: 1\n    proof: { approve: mfa }\n')}${stepUp(issuer.url)}`,
  });
  browser = newBrowser();
});
afterEach(() => journey.end());

/** Ben presses Approve, and gets a link. */
async function approveAsBen(): Promise<{ readonly id: string; readonly link: string }> {
  const { id, card } = await journey.ask('ana', 'db-prod 30m fix stuck migration');
  await journey.person('ben').press(card, 'approve');
  return { id, link: await linkFor('ben') };
}

async function linkFor(name: 'ana' | 'ben'): Promise<string> {
  const found = () =>
    ephemeralsOf(journey.slack.state, PEOPLE[name].slack)
      .map((message) => /http:\/\/127\.0\.0\.1:9\/proof\/[0-9a-f]{32}/.exec(JSON.stringify(message.blocks))?.[0])
      .findLast((link) => link !== undefined);
  return await journey.slack.waitFor(found, 6_000, `a link for ${name}`);
}

async function signIn(link: string, name: keyof typeof PEOPLE, form: Record<string, string> = {}): Promise<Page> {
  const chooser = await browser.go(link);
  expect(chooser.text).toContain('Sign in to the sandbox');
  return await browser.send(chooser.url, { subject: PEOPLE[name].okta, how: 'mfa', ...form });
}

function click(page: Page, link: string, token = /name="token" value="([0-9a-f]+)"/.exec(page.text)?.[1] ?? '') {
  return browser.send(link, { token });
}

const kinds = async (id: string) => (await journey.story(id)).map(({ kind }) => kind);

it('an approval waits for its person, shows what is confirmed, and counts with the click; the link is then used', async () => {
  const { id, link } = await approveAsBen();
  await journey.posted(APPROVALS, /Waiting for Ben Okafor to confirm with MFA/);
  // What a chat platform does with any link.
  await browser.go(link);
  await newBrowser().go(link);
  expect(await kinds(id)).not.toContain('approval.given');

  const page = await signIn(link, 'ben');
  for (const shown of [
    'Approve access for Ana Sousa',
    'Orders database',
    '30 min',
    'fix stuck migration',
    'Ben Okafor',
  ])
    expect(page.text).toContain(shown);
  expect(page.headers.get('content-security-policy')).toContain("frame-ancestors 'none'");
  expect(page.headers.get('referrer-policy')).toBe('no-referrer');
  expect(journey.isMember('ana', 'read')).toBe(false);
  expect(await kinds(id)).not.toContain('approval.given');

  const done = await click(page, link);
  expect(done.text).toContain('Approved');
  await journey.told('ana', /Added to prod-db-read .*checked/);
  expect(journey.isMember('ana', 'read')).toBe(true);
  const story = await journey.story(id);
  expect(story.find(({ kind }) => kind === 'proof.given')?.detail).toMatchObject({
    acr: 'urn:okta:loa:2fa:any',
    amr: ['pwd', 'otp', 'mfa'],
  });

  expect((await click(page, link)).status).toBeGreaterThanOrEqual(400);
  expect((await browser.go(link)).text).toContain('This link is over');
  expect((await kinds(id)).filter((kind) => kind === 'approval.given')).toHaveLength(1);
});

it('a password alone, an old session and a forwarded link prove nothing, and Approve can be pressed again', async () => {
  const { id, link } = await approveAsBen();
  expect((await signIn(link, 'ben', { how: 'password' })).text).toContain('does not prove enough');
  const card = await journey.posted(APPROVALS, new RegExp(id));
  const again = async (name: keyof typeof PEOPLE, form: Record<string, string>) => {
    const last = await linkFor('ben');
    await journey.person('ben').press(card, 'approve');
    const next = await journey.slack.waitFor(
      () => {
        const found = ephemeralsOf(journey.slack.state, PEOPLE.ben.slack).map((one) => JSON.stringify(one.blocks));
        const link = found.map((text) => /http:\/\/127\.0\.0\.1:9\/proof\/[0-9a-f]{32}/.exec(text)?.[0]).at(-1);
        return link === last ? undefined : link;
      },
      6_000,
      'a new link',
    );
    return await signIn(next, name, form);
  };
  expect((await again('ben', { minutesAgo: '30' })).text).toContain('30 minutes ago');
  const forwarded = await again('cat', {});
  expect(forwarded.status).toBe(403);
  expect(forwarded.text).toContain('somebody else’s link');
  expect(
    (await journey.story(id)).filter(({ kind }) => kind === 'proof.failed').map(({ detail }) => detail.why),
  ).toEqual(['too_weak', 'too_weak', 'wrong_person']);
  expect(await kinds(id)).not.toContain('approval.given');
});

it('a swapped state, another browser and another site’s form confirm nothing', async () => {
  const { id, link } = await approveAsBen();
  const chooser = await browser.go(link);
  const back = await browser.send(chooser.url, { subject: PEOPLE.ben.okta, how: 'mfa' }, `${BASE}/proof/callback`);
  const swapped = new URL(back.url);
  swapped.searchParams.set('state', 'another');
  expect((await newBrowser().go(back.url)).text).toContain('not known here');
  expect((await browser.go(swapped.href)).text).toContain('You are not signed in');

  // A cookie of somebody's own making, for no proof that there is: the issuer is not asked about it.
  const made = { proof: 'f'.repeat(32), state: 's', nonce: 'n', verifier: 'v', redirectUri: `${BASE}/proof/callback` };
  const cookie = `hallpass-sign-in=${Buffer.from(JSON.stringify(made)).toString('base64url')}`;
  expect((await toBot(`${BASE}/proof/callback?state=s&code=c`, { headers: { cookie } })).status).toBe(410);

  const page = await signIn(link, 'ben');
  const stranger = await newBrowser().send(link, { token: 'guessed' });
  expect(stranger.status).toBe(403);
  expect((await click(page, link, 'guessed')).status).toBe(403);
  const seal = [...browser.cookies(BASE)].map(([name, value]) => `${name}=${value}`).join('; ');
  const token = /name="token" value="([0-9a-f]+)"/.exec(page.text)?.[1] ?? '';
  const foreign = await toBot(link, {
    method: 'POST',
    headers: { cookie: seal, 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' },
    body: new URLSearchParams({ token }),
  });
  expect(foreign.status).toBe(403);
  expect(await kinds(id)).not.toContain('approval.given');
});

it('authority is asked again at the click: whoever is frozen meanwhile confirms nothing', async () => {
  const { id, link } = await approveAsBen();
  const page = await signIn(link, 'ben');
  await journey.person('sam').slash('freeze db-prod wait for the audit');
  const refused = await click(page, link);
  expect(refused.status).toBe(409);
  expect(refused.text).toContain('Nothing was done');
  expect(await kinds(id)).not.toContain('approval.given');
});

it('a link that nobody follows is over after five minutes, and the card says so', async () => {
  const { id, link } = await approveAsBen();
  await journey.posted(APPROVALS, /Waiting for Ben Okafor to confirm with MFA/);
  await journey.idle();
  await journey.moveClock(5 * MINUTE + 1_000);
  await journey.idle();
  expect((await browser.go(link)).text).toContain('This link is over');
  expect((await journey.story(id)).find(({ kind }) => kind === 'proof.failed')?.detail.why).toBe('expired');
  const shows = (card: SlackMessage | undefined) =>
    card !== undefined && button(card, 'approve') !== undefined && !textOf(card).includes('to confirm');
  const card = () => messagesIn(journey.slack.state, APPROVALS).find((message) => textOf(message).includes(id));
  await journey.slack.waitFor(() => shows(card()) || undefined, 6_000, 'the card to wait for nobody');
});

it('an issuer that is away lets nobody approve, and says so; what ends access needs none', async () => {
  await journey.restart({
    config: (yaml) =>
      `${yaml.replace('    approvals: 1\n', '    approvals: 1\n    proof: { approve: mfa }\n')}${stepUp('http://127.0.0.1:9')}`,
  });
  const { id, link } = await approveAsBen();
  const page = await browser.go(link);
  expect(page.status).toBe(503);
  expect(page.text).toContain('identity provider cannot be asked');
  expect((await journey.ready()).degraded).toContainEqual({ what: 'stepUp', why: expect.stringContaining('issuer') });
  expect(await kinds(id)).not.toContain('approval.given');
});

it('where asking wants a proof, nothing is asked for before the click', async () => {
  await journey.reload(
    (yaml) =>
      `${yaml.replace('    approvals: 1\n', '    approvals: 1\n    proof: { request: mfa }\n')}${stepUp(issuer.url)}`,
  );
  const said = textOf(await (await journey.person('ana').slash('request db-prod 30m fix stuck migration')).said(6_000));
  expect(said).toContain('Nothing is asked for');
  expect(await journey.bot.store.list({ limit: 10 })).toEqual([]);
  const link = await linkFor('ana');
  const page = await signIn(link, 'ana');
  expect(page.text).toContain('Ask for access');
  expect(page.text).toContain('fix stuck migration');
  expect((await click(page, link)).text).toContain('Confirmed');
  await journey.posted(APPROVALS, /Ana Sousa/);
});

it('an account that nobody knows is linked by the sign-in of its person, once, and security is told', async () => {
  await journey.end();
  journey = await startJourney('sqlite', {
    env: { OIDC_SECRET: 'secret', HALLPASS_BASE_URL: BASE },
    config: (yaml) => `${yaml}${stepUp(issuer.url)}`,
    slackSeed: (seed) => ({
      ...seed,
      users: [...seed.users, { id: 'U0NEW', name: 'dd', real_name: 'D', email: 'd@home.example', tz: 'Etc/UTC' }],
    }),
  });
  const stranger = journey.account('U0NEW');
  expect(textOf(await (await stranger.slash('request db-prod 30m fix stuck migration')).said(6_000))).toContain(
    'type link',
  );
  const linkThere = async (known?: string) => {
    await stranger.slash('link');
    return await journey.slack.waitFor(
      (state) =>
        ephemeralsOf(state, 'U0NEW')
          .map((message) => /http:\/\/127\.0\.0\.1:9\/proof\/[0-9a-f]{32}/.exec(JSON.stringify(message.blocks))?.[0])
          .findLast((one) => one !== undefined && one !== known),
      6_000,
      'a link for the stranger',
    );
  };
  // Ben acts by an account of his own, and is sent the link by somebody who would like to be him.
  await journey.person('ben').slash('list');
  const sent = await linkThere();
  const taken = await click(await signIn(sent, 'ben'), sent);
  expect(taken.text).toContain('Ben Okafor acts by another account there');
  browser = newBrowser();
  const link = await linkThere(sent);
  const page = await signIn(link, 'dan');
  for (const shown of ['U0NEW', 'Dan Ito', 'acts as you']) expect(page.text).toContain(shown);
  expect((await click(page, link)).text).toContain('now Dan Ito');
  await journey.posted(SECURITY, /acts for Dan Ito/);
  const said = textOf(await (await stranger.slash('request db-prod 30m fix stuck migration')).said(6_000));
  expect(said).toContain('Requested');
  expect(textOf(await (await stranger.slash('link')).said(6_000))).toContain('already');
  // Nobody who is known can be taken over.
  expect(textOf(await (await journey.person('ben').slash('link')).said(6_000))).toContain('Ben Okafor’s already');
});
