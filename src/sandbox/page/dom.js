// The one way in which this page makes elements. Text becomes text nodes; nothing is ever parsed as HTML.

/**
 * @param {string} tag
 * @param {Record<string, unknown>} [props] `class`, `on…` listeners, and attributes; false and undefined are left out
 * @param {...(Node | string | null | undefined | false)} children
 * @returns {HTMLElement}
 */
export function el(tag, props = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith('on')) made.addEventListener(name.slice(2), /** @type {EventListener} */ (value));
    else made.setAttribute(name, value === true ? '' : String(value));
  }
  for (const child of children) if (child !== null && child !== undefined && child !== false) made.append(child);
  return made;
}

/** @param {string} id */
export function byId(id) {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no ${id}`);
  return found;
}

/** @param {Element} parent @param {...(Node | string)} children */
export function fill(parent, ...children) {
  parent.replaceChildren(...children);
}

let ids = 0;
/** @param {string} prefix */
export function freshId(prefix) {
  ids += 1;
  return `${prefix}-${ids}`;
}

/** Times are shown in the zone of the sandbox's configuration, which is also the one in Hallpass's messages. */
const TIME = new Intl.DateTimeFormat('en-GB', { timeZone: 'UTC', hour: '2-digit', minute: '2-digit' });
const SECONDS = new Intl.DateTimeFormat('en-GB', {
  timeZone: 'UTC',
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
});
const DAY = new Intl.DateTimeFormat('en-GB', { timeZone: 'UTC', weekday: 'short', day: 'numeric', month: 'short' });

/** @param {number} at */
export const timeText = (at) => TIME.format(at);
/** @param {number} at */
export const secondsText = (at) => SECONDS.format(at);
/** @param {number} at */
export const dayText = (at) => DAY.format(at);

/** @param {number} ms */
export function leftText(ms) {
  const seconds = Math.max(0, Math.ceil(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 300) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  const minutes = Math.ceil(seconds / 60);
  if (minutes < 120) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} days`;
}
