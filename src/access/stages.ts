/**
 * Who answers when. A policy asks in stages, one after the other; each has a ladder of people who are asked besides
 * while it waits. Which stage waits follows from the answers that count, and from nothing else.
 */
import type { AccessRequest, Approval, Asking, Instant, Policy, Stage, Subject } from './model.ts';
import { subjectName } from './policy.ts';

/** In order; at least one. */
export function stagesOf(policy: Policy): readonly Stage[] {
  return (
    policy.stages ?? [{ approvers: policy.approvers, approvals: policy.approvals, escalate: policy.escalate ?? [] }]
  );
}

/** The stages as they were shown with a request. */
export function stagesShown(request: AccessRequest, policy: Policy): readonly Stage[] {
  const [only, ...others] = stagesOf(policy);
  return (
    request.asking?.stages ??
    // Asked before there were stages: what was shown is how many approvals it takes.
    (only === undefined || others.length > 0 ? stagesOf(policy) : [{ ...only, approvals: request.approvalsNeeded }])
  );
}

/** Approvals of what is shown now. */
export function countedApprovals(request: AccessRequest, approvals: readonly Approval[]): readonly Approval[] {
  return approvals.filter((given) => given.answer === 'approved' && given.digest === request.digest);
}

/** Different people who have approved in a stage: linked accounts are one person, and a person counts in one stage. */
export function givenIn(stage: number, counted: readonly Approval[]): number {
  return new Set(counted.filter((given) => (given.stage ?? 0) === stage).map((given) => given.approver)).size;
}

/** The first stage that is not complete, from 0; `stages.length` when all are. */
export function stageNow(stages: readonly Stage[], counted: readonly Approval[]): number {
  const open = stages.findIndex((stage, index) => givenIn(index, counted) < stage.approvals);
  return open < 0 ? stages.length : open;
}

/** What is granted: the shortest that anybody approved, and never more than was asked. It voids no other approval. */
export function approvedMs(request: Pick<AccessRequest, 'durationMs'>, counted: readonly Approval[]): number {
  return Math.min(request.durationMs, ...counted.map((given) => given.durationMs ?? request.durationMs));
}

/** What is needed of a record here. */
interface Answered {
  readonly request: AccessRequest;
  readonly approvals: readonly Approval[];
}

/** The stage of the present policy that waits, and how far its ladder has come. */
function waiting(policy: Policy, { request, approvals }: Answered) {
  const stages = stagesOf(policy);
  const counted = countedApprovals(request, approvals);
  const index = Math.min(stageNow(stagesShown(request, policy), counted), stages.length - 1);
  const reached = request.asking?.stage === index ? request.asking.steps : 0;
  return { stages, index, reached };
}

/** Who may approve now: the approvers of the stage that waits, and of its ladder those whose step is reached. */
export function answerersOf(policy: Policy, record: Answered): readonly Subject[] {
  const { stages, index, reached } = waiting(policy, record);
  const stage = stages[index];
  return stage === undefined ? [] : unique([...stage.approvers, ...laddered(stage, reached)]);
}

/** Who may approve once the stage that waits is complete. */
export function laterAnswerers(policy: Policy, record: Answered): readonly Subject[] {
  const { stages, index } = waiting(policy, record);
  return unique(stages.slice(index + 1).flatMap((stage) => stage.approvers));
}

/** Who may deny: whoever could approve, now or in another stage. To stop something nobody has to wait for their turn. */
export function deniersOf(policy: Policy, record: Answered): readonly Subject[] {
  return unique([...answerersOf(policy, record), ...stagesOf(policy).flatMap((stage) => stage.approvers)]);
}

/** Everyone who may come to be asked; they may see what waits. */
export function everAsked(policy: Policy): readonly Subject[] {
  return unique(stagesOf(policy).flatMap((stage) => [...stage.approvers, ...laddered(stage, stage.escalate.length)]));
}

function laddered(stage: Stage, steps: number): readonly Subject[] {
  return stage.escalate.slice(0, steps).flatMap((step) => step.to);
}

function unique(subjects: readonly Subject[]): readonly Subject[] {
  return [...new Map(subjects.map((subject) => [subjectName(subject), subject])).values()];
}

// ---------------------------------------------------------------------------------------------------------- asking

/** A stage that begins to wait; whom it asks is looked up when its timer rings. */
export function startStage(stages: readonly Stage[], stage: number, now: Instant): Asking {
  return { stages, stage, sinceAt: now, steps: 0, now: [], failed: [], reminders: 0 };
}

/** Steps of the ladder that are reached by time; never fewer than were reached before. */
export function stepsReached(asking: Asking, now: Instant): number {
  const ladder = asking.stages[asking.stage]?.escalate ?? [];
  const due = ladder.findLastIndex((step) => now >= asking.sinceAt + step.afterMs) + 1;
  return Math.max(asking.steps, due);
}

/** The next step of the ladder, and when it is taken if nobody answers. */
export function nextStep(asking: Asking): { readonly to: readonly Subject[]; readonly at: Instant } | undefined {
  const step = asking.stages[asking.stage]?.escalate[asking.steps];
  return step === undefined ? undefined : { to: step.to, at: asking.sinceAt + step.afterMs };
}

/** How often it is looked at whether somebody else has come on call, while a request waits. */
const HANDOVER_LOOK_MS = 2 * 60_000;
/** How soon a source that did not answer is asked again. */
const FAILED_LOOK_MS = 60_000;
/** A request that nobody answers is not worth more: by then the ladder or the lapse has to help. */
export const REMINDERS_MAX = 12;

/** When a pending request has to be looked at next; absent: nothing can change by itself before it lapses. */
export function nextAskAt(
  request: Pick<AccessRequest, 'lapsesAt'>,
  asking: Asking,
  remindEveryMs: number | undefined,
  now: Instant,
): Instant | undefined {
  const stage = asking.stages[asking.stage];
  const step = nextStep(asking);
  const reached = stage === undefined ? [] : [...stage.approvers, ...laddered(stage, asking.steps)];
  const looks = [
    ...(step === undefined ? [] : [step.at]),
    ...(remindEveryMs === undefined || asking.reminders >= REMINDERS_MAX ? [] : [remindAt(asking, remindEveryMs)]),
    ...(reached.some((subject) => subject.kind === 'on-call') ? [now + HANDOVER_LOOK_MS] : []),
    ...(asking.failed.length > 0 ? [now + FAILED_LOOK_MS] : []),
  ];
  if (looks.length === 0) return undefined;
  const at = Math.max(now + 1, Math.min(...looks));
  return at < request.lapsesAt ? at : undefined;
}

export function remindAt(asking: Asking, remindEveryMs: number): Instant {
  return (asking.remindedAt ?? asking.sinceAt) + remindEveryMs;
}
