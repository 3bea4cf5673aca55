/**
 * The few pieces of Adaptive Cards that our cards are made of. Every text stands in a TextRun, which Teams does not
 * interpret; there is one TextBlock, for mentions, and its text is made here of letters and digits only.
 */
import type { AccountRef } from '../../access/model.ts';
import { cut } from '../../access/words.ts';

export type Element = Readonly<Record<string, unknown>>;

export interface Card extends Element {
  readonly type: 'AdaptiveCard';
  readonly body: readonly Element[];
  readonly actions?: readonly Element[];
}

/** A message as it is sent: the card, and what a notification and a screen reader say. */
export interface Rendered {
  readonly card: Card;
  readonly summary: string;
}

/** In bytes of JSON. Teams takes more today; it has taken less before. */
export const CARD_MAX = 25_000;
const SUMMARY_MAX = 600;
const FALLBACK_MAX = 200;
const TITLE_MAX = 150;

/** What a button carries: an opaque id or the name of something to look up, and never any authority. */
export type ButtonData = Readonly<Record<string, string>>;

/** Without control characters and direction overrides: a name that turns the line around lies about all of it. */
export function legible(text: string): string {
  return text.toWellFormed().replace(/[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]|(?!\n)\p{Cc}/gu, '');
}

/** Never empty, since an empty run is drawn as nothing at all. */
export function words(value: string, max: number): string {
  const shown = cut(legible(value), max);
  return shown.trim() === '' ? '–' : shown;
}

export function run(text: string, style: Element = {}): Element {
  return { type: 'TextRun', text, ...style };
}

export function rich(inlines: readonly Element[], more: Element = {}): Element {
  return { type: 'RichTextBlock', inlines, ...more };
}

export function title(text: string): Element {
  return rich([run(words(text.replaceAll('\n', ' '), TITLE_MAX), { size: 'large', weight: 'bolder' })]);
}

export function heading(text: string): Element {
  return rich([run(words(text.replaceAll('\n', ' '), TITLE_MAX), { weight: 'bolder', size: 'medium' })], {
    spacing: 'medium',
    separator: true,
  });
}

export function paragraph(text: string, max: number, more: Element = {}): Element {
  return rich([run(words(text, max))], more);
}

export function aside(text: string, max: number): Element {
  return rich([run(words(text, max), { isSubtle: true, size: 'small' })], { spacing: 'small' });
}

/** `Who: Ana`, on a line of its own. */
export function labelled(label: string, text: string, max: number): Element {
  return rich([run(`${label}: `, { weight: 'bolder' }), run(words(text.replaceAll('\n', ' '), max))], {
    spacing: 'small',
  });
}

export function container(style: string, items: readonly Element[]): Element {
  return { type: 'Container', style, bleed: true, items };
}

/** Where Teams cannot carry it out as an action of its own, it comes as a message with the same data. */
export function execute(label: string, data: ButtonData, more: Element = {}): Element {
  const carried = { hallpass: data };
  return {
    type: 'Action.Execute',
    title: cut(label, 60),
    verb: 'hallpass',
    data: carried,
    fallback: { type: 'Action.Submit', title: cut(label, 60), data: carried },
    ...more,
  };
}

/** Opens in the browser. */
export function link(label: string, url: string): Element {
  return { type: 'Action.OpenUrl', title: cut(label, 60), url, style: 'positive' };
}

/** Opens a dialog. */
export function dialogButton(label: string, data: ButtonData): Element {
  return { type: 'Action.Submit', title: cut(label, 60), data: { msteams: { type: 'task/fetch' }, hallpass: data } };
}

/** Unfolds in the card itself; asks before something is done. */
export function unfold(label: string, body: readonly Element[], action: Element): Element {
  return { type: 'Action.ShowCard', title: cut(label, 60), card: { type: 'AdaptiveCard', body, actions: [action] } };
}

export function actionSet(actions: readonly Element[]): readonly Element[] {
  return actions.length === 0 ? [] : [{ type: 'ActionSet', actions }];
}

