/**
 * The configuration is refused whole or taken whole: every problem at once, each with its line, its path and what to
 * write instead, and no secret in any of them.
 */
import { generateKeyPairSync } from 'node:crypto';
import { Ajv } from 'ajv';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { jsonSchema, type Loaded, loadConfig } from '../src/config.ts';

const pem = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  .privateKey.export({ type: 'pkcs8', format: 'pem' })
  .toString();
const ENV = { SLACK_BOT_TOKEN: 'xoxb-secret', SLACK_SIGNING_SECRET: 'signing-secret', OKTA_TOKEN: 'okta-secret' };

const GOOD = `timezone: Europe/Berlin
admins: [ group:okta/platform ]
responders: [ group:okta/security, on-call:web ]
viewers: [ group:okta/engineering ]
identity: { match: confirmed-email }
directories:
  okta: { type: okta, url: https://acme.okta.com, auth: { clientId: 0oa1, keyFile: okta.pem } }
chat:
  slack: { approvals: C0APPROVALS, security: C0SECURITY }
onCall:
  web: { type: static, people: [ ben@acme.com, cat@acme.com ] }
  dba: { type: slack-user-group, group: S0DBA }
policies:
  standard:
    requesters: [ group:okta/engineering ]
    approvers: [ on-call:dba, group:okta/dba-leads ]
    duration: { default: 30m, max: 4h }
    reason: { minLength: 12 }
  sensitive:
    extends: standard
    approvals: 2
    duration: { max: 1h }
resources:
  db-prod:
    title: Orders database
    channel: C0DBTEAM
    roles:
      read: { grants: [ { directory: okta, group: prod-db-read } ], policy: standard }
      admin: { grants: [ { directory: okta, group: prod-db-admin } ], policy: sensitive, sessionTail: 1h }
    defaultRole: read
`;

/** A reference to the environment, as the file writes it. */
const env = (name: string) => `\${${name}}`;

/** The good file with a rotation instead of a list. */
const rotation = (keys: string) =>
  edit('people: [ ben@acme.com, cat@acme.com ]', `rotation: { people: [ ben@acme.com, cat@acme.com ], ${keys} }`);

function load(text: string, environment: Record<string, string> = ENV): Loaded {
  return loadConfig({
    env: environment,
    path: '/etc/hallpass/hallpass.yaml',
    readFile: (path) => {
      if (path === '/etc/hallpass/hallpass.yaml') return text;
      if (path === '/etc/hallpass/okta.pem') return pem;
      throw Object.assign(new Error(`no such file: ${path}`), { code: 'ENOENT' });
    },
  });
}

function problemsOf(text: string, environment?: Record<string, string>) {
  const loaded = load(text, environment);
  return loaded.ok ? [] : loaded.problems;
}

test('a good file becomes the catalog, with defaults, inheritance and a hash for each policy', () => {
  const loaded = load(GOOD);
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
  const { catalog, directories, env, slack, identityDirectory, warnings } = loaded.settings;
  const { read, admin } = catalog.resources['db-prod']?.roles ?? {};
  expect(read).toMatchObject({
    id: 'db-prod:read',
    title: 'Orders database',
    channel: 'C0DBTEAM',
    sessionTailMs: 0,
    groups: [{ directory: 'okta', group: 'prod-db-read' }],
    policy: {
      approvals: 1,
      duration: { defaultMs: 1_800_000, maxMs: 14_400_000 },
      reason: { minLength: 12 },
      lapseAfterMs: 3_600_000,
      warnBeforeMs: 300_000,
    },
  });
  expect(admin).toMatchObject({
    sessionTailMs: 3_600_000,
    policy: {
      name: 'sensitive',
      approvals: 2,
      duration: { defaultMs: 1_800_000, maxMs: 3_600_000 },
      approvers: [
        { kind: 'on-call', source: 'dba' },
        { kind: 'group', directory: 'okta', group: 'dba-leads' },
      ],
    },
  });
  expect(read?.policy.hash).toMatch(/^[0-9a-f]{64}$/);
  expect(read?.policy.hash).not.toBe(admin?.policy.hash);
  expect(catalog).toMatchObject({ timezone: 'Europe/Berlin', approvalsChannel: 'C0APPROVALS' });
  expect(directories).toMatchObject([{ name: 'okta', keyText: pem }]);
  expect(identityDirectory).toBe('okta');
  expect(slack).toEqual({ approvals: 'C0APPROVALS', security: 'C0SECURITY' });
  expect(env).toMatchObject({ port: 3000, databaseUrl: 'sqlite:hallpass.db', logLevel: 'info' });
  expect(warnings).toMatchObject([
    { path: 'policies.standard.approvers[0]', message: expect.stringContaining('Slack user group') },
  ]);
});

