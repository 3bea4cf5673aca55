/**
 * Views drawn as Block Kit. Texts from people go only into `plain_text` and rich text elements, which Slack does not
 * interpret; there is no `mrkdwn` in any message. The fallback `text` is all that a screen reader and a notification
 * get, so it says the whole thing.
 */
import type { ActionsBlock, Button, KnownBlock, ModalView, RichTextText, StaticSelect } from '@slack/types';
import type { Answer, ListWhich, Refusal } from '../../access/command.ts';
import { listCursor, REASON_MAX } from '../../access/grammar.ts';
import type { AccountRef, Instant } from '../../access/model.ts';
import type { ReviewView } from '../../access/review-view.ts';
import { messageTitle, ruledOut, stateOf, titleOf } from '../../access/titles.ts';
import { type MessageView, type RequestView, shortenedText, signedText } from '../../access/view.ts';
import {
  answerText,
  cut,
  doneSentence,
  durationText,
  helpText,
  listEmpty,
  listed,
  listTitle,
  moreOf,
  proofNext,
  refusalText,
  timeText,
} from '../../access/words.ts';
import {
  APPROVE_FOR_ACTION,
  type ButtonName,
  CONFIRM_REVOCATION,
  DENY_BLOCK,
  DENY_CALLBACK,
  DENY_INPUT,
  LIST_ACTION,
  PROOF,
  QUESTION,
  QUESTION_CALLBACK,
  SIGN_DIGEST,
  SIGN_OFF,
  shorterValue,
} from './parse.ts';
import { renderReport } from './render-digest.ts';
import { findingModal, renderFinding } from './render-finding.ts';
import { inert, legible, plain, TEXT_MAX } from './text.ts';

export interface Rendered {
  readonly text: string;
  readonly blocks: KnownBlock[];
}

/** When it is drawn, and the zone for times that the view does not give one for. */
export interface RenderContext {
  readonly now: Instant;
  readonly zone: string;
}

const HEADER_MAX = 150;
const SECTION_MAX = 3000;
/** Rich text elements have no published limit; one person's text stays far below the 4,000 of a whole message. */
const PERSON_TEXT_MAX = 1200;
const NAME_MAX = 80;
const LIST_MAX = 40;

/** What a channel, an approver, a requester or security sees. */
export function renderMessage(view: MessageView, context: RenderContext): Rendered {
  if (view.kind === 'notice') {
    const sign = view.notice.severity === 'info' ? 'Note' : view.notice.severity === 'warning' ? 'Warning' : 'Urgent';
    const title = `${sign}: ${view.title}`;
    const lines = view.lines.join('\n');
    return {
      text: inert(lines === '' ? title : `${title}\n${lines}`),
      blocks: [header(title), ...(lines === '' ? [] : [section(lines)])],
    };
  }
  if (view.kind === 'digest') return renderDigest(view, context);
  if (view.kind === 'revocation') return renderReport(view.report);
  if (view.kind === 'review') return renderReview(view.review);
  if (view.kind === 'finding') return renderFinding(view.finding);
  if (view.kind === 'reminder')
    return { text: inert(view.text), blocks: [section(view.text), ...mentions('Asked:', view.mention)] };
  const { request, audience } = view;
  const asksForAnswer = audience === 'channel' || audience === 'approver';
  const offered: readonly ButtonName[] = asksForAnswer
    ? ['approve', 'deny', 'story']
    : audience === 'requester'
      ? ['cancel', 'story']
      : ['extend', 'return', 'story'];
  const title = messageTitle(request, audience);
  return {
    text: fallback(request, context, title),
    blocks: [
      header(title),
      section(request.headline),
      ...(audience === 'warning' && request.can.return
        ? [aside('Extend asks your approvers for more time. Return gives it back now.')]
        : []),
      facts(request, context),
      ...(audience === 'requester' ? asked(request) : []),
      ...mentions('Asked:', asksForAnswer ? (view.mention ?? []) : []),
      ...mentions('Could not be written to in person:', asksForAnswer ? (view.unreached ?? []) : []),
      ...buttons(request, offered),
    ],
  };
}

