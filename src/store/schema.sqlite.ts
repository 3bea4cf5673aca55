/** What drizzle-kit reads to generate `migrations/sqlite`. */
import { defineTables } from './schema.ts';

export const {
  requests,
  approvals,
  cards,
  grants,
  holders,
  grantMemberships,
  memberships,
  jobs,
  deliveries,
  messages,
  places,
  accountPins,
  groupPins,
  pins,
  auditEvents,
  auditPersonal,
  digests,
  freezes,
  freezeHead,
  auditCheckpoints,
  auditCursors,
  drifts,
  chainHead,
} = defineTables('sqlite');
