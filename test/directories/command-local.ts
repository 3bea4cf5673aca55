/** An executable as the contract knows it, and an adapter that runs it. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Clock, Metrics } from '../../src/access/ports.ts';
import { createCommand } from '../../src/directories/command.ts';
import type { DirectoryHarness } from '../contracts/directory.ts';
import { startCommandServer } from '../support/command-server.ts';

const clock: Clock = { now: () => Date.now(), monotonic: () => performance.now() };
const metrics: Metrics = { count: () => {}, observe: () => {} };
export const SECRET = 'canary-password-that-nobody-may-see';
const SCRIPT = readFileSync(join(import.meta.dirname, '../support/command-directory.sh'), 'utf8');

const folder = mkdtempSync(join(tmpdir(), 'hallpass-command-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
let files = 0;

/** A new executable with this text. */
export function executable(text: string): string {
  files += 1;
  const path = join(folder, `directory-${files}`);
  writeFileSync(path, text, { mode: 0o755 });
  return path;
}

export function connect(run: readonly string[], more: Partial<Parameters<typeof createCommand>[0]> = {}) {
  const section = { type: 'command' as const, run: [...run], env: { DIRECTORY_PASSWORD: SECRET } };
  return createCommand({ name: 'ldap', section, clock, metrics, jitter: () => 0, ...more });
}

export const commandHarness: DirectoryHarness = {
  userId: (n) => `uid=${n},ou=people`,
  groupId: (n) => `cn=group ${n},ou=groups`,
  groupName: (word) => word,
  removalReads: 0,
  unmanageable: ['rule-fed'],
  memberCounts: [0, 1, 401],
  rateForms: { '429': ['with milliseconds to wait', 'without a word'] },
  without: {
    'native expiry': 'ends no membership by itself',
    '403 that is a rate limit': 'an executable says rate_limited',
    'reserve for removals': 'an executable names no budget; two of its eight places are for removals',
  },
  async start(seed, options = {}) {
    const server = await startCommandServer(seed, SECRET);
    const path = executable(SCRIPT);
    return {
      directory: connect([path, String(server.port)], { callDeadlineMs: options.callDeadlineMs ?? 5_000 }),
      secrets: [SECRET],
      holds: server.holds,
      fault: server.fault,
      clear: server.clear,
      lagReads: server.lagReads,
      rateLimit: (resetInMs, skewMs) => {
        const error = { error: { code: 'rate_limited', retryAfterMs: Math.max(0, resetInMs + skewMs) } };
        server.fault({ kind: 'status', on: 'all', error });
      },
      limit: (form) => {
        const more = form === 'without a word' ? {} : { retryAfterMs: 7_000 };
        server.fault({ kind: 'status', on: 'all', error: { error: { code: 'rate_limited', ...more } } });
      },
      deleteGroup: server.deleteGroup,
      deleteUser: server.deleteUser,
      revokeCredential: () => server.fault({ kind: 'status', status: 401, on: 'all' }),
      forbidWrites: () => server.fault({ kind: 'status', status: 403, on: 'writes' }),
      writes: () => server.asked.filter((question) => question.do === 'add' || question.do === 'remove').length,
      reads: () => server.asked.filter((question) => question.do !== 'add' && question.do !== 'remove').length,
      stop: async () => {
        rmSync(path, { force: true });
        await server.close();
      },
    };
  },
};
