/**
 * Conditions on a policy: expressions over what is known when a decision is made. The language itself is outside; here
 * is what an expression may speak of, and what follows from its answer.
 */
import type { Refusal } from './command.ts';
import type { Entitlement, Grant, Instant, Person } from './model.ts';
import type { Incident } from './ports.ts';
import { dayAround, wallTime } from './zone.ts';

/** A condition as it was compiled when the file was read. */
export interface Condition {
  readonly expression: string;
  /** The fields it reads, such as `now.hour`; what need not be looked up is not. */
  readonly reads: readonly string[];
  /** The groups it asks about, as `directory/name`; no others are looked up. */
  readonly groups: readonly string[];
  /** The on-call sources it asks about. */
  readonly onCall: readonly string[];
  /** Pure, and bounded in time. What the context leaves out is an error, unless the rest decides without it. */
  evaluate(context: ConditionContext): { readonly holds: boolean } | { readonly error: string };
}

/** What an expression can speak of; `conditions/context.ts` has the types that it is checked against. */
export interface ConditionContext {
  readonly now: { readonly hour: number; readonly minute: number; readonly weekday: number; readonly date: string };
  readonly requester: {
    readonly email: string;
    readonly name: string;
    readonly groups?: readonly string[];
    readonly onCall?: readonly string[];
  };
  readonly resource: { readonly name: string; readonly tags: readonly string[]; readonly owner: string };
  readonly role: string;
  readonly durationMs: number;
  readonly reason: string;
  readonly ticket: string;
  readonly incident?: { readonly open: boolean; readonly id: string; readonly title: string };
  readonly history?: {
    readonly grants24h: number;
    readonly grants7d: number;
    readonly usedTodayMs: number;
    readonly sinceLastEndMs: number;
  };
}

export type Looked<T> = { readonly value: T } | { readonly error: string };

/** What was looked up for the conditions and caps of one policy: only what they ask for. */
export interface Circumstances {
  readonly groups?: Looked<readonly string[]>;
  readonly onCall?: Looked<readonly string[]>;
  readonly incidents?: Looked<readonly Incident[]>;
  /** The requester's grants on this entitlement, newest first; of the last days only the newest `PAST_MAX`. */
  readonly past?: readonly Grant[];
  /** The requester's live grants under this policy, and the version of the row that guards their number. */
  readonly live?: readonly Grant[];
  readonly holderVersion?: number;
}

export interface ConditionFacts {
  readonly person: Person;
  readonly entitlement: Entitlement;
  readonly circumstances: Circumstances;
  readonly timezone: string;
}

export interface ConditionWish {
  readonly durationMs: number;
  readonly reason: string;
  readonly ticket?: string;
}

const DAY_MS = 86_400_000;
/** Longer than anybody's past: what `history.sinceLastEnd` is for somebody who never had this access. */
const NEVER_MS = 3_650 * DAY_MS;

export function contextOf(facts: ConditionFacts, wish: ConditionWish, now: Instant): ConditionContext {
  const { person, entitlement, circumstances, timezone } = facts;
  const { groups, onCall, incidents, past } = circumstances;
  const wall = wallTime(now, timezone);
  const date = new Date(Date.UTC(wall.year, wall.month - 1, wall.day));
  const incident = found(incidents);
  return {
    now: {
      hour: wall.hour,
      minute: wall.minute,
      // Monday is 1, Sunday 7.
      weekday: date.getUTCDay() === 0 ? 7 : date.getUTCDay(),
      date: date.toISOString().slice(0, 10),
    },
    requester: {
      email: person.email.toLowerCase(),
      name: person.name,
      ...present('groups', found(groups)),
      ...present('onCall', found(onCall)),
    },
    resource: { name: entitlement.resource, tags: entitlement.tags ?? [], owner: entitlement.owner ?? '' },
    role: entitlement.role,
    durationMs: wish.durationMs,
    reason: wish.reason,
    ticket: wish.ticket ?? '',
    ...(incident === undefined ? {} : { incident: incidentFor(incident, person) }),
    ...(past === undefined ? {} : { history: historyOf(past, timezone, now) }),
  };
}

/** Whoever opens an incident must not thereby open the door for themselves: only what others opened counts. */
function incidentFor(incidents: readonly Incident[], person: Person): NonNullable<ConditionContext['incident']> {
  // A pipeline opens nothing for whoever opened the incident and then set it off.
  const own = [person.email, person.workload?.onBehalfOf?.email ?? person.email].map((email) => email.toLowerCase());
  const [newest] = incidents
    .filter(({ openedBy }) => !own.some((email) => openedBy.includes(email)))
    .sort((a, b) => b.openedAt - a.openedAt || (a.id < b.id ? -1 : 1));
  return { open: newest !== undefined, id: newest?.id ?? '', title: newest?.title ?? '' };
}

