/**
 * Which tokens of pipelines become a session, and whose. The promise: only what the named issuer signed for us, now,
 * once, for a job that the configuration means; and whoever set the job off is known.
 */
import { randomBytes } from 'node:crypto';
import { exportJWK, generateKeyPair, SignJWT, UnsecuredJWT } from 'jose';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Refusal } from '../../src/access/command.ts';
import type { Person } from '../../src/access/model.ts';
import { PeopleError } from '../../src/access/ports.ts';
import type { WorkloadSession, Workloads } from '../../src/access/workload.ts';
import { type WorkloadSection, workloadSection } from '../../src/people/workload-section.ts';
import { createWorkloads } from '../../src/people/workloads.ts';
import type { OpenStore } from '../../src/store/database.ts';
import { person } from '../support/builders.ts';
import { freshDatabase, type TestDatabase } from '../support/databases.ts';
import { AUDIENCE, createIssuer, GITHUB, GITLAB, githubClaims, gitlabClaims, type Issuer } from '../support/issuer.ts';
import { openTestStore, sha256 } from '../support/open-store.ts';

const NOW = Date.UTC(2026, 2, 10, 9, 0);
const service = person('svc-deploy', { name: 'svc-deploy' });
const ana = person('ana', { name: 'Ana Sousa' });

let gitlab: Issuer;
let sections: Record<string, WorkloadSection & { audience: string }>;
let people: Map<string, Person>;
let store: OpenStore;
let now: number;
let workloads: Workloads;

function section(more: object): WorkloadSection & { audience: string } {
  const parsed = workloadSection.parse({
    issuer: GITHUB,
    match: { repository_id: '4001', environment: 'production', ref_protected: true },
    directoryUser: service.email,
    onBehalfOf: 'actor',
    actors: { '7001': ana.email },
    ...more,
  });
  return { ...parsed, audience: parsed.audience ?? AUDIENCE };
}

/** As one more process on the same database. */
function replica(): Workloads {
  return createWorkloads({
    sections: () => sections,
    people: {
      async stated(email) {
        const found = people.get(email);
        if (found === undefined) throw new PeopleError('unmapped', `nobody has the login ${email}`);
        if (!found.active) throw new PeopleError('deactivated', `${email} is deactivated`);
        return found;
      },
    },
    store,
    clock: { now: () => now },
    wallClock: () => now,
    ids: { opaque: () => randomBytes(16).toString('hex'), hash: sha256 },
    metrics: { count: () => undefined, observe: () => undefined },
    fetch: (address, options) =>
      String(address).startsWith(GITLAB) ? gitlab.fetch(address, options) : github.fetch(address, options),
  });
}

let github: Issuer;
let database: TestDatabase;

beforeAll(async () => {
  now = NOW;
  database = await freshDatabase('sqlite');
  store = await openTestStore(database.url, () => now);
  github = await createIssuer(GITHUB, () => githubClaims(now));
  gitlab = await createIssuer(GITLAB, () => gitlabClaims(now), { alg: 'ES256' });
});

afterAll(async () => {
  await store.close();
  await database.drop();
});

beforeEach(() => {
  now = NOW;
  sections = {
    deploy: section({}),
    release: section({
      issuer: GITLAB,
      match: { project_id: 55, ref_protected: true },
      actors: { '8001': ana.email },
    }),
  };
  people = new Map([service, ana].map((one) => [one.email, one]));
  workloads = replica();
});

async function begun(name: string, token: string): Promise<WorkloadSession> {
  const session = await workloads.exchange(name, token);
  if ('refusal' in session) throw new Error(`refused: ${JSON.stringify(session.refusal)}`);
  return session;
}

async function fault(token: string | Promise<string>, name = 'deploy'): Promise<string> {
  const answer = await workloads.exchange(name, await token);
  if (!('refusal' in answer)) return 'begun';
  const { refusal }: { refusal: Refusal } = answer;
  return refusal.code === 'workload_refused' ? refusal.fault : refusal.code;
}

test("a job of GitHub's becomes its service person, for whoever set it off, for six hours at most", async () => {
  const given = await begun('deploy', await github.token());
  expect(given).toMatchObject({
    person: 'svc-deploy',
    expiresAt: NOW + 6 * 3_600_000,
    workload: {
      name: 'deploy',
      run: 'github/4001/1234/1',
      runName: 'run 1234',
      runUrl: 'https://github.com/acme/shop/actions/runs/1234',
      onBehalfOf: { person: ana.id, name: 'Ana Sousa' },
    },
  });
  const session = await store.sessionBySecret(sha256(given.secret));
  expect(session).toMatchObject({ id: given.id, kind: 'workload', person: service.id, workload: given.workload });
  expect(session?.scopes).toEqual(['requests:read', 'requests:write', 'grants:write']);
  const trail = JSON.stringify(await store.chain(0, 10));
  expect(trail).toContain('session.began');
  expect(trail).not.toContain(given.secret);
});

test("a job of GitLab's does too, by the number of its project", async () => {
  expect((await begun('release', await gitlab.token())).workload).toMatchObject({
    run: 'gitlab/55/900/901',
    runName: 'job 901',
    runUrl: 'https://gitlab.example.com/acme/shop/-/jobs/901',
    onBehalfOf: { person: ana.id },
  });
});

test('where the workload does not ask who set it off, nobody has to be mapped', async () => {
  sections.deploy = section({ onBehalfOf: undefined, actors: undefined });
  expect((await begun('deploy', await github.token({ actor_id: '1' }))).workload.onBehalfOf).toBeUndefined();
});

