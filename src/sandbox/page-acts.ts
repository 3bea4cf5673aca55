/** What the page may do: as a person, through signed requests to the bot; or to the world around it. */
import { setTimeout as wait } from 'node:timers/promises';
import { FORM_SHORTCUT } from '../chat/slack/parse-form.ts';
import { gesture } from './page-hand.ts';
import type { PageNote } from './page-parts.ts';
import { blocksOf, elementsIn } from './slack-reading.ts';
import type { Fields, SlackEphemeral, SlackMessage, SlackView } from './slack-state.ts';
import { DIGEST_HOUR, type Name, PEOPLE, type World } from './world.ts';

export interface Stage {
  readonly world: World;
  readonly switches: {
    okta: 'up' | 'down';
    google: 'up' | 'down';
    slack: 'up' | 'down';
    botChanging: boolean;
    clock: Promise<unknown>;
  };
  note(note: Pick<PageNote, 'as' | 'conversation' | 'kind' | 'text'>): void;
  /** Something may have changed that no event tells of. */
  changed(): void;
}

export type Done = Fields & { readonly ok: boolean };

/** Says to the page what it did wrong; a person never sees one. */
export class BadAct extends Error {}

const TEXT_MOST = 4_000;
const DAY_MS = 86_400_000;
const QUIET_MS = 300;
const QUIET_MOST_MS = 3_000;
const CLOCK_MOST_MS = 400 * DAY_MS;
/** Slack's own word for it, since that is what people will read in the real one. */
const NO_ANSWER = 'Slack got no answer from Hallpass in time (operation_timeout).';
const UNREACHABLE =
  'Slack could not reach Hallpass (dispatch_failed): the bot is not running. Start it again, and try once more.';
const SLACK_IS_DOWN = 'Slack is down: nothing gets through. Bring it back, and try once more.';

export async function act(stage: Stage, order: Fields): Promise<Done> {
  switch (order.do) {
    case 'clock': {
      // One after the other: pressed twice, it moves twice.
      const moved = stage.switches.clock.then(() => moveClock(stage, order.ms));
      stage.switches.clock = moved.catch(() => undefined);
      return await moved;
    }
    case 'bot':
      return await runBot(stage, order.run === true);
    case 'okta':
    case 'google':
      stage.switches[order.do] = order.down === true ? 'down' : 'up';
      stage.world[order.do].control(order.down === true ? { do: 'fault', fault: { kind: 'down' } } : { do: 'clear' });
      stage.changed();
      return { ok: true };
    case 'slack':
      stage.switches.slack = order.down === true ? 'down' : 'up';
      await stage.world.slack.control({ do: 'down', down: order.down === true });
      return { ok: true };
    default:
      return await actAs(stage, nameOf(order.as), order);
  }
}

async function actAs(stage: Stage, as: Name, order: Fields): Promise<Done> {
  const conversation = typeof order.conversation === 'string' ? order.conversation : `dm:${PEOPLE[as].slack}`;
  const quiet = order.do === 'suggest' || order.do === 'close' || order.do === 'home';
  const failed = (said: string): Done => {
    if (!quiet) stage.note({ as, conversation, kind: 'note', text: said });
    return { ok: false, said };
  };
  if (order.do === 'slash')
    stage.note({ as, conversation, kind: 'typed', text: `/access ${text(order.text)}`.trimEnd() });
  if (stage.switches.slack === 'down') return failed(SLACK_IS_DOWN);
  try {
    const { status, ...more } = await perform(stage.world, as, conversation, order);
    if (status === 0) return failed(NO_ANSWER);
    if (status !== 200) return failed(`Hallpass answered with status ${status}.`);
    return { ok: true, ...more };
  } catch (error) {
    if (error instanceof BadAct) throw error;
    if (error instanceof TypeError && error.message === 'fetch failed') return failed(UNREACHABLE);
    return failed(error instanceof Error ? error.message : String(error));
  }
}

async function perform(
  world: World,
  as: Name,
  conversation: string,
  order: Fields,
): Promise<Fields & { readonly status: number }> {
  const person = world.person(as);
  switch (order.do) {
    case 'slash': {
      const where = conversation.startsWith('dm:') ? {} : { channel: conversation };
      return { status: (await person.slash(asSlackSends(text(order.text)), where)).status };
    }
    case 'press':
      return { status: await press(world, as, order) };
    case 'submit': {
      const view = viewOf(world, as, order.view);
      const { status, body } = await person.submitView(view, fields(order.values) as Record<string, Fields>);
      const answer = typeof body === 'object' && body !== null ? (body as Fields) : {};
      return { status, ...(answer.response_action === 'errors' && { errors: answer.errors }) };
    }
    case 'close':
      await world.slack.control({ do: 'settle_view', id: viewOf(world, as, order.view).id, state: 'closed' });
      return { status: 200 };
    case 'suggest': {
      const { status, body } = await person.suggest(
        viewOf(world, as, order.view),
        text(order.action),
        text(order.typed),
      );
      return { status, offered: body };
    }
    case 'home':
      return { status: (await person.openHome()).status };
    case 'shortcut':
      return { status: (await person.shortcut(FORM_SHORTCUT)).status };
    default:
      throw new BadAct(`no such act: ${String(order.do)}`);
  }
}

