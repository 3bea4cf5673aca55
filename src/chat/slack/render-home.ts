/** A person's own page, drawn. Plain text only; its buttons carry cards, as those of messages do. */
import type { Button, KnownBlock, HomeView as SlackHome } from '@slack/types';
import type { HomeView, Operations } from '../../access/home.ts';
import type { RequestView } from '../../access/view.ts';
import { cut, durationText, listed, refusalText, timeText } from '../../access/words.ts';
import { ASK_AGAIN, ASK_FOR, OPEN_FORM } from './parse-form.ts';
import { buttons } from './render.ts';
import { plain } from './text.ts';

export interface HomeContext {
  readonly commandWord: string;
}

const SECTION_MAX = 3000;
const BLOCKS_MAX = 100;
const DIRECTORIES_SHOWN = 8;
const NAME_MAX = 120;
const REASON_SHOWN = 1000;

export function renderHome(home: HomeView, context: HomeContext): SlackHome {
  if (home.refusal !== undefined) {
    const { reason, next } = refusalText(home.refusal, home.zone, context.commandWord);
    return { type: 'home', blocks: [header('Hallpass'), section(`${reason} ${next}`), asOf(home)] };
  }
  const blocks = [
    actions([button('Request access', OPEN_FORM, 'form', 'Request access', 'primary')]),
    ...(home.frozen === undefined ? [] : [header('Frozen'), section(home.frozen.join('\n'))]),
    ...waiting(home),
    ...held(home),
    ...choices(home, context),
    ...recent(home, context),
    ...(home.operations === undefined ? [] : operations(home.operations)),
    asOf(home),
  ];
  // The shelves are short enough; this holds even when one of them grows.
  return {
    type: 'home',
    blocks: blocks.length <= BLOCKS_MAX ? blocks : [...blocks.slice(0, BLOCKS_MAX - 1), asOf(home)],
  };
}

/** Instead of the page, when it could not be looked up. */
export function renderHomeNote(text: string): SlackHome {
  return { type: 'home', blocks: [section(text)] };
}

function waiting({ waiting: shelf, at }: HomeView): KnownBlock[] {
  // Most people never answer requests; a heading over nothing would only push down what they came for.
  if (shelf.items.length === 0) return [];
  return [
    header('Waiting for your answer'),
    ...shelf.items.flatMap((request) => [section(question(request, at)), ...buttons(request, ['approve', 'deny'])]),
    ...more(shelf.more, 'More are waiting: answer these first, and the next ones appear.'),
  ];
}

function held({ held: shelf, at }: HomeView): KnownBlock[] {
  return [
    header('What you hold'),
    ...(shelf.items.length === 0 ? [section('Nothing. Ask for what you need below; it is taken away on time.')] : []),
    ...shelf.items.flatMap((request) => [
      section(`${named(request)}\n${request.headline}${left(request, at)}`),
      ...buttons(request, ['extend', 'return']),
    ]),
    ...more(shelf.more, 'You hold more than is shown here.'),
  ];
}

function choices({ choices: shelf }: HomeView, { commandWord }: HomeContext): KnownBlock[] {
  const none = `There is nothing that you may request. If that is wrong, tell the people who run Hallpass. ${commandWord} help shows what can be typed.`;
  return [
    header('What you may request'),
    ...(shelf.items.length === 0 ? [section(none)] : []),
    ...shelf.items.map(({ resource, title, role }): KnownBlock => {
      const name = `${resource}:${role}`;
      const text = title === resource ? name : `${cut(title, NAME_MAX)}\n${name}`;
      return { ...section(text), accessory: button('Request', ASK_FOR, name, `Request ${name}`) };
    }),
    ...(shelf.more ? [actions([button('More…', OPEN_FORM, 'more', 'Search everything there is to request')])] : []),
  ];
}

function recent({ recent: shelf }: HomeView, { commandWord }: HomeContext): KnownBlock[] {
  const none = 'None yet. Press Request access, and say what you need, for how long and why.';
  return [
    header('Your last requests'),
    ...(shelf.items.length === 0 ? [section(none)] : []),
    ...shelf.items.flatMap((request): KnownBlock[] => [
      section(`${named(request)}\n${request.headline}\nWhy: ${cut(request.reason || 'no reason given', REASON_SHOWN)}`),
      ...(mayAskAgain(request)
        ? [actions([button('Again', ASK_AGAIN, request.cardId, `Ask again as in ${request.id}`)])]
        : buttons(request, ['cancel'])),
    ]),
    ...more(shelf.more, `For older ones, type ${commandWord} list.`),
  ];
}

