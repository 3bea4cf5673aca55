/** What comes from the environment: secrets, addresses, and where the rest is found. */

export interface EnvSettings {
  readonly port: number;
  readonly baseUrl?: string;
  readonly databaseUrl: string;
  readonly slackBotToken?: string;
  readonly slackSigningSecret?: string;
  readonly slackAppToken?: string;
  /** Up to and including `/api/`. */
  readonly slackApiUrl?: string;
  readonly heartbeatUrl?: string;
  readonly alertUrl?: string;
  /** PKCS#8 in PEM, or that in base64. */
  readonly auditKey?: string;
  readonly logLevel: LogLevel;
}

const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

const DEFAULT_PORT = 3000;
const DEFAULT_DATABASE = 'sqlite:hallpass.db';

/** `withSlack`: whether the file configures Slack; undefined when the file could not be read. An empty variable counts as not set. */
export function readEnvironment(
  env: Readonly<Record<string, string | undefined>>,
  withSlack: boolean | undefined,
  problem: (name: string, message: string, instead?: string) => void,
): EnvSettings | undefined {
  let wrong = false;
  const report = (name: string, message: string, instead?: string): void => {
    wrong = true;
    problem(name, message, instead);
  };
  const get = (name: string): string | undefined => env[name] || undefined;
  const url = (name: string): string | undefined => {
    const value = get(name);
    if (value === undefined) return undefined;
    if (!URL.canParse(value) || !/^https?:$/.test(new URL(value).protocol)) {
      report(name, 'must be an http:// or https:// address');
      return undefined;
    }
    return value;
  };

  const port = get('PORT') ?? String(DEFAULT_PORT);
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535)
    report('PORT', 'must be a whole number from 0 to 65535', '3000');

  const databaseUrl = get('DATABASE_URL') ?? DEFAULT_DATABASE;
  const postgres = /^postgres(?:ql)?:\/\/./.test(databaseUrl) && URL.canParse(databaseUrl);
  if (!/^sqlite:./.test(databaseUrl) && !postgres)
    report(
      'DATABASE_URL',
      'must be sqlite:<path> or postgres://…',
      'sqlite:hallpass.db, or postgres://user:password@host/database',
    );

  const logLevel = get('LOG_LEVEL') ?? 'info';
  const level = LOG_LEVELS.find((known) => known === logLevel);
  if (level === undefined) report('LOG_LEVEL', 'is no log level', `one of ${LOG_LEVELS.join(', ')}`);

  const slackBotToken = get('SLACK_BOT_TOKEN');
  const slackSigningSecret = get('SLACK_SIGNING_SECRET');
  const slackAppToken = get('SLACK_APP_TOKEN');
  if (withSlack === true && slackBotToken === undefined)
    report(
      'SLACK_BOT_TOKEN',
      'is not set, and the file configures chat.slack',
      'the bot token of the Slack app (xoxb-…)',
    );
  if (withSlack === true && slackSigningSecret === undefined && slackAppToken === undefined)
    report(
      'SLACK_SIGNING_SECRET',
      'is not set, so nobody could tell whether a request comes from Slack',
      'the signing secret of the Slack app, or SLACK_APP_TOKEN for socket mode',
    );

  const baseUrl = url('HALLPASS_BASE_URL');
  const apiUrl = url('SLACK_API_URL');
  const heartbeatUrl = url('HALLPASS_HEARTBEAT_URL');
  const alertUrl = url('HALLPASS_ALERT_URL');
  const auditKey = get('HALLPASS_AUDIT_KEY');
  if (wrong || level === undefined) return undefined;
  return {
    port: Number(port),
    databaseUrl,
    logLevel: level,
    ...(baseUrl !== undefined && { baseUrl }),
    ...(slackBotToken !== undefined && { slackBotToken }),
    ...(slackSigningSecret !== undefined && { slackSigningSecret }),
    ...(slackAppToken !== undefined && { slackAppToken }),
    ...(apiUrl !== undefined && { slackApiUrl: apiUrl.endsWith('/') ? apiUrl : `${apiUrl}/` }),
    ...(heartbeatUrl !== undefined && { heartbeatUrl }),
    ...(alertUrl !== undefined && { alertUrl }),
    ...(auditKey !== undefined && { auditKey }),
  };
}

/** What a command line that talks to a Hallpass elsewhere goes by. */
export interface ClientEnvironment {
  readonly url?: string;
  readonly token?: string;
  /** Where the sessions of `hallpass login` are kept. */
  readonly folder: string;
  /** The environment names a configuration file: what is meant is this host. */
  readonly hostConfig: boolean;
  /** For the command that `run` starts: without our credential, which is none of its business. */
  readonly child: Readonly<Record<string, string | undefined>>;
}

export function readClientEnvironment(env: Readonly<Record<string, string | undefined>>): ClientEnvironment {
  const { HALLPASS_TOKEN: token, HALLPASS_URL: url, XDG_CONFIG_HOME: config, HOME: home, ...rest } = env;
  const folder = `${config || `${home || '.'}/.config`}/hallpass`;
  return {
    ...(url ? { url } : {}),
    ...(token ? { token } : {}),
    folder,
    hostConfig: Boolean(env.HALLPASS_CONFIG),
    child: {
      ...rest,
      ...(home === undefined ? {} : { HOME: home }),
      ...(config === undefined ? {} : { XDG_CONFIG_HOME: config }),
    },
  };
}
