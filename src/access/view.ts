/**
 * What people are shown: plain data made for an ideal reader, drawn by each platform in its own way. Every text is raw;
 * whoever renders it escapes it. A view says which of requested, approved, added, seen, removed and checked holds, and
 * never more.
 */

import { stillConfirming } from './decide-proof.ts';
import type { DigestView } from './digest-view.ts';
import type { FindingAudience, FindingView } from './finding-view.ts';
import { isLive } from './ledger.ts';
import { endsAt, heldByAnother } from './lifecycle.ts';
import type {
  AccessRequest,
  AccountRef,
  Audience,
  EndReason,
  EntitlementId,
  Grant,
  GrantId,
  GrantState,
  Instant,
  Notice,
  RequestId,
  RequestState,
  Subject,
} from './model.ts';
import { subjectWords } from './policy.ts';
import type { GrantRecord, MembershipRecord, RequestRecord } from './ports.ts';
import type { ReportView } from './report.ts';
import type { ReviewView } from './review-view.ts';
import { approvedMs, countedApprovals, nextStep } from './stages.ts';
import { cut, durationText, listed, timeText } from './words.ts';

/**
 * How one membership stands for one grant.
 * `adding`: sent or about to be; `maybe_added`: the answer was lost; `added`: accepted; `seen`: read back;
 * `already_there`: a baseline, not ours to remove; `refused`: the directory said no; `not_added`: given up;
 * `removing`: due; `removed`: accepted, not checked yet; `checked`: read back and gone; `still_held`: another live
 * grant needs it. `group_gone`, `user_gone`, `directory_gone`, `adopted`: closed on a person's word.
 */
export type Standing =
  | 'adding'
  | 'maybe_added'
  | 'added'
  | 'seen'
  | 'already_there'
  | 'refused'
  | 'not_added'
  | 'removing'
  | 'removed'
  | 'checked'
  | 'still_held'
  | 'group_gone'
  | 'user_gone'
  | 'directory_gone'
  | 'adopted';

export interface MembershipView {
  readonly directory: string;
  readonly group: string;
  readonly standing: Standing;
  /** When that became so, where it is known. */
  readonly at?: Instant;
  /** Failures in a row of what is owed now. */
  readonly failures: number;
  readonly error?: string;
}

export interface GrantView {
  readonly id: GrantId;
  readonly state: GrantState;
  readonly startsAt?: Instant;
  readonly expiresAt?: Instant;
  readonly addBy: Instant;
  readonly hardEndAt: Instant;
  readonly endReason?: EndReason;
  readonly endedBy?: string;
  readonly endNote?: string;
  readonly endingAt?: Instant;
  readonly endedAt?: Instant;
  /** Sessions already open may last until then; absent when nothing is known of a tail. */
  readonly sessionsUntil?: Instant;
  /** Directories in which the holder's sessions were ended with a revocation. */
  readonly signedOut?: readonly { readonly directory: string; readonly at: Instant }[];
  readonly memberships: readonly MembershipView[];
  /** The end is what it is because this incident was closed. */
  readonly incidentClosed?: string;
  readonly pendingExtension?: { readonly requestId: RequestId; readonly until: Instant };
  /** More time that is approved: the end moves as soon as the directory has moved its own. */
  readonly extending?: { readonly requestId: RequestId; readonly until: Instant };
}

/** `by` are approvers as people say them: `dba-leads`, `on-call dba`. */
export interface StageView {
  readonly by: readonly string[];
  readonly needed: number;
  /** Names of those who have approved in it. */
  readonly given: readonly string[];
}

export interface WaitingView {
  /** From 1. */
  readonly stage: number;
  readonly by: readonly string[];
  /** Names of the people found to be asked; others of `by` may answer too. */
  readonly asked: readonly string[];
  /** Whom it goes to if nobody answers. */
  readonly next?: { readonly to: readonly string[]; readonly at: Instant };
  /** Those of `by` that could not be looked up, as the file names them. */
  readonly failed: readonly string[];
}

