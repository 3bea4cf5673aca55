/**
 * The digest: what security reads once a day in half a minute. The worst comes first (removals that fail or are late),
 * then what is live, then what was granted; a quiet day is one line. Pure: from what the record and the directories
 * told to what people are shown.
 */
import type { Finding } from './activity.ts';
import {
  breakGlassSection,
  findingSection,
  mutualPairs,
  pairSection,
  policySection,
  type UnsignedDigest,
  type Unused,
  unsignedSection,
  unusedSection,
} from './digest-control.ts';
import { freezeLines } from './freeze.ts';
import type { Freeze, Grant, Instant, MembershipKey, Review } from './model.ts';
import type { DigestFacts, GroupStanding, MembershipRecord, Period, Spread, TrailSeal } from './ports.ts';
import { countText, type ReportLine, type ReportSection, type ReportView } from './report.ts';
import {
  byWhom,
  ENTITLEMENT_MAX,
  frozenSection,
  holderLine,
  many,
  NAME_MAX,
  REASON_MAX,
  roughly,
  standingSection,
  standingSentence,
} from './report-lines.ts';
import { reviewSection } from './review-view.ts';
import { cut, durationText, timeText } from './words.ts';

export interface DigestView extends ReportView {
  readonly period: Period;
  /** IANA zone of its times. */
  readonly zone: string;
  readonly at: Instant;
  readonly quiet: boolean;
  readonly counts: DigestCounts;
}

/** What the trail keeps of a digest. */
export interface DigestCounts {
  readonly granted: number;
  readonly live: number;
  readonly denied: number;
  readonly lapsed: number;
  readonly revoked: number;
  readonly returned: number;
  readonly pending: number;
  readonly removals: number;
  /** Of those, failing or late. */
  readonly troubled: number;
  /** Proven gone in the period, but late. */
  readonly late: number;
  readonly longestLatenessMs: number;
  readonly standing: number;
  /** Differences found by reconciliation and still open. */
  readonly drift: number;
  readonly breakGlass: number;
  /** Reviews that nobody has made, and of those how many are overdue. */
  readonly unreviewed: number;
  readonly overdueReviews: number;
  /** Pairs of people who approved for each other. */
  readonly pairs: number;
  readonly policyChanges: number;
  /** Findings that are not over. */
  readonly findings: number;
  /** Digests before this one that nobody has signed. */
  readonly unsigned: number;
}

export interface DigestMaterial {
  readonly facts: DigestFacts;
  readonly standing: readonly GroupStanding[];
  /** Freezes that hold now. */
  readonly freezes?: readonly Freeze[];
  /** Reviews that nobody has made yet. */
  readonly reviews?: readonly Review[];
  /** Digests that nobody has signed, at most `UNSIGNED_MOST`, oldest first. */
  readonly unsigned?: readonly UnsignedDigest[];
  /** Absent: nothing tells Hallpass what people do. */
  readonly activity?: DigestActivity;
  /** Absent: it could not be read. */
  readonly trail?: TrailSeal;
  readonly period: Period;
  readonly zone: string;
  /** For the scheduled one: when it should have been made. */
  readonly dueAt?: Instant;
}

/** What was seen of what people did; never what was not looked at. */
export interface DigestActivity {
  /** Made in the period. */
  readonly found: readonly Finding[];
  /** Not over, whenever they were made. */
  readonly open: readonly Finding[];
  readonly unused: readonly Unused[];
  /** Sources that could not be asked: what they would have told is missing. */
  readonly failing: readonly string[];
}

/** So many are counted; whoever has left more unsigned needs no number. */
export const UNSIGNED_MOST = 100;

/** A removal that is proven later than this after it was due is called late. */
export const LATE_AFTER_MS = 5 * 60_000;
/** Made this much after its time, a digest says so. */
const DIGEST_LATE_MS = 15 * 60_000;

/** How many of each list are looked through; `facts` need not hold more. */
export const DIGEST_LINES = 40;
/** Lines of each list: half a minute's reading in all. Everything else is a number here and a line in the file. */
const SHOWN = { troubled: 10, drift: 5, late: 5, live: 10, granted: 10, early: 5, refused: 5, pending: 5 };

/** When the holder should have been out: at the end, or when somebody ended it before that. */
export function removalDueAt(grant: Grant): Instant {
  const end = grant.expiresAt ?? grant.hardEndAt;
  return Math.min(end, grant.endingAt ?? end);
}

