/**
 * The ledger of one membership: what is owed on it, what each answer of the directory proves, and nothing else.
 *
 * Pure and level-triggered. `nextStep` looks at what is known and what is wanted and names one call; `mark` is committed
 * before that call is sent; `learn` takes the answer. A crash between any two of them leaves a row from which
 * `nextStep` goes on.
 *
 * The order of writes and reads never rests on comparing instants (the wall clock may step): a mark or an accepted
 * write clears `seen`, so whatever `seen` says was read since.
 */
import type { DirectoryErrorCode, Grant, Instant, Membership, MembershipKey } from './model.ts';

export interface Wish {
  /** A live grant holds it. */
  readonly wanted: boolean;
  /** One of them may still be added (`addBy` has not passed). */
  readonly mayAdd: boolean;
  /** All of them are past their end, which nobody has come to yet. */
  readonly over?: true;
  /** When the directory is to end it by itself; absent where it does no such thing. */
  readonly nativeExpiryAt?: Instant;
}

export type Step =
  | { readonly do: 'nothing' }
  | { readonly do: 'wait'; readonly until: Instant }
  | { readonly do: 'read' }
  | { readonly do: 'add' }
  | { readonly do: 'remove' }
  /** Without a time: the directory is not to end it by itself any more. */
  | { readonly do: 'expire'; readonly at?: Instant };

/** What a call to the directory taught us. `failed.effect` as in `DirectoryError`. */
export type Lesson =
  | { readonly learnt: 'seen_present' | 'seen_absent'; readonly readAt: Instant }
  | { readonly learnt: 'added' | 'already_member' | 'removed' }
  /** The directory accepted when it ends it by itself; without a time, that it does not. */
  | { readonly learnt: 'expiry_set'; readonly at?: Instant }
  | { readonly learnt: 'expiry_unavailable' }
  | {
      readonly learnt: 'failed';
      readonly call: 'read' | 'add' | 'remove' | 'expire';
      readonly code: DirectoryErrorCode;
      readonly effect: 'none' | 'unknown';
      readonly error: string;
      readonly retryAfterMs?: number;
    };

/** A read this fresh needs no repetition before its addition; longer than a slow read takes, which would never be fresh. */
const FRESH_READ_MS = 30_000;
/**
 * A call is sent at most this long after the mark from which its deadline is reckoned; added to that deadline before
 * absence counts. A database that takes longer to say that the mark is kept has the call put off.
 */
export const UNKNOWN_MARGIN_MS = 5_000;

/**
 * A directory that ends memberships by itself is to do so this long after our own end: late enough that a removal which
 * is retried comes first, soon enough for a day on which nothing of ours runs.
 */
export const NATIVE_EXPIRY_AFTER_MS = 5 * 60_000;

/** No wait is longer: what is waited for is looked at again from time to time, whatever the clock did. */
const WAIT_MAX_MS = 60_000;

export function keyText(key: MembershipKey): string {
  return `${key.directory}:${key.groupId}:${key.userId}`;
}

export function sameKey(a: MembershipKey, b: MembershipKey): boolean {
  return a.directory === b.directory && a.groupId === b.groupId && a.userId === b.userId;
}

export function isLive(grant: Grant): boolean {
  return grant.state === 'adding' || grant.state === 'active';
}

/** `stopped`: grants for which nothing more is opened. `expires`: the directory ends memberships by itself. */
export function wishOf(
  holders: readonly Grant[],
  now: Instant,
  stopped: ReadonlySet<string> = new Set(),
  expires = false,
): Wish {
  const live = holders.filter(isLive);
  const adds = (grant: Grant) => grant.state === 'adding' && now < grant.addBy && !stopped.has(grant.id);
  const ends = live.map((grant) => {
    const end = grant.expiresAt ?? grant.hardEndAt;
    return { end, until: stopped.has(grant.id) ? end : Math.max(end, grant.extending?.toAt ?? end) };
  });
  return {
    wanted: live.length > 0,
    mayAdd: live.some(adds),
    ...(live.length > 0 && ends.every(({ end }) => now >= end) ? { over: true as const } : {}),
    ...(expires && live.length > 0
      ? { nativeExpiryAt: Math.max(...ends.map(({ until }) => until)) + NATIVE_EXPIRY_AFTER_MS }
      : {}),
  };
}

