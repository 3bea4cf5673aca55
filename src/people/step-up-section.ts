/** The section of `hallpass.yaml` that names the issuer at which people sign in and prove who they are. */
import { z } from 'zod';
import { parseDuration } from '../access/grammar.ts';

const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]']);

/** An issuer may have a path; nothing else. */
export function isIssuer(value: string): boolean {
  if (!URL.canParse(value)) return false;
  const url = new URL(value);
  if (url.search !== '' || url.hash !== '' || url.username !== '' || url.password !== '') return false;
  return url.protocol === 'https:' || (url.protocol === 'http:' && LOOPBACK.has(url.hostname));
}

/** A sign-in older than an hour says who was there, not who is. */
const AGE = { least: 60_000, most: 3_600_000 };

const claimed = z.string().regex(/^[\x21-\x7e]{1,200}$/, 'must be a value without spaces');

export const stepUpSection = z
  .strictObject({
    type: z
      .enum(['okta', 'entra', 'google', 'oidc'])
      .describe('Whose issuer it is: what can be asked of it, and what its answers mean, differ.'),
    issuer: z
      .string()
      .refine(isIssuer, 'must be the https:// address of an issuer, as its metadata says it (http:// only on loopback)')
      .describe('The address that its tokens name as `iss`.'),
    clientId: z.string().min(1).describe('The id under which the issuer knows Hallpass.'),
    clientSecret: z.string().min(1).describe('Its secret; written as the name of a variable of the environment.'),
    acr: z
      .array(claimed)
      .min(1)
      .max(10)
      .optional()
      .describe(
        'Authentication classes of which a proof must have one. Default for okta: urn:okta:loa:2fa:any. For entra: the authentication context (c1).',
      ),
    amr: z
      .array(claimed)
      .min(1)
      .max(10)
      .optional()
      .describe('Methods all of which a proof must have been made with. Default for google: mfa.'),
    maxAge: z
      .string()
      .refine((value) => {
        const ms = parseDuration(value);
        return ms !== undefined && ms >= AGE.least && ms <= AGE.most;
      }, 'must be a duration from 1m to 1h')
      .optional()
      .describe('How long ago the person may have shown who they are. Default 5m.'),
    personBy: z
      .enum(['sub', 'email'])
      .optional()
      .describe(
        'How a sign-in becomes a person: `sub` is the user id in the first directory, or `email` (verified, and only with identity.match). May be left out where the issuer is the first directory itself.',
      ),
  })
  .describe('Where people prove who they are before something counts, and sign in to the console.');

export type StepUpSection = z.output<typeof stepUpSection>;

const MAX_AGE_MS = 300_000;
const OKTA_TWO_FACTORS = 'urn:okta:loa:2fa:any';

/** What makes a sign-in a proof. */
export interface ProofRule {
  readonly type: StepUpSection['type'];
  /** One of them. */
  readonly acr: readonly string[];
  /** All of them. */
  readonly amr: readonly string[];
  readonly maxAgeMs: number;
}

export function proofRule(section: StepUpSection): ProofRule {
  const { type, maxAge } = section;
  return {
    type,
    acr: section.acr ?? (type === 'okta' ? [OKTA_TWO_FACTORS] : []),
    amr: section.amr ?? (type === 'google' ? ['mfa'] : []),
    maxAgeMs: maxAge === undefined ? MAX_AGE_MS : (parseDuration(maxAge) ?? MAX_AGE_MS),
  };
}

export interface StepUpProblem {
  readonly key: keyof StepUpSection;
  readonly message: string;
  readonly instead?: string;
  readonly warning?: true;
}

/** What is wrong with the section in a file like this one, although each line is right. */
export function stepUpProblems(
  section: StepUpSection,
  around: { readonly identityOkta?: string; readonly emailsTrusted: boolean },
): readonly StepUpProblem[] {
  const found: StepUpProblem[] = [];
  const rule = proofRule(section);
  if (section.type === 'google' && section.acr !== undefined)
    found.push({ key: 'acr', message: 'Google has no authentication classes', instead: 'leave it out' });
  if (section.type === 'entra' && (section.acr?.length !== 1 || !/^c\d{1,2}$/.test(section.acr[0] ?? '')))
    found.push({
      key: 'acr',
      message: 'Entra proves an authentication context, and one must be named',
      instead: 'acr: [ c1 ]',
    });
  if (section.type === 'oidc' && rule.acr.length === 0 && rule.amr.length === 0)
    found.push({
      key: 'type',
      message: 'nothing says what a proof is: without acr or amr any sign-in would be one',
      instead: 'acr: [ phr ], or amr: [ mfa ]',
    });
  if (section.type === 'google')
    found.push({
      key: 'type',
      message:
        'Google cannot be asked to sign a person in afresh: a proof there is a session of Google that is younger than maxAge, begun with a second factor',
      warning: true,
    });
  const by = personByOf(section, around.identityOkta);
  if (by === undefined)
    found.push({
      key: 'personBy',
      message: 'nothing says whose account a sign-in is',
      instead: 'personBy: email, or sub where `sub` is the user id in the first directory',
    });
  if (by === 'email' && !around.emailsTrusted)
    found.push({
      key: 'personBy',
      message: 'emails say who somebody is only where identity.match trusts them',
      instead: 'identity: { match: confirmed-email }, or personBy: sub',
    });
  return found;
}

/** An Okta organisation says of its own people who they are, by their immutable ids. */
export function personByOf(section: StepUpSection, identityOkta: string | undefined): 'sub' | 'email' | undefined {
  if (section.personBy !== undefined) return section.personBy;
  const same = identityOkta !== undefined && new URL(section.issuer).origin === new URL(identityOkta).origin;
  return section.type === 'okta' && same ? 'sub' : undefined;
}
