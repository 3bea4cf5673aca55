/** The local Slack, and the local Okta with a budget, a time that each call takes, and somebody else who spends from the budget. */
import { startOktaServer } from '../../src/sandbox/okta-server.ts';
import { startSlackServer } from '../../src/sandbox/slack-server.ts';
import { SECRETS } from '../../src/sandbox/world.ts';
import { type Company, groupId, oktaId, oktaSeed, slackSeed } from '../company.ts';

export interface OktaOptions {
  readonly company: Company;
  /** People of the company who are in a group each, the nth in the nth group over and over. */
  readonly members: number;
  readonly budget: { readonly limit: number; readonly windowMs: number };
  readonly serviceMs: number;
  /** Takes up to so much of each window, evenly, at a rate drawn anew for each; nobody when left out. */
  readonly rivalUpTo?: number;
}

const { company, members, budget, serviceMs, rivalUpTo } = JSON.parse(process.env.BENCH_OKTA ?? '{}') as OktaOptions;
const seed = oktaSeed(company);
const [engineering, ...groups] = seed.groups;
const okta = await startOktaServer({
  seed: {
    ...seed,
    groups: [
      ...(engineering === undefined ? [] : [engineering]),
      ...groups.map((group, n) => ({
        ...group,
        members: Array.from({ length: members }, (_, m) => m)
          .filter((m) => m % company.resources === n)
          .map(oktaId),
      })),
    ],
  },
  budget,
});
if (serviceMs > 0) okta.control({ do: 'fault', fault: { kind: 'latency', ms: serviceMs } });

const CREDENTIAL = `token ${SECRETS.oktaToken.slice(0, 4)}…`;
const RIVAL_EVERY_MS = 100;
let share = 0;
let drawnFor = 0;
let owed = 0;
if (rivalUpTo !== undefined)
  setInterval(() => {
    const window = okta.state().windows.at(-1);
    if (window === undefined) return;
    if (window.endsAt !== drawnFor) {
      drawnFor = window.endsAt;
      share = Math.random() * rivalUpTo;
      owed = 0;
    }
    owed += (share * budget.limit * RIVAL_EVERY_MS) / budget.windowMs;
    const calls = Math.floor(owed);
    owed -= calls;
    if (calls > 0) okta.control({ do: 'spend', credential: CREDENTIAL, calls });
  }, RIVAL_EVERY_MS);

process.on('message', () => {
  const { log, windows, counters } = okta.state();
  process.send?.({
    removals: log
      .filter(({ method, status }) => method === 'DELETE' && status === 204)
      .map(({ path, at }) => ({ user: path.split('/').at(-1), at })),
    windows,
    calls: counters.requests,
    byStatus: counters.byStatus,
    stillIn: Array.from({ length: members }, (_, n) => n).filter((n) =>
      okta.isMember(groupId(n % company.resources), oktaId(n)),
    ).length,
  });
});
process.once('disconnect', () => process.exit(0));
const slack = await startSlackServer({ seed: slackSeed(company) });
process.send?.({ url: okta.url, slack: slack.url });
