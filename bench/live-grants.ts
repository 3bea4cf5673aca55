/**
 * A record with very many live grants: one is put as Hallpass would put it, and the rest are copies of its rows under
 * other ids, written by SQL. A commit for each would take minutes and show nothing.
 */
import Database from 'better-sqlite3';
import { timerId } from '../src/access/decision.ts';
import type { AccessRequest, Grant, Membership } from '../src/access/model.ts';
import { PRIORITY } from '../src/access/model.ts';
import { randomIds, salt } from '../src/ids.ts';
import { openStore } from '../src/store/database.ts';
import { channelId, groupId, oktaId, slackId, TEAM } from './company.ts';

const HOUR = 3_600_000;
const TEMPLATE = 0;

/** The membership of the nth grant. */
export function membershipOf(n: number, groups: number) {
  return { directory: 'okta', groupId: groupId(n % groups), userId: oktaId(n) };
}

/** All of them end in an hour at the earliest. */
export async function seedLiveGrants(file: string, total: number, groups: number): Promise<void> {
  const ids = randomIds();
  const store = await openStore({ url: `sqlite:${file}`, now: Date.now, hash: ids.hash, salt });
  const { request, grant, membership } = templateOf(Date.now() + HOUR, groups);
  await store.commit({
    changes: [
      { put: 'request', row: request },
      { put: 'membership', row: membership },
      { put: 'grant', row: grant },
      {
        put: 'job',
        row: {
          kind: 'timer',
          id: timerId({ ring: 'end', grantId: grant.id }),
          lane: 'timer',
          priority: PRIORITY.usual,
          dueAt: grant.expiresAt ?? 0,
          payload: { ring: 'end', grantId: grant.id },
        },
      },
    ],
  });
  await store.close();

  const db = new Database(file);
  const number = `printf('%06d', n)`;
  // As `oktaId` and `groupId` write them; whoever does not expire is nobody whom the directory will hear of.
  const user = `case when n < 1000 then substr(printf('00up%04d0000000000001', n), 1, 20) else printf('00ux%016d', n) end`;
  const group = `substr(printf('00gr%04d0000000000001', n % ${groups}), 1, 20)`;
  const key = `'{"directory":"okta","groupId":"' || ${group} || '","userId":"' || (${user}) || '"}'`;
  const end = `${Date.now() + HOUR} + n`;
  const copies: Readonly<Record<string, Readonly<Record<string, string>>>> = {
    requests: { id: `'R-' || ${number}`, card_id: `'c' || ${number}` },
    grants: {
      id: `'G-' || ${number}`,
      request_id: `'R-' || ${number}`,
      memberships: `'[' || ${key} || ']'`,
      expires_at: end,
      hard_end_at: `${end} + 600000`,
    },
    grant_memberships: { grant_id: `'G-' || ${number}`, group_id: group, user_id: user },
    memberships: { group_id: group, user_id: user },
    jobs: {
      id: `'end:G-' || ${number}`,
      payload: `'{"ring":"end","grantId":"G-' || ${number} || '"}'`,
      due_at: end,
    },
  };
  db.pragma('synchronous = off');
  db.transaction(() => {
    for (const [table, changed] of Object.entries(copies)) {
      const columns = (db.pragma(`table_info(${table})`) as { name: string }[]).map(({ name }) => name);
      const values = columns.map((name) => changed[name] ?? `t."${name}"`).join(', ');
      const names = columns.map((name) => `"${name}"`).join(', ');
      db.exec(
        `with recursive numbers(n) as (select 1 union all select n + 1 from numbers where n < ${total - 1}) ` +
          `insert into ${table} (${names}) select ${values} from numbers cross join (select * from ${table} limit 1) t`,
      );
    }
  })();
  db.pragma('wal_checkpoint(truncate)');
  db.close();
}

function templateOf(from: number, groups: number) {
  const at = from - HOUR;
  const key = membershipOf(TEMPLATE, groups);
  const account = { platform: 'slack', tenant: TEAM, id: slackId(TEMPLATE) } as const;
  const request: AccessRequest = {
    id: 'R-000000',
    version: 2,
    state: 'approved',
    requester: `okta/${oktaId(TEMPLATE)}`,
    requesterName: 'Person 0000',
    requesterAccount: account,
    users: [{ directory: 'okta', userId: oktaId(TEMPLATE), login: 'p0000@example.com' }],
    entitlement: 'res-0:read',
    resource: 'res-0',
    role: 'read',
    title: 'res-0',
    groups: [{ directory: 'okta', groupId: groupId(0), groupName: 'group-0' }],
    durationMs: HOUR,
    reason: 'fix stuck migration',
    policyName: 'standard',
    policyHash: 'p',
    approvalsNeeded: 1,
    digest: 'd',
    cardId: 'c000000',
    createdAt: at,
    lapsesAt: at + HOUR,
    decidedAt: at,
    audiences: [
      { kind: 'channel', conversation: channelId(0) },
      { kind: 'requester', account },
      { kind: 'holder', account },
    ],
  };
  const grant: Grant = {
    id: 'G-000000',
    version: 3,
    requestId: request.id,
    state: 'active',
    holder: request.requester,
    holderName: request.requesterName,
    entitlement: request.entitlement,
    memberships: [key],
    durationMs: HOUR,
    maxMs: 4 * HOUR,
    warnBeforeMs: 0,
    sessionTailMs: 0,
    approvedAt: at,
    addBy: at + 600_000,
    hardEndAt: from + 600_000,
    startsAt: at,
    expiresAt: from,
  };
  const membership: Membership = {
    key,
    version: 3,
    groupName: 'group-0',
    login: 'p0000@example.com',
    origin: 'ours',
    addStartedAt: at,
    addDeadlineAt: at + 8_000,
    addOutcome: 'accepted',
    addAttempts: 1,
    seen: 'present',
    seenAt: at,
    failures: 0,
  };
  return { request, grant, membership };
}

/** The first so many end within one second from then on; neighbours in the record are not neighbours in time. */
export function letExpire(file: string, many: number, from: number): void {
  const db = new Database(file);
  const end = `${from} + (cast(substr(id, -6) as integer) * 617) % 1000`;
  db.transaction(() => {
    db.exec(`update grants set expires_at = ${end}, hard_end_at = ${end} + 600000 where id < 'G-${digits(many)}'`);
    db.exec(`update jobs set due_at = ${end} where id < 'end:G-${digits(many)}'`);
  })();
  db.close();
}

export interface Ended {
  readonly user: string;
  readonly dueAt: number;
  readonly decidedAt?: number;
  readonly provenAt?: number;
}

export function endedOf(file: string, many: number): readonly Ended[] {
  const db = new Database(file, { readonly: true });
  try {
    const rows = db
      .prepare(`select memberships, expires_at, ending_at, ended_at from grants where id < 'G-${digits(many)}'`)
      .all() as { memberships: string; expires_at: number; ending_at: number | null; ended_at: number | null }[];
    return rows.map(({ memberships, expires_at, ending_at, ended_at }) => ({
      user: (JSON.parse(memberships) as { userId: string }[])[0]?.userId ?? '',
      dueAt: expires_at,
      ...(ending_at === null ? {} : { decidedAt: ending_at }),
      ...(ended_at === null ? {} : { provenAt: ended_at }),
    }));
  } finally {
    db.close();
  }
}

const digits = (n: number) => String(n).padStart(6, '0');
