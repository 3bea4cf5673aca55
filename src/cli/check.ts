/** `hallpass check`: the file was judged when it was read; this asks the outside world whether it can work. */
import type { DirectoryUser } from '../access/model.ts';
import type { Accounts, Directory } from '../access/ports.ts';
import { createSlack } from '../chat/slack/app.ts';
import { systemClock } from '../clock.ts';
import type { Settings } from '../config.ts';
import { createLog } from '../log.ts';
import { activitySources, openDirectories } from '../main/opening.ts';
import { createMetrics } from '../metrics.ts';
import { createOidc } from '../people/oidc.ts';
import { type Asked, askCredentials, askNamed, askSources, messageOf } from './check-named.ts';
import { EXIT, type Out, problemLine } from './out.ts';

const STDERR = 2;
const SLACK_WITHIN_MS = 15_000;
const LOOK_EVERY_MS = 50;

export async function checkCommand(io: Out, settings: Settings, offline: boolean): Promise<number> {
  const asked = offline ? [] : await askEverything(settings);
  const ok = asked.every((one) => one.ok);
  const resources = Object.values(settings.catalog.resources);
  const entitlements = resources.flatMap((resource) => Object.values(resource.roles));
  io.say({ ok, path: settings.path, fileHash: settings.fileHash, warnings: settings.warnings, asked }, [
    `${settings.path}: ${resources.length} resources, ${entitlements.length} entitlements, no problems in the file.`,
    ...settings.warnings.map((warning) => `  warning: ${problemLine(warning)}`),
    ...asked.map(
      (one) =>
        `  ${one.ok ? (one.warning === true ? 'warning' : 'ok     ') : 'PROBLEM'} ${one.what}${one.why === undefined ? '' : `: ${one.why}`}`,
    ),
    ...(offline ? ['  The directories, Slack and the on-call sources were not asked (--offline).'] : []),
  ]);
  return ok ? EXIT.done : EXIT.failed;
}

async function askEverything(settings: Settings): Promise<readonly Asked[]> {
  const directories = openDirectories(settings, systemClock(), createMetrics());
  const groups = Object.values(settings.catalog.resources).flatMap((resource) =>
    Object.values(resource.roles).flatMap((entitlement) => entitlement.groups),
  );
  return [
    ...(await askCredentials(directories, groups)),
    ...(await askGroups(settings, directories)),
    ...(await askExpiry(settings, directories)),
    ...rateLimits(directories),
    ...(await askActivity(settings, directories)),
    ...(await askNamed(settings, directories)),
    ...(await askIssuer(settings)),
    ...(await askTeams(settings)),
    ...(await askSlack(settings, (accounts) => askSources(settings, directories, accounts))),
  ];
}

/** Whether people could sign in: what the issuer says of itself. Its client secret shows only when somebody does. */
async function askIssuer({ stepUp }: Settings): Promise<readonly Asked[]> {
  if (stepUp === undefined) return [];
  const what = `issuer ${stepUp.section.issuer}`;
  const clock = systemClock();
  const oidc = createOidc({ ...stepUp, clock, wallClock: Date.now, metrics: createMetrics(), jitter: Math.random });
  try {
    await oidc.begin({ redirectUri: `${stepUp.baseUrl}/proof/callback`, proof: true });
    return [{ what, ok: true }];
  } catch (error) {
    return [{ what, ok: false, why: messageOf(error) }];
  }
}

/** Every governed group: found, and one that Hallpass may manage. */
async function askGroups(settings: Settings, directories: ReadonlyMap<string, Directory>): Promise<readonly Asked[]> {
  const wanted = new Map<string, { readonly directory: string; readonly group: string }>();
  for (const resource of Object.values(settings.catalog.resources))
    for (const entitlement of Object.values(resource.roles))
      for (const one of entitlement.groups) wanted.set(`${one.directory}/${one.group}`, one);
  return await Promise.all(
    [...wanted.values()].map(({ directory, group }) => askGroup(directories.get(directory), directory, group)),
  );
}

async function askGroup(directory: Directory | undefined, name: string, group: string): Promise<Asked> {
  const what = `group ${group} in ${name}`;
  try {
    const found = await directory?.findGroup(group);
    if (found === undefined) return { what, ok: false, why: 'there is no such group' };
    if (found.unmanageable !== undefined) return { what, ok: false, why: found.unmanageable };
    const members = (await directory?.listMembers(found.id)) ?? [];
    return { what, ok: true, why: standing(members) };
  } catch (error) {
    return { what, ok: false, why: messageOf(error) };
  }
}

/** Whether a directory that is to end memberships by itself can, asked of the first group that it grants. */
async function askExpiry(settings: Settings, directories: ReadonlyMap<string, Directory>): Promise<readonly Asked[]> {
  const granted = Object.values(settings.catalog.resources).flatMap((resource) =>
    Object.values(resource.roles).flatMap((entitlement) => entitlement.groups),
  );
  const asked = [...directories.values()].map(async (directory): Promise<Asked | undefined> => {
    const group = granted.find((one) => one.directory === directory.name);
    if (directory.canExpire === undefined || group === undefined) return undefined;
    const what = `native expiry in ${directory.name}`;
    try {
      const found = await directory.findGroup(group.group);
      // Said where the group itself is asked for.
      if (found === undefined) return undefined;
      if (await directory.canExpire(found.id)) return { what, ok: true };
      const why = 'this edition does not have it; while nothing of Hallpass runs, access stays';
      return { what, ok: true, warning: true, why };
    } catch (error) {
      const why = `${messageOf(error)}. Is the scope cloud-identity.groups granted, and the Cloud Identity API enabled?`;
      return { what, ok: false, why };
    }
  });
  return (await Promise.all(asked)).filter((one) => one !== undefined);
}

