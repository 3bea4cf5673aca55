/**
 * Settings: the environment and `hallpass.yaml`, read once and judged whole. The only reader of the environment. A
 * file that is wrong anywhere is refused everywhere, with every problem at once; nothing falls back to a default
 * because it could not be understood.
 */
import { createHash, createPrivateKey } from 'node:crypto';
import { dirname, resolve } from 'node:path';
import canonicalize from 'canonicalize';
import type { z } from 'zod';
import { type Catalog, nearest } from './access/catalog.ts';
import type { Detection } from './access/detection.ts';
import type { ActivitySourceSection } from './activity/section.ts';
import type { WebhookSection } from './api/webhooks-section.ts';
import type { AuditSection } from './audit/section.ts';
import { compileCondition, compileDetection, compileMatch } from './conditions/cel.ts';
import { activityKeptMs, aliasesOf, lateMs } from './config-activity.ts';
import { checkConfig } from './config-checks.ts';
import { listYaml, readDetections, shippedDetections } from './config-detections.ts';
import { type ClientEnvironment, type EnvSettings, readClientEnvironment, readEnvironment } from './config-env.ts';
import { type Named, namedIn } from './config-named.ts';
import { type ParsedFile, type Path, parseFile, pathText } from './config-positions.ts';
import { type ConfigFile, configSchema, isLaterType, keysAt, platformOfChannel } from './config-schema.ts';
import { type StepUpSettings, stepUpOf } from './config-step-up.ts';
import { readTeamsCredentials, type TeamsCredentials } from './config-teams.ts';
import type { CommandSection } from './directories/command-section.ts';
import { type GoogleSection, serviceAccountKey } from './directories/google-section.ts';
import type { OktaSection } from './directories/okta-section.ts';
import type { IncidentsSection } from './people/incidents.ts';
import type { OnCallSection } from './people/sources.ts';
import type { WorkloadSection } from './people/workload-section.ts';

export type { EnvSettings } from './config-env.ts';
export { jsonSchema } from './config-schema.ts';

export interface Problem {
  /** `policies.standard.duration.max`, or `env.PORT`; empty when it is the file as a whole. */
  readonly path: string;
  /** In the file; absent for what stands in the environment. */
  readonly line?: number;
  readonly column?: number;
  /** Never holds a secret. */
  readonly message: string;
  /** What to write in its place, where that can be said. */
  readonly instead?: string;
}

export interface DirectorySettings {
  readonly name: string;
  readonly section: OktaSection | GoogleSection | CommandSection;
  /** Content of `auth.keyFile`. */
  readonly keyText?: string;
}

export type ActivitySettings = ActivitySourceSection & { readonly lateMs: number };

export interface Settings {
  readonly catalog: Catalog;
  /** In the order of the file; the first says who people are. */
  readonly directories: readonly DirectorySettings[];
  readonly identityDirectory: string;
  readonly slack?: { readonly approvals: string; readonly security: string; readonly workspaces?: readonly string[] };
  readonly teams?: {
    readonly approvals: string;
    readonly security: string;
    /** Tenants whose people may act. */
    readonly tenants: readonly string[];
    /** Absent where nothing is received from Teams, and in the sandbox. */
    readonly credentials?: TeamsCredentials;
  };
  readonly onCall: Readonly<Record<string, OnCallSection>>;
  readonly incidents?: IncidentsSection;
  readonly workloads: Readonly<Record<string, WorkloadSection & { readonly audience: string }>>;
  /** Everybody and every group that the file relies on, and where it says so. */
  readonly named: readonly Named[];
  /** The scheduled digest; absent: there is none. The time is in the catalog's zone. */
  readonly digest?: {
    readonly hour: number;
    readonly minute: number;
    readonly channels: readonly { readonly platform: 'slack' | 'teams'; readonly conversation: string }[];
  };
  /** Where people sign in; absent: nowhere, and nothing listens for them. */
  readonly stepUp?: StepUpSettings;
  /** By name, with how late an activity of each may come in. */
  readonly webhooks: Readonly<Record<string, WebhookSection>>;
  readonly activitySources: Readonly<Record<string, ActivitySettings>>;
  /** Other names of people in what sources tell: account → email, in lower case. */
  readonly aliases: Readonly<Record<string, string>>;
  readonly activityKeptMs: number;
  /** Ours and the operator's; none where no activity is read. */
  readonly detections: readonly Detection[];
  /** Absent: the security channels. */
  readonly findingsChannel?: { readonly platform: 'slack' | 'teams'; readonly conversation: string };
  readonly audit: AuditSection;
  readonly identity: { readonly match?: 'confirmed-email' };
  readonly people: Readonly<Record<string, string>>;
  readonly env: EnvSettings;
  /** Said, and no reason to refuse the file. */
  readonly warnings: readonly Problem[];
  readonly path: string;
  /** SHA-256 of the file's text. */
  readonly fileHash: string;
}

