/** Approving and denying: who may is asked afresh, and an approval counts only for what was shown. */

import { capRefusal } from './caps.ts';
import type { Refusal } from './command.ts';
import { type ConditionFacts, conditionRefusal } from './condition.ts';
import { type Approved, giveGrant, holderOf, prolongGrant } from './decide-grant.ts';
import { isWanted, type ProvingFact, prove, stillConfirming } from './decide-proof.ts';
import {
  event,
  eventRow,
  isRefused,
  type Outcome,
  personActor,
  putRequest,
  refused,
  showEverywhere,
  timer,
} from './decision.ts';
import { digestOf } from './digest.ts';
import { frozenRefusal, personFrozen, restsOn } from './freeze.ts';
import { isLive } from './ledger.ts';
import { closeRequest, endsAt } from './lifecycle.ts';
import type {
  AccessRequest,
  Actor,
  Approval,
  Card,
  Entitlement,
  Freezes,
  Instant,
  Person,
  PinnedGroup,
} from './model.ts';
import { anyHolds, evaluate, type SubjectAnswer, subjectName, subjectWords } from './policy.ts';
import type { GrantRecord, MembershipRecord, RequestRecord } from './ports.ts';
import {
  answerersOf,
  approvedMs,
  countedApprovals,
  deniersOf,
  laterAnswerers,
  stageNow,
  stagesOf,
  stagesShown,
  startStage,
} from './stages.ts';
import { durationText } from './words.ts';
import { askedFor, frozenAmong } from './workload.ts';

export interface AnswerFacts {
  readonly person: Person;
  readonly record: RequestRecord;
  /** The card whose button was pressed; absent for a typed denial, which is bound to nothing. */
  readonly card?: Card;
  /** What the file says now; absent when the entitlement is no longer there. */
  readonly entitlement?: Entitlement;
  /** The answering person against those who may: `answerersOf` to approve, `deniersOf` to deny. */
  readonly subjects: readonly SubjectAnswer[];
  /** Against `laterAnswerers`, where it is not their turn. */
  readonly later?: readonly SubjectAnswer[];
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
  /** What the policy's conditions ask of the requester, now; absent when the requester could not be looked up. */
  readonly conditions?: ConditionFacts;
  /** One per group, in the order of `record.request.groups`. */
  readonly memberships: readonly MembershipRecord[];
  /** For a request for more time. */
  readonly extended?: GrantRecord;
  readonly newCardId: string;
  readonly freezes: Freezes;
  readonly proving?: ProvingFact;
}

