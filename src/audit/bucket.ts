/**
 * An anchor in a bucket whose objects cannot be overwritten or deleted before their time, by nobody: S3 Object Lock in
 * compliance mode. Each page of signed ends is an object of its own, named by what it holds, so that a page that is told
 * twice is the same object once more.
 */
import { createHash } from 'node:crypto';
import { AwsClient } from 'aws4fetch';
import type { Outlet } from './outlet.ts';
import type { BucketSection } from './section.ts';

const DEADLINE_MS = 10_000;
const DAY_MS = 86_400_000;

/** `now`: from when an object is kept, in milliseconds since the epoch. */
export function createBucketOutlet(
  section: BucketSection,
  now: () => number,
  fetch: typeof globalThis.fetch = globalThis.fetch,
): Outlet {
  const { bucket, region, keyId, secret, prefix = 'hallpass/', retainDays } = section;
  const endpoint = (section.endpoint ?? `https://s3.${region}.amazonaws.com`).replace(/\/+$/, '');
  // Not tried again here: the pump does that, with what there is to tell by then.
  const client = new AwsClient({ accessKeyId: keyId, secretAccessKey: secret, service: 's3', region, retries: 0 });
  return {
    async write(text) {
      const digest = createHash('sha256').update(text).digest();
      const url = `${endpoint}/${bucket}/${prefix}${objectName(text, digest.toString('hex'))}`;
      const request = await client.sign(url, {
        method: 'PUT',
        body: text,
        headers: {
          'content-type': 'application/x-ndjson; charset=utf-8',
          'x-amz-content-sha256': digest.toString('hex'),
          // Asked of every PUT with a lock, so that nothing is locked away that was damaged on its way.
          'x-amz-checksum-sha256': digest.toString('base64'),
          'x-amz-object-lock-mode': 'COMPLIANCE',
          'x-amz-object-lock-retain-until-date': new Date(now() + retainDays * DAY_MS).toISOString(),
        },
      });
      const response = await fetch(request, { redirect: 'error', signal: AbortSignal.timeout(DEADLINE_MS) });
      const said = response.ok ? '' : errorCode(await response.text());
      if (response.ok) await response.body?.cancel();
      if (!response.ok) throw new Error(`HTTP ${response.status}${said === '' ? '' : ` (${said})`}`);
    },
  };
}

/** `0000001000-0000002000-9f2c….jsonl`: in a listing they stand in the order of the chain. */
function objectName(text: string, digest: string): string {
  const places = text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => (JSON.parse(line) as { readonly seq: number }).seq);
  const place = (seq: number | undefined) => String(seq ?? 0).padStart(12, '0');
  return `${place(places[0])}-${place(places.at(-1))}-${digest.slice(0, 16)}.jsonl`;
}

/** `<Code>AccessDenied</Code>`, and nothing else of what somebody else's server answers. */
function errorCode(xml: string): string {
  return /<Code>([A-Za-z0-9.]{1,60})<\/Code>/.exec(xml.slice(0, 4_000))?.[1] ?? '';
}
