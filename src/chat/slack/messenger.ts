/** Posts and updates messages, and says late answers. Every text it sends is inert: nothing in it is parsed. */
import {
  type Clock,
  type MessageTarget,
  type Messenger,
  MessengerError,
  type Metrics,
  type Replier,
  type ReplyTo,
  type SharedFile,
} from '../../access/ports.ts';
import { said } from './log.ts';
import { type Rendered, renderAnswer, renderMessage, renderNote } from './render.ts';
import { field, textField, type Web } from './web.ts';

/** Slack finds messages of ours by this event type, and the mark in it tells one message from another. */
export const METADATA_TYPE = 'hallpass_message';

/** A channel may become shared at any time; a stale answer is good for a minute. */
const CHANNEL_FACTS_MS = 60_000;
const CHANNELS_REMEMBERED = 200;
const DIRECT_MESSAGES_REMEMBERED = 5_000;
const REPLY_DEADLINE_MS = 5_000;
/** Some megabytes at most. */
const UPLOAD_DEADLINE_MS = 15_000;
/** A late answer has no job to come back for it, so it waits a little for room. */
const REPLY_PATIENCE_MS = 5_000;
/** How much our clock and Slack's may differ when a message is looked for by its time. */
const CLOCKS_DIFFER_MS = 5 * 60_000;
const HISTORY_PAGE = 200;
const HISTORY_PAGES = 5;

/** No links unfurled, no names looked up, nothing parsed: what people wrote stays text. */
const INERT = { parse: 'none', link_names: false, unfurl_links: false, unfurl_media: false } as const;

export interface ChannelCheck {
  readonly id: string;
  readonly name?: string;
  readonly isMember: boolean;
  /** Why requests must not be posted there; absent when they may. */
  readonly unfit?: string;
}

export interface MessengerOptions {
  readonly web: Web;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly zone: () => string;
  readonly commandWord: string;
  /** The real wall clock: Slack's messages carry real time, whatever time the rest of the process is given. */
  readonly wallClock: () => number;
  /** Our own user id, once known: whose messages are ours. */
  readonly botUser: () => string | undefined;
  /** Besides Slack's own: where a `response_url` may point. */
  readonly replyOrigin?: string;
}

