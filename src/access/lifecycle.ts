/** How a grant starts, moves on and ends, as its memberships tell. */
import {
  actorName,
  audienceId,
  event,
  operation,
  putGrant,
  putRequest,
  showEverywhere,
  tellSecurity,
  timer,
  timerId,
} from './decision.ts';
import { expiresNatively, isLive, keyText, lastsUntil, removedOutside, sameKey, touched } from './ledger.ts';
import type {
  AccessRequest,
  Actor,
  Audience,
  AuditEvent,
  Change,
  EndReason,
  Grant,
  Instant,
  Membership,
  Notice,
  RequestId,
} from './model.ts';
import { PRIORITY } from './model.ts';
import type { GrantRecord, MembershipRecord } from './ports.ts';

/** When the grant ends if nothing else happens. */
export function endsAt(grant: Grant): Instant {
  return grant.expiresAt ?? grant.hardEndAt;
}

/** What each end reason is called in the trail. */
const ENDING_EVENT: Record<EndReason, string> = {
  expired: 'grant.expired',
  revoked: 'grant.revoked',
  returned: 'grant.returned',
  abandoned: 'grant.abandoned',
  removed_outside: 'grant.removed_outside',
};

export interface Ending {
  readonly reason: EndReason;
  readonly by: Actor;
  readonly note?: string;
  readonly correlation?: string;
}

/** A membership needs no removal for this grant: it is not ours, or another live grant still holds it. */
function settledFor(grant: Grant, record: MembershipRecord): boolean {
  if (record.membership === undefined || record.membership.origin !== 'ours') return true;
  return heldByAnother(grant, record);
}

export function heldByAnother(grant: Grant, record: MembershipRecord): boolean {
  return record.grants.some((other) => other.id !== grant.id && isLive(other));
}

/**
 * Ends a live grant: from here on it holds nothing. Whatever only it held is due for removal in the same commit, and
 * every membership row is touched, so that two grants that end together cannot each leave the removal to the other.
 */
export function endGrant(record: GrantRecord, ending: Ending, now: Instant): Change[] {
  const { grant, request } = record;
  const person = ending.by.kind === 'person';
  const settled = record.memberships.every((membership) => settledFor(grant, membership));
  const { row, change } = putGrant(grant, {
    state: settled ? 'ended' : 'ending',
    endReason: ending.reason,
    endingAt: now,
    ...(settled ? { endedAt: now } : {}),
    ...(person || ending.by.kind === 'operator' ? { endedBy: actorName(ending.by) } : {}),
    ...(ending.note === undefined ? {} : { endNote: ending.note }),
  });
  const changes: Change[] = [change];
  for (const ring of timersOf(grant)) changes.push({ drop: 'job', id: timerId({ ring, grantId: grant.id }) });
  for (const membership of record.memberships) {
    if (membership.membership === undefined) continue;
    changes.push(touchedMembership(membership.membership));
    if (!settledFor(grant, membership)) changes.push(operation(membership.key, now, PRIORITY.removal));
    // Whoever still holds it may have it for less long: the directory's own end moves along.
    else if (heldByAnother(grant, membership) && expiresNatively(membership.membership))
      changes.push(operation(membership.key, now, PRIORITY.addition));
  }
  changes.push(
    event(ENDING_EVENT[ending.reason], now, ending.by, {
      requestId: request.id,
      grantId: grant.id,
      detail: {
        entitlement: grant.entitlement,
        from: grant.state,
        to: row.state,
        startsAt: grant.startsAt ?? null,
        expiresAt: grant.expiresAt ?? null,
        memberships: record.memberships.map((membership) => ({
          membership: keyText(membership.key),
          standing: membership.membership?.origin ?? 'none',
          heldByAnother: heldByAnother(grant, membership),
        })),
      },
      ...(ending.note === undefined ? {} : { personal: { note: ending.note } }),
      ...(ending.correlation === undefined ? {} : { correlation: ending.correlation }),
    }),
  );
  if (settled) changes.push(...ended(row, request, now));
  if (record.extension !== undefined)
    changes.push(...closeRequest(record.extension, 'withdrawn', ending.by, now, `${grant.id} is over`));
  if (ending.reason === 'revoked') changes.push(...signOuts(grant, now));
  if (record.extending !== undefined) changes.push(...show(record.extending, [outcomeAudience(record.extending)], now));
  changes.push(...show(request, settled ? [outcomeAudience(request)] : [], now));
  return changes;
}

