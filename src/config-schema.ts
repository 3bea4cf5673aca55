/** The one schema of `hallpass.yaml`. Each adapter describes its own section; this file puts them together. */
import { z } from 'zod';
import { parseDuration } from './access/grammar.ts';
import type { Subject } from './access/model.ts';
import { isZone } from './access/zone.ts';
import { activitySection, aliasesSection, ownActivity, retentionSection } from './activity/section.ts';
import { webhooksSection } from './api/webhooks-section.ts';
import { auditSection } from './audit/section.ts';
import { TEAMS_ACCOUNT, teamsChannel, teamsSection } from './chat/teams/section.ts';
import { commandSection } from './directories/command-section.ts';
import { googleSection } from './directories/google-section.ts';
import { oktaSection } from './directories/okta-section.ts';
import { googleCalendarSection } from './people/google-calendar.ts';
import { incidentIoSection } from './people/incident-io.ts';
import { incidentIoIncidentsSection } from './people/incident-io-incidents.ts';
import { pagerDutySection } from './people/pagerduty.ts';
import { pagerDutyIncidentsSection } from './people/pagerduty-incidents.ts';
import { slackUserGroupSection } from './people/slack-user-group.ts';
import { staticSection } from './people/static.ts';
import { stepUpSection } from './people/step-up-section.ts';
import { workloadSection } from './people/workload-section.ts';

const name = z
  .string()
  .regex(/^[A-Za-z][A-Za-z0-9_-]{0,62}$/, 'must be a name of letters, digits, - and _ that begins with a letter');

const resourceName = z
  .string()
  .regex(/^[A-Za-z][A-Za-z0-9._/-]{0,62}$/, 'must be a name of letters, digits, - . _ and / that begins with a letter');

const DURATION_FORM = 'must be a duration such as 45s, 30m, 1h30m or 2d';

const duration = z
  .string()
  .regex(/^(?:\d{1,9}[dD])?(?:\d{1,9}[hH])?(?:\d{1,9}[mM])?(?:\d{1,9}[sS])?$/, { error: DURATION_FORM, abort: true })
  .refine((value) => parseDuration(value) !== undefined, DURATION_FORM);

const channel = z
  .string()
  .regex(/^[CG][A-Z0-9]{2,}$/, 'must be the id of a channel (C…, at the end of its details in Slack), not its name');

/** Ids of the two platforms cannot be mistaken for each other. */
export function platformOfChannel(id: string): 'slack' | 'teams' {
  return id.startsWith('19:') ? 'teams' : 'slack';
}

/** What a subject in the file stands for, or why it stands for nothing. */
export function parseSubject(text: string): Subject | { readonly wrong: string; readonly instead?: string } {
  if (text === 'everyone') return { kind: 'everyone' };
  const [, kind, rest] = /^([a-z-]+):(.+)$/.exec(text) ?? [];
  switch (kind) {
    case 'group': {
      const [, directory, group] = /^([^/]+)\/(.+)$/.exec(rest ?? '') ?? [];
      if (directory === undefined || group === undefined)
        return { wrong: 'a group needs its directory', instead: 'group:<directory>/<name>' };
      return { kind: 'group', directory, group };
    }
    case 'on-call':
      return { kind: 'on-call', source: rest ?? '' };
    case 'user':
      return /^[^@\s]+@[^@\s]+$/.test(rest ?? '')
        ? { kind: 'user', email: rest ?? '' }
        : { wrong: 'a user is named by email', instead: 'user:<email>' };
    case 'workload':
      return { kind: 'workload', workload: rest ?? '' };
    default:
      return {
        wrong: 'this stands for nobody',
        instead: 'group:<directory>/<name>, on-call:<name>, user:<email>, workload:<name> or everyone',
      };
  }
}

const subject = z
  .string()
  .superRefine((text, context) => {
    const parsed = parseSubject(text);
    if ('wrong' in parsed)
      context.addIssue({ code: 'custom', message: parsed.wrong, params: { instead: parsed.instead } });
  })
  .describe('group:<directory>/<name>, on-call:<name>, user:<email> or everyone; of requesters also workload:<name>.');

const subjects = z.array(subject);

/** In characters; longer ones are nobody's single thought, and each is judged at every decision. */
const EXPRESSION_MAX = 2_000;

const expression = z.string().min(1).max(EXPRESSION_MAX);

