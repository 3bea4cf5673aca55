/** The commands that talk to a Hallpass elsewhere, as they are typed. */
import { createInterface } from 'node:readline/promises';
import { type Command, InvalidArgumentError } from 'commander';
import { parseDuration } from '../../access/grammar.ts';
import { clientEnvironment } from '../../config.ts';
import { EXIT, type Out } from '../out.ts';
import type { Simple, Wish } from './commands.ts';
import { type Client, createClient } from './http.ts';
import { addressOf, NoPlace, placeAt, urlFor } from './place.ts';

export interface ClientParts {
  readonly root: Command;
  readonly done: (code: number) => void;
  readonly outOf: (command: Command) => Out;
}

/** How long `--wait` and `run` wait for an answer when nothing else is said: as long as a request usually waits. */
const WAIT_MS = 3_600_000;

export const CLIENT_HELP = `
Where: with HALLPASS_URL set, or after hallpass login (unless --config or HALLPASS_CONFIG name a file), these speak to
that Hallpass: request, approve, deny, cancel, extend, return, adopt, who, run, logout, and also revoke, list and status.
Without, revoke, list and status are carried out on this host, like everything else, with its database.`;

/** The Hallpass that is meant by a command that is also the host's own; absent: this host is. */
export function meantElsewhere(command: Command): string | undefined {
  return urlFor(clientEnvironment(), command.optsWithGlobals<{ config?: string }>().config !== undefined);
}

/** Runs with the API at that address, or says why it cannot. */
export async function withClient(
  io: Out,
  url: string | undefined,
  act: (client: Client) => Promise<number>,
): Promise<number> {
  try {
    if (url === undefined)
      throw new NoPlace('No Hallpass is named.', 'hallpass login https://…, or set HALLPASS_URL and HALLPASS_TOKEN.');
    const { token } = placeAt(url, clientEnvironment(), Date.now());
    return await act(createClient(url, token));
  } catch (error) {
    if (!(error instanceof NoPlace)) throw error;
    io.say({ ok: false, error: error.message, instead: error.what }, [error.message, error.what]);
    return EXIT.failed;
  }
}

export function clientCommands({ root, done, outOf }: ClientParts): void {
  const elsewhereCommand = (name: string) => root.command(name).helpGroup('With a Hallpass elsewhere:');
  const elsewhere = async (command: Command, act: (io: Out, client: Client) => Promise<number>): Promise<void> => {
    const io = outOf(command);
    done(await withClient(io, meantElsewhere(command), (client) => act(io, client)));
  };

  elsewhereCommand('login')
    .description('sign this command line in: compare a code in the browser')
    .argument('[url]', 'the Hallpass (default: HALLPASS_URL, or where you signed in last)')
    .action(async (given: string | undefined, _options: object, command: Command) => {
      const io = outOf(command);
      const { loginCommand } = await import('./login.ts');
      done(
        await named(io, given ?? meantElsewhere(command), (url) => loginCommand(io, clientEnvironment(), url, tell)),
      );
    });

  elsewhereCommand('logout')
    .description('end the session of this command line')
    .argument('[url]', 'the Hallpass (default: HALLPASS_URL, or where you signed in last)')
    .action(async (given: string | undefined, _options: object, command: Command) => {
      const io = outOf(command);
      const { logoutCommand } = await import('./login.ts');
      done(await named(io, given ?? meantElsewhere(command), (url) => logoutCommand(io, clientEnvironment(), url)));
    });

  elsewhereCommand('request')
    .description('ask for access')
    .argument('<resource>', 'db-prod, or db-prod:admin')
    .argument('<words...>', '[duration] and why: 30m "fix the stuck migration"')
    .option('--wait [duration]', 'until the access is there, at most so long (default: 1h)', waitOption)
    .action((resource: string, words: readonly string[], options: { wait?: number | true }, command: Command) =>
      elsewhere(command, async (io, client) => {
        const { requestCommand } = await import('./commands.ts');
        const waitMs = options.wait === true ? WAIT_MS : options.wait;
        return await requestCommand(io, client, wishOf(resource, words), waitMs, tell);
      }),
    );

  elsewhereCommand('run')
    .description('ask, wait, run a command, and give the access back when it ends: run db-prod 30m "why" -- psql')
    .argument('<resource>', 'db-prod, or db-prod:admin')
    .argument('<words...>', '[duration] and why, then -- and the command')
    .option('--wait <duration>', 'how long to wait for the access', waitOption, WAIT_MS)
    .action(async (resource: string, words: readonly string[], options: { wait: number }, command: Command) => {
      const at = process.argv.indexOf('--');
      const child = at < 0 ? [] : process.argv.slice(at + 1);
      if (child.length === 0) command.error('error: no command to run: put it after --', { exitCode: EXIT.usage });
      const why = words.slice(0, words.length - child.length);
      const io = outOf(command);
      // Its standard output is the command's own.
      const aside: Out = {
        ...io,
        say: (object, lines) => tell(io.json ? JSON.stringify(object) : [lines].flat().join('\n')),
      };
      // A terminal that was closed takes no more lines, and must not keep the access from being given back.
      process.stderr.on('error', () => undefined);
      const { runCommand } = await import('./run.ts');
      done(
        await withClient(aside, meantElsewhere(command), (client) =>
          runCommand({
            client,
            wish: wishOf(resource, why),
            command: child,
            waitMs: options.wait,
            env: clientEnvironment().child,
            tell,
            forwardInterrupt: !process.stdin.isTTY,
          }),
        ),
      );
    });

  elsewhereCommand('approve')
    .description('approve a request, after it was shown')
    .argument('<id>', 'R-7KQ2', idOf)
    .argument('[duration]', 'for less than was asked', durationText)
    .option('--yes', 'without asking back')
    .action((id: string, duration: string | undefined, options: { yes?: true }, command: Command) =>
      elsewhere(command, async (io, client) => {
        const { approveCommand } = await import('./commands.ts');
        return await approveCommand(io, client, id, duration, async (lines) => {
          if (options.yes === true) return true;
          for (const line of lines) tell(line);
          return await confirmed('Approve it? [y/N] ');
        });
      }),
    );

  simple('deny', 'deny a request', false);
  simple('cancel', 'take back your own request', undefined);
  simple('return', 'give your own access back before its end', undefined);
  simple('adopt', 'make what a live grant added permanent (admins)', true);

  elsewhereCommand('extend')
    .description('ask for more time')
    .argument('<id>', 'G-7KQ2', idOf)
    .argument('[words...]', '[duration] and why')
    .action((id: string, words: readonly string[], _options: object, command: Command) =>
      elsewhere(command, async (io, client) => {
        const { simpleCommand } = await import('./commands.ts');
        const { duration, reason } = splitWords(words);
        const body = { ...(duration === undefined ? {} : { duration }), ...(reason === '' ? {} : { reason }) };
        return await simpleCommand(io, client, 'extend', id, body);
      }),
    );

  elsewhereCommand('who')
    .description('who holds it now, as far as you may see')
    .argument('<resource>', 'db-prod, or db-prod:admin')
    .action((resource: string, _options: object, command: Command) =>
      elsewhere(command, async (io, client) => {
        const { whoCommand } = await import('./commands.ts');
        return await whoCommand(io, client, resource);
      }),
    );

  root.addHelpText('after', CLIENT_HELP);

  /** `needsReason`: absent where there is none to give. */
  function simple(what: Simple, description: string, needsReason: boolean | undefined): void {
    const made = elsewhereCommand(what).description(description).argument('<id>', 'R-7KQ2 or G-7KQ2', idOf);
    if (needsReason !== undefined) made.argument(needsReason ? '<reason...>' : '[reason...]', 'why');
    made.action(async (id: string, ...rest: unknown[]) => {
      const words = needsReason === undefined ? [] : ((rest[0] as readonly string[] | undefined) ?? []);
      await elsewhere(made, async (io, client) => {
        const { simpleCommand } = await import('./commands.ts');
        const reason = words.join(' ');
        const body = needsReason === undefined ? undefined : reason === '' ? {} : { reason };
        return await simpleCommand(io, client, what, id, body);
      });
    });
  }
}

