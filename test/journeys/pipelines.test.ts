/**
 * Pipelines from end to end: an issuer signs tokens over a socket, jobs give them in with the very shell that users copy,
 * somebody approves in Slack, and the directory shows what came of it. The command line is a process of its own.
 */
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { button, messagesIn, textOf } from '../../src/sandbox/slack-reading.ts';
import type { SlackMessage } from '../../src/sandbox/slack-state.ts';
import { endAll, startHallpass } from '../support/cli.ts';
import { createIssuer, githubClaims, gitlabClaims, type Issuer } from '../support/issuer.ts';
import { APPROVALS, GROUPS, type Journey, PEOPLE, startJourney } from '../support/journey.ts';

const ROOT = join(import.meta.dirname, '../..');
const SERVICE = { id: '00usvc00000000000001', email: 'svc-deploy@example.com' };
const WAIT_MS = 15_000;

let journey: Journey;
let issuer: Issuer;
let server: Server;
let folder: string;
let url: string;
/** What the platform says of the job that asks for a token. */
let claims: Record<string, unknown>;

/** The issuer's own endpoint for jobs, as GitHub's runners find it, beside its keys. */
async function startIssuer(): Promise<void> {
  server = createServer((request, response) => {
    const asked = new URL(request.url ?? '/', issuer.url);
    const answer = async (): Promise<string> => {
      if (asked.pathname !== '/token') return await (await issuer.fetch(asked.href)).text();
      if (request.headers.authorization !== 'bearer runner') return '{}';
      return JSON.stringify({ value: await issuer.token({ ...claims, aud: asked.searchParams.get('audience') }) });
    };
    void answer().then((text) => response.end(text));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const at = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  issuer = await createIssuer(at, () => ({ ...githubClaims(Date.now()), iss: at }));
}

const workloads = (yaml: string) =>
  `${yaml
    .replace(
      'policies:\n',
      `policies:\n  deploys: { extends: standard, requesters: [ workload:deploy, workload:release ] }\n`,
    )
    .replace(
      '    defaultRole: read\n',
      `      migrate: { grants: [ { directory: okta, group: prod-db-admin } ], policy: deploys }\n    defaultRole: read\n`,
    )}workloads:
  deploy:
    issuer: ${issuer.url}
    match: { repository_id: '4001', environment: production, ref_protected: true }
    directoryUser: ${SERVICE.email}
    onBehalfOf: actor
    actors: { '7001': ${PEOPLE.ben.email} }
  release:
    issuer: ${issuer.url}
    match: { project_id: '55', ref_protected: true }
    directoryUser: ${SERVICE.email}
    onBehalfOf: actor
    actors: { '8001': ${PEOPLE.ana.email} }
`;

beforeAll(startIssuer);
afterAll(() => new Promise<void>((resolve) => void server.close(() => resolve())));
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hallpass-pipeline-'));
  claims = {};
  journey = await startJourney('sqlite', {
    config: workloads,
    env: { HALLPASS_BASE_URL: 'https://hallpass.acme.example' },
    okta: {
      seed: (seed) => ({
        ...seed,
        users: [...seed.users, { id: SERVICE.id, login: SERVICE.email, email: SERVICE.email, name: 'svc-deploy' }],
      }),
    },
  });
  url = `http://127.0.0.1:${journey.bot.port}`;
});
afterEach(async () => {
  await endAll();
  await journey.end();
  await rm(folder, { recursive: true, force: true });
});

const isIn = () => journey.okta.isMember(GROUPS.admin, SERVICE.id);

interface Ran {
  readonly code: number | null;
  readonly stdout: string;
}

function shell(program: string, script: string, env: Readonly<Record<string, string>>): Promise<Ran> {
  const child = spawn(program, ['-c', script], {
    cwd: folder,
    env: { PATH: process.env['PATH'] ?? '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    stdout += chunk.toString();
  });
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, stdout })));
}

