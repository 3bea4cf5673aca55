/**
 * What open pages are told while they are looked at: the parts that have changed, as server-sent events. A page is drawn
 * again after a commit of this process at once, and after one of another soon; nothing is sent when nothing has changed.
 */
import { type Region, textOf } from './page.ts';
import { stable } from './parts.ts';
import type { WebSession } from './sessions.ts';

const STREAMS_MAX = 200;
const OF_ONE_SESSION_MAX = 6;
/** Told and not taken: who reads slower than things change, or has gone without a word, loads the page again. */
const UNREAD_MAX = 50;
/** Commits come in bursts: one drawing for all of them. */
const SETTLE_MS = 250;
/** How often it is looked whether another process has committed, and whether the session still holds. */
const LOOK_MS = 15_000;

export interface LiveParts {
  /** Absent: there is no such page any more. Throws when this person may not look any more, or could not be told. */
  readonly draw: (web: WebSession, path: string) => Promise<readonly Region[] | undefined>;
  readonly still: (web: WebSession) => Promise<boolean>;
  /** Moves with every commit of anybody. */
  readonly head: () => Promise<number>;
  readonly hash: (text: string) => string;
  readonly failed: (error: unknown) => void;
}

export interface Live {
  /** `seen`: what the page shows, as `seenOf` told. Absent: too many look at once. */
  open(web: WebSession, path: string, seen: string): Response | undefined;
  changed(): void;
  stop(): void;
  readonly watched: number;
}

interface Stream {
  readonly web: WebSession;
  readonly path: string;
  readonly say: (text: string) => void;
  readonly close: () => void;
  /** The sign of each region as it was last told. */
  known: ReadonlyMap<string, string> | undefined;
  seen: string;
  busy: boolean;
  again: boolean;
}

export function createLive({ draw, still, head, hash, failed }: LiveParts): Live {
  const streams = new Set<Stream>();
  let settling: NodeJS.Timeout | undefined;
  let round: 'settling' | 'drawing' | 'drawing, and once more' | undefined;
  let looking: NodeJS.Timeout | undefined;
  let at = -1;

  function changed(): void {
    if (round === 'drawing') round = 'drawing, and once more';
    if (streams.size === 0 || round !== undefined) return;
    round = 'settling';
    settling = setTimeout(() => void redraw(), SETTLE_MS).unref();
  }

  /** One page after the other, and the next round only after the last: however many look, one is drawn at a time. */
  async function redraw(): Promise<void> {
    round = 'drawing';
    for (const stream of [...streams]) await refresh(stream);
    const more = round !== 'drawing';
    round = undefined;
    if (more) changed();
  }

  async function look(): Promise<void> {
    for (const stream of streams) {
      if (await still(stream.web).catch(() => true)) stream.say(': here\n\n');
      else over(stream);
    }
    const now = await head().catch(() => at);
    if (now !== at) changed();
    at = now;
  }

  async function refresh(stream: Stream): Promise<void> {
    if (stream.busy) {
      stream.again = true;
      return;
    }
    stream.busy = true;
    try {
      if (!(await still(stream.web))) return over(stream);
      const regions = await draw(stream.web, stream.path);
      if (regions === undefined) return over(stream);
      const drawn = await Promise.all(
        regions.map(async ({ id, html, sign }) => {
          const text = await textOf(html);
          return { id, text, sign: sign ?? stable(text) };
        }),
      );
      const { known } = stream;
      const first = known === undefined && seenText(drawn, hash) === stream.seen;
      const fresh = first ? [] : drawn.filter(({ id, sign }) => known?.get(id) !== sign);
      stream.known = new Map(drawn.map(({ id, sign }) => [id, sign]));
      if (fresh.length > 0)
        stream.say(`event: parts\ndata: ${JSON.stringify(fresh.map(({ id, text }) => ({ id, html: text })))}\n\n`);
    } catch (error) {
      failed(error);
      // Whoever may not look any more, or cannot be looked up, loads the page again and is told why.
      over(stream);
    } finally {
      stream.busy = false;
    }
    if (stream.again && streams.has(stream)) {
      stream.again = false;
      await refresh(stream);
    }
  }

  function over(stream: Stream): void {
    stream.say('event: over\ndata: {}\n\n');
    stream.close();
  }

  return {
    changed,
    get watched() {
      return streams.size;
    },
    open(web, path, seen) {
      const own = [...streams].filter((stream) => stream.web.session.id === web.session.id);
      if (streams.size >= STREAMS_MAX || own.length >= OF_ONE_SESSION_MAX) return undefined;
      let stream: Stream | undefined;
      const leave = () => {
        if (stream !== undefined) streams.delete(stream);
        if (streams.size === 0) {
          clearInterval(looking);
          looking = undefined;
        }
      };
      const body = new ReadableStream<Uint8Array>({
        start(controller) {
          const encoder = new TextEncoder();
          let open = true;
          stream = {
            web,
            path,
            seen,
            known: undefined,
            busy: false,
            again: false,
            say(text) {
              if (!open) return;
              if ((controller.desiredSize ?? 0) > -UNREAD_MAX) return controller.enqueue(encoder.encode(text));
              open = false;
              controller.error(new Error('what it was told was not read'));
              leave();
            },
            close() {
              if (!open) return;
              open = false;
              controller.close();
              leave();
            },
          };
          streams.add(stream);
          looking ??= setInterval(() => void look(), LOOK_MS).unref();
          stream.say('retry: 5000\n\n');
          // Something may have changed between the drawing of the page and now.
          void refresh(stream);
        },
        cancel: leave,
      });
      return new Response(body, {
        headers: { 'content-type': 'text/event-stream; charset=utf-8', 'x-accel-buffering': 'no' },
      });
    },
    stop() {
      clearTimeout(settling);
      for (const stream of [...streams]) stream.close();
    },
  };
}

/** What a page shows, so that a stream can tell whether anything has changed since. */
export async function seenOf(regions: readonly Region[], hash: (text: string) => string): Promise<string> {
  const drawn = await Promise.all(
    regions.map(async ({ html, sign }) => ({ sign: sign ?? stable(await textOf(html)) })),
  );
  return seenText(drawn, hash);
}

function seenText(drawn: readonly { readonly sign: string }[], hash: (text: string) => string): string {
  return hash(drawn.map(({ sign }) => sign).join('\n')).slice(0, 32);
}
