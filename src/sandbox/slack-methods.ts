/** The Web API methods that the local Slack knows, each as strict as the documents say the real one is. */
import { checkBlocks, checkView, withBlockIds } from './slack-blocks.ts';
import { fileMethods } from './slack-files.ts';
import type { Fields, SlackMessage, SlackUser, SlackView, SlackWorld } from './slack-state.ts';

export type MethodResult = Fields & { readonly ok: boolean; readonly error?: string };

const TEXT_MOST = 40_000;
const UPDATE_TEXT_MOST = 4_000;
const HISTORY_MOST = 999;

function no(error: string, more: Fields = {}): MethodResult {
  return { ok: false, error, ...more };
}

function invalid(error: string, problems: readonly string[]): MethodResult {
  return no(error, { response_metadata: { messages: problems.map((problem) => `[ERROR] ${problem}`) } });
}

function str(args: Fields, key: string): string | undefined {
  const value = args[key];
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** In a form-urlencoded body, structures travel as JSON text. */
function structure(args: Fields, key: string): unknown {
  const value = args[key];
  if (typeof value !== 'string') return value;
  if (value === '') return undefined;
  try {
    return JSON.parse(value) as unknown;
  } catch {
    return value;
  }
}

function userFacts(world: SlackWorld, user: SlackUser): Fields {
  return {
    ...user,
    team_id: user.team_id,
    updated: 0,
    is_admin: false,
    is_owner: false,
    color: '9f69e7',
    team: world.seed.team.id,
  };
}

export const methods: Readonly<Record<string, (world: SlackWorld, args: Fields) => MethodResult>> = {
  ...fileMethods,

  'auth.test': (world) => ({
    ok: true,
    url: `https://${world.seed.team.domain}.slack.com/`,
    team: world.seed.team.name,
    user: 'hallpass',
    team_id: world.seed.team.id,
    user_id: world.state.bot.userId,
    bot_id: world.state.bot.botId,
    app_id: world.state.bot.appId,
    is_enterprise_install: false,
  }),

  'users.info': (world, args) => {
    const user = world.user(str(args, 'user') ?? '');
    return user === undefined ? no('user_not_found') : { ok: true, user: userFacts(world, user) };
  },

  'users.lookupByEmail': (world, args) => {
    const email = str(args, 'email')?.toLowerCase();
    // Slack finds neither deactivated accounts nor those of other workspaces by email.
    const user = world.state.users.find(
      (candidate) =>
        email !== undefined &&
        candidate.profile.email?.toLowerCase() === email &&
        !candidate.deleted &&
        candidate.team_id === world.seed.team.id,
    );
    return user === undefined ? no('users_not_found') : { ok: true, user: userFacts(world, user) };
  },

  'usergroups.list': (world, args) => ({
    ok: true,
    usergroups: world.state.usergroups
      .filter((group) => !group.disabled || String(args.include_disabled) === 'true')
      .map((group) => ({
        id: group.id,
        team_id: world.seed.team.id,
        is_usergroup: true,
        name: group.name,
        handle: group.handle,
        date_delete: group.disabled ? 1 : 0,
        user_count: group.users.length,
        ...(String(args.include_users) === 'true' && { users: group.users }),
      })),
  }),

  'usergroups.users.list': (world, args) => {
    const group = world.state.usergroups.find((candidate) => candidate.id === str(args, 'usergroup'));
    if (group === undefined || (group.disabled && String(args.include_disabled) !== 'true'))
      return no('no_such_subteam');
    return { ok: true, users: group.users.filter((id) => world.user(id)?.deleted === false) };
  },

  'conversations.info': (world, args) => {
    const channel = world.channel(str(args, 'channel') ?? '');
    if (channel === undefined || (channel.is_private && !channel.is_member)) return no('channel_not_found');
    const { members: _members, ...facts } = channel;
    return {
      ok: true,
      channel: {
        ...facts,
        is_channel: !channel.is_im,
        is_shared: channel.is_ext_shared,
        is_org_shared: false,
        context_team_id: world.seed.team.id,
      },
    };
  },

  'conversations.open': (world, args) => {
    const id = str(args, 'users');
    if (id === undefined) return no('users_list_not_supplied');
    if (id.includes(',')) return no('not_enough_users');
    const user = world.user(id);
    if (user === undefined) return no('user_not_found');
    if (user.deleted) return no('user_disabled');
    return { ok: true, channel: { id: world.directMessage(id).id } };
  },

  'conversations.history': (world, args) => {
    const channel = world.channel(str(args, 'channel') ?? '');
    if (channel === undefined || (channel.is_private && !channel.is_member)) return no('channel_not_found');
    if (!channel.is_member) return no('not_in_channel');
    const [oldest, latest] = [Number(args.oldest ?? 0), Number(args.latest ?? Number.POSITIVE_INFINITY)];
    const limit = Math.min(Number(args.limit ?? 100), HISTORY_MOST);
    const from = Number(str(args, 'cursor') ?? 0);
    if (![oldest, limit, from].every(Number.isFinite) || limit < 1) return no('invalid_arguments');
    const found = world.state.messages
      .filter((m) => m.channel === channel.id && !m.deleted && Number(m.ts) > oldest && Number(m.ts) < latest)
      .reverse();
    const next = from + limit;
    return {
      ok: true,
      messages: found.slice(from, next).map((message) => {
        const { metadata, ...facts } = messageFacts(message);
        return String(args.include_all_metadata) === 'true' && metadata !== undefined ? { ...facts, metadata } : facts;
      }),
      has_more: found.length > next,
      ...(found.length > next && { response_metadata: { next_cursor: String(next) } }),
    };
  },

  'chat.postMessage': (world, args) => {
    const where = destination(world, str(args, 'channel'), true);
    if ('error' in where) return where;
    const said = content(world, args, TEXT_MOST);
    if ('error' in said) return said;
    const metadata = structure(args, 'metadata') as Fields | undefined;
    if (metadata !== undefined && !validMetadata(metadata)) return no('invalid_metadata_format');
    const thread = str(args, 'thread_ts');
    if (thread !== undefined && world.message(where.channel, thread) === undefined) return no('thread_not_found');
    const message: SlackMessage = {
      channel: where.channel,
      ts: world.ts(),
      user: world.state.bot.userId,
      bot_id: world.state.bot.botId,
      app_id: world.state.bot.appId,
      ...said,
      ...(thread !== undefined && { thread_ts: thread }),
      ...(metadata !== undefined && { metadata }),
      deleted: false,
      revision: 0,
    };
    world.putMessage(message);
    return { ok: true, channel: message.channel, ts: message.ts, message: messageFacts(message) };
  },

  'chat.update': (world, args) => {
    const id = str(args, 'channel');
    // A person's id is enough to post, never to update.
    if (id === undefined || world.channel(id) === undefined) return no('channel_not_found');
    const where = destination(world, id, false);
    if ('error' in where) return where;
    const message = world.message(where.channel, str(args, 'ts') ?? '');
    if (message === undefined || message.deleted) return no('message_not_found');
    if (message.bot_id !== world.state.bot.botId) return no('cant_update_message');
    const said = content(world, args, UPDATE_TEXT_MOST);
    if ('error' in said) return said;
    const metadata = structure(args, 'metadata') as Fields | undefined;
    if (metadata !== undefined && Object.keys(metadata).length > 0 && !validMetadata(metadata))
      return no('invalid_metadata_format');
    const next: SlackMessage = {
      ...message,
      ...said,
      ...(metadata !== undefined && { metadata }),
      revision: message.revision + 1,
    };
    world.putMessage(next);
    return { ok: true, channel: next.channel, ts: next.ts, text: next.text, message: messageFacts(next) };
  },

  'chat.delete': (world, args) => {
    const message = world.message(str(args, 'channel') ?? '', str(args, 'ts') ?? '');
    if (message === undefined || message.deleted) return no('message_not_found');
    world.putMessage({ ...message, deleted: true });
    return { ok: true, channel: message.channel, ts: message.ts };
  },

  'chat.postEphemeral': (world, args) => {
    const where = destination(world, str(args, 'channel'), false);
    if ('error' in where) return where;
    const user = str(args, 'user') ?? '';
    if (world.channel(where.channel)?.members.includes(user) !== true) return no('user_not_in_channel');
    const said = content(world, args, TEXT_MOST);
    if ('error' in said) return said;
    const ts = world.ts();
    world.putEphemeral({
      ts,
      user,
      channel: where.channel,
      ...said,
      via: 'chat.postEphemeral',
      replaceOriginal: false,
      deleteOriginal: false,
    });
    return { ok: true, message_ts: ts };
  },

  'views.open': (world, args) => {
    const view = structure(args, 'view');
    const problems = checkView(view);
    if (problems.length > 0) return invalid('invalid_arguments', problems);
    const trigger = world.useTrigger(str(args, 'trigger_id') ?? '');
    if ('error' in trigger) return no(trigger.error);
    return saved(world, newView(world, view as Fields, trigger.user, 'open'));
  },

  'views.update': (world, args) => {
    const id = str(args, 'view_id');
    const external = str(args, 'external_id');
    const known = world.state.views.find((v) => (id !== undefined ? v.id === id : v.view.external_id === external));
    if (known === undefined || (id === undefined && external === undefined)) return no('not_found');
    if (known.state === 'closed' || known.state === 'submitted') return no('not_found');
    const hash = str(args, 'hash');
    if (hash !== undefined && hash !== known.hash) return no('hash_conflict');
    const view = structure(args, 'view');
    const problems = checkView(view);
    if (problems.length > 0) return invalid('invalid_arguments', problems);
    return saved(world, { ...newView(world, view as Fields, known.user, known.state), id: known.id });
  },

  'views.publish': (world, args) => {
    const user = str(args, 'user_id') ?? '';
    if (world.user(user) === undefined) return no('user_not_found');
    const view = structure(args, 'view');
    const problems = checkView(view);
    if (problems.length > 0) return invalid('invalid_arguments', problems);
    const known = world.state.views.find((v) => v.type === 'home' && v.user === user);
    const hash = str(args, 'hash');
    if (hash !== undefined && hash !== known?.hash) return no('hash_conflict');
    const next = newView(world, view as Fields, user, 'published');
    return saved(world, known === undefined ? next : { ...next, id: known.id });
  },
};

function destination(
  world: SlackWorld,
  id: string | undefined,
  mayOpen: boolean,
): { channel: string } | (MethodResult & { error: string }) {
  if (id === undefined) return { ok: false, error: 'channel_not_found' };
  const user = mayOpen ? world.user(id) : undefined;
  if (user !== undefined) {
    // Slack's own words for a person who cannot be written to any more.
    if (user.deleted) return { ok: false, error: 'channel_not_found' };
    return { channel: world.directMessage(id).id };
  }
  const channel = world.channel(id);
  if (channel === undefined) return { ok: false, error: 'channel_not_found' };
  if (!channel.is_member) return { ok: false, error: channel.is_private ? 'channel_not_found' : 'not_in_channel' };
  if (channel.is_archived) return { ok: false, error: 'is_archived' };
  return { channel: channel.id };
}

type Content = { readonly text: string; readonly blocks: readonly Fields[] };

/** Text and blocks as they will be kept, or the refusal. Also what a `response_url` is held to. */
export function content(
  world: SlackWorld,
  args: Fields,
  textMost = TEXT_MOST,
): Content | (MethodResult & { error: string }) {
  const text = args.text ?? '';
  if (typeof text !== 'string') return { ok: false, error: 'invalid_arguments' };
  const blocks = structure(args, 'blocks');
  if (blocks === undefined && text === '') return { ok: false, error: 'no_text' };
  if ([...text].length > textMost) return { ok: false, error: 'msg_too_long' };
  if (blocks === undefined) return { text, blocks: [] };
  const problems = checkBlocks(blocks, 'message');
  if (problems.length > 0)
    return {
      ok: false,
      error: Array.isArray(blocks) ? 'invalid_blocks' : 'invalid_blocks_format',
      response_metadata: { messages: problems.map((problem) => `[ERROR] ${problem}`) },
    };
  return { text, blocks: withBlockIds(blocks, () => world.id('b')) };
}

function validMetadata(metadata: unknown): boolean {
  if (typeof metadata !== 'object' || metadata === null) return false;
  const { event_type, event_payload } = metadata as Fields;
  return typeof event_type === 'string' && typeof event_payload === 'object' && event_payload !== null;
}

export function messageFacts(message: SlackMessage): Fields {
  const { deleted: _deleted, revision, channel: _channel, ...facts } = message;
  return {
    type: 'message',
    ...facts,
    ...(revision > 0 && { edited: { user: message.bot_id, ts: message.ts } }),
  };
}

/** A view as Slack keeps and sends it. */
export function newView(world: SlackWorld, given: Fields, user: string, state: SlackView['state']): SlackView {
  const id = world.id('V');
  const hash = world.ts();
  return {
    id,
    hash,
    user,
    type: String(given.type),
    state,
    view: { ...given, blocks: withBlockIds(given.blocks, () => world.id('b')) },
  };
}

export function viewFacts(world: SlackWorld, view: SlackView): Fields {
  return {
    callback_id: '',
    private_metadata: '',
    external_id: '',
    clear_on_close: false,
    notify_on_close: false,
    close: null,
    submit: null,
    previous_view_id: null,
    ...view.view,
    id: view.id,
    team_id: world.seed.team.id,
    app_id: world.state.bot.appId,
    app_installed_team_id: world.seed.team.id,
    bot_id: world.state.bot.botId,
    root_view_id: view.id,
    hash: view.hash,
    state: { values: {} },
  };
}

function saved(world: SlackWorld, view: SlackView): MethodResult {
  world.putView(view);
  return { ok: true, view: viewFacts(world, view) };
}
