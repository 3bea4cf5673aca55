#!/usr/bin/env node
/**
 * `hallpass …`: what is run on the host. A shell here can end access and never give it.
 *
 * What only some commands need is imported when they run: Bolt and the drivers would be most of the time that
 * `hallpass --help` or a refused file takes.
 */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { parseDuration } from './access/grammar.ts';
import { clientCommands, meantElsewhere, withClient } from './cli/client/program.ts';
import type { ManifestOptions, Platform } from './cli/manifest.ts';
import { createOut, EXIT, type Out, sayProblems } from './cli/out.ts';
import { systemClock } from './clock.ts';
import { jsonSchema, loadConfig, type Settings } from './config.ts';
import { createLog, type Log } from './log.ts';

function outOf(command: Command): Out {
  const json = command.optsWithGlobals<{ json?: boolean }>().json === true;
  return createOut(json, (text) => process.stdout.write(text));
}

/** The settings; or every problem is said, and there are none. */
function settingsOf(command: Command, io: Out, withoutChat = false): Settings | undefined {
  const { config } = command.optsWithGlobals<{ config?: string }>();
  const loaded = loadConfig({
    readFile: (path) => readFileSync(path, 'utf8'),
    withoutChat,
    ...(config === undefined ? {} : { path: config }),
  });
  if (loaded.ok) return loaded.settings;
  sayProblems(io, loaded.problems, loaded.warnings);
  return undefined;
}

/** Resolves when the process is asked to end. A second signal ends it at once. */
function askedToStop(): Promise<string> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const)
      process.once(signal, () => {
        process.once(signal, () => process.exit(EXIT.failed));
        resolve(signal);
      });
  });
}

async function start(settings: Settings): Promise<number> {
  const load = () => loadConfig({ readFile: (path) => readFileSync(path, 'utf8'), path: settings.path });
  const { run } = await import('./main.ts');
  const log = createLog(settings.env.logLevel);
  for (const warning of settings.warnings) log.warn({ path: warning.path, line: warning.line }, warning.message);
  const running = await run({ settings, load, clock: systemClock(), log, signing: await signingOf(settings, log) });
  process.on('SIGHUP', () => void running.reload());
  log.info({ port: running.port }, 'listening');
  log.info({ signal: await askedToStop() }, 'stopping');
  await running.stop();
  log.info({}, 'stopped');
  return EXIT.done;
}

/** A trail that nobody signs is better than no Hallpass, and is said in the log and in `/readyz`. */
async function signingOf(settings: Settings, log: Log) {
  const { auditKeyPlace, openSigner } = await import('./audit/key.ts');
  const place = auditKeyPlace(settings);
  try {
    const { signer, made } = openSigner(place);
    if (made) log.info({ file: place.file, keyId: signer.keyId }, 'made the key that signs the trail; keep a copy');
    return { signer };
  } catch (error) {
    const missing = error instanceof Error ? error.message : String(error);
    log.error({ error }, 'checkpoints of the trail are not signed');
    return { missing };
  }
}

function positive(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value <= 0) throw new InvalidArgumentError('must be a whole number above 0');
  return value;
}

function durationOption(text: string): number {
  const ms = parseDuration(text);
  if (ms === undefined) throw new InvalidArgumentError('must be a duration such as 30m, 36h or 7d');
  return ms;
}

function instantOption(text: string): number {
  const at = /^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d)?(?:Z|[+-]\d\d:\d\d)$/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(at)) throw new InvalidArgumentError('must be a time with its zone, such as 2026-03-10T22:00+01:00');
  return at;
}

function portNumber(text: string): number {
  const value = Number(text);
  if (!/^\d{1,5}$/.test(text) || value > 65_535)
    throw new InvalidArgumentError('must be a whole number from 0 to 65535');
  return value;
}

function commandWord(text: string): string {
  if (!/^\/[a-z0-9_-]{1,31}$/.test(text))
    throw new InvalidArgumentError('must begin with / and hold small letters, digits, - or _, at most 32 characters');
  return text;
}

function guid(text: string): string {
  if (!/^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i.test(text))
    throw new InvalidArgumentError('must be a GUID');
  return text.toLowerCase();
}

function address(text: string): string {
  if (!URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol))
    throw new InvalidArgumentError('must be an https:// address');
  return text;
}

