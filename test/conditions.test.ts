/**
 * An expression is judged when the file is read: what passes can be evaluated at any hour, ends soon, and reads only
 * what it is given. What could not be looked up is never taken for "no", nor for "yes".
 */
import { describe, expect, test } from 'vitest';
import type { ConditionContext } from '../src/access/condition.ts';
import { compileCondition } from '../src/conditions/cel.ts';
import { condition } from './support/condition.ts';

const EVENING: ConditionContext = {
  now: { hour: 22, minute: 5, weekday: 2, date: '2026-03-10' },
  requester: { email: 'ana@acme.com', name: 'Ana', groups: ['okta/dba'], onCall: [] },
  resource: { name: 'db-prod', tags: ['prod', 'pii'], owner: 'group:okta/dba-leads' },
  role: 'read',
  durationMs: 3_600_000,
  reason: 'fix INC-12',
  ticket: 'INC-12',
  incident: { open: false, id: '', title: '' },
  history: { grants24h: 2, grants7d: 5, usedTodayMs: 5_400_000, sinceLastEndMs: 600_000 },
};

describe('an expression over what is known', () => {
  test.each([
    ['now.hour >= 7 && now.hour < 20 || incident.open', false],
    ['now.weekday <= 5 && now.date >= "2026-01-01"', true],
    ["'okta/dba' in requester.groups", true],
    ["['okta/sre', 'okta/dba'].exists(g, g in requester.groups)", true],
    ["'dba' in requester.onCall", false],
    ["requester.email.endsWith('@acme.com')", true],
    ["'pii' in resource.tags && resource.name.startsWith('db-')", true],
    ["resource.tags.all(tag, tag != 'public')", true],
    ["role in ['read', 'list'] && duration <= duration('1h')", true],
    ['duration.getMinutes() > 60', false],
    ["ticket.matches('^INC-[0-9]+$') && reason.contains(ticket)", true],
    ["history.grants24h < 3 && history.usedToday < duration('2h')", true],
    ["history.sinceLastEnd > duration('1h')", false],
    ["role == 'admin' ? now.hour < 20 : true", true],
  ])('%s is %s', (expression, holds) => {
    expect(condition(expression).evaluate(EVENING)).toEqual({ holds });
  });

  test('names what it reads, so that nothing else is looked up', () => {
    const { reads, groups, onCall } = condition(
      "now.hour < 20 || 'okta/dba' in requester.groups || 'dba' in requester.onCall",
    );
    expect(reads).toEqual(['now.hour', 'requester.groups', 'requester.onCall']);
    expect(groups).toEqual(['okta/dba']);
    expect(onCall).toEqual(['dba']);
  });
});

describe('what could not be looked up', () => {
  const { incident: _, ...unknown } = EVENING;

  test('makes the answer an error, never a yes and never a no', () => {
    for (const expression of ['incident.open', '!incident.open', 'incident.open == false', "incident.title != 'x'"])
      expect(condition(expression).evaluate(unknown)).toHaveProperty('error');
  });

  test('does not matter where the rest decides without it', () => {
    expect(condition('incident.open || now.hour == 22').evaluate(unknown)).toEqual({ holds: true });
    expect(condition('incident.open && now.hour == 9').evaluate(unknown)).toEqual({ holds: false });
  });

  test('an empty list of groups is not the same as an unknown one', () => {
    const asked = condition("!('okta/contractors' in requester.groups)");
    expect(asked.evaluate(EVENING)).toEqual({ holds: true });
    expect(asked.evaluate({ ...EVENING, requester: { email: 'ana@acme.com', name: 'Ana' } })).toHaveProperty('error');
  });

  test('a calculation that fails is an error', () => {
    expect(condition('10 / now.minute > 1').evaluate({ ...EVENING, now: { ...EVENING.now, minute: 0 } })).toEqual({
      error: 'int divide by zero',
    });
  });
});

describe('refused before it is ever run', () => {
  test.each([
    ['', 'empty'],
    ['now.hour >', 'at line 1, character 10'],
    ['now.hours < 20', 'now has no “hours”: did you mean hour?'],
    ['hour < 20', 'there is no “hour”'],
    ['now.hour', 'must be true or false, and this is int'],
    ["now.hour == '7'", '== does not take int and string'],
    ['now.hour < duration', '< does not take int and duration'],
    ['!now.hour', '! does not take int'],
    ["requester.groups.exists(g, g.startsWith('okta/sre-'))", "write 'okta/dba' in requester.groups"],
    ['reason in requester.groups', 'must stand in the expression'],
    ['reason.matches(reason)', 'the pattern of matches must stand in the expression'],
    ["reason.matches('(')", 'is not a pattern'],
    ['[1, 2].all(a, [3, 4].all(b, a < b))', 'may not stand within another'],
    ['has(incident.open)', 'has() is of no use here'],
    ['dyn(now.hour) == 7', 'there is no function “dyn”'],
    ["size({'a': 1}) == 1", 'only values, lists'],
    ['now == now', 'does not take'],
  ])('%s', (expression, why) => {
    const compiled = compileCondition(expression);
    expect('wrong' in compiled ? compiled.wrong : 'taken').toContain(why);
  });
});

test('one that is too long or too deep is refused, not tried', () => {
  for (const [expression, why] of [
    [`now.hour == ${'1 + '.repeat(600)}1`, '2000 are the most'],
    [`${'('.repeat(900)}true${')'.repeat(900)}`, 'not an expression'],
  ] as const)
    expect(compileCondition(expression)).toEqual({ wrong: expect.stringContaining(why) });
});

test('a hostile text under a pattern takes no longer than a kind one', () => {
  const slow = condition("reason.matches('^(a+)+$')");
  const began = performance.now();
  expect(slow.evaluate({ ...EVENING, reason: `${'a'.repeat(999)}!` })).toEqual({ holds: false });
  expect(performance.now() - began).toBeLessThan(2_000);
});