export type Loaded =
  | { readonly ok: true; readonly settings: Settings }
  | { readonly ok: false; readonly problems: readonly Problem[]; readonly warnings: readonly Problem[] };

export interface Sources {
  /** Left out: the environment of this process. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** The text of a file; throws when there is none. */
  readonly readFile: (path: string) => string;
  /** The YAML files in a folder, by name; throws when there is none. Left out: those on this machine. */
  readonly listFolder?: (path: string) => readonly string[];
  /** Left out: `HALLPASS_CONFIG`, then `hallpass.yaml`. */
  readonly path?: string;
  /** The chat platform's secrets are not needed: ending access takes the database and the directories alone. */
  readonly withoutChat?: boolean;
  /** The sandbox speaks for Teams itself, on this machine: there is no app registration, and nothing is verified. */
  readonly unverifiedTeams?: boolean;
}

/** Of this process. */
export function clientEnvironment(): ClientEnvironment {
  return readClientEnvironment(process.env);
}

/** Never throws. */
export function loadConfig(sources: Sources): Loaded {
  const { env = process.env, readFile, path: given, withoutChat = false, unverifiedTeams = false } = sources;
  const path = given ?? (env.HALLPASS_CONFIG || 'hallpass.yaml');
  const reading = new Reading(env);
  let text: string;
  try {
    text = readFile(path);
  } catch (error) {
    reading.problem([], `${path} cannot be read (${codeOf(error)})`);
    readEnvironment(env, undefined, (name, message, instead) => reading.environment(name, message, instead));
    return reading.refused();
  }
  reading.file = parseFile(text);
  for (const { line, column, message } of reading.file.problems)
    reading.problems.push({ path: '', line, column, message });

  const value = reading.filledIn(reading.file.value, []);
  const parsed = reading.file.problems.length > 0 ? undefined : configSchema.safeParse(value, { reportInput: false });
  if (parsed?.success === false) for (const issue of parsed.error.issues) explain(reading, issue, value);
  const file = parsed?.success === true ? parsed.data : undefined;
  const checked = file === undefined ? undefined : checkConfig(file, policyHash, compileCondition, compileMatch);
  for (const { path: at, message, instead, warning } of checked?.findings ?? [])
    if (warning) reading.warning(at, message);
    else reading.problem(at, message, instead);
  const directories = file === undefined ? [] : readKeys(file, path, readFile, reading);
  const onCall = file === undefined ? {} : onCallOf(file, path, readFile, reading);
  const detections = file === undefined ? [] : detectionsOf(file, path, sources, reading);
  const settings = readEnvironment(env, !withoutChat && file?.chat?.slack !== undefined, (name, message, instead) =>
    reading.environment(name, message, instead),
  );
  const stepUp =
    file === undefined || withoutChat
      ? undefined
      : stepUpOf(file, env.HALLPASS_BASE_URL || undefined, {
          report: (at, message, instead) => reading.problem(at, message, instead),
          warn: (at, message) => reading.warning(at, message),
          environment: (name, message, instead) => reading.environment(name, message, instead),
        });
  const credentials =
    withoutChat || unverifiedTeams || file?.chat?.teams === undefined
      ? undefined
      : readTeamsCredentials(env, (name, message, instead) => reading.environment(name, message, instead));
  if (unverifiedTeams && file?.chat?.teams !== undefined && file.chat.teams.tenants === undefined)
    reading.problem(['chat', 'teams'], 'without an app registration the tenants have to be named', 'tenants: [ … ]');
  const workloads = workloadsOf(file, settings?.baseUrl, reading);
  if (file === undefined || checked === undefined || settings === undefined || reading.problems.length > 0)
    return reading.refused();

  const slack = file.chat?.slack;
  const { locate } = reading.file;
  const teams = file.chat?.teams;
  return {
    ok: true,
    settings: {
      catalog: checked.catalog,
      directories,
      identityDirectory: directories[0]?.name ?? '',
      ...(slack && {
        slack: {
          approvals: slack.approvals,
          security: slack.security ?? slack.approvals,
          ...(slack.workspaces && { workspaces: slack.workspaces }),
        },
      }),
      ...(teams && {
        teams: {
          approvals: teams.approvals,
          security: teams.security ?? teams.approvals,
          tenants: teams.tenants ?? (credentials === undefined ? [] : [credentials.tenant]),
          ...(credentials && { credentials }),
        },
      }),
      onCall,
      ...(file.incidents && { incidents: file.incidents }),
      workloads,
      named: namedIn(file, checked.catalog, locate),
      ...digestOf(file),
      ...(stepUp && { stepUp }),
      activitySources: sourcesOf(file),
      webhooks: file.webhooks ?? {},
      aliases: aliasesOf(file),
      activityKeptMs: activityKeptMs(file),
      detections,
      ...(file.findings?.channel && {
        findingsChannel: {
          platform: platformOfChannel(file.findings.channel),
          conversation: file.findings.channel,
        },
      }),
      audit: file.audit ?? {},
      identity: file.identity?.match === undefined ? {} : { match: file.identity.match },
      people: file.people ?? {},
      env: settings,
      warnings: reading.told(reading.warnings),
      path,
      fileHash: sha256(text),
    },
  };
}

