/**
 * Every message, drawn in a real browser as Slack shows it, wide and on a phone, light and dark: nothing that cannot be
 * drawn, nothing that runs out of the page, nothing that an accessibility checker objects to. With
 * `HALLPASS_SCREENSHOTS=<folder>` each of them is also left there as a picture, to be looked at.
 */
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Page, startPage } from '../../src/sandbox/page.ts';
import { createWorld, type World } from '../../src/sandbox/world.ts';
import { inspectMessage } from '../support/block-kit.ts';
import { startBrowser } from './browser.ts';
import { post } from './gallery.ts';
import { wall } from './wall.ts';

const SHAPES = [
  { name: 'light', width: 1280, dark: false },
  { name: 'dark', width: 1280, dark: true },
  { name: 'phone', width: 375, dark: false },
] as const;
const folder = process.env.HALLPASS_SCREENSHOTS;

let browser: Browser;
let world: World;
let served: Page;
beforeAll(async () => {
  browser = await startBrowser();
  world = await createWorld({ logLevel: 'fatal' });
  served = await startPage(world, { port: 0 });
  for (const { drawn } of wall()) await post(world, drawn.blocks as unknown as readonly Record<string, unknown>[]);
}, 120_000);
afterAll(async () => {
  await served?.close();
  await world?.close();
  await browser?.close();
});

it.each(wall())('$name keeps within what Slack takes, and reads well aloud', ({ drawn }) => {
  const { problems, interpreted } = inspectMessage(drawn);
  expect(problems).toEqual([]);
  expect(interpreted).toEqual([]);
  expect(drawn.text).not.toMatch(/undefined|NaN|\[object|\s{2}/);
});

it.each(SHAPES)('$name: every message is drawn whole', { timeout: 120_000 }, async ({ name, width, dark }) => {
  const context = await browser.newContext({
    viewport: { width, height: folder === undefined ? 900 : 5_000 },
    colorScheme: dark ? 'dark' : 'light',
  });
  const page = await context.newPage();
  await page.goto(served.url);
  await page.locator('body[data-ready]').waitFor();
  await page.locator('[data-conversation=C0SECURITY]').click();
  const entries = page.locator('#messages article.entry');
  await expect.poll(() => entries.count()).toBe(wall().length);

  expect(await page.locator('.unknown').count()).toBe(0);
  const sideways = 'document.documentElement.scrollWidth - document.documentElement.clientWidth';
  expect(await page.evaluate(sideways)).toBe(0);
  const cut = `[...document.querySelectorAll('#messages .blocks *')].filter((one) => one.scrollWidth > one.clientWidth + 1 && getComputedStyle(one).overflowX === 'hidden').length`;
  expect(await page.evaluate(cut)).toBe(0);
  await page.evaluate(await readFile(fileURLToPath(import.meta.resolve('axe-core/axe.min.js')), 'utf8'));
  const found = (await page.evaluate('axe.run("#messages")')) as {
    violations: { id: string; nodes: { html: string }[] }[];
  };
  expect(found.violations.map(({ id, nodes }) => [id, nodes[0]?.html])).toEqual([]);

  if (folder !== undefined) {
    await mkdir(folder, { recursive: true });
    for (const [at, { name: what }] of wall().entries())
      await entries
        .nth(at)
        .screenshot({ path: join(folder, `${String(at).padStart(2, '0')}-${what.replace(/\W+/g, '-')}-${name}.png`) });
  }
  await context.close();
});
