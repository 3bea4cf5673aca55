/** Signing in at the issuer of `stepUp`, in the words of the core: the way out, and what it brings back. */
import type { Instant, PersonId } from './model.ts';

/** What a sign-in is for: to say who somebody is, or to prove it afresh and with more than a password. */
export type SignInWish = {
  /** Where the issuer sends the browser back to; one of ours. */
  readonly redirectUri: string;
  readonly proof: boolean;
  /** The email of whoever is expected; a convenience of the issuer's page, never believed. */
  readonly hint?: string;
};

/** Kept by whoever began it, in the browser that began it, until that browser comes back. */
export interface SignInKept {
  readonly state: string;
  readonly nonce: string;
  readonly verifier: string;
  readonly redirectUri: string;
}

/** What the issuer says. It is not yet anybody, nor a proof of anything. */
export interface SignedIn {
  readonly issuer: string;
  readonly subject: string;
  readonly email?: string;
  readonly emailVerified: boolean;
  readonly acr?: string;
  /** Authentication contexts, where the issuer speaks of those (Entra). */
  readonly acrs: readonly string[];
  readonly amr: readonly string[];
  /** When the person last showed who they are; absent where the issuer does not say. */
  readonly authAt?: Instant;
}

/**
 * `declined`: the person or the issuer ended it. `unmet`: the issuer cannot ask for what is wanted. `invalid`: what came
 * back does not belong to what was begun, or was used before. `unavailable`: the issuer could not be asked.
 */
export type SignInErrorCode = 'declined' | 'unmet' | 'invalid' | 'unavailable';

/** The message is for people, and holds nothing that the issuer sent. */
export class SignInError extends Error {
  readonly code: SignInErrorCode;
  constructor(code: SignInErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'SignInError';
    this.code = code;
  }
}

export interface SignIn {
  /** How long a sign-in is fresh enough to be a proof. */
  readonly maxAgeMs: number;
  /** Where to send the browser, and what to keep for when it comes back. Throws `SignInError`. */
  begin(wish: SignInWish): Promise<{ readonly url: string; readonly kept: SignInKept }>;
  /** `callback`: the query that the browser came back with. Throws `SignInError`. */
  finish(callback: URLSearchParams, kept: SignInKept): Promise<SignedIn>;
  /** What a sign-in lacks to be a proof, in words for people; absent: it is one. */
  lacks(signedIn: SignedIn, now: Instant): string | undefined;
  /** The active person of the identity directory who signed in. Throws `PeopleError`. */
  personOf(signedIn: SignedIn): Promise<PersonId>;
}
