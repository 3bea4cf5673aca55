/** The sections of `hallpass.yaml` that say where activity comes from, and which of it belongs to what. */
import { z } from 'zod';
import { parseDuration } from '../access/grammar.ts';

const name = z
  .string()
  .regex(/^[A-Za-z][A-Za-z0-9_-]{0,62}$/, 'must be a name of letters, digits, - and _ that begins with a letter');

const duration = z
  .string()
  .refine((value) => parseDuration(value) !== undefined, 'must be a duration such as 30m, 24h or 90d');

const late = duration
  .optional()
  .describe('An activity that comes in later than this after it happened is not taken. Default 24h, for google 72h.');

export const REPORTS = ['admin', 'login', 'token', 'drive'] as const;

const oktaSource = z
  .strictObject({
    type: z.literal('okta').describe("An Okta organisation's System Log."),
    directory: name.describe('One of `directories`, of type okta; read with its credential.'),
    late,
  })
  .describe('The System Log of an Okta directory.');

const googleSource = z
  .strictObject({
    type: z.literal('google').describe("Google's Reports API."),
    directory: name.describe('One of `directories`, of type google; read with its credential.'),
    applications: z
      .array(z.enum(REPORTS))
      .min(1, 'name a report, or leave it out')
      .optional()
      .describe('Which reports are read. Default all: admin, login, token and drive.'),
    late,
  })
  .describe('The reports of a Google directory.');

const SECRET_MIN = 16;

const ingestSource = z
  .strictObject({
    type: z.literal('ingest').describe('Activity that is sent to POST /api/v1/activity.'),
    secret: z
      .string()
      .min(SECRET_MIN, `must have at least ${SECRET_MIN} characters`)
      .describe('Whoever sends signs with it; from the environment.'),
    late,
  })
  .describe('A database, a bastion, a cluster or a forwarder of logs that sends what people did.');

const source = z.discriminatedUnion('type', [oktaSource, googleSource, ingestSource]);

export const activitySection = z
  .record(name, source)
  .describe('Where it is read what people did with their access, by name.');

export type ActivitySourceSection = z.output<typeof source>;

const EXPRESSION_MAX = 2_000;

const own = z
  .strictObject({
    source: name.describe('One of `activity`.'),
    match: z
      .string()
      .min(1)
      .max(EXPRESSION_MAX)
      .optional()
      .describe('A condition in CEL over `activity`: which of it is done with this access. Left out: all of it.'),
  })
  .describe('What is done with this access, as one source tells it.');

export const ownActivity = z
  .union([own, z.array(own).min(1).max(5)])
  .describe('Which activity is done with this access. Left out: nothing is looked at.');

export type OwnActivitySection = z.output<typeof ownActivity>;

export const aliasesSection = z
  .record(
    z.email(),
    z
      .array(
        z
          .string()
          .min(1)
          .max(200)
          .regex(/^[^/]+$/, 'must be the name of an account, without /'),
      )
      .min(1)
      .max(50),
  )
  .describe('Other names that sources know people by, by their email: `ana@acme.com: [ ana_ro ]`.');

export const retentionSection = z
  .strictObject({
    activity: duration
      .optional()
      .describe('How long single activities are kept; counts and findings stay. Default 90d.'),
  })
  .describe('How long what is recorded is kept. The audit trail is not part of it.');