/** One look into each source that is read. Those that send to us are not there to be asked. */
async function askActivity(settings: Settings, directories: ReadonlyMap<string, Directory>): Promise<readonly Asked[]> {
  const clock = systemClock();
  return await Promise.all(
    activitySources(settings, directories)
      .flatMap((source) => ('port' in source ? [source] : []))
      .map(async ({ name, port }): Promise<Asked> => {
        const what = `activity source ${name}`;
        try {
          await port.read(undefined, clock.now() - LOOKED_BACK_MS);
          return { what, ok: true };
        } catch (error) {
          return { what, ok: false, why: messageOf(error) };
        }
      }),
  );
}

const LOOKED_BACK_MS = 60_000;

/** As the answers so far have said: an administrator who does not know of a small share learns of it when it is used up. */
function rateLimits(directories: ReadonlyMap<string, Directory>): readonly Asked[] {
  return [...directories.values()].flatMap((directory) => {
    const { perMinute = {}, note = '' } = directory.rateLimits?.() ?? {};
    const told = Object.entries(perMinute).map(([what, limit]) => `${what.replaceAll('-', ' ')} ${limit}`);
    if (told.length === 0) return [];
    return [
      { what: `rate limit of ${directory.name}`, ok: true, why: `calls a minute: ${told.sort().join(', ')}. ${note}` },
    ];
  });
}

const MEMBERS_NAMED = 10;

/** Default deny, measured: whoever is in a governed group today has standing access, unless a grant put them there. */
function standing(members: readonly DirectoryUser[]): string {
  if (members.length === 0) return 'nobody is a member now';
  const named = members.slice(0, MEMBERS_NAMED).map(({ login }) => login);
  const more = members.length - named.length;
  return `members now: ${named.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

/** `more`: what is asked besides, with Slack's own record of its people where Slack answers. */
async function askSlack(
  settings: Settings,
  more: (accounts: Accounts | undefined) => Promise<readonly Asked[]>,
): Promise<readonly Asked[]> {
  const { slack, env } = settings;
  if (slack === undefined || env.slackBotToken === undefined) return await more(undefined);
  const app = createSlack({
    botToken: env.slackBotToken,
    // Only the Web API is asked; nothing is received.
    signingSecret: env.slackSigningSecret ?? 'not used by check',
    ...(env.slackApiUrl === undefined ? {} : { apiUrl: env.slackApiUrl }),
    approvalsChannel: slack.approvals,
    securityChannel: slack.security,
    desk: { take: () => Promise.reject(new Error('check takes no deliveries')) },
    wallClock: Date.now,
    clock: systemClock(),
    metrics: createMetrics(),
    logger: createLog('silent', STDERR),
  });
  app.start();
  let alarm: NodeJS.Timeout | undefined;
  let look: NodeJS.Timeout | undefined;
  const failed = new Promise<undefined>((resolve) => {
    alarm = setTimeout(resolve, SLACK_WITHIN_MS, undefined);
    // The bot would go on asking; somebody who runs a check waits for the first answer.
    look = setInterval(() => app.facts().error !== undefined && resolve(undefined), LOOK_EVERY_MS);
  });
  try {
    const identity = await Promise.race([app.connected, failed]);
    if (identity === undefined) {
      const silent = { what: 'Slack', ok: false, why: app.facts().error ?? 'it does not answer' };
      return [silent, ...(await more(undefined))];
    }
    const channels = new Set([
      slack.approvals,
      slack.security,
      ...(settings.digest?.channels ?? []).flatMap((one) => (one.platform === 'slack' ? [one.conversation] : [])),
      ...Object.values(settings.catalog.resources).flatMap((resource) =>
        Object.values(resource.roles).flatMap((entitlement) => entitlement.channel ?? []),
      ),
    ]);
    return [
      { what: 'Slack', ok: true, why: `workspace ${app.facts().teamName ?? app.facts().team ?? ''}`.trim() },
      ...(await Promise.all([...channels].map((channel) => askChannel(app, channel)))),
      ...(await more(app.accounts)),
    ];
  } finally {
    clearTimeout(alarm);
    clearInterval(look);
    await app.stop(1_000);
  }
}

/** Its channels cannot be asked about before something has come from Teams; whether it may speak at all can. */
async function askTeams({ teams }: Settings): Promise<readonly Asked[]> {
  if (teams?.credentials === undefined) return [];
  const { appId, type } = teams.credentials;
  const what = `Teams, app ${appId} (${type})`;
  try {
    const { askForToken } = await import('../chat/teams/app.ts');
    await askForToken(teams.credentials);
    return [
      { what, ok: true, why: `${teams.tenants.length === 1 ? 'tenant' : 'tenants'} ${teams.tenants.join(', ')}` },
    ];
  } catch (error) {
    return [{ what, ok: false, why: messageOf(error) }];
  }
}

async function askChannel(app: ReturnType<typeof createSlack>, channel: string): Promise<Asked> {
  const what = `channel ${channel}`;
  try {
    const { name, isMember, unfit } = await app.checkChannel(channel);
    if (unfit !== undefined) return { what, ok: false, why: unfit };
    return isMember
      ? { what, ok: true, ...(name === undefined ? {} : { why: `#${name}` }) }
      : { what, ok: false, why: 'the bot is not in it; invite it there' };
  } catch (error) {
    return { what, ok: false, why: messageOf(error) };
  }
}
