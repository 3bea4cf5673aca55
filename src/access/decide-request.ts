/** Asking: a new access request, or more time on a live grant. Both wait for the same approvals under the same policy. */
import type { DurationWish, Refusal } from './command.ts';
import {
  type Decision,
  event,
  eventRow,
  type Outcome,
  personActor,
  refused,
  showEverywhere,
  timer,
} from './decision.ts';
import { digestOf } from './digest.ts';
import { endsAt } from './lifecycle.ts';
import type { AccessRequest, Audience, Entitlement, Grant, Instant, Person, PinnedGroup, PinnedUser } from './model.ts';
import { evaluate, type PolicyAnswer, type SubjectAnswer, subjectName } from './policy.ts';
import type { MembershipRecord } from './ports.ts';
import { nextTimeOfDay } from './zone.ts';

export interface Approvers {
  readonly people: readonly Person[];
  /** Every approver there can be is in `people`: none of the subjects is open-ended or could not be looked up. */
  readonly complete: boolean;
}

export interface RequestFacts {
  readonly person: Person;
  readonly entitlement: Entitlement;
  /** The requester against `policy.requesters`. */
  readonly subjects: readonly SubjectAnswer[];
  readonly users: readonly PinnedUser[];
  readonly groups: readonly PinnedGroup[];
  readonly pending: readonly AccessRequest[];
  readonly grants: readonly Grant[];
  /** The ledger and, where it could be read in time, the directory's word for each group. */
  readonly standing: readonly { readonly record: MembershipRecord; readonly member?: boolean }[];
  readonly approvers: Approvers;
  readonly timezone: string;
  readonly approvalsChannel?: string;
  /** The same in Teams. */
  readonly teamsChannel?: string;
  readonly ids: { readonly short: string; readonly opaque: string };
  readonly hash: (text: string) => string;
  readonly correlation?: string;
}

export interface RequestCommand {
  readonly duration?: DurationWish;
  readonly reason: string;
}

/** Longest reason kept, in code points; the grammar refuses longer ones, and this holds for every other door. */
export const REASON_MAX = 1_000;

export function decideRequest(command: RequestCommand, facts: RequestFacts, now: Instant): Outcome {
  const { person, entitlement } = facts;
  const policy = entitlement.policy;
  const asked = durationOf(command.duration, policy.duration.defaultMs, zoneOf(facts), now);
  if (typeof asked !== 'number') return refused(asked);
  const answer = evaluate(policy, {
    ask: 'request',
    subjects: facts.subjects,
    durationMs: asked,
    reasonLength: [...command.reason].length,
  });
  const no = policyRefusal(answer, entitlement, asked, command.reason);
  if (no !== undefined)
    return refused(
      no,
      no.code === 'not_eligible'
        ? eventRow('request.refused', now, personActor(person), {
            detail: { entitlement: entitlement.id, code: no.code, policyHash: policy.hash },
            personal: { reason: command.reason },
            ...correlationOf(facts),
          })
        : undefined,
    );
  const pending = facts.pending[0];
  if (pending !== undefined) return refused({ code: 'already_pending', requestId: pending.id });
  const live = facts.grants.find((grant) => grant.state === 'adding' || grant.state === 'active');
  if (live !== undefined)
    return refused({
      code: 'already_granted',
      grantId: live.id,
      ...(live.expiresAt === undefined ? {} : { expiresAt: live.expiresAt }),
    });
  // Only if every group is a baseline is there nothing to grant; the ledger knows which memberships are ours.
  if (facts.standing.length > 0 && facts.standing.every(isBaseline))
    return refused({ code: 'already_member', groups: facts.groups.map((group) => group.groupName) });
  if (nobodyElse(facts)) return refused({ code: 'nobody_to_ask', entitlement: entitlement.id });
  return open(facts, { durationMs: asked, reason: command.reason }, undefined, now);
}

