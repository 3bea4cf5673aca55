/**
 * Ending access from the host. The bot is a real process, killed without warning where a test says that it is dead; the
 * command line then has the database and Okta, and nothing else. A bot that is to leave something due behind runs two
 * hours behind the real clock, by which the host goes.
 */
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { verifyChain } from '../src/audit/chain.ts';
import { button, dmsOf, messagesIn, textOf } from '../src/sandbox/slack-reading.ts';
import type { SlackMessage } from '../src/sandbox/slack-state.ts';
import {
  APPROVALS,
  configuration,
  createWorld,
  GROUPS,
  type Name,
  PEOPLE,
  SECRETS,
  type World,
} from '../src/sandbox/world.ts';
import { endAll, hallpass } from './support/cli.ts';
import { freshDatabase, openTestStore, sha256, type TestDatabase } from './support/databases.ts';

const HOURS = 3_600_000;
const WAIT_MS = 10_000;

let folder: string;
let database: TestDatabase;
let world: World;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hallpass-end-'));
});
afterEach(async () => {
  await endAll();
  await world.close();
  // Whatever happened, the trail is whole.
  const store = await openTestStore(database.url);
  const links = await store.chain(0, 100_000);
  await store.close();
  await database.drop();
  await rm(folder, { recursive: true, force: true });
  expect(links.length).toBeGreaterThan(0);
  expect(verifyChain(links, sha256)).toBeUndefined();
});

/** A world whose bot lives so long ago, in real time. */
async function begin(dialect: 'sqlite' | 'postgres', agoMs: number): Promise<void> {
  database = await freshDatabase(dialect);
  world = await createWorld({ databaseUrl: database.url, logLevel: 'fatal' });
  await writeFile(join(folder, 'hallpass.yaml'), configuration(world.okta.url, world.google.url));
  await copyFile(join(dirname(world.configPath), 'google.json'), join(folder, 'google.json'));
  await world.moveClock(-agoMs);
  await world.startBot();
}

/** What the host has: no secret of Slack's. */
const host = (...args: string[]) =>
  hallpass([...args, '--config', join(folder, 'hallpass.yaml')], {
    DATABASE_URL: database.url,
    OKTA_TOKEN: SECRETS.oktaToken,
    LOG_LEVEL: 'fatal',
  });

async function ask(name: Name, what: string): Promise<{ id: string; card: SlackMessage }> {
  const said = textOf(await (await world.person(name).slash(`request ${what} fix stuck migration`)).answered(WAIT_MS));
  const id = /R-[0-9A-Z]{4,6}/.exec(said)?.[0] ?? '';
  const card = await world.slack.waitFor(
    (state) =>
      messagesIn(state, APPROVALS).find(
        (shown) => textOf(shown).includes(id) && button(shown, 'approve') !== undefined,
      ),
    WAIT_MS,
    `the approval message of ${id}`,
  );
  return { id, card };
}

async function told(name: Name, words: RegExp): Promise<SlackMessage> {
  return await world.slack.waitFor(
    (state) => dmsOf(state, PEOPLE[name].slack).findLast((shown) => words.test(textOf(shown))),
    WAIT_MS,
    `${words} said to ${name}`,
  );
}

/** Asked for, approved and added. */
async function give(name: Name, what: string): Promise<string> {
  const { id, card } = await ask(name, what);
  await world.person('ben').press(card, 'approve');
  await world.slack.waitFor(
    (state) =>
      dmsOf(state, PEOPLE[name].slack).find(
        (shown) => textOf(shown).includes(id) && /Added to .*\(checked\)/.test(textOf(shown)),
      ),
    WAIT_MS,
    `${id} to be added`,
  );
  return id.replace('R-', 'G-');
}

const members = (group: keyof typeof GROUPS = 'read') =>
  (world.okta.state().groups[GROUPS[group]] ?? []).map(
    (okta) => Object.values(PEOPLE).find((person) => person.okta === okta)?.email,
  );
const calls = (method: string) => world.okta.state().log.filter((call) => call.method === method).length;

describe.each(['sqlite', 'postgres'] as const)('expire --due while the bot is dead, on %s', (dialect) => {
  it('run twice at once does it once, and both say so', async () => {
    await begin(dialect, 2 * HOURS);
    await give('ana', 'db-prod 30m');
    await give('dan', 'db-prod:admin 30m');
    await world.bot?.kill();
    const both = await Promise.all([host('expire', '--due', '--json'), host('expire', '--due', '--json')]);
    for (const { code, json, stderr } of both) {
      expect(stderr).toBe('');
      expect(json).toMatchObject({ ok: true, outstanding: [] });
      expect(code).toBe(0);
    }
    expect(members()).toEqual([PEOPLE.pat.email]);
    expect(members('admin')).toEqual([]);
    expect(calls('DELETE')).toBe(2);
  });
});

