/**
 * Access that was asked for during an incident ends with it: soon after the incident is closed, and after a warning. A
 * source that does not answer ends nothing and extends nothing.
 */
import type { Rung } from './decide-close.ts';
import { audienceId, event, putGrant, timer, timerId } from './decision.ts';
import { isLive } from './ledger.ts';
import { endsAt, show } from './lifecycle.ts';
import type { Actor, Audience, Instant, Policy, TiedIncident } from './model.ts';
import type { GrantRecord, Incident } from './ports.ts';

/** How long the holder has to finish, once it is seen that the incident is closed. */
export const INCIDENT_GRACE_MS = 10 * 60_000;
/** How often it is looked at whether the incident is still open. */
export const INCIDENT_LOOK_MS = 60_000;

/** The incident that a request is tied to: the one that its reason names, else the newest that is open. */
export function incidentFor(policy: Policy, open: readonly Incident[], reason: string): TiedIncident | undefined {
  if (policy.endWithIncident !== true) return undefined;
  const named = open.find(({ id }) => reason.includes(id));
  const incident = named ?? [...open].sort((a, b) => b.openedAt - a.openedAt)[0];
  if (incident === undefined) return undefined;
  const { id, title, url } = incident;
  return { id, title, ...(url === undefined ? {} : { url }) };
}

/** `open`: what its source says; absent when that could not be asked. */
export function ringIncident(record: GrantRecord | undefined, open: boolean | undefined, now: Instant): Rung {
  if (record === undefined || !isLive(record.grant)) return [];
  const { grant, request } = record;
  const { incident } = grant;
  if (incident === undefined || incident.closedAt !== undefined) return [];
  if (open !== false) return { dueAt: now + INCIDENT_LOOK_MS };
  // Only ever sooner: an end that comes before the grace is over stays what it is.
  const end = Math.min(endsAt(grant), now + INCIDENT_GRACE_MS);
  // More time that a directory has not come round to is not added to an end that has just come nearer.
  const { extending: _, ...before } = grant;
  const { change } = putGrant(before, {
    incident: { ...incident, closedAt: now, endsAt: end },
    // While nothing is added yet there is no other end than the hard one.
    ...(grant.expiresAt === undefined ? { hardEndAt: end } : { expiresAt: end }),
  });
  const by: Actor = { kind: 'hallpass', part: 'timers' };
  const warning: Audience | undefined =
    request.requesterAccount === undefined
      ? undefined
      : { kind: 'warning', account: request.requesterAccount, endsAt: end };
  const known = warning !== undefined && request.audiences.some((one) => audienceId(one) === audienceId(warning));
  return [
    change,
    timer({ ring: 'end', grantId: grant.id }, end),
    { drop: 'job', id: timerId({ ring: 'warn', grantId: grant.id }) },
    event('grant.incident_closed', now, by, {
      requestId: request.id,
      grantId: grant.id,
      detail: { entitlement: grant.entitlement, incident: incident.id, from: endsAt(grant), to: end },
    }),
    ...show(request, known ? [] : [warning], now),
  ];
}
