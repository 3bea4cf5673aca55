/** What an approval is bound to: exactly what the approver was shown. */
import type { AccessRequest } from './model.ts';

export type Shown = Pick<
  AccessRequest,
  'id' | 'requester' | 'entitlement' | 'groups' | 'durationMs' | 'reason' | 'policyHash' | 'extendsGrant'
>;

/** SHA-256 over the fields in a fixed order. `hash` is handed in: the core has no packages. */
export function digestOf(shown: Shown, hash: (text: string) => string): string {
  return hash(
    JSON.stringify([
      shown.id,
      shown.requester,
      shown.entitlement,
      shown.groups.map((group) => [group.directory, group.groupId]),
      shown.durationMs,
      shown.reason,
      shown.policyHash,
      shown.extendsGrant ?? null,
    ]),
  );
}