/** The answer to what one person typed or pressed, for them alone. */
export function renderAnswer(answer: Answer, context: RenderContext & { readonly commandWord: string }): Rendered {
  const text = inert(answerText(answer, context.commandWord));
  switch (answer.say) {
    case 'refused': {
      const { reason, next } = refusalText(answer.refusal, answer.request?.zone ?? context.zone, context.commandWord);
      if (answer.refusal.code === 'proof_needed') return renderProof(answer.refusal, reason, context.zone);
      const said = `${ruledOut(answer.refusal) ? 'No: ' : ''}${reason}`;
      return { text: inert(`${said} ${next}`), blocks: [section(said), aside(next)] };
    }
    case 'done': {
      const asked =
        answer.asked !== undefined && answer.asked.length > 0 ? [aside(`Asked: ${listed(answer.asked)}.`)] : [];
      return {
        text,
        blocks: [
          section(doneSentence(answer.what, answer.request)),
          ...asked,
          // Whoever answered somebody else's request could only press it to be refused.
          ...buttons(
            answer.request,
            answer.what === 'requested' || answer.what === 'extension_requested' ? ['cancel'] : [],
          ),
        ],
      };
    }
    case 'card':
    case 'status': {
      const { request } = answer;
      return {
        text: answer.say === 'card' ? fallback(request, context, `${titleOf(request)}: ${stateOf(request)}`) : text,
        blocks: [
          header(`${titleOf(request)}: ${stateOf(request)}`),
          section(request.headline),
          ...('notes' in answer ? notes(answer.notes) : []),
          facts(request, context),
          ...asked(request),
          ...(answer.say === 'card' && answer.durationMs !== undefined
            ? [aside(`You would approve it for ${durationText(answer.durationMs)}. The shortest approval holds.`)]
            : []),
          ...buttons(
            request,
            answer.say === 'card' ? ['approve', 'deny'] : ['approve', 'deny', 'cancel', 'extend', 'return', 'story'],
            answer.say === 'card' ? answer.durationMs : undefined,
          ),
        ],
      };
    }
    case 'list': {
      if (answer.items.length === 0) return { text, blocks: [section(listEmpty(answer)), ...notes(answer.notes)] };
      const shown = answer.items.slice(0, LIST_MAX);
      const more = answer.more || shown.length < answer.items.length;
      return {
        text,
        blocks: [
          header(listTitle(answer.which, answer.page)),
          ...notes(answer.notes),
          ...shown.map(listItem),
          ...(more ? [aside(moreOf(answer.which, answer.page, context.commandWord))] : []),
          ...pages(answer.which, answer.page, more),
        ],
      };
    }
    case 'report':
      return renderReport(answer.report);
    case 'review':
      return renderReview(answer.review);
    case 'finding':
      return renderFinding(answer.finding, false);
    case 'revocation':
      return renderRevocation(answer);
    case 'freeze':
    case 'signed':
      return { text, blocks: [section(answerText(answer, context.commandWord))] };
    case 'help':
      return { text, blocks: [section(helpText(context.commandWord))] };
    default: {
      const never: never = answer;
      return never;
    }
  }
}

/** The report, where every line of it is, and the one button that says security has read it. */
function renderDigest(view: Extract<MessageView, { kind: 'digest' }>, context: RenderContext): Rendered {
  const drawn = renderReport(view.digest);
  const { note, signing } = view;
  const signed = signedText(view, context.now);
  const sign: KnownBlock[] =
    signing === undefined || signed !== undefined
      ? []
      : [
          {
            type: 'actions',
            elements: [
              {
                type: 'button',
                action_id: SIGN_DIGEST,
                text: plain('Sign off', 75),
                value: signing.id,
                accessibility_label: cut(`Sign off the digest of ${signing.day}`, 75),
              },
            ],
          },
        ];
  return {
    text: signed === undefined ? drawn.text : `${drawn.text} ${inert(signed)}`,
    blocks: [
      ...drawn.blocks,
      ...(note === undefined ? [] : [aside(note)]),
      ...(signed === undefined ? [] : [section(signed)]),
      ...sign,
    ],
  };
}

