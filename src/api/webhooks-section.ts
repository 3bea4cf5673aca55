/** The `webhooks` section of the file: who is told what becomes of requests and grants. */
import { z } from 'zod';

/** Events of the trail that are told, under the names they have there. */
export const WEBHOOK_EVENTS = [
  'request.made',
  'extension.requested',
  'approval.given',
  'request.approved',
  'request.denied',
  'request.cancelled',
  'request.lapsed',
  'request.withdrawn',
  'break_glass.used',
  'grant.started',
  'grant.activated',
  'grant.extended',
  'grant.expired',
  'grant.revoked',
  'grant.returned',
  'grant.abandoned',
  'grant.removed_outside',
  'grant.ended',
] as const;

const name = z
  .string()
  .regex(/^[A-Za-z][A-Za-z0-9_-]{0,62}$/, 'must be a name of letters, digits, - and _ that begins with a letter');

/** On this machine http is fine: nobody is on the way. */
const address = z
  .url({ protocol: /^https?$/, error: 'must be an https:// address' })
  .refine(
    (value) => /^https:/.test(value) || /^http:\/\/(?:127\.0\.0\.1|localhost|\[::1\])(?::|\/|$)/.test(value),
    'must be https:// (http:// only on this machine)',
  );

const KEY_BYTES = { min: 24, max: 64 } as const;

/** The key that a Standard Webhooks secret stands for; absent where it is none. */
export function webhookKey(secret: string): Buffer | undefined {
  const text = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(secret)?.[1];
  const key = text === undefined ? undefined : Buffer.from(text, 'base64');
  return key !== undefined && key.length >= KEY_BYTES.min && key.length <= KEY_BYTES.max ? key : undefined;
}

export const webhooksSection = z
  .record(
    name,
    z
      .strictObject({
        url: address.describe('Must answer 2xx; anything else is tried again. Redirects are not followed.'),
        secret: z
          .string()
          .refine(
            (value) => webhookKey(value) !== undefined,
            `must be whsec_ and ${KEY_BYTES.min} to ${KEY_BYTES.max} bytes in base64`,
          )
          .describe('What it is signed with, as Standard Webhooks has it; from the environment.'),
        events: z
          .array(z.enum(WEBHOOK_EVENTS))
          .min(1, 'name at least one event')
          .describe('Which events are told, by their names in the trail.'),
      })
      .describe('One address that is told.'),
  )
  .describe('Who is told what becomes of requests and grants, in order and at least once.');

export type WebhookSection = z.output<typeof webhooksSection>[string];
