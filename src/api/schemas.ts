/**
 * The shapes of the API: one schema for each, from which come the check of what is sent, the types, and the OpenAPI
 * document. Instants are RFC 3339 in UTC, lengths are seconds. Every text from a person is raw.
 */
import { z } from '@hono/zod-openapi';

const instant = z.iso.datetime().openapi({ example: '2026-03-10T21:00:00.000Z' });
const seconds = z.int().min(0);
const text = z.string();

/** How a request or a grant is named; a grant shares its request's letters. */
export const idParam = z.object({
  id: z
    .string()
    .max(20)
    .regex(/^[RGrg]-[0-9A-Za-z]{4,6}$/, 'must be an id such as R-7KQ2 or G-7KQ2')
    .openapi({ param: { name: 'id', in: 'path' }, example: 'R-7KQ2' }),
});

export const onceHeader = z.object({
  'idempotency-key': z
    .string()
    .regex(/^[\x21-\x7e]{1,200}$/, 'must be 1 to 200 visible ASCII characters')
    .optional()
    .describe('Sent again with the same key within 24 hours, the command is answered as it was the first time.'),
});

export const problem = z
  .object({
    type: z.string().openapi({ example: 'urn:hallpass:problem:already_pending' }),
    title: z.string().describe('What is wrong, in one sentence.'),
    status: z.int(),
    detail: z.string().describe('What to do instead.'),
    code: z.string().describe('Stable; for programs.'),
    requestId: z.string().optional(),
    grantId: z.string().optional(),
    link: z.url().optional().describe('Where the person proves who they are, with `proof_needed`.'),
    errors: z
      .array(z.object({ path: z.string().describe('`body.reason`, `query.cursor`, …'), message: z.string() }))
      .optional()
      .describe('What does not fit the schema, all of it.'),
  })
  .openapi('Problem');

// ----------------------------------------------------------------------------------------------------- what is shown

const incident = z.object({ id: text, title: text, url: text.optional() });

export const membership = z
  .object({
    directory: text,
    group: text,
    standing: z
      .enum([
        'adding',
        'maybe_added',
        'added',
        'seen',
        'already_there',
        'refused',
        'not_added',
        'removing',
        'removed',
        'checked',
        'still_held',
        'group_gone',
        'user_gone',
        'directory_gone',
        'adopted',
      ])
      .describe(
        '`maybe_added`: the answer was lost. `seen`: read back. `removed`: accepted, not checked yet. `checked`: read back and gone. `already_there`: permanent, never ours to remove.',
      ),
    at: instant.optional().describe('When that became so.'),
    failures: z.int().describe('In a row, of what is owed now.'),
    error: text.optional(),
  })
  .openapi('Membership');

export const grant = z
  .object({
    id: text.openapi({ example: 'G-7KQ2' }),
    requestId: text.openapi({ example: 'R-7KQ2' }),
    state: z.enum(['adding', 'active', 'ending', 'ended']),
    holder: z.object({ name: text }),
    entitlement: text.openapi({ example: 'db-prod:read' }),
    checked: z
      .boolean()
      .describe('Every membership was read back as this state wants it: there while it is live, gone once it ended.'),
    startsAt: instant.optional(),
    expiresAt: instant.optional().describe('Fixed with the first addition.'),
    addBy: instant.describe('Not added by then: given up.'),
    hardEndAt: instant.describe('The end that holds whatever happens.'),
    endingAt: instant.optional(),
    endedAt: instant.optional(),
    endReason: z.enum(['expired', 'revoked', 'returned', 'abandoned', 'removed_outside']).optional(),
    endedBy: text.optional(),
    endNote: text.optional(),
    sessionsUntil: instant.optional().describe('Sessions already open may last until then.'),
    memberships: z.array(membership),
    pendingExtension: z.object({ requestId: text, until: instant }).optional(),
  })
  .openapi('Grant');

const approval = z.object({
  by: text,
  at: instant,
  durationSeconds: seconds.optional().describe('For less than was asked.'),
});

const stage = z.object({ by: z.array(text), needed: z.int(), given: z.array(text) });

