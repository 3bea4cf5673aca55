/** Sharing a file, the way Slack has it: ask for an address, send the bytes there, then say where it is to be seen. */
import type { Fields, SlackMessage, SlackWorld } from './slack-state.ts';

export interface SlackFile {
  readonly id: string;
  readonly name: string;
  readonly title: string;
  readonly text: string;
}

type Result = Fields & { readonly ok: boolean; readonly error?: string };

const no = (error: string): Result => ({ ok: false, error });

const BYTES_MOST = 1024 * 1024 * 1024;

function str(args: Fields, key: string): string | undefined {
  const value = args[key];
  return typeof value === 'string' && value !== '' ? value : undefined;
}

interface Wanted {
  readonly id: string;
  readonly title?: string;
}

/** In a form-urlencoded body, structures travel as JSON text. */
function wantedFiles(value: unknown): readonly Wanted[] | undefined {
  try {
    const read: unknown = typeof value === 'string' ? JSON.parse(value) : value;
    const fits = (one: unknown): one is Wanted =>
      typeof one === 'object' && one !== null && 'id' in one && typeof one.id === 'string';
    return Array.isArray(read) && read.length > 0 && read.every(fits) ? read : undefined;
  } catch {
    return undefined;
  }
}

export const fileMethods: Readonly<Record<string, (world: SlackWorld, args: Fields) => Result>> = {
  'files.getUploadURLExternal': (world, args) => {
    const name = str(args, 'filename');
    const length = Number(args.length);
    if (name === undefined || !Number.isInteger(length)) return no('invalid_arguments');
    if (length < 1 || length > BYTES_MOST) return no('file_upload_size_restricted');
    const { id, address } = world.expectUpload(name, length);
    return { ok: true, upload_url: `${world.origin}/upload/v1/${address}`, file_id: id };
  },

  'files.completeUploadExternal': (world, args) => {
    const wanted = wantedFiles(args.files);
    if (wanted === undefined) return no('invalid_arguments');
    // A person's id is enough to post a message, never to share a file.
    const channel = world.channel(str(args, 'channel_id') ?? '');
    if (channel === undefined || (channel.is_private && !channel.is_member)) return no('channel_not_found');
    if (!channel.is_member) return no('not_in_channel');
    if (channel.is_archived) return no('is_archived');
    const thread = str(args, 'thread_ts');
    if (thread !== undefined && world.message(channel.id, thread) === undefined) return no('invalid_thread_ts');
    const uploads = wanted.map((one) => world.takeUpload(one.id));
    if (uploads.some((upload) => upload === undefined)) return no('file_not_found');
    const files = uploads.flatMap((upload, index) =>
      upload === undefined ? [] : [{ ...upload, title: wanted[index]?.title ?? upload.name }],
    );
    const message: SlackMessage = {
      channel: channel.id,
      ts: world.ts(),
      user: world.state.bot.userId,
      bot_id: world.state.bot.botId,
      app_id: world.state.bot.appId,
      text: str(args, 'initial_comment') ?? '',
      blocks: [],
      files,
      ...(thread !== undefined && { thread_ts: thread }),
      deleted: false,
      revision: 0,
    };
    world.putMessage(message);
    return { ok: true, files: files.map(({ id, title }) => ({ id, title })) };
  },
};
