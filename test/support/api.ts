/** The API over a real record and the real rules, in this process: people and their groups are made up, no socket. */

import type { Catalog } from '../../src/access/catalog.ts';
import { beginSession } from '../../src/access/decide-session.ts';
import { createDevices, type Devices } from '../../src/access/devices.ts';
import { createHandler, type Handler } from '../../src/access/handle.ts';
import type { Session, SessionKind } from '../../src/access/model.ts';
import type { Ids, Store } from '../../src/access/ports.ts';
import type { Workloads } from '../../src/access/workload.ts';
import { createApi } from '../../src/api/app.ts';
import type { OpenStore } from '../../src/store/database.ts';
import { createDesk } from '../../src/workers/inbox.ts';
import { entitlement, group, HOUR, policy, T0 } from './builders.ts';
import { type HandClock, handClock } from './clock.ts';
import { createFakeDirectory, createFakePeople, type FakeHuman } from './fakes.ts';
import { openTestStore, sha256 } from './open-store.ts';

const HUMANS = ['ana', 'ben', 'cat', 'dan'] as const;
export type Human = (typeof HUMANS)[number];

const GROUPS: Readonly<Record<Human, readonly string[]>> = {
  ana: ['engineering'],
  ben: ['engineering', 'dba-leads'],
  cat: ['security'],
  dan: ['engineering'],
};

export interface Called {
  readonly status: number;
  readonly headers: Headers;
  // What an answer holds is what the test says of it.
  readonly body: { readonly [key: string]: unknown };
}

export interface Call {
  readonly secret?: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly from?: string;
}

export interface ApiWorld {
  readonly store: OpenStore;
  readonly clock: HandClock;
  readonly errors: unknown[];
  readonly view: Handler['view'];
  /** What the web's page for devices asks. */
  readonly devices: Devices;
  /** Gives a person a credential; returns its secret. */
  credential(who: Human, kind: SessionKind, more?: Partial<Session>): Promise<string>;
  call(method: string, path: string, call?: Call): Promise<Called>;
  raw(request: Request, from?: string): Promise<Response>;
  setActive(who: Human, active: boolean): void;
  /** So many of the next look-ups of people find nobody to ask; the first that lets a caller in is not among them. */
  lookUpsFail(times: number): void;
  tidy(): Promise<void>;
  stop(): void;
  close(): Promise<void>;
}

const read = entitlement({ policy: policy({ requesters: [group('engineering')] }) });
const admin = entitlement({
  id: 'db-prod:admin',
  role: 'admin',
  groups: [{ directory: 'okta', group: 'prod-db-admin' }],
  policy: policy({ approvals: 2 }),
});

const CATALOG: Catalog = {
  resources: {
    'db-prod': { name: 'db-prod', title: 'Orders database', defaultRole: 'read', roles: { read, admin } },
  },
  admins: [],
  responders: [group('security')],
  viewers: [],
  timezone: 'UTC',
};

export async function startApi(options: { readonly workloads?: Workloads } = {}): Promise<ApiWorld> {
  const clock = handClock(T0);
  const record = await openTestStore('sqlite::memory:', clock.now);
  const humans: FakeHuman[] = HUMANS.map((name) => ({
    id: `okta/${name}`,
    name: `${name.charAt(0).toUpperCase()}${name.slice(1)}`,
    email: `${name}@acme.com`,
    accounts: [],
    users: { okta: `okta-${name}` },
    groups: GROUPS[name],
  }));
  let failing = 0;
  let passed = 0;
  const people = createFakePeople({
    humans,
    onCall: { dba: ['okta/ben'] },
    now: clock.now,
    fails: () => failing > 0 && passed++ > 0 && failing-- > 0,
    session: (id) => record.session(id),
  });
  const okta = createFakeDirectory({
    name: 'okta',
    lagMs: 0,
    callDeadlineMs: 1_000,
    now: clock.monotonic,
    after: (_ms, act) => void act(),
    course: () => ({ actsAfterMs: 0, answersAfterMs: 0 }),
    tellsAlready: true,
  });
  for (const name of ['prod-db-read', 'prod-db-admin']) okta.addGroup({ id: `id-${name}`, name });
  for (const { users, email } of humans) okta.addUser({ id: users['okta'] ?? '', login: email });
  let drawn = 0;
  const ids: Ids = {
    short: () => (0x10000 + drawn++).toString(16).toUpperCase().slice(1).padStart(4, '3'),
    opaque: () => sha256(String(drawn++)).slice(0, 32),
    jitter: () => 0,
    hash: sha256,
  };
  const store = {
    ...record,
    async commit(commit: Parameters<Store['commit']>[0]) {
      await record.commit(commit);
      api.changed(commit.changes.flatMap((one) => ('put' in one && one.put === 'request' ? [one.row.id] : [])));
    },
  };
  const directories = new Map([['okta', okta.port('us')]]);
  const errors: unknown[] = [];
  const quiet = { warn: () => undefined, error: (fields: object) => void errors.push(fields), info: () => undefined };
  const handler = createHandler({ store, people: people.port, directories, catalog: () => CATALOG, clock, ids });
  const devices = createDevices({ store, people: people.port, clock, ids });
  const api = createApi({
    handler,
    desk: createDesk({ store, handler, clock, log: quiet }),
    store,
    people: people.port,
    clock,
    ids,
    metrics: { count: () => undefined, observe: () => undefined },
    directories,
    catalog: () => CATALOG,
    onError: (error) => errors.push(error),
    devices,
    workloads: options.workloads ?? {
      exchange: async () => ({ refusal: { code: 'workload_refused', fault: 'not_configured', why: 'There is none.' } }),
    },
    baseUrl: 'https://hallpass.acme.example',
  });
  const raw = (request: Request, from = '127.0.0.1') => api.fetch(request, { remoteAddress: from });

  return {
    store,
    clock,
    errors,
    view: handler.view,
    devices,
    async credential(who, kind, more = {}) {
      const secret = `hp_${sha256(`${who} ${drawn++}`)}`;
      const session: Session = {
        id: `T-${drawn++}`,
        version: 1,
        kind,
        secretHash: sha256(secret),
        person: `okta/${who}`,
        personName: who,
        scopes: [],
        createdAt: clock.now(),
        createdBy: 'test',
        expiresAt: clock.now() + 24 * HOUR,
        ...more,
      };
      await record.commit({ changes: beginSession(session, { kind: 'operator', name: 'test' }, clock.now()) });
      return secret;
    },
    async call(method, path, { secret, body, headers = {}, from } = {}) {
      const request = new Request(`http://localhost/api/v1${path}`, {
        method,
        headers: {
          ...(secret === undefined ? {} : { authorization: `Bearer ${secret}` }),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      });
      const response = await raw(request, from);
      const text = await response.text();
      return {
        status: response.status,
        headers: response.headers,
        body: text === '' ? {} : (JSON.parse(text) as Called['body']),
      };
    },
    raw,
    setActive: (who, active) => people.setActive(`okta/${who}`, active),
    lookUpsFail(times) {
      failing = times;
      passed = 0;
    },
    tidy: () => api.tidy(),
    stop: () => api.stop(),
    close: () => record.close(),
  };
}
