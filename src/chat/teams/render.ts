/** Views drawn as Adaptive Cards. Pure; nothing that a person wrote is ever interpreted. */
import type { Answer, ListWhich, Refusal } from '../../access/command.ts';
import { listCursor, REASON_MAX } from '../../access/grammar.ts';
import type { Instant } from '../../access/model.ts';
import { fitted, moreText, type ReportView, reportText } from '../../access/report.ts';
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
  aside,
  cardOf,
  container,
  type Element,
  execute,
  fitting,
  heading,
  labelled,
  link,
  type Mentioned,
  paragraph,
  type Rendered,
  rich,
  run,
  title,
  unfold,
  words,
} from './card.ts';
import { renderFinding } from './render-finding.ts';

/** When it is drawn, and the zone for times that the view does not give one for. */
export interface RenderContext {
  readonly now: Instant;
  readonly zone: string;
}

export interface MessageContext extends RenderContext {
  /** Who is named in the channel, as far as Teams told a name. */
  readonly mention?: readonly Mentioned[];
  readonly unreached?: readonly Mentioned[];
  /** `29:…` ids of those who are shown the buttons in the channel, each for themselves. */
  readonly answerers?: readonly string[];
}

export type AnswerContext = RenderContext & { readonly commandWord: string };

/** How answers name the bot when it is to be typed to. */
export const COMMAND_WORD = '@Hallpass';

const TEXT_MAX = 3_000;
const PERSON_TEXT_MAX = 1_200;
const NAME_MAX = 80;
const LIST_MAX = 40;
/** Of all lines of a report together. */
const REPORT_MAX = 9_000;
const SECTIONS_MAX = 40;
const LINE_MAX = 400;

export const BUTTONS = ['approve', 'deny', 'cancel', 'extend', 'return', 'look', 'story'] as const;
export type ButtonName = (typeof BUTTONS)[number];
/** On the preview of a revocation; its card is the revocation's opaque id. */
export const CONFIRM_REVOCATION = 'confirm_revocation';
/** On a post-access review; its card is the review's opaque id. */
export const SIGN_OFF = 'sign_off';
export const QUESTION = 'question';
/** On a day's digest; its card is the digest's opaque id. */
export const SIGN_DIGEST = 'sign_digest';

/** What a channel, an approver, a requester or security sees. */
export function renderMessage(view: MessageView, context: MessageContext): Rendered {
  return fitting((scale) => {
    switch (view.kind) {
      case 'notice':
        return notice(view, scale);
      case 'digest':
        return digest(view, context, scale);
      case 'revocation':
        return report(view.report, scale);
      case 'review':
        return review(view.review, scale);
      case 'finding':
        return renderFinding(view.finding, scale);
      case 'reminder':
        return renderNote(view.text);
      case 'request':
        return requestMessage(view, context, scale);
      default: {
        const never: never = view;
        return never;
      }
    }
  });
}

/** The answer to what one person typed or pressed, for them alone. */
export function renderAnswer(answer: Answer, context: AnswerContext): Rendered {
  return fitting((scale) => drawAnswer(answer, context, scale));
}

/** A few words of our own. */
export function renderNote(text: string): Rendered {
  return cardOf({ body: [paragraph(text, TEXT_MAX)], summary: text });
}

function notice(view: Extract<MessageView, { kind: 'notice' }>, scale: number): Rendered {
  const { severity } = view.notice;
  const sign = severity === 'info' ? 'Note' : severity === 'warning' ? 'Warning' : 'Urgent';
  const style = severity === 'info' ? 'emphasis' : severity === 'warning' ? 'warning' : 'attention';
  const said = `${sign}: ${view.title}`;
  return cardOf({
    body: [container(style, [title(said)]), ...view.lines.map((line) => paragraph(line, TEXT_MAX * scale))],
    summary: [said, ...view.lines].join(' '),
  });
}

function digest(view: Extract<MessageView, { kind: 'digest' }>, context: RenderContext, scale: number): Rendered {
  const signed = signedText(view, context.now);
  const closing = [view.note, signed].filter((one) => one !== undefined);
  const shown = { ...view.digest, note: [view.digest.note, ...closing].filter((one) => one !== undefined).join(' ') };
  const { signing } = view;
  return report(
    closing.length === 0 ? view.digest : shown,
    scale,
    signing === undefined || signed !== undefined
      ? []
      : [
          execute(
            'Sign off',
            { do: SIGN_DIGEST, card: signing.id },
            { tooltip: `Sign off the digest of ${signing.day}` },
          ),
        ],
  );
}

