/**
 * Events as OCSF 1.8.0 (https://schema.ocsf.io, Identity & Access Management, category 3).
 *
 * What took effect in a directory is Group Management (3006): Add User (3), Remove User (4). Everything else is Entity
 * Management (3004) about the request or the grant, which is what the schema has for objects of one's own; what it has
 * no attribute for is in `unmapped`, whole.
 */
import { actorName } from '../access/decision.ts';
import type { Actor, AuditEvent } from '../access/model.ts';
import type { TrailEvent } from '../access/ports.ts';

export const OCSF_VERSION = '1.8.0';
const CATEGORY = 3;
const GROUP_MANAGEMENT = 3006;
const ENTITY_MANAGEMENT = 3004;
const SEVERITY = { informational: 1, low: 2, medium: 3, high: 4 } as const;
const STATUS = { success: 1, failure: 2 } as const;

/** Group Management activities, by what the directory has accepted or shown. */
const EFFECTS: Readonly<Record<string, 3 | 4>> = {
  'membership.added': 3,
  'membership.removed': 4,
  'membership.proven_absent': 4,
  'membership.addition_failed': 3,
  'membership.addition_refused': 3,
  'membership.addition_unknown': 3,
  'membership.removal_failed': 4,
};

/** Entity Management: Create (1), Read (2), Update (3), Delete (4). */
const CREATED = new Set(['request.made', 'extension.requested', 'request.approved']);
const DELETED = new Set(['grant.ended', 'request.denied', 'request.cancelled', 'request.lapsed', 'request.withdrawn']);
const FAILED = /(?:_failed|_refused|\.refused|_unknown|\.abandoned)$/;
const GRAVE: Readonly<Record<string, number>> = {
  'membership.removal_failed': SEVERITY.high,
  'grant.removed_outside': SEVERITY.medium,
  'grant.revoked': SEVERITY.medium,
  'approval.refused': SEVERITY.low,
  'revocation.refused': SEVERITY.low,
  'request.refused': SEVERITY.low,
};

export function ocsfOf(link: TrailEvent): object {
  const { event } = link;
  const effect = EFFECTS[event.kind];
  const class_uid = effect === undefined || event.membership === undefined ? ENTITY_MANAGEMENT : GROUP_MANAGEMENT;
  const activity_id = class_uid === GROUP_MANAGEMENT ? (effect ?? 0) : entityActivity(event);
  const failed = FAILED.test(event.kind);
  return {
    activity_id,
    category_uid: CATEGORY,
    class_uid,
    type_uid: class_uid * 100 + activity_id,
    time: event.at,
    severity_id: GRAVE[event.kind] ?? SEVERITY.informational,
    status_id: failed ? STATUS.failure : STATUS.success,
    message: event.kind,
    metadata: {
      version: OCSF_VERSION,
      product: { name: 'Hallpass', vendor_name: 'Hallpass' },
      uid: link.hash,
      sequence: link.seq,
      ...(event.grantId === undefined && event.requestId === undefined
        ? {}
        : { correlation_uid: event.grantId ?? event.requestId }),
    },
    actor: actorOf(event.actor),
    ...(class_uid === GROUP_MANAGEMENT ? membershipOf(event) : { entity: entityOf(event) }),
    unmapped: {
      kind: event.kind,
      detail: event.detail,
      ...(event.personal === undefined ? {} : { personal: event.personal }),
      ...(event.requestId === undefined ? {} : { request_id: event.requestId }),
      ...(event.grantId === undefined ? {} : { grant_id: event.grantId }),
      ...(event.correlation === undefined ? {} : { correlation: event.correlation }),
      prev_hash: link.prevHash,
    },
  };
}

function entityActivity({ kind }: AuditEvent): number {
  if (CREATED.has(kind)) return 1;
  if (DELETED.has(kind)) return 4;
  return 3;
}

function membershipOf({ membership }: AuditEvent): object {
  if (membership === undefined) return {};
  return {
    group: { uid: membership.groupId, domain: membership.directory },
    user: { uid: membership.userId, domain: membership.directory },
  };
}

function entityOf({ requestId, grantId, kind }: AuditEvent): object {
  const uid = grantId ?? requestId;
  const [type = 'event'] = kind.split('.');
  return { name: uid ?? kind, type, ...(uid === undefined ? {} : { uid }) };
}

function actorOf(actor: Actor): object {
  switch (actor.kind) {
    case 'person':
      return { user: { uid: actor.id, name: actor.name } };
    case 'account':
      return { user: { uid: `${actor.account.platform}/${actor.account.tenant}/${actor.account.id}` } };
    case 'operator':
      return { user: { name: actorName(actor) }, app_name: 'hallpass' };
    case 'hallpass':
      return { app_name: `hallpass/${actor.part}` };
    default:
      return { app_name: 'hallpass' };
  }
}
