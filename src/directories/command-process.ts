/** One question to an executable: JSON on its standard input, its answer from the standard output. */
import { spawn } from 'node:child_process';
import { BodyTooLargeError } from './http.ts';

/** Room for a group of tens of thousands; endless output is cut here, and the executable with it. */
const OUTPUT_MAX_BYTES = 8 * 1024 * 1024;
/** Enough for the line that says what went wrong. */
const COMPLAINT_MAX_BYTES = 4_096;
const PATH = '/usr/local/bin:/usr/bin:/bin';

export interface Program {
  /** The executable, by absolute path, and its arguments. */
  readonly run: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** How an executable ended. */
export interface Ended {
  /** Its exit code, or the signal that ended it. */
  readonly exit: number | string;
  readonly stdout: string;
  readonly stderr: string;
}

/** Process groups that are running now. They must not outlive this process. */
const running = new Set<number>();
process.on('exit', () => {
  for (const group of running) killGroup(group);
});

/**
 * Resolves when the executable has ended and everything it said is read. Rejects when it could not be started (the
 * error's `syscall` begins with `spawn`), said too much, or the signal fired; in the last two cases it and all it
 * started have been killed, and what it had done by then is anybody's guess.
 */
export function converse(program: Program, question: unknown, signal: AbortSignal): Promise<Ended> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(signal.reason);
      return;
    }
    const [file = '', ...args] = program.run;
    const child = spawn(file, args, {
      cwd: '/',
      // Nothing is inherited: the environment of the bot holds secrets that are none of the executable's business.
      env: { PATH, ...program.env },
      stdio: ['pipe', 'pipe', 'pipe'],
      // A process group of its own, so that what it starts can be killed with it.
      detached: true,
      shell: false,
    });
    const group = child.pid;
    if (group !== undefined) running.add(group);
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    let said = 0;
    let complained = 0;

    const over = () => {
      signal.removeEventListener('abort', onAbort);
      if (group !== undefined) running.delete(group);
    };
    const cut = (why: unknown) => {
      if (group !== undefined) killGroup(group);
      over();
      reject(why);
    };
    const onAbort = () => cut(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });

    child.on('error', (error) => {
      over();
      reject(error);
    });
    child.stdout.on('data', (chunk: Buffer) => {
      said += chunk.byteLength;
      if (said > OUTPUT_MAX_BYTES) cut(new BodyTooLargeError(`answer longer than ${OUTPUT_MAX_BYTES} bytes`));
      else stdout.push(chunk);
    });
    child.stderr.on('data', (chunk: Buffer) => {
      if (complained < COMPLAINT_MAX_BYTES) stderr.push(chunk);
      complained += chunk.byteLength;
    });
    // An executable that does not read its question answers for itself.
    child.stdin.on('error', () => {});
    child.stdin.end(`${JSON.stringify(question)}\n`);
    child.on('close', (code, by) => {
      over();
      resolve({ exit: code ?? by ?? 'unknown', stdout: textOf(stdout), stderr: textOf(stderr) });
    });
  });
}

function textOf(chunks: readonly Buffer[]): string {
  return Buffer.concat(chunks).toString('utf8');
}

function killGroup(group: number): void {
  try {
    process.kill(-group, 'SIGKILL');
  } catch (error) {
    // Already gone, which is what was wanted.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
