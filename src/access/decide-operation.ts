/**
 * What a worker does next on one membership, and what follows from what it learnt. The worker holds the operation's
 * lease, calls this, commits, makes the one call named, and comes back with the lesson, until there is nothing left
 * to do now.
 */
import { event, operationId, tellSecurity } from './decision.ts';
import { personFrozen, restsOn } from './freeze.ts';
import {
  answerLost,
  isLive,
  keyText,
  type Lesson,
  learn,
  markAddition,
  markExpiry,
  markRemoval,
  nextStep,
  recordLostAnswer,
  removalDidNotHold,
  removedOutside,
  type Step,
  sameKey,
  wishOf,
} from './ledger.ts';
import { type Ending, endGrant, settleGrant, withMembership } from './lifecycle.ts';
import type { Actor, AuditEvent, Change, Freezes, Grant, Instant, Membership, MembershipKey, Notice } from './model.ts';
import { PRIORITY } from './model.ts';
import type { GrantRecord } from './ports.ts';
import { frozenAmong } from './workload.ts';

export interface OperationFacts {
  readonly membership: Membership;
  /** Every grant that is not ended and holds the membership. */
  readonly grants: readonly GrantRecord[];
  /** Absent: nothing is being added here, so nothing rests on them. */
  readonly freezes?: Freezes;
  readonly lagMs: number;
  readonly callDeadlineMs: number;
  /** The directory ends memberships by itself. `untold`: where it turns out not to, security has not heard of that yet. */
  readonly nativeExpiry?: 'told' | 'untold';
  /** Uniform in [0, 1). */
  readonly jitter: number;
  readonly correlation: string;
}

export type OperationCall = 'read' | 'add' | 'remove' | 'expire';

export interface OperationDecision {
  readonly changes: readonly Change[];
  readonly next:
    | { readonly do: 'call'; readonly call: Exclude<OperationCall, 'expire'> }
    /** Without a time: not any more. */
    | { readonly do: 'call'; readonly call: 'expire'; readonly at?: Instant }
    | { readonly do: 'later'; readonly dueAt: Instant; readonly priority: number; readonly lastError?: string }
    | { readonly do: 'done' };
}

/** Told to security after this many failures in a row, and again when it is over. */
export const FAILURES_TOLD = 3;
const ADDITION_WAIT_MAX_MS = 60_000;
const REMOVAL_WAIT_MAX_MS = 300_000;

/**
 * Growing, capped, jittered. A vendor's own wish is honoured where it is longer. Removals are never given up; they
 * only become slower, up to once in five minutes.
 */
export function retryDelayMs(
  failures: number,
  wanted: boolean,
  jitter: number,
  retryAfterMs: number | undefined,
): number {
  const capped = Math.min(1_000 * 2 ** Math.min(failures - 1, 20), wanted ? ADDITION_WAIT_MAX_MS : REMOVAL_WAIT_MAX_MS);
  const spread = capped * (0.75 + jitter / 2);
  return Math.round(Math.max(spread, retryAfterMs === undefined ? 0 : retryAfterMs + jitter * 1_000));
}