function workloadsOf(file: ConfigFile | undefined, baseUrl: string | undefined, reading: Reading) {
  const workloads: Record<string, WorkloadSection & { readonly audience: string }> = {};
  for (const [name, section] of Object.entries(file?.workloads ?? {})) {
    const audience = section.audience ?? baseUrl;
    if (audience !== undefined) workloads[name] = { ...section, audience };
    else
      reading.problem(['workloads', name], 'its tokens are made out for nobody', 'audience: …, or HALLPASS_BASE_URL');
  }
  return workloads;
}

function sourcesOf(file: ConfigFile): Settings['activitySources'] {
  return Object.fromEntries(
    Object.entries(file.activity ?? {}).map(([name, section]) => [name, { ...section, lateMs: lateMs(section) }]),
  );
}

/** Judged only where activity is read: most files have none, and the language takes a moment to load. */
function detectionsOf(
  file: ConfigFile,
  configPath: string,
  { readFile, listFolder = listYaml }: Sources,
  reading: Reading,
): Settings['detections'] {
  const { folder } = file.findings ?? {};
  if (file.activity === undefined && folder === undefined) return [];
  const theirs: { name: string; text: string }[] = [];
  if (folder !== undefined) {
    const at: Path = ['findings', 'folder'];
    try {
      const place = resolve(dirname(configPath), folder);
      for (const name of listFolder(place))
        theirs.push({ name: `${folder}/${name}`, text: readFile(resolve(place, name)) });
    } catch (error) {
      reading.problem(at, `${folder} cannot be read (${codeOf(error)})`);
      return [];
    }
  }
  const { detections, problems } = readDetections(shippedDetections(), theirs, compileDetection);
  for (const { file: name, path, line, column, message } of problems)
    reading.problems.push({ path: path === '' ? name : `${name}: ${path}`, line, column, message });
  return detections;
}

const DIGEST_AT = '09:00';

