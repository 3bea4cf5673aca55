/** `hallpass revoke`, sent to a Hallpass elsewhere: one grant at once, or many after a preview. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Outcome } from '../../api/schemas.ts';
import { EXIT, type Out } from '../out.ts';
import { type Client, ClientError } from './http.ts';
import { sayError, sayOutcome, table } from './show.ts';

export interface Order {
  readonly what: string;
  readonly reason: string;
  /** Milliseconds. */
  readonly grantedSince?: number;
  readonly except?: readonly string[];
  readonly yes?: boolean;
  /** Seconds. */
  readonly wait: number;
}

interface Revocation {
  readonly id: string;
  readonly state: 'previewed' | 'running' | 'done';
  readonly total: number;
  readonly over: number;
  readonly grants: readonly { id: string; holder: string; entitlement: string; state: string }[];
  readonly more: boolean;
}

const LOOK_MS = 2_000;

export async function revokeElsewhere(io: Out, client: Client, order: Order): Promise<number> {
  try {
    if (/^[rg]-[0-9a-z]{4,6}$/i.test(order.what)) {
      const body = { reason: order.reason };
      return sayOutcome(io, await client.post<Outcome>(`/grants/${order.what.toUpperCase()}/revoke`, { body }));
    }
    return await many(io, client, order);
  } catch (error) {
    if (error instanceof ClientError) return sayError(io, error);
    throw error;
  }
}

async function many(io: Out, client: Client, order: Order): Promise<number> {
  const { reason, grantedSince, except = [] } = order;
  const body = {
    scope: scopeOf(order.what),
    reason,
    ...(grantedSince === undefined ? {} : { grantedWithin: `${Math.ceil(grantedSince / 1_000)}s` }),
    ...(except.length === 0 ? {} : { except }),
  };
  const preview = await client.post<Revocation>('/revocations', { body });
  const rows = preview.grants.map((grant) => [grant.id, grant.holder, grant.entitlement, grant.state]);
  const shown = preview.total === 0 ? [] : table(['ID', 'WHO', 'WHAT', 'STATE'], rows);
  const more = preview.more ? ['There is more than one revocation takes: revoke again after it.'] : [];
  if (order.yes !== true) {
    io.say({ ok: true, revocation: preview }, [
      ...shown,
      ...more,
      `${preview.total} would end. Add --yes to end them.`,
    ]);
    return EXIT.done;
  }
  let now = await client.post<Revocation>(`/revocations/${preview.id}/confirm`);
  const until = performance.now() + order.wait * 1_000;
  while (now.state !== 'done' && performance.now() < until) {
    await sleep(LOOK_MS);
    now = await client.get<Revocation>(`/revocations/${preview.id}`);
  }
  const done = now.state === 'done';
  const rest = done ? 'All of them are proven over.' : 'The others are being removed; Hallpass goes on by itself.';
  io.say({ ok: done, revocation: now }, [...shown, ...more, `${now.over} of ${now.total} are over. ${rest}`]);
  return done ? EXIT.done : EXIT.failed;
}

function scopeOf(what: string): object {
  if (what.toLowerCase() === 'all') return { all: true };
  return what.includes('@') ? { person: what } : { resource: what };
}
