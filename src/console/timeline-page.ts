/** Who held what, when: the drawing, the same as a table, and the ways to look closer. */
import { html, raw } from 'hono/html';
import type { Instant } from '../access/model.ts';
import type { Period } from '../access/ports.ts';
import { DRAWN_MAX, PERIOD_MAX_MS, PERIOD_MIN_MS, type Timeline, type TimelineWish } from '../access/timeline.ts';
import { cut } from '../access/words.ts';
import { instantAt, wallTime } from '../access/zone.ts';
import { chart } from './chart.ts';
import type { Html, Region } from './page.ts';
import { empty, fullTime } from './parts.ts';

const HOUR_MS = 3_600_000;
const LENGTHS = [
  { name: '6 hours', ms: 6 * HOUR_MS },
  { name: 'Day', ms: 24 * HOUR_MS },
  { name: 'Week', ms: 7 * 24 * HOUR_MS },
  { name: '30 days', ms: 30 * 24 * HOUR_MS },
  { name: 'Quarter', ms: 91 * 24 * HOUR_MS },
] as const;

/** What the address asks for; what makes no sense there is left out. */
export function timelineWish(query: URLSearchParams, zone: string): TimelineWish {
  const instant = (name: string): Instant | undefined => {
    const text = query.get(name) ?? '';
    if (/^\d{12,14}$/.test(text)) return Number(text);
    return instantAt(text.replace('T', ' ').slice(0, 16), zone);
  };
  const [from, to] = [instant('from'), instant('to')];
  const period = from === undefined || to === undefined ? undefined : bounded({ from, to });
  const [person, resource] = [query.get('person') ?? '', query.get('resource') ?? ''];
  return {
    ...(period === undefined ? {} : { period }),
    ...(person === '' ? {} : { person: person.slice(0, 300) }),
    ...(resource === '' ? {} : { resource: resource.slice(0, 100) }),
    ...(query.get('found') === '1' ? { found: true } : {}),
  };
}

function bounded({ from, to }: Period): Period | undefined {
  if (to - from < PERIOD_MIN_MS) return undefined;
  return { from: Math.max(from, to - PERIOD_MAX_MS), to };
}

function address(wish: TimelineWish, change: TimelineWish = {}): string {
  const { period, person, resource, found } = { ...wish, ...change };
  const query = new URLSearchParams({
    ...(period === undefined ? {} : { from: String(Math.round(period.from)), to: String(Math.round(period.to)) }),
    ...(person === undefined ? {} : { person }),
    ...(resource === undefined ? {} : { resource }),
    ...(found === true ? { found: '1' } : {}),
  });
  return query.size === 0 ? '/console/timeline' : `/console/timeline?${query}`;
}

export function timelineRegions(timeline: Timeline, wish: TimelineWish): readonly Region[] {
  const { lanes, rights, more } = timeline;
  return [
    {
      id: 'looking',
      sign: '',
      html: html`<section id="looking">${filters(timeline, wish)}${zooms(timeline, wish)}</section>`,
    },
    {
      id: 'lanes',
      // What is still to come moves with the time, and that is no change.
      sign: JSON.stringify([lanes, more], (key, value) => (key === 'to' ? undefined : value)),
      html: html`<section id="lanes">
${rights.sees ? '' : html`<p class="quiet">Your own access; you may not see other people’s.</p>`}
${more ? html`<p class="banner bad">There is more in this time than is drawn: only the newest ${DRAWN_MAX} grants are looked at. Choose less time.</p>` : ''}
${
  lanes.length === 0
    ? empty('Nobody held anything through Hallpass in this time. Look at more of it, or filter by less.')
    : html`<div class="scroll" role="region" tabindex="0" aria-label="Timeline, drawn">${chart(timeline, (id) => `/console/requests/${id}`)}</div>
${legend(timeline)}
${table(timeline)}`
}</section>`,
    },
  ];
}

