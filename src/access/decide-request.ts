/** Asking: a new access request, or more time on a live grant. Both wait for the same approvals under the same policy. */
import { capRefusal, rateRefusal, type Span } from './caps.ts';
import type { DurationWish, Refusal } from './command.ts';
import { approvesItself, type Circumstances, type Condition, conditionRefusal } from './condition.ts';
import { newAudiences } from './decide-ask.ts';
import { giveGrant, holderOf, prolongGrant } from './decide-grant.ts';
import { incidentFor } from './decide-incident.ts';
import { askingDigest, type Proven, type ProvingFact, prove } from './decide-proof.ts';
import {
  type Decision,
  event,
  eventRow,
  type Outcome,
  personActor,
  type Refused,
  refused,
  showEverywhere,
  timer,
} from './decision.ts';
import { digestOf } from './digest.ts';
import { frozenRefusal, restsOn } from './freeze.ts';
import { endsAt } from './lifecycle.ts';
import type {
  AccessRequest,
  Asking,
  Audience,
  Change,
  Entitlement,
  Freezes,
  Grant,
  Instant,
  Json,
  Person,
  PinnedGroup,
  PinnedUser,
} from './model.ts';
import { evaluate, type PolicyAnswer, type SubjectAnswer, subjectName } from './policy.ts';
import type { GrantRecord, Incident, MembershipRecord } from './ports.ts';
import { nextAskAt, stagesOf, startStage } from './stages.ts';
import { ticketIn, ticketUrl } from './ticket.ts';
import { askedFor, askingAs, frozenAmong, isOwn } from './workload.ts';
import { nextTimeOfDay } from './zone.ts';

export interface Approvers {
  readonly people: readonly Person[];
  /** Every approver there can be is in `people`: none of the subjects is open-ended or could not be looked up. */
  readonly complete: boolean;
  /** Steps of the ladder that had to be taken at once, since there was nobody else to ask. */
  readonly steps?: number;
  /** Subjects that could not be looked up, by their names in the file. */
  readonly failed?: readonly string[];
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
  /** For more time on a grant: the grant, with the request it came from. */
  readonly extended?: GrantRecord;
  /** Open incidents of the resource, for a policy under which access ends with them; none when nobody could tell. */
  readonly openIncidents?: readonly Incident[];
  readonly circumstances: Circumstances;
  readonly freezes: Freezes;
  /** How many requests the person has made within `REQUESTS_WITHIN_MS`. */
  readonly requestsLately: number;
  readonly timezone: string;
  readonly approvalsChannel?: string;
  /** The same in Teams. */
  readonly teamsChannel?: string;
  readonly proving?: ProvingFact;
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
  return decided({ ...command, known: true }, facts, now);
}

/**
 * What sending it would lead to; nothing of it is meant to be committed. Without a reason, what rests on one is left
 * out: it has not been written yet.
 */
export function previewRequest(
  wish: { readonly duration?: DurationWish; readonly reason?: string },
  facts: RequestFacts,
  now: Instant,
): Outcome {
  const known = wish.reason !== undefined;
  return decided({ ...wish, reason: wish.reason ?? '', known }, { ...facts, proving: 'later' }, now);
}

