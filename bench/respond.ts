/**
 * How long people wait: from a command to the approval message in its channel, and from the click on Approve to the
 * membership in the directory, against the local Slack and Okta. Beside it the very calls that Hallpass made to them
 * in that time, read before the write included, played one after the other by a process that does nothing else.
 *
 * People come one at a time, a second apart, as the limits of a Slack channel have it.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type OktaServer, startOktaServer } from '../src/sandbox/okta-server.ts';
import { button, messagesIn } from '../src/sandbox/slack-reading.ts';
import { type SlackServer, startSlackServer } from '../src/sandbox/slack-server.ts';
import { SECRETS } from '../src/sandbox/world.ts';
import { expectDurable } from './ack.ts';
import { type Child, startChild } from './child.ts';
import {
  approveBody,
  type Company,
  channelId,
  configuration,
  groupId,
  OKTA_BUDGET,
  oktaId,
  oktaSeed,
  requestBody,
  slackId,
  slackSeed,
} from './company.ts';
import { median, quantile, round, say } from './figures.ts';
import { type Line, openLine } from './load.ts';
import type { Call } from './servers/caller.ts';

const COMPANY: Company = { people: 60, resources: 150 };
const APPROVER = 0;
/** Takes part in nothing else: whom the baseline adds to groups. */
const STAND_IN = 59;
const GAP_MS = 1_000;
const WITHIN_MS = 10_000;
const WARM = 4;

interface Pair {
  readonly ours: number;
  readonly alone: number;
  readonly calls: number;
}

interface World {
  readonly slack: SlackServer;
  readonly okta: OktaServer;
  readonly line: Line;
  readonly caller: Child;
}

export async function respond(quick: boolean): Promise<object> {
  const { rounds, each } = quick ? { rounds: 3, each: 6 } : { rounds: 5, each: 12 };
  const folder = await mkdtemp(join(tmpdir(), 'hallpass-bench-'));
  const slack = await startSlackServer({ seed: slackSeed(COMPANY) });
  const okta = await startOktaServer({ seed: oktaSeed(COMPANY), budget: OKTA_BUDGET });
  const config = join(folder, 'hallpass.yaml');
  await writeFile(config, configuration(COMPANY, okta.url));
  const caller = await startChild('caller', {});
  const bot = await startChild('hallpass', {
    HALLPASS_CONFIG: config,
    DATABASE_URL: `sqlite:${join(folder, 'hallpass.db')}`,
    PORT: '0',
    SLACK_BOT_TOKEN: SECRETS.botToken,
    SLACK_SIGNING_SECRET: SECRETS.signingSecret,
    SLACK_API_URL: slack.url,
    OKTA_TOKEN: SECRETS.oktaToken,
    LOG_LEVEL: 'error',
  });
  const line = await openLine(Number(bot.ready.port));
  const world = { slack, okta, line, caller };
  try {
    let at = 0;
    const next = () => journey(world, 2 + (at % (COMPANY.people - 4)), at++);
    for (let n = 0; n < WARM; n++) await next();
    const all: { post: Pair[]; add: Pair[] }[] = [];
    for (let n = 0; n < rounds; n++) {
      const of = { post: [] as Pair[], add: [] as Pair[] };
      for (let i = 0; i < each; i++) {
        const { post, add } = await next();
        of.post.push(post);
        of.add.push(add);
      }
      all.push(of);
      say(`round ${n + 1} ${JSON.stringify(figures(of.post))} ${JSON.stringify(figures(of.add))}`);
    }
    const { durability } = await bot.ask({});
    expectDurable(durability);
    const post = figures(all.flatMap((one) => one.post));
    const add = figures(all.flatMap((one) => one.add));
    return {
      name: 'respond',
      // The worse of the two.
      ratio: Math.max(post.ratio, add.ratio),
      p99Ratio: Math.max(post.p99Ratio, add.p99Ratio),
      rounds: all.map((one) => ({ commandToPost: figures(one.post), clickToMember: figures(one.add) })),
      commandToPost: post,
      clickToMember: add,
      durability,
    };
  } finally {
    line.close();
    await bot.stop();
    await caller.stop();
    await slack.close();
    await okta.close();
    await rm(folder, { recursive: true, force: true });
  }
}

