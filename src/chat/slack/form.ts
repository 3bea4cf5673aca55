/**
 * The request form from opening to sending. What a person sees is looked up afresh at each change, and what is sent is
 * the same command that they could have typed, through the same desk; the form itself decides nothing.
 */
import { createHash } from 'node:crypto';
import type { Answer } from '../../access/command.ts';
import type { AccountRef } from '../../access/model.ts';
import type { Clock, Desk, Incoming, Questions, ReplyTo } from '../../access/ports.ts';
import type { FormWish } from '../../access/preview.ts';
import { type Log, said } from './log.ts';
import { type FormParsed, type FormSent, RESOURCE, roleBlock } from './parse-form.ts';
import { type Rendered, renderNote } from './render.ts';
import {
  fieldOf,
  renderChoices,
  renderFieldError,
  renderForm,
  renderFormErrors,
  renderFormLoading,
  renderFormNote,
} from './render-form.ts';
import { slackCode, textField, type Web } from './web.ts';
import { within } from './within.ts';

export interface FormParts {
  readonly web: Web;
  readonly questions: Questions;
  readonly desk: Desk;
  readonly clock: Clock;
  readonly logger: Log;
  readonly zone: () => string;
  readonly commandWord: string;
  /** How long the acknowledgement of a form may take. */
  readonly patienceMs: number;
  readonly tell: (reply: ReplyTo, rendered: Rendered) => Promise<void>;
  readonly say: (reply: ReplyTo, answer: Answer) => Promise<void>;
  /** Goes on after the acknowledgement. */
  readonly later: (work: Promise<void>) => void;
}

type Ack = (answer?: unknown) => Promise<void>;

export interface Forms {
  /** Opens it at once and fills it in when the look-ups have come. Never rejects. */
  open(triggerId: string, reply: ReplyTo, from: FormWish | { readonly card: string }): Promise<void>;
  changed(change: Extract<FormParsed, { is: 'form_changed' }>): Promise<void>;
  choices(account: AccountRef, typed: string): Promise<object>;
  sent(sent: FormSent, ack: Ack): Promise<void>;
}

/** What is remembered of an open form. Forgotten, it still works: only later, and its answer comes as a direct message. */
interface Open {
  readonly reply: ReplyTo;
  /** Slack's word for the form as we last drew it, and those before it. */
  hash: string | undefined;
  readonly past: Set<string>;
  /** Changes in the order they came; only the newest is worth looking up. */
  turn: number;
  drawing: Promise<void>;
  /** Times that it was sent and refused. */
  tries: number;
  readonly deliveries: Set<string>;
  /** Being decided now. */
  underWay: number;
  sent: boolean;
}

const OPEN_MAX = 500;
const DELIVERIES_MAX = 100;

const NOT_RECORDED = 'Hallpass cannot record this right now. Nothing was done. Try again in a minute.';
const SENT_ALREADY =
  'This form was sent already. Your messages say what came of it; if there are none in a minute, send it again.';
const NOT_SHOWN_YET = 'Who decides about this was not shown yet. It is being looked up; look at it, then send again.';
const CHANGED = 'What is needed for this has changed since it was shown. Look at it again, then send.';
const NOT_LOOKED_UP = 'Hallpass cannot look this up right now. Nothing was done. Close this and try again in a minute.';

