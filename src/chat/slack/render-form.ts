/** The request form, drawn. What people and the file wrote is only ever plain text; the view carries no authority. */
import type { InputBlock, KnownBlock, ModalView, PlainTextOption } from '@slack/types';
import type { Refusal } from '../../access/command.ts';
import { REASON_MAX } from '../../access/grammar.ts';
import { CHOICES_MAX, type Choice, type ChosenView, type FormView, previewLines } from '../../access/preview.ts';
import { cut, durationText, refusalText } from '../../access/words.ts';
import {
  DURATION,
  FORM_CALLBACK,
  REASON,
  RESOURCE,
  RESOURCE_INPUT,
  ROLE_INPUT,
  roleBlock,
  type Shown,
} from './parse-form.ts';
import { plain } from './text.ts';

export interface FormContext {
  readonly zone: string;
  readonly commandWord: string;
}

const OPTION_MAX = 75;
const SECTION_MAX = 3000;
const INITIAL_DURATION_MAX = 60;
/** Slack says nothing of a limit; a longer one pushes the field out of sight. */
const ERROR_MAX = 300;

/** Opened at once, since a trigger lives for three seconds and looking people up may take longer. */
export function renderFormLoading(): ModalView {
  return { ...frame(), blocks: [section('Loading…')] };
}

/** Instead of the form, when there is none to be had. */
export function renderFormNote(text: string): ModalView {
  return { ...frame(), blocks: [section(text)] };
}

export function renderForm(form: FormView, context: FormContext): ModalView {
  const { chosen } = form;
  if (form.refusal !== undefined) return renderFormNote(sentence(form.refusal, { ...context, zone: form.zone }));
  const shown: Shown | undefined =
    chosen === undefined ? undefined : { resource: chosen.resource, role: chosen.role, stamp: chosen.stamp };
  const problem = form.missing === undefined ? [] : [section(sentence(form.missing, { ...context, zone: form.zone }))];
  return {
    ...frame(),
    submit: plain('Send request', 24),
    ...(shown === undefined ? {} : { private_metadata: JSON.stringify(shown) }),
    blocks: [
      ...problem,
      resourceField(chosen),
      ...(chosen === undefined ? [] : [...roleField(chosen), ...previewBlocks(chosen, form, context)]),
      durationField(form),
      reasonField(form),
    ],
  };
}

/** What the search finds, as Slack's answer to `block_suggestion`. */
export function renderChoices(choices: readonly Choice[]): { readonly options: readonly PlainTextOption[] } {
  return { options: choices.slice(0, CHOICES_MAX).map(resourceOption) };
}

/** What is wrong, on the field it is about: Slack shows errors on inputs only. */
export function renderFormErrors(
  refusals: Readonly<Record<string, Refusal>>,
  context: FormContext,
): { readonly response_action: 'errors'; readonly errors: Readonly<Record<string, string>> } {
  const errors = Object.entries(refusals).map(([block, refusal]) => [
    block,
    cut(fieldText(refusal, context), ERROR_MAX),
  ]);
  return { response_action: 'errors', errors: Object.fromEntries(errors) as Record<string, string> };
}

export function renderFieldError(block: string, text: string): object {
  return { response_action: 'errors', errors: { [block]: cut(text, ERROR_MAX) } };
}

/** The field that a refusal is about. */
export function fieldOf(refusal: Refusal): string {
  switch (refusal.code) {
    case 'bad_duration':
    case 'duration_over_maximum':
    case 'time_past':
      return DURATION;
    case 'reason_missing':
    case 'reason_too_short':
    case 'reason_too_long':
      return REASON;
    default:
      // Also for a role: only a resource with several of them has that field.
      return RESOURCE;
  }
}

/** As for what is typed, except where that speaks of the place in a command. */
function fieldText(refusal: Refusal, context: FormContext): string {
  switch (refusal.code) {
    case 'bad_duration':
      return `“${cut(refusal.asked, 40)}” is not a duration. Write it like 30m, 1h30m, 2d or until 17:00.`;
    case 'reason_missing':
      return refusal.minLength > 1 ? `Say why, in at least ${refusal.minLength} characters.` : 'Say why.';
    case 'unknown_resource':
      if (refusal.asked === '') return 'Choose what you need access to.';
      return `${sentence(refusal, context)} It may have been removed since you opened this form.`;
    default:
      return sentence(refusal, context);
  }
}

