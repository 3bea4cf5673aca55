/**
 * The sandbox's outside world: a local Slack, a local Okta and a local Google with people, groups and a configuration, held by the
 * parent process. The bot is a child process, so that it can be killed and started again while the world stays.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type GoogleSeed, type GoogleServer, startGoogleServer } from './google-server.ts';
import { ACR, type Issuer, startIssuer } from './issuer.ts';
import { type OktaServer, startOktaServer } from './okta-server.ts';
import { type Playground, startPlayground, TEAMS_APPROVALS, TENANT } from './playground.ts';
import { createPerson, type SlackPerson } from './slack-people.ts';
import { type SlackServer, startSlackServer } from './slack-server.ts';

/** Good for nothing but the sandbox's own servers. */
export const SECRETS = {
  botToken: 'xoxb-sandbox',
  signingSecret: 'sandbox-signing-secret',
  oktaToken: 'sandbox-okta-token',
  bastion: 'sandbox-bastion-secret',
  oidcSecret: 'sandbox-oidc-secret',
} as const;
const TEAM = 'T0SANDBOX';

/** The hour of the digest, in the sandbox's own zone, where a digest is wanted. */
export const DIGEST_HOUR = 9;

export const APPROVALS = 'C0APPROVALS';
export const SECURITY = 'C0SECURITY';

/** Immutable ids as the local Okta and the local Slack know these people; none of them is real. */
export const PEOPLE = {
  ana: {
    slack: 'U0ANA',
    okta: '00uana00000000000001',
    google: '100000000000000000001',
    name: 'Ana Sousa',
    email: 'ana@example.com',
  },
  ben: {
    slack: 'U0BEN',
    okta: '00uben00000000000001',
    google: '100000000000000000002',
    name: 'Ben Okafor',
    email: 'ben@example.com',
  },
  cat: {
    slack: 'U0CAT',
    okta: '00ucat00000000000001',
    google: '100000000000000000003',
    name: 'Cat Lindqvist',
    email: 'cat@example.com',
  },
  dan: {
    slack: 'U0DAN',
    okta: '00udan00000000000001',
    google: '100000000000000000004',
    name: 'Dan Ito',
    email: 'dan@example.com',
  },
  pat: {
    slack: 'U0PAT',
    okta: '00upat00000000000001',
    google: '100000000000000000005',
    name: 'Pat Moreau',
    email: 'pat@example.com',
  },
  sam: {
    slack: 'U0SAM',
    okta: '00usam00000000000001',
    google: '100000000000000000006',
    name: 'Sam Haddad',
    email: 'sam@example.com',
  },
} as const;
export type Name = keyof typeof PEOPLE;

export const GROUPS = {
  engineering: '00gengineering000001',
  security: '00gsecurity000000001',
  read: '00gproddbread0000001',
  admin: '00gproddbadmin000001',
  payments: '00gpayments000000001',
} as const;

/** The one group in the local Google; together with `GROUPS.admin` it makes somebody an administrator of the database. */
export const GOOGLE_GROUP = { id: '01gdbadmins0001', email: 'db-admins@example.com' } as const;

/** With a Google, `db-prod:admin` grants a group in each of the two directories. */
export const configuration = (okta: string, google?: string) => `timezone: UTC
admins:     [ group:okta/security ]
responders: [ group:okta/security ]
viewers:    [ group:okta/engineering ]
identity:   { match: confirmed-email }
directories:
  okta: { type: okta, url: "${okta}", auth: { token: "\${OKTA_TOKEN}" } }${
    google === undefined ? '' : `\n  google: { type: google, auth: { keyFile: google.json }, rootUrl: "${google}" }`
  }
chat:
  slack: { approvals: ${APPROVALS}, security: ${SECURITY} }
onCall:
  dba: { type: static, people: [ ${PEOPLE.ben.email}, ${PEOPLE.cat.email} ] }
policies:
  standard:
    requesters: [ group:okta/engineering ]
    approvers:  [ on-call:dba ]
    approvals: 1
    duration: { default: 30m, max: 4h }
    reason: { minLength: 10 }
    lapseAfter: 1h
    warnBefore: 5m
resources:
  db-prod:
    title: Orders database
    roles:
      read:  { grants: [ { directory: okta, group: prod-db-read } ],  policy: standard }
      admin: { grants: [ { directory: okta, group: prod-db-admin }${
        google === undefined ? '' : `, { directory: google, group: ${GOOGLE_GROUP.email} }`
      } ], policy: standard, sessionTail: 1h }
    defaultRole: read
  reports:
    title: Monthly reports, which read the orders database
    roles:
      read: { grants: [ { directory: okta, group: prod-db-read } ], policy: standard }
`;