/** To whoever has to confirm it, and to nobody else: the link opens in their browser. */
function renderProof(
  refusal: Extract<Refusal, { code: 'proof_needed' }>,
  reason: string,
  zone: string | undefined,
): Rendered {
  const button: Button = {
    type: 'button',
    action_id: PROOF,
    text: plain('Confirm with MFA', 75),
    style: 'primary',
    value: 'link',
    url: refusal.link,
    accessibility_label: cut(`Confirm with MFA, ${refusal.entitlement}. Opens in your browser.`, 75),
  };
  const next = proofNext(refusal, zone);
  return {
    text: inert(`${reason} ${next}`),
    blocks: [section(reason), { type: 'actions', elements: [button] }, aside(next)],
  };
}

function renderReview(review: ReviewView): Rendered {
  const button = (action_id: string, label: string, value: string, style?: 'primary' | 'danger'): Button => ({
    type: 'button',
    action_id,
    text: plain(label, 75),
    ...(style === undefined ? {} : { style }),
    value,
    accessibility_label: cut(`${label}, ${review.grantId}`, 75),
  });
  const elements = [
    ...(review.open
      ? [button(SIGN_OFF, 'Sign off', review.id, 'primary'), button(QUESTION, 'Question', review.id, 'danger')]
      : []),
    ...(review.card === undefined ? [] : [button('hallpass:story', 'Story', review.card)]),
  ];
  return {
    text: inert([review.title, review.headline, ...review.lines].join('. ')),
    blocks: [
      header(review.title),
      section(review.headline),
      section(review.lines.join('\n')),
      ...(elements.length === 0 ? [] : [{ type: 'actions' as const, elements }]),
    ],
  };
}

/** The preview with the one button that ends it all; it is shown to whoever asked, and to nobody else. */
function renderRevocation(answer: Answer & { say: 'revocation' }): Rendered {
  const drawn = renderReport(answer.report);
  if (answer.confirm === undefined) return drawn;
  const button: Button = {
    type: 'button',
    action_id: CONFIRM_REVOCATION,
    text: plain('Revoke all of it', 75),
    style: 'danger',
    value: answer.confirm,
    accessibility_label: cut(`Revoke all of it. ${answer.report.title}`, 75),
  };
  return { text: drawn.text, blocks: [...drawn.blocks, { type: 'actions', elements: [button] }] };
}

function notes(lines: readonly string[] | undefined): KnownBlock[] {
  return lines === undefined || lines.length === 0 ? [] : [section(lines.join('\n'))];
}

/** A few words of our own, such as "Checking…". */
export function renderNote(text: string): Rendered {
  return { text: inert(text), blocks: [section(text)] };
}

/** Asks for the reason of a denial. It carries the card's opaque id and nothing else. */
export function renderReasonModal(about: 'deny' | 'question' | 'dismiss' | 'explain', card: string): ModalView {
  if (about === 'dismiss' || about === 'explain') return findingModal(about, card);
  return about === 'deny' ? renderDenyModal(card) : questionModal(card);
}

/** What is asked of the holder; it carries the review's opaque id and nothing else. */
function questionModal(review: string): ModalView {
  return {
    type: 'modal',
    callback_id: QUESTION_CALLBACK,
    private_metadata: review,
    title: plain('Question this use', 24),
    submit: plain('Question', 24),
    close: plain('Back', 24),
    blocks: [
      {
        type: 'input',
        block_id: DENY_BLOCK,
        label: plain('What is wrong with it?', 2000),
        hint: plain('Security sees this. It is kept in the audit trail.', 2000),
        element: { type: 'plain_text_input', action_id: DENY_INPUT, multiline: true, max_length: REASON_MAX },
      },
    ],
  };
}

