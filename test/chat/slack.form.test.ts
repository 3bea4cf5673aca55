/** The form: what Slack would refuse is never drawn, what people wrote is only text, and what comes back is only input. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Refusal } from '../../src/access/command.ts';
import { CHOICES_MAX, type FormView, type Preview } from '../../src/access/preview.ts';
import { type ParseContext, parseSlashCommand } from '../../src/chat/slack/parse.ts';
import {
  parseFormAction,
  parseFormSubmission,
  parseHomeOpened,
  parseShortcut,
  parseSuggestion,
} from '../../src/chat/slack/parse-form.ts';
import {
  fieldOf,
  renderChoices,
  renderForm,
  renderFormErrors,
  renderFormLoading,
} from '../../src/chat/slack/render-form.ts';
import { inspectModal, inspectOptions } from '../support/block-kit.ts';
import { clickPayload, slashBody } from './slack-support.ts';

const context = { zone: 'UTC', commandWord: '/access' };
const parseContext: ParseContext = { key: 'slack:1', appId: 'A1', workspaces: ['T1'], form: true };
const account = { platform: 'slack', tenant: 'T1', id: 'U1' };
const stamp = '0123456789abcdef';

const preview: Preview = {
  groups: [{ directory: 'okta', group: 'prod-db-read' }],
  approvals: 1,
  approvers: ['on-call:dba'],
  asked: ['Ben Okafor', 'Cat Lindqvist'],
  others: false,
  defaultMs: 1_800_000,
  maxMs: 14_400_000,
  minReason: 10,
};

function formView(more: Partial<Preview> = {}, view: Partial<FormView> = {}): FormView {
  return {
    zone: 'Europe/Berlin',
    duration: '',
    reason: '',
    chosen: {
      resource: 'db-prod',
      title: 'Orders database',
      role: 'read',
      roles: [
        { role: 'read', groups: ['prod-db-read in okta'] },
        { role: 'admin', groups: ['prod-db-admin in okta'] },
      ],
      stamp,
      preview: { ...preview, ...more },
    },
    ...view,
  };
}

function shownBy(view: FormView): string {
  const report = inspectModal(renderForm(view, context));
  expect(report.problems).toEqual([]);
  expect(report.interpreted).toEqual([]);
  return report.shown.join('\n');
}

describe('the form', () => {
  test('says who will be asked and what the policy wants, before it is sent', () => {
    const shown = shownBy(formView());
    for (const words of [
      '1 approval by on-call:dba: Ben Okafor and Cat Lindqvist; at most 4 h.',
      'When approved, you are added to prod-db-read in okta, and taken out on time.',
      'Like 30m, 1h30m, 2d or until 17:00 (Europe/Berlin). At most 4 h.',
      '30 min when left empty',
      'At least 10 characters.',
    ])
      expect(shown).toContain(words);
  });

  test('says of a list that is not complete that others may answer too', () => {
    expect(shownBy(formView({ approvals: 2, others: true }))).toContain(
      '2 approvals by on-call:dba: Ben Okafor and Cat Lindqvist, or others of them; at most 4 h.',
    );
    expect(shownBy(formView({ asked: [], others: true, approvers: ['group:okta/leads', 'user:a@b.c'] }))).toContain(
      '1 approval by group:okta/leads or user:a@b.c; at most 4 h.',
    );
  });

  test('says to somebody who may not ask why not, and not who would decide', () => {
    const refusal: Refusal = { code: 'not_eligible', entitlement: 'db-prod:read', wanted: ['group:okta/engineering'] };
    const shown = shownBy(formView({ refusal }));
    expect(shown).toContain(
      'Not now: You may not request db-prod:read. It can be requested by group:okta/engineering.',
    );
    expect(shown).not.toContain('Ben Okafor');
  });

  test('has no role to choose where there is one, and nothing to send where there is no form', () => {
    const one = formView();
    const chosen = one.chosen && { ...one.chosen, roles: one.chosen.roles.slice(0, 1) };
    expect(JSON.stringify(renderForm({ ...one, ...(chosen && { chosen }) }, context))).not.toContain('hallpass:role');
    const refusal: Refusal = { code: 'not_recognised', why: 'guest', message: 'Guest accounts cannot ask.' };
    const none = renderForm({ zone: 'UTC', duration: '', reason: '', refusal }, context);
    expect(none.submit).toBeUndefined();
    expect(inspectModal(none).shown.join()).toContain('Guest accounts cannot ask.');
    expect(inspectModal(renderFormLoading()).problems).toEqual([]);
  });

  test('carries only what was shown, and keeps what was typed', () => {
    const view = renderForm(formView({}, { duration: '2h', reason: 'stuck' }), context);
    expect(JSON.parse(view.private_metadata ?? '')).toEqual({ resource: 'db-prod', role: 'read', stamp });
    expect(JSON.stringify(view)).toContain('"initial_value":"2h"');
    expect(JSON.stringify(view)).toContain('"initial_value":"stuck"');
  });

  test('keeps within Slack’s limits and interprets nothing, whatever stands in the file and in the fields', () => {
    const name = fc.stringMatching(/^[A-Za-z][A-Za-z0-9._/-]{0,62}$/);
    const wild = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 3000 }),
      fc.constantFrom('<!channel> *x* `y`', '😀'.repeat(1200), '\u202e', '', '\n\n', '&'.repeat(2000)),
    );
    const wanted = fc.array(wild, { maxLength: 30 });
    const refusal: fc.Arbitrary<Refusal> = fc.oneof(
      fc.record({ code: fc.constant('not_eligible' as const), entitlement: wild, wanted }),
      fc.record({ code: fc.constant('unknown_resource' as const), asked: wild, suggestions: wanted }),
      fc.record({ code: fc.constant('group_unusable' as const), group: wild, why: wild }),
      fc.record({ code: fc.constant('reason_too_short' as const), minLength: fc.nat(), length: fc.nat() }),
    );
    const anyForm: fc.Arbitrary<FormView> = fc.record(
      {
        zone: fc.constantFrom('UTC', 'Nowhere/Land'),
        duration: wild,
        reason: wild,
        missing: refusal,
        chosen: fc
          .record({
            resource: name,
            title: wild,
            names: fc.uniqueArray(name, { minLength: 1, maxLength: 130 }),
            at: fc.nat(),
            groups: wanted,
            preview: fc.record(
              {
                groups: fc.array(fc.record({ directory: name, group: wild }), { minLength: 1, maxLength: 20 }),
                approvals: fc.integer({ min: 1, max: 9 }),
                approvers: wanted,
                asked: wanted,
                others: fc.boolean(),
                defaultMs: fc.nat(),
                maxMs: fc.nat(),
                minReason: fc.nat(1000),
                refusal,
              },
              {
                requiredKeys: [
                  'groups',
                  'approvals',
                  'approvers',
                  'asked',
                  'others',
                  'defaultMs',
                  'maxMs',
                  'minReason',
                ],
              },
            ),
          })
          .map(({ names, at, groups, ...rest }) => ({
            ...rest,
            stamp,
            role: names[at % names.length] ?? '',
            roles: names.map((role) => ({ role, groups })),
          })),
      },
      { requiredKeys: ['zone', 'duration', 'reason'] },
    );
    fc.assert(
      fc.property(anyForm, (form) => {
        const report = inspectModal(renderForm(form, context));
        expect(report.problems).toEqual([]);
        expect(report.interpreted).toEqual([]);
      }),
      { numRuns: 200 },
    );
    fc.assert(
      fc.property(fc.array(fc.record({ resource: name, title: wild }), { maxLength: 150 }), (choices) => {
        const answer = renderChoices(choices);
        expect(answer.options.length).toBeLessThanOrEqual(CHOICES_MAX);
        expect(inspectOptions(answer)).toMatchObject({ problems: [], interpreted: [] });
      }),
      { numRuns: 100 },
    );
  });
});

describe('a refusal', () => {
  test('is said on the field that it is about, in words for a form', () => {
    const said = (refusal: Refusal) => renderFormErrors({ [fieldOf(refusal)]: refusal }, context).errors;
    expect(said({ code: 'bad_duration', asked: 'soon', example: '30m' })).toEqual({
      duration: '“soon” is not a duration. Write it like 30m, 1h30m, 2d or until 17:00.',
    });
    expect(said({ code: 'reason_missing', minLength: 10 })).toEqual({ reason: 'Say why, in at least 10 characters.' });
    expect(said({ code: 'unknown_resource', asked: '', suggestions: [] })).toEqual({
      resource: 'Choose what you need access to.',
    });
    expect(said({ code: 'already_pending', requestId: 'R-7KQ2' }).resource).toContain('R-7KQ2 is waiting');
    const long = said({ code: 'group_unusable', group: 'x'.repeat(500), why: 'y'.repeat(500) }).resource ?? '';
    expect([...long].length).toBeLessThanOrEqual(300);
  });
});

function values(more: Record<string, unknown> = {}) {
  const option = (value: string) => ({ selected_option: { value } });
  return {
    resource: { 'hallpass:resource': option('db-prod') },
    'role:db-prod': { 'hallpass:role': option('admin') },
    duration: { duration: { value: '1h30m' } },
    reason: { reason: { value: ' “fix stuck migration” ' } },
    ...more,
  };
}

function submission(more: Record<string, unknown> = {}, view: Record<string, unknown> = {}): object {
  return {
    type: 'view_submission',
    api_app_id: 'A1',
    user: { id: 'U1', team_id: 'T1' },
    view: {
      id: 'V1',
      hash: '1.abc',
      callback_id: 'hallpass:form',
      private_metadata: JSON.stringify({ resource: 'db-prod', role: 'admin', stamp }),
      state: { values: values() },
      ...view,
    },
    ...more,
  };
}

const sent = (stands: Record<string, unknown>) =>
  parseFormSubmission(submission({}, { state: { values: stands } }), parseContext);

describe('a form that was sent', () => {
  test('is the command that could have been typed', () => {
    expect(parseFormSubmission(submission(), parseContext)).toMatchObject({
      is: 'form_sent',
      viewId: 'V1',
      hash: '1.abc',
      shown: { resource: 'db-prod', role: 'admin', stamp },
      command: {
        do: 'request',
        by: account,
        resource: 'db-prod',
        role: 'admin',
        duration: { ms: 5_400_000 },
        reason: 'fix stuck migration',
      },
    });
  });

  test('without a duration leaves it to the policy, and takes a time of day', () => {
    const empty = sent(values({ duration: { duration: { value: null } } }));
    expect(empty.is === 'form_sent' && 'duration' in empty.command).toBe(false);
    expect(sent(values({ duration: { duration: { value: 'Until 17:00' } } }))).toMatchObject({
      command: { duration: { until: { hour: 17, minute: 0 } } },
    });
  });

  test('never takes a role that was chosen for another resource', () => {
    const read = sent(values({ resource: { 'hallpass:resource': { selected_option: { value: 'reports' } } } }));
    expect(read).toMatchObject({ is: 'form_sent', command: { resource: 'reports' } });
    expect(read.is === 'form_sent' && 'role' in read.command).toBe(false);
  });

  test.each([
    ['resource', { resource: { 'hallpass:resource': { selected_option: null } } }],
    ['resource', { resource: { 'hallpass:resource': { selected_option: { value: `a${'b'.repeat(75)}` } } } }],
    ['resource', { resource: { 'hallpass:resource': { selected_option: { value: '__proto__' } } } }],
    ['role:db-prod', { 'role:db-prod': { 'hallpass:role': { selected_option: { value: 'no such\nrole' } } } }],
    ['duration', { duration: { duration: { value: 'soon' } } }],
    ['duration', { duration: { duration: { value: '30m and more' } } }],
    ['duration', { duration: { duration: { value: '99999999999999d' } } }],
    ['reason', { reason: { reason: { value: 'x'.repeat(1001) } } }],
  ])('with nonsense in %s is refused there', (field, more) => {
    const read = sent(values(more));
    expect(read.is === 'form_refused' && Object.keys(read.refusals)).toEqual([field]);
  });

  test('with a stamp that is none, or by somebody else’s app or workspace, is not believed', () => {
    for (const private_metadata of ['', '{', 'null', '{"resource":"db-prod"}', 'x'.repeat(3000)]) {
      const read = parseFormSubmission(submission({}, { private_metadata }), parseContext);
      expect(read.is === 'form_sent' && 'shown' in read).toBe(false);
    }
    expect(parseFormSubmission(submission({ api_app_id: 'A2' }), parseContext)).toEqual({
      is: 'ignored',
      why: 'foreign_app',
    });
    expect(parseFormSubmission(submission({ user: { id: 'U1', team_id: 'T2' } }), parseContext)).toEqual({
      is: 'ignored',
      why: 'foreign_workspace',
    });
  });

  test('of any shape at all is read without throwing', () => {
    fc.assert(
      fc.property(fc.anything(), fc.anything(), (body, stands) => {
        for (const parse of [parseFormSubmission, parseFormAction, parseShortcut, parseSuggestion, parseHomeOpened]) {
          parse(body, parseContext);
          parse(submission({}, { state: { values: stands } }), parseContext);
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe('what opens or changes the form', () => {
  test('is a command that names nothing yet, where there is a form; help and anything more are commands', () => {
    const typed = (text: string, form = true) =>
      parseSlashCommand(Object.fromEntries(new URLSearchParams(slashBody(text))), { ...parseContext, form });
    for (const text of ['', '  ', '\u200b', 'request', ' REQUEST \u00a0'])
      expect(typed(text), JSON.stringify(text)).toMatchObject({
        is: 'open_form',
        triggerId: '1.2.abc',
        reply: { account },
      });
    expect(typed('help')).toMatchObject({ is: 'command', incoming: { command: { do: 'help' } } });
    expect(typed('request db-prod')).toMatchObject({ is: 'command', incoming: { command: { do: 'request' } } });
    expect(typed('', false)).toMatchObject({ is: 'command', incoming: { command: { do: 'help' } } });
  });

  test.each([
    ['hallpass:form', 'form', {}],
    ['hallpass:ask', 'db-prod:read', { resource: 'db-prod', role: 'read' }],
    ['hallpass:again', 'card-1', { card: 'card-1' }],
  ])('%s with %s', (action, value, from) => {
    const parsed = parseFormAction(clickPayload(action, value), parseContext);
    expect(parsed).toEqual({ is: 'open_form', triggerId: '1.2.abc', reply: { account }, from });
  });

  test('a chosen option, with what stands in the form', () => {
    const change = { ...submission(), type: 'block_actions', actions: [{ action_id: 'hallpass:role' }] };
    expect(parseFormAction(change, parseContext)).toMatchObject({
      is: 'form_changed',
      viewId: 'V1',
      wish: { resource: 'db-prod', role: 'admin', duration: '1h30m' },
    });
  });

  test('any other button is none of the form’s, and a foreign person is told so', () => {
    expect(parseFormAction(clickPayload('hallpass:approve', 'card-1'), parseContext)).toBeUndefined();
    const foreign = clickPayload('hallpass:ask', 'db-prod:read', { user: { id: 'U1', team_id: 'T2' } });
    expect(parseFormAction(foreign, parseContext)).toMatchObject({ is: 'refused', refusal: { why: 'foreign' } });
    expect(parseFormAction(clickPayload('hallpass:ask', '<b>'), parseContext)).toMatchObject({ why: 'malformed' });
  });

  test('an opened home tab is read, the messages tab and other events are not', () => {
    const event = { type: 'app_home_opened', user: 'U1', tab: 'home', view: { hash: '2.x' } };
    const body = { type: 'event_callback', team_id: 'T1', api_app_id: 'A1', event };
    expect(parseHomeOpened(body, parseContext)).toEqual({ account, hash: '2.x' });
    expect(parseHomeOpened({ ...body, event: { ...event, tab: 'messages' } }, parseContext)).toBeUndefined();
    expect(parseHomeOpened({ ...body, team_id: 'T2' }, parseContext)).toBeUndefined();
    expect(parseHomeOpened({ ...body, event: { ...event, type: 'team_join' } }, parseContext)).toBeUndefined();
  });
});