/** The message in which the newest pipeline's request waits. */
function card(): Promise<SlackMessage> {
  return journey.slack.waitFor(
    (state) =>
      messagesIn(state, APPROVALS).findLast(
        (message) => textOf(message).includes('svc-deploy') && button(message, 'approve') !== undefined,
      ),
    WAIT_MS,
    'the request of a pipeline',
  );
}

async function removed(): Promise<void> {
  await journey.posted(APPROVALS, /Removed from prod-db-admin .*checked/, WAIT_MS);
  expect(isIn()).toBe(false);
}

describe('the action for GitHub', () => {
  interface Action {
    readonly inputs: Readonly<Record<string, { readonly default?: string }>>;
    readonly runs: {
      readonly steps: readonly { readonly run: string; readonly env: Readonly<Record<string, string>> }[];
    };
  }

  async function run(inputs: Readonly<Record<string, string>>): Promise<Ran & { outputs: string }> {
    const action = parse(await readFile(join(ROOT, 'action.yml'), 'utf8')) as Action;
    const [step] = action.runs.steps;
    if (step === undefined) throw new Error('the action has no step');
    const given = { url, workload: 'deploy', audience: 'https://hallpass.acme.example', ...inputs };
    const filled = (expression: string) => {
      const name = /^\$\{\{ inputs\.([\w-]+) \}\}$/.exec(expression)?.[1] ?? '';
      return (given as Record<string, string>)[name] ?? action.inputs[name]?.default ?? '';
    };
    const output = join(folder, 'output');
    await writeFile(output, '');
    const ran = await shell('bash', step.run, {
      ...Object.fromEntries(Object.entries(step.env).map(([name, value]) => [name, filled(value)])),
      GITHUB_OUTPUT: output,
      ACTIONS_ID_TOKEN_REQUEST_URL: `${issuer.url}/token?x=1`,
      ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'runner',
    });
    return { ...ran, outputs: await readFile(output, 'utf8') };
  }

  test('asks, waits for somebody else than whoever set the job off, and gives back only its own at the end', async () => {
    const asking = run({ resource: 'db-prod:migrate', duration: '30m', reason: "migrate; echo 'orders' $(id)" });
    const waiting = await card();
    expect(textOf(waiting)).toContain('svc-deploy for Ben');
    expect(textOf(waiting)).toContain('deploy · run 1234');
    // Ben is on call and set the job off.
    const own = await journey.person('ben').press(waiting, 'approve');
    expect(textOf(await own.said())).toMatch(/your own/i);
    expect(isIn()).toBe(false);
    await journey.person('cat').press(waiting, 'approve');
    const asked = await asking;
    expect(asked.code, asked.stdout).toBe(0);
    expect(asked.outputs).toMatch(/^request=R-\w+\ngrant=G-\w+\nexpires-at=\d{4}-/);
    expect(asked.stdout).toMatch(/::add-mask::.*\n::add-mask::hps_/);
    expect(isIn()).toBe(true);

    claims = { run_id: '1235' };
    const other = await run({ mode: 'return' });
    expect([other.code, isIn()], other.stdout).toEqual([0, true]);
    claims = {};
    const back = await run({ mode: 'return' });
    expect(back.stdout).toMatch(/G-\w+ is given back/);
    await removed();
    const id = /R-\w+/.exec(asked.outputs)?.[0] ?? '';
    const made = (await journey.story(id)).find(({ kind }) => kind === 'request.made');
    expect(made?.actor).toMatchObject({ kind: 'person', via: { kind: 'workload' } });
    expect(made?.detail['workload']).toMatchObject({ name: 'deploy', onBehalfOf: `okta/${PEOPLE.ben.okta}` });
  });

  test('gets nothing any more once whoever set it off is frozen', async () => {
    const asking = run({ resource: 'db-prod:migrate', reason: 'migrate the orders' });
    await card();
    await journey.person('sam').slash(`freeze <@${PEOPLE.ben.slack}> lost laptop`);
    const { code, stdout } = await asking;
    expect([code, stdout]).toEqual([1, expect.stringMatching(/::error::Hallpass: R-\w+: .*frozen/)]);
    const again = await run({ resource: 'db-prod:migrate', reason: 'migrate the orders' });
    expect([again.code, again.stdout]).toEqual([1, expect.stringMatching(/frozen/)]);
  });

  test('fails with the reason where the job is none that is meant', async () => {
    claims = { event_name: 'pull_request' };
    const ran = await run({ resource: 'db-prod:migrate', reason: 'migrate the orders' });
    expect(ran.code).toBe(1);
    expect(ran.stdout).toMatch(/::error::Hallpass: .*pull_request/);
  });
});

