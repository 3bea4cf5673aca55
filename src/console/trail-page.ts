/** The trail: looked through, with the state of its chain, and to be taken along. */
import { html, raw } from 'hono/html';
import type { TrailSeal } from '../access/ports.ts';
import { TOPICS, type TrailPage, type TrailWish } from '../access/trail-search.ts';
import { instantAt } from '../access/zone.ts';
import { reviewsPart } from './now-page.ts';
import type { Html, Region } from './page.ts';
import { act, type Drawing, empty, fullTime, time } from './parts.ts';

export const FORMATS = ['jsonl', 'csv', 'ocsf'] as const;
export type Format = (typeof FORMATS)[number];

/** As the form has it; absent fields are empty. */
export interface TrailQuery {
  readonly who: string;
  readonly resource: string;
  readonly request: string;
  readonly topic: string;
  readonly from: string;
  readonly to: string;
}

export function trailQuery(query: URLSearchParams): TrailQuery {
  const field = (name: string) => (query.get(name) ?? '').trim().slice(0, 200);
  return {
    who: field('who'),
    resource: field('resource'),
    request: field('request'),
    topic: field('topic'),
    from: field('from'),
    to: field('to'),
  };
}

/** `person`: whom `who` named. */
export function trailWish(
  { resource, request, topic, from, to }: TrailQuery,
  zone: string,
  more: Pick<TrailWish, 'person' | 'requestId' | 'beforeSeq'>,
): TrailWish {
  const instant = (text: string) => instantAt(text.replace('T', ' ').slice(0, 16), zone);
  const [since, until] = [instant(from), instant(to)];
  const kinds = Object.hasOwn(TOPICS, topic)
    ? TOPICS[topic]?.kinds
    : /^[a-z_]+\.[a-z_]+$/.test(topic)
      ? [topic]
      : undefined;
  return {
    ...more,
    ...(resource === '' ? {} : { resource }),
    ...(request === '' || more.requestId !== undefined ? {} : { requestId: request }),
    ...(kinds === undefined ? {} : { kinds }),
    ...(since === undefined ? {} : { from: since }),
    ...(until === undefined ? {} : { to: until }),
  };
}

export function trailAddress(path: string, query: TrailQuery, more: Readonly<Record<string, string>> = {}): string {
  const said = Object.entries({ ...query, ...more }).filter(([, value]) => value !== '');
  return said.length === 0 ? path : `${path}?${new URLSearchParams(said)}`;
}

export interface TrailDrawn {
  readonly page: TrailPage;
  readonly query: TrailQuery;
  readonly resources: readonly string[];
  readonly first: boolean;
  /** Nobody is called so. */
  readonly unknown?: string;
  readonly sealed?: { readonly seal: TrailSeal; readonly at: number } | { readonly failed: string };
}

export function trailRegions(drawn: TrailDrawn, drawing: Drawing): readonly Region[] {
  const { page, query, unknown } = drawn;
  if (page.found === undefined)
    return [
      {
        id: 'events',
        html: html`<section id="events">${reviewsPart(page.reviews, drawing)}${empty('The trail is for responders and admins. Your own requests, with everything that happened to them, are on their own pages.')}${page.rights.unknown === undefined ? '' : html`<p class="banner bad">${page.rights.unknown}</p>`}</section>`,
      },
    ];
  const { lines, beforeSeq } = page.found;
  return [
    { id: 'signing', html: html`<section id="signing">${signing(page, drawing)}</section>` },
    { id: 'chain', html: html`<section id="chain">${chainPart(drawn, drawing)}</section>` },
    { id: 'looking', sign: '', html: html`<section id="looking">${filters(drawn, drawing)}</section>` },
    {
      id: 'events',
      html: html`<section id="events"><h2>Events</h2>
${
  unknown !== undefined
    ? empty(`Nobody in the directory has the email ${unknown}.`)
    : lines.length === 0
      ? empty('Nothing in the trail fits. Look for less at once, or in more time.')
      : html`<ol class="story" reversed>${lines.map(
          (line) =>
            html`<li>${fullTime(line.at, drawing)}<p><strong>${line.who}</strong> ${line.what}</p><p class="quiet"><span class="mono">${line.kind}</span> · event ${line.link.seq}${line.link.event.requestId === undefined ? '' : html` · <a href="/console/requests/${line.link.event.requestId}">${line.link.event.requestId}</a>`}</p></li>`,
        )}</ol>`
}
<nav class="pages" aria-label="More events">${drawn.first ? '' : html`<a class="button" href="${trailAddress('/console/trail', query)}">Newest</a>`}${beforeSeq === undefined ? '' : html`<a class="button" href="${trailAddress('/console/trail', query, { before: String(beforeSeq) })}">Older</a>`}</nav>
</section>`,
    },
  ];
}

