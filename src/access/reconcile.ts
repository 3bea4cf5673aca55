/**
 * Reconciliation of one governed group: what grants want, what the ledger holds, and who the directory lists. Pure: from
 * those three to drift, and to what follows from it by what the operator configured.
 *
 * The ledger wins over a listing: whatever was sent or is owed by us explains what is seen, for as long as a read may
 * lag behind it. What is observed never becomes baseline or ours by itself; where the configuration or an admin says so,
 * it is an event of its own.
 */
import { event, operation, tellSecurity } from './decision.ts';
import {
  absenceProves,
  baselineGone,
  claimed,
  expiredNatively,
  isLive,
  keyText,
  lookAgain,
  madePermanent,
  unknownMembership,
} from './ledger.ts';
import type { Actor, Change, Drift, DriftClass, Grant, Instant, Membership, MembershipKey } from './model.ts';
import { PRIORITY } from './model.ts';
import type { MembershipRecord } from './ports.ts';
import { cut, listed, timeText } from './words.ts';

/** What to do about each class, as configured for the directory. Everything else is told. */
export interface DriftRules {
  /** Reports what would be removed, and removes nothing. */
  readonly observe: boolean;
  /** Of a group marked `exclusive`; nowhere else is a member without a grant drift. */
  readonly unknownMember: 'tell' | 'adopt' | 'remove';
  /** `remove` waits so long after it was first found. */
  readonly removeAfterMs: number;
  /** `end`: the ledger looks for itself, and ends the grant when it finds the same. */
  readonly missingMember: 'tell' | 'end';
}

export const TELL_ONLY: DriftRules = { observe: false, unknownMember: 'tell', removeAfterMs: 0, missingMember: 'tell' };

export interface ListedMember {
  readonly id: string;
  readonly login: string;
}

export interface GroupFacts {
  readonly directory: string;
  readonly groupId: string;
  readonly groupName: string;
  readonly exclusive: boolean;
  /** `gone`: the directory has no such group. The listing is older than the ledger below, never newer. */
  readonly listed: { readonly members: readonly ListedMember[]; readonly readAt: Instant } | 'gone';
  /** What the ledger holds of the group, less what was proven gone long ago. */
  readonly records: readonly MembershipRecord[];
  /** Memberships whose absence from the listing a read of their own has confirmed. */
  readonly absent: ReadonlySet<string>;
  /** What was found before and is still open. */
  readonly known: readonly Drift[];
  readonly lagMs: number;
}

/** What became of a finding now. `waits`: it is removed at `actAt`. `too_many`: it would be, but for the others. */
export type DriftCourse =
  | 'told'
  | 'adopted'
  | 'waits'
  | 'would_remove'
  | 'too_many'
  | 'removing'
  | 'ending'
  | 'forgotten';

export interface DriftFinding {
  readonly drift: Drift;
  readonly course: DriftCourse;
  readonly actAt?: Instant;
  /** Not told before. */
  readonly fresh: boolean;
  /** The live grants that a missing membership, or a missing group, leaves without access. */
  readonly grants: readonly string[];
}

export interface GroupDecision {
  readonly findings: readonly DriftFinding[];
  readonly changes: readonly Change[];
}

/** More than this in one group at once is more likely a mistake in the file than so many intruders: only told. */
export const REMOVALS_AT_ONCE = 25;

const BY: Actor = { kind: 'hallpass', part: 'reconcile' };

/** Whom the listing misses although the ledger says that they are there. Only a read of their own makes it drift. */
export function missingFrom(facts: Omit<GroupFacts, 'absent' | 'known'>): readonly MembershipKey[] {
  const { listed, records, lagMs } = facts;
  if (listed === 'gone') return [];
  const seen = new Set(listed.members.map(({ id }) => id));
  return records.flatMap(({ key, membership, grants }) =>
    membership !== undefined &&
    !seen.has(key.userId) &&
    (membership.origin === 'baseline' || settledIn(membership, grants, listed.readAt, lagMs))
      ? [key]
      : [],
  );
}

/** Added, accepted, long enough ago that a read shows it, wanted, and not being removed. */
function settledIn(row: Membership, grants: readonly Grant[], readAt: Instant, lagMs: number): boolean {
  return (
    row.origin === 'ours' &&
    row.addOutcome === 'accepted' &&
    row.removeStartedAt === undefined &&
    grants.some((grant) => grant.state === 'active') &&
    !expiredNatively(row, readAt) &&
    absenceProves(row, readAt, lagMs)
  );
}