function review(view: ReviewView, scale: number): Rendered {
  const data = (what: string) => ({ do: what, card: view.id });
  return cardOf({
    body: [
      title(view.title),
      paragraph(view.headline, TEXT_MAX * scale),
      ...view.lines.map((line) => paragraph(line, TEXT_MAX * scale)),
    ],
    actions: [
      ...(view.open
        ? [
            execute('Sign off', data(SIGN_OFF), { tooltip: `Sign off ${view.grantId}`, style: 'positive' }),
            unfold(
              'Question…',
              [
                {
                  type: 'Input.Text',
                  id: 'reason',
                  isMultiline: true,
                  maxLength: REASON_MAX,
                  label: 'What is wrong with it? Security sees this, and it is kept in the audit trail.',
                },
              ],
              execute('Question', data(QUESTION), { tooltip: `Question ${view.grantId}`, style: 'destructive' }),
            ),
          ]
        : []),
      ...(view.card === undefined
        ? []
        : [execute('Story', { do: 'story', card: view.card }, { tooltip: `Story ${view.grantId}` })]),
    ],
    summary: [view.title, view.headline, ...view.lines].join('. '),
  });
}

function requestMessage(
  view: Extract<MessageView, { kind: 'request' }>,
  context: MessageContext,
  scale: number,
): Rendered {
  const { request, audience } = view;
  const text = messageTitle(request, audience);
  const inChannel = audience === 'channel';
  const asks = inChannel || audience === 'approver';
  const offered: readonly ButtonName[] = inChannel
    ? ['look', 'story']
    : asks
      ? ['approve', 'deny', 'story']
      : audience === 'requester'
        ? ['cancel', 'story']
        : ['extend', 'return', 'story'];
  const open = request.can.answer && inChannel;
  return cardOf({
    body: [
      head(text, request, scale),
      ...(audience === 'warning' && request.can.return
        ? [aside('Extend asks your approvers for more time. Return gives it back now.', TEXT_MAX)]
        : []),
      ...facts(request, context, scale),
      ...(audience === 'requester' ? asked(request) : []),
    ],
    actions: buttons(request, offered),
    summary: spoken(request, context, text),
    mentions: asks
      ? [
          { label: 'Asked', people: context.mention ?? [] },
          {
            label: 'Could not be written to in person, and need the Hallpass app for that',
            people: context.unreached ?? [],
          },
        ]
      : [],
    ...(open ? { refresh: { users: context.answerers ?? [], data: { do: 'look', card: request.cardId } } } : {}),
  });
}

function drawAnswer(answer: Answer, context: AnswerContext, scale: number): Rendered {
  const summary = answerText(answer, context.commandWord);
  switch (answer.say) {
    case 'refused': {
      const { reason, next } = refusalText(answer.refusal, answer.request?.zone ?? context.zone, context.commandWord);
      if (answer.refusal.code === 'proof_needed') return proof(answer.refusal, reason, context.zone);
      const said = `${ruledOut(answer.refusal) ? 'No: ' : ''}${reason}`;
      return cardOf({ body: [paragraph(said, TEXT_MAX * scale), aside(next, TEXT_MAX)], summary: `${said} ${next}` });
    }
    case 'done':
      return cardOf({
        body: [
          paragraph(doneSentence(answer.what, answer.request), TEXT_MAX * scale),
          ...(answer.asked !== undefined && answer.asked.length > 0
            ? [aside(`Asked: ${listed(answer.asked)}.`, TEXT_MAX * scale)]
            : []),
        ],
        // Whoever answered somebody else's request could only press it to be refused.
        actions: buttons(
          answer.request,
          answer.what === 'requested' || answer.what === 'extension_requested' ? ['cancel'] : [],
        ),
        summary,
      });
    case 'card':
    case 'status': {
      const { request } = answer;
      const text = `${titleOf(request)}: ${stateOf(request)}`;
      const offered: readonly ButtonName[] =
        answer.say === 'card' ? ['approve', 'deny'] : ['approve', 'deny', 'cancel', 'extend', 'return', 'story'];
      return cardOf({
        body: [
          head(text, request, scale),
          ...('notes' in answer ? notes(answer.notes, scale) : []),
          ...facts(request, context, scale),
          ...asked(request),
        ],
        actions: buttons(request, offered, answer.say === 'card' ? answer.durationMs : undefined),
        summary: answer.say === 'card' ? spoken(request, context, text) : summary,
      });
    }
    case 'list':
      return list(answer, context, summary, scale);
    case 'report':
      return report(answer.report, scale);
    case 'review':
      return review(answer.review, scale);
    case 'finding':
      return renderFinding(answer.finding, scale, false);
    case 'revocation':
      return report(
        answer.report,
        scale,
        answer.confirm === undefined
          ? []
          : [execute('Revoke all of it', { do: CONFIRM_REVOCATION, card: answer.confirm }, { style: 'destructive' })],
      );
    case 'freeze':
    case 'signed':
      return cardOf({ body: [paragraph(summary, TEXT_MAX * scale)], summary });
    case 'help':
      return cardOf({
        body: helpText(context.commandWord)
          .split('\n')
          .map((line) => paragraph(line, TEXT_MAX, { spacing: 'small' })),
        actions: [execute('My access', { do: 'home' })],
        summary,
      });
    default: {
      const never: never = answer;
      return never;
    }
  }
}

