/**
 * How late access ends: 100,000 live grants, of which 1,000 end within one second. Once at a directory without limits,
 * where only our own work counts, and once at one with Okta's: 600 calls a minute, 150 ms for each. There the baseline is
 * what an engine could do at best that knows the limits exactly.
 */
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SECRETS } from '../src/sandbox/world.ts';
import { expectDurable } from './ack.ts';
import { type Child, startChild } from './child.ts';
import { type Company, configuration } from './company.ts';
import { median, quantile, round, say } from './figures.ts';
import { type Ended, endedOf, letExpire, seedLiveGrants } from './live-grants.ts';
import { bestPossible } from './oracle.ts';
import type { OktaOptions } from './servers/okta.ts';

const EXPIRING = 1_000;
/** So that the proofs of a group are many, as in an incident or at the end of a shift. */
const GROUPS = 20;
const COMPANY: Company = { people: EXPIRING, resources: GROUPS };
const UNLIMITED = { budget: { limit: 1_000_000, windowMs: 60_000 }, serviceMs: 0 };
/** A workforce organisation whose token has the half of each bucket that Okta gives it. */
const LIKE_OKTA = { budget: { limit: 600, windowMs: 60_000 }, serviceMs: 150 };
/** Simultaneous calls that Okta allows its smallest organisations. */
const AT_ONCE = 35;
const AIM_MS = 25;
/** From the start of the process until the first one is due. */
const HEAD_START_MS = 20_000;
const WITHIN_MS = 10 * 60_000;

interface Window {
  readonly limit: number;
  readonly used: number;
  readonly opensAt: number;
  readonly endsAt: number;
}

interface Told {
  readonly removals: readonly { readonly user: string; readonly at: number }[];
  readonly windows: readonly Window[];
  readonly calls: number;
  readonly byStatus: Readonly<Record<string, number>>;
  readonly stillIn: number;
}

