import { readFileSync } from 'node:fs';
import { Ajv } from 'ajv';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { slackManifest, slackManifestYaml } from '../../src/chat/slack/manifest.ts';

const EXAMPLE = { baseUrl: 'https://hallpass.example.com' };

function closed(properties: Record<string, object>, required: readonly string[] = []): object {
  return { type: 'object', additionalProperties: false, required, properties };
}

/** Slack's published limits for the parts that are used; anything else is refused. */
const schema = closed(
  {
    _metadata: closed({ major_version: { const: 1 }, minor_version: { const: 1 } }),
    display_information: closed(
      {
        name: { type: 'string', maxLength: 35 },
        description: { type: 'string', maxLength: 140 },
        background_color: { type: 'string', pattern: '^#[0-9a-f]{6}$' },
      },
      ['name'],
    ),
    features: closed({
      app_home: closed({
        home_tab_enabled: { const: true },
        messages_tab_enabled: { type: 'boolean' },
        messages_tab_read_only_enabled: { type: 'boolean' },
      }),
      bot_user: closed({ display_name: { type: 'string', maxLength: 80 }, always_online: { type: 'boolean' } }),
      shortcuts: {
        type: 'array',
        maxItems: 10,
        items: closed(
          {
            name: { type: 'string', maxLength: 24 },
            type: { const: 'global' },
            callback_id: { type: 'string', maxLength: 255 },
            description: { type: 'string', maxLength: 150 },
          },
          ['name', 'type', 'callback_id', 'description'],
        ),
      },
      slash_commands: {
        type: 'array',
        maxItems: 50,
        items: closed(
          {
            command: { type: 'string', pattern: '^/', maxLength: 32 },
            url: { type: 'string', pattern: '^https://' },
            description: { type: 'string', maxLength: 2000 },
            usage_hint: { type: 'string', maxLength: 1000 },
            should_escape: { const: true },
          },
          ['command', 'description', 'should_escape'],
        ),
      },
    }),
    oauth_config: closed({ scopes: closed({ bot: { type: 'array', uniqueItems: true, items: { type: 'string' } } }) }),
    settings: closed({
      event_subscriptions: closed(
        {
          request_url: { type: 'string', pattern: '^https://' },
          bot_events: { type: 'array', uniqueItems: true, items: { enum: ['app_home_opened'] } },
        },
        ['bot_events'],
      ),
      interactivity: closed({
        is_enabled: { const: true },
        request_url: { type: 'string', pattern: '^https://' },
        message_menu_options_url: { type: 'string', pattern: '^https://' },
      }),
      org_deploy_enabled: { type: 'boolean' },
      socket_mode_enabled: { type: 'boolean' },
      token_rotation_enabled: { type: 'boolean' },
    }),
  },
  ['display_information', 'features', 'oauth_config', 'settings'],
);
const valid = new Ajv({ strict: false }).compile(schema);

describe('the Slack manifest', () => {
  test.each([EXAMPLE, { ...EXAMPLE, command: '/hallpass' }, { socketMode: true }])(
    '%j keeps within Slack’s limits',
    (options) => {
      expect(valid(slackManifest(options)), JSON.stringify(valid.errors)).toBe(true);
    },
  );

  test('in the repository is the one that is generated', () => {
    const file = readFileSync(new URL('../../manifests/slack/manifest.yaml', import.meta.url), 'utf8');
    expect(file).toBe(slackManifestYaml(EXAMPLE));
    expect(parse(file)).toEqual(slackManifest(EXAMPLE));
  });

  test('asks for the scopes that are used, and no others', () => {
    expect(slackManifest(EXAMPLE).oauth_config.scopes.bot.toSorted()).toEqual([
      'channels:history',
      'channels:read',
      'chat:write',
      'commands',
      'files:write',
      'groups:history',
      'groups:read',
      'im:history',
      'im:write',
      'usergroups:read',
      'users:read',
      'users:read.email',
    ]);
  });

  test('for Socket Mode has no addresses', () => {
    expect(slackManifestYaml({ socketMode: true })).not.toContain('https://');
  });

  test('cannot be made for a word that Slack would refuse', () => {
    for (const command of ['access', '/Access', '/a b', '/', `/${'a'.repeat(32)}`])
      expect(() => slackManifest({ ...EXAMPLE, command })).toThrow(/cannot be a Slack command/);
    expect(() => slackManifest({})).toThrow(/base address/);
  });
});
