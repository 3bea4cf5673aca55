/** Promise: the console is opened by signing in, to one person, in one browser, and by no other page's doing. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { HOUR, MINUTE } from '../support/builders.ts';
import { type ConsoleWorld, startConsole } from '../support/console.ts';

let world: ConsoleWorld;
beforeEach(async () => {
  world = await startConsole();
});
afterEach(async () => {
  expect(world.errors).toEqual([]);
  await world.close();
});

const COOKIE = '__Host-hallpass';

describe('signing in', () => {
  it('gives the browser a cookie that no script, no other site and no other host can use', async () => {
    const browser = world.browser();
    expect((await browser.get('/console')).status).toBe(401);
    const away = await browser.get('/console/sign-in');
    expect(away.headers.get('location')).toMatch(/^https:\/\/issuer\.acme\.com\/authorize/);
    const back = await browser.get('/console/callback?code=ana&state=s');
    const cookie = back.headers.getSetCookie().find((one) => one.startsWith(`${COOKIE}=`));
    expect(cookie).toMatch(/^__Host-hallpass=[0-9a-f]{64}; Path=\/; Max-Age=28800; HttpOnly; SameSite=Lax; Secure$/);
    expect((await browser.get('/console')).text).toContain('Ana Sign out');
    const [session] = await world.store.sessions({ kind: 'web', limit: 9 });
    expect(session).toMatchObject({ person: 'okta/ana', amr: ['pwd'] });
    expect(JSON.stringify(session)).not.toContain(browser.cookies.get(COOKIE));
  });

  it('leads back to the page that was asked for, and only ever to one of ours (open redirect)', async () => {
    const leads = async (to: string) => {
      const browser = world.browser();
      await browser.get(`/console/sign-in?${new URLSearchParams({ to })}`);
      return (await browser.get('/console/callback?code=ana&state=s')).headers.get('location');
    };
    expect(await leads('/console/requests/R-7KQ2')).toBe('/console/requests/R-7KQ2');
    expect(await leads('/console/trail?who=a%40b.c')).toBe('/console/trail?who=a%40b.c');
    const elsewhere = [
      'https://evil.example/console',
      '//evil.example/console',
      '/console//evil.example',
      '/console/..//evil.example',
      '/console\\evil.example',
      '/consolex',
      '/console@evil.example',
      'javascript:alert(1)',
      '/console/\r\nset-cookie: a=b',
      '/slack/events',
      '/console/sign-out',
    ];
    for (const to of elsewhere) expect(await leads(to)).toBe('/console');
  });

  it('begins a new session with a new secret, whatever the browser was given before (session fixation)', async () => {
    const planted = 'a'.repeat(64);
    const browser = world.browser();
    browser.cookies.set(COOKIE, planted);
    await browser.get('/console/sign-in');
    await browser.get('/console/callback?code=ana&state=s');
    const first = browser.cookies.get(COOKIE);
    expect(first).not.toBe(planted);
    const attacker = world.browser();
    attacker.cookies.set(COOKIE, planted);
    expect((await attacker.get('/console')).status).toBe(401);
    await browser.get('/console/sign-in');
    await browser.get('/console/callback?code=ana&state=s');
    expect(browser.cookies.get(COOKIE)).not.toBe(first);
    attacker.cookies.set(COOKIE, first ?? '');
    expect((await attacker.get('/console')).status).toBe(401);
  });

  it('is finished only in the browser that began it', async () => {
    const answer = await world.browser().get('/console/callback?code=ana&state=s');
    expect([answer.status, answer.text]).toEqual([400, expect.stringContaining('begun in another browser')]);
    expect(await world.store.sessions({ limit: 9 })).toEqual([]);
  });

  it('that is declined, or of somebody who is not active, opens nothing and says why', async () => {
    const browser = world.browser();
    await browser.get('/console/sign-in');
    const declined = await browser.get('/console/callback?error=access_denied&state=s');
    expect([declined.status, declined.text]).toEqual([403, expect.stringContaining('ended before it was complete')]);
    world.setActive('ana', false);
    await browser.get('/console/sign-in');
    const inactive = await browser.get('/console/callback?code=ana&state=s');
    expect([inactive.status, inactive.text]).toEqual([403, expect.stringContaining('deactivated')]);
    expect(await world.store.sessions({ limit: 9 })).toEqual([]);
  });
});

describe('a session', () => {
  it('ends by signing out, in the record and not only in the browser', async () => {
    const browser = await world.signedIn('ana');
    const secret = browser.cookies.get(COOKIE) ?? '';
    await browser.press(await browser.get('/console'), 'Sign out');
    browser.cookies.set(COOKIE, secret);
    expect((await browser.get('/console')).status).toBe(401);
    expect(await world.store.sessions({ limit: 9 })).toMatchObject([{ endedBy: 'Ana' }]);
  });

  it('ends after half an hour without use, and after eight hours with it', async () => {
    const idle = await world.signedIn('ana');
    const used = await world.signedIn('ben');
    world.clock.pass(29 * MINUTE);
    expect((await used.get('/console')).status).toBe(200);
    world.clock.pass(2 * MINUTE);
    const over = await idle.get('/console');
    expect([over.status, over.text]).toEqual([401, expect.stringContaining('half an hour without use')]);
    for (let passed = 31 * MINUTE; passed < 8 * HOUR; passed += 20 * MINUTE) {
      expect((await used.get('/console')).status).toBe(200);
      world.clock.pass(20 * MINUTE);
    }
    expect((await used.get('/console')).status).toBe(401);
  });

  it('ends with the person’s account in the directory, at the next request', async () => {
    const browser = await world.signedIn('ana');
    world.setActive('ana', false);
    expect((await browser.get('/console')).status).toBe(401);
    world.setActive('ana', true);
    expect((await browser.get('/console')).status).toBe(401);
  });

  it('is neither believed nor ended while nobody can be looked up', async () => {
    const browser = await world.signedIn('ana');
    world.lookUpsFail(true);
    expect((await browser.get('/console')).status).toBe(503);
    world.lookUpsFail(false);
    expect((await browser.get('/console')).status).toBe(200);
  });

  it('may be asked of so often in a minute, and no more', async () => {
    const browser = await world.signedIn('dan');
    const statuses: number[] = [];
    for (let n = 0; n < 301; n++) statuses.push((await browser.get('/console/assets-none')).status);
    expect([statuses.at(0), statuses.at(-1)]).toEqual([404, 429]);
    world.clock.pass(MINUTE);
    expect((await browser.get('/console')).status).toBe(200);
  });
});

describe('what another page does', () => {
  it('is not taken for what the person does (CSRF)', async () => {
    const id = await world.asks('ana');
    const browser = await world.signedIn('ben');
    const page = await browser.get('/console');
    const form = page.forms.find(({ button }) => button === `Approve ${id}`);
    const fields = form?.fields ?? {};
    const { csrf: _none, ...without } = fields;
    const other = (await (await world.signedIn('cat')).get('/console')).forms[0]?.fields['csrf'] ?? '';
    const tried = [
      await browser.post('/console/act', without),
      await browser.post('/console/act', { ...fields, csrf: other }),
      await browser.post('/console/act', fields, { origin: 'https://evil.example' }),
      await browser.post('/console/act', fields, { origin: 'null' }),
      await browser.post('/console/act', fields, { 'sec-fetch-site': 'cross-site' }),
      await browser.post('/console/act', fields, { 'sec-fetch-site': 'same-site' }),
      await browser.post('/console/act', fields, { 'content-type': 'text/plain' }),
      await browser.get(`/console/act?${new URLSearchParams(fields)}`),
    ];
    expect(tried.map(({ status }) => status)).toEqual([403, 403, 403, 403, 403, 403, 403, 404]);
    expect((await world.store.request(id))?.request.state).toBe('pending');
    expect((await browser.press(page, `Approve ${id}`)).text).toContain(`Approved. ${id}`);
  });

  it('cannot frame it, script it, or load anything of its own into it (clickjacking)', async () => {
    const browser = await world.signedIn('ana');
    for (const path of [
      '/console',
      '/console/timeline',
      '/console/trail',
      '/console/nothing',
      '/console/assets/console.js',
    ]) {
      const { headers } = await browser.get(path);
      expect(headers.get('content-security-policy')).toBe(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
      );
    }
    const { html } = await browser.get('/console');
    expect(html).not.toMatch(/<script(?![^>]*src=)|\son[a-z]+=|style=|<style/);
    expect((await world.browser().get('/console')).headers.get('content-security-policy')).toContain(
      "frame-ancestors 'none'",
    );
  });
});
