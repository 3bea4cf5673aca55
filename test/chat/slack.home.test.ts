/** The home tab, drawn: within Slack's limits, as text, and with something to do in every empty state. */
import type { App, ReceiverEvent } from '@slack/bolt';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { HomeView } from '../../src/access/home.ts';
import type { Clock, Questions } from '../../src/access/ports.ts';
import type { RequestView } from '../../src/access/view.ts';
import { createHomes } from '../../src/chat/slack/home.ts';
import { createHttpReceiver } from '../../src/chat/slack/receiver.ts';
import { renderHome } from '../../src/chat/slack/render-home.ts';
import type { Web } from '../../src/chat/slack/web.ts';
import { inspectHome } from '../support/block-kit.ts';
import { NOW, quiet, requestView, SECRET, signed } from './slack-support.ts';

const context = { commandWord: '/access' };
const none = { items: [], more: false };
const EMPTY: HomeView = { zone: 'Europe/Berlin', at: NOW, held: none, waiting: none, choices: none, recent: none };
const NOTHING = { answer: false, cancel: false, extend: false, return: false };

function grant(more: Partial<NonNullable<RequestView['grant']>> = {}): NonNullable<RequestView['grant']> {
  const expiresAt = NOW + 28 * 60_000 + 30_000;
  return { id: 'G-7KQ2', state: 'active', addBy: NOW, hardEndAt: expiresAt, expiresAt, memberships: [], ...more };
}

const HELD = requestView({
  state: 'approved',
  grant: grant(),
  headline: 'Added to prod-db-read (checked). Ends 15:00 CET.',
  can: { ...NOTHING, extend: true, return: true },
});

function drawn(home: Partial<HomeView>) {
  const report = inspectHome(renderHome({ ...EMPTY, ...home }, context));
  expect(report.problems).toEqual([]);
  return { text: report.shown.join('\n'), buttons: report.buttons.map(({ action, value }) => `${action} ${value}`) };
}

