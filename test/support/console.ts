/** The console over a real record and the real rules, in this process: people and the issuer are made up, no socket. */
import type { Catalog } from '../../src/access/catalog.ts';
import { createDevices, type Devices } from '../../src/access/devices.ts';
import { createHandler } from '../../src/access/handle.ts';
import type { Ids } from '../../src/access/ports.ts';
import { type SignedIn, SignInError } from '../../src/access/sign-in.ts';
import { exportHead, exportLine } from '../../src/audit/export.ts';
import { type Console, createConsole } from '../../src/console/console.ts';
import type { OpenStore } from '../../src/store/database.ts';
import { createDesk } from '../../src/workers/inbox.ts';
import { entitlement, group, policy, T0 } from './builders.ts';
import { type HandClock, handClock } from './clock.ts';
import { createFakeDirectory, createFakePeople, type FakeHuman } from './fakes.ts';
import { openTestStore, sha256 } from './open-store.ts';

const GROUPS = {
  /** Asks. */
  ana: ['engineering'],
  /** Approves. */
  ben: ['engineering', 'dba-leads'],
  /** Responds. */
  cat: ['security'],
  /** Sees who holds what. */
  vic: ['viewers'],
  /** Nothing beyond their own. */
  dan: ['engineering'],
} as const;
export type Human = keyof typeof GROUPS;

export const BASE = 'https://hallpass.acme.com';

const read = entitlement({
  policy: policy({
    requesters: [group('engineering')],
    breakGlass: {
      by: [group('dba-leads')],
      maxMs: 3_600_000,
      review: { by: [group('security')], withinMs: 3_600_000 },
    },
  }),
});

const CATALOG: Catalog = {
  resources: { 'db-prod': { name: 'db-prod', title: 'Orders database', defaultRole: 'read', roles: { read } } },
  admins: [],
  responders: [group('security')],
  viewers: [group('viewers')],
  timezone: 'Europe/Berlin',
};

/** A browser: it keeps cookies, follows nothing by itself, and says where its forms come from. */
export interface Browser {
  readonly cookies: Map<string, string>;
  get(path: string, headers?: Readonly<Record<string, string>>): Promise<Page>;
  /** Fills in the form that has this button, and sends it; follows where it leads. */
  press(page: Page, button: string, fields?: Readonly<Record<string, string>>): Promise<Page>;
  post(
    path: string,
    fields: Readonly<Record<string, string>>,
    headers?: Readonly<Record<string, string>>,
  ): Promise<Page>;
  raw(request: Request): Promise<Response>;
}

export interface Page {
  readonly status: number;
  readonly headers: Headers;
  readonly html: string;
  /** What is read of it. */
  readonly text: string;
  readonly forms: readonly Form[];
}

export interface Form {
  readonly action: string;
  readonly button: string;
  readonly fields: Readonly<Record<string, string>>;
}

export interface ConsoleWorld {
  readonly console: Console;
  readonly store: OpenStore;
  readonly devices: Devices;
  readonly clock: HandClock;
  readonly errors: unknown[];
  browser(): Browser;
  signedIn(who: Human): Promise<Browser>;
  /** Asks, by another door; returns the request's id. */
  asks(who: Human, more?: { readonly reason?: string; readonly do?: 'request' | 'break-glass' }): Promise<string>;
  setActive(who: Human, active: boolean): void;
  /** Nobody can be looked up while it is so. */
  lookUpsFail(fail: boolean): void;
  close(): Promise<void>;
}