interface ReconcileFlags {
  readonly directory?: string;
  readonly fromLog?: string;
  /** Milliseconds. */
  readonly since: number;
  readonly apply?: boolean;
  readonly wait: number;
}

interface RevokeOptions {
  readonly wait: number;
  readonly grantedSince?: number;
  readonly except?: readonly string[];
  readonly yes?: boolean;
}

type Action = (settings: Settings, io: Out) => Promise<number>;

function program(done: (code: number) => void): Command {
  /** Runs with the settings, or ends with every problem said. */
  const withSettings = async (command: Command, action: Action, withoutChat = false): Promise<void> => {
    const io = outOf(command);
    const settings = settingsOf(command, io, withoutChat);
    done(settings === undefined ? EXIT.failed : await action(settings, io));
  };
  const root = new Command('hallpass')
    .description('Temporary production access from chat, with revocation that is proven.')
    .option('--config <path>', 'configuration file (default: HALLPASS_CONFIG, then hallpass.yaml)')
    .option('--json', 'answer in JSON')
    .exitOverride()
    .showHelpAfterError('(hallpass --help shows what can be asked)');

  root
    .command('start')
    .description('run the bot until SIGTERM')
    .action((_options, command: Command) => withSettings(command, start));

  root
    .command('sandbox')
    .description('try it against a local Slack, a local Okta and a local Google')
    .option('--tour', 'without the page: play the main job through and say what was observed in the directory')
    .addOption(
      new Option('--outage <directory>', 'without the page: a directory is away for ten minutes while access ends')
        .choices(['okta', 'google'])
        .conflicts(['tour', 'teams']),
    )
    .option('--port <port>', 'the page’s port (default: 4400, or the next free one)', portNumber)
    .option('--teams', 'with a local Microsoft Teams besides: Microsoft’s Playground')
    .action(
      async (
        options: { tour?: boolean; outage?: 'okta' | 'google'; port?: number; teams?: boolean },
        command: Command,
      ) => {
        const io = outOf(command);
        const { outageCommand, sandboxCommand, tourCommand } = await import('./cli/sandbox.ts');
        const teams = options.teams === true;
        if (options.tour === true) done(await tourCommand(io, teams));
        else if (options.outage !== undefined) done(await outageCommand(io, options.outage));
        else done(await sandboxCommand(io, askedToStop, options.port, teams));
      },
    );

  root
    .command('check')
    .description('judge the configuration, and ask Slack and the directories whether it can work')
    .option('--offline', 'judge the file alone')
    .action((options: { offline?: boolean }, command: Command) =>
      withSettings(command, async (settings, io) => {
        const { checkCommand } = await import('./cli/check.ts');
        return await checkCommand(io, settings, options.offline === true);
      }),
    );

  root
    .command('explain')
    .description('whether somebody would get it, who would be asked, and why; changes nothing')
    .argument('<entitlement>', 'db-prod or db-prod:admin')
    .argument('[duration]', '30m, 2h or until 17:00; left out: the policy’s default')
    .requiredOption('--as <email>', 'who would ask')
    .option('--at <time>', 'when, with its zone: 2026-03-10T22:00+01:00 (default: now)', instantOption)
    .option('--reason <text>', 'left out: what rests on a reason is not judged')
    .action(
      (
        entitlement: string,
        duration: string | undefined,
        options: { as: string; at?: number; reason?: string },
        command: Command,
      ) =>
        withSettings(
          command,
          async (settings, io) => {
            const { explainCommand } = await import('./cli/explain.ts');
            return await explainCommand(io, settings, {
              entitlement,
              ...options,
              ...(duration === undefined ? {} : { duration }),
            });
          },
          true,
        ),
    );

  root
    .command('test')
    .description('judge the policies by files of tests; nobody and nothing is asked')
    .argument('[files...]', 'files of policy tests', [])
    .action((files: readonly string[], _options, command: Command) =>
      withSettings(
        command,
        async (settings, io) => {
          const { policyTestCommand } = await import('./cli/policy-test.ts');
          return await policyTestCommand(io, settings, files.length === 0 ? ['hallpass.test.yaml'] : files);
        },
        true,
      ),
    );

  root
    .command('schema')
    .description('print the JSON Schema of hallpass.yaml, for editors')
    .action(() => {
      process.stdout.write(`${JSON.stringify(jsonSchema(), null, 2)}\n`);
    });

  root
    .command('migrate')
    .description('bring the database up to date, and stop')
    .action((_options, command: Command) =>
      withSettings(
        command,
        async ({ env }, io) => {
          const { migrate } = await import('./store/database.ts');
          const applied = await migrate(env.databaseUrl, { now: Date.now });
          const said = applied.length === 0 ? 'The database is up to date.' : `Applied: ${applied.join(', ')}.`;
          io.say({ ok: true, applied }, said);
          return EXIT.done;
        },
        true,
      ),
    );

  root
    .command('manifest')
    .description('print the manifest with which the app is installed')
    .argument('<platform>', 'slack or teams', (text: string): Platform => {
      const platform = (['slack', 'teams'] as const).find((one) => one === text);
      if (platform === undefined) throw new InvalidArgumentError('there are manifests for slack and for teams');
      return platform;
    })
    .option('--command <word>', 'Slack: the command’s own word, where /access is taken', commandWord, '/access')
    .option('--base-url <url>', 'where chat reaches Hallpass (default: HALLPASS_BASE_URL)', address)
    .option('--socket-mode', 'Slack: without addresses, Hallpass calls Slack')
    .option('--app-id <id>', 'Teams: the bot’s application id (default: MICROSOFT_APP_ID)', guid)
    .option('--out <file>', 'Teams: write the package (a zip) that is uploaded, instead of printing its manifest')
    .action(async (platform: Platform, options: ManifestOptions, command: Command) => {
      const { manifestCommand } = await import('./cli/manifest.ts');
      done(await manifestCommand(platform, options, outOf(command)));
    });

  root
    .command('expire')
    .description('end what is due with nothing but the database and the directories, also while the bot is dead')
    .requiredOption('--due', 'everything that is due now')
    .option('--wait <seconds>', 'how long to go on trying', positive, 60)
    .action((options: { wait: number }, command: Command) =>
      withSettings(
        command,
        async (settings, io) => {
          const { expireCommand } = await import('./cli/end.ts');
          return await expireCommand(io, settings, options.wait * 1_000);
        },
        true,
      ),
    );

  root
    .command('revoke')
    .description('end one grant at once, or with --yes all of a person, a resource or everything')
    .argument('<what>', 'G-7KQ2 or R-7KQ2; or a resource, the email of a person, or all')
    .argument('<reason...>', 'why: said to the holders and kept in the trail')
    .option('--granted-since <duration>', 'only what was approved in the last 2h, 30m, …', durationOption)
    .option('--except <email...>', 'people whose access stays')
    .option('--yes', 'do it; without it, what would be ended is shown and nothing is')
    .option('--wait <seconds>', 'how long to wait for the proof', positive, 60)
    .action(async (id: string, reason: readonly string[], options: RevokeOptions, command: Command) => {
      const url = meantElsewhere(command);
      if (url !== undefined) {
        const { revokeElsewhere } = await import('./cli/client/revoke.ts');
        const io = outOf(command);
        const order = { what: id, reason: reason.join(' '), ...options };
        return done(await withClient(io, url, (client) => revokeElsewhere(io, client, order)));
      }
      await withSettings(
        command,
        async (settings, io) => {
          const order = {
            id,
            reason: reason.join(' '),
            operator: userInfo().username,
            waitMs: options.wait * 1_000,
            except: options.except ?? [],
            yes: options.yes === true,
            ...(options.grantedSince === undefined ? {} : { grantedWithinMs: options.grantedSince }),
          };
          const { isManyMeant, revokeManyCommand } = await import('./cli/revoke-many.ts');
          if (isManyMeant(settings, order)) return await revokeManyCommand(io, settings, order);
          const { revokeCommand } = await import('./cli/end.ts');
          return await revokeCommand(io, settings, order);
        },
        true,
      );
    });

  root
    .command('forget')
    .description('forget what an identity was first seen to be, after somebody has looked at a changed one')
    .argument('<kind>', 'account, email, user or subject', (text: string) => {
      if (text !== 'account' && text !== 'email' && text !== 'user' && text !== 'subject')
        throw new InvalidArgumentError('must be account, email, user or subject');
      return text;
    })
    .argument('<name>', 'slack:T012ABC/U012ABC, an email of the file, <directory>:<person>, or "<issuer> <sub>"')
    .argument('<reason...>', 'why: kept in the trail')
    .action(
      (
        kind: 'account' | 'email' | 'user' | 'subject',
        name: string,
        reason: readonly string[],
        _options,
        command: Command,
      ) =>
        withSettings(
          command,
          async (settings, io) => {
            const { forgetCommand } = await import('./cli/forget.ts');
            const operator = userInfo().username;
            return await forgetCommand(io, settings, { kind, name, reason: reason.join(' '), operator });
          },
          true,
        ),
    );

  root
    .command('resolve')
    .description('close a removal that is owed in a group, or of an account, that was deleted')
    .argument('<id>', 'G-7KQ2 of a grant that stays ending, or <directory>/<group>/<login>')
    .argument('<reason...>', 'why: kept in the trail and told to security')
    .option('--directory-given-up', 'also in a directory that the configuration no longer has, which nobody can ask')
    .action((id: string, reason: readonly string[], options: { directoryGivenUp?: true }, command: Command) =>
      withSettings(
        command,
        async (settings, io) => {
          const { resolveCommand } = await import('./cli/resolve.ts');
          return await resolveCommand(io, settings, {
            id,
            reason: reason.join(' '),
            operator: userInfo().username,
            givenUp: options.directoryGivenUp === true,
          });
        },
        true,
      ),
    );

  root
    .command('list')
    .description('what is live, or what waits for an answer: of a Hallpass elsewhere, or straight from the database')
    .argument('[which]', 'active or pending; elsewhere also mine', (text: string) => {
      if (text !== 'active' && text !== 'pending' && text !== 'mine')
        throw new InvalidArgumentError('active, pending or mine');
      return text;
    })
    .action(async (which: 'active' | 'pending' | 'mine' | undefined, _options, command: Command) => {
      const url = meantElsewhere(command);
      if (url !== undefined) {
        const { listCommand } = await import('./cli/client/commands.ts');
        const io = outOf(command);
        return done(await withClient(io, url, (client) => listCommand(io, client, which ?? 'mine')));
      }
      if (which === 'mine') command.error('error: on the host nobody is asking: active or pending');
      await withSettings(
        command,
        async (settings, io) => {
          const { listCommand } = await import('./cli/look.ts');
          return await listCommand(io, settings, which === 'pending' ? 'pending' : 'active');
        },
        true,
      );
    });

  root
    .command('status')
    .description('what holds of one request or grant: of a Hallpass elsewhere, or straight from the database')
    .argument('[id]', 'R-7KQ2 or G-7KQ2; elsewhere it may be left out, for your own')
    .action(async (id: string | undefined, _options, command: Command) => {
      const url = meantElsewhere(command);
      if (url !== undefined) {
        const { statusCommand } = await import('./cli/client/commands.ts');
        const io = outOf(command);
        return done(await withClient(io, url, (client) => statusCommand(io, client, id)));
      }
      if (id === undefined) return command.error("error: missing required argument 'id'");
      await withSettings(
        command,
        async (settings, io) => {
          const { statusCommand } = await import('./cli/look.ts');
          return await statusCommand(io, settings, id);
        },
        true,
      );
    });

  const onHost = { operator: userInfo().username };
  root
    .command('freeze')
    .description('grant nothing new there until it is lifted; what waits is withdrawn')
    .argument('<scope>', 'a resource, the email of a person, or all')
    .argument('<reason...>', 'why: said to whoever asks, and kept in the trail')
    .action((scope: string, reason: readonly string[], _options, command: Command) =>
      withSettings(
        command,
        async (settings, io) => {
          const { freezeCommand } = await import('./cli/emergency.ts');
          return await freezeCommand(io, settings, { scope, reason: reason.join(' '), by: onHost });
        },
        true,
      ),
    );

  root
    .command('unfreeze')
    .description('lift a freeze')
    .argument('<scope>', 'a resource, the email of a person, or all')
    .action((scope: string, _options, command: Command) =>
      withSettings(
        command,
        async (settings, io) => {
          const { unfreezeCommand } = await import('./cli/emergency.ts');
          return await unfreezeCommand(io, settings, { scope, by: onHost });
        },
        true,
      ),
    );

  root
    .command('drain')
    .description('before it is taken away: freeze everything, withdraw what waits, end every grant, wait for the proof')
    .argument('<reason...>', 'why: said to the holders and kept in the trail')
    .option('--yes', 'do it; without it only say what would be done')
    .option('--wait <seconds>', 'how long to wait for the proof', positive, 300)
    .action((reason: readonly string[], options: { yes?: boolean; wait: number }, command: Command) =>
      withSettings(
        command,
        async (settings, io) => {
          const { drainCommand } = await import('./cli/drain.ts');
          return await drainCommand(io, settings, {
            reason: reason.join(' '),
            yes: options.yes === true,
            waitMs: options.wait * 1_000,
            operator: userInfo().username,
          });
        },
        true,
      ),
    );

  root
    .command('reconcile')
    .description('compare what grants want, what is recorded and who the directories list')
    .option('--directory <name>', 'only this one')
    .option('--from-log <directory>', 'after a restored database: what its log says that Hallpass added')
    .option('--since <duration>', 'with --from-log: how far back', durationOption, 7 * 86_400_000)
    .option('--apply', 'write down, tell and do what the configuration says of it; without it only look')
    .option('--wait <seconds>', 'how long to wait for removals to be proven', positive, 60)
    .action((options: ReconcileFlags, command: Command) =>
      withSettings(
        command,
        async (settings, io) => {
          const { fromLogCommand, reconcileCommand } = await import('./cli/reconcile.ts');
          const { directory, apply, wait, fromLog, since } = options;
          if (fromLog !== undefined)
            return await fromLogCommand(io, settings, {
              directory: fromLog,
              sinceMs: since,
              apply: apply === true,
              waitMs: wait * 1_000,
              operator: userInfo().username,
            });
          return await reconcileCommand(io, settings, {
            apply: apply === true,
            waitMs: wait * 1_000,
            ...(directory === undefined ? {} : { directory }),
          });
        },
        true,
      ),
    );

  tokenCommands(root, withSettings);
  clientCommands({ root, done, outOf });
  auditCommands(root, done, withSettings);

  root
    .command('digest')
    .description('what was granted, what is live and what is late; with --csv every line of it')
    .option('--days <n>', 'the last so many days', wholeDays, 1)
    .option('--csv', 'a line for each request, for a spreadsheet')
    .action((options: { days: number; csv?: boolean }, command: Command) =>
      withSettings(
        command,
        async (settings, io) => {
          const { digestCommand } = await import('./cli/digest.ts');
          return await digestCommand(io, settings, { days: options.days, csv: options.csv === true }, written);
        },
        true,
      ),
    );
  return root;
}