/** For an extension there is the grant's own button, and what still runs or waits cannot be asked for twice. */
function mayAskAgain({ state, extension, grant }: RequestView): boolean {
  return state !== 'pending' && extension === undefined && (grant === undefined || grant.state === 'ended');
}

function operations({ directories, removals }: Operations): KnownBlock[] {
  const lines = directories.slice(0, DIRECTORIES_SHOWN).map(({ name, state, error, failing }) => {
    const says = {
      answers: 'answers',
      fails: `does not answer: ${cut(error ?? '', 200)}`,
      unknown: 'was not asked: nothing in it can be requested',
    }[state];
    return `${name} ${says}${failing === 0 ? '.' : `. ${failing} ${failing === 1 ? 'removal is' : 'removals are'} failing.`}`;
  });
  const rest = directories.length - lines.length;
  const owed = removals.items.map(
    ({ directory, group, login, failures, error }) =>
      `${cut(login, NAME_MAX)} from ${cut(group, NAME_MAX)} in ${directory}: ${
        failures === 0
          ? 'under way.'
          : `failed ${failures} ${failures === 1 ? 'time' : 'times'}${error === undefined ? '' : `, "${cut(error, 150)}"`}. Tried again until it is gone.`
      }`,
  );
  return [
    header('Operations'),
    section(`Directories\n${[...lines, ...(rest > 0 ? [`${rest} more.`] : [])].join('\n') || 'None.'}`),
    section(`Removals outstanding\n${owed.join('\n') || 'None: whoever should be out is out, and it was checked.'}`),
    ...more(removals.more, 'There are more; the security channel is told of each that keeps failing.'),
  ];
}

/** Everything an approver decides by. */
function question(request: RequestView, at: number): string {
  const time = (instant: number) => timeText(instant, at, request.zone);
  const asks =
    request.extension === undefined
      ? `asks for ${named(request)} for ${durationText(request.durationMs)}, until ${time(at + request.durationMs)} if approved now.`
      : `asks to keep ${named(request)} until ${time(request.extension.until)} instead of ${time(request.extension.from)}.`;
  const groups = listed(request.groups.map(({ directory, group }) => `${cut(group, NAME_MAX)} in ${directory}`));
  const names = request.approvals.map(({ name }) => cut(name, NAME_MAX));
  const given = `${names.length} of ${request.approvalsNeeded}${names.length === 0 ? '' : `: ${listed(names)}`}`;
  return [
    `${cut(request.requesterName, NAME_MAX)} ${asks}`,
    `Groups: ${groups}`,
    ...(request.stages === undefined ? [`Approvals: ${given}. Lapses ${time(request.lapsesAt)}.`] : [request.headline]),
    `Why: ${cut(request.reason || 'no reason given', REASON_SHOWN)}`,
  ].join('\n');
}

function named({ title, entitlement, grant, id }: RequestView): string {
  const what = title === '' ? entitlement : `${cut(title, NAME_MAX)}, ${entitlement}`;
  return `${what} (${grant?.id ?? id})`;
}

function left({ grant }: RequestView, at: number): string {
  if (grant?.state !== 'active' || grant.expiresAt === undefined || grant.expiresAt <= at) return '';
  const ms = grant.expiresAt - at;
  // Seconds are over before the page is read.
  return ms < 60_000 ? ' Less than a minute is left.' : ` ${durationText(Math.floor(ms / 60_000) * 60_000)} left.`;
}

function asOf({ at, zone }: HomeView): KnownBlock {
  const text = `As of ${timeText(at, at, zone)}. This page follows your requests; open it again for the newest times.`;
  return { type: 'context', elements: [plain(text, SECTION_MAX)] };
}

function more(is: boolean, text: string): KnownBlock[] {
  return is ? [{ type: 'context', elements: [plain(text, SECTION_MAX)] }] : [];
}

function header(text: string): KnownBlock {
  return { type: 'header', text: plain(text, 150) };
}

function section(text: string) {
  return { type: 'section' as const, text: plain(text, SECTION_MAX) };
}

function actions(elements: Button[]): KnownBlock {
  return { type: 'actions', elements };
}

function button(label: string, action: string, value: string, spoken: string, style?: 'primary'): Button {
  return {
    type: 'button',
    action_id: action,
    text: plain(label, 75),
    value,
    accessibility_label: cut(spoken, 75),
    ...(style === undefined ? {} : { style }),
  };
}