export interface ExtendFacts extends RequestFacts {
  readonly grant: Grant;
  readonly original: AccessRequest;
}

export function decideExtend(
  command: { readonly duration?: DurationWish; readonly reason?: string },
  facts: ExtendFacts,
  now: Instant,
): Outcome {
  const { grant, entitlement, person } = facts;
  const policy = entitlement.policy;
  if (grant.holder !== person.id) return refused({ code: 'not_yours', id: grant.id });
  if (grant.state === 'adding') return refused({ code: 'not_added_yet', grantId: grant.id });
  if (grant.state !== 'active' || grant.startsAt === undefined || now >= endsAt(grant))
    return refused({ code: 'not_live', grantId: grant.id });
  const from = endsAt(grant);
  const maxMs = Math.min(grant.maxMs, policy.duration.maxMs);
  const left = grant.startsAt + maxMs - from;
  const wish = command.duration;
  let more: number;
  if (wish === undefined) {
    if (left <= 0) return refused({ code: 'over_maximum', grantId: grant.id, leftMs: 0, maxMs });
    more = Math.min(policy.duration.defaultMs, left);
  } else if ('until' in wish) {
    const until = nextTimeOfDay(wish.until, zoneOf(facts), now);
    if (until === undefined || until <= from)
      return refused({ code: 'time_past', at: until ?? now, zone: zoneOf(facts) });
    more = until - from;
  } else more = wish.ms;
  if (more > left) return refused({ code: 'over_maximum', grantId: grant.id, leftMs: Math.max(0, left), maxMs });
  // The first reason stands when none is given: an extension is of the same work.
  const reason = command.reason === undefined || command.reason === '' ? facts.original.reason : command.reason;
  const answer = evaluate(policy, {
    ask: 'request',
    subjects: facts.subjects,
    durationMs: more,
    reasonLength: [...reason].length,
  });
  const no = policyRefusal(answer, entitlement, more, reason);
  if (no !== undefined) return refused(no);
  const pending = facts.pending[0];
  if (pending !== undefined) return refused({ code: 'already_pending', requestId: pending.id });
  if (nobodyElse(facts)) return refused({ code: 'nobody_to_ask', entitlement: entitlement.id });
  return open(facts, { durationMs: more, reason }, grant, now);
}

/** Everybody who could approve is known, and it is nobody but the requester. */
function nobodyElse({ approvers, person }: RequestFacts): boolean {
  return approvers.complete && approvers.people.every((approver) => approver.id === person.id);
}

function open(
  facts: RequestFacts,
  wish: { readonly durationMs: number; readonly reason: string },
  extended: Grant | undefined,
  now: Instant,
): Decision {
  const { person, entitlement } = facts;
  const policy = entitlement.policy;
  const others = facts.approvers.people.filter((approver) => approver.id !== person.id);
  const id = `R-${facts.ids.short}`;
  const base = {
    id,
    requester: person.id,
    entitlement: entitlement.id,
    groups: facts.groups,
    durationMs: wish.durationMs,
    reason: wish.reason,
    policyHash: policy.hash,
    ...(extended === undefined ? {} : { extendsGrant: extended.id }),
  };
  const digest = digestOf(base, facts.hash);
  const request: AccessRequest = {
    ...base,
    version: 1,
    state: 'pending',
    requesterName: person.name,
    ...(person.account === undefined ? {} : { requesterAccount: person.account }),
    ...(person.zone === undefined ? {} : { requesterZone: person.zone }),
    users: facts.users,
    resource: entitlement.resource,
    role: entitlement.role,
    title: entitlement.title,
    policyName: policy.name,
    approvalsNeeded: policy.approvals,
    digest,
    cardId: facts.ids.opaque,
    createdAt: now,
    lapsesAt: now + policy.lapseAfterMs,
    audiences: audiences(facts, others),
  };
  return {
    done: extended === undefined ? 'requested' : 'extension_requested',
    requestId: id,
    asked: others.map((approver) => approver.name),
    changes: [
      { put: 'request', row: request },
      { put: 'card', row: { id: request.cardId, requestId: id, digest, createdAt: now } },
      timer({ ring: 'lapse', requestId: id }, request.lapsesAt),
      event(extended === undefined ? 'request.made' : 'extension.requested', now, personActor(person), {
        requestId: id,
        ...(extended === undefined ? {} : { grantId: extended.id }),
        detail: {
          entitlement: entitlement.id,
          groups: facts.groups.map((group) => `${group.directory}:${group.groupId}`),
          durationMs: wish.durationMs,
          policy: policy.name,
          policyHash: policy.hash,
          approvalsNeeded: policy.approvals,
          digest,
          asked: others.map((approver) => approver.id),
        },
        personal: { reason: wish.reason },
        ...correlationOf(facts),
      }),
      ...showEverywhere(request, now),
    ],
  };
}