/** A resource whose approval wants a proof. */
export function withPayments(yaml: string): string {
  return yaml.replace(
    'resources:\n',
    `  payments:
    extends: standard
    proof: { approve: mfa }
resources:
  payments:
    title: Payments ledger
    roles:
      write: { grants: [ { directory: okta, group: payments-write } ], policy: payments }
`,
  );
}

/** Where people sign in, at the local issuer. */
export const stepUp = (issuer: string) =>
  `stepUp: { type: okta, issuer: "${issuer}", clientId: hallpass, clientSecret: "\${OIDC_SECRET}", acr: [ "${ACR.mfa}" ], personBy: sub }
`;

/** The same with a bastion before the orders database, which sends what people do there. */
export function withBastion(yaml: string): string {
  const own = '    activity: { source: bastion, match: "activity.resource == \'orders\'" }\n';
  return `${yaml.replace('    title: Orders database\n', `    title: Orders database\n${own}`)}activity:
  bastion: { type: ingest, secret: "\${BASTION_SECRET}" }
aliases: { ${PEOPLE.ana.email}: [ ana_ro ] }
`;
}

/** The same with Teams beside Slack. */
export function withTeams(yaml: string): string {
  return yaml.replace('chat:\n', `chat:\n  teams: { approvals: "${TEAMS_APPROVALS}", tenants: [ ${TENANT} ] }\n`);
}

export interface Bot {
  readonly port: number;
  readonly pid: number;
  /** SIGKILL: nothing is finished, nothing is said. */
  kill(): Promise<void>;
  /** SIGTERM, and the exit code. */
  stop(): Promise<number | null>;
}

export interface World {
  readonly slack: SlackServer;
  readonly okta: OktaServer;
  /** Where it was asked for, from the first start of the bot on. */
  readonly teams: Playground | undefined;
  readonly google: GoogleServer;
  /** Where people sign in; absent where `oidc-provider` is not installed. */
  readonly issuer: Issuer | undefined;
  /** The bot's own web view; absent where nobody can sign in. */
  readonly consoleUrl: string | undefined;
  readonly databaseUrl: string;
  /** The bot's `hallpass.yaml`, with the key of the local Google beside it. */
  readonly configPath: string;
  /** For a shell: with what is in this file the host's commands work on the bot's record, its directories and its Slack. */
  readonly environmentPath: string;
  /** Absent while none runs. */
  readonly bot: Bot | undefined;
  /** Whether the bot's process lives; it may have ended by itself. */
  readonly running: boolean;
  startBot(): Promise<Bot>;
  person(name: Name): SlackPerson;
  /** Moves the bot's clock on; signatures and the world keep real time. */
  moveClock(ms: number): Promise<void>;
  readonly clockOffsetMs: number;
  close(): Promise<void>;
}

export interface WorldOptions {
  /** Kept and used; a fresh file of the sandbox's own when left out. */
  readonly databaseUrl?: string;
  /** The bot's port; a free one when left out. */
  readonly port?: number;
  readonly logLevel?: string;
  /** Whether a digest is posted each day; when left out, only when asked for. */
  readonly digest?: boolean;
  /** Teams besides Slack; `port` of its Playground, a free one when left out. */
  readonly teams?: { readonly port?: number };
}

const START_WITHIN_MS = 20_000;