export interface RequestView {
  readonly id: RequestId;
  readonly state: RequestState;
  readonly requesterName: string;
  readonly requesterAccount?: AccountRef;
  /** The pipeline that asked, and where its run can be looked at; `requesterName` says for whom. */
  readonly pipeline?: { readonly text: string; readonly url?: string };
  readonly entitlement: EntitlementId;
  readonly resource: string;
  readonly role: string;
  readonly title: string;
  readonly groups: readonly { readonly directory: string; readonly group: string }[];
  readonly durationMs: number;
  readonly reason: string;
  /** The ticket that the reason names. */
  readonly ticket?: { readonly key: string; readonly url?: string };
  /** Where one can read about the resource. */
  readonly link?: string;
  readonly policyName: string;
  readonly approvalsNeeded: number;
  /** `durationMs`: approved for less than was asked. */
  readonly approvals: readonly { readonly name: string; readonly at: Instant; readonly durationMs?: number }[];
  /** What is granted where somebody approved less than was asked: the shortest of the approvals. */
  readonly approvedMs?: number;
  /** Shorter times to offer to whoever approves, longest first; absent when there is nothing to answer. */
  readonly shorter?: readonly number[];
  /** The condition that approved it; absent when people do. */
  readonly automatic?: string;
  /** Taken without approval. */
  readonly breakGlass?: true;
  /** The access ends with this incident. */
  readonly incident?: { readonly id: string; readonly title: string; readonly url?: string };
  /** Stage by stage; absent where there is only one. */
  readonly stages?: readonly StageView[];
  /** While it is pending: who is asked now, and who would be asked next. */
  readonly waiting?: WaitingView;
  /** Names of those who have pressed the button and have yet to confirm it with MFA. */
  readonly confirming?: readonly string[];
  readonly denial?: { readonly name: string; readonly at: Instant; readonly reason?: string };
  readonly createdAt: Instant;
  readonly lapsesAt: Instant;
  readonly decidedAt?: Instant;
  readonly closedBy?: string;
  readonly closedNote?: string;
  /** Set when this asks for more time on a live grant. */
  readonly extension?: {
    readonly grantId: GrantId;
    readonly from: Instant;
    readonly until: Instant;
    /** Approved, and the directory has yet to move its own end; `never`: it had not when the grant was over. */
    readonly moves?: 'soon' | 'never';
  };
  readonly grant?: GrantView;
  /** What the buttons carry. */
  readonly cardId: string;
  /** One plain sentence with times and zone: what holds now and what happens next. */
  readonly headline: string;
  readonly severity: 'waiting' | 'good' | 'over' | 'warning';
  /** IANA zone that the times in `headline` are in. */
  readonly zone: string;
  readonly at: Instant;
  readonly can: {
    readonly answer: boolean;
    readonly cancel: boolean;
    readonly extend: boolean;
    readonly return: boolean;
  };
}

export type MessageView =
  | {
      readonly kind: 'request';
      readonly audience: Audience['kind'];
      readonly request: RequestView;
      readonly mention?: readonly AccountRef[];
      /** Of those who are asked, whoever could not be written to in person. */
      readonly unreached?: readonly AccountRef[];
    }
  | { readonly kind: 'notice'; readonly notice: Notice; readonly title: string; readonly lines: readonly string[] }
  | {
      readonly kind: 'digest';
      readonly digest: DigestView;
      /** Where every line of it is. */
      readonly note?: string;
      /** `id` is what the button carries; `signed` stands in its place. */
      readonly signing?: {
        readonly id: string;
        readonly day: string;
        readonly signed?: { readonly by: string; readonly at: Instant; readonly note?: string };
      };
    }
  | { readonly kind: 'revocation'; readonly report: ReportView }
  | { readonly kind: 'review'; readonly review: ReviewView }
  | { readonly kind: 'finding'; readonly audience: FindingAudience; readonly finding: FindingView }
  /** Below the request's own message, which has the buttons. */
  | { readonly kind: 'reminder'; readonly text: string; readonly mention: readonly AccountRef[] };

// ------------------------------------------------------------------------------------------------------- building

export interface Seen {
  readonly record: RequestRecord;
  /** The grant's memberships, when there is a grant. */
  readonly grant?: GrantRecord;
  /** For a request for more time: the grant it is about. */
  readonly extended?: Grant;
  /** Of the resource, as the file has it now. */
  readonly link?: string;
}

