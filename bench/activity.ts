/**
 * What people did, coming in at 5,000 a second while people ask for access: how long a request takes to be acknowledged
 * beside how long it takes when nothing comes in, in turns, in one process over one SQLite file. And how much goes through
 * when as much is sent as is taken, beside the bare inserts of the same rows by the same driver, durable in batches of the
 * same size.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import type { AccessRequest, Grant } from '../src/access/model.ts';
import { HEADERS, signBody } from '../src/activity/signature.ts';
import { randomIds, salt } from '../src/ids.ts';
import { SECRETS } from '../src/sandbox/world.ts';
import { openStore } from '../src/store/database.ts';
import { expectDurable } from './ack.ts';
import { startChild } from './child.ts';
import { type Company, configuration, groupId, oktaId, requestBody } from './company.ts';
import { median, order, quantile, round, say } from './figures.ts';
import { type Line, openLine, openLoop } from './load.ts';

const COMPANY: Company = { people: 400, resources: 100 };
/** The last people of the company hold access; those who ask are others. */
const HOLDERS = 200;
const REQUESTS_PER_SECOND = 20;
const ACTIVITIES_PER_SECOND = 5_000;
const BATCH = 500;
const SECRET = 'bench-activity-secret';
const SECOND = 1_000;
const HOUR = 3_600_000;