test("a policy's hash follows its content and nothing else", () => {
  const hash = (text: string) => {
    const loaded = load(text);
    return loaded.ok ? loaded.settings.catalog.resources['db-prod']?.roles.read?.policy.hash : undefined;
  };
  expect(hash(GOOD.replace('Orders database', 'Orders'))).toBe(hash(GOOD));
  expect(hash(GOOD.replace('duration: { default: 30m, max: 4h }', 'duration: { max: 240m, default: 30m }'))).toBe(
    hash(GOOD),
  );
  expect(hash(GOOD.replace('minLength: 12', 'minLength: 13'))).not.toBe(hash(GOOD));
});

test('break-glass is no longer than what is approved, names only what there is, and its groups are not handed out', () => {
  const glass = (max: string, by = 'on-call:dba', reviewer = 'group:okta/security') =>
    GOOD.replace(
      '    reason: { minLength: 12 }',
      `    breakGlass: { by: [ ${by} ], max: ${max}, review: { by: [ ${reviewer} ] } }\n    reason: { minLength: 12 }`,
    );
  const loaded = load(glass('30m'));
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
  expect(loaded.settings.catalog.resources['db-prod']?.roles.admin?.policy.breakGlass).toEqual({
    by: [{ kind: 'on-call', source: 'dba' }],
    maxMs: 1_800_000,
    review: { by: [{ kind: 'group', directory: 'okta', group: 'security' }], withinMs: 86_400_000 },
  });
  const longer = { message: 'break-glass may last longer than what is approved' };
  expect(problemsOf(glass('5h'))).toMatchObject([
    { path: 'policies.standard.breakGlass.max', ...longer },
    { path: 'policies.sensitive', ...longer },
  ]);
  // The heir has a shorter maximum of its own.
  expect(problemsOf(glass('2h'))).toMatchObject([{ path: 'policies.sensitive', ...longer }]);
  expect(problemsOf(glass('30m', 'on-call:nobody'))).toMatchObject([{ path: 'policies.standard.breakGlass.by[0]' }]);
  expect(problemsOf(glass('30m', 'on-call:dba', 'group:okta/prod-db-read'))).toMatchObject([
    { message: expect.stringContaining('breakGlass.review.by') },
  ]);
});

type Expected = { line: number; path: string; message?: RegExp; instead?: RegExp };
const edit = (from: string, to: string) => {
  if (!GOOD.includes(from)) throw new Error(`the good file has no ${from}`);
  return GOOD.replace(from, to);
};

