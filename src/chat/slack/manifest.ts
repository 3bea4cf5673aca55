/** What a Slack admin installs: the app's manifest, for this address and this command word. */
import { stringify } from 'yaml';
import { FORM_SHORTCUT } from './parse-form.ts';

export interface ManifestOptions {
  /** `https://hallpass.example.com`; not used in Socket Mode. */
  readonly baseUrl?: string;
  /** The command's own word, with its slash. */
  readonly command?: string;
  readonly socketMode?: boolean;
}

/**
 * Exactly what is used, each with its use.
 *
 * Not `chat:write.public`: the bot speaks where somebody invited it, and nowhere else. The history scopes are used for
 * one thing, finding a message of the bot's own by its mark after Slack's answer to posting it was lost; without them
 * such a message is posted a second time, and nothing else is missing. The form and the home tab need no scope of their
 * own, nor does the one event, that somebody opened the tab.
 */
export const SCOPES = {
  commands: 'the slash command',
  'chat:write': 'messages with the buttons, and direct messages to the people concerned',
  'users:read': 'who pressed: a guest, a bot, somebody deactivated or of another workspace may not',
  'users:read.email': 'which directory account an employee is',
  'usergroups:read': 'on-call people kept as a Slack user group',
  'channels:read': 'whether a public channel is shared with another organisation',
  'groups:read': 'the same for a private channel the bot was invited to',
  'channels:history': "finding the bot's own message again when it is not known whether it was posted",
  'groups:history': 'the same in a private channel the bot was invited to',
  'im:history': "the same in the bot's own conversation with a person",
  'files:write': 'the digest line by line, as a file below it or for whoever asked for it',
  'im:write': 'which conversation that is: posting to a person needs only their id, looking needs its own',
} as const;

export function slackManifest(options: ManifestOptions) {
  const socketMode = options.socketMode ?? false;
  const command = options.command ?? '/access';
  if (!/^\/[a-z0-9_-]{1,31}$/.test(command)) throw new Error(`${command} cannot be a Slack command`);
  if (!socketMode && options.baseUrl === undefined) throw new Error('a base address is needed without Socket Mode');
  const url = socketMode ? undefined : new URL('/slack/events', options.baseUrl).href;
  return {
    _metadata: { major_version: 1, minor_version: 1 },
    display_information: {
      name: 'Hallpass',
      description: 'Temporary production access, approved in chat and taken away on time.',
      background_color: '#1f3a5f',
    },
    features: {
      // The messages tab is where people find what the bot told them; nobody writes to it.
      app_home: { home_tab_enabled: true, messages_tab_enabled: true, messages_tab_read_only_enabled: true },
      bot_user: { display_name: 'Hallpass', always_online: true },
      shortcuts: [
        {
          name: 'Request access',
          type: 'global',
          callback_id: FORM_SHORTCUT,
          description: 'Opens the form: what you need, for how long and why',
        },
      ],
      slash_commands: [
        {
          command,
          ...(url === undefined ? {} : { url }),
          description: 'Ask for temporary access, see it, give it back',
          usage_hint: 'request <resource> [duration] <reason> | status | list | help',
          // Without it mentions arrive as `@name`, which anybody can be called.
          should_escape: true,
        },
      ],
    },
    oauth_config: { scopes: { bot: Object.keys(SCOPES) } },
    settings: {
      event_subscriptions: {
        ...(url === undefined ? {} : { request_url: url }),
        bot_events: ['app_home_opened'],
      },
      interactivity: {
        is_enabled: true,
        // The second is asked for the form's search, as somebody types.
        ...(url === undefined ? {} : { request_url: url, message_menu_options_url: url }),
      },
      org_deploy_enabled: false,
      socket_mode_enabled: socketMode,
      token_rotation_enabled: false,
    },
  };
}

/** The same as YAML, to paste into Slack's "create app from manifest". */
export function slackManifestYaml(options: ManifestOptions): string {
  return stringify(slackManifest(options), { lineWidth: 0 });
}