/** `durationMs`: for less than was asked. */
export function decideApprove(facts: ApproveFacts, now: Instant, durationMs?: number): Outcome {
  const { record, person, card } = facts;
  const { request } = record;
  const no = mayAnswer(facts, 'approve', now);
  if (no !== undefined) return no;
  const frozen = frozenNow(facts, now);
  if (frozen !== undefined) return frozen;
  const entitlement = facts.entitlement;
  // The file no longer has it, or guards it with another policy, or it confers other groups: what was shown is not
  // what would be approved. Nobody's earlier approval counts for the new text either.
  if (entitlement === undefined) return noLongerThere(request, now);
  const digest = digestOf({ ...request, groups: facts.groups, policyHash: entitlement.policy.hash }, facts.hash);
  if (digest !== request.digest) return showAgain(facts, entitlement, digest, now);
  if (card?.digest !== digest) return refused({ code: 'changed_since_shown', requestId: request.id });

  const wanted = entitlement.policy.proof?.approve !== undefined;
  // The digest holds the policy, so that no earlier approval can be without its proof; here it would not count either.
  const counted = countedApprovals(request, record.approvals).filter(({ proof }) => !wanted || proof !== undefined);
  if (counted.some((given) => given.approver === person.id))
    return refused({ code: 'already_answered', requestId: request.id });
  const unfit = requesterUnfit(facts, entitlement, now);
  if (unfit !== undefined) return refused(unfit);

  if (durationMs !== undefined && !(durationMs > 0 && durationMs <= request.durationMs))
    return refused({ code: 'longer_than_asked', requestId: request.id, askedMs: request.durationMs });
  const shorter = durationMs === undefined || durationMs === request.durationMs ? {} : { durationMs };

  const { correlation } = facts;
  const about = { purpose: 'approve' as const, person, entitlement, digest, request };
  const proven = prove({ ...about, ...(correlation === undefined ? {} : { correlation }) }, facts.proving, now);
  if ('refusal' in proven) return proven;
  const withProof = proven.proof === undefined ? {} : { proof: proven.proof };

  const stages = stagesShown(request, entitlement.policy);
  const stage = stageNow(stages, counted);
  const approval: Approval = {
    requestId: request.id,
    approver: person.id,
    approverName: person.name,
    answer: 'approved',
    ...(stage === 0 ? {} : { stage }),
    ...shorter,
    ...withProof,
    digest,
    at: now,
  };
  const given = event('approval.given', now, personActor(person), {
    requestId: request.id,
    detail: {
      entitlement: request.entitlement,
      digest,
      policyHash: request.policyHash,
      number: counted.length + 1,
      ...(stages.length === 1 ? {} : { stage: stage + 1 }),
      ...shorter,
      ...withProof,
    },
    ...correlationOf(facts),
  });
  const next = stageNow(stages, [...counted, approval]);
  if (next < stages.length) {
    // The people of the next stage are looked up when its timer rings, which is now.
    const begins = next > stage ? { asking: startStage(stages, next, now) } : {};
    const { row, change } = putRequest(request, { ...begins, ...stillWaiting(request, person, now) });
    return {
      done: 'approval_recorded',
      requestId: request.id,
      changes: [
        { put: 'approval', row: approval },
        ...proven.changes,
        change,
        ...(next > stage ? [timer({ ring: 'ask', requestId: request.id }, now)] : []),
        given,
        ...showEverywhere(row, now),
      ],
    };
  }
  const approved: Approved = {
    request,
    entitlement,
    durationMs: approvedMs(request, [...counted, approval]),
    memberships: facts.memberships,
    ...holderOf(facts.conditions?.circumstances ?? {}),
    ...(facts.extended === undefined ? {} : { extended: facts.extended }),
    by: personActor(person),
    because: [{ put: 'approval', row: approval }, ...proven.changes, given],
    ...correlationOf(facts),
  };
  const outcome = request.extendsGrant === undefined ? giveGrant(approved, now) : prolongGrant(approved, now);
  // A freeze between the look and the commit makes this stale: then it is decided again, and refused.
  return isRefused(outcome) ? outcome : { ...outcome, changes: [restsOn(facts.freezes), ...outcome.changes] };
}

function stillWaiting(request: AccessRequest, { id }: Person, now: Instant): Pick<AccessRequest, 'confirming'> {
  if (request.confirming === undefined) return {};
  return { confirming: stillConfirming(request, now).filter((one) => one.person !== id) };
}

/**
 * A request that was overlooked by the freeze's own commit closes here at the latest. Whoever is frozen answers nothing
 * in anybody's favour: an account that was taken over would approve its friends.
 */
function frozenNow({ record, person, freezes, correlation }: ApproveFacts, now: Instant): Outcome | undefined {
  const { request } = record;
  const own = personFrozen(freezes, person.id);
  if (own !== undefined) return refused(frozenRefusal(own));
  const freeze = frozenAmong(freezes, request);
  if (freeze === undefined) return undefined;
  const note = `${freeze.name} is frozen: ${freeze.reason}`;
  const by: Actor = { kind: 'hallpass', part: 'freeze' };
  return refused(frozenRefusal(freeze), undefined, closeRequest(request, 'withdrawn', by, now, note, correlation));
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
  if (askedFor(request, person.id)) return attempt({ code: 'own_request' });
  if (request.state !== 'pending') return refused({ code: 'not_pending', requestId: request.id });
  if (now >= request.lapsesAt) return refused({ code: 'not_pending', requestId: request.id });
  if (entitlement === undefined) return undefined;
  const wanted = asked === 'deny' ? deniersOf(entitlement.policy, record) : answerersOf(entitlement.policy, record);
  const answer = evaluate(entitlement.policy, {
    ask: 'approve',
    approver: person.id,
    requester: request.requester,
    subjects: facts.subjects,
    wanted,
  });
  if (answer.unsatisfied.length > 0) {
    // Whoever has approved in an earlier stage is told that, and whoever is asked later that it is not their turn.
    if (asked === 'approve' && countedApprovals(request, record.approvals).some((one) => one.approver === person.id))
      return refused({ code: 'already_answered', requestId: request.id });
    const later = anyHolds('approver', laterAnswerers(entitlement.policy, record), facts.later ?? []);
    if (later.is === 'satisfied')
      return refused({ code: 'not_your_turn', requestId: request.id, first: wanted.map(subjectWords) });
    return attempt({
      code: 'not_an_approver',
      entitlement: request.entitlement,
      wanted: wanted.map(subjectName),
    });
  }
  const broken = answer.broken[0];
  if (broken !== undefined)
    return refused({ code: 'cannot_check', what: 'whether you may answer this', error: broken.why });
  return undefined;
}