/** From due to proven gone; absent while it is not, and for what never began. */
export function removalLatenessMs(grant: Grant): number | undefined {
  if (grant.endedAt === undefined || grant.startsAt === undefined) return undefined;
  return Math.max(0, grant.endedAt - removalDueAt(grant));
}

interface Trouble {
  readonly record: MembershipRecord;
  readonly grant?: Grant;
  readonly dueAt?: Instant;
  readonly lateMs: number;
  readonly failures: number;
}

export function digestView(material: DigestMaterial, now: Instant): DigestView {
  const { facts, standing, period, zone } = material;
  const { counts: of } = facts;
  const time = (at: Instant) => timeText(at, now, zone);
  const troubles = facts.removals
    .map((record) => troubleOf(record, now))
    .filter(({ failures, lateMs }) => failures > 0 || lateMs >= LATE_AFTER_MS)
    .sort((a, b) => b.lateMs - a.lateMs || b.failures - a.failures);
  const longest = facts.latest[0];
  const longestLatenessMs = longest === undefined ? 0 : (removalLatenessMs(longest) ?? 0);
  const { reviews = [], unsigned = [], activity } = material;
  const pairs = mutualPairs(facts.approvedFor);
  const standingCount = standing.reduce((sum, group) => sum + (group.members?.length ?? 0), 0);
  const counts: DigestCounts = {
    granted: of.granted,
    live: of.live,
    denied: of.denied,
    lapsed: of.lapsed,
    revoked: of.ending.revoked,
    returned: of.ending.returned,
    pending: of.pending,
    removals: of.removals,
    troubled: troubles.length,
    late: of.late,
    longestLatenessMs,
    standing: standingCount,
    drift: of.drift,
    breakGlass: of.breakGlass,
    unreviewed: reviews.length,
    overdueReviews: reviews.filter(({ dueAt }) => now > dueAt).length,
    pairs: pairs.length,
    policyChanges: facts.policyChanges.length,
    findings: activity?.open.length ?? 0,
    unsigned: unsigned.length,
  };
  const { ending, proven, ...plain } = of;
  const frozen = freezeLines(material.freezes ?? [], now, zone);
  const quiet =
    frozen.length + reviews.length + counts.policyChanges + counts.findings === 0 &&
    (activity?.failing.length ?? 0) === 0 &&
    [...Object.values(plain), ...Object.values(ending), proven].every((count) => count === 0);
  const when = timeText(period.to, undefined, zone);
  const base = { period, zone, at: now, counts, quiet };
  const trail = trailSection(material.trail);
  const forged = material.trail?.verified?.ok === false;
  const grave = activity?.open.some(({ level }) => level === 'critical' || level === 'high') === true;
  const needy = troubles.length > 0 || forged || counts.overdueReviews > 0 || grave;
  const late =
    material.dueAt !== undefined && now - material.dueAt >= DIGEST_LATE_MS
      ? ` It was due ${time(material.dueAt)} and is late.`
      : '';
  if (quiet)
    return {
      ...base,
      title: `Access digest, ${when}${forged ? ': needs attention' : ''}`,
      severity: forged ? 'warning' : 'calm',
      headline: `A quiet time since ${time(period.from)}: nothing was requested, granted or ended, and nobody holds access through Hallpass. ${standingSentence(standing)}${unsignedSentence(unsigned)}${late}`,
      // On a quiet day the trail is a remark below the one line, unless there is something wrong with it.
      ...(forged || trail.length === 0 ? {} : { note: trail.map(trailRemark).join('') }),
      sections: forged ? trail : [],
    };

  const sections = [
    ...(forged ? trail : []),
    troubleSection(troubles, time),
    ...frozenSection(frozen),
    ...(activity === undefined ? [] : [findingSection(activity, time), failingSection(activity)]),
    breakGlassSection(facts, time),
    ...reviewSection(reviews, now),
    unsignedSection(unsigned, UNSIGNED_MOST, now),
    driftSection(facts, time),
    lateSection(facts, time),
    policySection(facts.policyChanges, time),
    pairSection(pairs),
    liveSection(facts, time),
    grantedSection(facts, time),
    earlySection(facts, time),
    refusedSection(facts, time),
    pendingSection(facts, time),
    endedSection(counts, facts, longest),
    ...(activity === undefined ? [] : [unusedSection(activity.unused)]),
    standingSection(standing),
    ...(forged ? [] : trail),
  ].filter((section): section is ReportSection => section !== undefined);
  return {
    ...base,
    title: `Access digest, ${when}${needy ? ': needs attention' : ''}`,
    severity: needy ? 'warning' : 'calm',
    headline: headline(counts, troubles, of.removals - facts.removals.length, longestLatenessMs, time),
    note: `From ${timeText(period.from, undefined, zone)} to ${when}.${late}`,
    sections,
  };
}

