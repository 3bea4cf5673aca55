/**
 * A post-access review as it is shown: who had what, for how long of what was granted, by whose word and why, what is
 * known of what was done, and what became of the review.
 */
import { FINDING_LEVELS, type Finding, type Use } from './activity.ts';
import { endsAt } from './lifecycle.ts';
import type { EndReason, Grant, Instant, Review } from './model.ts';
import type { RequestRecord } from './ports.ts';
import type { ReportLine, ReportSection } from './report.ts';
import { byWhom, NAME_MAX, roughly } from './report-lines.ts';
import { cut, durationText, timeText } from './words.ts';

export interface ReviewView {
  readonly id: string;
  readonly open: boolean;
  readonly title: string;
  readonly headline: string;
  readonly lines: readonly string[];
  readonly grantId: string;
  readonly requestId: string;
  /** What the Story button carries; absent when the request could not be read. */
  readonly card?: string;
}

export interface ReviewMaterial {
  readonly review: Review;
  /** Absent: it could not be read. */
  readonly record?: RequestRecord;
  /** Absent: nothing tells Hallpass what people do. */
  readonly activity?: ReviewedActivity;
}

/** What was done under the grant, as far as the sources that were asked have told by now. */
export interface ReviewedActivity {
  /** Most first. */
  readonly kinds: readonly { readonly kind: string; readonly count: number }[];
  /** Titles, the gravest first. */
  readonly findings: readonly string[];
  /** Sources that could not be asked: what they would have told is missing. */
  readonly failing: readonly string[];
}

export function reviewedActivity(
  use: Use | undefined,
  findings: readonly Finding[],
  failing: readonly string[],
): ReviewedActivity {
  const kinds = Object.entries(use?.kinds ?? {})
    .map(([kind, count]) => ({ kind, count: count ?? 0 }))
    .sort((a, b) => b.count - a.count);
  const gravest = [...findings].sort((a, b) => FINDING_LEVELS.indexOf(b.level) - FINDING_LEVELS.indexOf(a.level));
  return { kinds, findings: gravest.map(({ title, level, id }) => `${title} (${level}, ${id})`), failing };
}

const WHO_MAX = 80;
const REASON_MAX = 500;
const KINDS_SHOWN = 6;
const FINDINGS_SHOWN = 5;

export function reviewView(material: ReviewMaterial, now: Instant, zone: string): ReviewView {
  const { review } = material;
  const { state, holderName, grantId } = review;
  const time = (at: Instant) => timeText(at, now, zone);
  const by = cut(review.decidedBy ?? '', WHO_MAX);
  const note = review.note === undefined ? '' : `: “${cut(review.note, REASON_MAX)}”`;
  const headline = {
    open: `${now > review.dueAt ? `Overdue since ${time(review.dueAt)}` : `To be reviewed until ${time(review.dueAt)}`}: sign it off, or question it with a reason.`,
    signed_off: `Signed off by ${by} ${time(review.decidedAt ?? now)}${note}.`,
    questioned: `Questioned by ${by} ${time(review.decidedAt ?? now)}${note}. Talk to ${cut(holderName, WHO_MAX)}.`,
  }[state];
  return {
    id: review.id,
    open: state === 'open',
    title: `Review of ${review.why === 'break_glass' ? 'break-glass access' : 'access'}, ${grantId}`,
    headline,
    lines: [
      ...held(material, time),
      `Why: ${cut(review.reason, REASON_MAX) || 'no reason given'}`,
      ...(material.record?.grant?.state === 'ended' ? done(material.activity) : []),
    ],
    grantId,
    requestId: review.requestId,
    ...(material.record === undefined ? {} : { card: material.record.request.cardId }),
  };
}

/** A message of its own, that rings: an update of the first one would not. */
export function reminding(view: ReviewView, number: number): ReviewView {
  return { ...view, title: `Reminder${number === 1 ? '' : ` ${number}`}: ${view.title}` };
}

