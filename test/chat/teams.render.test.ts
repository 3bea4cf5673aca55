/** Two promises: no card is larger than Teams takes, and nothing that a person wrote is interpreted by Teams. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Answer } from '../../src/access/command.ts';
import type { HomeView } from '../../src/access/home.ts';
import type { ReportView } from '../../src/access/report.ts';
import type { MessageView, RequestView } from '../../src/access/view.ts';
import { plainText, readActivity } from '../../src/chat/teams/activity.ts';
import { CARD_MAX, type Rendered, sizeOf } from '../../src/chat/teams/card.ts';
import { parseCardAction } from '../../src/chat/teams/parse.ts';
import { renderAnswer, renderMessage } from '../../src/chat/teams/render.ts';
import { renderAsk, renderChoose } from '../../src/chat/teams/render-form.ts';
import { renderHome } from '../../src/chat/teams/render-home.ts';
import { NOW } from './slack-support.ts';
import { ANA, BEN, inChannel, requestView, TENANT } from './teams-support.ts';

const context = { now: NOW, zone: 'UTC', commandWord: '@Hallpass' };
const channel = (request: RequestView): MessageView => ({ kind: 'request', audience: 'channel', request });

interface Seen {
  readonly texts: string[];
  readonly buttons: { readonly label: string; readonly data: unknown }[];
  readonly blocks: string[];
}

/** Everything in a card, however deep. */
function inspect(rendered: Rendered): Seen {
  const seen: Seen = { texts: [], buttons: [], blocks: [] };
  const walk = (node: unknown): void => {
    if (Array.isArray(node)) {
      node.forEach(walk);
      return;
    }
    if (typeof node !== 'object' || node === null) return;
    const { type, text, title, data } = node as Record<string, unknown>;
    if (type === 'TextRun') seen.texts.push(String(text));
    if (type === 'TextBlock') seen.blocks.push(String(text));
    if (typeof type === 'string' && type.startsWith('Action.')) seen.buttons.push({ label: String(title), data });
    for (const inner of Object.values(node)) walk(inner);
  };
  walk(rendered.card);
  return seen;
}

const labels = (rendered: Rendered) => [...new Set(inspect(rendered).buttons.map(({ label }) => label))];

describe('the channel', () => {
  const mention = [
    { account: { platform: 'teams', tenant: TENANT, id: BEN } as const, name: 'Ben *Okafor*](http://x)' },
  ];
  const rendered = renderMessage(channel(requestView()), {
    ...context,
    mention,
    unreached: mention,
    answerers: ['29:ben'],
  });

  it('shows who asks, for what, which groups, how long, until when, why, and who approved already', () => {
    const shown = inspect(rendered).texts.join('');
    for (const fact of [
      'Ana Torres',
      'Orders database (db-prod:read)',
      'prod-db-read in okta',
      '30 min',
      'fix stuck migration',
      '1 of 2: Ben Okafor',
      'R-7KQ2',
      'waiting for approval',
    ])
      expect(shown).toContain(fact);
    expect(rendered.summary).toContain('fix stuck migration');
  });

  it('has no Approve for everybody: those who were asked are shown it each for themselves', () => {
    expect(labels(rendered)).toEqual(['Refresh', 'Answer…']);
    expect(rendered.card).toMatchObject({
      refresh: { userIds: ['29:ben'], action: { type: 'Action.Execute', data: { hallpass: { do: 'look' } } } },
    });
  });

  it('names those who were asked, by id, and a name can be no markup', () => {
    expect(rendered.card).toMatchObject({
      msteams: { entities: [{ mentioned: { id: BEN } }, { mentioned: { id: BEN } }] },
    });
    expect(inspect(rendered).blocks.join('\n')).toBe(
      'Asked: <at>Ben Okafor http x</at>\nCould not be written to in person, and need the Hallpass app for that: <at>Ben Okafor http x</at>',
    );
  });

  it('refreshes for no more than sixty people', () => {
    const many = Array.from({ length: 100 }, (_, i) => ({
      account: { platform: 'teams', tenant: TENANT, id: `${i}` } as const,
      name: `P${i}`,
    }));
    const crowded = renderMessage(channel(requestView()), {
      ...context,
      mention: many,
      answerers: many.map(({ name }) => name),
    });
    expect((crowded.card.refresh as { userIds: string[] }).userIds).toHaveLength(60);
  });

  it('has no button any more once it is answered, but that for the story', () => {
    const over = requestView({ state: 'denied', can: { answer: false, cancel: false, extend: false, return: false } });
    const shut = renderMessage(channel(over), { ...context, answerers: ['29:ben'] });
    expect(labels(shut)).toEqual(['Story']);
    expect(shut.card.refresh).toBeUndefined();
  });
});

