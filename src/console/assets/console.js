// @ts-check
/**
 * What a page cannot do by itself: count down, follow changes as they happen, and zoom by hand. Without it everything
 * still works, a reload at a time. Texts come as markup that the server has escaped, and only whole parts are replaced.
 */

const main = /** @type {HTMLElement} */ (document.getElementById('main'));
const status = /** @type {HTMLElement} */ (document.getElementById('status'));

// ------------------------------------------------------------------------------------------------------- counting down

/** @param {number} ms */
function leftText(ms) {
  if (ms <= 0) return 'over now';
  const seconds = Math.round(ms / 1000);
  if (seconds < 120) return `${seconds >= 60 ? `1 min ${seconds - 60} s` : `${seconds} s`} left`;
  const minutes = Math.floor(seconds / 60);
  /** @type {[number, string][]} */
  const parts = [
    [Math.floor(minutes / 1440), minutes >= 2880 ? 'days' : 'day'],
    [Math.floor((minutes % 1440) / 60), 'h'],
    [minutes % 60, 'min'],
  ];
  return `${parts
    .filter(([count]) => count > 0)
    .map(([count, unit]) => `${count} ${unit}`)
    .join(' ')} left`;
}

/** By how much this machine's clock differs from the one that the page was drawn by. */
const drift = Number(main.dataset.now ?? Date.now()) - Date.now();

function count() {
  const now = Date.now() + drift;
  for (const span of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll('[data-until]'))) {
    const left = Number(span.dataset.until) - now;
    const text = leftText(left);
    if (span.textContent !== text) span.textContent = text;
    span.classList.toggle('soon', left < 300_000);
  }
  for (const bar of /** @type {NodeListOf<HTMLProgressElement>} */ (document.querySelectorAll('progress[data-bar]')))
    bar.value = Math.max(0, Math.min(bar.max, Number(bar.dataset.bar) - now));
}
count();
setInterval(count, 1_000);

// ------------------------------------------------------------------------------------------------------------ live

/** Parts that wait until nobody is in the middle of them. @type {Map<string, string>} */
const waiting = new Map();

/** Somebody types in it, or has opened something there. @param {Element} part */
function inUse(part) {
  if (part.querySelector('details[open]')) return true;
  const at = document.activeElement;
  return at !== null && part.contains(at) && at.matches('input, select, textarea');
}

function settle() {
  for (const [id, markup] of waiting) {
    const old = document.getElementById(id);
    if (old !== null && inUse(old)) continue;
    waiting.delete(id);
    const frame = document.createElement('template');
    frame.innerHTML = markup;
    const fresh = frame.content.firstElementChild;
    if (old === null || fresh === null) continue;
    const focused = old.contains(document.activeElement) ? document.activeElement : null;
    const place = focused === null ? null : placeOf(focused);
    old.replaceWith(fresh);
    if (place !== null) findPlace(fresh, place)?.focus();
  }
  count();
  watchChart();
}

/** What it leads to, so that the same link or button is found again. @param {Element} element */
function placeOf(element) {
  return element.getAttribute('href') ?? element.textContent ?? '';
}

/** @param {Element} part @param {string} place @returns {HTMLElement | undefined} */
function findPlace(part, place) {
  const all = /** @type {NodeListOf<HTMLElement>} */ (part.querySelectorAll('a, button, summary'));
  return [...all].find((one) => placeOf(one) === place);
}

function follow() {
  const { live, seen } = main.dataset;
  if (live === undefined || seen === undefined) return;
  const source = new EventSource(`/console/events?${new URLSearchParams({ page: live, seen })}`);
  source.addEventListener('parts', (event) => {
    for (const { id, html } of JSON.parse(event.data)) waiting.set(id, html);
    settle();
    main.dataset.seen = '';
    const at = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' }).format();
    status.textContent = `Updated ${at}.`;
  });
  source.addEventListener('over', () => {
    source.close();
    status.replaceChildren('This page no longer follows what happens. ');
    const link = document.createElement('a');
    link.href = location.pathname + location.search;
    link.textContent = 'Load it again';
    status.append(link, '.');
  });
  addEventListener('pagehide', () => source.close(), { once: true });
}
follow();
addEventListener('pageshow', (event) => {
  if (event.persisted) location.reload();
});
document.addEventListener('focusout', () => setTimeout(settle));
document.addEventListener('toggle', settle, true);