describe('expire --due', () => {
  it('takes everybody out whose time is over, proves it, and leaves the others', async () => {
    await begin('sqlite', 2 * HOURS);
    await give('ana', 'db-prod 30m');
    await give('dan', 'db-prod:admin 4h');
    await world.bot?.kill();
    expect(members()).toEqual([PEOPLE.pat.email, PEOPLE.ana.email]);

    const { code, stdout, stderr } = await host('expire', '--due');
    expect(stderr).toBe('');
    expect(stdout).toContain('Removed and checked: ana@example.com from prod-db-read (okta)');
    expect(code).toBe(0);
    expect(members()).toEqual([PEOPLE.pat.email]);
    expect(members('admin')).toEqual([PEOPLE.dan.email]);

    const again = await host('expire', '--due', '--json');
    expect(again.code).toBe(0);
    expect(again.json).toMatchObject({ ok: true, proven: [], outstanding: [] });

    // The bot finds it done, and tells.
    await world.moveClock(2 * HOURS);
    await world.startBot();
    await told('ana', /Removed from prod-db-read .*checked/);
    expect(members('admin')).toEqual([PEOPLE.dan.email]);
  });

  it('with Okta down exits 1 and names who is still a member; afterwards it ends what it owes', async () => {
    await begin('sqlite', 2 * HOURS);
    await give('ana', 'db-prod 30m');
    await world.bot?.kill();
    world.okta.control({ do: 'fault', fault: { kind: 'down' } });
    const { code, stdout } = await host('expire', '--due', '--wait', '1');
    expect(code).toBe(1);
    expect(stdout).toMatch(/STILL A MEMBER, as far as is known: ana@example\.com from prod-db-read \(okta\)/);
    expect(stdout).toContain('1 still owed');
    expect(members()).toContain(PEOPLE.ana.email);

    world.okta.control({ do: 'clear' });
    // A failed removal waits a little before it is tried again.
    const later = await host('expire', '--due', '--json');
    expect(later.json).toMatchObject({ ok: true, proven: [{ login: PEOPLE.ana.email, group: 'prod-db-read' }] });
    expect(later.code).toBe(0);
    expect(members()).toEqual([PEOPLE.pat.email]);
  });

  it('with a token that Okta refuses exits 1: a refusal is never taken for gone', async () => {
    await begin('sqlite', 2 * HOURS);
    await give('ana', 'db-prod 30m');
    await world.bot?.kill();
    world.okta.control({ do: 'revoke-token', token: SECRETS.oktaToken });
    const { code, stdout } = await host('expire', '--due', '--wait', '1');
    expect(code).toBe(1);
    expect(stdout).toMatch(/STILL A MEMBER.*ana@example\.com/);
    expect(stdout).not.toContain(SECRETS.oktaToken);
    expect(members()).toContain(PEOPLE.ana.email);
  });

  it('adds nobody: what was approved and is not added by now is abandoned', async () => {
    await begin('sqlite', 2 * HOURS);
    world.okta.control({ do: 'fault', fault: { kind: 'status', status: 503, method: 'PUT' } });
    const { card } = await ask('ana', 'db-prod 30m');
    await (await world.person('ben').press(card, 'approve')).answered(WAIT_MS);
    await expect.poll(() => calls('PUT')).toBeGreaterThan(0);
    await world.bot?.kill();
    world.okta.control({ do: 'clear' });
    const before = calls('PUT');
    const { code, stderr } = await host('expire', '--due');
    expect(stderr).toBe('');
    expect(code).toBe(0);
    expect(calls('PUT')).toBe(before);
    expect(members()).toEqual([PEOPLE.pat.email]);

    await world.moveClock(2 * HOURS);
    await world.startBot();
    await told('ana', /not added|could not be added|abandoned/i);
    expect(calls('PUT')).toBe(before);
    expect(members()).toEqual([PEOPLE.pat.email]);
  });

  it('adds nobody: what was approved a moment ago is left to the bot', async () => {
    await begin('sqlite', 0);
    world.okta.control({ do: 'fault', fault: { kind: 'status', status: 429, method: 'PUT', headers: {} } });
    const { card } = await ask('ana', 'db-prod 30m');
    await (await world.person('ben').press(card, 'approve')).answered(WAIT_MS);
    await expect.poll(() => calls('PUT')).toBeGreaterThan(0);
    await world.bot?.kill();
    world.okta.control({ do: 'clear' });
    const before = calls('PUT');
    const { code, json } = await host('expire', '--due', '--json');
    expect(json).toMatchObject({ ok: true, proven: [], outstanding: [] });
    expect(code).toBe(0);
    expect(calls('PUT')).toBe(before);
    expect(members()).toEqual([PEOPLE.pat.email]);
  });

  it('beside a living bot changes nothing that is not due', async () => {
    await begin('sqlite', 0);
    await give('ana', 'db-prod 30m');
    const { code, stdout } = await host('expire', '--due');
    expect(stdout).toBe('Nothing is owed: no membership that Hallpass added has to be removed.\n');
    expect(code).toBe(0);
    expect(members()).toEqual([PEOPLE.pat.email, PEOPLE.ana.email]);
  });

  it('beside a living bot that is ending the same grant harms nothing', async () => {
    await begin('sqlite', 0);
    world.okta.control({ do: 'fault', fault: { kind: 'status', status: 503, method: 'DELETE' } });
    await give('ana', 'db-prod 1s');
    // The bot has tried, and goes on trying.
    await expect.poll(() => calls('DELETE'), { timeout: WAIT_MS }).toBeGreaterThan(0);
    const failed = await host('expire', '--due', '--wait', '1');
    expect(failed.code).toBe(1);
    world.okta.control({ do: 'clear' });
    const { code, stdout, stderr } = await host('expire', '--due');
    expect(`${stdout}${stderr}`).not.toMatch(/STILL A MEMBER/);
    expect(code).toBe(0);
    expect(members()).toEqual([PEOPLE.pat.email]);
    await told('ana', /Removed from prod-db-read .*checked/);
  });
});