/** Those that may still ring for it; one that is left over finds nothing to do. */
function timersOf({ state, warnBeforeMs, incident }: Grant): readonly ('end' | 'add_by' | 'warn' | 'incident')[] {
  return [
    'end',
    ...(state === 'adding' ? (['add_by'] as const) : []),
    ...(warnBeforeMs > 0 ? (['warn'] as const) : []),
    ...(incident === undefined ? [] : (['incident'] as const)),
  ];
}

/** Owed whatever is configured: whoever carries it out knows whether there is anything to do. */
function signOuts(grant: Grant, now: Instant): Change[] {
  const accounts = new Map(grant.memberships.map(({ directory, userId }) => [directory, userId]));
  return [...accounts].map(([directory, userId]) => ({
    put: 'job',
    row: {
      kind: 'sign_out',
      id: `signout:${directory}:${grant.id}`,
      lane: directory,
      priority: PRIORITY.addition,
      dueAt: now,
      payload: { grantId: grant.id, userId },
    },
  }));
}

function touchedMembership(row: Membership): Change {
  return { put: 'membership', row: touched(row), was: row.version };
}

function ended(grant: Grant, request: AccessRequest, now: Instant): Change[] {
  return [
    event(
      'grant.ended',
      now,
      { kind: 'hallpass', part: 'ledger' },
      {
        requestId: request.id,
        grantId: grant.id,
        detail: {
          entitlement: grant.entitlement,
          reason: grant.endReason ?? null,
          dueAt: grant.endingAt ?? null,
          endedAt: now,
        },
      },
    ),
    // Of what never began there is nothing to review.
    ...(grant.review === undefined || grant.startsAt === undefined
      ? []
      : [timer({ ring: 'review', grantId: grant.id }, now)]),
  ];
}

/**
 * Shows the request again in every place, after adding places to it. A place is added by a put of the request, since
 * the list is part of the row.
 */
export function show(request: AccessRequest, more: readonly (Audience | undefined)[], now: Instant): Change[] {
  const added = more.filter(
    (audience): audience is Audience =>
      audience !== undefined && !request.audiences.some((known) => audienceId(known) === audienceId(audience)),
  );
  if (added.length === 0) return showEverywhere(request, now);
  const { row, change } = putRequest(request, { audiences: [...request.audiences, ...added] });
  return [change, ...showEverywhere(row, now)];
}

export function outcomeAudience(request: AccessRequest): Audience | undefined {
  return request.requesterAccount === undefined ? undefined : { kind: 'outcome', account: request.requesterAccount };
}

/** What rings while a request waits rings no more. */
export function stopAsking(requestId: RequestId): Change[] {
  return (['lapse', 'ask'] as const).map((ring) => ({ drop: 'job', id: timerId({ ring, requestId }) }));
}

/** Closes a pending request that leads to nothing. */
export function closeRequest(
  request: AccessRequest,
  state: 'denied' | 'cancelled' | 'lapsed' | 'withdrawn',
  by: Actor,
  now: Instant,
  note?: string,
  correlation?: string,
): Change[] {
  const outcome = state === 'cancelled' ? undefined : outcomeAudience(request);
  const { row, change } = putRequest(request, {
    state,
    decidedAt: now,
    ...(by.kind === 'hallpass' ? {} : { closedBy: actorName(by) }),
    ...(note === undefined ? {} : { closedNote: note }),
    audiences: outcome === undefined ? request.audiences : [...request.audiences, outcome],
  });
  return [
    change,
    ...stopAsking(request.id),
    event(`request.${state}`, now, by, {
      requestId: request.id,
      detail: { entitlement: request.entitlement, from: request.state, to: state },
      ...(note === undefined ? {} : { personal: { note } }),
      ...(correlation === undefined ? {} : { correlation }),
    }),
    ...showEverywhere(row, now),
  ];
}

/** The membership is in the group for this grant, as far as the directory has told us. */
function isHeld(row: Membership | undefined): boolean {
  if (row === undefined) return false;
  // A baseline counts once it was read for this grant: the permanent membership may have been taken away meanwhile.
  if (row.origin === 'baseline') return row.seen !== undefined;
  return row.origin === 'ours' && row.addOutcome === 'accepted' && row.removeStartedAt === undefined;
}

/** An addition that was accepted or may have happened: the clock starts. */
function clockStartedAt(row: Membership | undefined): Instant | undefined {
  // One that is being removed for an earlier grant is added again first.
  if (row?.origin !== 'ours' || row.removeStartedAt !== undefined) return undefined;
  return row.addOutcome === undefined ? undefined : row.addStartedAt;
}