export async function expiry(quick: boolean): Promise<object> {
  const total = quick ? 20_000 : 100_000;
  const rounds = quick ? 1 : 3;
  const folder = await mkdtemp(join(tmpdir(), 'hallpass-bench-'));
  try {
    const seeded = join(folder, 'seeded.db');
    await seedLiveGrants(seeded, total, GROUPS);
    say(`${total} live grants`);
    const unlimited: ReturnType<typeof figures>[] = [];
    const limited: ReturnType<typeof beside>[] = [];
    for (let n = 0; n < rounds; n++) {
      unlimited.push(figures(await measure(folder, seeded, UNLIMITED)));
      say(`round ${n + 1} unlimited ${JSON.stringify(unlimited.at(-1))}`);
      limited.push(beside(await measure(folder, seeded, LIKE_OKTA)));
      say(`round ${n + 1} limited   ${JSON.stringify(limited.at(-1))}`);
    }
    const decidedP99 = median(unlimited.map((one) => one.decidedMs.p99));
    return {
      name: 'expiry',
      // Of acceptance under limits, beside the best possible.
      ratio: round(median(limited.map((one) => one.ratio)), 3),
      unlimited: { decidedP99Ms: decidedP99, aimMs: AIM_MS, ratio: round(decidedP99 / AIM_MS) },
      rounds: unlimited.map((one, n) => ({ unlimited: one, limited: limited[n] })),
      liveGrants: total,
      expiring: EXPIRING,
      groups: GROUPS,
      limits: LIKE_OKTA,
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

interface Measured {
  readonly ended: readonly Ended[];
  readonly told: Told;
  /** What the directory had told before the first one was due. */
  readonly before: Told;
  /** Cumulative counts by upper bound in seconds, of decisions that were kept. */
  readonly kept: ReadonlyMap<number, number>;
}

async function measure(
  folder: string,
  seeded: string,
  of: Pick<OktaOptions, 'budget' | 'serviceMs'>,
): Promise<Measured> {
  const file = join(folder, 'hallpass.db');
  for (const end of ['', '-wal', '-shm']) await rm(file + end, { force: true });
  await copyFile(seeded, file);
  const okta = await startChild('okta', {
    BENCH_OKTA: JSON.stringify({ company: COMPANY, members: EXPIRING, ...of } satisfies OktaOptions),
  });
  const config = join(folder, 'hallpass.yaml');
  await writeFile(config, configuration(COMPANY, String(okta.ready.url)));
  const from = Date.now() + HEAD_START_MS;
  letExpire(file, EXPIRING, from);
  const bot = await startChild('hallpass', {
    HALLPASS_CONFIG: config,
    DATABASE_URL: `sqlite:${file}`,
    PORT: '0',
    SLACK_BOT_TOKEN: SECRETS.botToken,
    SLACK_SIGNING_SECRET: SECRETS.signingSecret,
    SLACK_API_URL: String(okta.ready.slack),
    OKTA_TOKEN: SECRETS.oktaToken,
    LOG_LEVEL: 'fatal',
    ...(process.env.BENCH_PROFILE === undefined ? {} : { BENCH_PROFILE: process.env.BENCH_PROFILE }),
  });
  try {
    expectDurable((await bot.ask({})).durability);
    if (Date.now() > from - 1_000) throw new Error('it was ready only after the first grants were due');
    await pause(from - 500 - Date.now());
    const before = await askOkta(okta);
    const ended = await untilEnded(file);
    const told = await askOkta(okta);
    if (told.stillIn > 0) throw new Error(`${told.stillIn} are still members, and their grants are ended`);
    if (told.removals.length !== EXPIRING) throw new Error(`${told.removals.length} removals for ${EXPIRING} grants`);
    return { ended, told, before, kept: await keptOf(Number(bot.ready.port)) };
  } finally {
    await bot.stop();
    await okta.stop();
  }
}

async function untilEnded(file: string): Promise<readonly Ended[]> {
  for (const giveUpAt = Date.now() + WITHIN_MS; Date.now() < giveUpAt; await pause(1_000)) {
    const ended = endedOf(file, EXPIRING);
    if (ended.every(({ provenAt }) => provenAt !== undefined)) return ended;
  }
  throw new Error('not all grants ended');
}

async function askOkta(okta: Child): Promise<Told> {
  return (await okta.ask({})) as unknown as Told;
}

async function keptOf(port: number): Promise<ReadonlyMap<number, number>> {
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  const found = text.matchAll(/^hallpass_removal_step_seconds_bucket\{le="([^"]+)",step="decided"\} (\d+)$/gm);
  return new Map([...found].map(([, le, count]) => [Number(le), Number(count)]));
}

function lateness(ended: readonly Ended[], at: (one: Ended) => number | undefined) {
  const ms = ended.map((one) => (at(one) ?? Number.NaN) - one.dueAt);
  return { p50: median(ms), p99: quantile(ms, 0.99), max: Math.max(...ms) };
}

function figures({ ended, told, before, kept }: Measured) {
  const acceptedAt = new Map(told.removals.map(({ user, at }) => [user, at]));
  return {
    decidedMs: lateness(ended, (one) => one.decidedAt),
    acceptedMs: lateness(ended, (one) => acceptedAt.get(one.user)),
    provenMs: lateness(ended, (one) => one.provenAt),
    keptWithin: { [`${AIM_MS}ms`]: round((kept.get(AIM_MS / 1_000) ?? 0) / EXPIRING, 3) },
    /** One removal for each, and what the proofs took. */
    calls: told.calls - before.calls,
    status429: told.byStatus['429'] ?? 0,
  };
}

function beside(measured: Measured) {
  const { ended, told, before } = measured;
  const ours = figures(measured);
  const dueAt = ended.map((one) => one.dueAt).sort((a, b) => a - b);
  const open = before.windows.at(-1);
  const first = { left: open === undefined ? 0 : open.limit - open.used, endsAt: open?.endsAt ?? 0 };
  const best = bestPossible(dueAt, {
    limit: LIKE_OKTA.budget.limit,
    windowMs: LIKE_OKTA.budget.windowMs,
    first,
    serviceMs: LIKE_OKTA.serviceMs,
    atOnce: AT_ONCE,
  }).map((at, n) => at - (dueAt[n] ?? 0));
  const oracle = { p50: median(best), p99: quantile(best, 0.99), max: Math.max(...best) };
  return {
    ...ours,
    oracleMs: oracle,
    ratio: round(ours.acceptedMs.p99 / oracle.p99, 3),
    /** Aim: at most 250 ms beyond 1.05 times the best possible. */
    beyondAimMs: round(ours.acceptedMs.p99 - 1.05 * oracle.p99 - 250, 0),
    windows: told.windows.map(({ limit, used }) => `${used}/${limit}`),
  };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)));
}
