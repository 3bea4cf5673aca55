/** Records put together from rows. */
import { and, asc, desc, eq, gte, inArray, lt, or, type SQL, sql } from 'drizzle-orm';
import type { AuditEvent, Instant, MembershipKey, RequestId, Ring } from '../access/model.ts';
import type { GrantRecord, ListFilter, MembershipRecord, RequestRecord, Store } from '../access/ports.ts';
import { fromKey, toApproval, toGrant, toMembership, toRequest } from './rows.ts';
import type { Tables } from './schema.ts';
import { type Program, run } from './session.ts';
import { recall } from './trail.ts';

export function* readRequest(id: RequestId): Program<RequestRecord | undefined> {
  const [request] = yield* run((s) => s.statements.request({ id }));
  if (!request) return undefined;
  const approvals = yield* run((s) => s.statements.approvalsOf({ requestId: id }));
  const [grant] = yield* run((s) => s.statements.grantOfRequest({ requestId: id }));
  return {
    request: toRequest(request),
    approvals: approvals.map(toApproval),
    ...(grant ? { grant: toGrant(grant) } : {}),
  };
}

export function* readGrant(id: string): Program<GrantRecord | undefined> {
  const [row] = yield* run((s) => s.statements.grant({ id }));
  if (!row) return undefined;
  const grant = toGrant(row);
  const [request] = yield* run((s) => s.statements.request({ id: grant.requestId }));
  if (!request) throw new Error(`grant ${id} has lost its request`);
  const [extension] = yield* run((s) => s.statements.extensionOf({ grantId: id }));
  const underWay = grant.extending?.requestId;
  const [extending] = underWay === undefined ? [] : yield* run((s) => s.statements.request({ id: underWay }));
  return {
    grant,
    request: toRequest(request),
    memberships: yield* readMemberships(grant.memberships),
    ...(extension ? { extension: toRequest(extension) } : {}),
    ...(extending ? { extending: toRequest(extending) } : {}),
  };
}

export function* readGrantRecords(ids: readonly string[]): Program<readonly GrantRecord[]> {
  const records: GrantRecord[] = [];
  for (const id of ids) {
    const record = yield* readGrant(id);
    if (record !== undefined) records.push(record);
  }
  return records;
}

export function* readMembership(key: MembershipKey): Program<MembershipRecord> {
  const values = fromKey(key);
  const [row] = yield* run((s) => s.statements.membership(values));
  const holders = yield* run((s) => s.statements.holders(values));
  const { directory, groupId, userId } = key;
  return {
    key: { directory, groupId, userId },
    ...(row ? { membership: toMembership(row) } : {}),
    grants: holders.map(toGrant),
  };
}

export function* readMemberships(keys: readonly MembershipKey[]): Program<readonly MembershipRecord[]> {
  const records: MembershipRecord[] = [];
  for (const key of keys) records.push(yield* readMembership(key));
  return records;
}

export function* readOpen(person: string, entitlement: string): Program<Awaited<ReturnType<Store['open']>>> {
  const pending = yield* run((s) => s.statements.pendingOf({ person, entitlement }));
  const grants = yield* run((s) => s.statements.unendedGrantsOf({ person, entitlement }));
  return { pending: pending.map(toRequest), grants: grants.map(toGrant) };
}