function signing({ reviews, unsigned }: TrailPage, drawing: Drawing): Html {
  return html`${reviewsPart(reviews, drawing)}${
    unsigned.length === 0
      ? ''
      : html`<h2>Digests to sign <span class="count">${unsigned.length}</span></h2>
<ul class="rows">${unsigned.map(
          (day) =>
            html`<li class="row unsigned"><p><strong>${day}</strong> Nobody has said yet that they have read it.</p>${act(drawing, { do: 'sign_digest', day }, html`<button>Sign off ${day}</button>`)}</li>`,
        )}</ul>`
  }`;
}

function chainPart({ page, sealed }: TrailDrawn, drawing: Drawing): Html {
  const { head, checkpoint } = page;
  return html`<h2>Chain</h2>
<p>${
    sealed === undefined
      ? 'Each event is linked to the one before it. Whether all of them still hold is looked at when you ask.'
      : 'failed' in sealed
        ? html`<span class="bad">It could not be verified: ${sealed.failed}</span>`
        : sealed.seal.verified === undefined || sealed.seal.verified.ok
          ? html`<span class="tag good">holds</span> All ${sealed.seal.seq.toLocaleString('en-GB')} events were as they were written and linked, ${time(sealed.at, drawing)}.`
          : html`<span class="tag hot">BROKEN</span> ${sealed.seal.verified.why}. Tell security, and keep a copy of the database.`
  }</p>
<p class="quiet">${head === undefined ? '' : html`Head <span class="mono">${head.seq}:${head.hash.slice(0, 16)}…</span> `}${checkpoint === undefined ? 'No checkpoint is signed yet.' : html`Signed up to event ${checkpoint.seq}, ${time(checkpoint.at, drawing)}, by key <span class="mono">${checkpoint.keyId}</span>.`}</p>
<form method="post" action="/console/trail/verify"><input type="hidden" name="csrf" value="${drawing.csrf}"><button>Verify the whole chain</button></form>`;
}

function filters({ query, resources, page }: TrailDrawn, { csrf }: Drawing): Html {
  const chosen = (value: string, want: string) => (value === want ? raw(' selected') : '');
  const own = query.topic !== '' && !Object.hasOwn(TOPICS, query.topic);
  return html`<form class="filters" method="get" action="/console/trail">
<div><label for="who">Person (email)</label><input id="who" name="who" type="email" value="${query.who}" autocomplete="off"></div>
<div><label for="resource">Resource</label><select id="resource" name="resource"><option value="">All</option>${resources.map((name) => html`<option value="${name}"${chosen(name, query.resource)}>${name}</option>`)}</select></div>
<div><label for="topic">About</label><select id="topic" name="topic"><option value="">Everything</option>${Object.entries(TOPICS).map(([name, { title }]) => html`<option value="${name}"${chosen(name, query.topic)}>${title}</option>`)}${own ? html`<option value="${query.topic}" selected>${query.topic}</option>` : ''}</select></div>
<div><label for="request">Request or grant</label><input id="request" name="request" type="text" value="${query.request}" placeholder="R-7KQ2" autocomplete="off"></div>
<div><label for="from">From (${page.zone})</label><input id="from" name="from" type="datetime-local" value="${query.from}"></div>
<div><label for="to">To (${page.zone})</label><input id="to" name="to" type="datetime-local" value="${query.to}"></div>
<div><button class="primary">Search</button></div>
</form>
<form class="filters" method="post" action="/console/trail/export">
<input type="hidden" name="csrf" value="${csrf}">${Object.entries(query).map(([name, value]) => html`<input type="hidden" name="${name}" value="${value}">`)}
<div><label for="format">What is found, as a file</label><select id="format" name="format"><option value="jsonl">JSON lines, verifiable</option><option value="csv">CSV</option><option value="ocsf">OCSF</option></select></div>
<div><button>Export</button></div>
</form>`;
}
