/** What an executable may do to Hallpass, and what it may not. The contract itself is in contract.test.ts. */
import { existsSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { commandSection } from '../../src/directories/command-section.ts';
import { connect, executable, SECRET } from './command-local.ts';

/** A dead process stays in the list for as long as nobody has asked how it ended. */
function stateOf(pid: number): 'alive' | 'gone' {
  try {
    process.kill(pid, 0);
    return /\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8')) ? 'gone' : 'alive';
  } catch (error) {
    // No such process, or no /proc on this system, where whoever can be signalled is alive.
    return (error as NodeJS.ErrnoException).code === 'ENOENT' && existsSync('/proc') === false ? 'alive' : 'gone';
  }
}

const say = (value: object, more = '') => executable(`#!/bin/sh\n${more}\necho '${JSON.stringify(value)}'\n`);

describe('an executable as a directory', () => {
  test('gets its own environment and nothing of the one that Hallpass has', async () => {
    process.env.CANARY_OF_THE_BOT = 'secret';
    const user = `{"user":{"id":"u1","login":"'"$(env | sort | tr '\\n' ' ')"'","active":true}}`;
    const path = executable(`#!/bin/sh\nprintf '%s' '${user}'\n`);
    const found = await connect([path]).getUser('u1');
    delete process.env.CANARY_OF_THE_BOT;
    expect(found?.login).toContain(`DIRECTORY_PASSWORD=${SECRET}`);
    expect(found?.login).toContain('PATH=/usr/local/bin:/usr/bin:/bin');
    expect(found?.login).not.toContain('CANARY');
  });

  test('is asked one question, in JSON, on its standard input', async () => {
    const path = executable(
      `#!/bin/sh\nread -r q\n[ "$1" = --env ] || exit 3\n[ "$q" = '{"do":"add","group":"g 1","user":"u1"}' ] || exit 4\necho '{"done":"added"}'\n`,
    );
    expect(await connect([path, '--env']).add('g 1', 'u1')).toBe('added');
  });

  test('what it started is killed with it at the deadline', async () => {
    const marker = executable('');
    const path = executable(`#!/bin/sh\n(sleep 30; echo late > ${marker}) &\necho $! > ${marker}\nwait\n`);
    await expect(connect([path], { callDeadlineMs: 300 }).remove('g1', 'u1')).rejects.toMatchObject({
      code: 'unavailable',
      effect: 'unknown',
    });
    const child = Number(await readFile(marker, 'utf8'));
    expect(child).toBeGreaterThan(1);
    await expect.poll(() => stateOf(child)).toBe('gone');
  });

  test('one that says too much is cut off', async () => {
    const path = executable('#!/bin/sh\nexec cat /dev/zero\n');
    await expect(connect([path]).isMember('g1', 'u1')).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('longer than'),
    });
  });

  test('one that ends badly is believed only what it says of its failure', async () => {
    const bad = say({ done: 'removed' }, 'echo "ldap: $DIRECTORY_PASSWORD is wrong" >&2; trap "exit 3" EXIT');
    await expect(connect([bad]).remove('g1', 'u1')).rejects.toMatchObject({
      code: 'unavailable',
      effect: 'unknown',
      message: 'ldap: remove got an unreadable answer: it ended with 3: ldap: [secret] is wrong',
    });
    const told = say({ error: { code: 'rejected', message: 'no such tree' } }, 'trap "exit 3" EXIT');
    await expect(connect([told]).remove('g1', 'u1')).rejects.toMatchObject({ code: 'rejected', effect: 'none' });
  });

  test('one that answers another question is not believed', async () => {
    await expect(connect([say({ member: 'yes' })]).isMember('g1', 'u1')).rejects.toMatchObject({ code: 'unavailable' });
    expect(await connect([say({ group: { id: 'g1', name: 'prod-db-read' } })]).findGroup('prod')).toBeUndefined();
    const stranger = say({ user: { id: 'u9', login: 'eve@acme.example', active: true } });
    expect(await connect([stranger]).getUser('u1')).toBeUndefined();
    expect(await connect([stranger]).findUser('ana@acme.example')).toBeUndefined();
  });

  test('one that is not there did nothing', async () => {
    await expect(connect(['/nowhere/directory']).add('g1', 'u1')).rejects.toMatchObject({
      code: 'unavailable',
      effect: 'none',
      message: 'ldap: add: could not be started (ENOENT)',
    });
  });

  test('is named by its absolute path', () => {
    const run = (...words: string[]) => commandSection.safeParse({ type: 'command', run: words }).success;
    expect([run('/usr/bin/true'), run('true'), run(), run('/bin/echo', 'a\u0000b')]).toEqual([
      true,
      false,
      false,
      false,
    ]);
  });
});

describe('the example in docs/examples', () => {
  test('keeps groups in a file, and does what the page says', async () => {
    const script = join(import.meta.dirname, '../../docs/examples/groups-in-a-file.mjs');
    const file = executable(
      JSON.stringify({
        users: [{ id: 'u1', login: 'ana@acme.example', name: 'Ana Alves', active: true }],
        groups: [{ id: 'g1', name: 'prod-db-read', members: [] }],
      }),
    );
    const directory = connect([process.execPath, script, file]);
    const ana = await directory.findUser('ana@acme.example');
    const group = await directory.findGroup('prod-db-read');
    expect([ana?.id, group]).toEqual(['u1', { id: 'g1', name: 'prod-db-read' }]);
    expect(await directory.add('g1', 'u1')).toBe('added');
    expect(await directory.isMember('g1', 'u1')).toBe(true);
    expect((await directory.listMembers('g1')).map(({ id }) => id)).toEqual(['u1']);
    expect(await directory.remove('g1', 'u1')).toBe('removed');
    expect(await directory.remove('g1', 'u1')).toBe('was_not_member');
    await expect(directory.add('g1', 'u9')).rejects.toMatchObject({ code: 'not_found', missing: 'user' });
  });
});