function sentence(refusal: Refusal, context: FormContext): string {
  const { reason, next } = refusalText(refusal, context.zone, context.commandWord);
  return `${reason} ${next}`;
}

function frame(): Pick<ModalView, 'type' | 'callback_id' | 'title' | 'close'> {
  return { type: 'modal', callback_id: FORM_CALLBACK, title: plain('Request access', 24), close: plain('Cancel', 24) };
}

function resourceField(chosen: ChosenView | undefined): InputBlock {
  return {
    type: 'input',
    block_id: RESOURCE,
    dispatch_action: true,
    label: plain('What do you need access to?', 2000),
    element: {
      type: 'external_select',
      action_id: RESOURCE_INPUT,
      // 0: the first of them are shown before anything is typed.
      min_query_length: 0,
      placeholder: plain('Search by name', 150),
      ...(chosen === undefined ? {} : { initial_option: resourceOption(chosen) }),
    },
  };
}

function roleField(chosen: ChosenView): InputBlock[] {
  if (chosen.roles.length < 2) return [];
  const options = chosen.roles.map(({ role, groups }) => option(role, role, groups.join(', ')));
  const initial = options.find(({ value }) => value === chosen.role);
  // More than Slack can show: the chosen one stays among them, and the others can be typed.
  const offered = options.slice(0, CHOICES_MAX);
  if (initial !== undefined && !offered.includes(initial)) offered.splice(-1, 1, initial);
  return [
    {
      type: 'input',
      block_id: roleBlock(chosen.resource),
      dispatch_action: true,
      label: plain('Which role?', 2000),
      element: {
        type: 'static_select',
        action_id: ROLE_INPUT,
        options: offered,
        ...(initial === undefined ? {} : { initial_option: initial }),
      },
    },
  ];
}

function previewBlocks(chosen: ChosenView, form: FormView, context: FormContext): KnownBlock[] {
  const lines = previewLines(chosen.preview, form.zone, context.commandWord);
  const title = chosen.title === chosen.resource ? '' : `${cut(chosen.title, 150)}\n`;
  return [section(`${title}${lines.join('\n')}`)];
}

function durationField(form: FormView): InputBlock {
  const rule = form.chosen?.preview;
  const limit = rule === undefined ? 'Left empty, the policy decides.' : `At most ${durationText(rule.maxMs)}.`;
  return {
    type: 'input',
    block_id: DURATION,
    optional: true,
    label: plain('For how long?', 2000),
    hint: plain(`Like 30m, 1h30m, 2d or until 17:00 (${form.zone}). ${limit}`, 2000),
    element: {
      type: 'plain_text_input',
      action_id: DURATION,
      max_length: INITIAL_DURATION_MAX,
      placeholder: plain(rule === undefined ? '30m' : `${durationText(rule.defaultMs)} when left empty`, 150),
      ...(form.duration === '' ? {} : { initial_value: cut(form.duration, INITIAL_DURATION_MAX) }),
    },
  };
}

function reasonField(form: FormView): InputBlock {
  const least = form.chosen?.preview.minReason ?? 0;
  const length = least > 1 ? `At least ${least} characters. ` : '';
  return {
    type: 'input',
    block_id: REASON,
    optional: form.chosen !== undefined && least === 0,
    label: plain('Why?', 2000),
    hint: plain(`${length}Approvers decide by it, and it is kept in the audit trail.`, 2000),
    element: {
      type: 'plain_text_input',
      action_id: REASON,
      multiline: true,
      max_length: REASON_MAX,
      ...(form.reason === '' ? {} : { initial_value: cut(form.reason, REASON_MAX) }),
    },
  };
}

function resourceOption({ resource, title }: Choice): PlainTextOption {
  return option(resource, resource, title === resource ? '' : title);
}

function option(text: string, value: string, description: string): PlainTextOption {
  return {
    text: plain(text, OPTION_MAX),
    value,
    ...(description === '' ? {} : { description: plain(description, OPTION_MAX) }),
  };
}

function section(text: string): KnownBlock {
  return { type: 'section', text: plain(text, SECTION_MAX) };
}
