/** The parts of a digest that ask for somebody's judgement: what was taken, found, changed, and left unsigned. */
import type { Finding, GrantWindow, Use } from './activity.ts';
import type { AuditEvent, EntitlementId, Instant } from './model.ts';
import type { ApprovedFor, DigestFacts } from './ports.ts';
import { countText, type ReportLine, type ReportSection } from './report.ts';
import { ENTITLEMENT_MAX, many, NAME_MAX, REASON_MAX } from './report-lines.ts';
import { cut, durationText } from './words.ts';

type Time = (at: Instant) => string;

export interface Pair {
  readonly one: string;
  readonly other: string;
  /** How often the first approved for the second, and the other way round. */
  readonly forOther: number;
  readonly forOne: number;
}

/** Those who approved for each other in the same period: two people who never ask a third. Most first, each pair once. */
export function mutualPairs(approvedFor: readonly ApprovedFor[]): readonly Pair[] {
  const key = (approver: string, requester: string) => JSON.stringify([approver, requester]);
  const counts = new Map(approvedFor.map((one) => [key(one.approver, one.requester), one.count]));
  return approvedFor
    .filter(({ approver, requester }) => approver < requester)
    .flatMap(({ approver, approverName, requester, requesterName, count }) => {
      const back = counts.get(key(requester, approver));
      return back === undefined ? [] : [{ one: approverName, other: requesterName, forOther: count, forOne: back }];
    })
    .sort((a, b) => b.forOther + b.forOne - (a.forOther + a.forOne));
}

const SHOWN = { glass: 5, pairs: 5, policies: 5, findings: 5, unused: 5 };

export function breakGlassSection(facts: DigestFacts, time: Time): ReportSection | undefined {
  if (facts.counts.breakGlass === 0) return undefined;
  return {
    title: 'Taken without approval',
    lines: facts.breakGlass.slice(0, SHOWN.glass).map(({ request, grant }) => ({
      lead: cut(request.requesterName, NAME_MAX),
      rest: `${cut(request.entitlement, ENTITLEMENT_MAX)} (${grant?.id ?? request.id}) for ${durationText(request.durationMs)} ${time(request.decidedAt ?? request.createdAt)}: ${cut(request.reason, REASON_MAX)}`,
    })),
    total: facts.counts.breakGlass,
  };
}

export function pairSection(pairs: readonly Pair[]): ReportSection | undefined {
  if (pairs.length === 0) return undefined;
  return {
    title: 'Approved for each other',
    lines: pairs.slice(0, SHOWN.pairs).map(({ one, other, forOther, forOne }) => ({
      lead: `${cut(one, NAME_MAX)} and ${cut(other, NAME_MAX)}`,
      rest: `${countText(forOther)} and ${countText(forOne)} times`,
    })),
    total: pairs.length,
  };
}

export function policySection(changes: readonly AuditEvent[], time: Time): ReportSection | undefined {
  if (changes.length === 0) return undefined;
  const short = (hash: unknown) => (typeof hash === 'string' ? hash.slice(0, 8) : undefined);
  return {
    title: 'Policies changed',
    lines: changes.slice(0, SHOWN.policies).map(({ at, detail }): ReportLine => {
      const [before, now] = [short(detail.before), short(detail.now)];
      const what =
        before === undefined
          ? `guards something now (${now ?? ''})`
          : now === undefined
            ? `guards nothing any more (was ${before})`
            : `${before} is now ${now}`;
      return { lead: cut(String(detail.policy ?? ''), NAME_MAX), rest: `${what}, ${time(at)}` };
    }),
    total: changes.length,
  };
}

const GRAVEST_FIRST = ['critical', 'high', 'medium', 'low'];

