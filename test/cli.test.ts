/** `hallpass …` on the host: what each command prints, and the code it exits with. Each runs as a process of its own. */
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { type OktaServer, startOktaServer } from '../src/sandbox/okta-server.ts';
import { createPerson } from '../src/sandbox/slack-people.ts';
import { textOf } from '../src/sandbox/slack-reading.ts';
import { type SlackServer, startSlackServer } from '../src/sandbox/slack-server.ts';
import { APPROVALS, configuration, GROUPS, oktaSeed, PEOPLE, SECRETS, slackSeed } from '../src/sandbox/world.ts';
import { endAll, hallpass, startHallpass } from './support/cli.ts';
import { bareDatabase, type TestDatabase } from './support/databases.ts';

let folder: string;
let path: string;

async function write(yaml: string): Promise<void> {
  await writeFile(path, yaml);
}

const NOWHERE = 'http://127.0.0.1:9';
/** Enough for whatever does not talk to anybody. */
const quiet = () => ({
  HALLPASS_CONFIG: path,
  DATABASE_URL: `sqlite:${join(folder, 'hallpass.db')}`,
  OKTA_TOKEN: SECRETS.oktaToken,
});
const chat = { SLACK_BOT_TOKEN: SECRETS.botToken, SLACK_SIGNING_SECRET: SECRETS.signingSecret };

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hallpass-cli-'));
  path = join(folder, 'hallpass.yaml');
  await write(configuration(NOWHERE));
});
afterEach(async () => {
  await endAll();
  await rm(folder, { recursive: true, force: true });
});

const BAD = `timezone: Mars/Olympus
admins: [ group:okta/security ]
colour: blue
identity: { match: confirmed-email }
directories:
  okta: { type: okta, url: "${NOWHERE}", auth: { token: "\${OKTA_TOKEN}" } }
policies:
  standard:
    requesters: [ group:okta/engineering ]
    approvers: [ on-call:nobody ]
    duration: { default: 9h, max: soon }
resources:
  db-prod:
    roles:
      read: { grants: [ { directory: octa, group: prod-db-read } ], policy: standart }
    defaultRole: write
`;

describe('how it is called', () => {
  it.each([
    ['nothing at all', []],
    ['a command that there is not', ['frobnicate']],
    ['expire without what to end', ['expire']],
    ['a time to wait that is none', ['expire', '--due', '--wait', '-1']],
    ['revoke without a reason', ['revoke', 'G-7KQ2']],
    ['a command word without a slash', ['manifest', 'slack', '--command', 'access']],
  ])('%s is a usage error: exit 2, said on stderr, nothing on stdout', async (_what, args) => {
    const { code, stdout, stderr } = await hallpass(args, quiet());
    expect(code).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/error:|Usage: hallpass/);
    expect(existsSync(join(folder, 'hallpass.db'))).toBe(false);
  });

  it('--help names every command and exits 0', async () => {
    const { code, stdout } = await hallpass(['--help']);
    expect(code).toBe(0);
    for (const command of [
      'start',
      'sandbox',
      'check',
      'schema',
      'migrate',
      'manifest',
      'expire',
      'revoke',
      'freeze',
      'unfreeze',
      'list',
      'status',
    ])
      expect(stdout).toMatch(new RegExp(`^ {2}${command}\\b`, 'm'));
  });

  it.each([['check'], ['start'], ['expire', '--due'], ['revoke', 'G-7KQ2', 'left', 'the', 'company']])(
    '%s without a configuration file exits 1 and says which file it looked for',
    async (...args) => {
      const missing = join(folder, 'elsewhere.yaml');
      const { code, json } = await hallpass([...args, '--json', '--config', missing], { ...quiet(), ...chat });
      expect(code).toBe(1);
      expect(json).toMatchObject({ ok: false, problems: [{ message: `${missing} cannot be read (ENOENT)` }] });
    },
  );

  it.each([['migrate'], ['expire', '--due'], ['start']])(
    '%s without its database exits 1 and says so, also as JSON',
    async (...args) => {
      const env = { ...quiet(), ...chat, DATABASE_URL: 'postgres://nobody@127.0.0.1:9/none', PORT: '0' };
      const { code, json, stderr } = await hallpass([...args, '--json'], env);
      expect(code).toBe(1);
      expect(json).toMatchObject({ ok: false, error: expect.stringMatching(/ECONNREFUSED|connect/) });
      expect(stderr).not.toMatch(/\n {4}at /);
    },
  );
});

