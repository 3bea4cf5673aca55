/**
 * One test for each kind of tampering. Whoever owns the database may drop its triggers and rewrite anything, hashes
 * included; what they cannot do is sign, or reach what was noted elsewhere. That is told apart here: what the links
 * alone show, what the signatures show, and what only an anchor shows.
 */
import { describe, expect, it } from 'vitest';
import type { Checkpoint, TrailLink } from '../../src/access/ports.ts';
import { CHAIN_START } from '../../src/audit/chain.ts';
import { createSigner, createVerifier, newSigningKey } from '../../src/audit/checkpoint.ts';
import { type Attestations, parseAnchor, readAnchors, verifyTrail } from '../../src/audit/verify.ts';
import { sha256 } from '../support/open-store.ts';

const signer = createSigner(newSigningKey());
const own = createVerifier(signer.publicPem);

/** As the store links them: the text names its place and its predecessor. */
function trail(count: number, kind = 'grant.ended', from: { seq: number; hash: string } = CHAIN_START): TrailLink[] {
  const links: TrailLink[] = [];
  let last = from;
  for (let n = 0; n < count; n += 1) {
    const seq = last.seq + 1;
    const canonical = JSON.stringify({ at: 1_000 + seq, kind, prevHash: last.hash, seq });
    last = { seq, hash: sha256(canonical) };
    links.push({ ...last, prevHash: JSON.parse(canonical).prevHash, canonical, columns: { at: 1_000 + seq, kind } });
  }
  return links;
}

const at = (links: readonly TrailLink[], seq: number) => links.find((link) => link.seq === seq) as TrailLink;
const sign = (links: readonly TrailLink[], ...places: number[]): Checkpoint[] =>
  places.map((seq) => signer.checkpoint(at(links, seq), 5_000 + seq));

function verified(
  links: readonly TrailLink[],
  more: Partial<Attestations> & { checkpoints?: readonly Checkpoint[] } = {},
) {
  const { checkpoints = [], ...attestations } = more;
  return verifyTrail(
    {
      page: async (afterSeq, limit) => {
        const from = afterSeq === 0 ? 0 : links.findIndex(({ seq }) => seq === afterSeq) + 1;
        return links.slice(from, from + Math.min(limit, 7));
      },
      checkpoints: async (afterSeq, limit) => checkpoints.filter(({ seq }) => seq > afterSeq).slice(0, limit),
    },
    { verifiers: [own], anchors: [], deep: true, hash: sha256, ...attestations },
  );
}

const TRAIL = trail(20);
/** From event 9 on rewritten by somebody who can hash: every link holds. */
const REWRITTEN = [...TRAIL.slice(0, 8), ...trail(12, 'grant.expired', at(TRAIL, 8))];

describe('a trail nobody touched', () => {
  it('holds, against its checkpoints and its anchors', async () => {
    const report = await verified(TRAIL, { checkpoints: sign(TRAIL, 5, 14), anchors: [at(TRAIL, 20), at(TRAIL, 3)] });
    expect(report).toMatchObject({ ok: true, events: 20, checkpoints: 2, anchors: 2, unchecked: [] });
    expect(report.head).toEqual({ seq: 20, hash: at(TRAIL, 20).hash });
  });

  it('says where the clock went back, which breaks nothing and is worth a look', async () => {
    expect((await verified(TRAIL)).steppedBack).toBeUndefined();
    let last: { seq: number; hash: string } = CHAIN_START;
    const times = [0, 60_000, 58_000, 61_000, 1_000, 2_000, 70_000];
    const links = times.map((time): TrailLink => {
      const canonical = JSON.stringify({
        actor: { kind: 'operator', name: 'says "at":1 himself' },
        at: 1_700_000_000_000 + time,
        prevHash: last.hash,
        seq: last.seq + 1,
      });
      const link = { seq: last.seq + 1, prevHash: last.hash, hash: sha256(canonical), canonical };
      last = link;
      return link;
    });
    const report = await verified(links, { deep: false });
    // Two seconds are what machines differ by.
    expect(report).toMatchObject({ ok: true, steppedBack: { count: 1, first: 5, mostMs: 60_000 } });
  });

  it('says what could not be checked, and never that it was', async () => {
    const report = await verified(TRAIL, { verifiers: [], deep: false, checkpoints: sign(TRAIL, 5) });
    expect(report.ok).toBe(true);
    expect(report.unchecked.join(' ')).toMatch(/signatures.*newest events.*--deep/);
  });
});

