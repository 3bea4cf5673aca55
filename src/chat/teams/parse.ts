/** What an activity asks for. Every field is input; what a button stands for is looked up later by its opaque id. */
import { z } from 'zod';
import type { Command, Refusal } from '../../access/command.ts';
import { asksForForm, cleanReason, parseCommand, parseListCursor } from '../../access/grammar.ts';
import type { AccountRef } from '../../access/model.ts';
import type { Incoming, ReplyTo } from '../../access/ports.ts';
import type { FormWish } from '../../access/preview.ts';
import { type Activity, isPersonal, plainText } from './activity.ts';
import { BUTTONS, CONFIRM_REVOCATION, QUESTION, SIGN_DIGEST, SIGN_OFF } from './render.ts';
import { FINDING_BUTTONS, type FindingButton } from './render-finding.ts';

export type Parsed =
  | { readonly is: 'command'; readonly incoming: Incoming }
  /** Answered at once; nothing is recorded. */
  | { readonly is: 'refused'; readonly refusal: Refusal }
  /** The request with the buttons, for whoever may press them; changes nothing. */
  | { readonly is: 'look'; readonly card: string }
  | { readonly is: 'home' }
  /** `request` alone: Teams opens a dialog only for a press, so a button is offered. */
  | { readonly is: 'offer_form' }
  | { readonly is: 'ignored'; readonly why: 'malformed' | 'unknown_button' };

export type FormParsed =
  | { readonly is: 'opened'; readonly from: FormWish | { readonly card: string } }
  | { readonly is: 'chosen'; readonly wish: FormWish }
  | { readonly is: 'sent'; readonly wish: FormWish; readonly shown: Shown }
  | { readonly is: 'ignored'; readonly why: 'malformed' };

/** What the dialog showed when it was drawn: nothing secret, and nothing that is believed without being looked up again. */
export interface Shown {
  readonly resource: string;
  readonly role: string;
  readonly stamp: string;
  /** Of this drawing, so that it acts once however often it is sent. */
  readonly nonce: string;
}

/** A file's names are shorter. */
const name = z.string().regex(/^[A-Za-z][A-Za-z0-9._/-]{0,74}$/);
export const cardId = z.string().regex(/^[A-Za-z0-9_-]{1,75}$/);
const text = z.string().max(4_000).optional().catch(undefined);

/** A shorter time is only asked for: none longer than what was requested counts. */
const length = z.string().regex(/^[1-9]\d{0,8}$/);

const pressed = z.object({
  hallpass: z.object({
    do: z.string().max(40),
    card: cardId.optional(),
    cursor: z.string().max(60).optional(),
    seconds: length.optional(),
  }),
  reason: text,
  /** Chosen from the list of shorter times. */
  seconds: length.optional().catch(undefined),
});
/** What `adaptiveCard/action` carries around the data. */
const action = z.object({ action: z.object({ data: z.unknown().optional() }) });

const task = z.object({
  data: z.object({
    hallpass: z.object({
      do: z.enum(['form', 'form_choose', 'form_send']),
      resource: name.optional(),
      role: name.optional(),
      again: cardId.optional(),
      stamp: z
        .string()
        .regex(/^[0-9a-f]{1,64}$/)
        .optional(),
      nonce: z
        .string()
        .regex(/^[0-9a-f]{1,64}$/)
        .optional(),
    }),
    resource: text,
    named: text,
    role: text,
    duration: text,
    reason: text,
  }),
});

/** A message: something typed, or a button that came as a message because the client is too old for more. */
export function parseMessage(
  read: Activity,
  by: AccountRef,
  key: string,
  objectIds: ReadonlyMap<string, string> = new Map(),
): Parsed {
  if (read.text === undefined || read.text.trim() === '') return parsePressed(read.value, read, by, key);
  const typed = plainText(read, objectIds);
  if (/^(?:home|my access)$/i.test(typed)) return { is: 'home' };
  if (asksForForm(typed)) return { is: 'offer_form' };
  const command = parseCommand(typed, by);
  return 'code' in command ? { is: 'refused', refusal: command } : commanded(command, read, by, key);
}

/** `adaptiveCard/action`; absent when there is no action in it. */
export function parseCardAction(read: Activity, by: AccountRef, key: string): Parsed | undefined {
  const found = action.safeParse(read.value);
  return found.success ? parsePressed(found.data.action.data, read, by, key) : undefined;
}

