/** A server in a process of its own, so that what is measured shares no event loop with what measures. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const WITHIN_MS = 30_000;

export interface Child {
  /** What it said when it was ready. */
  readonly ready: Record<string, unknown>;
  ask(question: Record<string, unknown>): Promise<Record<string, unknown>>;
  /** Seconds of CPU since it started. */
  stop(): Promise<void>;
}

export async function startChild(name: string, env: Record<string, string>): Promise<Child> {
  const child = fork(fileURLToPath(new URL(`./servers/${name}.ts`, import.meta.url)), [], {
    env: { NODE_ENV: 'production', ...env },
    stdio: ['ignore', 2, 2, 'ipc'],
    ...(env.BENCH_PROFILE === undefined ? {} : { execArgv: ['--cpu-prof', `--cpu-prof-dir=${env.BENCH_PROFILE}`] }),
  });
  const ready = await reply(child);
  return {
    ready,
    ask(question) {
      const answer = reply(child);
      child.send(question);
      return answer;
    },
    async stop() {
      const gone = once(child, 'exit');
      child.disconnect();
      await gone;
    },
  };
}

function reply(child: ChildProcess): Promise<Record<string, unknown>> {
  return new Promise((resolve, reject) => {
    const alarm = setTimeout(() => finish(new Error('a benchmark server does not answer')), WITHIN_MS);
    const onMessage = (message: unknown) => finish(message as Record<string, unknown>);
    const onExit = () => finish(new Error('a benchmark server ended'));
    function finish(result: Record<string, unknown> | Error): void {
      clearTimeout(alarm);
      child.off('message', onMessage);
      child.off('exit', onExit);
      if (result instanceof Error) reject(result);
      else resolve(result);
    }
    child.once('message', onMessage);
    child.once('exit', onExit);
  });
}