test.each<[string, string, Expected]>([
  [
    'a misspelt key',
    edit('viewers:', 'veiwers:'),
    { line: 4, path: 'veiwers', message: /unknown key/, instead: /viewers/ },
  ],
  [
    'a misspelt key deep inside',
    edit('minLength: 12', 'minLenght: 12'),
    { line: 18, path: 'policies.standard.reason.minLenght', instead: /minLength/ },
  ],
  [
    'a proof that nobody could give',
    edit('approvals: 2', 'proof: { request: mfa }'),
    { line: 21, path: 'policies.sensitive.proof', message: /no issuer/, instead: /stepUp/ },
  ],
  [
    'a later kind of directory',
    edit('type: okta', 'type: entra'),
    { line: 7, path: 'directories.okta.type', message: /"entra" is not supported by this version/, instead: /okta/ },
  ],
  [
    'a Google key that is a key of another kind',
    edit('type: okta, url: https://acme.okta.com, auth: { clientId: 0oa1, ', 'type: google, auth: { '),
    { line: 7, path: 'directories.okta.auth.keyFile', message: /not the JSON key of a service account/ },
  ],
  [
    'an executable that is not named in full',
    edit(
      'type: okta, url: https://acme.okta.com, auth: { clientId: 0oa1, keyFile: okta.pem }',
      'type: command, run: [ groups.sh ]',
    ),
    { line: 7, path: 'directories.okta.run', message: /absolute path/ },
  ],
  [
    'a Google that is neither Google nor local',
    edit(
      'type: okta, url: https://acme.okta.com, auth: { clientId: 0oa1, keyFile: okta.pem }',
      'type: google, auth: adc, rootUrl: http://10.1.1.1',
    ),
    { line: 7, path: 'directories.okta.rootUrl', message: /loopback/ },
  ],
  [
    'a PagerDuty schedule without its id and token',
    edit('{ type: slack-user-group, group: S0DBA }', '{ type: pagerduty }'),
    { line: 12, path: 'onCall.dba.schedule', message: /missing/ },
  ],
  [
    'a token that stands in the file in clear',
    edit('{ type: slack-user-group, group: S0DBA }', '{ type: pagerduty, schedule: PABC123, token: u+abcdefgh }'),
    { line: 12, path: 'onCall.dba.token', message: /must not stand in the file in clear/, instead: /environment/ },
  ],
  [
    'a service that would get the token over plain http',
    edit(
      '{ type: slack-user-group, group: S0DBA }',
      '{ type: incident-io, schedule: "01A", token: x, url: "http://api.example.com" }',
    ),
    { line: 12, path: 'onCall.dba.url', message: /https/ },
  ],
  [
    'a calendar whose key file is not there',
    edit(
      '{ type: slack-user-group, group: S0DBA }',
      '{ type: google-calendar, calendar: c_1@group.calendar.google.com, keyFile: google.json }',
    ),
    { line: 12, path: 'onCall.dba.keyFile', message: /google\.json cannot be read \(ENOENT\)/ },
  ],
  [
    'an account that is mapped to two people',
    `${GOOD}people: { U012ABC: ann@acme.com, "slack:T012ABC/U012ABC": ben@acme.com }\n`,
    { line: 31, path: 'people.slack:T012ABC/U012ABC', message: /one person/ },
  ],
  [
    'an incident service of a resource that is none',
    `${GOOD}incidents: { type: pagerduty, token: "${env('OKTA_TOKEN')}", services: { db-prd: PSVC1 } }\n`,
    { line: 31, path: 'incidents.services.db-prd', message: /no resource "db-prd"/, instead: /db-prod/ },
  ],
  [
    'a kind of incident source that is none',
    `${GOOD}incidents: { type: opsgenie, services: {} }\n`,
    { line: 31, path: 'incidents.type', instead: /pagerduty or incident-io/ },
  ],
  [
    'a rotation in a zone that is none',
    rotation('zone: Europe/Atlantis, from: "2026-11-02 09:00", every: 1w'),
    { line: 11, path: 'onCall.web.rotation.zone', message: /IANA time zone/ },
  ],
  [
    'a rotation that begins on no day',
    rotation('from: "2026-02-30 09:00", every: 1w'),
    { line: 11, path: 'onCall.web.rotation.from', message: /2026-11-02 09:00/ },
  ],
  [
    'two approvals where only one is on call at a time',
    rotation('from: "2026-11-02 09:00", every: 1w').replace('[ on-call:dba, group:okta/dba-leads ]', '[ on-call:web ]'),
    { line: 19, path: 'policies.sensitive', message: /2 approvals are needed, and only 1/ },
  ],
  [
    'a kind that never was',
    edit('type: static', 'type: statik'),
    { line: 11, path: 'onCall.web.type', message: /no such type/ },
  ],
  ['a key that stands twice', `${GOOD}timezone: UTC\n`, { line: 31, path: '', message: /twice/ }],
  ['a tab as indentation', edit('  okta: {', '\tokta: {'), { line: 7, path: '', message: /tab/ }],
  [
    'a duration nobody can read',
    edit('max: 4h', 'max: 4 hours'),
    { line: 17, path: 'policies.standard.duration.max', message: /30m/ },
  ],
  [
    'a duration without a unit',
    edit('max: 4h', 'max: 4'),
    { line: 17, path: 'policies.standard.duration.max', message: /a text/ },
  ],
  [
    'a default above the maximum',
    edit('max: 4h', 'max: 10m'),
    { line: 17, path: 'policies.standard.duration.default', message: /longer than the maximum/ },
  ],
  [
    'a maximum below the inherited default',
    edit('max: 1h', 'max: 5m'),
    { line: 22, path: 'policies.sensitive.duration.max', message: /longer than the maximum/ },
  ],
  [
    'an unknown policy',
    edit('policy: standard', 'policy: standart'),
    { line: 28, path: 'resources.db-prod.roles.read.policy', instead: /standard/ },
  ],
  [
    'an unknown directory in a grant',
    edit('directory: okta, group: prod-db-read', 'directory: otka, group: prod-db-read'),
    { line: 28, path: 'resources.db-prod.roles.read.grants[0].directory', instead: /okta/ },
  ],
  [
    'an unknown directory in a subject',
    edit('group:okta/dba-leads', 'group:ldap/dba-leads'),
    { line: 16, path: 'policies.standard.approvers[1]', message: /no directory "ldap"/ },
  ],
  ['an unknown on-call source', edit('on-call:web', 'on-call:wbe'), { line: 3, path: 'responders[1]', instead: /web/ }],
  [
    'a subject that is a bare name',
    edit('group:okta/platform', 'platform'),
    { line: 2, path: 'admins[0]', instead: /group:/ },
  ],
  [
    'a workload',
    edit('group:okta/platform', 'workload:ci'),
    { line: 2, path: 'admins[0]', message: /there is no workload/ },
  ],
  [
    'no default role among several',
    edit('    defaultRole: read\n', ''),
    { line: 24, path: 'resources.db-prod', instead: /defaultRole: read/ },
  ],
  [
    'a default role that is none',
    edit('defaultRole: read', 'defaultRole: write'),
    { line: 30, path: 'resources.db-prod.defaultRole' },
  ],
  [
    'a role that grants nothing',
    edit('grants: [ { directory: okta, group: prod-db-read } ]', 'grants: []'),
    { line: 28, path: 'resources.db-prod.roles.read.grants', message: /at least one group/ },
  ],
  [
    'a group granted twice',
    edit('{ directory: okta, group: prod-db-read }', '{ directory: okta, group: a }, { directory: okta, group: A }'),
    { line: 28, path: 'resources.db-prod.roles.read.grants[1]', message: /twice/ },
  ],
  [
    'a grant of an approvers group',
    edit('group: prod-db-read', 'group: DBA-leads'),
    { line: 28, path: 'resources.db-prod.roles.read.grants[0]', message: /trusted by policies\.standard\.approvers/ },
  ],
  [
    'a grant of the admins group',
    edit('group: prod-db-admin', 'group: platform'),
    { line: 29, path: 'resources.db-prod.roles.admin.grants[0]', message: /trusted by admins/ },
  ],
  [
    'approvers that are empty',
    edit('approvers: [ on-call:dba, group:okta/dba-leads ]', 'approvers: []'),
    { line: 16, path: 'policies.standard.approvers', message: /nobody could approve/ },
  ],
  [
    'approvers that only an outside source names',
    edit('[ on-call:dba, group:okta/dba-leads ]', '[ on-call:dba ]'),
    { line: 16, path: 'policies.standard.approvers', message: /outside/ },
  ],
  [
    'more approvals than people',
    edit('[ on-call:dba, group:okta/dba-leads ]', '[ user:ben@acme.com ]'),
    { line: 19, path: 'policies.sensitive', message: /2 approvals are needed, and only 1/ },
  ],
  [
    'one person who would approve themselves',
    edit('requesters: [ group:okta/engineering ]', 'requesters: [ user:ben@acme.com ]').replace(
      '[ on-call:dba, group:okta/dba-leads ]',
      '[ user:BEN@acme.com ]',
    ),
    { line: 16, path: 'policies.standard.approvers', message: /own request/ },
  ],
  [
    'a policy that inherits from itself',
    edit('  standard:\n', '  standard:\n    extends: sensitive\n'),
    { line: 15, path: 'policies.standard.extends', message: /standard → sensitive → standard/ },
  ],
  [
    'a policy that inherits from nowhere',
    edit('extends: standard', 'extends: standrad'),
    { line: 20, path: 'policies.sensitive.extends', instead: /standard/ },
  ],
  [
    'a channel by name',
    edit('C0APPROVALS', '"#approvals"'),
    { line: 9, path: 'chat.slack.approvals', message: /not its name/ },
  ],
  ['a missing section', edit('policies:\n', 'policy:\n'), { line: 1, path: 'policies', message: /missing/ }],
  ['a time zone that is none', edit('Europe/Berlin', 'Europe/Bärlin'), { line: 1, path: 'timezone', message: /IANA/ }],
  [
    'a key file that is not there',
    edit('okta.pem', 'other.pem'),
    { line: 7, path: 'directories.okta.auth.keyFile', message: /ENOENT/ },
  ],
  [
    'an environment variable that is not set',
    edit('clientId: 0oa1', `clientId: "${env('OKTA_CLIENT')}"`),
    { line: 7, path: 'directories.okta.auth.clientId', message: /OKTA_CLIENT is not set/ },
  ],
  [
    'nobody who could be identified',
    edit('identity: { match: confirmed-email }', 'identity: {}'),
    { line: 5, path: 'identity', instead: /confirmed-email/ },
  ],
  [
    'a key that would vanish into a prototype',
    `${GOOD}__proto__: { a: 1 }\n`,
    { line: 31, path: '__proto__', message: /unknown key/ },
  ],
])('%s is refused at its line', (_what, text, expected) => {
  const { message, instead, ...place } = expected;
  const problems = problemsOf(text);
  expect(problems).toContainEqual(expect.objectContaining(place));
  const found = problems.find((problem) => problem.path === place.path && problem.line === place.line);
  if (message) expect(found?.message).toMatch(message);
  if (instead) expect(found?.instead).toMatch(instead);
});

