/** A post-access review as it is shown: what was done without approval, by whom, why, and what became of the review. */
import type { Instant, Review } from './model.ts';
import type { ReportLine, ReportSection } from './report.ts';
import { cut, durationText, timeText } from './words.ts';

export interface ReviewView {
  readonly id: string;
  readonly open: boolean;
  readonly title: string;
  readonly headline: string;
  readonly lines: readonly string[];
  readonly grantId: string;
}

const NAME_MAX = 80;
const REASON_MAX = 500;

export function reviewView(review: Review, now: Instant, zone: string): ReviewView {
  const { state, holderName, entitlement, grantId } = review;
  const time = (at: Instant) => timeText(at, now, zone);
  const by = cut(review.decidedBy ?? '', NAME_MAX);
  const note = review.note === undefined ? '' : `: “${cut(review.note, REASON_MAX)}”`;
  const headline = {
    open: `To be reviewed until ${time(review.dueAt)}: sign it off, or question it with a reason.`,
    signed_off: `Signed off by ${by} ${time(review.decidedAt ?? now)}${note}.`,
    questioned: `Questioned by ${by} ${time(review.decidedAt ?? now)}${note}. Talk to ${cut(holderName, NAME_MAX)}.`,
  }[state];
  return {
    id: review.id,
    open: state === 'open',
    title: `Review of break-glass access, ${grantId}`,
    headline,
    lines: [
      `${cut(holderName, NAME_MAX)} took ${entitlement} for ${durationText(review.durationMs)} ${time(review.createdAt)}, without approval.`,
      `Why: ${cut(review.reason, REASON_MAX)}`,
    ],
    grantId,
  };
}

/** In the digest until somebody has made them, oldest first. */
export function reviewSection(open: readonly Review[], now: Instant): readonly ReportSection[] {
  if (open.length === 0) return [];
  const line = (review: Review): ReportLine => {
    const age = durationText(Math.floor((now - review.createdAt) / 60_000) * 60_000);
    const due =
      now > review.dueAt
        ? `overdue by ${durationText(Math.max(60_000, Math.floor((now - review.dueAt) / 60_000) * 60_000))}`
        : 'not due yet';
    return {
      lead: cut(review.holderName, NAME_MAX),
      rest: `${review.entitlement} (${review.grantId}), used ${age} ago, ${due}: ${cut(review.reason, 100)}`,
    };
  };
  return [{ title: 'Break-glass, not reviewed', lines: open.slice(0, 10).map(line), total: open.length }];
}