it('an approver has Approve and Deny, which carry the card alone, and a reason can be given for a denial', () => {
  const rendered = renderMessage({ kind: 'request', audience: 'approver', request: requestView() }, context);
  expect(labels(rendered)).toEqual(['Approve', 'Deny…', 'Deny']);
  for (const { data } of inspect(rendered).buttons)
    if (data !== undefined) expect(data).toMatchObject({ hallpass: { card: 'card-0123456789abcdef' } });
  expect(JSON.stringify(rendered.card)).toContain('"id":"reason"');
});

it('an approver may give less: from a list, or as it was typed, and nothing else is taken for a time', () => {
  const asked = requestView({ shorter: [900_000, 600_000] });
  const rendered = renderMessage({ kind: 'request', audience: 'approver', request: asked }, context);
  expect(labels(rendered)).toEqual(['Approve', 'Approve for less…', 'Approve for less', 'Deny…', 'Deny']);
  expect(JSON.stringify(rendered.card)).toContain('{"title":"15 min","value":"900"}');
  const typed = renderAnswer({ say: 'card', request: asked, durationMs: 600_000 }, context);
  expect(labels(typed)).toEqual(['Approve for 10 min', 'Deny…', 'Deny']);

  const by = { platform: 'teams', tenant: TENANT, id: BEN } as const;
  const read = readActivity(inChannel('https://smba.trafficmanager.net/', 'x'));
  const press = (data: object) => read && parseCardAction({ ...read, value: { action: { data } } }, by, 'teams:1');
  const wanted = { do: 'approve', target: { card: 'c1' }, durationMs: 600_000 };
  expect(press({ hallpass: { do: 'approve_for', card: 'c1' }, seconds: '600' })).toMatchObject({
    incoming: { command: wanted },
  });
  expect(press({ hallpass: { do: 'approve', card: 'c1', seconds: '600' } })).toMatchObject({
    incoming: { command: wanted },
  });
  expect(press({ hallpass: { do: 'approve_for', card: 'c1' } })).toMatchObject({ refusal: { code: 'expired_button' } });
  expect(press({ hallpass: { do: 'approve', card: 'c1', seconds: '-1' } })).toMatchObject({ is: 'ignored' });
});

