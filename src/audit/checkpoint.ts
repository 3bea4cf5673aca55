/**
 * Checkpoints: the end of the chain at one moment, signed. Who owns the database can rewrite the chain from any event
 * on and link it anew; without the key they cannot sign what they made, and they cannot reach a checkpoint that was
 * noted elsewhere.
 *
 * Ed25519 over the canonical JSON (RFC 8785) of what is attested, so that any tool can check it.
 */
import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, sign, verify } from 'node:crypto';
import canonicalize from 'canonicalize';
import type { Checkpoint } from '../access/ports.ts';

export interface Signer {
  /** The first 16 hex digits of the SHA-256 of the public key's SPKI DER. */
  readonly keyId: string;
  /** SPKI, PEM: for whoever checks. */
  readonly publicPem: string;
  checkpoint(end: { readonly seq: number; readonly hash: string }, at: number): Checkpoint;
}

export interface Verifier {
  readonly keyId: string;
  holds(checkpoint: Checkpoint): boolean;
}

/** PKCS#8, PEM. Throws when it is no Ed25519 private key. */
export function createSigner(privatePem: string): Signer {
  const key = createPrivateKey(privatePem);
  if (key.asymmetricKeyType !== 'ed25519') throw new Error('must be an Ed25519 private key');
  const publicKey = createPublicKey(key);
  const keyId = idOf(publicKey.export({ type: 'spki', format: 'der' }));
  return {
    keyId,
    publicPem: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    checkpoint({ seq, hash }, at) {
      const signature = sign(null, Buffer.from(attested({ seq, hash, at, keyId })), key).toString('base64');
      return { seq, hash, at, keyId, signature };
    },
  };
}

/** A public key, or a private one of which the public part is used; PEM. Throws when it is neither. */
export function createVerifier(pem: string): Verifier {
  const key = createPublicKey(pem);
  if (key.asymmetricKeyType !== 'ed25519') throw new Error('must be an Ed25519 key');
  const keyId = idOf(key.export({ type: 'spki', format: 'der' }));
  return {
    keyId,
    holds: (checkpoint) =>
      checkpoint.keyId === keyId &&
      verify(null, Buffer.from(attested(checkpoint)), key, Buffer.from(checkpoint.signature, 'base64')),
  };
}

/** A new private key: PKCS#8, PEM. */
export function newSigningKey(): string {
  return generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

function attested({ seq, hash, at, keyId }: Omit<Checkpoint, 'signature'>): string {
  return canonicalize({ type: 'hallpass-checkpoint', version: 1, seq, hash, at, keyId }) ?? '';
}

function idOf(der: Buffer): string {
  return createHash('sha256').update(der).digest('hex').slice(0, 16);
}
