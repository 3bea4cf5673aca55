/**
 * Google's reports as what people did. They are written late, and not in order: each round reads a little of what was read
 * before again, and once an hour the last hours. It signs in for itself, so that a scope that was not granted fails this
 * and nothing else.
 */
import { z } from 'zod';
import type { Activity, ActivityKind, ActivityPage, ActivitySource, Told } from '../access/activity.ts';
import type { Instant } from '../access/model.ts';
import { type Clock, DirectoryError } from '../access/ports.ts';
import { failure, ID_PATTERN } from './google-answers.ts';
import { type AskParts, createAsk } from './google-ask.ts';
import { library, type Reports } from './google-library.ts';
import { type Answer, type Asked, deadlineIn, jsonOf, malformed } from './http.ts';
import type { Urgency } from './limiter.ts';

export const REPORTS_SCOPE = 'https://www.googleapis.com/auth/admin.reports.audit.readonly';

const EVERY_MS = 180_000;
/** A page of reports may take Google long. */
const DEADLINE_MS = 30_000;
const PAGE_SIZE = 500;
const MINUTE_MS = 60_000;
/** Read again each round, and once an hour: what Google writes late is mostly minutes late, and sometimes hours. */
const AGAIN_MS = 15 * MINUTE_MS;
const FAR_AGAIN_MS = 6 * 60 * MINUTE_MS;
const FAR_EVERY_MS = 60 * MINUTE_MS;

export const APPLICATIONS = ['admin', 'login', 'token', 'drive'] as const;

/** Where it is: up to when each application was read, and in the middle of which page. */
const cursorSchema = z.object({
  read: z.record(z.string(), z.number()),
  far: z.number(),
  under: z.object({ of: z.string(), from: z.number(), to: z.number(), token: z.string().optional() }).optional(),
});

type Cursor = z.output<typeof cursorSchema>;

export interface ReportsParts extends Omit<AskParts<Reports>, 'open' | 'bucket'> {
  readonly clock: Clock;
}

export function createReports(
  parts: ReportsParts,
): (source: string, of: readonly string[] | undefined, lane: Urgency) => ActivitySource {
  const { clock } = parts;
  const ask = createAsk<Reports>({
    ...parts,
    bucket: 'reports',
    open: () => library().then(({ admin }) => admin({ version: 'reports_v1' })),
  });

  async function page(source: string, under: NonNullable<Cursor['under']>, lane: Urgency) {
    const { of, from, to, token } = under;
    return await ask(
      {
        operation: 'read_activity',
        write: (api, lent) =>
          api.activities.list(
            {
              userKey: 'all',
              applicationName: of,
              startTime: new Date(from).toISOString(),
              endTime: new Date(to).toISOString(),
              maxResults: PAGE_SIZE,
              ...(token === undefined ? {} : { pageToken: token }),
            },
            lent,
          ),
        read: (asked, answer) => processReports(asked, answer, clock.now(), source, of),
      },
      deadlineIn(DEADLINE_MS, lane),
    );
  }

  /** The next page of the round that is under way, or the first of a new one. */
  async function read(
    source: string,
    applications: readonly string[],
    known: Cursor | undefined,
    since: Instant,
    lane: Urgency,
  ): Promise<ActivityPage> {
    const now = clock.now();
    const before: Cursor = known ?? { read: {}, far: now };
    const far = now - before.far >= FAR_EVERY_MS;
    const begin = (of: string): NonNullable<Cursor['under']> => {
      const readTo = before.read[of];
      const again = far ? FAR_AGAIN_MS : AGAIN_MS;
      return { of, from: readTo === undefined ? since : Math.max(since, readTo - again), to: now };
    };
    const stands = before.under !== undefined && applications.includes(before.under.of) ? before.under : undefined;
    const under = stands ?? begin(applications[0] ?? 'admin');
    const { told, next } = await page(source, under, lane);
    const done = next === undefined;
    const readNow = done ? { ...before.read, [under.of]: under.to } : before.read;
    const following = done ? applications[applications.indexOf(under.of) + 1] : undefined;
    const goesOn = done ? (following === undefined ? undefined : begin(following)) : { ...under, token: next };
    const cursor: Cursor = {
      read: readNow,
      far: goesOn === undefined && far ? now : before.far,
      ...(goesOn === undefined ? {} : { under: goesOn }),
    };
    return {
      told,
      cursor: JSON.stringify(cursor),
      // Of all of them: one that was not read yet says that nothing was looked at before.
      readTo: Math.min(...applications.map((of) => readNow[of] ?? since)),
      more: goesOn !== undefined,
    };
  }

  return (source, of = APPLICATIONS, lane) => ({
    everyMs: EVERY_MS,
    async read(cursor, since) {
      const known = cursor === undefined ? undefined : readCursor(cursor);
      try {
        return await read(source, of, known, since, lane);
      } catch (error) {
        // A page that Google does not know any more: its application is read again, from where it was.
        const lost = known?.under?.token !== undefined && error instanceof DirectoryError && error.code === 'rejected';
        if (!lost || known?.under === undefined) throw error;
        const { token: _lost, ...under } = known.under;
        return await read(source, of, { ...known, under }, since, lane);
      }
    },
  });
}