function filters({ people, resources, period, zone, rights }: Timeline, wish: TimelineWish): Html {
  const chosen = (value: string, want: string | undefined) => (value === want ? raw(' selected') : '');
  return html`<form class="filters" method="get" action="/console/timeline">
<div><label for="from">From (${zone})</label><input id="from" name="from" type="datetime-local" value="${wallText(period.from, zone)}"></div>
<div><label for="to">To (${zone})</label><input id="to" name="to" type="datetime-local" value="${wallText(period.to, zone)}"></div>
<div><label for="person">Person</label><select id="person" name="person"><option value="">Everybody</option>${withChosen(people, wish.person).map((one) => html`<option value="${one.id}"${chosen(one.id, wish.person)}>${cut(one.name, 60)}</option>`)}</select></div>
<div><label for="resource">Resource</label><select id="resource" name="resource"><option value="">All</option>${[...new Set([...resources, ...(wish.resource === undefined ? [] : [wish.resource])])].map((name) => html`<option value="${name}"${chosen(name, wish.resource)}>${name}</option>`)}</select></div>
${rights.audits ? html`<div class="check"><input id="found" name="found" type="checkbox" value="1"${wish.found === true ? raw(' checked') : ''}><label for="found">With a finding</label></div>` : ''}
<div><button class="primary">Show</button></div>
</form>`;
}

function withChosen(people: Timeline['people'], chosen: string | undefined): Timeline['people'] {
  return chosen === undefined || people.some(({ id }) => id === chosen)
    ? people
    : [...people, { id: chosen, name: chosen }];
}

function zooms({ period, at }: Timeline, wish: TimelineWish): Html {
  const length = period.to - period.from;
  const middle = period.from + length / 2;
  const around = (ms: number): Period => ({ from: middle - ms / 2, to: middle + ms / 2 });
  const link = (name: string, to: Period | undefined, label = name) =>
    to === undefined
      ? html``
      : html`<a class="button" href="${address(wish, { period: to })}" aria-label="${label}">${name}</a>`;
  return html`<nav class="zooms" aria-label="Time">
${link('←', { from: period.from - length / 2, to: period.to - length / 2 }, 'Earlier')}
${link('→', { from: period.from + length / 2, to: period.to + length / 2 }, 'Later')}
${link('+', bounded(around(length / 2)), 'Zoom in')}
${link('−', bounded(around(length * 2)), 'Zoom out')}
${LENGTHS.map(({ name, ms }) => link(name, { from: at - ms * 0.85, to: at + ms * 0.15 }))}
<span class="quiet" id="hint"></span></nav>`;
}

/** As `datetime-local` wants it. */
function wallText(at: Instant, zone: string): string {
  const { year, month, day, hour, minute } = wallTime(at, zone);
  const two = (value: number) => String(value).padStart(2, '0');
  return `${year}-${two(month)}-${two(day)}T${two(hour)}:${two(minute)}`;
}

function legend({ rights }: Timeline): Html {
  return html`<ul class="legend" aria-label="What the bars mean"><li><span class="swatch"></span>held</li><li><span class="swatch planned"></span>still to come</li><li><span class="swatch ended"></span>over, proven gone</li><li><span class="swatch hot"></span>break-glass</li>${rights.audits ? html`<li><span class="swatch finding"></span>finding</li>` : ''}</ul>`;
}

function table({ lanes, zone, at }: Timeline): Html {
  return html`<div class="scroll" role="region" tabindex="0" aria-label="Timeline, as a table"><table>
<caption>The same as a table, times in ${zone}</caption>
<thead><tr><th scope="col">Who</th><th scope="col">What</th><th scope="col">From</th><th scope="col">To</th><th scope="col">How it stands</th><th scope="col">Why</th></tr></thead>
<tbody>${lanes.flatMap((lane) =>
    lane.spans.map(
      (span) =>
        html`<tr><th scope="row"><a href="/console/requests/${span.requestId}">${lane.holderName}</a></th><td class="mono">${lane.entitlement}</td><td>${fullTime(span.from, { zone })}</td><td>${fullTime(span.to, { zone })}${span.state === 'ended' ? '' : html` <span class="quiet">${span.to <= at ? 'as of now' : 'planned'}</span>`}</td><td>${STATE[span.state]}${span.endReason === undefined ? '' : `, ${span.endReason.replace('_', ' ')}`}${span.breakGlass ? html` <span class="tag hot">break-glass</span>` : ''}${span.findings.map((one) => html` <span class="tag hot">${one.title}</span>`)}</td><td>${cut(span.reason, 120)}</td></tr>`,
    ),
  )}</tbody></table></div>`;
}

const STATE = { adding: 'being added', active: 'live', ending: 'being removed', ended: 'over' } as const;
