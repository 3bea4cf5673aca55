/** What a digest counts, a line for each request: for whoever wants to look at all of it, in a spreadsheet. */
import type { Finding, Use } from './activity.ts';
import { csvLine } from './csv.ts';
import { removalLatenessMs } from './digest-view.ts';
import { endsAt } from './lifecycle.ts';
import type { Instant, Review } from './model.ts';
import type { RequestRecord } from './ports.ts';

export interface DigestRow {
  readonly record: RequestRecord;
  readonly review?: Review;
  /** Absent: nothing was seen, or nothing is looked at. */
  readonly use?: Use;
  readonly findings: readonly Finding[];
}

const COLUMNS = [
  'request',
  'grant',
  'who',
  'entitlement',
  'reason',
  'outcome',
  'requested_at',
  'decided_at',
  'approved_by',
  'denied_by',
  'break_glass',
  'granted_minutes',
  'started_at',
  'ends_at',
  'ended_at',
  'used_minutes',
  'end_reason',
  'ended_by',
  'removal_seconds_late',
  'review',
  'reviewed_by',
  'activities',
  'findings',
] as const;

export const DIGEST_CSV_HEAD = csvLine(COLUMNS);

/** Instants as ISO 8601 in UTC; a length in minutes with one decimal; empty where there is nothing to say. */
export function digestCsvLine({ record, review, use, findings }: DigestRow): string {
  const { request, grant, approvals } = record;
  const names = (answer: 'approved' | 'denied') =>
    approvals
      .filter((one) => one.answer === answer && (answer === 'denied' || one.digest === request.digest))
      .map(({ approverName }) => approverName)
      .join('; ');
  const lateMs = grant === undefined ? undefined : removalLatenessMs(grant);
  const startsAt = grant?.startsAt;
  const until = grant?.endedAt ?? grant?.endingAt;
  const cells: Readonly<Record<(typeof COLUMNS)[number], string>> = {
    request: request.id,
    grant: grant?.id ?? request.extendsGrant ?? '',
    who: request.requesterName,
    entitlement: request.entitlement,
    reason: request.reason,
    outcome: request.extendsGrant !== undefined && request.state === 'approved' ? 'extended' : request.state,
    requested_at: time(request.createdAt),
    decided_at: time(request.decidedAt),
    approved_by: names('approved'),
    denied_by: names('denied'),
    break_glass: request.breakGlass === undefined ? '' : 'yes',
    granted_minutes:
      grant === undefined ? '' : minutes(startsAt === undefined ? grant.durationMs : endsAt(grant) - startsAt),
    started_at: time(startsAt),
    ends_at: grant === undefined ? '' : time(endsAt(grant)),
    ended_at: time(grant?.endedAt),
    used_minutes: startsAt === undefined || until === undefined ? '' : minutes(Math.max(0, until - startsAt)),
    end_reason: grant?.endReason ?? '',
    ended_by: grant?.endedBy ?? request.closedBy ?? '',
    removal_seconds_late: lateMs === undefined ? '' : String(Math.round(lateMs / 1000)),
    review: review?.state ?? '',
    reviewed_by: review?.decidedBy ?? '',
    activities: use === undefined ? '' : String(use.activities),
    findings: findings.map(({ id, title }) => `${id} ${title}`).join('; '),
  };
  return csvLine(COLUMNS.map((name) => cells[name]));
}

function time(at: Instant | undefined): string {
  return at === undefined ? '' : new Date(at).toISOString();
}

function minutes(ms: number): string {
  return (ms / 60_000).toFixed(1).replace(/\.0$/, '');
}
