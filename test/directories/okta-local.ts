/** The local Okta as the contract knows it, and an adapter that talks to it. */
import { generateKeyPairSync } from 'node:crypto';
import type { Clock, Metrics } from '../../src/access/ports.ts';
import { createOkta, type OktaSection } from '../../src/directories/okta.ts';
import type { OktaFault } from '../../src/sandbox/okta-faults.ts';
import { type OktaServer, startOktaServer } from '../../src/sandbox/okta-server.ts';
import type { ContractFault, DirectoryHarness } from '../contracts/directory.ts';

export const clock: Clock = { now: () => Date.now(), monotonic: () => performance.now() };
export const metrics: Metrics = { count: () => {}, observe: () => {} };
export const TOKEN = '00canaryTokenThatNobodyMaySee';
const pem = (type: 'rsa' | 'ec') => {
  const pair =
    type === 'rsa'
      ? generateKeyPairSync('rsa', { modulusLength: 2048 })
      : generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return {
    privateKey: pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    publicKey: pair.publicKey.export({ type: 'spki', format: 'pem' }).toString(),
  };
};
export const keys = { rsa: pem('rsa'), ec: pem('ec') };
const id = (prefix: string) => (n: number) => `${prefix}${String(n).padStart(17, '0')}`;
const keyOf = (way: Exclude<Way, 'token'>) => keys[way === 'dpop' ? 'rsa' : way];
export const userId = id('00u');
export const groupId = id('00g');

export type Way = 'token' | 'rsa' | 'ec' | 'dpop';

export function sectionFor(way: Way, url: string): OktaSection {
  const auth = way === 'token' ? { token: TOKEN } : { clientId: '0oaHallpass', keyFile: 'okta.pem', keyId: 'k1' };
  return { type: 'okta', url, auth };
}

export function connect(way: Way, server: OktaServer, more: Partial<Parameters<typeof createOkta>[0]> = {}) {
  return createOkta({
    name: 'okta',
    section: sectionFor(way, server.url),
    ...(way === 'token' ? {} : { keyText: keyOf(way).privateKey }),
    clock,
    metrics,
    jitter: () => 0,
    ...more,
  });
}

export const credentialsOf = (way: Way) =>
  way === 'token'
    ? { tokens: [{ token: TOKEN }] }
    : { clients: [{ clientId: '0oaHallpass', publicKey: keyOf(way).publicKey, keyId: 'k1', dpop: way === 'dpop' }] };

export const isWrite = (entry: { method: string }) => entry.method === 'PUT' || entry.method === 'DELETE';

function oktaFaults(fault: ContractFault): OktaFault[] {
  const { kind, on } = fault;
  const where = {
    path: on === 'all' ? '^/' : '^/api/v1/',
    ...(fault.times === undefined ? {} : { times: fault.times }),
  };
  const methods = on === 'writes' ? ['PUT', 'DELETE'] : on === 'reads' ? ['GET'] : ['GET', 'PUT', 'DELETE', 'POST'];
  const said = JSON.stringify({ errorCode: 'E0000001', errorSummary: 'Api validation failed: {{authorization}}' });
  return methods.map((method) => {
    if (kind === 'reset-before' || kind === 'reset-after') {
      return { ...where, method, kind: 'reset', after: kind === 'reset-after' };
    }
    if (kind === 'hang' || kind === 'hang-after')
      return { ...where, method, kind: 'hang', after: kind === 'hang-after' };
    if (kind !== 'status') return { ...where, method, kind };
    return { ...where, method, kind, status: fault.status ?? 500, ...(fault.echo === true ? { body: said } : {}) };
  });
}

const inSeconds = (ms: number) => String(Math.round((Date.now() + ms) / 1_000));

