/**
 * The whole trail, read once from its first event to its last and held against everything that attests to it: its own
 * links, the signed checkpoints beside it, and what was noted elsewhere. Memory does not grow with the trail.
 */
import type { ChainLink, Checkpoint, TrailLink } from '../access/ports.ts';
import { type BrokenLink, brokenLink, CHAIN_START, type ChainEnd } from './chain.ts';
import type { Verifier } from './checkpoint.ts';

export interface TrailSource {
  /** In order, after that place; an empty page is the end. */
  page(afterSeq: number, limit: number, withColumns: boolean): Promise<readonly TrailLink[]>;
  checkpoints(afterSeq: number, limit: number): Promise<readonly Checkpoint[]>;
}

export interface Attestations {
  /** Keys whose signatures count. None: signatures are not checked, and that is said. */
  readonly verifiers: readonly Verifier[];
  /** Ends of the chain that were noted outside the database: from a digest, an anchor file, a bucket. */
  readonly anchors: readonly ChainEnd[];
  /** Whether the columns for searching are held against the texts as well. */
  readonly deep: boolean;
  readonly hash: (text: string) => string;
}

export interface TrailReport {
  readonly ok: boolean;
  readonly events: number;
  readonly head: ChainEnd;
  /** The first event that is not as it was written; nothing after it was looked at. */
  readonly broken?: BrokenLink;
  /** Checkpoints and anchors that say something else than the trail does, by their place. */
  readonly contradictions: readonly BrokenLink[];
  readonly checkpoints: number;
  readonly anchors: number;
  /** Where an event is older than the one before it by more than processes may differ; no sign of tampering by itself. */
  readonly steppedBack?: { readonly count: number; readonly first: number; readonly mostMs: number };
  /** What could not be told from what was at hand. */
  readonly unchecked: readonly string[];
}

const PAGE = 2_000;
/** More of them are counted, not listed. */
const CONTRADICTIONS_MAX = 100;

export async function verifyTrail(source: TrailSource, attestations: Attestations): Promise<TrailReport> {
  const { hash, deep, verifiers } = attestations;
  const contradictions: BrokenLink[] = [];
  const contradict = (seq: number, why: string) => {
    if (contradictions.length < CONTRADICTIONS_MAX) contradictions.push({ seq, why });
  };
  const anchors = [...attestations.anchors].sort((a, b) => a.seq - b.seq);
  const signed = signedPages(source);
  const clock = clockOf();
  let head: ChainEnd = CHAIN_START;
  let broken: BrokenLink | undefined;
  let anchorsMet = 0;
  let checkpointsMet = 0;

  const attest = async (links: readonly ChainLink[]): Promise<void> => {
    const last = links.at(-1);
    const first = links[0];
    if (first === undefined || last === undefined) return;
    const hashAt = (seq: number) => links[seq - first.seq]?.hash;
    for (
      let anchor = anchors[anchorsMet];
      anchor !== undefined && anchor.seq <= last.seq;
      anchor = anchors[anchorsMet]
    ) {
      if (hashAt(anchor.seq) !== anchor.hash) contradict(anchor.seq, 'what was noted elsewhere is another event');
      anchorsMet += 1;
    }
    for (let next = await signed.peek(); next !== undefined && next.seq <= last.seq; next = await signed.peek()) {
      if (hashAt(next.seq) !== next.hash) contradict(next.seq, 'the signed checkpoint is of another event');
      else if (verifiers.length > 0 && !verifiers.some((verifier) => verifier.holds(next)))
        contradict(next.seq, `the checkpoint's signature (key ${next.keyId}) is not of a key that counts`);
      checkpointsMet += 1;
      signed.take();
    }
  };

  for (;;) {
    const page = await source.page(head.seq, PAGE, deep);
    broken = brokenLink(page, hash, head) ?? (deep ? misfiled(page) : undefined);
    const sound = broken === undefined ? page : page.slice(0, Math.max(0, broken.seq - head.seq - 1));
    await attest(sound);
    for (const link of sound) clock.saw(link);
    const last = sound.at(-1);
    if (last !== undefined) head = { seq: last.seq, hash: last.hash };
    if (broken !== undefined || page.length === 0) break;
  }
  if (broken === undefined) {
    for (const anchor of anchors.slice(anchorsMet))
      contradict(
        anchor.seq,
        `it was noted elsewhere, and the trail ends at ${head.seq}: the events after that are gone`,
      );
    const beyond = await signed.peek();
    if (beyond !== undefined)
      contradict(beyond.seq, `it was signed, and the trail ends at ${head.seq}: the events after that are gone`);
  }
  return {
    ok: broken === undefined && contradictions.length === 0,
    events: head.seq,
    head,
    ...(broken === undefined ? {} : { broken }),
    contradictions,
    checkpoints: checkpointsMet,
    anchors: anchorsMet,
    ...clock.said(),
    unchecked: [
      ...(broken === undefined ? [] : ['whatever comes after the first event that is wrong']),
      ...(verifiers.length === 0 && checkpointsMet > 0 ? ['the signatures of the checkpoints: no key was given'] : []),
      ...(checkpointsMet === 0 ? ['signatures: there is no checkpoint'] : []),
      ...(attestations.anchors.length === 0
        ? ['whether the newest events are missing: nothing was given that was noted outside the database']
        : []),
      ...(deep ? [] : ['the columns for searching (--deep)']),
    ],
  };
}