/** With the whole hash: shown here, it is out of reach of whoever has the database. */
function trailSection(trail: TrailSeal | undefined): ReportSection[] {
  if (trail === undefined) return [];
  const { seq, hash, verified } = trail;
  const said =
    verified === undefined
      ? many(seq, 'event')
      : verified.ok
        ? `${many(seq, 'event')}, each as it was written and linked to the one before`
        : `NOT as it was written: ${verified.why}`;
  return [
    {
      title: 'Audit trail',
      lines: [{ lead: said, rest: '' }],
      note: `Ends at ${seq}:${hash} (what hallpass audit verify can hold it against)`,
    },
  ];
}

function trailRemark({ lines, note }: ReportSection): string {
  return `Audit trail: ${lines.map(({ lead }) => lead).join('')}. ${note ?? ''}`;
}

function headline(
  counts: DigestCounts,
  troubles: readonly Trouble[],
  unseen: number,
  longestLatenessMs: number,
  time: (at: Instant) => string,
): string {
  const worst = troubles[0];
  const healthy = counts.removals - counts.troubled;
  const since = worst?.dueAt === undefined ? '' : `, the oldest due since ${time(worst.dueAt)}`;
  return [
    ...(worst === undefined
      ? []
      : [`${unseen > 0 ? 'At least ' : ''}${many(troubles.length, 'removal')} failing or late${since}.`]),
    // Of those that were not looked at it is not known.
    ...(healthy > 0 && unseen === 0 ? [`${many(healthy, 'removal')} under way.`] : []),
    ...(counts.late > 0
      ? [`${many(counts.late, 'removal')} proven late, the longest by ${roughly(longestLatenessMs)}.`]
      : worst === undefined
        ? ['No removal is late.']
        : []),
    ...(counts.findings > 0 ? [`${many(counts.findings, 'finding')} open.`] : []),
    ...(counts.breakGlass > 0 ? [`${many(counts.breakGlass, 'break-glass use')}.`] : []),
    ...(counts.unreviewed > 0
      ? [
          `${many(counts.unreviewed, 'review')} to be made${counts.overdueReviews > 0 ? `, ${countText(counts.overdueReviews)} overdue` : ''}.`,
        ]
      : []),
    `${many(counts.live, 'grant')} live now.`,
    `${countText(counts.granted)} granted.`,
    ...(counts.drift > 0 ? [`${many(counts.drift, 'difference')} from the directories.`] : []),
    ...(counts.pending > 0 ? [`${many(counts.pending, 'request')} waiting.`] : []),
    ...(counts.standing > 0 ? [`${many(counts.standing, 'standing member')}.`] : []),
    ...(counts.policyChanges > 0
      ? [`${countText(counts.policyChanges)} ${counts.policyChanges === 1 ? 'policy' : 'policies'} changed.`]
      : []),
    ...(counts.unsigned > 0 ? [`${many(counts.unsigned, 'digest')} not signed.`] : []),
  ].join(' ');
}

/** On a quiet day there is no list to put it in. */
function unsignedSentence(unsigned: readonly UnsignedDigest[]): string {
  const [oldest] = unsigned;
  return oldest === undefined ? '' : ` ${many(unsigned.length, 'digest')} not signed, the oldest of ${oldest.day}.`;
}

function failingSection({ failing }: DigestActivity): ReportSection | undefined {
  if (failing.length === 0) return undefined;
  return {
    title: 'Activity not looked at',
    lines: failing.slice(0, 5).map((source) => ({ lead: cut(source, NAME_MAX), rest: 'it did not answer' })),
    total: failing.length,
  };
}

function troubleOf(record: MembershipRecord, now: Instant): Trouble {
  // The grant that has been over for longest says since when it is owed.
  const grant = [...record.grants].sort((a, b) => removalDueAt(a) - removalDueAt(b))[0];
  const dueAt = grant === undefined ? record.membership?.removeStartedAt : removalDueAt(grant);
  return {
    record,
    ...(grant === undefined ? {} : { grant }),
    ...(dueAt === undefined ? {} : { dueAt }),
    lateMs: dueAt === undefined ? 0 : Math.max(0, now - dueAt),
    failures: record.membership?.failures ?? 0,
  };
}

