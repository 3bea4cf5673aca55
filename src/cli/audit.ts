/** `hallpass audit verify | show | export`: the trail, read on the host. Changes nothing. */
import { readFileSync } from 'node:fs';
import { requestIdOf } from '../access/handle.ts';
import type { Instant } from '../access/model.ts';
import type { Store, TrailLink, TrailStore } from '../access/ports.ts';
import { storyOf, storyText } from '../access/story.ts';
import { durationText, timeText } from '../access/words.ts';
import type { ChainEnd } from '../audit/chain.ts';
import { createVerifier, type Verifier } from '../audit/checkpoint.ts';
import { type ExportFormat, exportHead, exportLine } from '../audit/export.ts';
import { auditKeyPlace, knownVerifiers } from '../audit/key.ts';
import { parseAnchor, readAnchors, type TrailReport, type TrailSource, verifyTrail } from '../audit/verify.ts';
import type { Settings } from '../config.ts';
import { randomIds } from '../ids.ts';
import { opened } from './host.ts';
import { EXIT, type Out } from './out.ts';

const PAGE = 1_000;

export interface VerifyOrder {
  /** A file of anchors; `seq:hash` each, or JSON lines. */
  readonly anchors?: string;
  readonly anchor: readonly string[];
  /** Files of public keys, PEM. */
  readonly key: readonly string[];
  readonly deep: boolean;
  /** An export in JSON lines, in place of the database. */
  readonly file?: string;
}

/** Works offline: on the database alone, or on an export alone. */
export async function verifyCommand(
  io: Out,
  settings: () => Settings | undefined,
  order: VerifyOrder,
): Promise<number> {
  let anchors: readonly ChainEnd[];
  let keys: readonly Verifier[];
  try {
    anchors = anchorsOf(order);
    keys = order.key.map((path) => createVerifier(readFileSync(path, 'utf8')));
  } catch (error) {
    return wrong(io, error);
  }
  const { hash } = randomIds();
  if (order.file !== undefined) {
    try {
      const source = exportedTrail(readFileSync(order.file, 'utf8'));
      return sayVerdict(io, await verifyTrail(source, { verifiers: keys, anchors, deep: false, hash }));
    } catch (error) {
      return wrong(io, error);
    }
  }
  const loaded = settings();
  if (loaded === undefined) return EXIT.failed;
  const verifiers = keys.length > 0 ? keys : knownVerifiers(auditKeyPlace(loaded));
  const { store } = await opened(loaded);
  try {
    const source = { page: store.trailLinks, checkpoints: store.checkpoints };
    return sayVerdict(io, await verifyTrail(source, { verifiers, anchors, deep: order.deep, hash }));
  } finally {
    await store.close();
  }
}

function wrong(io: Out, error: unknown): number {
  const said = error instanceof Error ? error.message : String(error);
  io.say({ ok: false, error: said }, `Nothing was verified: ${said}`);
  return EXIT.failed;
}

function anchorsOf({ anchors, anchor }: VerifyOrder): readonly ChainEnd[] {
  const typed = anchor.map((text) => {
    const read = parseAnchor(text);
    if (read === undefined) throw new Error(`${text} is no anchor: it is seq:hash, as the digest shows it`);
    return read;
  });
  return [...typed, ...(anchors === undefined ? [] : readAnchors(readFileSync(anchors, 'utf8')))];
}

/** What `audit export --format jsonl` wrote. Throws with the line that is not. */
function exportedTrail(text: string): TrailSource {
  const links = text.split('\n').flatMap((line, index): TrailLink[] => {
    if (line.trim() === '') return [];
    let read: Partial<Record<keyof TrailLink, unknown>>;
    try {
      read = JSON.parse(line) as typeof read;
    } catch {
      throw new Error(`line ${index + 1} is not JSON`);
    }
    const { seq, prevHash, hash, canonical } = read;
    if (
      typeof seq !== 'number' ||
      typeof prevHash !== 'string' ||
      typeof hash !== 'string' ||
      typeof canonical !== 'string'
    )
      throw new Error(`line ${index + 1} is no event: it has no seq, prevHash, hash or canonical`);
    return [{ seq, prevHash, hash, canonical }];
  });
  const first = links.findIndex.bind(links);
  return {
    page: async (afterSeq, limit) => {
      // By place in the file, not by number: an event that was moved must be met where it stands.
      const from = afterSeq === 0 ? 0 : first(({ seq }) => seq === afterSeq) + 1;
      return links.slice(from, from + limit);
    },
    checkpoints: async () => [],
  };
}

