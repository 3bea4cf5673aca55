/**
 * The timeline as a drawing: a lane for each person and entitlement, a bar for each grant, and above them how much was
 * held at once. Drawn here with d3's scales and shapes, so that it needs no script and no style in the page, and every bar
 * is a link.
 */
import { scaleLinear, scaleUtc } from 'd3-scale';
import { area, curveStepAfter } from 'd3-shape';
import { html } from 'hono/html';
import type { Instant } from '../access/model.ts';
import type { Span, Timeline } from '../access/timeline.ts';
import { cut, timeText } from '../access/words.ts';
import { instantOfWall, wallTime } from '../access/zone.ts';
import type { Html } from './page.ts';

const WIDTH = 960;
const EDGE = 8;
const AXIS = 42;
const CROWD = 40;
const LANE = 44;
const BAR = 16;
/** Narrower, nobody would find it. */
const LEAST = 4;
/** Nor hit it. */
const HIT = 24;
const TICKS = 8;

export function chart(timeline: Timeline, hereFor: (requestId: string) => string): Html {
  const { lanes, period, at } = timeline;
  const x = scaleUtc([period.from, period.to], [EDGE, WIDTH - EDGE]).clamp(true);
  const spans = lanes.flatMap((lane) => lane.spans);
  const top = AXIS + CROWD + 12;
  const height = top + lanes.length * LANE + 8;
  const bottom = height - 4;
  return html`<svg class="chart" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="group" aria-label="Timeline of who held what. The table below says the same." data-from="${period.from}" data-to="${period.to}" data-edge="${EDGE}">
${ticksOf(timeline).map(
  (tick) =>
    html`<g class="tick"><line x1="${round(x(tick.at))}" x2="${round(x(tick.at))}" y1="${AXIS - 8}" y2="${bottom}"></line><text x="${round(x(tick.at))}" y="${AXIS - 14}" text-anchor="${anchor(x(tick.at))}">${tick.label}</text></g>`,
)}
${crowd(spans, timeline, x)}
${at > period.from && at < period.to ? html`<g class="present"><line x1="${round(x(at))}" x2="${round(x(at))}" y1="${AXIS - 8}" y2="${bottom}"></line><text x="${round(x(at))}" y="12" text-anchor="${anchor(x(at))}">now</text></g>` : ''}
${lanes.map((lane, index) => {
  const y = top + index * LANE;
  return html`<g><text class="lane" x="${EDGE}" y="${y + 14}">${cut(lane.holderName, 40)} <tspan class="what">${cut(lane.entitlement, 60)}</tspan></text>
<line class="rail" x1="${EDGE}" x2="${WIDTH - EDGE}" y1="${y + 20 + BAR / 2}" y2="${y + 20 + BAR / 2}"></line>
${lane.spans.map((span) => bar(span, lane.holderName, lane.entitlement, y + 20, x, timeline, hereFor))}</g>`;
})}
</svg>`;
}

type Scale = (at: number) => number;

function bar(
  span: Span,
  holderName: string,
  entitlement: string,
  y: number,
  x: Scale,
  { at, zone }: Timeline,
  hereFor: (requestId: string) => string,
): Html {
  const from = x(span.from);
  const width = Math.max(LEAST, x(span.to) - from);
  const past = Math.min(width, Math.max(0, x(at) - from));
  const said = `${holderName}, ${entitlement}, ${spanText(span, at, zone)}`;
  const kind = `${span.state}${span.breakGlass ? ' hot' : ''}`;
  return html`<a href="${hereFor(span.requestId)}" aria-label="${said}"><title>${said}</title>
<rect class="hit" x="${round(from - (HIT - Math.min(HIT, width)) / 2)}" y="${y + (BAR - HIT) / 2}" width="${round(Math.max(HIT, width))}" height="${HIT}"></rect>
<rect class="span planned ${kind}" x="${round(from)}" y="${y}" width="${round(width)}" height="${BAR}" rx="4"></rect>
${past > 0 ? html`<rect class="span ${kind}" x="${round(from)}" y="${y}" width="${round(Math.max(past, LEAST))}" height="${BAR}" rx="4"></rect>` : ''}${
  span.breakGlass
    ? html`<line class="slash" x1="${round(from + 2)}" y1="${y + BAR - 2}" x2="${round(from + Math.min(width - 2, 14))}" y2="${y + 2}"></line>`
    : ''
}${span.findings.length > 0 ? html`<circle class="finding" cx="${round(from + width - 2)}" cy="${y}" r="5"></circle>` : ''}</a>`;
}

