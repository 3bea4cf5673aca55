/** The places outside that are told: a file, stdout, a webhook, a bucket. Each takes a whole page or fails as a whole. */
import { appendFile } from 'node:fs/promises';
import { createBucketOutlet } from './bucket.ts';
import type { AnchorSection, SinkSection } from './section.ts';

export interface Outlet {
  /** Resolves when it has been taken. Throws when it was not, or when that is not known: it is told again then. */
  write(text: string): Promise<void>;
}

const DEADLINE_MS = 10_000;

export function createOutlet(
  section: AnchorSection | SinkSection,
  resolvePath: (path: string) => string,
  now: () => number,
  fetch: typeof globalThis.fetch = globalThis.fetch,
): Outlet {
  switch (section.type) {
    case 'file': {
      const path = resolvePath(section.path);
      return { write: (text) => appendFile(path, text, { mode: 0o600 }) };
    }
    case 'stdout':
      return {
        write: (text) =>
          new Promise((resolve, reject) => {
            process.stdout.write(text, (error) => (error ? reject(error) : resolve()));
          }),
      };
    case 's3':
      return createBucketOutlet(section, now, fetch);
    case 'webhook':
      return {
        async write(text) {
          const response = await fetch(section.url, {
            method: 'POST',
            headers: {
              'content-type': 'application/x-ndjson; charset=utf-8',
              ...(section.token === undefined ? {} : { authorization: `Bearer ${section.token}` }),
            },
            body: text,
            redirect: 'error',
            signal: AbortSignal.timeout(DEADLINE_MS),
          });
          await response.body?.cancel();
          if (!response.ok) throw new Error(`HTTP ${response.status}`);
        },
      };
  }
}
