/** The local Slack and the local Okta, away from both what is measured and what measures. */
import { startOktaServer } from '../../src/sandbox/okta-server.ts';
import { startSlackServer } from '../../src/sandbox/slack-server.ts';
import { type Company, OKTA_BUDGET, oktaSeed, slackSeed } from '../company.ts';

const company = JSON.parse(process.env.BENCH_COMPANY ?? '{}') as Company;
const slack = await startSlackServer({ seed: slackSeed(company) });
const okta = await startOktaServer({ seed: oktaSeed(company), budget: OKTA_BUDGET });

process.on('message', () =>
  process.send?.({ posts: slack.state.messages.length, okta: okta.state().counters.requests, cpu: process.cpuUsage() }),
);
process.once('disconnect', () => process.exit(0));
process.send?.({ slack: slack.url, okta: okta.url });
