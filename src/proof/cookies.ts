/** What a browser keeps for us between leaving for the issuer and the click. */
import { z } from 'zod';
import type { SignInKept } from '../access/sign-in.ts';

/** As long as a person may take at the issuer, and then some; the proof itself ends sooner. */
const KEPT_S = 600;

const under = z.strictObject({
  proof: z.string(),
  state: z.string(),
  nonce: z.string(),
  verifier: z.string(),
  redirectUri: z.string(),
});

/** A sign-in under way. */
export interface UnderWay {
  readonly proof: string;
  readonly kept: SignInKept;
}

export interface Cookies {
  /** `Lax`: the browser comes back from the issuer by a link. */
  signIn(underWay: UnderWay): string;
  readSignIn(header: string | null): UnderWay | undefined;
  /** `Strict`: only this page of ours brings it along. */
  seal(proof: string, seal: string): string;
  readSeal(header: string | null, proof: string): string | undefined;
  readonly clearSignIn: string;
  clearSeal(proof: string): string;
}

/** `secure`: by https. `__Host-` keeps them from being set by a neighbouring host. */
export function cookies(secure: boolean): Cookies {
  const prefix = secure ? '__Host-' : '';
  const signInName = `${prefix}hallpass-sign-in`;
  const sealName = (proof: string) => `${prefix}hallpass-proof-${proof.slice(0, 8)}`;
  const set = (name: string, value: string, site: 'Lax' | 'Strict', maxAge = KEPT_S) =>
    `${name}=${value}; Path=/; HttpOnly; SameSite=${site}; Max-Age=${maxAge}${secure ? '; Secure' : ''}`;
  return {
    signIn: ({ proof, kept }) =>
      set(signInName, Buffer.from(JSON.stringify({ proof, ...kept })).toString('base64url'), 'Lax'),
    readSignIn(header) {
      const text = cookieOf(header, signInName);
      if (text === undefined) return undefined;
      const read = under.safeParse(jsonOf(Buffer.from(text, 'base64url').toString('utf8')));
      if (!read.success) return undefined;
      const { proof, ...kept } = read.data;
      return { proof, kept };
    },
    seal: (proof, seal) => set(sealName(proof), seal, 'Strict'),
    readSeal: (header, proof) => cookieOf(header, sealName(proof)),
    clearSignIn: set(signInName, '', 'Lax', 0),
    clearSeal: (proof) => set(sealName(proof), '', 'Strict', 0),
  };
}

function cookieOf(header: string | null, name: string): string | undefined {
  for (const pair of (header ?? '').split(';')) {
    const at = pair.indexOf('=');
    if (at > 0 && pair.slice(0, at).trim() === name) return pair.slice(at + 1).trim() || undefined;
  }
  return undefined;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
