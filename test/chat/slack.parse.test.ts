import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseBlockActions, parseSlashCommand, parseViewSubmission, plainText } from '../../src/chat/slack/parse.ts';
import { clickPayload, denyPayload, slashBody } from './slack-support.ts';

const context = { key: 'slack:1', appId: 'A1', workspaces: ['T1'] };
const account = { platform: 'slack', tenant: 'T1', id: 'U1' };

function slash(text: string, more: Record<string, string> = {}) {
  return parseSlashCommand(Object.fromEntries(new URLSearchParams(slashBody(text, more))), context);
}

describe('a typed command', () => {
  test('is by the account’s ids, never by its name', () => {
    expect(slash('request db-prod 30m fix it', { response_url: 'https://hooks.slack.com/x' })).toEqual({
      is: 'command',
      commandWord: '/access',
      incoming: {
        key: 'slack:1',
        command: { do: 'request', by: account, resource: 'db-prod', duration: { ms: 1_800_000 }, reason: 'fix it' },
        reply: { account, url: 'https://hooks.slack.com/x' },
      },
    });
  });

  test('that asks for nothing known is refused in words', () => {
    expect(slash('reqest db-prod', { command: '/pass' })).toMatchObject({
      is: 'refused',
      refusal: { code: 'unknown_command', suggestions: ['request'] },
      commandWord: '/pass',
    });
  });

  test('of another workspace is refused, of another app ignored', () => {
    expect(slash('help', { team_id: 'T2' })).toMatchObject({
      is: 'refused',
      refusal: { code: 'not_recognised', why: 'foreign' },
    });
    expect(slash('help', { api_app_id: 'A2' })).toEqual({ is: 'ignored', why: 'foreign_app' });
  });

  test('while our own workspace is not known goes on, to be judged by the lookup of people', () => {
    const body = Object.fromEntries(new URLSearchParams(slashBody('help', { team_id: 'T2' })));
    expect(parseSlashCommand(body, { key: 'k' })).toMatchObject({ is: 'command' });
  });

  test.each([{ user_id: 'mallory' }, { user_id: '' }, { team_id: 'x' }, { command: '' }])(
    'with %j is ignored',
    (more) => {
      expect(slash('help', more)).toEqual({ is: 'ignored', why: 'malformed' });
    },
  );

  test('keeps mentions by id and links as addresses, and never makes a mention of escaped text', () => {
    expect(plainText('ask <@U2|ben the boss> in <#C1|general> see <https://e.example/x|https://good.example>')).toBe(
      'ask @U2 in #C1 see https://e.example/x',
    );
    expect(plainText('a &lt;@U2&gt; &amp;lt; <!channel> <!subteam^S1|dba>')).toBe('a <@U2> &lt; @channel @S1');
  });

  test('finds a resource whose name Slack made a link of', () => {
    expect(slash('request <http://db.prod|db.prod>:read fix it')).toMatchObject({
      incoming: { command: { resource: 'db.prod', role: 'read' } },
    });
  });
});

describe('a button', () => {
  test.each(['approve', 'cancel', 'extend', 'return'])('%s carries its card and nothing else', (name) => {
    const body = clickPayload(`hallpass:${name}`, 'card-1', { response_url: 'https://hooks.slack.com/x' });
    expect(parseBlockActions(body, context)).toEqual({
      is: 'command',
      incoming: {
        key: 'slack:1',
        command: { do: name, by: account, target: { card: 'card-1' } },
        reply: { account, url: 'https://hooks.slack.com/x' },
      },
    });
  });

  test('deny asks for a reason first', () => {
    expect(parseBlockActions(clickPayload('hallpass:deny', 'card-1'), context)).toMatchObject({
      is: 'ask_reason',
      card: 'card-1',
      triggerId: '1.2.abc',
    });
  });

  test('approves for less when a shorter time was chosen or typed, and only by a value of ours', () => {
    const chosen = (value: string) =>
      clickPayload('hallpass:approve_for', undefined, {
        actions: [
          { type: 'static_select', action_id: 'hallpass:approve_for', block_id: 'b', selected_option: { value } },
        ],
      });
    const wanted = { do: 'approve', by: account, target: { card: 'card-1' }, durationMs: 1_800_000 };
    expect(parseBlockActions(chosen('card-1.1800'), context)).toMatchObject({ incoming: { command: wanted } });
    expect(parseBlockActions(clickPayload('hallpass:approve', 'card-1.1800'), context)).toMatchObject({
      incoming: { command: wanted },
    });
    for (const value of ['card-1', 'card-1.', 'card-1.0', 'card-1.-5', 'card-1.1e9', 'card-1.1800.1', '.1800'])
      expect(parseBlockActions(chosen(value), context)).toMatchObject({ refusal: { code: 'expired_button' } });
  });

  test('pressed by somebody of another organisation in a shared channel is refused', () => {
    const body = clickPayload('hallpass:approve', 'card-1', { user: { id: 'U9', team_id: 'T9' } });
    expect(parseBlockActions(body, context)).toMatchObject({ is: 'refused', refusal: { why: 'foreign' } });
  });

  test('is by the person’s own workspace, not by the one that the message is in', () => {
    const body = clickPayload('hallpass:approve', 'c', { team: { id: 'T1' }, user: { id: 'U9', team_id: 'T1' } });
    expect(parseBlockActions(body, context)).toMatchObject({
      incoming: { command: { by: { tenant: 'T1', id: 'U9' } } },
    });
  });

  test.each([undefined, '', 'x'.repeat(76), 'a b', 'ä', '<@U1>'])('with the value %j is out of date', (value) => {
    expect(parseBlockActions(clickPayload('hallpass:approve', value), context)).toMatchObject({
      is: 'refused',
      refusal: { code: 'expired_button' },
    });
  });

  test('of an unknown name is ignored', () => {
    expect(parseBlockActions(clickPayload('hallpass:constructor', 'c'), context)).toEqual({
      is: 'ignored',
      why: 'unknown_button',
    });
  });
});

describe('the deny dialog', () => {
  test('denies with the reason, cleaned', () => {
    expect(parseViewSubmission(denyPayload('card-1', ' not\n\u202etoday '), context)).toMatchObject({
      incoming: {
        command: { do: 'deny', by: account, target: { card: 'card-1' }, reason: 'not today' },
        reply: { account },
      },
    });
  });

  test('may be left empty', () => {
    const parsed = parseViewSubmission(denyPayload('card-1', null), context);
    expect(parsed).toMatchObject({ incoming: { command: { do: 'deny' } } });
    expect(JSON.stringify(parsed)).not.toContain('reason');
  });

  test('with a reason that is too long is refused', () => {
    expect(parseViewSubmission(denyPayload('card-1', 'x'.repeat(3000)), context)).toMatchObject({
      is: 'refused',
      refusal: { code: 'reason_too_long' },
    });
  });
});

test('whatever a payload holds, reading it never throws', () => {
  const parsers = [parseSlashCommand, parseBlockActions, parseViewSubmission];
  const bent = fc.tuple(
    fc.constantFrom(...parsers),
    fc.jsonValue(),
    fc.constantFrom('user', 'actions', 'view', 'text', 'team_id'),
  );
  fc.assert(
    fc.property(bent, ([parser, value, key]) => {
      for (const body of [
        value,
        { ...clickPayload('hallpass:deny', 'c'), [key]: value },
        { ...denyPayload('c', 'r'), [key]: value },
      ])
        expect(['command', 'refused', 'ask_reason', 'ignored']).toContain(parser(body, context).is);
    }),
  );
});
