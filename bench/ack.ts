/**
 * How fast a signed `/access request` is acknowledged, after it is durable and decided, beside a Bolt app that does
 * nothing but acknowledge. Each server is a fresh process in every round, Hallpass on a fresh database; the local
 * Slack and Okta that it works against run beside it, and their share of the machine counts against Hallpass.
 *
 * Every request is a new one: a person and a resource that were never asked for together. All are accepted, recorded,
 * and become messages that Hallpass owes; it works those off while it is measured, as fast as Slack's limits let it.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { SECRETS } from '../src/sandbox/world.ts';
import { type Child, startChild } from './child.ts';
import { type Company, configuration, requestBody } from './company.ts';
import { median, order, quantile, round, say } from './figures.ts';
import { type Answer, closedLoop, type Line, openLine, openLoop } from './load.ts';

const CONNECTIONS = 50;
const PER_SECOND = 200;
// Nobody may ask more than twenty times an hour.
const COMPANY: Company = { people: 1500, resources: 20 };

interface Measured {
  readonly rps: number;
  readonly p50: number;
  readonly p99: number;
  /** The server's CPU, in milliseconds for each request of the closed loop. */
  readonly cpuMs: number;
  readonly requests: number;
  /** Of those, acknowledged with "Checking…" and answered afterwards. */
  readonly later: number;
}

interface Lengths {
  readonly rounds: number;
  readonly closedMs: number;
  readonly openMs: number;
  readonly warm: number;
}

export async function ack(quick: boolean): Promise<object> {
  const lengths: Lengths = quick
    ? { rounds: 3, closedMs: 1_500, openMs: 2_500, warm: 500 }
    : { rounds: 5, closedMs: 3_000, openMs: 4_000, warm: 750 };
  const ours: Measured[] = [];
  const bare: Measured[] = [];
  let durability: unknown;
  for (let n = 0; n < lengths.rounds; n++) {
    for (const which of order(n, 'hallpass', 'bolt')) {
      if (which === 'bolt') bare.push(await ofBolt(lengths));
      else {
        const measured = await ofHallpass(lengths);
        ours.push(measured.measured);
        durability = measured.durability;
      }
      const last = (which === 'bolt' ? bare : ours).at(-1);
      say(`round ${n + 1} ${which.padEnd(8)} ${JSON.stringify(last)}`);
    }
  }
  const rps = (all: readonly Measured[]) => median(all.map((one) => one.rps));
  const p99 = (all: readonly Measured[]) => median(all.map((one) => one.p99));
  return {
    name: 'ack',
    ratio: round(rps(ours) / rps(bare), 3),
    p99Ratio: round(p99(ours) / p99(bare), 3),
    rounds: ours.map((one, n) => ({ hallpass: one, bolt: bare[n], ratio: round(one.rps / (bare[n]?.rps ?? 1), 3) })),
    rps: { hallpass: rps(ours), bolt: rps(bare) },
    p99: { hallpass: p99(ours), bolt: p99(bare) },
    durability,
    connections: CONNECTIONS,
    perSecond: PER_SECOND,
  };
}

async function ofBolt(lengths: Lengths): Promise<Measured> {
  const server = await startChild('bolt', {});
  try {
    const { measured, sent } = await measure(server, lengths, /^/);
    const { acks } = await server.ask({});
    if (acks !== sent) throw new Error(`the Bolt app acknowledged ${String(acks)} of ${sent}`);
    return measured;
  } finally {
    await server.stop();
  }
}

