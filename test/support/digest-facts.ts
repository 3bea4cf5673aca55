/** What the record tells a digest, as little as there may be, and as much of it as a test wants. */
import type { DigestFacts, RequestRecord } from '../../src/access/ports.ts';
import { activeGrant, approval, ben, MINUTE, request, requestRecord, T0 } from './builders.ts';

export function quietFacts(
  more: Partial<Omit<DigestFacts, 'counts'>> & { counts?: Partial<DigestFacts['counts']> } = {},
) {
  const { counts, ...lists } = more;
  const none: DigestFacts = {
    counts: {
      granted: 0,
      extended: 0,
      denied: 0,
      lapsed: 0,
      cancelled: 0,
      withdrawn: 0,
      ending: { expired: 0, revoked: 0, returned: 0, abandoned: 0, removed_outside: 0 },
      proven: 0,
      late: 0,
      breakGlass: 0,
      live: 0,
      pending: 0,
      removals: 0,
      drift: 0,
    },
    granted: [],
    byEntitlement: [],
    live: [],
    endedEarly: [],
    refused: [],
    latest: [],
    removals: [],
    drift: [],
    pending: [],
    breakGlass: [],
    approvedFor: [],
    policyChanges: [],
  };
  return { ...none, ...lists, counts: { ...none.counts, ...counts } };
}

/** A granted request, approved by Ben; `name` and `reason` may be as long as people like. */
export function granted(index: number, name = `Person ${index}`, reason = 'fix stuck migration'): RequestRecord {
  const asked = request({ id: `R-${1000 + index}`, state: 'approved', requesterName: name, reason, decidedAt: T0 });
  return {
    ...requestRecord(asked, [approval(asked, ben)]),
    grant: activeGrant({
      id: `G-${1000 + index}`,
      requestId: asked.id,
      holderName: name,
      expiresAt: T0 + (30 + index) * MINUTE,
    }),
  };
}
