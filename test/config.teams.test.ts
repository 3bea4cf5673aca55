/** Teams in the configuration: nothing starts with less than an app registration, and its ids are told from names. */
import { expect, test } from 'vitest';
import { loadConfig } from '../src/config.ts';

const ENV = {
  MICROSOFT_APP_ID: '5a5a5a5a-0000-4000-8000-00000000000b',
  MICROSOFT_APP_TENANT_ID: '5a5a5a5a-0000-4000-8000-000000000001',
  MICROSOFT_APP_TYPE: 'SingleTenant',
  MICROSOFT_APP_PASSWORD: 'a-client-secret',
  OKTA_TOKEN: 'okta-secret',
};
const APPROVALS = '19:0a1b@thread.tacv2';
const FILE = `identity: { match: confirmed-email }
people: { "teams:${ENV.MICROSOFT_APP_TENANT_ID}/5a5a5a5a-0000-4000-8000-0000000000a1": ana@acme.com }
directories:
  okta: { type: okta, url: https://acme.okta.com, auth: { token: "\${OKTA_TOKEN}" } }
chat:
  teams: { approvals: "${APPROVALS}" }
policies:
  standard: { requesters: [ everyone ], approvers: [ group:okta/dba-leads ] }
resources:
  db-prod: { roles: { read: { grants: [ { directory: okta, group: prod-db-read } ], policy: standard } } }
digest: { at: '09:00' }
`;

function load(text = FILE, env: Readonly<Record<string, string | undefined>> = ENV, unverifiedTeams = false) {
  return loadConfig({ env, readFile: () => text, unverifiedTeams });
}

function problems(...given: Parameters<typeof load>): string {
  const loaded = load(...given);
  return loaded.ok
    ? ''
    : loaded.problems.map(({ path, message, instead }) => `${path}: ${message} ${instead}`).join('\n');
}

test('Teams alone is enough: its channel is where requests go, its tenant whose people may act', () => {
  const loaded = load();
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
  const { teams, slack, catalog, digest } = loaded.settings;
  expect(slack).toBeUndefined();
  expect(teams).toMatchObject({
    approvals: APPROVALS,
    security: APPROVALS,
    tenants: [ENV.MICROSOFT_APP_TENANT_ID],
    credentials: { appId: ENV.MICROSOFT_APP_ID, type: 'SingleTenant', password: 'a-client-secret' },
  });
  expect(catalog).toMatchObject({ teamsChannel: APPROVALS });
  expect(catalog.approvalsChannel).toBeUndefined();
  expect(digest?.channels).toEqual([{ platform: 'teams', conversation: APPROVALS }]);
});

test('with Slack besides, both have their channels, a resource its own on one of them, and security is told in both', () => {
  const both = FILE.replace('chat:\n', 'chat:\n  slack: { approvals: C0APPROVALS, security: C0SECURITY }\n').replace(
    'db-prod: {',
    'db-prod: { channel: "19:dba@thread.tacv2",',
  );
  const loaded = load(both, { ...ENV, SLACK_BOT_TOKEN: 'xoxb-1', SLACK_SIGNING_SECRET: 'shhh' });
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
  const { catalog, digest } = loaded.settings;
  expect(catalog).toMatchObject({ approvalsChannel: 'C0APPROVALS', teamsChannel: APPROVALS });
  expect(catalog.resources['db-prod']?.roles.read).toMatchObject({ teamsChannel: '19:dba@thread.tacv2' });
  expect(catalog.resources['db-prod']?.roles.read?.channel).toBeUndefined();
  expect(digest?.channels).toEqual([
    { platform: 'slack', conversation: 'C0SECURITY' },
    { platform: 'teams', conversation: APPROVALS },
  ]);
});

test.each([
  ['MICROSOFT_APP_ID', undefined, 'is not set'],
  ['MICROSOFT_APP_ID', 'hallpass', 'must be a GUID'],
  ['MICROSOFT_APP_TENANT_ID', undefined, 'is not set'],
  ['MICROSOFT_APP_TYPE', undefined, 'is not set'],
  ['MICROSOFT_APP_TYPE', 'MultiTenant', 'is no type that Hallpass runs as'],
  ['MICROSOFT_APP_PASSWORD', undefined, 'a SingleTenant app needs it'],
])('it does not start with %s being %s', (name, value, said) => {
  const told = problems(FILE, { ...ENV, [name]: value });
  expect(told).toContain(`env.${name}: `);
  expect(told).toContain(said);
  expect(told).not.toContain('a-client-secret');
});

test('a managed identity has no password, and one that is set is refused', () => {
  const identity = { ...ENV, MICROSOFT_APP_TYPE: 'UserAssignedMsi' };
  expect(problems(FILE, identity)).toContain('a managed identity has none');
  expect(problems(FILE, { ...identity, MICROSOFT_APP_PASSWORD: '' })).toBe('');
});

test('only the sandbox does without an app registration, and then the tenants are named', () => {
  const without = { OKTA_TOKEN: 'okta-secret' };
  expect(problems(FILE, without)).toContain('env.MICROSOFT_APP_ID');
  expect(problems(FILE, without, true)).toContain(
    'chat.teams: without an app registration the tenants have to be named',
  );
  const named = FILE.replace(`"${APPROVALS}" }`, `"${APPROVALS}", tenants: [ ${ENV.MICROSOFT_APP_TENANT_ID} ] }`);
  expect(problems(named, without, true)).toBe('');
});

test.each(['access-approvals', 'C0APPROVALS', '19:x'])('the channel cannot be %s', (wrong) => {
  expect(problems(FILE.replace(`"${APPROVALS}"`, `"${wrong}"`))).toContain('19:…@thread.tacv2');
});

test('a channel of a platform that is not configured is refused', () => {
  expect(problems(FILE.replace("{ at: '09:00' }", '{ to: C0DIGEST }'))).toContain('chat.slack is not configured');
  expect(problems(FILE.replace('db-prod: {', 'db-prod: { channel: C0DBA,'))).toContain('chat.slack is not configured');
});
