/**
 * The console in a real browser, against the whole bot and a real issuer: by keyboard alone, live, without script, on a
 * phone's width, in light and dark, and what an accessibility checker finds.
 */
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { textOf } from '../../src/sandbox/slack-reading.ts';
import { createWorld, type Name, PEOPLE, type World } from '../../src/sandbox/world.ts';
import { startBrowser } from './browser.ts';

const WAIT_MS = 20_000;
/** For looking at: every page that is checked is left there as a picture. */
const PICTURES = process.env.HALLPASS_SCREENSHOTS;

let browser: Browser;
let world: World;
const complaints: string[] = [];
beforeAll(async () => {
  [browser, world] = await Promise.all([startBrowser(), createWorld({ logLevel: 'fatal' })]);
  await world.startBot();
  if (PICTURES !== undefined) await mkdir(PICTURES, { recursive: true });
}, 120_000);
afterAll(async () => {
  await browser?.close();
  await world?.close();
});

async function context(options: Parameters<Browser['newContext']>[0] = {}): Promise<BrowserContext> {
  const made = await browser.newContext({
    viewport: { width: 1280, height: 860 },
    reducedMotion: 'reduce',
    ...options,
  });
  made.setDefaultTimeout(WAIT_MS);
  return made;
}

async function signedIn(name: Name, within: BrowserContext): Promise<Page> {
  const page = await within.newPage();
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => {
    // That nobody is signed in yet is said by the status as well.
    if (message.type() === 'error' && !message.text().includes('401')) complaints.push(message.text());
  });
  await page.goto(world.consoleUrl ?? '');
  await page.getByRole('link', { name: 'Sign in' }).click();
  await page.getByRole('button', { name: `Sign in as ${PEOPLE[name].name} with MFA` }).click();
  await page.getByRole('heading', { name: 'Now' }).waitFor();
  return page;
}

async function ask(name: Name, text: string): Promise<string> {
  const reply = await world.person(name).slash(`request ${text}`);
  const id = /R-\w{4,5}/.exec(textOf(await reply.said(WAIT_MS)))?.[0];
  if (id === undefined) throw new Error('no request came of it');
  return id;
}

/** Tabs on until it has the focus: as somebody without a mouse would. */
async function tabTo(page: Page, words: RegExp): Promise<void> {
  for (let n = 0; n < 60; n++) {
    await page.keyboard.press('Tab');
    const at = await page.evaluate('document.activeElement.textContent');
    if (words.test(String(at))) return;
  }
  throw new Error(`Tab never came to ${words}`);
}

it('lets an approver answer by keyboard alone, and shows what happens while it happens', async () => {
  const approver = await context();
  const ben = await signedIn('ben', approver);
  await ben.getByText('Nothing waits for your answer.').waitFor();
  const id = await ask('ana', 'db-prod 30m fix the stuck migration');
  // Nobody has reloaded anything.
  await ben.getByRole('button', { name: `Approve ${id}` }).waitFor();
  await tabTo(ben, new RegExp(`^Approve ${id}`));
  await ben.keyboard.press('Enter');
  await ben.getByText(`Approved. ${id}`).waitFor();
  expect(await ben.evaluate('document.activeElement.className')).toContain('banner');
  expect(new URL(ben.url()).search).toBe('');
  await ben.getByText(/Added to prod-db-read \(checked\)/).waitFor();
  expect(world.okta.isMember('00gproddbread0000001', PEOPLE.ana.okta)).toBe(true);

  const security = await context();
  const sam = await signedIn('sam', security);
  await tabTo(sam, /^Revoke…/);
  await sam.keyboard.press('Enter');
  await sam.keyboard.press('Tab');
  await sam.keyboard.type('laptop was stolen');
  await sam.keyboard.press('Enter');
  await sam.getByText('Revoked.').first().waitFor();
  await sam.getByText('Nobody holds anything through Hallpass now.').waitFor();
  await sam
    .getByText(`G-${id.slice(2)}`)
    .first()
    .waitFor({ state: 'detached' });
  await approver.close();
  await security.close();
}, 120_000);