test('every problem is said at once, in the order of the file and with those of the environment', () => {
  const text = edit('viewers:', 'veiwers:').replace('max: 4h', 'max: long').replace('C0APPROVALS', 'approvals');
  expect(problemsOf(text, { PORT: 'http', LOG_LEVEL: 'loud' }).map((problem) => problem.path)).toEqual([
    'veiwers',
    'chat.slack.approvals',
    'policies.standard.duration.max',
    'env.PORT',
    'env.LOG_LEVEL',
  ]);
});

test.each([
  ['PORT', '70000'],
  ['DATABASE_URL', 'mysql://x'],
  ['DATABASE_URL', 'sqlite:'],
  ['HALLPASS_BASE_URL', 'hallpass.acme.com'],
  ['SLACK_API_URL', 'ftp://x/'],
  ['SLACK_BOT_TOKEN', ''],
  ['SLACK_SIGNING_SECRET', ''],
])('%s=%s is refused', (name, value) => {
  expect(problemsOf(GOOD, { ...ENV, [name]: value })).toMatchObject([{ path: `env.${name}` }]);
});

test('socket mode needs no signing secret', () => {
  expect(load(GOOD, { SLACK_BOT_TOKEN: 'xoxb-1', SLACK_APP_TOKEN: 'xapp-1' }).ok).toBe(true);
});

