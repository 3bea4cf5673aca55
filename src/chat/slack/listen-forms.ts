/** Where Bolt hands over what belongs to the form and to the home tab. */
import type { App } from '@slack/bolt';
import type { Answer } from '../../access/command.ts';
import type { ReplyTo } from '../../access/ports.ts';
import type { Forms } from './form.ts';
import type { Homes } from './home.ts';
import type { ParseContext } from './parse.ts';
import {
  FORM_CALLBACK,
  FORM_SHORTCUT,
  type FormParsed,
  parseFormAction,
  parseFormSubmission,
  parseHomeOpened,
  parseShortcut,
  parseSuggestion,
  RESOURCE_INPUT,
} from './parse-form.ts';

export interface FormListeners {
  readonly app: App;
  readonly forms: Forms;
  readonly homes: Homes;
  readonly parseContext: (context: Record<string, unknown>) => ParseContext;
  readonly count: (kind: string, outcome: string) => void;
  readonly say: (reply: ReplyTo, answer: Answer) => Promise<void>;
  readonly later: (work: Promise<void>) => void;
}

type Ack = (answer?: unknown) => Promise<void>;

/** Listens, and returns what looks at each pressed button first; `false`: it is not one of the form's. */
export function listenToForms(
  parts: FormListeners,
): (body: unknown, ack: Ack, context: ParseContext) => Promise<boolean> {
  const { app, forms, homes, parseContext, count, say, later } = parts;

  async function carry(parsed: FormParsed, ack: Ack): Promise<void> {
    await ack();
    if (parsed.is === 'refused') later(say(parsed.reply, { say: 'refused', refusal: parsed.refusal }));
    if (parsed.is === 'open_form') await forms.open(parsed.triggerId, parsed.reply, parsed.from);
    if (parsed.is === 'form_changed') later(forms.changed(parsed));
  }

  app.shortcut({ callback_id: FORM_SHORTCUT, type: 'shortcut' }, async ({ body, ack, context }) => {
    const parsed = parseShortcut(body, parseContext(context));
    count('shortcut', outcomeOf(parsed));
    await carry(parsed, ack as Ack);
  });

  app.options({ type: 'block_suggestion', action_id: RESOURCE_INPUT }, async ({ body, ack, context }) => {
    const asked = parseSuggestion(body, parseContext(context));
    count('search', asked === undefined ? 'ignored' : 'search');
    const found = asked === undefined ? { options: [] } : await forms.choices(asked.account, asked.typed);
    await ack(found as never);
  });

  app.view(FORM_CALLBACK, async ({ body, ack, context }) => {
    const parsed = parseFormSubmission(body, parseContext(context));
    count('form', outcomeOf(parsed));
    await forms.sent(parsed, ack as Ack);
  });

  app.event('app_home_opened', async ({ body, context }) => {
    const parsed = parseContext(context);
    const opened = parseHomeOpened(body, parsed);
    count('home', opened === undefined ? 'ignored' : 'opened');
    if (opened !== undefined) homes.opened(opened.account, opened.hash, parsed.key);
  });

  return async (body, ack, context) => {
    const parsed = parseFormAction(body, context);
    if (parsed === undefined) return false;
    count('form', outcomeOf(parsed));
    await carry(parsed, ack);
    return true;
  };
}

function outcomeOf(parsed: { readonly is: string; readonly why?: string }): string {
  return parsed.why ?? parsed.is;
}