describe('check --offline', () => {
  it('says that a good file is good, and asks nobody', async () => {
    const { code, stdout } = await hallpass(['check', '--offline'], { ...quiet(), ...chat });
    expect(code).toBe(0);
    expect(stdout).toContain(`${path}: 2 resources, 3 entitlements, no problems in the file.`);
    expect(stdout).toContain('were not asked');
  });

  it('lists every problem of a bad file, each with its line and path', async () => {
    await write(BAD);
    const { code, stdout } = await hallpass(['check', '--offline'], quiet());
    expect(code).toBe(1);
    expect(stdout).toMatch(/The configuration has \d+ problems\. Nothing was started or changed\./);
    expect(stdout).toMatch(/line 1:\d+ {2}timezone:/);
    expect(stdout).toMatch(/line 3:\d+ {2}colour: unknown key "colour"/);
    expect(stdout).toMatch(/line 11:\d+ {2}policies\.standard\.duration\.max:/);
    const { code: again, json } = await hallpass(['check', '--offline', '--json'], quiet());
    expect(again).toBe(1);
    const problems = json.problems as readonly { path: string; line: number; message: string }[];
    expect(problems.length).toBeGreaterThanOrEqual(3);
    for (const problem of problems)
      expect(problem).toMatchObject({ path: expect.any(String), line: expect.any(Number) });
  });

  it('shows no secret, wherever one stands', async () => {
    await write(
      configuration(NOWHERE).replace(/token: "[^"]*"/, 'token: 00secret-in-clear, colour: 00secret-in-clear'),
    );
    const { code, stdout, stderr } = await hallpass(['check', '--offline', '--json'], { ...quiet(), ...chat });
    expect(code).toBe(1);
    expect(`${stdout}${stderr}`).not.toContain('00secret-in-clear');
  });
});

