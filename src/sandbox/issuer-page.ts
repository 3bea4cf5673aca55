/** The page of the local issuer: who signs in, and how. */
import type { IssuerPerson } from './issuer.ts';

const STYLE = `
:root { color-scheme: light dark; --line: color-mix(in srgb, currentColor 18%, transparent); }
body { margin: 0; font: 16px/1.5 system-ui, sans-serif; display: grid; place-items: center; min-height: 100vh; }
main { width: min(30rem, calc(100vw - 2rem)); padding: 1.5rem 0; }
h1 { font-size: 1.3rem; margin: 0; }
p { margin: .25rem 0 1rem; opacity: .75; }
form { display: grid; grid-template-columns: 1fr auto auto; gap: .5rem; align-items: center; padding: .6rem 0; border-top: 1px solid var(--line); }
form span { overflow: hidden; text-overflow: ellipsis; }
small { display: block; opacity: .7; }
button { font: inherit; padding: .35rem .8rem; border-radius: 8px; border: 1px solid var(--line); background: transparent; color: inherit; cursor: pointer; }
button.mfa { background: #1f5fd6; border-color: #1f5fd6; color: #fff; }
button:focus-visible { outline: 3px solid #1f5fd6; outline-offset: 2px; }
.expected { font-weight: 600; }
@media (max-width: 26rem) { form { grid-template-columns: 1fr 1fr; } form span { grid-column: 1 / -1; } }
`;

export function chooser(uid: string, people: readonly IssuerPerson[], hint: string | undefined): string {
  const rows = [...people]
    .sort((a, b) => Number(b.email === hint) - Number(a.email === hint))
    .map(
      ({ subject, name, email }) => `<form method="post" action="/interaction/${escaped(uid)}">
<span${email === hint ? ' class="expected"' : ''}>${escaped(name)} <small>${escaped(email)}</small></span>
<input type="hidden" name="subject" value="${escaped(subject)}">
<button class="mfa" name="how" value="mfa" aria-label="Sign in as ${escaped(name)} with MFA">With MFA</button>
<button name="how" value="password" aria-label="Sign in as ${escaped(name)} with a password only">Password only</button>
</form>`,
    )
    .join('\n');
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sandbox sign-in</title><style>${STYLE}</style></head>
<body><main><h1>Sign in to the sandbox</h1>
<p>The local identity provider. It believes whoever you say you are, and says so to Hallpass as a real one would.</p>
${rows}
<form method="post" action="/interaction/${escaped(uid)}"><span>Somebody else</span><button name="how" value="not">Do not sign in</button></form>
</main></body></html>
`;
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
}
