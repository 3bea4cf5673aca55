/** Now: what waits, who holds what and for how long still, what is frozen, and how the directories are. */
import { html } from 'hono/html';
import type { Shelf } from '../access/home.ts';
import type { Freeze } from '../access/model.ts';
import type { Overview } from '../access/overview.ts';
import type { ReviewView } from '../access/review-view.ts';
import { askedFor, type RequestView, shortenedText } from '../access/view.ts';
import { durationText, frozenText } from '../access/words.ts';
import type { Html, Region } from './page.ts';
import { act, behind, type Drawing, empty, more, reasonField, time, timeLeft } from './parts.ts';

export function nowRegions(overview: Overview, drawing: Drawing, resources: readonly string[]): readonly Region[] {
  const { freezes, rights, waiting, pending, live, reviews, operations } = overview;
  const part = (id: string, body: Html) => ({ id, html: html`<section id="${id}">${body}</section>` });
  return [
    part('frozen', html`${rightsNote(overview)}${frozenPart(freezes, rights.audits, drawing)}`),
    part(
      'waiting',
      html`<h2>Waiting for you${count(waiting)}</h2>
${waiting.items.length === 0 ? empty('Nothing waits for your answer. What you may answer appears here by itself.') : html`<ul class="cards">${waiting.items.map((one) => html`<li>${requestCard(one, drawing)}</li>`)}</ul>`}
${more(waiting.more, 'There are more; these are the newest.')}`,
    ),
    part(
      'live',
      html`<h2>${rights.sees ? 'Live access' : 'Your live access'}${count(live)}</h2>
${live.items.length === 0 ? empty(rights.sees ? 'Nobody holds anything through Hallpass now.' : 'You hold nothing now. Ask in chat with /access request; what is granted appears here.') : html`<ul class="rows">${live.items.map((one) => html`<li>${liveRow(one, overview, drawing)}</li>`)}</ul>`}
${more(live.more, 'There is more than is shown here. The timeline has all of it.')}`,
    ),
    part(
      'pending',
      html`<h2>${rights.sees ? 'Other requests that wait' : 'Your requests that wait'}${count(pending)}</h2>
${pending.items.length === 0 ? empty('None. New ones appear here by themselves.') : html`<ul class="rows">${pending.items.map((one) => html`<li>${pendingRow(one, overview, drawing)}</li>`)}</ul>`}
${more(pending.more, 'There are more; these are the newest.')}`,
    ),
    part('reviews', reviewsPart(reviews, drawing)),
    part(
      'directories',
      operations === undefined
        ? html``
        : html`${directoriesPart(operations)}${rights.responds ? freezeForm(drawing, resources) : ''}`,
    ),
  ];
}

function count({ items, more: further }: Shelf<unknown>): Html {
  return items.length === 0 ? html`` : html` <span class="count">${items.length}${further ? '+' : ''}</span>`;
}

function rightsNote({ rights }: Overview): Html {
  return rights.unknown === undefined
    ? html``
    : html`<p class="banner bad">Not everything that you may see is shown: ${rights.unknown}</p>`;
}

function frozenPart(freezes: readonly Freeze[], lifts: boolean, drawing: Drawing): Html {
  if (freezes.length === 0) return html``;
  return html`<h2>Frozen <span class="count">${freezes.length}</span></h2>
<ul class="rows">${freezes.map(
    (
      freeze,
    ) => html`<li class="row frozen"><p>${frozenText({ what: freeze.name, by: freeze.by, reason: freeze.reason, at: freeze.at }, drawing.zone, drawing.now)} Nothing new is granted there until it is lifted.</p>
${lifts ? act(drawing, { do: 'unfreeze', freeze: freeze.id }, html`<button>Lift the freeze of ${freeze.name}</button>`) : ''}</li>`,
  )}</ul>`;
}

