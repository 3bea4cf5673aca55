import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/postgres-server.ts'],
    // Most tests wait for a child process or a socket: two at a time use the two cores of a small machine.
    maxWorkers: 2,
    // Half of the time was loading the same modules anew for each file. No test replaces a module or the environment.
    isolate: false,
    // Handed on to what a worker forks: the sandbox's bots.
    execArgv: ['--import', fileURLToPath(new URL('./test/support/compile-cache.ts', import.meta.url))],
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