export function viewOf(seen: Seen, now: Instant, zone: string): RequestView {
  const { request, approvals } = seen.record;
  const grantedMs = approvedMs(request, countedApprovals(request, approvals));
  const denial = approvals.find((answer) => answer.answer === 'denied');
  const grant = seen.grant === undefined ? undefined : grantView(seen.grant);
  const from = seen.extended === undefined ? undefined : endsAt(seen.extended);
  const moving = seen.extended?.extending?.requestId === request.id ? seen.extended : undefined;
  const extension =
    request.extendsGrant === undefined || from === undefined
      ? undefined
      : {
          grantId: request.extendsGrant,
          from,
          // Once approved, the end has moved already, unless a directory has to move its own first.
          until: request.state === 'approved' ? (moving?.extending?.toAt ?? from) : from + grantedMs,
          ...(moving === undefined ? {} : { moves: isLive(moving) ? ('soon' as const) : ('never' as const) }),
        };
  const pending = request.state === 'pending';
  const active = seen.grant?.grant.state === 'active' && now < endsAt(seen.grant.grant);
  const more = seen.grant?.extension ?? seen.grant?.grant.extending;
  const view: Omit<RequestView, 'headline' | 'severity'> = {
    id: request.id,
    state: request.state,
    ...requesterView(request),
    ...(request.requesterAccount === undefined ? {} : { requesterAccount: request.requesterAccount }),
    entitlement: request.entitlement,
    resource: request.resource,
    role: request.role,
    title: request.title,
    groups: request.groups.map((group) => ({ directory: group.directory, group: group.groupName })),
    durationMs: request.durationMs,
    reason: request.reason,
    ...(request.ticket === undefined
      ? {}
      : { ticket: { key: request.ticket, ...(request.ticketUrl === undefined ? {} : { url: request.ticketUrl }) } }),
    ...(seen.link === undefined ? {} : { link: seen.link }),
    policyName: request.policyName,
    approvalsNeeded: request.approvalsNeeded,
    approvals: approvals
      .filter((answer) => answer.answer === 'approved' && answer.digest === request.digest)
      .map((answer) => ({
        name: answer.approverName,
        at: answer.at,
        ...(answer.durationMs === undefined ? {} : { durationMs: answer.durationMs }),
      })),
    ...(grantedMs === request.durationMs ? {} : { approvedMs: grantedMs }),
    ...(pending ? { shorter: shorterThan(grantedMs) } : {}),
    ...(request.automatic === undefined ? {} : { automatic: request.automatic }),
    ...(request.breakGlass === undefined ? {} : { breakGlass: true as const }),
    ...(request.incident === undefined ? {} : { incident: request.incident }),
    ...stagesView(seen.record),
    ...confirmingView(seen.record, now),
    ...(denial === undefined
      ? {}
      : {
          denial: {
            name: denial.approverName,
            at: denial.at,
            ...(denial.reason === undefined ? {} : { reason: denial.reason }),
          },
        }),
    createdAt: request.createdAt,
    lapsesAt: request.lapsesAt,
    ...(request.decidedAt === undefined ? {} : { decidedAt: request.decidedAt }),
    ...(request.closedBy === undefined ? {} : { closedBy: request.closedBy }),
    ...(request.closedNote === undefined ? {} : { closedNote: request.closedNote }),
    ...(extension === undefined ? {} : { extension }),
    ...(grant === undefined ? {} : { grant }),
    cardId: request.cardId,
    zone,
    at: now,
    can: {
      answer: pending,
      cancel: pending,
      extend: active && more === undefined && leftToExtend(seen.grant?.grant) > 0,
      return: seen.grant !== undefined && isLive(seen.grant.grant),
    },
  };
  const said = headline(view);
  return view.breakGlass === true
    ? {
        ...view,
        ...said,
        headline: `Break-glass, without approval. ${said.headline.replace(/^Approved(?:\.|,) */, '')}`,
      }
    : { ...view, ...said };
}

function requesterView({ requesterName, workload }: AccessRequest): Pick<RequestView, 'requesterName' | 'pipeline'> {
  if (workload === undefined) return { requesterName };
  const { name, runName, runUrl, onBehalfOf } = workload;
  return {
    requesterName: onBehalfOf === undefined ? requesterName : `${requesterName} for ${onBehalfOf.name}`,
    pipeline: { text: `${name} · ${runName}`, ...(runUrl === undefined ? {} : { url: runUrl }) },
  };
}

