/** `hallpass sandbox`: the page, until it is stopped. `--tour`: the main job, played through and observed. */
import { sandboxEnvironment } from '../config.ts';
import { PAGE_PORT, startPage } from '../sandbox/page.ts';
import { runTour, type Step } from '../sandbox/tour.ts';
import { createWorld, type WorldOptions } from '../sandbox/world.ts';
import { EXIT, type Out } from './out.ts';

export async function sandboxCommand(
  io: Out,
  askedToStop: () => Promise<string>,
  wantedPort: number | undefined,
): Promise<number> {
  const options = optionsOf(io);
  if (options === undefined) return EXIT.failed;
  const stop = askedToStop();
  const world = await createWorld({ ...options, digest: true });
  try {
    await world.startBot();
    const page = await startPage(world, wantedPort === undefined ? {} : { port: wantedPort });
    const elsewhere = wantedPort === undefined && page.port !== PAGE_PORT;
    io.say({ ok: true, url: page.url }, [
      ...(elsewhere ? [`Port ${PAGE_PORT} is taken, so this is on ${page.port}.`] : []),
      `Hallpass sandbox: open ${page.url}`,
      'A local Slack, a local Okta and the bot, all on 127.0.0.1. Nothing is kept. Ctrl-C ends it.',
    ]);
    await stop;
    await page.close();
    return EXIT.done;
  } finally {
    await world.close();
  }
}

export async function tourCommand(io: Out): Promise<number> {
  const options = optionsOf(io);
  if (options === undefined) return EXIT.failed;
  if (!io.json) io.say({}, ['Hallpass sandbox: a local Slack, a local Okta and the bot, all on 127.0.0.1.', '']);
  const { ok, steps } = await runTour({ ...options, onStep: (step) => io.say(step, lines(step)) });
  if (!io.json)
    io.say({}, [
      ok
        ? `All ${steps.length} steps ended as they should: the directory said so each time.`
        : 'Something was not as it should be; see the steps marked ✗.',
    ]);
  return ok ? EXIT.done : EXIT.failed;
}

/** What the environment asks for; or every problem with it is said. */
function optionsOf(io: Out): WorldOptions | undefined {
  const { databaseUrl, port, problems } = sandboxEnvironment();
  if (problems.length > 0) {
    io.say(
      { ok: false, problems },
      problems.map(({ path, message }) => `${path}: ${message}`),
    );
    return undefined;
  }
  return { ...(databaseUrl === undefined ? {} : { databaseUrl }), ...(port === undefined ? {} : { port }) };
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
