/**
 * A whole Hallpass in this process: the composition root over a real database, the local Slack and the local Okta, and
 * a clock moved by hand. People act only through signed requests to the real endpoint.
 */

import type { AuditEvent } from '../../src/access/model.ts';
import { verifyChain } from '../../src/audit/chain.ts';
import { type ProcessClock, systemClock } from '../../src/clock.ts';
import { type Loaded, loadConfig, type Settings } from '../../src/config.ts';
import { createLog } from '../../src/log.ts';
import { type Running, run } from '../../src/main.ts';
import { type OktaServer, type OktaServerOptions, startOktaServer } from '../../src/sandbox/okta-server.ts';
import { createPerson, type SlackPerson } from '../../src/sandbox/slack-people.ts';
import { button, dmsOf, ephemeralsOf, messagesIn, textOf } from '../../src/sandbox/slack-reading.ts';
import { type SlackServer, startSlackServer } from '../../src/sandbox/slack-server.ts';
import type { SlackMessage } from '../../src/sandbox/slack-state.ts';
import {
  APPROVALS,
  configuration,
  GROUPS,
  type Name,
  oktaSeed,
  PEOPLE,
  SECRETS,
  SECURITY,
  slackSeed,
} from '../../src/sandbox/world.ts';
import { freshDatabase, type TestDatabase } from './databases.ts';
import { sha256 } from './open-store.ts';

export { APPROVALS, GROUPS, PEOPLE, SECURITY };

export interface Journey {
  readonly slack: SlackServer;
  readonly okta: OktaServer;
  readonly settings: Settings;
  /** The bot as it runs now; another one after `restart` or `crash`. */
  readonly bot: Running;
  person(name: Name): SlackPerson;
  /** A person who is not one of the sandbox's, by Slack user id. */
  account(userId: string): SlackPerson;
  /** Lets time pass, on both of the bot's clocks, and lets it look again. */
  moveClock(ms: number): Promise<void>;
  /** The same in small steps, each worked off before the next: for what needs several looks, such as a proof. */
  pass(ms: number, stepMs?: number): Promise<void>;
  /** This machine's wall clock is set on or back; a database's is not. */
  stepClock(ms: number): Promise<void>;
  now(): number;
  /** Stops the bot in order and starts another one on the same database, with this `hallpass.yaml` from now on. */
  restart(change?: { readonly config?: (yaml: string) => string }): Promise<void>;
  /** The file is written anew and read again; whether it was taken. */
  reload(config: (yaml: string) => string): Promise<boolean>;
  /**
   * The bot is gone between two instructions: nothing under way is finished, said or committed any more. Calls that
   * were sent may still take effect. Another bot starts on the same database.
   */
  crash(): Promise<void>;
  /** What `/readyz` says. */
  ready(): Promise<{
    readonly status: string;
    readonly degraded: readonly { readonly what: string; readonly why: string }[];
    readonly removalsOutstanding: number;
  }>;
  /** Whether the person is in the group, by the directory's own word. */
  isMember(name: Name, group: keyof typeof GROUPS): boolean;
  /** Asks, and returns the request's id and its approval message. */
  ask(name: Name, text: string): Promise<{ readonly id: string; readonly card: SlackMessage }>;
  /** Presses Approve and waits until the requester is told that it is added and checked. */
  approve(name: Name, card: SlackMessage, requester: Name): Promise<SlackMessage>;
  /** The newest direct message to the person that says this. */
  told(name: Name, words: RegExp, timeoutMs?: number): Promise<SlackMessage>;
  /** The newest message in a channel that says this. */
  posted(channel: string, words: RegExp, timeoutMs?: number): Promise<SlackMessage>;
  /** Resolves when no job is under way or due. */
  idle(): Promise<void>;
  /** The events of one request, oldest first. */
  story(id: string): Promise<readonly AuditEvent[]>;
  /** Verifies the whole chain and stops everything. Fails when a link does not hold. */
  end(): Promise<void>;
}

