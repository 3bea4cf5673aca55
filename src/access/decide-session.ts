/** Credentials that we give out: what begins one, what ends it, and what a machine may not do with it. */
import type { Command } from './command.ts';
import { event } from './decision.ts';
import type { Actor, Change, Instant, Person, Session } from './model.ts';

/** Each is an answer, or gives what no grant ends: only a person at the other end may say it. */
const FOR_PEOPLE: ReadonlySet<Command['do']> = new Set([
  'approve',
  'break-glass',
  'confirm-proof',
  'deny',
  'review',
  'adopt',
  'unfreeze',
  'sign-digest',
  'ask-holder',
  'explain-finding',
  'dismiss-finding',
]);

export function isMachine(person: Person): boolean {
  return person.via?.kind === 'token' || person.via?.kind === 'workload';
}

export function needsPerson(command: Command): boolean {
  return FOR_PEOPLE.has(command.do);
}

export function holds(session: Session, now: Instant): boolean {
  return session.endedAt === undefined && now < session.expiresAt;
}

export function beginSession(session: Session, by: Actor, now: Instant): readonly Change[] {
  const { id, kind, person, scopes, expiresAt, acr, label } = session;
  return [
    { put: 'session', row: session },
    event('session.began', now, by, {
      detail: { session: id, kind, person, scopes: [...scopes], expiresAt, ...(acr === undefined ? {} : { acr }) },
      ...(label === undefined ? {} : { personal: { label } }),
    }),
  ];
}

/** Nothing where it is over already. */
export function endSession(session: Session, by: Actor, byName: string, now: Instant): readonly Change[] {
  if (!holds(session, now)) return [];
  const { id, kind, person, version } = session;
  return [
    { put: 'session', row: { ...session, version: version + 1, endedAt: now, endedBy: byName }, was: version },
    event('session.ended', now, by, { detail: { session: id, kind, person } }),
  ];
}