export function renderDenyModal(card: string): ModalView {
  return {
    type: 'modal',
    callback_id: DENY_CALLBACK,
    private_metadata: card,
    title: plain('Deny request', 24),
    submit: plain('Deny', 24),
    close: plain('Back', 24),
    blocks: [
      {
        type: 'input',
        block_id: DENY_BLOCK,
        optional: true,
        label: plain('Why?', 2000),
        hint: plain('The requester sees this. It is kept in the audit trail.', 2000),
        element: { type: 'plain_text_input', action_id: DENY_INPUT, multiline: true, max_length: REASON_MAX },
      },
    ],
  };
}

/** Everything an approver decides by, one labelled line each. */
function facts(request: RequestView, context: RenderContext): KnownBlock {
  const rows: [label: string, value: string, max: number][] = [
    ['Who', request.requesterName, NAME_MAX * 2],
    ['What', `${request.title} (${request.entitlement})`, 400],
    ['Groups', listed(request.groups.map(({ directory, group }) => `${cut(group, 120)} in ${directory}`)), 800],
    ['How long', howLong(request, context), 200],
    ...incident(request),
    ...approvals(request),
  ];
  const { denial } = request;
  if (denial !== undefined) {
    const said = denial.reason === undefined ? denial.name : `${denial.name}: ${denial.reason}`;
    rows.push(['Denied by', said, PERSON_TEXT_MAX]);
  }
  const lines = rows.flatMap(([label, value, max]) => [bold(`${label}: `), words(value, max), text('\n')]);
  const links = linksOf(request).flatMap(([label, shown, url]) => [
    bold(`${label}: `),
    url === undefined ? words(shown, 200) : { type: 'link' as const, url, text: cut(legible(shown), 200) },
    text('\n'),
  ]);
  const reason = words(request.reason === '' ? 'No reason given.' : request.reason, PERSON_TEXT_MAX);
  return {
    type: 'rich_text',
    elements: [
      { type: 'rich_text_section', elements: [...lines, ...links, bold('Why:')] },
      { type: 'rich_text_quote', elements: [reason] },
    ],
  };
}

/** Addresses are those of the file, with nothing of a person's in them but an encoded key. */
function linksOf({
  pipeline,
  ticket,
  link,
}: RequestView): readonly (readonly [label: string, shown: string, url: string | undefined])[] {
  return [
    ...(pipeline === undefined ? [] : [['Pipeline', pipeline.text, pipeline.url] as const]),
    ...(ticket === undefined ? [] : [['Ticket', ticket.key, ticket.url] as const]),
    ...(link === undefined ? [] : [['About', link, link] as const]),
  ];
}

function howLong(request: RequestView, context: RenderContext): string {
  const { zone } = request;
  const time = (at: Instant) => timeText(at, context.now, zone);
  if (request.extension !== undefined) {
    const { from, until, grantId } = request.extension;
    // Once it is approved the end has moved, and what it was before is gone.
    const instead = request.state === 'approved' ? '' : ` instead of ${time(from)}`;
    return `until ${time(until)}${instead} (${grantId})${shortened(request)}`;
  }
  const { startsAt, expiresAt } = request.grant ?? {};
  const granted = request.approvedMs ?? request.durationMs;
  // Extended, it lasts longer than was asked for at first.
  const lasts = startsAt === undefined || expiresAt === undefined ? granted : Math.max(granted, expiresAt - startsAt);
  const length = `${durationText(lasts)}${shortened(request)}`;
  if (expiresAt !== undefined) return `${length}, until ${time(expiresAt)}`;
  if (request.state !== 'pending') return length;
  return `${length}; if approved at ${time(context.now)}, until ${time(context.now + (request.approvedMs ?? request.durationMs))}`;
}

function incident({ incident }: RequestView): [label: string, value: string, max: number][] {
  if (incident === undefined) return [];
  return [
    ['Incident', `${cut(incident.id, 80)}: ${cut(incident.title, 200)}. The access ends when it is closed.`, 400],
  ];
}

function shortened(request: RequestView): string {
  const said = shortenedText(request);
  return said === undefined ? '' : ` (${said})`;
}