export function unknownMembership(key: MembershipKey, groupName: string, login: string): Membership {
  return { key, version: 1, groupName, login, origin: 'none', addAttempts: 0, failures: 0 };
}

/** A mark without an outcome: the process ended between the mark and the answer. */
export function answerLost(row: Membership): boolean {
  return row.origin === 'ours' && row.addStartedAt !== undefined && row.addOutcome === undefined;
}

export function nextStep(row: Membership, wish: Wish, now: Instant, lagMs: number): Step {
  return wish.wanted ? towardsPresent(row, wish, now, lagMs) : towardsAbsent(row, now, lagMs);
}

function towardsPresent(row: Membership, wish: Wish, now: Instant, lagMs: number): Step {
  switch (row.origin) {
    case 'baseline':
      if (expiryToLift(row)) return { do: 'expire' };
      // The permanent membership may have been taken away since: `readyForGrant` forgets the old read.
      return wish.mayAdd && row.seen === undefined ? { do: 'read' } : { do: 'nothing' };
    case 'none': {
      if (!wish.mayAdd || row.addOutcome === 'refused') return { do: 'nothing' };
      const fresh =
        row.seen === 'absent' && row.seenAt !== undefined && now >= row.seenAt && now - row.seenAt <= FRESH_READ_MS;
      return fresh ? { do: 'add' } : { do: 'read' };
    }
    case 'ours': {
      const uncertain = row.addOutcome !== 'accepted' || row.removeStartedAt !== undefined;
      if (uncertain) {
        // A late removal of our own took it away from a grant that already runs: putting it back starts nothing new.
        const undone = row.addOutcome === 'unknown' && row.seen === 'absent' && row.missingSinceAt === undefined;
        if (wish.mayAdd || (undone && wish.over !== true)) return { do: 'add' };
        // Too late to send another addition. What is there is found out by looking.
        return row.seen === undefined ? { do: 'read' } : { do: 'nothing' };
      }
      // Somebody else took it away: its grants end, and nothing more is learnt by looking.
      if (removedOutside(row, lagMs)) return { do: 'nothing' };
      const settlesAt = removalsSettleAt(row, lagMs);
      if (row.seen === 'present' && expiryDue(row, wish)) return { do: 'expire', at: wish.nativeExpiryAt };
      if (row.seen === 'present')
        // A removal whose answer was lost may land after this addition: look once more when it no longer can.
        return settlesAt === undefined || (row.seenAt ?? 0) > settlesAt ? { do: 'nothing' } : readAfter(settlesAt, now);
      if (row.seen === 'absent') {
        if (row.missingSinceAt !== undefined) return readAfter(row.missingSinceAt + lagMs, now);
        if (settlesAt !== undefined) return readAfter(settlesAt, now);
      }
      return { do: 'read' };
    }
  }
}

function towardsAbsent(row: Membership, now: Instant, lagMs: number): Step {
  if (row.origin === 'baseline' && expiryToLift(row)) return { do: 'expire' };
  // Baseline is not ours to remove, and `none` is either proven gone or was never added.
  if (row.origin !== 'ours') return { do: 'nothing' };
  if (row.removeStartedAt === undefined || row.removeOutcome !== 'accepted') return { do: 'remove' };
  if (row.seen === undefined) return { do: 'read' };
  if (row.seen === 'absent') return readAfter(absenceCountsFrom(row, lagMs), now);
  // Still seen: within the lag that may be an old answer, after it the removal did not hold.
  const settled = (row.removeAcceptedAt ?? now) + lagMs;
  if ((row.seenAt ?? 0) > settled) return { do: 'remove' };
  // Only a clock that stepped back leaves more than the lag to wait for: sent again, the removal counts from now.
  return settled > now + lagMs ? { do: 'remove' } : readAfter(settled, now);
}

function expiryDue(row: Membership, wish: Wish): wish is Wish & { readonly nativeExpiryAt: Instant } {
  if (wish.nativeExpiryAt === undefined || row.nativeExpiryOutcome === 'unavailable') return false;
  return row.nativeExpiryAt !== wish.nativeExpiryAt || row.nativeExpirySent !== undefined;
}

/** It was made permanent, and the directory would still end it. */
function expiryToLift(row: Membership): boolean {
  return expiresNatively(row) && row.nativeExpiryOutcome !== 'unavailable';
}