function digestOf({ digest, chat }: ConfigFile): Pick<Settings, 'digest'> {
  if (digest === undefined || chat === undefined) return {};
  const [hour = 0, minute = 0] = (digest.at ?? DIGEST_AT).split(':').map(Number);
  const to = digest.to ?? 'security';
  const { slack, teams } = chat;
  const channels =
    to === 'security'
      ? [
          ...(slack === undefined
            ? []
            : [{ platform: 'slack' as const, conversation: slack.security ?? slack.approvals }]),
          ...(teams === undefined
            ? []
            : [{ platform: 'teams' as const, conversation: teams.security ?? teams.approvals }]),
        ]
      : [{ platform: platformOfChannel(to), conversation: to }];
  return { digest: { hour, minute, channels } };
}

/** Collects what is wrong, knows where it stands, and keeps secrets out of it. */
class Reading {
  file: ParsedFile | undefined;
  readonly problems: Problem[] = [];
  readonly warnings: Problem[] = [];
  readonly #env: NonNullable<Sources['env']>;
  /** Texts that must not be shown, and what is shown for them. */
  readonly #secrets = new Map<string, string>();

  constructor(env: NonNullable<Sources['env']>) {
    this.#env = env;
    for (const name of SECRET_ENV) this.#hide(env[name], `\${${name}}`);
  }

