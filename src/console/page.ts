/** The frame of every page: one stylesheet, one script, no markup from a text, and a way past the navigation. */
import { html, raw } from 'hono/html';

export type Html = ReturnType<typeof html>;

/** A part of a page that is replaced by itself when it has changed. */
export interface Region {
  readonly id: string;
  readonly html: Html;
  /** Differs when something has changed; left out: the text itself, but for what counts down. */
  readonly sign?: string;
}

export interface Shown {
  readonly title: string;
  /** Which entry of the navigation this is, or is below. */
  readonly place?: (typeof PLACES)[number]['path'];
  readonly who?: { readonly name: string; readonly csrf: string };
  /** Said above everything else: what became of what was just done. */
  readonly said?: Html;
  readonly regions: readonly Region[];
  /** Where changes of the regions are told, and what is shown now. */
  readonly live?: { readonly from: string; readonly seen: string; readonly at: number };
}

export const PLACES = [
  { path: '/console', name: 'Now' },
  { path: '/console/timeline', name: 'Timeline' },
  { path: '/console/trail', name: 'Trail' },
] as const;

export function document(shown: Shown): Html {
  const { title, place, who, said, regions, live } = shown;
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title} · Hallpass</title>
<link rel="icon" href="/console/assets/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/console/assets/console.css">
<script type="module" src="/console/assets/console.js"></script>
</head>
<body>
<a class="skip" href="#main">Skip to the content</a>
<header class="top">
<a class="brand" href="/console"><span class="mark" aria-hidden="true"></span>Hallpass</a>
${
  who === undefined
    ? ''
    : html`<nav aria-label="Pages"><ul>${PLACES.map(
        ({ path, name }) =>
          html`<li><a href="${path}"${path === place ? raw(' aria-current="page"') : ''}>${name}</a></li>`,
      )}</ul></nav>
<form class="who" method="post" action="/console/sign-out"><input type="hidden" name="csrf" value="${who.csrf}"><span>${who.name}</span> <button class="plain">Sign out</button></form>`
}
</header>
<main id="main" tabindex="-1"${live === undefined ? '' : html` data-live="${live.from}" data-seen="${live.seen}" data-now="${live.at}"`}>
<h1>${title}</h1>
<div id="said">${said ?? ''}</div>
${regions.map((region) => region.html)}
</main>
<p id="status" class="quiet" role="status" aria-live="polite"></p>
</body>
</html>`;
}

/** The text of it. Nothing of ours in a template takes time, so that it is there at once. */
export async function textOf(part: Html): Promise<string> {
  return String(await part);
}

/** A page that says one thing. */
export function plainPage(title: string, body: Html, who?: Shown['who']): Html {
  return document({
    title,
    ...(who === undefined ? {} : { who }),
    regions: [{ id: 'page', html: html`<section id="page" class="narrow">${body}</section>` }],
  });
}
