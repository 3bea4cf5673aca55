/** A source of activity, as a bastion or a forwarder of logs would be. */
import type { ActivityMatch, OwnActivity } from '../../src/access/attribution.ts';
import type { Catalog } from '../../src/access/catalog.ts';
import type { Detection } from '../../src/access/detection.ts';
import type { Grant } from '../../src/access/model.ts';
import { type OpenedSource, openActivity } from '../../src/activity/open.ts';
import { HEADERS, signBody } from '../../src/activity/signature.ts';
import { compileDetection, compileMatch } from '../../src/conditions/cel.ts';
import { readDetections, shippedDetections } from '../../src/config-detections.ts';
import { randomIds } from '../../src/ids.ts';
import { entitlement, request, T0 } from './builders.ts';
import { openTestStore } from './open-store.ts';

export const ACTIVITY_SECRET = 'a secret that nobody may see';

/** A file's `activity` section with one source that sends. */
export const BASTION = `activity:
  bastion: { type: ingest, secret: "\${BASTION_SECRET}" }
aliases: { ana@example.com: [ ana_ro ] }
`;

/** The sandbox's configuration, in which the orders database of `bastion` is `db-prod`'s own. */
export const withBastion = (yaml: string) =>
  `${yaml.replace(
    '    title: Orders database\n',
    `    title: Orders database\n    activity: { source: bastion, match: "activity.resource == 'orders'" }\n`,
  )}${BASTION}`;

export interface Sent {
  readonly status: number;
  readonly body: {
    readonly kept?: number;
    readonly known?: number;
    readonly unattributed?: number;
    readonly rejected?: number;
    readonly errors?: readonly { readonly index: number; readonly id?: string; readonly code: string }[];
    readonly error?: string;
  };
}

export interface SendOptions {
  readonly source?: string;
  readonly secret?: string;
  readonly timestamp?: number;
  /** Sent instead of what was signed. */
  readonly body?: string;
}

export async function send(port: number, items: unknown, options: SendOptions = {}): Promise<Sent> {
  const body = typeof items === 'string' ? items : JSON.stringify({ activities: items });
  const timestamp = String(options.timestamp ?? Math.floor(Date.now() / 1_000));
  const response = await fetch(`http://127.0.0.1:${port}/api/v1/activity`, {
    method: 'POST',
    headers: {
      [HEADERS.source]: options.source ?? 'bastion',
      [HEADERS.timestamp]: timestamp,
      [HEADERS.signature]: signBody(options.secret ?? ACTIVITY_SECRET, timestamp, body),
    },
    body: options.body ?? body,
  });
  const text = await response.text();
  return { status: response.status, body: text.startsWith('{') ? (JSON.parse(text) as Sent['body']) : {} };
}

