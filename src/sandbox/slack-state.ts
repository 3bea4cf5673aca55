/** The records of the local Slack. Each record is replaced, never changed, so that what a test holds is what it saw. */
import { randomBytes } from 'node:crypto';
import type { SlackFile } from './slack-files.ts';

export type Fields = Readonly<Record<string, unknown>>;

export interface SlackUser {
  readonly id: string;
  readonly team_id: string;
  readonly name: string;
  readonly real_name: string;
  readonly tz: string;
  readonly deleted: boolean;
  readonly is_bot: boolean;
  readonly is_app_user: boolean;
  readonly is_restricted: boolean;
  readonly is_ultra_restricted: boolean;
  readonly is_stranger: boolean;
  readonly is_invited_user: boolean;
  readonly is_email_confirmed: boolean;
  readonly profile: { readonly email?: string; readonly real_name: string; readonly display_name: string };
}

export interface SlackChannel {
  readonly id: string;
  readonly name: string;
  readonly is_im: boolean;
  readonly is_private: boolean;
  readonly is_archived: boolean;
  readonly is_ext_shared: boolean;
  /** Whether the bot is in it. */
  readonly is_member: boolean;
  /** For a direct message: the person on the other side. */
  readonly user?: string;
  readonly members: readonly string[];
}

export interface SlackGroup {
  readonly id: string;
  readonly handle: string;
  readonly name: string;
  readonly disabled: boolean;
  readonly users: readonly string[];
}

export interface SlackMessage {
  readonly channel: string;
  readonly ts: string;
  readonly user: string;
  readonly bot_id: string;
  readonly app_id: string;
  readonly text: string;
  readonly blocks: readonly Fields[];
  readonly files?: readonly SlackFile[];
  readonly thread_ts?: string;
  readonly metadata?: Fields;
  readonly deleted: boolean;
  /** How often it was updated; its first form is revision 0. */
  readonly revision: number;
}

/** Something only one person sees: an answer to a slash command or a click, through any of the three ways. */
export interface SlackEphemeral {
  readonly ts: string;
  readonly user: string;
  readonly channel: string;
  readonly text: string;
  readonly blocks: readonly Fields[];
  readonly via: 'ack' | 'response_url' | 'chat.postEphemeral';
  /** The id in the `response_url` it came through. */
  readonly responseId?: string;
  readonly replaceOriginal: boolean;
  readonly deleteOriginal: boolean;
}

export interface SlackView {
  readonly id: string;
  readonly hash: string;
  readonly user: string;
  readonly type: string;
  readonly state: 'open' | 'submitted' | 'closed' | 'published';
  readonly view: Fields;
}

export interface SlackRequestLog {
  readonly at: number;
  readonly method: string;
  readonly args: Fields;
  /** `ok`, Slack's error code, or the fault that answered instead. */
  readonly outcome: string;
  /** Whether the call took effect. */
  readonly effect: boolean;
}

export interface SlackSeed {
  readonly team: { readonly id: string; readonly name: string; readonly domain: string };
  readonly botToken: string;
  readonly signingSecret: string;
  readonly appId: string;
  readonly botUserId?: string;
  readonly botId?: string;
  readonly users: readonly (Partial<Omit<SlackUser, 'profile'>> & {
    readonly id: string;
    readonly name: string;
    readonly email?: string;
  })[];
  /** Left out, `members` is every user of the seed. */
  readonly channels: readonly (Partial<SlackChannel> & { readonly id: string; readonly name: string })[];
  readonly usergroups?: readonly (Partial<SlackGroup> & { readonly id: string; readonly handle: string })[];
}

export interface SlackState {
  /** Grows with every change. */
  readonly version: number;
  readonly team: SlackSeed['team'];
  readonly bot: { readonly userId: string; readonly botId: string; readonly appId: string };
  readonly users: readonly SlackUser[];
  readonly channels: readonly SlackChannel[];
  readonly usergroups: readonly SlackGroup[];
  readonly messages: readonly SlackMessage[];
  readonly ephemerals: readonly SlackEphemeral[];
  readonly views: readonly SlackView[];
  readonly requests: readonly SlackRequestLog[];
}

const REQUESTS_KEPT = 5_000;
const TRIGGER_LIFE_MS = 3_000;
const RESPONSE_LIFE_MS = 30 * 60_000;
const RESPONSE_USES = 5;

type Writable<T> = { -readonly [K in keyof T]: T[K] };

export class SlackWorld {
  readonly state: Writable<SlackState>;
  readonly seed: SlackSeed;
  readonly #listeners = new Set<() => void>();
  readonly #triggers = new Map<string, { user: string; at: number; used: boolean }>();
  readonly #responses = new Map<
    string,
    { user: string; channel: string; at: number; uses: number; message?: { channel: string; ts: string } }
  >();
  readonly #uploads = new Map<
    string,
    { file: Omit<SlackFile, 'title'>; length: number; address: string; done: boolean }
  >();
  #lastTs = 0;
  /** Where it is served. */
  origin = '';

  constructor(seed: SlackSeed) {
    this.seed = seed;
    const bot = { userId: seed.botUserId ?? 'UHALLPASS', botId: seed.botId ?? 'BHALLPASS', appId: seed.appId };
    const users = seed.users.map((user) => userOf(user, seed.team.id));
    users.push(userOf({ id: bot.userId, name: 'hallpass', is_bot: true }, seed.team.id));
    this.state = {
      version: 0,
      team: seed.team,
      bot,
      users,
      channels: seed.channels.map((channel) => ({
        is_im: false,
        is_private: false,
        is_archived: false,
        is_ext_shared: false,
        is_member: true,
        members: seed.users.map((user) => user.id),
        ...channel,
      })),
      usergroups: (seed.usergroups ?? []).map((group) => ({
        name: group.handle,
        disabled: false,
        users: [],
        ...group,
      })),
      messages: [],
      ephemerals: [],
      views: [],
      requests: [],
    };
  }

