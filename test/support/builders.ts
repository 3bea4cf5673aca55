/** Small builders: each gives a plain, valid thing, and takes what the test is about. */
import { createHash } from 'node:crypto';
import type { AnswerFacts, ApproveFacts } from '../../src/access/decide-answer.ts';
import type { RequestFacts } from '../../src/access/decide-request.ts';
import { digestOf } from '../../src/access/digest.ts';
import { NO_FREEZES } from '../../src/access/freeze.ts';
import type {
  AccessRequest,
  Approval,
  Card,
  Entitlement,
  Grant,
  Membership,
  MembershipKey,
  Person,
  PinnedGroup,
  Policy,
  Subject,
} from '../../src/access/model.ts';
import type { SubjectAnswer } from '../../src/access/policy.ts';
import type { GrantRecord, MembershipRecord, RequestRecord } from '../../src/access/ports.ts';

export const SECOND = 1_000;
export const MINUTE = 60_000;
export const HOUR = 3_600_000;
/** 2026-03-10 09:00 UTC, a Tuesday far from any clock change. */
export const T0 = Date.UTC(2026, 2, 10, 9, 0);

export const hash = (text: string) => createHash('sha256').update(text).digest('hex');

export function person(id: string, more: Partial<Person> = {}): Person {
  return {
    id: `okta/${id}`,
    name: id.charAt(0).toUpperCase() + id.slice(1),
    email: `${id}@acme.com`,
    account: { platform: 'slack', tenant: 'T1', id: `U-${id}` },
    active: true,
    ...more,
  };
}

export const ana = person('ana');
export const ben = person('ben');
export const cat = person('cat');
export const dan = person('dan');

export const group = (name: string, directory = 'okta'): Subject => ({ kind: 'group', directory, group: name });
export const onCall = (source: string): Subject => ({ kind: 'on-call', source });

export function policy(more: Partial<Policy> = {}): Policy {
  return {
    name: 'standard',
    hash: 'policy-1',
    requesters: [group('engineering')],
    approvers: [onCall('dba'), group('dba-leads')],
    approvals: 1,
    duration: { defaultMs: 30 * MINUTE, maxMs: 4 * HOUR },
    reason: { minLength: 10 },
    lapseAfterMs: HOUR,
    warnBeforeMs: 5 * MINUTE,
    ...more,
  };
}

export function entitlement(more: Partial<Entitlement> = {}): Entitlement {
  return {
    id: 'db-prod:read',
    resource: 'db-prod',
    role: 'read',
    title: 'Orders database',
    groups: [{ directory: 'okta', group: 'prod-db-read' }],
    policy: policy(),
    sessionTailMs: 0,
    ...more,
  };
}

export function pinned(name: string, directory = 'okta'): PinnedGroup {
  return { directory, groupId: `id-${name}`, groupName: name };
}

export function keyOf(name: string, who: Person = ana, directory = 'okta'): MembershipKey {
  return { directory, groupId: `id-${name}`, userId: `${directory}-${who.email}` };
}

export function request(more: Partial<AccessRequest> = {}): AccessRequest {
  const base = {
    id: 'R-7KQ2',
    version: 1,
    state: 'pending' as const,
    requester: ana.id,
    requesterName: ana.name,
    ...(ana.account === undefined ? {} : { requesterAccount: ana.account }),
    users: [
      { directory: 'okta', userId: `okta-${ana.email}`, login: ana.email },
      { directory: 'google', userId: `google-${ana.email}`, login: ana.email },
    ],
    entitlement: 'db-prod:read',
    resource: 'db-prod',
    role: 'read',
    title: 'Orders database',
    groups: [pinned('prod-db-read')],
    durationMs: 30 * MINUTE,
    reason: 'fix stuck migration',
    policyName: 'standard',
    policyHash: 'policy-1',
    approvalsNeeded: 1,
    cardId: 'card-1',
    createdAt: T0,
    lapsesAt: T0 + HOUR,
    audiences: [],
    ...more,
  };
  return { ...base, digest: more.digest ?? digestOf(base, hash) };
}

export function cardOf(of: AccessRequest): Card {
  return { id: of.cardId, requestId: of.id, digest: of.digest, createdAt: of.createdAt };
}

export function approval(of: AccessRequest, by: Person, more: Partial<Approval> = {}): Approval {
  return {
    requestId: of.id,
    approver: by.id,
    approverName: by.name,
    answer: 'approved',
    digest: of.digest,
    at: T0 + MINUTE,
    ...more,
  };
}

