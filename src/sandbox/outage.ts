/**
 * A directory that is away for ten minutes just when access ends: what happens in it, in the other one, and in what
 * people are told, on a clock that is moved. Everything is done through signed requests, and seen in the directories.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { messagesIn } from './slack-reading.ts';
import { card, chainOf, dmSaying, firstLine, firstText, idIn, WAIT_MS } from './story.ts';
import { createWorld, GOOGLE_GROUP, GROUPS, nameOfUser, SECURITY, type World, type WorldOptions } from './world.ts';

export type Away = 'okta' | 'google';

export interface Seen {
  readonly directory: 'Okta' | 'Google';
  readonly group: string;
  readonly members: readonly string[];
}

export interface OutageStep {
  readonly step: number;
  /** Minutes since the beginning, on the moved clock. */
  readonly minute: number;
  readonly what: string;
  /** Who is in the two groups of the role now, by the directories' own word. */
  readonly directories: readonly Seen[];
  readonly seen: string;
  readonly ok: boolean;
  /** What should have been, when it was not. */
  readonly expected?: string;
}

export interface OutageResult {
  readonly steps: readonly OutageStep[];
  readonly ok: boolean;
}

const MINUTE = 60_000;
const OUTAGE_MINUTES = 10;
/** Real time for a try that is due in a minute that has passed. Not every minute has one: they become rarer. */
const TRY_WITHIN_MS = 1_500;
/** A removal from Google begins with a look at the role, and a look that fails is repeated once. */
const CALLS_A_TRY: Readonly<Record<Away, number>> = { okta: 1, google: 2 };
/** Removals become slower up to once in five minutes, so one is due within this. */
const NEXT_TRY_MINUTES = 7;
const LOOK_EVERY_MS = 50;

export async function runOutage(
  away: Away,
  options: WorldOptions & { readonly onStep?: (step: OutageStep) => void } = {},
): Promise<OutageResult> {
  const world = await createWorld(options);
  const steps: OutageStep[] = [];
  try {
    await world.startBot();
    await play(world, away, async (what, seen, wanted) => {
      const directories = directoriesOf(world);
      const expected = [wanted.okta, wanted.google];
      const ok = directories.every(({ members }, at) => members.length === expected[at]);
      const step: OutageStep = {
        step: steps.length + 1,
        minute: Math.round(world.clockOffsetMs / MINUTE),
        what,
        directories,
        seen,
        ok,
        ...(ok ? {} : { expected: `Okta ${expected[0]}, Google ${expected[1]}` }),
      };
      steps.push(step);
      options.onStep?.(step);
    });
    return { steps, ok: steps.every((step) => step.ok) };
  } finally {
    await world.close();
  }
}

/** How many members each directory should have. */
type Wanted = Readonly<Record<Away, number>>;
type Observe = (what: string, seen: string, wanted: Wanted) => Promise<void>;

async function play(world: World, away: Away, observe: Observe): Promise<void> {
  const [name, other] = away === 'okta' ? ['Okta', 'Google'] : ['Google', 'Okta'];
  const stuck: Wanted = away === 'okta' ? { okta: 1, google: 0 } : { okta: 0, google: 1 };
  const [ana, ben] = [world.person('ana'), world.person('ben')];
  await observe('Nobody is an administrator of the database', 'the bot is up', { okta: 0, google: 0 });

  const asked = await ana.slash('request db-prod:admin 30m repair the orders table');
  const request = await card(world, idIn(await asked.answered(WAIT_MS)));
  await ben.press(request, 'approve');
  const added = await dmSaying(world, 'ana', /Added to (?=.*prod-db-admin)(?=.*db-admins)/);
  await observe('Ana asks for db-prod:admin, Ben approves: she is in a group of each', firstLine(added), {
    okta: 1,
    google: 1,
  });

  world[away].control({ do: 'fault', fault: { kind: 'down' } });
  await observe(`${name} stops answering`, 'nobody has noticed yet', { okta: 1, google: 1 });

  await world.moveClock(31 * MINUTE);
  await until(world, (each) => directoriesOf(each).some(({ members }) => members.length === 0), `${other} to let go`);
  await until(world, (each) => failures(each, away) > 0, `${name} to be asked`);
  await observe(
    `Half an hour later the time is over: removed in ${other} at once`,
    `${name} was asked and did not answer; the grant is not over`,
    stuck,
  );

  for (let minute = 0; minute < OUTAGE_MINUTES; minute += 1) {
    const before = failures(world, away);
    await world.moveClock(MINUTE);
    await come(() => failures(world, away) >= before + CALLS_A_TRY[away], TRY_WITHIN_MS);
  }
  const told = await world.slack.waitFor(
    (state) => messagesIn(state, SECURITY).findLast((message) => /remov/i.test(message.text)),
    WAIT_MS,
    'security to be told',
  );
  await observe(
    `${OUTAGE_MINUTES} minutes of outage: tried again and again, and told to security`,
    `${firstLine(told)} (${failures(world, away)} calls came to nothing)`,
    stuck,
  );

  const status = await (await ana.slash('status db-prod')).answered(WAIT_MS);
  await observe('Ana asks: nobody says that it is done', firstText(status), stuck);

  world[away].control({ do: 'clear' });
  await world.moveClock(NEXT_TRY_MINUTES * MINUTE);
  const ended = await dmSaying(world, 'ana', /Removed from (?!.*not checked).*, checked/);
  await observe(`${name} answers again: removed there too, and checked`, firstLine(ended), { okta: 0, google: 0 });

  await observe('The trail explains it, and its chain is unbroken', await chainOf(world), { okta: 0, google: 0 });
}

function directoriesOf(world: World): readonly Seen[] {
  const named = (ids: readonly string[] = []) => ids.map((id) => nameOfUser(id) ?? id).sort();
  return [
    { directory: 'Okta', group: 'prod-db-admin', members: named(world.okta.state().groups[GROUPS.admin]) },
    { directory: 'Google', group: GOOGLE_GROUP.email, members: named(world.google.state().groups[GOOGLE_GROUP.id]) },
  ];
}

/** Calls that never got an answer. */
function failures(world: World, away: Away): number {
  return world[away].state().log.filter(({ status }) => status === 0).length;
}

async function until(world: World, holds: (world: World) => boolean, what: string): Promise<void> {
  if (!(await come(() => holds(world), WAIT_MS))) throw new Error(`waited ${WAIT_MS} ms in vain for ${what}`);
}

/** Looks until it is so, or the time is over: the local directories tell nobody of what happens in them. */
async function come(holds: () => boolean, withinMs: number): Promise<boolean> {
  const deadline = performance.now() + withinMs;
  while (!holds()) {
    if (performance.now() > deadline) return false;
    await wait(LOOK_EVERY_MS);
  }
  return true;
}
