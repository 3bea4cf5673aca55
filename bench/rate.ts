/**
 * How much of a budget is used when there is more to do than it allows: removals through the Okta adapter as workers send
 * them, asking for room first. Once alone, once beside another program that takes up to half of every window, at a rate
 * that nobody tells us. The baseline is what the windows permitted.
 */

import { DirectoryError } from '../src/access/ports.ts';
import { systemClock } from '../src/clock.ts';
import { createOkta } from '../src/directories/okta.ts';
import { SECRETS } from '../src/sandbox/world.ts';
import { startChild } from './child.ts';
import { type Company, groupId, oktaId } from './company.ts';
import { median, round, say } from './figures.ts';
import type { OktaOptions } from './servers/okta.ts';

const COMPANY: Company = { people: 50, resources: 4 };
const SERVICE_MS = 150;
const SLOTS = 30;
const TURN_MS = 20;

interface Window {
  readonly limit: number;
  readonly used: number;
  readonly spent: number;
  readonly endsAt: number;
}

export async function rate(quick: boolean): Promise<object> {
  const budget = quick ? { limit: 100, windowMs: 10_000 } : { limit: 600, windowMs: 60_000 };
  const windows = quick ? 3 : 5;
  const alone = await measure(budget, windows);
  say(`alone        ${JSON.stringify(alone)}`);
  const beside = await measure(budget, windows, 0.5);
  say(`beside rival ${JSON.stringify(beside)}`);
  return {
    name: 'rate',
    ratio: alone.use,
    besideRival: beside.use,
    status429: { alone: alone.status429, besideRival: beside.status429 },
    rounds: [{ alone, besideRival: beside }],
    budget,
    serviceMs: SERVICE_MS,
  };
}

async function measure(budget: OktaOptions['budget'], many: number, rivalUpTo?: number) {
  const okta = await startChild('okta', {
    BENCH_OKTA: JSON.stringify({
      company: COMPANY,
      members: 0,
      budget,
      serviceMs: SERVICE_MS,
      ...(rivalUpTo === undefined ? {} : { rivalUpTo }),
    } satisfies OktaOptions),
  });
  const directory = createOkta({
    name: 'okta',
    section: { type: 'okta', url: String(okta.ready.url), auth: { token: SECRETS.oktaToken } },
    clock: systemClock(),
    metrics: { count: () => undefined, observe: () => undefined },
    jitter: Math.random,
  });
  const until = Date.now() + (many + 0.5) * budget.windowMs;
  let sent = 0;
  const work = async () => {
    while (Date.now() < until) {
      const { calls, inMs } = directory.room?.('removal') ?? { calls: 0, inMs: 0 };
      if (calls < 1) {
        await pause(Math.min(Math.max(inMs, TURN_MS), until - Date.now()));
        continue;
      }
      try {
        await directory.remove(groupId(sent % COMPANY.resources), oktaId(sent % COMPANY.people));
        sent += 1;
      } catch (error) {
        if (!(error instanceof DirectoryError)) throw error;
        await pause(error.retryAfterMs ?? 0);
      }
    }
  };
  try {
    await Promise.all(Array.from({ length: SLOTS }, work));
    const told = await okta.ask({});
    const all = told.windows as readonly Window[];
    // Those that are over; the last one was still being used.
    const whole = all.slice(0, many);
    const use = whole.map(({ limit, used, spent }) => (used - spent) / (limit - spent));
    // Time between two windows is time in which nothing was sent that might have been.
    const gapMs = all.slice(1, many).map((one, n) => one.endsAt - budget.windowMs - (all[n]?.endsAt ?? 0));
    return {
      use: round(
        whole.reduce((n, one) => n + one.used - one.spent, 0) / whole.reduce((n, one) => n + one.limit - one.spent, 0),
        3,
      ),
      windows: whole.map(({ limit, used, spent }, n) => ({
        limit,
        ours: used - spent,
        theirs: spent,
        use: round(use[n] ?? 0, 3),
      })),
      /** From the end of a window to the first call of the next, rounded up to the second that windows end on. */
      gapMs: median(gapMs),
      status429: Number((told.byStatus as Record<string, number>)['429'] ?? 0),
      sent,
    };
  } finally {
    await okta.stop();
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)));
}