export interface Mentioned {
  readonly account: AccountRef;
  readonly name: string;
}

const MENTIONS_MAX = 20;

export interface CardParts {
  readonly body: readonly Element[];
  readonly actions?: readonly Element[];
  /** Read aloud instead of the card, and shown where it cannot be drawn. */
  readonly summary: string;
  /** Shown as mentions, so that it rings for them; in lines by label. */
  readonly mentions?: readonly { readonly label: string; readonly people: readonly Mentioned[] }[];
  /** Drawn afresh for these (`29:…`), each for themselves. */
  readonly refresh?: { readonly users: readonly string[]; readonly data: ButtonData };
}

/** Refresh is asked for by every client that shows the card; Teams takes at most sixty. */
const REFRESH_MAX = 60;

export function cardOf({ body, actions = [], summary, mentions = [], refresh }: CardParts): Rendered {
  const told = summaryOf(summary);
  const entities: Element[] = [];
  const lines = mentions.flatMap(({ label, people }) => {
    const shown = people.slice(0, MENTIONS_MAX).map(({ account, name }) => {
      const text = `<at>${mentionName(name, entities.length + 1)}</at>`;
      entities.push({
        type: 'mention',
        text,
        mentioned: { id: account.id, name: mentionName(name, entities.length + 1) },
      });
      return text;
    });
    return shown.length === 0 ? [] : [{ type: 'TextBlock', wrap: true, text: `${label}: ${shown.join(', ')}` }];
  });
  const users = refresh?.users.slice(0, REFRESH_MAX) ?? [];
  return {
    summary: told,
    card: {
      $schema: 'http://adaptivecards.io/schemas/adaptive-card.json',
      type: 'AdaptiveCard',
      version: '1.5',
      fallbackText: cut(told, FALLBACK_MAX),
      speak: told,
      msteams: { width: 'Full', ...(entities.length === 0 ? {} : { entities }) },
      ...(refresh === undefined || users.length === 0
        ? {}
        : { refresh: { action: withoutFallback(execute('Refresh', refresh.data)), userIds: users } }),
      body: [...body, ...lines],
      ...(actions.length === 0 ? {} : { actions }),
    },
  };
}

function withoutFallback({ fallback: _unused, ...action }: Element): Element {
  return action;
}

function summaryOf(text: string): string {
  return words(text.replaceAll('\n', ' '), SUMMARY_MAX);
}

/** Nothing in it can be Markdown or close a tag; the number keeps two people of one name apart. */
function mentionName(name: string, number: number): string {
  const bare = name.toWellFormed().replace(/[^\p{L}\p{M}\p{N} ]+/gu, ' ');
  const points = [...bare.replace(/ +/g, ' ').trim()].slice(0, 60);
  const clean = points.join('').trim();
  return clean === '' ? `Approver ${number}` : clean;
}

/** The longest drawing that fits. Each shorter one cuts texts from people harder; at last the end is left out. */
export function fitting(draw: (scale: number) => Rendered): Rendered {
  let drawn = draw(1);
  for (const scale of [0.5, 0.25, 0.1]) {
    if (sizeOf(drawn.card) <= CARD_MAX) return drawn;
    drawn = draw(scale);
  }
  return sizeOf(drawn.card) <= CARD_MAX ? drawn : shortened(drawn);
}

const LEFT_OUT = 'There is more than fits here.';

function shortened(drawn: Rendered): Rendered {
  const { body } = drawn.card;
  const kept: Element[] = [];
  let left = CARD_MAX - sizeOf({ ...drawn.card, body: [aside(LEFT_OUT, LEFT_OUT.length)] });
  for (const element of body) {
    // A comma for each.
    left -= Buffer.byteLength(JSON.stringify(element)) + 1;
    if (left < 0) break;
    kept.push(element);
  }
  return { ...drawn, card: { ...drawn.card, body: [...kept, aside(LEFT_OUT, LEFT_OUT.length)] } };
}

export function sizeOf(card: Card): number {
  return Buffer.byteLength(JSON.stringify(card));
}