type WithSettings = (command: Command, action: Action, withoutChat?: boolean) => Promise<void>;

function tokenCommands(root: Command, withSettings: WithSettings): void {
  const token = root.command('token').description('credentials with which programs use the API; none ever approves');
  const collected = (value: string, before: readonly string[]) => [...before, value];

  token
    .command('create')
    .description('make one for a person, and say its secret once')
    .requiredOption('--for <email>', 'whose requests and grants it acts on, in the first directory')
    .requiredOption(
      '--scope <scope>',
      'what it may do, such as requests:write; may be given more than once',
      collected,
      [],
    )
    .requiredOption('--expires <duration>', 'how long it holds: 12h, 90d; at most 366d', durationOption)
    .option('--label <text>', 'what it is for')
    .action((options: { for: string; scope: string[]; expires: number; label?: string }, command: Command) =>
      withSettings(
        command,
        async (settings, io) => {
          const { createTokenCommand } = await import('./cli/token.ts');
          return await createTokenCommand(io, settings, {
            for: options.for,
            scopes: options.scope,
            expiresInMs: options.expires,
            operator: userInfo().username,
            ...(options.label === undefined ? {} : { label: options.label }),
          });
        },
        true,
      ),
    );

  token
    .command('list')
    .description('those there are and were, with when each was last used')
    .action((_options, command: Command) =>
      withSettings(
        command,
        async (settings, io) => {
          const { listTokensCommand } = await import('./cli/token.ts');
          return await listTokensCommand(io, settings);
        },
        true,
      ),
    );

  token
    .command('revoke')
    .description('end one at once, or any session; what it asked for stands')
    .argument('<id>', 'T-7KQ2M, or the id of a session from the trail')
    .action((id: string, _options, command: Command) =>
      withSettings(
        command,
        async (settings, io) => {
          const { revokeTokenCommand } = await import('./cli/token.ts');
          return await revokeTokenCommand(io, settings, { id, operator: userInfo().username });
        },
        true,
      ),
    );
}