  problem(path: Path, message: string, instead?: string): void {
    this.problems.push(this.#at(path, message, instead));
  }

  warning(path: Path, message: string, instead?: string): void {
    this.warnings.push(this.#at(path, message, instead));
  }

  environment(name: string, message: string, instead?: string): void {
    this.problems.push({ path: `env.${name}`, message, ...(instead !== undefined && { instead }) });
  }

  refused(): Loaded {
    return { ok: false, problems: this.told(this.problems), warnings: this.told(this.warnings) };
  }

  /** In the order of the file, each once, without secrets. */
  told(problems: readonly Problem[]): readonly Problem[] {
    const clean = problems.map((problem) => ({
      ...problem,
      message: this.#redacted(problem.message),
      ...(problem.instead !== undefined && { instead: this.#redacted(problem.instead) }),
    }));
    const once = new Map(
      clean.map((problem) => [JSON.stringify([problem.path, problem.line, problem.message]), problem]),
    );
    return [...once.values()].sort(
      (a, b) =>
        (a.line ?? Number.MAX_SAFE_INTEGER) - (b.line ?? Number.MAX_SAFE_INTEGER) || (a.column ?? 0) - (b.column ?? 0),
    );
  }

  /** The data with each `${NAME}` replaced. */
  filledIn(value: unknown, path: Path): unknown {
    if (typeof value === 'string') return this.#filled(value, path);
    if (Array.isArray(value)) return value.map((item, i) => this.filledIn(item, [...path, i]));
    if (typeof value !== 'object' || value === null) return value;
    const filled: Record<string, unknown> = {};
    for (const [key, inner] of Object.entries(value)) {
      // Assigning it would set the prototype and lose the key, and so an unknown key would pass unseen.
      if (key === '__proto__') this.problem([...path, key], 'unknown key');
      else filled[key] = this.filledIn(inner, [...path, key]);
    }
    return filled;
  }

  #filled(text: string, path: Path): string {
    const key = path.at(-1);
    if (typeof key === 'string' && SECRET_KEYS.has(key) && !text.includes('${')) {
      this.#hide(text, '(hidden)');
      const instead = `${key}: "\${NAME}", with NAME in the environment`;
      if (path[0] === 'onCall' || path[0] === 'incidents' || path[0] === 'stepUp' || path[0] === 'activity')
        this.problem(
          path,
          `a ${/secret/i.test(key) ? 'secret' : 'token'} must not stand in the file in clear`,
          instead,
        );
      else this.warning(path, 'a secret stands in the file in clear', instead);
    }
    return text.replace(/\$\{([^}]*)\}/g, (whole, name: string) => {
      const value =
        /^[A-Za-z_][A-Za-z0-9_]*$/.test(name) && Object.hasOwn(this.#env, name) ? this.#env[name] : undefined;
      if (value === undefined || value === '') {
        this.problem(path, `the environment variable ${name.slice(0, 80)} is not set`);
        return whole;
      }
      this.#hide(value, whole);
      return value;
    });
  }

  #at(path: Path, message: string, instead?: string): Problem {
    const place = this.file?.locate(path);
    return { path: pathText(path), ...place, message, ...(instead !== undefined && { instead }) };
  }

  #hide(value: string | undefined, shown: string): void {
    if (value !== undefined && value.length >= SECRET_LENGTH_MIN) this.#secrets.set(value, shown);
  }

  #redacted(text: string): string {
    let clean = text;
    // Longest first, so that a secret that is part of another leaves no remainder.
    for (const [secret, shown] of [...this.#secrets].sort((a, b) => b[0].length - a[0].length))
      clean = clean.replaceAll(secret, shown);
    return clean;
  }
}

/** Hiding shorter values would blot out half of every message, and would hide nothing worth hiding. */
const SECRET_LENGTH_MIN = 4;
const SECRET_KEYS: ReadonlySet<string> = new Set(['token', 'key', 'secret', 'clientSecret']);
const SECRET_ENV = [
  'SLACK_BOT_TOKEN',
  'SLACK_SIGNING_SECRET',
  'SLACK_APP_TOKEN',
  'HALLPASS_AUDIT_KEY',
  'MICROSOFT_APP_PASSWORD',
];

type Issue = z.core.$ZodIssue;

/** One issue of the schema in the words of whoever writes the file. */
function explain(reading: Reading, issue: Issue, value: unknown, above: Path = []): void {
  const path: Path = [...above, ...issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part))];
  switch (issue.code) {
    case 'unrecognized_keys':
      for (const key of issue.keys) {
        const near = nearest(key.toLowerCase(), keysAt(path));
        reading.problem(
          [...path, key],
          `unknown key "${key}"`,
          near.length > 0 ? near.join(' or ') : `one of ${keysAt(path).join(', ')}`,
        );
      }
      return;
    case 'invalid_key':
      for (const inner of issue.issues) reading.problem(path, inner.message);
      return;
    case 'invalid_union': {
      const closest = [...issue.errors].sort((a, b) => distance(a) - distance(b))[0];
      if (closest !== undefined) {
        for (const inner of closest) explain(reading, inner, value, path);
        return;
      }
      const type = valueAt(value, path);
      const known =
        path[0] === 'onCall'
          ? ON_CALL_TYPES
          : path[0] === 'incidents'
            ? 'pagerduty or incident-io'
            : path[0] === 'activity'
              ? 'okta, google or ingest'
              : 'okta, google or command';
      if (isLaterType(type))
        reading.problem(path, `"${String(type)}" is not supported by this version of Hallpass`, known);
      else reading.problem(path, type === undefined ? 'the type is missing' : 'there is no such type', known);
      return;
    }
    case 'custom': {
      const instead: unknown = issue.params?.instead;
      reading.problem(path, issue.message, typeof instead === 'string' ? instead : undefined);
      return;
    }
    case 'invalid_type': {
      const found = valueAt(value, path);
      if (found === undefined) reading.problem(path, `"${pathText(path)}" is missing`);
      else
        reading.problem(
          path,
          `must be ${KINDS[issue.expected] ?? issue.expected}`,
          path.includes('duration') ? 'such as 30m' : undefined,
        );
      return;
    }
    default:
      reading.problem(path, issue.message.replace(/^Invalid input: /, ''));
  }
}

const ON_CALL_TYPES = 'static, slack-user-group, pagerduty, google-calendar or incident-io';

const KINDS: Readonly<Record<string, string>> = {
  object: 'a section with keys',
  record: 'a section with names',
  array: 'a list',
  string: 'a text',
  int: 'a whole number',
  number: 'a number',
};

/** Of several allowed forms, the one meant is most likely the one with the fewest strange keys. */
function distance(issues: readonly Issue[]): number {
  return issues.reduce((sum, issue) => sum + (issue.code === 'unrecognized_keys' ? 10 * issue.keys.length : 1), 0);
}

