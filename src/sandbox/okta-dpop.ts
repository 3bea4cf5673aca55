/** Proofs of possession as Okta checks them: RFC 9449, each proof good for one call. */
import { createHash } from 'node:crypto';
import { calculateJwkThumbprint, decodeProtectedHeader, EmbeddedJWK, type JWK, jwtVerify } from 'jose';

export interface ProofChecked {
  readonly proof: string;
  readonly method: string;
  /** Without query and fragment. */
  readonly url: string;
  /** The token that came with it; absent at the token endpoint. */
  readonly token?: string;
  readonly now: number;
}

const AGE_MAX_S = 300;

export class OktaProofs {
  /** Ids of proofs that were used; the same one again is a replay. */
  readonly #used = new Set<string>();

  /** The thumbprint of the key, and the nonce in the proof, or `undefined` for one that does not hold. */
  async check(asked: ProofChecked): Promise<{ readonly key: string; readonly nonce?: string } | undefined> {
    try {
      const { payload } = await jwtVerify(asked.proof, EmbeddedJWK, {
        typ: 'dpop+jwt',
        algorithms: ['ES256', 'RS256'],
        requiredClaims: ['htm', 'htu', 'iat', 'jti'],
        currentDate: new Date(asked.now),
      });
      const { jwk } = decodeProtectedHeader(asked.proof);
      const ath = asked.token === undefined ? undefined : createHash('sha256').update(asked.token).digest('base64url');
      const { jti, iat = 0, nonce } = payload;
      if (payload.htm !== asked.method || payload.htu !== asked.url || payload.ath !== ath) return undefined;
      if (Math.abs(asked.now / 1_000 - iat) > AGE_MAX_S) return undefined;
      if (jti === undefined || this.#used.has(jti)) return undefined;
      this.#used.add(jti);
      const key = await calculateJwkThumbprint(jwk as JWK);
      return typeof nonce === 'string' ? { key, nonce } : { key };
    } catch {
      return undefined;
    }
  }
}