export function reconcileGroup(facts: GroupFacts, rules: DriftRules, now: Instant, atOnce = REMOVALS_AT_ONCE) {
  const found = facts.listed === 'gone' ? groupGone(facts, now) : membersDrift(facts, facts.listed, rules, now, atOnce);
  const open = new Set(found.map(({ drift }) => drift.id));
  const over = facts.known.filter((drift) => !open.has(drift.id));
  const changes = found.flatMap((finding) => follow(finding, facts, now));
  return {
    findings: found,
    changes: [
      ...changes,
      ...over.flatMap((drift): Change[] => [
        { drop: 'drift', id: drift.id },
        event('drift.over', now, BY, { ...about(drift), detail: { class: drift.class, sinceAt: drift.sinceAt } }),
      ]),
    ],
  } satisfies GroupDecision;
}

function groupGone(facts: GroupFacts, now: Instant): readonly DriftFinding[] {
  const { directory, groupId } = facts;
  const held = facts.records.filter(({ membership }) => membership?.origin === 'ours');
  const grants = [...new Set(held.flatMap((record) => record.grants.map(({ id }) => id)))];
  const key = { directory, groupId, userId: '' };
  return [finding(facts, 'group_gone', key, '', grants, now, 'told')];
}

function membersDrift(
  facts: GroupFacts,
  listed: { readonly members: readonly ListedMember[]; readonly readAt: Instant },
  rules: DriftRules,
  now: Instant,
  atOnce: number,
): readonly DriftFinding[] {
  const rows = new Map(facts.records.map((record) => [record.key.userId, record]));
  const findings: DriftFinding[] = [];
  for (const key of missingFrom(facts)) {
    if (!facts.absent.has(keyText(key))) continue;
    const { membership, grants = [] } = rows.get(key.userId) ?? {};
    if (membership === undefined) continue;
    const live = grants.filter(isLive).map(({ id }) => id);
    findings.push(
      membership.origin === 'baseline'
        ? finding(facts, 'baseline_gone', key, membership.login, live, now, 'forgotten')
        : finding(
            facts,
            'missing_member',
            key,
            membership.login,
            live,
            now,
            rules.missingMember === 'end' ? 'ending' : 'told',
          ),
    );
  }
  if (!facts.exclusive) return findings;
  const unknown = listed.members.filter(({ id }) => !explained(rows.get(id), listed.readAt, facts.lagMs));
  const due: DriftFinding[] = [];
  for (const { id, login } of unknown) {
    const key = { directory: facts.directory, groupId: facts.groupId, userId: id };
    const one = finding(facts, 'unknown_member', key, login, [], now, 'told');
    if (rules.unknownMember === 'adopt') findings.push({ ...one, course: rules.observe ? 'told' : 'adopted' });
    else if (rules.unknownMember === 'tell') findings.push(one);
    else {
      const actAt = one.drift.sinceAt + rules.removeAfterMs;
      const course: DriftCourse = rules.observe ? 'would_remove' : now < actAt ? 'waits' : 'removing';
      const planned = { ...one, actAt, course };
      if (course === 'removing') due.push(planned);
      else findings.push(planned);
    }
  }
  return [...findings, ...due.map((one): DriftFinding => (due.length > atOnce ? { ...one, course: 'too_many' } : one))];
}

/** The ledger knows why somebody is in the group, or why a listing may still show them. */
function explained(record: MembershipRecord | undefined, readAt: Instant, lagMs: number): boolean {
  const row = record?.membership;
  if (record === undefined || row === undefined) return false;
  // A grant that is about to be added, or whose own look found a permanent member, is settled by that look first.
  if (record.grants.length > 0) return true;
  if (row.origin === 'ours') return true;
  if (row.origin === 'baseline') return row.ruling === 'adopted';
  return row.removeAcceptedAt !== undefined && Math.abs(readAt - row.removeAcceptedAt) <= lagMs + LISTED_STILL_MS;
}

/** Directories answer listings from copies: somebody removed this recently may still be in one. */
export const LISTED_STILL_MS = 10 * 60_000;

function finding(
  facts: GroupFacts,
  what: DriftClass,
  key: MembershipKey,
  login: string,
  grants: readonly string[],
  now: Instant,
  course: DriftCourse,
): DriftFinding {
  const id = `${what}:${keyText(key)}`;
  const before = facts.known.find((one) => one.id === id);
  const drift: Drift = { id, class: what, key, groupName: facts.groupName, login, sinceAt: before?.sinceAt ?? now };
  return { drift, course, fresh: before === undefined, grants };
}

