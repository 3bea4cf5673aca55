/** An explanation is the decision, laid open: it can say nothing else than what asking would lead to. */
import { describe, expect, test } from 'vitest';
import { explain } from '../../src/access/explain.ts';
import { reportText } from '../../src/access/report.ts';
import {
  activeGrant,
  ana,
  broken,
  entitlement,
  group,
  HOUR,
  MINUTE,
  no,
  policy,
  requestFacts,
  T0,
} from '../support/builders.ts';
import { condition } from '../support/condition.ts';

const of = (more: Parameters<typeof policy>[0] = {}) =>
  entitlement({
    policy: policy(more),
    tags: ['prod'],
    owner: 'group:okta/dba-leads',
    link: 'https://wiki.acme.example',
  });
const said = (more: Parameters<typeof requestFacts>[0] = {}, wish: Parameters<typeof explain>[1] = {}, now = T0) => {
  const { report, ...rest } = explain(requestFacts({ entitlement: of(), ...more }), wish, now);
  return { ...rest, text: reportText(report, 5_000) };
};

describe('an explanation', () => {
  test('says who would be asked, by which rule, and what it gives', () => {
    const { verdict, asked, text } = said();
    expect(verdict).toBe('asks');
    expect(asked).toEqual(['Ben', 'Cat']);
    for (const part of [
      'It would be asked for, and wait for 1 approval.',
      'group:okta/engineering: yes',
      '1 by: on-call:dba or group:okta/dba-leads',
      'Asked now: Ben and Cat',
      'at most 4 h, 30 min when none is asked for',
      'prod-db-read: a group in okta',
      'Owner: group:okta/dba-leads',
      'by the policy standard (policy-1)',
      'Nothing was requested.',
    ])
      expect(text).toContain(part);
  });

  test('says no with the reason and the next step that asking would give, and names nobody then', () => {
    const { verdict, refusal, asked, text } = said({ subjects: [no(group('engineering'))] });
    expect([verdict, refusal?.code, asked]).toEqual(['refused', 'not_eligible', []]);
    expect(text).toContain('No. You may not request db-prod:read. It can be requested by group:okta/engineering.');
    expect(text).toContain('group:okta/engineering: no');
    const unknown = said({ subjects: [broken(group('engineering'))] });
    expect(unknown.refusal?.code).toBe('cannot_check');
    expect(unknown.text).toContain('could not be looked up: no answer in 10 s');
  });

  test('shows what conditions read, and which cannot be judged yet', () => {
    const when = condition('now.hour >= 7 && now.hour < 20');
    expect(said({ entitlement: of({ when }) }).text).toContain('Holds (now.hour is 9): now.hour >= 7');
    const night = said({ entitlement: of({ when }) }, {}, T0 + 13 * HOUR);
    expect(night.refusal?.code).toBe('condition_not_met');
    expect(night.text).toContain('Does not hold (now.hour is 22)');
    const ticket = condition("ticket.startsWith('INC-')");
    const open = said({ entitlement: of({ when: ticket }) });
    expect(open.verdict).toBe('asks');
    expect(open.text).toContain("Depends on the reason: ticket.startsWith('INC-')");
    const away = said({
      entitlement: of({ autoApprove: condition('incident.open') }),
      circumstances: { incidents: { error: 'no answer' } },
    });
    expect(away.verdict).toBe('asks');
    expect(away.text).toContain('Approves by itself: Cannot be judged');
  });

  test('says when nobody would be asked', () => {
    const { verdict, asked, text } = said({ entitlement: of({ autoApprove: condition("role == 'read'") }) });
    expect([verdict, asked]).toEqual(['automatic', []]);
    expect(text).toContain('Yes, at once');
    expect(text).not.toContain('Asked now');
  });

  test('counts the limits', () => {
    const limited = of({ duration: { defaultMs: HOUR, maxMs: 2 * HOUR, perDayMs: 3 * HOUR }, maxLive: 2 });
    const past = [activeGrant({ state: 'ended', startsAt: T0 - 3 * HOUR, endingAt: T0 - HOUR, holder: ana.id })];
    const { refusal, text } = said(
      { entitlement: limited, circumstances: { past, live: [] } },
      { duration: { ms: 90 * MINUTE } },
    );
    expect(refusal?.code).toBe('over_daily');
    expect(text).toContain('A day: 3 h; held so far today: 2 h');
    expect(text).toContain('At a time: 2; held now: 0');
  });
});