export function createMessenger(options: MessengerOptions): {
  readonly messenger: Messenger;
  readonly replier: Replier;
  /** Asks Slack about a channel, at most 60 s ago. Throws `MessengerError`. */
  checkChannel(id: string): Promise<ChannelCheck>;
  /** Shows something to one person: where they asked, else in a direct message. Throws `MessengerError`. */
  tell(reply: ReplyTo, rendered: Rendered): Promise<void>;
} {
  const { web, clock } = options;
  const channels = new Map<string, { readonly at: number; readonly check: ChannelCheck }>();

  async function checkChannel(id: string): Promise<ChannelCheck> {
    const kept = channels.get(id);
    if (kept !== undefined && clock.monotonic() - kept.at < CHANNEL_FACTS_MS) return kept.check;
    const check = readChannel(id, await web.call('conversations.info', { channel: id }));
    if (channels.size >= CHANNELS_REMEMBERED) channels.clear();
    channels.set(id, { at: clock.monotonic(), check });
    return check;
  }

  async function channelOf(to: MessageTarget): Promise<string> {
    if ('account' in to) {
      if (to.account.platform !== 'slack') throw new MessengerError('rejected', 'the account is not a Slack account');
      return to.account.id;
    }
    // A conversation with one person has no members to check, and cannot be shared.
    const unfit = to.conversation.startsWith('D') ? undefined : await unfitNow(to.conversation);
    if (unfit !== undefined) throw unfit;
    return to.conversation;
  }

  /** Why nothing may be shown in the channel any more; absent when it may. */
  async function unfitNow(channel: string): Promise<MessengerError | undefined> {
    const { unfit } = await checkChannel(channel);
    if (unfit === undefined) return undefined;
    return new MessengerError('rejected', `Slack channel ${channel}: ${unfit}`, { missing: 'conversation' });
  }

  async function post(
    channel: string,
    rendered: Rendered,
    metadata: object,
    patienceMs = 0,
  ): Promise<{ conversation: string; ts: string }> {
    const args = { channel, ...rendered, ...INERT, mrkdwn: false, ...metadata };
    const answer = await web.call('chat.postMessage', args, patienceMs);
    const conversation = textField(answer, 'channel');
    const ts = textField(answer, 'ts');
    if (conversation === undefined || ts === undefined)
      throw new MessengerError('unavailable', 'Slack chat.postMessage: no channel or ts in the answer', {
        effect: 'unknown',
      });
    return { conversation, ts };
  }

  const directMessages = new Map<string, string>();

  /** Where a person's own messages are; a person's id is enough to post, but not to read. */
  async function placeOf(to: MessageTarget): Promise<string> {
    if ('conversation' in to) return to.conversation;
    const known = directMessages.get(to.account.id);
    if (known !== undefined) return known;
    const answer = await web.call('conversations.open', { users: await channelOf(to) });
    const id = textField(answer.channel, 'id');
    if (id === undefined)
      throw new MessengerError('unavailable', 'Slack conversations.open: no channel id in the answer');
    if (directMessages.size >= DIRECT_MESSAGES_REMEMBERED) directMessages.clear();
    directMessages.set(to.account.id, id);
    return id;
  }

  async function find(
    to: MessageTarget,
    mark: string,
    since: number,
  ): Promise<{ conversation: string; ts: string } | undefined> {
    // The history of a conversation does not show what stands in its threads, and what stands there is not worth more calls.
    if ('conversation' in to && to.thread !== undefined)
      throw new MessengerError('rejected', 'messages in threads are not looked for');
    const channel = await placeOf(to);
    const oldest = (options.wallClock() - (clock.now() - since) - CLOCKS_DIFFER_MS) / 1000;
    let cursor: string | undefined;
    for (let page = 0; page < HISTORY_PAGES; page++) {
      const answer = await web.call('conversations.history', {
        channel,
        oldest: oldest.toFixed(6),
        limit: HISTORY_PAGE,
        include_all_metadata: true,
        ...(cursor === undefined ? {} : { cursor }),
      });
      if (!Array.isArray(answer.messages))
        throw new MessengerError('unavailable', 'Slack conversations.history: no messages in the answer');
      const ours = answer.messages.find((message) => isOurs(message, mark, options.botUser()));
      const ts = textField(ours, 'ts');
      if (ts !== undefined) return { conversation: channel, ts };
      cursor = textField(answer.response_metadata, 'next_cursor');
      if (cursor === undefined) return undefined;
    }
    // So much has been said since that nobody can tell.
    throw new MessengerError('rejected', `Slack channel ${channel}: too many messages since, to look through them all`);
  }

  /** Slack takes a file in three steps; until the last one nobody sees anything of it. */
  async function attach(to: MessageTarget, file: SharedFile): Promise<void> {
    if ('conversation' in to) await channelOf(to);
    const channel_id = await placeOf(to);
    const bytes = Buffer.from(file.text, 'utf8');
    const asked = await web.call('files.getUploadURLExternal', { filename: file.name, length: bytes.length });
    const url = textField(asked, 'upload_url');
    const id = textField(asked, 'file_id');
    if (url === undefined || id === undefined || !isUploadAddress(url, options.replyOrigin))
      throw new MessengerError('unavailable', 'Slack files.getUploadURLExternal: no address of Slack in the answer');
    await upload(url, bytes);
    await web.call('files.completeUploadExternal', {
      files: JSON.stringify([{ id, title: file.title }]),
      channel_id,
      ...('conversation' in to && to.thread !== undefined ? { thread_ts: to.thread } : {}),
    });
  }

  /** Without the token: the address itself is the right to write there. */
  async function upload(url: string, bytes: Buffer<ArrayBuffer>): Promise<void> {
    let outcome = 'ok';
    try {
      const response = await fetch(url, {
        method: 'POST',
        headers: { 'content-type': 'application/octet-stream' },
        body: bytes,
        redirect: 'error',
        signal: AbortSignal.timeout(UPLOAD_DEADLINE_MS),
      });
      await response.arrayBuffer();
      if (!response.ok) {
        outcome = `http_${response.status}`;
        const code = response.status >= 500 ? 'unavailable' : response.status === 429 ? 'rate_limited' : 'rejected';
        throw new MessengerError(code, `Slack file upload: HTTP ${response.status}`);
      }
    } catch (error) {
      if (error instanceof MessengerError) throw error;
      outcome = 'unavailable';
      // Bytes that may have arrived are seen by nobody until the upload is completed.
      throw new MessengerError('unavailable', `Slack file upload: ${said(error)}`, { cause: error });
    } finally {
      options.metrics.count('hallpass_slack_calls_total', { method: 'upload', outcome });
    }
  }

  async function respond(url: string, rendered: Rendered): Promise<void> {
    const startedAt = clock.monotonic();
    let outcome = 'ok';
    try {
      const response = await fetch(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json; charset=utf-8' },
        body: JSON.stringify({ response_type: 'ephemeral', replace_original: false, ...rendered }),
        // A redirect would lead where the origin check never looked.
        redirect: 'error',
        signal: AbortSignal.timeout(REPLY_DEADLINE_MS),
      });
      // Read to the end, so that the connection is free again.
      await response.arrayBuffer();
      if (!response.ok) {
        outcome = `http_${response.status}`;
        const code = response.status >= 500 ? 'unavailable' : response.status === 429 ? 'rate_limited' : 'rejected';
        throw new MessengerError(code, `Slack response_url: HTTP ${response.status}`);
      }
    } catch (error) {
      if (error instanceof MessengerError) throw error;
      outcome = 'unavailable';
      throw new MessengerError('unavailable', `Slack response_url: ${said(error)}`, {
        effect: 'unknown',
        cause: error,
      });
    } finally {
      options.metrics.count('hallpass_slack_calls_total', { method: 'response_url', outcome });
      options.metrics.observe('hallpass_slack_call_seconds', (clock.monotonic() - startedAt) / 1000, {
        method: 'response_url',
      });
    }
  }

  const messenger: Messenger = {
    platform: 'slack',
    post: async (to, view, mark) =>
      post(await channelOf(to), renderMessage(view, { now: clock.now(), zone: options.zone() }), {
        metadata: { event_type: METADATA_TYPE, event_payload: { mark } },
        ...('conversation' in to && to.thread !== undefined ? { thread_ts: to.thread } : {}),
      }),
    find,
    attach,
    roomIn(to) {
      if (to === 'update') return web.roomIn('chat.update');
      return web.roomIn('chat.postMessage', 'account' in to ? to.account.id : to.conversation);
    },
    update: async (at, view) => {
      const away = isDirectMessage(at.conversation) ? undefined : await unfitNow(at.conversation);
      // What stands there was written when the channel was ours alone.
      if (away !== undefined) await replace(at, renderNote('This message is no longer shown in this channel.'));
      if (away !== undefined) throw away;
      await replace(at, renderMessage(view, { now: clock.now(), zone: options.zone() }));
    },
  };

  async function replace(at: { conversation: string; ts: string }, rendered: Rendered): Promise<void> {
    await web.call('chat.update', {
      channel: at.conversation,
      ts: at.ts,
      ...rendered,
      // Left out, updates are parsed as if a person had typed them.
      parse: 'none',
      link_names: false,
    });
  }

  async function tell(reply: ReplyTo, rendered: Rendered): Promise<void> {
    if (reply.url !== undefined && isReplyAddress(reply.url, options.replyOrigin)) {
      try {
        return await respond(reply.url, rendered);
      } catch {
        // Used up, expired after its half hour, or lost: an answer that comes twice is better than one that never does.
      }
    }
    await post(await channelOf({ account: reply.account }), rendered, {}, REPLY_PATIENCE_MS);
  }

  const replier: Replier = {
    platform: 'slack',
    say: (reply, answer) =>
      tell(reply, renderAnswer(answer, { now: clock.now(), zone: options.zone(), commandWord: options.commandWord })),
  };

  return { messenger, replier, checkChannel, tell };
}

