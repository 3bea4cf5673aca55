/**
 * Refusals, times and help in words for people. Short, plain, and each says what happens next. Texts from people are
 * raw here; whoever renders escapes them.
 */
import type { Answer, ChangeMade, FrozenWhy, Refusal, WorkloadFault } from './command.ts';
import { USAGE } from './grammar.ts';
import type { Instant } from './model.ts';
import { reportText } from './report.ts';
import type { RequestView } from './view.ts';

const COMMAND_WORD = '/access';

/** In code points; of an error that is shown to people. */
const ERROR_MAX = 240;

/** At most `max` code points, the last of them an ellipsis when something was left out. */
export function cut(text: string, max: number): string {
  if (text.length <= max) return text;
  const kept: string[] = [];
  for (const point of text) {
    if (kept.length === max) return `${kept.slice(0, max - 1).join('')}…`;
    kept.push(point);
  }
  return text;
}

/** `1 h 30 min`; never empty, never negative. */
export function durationText(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  const parts = [
    [Math.floor(seconds / 86_400), seconds >= 172_800 ? 'days' : 'day'],
    [Math.floor((seconds % 86_400) / 3600), 'h'],
    [Math.floor((seconds % 3600) / 60), 'min'],
    [seconds % 60, 's'],
  ] as const;
  const said = parts.filter(([count]) => count > 0).map(([count, unit]) => `${count} ${unit}`);
  return said.length === 0 ? '0 s' : said.join(' ');
}