function troubleSection(troubles: readonly Trouble[], time: (at: Instant) => string): ReportSection | undefined {
  if (troubles.length === 0) return undefined;
  return {
    title: 'Removals failing or late',
    lines: troubles.slice(0, SHOWN.troubled).map(({ record, grant, dueAt, lateMs, failures }) => {
      const row = record.membership;
      const accepted = row?.removeOutcome === 'accepted' ? 'removal accepted, not proven gone' : 'not proven gone';
      return {
        lead: cut(grant?.holderName ?? row?.login ?? record.key.userId, NAME_MAX),
        rest: [
          ...(grant === undefined ? [] : [`${cut(grant.entitlement, ENTITLEMENT_MAX)} (${grant.id}),`]),
          `${accepted} from ${groupOf(record.key, row?.groupName)}.`,
          ...(dueAt === undefined ? [] : [`Due ${time(dueAt)}, ${roughly(lateMs)} late.`]),
          ...(failures === 0
            ? []
            : [`${many(failures, 'failure')} in a row: ${cut(row?.lastError ?? 'no answer', 160)}`]),
        ].join(' '),
      };
    }),
    total: troubles.length,
  };
}

function driftSection(facts: DigestFacts, time: (at: Instant) => string): ReportSection | undefined {
  if (facts.drift.length === 0) return undefined;
  return {
    title: 'Differences from the directories',
    lines: facts.drift.slice(0, SHOWN.drift).map((drift) => ({
      lead: cut(drift.login || drift.groupName, NAME_MAX),
      rest: `${DRIFT[drift.class]} ${groupOf(drift.key, drift.groupName)}, found ${time(drift.sinceAt)}`,
    })),
    total: facts.counts.drift,
  };
}

const DRIFT = {
  unknown_member: 'is, without a grant, in',
  missing_member: 'has a live grant and is not in',
  baseline_gone: 'is no longer in',
  group_gone: 'no longer exists:',
} as const;

function lateSection(facts: DigestFacts, time: (at: Instant) => string): ReportSection | undefined {
  const late = facts.latest.filter((grant) => (removalLatenessMs(grant) ?? 0) >= LATE_AFTER_MS);
  if (facts.counts.late === 0 || late.length === 0) return undefined;
  return {
    title: 'Removed late, and proven gone',
    lines: late.slice(0, SHOWN.late).map((grant) => ({
      lead: cut(grant.holderName, NAME_MAX),
      rest: `${cut(grant.entitlement, ENTITLEMENT_MAX)} (${grant.id}), due ${time(removalDueAt(grant))}, proven ${roughly(removalLatenessMs(grant) ?? 0)} later`,
    })),
    total: facts.counts.late,
  };
}

function liveSection(facts: DigestFacts, time: (at: Instant) => string): ReportSection | undefined {
  if (facts.counts.live === 0) return undefined;
  return {
    title: 'Live now',
    lines: facts.live.slice(0, SHOWN.live).map((record) => holderLine(record, time)),
    total: facts.counts.live,
  };
}

function grantedSection(facts: DigestFacts, time: (at: Instant) => string): ReportSection | undefined {
  const { counts, byEntitlement } = facts;
  if (counts.granted === 0) return undefined;
  const shown = facts.granted.slice(0, SHOWN.granted);
  const kinds = byEntitlement
    .slice(0, 8)
    .map((one) => `${cut(one.entitlement, ENTITLEMENT_MAX)} ${countText(one.count)}`);
  return {
    title: 'Granted',
    lines: shown.map(({ request, approvals, grant }) => ({
      lead: cut(request.requesterName, NAME_MAX),
      rest: `${cut(request.entitlement, ENTITLEMENT_MAX)} for ${durationText(request.durationMs)}${byWhom({ request, approvals })} ${time(grant?.approvedAt ?? request.decidedAt ?? request.createdAt)}: ${cut(request.reason, REASON_MAX) || 'no reason given'}`,
    })),
    total: counts.granted,
    ...(counts.granted > shown.length ? { note: `In all: ${kinds.join(', ')}` } : {}),
  };
}