export async function createWorld(options: WorldOptions): Promise<World> {
  const folder = await mkdtemp(join(tmpdir(), 'hallpass-sandbox-'));
  const databaseUrl = options.databaseUrl ?? `sqlite:${join(folder, 'hallpass.db')}`;
  const slack = await startSlackServer({ seed: slackSeed() });
  const okta = await startOktaServer({ seed: oktaSeed() });
  const account = serviceAccount();
  const google = await startGoogleServer({ seed: googleSeed(account.publicKey) });
  // The bot's address is part of what it tells people, so it is known before the bot is.
  let port = options.port ?? (await freePort());
  const baseUrl = `http://127.0.0.1:${port}`;
  const issuer = await startIssuer({
    people: Object.values(PEOPLE).map(({ okta, name, email }) => ({ subject: okta, name, email })),
    clientId: 'hallpass',
    clientSecret: SECRETS.oidcSecret,
    redirectUris: [`${baseUrl}/proof/callback`, `${baseUrl}/console/callback`],
  });
  const configPath = join(folder, 'hallpass.yaml');
  await writeFile(join(folder, 'google.json'), account.json, { mode: 0o600 });
  const digest = options.digest === true ? `digest: { at: '0${DIGEST_HOUR}:00', to: security }\n` : '';
  const plain = withBastion(`${configuration(okta.url, google.url)}${digest}`);
  const yaml = issuer === undefined ? plain : `${withPayments(plain)}${stepUp(issuer.url)}`;
  await writeFile(configPath, options.teams === undefined ? yaml : withTeams(yaml));

  // What the bot has, and the host's commands need.
  const environment = {
    HALLPASS_CONFIG: configPath,
    DATABASE_URL: databaseUrl,
    SLACK_BOT_TOKEN: SECRETS.botToken,
    SLACK_SIGNING_SECRET: SECRETS.signingSecret,
    SLACK_API_URL: slack.url,
    OKTA_TOKEN: SECRETS.oktaToken,
    BASTION_SECRET: SECRETS.bastion,
    OIDC_SECRET: SECRETS.oidcSecret,
    HALLPASS_BASE_URL: baseUrl,
  };
  const environmentPath = join(folder, 'environment');
  const assigned = Object.entries(environment).map(([name, value]) => `${name}='${value.replaceAll("'", "'\\''")}'\n`);
  await writeFile(environmentPath, assigned.join(''), { mode: 0o600 });

  let bot: Bot | undefined;
  let teams: Playground | undefined;
  let child: ChildProcess | undefined;
  let clockOffsetMs = 0;

  async function startBot(): Promise<Bot> {
    if (child !== undefined) throw new Error('the bot runs already');
    const started = fork(fileURLToPath(new URL(`./bot${extension()}`, import.meta.url)), [String(clockOffsetMs)], {
      // Its whole environment: what happens to be set around the sandbox must not change what it shows.
      env: {
        ...environment,
        PORT: String(port),
        LOG_LEVEL: options.logLevel ?? 'error',
      },
      // Its log goes to stderr: stdout is for what the sandbox says.
      stdio: ['ignore', 2, 2, 'ipc'],
    });
    child = started;
    const exited = once(started, 'exit').then(([code]) => {
      child = undefined;
      bot = undefined;
      return code as number | null;
    });
    const ready = await Promise.race([
      answer<{ ready: number }>(started, 'ready', START_WITHIN_MS),
      exited.then((code) => {
        throw new Error(`the bot ended with code ${code} before it was ready`);
      }),
    ]);
    port = ready.ready;
    bot = {
      port,
      pid: started.pid ?? 0,
      async kill() {
        started.kill('SIGKILL');
        await exited;
      },
      async stop() {
        started.kill('SIGTERM');
        return await exited;
      },
    };
    // It has to know where the bot is, and the bot learns from it where Teams is.
    if (options.teams !== undefined)
      teams ??= await startPlayground({
        folder: join(folder, 'teams'),
        botUrl: `http://127.0.0.1:${port}`,
        people: PEOPLE,
        ...options.teams,
      });
    return bot;
  }

  return {
    slack,
    okta,
    google,
    issuer,
    consoleUrl: issuer === undefined ? undefined : `${baseUrl}/console`,
    configPath,
    environmentPath,
    databaseUrl,
    get teams() {
      return teams;
    },
    get bot() {
      return bot;
    },
    get running() {
      return child !== undefined && child.exitCode === null && child.signalCode === null;
    },
    get clockOffsetMs() {
      return clockOffsetMs;
    },
    startBot,
    person: (name) =>
      createPerson(slack, {
        signingSecret: SECRETS.signingSecret,
        botUrl: `http://127.0.0.1:${port}`,
        userId: PEOPLE[name].slack,
      }),
    async moveClock(ms) {
      clockOffsetMs += ms;
      if (child?.connected !== true) return;
      const moved = answer(child, 'moved', START_WITHIN_MS);
      child.send({ clockOffsetMs });
      await moved;
    },
    async close() {
      if (child !== undefined) {
        // Also one that never became ready.
        const gone = once(child, 'exit');
        child.kill('SIGTERM');
        await gone;
      }
      await teams?.close();
      await slack.close();
      await okta.close();
      await google.close();
      await issuer?.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function freePort(): Promise<number> {
  const probe = createServer();
  probe.listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, 'close');
  return port;
}

/** The next message of the child that has this key. */
function answer<T extends object>(child: ChildProcess, key: string, timeoutMs: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const alarm = setTimeout(() => finish(new Error(`the bot did not say "${key}" in time`)), timeoutMs);
    const listen = (message: unknown) => {
      if (typeof message === 'object' && message !== null && key in message) finish(message as T);
    };
    function finish(result: T | Error): void {
      clearTimeout(alarm);
      child.off('message', listen);
      if (result instanceof Error) reject(result);
      else resolve(result);
    }
    child.on('message', listen);
  });
}