function stagesView(record: RequestRecord): Pick<RequestView, 'stages' | 'waiting'> {
  const { request } = record;
  const { asking } = request;
  if (asking === undefined) return {};
  const counted = countedApprovals(request, record.approvals);
  const names = (subjects: readonly Subject[]) => subjects.map(subjectWords);
  const next = nextStep(asking);
  const reached = asking.stages[asking.stage]?.escalate.slice(0, asking.steps).flatMap((step) => step.to) ?? [];
  return {
    ...(asking.stages.length < 2
      ? {}
      : {
          stages: asking.stages.map((stage, index) => ({
            by: names(stage.approvers),
            needed: stage.approvals,
            given: counted.filter((one) => (one.stage ?? 0) === index).map((one) => one.approverName),
          })),
        }),
    ...(request.state !== 'pending'
      ? {}
      : {
          waiting: {
            stage: asking.stage + 1,
            by: [...new Set(names([...(asking.stages[asking.stage]?.approvers ?? []), ...reached]))],
            asked: asking.now.map(({ name }) => name),
            ...(next === undefined || next.at >= request.lapsesAt ? {} : { next: { to: names(next.to), at: next.at } }),
            failed: asking.failed,
          },
        }),
  };
}

function confirmingView({ request }: RequestRecord, now: Instant): Pick<RequestView, 'confirming'> {
  const names = request.state === 'pending' ? stillConfirming(request, now).map(({ name }) => name) : [];
  return names.length === 0 ? {} : { confirming: names };
}

const MINUTE_MS = 60_000;
/** Lengths people think in. */
const LENGTHS_MS = [5, 10, 15, 30, 60, 120, 240, 480, 720, 1_440, 2_880, 4_320, 10_080].map((min) => min * MINUTE_MS);
const SHORTER_MAX = 4;

function shorterThan(ms: number): readonly number[] {
  return LENGTHS_MS.filter((length) => length < ms)
    .slice(-SHORTER_MAX)
    .reverse();
}

function leftToExtend(grant: Grant | undefined): number {
  return grant?.startsAt === undefined ? 0 : grant.startsAt + grant.maxMs - endsAt(grant);
}

function grantView(record: GrantRecord): GrantView {
  const { grant, extension } = record;
  const memberships = record.memberships.map((membership, index) => membershipView(record, membership, index));
  const goneAt = Math.max(grant.endingAt ?? 0, ...memberships.map((membership) => membership.at ?? 0));
  return {
    id: grant.id,
    state: grant.state,
    ...(grant.startsAt === undefined ? {} : { startsAt: grant.startsAt }),
    ...(grant.expiresAt === undefined ? {} : { expiresAt: grant.expiresAt }),
    addBy: grant.addBy,
    hardEndAt: grant.hardEndAt,
    ...(grant.endReason === undefined ? {} : { endReason: grant.endReason }),
    ...(grant.endedBy === undefined ? {} : { endedBy: grant.endedBy }),
    ...(grant.endNote === undefined ? {} : { endNote: grant.endNote }),
    ...(grant.endingAt === undefined ? {} : { endingAt: grant.endingAt }),
    ...(grant.endedAt === undefined ? {} : { endedAt: grant.endedAt }),
    ...(grant.sessionTailMs > 0 && grant.endingAt !== undefined && grant.startsAt !== undefined
      ? { sessionsUntil: goneAt + grant.sessionTailMs }
      : {}),
    ...(grant.signedOut === undefined ? {} : { signedOut: grant.signedOut }),
    memberships,
    // An end that people have moved since is theirs.
    ...(grant.incident?.endsAt === undefined || endsAt(grant) > grant.incident.endsAt
      ? {}
      : { incidentClosed: grant.incident.id }),
    ...(extension === undefined
      ? {}
      : { pendingExtension: { requestId: extension.id, until: endsAt(grant) + extension.durationMs } }),
    ...(grant.extending === undefined || !isLive(grant)
      ? {}
      : { extending: { requestId: grant.extending.requestId, until: grant.extending.toAt } }),
  };
}

