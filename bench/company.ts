/** A company large enough that every request of a run is a new one: its people, resources, and what they type. */
import { SECRETS } from '../src/sandbox/world.ts';

export const TEAM = 'T0BENCH';
const APP = 'A0BENCH';

export interface Company {
  readonly people: number;
  readonly resources: number;
}

const digits = (n: number) => String(n).padStart(4, '0');
export const slackId = (n: number) => `U0P${digits(n)}`;
export const oktaId = (n: number) => `00up${digits(n)}0000000000001`.slice(0, 20);
export const groupId = (n: number) => `00gr${digits(n)}0000000000001`.slice(0, 20);
export const channelId = (n: number) => `C0R${digits(n)}`;
const email = (n: number) => `p${digits(n)}@example.com`;
const ENGINEERING = '00gengineering000001';

export function slackSeed({ people, resources }: Company) {
  const ids = Array.from({ length: people }, (_, n) => n);
  return {
    team: { id: TEAM, name: 'Bench', domain: 'bench' },
    botToken: SECRETS.botToken,
    signingSecret: SECRETS.signingSecret,
    appId: APP,
    users: ids.map((n) => ({
      id: slackId(n),
      name: `p${digits(n)}`,
      real_name: `Person ${digits(n)}`,
      email: email(n),
      is_email_confirmed: true,
      tz: 'Etc/UTC',
    })),
    channels: [
      { id: 'C0SECURITY', name: 'security', members: [] },
      ...Array.from({ length: resources }, (_, n) => ({ id: channelId(n), name: `approvals-${n}`, members: [] })),
    ],
  };
}

export function oktaSeed({ people, resources }: Company) {
  const ids = Array.from({ length: people }, (_, n) => n);
  return {
    users: ids.map((n) => ({ id: oktaId(n), login: email(n), email: email(n), name: `Person ${digits(n)}` })),
    groups: [
      { id: ENGINEERING, name: 'engineering', members: ids.map(oktaId) },
      ...Array.from({ length: resources }, (_, n) => ({ id: groupId(n), name: `group-${n}`, members: [] })),
    ],
    tokens: [{ token: SECRETS.oktaToken }],
  };
}

/** Far above what a run can use: what is measured here is Hallpass, not a vendor's budget. */
export const OKTA_BUDGET = { limit: 1_000_000, windowMs: 60_000 } as const;

/** Two people are on call. Each resource has its own group and its own channel, as teams have. */
export function configuration({ resources }: Company, okta: string): string {
  const lines = Array.from(
    { length: resources },
    (_, n) =>
      `  res-${n}: { channel: ${channelId(n)}, defaultRole: read, roles: { read: { grants: [ { directory: okta, group: group-${n} } ], policy: standard } } }`,
  );
  return `timezone: UTC
admins:     [ group:okta/engineering ]
responders: [ group:okta/engineering ]
viewers:    [ group:okta/engineering ]
identity:   { match: confirmed-email }
directories:
  okta: { type: okta, url: "${okta}", auth: { token: "\${OKTA_TOKEN}" } }
chat:
  slack: { approvals: ${channelId(0)}, security: C0SECURITY }
onCall:
  dba: { type: static, people: [ ${email(0)}, ${email(1)} ] }
policies:
  standard:
    requesters: [ group:okta/engineering ]
    approvers:  [ on-call:dba ]
    approvals: 1
    duration: { default: 30m, max: 4h }
    reason: { minLength: 10 }
    lapseAfter: 1h
resources:
${lines.join('\n')}
`;
}

let sequence = 0;

/** What Slack sends for `/access request …`; never twice the same. */
export function requestBody(person: number, resource: number, responseUrl: string): string {
  sequence += 1;
  return new URLSearchParams({
    token: 'gIkuvaNzQIHg97ATvDxqgjtO',
    team_id: TEAM,
    team_domain: 'bench',
    channel_id: channelId(0),
    channel_name: 'approvals-0',
    user_id: slackId(person),
    user_name: `p${digits(person)}`,
    command: '/access',
    text: `request res-${resource} 30m fix stuck migration number ${sequence}`,
    api_app_id: APP,
    is_enterprise_install: 'false',
    response_url: responseUrl,
    trigger_id: `${Date.now()}.${sequence}.${sequence.toString(16).padStart(32, '0')}`,
  }).toString();
}

/** What Slack sends when somebody presses Approve on a message. */
export function approveBody(
  person: number,
  message: { channel: string; ts: string },
  button: { value: string; action: string },
  responseUrl: string,
): string {
  sequence += 1;
  return new URLSearchParams({
    payload: JSON.stringify({
      type: 'block_actions',
      user: { id: slackId(person), username: `p${digits(person)}`, name: `p${digits(person)}`, team_id: TEAM },
      api_app_id: APP,
      token: 'gIkuvaNzQIHg97ATvDxqgjtO',
      container: { type: 'message', message_ts: message.ts, channel_id: message.channel, is_ephemeral: false },
      trigger_id: `${Date.now()}.${sequence}.${sequence.toString(16).padStart(32, '0')}`,
      team: { id: TEAM, domain: 'bench' },
      enterprise: null,
      is_enterprise_install: false,
      channel: { id: message.channel, name: 'approvals' },
      state: { values: {} },
      response_url: responseUrl,
      actions: [
        {
          action_id: button.action,
          block_id: 'answer',
          type: 'button',
          text: { type: 'plain_text', text: 'Approve', emoji: true },
          value: button.value,
          action_ts: String(Date.now() / 1000),
        },
      ],
    }),
  }).toString();
}
