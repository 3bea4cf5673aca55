/** Approving and denying: who may is asked afresh, and an approval counts only for what was shown. */
import type { Refusal } from './command.ts';
import {
  type Decision,
  event,
  eventRow,
  type Outcome,
  operation,
  personActor,
  putGrant,
  putRequest,
  refused,
  showEverywhere,
  timer,
  timerId,
} from './decision.ts';
import { digestOf } from './digest.ts';
import { isLive, keyText, readyForGrant, sameKey, unknownMembership } from './ledger.ts';
import { closeRequest, endsAt, outcomeAudience } from './lifecycle.ts';
import type {
  AccessRequest,
  Approval,
  Card,
  Change,
  Entitlement,
  Grant,
  Instant,
  MembershipKey,
  Person,
  PinnedGroup,
} from './model.ts';
import { PRIORITY } from './model.ts';
import { evaluate, type SubjectAnswer, subjectName } from './policy.ts';
import type { GrantRecord, MembershipRecord, RequestRecord } from './ports.ts';

/** How long an approved addition is tried for. Access that could not be given by then is asked for again. */
export const ADD_WITHIN_MS = 10 * 60_000;

export interface AnswerFacts {
  readonly person: Person;
  readonly record: RequestRecord;
  /** The card whose button was pressed; absent for a typed denial, which is bound to nothing. */
  readonly card?: Card;
  /** What the file says now; absent when the entitlement is no longer there. */
  readonly entitlement?: Entitlement;
  /** The answering person against `policy.approvers`. */
  readonly subjects: readonly SubjectAnswer[];
  readonly hash: (text: string) => string;
  readonly correlation?: string;
}

export interface ApproveFacts extends AnswerFacts {
  /** The groups the entitlement names now. */
  readonly groups: readonly PinnedGroup[];
  /** The requester against `policy.requesters`, now. */
  readonly requesterSubjects: readonly SubjectAnswer[];
  /** Whether every account the grant would use is active; `error` when it could not be told. */
  readonly requesterActive: { readonly active: boolean } | { readonly error: string };
  /** One per group, in the order of `record.request.groups`. */
  readonly memberships: readonly MembershipRecord[];
  /** For a request for more time. */
  readonly extended?: GrantRecord;
  readonly newCardId: string;
}

export function decideApprove(facts: ApproveFacts, now: Instant): Outcome {
  const { record, person, card } = facts;
  const { request } = record;
  const no = mayAnswer(facts, 'approve', now);
  if (no !== undefined) return no;
  const entitlement = facts.entitlement;
  // The file no longer has it, or guards it with another policy, or it confers other groups: what was shown is not
  // what would be approved. Nobody's earlier approval counts for the new text either.
  if (entitlement === undefined) return noLongerThere(request, now);
  const digest = digestOf({ ...request, groups: facts.groups, policyHash: entitlement.policy.hash }, facts.hash);
  if (digest !== request.digest) return showAgain(facts, entitlement, digest, now);
  if (card?.digest !== digest) return refused({ code: 'changed_since_shown', requestId: request.id });

  const counted = record.approvals.filter((given) => given.answer === 'approved' && given.digest === digest);
  if (counted.some((given) => given.approver === person.id))
    return refused({ code: 'already_answered', requestId: request.id });
  const unfit = requesterUnfit(facts, entitlement);
  if (unfit !== undefined) return refused(unfit);

  const approval: Approval = {
    requestId: request.id,
    approver: person.id,
    approverName: person.name,
    answer: 'approved',
    digest,
    at: now,
  };
  const given = event('approval.given', now, personActor(person), {
    requestId: request.id,
    detail: { entitlement: request.entitlement, digest, policyHash: request.policyHash, number: counted.length + 1 },
    ...correlationOf(facts),
  });
  const approvers = new Set([...counted.map((before) => before.approver), person.id]);
  if (approvers.size < request.approvalsNeeded) {
    const { row, change } = putRequest(request, {});
    return {
      done: 'approval_recorded',
      requestId: request.id,
      changes: [{ put: 'approval', row: approval }, change, given, ...showEverywhere(row, now)],
    };
  }
  return request.extendsGrant === undefined
    ? grantIt(facts, entitlement, approval, given, now)
    : prolong(facts, entitlement, approval, given, now);
}

