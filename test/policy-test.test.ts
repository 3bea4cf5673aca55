/** `hallpass test` says of each test whether it came as expected, and why not; the same code decides there as in earnest. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createOut } from '../src/cli/out.ts';
import { policyTestCommand } from '../src/cli/policy-test.ts';
import { loadConfig } from '../src/config.ts';
import { parseTests } from '../src/config-tests.ts';

const CONFIG = `timezone: Europe/Berlin
identity: { match: confirmed-email }
directories:
  okta: { type: okta, url: https://acme.okta.com, auth: { token: token } }
chat:
  slack: { approvals: C0APPROVALS }
onCall:
  dba: { type: static, people: [ ben@acme.com ] }
incidents: { type: pagerduty, token: "\${PD_TOKEN}", services: { db-prod: PSVC1 } }
policies:
  standard:
    requesters: [ group:okta/engineering ]
    approvers: [ on-call:dba, group:okta/dba-leads ]
    duration: { default: 30m, max: 4h, perDay: 6h }
    maxLive: 2
    when: now.hour >= 7 && now.hour < 20 || incident.open
    autoApprove: "'okta/sre' in requester.groups && duration <= duration('30m')"
resources:
  db-prod:
    roles:
      read: { grants: [ { directory: okta, group: prod-db-read } ], policy: standard }
`;

const GIVEN = `at: '2026-03-10 10:00', groups: { ana@acme.com: [ okta/engineering ], dan@acme.com: [ okta/dba-leads ] }`;
const one = (given: string, when: string, expected: string) =>
  `tests:\n  - name: it\n    given: { ${given} }\n    when: { as: ana@acme.com, asks: 'db-prod:read', reason: fix the stuck migration, ${when} }\n    expect: { ${expected} }\n`;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hallpass-policy-test-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function run(text: string) {
  const loaded = loadConfig({ env: { PD_TOKEN: 'secret-token' }, withoutChat: true, readFile: () => CONFIG });
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
  const file = join(folder, 'policies.test.yaml');
  await writeFile(file, text);
  let said = '';
  const code = await policyTestCommand(
    createOut(true, (line) => {
      said += line;
    }),
    loaded.settings,
    [file],
  );
  return { code, said: JSON.parse(said) as { tests?: readonly { ok: boolean; why?: string }[]; problems?: unknown[] } };
}

describe('a policy test', () => {
  test.each([
    ['people are asked', GIVEN, 'for: 1h', 'outcome: allowed, approvals: 1, asked: [ ben@acme.com, dan@acme.com ]'],
    [
      'who is on call can be made up',
      `${GIVEN}, onCall: { dba: [ cat@acme.com ] }`,
      'for: 1h',
      'outcome: allowed, asked: [ cat@acme.com, dan@acme.com ]',
    ],
    [
      'nobody is asked',
      GIVEN.replace('okta/engineering ]', 'okta/engineering, okta/sre ]'),
      'for: 30m',
      'outcome: auto_approved',
    ],
    [
      'somebody else is refused',
      GIVEN.replace('engineering', 'sales'),
      'for: 1h',
      'outcome: refused, code: not_eligible',
    ],
    [
      'the evening is too late, in the zone of the file',
      GIVEN.replace('10:00', '20:30'),
      'for: 1h',
      'outcome: refused, code: condition_not_met',
    ],
    [
      'but not in an incident',
      `${GIVEN.replace('10:00', '20:30')}, incidents: [ { resource: db-prod, openedBy: [ ben@acme.com ] } ]`,
      'for: 1h',
      'outcome: allowed',
    ],
    [
      'that somebody else opened',
      `${GIVEN.replace('10:00', '20:30')}, incidents: [ { resource: db-prod, openedBy: [ ana@acme.com ] } ]`,
      'for: 1h',
      'outcome: refused, code: condition_not_met',
    ],
    [
      'a day has its limit',
      `${GIVEN}, history: [ { of: 'db-prod:read', from: '2026-03-10 04:00', for: 4h } ]`,
      'for: 3h',
      'outcome: refused, code: over_daily',
    ],
    [
      'what runs already is not given twice',
      `${GIVEN}, history: [ { of: 'db-prod:read', from: '2026-03-10 09:00', for: 4h } ]`,
      'for: 1h',
      'outcome: refused, code: already_granted',
    ],
    ['a word that is no duration is refused', GIVEN, 'for: 5x', 'outcome: refused, code: bad_duration'],
  ])('%s', async (_what, given, when, expected) => {
    const { code, said } = await run(one(given, when, expected));
    expect(said.tests).toEqual([expect.objectContaining({ ok: true })]);
    expect(code).toBe(0);
  });

  test.each([
    ['outcome: auto_approved', 'expected auto_approved; it was allowed'],
    ['outcome: refused', 'expected refused; it was allowed'],
    ['outcome: allowed, approvals: 2', 'expected 2 approvals; it takes 1'],
    [
      'outcome: allowed, asked: [ cat@acme.com ]',
      'expected cat@acme.com to be asked; it would be ben@acme.com, dan@acme.com',
    ],
  ])('that expects something else fails and says what came: %s', async (expected, why) => {
    const { code, said } = await run(one(GIVEN, 'for: 1h', expected));
    expect(said.tests).toEqual([expect.objectContaining({ ok: false, why })]);
    expect(code).toBe(1);
  });

  test('in a file that is wrong is not judged at all', async () => {
    for (const text of [
      'tests: []\n',
      one(GIVEN, 'four: 1h', 'outcome: allowed'),
      one(GIVEN, 'for: 1h', 'outcome: maybe'),
      'x: [',
      '',
    ]) {
      const { code, said } = await run(text);
      expect(said.problems?.length, text).toBeGreaterThan(0);
      expect(code).toBe(2);
    }
  });
});

test('the example of the documents is one', async () => {
  const page = await readFile(join(import.meta.dirname, '../docs/policies.md'), 'utf8');
  const example = /```yaml\n(tests:[\s\S]*?)```/.exec(page)?.[1] ?? '';
  expect(parseTests(example)).toHaveProperty('tests');
  const { code, said } = await run(example);
  expect(said.tests?.every(({ ok }) => ok)).toBe(true);
  expect(code).toBe(0);
});