function membershipView(record: GrantRecord, held: MembershipRecord, index: number): MembershipView {
  const row = held.membership;
  const named = record.request.groups[index];
  const base = {
    directory: held.key.directory,
    group: row?.groupName ?? named?.groupName ?? held.key.groupId,
    failures: row?.failures ?? 0,
    ...(row?.lastError === undefined ? {} : { error: row.lastError }),
  };
  const is = (standing: Standing, at?: Instant): MembershipView => ({
    ...base,
    standing,
    ...(at === undefined ? {} : { at }),
  });
  const { grant } = record;
  if (row === undefined) return is('adding');
  const { ruling, ruledAt = 0 } = row;
  if (ruling !== undefined && ruling !== 'unknown_member' && ruling !== 'from_log' && ruledAt >= grant.approvedAt)
    return is(ruling, ruledAt);
  if (row.origin === 'baseline')
    return grant.state === 'adding' && row.seen === undefined ? is('adding') : is('already_there', row.seenAt);
  if (isLive(grant)) {
    if (row.origin === 'none') {
      if (row.addOutcome === 'refused') return is('refused');
      return grant.state === 'active' ? is('not_added') : is('adding');
    }
    // Being removed for an earlier grant: it is added again, unless the time for that is over.
    if (row.removeStartedAt !== undefined) return is(grant.state === 'active' ? 'not_added' : 'adding');
    if (row.addOutcome === undefined) return is('adding');
    if (row.addOutcome === 'unknown') return is('maybe_added', row.addStartedAt);
    return row.seen === 'present' ? is('seen', row.seenAt) : is('added', row.addStartedAt);
  }
  if (row.origin === 'none') {
    // A proof from before this grant is not this grant's removal.
    if (row.provenAbsentAt === undefined || row.provenAbsentAt < grant.approvedAt)
      return is(row.addOutcome === 'refused' ? 'refused' : 'not_added');
    return is('checked', row.removeAcceptedAt ?? row.provenAbsentAt);
  }
  if (heldByAnother(grant, held)) return is('still_held');
  return row.removeOutcome === 'accepted' ? is('removed', row.removeAcceptedAt) : is('removing');
}

/** One sentence or two: what holds, and what happens next. */
function headline(view: Omit<RequestView, 'headline' | 'severity'>): Pick<RequestView, 'headline' | 'severity'> {
  const time = (at: Instant) => timeText(at, view.at, view.zone);
  switch (view.state) {
    case 'pending': {
      const parts = [
        ...waitingFor(view),
        ...confirmingWords(view),
        ...goesFurther(view, time),
        `Lapses ${time(view.lapsesAt)}.`,
      ];
      return { severity: 'waiting', headline: parts.join(' ') };
    }
    case 'denied': {
      const name = view.denial?.name ?? view.closedBy;
      const by = name === undefined ? '' : ` by ${name}`;
      return { severity: 'over', headline: `Denied${by} ${time(view.decidedAt ?? view.at)}. Nothing was added.` };
    }
    case 'cancelled':
      return { severity: 'over', headline: `Cancelled ${time(view.decidedAt ?? view.at)}. Nothing was added.` };
    case 'lapsed':
      return {
        severity: 'over',
        // It could not be approved after that, whenever somebody came to write it down.
        headline: `Lapsed ${time(Math.min(view.decidedAt ?? view.at, view.lapsesAt))}: nobody approved it in time. Ask again if you still need it.`,
      };
    case 'withdrawn': {
      const note = view.closedNote === undefined ? '' : `: ${view.closedNote}`;
      return { severity: 'over', headline: `Withdrawn ${time(view.decidedAt ?? view.at)}${note}.` };
    }
    case 'approved':
      if (view.extension !== undefined) return extensionHeadline(view.extension, time);
      return view.grant === undefined
        ? { severity: 'waiting', headline: 'Approved.' }
        : grantHeadline(view.grant, view, time);
  }
}

/** An end that a directory could still take back is not promised. */
function extensionHeadline(
  { grantId, from, until, moves }: NonNullable<RequestView['extension']>,
  time: (at: Instant) => string,
): Pick<RequestView, 'headline' | 'severity'> {
  switch (moves) {
    case 'soon':
      return {
        severity: 'waiting',
        headline: `Approved. ${grantId} ends ${time(until)} as soon as the directory has moved its own end; until then ${time(from)}.`,
      };
    case 'never':
      return {
        severity: 'warning',
        headline: `Approved, but the directory had not moved its own end when ${grantId} was over: no time was added.`,
      };
    default:
      return { severity: 'good', headline: `Approved. ${grantId} now ends ${time(until)}.` };
  }
}

type Unsaid = Omit<RequestView, 'headline' | 'severity'>;

/** What it waits for: how many, and in stages whom, and who comes after them. */
function waitingFor(view: Unsaid): readonly string[] {
  const { stages, waiting } = view;
  const given = view.approvals.length;
  const stage = waiting === undefined ? undefined : stages?.[waiting.stage - 1];
  if (stages === undefined || waiting === undefined || stage === undefined)
    return [
      'Waiting for approval.',
      ...(view.approvalsNeeded > 1 ? [`${given} of ${view.approvalsNeeded} approvals so far.`] : []),
    ];
  const count = stage.needed > 1 ? `, ${stage.given.length} of ${stage.needed} approvals so far` : '';
  const after = stages[waiting.stage];
  return [
    `Waiting for approval by ${listed(waiting.by, 'or')} (stage ${waiting.stage} of ${stages.length}${count}).`,
    ...(after === undefined ? [] : [`Then ${listed(after.by, 'or')}.`]),
  ];
}

