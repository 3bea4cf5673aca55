/** Whether bytes come from Slack: its v0 signature and their age. Plain functions with the time passed in. */
import { createHmac, timingSafeEqual } from 'node:crypto';

/** Slack's own window. Applied both ways: a timestamp of tomorrow would otherwise be good for replays all day. */
export const SIGNATURE_WINDOW_MS = 300_000;

export type Headers = Readonly<Record<string, readonly string[] | undefined>>;

/** The timestamp that was signed, or why the bytes are not to be trusted. `nowMs` is the real wall clock. */
export function verifySignature(
  secret: string,
  headers: Headers,
  body: Buffer,
  nowMs: number,
): { readonly timestamp: string } | { readonly untrusted: 'header' | 'age' | 'signature' } {
  const timestamp = only(headers['x-slack-request-timestamp']);
  const signature = only(headers['x-slack-signature']);
  if (timestamp === undefined || signature === undefined) return { untrusted: 'header' };
  if (!/^\d{1,12}$/.test(timestamp) || !/^v0=[0-9a-f]{64}$/.test(signature)) return { untrusted: 'header' };
  if (Math.abs(nowMs - Number(timestamp) * 1000) > SIGNATURE_WINDOW_MS) return { untrusted: 'age' };
  const ours = Buffer.from(sign(secret, timestamp, body));
  return timingSafeEqual(ours, Buffer.from(signature)) ? { timestamp } : { untrusted: 'signature' };
}

/** `v0=…` over the timestamp and the raw bytes. */
export function sign(secret: string, timestamp: string, body: Buffer): string {
  return `v0=${createHmac('sha256', secret).update(`v0:${timestamp}:`).update(body).digest('hex')}`;
}

/** A header given twice is a header that two parties may read differently. */
function only(values: readonly string[] | undefined): string | undefined {
  return values?.length === 1 ? values[0] : undefined;
}
