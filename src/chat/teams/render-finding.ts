/** A finding drawn as an Adaptive Card, for security and for the holder who is asked. */
import type { FindingView } from '../../access/finding-view.ts';
import { REASON_MAX } from '../../access/grammar.ts';
import { cardOf, container, type Element, execute, paragraph, type Rendered, title, unfold } from './card.ts';

const TEXT_MAX = 3_000;
const LINE_MAX = 600;

export const FINDING_BUTTONS = ['ask-holder', 'revoke-finding', 'dismiss-finding', 'explain-finding'] as const;
export type FindingButton = (typeof FINDING_BUTTONS)[number];

/** `buttons: false`: for the answer to whoever has just pressed one of them. */
export function renderFinding(finding: FindingView, scale: number, buttons = true): Rendered {
  const { lines, examples, headline } = finding;
  const style = finding.level === 'low' ? 'emphasis' : finding.level === 'medium' ? 'warning' : 'attention';
  return cardOf({
    body: [
      container(style, [title(finding.title)]),
      ...lines.map((line) => paragraph(line, TEXT_MAX * scale)),
      ...examples.map((example) => paragraph(`• ${example}`, LINE_MAX * scale, { spacing: 'small' })),
      paragraph(headline, TEXT_MAX * scale),
    ],
    actions: buttons ? actionsOf(finding) : [],
    summary: [`${finding.title}.`, ...lines, headline].join(' '),
  });
}

function actionsOf({ id, grantId, can }: FindingView): readonly Element[] {
  const press = (label: string, what: FindingButton, more: Element = {}) =>
    execute(label, { do: what, card: id }, { tooltip: `${label} ${id}`, ...more });
  const asking = (label: string, question: string, action: Element) =>
    unfold(
      label,
      [
        {
          type: 'Input.Text',
          id: 'reason',
          isMultiline: true,
          isRequired: true,
          errorMessage: 'Say something.',
          maxLength: REASON_MAX,
          label: `${question} Security sees this, and it is kept in the audit trail.`,
        },
      ],
      action,
    );
  return [
    ...(can.ask ? [press('Ask the holder', 'ask-holder')] : []),
    ...(can.answer
      ? [asking('Answer', 'What was this for?', press('Send', 'explain-finding', { style: 'positive' }))]
      : []),
    ...(can.revoke
      ? [
          unfold(
            'Revoke',
            [
              paragraph(
                `${grantId} ends now, and the finding is closed. Getting it back takes a new request.`,
                TEXT_MAX,
              ),
            ],
            press('Revoke', 'revoke-finding', { style: 'destructive' }),
          ),
        ]
      : []),
    ...(can.dismiss ? [asking('Dismiss', 'Why is this all right?', press('Dismiss', 'dismiss-finding'))] : []),
  ];
}
