/** What can go wrong at the local Okta, on demand. */
import { setTimeout as wait } from 'node:timers/promises';

/**
 * - `down`: the connection is destroyed, nothing happens
 * - `status`: answers with `status` (and `headers`), nothing happens
 * - `hang`: never answers; nothing happens unless `after`
 * - `reset`: destroys the connection, before the effect, or after it when `after`
 * - `malformed`: takes effect and answers 200 with a page of HTML
 * - `drip`: takes effect and answers a byte at a time, for ever
 * - `latency`: waits `ms`, then goes on as usual
 */
export interface OktaFault {
  readonly kind: 'down' | 'status' | 'hang' | 'reset' | 'malformed' | 'drip' | 'latency';
  /** `PUT`; absent: every method. */
  readonly method?: string;
  /** Regular expression for path and query; absent: every path. */
  readonly path?: string;
  /** How many calls it strikes; absent: until cleared. */
  readonly times?: number;
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** For `status`: the body, absent: an Okta error. `{{authorization}}` in it becomes the caller's own header. */
  readonly body?: string;
  readonly ms?: number;
  readonly after?: boolean;
}

const KINDS = new Set(['down', 'status', 'hang', 'reset', 'malformed', 'drip', 'latency']);

export class OktaFaults {
  #set: { readonly fault: OktaFault; readonly path: RegExp; left: number }[] = [];

  add(fault: OktaFault): void {
    if (!KINDS.has(fault.kind)) throw new Error(`no such fault: ${fault.kind}`);
    if (fault.kind === 'status' && fault.status === undefined) throw new Error('a status fault needs a status');
    this.#set.push({ fault, path: new RegExp(fault.path ?? ''), left: fault.times ?? Number.POSITIVE_INFINITY });
  }

  clear(): void {
    this.#set = [];
  }

  list(): readonly OktaFault[] {
    return this.#set.map(({ fault, left }) => (Number.isFinite(left) ? { ...fault, times: left } : fault));
  }

  /** The fault that strikes this call; latencies are waited out on the way. */
  async strike(method: string, path: string): Promise<OktaFault | undefined> {
    for (const entry of [...this.#set]) {
      if (entry.fault.method !== undefined && entry.fault.method !== method) continue;
      if (!entry.path.test(path) || entry.left <= 0) continue;
      entry.left -= 1;
      if (entry.left <= 0) this.#set = this.#set.filter((other) => other !== entry);
      if (entry.fault.kind !== 'latency') return entry.fault;
      await wait(entry.fault.ms ?? 0);
    }
    return undefined;
  }
}