describe('the home tab', () => {
  test('with nothing on it says what to do next', () => {
    const { text, buttons } = drawn({});
    for (const words of [
      'Nothing. Ask for what you need below',
      'There is nothing that you may request. If that is wrong, tell the people who run Hallpass.',
      'None yet. Press Request access',
      'As of 14:32 CET.',
    ])
      expect(text).toContain(words);
    expect(text).not.toMatch(/Waiting for your answer|Operations/);
    expect(buttons).toEqual(['hallpass:form form']);
  });

  test('shows what is held with its end, its zone and the time left, and how to extend and return it', () => {
    const { text, buttons } = drawn({ held: { items: [HELD], more: false } });
    expect(text).toContain(
      'Orders database, db-prod:read (G-7KQ2)\nAdded to prod-db-read (checked). Ends 15:00 CET. 28 min left.',
    );
    expect(buttons.slice(1)).toEqual([`hallpass:extend ${HELD.cardId}`, `hallpass:return ${HELD.cardId}`]);
    const last = { ...HELD, grant: grant({ expiresAt: NOW + 20_000 }) };
    expect(drawn({ held: { items: [last], more: false } }).text).toContain('Less than a minute is left.');
    const ending = {
      ...HELD,
      headline: 'The time is over. Removing.',
      grant: grant({ state: 'ending' }),
      can: NOTHING,
    };
    expect(drawn({ held: { items: [ending], more: true } })).toMatchObject({
      text: expect.stringMatching(/Removing\.\n.*more than is shown/s),
      buttons: ['hallpass:form form'],
    });
  });

  test('shows an approver all that they decide by', () => {
    const { text, buttons } = drawn({ waiting: { items: [requestView()], more: false } });
    for (const words of [
      'Ana Torres asks for Orders database, db-prod:read (R-7KQ2) for 30 min, until 15:02 CET if approved now.',
      'Groups: prod-db-read in okta',
      'Approvals: 1 of 2: Ben Okafor. Lapses 15:32 CET.',
      'Why: fix stuck migration',
    ])
      expect(text).toContain(words);
    expect(buttons.slice(1, 3)).toEqual([
      'hallpass:approve card-0123456789abcdef',
      'hallpass:deny card-0123456789abcdef',
    ]);
    const more = requestView({ extension: { grantId: 'G-7KQ2', from: NOW, until: NOW + 600_000 } });
    expect(drawn({ waiting: { items: [more], more: false } }).text).toContain('until 14:42 CET instead of 14:32 CET');
  });

  test('offers again what is over, and cancel for what waits', () => {
    const over = requestView({ state: 'denied', can: NOTHING });
    const ended = requestView({ state: 'approved', grant: grant({ state: 'ended' }), can: NOTHING });
    const offered = (request: RequestView) => drawn({ recent: { items: [request], more: false } }).buttons.slice(1);
    expect(offered(over)).toEqual([`hallpass:again ${over.cardId}`]);
    expect(offered(ended)).toEqual([`hallpass:again ${over.cardId}`]);
    expect(offered(requestView())).toEqual([`hallpass:cancel ${over.cardId}`]);
    expect(offered(HELD)).toEqual([]);
    expect(offered({ ...over, extension: { grantId: 'G-7KQ2', from: NOW, until: NOW } })).toEqual([]);
  });

  test('has a button for each of many resources, and one for the rest', () => {
    const items = Array.from({ length: 10 }, (_, at) => ({ resource: `db-${at}`, title: `db-${at}`, role: 'read' }));
    const { buttons } = drawn({ choices: { items, more: true } });
    expect(buttons).toContain('hallpass:ask db-9:read');
    expect(buttons.at(-1)).toBe('hallpass:form more');
  });

  test('tells responders which directory is away and what is still to be removed', () => {
    const operations: HomeView['operations'] = {
      directories: [
        { name: 'okta', state: 'fails', error: 'timeout', failing: 2 },
        { name: 'corp', state: 'answers', failing: 0 },
      ],
      removals: {
        items: [{ directory: 'okta', group: 'prod-db-read', login: 'ana@x.y', failures: 2, error: 'timeout' }],
        more: true,
      },
    };
    const { text } = drawn({ operations });
    for (const words of [
      'okta does not answer: timeout. 2 removals are failing.',
      'corp answers.',
      'ana@x.y from prod-db-read in okta: failed 2 times, "timeout". Tried again until it is gone.',
    ])
      expect(text).toContain(words);
    const well = { directories: [], removals: none };
    expect(drawn({ operations: well }).text).toContain('None: whoever should be out is out, and it was checked.');
  });

  test('has nothing but the reason for somebody Hallpass does not act for', () => {
    const refusal = { code: 'not_recognised', why: 'guest', message: 'Guest accounts cannot ask.' } as const;
    const { text, buttons } = drawn({ refusal });
    expect(text).toContain('Guest accounts cannot ask.');
    expect(buttons).toEqual([]);
  });

  test('keeps within Slack’s limits and interprets nothing, with full shelves of whatever people wrote', () => {
    const wild = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 1500 }),
      fc.constantFrom('<!channel> *x*', '😀'.repeat(1000), '\u202e', '', '&'.repeat(1500)),
    );
    const request: fc.Arbitrary<RequestView> = fc
      .record({ title: wild, headline: wild, reason: wild, requesterName: wild, group: wild, can: fc.boolean() })
      .map(({ group, can, ...more }) =>
        requestView({
          ...more,
          groups: Array.from({ length: 12 }, () => ({ directory: 'okta', group })),
          approvals: Array.from({ length: 12 }, () => ({ name: group, at: NOW })),
          grant: grant(),
          can: { answer: can, cancel: can, extend: can, return: true },
        }),
      );
    const shelf = <T>(item: fc.Arbitrary<T>, most: number) =>
      fc.record({ items: fc.array(item, { maxLength: most }), more: fc.boolean() });
    const home: fc.Arbitrary<HomeView> = fc.record({
      zone: fc.constant('UTC'),
      at: fc.constant(NOW),
      // Above what is ever put on a shelf: drawing must hold by itself.
      held: shelf(request, 25),
      waiting: shelf(request, 25),
      recent: shelf(request, 25),
      choices: shelf(
        fc.record({
          resource: fc.stringMatching(/^[A-Za-z][A-Za-z0-9._/-]{0,62}$/),
          title: wild,
          role: fc.constant('r'),
        }),
        25,
      ),
      operations: fc.record({
        directories: fc.array(
          fc.record({
            name: fc.constant('okta'),
            state: fc.constantFrom('answers' as const, 'fails' as const, 'unknown' as const),
            error: wild,
            failing: fc.nat(9),
          }),
          { maxLength: 20 },
        ),
        removals: shelf(
          fc.record({ directory: fc.constant('okta'), group: wild, login: wild, failures: fc.nat(9), error: wild }),
          8,
        ),
      }),
    });
    fc.assert(
      fc.property(home, (view) => {
        const report = inspectHome(renderHome(view, context));
        expect(report.problems).toEqual([]);
        expect(report.interpreted).toEqual([]);
      }),
      { numRuns: 100 },
    );
  });
});