function confirmingWords({ confirming }: Unsaid): readonly string[] {
  return confirming === undefined ? [] : [`Waiting for ${listed(confirming)} to confirm with MFA.`];
}

/** Who could not be found, and where it goes if nobody answers. */
function goesFurther({ waiting }: Unsaid, time: (at: Instant) => string): readonly string[] {
  if (waiting === undefined) return [];
  const { failed, next } = waiting;
  return [
    ...(failed.length === 0 ? [] : [`Could not look up ${listed(failed)}.`]),
    ...(next === undefined ? [] : [`Goes to ${listed(next.to)} ${time(next.at)} if nobody answers.`]),
  ];
}

function grantHeadline(
  grant: GrantView,
  view: Omit<RequestView, 'headline' | 'severity'>,
  time: (at: Instant) => string,
): Pick<RequestView, 'headline' | 'severity'> {
  const failing = grant.memberships.find((membership) => membership.failures > 0 && membership.error !== undefined);
  const names = (...standings: Standing[]) =>
    listed(grant.memberships.filter((one) => standings.includes(one.standing)).map((one) => one.group));
  switch (grant.state) {
    case 'adding': {
      const open = names('adding', 'maybe_added') || 'the group';
      if (failing !== undefined)
        return {
          severity: 'warning',
          headline: `Approved, ${names('maybe_added') === '' ? 'not added' : 'not known to be added'} yet: ${failing.directory} says "${failing.error}". Trying again until ${time(grant.addBy)}.`,
        };
      return { severity: 'waiting', headline: `Approved. Adding to ${open}.` };
    }
    case 'active': {
      const end = grant.expiresAt ?? grant.hardEndAt;
      const added = names('added', 'seen');
      const there = names('already_there');
      const maybe = names('maybe_added');
      const missing = names('refused', 'not_added');
      const seen = grant.memberships.every((one) => ['seen', 'already_there', 'adopted'].includes(one.standing));
      const ended = view.at >= end;
      const extension =
        grant.pendingExtension === undefined
          ? ''
          : ` ${grant.pendingExtension.requestId} asks for more time, until ${time(grant.pendingExtension.until)}.`;
      const moving =
        grant.extending === undefined
          ? ''
          : ` ${grant.extending.requestId} is approved: it ends ${time(grant.extending.until)} as soon as the directory has moved its own end.`;
      return {
        severity: missing === '' && maybe === '' && !ended ? 'good' : 'warning',
        headline: [
          ...(added === '' ? [] : [`Added to ${added}${seen ? ' (checked)' : ''}.`]),
          ...(there === '' ? [] : [`${there} was there before.`]),
          ...ruledParts(grant),
          ...(maybe === '' ? [] : [`Perhaps added to ${maybe}: the directory's answer was lost.`]),
          `${ended ? 'Was due to end' : 'Ends'} ${time(end)}${grant.incidentClosed === undefined ? '' : `: incident ${grant.incidentClosed} is closed`}.${missing === '' ? '' : ` Not added to ${missing}.`}${extension}${moving}`,
        ].join(' '),
      };
    }
    case 'ending': {
      const why = endingWords(grant);
      const removed = names('removed');
      const waiting = names('removing');
      if (failing !== undefined)
        return {
          severity: 'warning',
          headline: `${why} ${
            waiting === '' ? `Removed from ${removed}, not checked yet` : `Perhaps still a member of ${waiting}`
          }: ${failing.directory} says "${failing.error}". Trying again until it is gone.`,
        };
      return {
        severity: 'waiting',
        headline:
          waiting === '' && removed !== ''
            ? `${why} Removed from ${removed}; checking that it is gone.`
            : `${why} Removing from ${waiting || 'the group'}.`,
      };
    }
    case 'ended':
      return endedHeadline(grant, view, time);
  }
}

