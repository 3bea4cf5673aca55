/** Taking back: a request that is cancelled or lapses, a grant that is returned, revoked or runs out. */
import { audienceId, event, eventRow, type Outcome, personActor, putGrant, refused } from './decision.ts';
import { isLive } from './ledger.ts';
import { addByPassed, closeRequest, type Ending, endGrant, endsAt, show } from './lifecycle.ts';
import type { Actor, Audience, Change, Entitlement, Instant, Person, Subject } from './model.ts';
import { anyHolds, type SubjectAnswer, subjectName } from './policy.ts';
import type { GrantRecord, RequestRecord } from './ports.ts';
import { isOwn } from './workload.ts';

export function decideCancel(
  facts: { readonly person: Person; readonly record: RequestRecord; readonly correlation?: string },
  now: Instant,
): Outcome {
  const { request } = facts.record;
  if (!isOwn(request, facts.person)) return refused({ code: 'not_yours', id: request.id });
  if (request.state !== 'pending') return refused({ code: 'not_pending', requestId: request.id });
  return {
    done: 'cancelled',
    requestId: request.id,
    changes: closeRequest(request, 'cancelled', personActor(facts.person), now, undefined, facts.correlation),
  };
}

export function decideReturn(
  facts: { readonly person: Person; readonly record: GrantRecord; readonly correlation?: string },
  now: Instant,
): Outcome {
  const { grant, request } = facts.record;
  if (grant.holder !== facts.person.id || !isOwn(request, facts.person))
    return refused({ code: 'not_yours', id: grant.id });
  if (!isLive(grant)) return refused({ code: 'not_live', grantId: grant.id });
  return {
    done: 'returned',
    requestId: request.id,
    changes: endGrant(
      facts.record,
      { reason: 'returned', by: personActor(facts.person), ...correlationOf(facts) },
      now,
    ),
  };
}

export interface RevokeFacts {
  /** A person in chat, or a shell on the host, which may end anything. */
  readonly by: { readonly person: Person; readonly subjects: readonly SubjectAnswer[] } | { readonly operator: string };
  readonly responders: readonly Subject[];
  readonly entitlement?: Entitlement;
  readonly record: GrantRecord;
  readonly correlation?: string;
}

export function decideRevoke(command: { readonly reason: string }, facts: RevokeFacts, now: Instant): Outcome {
  const { grant, request } = facts.record;
  let actor: Actor;
  if ('operator' in facts.by) actor = { kind: 'operator', name: facts.by.operator };
  else {
    actor = personActor(facts.by.person);
    const verdict = anyHolds('eligible', respondersFor(facts), facts.by.subjects);
    if (verdict.is === 'broken')
      return refused({ code: 'cannot_check', what: 'whether you may revoke', error: verdict.finding.why });
    if (verdict.is === 'unsatisfied')
      return refused(
        { code: 'not_a_responder' },
        eventRow('revocation.refused', now, actor, {
          requestId: request.id,
          grantId: grant.id,
          detail: { entitlement: grant.entitlement, code: 'not_a_responder' },
          ...correlationOf(facts),
        }),
      );
  }
  if (!isLive(grant)) return refused({ code: 'not_live', grantId: grant.id });
  return {
    done: 'revoked',
    requestId: request.id,
    changes: endGrant(
      facts.record,
      { reason: 'revoked', by: actor, note: command.reason, ...correlationOf(facts) },
      now,
    ),
  };
}

/** Responders may revoke anything; those named as on-call only what they approve. */
export function respondersFor(facts: {
  readonly responders: readonly Subject[];
  readonly entitlement?: Entitlement;
}): readonly Subject[] {
  const approvers = (facts.entitlement?.policy.approvers ?? []).map(subjectName);
  return facts.responders.filter((subject) => subject.kind !== 'on-call' || approvers.includes(subjectName(subject)));
}

// ------------------------------------------------------------------------------------------------------- timers

/** How soon a grant that is still being added is looked at again. */
const ADDING_LOOK_MS = 15_000;

/** What follows from a ring: changes, or ringing again at the right time. */
export type Rung = readonly Change[] | { readonly dueAt: Instant };

/** A timer is a doorbell: it may ring early, late or twice, so each of these looks at what holds now. */
export function ringLapse(record: RequestRecord | undefined, now: Instant): Rung {
  if (record === undefined || record.request.state !== 'pending') return [];
  if (now < record.request.lapsesAt) return { dueAt: record.request.lapsesAt };
  return closeRequest(record.request, 'lapsed', { kind: 'hallpass', part: 'timers' }, now);
}

export function ringEnd(record: GrantRecord | undefined, now: Instant): Rung {
  if (record === undefined || !isLive(record.grant)) return [];
  const due = endsAt(record.grant);
  if (now < due) return { dueAt: due };
  return endGrant(record, ranOut(record), now);
}

/** The end that comes when its time is over. */
export function ranOut({ grant }: GrantRecord): Ending {
  const started = grant.startsAt !== undefined;
  return { reason: started ? 'expired' : 'abandoned', by: { kind: 'hallpass', part: 'timers' } };
}

export function ringAddBy(record: GrantRecord | undefined, now: Instant): Rung {
  if (record === undefined || record.grant.state !== 'adding') return [];
  if (now < record.grant.addBy) return { dueAt: record.grant.addBy };
  return addByPassed(record, now);
}

export function ringWarn(record: GrantRecord | undefined, now: Instant): Rung {
  if (record === undefined || !isLive(record.grant)) return [];
  const { grant, request } = record;
  const end = endsAt(grant);
  const due = end - grant.warnBeforeMs;
  if (now < due) return { dueAt: due };
  if (now >= end || request.requesterAccount === undefined) return [];
  // Partly added: there is nothing to warn of before it is active, and it may still become so.
  if (grant.state === 'adding') return { dueAt: now + ADDING_LOOK_MS };
  const warning: Audience = { kind: 'warning', account: request.requesterAccount, endsAt: end };
  // Rung twice: this end has been warned of.
  if (request.audiences.some((known) => audienceId(known) === audienceId(warning))) return [];
  return [
    // Touched, so that an end that is decided at this moment is not answered with a warning.
    putGrant(grant, {}).change,
    event(
      'grant.warned',
      now,
      { kind: 'hallpass', part: 'timers' },
      {
        requestId: request.id,
        grantId: grant.id,
        detail: { entitlement: grant.entitlement, endsAt: endsAt(grant) },
      },
    ),
    ...show(request, [warning], now),
  ];
}

function correlationOf(facts: { readonly correlation?: string }): { readonly correlation?: string } {
  return facts.correlation === undefined ? {} : { correlation: facts.correlation };
}
