/** The story of one request as somebody is shown it: each event in plain words, and every message that was sent about it. */
import type { AuditEvent, Instant, PinnedGroup } from './model.ts';
import type { MessageRow } from './ports.ts';
import type { ReportLine, ReportSection, ReportView } from './report.ts';
import { storyOf } from './story.ts';
import type { RequestView } from './view.ts';
import { cut, timeText } from './words.ts';

export interface StoryMaterial {
  readonly request: RequestView;
  readonly groups: readonly PinnedGroup[];
  readonly events: readonly AuditEvent[];
  readonly messages: readonly MessageRow[];
}

/** The beginning and the end of a long story are what is asked for; what is left out in between is counted. */
const EVENTS_SHOWN = 40;
const FIRST_SHOWN = 12;
const MESSAGES_SHOWN = 12;
const WHO_MAX = 60;
const WHAT_MAX = 240;

export function storyView(
  { request, groups, events, messages }: StoryMaterial,
  now: Instant,
  zone: string,
): ReportView {
  const line = (at: Instant, rest: string): ReportLine => ({ lead: timeText(at, now, zone), rest });
  const told = storyOf(events, groups, zone).map(({ at, who, what }) =>
    line(at, sentence(cut(who, WHO_MAX), cut(what, WHAT_MAX))),
  );
  const left = told.length - EVENTS_SHOWN;
  const shown =
    left <= 0
      ? told
      : [
          ...told.slice(0, FIRST_SHOWN),
          { lead: '…', rest: `${left} more, which hallpass audit show ${request.id} tells on the host` },
          ...told.slice(-(EVENTS_SHOWN - FIRST_SHOWN)),
        ];
  const section: ReportSection = { title: 'What happened', lines: shown };
  const sent = messages.map((row) => line(row.at, messageText(request.id, row)));
  return {
    title: `Story of ${request.grant?.id ?? request.id}`,
    headline: `${cut(request.requesterName, 80)}, ${request.entitlement}. ${request.headline}`,
    severity: request.severity === 'warning' ? 'warning' : 'calm',
    sections: [
      section,
      ...(sent.length === 0 ? [] : [{ title: 'Messages', lines: sent.slice(-MESSAGES_SHOWN), total: sent.length }]),
    ],
  };
}

/** What Hallpass did by itself is told without naming it in each line. */
function sentence(who: string, what: string): string {
  return who === 'Hallpass' ? what.charAt(0).toUpperCase() + what.slice(1) : `${who} ${what}`;
}

const STATES: Readonly<Record<MessageRow['state'], string>> = {
  posted: 'posted',
  sending: 'being sent, or its answer was lost',
  unknown: 'sent again after a lost answer',
  unsent: 'not sent yet',
  gone: 'given up: it could not be delivered',
};

/** To whom it is, from the row's own id: `msg:R-7KQ2:approver:slack:T1:U1`. */
function messageText(requestId: string, { id, state, conversation }: MessageRow): string {
  const rest = id.replace(`msg:${requestId}:`, '');
  const kind = /^(channel|approver|requester|holder|outcome|warning)\b/.exec(rest)?.[1];
  const what = kind === undefined ? cut(rest, 80) : AUDIENCES[kind];
  return `${what ?? rest}: ${STATES[state]}${conversation === undefined ? '' : ` in ${conversation}`}`;
}

const AUDIENCES: Readonly<Record<string, string>> = {
  channel: 'the request, in its channel',
  approver: 'the request, to an approver',
  requester: 'that it was asked for, to the requester',
  holder: 'that it is in place, to the holder',
  warning: 'that it ends soon, to the holder',
  outcome: 'what came of it, to the requester',
};