function earlySection(facts: DigestFacts, time: (at: Instant) => string): ReportSection | undefined {
  const { ending } = facts.counts;
  const total = ending.revoked + ending.returned + ending.removed_outside + ending.abandoned;
  if (total === 0) return undefined;
  return {
    title: 'Ended early',
    lines: facts.endedEarly.slice(0, SHOWN.early).map(({ request, grant }) => {
      const by =
        grant?.endedBy === undefined || grant.endReason === 'returned' ? '' : ` by ${cut(grant.endedBy, NAME_MAX)}`;
      const why = grant?.endNote === undefined ? '' : `: ${cut(grant.endNote, REASON_MAX)}`;
      return {
        lead: cut(request.requesterName, NAME_MAX),
        rest: `${cut(request.entitlement, ENTITLEMENT_MAX)} ${EARLY[grant?.endReason ?? 'revoked']}${by} ${time(grant?.endingAt ?? request.createdAt)}${why}`,
      };
    }),
    total,
  };
}

const EARLY = {
  expired: 'ended',
  revoked: 'revoked',
  returned: 'returned',
  abandoned: 'given up before it was added',
  removed_outside: 'removed outside Hallpass',
} as const;

function refusedSection(facts: DigestFacts, time: (at: Instant) => string): ReportSection | undefined {
  const { denied, lapsed, withdrawn } = facts.counts;
  const total = denied + lapsed + withdrawn;
  if (total === 0) return undefined;
  return {
    title: 'Denied or lapsed',
    lines: facts.refused.slice(0, SHOWN.refused).map(({ request, approvals }) => {
      const denial = approvals.find((answer) => answer.answer === 'denied');
      const by = denial === undefined ? '' : ` by ${cut(denial.approverName, NAME_MAX)}`;
      const why = denial?.reason === undefined ? '' : `: ${cut(denial.reason, REASON_MAX)}`;
      return {
        lead: cut(request.requesterName, NAME_MAX),
        rest: `${cut(request.entitlement, ENTITLEMENT_MAX)} ${request.state}${by} ${time(request.decidedAt ?? request.createdAt)}${why}`,
      };
    }),
    total,
  };
}

function pendingSection(facts: DigestFacts, time: (at: Instant) => string): ReportSection | undefined {
  if (facts.counts.pending === 0) return undefined;
  return {
    title: 'Waiting for approval',
    lines: facts.pending.slice(0, SHOWN.pending).map(({ request }) => ({
      lead: cut(request.requesterName, NAME_MAX),
      rest: `${cut(request.entitlement, ENTITLEMENT_MAX)} for ${durationText(request.durationMs)} (${request.id}), lapses ${time(request.lapsesAt)}`,
    })),
    total: facts.counts.pending,
  };
}

/** Fewer than this have no half and no hundredth part. */
const SPREAD_FROM = 5;

function spreadLines(proven: number, steps: DigestFacts['steps']): readonly ReportLine[] {
  if (steps === undefined || proven < SPREAD_FROM) return [];
  const said = ({ p50Ms, p99Ms, maxMs }: Spread) =>
    `half within ${roughly(p50Ms)}, 99 of 100 within ${roughly(p99Ms)}, all within ${roughly(maxMs)}`;
  return [
    ...(steps.accepted === undefined
      ? []
      : [{ lead: 'From due to accepted by the directory', rest: said(steps.accepted) }]),
    { lead: 'From due to proven', rest: said(steps.proven) },
  ];
}

function endedSection(
  counts: DigestCounts,
  { counts: of, steps }: DigestFacts,
  longest: Grant | undefined,
): ReportSection | undefined {
  const { ending, extended, cancelled, proven } = of;
  const counted = (...parts: readonly (readonly [count: number, what: string])[]) =>
    parts
      .filter(([count]) => count > 0)
      .map(([count, what]) => `${countText(count)} ${what}`)
      .join(', ');
  const lines: ReportLine[] = [
    {
      lead: 'Grants',
      rest: counted([ending.expired, 'ran out'], [ending.returned, 'returned'], [ending.revoked, 'revoked']),
    },
    { lead: 'Requests', rest: counted([extended, 'extended a grant'], [cancelled, 'cancelled']) },
    {
      lead: 'Removals',
      rest:
        proven === 0 || longest === undefined
          ? ''
          : `${countText(proven)} proven gone, ${proven === 1 ? '' : 'the slowest '}${roughly(counts.longestLatenessMs)} after it was due (${longest.id})`,
    },
    ...spreadLines(proven, steps),
  ].filter(({ rest }) => rest !== '');
  return lines.length === 0 ? undefined : { title: 'Ended', lines };
}

function groupOf(key: MembershipKey, name: string | undefined): string {
  return `${cut(name ?? key.groupId, 80)} in ${key.directory}`;
}