function decided(command: RequestCommand & { readonly known: boolean }, facts: RequestFacts, now: Instant): Outcome {
  const { person, entitlement } = facts;
  const policy = entitlement.policy;
  const asked = durationOf(command.duration, policy.duration.defaultMs, zoneOf(facts), now);
  if (typeof asked !== 'number') return refused(asked);
  const answer = evaluate(policy, {
    ask: 'request',
    subjects: facts.subjects,
    durationMs: asked,
    reasonLength: command.known ? [...command.reason].length : policy.reason.minLength,
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
  const frozen = frozenNow(facts);
  if (frozen !== undefined) return refused(frozen);
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
  const wish = { durationMs: asked, reason: command.reason, known: command.known };
  return judged(facts, wish, { from: now, to: now + asked }, undefined, now);
}

export interface ExtendFacts extends RequestFacts {
  readonly extended: GrantRecord;
}

export function decideExtend(
  command: { readonly duration?: DurationWish; readonly reason?: string },
  facts: ExtendFacts,
  now: Instant,
): Outcome {
  const { entitlement, person } = facts;
  const { grant, request: original } = facts.extended;
  const policy = entitlement.policy;
  if (grant.holder !== person.id || !isOwn(original, person)) return refused({ code: 'not_yours', id: grant.id });
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
  const reason = command.reason === undefined || command.reason === '' ? original.reason : command.reason;
  const answer = evaluate(policy, {
    ask: 'request',
    subjects: facts.subjects,
    durationMs: more,
    reasonLength: [...reason].length,
  });
  const no = policyRefusal(answer, entitlement, more, reason);
  if (no !== undefined) return refused(no);
  const frozen = frozenNow(facts);
  if (frozen !== undefined) return refused(frozen);
  const pending = facts.pending[0]?.id ?? grant.extending?.requestId;
  if (pending !== undefined) return refused({ code: 'already_pending', requestId: pending });
  const span = { from: grant.startsAt, to: from + more, extends: grant };
  return judged(facts, { durationMs: more, reason, known: true }, span, facts.extended, now);
}

interface Wish {
  readonly durationMs: number;
  readonly reason: string;
  /** Only a preview has none yet. */
  readonly known: boolean;
  readonly ticket?: string;
}

/** What is the same for new access and for more time: limits, the ticket, conditions, and whether people are asked. */
function judged(
  facts: RequestFacts,
  asked: Wish,
  span: Span,
  extended: GrantRecord | undefined,
  now: Instant,
): Outcome {
  const { reason } = facts.entitlement.policy;
  const ticket = ticketIn(asked.reason, reason.pattern);
  if (reason.pattern !== undefined && ticket === undefined && asked.known)
    return refused({ code: 'ticket_missing', pattern: reason.pattern });
  const wish = { ...asked, ...(ticket === undefined ? {} : { ticket }) };
  const over = rateRefusal(facts.requestsLately) ?? capRefusal(facts, span);
  if (over !== undefined) return refused(over);
  const judgeable = (condition: Condition | undefined) =>
    wish.known || condition?.reads.every((path) => path !== 'reason' && path !== 'ticket');
  const { when, autoApprove } = facts.entitlement.policy;
  const no = judgeable(when) ? conditionRefusal(when, facts, wish, now) : undefined;
  if (no !== undefined)
    return refused(
      no,
      no.code === 'condition_not_met'
        ? eventRow('request.refused', now, personActor(facts.person), {
            detail: {
              entitlement: facts.entitlement.id,
              code: no.code,
              condition: no.expression,
              policyHash: facts.entitlement.policy.hash,
            },
            personal: { reason: wish.reason },
            ...correlationOf(facts),
          })
        : undefined,
    );
  const condition = judgeable(autoApprove) ? approvesItself(facts, wish, now) : undefined;
  if (condition === undefined && nobodyElse(facts))
    return refused({ code: 'nobody_to_ask', entitlement: facts.entitlement.id });
  const proven = provenAsking(facts, extended === undefined ? 'request' : 'extend', extended?.grant, now);
  if ('refusal' in proven) return proven;
  const outcome =
    condition === undefined
      ? open(facts, wish, extended?.grant, now)
      : approvedAtOnce(facts, wish, condition, extended, now);
  return 'refusal' in outcome ? outcome : { ...outcome, changes: [...proven.changes, ...outcome.changes] };
}

export function provenAsking(
  facts: RequestFacts,
  purpose: 'request' | 'extend' | 'break_glass',
  extended: Grant | undefined,
  now: Instant,
): Proven | Refused {
  const { person, entitlement, groups, hash } = facts;
  const asked = { purpose, person, entitlement, groups, ...(extended === undefined ? {} : { extends: extended.id }) };
  const digest = askingDigest(asked, hash);
  return prove({ purpose, person, entitlement, digest, ...correlationOf(facts) }, facts.proving, now);
}

function frozenNow({ freezes, person, entitlement, extended }: RequestFacts): Refusal | undefined {
  const asked = extended?.request ?? askingAs(person);
  const freeze = frozenAmong(freezes, { ...asked, resource: entitlement.resource });
  return freeze === undefined ? undefined : frozenRefusal(freeze);
}

/** Everybody who could approve is known, and it is nobody but the requester. */
function nobodyElse({ approvers, person }: RequestFacts): boolean {
  return approvers.complete && approvers.people.every((approver) => askedFor(askingAs(person), approver.id));
}

/** Waits for the approvals that its policy wants. */
function open(facts: RequestFacts, wish: Wish, extended: Grant | undefined, now: Instant): Decision {
  const others = facts.approvers.people.filter((approver) => !askedFor(askingAs(facts.person), approver.id));
  const asking: Asking = {
    ...startStage(stagesOf(facts.entitlement.policy), 0, now),
    steps: facts.approvers.steps ?? 0,
    now: others.map((approver) => ({ person: approver.id, name: approver.name })),
    failed: facts.approvers.failed ?? [],
  };
  const request = { ...requestOf(facts, wish, extended, audiences(facts, others), now), asking };
  const askAt = nextAskAt(request, asking, facts.entitlement.policy.remindEveryMs, now);
  return {
    done: extended === undefined ? 'requested' : 'extension_requested',
    requestId: request.id,
    asked: others.map((approver) => approver.name),
    changes: [
      { put: 'request', row: request },
      ...made(facts, request, extended, others, now),
      timer({ ring: 'lapse', requestId: request.id }, request.lapsesAt),
      ...(askAt === undefined ? [] : [timer({ ring: 'ask', requestId: request.id }, askAt)]),
      ...showEverywhere(request, now),
    ],
  };
}

/** No person has to approve it: the policy does, and the trail says by which condition. */
function approvedAtOnce(
  facts: RequestFacts,
  wish: Wish,
  condition: Condition,
  extended: GrantRecord | undefined,
  now: Instant,
): Outcome {
  // Those who would be asked have nothing to do; the channel still sees it.
  const request = {
    ...requestOf(facts, wish, extended?.grant, audiences(facts, []), now),
    automatic: condition.expression,
  };
  const approved = {
    request,
    unstored: true as const,
    entitlement: facts.entitlement,
    durationMs: request.durationMs,
    memberships: facts.standing.map(({ record }) => record),
    ...holderOf(facts.circumstances),
    ...(extended === undefined ? {} : { extended }),
    by: { kind: 'hallpass' as const, part: 'policy' },
    because: made(facts, request, extended?.grant, [], now),
    detail: { automatic: true, condition: condition.expression },
    ...correlationOf(facts),
  };
  return extended === undefined ? giveGrant(approved, now) : prolongGrant(approved, now);
}

export function requestOf(
  facts: RequestFacts,
  wish: Wish,
  extended: Grant | undefined,
  shownTo: readonly Audience[],
  now: Instant,
): AccessRequest {
  const { person, entitlement } = facts;
  // More time is asked for whoever the first time was.
  const workload = facts.extended?.request.workload ?? person.workload;
  const policy = entitlement.policy;
  const url = wish.ticket === undefined ? undefined : ticketUrl(wish.ticket, policy.reason.link);
  const incident = incidentFor(policy, facts.openIncidents ?? [], wish.reason);
  const base = {
    id: `R-${facts.ids.short}`,
    requester: person.id,
    entitlement: entitlement.id,
    groups: facts.groups,
    durationMs: wish.durationMs,
    reason: wish.reason,
    policyHash: policy.hash,
    ...(extended === undefined ? {} : { extendsGrant: extended.id }),
  };
  return {
    ...base,
    version: 1,
    state: 'pending',
    requesterName: person.name,
    ...(person.account === undefined ? {} : { requesterAccount: person.account }),
    ...(person.zone === undefined ? {} : { requesterZone: person.zone }),
    ...(workload === undefined ? {} : { workload }),
    users: facts.users,
    resource: entitlement.resource,
    role: entitlement.role,
    title: entitlement.title,
    policyName: policy.name,
    approvalsNeeded: policy.approvals,
    ...(wish.ticket === undefined ? {} : { ticket: wish.ticket }),
    ...(url === undefined ? {} : { ticketUrl: url }),
    // More time on a grant is time on the same incident.
    ...(incident === undefined || extended !== undefined ? {} : { incident }),
    digest: digestOf(base, facts.hash),
    cardId: facts.ids.opaque,
    createdAt: now,
    lapsesAt: now + policy.lapseAfterMs,
    audiences: shownTo,
  };
}

/** That it was asked for, whatever became of it at once. */
export function made(
  facts: RequestFacts,
  request: AccessRequest,
  extended: Grant | undefined,
  asked: readonly Person[],
  now: Instant,
): Change[] {
  const { person, entitlement } = facts;
  return [
    restsOn(facts.freezes),
    { put: 'card', row: { id: request.cardId, requestId: request.id, digest: request.digest, createdAt: now } },
    event(extended === undefined ? 'request.made' : 'extension.requested', now, personActor(person), {
      requestId: request.id,
      ...(extended === undefined ? {} : { grantId: extended.id }),
      detail: {
        entitlement: entitlement.id,
        groups: facts.groups.map((group) => `${group.directory}:${group.groupId}`),
        durationMs: request.durationMs,
        policy: entitlement.policy.name,
        policyHash: entitlement.policy.hash,
        approvalsNeeded: request.approvalsNeeded,
        digest: request.digest,
        ...(request.incident === undefined ? {} : { incident: request.incident.id }),
        ...pipelineOf(request),
        asked: asked.map((approver) => approver.id),
      },
      personal: { reason: request.reason },
      ...correlationOf(facts),
    }),
  ];
}

/** Names of people stay out: the detail is hashed as it stands. */
function pipelineOf({ workload }: AccessRequest): { readonly workload?: Json } {
  if (workload === undefined) return {};
  const { name, run, onBehalfOf } = workload;
  return { workload: { name, run, ...(onBehalfOf === undefined ? {} : { onBehalfOf: onBehalfOf.person }) } };
}

/** The channel, each approver's own messages, and the requester's. */
export function audiences(facts: RequestFacts, others: readonly Person[]): Audience[] {
  const channel = facts.entitlement.channel ?? facts.approvalsChannel;
  const teamsChannel = facts.entitlement.teamsChannel ?? facts.teamsChannel;
  return [
    ...(channel === undefined ? [] : [{ kind: 'channel' as const, conversation: channel }]),
    ...(teamsChannel === undefined
      ? []
      : [{ kind: 'channel' as const, platform: 'teams' as const, conversation: teamsChannel }]),
    ...newAudiences([], others),
    ...(facts.person.account === undefined ? [] : [{ kind: 'requester' as const, account: facts.person.account }]),
  ];
}

export function isBaseline({ record, member }: RequestFacts['standing'][number]): boolean {
  // An unproven row of ours wins over what a read shows: that membership may be our own, still ending.
  if (record.membership?.origin === 'ours') return false;
  return member === true;
}

/** How long it would be; the policy's default where the wish cannot be met. */
export function wishedMs(wish: DurationWish | undefined, facts: RequestFacts, now: Instant): number {
  const { defaultMs } = facts.entitlement.policy.duration;
  const asked = durationOf(wish, defaultMs, zoneOf(facts), now);
  return typeof asked === 'number' ? asked : defaultMs;
}

export function durationOf(
  wish: DurationWish | undefined,
  defaultMs: number,
  zone: string,
  now: Instant,
): number | Refusal {
  if (wish === undefined) return defaultMs;
  if ('ms' in wish) return wish.ms;
  const until = nextTimeOfDay(wish.until, zone, now);
  return until === undefined || until <= now ? { code: 'time_past', at: until ?? now, zone } : until - now;
}

export function zoneOf(facts: RequestFacts): string {
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