function sayVerdict(io: Out, report: TrailReport): number {
  const { ok, events, head, broken, contradictions, checkpoints, anchors, steppedBack, unchecked } = report;
  const many = (count: number, what: string) => `${count.toLocaleString('en-GB')} ${what}${count === 1 ? '' : 's'}`;
  io.say(report, [
    ok
      ? `The trail holds: ${many(events, 'event')}, each as it was written and linked to the one before.`
      : broken === undefined
        ? `The trail's links hold, and it is NOT the one that was attested.`
        : `The trail is BROKEN at event ${broken.seq}: ${broken.why}.`,
    ...contradictions.map(({ seq, why }) => `  event ${seq}: ${why}`),
    `Head ${head.seq}:${head.hash}`,
    `Held against ${many(checkpoints, 'signed checkpoint')} and ${many(anchors, 'anchor')}.`,
    ...(steppedBack === undefined
      ? []
      : [
          `The clock went back ${many(steppedBack.count, 'time')}, first at event ${steppedBack.first}, by ${durationText(steppedBack.mostMs)} at most: somebody set it back, or the machines disagree.`,
        ]),
    ...unchecked.map((what) => `Not checked: ${what}.`),
  ]);
  return ok ? EXIT.done : EXIT.failed;
}

/** The story of one request: what was said, decided and done, with every message and every call to a directory. */
export async function showCommand(io: Out, settings: Settings, typed: string): Promise<number> {
  const id = requestIdOf(typed);
  const { store } = await opened(settings);
  try {
    const record = id === undefined ? undefined : await store.request(id);
    if (id === undefined || record === undefined) {
      io.say(
        { ok: false, error: 'unknown id' },
        `There is no request or grant ${typed}. An id looks like R-7KQ2 or G-7KQ2.`,
      );
      return EXIT.failed;
    }
    const zone = settings.catalog.timezone;
    const [events, messages] = await Promise.all([store.story(id), store.messagesOf(id)]);
    const lines = storyOf(events, record.request.groups, zone);
    const { requesterName, entitlement, state } = record.request;
    io.say({ ok: true, id, request: record.request, events, messages }, [
      `${id}: ${requesterName}, ${entitlement}, ${record.grant === undefined ? state : `${state}; ${record.grant.id} ${record.grant.state}`}`,
      ...lines.map((line) => `  ${storyText(line, zone)}`),
      ...(messages.length === 0 ? [] : ['Messages']),
      ...messages.map(
        (row) =>
          `  ${timeText(row.at, undefined, zone)}  ${row.id.slice(`msg:${id}:`.length)}  ${row.state}${row.conversation === undefined ? '' : ` in ${row.conversation}`}`,
      ),
    ]);
    return EXIT.done;
  } finally {
    await store.close();
  }
}

/** Written as it is read: memory does not grow with the trail. Resolves when everything has been taken. */
export async function exportCommand(
  settings: Settings,
  order: { readonly since?: Instant; readonly format: ExportFormat },
  write: (text: string) => Promise<void>,
): Promise<number> {
  const { store } = await opened(settings);
  try {
    await exportTrail(store, order, write);
    return EXIT.done;
  } finally {
    await store.close();
  }
}

async function exportTrail(
  store: Store & TrailStore,
  { since, format }: { readonly since?: Instant; readonly format: ExportFormat },
  write: (text: string) => Promise<void>,
): Promise<void> {
  const head = exportHead(format);
  if (head !== '') await write(head);
  let seq = since === undefined ? 0 : await store.seqBefore(since);
  for (;;) {
    const page = await store.trailEvents(seq, PAGE);
    if (page.length === 0) return;
    await write(page.map((link) => exportLine(format, link)).join(''));
    seq = page.at(-1)?.seq ?? seq;
  }
}