/** A request that this person may answer, with all that an answer rests on. */
export function requestCard(request: RequestView, drawing: Drawing): Html {
  const heading = `r-${request.id}`;
  return html`<article class="card" aria-labelledby="${heading}">
<h3 id="${heading}"><a href="/console/requests/${request.id}">${request.requesterName}</a> asks for ${askedFor(request)}</h3>
<p class="title">${request.title}${request.ticket === undefined ? '' : html` · ${ticketOf(request)}`}</p>
<blockquote>${request.reason === '' ? 'No reason given.' : request.reason}</blockquote>
<p class="quiet">${request.id} · asked ${time(request.createdAt, drawing)} · confers ${request.groups.map(({ directory, group }) => `${group} in ${directory}`).join(', ')}</p>
<p>${request.headline}</p>
${shortenedText(request) === undefined ? '' : html`<p>${shortenedText(request) ?? ''}</p>`}
${timeLeft(request.createdAt, request.lapsesAt, drawing, 'Time to answer')}
${answerForms(request, drawing)}
</article>`;
}

export function answerForms(request: RequestView, drawing: Drawing): Html {
  const shorter = request.shorter ?? [];
  const length = `d-${request.id}`;
  const whole = request.approvedMs ?? request.durationMs;
  return html`<div class="acts">
${act(
  drawing,
  { do: 'approve', card: request.cardId },
  html`${
    shorter.length === 0
      ? ''
      : html`<label for="${length}" class="inline">for</label><select id="${length}" name="duration"><option value="">${durationText(whole)}</option>${shorter.map((ms) => html`<option value="${ms}">${durationText(ms)}</option>`)}</select>`
  }<button class="primary">Approve ${request.id}</button>`,
)}
${behind(
  'Deny…',
  act(
    drawing,
    { do: 'deny', card: request.cardId },
    html`${reasonField(`n-${request.id}`, 'Why (the requester is told)', false)}<button class="danger">Deny ${request.id}</button>`,
  ),
)}
</div>`;
}

export function ticketOf({ ticket }: RequestView): Html {
  if (ticket === undefined) return html``;
  return ticket.url === undefined
    ? html`<span class="mono">${ticket.key}</span>`
    : html`<a class="mono" href="${ticket.url}" rel="noreferrer">${ticket.key}</a>`;
}

function liveRow(request: RequestView, overview: Overview, drawing: Drawing): Html {
  const { grant } = request;
  const end = grant?.expiresAt ?? grant?.hardEndAt;
  return html`<div class="row ${request.severity}">
<div><a href="/console/requests/${request.id}"><strong>${request.requesterName}</strong></a> <span class="mono">${request.entitlement}</span>${request.breakGlass === true ? html` <span class="tag hot">break-glass</span>` : ''}
<p class="quiet">${grant?.id ?? request.id} · ${request.headline}</p><p class="why">${request.reason}</p></div>
${end === undefined || grant?.state === 'ending' ? html`<div class="left"><span>being removed</span></div>` : timeLeft(grant?.startsAt ?? request.createdAt, end, drawing, `Time left of ${grant?.id ?? request.id}`)}
${endForms(request, overview, drawing)}
</div>`;
}

/** Giving back for the holder, revoking for a responder. */
export function endForms(request: RequestView, overview: Pick<Overview, 'revocable' | 'mine'>, drawing: Drawing): Html {
  const { grant } = request;
  if (grant === undefined) return html``;
  return html`<div class="acts">${
    request.can.return && overview.mine.has(request.id)
      ? act(drawing, { do: 'return', target: grant.id }, html`<button>Return ${grant.id}</button>`)
      : ''
  }${
    overview.revocable.has(grant.id)
      ? behind(
          'Revoke…',
          act(
            drawing,
            { do: 'revoke', target: grant.id },
            html`${reasonField(`v-${grant.id}`, 'Why (the holder and the trail are told)', true)}<button class="danger">Revoke ${grant.id}</button>`,
          ),
          true,
        )
      : ''
  }</div>`;
}