function valueAt(value: unknown, path: Path): unknown {
  let here = value;
  for (const part of path) {
    if (typeof here !== 'object' || here === null || !Object.hasOwn(here, part)) return undefined;
    here = (here as Record<string | number, unknown>)[part];
  }
  return here;
}

function readKeys(
  file: ConfigFile,
  configPath: string,
  readFile: Sources['readFile'],
  reading: Reading,
): readonly DirectorySettings[] {
  return Object.entries(file.directories).map(([name, section]) => {
    if (section.type === 'command') return { name, section };
    const { auth } = section;
    if (auth === 'adc' || 'token' in auth) return { name, section };
    const at: Path = ['directories', name, 'auth', auth.keyFile === undefined ? 'key' : 'keyFile'];
    let text = auth.key;
    if (auth.keyFile !== undefined) {
      try {
        text = readFile(resolve(dirname(configPath), auth.keyFile));
      } catch (error) {
        reading.problem(at, `${auth.keyFile} cannot be read (${codeOf(error)})`);
        return { name, section };
      }
    }
    const wrong = section.type === 'google' ? wrongGoogleKey(text ?? '') : wrongPem(text ?? '');
    if (wrong !== undefined) reading.problem(at, wrong);
    return { name, section, ...(auth.keyFile !== undefined && text !== undefined && { keyText: text }) };
  });
}

/** Key files by the place of `hallpass.yaml`, not of whoever starts Hallpass. */
function onCallOf(
  file: ConfigFile,
  configPath: string,
  readFile: Sources['readFile'],
  reading: Reading,
): Settings['onCall'] {
  return Object.fromEntries(
    Object.entries(file.onCall ?? {}).map(([name, section]) => {
      if (section.type !== 'google-calendar' || section.keyFile === undefined) return [name, section];
      const keyFile = resolve(dirname(configPath), section.keyFile);
      const at: Path = ['onCall', name, 'keyFile'];
      try {
        const key: unknown = JSON.parse(readFile(keyFile));
        if (typeof key !== 'object' || key === null || !('type' in key))
          reading.problem(at, 'this is not the key of a service account');
      } catch (error) {
        const why = error instanceof SyntaxError ? 'is not JSON' : `cannot be read (${codeOf(error)})`;
        reading.problem(at, `${section.keyFile} ${why}`);
      }
      return [name, { ...section, keyFile }];
    }),
  );
}

function wrongPem(pem: string): string | undefined {
  try {
    createPrivateKey(pem);
    return undefined;
  } catch {
    return 'this is not a private key in PEM form';
  }
}

function wrongGoogleKey(json: string): string | undefined {
  const key = serviceAccountKey(json);
  return 'wrong' in key ? key.wrong : undefined;
}

function policyHash(policy: unknown): string {
  return sha256(canonicalize(policy) ?? '');
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** `ENOENT` and the like; the message itself may quote what was read. */
function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'unreadable';
}

/** What the sandbox takes from the environment: a database to use and keep, and the bot's port. Nothing else. */
export function sandboxEnvironment(env: Readonly<Record<string, string | undefined>> = process.env): {
  readonly databaseUrl?: string;
  readonly port?: number;
  readonly problems: readonly Problem[];
} {
  const problems: Problem[] = [];
  const read = readEnvironment({ DATABASE_URL: env.DATABASE_URL, PORT: env.PORT }, false, (name, message) => {
    problems.push({ path: `env.${name}`, message });
  });
  return {
    ...(env.DATABASE_URL && read !== undefined ? { databaseUrl: read.databaseUrl } : {}),
    ...(env.PORT && read !== undefined ? { port: read.port } : {}),
    problems,
  };
}

export function baseUrlFromEnvironment(
  env: Readonly<Record<string, string | undefined>> = process.env,
): string | undefined {
  return env.HALLPASS_BASE_URL || undefined;
}

export function teamsAppIdFromEnvironment(
  env: Readonly<Record<string, string | undefined>> = process.env,
): string | undefined {
  return env.MICROSOFT_APP_ID?.trim().toLowerCase() || undefined;
}