export function spanText(span: Span, now: Instant, zone: string): string {
  const until = span.state === 'ended' ? 'to' : span.state === 'ending' ? 'being removed, as of' : 'until';
  return [
    `${timeText(span.from, now, zone)} ${until} ${timeText(span.to, now, zone)}`,
    ...(span.endReason === undefined ? [] : [span.endReason.replace('_', ' ')]),
    ...(span.breakGlass ? ['break-glass'] : []),
    ...(span.findings.length === 0 ? [] : [`${span.findings.length} found`]),
  ].join(', ');
}

/** How many grants at each moment, as a stepped hill. */
function crowd(spans: readonly Span[], { period }: Timeline, x: Scale): Html {
  const steps = countsOf(spans, period.from, period.to);
  const most = Math.max(1, ...steps.map(({ count }) => count));
  const y = scaleLinear([0, most], [AXIS + CROWD, AXIS]);
  const hill = area<(typeof steps)[number]>()
    .x(({ at }) => round(x(at)))
    .y0(AXIS + CROWD)
    .y1(({ count }) => round(y(count)))
    .curve(curveStepAfter);
  return html`<g class="crowd"><path d="${hill([...steps]) ?? ''}"></path><text x="${EDGE}" y="${AXIS + 10}">${most === 1 && spans.length === 0 ? '' : `at most ${most} at once`}</text></g>`;
}

function countsOf(spans: readonly Span[], from: Instant, to: Instant): readonly { at: Instant; count: number }[] {
  const changes = spans
    .flatMap((span) => [
      { at: Math.max(from, span.from), by: 1 },
      { at: Math.min(to, span.to), by: -1 },
    ])
    // What ends when the next begins was never held twice.
    .sort((a, b) => a.at - b.at || a.by - b.by);
  let count = 0;
  const steps = changes.map(({ at, by }) => {
    count += by;
    return { at, count };
  });
  // Of what happens in one moment only the last is seen.
  const lasting = steps.filter(({ at }, index) => steps[index + 1]?.at !== at);
  return [{ at: from, count: 0 }, ...lasting, { at: to, count }];
}

/** At round times on the wall of the zone: the scale is asked in that wall's terms, and answers are read back from it. */
function ticksOf({ period, zone }: Timeline): readonly { readonly at: Instant; readonly label: string }[] {
  const wall = (at: Instant) => {
    const { year, month, day, hour, minute } = wallTime(at, zone);
    return Date.UTC(year, month - 1, day, hour, minute);
  };
  const walls = scaleUtc().domain([wall(period.from), wall(period.to)]);
  const ticks = walls.ticks(TICKS);
  const days = ticks.length > 1 && (ticks[1]?.getTime() ?? 0) - (ticks[0]?.getTime() ?? 0) >= 86_400_000;
  return ticks.map((tick) => {
    const at = instantOfWall(
      {
        year: tick.getUTCFullYear(),
        month: tick.getUTCMonth() + 1,
        day: tick.getUTCDate(),
        hour: tick.getUTCHours(),
        minute: tick.getUTCMinutes(),
      },
      zone,
    );
    const midnight = tick.getUTCHours() === 0 && tick.getUTCMinutes() === 0;
    const day = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', timeZone: 'UTC' }).format(tick);
    const hour = `${String(tick.getUTCHours()).padStart(2, '0')}:${String(tick.getUTCMinutes()).padStart(2, '0')}`;
    return { at, label: days || midnight ? day : hour };
  });
}

function anchor(x: number): string {
  return x < 40 ? 'start' : x > WIDTH - 40 ? 'end' : 'middle';
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
