/** What follows from ending somebody's sessions in a directory, after their access was revoked. */
import { FAILURES_TOLD } from './decide-operation.ts';
import { event, putGrant, showEverywhere, tellSecurity } from './decision.ts';
import type { Actor, Change, DirectoryErrorCode, Instant } from './model.ts';
import type { GrantRecord } from './ports.ts';

export type SignedOut =
  | { readonly done: true }
  | { readonly done: false; readonly error: string; readonly code: DirectoryErrorCode };

/** `failures`: those in a row before this one. */
export function decideSignedOut(
  record: GrantRecord,
  directory: string,
  outcome: SignedOut,
  failures: number,
  now: Instant,
): Change[] {
  const { grant, request } = record;
  const by: Actor = { kind: 'hallpass', part: 'sign-out' };
  const about = { requestId: request.id, grantId: grant.id };
  if (outcome.done)
    return [
      putGrant(grant, { signedOut: [...(grant.signedOut ?? []), { directory, at: now }] }).change,
      event('grant.signed_out', now, by, { ...about, detail: { directory } }),
      ...showEverywhere(request, now),
    ];
  const { error, code } = outcome;
  return [
    event('grant.sign_out_failed', now, by, { ...about, detail: { directory, code, error, failures: failures + 1 } }),
    ...(failures + 1 === FAILURES_TOLD
      ? tellSecurity(`sign_out_failing:${directory}:${grant.id}`, {
          code: 'sign_out_failing',
          severity: 'warning',
          at: now,
          ...about,
          holderName: grant.holderName,
          entitlement: grant.entitlement,
          directory,
          error,
          errorCode: code,
          failures: failures + 1,
        })
      : []),
  ];
}
