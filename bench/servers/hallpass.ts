/** Hallpass as `hallpass start` runs it, that also tells how durable its own connection is. */
import { readFileSync } from 'node:fs';
import { systemClock } from '../../src/clock.ts';
import { loadConfig } from '../../src/config.ts';
import { createLog } from '../../src/log.ts';
import { run } from '../../src/main.ts';
import type { OpenStore } from '../../src/store/database.ts';

const loaded = loadConfig({ readFile: (path) => readFileSync(path, 'utf8') });
if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
const running = await run({
  settings: loaded.settings,
  clock: systemClock(0),
  log: createLog(loaded.settings.env.logLevel),
  host: '127.0.0.1',
});
await running.slack?.connected;

process.on('message', () => {
  void (running.store as OpenStore).durability().then((durability) => {
    process.send?.({ durability, cpu: process.cpuUsage() });
  });
});
process.once('disconnect', () => {
  void running.stop().then(() => process.exit(0));
});
process.send?.({ port: running.port });
