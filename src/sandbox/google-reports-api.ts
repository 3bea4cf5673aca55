/** The Reports API of the local Google: activities of one application between two times, the newest first. */
import { googleError } from './google-api.ts';
import type { GoogleState } from './google-state.ts';
import type { GoogleCaller } from './google-tokens.ts';
import type { Told } from './local-server.ts';

const SCOPE = 'https://www.googleapis.com/auth/admin.reports.audit.readonly';
const PATH = /^\/admin\/reports\/v1\/activity\/users\/all\/applications\/([a-z_]+)$/;
const APPLICATIONS: ReadonlySet<string> = new Set(['admin', 'login', 'token', 'drive']);
const PAGE_MAX = 1_000;

/** Something that a person did; it shows up in the reports when it is told to the local Google. */
export interface GoogleDeed {
  readonly application: string;
  readonly userId: string;
  readonly name: string;
  /** When it happened. */
  readonly at: number;
  /** With `at` what Google knows it by. */
  readonly qualifier: string;
  readonly ip?: string;
  readonly parameters?: Readonly<Record<string, string>>;
}

export function isReports(url: URL): boolean {
  return url.pathname.startsWith('/admin/reports/');
}

export function answerReports(
  state: GoogleState,
  request: { readonly method: string; readonly url: URL; readonly caller: GoogleCaller },
  pageMax: number,
): Told {
  const { method, url, caller } = request;
  const application = PATH.exec(url.pathname)?.[1];
  if (method !== 'GET' || application === undefined) return googleError(404, 'notFound', 'Not Found');
  if (!caller.scopes.has(SCOPE)) return googleError(403, 'insufficientPermissions');
  if (caller.role === 'none') return googleError(403, 'forbidden');
  if (!APPLICATIONS.has(application)) return googleError(400, 'invalid', 'Bad request. Invalid application name.');
  const { searchParams: query } = url;
  const [from, to] = ['startTime', 'endTime'].map((name) => Date.parse(query.get(name) ?? ''));
  const size = Number(query.get('maxResults') ?? PAGE_MAX);
  if (from === undefined || to === undefined || Number.isNaN(from) || Number.isNaN(to) || from >= to)
    return googleError(400, 'invalid', 'Start time must be before end time.');
  if (!Number.isInteger(size) || size < 1 || size > PAGE_MAX) return googleError(400, 'invalid', 'Invalid maxResults');
  const found = state.deeds
    .filter((deed) => deed.application === application && deed.at >= from && deed.at < to)
    .sort((a, b) => b.at - a.at);
  const token = query.get('pageToken');
  const start = token === null ? 0 : found.findIndex(({ qualifier }) => pageOf(qualifier) === token) + 1;
  if (token !== null && start === 0) return googleError(400, 'invalid', 'Invalid page token');
  const page = found.slice(start, start + Math.min(size, pageMax));
  const last = page.at(-1);
  const more = last !== undefined && start + page.length < found.length;
  return {
    status: 200,
    body: {
      kind: 'admin#reports#activities',
      ...(page.length === 0 ? {} : { items: page.map((deed) => show(state, deed)) }),
      ...(more ? { nextPageToken: pageOf(last.qualifier) } : {}),
    },
  };
}

function pageOf(qualifier: string): string {
  return Buffer.from(`after:${qualifier}`).toString('base64url');
}

function show(state: GoogleState, deed: GoogleDeed): unknown {
  return {
    kind: 'admin#reports#activity',
    id: {
      time: new Date(deed.at).toISOString(),
      uniqueQualifier: deed.qualifier,
      applicationName: deed.application,
      customerId: 'C0local',
    },
    actor: { callerType: 'USER', email: state.users.get(deed.userId)?.email ?? '', profileId: deed.userId },
    ...(deed.ip === undefined ? {} : { ipAddress: deed.ip }),
    events: [
      {
        type: 'LOCAL',
        name: deed.name,
        parameters: Object.entries(deed.parameters ?? {}).map(([name, value]) => ({ name, value })),
      },
    ],
  };
}