/** To whoever has to confirm it, and to nobody else: the link opens in their browser. */
function proof(refusal: Extract<Refusal, { code: 'proof_needed' }>, reason: string, zone: string): Rendered {
  const next = proofNext(refusal, zone);
  return cardOf({
    body: [paragraph(reason, TEXT_MAX), aside(next, TEXT_MAX)],
    actions: [link('Confirm with MFA', refusal.link)],
    summary: `${reason} ${next}`,
  });
}

function list(
  answer: Extract<Answer, { say: 'list' }>,
  context: AnswerContext,
  summary: string,
  scale: number,
): Rendered {
  if (answer.items.length === 0)
    return cardOf({ body: [paragraph(listEmpty(answer), TEXT_MAX), ...notes(answer.notes, scale)], summary });
  const shown = answer.items.slice(0, LIST_MAX);
  const more = answer.more || shown.length < answer.items.length;
  return cardOf({
    body: [
      title(listTitle(answer.which, answer.page)),
      ...notes(answer.notes, scale),
      ...shown.map((request) => item(request, scale)),
      ...(more ? [aside(moreOf(answer.which, answer.page, context.commandWord), TEXT_MAX)] : []),
    ],
    actions: pages(answer.which, answer.page, more),
    summary,
  });
}

function item(request: RequestView, scale: number): Element {
  return rich(
    [
      run(`${request.grant?.id ?? request.id} `, { weight: 'bolder' }),
      run(`${words(request.requesterName, NAME_MAX)}, ${words(request.entitlement, 160)}. `),
      run(words(request.headline.replaceAll('\n', ' '), Math.round(400 * scale))),
    ],
    { spacing: 'small' },
  );
}

/** The pages before and after, by their numbers: whoever presses is shown what they may see then. */
function pages(which: ListWhich, page: number | undefined, more: boolean): readonly Element[] {
  const here = page ?? 1;
  return [
    ...(here > 1 ? [execute('Previous', { do: 'list', cursor: listCursor(which, here - 1) })] : []),
    ...(more ? [execute('Next', { do: 'list', cursor: listCursor(which, here + 1) })] : []),
  ];
}

/** The title, the lines as a list, and how many there are beside them. */
export function report(view: ReportView, scale: number, actions: readonly Element[] = []): Rendered {
  const sections = fitted(view.sections.slice(0, SECTIONS_MAX), REPORT_MAX * scale);
  const remarks = [view.note, moreText(view.sections.length - sections.length)].filter((one) => one !== undefined);
  return cardOf({
    body: [
      container(view.severity === 'warning' ? 'warning' : 'emphasis', [
        title(view.title),
        paragraph(view.headline, TEXT_MAX * scale),
      ]),
      ...sections.flatMap(({ title: name, lines, note, left }) => {
        const closing = [moreText(left), note].filter((part) => part !== undefined).join('. ');
        return [
          heading(name),
          ...lines.map(({ lead, rest }) =>
            rich(
              [
                run('• '),
                run(words(lead.replaceAll('\n', ' '), LINE_MAX * scale), { weight: 'bolder' }),
                ...(rest === '' ? [] : [run(`: ${words(rest.replaceAll('\n', ' '), LINE_MAX * scale)}`)]),
              ],
              { spacing: 'none' },
            ),
          ),
          ...(closing === '' ? [] : [aside(closing, LINE_MAX * 2)]),
        ];
      }),
      ...(remarks.length === 0 ? [] : [aside(remarks.join(' '), TEXT_MAX * scale)]),
    ],
    ...(actions.length === 0 ? {} : { actions }),
    summary: reportText(view, 900),
  });
}

