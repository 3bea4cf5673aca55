/** The section of `hallpass.yaml` that says which jobs of which pipelines may ask, and as whom. */
import { z } from 'zod';
import { isServiceUrl } from './asking.ts';

const DIGITS = /^\d{1,20}$/;

/** YAML reads an id without quotes as a number; a long one would have lost digits by then. */
const id = z
  .union([
    z.string().regex(DIGITS, 'must be the number by which the platform knows it, not its name'),
    z.int('must be the number by which the platform knows it, in quotes').nonnegative().transform(String),
  ])
  .describe('The immutable number, in quotes.');

const text = z.string().min(1).max(300);
const oneOrMore = z.union([text.transform((one) => [one]), z.array(text).min(1).max(20)]);
const protectedRef = z.literal(true).optional().describe('The job runs on a protected branch or tag.');

const match = z
  .strictObject({
    repository_id: id.optional().describe('GitHub: the repository, by its number.'),
    repository_owner_id: id.optional().describe('GitHub: the owner of the repository, by its number.'),
    event_name: oneOrMore
      .optional()
      .describe(
        'GitHub: what set the job off. What strangers can set off (pull requests, issues, forks, runs that follow others) is refused unless named here.',
      ),
    job_workflow_ref: oneOrMore.optional().describe('GitHub: the reusable workflow, with its ref.'),
    project_id: id.optional().describe('GitLab: the project, by its number.'),
    namespace_id: id.optional().describe('GitLab: the group or user that holds the project, by its number.'),
    pipeline_source: oneOrMore
      .optional()
      .describe('GitLab: what set the pipeline off. Merge requests are refused unless named here.'),
    environment: oneOrMore.optional().describe('The environment that the job deploys to.'),
    ref_protected: protectedRef,
  })
  .describe('What the claims of its token must be; all of them.');

const GITHUB = ['repository_id', 'repository_owner_id', 'event_name', 'job_workflow_ref'] as const;
const GITLAB = ['project_id', 'namespace_id', 'pipeline_source'] as const;
const IMMUTABLE = ['repository_id', 'repository_owner_id', 'project_id', 'namespace_id'] as const;

export const workloadSection = z
  .strictObject({
    issuer: z
      .string()
      .refine(isIssuer, 'must be an https:// address (http:// only on loopback)')
      .describe('Who signs the tokens of its jobs: https://token.actions.githubusercontent.com, https://gitlab.com.'),
    audience: text.optional().describe('For whom a token must be made out. Default: HALLPASS_BASE_URL.'),
    match,
    directoryUser: z.email().describe('Its service person in the first directory: this one joins the groups.'),
    onBehalfOf: z
      .literal('actor')
      .optional()
      .describe('`actor`: whoever set the job off counts as requester too, and must be in `actors`.'),
    actors: z
      .record(
        z.string().regex(DIGITS, 'must be the number of an account (actor_id, user_id), not its name'),
        z.email().describe('The email or login in the first directory.'),
      )
      .optional()
      .describe('Who an account of the platform is, by its immutable number.'),
  })
  .superRefine(({ match: wanted, onBehalfOf, actors }, context) => {
    const problem = (path: string[], message: string, instead: string) =>
      context.addIssue({ code: 'custom', path, message, params: { instead } });
    const named = Object.keys(wanted);
    if (!IMMUTABLE.some((key) => named.includes(key)))
      problem(
        ['match'],
        'names can be renamed and taken over: it needs an id that cannot',
        'repository_id (GitHub) or project_id (GitLab)',
      );
    if (GITHUB.some((key) => named.includes(key)) && GITLAB.some((key) => named.includes(key)))
      problem(['match'], 'no token has claims of GitHub and of GitLab', 'one workload for each');
    if (wanted.environment === undefined && wanted.ref_protected === undefined)
      problem(
        ['match'],
        'any branch that somebody pushes would match',
        'ref_protected: true, or the environment that the job deploys to',
      );
    if (onBehalfOf === 'actor' && Object.keys(actors ?? {}).length === 0)
      problem([], 'nobody could be the actor', "actors: { '1234567': ann@acme.com }");
  })
  .describe('Jobs of a pipeline that may ask for access, and the service person they act as.');

export type WorkloadSection = z.output<typeof workloadSection>;

function isIssuer(value: string): boolean {
  if (!URL.canParse(value)) return false;
  const { origin, search, hash, username, password } = new URL(value);
  return search === '' && hash === '' && username === '' && password === '' && isServiceUrl(origin);
}
