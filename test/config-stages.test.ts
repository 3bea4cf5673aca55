/** Stages and ladders as `hallpass.yaml` says them, and what is refused of them although every line is right. */
import { describe, expect, test } from 'vitest';
import { type Loaded, loadConfig } from '../src/config.ts';
import { canBeFilled } from '../src/config-stages.ts';

const FILE = `identity: { match: confirmed-email }
directories:
  okta: { type: okta, url: https://acme.okta.com, auth: { token: "\${OKTA_TOKEN}" } }
chat:
  slack: { approvals: C0APPROVALS }
onCall:
  dba: { type: static, people: [ ben@acme.com, cat@acme.com ] }
  web: { type: slack-user-group, group: S0WEB }
policies:
  base:
    requesters: [ group:okta/engineering ]
    approvers: [ on-call:dba ]
POLICY
resources:
  db-prod: { roles: { read: { grants: [ { directory: okta, group: prod-db-read } ], policy: base } } }
`;

function load(policy: string): Loaded {
  const env = { SLACK_BOT_TOKEN: 'xoxb-1', SLACK_SIGNING_SECRET: 's3cret', OKTA_TOKEN: 'okta-token' };
  return loadConfig({ env, readFile: () => FILE.replace('POLICY\n', policy), path: 'hallpass.yaml' });
}

function refused(
  policy: string,
): readonly { readonly path: string; readonly message: string; readonly line?: number }[] {
  const loaded = load(policy);
  return loaded.ok ? [] : loaded.problems;
}

function policyOf(policy: string, name = 'base') {
  const loaded = load(policy.replaceAll('policy: base', `policy: ${name}`));
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
  return { ...loaded.settings.catalog.resources['db-prod']?.roles.read?.policy, warnings: loaded.settings.warnings };
}

const STAGES = `  staged:
    extends: base
    stages:
      - { approvers: [ on-call:dba ] }
      - approvers: [ group:okta/security ]
        approvals: 2
        escalate: [ { after: 10m, to: [ user:sam@acme.com ] } ]
`;

const as = (name: string, policies: string) => {
  const env = { SLACK_BOT_TOKEN: 'xoxb-1', SLACK_SIGNING_SECRET: 's3cret', OKTA_TOKEN: 'okta-token' };
  const text = FILE.replace('POLICY\n', policies).replace('policy: base', `policy: ${name}`);
  const loaded = loadConfig({ env, readFile: () => text, path: 'hallpass.yaml' });
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
  return loaded.settings.catalog.resources['db-prod']?.roles.read?.policy;
};

describe('stages', () => {
  test('stand in place of inherited approvers, and name everyone who may ever approve', () => {
    expect(as('staged', STAGES)).toMatchObject({
      approvals: 3,
      approvers: [
        { kind: 'on-call', source: 'dba' },
        { kind: 'group', directory: 'okta', group: 'security' },
      ],
      stages: [
        { approvals: 1, escalate: [] },
        { approvals: 2, escalate: [{ afterMs: 600_000, to: [{ kind: 'user', email: 'sam@acme.com' }] }] },
      ],
    });
  });

  test('are themselves replaced where an heir names approvers again', () => {
    const heir = as('plain', `${STAGES}  plain:\n    extends: staged\n    approvers: [ group:okta/leads ]\n`);
    expect(heir).toMatchObject({ approvals: 1, approvers: [{ group: 'leads' }] });
    expect(heir).not.toHaveProperty('stages');
  });

  test('change the policy hash, and a policy without them keeps the one it had', () => {
    expect(as('staged', STAGES)?.hash).not.toBe(as('base', STAGES)?.hash);
    expect(as('base', '')?.hash).toBe(as('base', STAGES)?.hash);
  });

  test.each([
    [
      'beside approvers',
      '    stages: [ { approvers: [ group:okta/security ] } ]\n',
      { line: 12, path: 'policies.base.approvers', message: /cannot stand together/ },
    ],
    [
      'beside a ladder of the policy',
      `  two:\n    extends: base\n    stages: [ { approvers: [ group:okta/security ] } ]\n    escalate: [ { after: 5m, to: [ on-call:dba ] } ]\n`,
      { path: 'policies.two.escalate', message: /cannot stand together/ },
    ],
    [
      'inherited, with a number of its own',
      `${STAGES}  more:\n    extends: staged\n    approvals: 2\n`,
      { path: 'policies.more.approvals', message: /no say over inherited stages/ },
    ],
    [
      'with nobody in one of them',
      `  two:\n    extends: base\n    stages: [ { approvers: [] } ]\n`,
      { path: 'policies.two.stages[0].approvers', message: /needs approvers/ },
    ],
    [
      'of an on-call source that does not exist',
      `  two:\n    extends: base\n    stages: [ { approvers: [ on-call:dbb ] } ]\n`,
      { path: 'policies.two.stages[0].approvers[0]', message: /no on-call source "dbb"/ },
    ],
    [
      'whose second one only an outside source names',
      `  two:\n    extends: base\n    stages: [ { approvers: [ on-call:dba ] }, { approvers: [ on-call:web ] } ]\n`,
      { path: 'policies.two.stages', message: /outside on-call/ },
    ],
    [
      'that need more different people than there are',
      `  two:\n    extends: base\n    stages: [ { approvers: [ on-call:dba ], approvals: 2 }, { approvers: [ user:BEN@acme.com ] } ]\n`,
      { path: 'policies.two.stages', message: /3 different people are needed/ },
    ],
    [
      'that trust a group which is granted',
      `  two:\n    extends: base\n    stages: [ { approvers: [ on-call:dba ], escalate: [ { after: 5m, to: [ group:okta/prod-db-read ] } ] } ]\n`,
      { path: 'resources.db-prod.roles.read.grants[0]', message: /trusted by policies\.two\.stages/ },
    ],
  ])('%s are refused', (_what, policy, problem) => {
    expect(refused(policy)).toContainEqual(
      expect.objectContaining({ ...problem, message: expect.stringMatching(problem.message) }),
    );
  });
});

