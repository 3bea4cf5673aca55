/** Promise: each person sees on the console what chat would show them, and does there what they might do in chat. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { aFinding } from '../contracts/store-activities.ts';
import { MINUTE } from '../support/builders.ts';
import { type ConsoleWorld, startConsole } from '../support/console.ts';

let world: ConsoleWorld;
beforeEach(async () => {
  world = await startConsole();
});
afterEach(async () => {
  expect(world.errors).toEqual([]);
  await world.close();
});

const state = async (id: string) => (await world.store.request(id))?.request.state;

describe('Now', () => {
  it('shows an approver what waits for them, and approves the card that was shown, for less if they like', async () => {
    const id = await world.asks('ana');
    const ben = await world.signedIn('ben');
    const page = await ben.get('/console');
    expect(page.text).toContain('Ana asks for db-prod:read for 30 min');
    expect(page.text).toContain('fix stuck migration');
    const done = await ben.press(page, `Approve ${id}`, { duration: String(10 * MINUTE) });
    expect(done.text).toContain(`Approved. ${id}: Adding to prod-db-read.`);
    expect((await world.store.request(id))?.grant?.durationMs).toBe(10 * MINUTE);
    const story = await world.store.story(id);
    expect(story.find(({ kind }) => kind === 'approval.given')?.actor).toMatchObject({
      id: 'okta/ben',
      via: { kind: 'web' },
    });
  });

  it('denies with a reason, which the requester reads', async () => {
    const id = await world.asks('ana');
    const ben = await world.signedIn('ben');
    const done = await ben.press(await ben.get('/console'), `Deny ${id}`, { reason: 'not during the freeze' });
    expect(done.text).toContain('Denied.');
    const ana = await world.signedIn('ana');
    expect((await ana.get(`/console/requests/${id}`)).text).toContain('not during the freeze');
  });

  it('acts once, however often a form is sent', async () => {
    const id = await world.asks('ana');
    const ben = await world.signedIn('ben');
    const page = await ben.get('/console');
    const [first, second] = await Promise.all([ben.press(page, `Approve ${id}`), ben.press(page, `Approve ${id}`)]);
    await ben.press(page, `Approve ${id}`);
    expect(first.text + second.text).toContain('Approved.');
    const given = (await world.store.story(id)).filter(({ kind }) => kind === 'approval.given');
    expect(given).toHaveLength(1);
  });

  it('refuses what has changed since it was shown, in the words of chat', async () => {
    const id = await world.asks('ana');
    const ben = await world.signedIn('ben');
    const page = await ben.get('/console');
    const ana = await world.signedIn('ana');
    await ana.press(await ana.get('/console'), `Take back ${id}`);
    const late = await ben.press(page, `Approve ${id}`);
    expect(late.text).toContain(`${id} is no longer waiting for an answer.`);
    expect(await state(id)).toBe('cancelled');
  });

  it('lets a responder revoke with a reason, freeze and lift, and nobody else', async () => {
    const id = await world.asks('ana');
    const grant = id.replace('R-', 'G-');
    const ben = await world.signedIn('ben');
    await ben.press(await ben.get('/console'), `Approve ${id}`);
    const cat = await world.signedIn('cat');
    const page = await cat.get('/console');
    const without = await cat.press(page, `Revoke ${grant}`);
    expect(without.text).toContain('A reason is missing.');
    const fields = page.forms.find(({ button }) => button === `Revoke ${grant}`)?.fields ?? {};
    const dan = await world.signedIn('dan');
    const own = (await dan.get('/console')).forms[0]?.fields['csrf'] ?? '';
    await dan.post('/console/act', { ...fields, csrf: own, key: 'dandandan', reason: 'mine now' });
    expect((await world.store.request(id))?.grant?.state).toBe('adding');
    const done = await cat.press(await cat.get('/console'), `Revoke ${grant}`, { reason: 'laptop was stolen' });
    expect(done.text).toContain('Revoked.');
    expect((await world.store.request(id))?.grant).toMatchObject({
      endReason: 'revoked',
      endNote: 'laptop was stolen',
    });
    const frozen = await cat.press(done, 'Freeze', { target: 'resource:db-prod', reason: 'incident 4711' });
    expect(frozen.text).toContain('db-prod is frozen since');
    const lifted = await cat.press(frozen, 'Lift the freeze of db-prod');
    expect(lifted.text).toContain('Lifted. db-prod can be requested again.');
  });

  it('shows a viewer who holds what, and lets them do nothing with it', async () => {
    const id = await world.asks('ana');
    const ben = await world.signedIn('ben');
    await ben.press(await ben.get('/console'), `Approve ${id}`);
    const vic = await world.signedIn('vic');
    const page = await vic.get('/console');
    expect(page.text).toContain('Live access');
    expect(page.text).toContain('fix stuck migration');
    expect(page.forms.map(({ button }) => button)).toEqual(['Sign out']);
    expect((await vic.get(`/console/requests/${id}`)).status).toBe(200);
  });

  it('tells no holder in the story of their request that somebody looks into it', async () => {
    const requestId = await world.asks('ana');
    const row = {
      at: world.clock.now(),
      kind: 'finding.opened',
      actor: { kind: 'hallpass' as const, part: 'detection' },
      requestId,
      detail: { finding: 'F-2222', level: 'high', title: 'Much was taken out at once' },
    };
    await world.store.commit({ changes: [{ put: 'event', row }] });
    const told = async (who: 'ana' | 'cat') =>
      (await (await world.signedIn(who)).get(`/console/requests/${requestId}`)).text.includes('Much was taken out');
    expect([await told('ana'), await told('cat')]).toEqual([false, true]);
  });

  it('has a finding asked about, dismissed with a reason or ended in a revocation, and shows others nothing of it', async () => {
    const requestId = await world.asks('ana');
    const grantId = requestId.replace('R-', 'G-');
    const ben = await world.signedIn('ben');
    await ben.press(await ben.get('/console'), `Approve ${requestId}`);
    for (const id of ['F-7KQ2M', 'F-8KQ2M'])
      await world.store.commit({
        changes: [
          {
            put: 'finding',
            row: aFinding({ id, rule: id, requestId, grantId, holder: 'okta/ana', holderName: 'Ana' }),
          },
        ],
      });
    const ana = await world.signedIn('ana');
    expect((await ana.get(`/console/requests/${requestId}`)).text).not.toContain('Bulk export');
    expect((await ben.get(`/console/requests/${requestId}`)).text).not.toContain('Bulk export');
    const cat = await world.signedIn('cat');
    const page = () => cat.get(`/console/requests/${requestId}`);
    expect((await cat.press(await page(), 'Ask the holder about F-7KQ2M')).text).toContain('F-7KQ2M');
    expect((await world.store.finding('F-7KQ2M'))?.state).toBe('asked');
    expect((await cat.press(await page(), 'Dismiss F-7KQ2M')).text).toContain('A reason is missing.');
    await cat.press(await page(), 'Dismiss F-7KQ2M', { reason: 'the nightly export' });
    expect((await world.store.finding('F-7KQ2M'))?.state).toBe('dismissed');
    await cat.press(await page(), `Revoke ${grantId} because of F-8KQ2M`);
    expect((await world.store.finding('F-8KQ2M'))?.state).toBe('revoked');
    expect((await world.store.grant(grantId))?.grant.endReason).toBe('revoked');
  });

  it('shows everybody else their own things alone', async () => {
    const id = await world.asks('ana');
    const dan = await world.signedIn('dan');
    expect((await dan.get('/console')).text).not.toContain('Ana');
    const refused = await dan.get(`/console/requests/${id}`);
    expect([refused.status, refused.text]).toEqual([403, expect.stringContaining('may not see other people')]);
    expect(refused.text).not.toContain('migration');
    expect((await dan.get('/console/requests/R-ZZZZ')).status).toBe(404);
    const ana = await world.signedIn('ana');
    expect((await ana.get('/console')).text).toContain(`Take back ${id}`);
  });

  it('has the reviews that somebody may sign, and signs them', async () => {
    const id = await world.asks('ben', { do: 'break-glass' });
    const grant = id.replace('R-', 'G-');
    const ben = await world.signedIn('ben');
    expect((await ben.get('/console')).text).not.toContain('Reviews to sign');
    const cat = await world.signedIn('cat');
    const page = await cat.get('/console');
    expect(page.text).toContain(`Review of break-glass access, ${grant}`);
    expect((await cat.press(page, `Question ${grant}`)).text).toContain('A reason is missing.');
    expect((await cat.press(page, `Sign off ${grant}`)).text).toContain('Signed off by Cat');
  });
});

describe('signing a command line in', () => {
  it('shows what asks, and takes a click of whoever is signed in', async () => {
    const { userCode, deviceCode } = await world.devices.begin('laptop <b>of</b> Ana', '10.1.2.3');
    const path = `/console/device?code=${userCode}`;
    const before = await world.browser().get(path);
    expect([before.status, before.html]).toEqual([401, expect.stringContaining(`device%3Fcode%3D${userCode}`)]);
    const ana = await world.signedIn('ana');
    const page = await ana.get(path);
    expect(page.text).toContain('laptop <b>of</b> Ana');
    expect(page.text).toContain('10.1.2.3');
    expect(await world.devices.redeem(deviceCode)).toEqual({ is: 'waiting' });
    expect((await ana.press(page, 'Yes, sign it in as me')).text).toContain('It is signed in.');
    expect(await world.devices.redeem(deviceCode)).toMatchObject({ personName: 'Ana' });
    expect((await ana.press(page, 'Yes, sign it in as me')).status).toBe(409);
    expect((await ana.get('/console/device?code=AAAA-AAAA')).status).toBe(404);
  });
});

describe('hostile texts', () => {
  it('stay texts, wherever they are shown', async () => {
    await world.close();
    const name = '<img src=x onerror=alert(1)>"\'&';
    world = await startConsole({ ana: name });
    const reason = '"></blockquote><script>alert(1)</script><a href="javascript:alert(1)">';
    const id = await world.asks('ana', { reason });
    const ben = await world.signedIn('ben');
    await ben.press(await ben.get('/console'), `Approve ${id}`);
    const cat = await world.signedIn('cat');
    const hostile = '"><script>alert(2)</script>';
    const tried = [
      '/console',
      `/console/requests/${id}`,
      '/console/timeline',
      '/console/trail',
      `/console/trail?${new URLSearchParams({ who: hostile, resource: hostile, request: hostile, topic: hostile, from: hostile })}`,
      `/console/timeline?${new URLSearchParams({ person: hostile, resource: hostile, from: hostile, to: hostile })}`,
      `/console?said=${encodeURIComponent(hostile)}`,
    ];
    for (const path of tried) {
      const { status, html } = await cat.get(path);
      expect([path, status]).toEqual([path, 200]);
      expect(html).not.toMatch(
        /<script(?! type="module" src="\/console\/assets\/console\.js"><\/script>)|<img|href="javascript/i,
      );
      expect(html).not.toMatch(/"><script>alert|"><\/blockquote><script/);
    }
    expect((await cat.get(`/console/requests/${id}`)).text).toContain('<script>alert(1)</script>');
  });
});

describe('the timeline', () => {
  it('draws what was held in a time, as bars and as a table, filtered by person and resource', async () => {
    const ana = await world.asks('ana');
    const ben = await world.signedIn('ben');
    await ben.press(await ben.get('/console'), `Approve ${ana}`);
    const record = await world.store.request(ana);
    const grant = record?.grant;
    if (grant === undefined) throw new Error('no grant');
    const began = { ...grant, version: grant.version + 1, state: 'active', startsAt: world.clock.now() } as const;
    const row = { ...began, expiresAt: world.clock.now() + 30 * MINUTE };
    await world.store.commit({ changes: [{ put: 'grant', row, was: grant.version }] });
    const vic = await world.signedIn('vic');
    const page = await vic.get('/console/timeline');
    expect(page.html.match(/<rect class="span planned active"/g)).toHaveLength(1);
    expect(page.html).toContain(
      `href="/console/requests/${ana}" aria-label="Ana, db-prod:read, 10:00 CET until 10:30 CET"`,
    );
    expect(page.text).toMatch(/Ana db-prod:read Tue 10 Mar 10:00:00 CET/);
    expect((await vic.get('/console/timeline?person=okta%2Fdan')).text).toContain('Nobody held anything');
    expect((await vic.get('/console/timeline?resource=db-prod')).html).toContain('<rect class="span');
    const before = { from: '2026-03-09T08:00', to: '2026-03-09T20:00' };
    expect((await vic.get(`/console/timeline?${new URLSearchParams(before)}`)).text).toContain('Nobody held anything');
    const dan = await world.signedIn('dan');
    expect((await dan.get('/console/timeline')).text).toContain('Your own access; you may not see other people');
  });
});

describe('the trail', () => {
  it('is searched by person, resource, topic and time, and is for responders and admins', async () => {
    const id = await world.asks('ana');
    world.clock.pass(MINUTE);
    const cat = await world.signedIn('cat');
    const all = await cat.get('/console/trail');
    expect(all.text).toContain('Ana asked for db-prod:read for 30 min');
    const found = async (query: Record<string, string>) =>
      (await cat.get(`/console/trail?${new URLSearchParams(query)}`)).html.match(/event \d+/g)?.length ?? 0;
    expect(await found({ who: 'ana@acme.com' })).toBe((await world.store.story(id)).length);
    expect(await found({ who: 'dan@acme.com' })).toBe(0);
    expect(await found({ resource: 'db-prod', topic: 'requests' })).toBe(1);
    expect(await found({ topic: 'request.made', request: id.replace('R-', 'g-') })).toBe(1);
    expect(await found({ topic: 'rules' })).toBe(1);
    expect(await found({ from: '2026-03-10T10:01', topic: 'requests' })).toBe(0);
    expect((await cat.get('/console/trail?who=nobody%40acme.com')).text).toContain(
      'Nobody in the directory has the email',
    );
    for (const who of ['ana', 'vic'] as const) {
      const other = await (await world.signedIn(who)).get('/console/trail');
      expect([other.status, other.text]).toEqual([403, expect.stringContaining('for responders and admins')]);
      expect(other.text).not.toContain('asked for');
    }
  });

  it('has what is to be signed: reviews and the days that nobody has signed', async () => {
    const id = await world.asks('ben', { do: 'break-glass' });
    const day = { day: '2026-03-09', version: 1, fromAt: 1, toAt: 2, madeAt: 2, id: 'digest-1' };
    await world.store.commit({ changes: [{ put: 'digest', row: day }] });
    const cat = await world.signedIn('cat');
    const page = await cat.get('/console/trail');
    expect(page.text).toContain('Digests to sign 1 2026-03-09 Nobody has said yet that they have read it.');
    const signed = await cat.press(page, 'Sign off 2026-03-09');
    expect(signed.text).not.toContain('Digests to sign');
    expect(await world.store.digestOf('2026-03-09')).toMatchObject({ signedBy: 'Cat' });
    expect((await cat.press(page, `Sign off ${id.replace('R-', 'G-')}`)).text).toContain('Signed off by Cat');
  });

  it('is paged, verified on request, and taken along as a file, which is itself an event', async () => {
    const events = Array.from({ length: 60 }, (_, n) => ({
      put: 'event' as const,
      row: {
        at: world.clock.now(),
        kind: 'request.made',
        actor: { kind: 'hallpass' as const, part: 'test' },
        detail: { n },
      },
    }));
    await world.store.commit({ changes: events });
    const cat = await world.signedIn('cat');
    const first = await cat.get('/console/trail');
    const older = /href="(\/console\/trail\?before=\d+)"/.exec(first.html)?.[1] ?? '';
    const second = await cat.get(older);
    const seqs = [first, second].flatMap(({ html }) =>
      [...html.matchAll(/event (\d+)/g)].map((match) => Number(match[1])),
    );
    expect(seqs).toEqual(Array.from({ length: 61 }, (_, n) => 61 - n));
    const verified = await cat.press(first, 'Verify the whole chain');
    expect(verified.text).toContain('holds All 61 events');
    const file = await cat.press(first, 'Export', { topic: 'requests', format: 'jsonl' });
    expect(file.headers.get('content-disposition')).toBe('attachment; filename="hallpass-trail-2026-03-10.jsonl"');
    const lines = file.html
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { seq: number });
    expect(lines.map(({ seq }) => seq)).toEqual(Array.from({ length: 60 }, (_, n) => n + 1));
    expect(await world.store.lastEvent('trail.exported')).toMatchObject({
      actor: { id: 'okta/cat' },
      detail: { format: 'jsonl', topic: 'requests' },
    });
    const vic = await world.signedIn('vic');
    const csrf = (await vic.get('/console')).forms[0]?.fields['csrf'] ?? '';
    for (const path of ['/console/trail/export', '/console/trail/verify'])
      expect((await vic.post(path, { csrf, format: 'jsonl' })).status).toBe(403);
  });
});

describe('an open page', () => {
  async function follow(browser: Awaited<ReturnType<ConsoleWorld['signedIn']>>, path: string) {
    const { html } = await browser.get(path);
    const seen = /data-seen="([0-9a-f]+)"/.exec(html)?.[1] ?? '';
    const address = `http://localhost/console/events?${new URLSearchParams({ page: path, seen })}`;
    const response = await browser.raw(new Request(address));
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    if (reader === undefined) throw new Error('no stream');
    let said = '';
    return {
      status: response.status,
      async told(words: RegExp) {
        while (!words.test(said)) {
          const { value, done } = await reader.read();
          if (done) throw new Error(`the stream ended after: ${said}`);
          said += value;
        }
        return said;
      },
      leave: () => reader.cancel(),
    };
  }

  it('is told the parts that have changed, and only those', async () => {
    const ben = await world.signedIn('ben');
    const stream = await follow(ben, '/console');
    const id = await world.asks('ana');
    const said = await stream.told(/event: parts\ndata: .*\n\n/);
    const parts = JSON.parse(/data: (.*)\n\n/.exec(said.slice(said.indexOf('event: parts')))?.[1] ?? '[]') as {
      id: string;
      html: string;
    }[];
    expect(parts.map((part) => part.id)).toEqual(['waiting']);
    expect(parts[0]?.html).toContain(id);
    await stream.leave();
  });

  it('is told when its session is over', async () => {
    const ben = await world.signedIn('ben');
    const stream = await follow(ben, '/console');
    await stream.told(/retry/);
    await ben.press(await ben.get('/console'), 'Sign out');
    await stream.told(/event: over/);
  });

  it('is one of few for each session', async () => {
    const ben = await world.signedIn('ben');
    const streams = await Promise.all(Array.from({ length: 7 }, () => follow(ben, '/console').catch(() => undefined)));
    expect(streams.map((stream) => stream?.status)).toEqual([200, 200, 200, 200, 200, 200, 503]);
  });
});
