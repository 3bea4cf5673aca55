/** The shapes of what responders do, and of what those who answer for access look at. */
import { z } from '@hono/zod-openapi';
import { cursor, SENT_MAX } from './schemas.ts';

const text = z.string();
const instant = z.iso.datetime();
const duration = z.string().max(40);

/** Whom or what: everything, one resource with its parts, or one person by email. */
export const scope = z
  .union([
    z.strictObject({ all: z.literal(true) }),
    z.strictObject({ resource: z.string().min(1).max(200) }),
    z.strictObject({ person: z.email().max(320) }),
  ])
  .openapi('Scope');

export const heldScope = z
  .object({ kind: z.enum(['all', 'resource', 'person']), name: text.describe('In words.') })
  .openapi('HeldScope');

// ------------------------------------------------------------------------------------------------------- revocations

export const newRevocation = z
  .strictObject({
    scope,
    grantedWithin: duration.optional().describe('Only what was approved in the last 2h, 30m, ….'),
    except: z.array(z.email().max(320)).max(50).optional().describe('People whose access stays, by email.'),
    reason: z.string().max(SENT_MAX),
  })
  .openapi('NewRevocation');

export const revocation = z
  .object({
    id: text,
    state: z
      .enum(['previewed', 'running', 'done'])
      .describe('`previewed`: nothing is ended; confirm it within 10 minutes. `done`: each of them is proven over.'),
    scope: heldScope,
    except: z.array(text).describe('Names of those whose access stays.'),
    reason: text,
    by: text,
    createdAt: instant,
    confirmedAt: instant.optional(),
    doneAt: instant.optional(),
    total: z.int().describe('Grants that it ends.'),
    over: z.int().describe('Of those, proven over.'),
    grants: z.array(z.object({ id: text, holder: text, entitlement: text, state: text })),
    more: z.boolean().describe('There was more in its scope than one revocation takes: revoke again.'),
  })
  .openapi('Revocation');

export const revocationParam = z.object({
  id: z
    .string()
    .regex(/^[0-9a-f]{8,64}$/, 'must be the id of a revocation')
    .openapi({ param: { name: 'id', in: 'path' } }),
});

// ----------------------------------------------------------------------------------------------------------- freezes

export const newFreeze = z.strictObject({ scope, reason: z.string().max(SENT_MAX) }).openapi('NewFreeze');
export const lift = z.strictObject({ scope }).openapi('Lift');

export const freeze = z
  .object({
    scope: heldScope,
    reason: text,
    by: text,
    at: instant,
    liftedAt: instant.optional(),
    liftedBy: text.optional(),
  })
  .openapi('Freeze');

export const frozen = z
  .object({
    did: z.enum(['frozen', 'unfrozen']),
    freeze,
    withdrawn: z.int().describe('Requests that waited.'),
    stopped: z.int().describe('Additions that were not sent yet.'),
  })
  .openapi('Frozen');

export const freezes = z.object({ items: z.array(freeze) }).openapi('Freezes');

// ----------------------------------------------------------------------------------------------------------- reviews

export const review = z
  .object({
    id: text,
    state: z.enum(['open', 'signed_off', 'questioned']),
    why: z.enum(['break_glass', 'policy']),
    grantId: text,
    requestId: text,
    holder: z.object({ name: text }),
    entitlement: text,
    reason: text,
    createdAt: instant,
    dueAt: instant,
    decidedAt: instant.optional(),
    decidedBy: text.optional(),
    note: text.optional(),
    title: text,
    headline: text,
    lines: z.array(text).describe('What is to be signed off, as people are shown it.'),
  })
  .openapi('Review');

export const reviews = z.object({ items: z.array(review) }).openapi('Reviews');

export const verdict = z
  .strictObject({ verdict: z.enum(['sign_off', 'question']), note: z.string().max(SENT_MAX).optional() })
  .openapi('Verdict');

// ---------------------------------------------------------------------------------------------------------- activity

const activity = z.object({
  source: text,
  at: instant,
  action: text,
  kind: text,
  account: text,
  outcome: z.enum(['success', 'failure']),
  resource: text,
  target: text,
  amount: z.int(),
});

export const finding = z
  .object({
    id: text,
    state: z.enum(['open', 'asked', 'explained', 'dismissed', 'revoked']),
    rule: text,
    title: text,
    level: z.enum(['low', 'medium', 'high', 'critical']),
    grantId: text,
    requestId: text,
    holder: z.object({ name: text }),
    entitlement: text,
    count: z.int(),
    firstAt: instant,
    lastAt: instant,
    explanation: text.optional(),
    closedBy: text.optional(),
    closedAt: instant.optional(),
    note: text.optional(),
  })
  .openapi('Finding');

export const findings = z.object({ items: z.array(finding) }).openapi('Findings');

export const grantActivity = z
  .object({
    total: z.int().describe('Of all that was seen, also of what is forgotten by now.'),
    outside: z.int().describe('Of those, with something else than what the grant is for.'),
    after: z.int().describe('Of those, when the access should have been gone.'),
    firstAt: instant.optional(),
    lastAt: instant.optional(),
    items: z.array(activity.extend({ fit: z.enum(['within', 'outside', 'after']) })).describe('The newest hundred.'),
    findings: z.array(finding),
  })
  .openapi('GrantActivity');

// ------------------------------------------------------------------------------------------------------------- trail

export const auditEvent = z
  .object({
    seq: z.int(),
    at: instant,
    kind: text.openapi({ example: 'grant.expired' }),
    actor: z.object({
      kind: z.enum(['person', 'account', 'operator', 'hallpass']),
      id: text.optional(),
      name: text.optional(),
      via: z.object({ kind: text, session: text }).optional(),
    }),
    requestId: text.optional(),
    grantId: text.optional(),
    membership: z.object({ directory: text, groupId: text, userId: text }).optional(),
    detail: z.record(text, z.unknown()),
    personal: z.record(text, text).optional().describe('Texts from and about people, as far as they are still kept.'),
    prevHash: text,
    hash: text.describe('Of the canonical text, chained to the event before.'),
  })
  .openapi('AuditEvent');

export const auditPage = z
  .object({
    items: z.array(auditEvent),
    next: text.describe('The `cursor` to go on from; also where there is nothing more yet.'),
    more: z.boolean(),
  })
  .openapi('AuditPage');

export const auditQuery = z.object({
  cursor,
  limit: z.coerce.number().int().min(1).max(500).default(100),
});

// ------------------------------------------------------------------------------------------------------- directories

export const directories = z
  .object({
    items: z.array(
      z.object({
        name: text,
        state: z.enum(['answers', 'fails', 'unknown']),
        error: text.optional(),
        failing: z.int().describe('Removals in it that have failed at least once.'),
      }),
    ),
    removals: z
      .array(z.object({ directory: text, group: text, login: text, failures: z.int(), error: text.optional() }))
      .describe('Owed and not proven, the worst first.'),
    more: z.boolean().describe('More removals are owed than are listed.'),
  })
  .openapi('Directories');