function readCursor(text: string): Cursor | undefined {
  try {
    return cursorSchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

const text = z.string().nullish().catch(undefined);

const parameter = z.object({
  name: text,
  value: text,
  intValue: z.union([z.string(), z.number()]).nullish().catch(undefined),
  boolValue: z.boolean().nullish().catch(undefined),
});

const itemSchema = z.object({
  id: z.object({ time: z.iso.datetime(), uniqueQualifier: z.string().min(1).max(100) }),
  actor: z.object({ email: text, profileId: text }).nullish().catch(undefined),
  ipAddress: text,
  events: z
    .array(z.object({ name: z.string().max(200), parameters: z.array(parameter).nullish().catch(undefined) }))
    .max(1_000)
    .catch([]),
});

const pageSchema = z.object({ items: z.array(z.unknown()).nullish(), nextPageToken: text });

/** One page. What nobody's account did, and what cannot be read, is left out. */
export function processReports(
  asked: Asked,
  answer: Answer,
  now: Instant,
  source: string,
  of: string,
): { readonly told: readonly Told[]; readonly next?: string } {
  if (answer.status !== 200) throw failure(asked, answer, now);
  const read = pageSchema.safeParse(jsonOf(answer));
  if (!read.success) throw malformed(asked, 'not what the API describes');
  const { items, nextPageToken } = read.data;
  const told = (items ?? []).flatMap((value): readonly Told[] => {
    const item = itemSchema.safeParse(value).data;
    const id = item?.actor?.profileId;
    if (item === undefined || id == null || !ID_PATTERN.test(id)) return [];
    const who = { directory: asked.directory, id };
    return item.events.map((event, i) => ({ activity: activityOf(item, event, i, source, of), who }));
  });
  return nextPageToken ? { told, next: nextPageToken } : { told };
}

type Item = z.output<typeof itemSchema>;

function activityOf(item: Item, event: Item['events'][number], i: number, source: string, of: string): Activity {
  const said = new Map((event.parameters ?? []).map((one) => [one.name ?? '', textOf(one)]));
  const first = (...names: readonly string[]) => names.map((one) => said.get(one)).find((one) => one) ?? '';
  return {
    source,
    uid: `${of}/${item.id.time}/${item.id.uniqueQualifier}/${i}`,
    at: Date.parse(item.id.time),
    action: event.name,
    kind: kindOf(of, event.name, said),
    account: cut(item.actor?.email ?? item.actor?.profileId ?? '', 320),
    outcome: event.name === 'login_failure' || first('result') === 'FAILURE' ? 'failure' : 'success',
    resource: cut(first('APPLICATION_NAME', 'app_name', 'doc_title', 'GROUP_EMAIL', 'SETTING_NAME') || of, 200),
    target: cut(first('USER_EMAIL', 'target_user', 'doc_id', 'client_id', 'ROLE_NAME'), 500),
    ip: cut(item.ipAddress ?? '', 64),
    country: '',
    device: cut(first('device_id', 'DEVICE_ID'), 200),
    amount: of === 'drive' && (event.name === 'download' || event.name === 'copy') ? 1 : 0,
  };
}

function textOf({ value, intValue, boolValue }: z.output<typeof parameter>): string {
  return value ?? (intValue == null ? undefined : String(intValue)) ?? (boolValue == null ? '' : String(boolValue));
}

const ADMIN_KINDS: readonly (readonly [RegExp, ActivityKind])[] = [
  [/^(?:GRANT_(?:DELEGATED_)?ADMIN_PRIVILEGES?|ASSIGN_ROLE|ADD_PRIVILEGE|CREATE_ROLE)$/, 'privilege'],
  [/^(?:AUTHORIZE_API_CLIENT_ACCESS|ADD_APPLICATION_TO_WHITELIST|GENERATE_.*KEY)/, 'credential'],
  [
    /^(?:UNENROLL_USER_FROM_STRONG_AUTH|TURN_OFF_2_STEP_VERIFICATION|REVOKE_SECURITY_KEY|USER_ENROLLED_IN_TWO_STEP_VERIFICATION_OFF)$/,
    'factor',
  ],
  [/(?:DOWNLOAD|EXPORT|TAKEOUT)/, 'export'],
  [/^(?:DELETE|REMOVE|REVOKE)_/, 'delete'],
  [/(?:SETTING|POLICY|RULE|ALLOW|ENFORCE|TOGGLE|TRUSTED_DOMAIN)/, 'policy'],
  [/^(?:CREATE|ADD|CHANGE|UPDATE|RENAME|MOVE)_/, 'write'],
];

const STRONG_AUTH: ReadonlySet<string> = new Set(['ENFORCE_STRONG_AUTHENTICATION', 'ALLOW_STRONG_AUTHENTICATION']);

const DRIVE_KINDS: Readonly<Record<string, ActivityKind>> = {
  view: 'read',
  preview: 'read',
  download: 'read',
  copy: 'read',
  edit: 'write',
  create: 'write',
  upload: 'write',
  rename: 'write',
  move: 'write',
  trash: 'delete',
  delete: 'delete',
  change_document_visibility: 'policy',
  change_user_access: 'policy',
};

function kindOf(of: string, name: string, said: ReadonlyMap<string, string>): ActivityKind {
  switch (of) {
    case 'login':
      return name === '2sv_disable' ? 'factor' : 'login';
    case 'token':
      return name === 'authorize' ? 'credential' : 'other';
    case 'drive':
      return DRIVE_KINDS[name] ?? 'other';
    default:
      if (STRONG_AUTH.has(name) && said.get('NEW_VALUE') === 'false') return 'factor';
      return ADMIN_KINDS.find(([pattern]) => pattern.test(name))?.[1] ?? 'other';
  }
}

function cut(value: string, max: number): string {
  return value.length <= max ? value : [...value.slice(0, max)].join('');
}
