/** Where ids, randomness and hashes come from. */
import { hash, randomBytes, randomInt } from 'node:crypto';
import type { Ids } from './access/ports.ts';

/** No 0/O, 1/I/L, 5/S, 8/B, U/V, 2/Z: read aloud over a bad line, each can only be itself. */
const ALPHABET = '34679ACDEFGHJKMNPQRTWXY';

export function randomIds(): Ids {
  return {
    short: (attempt) =>
      Array.from({ length: attempt === 0 ? 4 : 5 }, () => ALPHABET[randomInt(ALPHABET.length)]).join(''),
    opaque: salt,
    jitter: () => randomInt(2 ** 32) / 2 ** 32,
    // In one call: for texts as short as ours an object for each would cost as much as the hash.
    hash: (text) => hash('sha256', text, 'hex'),
  };
}

const SALT_BYTES = 16;
let pool = Buffer.alloc(0);

/** 128 random bits, in hex. Asked of the system for a few hundred at a time: one by one they cost more than the hash. */
export function salt(): string {
  if (pool.length === 0) pool = randomBytes(SALT_BYTES * 256);
  const taken = pool.toString('hex', 0, SALT_BYTES);
  pool = pool.subarray(SALT_BYTES);
  return taken;
}
