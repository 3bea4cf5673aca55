/** Whether bytes come from a source: its signature and their age. Plain functions with the time passed in. */
import { createHmac, timingSafeEqual } from 'node:crypto';

/** Applied both ways. A replay within it changes nothing: each activity has an id of its own. */
export const SIGNATURE_WINDOW_MS = 300_000;

export type Headers = Readonly<Record<string, readonly string[] | undefined>>;

export const HEADERS = {
  source: 'x-hallpass-source',
  timestamp: 'x-hallpass-timestamp',
  signature: 'x-hallpass-signature',
} as const;

/** The source that signed, or why the bytes are not to be trusted. `nowMs` is the real wall clock. */
export function verifySource(
  secretOf: (source: string) => string | undefined,
  headers: Headers,
  body: Buffer,
  nowMs: number,
): { readonly source: string } | { readonly untrusted: 'header' | 'source' | 'age' | 'signature' } {
  const source = only(headers[HEADERS.source]);
  const timestamp = only(headers[HEADERS.timestamp]);
  const signature = only(headers[HEADERS.signature]);
  if (source === undefined || timestamp === undefined || signature === undefined) return { untrusted: 'header' };
  if (!/^\d{1,12}$/.test(timestamp) || !/^v1=[0-9a-f]{64}$/.test(signature)) return { untrusted: 'header' };
  const secret = secretOf(source);
  if (secret === undefined) return { untrusted: 'source' };
  if (Math.abs(nowMs - Number(timestamp) * 1_000) > SIGNATURE_WINDOW_MS) return { untrusted: 'age' };
  const ours = Buffer.from(signBody(secret, timestamp, body));
  return timingSafeEqual(ours, Buffer.from(signature)) ? { source } : { untrusted: 'signature' };
}

/** `v1=…`: HMAC-SHA256 over `v1:`, the timestamp in seconds, `:` and the raw bytes. */
export function signBody(secret: string, timestamp: string, body: Buffer | string): string {
  return `v1=${createHmac('sha256', secret).update(`v1:${timestamp}:`).update(body).digest('hex')}`;
}

/** A header given twice is a header that two parties may read differently. */
function only(values: readonly string[] | undefined): string | undefined {
  return values?.length === 1 ? values[0] : undefined;
}