/** Nobody else can ever be brought into one. */
function isDirectMessage(conversation: string): boolean {
  return conversation.startsWith('D');
}

/** Metadata can be written by any app, so the mark alone does not make a message ours. */
function isOurs(message: unknown, mark: string, botUser: string | undefined): boolean {
  const metadata = field(message, 'metadata');
  if (field(metadata, 'event_type') !== METADATA_TYPE) return false;
  if (field(field(metadata, 'event_payload'), 'mark') !== mark) return false;
  return botUser === undefined || field(message, 'user') === botUser;
}

/** Slack's address for late answers is input: anywhere else, it would make us call into our own network. */
export function isReplyAddress(url: string, allowedOrigin: string | undefined): boolean {
  if (!URL.canParse(url)) return false;
  const { origin, username, password } = new URL(url);
  if (username !== '' || password !== '') return false;
  return origin === 'https://hooks.slack.com' || (allowedOrigin !== undefined && origin === allowedOrigin);
}

/** Slack's address for a file is input too. */
export function isUploadAddress(url: string, allowedOrigin: string | undefined): boolean {
  if (!URL.canParse(url)) return false;
  const { origin, username, password } = new URL(url);
  if (username !== '' || password !== '') return false;
  return origin === 'https://files.slack.com' || (allowedOrigin !== undefined && origin === allowedOrigin);
}

function readChannel(id: string, answer: Record<string, unknown>): ChannelCheck {
  const channel = answer.channel;
  const pending = field(channel, 'pending_shared');
  const shared = field(channel, 'is_ext_shared') === true;
  const soonShared =
    field(channel, 'is_pending_ext_shared') === true ||
    field(channel, 'pending_ext_shared') === true ||
    (Array.isArray(pending) && pending.length > 0);
  const name = textField(channel, 'name');
  const unfit = shared
    ? 'it is shared with another organisation, whose people would see and press the buttons; choose an internal channel'
    : soonShared
      ? 'it is about to be shared with another organisation; choose an internal channel'
      : field(channel, 'is_archived') === true
        ? 'it is archived; choose another channel'
        : undefined;
  return {
    id,
    ...(name === undefined ? {} : { name }),
    isMember: field(channel, 'is_member') === true,
    ...(unfit === undefined ? {} : { unfit }),
  };
}
