import { describe, expect, test } from 'vitest';
import type { Subject } from '../../src/access/model.ts';
import { anyHolds, evaluate } from '../../src/access/policy.ts';
import { ana, ben, broken, group, HOUR, no, onCall, policy, yes } from '../support/builders.ts';

const ask = { ask: 'request', subjects: [yes(group('engineering'))], durationMs: HOUR, reasonLength: 20 } as const;

describe('a request', () => {
  test('is allowed when the person, the time and the reason fit', () => {
    const answer = evaluate(policy(), ask);
    expect(answer.allowed).toBe(true);
    expect(answer.satisfied.map((one) => one.constraint)).toEqual(['eligible', 'duration', 'reason']);
  });

  test('tells everything that is wrong at once', () => {
    const answer = evaluate(policy(), {
      ask: 'request',
      subjects: [no(group('engineering'))],
      durationMs: 5 * HOUR,
      reasonLength: 3,
    });
    expect(answer.unsatisfied.map((one) => one.constraint)).toEqual(['eligible', 'duration', 'reason']);
  });

  test.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY])('for %d milliseconds is never allowed', (durationMs) => {
    expect(evaluate(policy(), { ...ask, durationMs }).allowed).toBe(false);
  });

  test('for exactly the maximum is allowed', () => {
    expect(evaluate(policy(), { ...ask, durationMs: 4 * HOUR }).allowed).toBe(true);
  });
});

describe('an approver', () => {
  const asked = { ask: 'approve', approver: ben.id, requester: ana.id } as const;

  test('is whoever one of the subjects holds, whatever the others say', () => {
    expect(evaluate(policy(), { ...asked, subjects: [broken(onCall('dba')), yes(group('dba-leads'))] }).allowed).toBe(
      true,
    );
  });

  test('is never the requester, even when every subject holds', () => {
    const subjects = [yes(onCall('dba')), yes(group('dba-leads'))];
    const answer = evaluate(policy(), { ...asked, approver: ana.id, subjects });
    expect(answer.allowed).toBe(false);
    expect(answer.unsatisfied.map((one) => one.constraint)).toEqual(['not_own_request']);
  });

  test('who could not be looked up is not allowed, and that is told apart from a no', () => {
    const answer = evaluate(policy(), { ...asked, subjects: [no(onCall('dba')), broken(group('dba-leads'))] });
    expect(answer).toMatchObject({ allowed: false, unsatisfied: [] });
    expect(answer.broken[0]?.why).toContain('no answer in 10 s');
  });

  test('is nobody where the list is empty', () => {
    expect(evaluate(policy({ approvers: [] }), { ...asked, subjects: [yes(onCall('dba'))] }).allowed).toBe(false);
  });
});

test('a subject that nobody looked up is a gap of ours, not a no', () => {
  expect(anyHolds('approver', [group('a')], []).is).toBe('broken');
});

test('an answer about another directory’s group of the same name does not count', () => {
  const subject: Subject = group('dba-leads', 'google');
  expect(anyHolds('approver', [group('dba-leads')], [yes(subject)]).is).toBe('broken');
});