  /** Tells everyone who waits. */
  changed(): void {
    this.state.version += 1;
    for (const listener of [...this.#listeners]) listener();
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  log(entry: SlackRequestLog): void {
    // Copied, so that a test's earlier look at the log does not grow under its hands.
    this.state.requests = [...this.state.requests.slice(1 - REQUESTS_KEPT), entry];
    this.changed();
  }

  /** Unique and growing, as Slack's are. */
  ts(): string {
    this.#lastTs = Math.max(this.#lastTs + 1, Date.now() * 1000);
    return `${Math.floor(this.#lastTs / 1_000_000)}.${String(this.#lastTs % 1_000_000).padStart(6, '0')}`;
  }

  id(prefix: string): string {
    return `${prefix}${randomBytes(5).toString('hex').toUpperCase()}`;
  }

  user(id: string): SlackUser | undefined {
    return this.state.users.find((user) => user.id === id);
  }

  channel(id: string): SlackChannel | undefined {
    return this.state.channels.find((channel) => channel.id === id);
  }

  /** The bot's direct conversation with a person, opened at first use. */
  directMessage(user: string): SlackChannel {
    const open = this.state.channels.find((channel) => channel.is_im && channel.user === user);
    if (open !== undefined) return open;
    const channel: SlackChannel = {
      id: this.id('D'),
      name: 'directmessage',
      is_im: true,
      is_private: true,
      is_archived: false,
      is_ext_shared: false,
      is_member: true,
      user,
      members: [user],
    };
    this.state.channels = [...this.state.channels, channel];
    this.changed();
    return channel;
  }

  message(channel: string, ts: string): SlackMessage | undefined {
    return this.state.messages.find((message) => message.channel === channel && message.ts === ts);
  }

  putMessage(message: SlackMessage): void {
    const known = this.message(message.channel, message.ts) !== undefined;
    this.state.messages = known
      ? this.state.messages.map((m) => (m.channel === message.channel && m.ts === message.ts ? message : m))
      : [...this.state.messages, message];
    this.changed();
  }

  putView(view: SlackView): void {
    this.state.views = [...this.state.views.filter((v) => v.id !== view.id), view];
    this.changed();
  }

  putEphemeral(ephemeral: SlackEphemeral): void {
    this.state.ephemerals = [...this.state.ephemerals, ephemeral];
    this.changed();
  }

  /** What comes with one thing a person does: good for one dialog, and for five answers in half an hour. */
  interaction(
    user: string,
    channel: string,
    message?: { channel: string; ts: string },
  ): { triggerId: string; responseId: string } {
    const triggerId = `${Date.now()}.${randomBytes(4).readUInt32BE()}.${randomBytes(16).toString('hex')}`;
    const responseId = randomBytes(12).toString('hex');
    this.#triggers.set(triggerId, { user, at: performance.now(), used: false });
    this.#responses.set(responseId, { user, channel, at: performance.now(), uses: 0, ...(message && { message }) });
    return { triggerId, responseId };
  }

  /** The person behind a trigger, or why it is no good. Good once. */
  useTrigger(id: string): { user: string } | { error: string } {
    const trigger = this.#triggers.get(id);
    if (trigger === undefined) return { error: 'invalid_trigger_id' };
    if (trigger.used) return { error: 'exchanged_trigger_id' };
    if (performance.now() - trigger.at > TRIGGER_LIFE_MS) return { error: 'expired_trigger_id' };
    trigger.used = true;
    return { user: trigger.user };
  }

  expectUpload(name: string, length: number): { id: string; address: string } {
    const id = this.id('F');
    const address = randomBytes(12).toString('hex');
    this.#uploads.set(id, { file: { id, name, text: '' }, length, address, done: false });
    return { id, address };
  }

  /** Whether such a file was announced, in this length. */
  upload(address: string, text: string): boolean {
    const found = [...this.#uploads.values()].find((one) => one.address === address && !one.done);
    if (found === undefined || Buffer.byteLength(text) !== found.length) return false;
    found.file = { ...found.file, text };
    found.done = true;
    return true;
  }

  /** What was sent; good once. */
  takeUpload(id: string): Omit<SlackFile, 'title'> | undefined {
    const found = this.#uploads.get(id);
    if (found?.done !== true) return undefined;
    this.#uploads.delete(id);
    return found.file;
  }

  useResponse(id: string): { user: string; channel: string; message?: { channel: string; ts: string } } | undefined {
    const response = this.#responses.get(id);
    if (response === undefined || performance.now() - response.at > RESPONSE_LIFE_MS) return undefined;
    if (response.uses >= RESPONSE_USES) return undefined;
    response.uses += 1;
    return response;
  }
}

export function userOf(seed: SlackSeed['users'][number], team: string): SlackUser {
  const { email, ...given } = seed;
  const real_name = given.real_name ?? given.name;
  return {
    team_id: team,
    tz: 'Europe/Berlin',
    deleted: false,
    is_bot: false,
    is_app_user: false,
    is_restricted: false,
    is_ultra_restricted: false,
    is_stranger: false,
    is_invited_user: false,
    is_email_confirmed: email !== undefined,
    ...given,
    real_name,
    profile: { ...(email !== undefined && { email }), real_name, display_name: given.name },
  };
}
