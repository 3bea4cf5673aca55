/** `hallpass manifest slack | teams`: what a chat admin installs. */
import { readFile, writeFile } from 'node:fs/promises';
import { slackManifest, slackManifestYaml } from '../chat/slack/manifest.ts';
import { teamsManifest, teamsPackage } from '../chat/teams/manifest.ts';
import { baseUrlFromEnvironment, teamsAppIdFromEnvironment } from '../config.ts';
import { EXIT, type Out } from './out.ts';

export type Platform = 'slack' | 'teams';

export interface ManifestOptions {
  readonly command: string;
  readonly baseUrl?: string;
  readonly socketMode?: boolean;
  readonly appId?: string;
  readonly out?: string;
}

const ICONS = new URL('../../manifests/teams/', import.meta.url);

export async function manifestCommand(platform: Platform, options: ManifestOptions, io: Out): Promise<number> {
  return platform === 'slack' ? slack(options, io) : await teams(options, io);
}

function slack(options: ManifestOptions, io: Out): number {
  const baseUrl = options.baseUrl ?? baseUrlFromEnvironment();
  const socketMode = options.socketMode === true;
  if (baseUrl === undefined && !socketMode) {
    io.say(
      { ok: false, error: 'no base URL' },
      'Where does Slack reach Hallpass? Give --base-url https://…, set HALLPASS_BASE_URL, or use --socket-mode.',
    );
    return EXIT.failed;
  }
  const wanted = { command: options.command, socketMode, ...(baseUrl === undefined ? {} : { baseUrl }) };
  process.stdout.write(io.json ? `${JSON.stringify(slackManifest(wanted))}\n` : slackManifestYaml(wanted));
  return EXIT.done;
}

/** The package is a file, since Teams takes nothing else; without `--out` only the manifest in it is shown. */
async function teams(options: ManifestOptions, io: Out): Promise<number> {
  const baseUrl = options.baseUrl ?? baseUrlFromEnvironment();
  const appId = options.appId ?? teamsAppIdFromEnvironment();
  if (baseUrl === undefined || appId === undefined) {
    const error = appId === undefined ? 'no app id' : 'no base URL';
    const ask =
      appId === undefined
        ? 'Which app registration is the bot? Give --app-id, or set MICROSOFT_APP_ID, to its application (client) id.'
        : 'What address does Teams show beside the app? Give --base-url https://…, or set HALLPASS_BASE_URL.';
    io.say({ ok: false, error }, ask);
    return EXIT.failed;
  }
  const wanted = { appId, baseUrl };
  if (options.out === undefined) {
    process.stdout.write(`${JSON.stringify(teamsManifest(wanted), null, io.json ? undefined : 2)}\n`);
    return EXIT.done;
  }
  const [color, outline] = await Promise.all(
    ['color.png', 'outline.png'].map((name) => readFile(new URL(name, ICONS))),
  );
  if (color === undefined || outline === undefined) throw new Error('the icons are not where they are shipped');
  await writeFile(options.out, teamsPackage(wanted, { color, outline }));
  io.say(
    { ok: true, file: options.out },
    `Wrote ${options.out}: upload it in the Teams admin center (Manage apps), or under Apps, Manage your apps.`,
  );
  return EXIT.done;
}
