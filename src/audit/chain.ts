/** Whether the record of what happened is the one that was written. */
import type { ChainLink } from '../access/ports.ts';

export interface ChainEnd {
  readonly seq: number;
  readonly hash: string;
}

/** What the first event is linked to. */
export const CHAIN_START: ChainEnd = { seq: 0, hash: '0'.repeat(64) };

/**
 * The place of the first event that was altered, dropped, moved or slipped in; `undefined` when every link holds.
 * `hash` is SHA-256 in hex. A long chain is checked in pages, each after the end of the one before. That the newest
 * events are missing shows only to whoever has noted the end of the chain elsewhere.
 */
export function verifyChain(
  links: readonly ChainLink[],
  hash: (text: string) => string,
  after: ChainEnd = CHAIN_START,
): number | undefined {
  let last = after;
  for (const link of links) {
    const expected = last.seq + 1;
    const linked = link.seq === expected && link.prevHash === last.hash;
    // Over the text as stored, never over one made anew from its parts: what is stored is what is attested.
    if (!linked || hash(link.canonical) !== link.hash || !names(link.canonical, link)) return expected;
    last = link;
  }
  return undefined;
}

/** Whether the text itself says its place and predecessor; columns alone could be renumbered. */
function names(canonical: string, { seq, prevHash }: ChainLink): boolean {
  try {
    const said = JSON.parse(canonical) as { seq?: unknown; prevHash?: unknown } | null;
    return said?.seq === seq && said.prevHash === prevHash;
  } catch {
    return false;
  }
}