export function decideOperation(facts: OperationFacts, lesson: Lesson | undefined, now: Instant): OperationDecision {
  const by: Actor = { kind: 'hallpass', part: 'provision' };
  const before = facts.membership;
  // The trail names every grant concerned; the first of them is the one whose story this belongs to.
  const first = facts.grants.find(({ grant }) => isLive(grant)) ?? facts.grants[0];
  const about = (row: Membership) => ({
    membership: row.key,
    correlation: facts.correlation,
    ...(first === undefined ? {} : { requestId: first.request.id, grantId: first.grant.id }),
  });
  const grants = facts.grants.map(({ grant }) => grant.id);
  const changes: Change[] = [];
  let row = before;
  let records = facts.grants;

  if (lesson === undefined && answerLost(row)) {
    row = recordLostAnswer(row);
    changes.push(
      event('membership.addition_unknown', now, by, {
        ...about(row),
        detail: { grants, origin: row.origin, error: 'stopped before the answer' },
      }),
    );
  }
  const stopped = stoppedByFreeze(facts);
  const expires = facts.nativeExpiry !== undefined;
  const wishBefore = wishOf(grantsOf(records), now, stopped, expires);
  if (lesson !== undefined) {
    row = learn(row, lesson, wishBefore, now, facts.lagMs);
    changes.push(
      event(lessonEvent(lesson, before, row), now, by, {
        ...about(row),
        detail: { grants, ...lessonDetail(lesson, row) },
      }),
    );
  }

  const settled: Change[] = [];
  if (lesson !== undefined || row !== before || needsSettling(records, row)) {
    const after = settleHolders(
      records,
      row,
      now,
      facts.lagMs,
      ({ id }) => facts.freezes !== undefined && !stopped.has(id),
    );
    settled.push(...after.changes);
    records = after.records;
  }
  changes.push(...settled.filter((change) => !concernsThis(change, row.key)));

  const wish = wishOf(grantsOf(records), now, stopped, expires);
  // An approved extension comes into force, or is sent on its way, only while nothing that covers it is frozen.
  const rests: Change[] =
    facts.freezes !== undefined && facts.grants.some(({ grant }) => grant.extending !== undefined && isLive(grant))
      ? [restsOn(facts.freezes)]
      : [];
  changes.push(...rests);
  changes.push(...notices(facts, before, row, lesson, wish.wanted, now));

  const failed = lesson?.learnt === 'failed' ? lesson : undefined;
  const step: Step = nextStep(row, wish, now, facts.lagMs);
  const didNotHold = lesson?.learnt === 'seen_present' && removalDidNotHold(row, facts.lagMs);
  // The first removal does not wait because an addition failed; only the vendor's own wish holds it up.
  const turned = step.do === 'remove' && row.removeStartedAt === undefined && failed?.retryAfterMs === undefined;
  if ((failed !== undefined || didNotHold) && step.do !== 'nothing' && !turned) {
    const wait = retryDelayMs(row.failures, wish.wanted, facts.jitter, failed?.retryAfterMs);
    const priority = wish.wanted || step.do === 'expire' ? PRIORITY.addition : PRIORITY.removal;
    return later(put(changes, before, row), now + wait, priority, row.lastError);
  }
  switch (step.do) {
    case 'nothing':
      return { changes: put(changes, before, row), next: { do: 'done' } };
    case 'wait':
      return later(put(changes, before, row), step.until, PRIORITY.proof);
    case 'read':
      return { changes: put(changes, before, row), next: { do: 'call', call: 'read' } };
    case 'add': {
      const marked = markAddition(row, now, facts.callDeadlineMs);
      changes.push(
        event('membership.addition_started', now, by, {
          ...about(row),
          detail: {
            grants,
            origin: marked.origin,
            attempt: marked.addAttempts,
            seenAbsentAt: row.seen === 'absent' ? (row.seenAt ?? null) : null,
          },
        }),
      );
      // Rests on what is frozen: an addition is not sent when a freeze came between the look and its mark.
      if (facts.freezes !== undefined && rests.length === 0) changes.push(restsOn(facts.freezes));
      return { changes: put(changes, before, marked), next: { do: 'call', call: 'add' } };
    }
    case 'expire': {
      const { at } = step;
      changes.push(
        event('membership.native_expiry_started', now, by, {
          ...about(row),
          detail: { grants, expiresAt: at ?? null },
        }),
      );
      return {
        changes: put(changes, before, markExpiry(row, at)),
        next: { do: 'call', call: 'expire', ...(at === undefined ? {} : { at }) },
      };
    }
    case 'remove':
      changes.push(
        event('membership.removal_started', now, by, {
          ...about(row),
          detail: { grants, origin: row.origin, failures: row.failures },
        }),
      );
      return {
        changes: put(changes, before, markRemoval(row, now, facts.callDeadlineMs)),
        next: { do: 'call', call: 'remove' },
      };
  }
}

/** One grant after the other: when two end in one decision, the second must see that the first no longer holds. */
export function settleHolders(
  held: readonly GrantRecord[],
  row: Membership,
  now: Instant,
  lagMs: number,
  mayExtend: (grant: Grant) => boolean = () => false,
): { readonly changes: readonly Change[]; readonly records: readonly GrantRecord[] } {
  const changes: Change[] = [];
  let records = held;
  for (const { grant } of held) {
    const record = records.find((candidate) => candidate.grant.id === grant.id);
    if (record === undefined) continue;
    const effects = settleGrant(withMembership(record, row), now, lagMs, mayExtend(record.grant));
    changes.push(...effects);
    records = records.map((other) => withRows(other, effects));
  }
  return { changes, records };
}