/**
 * Moves one grant on after something was learnt about its memberships. Called for every unended grant that holds the
 * membership. A grant that waits for its memberships is always put, even unchanged: two memberships of one grant that
 * settle at the same moment must not each believe that the other is still open. `mayExtend`: nothing is frozen that
 * would keep an approved extension from coming into force.
 */
export function settleGrant(record: GrantRecord, now: Instant, lagMs: number, mayExtend = false): Change[] {
  const { grant, request } = record;
  switch (grant.state) {
    case 'adding':
    case 'active': {
      const gone = record.memberships.find(
        ({ membership }) => membership !== undefined && removedOutside(membership, lagMs),
      );
      if (gone === undefined) {
        if (grant.state === 'adding') return settleAdding(record, now);
        return grant.extending === undefined
          ? showEverywhere(request, now)
          : settleExtending(record, grant.extending.toAt, mayExtend, now);
      }
      return endGrant(
        record,
        { reason: 'removed_outside', by: { kind: 'hallpass', part: 'ledger' }, note: gone.membership?.groupName ?? '' },
        now,
      );
    }
    case 'ending': {
      if (!record.memberships.every((membership) => settledFor(grant, membership)))
        return [putGrant(grant, {}).change, ...showEverywhere(request, now)];
      const { row, change } = putGrant(grant, { state: 'ended', endedAt: now, ...removedAt(record) });
      return [change, ...ended(row, request, now), ...show(request, [outcomeAudience(request)], now)];
    }
    case 'ended':
      return [];
  }
}

/** The end moves once every directory that ends a membership by itself has moved its own. */
function settleExtending(record: GrantRecord, toAt: Instant, mayExtend: boolean, now: Instant): Change[] {
  const { grant, request, extending } = record;
  const moved = record.memberships.every(({ membership }) => membership === undefined || lastsUntil(membership, toAt));
  if (!moved || !mayExtend || extending === undefined || now >= endsAt(grant))
    return [putGrant(grant, {}).change, ...showEverywhere(request, now)];
  return [
    ...moveEnd(grant, extending.id, toAt, { kind: 'hallpass', part: 'ledger' }, {}, now),
    ...show(extending, [outcomeAudience(extending)], now),
    ...showEverywhere(request, now),
  ];
}

/** A later end, with the timers that go with it, and the event that says so. */
export function moveEnd(
  grant: Grant,
  requestId: RequestId,
  toAt: Instant,
  by: Actor,
  more: Pick<AuditEvent, 'correlation'> & { readonly detail?: AuditEvent['detail'] },
  now: Instant,
): Change[] {
  const { extending: _, ...before } = grant;
  return [
    putGrant(before, { expiresAt: toAt, hardEndAt: Math.max(grant.hardEndAt, toAt) }).change,
    timer({ ring: 'end', grantId: grant.id }, toAt),
    ...(grant.warnBeforeMs > 0
      ? [timer({ ring: 'warn', grantId: grant.id }, Math.max(now, toAt - grant.warnBeforeMs))]
      : []),
    event('grant.extended', now, by, {
      requestId,
      grantId: grant.id,
      ...more,
      detail: { entitlement: grant.entitlement, from: endsAt(grant), to: toAt, ...more.detail },
    }),
  ];
}

function removedAt({ grant, memberships }: GrantRecord): Pick<Grant, 'removedAt'> {
  const since = grant.endingAt ?? 0;
  const accepted = memberships
    .flatMap(({ membership }) => membership?.removeAcceptedAt ?? [])
    .filter((at) => at >= since);
  return accepted.length === 0 ? {} : { removedAt: Math.max(...accepted) };
}