const STYLES: Readonly<Record<RequestView['severity'], string>> = {
  waiting: 'accent',
  good: 'good',
  over: 'emphasis',
  warning: 'warning',
};

function head(text: string, request: RequestView, scale: number): Element {
  return container(STYLES[request.severity], [title(text), paragraph(request.headline, 800 * scale)]);
}

/** Everything an approver decides by, one labelled line each. */
function facts(request: RequestView, context: RenderContext, scale: number): readonly Element[] {
  const { denial } = request;
  return [
    labelled('Who', request.requesterName, NAME_MAX * 2),
    labelled('What', `${request.title} (${request.entitlement})`, 400),
    labelled('Groups', listed(request.groups.map(({ directory, group }) => `${cut(group, 120)} in ${directory}`)), 800),
    labelled('How long', howLong(request, context), 400),
    ...(request.incident === undefined
      ? []
      : [
          labelled(
            'Incident',
            `${cut(request.incident.id, 80)}: ${cut(request.incident.title, 200)}. The access ends when it is closed.`,
            400,
          ),
        ]),
    ...approvals(request).map(([label, text]) => labelled(label, text, 500)),
    ...(denial === undefined
      ? []
      : [
          labelled(
            'Denied by',
            denial.reason === undefined ? denial.name : `${denial.name}: ${denial.reason}`,
            PERSON_TEXT_MAX * scale,
          ),
        ]),
    ...(request.pipeline === undefined
      ? []
      : [
          labelled(
            'Pipeline',
            [request.pipeline.text, request.pipeline.url].filter((part) => part !== undefined).join(', '),
            600,
          ),
        ]),
    ...(request.ticket === undefined
      ? []
      : [
          labelled(
            'Ticket',
            [request.ticket.key, request.ticket.url].filter((part) => part !== undefined).join(', '),
            600,
          ),
        ]),
    ...(request.link === undefined ? [] : [labelled('About', request.link, 600)]),
    labelled('Why', request.reason === '' ? 'No reason given.' : request.reason, PERSON_TEXT_MAX * scale),
  ];
}

function howLong(request: RequestView, context: RenderContext): string {
  const time = (at: Instant) => timeText(at, context.now, request.zone);
  const said = shortenedText(request);
  const shortened = said === undefined ? '' : ` (${said})`;
  if (request.extension !== undefined) {
    const { from, until, grantId } = request.extension;
    // Once it is approved the end has moved, and what it was before is gone.
    const instead = request.state === 'approved' ? '' : ` instead of ${time(from)}`;
    return `until ${time(until)}${instead} (${grantId})${shortened}`;
  }
  const approvedMs = request.approvedMs ?? request.durationMs;
  const length = `${durationText(approvedMs)}${shortened}`;
  if (request.grant?.expiresAt !== undefined) return `${length}, until ${time(request.grant.expiresAt)}`;
  if (request.state !== 'pending') return length;
  return `${length}; if approved at ${time(context.now)}, until ${time(context.now + approvedMs)}`;
}

function approvals(request: RequestView): readonly (readonly [label: string, text: string])[] {
  const { stages, automatic } = request;
  if (request.breakGlass === true) return [['Approvals', 'none: break-glass']];
  if (automatic !== undefined) return [['Approvals', `none needed: ${cut(automatic, 400)}`]];
  const names = request.approvals.map(({ name }) => name);
  if (stages === undefined) return [['Approvals', counted(names, request.approvalsNeeded)]];
  return stages.map(({ by, given, needed }, index) => [
    `Stage ${index + 1}, ${words(listed(by, 'or'), 150)}`,
    counted(given, needed),
  ]);
}

function counted(names: readonly string[], needed: number): string {
  const count = `${names.length} of ${needed}`;
  return names.length === 0 ? count : `${count}: ${listed(names.map((name) => cut(name, NAME_MAX)))}`;
}