function endedHeadline(
  grant: GrantView,
  view: Omit<RequestView, 'headline' | 'severity'>,
  time: (at: Instant) => string,
): Pick<RequestView, 'headline' | 'severity'> {
  const of = (standing: Standing) => grant.memberships.filter((one) => one.standing === standing);
  const checked = of('checked');
  const held = of('still_held');
  const there = of('already_there');
  const names = (some: readonly MembershipView[]) => listed(some.map((one) => one.group));
  const parts: string[] = [];
  if (checked.length > 0) {
    const at = Math.max(...checked.map((one) => one.at ?? 0));
    parts.push(`Removed from ${names(checked)} ${time(at)}, checked.`);
  }
  if (held.length > 0) parts.push(`Another grant still needs ${names(held)}.`);
  if (there.length > 0) parts.push(`${names(there)} was there before and stays.`);
  parts.push(...ruledParts(grant));
  for (const { directory, at } of grant.signedOut ?? []) parts.push(`Signed out of ${directory} ${time(at)}.`);
  if (grant.sessionsUntil !== undefined && checked.length > 0 && grant.sessionsUntil > view.at)
    parts.push(`Sessions already open may last until ${time(grant.sessionsUntil)}.`);
  if (parts.length === 0)
    // What the ledger shows of a membership today may be a later grant's; of this one only its own record is left.
    parts.push(
      grant.startsAt === undefined || grant.endedAt === undefined
        ? 'Nothing was added.'
        : `Ended ${time(grant.endedAt)}.`,
    );
  const over = grant.endReason === 'abandoned' || grant.endReason === 'removed_outside';
  return { severity: over ? 'warning' : 'over', headline: [endingWords(grant), ...parts].join(' ') };
}

/** What a person ruled, which is never called checked. */
function ruledParts(grant: GrantView): readonly string[] {
  const names = (standing: Standing) =>
    listed(grant.memberships.filter((one) => one.standing === standing).map((one) => one.group));
  const group = names('group_gone');
  const user = names('user_gone');
  const given = names('directory_gone');
  const adopted = names('adopted');
  return [
    ...(group === '' ? [] : [`${group} no longer exists in the directory; closed by hand.`]),
    ...(user === '' ? [] : [`The account in ${user} no longer exists in the directory; closed by hand.`]),
    ...(given === '' ? [] : [`The directory of ${given} was given up; closed by hand, not checked.`]),
    ...(adopted === '' ? [] : [`${adopted} was made permanent by an admin and stays.`]),
  ];
}

function endingWords(grant: GrantView): string {
  switch (grant.endReason) {
    case 'revoked':
      return `Revoked${grant.endedBy === undefined ? '' : ` by ${grant.endedBy}`}${
        grant.endNote === undefined ? '' : ` ("${grant.endNote}")`
      }.`;
    case 'returned':
      return 'Returned.';
    case 'abandoned':
      return grant.endNote === undefined ? 'Given up: it could not be added.' : `Given up: ${grant.endNote}.`;
    case 'removed_outside':
      return 'Somebody else removed the membership in the directory.';
    default:
      return grant.incidentClosed === undefined
        ? 'The time is over.'
        : `The time is over: incident ${grant.incidentClosed} is closed.`;
  }
}

/** What is granted, in words for a sentence: `db-prod:read for 30 min`. */
export function askedFor(view: RequestView): string {
  return view.extension === undefined
    ? `${view.entitlement} for ${durationText(view.durationMs)}`
    : `${durationText(view.durationMs)} more on ${view.entitlement}`;
}

/** `asked 2 h, Ben approved for 1 h`; absent while nobody has shortened it. */
export function shortenedText(view: RequestView): string | undefined {
  if (view.approvedMs === undefined) return undefined;
  const by = view.approvals.filter(({ durationMs }) => durationMs !== undefined);
  const said = by.map(({ name, durationMs }) => `${cut(name, 80)} approved for ${durationText(durationMs ?? 0)}`);
  return `asked ${durationText(view.durationMs)}, ${listed(said)}`;
}

/** `Signed off by Sam 09:12 CET: “looked at the two late ones”.` */
export function signedText(view: Extract<MessageView, { kind: 'digest' }>, now: Instant): string | undefined {
  const signed = view.signing?.signed;
  if (signed === undefined) return undefined;
  const note = signed.note === undefined ? '' : `: “${cut(signed.note, 500)}”`;
  return `Signed off by ${cut(signed.by, 80)} ${timeText(signed.at, now, view.digest.zone)}${note}.`;
}

/** Read alone it must say what is waited for, and how long still. */
export function reminderText(view: RequestView, number: number): string {
  const lapses = timeText(view.lapsesAt, view.at, view.zone);
  const nth = number === 1 ? 'Reminder' : `Reminder ${number}`;
  return `${nth}: ${view.id} still waits for an answer. ${view.requesterName} asks for ${askedFor(view)}. It lapses ${lapses}.`;
}