export async function startConsole(names: Partial<Record<Human, string>> = {}): Promise<ConsoleWorld> {
  const clock = handClock(T0);
  const record = await openTestStore('sqlite::memory:', clock.now);
  const humans: FakeHuman[] = Object.entries(GROUPS).map(([name, groups]) => ({
    id: `okta/${name}`,
    name: names[name as Human] ?? `${name.charAt(0).toUpperCase()}${name.slice(1)}`,
    email: `${name}@acme.com`,
    accounts: [{ platform: 'slack', tenant: 'T1', id: `U-${name}` }],
    users: { okta: `okta-${name}` },
    groups,
  }));
  let failing = false;
  const people = createFakePeople({
    humans,
    onCall: { dba: ['okta/ben'] },
    now: clock.now,
    fails: () => failing,
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
  okta.addGroup({ id: 'id-prod-db-read', name: 'prod-db-read' });
  for (const { users, email } of humans) okta.addUser({ id: users['okta'] ?? '', login: email });
  let drawn = 0;
  const ids: Ids = {
    short: () => ['7KQ2', 'ACDE', 'FGHJ', 'KMNP', 'QRTW'][drawn++ % 5] ?? '7KQ2',
    opaque: () => sha256(String(drawn++)).slice(0, 32),
    jitter: () => 0,
    hash: sha256,
  };
  const store: OpenStore = {
    ...record,
    async commit(commit) {
      await record.commit(commit);
      web.changed();
    },
  };
  const directories = new Map([['okta', okta.port('us')]]);
  const errors: unknown[] = [];
  const log = { warn: () => undefined, error: (fields: object) => void errors.push(fields), info: () => undefined };
  const sources = { store, people: people.port, directories, catalog: () => CATALOG };
  const handler = createHandler({
    ...sources,
    clock,
    ids,
    activity: record,
    reports: {
      made: async (which) => ('id' in which ? undefined : await record.digestOf(which.day ?? '')),
      standing: async () => [],
      digest: async () => {
        throw new Error('no digest is drawn here');
      },
    },
  });
  const desk = createDesk({ store, handler, clock, log });
  const devices = createDevices({ store, people: people.port, clock, ids });
  const web: Console = createConsole({
    ...sources,
    baseUrl: BASE,
    signIn: issuer(),
    handler,
    desk,
    trail: record,
    digests: record,
    activities: record,
    devices,
    clock,
    ids,
    verify: async () => ({ ...(await record.chainHead()), verified: { ok: true } }),
    files: { head: exportHead, line: exportLine },
    log,
  });

  function browser(): Browser {
    const cookies = new Map<string, string>();
    async function send(path: string, init: RequestInit): Promise<Response> {
      const headers = new Headers(init.headers);
      if (cookies.size > 0 && !headers.has('cookie'))
        headers.set('cookie', [...cookies].map(([name, value]) => `${name}=${value}`).join('; '));
      const response = await web.fetch(new Request(`http://localhost${path}`, { ...init, headers }), {
        remoteAddress: '10.0.0.1',
      });
      for (const cookie of response.headers.getSetCookie()) {
        const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(cookie) ?? [];
        if (value === '') cookies.delete(name);
        else cookies.set(name, value);
      }
      return response;
    }
    const get: Browser['get'] = async (path, headers = {}) => pageOf(await send(path, { headers }));
    const post: Browser['post'] = async (path, fields, headers = {}) =>
      pageOf(
        await send(path, {
          method: 'POST',
          body: new URLSearchParams(fields),
          headers: { origin: BASE, 'sec-fetch-site': 'same-origin', ...headers },
        }),
      );
    return {
      cookies,
      get,
      post,
      raw: (request) => send(new URL(request.url).pathname + new URL(request.url).search, request),
      async press(page, button, fields = {}) {
        const form = page.forms.find((one) => one.button === button);
        if (form === undefined)
          throw new Error(`there is no button ${button}, but ${page.forms.map((one) => one.button).join(', ')}`);
        const sent = await post(form.action, { ...form.fields, ...fields });
        const to = sent.headers.get('location');
        return to === null ? sent : await get(to);
      },
    };
  }

  return {
    console: web,
    store,
    devices,
    clock,
    errors,
    browser,
    async signedIn(who) {
      const one = browser();
      await one.get('/console/sign-in');
      const back = await one.get(`/console/callback?code=${who}&state=s`);
      if (back.status !== 303) throw new Error(`not signed in: ${back.text}`);
      return one;
    },
    async asks(who, more = {}) {
      const by = { platform: 'slack', tenant: 'T1', id: `U-${who}` } as const;
      const answer = await handler.handle({
        do: more.do ?? 'request',
        by,
        resource: 'db-prod',
        reason: more.reason ?? 'fix stuck migration',
      });
      if (answer.say !== 'done') throw new Error(JSON.stringify(answer));
      return answer.request.id;
    },
    setActive: (who, active) => people.setActive(`okta/${who}`, active),
    lookUpsFail: (fail) => {
      failing = fail;
    },
    async close() {
      web.stop();
      await record.close();
    },
  };
}

/** Believes whatever code it is given to be the name of whoever signed in. */
function issuer(): Parameters<typeof createConsole>[0]['signIn'] {
  let begun = 0;
  return {
    async begin({ redirectUri }) {
      const state = `s${begun++}`;
      return {
        url: `https://issuer.acme.com/authorize?state=${state}`,
        kept: { state, nonce: 'n', verifier: 'v', redirectUri },
      };
    },
    async finish(callback): Promise<SignedIn> {
      const code = callback.get('code');
      if (code === null) throw new SignInError('declined', 'The sign-in was ended before it was complete.');
      return { issuer: 'https://issuer.acme.com', subject: code, emailVerified: true, acrs: [], amr: ['pwd'] };
    },
    personOf: async ({ subject }) => `okta/${subject}`,
  };
}

async function pageOf(response: Response): Promise<Page> {
  const html = await response.text();
  const attribute = (tag: string, name: string) => decode(new RegExp(`\\b${name}="([^"]*)"`).exec(tag)?.[1] ?? '');
  const forms = [...html.matchAll(/<form[^>]*method="post"[\s\S]*?<\/form>/g)].map(([form]): Form => {
    const inputs = [...form.matchAll(/<input[^>]*>/g)].map(([input]) => [
      attribute(input, 'name'),
      attribute(input, 'value'),
    ]);
    return {
      action: attribute(form, 'action'),
      button: decode(/<button[^>]*>([\s\S]*?)<\/button>/.exec(form)?.[1] ?? ''),
      fields: Object.fromEntries(inputs),
    };
  });
  const text = decode(html.replace(/<[^>]*>/g, ' ')).replace(/\s+/g, ' ');
  return { status: response.status, headers: response.headers, html, text, forms };
}

function decode(text: string): string {
  return text
    .replace(/&lt;/g, '<')
    .replace(/&gt;/g, '>')
    .replace(/&quot;/g, '"')
    .replace(/&#39;/g, "'")
    .replace(/&amp;/g, '&');
}