/** The channel, each approver's own messages, and the requester's. */
function audiences(facts: RequestFacts, others: readonly Person[]): Audience[] {
  const channel = facts.entitlement.channel ?? facts.approvalsChannel;
  const teamsChannel = facts.entitlement.teamsChannel ?? facts.teamsChannel;
  const seen = new Set<string>();
  const approvers = others.flatMap((approver) => {
    if (seen.has(approver.id)) return [];
    seen.add(approver.id);
    const accounts = approver.accounts ?? (approver.account === undefined ? [] : [approver.account]);
    return accounts.map((account) => ({ kind: 'approver' as const, person: approver.id, account }));
  });
  return [
    ...(channel === undefined ? [] : [{ kind: 'channel' as const, conversation: channel }]),
    ...(teamsChannel === undefined
      ? []
      : [{ kind: 'channel' as const, platform: 'teams' as const, conversation: teamsChannel }]),
    ...approvers,
    ...(facts.person.account === undefined ? [] : [{ kind: 'requester' as const, account: facts.person.account }]),
  ];
}

function isBaseline({ record, member }: RequestFacts['standing'][number]): boolean {
  // An unproven row of ours wins over what a read shows: that membership may be our own, still ending.
  if (record.membership?.origin === 'ours') return false;
  return member === true;
}

function durationOf(wish: DurationWish | undefined, defaultMs: number, zone: string, now: Instant): number | Refusal {
  if (wish === undefined) return defaultMs;
  if ('ms' in wish) return wish.ms;
  const until = nextTimeOfDay(wish.until, zone, now);
  return until === undefined || until <= now ? { code: 'time_past', at: until ?? now, zone } : until - now;
}

function zoneOf(facts: RequestFacts): string {
  return facts.person.zone ?? facts.timezone;
}

function policyRefusal(
  answer: PolicyAnswer,
  entitlement: Entitlement,
  askedMs: number,
  reason: string,
): Refusal | undefined {
  const policy = entitlement.policy;
  const length = [...reason].length;
  if (answer.unsatisfied.some((finding) => finding.constraint === 'eligible'))
    return { code: 'not_eligible', entitlement: entitlement.id, wanted: policy.requesters.map(subjectName) };
  const broken = answer.broken[0];
  if (broken !== undefined) return { code: 'cannot_check', what: 'whether you may ask for this', error: broken.why };
  if (length > REASON_MAX) return { code: 'reason_too_long', maxLength: REASON_MAX, length };
  for (const finding of answer.unsatisfied) {
    if (finding.constraint === 'duration')
      return { code: 'duration_over_maximum', askedMs, maxMs: policy.duration.maxMs };
    if (length === 0) return { code: 'reason_missing', minLength: policy.reason.minLength };
    return { code: 'reason_too_short', minLength: policy.reason.minLength, length };
  }
  return undefined;
}

function correlationOf(facts: RequestFacts): { readonly correlation?: string } {
  return facts.correlation === undefined ? {} : { correlation: facts.correlation };
}