// What was just done is said, and read out first; the address goes back to what can be shared.
const banner = /** @type {HTMLElement | null} */ (document.querySelector('#said .banner'));
banner?.focus();
const here = new URL(location.href);
if (here.searchParams.has('said')) {
  here.searchParams.delete('said');
  history.replaceState(null, '', here);
}

// One click acts once: the second would be told the same, and only confuse.
document.addEventListener('submit', (event) => {
  const form = /** @type {HTMLFormElement} */ (event.target);
  if (form.method !== 'post') return;
  for (const button of form.querySelectorAll('button')) setTimeout(() => button.toggleAttribute('disabled', true));
});

// ----------------------------------------------------------------------------------------------------- zoom by hand

/** @type {SVGSVGElement | undefined} */
let watched;

/** Each time that one was drawn anew. */
function watchChart() {
  const chart = /** @type {SVGSVGElement | null} */ (document.querySelector('svg.chart'));
  if (chart === null || watched === chart) return;
  watched = chart;
  const hint = document.getElementById('hint');
  if (hint !== null) hint.textContent = 'Draw across the chart to look closer.';
  // On a narrow screen it begins in the past; people come for the present.
  const present = chart.querySelector('.present');
  const frame = chart.parentElement;
  if (present !== null && frame !== null)
    frame.scrollLeft =
      (Number(present.firstElementChild?.getAttribute('x1')) / chart.viewBox.baseVal.width) * frame.scrollWidth -
      frame.clientWidth / 2;
  const lens = document.createElementNS('http://www.w3.org/2000/svg', 'rect');
  lens.setAttribute('class', 'lens');
  lens.setAttribute('y', '0');
  lens.setAttribute('height', String(chart.viewBox.baseVal.height));
  /** @type {number | undefined} */
  let from;
  /** @param {PointerEvent} event */
  const at = (event) => {
    const box = chart.getBoundingClientRect();
    const edge = Number(chart.dataset.edge);
    const width = chart.viewBox.baseVal.width;
    return Math.max(edge, Math.min(width - edge, ((event.clientX - box.left) / box.width) * width));
  };
  /** @param {number} x */
  const instant = (x) => {
    const { from: begins, to: ends, edge } = chart.dataset;
    const share = (x - Number(edge)) / (chart.viewBox.baseVal.width - 2 * Number(edge));
    return Number(begins) + share * (Number(ends) - Number(begins));
  };
  chart.addEventListener('pointerdown', (event) => {
    if (event.pointerType === 'touch' || event.button !== 0) return;
    from = at(event);
  });
  chart.addEventListener('pointermove', (event) => {
    if (from === undefined) return;
    const to = at(event);
    if (Math.abs(to - from) < 6) return;
    if (lens.parentNode === null) {
      chart.append(lens);
      chart.setPointerCapture(event.pointerId);
    }
    lens.setAttribute('x', String(Math.min(from, to)));
    lens.setAttribute('width', String(Math.abs(to - from)));
  });
  chart.addEventListener('pointerup', (event) => {
    const [a, b] = [from ?? 0, at(event)].sort((one, other) => one - other);
    const drawn = lens.parentNode !== null;
    from = undefined;
    lens.remove();
    if (!drawn || a === undefined || b === undefined) return;
    const address = new URL(location.href);
    const [start, end] = [instant(a), instant(b)];
    const middle = (start + end) / 2;
    const half = Math.max((end - start) / 2, 300_000);
    address.searchParams.set('from', String(Math.round(middle - half)));
    address.searchParams.set('to', String(Math.round(middle + half)));
    location.assign(address);
  });
  // Drawn across a bar, it is no click on it.
  chart.addEventListener('dragstart', (event) => event.preventDefault());
}
watchChart();
