/**
 * Whether somebody would get something, who would be asked, and why: the decision itself, made on the same facts and
 * not committed, with everything that it rested on laid open.
 */
import { capRefusal } from './caps.ts';
import type { DurationWish, Refusal } from './command.ts';
import { type Condition, contextOf, heldWithin, readingsOf } from './condition.ts';
import { previewRequest, type RequestFacts, wishedMs } from './decide-request.ts';
import { isRefused } from './decision.ts';
import type { Instant } from './model.ts';
import { type SubjectAnswer, subjectName } from './policy.ts';
import type { ReportLine, ReportSection, ReportView } from './report.ts';
import { stagesOf } from './stages.ts';
import { cut, durationText, listed, refusalText, timeText } from './words.ts';
import { dayAround } from './zone.ts';

export interface ExplainWish {
  readonly duration?: DurationWish;
  /** Left out: what rests on a reason is not judged, and said so. */
  readonly reason?: string;
}

export interface Explanation {
  readonly verdict: 'refused' | 'asks' | 'automatic';
  readonly refusal?: Refusal;
  /** Names of those who would be asked first. */
  readonly asked: readonly string[];
  /** Others than those may answer too. */
  readonly others: boolean;
  readonly report: ReportView;
}

export function explain(facts: RequestFacts, wish: ExplainWish, now: Instant, commandWord?: string): Explanation {
  const { person, entitlement, approvers } = facts;
  const { policy } = entitlement;
  const zone = person.zone ?? facts.timezone;
  const outcome = previewRequest(wish, facts, now);
  const refusal = isRefused(outcome) ? outcome.refusal : undefined;
  const verdict = isRefused(outcome) ? 'refused' : outcome.done === 'approved' ? 'automatic' : 'asks';
  const asked = verdict === 'asks' ? approvers.people.filter(({ id }) => id !== person.id).map(({ name }) => name) : [];
  const durationMs = wishedMs(wish.duration, facts, now);
  const judged = { durationMs, reason: wish.reason ?? '', known: wish.reason !== undefined };
  return {
    verdict,
    ...(refusal === undefined ? {} : { refusal }),
    asked,
    others: verdict === 'asks' && !approvers.complete,
    report: {
      title: `${entitlement.id} for ${person.name}, ${durationText(durationMs)}`,
      headline: headlineOf(refusal, verdict, policy.approvals, zone, commandWord),
      severity: verdict === 'refused' ? 'warning' : 'calm',
      note: `Judged for ${timeText(now, undefined, facts.timezone)}, by the policy ${policy.name} (${policy.hash.slice(0, 12)}). Nothing was requested.`,
      sections: [
        {
          title: 'Who may ask',
          lines: policy.requesters.map((subject) => askedLine(subjectName(subject), facts.subjects)),
        },
        ...(verdict === 'automatic' ? [] : [approvalSection(facts, asked)]),
        { title: 'Limits', lines: limitLines(facts, durationMs, now) },
        ...proofSection(facts),
        ...conditionSection(facts, judged, now),
        {
          title: 'What it gives',
          lines: [
            ...entitlement.groups.map(({ directory, group }) => ({ lead: group, rest: `a group in ${directory}` })),
            ...(entitlement.owner === undefined ? [] : [{ lead: 'Owner', rest: entitlement.owner }]),
            ...(entitlement.tags === undefined ? [] : [{ lead: 'Tags', rest: entitlement.tags.join(', ') }]),
            ...(entitlement.link === undefined ? [] : [{ lead: 'About', rest: entitlement.link }]),
          ],
        },
      ],
    },
  };
}

function headlineOf(
  refusal: Refusal | undefined,
  verdict: Explanation['verdict'],
  approvals: number,
  zone: string,
  commandWord: string | undefined,
): string {
  if (refusal !== undefined) {
    const { reason, next } = refusalText(refusal, zone, commandWord);
    return `No. ${reason} ${next}`;
  }
  if (verdict === 'automatic') return 'Yes, at once: its policy approves it, and nobody is asked.';
  return `It would be asked for, and wait for ${approvals} ${approvals === 1 ? 'approval' : 'approvals'}.`;
}