/** The first event whose columns for searching say something else than its text. */
function misfiled(page: readonly TrailLink[]): BrokenLink | undefined {
  for (const { seq, canonical, columns } of page) {
    const text = JSON.parse(canonical) as { at?: unknown; kind?: unknown; requestId?: unknown; grantId?: unknown };
    for (const name of ['at', 'kind', 'requestId', 'grantId'] as const)
      if (columns !== undefined && (text[name] ?? null) !== (columns[name] ?? null))
        return { seq, why: `its column ${name} is not what its text says` };
  }
  return undefined;
}

/** Decisions that are made at once are linked one after the other, and processes agree on the time only so far. */
const CLOCKS_DIFFER_MS = 5_000;

/** Whether the clock went on from event to event. */
function clockOf() {
  let newest = Number.NEGATIVE_INFINITY;
  let stepped: { count: number; first: number; mostMs: number } | undefined;
  return {
    saw({ seq, canonical }: ChainLink): void {
      const at = instantOf(canonical);
      if (at === undefined) return;
      const backMs = newest - at;
      if (backMs > CLOCKS_DIFFER_MS)
        stepped = {
          count: (stepped?.count ?? 0) + 1,
          first: stepped?.first ?? seq,
          mostMs: Math.max(stepped?.mostMs ?? 0, backMs),
        };
      // From there on it is the new time that counts: what follows did not step back again.
      newest = backMs > CLOCKS_DIFFER_MS ? at : Math.max(newest, at);
    },
    said: (): Pick<TrailReport, 'steppedBack'> => (stepped === undefined ? {} : { steppedBack: stepped }),
  };
}

/**
 * `at` of an event, without reading the rest of it: in the canonical text the names are in order, only the actor stands
 * before it, and inside a string its quotes would be escaped.
 */
function instantOf(canonical: string): number | undefined {
  const start = canonical.indexOf('"at":');
  if (start < 0) return undefined;
  const at = Number.parseInt(canonical.slice(start + 5, start + 22), 10);
  return Number.isNaN(at) ? undefined : at;
}

/** The checkpoints one by one, read in pages beside the trail. */
function signedPages(source: TrailSource) {
  let page: readonly Checkpoint[] = [];
  let at = 0;
  let after = 0;
  let over = false;
  return {
    async peek(): Promise<Checkpoint | undefined> {
      if (at >= page.length && !over) {
        page = await source.checkpoints(after, PAGE);
        at = 0;
        over = page.length === 0;
        after = page.at(-1)?.seq ?? after;
      }
      return page[at];
    },
    take(): void {
      at += 1;
    },
  };
}

/** `1234:ab12…`, as the digest shows the head; undefined for anything else. */
export function parseAnchor(text: string): ChainEnd | undefined {
  const [, seq, hash] = /^(\d{1,15}):([0-9a-f]{64})$/.exec(text.trim()) ?? [];
  return seq === undefined || hash === undefined ? undefined : { seq: Number(seq), hash };
}

/** Of an anchor file: JSON lines with `seq` and `hash`, or `seq:hash` lines. Throws with the line that is neither. */
export function readAnchors(text: string): readonly ChainEnd[] {
  return text.split('\n').flatMap((line, index) => {
    if (line.trim() === '') return [];
    const plain = parseAnchor(line);
    if (plain !== undefined) return [plain];
    try {
      const { seq, hash } = JSON.parse(line) as { seq?: unknown; hash?: unknown };
      const read = parseAnchor(`${String(seq)}:${String(hash)}`);
      if (read !== undefined) return [read];
    } catch {
      // Said below, with the place.
    }
    throw new Error(`line ${index + 1} is no anchor: seq:hash, or a JSON object with both`);
  });
}
