/** What follows from full approval, whoever or whatever gave it: a new grant, or a later end of a live one. */
import type { Circumstances } from './condition.ts';
import { INCIDENT_LOOK_MS } from './decide-incident.ts';
import {
  type Decision,
  event,
  type Outcome,
  operation,
  putGrant,
  putRequest,
  refused,
  showEverywhere,
  timer,
} from './decision.ts';
import { keyText, lastsUntil, readyForGrant, readyForLonger, sameKey, unknownMembership } from './ledger.ts';
import { closeRequest, endsAt, moveEnd, outcomeAudience, stopAsking } from './lifecycle.ts';
import type { AccessRequest, Actor, AuditEvent, Change, Entitlement, Grant, Instant, MembershipKey } from './model.ts';
import { PRIORITY } from './model.ts';
import type { GrantRecord, MembershipRecord } from './ports.ts';

/** How long an approved addition is tried for. Access that could not be given by then is asked for again. */
export const ADD_WITHIN_MS = 10 * 60_000;

/** A request that may now become access, and why. */
export interface Approved {
  readonly request: AccessRequest;
  /** The request is committed along with its grant: nobody had to answer it. */
  readonly unstored?: true;
  readonly entitlement: Entitlement;
  /** What was approved: at most what was asked. */
  readonly durationMs: number;
  /** One per group, in the order of `request.groups`. */
  readonly memberships: readonly MembershipRecord[];
  /** The row that guards how much the holder has, where the policy limits that. */
  readonly holder?: { readonly was?: number };
  /** For a request for more time. */
  readonly extended?: GrantRecord;
  /** Who or what completed the approval. */
  readonly by: Actor;
  /** Committed along with it: the answer that completed the approval, or what stands in its place. */
  readonly because: readonly Change[];
  /** Besides the usual, for the audit event. */
  readonly detail?: AuditEvent['detail'];
  readonly correlation?: string;
}

/** The grant, its hard end, and the additions owed, in one commit. */
export function giveGrant(approved: Approved, now: Instant): Decision {
  const { request, entitlement } = approved;
  const addBy = now + ADD_WITHIN_MS;
  const held = distinct(approved.memberships);
  const keys = held.map((membership) => membership.key);
  const grant: Grant = {
    id: `G-${request.id.slice(2)}`,
    version: 1,
    requestId: request.id,
    state: 'adding',
    holder: request.requester,
    holderName: request.requesterName,
    entitlement: request.entitlement,
    memberships: keys,
    durationMs: approved.durationMs,
    maxMs: entitlement.policy.duration.maxMs,
    warnBeforeMs: entitlement.policy.warnBeforeMs,
    sessionTailMs: entitlement.sessionTailMs,
    approvedAt: now,
    addBy,
    hardEndAt: addBy + approved.durationMs,
    ...(request.incident === undefined ? {} : { incident: request.incident }),
    ...(entitlement.policy.review === undefined ? {} : { review: entitlement.policy.review }),
  };
  const { row, change } = approve(approved, {}, now);
  return {
    done: 'approved',
    requestId: request.id,
    changes: [
      change,
      { put: 'grant', row: grant },
      ...countAnew(approved),
      ...held.flatMap((membership) => holdMembership(membership, request, now)),
      timer({ ring: 'end', grantId: grant.id }, grant.hardEndAt),
      timer({ ring: 'add_by', grantId: grant.id }, addBy),
      ...(grant.incident === undefined ? [] : [timer({ ring: 'incident', grantId: grant.id }, now + INCIDENT_LOOK_MS)]),
      ...askNoMore(approved),
      ...approved.because,
      event('request.approved', now, approved.by, {
        requestId: request.id,
        grantId: grant.id,
        detail: {
          entitlement: request.entitlement,
          durationMs: approved.durationMs,
          addBy,
          hardEndAt: grant.hardEndAt,
          memberships: keys.map(keyText),
          policyHash: request.policyHash,
          ...approved.detail,
        },
        ...correlationOf(approved),
      }),
      ...showEverywhere(row, now),
    ],
  };
}