/** With `should_escape`, as the manifest asks: entities, and ids for the people, channels and links that Slack sees. */
function asSlackSends(typed: string): string {
  return typed
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replace(/https?:\/\/[^\s<>&|]+/g, (url) => `<${url}>`)
    .replace(/(?<=^|\s)@([a-z]+)\b/g, (all, name: string) =>
      Object.hasOwn(PEOPLE, name) ? `<@${PEOPLE[name as Name].slack}|${name}>` : all,
    );
}

/** A button of a message goes the way every test goes; a menu, and anything inside a view, by `gesture`. */
async function press(world: World, as: Name, order: Fields): Promise<number> {
  const on = shownTo(world, as, order);
  const blockId = text(order.block);
  const blocks = blocksOf('view' in on ? on.view : on);
  const block = blocks.find((candidate) => candidate.block_id === blockId);
  const element = block && elementsIn(block).find((candidate) => candidate.action_id === order.action);
  if (block === undefined || element === undefined) throw new BadAct('this is no longer there to be pressed');
  if (element.type === 'button' && !('view' in on)) {
    // The same action id may return in another block: the one that was pressed goes first, where it is found.
    const first = { ...block, elements: [element], accessory: undefined };
    const others = blocks.filter((other) => other !== block);
    return (await world.person(as).press({ ...on, blocks: [first, ...others] }, text(order.action))).status;
  }
  return await gesture(world, {
    as,
    on,
    blockId,
    element,
    chosen: fields(order.chosen),
    values: fields(order.values),
  });
}

function shownTo(world: World, as: Name, order: Fields): SlackMessage | SlackEphemeral | SlackView {
  const { state } = world.slack;
  if (order.view !== undefined) return viewOf(world, as, order.view);
  const ts = text(order.ts);
  const found =
    state.ephemerals.find((shown) => shown.ts === ts && shown.user === PEOPLE[as].slack) ??
    state.messages.find((message) => message.ts === ts && !message.deleted && mayRead(world, as, message.channel));
  if (found === undefined) throw new BadAct('this message is no longer there');
  return found;
}

function mayRead(world: World, as: Name, channel: string): boolean {
  return world.slack.state.channels.find(({ id }) => id === channel)?.members.includes(PEOPLE[as].slack) === true;
}

function viewOf(world: World, as: Name, id: unknown): SlackView {
  const view = world.slack.state.views.find((candidate) => candidate.id === id && candidate.user === PEOPLE[as].slack);
  if (view === undefined) throw new BadAct('this dialog is no longer open');
  return view;
}

async function moveClock(stage: Stage, ms: unknown): Promise<Done> {
  if (typeof ms !== 'number' || !Number.isInteger(ms) || ms <= 0 || ms > CLOCK_MOST_MS)
    throw new BadAct('the clock moves on by a whole number of milliseconds');
  const { world } = stage;
  const now = Date.now() + world.clockOffsetMs;
  const digest = new Date(now).setUTCHours(DIGEST_HOUR, 0, 0, 0);
  const next = digest > now ? digest : digest + DAY_MS;
  // A leap over the digest's hour would make the digest late; who waits through a day gets it on time.
  for (const stop of [next - 60_000, next + 10_000, now + ms])
    if (stop > Date.now() + world.clockOffsetMs && stop <= now + ms) {
      await world.moveClock(stop - Date.now() - world.clockOffsetMs);
      stage.changed();
      if (stop !== now + ms) await quiet(world);
    }
  return { ok: true };
}

/** What became due has been told, as far as one can see. */
async function quiet({ slack }: World): Promise<void> {
  const until = performance.now() + QUIET_MOST_MS;
  for (let version = -1; version !== slack.state.version && performance.now() < until; ) {
    version = slack.state.version;
    await wait(QUIET_MS);
  }
}

async function runBot(stage: Stage, run: boolean): Promise<Done> {
  const { world, switches } = stage;
  if (switches.botChanging || world.running === run) return { ok: true };
  switches.botChanging = true;
  stage.changed();
  try {
    if (run) await world.startBot();
    else await world.bot?.kill();
    return { ok: true };
  } finally {
    switches.botChanging = false;
    stage.changed();
  }
}

function nameOf(value: unknown): Name {
  if (typeof value === 'string' && Object.hasOwn(PEOPLE, value)) return value as Name;
  throw new BadAct('nobody of that name is here');
}

function text(value: unknown): string {
  if (typeof value !== 'string' || value.length > TEXT_MOST)
    throw new BadAct(`a text of at most ${TEXT_MOST} is wanted`);
  return value;
}

function fields(value: unknown): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {};
}
