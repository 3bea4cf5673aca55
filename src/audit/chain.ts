/** Whether the record of what happened is the one that was written. */
import type { ChainLink } from '../access/ports.ts';

export interface ChainEnd {
  readonly seq: number;
  readonly hash: string;
}

/** What the first event is linked to. */
export const CHAIN_START: ChainEnd = { seq: 0, hash: '0'.repeat(64) };

/** The place of the first event that was altered, dropped, moved or slipped in, and what is wrong there. */
export interface BrokenLink {
  readonly seq: number;
  readonly why: string;
}

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
  return brokenLink(links, hash, after)?.seq;
}

/** The same, with the reason. */
export function brokenLink(
  links: readonly ChainLink[],
  hash: (text: string) => string,
  after: ChainEnd = CHAIN_START,
): BrokenLink | undefined {
  let last = after;
  for (const link of links) {
    const why = wrongWith(link, last, hash);
    if (why !== undefined) return { seq: last.seq + 1, why };
    last = link;
  }
  return undefined;
}

function wrongWith(link: ChainLink, last: ChainEnd, hash: (text: string) => string): string | undefined {
  const expected = last.seq + 1;
  if (link.seq !== expected) return `event ${expected} is missing: event ${link.seq} stands in its place`;
  // Over the text as stored, never over one made anew from its parts: what is stored is what is attested.
  if (hash(link.canonical) !== link.hash) return 'its text is not the one that was written';
  if (link.prevHash !== last.hash) return 'it does not follow on the event before it';
  return names(link.canonical, link) ? undefined : 'its text names another place in the trail';
}

/**
 * Whether the text itself says its place and predecessor; columns alone could be renumbered. In canonical JSON keys are
 * sorted, so that the place is the last thing said: looking there is several times faster than reading the whole text.
 */
function names(canonical: string, { seq, prevHash }: ChainLink): boolean {
  if (canonical.endsWith(`,"seq":${seq}}`) && canonical.includes(`,"prevHash":"${prevHash}",`)) return true;
  try {
    const said = JSON.parse(canonical) as { seq?: unknown; prevHash?: unknown } | null;
    return said?.seq === seq && said.prevHash === prevHash;
  } catch {
    return false;
  }
}
