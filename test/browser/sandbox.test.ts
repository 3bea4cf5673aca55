/**
 * The sandbox's page as a person meets it, in a real browser: the whole story by mouse and by keyboard alone, what goes
 * wrong on purpose, other people's texts, a phone's width, and what an accessibility checker finds.
 */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Browser, Locator, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startPage } from '../../src/sandbox/page.ts';
import { createWorld, PEOPLE, type World } from '../../src/sandbox/world.ts';
import { startBrowser } from './browser.ts';
import { MARKUP, MESSAGE, post } from './gallery.ts';

const WAIT_MS = 30_000;

let browser: Browser;
const closing: (() => Promise<void>)[] = [];
beforeAll(async () => {
  browser = await startBrowser();
}, 120_000);
afterAll(() => browser?.close());
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

interface Opened {
  readonly page: Page;
  readonly world: World;
  /** What the page complained of; the browser's own refusals (CSP) are among it. */
  readonly complaints: string[];
}

async function open(options: { width?: number; height?: number; dark?: boolean } = {}): Promise<Opened> {
  const world = await createWorld({ logLevel: 'fatal', digest: true });
  closing.push(() => world.close());
  await world.startBot();
  const served = await startPage(world, { port: 0 });
  closing.push(() => served.close());
  const context = await browser.newContext({
    viewport: { width: options.width ?? 1280, height: options.height ?? 800 },
    colorScheme: options.dark === true ? 'dark' : 'light',
  });
  closing.push(() => context.close());
  context.setDefaultTimeout(WAIT_MS);
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text());
  });
  await page.goto(served.url);
  await page.locator('body[data-ready]').waitFor();
  return { page, world, complaints };
}

const person = (page: Page, name: string) => page.getByRole('button', { name: new RegExp(`^${name}`) });
const place = (page: Page, name: string | RegExp) =>
  page.getByRole('list', { name: 'Conversations' }).getByRole('button', { name });
const messages = (page: Page) => page.getByRole('region', { name: 'Messages' });
const composer = (page: Page) => page.getByRole('combobox', { name: /^Message to/ });
const group = (page: Page, name: string) => page.getByRole('region', { name: `Group ${name}` });
const machine = (page: Page, name: string) => page.locator('.machinery li').filter({ hasText: name });

async function send(page: Page, line: string): Promise<void> {
  await composer(page).fill(line);
  await composer(page).press('Enter');
}

async function gone(locator: Locator): Promise<void> {
  await locator.waitFor({ state: 'detached' });
}

