/** A finding as Slack and Teams show it, to security and to its holder; and what its buttons ask for. */
import { describe, expect, test } from 'vitest';
import type { Finding } from '../../src/access/activity.ts';
import { type FindingAudience, findingView } from '../../src/access/finding-view.ts';
import type { Grant } from '../../src/access/model.ts';
import { parseBlockActions, parseViewSubmission } from '../../src/chat/slack/parse.ts';
import { renderAnswer, renderMessage, renderReasonModal } from '../../src/chat/slack/render.ts';
import { readActivity } from '../../src/chat/teams/activity.ts';
import { parseCardAction } from '../../src/chat/teams/parse.ts';
import { renderMessage as renderCard } from '../../src/chat/teams/render.ts';
import { aFinding } from '../contracts/store-activities.ts';
import { T0 } from '../contracts/store-rows.ts';
import { inspectMessage, inspectModal } from '../support/block-kit.ts';
import { clickPayload, denyPayload } from './slack-support.ts';
import { ANA, inChannel, TENANT } from './teams-support.ts';

const HOSTILE = '<!channel> *bold* <https://evil.example|here> @here \u202e';
const context = { now: T0 + 60_000, zone: 'UTC', commandWord: '/access' };
const live: Pick<Grant, 'state'> = { state: 'active' };

const view = (finding: Partial<Finding>, audience: FindingAudience = 'security', grant = live) =>
  findingView(aFinding(finding), grant, audience, context.now, 'UTC');
const inSlack = (finding: Partial<Finding>, audience: FindingAudience = 'security') =>
  inspectMessage(renderMessage({ kind: 'finding', audience, finding: view(finding, audience) }, context));
const buttonsOf = (finding: Partial<Finding>, audience?: FindingAudience, grant = live) =>
  Object.entries(view(finding, audience, grant).can).flatMap(([name, can]) => (can ? [name] : []));

describe('what can be done', () => {
  test.each([
    ['open', {}, ['ask', 'revoke', 'dismiss']],
    ['asked', { state: 'asked' }, ['revoke', 'dismiss']],
    ['explained', { state: 'explained' }, ['revoke', 'dismiss']],
    ['dismissed', { state: 'dismissed' }, []],
    ['revoked', { state: 'revoked' }, []],
  ] as const)('by security about one that is %s', (_, finding, buttons) => {
    expect(buttonsOf(finding)).toEqual(buttons);
  });

  test('by its holder only once asked, and no longer when it is closed', () => {
    expect(buttonsOf({ state: 'asked' }, 'holder')).toEqual(['answer']);
    expect(buttonsOf({ state: 'explained' }, 'holder')).toEqual(['answer']);
    expect(buttonsOf({ state: 'dismissed' }, 'holder')).toEqual([]);
  });

  test('about access that is over is not to revoke it', () => {
    expect(buttonsOf({}, 'security', { state: 'ended' })).toEqual(['ask', 'dismiss']);
  });
});