describe('an event', () => {
  test('that Slack signs and sends again is known by its own id, and any other is acknowledged and left', async () => {
    const keys: unknown[] = [];
    const { receiver, route } = createHttpReceiver({
      signingSecret: SECRET,
      wallClock: () => NOW,
      logger: quiet,
      count: () => {},
    });
    receiver.init({
      processEvent: async (event: ReceiverEvent) => void keys.push(event.customProperties?.deliveryKey),
    } as unknown as App);
    for (const [id, at] of [
      ['Ev1', 0],
      ['Ev1', 60],
      ['Ev2', 60],
      ['x'.repeat(101), 60],
    ] as const) {
      const body = JSON.stringify({ type: 'event_callback', event_id: id, event: { type: 'team_join' } });
      const headers = Object.entries(signed(body, NOW / 1000 + at, 'application/json')).map(([key, value]) => [
        key,
        [value],
      ]);
      const reply = await route.handle({ headers: Object.fromEntries(headers), body: Buffer.from(body) });
      expect(reply.status).toBe(200);
    }
    expect(keys.slice(0, 3)).toEqual(['slack:event:Ev1', 'slack:event:Ev1', 'slack:event:Ev2']);
    expect(keys[3]).toMatch(/^slack:[0-9a-f]{64}$/);
  });
});

describe('keeping home tabs', () => {
  const account = (id: string) => ({ platform: 'slack', tenant: 'T1', id }) as const;
  const clock: Clock = { now: () => NOW, monotonic: () => performance.now() };

  function keeper(publish: (args: Record<string, unknown>) => Promise<Record<string, unknown>>) {
    const calls: Record<string, unknown>[] = [];
    const asked: (() => void)[] = [];
    const web = {
      call: (_method: string, args: Record<string, unknown>) => {
        calls.push(args);
        for (const wake of asked.splice(0)) wake();
        return publish(args);
      },
    } as unknown as Web;
    const questions = { home: async () => EMPTY } as unknown as Questions;
    const homes = createHomes({
      web,
      questions,
      clock,
      logger: quiet,
      ...context,
      pace: { gatherMs: 5, betweenMs: 5 },
    });
    const called = async (times: number) => {
      while (calls.length < times) await new Promise<void>((resolve) => asked.push(resolve));
      return calls;
    };
    return { homes, calls, called };
  }

  test('draws at once for whoever opens it, and for nobody else', async () => {
    const { homes, called, calls } = keeper(async () => ({ view: { hash: 'h1' } }));
    homes.changed([account('U9')]);
    homes.opened(account('U1'), undefined, 'e1');
    expect((await called(1))[0]).toMatchObject({ user_id: 'U1' });
    homes.opened(account('U1'), undefined, 'e1');
    homes.changed([account('U9'), account('U1'), account('U1')]);
    expect((await called(2))[1]).toMatchObject({ user_id: 'U1', hash: 'h1' });
    await homes.stop();
    expect(calls).toHaveLength(2);
  });

  test('waits as long as Slack says, and then shows what holds', async () => {
    const { MessengerError } = await import('../../src/access/ports.ts');
    let refused = false;
    const { homes, called } = keeper(async () => {
      if (refused) return { view: { hash: 'h' } };
      refused = true;
      throw new MessengerError('rate_limited', 'too many', { retryAfterMs: 30 });
    });
    const startedAt = performance.now();
    homes.opened(account('U1'), undefined, 'e1');
    await called(2);
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(29);
    await homes.stop();
  });

  test('remembers a bounded number of pages', async () => {
    const { homes, called, calls } = keeper(async () => ({ view: { hash: 'h' } }));
    for (let at = 0; at < 501; at++) homes.opened(account(`U${at}`), undefined, `e${at}`);
    await called(500);
    homes.changed([account('U0')]);
    homes.changed([account('U500')]);
    await called(501);
    await homes.stop();
    expect(calls.filter(({ user_id }) => user_id === 'U0').length).toBeLessThanOrEqual(1);
  });
});