it('every action of a card has a way for clients that know only Submit', () => {
  const rendered = renderMessage({ kind: 'request', audience: 'approver', request: requestView() }, context);
  const actions = JSON.stringify(rendered.card).match(/"type":"Action.Execute"/g)?.length;
  expect(JSON.stringify(rendered.card).match(/"fallback":\{"type":"Action.Submit"/g)).toHaveLength(actions ?? 0);
});

describe('what people type', () => {
  it.each([
    ['<at>Hallpass</at> list', 'list'],
    ['<at>Hallpass</at>&nbsp;request db-prod 30m fix &lt;it&gt; &amp; more', 'request db-prod 30m fix <it> & more'],
    ['/access status', 'status'],
    ['@Hallpass status', 'status'],
    ['&amp;lt;at&amp;gt;', '&lt;at&gt;'],
  ])('%s is read as %s', (text, wanted) => {
    const read = readActivity(inChannel('https://smba.trafficmanager.net/', text));
    expect(read && plainText(read)).toBe(wanted);
  });
});

describe('whatever people write', () => {
  const marks = [
    '[x](http://evil)',
    '**b**',
    '_i_',
    '<at>Ben</at>',
    '`c`',
    '# h',
    '- l',
    '\u202e',
    '\ud800',
    '{{DATE(2026-01-01)}}',
    '😀',
    '\n\n',
  ];
  const text = fc.oneof(
    fc.array(fc.constantFrom(...marks), { maxLength: 8 }).map((parts) => parts.join('')),
    fc.constantFrom('x', '😀', '\u0000', '"\\').map((one) => one.repeat(5_000)),
  );
  const flags = fc.record({ answer: fc.boolean(), cancel: fc.boolean(), extend: fc.boolean(), return: fc.boolean() });
  const request: fc.Arbitrary<RequestView> = fc
    .record({
      requesterName: text,
      title: text,
      entitlement: text,
      reason: text,
      headline: text,
      groups: fc.array(fc.record({ directory: text, group: text }), { maxLength: 12 }),
      approvals: fc.array(fc.record({ name: text, at: fc.constant(NOW) }), { maxLength: 12 }),
      denial: fc.record({ name: text, at: fc.constant(NOW), reason: text }),
      state: fc.constantFrom('pending', 'denied', 'cancelled'),
      can: flags,
    })
    .map((more) => requestView(more as Partial<RequestView>));
  const line = fc.record({ lead: text, rest: text });
  const reported: fc.Arbitrary<ReportView> = fc.record({
    title: text,
    headline: text,
    severity: fc.constantFrom('calm' as const, 'warning' as const),
    sections: fc.array(fc.record({ title: text, lines: fc.array(line, { maxLength: 30 }), note: text }), {
      maxLength: 12,
    }),
  });

  function check(rendered: Rendered): void {
    expect(sizeOf(rendered.card)).toBeLessThanOrEqual(CARD_MAX);
    const { blocks, texts, buttons } = inspect(rendered);
    for (const block of blocks) expect(block).toMatch(/^[A-Za-z ,]+: (?:<at>[\p{L}\p{M}\p{N} ]+<\/at>(?:, )?)+$/u);
    for (const shown of texts) expect(shown.isWellFormed() && shown.trim() !== '' && !/\u202e/.test(shown)).toBe(true);
    for (const { label } of buttons) expect(label).not.toBe('');
  }

  it('a message is one that Teams takes, and nothing of it is interpreted', () => {
    const person = fc.record({
      account: fc.constant({ platform: 'teams', tenant: TENANT, id: ANA } as const),
      name: text,
    });
    const view: fc.Arbitrary<MessageView> = fc.oneof(
      fc.record({
        kind: fc.constant('request' as const),
        audience: fc.constantFrom('channel', 'approver', 'requester', 'holder', 'warning', 'outcome'),
        request,
      }) as fc.Arbitrary<MessageView>,
      fc.record({
        kind: fc.constant('notice' as const),
        notice: fc.constant({ code: 'removal_failing', severity: 'critical', at: NOW } as const),
        title: text,
        lines: fc.array(text, { maxLength: 20 }),
      }),
      reported.map((report) => ({ kind: 'digest', digest: report }) as MessageView),
    );
    fc.assert(
      fc.property(view, fc.array(person, { maxLength: 30 }), (drawn, mention) =>
        check(renderMessage(drawn, { ...context, mention, unreached: mention, answerers: mention.map(() => '29:x') })),
      ),
      { numRuns: 100, endOnFailure: true },
    );
  });

  it('an answer is one that Teams takes, and nothing of it is interpreted', () => {
    const answer: fc.Arbitrary<Answer> = fc.oneof(
      fc.record({ say: fc.constantFrom('card' as const, 'status' as const), request }),
      fc.record({
        say: fc.constant('done' as const),
        what: fc.constant('requested' as const),
        request,
        asked: fc.array(text),
      }),
      fc.record({
        say: fc.constant('list' as const),
        which: fc.constant('active' as const),
        items: fc.array(request, { maxLength: 40 }),
        more: fc.boolean(),
      }),
      fc.record({ say: fc.constant('report' as const), about: fc.constant('who' as const), report: reported }),
      fc.record({
        say: fc.constant('refused' as const),
        refusal: fc.record({
          code: fc.constant('unknown_resource' as const),
          asked: text,
          suggestions: fc.array(text),
        }),
      }),
    );
    fc.assert(
      fc.property(answer, (given) => check(renderAnswer(given, context))),
      { numRuns: 100, endOnFailure: true },
    );
    check(renderAnswer({ say: 'help' }, context));
  });

  it('a person’s own page and the form are ones that Teams takes', () => {
    const shelf = fc.record({ items: fc.array(request, { maxLength: 8 }), more: fc.boolean() });
    const choice = fc.record({ resource: text, title: text, role: text });
    const home = fc.record({
      zone: fc.constant('UTC'),
      at: fc.constant(NOW),
      held: shelf,
      waiting: shelf,
      recent: shelf,
      choices: fc.record({ items: fc.array(choice, { maxLength: 10 }), more: fc.boolean() }),
    }) as fc.Arbitrary<HomeView>;
    fc.assert(
      fc.property(home, (drawn) => check(renderHome(drawn, { commandWord: '@Hallpass', welcome: 'Hello.' }))),
      { numRuns: 40, endOnFailure: true },
    );
    const many = Array.from({ length: 100 }, (_, i) => ({
      resource: `r${'x'.repeat(60)}${i}`,
      title: 't'.repeat(100),
    }));
    check(renderChoose(many, { code: 'unknown_resource', asked: '', suggestions: [] }, context));
    fc.assert(
      fc.property(text, text, (reason, title) => {
        const preview = {
          groups: [{ directory: 'okta', group: 'g' }],
          approvals: 1,
          approvers: ['on-call:dba'],
          asked: [title],
          others: true,
          defaultMs: 1,
          maxMs: 2,
          minReason: 10,
        };
        const chosen = {
          resource: 'db',
          title,
          role: 'read',
          roles: [
            { role: 'read', groups: [title] },
            { role: 'admin', groups: [] },
          ],
          stamp: 'ab',
          preview,
        };
        check(renderAsk({ zone: 'UTC', duration: reason, reason, chosen }, chosen, 'ab', [], context));
      }),
      { numRuns: 40, endOnFailure: true },
    );
  });
});

it('what has to be confirmed is a button that opens the link, and nothing was refused', () => {
  const refusal = {
    code: 'proof_needed',
    purpose: 'approve',
    entitlement: 'payments:write',
    link: 'https://hallpass.example.com/proof/p1',
    until: 0,
  } as const;
  const rendered = renderAnswer({ say: 'refused', refusal }, context);
  expect(labels(rendered)).toEqual(['Confirm with MFA']);
  expect(JSON.stringify(rendered.card)).toContain(`"url":"${refusal.link}"`);
  expect(inspect(rendered).texts.join('')).not.toContain('No:');
});
