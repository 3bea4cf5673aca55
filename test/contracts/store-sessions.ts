import { expect, test } from 'vitest';
import type { Device, Session } from '../../src/access/model.ts';
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

  test('a device is found by both of its codes, is answered once, and is forgotten when it is over', async () => {
    const [one, other] = [await bench.store(), await bench.another()];
    const device: Device = {
      id: 'hash',
      version: 1,
      state: 'waiting',
      userCode: 'WDJK-3M7P',
      label: "Ana's laptop",
      from: '127.0.0.1',
      createdAt: T0,
      expiresAt: T0 + 10 * MINUTE,
    };
    await one.commit({ changes: [{ put: 'device', row: device }] });
    expect(await one.device({ id: 'hash' })).toStrictEqual(device);
    const twin = { ...device, id: 'another' };
    await expect(one.commit({ changes: [{ put: 'device', row: twin }] })).rejects.toThrow(StaleStateError);
    const answered: Device = {
      ...device,
      version: 2,
      state: 'confirmed',
      person: 'okta/1',
      personName: 'Ana',
      amr: ['x'],
    };
    await one.commit({ changes: [{ put: 'device', row: answered, was: 1 }] });
    await expect(other.commit({ changes: [{ put: 'device', row: answered, was: 1 }] })).rejects.toThrow(
      StaleStateError,
    );
    expect(await other.device({ userCode: 'WDJK-3M7P' })).toStrictEqual(answered);
    expect([await one.forgetDevices(T0), await one.forgetDevices(T0 + 11 * MINUTE)]).toEqual([0, 1]);
    expect(await other.device({ id: 'hash' })).toBeUndefined();
  });

  test('a session of a pipeline keeps which run it is, and for whom', async () => {
    const store = await bench.store();
    const job = aSession({
      kind: 'workload',
      workload: {
        name: 'deploy',
        run: 'github/1/2/1',
        runName: 'run 2',
        onBehalfOf: { person: 'okta/2', name: 'Ana', email: 'ana@acme.example' },
      },
    });
    await store.commit({ changes: [{ put: 'session', row: job }] });
    expect(await store.session('S-1')).toStrictEqual(job);
  });
}
