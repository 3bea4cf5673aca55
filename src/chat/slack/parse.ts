/**
 * Slack's payloads, read. Every field is input: what passes here is well-formed, and nothing more is believed of it.
 * Who presses is the account's ids; what a button stands for is looked up later by its opaque id.
 */
import { z } from 'zod';
import type { Command, Refusal } from '../../access/command.ts';
import { asksForForm, cleanReason, parseCommand, parseListCursor } from '../../access/grammar.ts';
import type { AccountRef } from '../../access/model.ts';
import type { Incoming, ReplyTo } from '../../access/ports.ts';

export type Parsed =
  | { readonly is: 'command'; readonly incoming: Incoming; readonly commandWord?: string }
  /** Answered at once; nothing is recorded. */
  | { readonly is: 'refused'; readonly refusal: Refusal; readonly reply: ReplyTo; readonly commandWord?: string }
  /** The Deny button: a reason is asked for before anything is decided. */
  | {
      readonly is: 'ask_reason';
      readonly about: 'deny' | 'question' | 'dismiss' | 'explain';
      readonly card: string;
      readonly triggerId: string;
      readonly reply: ReplyTo;
    }
  /** `/access` alone. */
  | {
      readonly is: 'open_form';
      readonly triggerId: string;
      readonly reply: ReplyTo;
      readonly commandWord?: string;
    }
  | { readonly is: 'ignored'; readonly why: IgnoredWhy };

export type IgnoredWhy = 'malformed' | 'foreign_app' | 'foreign_workspace' | 'unknown_button' | 'link';

export interface ParseContext {
  /** The delivery's key. */
  readonly key: string;
  /** Ours, once known; another app's payload is not for us. */
  readonly appId?: string;
  /** Team ids whose people may use this installation; absent while not known, and then the lookup of people decides. */
  readonly workspaces?: readonly string[];
  /** There is a form to open. */
  readonly form?: boolean;
}

export const DENY_CALLBACK = 'hallpass:deny';
export const DENY_BLOCK = 'reason';
export const DENY_INPUT = 'reason';

/** Turns the pages of a list; what follows it in the `action_id` only tells two buttons of a message apart. */
export const LIST_ACTION = 'hallpass:list';

/** The menu of shorter times beside Approve. */
export const APPROVE_FOR_ACTION = 'hallpass:approve_for';

/** `<card>.3600`: the card, and for how many seconds it is approved. It only asks: no longer time than was asked counts. */
export function shorterValue(card: string, durationMs: number): string {
  return `${card}.${Math.max(1, Math.floor(durationMs / 1000))}`;
}

function parseShorter(value: string): { readonly card: string; readonly durationMs: number } | undefined {
  const [card, seconds = '', ...rest] = value.split('.');
  const id = cardId.safeParse(card);
  if (!id.success || rest.length > 0 || !/^[1-9]\d{0,8}$/.test(seconds)) return undefined;
  return { card: id.data, durationMs: Number(seconds) * 1000 };
}

/** On a post-access review; their value is its opaque id. */
export const SIGN_OFF = 'hallpass:sign-off';
export const PROOF = 'hallpass:proof';
export const QUESTION = 'hallpass:question';
export const QUESTION_CALLBACK = 'hallpass:question';

/** On a finding; their value is its id. */
export const ASK_HOLDER = 'hallpass:ask-holder';
export const REVOKE_FINDING = 'hallpass:revoke-finding';
export const DISMISS_FINDING = 'hallpass:dismiss-finding';
export const EXPLAIN_FINDING = 'hallpass:explain-finding';
export const DISMISS_CALLBACK = 'hallpass:dismiss';
export const EXPLAIN_CALLBACK = 'hallpass:explain';
/** On a day's digest; its value is the digest's opaque id. */
export const SIGN_DIGEST = 'hallpass:sign-digest';

/** On the preview of a revocation; its value is the revocation's opaque id. */
export const CONFIRM_REVOCATION = 'hallpass:confirm-revocation';

/** What the buttons do, by the end of their `action_id`. */
export const BUTTONS = ['approve', 'deny', 'cancel', 'extend', 'return', 'story'] as const;
export type ButtonName = (typeof BUTTONS)[number];

