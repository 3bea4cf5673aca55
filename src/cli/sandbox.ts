/**
 * `hallpass sandbox`: the page, until it is stopped. `--tour`: the main job, played through and observed. `--outage`: a
 * directory that is away when access ends.
 */
import { type Problem, sandboxEnvironment } from '../config.ts';
import { type Away, type OutageStep, runOutage } from '../sandbox/outage.ts';
import { PAGE_PORT, startPage } from '../sandbox/page.ts';
import { runTour, type Step } from '../sandbox/tour.ts';
import { runTeamsTour } from '../sandbox/tour-teams.ts';
import { createWorld, PEOPLE, type WorldOptions } from '../sandbox/world.ts';
import { requestersIn } from '../store/peek.ts';
import { EXIT, type Out } from './out.ts';

/** Where the Playground is looked for; another free port when it is taken. */
const PLAYGROUND_PORT = 4401;

export async function sandboxCommand(
  io: Out,
  askedToStop: () => Promise<string>,
  wantedPort: number | undefined,
  withTeams = false,
): Promise<number> {
  const options = await optionsOf(io, withTeams ? { port: PLAYGROUND_PORT } : undefined);
  if (options === undefined) return EXIT.failed;
  const stop = askedToStop();
  const world = await createWorld({ ...options, digest: true });
  try {
    await world.startBot();
    const page = await startPage(world, wantedPort === undefined ? {} : { port: wantedPort });
    const elsewhere = wantedPort === undefined && page.port !== PAGE_PORT;
    const console = world.consoleUrl === undefined ? {} : { console: world.consoleUrl };
    const environment = world.environmentPath;
    const teams = world.teams === undefined ? {} : { teams: world.teams.url };
    io.say({ ok: true, url: page.url, ...console, environment, ...teams }, [
      ...(elsewhere ? [`Port ${PAGE_PORT} is taken, so this is on ${page.port}.`] : []),
      `Hallpass sandbox: open ${page.url}`,
      ...(world.consoleUrl === undefined
        ? []
        : [
            `The console: open ${world.consoleUrl} and choose who you are; ${PEOPLE.sam.name} sees and may do the most`,
            `The command line: hallpass login ${new URL(world.consoleUrl).origin}`,
          ]),
      `The host's commands, in a terminal of their own: set -a; . ${environment}; hallpass token create --help`,
      ...(world.teams === undefined
        ? []
        : [`Teams, as ${PEOPLE.ana.name}: open ${world.teams.url} (Microsoft's Playground; type help to the bot)`]),
      ...(world.issuer === undefined
        ? ['No identity provider: oidc-provider is not installed, so nothing here wants a proof, and nobody signs in.']
        : []),
      `A local Slack,${world.teams === undefined ? '' : ' a local Teams,'} a local Okta, a local Google and the bot, all on 127.0.0.1. ${
        options.databaseUrl === undefined ? 'Nothing is kept.' : 'The record is kept, in DATABASE_URL.'
      } Ctrl-C ends it.`,
    ]);
    await stop;
    await page.close();
    return EXIT.done;
  } finally {
    await world.close();
  }
}

const WHAT_RUNS = 'a local Slack, a local Okta, a local Google and the bot, all on 127.0.0.1.';

export async function tourCommand(io: Out, withTeams = false): Promise<number> {
  const options = await optionsOf(io, withTeams ? {} : undefined);
  if (options === undefined) return EXIT.failed;
  if (!io.json) io.say({}, [`Hallpass sandbox: ${withTeams ? 'a local Teams, ' : ''}${WHAT_RUNS}`, '']);
  const tour = withTeams ? runTeamsTour : runTour;
  const { ok, steps } = await tour({ ...options, onStep: (step) => io.say(step, lines(step)) });
  if (!io.json)
    io.say({}, [
      ok
        ? `All ${steps.length} steps ended as they should: the directory said so each time.`
        : 'Something was not as it should be; see the steps marked ✗.',
    ]);
  return ok ? EXIT.done : EXIT.failed;
}

export async function outageCommand(io: Out, away: Away): Promise<number> {
  const options = await optionsOf(io, undefined);
  if (options === undefined) return EXIT.failed;
  if (!io.json) io.say({}, [`Hallpass sandbox: ${WHAT_RUNS}`, '']);
  const { ok, steps } = await runOutage(away, { ...options, onStep: (step) => io.say(step, outageLines(step)) });
  if (!io.json)
    io.say({}, [
      ok
        ? `All ${steps.length} steps ended as they should: the removal outlived the outage, and was proven after it.`
        : 'Something was not as it should be; see the steps marked ✗.',
    ]);
  return ok ? EXIT.done : EXIT.failed;
}

/** What the environment asks for; or every problem with it is said. */
async function optionsOf(io: Out, teams: WorldOptions['teams']): Promise<WorldOptions | undefined> {
  const { databaseUrl, port, problems: found } = sandboxEnvironment();
  const problems = [...found, ...(databaseUrl === undefined ? [] : await strangers(databaseUrl))];
  if (problems.length > 0) {
    io.say(
      { ok: false, problems },
      problems.map(({ path, message }) => `${path}: ${message}`),
    );
    return undefined;
  }
  return {
    ...(databaseUrl === undefined ? {} : { databaseUrl }),
    ...(port === undefined ? {} : { port }),
    ...(teams === undefined ? {} : { teams }),
  };
}

/**
 * A record with anybody else in it is a real one: the sandbox's bot would ask the local Okta about its memberships, be
 * told that they are gone, and count grants as ended that are not.
 */
async function strangers(databaseUrl: string): Promise<readonly Problem[]> {
  const path = 'env.DATABASE_URL';
  try {
    const own = new Set<string>(Object.values(PEOPLE).map(({ okta }) => `okta/${okta}`));
    if ((await requestersIn(databaseUrl)).every((requester) => own.has(requester))) return [];
    const message =
      'holds requests of people who are not in the sandbox; unset it, or give the sandbox a database of its own';
    return [{ path, message }];
  } catch (error) {
    return [{ path, message: `cannot be opened: ${error instanceof Error ? error.message : String(error)}` }];
  }
}

function lines(step: Step): readonly string[] {
  const number = String(step.step).padStart(2);
  return [
    `${step.ok ? '✓' : '✗'} ${number}  ${step.what}`,
    `      said      ${step.seen}`,
    `      in Okta   ${step.directory.group}: ${step.directory.members.join(', ') || 'nobody'}${
      step.expected === undefined ? '' : `   expected: ${step.expected}`
    }`,
  ];
}

function outageLines(step: OutageStep): readonly string[] {
  const number = String(step.step).padStart(2);
  return [
    `${step.ok ? '✓' : '✗'} ${number}  ${step.minute === 0 ? '' : `+${step.minute} min  `}${step.what}`,
    `      said       ${step.seen}`,
    ...step.directories.map(
      ({ directory, group, members }) =>
        `      ${`in ${directory}`.padEnd(9)}  ${group}: ${members.join(', ') || 'nobody'}`,
    ),
    ...(step.expected === undefined ? [] : [`      expected   members: ${step.expected}`]),
  ];
}