export function requestRecord(of: AccessRequest, approvals: readonly Approval[] = []): RequestRecord {
  return { request: of, approvals };
}

export function grant(more: Partial<Grant> = {}): Grant {
  return {
    id: 'G-7KQ2',
    version: 1,
    requestId: 'R-7KQ2',
    state: 'adding',
    holder: ana.id,
    holderName: ana.name,
    entitlement: 'db-prod:read',
    memberships: [keyOf('prod-db-read')],
    durationMs: 30 * MINUTE,
    maxMs: 4 * HOUR,
    warnBeforeMs: 5 * MINUTE,
    sessionTailMs: 0,
    approvedAt: T0,
    addBy: T0 + 10 * MINUTE,
    hardEndAt: T0 + 40 * MINUTE,
    ...more,
  };
}

export function activeGrant(more: Partial<Grant> = {}): Grant {
  return grant({ state: 'active', startsAt: T0, expiresAt: T0 + 30 * MINUTE, ...more });
}

export function membership(more: Partial<Membership> = {}): Membership {
  return {
    key: keyOf('prod-db-read'),
    version: 1,
    groupName: 'prod-db-read',
    login: ana.email,
    origin: 'none',
    addAttempts: 0,
    failures: 0,
    ...more,
  };
}

/** Added by us and accepted. */
export function ourMembership(more: Partial<Membership> = {}): Membership {
  return membership({
    origin: 'ours',
    addAttempts: 1,
    addStartedAt: T0,
    addDeadlineAt: T0 + 10 * SECOND,
    addOutcome: 'accepted',
    ...more,
  });
}

export function baseline(more: Partial<Membership> = {}): Membership {
  return membership({ origin: 'baseline', seen: 'present', seenAt: T0 + 1, ...more });
}

export function membershipRecord(row: Membership, grants: readonly Grant[] = []): MembershipRecord {
  return { key: row.key, membership: row, grants };
}

export function grantRecord(
  of: Grant,
  rows: readonly Membership[] = [],
  more: {
    readonly others?: readonly Grant[];
    readonly extension?: AccessRequest;
    readonly request?: AccessRequest;
  } = {},
): GrantRecord {
  const grants = of.state === 'ended' ? [...(more.others ?? [])] : [of, ...(more.others ?? [])];
  return {
    grant: of,
    request: more.request ?? request({ id: of.requestId, state: 'approved', entitlement: of.entitlement }),
    memberships: of.memberships.map((key) => {
      const row = rows.find((one) => one.key.groupId === key.groupId && one.key.directory === key.directory);
      return { key, ...(row === undefined ? {} : { membership: row }), grants };
    }),
    ...(more.extension === undefined ? {} : { extension: more.extension }),
  };
}

export const yes = (subject: Subject): SubjectAnswer => ({ subject, holds: true });
export const no = (subject: Subject): SubjectAnswer => ({ subject, holds: false });
export const broken = (subject: Subject): SubjectAnswer => ({ subject, error: 'no answer in 10 s' });

export function requestFacts(more: Partial<RequestFacts> = {}): RequestFacts {
  return {
    person: ana,
    entitlement: entitlement(),
    subjects: [yes(group('engineering'))],
    users: request().users,
    groups: [pinned('prod-db-read')],
    pending: [],
    grants: [],
    standing: [],
    approvers: { people: [ben, cat], complete: true },
    circumstances: {},
    freezes: NO_FREEZES,
    requestsLately: 0,
    timezone: 'UTC',
    ids: { short: '7KQ2', opaque: 'card-1' },
    hash,
    ...more,
  };
}

export function answerFacts(more: Partial<AnswerFacts> = {}): AnswerFacts {
  const record = more.record ?? requestRecord(request());
  return {
    person: ben,
    record,
    card: cardOf(record.request),
    entitlement: entitlement(),
    subjects: [yes(onCall('dba'))],
    hash,
    ...more,
  };
}

export function approveFacts(more: Partial<ApproveFacts> = {}): ApproveFacts {
  const base = answerFacts(more);
  return {
    ...base,
    groups: base.record.request.groups,
    requesterSubjects: [yes(group('engineering'))],
    requesterActive: { active: true },
    memberships: base.record.request.groups.map((one) => ({
      key: keyOf(one.groupName, ana, one.directory),
      grants: [],
    })),
    newCardId: 'card-2',
    freezes: NO_FREEZES,
    ...more,
  };
}