export function* readList(filter: ListFilter): Program<readonly RequestRecord[]> {
  const rows = yield* run((s) => {
    const { requests, grants } = s.tables;
    const wanted: SQL[] = [];
    if (filter.person !== undefined) wanted.push(eq(requests.requester, filter.person));
    if (filter.concerning !== undefined)
      wanted.push(sql`(${requests.requester} = ${filter.concerning} or ${requests.onBehalfOf} = ${filter.concerning})`);
    if (filter.states) wanted.push(inArray(requests.state, [...filter.states]));
    if (filter.entitlements) wanted.push(inArray(requests.entitlement, [...filter.entitlements]));
    if (filter.resource !== undefined) {
      wanted.push(inResource(s.tables, filter.resource));
    }
    if (filter.liveGrants || filter.grantStates) {
      const state = filter.grantStates
        ? inArray(grants.state, [...filter.grantStates])
        : sql`${grants.state} <> 'ended'`;
      wanted.push(inArray(requests.id, s.db.select({ id: grants.requestId }).from(grants).where(state)));
    }
    if (filter.held !== undefined) {
      const { from, to } = filter.held;
      const held = and(
        lt(grants.startsAt, to),
        // Each side has an index of its own, so that the years before cost nothing.
        or(gte(grants.endedAt, from), sql`${grants.state} <> 'ended'`),
      );
      wanted.push(inArray(requests.id, s.db.select({ id: grants.requestId }).from(grants).where(held)));
    }
    // The plus keeps the planner from walking through all requests by age in search of the few whose grant is live.
    const few = filter.liveGrants || filter.grantStates || filter.held;
    const createdAt = few ? sql`+${requests.createdAt}` : requests.createdAt;
    if (filter.after !== undefined) {
      const { createdAt: at, id } = filter.after;
      wanted.push(sql`(${createdAt} < ${at} or (${createdAt} = ${at} and ${requests.id} < ${id}))`);
    }
    const newest = [desc(createdAt), desc(requests.id)];
    return s.fetch(
      s.db
        .select()
        .from(requests)
        .where(and(...wanted))
        .orderBy(...newest)
        .limit(filter.limit)
        .offset(filter.offset ?? 0),
    );
  });
  return yield* withAnswers(rows);
}

/** Of the resource or a part of it. */
export function inResource({ requests }: Tables, resource: string): SQL {
  const part = `${resource}/`;
  // Not `like`: it has its own idea of what a letter is, and of `_`.
  return sql`(${requests.resource} = ${resource} or substr(${requests.resource}, 1, ${part.length}) = ${part})`;
}

/** Requests with their answers and grants, in the order given. */
export function* withAnswers(rows: readonly Tables['requests']['$inferSelect'][]): Program<readonly RequestRecord[]> {
  if (rows.length === 0) return [];
  const ids = rows.map(({ id }) => id);
  const approvals = yield* run(({ db, fetch, tables: { approvals } }) =>
    fetch(
      db
        .select()
        .from(approvals)
        .where(inArray(approvals.requestId, ids))
        .orderBy(asc(approvals.at), asc(approvals.approver)),
    ),
  );
  const grants = yield* run(({ db, fetch, tables: { grants } }) =>
    fetch(db.select().from(grants).where(inArray(grants.requestId, ids))),
  );
  const answers = Map.groupBy(approvals, ({ requestId }) => requestId);
  const grantOf = new Map(grants.map((grant) => [grant.requestId, grant]));
  return rows.map((row) => {
    const grant = grantOf.get(row.id);
    return {
      request: toRequest(row),
      approvals: (answers.get(row.id) ?? []).map(toApproval),
      ...(grant ? { grant: toGrant(grant) } : {}),
    };
  });
}

const keyOf = ({ directory, groupId, userId }: Tables['memberships']['$inferSelect']): MembershipKey => ({
  directory,
  groupId,
  userId,
});

export function* readForgotten(now: Instant, limit: number): Program<Awaited<ReturnType<Store['forgotten']>>> {
  const ends = yield* run((s) => s.statements.forgottenEnds({ now, limit }));
  const additions = yield* run((s) => s.statements.forgottenAdditions({ now, limit }));
  const lapses = yield* run((s) => s.statements.forgottenLapses({ now, limit }));
  const removals = yield* run((s) => s.statements.forgottenRemovals({ limit }));
  const rings: Ring[] = [
    ...ends.map(({ id }): Ring => ({ ring: 'end', grantId: id })),
    ...additions.map(({ id }): Ring => ({ ring: 'add_by', grantId: id })),
    ...lapses.map(({ id }): Ring => ({ ring: 'lapse', requestId: id })),
  ];
  return { rings: rings.slice(0, limit), memberships: removals.map(keyOf) };
}

export function* readOutstandingRemovals(limit: number): Program<readonly MembershipRecord[]> {
  const rows = yield* run((s) => s.statements.owedRemovals({ limit }));
  return yield* readMemberships(rows.map(keyOf));
}

export function* readStory(requestId: RequestId): Program<readonly AuditEvent[]> {
  const events = yield* run((s) => s.statements.eventsOf({ requestId }));
  const texts = Map.groupBy(yield* run((s) => s.statements.personalOf({ requestId })), ({ seq }) => seq);
  return events.map(({ seq, canonical }) => recall(canonical, texts.get(seq) ?? []));
}
