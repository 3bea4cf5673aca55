/** Who may come in from where: what a browser says of a request before it is believed, and how often anybody may ask. */

/** A page of ours, and nothing else: whatever comes back from a sign-in must not lead elsewhere. */
export function ownPath(to: string | null | undefined): string {
  if (to === null || to === undefined || to.length > 500) return '/console';
  // One slash, no backslash (some browsers read it as one), no control character: it can only be a path here.
  if (!/^\/console(?:[/?][\x21-\x5b\x5d-\x7e]*)?$/.test(to) || to.includes('//')) return '/console';
  // What begins a sign-in, answers it or streams is no page to come back to.
  return /^\/console\/(?:sign-in|sign-out|callback|events|act|assets)\b/.test(to) ? '/console' : to;
}

/** Whether a form was sent from a page of this very origin, as the browser tells. */
export function sameOrigin(headers: Headers, origin: string): boolean {
  const site = headers.get('sec-fetch-site');
  const from = headers.get('origin');
  if (site === null && from === null) return false;
  return (site === null || site === 'same-origin') && (from === null || from === origin);
}

export const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=()',
  // With no referrer at all a browser would also hide the origin of our own forms.
  'referrer-policy': 'same-origin',
};

export interface Limiter {
  /** Seconds to wait; absent: go on. */
  tooMany(who: string): number | undefined;
}

/** So many in each minute; whom it does not know for a minute it forgets, and beyond `remembered` the oldest. */
export function createLimiter(perMinute: number, monotonic: () => number, remembered = 10_000): Limiter {
  const known = new Map<string, { since: number; count: number }>();
  return {
    tooMany(who) {
      const now = monotonic();
      const seen = known.get(who);
      if (seen === undefined || now - seen.since >= 60_000) {
        known.delete(who);
        for (const oldest of known.keys()) {
          if (known.size < remembered) break;
          known.delete(oldest);
        }
        known.set(who, { since: now, count: 1 });
        return undefined;
      }
      seen.count += 1;
      return seen.count > perMinute ? Math.ceil((60_000 - (now - seen.since)) / 1_000) : undefined;
    },
  };
}