/** Full approval: the grant, its hard end, and the additions owed, in one commit. */
function grantIt(
  facts: ApproveFacts,
  entitlement: Entitlement,
  approval: Approval,
  given: Change,
  now: Instant,
): Decision {
  const { request } = facts.record;
  const addBy = now + ADD_WITHIN_MS;
  const held = distinct(facts.memberships);
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
    durationMs: request.durationMs,
    maxMs: entitlement.policy.duration.maxMs,
    warnBeforeMs: entitlement.policy.warnBeforeMs,
    sessionTailMs: entitlement.sessionTailMs,
    approvedAt: now,
    addBy,
    hardEndAt: addBy + request.durationMs,
  };
  const { row, change } = putRequest(request, { state: 'approved', decidedAt: now });
  return {
    done: 'approved',
    requestId: request.id,
    changes: [
      { put: 'approval', row: approval },
      change,
      { put: 'grant', row: grant },
      ...held.flatMap((membership) => holdMembership(membership, request, now)),
      timer({ ring: 'end', grantId: grant.id }, grant.hardEndAt),
      timer({ ring: 'add_by', grantId: grant.id }, addBy),
      { drop: 'job', id: timerId({ ring: 'lapse', requestId: request.id }) },
      given,
      event('request.approved', now, personActor(facts.person), {
        requestId: request.id,
        grantId: grant.id,
        detail: {
          entitlement: request.entitlement,
          durationMs: request.durationMs,
          addBy,
          hardEndAt: grant.hardEndAt,
          memberships: keys.map(keyText),
          policyHash: request.policyHash,
        },
        ...correlationOf(facts),
      }),
      ...showEverywhere(row, now),
    ],
  };
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

/** More time on a live grant: the end moves, and never past the maximum of the whole. */
function prolong(
  facts: ApproveFacts,
  entitlement: Entitlement,
  approval: Approval,
  given: Change,
  now: Instant,
): Outcome {
  const { request } = facts.record;
  const extended = facts.extended;
  const grant = extended?.grant;
  if (grant === undefined || grant.state !== 'active' || grant.startsAt === undefined || now >= endsAt(grant))
    return refused(
      { code: 'not_live', grantId: request.extendsGrant ?? request.id },
      undefined,
      closeRequest(request, 'withdrawn', { kind: 'hallpass', part: 'policy' }, now, 'the grant is over'),
    );
  // What was shown are the groups of today's file; the grant holds those of its own approval. Never prolong unseen ones.
  const shown = facts.memberships.map(({ key }) => key);
  if (!sameKeys(shown, grant.memberships))
    return refused(
      { code: 'changed_since_shown', requestId: request.id },
      undefined,
      closeRequest(
        request,
        'withdrawn',
        { kind: 'hallpass', part: 'policy' },
        now,
        'the groups of this entitlement have changed; return the access and ask for it anew',
      ),
    );
  // The stricter of what held at the grant and what holds now; an end already promised is not taken back.
  const maxMs = Math.min(grant.maxMs, entitlement.policy.duration.maxMs);
  const expiresAt = Math.min(endsAt(grant) + request.durationMs, grant.startsAt + maxMs);
  if (expiresAt <= endsAt(grant))
    return refused(
      { code: 'over_maximum', grantId: grant.id, leftMs: 0, maxMs },
      undefined,
      closeRequest(request, 'withdrawn', { kind: 'hallpass', part: 'policy' }, now, 'the maximum is reached'),
    );
  const moved = putGrant(grant, { expiresAt, hardEndAt: Math.max(grant.hardEndAt, expiresAt) });
  const { row, change } = putRequest(request, { state: 'approved', decidedAt: now });
  const outcome = outcomeAudience(request);
  const told = outcome === undefined ? row : { ...row, audiences: [...row.audiences, outcome] };
  const original = extended?.request;
  return {
    done: 'approved',
    requestId: request.id,
    changes: [
      { put: 'approval', row: approval },
      outcome === undefined ? change : { put: 'request', row: told, was: request.version },
      moved.change,
      timer({ ring: 'end', grantId: grant.id }, expiresAt),
      ...(grant.warnBeforeMs > 0
        ? [timer({ ring: 'warn', grantId: grant.id }, Math.max(now, expiresAt - grant.warnBeforeMs))]
        : []),
      { drop: 'job', id: timerId({ ring: 'lapse', requestId: request.id }) },
      given,
      event('grant.extended', now, personActor(facts.person), {
        requestId: request.id,
        grantId: grant.id,
        detail: { entitlement: grant.entitlement, from: endsAt(grant), to: expiresAt, policyHash: request.policyHash },
        ...correlationOf(facts),
      }),
      ...showEverywhere(told, now),
      ...(original === undefined ? [] : showEverywhere(original, now)),
    ],
  };
}

function noLongerThere(request: AccessRequest, now: Instant): Outcome {
  return refused(
    { code: 'changed_since_shown', requestId: request.id },
    undefined,
    closeRequest(request, 'withdrawn', { kind: 'hallpass', part: 'policy' }, now, 'no longer in the configuration'),
  );
}

