/**
 * The tour through Teams, with Slack beside it: asked in one, answered in the other, and followed in both. People act
 * through Microsoft's Playground, which speaks to the bot as Teams does.
 */
import { buttonIn, type TeamsMessage } from './playground.ts';
import { messagesIn, textOf } from './slack-reading.ts';
import { card, chainOf, WAIT_MS } from './story.ts';
import { type Observe, runTour, type TourOptions, type TourResult } from './tour.ts';
import { APPROVALS, type Name, type World } from './world.ts';

const MINUTE = 60_000;

export function runTeamsTour(options: TourOptions = {}): Promise<TourResult> {
  return runTour({ ...options, teams: options.teams ?? {} }, play);
}

async function play(world: World, observe: Observe): Promise<void> {
  const { teams } = world;
  if (teams === undefined) throw new Error('this tour needs Teams');
  const inTeams = (conversation: RegExp, words: RegExp) =>
    teams.waitFor(
      (messages) => messages.findLast((one) => conversation.test(one.conversation) && words.test(one.text)),
      WAIT_MS,
      `${words}`,
    );
  const inChannel = (words: RegExp) => inTeams(/@thread\.tacv2$/, words);
  const toAna = (words: RegExp) => inTeams(/^a:/, words);
  const press = async (who: Name, message: TeamsMessage, kind: string) => {
    const data = buttonIn(message.card, kind);
    if (data === undefined) throw new Error(`no button ${kind} on: ${message.text}`);
    return teams.press(who, message, data);
  };

  await teams.install();
  await toAna(/takes it away on time/);
  await observe('Nobody has standing access; Ana has added the app to Teams', 'the bot greets her', ['pat']);

  await teams.type('request db-prod 30m fix stuck migration');
  const first = await inChannel(/R-\w+: waiting for approval/);
  const id = /R-[0-9A-Z]{4,6}/.exec(first.text)?.[0] ?? '';
  await card(world, id);
  await observe('Ana asks in Teams; it is shown in Teams and in Slack', `${id} in both channels`, ['pat']);

  const own = await press('ana', first, 'look');
  await observe('Ana presses Answer… on her own request: refused', saying(own.text, /own request/i), ['pat']);

  const outsider = await press('dan', first, 'look');
  await observe('Dan, who is not on call, presses it: refused', saying(outsider.text, /may not answer/i), ['pat']);

  const shown = await press('ben', first, 'look');
  const approve = buttonIn(shown.card, 'approve');
  if (approve === undefined) throw new Error(`no Approve for Ben: ${shown.text}`);
  await teams.press('ben', first, approve);
  const added = await toAna(/You have access: .*Added to prod-db-read \(checked\)/);
  await inSlack(world, id, /Added to prod-db-read/);
  await observe('Ben, on call, approves in Teams: Ana is added, and Slack shows it too', firstWords(added), [
    'ana',
    'pat',
  ]);

  const asked = await world.person('ana').slash('request reports 2h monthly numbers for finance');
  const second = /R-[0-9A-Z]{4,6}/.exec(textOf(await asked.answered(WAIT_MS)))?.[0] ?? '';
  const reports = await inChannel(new RegExp(`${second}: waiting for approval`));
  const forCat = buttonIn((await press('cat', reports, 'look')).card, 'approve');
  if (forCat === undefined) throw new Error('no Approve for Cat');
  await teams.press('cat', reports, forCat);
  const both = await inChannel(new RegExp(`${second}: active.*Added to prod-db-read`));
  await observe('A second one, asked in Slack and approved by Cat in Teams', firstWords(both), ['ana', 'pat']);

  await teams.mention('return db-prod');
  const returned = await inChannel(/Returned\..*Another grant still needs prod-db-read/);
  await observe('Ana mentions the bot to return the first: the second still needs the group', firstWords(returned), [
    'ana',
    'pat',
  ]);

  await world.bot?.kill();
  await observe('SIGKILL: the bot is gone', 'the directory keeps what it has', ['ana', 'pat']);
  if (world.bot === undefined) await world.startBot();
  await teams.type('status reports');
  const status = await toAna(new RegExp(`${second}: active`));
  await observe('Started again: it knows what it owes, and where Teams is', firstWords(status), ['ana', 'pat']);

  await world.moveClock(2 * 60 * MINUTE + MINUTE);
  const ended = await inChannel(new RegExp(`${second}: ended.*Removed from prod-db-read .* checked`));
  await inSlack(world, second, /Removed from prod-db-read .* checked/);
  await observe('Two hours later the time is over: removed and checked, and both say so', firstWords(ended), ['pat']);

  await observe('The trail explains it, and its chain is unbroken', await chainOf(world), ['pat']);
}

async function inSlack(world: World, id: string, words: RegExp): Promise<void> {
  await world.slack.waitFor(
    (state) =>
      messagesIn(state, APPROVALS).find((message) => textOf(message).includes(id) && words.test(textOf(message))),
    WAIT_MS,
    `${words} of ${id} in Slack`,
  );
}

function firstWords({ text }: TeamsMessage): string {
  return text.slice(0, 120);
}

function saying(text: string, words: RegExp): string {
  if (!words.test(text)) throw new Error(`expected ${words} to be said, and it was: ${text}`);
  return text.slice(0, 120);
}
