/**
 * The sandbox's tour, with the bot as a real process. Killed without warning after any step and started again, it must
 * leave the directory as if nothing had happened. What this cannot show is a kill inside a step: whoever presses a
 * button then is not answered, and presses again.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { verifyChain } from '../../src/audit/chain.ts';
import { runTour, type Step, type TourOptions, type TourResult } from '../../src/sandbox/tour.ts';
import { GROUPS, PEOPLE } from '../../src/sandbox/world.ts';
import { freshDatabase, openTestStore, sha256, type TestDatabase } from '../support/databases.ts';

const STEPS = 12;
/** After these, something is owed or somebody waits; after the others a kill finds nothing under way. */
const IN_THE_MIDDLE = [2, 5, 7, 8, 11];
/** Each tour is a process of its own beside this one; more than two at a time only wait for each other. */
const AT_ONCE = 2;
const QUIET: TourOptions = { logLevel: 'fatal' };

const AS_BEFORE: TourResult['groups'] = {
  [GROUPS.engineering]: [PEOPLE.ana.okta, PEOPLE.ben.okta, PEOPLE.cat.okta, PEOPLE.dan.okta],
  [GROUPS.security]: [PEOPLE.sam.okta],
  [GROUPS.read]: [PEOPLE.pat.okta],
  [GROUPS.admin]: [],
  [GROUPS.payments]: [],
};

const databases: TestDatabase[] = [];
afterEach(async () => {
  for (const database of databases.splice(0)) await database.drop();
});

async function database(dialect: 'sqlite' | 'postgres'): Promise<string> {
  const made = await freshDatabase(dialect);
  databases.push(made);
  return made.url;
}

function expectWell(result: TourResult): void {
  expect(result.steps.filter((step) => !step.ok)).toEqual([]);
  expect(result.steps.map((step) => step.step)).toEqual(Array.from({ length: STEPS }, (_, i) => i + 1));
  expect(result.ok).toBe(true);
  expect(result.groups).toEqual(AS_BEFORE);
}

async function eventsIn(url: string): Promise<number> {
  const store = await openTestStore(url);
  try {
    const links = await store.chain(0, 100_000);
    expect(verifyChain(links, sha256)).toBeUndefined();
    return links.length;
  } finally {
    await store.close();
  }
}

describe('the tour', () => {
  it('ends as it should, keeps its database, and ends as it should on the same one again', async () => {
    const url = await database('sqlite');
    expectWell(await runTour({ ...QUIET, databaseUrl: url }));
    const first = await eventsIn(url);
    expect(first).toBeGreaterThan(20);
    expectWell(await runTour({ ...QUIET, databaseUrl: url }));
    expect(await eventsIn(url)).toBe(2 * first);
  }, 90_000);

  it('from the command line prints one JSON object for each step, with the bot on PORT', async () => {
    const port = await freePort();
    const url = await database('sqlite');
    const cli = fileURLToPath(new URL('../../src/cli.ts', import.meta.url));
    const child = spawn(process.execPath, [cli, 'sandbox', '--tour', '--json'], {
      env: { PATH: process.env.PATH ?? '', PORT: String(port), DATABASE_URL: url },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let stdout = '';
    let health: Promise<unknown> | undefined;
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
      // The first step is observed while the bot runs.
      health ??= fetch(`http://127.0.0.1:${port}/healthz`).then((response) => response.json());
    });
    const [code] = await once(child, 'close');
    expect(code).toBe(0);
    expect(await health).toEqual({ status: 'alive' });
    const steps = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Step);
    expect(steps.map((step) => step.step)).toEqual(Array.from({ length: STEPS }, (_, i) => i + 1));
    for (const step of steps)
      expect(step).toMatchObject({
        ok: true,
        what: expect.any(String),
        seen: expect.any(String),
        directory: { group: 'prod-db-read', members: expect.arrayContaining(['Pat Moreau']) },
      });
    expect(await eventsIn(url)).toBeGreaterThan(20);
    await expect(fetch(`http://127.0.0.1:${port}/healthz`)).rejects.toThrow();
  }, 60_000);

  it('killed in the middle of anything and started again leaves the same directory', async () => {
    const waiting = [...IN_THE_MIDDLE];
    const ended = new Map<number, TourResult>();
    const tours = async () => {
      for (let step = waiting.shift(); step !== undefined; step = waiting.shift()) {
        const at = step;
        ended.set(at, await runTour({ ...QUIET, killAfter: (done) => done === at }));
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, tours));
    expect(ended.size).toBe(IN_THE_MIDDLE.length);
    for (const result of ended.values()) expectWell(result);
  }, 240_000);

  it('killed after every step leaves the same directory, on both databases', async () => {
    const [onSqlite, onPostgres] = await Promise.all([
      runTour({ ...QUIET, databaseUrl: await database('sqlite'), killAfter: () => true }),
      runTour({ ...QUIET, databaseUrl: await database('postgres'), killAfter: () => true }),
    ]);
    expectWell(onSqlite);
    expectWell(onPostgres);
  }, 180_000);
});

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const address = probe.address();
  probe.close();
  await once(probe, 'close');
  return typeof address === 'object' && address !== null ? address.port : 0;
}