describe('in Slack', () => {
  test('security reads what, who, how often, examples and what to do, also with a screen reader', () => {
    const { shown, problems } = inSlack({ count: 12 });
    const said = renderMessage({ kind: 'finding', audience: 'security', finding: view({ count: 12 }) }, context).text;
    expect(problems).toEqual([]);
    for (const fact of [
      'F-7KQ2M',
      'high',
      'Bulk export',
      'Ada Lovelace',
      'G-7KQ2',
      '12 times',
      'and 11 more',
      'SELECT',
    ])
      expect(
        [shown.join('\n'), said].every((text) => text.includes(fact)),
        fact,
      ).toBe(true);
  });

  test('its holder is told what was seen, and neither the level nor the rule', () => {
    const shown = inSlack({ state: 'asked', askedBy: 'Sam' }, 'holder').shown.join('\n');
    expect(shown).toContain('Security asks about your access to db-prod:read');
    expect(shown).toContain('Sam wants to know what this was for');
    expect(shown).not.toMatch(/high|bulk-export|F-7KQ2M/);
  });

  test('nothing that a source or a person wrote is interpreted', () => {
    const hostile = { action: HOSTILE, target: HOSTILE, account: HOSTILE, resource: HOSTILE };
    const finding = aFinding({ explanation: HOSTILE, state: 'explained', holderName: HOSTILE, title: HOSTILE });
    const examples = finding.examples.map((one) => ({ ...one, ...hostile }));
    for (const audience of ['security', 'holder'] as const) {
      const drawn = renderMessage(
        { kind: 'finding', audience, finding: view({ ...finding, examples }, audience) },
        context,
      );
      expect(inspectMessage(drawn).problems).toEqual([]);
      expect(drawn.text).not.toMatch(/<!channel>|<https|(?<!\u2060)@here\b|\u202e/);
      expect(JSON.stringify(drawn.blocks)).not.toContain('mrkdwn');
    }
  });

  test('the answer to whoever pressed has no buttons, and the dialogs are what Slack takes', () => {
    const { blocks } = renderAnswer({ say: 'finding', finding: view({}) }, context);
    expect(blocks.some(({ type }) => type === 'actions')).toBe(false);
    for (const about of ['dismiss', 'explain'] as const)
      expect(inspectModal(renderReasonModal(about, 'F-7KQ2M')).problems).toEqual([]);
  });

  test('buttons and dialogs ask for what they say, by the id alone', () => {
    const pressed = (action: string) => parseBlockActions(clickPayload(action, 'F-7KQ2M'), { key: 'k' });
    expect(pressed('hallpass:ask-holder')).toMatchObject({
      incoming: { command: { do: 'ask-holder', finding: 'F-7KQ2M' } },
    });
    expect(pressed('hallpass:revoke-finding')).toMatchObject({ incoming: { command: { do: 'revoke-finding' } } });
    expect(pressed('hallpass:dismiss-finding')).toMatchObject({ is: 'ask_reason', about: 'dismiss', card: 'F-7KQ2M' });
    expect(pressed('hallpass:explain-finding')).toMatchObject({ is: 'ask_reason', about: 'explain' });
    expect(parseBlockActions(clickPayload('hallpass:ask-holder', '<bad>'), { key: 'k' })).toMatchObject({
      refusal: { code: 'expired_button' },
    });
    const sent = (callback: string) => {
      const payload = denyPayload('F-7KQ2M', ' a backup ') as { readonly view: object };
      return parseViewSubmission({ ...payload, view: { ...payload.view, callback_id: callback } }, { key: 'k' });
    };
    expect(sent('hallpass:dismiss')).toMatchObject({
      incoming: { command: { do: 'dismiss-finding', reason: 'a backup' } },
    });
    expect(sent('hallpass:explain')).toMatchObject({
      incoming: { command: { do: 'explain-finding', explanation: 'a backup' } },
    });
  });
});

describe('in Teams', () => {
  const drawn = (finding: Partial<Finding>, audience: FindingAudience = 'security') =>
    JSON.stringify(renderCard({ kind: 'finding', audience, finding: view(finding, audience) }, context).card);

  test('the same is said and asked for', () => {
    const card = drawn({ count: 12 });
    for (const fact of ['F-7KQ2M', 'Bulk export', 'Ada Lovelace', '12 times', 'Ask the holder', 'Revoke', 'Dismiss'])
      expect(card, fact).toContain(fact);
    expect(drawn({ state: 'asked' }, 'holder')).toContain('explain-finding');
    expect(drawn({ state: 'dismissed' })).not.toContain('Action.');
  });

  test('a press asks for what it says, with the text that was typed beside it', () => {
    const read = readActivity(inChannel('https://smba.trafficmanager.net/', 'x'));
    const by = { platform: 'teams', tenant: TENANT, id: ANA } as const;
    const press = (what: string, reason?: string) => {
      const data = { hallpass: { do: what, card: 'F-7KQ2M' }, reason };
      return read && parseCardAction({ ...read, value: { action: { data } } }, by, 'k');
    };
    expect(press('ask-holder')).toMatchObject({ incoming: { command: { do: 'ask-holder', finding: 'F-7KQ2M' } } });
    expect(press('revoke-finding')).toMatchObject({ incoming: { command: { do: 'revoke-finding' } } });
    expect(press('dismiss-finding', 'planned')).toMatchObject({ incoming: { command: { reason: 'planned' } } });
    expect(press('explain-finding', 'a backup')).toMatchObject({ incoming: { command: { explanation: 'a backup' } } });
  });
});