function pendingRow(request: RequestView, overview: Overview, drawing: Drawing): Html {
  return html`<div class="row">
<div><a href="/console/requests/${request.id}"><strong>${request.requesterName}</strong></a> <span class="mono">${request.entitlement}</span>
<p class="quiet">${request.id} · ${request.headline}</p><p class="why">${request.reason}</p></div>
${timeLeft(request.createdAt, request.lapsesAt, drawing, `Time to answer ${request.id}`)}
<div class="acts">${overview.mine.has(request.id) ? act(drawing, { do: 'cancel', target: request.id }, html`<button>Take back ${request.id}</button>`) : ''}</div>
</div>`;
}

export function reviewsPart(reviews: Shelf<ReviewView>, drawing: Drawing): Html {
  if (reviews.items.length === 0) return html``;
  return html`<h2>Reviews to sign${count(reviews)}</h2>
<ul class="cards">${reviews.items.map((review) => html`<li>${reviewCard(review, drawing)}</li>`)}</ul>
${more(reviews.more, 'There are more; these have waited longest.')}`;
}

export function reviewCard(review: ReviewView, drawing: Drawing): Html {
  const heading = `w-${review.grantId}`;
  const note = (id: string, label: string) =>
    html`<label for="${id}">${label}</label><input id="${id}" name="reason" type="text" maxlength="1000" autocomplete="off">`;
  return html`<article class="card" aria-labelledby="${heading}">
<h3 id="${heading}"><a href="/console/requests/${review.requestId}">${review.title}</a></h3>
${review.lines.map((line) => html`<p>${line}</p>`)}
<p class="quiet">${review.headline}</p>
${
  review.open
    ? html`<div class="acts">${act(drawing, { do: 'sign_off', review: review.id }, html`<button class="primary">Sign off ${review.grantId}</button>`)}
${behind(
  'Question…',
  act(
    drawing,
    { do: 'question', review: review.id },
    html`${note(`q-${review.grantId}`, 'What has to be explained')}<button class="danger">Question ${review.grantId}</button>`,
  ),
)}</div>`
    : ''
}
</article>`;
}

const STATE = { answers: 'answers', fails: 'does not answer', unknown: 'nothing of it is managed' } as const;

function directoriesPart({ directories, removals }: NonNullable<Overview['operations']>): Html {
  return html`<h2>Directories</h2>
<ul class="rows">${directories.map(
    ({ name, state, error, failing }) =>
      html`<li class="row ${state === 'fails' || failing > 0 ? 'warning' : 'good'}"><p><strong>${name}</strong> ${STATE[state]}${error === undefined ? '' : html`: ${error}`}.${failing > 0 ? html` ${failing} removals in it fail and are tried again.` : ''}</p></li>`,
  )}</ul>
${
  removals.items.length === 0
    ? html`<p class="quiet">No removal is owed: everybody whose time is over is proven gone.</p>`
    : html`<h3>Removals that are owed</h3><ul class="rows">${removals.items.map(
        (one) =>
          html`<li class="row warning"><p>${one.login} from <span class="mono">${one.group}</span> in ${one.directory}${one.failures > 0 ? html`, ${one.failures} failures: ${one.error ?? ''}` : ''}</p></li>`,
      )}</ul>`
}
${more(removals.more, 'There are more removals than are shown.')}`;
}

function freezeForm(drawing: Drawing, resources: readonly string[]): Html {
  return behind(
    'Freeze…',
    act(
      drawing,
      { do: 'freeze' },
      html`<label for="freeze-what">What</label><select id="freeze-what" name="target"><option value="all">everything</option>${resources.map((name) => html`<option value="resource:${name}">${name}</option>`)}</select>
${reasonField('freeze-why', 'Why', true)}<button class="danger">Freeze</button><p class="quiet">Nothing new is granted there until it is lifted. Access that is live stays.</p>`,
    ),
    true,
  );
}