/** The directory ends it by itself, or may. */
export function expiresNatively(row: Membership): boolean {
  return row.nativeExpiryAt !== undefined || row.nativeExpirySent !== undefined;
}

/** The directory has accepted to leave it until after this end, or does not end it by itself. */
export function lastsUntil(row: Membership, end: Instant): boolean {
  if (row.origin !== 'ours' || !expiresNatively(row)) return true;
  return row.nativeExpirySent === undefined && (row.nativeExpiryAt ?? 0) >= end + NATIVE_EXPIRY_AFTER_MS;
}

/** By then the directory may have ended it by itself, so that nobody else need have done it. */
export function expiredNatively(row: Membership, at: Instant): boolean {
  const soonest = Math.min(row.nativeExpiryAt ?? Infinity, row.nativeExpirySent ?? Infinity);
  return at >= soonest;
}

function readAfter(at: Instant, now: Instant): Step {
  return now > at ? { do: 'read' } : { do: 'wait', until: Math.min(at + 1, now + WAIT_MAX_MS) };
}

/**
 * From when an absent read proves: an addition whose answer was lost may take effect until its deadline, and a read
 * may lag behind that.
 */
function absenceCountsFrom(row: Membership, lagMs: number): Instant {
  const open = answerLost(row) ? (row.addDeadlineAt ?? 0) : 0;
  const unknown = row.addUnknownUntil ?? 0;
  const until = Math.max(open, unknown);
  return until === 0 ? Number.NEGATIVE_INFINITY : until + UNKNOWN_MARGIN_MS + lagMs;
}

/** Until when a read may show, or miss, what a removal with a lost answer does to the last addition; absent: none can. */
function removalsSettleAt(row: Membership, lagMs: number): Instant | undefined {
  const until = row.removeUnknownUntil;
  if (until === undefined || until < (row.addStartedAt ?? 0)) return undefined;
  return until + UNKNOWN_MARGIN_MS + lagMs;
}

/** Still there although a removal was accepted longer ago than a read may lag. */
export function removalDidNotHold(row: Membership, lagMs: number): boolean {
  return (
    row.origin === 'ours' &&
    row.removeOutcome === 'accepted' &&
    row.seen === 'present' &&
    (row.seenAt ?? 0) > (row.removeAcceptedAt ?? 0) + lagMs
  );
}

type Loose = { -readonly [K in keyof Membership]?: Membership[K] | undefined };

/** A changed copy with the next version; keys set to `undefined` are dropped. */
function changed(row: Membership, change: Loose): Membership {
  const next: Record<string, unknown> = { ...row, ...change, version: row.version + 1 };
  for (const key of Object.keys(next)) if (next[key] === undefined) delete next[key];
  return next as unknown as Membership;
}

/** The same row, one version on: for a decision that rests on it without changing it. */
export function touched(row: Membership): Membership {
  return changed(row, {});
}

/** "Addition started", committed before it is sent. From here on the membership counts as ours until proven absent. */
export function markAddition(row: Membership, now: Instant, callDeadlineMs: number): Membership {
  const lostUntil = row.addOutcome === 'unknown' || answerLost(row) ? row.addDeadlineAt : undefined;
  return changed(row, {
    // Failures of a removal that is no longer owed are not the addition's.
    ...(row.removeStartedAt === undefined ? {} : SUCCESS),
    origin: 'ours',
    addStartedAt: now,
    addDeadlineAt: now + callDeadlineMs,
    addOutcome: undefined,
    addAttempts: row.origin === 'none' ? 1 : row.addAttempts + 1,
    addUnknownUntil: latest(row.addUnknownUntil, lostUntil),
    removeUnknownUntil: latest(row.removeUnknownUntil, openRemovalUntil(row)),
    removeStartedAt: undefined,
    removeDeadlineAt: undefined,
    removeOutcome: undefined,
    seen: undefined,
    seenAt: undefined,
    missingSinceAt: undefined,
    provenAbsentAt: undefined,
    ...NO_EXPIRY,
    ...NO_RULING,
  });
}

/** The mark before the directory is told when to end it by itself. Absent: that it is not to, which takes nothing away. */
export function markExpiry(row: Membership, at: Instant | undefined): Membership {
  if (at === undefined) return touched(row);
  const lost = row.nativeExpirySent;
  return changed(row, {
    nativeExpirySent: Math.min(at, lost ?? at),
    ...(lost === undefined ? {} : { nativeExpiryOutcome: 'unknown' as const }),
  });
}

