/** The section of `hallpass.yaml` that describes an Okta organisation. */
import { z } from 'zod';
import { driftKeys } from './drift-section.ts';
import { isAddress, lag } from './section.ts';

const text = (description: string) => z.string().min(1).describe(description);

export const oktaSection = z
  .strictObject({
    type: z.literal('okta').describe('This directory is an Okta organisation.'),
    url: z
      .string()
      .refine(
        (value) => isAddress(value, 'anywhere'),
        'must be an https:// address without a path (http:// only on loopback)',
      )
      .describe("The organisation's address, https://acme.okta.com; not the one of the admin console."),
    auth: z
      .union([
        z.strictObject({
          token: text('API token; acts as the administrator who made it, and dies with that account or its role.'),
        }),
        z
          .strictObject({
            clientId: text('Client id of a service app (API Services) that signs in with a private key.'),
            keyFile: text('File with the private key in PEM form: RSA, or EC P-256.').optional(),
            key: text('The private key itself in PEM form, instead of keyFile.').optional(),
            keyId: text('The kid under which Okta knows the public key; needed when the app has several.').optional(),
            scopes: z
              .array(z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]+$/))
              .min(1)
              .describe('Scopes to ask for; default okta.groups.manage and okta.users.read.')
              .optional(),
          })
          .refine(
            (auth) => (auth.keyFile === undefined) !== (auth.key === undefined),
            'needs keyFile or key, one of them',
          ),
      ])
      .describe('How Hallpass signs in to Okta: an API token, or a service app with a private key (better).'),
    clearSessionsOnRevoke: z
      .boolean()
      .optional()
      .describe(
        'true: whoever has access revoked is also signed out of Okta, and the OpenID Connect and OAuth tokens that it gave them end. Needs the scope okta.users.manage. Default false.',
      ),
    lag: lag('2s'),
    ...driftKeys,
  })
  .describe('An Okta organisation whose groups Hallpass fills and empties.');

export type OktaSection = z.output<typeof oktaSection>;
