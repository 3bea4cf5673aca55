/** Two promises: nothing is drawn that Slack would refuse, and nothing that a person wrote is interpreted by Slack. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Answer } from '../../src/access/command.ts';
import type { Audience } from '../../src/access/model.ts';
import type { GrantView, MessageView, RequestView } from '../../src/access/view.ts';
import { renderAnswer, renderDenyModal, renderMessage } from '../../src/chat/slack/render.ts';
import { inert } from '../../src/chat/slack/text.ts';
import { inspectMessage, inspectModal } from '../support/block-kit.ts';
import { NOW, requestView } from './slack-support.ts';

const context = { now: NOW, zone: 'UTC' };
const AUDIENCES: readonly Audience['kind'][] = ['channel', 'approver', 'requester', 'holder', 'warning'];

function message(audience: Audience['kind'], request: RequestView, more: object = {}) {
  return renderMessage({ kind: 'request', audience, request, ...more }, context);
}

describe('an approver', () => {
  const rendered = message('channel', requestView());
  const report = inspectMessage(rendered);
  const shown = report.shown.join('');

  test('sees who asks, for what, which groups, how long, until when, why, and who approved already', () => {
    for (const fact of [
      'Ana Torres',
      'Orders database (db-prod:read)',
      'prod-db-read in okta',
      '30 min',
      'if approved at 14:32 CET, until 15:02 CET',
      'fix stuck migration',
      '1 of 2: Ben Okafor',
      'R-7KQ2',
      'waiting for approval',
    ])
      expect(shown).toContain(fact);
    expect(report.problems).toEqual([]);
  });

  test('hears the same from a screen reader, which gets only the text', () => {
    for (const fact of ['R-7KQ2', 'Waiting for', 'Ana Torres', 'Orders database', '30 min', 'fix stuck migration'])
      expect(rendered.text).toContain(fact);
  });

  test('has Approve and Deny, which carry the card alone', () => {
    expect(report.buttons).toEqual([
      { action: 'hallpass:approve', value: 'card-0123456789abcdef', label: 'Approve' },
      { action: 'hallpass:deny', value: 'card-0123456789abcdef', label: 'Deny' },
    ]);
  });

  test('has no button any more once it is answered, but that for the story', () => {
    const over = requestView({ state: 'denied', can: { answer: false, cancel: false, extend: false, return: false } });
    const { buttons } = inspectMessage(message('channel', over));
    expect(buttons).toEqual([{ action: 'hallpass:story', value: over.cardId, label: 'Story' }]);
  });

  test('is mentioned by id; an account of another platform or a crooked id is not', () => {
    const mention = [
      { platform: 'slack' as const, tenant: 'T1', id: 'U7' },
      { platform: 'teams' as const, tenant: 'x', id: 'U8' },
      { platform: 'slack' as const, tenant: 'T1', id: 'channel> <!here' },
    ];
    expect(inspectMessage(message('channel', requestView(), { mention })).mentions).toEqual(['U7']);
  });

  test('sees until when more time would last', () => {
    const extension = { grantId: 'G-7KQ2', from: NOW + 600_000, until: NOW + 1_200_000 };
    const more = inspectMessage(message('channel', requestView({ extension })));
    expect(more.shown.join('')).toContain('until 14:52 CET instead of 14:42 CET (G-7KQ2)');
    const moved = { grantId: 'G-7KQ2', from: NOW + 20 * 60_000, until: NOW + 20 * 60_000 };
    const done = inspectMessage(message('channel', requestView({ state: 'approved', extension: moved })));
    expect(done.shown.join('')).toContain('until 14:52 CET (G-7KQ2)');
    expect(done.shown.join('')).not.toContain('instead of');
  });
});

describe('a requester', () => {
  test('can cancel while it waits, and cannot approve', () => {
    const { buttons } = inspectMessage(message('requester', requestView()));
    expect(buttons.map(({ action }) => action)).toEqual(['hallpass:cancel']);
  });

  test('who holds the access can extend and return it', () => {
    const held = requestView({
      state: 'approved',
      can: { answer: false, cancel: false, extend: true, return: true },
      grant: grantView({ state: 'active', expiresAt: NOW + 1_800_000 }),
      headline: 'Added to prod-db-read 14:32 CET. Ends 15:02 CET.',
    });
    for (const audience of ['holder', 'warning'] as const) {
      const report = inspectMessage(message(audience, held));
      expect(report.buttons.map(({ action }) => action)).toEqual([
        'hallpass:extend',
        'hallpass:return',
        'hallpass:story',
      ]);
      expect(report.shown.join('')).toContain('30 min, until 15:02 CET');
    }
  });
});

const PROOF = {
  code: 'proof_needed',
  purpose: 'approve',
  entitlement: 'payments:write',
  link: 'https://hallpass.example.com/proof/p1',
  until: NOW + 300_000,
} as const;

function grantView(more: Partial<GrantView> = {}): GrantView {
  return { id: 'G-7KQ2', state: 'active', addBy: NOW, hardEndAt: NOW, memberships: [], ...more };
}

describe('answers', () => {
  const answers: readonly Answer[] = [
    { say: 'help' },
    { say: 'refused', refusal: { code: 'own_request' } },
    { say: 'refused', refusal: PROOF },
    { say: 'done', what: 'requested', request: requestView(), asked: ['Ben Okafor'] },
    { say: 'card', request: requestView() },
    { say: 'status', request: requestView({ grant: grantView() }) },
    { say: 'list', which: 'mine', items: [], more: false },
    { say: 'list', which: 'pending', items: Array.from({ length: 100 }, () => requestView()), more: true },
  ];

  test.each(answers)('$say keeps within what Slack takes', (answer) => {
    const report = inspectMessage(renderAnswer(answer, { ...context, commandWord: '/pass' }));
    expect(report.problems).toEqual([]);
    expect(report.interpreted).toEqual([]);
  });

  test('what has to be confirmed is a button with the link, and nothing was refused', () => {
    const rendered = renderAnswer({ say: 'refused', refusal: PROOF }, { ...context, commandWord: '/pass' });
    expect(JSON.stringify(rendered.blocks)).toContain(`"url":"${PROOF.link}"`);
    expect(inspectMessage(rendered).buttons.map(({ label }) => label)).toEqual(['Confirm with MFA']);
    expect(rendered.text).toMatch(/^Your approval does not count \(.*\) until you have confirmed it with MFA/);
  });

  test('a refusal says the reason and the next step', () => {
    const refusal = { code: 'unknown_resource', asked: 'db-prd', suggestions: ['db-prod'] } as const;
    const { shown } = inspectMessage(renderAnswer({ say: 'refused', refusal }, { ...context, commandWord: '/access' }));
    expect(shown.join(' ')).toMatch(/^No: .*db-prd.*Did you mean db-prod\?$/);
  });

  test('a refusal says times in the same zone to the eye and to the ear', () => {
    const refusal = { code: 'already_granted', grantId: 'G-7KQ2', expiresAt: NOW } as const;
    const rendered = renderAnswer(
      { say: 'refused', refusal },
      { now: NOW, zone: 'Europe/Berlin', commandWord: '/access' },
    );
    expect(rendered.text).toContain('14:32 CET');
    expect(inspectMessage(rendered).shown.join(' ')).toContain('14:32 CET');
  });

  test('a typed approval shows the card with its buttons', () => {
    const { buttons } = inspectMessage(
      renderAnswer({ say: 'card', request: requestView() }, { ...context, commandWord: '/access' }),
    );
    expect(buttons.map(({ action }) => action)).toContain('hallpass:approve');
  });
});

test('the deny dialog carries only the card', () => {
  const view = renderDenyModal('c'.repeat(75));
  expect(inspectModal(view).problems).toEqual([]);
  expect(view.private_metadata).toBe('c'.repeat(75));
});

describe('whatever people write', () => {
  const marks = [
    '<!channel>',
    '<!here>',
    '<@U123>',
    '<!subteam^S1>',
    '<https://evil.example|safe>',
    '<!date^1^{date}^https://e.example|x>',
    'https://evil.example/x',
    'www.evil.example',
    'evil.com',
    '*bold*',
    '_it_',
    '~no~',
    '`code`',
    '```',
    '&lt;!channel&gt;',
    '&amp;',
    ':smile:',
    ':100:',
    '@channel',
    '#general',
    '\u202e',
    '\u2066',
    '\u0000',
    '\ud83d',
    '\n',
    '> quote',
    '• ',
    '😀',
    '👩‍💻',
    '[a](https://e.example)',
  ];
  const piece = fc.oneof(fc.constantFrom(...marks), fc.string({ unit: 'binary', maxLength: 20 }));
  const short = fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join(''));
  const long = fc
    .tuple(piece, fc.integer({ min: 1, max: 60_000 }))
    .map(([text, times]) => text.repeat(1 + times / (text.length + 1)));
  const text = fc.oneof({ weight: 3, arbitrary: short }, { weight: 1, arbitrary: long });
  const flags = fc.record({ answer: fc.boolean(), cancel: fc.boolean(), extend: fc.boolean(), return: fc.boolean() });
  const request = fc
    .record({
      requesterName: text,
      title: text,
      reason: text,
      headline: text,
      resource: text,
      entitlement: text,
      closedNote: text,
      groups: fc.array(fc.record({ directory: text, group: text }), { maxLength: 12 }),
      approvals: fc.array(fc.record({ name: text, at: fc.constant(NOW) }), { maxLength: 12 }),
      denial: fc.record({ name: text, at: fc.constant(NOW), reason: text }),
      state: fc.constantFrom('pending', 'approved', 'denied', 'cancelled', 'lapsed', 'withdrawn'),
      can: flags,
    } as const)
    .map((more) => requestView(more));
  const view: fc.Arbitrary<MessageView> = fc.oneof(
    fc.record({ kind: fc.constant('request' as const), audience: fc.constantFrom(...AUDIENCES), request }),
    fc.record({
      kind: fc.constant('notice' as const),
      notice: fc.constant({ code: 'removal_failing', severity: 'critical', at: NOW } as const),
      title: text,
      lines: fc.array(text, { maxLength: 20 }),
    }),
  );

  function checkWhole(rendered: { text: string; blocks: readonly object[] }): void {
    const report = inspectMessage(rendered);
    expect(report.problems).toEqual([]);
    expect(report.interpreted).toEqual([]);
    expect(report.mentions).toEqual([]);
    checkInert(rendered.text);
    for (const shown of report.shown) {
      expect(shown.isWellFormed()).toBe(true);
      expect(shown).not.toMatch(/[\u202a-\u202e\u2066-\u2069]/);
    }
  }

  function checkInert(said: string): void {
    expect(said.isWellFormed()).toBe(true);
    expect(said).not.toMatch(/[<>*~`]|(?<![\p{L}\p{N}])_|_(?![\p{L}\p{N}])/u);
    expect(said).not.toMatch(/&(?!(?:amp|lt|gt);)/);
    expect(said).not.toMatch(/:\/\//);
    expect(said).not.toMatch(/:[a-z0-9+_-]+:/);
    expect(said).not.toMatch(/[@#][\p{L}\p{N}]/u);
    expect(said).not.toMatch(/[\p{L}\p{N}]\.(?:com|example)/u);
    expect(said).not.toMatch(/[\u202a-\u202e\u2066-\u2069]/);
  }

  test('a message is one that Slack takes, and interprets none of it', () => {
    fc.assert(
      fc.property(view, (drawn) => checkWhole(renderMessage(drawn, context))),
      { numRuns: 150 },
    );
  });

  test('an answer is one that Slack takes, and interprets none of it', () => {
    const answer: fc.Arbitrary<Answer> = fc.oneof(
      fc.record({ say: fc.constant('card' as const), request }),
      fc.record({ say: fc.constant('status' as const), request }),
      fc.record({
        say: fc.constant('done' as const),
        what: fc.constant('denied' as const),
        request,
        asked: fc.array(text),
      }),
      fc.record({
        say: fc.constant('list' as const),
        which: fc.constant('active' as const),
        items: fc.array(request, { maxLength: 5 }),
        more: fc.boolean(),
      }),
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
      fc.property(answer, (given) => checkWhole(renderAnswer(given, { ...context, commandWord: '/access' }))),
      { numRuns: 150 },
    );
  });

  test('a fallback text is never cut inside an entity or a character', () => {
    fc.assert(
      fc.property(text, fc.integer({ min: 10, max: 200 }), (given, max) => {
        const said = inert(given, max);
        expect(said.length).toBeLessThanOrEqual(max);
        checkInert(said);
      }),
    );
  });

  test('times and entitlements stay as they are', () => {
    expect(inert('db_prod:read ends 15:02 CET.')).toBe('db_prod:read ends 15:02 CET.');
  });
});
