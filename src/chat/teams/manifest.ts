/** What a Teams admin installs: the app's manifest with the bot's own ids, and the package it comes in. */
import { strToU8, zipSync } from 'fflate';
import type { USAGE } from '../../access/grammar.ts';

export interface TeamsManifestOptions {
  /** The bot's app registration; the app in Teams has the same id. */
  readonly appId: string;
  /** `https://hallpass.example.com`: Teams wants addresses to show beside the app. */
  readonly baseUrl: string;
}

const SCHEMA = 'https://developer.microsoft.com/json-schemas/teams/v1.29/MicrosoftTeams.schema.json';

/** Offered by the compose box; everything else can be typed as well. Twelve at most. */
const OFFERED = {
  request: 'Ask for access; alone, it offers a form',
  home: 'What you hold, what waits for you, what you may request',
  status: 'What holds now and what happens next',
  list: 'Your requests, those waiting, or live access',
  who: 'Who holds it, until when and why',
  'on-call': 'Who is on call and can approve',
  approve: 'Look at a request and approve it',
  deny: 'Deny a request',
  extend: 'Ask for more time',
  return: 'Give access back before its end',
  cancel: 'Take back your own request',
  help: 'Everything that can be asked',
} as const satisfies Partial<Record<keyof typeof USAGE | 'home', string>>;

export function teamsManifest({ appId, baseUrl }: TeamsManifestOptions) {
  const commands = Object.entries(OFFERED).map(([word, description]) => ({ title: word, description }));
  const website = new URL(baseUrl).href;
  return {
    $schema: SCHEMA,
    manifestVersion: '1.29',
    version: '0.1.0',
    id: appId,
    developer: { name: 'Hallpass', websiteUrl: website, privacyUrl: website, termsOfUseUrl: website },
    name: { short: 'Hallpass', full: 'Hallpass: temporary production access' },
    description: {
      short: 'Temporary production access, approved in chat and taken away on time.',
      full: 'Ask for access to a system for as long as you need it and say why. The people on call approve or deny it here. Hallpass adds you to the group that opens the system, and takes you out again when the time is over; it says so only when the directory has shown it.',
    },
    icons: { color: 'color.png', outline: 'outline.png' },
    accentColor: '#1F3A5F',
    bots: [
      {
        botId: appId,
        // In person, and in the team of the approvals channel. It reads nothing but what is typed to it or mentions it.
        scopes: ['personal', 'team', 'groupChat'],
        supportsFiles: false,
        isNotificationOnly: false,
        commandLists: [
          { scopes: ['personal'], commands },
          { scopes: ['team', 'groupChat'], commands },
        ],
      },
    ],
  };
}

export interface TeamsIcons {
  readonly color: Uint8Array;
  readonly outline: Uint8Array;
}

/** The package as Teams takes it: a zip of the manifest and its two icons. */
export function teamsPackage(options: TeamsManifestOptions, icons: TeamsIcons): Uint8Array {
  const manifest = strToU8(`${JSON.stringify(teamsManifest(options), null, 2)}\n`);
  return zipSync({ 'manifest.json': manifest, 'color.png': icons.color, 'outline.png': icons.outline });
}
