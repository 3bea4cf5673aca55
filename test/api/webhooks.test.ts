/** Promise: a webhook hears every event it asked for, in order and at least once, signed; one that is away holds up nobody. */
import { createHmac } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createWebhooks, type Webhooks } from '../../src/api/webhooks.ts';
import { WEBHOOK_EVENTS, type WebhookSection } from '../../src/api/webhooks-section.ts';
import { loadConfig } from '../../src/config.ts';
import { type ApiWorld, startApi } from '../support/api.ts';
import { HOUR, SECOND } from '../support/builders.ts';

const KEY = Buffer.alloc(32, 7);
const SECRET = `whsec_${KEY.toString('base64')}`;

interface Heard {
  readonly url: string;
  readonly id: string;
  readonly type: string;
  readonly body: {
    readonly type: string;
    readonly data: { readonly request: { readonly id: string; readonly state: string } };
  };
  readonly signedRight: boolean;
  readonly sent: { readonly headers: Readonly<Record<string, string>>; readonly body: string };
}

/** What docs/api.md tells its readers to check with. */
async function asDocumented({ headers, body }: Heard['sent']): Promise<unknown> {
  const page = await readFile(join(import.meta.dirname, '../../docs/api.md'), 'utf8');
  const code = /^```js\n([\s\S]*?)^```$/m.exec(page)?.[1] ?? '';
  const { fromHallpass } = (await import(/* @vite-ignore */ `data:text/javascript,${encodeURIComponent(code)}`)) as {
    fromHallpass: (secret: string, headers: object, body: string, now: number) => unknown;
  };
  return fromHallpass(SECRET, headers, body, world.clock.now());
}

let world: ApiWorld;
let webhooks: Webhooks;
let heard: Heard[];
/** What the address answers; by its host. */
let answers: Record<string, number>;
let warned: object[];

function open(of: Readonly<Record<string, Partial<WebhookSection>>>): Webhooks {
  return createWebhooks({
    store: world.store,
    view: world.view,
    webhooks: Object.fromEntries(
      Object.entries(of).map(([name, more]) => [
        name,
        { url: `https://${name}.example/hook`, secret: SECRET, events: [...WEBHOOK_EVENTS], ...more },
      ]),
    ),
    clock: world.clock,
    ids: { jitter: () => 0.5 },
    metrics: { count: () => undefined, observe: () => undefined },
    log: { warn: (fields) => warned.push(fields) },
    fetch: async (input, init) => {
      const url = String(input);
      const headers = new Headers(init?.headers);
      const body = String(init?.body);
      const [id, at] = [headers.get('webhook-id') ?? '', headers.get('webhook-timestamp') ?? ''];
      const ours = createHmac('sha256', KEY).update(`${id}.${at}.${body}`).digest('base64');
      const status = answers[new URL(url).hostname] ?? 204;
      if (status < 300) {
        const read = JSON.parse(body) as Heard['body'];
        heard.push({
          url,
          id,
          type: read.type,
          body: read,
          signedRight: headers.get('webhook-signature') === `v1,${ours}`,
          sent: { headers: Object.fromEntries(headers), body },
        });
      }
      return new Response(null, { status });
    },
  });
}

const types = (host = 'siem') => heard.filter(({ url }) => url.includes(host)).map(({ type }) => type);

async function ask(): Promise<{ readonly id: string; cancel(): Promise<unknown> }> {
  const secret = await world.credential('ana', 'cli');
  const { body } = await world.call('POST', '/requests', {
    secret,
    body: { resource: 'db-prod', reason: 'fix the stuck migration' },
  });
  const { id } = body.request as { id: string };
  return { id, cancel: () => world.call('POST', `/requests/${id}/cancel`, { secret }) };
}

beforeEach(async () => {
  world = await startApi();
  heard = [];
  answers = {};
  warned = [];
});
afterEach(async () => {
  await webhooks.stop();
  await world.close();
});

describe('a webhook', () => {
  it('hears what happens from its beginning on, in order, with the request as the API shows it', async () => {
    await (await ask()).cancel();
    webhooks = open({ siem: {} });
    await webhooks.ring();
    expect(heard).toEqual([]);
    const { id, cancel } = await ask();
    await cancel();
    await webhooks.ring();
    expect(types()).toEqual(['request.made', 'request.cancelled']);
    expect(heard.map(({ signedRight, id: webhookId }) => [signedRight, /^evt_\d+$/.test(webhookId)])).toEqual([
      [true, true],
      [true, true],
    ]);
    for (const { sent } of heard) expect(await asDocumented(sent)).toBe(true);
    expect(heard[0]?.body.data.request).toMatchObject({ id, state: 'cancelled', requester: { name: 'Ana' } });
    await webhooks.ring();
    expect(heard).toHaveLength(2);
  });

  it('hears only what it asked for', async () => {
    webhooks = open({ siem: { events: ['request.cancelled'] } });
    await webhooks.ring();
    await (await ask()).cancel();
    await webhooks.ring();
    expect(types()).toEqual(['request.cancelled']);
  });

  it('that fails is tried again after a pause that grows, from where it was, and holds up no other', async () => {
    webhooks = open({ siem: {}, chatops: {} });
    await webhooks.ring();
    answers['siem.example'] = 500;
    const { cancel } = await ask();
    await cancel();
    for (const pause of [0, 1, 2]) {
      world.clock.pass(pause * SECOND);
      await webhooks.ring();
    }
    expect(types('chatops')).toEqual(['request.made', 'request.cancelled']);
    expect(webhooks.problems()).toEqual(['siem has not taken an event 3 times in a row: HTTP 500; later ones wait']);
    delete answers['siem.example'];
    await webhooks.ring();
    expect(types()).toEqual([]);
    world.clock.pass(HOUR);
    await webhooks.ring();
    expect(types()).toEqual(['request.made', 'request.cancelled']);
    expect(webhooks.problems()).toEqual([]);
  });

  it('goes on after a restart where it was', async () => {
    webhooks = open({ siem: {} });
    await webhooks.ring();
    const { cancel } = await ask();
    await webhooks.ring();
    await webhooks.stop();
    await cancel();
    webhooks = open({ siem: {} });
    await webhooks.ring();
    expect(types()).toEqual(['request.made', 'request.cancelled']);
  });
});

describe('its configuration', () => {
  it('is refused with a weak secret, an address in the clear, an unknown event, or none', () => {
    webhooks = open({});
    const yaml = `directories:
  okta: { type: okta, url: https://acme.okta.com, auth: { token: token } }
policies:
  standard: { requesters: [ everyone ], approvers: [ user:ben@acme.com ] }
resources:
  db-prod: { roles: { read: { grants: [ { directory: okta, group: g } ], policy: standard } } }
webhooks:
  one: { url: 'http://siem.example/hook', secret: whsec_c2hvcnQ=, events: [ request.made, request.lost ] }
  two: { url: 'https://siem.example/hook', secret: '${SECRET}', events: [] }
`;
    const loaded = loadConfig({ env: {}, readFile: () => yaml, withoutChat: true });
    expect(loaded.ok ? [] : loaded.problems.map(({ path }) => path).sort()).toEqual([
      'webhooks.one.events[1]',
      'webhooks.one.secret',
      'webhooks.one.url',
      'webhooks.two.events',
    ]);
  });
});
