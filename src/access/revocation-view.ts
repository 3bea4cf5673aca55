/** A revocation as it is read: what it would end, how far it is, and at the end the proof and what remains. */
import { CONFIRM_WITHIN_MS } from './decide-revocation.ts';
import type { Grant, Instant, Revocation } from './model.ts';
import type { RequestRecord } from './ports.ts';
import { countText, type ReportLine, type ReportSection, type ReportView } from './report.ts';
import { holderLine, many, NAME_MAX } from './report-lines.ts';
import type { RequestView } from './view.ts';
import { cut, durationText, listed, timeText } from './words.ts';

/** What one directory has to do, and how fast it lets us. */
export interface Load {
  readonly directory: string;
  readonly removals: number;
  /** As it last told; absent while it has not. */
  readonly perMinute?: number;
}

export interface PreviewMaterial {
  readonly revocation: Revocation;
  /** Newest first. */
  readonly records: readonly RequestRecord[];
  readonly pending: number;
  readonly groups: number;
  readonly loads: readonly Load[];
  readonly zone: string;
}

/** Assumed where a directory has not told its limit: less than any of them allows. */
const ASSUMED_PER_MINUTE = 60;
const REASON_SHOWN = 300;
const SHOWN = { preview: 30, remaining: 15, proven: 25 } as const;

export function previewReport(material: PreviewMaterial, now: Instant): ReportView {
  const { revocation, records, pending, groups, loads, zone } = material;
  const people = new Set(records.map(({ request }) => request.requester)).size;
  const time = (at: Instant) => timeText(at, now, zone);
  const ends =
    records.length === 0
      ? 'No live grant is in it.'
      : `This ends ${many(records.length, 'grant')} of ${people === 1 ? '1 person' : `${countText(people)} people`} in ${many(groups, 'group')}. ${estimate(loads)}`;
  return {
    title: `Preview: revoke ${titleOf(revocation)}`,
    severity: 'warning',
    headline: [
      ends,
      ...(pending === 0 ? [] : [`${many(pending, 'waiting request')} withdrawn with it.`]),
      revocation.scope.kind === 'person'
        ? `${cut(revocation.name, NAME_MAX)} is frozen until a responder lifts it.`
        : 'Nothing is frozen by it: freeze what nobody should get again.',
      ...(revocation.more ? ['There is more than one revocation takes; do it again afterwards.'] : []),
    ].join(' '),
    note: `Nothing has happened yet. Confirm until ${time(revocation.createdAt + CONFIRM_WITHIN_MS)}: exactly what is counted here is ended. Reason: ${cut(revocation.reason, REASON_SHOWN)}`,
    sections: [
      ...limits(revocation, time),
      ...(records.length === 0
        ? []
        : [
            {
              title: 'Would end',
              lines: records.slice(0, SHOWN.preview).map((record) => holderLine(record, time)),
              total: records.length,
            },
          ]),
    ],
  };
}

/** For each directory apart, since they work side by side: the slowest is the answer. */
function estimate(loads: readonly Load[]): string {
  const slowest = loads
    .map((load) => ({ ...load, ms: (load.removals / (load.perMinute ?? ASSUMED_PER_MINUTE)) * 60_000 }))
    .sort((a, b) => b.ms - a.ms)[0];
  if (slowest === undefined) return '';
  const { directory, removals, perMinute, ms } = slowest;
  const rate =
    perMinute === undefined
      ? `assuming ${ASSUMED_PER_MINUTE} a minute, since it has not told its limit yet`
      : `at the ${countText(perMinute)} a minute that it allows`;
  const time = ms < 5_000 ? 'A few seconds' : `About ${durationText(Math.ceil(ms / 10_000) * 10_000)}`;
  return `${time} for ${many(removals, 'removal')} in ${directory}, ${rate}.`;
}

export interface ProgressMaterial {
  readonly revocation: Revocation;
  readonly grants: readonly Grant[];
  /** Of those that are not ended, and of those that are, the first. */
  readonly remaining: readonly RequestView[];
  readonly proven: readonly RequestView[];
  /** Live grants in its scope that are none of it: they began after the preview. */
  readonly later: number;
  readonly zone: string;
}

export const PROGRESS_SHOWN = { remaining: SHOWN.remaining, proven: SHOWN.proven } as const;

export function progressReport(material: ProgressMaterial, now: Instant): ReportView {
  const { revocation, grants, remaining, proven, later, zone } = material;
  const time = (at: Instant) => timeText(at, now, zone);
  const total = grants.length;
  const of = (state: Grant['state']) => grants.filter((grant) => grant.state === state).length;
  const over = of('ended');
  const live = of('adding') + of('active');
  const failing = remaining.filter(({ severity }) => severity === 'warning').length;
  const done = over === total;
  const by = `By ${cut(revocation.by, NAME_MAX)} ${time(revocation.confirmedAt ?? revocation.createdAt)}: “${cut(revocation.reason, REASON_SHOWN)}”.`;
  const count = done
    ? total === 0
      ? 'There was no live grant to end.'
      : `All ${many(total, 'grant')} over, each proven by a read of the directory${revocation.doneAt === undefined ? '' : ` ${time(revocation.doneAt)}`}.`
    : [
        `${countText(over)} of ${many(total, 'grant')} proven over, ${countText(total - over - live)} being removed`,
        ...(live === 0 ? [] : [`, ${countText(live)} still to be ended`]),
        '.',
        ...(failing === 0
          ? []
          : [` ${many(failing, 'removal')} failing; each is tried again until it is proven, and security is told.`]),
      ].join('');
  return {
    title: `${done ? 'Revoked' : 'Revoking'} ${titleOf(revocation)}: ${countText(over)} of ${countText(total)} proven`,
    severity: done && later === 0 ? 'calm' : 'warning',
    headline: [
      count,
      by,
      ...(revocation.scope.kind === 'person'
        ? [`${cut(revocation.name, NAME_MAX)} is frozen until a responder lifts it.`]
        : []),
      ...(later === 0
        ? []
        : [
            `${many(later, 'grant')} began after the preview and ${later === 1 ? 'is' : 'are'} not in it: revoke again.`,
          ]),
    ].join(' '),
    sections: [
      ...limits(revocation, time),
      ...section('Remains', remaining, total - over),
      ...section('Over, and how it is known', proven, over),
    ],
  };
}

function section(title: string, views: readonly RequestView[], total: number): readonly ReportSection[] {
  if (views.length === 0) return [];
  const lines = views.map(
    (view): ReportLine => ({
      lead: cut(view.requesterName, NAME_MAX),
      rest: `${cut(view.entitlement, 80)} (${view.grant?.id ?? view.id}). ${cut(view.headline, 300)}`,
    }),
  );
  return [{ title, lines, total }];
}

function limits(revocation: Revocation, time: (at: Instant) => string): readonly ReportSection[] {
  const { since, except } = revocation;
  const lines = [
    ...(since === undefined ? [] : [{ lead: 'Approved since', rest: time(since) }]),
    ...(except.length === 0 ? [] : [{ lead: 'Except', rest: listed(except.map(({ name }) => cut(name, NAME_MAX))) }]),
  ];
  return lines.length === 0 ? [] : [{ title: 'Limited to', lines }];
}

function titleOf({ scope, name }: Revocation): string {
  return scope.kind === 'person' ? `all access of ${cut(name, NAME_MAX)}` : `all access to ${cut(name, NAME_MAX)}`;
}
