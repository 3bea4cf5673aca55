/** How programs come by a credential: a command line that somebody confirms, a job that gives in its token. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Session } from '../../src/access/model.ts';
import { type ApiWorld, startApi } from '../support/api.ts';
import { MINUTE, SECOND } from '../support/builders.ts';
import { sha256 } from '../support/open-store.ts';

const tokens: [name: string, token: string][] = [];
let api: ApiWorld;

beforeEach(async () => {
  tokens.length = 0;
  api = await startApi({
    workloads: {
      async exchange(name, token) {
        tokens.push([name, token]);
        if (name !== 'deploy')
          return { refusal: { code: 'workload_refused', fault: 'replayed', why: 'This token was used before.' } };
        return {
          secret: 'hps_made',
          id: 'S-1',
          expiresAt: api.clock.now() + MINUTE,
          person: 'svc-deploy',
          workload: {
            name,
            run: 'github/1/2/1',
            runName: 'run 2',
            onBehalfOf: { person: 'okta/ana', name: 'Ana', email: 'ana@acme.com' },
          },
        };
      },
    },
  });
});

afterEach(async () => {
  expect(api.errors).toEqual([]);
  await api.close();
});

const form = (fields: Record<string, string>) => ({
  body: new URLSearchParams(fields).toString(),
  headers: { 'content-type': 'application/x-www-form-urlencoded' },
});

async function begun(): Promise<{ deviceCode: string; userCode: string }> {
  const { status, body } = await api.call('POST', '/device/code', form({ label: 'ana’s laptop' }));
  expect(status).toBe(200);
  expect(body).toMatchObject({
    verification_uri: 'https://hallpass.acme.example/console/device',
    expires_in: 600,
    interval: 5,
  });
  return { deviceCode: String(body['device_code']), userCode: String(body['user_code']) };
}

async function asked(deviceCode: string) {
  // As the device is told to: not oftener than every five seconds.
  api.clock.pass(5 * SECOND);
  return await api.call(
    'POST',
    '/device/token',
    form({ grant_type: 'urn:ietf:params:oauth:grant-type:device_code', device_code: deviceCode }),
  );
}

/** A person's session in the browser. */
async function web(more: Partial<Session> = {}): Promise<{ session: string }> {
  const secret = await api.credential('ana', 'web', { amr: ['pwd', 'otp'], signedInAt: api.clock.now(), ...more });
  return { session: (await api.store.sessionBySecret(sha256(secret)))?.id ?? '' };
}

describe('a command line', () => {
  test('is its person once that person has confirmed its code, and gets its session once', async () => {
    const { deviceCode, userCode } = await begun();
    expect((await asked(deviceCode)).body).toEqual({ error: 'authorization_pending' });
    expect(await api.devices.look(userCode.toLowerCase().replace('-', ' '))).toMatchObject({ label: 'ana’s laptop' });
    expect(await api.devices.answer(userCode, await web(), 'confirm')).toHaveProperty('device');
    const { status, body } = await asked(deviceCode);
    expect(status).toBe(200);
    expect(body).toMatchObject({ token_type: 'Bearer', expires_in: 12 * 3_600, person: 'Ana' });
    const secret = String(body['access_token']);
    const me = await api.call('GET', '/me', { secret });
    expect(me.body).toMatchObject({ person: { id: 'okta/ana' }, session: { kind: 'cli', label: 'ana’s laptop' } });
    expect(await api.store.sessionBySecret(sha256(secret))).toMatchObject({ amr: ['pwd', 'otp'] });
    expect((await asked(deviceCode)).body).toEqual({ error: 'expired_token' });
    const trail = JSON.stringify(await api.store.chain(0, 50));
    expect(trail).toContain('device.confirmed');
    expect(trail).not.toContain(secret);
    expect(trail).not.toContain(deviceCode);
  });

  test('is nobody when its person says no, or when nobody answers in ten minutes', async () => {
    const no = await begun();
    await api.devices.answer(no.userCode, await web(), 'deny');
    expect((await asked(no.deviceCode)).body).toEqual({ error: 'access_denied' });
    const late = await begun();
    const by = await web();
    api.clock.pass(11 * MINUTE);
    expect(await api.devices.answer(late.userCode, by, 'confirm')).toEqual({ fault: 'code_over' });
    expect((await asked(late.deviceCode)).body).toEqual({ error: 'expired_token' });
    expect((await asked('made up')).body).toEqual({ error: 'expired_token' });
  });

  test('is confirmed in the browser alone: a token and another command line sign nobody in', async () => {
    const { userCode } = await begun();
    for (const kind of ['cli', 'token'] as const)
      expect(await api.devices.answer(userCode, await web({ kind }), 'confirm')).toEqual({ fault: 'not_signed_in' });
    expect(await api.devices.answer('AAAA-AAAA', await web(), 'confirm')).toEqual({ fault: 'unknown_code' });
    await api.devices.answer(userCode, await web(), 'confirm');
    expect(await api.devices.answer(userCode, await web(), 'deny')).toEqual({ fault: 'answered_already' });
  });

  test('that asks too often is told to slow down, and one that begins too often is kept out', async () => {
    const { deviceCode } = await begun();
    const fields = form({ grant_type: 'urn:ietf:params:oauth:grant-type:device_code', device_code: deviceCode });
    await api.call('POST', '/device/token', fields);
    expect((await api.call('POST', '/device/token', fields)).body).toEqual({ error: 'slow_down' });
    for (let i = 0; i < 9; i++) await begun();
    expect((await api.call('POST', '/device/code', form({ label: 'x' }))).status).toBe(429);
  });

  test('that logs out holds nothing any more', async () => {
    const secret = await api.credential('ana', 'cli');
    expect((await api.call('DELETE', '/session', { secret })).status).toBe(204);
    expect((await api.call('GET', '/me', { secret })).status).toBe(401);
  });
});

describe('a job', () => {
  test('gives in its token and is told for whom it acts', async () => {
    const { status, body } = await api.call('POST', '/workloads/deploy/session', { secret: 'a.b.c' });
    expect(status).toBe(201);
    expect(body).toEqual({
      token: 'hps_made',
      expiresAt: '2026-03-10T09:01:00.000Z',
      person: 'svc-deploy',
      workload: 'deploy',
      run: 'run 2',
      onBehalfOf: 'Ana',
    });
    expect(tokens).toEqual([['deploy', 'a.b.c']]);
  });

  test('is told why its token does not serve, and without one there is nothing to say', async () => {
    const used = await api.call('POST', '/workloads/release/session', { secret: 'a.b.c' });
    expect(used.status).toBe(403);
    expect(used.body).toMatchObject({ code: 'workload_refused', detail: 'Each token serves once.' });
    expect((await api.call('POST', '/workloads/deploy/session')).status).toBe(401);
  });

  test('whose tokens do not serve is not listened to for ever', async () => {
    for (let i = 0; i < 120; i++) await api.call('POST', '/workloads/release/session', { secret: 'a.b.c' });
    const next = await api.call('POST', '/workloads/deploy/session', { secret: 'a.b.c' });
    expect(next.status).toBe(429);
    expect(next.headers.get('retry-after')).not.toBeNull();
  });
});
