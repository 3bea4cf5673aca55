/**
 * The services that keep schedules and incidents, in small and strict: what they do not know by their documentation is
 * refused, so that a misspelt parameter fails here and not at a customer's.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export const TOKENS = { pagerDuty: 'pd-read-key', incidentIo: 'io-read-key', google: 'ya29.read' };

export interface PagerDutyIncident {
  readonly id: string;
  readonly title: string;
  readonly status: 'triggered' | 'acknowledged' | 'resolved';
  readonly service: string;
  /** Older than a month is what the default range leaves out. */
  readonly createdAt: string;
  readonly by?: { readonly type: 'user' | 'service'; readonly id: string };
}

export interface IoIncident {
  readonly id: string;
  readonly name: string;
  readonly category: string;
  readonly field: string;
  readonly value: string;
  readonly mode?: string;
  readonly createdAt: string;
  readonly createdBy?: string;
}

export interface Services {
  readonly url: string;
  /** `GET /oncalls`, for each question. */
  readonly asked: string[];
  /** By schedule. */
  onCall: { schedule: string; level: number; id: string; email?: string }[];
  pagerDutyUsers: Record<string, string>;
  incidents: PagerDutyIncident[];
  schedules: Record<string, { from: string; until: string; email: string | null; replaced?: true }[]>;
  ioIncidents: IoIncident[];
  calendars: Record<string, unknown[]>;
  /** The next answers, whatever is asked: a status, a body, or silence. */
  next: (
    | number
    | 'silence'
    | { readonly status: number; readonly headers?: Record<string, string>; readonly body: string }
  )[];
  close(): Promise<void>;
}