/** Those that nobody has answered for, the gravest first; of the others only how many there were. */
export function findingSection(
  { found, open }: { readonly found: readonly Finding[]; readonly open: readonly Finding[] },
  time: Time,
): ReportSection | undefined {
  if (found.length + open.length === 0) return undefined;
  const waiting = [...open].sort(
    (a, b) => GRAVEST_FIRST.indexOf(a.level) - GRAVEST_FIRST.indexOf(b.level) || a.createdAt - b.createdAt,
  );
  const over = found.filter(({ id }) => !open.some((one) => one.id === id)).length;
  return {
    title: 'Findings',
    lines: waiting.slice(0, SHOWN.findings).map((finding) => ({
      lead: cut(finding.holderName, NAME_MAX),
      rest: `${finding.level}: ${cut(finding.title, 120)} under ${cut(finding.entitlement, ENTITLEMENT_MAX)} (${finding.grantId}), ${time(finding.createdAt)}, ${FINDING_STATE[finding.state] ?? finding.state} (${finding.id})`,
    })),
    total: waiting.length,
    ...(over === 0 ? {} : { note: `${many(over, 'other')} closed` }),
  };
}

const FINDING_STATE: Readonly<Record<string, string>> = {
  open: 'nobody has answered for it',
  asked: 'the holder was asked',
  explained: 'the holder has explained it',
};

/** Grants that ended in the period in whose sources nothing was seen. */
export interface Unused {
  readonly entitlement: EntitlementId;
  /** Of so many that were looked at. */
  readonly ended: number;
  readonly unused: number;
  /** The longest stretch between beginning and last activity among those that were used; absent: none was. */
  readonly longestUseMs?: number;
  /** What they were granted for, most often. */
  readonly usualMs: number;
}

/** By entitlement, those that were left unused most often first. */
export function unusedOf(windows: readonly GrantWindow[], uses: readonly Use[]): readonly Unused[] {
  const seen = new Map(uses.filter(({ activities }) => activities > 0).map((use) => [use.grantId, use]));
  const all = [...Map.groupBy(windows, ({ entitlement }) => entitlement)].map(([entitlement, some]) => {
    const lengths = some.flatMap(({ grantId, startsAt }) => {
      const use = seen.get(grantId);
      return use === undefined ? [] : [Math.max(0, use.lastAt - startsAt)];
    });
    const asked = [...Map.groupBy(some, ({ durationMs }) => durationMs)].sort(([, a], [, b]) => b.length - a.length);
    return {
      entitlement,
      ended: some.length,
      unused: some.length - lengths.length,
      usualMs: asked[0]?.[0] ?? 0,
      ...(lengths.length === 0 ? {} : { longestUseMs: Math.max(...lengths) }),
    };
  });
  return all.filter(({ unused }) => unused > 0).sort((a, b) => b.unused - a.unused);
}

export function unusedSection(unused: readonly Unused[]): ReportSection | undefined {
  const some = unused.filter((one) => one.unused > 0);
  if (some.length === 0) return undefined;
  return {
    title: 'Never used',
    lines: some.slice(0, SHOWN.unused).map(({ entitlement, ended, unused: never, longestUseMs, usualMs }) => {
      const shorter = longestUseMs === undefined ? undefined : roundedUp(longestUseMs);
      const advice =
        shorter === undefined || shorter >= usualMs
          ? ''
          : `; nobody used it for longer than ${durationText(longestUseMs ?? 0)}, so ${durationText(shorter)} in place of ${durationText(usualMs)} would do`;
      return {
        lead: cut(entitlement, ENTITLEMENT_MAX),
        rest: `${countText(never)} of ${many(ended, 'grant')}${advice}`,
      };
    }),
    total: some.length,
  };
}

/** To a length that people ask for. */
function roundedUp(ms: number): number {
  const step = ms <= 3_600_000 ? 5 * 60_000 : 30 * 60_000;
  return Math.max(step, Math.ceil(ms / step) * step);
}

export interface UnsignedDigest {
  readonly day: string;
  readonly toAt: Instant;
}

/** How long security has left the digests unsigned: a control that nobody exercises is none. */
export function unsignedSection(
  unsigned: readonly UnsignedDigest[],
  most: number,
  now: Instant,
): ReportSection | undefined {
  const [oldest] = unsigned;
  if (oldest === undefined) return undefined;
  const days = Math.max(1, Math.floor((now - oldest.toAt) / 86_400_000));
  const count = unsigned.length < most ? countText(unsigned.length) : `${countText(most)} or more`;
  return {
    title: 'Digests not signed',
    lines: [
      {
        lead: `${count}, the oldest of ${oldest.day}`,
        rest: `${many(days, 'day')} unsigned`,
      },
    ],
  };
}