const address = z
  .string()
  .max(500)
  .regex(/^https:\/\/[A-Za-z0-9][A-Za-z0-9.-]*(?::\d{1,5})?(?:[/?#]\S*)?$/, 'must be an https address');

const tag = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._:=/-]{0,62}$/, 'must be a tag of letters, digits and . _ : = / -');
const escalate = z
  .array(
    z
      .strictObject({
        after: duration.describe('How long after the stage began to wait.'),
        to: subjects.min(1, 'a step must name somebody').describe('Who is asked besides, and may answer from then on.'),
      })
      .describe('One step of the ladder.'),
  )
  .min(1, 'a ladder needs at least one step')
  .max(10)
  .describe('Whom it goes to when nobody answers, step by step; at once when there is nobody to ask before.');

const stage = z
  .strictObject({
    approvers: subjects
      .min(1, 'a stage needs approvers')
      .describe('Who may approve in this stage; never the requester.'),
    approvals: z.int().min(1).max(10).optional().describe('How many different people, in this stage. Default 1.'),
    escalate: escalate.optional(),
  })
  .describe('One round of answers; the next begins when it is complete.');

const policy = z
  .strictObject({
    extends: name.optional().describe('Another policy to inherit from; a list given here replaces the inherited one.'),
    requesters: subjects.optional().describe('Who may ask.'),
    approvers: subjects.optional().describe('Who may approve, judged afresh at each click; never the requester.'),
    approvals: z.int().min(1).max(10).optional().describe('How many different people must approve. Default 1.'),
    stages: z
      .array(stage)
      .min(1, 'leave it out, or name a stage')
      .max(5)
      .optional()
      .describe('Rounds of answers in order, in place of `approvers`, `approvals` and `escalate`.'),
    escalate: escalate.optional(),
    proof: z
      .strictObject({
        request: z
          .literal('mfa')
          .optional()
          .describe('Whoever asks confirms it with MFA first, for more time and for break-glass too.'),
        approve: z.literal('mfa').optional().describe('Whoever approves confirms it with MFA first.'),
      })
      .refine(({ request, approve }) => request !== undefined || approve !== undefined, 'leave it out, or say for what')
      .optional()
      .describe('A sign-in at the issuer of `stepUp`, and a click after it. Default: what chat says is enough.'),
    remindEvery: duration
      .optional()
      .describe('Whoever can answer is reminded this often, up to 12 times. Left out: never.'),
    endWithIncident: z
      .boolean()
      .optional()
      .describe(
        'What is asked for while an incident of the resource is open ends soon after it is closed. Default false.',
      ),
    duration: z
      .strictObject({
        default: duration.optional().describe('When none is asked for. Default 30m.'),
        max: duration.optional().describe('The most that a grant may last, extensions included. Default 4h.'),
        perDay: duration
          .optional()
          .describe('The most that a person may hold one role on one day of `timezone`. Default: no such limit.'),
      })
      .optional()
      .describe('How long access lasts.'),
    reason: z
      .strictObject({
        minLength: z.int().min(0).max(500).optional().describe('In characters. Default 10.'),
        pattern: z
          .string()
          .min(1)
          .optional()
          .describe('A regular expression for the ticket that the reason must name; its first group, or all of it.'),
        link: address
          .refine((link) => link.includes('{ticket}'), 'must have {ticket} where the key of the ticket goes')
          .optional()
          .describe('Where such a ticket is read: https://…/{ticket}.'),
      })
      .optional()
      .describe('What the reason must be like.'),
    review: z
      .strictObject({
        by: subjects
          .min(1, 'name who reviews it')
          .describe('Who signs each grant off or questions it; never its holder.'),
        within: duration.optional().describe('By when, counted from the end of the grant. Default 24h.'),
      })
      .optional()
      .describe('The post-access review that each grant owes when it has ended. Default: there is none.'),
    breakGlass: z
      .strictObject({
        by: subjects.min(1, 'name who may use it').describe('Who may take access at once, without approval.'),
        max: duration.describe('The most that such access may last, extensions included.'),
        review: z
          .strictObject({
            by: subjects
              .min(1, 'name who reviews it')
              .describe('Who signs each use off or questions it; never its holder.'),
            within: duration.optional().describe('By when. Default 24h.'),
          })
          .describe('The post-access review that each use owes.'),
        block: z
          .boolean()
          .optional()
          .describe('Whoever has a use that nobody has reviewed may not use it again. Default false.'),
        underFreeze: z
          .boolean()
          .optional()
          .describe('Also while the resource is frozen; never by a person who is. Default false.'),
      })
      .optional()
      .describe('Access without approval, for when waiting costs more than trust. Default: there is none.'),
    maxLive: z.int().min(1).max(100).optional().describe('The most live grants that a person may have under it.'),
    when: expression
      .optional()
      .describe('A condition in CEL. Where it is false, or cannot be judged, nothing is given.'),
    autoApprove: expression.optional().describe('A condition in CEL. Where it is true, nobody needs to approve.'),
    lapseAfter: duration.optional().describe('An unanswered request is over after this. Default 1h.'),
    warnBefore: duration.optional().describe('How long before its end the holder is told. Default 5m.'),
  })
  .describe('Who may ask, who approves, how many of them, and for how long.');

const role = z
  .strictObject({
    grants: z
      .array(
        z
          .strictObject({
            directory: name.describe('One of `directories`.'),
            group: z.string().min(1).describe('The group, by exact name or by id; pinned to its id at first use.'),
            exclusive: z
              .literal(true)
              .optional()
              .describe('The group holds nobody without a grant: whoever else is in it is drift. See `drift`.'),
          })
          .describe('One directory group that confers this role.'),
      )
      .min(1, 'a role must grant at least one group')
      .describe('The groups that the holder is put into, and taken out of again.'),
    policy: name.describe('One of `policies`.'),
    sessionTail: duration.optional().describe('How long sessions already open may outlive the membership.'),
    activity: ownActivity.optional(),
  })
  .describe('A level of access on the resource.');

export const configSchema = z
  .strictObject({
    timezone: z
      .string()
      .refine(isZone, 'must be an IANA time zone such as Europe/Berlin')
      .optional()
      .describe('For times in channels, and for people whose own zone is unknown. Default UTC.'),
    admins: subjects.optional().describe('May see everything, lift a freeze and repair what is stuck.'),
    responders: subjects
      .optional()
      .describe('May revoke and freeze anything; on-call subjects only on resources they approve.'),
    viewers: subjects.optional().describe('May see who holds what.'),
    identity: z
      .strictObject({
        match: z
          .literal('confirmed-email')
          .optional()
          .describe(
            'The workspace enforces SSO, so its confirmed emails may be trusted. Left out: `people` says who is who.',
          ),
      })
      .optional()
      .describe('How a chat account becomes a person.'),
    people: z
      .record(
        z
          .string()
          .regex(
            new RegExp(`^(?:(?:slack:[TE][A-Z0-9]+/)?[UW][A-Z0-9]+|${TEAMS_ACCOUNT})$`),
            'must be a Slack user id (U012ABC or slack:T012ABC/U012ABC) or a Teams account (teams:<tenant id>/<object id>)',
          ),
        z.email().describe('The email or login in the first directory.'),
      )
      .optional()
      .describe('Who an account is, by immutable id; goes before its email.'),
    directories: z
      .record(name, z.discriminatedUnion('type', [oktaSection, googleSection, commandSection]))
      .describe('Where membership lives. The first one also says who people are.'),
    chat: z
      .strictObject({
        slack: z
          .strictObject({
            approvals: channel.describe('Channel in which requests are shown.'),
            security: channel
              .optional()
              .describe('Channel that is told what went wrong. Default: the approvals channel.'),
            workspaces: z
              .array(z.string().regex(/^[TE][A-Z0-9]{1,}$/, 'must be the id of a workspace (T…) or organisation (E…)'))
              .min(1)
              .optional()
              .describe('Workspaces whose people may act. Default: the one of the bot token.'),
          })
          .optional()
          .describe('The Slack workspace.'),
        teams: teamsSection.optional(),
      })
      .optional()
      .describe('Where people ask and answer.'),
    onCall: z
      .record(
        name,
        z.discriminatedUnion('type', [
          staticSection,
          slackUserGroupSection,
          pagerDutySection,
          googleCalendarSection,
          incidentIoSection,
        ]),
      )
      .optional()
      .describe('Who is on call, by a name that policies can use.'),
    incidents: z
      .discriminatedUnion('type', [pagerDutyIncidentsSection, incidentIoIncidentsSection])
      .optional()
      .describe('Where incidents are kept, and which service belongs to which resource.'),
    stepUp: stepUpSection.optional(),
    policies: z.record(name, policy).describe('The rules, by name.'),
    resources: z
      .record(
        resourceName,
        z
          .strictObject({
            title: z.string().min(1).max(100).optional().describe('What people call it. Default: its name.'),
            tags: z.array(tag).max(20).optional().describe('What it is; conditions can ask for it.'),
            link: address.optional().describe('Where people can read about it; https.'),
            owner: subject.optional().describe('Who answers for it.'),
            channel: z
              .union([channel, teamsChannel])
              .optional()
              .describe('Channel for its requests, in Slack or in Teams, instead of `approvals` there.'),
            activity: ownActivity.optional(),
            roles: z.record(name, role).describe('The levels of access that can be asked for.'),
            defaultRole: name.optional().describe('Meant when none is named; may be left out when there is only one.'),
          })
          .describe('A system people ask for.'),
      )
      .describe('What can be asked for, by name.'),
    workloads: z
      .record(name, workloadSection)
      .optional()
      .describe('Pipelines that may ask for access, by a name that policies can use.'),
    webhooks: webhooksSection.optional(),
    activity: activitySection.optional(),
    aliases: aliasesSection.optional(),
    retention: retentionSection.optional(),
    findings: z
      .strictObject({
        folder: z
          .string()
          .min(1)
          .optional()
          .describe('Folder with detection rules of your own, by the place of this file.'),
        channel: z
          .union([channel, teamsChannel])
          .optional()
          .describe('Where findings are told. Default: the security channel of each platform.'),
      })
      .optional()
      .describe('What detection rules flag in the activity. Ours are always judged.'),
    audit: auditSection.optional(),
    digest: z
      .strictObject({
        at: z
          .string()
          .regex(/^(?:[01]\d|2[0-3]):[0-5]\d$/, "must be a time of day in quotes, such as '09:00'")
          .optional()
          .describe("When it is posted each day, in `timezone`. Default '09:00'."),
        to: z
          .union([z.literal('security'), channel, teamsChannel])
          .optional()
          .describe('`security` (the security channel, of each platform) or the id of one channel. Default security.'),
      })
      .optional()
      .describe('What was granted, what is live and what is late, once a day. Left out: only when asked for.'),
  })
  .describe('Hallpass: who may get temporary access to what, and who decides.');

export type ConfigFile = z.output<typeof configSchema>;
export type PolicySection = z.output<typeof policy>;

/** For editors: a JSON Schema (draft 7) of the file. */
export function jsonSchema(): unknown {
  return z.toJSONSchema(configSchema, { io: 'input', target: 'draft-7', unrepresentable: 'any' });
}

const LATER_TYPES: readonly string[] = ['entra', 'aws-identity-center', 'github'];

export function isLaterType(type: unknown): boolean {
  return typeof type === 'string' && LATER_TYPES.includes(type);
}

type AnySchema = z.core.$ZodType;

/** Keys that the schema knows at a place, for "did you mean". */
export function keysAt(path: readonly (string | number)[]): readonly string[] {
  let here: readonly AnySchema[] = [configSchema];
  for (const part of path) here = here.flatMap((schema) => inside(schema, String(part)));
  return [...new Set(here.flatMap(keysOf))];
}

interface Shape {
  readonly type: string;
  readonly shape?: Readonly<Record<string, AnySchema>>;
  readonly valueType?: AnySchema;
  readonly element?: AnySchema;
  readonly innerType?: AnySchema;
  readonly options?: readonly AnySchema[];
}

function shapeOf(schema: AnySchema): Shape {
  return schema._zod.def as unknown as Shape;
}

function inside(schema: AnySchema, key: string): readonly AnySchema[] {
  const { shape, valueType, element, innerType, options } = shapeOf(schema);
  if (options !== undefined) return options.flatMap((option) => inside(option, key));
  if (innerType !== undefined) return inside(innerType, key);
  const next = shape === undefined ? (valueType ?? element) : Object.hasOwn(shape, key) ? shape[key] : undefined;
  return next === undefined ? [] : [next];
}

function keysOf(schema: AnySchema): readonly string[] {
  const { shape, innerType, options } = shapeOf(schema);
  if (options !== undefined) return options.flatMap(keysOf);
  return innerType === undefined ? Object.keys(shape ?? {}) : keysOf(innerType);
}
