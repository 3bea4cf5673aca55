/** Slack, wired: deliveries to the desk, and the ways out. Nothing here decides anything. */
import { App } from '@slack/bolt';
import type { Answer } from '../../access/command.ts';
import type { AccountRef } from '../../access/model.ts';
import type {
  Accounts,
  Clock,
  Desk,
  Incoming,
  Messenger,
  Metrics,
  Questions,
  Replier,
  ReplyTo,
} from '../../access/ports.ts';
import { refusalText } from '../../access/words.ts';
import { createAccounts } from './accounts.ts';
import { createDistrust, type Distrust } from './distrust.ts';
import { createForms } from './form.ts';
import { createHomes } from './home.ts';
import { createIdentity, type Identity } from './identity.ts';
import { listenToForms } from './listen-forms.ts';
import { boltLogger, type Log, said } from './log.ts';
import { type ChannelCheck, createMessenger } from './messenger.ts';
import { DENY_BLOCK, type ParseContext, parseBlockActions, parseSlashCommand, parseViewSubmission } from './parse.ts';
import { createHttpReceiver, createSocketReceiver, type SlackHttpRoute } from './receiver.ts';
import { type Rendered, renderAnswer, renderNote, renderReasonModal } from './render.ts';
import { createWeb } from './web.ts';
import { within } from './within.ts';

export interface SlackOptions {
  readonly botToken: string;
  /** For HTTP. One of this and `appToken` must be given. */
  readonly signingSecret?: string;
  /** Given: Socket Mode, and no HTTP route. */
  readonly appToken?: string;
  /** Another Slack-compatible server, up to and including `/api/`; late answers may go to its origin too. */
  readonly apiUrl?: string;
  readonly approvalsChannel: string;
  readonly securityChannel?: string;
  /** Team ids whose people may use this; the token's own when left out. */
  readonly workspaces?: readonly string[];
  readonly desk: Desk;
  /** What the form and the home tab show; left out, there is neither. */
  readonly questions?: Questions;
  /** The real wall clock, for the age of signatures only. */
  readonly wallClock: () => number;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly logger: Log;
  /** How answers name the command when it is not known what was typed; `/access`. */
  readonly commandWord?: string;
  /** IANA zone for times in messages whose view gives none; UTC. */
  readonly zone?: () => string;
  /** For tests: how long a delivery may take to be durable, and an answer to come, before we say "Checking…". */
  readonly patience?: { readonly durableMs: number; readonly answerMs: number; readonly ackMs: number };
}

export interface SlackFacts {
  readonly mode: 'http' | 'socket';
  /** Slack has told who we are, and in Socket Mode the connection was made. */
  readonly ready: boolean;
  readonly team?: string;
  readonly teamName?: string;
  readonly botUserId?: string;
  readonly appId?: string;
  /** Why it is not ready. */
  readonly error?: string;
  /** What is wrong with the configured channels, as far as Slack was asked. */
  readonly problems: readonly string[];
}

export interface Slack {
  /** For the HTTP server; none in Socket Mode. */
  readonly routes: readonly SlackHttpRoute[];
  readonly messenger: Messenger;
  readonly replier: Replier;
  readonly accounts: Accounts;
  /** What these people see has changed: their home tabs are drawn again, where they were opened. Returns at once. */
  changed(accounts: readonly AccountRef[]): void;
  /** Asks Slack about a channel: member or not, and whether requests may be posted there. Throws `MessengerError`. */
  checkChannel(id: string): Promise<ChannelCheck>;
  /** Returns at once; Slack is asked who we are in the background, for as long as it takes. */
  start(): void;
  /** Takes no more deliveries over the socket, and waits for late answers under way, at most `deadlineMs`. */
  stop(deadlineMs: number): Promise<void>;
  facts(): SlackFacts;
  /** Resolves when Slack has told who we are. */
  readonly connected: Promise<Identity>;
}

/** Together under Slack's three seconds, with room for the way there and back. */
const PATIENCE = { durableMs: 2_500, answerMs: 1_500, ackMs: 2_900 } as const;
const SOCKET_RETRY_MS = 10_000;

