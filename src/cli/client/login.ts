/** `hallpass login` and `logout`: a code to compare in the browser, and a session that only this account can read. */
import { hostname, userInfo } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import type { DeviceCodes, DeviceError, DeviceSession } from '../../api/schemas.ts';
import type { ClientEnvironment } from '../../config-env.ts';
import { EXIT, type Out } from '../out.ts';
import { ClientError, createClient } from './http.ts';
import { addressOf, forgetLogin, keepLogin, loginAt } from './place.ts';
import { plain, sayError } from './show.ts';

const GRANT = 'urn:ietf:params:oauth:grant-type:device_code';
const SLOWER_S = 5;

/** The network and the time that goes by. */
export interface Outside {
  readonly send: typeof fetch;
  readonly pause: (ms: number) => Promise<unknown>;
}

export async function loginCommand(
  io: Out,
  env: ClientEnvironment,
  given: string,
  tell: (line: string) => void,
  outside: Outside = { send: fetch, pause: (ms) => sleep(ms) },
): Promise<number> {
  const url = addressOf(given);
  const client = createClient(url, undefined, outside.send);
  try {
    const label = `${userInfo().username} on ${hostname()}`;
    const codes = await client.post<DeviceCodes>('/device/code', { form: { label } });
    tell(`Open ${codes.verification_uri} and compare this code: ${codes.user_code}`);
    tell(`Or open ${codes.verification_uri_complete}`);
    const session = await confirmed(client, codes, outside);
    if ('error' in session) {
      const why = session.error === 'access_denied' ? 'You said no in the browser.' : 'Nobody confirmed it in time.';
      io.say({ ok: false, error: why, code: session.error }, why);
      return EXIT.failed;
    }
    const expiresAt = new Date(Date.now() + session.expires_in * 1_000).toISOString();
    const person = plain(session.person);
    const path = keepLogin({ url, token: session.access_token, person, expiresAt }, env);
    io.say({ ok: true, url, person, expiresAt, file: path }, [
      `You are ${person} at ${url} for ${Math.round(session.expires_in / 3_600)} hours.`,
      `Kept in ${path}; hallpass logout ends it.`,
    ]);
    return EXIT.done;
  } catch (error) {
    return sayError(io, error);
  }
}

async function confirmed(
  client: ReturnType<typeof createClient>,
  codes: DeviceCodes,
  { pause }: Outside,
): Promise<DeviceSession | DeviceError> {
  const until = performance.now() + codes.expires_in * 1_000;
  let everyS = codes.interval;
  while (performance.now() < until) {
    await pause(everyS * 1_000);
    try {
      const form = { grant_type: GRANT, device_code: codes.device_code };
      return await client.post<DeviceSession>('/device/token', { form });
    } catch (error) {
      const said = error instanceof ClientError ? ((error.answer ?? {}) as Partial<DeviceError>) : {};
      if (said.error === 'slow_down') everyS += SLOWER_S;
      else if (said.error === undefined) throw error;
      else if (said.error !== 'authorization_pending') return { error: said.error };
    }
  }
  return { error: 'expired_token' };
}

export async function logoutCommand(io: Out, env: ClientEnvironment, url: string, send = fetch): Promise<number> {
  const login = loginAt(url, env);
  if (login === undefined) {
    io.say({ ok: true, url, ended: false }, `You were not signed in at ${url}.`);
    return EXIT.done;
  }
  try {
    await createClient(url, login.token, send).delete('/session');
  } catch (error) {
    // One that is over already needs no ending; one that cannot be ended is said, and is forgotten here all the same.
    if (!(error instanceof ClientError) || error.status !== 401) {
      forgetLogin(url, env);
      return sayError(io, error, 'The login is forgotten here; there it holds until it is over by itself.');
    }
  }
  forgetLogin(url, env);
  io.say({ ok: true, url, ended: true }, `Signed out of ${url}.`);
  return EXIT.done;
}