describe('the story', () => {
  it('is told from asking to removal, and each step ticks itself', async () => {
    const { page, complaints } = await open();
    const step = (name: string) => page.getByRole('listitem').filter({ hasText: name });
    await step('Ask as Ana').getByText('not done yet').waitFor();

    expect(await composer(page).inputValue()).toBe('/access request db-prod 30m fix stuck migration');
    await page.getByRole('button', { name: 'Send' }).click();
    await messages(page).getByText('Only visible to you').waitFor();
    await step('Ask as Ana').getByText('done', { exact: true }).waitFor();
    expect(await group(page, 'prod-db-read').getByRole('listitem').allInnerTexts()).toHaveLength(1);

    await person(page, 'Ben Okafor').click();
    await place(page, /access-approvals.*unread/).click();
    await messages(page)
      .getByRole('heading', { name: /waiting for approval/ })
      .waitFor();
    await messages(page)
      .getByRole('button', { name: /^Approve/ })
      .click();
    const ana = group(page, 'prod-db-read').getByRole('listitem').filter({ hasText: PEOPLE.ana.name });
    await ana.getByText(/30 min left|29 min/).waitFor();
    await group(page, 'prod-db-read').getByText('permanent').waitFor();
    await messages(page)
      .getByRole('heading', { name: /: active/ })
      .waitFor();
    await step('Approve as Ben').getByText('done', { exact: true }).waitFor();

    await person(page, 'Ana Sousa').click();
    await place(page, 'Hallpass Direct message').click();
    await page.getByRole('button', { name: '+30 min' }).click();
    await gone(ana);
    await messages(page)
      .getByText(/Removed from prod-db-read .*checked/)
      .last()
      .waitFor();
    await step('Let the time pass').getByText('done', { exact: true }).waitFor();
    await page
      .getByRole('list', { name: /Audit trail/ })
      .getByText('membership.proven_absent')
      .waitFor();
    await page.getByRole('button', { name: '+1 day' }).click();
    await place(page, 'security').click();
    await messages(page)
      .getByRole('heading', { name: /digest/i })
      .last()
      .waitFor();
    await messages(page).getByText('fix stuck migration').waitFor();
    await step('Read the digest').getByText('done', { exact: true }).waitFor();
    expect(complaints).toEqual([]);
  }, 120_000);

  it('is told with the keyboard alone', async () => {
    const { page } = await open();
    const tabTo = async (target: Locator) => {
      await target.waitFor();
      for (let pressed = 0; pressed < 60; pressed += 1) {
        if ((await target.and(page.locator(':focus')).count()) === 1) return;
        await page.keyboard.press('Tab');
      }
      throw new Error('never reached with Tab');
    };
    await tabTo(composer(page));
    await page.keyboard.press('Enter');
    await messages(page).getByText('Only visible to you').waitFor();
    // What was sent before comes back, and Tab completes what is begun.
    await page.keyboard.press('ArrowUp');
    expect(await composer(page).inputValue()).toBe('/access request db-prod 30m fix stuck migration');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.type('/access sta');
    await page.keyboard.press('Tab');
    expect(await composer(page).inputValue()).toBe('/access status ');
    await composer(page).fill('');

    await tabTo(person(page, 'Ben Okafor'));
    await page.keyboard.press('Enter');
    await tabTo(place(page, 'access-approvals'));
    await page.keyboard.press('Space');
    const deny = messages(page).getByRole('button', { name: /^Deny/ });
    await tabTo(deny);
    await page.keyboard.press('Enter');
    const dialog = page.getByRole('dialog', { name: 'Deny request' });
    await dialog.waitFor();
    for (let pressed = 0; pressed < 8; pressed += 1) {
      await page.keyboard.press('Tab');
      // Between the last and the first the focus may rest on the document, never on the page behind.
      expect(
        await page.evaluate('document.activeElement === document.body || !!document.activeElement.closest("dialog")'),
      ).toBe(true);
    }
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'hidden' });
    await tabTo(messages(page).getByRole('button', { name: /^Approve/ }));
    await page.keyboard.press('Enter');
    await group(page, 'prod-db-read')
      .getByText(/min left/)
      .waitFor();
    await tabTo(page.getByRole('button', { name: '+30 min' }));
    await page.keyboard.press('Enter');
    await gone(group(page, 'prod-db-read').getByText(PEOPLE.ana.name));
  }, 120_000);

  it('goes otherwise when Cat denies with a reason', async () => {
    const { page } = await open();
    await send(page, '/access request db-prod 30m fix stuck migration');
    await person(page, 'Cat Lindqvist').click();
    await place(page, 'access-approvals').click();
    await messages(page).getByRole('button', { name: /^Deny/ }).click();
    const dialog = page.getByRole('dialog', { name: 'Deny request' });
    await dialog.getByRole('textbox').fill('not during the *sale*');
    await dialog.getByRole('button', { name: 'Deny' }).click();
    await dialog.waitFor({ state: 'hidden' });
    await messages(page).getByText('not during the *sale*').waitFor();
    await messages(page)
      .getByRole('heading', { name: /: denied/ })
      .waitFor();
  }, 120_000);
});