function auditCommands(root: Command, done: (code: number) => void, withSettings: WithSettings): void {
  const audit = root.command('audit').description('read the trail of what happened: verify it, tell it, export it');
  const collected = (value: string, before: readonly string[]) => [...before, value];

  audit
    .command('verify')
    .description('check that no event was changed, dropped, moved or slipped in, and name the first that was')
    .option('--anchors <file>', 'ends of the chain that were noted elsewhere: seq:hash each, or JSON lines')
    .option('--anchor <seq:hash>', 'one of them, as a digest shows it; may be given more than once', collected, [])
    .option('--key <file>', 'a public key whose signatures count (PEM); may be given more than once', collected, [])
    .option('--deep', 'hold the columns for searching against the texts, too')
    .option('--file <export>', 'an export in JSON lines, in place of the database')
    .action(async (options: VerifyOptions, command: Command) => {
      const io = outOf(command);
      const { verifyCommand } = await import('./cli/audit.ts');
      const order = { ...options, deep: options.deep === true };
      done(await verifyCommand(io, () => settingsOf(command, io, true), order));
    });

  audit
    .command('show')
    .description('tell the story of one request: every answer, message and call to a directory')
    .argument('<id>', 'R-7KQ2 or G-7KQ2')
    .action((id: string, _options, command: Command) =>
      withSettings(
        command,
        async (settings, io) => {
          const { showCommand } = await import('./cli/audit.ts');
          return await showCommand(io, settings, id);
        },
        true,
      ),
    );

  audit
    .command('export')
    .description('write the trail to stdout, one event a line')
    .option('--since <time>', 'from this instant on (2026-11-23 or 2026-11-23T09:00:00Z); default: all of it', instant)
    .addOption(new Option('--format <format>', 'how').choices(['jsonl', 'csv', 'ocsf']).default('jsonl'))
    .action((options: { since?: number; format: 'jsonl' | 'csv' | 'ocsf' }, command: Command) =>
      withSettings(
        command,
        async (settings) => {
          const { exportCommand } = await import('./cli/audit.ts');
          return await exportCommand(settings, options, written);
        },
        true,
      ),
    );
}

