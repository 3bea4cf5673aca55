/** A finding drawn as Block Kit, for security and for the holder who is asked; and the dialogs behind its buttons. */
import type { Button, KnownBlock, ModalView } from '@slack/types';
import type { FindingView } from '../../access/finding-view.ts';
import { REASON_MAX } from '../../access/grammar.ts';
import { cut } from '../../access/words.ts';
import {
  ASK_HOLDER,
  DENY_BLOCK,
  DENY_INPUT,
  DISMISS_CALLBACK,
  DISMISS_FINDING,
  EXPLAIN_CALLBACK,
  EXPLAIN_FINDING,
  REVOKE_FINDING,
} from './parse.ts';
import { inert, legible, plain } from './text.ts';

const HEADER_MAX = 150;
const SECTION_MAX = 3_000;
const LINE_MAX = 600;

/** `buttons: false`: for the answer to whoever has just pressed one of them. */
export function renderFinding(
  finding: FindingView,
  buttons = true,
): { readonly text: string; readonly blocks: KnownBlock[] } {
  const { title, headline, lines, examples, can } = finding;
  const elements = [
    ...(can.ask ? [button(ASK_HOLDER, 'Ask the holder', finding)] : []),
    ...(can.answer ? [button(EXPLAIN_FINDING, 'Answer', finding, 'primary')] : []),
    ...(can.revoke ? [{ ...button(REVOKE_FINDING, 'Revoke', finding, 'danger'), ...sure(finding) }] : []),
    ...(can.dismiss ? [button(DISMISS_FINDING, 'Dismiss', finding)] : []),
  ];
  return {
    text: inert([`${title}.`, ...lines, ...examples, headline].join('\n')),
    blocks: [
      { type: 'header', text: plain(title.replaceAll('\n', ' '), HEADER_MAX) },
      { type: 'section', text: plain(lines.join('\n'), SECTION_MAX) },
      ...(examples.length === 0 ? [] : [list(examples)]),
      { type: 'section', text: plain(headline, SECTION_MAX) },
      ...(buttons && elements.length > 0 ? [{ type: 'actions' as const, elements }] : []),
    ],
  };
}

function button(action_id: string, label: string, finding: FindingView, style?: 'primary' | 'danger'): Button {
  return {
    type: 'button',
    action_id,
    text: plain(label, 75),
    value: finding.id,
    accessibility_label: cut(`${label}, ${finding.id}`, 75),
    ...(style === undefined ? {} : { style }),
  };
}

function sure({ grantId }: FindingView): Pick<Button, 'confirm'> {
  return {
    confirm: {
      title: plain('Revoke this access?', 100),
      text: plain(`${grantId} ends now, and the finding is closed. Getting it back takes a new request.`, 300),
      confirm: plain('Revoke', 30),
      deny: plain('Back', 30),
      style: 'danger',
    },
  };
}

function list(examples: readonly string[]): KnownBlock {
  return {
    type: 'rich_text',
    elements: [
      {
        type: 'rich_text_list',
        style: 'bullet',
        elements: examples.map((example) => ({
          type: 'rich_text_section' as const,
          elements: [{ type: 'text' as const, text: cut(legible(example).replaceAll('\n', ' '), LINE_MAX) || '–' }],
        })),
      },
    ],
  };
}

/** It carries the finding's id and nothing else. */
export function findingModal(about: 'dismiss' | 'explain', finding: string): ModalView {
  const dismissing = about === 'dismiss';
  return {
    type: 'modal',
    callback_id: dismissing ? DISMISS_CALLBACK : EXPLAIN_CALLBACK,
    private_metadata: finding,
    title: plain(dismissing ? 'Dismiss this finding' : 'Answer security', 24),
    submit: plain(dismissing ? 'Dismiss' : 'Send', 24),
    close: plain('Back', 24),
    blocks: [
      {
        type: 'input',
        block_id: DENY_BLOCK,
        label: plain(dismissing ? 'Why is this all right?' : 'What was this for?', 2000),
        hint: plain('Security sees this. It is kept in the audit trail.', 2000),
        element: { type: 'plain_text_input', action_id: DENY_INPUT, multiline: true, max_length: REASON_MAX },
      },
    ],
  };
}
