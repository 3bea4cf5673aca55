/**
 * Closing by hand what the directory can no longer settle: a removal owed in a group, or of an account, that was
 * deleted. What a read can still prove is never ruled on.
 */
import { concernsThis, settleHolders } from './decide-operation.ts';
import { actorName, event, operation, operationId, tellSecurity } from './decision.ts';
import { absenceProves, isLive, keyText, ruledGone, seenGone } from './ledger.ts';
import type { Actor, Change, Grant, Instant, Membership, MembershipKey } from './model.ts';
import { PRIORITY } from './model.ts';
import { type Directory, DirectoryError, type GrantRecord } from './ports.ts';

/** What the directory says of one membership when a person asks. */
export type Look =
  | { readonly found: 'member' | 'no_member'; readonly readAt: Instant }
  | { readonly found: 'no_group' | 'no_user' }
  /** It is not in the configuration, and whoever asks says that it is given up. */
  | { readonly found: 'no_directory' }
  /** It could not tell, so nothing is known. */
  | { readonly found: 'no_answer'; readonly why: string };

export interface OwedRemoval {
  readonly membership: Membership;
  /** Every unended grant that holds it. */
  readonly grants: readonly GrantRecord[];
  readonly look: Look;
  /** Of its directory; 0 when that is no longer configured. */
  readonly lagMs: number;
}

export type ResolveOutcome = 'closed' | 'proven' | 'still_member' | 'not_yet' | 'no_answer';

export interface ResolvedMembership {
  readonly key: MembershipKey;
  readonly group: string;
  readonly login: string;
  readonly outcome: ResolveOutcome;
  /** One sentence: what is known of it, and what follows. */
  readonly says: string;
}

export interface ResolveDecision {
  readonly changes: readonly Change[];
  readonly memberships: readonly ResolvedMembership[];
}

/** `givenUp`: a directory that is not in the configuration is gone for good, on the word of whoever asks. */
export async function lookAt(
  directory: Directory | undefined,
  key: MembershipKey,
  now: () => Instant,
  givenUp = false,
): Promise<Look> {
  if (directory === undefined) {
    if (givenUp) return { found: 'no_directory' };
    const why = `the directory "${key.directory}" is not in the configuration; put it back, or add --directory-given-up`;
    return { found: 'no_answer', why };
  }
  try {
    const readAt = now();
    return { found: (await directory.isMember(key.groupId, key.userId)) ? 'member' : 'no_member', readAt };
  } catch (error) {
    if (!(error instanceof DirectoryError)) throw error;
    if (error.code === 'not_found' && error.missing === 'group') return { found: 'no_group' };
    if (error.code === 'not_found' && error.missing === 'user') return { found: 'no_user' };
    return { found: 'no_answer', why: error.message };
  }
}

/** Whether a membership is owed a removal: ours, and no live grant holds it. */
export function isOwed(row: Membership | undefined, grants: readonly Grant[]): row is Membership {
  return row?.origin === 'ours' && !grants.some(isLive);
}

/** One membership at a time, so that each is committed on its own guards. */
export function decideResolve(owed: OwedRemoval, by: Actor, why: string, now: Instant): ResolveDecision {
  const { membership: row, look, lagMs } = owed;
  const place = `${row.login} in ${row.groupName} (${row.key.directory})`;
  const said = (outcome: ResolveOutcome, says: string, changes: readonly Change[] = []): ResolveDecision => ({
    changes,
    memberships: [{ key: row.key, group: row.groupName, login: row.login, outcome, says }],
  });
  switch (look.found) {
    case 'no_answer':
      return said('no_answer', `${place}: not known, so left as it is: ${look.why}`);
    case 'member':
      return said(
        'still_member',
        `${place}: still a member, by the directory's own word. Hallpass goes on removing.${
          row.lastError === undefined ? '' : ` Its last attempt: ${row.lastError}`
        }`,
        [operation(row.key, now, PRIORITY.removal)],
      );
    case 'no_member':
      if (!absenceProves(row, look.readAt, lagMs))
        return said('not_yet', `${place}: not seen, but what was sent may still take effect. Ask again in a minute.`, [
          operation(row.key, now, PRIORITY.removal),
        ]);
      return said(
        'proven',
        `${place}: the directory was asked and no longer shows it; closed, checked.`,
        closed(owed, seenGone(row, look.readAt), by, why, now),
      );
    case 'no_directory':
      return said(
        'closed',
        `${place}: the directory is given up; closed on your word, not checked. Whoever was in the group may still be.`,
        closed(owed, ruledGone(row, 'directory_gone', now), by, why, now),
      );
    case 'no_group':
    case 'no_user': {
      const ruling = look.found === 'no_group' ? 'group_gone' : 'user_gone';
      const what = look.found === 'no_group' ? 'group' : 'account';
      return said(
        'closed',
        `${place}: the ${what} no longer exists in the directory; closed on your word, not checked.`,
        closed(owed, ruledGone(row, ruling, now), by, why, now),
      );
    }
  }
}

function closed(owed: OwedRemoval, row: Membership, by: Actor, why: string, now: Instant): Change[] {
  const { membership: before, grants, look } = owed;
  const after = settleHolders(grants, row, now, owed.lagMs);
  const first = grants[0];
  const about = {
    membership: row.key,
    ...(first === undefined ? {} : { requestId: first.request.id, grantId: first.grant.id }),
  };
  return [
    ...after.changes.filter((change) => !concernsThis(change, row.key)),
    { put: 'membership', row, was: before.version },
    { drop: 'job', id: operationId(row.key) },
    event('membership.resolved', now, by, {
      ...about,
      detail: {
        grants: grants.map(({ grant }) => grant.id),
        found: look.found,
        ruling: row.ruling ?? null,
        from: before.origin,
        origin: row.origin,
        failures: before.failures,
        lastErrorCode: before.lastErrorCode ?? null,
      },
      personal: { reason: why },
    }),
    // A read is proof, and then nobody has to be told that a person's word was taken for it.
    ...(row.ruling === undefined
      ? []
      : tellSecurity(`removal_resolved:${keyText(row.key)}:${row.version}`, {
          code: 'removal_resolved',
          severity: 'warning',
          at: now,
          group: row.groupName,
          directory: row.key.directory,
          by: actorName(by),
          reason: why,
          ...(look.found === 'no_directory' ? { says: [givenUpText(before, by, why)] } : {}),
          ...(first === undefined
            ? {}
            : {
                grantId: first.grant.id,
                requestId: first.request.id,
                holderName: first.grant.holderName,
                entitlement: first.grant.entitlement,
              }),
        })),
  ];
}

function givenUpText({ groupName, login, key }: Membership, by: Actor, why: string): string {
  return `${login} in ${groupName}: ${actorName(by)} closed it because the directory ${key.directory} is given up. It was not checked, and they may still be a member there. Reason: ${why}`;
}

/** Why there is nothing to resolve in a grant; absent when there may be. */
export function notResolvable({ id, ...grant }: Grant): string | undefined {
  switch (grant.state) {
    case 'adding':
    case 'active':
      return `${id} is live. End it first: hallpass revoke ${id} <reason>`;
    case 'ended':
      return `${id} has ended, and nothing is owed for it.`;
    case 'ending':
      return undefined;
  }
}
