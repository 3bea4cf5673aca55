/** The `audit` section of the file: the key of the checkpoints, and who else is told. */
import { z } from 'zod';
import { EXPORT_FORMATS } from './export.ts';

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

const file = z.strictObject({
  type: z.literal('file').describe('Appends to a file.'),
  path: z.string().min(1).describe('Relative to the configuration file.'),
});
const webhook = z.strictObject({
  type: z.literal('webhook').describe('POST to an address.'),
  url: address.describe('Must answer 2xx; anything else is tried again.'),
  token: z.string().min(1).optional().describe('Sent as `Authorization: Bearer …`; give it from the environment.'),
});
const bucket = z.strictObject({
  type: z.literal('s3').describe('Writes objects that nobody can overwrite or delete before their time (Object Lock).'),
  bucket: z
    .string()
    .regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, 'must be the name of a bucket')
    .describe('Made with Object Lock.'),
  region: z
    .string()
    .regex(/^[a-z0-9-]{2,40}$/, 'must be a region such as eu-central-1')
    .describe('Of the bucket.'),
  endpoint: address.optional().describe('Of another store that speaks S3. Default: that of AWS in the region.'),
  prefix: z
    .string()
    .regex(/^(?:[A-Za-z0-9_.=-]+\/)*$/, 'must be names, each with a / after it')
    .optional()
    .describe('In front of the names of the objects. Default hallpass/.'),
  keyId: z.string().min(1).describe('Of a credential that may put objects and nothing else.'),
  secret: z.string().min(1).describe('Its secret; give it from the environment.'),
  retainDays: z
    .int()
    .min(1)
    .max(36_500)
    .describe('How long an object is kept, whatever happens. It cannot be shortened later.'),
});
const format = z.enum(EXPORT_FORMATS).optional().describe('Default jsonl.');

export const auditSection = z
  .strictObject({
    keyFile: z
      .string()
      .min(1)
      .optional()
      .describe(
        'The private key that signs checkpoints (Ed25519, PEM), relative to this file; made at the first start. HALLPASS_AUDIT_KEY goes before it. Default hallpass-audit.pem.',
      ),
    anchors: z
      .record(name, z.discriminatedUnion('type', [file, webhook, bucket]))
      .optional()
      .describe('Where signed ends of the chain are noted outside the database.'),
    sinks: z
      .record(
        name,
        z.discriminatedUnion('type', [
          file.extend({ format }),
          webhook.extend({ format }),
          z.strictObject({ type: z.literal('stdout').describe('Writes to stdout.'), format }),
        ]),
      )
      .optional()
      .describe('Who is told every event, in order and at least once, by a name under which the place is remembered.'),
  })
  .describe('The trail: how it is signed, and who else is told.');

export type AuditSection = z.output<typeof auditSection>;
export type AnchorSection = NonNullable<AuditSection['anchors']>[string];
export type BucketSection = Extract<AnchorSection, { readonly type: 's3' }>;
export type SinkSection = NonNullable<AuditSection['sinks']>[string];