function follow(one: DriftFinding, facts: GroupFacts, now: Instant): Change[] {
  const { drift, course, fresh, grants } = one;
  const before = facts.records.find(({ key }) => keyText(key) === keyText(drift.key))?.membership;
  const row = before ?? unknownMembership(drift.key, drift.groupName, drift.login);
  const detail = { class: drift.class, course, sinceAt: drift.sinceAt, grants, exclusive: facts.exclusive };
  const found: Change[] = fresh ? [event('drift.found', now, BY, { ...about(drift), detail })] : [];
  const kept: Change[] = fresh ? [{ put: 'drift', row: drift }] : [];
  const closed: Change[] = fresh ? [] : [{ drop: 'drift', id: drift.id }];
  const put = (changed: Membership): Change => ({
    put: 'membership',
    row: before === undefined ? { ...changed, version: 1 } : changed,
    ...(before === undefined ? {} : { was: before.version }),
  });
  switch (course) {
    case 'told':
    case 'waits':
    case 'would_remove':
    case 'too_many':
      return [...found, ...kept];
    case 'forgotten':
      return [
        ...found,
        ...closed,
        put(baselineGone(row, now)),
        event('membership.baseline_gone', now, BY, {
          ...about(drift),
          detail: { origin: baselineGone(row, now).origin },
        }),
      ];
    case 'adopted':
      return [
        ...found,
        ...closed,
        put(madePermanent(row, now)),
        event('membership.adopted', now, BY, {
          ...about(drift),
          detail: { by: 'drift.unknownMember: adopt', origin: madePermanent(row, now).origin },
        }),
      ];
    case 'ending':
      return [...found, ...kept, put(lookAgain(row)), operation(drift.key, now, PRIORITY.proof)];
    case 'removing':
      return [
        ...found,
        ...closed,
        put(claimed(row, 'unknown_member', now)),
        operation(drift.key, now, PRIORITY.removal),
        event('membership.claimed', now, BY, {
          ...about(drift),
          detail: { ...detail, from: row.origin, origin: claimed(row, 'unknown_member', now).origin },
        }),
      ];
  }
}

function about(drift: Drift) {
  return drift.class === 'group_gone' ? {} : { membership: drift.key };
}

const LINES_MAX = 15;

/** The worst first: what is to be removed, then what is missing, then the rest. */
const WORST: Record<DriftCourse, number> = {
  too_many: 0,
  removing: 1,
  waits: 2,
  would_remove: 3,
  told: 4,
  ending: 5,
  adopted: 6,
  forgotten: 7,
};

export function worstFirst(findings: readonly DriftFinding[]): readonly DriftFinding[] {
  return [...findings].sort((a, b) => WORST[a.course] - WORST[b.course]);
}

/** One sentence: who, where, what differs, and what happens next. */
export function findingText({ drift, course, actAt, grants }: DriftFinding, now: Instant, zone: string): string {
  const group = `${cut(drift.groupName, 80)} in ${drift.key.directory}`;
  const who = cut(drift.login || drift.key.userId, 80);
  const held = grants.length === 0 ? '' : ` (${listed(grants)})`;
  switch (drift.class) {
    case 'unknown_member':
      return `${who} is in ${group}, which holds nobody without a grant. ${UNKNOWN_NEXT[course] ?? `It is removed ${timeText(actAt ?? now, now, zone)}.`}`;
    case 'missing_member':
      return `${who} is not in ${group} although a live grant says so${held}. ${course === 'ending' ? 'It is looked at again, and the grant ends if that is so.' : 'Nothing is done; the grant ends at its time.'}`;
    case 'baseline_gone':
      return `${who}, a permanent member of ${group}, is no longer in it. The record says so now.`;
    case 'group_gone':
      return `The group ${group} no longer exists${held === '' ? '' : `, and grants hold it${held}`}. ${held === '' ? 'Requests for it are refused.' : 'Once they are over: hallpass resolve <id> <reason>.'}`;
  }
}

const UNKNOWN_NEXT: { readonly [K in DriftCourse]?: string } = {
  told: 'Nothing is done.',
  adopted: 'It counts as permanent from now on.',
  would_remove: 'It would be removed; the directory is only observed.',
  too_many: 'There are too many of them to remove without a person: hallpass reconcile --apply.',
  removing: 'It is being removed.',
};

/** One message for a directory, and only when something is new in it. */
export function tellDrift(directory: string, findings: readonly DriftFinding[], now: Instant, zone: string): Change[] {
  const news = worstFirst(findings.filter(({ fresh, course }) => fresh || course === 'removing'));
  if (news.length === 0) return [];
  return tellSecurity(`drift_found:${directory}:${now}`, {
    code: 'drift_found',
    severity: news.some(({ course }) => course !== 'forgotten' && course !== 'adopted') ? 'warning' : 'info',
    at: now,
    directory,
    says: [
      `${news.length === 1 ? 'One difference' : `${news.length} differences`} found in ${directory}. See them all with hallpass reconcile on the host.`,
      ...news.slice(0, LINES_MAX).map((one) => findingText(one, now, zone)),
      ...(news.length > LINES_MAX ? [`And ${news.length - LINES_MAX} more.`] : []),
    ],
  });
}
