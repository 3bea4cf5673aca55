/** The page as it is served, before anything has happened in it: what does not change while it is looked at. */
import { USAGE } from '../access/grammar.ts';
import { APPROVALS, configuration, type Name, PEOPLE, SECURITY } from './world.ts';

const ROLES: Readonly<Record<Name, string>> = {
  ana: 'engineer',
  ben: 'on call, may approve',
  cat: 'on call, may approve',
  dan: 'engineer, not on call',
  pat: 'has permanent access',
  sam: 'security, may revoke',
};

/** The order in which people appear in the story. */
const ORDER: readonly Name[] = ['ana', 'ben', 'cat', 'dan', 'sam', 'pat'];

const STEPS: readonly (readonly [key: string, title: string, how: string])[] = [
  ['asked', 'Ask as Ana', 'Be Ana, and send the line that is already written in the box.'],
  ['approved', 'Approve as Ben', 'Be Ben, open #access-approvals, press Approve. Ana appears in prod-db-read.'],
  ['gone', 'Let the time pass', 'Press +30 min: Ana is removed, and the directory has been asked again: checked.'],
  ['told', 'Read the digest', 'Press +1 day, and open #security: who had what, from whom, how long and why.'],
];

/** `console`: where the bot's web view is, if it is on. */
export function shell(console: string | undefined): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Hallpass sandbox</title>
<link rel="icon" href="/page/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/page/page.css">
<link rel="stylesheet" href="/page/blocks.css">
<link rel="stylesheet" href="/page/world.css">
<link rel="stylesheet" href="/page/narrow.css">
<script type="module" src="/page/page.js"></script>
</head>
<body data-shown="chat" data-usage="${attribute(JSON.stringify(Object.values(USAGE)))}" data-resources="${attribute(JSON.stringify(resources()))}">
<header class="top">
  <h1><img src="/page/icon.svg" alt="" width="22" height="22"> Hallpass <span>sandbox</span></h1>
  <p class="top-note">A local Slack, Okta and Google, and the real bot, all on this machine.</p>
${console === undefined ? '' : `  <p><a class="console" href="${attribute(console)}" target="_blank" rel="noopener">Console</a></p>`}
  <p class="top-clock"><span class="quiet">Now</span> <time id="clock-top">…</time></p>
</header>
<p id="lost" class="lost" role="alert" hidden></p>
<nav class="views" aria-label="Parts of the page">
  <button type="button" data-show="chat" aria-pressed="true">Slack</button>
  <button type="button" data-show="world" aria-pressed="false">Directory and clock</button>
</nav>
<div class="frame">
  <nav class="people" aria-label="Slack">
    <h2 id="who">You are</h2>
    <ul class="picker" aria-labelledby="who">
${ORDER.map((name, at) => personButton(name, at === 0)).join('\n')}
    </ul>
    <h2 id="where">Conversations</h2>
    <ul class="channels" aria-labelledby="where">
${channelButton(APPROVALS, '#', 'access-approvals')}
${channelButton(SECURITY, '#', 'security')}
${channelButton('dm', '', 'Hallpass', 'Direct message')}
${channelButton('home', '', 'Hallpass', 'App Home')}
    </ul>
  </nav>
  <main class="conversation" aria-labelledby="title">
    <div class="title"><h2 id="title" tabindex="-1">…</h2><p id="topic" class="quiet"></p></div>
    <div id="banner" class="banner" hidden></div>
    <div id="messages" class="messages" tabindex="0" role="region" aria-label="Messages"></div>
    <form id="composer" class="composer" autocomplete="off">
      <div class="box">
        <button type="button" id="shortcut" class="button shortcut" title="A shortcut, as in Slack’s menu of them: opens the form"><span aria-hidden="true">⚡</span> Request access</button>
        <label for="typed" class="hidden" id="typed-label">Message</label>
        <input id="typed" name="typed" role="combobox" aria-autocomplete="list" aria-expanded="false" aria-controls="offers" spellcheck="false" autocomplete="off" enterkeyhint="send" placeholder="/access …">
        <button type="submit" class="send">Send</button>
      </div>
      <ul id="offers" class="offers" role="listbox" aria-label="Ways to go on" hidden></ul>
      <p class="hint quiet" id="composer-hint">↑ ↓ what you sent before · Tab completes · try <code>/access help</code></p>
    </form>
  </main>
  <div class="world">
    <section class="panel steps" aria-labelledby="first-title">
      <h2 id="first-title">Try this first</h2>
      <ol id="steps">
