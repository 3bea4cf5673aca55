/** Tells every open page what changed, by server-sent events: the parts that differ from what it was told last. */
import type { ServerResponse } from 'node:http';
import type { Parts } from './page-parts.ts';

export interface Teller {
  listen(response: ServerResponse, headers: Readonly<Record<string, string>>): void;
  /** Something happened: looks again soon. */
  look(): void;
  close(): Promise<void>;
}

const KEEP_ALIVE_MS = 15_000;
/** Several changes at once are told as one. */
const GATHER_MS = 25;

export function createTeller(options: {
  readonly parts: () => Promise<Parts>;
  readonly version: () => number;
  /** How often to look without being told to. */
  readonly everyMs: number;
}): Teller {
  const listeners = new Map<ServerResponse, Map<string, string>>();
  let looking: Promise<void> = Promise.resolve();
  let asked: NodeJS.Timeout | undefined;
  let version = -1;
  let lookedAt = 0;

  async function tellAll(): Promise<void> {
    if (listeners.size === 0) return;
    lookedAt = performance.now();
    version = options.version();
    const now = new Map([...(await options.parts())].map(([key, part]) => [key, JSON.stringify(part)]));
    for (const [response, told] of listeners) tell(response, told, now);
  }

  function look(): void {
    asked ??= setTimeout(() => {
      asked = undefined;
      // One look at a time, and in order: an older one must not overtake a newer.
      looking = looking.then(tellAll).catch((error: unknown) => {
        process.stderr.write(`sandbox page: ${error instanceof Error ? error.message : String(error)}\n`);
      });
    }, GATHER_MS);
  }

  const clock = setInterval(() => {
    if (options.version() !== version || performance.now() - lookedAt > options.everyMs) look();
  }, GATHER_MS);
  const keepAlive = setInterval(() => {
    for (const response of listeners.keys()) response.write(': still here\n\n');
  }, KEEP_ALIVE_MS);

  return {
    listen(response, headers) {
      response.writeHead(200, { ...headers, 'content-type': 'text/event-stream', connection: 'keep-alive' });
      response.write('retry: 1000\n\n');
      listeners.set(response, new Map());
      response.on('close', () => listeners.delete(response));
      look();
    },
    look,
    async close() {
      clearInterval(clock);
      clearInterval(keepAlive);
      clearTimeout(asked);
      for (const response of listeners.keys()) response.end();
      listeners.clear();
      await looking;
    },
  };
}

function tell(response: ServerResponse, told: Map<string, string>, now: ReadonlyMap<string, string>): void {
  const first = told.size === 0;
  const changed: string[] = [];
  for (const [key, text] of now) {
    if (told.get(key) === text) continue;
    told.set(key, text);
    changed.push(`${JSON.stringify(key)}:${text}`);
  }
  for (const key of [...told.keys()]) {
    if (now.has(key)) continue;
    told.delete(key);
    changed.push(`${JSON.stringify(key)}:null`);
  }
  if (changed.length > 0)
    response.write(`data: {"at":${Date.now()},"first":${first},"parts":{${changed.join(',')}}}\n\n`);
}
