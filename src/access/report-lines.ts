/** Lines that several reports share: who holds it, and who is there without a grant. */
import type { Instant } from './model.ts';
import type { GroupStanding, RequestRecord } from './ports.ts';
import { countText, type ReportLine, type ReportSection } from './report.ts';
import { cut, durationText, listed } from './words.ts';

export const NAME_MAX = 60;
export const REASON_MAX = 100;
export const ENTITLEMENT_MAX = 80;
const NAMES_IN_GROUP = 5;
const GROUPS_SHOWN = 12;

/** Who is in the governed groups without a grant. */
export function standingSection(standing: readonly GroupStanding[]): ReportSection | undefined {
  if (standing.length === 0) return undefined;
  const unknown = standing.filter((group) => group.members === undefined);
  const some = standing
    .filter((group) => (group.members?.length ?? 0) > 0)
    .sort((a, b) => (b.members?.length ?? 0) - (a.members?.length ?? 0));
  const none = standing.length - unknown.length - some.length;
  const told = [...unknown, ...some];
  return {
    title: 'Standing members, without a grant',
    lines: told.slice(0, GROUPS_SHOWN).map((group) => ({
      lead: cut(`${group.group} in ${group.directory}`, 140),
      rest: group.members === undefined ? `not known: ${cut(group.error ?? 'no answer', 160)}` : namesOf(group.members),
    })),
    total: told.length,
    ...(none === 0
      ? {}
      : {
          note: `Nobody in ${told.length > 0 ? `${countText(none)} other ${none === 1 ? 'group' : 'groups'}` : many(none, 'group')}`,
        }),
  };
}

export function standingSentence(standing: readonly GroupStanding[]): string {
  const unknown = standing.filter((group) => group.members === undefined);
  const some = standing.filter((group) => (group.members?.length ?? 0) > 0);
  const count = some.reduce((sum, group) => sum + (group.members?.length ?? 0), 0);
  const parts = [
    ...(standing.length === 0 || unknown.length === standing.length
      ? []
      : count === 0
        ? ['Nobody is a standing member of a governed group.']
        : [
            some.length <= 2
              ? `${many(count, 'standing member')}: ${some.map((group) => `${namesOf(group.members ?? [])} in ${cut(group.group, 80)}`).join('; ')}.`
              : `${many(count, 'standing member')} in ${many(some.length, 'group')}.`,
          ]),
    ...(unknown.length === 0
      ? []
      : [`Who is in ${listed(unknown.map((group) => cut(group.group, 80)))} could not be asked.`]),
  ];
  return parts.join(' ');
}

function namesOf(members: readonly string[]): string {
  const shown = members.slice(0, NAMES_IN_GROUP).map((name) => cut(name, NAME_MAX));
  const more = members.length - shown.length;
  return `${shown.join(', ')}${more > 0 ? ` and ${countText(more)} more` : ''}`;
}

/** What is frozen, a line each: above everything else, since it explains the rest. */
export function frozenSection(lines: readonly string[] | undefined): readonly ReportSection[] {
  if (lines === undefined || lines.length === 0) return [];
  return [{ title: 'Frozen', lines: lines.map((lead) => ({ lead, rest: '' })) }];
}

/** Who holds it, until when, by whose word. */
export function holderLine(
  { request, approvals, grant }: RequestRecord,
  time: (at: Instant) => string,
  withReason = false,
): ReportLine {
  const end = grant === undefined ? request.lapsesAt : (grant.expiresAt ?? grant.hardEndAt);
  const until =
    grant?.state === 'adding'
      ? 'being added'
      : grant?.state === 'ending'
        ? `over, being removed since ${time(grant.endingAt ?? end)}`
        : `until ${time(end)}`;
  const why = withReason ? `: ${cut(request.reason, REASON_MAX) || 'no reason given'}` : '';
  return {
    lead: cut(request.requesterName, NAME_MAX),
    rest: `${cut(request.entitlement, ENTITLEMENT_MAX)} ${until} (${grant?.id ?? request.id})${byWhom({ request, approvals })}${why}`,
  };
}

export function byWhom({ request, approvals }: Pick<RequestRecord, 'request' | 'approvals'>): string {
  const names = approvals
    .filter((answer) => answer.answer === 'approved' && answer.digest === request.digest)
    .map((answer) => cut(answer.approverName, NAME_MAX));
  return names.length === 0 ? '' : `, approved by ${listed(names)}`;
}

/** Seconds matter for seconds; after hours they are noise. */
export function roughly(ms: number): string {
  return durationText(ms < 60_000 ? ms : ms - (ms % 60_000));
}

export function many(count: number, what: string): string {
  return `${countText(count)} ${what}${count === 1 ? '' : 's'}`;
}
