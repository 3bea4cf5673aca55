import { describe, expect, test } from 'vitest';
import type { Refusal, RefusalCode } from '../../src/access/command.ts';
import { cut, durationText, helpText, refusalText, timeText } from '../../src/access/words.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const at = Date.UTC(2026, 10, 23, 13, 32);

const refusals: { readonly [Code in RefusalCode]: Extract<Refusal, { code: Code }> } = {
  unknown_resource: { code: 'unknown_resource', asked: 'db-prd', suggestions: ['db-prod'] },
  ticket_missing: { code: 'ticket_missing', pattern: 'INC-\\d+' },
  over_daily: { code: 'over_daily', perDayMs: 8 * HOUR, usedMs: 7 * HOUR, leftMs: HOUR },
  too_many_live: { code: 'too_many_live', policy: 'standard', most: 2, grants: ['G-7KQ2', 'G-8KQ2'] },
  too_many_requests: { code: 'too_many_requests', most: 20 },
  condition_not_met: {
    code: 'condition_not_met',
    entitlement: 'db-prod:read',
    expression: 'now.hour < 20',
    now: ['now.hour is 22'],
  },
  unknown_role: { code: 'unknown_role', resource: 'db-prod', asked: 'root', roles: ['read', 'admin'] },
  bad_duration: { code: 'bad_duration', asked: '30x', example: '30m' },
  duration_over_maximum: { code: 'duration_over_maximum', askedMs: 600 * MINUTE, maxMs: 240 * MINUTE },
  time_past: { code: 'time_past', at, zone: 'Europe/Berlin' },
  reason_missing: { code: 'reason_missing', minLength: 10 },
  reason_too_short: { code: 'reason_too_short', minLength: 10, length: 3 },
  reason_too_long: { code: 'reason_too_long', maxLength: 1000, length: 50_000 },
  not_eligible: { code: 'not_eligible', entitlement: 'db-prod:read', wanted: ['group okta/engineering'] },
  already_pending: { code: 'already_pending', requestId: 'R-7KQ2' },
  already_granted: { code: 'already_granted', grantId: 'G-7KQ2', expiresAt: at },
  already_member: { code: 'already_member', groups: ['prod-db-read'] },
  nobody_to_ask: { code: 'nobody_to_ask', entitlement: 'db-prod:read' },
  own_request: { code: 'own_request' },
  workload_refused: { code: 'workload_refused', fault: 'replayed', why: 'This token was used before.' },
  person_needed: { code: 'person_needed' },
  proof_needed: {
    code: 'proof_needed',
    purpose: 'approve',
    entitlement: 'db-prod:read',
    link: 'https://hallpass.example.com/proof/p1',
    until: at,
  },
  proof_over: { code: 'proof_over', why: 'used' },
  not_an_approver: { code: 'not_an_approver', entitlement: 'db-prod:read', wanted: [] },
  longer_than_asked: { code: 'longer_than_asked', requestId: 'R-7KQ2', askedMs: 30 * MINUTE },
  not_your_turn: { code: 'not_your_turn', requestId: 'R-7KQ2', first: ['on-call dba', 'dba-leads'] },
  already_answered: { code: 'already_answered', requestId: 'R-7KQ2' },
  changed_since_shown: { code: 'changed_since_shown', requestId: 'R-7KQ2' },
  requester_not_eligible: { code: 'requester_not_eligible', requestId: 'R-7KQ2', why: 'Ana is no longer an engineer.' },
  not_pending: { code: 'not_pending', requestId: 'R-7KQ2' },
  not_yours: { code: 'not_yours', id: 'R-7KQ2' },
  not_live: { code: 'not_live', grantId: 'G-7KQ2' },
  not_added_yet: { code: 'not_added_yet', grantId: 'G-7KQ2' },
  no_grant: { code: 'no_grant', requestId: 'R-7KQ2' },
  over_maximum: { code: 'over_maximum', grantId: 'G-7KQ2', leftMs: 30 * MINUTE, maxMs: 240 * MINUTE },
  not_an_admin: { code: 'not_an_admin' },
  own_access: { code: 'own_access', grantId: 'G-7KQ2' },
  nothing_to_adopt: { code: 'nothing_to_adopt', grantId: 'G-7KQ2' },
  not_a_responder: { code: 'not_a_responder' },
  frozen: { code: 'frozen', what: 'db-prod', by: 'Cat', reason: 'incident 4711', at },
  already_frozen: { code: 'already_frozen', what: 'everything', by: 'Cat', reason: 'incident 4711', at },
  not_frozen: { code: 'not_frozen', what: 'db-prod' },
  nothing_to_revoke: { code: 'nothing_to_revoke', what: 'db-prod' },
  preview_expired: { code: 'preview_expired' },
  no_break_glass: { code: 'no_break_glass', entitlement: 'db-prod:read' },
  review_open: { code: 'review_open', grantId: 'G-7KQ2', dueAt: at },
  own_review: { code: 'own_review' },
  not_a_signer: { code: 'not_a_signer', wanted: ['group:okta/security'] },
  signed_already: { code: 'signed_already', day: '2026-11-23', by: 'Sam' },
  no_digest: { code: 'no_digest', day: '2026-11-22' },
  not_a_reviewer: { code: 'not_a_reviewer', wanted: ['group:okta/security'] },
  reviewed_already: { code: 'reviewed_already', grantId: 'G-7KQ2', by: 'Sam' },
  own_finding: { code: 'own_finding' },
  not_security: { code: 'not_security', wanted: ['group:okta/security'] },
  finding_over: { code: 'finding_over', finding: 'F-7KQ2M', by: 'Sam', how: 'dismissed' },
  asked_already: { code: 'asked_already', finding: 'F-7KQ2M', by: 'Sam' },
  not_asked: { code: 'not_asked', finding: 'F-7KQ2M' },
  nobody_to_write_to: { code: 'nobody_to_write_to', who: 'Ana' },
  unknown_person: { code: 'unknown_person', asked: '@ana' },
  not_a_viewer: { code: 'not_a_viewer' },
  unknown_id: { code: 'unknown_id', asked: 'R-XXXX' },
  ambiguous_id: { code: 'ambiguous_id', asked: 'db-prod', ids: ['G-7KQ2', 'G-8KQ2'] },
  expired_button: { code: 'expired_button' },
  unknown_command: { code: 'unknown_command', asked: 'reqest', suggestions: ['request'] },
  usage: { code: 'usage', usage: 'approve <id>' },
  not_recognised: { code: 'not_recognised', why: 'guest', message: 'Guests may not use Hallpass.' },
  cannot_check: { code: 'cannot_check', what: 'who is on call', error: 'timeout' },
  group_unusable: { code: 'group_unusable', group: 'prod-db-read', why: 'it is fed by a rule.' },
  busy: { code: 'busy' },
  being_retried: { code: 'being_retried' },
};