export async function activity(quick: boolean): Promise<object> {
  const { rounds, ms, fullMs } = quick
    ? { rounds: 3, ms: 6_000, fullMs: 3_000 }
    : { rounds: 5, ms: 15_000, fullMs: 6_000 };
  const folder = await mkdtemp(join(tmpdir(), 'hallpass-bench-'));
  const file = join(folder, 'hallpass.db');
  const world = await startChild('world', { BENCH_COMPANY: JSON.stringify(COMPANY) });
  const config = join(folder, 'hallpass.yaml');
  await writeFile(config, withActivity(configuration(COMPANY, String(world.ready.okta))));
  await seedGrants(file);
  const bot = await startChild('hallpass', {
    HALLPASS_CONFIG: config,
    DATABASE_URL: `sqlite:${file}`,
    PORT: '0',
    SLACK_BOT_TOKEN: SECRETS.botToken,
    SLACK_SIGNING_SECRET: SECRETS.signingSecret,
    SLACK_API_URL: String(world.ready.slack),
    OKTA_TOKEN: SECRETS.oktaToken,
    ACTIVITY_SECRET: SECRET,
    LOG_LEVEL: 'error',
  });
  try {
    const port = Number(bot.ready.port);
    let asked = 0;
    const next = () => {
      const body = requestBody(
        asked % (COMPANY.people - HOLDERS),
        Math.floor(asked / (COMPANY.people - HOLDERS)),
        'https://hooks.slack.com/commands/T0BENCH/1/x',
      );
      asked += 1;
      return body;
    };
    const ask = async (forMs: number) => {
      // Opened for each turn: one that is left idle is closed by the server.
      const lines: Line[] = [];
      for (let n = 0; n < 8; n++) lines.push(await openLine(port));
      const { answers, latencies } = await openLoop(lines, next, REQUESTS_PER_SECOND, forMs);
      for (const line of lines) line.close();
      const wrong = answers.find(({ status, body }) => status !== 200 || !/R-[0-9A-Z]{4,6}|Checking/.test(body));
      if (wrong !== undefined) throw new Error(`not acknowledged: ${wrong.status} ${wrong.body.slice(0, 300)}`);
      return latencies;
    };
    await ask(2 * SECOND);
    await sendAtRate(port, SECOND);
    const alone: (readonly number[])[] = [];
    const beside: (readonly number[])[] = [];
    const rates: number[] = [];
    for (let n = 0; n < rounds; n++)
      for (const which of order(n, 'beside', 'alone')) {
        if (which === 'alone') alone.push(await ask(ms));
        else {
          const [latencies, rate] = await Promise.all([ask(ms), sendAtRate(port, ms)]);
          beside.push(latencies);
          rates.push(rate);
        }
        const last = (which === 'alone' ? alone : beside).at(-1) ?? [];
        say(`round ${n + 1} ${which.padEnd(6)} p50 ${round(median(last))} p99 ${round(quantile(last, 0.99))}`);
      }
    const full = await sendAll(port, fullMs);
    const { durability } = await bot.ask({});
    expectDurable(durability);
    const bare = bareInserts(join(folder, 'bare.db'), fullMs);
    const p99 = (all: readonly (readonly number[])[]) => quantile(all.flat(), 0.99);
    return {
      name: 'activity',
      // What goes through, beside the bare inserts.
      ratio: round(full / bare, 3),
      p99Ratio: round(p99(beside) / p99(alone), 3),
      p50Ratio: round(median(beside.flat()) / median(alone.flat()), 3),
      p99: { beside: round(p99(beside)), alone: round(p99(alone)) },
      p50: { beside: round(median(beside.flat())), alone: round(median(alone.flat())) },
      perSecond: round(median(rates), 0),
      fullPerSecond: round(full, 0),
      barePerSecond: round(bare, 0),
      rounds: alone.map((one, n) => ({
        alone: round(quantile(one, 0.99)),
        beside: round(quantile(beside[n] ?? [], 0.99)),
        perSecond: round(rates[n] ?? 0, 0),
      })),
      durability,
    };
  } finally {
    await bot.stop();
    await world.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

function withActivity(yaml: string): string {
  const own = yaml.replaceAll('policy: standard } }', 'policy: standard, activity: { source: bastion } } }');
  return `${own}activity:\n  bastion: { type: ingest, secret: "\${ACTIVITY_SECRET}" }\n`;
}

const holder = (n: number) => COMPANY.people - HOLDERS + n;
const login = (n: number) => `p${String(holder(n)).padStart(4, '0')}@example.com`;

/** Live grants, as Hallpass would have put them, for two hours. */
async function seedGrants(file: string): Promise<void> {
  const ids = randomIds();
  const store = await openStore({ url: `sqlite:${file}`, now: Date.now, hash: ids.hash, salt });
  const now = Date.now();
  for (let n = 0; n < HOLDERS; n++) {
    const id = String(n).padStart(5, '0');
    const resource = n % COMPANY.resources;
    const user = oktaId(holder(n));
    const membership = { directory: 'okta', groupId: groupId(resource), userId: user };
    const of: AccessRequest = {
      id: `R-${id}`,
      version: 1,
      state: 'approved',
      requester: `okta/${user}`,
      requesterName: `Person ${holder(n)}`,
      users: [{ directory: 'okta', userId: user, login: login(n) }],
      entitlement: `res-${resource}:read`,
      resource: `res-${resource}`,
      role: 'read',
      title: `res-${resource}`,
      groups: [{ directory: 'okta', groupId: groupId(resource), groupName: `group-${resource}` }],
      durationMs: 2 * HOUR,
      reason: 'to be measured',
      policyName: 'standard',
      policyHash: 'bench',
      approvalsNeeded: 1,
      digest: id,
      cardId: id,
      createdAt: now - HOUR,
      lapsesAt: now,
      decidedAt: now - HOUR,
      audiences: [],
    };
    const grant: Grant = {
      id: `G-${id}`,
      version: 1,
      requestId: of.id,
      state: 'active',
      holder: of.requester,
      holderName: of.requesterName,
      entitlement: of.entitlement,
      memberships: [membership],
      durationMs: 2 * HOUR,
      maxMs: 4 * HOUR,
      warnBeforeMs: 0,
      sessionTailMs: 0,
      approvedAt: now - HOUR,
      addBy: now,
      hardEndAt: now + 2 * HOUR,
      startsAt: now - HOUR,
      expiresAt: now + 2 * HOUR,
    };
    await store.commit({
      changes: [
        { put: 'request', row: of },
        { put: 'grant', row: grant },
      ],
    });
  }
  await store.close();
}

let sequence = 0;

/** Ordinary work: many holders, few tables, now and then somebody who holds nothing. */
function batch(): string {
  const at = Date.now();
  const activities = Array.from({ length: BATCH }, () => {
    sequence += 1;
    const n = sequence % HOLDERS;
    return {
      id: `pg-${sequence.toString(16).padStart(12, '0')}`,
      at,
      account: sequence % 10 === 0 ? `service-${n}` : login(n),
      action: sequence % 3 === 0 ? 'UPDATE' : 'SELECT',
      kind: sequence % 3 === 0 ? 'write' : 'read',
      resource: 'orders',
      target: `table_${sequence % 40}`,
      ip: `192.0.2.${n % 250}`,
      country: 'DE',
      amount: sequence % 900,
    };
  });
  return JSON.stringify({ activities });
}

const agent = new Agent({ keepAlive: true, maxSockets: 8 });

function post(port: number, body: string): Promise<void> {
  const at = String(Math.floor(Date.now() / SECOND));
  const headers = {
    [HEADERS.source]: 'bastion',
    [HEADERS.timestamp]: at,
    [HEADERS.signature]: signBody(SECRET, at, body),
    'content-length': Buffer.byteLength(body),
  };
  return new Promise((resolve, reject) => {
    const sent = request(
      { port, host: '127.0.0.1', path: '/api/v1/activity', method: 'POST', headers, agent },
      (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => {
          text += chunk;
        });
        response.on('end', () => {
          const answer =
            response.statusCode === 200 ? (JSON.parse(text) as { kept: number; unattributed: number }) : undefined;
          if (answer !== undefined && answer.kept + answer.unattributed === BATCH) resolve();
          else reject(new Error(`not kept: ${response.statusCode} ${text.slice(0, 200)}`));
        });
      },
    );
    sent.on('error', reject);
    sent.end(body);
  });
}

/** Batches at even times, whatever becomes of those before; how many activities a second were durable in the end. */
async function sendAtRate(port: number, ms: number): Promise<number> {
  const gap = (SECOND * BATCH) / ACTIVITIES_PER_SECOND;
  const startedAt = performance.now();
  const sent: Promise<void>[] = [];
  while (performance.now() - startedAt < ms) {
    sent.push(post(port, batch()));
    const waitMs = startedAt + sent.length * gap - performance.now();
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, waitMs)));
  }
  await Promise.all(sent);
  return (sent.length * BATCH * SECOND) / (performance.now() - startedAt);
}