function historyOf(past: readonly Grant[], zone: string, now: Instant): NonNullable<ConditionContext['history']> {
  const since = (ms: number) => past.filter(({ approvedAt }) => approvedAt > now - ms).length;
  const ends = past.flatMap(({ startsAt, endingAt }) =>
    startsAt !== undefined && endingAt !== undefined ? [endingAt] : [],
  );
  return {
    grants24h: since(DAY_MS),
    grants7d: since(7 * DAY_MS),
    usedTodayMs: heldWithin(past, dayAround(zone, now).from, now),
    sinceLastEndMs: ends.length === 0 ? NEVER_MS : Math.max(0, now - Math.max(...ends)),
  };
}

/** How long a grant has held, or will have held, between two instants. */
export function heldWithin(grants: readonly Grant[], from: Instant, to: Instant): number {
  return grants.reduce((sum, grant) => {
    const [start, end] = heldFromTo(grant);
    return sum + Math.max(0, Math.min(end, to) - Math.max(start, from));
  }, 0);
}

/** From its start to its end: decided, or still to come. One that never began has held for no time. */
function heldFromTo(grant: Grant): readonly [Instant, Instant] {
  if (grant.startsAt === undefined && (grant.state === 'ending' || grant.state === 'ended'))
    return [grant.approvedAt, grant.approvedAt];
  return [grant.startsAt ?? grant.approvedAt, grant.endingAt ?? grant.expiresAt ?? grant.hardEndAt];
}

/** Why a condition stands in the way; absent when it holds. */
export function conditionRefusal(
  condition: Condition | undefined,
  facts: ConditionFacts,
  wish: ConditionWish,
  now: Instant,
): Extract<Refusal, { code: 'condition_not_met' | 'cannot_check' }> | undefined {
  if (condition === undefined) return undefined;
  const context = contextOf(facts, wish, now);
  const result = condition.evaluate(context);
  if ('error' in result)
    return {
      code: 'cannot_check',
      what: `the condition “${condition.expression}” of the policy ${facts.entitlement.policy.name}`,
      error: [result.error, ...failuresIn(facts.circumstances)].join('; '),
    };
  if (result.holds) return undefined;
  return {
    code: 'condition_not_met',
    entitlement: facts.entitlement.id,
    expression: condition.expression,
    now: readingsOf(condition, context),
  };
}

/** What approves by itself, if anything does. A condition that cannot be judged approves nothing: people do. */
export function approvesItself(facts: ConditionFacts, wish: ConditionWish, now: Instant): Condition | undefined {
  const condition = facts.entitlement.policy.autoApprove;
  if (condition === undefined) return undefined;
  const result = condition.evaluate(contextOf(facts, wish, now));
  return 'holds' in result && result.holds ? condition : undefined;
}

function failuresIn({ groups, onCall, incidents }: Circumstances): readonly string[] {
  return [groups, onCall, incidents].flatMap((looked) =>
    looked !== undefined && 'error' in looked ? [looked.error] : [],
  );
}

/** What it read, in words. */
export function readingsOf(condition: Condition, context: ConditionContext): readonly string[] {
  return condition.reads.flatMap((path) => readingOf(path, context));
}

/** `now.hour` is 22: what the expression read, for whoever was refused. Their own words need not be said back. */
function readingOf(path: string, context: ConditionContext): readonly string[] {
  switch (path) {
    case 'now.hour':
      return [`${path} is ${context.now.hour}`];
    case 'now.minute':
      return [`${path} is ${context.now.minute}`];
    case 'now.weekday':
      return [`${path} is ${context.now.weekday}`];
    case 'now.date':
      return [`${path} is ${context.now.date}`];
    case 'requester.groups':
      return [`you are in ${context.requester.groups?.join(', ') || 'none of those groups'}`];
    case 'requester.onCall':
      return [`you are on call in ${context.requester.onCall?.join(', ') || 'none of those'}`];
    case 'resource.tags':
      return [`${path} is ${context.resource.tags.join(', ') || 'empty'}`];
    case 'ticket':
      return [context.ticket === '' ? 'no ticket is named' : `ticket is ${context.ticket}`];
    case 'duration':
      return [`duration is ${Math.round(context.durationMs / 60_000)} min`];
    case 'incident.open':
      return context.incident === undefined
        ? []
        : [context.incident.open ? `${path} is true` : 'there is no open incident that somebody else opened'];
    case 'history.grants24h':
    case 'history.grants7d':
      return context.history === undefined
        ? []
        : [`${path} is ${path === 'history.grants24h' ? context.history.grants24h : context.history.grants7d}`];
    case 'history.usedToday':
      return context.history === undefined
        ? []
        : [`${path} is ${Math.round(context.history.usedTodayMs / 60_000)} min`];
    case 'history.sinceLastEnd':
      return context.history === undefined || context.history.sinceLastEndMs >= NEVER_MS
        ? []
        : [`${path} is ${Math.round(context.history.sinceLastEndMs / 60_000)} min`];
    default:
      return [];
  }
}

function found<T>(looked: Looked<T> | undefined): T | undefined {
  return looked !== undefined && 'value' in looked ? looked.value : undefined;
}

function present<K extends string, T>(key: K, value: T | undefined): { readonly [P in K]?: T } {
  return value === undefined ? {} : ({ [key]: value } as { readonly [P in K]?: T });
}