test('secrets come from the environment, a secret in clear is warned about, and none is ever shown', () => {
  const auth = 'auth: { clientId: 0oa1, keyFile: okta.pem }';
  const fine = load(edit(auth, `auth: { token: "${env('OKTA_TOKEN')}" }`));
  expect(fine.ok && fine.settings.directories[0]?.section).toMatchObject({ auth: { token: 'okta-secret' } });
  expect(fine.ok && fine.settings.warnings.map((warning) => warning.path)).toEqual(['policies.standard.approvers[0]']);
  const clear = load(edit(auth, 'auth: { token: in-clear-secret }'));
  expect(clear.ok && clear.settings.warnings).toContainEqual(
    expect.objectContaining({ line: 7, path: 'directories.okta.auth.token' }),
  );
  const misplaced = edit('policy: standard', `policy: "${env('OKTA_TOKEN')}"`).replace(
    'group:okta/platform',
    `"group:${env('SLACK_BOT_TOKEN')}/x"`,
  );
  const shown = JSON.stringify(problemsOf(misplaced));
  expect(shown).toContain(env('OKTA_TOKEN'));
  expect(shown).not.toMatch(/okta-secret|xoxb-secret/);
});

test('a file that is missing, huge, endless or nested without end is refused with one plain problem', () => {
  const gone = loadConfig({
    env: {},
    readFile: () => {
      throw Object.assign(new Error('secret path'), { code: 'ENOENT' });
    },
  });
  expect(gone).toMatchObject({ ok: false, problems: [{ message: 'hallpass.yaml cannot be read (ENOENT)' }] });
  expect(problemsOf(`# ${'x'.repeat(1024 * 1024)}`)[0]?.message).toMatch(/1 MiB/);
  expect(problemsOf('['.repeat(100_000))[0]?.message).toBeDefined();
  const bomb = ['a: &a [x,x,x,x,x,x,x,x,x]'];
  for (let i = 1; i < 9; i++) {
    const [name, before] = [String.fromCharCode(97 + i), String.fromCharCode(96 + i)];
    bomb.push(`${name}: &${name} [${Array(9).fill(`*${before}`).join(',')}]`);
  }
  expect(problemsOf(bomb.join('\n'))[0]?.message).toMatch(/aliases/);
});

