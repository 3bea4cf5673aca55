/**
 * The key that signs checkpoints. It must not be where the database is: whoever can rewrite the trail must not be able
 * to sign what they made. So it comes from the environment, or from a file beside the configuration.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { createSigner, createVerifier, newSigningKey, type Signer, type Verifier } from './checkpoint.ts';
import type { AuditSection } from './section.ts';

const DEFAULT_FILE = 'hallpass-audit.pem';

export interface KeyPlace {
  /** PKCS#8 in PEM, or that in base64, from the environment; goes before the file. */
  readonly given?: string;
  readonly file: string;
}

/** Beside the configuration unless the file says otherwise. */
export function auditKeyPlace(settings: {
  readonly path: string;
  readonly audit: AuditSection;
  readonly env: { readonly auditKey?: string };
}): KeyPlace {
  const { auditKey } = settings.env;
  return {
    ...(auditKey === undefined ? {} : { given: auditKey }),
    file: resolve(dirname(settings.path), settings.audit.keyFile ?? DEFAULT_FILE),
  };
}

/** Makes the file where there is neither. Throws when there is no key and none can be made. */
export function openSigner({ given, file }: KeyPlace): { readonly signer: Signer; readonly made: boolean } {
  if (given !== undefined) return { signer: createSigner(pemOf(given)), made: false };
  if (existsSync(file)) return { signer: createSigner(readFileSync(file, 'utf8')), made: false };
  const pem = newSigningKey();
  try {
    // Never over one that another process has made in this moment.
    writeFileSync(file, pem, { flag: 'wx', mode: 0o600 });
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
    return { signer: createSigner(readFileSync(file, 'utf8')), made: false };
  }
  return { signer: createSigner(pem), made: true };
}

/** For checking only: the same key, where there is one, and none otherwise. */
export function knownVerifiers({ given, file }: KeyPlace): readonly Verifier[] {
  if (given !== undefined) return [createVerifier(pemOf(given))];
  return existsSync(file) ? [createVerifier(readFileSync(file, 'utf8'))] : [];
}

function pemOf(given: string): string {
  return given.includes('-----BEGIN') ? given : Buffer.from(given, 'base64').toString('utf8');
}
