/**
 * `hallpass run db-prod 30m "reason" -- psql …`: asks, waits until the access is there and seen, runs the command, and
 * gives the access back when it has ended, however it ended. What the command writes is its own: we speak on stderr.
 */
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import type { Grant } from '../../api/schemas.ts';
import { ask, madeLines, type Wish, waitFor } from './commands.ts';
import { type Client, ClientError } from './http.ts';
import { errorLines, plain, timeOf } from './show.ts';

export interface Running {
  readonly client: Client;
  readonly wish: Wish;
  readonly command: readonly string[];
  /** The longest that it waits for the access. */
  readonly waitMs: number;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** A line for whoever sits there. */
  readonly tell: (line: string) => void;
  /** This process's signals; `false` from a terminal, which sends them to the command as well. */
  readonly forwardInterrupt: boolean;
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/** How long it is tried to give the access back. */
const RETURN_MS = 60_000;
/** As shells have it: the command is not there, or cannot be run. */
const NOT_FOUND = 127;
const NOT_EXECUTABLE = 126;

type Access = { readonly grantId?: string; readonly until?: string };

/** The exit code: the command's own; 128 and the signal's number where it was ended by one; 1 where it never ran. */
export async function runCommand(running: Running): Promise<number> {
  const { client, wish, tell } = running;
  const stopped = new AbortController();
  let ended: (typeof SIGNALS)[number] | undefined;
  let child: ReturnType<typeof spawn> | undefined;
  const onSignal = (signal: NodeJS.Signals): void => {
    ended ??= signal as (typeof SIGNALS)[number];
    if (child === undefined) stopped.abort();
    else if (signal !== 'SIGINT' || running.forwardInterrupt) child.kill(signal);
  };
  for (const signal of SIGNALS) process.on(signal, onSignal);
  try {
    const access = await gained(running, stopped.signal);
    if (access === undefined) return ended === undefined ? 1 : codeOf(ended);
    try {
      // Between the answer and now somebody may have thought better of it.
      if (ended !== undefined) return codeOf(ended);
      tell(`hallpass: ${wish.resource} is open${access.until === undefined ? '' : ` until ${access.until}`}.`);
      const [file = '', ...args] = running.command;
      child = spawn(file, args, { stdio: 'inherit', env: running.env });
      return await exitOf(child, file, tell);
    } finally {
      if (access.grantId !== undefined) await giveBack(client, access, tell);
    }
  } finally {
    for (const signal of SIGNALS) process.off(signal, onSignal);
  }
}

function codeOf(signal: NodeJS.Signals): number {
  return 128 + constants.signals[signal];
}

function exitOf(child: ReturnType<typeof spawn>, file: string, tell: Running['tell']): Promise<number> {
  return new Promise((resolve) => {
    child.once('error', (error: NodeJS.ErrnoException) => {
      tell(`hallpass: ${plain(file)} could not be run: ${error.message}`);
      resolve(error.code === 'ENOENT' ? NOT_FOUND : NOT_EXECUTABLE);
    });
    child.once('exit', (code, signal) => resolve(signal === null ? (code ?? 1) : codeOf(signal)));
  });
}

/** The access, there and seen; absent where there is none, which has been said then. */
async function gained({ client, wish, waitMs, tell }: Running, signal: AbortSignal): Promise<Access | undefined> {
  let id: string | undefined;
  try {
    const made = await ask(client, wish, (line) => tell(`hallpass: ${line}`), signal);
    id = made.request.id;
    signal.throwIfAborted();
    for (const line of madeLines(made)) tell(`hallpass: ${line}`);
    const { reached, request } = await waitFor(client, id, 'active', waitMs, signal);
    if (reached) return accessOf(request.grant);
    tell(`hallpass: ${id}: ${plain(request.headline)}`);
  } catch (error) {
    if (error instanceof ClientError) {
      // Theirs already, and not for this: it is not given back either.
      if (error.problem?.code === 'already_granted' || error.problem?.code === 'already_member') {
        tell(`hallpass: ${plain(error.problem.title)} It is not given back afterwards.`);
        return {};
      }
      for (const line of errorLines(error.message, error.problem)) tell(`hallpass: ${line}`);
    } else if (!signal.aborted) throw error;
  }
  await takeBack(client, id, tell);
  return undefined;
}

function accessOf(grant: Grant | undefined): Access {
  if (grant === undefined) return {};
  return {
    grantId: grant.id,
    ...(grant.expiresAt === undefined ? {} : { until: timeOf(grant.expiresAt, Date.now()) }),
  };
}

/** Nobody waits for it any more: the request goes, or the access that came of it meanwhile. */
async function takeBack(client: Client, id: string | undefined, tell: Running['tell']): Promise<void> {
  // Asked for, and the answer never came: it lapses by itself, and whoever is asked sees who asked.
  if (id === undefined) return;
  try {
    await client.post(`/requests/${id}/cancel`, { triesMs: RETURN_MS });
    tell(`hallpass: ${id} is cancelled.`);
  } catch (error) {
    if (!(error instanceof ClientError)) throw error;
    if (error.problem?.code !== 'not_pending') {
      tell(`hallpass: ${id} could not be cancelled: ${plain(error.message)}`);
      return;
    }
    const { request } = await waitFor(client, id, 'decided', 1_000);
    const { grant } = request;
    if (grant !== undefined && (grant.state === 'adding' || grant.state === 'active'))
      await giveBack(client, accessOf(grant), tell);
  }
}

async function giveBack(client: Client, { grantId, until }: Access, tell: Running['tell']): Promise<void> {
  try {
    await client.post(`/grants/${grantId}/return`, { triesMs: RETURN_MS });
    tell(`hallpass: ${grantId} is given back.`);
  } catch (error) {
    if (!(error instanceof ClientError)) throw error;
    // Over already: revoked, or run out while the command went on.
    if (error.problem?.code === 'not_live') return tell(`hallpass: ${grantId} had ended before.`);
    const byItself = until === undefined ? 'by itself when its time is over' : `by itself at ${until}`;
    tell(`hallpass: ${grantId} COULD NOT BE GIVEN BACK: ${plain(error.message)} It ends ${byItself}.`);
  }
}