describe('the bot’s own home and form', () => {
  it('are shown and filled in: searched, corrected, sent', async () => {
    const { page } = await open();
    await place(page, 'Hallpass App Home').click();
    await messages(page).getByRole('button', { name: 'Request access' }).click();
    const form = page.getByRole('dialog', { name: 'Request access' });
    await form.getByRole('combobox').first().fill('db');
    await form.getByRole('option', { name: /db-prod/ }).click();
    await form.getByText(/Ben Okafor and Cat Lindqvist/).waitFor();
    await form.getByRole('textbox', { name: /long/ }).fill('nine');
    await form.getByRole('textbox', { name: /Why/ }).fill('monthly numbers');
    const sendIt = form.getByRole('button', { name: 'Send request' });
    await sendIt.click();
    await form.locator('.error').waitFor();
    await form.getByRole('textbox', { name: /long/ }).fill('45m');
    await sendIt.click();
    await place(page, 'access-approvals').waitFor();
    await page.locator('[data-step=asked].done').waitFor();
  }, 120_000);

  it('open by the shortcut too, wherever one is', async () => {
    const { page, complaints } = await open();
    await place(page, 'access-approvals').click();
    await page.getByRole('button', { name: 'Request access' }).click();
    const form = page.getByRole('dialog', { name: 'Request access' });
    await form.getByRole('combobox').first().waitFor();
    await page.keyboard.press('Escape');
    await gone(form.getByRole('combobox').first());
    expect(complaints).toEqual([]);
  }, 120_000);
});

describe('what goes wrong on purpose', () => {
  it('kills the bot and starts it again; what it owed is done', async () => {
    const { page } = await open();
    await send(page, '/access request db-prod 30m fix stuck migration');
    await person(page, 'Ben Okafor').click();
    await place(page, 'access-approvals').click();
    await messages(page)
      .getByRole('button', { name: /^Approve/ })
      .click();
    await group(page, 'prod-db-read')
      .getByText(/min left/)
      .waitFor();

    await page.getByRole('button', { name: 'Kill the bot' }).click();
    await machine(page, 'The bot').getByText('stopped').waitFor();
    await send(page, '/access status');
    await messages(page)
      .getByText(/the bot is not running/)
      .waitFor();
    await page.getByRole('button', { name: '+30 min' }).click();
    await group(page, 'prod-db-read').getByText('time is over').waitFor();

    await page.getByRole('button', { name: 'Start the bot' }).click();
    await machine(page, 'The bot').getByText('running').waitFor();
    await gone(group(page, 'prod-db-read').getByText(PEOPLE.ana.name));
    await messages(page)
      .getByText(/Removed from prod-db-read .*checked/)
      .waitFor();
  }, 120_000);

  it('takes Okta and Slack down and brings them back', async () => {
    const { page, world } = await open();
    await page.getByRole('button', { name: 'Take Okta down' }).click();
    await machine(page, 'Okta').getByText('down', { exact: true }).waitFor();
    await page.getByText(/Okta is down: nobody is added or removed/).waitFor();
    expect(world.okta.state().faults).toHaveLength(1);
    await page.getByRole('button', { name: 'Bring Okta back' }).click();
    await machine(page, 'Okta').getByText('up', { exact: true }).waitFor();
    expect(world.okta.state().faults).toEqual([]);

    await page.getByRole('button', { name: 'Take Slack down' }).click();
    await machine(page, 'Slack').getByText('down', { exact: true }).waitFor();
    await send(page, '/access help');
    await messages(page)
      .getByText(/Slack is down: nothing gets through/)
      .waitFor();
    await page.getByRole('button', { name: 'Bring Slack back' }).click();
    await machine(page, 'Slack').getByText('up', { exact: true }).waitFor();
    await send(page, '/access help');
    await messages(page).getByText('Only visible to you').waitFor();
  }, 120_000);
});

describe('other people’s texts', () => {
  it('stay texts', async () => {
    const { page, complaints } = await open();
    const reason = '<img src=x onerror="document.title=1"> <!channel> *loud* <https://evil.example|safe> `code`';
    await send(page, `/access request db-prod 30m ${reason}`);
    await place(page, 'access-approvals').click();
    await messages(page)
      .getByRole('heading', { name: /waiting for approval/ })
      .waitFor();
    const quote = messages(page).locator('blockquote');
    expect(await quote.innerText()).toBe(reason);
    expect(await quote.locator('*').count()).toBe(0);
    expect(await messages(page).locator('img, a, .mention:has-text("channel")').count()).toBe(0);
    await place(page, 'Hallpass Direct message').click();
    await messages(page).getByText(`/access request db-prod 30m ${reason}`).waitFor();
    expect(await page.title()).toBe('Hallpass sandbox');
    expect(complaints).toEqual([]);
  }, 120_000);
});

