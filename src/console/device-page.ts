/** Signing a command line in: what asks is compared with what the person has in front of them, and takes a click. */
import { html } from 'hono/html';
import type { DeviceFault } from '../access/decide-device.ts';
import type { Device } from '../access/model.ts';
import type { Html, Region } from './page.ts';
import { type Drawing, time, timeLeft } from './parts.ts';

export function deviceRegions(typed: string, device: Device | undefined, drawing: Drawing): readonly Region[] {
  const body = device === undefined ? askCode(typed) : compare(device, drawing);
  return [{ id: 'device', html: html`<section id="device" class="narrow">${body}</section>` }];
}

function askCode(typed: string): Html {
  return html`${
    typed === ''
      ? html`<p>Type the code that the command line shows you.</p>`
      : html`<p class="banner bad" role="alert">Nothing waits under the code “${typed}”. Codes hold for ten minutes; begin again on the command line.</p>`
  }
<form class="act" method="get" action="/console/device"><label for="code">Code</label><input id="code" name="code" type="text" class="mono" autocomplete="off" autocapitalize="characters" spellcheck="false" maxlength="20" placeholder="WDJK-3M7P" required><button class="primary">Go on</button></form>`;
}

function compare(device: Device, drawing: Drawing): Html {
  const { csrf } = drawing;
  const answer = (value: 'confirm' | 'deny', button: Html) =>
    html`<form method="post" action="/console/device"><input type="hidden" name="csrf" value="${csrf}"><input type="hidden" name="code" value="${device.userCode}"><input type="hidden" name="answer" value="${value}">${button}</form>`;
  return html`<p>A command line asks to act as you for twelve hours. Only go on if you began this yourself, a moment ago, and it shows this code:</p>
<p class="code mono">${device.userCode}</p>
<dl class="facts"><div><dt>It calls itself</dt><dd>${device.label}</dd></div><div><dt>It asks from</dt><dd class="mono">${device.from}</dd></div><div><dt>Since</dt><dd>${time(device.createdAt, drawing)}</dd></div></dl>
${timeLeft(device.createdAt, device.expiresAt, drawing, 'Time to answer')}
<p class="quiet">If somebody sent you this code, they are after your access. Deny it, and tell security.</p>
<div class="acts">${answer('confirm', html`<button class="primary">Yes, sign it in as me</button>`)}${answer('deny', html`<button class="danger">No, deny it</button>`)}</div>`;
}

const FAULTS: Readonly<Record<DeviceFault, string>> = {
  unknown_code: 'Nothing waits under this code. Begin again on the command line.',
  code_over: 'This code is over. Begin again on the command line.',
  answered_already: 'This code was answered already.',
  not_signed_in: 'Only somebody who is signed in here can answer.',
};

export function deviceAnswered(fault: DeviceFault | undefined, answer: 'confirm' | 'deny'): Html {
  if (fault !== undefined) return html`<p class="banner bad" role="alert">${FAULTS[fault]}</p><p>Nothing was done.</p>`;
  return answer === 'confirm'
    ? html`<p class="banner good" role="status">It is signed in. You can go back to the command line.</p><p class="quiet">hallpass logout ends it there; so does the end of your account in the directory.</p>`
    : html`<p class="banner good" role="status">Denied. It gets nothing.</p>`;
}
