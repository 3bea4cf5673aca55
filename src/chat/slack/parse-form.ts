/** The form's and the home tab's payloads, read as strictly as the others: well-formed, and nothing more is believed. */
import { z } from 'zod';
import type { Command, DurationWish, Refusal } from '../../access/command.ts';
import { cleanReason, parseWish } from '../../access/grammar.ts';
import type { AccountRef } from '../../access/model.ts';
import type { ReplyTo } from '../../access/ports.ts';
import type { FormWish } from '../../access/preview.ts';
import {
  cardId,
  FOREIGN,
  type IgnoredWhy,
  isForeignApp,
  isForeignTeam,
  type ParseContext,
  person,
  teamId,
  userId,
} from './parse.ts';

export const FORM_CALLBACK = 'hallpass:form';
export const FORM_SHORTCUT = 'hallpass:request';
/** Blocks; the two texts are their own actions too. */
export const RESOURCE = 'resource';
export const DURATION = 'duration';
export const REASON = 'reason';
export const RESOURCE_INPUT = 'hallpass:resource';
export const ROLE_INPUT = 'hallpass:role';

/** Buttons of the home tab that open the form: empty, for one resource, or filled in as an earlier request was. */
export const OPEN_FORM = 'hallpass:form';
export const ASK_FOR = 'hallpass:ask';
export const ASK_AGAIN = 'hallpass:again';

/** Slack keeps what was chosen in a block of the same id, and another resource has other roles. */
export function roleBlock(resource: string): string {
  return `role:${resource}`;
}

/** What the form showed when it was drawn: nothing secret, and nothing that is believed without being looked up again. */
export interface Shown {
  readonly resource: string;
  readonly role: string;
  readonly stamp: string;
}

interface InForm {
  readonly viewId: string;
  readonly hash: string;
  readonly account: AccountRef;
  /** As it stands in the form. */
  readonly wish: FormWish;
}

export type FormParsed =
  | {
      readonly is: 'open_form';
      readonly triggerId: string;
      readonly reply: ReplyTo;
      readonly from: FormWish | { readonly card: string };
    }
  /** Another resource or role was chosen. */
  | ({ readonly is: 'form_changed' } & InForm)
  | { readonly is: 'refused'; readonly refusal: Refusal; readonly reply: ReplyTo }
  | { readonly is: 'ignored'; readonly why: IgnoredWhy };

export type FormSent =
  | ({
      readonly is: 'form_sent';
      readonly deliveryKey: string;
      readonly shown?: Shown;
      readonly command: Extract<Command, { do: 'request' }>;
    } & InForm)
  /** By block id. */
  | ({ readonly is: 'form_refused'; readonly refusals: Readonly<Record<string, Refusal>> } & InForm)
  | { readonly is: 'ignored'; readonly why: IgnoredWhy };

/** A choice's value; names in the file are shorter. */
const name = z.string().regex(/^[A-Za-z][A-Za-z0-9._/-]{0,74}$/);
const viewId = z.string().regex(/^[A-Za-z0-9_-]{1,60}$/);
const trigger = z.string().max(500);
const shown = z.object({ resource: name, role: name, stamp: z.string().regex(/^[0-9a-f]{1,64}$/) });

const input = z.object({
  value: z.string().nullish(),
  selected_option: z.object({ value: z.string() }).nullish(),
});
const state = z.object({ values: z.record(z.string(), z.record(z.string(), input)) });
type Values = z.infer<typeof state>['values'];

const formView = z.object({
  id: viewId,
  hash: z.string().max(100),
  callback_id: z.literal(FORM_CALLBACK),
  private_metadata: z.string().max(3000).default(''),
  state,
});

const actions = z.object({
  user: person,
  actions: z.array(z.object({ action_id: z.string().max(255), value: z.string().max(2000).optional() })).min(1),
  trigger_id: trigger.optional(),
  api_app_id: z.string().optional(),
});
const changed = z.object({ view: formView });
const submission = z.object({ user: person, api_app_id: z.string().optional(), view: formView });
const shortcut = z.object({
  user: person,
  trigger_id: trigger,
  callback_id: z.literal(FORM_SHORTCUT),
  api_app_id: z.string().optional(),
});
const suggestion = z.object({
  user: person,
  value: z.string().default(''),
  action_id: z.literal(RESOURCE_INPUT),
  api_app_id: z.string().optional(),
});
const homeOpened = z.object({
  team_id: teamId,
  api_app_id: z.string().optional(),
  event: z.object({
    type: z.literal('app_home_opened'),
    user: userId,
    tab: z.literal('home'),
    view: z
      .object({ hash: z.string().max(100) })
      .optional()
      .catch(undefined),
  }),
});

/** A press in the form, or on a button that opens it; absent when it is neither. */
export function parseFormAction(body: unknown, context: ParseContext): FormParsed | undefined {
  const read = actions.safeParse(body);
  if (!read.success) return undefined;
  const { user, trigger_id, api_app_id } = read.data;
  const action = read.data.actions[0];
  const opens = [OPEN_FORM, ASK_FOR, ASK_AGAIN].includes(action?.action_id ?? '');
  if (!opens && action?.action_id !== RESOURCE_INPUT && action?.action_id !== ROLE_INPUT) return undefined;
  if (isForeignApp(api_app_id, context)) return { is: 'ignored', why: 'foreign_app' };
  const account = accountOf(user);
  if (isForeignTeam(user.team_id, context)) return { is: 'refused', refusal: FOREIGN, reply: { account } };
  if (!opens) {
    const view = changed.safeParse(body);
    if (!view.success) return { is: 'ignored', why: 'malformed' };
    return { is: 'form_changed', ...inForm(view.data.view, account) };
  }
  const from = sourceOf(action?.action_id ?? '', action?.value);
  if (trigger_id === undefined || from === undefined) return { is: 'ignored', why: 'malformed' };
  return { is: 'open_form', triggerId: trigger_id, reply: { account }, from };
}