function held({ review, record }: ReviewMaterial, time: (at: Instant) => string): readonly string[] {
  const who = cut(review.holderName, WHO_MAX);
  const grant = record?.grant;
  const used = grant === undefined ? undefined : usedText(grant, time);
  if (review.why === 'break_glass')
    return [
      `${who} took ${review.entitlement} for ${durationText(review.durationMs)} ${time(review.createdAt)}, without approval.`,
      ...(used === undefined ? [] : [`Used ${used}.`]),
    ];
  const approved = record === undefined ? '' : byWhom(record).replace(/^, a/, 'A');
  return [
    `${who} had ${review.entitlement} for ${used ?? durationText(review.durationMs)}.`,
    ...(approved === '' ? [] : [`${approved}.`]),
  ];
}

const ENDED: Readonly<Record<EndReason, string>> = {
  expired: 'when it ran out',
  revoked: 'when it was revoked',
  returned: 'when it was returned',
  abandoned: 'when it was given up',
  removed_outside: 'when somebody removed it outside Hallpass',
};

/** `22 min of the 30 min granted, from 14:02 CET to 14:24 CET, when it was returned`; absent while it is live. */
function usedText(grant: Grant, time: (at: Instant) => string): string | undefined {
  const { startsAt, endingAt, endReason } = grant;
  if (startsAt === undefined || endingAt === undefined) return undefined;
  // Seen late, as after an hour without Hallpass, it had been there until then.
  const until = Math.max(startsAt, grant.endedAt ?? endingAt);
  const granted = durationText(endsAt(grant) - startsAt);
  const used = roughly(until - startsAt);
  const of = used === granted ? `all of the ${granted} granted` : `${used} of the ${granted} granted`;
  return `${of}, from ${time(startsAt)} to ${time(until)}, ${ENDED[endReason ?? 'expired']}`;
}

/** Silence of a source is never told as innocence. */
function done(activity: ReviewedActivity | undefined): readonly string[] {
  if (activity === undefined) return ['What was done is not known: no activity source is configured.'];
  const { kinds, findings, failing } = activity;
  const shown = kinds.slice(0, KINDS_SHOWN).map(({ kind, count }) => `${cut(kind, 60)} ${count}`);
  const more = kinds.length > shown.length ? ` and ${kinds.length - shown.length} more kinds` : '';
  return [
    ...(failing.length === 0
      ? []
      : [`Not looked at: ${failing.map((source) => cut(source, 60)).join(', ')} did not answer.`]),
    shown.length === 0 ? 'What was done: nothing was seen.' : `What was done: ${shown.join(', ')}${more}.`,
    findings.length === 0
      ? 'Findings: none.'
      : `Findings: ${findings
          .slice(0, FINDINGS_SHOWN)
          .map((title) => cut(title, 120))
          .join('; ')}${findings.length > FINDINGS_SHOWN ? ` and ${findings.length - FINDINGS_SHOWN} more` : ''}.`,
  ];
}

const LINES_SHOWN = 10;

/** In the digest until somebody has made them, oldest first; break-glass before the rest. */
export function reviewSection(open: readonly Review[], now: Instant): readonly ReportSection[] {
  const line = (review: Review): ReportLine => {
    const age = roughly(Math.floor((now - review.createdAt) / 60_000) * 60_000);
    const due =
      now > review.dueAt
        ? `overdue by ${durationText(Math.max(60_000, Math.floor((now - review.dueAt) / 60_000) * 60_000))}`
        : 'not due yet';
    const since = review.why === 'break_glass' ? 'used' : 'ended';
    return {
      lead: cut(review.holderName, NAME_MAX),
      rest: `${review.entitlement} (${review.grantId}), ${since} ${age} ago, ${due}: ${cut(review.reason, 100)}`,
    };
  };
  const section = (title: string, some: readonly Review[]): readonly ReportSection[] =>
    some.length === 0 ? [] : [{ title, lines: some.slice(0, LINES_SHOWN).map(line), total: some.length }];
  return [
    ...section(
      'Break-glass, not reviewed',
      open.filter(({ why }) => why === 'break_glass'),
    ),
    ...section(
      'Access, not reviewed',
      open.filter(({ why }) => why === 'policy'),
    ),
  ];
}
