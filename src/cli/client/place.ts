/** Which Hallpass a command line talks to, and by what credential: the environment's, or that of `hallpass login`. */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ClientEnvironment } from '../../config-env.ts';

/** What `login` keeps, for each Hallpass a file. */
export interface Login {
  readonly url: string;
  readonly token: string;
  readonly person: string;
  /** RFC 3339. */
  readonly expiresAt: string;
}

export interface Place {
  readonly url: string;
  readonly token: string;
  /** Absent: the credential stands in the environment. */
  readonly login?: Login;
}

/** Why there is no credential to go by; `what` says what to do. */
export class NoPlace extends Error {
  readonly what: string;
  constructor(message: string, what: string) {
    super(message);
    this.name = 'NoPlace';
    this.what = what;
  }
}

const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]']);
const OWNER_ONLY = 0o600;

/** Without a slash at its end. Throws `NoPlace` for what a credential may not be sent to. */
export function addressOf(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const safe =
    url !== undefined && (url.protocol === 'https:' || (url.protocol === 'http:' && LOOPBACK.has(url.hostname)));
  if (!safe || url.username !== '' || url.search !== '' || url.hash !== '')
    throw new NoPlace(`${text} is no address of a Hallpass.`, 'It must be https:// (http:// only on this machine).');
  return url.href.replace(/\/+$/, '');
}

/** The address that is meant, if any is: then a command is sent there in place of being carried out on this host. */
export function urlFor(env: ClientEnvironment, host: boolean): string | undefined {
  if (env.url !== undefined) return addressOf(env.url);
  if (host || env.hostConfig) return undefined;
  return readText(join(env.folder, 'default'))?.trim();
}

/** Throws `NoPlace`. */
export function placeAt(url: string, env: ClientEnvironment, now: number): Place {
  if (env.token !== undefined && env.url !== undefined) return { url, token: env.token };
  const login = loginAt(url, env);
  if (login === undefined)
    throw new NoPlace(`You are not signed in at ${url}.`, 'hallpass login, or set HALLPASS_TOKEN.');
  if (Date.parse(login.expiresAt) <= now) throw new NoPlace(`Your session at ${url} is over.`, 'hallpass login');
  return { url, token: login.token, login };
}

export function loginAt(url: string, env: ClientEnvironment): Login | undefined {
  const path = fileOf(url, env);
  const text = readText(path);
  if (text === undefined) return undefined;
  // As ssh does with its keys: what others could read is no secret any more.
  if (process.platform !== 'win32' && (statSync(path).mode & 0o077) !== 0)
    throw new NoPlace(`Others can read ${path}.`, `chmod 600 ${path}, or sign in again.`);
  const login = JSON.parse(text) as Login;
  return login.url === url ? login : undefined;
}

export function keepLogin(login: Login, env: ClientEnvironment): string {
  mkdirSync(env.folder, { recursive: true, mode: 0o700 });
  const path = fileOf(login.url, env);
  writeWhole(path, `${JSON.stringify(login, undefined, 2)}\n`);
  writeWhole(join(env.folder, 'default'), `${login.url}\n`);
  return path;
}

export function forgetLogin(url: string, env: ClientEnvironment): void {
  rmSync(fileOf(url, env), { force: true });
  if (readText(join(env.folder, 'default'))?.trim() === url) rmSync(join(env.folder, 'default'), { force: true });
}

function fileOf(url: string, { folder }: ClientEnvironment): string {
  const host = new URL(url).host.replaceAll(/[^A-Za-z0-9.-]/g, '_');
  return join(folder, `${host}-${createHash('sha256').update(url).digest('hex').slice(0, 8)}.json`);
}

/** Never half written, and never readable in between. */
function writeWhole(path: string, text: string): void {
  const beside = `${path}.${process.pid}`;
  rmSync(beside, { force: true });
  writeFileSync(beside, text, { mode: OWNER_ONLY, flag: 'wx' });
  renameSync(beside, path);
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
