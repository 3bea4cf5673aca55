/**
 * `POST /api/v1/activity`: what databases, bastions, clusters and forwarders of logs send. Signed by the source, batched,
 * and safe to send again: each activity has an id of its own, and its answer says what became of each that was not kept.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Told } from '../access/activity.ts';
import type { Clock, Metrics } from '../access/ports.ts';
import type { ActivityLog, Became, Collector, Source } from './collector.ts';
import { readItem } from './items.ts';
import { verifySource } from './signature.ts';

/** As the one listening socket hands requests in. */
interface Request {
  readonly headers: Readonly<Record<string, readonly string[] | undefined>>;
  readonly body: Buffer;
}

interface Reply {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface IngestRoute {
  readonly method: 'POST';
  readonly path: string;
  readonly maxBody: number;
  handle(request: Request): Promise<Reply>;
}

export interface IngestParts {
  readonly sources: ReadonlyMap<string, Source & { readonly secret: string }>;
  readonly collector: Collector;
  /** The real wall clock: a signature's age is judged by nothing else. */
  readonly wallClock: () => number;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly log: ActivityLog;
}

export const PATH = '/api/v1/activity';
const BODY_MAX = 5 * 1024 * 1024;
const ITEMS_MAX = 10_000;
/** Bodies that are being worked off at a time; whoever comes then comes again in a moment. */
const AT_ONCE = 8;
/** Items that are read before everybody else gets a turn. */
const READ_AT_ONCE = 200;
/** Wrong items of which the answer says what is wrong. */
const REJECTED_SHOWN = 100;
/** That a source was heard of is written down this often. */
const HEARD_EVERY_MS = 30_000;

interface Rejected {
  readonly index: number;
  readonly id?: string;
  readonly code: 'malformed' | 'too_late' | 'in_the_future';
  readonly message: string;
}

export function createIngest(parts: IngestParts): IngestRoute & { busy(): boolean } {
  const { sources, collector, metrics, log, clock } = parts;
  const heard = new Map<string, number>();
  /** One at a time for each source: two batches of one would only overtake each other. */
  const lines = new Map<string, Promise<unknown>>();
  let working = 0;

  async function handle({ headers, body }: Request): Promise<Reply> {
    const verified = verifySource((name) => sources.get(name)?.secret, headers, body, parts.wallClock());
    if ('untrusted' in verified) {
      metrics.count('hallpass_activity_refused_total', { why: verified.untrusted });
      return json(401, { error: 'unauthorized', message: UNTRUSTED[verified.untrusted] });
    }
    const source = sources.get(verified.source);
    if (source === undefined) return json(401, { error: 'unauthorized', message: UNTRUSTED.source });
    if (working >= AT_ONCE) {
      metrics.count('hallpass_activity_refused_total', { why: 'busy' });
      return {
        ...json(503, { error: 'busy', message: 'Too much at once. Send it again in a second.' }),
        headers: BUSY,
      };
    }
    working += 1;
    try {
      const before = lines.get(source.name) ?? Promise.resolve();
      const mine = before.catch(() => undefined).then(() => take(source, body));
      lines.set(source.name, mine);
      return await mine;
    } catch (error) {
      // Nothing is said to be kept that may not be; sent again, what was kept is known.
      log.error({ error, source: source.name }, 'activity could not be kept; it has to be sent again');
      return { ...json(503, { error: 'unavailable', message: 'It could not be kept. Send it again.' }), headers: BUSY };
    } finally {
      working -= 1;
    }
  }

  async function take(source: Source, body: Buffer): Promise<Reply> {
    const items = itemsIn(body);
    if (typeof items === 'string') return json(400, { error: 'malformed', message: items });
    const told: Told[] = [];
    const places: number[] = [];
    const rejected: Rejected[] = [];
    for (const [index, item] of items.entries()) {
      if (index % READ_AT_ONCE === READ_AT_ONCE - 1) await nextTurn();
      const read = readItem(source.name, item);
      if ('activity' in read) {
        told.push(read);
        places.push(index);
      } else
        rejected.push({
          index,
          ...(read.uid === undefined ? {} : { id: read.uid }),
          code: 'malformed',
          message: read.wrong,
        });
    }
    const became = await collector.take(source, told, heardOf(source.name));
    const counts: Record<Became, number> = {
      kept: 0,
      known: 0,
      nobody: 0,
      none_of_it: 0,
      too_late: 0,
      in_the_future: 0,
    };
    for (const [i, one] of became.entries()) {
      counts[one] += 1;
      if (one !== 'too_late' && one !== 'in_the_future') continue;
      const id = told[i]?.activity.uid;
      rejected.push({
        index: places[i] ?? i,
        ...(id === undefined ? {} : { id }),
        code: one,
        message: one === 'too_late' ? 'it happened longer ago than this source may be late' : 'it has not happened yet',
      });
    }
    const malformed = items.length - told.length;
    if (malformed > 0)
      metrics.count('hallpass_activities_total', { source: source.name, outcome: 'malformed' }, malformed);
    return json(200, {
      kept: counts.kept,
      known: counts.known,
      unattributed: counts.nobody + counts.none_of_it,
      rejected: rejected.length,
      errors: rejected.sort((a, b) => a.index - b.index).slice(0, REJECTED_SHOWN),
    });
  }

  function heardOf(source: string) {
    const now = clock.now();
    if (now - (heard.get(source) ?? Number.NEGATIVE_INFINITY) < HEARD_EVERY_MS) return undefined;
    heard.set(source, now);
    return { cursor: '', readAt: now };
  }

  return { method: 'POST', path: PATH, maxBody: BODY_MAX, handle, busy: () => working > 0 };
}

const UNTRUSTED = {
  header: 'It needs the headers x-hallpass-source, x-hallpass-timestamp and x-hallpass-signature, each once.',
  source: 'There is no such source.',
  age: 'The timestamp is more than 5 minutes off.',
  signature: 'The signature does not fit.',
} as const;

const BUSY = { 'content-type': 'application/json; charset=utf-8', 'retry-after': '1' };

/** `{ "activities": […] }`, or the list alone; or what is wrong with it. */
function itemsIn(body: Buffer): readonly unknown[] | string {
  let value: unknown;
  try {
    value = JSON.parse(body.toString('utf8'));
  } catch {
    return 'The body is not JSON.';
  }
  const list =
    typeof value === 'object' && value !== null && !Array.isArray(value) && 'activities' in value
      ? value.activities
      : value;
  if (!Array.isArray(list)) return 'The body is neither a list nor an object with a list named activities.';
  if (list.length > ITEMS_MAX) return `The list has ${list.length} activities, and ${ITEMS_MAX} are the most.`;
  return list;
}

function json(status: number, body: object): Reply {
  return {
    status,
    headers: { 'content-type': 'application/json; charset=utf-8' },
    body: JSON.stringify(body),
  };
}
