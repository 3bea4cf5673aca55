/**
 * After a loss: what the directory's own log says that we added, and this record knows nothing of. Pure: from the log's
 * additions, who is there now, and the ledger, to what is to end.
 */
import { event, operation, tellSecurity } from './decision.ts';
import { claimed, unknownMembership } from './ledger.ts';
import type { Actor, Change, Instant, MembershipKey } from './model.ts';
import { PRIORITY } from './model.ts';
import type { LoggedAddition, MembershipRecord } from './ports.ts';
import { cut, timeText } from './words.ts';

/** The newest addition of each person, where it is ours: who was added by somebody else since is not. */
export function ownAdditions(additions: readonly LoggedAddition[]): readonly LoggedAddition[] {
  const newest = new Map<string, LoggedAddition>();
  for (const addition of additions) {
    const known = newest.get(addition.userId);
    if (known === undefined || addition.at >= known.at) newest.set(addition.userId, addition);
  }
  return [...newest.values()].filter(({ byUs }) => byUs);
}

/** The record says why it is there, or that it is being settled; then the log has nothing to add. */
export function isExplained({ membership, grants }: MembershipRecord): boolean {
  return grants.length > 0 || membership?.origin === 'ours' || membership?.ruling === 'adopted';
}

export interface LogFacts {
  readonly addition: LoggedAddition;
  readonly groupName: string;
  readonly record: MembershipRecord;
  readonly observe: boolean;
}

/** `recorded_permanent`: the record has it as there before us, so that a person must decide. */
export type LogCourse = 'removing' | 'would_remove' | 'recorded_permanent';

export interface LogFinding {
  readonly key: MembershipKey;
  readonly group: string;
  readonly login: string;
  readonly addedAt: Instant;
  readonly course: LogCourse;
}

const BY: Actor = { kind: 'hallpass', part: 'from-log' };

/** Of a membership that is there now, was added by us, and is not explained. */
export function decideFromLog(facts: LogFacts, now: Instant): { finding: LogFinding; changes: readonly Change[] } {
  const { addition, groupName, record, observe } = facts;
  const { key, membership } = record;
  const found = (course: LogCourse, changes: readonly Change[] = []) => ({
    finding: { key, group: groupName, login: addition.login, addedAt: addition.at, course },
    changes,
  });
  if (membership?.origin === 'baseline') return found('recorded_permanent');
  if (observe) return found('would_remove');
  const row = claimed(membership ?? unknownMembership(key, groupName, addition.login), 'from_log', now);
  return found('removing', [
    membership === undefined
      ? { put: 'membership', row: { ...row, version: 1 } }
      : { put: 'membership', row, was: membership.version },
    operation(key, now, PRIORITY.removal),
    event('membership.claimed', now, BY, {
      membership: key,
      detail: { why: 'from_log', addedAt: addition.at, from: membership?.origin ?? null, origin: row.origin },
    }),
  ]);
}

export function logFindingText({ key, group, login, addedAt, course }: LogFinding, now: Instant, zone: string): string {
  const what = `${cut(login || key.userId, 80)} in ${cut(group, 80)} (${key.directory}), added by Hallpass ${timeText(addedAt, now, zone)}, and no grant of this record says so.`;
  switch (course) {
    case 'removing':
      return `${what} It is being removed.`;
    case 'would_remove':
      return `${what} It would be removed; the directory is only observed.`;
    case 'recorded_permanent':
      return `${what} The record has it as permanent: look at it yourself.`;
  }
}

const LINES_MAX = 15;

export function tellFromLog(
  directory: string,
  findings: readonly LogFinding[],
  by: string,
  now: Instant,
  zone: string,
): Change[] {
  if (findings.length === 0) return [];
  return tellSecurity(`drift_found:from-log:${directory}:${now}`, {
    code: 'drift_found',
    severity: 'warning',
    at: now,
    directory,
    says: [
      `${by} compared the record with the log of ${directory}, as after a restored database.`,
      ...findings.slice(0, LINES_MAX).map((one) => logFindingText(one, now, zone)),
      ...(findings.length > LINES_MAX ? [`And ${findings.length - LINES_MAX} more.`] : []),
    ],
  });
}

/** That it was done, whatever it found. */
export function fromLogFinished(
  directory: string,
  since: Instant,
  operator: Actor,
  findings: readonly LogFinding[],
  failed: number,
  now: Instant,
): Change {
  const counted: Record<string, number> = {};
  for (const { course } of findings) counted[course] = (counted[course] ?? 0) + 1;
  return event('reconcile.from_log', now, operator, { detail: { directory, since, found: counted, failed } });
}
