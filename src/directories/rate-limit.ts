/** Reads a vendor's rate-limit headers. Pure: the only instant that enters is a fallback for a missing `Date`. */
import type { Instant } from '../access/model.ts';

/** Below a second, waiting costs more calls than it saves. */
const RETRY_MIN_MS = 1_000;
/** Windows are a minute long. Whatever asks for more than this is a wrong clock, not a longer window. */
const RETRY_MAX_MS = 90_000;
/** A 429 that does not say how long: the concurrency limit, which frees itself within seconds. */
const RETRY_UNSAID_MS = 2_000;

export interface Rate {
  readonly limit: number;
  readonly remaining: number;
  /** The reset header as sent; names the window. */
  readonly reset: number;
  /** From the answer to the reset, in bounds. */
  readonly resetInMs: number;
}

/** Absent when the answer carries no complete set of `X-Rate-Limit-*` headers. */
export function rateOf(headers: Headers, now: Instant): Rate | undefined {
  const limit = wholeNumber(headers.get('x-rate-limit-limit'));
  const remaining = wholeNumber(headers.get('x-rate-limit-remaining'));
  const reset = wholeNumber(headers.get('x-rate-limit-reset'));
  if (limit === undefined || remaining === undefined || reset === undefined) return undefined;
  return { limit, remaining, reset, resetInMs: bounded(reset * 1_000 - sentAt(headers, now)) };
}

/** How long to wait after a 429, at least 1 s and at most 90 s. */
export function retryAfterMs(headers: Headers, now: Instant): number {
  const retryAfter = headers.get('retry-after');
  const seconds = wholeNumber(retryAfter);
  if (seconds !== undefined) return bounded(seconds * 1_000);
  const date = Date.parse(retryAfter ?? '');
  if (Number.isFinite(date)) return bounded(date - sentAt(headers, now));
  const reset = wholeNumber(headers.get('x-rate-limit-reset'));
  return reset === undefined ? RETRY_UNSAID_MS : bounded(reset * 1_000 - sentAt(headers, now));
}

// The reset is a time on the server's clock, so it is compared with the server's own Date: our clock may be minutes off.
function sentAt(headers: Headers, now: Instant): Instant {
  const date = Date.parse(headers.get('date') ?? '');
  return Number.isFinite(date) ? date : now;
}

function bounded(ms: number): number {
  return Math.min(RETRY_MAX_MS, Math.max(RETRY_MIN_MS, ms));
}

function wholeNumber(text: string | null): number | undefined {
  return text !== null && /^\d{1,15}$/.test(text.trim()) ? Number(text) : undefined;
}