/** Grants that a freeze covers: what was not sent for them by then is not sent any more. */
function stoppedByFreeze({ freezes, grants }: OperationFacts): ReadonlySet<string> {
  if (freezes === undefined || freezes.live.length === 0) return new Set();
  // A revocation ends its own grants; those beside them in its scope are added as ever.
  const lasting = { ...freezes, live: freezes.live.filter(({ sweeping }) => sweeping === undefined) };
  const frozen = grants.filter(
    ({ grant, request }) =>
      (request.breakGlass === 'under_freeze' ? personFrozen(lasting, grant.holder) : frozenAmong(lasting, request)) !==
      undefined,
  );
  return new Set(frozen.map(({ grant }) => grant.id));
}

/** This row is put once, at the end, and this operation is held by the caller: neither is changed on the way. */
export function concernsThis(change: Change, key: MembershipKey): boolean {
  if (!('put' in change)) return false;
  if (change.put === 'membership') return sameKey(change.row.key, key);
  return change.put === 'job' && change.row.id === operationId(key);
}

function later(changes: readonly Change[], dueAt: Instant, priority: number, lastError?: string): OperationDecision {
  return { changes, next: { do: 'later', dueAt, priority, ...(lastError === undefined ? {} : { lastError }) } };
}

/**
 * Three things follow without any call: a membership that is there already (another grant's, or a baseline) starts a
 * grant, one that a newer grant took over lets an ending one end, and one whose own end was moved lets an extension
 * come into force.
 */
function needsSettling(records: readonly GrantRecord[], row: Membership): boolean {
  const taken = row.origin !== 'ours' || records.some(({ grant }) => isLive(grant));
  return records.some(({ grant }) =>
    grant.state === 'ending'
      ? taken
      : grant.extending !== undefined || (grant.state === 'adding' && row.origin !== 'none' && !unread(row)),
  );
}

/** A baseline that a new grant has not looked at yet. */
function unread(row: Membership): boolean {
  return row.origin === 'baseline' && row.seen === undefined;
}

/** The row is always put, one version on: whoever else decided on it in the meantime must decide again. */
function put(changes: readonly Change[], before: Membership, row: Membership): Change[] {
  return [...changes, { put: 'membership', row: { ...row, version: before.version + 1 }, was: before.version }];
}

function grantsOf(records: readonly GrantRecord[]): readonly Grant[] {
  return records.map(({ grant }) => grant);
}

/** Ends several grants in one commit, one after the other: those that share a membership put its row in turn. */
export function endGrants(
  records: readonly GrantRecord[],
  ending: Ending | ((record: GrantRecord) => Ending),
  now: Instant,
): Change[] {
  const changes: Change[] = [];
  /** What was put so far: only a membership that is shared is put twice. */
  const rows: Change[] = [];
  for (const record of records) {
    const held = rows.length === 0 ? record : withRows(record, rows);
    const more = endGrant(held, typeof ending === 'function' ? ending(record) : ending, now);
    changes.push(...more);
    rows.push(...more.filter((change) => 'put' in change && (change.put === 'grant' || change.put === 'membership')));
  }
  return changes;
}

/** The record as it is after some rows were put: each put must follow on the one before it. */
function withRows(record: GrantRecord, changes: readonly Change[]): GrantRecord {
  const grants = changes.flatMap((change) => ('put' in change && change.put === 'grant' ? [change.row] : []));
  const rows = changes.flatMap((change) => ('put' in change && change.put === 'membership' ? [change.row] : []));
  const newest = (grant: Grant) => grants.findLast((row) => row.id === grant.id) ?? grant;
  return {
    ...record,
    grant: newest(record.grant),
    memberships: record.memberships.map((held) => {
      const row = rows.findLast((one) => sameKey(one.key, held.key)) ?? held.membership;
      return { ...held, ...(row === undefined ? {} : { membership: row }), grants: held.grants.map(newest) };
    }),
  };
}

function lessonEvent(lesson: Lesson, before: Membership, row: Membership): string {
  switch (lesson.learnt) {
    case 'seen_present':
      return before.origin === 'none' && row.origin === 'baseline' ? 'membership.baseline_found' : 'membership.seen';
    case 'seen_absent':
      if (before.origin === 'ours' && row.origin === 'none') return 'membership.proven_absent';
      return before.origin === 'baseline' ? 'membership.baseline_gone' : 'membership.seen_absent';
    case 'added':
      return 'membership.added';
    case 'already_member':
      return row.origin === 'baseline' ? 'membership.baseline_found' : 'membership.added';
    case 'removed':
      return 'membership.removed';
    case 'expiry_set':
      return lesson.at === undefined ? 'membership.native_expiry_lifted' : 'membership.native_expiry_set';
    case 'expiry_unavailable':
      return 'membership.native_expiry_unavailable';
    case 'failed':
      if (lesson.call === 'expire') return 'membership.native_expiry_failed';
      if (lesson.call === 'read') return 'membership.read_failed';
      if (lesson.call === 'remove') return 'membership.removal_failed';
      if (lesson.effect === 'unknown') return 'membership.addition_unknown';
      return row.addOutcome === 'refused' ? 'membership.addition_refused' : 'membership.addition_failed';
  }
}

