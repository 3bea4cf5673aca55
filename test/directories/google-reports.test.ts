/**
 * What people did, by Google's reports: application by application and page by page, from where it was, with what Google
 * wrote late read again; a report that cannot be read is an error and never an empty one.
 */
import { afterEach, describe, expect, test } from 'vitest';
import type { ActivitySource, Told } from '../../src/access/activity.ts';
import { processReports } from '../../src/directories/google-reports.ts';
import { type GoogleServer, startGoogleServer } from '../../src/sandbox/google-server.ts';
import { accountsFor, connect, userId } from './google-local.ts';

const HOUR = 3_600_000;
let server: GoogleServer;
let passed = 0;
afterEach(() => server?.close());

async function start(of?: readonly string[], how: Parameters<typeof accountsFor>[0] = {}): Promise<ActivitySource> {
  passed = 0;
  server = await startGoogleServer({
    pageMax: 2,
    seed: { users: [{ id: userId(1), email: 'u1@acme.example', name: 'U 1' }], accounts: accountsFor(how) ?? [] },
  });
  const clock = { now: () => Date.now() + passed, monotonic: () => performance.now() + passed };
  const port = connect(server, {}, { clock }).activity?.('google-audit', of);
  if (port === undefined) throw new Error('Google keeps reports');
  return port;
}

let count = 0;
const deed = (application: string, name: string, agoMs = 60_000, parameters: Record<string, string> = {}) => {
  count += 1;
  const at = Date.now() + passed - agoMs;
  server.control({ do: 'deed', user: userId(1), application, name, at, qualifier: String(count), parameters });
};

async function round(port: ActivitySource, from?: string, since = Date.now() - 72 * HOUR) {
  const told: Told[] = [];
  for (let cursor = from; ; ) {
    const page = await port.read(cursor, since);
    told.push(...page.told);
    cursor = page.cursor;
    if (!page.more) return { told, cursor, readTo: page.readTo };
  }
}

const actions = (told: readonly Told[]) => told.map(({ activity }) => activity.action).sort();

describe('the reports of the local Google', () => {
  test('are read of each application and over all pages, and told for whom and as what', async () => {
    const port = await start();
    for (const n of [1, 2, 3]) deed('drive', 'download', n * 1_000, { doc_title: `Orders ${n}`, doc_id: `d${n}` });
    deed('admin', 'GRANT_ADMIN_PRIVILEGE', 5_000, { USER_EMAIL: 'eve@acme.example' });
    deed('admin', 'ENFORCE_STRONG_AUTHENTICATION', 5_000, { NEW_VALUE: 'false' });
    deed('login', 'login_failure');
    deed('token', 'authorize', 5_000, { app_name: 'Some app' });
    const { told } = await round(port);
    expect(actions(told)).toEqual([
      'ENFORCE_STRONG_AUTHENTICATION',
      'GRANT_ADMIN_PRIVILEGE',
      'authorize',
      'download',
      'download',
      'download',
      'login_failure',
    ]);
    const of = (action: string) => told.find(({ activity }) => activity.action === action);
    expect(of('GRANT_ADMIN_PRIVILEGE')).toMatchObject({
      who: { directory: 'google', id: userId(1) },
      activity: { kind: 'privilege', account: 'u1@acme.example', target: 'eve@acme.example' },
    });
    expect(of('ENFORCE_STRONG_AUTHENTICATION')?.activity.kind).toBe('factor');
    expect(of('authorize')?.activity).toMatchObject({ kind: 'credential', resource: 'Some app' });
    expect(of('login_failure')?.activity).toMatchObject({ kind: 'login', outcome: 'failure' });
    expect(of('download')?.activity).toMatchObject({ kind: 'read', amount: 1 });
    expect(new Set(told.map(({ activity }) => activity.uid)).size).toBe(7);
  });

  test('are gone on with from where they were, and what comes a little late is still found', async () => {
    const port = await start(['admin']);
    deed('admin', 'CREATE_USER');
    const first = await round(port);
    passed += 3 * 60_000;
    deed('admin', 'DELETE_USER', 10 * 60_000);
    const second = await round(port, first.cursor);
    expect(actions(second.told)).toEqual(['CREATE_USER', 'DELETE_USER']);
    expect(second.told.find(({ activity }) => activity.action === 'CREATE_USER')?.activity.uid).toBe(
      first.told[0]?.activity.uid,
    );
    expect(second.readTo).toBeGreaterThan(first.readTo);
    // Hours late: found within the hour, when the last hours are read again.
    deed('admin', 'CREATE_GROUP', 4 * HOUR);
    passed += 3 * 60_000;
    const third = await round(port, second.cursor);
    expect(actions(third.told)).not.toContain('CREATE_GROUP');
    passed += HOUR;
    expect(actions((await round(port, third.cursor)).told)).toContain('CREATE_GROUP');
  });

  test('are read again from the beginning of a page that Google does not know any more', async () => {
    const port = await start(['admin']);
    for (const n of [1, 2, 3]) deed('admin', 'CREATE_USER', n * 1_000);
    const page = await port.read(undefined, Date.now() - HOUR);
    const lost = page.cursor.replace(/"token":"[^"]+"/, '"token":"gone"');
    expect(lost).not.toBe(page.cursor);
    expect((await round(port, lost)).told).toHaveLength(3);
    expect((await round(port, 'no place at all')).told).toHaveLength(3);
  });

  test('that may not be read, or make no sense, are an error', async () => {
    const port = await start(['admin'], { role: 'none' });
    await expect(round(port)).rejects.toMatchObject({ code: 'rejected' });
    server.control({ do: 'fault', fault: { kind: 'status', status: 200, path: '^/admin/', body: '[]' } });
    await expect(round(port)).rejects.toMatchObject({ code: 'unavailable' });
  });
});

test('what cannot be read in a page, and what nobody did, is left out', () => {
  const good = {
    id: { time: '2026-03-10T09:00:00.000Z', uniqueQualifier: '-12' },
    actor: { email: 'u1@acme.example', profileId: userId(1) },
    events: [{ name: 'CREATE_USER' }, { name: 'CHANGE_PASSWORD', parameters: 'odd' }],
  };
  const items = [good, { ...good, id: { time: 'x', uniqueQualifier: '1' } }, { ...good, actor: { key: 'SYSTEM' } }, 7];
  const { told, next } = processReports(
    { directory: 'google', operation: 'read_activity', write: false, secrets: [] },
    { status: 200, headers: new Headers(), body: JSON.stringify({ items, nextPageToken: 'n' }) },
    0,
    'google-audit',
    'admin',
  );
  expect(told.map(({ activity }) => [activity.action, activity.uid])).toEqual([
    ['CREATE_USER', 'admin/2026-03-10T09:00:00.000Z/-12/0'],
    ['CHANGE_PASSWORD', 'admin/2026-03-10T09:00:00.000Z/-12/1'],
  ]);
  expect(next).toBe('n');
});
