/** The pieces that pages are put together from. */
import { html } from 'hono/html';
import type { Answer } from '../access/command.ts';
import type { Instant } from '../access/model.ts';
import { answerText, durationText, refusalText, timeText } from '../access/words.ts';
import type { Html } from './page.ts';

/** Of the page that is being drawn. */
export interface Drawing {
  readonly now: Instant;
  readonly zone: string;
  /** Proves that a form came from a page of this session. */
  readonly csrf: string;
  /** New each time: one form acts once, however often it is sent. */
  readonly key: () => string;
  /** Where a form leads back to. */
  readonly here: string;
}

export function time(at: Instant, { now, zone }: Pick<Drawing, 'now' | 'zone'>): Html {
  return html`<time datetime="${new Date(at).toISOString()}">${timeText(at, now, zone)}</time>`;
}

/** With its date, and to the second: for what is read as a record. */
export function fullTime(at: Instant, { zone }: Pick<Drawing, 'zone'>): Html {
  // Zones differ by whole minutes.
  const seconds = String(new Date(at).getUTCSeconds()).padStart(2, '0');
  const text = timeText(at, undefined, zone).replace(/(\d{2}:\d{2})/, `$1:${seconds}`);
  return html`<time datetime="${new Date(at).toISOString()}">${text}</time>`;
}

/** As text and as a bar; the script counts both down. */
export function timeLeft(from: Instant, until: Instant, { now }: Pick<Drawing, 'now'>, label: string): Html {
  const whole = Math.max(1, until - from);
  const left = Math.min(whole, Math.max(0, until - now));
  return html`<div class="left"><progress max="${whole}" value="${left}" data-bar="${until}" aria-label="${label}"></progress> <span data-until="${until}">${leftText(left)}</span></div>`;
}

/** In whole minutes while there are many; the last two are counted in seconds. */
export function leftText(ms: number): string {
  if (ms <= 0) return 'over now';
  return `${durationText(ms >= 120_000 ? Math.floor(ms / 60_000) * 60_000 : ms)} left`;
}

/** What varies from one drawing to the next although nothing has changed. */
export function stable(text: string): string {
  return text
    .replace(/(<span data-until="\d+">)[^<]*/g, '$1')
    .replace(/ value="\d+" data-bar/g, ' data-bar')
    .replace(/name="key" value="[^"]*"/g, 'name="key"');
}

export function act(drawing: Drawing, what: Readonly<Record<string, string>>, body: Html, name = 'act'): Html {
  const { csrf, key, here } = drawing;
  return html`<form class="${name}" method="post" action="/console/act">${Object.entries({
    csrf,
    key: key(),
    to: here,
    ...what,
  }).map(([field, value]) => html`<input type="hidden" name="${field}" value="${value}">`)}${body}</form>`;
}

/** Opened by a click, so that nothing that ends access is one click away. */
export function behind(summary: string, body: Html, danger = false): Html {
  return html`<details class="behind"><summary class="button${danger ? ' danger' : ''}">${summary}</summary>${body}</details>`;
}

export function reasonField(id: string, label: string, required: boolean): Html {
  return html`<label for="${id}">${label}</label><input id="${id}" name="reason" type="text" maxlength="1000" autocomplete="off"${required ? html` required` : ''}>`;
}

export function empty(text: string): Html {
  return html`<p class="empty">${text}</p>`;
}

export function more(there: boolean, text: string): Html {
  return there ? html`<p class="quiet">${text}</p>` : html``;
}

/** What became of what was just done. */
export function answerBanner(answer: Answer, zone: string): Html {
  if (answer.say !== 'refused')
    return html`<p class="banner good" role="status" tabindex="-1">${answerText(answer)}</p>`;
  const { reason, next } = refusalText(answer.refusal, zone);
  if (answer.refusal.code === 'proof_needed')
    return html`<p class="banner" role="status" tabindex="-1"><strong>${reason}</strong> <a href="${answer.refusal.link}">Confirm with MFA</a></p>`;
  return html`<p class="banner bad" role="alert" tabindex="-1"><strong>${reason}</strong> ${next}</p>`;
}
