/** Security hears once of each identity that is not what it was, whoever meets it and however often they click. */
import { event, tellSecurity } from '../access/decision.ts';
import type { Instant } from '../access/model.ts';
import { type Clock, StaleStateError, type Store } from '../access/ports.ts';
import type { Dispute } from './identity.ts';

export interface DisputeParts {
  readonly store: Pick<Store, 'commit' | 'pinned'>;
  readonly clock: Pick<Clock, 'now'>;
  readonly log: { error(detail: object, message: string): void };
}

export function createDisputes({ store, clock, log }: DisputeParts): (dispute: Dispute) => Promise<void> {
  async function tell({ key, detail }: Dispute, at: Instant): Promise<void> {
    if ((await store.pinned('told', key)) !== undefined) return;
    await store.commit({
      changes: [
        // Whoever puts this first tells it: the notice and the event stand or fall with it.
        { put: 'pin', row: { space: 'told', name: key, id: String(at), pinnedAt: at } },
        event('identity.disputed', at, { kind: 'hallpass', part: 'people' }, { personal: { claim: key, detail } }),
        ...tellSecurity(`identity_changed:${key}`, {
          code: 'identity_changed',
          severity: 'critical',
          at,
          says: [detail],
        }),
      ],
    });
    log.error({ detail }, 'an identity has changed; it is refused');
  }

  return async (dispute) => {
    try {
      await tell(dispute, clock.now());
    } catch (error) {
      // The refusal stands without it; the next one who meets it tells.
      if (!(error instanceof StaleStateError)) log.error({ error, ...dispute }, 'security could not be told of this');
    }
  };
}