describe('check, against the servers', () => {
  let slack: SlackServer;
  let okta: OktaServer;
  beforeAll(async () => {
    slack = await startSlackServer({
      seed: {
        ...slackSeed(),
        channels: [
          ...slackSeed().channels,
          { id: 'C0FOREIGN', name: 'partners', is_ext_shared: true, is_member: true },
          { id: 'C0LONELY', name: 'lonely', is_member: false },
        ],
      },
    });
    okta = await startOktaServer({
      seed: {
        ...oktaSeed(),
        groups: [
          ...oktaSeed().groups,
          { id: '00gappmastered000001', name: 'app-mastered', type: 'APP_GROUP' },
          { id: '00gfedbyarule0000001', name: 'fed-by-rule' },
        ],
        rules: [{ id: '0prrule', name: 'all engineers', status: 'ACTIVE', groupIds: ['00gfedbyarule0000001'] }],
      },
    });
  });
  afterAll(async () => {
    await slack.close();
    await okta.close();
  });

  const asked = () => ({ ...quiet(), ...chat, SLACK_API_URL: slack.url });

  it('says who is in each group today and that the bot is in its channels', async () => {
    await write(configuration(okta.url));
    const { code, stdout, stderr } = await hallpass(['check'], asked());
    expect(stdout).toMatch(/ok {6}group prod-db-read in okta: members now: pat@example\.com/);
    expect(stdout).toMatch(/ok {6}group prod-db-admin in okta: nobody is a member now/);
    expect(stdout).toMatch(/ok {6}rate limit of okta: calls a minute: .*groups 600.*one token or app/);
    expect(stdout).toMatch(/ok {6}Slack: workspace Sandbox/);
    expect(stdout).toMatch(/ok {6}channel C0APPROVALS: #access-approvals/);
    expect(stdout).toMatch(/ok {6}line 2 {2}admins\[0\]: group security in okta: 00gsecurity/);
    expect(stdout).toMatch(/ok {6}line \d+ {2}onCall\.dba\.people\[0\]: ben@example\.com: 00u/);
    expect(stdout).toMatch(/ok {6}on-call source dba: on call now: ben@example\.com, cat@example\.com/);
    expect(stdout).not.toContain('PROBLEM');
    expect(stderr).toBe('');
    expect(code).toBe(0);
    expect(slack.state.messages).toEqual([]);
  });

  it('says everything that is wrong with groups and channels, and what is right beside it', async () => {
    const role = (name: string, group: string, channel: string) => `  ${name}:
    title: ${name}
    channel: ${channel}
    roles:
      read: { grants: [ { directory: okta, group: ${group} } ], policy: standard }
`;
    const more = [
      role('missing', 'prod-db-owner', 'C0NOWHERE'),
      role('owned', 'app-mastered', 'C0FOREIGN'),
      role('fed', 'fed-by-rule', 'C0LONELY'),
    ];
    const named = configuration(okta.url)
      // By its id here and by its name in `admins`: the file alone cannot know that they are one.
      .replace('group: prod-db-admin', `group: ${GROUPS.security}`)
      .replace('viewers:    [ group:okta/engineering ]', 'viewers:    [ group:okta/enginering ]')
      .replace(/dba: \{ type: static.*\}/, 'dba: { type: static, people: [ ben@example.com, nobody@example.com ] }')
      .replace(
        'onCall:\n',
        `onCall:
  later: { type: slack-user-group, group: S0GONE }
  future: { type: static, rotation: { people: [ ben@example.com, cat@example.com ], from: '2099-01-01 09:00', every: 1w } }
`,
      );
    await write(`${named}${more.join('')}`);
    const { code, stdout } = await hallpass(['check'], asked());
    expect(code).toBe(1);
    for (const words of [
      /PROBLEM group prod-db-owner in okta: there is no such group/,
      /PROBLEM group app-mastered in okta: .*app/i,
      /PROBLEM group fed-by-rule in okta: .*rule/,
      /PROBLEM channel C0LONELY: the bot is not in it; invite it there/,
      /PROBLEM channel C0FOREIGN: it is shared with another organisation/,
      /PROBLEM channel C0NOWHERE: .*channel_not_found/,
      /PROBLEM line 2 {2}admins\[0\]: group security in okta: db-prod:admin grants this very group .*authority/,
      /PROBLEM line 4 {2}viewers\[0\]: group enginering in okta: there is no such group/,
      /warning on-call source future: nobody is on call now/,
      /PROBLEM line 13 {2}onCall\.dba\.people\[1\]: nobody@example\.com: the directory has nobody/,
      /PROBLEM on-call source later: /,
      /warning on-call source dba: on call now: .*nobody@example\.com: not an active login/,
      /ok {6}group prod-db-read in okta/,
      /ok {6}channel C0APPROVALS/,
    ])
      expect(stdout).toMatch(words);
    expect(stdout.match(/PROBLEM/g)).toHaveLength(10);
  });

  it('a token that Okta refuses is a problem, and everything else is still checked', async () => {
    await write(configuration(okta.url));
    const { code, stdout } = await hallpass(['check'], { ...asked(), OKTA_TOKEN: 'wrong-okta-token' });
    expect(code).toBe(1);
    expect(stdout).toMatch(/PROBLEM directory okta: IT REFUSES THE CREDENTIAL\./);
    expect(stdout).toMatch(/PROBLEM group prod-db-read in okta: .*(401|token|credential)/i);
    expect(stdout).toMatch(/ok {6}channel C0SECURITY/);
    expect(stdout).not.toContain('wrong-okta-token');
  });

  it('a directory and a Slack that do not answer are problems, said soon', async () => {
    const startedAt = performance.now();
    const { code, json } = await hallpass(['check', '--json'], {
      ...quiet(),
      ...chat,
      SLACK_API_URL: `${NOWHERE}/api/`,
    });
    expect(code).toBe(1);
    expect(json).toMatchObject({ ok: false });
    const all = json.asked as readonly { what: string; ok: boolean; why?: string }[];
    expect(all.map((one) => one.what)).toEqual(expect.arrayContaining(['group prod-db-read in okta', 'Slack']));
    for (const one of all) expect(one).toMatchObject({ ok: false, why: expect.any(String) });
    expect(performance.now() - startedAt).toBeLessThan(10_000);
  });

  it('a token that Slack refuses is a problem, said soon', async () => {
    await write(configuration(okta.url));
    const { code, stdout } = await hallpass(['check'], { ...asked(), SLACK_BOT_TOKEN: 'xoxb-wrong' });
    expect(code).toBe(1);
    expect(stdout).toMatch(/PROBLEM Slack: .*invalid_auth/);
    expect(stdout).not.toContain('xoxb-wrong');
  });
});

describe('schema', () => {
  it('is a JSON Schema that takes the sandbox’s configuration and refuses a bad one', async () => {
    const { code, stdout } = await hallpass(['schema']);
    expect(code).toBe(0);
    const ajv = new Ajv({ strict: false, allErrors: true });
    const validate = ajv.compile(JSON.parse(stdout) as object);
    expect(validate(parse(configuration('https://acme.okta.com')))).toBe(true);
    expect(validate(parse(BAD))).toBe(false);
    expect((await hallpass(['schema', '--json'])).stdout).toContain('"$schema"');
  });
});

describe('manifest slack', () => {
  it('names the command it is told, in YAML and in JSON', async () => {
    const args = ['manifest', 'slack', '--command', '/hallpass', '--base-url', 'https://hallpass.example'];
    const { code, stdout } = await hallpass(args);
    expect(code).toBe(0);
    const yaml = parse(stdout) as { features: { slash_commands: readonly { command: string; url: string }[] } };
    expect(yaml.features.slash_commands[0]).toMatchObject({
      command: '/hallpass',
      url: 'https://hallpass.example/slack/events',
    });
    const { json } = await hallpass([...args, '--json']);
    expect(json).toEqual(yaml);
  });

  it('takes the address from HALLPASS_BASE_URL, needs none in socket mode, and otherwise asks for it', async () => {
    const { stdout } = await hallpass(['manifest', 'slack'], { HALLPASS_BASE_URL: 'https://from.env.example' });
    expect(stdout).toContain('https://from.env.example/slack/events');
    expect(stdout).toContain('command: /access');
    const socket = await hallpass(['manifest', 'slack', '--socket-mode']);
    expect(socket.code).toBe(0);
    expect(socket.stdout).not.toContain('request_url');
    const none = await hallpass(['manifest', 'slack', '--json']);
    expect(none.code).toBe(1);
    expect(none.json).toEqual({ ok: false, error: 'no base URL' });
  });
});

describe.each(['sqlite', 'postgres'] as const)('migrate, on %s', (dialect) => {
  let database: TestDatabase;
  beforeEach(async () => {
    database = await bareDatabase(dialect);
  });
  afterEach(() => database.drop());

  it('brings an empty database up to date, and leaves it be the second time', async () => {
    // Neither Slack nor a directory is needed.
    const env = { ...quiet(), DATABASE_URL: database.url };
    const first = await hallpass(['migrate'], env);
    expect(first).toMatchObject({ code: 0, stderr: '' });
    expect(first.stdout).toMatch(/^Applied: /);
    const second = await hallpass(['migrate', '--json'], env);
    expect(second.code).toBe(0);
    expect(second.json).toEqual({ ok: true, applied: [] });
  });

  it('run twice at once applies everything once', async () => {
    const env = { ...quiet(), DATABASE_URL: database.url };
    const both = await Promise.all([hallpass(['migrate', '--json'], env), hallpass(['migrate', '--json'], env)]);
    expect(both.map(({ code, stderr }) => ({ code, stderr }))).toEqual([
      { code: 0, stderr: '' },
      { code: 0, stderr: '' },
    ]);
    const applied = both.flatMap(({ json }) => json.applied as readonly string[]);
    expect(new Set(applied).size).toBe(applied.length);
    expect(applied.length).toBeGreaterThan(0);
  });
});

describe('start', () => {
  let slack: SlackServer;
  let okta: OktaServer;
  beforeEach(async () => {
    slack = await startSlackServer({ seed: slackSeed() });
    okta = await startOktaServer({ seed: oktaSeed() });
    await write(configuration(okta.url));
  });
  afterEach(async () => {
    await slack.close();
    await okta.close();
  });
  const live = () => ({ ...quiet(), ...chat, SLACK_API_URL: slack.url, PORT: '0' });

  async function up() {
    const started = startHallpass(['start'], live());
    const { port } = JSON.parse(await started.said(/"listening"/)) as { port: number };
    return { started, url: `http://127.0.0.1:${port}`, port };
  }

  it('serves its health, and stops on SIGTERM with exit 0 and nothing left behind', async () => {
    const { started, url } = await up();
    const alive = await fetch(`${url}/healthz`);
    expect([alive.status, await alive.json()]).toEqual([200, { status: 'alive' }]);
    await expect
      .poll(async () => (await fetch(`${url}/readyz`)).json())
      .toMatchObject({
        status: 'ready',
        degraded: [],
        removalsOutstanding: 0,
      });
    const metrics = await fetch(`${url}/metrics`);
    expect(metrics.status).toBe(200);
    expect(await metrics.text()).toMatch(/^# HELP hallpass_/m);

    // SIGHUP reads the file again: one with a mistake changes nothing and is said, a good one holds.
    const why = async () =>
      ((await (await fetch(`${url}/readyz`)).json()) as { degraded: readonly { what: string }[] }).degraded;
    await write(configuration(okta.url).replace('max: 4h', 'max: long'));
    started.stop('SIGHUP');
    await started.said(/"the configuration was not taken/);
    expect(await why()).toMatchObject([{ what: 'configuration' }]);
    await write(configuration(okta.url).replace('max: 4h', 'max: 2h'));
    started.stop('SIGHUP');
    await started.said(/"the configuration was read again/);
    expect(await why()).toEqual([]);

    const askedAt = performance.now();
    started.stop();
    const { code, stdout, stderr } = await started.ended;
    expect(code).toBe(0);
    expect(performance.now() - askedAt).toBeLessThan(10_000);
    expect(stdout).toMatch(/"stopped"/);
    expect(stderr).toBe('');
    // The database is closed in order: nothing has to be recovered from its log.
    expect(existsSync(join(folder, 'hallpass.db'))).toBe(true);
    expect(existsSync(join(folder, 'hallpass.db-wal'))).toBe(false);
    await expect(fetch(`${url}/healthz`)).rejects.toThrow();
  });

  it('says on /readyz what is wrong with Slack, and is up all the same', async () => {
    await slack.control({ do: 'down', down: true });
    const { started, url } = await up();
    await expect
      .poll(async () => JSON.stringify(await (await fetch(`${url}/readyz`)).json()))
      .toMatch(/"status":"degraded".*"what":"slack"/);
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
    started.stop();
    expect((await started.ended).code).toBe(0);
  });

  it('stops within ten seconds while Okta hangs, and goes on where it was when started again', async () => {
    const first = await up();
    const person = (name: 'ana' | 'ben', botUrl: string) =>
      createPerson(slack, { signingSecret: SECRETS.signingSecret, botUrl, userId: PEOPLE[name].slack });
    await expect.poll(async () => (await fetch(`${first.url}/readyz`)).text()).toMatch(/"ready"/);
    await (await person('ana', first.url).slash('request db-prod 30m fix stuck migration')).said(6_000);
    const card = await slack.waitFor((state) => state.messages.find(({ channel }) => channel === APPROVALS), 6_000);
    okta.control({ do: 'fault', fault: { kind: 'hang', method: 'PUT' } });
    await (await person('ben', first.url).press(card, 'approve')).said(6_000);
    await expect.poll(() => okta.state().log.some(({ method }) => method === 'PUT'), { timeout: 5_000 }).toBe(true);

    const askedAt = performance.now();
    first.started.stop();
    expect((await first.started.ended).code).toBe(0);
    expect(performance.now() - askedAt).toBeLessThan(10_000);
    expect(okta.isMember(GROUPS.read, PEOPLE.ana.okta)).toBe(false);

    okta.control({ do: 'clear' });
    const second = await up();
    await slack.waitFor(
      (state) => state.messages.find((message) => /Added to .*\(checked\)/.test(textOf(message))),
      60_000,
      'the addition that was under way',
    );
    expect(okta.isMember(GROUPS.read, PEOPLE.ana.okta)).toBe(true);
    second.started.stop();
    expect((await second.started.ended).code).toBe(0);
  }, 90_000);

  it('with a bad file exits 1, says every problem and touches nothing', async () => {
    await write(BAD);
    const { code, stdout } = await hallpass(['start'], live());
    expect(code).toBe(1);
    expect(stdout).toMatch(/line 1:\d+ {2}timezone:/);
    expect(stdout).toMatch(/line 3:\d+ {2}colour:/);
    expect(existsSync(join(folder, 'hallpass.db'))).toBe(false);
  });

  it('without its secrets exits 1 and names each variable', async () => {
    const { code, stdout } = await hallpass(['start'], { HALLPASS_CONFIG: path, PORT: 'http' });
    expect(code).toBe(1);
    for (const name of ['SLACK_BOT_TOKEN', 'SLACK_SIGNING_SECRET', 'OKTA_TOKEN', 'env.PORT'])
      expect(stdout).toContain(name);
  });

  it('on a port that is taken exits 1 and says which', async () => {
    const first = await up();
    const env = { ...live(), PORT: String(first.port), DATABASE_URL: `sqlite:${join(folder, 'other.db')}` };
    const second = await hallpass(['start'], env);
    expect(second.code).toBe(1);
    expect(second.stderr).toMatch(new RegExp(`port ${first.port} is in use.*PORT`, 'i'));
    expect(second.stderr).not.toMatch(/\n {4}at /);
    // The first one does not mind.
    expect((await fetch(`${first.url}/healthz`)).status).toBe(200);
    first.started.stop();
    expect((await first.started.ended).code).toBe(0);
  });

  it('on a port that somebody else has taken leaves the database closed', async () => {
    const other = createServer().listen(0);
    await new Promise((listening) => other.once('listening', listening));
    const address = other.address();
    const port = typeof address === 'object' ? String(address?.port) : '';
    const { code } = await hallpass(['start'], { ...live(), PORT: port });
    await new Promise((closed) => other.close(closed));
    expect(code).toBe(1);
    expect(existsSync(join(folder, 'hallpass.db-wal'))).toBe(false);
  });
});
