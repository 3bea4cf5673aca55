/** The pages of a proof: small, without a script, and readable by whatever reads them. Every text is escaped by `html`. */
import { createHash } from 'node:crypto';
import { html, raw } from 'hono/html';
import type { ProofView } from '../access/proof-view.ts';

const STYLE = `
:root { color-scheme: light dark; --line: color-mix(in srgb, currentColor 16%, transparent); --accent: #1f5fd6; }
* { box-sizing: border-box; }
body { margin: 0; font: 16px/1.5 system-ui, sans-serif; }
main { width: min(34rem, calc(100vw - 2.5rem)); margin: 0 auto; padding: clamp(2rem, 9vh, 6rem) 0 3rem; }
.brand { font-size: .85rem; letter-spacing: .02em; opacity: .7; margin: 0 0 1.25rem; }
h1 { font-size: 1.45rem; line-height: 1.25; margin: 0 0 1rem; text-wrap: balance; }
dl { margin: 0 0 1.25rem; border-top: 1px solid var(--line); }
dl div { display: grid; grid-template-columns: 8.5rem 1fr; gap: .25rem 1rem; padding: .6rem 0; border-bottom: 1px solid var(--line); }
dt { opacity: .7; }
dd { margin: 0; overflow-wrap: anywhere; white-space: pre-line; }
p { margin: 0 0 1rem; }
.quiet { opacity: .75; font-size: .93rem; }
button, .button { font: inherit; font-weight: 600; display: inline-block; padding: .6rem 1.4rem; border: 0; border-radius: 9px; background: var(--accent); color: #fff; cursor: pointer; text-decoration: none; }
button:hover, .button:hover { background: #184fb6; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 3px; }
@media (max-width: 30rem) { dl div { grid-template-columns: 1fr; } button, .button { width: 100%; text-align: center; } }
@media (forced-colors: active) { button, .button { border: 1px solid ButtonText; } }
`;

const STYLE_HASH = createHash('sha256').update(STYLE).digest('base64');

/** `'none'` for all but the one style, and forms that come back here. */
export const POLICY = [
  "default-src 'none'",
  `style-src 'sha256-${STYLE_HASH}'`,
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ');

type Html = ReturnType<typeof html>;

async function page(title: string, body: Html): Promise<string> {
  const whole = await html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${title} · Hallpass</title>
<style>${raw(STYLE)}</style>
</head>
<body>
<main>
<p class="brand">Hallpass</p>
<h1>${title}</h1>
${body}
</main>
</body>
</html>
`;
  return String(whole);
}

/** What is being confirmed, with the button that confirms it. `token`: proves that the form is of this page. */
export function confirmPage(view: ProofView, action: string, token: string): Promise<string> {
  const lines = view.lines.map(([label, text]) => html`<div><dt>${label}</dt><dd>${text}</dd></div>`);
  return page(
    view.title,
    html`<dl>${lines}</dl>
<form method="post" action="${action}">
<input type="hidden" name="token" value="${token}">
<p><button>${view.button}</button></p>
</form>
<p class="quiet">${view.note} If you did not ask for this, close the page and tell security: nothing happens without the button.</p>`,
  );
}

export interface Said {
  readonly title: string;
  readonly text: string;
  readonly next: string;
  /** Another try, at this address of ours. */
  readonly again?: string;
}

export function saidPage({ title, text, next, again }: Said): Promise<string> {
  const retry = again === undefined ? '' : html`<p><a class="button" href="${again}">Sign in again</a></p>`;
  return page(title, html`<p>${text}</p>${retry}<p class="quiet">${next}</p>`);
}