/** The room of activity over a record in memory, with a clock moved by hand. */
export async function activityRoom(more: Partial<RoomOptions> = {}) {
  let now = T0;
  const store = await openTestStore('sqlite::memory:', () => now);
  const counted: string[] = [];
  const logged: string[] = [];
  const { detections, problems } = readDetections(shippedDetections(), [], compileDetection);
  if (problems.length > 0) throw new Error('the rules that come with Hallpass are wrong');
  const own = more.own ?? [{ source: 'bastion', match: matching("activity.resource == 'orders'") }];
  const roles = { read: entitlement({ activity: own }) };
  const catalog: Catalog = {
    resources: { 'db-prod': { name: 'db-prod', title: 'Orders database', defaultRole: 'read', roles } },
    admins: [],
    responders: [],
    viewers: [],
    timezone: 'UTC',
  };
  const settings = {
    aliases: { ana_ro: 'ana@acme.com' },
    activityKeptMs: 90 * DAY,
    detections: more.detections ?? detections,
  };
  const room = openActivity({
    store,
    sources: more.sources ?? [{ name: 'bastion', ofItsOwn: true, lateMs: DAY, secret: ACTIVITY_SECRET }],
    catalog: () => catalog,
    settings: () => settings,
    clock: { now: () => now, monotonic: () => now },
    wallClock: () => now,
    ids: randomIds(),
    metrics: {
      count: (name, labels = {}, by = 1) => void counted.push(`${name} ${Object.values(labels).join(' ')} ${by}`),
      observe: () => {},
    },
    log: {
      info: () => {},
      warn: (_fields, message) => void logged.push(message),
      error: (fields, message) => void logged.push(`${message} ${JSON.stringify(fields)}`),
    },
  });
  const grant = async (id: string, fields: Partial<Grant> = {}) => {
    const requestId = `R-${id}`;
    const { startsAt = now, ...rest } = fields;
    await store.commit({
      changes: [
        {
          put: 'request',
          row: request({
            id: requestId,
            state: 'approved',
            cardId: id,
            ...(id === 'AAAA' ? {} : { entitlement: `db-prod:${id}` }),
            users: USERS,
          }),
        },
        {
          put: 'grant',
          row: { ...live, id: `G-${id}`, requestId, startsAt, ...rest },
        },
      ],
    });
  };
  const live = {
    version: 1,
    state: 'active' as const,
    holder: 'okta/00u1',
    holderName: 'Ana',
    entitlement: 'db-prod:read',
    memberships: [],
    durationMs: 1_800_000,
    maxMs: 14_400_000,
    warnBeforeMs: 0,
    sessionTailMs: 0,
    approvedAt: T0,
    addBy: T0,
    hardEndAt: T0 + 1_800_000,
  };
  return {
    store,
    room,
    counted,
    logged,
    grant,
    async end(id: string) {
      const record = await store.grant(`G-${id}`);
      if (record === undefined) throw new Error(`there is no G-${id}`);
      const row = {
        ...record.grant,
        version: record.grant.version + 1,
        state: 'ended' as const,
        endingAt: now,
        endedAt: now,
      };
      await store.commit({ changes: [{ put: 'grant', row, was: record.grant.version }] });
    },
    now: () => now,
    pass(ms: number) {
      now += ms;
    },
    /** As the one listening socket would hand it in. */
    async send(items: unknown, options: SendOptions = {}) {
      const [route] = room.routes;
      if (route === undefined) throw new Error('nothing is sent here');
      const body = typeof items === 'string' ? items : JSON.stringify({ activities: items });
      const timestamp = String(options.timestamp ?? Math.floor(now / 1_000));
      const reply = await route.handle({
        headers: {
          [HEADERS.source]: [options.source ?? 'bastion'],
          [HEADERS.timestamp]: [timestamp],
          [HEADERS.signature]: [signBody(options.secret ?? ACTIVITY_SECRET, timestamp, body)],
        },
        body: Buffer.from(options.body ?? body),
      });
      return { status: reply.status, body: JSON.parse(reply.body ?? '{}') as Sent['body'] };
    },
    /** One activity of Ana's in the orders database. */
    did: (id: string, fields: object = {}) => ({
      id,
      at: now,
      account: 'ana_ro',
      action: 'SELECT',
      kind: 'read',
      resource: 'orders',
      ...fields,
    }),
    findings: async (id: string) =>
      (await store.findingsOf(`G-${id}`)).map(({ rule, count }) => `${rule} ${count}`).sort(),
    async close() {
      await room.stop();
      await store.close();
    },
  };
}

export interface RoomOptions {
  readonly sources: readonly OpenedSource[];
  readonly own: readonly OwnActivity[];
  readonly detections: readonly Detection[];
}

const DAY = 86_400_000;
const USERS = [{ directory: 'okta', userId: '00u1', login: 'ana@acme.com' }];

export function matching(expression: string): ActivityMatch {
  const match = compileMatch(expression);
  if ('wrong' in match) throw new Error(match.wrong);
  return match;
}