export const accessRequest = z
  .object({
    id: text.openapi({ example: 'R-7KQ2' }),
    state: z.enum(['pending', 'approved', 'denied', 'cancelled', 'lapsed', 'withdrawn']),
    requester: z.object({ name: text }),
    pipeline: z
      .object({ text, url: text.optional() })
      .optional()
      .describe('The pipeline that asked, for the requester, and where its run can be looked at.'),
    resource: text.openapi({ example: 'db-prod' }),
    role: text.openapi({ example: 'read' }),
    entitlement: text.openapi({ example: 'db-prod:read' }),
    title: text,
    groups: z.array(z.object({ directory: text, group: text })),
    durationSeconds: seconds,
    reason: text,
    ticket: z.object({ key: text, url: text.optional() }).optional(),
    link: text.optional(),
    policy: text,
    approvalsNeeded: z.int(),
    approvals: z.array(approval),
    confirming: z.array(text).optional().describe('Names of approvers who have yet to prove who they are.'),
    approvedSeconds: seconds.optional().describe('Where somebody approved less than was asked: the shortest.'),
    automatic: text.optional().describe('The condition that approved it; absent when people do.'),
    breakGlass: z.boolean(),
    incident: incident.optional().describe('The access ends with it.'),
    stages: z.array(stage).optional(),
    waiting: z
      .object({
        stage: z.int().describe('From 1.'),
        by: z.array(text),
        asked: z.array(text).describe('Names of the people found to be asked.'),
        next: z.object({ to: z.array(text), at: instant }).optional(),
        failed: z.array(text).describe('Of `by`, those that could not be looked up.'),
      })
      .optional(),
    denial: z.object({ by: text, at: instant, reason: text.optional() }).optional(),
    createdAt: instant,
    lapsesAt: instant,
    decidedAt: instant.optional(),
    closedBy: text.optional(),
    closedNote: text.optional(),
    extension: z
      .object({ grantId: text, from: instant, until: instant })
      .optional()
      .describe('It asks for more time on this grant.'),
    grant: grant.optional(),
    card: text
      .optional()
      .describe('What an approval has to carry: it stands for what is shown here. Only for people who may answer.'),
    headline: text.describe('What holds now and what happens next, in words.'),
    notes: z.array(text).optional().describe('What else holds there, such as a freeze.'),
  })
  .openapi('AccessRequest');

export const outcome = z
  .object({
    did: z.enum([
      'requested',
      'extension_requested',
      'approval_recorded',
      'approved',
      'denied',
      'cancelled',
      'returned',
      'revoked',
      'adopted',
    ]),
    request: accessRequest,
    asked: z.array(text).optional().describe('Names of the people now asked.'),
  })
  .openapi('Outcome');

export const waited = z
  .object({
    reached: z.boolean(),
    final: z.boolean().describe('It will not be reached any more, or was: there is no use in waiting again.'),
    request: accessRequest,
  })
  .openapi('Waited');

export const me = z
  .object({
    person: z.object({ id: text, name: text, email: text }),
    session: z.object({
      id: text,
      kind: z.enum(['web', 'cli', 'token', 'workload']),
      label: text.optional(),
      scopes: z.array(text).describe('Empty for a person who is signed in: they may do whatever they may.'),
      expiresAt: instant,
    }),
    zone: text.describe('The IANA zone of times in `headline`s.'),
  })
  .openapi('Me');

export function pageOf<T extends z.ZodType>(item: T, name: string) {
  return z
    .object({
      items: z.array(item),
      next: z.string().optional().describe('The `cursor` of the next page; absent on the last.'),
    })
    .openapi(name);
}

export const requestPage = pageOf(accessRequest, 'AccessRequestPage');
export const grantPage = pageOf(grant, 'GrantPage');

// ------------------------------------------------------------------------------------------------------ what is sent

/** Longer than any reason or note that is taken, so that what is too long is refused by its own code. */
export const SENT_MAX = 5_000;
const NAME_MAX = 200;

const reason = z.string().max(SENT_MAX);
const duration = z.string().max(40).openapi({ example: '30m' }).describe('45s, 30m, 1h30m, 2d.');