describe('every refusal', () => {
  test.each(Object.values(refusals))('$code says what is wrong and what to do next', (refusal) => {
    for (const zone of ['Europe/Berlin', undefined]) {
      const { reason, next } = refusalText(refusal, zone);
      expect(reason.length).toBeGreaterThan(10);
      expect(next.length).toBeGreaterThan(5);
      expect(`${reason} ${next}`).not.toMatch(/undefined|NaN|\[object/);
    }
  });

  test('names the person’s own command word', () => {
    expect(refusalText(refusals.unknown_command, undefined, '/hallpass').next).toContain('/hallpass request');
  });

  test('shows times with their zone, and UTC when no zone is known', () => {
    expect(refusalText(refusals.already_granted, 'Europe/Berlin').reason).toContain('14:32 CET');
    expect(refusalText(refusals.already_granted, undefined).reason).toContain('13:32 UTC');
  });
});

describe('words', () => {
  test('a time is shown with its zone, and with its date when it is not today there', () => {
    expect(timeText(at, at, 'Europe/Berlin')).toBe('14:32 CET');
    expect(timeText(at + 24 * 60 * MINUTE, at, 'Europe/Berlin')).toBe('Tue 24 Nov 14:32 CET');
    expect(timeText(at + 11 * 60 * MINUTE, at, 'UTC')).toBe('Tue 24 Nov 00:32 UTC');
    expect(timeText(at + 60 * 24 * 60 * MINUTE, at, 'UTC')).toBe('Fri 22 Jan 2027 13:32 UTC');
  });

  test('a zone nobody knows falls back to UTC instead of failing', () => {
    expect(timeText(at, at, 'Mars/Olympus')).toBe('13:32 UTC');
    expect(timeText(Number.NaN, at, 'UTC')).toContain('unknown');
  });

  test('durations are short and never empty', () => {
    expect([90 * MINUTE, 45_000, 0, -5, 26 * 60 * MINUTE, 48 * 60 * MINUTE].map(durationText)).toEqual([
      '1 h 30 min',
      '45 s',
      '0 s',
      '0 s',
      '1 day 2 h',
      '2 days',
    ]);
  });

  test('texts are cut between characters, never inside one', () => {
    expect(cut('😀😀😀😀', 3)).toBe('😀😀…');
    expect(cut('abc', 3)).toBe('abc');
  });

  test('the help names every command with its own word', () => {
    for (const word of ['request', 'approve', 'deny', 'cancel', 'status', 'list', 'extend', 'return', 'revoke'])
      expect(helpText('/pass')).toContain(`/pass ${word}`);
  });
});