export const userId = z.string().regex(/^[UW][A-Z0-9]{1,31}$/);
export const teamId = z.string().regex(/^[TE][A-Z0-9]{1,31}$/);
export const cardId = z.string().regex(/^[A-Za-z0-9_-]{1,75}$/);
const address = z.string().max(2000).optional().catch(undefined);

const slashCommand = z.object({
  team_id: teamId,
  user_id: userId,
  command: z.string().regex(/^\/\S{1,31}$/),
  text: z.string().default(''),
  response_url: address,
  trigger_id: z.string().max(500).optional().catch(undefined),
  api_app_id: z.string().optional(),
});

export const person = z.object({ id: userId, team_id: teamId });

const blockActions = z.object({
  user: person,
  actions: z
    .array(
      z.object({
        action_id: z.string().max(255),
        value: z.string().max(2000).optional(),
        selected_option: z.object({ value: z.string().max(2000) }).nullish(),
      }),
    )
    .min(1),
  response_url: address,
  trigger_id: z.string().max(500).optional(),
  api_app_id: z.string().optional(),
});

const viewSubmission = z.object({
  user: person,
  api_app_id: z.string().optional(),
  view: z.object({
    callback_id: z.string(),
    private_metadata: cardId,
    state: z.object({
      values: z.record(z.string(), z.record(z.string(), z.object({ value: z.string().nullish() }))),
    }),
  }),
});

/** `/access …` as Slack posts it. */
export function parseSlashCommand(body: unknown, context: ParseContext): Parsed {
  const read = slashCommand.safeParse(body);
  if (!read.success) return { is: 'ignored', why: 'malformed' };
  const { team_id, user_id, command: commandWord, text, response_url, trigger_id, api_app_id } = read.data;
  if (isForeignApp(api_app_id, context)) return { is: 'ignored', why: 'foreign_app' };
  const account: AccountRef = { platform: 'slack', tenant: team_id, id: user_id };
  const reply = replyTo(account, response_url);
  if (isForeignTeam(team_id, context)) return { is: 'refused', refusal: FOREIGN, reply, commandWord };
  if (context.form === true && trigger_id !== undefined && asksForForm(text))
    return { is: 'open_form', triggerId: trigger_id, reply, commandWord };
  const command = parseCommand(plainText(text), account);
  return 'code' in command
    ? { is: 'refused', refusal: command, reply, commandWord }
    : { is: 'command', incoming: { key: context.key, command, reply }, commandWord };
}