/** For those whom no mention tells who was asked. */
function asked({ waiting }: RequestView): readonly Element[] {
  if (waiting === undefined || waiting.asked.length === 0) return [];
  return [aside(`Asked: ${listed(waiting.asked.map((name) => cut(name, NAME_MAX)))}.`, TEXT_MAX)];
}

function notes(lines: readonly string[] | undefined, scale: number): readonly Element[] {
  return (lines ?? []).map((line) => paragraph(line, TEXT_MAX * scale));
}

/** Read aloud it must stand alone: who, what, how long, why, and what happens next. */
function spoken(request: RequestView, context: RenderContext, text: string): string {
  const asked =
    request.extension === undefined
      ? `${request.requesterName} asks for ${request.title} (${request.entitlement}) for ${durationText(request.durationMs)}.`
      : `${request.requesterName} asks to keep ${request.title} (${request.entitlement}) until ${timeText(request.extension.until, context.now, request.zone)}.`;
  return [
    `${request.state === 'pending' ? titleOf(request) : text}.`,
    cut(request.headline, 400),
    ...(request.state === 'pending' ? [cut(asked, 300), `Reason: ${cut(request.reason, 200)}`] : []),
  ].join(' ');
}

const LABELS: Readonly<Record<ButtonName, string>> = {
  approve: 'Approve',
  deny: 'Deny…',
  cancel: 'Cancel request',
  extend: 'Extend',
  return: 'Return access…',
  look: 'Answer…',
  story: 'Story',
};

/** Of the buttons that belong here, those that can do something now. */
export function buttons(request: RequestView, offered: readonly ButtonName[], approveMs?: number): readonly Element[] {
  const can: Readonly<Record<ButtonName, boolean>> = {
    approve: request.can.answer,
    deny: request.can.answer,
    look: request.can.answer,
    cancel: request.can.cancel,
    extend: request.can.extend,
    return: request.can.return,
    // Before it is answered, the message itself is all there is to tell.
    story: request.state !== 'pending',
  };
  return offered
    .filter((name) => can[name])
    .flatMap((name) => (name === 'approve' ? approveButtons(request, approveMs) : [button(name, request)]));
}

/** An approver may shorten: what was typed is what the button says, else there is a list of shorter times. */
function approveButtons(request: RequestView, durationMs: number | undefined): readonly Element[] {
  const data = { do: 'approve', card: request.cardId };
  if (durationMs !== undefined) {
    const label = `Approve for ${durationText(durationMs)}`;
    return [
      execute(
        label,
        { ...data, seconds: seconds(durationMs) },
        { tooltip: `${label} ${request.id}`, style: 'positive' },
      ),
    ];
  }
  const { shorter = [] } = request;
  if (shorter.length === 0) return [button('approve', request)];
  const choices = shorter.map((ms) => ({ title: durationText(ms), value: seconds(ms) }));
  return [
    button('approve', request),
    unfold(
      'Approve for less…',
      [
        {
          type: 'Input.ChoiceSet',
          id: 'seconds',
          label: 'For how long? The shortest approval holds.',
          style: 'compact',
          choices,
          value: choices[0]?.value,
        },
      ],
      execute(
        'Approve for less',
        { ...data, do: 'approve_for' },
        { style: 'positive', tooltip: `Approve for less ${request.id}` },
      ),
    ),
  ];
}

function seconds(ms: number): string {
  return String(Math.max(1, Math.floor(ms / 1000)));
}

function button(name: ButtonName, request: RequestView): Element {
  const data = { do: name, card: request.cardId };
  // Several cards look alike to a screen reader; the id tells them apart.
  const tooltip = `${LABELS[name]} ${request.id}`;
  if (name === 'deny')
    return unfold(
      LABELS.deny,
      [
        {
          type: 'Input.Text',
          id: 'reason',
          isMultiline: true,
          maxLength: REASON_MAX,
          label: 'Why? The requester sees this, and it is kept in the audit trail.',
        },
      ],
      execute('Deny', data, { style: 'destructive', tooltip }),
    );
  if (name === 'return')
    return unfold(
      LABELS.return,
      [paragraph('It is removed now. Getting it back takes a new request.', TEXT_MAX)],
      execute('Return', data, { tooltip }),
    );
  return execute(LABELS[name], data, { tooltip, ...(name === 'approve' ? { style: 'positive' } : {}) });
}