test('a forged token is refused: the key is not the issuer’s', async () => {
  const forger = await createIssuer(GITHUB, () => githubClaims(now));
  expect(await fault(forger.token())).toBe('token_invalid');
});

test('a token that nobody signed is refused', async () => {
  expect(await fault(new UnsecuredJWT(githubClaims(now)).encode())).toBe('token_invalid');
});

test('a token that was signed with the public key as a shared secret is refused', async () => {
  const { publicKey } = await generateKeyPair('RS256', { extractable: true });
  const secret = new TextEncoder().encode(JSON.stringify(await exportJWK(publicKey)));
  const token = await new SignJWT(githubClaims(now)).setProtectedHeader({ alg: 'HS256' }).sign(secret);
  expect(await fault(token)).toBe('token_invalid');
});

test('a token of another issuer is refused, and its keys are not asked for', async () => {
  expect(await fault(gitlab.token())).toBe('foreign_issuer');
  expect(await fault(github.token({ iss: 'https://evil.example' }))).toBe('foreign_issuer');
  const forger = await createIssuer(GITHUB, () => githubClaims(now));
  expect(await fault(forger.token({ iss: GITLAB }), 'release')).toBe('token_invalid');
});

test('a token of another repository is refused, whatever it is called', async () => {
  expect(await fault(github.token({ repository_id: '4002' }))).toBe('no_match');
});

test('a token of another environment, or of a branch that anybody may push, is refused', async () => {
  expect(await fault(github.token({ environment: 'staging' }))).toBe('no_match');
  expect(await fault(github.token({ environment: null }))).toBe('no_match');
  expect(await fault(github.token({ ref_protected: 'false' }))).toBe('no_match');
});

test('a token of a pull request is refused unless the workload names it', async () => {
  for (const event of ['pull_request', 'pull_request_target', 'pull_request_review', 'issue_comment', 'workflow_run'])
    expect(await fault(github.token({ event_name: event }))).toBe('pull_request');
  expect(await fault(gitlab.token({ pipeline_source: 'merge_request_event' }), 'release')).toBe('pull_request');
  sections.deploy = section({
    match: { repository_id: '4001', environment: 'production', event_name: ['push', 'pull_request'] },
  });
  expect(await fault(github.token({ event_name: 'pull_request' }))).toBe('begun');
});

test('a token that is over is refused, and so is one from tomorrow', async () => {
  const seconds = NOW / 1000;
  expect(await fault(github.token({ exp: seconds - 31 }))).toBe('expired');
  expect(await fault(github.token({ nbf: seconds + 60 }))).toBe('token_invalid');
  expect(await fault(github.token({ iat: seconds - 2 * 86_400, exp: seconds + 60 }))).toBe('expired');
  expect(await fault(github.token({ exp: seconds + 2 * 86_400 }))).toBe('token_invalid');
});

test('a token without an id, an age or an end is refused', async () => {
  for (const claim of ['jti', 'iat', 'exp']) expect(await fault(github.token({ [claim]: null }))).toBe('token_invalid');
});

test('a token for another audience is refused, the one that GitHub gives by itself too', async () => {
  expect(await fault(github.token({ aud: 'https://github.com/acme' }))).toBe('wrong_audience');
});

test('a token serves once: given in again it is refused, by another process too', async () => {
  const before = (await store.sessions({ limit: 100 })).length;
  const token = await github.token();
  expect(await fault(token)).toBe('begun');
  expect(await fault(token)).toBe('replayed');
  const other = await replica().exchange('deploy', token);
  expect(other).toMatchObject({ refusal: { fault: 'replayed' } });
  expect(await store.sessions({ limit: 100 })).toHaveLength(before + 1);
});

test('of two processes that get the same token at the same moment one gives a session', async () => {
  const before = (await store.sessions({ limit: 100 })).length;
  const token = await github.token();
  const both = await Promise.all([workloads.exchange('deploy', token), replica().exchange('deploy', token)]);
  expect(both.filter((one) => 'secret' in one)).toHaveLength(1);
  expect(await store.sessions({ limit: 100 })).toHaveLength(before + 1);
});

test('an account that nobody is mapped to is refused, and so is a run that somebody does again', async () => {
  expect(await fault(github.token({ actor_id: '7002' }))).toBe('unmapped_actor');
  expect(await fault(github.token({ run_attempt: '2' }))).toBe('run_again');
});

test('a human or a service person whose account is not active sets nothing off', async () => {
  people.set(ana.email, { ...ana, active: false });
  expect(await fault(github.token())).toBe('not_recognised');
  people.set(ana.email, ana).set(service.email, { ...service, active: false });
  expect(await fault(github.token())).toBe('not_recognised');
});

test('no workload of that name is none, whatever its name', async () => {
  for (const name of ['unheard', 'constructor', '__proto__'])
    expect(await fault(github.token(), name)).toBe('not_configured');
});

test('while the keys cannot be had nothing is believed, and they are not asked for again by each token', async () => {
  github.down = true;
  expect(await fault(github.token())).toBe('cannot_check');
  github.down = false;
  expect(await fault(github.token())).toBe('cannot_check');
  now += 6_000;
  expect(await fault(github.token())).toBe('begun');
});

test('tokens with keys that nobody has heard of do not make it ask for keys each time', async () => {
  const forger = await createIssuer(GITHUB, () => githubClaims(now), { keyId: 'unheard-of' });
  expect(await fault(github.token())).toBe('begun');
  const before = github.fetched;
  for (let i = 0; i < 5; i++) expect(await fault(forger.token())).toBe('token_invalid');
  expect(github.fetched - before).toBeLessThanOrEqual(1);
});
