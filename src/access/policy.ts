/**
 * Who may, judged as a value with its reasons. `satisfied`, `unsatisfied` and `broken` are kept apart: "you do not
 * qualify" and "it could not be looked up" are different news for different people, and neither ever allows.
 *
 * Safe to run as often as one likes: drawing a form, answering `explain` and deciding share one evaluation.
 */
import type { PersonId, Policy, Subject } from './model.ts';

/** Whether a person is (in) a subject, as looked up now; `error` when that could not be told. */
export type SubjectAnswer =
  | { readonly subject: Subject; readonly holds: boolean }
  | { readonly subject: Subject; readonly error: string };

export type Question =
  | {
      readonly ask: 'request';
      /** The requester against `policy.requesters`. */
      readonly subjects: readonly SubjectAnswer[];
      readonly durationMs: number;
      readonly reasonLength: number;
    }
  | {
      readonly ask: 'approve';
      readonly approver: PersonId;
      readonly requester: PersonId;
      /** The approver against `wanted`. */
      readonly subjects: readonly SubjectAnswer[];
      /** Who may answer in the stage that waits; left out: `policy.approvers`. */
      readonly wanted?: readonly Subject[];
    };

export type Constraint = 'eligible' | 'duration' | 'reason' | 'approver' | 'not_own_request';

export interface Finding {
  readonly constraint: Constraint;
  /** For logs, tests and `explain`; people read the refusal's words. */
  readonly why: string;
}

export interface PolicyAnswer {
  readonly allowed: boolean;
  readonly satisfied: readonly Finding[];
  readonly unsatisfied: readonly Finding[];
  readonly broken: readonly Finding[];
}

export function subjectName(subject: Subject): string {
  switch (subject.kind) {
    case 'everyone':
      return 'everyone';
    case 'user':
      return `user:${subject.email}`;
    case 'group':
      return `group:${subject.directory}/${subject.group}`;
    case 'on-call':
      return `on-call:${subject.source}`;
    case 'workload':
      return `workload:${subject.workload}`;
  }
}

/** The same, as people say it: `dba-leads`, `on-call dba`. */
export function subjectWords(subject: Subject): string {
  switch (subject.kind) {
    case 'everyone':
      return 'everyone';
    case 'user':
      return subject.email;
    case 'group':
      return subject.group;
    case 'on-call':
      return `on-call ${subject.source}`;
    case 'workload':
      return `the pipeline ${subject.workload}`;
  }
}

type Verdict = { readonly is: 'satisfied' | 'unsatisfied' | 'broken'; readonly finding: Finding };

export function evaluate(policy: Policy, question: Question): PolicyAnswer {
  const verdicts: Verdict[] = [];
  if (question.ask === 'request') {
    verdicts.push(anyHolds('eligible', policy.requesters, question.subjects));
    verdicts.push(
      question.durationMs > 0 && question.durationMs <= policy.duration.maxMs
        ? satisfied('duration', `at most ${policy.duration.maxMs} ms`)
        : unsatisfied('duration', `${question.durationMs} ms is not within ${policy.duration.maxMs} ms`),
    );
    verdicts.push(
      question.reasonLength >= policy.reason.minLength
        ? satisfied('reason', `at least ${policy.reason.minLength} characters`)
        : unsatisfied('reason', `${question.reasonLength} of ${policy.reason.minLength} characters`),
    );
  } else {
    verdicts.push(
      question.approver === question.requester
        ? unsatisfied('not_own_request', 'the approver is the requester')
        : satisfied('not_own_request', 'the approver is somebody else'),
    );
    verdicts.push(anyHolds('approver', question.wanted ?? policy.approvers, question.subjects));
  }
  const of = (is: Verdict['is']) => verdicts.filter((verdict) => verdict.is === is).map(({ finding }) => finding);
  return {
    allowed: verdicts.every((verdict) => verdict.is === 'satisfied'),
    satisfied: of('satisfied'),
    unsatisfied: of('unsatisfied'),
    broken: of('broken'),
  };
}

/** Whether one of these subjects is known to hold; `broken` when none does and one could not be looked up. */
export function anyHolds(
  constraint: Constraint,
  wanted: readonly Subject[],
  answers: readonly SubjectAnswer[],
): Verdict {
  const broken: string[] = [];
  for (const subject of wanted) {
    const name = subjectName(subject);
    const answer = answers.find((candidate) => subjectName(candidate.subject) === name);
    // A subject nobody looked up counts as broken, not as "no": the gap is ours, and must be visible.
    if (answer === undefined) broken.push(`${name} was not looked up`);
    else if ('error' in answer) broken.push(`${name}: ${answer.error}`);
    else if (answer.holds) return satisfied(constraint, name);
  }
  if (broken.length > 0) return { is: 'broken', finding: { constraint, why: broken.join('; ') } };
  return unsatisfied(constraint, `none of ${wanted.map(subjectName).join(', ') || 'nobody'}`);
}

function satisfied(constraint: Constraint, why: string): Verdict {
  return { is: 'satisfied', finding: { constraint, why } };
}

function unsatisfied(constraint: Constraint, why: string): Verdict {
  return { is: 'unsatisfied', finding: { constraint, why } };
}