export function createForms(parts: FormParts): Forms {
  const { web, questions, desk, clock, logger, tell, later, commandWord } = parts;
  const known = new Map<string, Open>();

  function remember(viewId: string, reply: ReplyTo, hash: string | undefined): Open {
    const form: Open = {
      reply,
      hash,
      past: new Set(),
      turn: 0,
      drawing: Promise.resolve(),
      tries: 0,
      deliveries: new Set(),
      underWay: 0,
      sent: false,
    };
    known.set(viewId, form);
    const oldest = known.size > OPEN_MAX ? known.keys().next() : undefined;
    if (oldest?.done === false) known.delete(oldest.value);
    return form;
  }

  function formOf(viewId: string, account: AccountRef, hash: string): Open {
    const open = known.get(viewId);
    const form = open?.reply.account.id === account.id ? open : remember(viewId, { account }, hash);
    // A hash that is neither ours nor older is newer: another process drew it since.
    if (hash !== form.hash && !form.past.has(hash)) advance(form, hash);
    return form;
  }

  function advance(form: Open, hash: string | undefined): void {
    if (form.hash !== undefined) form.past.add(form.hash);
    form.hash = hash;
  }

  /** Shows the form as it is with this in it. Slack refuses it when somebody else has drawn it since. */
  async function draw(viewId: string, form: Open, wish: FormWish): Promise<void> {
    const context = { zone: parts.zone(), commandWord };
    const view = await questions.form(form.reply.account, wish).then(
      (shown) => renderForm(shown, context),
      (error: unknown) => {
        logger.error({ error: said(error) }, 'a form could not be looked up');
        return renderFormNote(NOT_LOOKED_UP);
      },
    );
    const hash = form.hash === undefined ? {} : { hash: form.hash };
    try {
      const answer = await web.call('views.update', { view_id: viewId, ...hash, view }, parts.patienceMs);
      advance(form, textField(answer.view, 'hash'));
    } catch (error) {
      const code = slackCode(error);
      // Closed by the person meanwhile: nobody is waiting for it.
      if (code === 'not_found' || code === 'view_not_found') return;
      logger.warn({ error: said(error) }, 'a form could not be drawn');
      const why = code === 'hash_conflict' ? 'This form has changed somewhere else meanwhile' : 'Slack did not show it';
      await tell(form.reply, renderNote(`${why}. Close the form and open it again, or ${typed()}`));
    }
  }

  function typed(): string {
    return `type ${commandWord} request <resource> [duration] <reason>. ${commandWord} help shows the rest.`;
  }

  /** One after the other, and those that were overtaken not at all. */
  function redraw(viewId: string, form: Open, wish: FormWish): Promise<void> {
    const turn = ++form.turn;
    form.drawing = form.drawing.then(async () => {
      if (form.turn === turn) await draw(viewId, form, wish);
    });
    return form.drawing;
  }

  async function open(triggerId: string, reply: ReplyTo, from: FormWish | { readonly card: string }): Promise<void> {
    let opened: Record<string, unknown>;
    try {
      opened = await web.call('views.open', { trigger_id: triggerId, view: renderFormLoading() });
    } catch (error) {
      logger.warn({ error: said(error) }, 'the form did not open');
      return later(tell(reply, renderNote(`Slack did not open the form. Try again, or ${typed()}`)));
    }
    const viewId = textField(opened.view, 'id');
    if (viewId === undefined) return;
    const form = remember(viewId, reply, textField(opened.view, 'hash'));
    later(fill(viewId, form, from));
  }

  async function fill(viewId: string, form: Open, from: FormWish | { readonly card: string }): Promise<void> {
    // An earlier request that cannot be read leaves an empty form, which is what a person would open next anyway.
    const wish = 'card' in from ? await questions.again(form.reply.account, from.card).catch(() => undefined) : from;
    await redraw(viewId, form, wish ?? {});
  }

  async function sent(read: FormSent, ack: Ack): Promise<void> {
    if (read.is === 'ignored') return ack();
    const context = { zone: parts.zone(), commandWord };
    if (read.is === 'form_refused') return ack(renderFormErrors(read.refusals, context));
    const { command, viewId, shown } = read;
    const form = formOf(viewId, read.account, read.hash);
    if (form.sent || form.deliveries.has(read.deliveryKey)) return ack(renderFieldError(RESOURCE, SENT_ALREADY));
    const stamp = questions.stamp(command.resource, command.role);
    // What vanished is refused by the core, in its own words.
    if (stamp !== undefined && shown?.stamp !== stamp) {
      const text =
        shown?.resource === command.resource && shown.role === (command.role ?? shown.role) ? CHANGED : NOT_SHOWN_YET;
      await ack(renderFieldError(RESOURCE, text));
      return later(redraw(viewId, form, read.wish));
    }
    remembered(form, read.deliveryKey);
    form.underWay++;
    try {
      await hand(read, form, ack);
    } finally {
      form.underWay--;
    }
  }

  async function hand(read: Extract<FormSent, { is: 'form_sent' }>, form: Open, ack: Ack): Promise<void> {
    const { command, viewId } = read;
    const incoming: Incoming = { key: keyOf(viewId, form, command), command, reply: form.reply };
    const startedAt = clock.monotonic();
    const left = () => parts.patienceMs - (clock.monotonic() - startedAt);
    const taken = take(incoming);
    const early = await within(taken, left());
    if (early === 'failed') {
      form.deliveries.delete(read.deliveryKey);
      return ack(renderFieldError(RESOURCE, NOT_RECORDED));
    }
    if (early !== 'late' && !early.value.fresh) {
      // Refused in another process, as far as this one knows: the same once more is another try.
      if (form.underWay === 1) form.tries++;
      return ack(renderFieldError(RESOURCE, SENT_ALREADY));
    }
    const answer = early === 'late' ? early : await within(early.value.answer, left());
    if (answer !== 'late' && answer !== 'failed' && isRefused(answer.value)) {
      form.tries++;
      const { refusal } = answer.value;
      const ofRole = refusal.code === 'unknown_role' && command.role !== undefined;
      const field = ofRole ? roleBlock(command.resource) : fieldOf(refusal);
      return ack(renderFormErrors({ [field]: refusal }, { zone: parts.zone(), commandWord }));
    }
    form.sent = true;
    await ack();
    later(sayWhenDone(form.reply, taken));
  }

  /** Of what is asked for, not of the delivery: pressed twice, it reaches us as two deliveries and must act once. */
  function keyOf(viewId: string, form: Open, command: Incoming['command']): string {
    const asked = createHash('sha256').update(JSON.stringify(command)).digest('hex').slice(0, 32);
    return `slack:form:${viewId}:${form.tries}:${asked}`;
  }

  function isRefused(answer: Answer): answer is Extract<Answer, { say: 'refused' }> {
    // What is tried again by itself must not be sent again, and a proof is given elsewhere: the form closes and the
    // answer follows.
    return answer.say === 'refused' && !['being_retried', 'proof_needed'].includes(answer.refusal.code);
  }

  function remembered(form: Open, delivery: string): void {
    if (form.deliveries.size >= DELIVERIES_MAX) form.deliveries.clear();
    form.deliveries.add(delivery);
  }

  /** A desk that throws at once has failed like one that rejects. */
  async function take(incoming: Incoming): ReturnType<Desk['take']> {
    return desk.take(incoming);
  }

  async function sayWhenDone(reply: ReplyTo, taken: ReturnType<Desk['take']>): Promise<void> {
    let durable: Awaited<typeof taken>;
    try {
      durable = await taken;
    } catch (error) {
      logger.error({ error: said(error) }, 'a form could not be recorded');
      return tell(reply, renderNote(NOT_RECORDED));
    }
    if (durable.fresh) await parts.say(reply, await durable.answer);
  }

  return {
    open,
    changed: ({ viewId, hash, account, wish }) => redraw(viewId, formOf(viewId, account, hash), wish),
    choices: async (account, typedText) => renderChoices(await questions.choices(account, typedText)),
    sent,
  };
}