function figures(pairs: readonly Pair[]) {
  const ours = pairs.map((one) => one.ours);
  const alone = pairs.map((one) => one.alone);
  return {
    p50: round(median(ours)),
    p99: round(quantile(ours, 0.99)),
    aloneP50: round(median(alone)),
    aloneP99: round(quantile(alone, 0.99)),
    ratio: round(median(ours) / median(alone)),
    p99Ratio: round(quantile(ours, 0.99) / quantile(alone, 0.99)),
    calls: median(pairs.map((one) => one.calls)),
  };
}

/** One person asks, is approved and added; after each step its calls are played alone. */
async function journey(world: World, person: number, resource: number): Promise<{ post: Pair; add: Pair }> {
  const { slack, okta, line } = world;
  const channel = channelId(resource);
  const post = await beside(world, channel, person, async () => {
    const sent = line.send(requestBody(person, resource, await responseUrl(slack, person)));
    await slack.waitFor((state) => messagesIn(state, channel)[0], WITHIN_MS);
    const postedAt = performance.now();
    await sent;
    return postedAt;
  });
  const message = messagesIn(slack.state, channel)[0];
  const approve = message === undefined ? undefined : button(message, 'approve');
  if (message === undefined || approve?.value === undefined) throw new Error('there is no button to press');
  const pressed = { value: approve.value, action: approve.action_id };
  const add = await beside(world, channel, person, async () => {
    const sent = line.send(approveBody(APPROVER, message, pressed, await responseUrl(slack, APPROVER)));
    // The local Okta tells nobody of a change; looked at each millisecond, it is seen half of one late.
    for (const giveUpAt = performance.now() + WITHIN_MS; !okta.isMember(groupId(resource), oktaId(person)); ) {
      if (performance.now() > giveUpAt) throw new Error('nobody was added');
      await pause(1);
    }
    const addedAt = performance.now();
    await sent;
    return addedAt;
  });
  await pause(GAP_MS);
  return { post, add };
}

async function beside(world: World, channel: string, person: number, step: () => Promise<number>): Promise<Pair> {
  const { slack, okta, caller } = world;
  const [slackFrom, oktaFrom] = [slack.state.requests.length, okta.state().log.length];
  const startedAt = performance.now();
  const ours = (await step()) - startedAt;
  const calls = [
    ...okta
      .state()
      .log.slice(oktaFrom)
      .slice(0, OKTA_CALLS_MOST)
      .map(({ method, path }) => oktaCall(okta, method, path.replace(oktaId(person), oktaId(STAND_IN)))),
    ...slack.state.requests
      .slice(slackFrom)
      .filter(({ method, args }) => args.channel === channel || method.startsWith('users.'))
      .filter(({ method }) => method !== 'chat.update')
      .map(({ method, args }) => slackCall(slack, method, args)),
  ];
  // Whatever else it still has to say about this is not to run beside the baseline.
  await pause(GAP_MS / 4);
  const { ms } = await caller.ask({ calls });
  return { ours, alone: Number(ms), calls: calls.length };
}

/** The read before the write, and the write; what follows it proves the addition and nobody waits for it. */
const OKTA_CALLS_MOST = 2;

function oktaCall(okta: OktaServer, method: string, path: string): Call {
  return { method, url: new URL(path, okta.url).href, headers: { authorization: `SSWS ${SECRETS.oktaToken}` } };
}

function slackCall(slack: SlackServer, method: string, args: Readonly<Record<string, unknown>>): Call {
  const form = new URLSearchParams(
    Object.entries(args).map(([key, value]): [string, string] => [
      key,
      typeof value === 'string' ? value : JSON.stringify(value),
    ]),
  );
  return {
    method: 'POST',
    url: new URL(method, slack.url).href,
    headers: {
      authorization: `Bearer ${SECRETS.botToken}`,
      'content-type': 'application/x-www-form-urlencoded',
    },
    body: form.toString(),
  };
}

async function responseUrl(slack: SlackServer, person: number): Promise<string> {
  const made = await slack.control({ do: 'interaction', user: slackId(person) });
  return String(made.response_url);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