/** Run from source or from `dist/`, the bot is beside this file. */
function extension(): string {
  return import.meta.url.endsWith('.ts') ? '.ts' : '.js';
}

export function slackSeed() {
  return {
    team: { id: TEAM, name: 'Sandbox', domain: 'sandbox' },
    botToken: SECRETS.botToken,
    signingSecret: SECRETS.signingSecret,
    appId: 'A0SANDBOX',
    users: Object.values(PEOPLE).map(({ slack, name, email }) => ({
      id: slack,
      name: email.split('@')[0] ?? name,
      real_name: name,
      email,
      is_email_confirmed: true,
      tz: 'Etc/UTC',
    })),
    channels: [
      { id: APPROVALS, name: 'access-approvals', is_member: true },
      { id: SECURITY, name: 'security', is_member: true },
    ],
  };
}

export function oktaSeed() {
  return {
    users: Object.values(PEOPLE).map(({ okta, name, email }) => ({ id: okta, login: email, email, name })),
    groups: [
      {
        id: GROUPS.engineering,
        name: 'engineering',
        members: [PEOPLE.ana.okta, PEOPLE.ben.okta, PEOPLE.cat.okta, PEOPLE.dan.okta],
      },
      { id: GROUPS.security, name: 'security', members: [PEOPLE.sam.okta] },
      // Pat was here before Hallpass, and stays.
      { id: GROUPS.read, name: 'prod-db-read', members: [PEOPLE.pat.okta] },
      { id: GROUPS.admin, name: 'prod-db-admin', members: [] },
      { id: GROUPS.payments, name: 'payments-write', members: [] },
    ],
    tokens: [{ token: SECRETS.oktaToken }],
  };
}

const ACCOUNT = 'hallpass@sandbox.iam.gserviceaccount.com';

/** A service account with a key of its own, made anew for each sandbox. */
export function serviceAccount(): { readonly publicKey: string; readonly json: string } {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 });
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  return {
    publicKey: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    json: JSON.stringify({ type: 'service_account', client_email: ACCOUNT, private_key: pem }),
  };
}

export function googleSeed(publicKey: string): GoogleSeed {
  return {
    users: Object.values(PEOPLE).map(({ google, name, email }) => ({ id: google, email, name })),
    groups: [GOOGLE_GROUP],
    accounts: [{ email: ACCOUNT, publicKey }],
  };
}

/** The name of whoever has this id in one of the two directories. */
export function nameOfUser(id: string): string | undefined {
  return Object.values(PEOPLE).find(({ okta, google }) => okta === id || google === id)?.name;
}
