/** Where ids, randomness and hashes come from. */
import { createHash, randomBytes, randomInt } from 'node:crypto';
import type { Ids } from './access/ports.ts';

/** No 0/O, 1/I/L, 5/S, 8/B, U/V, 2/Z: read aloud over a bad line, each can only be itself. */
const ALPHABET = '34679ACDEFGHJKMNPQRTWXY';

export function randomIds(): Ids {
  return {
    short: (attempt) =>
      Array.from({ length: attempt === 0 ? 4 : 5 }, () => ALPHABET[randomInt(ALPHABET.length)]).join(''),
    opaque: () => randomBytes(16).toString('hex'),
    jitter: () => randomInt(2 ** 32) / 2 ** 32,
    hash: (text) => createHash('sha256').update(text).digest('hex'),
  };
}

export function salt(): string {
  return randomBytes(16).toString('hex');
}
