/** Who is on call in incident.io: a schedule as it finally is, with its overrides. */
import { z } from 'zod';
import type { OnCall, OnCallEntry } from '../access/ports.ts';
import { type AskingParts, createAsker, isServiceUrl } from './asking.ts';

export const INCIDENT_IO_URL = 'https://api.incident.io';
const PAGES_MAX = 5;
/** The window that is asked for; who is on call at this instant is judged here. */
const WINDOW_MS = 60_000;

export const incidentIoId = z
  .string()
  .regex(/^[0-9A-Za-z_-]{1,80}$/, 'must be an id of incident.io, such as 01FCNDV6P870EA6S7TK1DSYDG0');

export const incidentIoAccess = {
  token: z.string().min(1).describe('An API key that may read; written as the name of a variable of the environment.'),
  url: z
    .string()
    .refine(isServiceUrl, 'must be an https:// address without a path (http:// only on loopback)')
    .optional()
    .describe('Default https://api.incident.io.'),
};

export const incidentIoSection = z
  .strictObject({
    type: z.literal('incident-io').describe('A schedule of incident.io.'),
    schedule: incidentIoId.describe('The id of the schedule.'),
    ...incidentIoAccess,
  })
  .describe('Who is on call in incident.io now, overrides included.');

export type IncidentIoSection = z.infer<typeof incidentIoSection>;

const instant = z.string().transform((text, context) => {
  const at = Date.parse(text);
  if (!Number.isNaN(at)) return at;
  context.addIssue({ code: 'custom', message: 'no instant' });
  return z.NEVER;
});

const entries = z.object({
  schedule_entries: z.object({
    final: z.array(
      z.object({
        start_at: instant,
        end_at: instant,
        user: z.object({ id: z.string(), email: z.string().nullish() }).nullish(),
      }),
    ),
  }),
  pagination_meta: z.object({ after: z.string().nullish() }).nullish(),
});

export function createIncidentIoOnCall(name: string, section: IncidentIoSection, parts: AskingParts): OnCall {
  const asker = createAsker(parts, { service: 'incident.io', source: `on-call source "${name}"` });

  return {
    async now(at) {
      const found = new Map<string, OnCallEntry>();
      const signal = asker.signal();
      let after: string | null | undefined;
      for (let page = 0; page < PAGES_MAX; page += 1) {
        const url = new URL('/v2/schedule_entries', section.url ?? INCIDENT_IO_URL);
        url.searchParams.set('schedule_id', section.schedule);
        url.searchParams.set('entry_window_start', new Date(at).toISOString());
        url.searchParams.set('entry_window_end', new Date(at + WINDOW_MS).toISOString());
        if (typeof after === 'string') url.searchParams.set('after', after);
        const headers = { authorization: `Bearer ${section.token}` };
        const { status, body } = await asker.ask({ operation: 'schedule_entries', url, headers }, signal);
        if (status === 404) throw asker.unusable(`has no schedule ${section.schedule}`);
        const read = entries.safeParse(body);
        if (!read.success) throw asker.unusable('gave an answer without schedule entries');
        // `final` alone: `scheduled` still has those whom an override has replaced.
        for (const { start_at, end_at, user } of read.data.schedule_entries.final)
          if (start_at <= at && at < end_at && user?.email) found.set(user.id, { email: user.email });
        const next = read.data.pagination_meta?.after;
        if (!next || next === after) return [...found.values()];
        after = next;
      }
      throw asker.unusable('gave more schedule entries for one minute than can be');
    },
  };
}
