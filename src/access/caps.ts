/** How much a person may have: so long a day, so many at once, so many requests an hour. */
import type { Refusal } from './command.ts';
import { type Circumstances, heldWithin } from './condition.ts';
import { isLive } from './ledger.ts';
import type { Entitlement, Grant, Instant } from './model.ts';
import { dayAround } from './zone.ts';

/** Nobody needs more; whoever sends more is a script, and each request rings at somebody's desk. */
export const REQUESTS_MAX = 20;
export const REQUESTS_WITHIN_MS = 3_600_000;

export interface CapFacts {
  readonly entitlement: Entitlement;
  readonly circumstances: Circumstances;
  readonly timezone: string;
}

/** The time that would be held: of a new grant from now, of a longer one from its start. */
export interface Span {
  readonly from: Instant;
  readonly to: Instant;
  /** The grant that is made longer: what it holds so far is part of the span. */
  readonly extends?: Grant;
}

export function capRefusal(
  facts: CapFacts,
  span: Span,
): Extract<Refusal, { code: 'over_daily' | 'too_many_live' | 'cannot_check' }> | undefined {
  return dailyRefusal(facts, span) ?? liveRefusal(facts, span);
}

export function rateRefusal(requestsLately: number): Extract<Refusal, { code: 'too_many_requests' }> | undefined {
  return requestsLately < REQUESTS_MAX ? undefined : { code: 'too_many_requests', most: REQUESTS_MAX };
}

/** Every day that the span touches has its own sum. */
function dailyRefusal(
  { entitlement, circumstances, timezone }: CapFacts,
  span: Span,
): Extract<Refusal, { code: 'over_daily' | 'cannot_check' }> | undefined {
  const { perDayMs } = entitlement.policy.duration;
  if (perDayMs === undefined) return undefined;
  if (circumstances.past === undefined) return unknown(entitlement);
  const others = circumstances.past.filter(({ id }) => id !== span.extends?.id);
  for (let at = span.from; at < span.to; ) {
    const { from: day, to: next } = dayAround(timezone, at);
    const held = heldWithin(others, day, next);
    const wanted = Math.min(span.to, next) - Math.max(span.from, day);
    const before = span.extends === undefined ? 0 : heldWithin([span.extends], Math.max(span.from, day), next);
    if (held + wanted > perDayMs)
      return { code: 'over_daily', perDayMs, usedMs: held + before, leftMs: Math.max(0, perDayMs - held - before) };
    at = next;
  }
  return undefined;
}

function liveRefusal(
  { entitlement, circumstances }: CapFacts,
  span: Span,
): Extract<Refusal, { code: 'too_many_live' | 'cannot_check' }> | undefined {
  const { maxLive, name } = entitlement.policy;
  if (maxLive === undefined || span.extends !== undefined) return undefined;
  if (circumstances.live === undefined) return unknown(entitlement);
  const live = circumstances.live.filter(isLive);
  if (live.length < maxLive) return undefined;
  return { code: 'too_many_live', policy: name, most: maxLive, grants: live.map(({ id }) => id) };
}

/** What a limit rests on was not looked up: then it is not known to be kept. */
function unknown(entitlement: Entitlement): Extract<Refusal, { code: 'cannot_check' }> {
  return {
    code: 'cannot_check',
    what: `the limits of the policy ${entitlement.policy.name}`,
    error: 'earlier grants are not known',
  };
}
