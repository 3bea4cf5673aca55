/** What is found in the trail as a file, and the whole chain verified: for whoever may read it, and written down. */
import { event, personActor } from '../access/decision.ts';
import type { Clock, Store, TrailEvent, TrailSeal, TrailStore } from '../access/ports.ts';
import type { TrailWish } from '../access/trail-search.ts';
import type { Sealed } from './pages.ts';
import type { WebSession } from './sessions.ts';
import type { Format, TrailQuery } from './trail-page.ts';

const PAGE = 500;
const CONTENT_TYPE: Readonly<Record<Format, string>> = {
  jsonl: 'application/x-ndjson; charset=utf-8',
  csv: 'text/csv; charset=utf-8',
  ocsf: 'application/x-ndjson; charset=utf-8',
};

export interface TrailFiles {
  readonly store: Pick<Store, 'commit'>;
  readonly trail: Pick<TrailStore, 'searchEvents'>;
  readonly clock: Pick<Clock, 'now'>;
  readonly head: (format: Format) => string;
  readonly line: (format: Format, event: TrailEvent) => string;
}

/** Oldest first, read as it is taken: memory does not grow with the trail. That it was taken is an event of the trail. */
export async function trailFile(
  { store, trail, clock, head, line }: TrailFiles,
  { person }: WebSession,
  format: Format,
  query: TrailQuery,
  wish: TrailWish,
): Promise<Response> {
  const { who, ...asked } = query;
  const taken = event('trail.exported', clock.now(), personActor(person), {
    detail: { format, ...asked },
    ...(who === '' ? {} : { personal: { who } }),
  });
  await store.commit({ changes: [taken] });
  const { beforeSeq: _newest, ...filter } = wish;
  let afterSeq = 0;
  const encoder = new TextEncoder();
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      controller.enqueue(encoder.encode(head(format)));
    },
    async pull(controller) {
      const events = await trail.searchEvents({ ...filter, afterSeq, limit: PAGE });
      if (events.length === 0) return controller.close();
      afterSeq = events.at(-1)?.seq ?? afterSeq;
      controller.enqueue(encoder.encode(events.map((one) => line(format, one)).join('')));
    },
  });
  const name = `hallpass-trail-${new Date(clock.now()).toISOString().slice(0, 10)}.${format === 'csv' ? 'csv' : 'jsonl'}`;
  return new Response(body, {
    headers: { 'content-type': CONTENT_TYPE[format], 'content-disposition': `attachment; filename="${name}"` },
  });
}

/** One verification at a time, however many ask; what it found is kept until the next one. */
export function createSeals(verify: () => Promise<TrailSeal>, clock: Pick<Clock, 'now'>) {
  let last: Sealed | undefined;
  let running: Promise<void> | undefined;
  return {
    last: () => last,
    verify(): Promise<void> {
      running ??= verify()
        .then(
          (seal) => {
            last = { seal, at: clock.now() };
          },
          (error: unknown) => {
            last = { failed: error instanceof Error ? error.message : String(error) };
          },
        )
        .finally(() => {
          running = undefined;
        });
      return running;
    },
  };
}
