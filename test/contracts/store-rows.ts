/** Rows as simple as the model allows, to be changed by a test where it matters. */
import type {
  AccessRequest,
  Approval,
  AuditEvent,
  Grant,
  Job,
  Membership,
  MembershipKey,
} from '../../src/access/model.ts';

export const T0 = 1_700_000_000_000;
export const MINUTE = 60_000;

export const KEY: MembershipKey = { directory: 'okta', groupId: '00g1', userId: '00u1' };
export const OTHER_KEY: MembershipKey = { directory: 'okta', groupId: '00g2', userId: '00u1' };

/** Nobody has two pending requests for the same thing, so each id but the usual one is for something else. */
export function aRequest(change: Partial<AccessRequest> = {}): AccessRequest {
  const other = change.id !== undefined && change.id !== 'R-7KQ2';
  return {
    id: 'R-7KQ2',
    version: 1,
    state: 'pending',
    requester: 'okta/00u1',
    requesterName: 'Ada Lovelace',
    users: [{ directory: 'okta', userId: '00u1', login: 'ada@example.com' }],
    entitlement: other ? `db-prod/${change.id}:read` : 'db-prod:read',
    resource: 'db-prod',
    role: 'read',
    title: 'Production database',
    groups: [{ directory: 'okta', groupId: '00g1', groupName: 'prod-db-read' }],
    durationMs: 60 * MINUTE,
    reason: 'Ticket 12: <b>slow</b> queries — "now" 🙏',
    policyName: 'usual',
    policyHash: 'p1',
    approvalsNeeded: 1,
    digest: 'd1',
    cardId: 'c1',
    createdAt: T0,
    lapsesAt: T0 + 30 * MINUTE,
    audiences: [],
    ...change,
  };
}

export function aGrant(change: Partial<Grant> = {}): Grant {
  return {
    id: 'G-7KQ2',
    version: 1,
    requestId: 'R-7KQ2',
    state: 'adding',
    holder: 'okta/00u1',
    holderName: 'Ada Lovelace',
    entitlement: 'db-prod:read',
    memberships: [KEY],
    durationMs: 60 * MINUTE,
    maxMs: 240 * MINUTE,
    warnBeforeMs: 10 * MINUTE,
    sessionTailMs: 0,
    approvedAt: T0,
    addBy: T0 + 10 * MINUTE,
    hardEndAt: T0 + 70 * MINUTE,
    ...change,
  };
}

export function aMembership(change: Partial<Membership> = {}): Membership {
  return {
    key: KEY,
    version: 1,
    groupName: 'prod-db-read',
    login: 'ada@example.com',
    origin: 'none',
    addAttempts: 0,
    failures: 0,
    ...change,
  };
}

export function anApproval(change: Partial<Approval> = {}): Approval {
  return {
    requestId: 'R-7KQ2',
    approver: 'okta/00u2',
    approverName: 'Grace Hopper',
    answer: 'approved',
    digest: 'd1',
    at: T0 + MINUTE,
    ...change,
  };
}

export function aTimer(change: { id?: string; lane?: string; priority?: number; dueAt?: number } = {}): Job {
  return {
    kind: 'timer',
    id: 'end:G-7KQ2',
    lane: 'timers',
    priority: 5,
    dueAt: T0,
    payload: { ring: 'end', grantId: 'G-7KQ2' },
    ...change,
  };
}

export function anEvent(change: Partial<AuditEvent> = {}): AuditEvent {
  return {
    at: T0,
    kind: 'request.made',
    actor: { kind: 'hallpass', part: 'test' },
    requestId: 'R-7KQ2',
    detail: {},
    ...change,
  };
}