describe('tampering that the links show', () => {
  const changed = (links: readonly TrailLink[], seq: number, change: (link: TrailLink) => TrailLink) =>
    links.map((link) => (link.seq === seq ? change(link) : link));

  it('an event whose text was changed', async () => {
    const links = changed(TRAIL, 9, (link) => ({ ...link, canonical: link.canonical.replace('ended', 'moved') }));
    expect(await verified(links)).toMatchObject({ ok: false, broken: { seq: 9, why: expect.stringMatching(/text/) } });
  });

  it('an event whose text and hash were changed', async () => {
    const links = changed(TRAIL, 9, (link) => {
      const canonical = link.canonical.replace('ended', 'moved');
      return { ...link, canonical, hash: sha256(canonical) };
    });
    expect((await verified(links)).broken).toMatchObject({ seq: 10, why: expect.stringMatching(/does not follow/) });
  });

  it('an event that was dropped', async () => {
    const report = await verified(TRAIL.filter(({ seq }) => seq !== 9));
    expect(report.broken).toMatchObject({ seq: 9, why: expect.stringMatching(/event 9 is missing/) });
    expect(report.head.seq).toBe(8);
  });

  it('two events that were swapped', async () => {
    const swapped = TRAIL.map((link) => at(TRAIL, link.seq === 9 ? 10 : link.seq === 10 ? 9 : link.seq));
    expect((await verified(swapped)).broken?.seq).toBe(9);
  });

  it('an event that was duplicated', async () => {
    const twice = [...TRAIL.slice(0, 9), at(TRAIL, 9), ...TRAIL.slice(9)];
    expect((await verified(twice)).broken?.seq).toBe(10);
  });

  it('an event that was slipped in and everything after it renumbered', async () => {
    const [slipped] = trail(1, 'grant.adopted', at(TRAIL, 8));
    const after = TRAIL.slice(8).map((link) => ({ ...link, seq: link.seq + 1 }));
    expect((await verified([...TRAIL.slice(0, 8), slipped as TrailLink, ...after])).broken?.seq).toBe(10);
  });

  it('a column for searching that hides an event from whoever searches', async () => {
    const links = changed(TRAIL, 9, (link) => ({ ...link, columns: { at: 1, kind: 'grant.ended' } }));
    expect((await verified(links)).broken).toMatchObject({ seq: 9, why: expect.stringMatching(/column at/) });
    expect((await verified(links, { deep: false })).ok).toBe(true);
  });
});

describe('tampering that only a signature or an anchor shows', () => {
  it('a chain rewritten from one event on and linked anew', async () => {
    expect((await verified(REWRITTEN)).ok).toBe(true);
    const signed = await verified(REWRITTEN, { checkpoints: sign(TRAIL, 5, 14) });
    expect(signed).toMatchObject({ ok: false, contradictions: [{ seq: 14 }] });
    const anchored = await verified(REWRITTEN, { anchors: [at(TRAIL, 12)] });
    expect(anchored).toMatchObject({ ok: false, contradictions: [{ seq: 12 }] });
  });

  it('a checkpoint forged with another key', async () => {
    const forger = createSigner(newSigningKey());
    const forged = { ...forger.checkpoint(at(REWRITTEN, 14), 9), keyId: signer.keyId };
    const report = await verified(REWRITTEN, { checkpoints: [forged] });
    expect(report).toMatchObject({ ok: false, contradictions: [{ seq: 14, why: expect.stringMatching(/signature/) }] });
    const honest = await verified(REWRITTEN, { checkpoints: [forger.checkpoint(at(REWRITTEN, 14), 9)] });
    expect(honest.ok).toBe(false);
  });

  it('a signature that was moved to another event', async () => {
    const [checkpoint] = sign(TRAIL, 5);
    const moved = { ...(checkpoint as Checkpoint), seq: 6, hash: at(TRAIL, 6).hash };
    expect((await verified(TRAIL, { checkpoints: [moved] })).ok).toBe(false);
  });

  it('the newest events cut off, with and without their checkpoints', async () => {
    const cut = TRAIL.slice(0, 15);
    expect((await verified(cut)).ok).toBe(true);
    const signed = await verified(cut, { checkpoints: sign(TRAIL, 5, 18) });
    expect(signed.contradictions).toEqual([{ seq: 18, why: expect.stringMatching(/the events after that are gone/) }]);
    const anchored = await verified(cut, { anchors: [at(TRAIL, 19)] });
    expect(anchored.contradictions).toEqual([
      { seq: 19, why: expect.stringMatching(/the events after that are gone/) },
    ]);
  });

  it('a trail emptied altogether', async () => {
    expect((await verified([])).ok).toBe(true);
    expect((await verified([], { anchors: [at(TRAIL, 1)] })).ok).toBe(false);
  });
});

describe('anchors', () => {
  it('are read as the digest shows them, and from JSON lines', () => {
    const hash = 'ab'.repeat(32);
    expect(parseAnchor(` 12:${hash} `)).toEqual({ seq: 12, hash });
    expect(readAnchors(`12:${hash}\n\n{"seq":13,"hash":"${hash}","at":1,"signature":"x"}\n`)).toEqual([
      { seq: 12, hash },
      { seq: 13, hash },
    ]);
  });

  it('that cannot be read are named by their line, and nothing is verified against half of them', () => {
    expect(() => readAnchors(`1:${'ab'.repeat(32)}\nnonsense`)).toThrow('line 2');
    expect(() => readAnchors('{"seq":"1","hash":12}')).toThrow('line 1');
  });
});
