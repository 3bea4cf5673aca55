/** `hallpass audit …` as a security engineer runs it, on a record that a grant has been through. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Client from 'better-sqlite3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runTour } from '../src/sandbox/tour.ts';
import { configuration } from '../src/sandbox/world.ts';
import { hallpass } from './support/cli.ts';
import { freshDatabase, openTestStore, type TestDatabase } from './support/databases.ts';

let database: TestDatabase;
let folder: string;
let env: Record<string, string>;
let id: string;
beforeAll(async () => {
  database = await freshDatabase('sqlite');
  folder = await mkdtemp(join(tmpdir(), 'hallpass-audit-'));
  await writeFile(join(folder, 'hallpass.yaml'), configuration('http://127.0.0.1:9'));
  env = {
    DATABASE_URL: database.url,
    HALLPASS_CONFIG: join(folder, 'hallpass.yaml'),
    OKTA_TOKEN: 'x',
    LOG_LEVEL: 'fatal',
  };
  expect((await runTour({ logLevel: 'fatal', databaseUrl: database.url })).ok).toBe(true);
  const store = await openTestStore(database.url);
  const events = (await store.trailEvents(0, 1_000)).map(({ event }) => event);
  id = events.find(({ kind }) => kind === 'membership.proven_absent')?.requestId ?? '';
  await store.close();
}, 120_000);
afterAll(async () => {
  await database?.drop();
  await rm(folder, { recursive: true, force: true });
});

describe('the digest, on the host', () => {
  it('says what it would say in chat, and every line of it for a spreadsheet', async () => {
    const said = await hallpass(['digest', '--days', '7'], env);
    expect(said.stdout).toMatch(/^Access digest, .*No removal is late\./);
    expect(said.code).toBe(0);
    const { stdout } = await hallpass(['digest', '--days', '7', '--csv'], env);
    const [head, ...lines] = stdout.trimEnd().split('\r\n');
    expect(head).toMatch(/^request,grant,who,entitlement,reason,outcome,/);
    expect(lines.filter((line) => line.startsWith(`${id},`))).toHaveLength(1);
  });
});

describe('verify', () => {
  it('says that the trail holds, where it ends, and what could not be checked', async () => {
    const { code, stdout } = await hallpass(['audit', 'verify', '--deep'], env);
    expect(stdout).toMatch(/^The trail holds: \d+ events/);
    expect(stdout).toMatch(/Head \d+:[0-9a-f]{64}/);
    expect(stdout).toMatch(/Not checked: whether the newest events are missing/);
    expect(code).toBe(0);
  });

  it('holds an export against an anchor, without the database', async () => {
    const { stdout: exported } = await hallpass(['audit', 'export'], env);
    const file = join(folder, 'trail.jsonl');
    await writeFile(file, exported);
    const last = JSON.parse(exported.trim().split('\n').at(-1) ?? '');
    const anchor = `${last.seq}:${last.hash}`;
    const whole = await hallpass(['audit', 'verify', '--file', file, '--anchor', anchor], {});
    expect(whole.stdout).toMatch(/The trail holds.*\n.*\n.*and 1 anchor\./);
    expect(whole.code).toBe(0);

    await writeFile(file, `${exported.trim().split('\n').slice(0, -1).join('\n')}\n`);
    const cut = await hallpass(['audit', 'verify', '--file', file, '--anchor', anchor], {});
    expect(cut.stdout).toMatch(/the events after that are gone/);
    expect(cut.code).toBe(1);
  });

  it('names the first event that somebody with the database changed', async () => {
    const other = await freshDatabase('sqlite');
    const from = new Client(database.url.slice('sqlite:'.length), { readonly: true });
    await from.backup(other.url.slice('sqlite:'.length));
    from.close();
    const owner = new Client(other.url.slice('sqlite:'.length));
    owner.exec('drop trigger audit_events_no_update');
    owner.exec("update audit_events set canonical = replace(canonical, 'request', 'requiem') where seq = 4");
    owner.close();
    const { code, stdout } = await hallpass(['audit', 'verify'], { ...env, DATABASE_URL: other.url });
    expect(stdout).toMatch(/^The trail is BROKEN at event 4: its text is not the one that was written/);
    expect(code).toBe(1);
    await other.drop();
  });

  it('refuses an anchor that is none', async () => {
    const { code, stdout } = await hallpass(['audit', 'verify', '--anchor', '12'], env);
    expect(stdout).toMatch(/12 is no anchor/);
    expect(code).toBe(1);
  });
});

describe('show', () => {
  it('tells the story of one request in plain words, with calls and messages', async () => {
    const { code, stdout } = await hallpass(['audit', 'show', id], env);
    expect(code).toBe(0);
    for (const said of [
      /Ana Sousa {2}asked for \S+:read for .+: .+/,
      /(?:Ben Okafor|Cat Lindqvist) {2}approved \(number 1\)/,
      /read back: gone from prod-db-read in okta, proven/,
      /over: every membership is proven gone/,
      /Messages\n(?:.*\n)*.*channel:C0APPROVALS {2}posted/,
    ])
      expect(stdout).toMatch(said);
  });

  it('says how an id looks when there is none of that name', async () => {
    const { code, stdout } = await hallpass(['audit', 'show', 'R-2222'], env);
    expect(stdout).toMatch(/no request or grant R-2222.*R-7KQ2/);
    expect(code).toBe(1);
  });
});

describe('export', () => {
  it('writes what happened since an instant, and nothing of before', async () => {
    const { stdout } = await hallpass(['audit', 'export', '--since', '2999-01-01', '--format', 'csv'], env);
    expect(stdout.trim().split('\r\n')).toHaveLength(1);
    const all = await hallpass(['audit', 'export', '--format', 'ocsf'], env);
    expect(
      all.stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line).class_uid),
    ).toContain(3006);
  });

  it('is called wrongly with a time or a format that is none', async () => {
    expect((await hallpass(['audit', 'export', '--since', 'yesterday'], env)).code).toBe(2);
    expect((await hallpass(['audit', 'export', '--format', 'xml'], env)).code).toBe(2);
  });
});
