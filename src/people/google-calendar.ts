/**
 * Who is on call by a Google calendar kept for nothing else: whoever is invited to an event that is on now and has not
 * declined.
 */
import { z } from 'zod';
import type { Instant } from '../access/model.ts';
import { type OnCall, type OnCallEntry, PeopleError } from '../access/ports.ts';
import { wallTime } from '../access/zone.ts';
import { type Asked, type AskingParts, Failure, failed, isServiceUrl, statusFailure, watch } from './asking.ts';

const SCOPE = 'https://www.googleapis.com/auth/calendar.events.readonly';
const WITHIN_MS = 5_000;
const PAGE = 50;
const PAGES_MAX = 5;
const WINDOW_MS = 60_000;
/** Where people say where they are and what they do, not whose turn it is. */
const NO_SHIFT: ReadonlySet<string> = new Set(['birthday', 'focusTime', 'outOfOffice', 'workingLocation']);

export const googleCalendarSection = z
  .strictObject({
    type: z.literal('google-calendar').describe('A Google calendar that holds shifts and nothing else.'),
    calendar: z
      .string()
      .regex(/^[^@\s/]+@[^@\s/]+$/, 'must be the id of a calendar, such as c_0123abc@group.calendar.google.com')
      .describe('The id of the calendar; share it with the service account, for reading.'),
    keyFile: z
      .string()
      .min(1)
      .optional()
      .describe('The key of a service account, relative to this file. Default: the credentials of the environment.'),
    rootUrl: z
      .string()
      .refine(isServiceUrl, 'must be an https:// address without a path (http:// only on loopback)')
      .optional()
      .describe("Another server than Google's, for tests."),
  })
  .describe('Those invited to an event of a Google calendar that is on now.');

export type GoogleCalendarSection = z.infer<typeof googleCalendarSection>;

type Calendar = import('googleapis/build/src/apis/calendar/index.js').calendar_v3.Calendar;
type Event = import('googleapis/build/src/apis/calendar/index.js').calendar_v3.Schema$Event;

export interface GoogleCalendarParts extends AskingParts {
  /** A bearer token, instead of the key or the environment's credentials. */
  readonly accessToken?: string;
}

export function createGoogleCalendarOnCall(
  name: string,
  section: GoogleCalendarSection,
  parts: GoogleCalendarParts,
): OnCall {
  const asked: Asked = { service: 'Google Calendar', source: `on-call source "${name}"` };
  let opened: Promise<Calendar> | undefined;

  async function pageOf(client: Calendar, at: Instant, pageToken: string | undefined, signal: AbortSignal) {
    return await watch(parts, asked, 'events', async () => {
      try {
        const { data } = await client.events.list(
          {
            calendarId: section.calendar,
            singleEvents: true,
            orderBy: 'startTime',
            timeMin: new Date(at).toISOString(),
            timeMax: new Date(at + WINDOW_MS).toISOString(),
            maxResults: PAGE,
            ...(pageToken === undefined ? {} : { pageToken }),
          },
          { signal, timeout: parts.withinMs ?? WITHIN_MS, retryConfig: { retry: 1 } },
        );
        return data;
      } catch (error) {
        throw failureOf(error, section.calendar, signal);
      }
    });
  }

  return {
    async now(at) {
      // Loaded at the first question: the library takes longer to load than everything else together.
      opened ??= open(section, parts.accessToken);
      const signal = AbortSignal.timeout(parts.withinMs ?? WITHIN_MS);
      try {
        const client = await opened;
        const found = new Map<string, OnCallEntry>();
        let pageToken: string | undefined;
        for (let page = 0; page < PAGES_MAX; page += 1) {
          const { items, nextPageToken, timeZone } = await pageOf(client, at, pageToken, signal);
          for (const event of items ?? [])
            for (const email of onShift(event, at, timeZone ?? 'UTC')) found.set(email.toLowerCase(), { email });
          if (!nextPageToken) return [...found.values()];
          pageToken = nextPageToken;
        }
        throw new Failure(`has more than ${PAGES_MAX * PAGE} events at once`);
      } catch (error) {
        if (!(error instanceof PeopleError) && !(error instanceof Failure)) opened = undefined;
        throw failed(asked, error);
      }
    },
  };
}

async function open(section: GoogleCalendarSection, accessToken: string | undefined): Promise<Calendar> {
  const { auth, calendar } = await import('googleapis/build/src/apis/calendar/index.js');
  const { keyFile, rootUrl } = section;
  const client = new auth.OAuth2();
  if (accessToken !== undefined) client.setCredentials({ access_token: accessToken, expiry_date: Infinity });
  return calendar({
    version: 'v3',
    auth:
      accessToken === undefined
        ? new auth.GoogleAuth({ scopes: [SCOPE], ...(keyFile === undefined ? {} : { keyFile }) })
        : client,
    ...(rootUrl === undefined ? {} : { rootUrl: `${rootUrl.replace(/\/$/, '')}/` }),
  });
}

/** Emails of those whose shift an event is. */
function onShift(event: Event, at: Instant, zone: string): readonly string[] {
  if (event.status === 'cancelled' || NO_SHIFT.has(event.eventType ?? '') || !covers(event, at, zone)) return [];
  // A list that Google has cut might leave out the one who is asked about.
  if (event.attendeesOmitted === true) throw new Failure('left out some of those invited to an event');
  return (event.attendees ?? []).flatMap(({ email, resource, responseStatus }) =>
    email && resource !== true && responseStatus !== 'declined' ? [email] : [],
  );
}

function covers({ start, end }: Event, at: Instant, zone: string): boolean {
  if (start?.dateTime && end?.dateTime) return Date.parse(start.dateTime) <= at && at < Date.parse(end.dateTime);
  if (!start?.date || !end?.date) return false;
  const { year, month, day } = wallTime(at, zone);
  const today = new Date(Date.UTC(year, month - 1, day)).toISOString().slice(0, 10);
  // Days without a time are the calendar's own days, and the last one is not part of it.
  return start.date <= today && today < end.date;
}

function failureOf(error: unknown, calendar: string, signal: AbortSignal): Failure {
  if (signal.aborted) return new Failure(`did not answer within ${WITHIN_MS / 1000} s`, error);
  const { status, response } = error as {
    readonly status?: unknown;
    readonly response?: { readonly headers?: Headers };
  };
  if (typeof status !== 'number')
    return new Failure('cannot be reached, or has no credentials to be asked with', error);
  if (status === 404)
    return new Failure(`shows Hallpass no calendar ${calendar}; share it with the service account`, error, {
      outcome: 'rejected',
    });
  return statusFailure(status, response?.headers ?? new Headers());
}
