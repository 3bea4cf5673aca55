/**
 * The request form as a dialog. It decides nothing: what is sent is the command that could have been typed, through the
 * same inbox, and what it carries from one drawing to the next is looked up again.
 */
import { createHash } from 'node:crypto';
import type { Answer, Command, Refusal } from '../../access/command.ts';
import { cleanReason, parseWish } from '../../access/grammar.ts';
import type { AccountRef } from '../../access/model.ts';
import type { Desk, Incoming, Questions, ReplyTo } from '../../access/ports.ts';
import type { FormView, FormWish } from '../../access/preview.ts';
import { answerText } from '../../access/words.ts';
import type { Rendered } from './card.ts';
import { attachment } from './messenger.ts';
import type { FormParsed } from './parse.ts';
import { COMMAND_WORD } from './render.ts';
import { renderAsk, renderChoose, renderFormNote, sentence } from './render-form.ts';
import { within } from './within.ts';

export interface FormParts {
  readonly questions: Questions;
  readonly desk: Desk;
  readonly zone: () => string;
  readonly patience: { readonly durableMs: number; readonly answerMs: number };
  /** Says the answer when it comes after the dialog had to be closed. */
  readonly sayLater: (reply: ReplyTo, taken: ReturnType<Desk['take']>) => void;
}

const NOT_RECORDED = 'Hallpass cannot record this right now. Nothing was done. Try again in a minute.';
const SENT_ALREADY =
  'This form was sent already. Your messages say what came of it; if there are none in a minute, send it again.';
const CHECKING = 'Checking… The answer follows in a moment.';
const CONFIRM = 'Nothing is asked for yet: confirm it with MFA. The button for that is in your chat with Hallpass.';
const NOT_SHOWN = 'What is needed for this was not shown yet, or has changed since. Look at it, then send again.';

/** Teams' answer to a dialog: another card in it, or a last word. */
export type TaskReply = Readonly<Record<string, unknown>>;

export function createForms({ questions, desk, zone, patience, sayLater }: FormParts) {
  const context = () => ({ zone: zone(), commandWord: COMMAND_WORD });

  async function choose(by: AccountRef, problem?: Refusal): Promise<TaskReply> {
    return carryOn(renderChoose(await questions.choices(by, ''), problem, context()));
  }

  async function ask(
    by: AccountRef,
    wish: FormWish,
    drawing: string,
    refusals: readonly Refusal[] = [],
    note?: string,
  ): Promise<TaskReply> {
    const form: FormView = await questions.form(by, wish);
    if (form.refusal !== undefined) return carryOn(renderFormNote(sentence(form.refusal, context())));
    if (form.chosen === undefined) return choose(by, form.missing);
    const drawn = renderAsk(form, form.chosen, hash(drawing), refusals, context());
    return carryOn(note === undefined ? drawn : noted(drawn, note));
  }

  async function fetch(parsed: Extract<FormParsed, { is: 'opened' }>, by: AccountRef, key: string): Promise<TaskReply> {
    // An earlier request that cannot be read leaves an empty form, which is what a person would open next anyway.
    const wish =
      'card' in parsed.from ? await questions.again(by, parsed.from.card).catch(() => undefined) : parsed.from;
    return ask(by, wish ?? {}, key);
  }

  async function sent(
    { wish, shown }: Extract<FormParsed, { is: 'sent' }>,
    by: AccountRef,
    reply: ReplyTo,
    key: string,
  ): Promise<TaskReply> {
    const duration = parseWish(wish.duration ?? '');
    const reason = cleanReason(wish.reason ?? '');
    const refusals = [duration, reason].filter((one): one is Refusal => typeof one === 'object' && 'code' in one);
    if (refusals.length > 0 || typeof reason !== 'string') return ask(by, wish, key, refusals);
    const stamp = questions.stamp(shown.resource, wish.role);
    // What vanished is refused by the core, in its own words.
    if (stamp !== undefined && stamp !== shown.stamp) return ask(by, wish, key, [], NOT_SHOWN);
    const command: Command = {
      do: 'request',
      by,
      resource: shown.resource,
      ...(wish.role === undefined ? {} : { role: wish.role }),
      ...(duration === undefined || 'code' in duration ? {} : { duration }),
      reason,
    };
    // Of this drawing and what is asked, not of the delivery: pressed twice, it must act once.
    const asked = `teams:form:${hash(JSON.stringify([by.tenant, by.id, shown.nonce, command]))}`;
    return hand({ key: asked, command, reply }, wish, key);
  }

  async function hand(incoming: Incoming, wish: FormWish, key: string): Promise<TaskReply> {
    const by = incoming.reply.account;
    const taken = take(incoming);
    const early = await within(taken, patience.durableMs);
    if (early === 'failed') return ask(by, wish, key, [], NOT_RECORDED);
    if (early !== 'late' && !early.value.fresh) return lastWord(SENT_ALREADY);
    const answer = early === 'late' ? early : await within(early.value.answer, patience.answerMs);
    if (answer === 'late' || answer === 'failed') {
      sayLater(incoming.reply, taken);
      return lastWord(CHECKING);
    }
    if (answer.value.say === 'refused' && answer.value.refusal.code === 'proof_needed') {
      sayLater(incoming.reply, taken);
      return lastWord(CONFIRM);
    }
    if (isRefused(answer.value)) return ask(by, wish, key, [answer.value.refusal]);
    return lastWord(answerText(answer.value, COMMAND_WORD));
  }

  /** A desk that throws at once has failed like one that rejects. */
  async function take(incoming: Incoming): ReturnType<Desk['take']> {
    return desk.take(incoming);
  }

  return { choose, ask, fetch, sent };
}

function isRefused(answer: Answer): answer is Extract<Answer, { say: 'refused' }> {
  // What is tried again by itself must not be sent again, so the form closes and the answer follows.
  return answer.say === 'refused' && answer.refusal.code !== 'being_retried';
}

function noted(rendered: Rendered, note: string): Rendered {
  return { ...rendered, card: { ...rendered.card, body: [...renderFormNote(note).card.body, ...rendered.card.body] } };
}

function carryOn(rendered: Rendered): TaskReply {
  return {
    task: {
      type: 'continue',
      value: { title: 'Request access', height: 'medium', width: 'medium', card: attachment(rendered) },
    },
  };
}

/** As a card: what a dialog does with a bare text is nowhere said, and a name in it may hold anything. */
function lastWord(text: string): TaskReply {
  return carryOn(renderFormNote(text));
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 32);
}
