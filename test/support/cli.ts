/** `hallpass …` as an operator runs it: a process of its own, with nothing in its environment but what is given. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const CLI = fileURLToPath(new URL('../../src/cli.ts', import.meta.url));
const COMPILE_CACHE = fileURLToPath(new URL('./compile-cache.ts', import.meta.url));
const WITHIN_MS = 30_000;

export interface Ended {
  /** `null`: it had to be killed. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** The last line of stdout, read. */
  readonly json: Readonly<Record<string, unknown>>;
}

export interface Started {
  readonly pid: number;
  /** The first line of stdout that says this. */
  said(words: RegExp): Promise<string>;
  /** Asks it to end. */
  stop(signal?: NodeJS.Signals): void;
  /** Nobody reads its standard error any more. */
  deafen(): void;
  readonly ended: Promise<Ended>;
}

type Environment = Readonly<Record<string, string>>;

const alive = new Set<ChildProcess>();

/** To its end. */
export function hallpass(args: readonly string[], env: Environment = {}): Promise<Ended> {
  return startHallpass(args, env).ended;
}

export function startHallpass(args: readonly string[], env: Environment = {}): Started {
  const child = spawn(process.execPath, ['--import', COMPILE_CACHE, CLI, ...args], {
    env: { PATH: process.env.PATH ?? '', NO_COLOR: '1', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  alive.add(child);
  let stdout = '';
  let stderr = '';
  const listeners = new Set<() => void>();
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
    for (const listener of [...listeners]) listener();
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const alarm = setTimeout(() => child.kill('SIGKILL'), WITHIN_MS);
  const ended = once(child, 'close').then(([code]): Ended => {
    clearTimeout(alarm);
    alive.delete(child);
    for (const listener of [...listeners]) listener();
    return {
      code: code as number | null,
      stdout,
      stderr,
      get json() {
        return JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Readonly<Record<string, unknown>>;
      },
    };
  });
  return {
    pid: child.pid ?? 0,
    said: (words) =>
      new Promise((resolve, reject) => {
        const look = () => {
          const line = stdout.split('\n').find((one) => words.test(one));
          if (line === undefined && alive.has(child)) return;
          listeners.delete(look);
          if (line === undefined) reject(new Error(`it ended and never said ${words}: ${stdout}${stderr}`));
          else resolve(line);
        };
        listeners.add(look);
        look();
      }),
    stop: (signal = 'SIGTERM') => void child.kill(signal),
    deafen: () => void child.stderr.destroy(),
    ended,
  };
}

/** For `afterEach`: whatever a failed test has left running. */
export async function endAll(): Promise<void> {
  await Promise.all(
    [...alive].map(async (child) => {
      const gone = once(child, 'close');
      child.kill('SIGKILL');
      await gone;
    }),
  );
}