/** More time on a live grant: the end moves, and never past the maximum of the whole. */
export function prolongGrant(approved: Approved, now: Instant): Outcome {
  const { request, entitlement, extended } = approved;
  const withdrawn = (note: string) =>
    approved.unstored === true
      ? []
      : closeRequest(request, 'withdrawn', { kind: 'hallpass', part: 'policy' }, now, note);
  const grant = extended?.grant;
  if (grant === undefined || grant.state !== 'active' || grant.startsAt === undefined || now >= endsAt(grant))
    return refused(
      { code: 'not_live', grantId: request.extendsGrant ?? request.id },
      undefined,
      withdrawn('the grant is over'),
    );
  // What was shown are the groups of today's file; the grant holds those of its own approval. Never prolong unseen ones.
  const shown = approved.memberships.map(({ key }) => key);
  if (!sameKeys(shown, grant.memberships))
    return refused(
      { code: 'changed_since_shown', requestId: request.id },
      undefined,
      withdrawn('the groups of this entitlement have changed; return the access and ask for it anew'),
    );
  // The stricter of what held at the grant and what holds now; an end already promised is not taken back.
  const maxMs = Math.min(grant.maxMs, entitlement.policy.duration.maxMs);
  const expiresAt = Math.min(endsAt(grant) + approved.durationMs, grant.startsAt + maxMs);
  if (expiresAt <= endsAt(grant))
    return refused(
      { code: 'over_maximum', grantId: grant.id, leftMs: 0, maxMs },
      undefined,
      withdrawn('the maximum is reached'),
    );
  const held = distinct(approved.memberships).flatMap(({ membership }) =>
    membership === undefined ? [] : [membership],
  );
  // A directory that ends it by itself moves its own end first: an end that people were told of would not hold else.
  const first = held.filter((membership) => !lastsUntil(membership, expiresAt));
  const outcome = first.length > 0 ? undefined : outcomeAudience(request);
  const { row, change } = approve(
    approved,
    outcome === undefined ? {} : { audiences: [...request.audiences, outcome] },
    now,
  );
  const original = extended?.request;
  const more = { detail: { policyHash: request.policyHash, ...approved.detail }, ...correlationOf(approved) };
  return {
    done: 'approved',
    requestId: request.id,
    changes: [
      change,
      // Put even where nothing changes: an end that is being told to a directory at this moment is decided on again.
      ...held.map(
        (membership): Change => ({
          put: 'membership',
          row: readyForLonger(membership),
          was: membership.version,
        }),
      ),
      ...first.map(({ key }) => operation(key, now, PRIORITY.addition)),
      ...askNoMore(approved),
      ...approved.because,
      ...(first.length > 0
        ? [
            putGrant(grant, { extending: { requestId: request.id, toAt: expiresAt } }).change,
            event('grant.extension_approved', now, approved.by, {
              requestId: request.id,
              grantId: grant.id,
              ...more,
              detail: { entitlement: grant.entitlement, from: endsAt(grant), to: expiresAt, ...more.detail },
            }),
          ]
        : moveEnd(grant, request.id, expiresAt, approved.by, more, now)),
      ...showEverywhere(row, now),
      ...(original === undefined ? [] : showEverywhere(original, now)),
    ],
  };
}

function approve(
  { request, unstored }: Approved,
  more: Partial<AccessRequest>,
  now: Instant,
): { row: AccessRequest; change: Change } {
  const approved = { ...more, state: 'approved' as const, decidedAt: now };
  if (unstored !== true) return putRequest(request, approved);
  const row = { ...request, ...approved };
  return { row, change: { put: 'request', row } };
}

/** The limit was judged on grants that were there; whoever adds another one meanwhile must judge again. */
function countAnew({ request, entitlement, holder }: Approved): Change[] {
  if (entitlement.policy.maxLive === undefined) return [];
  const was = holder?.was;
  const row = { person: request.requester, version: (was ?? 0) + 1 };
  return [{ put: 'holder', row, ...(was === undefined ? {} : { was }) }];
}

export function holderOf({ holderVersion }: Circumstances): Pick<Approved, 'holder'> {
  return holderVersion === undefined ? {} : { holder: { was: holderVersion } };
}

function askNoMore({ request, unstored }: Approved): Change[] {
  return unstored === true ? [] : stopAsking(request.id);
}

/** A group named twice (by name and by id) is one membership: its row could not be put twice. */
function distinct(records: readonly MembershipRecord[]): readonly MembershipRecord[] {
  return records.filter(({ key }, index) => records.findIndex((other) => sameKey(other.key, key)) === index);
}

/** The ledger row is put even when nothing in it changes: a grant on it that ends at this moment must decide again. */
function holdMembership(record: MembershipRecord, request: AccessRequest, now: Instant): Change[] {
  const { key, membership } = record;
  const row: Change =
    membership === undefined
      ? { put: 'membership', row: unknownMembership(key, groupName(request, key), loginOf(request, key)) }
      : { put: 'membership', row: readyForGrant(membership), was: membership.version };
  return [row, operation(key, now, PRIORITY.addition)];
}

function groupName(request: AccessRequest, key: MembershipKey): string {
  const group = request.groups.find((one) => one.directory === key.directory && one.groupId === key.groupId);
  return group?.groupName ?? key.groupId;
}

function loginOf(request: AccessRequest, key: MembershipKey): string {
  return request.users.find((user) => user.directory === key.directory)?.login ?? key.userId;
}

function sameKeys(some: readonly MembershipKey[], others: readonly MembershipKey[]): boolean {
  const among = (key: MembershipKey, keys: readonly MembershipKey[]) => keys.some((other) => sameKey(key, other));
  return some.every((key) => among(key, others)) && others.every((key) => among(key, some));
}

function correlationOf({ correlation }: Approved): { readonly correlation?: string } {
  return correlation === undefined ? {} : { correlation };
}