/** As many as are taken, four batches under way. */
async function sendAll(port: number, ms: number): Promise<number> {
  const startedAt = performance.now();
  let sent = 0;
  await Promise.all(
    Array.from({ length: 4 }, async () => {
      while (performance.now() - startedAt < ms) {
        await post(port, batch());
        sent += BATCH;
      }
    }),
  );
  return (sent * SECOND) / (performance.now() - startedAt);
}

/** The same rows, hundred by hundred, each hundred durable, and nothing else. */
function bareInserts(file: string, ms: number): number {
  const db = new Database(file);
  try {
    db.pragma('journal_mode = wal');
    db.pragma('synchronous = full');
    db.exec(
      'create table activities (source text, uid text, grant_id text, at integer, content text, primary key (source, uid))',
    );
    const insert = db.prepare('insert into activities values (?, ?, ?, ?, ?)');
    const hundred = db.transaction((rows: readonly { id: string; at: number }[]) => {
      for (const row of rows) insert.run('bastion', row.id, 'G-00001', row.at, JSON.stringify(row));
    });
    const startedAt = performance.now();
    let kept = 0;
    while (performance.now() - startedAt < ms) {
      const { activities } = JSON.parse(batch()) as { activities: readonly { id: string; at: number }[] };
      for (let from = 0; from < activities.length; from += 100) hundred(activities.slice(from, from + 100));
      kept += activities.length;
    }
    return (kept * SECOND) / (performance.now() - startedAt);
  } finally {
    db.close();
  }
}