function approvals(request: RequestView): [label: string, value: string, max: number][] {
  const { stages, automatic } = request;
  if (request.breakGlass === true) return [['Approvals', 'none: break-glass', 100]];
  if (automatic !== undefined) return [['Approvals', `none needed: ${cut(automatic, 400)}`, 500]];
  if (stages === undefined) {
    const names = request.approvals.map(({ name }) => name);
    return [['Approvals', countText(names, request.approvalsNeeded), 500]];
  }
  return stages.map(({ by, given, needed }, index) => [
    `Stage ${index + 1}, ${cut(listed(by, 'or'), 150)}`,
    countText(given, needed),
    500,
  ]);
}

function countText(names: readonly string[], needed: number): string {
  const count = `${names.length} of ${needed}`;
  return names.length === 0 ? count : `${count}: ${listed(names.map((name) => cut(name, NAME_MAX)))}`;
}

/** For those whom no mention tells who was asked. */
function asked({ waiting }: RequestView): KnownBlock[] {
  if (waiting === undefined || waiting.asked.length === 0) return [];
  return [aside(`Asked: ${listed(waiting.asked.map((name) => cut(name, NAME_MAX)))}.`)];
}

/** Read aloud it must stand alone: who, what, how long, why, and what happens next. */
function fallback(request: RequestView, context: RenderContext, title: string): string {
  const { zone } = request;
  const asked =
    request.extension === undefined
      ? `${request.requesterName} asks for ${request.title} (${request.entitlement}) for ${durationText(request.durationMs)}.`
      : `${request.requesterName} asks to keep ${request.title} (${request.entitlement}) until ${timeText(request.extension.until, context.now, zone)}.`;
  const parts = [
    // The headline says "Waiting for approval" itself; twice in a row sounds like a fault.
    `${request.state === 'pending' ? titleOf(request) : title}.`,
    cut(request.headline, 800),
    ...(request.state === 'pending' ? [cut(asked, 500), `Reason: ${cut(request.reason, 500)}`] : []),
  ];
  return inert(parts.join(' '), TEXT_MAX);
}

/** Only well-formed ids become mentions; a name never does. */
function mentions(label: string, accounts: readonly AccountRef[]): KnownBlock[] {
  const ids = accounts
    .filter(({ platform, id }) => platform === 'slack' && /^[UW][A-Z0-9]{1,31}$/.test(id))
    .slice(0, 20)
    .map(({ id }) => id);
  if (ids.length === 0) return [];
  const elements = ids.flatMap((user_id) => [text(' '), { type: 'user' as const, user_id }]);
  return [{ type: 'rich_text', elements: [{ type: 'rich_text_section', elements: [bold(label), ...elements] }] }];
}

const LABELS: Readonly<Record<ButtonName, string>> = {
  approve: 'Approve',
  deny: 'Deny',
  cancel: 'Cancel request',
  extend: 'Extend',
  return: 'Return access',
  story: 'Story',
};

/** Of the buttons that belong here, those that can do something now. */
export function buttons(request: RequestView, offered: readonly ButtonName[], approveMs?: number): ActionsBlock[] {
  const can: Readonly<Record<ButtonName, boolean>> = {
    approve: request.can.answer,
    deny: request.can.answer,
    cancel: request.can.cancel,
    extend: request.can.extend,
    return: request.can.return,
    // Before it is answered, the message itself is all there is to tell.
    story: request.state !== 'pending',
  };
  const elements = offered
    .filter((name) => can[name])
    .flatMap((name) =>
      name === 'approve'
        ? [approveButton(request, approveMs), ...shorterMenu(request, approveMs)]
        : [button(name, request)],
    );
  return elements.length === 0 ? [] : [{ type: 'actions', elements }];
}

function approveButton(request: RequestView, durationMs: number | undefined): Button {
  const usual = button('approve', request);
  if (durationMs === undefined) return usual;
  const label = `Approve for ${durationText(durationMs)}`;
  return {
    ...usual,
    text: plain(label, 75),
    value: shorterValue(request.cardId, durationMs),
    accessibility_label: cut(`${label}, ${request.id}`, 75),
  };
}

