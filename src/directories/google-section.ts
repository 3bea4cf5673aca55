/** The section of `hallpass.yaml` that describes a Google Workspace or Cloud Identity account. */
import { createPrivateKey } from 'node:crypto';
import { z } from 'zod';
import { driftKeys } from './drift-section.ts';
import { isAddress, lag } from './section.ts';

const text = (description: string) => z.string().min(1).describe(description);

export const googleSection = z
  .strictObject({
    type: z.literal('google').describe('This directory is a Google Workspace or Cloud Identity account.'),
    auth: z
      .union([
        z
          .literal('adc')
          .describe(
            'Application Default Credentials: the metadata server, or what GOOGLE_APPLICATION_CREDENTIALS names.',
          ),
        z
          .strictObject({
            keyFile: text('JSON key file of a service account.').optional(),
            key: text('The JSON key itself, instead of keyFile.').optional(),
            subject: z
              .email()
              .optional()
              .describe('An administrator to act as, by domain-wide delegation. Left out: the service account itself.'),
          })
          .refine(
            (auth) => (auth.keyFile === undefined) !== (auth.key === undefined),
            'needs keyFile or key, one of them',
          ),
      ])
      .describe('How Hallpass signs in to Google: adc, or the key of a service account.'),
    rootUrl: z
      .string()
      .refine((value) => isAddress(value, 'loopback'), 'must be http:// or https:// on loopback, without a path')
      .optional()
      .describe('A local server that stands in for Google, for tests. Loopback only.'),
    nativeExpiry: z
      .boolean()
      .optional()
      .describe(
        'true: Google ends each membership by itself five minutes after Hallpass should have, for when nothing of Hallpass runs. Needs an edition that has it, and Google mails the owners of the group. Default false.',
      ),
    lag: lag('10s'),
    ...driftKeys,
  })
  .describe('A Google Workspace or Cloud Identity account whose groups Hallpass fills and empties.');

export type GoogleSection = z.output<typeof googleSection>;

export interface ServiceAccountKey {
  readonly email: string;
  readonly pem: string;
  readonly keyId?: string;
}

const keySchema = z.object({
  type: z.literal('service_account'),
  client_email: z.string().min(1),
  private_key: z.string().min(1),
  private_key_id: z.string().optional(),
});

/** The key in a JSON key file, or what is wrong with it, in words that quote nothing of it. */
export function serviceAccountKey(json: string): ServiceAccountKey | { readonly wrong: string } {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    return { wrong: 'this is not the JSON key of a service account' };
  }
  const parsed = keySchema.safeParse(value);
  if (!parsed.success) {
    const type = z.object({ type: z.string() }).safeParse(value).data?.type;
    return type === undefined || type === 'service_account'
      ? { wrong: 'this is not the JSON key of a service account' }
      : { wrong: 'this credential is not the key of a service account; use auth: adc for other kinds' };
  }
  const { client_email: email, private_key: pem, private_key_id: keyId } = parsed.data;
  try {
    createPrivateKey(pem);
  } catch {
    return { wrong: 'the private_key in it is not a private key in PEM form' };
  }
  return keyId === undefined ? { email, pem } : { email, pem, keyId };
}