/** Nobody sees what is not on a line of its own beside the command's own output. */
function tell(line: string): void {
  process.stderr.write(`${line}\n`);
}

async function named(io: Out, given: string | undefined, act: (url: string) => Promise<number>): Promise<number> {
  try {
    if (given === undefined) throw new NoPlace('No Hallpass is named.', 'hallpass login https://hallpass.acme.com');
    return await act(addressOf(given));
  } catch (error) {
    if (!(error instanceof NoPlace)) throw error;
    io.say({ ok: false, error: error.message, instead: error.what }, [error.message, error.what]);
    return EXIT.failed;
  }
}

async function confirmed(question: string): Promise<boolean> {
  if (!process.stdin.isTTY) {
    tell('Nobody is there to ask: add --yes.');
    return false;
  }
  const asking = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^y(?:es)?$/i.test((await asking.question(question)).trim());
  } finally {
    asking.close();
  }
}

function wishOf(named: string, words: readonly string[]): Wish {
  const at = named.indexOf(':');
  const { duration, reason } = splitWords(words);
  return {
    resource: at < 0 ? named : named.slice(0, at),
    ...(at < 0 ? {} : { role: named.slice(at + 1) }),
    ...(duration === undefined ? {} : { duration }),
    reason,
  };
}

/** As in chat: what stands first and looks like a length is one, or is refused as none by the other side. */
function splitWords(words: readonly string[]): { readonly duration?: string; readonly reason: string } {
  const [first = '', ...rest] = words;
  return /^[\d+-]/.test(first) ? { duration: first, reason: rest.join(' ') } : { reason: words.join(' ') };
}

function durationText(text: string): string {
  if (parseDuration(text) === undefined) throw new InvalidArgumentError('must be a duration such as 30m');
  return text;
}

function waitOption(text: string): number {
  const ms = parseDuration(text);
  if (ms === undefined) throw new InvalidArgumentError('must be a duration such as 15m');
  return ms;
}

function idOf(text: string): string {
  if (!/^[rg]-[0-9a-z]{4,6}$/i.test(text)) throw new InvalidArgumentError('must be an id such as R-7KQ2 or G-7KQ2');
  return text.toUpperCase();
}