/** An approver may shorten. Choosing acts, so it is asked about once more. */
function shorterMenu(request: RequestView, chosenMs: number | undefined): StaticSelect[] {
  const { shorter = [] } = request;
  if (shorter.length === 0 || chosenMs !== undefined) return [];
  const more = request.extension === undefined ? '' : ' more';
  return [
    {
      type: 'static_select',
      action_id: APPROVE_FOR_ACTION,
      placeholder: plain('Approve for less', 150),
      options: shorter.map((ms) => ({
        text: plain(`${durationText(ms)}${more}`, 75),
        value: shorterValue(request.cardId, ms),
      })),
      confirm: {
        title: plain('Approve for less?', 100),
        text: plain(`${request.id} is approved for the time you chose. The shortest approval holds.`, 300),
        confirm: plain('Approve', 30),
        deny: plain('Back', 30),
      },
    },
  ];
}

function button(name: ButtonName, request: RequestView): Button {
  return {
    type: 'button',
    action_id: `hallpass:${name}`,
    text: plain(LABELS[name], 75),
    value: request.cardId,
    // Several cards look alike to a screen reader; the id tells them apart.
    accessibility_label: cut(`${LABELS[name]}, ${request.id}`, 75),
    ...(name === 'approve' ? { style: 'primary' as const } : {}),
    ...(name === 'deny' ? { style: 'danger' as const } : {}),
    ...confirmation(name),
  };
}

/** What cannot be taken back by pressing again is asked about first: a button may appear where another one was. */
function confirmation(name: ButtonName): Pick<Button, 'confirm'> {
  const asked = (title: string, said: string, yes: string, no: string): Pick<Button, 'confirm'> => ({
    confirm: { title: plain(title, 100), text: plain(said, 300), confirm: plain(yes, 30), deny: plain(no, 30) },
  });
  switch (name) {
    case 'return':
      return asked('Return access?', 'It is removed now. Getting it back takes a new request.', 'Return', 'Keep');
    case 'extend':
      return asked(
        'Ask for more time?',
        'The same approvers are asked, for as long as the policy gives by default or what is left of its maximum, with the same reason. For another length or reason type extend.',
        'Ask',
        'Not now',
      );
    case 'cancel':
      return asked('Take the request back?', 'Nobody can approve it any more.', 'Take back', 'Keep');
    default:
      return {};
  }
}

/** The pages before and after, by their numbers: whoever presses is shown what they may see then. */
function pages(which: ListWhich, page: number | undefined, more: boolean): ActionsBlock[] {
  const here = page ?? 1;
  const to = (name: 'previous' | 'next', label: string, wanted: number): Button => ({
    type: 'button',
    action_id: `${LIST_ACTION}:${name}`,
    text: plain(label, 75),
    value: listCursor(which, wanted),
    accessibility_label: cut(`${label}, ${listTitle(which, wanted)}`, 75),
  });
  const elements = [
    ...(here > 1 ? [to('previous', 'Previous', here - 1)] : []),
    ...(more ? [to('next', 'Next', here + 1)] : []),
  ];
  return elements.length === 0 ? [] : [{ type: 'actions', elements }];
}

function header(text: string): KnownBlock {
  return { type: 'header', text: plain(text.replaceAll('\n', ' '), HEADER_MAX) };
}

function section(text: string): KnownBlock {
  return { type: 'section', text: plain(text, SECTION_MAX) };
}

function aside(text: string): KnownBlock {
  return { type: 'context', elements: [plain(text, SECTION_MAX)] };
}

function listItem(request: RequestView): KnownBlock {
  const elements = [
    bold(`${request.grant?.id ?? request.id} `),
    words(`${request.requesterName}, ${request.entitlement}`, 300),
    text('\n'),
    words(request.headline, 500),
  ];
  return { type: 'rich_text', elements: [{ type: 'rich_text_section', elements }] };
}

function bold(label: string): RichTextText {
  return { type: 'text', text: label, style: { bold: true } };
}

function words(value: string, max: number): RichTextText {
  const shown = cut(legible(value).replaceAll('\n', ' '), max);
  return text(shown === '' ? '–' : shown);
}

function text(value: string): RichTextText {
  return { type: 'text', text: value };
}
