/** Which pipelines may ask is judged with the file: by what cannot be renamed, and not from any branch. */
import { describe, expect, test } from 'vitest';
import { type Loaded, loadConfig } from '../src/config.ts';

const GOOD = `directories:
  okta: { type: okta, url: https://acme.okta.com, auth: { token: "\${OKTA_TOKEN}" } }
workloads:
  deploy:
    issuer: https://token.actions.githubusercontent.com
    match: { repository_id: '4001', environment: production, ref_protected: true }
    directoryUser: svc-deploy@acme.com
    onBehalfOf: actor
    actors: { '7001': ana@acme.com }
policies:
  deploys:
    requesters: [ workload:deploy ]
    approvers: [ group:okta/dba-leads ]
resources:
  db-prod:
    roles:
      migrate: { grants: [ { directory: okta, group: prod-db-migrate } ], policy: deploys }
`;

function load(
  text: string,
  given: { readonly HALLPASS_BASE_URL?: string } = { HALLPASS_BASE_URL: 'https://hallpass.acme.com' },
): Loaded {
  const env = { OKTA_TOKEN: 'token', ...given };
  return loadConfig({ env, readFile: () => text });
}

const edit = (from: string, to: string) => {
  if (!GOOD.includes(from)) throw new Error(`the good file has no ${from}`);
  return GOOD.replace(from, to);
};

test('a workload is read with the audience of its tokens, and named by a policy', () => {
  const loaded = load(GOOD);
  expect(loaded.ok ? loaded.settings.workloads : loaded.problems).toMatchObject({
    deploy: {
      audience: 'https://hallpass.acme.com',
      match: { repository_id: '4001', environment: ['production'], ref_protected: true },
      actors: { '7001': 'ana@acme.com' },
    },
  });
  if (!loaded.ok) return;
  expect(loaded.settings.catalog.resources['db-prod']?.roles.migrate?.policy.requesters).toEqual([
    { kind: 'workload', workload: 'deploy' },
  ]);
  expect(loaded.settings.named.map(({ path }) => path)).toContain('workloads.deploy.directoryUser');
});

describe('refused, with line and path', () => {
  const match = "match: { repository_id: '4001', environment: production, ref_protected: true }";
  test.each<[string, string, { line: number; path: string; message: RegExp }]>([
    [
      'a match by a name, which somebody else may have tomorrow',
      edit(match, 'match: { repository: acme/shop, environment: production }'),
      { line: 6, path: 'workloads.deploy.match.repository', message: /unknown key/ },
    ],
    [
      'a match without an id',
      edit(match, 'match: { environment: production }'),
      { line: 6, path: 'workloads.deploy.match', message: /taken over/ },
    ],
    [
      'a name in the place of an id',
      edit("'4001'", 'acme/shop'),
      { line: 6, path: 'workloads.deploy.match.repository_id', message: /number/ },
    ],
    [
      'any branch',
      edit(match, "match: { repository_id: '4001' }"),
      { line: 6, path: 'workloads.deploy.match', message: /any branch/ },
    ],
    [
      'claims of two platforms',
      edit(match, "match: { repository_id: '4001', project_id: '55', ref_protected: true }"),
      { line: 6, path: 'workloads.deploy.match', message: /GitHub and of GitLab/ },
    ],
    [
      'an issuer that anybody on the way could speak for',
      edit('https://token', 'http://token'),
      { line: 5, path: 'workloads.deploy.issuer', message: /https/ },
    ],
    [
      'an actor by name',
      edit("'7001'", 'ana'),
      { line: 9, path: 'workloads.deploy.actors.ana', message: /number of an account/ },
    ],
    [
      'an actor that nobody could be',
      edit("    actors: { '7001': ana@acme.com }\n", ''),
      { line: 4, path: 'workloads.deploy', message: /nobody could be the actor/ },
    ],
    [
      'a pipeline that approves',
      edit('group:okta/dba-leads', 'workload:deploy'),
      { line: 13, path: 'policies.deploys.approvers[0]', message: /may ask for access, and nothing else/ },
    ],
    [
      'a pipeline that there is not',
      edit('workload:deploy', 'workload:deploi'),
      { line: 12, path: 'policies.deploys.requesters[0]', message: /deploi/ },
    ],
  ])('%s', (_name, text, wanted) => {
    const loaded = load(text);
    const { message, ...place } = wanted;
    expect(loaded.ok ? [] : loaded.problems).toContainEqual(
      expect.objectContaining({ ...place, message: expect.stringMatching(message) }),
    );
  });

  test('tokens that are made out for nobody', () => {
    const loaded = load(GOOD, {});
    expect(loaded.ok ? [] : loaded.problems).toMatchObject([{ path: 'workloads.deploy', line: 4 }]);
  });
});