/** A pressed button. Only the first action counts; Slack sends one at a time. */
export function parseBlockActions(body: unknown, context: ParseContext): Parsed {
  const read = blockActions.safeParse(body);
  if (!read.success) return { is: 'ignored', why: 'malformed' };
  const { user, actions, response_url, trigger_id, api_app_id } = read.data;
  if (isForeignApp(api_app_id, context)) return { is: 'ignored', why: 'foreign_app' };
  const action = actions[0];
  if (action?.action_id.startsWith(`${LIST_ACTION}:`) === true) {
    const account: AccountRef = { platform: 'slack', tenant: user.team_id, id: user.id };
    const reply = replyTo(account, response_url);
    if (isForeignTeam(user.team_id, context)) return { is: 'refused', refusal: FOREIGN, reply };
    const cursor = parseListCursor(action.value ?? '');
    if (cursor === undefined) return { is: 'refused', refusal: { code: 'expired_button' }, reply };
    return { is: 'command', incoming: { key: context.key, command: { do: 'list', by: account, ...cursor }, reply } };
  }
  if (action?.action_id === SIGN_OFF || action?.action_id === QUESTION) {
    const account: AccountRef = { platform: 'slack', tenant: user.team_id, id: user.id };
    const reply = replyTo(account, response_url);
    if (isForeignTeam(user.team_id, context)) return { is: 'refused', refusal: FOREIGN, reply };
    const id = cardId.safeParse(action.value);
    if (!id.success) return { is: 'refused', refusal: { code: 'expired_button' }, reply };
    if (action.action_id === QUESTION)
      return trigger_id === undefined
        ? { is: 'ignored', why: 'malformed' }
        : { is: 'ask_reason', about: 'question', card: id.data, triggerId: trigger_id, reply };
    const command: Command = { do: 'review', by: account, target: { card: id.data }, verdict: 'sign_off' };
    return { is: 'command', incoming: { key: context.key, command, reply } };
  }
  if (FINDING_BUTTONS.includes(action?.action_id ?? '')) {
    const account: AccountRef = { platform: 'slack', tenant: user.team_id, id: user.id };
    const reply = replyTo(account, response_url);
    if (isForeignTeam(user.team_id, context)) return { is: 'refused', refusal: FOREIGN, reply };
    const id = cardId.safeParse(action?.value);
    if (!id.success) return { is: 'refused', refusal: { code: 'expired_button' }, reply };
    if (action?.action_id === DISMISS_FINDING || action?.action_id === EXPLAIN_FINDING) {
      const about = action.action_id === DISMISS_FINDING ? 'dismiss' : 'explain';
      return trigger_id === undefined
        ? { is: 'ignored', why: 'malformed' }
        : { is: 'ask_reason', about, card: id.data, triggerId: trigger_id, reply };
    }
    const what = action?.action_id === ASK_HOLDER ? 'ask-holder' : 'revoke-finding';
    const command: Command = { do: what, by: account, finding: id.data };
    return { is: 'command', incoming: { key: context.key, command, reply } };
  }
  if (action?.action_id === SIGN_DIGEST) {
    const account: AccountRef = { platform: 'slack', tenant: user.team_id, id: user.id };
    const reply = replyTo(account, response_url);
    if (isForeignTeam(user.team_id, context)) return { is: 'refused', refusal: FOREIGN, reply };
    const id = cardId.safeParse(action.value);
    if (!id.success) return { is: 'refused', refusal: { code: 'expired_button' }, reply };
    const command: Command = { do: 'sign-digest', by: account, which: { id: id.data } };
    return { is: 'command', incoming: { key: context.key, command, reply } };
  }
  if (action?.action_id === CONFIRM_REVOCATION) {
    const account: AccountRef = { platform: 'slack', tenant: user.team_id, id: user.id };
    const reply = replyTo(account, response_url);
    if (isForeignTeam(user.team_id, context)) return { is: 'refused', refusal: FOREIGN, reply };
    const id = cardId.safeParse(action.value);
    if (!id.success) return { is: 'refused', refusal: { code: 'expired_button' }, reply };
    const command: Command = { do: 'confirm-revocation', by: account, id: id.data };
    return { is: 'command', incoming: { key: context.key, command, reply } };
  }
  // The browser follows its link by itself.
  if (action?.action_id === PROOF) return { is: 'ignored', why: 'link' };
  const button =
    action?.action_id === APPROVE_FOR_ACTION
      ? 'approve'
      : BUTTONS.find((name) => action?.action_id === `hallpass:${name}`);
  if (button === undefined) return { is: 'ignored', why: 'unknown_button' };
  const account: AccountRef = { platform: 'slack', tenant: user.team_id, id: user.id };
  const reply = replyTo(account, response_url);
  // People of other organisations see the buttons in a shared channel; commands they cannot type at all.
  if (isForeignTeam(user.team_id, context)) return { is: 'refused', refusal: FOREIGN, reply };
  const shorter =
    button === 'approve' ? parseShorter(action?.selected_option?.value ?? action?.value ?? '') : undefined;
  // The menu always says for how long; without that it is nothing of ours.
  if (action?.action_id === APPROVE_FOR_ACTION && shorter === undefined)
    return { is: 'refused', refusal: { code: 'expired_button' }, reply };
  if (shorter !== undefined) {
    const command: Command = {
      do: 'approve',
      by: account,
      target: { card: shorter.card },
      durationMs: shorter.durationMs,
    };
    return { is: 'command', incoming: { key: context.key, command, reply } };
  }
  const card = cardId.safeParse(action?.value);
  if (!card.success) return { is: 'refused', refusal: { code: 'expired_button' }, reply };
  if (button === 'deny')
    return trigger_id === undefined
      ? { is: 'ignored', why: 'malformed' }
      : { is: 'ask_reason', about: 'deny', card: card.data, triggerId: trigger_id, reply };
  const command: Command = { do: button, by: account, target: { card: card.data } };
  return { is: 'command', incoming: { key: context.key, command, reply } };
}

