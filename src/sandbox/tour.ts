/**
 * The tour: the main job played through by people who act only through signed requests to the bot's real endpoint. Each
 * step says what was then observed in the directory itself, and whether that is as it should be.
 */
import { tellDeed } from './bastion.ts';
import { button, dmsOf, messagesIn, textOf } from './slack-reading.ts';
import type { SlackMessage } from './slack-state.ts';
import { botTime, card, chainOf, dmSaying, firstLine, firstText, idIn, saying, WAIT_MS } from './story.ts';
import { createWorld, GROUPS, type Name, PEOPLE, SECURITY, type World, type WorldOptions } from './world.ts';

export interface Step {
  readonly step: number;
  readonly what: string;
  /** Who is in the group now, by the directory's own word. */
  readonly directory: { readonly group: string; readonly members: readonly string[] };
  /** What was said to whoever acted, or what else was seen. */
  readonly seen: string;
  readonly ok: boolean;
  /** What should have been, when it was not. */
  readonly expected?: string;
}

export interface TourOptions extends WorldOptions {
  /** Kills the bot and starts it again after these steps: the same directory must come of it. */
  readonly killAfter?: (step: number) => boolean;
  readonly onStep?: (step: Step) => void;
}

export interface TourResult {
  readonly steps: readonly Step[];
  readonly ok: boolean;
  /** Group id → members, at the end. */
  readonly groups: Readonly<Record<string, readonly string[]>>;
}

const MINUTE = 60_000;

export type Story = (world: World, observe: Observe) => Promise<void>;

export async function runTour(options: TourOptions = {}, story: Story = play): Promise<TourResult> {
  const world = await createWorld(options);
  const steps: Step[] = [];
  try {
    await world.startBot();
    await story(world, async (what, seen, wanted) => {
      const members = membersOf(world);
      const expected = [...wanted].sort();
      const ok = JSON.stringify(members) === JSON.stringify(expected.map((name) => PEOPLE[name].name));
      const step: Step = {
        step: steps.length + 1,
        what,
        directory: { group: 'prod-db-read', members },
        seen,
        ok,
        ...(ok ? {} : { expected: expected.map((name) => PEOPLE[name].name).join(', ') }),
      };
      steps.push(step);
      options.onStep?.(step);
      if (options.killAfter?.(step.step) === true) {
        await world.bot?.kill();
        await world.startBot();
      }
    });
    return { steps, ok: steps.every((step) => step.ok), groups: world.okta.state().groups };
  } finally {
    await world.close();
  }
}

export type Observe = (what: string, seen: string, members: readonly Name[]) => Promise<void>;

async function play(world: World, observe: Observe): Promise<void> {
  const [ana, ben, cat, dan] = [world.person('ana'), world.person('ben'), world.person('cat'), world.person('dan')];

  await observe('Nobody has standing access; Pat was a member before Hallpass', 'the bot is up', ['pat']);

  const asked = await ana.slash('request db-prod 30m fix stuck migration');
  const first = await card(world, idIn(await asked.answered(WAIT_MS)));
  await observe('Ana asks: /access request db-prod 30m fix stuck migration', firstLine(first), ['pat']);

  const own = await (await ana.press(first, 'approve')).answered(WAIT_MS);
  await observe('Ana presses Approve on her own request: refused', saying(own, /own request/i), ['pat']);

  const outsider = await (await dan.press(first, 'approve')).answered(WAIT_MS);
  await observe('Dan, who is not on call, presses Approve: refused', saying(outsider, /not.*approver|may not/i), [
    'pat',
  ]);

  await ben.press(first, 'approve');
  const added = await dmSaying(world, 'ana', /Added to prod-db-read \(checked\)/);
  await observe('Ben, on call, approves: Ana is added', firstLine(added), ['ana', 'pat']);

  const at = await botTime(world);
  await tellDeed(world.bot?.port ?? 0, {
    id: `tour-${at}`,
    at,
    account: 'ana_ro',
    action: 'pg_dump',
    kind: 'export',
    resource: 'orders',
    target: 'customers',
    amount: 48_000,
  });
  const found = await world.slack.waitFor(
    (state) => messagesIn(state, SECURITY).findLast((message) => /^Finding F-/.test(textOf(message))),
    WAIT_MS,
    'what was found, told to security',
  );
  await observe('The bastion tells that Ana exported the customers: security is told at once', firstLine(found), [
    'ana',
    'pat',
  ]);

  const again = await ana.slash('request reports 2h monthly numbers for finance');
  const second = await card(world, idIn(await again.answered(WAIT_MS)));
  await cat.press(second, 'approve');
  const overlapping = await waitForHolder(world, 'reports');
  await observe('A second grant, approved by Cat, shares the group', firstLine(overlapping), ['ana', 'pat']);

  await ana.slash('return db-prod');
  const returned = await dmSaying(world, 'ana', /Returned\..*Another grant still needs prod-db-read/);
  await observe('Ana returns the first: the second still needs the group', firstLine(returned), ['ana', 'pat']);

  await world.bot?.kill();
  await observe('SIGKILL: the bot is gone', 'the directory keeps what it has', ['ana', 'pat']);

  if (world.bot === undefined) await world.startBot();
  const status = await (await ana.slash('status reports')).answered(WAIT_MS);
  await observe('Started again: it knows what it owes', firstText(status), ['ana', 'pat']);

  await world.moveClock(2 * 60 * MINUTE + MINUTE);
  const ended = await dmSaying(world, 'ana', /Removed from prod-db-read .* checked/);
  await observe('Two hours later the time is over: Ana is removed, and it is checked', firstLine(ended), ['pat']);

  await observe('The trail explains it, and its chain is unbroken', await chainOf(world), ['pat']);
}

function membersOf(world: World): readonly string[] {
  const ids = world.okta.state().groups[GROUPS.read] ?? [];
  return ids.map((id) => Object.values(PEOPLE).find(({ okta }) => okta === id)?.name ?? id).sort();
}

/** The message that a grant on the resource runs, with its buttons. */
function waitForHolder(world: World, resource: string): Promise<SlackMessage> {
  return world.slack.waitFor(
    (state) =>
      dmsOf(state, PEOPLE.ana.slack).findLast(
        (message) => textOf(message).includes(resource) && button(message, 'return') !== undefined,
      ),
    WAIT_MS,
    `the grant on ${resource} to be active`,
  );
}