it('works without script, a page at a time', async () => {
  const plain = await context({ javaScriptEnabled: false });
  const cat = await signedIn('cat', plain);
  const id = await ask('dan', 'reports 1h monthly numbers for finance');
  await cat.reload();
  await cat.getByText('Deny…').click();
  await cat.getByLabel('Why (the requester is told)').fill('ask again in the morning');
  await cat.getByRole('button', { name: `Deny ${id}` }).click();
  await cat.getByText('Denied.').first().waitFor();
  await cat.goto(`${world.consoleUrl}/requests/${id}`);
  await cat.getByText('ask again in the morning').first().waitFor();
  await plain.close();
}, 120_000);

it('is accessible on every page, in light and dark, at a desk and on a phone', async () => {
  const id = await ask('ana', 'db-prod:admin 2h look at the slow query');
  const approver = await context();
  const ben = await signedIn('ben', approver);
  await ben.getByRole('button', { name: `Approve ${id}` }).click();
  await ben.getByText(/Added to prod-db-admin/).waitFor();
  await approver.close();
  await ask('dan', 'reports 1h quarterly numbers for finance');
  const security = await context();
  const sam = await signedIn('sam', security);
  const axe = await readFile(fileURLToPath(import.meta.resolve('axe-core/axe.min.js')), 'utf8');
  // What differs between them is asked of each, and the rest once.
  const looks = [
    ['light', 1280, ''],
    ['dark', 1280, '{ runOnly: ["color-contrast"] }'],
    ['light', 375, '{ runOnly: ["scrollable-region-focusable"] }'],
  ] as const;
  for (const [name, path] of [
    ['now', ''],
    ['story', `/requests/${id}`],
    ['timeline', '/timeline'],
    ['trail', '/trail'],
    ['device', '/device?code=AAAA-AAAA'],
  ]) {
    await sam.goto(`${world.consoleUrl}${path}`);
    await sam.evaluate(axe);
    for (const [colorScheme, width, rules] of looks) {
      await sam.emulateMedia({ colorScheme });
      await sam.setViewportSize({ width, height: 800 });
      const found = (await sam.evaluate(`axe.run(${rules})`)) as {
        violations: { id: string; nodes: { html: string }[] }[];
      };
      const wrong = found.violations.map((one) => [name, colorScheme, width, one.id, one.nodes[0]?.html]);
      expect(wrong).toEqual([]);
      expect(await sam.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width);
      if (PICTURES !== undefined)
        await sam.screenshot({ path: join(PICTURES, `console-${name}-${colorScheme}-${width}.png`), fullPage: true });
    }
  }
  // Zoom by drawing across.
  await sam.setViewportSize({ width: 1280, height: 800 });
  await sam.goto(`${world.consoleUrl}/timeline`);
  const box = await sam.locator('svg.chart').boundingBox();
  if (box === null) throw new Error('no chart');
  await sam.mouse.move(box.x + box.width * 0.7, box.y + 20);
  await sam.mouse.down();
  await sam.mouse.move(box.x + box.width * 0.9, box.y + 20, { steps: 4 });
  await sam.mouse.up();
  await sam.waitForURL(/from=\d+/);
  const query = new URL(sam.url()).searchParams;
  const hours = (Number(query.get('to')) - Number(query.get('from'))) / 3_600_000;
  expect(hours).toBeGreaterThan(4);
  expect(hours).toBeLessThan(6);
  await sam.getByRole('link', { name: 'Zoom out' }).waitFor();
  await security.close();
  // The device page asked after a code that nobody has: that is a 404, and nothing else was complained of.
  expect(complaints.filter((one) => !one.includes('404'))).toEqual([]);
}, 180_000);
