/** What the sections of several directories have in common. */
import { z } from 'zod';

const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]']);

export const lag = (usual: string) =>
  z
    .string()
    .regex(/^\d{1,6}(ms|s|m)$/)
    .describe(`How long after a change a read may still show the state before it: 500ms, 2s, 1m. Default ${usual}.`)
    .optional();

/** Milliseconds of a `lag`. */
export function durationMs(value: string): number {
  const [, amount, unit] = /^(\d+)(ms|s|m)$/.exec(value) ?? [];
  return Number(amount) * (unit === 'm' ? 60_000 : unit === 's' ? 1_000 : 1);
}

/** An address without a path, on this machine or, where a vendor is elsewhere, by https. */
export function isAddress(value: string, where: 'loopback' | 'anywhere'): boolean {
  if (!URL.canParse(value)) return false;
  const url = new URL(value);
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '') return false;
  if (url.username !== '' || url.password !== '') return false;
  if (LOOPBACK.has(url.hostname)) return url.protocol === 'https:' || url.protocol === 'http:';
  return where === 'anywhere' && url.protocol === 'https:';
}
