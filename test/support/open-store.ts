/** Stores as the program opens them; apart from `databases.ts`, since this much works outside vitest too. */
import { createHash, randomBytes } from 'node:crypto';
import { type OpenStore, openStore } from '../../src/store/database.ts';

export const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

/** At a time that stands still unless `now` is given. */
export function openTestStore(url: string, now: () => number = () => 1_700_000_000_000): Promise<OpenStore> {
  return openStore({ url, now, hash: sha256, salt: () => randomBytes(16).toString('hex'), poolSize: 4 });
}
