/** The request form as a dialog, drawn. What people and the file wrote is only ever a value or a TextRun. */
import type { Refusal } from '../../access/command.ts';
import { REASON_MAX } from '../../access/grammar.ts';
import { CHOICES_MAX, type Choice, type ChosenView, type FormView, previewLines } from '../../access/preview.ts';
import { cut, durationText, refusalText } from '../../access/words.ts';
import {
  aside,
  type ButtonData,
  cardOf,
  container,
  dialogButton,
  type Element,
  paragraph,
  type Rendered,
  title,
} from './card.ts';

const OPTION_MAX = 75;
const LINE_MAX = 1_500;

export interface FormContext {
  readonly zone: string;
  readonly commandWord: string;
}

/** A button that opens the dialog, since Teams opens none by itself. */
export function renderFormOffer(context: FormContext): Rendered {
  const text = `Say what you need in a form, or type it: ${context.commandWord} request <resource> [duration] <reason>.`;
  return cardOf({
    body: [paragraph(text, LINE_MAX)],
    actions: [dialogButton('Request access', { do: 'form' })],
    summary: text,
  });
}

/** The first step: which resource. */
export function renderChoose(choices: readonly Choice[], problem: Refusal | undefined, context: FormContext): Rendered {
  const offered = choices.slice(0, CHOICES_MAX);
  return cardOf({
    body: [
      ...problems(problem === undefined ? [] : [problem], context),
      {
        type: 'Input.ChoiceSet',
        id: 'resource',
        style: 'filtered',
        label: 'What do you need access to?',
        placeholder: 'Search by name',
        choices: offered.map(({ resource, title: named }) => ({
          title: cut(named === resource ? resource : `${named} (${resource})`, OPTION_MAX),
          value: resource,
        })),
      },
      ...(offered.length < CHOICES_MAX
        ? []
        : [{ type: 'Input.Text', id: 'named', label: 'Or type its name, if it is not in the list', maxLength: 80 }]),
    ],
    actions: [submit('Next', { do: 'form_choose' })],
    summary: 'Request access',
  });
}

/** The second step: who decides, for how long and why. */
export function renderAsk(
  form: FormView,
  chosen: ChosenView,
  nonce: string,
  refusals: readonly Refusal[],
  context: FormContext,
): Rendered {
  const lines = previewLines(chosen.preview, form.zone, context.commandWord);
  const data = { do: 'form_send', resource: chosen.resource, role: chosen.role, stamp: chosen.stamp, nonce };
  return cardOf({
    body: [
      ...problems([...(form.missing === undefined ? [] : [form.missing]), ...refusals], {
        ...context,
        zone: form.zone,
      }),
      title(chosen.title),
      ...lines.map((line) => paragraph(line, LINE_MAX)),
      ...roleField(chosen),
      {
        type: 'Input.Text',
        id: 'duration',
        label: `For how long? Like 30m, 1h30m, 2d or until 17:00 (${form.zone}). At most ${durationText(chosen.preview.maxMs)}.`,
        placeholder: `${durationText(chosen.preview.defaultMs)} when left empty`,
        maxLength: 60,
        ...(form.duration === '' ? {} : { value: cut(form.duration, 60) }),
      },
      {
        type: 'Input.Text',
        id: 'reason',
        isMultiline: true,
        label: `Why?${chosen.preview.minReason > 1 ? ` At least ${chosen.preview.minReason} characters.` : ''} Approvers decide by it, and it is kept in the audit trail.`,
        maxLength: REASON_MAX,
        ...(form.reason === '' ? {} : { value: cut(form.reason, REASON_MAX) }),
      },
    ],
    actions: [submit('Send request', data), submit('Another resource', { do: 'form_choose' }, 'none')],
    summary: 'Request access',
  });
}

/** Instead of the form, when there is none to be had. */
export function renderFormNote(text: string): Rendered {
  return cardOf({ body: [paragraph(text, LINE_MAX)], summary: text });
}

export function sentence(refusal: Refusal, context: FormContext): string {
  if (refusal.code === 'reason_missing')
    return refusal.minLength > 1 ? `Say why, in at least ${refusal.minLength} characters.` : 'Say why.';
  if (refusal.code === 'unknown_resource' && refusal.asked === '') return 'Choose what you need access to.';
  const { reason, next } = refusalText(refusal, context.zone, context.commandWord);
  return `${reason} ${next}`;
}

function problems(refusals: readonly Refusal[], context: FormContext): readonly Element[] {
  if (refusals.length === 0) return [];
  return [
    container(
      'attention',
      refusals.map((refusal) => paragraph(sentence(refusal, context), LINE_MAX)),
    ),
  ];
}

function roleField(chosen: ChosenView): readonly Element[] {
  if (chosen.roles.length < 2) return [];
  const offered = chosen.roles.slice(0, CHOICES_MAX);
  return [
    {
      type: 'Input.ChoiceSet',
      id: 'role',
      label: 'Which role?',
      value: chosen.role,
      choices: offered.map(({ role, groups }) => ({
        title: cut(`${role} (${groups.join(', ')})`, OPTION_MAX),
        value: role,
      })),
    },
    aside('For another role, what is needed is shown again before it is sent.', LINE_MAX),
  ];
}

function submit(label: string, data: ButtonData, associatedInputs?: 'none'): Element {
  return {
    type: 'Action.Submit',
    title: label,
    data: { hallpass: data },
    ...(associatedInputs === undefined ? {} : { associatedInputs }),
  };
}