async function ofHallpass(lengths: Lengths): Promise<{ measured: Measured; durability: unknown }> {
  const folder = await mkdtemp(join(tmpdir(), 'hallpass-bench-'));
  const world = await startChild('world', { BENCH_COMPANY: JSON.stringify(COMPANY) });
  const config = join(folder, 'hallpass.yaml');
  await writeFile(config, configuration(COMPANY, String(world.ready.okta)));
  const profile = process.env.BENCH_PROFILE;
  const server = await startChild('hallpass', {
    HALLPASS_CONFIG: config,
    DATABASE_URL: `sqlite:${join(folder, 'hallpass.db')}`,
    PORT: '0',
    SLACK_BOT_TOKEN: SECRETS.botToken,
    SLACK_SIGNING_SECRET: SECRETS.signingSecret,
    SLACK_API_URL: String(world.ready.slack),
    OKTA_TOKEN: SECRETS.oktaToken,
    LOG_LEVEL: 'error',
    ...(profile === undefined ? {} : { BENCH_PROFILE: profile }),
  });
  try {
    const { measured, sent } = await measure(server, lengths, /R-[0-9A-Z]{4,6}|Checking/);
    const { durability } = await server.ask({});
    expectDurable(durability);
    const kept = count(join(folder, 'hallpass.db'));
    if (kept.deliveries !== sent || kept.requests !== sent)
      throw new Error(`${sent} acknowledged, but ${JSON.stringify(kept)} kept`);
    return { measured, durability };
  } finally {
    await server.stop();
    await world.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

async function measure(server: Child, lengths: Lengths, said: RegExp): Promise<{ measured: Measured; sent: number }> {
  const lines: Line[] = [];
  for (let n = 0; n < CONNECTIONS; n++) lines.push(await openLine(Number(server.ready.port)));
  let sent = 0;
  const next = (): string | undefined => {
    if (sent >= COMPANY.people * COMPANY.resources) return undefined;
    const body = requestBody(
      sent % COMPANY.people,
      Math.floor(sent / COMPANY.people),
      'https://hooks.slack.com/commands/T0BENCH/1/x',
    );
    sent += 1;
    return body;
  };
  try {
    // Everybody has asked for something before: look-ups are as warm as in an office at work.
    let warm = 0;
    expectAcknowledged(
      (await closedLoop(lines, () => (warm++ < lengths.warm ? next() : undefined), 60_000)).answers,
      said,
    );
    const before = cpuOf(await server.ask({}));
    const closed = await closedLoop(lines, next, lengths.closedMs);
    const after = cpuOf(await server.ask({}));
    const open = await openLoop(lines, next, PER_SECOND, lengths.openMs);
    expectAcknowledged(closed.answers, said);
    expectAcknowledged(open.answers, said);
    const answers = [...closed.answers, ...open.answers];
    return {
      sent,
      measured: {
        rps: round(closed.answers.length / (closed.elapsedMs / 1000), 0),
        p50: round(median(open.latencies)),
        p99: round(quantile(open.latencies, 0.99)),
        cpuMs: round((after - before) / 1000 / closed.answers.length, 3),
        requests: answers.length,
        later: answers.filter(({ body }) => body.includes('Checking')).length,
      },
    };
  } finally {
    for (const line of lines) line.close();
  }
}

function expectAcknowledged(answers: readonly Answer[], said: RegExp): void {
  const wrong = answers.find(({ status, body }) => status !== 200 || !said.test(body));
  if (wrong !== undefined) throw new Error(`not acknowledged: ${wrong.status} ${wrong.body.slice(0, 300)}`);
}

export function expectDurable(durability: unknown): void {
  const { journal_mode, synchronous } = durability as Record<string, string>;
  if (journal_mode !== 'wal' || synchronous !== '2') throw new Error(`not durable: ${JSON.stringify(durability)}`);
}

function count(file: string): { readonly deliveries: number; readonly requests: number } {
  const db = new Database(file, { readonly: true });
  try {
    const of = (table: string) => Number(db.prepare(`select count(*) from ${table}`).pluck().get());
    return { deliveries: of('deliveries'), requests: of('requests') };
  } finally {
    db.close();
  }
}

/** Microseconds. */
function cpuOf(answer: Record<string, unknown>): number {
  const { user, system } = answer.cpu as { user: number; system: number };
  return user + system;
}
