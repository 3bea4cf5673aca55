/** Incidents of PagerDuty: a resource's own service, however old they are, until they are resolved. */
import { z } from 'zod';
import type { Incident, Incidents } from '../access/ports.ts';
import { type Asker, type AskingParts, createAsker } from './asking.ts';
import { PAGERDUTY_URL, pagerDutyAccess, pagerDutyHeaders, pagerDutyId } from './pagerduty.ts';

const PAGE = 100;
/** A service with more open incidents than this has other troubles. */
const PAGES_MAX = 5;

export const pagerDutyIncidentsSection = z
  .strictObject({
    type: z.literal('pagerduty').describe('Incidents are kept in PagerDuty.'),
    services: z
      .record(z.string(), pagerDutyId('service'))
      .describe('By resource: the id of its service (P…). A resource that is not named here has no incidents.'),
    ...pagerDutyAccess,
  })
  .describe('Incidents of PagerDuty: those triggered or acknowledged are open.');

export type PagerDutyIncidentsSection = z.infer<typeof pagerDutyIncidentsSection>;

const incident = z.object({
  id: z.string(),
  title: z.string().nullish(),
  status: z.enum(['triggered', 'acknowledged', 'resolved']),
  html_url: z.string().nullish(),
  created_at: z.string(),
  service: z.object({ id: z.string() }),
  first_trigger_log_entry: z.object({ agent: z.object({ id: z.string(), type: z.string() }).nullish() }).nullish(),
});
const list = z.object({ incidents: z.array(incident), more: z.boolean().nullish() });
const one = z.object({ incident: z.object({ status: z.enum(['triggered', 'acknowledged', 'resolved']) }) });
const user = z.object({ user: z.object({ email: z.string().min(1) }) });

export function createPagerDutyIncidents(section: PagerDutyIncidentsSection, parts: AskingParts): Incidents {
  const asker = createAsker(parts, { service: 'PagerDuty', source: 'incident source' });
  const headers = pagerDutyHeaders(section.token);
  const at = (path: string) => new URL(path, section.url ?? PAGERDUTY_URL);

  async function emailOf(userId: string, signal: AbortSignal): Promise<string> {
    const url = at(`/users/${encodeURIComponent(userId)}`);
    const { status, body } = await asker.ask({ operation: 'users', url, headers }, signal);
    const read = user.safeParse(body);
    // Without the name of whoever opened it nobody can say that it was not the requester.
    if (status === 404 || !read.success) throw asker.unusable('does not say who opened an incident');
    return read.data.user.email.toLowerCase();
  }

  async function read(found: z.infer<typeof incident>, signal: AbortSignal): Promise<Incident> {
    const openedAt = Date.parse(found.created_at);
    const trigger = found.first_trigger_log_entry;
    if (Number.isNaN(openedAt) || trigger === undefined || trigger === null)
      throw asker.unusable('does not say when, or by whom, an incident was opened');
    const agent = trigger.agent;
    return {
      id: found.id,
      title: found.title ?? '',
      ...(found.html_url ? { url: found.html_url } : {}),
      openedAt,
      openedBy: agent?.type.startsWith('user') === true ? [await emailOf(agent.id, signal)] : [],
    };
  }

  return {
    async openFor(resource) {
      const service = Object.hasOwn(section.services, resource) ? section.services[resource] : undefined;
      if (service === undefined) return [];
      const signal = asker.signal();
      const found: Incident[] = [];
      for (let page = 0; page < PAGES_MAX; page += 1) {
        const { incidents, more } = await pageOf(asker, at('/incidents'), service, page * PAGE, headers, signal);
        for (const entry of incidents)
          if (entry.service.id === service && entry.status !== 'resolved') found.push(await read(entry, signal));
        if (more !== true) return found;
      }
      throw asker.unusable(`has more than ${PAGES_MAX * PAGE} open incidents for one service`);
    },
    async isOpen(incidentId) {
      const url = at(`/incidents/${encodeURIComponent(incidentId)}`);
      const { status, body } = await asker.ask({ operation: 'incident', url, headers }, asker.signal());
      if (status === 404) return false;
      const read = one.safeParse(body);
      if (!read.success) throw asker.unusable('gave an answer without an incident');
      return read.data.incident.status !== 'resolved';
    },
  };
}

async function pageOf(
  asker: Asker,
  url: URL,
  service: string,
  offset: number,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<z.infer<typeof list>> {
  for (const status of ['triggered', 'acknowledged']) url.searchParams.append('statuses[]', status);
  url.searchParams.append('service_ids[]', service);
  // Left out, what was opened more than a month ago and is still open would not be there.
  url.searchParams.append('date_range', 'all');
  url.searchParams.append('include[]', 'first_trigger_log_entries');
  url.searchParams.append('limit', String(PAGE));
  url.searchParams.append('offset', String(offset));
  const { status, body } = await asker.ask({ operation: 'incidents', url, headers }, signal);
  const read = list.safeParse(body);
  if (status === 404 || !read.success) throw asker.unusable('gave an answer without a list of incidents');
  return read.data;
}
