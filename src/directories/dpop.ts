/** Proof of possession (RFC 9449): a token that is stolen from a log or a proxy is of no use without this key. */
import { createHash, randomUUID } from 'node:crypto';
import { exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose';
import type { Clock } from '../access/ports.ts';

const ALG = 'ES256';

type SigningKey = Awaited<ReturnType<typeof generateKeyPair>>['privateKey'];

export interface ProofWanted {
  readonly method: string;
  readonly url: URL;
  /** The token the call carries; absent when one is asked for. */
  readonly token?: string;
  /** What the server wants repeated. */
  readonly nonce?: string;
}

export interface Prover {
  /** The `DPoP` header of one call; never the same twice. */
  prove(wanted: ProofWanted): Promise<string>;
}

/** With a key of its own, that lives as long as this process and is never written down. */
export function createProver(clock: Clock): Prover {
  let made: Promise<{ readonly key: SigningKey; readonly jwk: JWK }> | undefined;

  async function make() {
    const { privateKey, publicKey } = await generateKeyPair(ALG);
    return { key: privateKey, jwk: await exportJWK(publicKey) };
  }

  return {
    async prove({ method, url, token, nonce }) {
      made ??= make();
      const { key, jwk } = await made;
      const claims = {
        htm: method,
        // Without query and fragment, as the standard says.
        htu: `${url.origin}${url.pathname}`,
        jti: randomUUID(),
        ...(nonce === undefined ? {} : { nonce }),
        ...(token === undefined ? {} : { ath: createHash('sha256').update(token).digest('base64url') }),
      };
      return await new SignJWT(claims)
        .setProtectedHeader({ typ: 'dpop+jwt', alg: ALG, jwk })
        .setIssuedAt(Math.floor(clock.now() / 1_000))
        .sign(key);
    },
  };
}