test('the job for GitLab asks before its script and gives back after it', async () => {
  const file = parse(await readFile(join(ROOT, 'docs/examples/gitlab-ci.yml'), 'utf8')) as {
    '.hallpass': { before_script: string[]; after_script: string[]; variables: Record<string, string> };
  };
  const job = file['.hallpass'];
  const token = await issuer.token({ ...gitlabClaims(Date.now()), iss: issuer.url, repository_id: null, run_id: null });
  const env = {
    ...job.variables,
    HALLPASS_URL: url,
    HALLPASS_WORKLOAD: 'release',
    HALLPASS_ROLE: 'migrate',
    HALLPASS_REASON: 'migrate the orders',
    HALLPASS_ID_TOKEN: token,
    CI_JOB_ID: `${Date.now()}`,
  };
  const before = shell('sh', job.before_script.join('\n'), env);
  const waiting = await card();
  expect(textOf(waiting)).toContain('svc-deploy for Ana');
  await journey.person('ben').press(waiting, 'approve');
  const asked = await before;
  expect(asked.code, asked.stdout).toBe(0);
  expect(isIn()).toBe(true);
  const after = await shell('sh', job.after_script.join('\n'), env);
  expect(after.stdout).toMatch(/G-\w+ is given back/);
  await removed();
});

describe('hallpass run', () => {
  async function job(): Promise<string> {
    const answer = await fetch(`${url}/api/v1/workloads/deploy/session`, {
      method: 'POST',
      headers: { authorization: `Bearer ${await issuer.token()}` },
    });
    return ((await answer.json()) as { token: string }).token;
  }
  const start = async (script: string) =>
    startHallpass(['run', 'db-prod:migrate', '30m', 'migrate the orders', '--', 'sh', '-c', script], {
      HALLPASS_URL: url,
      HALLPASS_TOKEN: await job(),
      HOME: folder,
    });

  test('runs the command once the access is there, gives it back, and ends as the command did', async () => {
    const running = await start('echo "in, token: $HALLPASS_TOKEN"; exit 7');
    await journey.person('cat').press(await card(), 'approve');
    const { code, stdout, stderr } = await running.ended;
    expect(stdout).toBe('in, token: \n');
    expect(stderr).toMatch(/Asked: .*Cat.*\n.*is open until .*\n.*G-\w+ is given back/);
    expect(code).toBe(7);
    await removed();
  });

  test('hands a signal on and gives the access back all the same; before the answer it takes the request back', async () => {
    const running = await start("trap 'exit 3' TERM; echo ready; while :; do sleep 0.05; done");
    await journey.person('cat').press(await card(), 'approve');
    await running.said(/ready/);
    expect(isIn()).toBe(true);
    // As when its terminal is closed.
    running.deafen();
    running.stop('SIGTERM');
    expect((await running.ended).code).toBe(3);
    await removed();

    const early = await start('echo never');
    await card();
    early.stop('SIGINT');
    const ended = await early.ended;
    expect([ended.code, ended.stdout]).toEqual([130, '']);
    expect(ended.stderr).toMatch(/R-\w+ is cancelled/);
  });
});
