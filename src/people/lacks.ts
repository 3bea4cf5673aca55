/** Whether a sign-in is a proof. An issuer may answer without doing what it was asked, so each claim is looked at here. */
import type { Instant } from '../access/model.ts';
import type { SignedIn } from '../access/sign-in.ts';
import type { ProofRule } from './step-up-section.ts';

/** Clocks of two machines differ, and an issuer speaks in whole seconds. */
const SKEW_MS = 30_000;

/** Absent: nothing is lacking. */
export function lacks(rule: ProofRule, signedIn: SignedIn, now: Instant): string | undefined {
  const { acr, acrs, amr, authAt } = signedIn;
  const classes = rule.type === 'entra' ? acrs : acr === undefined ? [] : [acr];
  if (rule.acr.length > 0 && !rule.acr.some((wanted) => classes.includes(wanted)))
    return `it was not as strong as is needed here (${rule.acr.join(' or ')})`;
  const missing = rule.amr.find((wanted) => !amr.includes(wanted));
  if (missing !== undefined) return `it was made without "${missing}"`;
  if (authAt === undefined) return 'the issuer does not say when it was made';
  if (authAt - now > SKEW_MS) return 'the issuer says that it was made in the future';
  if (now - authAt > rule.maxAgeMs + SKEW_MS)
    return `it was made ${Math.floor((now - authAt) / 60_000)} minutes ago, which is too long`;
  return undefined;
}