export async function startServices(): Promise<Services> {
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://service');
    services.asked.push(`${request.method} ${url.pathname}`);
    const next = services.next.shift();
    if (next === 'silence') return;
    if (next !== undefined) {
      const { status, headers = {}, body } = typeof next === 'number' ? { status: next, body: '{}' } : next;
      response.writeHead(status, headers).end(body);
      return;
    }
    const { status, body } = answer(request, url);
    reply(response, status, body);
  });

  function answer(request: IncomingMessage, url: URL): { status: number; body: unknown } {
    if (request.method !== 'GET') return { status: 405, body: {} };
    if (url.pathname.startsWith('/calendar/')) return calendar(request, url);
    if (url.pathname.startsWith('/v2/')) return incidentIo(request, url);
    return pagerDuty(request, url);
  }

  function pagerDuty({ headers }: IncomingMessage, url: URL) {
    if (headers.authorization !== `Token token=${TOKENS.pagerDuty}`) return { status: 401, body: { error: {} } };
    if (headers.accept !== 'application/vnd.pagerduty+json;version=2') return { status: 406, body: { error: {} } };
    const limit = Number(url.searchParams.get('limit') ?? 25);
    const offset = Number(url.searchParams.get('offset') ?? 0);
    const page = <T>(all: readonly T[]) => ({
      rows: all.slice(offset, offset + limit),
      more: { limit, offset, more: offset + limit < all.length, total: null },
    });
    if (url.pathname === '/oncalls') {
      if (unknown(url, ['schedule_ids[]', 'include[]', 'limit', 'offset'])) return { status: 400, body: { error: {} } };
      const wanted = url.searchParams.getAll('schedule_ids[]');
      const full = url.searchParams.getAll('include[]').includes('users');
      const { rows, more } = page(services.onCall.filter(({ schedule }) => wanted.includes(schedule)));
      const oncalls = rows.map(({ schedule, level, id, email }) => ({
        user: { id, type: full ? 'user' : 'user_reference', ...(full && email !== undefined && { email }) },
        schedule: { id: schedule, type: 'schedule_reference' },
        escalation_policy: { id: 'PESC', type: 'escalation_policy_reference' },
        escalation_level: level,
        start: null,
        end: null,
      }));
      return { status: 200, body: { oncalls, ...more } };
    }
    const shown = (one: PagerDutyIncident) => ({
      id: one.id,
      title: one.title,
      status: one.status,
      created_at: one.createdAt,
      html_url: `https://acme.pagerduty.com/incidents/${one.id}`,
      service: { id: one.service, type: 'service_reference' },
      first_trigger_log_entry: url.searchParams.getAll('include[]').includes('first_trigger_log_entries')
        ? {
            type: 'trigger_log_entry',
            agent: { id: one.by?.id ?? one.service, type: `${one.by?.type ?? 'service'}_reference` },
          }
        : { type: 'trigger_log_entry_reference' },
    });
    if (url.pathname === '/incidents') {
      const known = ['statuses[]', 'service_ids[]', 'date_range', 'include[]', 'limit', 'offset'];
      if (unknown(url, known) || limit > 100) return { status: 400, body: { error: {} } };
      const monthAgo = Date.now() - 30 * 86_400_000;
      const { rows, more } = page(
        services.incidents.filter(
          ({ service, status, createdAt }) =>
            url.searchParams.getAll('service_ids[]').includes(service) &&
            url.searchParams.getAll('statuses[]').includes(status) &&
            (url.searchParams.get('date_range') === 'all' || Date.parse(createdAt) > monthAgo),
        ),
      );
      return { status: 200, body: { incidents: rows.map(shown), ...more } };
    }
    const [, what, id = ''] = url.pathname.split('/');
    const user = services.pagerDutyUsers[id];
    if (what === 'users' && user !== undefined) return { status: 200, body: { user: { id, email: user } } };
    const found = services.incidents.find((one) => one.id === id);
    if (what === 'incidents' && found !== undefined) return { status: 200, body: { incident: shown(found) } };
    return { status: 404, body: { error: { message: 'Not Found', code: 2100 } } };
  }

  function incidentIo({ headers }: IncomingMessage, url: URL) {
    if (headers.authorization !== `Bearer ${TOKENS.incidentIo}`) return { status: 401, body: {} };
    if (url.pathname === '/v2/schedule_entries') {
      if (unknown(url, ['schedule_id', 'entry_window_start', 'entry_window_end', 'after']))
        return { status: 422, body: {} };
      const entries = services.schedules[url.searchParams.get('schedule_id') ?? ''];
      if (entries === undefined) return { status: 404, body: { type: 'not_found' } };
      const from = Date.parse(url.searchParams.get('entry_window_start') ?? '');
      const until = Date.parse(url.searchParams.get('entry_window_end') ?? '');
      const within = entries.filter((one) => Date.parse(one.from) < until && Date.parse(one.until) > from);
      const entry = (one: (typeof within)[number], at: number) => ({
        start_at: one.from,
        end_at: one.until,
        user: { id: `01U${at}`, ...(one.email !== null && { email: one.email }) },
      });
      return {
        status: 200,
        body: {
          schedule_entries: {
            final: within.filter((one) => one.replaced !== true).map(entry),
            scheduled: within.map(entry),
            overrides: [],
          },
          pagination_meta: { page_size: 25 },
        },
      };
    }
    const shown = (one: IoIncident) => ({
      id: one.id,
      name: one.name,
      mode: one.mode ?? 'standard',
      permalink: `https://app.incident.io/acme/incidents/${one.id}`,
      created_at: one.createdAt,
      incident_status: { category: one.category },
      creator: one.createdBy === undefined ? { workflow: { id: 'w' } } : { user: { id: 'u', email: one.createdBy } },
      custom_field_entries: [{ custom_field: { id: one.field }, values: [{ value_catalog_entry: { id: one.value } }] }],
    });
    if (url.pathname === '/v2/incidents') {
      const field = [...url.searchParams.keys()].find((key) => key.startsWith('custom_field['));
      if (field === undefined || unknown(url, [field, 'status_category[one_of]', 'page_size', 'after']))
        return { status: 422, body: {} };
      const id = /^custom_field\[([^\]]+)\]\[one_of\]$/.exec(field)?.[1];
      const open = services.ioIncidents.filter(
        (one) =>
          one.field === id &&
          one.value === url.searchParams.get(field) &&
          one.category === url.searchParams.get('status_category[one_of]'),
      );
      return { status: 200, body: { incidents: open.map(shown), pagination_meta: { page_size: 250 } } };
    }
    const found = services.ioIncidents.find((one) => url.pathname === `/v2/incidents/${one.id}`);
    return found === undefined
      ? { status: 404, body: { type: 'not_found' } }
      : { status: 200, body: { incident: shown(found) } };
  }

  function calendar({ headers }: IncomingMessage, url: URL) {
    if (headers.authorization !== `Bearer ${TOKENS.google}`) return { status: 401, body: { error: { code: 401 } } };
    const known = ['singleEvents', 'orderBy', 'timeMin', 'timeMax', 'maxResults', 'pageToken'];
    const id = decodeURIComponent(/^\/calendar\/v3\/calendars\/([^/]+)\/events$/.exec(url.pathname)?.[1] ?? '');
    const items = services.calendars[id];
    if (unknown(url, known)) return { status: 400, body: { error: { code: 400 } } };
    if (items === undefined) return { status: 404, body: { error: { code: 404, message: 'Not Found' } } };
    return { status: 200, body: { kind: 'calendar#events', timeZone: 'Europe/Berlin', items } };
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const services: Services = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked: [],
    onCall: [],
    pagerDutyUsers: {},
    incidents: [],
    schedules: {},
    ioIncidents: [],
    calendars: {},
    next: [],
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return services;
}

function unknown(url: URL, known: readonly string[]): boolean {
  return [...url.searchParams.keys()].some((key) => !known.includes(key));
}

function reply(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