const FINDING_BUTTONS: readonly string[] = [ASK_HOLDER, REVOKE_FINDING, DISMISS_FINDING, EXPLAIN_FINDING];
const DIALOGS: readonly string[] = [DENY_CALLBACK, QUESTION_CALLBACK, DISMISS_CALLBACK, EXPLAIN_CALLBACK];

/** The Deny dialog, sent off. Slack gives it no address for a late answer, so that goes to the person directly. */
export function parseViewSubmission(body: unknown, context: ParseContext): Parsed {
  const read = viewSubmission.safeParse(body);
  const callback = read.data?.view.callback_id;
  if (!read.success || !DIALOGS.includes(callback ?? '')) return { is: 'ignored', why: 'malformed' };
  const { user, view, api_app_id } = read.data;
  if (isForeignApp(api_app_id, context)) return { is: 'ignored', why: 'foreign_app' };
  const account: AccountRef = { platform: 'slack', tenant: user.team_id, id: user.id };
  const reply = replyTo(account, undefined);
  if (isForeignTeam(user.team_id, context)) return { is: 'ignored', why: 'foreign_workspace' };
  const reason = cleanReason(view.state.values[DENY_BLOCK]?.[DENY_INPUT]?.value ?? '');
  if (typeof reason !== 'string') return { is: 'refused', refusal: reason, reply };
  if (callback === QUESTION_CALLBACK) {
    const target = { card: view.private_metadata };
    const note = reason === '' ? {} : { note: reason };
    const command: Command = { do: 'review', by: account, target, verdict: 'question', ...note };
    return { is: 'command', incoming: { key: context.key, command, reply } };
  }
  if (callback === DISMISS_CALLBACK || callback === EXPLAIN_CALLBACK) {
    const about = { by: account, finding: view.private_metadata };
    const command: Command =
      callback === DISMISS_CALLBACK
        ? { do: 'dismiss-finding', ...about, reason }
        : { do: 'explain-finding', ...about, explanation: reason };
    return { is: 'command', incoming: { key: context.key, command, reply } };
  }
  const command: Command = {
    do: 'deny',
    by: account,
    target: { card: view.private_metadata },
    ...(reason === '' ? {} : { reason }),
  };
  return { is: 'command', incoming: { key: context.key, command, reply } };
}

/**
 * Slack's escaped text as the person typed it. Mentions become their bare ids, since a label can say anything; a link
 * becomes its address, or what was typed when Slack itself made the link. Entities last: an escaped `&lt;@U1&gt;` is
 * text and must not become a mention on the way.
 */
export function plainText(text: string): string {
  return text
    .replace(/<([^<>\s|]{1,3000})(?:\|([^<>]{0,3000}))?>/g, (_whole, target: string, label: string | undefined) => {
      if (/^[@#]/.test(target)) return target;
      if (target.startsWith('!subteam^')) return `@${target.slice('!subteam^'.length)}`;
      if (target.startsWith('!')) return `@${target.slice(1)}`;
      const typed =
        label !== undefined && ['http://', 'https://', 'mailto:', 'tel:'].some((scheme) => target === scheme + label);
      return typed ? label : target;
    })
    .replace(/&lt;/g, '<')
    .replace(/&gt;/g, '>')
    .replace(/&amp;/g, '&');
}

export const FOREIGN: Refusal = {
  code: 'not_recognised',
  why: 'foreign',
  message: 'Your account belongs to another workspace, so Hallpass does not act for you here.',
};

export function replyTo(account: AccountRef, url: string | undefined): ReplyTo {
  return url === undefined ? { account } : { account, url };
}

export function isForeignApp(appId: string | undefined, context: ParseContext): boolean {
  return context.appId !== undefined && appId !== undefined && appId !== context.appId;
}

export function isForeignTeam(team: string, context: ParseContext): boolean {
  return context.workspaces !== undefined && !context.workspaces.includes(team);
}