const NOTICE_TITLE: Record<Notice['code'], string> = {
  removal_failing: 'A removal keeps failing',
  removal_recovered: 'A removal that was failing is done',
  drift_found: 'The directory differs from the record',
  adopted: 'Access was made permanent',
  removal_resolved: 'A removal that was failing was closed by hand',
  addition_failing: 'Additions are failing',
  addition_abandoned: 'An addition was refused',
  removed_outside: 'A membership was removed outside Hallpass',
  native_expiry_unavailable: 'A directory ends no membership by itself',
  sign_out_failing: 'The sessions of a revoked person could not be ended',
  native_expiry_failing: 'A directory cannot be told when to end a membership by itself',
  message_undeliverable: 'A message cannot be delivered',
  identity_changed: 'An identity has changed',
  account_linked: 'A chat account was linked to a person',
  config_refused: 'A changed configuration was not taken',
  delivery_failed: 'A command could not be carried out',
  frozen: 'Access is frozen',
  unfrozen: 'A freeze is lifted',
  break_glass_used: 'Break-glass was used',
};

export function noticeView(notice: Notice, zone: string): Extract<MessageView, { kind: 'notice' }> {
  const time = (at: Instant) => timeText(at, notice.at, zone);
  const who =
    notice.holderName === undefined
      ? undefined
      : `${notice.holderName}, ${notice.entitlement ?? ''} (${notice.grantId ?? ''})`;
  const group = notice.group === undefined ? undefined : `${notice.group} in ${notice.directory ?? ''}`;
  const holds: Record<Notice['code'], string> = {
    removal_failing: `Not proven gone from ${group ?? 'the group'} after ${notice.failures ?? 0} failures. Hallpass goes on trying, up to every 5 minutes, until it is proven gone.${
      notice.errorCode === 'not_found'
        ? ` If the group or the account was deleted, that never comes: say so on the host with hallpass resolve ${notice.grantId ?? '<id>'} <reason>.`
        : ''
    }`,
    removal_recovered: `Removed from ${group ?? 'the group'} and checked, after ${notice.failures ?? 0} failures.`,
    drift_found: '',
    adopted: '',
    removal_resolved: `${group ?? 'The group'}: ${notice.by ?? 'an operator'} closed it because the directory no longer has it. It was not checked. Reason: ${notice.reason ?? ''}`,
    addition_failing: `Not yet a member of ${group ?? 'the group'}. Hallpass tries until the request's time to be added is over, then gives up.`,
    addition_abandoned: `Not added to ${group ?? 'the group'}. Hallpass does not try again; ask again when it is mended.`,
    removed_outside: `No longer a member of ${group ?? 'the group'}, and Hallpass did not do it. The grant ends; a removal is sent all the same.`,
    native_expiry_unavailable: `${notice.directory ?? 'The directory'} says that its edition does not have it, although the file asks for nativeExpiry. Hallpass ends every grant on time as long as it runs; while nothing of it runs, access stays. This is said once.`,
    sign_out_failing: `After ${notice.failures ?? 0} failures, ${notice.directory ?? 'the directory'} has not ended the sessions that it gave this person. The access itself is removed and proven apart from that. Hallpass goes on trying, up to every 5 minutes.`,
    native_expiry_failing: `After ${notice.failures ?? 0} failures, ${notice.directory ?? 'the directory'} does not take when to end the membership of ${group ?? 'the group'} by itself. Hallpass goes on trying, and ends it on time as long as it runs.`,
    message_undeliverable:
      notice.requestId === undefined
        ? 'The daily digest could not be posted in its channel. See it with the command digest 7d.'
        : 'The request goes on in the other places where it is shown.',
    identity_changed: '',
    account_linked: '',
    config_refused: '',
    delivery_failed: 'The person was told. Nothing was changed.',
    frozen: '',
    unfrozen: '',
    break_glass_used: '',
  };
  return {
    kind: 'notice',
    notice,
    title: NOTICE_TITLE[notice.code],
    lines: [
      ...(who === undefined ? [] : [who]),
      ...(notice.says ?? [holds[notice.code]]),
      ...(notice.error === undefined ? [] : [`Error: ${notice.error}`]),
      `As of ${time(notice.at)}.`,
    ],
  };
}