describe('Block Kit', () => {
  it('is drawn block by block: plain text as it is, markup as Slack documents it', async () => {
    const { page, world, complaints } = await open();
    await place(page, 'security').click();
    await post(world, MESSAGE);
    await messages(page).getByRole('heading', { name: 'Header' }).waitFor();
    const at = (text: string) => messages(page).locator('.section, .rich > *').filter({ hasText: text }).first();
    expect(await messages(page).getByText(MARKUP, { exact: true }).innerHTML()).toBe(
      MARKUP.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;'),
    );
    const markup = at('after').locator('p');
    expect(await markup.locator('strong').innerText()).toBe('bold');
    expect(await markup.locator('a').getAttribute('href')).toBe('https://example.com');
    expect(await markup.locator('.mention').allInnerTexts()).toEqual(['@here', '@Ana Sousa']);
    expect(await markup.innerText()).toContain('<b>');
    expect(await at('press me').locator('a, img').count()).toBe(0);
    expect(await messages(page).locator('.rich').getByRole('list').count()).toBe(2);
    expect(await messages(page).locator('pre').innerText()).toBe('select 1;\n  -- as it stands');

    // Dangerous things ask first, and Escape is a no.
    await messages(page).getByRole('button', { name: 'Danger' }).click();
    const asked = page.getByRole('dialog', { name: 'Really?' });
    await asked.getByText('It cannot be undone.').waitFor();
    await page.keyboard.press('Escape');
    await gone(asked);

    await messages(page).getByRole('combobox').click();
    await page.getByRole('group', { name: 'Clusters' }).getByRole('option', { name: 'k8s-eu' }).waitFor();
    await page.keyboard.type('db');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    expect(await messages(page).getByRole('combobox').inputValue()).toBe('db-test');
    await messages(page).getByRole('button', { name: 'More' }).click();
    await messages(page).getByRole('button', { name: 'Return' }).waitFor();
    await page.keyboard.press('Escape');
    expect(complaints).toEqual([]);
  }, 120_000);
});

describe('the page itself', () => {
  it('fits a phone of 375 pixels without scrolling sideways', async () => {
    const { page } = await open({ width: 375, height: 720 });
    const sideways = () => page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth');
    expect(await sideways()).toBe(0);
    await send(page, `/access request db-prod 30m ${'averylongwordwithoutanyspace'.repeat(6)}`);
    await messages(page).getByText('Only visible to you').waitFor();
    expect(await sideways()).toBe(0);
    await place(page, 'access-approvals').click();
    await messages(page)
      .getByRole('button', { name: /^Approve/ })
      .waitFor();
    expect(await sideways()).toBe(0);
    await page.getByRole('button', { name: 'Directory and clock' }).click();
    await page.getByRole('button', { name: '+5 min' }).waitFor();
    expect(await sideways()).toBe(0);
  }, 120_000);

  it.each(['light', 'dark'] as const)(
    'has nothing an accessibility checker objects to, %s',
    async (scheme) => {
      const { page } = await open({ dark: scheme === 'dark' });
      const axe = await readFile(fileURLToPath(import.meta.resolve('axe-core/axe.min.js')), 'utf8');
      await page.evaluate(axe);
      const violations = async () => {
        const found = (await page.evaluate('axe.run()')) as { violations: { id: string; nodes: { html: string }[] }[] };
        return found.violations.map(({ id, nodes }) => [id, ...nodes.map(({ html }) => html)]);
      };
      expect(await violations()).toEqual([]);
      await send(page, '/access request db-prod 30m fix stuck migration');
      await messages(page).getByText('Only visible to you').waitFor();
      expect(await violations()).toEqual([]);
      await place(page, 'access-approvals').click();
      await messages(page)
        .getByRole('button', { name: /^Approve/ })
        .waitFor();
      await page.getByRole('button', { name: 'Take Okta down' }).click();
      await machine(page, 'Okta').getByText('down', { exact: true }).waitFor();
      expect(await violations()).toEqual([]);
      await person(page, 'Ben Okafor').click();
      await messages(page).getByRole('button', { name: /^Deny/ }).click();
      await page.getByRole('dialog').waitFor();
      expect(await violations()).toEqual([]);
    },
    120_000,
  );
});