interface VerifyOptions {
  readonly anchors?: string;
  readonly anchor: readonly string[];
  readonly key: readonly string[];
  readonly deep?: boolean;
  readonly file?: string;
}

/** Waits for whoever reads: an export is larger than what a pipe holds. */
async function written(text: string): Promise<void> {
  if (!process.stdout.write(text)) await once(process.stdout, 'drain');
}

function wholeDays(text: string): number {
  if (!/^[1-9]\d{0,2}$/.test(text)) throw new InvalidArgumentError('must be a whole number of days, 1 to 999');
  return Number(text);
}

function instant(text: string): number {
  const at = Date.parse(text);
  if (Number.isNaN(at)) throw new InvalidArgumentError('must be a date or an instant, such as 2026-11-23T09:00:00Z');
  return at;
}

function failureText(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if ('code' in error && error.code === 'EADDRINUSE' && 'port' in error)
    return `Port ${String(error.port)} is in use already. Stop what listens there, or set PORT to another.`;
  // Where several addresses were tried, the whole has no message of its own.
  if (error instanceof AggregateError && error.message === '') return error.errors.map(failureText).join('; ');
  return error.message;
}

async function main(): Promise<void> {
  let code: number = EXIT.done;
  try {
    await program((given) => {
      code = given;
    }).parseAsync();
  } catch (error) {
    if (error instanceof CommanderError) code = error.exitCode === 0 ? EXIT.done : EXIT.usage;
    else {
      const said = failureText(error);
      process.stderr.write(`hallpass: ${said}\n`);
      // It may have failed before any command could look at its options.
      if (process.argv.includes('--json')) process.stdout.write(`${JSON.stringify({ ok: false, error: said })}\n`);
      code = EXIT.failed;
    }
  }
  process.exitCode = code;
}

await main();
