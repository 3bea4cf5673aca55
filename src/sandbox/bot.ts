/** The sandbox's bot: the same composition root as `hallpass start`, in a child process, with a clock that can be moved. */
import { readFileSync } from 'node:fs';
import { auditKeyPlace, openSigner } from '../audit/key.ts';
import { systemClock } from '../clock.ts';
import { loadConfig } from '../config.ts';
import { createLog } from '../log.ts';
import { run } from '../main.ts';

const clock = systemClock(Number(process.argv[2] ?? 0));
const load = () => loadConfig({ readFile: (path) => readFileSync(path, 'utf8'), unverifiedTeams: true });
const loaded = load();
if (!loaded.ok) {
  for (const problem of loaded.problems) process.stderr.write(`${problem.path}: ${problem.message}\n`);
  process.exit(1);
}
const log = createLog(loaded.settings.env.logLevel);
const signing = openSigner(auditKeyPlace(loaded.settings));
const running = await run({
  settings: loaded.settings,
  load,
  clock,
  log,
  host: '127.0.0.1',
  signing,
  unverifiedTeams: true,
});
await running.slack?.connected;

process.on('message', (message: unknown) => {
  if (typeof message !== 'object' || message === null || !('clockOffsetMs' in message)) return;
  clock.adjust(Number(message.clockOffsetMs));
  void running.sweep.sweep().then(() => process.send?.({ moved: true }));
});
const stop = () => {
  void running.stop().then(() => {
    if (process.connected) process.disconnect();
  });
};
process.on('SIGHUP', () => void running.reload());
process.once('SIGTERM', stop);
process.once('SIGINT', stop);
// The parent is gone: nobody is left to look at a sandbox.
process.once('disconnect', stop);
process.send?.({ ready: running.port });