export function decideDeny(command: { readonly reason?: string }, facts: AnswerFacts, now: Instant): Outcome {
  const { record, person } = facts;
  const { request } = record;
  const no = mayAnswer(facts, 'deny', now);
  if (no !== undefined) return no;
  // With the entitlement went the list of those who may deny it.
  if (facts.entitlement === undefined) return noLongerThere(request, now);
  const denial: Approval = {
    requestId: request.id,
    approver: person.id,
    approverName: person.name,
    answer: 'denied',
    ...(command.reason === undefined || command.reason === '' ? {} : { reason: command.reason }),
    digest: request.digest,
    at: now,
  };
  const answered = record.approvals.some((one) => one.approver === person.id && one.digest === request.digest);
  return {
    done: 'denied',
    requestId: request.id,
    changes: [
      // One answer is kept for each person and text: whoever changes their mind closes the request all the same.
      ...(answered ? [] : [{ put: 'approval' as const, row: denial }]),
      ...closeRequest(request, 'denied', personActor(person), now, denial.reason, facts.correlation),
    ],
  };
}

/** Pending, not one's own, and an approver at this moment; attempts that fail on authority are kept for security. */
function mayAnswer(facts: AnswerFacts, asked: 'approve' | 'deny', now: Instant): Outcome | undefined {
  const { record, person, entitlement } = facts;
  const { request } = record;
  const attempt = (refusal: Refusal) =>
    refused(
      refusal,
      eventRow('approval.refused', now, personActor(person), {
        requestId: request.id,
        detail: { entitlement: request.entitlement, asked, code: refusal.code },
        ...correlationOf(facts),
      }),
    );
  // Before the state: whoever may not answer learns nothing about how it stands.
  if (person.id === request.requester) return attempt({ code: 'own_request' });
  if (request.state !== 'pending') return refused({ code: 'not_pending', requestId: request.id });
  if (now >= request.lapsesAt) return refused({ code: 'not_pending', requestId: request.id });
  if (entitlement === undefined) return undefined;
  const answer = evaluate(entitlement.policy, {
    ask: 'approve',
    approver: person.id,
    requester: request.requester,
    subjects: facts.subjects,
  });
  if (answer.unsatisfied.length > 0)
    return attempt({
      code: 'not_an_approver',
      entitlement: request.entitlement,
      wanted: entitlement.policy.approvers.map(subjectName),
    });
  const broken = answer.broken[0];
  if (broken !== undefined)
    return refused({ code: 'cannot_check', what: 'whether you may answer this', error: broken.why });
  return undefined;
}

/** At the grant, the requester is judged again: eligible, with active accounts, and within the present maximum. */
function requesterUnfit(facts: ApproveFacts, entitlement: Entitlement): Refusal | undefined {
  const { request } = facts.record;
  const active = facts.requesterActive;
  if ('error' in active)
    return { code: 'cannot_check', what: `whether ${request.requesterName}'s account is active`, error: active.error };
  if (!active.active)
    return { code: 'requester_not_eligible', requestId: request.id, why: 'the account is not active' };
  const answer = evaluate(entitlement.policy, {
    ask: 'request',
    subjects: facts.requesterSubjects,
    durationMs: request.durationMs,
    reasonLength: [...request.reason].length,
  });
  const broken = answer.broken[0];
  if (broken !== undefined)
    return { code: 'cannot_check', what: `whether ${request.requesterName} may have this`, error: broken.why };
  const no = answer.unsatisfied[0];
  if (no !== undefined)
    return { code: 'requester_not_eligible', requestId: request.id, why: 'the policy no longer lets them ask for it' };
  if (request.extendsGrant === undefined) {
    const other = facts.memberships
      .flatMap((membership) => membership.grants)
      .find(
        (grant) => isLive(grant) && grant.entitlement === request.entitlement && grant.holder === request.requester,
      );
    if (other !== undefined) return { code: 'already_granted', grantId: other.id };
  }
  return undefined;
}

/** The card is drawn anew with what holds now; earlier approvals stay on record and no longer count. */
function showAgain(facts: ApproveFacts, entitlement: Entitlement, digest: string, now: Instant): Outcome {
  const { request } = facts.record;
  const { row, change } = putRequest(request, {
    groups: facts.groups,
    policyName: entitlement.policy.name,
    policyHash: entitlement.policy.hash,
    approvalsNeeded: entitlement.policy.approvals,
    digest,
    cardId: facts.newCardId,
  });
  return refused({ code: 'changed_since_shown', requestId: request.id }, undefined, [
    change,
    { put: 'card', row: { id: facts.newCardId, requestId: request.id, digest, createdAt: now } },
    event(
      'request.shown_again',
      now,
      { kind: 'hallpass', part: 'policy' },
      {
        requestId: request.id,
        detail: {
          entitlement: request.entitlement,
          policyHash: entitlement.policy.hash,
          before: request.digest,
          digest,
        },
      },
    ),
    ...showEverywhere(row, now),
  ]);
}

function correlationOf(facts: AnswerFacts): { readonly correlation?: string } {
  return facts.correlation === undefined ? {} : { correlation: facts.correlation };
}
