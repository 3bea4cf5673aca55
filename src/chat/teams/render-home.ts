/** A person's own page as a card. Its buttons carry cards, as those of messages do. */
import type { HomeView, Operations } from '../../access/home.ts';
import type { RequestView } from '../../access/view.ts';
import { cut, durationText, refusalText, timeText } from '../../access/words.ts';
import {
  actionSet,
  aside,
  cardOf,
  dialogButton,
  type Element,
  execute,
  fitting,
  heading,
  paragraph,
  type Rendered,
  rich,
  run,
  title,
  words,
} from './card.ts';
import { buttons } from './render.ts';

const TEXT_MAX = 1_500;
const NAME_MAX = 120;
const REASON_MAX = 500;
const DIRECTORIES_SHOWN = 8;

export interface HomeContext {
  readonly commandWord: string;
  /** Said first, to somebody who has just added the app. */
  readonly welcome?: string;
}

export function renderHome(home: HomeView, context: HomeContext): Rendered {
  const welcome = context.welcome === undefined ? [] : [paragraph(context.welcome, TEXT_MAX)];
  if (home.refusal !== undefined) {
    const { reason, next } = refusalText(home.refusal, home.zone, context.commandWord);
    return cardOf({ body: [...welcome, paragraph(`${reason} ${next}`, TEXT_MAX)], summary: `${reason} ${next}` });
  }
  return fitting((scale) =>
    cardOf({
      body: [
        title('My access'),
        ...welcome,
        ...(home.frozen === undefined
          ? []
          : [heading('Frozen'), ...home.frozen.map((line) => paragraph(line, TEXT_MAX))]),
        ...waiting(home, scale),
        ...held(home, scale),
        ...choices(home),
        ...recent(home, context, scale),
        ...(home.operations === undefined ? [] : operations(home.operations)),
        aside(`As of ${timeText(home.at, home.at, home.zone)}.`, TEXT_MAX),
      ],
      actions: [dialogButton('Request access', { do: 'form' }), execute('Refresh', { do: 'home' })],
      summary: `You hold ${count(home.held)}; ${count(home.waiting)} waiting for your answer.`,
    }),
  );
}

function count({ items, more }: { readonly items: readonly unknown[]; readonly more: boolean }): string {
  return `${items.length}${more ? ' or more' : ''}`;
}

function waiting({ waiting: shelf, at }: HomeView, scale: number): readonly Element[] {
  // Most people never answer requests; a heading over nothing would only push down what they came for.
  if (shelf.items.length === 0) return [];
  return [
    heading('Waiting for your answer'),
    ...shelf.items.flatMap((request) => [
      entry(
        request,
        `${words(request.requesterName, NAME_MAX)} asks for ${lasting(request, at)}. ${request.headline}`,
        scale,
      ),
      aside(`Why: ${words(request.reason, Math.round(REASON_MAX * scale))}`, TEXT_MAX),
      // The whole of it, with the groups, is looked at before it is answered.
      ...actionSet(buttons(request, ['look'])),
    ]),
    ...more(shelf.more, 'More are waiting: answer these first, and the next ones appear.'),
  ];
}

function lasting(request: RequestView, at: number): string {
  return request.extension === undefined
    ? `${request.entitlement} for ${durationText(request.durationMs)}`
    : `${request.entitlement} until ${timeText(request.extension.until, at, request.zone)}`;
}

function held({ held: shelf }: HomeView, scale: number): readonly Element[] {
  return [
    heading('What you hold'),
    ...(shelf.items.length === 0 ? [paragraph('Nothing. What you get is taken away on time.', TEXT_MAX)] : []),
    ...shelf.items.flatMap((request) => [
      entry(request, request.headline, scale),
      ...actionSet(buttons(request, ['extend', 'return'])),
    ]),
    ...more(shelf.more, 'You hold more than is shown here.'),
  ];
}

function choices({ choices: shelf }: HomeView): readonly Element[] {
  const none = 'There is nothing that you may request. If that is wrong, tell the people who run Hallpass.';
  return [
    heading('What you may request'),
    ...(shelf.items.length === 0 ? [paragraph(none, TEXT_MAX)] : []),
    ...actionSet(
      // Teams draws six buttons of a row and hides the rest behind a menu.
      shelf.items
        .slice(0, 6)
        .map(({ resource, role }) => dialogButton(`${resource}:${role}`, { do: 'form', resource, role })),
    ),
    ...more(shelf.more || shelf.items.length > 6, 'There is more: Request access shows all of it.'),
  ];
}

function recent({ recent: shelf }: HomeView, { commandWord }: HomeContext, scale: number): readonly Element[] {
  return [
    heading('Your last requests'),
    ...(shelf.items.length === 0 ? [paragraph('None yet.', TEXT_MAX)] : []),
    ...shelf.items.flatMap((request) => [
      entry(request, request.headline, scale),
      ...actionSet(
        mayAskAgain(request)
          ? [dialogButton(`Again, as in ${request.id}`, { do: 'form', again: request.cardId })]
          : buttons(request, ['cancel']),
      ),
    ]),
    ...more(shelf.more, `For older ones, type ${commandWord} list.`),
  ];
}

/** For an extension there is the grant's own button, and what still runs or waits cannot be asked for twice. */
function mayAskAgain({ state, extension, grant }: RequestView): boolean {
  return state !== 'pending' && extension === undefined && (grant === undefined || grant.state === 'ended');
}

function operations({ directories, removals }: Operations): readonly Element[] {
  const lines = directories.slice(0, DIRECTORIES_SHOWN).map(({ name, state, error, failing }) => {
    const says = {
      answers: 'answers',
      fails: `does not answer: ${cut(error ?? '', 200)}`,
      unknown: 'was not asked: nothing in it can be requested',
    }[state];
    return `${name} ${says}${failing === 0 ? '.' : `. ${failing} ${failing === 1 ? 'removal is' : 'removals are'} failing.`}`;
  });
  const owed = removals.items.map(
    ({ directory, group, login, failures }) =>
      `${cut(login, NAME_MAX)} from ${cut(group, NAME_MAX)} in ${directory}: ${failures === 0 ? 'under way.' : `failed ${failures} times, tried again until it is gone.`}`,
  );
  return [
    heading('Operations'),
    ...lines.map((line) => paragraph(line, TEXT_MAX, { spacing: 'small' })),
    paragraph(
      owed.length === 0
        ? 'No removals outstanding: whoever should be out is out, and it was checked.'
        : 'Removals outstanding:',
      TEXT_MAX,
    ),
    ...owed.map((line) => paragraph(line, 400, { spacing: 'small' })),
    ...more(removals.more, 'There are more; the security channel is told of each that keeps failing.'),
  ];
}

function entry(request: RequestView, text: string, scale: number): Element {
  const what = request.title === '' ? request.entitlement : `${cut(request.title, NAME_MAX)}, ${request.entitlement}`;
  return rich([
    run(`${words(what, 300)} (${request.grant?.id ?? request.id}). `, { weight: 'bolder' }),
    run(words(text.replaceAll('\n', ' '), Math.round(500 * scale))),
  ]);
}

function more(is: boolean, text: string): readonly Element[] {
  return is ? [aside(text, TEXT_MAX)] : [];
}