/** For a later end: a directory that ended nothing by itself is asked again. */
export function readyForLonger(row: Membership): Membership {
  return changed(row, row.nativeExpiryOutcome === 'unavailable' ? { nativeExpiryOutcome: undefined } : {});
}

/** For a new grant: what was refused is asked again, a baseline is looked at again, and everything else stays known. */
export function readyForGrant(row: Membership): Membership {
  switch (row.origin) {
    case 'none':
      // The read that proved the last removal is older than this approval: somebody may have been added for good since.
      return changed(row, { ...NO_ADDITION, seen: undefined, seenAt: undefined, ...SUCCESS });
    case 'baseline':
      return changed(row, { seen: undefined, seenAt: undefined, ...SUCCESS });
    case 'ours':
      return readyForLonger(row);
  }
}

/** Until when the last removal can still take effect without our having heard of it. */
function openRemovalUntil(row: Membership): Instant | undefined {
  return row.removeStartedAt !== undefined && row.removeOutcome !== 'accepted' ? row.removeDeadlineAt : undefined;
}

export function markRemoval(row: Membership, now: Instant, callDeadlineMs: number): Membership {
  return changed(row, {
    // The first removal starts its own count: it is told of after three failures, however often an addition failed.
    ...(row.removeStartedAt === undefined ? SUCCESS : {}),
    removeUnknownUntil: latest(row.removeUnknownUntil, openRemovalUntil(row)),
    removeStartedAt: now,
    removeDeadlineAt: now + callDeadlineMs,
    removeOutcome: undefined,
    seen: undefined,
    seenAt: undefined,
    missingSinceAt: undefined,
  });
}

/** The process ended between mark and answer: from now on the addition is one that may have happened. */
export function recordLostAnswer(row: Membership): Membership {
  return changed(row, {
    addOutcome: 'unknown',
    addUnknownUntil: latest(row.addUnknownUntil, row.addDeadlineAt),
  });
}

/** What the row is after a lesson. Reads and writes of one membership never overlap: its operation is leased. */
export function learn(row: Membership, lesson: Lesson, wish: Wish, now: Instant, lagMs: number): Membership {
  switch (lesson.learnt) {
    case 'seen_present':
      return seenPresent(row, lesson.readAt, lagMs);
    case 'seen_absent':
      return seenAbsent(row, wish, lesson.readAt, lagMs);
    case 'added':
      return changed(row, { addOutcome: 'accepted', ...SUCCESS });
    case 'already_member':
      // A first addition that finds somebody already there has added nothing: as good as a read before it, unless the
      // directory may still be showing a membership of ours that we have just removed.
      return row.addAttempts === 1 && !withinLag(row, row.addStartedAt ?? now, lagMs)
        ? changed(row, { origin: 'baseline', seen: 'present', seenAt: now, ...NO_ADDITION, ...SUCCESS })
        : changed(row, { addOutcome: 'accepted', ...SUCCESS });
    case 'removed':
      // `failures` stays: the removal is over when it is proven, not when it is accepted.
      return changed(row, { removeOutcome: 'accepted', removeAcceptedAt: now, seen: undefined, seenAt: undefined });
    case 'expiry_set':
      return changed(row, { ...NO_EXPIRY, nativeExpiryAt: lesson.at, ...SUCCESS });
    case 'expiry_unavailable':
      return changed(row, { ...expiryNotSent(row), nativeExpiryOutcome: 'unavailable', ...SUCCESS });
    case 'failed':
      return failed(row, lesson);
  }
}

const SUCCESS = { failures: 0, lastError: undefined, lastErrorCode: undefined } as const;
const NO_ADDITION = {
  addStartedAt: undefined,
  addDeadlineAt: undefined,
  addOutcome: undefined,
  addAttempts: 0,
  addUnknownUntil: undefined,
} as const;
const NO_REMOVAL = {
  removeStartedAt: undefined,
  removeDeadlineAt: undefined,
  removeOutcome: undefined,
} as const;
const NO_EXPIRY = {
  nativeExpiryAt: undefined,
  nativeExpirySent: undefined,
  nativeExpiryOutcome: undefined,
} as const;
const CLOSED = {
  origin: 'none',
  seen: undefined,
  seenAt: undefined,
  missingSinceAt: undefined,
  ...NO_ADDITION,
  ...NO_REMOVAL,
  ...NO_EXPIRY,
  ...SUCCESS,
} as const;