function lessonDetail(lesson: Lesson, row: Membership): AuditEvent['detail'] {
  const standing = { origin: row.origin, failures: row.failures };
  if (lesson.learnt === 'failed')
    return { ...standing, call: lesson.call, code: lesson.code, effect: lesson.effect, error: lesson.error };
  if (lesson.learnt === 'seen_absent' || lesson.learnt === 'seen_present')
    return { ...standing, readAt: lesson.readAt };
  if (lesson.learnt === 'expiry_set') return { ...standing, expiresAt: lesson.at ?? null };
  return { ...standing, answer: lesson.learnt };
}

/** Who is told of trouble: security, and for removals also the alert webhook, which does not depend on chat. */
function notices(
  facts: OperationFacts,
  before: Membership,
  row: Membership,
  lesson: Lesson | undefined,
  wanted: boolean,
  now: Instant,
): Change[] {
  if (lesson === undefined) return [];
  const id = `${keyText(row.key)}:${row.version}`;
  const grant = concerned(facts.grants, row.key, wanted);
  const base = {
    at: now,
    group: row.groupName,
    directory: row.key.directory,
    failures: row.failures,
    ...(row.lastError === undefined ? {} : { error: row.lastError }),
    ...(row.lastErrorCode === undefined ? {} : { errorCode: row.lastErrorCode }),
    ...(grant === undefined
      ? {}
      : {
          grantId: grant.grant.id,
          requestId: grant.request.id,
          holderName: grant.grant.holderName,
          entitlement: grant.grant.entitlement,
        }),
  } satisfies Omit<Notice, 'code' | 'severity'>;
  const tell = (code: Notice['code'], severity: Notice['severity'], more: Partial<Notice> = {}) =>
    tellSecurity(`${code}:${id}`, { ...base, ...more, code, severity });

  if (lesson.learnt === 'failed' || (lesson.learnt === 'seen_present' && removalDidNotHold(row, facts.lagMs))) {
    const reached = row.failures === FAILURES_TOLD;
    if (lesson.learnt === 'failed' && lesson.call === 'expire')
      return reached ? tell('native_expiry_failing', 'warning') : [];
    if (lesson.learnt === 'failed' && lesson.call === 'add') {
      // Also when this very refusal has just ended the last grant that wanted it.
      if (row.addOutcome === 'refused') return tell('addition_abandoned', 'warning');
      if (!wanted) return [];
    }
    if (!wanted) return reached ? tell('removal_failing', 'critical') : [];
    // A credential that is refused is everybody's problem at once: no need to wait for the third time.
    const locked = row.failures === 1 && row.lastErrorCode === 'unauthorized';
    return reached || locked ? tell('addition_failing', 'warning') : [];
  }
  if (lesson.learnt === 'expiry_unavailable') {
    if (facts.nativeExpiry !== 'untold') return [];
    const { directory } = row.key;
    return [
      // Whoever puts this first tells it.
      { put: 'pin', row: { space: 'told', name: nativeExpiryTold(directory), id: String(now), pinnedAt: now } },
      ...tellSecurity(`native_expiry_unavailable:${directory}`, {
        code: 'native_expiry_unavailable',
        severity: 'warning',
        at: now,
        directory,
      }),
    ];
  }
  if (row.provenAbsentAt !== undefined && before.failures >= FAILURES_TOLD)
    return tell('removal_recovered', 'info', { failures: before.failures });
  if (removedOutside(row, facts.lagMs)) return tell('removed_outside', 'warning');
  return [];
}

/** Where it is noted that security has heard that a directory ends no membership by itself. */
export function nativeExpiryTold(directory: string): string {
  return `native-expiry:${directory}`;
}

function concerned(grants: readonly GrantRecord[], key: MembershipKey, wanted: boolean): GrantRecord | undefined {
  const holds = grants.filter((record) => record.grant.memberships.some((held) => sameKey(held, key)));
  return holds.find((record) => isLive(record.grant) === wanted) ?? holds[0];
}
