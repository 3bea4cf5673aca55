/** The local Google as the contract knows it, and an adapter that talks to it. */
import { generateKeyPairSync } from 'node:crypto';
import type { Clock, Metrics } from '../../src/access/ports.ts';
import { createGoogle } from '../../src/directories/google.ts';
import type { GoogleSection } from '../../src/directories/google-section.ts';
import { type GoogleSeed, type GoogleServer, startGoogleServer } from '../../src/sandbox/google-server.ts';
import type { OktaFault as Fault } from '../../src/sandbox/okta-faults.ts';
import type { ContractFault, DirectoryHarness } from '../contracts/directory.ts';

export const clock: Clock = { now: () => Date.now(), monotonic: () => performance.now() };
export const metrics: Metrics = { count: () => {}, observe: () => {} };
const ACCOUNT = 'hallpass@acme-prod.iam.gserviceaccount.com';
export const ADMIN = 'admin@acme.example';

function account() {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  return {
    publicKey: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    secret: pem.split('\n')[1] ?? 'no key',
    json: JSON.stringify({ type: 'service_account', client_email: ACCOUNT, private_key: pem, private_key_id: 'k1' }),
  };
}
const key = account();
export const userId = (n: number) => `1${String(n).padStart(20, '0')}`;
export const groupId = (n: number) => `01gold${String(n).padStart(9, '0')}`;
export const groupName = (word: string) => `${word}@acme.example`;

export interface How {
  readonly subject?: string;
  readonly role?: 'groups-admin' | 'read-only' | 'none';
  readonly delegates?: readonly string[];
}

export function connect(server: GoogleServer, how: How = {}, more: Partial<Parameters<typeof createGoogle>[0]> = {}) {
  const section: GoogleSection = {
    type: 'google',
    nativeExpiry: true,
    auth: { keyFile: 'google.json', ...(how.subject === undefined ? {} : { subject: how.subject }) },
    rootUrl: server.url,
  };
  return createGoogle({ name: 'google', section, keyText: key.json, clock, metrics, jitter: () => 0, ...more });
}

export const accountsFor = (how: How): GoogleSeed['accounts'] => [
  {
    email: ACCOUNT,
    publicKey: key.publicKey,
    ...(how.role === undefined ? {} : { role: how.role }),
    ...(how.delegates === undefined ? {} : { delegates: how.delegates }),
  },
];

const isWrite = ({ method, path }: { method: string; path: string }) => method !== 'GET' && path !== '/token';

function googleFaults(fault: ContractFault): Fault[] {
  const { kind, on } = fault;
  const where = {
    path: on === 'all' ? '^/' : '^/(admin|v1)/',
    ...(fault.times === undefined ? {} : { times: fault.times }),
  };
  const methods = on === 'writes' ? ['POST', 'DELETE'] : on === 'reads' ? ['GET'] : ['GET', 'POST', 'DELETE'];
  const message = 'Invalid Input: {{authorization}}';
  const said = JSON.stringify({ error: { code: fault.status, message, errors: [{ reason: 'invalid', message }] } });
  return methods.map((method) => {
    if (kind === 'reset-before' || kind === 'reset-after')
      return { ...where, method, kind: 'reset', after: kind === 'reset-after' };
    if (kind === 'hang' || kind === 'hang-after')
      return { ...where, method, kind: 'hang', after: kind === 'hang-after' };
    if (kind !== 'status') return { ...where, method, kind };
    return { ...where, method, kind, status: fault.status ?? 500, ...(fault.echo === true ? { body: said } : {}) };
  });
}

const rateLimit = (code: number, reason: string) =>
  JSON.stringify({ error: { code, message: 'Rate Limit Exceeded', errors: [{ reason, message: '' }] } });

const HEADER_FORMS: Readonly<Record<string, () => Record<string, string>>> = {
  'with seconds to wait': () => ({ 'retry-after': '7' }),
  'with a date to wait for': () => ({ 'retry-after': new Date(Date.now() + 7_000).toUTCString() }),
  'without a word': () => ({}),
};
const formsOf = (...reasons: readonly string[]) =>
  reasons.flatMap((reason) => Object.keys(HEADER_FORMS).map((form) => `${reason}, ${form}`));
const BY_403 = formsOf('userRateLimitExceeded', 'quotaExceeded', 'rateLimitExceeded');

export function googleHarness(how: How): DirectoryHarness {
  return {
    userId,
    groupId,
    groupName,
    // The role: an owner or manager is never removed.
    removalReads: 1,
    unmanageable: [],
    memberCounts: [0, 1, 199, 200, 201, 401],
    rateForms: { '429': formsOf('RESOURCE_EXHAUSTED'), '403 that is a rate limit': BY_403 },
    without: { 'group not ours to manage': 'Google marks no such group in the Directory API' },
    async start(seed, options = {}) {
      const server = await startGoogleServer({
        ...(options.budget === undefined ? {} : { budget: { limit: options.budget, windowMs: 60_000 } }),
        seed: {
          accounts: accountsFor(how) ?? [],
          users: seed.users.map(({ id, login, active }) => ({
            id,
            email: login,
            name: login,
            suspended: active === false,
          })),
          groups: seed.groups.map(({ id, name, members }) => ({
            id,
            email: name,
            ...(members === undefined ? {} : { members }),
          })),
        },
      });
      return {
        directory: connect(server, how, {
          callDeadlineMs: options.callDeadlineMs ?? 5_000,
          ...(options.budget === undefined ? {} : { perMinute: options.budget }),
        }),
        secrets: ['ya29.', 'eyJ', key.secret],
        holds: server.isMember,
        endsAt: server.expiresAt,
        dropExpiry: () => server.control({ do: 'edition', expiry: false }),
        fault: (fault) => {
          for (const each of googleFaults(fault)) server.control({ do: 'fault', fault: each });
        },
        clear: () => server.control({ do: 'clear' }),
        lagReads: (reads) => server.control({ do: 'lag', reads }),
        rateLimit: (resetInMs, skewMs) => {
          const headers = { 'retry-after': new Date(Date.now() + resetInMs + skewMs).toUTCString() };
          const fault = {
            kind: 'status',
            status: 403,
            path: '^/admin/',
            headers,
            body: rateLimit(403, 'userRateLimitExceeded'),
          } as const;
          server.control({ do: 'fault', fault });
        },
        limit: (form) => {
          const [reason = '', header = ''] = form.split(', ');
          const status = BY_403.includes(form) ? 403 : 429;
          const answer = { headers: HEADER_FORMS[header]?.() ?? {}, body: rateLimit(status, reason) };
          server.control({ do: 'fault', fault: { kind: 'status', status, path: '^/admin/', ...answer } });
        },
        deleteGroup: (group) => server.control({ do: 'delete-group', group }),
        deleteUser: (user) => server.control({ do: 'delete-user', user }),
        revokeCredential: () => server.control({ do: 'revoke-tokens', accounts: true }),
        forbidWrites: () => {
          for (const method of ['POST', 'DELETE'])
            server.control({ do: 'fault', fault: { kind: 'status', status: 403, method, path: '^/admin/' } });
        },
        writes: () => server.state().log.filter(isWrite).length,
        reads: () => server.state().log.filter(({ method }) => method === 'GET').length,
        stop: () => server.close(),
      };
    },
  };
}
