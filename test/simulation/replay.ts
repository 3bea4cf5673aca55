/**
 * The trail told forward: what the rows must be if every event is believed and nothing else. Where it comes out otherwise
 * an event lacks something, or a row was changed without one.
 */
import { keyText } from '../../src/access/ledger.ts';
import type { AuditEvent, EndReason, Instant, Json, Membership } from '../../src/access/model.ts';

export interface ToldRequest {
  readonly state: string;
  readonly requester: string;
  readonly entitlement: string;
  readonly durationMs: number;
  readonly policyHash: string;
  readonly digest: string;
  readonly createdAt: Instant;
  readonly decidedAt?: Instant;
  readonly extendsGrant?: string;
}

export interface ToldGrant {
  readonly state: string;
  readonly requestId: string;
  readonly holder: string;
  readonly entitlement: string;
  readonly memberships: readonly string[];
  readonly durationMs: number;
  readonly approvedAt: Instant;
  readonly addBy: Instant;
  readonly hardEndAt: Instant;
  readonly startsAt?: Instant;
  readonly expiresAt?: Instant;
  readonly endReason?: EndReason;
  readonly endingAt?: Instant;
  readonly endedAt?: Instant;
}

/** All that is told of each: what a row has and the trail does not tell is found as well. */
export const REQUEST_TOLD = [
  'state',
  'requester',
  'entitlement',
  'durationMs',
  'policyHash',
  'digest',
  'createdAt',
  'decidedAt',
  'extendsGrant',
] as const satisfies readonly (keyof ToldRequest)[];
export const GRANT_TOLD = [
  'state',
  'requestId',
  'holder',
  'entitlement',
  'memberships',
  'durationMs',
  'approvedAt',
  'addBy',
  'hardEndAt',
  'startsAt',
  'expiresAt',
  'endReason',
  'endingAt',
  'endedAt',
] as const satisfies readonly (keyof ToldGrant)[];

export interface Told {
  readonly requests: ReadonlyMap<string, ToldRequest>;
  readonly grants: ReadonlyMap<string, ToldGrant>;
  /** Whose each membership is, by its key as text. */
  readonly origins: ReadonlyMap<string, Membership['origin']>;
  /** Whether each scope that was ever frozen still is. */
  readonly freezes: ReadonlyMap<string, boolean>;
  readonly reviews: ReadonlyMap<string, string>;
}

const ENDS: Readonly<Record<string, EndReason>> = {
  'grant.expired': 'expired',
  'grant.revoked': 'revoked',
  'grant.returned': 'returned',
  'grant.abandoned': 'abandoned',
  'grant.removed_outside': 'removed_outside',
};

const CLOSED = ['request.denied', 'request.cancelled', 'request.lapsed', 'request.withdrawn'];

export function replay(events: readonly AuditEvent[]): Told {
  const requests = new Map<string, ToldRequest>();
  const grants = new Map<string, ToldGrant>();
  const origins = new Map<string, Membership['origin']>();
  const freezes = new Map<string, boolean>();
  const reviews = new Map<string, string>();
  const change = <T>(rows: Map<string, T>, id: string | undefined, more: Partial<T>) => {
    const row = id === undefined ? undefined : rows.get(id);
    if (id === undefined || row === undefined) throw new Error(`an event is about ${id}, of which nothing was told`);
    rows.set(id, { ...row, ...more });
  };

  for (const { kind, at, actor, requestId, grantId, membership, detail } of events) {
    const number = (name: string) => numberOf(detail[name], `${kind}.${name}`);
    const text = (name: string) => textOf(detail[name], `${kind}.${name}`);
    const end = ENDS[kind];
    if (membership !== undefined && detail.origin !== undefined)
      origins.set(keyText(membership), text('origin') as Membership['origin']);
    if (kind === 'request.made' || kind === 'extension.requested')
      requests.set(requestId ?? '', {
        state: 'pending',
        requester: actor.kind === 'person' ? actor.id : '',
        entitlement: text('entitlement'),
        durationMs: number('durationMs'),
        policyHash: text('policyHash'),
        digest: text('digest'),
        createdAt: at,
        ...(kind === 'extension.requested' && grantId !== undefined ? { extendsGrant: grantId } : {}),
      });
    else if (kind === 'request.shown_again')
      change(requests, requestId, { policyHash: text('policyHash'), digest: text('digest') });
    else if (CLOSED.includes(kind))
      change(requests, requestId, { state: kind.slice('request.'.length), decidedAt: at });
    else if (kind === 'request.approved') {
      change(requests, requestId, { state: 'approved', decidedAt: at });
      grants.set(grantId ?? '', {
        state: 'adding',
        requestId: requestId ?? '',
        holder: requests.get(requestId ?? '')?.requester ?? '',
        entitlement: text('entitlement'),
        memberships: (detail.memberships ?? []) as readonly string[],
        durationMs: number('durationMs'),
        approvedAt: at,
        addBy: number('addBy'),
        hardEndAt: number('hardEndAt'),
      });
    } else if (kind === 'grant.extended') {
      change(requests, requestId, { state: 'approved', decidedAt: at });
      const hardEndAt = Math.max(grants.get(grantId ?? '')?.hardEndAt ?? 0, number('to'));
      change(grants, grantId, { expiresAt: number('to'), hardEndAt });
    } else if (kind === 'grant.started')
      change(grants, grantId, { startsAt: number('startsAt'), expiresAt: number('expiresAt') });
    else if (kind === 'grant.activated') change(grants, grantId, { state: 'active' });
    else if (kind === 'grant.incident_closed')
      change(
        grants,
        grantId,
        grants.get(grantId ?? '')?.expiresAt === undefined ? { hardEndAt: number('to') } : { expiresAt: number('to') },
      );
    else if (end !== undefined) change(grants, grantId, { state: text('to'), endReason: end, endingAt: at });
    else if (kind === 'grant.ended') change(grants, grantId, { state: 'ended', endedAt: at });
    else if (kind === 'freeze.made' || kind === 'freeze.lifted') freezes.set(text('scope'), kind === 'freeze.made');
    else if (kind === 'break_glass.used' || kind === 'review.opened') reviews.set(grantId ?? '', 'open');
    else if (kind === 'review.signed_off' || kind === 'review.questioned')
      reviews.set(grantId ?? '', kind.slice('review.'.length));
  }
  return { requests, grants, origins, freezes, reviews };
}

function numberOf(value: Json | undefined, what: string): number {
  if (typeof value !== 'number') throw new Error(`${what} is missing`);
  return value;
}

function textOf(value: Json | undefined, what: string): string {
  if (typeof value !== 'string') throw new Error(`${what} is missing`);
  return value;
}
