/** One request's story: what was asked, answered, done in the directories and why it ended. */
import { html } from 'hono/html';
import type { FindingView } from '../access/finding-view.ts';
import type { MessageRow } from '../access/ports.ts';
import type { RequestPage } from '../access/request-page.ts';
import type { MembershipView, Standing } from '../access/view.ts';
import { durationText } from '../access/words.ts';
import { answerForms, endForms, reviewCard, ticketOf } from './now-page.ts';
import type { Html, Region } from './page.ts';
import { act, behind, type Drawing, fullTime, reasonField, time, timeLeft } from './parts.ts';

const STANDING: Readonly<Record<Standing, string>> = {
  adding: 'being added',
  maybe_added: 'perhaps added: the answer was lost',
  added: 'added, not read back yet',
  seen: 'a member, read back',
  already_there: 'was a member before, and stays',
  refused: 'the directory refused the addition',
  not_added: 'not added',
  removing: 'being removed',
  removed: 'removed, not read back yet',
  checked: 'removed, and proven gone',
  still_held: 'held by another grant',
  group_gone: 'closed by hand: the group is gone',
  user_gone: 'closed by hand: the account is gone',
  directory_gone: 'closed by hand: the directory is given up',
  adopted: 'made permanent by an admin',
};

export function requestRegions(page: RequestPage, drawing: Drawing): readonly Region[] {
  const { request } = page;
  const { grant } = request;
  const end = grant?.expiresAt ?? grant?.hardEndAt;
  const running = grant !== undefined && end !== undefined && (grant.state === 'adding' || grant.state === 'active');
  const part = (id: string, body: Html) => ({ id, html: html`<section id="${id}">${body}</section>` });
  return [
    part(
      'holds',
      html`<p class="headline ${request.severity}">${request.headline}</p>
${page.notes.map((note) => html`<p class="banner bad">${note}</p>`)}
${running ? timeLeft(grant.startsAt ?? request.createdAt, end, drawing, 'Time left') : ''}
${request.state === 'pending' ? timeLeft(request.createdAt, request.lapsesAt, drawing, 'Time to answer') : ''}
<div class="acts">${page.mayAnswer ? answerForms(request, drawing) : ''}${
        request.can.cancel && page.mine
          ? act(drawing, { do: 'cancel', target: request.id }, html`<button>Take back ${request.id}</button>`)
          : ''
      }${endForms(
        request,
        {
          mine: new Set(page.mine ? [request.id] : []),
          revocable: new Set(page.mayRevoke && grant !== undefined ? [grant.id] : []),
        },
        drawing,
      )}</div>`,
    ),
    part('facts', factsPart(page, drawing)),
    part('memberships', grant === undefined ? html`` : membershipsPart(grant.memberships, drawing)),
    part(
      'reviews',
      page.review === undefined
        ? html``
        : html`<h2>Review</h2>${reviewCard({ ...page.review, open: page.review.open && page.mayReview }, drawing)}`,
    ),
    part('found', foundPart(page, drawing)),
    part(
      'story',
      html`<h2>Story</h2>
<ol class="story">${page.story.map(
        (line) => html`<li>${fullTime(line.at, drawing)}<p><strong>${line.who}</strong> ${line.what}</p></li>`,
      )}</ol>${messagesPart(page.messages, request.id, drawing)}`,
    ),
  ];
}

