/** What can be wrong with a policy's conditions and limits is said before anything starts, where it stands. */
import { describe, expect, test } from 'vitest';
import { type Loaded, loadConfig } from '../src/config.ts';

const GOOD = `identity: { match: confirmed-email }
directories:
  okta: { type: okta, url: https://acme.okta.com, auth: { token: "\${OKTA_TOKEN}" } }
chat:
  slack: { approvals: C0APPROVALS }
onCall:
  dba: { type: static, people: [ ben@acme.com, cat@acme.com ] }
policies:
  standard:
    requesters: [ group:okta/engineering ]
    approvers: [ group:okta/dba-leads ]
    duration: { default: 30m, max: 2h, perDay: 8h }
    maxLive: 3
    reason: { pattern: '[A-Z]+-[0-9]+', link: 'https://acme.example/browse/{ticket}' }
    when: now.hour >= 7 && now.hour < 20 || 'dba' in requester.onCall
    autoApprove: "'okta/sre' in requester.groups && duration <= duration('1h')"
  heir:
    extends: standard
    approvals: 2
resources:
  db-prod:
    tags: [ prod, env=eu ]
    owner: group:okta/dba-leads
    link: https://wiki.acme.example/orders
    roles:
      read: { grants: [ { directory: okta, group: prod-db-read } ], policy: standard }
      admin: { grants: [ { directory: okta, group: prod-db-admin } ], policy: heir }
    defaultRole: read
`;

function load(text: string): Loaded {
  return loadConfig({
    env: { SLACK_BOT_TOKEN: 'xoxb-token', SLACK_SIGNING_SECRET: 'secret', OKTA_TOKEN: 'token' },
    readFile: () => text,
  });
}

const edit = (from: string, to: string) => {
  if (!GOOD.includes(from)) throw new Error(`the good file has no ${from}`);
  return GOOD.replace(from, to);
};
const problems = (text: string) => {
  const loaded = load(text);
  return loaded.ok ? [] : loaded.problems;
};
const read = (text: string) => {
  const loaded = load(text);
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
  return loaded.settings.catalog.resources['db-prod'];
};

test('conditions are compiled with the file, inherited, and part of the hash', () => {
  const resource = read(GOOD);
  expect(resource?.roles.read?.policy.when?.reads).toEqual(['now.hour', 'requester.onCall']);
  expect(resource?.roles.admin?.policy.autoApprove?.groups).toEqual(['okta/sre']);
  expect(resource?.roles.read).toMatchObject({ tags: ['prod', 'env=eu'], owner: 'group:okta/dba-leads' });
  expect(resource?.roles.admin?.policy).toMatchObject({
    duration: { maxMs: 7_200_000, perDayMs: 28_800_000 },
    maxLive: 3,
    reason: { minLength: 10, pattern: '[A-Z]+-[0-9]+', link: 'https://acme.example/browse/{ticket}' },
  });
  expect(resource?.roles.read?.link).toBe('https://wiki.acme.example/orders');
  const hash = (text: string) => read(text)?.roles.admin?.policy.hash;
  expect(hash(edit('now.hour < 20', 'now.hour < 21'))).not.toBe(hash(GOOD));
});

describe('refused, with line and path', () => {
  test.each<[string, string, { line: number; path: string; message: RegExp }]>([
    [
      'an expression that is none',
      edit('now.hour < 20', 'now.hour <'),
      { line: 15, path: 'policies.standard.when', message: /not an expression/ },
    ],
    [
      'a name that nothing has',
      edit('now.hour < 20', 'now.hours < 20'),
      { line: 15, path: 'policies.standard.when', message: /did you mean hour/ },
    ],
    [
      'an expression that is not true or false',
      edit('now.hour >= 7 && now.hour < 20', 'now.hour'),
      { line: 15, path: 'policies.standard.when', message: /\|\| does not take int and bool/ },
    ],
    [
      'a group of a directory that there is not',
      edit("'okta/sre'", "'okat/sre'"),
      { line: 16, path: 'policies.standard.autoApprove', message: /no directory "okat"/ },
    ],
    [
      'an on-call source that there is not',
      edit("'dba' in", "'dbb' in"),
      { line: 15, path: 'policies.standard.when', message: /no on-call source "dbb"/ },
    ],
    [
      'an incident where there is no source of incidents',
      edit("'dba' in requester.onCall", 'incident.open'),
      { line: 15, path: 'policies.standard.when', message: /no source of incidents/ },
    ],
    [
      'an expression without end',
      edit("'dba' in requester.onCall", `${'now.hour == 1 || '.repeat(150)}true`),
      { line: 15, path: 'policies.standard.when', message: /2000/ },
    ],
    [
      'a group that both opens a door and lies behind one',
      edit('group: prod-db-read', 'group: sre'),
      { line: 26, path: 'resources.db-prod.roles.read.grants[0]', message: /trusted by policies.*autoApprove/ },
    ],
    [
      'a limit of a day that one grant alone could pass',
      edit('perDay: 8h', 'perDay: 90m'),
      { line: 12, path: 'policies.standard.duration.perDay', message: /longer \(2h\) than a person may have in a day/ },
    ],
    [
      'a pattern that could take for ever',
      edit("'[A-Z]+-[0-9]+'", "'([A-Z]+)+-1'"),
      { line: 14, path: 'policies.standard.reason.pattern', message: /must not be repeated/ },
    ],
    [
      'a link to a ticket that nothing finds',
      edit("pattern: '[A-Z]+-[0-9]+', ", ''),
      { line: 14, path: 'policies.standard.reason.link', message: /needs the pattern/ },
    ],
    [
      'a link without a place for the ticket',
      edit('browse/{ticket}', 'browse'),
      { line: 14, path: 'policies.standard.reason.link', message: /\{ticket\}/ },
    ],
    [
      'a link that is not https',
      edit('link: https://wiki', 'link: http://wiki'),
      { line: 24, path: 'resources.db-prod.link', message: /https/ },
    ],
    [
      'a tag that is none',
      edit('env=eu', '"env eu"'),
      { line: 22, path: 'resources.db-prod.tags[1]', message: /must be a tag/ },
    ],
    [
      'an owner of nowhere',
      edit('owner: group:okta/', 'owner: group:ldap/'),
      { line: 23, path: 'resources.db-prod.owner', message: /no directory "ldap"/ },
    ],
  ])('%s', (_what, text, { line, path, message }) => {
    expect(problems(text)).toEqual([expect.objectContaining({ line, path, message: expect.stringMatching(message) })]);
  });
});