/** At the grant, the requester is judged again: eligible, with active accounts, and within the present maximum. */
function requesterUnfit(facts: ApproveFacts, entitlement: Entitlement, now: Instant): Refusal | undefined {
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
  const unmet = conditionUnmet(facts, entitlement, now) ?? capPassed(facts, entitlement, now);
  if (unmet !== undefined) return unmet;
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

/** The condition held when it was asked; access begins now, so it is now that it must hold. */
function conditionUnmet(facts: ApproveFacts, entitlement: Entitlement, now: Instant): Refusal | undefined {
  const { when, name } = entitlement.policy;
  const { request } = facts.record;
  if (when === undefined) return undefined;
  if (facts.conditions === undefined)
    return { code: 'cannot_check', what: `the condition of the policy ${name}`, error: 'the requester is not known' };
  const no = conditionRefusal(when, facts.conditions, request, now);
  if (no?.code !== 'condition_not_met') return no;
  return {
    code: 'requester_not_eligible',
    requestId: request.id,
    why: `its policy allows it only when ${no.expression}, and that does not hold now.`,
  };
}

/** Limits count what is there when access begins, and other requests may have become access since this one was made. */
function capPassed(facts: ApproveFacts, entitlement: Entitlement, now: Instant): Refusal | undefined {
  const { request } = facts.record;
  const grant = facts.extended?.grant;
  const span =
    grant?.startsAt === undefined
      ? { from: now, to: now + request.durationMs }
      : { from: grant.startsAt, to: endsAt(grant) + request.durationMs, extends: grant };
  const circumstances = facts.conditions?.circumstances ?? {};
  const no = capRefusal({ entitlement, circumstances, timezone: facts.conditions?.timezone ?? 'UTC' }, span);
  switch (no?.code) {
    case 'over_daily': {
      const why = `it would pass the ${durationText(no.perDayMs)} a day that its policy allows.`;
      return { code: 'requester_not_eligible', requestId: request.id, why };
    }
    case 'too_many_live': {
      const why = `${request.requesterName} holds ${no.grants.length} under this policy already, and ${no.most} is the most at a time.`;
      return { code: 'requester_not_eligible', requestId: request.id, why };
    }
    default:
      return no;
  }
}

/** The card is drawn anew with what holds now; earlier approvals stay on record and no longer count. */
function showAgain(facts: ApproveFacts, entitlement: Entitlement, digest: string, now: Instant): Outcome {
  const { request } = facts.record;
  // It may have been made before its policy wanted that, and nobody but the requester could make up for it.
  if (entitlement.policy.hash !== request.policyHash && isWanted(entitlement, 'request')) {
    const why = 'its policy has changed and wants whoever asks to confirm it with MFA; it has to be asked for anew';
    const by: Actor = { kind: 'hallpass', part: 'policy' };
    const withdrawn = closeRequest(request, 'withdrawn', by, now, why, facts.correlation);
    return refused({ code: 'requester_not_eligible', requestId: request.id, why }, undefined, withdrawn);
  }
  const { row, change } = putRequest(request, {
    groups: facts.groups,
    policyName: entitlement.policy.name,
    policyHash: entitlement.policy.hash,
    approvalsNeeded: entitlement.policy.approvals,
    asking: startStage(stagesOf(entitlement.policy), 0, now),
    digest,
    cardId: facts.newCardId,
  });
  return refused({ code: 'changed_since_shown', requestId: request.id }, undefined, [
    change,
    { put: 'card', row: { id: facts.newCardId, requestId: request.id, digest, createdAt: now } },
    timer({ ring: 'ask', requestId: request.id }, now),
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
