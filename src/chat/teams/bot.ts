/**
 * Teams, wired: verified activities to the desk, and the ways out. Nothing here decides anything, and nothing here knows
 * whose SDK carries it.
 */
import { createHash } from 'node:crypto';
import type { Answer } from '../../access/command.ts';
import type { AccountRef } from '../../access/model.ts';
import type {
  Accounts,
  Clock,
  Desk,
  Incoming,
  Messenger,
  Metrics,
  PlaceStore,
  Questions,
  Replier,
  ReplyTo,
} from '../../access/ports.ts';
import { createAccounts, readMember } from './accounts.ts';
import { type Activity, accountIn, isPersonal, mentionedIn, readActivity, tenantIn } from './activity.ts';
import { createCalls, said } from './calls.ts';
import type { Rendered } from './card.ts';
import { createForms } from './form.ts';
import type { Log } from './log.ts';
import { createMessenger } from './messenger.ts';
import { type Parsed, parseCardAction, parseMessage, parseTask, replyTo } from './parse.ts';
import { createPlaces } from './places.ts';
import { COMMAND_WORD, renderAnswer, renderNote } from './render.ts';
import { renderFormOffer } from './render-form.ts';
import { renderHome } from './render-home.ts';
import { isServiceUrl, Unauthenticated, type Wire } from './wire.ts';
import { within } from './within.ts';

export interface BotOptions {
  readonly wire: Wire;
  /** No credentials and only this machine: the sandbox. */
  readonly local: boolean;
  /** Tenants whose people may act. */
  readonly tenants: readonly string[];
  readonly approvalsChannel: string;
  readonly store: PlaceStore;
  readonly desk: Desk;
  readonly questions: Questions;
  /** The request with its buttons, for whoever may press them; changes nothing. */
  readonly look: (by: AccountRef, card: string) => Promise<Answer>;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly logger: Log;
  readonly zone: () => string;
  readonly callDeadlineMs?: number;
  readonly patience?: { readonly durableMs: number; readonly answerMs: number };
}