test('no text and no environment makes reading throw', () => {
  const word = fc.constantFrom(
    ...GOOD.split(/(\s+)/),
    env('X'),
    '&a',
    '*a',
    '<<:',
    '!!js',
    '- ',
    '? ',
    '\t',
    '"',
    '{',
    '__proto__:',
  );
  const mutated = fc
    .tuple(fc.nat(GOOD.length), fc.nat(20), fc.string())
    .map(([at, cut, put]) => GOOD.slice(0, at) + put + GOOD.slice(at + cut));
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    mutated,
    fc.array(word).map((words) => words.join(' ')),
  );
  fc.assert(
    fc.property(
      text,
      fc.dictionary(fc.constantFrom('PORT', 'X', 'DATABASE_URL', 'SLACK_API_URL'), fc.string()),
      (file, env) => {
        const loaded = load(file, env);
        expect(loaded.ok || loaded.problems.length > 0).toBe(true);
      },
    ),
    { numRuns: 400 },
  );
});

test('the JSON Schema takes the good file, refuses a misspelt key, and describes every key', () => {
  const schema = jsonSchema();
  const validate = new Ajv({ strict: false, validateFormats: false }).compile(schema as object);
  expect(validate(parse(GOOD))).toBe(true);
  expect(validate(parse(GOOD.replace('viewers', 'veiwers')))).toBe(false);
  const bare: string[] = [];
  const walk = (node: unknown, path: string): void => {
    if (typeof node !== 'object' || node === null) return;
    for (const [key, value] of Object.entries((node as { properties?: object }).properties ?? {}))
      if (typeof (value as { description?: unknown }).description !== 'string') bare.push(`${path}.${key}`);
    for (const [key, value] of Object.entries(node)) walk(value, `${path}.${key}`);
  };
  walk(schema, '');
  expect(bare).toEqual([]);
});

test('a digest is posted at its time in the security channel, or where the file says', () => {
  const digest = (line: string) => {
    const loaded = load(`${GOOD}${line}\n`);
    return loaded.ok ? loaded.settings.digest : loaded.problems;
  };
  expect(digest('')).toBeUndefined();
  expect(digest('digest: {}')).toEqual({
    hour: 9,
    minute: 0,
    channels: [{ platform: 'slack', conversation: 'C0SECURITY' }],
  });
  expect(digest("digest: { at: '23:05', to: security }")).toEqual({
    hour: 23,
    minute: 5,
    channels: [{ platform: 'slack', conversation: 'C0SECURITY' }],
  });
  expect(digest('digest: { at: 07:30, to: C0DIGEST }')).toEqual({
    hour: 7,
    minute: 30,
    channels: [{ platform: 'slack', conversation: 'C0DIGEST' }],
  });
  expect(digest("digest: { at: '9:00' }")).toMatchObject([{ path: 'digest.at', message: /time of day/ }]);
  expect(digest("digest: { at: '24:00' }")).toMatchObject([{ path: 'digest.at' }]);
  expect(digest("digest: { to: '#security' }")).toMatchObject([{ path: 'digest.to' }]);
  const chatless = load(edit('chat:\n  slack: { approvals: C0APPROVALS, security: C0SECURITY }\n', 'digest: {}\n'));
  expect(chatless.ok ? [] : chatless.problems).toContainEqual(
    expect.objectContaining({ path: 'digest', message: 'a digest needs chat.slack or chat.teams' }),
  );
});