${STEPS.map(([key, title, how]) => `        <li data-step="${key}"><span class="tick" aria-hidden="true"></span><div><strong>${title}</strong> <span class="state hidden">not done yet</span><p>${how}</p></div></li>`).join('\n')}
      </ol>
    </section>
    <section class="panel" aria-labelledby="clock-title">
      <h2 id="clock-title">Clock</h2>
      <p class="clock"><time id="clock">…</time></p>
      <div class="buttons">
        <button type="button" data-move="300000">+5 min</button>
        <button type="button" data-move="1800000">+30 min</button>
        <button type="button" data-move="86400000">+1 day</button>
      </div>
    </section>
    <section class="panel" aria-labelledby="directory-title">
      <h2 id="directory-title">Directories <span class="quiet">as they hold</span></h2>
      <div id="directory"></div>
    </section>
    <section class="panel" aria-labelledby="machinery-title">
      <h2 id="machinery-title">What can go wrong</h2>
      <ul class="machinery">
${machine('bot', 'The bot', 'Kill the bot')}
${machine('okta', 'Okta', 'Take Okta down')}
${machine('google', 'Google', 'Take Google down')}
${machine('slack', 'Slack', 'Take Slack down')}
      </ul>
    </section>
    <section class="panel" aria-labelledby="trail-title">
      <h2 id="trail-title">Audit trail <span class="quiet" id="trail-count"></span></h2>
      <ol id="trail" class="trail" tabindex="0" aria-label="Audit trail, newest first"></ol>
    </section>
  </div>
</div>
<div id="said" class="hidden" role="status" aria-live="polite"></div>
<noscript><p class="lost">This page needs JavaScript. <code>npm run sandbox -- --tour</code> plays the story in the terminal.</p></noscript>
</body>
</html>
`;
}

function personButton(name: Name, isFirst: boolean): string {
  const { slack, name: full } = PEOPLE[name];
  const [first = full, ...family] = full.split(' ');
  return `      <li><button type="button" data-as="${name}" data-user="${slack}" data-name="${attribute(full)}" aria-pressed="${isFirst}"><span class="face face-${name}" aria-hidden="true">${full.charAt(0)}</span><span class="label"><span class="name">${first} <span class="family">${family.join(' ')}</span></span> <span class="role">${ROLES[name]}</span></span><span class="dot" hidden><span class="hidden">something new</span></span></button></li>`;
}

function channelButton(id: string, sign: string, name: string, more?: string): string {
  const label = more === undefined ? '' : ` <span class="role">${more}</span>`;
  return `      <li><button type="button" data-conversation="${id}" data-title="${sign}${name}${more === undefined ? '' : `, ${more}`}" aria-pressed="false"><span class="sign" aria-hidden="true">${sign === '' ? '◆' : sign}</span><span class="label"><span class="name">${name}</span>${label}</span><span class="dot" hidden><span class="hidden">unread</span></span></button></li>`;
}

function machine(key: string, name: string, button: string): string {
  return `        <li data-machine="${key}"><span><strong>${name}</strong> <span class="state">…</span></span><button type="button">${button}</button></li>`;
}

/** Read from the sandbox's own file, so that the page offers what the bot knows. */
function resources(): readonly string[] {
  const [, listed = ''] = configuration('http://127.0.0.1').split(/^resources:$/m);
  const found: string[] = [];
  let resource = '';
  for (const line of listed.split('\n')) {
    const name = /^ {2}([\w/-]+):$/.exec(line)?.[1];
    if (name !== undefined) {
      resource = name;
      found.push(name);
    }
    const role = /^ {6}([\w-]+): *\{/.exec(line)?.[1];
    if (role !== undefined && resource !== '') found.push(`${resource}:${role}`);
  }
  return found;
}

function attribute(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('"', '&quot;').replaceAll('<', '&lt;');
}