export const newRequest = z
  .strictObject({
    resource: z.string().min(1).max(NAME_MAX).openapi({ example: 'db-prod' }),
    role: z.string().min(1).max(NAME_MAX).optional().describe('Left out: the resource’s default.'),
    duration: duration.optional().describe('45s, 30m, 1h30m, 2d. Left out: the policy’s default.'),
    reason: reason.openapi({ example: 'fix the stuck migration' }),
  })
  .openapi('NewRequest');

export const approve = z
  .strictObject({
    card: z.string().min(1).max(NAME_MAX).describe('From the request as you were shown it.'),
    duration: duration.optional().describe('For less than was asked. Left out: for all of it.'),
  })
  .openapi('Approve');

export const deny = z.strictObject({ reason: reason.optional() }).openapi('Deny');

export const extend = z
  .strictObject({
    duration: duration.optional().describe('How much more. Left out: the policy’s default.'),
    reason: reason.optional(),
  })
  .openapi('Extend');

export const because = z.strictObject({ reason }).openapi('Because');

export const cursor = z
  .string()
  .max(200)
  .regex(/^[A-Za-z0-9_-]+$/, 'must be the `next` of an answer')
  .optional()
  .describe('`next` of the page before.');

export const requestQuery = z.object({
  which: z
    .enum(['mine', 'pending', 'active'])
    .default('mine')
    .describe('`pending`, `active`: everybody’s, as far as you may see them.'),
  cursor,
});

export const pageQuery = z.object({ cursor });

export const waitQuery = z.object({
  until: z
    .enum(['decided', 'active', 'ended'])
    .describe('`active`: added and seen in the directory. `ended`: removed and checked.'),
  timeout: z.coerce.number().int().min(1).max(60).default(30).describe('In seconds.'),
});

// ---------------------------------------------------------------------------------------------------------- sessions

export const workloadParam = z.object({
  name: z
    .string()
    .max(63)
    .openapi({ param: { name: 'name', in: 'path' }, example: 'deploy' })
    .describe('Of the configuration’s `workloads`.'),
});

export const workloadSession = z
  .object({
    token: text.describe('The bearer token for everything else. Shown here and nowhere again.'),
    expiresAt: instant,
    person: text.describe('The service person, who is put into the groups.'),
    workload: text,
    run: text,
    onBehalfOf: text.optional().describe('Who set the job off, and counts as requester besides.'),
  })
  .openapi('WorkloadSession');

export const deviceBegin = z
  .strictObject({
    label: z.string().min(1).max(NAME_MAX).describe('What the device calls itself; shown to whoever confirms it.'),
  })
  .openapi('DeviceBegin');

export const deviceCodes = z
  .object({
    device_code: text,
    user_code: text.openapi({ example: 'WDJK-3M7P' }),
    verification_uri: text,
    verification_uri_complete: text,
    expires_in: z.int().describe('In seconds.'),
    interval: z.int().describe('Ask no oftener than every so many seconds.'),
  })
  .openapi('DeviceCodes');

export const deviceToken = z
  .strictObject({
    grant_type: z.string().max(NAME_MAX).openapi({ example: 'urn:ietf:params:oauth:grant-type:device_code' }),
    device_code: z.string().min(1).max(NAME_MAX),
  })
  .openapi('DeviceTokenRequest');

export const deviceSession = z
  .object({
    access_token: text,
    token_type: z.literal('Bearer'),
    expires_in: z.int().describe('In seconds.'),
    person: text,
  })
  .openapi('DeviceSession');

export const deviceError = z
  .object({
    error: z.enum(['authorization_pending', 'slow_down', 'access_denied', 'expired_token', 'unsupported_grant_type']),
  })
  .openapi('DeviceError');

export type WorkloadSession = z.output<typeof workloadSession>;
export type DeviceCodes = z.output<typeof deviceCodes>;
export type DeviceSession = z.output<typeof deviceSession>;
export type DeviceError = z.output<typeof deviceError>;
export type Problem = z.output<typeof problem>;
export type Grant = z.output<typeof grant>;
export type AccessRequest = z.output<typeof accessRequest>;
export type Outcome = z.output<typeof outcome>;
export type Waited = z.output<typeof waited>;
export type Me = z.output<typeof me>;
export type RequestPage = z.output<typeof requestPage>;
export type NewRequest = z.input<typeof newRequest>;
export type WaitQuery = z.output<typeof waitQuery>;
