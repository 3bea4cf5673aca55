/** A decision as plain data, and the small pieces every decision is put together from. */
import type { Answer, ChangeMade, Refusal } from './command.ts';
import { keyText } from './ledger.ts';
import type {
  AccessRequest,
  AccountRef,
  Actor,
  Audience,
  AuditEvent,
  Change,
  Grant,
  Instant,
  Job,
  MembershipKey,
  Notice,
  PersonId,
  Place,
  RequestId,
  Ring,
  Via,
} from './model.ts';
import { PRIORITY } from './model.ts';

/** What follows from a command: everything to commit, and what was done, to be said once it is committed. */
export interface Decision {
  readonly changes: readonly Change[];
  readonly done: ChangeMade;
  readonly requestId: RequestId;
  readonly asked?: readonly string[];
}

/**
 * The rules say no. `record` keeps attempts that security wants to see; `changes` is for the rare refusal that also
 * mends something (a card that no longer shows what holds).
 */
export interface Refused {
  readonly refusal: Refusal;
  readonly record?: AuditEvent;
  readonly changes?: readonly Change[];
}

export type Outcome = Decision | Refused;

export function refused(refusal: Refusal, record?: AuditEvent, changes?: readonly Change[]): Refused {
  return { refusal, ...(record === undefined ? {} : { record }), ...(changes === undefined ? {} : { changes }) };
}

export function isRefused(outcome: Outcome): outcome is Refused {
  return 'refusal' in outcome;
}

export function refusedAnswer(refusal: Refusal): Answer {
  return { say: 'refused', refusal };
}

// ----------------------------------------------------------------------------------------------------------- jobs

export function audienceId(audience: Audience): string {
  switch (audience.kind) {
    case 'channel':
      return `channel:${audience.conversation}`;
    case 'approver':
      return `approver:${audience.account.platform}:${audience.account.tenant}:${audience.account.id}`;
    case 'warning':
      return `warning:${audience.endsAt}`;
    default:
      return audience.kind;
  }
}

export function messageId(requestId: RequestId, audience: Audience): string {
  return `msg:${requestId}:${audienceId(audience)}`;
}

/** One job per place that shows the request: putting it again while it waits is how updates coalesce. */
export function showEverywhere(request: AccessRequest, now: Instant): Change[] {
  return request.audiences.map((audience) => ({
    put: 'job' as const,
    row: {
      kind: 'notification' as const,
      id: messageId(request.id, audience),
      lane: 'chat',
      // A person waits for the answer to a request; a card that merely changes can come a moment later.
      priority: PRIORITY.usual,
      dueAt: now,
      payload: { tell: 'request' as const, requestId: request.id, audience },
    },
  }));
}

/** Told to the webhook too: access that stays, and that it no longer does. */
const ALERTED: ReadonlySet<Notice['code']> = new Set([
  'removal_failing',
  'removal_recovered',
  'removal_resolved',
  'break_glass_used',
]);

/** In the security channels; or in another place that has to hear of it too. */
export function tellSecurity(id: string, notice: Notice, place?: Place): Change[] {
  const job = (tell: 'security' | 'alert'): Change => ({
    put: 'job',
    row: {
      kind: 'notification',
      id: `${tell}:${id}`,
      lane: tell === 'alert' ? 'alert' : 'chat',
      priority: PRIORITY.removal,
      dueAt: notice.at,
      payload: { tell, notice, ...(place === undefined ? {} : { place }) },
    },
  });
  return ALERTED.has(notice.code) ? [job('security'), job('alert')] : [job('security')];
}

export function operationId(key: MembershipKey): string {
  return `op:${keyText(key)}`;
}

export function operation(key: MembershipKey, dueAt: Instant, priority: number): Change {
  const row: Job = { kind: 'operation', id: operationId(key), lane: key.directory, priority, dueAt, payload: key };
  return { put: 'job', row };
}

const TIMER_ID = {
  end: 'end',
  add_by: 'addby',
  warn: 'warn',
  lapse: 'lapse',
  ask: 'ask',
  incident: 'incident',
  review: 'review',
  freeze: 'freeze',
  proof: 'proof',
  revocation: 'revocation',
} as const;

export function timerId(ring: Ring): string {
  return `${TIMER_ID[ring.ring]}:${rungFor(ring)}`;
}

function rungFor(ring: Ring): string {
  if ('grantId' in ring) return ring.grantId;
  if ('requestId' in ring) return ring.requestId;
  if ('proofId' in ring) return ring.proofId;
  return 'freezeId' in ring ? ring.freezeId : ring.revocationId;
}

/** Rings that first look something up outside have a lane of their own: a source that hangs must not hold up an end. */
export function timerLaneOf(ring: Ring): 'timer' | 'ask' {
  return ring.ring === 'ask' || ring.ring === 'incident' || ring.ring === 'review' ? 'ask' : 'timer';
}

export function timer(ring: Ring, dueAt: Instant): Change {
  return {
    put: 'job',
    row: {
      kind: 'timer',
      id: timerId(ring),
      lane: timerLaneOf(ring),
      priority: PRIORITY.usual,
      dueAt,
      payload: ring,
    },
  };
}

// --------------------------------------------------------------------------------------------------------- events

export function event(
  kind: string,
  at: Instant,
  actor: Actor,
  about: Omit<AuditEvent, 'kind' | 'at' | 'actor' | 'detail'> & { readonly detail?: AuditEvent['detail'] },
): Change {
  return { put: 'event', row: eventRow(kind, at, actor, about) };
}

export function eventRow(
  kind: string,
  at: Instant,
  actor: Actor,
  about: Omit<AuditEvent, 'kind' | 'at' | 'actor' | 'detail'> & { readonly detail?: AuditEvent['detail'] },
): AuditEvent {
  return { at, kind, actor, ...about, detail: about.detail ?? {} };
}

/** Who an actor is, in words for people. */
export function actorName(actor: Actor): string {
  switch (actor.kind) {
    case 'person':
      return actor.name;
    case 'operator':
      return `${actor.name} (on the host)`;
    case 'account':
      return actor.account.id;
    case 'hallpass':
      return 'Hallpass';
  }
}

export function personActor(person: {
  readonly id: PersonId;
  readonly name: string;
  readonly account?: AccountRef;
  readonly via?: Via;
}): Actor {
  return {
    kind: 'person',
    id: person.id,
    name: person.name,
    ...(person.account === undefined ? {} : { account: person.account }),
    ...(person.via === undefined ? {} : { via: person.via }),
  };
}

/** A changed copy of a versioned row, guarded by the version it had. */
export function putGrant(before: Grant, change: Partial<Grant>): { row: Grant; change: Change } {
  const row = { ...before, ...change, version: before.version + 1 };
  return { row, change: { put: 'grant', row, was: before.version } };
}

export function putRequest(
  before: AccessRequest,
  change: Partial<AccessRequest>,
): { row: AccessRequest; change: Change } {
  const row = { ...before, ...change, version: before.version + 1 };
  return { row, change: { put: 'request', row, was: before.version } };
}