describe('revoke on the host', () => {
  it('ends a grant while the bot is dead, and the bot tells when it is back', async () => {
    await begin('sqlite', 0);
    const grant = await give('ana', 'db-prod 4h');
    await world.bot?.kill();
    const { code, stdout, stderr } = await host('revoke', grant, 'laptop', 'stolen');
    expect(stderr).toBe('');
    expect(stdout).toMatch(new RegExp(`^${grant}: Revoked`, 'm'));
    expect(stdout).toContain('Removed and checked: ana@example.com from prod-db-read (okta)');
    expect(code).toBe(0);
    expect(members()).toEqual([PEOPLE.pat.email]);

    const again = await host('revoke', grant, 'laptop', 'stolen');
    expect(again.code).toBe(1);
    expect(again.stdout).toMatch(/has ended or is ending/);
    await world.startBot();
    expect(textOf(await told('ana', /Revoked.*checked/s))).toContain('laptop stolen');
  });

  it('ends a grant beside a living bot, which tells at its next look', async () => {
    await begin('sqlite', 0);
    await give('ana', 'db-prod 4h');
    const { code, json } = await host('revoke', 'db-prod', 'laptop', 'stolen', '--yes', '--json');
    expect(json).toMatchObject({ ok: true });
    expect(code).toBe(0);
    expect(members()).toEqual([PEOPLE.pat.email]);
    // Half a minute at most; a moved clock makes it look now.
    await world.moveClock(1_000);
    await told('ana', /Revoked.*checked/s);
  });

  it('takes away only what no other grant needs', async () => {
    await begin('sqlite', 0);
    const first = await give('ana', 'db-prod 1h');
    await give('ana', 'reports 2h');
    await world.bot?.kill();
    const { code, stdout } = await host('revoke', first, 'no longer needed');
    expect(code).toBe(0);
    expect(stdout).toMatch(/Another grant still needs prod-db-read/);
    expect(members()).toContain(PEOPLE.ana.email);
  });

  it('of access that is being added ends it before it begins', async () => {
    await begin('sqlite', 0);
    world.okta.control({ do: 'fault', fault: { kind: 'hang', method: 'PUT', after: true } });
    const { id, card } = await ask('ana', 'db-prod 30m');
    await (await world.person('ben').press(card, 'approve')).answered(WAIT_MS);
    await expect.poll(() => members()).toContain(PEOPLE.ana.email);
    // Added in Okta, and nobody has been told: the answer never came.
    await world.bot?.kill();
    world.okta.control({ do: 'clear' });
    const { code, stdout } = await host('revoke', id, 'wrong person asked');
    expect(stdout).toContain('Removed and checked: ana@example.com from prod-db-read (okta)');
    expect(code).toBe(0);
    expect(members()).toEqual([PEOPLE.pat.email]);
  });

  it('with Okta down is kept: it exits 1, names who is still a member, and expire --due ends it', async () => {
    await begin('sqlite', 0);
    const grant = await give('ana', 'db-prod 4h');
    await world.bot?.kill();
    world.okta.control({ do: 'fault', fault: { kind: 'down' } });
    const { code, stdout } = await host('revoke', grant, 'laptop', 'stolen', '--wait', '1');
    expect(code).toBe(1);
    expect(stdout).toMatch(/STILL A MEMBER.*ana@example\.com from prod-db-read/);
    world.okta.control({ do: 'clear' });
    expect((await host('expire', '--due')).code).toBe(0);
    expect(members()).toEqual([PEOPLE.pat.email]);
  });

  it('of what there is not, or without a real reason, changes nothing and exits 1', async () => {
    await begin('sqlite', 0);
    const grant = await give('ana', 'db-prod 4h');
    await world.bot?.kill();
    const unknown = await host('revoke', 'G-ZZZZ', 'laptop', 'stolen', '--json');
    expect(unknown.json).toMatchObject({ ok: false, refusal: { code: 'unknown_id', asked: 'G-ZZZZ' } });
    const blank = await host('revoke', grant, ' \u200b ', '--json');
    expect(blank.json).toMatchObject({ ok: false, refusal: { code: 'reason_missing' } });
    const endless = await host('revoke', grant, 'why '.repeat(10_000), '--json');
    expect(endless.json).toMatchObject({ ok: false, refusal: { code: 'reason_too_long' } });
    for (const { code } of [unknown, blank, endless]) expect(code).toBe(1);
    expect(members()).toEqual([PEOPLE.pat.email, PEOPLE.ana.email]);
  });
});