export interface TeamsReply {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface TeamsRoute {
  readonly method: 'POST';
  readonly path: '/api/messages';
  readonly maxBody: number;
  handle(request: {
    readonly headers: Readonly<Record<string, readonly string[] | undefined>>;
    readonly body: Buffer;
  }): Promise<TeamsReply>;
}

export interface Teams {
  readonly routes: readonly TeamsRoute[];
  readonly messenger: Messenger;
  readonly replier: Replier;
  readonly accounts: Accounts;
  /** Resolves once it is known whether Teams was heard of before. */
  start(): Promise<void>;
  /** Waits for late answers under way, at most `deadlineMs`. */
  stop(deadlineMs: number): Promise<void>;
  facts(): TeamsFacts;
}

export interface TeamsFacts {
  /** Something has come from Teams, so that it is known where to post. */
  readonly ready: boolean;
  readonly error?: string;
}

/** Activities are some kilobytes; with a card's inputs still far below this. */
const BODY_MAX = 256 * 1024;
/** Teams shows an error when an invoke takes longer than ten to fifteen seconds. */
const PATIENCE = { durableMs: 4_000, answerMs: 4_000 } as const;
const DELIVERIES_REMEMBERED = 5_000;
/** Nobody means more people than this in one command. */
const MENTIONS_MAX = 5;

const CHECKING = 'Checking… The answer follows in a moment.';
const NOT_RECORDED = 'Hallpass cannot record this right now. Nothing was done. Try again in a minute.';
const NOT_READ = 'Hallpass could not read this, so nothing was done. Type help to see what can be asked.';
const NOT_LOOKED_UP = 'Hallpass cannot look this up right now. Nothing was done. Try again in a minute.';
const WELCOME =
  'Hallpass gives temporary access and takes it away on time. Ask for it here, or mention @Hallpass in a channel.';
const SILENT = 'nothing has come from Teams yet: add the app to the team of the approvals channel';

export function createBot(options: BotOptions): Teams {
  const { wire, desk, questions, clock, metrics, logger, zone } = options;
  const patience = options.patience ?? PATIENCE;
  const calls = createCalls({
    wire,
    local: options.local,
    clock,
    metrics,
    ...(options.callDeadlineMs === undefined ? {} : { deadlineMs: options.callDeadlineMs }),
  });
  const places = createPlaces({ store: options.store, clock });
  const out = createMessenger({ calls, places, tenants: options.tenants, clock, zone });
  const forms = createForms({ questions, desk, zone, patience, sayLater });
  const underWay = new Set<Promise<void>>();
  const seen = new Set<string>();
  let heard = false;

  async function receive(headers: Readonly<Record<string, readonly string[] | undefined>>, body: Buffer) {
    const read = readActivity(parsed(body));
    if (read === undefined) return refuse(400, 'malformed');
    if (read.channelId !== 'msteams') return refuse(403, 'foreign_channel');
    const authorization = headers.authorization ?? [];
    if (authorization.length > 1) return refuse(401, 'unauthenticated');
    try {
      await wire.authenticate(authorization[0] ?? '', read);
    } catch (error) {
      if (!(error instanceof Unauthenticated)) throw error;
      logger.warn({ error: said(error) }, 'an activity that does not come from Teams was refused');
      return refuse(401, 'unauthenticated');
    }
    if (!isServiceUrl(read.serviceUrl, options.local)) return refuse(403, 'foreign_service');
    const tenant = tenantIn(read, options.tenants);
    if (tenant === undefined) return refuse(403, 'foreign_tenant');
    return dispatch(read, tenant);
  }

  async function dispatch(read: Activity, tenant: string): Promise<TeamsReply> {
    const by = accountIn(read, tenant);
    const fromPeople = read.type === 'message' || read.type === 'invoke';
    if (fromPeople && by === undefined) return refuse(403, 'nobody');
    await learn(read, tenant, by);
    if (read.type === 'installationUpdate') return installed(read, by);
    if (!fromPeople || by === undefined) return done(read.type, 'noted');
    if (read.id === undefined) return refuse(400, 'malformed');
    const key = `teams:${createHash('sha256')
      .update(JSON.stringify([tenant, read.conversation.id, read.type, read.id]))
      .digest('hex')}`;
    // What it says of being new holds for this process; across processes the inbox knows.
    if (seen.has(key)) return done(read.type, 'replayed');
    remember(key);
    try {
      return read.type === 'message' ? await message(read, by, key) : await invoke(read, by, key);
    } catch (error) {
      // Not carried out, so it may come again.
      seen.delete(key);
      throw error;
    }
  }

  async function message(read: Activity, by: AccountRef, key: string): Promise<TeamsReply> {
    const reply = replyTo(read, by);
    const asked = parseMessage(read, by, key, await objectIdsOf(read));
    count('message', asked.is);
    if (asked.is === 'command') {
      const taken = hand(asked.incoming);
      if ((await within(taken, patience.durableMs)) === 'failed') {
        seen.delete(key);
        later(out.tell(reply, renderNote(NOT_RECORDED)));
      } else sayLater(reply, taken);
      return { status: 200 };
    }
    later(immediate(asked, by).then((rendered) => out.tell(reply, rendered)));
    return { status: 200 };
  }

  /** Whoever Teams cannot name stays unknown, and then the command says so. */
  async function objectIdsOf(read: Activity): Promise<ReadonlyMap<string, string>> {
    const at = { serviceUrl: read.serviceUrl, conversation: read.conversation.id };
    const found = new Map<string, string>();
    for (const id of mentionedIn(read).slice(0, MENTIONS_MAX)) {
      const member = await calls.member(at, id).catch(() => undefined);
      const facts = readMember(member, options.tenants);
      if (facts?.user === id && !facts.facts.foreign) found.set(id, facts.facts.account.id);
    }
    return found;
  }

  async function invoke(read: Activity, by: AccountRef, key: string): Promise<TeamsReply> {
    const reply = replyTo(read, by);
    if (read.name === 'adaptiveCard/action') {
      const asked = parseCardAction(read, by, key);
      count('card', asked?.is ?? 'malformed');
      if (asked === undefined) return { status: 400 };
      return json(asCard(asked.is === 'command' ? await pressed(asked.incoming) : await immediate(asked, by)));
    }
    if (read.name !== 'task/fetch' && read.name !== 'task/submit') return done('invoke', 'unknown', 501);
    const asked = parseTask(read);
    count('dialog', asked.is);
    if (asked.is === 'ignored') return { status: 400 };
    if (asked.is === 'opened') return json(await forms.fetch(asked, by, key));
    if (asked.is === 'chosen')
      return json(asked.wish.resource === undefined ? await forms.choose(by) : await forms.ask(by, asked.wish, key));
    return json(await forms.sent(asked, by, reply, key));
  }

  /** What needs no record: said at once. */
  async function immediate(asked: Exclude<Parsed, { is: 'command' }>, by: AccountRef): Promise<Rendered> {
    const context = { now: clock.now(), zone: zone(), commandWord: COMMAND_WORD };
    try {
      switch (asked.is) {
        case 'refused':
          return renderAnswer({ say: 'refused', refusal: asked.refusal }, context);
        case 'look':
          return renderAnswer(await options.look(by, asked.card), context);
        case 'home':
          return renderHome(await questions.home(by), context);
        case 'offer_form':
          return renderFormOffer(context);
        case 'ignored':
          return renderNote(NOT_READ);
      }
    } catch (error) {
      logger.error({ error: said(error) }, 'a question from Teams could not be answered');
      return renderNote(NOT_LOOKED_UP);
    }
  }

  /** A button is answered with what came of it, when that comes soon enough. */
  async function pressed(incoming: Incoming): Promise<Rendered> {
    const taken = hand(incoming);
    const early = await within(taken, patience.durableMs);
    if (early === 'failed') return renderNote(NOT_RECORDED);
    // A delivery that was here before has been answered, or will be.
    if (early !== 'late' && !early.value.fresh) return renderNote(CHECKING);
    const answer = early === 'late' ? early : await within(early.value.answer, patience.answerMs);
    if (answer !== 'late' && answer !== 'failed')
      return renderAnswer(answer.value, { now: clock.now(), zone: zone(), commandWord: COMMAND_WORD });
    sayLater(incoming.reply, taken);
    return renderNote(CHECKING);
  }

  /** A desk that throws at once has failed like one that rejects. */
  async function hand(incoming: Incoming): ReturnType<Desk['take']> {
    return desk.take(incoming);
  }

  function sayLater(reply: ReplyTo, taken: ReturnType<Desk['take']>): void {
    const work = async () => {
      let durable: Awaited<typeof taken>;
      try {
        durable = await taken;
      } catch (error) {
        logger.error({ error: said(error) }, 'a Teams delivery could not be recorded');
        return out.tell(reply, renderNote(NOT_RECORDED));
      }
      if (durable.fresh) await out.replier.say(reply, await durable.answer);
    };
    later(work());
  }

  /** Goes on after the acknowledgement; a failure is logged, since nobody waits for it any more. */
  function later(work: Promise<void>): void {
    const ended = work
      .catch((error: unknown) => {
        metrics.count('hallpass_teams_late_answers_lost_total');
        logger.warn({ error: said(error) }, 'a late answer could not be given');
      })
      .finally(() => underWay.delete(ended));
    underWay.add(ended);
  }

  /** From a verified activity only: where Teams is, and where this person can be written to. */
  async function learn(read: Activity, tenant: string, by: AccountRef | undefined): Promise<void> {
    await places.learnTenant(tenant, read.serviceUrl);
    heard = true;
    if (by === undefined || read.from === undefined) return;
    const removed = read.type === 'installationUpdate' && read.action?.startsWith('remove') === true;
    await places.learnPerson(by, {
      serviceUrl: read.serviceUrl,
      user: read.from.id,
      ...(read.from.name === undefined ? {} : { name: read.from.name }),
      ...(isZone(read.localTimezone) ? { zone: read.localTimezone } : {}),
      ...(isPersonal(read) && !removed ? { personal: read.conversation.id } : {}),
      ...(removed ? {} : { seenIn: read.conversation.id }),
    });
  }

  async function installed(read: Activity, by: AccountRef | undefined): Promise<TeamsReply> {
    const { action = '' } = read;
    if (!isPersonal(read) || by === undefined) return done('installation', 'noted');
    if (action.startsWith('remove')) await places.closePerson(by);
    // An upgrade tells nobody anything new.
    else if (action === 'add') later(welcome(by));
    return done('installation', action.startsWith('remove') ? 'removed' : 'added');
  }

  async function welcome(by: AccountRef): Promise<void> {
    const home = await questions.home(by);
    await out.tell({ account: by }, renderHome(home, { commandWord: COMMAND_WORD, welcome: WELCOME }));
  }

  function remember(key: string): void {
    seen.add(key);
    const oldest = seen.size > DELIVERIES_REMEMBERED ? seen.keys().next() : undefined;
    if (oldest?.done === false) seen.delete(oldest.value);
  }

  function refuse(status: number, outcome: string): TeamsReply {
    return done('delivery', outcome, status);
  }

  function done(kind: string, outcome: string, status = 200): TeamsReply {
    count(KINDS.has(kind) ? kind : 'other', outcome);
    return { status };
  }

  function count(kind: string, outcome: string): void {
    metrics.count('hallpass_teams_deliveries_total', { kind, outcome });
  }

  return {
    routes: [
      {
        method: 'POST',
        path: '/api/messages',
        maxBody: BODY_MAX,
        handle: ({ headers, body }) => receive(headers, body),
      },
    ],
    messenger: out.messenger,
    replier: out.replier,
    accounts: createAccounts({
      calls,
      places,
      tenants: options.tenants,
      approvalsChannel: options.approvalsChannel,
      monotonic: clock.monotonic,
    }),
    async start() {
      for (const tenant of options.tenants) if ((await places.tenant(tenant)) !== undefined) heard = true;
    },
    stop: async (deadlineMs) => {
      await within(Promise.allSettled([...underWay]), deadlineMs);
    },
    facts: () => (heard ? { ready: true } : { ready: false, error: SILENT }),
  };
}

const KINDS = new Set(['message', 'invoke', 'installation', 'delivery', 'conversationUpdate']);

function parsed(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    return undefined;
  }
}

function json(body: unknown): TeamsReply {
  return { status: 200, headers: { 'content-type': 'application/json; charset=utf-8' }, body: JSON.stringify(body) };
}

/** Shown to the one person who pressed, in place of the card. */
function asCard(rendered: Rendered): unknown {
  return { statusCode: 200, type: 'application/vnd.microsoft.card.adaptive', value: rendered.card };
}

function isZone(zone: string | undefined): zone is string {
  if (zone === undefined || !/^[A-Za-z]/.test(zone)) return false;
  try {
    new Intl.DateTimeFormat('en', { timeZone: zone });
    return true;
  } catch {
    return false;
  }
}
