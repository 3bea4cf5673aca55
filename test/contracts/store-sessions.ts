import { expect, test } from 'vitest';
import type { Session } from '../../src/access/model.ts';
import { StaleStateError } from '../../src/access/ports.ts';
import type { Bench } from './store.ts';
import { MINUTE, T0 } from './store-rows.ts';

function aSession(change: Partial<Session> = {}): Session {
  return {
    id: 'S-1',
    version: 1,
    kind: 'token',
    secretHash: 'hash-1',
    person: 'okta/00uana',
    personName: 'Ana',
    label: 'nightly “export”',
    scopes: ['requests:write'],
    createdAt: T0,
    createdBy: 'root (on the host)',
    expiresAt: T0 + 60 * MINUTE,
    ...change,
  };
}

export function sessionContract(bench: Bench): void {
  test('what was answered to a call is kept under its key until it is forgotten', async () => {
    const store = await bench.store();
    const kept = { key: 'api:1', fingerprint: 'f', tries: 1, at: T0 };
    expect(await store.keptAnswer('api:1')).toBeUndefined();
    await store.keepAnswer(kept);
    expect(await store.keptAnswer('api:1')).toStrictEqual(kept);
    await store.keepAnswer({ ...kept, body: '{"value":1}', at: T0 + 1 });
    expect(await store.keptAnswer('api:1')).toStrictEqual({ ...kept, body: '{"value":1}', at: T0 + 1 });
    expect([await store.forgetAnswers(T0 + 1), await store.forgetAnswers(T0 + 2)]).toEqual([0, 1]);
    expect(await store.keptAnswer('api:1')).toBeUndefined();
  });

  test('a session is found by its id and by the hash of its secret, and listed newest first', async () => {
    const store = await bench.store();
    const web = aSession({ id: 'S-2', kind: 'web', secretHash: 'hash-2', createdAt: T0 + 1, amr: ['pwd', 'otp'] });
    await store.commit({ changes: [{ put: 'session', row: aSession() }] });
    await store.commit({ changes: [{ put: 'session', row: web }] });
    expect(await store.session('S-1')).toStrictEqual(aSession());
    expect(await store.sessionBySecret('hash-2')).toStrictEqual(web);
    expect(await store.sessionBySecret('hash-3')).toBeUndefined();
    expect(await store.sessions({ limit: 10 })).toStrictEqual([web, aSession()]);
    expect(await store.sessions({ kind: 'token', limit: 10 })).toStrictEqual([aSession()]);
  });

  test('of two who end a session one is told that somebody was faster', async () => {
    const [one, other] = [await bench.store(), await bench.another()];
    await one.commit({ changes: [{ put: 'session', row: aSession() }] });
    const ended = aSession({ version: 2, endedAt: T0 + MINUTE, endedBy: 'Sam' });
    await one.commit({ changes: [{ put: 'session', row: ended, was: 1 }] });
    await expect(other.commit({ changes: [{ put: 'session', row: ended, was: 1 }] })).rejects.toThrow(StaleStateError);
    expect(await other.session('S-1')).toStrictEqual(ended);
  });

  test('its last use is kept to the minute, whatever else becomes of it', async () => {
    const store = await bench.store();
    await store.commit({ changes: [{ put: 'session', row: aSession() }] });
    await store.sessionUsed('S-1', T0 + MINUTE);
    await store.sessionUsed('S-1', T0 + MINUTE + 1);
    await store.commit({ changes: [{ put: 'session', row: aSession({ version: 2, endedAt: T0 }), was: 1 }] });
    expect((await store.session('S-1'))?.lastUsedAt).toBe(T0 + MINUTE);
  });
}