/** `14:32 CET`, with the date when it is not today in that zone, or when `now` is not known. */
export function timeText(instant: Instant, now: Instant | undefined, zone: string | undefined): string {
  const day: Intl.DateTimeFormatOptions = { weekday: 'short', day: 'numeric', month: 'short' };
  const date = format(instant, zone, { ...day, year: 'numeric' });
  const today = now === undefined ? undefined : format(now, zone, { ...day, year: 'numeric' });
  const time = format(instant, zone, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23', timeZoneName: 'short' });
  if (date === today) return time;
  const sameYear = today === undefined || date.slice(-4) === today.slice(-4);
  return `${(sameYear ? format(instant, zone, day) : date).replaceAll(',', '')} ${time}`;
}

function format(instant: Instant, zone: string | undefined, options: Intl.DateTimeFormatOptions): string {
  try {
    return formatter(options, zone ?? 'UTC').format(instant);
  } catch {
    // A zone that this runtime does not know, or an instant beyond the calendar: a refusal must still be said.
    return Math.abs(instant) <= 8.64e15
      ? new Intl.DateTimeFormat('en-GB', { ...options, timeZone: 'UTC' }).format(instant)
      : 'unknown time';
  }
}

/** Making one costs a hundred times what using it does. There are as many as zones of people who asked. */
const formatters = new Map<string, Intl.DateTimeFormat>();
const FORMATTERS_MOST = 500;

function formatter(options: Intl.DateTimeFormatOptions, zone: string): Intl.DateTimeFormat {
  const key = `${zone} ${JSON.stringify(options)}`;
  const known = formatters.get(key) ?? new Intl.DateTimeFormat('en-GB', { ...options, timeZone: zone });
  if (formatters.size >= FORMATTERS_MOST) formatters.clear();
  formatters.set(key, known);
  return known;
}

/** Of a condition; one that is longer is in the file. */
const EXPRESSION_SHOWN = 400;

const PROOF_LACKS = {
  request: 'Nothing is asked for',
  extend: 'No more time is asked for',
  break_glass: 'No access is given',
  approve: 'Your approval does not count',
  link: 'Nobody knows whose this account is',
} as const;

/** Where a button has the link. */
export function proofNext(refusal: Extract<Refusal, { code: 'proof_needed' }>, zone: string | undefined): string {
  return `The button is for you alone, and works once${until(refusal.until, zone)}.`;
}

function until(at: Instant, zone: string | undefined): string {
  return `, until ${format(at, zone, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23', timeZoneName: 'short' })}`;
}

const PROOF_OVER = {
  used: 'This link was used already.',
  expired: 'The time of this link is over.',
  failed: 'The sign-in did not prove what was needed.',
  stale: 'The sign-in is too old by now.',
  changed: 'What was to be confirmed has changed since.',
  elsewhere: 'This browser is not the one that signed in.',
} as const;

/** Why not, and what to do instead. Times are in `zone`, UTC when it is not known. */
export function refusalText(
  refusal: Refusal,
  zone: string | undefined,
  commandWord: string = COMMAND_WORD,
): { readonly reason: string; readonly next: string } {
  const help = `Type ${commandWord} help to see what can be asked.`;
  switch (refusal.code) {
    case 'unknown_resource':
      return {
        reason: `There is no resource called ${quoted(refusal.asked)}.`,
        next:
          refusal.suggestions.length > 0
            ? `Did you mean ${either(refusal.suggestions)}?`
            : 'Check the spelling, or ask the people who run Hallpass which resources there are.',
      };
    case 'unknown_role':
      return {
        reason: `${refusal.resource} has no role called ${quoted(refusal.asked)}.`,
        next: refusal.roles.length > 0 ? `It has ${listed(refusal.roles)}.` : help,
      };
    case 'bad_duration':
      return {
        reason: `${quoted(refusal.asked)} is not a duration.`,
        next: `Write it like ${refusal.example}, 1h30m, 2d or until 17:00, right after the resource or the id. A reason that begins with a number goes after the duration.`,
      };
    case 'duration_over_maximum':
      return {
        reason: `${durationText(refusal.askedMs)} is longer than this policy allows.`,
        next: `Ask for ${durationText(refusal.maxMs)} or less.`,
      };
    case 'time_past':
      return {
        reason: `${timeText(refusal.at, undefined, refusal.zone)} is already past.`,
        next: 'Give a later time, or a length such as 30m.',
      };
    case 'reason_missing':
      return {
        reason: 'A reason is missing.',
        next:
          refusal.minLength > 1
            ? `Say why in at least ${refusal.minLength} characters, at the end of the command.`
            : 'Say why at the end of the command.',
      };
    case 'reason_too_short':
      return {
        reason: `The reason is too short: ${refusal.length} of at least ${refusal.minLength} characters.`,
        next: 'Say a little more: approvers decide by it.',
      };
    case 'reason_too_long':
      return {
        reason: `The reason is too long: ${refusal.length} of at most ${refusal.maxLength} characters.`,
        next: 'Keep the essence and link to the rest.',
      };
    case 'ticket_missing':
      return {
        reason: `The reason must name a ticket of the form ${cut(refusal.pattern, 200)}.`,
        next: 'Put its key into the reason, as a word of its own.',
      };
    case 'over_daily':
      return {
        reason: `That would pass the ${durationText(refusal.perDayMs)} a day that this policy allows: ${durationText(refusal.usedMs)} of that day are used or promised.`,
        next: refusal.leftMs >= 60_000 ? `Ask for ${durationText(refusal.leftMs)} or less.` : 'Ask again tomorrow.',
      };
    case 'too_many_live':
      return {
        reason: `You hold ${refusal.grants.length} under the policy ${refusal.policy}, and ${refusal.most} is the most at a time: ${listed(refusal.grants)}.`,
        next: `Give one back first, with ${commandWord} return.`,
      };
    case 'too_many_requests':
      return {
        reason: `You have asked ${refusal.most} times within an hour, and that is the most.`,
        next: 'Nothing was requested. Ask again later.',
      };
    case 'not_eligible':
      return {
        reason: `You may not request ${refusal.entitlement}.`,
        next: wanted('It can be requested by', refusal.wanted),
      };
    case 'condition_not_met':
      return {
        reason: `The policy of ${refusal.entitlement} allows this only when: ${cut(refusal.expression, EXPRESSION_SHOWN)}`,
        next:
          refusal.now.length > 0
            ? `That does not hold: ${listed(refusal.now.map((reading) => cut(reading, 120)))}. Ask again when it does.`
            : 'That does not hold. Ask again when it does.',
      };
    case 'already_pending':
      return {
        reason: `You have asked for this already: ${refusal.requestId} is waiting for approval.`,
        next: `See it with ${commandWord} status ${refusal.requestId}, or take it back with ${commandWord} cancel ${refusal.requestId}.`,
      };
    case 'already_granted':
      return {
        reason:
          refusal.expiresAt === undefined
            ? `You have this access already or it is being added: ${refusal.grantId}.`
            : `You have this access already: ${refusal.grantId}, until ${timeText(refusal.expiresAt, undefined, zone)}.`,
        next: `For more time, type ${commandWord} extend ${refusal.grantId} 30m.`,
      };
    case 'already_member':
      return {
        reason: `You are a permanent member of ${listed(refusal.groups)} already.`,
        next: 'There is nothing to request: the access is yours without Hallpass.',
      };
    case 'nobody_to_ask':
      return {
        reason: `Nobody could approve ${refusal.entitlement} now.`,
        next: 'Nothing was requested. Tell the people who run Hallpass, or ask again when somebody is on call.',
      };
    case 'own_request':
      return {
        reason: 'You cannot approve or deny your own request.',
        next: `Somebody else must answer it. To take it back, use ${commandWord} cancel.`,
      };
    case 'workload_refused':
      return { reason: `The token of this job does not serve. ${refusal.why}`, next: WORKLOAD_NEXT[refusal.fault] };
    case 'person_needed':
      return {
        reason: 'A token may ask for access and give it back, and never answers.',
        next: 'Answer in chat, or sign in as yourself.',
      };
    case 'proof_needed':
      return {
        reason: `${PROOF_LACKS[refusal.purpose]}${refusal.entitlement === '' ? '' : ` (${refusal.entitlement})`} until you have confirmed it with MFA.`,
        next: `Sign in at ${refusal.link}. The link is for you alone, and works once${until(refusal.until, zone)}.`,
      };
    case 'proof_over':
      return {
        reason: PROOF_OVER[refusal.why],
        next: 'Nothing was done by this page. Do it again in chat, for a new link.',
      };
    case 'not_an_approver':
      return {
        reason: `You may not answer requests for ${refusal.entitlement}.`,
        next: wanted('It can be answered by', refusal.wanted),
      };
    case 'already_answered':
      return {
        reason: `You have answered ${refusal.requestId} already.`,
        next: 'Your first answer stands.',
      };
    case 'longer_than_asked':
      return {
        reason: `${refusal.requestId} asks for ${durationText(refusal.askedMs)}, and nobody can approve it for longer.`,
        next: 'Approve it as it is, or for less.',
      };
    case 'not_your_turn':
      return {
        reason: `${refusal.requestId} waits for ${either(refusal.first)} first.`,
        next: 'You are asked when they have approved it. You may deny it already.',
      };
    case 'changed_since_shown':
      return {
        reason: `${refusal.requestId} has changed since you were shown it, so this answer does not count.`,
        next: `Look at it again with ${commandWord} approve ${refusal.requestId}.`,
      };
    case 'requester_not_eligible':
      return {
        reason: `${refusal.requestId} cannot be approved: ${refusal.why}`,
        next: 'Nothing was granted.',
      };
    case 'not_pending':
      return {
        reason: `${refusal.requestId} is no longer waiting for an answer.`,
        next: `See what became of it with ${commandWord} status ${refusal.requestId}.`,
      };
    case 'not_yours':
      return { reason: `${refusal.id} is not yours.`, next: `See your own with ${commandWord} list.` };
    case 'not_live':
      return {
        reason: `${refusal.grantId} has ended or is ending.`,
        next: `See it with ${commandWord} status ${refusal.grantId}. For new access, make a new request.`,
      };
    case 'not_added_yet':
      return {
        reason: `${refusal.grantId} has not been added yet.`,
        next: 'Try again when you have been told that it is active.',
      };
    case 'no_grant':
      return {
        reason: `${refusal.requestId} has no access to end or extend.`,
        next: `See it with ${commandWord} status ${refusal.requestId}.`,
      };
    case 'over_maximum':
      return {
        reason: `That would make ${refusal.grantId} longer than the ${durationText(refusal.maxMs)} its policy allows.`,
        next:
          refusal.leftMs > 0
            ? `At most ${durationText(refusal.leftMs)} more can be added.`
            : 'No more time can be added. When it has ended, make a new request.',
      };
    case 'not_a_responder':
      return {
        reason: 'You may not revoke access, freeze it or lift a freeze.',
        next: 'Those on call are responders only for what they approve. Tell a responder what you need.',
      };
    case 'not_an_admin':
      return { reason: 'You may not make access permanent.', next: 'Admins can. Tell them the id of the grant.' };
    case 'own_access':
      return {
        reason: `${refusal.grantId} is your own, and nobody makes their own access permanent.`,
        next: 'Ask another admin.',
      };
    case 'nothing_to_adopt':
      return {
        reason: `${refusal.grantId} holds nothing that Hallpass added and does not remove already.`,
        next: `See it with ${commandWord} status ${refusal.grantId}.`,
      };
    case 'frozen':
      return {
        reason: frozenText(refusal, zone),
        next: `Nothing new is granted until it is lifted. Ask ${cut(refusal.by, 80)}, or a responder.`,
      };
    case 'already_frozen':
      return { reason: frozenText(refusal, zone), next: 'That freeze stands as it is.' };
    case 'not_frozen':
      return {
        reason: `${cut(refusal.what, 80)} is not frozen.`,
        next: `See what is with ${commandWord} list active.`,
      };
    case 'nothing_to_revoke':
      return {
        reason: `Nobody holds or waits for access in ${cut(refusal.what, 80)} that this would end.`,
        next: `See what is live with ${commandWord} list active.`,
      };
    case 'no_break_glass':
      return {
        reason: `${refusal.entitlement} cannot be taken by break-glass: its policy has none.`,
        next: `Ask for it with ${commandWord} request.`,
      };
    case 'review_open':
      return {
        reason: `Your last use, ${refusal.grantId}, has not been reviewed, and this policy waits for that.`,
        next: `Ask a reviewer to look at it (due ${timeText(refusal.dueAt, undefined, zone)}), or use ${commandWord} request.`,
      };
    case 'own_review':
      return { reason: 'You cannot review your own access.', next: 'Somebody else of those named has to.' };
    case 'not_a_reviewer':
      return { reason: 'You may not review this.', next: wanted('It can be reviewed by', refusal.wanted) };
    case 'reviewed_already':
      return {
        reason: `${refusal.grantId} has been reviewed already${refusal.by === '' ? '' : `, by ${cut(refusal.by, 80)}`}.`,
        next: 'That review stands.',
      };
    case 'own_finding':
      return {
        reason: 'This finding is about your own access.',
        next: 'Somebody else has to look at it. What you want to say, say to them.',
      };
    case 'not_security':
      return {
        reason: 'You may not act on findings.',
        next: wanted('It can be acted on by', refusal.wanted),
      };
    case 'finding_over':
      return {
        reason: `${refusal.finding} is closed already${refusal.by === '' ? '' : `, by ${cut(refusal.by, 80)}`}.`,
        next: refusal.how === 'revoked' ? 'The access was revoked.' : 'It was dismissed; new activity opens a new one.',
      };
    case 'asked_already':
      return {
        reason: `The holder has been asked already${refusal.by === '' ? '' : `, by ${cut(refusal.by, 80)}`}.`,
        next: 'Their answer will stand in the finding.',
      };
    case 'not_asked':
      return { reason: `Nobody has asked you about ${refusal.finding}.`, next: 'There is nothing to answer yet.' };
    case 'nobody_to_write_to':
      return {
        reason: `${cut(refusal.who, 80)} has no chat account that Hallpass knows.`,
        next: 'Ask in person, then dismiss the finding with what you heard, or revoke.',
      };
    case 'not_a_signer':
      return {
        reason: 'You may not sign the digest.',
        next: wanted('It can be signed by', refusal.wanted),
      };
    case 'signed_already':
      return {
        reason: `The digest of ${refusal.day} has been signed already${refusal.by === '' ? '' : `, by ${cut(refusal.by, 80)}`}.`,
        next: 'That signature stands.',
      };
    case 'no_digest':
      return {
        reason:
          refusal.day === undefined ? 'No digest has been made yet.' : `There is no digest of ${cut(refusal.day, 20)}.`,
        next: `See what there is with ${commandWord} digest; the daily one is signed where it is posted.`,
      };
    case 'preview_expired':
      return {
        reason: 'This preview is more than 10 minutes old, so nothing was ended.',
        next: 'Type the command again, and confirm what it shows then.',
      };
    case 'unknown_person':
      return {
        reason: `Hallpass knows nobody called ${quoted(refusal.asked)}.`,
        next: 'Mention the person (@name, chosen from the list), or write their email.',
      };
    case 'not_a_viewer':
      return {
        reason: "You may not see other people's access.",
        next: `See your own with ${commandWord} list.`,
      };
    case 'unknown_id':
      return {
        reason: `There is nothing called ${quoted(refusal.asked)}.`,
        next: `Find the id with ${commandWord} list. Ids look like R-7KQ2 or G-7KQ2.`,
      };
    case 'ambiguous_id':
      return {
        reason: `${quoted(refusal.asked)} could be more than one.`,
        next: `Say which: ${either(refusal.ids)}.`,
      };
    case 'expired_button':
      return {
        reason: 'This button is out of date.',
        next: `Use the newest message, or type ${commandWord} status with the id.`,
      };
    case 'unknown_command':
      return {
        reason: `There is no command ${quoted(refusal.asked)}.`,
        next:
          refusal.suggestions.length > 0
            ? `Did you mean ${either(refusal.suggestions.map((suggestion) => `${commandWord} ${suggestion}`))}?`
            : help,
      };
    case 'usage':
      return { reason: 'Something is missing there.', next: `Write ${commandWord} ${refusal.usage}` };
    case 'not_recognised':
      return { reason: refusal.message, next: 'Nothing was done. Ask the people who run Hallpass if this is wrong.' };
    case 'cannot_check':
      return {
        // Why is shown too: whether it is their own service that is away, people often know before we do.
        reason: `Hallpass could not check ${refusal.what}, so nothing was done. ${cut(refusal.error, ERROR_MAX)}`,
        next: 'Try again in a minute.',
      };
    case 'group_unusable':
      return {
        reason: `Hallpass may not manage the group ${refusal.group}: ${refusal.why}`,
        next: 'Nothing was done. Tell the people who run Hallpass.',
      };
    case 'being_retried':
      return {
        reason: 'Hallpass has recorded this and could not finish it yet.',
        next: 'It is tried again by itself, and the answer follows. There is no need to send it again.',
      };
    case 'busy':
      return { reason: 'Too much happened at once, so nothing was done.', next: 'Try again.' };
    default: {
      const never: never = refusal;
      return never;
    }
  }
}

const WORKLOAD_NEXT: Readonly<Record<WorkloadFault, string>> = {
  not_configured: 'See `workloads` in the configuration of Hallpass.',
  token_invalid: 'Ask the platform for an ID token of this very job.',
  foreign_issuer: 'See `issuer` of this workload in the configuration of Hallpass.',
  wrong_audience: 'Ask for an ID token with that audience.',
  expired: 'Give it in soon after the job has asked for it.',
  replayed: 'Each token serves once.',
  no_match: 'See `match` of this workload in the configuration of Hallpass.',
  pull_request: 'Access for pull requests has to be named in `match`.',
  unmapped_actor: 'Someone can add the account under `actors` of this workload.',
  run_again: 'Start a new run.',
};

/** The commands there are, one line each. */
export function helpText(commandWord: string = COMMAND_WORD): string {
  const says: Readonly<Record<keyof typeof USAGE, string>> = {
    request: 'ask for access',
    approve: 'look at a request and approve it',
    deny: 'deny a request',
    cancel: 'take back your own request',
    status: 'what holds now and what happens next',
    story: 'all that happened with a request: answers, messages, calls to a directory',
    list: 'your requests, those waiting, or live access',
    who: 'who holds it, until when and why',
    explain: 'whether you would get it, who would be asked, and why',
    'on-call': 'who is on call and can approve',
    digest: 'what was granted, what is live, what is late (viewers); sign-off signs the daily one (responders, admins)',
    extend: 'ask for more time',
    return: 'give access back before its end',
    revoke: 'end access: one grant at once, or all of a person, a resource or everything after a preview (responders)',
    'break-glass': 'take access at once without approval, where the policy has that; everybody hears of it',
    review: 'sign off or question a use of break-glass (reviewers)',
    finding: 'act on a finding (responders, admins), or answer for one about you',
    adopt: 'make what a live grant added permanent (admins)',
    freeze: 'grant nothing new there until it is lifted (responders)',
    unfreeze: 'lift a freeze (responders, admins)',
    link: 'say whose this chat account is, where Hallpass does not know it',
    help: 'this list',
  };
  const lines = (Object.keys(USAGE) as (keyof typeof USAGE)[]).map(
    (word) => `${commandWord} ${USAGE[word]}: ${says[word]}`,
  );
  return [
    'Hallpass gives temporary access and takes it away on time.',
    `${commandWord} alone opens a form for asking, where the chat has forms.`,
    ...lines,
    'A duration is 45s, 30m, 1h30m, 2d or until 17:00 in your own zone. Left out, the policy decides.',
    `For example: ${commandWord} request db-prod 30m fix the stuck migration`,
  ].join('\n');
}

const DONE: Readonly<Record<ChangeMade, string>> = {
  requested: 'Requested.',
  extension_requested: 'More time requested.',
  approval_recorded: 'Your approval is recorded.',
  approved: 'Approved.',
  denied: 'Denied.',
  cancelled: 'Cancelled.',
  returned: 'Returned.',
  revoked: 'Revoked.',
  adopted: 'Made permanent.',
};

/** What was just done, in a word or two; the request's headline says what follows from it. */
/** `Approved. R-7KQ2: Adding to prod-db-read.`: what was done, and what holds now, without saying the same twice. */
export function doneSentence(what: ChangeMade, { id, headline }: Pick<RequestView, 'id' | 'headline'>): string {
  const done = doneText(what);
  const rest = headline.startsWith(`${done} `) ? headline.slice(done.length + 1) : headline;
  return `${done} ${id}: ${rest}`;
}

function doneText(what: ChangeMade): string {
  return DONE[what];
}

/** A request on one line, for lists and for reading aloud. */
export function lineText(request: RequestView): string {
  return `${request.grant?.id ?? request.id}, ${request.requesterName}, ${request.entitlement}: ${request.headline}`;
}

const LIST_TITLES = { mine: 'Your requests', pending: 'Waiting for approval', active: 'Live access' } as const;

export function listTitle(which: keyof typeof LIST_TITLES, page = 1): string {
  return page > 1 ? `${LIST_TITLES[which]}, page ${page}` : LIST_TITLES[which];
}

export function listEmpty({ which, page }: Pick<Answer & { say: 'list' }, 'which' | 'page'>): string {
  return `${listTitle(which, page)}: ${(page ?? 1) > 1 ? 'no more' : 'none'}.`;
}

/** How to see the rest, for those who type. */
export function moreOf(which: keyof typeof LIST_TITLES, page = 1, commandWord: string = COMMAND_WORD): string {
  return `There are more: ${commandWord} list ${which} ${page + 1}.`;
}

/** Long enough to be read aloud. */
const REPORT_TEXT_MAX = 3_000;

/** The whole answer as plain text, for places that show nothing else and for screen readers. */
export function answerText(answer: Answer, commandWord: string = COMMAND_WORD): string {
  switch (answer.say) {
    case 'refused': {
      const { reason, next } = refusalText(answer.refusal, answer.request?.zone, commandWord);
      return `${reason} ${next}`;
    }
    case 'done': {
      const asked = answer.asked !== undefined && answer.asked.length > 0 ? ` Asked: ${listed(answer.asked)}.` : '';
      return `${doneSentence(answer.what, answer.request)}${asked}`;
    }
    case 'card':
      return `${answer.request.id}: ${answer.request.requesterName} asks for ${answer.request.title} (${answer.request.entitlement}) for ${durationText(answer.request.durationMs)}. Reason: ${answer.request.reason} ${answer.request.headline}${
        answer.durationMs === undefined ? '' : ` You would approve it for ${durationText(answer.durationMs)}.`
      }`;
    case 'status':
      return [`${answer.request.id}: ${answer.request.headline}`, ...(answer.notes ?? [])].join('\n');
    case 'list': {
      const notes = answer.notes ?? [];
      if (answer.items.length === 0) return [listEmpty(answer), ...notes].join('\n');
      const more = answer.more ? [moreOf(answer.which, answer.page, commandWord)] : [];
      return [`${listTitle(answer.which, answer.page)}:`, ...notes, ...answer.items.map(lineText), ...more].join('\n');
    }
    case 'report':
      return reportText(answer.report, REPORT_TEXT_MAX);
    case 'signed':
      return `Signed off: the digest of ${answer.day}.`;
    case 'review':
      return [answer.review.title, answer.review.headline].join('. ');
    case 'finding':
      return [answer.finding.title, answer.finding.headline].join('. ');
    case 'revocation':
      return reportText(answer.report, REPORT_TEXT_MAX);
    case 'freeze':
      return freezeAnswerText(answer, commandWord);
    case 'help':
      return helpText(commandWord);
    default: {
      const never: never = answer;
      return never;
    }
  }
}

/** `db-prod is frozen since 14:32 CET, by Cat: “incident 4711”.` */
export function frozenText(why: FrozenWhy, zone: string | undefined, now?: Instant): string {
  return `${cut(why.what, 80)} is frozen since ${timeText(why.at, now, zone)}, by ${cut(why.by, 80)}: “${cut(why.reason, 300)}”.`;
}

function freezeAnswerText(answer: Answer & { say: 'freeze' }, commandWord: string): string {
  const { freeze, closed, ended } = answer;
  const name = cut(freeze.name, 80);
  if (answer.what === 'unfrozen') return `Lifted. ${name} can be requested again.`;
  const done = [
    ...(closed > 0 ? [`${closed} waiting ${closed === 1 ? 'request' : 'requests'} withdrawn.`] : []),
    ...(ended > 0 ? [`${ended} ${ended === 1 ? 'addition' : 'additions'} stopped before being sent.`] : []),
  ];
  return [
    `Frozen: ${name}.`,
    ...done,
    'Nothing new is granted there until it is lifted.',
    `Access that is live stays; end it with ${commandWord} revoke.`,
  ].join(' ');
}

function quoted(text: string): string {
  return `“${cut(text, 80)}”`;
}

/** `a, b and c`; a long list is cut, since nobody reads forty names. */
export function listed(items: readonly string[], last = 'and'): string {
  const shown = items.length > 8 ? [...items.slice(0, 7), `${items.length - 7} more`] : [...items];
  const end = shown.pop() ?? '';
  return shown.length === 0 ? end : `${shown.join(', ')} ${last} ${end}`;
}

function either(items: readonly string[]): string {
  return listed(items, 'or');
}

function wanted(lead: string, subjects: readonly string[]): string {
  return subjects.length > 0 ? `${lead} ${listed(subjects)}.` : 'Ask the people who run Hallpass who may.';
}