export interface JourneyOptions {
  /** Changes the sandbox's `hallpass.yaml`. */
  readonly config?: (yaml: string) => string;
  readonly env?: Readonly<Record<string, string>>;
  readonly okta?: Omit<OktaServerOptions, 'seed'> & {
    readonly seed?: (seed: ReturnType<typeof oktaSeed>) => OktaServerOptions['seed'];
  };
  readonly slackSeed?: (seed: ReturnType<typeof slackSeed>) => Parameters<typeof startSlackServer>[0]['seed'];
  readonly logLevel?: string;
  /** In place of a fresh one. */
  readonly database?: TestDatabase;
  /** The longest that a call to Okta may take; 8 s by default. */
  readonly callDeadlineMs?: number;
}

export const DIALECTS = ['sqlite', 'postgres'] as const;

/**
 * For journeys in which no two writers meet: the contract of the stores shows that both databases answer alike. With
 * HALLPASS_TEST_EVERYTHING set these run on both all the same.
 */
export const EITHER: readonly (typeof DIALECTS)[number][] =
  process.env.HALLPASS_TEST_EVERYTHING === undefined ? ['sqlite'] : DIALECTS;
const WAIT_MS = 6_000;

export async function startJourney(dialect: (typeof DIALECTS)[number], options: JourneyOptions = {}): Promise<Journey> {
  const database = options.database ?? (await freshDatabase(dialect));
  const slack = await startSlackServer({ seed: options.slackSeed?.(slackSeed()) ?? slackSeed() });
  const { seed, ...oktaOptions } = options.okta ?? {};
  const okta = await startOktaServer({ ...oktaOptions, seed: seed?.(oktaSeed()) ?? oktaSeed() });
  const yaml = configuration(okta.url);
  const read = (config: ((yaml: string) => string) | undefined): Loaded =>
    loadConfig({
      env: {
        DATABASE_URL: database.url,
        PORT: '0',
        SLACK_BOT_TOKEN: SECRETS.botToken,
        SLACK_SIGNING_SECRET: SECRETS.signingSecret,
        SLACK_API_URL: slack.url,
        OKTA_TOKEN: SECRETS.oktaToken,
        ...options.env,
      },
      readFile: () => config?.(yaml) ?? yaml,
      unverifiedTeams: true,
    });
  const settingsOf = (config: ((yaml: string) => string) | undefined): Settings => {
    const loaded = read(config);
    if (!loaded.ok) throw new Error(`the journey's configuration is refused: ${JSON.stringify(loaded.problems)}`);
    return loaded.settings;
  };
  let settings = settingsOf(options.config);
  /** What a reload reads. */
  let written = options.config;
  let set = 0;
  let passed = 0;
  const machine = systemClock(0, { wall: () => Date.now() + set, monotonic: () => performance.now() });
  const clock: ProcessClock = {
    now: () => machine.now() + passed,
    monotonic: () => machine.monotonic() + passed,
    // A database has its own clock, which does not know of the time that the test lets pass.
    get shiftMs() {
      return passed;
    },
    get onStepBack() {
      return machine.onStepBack;
    },
    set onStepBack(told) {
      machine.onStepBack = told;
    },
  };
  const log = createLog(options.logLevel ?? 'silent');
  const { callDeadlineMs } = options;
  const start = async () => {
    const started = await run({
      settings,
      load: () => read(written),
      clock,
      log,
      host: '127.0.0.1',
      unverifiedTeams: true,
      ...(callDeadlineMs === undefined ? {} : { callDeadlineMs }),
    });
    await started.slack?.connected;
    return started;
  };
  let bot = await start();
  /** What is left of bots that crashed. */
  const remains: Promise<unknown>[] = [];
  const moveClock = async (ms: number) => {
    passed += ms;
    await bot.sweep.sweep();
  };

  const account = (userId: string) =>
    createPerson(slack, { signingSecret: SECRETS.signingSecret, botUrl: `http://127.0.0.1:${bot.port}`, userId });
  const told: Journey['told'] = (name, words, timeoutMs = WAIT_MS) =>
    slack.waitFor(
      (state) => dmsOf(state, PEOPLE[name].slack).findLast((message) => words.test(textOf(message))),
      timeoutMs,
      `${words} said to ${name}`,
    );

  return {
    slack,
    okta,
    get settings() {
      return settings;
    },
    get bot() {
      return bot;
    },
    account,
    person: (name) => account(PEOPLE[name].slack),
    now: clock.now,
    moveClock,
    async pass(ms, stepMs = 4_000) {
      for (let left = ms; left > 0; left -= stepMs) {
        await moveClock(Math.min(left, stepMs));
        await bot.loop.idle();
      }
    },
    async stepClock(ms) {
      set += ms;
      await bot.sweep.sweep();
    },
    async restart(change) {
      await bot.stop();
      if (change?.config !== undefined) {
        settings = settingsOf(change.config);
        written = change.config;
      }
      bot = await start();
    },
    async reload(config) {
      written = config;
      return await bot.reload();
    },
    async crash() {
      const gone = bot;
      // Without its database, whatever the dead bot still learns cannot be written down.
      void gone.loop.stop(0);
      await gone.store.close();
      remains.push(gone.stop().catch(() => undefined));
      bot = await start();
    },
    async ready() {
      const response = await fetch(`http://127.0.0.1:${bot.port}/readyz`);
      return (await response.json()) as Awaited<ReturnType<Journey['ready']>>;
    },
    isMember: (name, group) => okta.isMember(GROUPS[group], PEOPLE[name].okta),
    async ask(name, text) {
      const user = PEOPLE[name].slack;
      const before = ephemeralsOf(slack.state, user).length;
      const reply = await account(user).slash(`request ${text}`);
      const first = textOf(await reply.said(WAIT_MS));
      // On a busy machine the answer comes after the note that it is being looked into.
      const said = first.startsWith('Checking')
        ? await slack.waitFor(
            (state) =>
              ephemeralsOf(state, user)
                .slice(before)
                .map(textOf)
                .find((one) => !one.startsWith('Checking')),
            WAIT_MS,
            'the answer to a request',
          )
        : first;
      const id = /R-[0-9A-Z]{4,6}/.exec(said)?.[0];
      if (id === undefined) throw new Error(`no request came of it: ${said}`);
      const card = await slack.waitFor(
        (state) =>
          messagesIn(state, APPROVALS).find(
            (message) => textOf(message).includes(id) && button(message, 'approve') !== undefined,
          ),
        WAIT_MS,
        `the approval message of ${id}`,
      );
      // A clock that is moved while a message is being posted takes its lease away, and it is posted twice.
      await bot.loop.idle();
      return { id, card };
    },
    async approve(name, card, requester) {
      const id = /R-[0-9A-Z]{4,6}/.exec(textOf(card))?.[0] ?? '';
      await account(PEOPLE[name].slack).press(card, 'approve');
      const added = await slack.waitFor(
        (state) =>
          dmsOf(state, PEOPLE[requester].slack).findLast(
            (message) => textOf(message).includes(id) && /Added to .*\(checked\)/.test(textOf(message)),
          ),
        WAIT_MS,
        `${id} to be added and checked`,
      );
      await bot.loop.idle();
      return added;
    },
    told,
    posted: (channel, words, timeoutMs = WAIT_MS) =>
      slack.waitFor(
        (state) => messagesIn(state, channel).findLast((message) => words.test(textOf(message))),
        timeoutMs,
        `${words} posted in ${channel}`,
      ),
    idle: () => bot.loop.idle(),
    story: (id) => bot.store.story(id),
    async end() {
      try {
        const links = await bot.store.chain(0, 100_000);
        const bad = verifyChain(links, sha256);
        if (bad !== undefined) throw new Error(`the audit chain is broken at event ${bad}`);
      } finally {
        await bot.stop();
        await slack.close();
        await okta.close();
        await Promise.all(remains);
        await database.drop();
      }
    },
  };
}