function parsePressed(data: unknown, read: Activity, by: AccountRef, key: string): Parsed {
  const found = pressed.safeParse(data);
  if (!found.success) return { is: 'ignored', why: 'malformed' };
  const { hallpass, reason: typedReason, seconds: chosen } = found.data;
  if (hallpass.do === 'home') return { is: 'home' };
  if (hallpass.do === 'list') {
    const cursor = parseListCursor(hallpass.cursor ?? '');
    return cursor === undefined
      ? { is: 'refused', refusal: { code: 'expired_button' } }
      : commanded({ do: 'list', by, ...cursor }, read, by, key);
  }
  if (hallpass.do === CONFIRM_REVOCATION) {
    const { card: id } = hallpass;
    return id === undefined
      ? { is: 'refused', refusal: { code: 'expired_button' } }
      : commanded({ do: 'confirm-revocation', by, id }, read, by, key);
  }
  if (hallpass.do === SIGN_DIGEST) {
    const { card: id } = hallpass;
    if (id === undefined) return { is: 'refused', refusal: { code: 'expired_button' } };
    return commanded({ do: 'sign-digest', by, which: { id } }, read, by, key);
  }
  if (hallpass.do === SIGN_OFF || hallpass.do === QUESTION) {
    const { card: id } = hallpass;
    if (id === undefined) return { is: 'refused', refusal: { code: 'expired_button' } };
    const note = cleanReason(hallpass.do === QUESTION ? (typedReason ?? '') : '');
    if (typeof note !== 'string') return { is: 'refused', refusal: note };
    const verdict = hallpass.do === QUESTION ? 'question' : 'sign_off';
    const said = note === '' ? {} : { note };
    return commanded({ do: 'review', by, target: { card: id }, verdict, ...said }, read, by, key);
  }
  const ofFinding = FINDING_BUTTONS.find((one) => one === hallpass.do);
  if (ofFinding !== undefined) {
    const command = findingCommand(ofFinding, by, hallpass.card, typedReason);
    return 'code' in command ? { is: 'refused', refusal: command } : commanded(command, read, by, key);
  }
  const forLess = hallpass.do === 'approve_for';
  const button = forLess ? 'approve' : BUTTONS.find((one) => one === hallpass.do);
  if (button === undefined) return { is: 'ignored', why: 'unknown_button' };
  const { card } = hallpass;
  if (card === undefined) return { is: 'refused', refusal: { code: 'expired_button' } };
  const seconds = forLess ? chosen : hallpass.seconds;
  // The list always says for how long; approving for all of it instead would be more than was meant.
  if (forLess && seconds === undefined) return { is: 'refused', refusal: { code: 'expired_button' } };
  if (button === 'approve' && seconds !== undefined)
    return commanded({ do: 'approve', by, target: { card }, durationMs: Number(seconds) * 1000 }, read, by, key);
  if (button === 'look') return { is: 'look', card };
  const target = { card };
  if (button !== 'deny') return commanded({ do: button, by, target }, read, by, key);
  const reason = cleanReason(typedReason ?? '');
  if (typeof reason !== 'string') return { is: 'refused', refusal: reason };
  return commanded({ do: 'deny', by, target, ...(reason === '' ? {} : { reason }) }, read, by, key);
}

function findingCommand(
  pressedButton: FindingButton,
  by: AccountRef,
  finding: string | undefined,
  typed: string | undefined,
): Command | Refusal {
  if (finding === undefined) return { code: 'expired_button' };
  const said = cleanReason(typed ?? '');
  if (typeof said !== 'string') return said;
  switch (pressedButton) {
    case 'dismiss-finding':
      return { do: pressedButton, by, finding, reason: said };
    case 'explain-finding':
      return { do: pressedButton, by, finding, explanation: said };
    default:
      return { do: pressedButton, by, finding };
  }
}

function commanded(command: Command, read: Activity, by: AccountRef, key: string): Parsed {
  return { is: 'command', incoming: { key, command, reply: replyTo(read, by) } };
}

/** Answers go to the person alone; where that cannot be, the place they asked in is told so. */
export function replyTo(read: Activity, account: AccountRef): ReplyTo {
  return isPersonal(read) ? { account } : { account, url: read.conversation.id };
}

/** `task/fetch` and `task/submit`. */
export function parseTask(read: Activity): FormParsed {
  const found = task.safeParse(read.value);
  if (!found.success) return { is: 'ignored', why: 'malformed' };
  const { hallpass, ...typed } = found.data.data;
  const { resource, role, again, stamp, nonce } = hallpass;
  if (hallpass.do === 'form') {
    if (again !== undefined) return { is: 'opened', from: { card: again } };
    return {
      is: 'opened',
      from: { ...(resource === undefined ? {} : { resource }), ...(role === undefined ? {} : { role }) },
    };
  }
  const texts = { duration: typed.duration ?? '', reason: typed.reason ?? '' };
  if (hallpass.do === 'form_choose') {
    const named = typed.named?.trim() || typed.resource?.trim();
    return { is: 'chosen', wish: { ...texts, ...(named === undefined || named === '' ? {} : { resource: named }) } };
  }
  if (resource === undefined || role === undefined || stamp === undefined || nonce === undefined)
    return { is: 'ignored', why: 'malformed' };
  const chosen = name.safeParse(typed.role).data ?? role;
  return { is: 'sent', wish: { ...texts, resource, role: chosen }, shown: { resource, role, stamp, nonce } };
}