const NO_RULING = { ruling: undefined, ruledAt: undefined } as const;

/**
 * Whether an absent read proves although no removal was accepted after which it was made: then it must be later than
 * any addition of ours could take effect, and than a read may lag behind that.
 */
export function absenceProves(row: Membership, readAt: Instant, lagMs: number): boolean {
  const added = (row.addDeadlineAt ?? 0) + UNKNOWN_MARGIN_MS + lagMs;
  return readAt > Math.max(absenceCountsFrom(row, lagMs), added);
}

/** Closed on a person's word: nothing is owed on it any more, and it does not claim to have been checked. */
export function ruledGone(
  row: Membership,
  ruling: 'group_gone' | 'user_gone' | 'directory_gone',
  now: Instant,
): Membership {
  return changed(row, { ...CLOSED, provenAbsentAt: undefined, ruling, ruledAt: now });
}

/** Closed by a read made for a person, where no removal would ever be accepted. */
export function seenGone(row: Membership, readAt: Instant): Membership {
  return changed(row, { ...CLOSED, seen: 'absent', seenAt: readAt, provenAbsentAt: readAt });
}

/** A permanent membership that the directory no longer shows is forgotten: a grant may add it, and would look first. */
export function baselineGone(row: Membership, now: Instant): Membership {
  return changed(row, { ...CLOSED, seen: 'absent', seenAt: now, ...NO_RULING });
}

/** Not ours to remove from here on: somebody who may say so did. */
export function madePermanent(row: Membership, now: Instant): Membership {
  // What the directory was told of its end is kept: it is to be told that there is none.
  const { nativeExpiryAt, nativeExpirySent } = row;
  return changed(row, {
    ...CLOSED,
    origin: 'baseline',
    seen: 'present',
    seenAt: now,
    nativeExpiryAt,
    nativeExpirySent,
    ruling: 'adopted',
    ruledAt: now,
  });
}

/**
 * Ours to remove although no grant of this record added it: `unknown_member` in a group that holds nobody without a
 * grant, `from_log` where the directory says that our own credential added it. No live grant may hold it.
 */
export function claimed(row: Membership, ruling: 'unknown_member' | 'from_log', now: Instant): Membership {
  return changed(row, { ...CLOSED, origin: 'ours', provenAbsentAt: undefined, ruling, ruledAt: now });
}

/** Forgets the last read, so that the next step looks for itself. */
export function lookAgain(row: Membership): Membership {
  return changed(row, { seen: undefined, seenAt: undefined });
}

function withinLag(row: Membership, at: Instant, lagMs: number): boolean {
  // Both ways, so that a wall clock that stepped back does not make the window last for hours.
  return row.removeAcceptedAt !== undefined && Math.abs(at - row.removeAcceptedAt) <= lagMs;
}

function seenPresent(row: Membership, readAt: Instant, lagMs: number): Membership {
  if (row.origin === 'none') {
    // Within the lag of our own removal the ledger wins over the read: else our ending grant would turn into
    // somebody's permanent access.
    if (withinLag(row, readAt, lagMs)) return changed(row, { seen: 'absent', seenAt: readAt, ...SUCCESS });
    return changed(row, { origin: 'baseline', seen: 'present', seenAt: readAt, ...NO_ADDITION, ...SUCCESS });
  }
  const removing = row.removeStartedAt !== undefined;
  const next = changed(row, {
    seen: 'present',
    seenAt: readAt,
    missingSinceAt: undefined,
    ...(row.origin === 'ours' && !removing ? { addOutcome: 'accepted' as const } : {}),
    // While a removal is owed, a read that answers is no success of the removal.
    ...(removing ? {} : SUCCESS),
  });
  // Counted as a failure, so that it is sent again more and more slowly, and told.
  return removalDidNotHold(next, lagMs)
    ? { ...next, failures: row.failures + 1, lastError: 'still a member after an accepted removal' }
    : next;
}