function settleAdding(record: GrantRecord, now: Instant): Change[] {
  const { grant, request } = record;
  const rows = record.memberships.map(({ membership }) => membership);
  const by: Actor = { kind: 'hallpass', part: 'ledger' };
  if (rows.every((row) => row?.origin === 'baseline' && isHeld(row)))
    return endGrant(record, { reason: 'abandoned', by, note: 'already a member' }, now);
  const open = rows.filter((row) => !isHeld(row) && !(row?.origin === 'none' && row.addOutcome === 'refused'));
  const ours = rows.filter((row) => row?.origin === 'ours');
  if (open.length === 0 && ours.length === 0)
    return endGrant(record, { reason: 'abandoned', by, note: 'the directory refused it' }, now);

  const active = open.length === 0;
  const changes = begin(record, { state: active ? 'active' : 'adding' }, now);
  if (active) {
    changes.push({ drop: 'job', id: timerId({ ring: 'add_by', grantId: grant.id }) });
    changes.push(
      event('grant.activated', now, by, {
        requestId: request.id,
        grantId: grant.id,
        detail: {
          entitlement: grant.entitlement,
          memberships: record.memberships.map(({ key, membership }) => ({
            membership: keyText(key),
            origin: membership?.origin ?? 'none',
            outcome: membership?.addOutcome ?? null,
          })),
        },
      }),
    );
  }
  const holder: Audience | undefined =
    active && request.requesterAccount !== undefined
      ? { kind: 'holder', account: request.requesterAccount }
      : undefined;
  return [...changes, ...show(request, [holder], now)];
}

/** Puts the grant, and fixes its end once an addition was accepted or may have happened. */
function begin(record: GrantRecord, next: Pick<Grant, 'state'>, now: Instant): Change[] {
  const { grant, request } = record;
  const starts = record.memberships
    .map(({ membership }) => clockStartedAt(membership))
    .filter((at): at is Instant => at !== undefined);
  if (grant.startsAt !== undefined || starts.length === 0) return [putGrant(grant, next).change];
  const startsAt = Math.max(grant.approvedAt, Math.min(...starts));
  // Never past the hard end, whatever the clock did between the approval and now.
  const expiresAt = Math.min(startsAt + grant.durationMs, grant.hardEndAt);
  const warned = grant.durationMs > 2 * grant.warnBeforeMs && grant.warnBeforeMs > 0;
  return [
    putGrant(grant, { ...next, startsAt, expiresAt }).change,
    timer({ ring: 'end', grantId: grant.id }, expiresAt),
    ...(warned ? [timer({ ring: 'warn', grantId: grant.id }, expiresAt - grant.warnBeforeMs)] : []),
    event(
      'grant.started',
      now,
      { kind: 'hallpass', part: 'ledger' },
      {
        requestId: request.id,
        grantId: grant.id,
        detail: { entitlement: grant.entitlement, startsAt, expiresAt },
      },
    ),
  ];
}

/** `addBy` has passed: what is in place stays until its end, what is not is given up. */
export function addByPassed(record: GrantRecord, now: Instant): Change[] {
  const { grant } = record;
  const by: Actor = { kind: 'hallpass', part: 'timers' };
  const accepted = record.memberships.some(
    ({ membership }) => membership?.origin === 'ours' && membership.addOutcome === 'accepted' && isHeld(membership),
  );
  if (!accepted)
    return [
      ...endGrant(record, { reason: 'abandoned', by, note: 'not added in time' }, now),
      ...tellSecurity(`addition_abandoned:${grant.id}`, abandonedNotice(record, now)),
    ];
  const holder: Audience | undefined =
    record.request.requesterAccount === undefined
      ? undefined
      : { kind: 'holder', account: record.request.requesterAccount };
  return [
    // The worker may not have come to this grant yet (a membership that another grant holds): the clock starts here.
    ...begin(record, { state: 'active' }, now),
    event('grant.activated', now, by, {
      requestId: record.request.id,
      grantId: grant.id,
      detail: { entitlement: grant.entitlement, partial: true },
    }),
    ...show(record.request, [holder], now),
  ];
}

/** Security learns that approved access was never given, and by whose fault. */
function abandonedNotice({ grant, request, memberships }: GrantRecord, now: Instant): Notice {
  const failing = memberships.find(({ membership }) => membership?.lastError !== undefined)?.membership;
  return {
    code: 'addition_abandoned',
    severity: 'warning',
    at: now,
    grantId: grant.id,
    requestId: request.id,
    holderName: grant.holderName,
    entitlement: grant.entitlement,
    group: request.groups.map((group) => group.groupName).join(', '),
    directory: [...new Set(request.groups.map((group) => group.directory))].join(', '),
    ...(failing?.lastError === undefined ? {} : { error: failing.lastError, failures: failing.failures }),
  };
}

/** The same record with one membership's row replaced by what was just learnt. */
export function withMembership(record: GrantRecord, row: Membership): GrantRecord {
  return {
    ...record,
    memberships: record.memberships.map((membership) =>
      sameKey(membership.key, row.key) ? { ...membership, membership: row } : membership,
    ),
  };
}