function askedLine(name: string, answers: readonly SubjectAnswer[]): ReportLine {
  const answer = answers.find(({ subject }) => subjectName(subject) === name);
  if (answer === undefined) return { lead: name, rest: 'not looked at, as another one holds' };
  if ('error' in answer) return { lead: name, rest: `could not be looked up: ${answer.error}` };
  return { lead: name, rest: answer.holds ? 'yes' : 'no' };
}

function approvalSection({ entitlement, approvers }: RequestFacts, asked: readonly string[]): ReportSection {
  const stages = stagesOf(entitlement.policy);
  const lines = stages.flatMap((stage, index): ReportLine[] => [
    {
      lead: stages.length === 1 ? `${stage.approvals} by` : `${index + 1}. ${stage.approvals} by`,
      rest: listed(stage.approvers.map(subjectName), 'or'),
    },
    ...stage.escalate.map(({ afterMs, to }) => ({
      lead: `after ${durationText(afterMs)}`,
      rest: `also ${listed(to.map(subjectName), 'or')}`,
    })),
  ]);
  const who =
    asked.length === 0
      ? 'nobody is known by name'
      : `${listed(asked)}${approvers.complete ? '' : ', and others of them may answer'}`;
  return { title: 'Approvals', lines: [...lines, { lead: 'Asked now', rest: who }] };
}

function proofSection({ entitlement }: RequestFacts): readonly ReportSection[] {
  const { proof } = entitlement.policy;
  if (proof === undefined) return [];
  const line = (lead: string, wanted: string | undefined): ReportLine => ({
    lead,
    rest: wanted === undefined ? 'nothing more' : 'a sign-in with MFA, and a click after it',
  });
  return [{ title: 'Proof', lines: [line('To ask', proof.request), line('To approve', proof.approve)] }];
}

function limitLines(facts: RequestFacts, durationMs: number, now: Instant): readonly ReportLine[] {
  const { policy } = facts.entitlement;
  const { past, live } = facts.circumstances;
  const over = capRefusal(facts, { from: now, to: now + durationMs });
  const today = past === undefined ? 0 : heldWithin(past, dayAround(facts.timezone, now).from, now);
  return [
    {
      lead: 'Duration',
      rest: `at most ${durationText(policy.duration.maxMs)}, ${durationText(policy.duration.defaultMs)} when none is asked for`,
    },
    ...(policy.duration.perDayMs === undefined
      ? []
      : [
          {
            lead: 'A day',
            rest: `${durationText(policy.duration.perDayMs)}; held so far today: ${durationText(today)}`,
          },
        ]),
    ...(policy.maxLive === undefined
      ? []
      : [{ lead: 'At a time', rest: `${policy.maxLive}; held now: ${live?.length ?? 'not known'}` }]),
    {
      lead: 'Reason',
      rest: `at least ${policy.reason.minLength} characters${policy.reason.pattern === undefined ? '' : `, with a ticket of the form ${cut(policy.reason.pattern, 100)}`}`,
    },
    ...(over === undefined ? [] : [{ lead: 'Passed', rest: refusalText(over, facts.timezone).reason }]),
  ];
}

function conditionSection(
  facts: RequestFacts,
  wish: { readonly durationMs: number; readonly reason: string; readonly known: boolean },
  now: Instant,
): readonly ReportSection[] {
  const { when, autoApprove } = facts.entitlement.policy;
  const line = (lead: string, condition: Condition | undefined): ReportLine[] =>
    condition === undefined
      ? []
      : [{ lead, rest: `${judgement(condition, facts, wish, now)} ${cut(condition.expression, 400)}` }];
  const lines = [...line('Must hold', when), ...line('Approves by itself', autoApprove)];
  return lines.length === 0 ? [] : [{ title: 'Conditions', lines }];
}

function judgement(
  condition: Condition,
  facts: RequestFacts,
  wish: { readonly durationMs: number; readonly reason: string; readonly known: boolean },
  now: Instant,
): string {
  if (!wish.known && condition.reads.some((path) => path === 'reason' || path === 'ticket'))
    return 'Depends on the reason:';
  const context = contextOf(facts, wish, now);
  const result = condition.evaluate(context);
  if ('error' in result) return `Cannot be judged (${result.error}):`;
  const readings = readingsOf(condition, context);
  const because = readings.length === 0 ? '' : ` (${listed(readings)})`;
  return `${result.holds ? 'Holds' : 'Does not hold'}${because}:`;
}