/** Okta's own headers, the ones of a gateway before it, and the concurrency limit, whose reset is only a guess. */
const RATE_FORMS: Readonly<Record<string, () => Record<string, string>>> = {
  'with a reset': () => ({
    'x-rate-limit-limit': '600',
    'x-rate-limit-remaining': '0',
    'x-rate-limit-reset': inSeconds(20_000),
  }),
  'for too many at once': () => ({
    'x-rate-limit-limit': '75',
    'x-rate-limit-remaining': '0',
    'x-rate-limit-reset': inSeconds(1_000),
  }),
  'with seconds to wait': () => ({ 'retry-after': '7' }),
  'with a date to wait for': () => ({ 'retry-after': new Date(Date.now() + 7_000).toUTCString() }),
  'without a word': () => ({}),
};

export function oktaHarness(way: Way): DirectoryHarness {
  return {
    userId,
    groupId,
    groupName: (word) => word,
    removalReads: 0,
    unmanageable: ['rule-fed', 'app-mastered', 'built-in'],
    memberCounts: [0, 1, 199, 200, 201, 401],
    rateForms: { '429': Object.keys(RATE_FORMS) },
    without: {
      '403 that is a rate limit': 'Okta says 429',
      'native expiry': 'ends no membership by itself',
    },
    async start(seed, options = {}) {
      const server = await startOktaServer({
        ...(options.budget === undefined ? {} : { budget: { limit: options.budget, windowMs: 60_000 } }),
        seed: {
          ...credentialsOf(way),
          users: seed.users.map(({ id: each, login, active }) => ({
            id: each,
            login,
            email: login,
            name: login,
            status: active === false ? 'SUSPENDED' : 'ACTIVE',
          })),
          groups: seed.groups.map(({ kind, ...group }) => ({
            ...group,
            type: kind === 'app-mastered' ? 'APP_GROUP' : kind === 'built-in' ? 'BUILT_IN' : 'OKTA_GROUP',
          })),
          rules: seed.groups.flatMap((group) =>
            group.kind === 'rule-fed'
              ? [{ id: `0pr${group.id}`, name: 'all of engineering', status: 'ACTIVE' as const, groupIds: [group.id] }]
              : [],
          ),
        },
      });
      const directory = connect(way, server, { callDeadlineMs: options.callDeadlineMs ?? 5_000 });
      const secrets = way === 'token' ? [TOKEN] : ['local.', keyOf(way).privateKey.split('\n')[1] ?? 'no key', 'eyJ'];
      return {
        directory,
        secrets,
        holds: server.isMember,
        fault: (fault) => {
          for (const each of oktaFaults(fault)) server.control({ do: 'fault', fault: each });
        },
        clear: () => server.control({ do: 'clear' }),
        lagReads: (reads) => server.control({ do: 'lag', reads }),
        rateLimit: (resetInMs, skewMs) => {
          const reset = Math.round((Date.now() + resetInMs + skewMs) / 1_000);
          const headers = {
            'x-rate-limit-limit': '100',
            'x-rate-limit-remaining': '0',
            'x-rate-limit-reset': `${reset}`,
          };
          server.control({ do: 'fault', fault: { kind: 'status', status: 429, path: '^/api/', headers } });
        },
        limit: (form) => {
          const headers = RATE_FORMS[form]?.() ?? {};
          server.control({ do: 'fault', fault: { kind: 'status', status: 429, path: '^/api/', headers } });
        },
        deleteGroup: (group) => server.control({ do: 'delete-group', group }),
        deleteUser: (user) => server.control({ do: 'delete-user', user }),
        revokeCredential: () => {
          server.control({ do: 'revoke-token', token: TOKEN });
          server.control({ do: 'revoke-token' });
          if (way !== 'token')
            server.control({ do: 'fault', fault: { kind: 'status', status: 401, path: '^/oauth2/' } });
        },
        forbidWrites: () => {
          for (const method of ['PUT', 'DELETE']) {
            server.control({ do: 'fault', fault: { kind: 'status', status: 403, method, path: '^/api/' } });
          }
        },
        writes: () => server.state().log.filter(isWrite).length,
        reads: () => server.state().log.filter((entry) => entry.method === 'GET').length,
        stop: () => server.close(),
      };
    },
  };
}