function sourceOf(action: string, value: string | undefined): FormWish | { readonly card: string } | undefined {
  if (action === OPEN_FORM) return {};
  if (action === ASK_AGAIN) {
    const card = cardId.safeParse(value);
    return card.success ? { card: card.data } : undefined;
  }
  const [resource, role] = (value ?? '').split(':').map((part) => name.safeParse(part).data);
  if (resource === undefined) return undefined;
  return role === undefined ? { resource } : { resource, role };
}

/** The global shortcut. */
export function parseShortcut(body: unknown, context: ParseContext): FormParsed {
  const read = shortcut.safeParse(body);
  if (!read.success) return { is: 'ignored', why: 'malformed' };
  const { user, trigger_id, api_app_id } = read.data;
  if (isForeignApp(api_app_id, context)) return { is: 'ignored', why: 'foreign_app' };
  const reply = { account: accountOf(user) };
  if (isForeignTeam(user.team_id, context)) return { is: 'refused', refusal: FOREIGN, reply };
  return { is: 'open_form', triggerId: trigger_id, reply, from: {} };
}

/** What was typed into the search, and by whom; absent when nobody of ours did. */
export function parseSuggestion(
  body: unknown,
  context: ParseContext,
): { readonly account: AccountRef; readonly typed: string } | undefined {
  const read = suggestion.safeParse(body);
  if (!read.success) return undefined;
  const { user, value, api_app_id } = read.data;
  if (isForeignApp(api_app_id, context) || isForeignTeam(user.team_id, context)) return undefined;
  // No name is as long as that; the rest of a pasted log finds nothing more.
  return { account: accountOf(user), typed: value.slice(0, 200) };
}

/** The form, sent off: a request, or what is wrong with it, field by field. */
export function parseFormSubmission(body: unknown, context: ParseContext): FormSent {
  const read = submission.safeParse(body);
  if (!read.success) return { is: 'ignored', why: 'malformed' };
  const { user, view, api_app_id } = read.data;
  if (isForeignApp(api_app_id, context)) return { is: 'ignored', why: 'foreign_app' };
  if (isForeignTeam(user.team_id, context)) return { is: 'ignored', why: 'foreign_workspace' };
  const form = inForm(view, accountOf(user));
  const refusals: Record<string, Refusal> = {};
  const { resource, role } = form.wish;
  if (resource === undefined || !name.safeParse(resource).success)
    refusals[RESOURCE] = { code: 'unknown_resource', asked: resource ?? '', suggestions: [] };
  else if (role !== undefined && !name.safeParse(role).success)
    refusals[roleBlock(resource)] = { code: 'unknown_role', resource, asked: role, roles: [] };
  const duration = parseWish(form.wish.duration ?? '');
  if (duration !== undefined && 'code' in duration) refusals[DURATION] = duration;
  const reason = cleanReason(form.wish.reason ?? '');
  if (typeof reason !== 'string') refusals[REASON] = reason;
  if (Object.keys(refusals).length > 0 || resource === undefined || typeof reason !== 'string')
    return { is: 'form_refused', ...form, refusals };
  const drawn = shownIn(view.private_metadata);
  return {
    is: 'form_sent',
    ...form,
    deliveryKey: context.key,
    ...(drawn === undefined ? {} : { shown: drawn }),
    command: {
      do: 'request',
      by: form.account,
      resource,
      ...(role === undefined ? {} : { role }),
      ...(duration === undefined ? {} : { duration: duration as DurationWish }),
      reason,
    },
  };
}

/** The home tab was opened; `hash` is of what it shows. Any other event, and the messages tab, are nothing to us. */
export function parseHomeOpened(
  body: unknown,
  context: ParseContext,
): { readonly account: AccountRef; readonly hash?: string } | undefined {
  const read = homeOpened.safeParse(body);
  if (!read.success) return undefined;
  const { team_id, api_app_id, event } = read.data;
  if (isForeignApp(api_app_id, context) || isForeignTeam(team_id, context)) return undefined;
  const account: AccountRef = { platform: 'slack', tenant: team_id, id: event.user };
  return event.view === undefined ? { account } : { account, hash: event.view.hash };
}

function inForm(view: z.infer<typeof formView>, account: AccountRef): InForm {
  const { values } = view.state;
  const resource = chosen(values, RESOURCE, RESOURCE_INPUT);
  const role = resource === undefined ? undefined : chosen(values, roleBlock(resource), ROLE_INPUT);
  return {
    viewId: view.id,
    hash: view.hash,
    account,
    wish: {
      ...(resource === undefined ? {} : { resource }),
      ...(role === undefined ? {} : { role }),
      duration: values[DURATION]?.[DURATION]?.value ?? '',
      reason: values[REASON]?.[REASON]?.value ?? '',
    },
  };
}

function chosen(values: Values, block: string, action: string): string | undefined {
  return values[block]?.[action]?.selected_option?.value;
}

function shownIn(metadata: string): Shown | undefined {
  try {
    return shown.safeParse(JSON.parse(metadata)).data;
  } catch {
    return undefined;
  }
}

function accountOf(user: { readonly id: string; readonly team_id: string }): AccountRef {
  return { platform: 'slack', tenant: user.team_id, id: user.id };
}