function seenAbsent(row: Membership, wish: Wish, readAt: Instant, lagMs: number): Membership {
  if (row.origin === 'baseline')
    // Somebody took the permanent membership away: it is no longer a baseline, and a grant may add it.
    return changed(row, { origin: 'none', seen: 'absent', seenAt: readAt, ...NO_ADDITION, ...NO_RULING, ...SUCCESS });
  if (row.origin === 'none') return changed(row, { seen: 'absent', seenAt: readAt, ...SUCCESS });
  if (row.removeStartedAt !== undefined) {
    const proven = row.removeOutcome === 'accepted' && readAt > absenceCountsFrom(row, lagMs);
    return proven
      ? changed(row, {
          origin: 'none',
          seen: 'absent',
          seenAt: readAt,
          provenAbsentAt: readAt,
          missingSinceAt: undefined,
          ...NO_ADDITION,
          ...NO_REMOVAL,
          ...NO_EXPIRY,
          ...NO_RULING,
          ...SUCCESS,
        })
      : changed(row, { seen: 'absent', seenAt: readAt });
  }
  if (!wish.wanted) return changed(row, { seen: 'absent', seenAt: readAt });
  const settlesAt = removalsSettleAt(row, lagMs);
  if (settlesAt !== undefined)
    // A late removal of ours explains the absence: once none can land any more, it is added again instead of being
    // called somebody else's doing.
    return readAt > settlesAt
      ? changed(row, { seen: 'absent', seenAt: readAt, addOutcome: 'unknown', removeUnknownUntil: undefined })
      : changed(row, { seen: 'absent', seenAt: readAt });
  // The directory ended it by itself, after our own end: nobody's doing, and added again for whoever may have it longer.
  if (expiredNatively(row, readAt))
    return changed(row, { ...NO_EXPIRY, seen: 'absent', seenAt: readAt, addOutcome: 'unknown' });
  return changed(row, { seen: 'absent', seenAt: readAt, missingSinceAt: row.missingSinceAt ?? readAt });
}

function failed(row: Membership, lesson: Lesson & { learnt: 'failed' }): Membership {
  const trouble = {
    failures: row.failures + 1,
    lastError: lesson.error,
    lastErrorCode: lesson.code,
  };
  if (lesson.call === 'read') return changed(row, trouble);
  if (lesson.call === 'expire')
    return changed(row, {
      ...trouble,
      ...(lesson.effect === 'none' ? expiryNotSent(row) : { nativeExpiryOutcome: 'unknown' as const }),
      // Perhaps it is no longer there: looked at before anything else.
      ...(lesson.code === 'not_found' ? { seen: undefined, seenAt: undefined } : {}),
    });
  if (lesson.call === 'remove')
    return changed(row, {
      ...trouble,
      removeOutcome: 'unknown',
      ...(lesson.effect === 'unknown'
        ? { removeUnknownUntil: latest(row.removeUnknownUntil, row.removeDeadlineAt) }
        : {}),
    });
  if (lesson.effect === 'unknown')
    return changed(row, {
      ...trouble,
      addOutcome: 'unknown',
      addUnknownUntil: latest(row.addUnknownUntil, row.addDeadlineAt),
    });
  // `unauthorized` is tried again until `addBy`: a credential can be mended, a refusal of this very membership not.
  const refused = lesson.code === 'rejected' || lesson.code === 'not_found';
  // Nothing of ours was ever sent that could have taken effect: this is not our membership.
  if (row.addAttempts <= 1)
    return changed(row, {
      ...trouble,
      origin: 'none',
      ...NO_ADDITION,
      ...(refused ? { addOutcome: 'refused' as const } : {}),
    });
  return changed(row, { ...trouble, addOutcome: 'unknown' });
}

/** The last one did not take effect; one before it, whose answer was lost, still may have. */
function expiryNotSent(row: Membership): { readonly nativeExpirySent?: undefined } {
  return row.nativeExpiryOutcome === 'unknown' ? {} : { nativeExpirySent: undefined };
}

/** Missing although a grant wants it, in two reads further apart than the lag: somebody else took it away. */
export function removedOutside(row: Membership, lagMs: number): boolean {
  return (
    row.origin === 'ours' &&
    row.removeStartedAt === undefined &&
    row.addOutcome === 'accepted' &&
    row.seen === 'absent' &&
    row.missingSinceAt !== undefined &&
    row.seenAt !== undefined &&
    row.seenAt - row.missingSinceAt > lagMs
  );
}

function latest(a: Instant | undefined, b: Instant | undefined): Instant | undefined {
  if (a === undefined) return b;
  return b === undefined ? a : Math.max(a, b);
}