const CHECKING = 'Checking… The answer follows in a moment.';
const NOT_RECORDED = 'Hallpass cannot record this right now. Nothing was done. Try again in a minute.';
const NOT_READ = 'Hallpass could not read this, so nothing was done. Try again, or type the command instead.';

type Ack = (answer?: unknown) => Promise<void>;

export function createSlack(options: SlackOptions): Slack {
  const { desk, clock, logger, metrics } = options;
  const patience = options.patience ?? PATIENCE;
  const commandWord = options.commandWord ?? '/access';
  const zone = options.zone ?? (() => 'UTC');
  const bolt = boltLogger(logger);
  const web = createWeb({
    botToken: options.botToken,
    clock,
    metrics,
    boltLogger: bolt,
    ...(options.apiUrl === undefined ? {} : { apiUrl: options.apiUrl }),
  });
  const identity = createIdentity(web, options.workspaces, logger);
  const replyOrigin = options.apiUrl === undefined ? undefined : new URL(options.apiUrl).origin;
  const out = createMessenger({
    web,
    clock,
    metrics,
    zone,
    commandWord,
    wallClock: options.wallClock,
    botUser: () => identity.found?.botUserId,
    ...(replyOrigin === undefined ? {} : { replyOrigin }),
  });
  const { questions } = options;
  const forms =
    questions &&
    createForms({
      web,
      questions,
      desk,
      clock,
      logger,
      zone,
      commandWord,
      patienceMs: patience.durableMs,
      tell: out.tell,
      say,
      later,
    });
  const homes = questions && createHomes({ web, questions, clock, logger, commandWord });
  const distrust = createDistrust(logger);
  const { receiver, route } = receiverFor(options, patience.ackMs, bolt, distrust);
  let socketError: string | undefined;
  let socketUp = options.appToken === undefined;
  let stopped = false;
  let problems: readonly string[] = [];
  let socketTimer: NodeJS.Timeout | undefined;
  const underWay = new Set<Promise<void>>();

  const app = new App({
    receiver,
    // Bolt gets no token: with one it asks `auth.test` again at every delivery, and only our own client needs it.
    authorize: async () => ({}),
    logger: bolt,
    convoStore: false,
    ignoreSelf: false,
    tokenVerificationEnabled: false,
    ...(options.appToken === undefined ? {} : { socketMode: true, appToken: options.appToken }),
  });
  app.error(async (error) => {
    metrics.count('hallpass_slack_listener_errors_total');
    logger.error({ error: said(error) }, 'a Slack delivery failed');
  });

  const pressedInForm = forms && homes && listenToForms({ app, forms, homes, parseContext, count, say, later });

  app.command(/.*/, async ({ body, ack, context }) => {
    const parsed = parseSlashCommand(body, parseContext(context));
    count('command', parsed.is === 'ignored' ? parsed.why : parsed.is);
    if (parsed.is === 'ignored') return ack(ephemeral(renderNote(NOT_READ)));
    if (parsed.is === 'refused')
      return ack(ephemeral(render({ say: 'refused', refusal: parsed.refusal }, parsed.commandWord)));
    if (parsed.is === 'command') await takeCommand(parsed.incoming, ack as Ack, parsed.commandWord ?? commandWord);
    if (parsed.is === 'open_form') {
      // Without waiting for Slack to open it: the acknowledgement has nothing to say.
      await ack();
      await forms?.open(parsed.triggerId, parsed.reply, {});
    }
  });

  app.action(/^hallpass:/, async ({ body, ack, context }) => {
    if ((await pressedInForm?.(body, ack as Ack, parseContext(context))) === true) return;
    const parsed = parseBlockActions(body, parseContext(context));
    count('button', parsed.is === 'ignored' ? parsed.why : parsed.is);
    if (parsed.is === 'ignored') return ack();
    if (parsed.is === 'command') return takeQuietly(parsed.incoming, ack as Ack);
    await ack();
    if (parsed.is === 'refused') return later(say(parsed.reply, { say: 'refused', refusal: parsed.refusal }));
    if (parsed.is === 'open_form') return;
    try {
      await web.call('views.open', {
        trigger_id: parsed.triggerId,
        view: renderReasonModal(parsed.about, parsed.card),
      });
    } catch (error) {
      logger.warn({ error: said(error), about: parsed.about }, 'the dialog did not open');
      const note = `Slack did not open the dialog, so nothing was done. Press the button again, or type it: ${commandWord} help shows how.`;
      later(out.tell(parsed.reply, renderNote(note)));
    }
  });

  app.view(/^hallpass:(?:deny|question|dismiss|explain)$/, async ({ body, ack, context }) => {
    const parsed = parseViewSubmission(body, parseContext(context));
    count('dialog', parsed.is === 'ignored' ? parsed.why : parsed.is);
    if (parsed.is === 'command') return takeQuietly(parsed.incoming, ack as Ack, inDialog);
    if (parsed.is === 'refused') {
      const { reason, next } = refusalText(parsed.refusal, zone(), commandWord);
      return ack(inDialog(`${reason} ${next}`) as never);
    }
    await ack();
  });

  /** A command is acknowledged with its answer when that comes soon enough, else with "Checking…". */
  async function takeCommand(incoming: Incoming, ack: Ack, word: string): Promise<void> {
    const startedAt = clock.monotonic();
    const taken = hand(incoming);
    const early = await within(taken, patience.durableMs);
    if (early === 'failed') return ack(ephemeral(renderNote(NOT_RECORDED)));
    if (early === 'late') {
      await ack(ephemeral(renderNote(CHECKING)));
      return later(sayWhenTaken(incoming.reply, taken));
    }
    // A delivery that was here before has been answered, or will be.
    if (!early.value.fresh) return ack();
    const answer = await within(early.value.answer, patience.answerMs - (clock.monotonic() - startedAt));
    if (answer !== 'late' && answer !== 'failed') return ack(ephemeral(render(answer.value, word)));
    await ack(ephemeral(renderNote(CHECKING)));
    later(early.value.answer.then((value) => say(incoming.reply, value)));
  }

  /** A button or a dialog is acknowledged once it is durable; its answer always follows on its own. */
  async function takeQuietly(incoming: Incoming, ack: Ack, failure?: (text: string) => object): Promise<void> {
    const taken = hand(incoming);
    const early = await within(taken, patience.durableMs);
    if (early === 'failed') {
      // A dialog stays open with the reason still in it, so that it can be sent again.
      if (failure !== undefined) return ack(failure(NOT_RECORDED));
      await ack();
      return later(out.tell(incoming.reply, renderNote(NOT_RECORDED)));
    }
    await ack();
    later(sayWhenTaken(incoming.reply, early === 'late' ? taken : Promise.resolve(early.value)));
  }

  /** A desk that throws at once has failed like one that rejects. */
  async function hand(incoming: Incoming): ReturnType<Desk['take']> {
    return desk.take(incoming);
  }

  async function sayWhenTaken(reply: ReplyTo, taken: ReturnType<Desk['take']>): Promise<void> {
    let durable: Awaited<typeof taken>;
    try {
      durable = await taken;
    } catch (error) {
      logger.error({ error: said(error) }, 'a Slack delivery could not be recorded');
      return out.tell(reply, renderNote(NOT_RECORDED));
    }
    if (durable.fresh) await say(reply, await durable.answer);
  }

  async function say(reply: ReplyTo, answer: Answer): Promise<void> {
    await out.replier.say(reply, answer);
    homes?.changed([reply.account]);
  }

  /** Goes on after the acknowledgement; a failure is logged, since nobody waits for it any more. */
  function later(work: Promise<void>): void {
    const done = work
      .catch((error: unknown) => {
        metrics.count('hallpass_slack_late_answers_lost_total');
        logger.warn({ error: said(error) }, 'a late answer could not be given');
      })
      .finally(() => underWay.delete(done));
    underWay.add(done);
  }

  function render(answer: Answer, word = commandWord): Rendered {
    return renderAnswer(answer, { now: clock.now(), zone: zone(), commandWord: word });
  }

  function count(kind: string, outcome: string): void {
    metrics.count('hallpass_slack_deliveries_total', { kind, outcome });
  }

  function parseContext(context: Record<string, unknown>): ParseContext {
    const key = context.deliveryKey;
    if (typeof key !== 'string') throw new Error('a delivery without a key');
    const { found } = identity;
    const workspaces = found?.workspaces ?? options.workspaces;
    return {
      key,
      ...(found?.appId === undefined ? {} : { appId: found.appId }),
      ...(workspaces === undefined || workspaces.length === 0 ? {} : { workspaces }),
      form: forms !== undefined,
    };
  }

  /** Said early, in the log and in `facts`, rather than at the first request that cannot be posted. */
  async function checkChannels(): Promise<void> {
    const ids = [options.approvalsChannel, options.securityChannel].filter((id) => id !== undefined);
    const found = await Promise.all([...new Set(ids)].map(problemOf));
    problems = found.filter((problem) => problem !== undefined);
    for (const problem of problems) logger.warn({ problem }, 'a Slack channel cannot be used');
  }

  async function problemOf(id: string): Promise<string | undefined> {
    try {
      const check = await out.checkChannel(id);
      if (check.unfit !== undefined) return `${id}: ${check.unfit}`;
      return check.isMember ? undefined : `${id}: invite the bot to it, since it may not post there otherwise`;
    } catch (error) {
      return `${id}: ${said(error)}`;
    }
  }

  async function connectSocket(): Promise<void> {
    try {
      await app.start();
      socketUp = true;
      socketError = undefined;
    } catch (error) {
      socketError = said(error);
      logger.warn({ error: socketError }, 'no Socket Mode connection to Slack');
      if (!stopped) socketTimer = setTimeout(() => void connectSocket(), SOCKET_RETRY_MS);
    }
  }

  return {
    routes: route === undefined ? [] : [route],
    messenger: out.messenger,
    replier: out.replier,
    accounts: createAccounts(web, () => identity.found),
    changed: (accounts) => homes?.changed(accounts),
    checkChannel: out.checkChannel,
    connected: identity.ready,
    start: () => {
      identity.start();
      void identity.ready.then(checkChannels);
      if (options.appToken !== undefined) void connectSocket();
    },
    stop: async (deadlineMs) => {
      stopped = true;
      identity.stop();
      clearTimeout(socketTimer);
      if (options.appToken !== undefined)
        await app
          .stop()
          .catch((error: unknown) => logger.warn({ error: said(error) }, 'the Slack socket did not close'));
      await within(Promise.allSettled([...underWay, homes?.stop()]), deadlineMs);
    },
    facts: () => {
      const { found } = identity;
      const error = identity.error ?? socketError;
      return {
        mode: options.appToken === undefined ? 'http' : 'socket',
        ready: found !== undefined && socketUp,
        ...(found === undefined ? {} : { team: found.team }),
        ...(found?.teamName === undefined ? {} : { teamName: found.teamName }),
        ...(found?.botUserId === undefined ? {} : { botUserId: found.botUserId }),
        ...(found?.appId === undefined ? {} : { appId: found.appId }),
        ...(error === undefined ? {} : { error }),
        problems: [...problems, distrust.problem()].filter((problem) => problem !== undefined),
      };
    },
  };
}

function receiverFor(
  options: SlackOptions,
  ackDeadlineMs: number,
  bolt: ReturnType<typeof boltLogger>,
  distrust: Distrust,
) {
  if (options.appToken !== undefined) {
    const { appToken, logger, apiUrl } = options;
    const slackApiUrl = apiUrl === undefined ? {} : { slackApiUrl: apiUrl };
    return { receiver: createSocketReceiver({ appToken, logger, boltLogger: bolt, ...slackApiUrl }), route: undefined };
  }
  if (options.signingSecret === undefined)
    throw new Error('Slack needs a signing secret (HTTP) or an app token (Socket Mode)');
  return createHttpReceiver({
    signingSecret: options.signingSecret,
    wallClock: options.wallClock,
    logger: options.logger,
    count: (outcome) => {
      options.metrics.count('hallpass_slack_http_total', { outcome });
      distrust.saw(outcome);
    },
    ackDeadlineMs,
  });
}

function ephemeral(rendered: Rendered) {
  return { response_type: 'ephemeral' as const, ...rendered };
}

function inDialog(text: string): object {
  return { response_action: 'errors', errors: { [DENY_BLOCK]: text } };
}