test('what is done about drift is read for each directory, and a deadline without a removal is refused', () => {
  const okta = 'keyFile: okta.pem }';
  const with_ = (keys: string) => load(GOOD.replace(okta, `${okta}, ${keys}`));
  const loaded = with_('observe: true, drift: { unknownMember: remove, removeAfter: 24h, missingMember: end }');
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
  expect(loaded.settings.directories[0]?.section).toMatchObject({ observe: true, drift: { removeAfter: '24h' } });
  const exclusive = load(GOOD.replace('group: prod-db-admin }', 'group: prod-db-admin, exclusive: true }'));
  expect(exclusive.ok && exclusive.settings.catalog.resources['db-prod']?.roles.admin?.groups).toEqual([
    { directory: 'okta', group: 'prod-db-admin', exclusive: true },
  ]);
  for (const wrong of ['drift: { removeAfter: 24h }', 'drift: { unknownMember: remove, removeAfter: soon }'])
    expect(with_(wrong)).toMatchObject({ ok: false, problems: [{ path: 'directories.okta.drift.removeAfter' }] });
  expect(with_('drift: { unknownMember: delete }')).toMatchObject({ ok: false, problems: [{ line: 7 }] });
});

test('where people sign in is read whole, needs an address to come back to, and its secret is not in the file', () => {
  const section = (more = '', secret = env('OIDC_SECRET')) =>
    `${GOOD}stepUp: { type: okta, issuer: https://acme.okta.com, clientId: 0oa2, clientSecret: "${secret}"${more} }\n`;
  const environment = { ...ENV, OIDC_SECRET: 'oidc-secret', HALLPASS_BASE_URL: 'https://hallpass.acme.com/' };
  const good = load(section(), environment);
  const proven = load(section().replace('approvals: 2', 'proof: { approve: mfa }'), environment);
  const policies = (loaded: Loaded) => (loaded.ok ? loaded.settings.catalog.resources['db-prod']?.roles : undefined);
  expect(policies(proven)?.admin?.policy.proof).toEqual({ approve: 'mfa' });
  expect(policies(proven)?.admin?.policy.hash).not.toBe(policies(good)?.admin?.policy.hash);
  expect(problemsOf(section().replace('approvals: 2', 'proof: {}'), environment)).toHaveLength(1);
  expect(good.ok && good.settings.stepUp).toMatchObject({
    baseUrl: 'https://hallpass.acme.com',
    identityOkta: 'https://acme.okta.com',
    section: { clientSecret: 'oidc-secret' },
  });
  expect(problemsOf(section(), { ...environment, HALLPASS_BASE_URL: '' })).toMatchObject([
    { path: 'env.HALLPASS_BASE_URL', message: expect.stringContaining('stepUp') },
  ]);
  expect(problemsOf(section(), { ...environment, HALLPASS_BASE_URL: 'http://hallpass.acme.com' })).toHaveLength(1);
  expect(problemsOf(section('', 'in-clear-secret'), environment)).toMatchObject([
    { path: 'stepUp.clientSecret', line: 31, message: expect.stringContaining('in clear') },
  ]);
  expect(problemsOf(section(', maxAge: 3h'), environment)).toMatchObject([{ path: 'stepUp.maxAge' }]);
  const open = section().replace('https://acme.okta.com, clientId', 'http://id.acme.com, clientId');
  expect(problemsOf(open, environment)).toMatchObject([{ path: 'stepUp.issuer' }]);
});