describe('a ladder', () => {
  const ladder = (steps: string) => `    escalate: [ ${steps} ]\n`;

  test('is taken step by step', () => {
    expect(policyOf(ladder('{ after: 5m, to: [ group:okta/leads ] }, { after: 15m, to: [ everyone ] }'))).toMatchObject(
      {
        escalate: [{ afterMs: 300_000 }, { afterMs: 900_000, to: [{ kind: 'everyone' }] }],
      },
    );
  });

  test('whose steps do not come one after the other is refused', () => {
    expect(refused(ladder('{ after: 5m, to: [ everyone ] }, { after: 5m, to: [ group:okta/leads ] }'))).toMatchObject([
      { line: 13, path: 'policies.base.escalate[1].after', message: /later than the one before/ },
    ]);
  });

  test('that nobody could reach before the request lapses is warned of', () => {
    expect(policyOf(ladder('{ after: 2h, to: [ everyone ] }')).warnings).toMatchObject([
      { path: 'policies.base.escalate[0].after', message: /lapsed by then/ },
    ]);
  });

  test('is a fallback for an outside source that cannot be asked', () => {
    const web = '    escalate: [ { after: 5m, to: [ group:okta/leads ] } ]\n';
    const only = (more: string) =>
      `  web:\n    requesters: [ group:okta/engineering ]\n    approvers: [ on-call:web ]\n${more}`;
    expect(refused(only(''))).toMatchObject([{ path: 'policies.web.approvers', message: /outside on-call/ }]);
    expect(refused(only(web))).toEqual([]);
  });
});

test('access that ends with an incident needs a source of incidents', () => {
  expect(refused('    endWithIncident: true\n')).toMatchObject([
    { line: 13, path: 'policies.base.endWithIncident', message: expect.stringContaining('no source of incidents') },
  ]);
  expect(policyOf('    endWithIncident: false\n')).not.toHaveProperty('endWithIncident');
});

test('reminders come no oftener than every minute, and before the request lapses', () => {
  expect(policyOf('    remindEvery: 5m\n')).toMatchObject({ remindEveryMs: 300_000, warnings: [] });
  expect(refused('    remindEvery: 30s\n')).toMatchObject([{ path: 'policies.base.remindEvery', line: 13 }]);
  expect(policyOf('    remindEvery: 1h\n').warnings).toMatchObject([{ path: 'policies.base.remindEvery' }]);
});

test('people are counted for all stages together: one who fits two stages fills only one of them', () => {
  const stage = (approvals: number, ...people: string[]) => ({ approvals, people: new Set(people) });
  expect(canBeFilled([stage(1, 'a', 'b'), stage(1, 'a')])).toBe(true);
  expect(canBeFilled([stage(1, 'a'), stage(1, 'a')])).toBe(false);
  expect(canBeFilled([stage(2, 'a', 'b', 'c'), stage(1, 'a'), stage(1, 'b')])).toBe(false);
  expect(canBeFilled([stage(1, 'a', 'b'), stage(1, 'b', 'c'), stage(1, 'a', 'c')], 'a')).toBe(false);
  expect(canBeFilled([{ approvals: 9, people: undefined }])).toBe(true);
});
