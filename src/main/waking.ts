/** The record, which wakes and tells whoever waits for what was just committed. */
import { removalLatenessMs } from '../access/digest-view.ts';
import type { AccountRef, Change, Grant, Instant, Job, RequestId } from '../access/model.ts';
import type { Metrics, Store } from '../access/ports.ts';

/** Grants that a commit has ended; one that was over before may be put again. */
function endedBy(changes: readonly Change[]): readonly Grant[] {
  const over = new Set(
    changes.flatMap((change) =>
      'put' in change && change.put === 'event' && change.row.kind === 'grant.ended' ? [change.row.grantId] : [],
    ),
  );
  if (over.size === 0) return [];
  return changes.flatMap((change) =>
    'put' in change && change.put === 'grant' && change.row.state === 'ended' && over.has(change.row.id)
      ? [change.row]
      : [],
  );
}

/** Those who are owed a message about a change: what they see elsewhere has changed too. */
function toldOf(changes: readonly Change[]): readonly AccountRef[] {
  return changes.flatMap((change) => {
    if (!('put' in change) || change.put !== 'job' || change.row.kind !== 'notification') return [];
    const { payload } = change.row;
    return payload.tell === 'request' && 'account' in payload.audience ? [payload.audience.account] : [];
  });
}

/** From the end of each grant that a commit lets expire to when the decision is kept. */
function expiredLate(changes: readonly Change[], now: Instant): readonly number[] {
  return changes.flatMap((change) => {
    if (!('put' in change) || change.put !== 'event' || change.row.kind !== 'grant.expired') return [];
    const { expiresAt } = change.row.detail;
    return typeof expiresAt === 'number' ? [Math.max(0, now - expiresAt)] : [];
  });
}

/** Requests of which something is put: those of grants and of messages about them among them. */
function requestsOf(changes: readonly Change[]): readonly RequestId[] {
  return changes.flatMap((change) => {
    if (!('put' in change)) return [];
    if (change.put === 'request') return [change.row.id];
    if (change.put === 'grant') return [change.row.requestId];
    if (change.put !== 'event' || change.row.requestId === undefined) return [];
    return [change.row.requestId];
  });
}

function jobsOf(changes: readonly Change[]): readonly Job[] {
  return changes.flatMap((change) => ('put' in change && change.put === 'job' ? [change.row] : []));
}

/** The record, with a wake-up for the workers after every commit: what was just decided is worked off at once. */
export function waking<S extends Store>(
  store: S,
  metrics: Metrics,
  now: () => Instant,
  wake: (committed: readonly Job[]) => void,
  changed: (accounts: readonly AccountRef[], requests: readonly RequestId[]) => void,
  events: (count: number) => void,
): S {
  return {
    ...store,
    async commit(commit) {
      await store.commit(commit);
      for (const grant of endedBy(commit.changes)) {
        const ms = removalLatenessMs(grant);
        const reason = grant.endReason ?? 'expired';
        if (ms !== undefined) metrics.observe('hallpass_removal_lateness_seconds', ms / 1000, { reason });
      }
      for (const ms of expiredLate(commit.changes, now()))
        metrics.observe('hallpass_removal_step_seconds', ms / 1000, { step: 'decided' });
      wake(jobsOf(commit.changes));
      changed(toldOf(commit.changes), requestsOf(commit.changes));
      events(commit.changes.filter((change) => 'put' in change && change.put === 'event').length);
    },
  };
}
