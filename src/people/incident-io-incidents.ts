/** Incidents of incident.io. Which resource one is about is told by a custom field, such as "Affected service". */
import { z } from 'zod';
import type { Incident, Incidents } from '../access/ports.ts';
import { type AskingParts, createAsker } from './asking.ts';
import { INCIDENT_IO_URL, incidentIoAccess, incidentIoId } from './incident-io.ts';

const PAGE = 250;
const PAGES_MAX = 4;

/** In triage anybody may have put it there, and nobody has looked; what is closed, merged or declined is over. */
const OPENS = 'live';
/** One that was open stays so while it is paused or looked at again. */
const STILL_OPEN: ReadonlySet<string> = new Set(['live', 'active', 'paused', 'triage']);
/** Exercises, which look like incidents in every other way. */
const NOT_REAL: ReadonlySet<string> = new Set(['test', 'tutorial']);

export const incidentIoIncidentsSection = z
  .strictObject({
    type: z.literal('incident-io').describe('Incidents are kept in incident.io.'),
    field: incidentIoId.describe('The id of the custom field that says which service an incident is about.'),
    services: z
      .record(z.string(), incidentIoId)
      .describe(
        "By resource: the id of that field's option or catalog entry. A resource that is not named here has no incidents.",
      ),
    ...incidentIoAccess,
  })
  .describe('Incidents of incident.io: those whose status is live are open.');

export type IncidentIoIncidentsSection = z.infer<typeof incidentIoIncidentsSection>;

const named = z.object({ id: z.string() }).nullish();
const incident = z.object({
  id: z.string(),
  name: z.string().nullish(),
  mode: z.string().nullish(),
  permalink: z.string().nullish(),
  created_at: z.string(),
  incident_status: z.object({ category: z.string() }),
  creator: z.object({ user: z.object({ email: z.string().nullish() }).nullish() }),
  custom_field_entries: z.array(
    z.object({
      custom_field: z.object({ id: z.string() }),
      values: z.array(z.object({ value_catalog_entry: named, value_option: named })),
    }),
  ),
});
const list = z.object({
  incidents: z.array(incident),
  pagination_meta: z.object({ after: z.string().nullish() }).nullish(),
});
const one = z.object({ incident: z.object({ incident_status: z.object({ category: z.string() }) }) });

type Found = z.infer<typeof incident>;

export function createIncidentIoIncidents(section: IncidentIoIncidentsSection, parts: AskingParts): Incidents {
  const asker = createAsker(parts, { service: 'incident.io', source: 'incident source' });
  const headers = { authorization: `Bearer ${section.token}` };
  const at = (path: string) => new URL(path, section.url ?? INCIDENT_IO_URL);

  function read(found: Found): Incident {
    const openedAt = Date.parse(found.created_at);
    const { user } = found.creator;
    // Without the name of whoever opened it nobody can say that it was not the requester.
    if (Number.isNaN(openedAt) || (user && !user.email))
      throw asker.unusable('does not say when, or by whom, an incident was opened');
    return {
      id: found.id,
      title: found.name ?? '',
      ...(found.permalink ? { url: found.permalink } : {}),
      openedAt,
      openedBy: user?.email ? [user.email.toLowerCase()] : [],
    };
  }

  return {
    async openFor(resource) {
      const service = Object.hasOwn(section.services, resource) ? section.services[resource] : undefined;
      if (service === undefined) return [];
      const signal = asker.signal();
      const open: Incident[] = [];
      let after: string | undefined;
      for (let page = 0; page < PAGES_MAX; page += 1) {
        const url = at('/v2/incidents');
        url.searchParams.set('status_category[one_of]', OPENS);
        url.searchParams.set(`custom_field[${section.field}][one_of]`, service);
        url.searchParams.set('page_size', String(PAGE));
        if (after !== undefined) url.searchParams.set('after', after);
        const { status, body } = await asker.ask({ operation: 'incidents', url, headers }, signal);
        const answer = list.safeParse(body);
        if (status === 404 || !answer.success) throw asker.unusable('gave an answer without a list of incidents');
        for (const found of answer.data.incidents) if (isAbout(found, section.field, service)) open.push(read(found));
        const next = answer.data.pagination_meta?.after;
        // The cursor is the last one of a page; a page that is not full is the last.
        if (!next || answer.data.incidents.length < PAGE) return open;
        after = next;
      }
      throw asker.unusable(`has more than ${PAGES_MAX * PAGE} open incidents for one service`);
    },
    async isOpen(incidentId) {
      const url = at(`/v2/incidents/${encodeURIComponent(incidentId)}`);
      const { status, body } = await asker.ask({ operation: 'incident', url, headers }, asker.signal());
      if (status === 404) return false;
      const answer = one.safeParse(body);
      if (!answer.success) throw asker.unusable('gave an answer without an incident');
      return STILL_OPEN.has(answer.data.incident.incident_status.category);
    },
  };
}

/** Asked of incident.io too; a filter it did not understand must not make every incident one of this resource. */
function isAbout(found: Found, field: string, service: string): boolean {
  if (NOT_REAL.has(found.mode ?? '') || !['live', 'active'].includes(found.incident_status.category)) return false;
  return found.custom_field_entries.some(
    ({ custom_field, values }) =>
      custom_field.id === field &&
      values.some(({ value_catalog_entry, value_option }) =>
        [value_catalog_entry?.id, value_option?.id].includes(service),
      ),
  );
}
