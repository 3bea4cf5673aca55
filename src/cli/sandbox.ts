/** `hallpass sandbox --tour`: the main job, played through and observed. */
import { sandboxEnvironment } from '../config.ts';
import { runTour, type Step } from '../sandbox/tour.ts';
import { EXIT, type Out } from './out.ts';

export async function sandboxCommand(io: Out): Promise<number> {
  const { databaseUrl, port, problems } = sandboxEnvironment();
  if (problems.length > 0) {
    io.say(
      { ok: false, problems },
      problems.map(({ path, message }) => `${path}: ${message}`),
    );
    return EXIT.failed;
  }
  if (!io.json) io.say({}, ['Hallpass sandbox: a local Slack, a local Okta and the bot, all on 127.0.0.1.', '']);
  const { ok, steps } = await runTour({
    ...(databaseUrl === undefined ? {} : { databaseUrl }),
    ...(port === undefined ? {} : { port }),
    onStep: (step) => io.say(step, lines(step)),
  });
  if (!io.json)
    io.say({}, [
      ok
        ? `All ${steps.length} steps ended as they should: the directory said so each time.`
        : 'Something was not as it should be; see the steps marked ✗.',
    ]);
  return ok ? EXIT.done : EXIT.failed;
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