function factsPart({ request, mine }: RequestPage, drawing: Drawing): Html {
  const { stages, waiting, incident, link } = request;
  const fact = (name: string, value: Html | string) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`;
  return html`<h2>What was asked</h2>
<blockquote>${request.reason === '' ? 'No reason given.' : request.reason}</blockquote>
<dl class="facts">
${fact('Who', mine ? `${request.requesterName} (you)` : request.requesterName)}
${fact('What', html`${request.title} <span class="mono">${request.entitlement}</span>${link === undefined ? '' : html` <a href="${link}" rel="noreferrer">read about it</a>`}`)}
${fact('For', durationText(request.durationMs))}
${request.approvedMs === undefined ? '' : fact('Approved for', durationText(request.approvedMs))}
${fact('Asked', time(request.createdAt, drawing))}
${fact('Policy', html`<span class="mono">${request.policyName}</span>`)}
${request.ticket === undefined ? '' : fact('Ticket', ticketOf(request))}
${incident === undefined ? '' : fact('Ends with incident', incident.title === '' ? incident.id : `${incident.id}, ${incident.title}`)}
${request.breakGlass === true ? fact('Approval', 'none: break-glass') : ''}
${request.automatic === undefined ? '' : fact('Approved by the condition', html`<code>${request.automatic}</code>`)}
${
  request.approvals.length === 0
    ? ''
    : fact(
        'Approved by',
        html`${request.approvals.map((one) => html`<span>${one.name}, ${time(one.at, drawing)}${one.durationMs === undefined ? '' : ` for ${durationText(one.durationMs)}`}</span><br>`)}`,
      )
}
${
  request.denial === undefined
    ? ''
    : fact(
        'Denied by',
        html`${request.denial.name}, ${time(request.denial.at, drawing)}${request.denial.reason === undefined ? '' : html`: ${request.denial.reason}`}`,
      )
}
${stages === undefined ? '' : fact('Stages', html`<ol>${stages.map((stage) => html`<li>${stage.by.join(' or ')}: ${stage.given.length} of ${stage.needed}${stage.given.length === 0 ? '' : html` (${stage.given.join(', ')})`}</li>`)}</ol>`)}
${waiting === undefined ? '' : fact('Asked now', waiting.asked.length === 0 ? waiting.by.join(' or ') : waiting.asked.join(', '))}
</dl>`;
}

function membershipsPart(memberships: readonly MembershipView[], drawing: Drawing): Html {
  return html`<h2>In the directories</h2>
<div class="scroll" role="region" tabindex="0" aria-label="In the directories"><table><thead><tr><th scope="col">Group</th><th scope="col">Directory</th><th scope="col">Stands</th><th scope="col">Since</th></tr></thead>
<tbody>${memberships.map(
    (one) =>
      html`<tr><th scope="row" class="mono">${one.group}</th><td>${one.directory}</td><td>${STANDING[one.standing]}${one.failures > 0 ? html`; ${one.failures} failures: ${one.error ?? ''}` : ''}</td><td>${one.at === undefined ? '' : time(one.at, drawing)}</td></tr>`,
  )}</tbody></table></div>`;
}

function foundPart({ findings, use }: RequestPage, drawing: Drawing): Html {
  if (findings.length === 0 && use === undefined) return html``;
  return html`<h2>What was done under it</h2>
${
  use === undefined
    ? ''
    : html`<p>${use.activities} activities, ${Object.entries(use.kinds)
        .map(([kind, count]) => `${kind} ${count}`)
        .join(', ')}. The last ${time(use.lastAt, drawing)}.</p>`
}
${findings.length === 0 ? html`<p class="quiet">No finding.</p>` : html`<ul class="rows">${findings.map((one) => findingRow(one, drawing))}</ul>`}`;
}

function findingRow(finding: FindingView, drawing: Drawing): Html {
  const { id, can } = finding;
  const forms = [
    can.ask ? act(drawing, { do: 'ask_holder', finding: id }, html`<button>Ask the holder about ${id}</button>`) : '',
    can.revoke
      ? behind(
          'Revoke…',
          act(
            drawing,
            { do: 'revoke_finding', finding: id },
            html`<button class="danger">Revoke ${finding.grantId} because of ${id}</button>`,
          ),
          true,
        )
      : '',
    can.dismiss
      ? behind(
          'Dismiss…',
          act(
            drawing,
            { do: 'dismiss_finding', finding: id },
            html`${reasonField(`dismiss-${id}`, 'Why it is nothing', true)}<button>Dismiss ${id}</button>`,
          ),
        )
      : '',
  ];
  return html`<li class="row warning"><p><strong>${finding.title}</strong></p>
${finding.lines.map((line) => html`<p>${line}</p>`)}
${finding.examples.length === 0 ? '' : html`<ul class="plain">${finding.examples.map((line) => html`<li>${line}</li>`)}</ul>`}
<p class="quiet">${finding.headline}</p><div class="acts">${forms}</div></li>`;
}

const POSTED: Readonly<Record<MessageRow['state'], string>> = {
  sending: 'being posted',
  posted: 'posted',
  unknown: 'perhaps posted twice: the answer was lost',
  unsent: 'not posted yet',
  gone: 'no longer there',
};

function messagesPart(messages: readonly MessageRow[], requestId: string, drawing: Drawing): Html {
  if (messages.length === 0) return html``;
  return html`<details><summary>${messages.length} messages about it</summary><ul class="plain">${messages.map(
    (row) =>
      html`<li>${fullTime(row.at, drawing)} <span class="mono">${row.id.slice(`msg:${requestId}:`.length)}</span> ${POSTED[row.state]}${row.conversation === undefined ? '' : html` in <span class="mono">${row.conversation}</span>`}</li>`,
  )}</ul></details>`;
}
