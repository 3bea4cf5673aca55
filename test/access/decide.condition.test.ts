/** What a policy's conditions do to a request, to its approval, and where they approve it themselves. */
import { describe, expect, test } from 'vitest';
import type { Circumstances } from '../../src/access/condition.ts';
import { decideApprove } from '../../src/access/decide-answer.ts';
import { decideExtend, decideRequest } from '../../src/access/decide-request.ts';
import type { Grant } from '../../src/access/model.ts';
import {
  activeGrant,
  ana,
  approveFacts,
  cat,
  entitlement,
  grantRecord,
  group,
  HOUR,
  keyOf,
  MINUTE,
  no,
  policy,
  request,
  requestFacts,
  requestRecord,
  T0,
} from '../support/builders.ts';
import { condition } from '../support/condition.ts';
import { changesOf, eventKinds, faultsOf, jobs, put, refusalOf } from '../support/given.ts';

const WISH = { reason: 'fix stuck migration' };
const NIGHT = T0 + 13 * HOUR;
const guarded = (more: Parameters<typeof policy>[0]) =>
  entitlement({ policy: policy(more), tags: ['prod'], owner: 'group:okta/dba-leads' });
const standing = [{ record: { key: keyOf('prod-db-read'), grants: [] } }];
const incident = { id: 'P1', title: 'Orders are stuck', openedAt: T0, openedBy: ['ben@acme.com'] };

const ask = (
  more: Parameters<typeof policy>[0],
  circumstances: Circumstances = {},
  now = T0,
  facts: Parameters<typeof requestFacts>[0] = {},
) => decideRequest(WISH, requestFacts({ entitlement: guarded(more), circumstances, standing, ...facts }), now);

describe('a policy with a condition', () => {
  const when = condition('now.hour >= 7 && now.hour < 20 || incident.open');

  test('lets through what meets it', () => {
    expect(put(changesOf(ask({ when }, { incidents: { value: [] } })), 'request')[0]?.state).toBe('pending');
    expect(put(changesOf(ask({ when }, { incidents: { value: [incident] } }, NIGHT)), 'request')).toHaveLength(1);
  });

  test('refuses what does not, with the expression, what holds instead, and a record of the attempt', () => {
    const outcome = ask({ when }, { incidents: { value: [] } }, NIGHT);
    expect(refusalOf(outcome)).toEqual({
      code: 'condition_not_met',
      entitlement: 'db-prod:read',
      expression: when.expression,
      now: ['now.hour is 22', 'there is no open incident that somebody else opened'],
    });
    expect(outcome).toMatchObject({ record: { kind: 'request.refused', detail: { condition: when.expression } } });
  });

  test('is judged in the zone of the file', () => {
    expect(
      put(
        changesOf(ask({ when }, { incidents: { value: [] } }, NIGHT, { timezone: 'America/Los_Angeles' })),
        'request',
      ),
    ).toHaveLength(1);
  });

  test('cannot be met by an incident that the requester opened', () => {
    const own = { ...incident, openedBy: [ana.email] };
    expect(refusalOf(ask({ when }, { incidents: { value: [own] } }, NIGHT))).toMatchObject({
      code: 'condition_not_met',
    });
    expect(put(changesOf(ask({ when }, { incidents: { value: [own, incident] } }, NIGHT)), 'request')).toHaveLength(1);
  });

  test('refuses when what it asks for cannot be looked up, and says which expression', () => {
    const away = { incidents: { error: 'PagerDuty does not answer' } };
    expect(refusalOf(ask({ when }, away, NIGHT))).toMatchObject({
      code: 'cannot_check',
      what: expect.stringContaining(when.expression),
      error: expect.stringContaining('PagerDuty does not answer'),
    });
    // By day it does not matter whether there is an incident.
    expect(put(changesOf(ask({ when }, away)), 'request')).toHaveLength(1);
  });

  test('counts what the requester was given before', () => {
    const twice = condition("history.grants24h < 2 && history.usedToday < duration('1h')");
    const past = (...ms: number[]): Grant[] =>
      ms.map((used) =>
        activeGrant({ state: 'ended', approvedAt: T0 - HOUR, startsAt: T0 - HOUR, endingAt: T0 - HOUR + used }),
      );
    expect(put(changesOf(ask({ when: twice }, { past: past(30 * MINUTE) })), 'request')).toHaveLength(1);
    expect(refusalOf(ask({ when: twice }, { past: past(MINUTE, MINUTE) }))).toMatchObject({
      now: ['history.grants24h is 2', 'history.usedToday is 2 min'],
    });
    expect(refusalOf(ask({ when: twice }, { past: past(HOUR) }))).toMatchObject({ code: 'condition_not_met' });
  });

  test('is judged again at the approval, when access begins', () => {
    const asked = request();
    const facts = (value: readonly (typeof incident)[]) =>
      approveFacts({
        record: requestRecord({ ...asked, lapsesAt: NIGHT + HOUR }),
        entitlement: guarded({ when }),
        conditions: {
          person: ana,
          entitlement: guarded({ when }),
          circumstances: { incidents: { value } },
          timezone: 'UTC',
        },
      });
    expect(refusalOf(decideApprove(facts([]), NIGHT))).toMatchObject({ code: 'requester_not_eligible' });
    expect(put(changesOf(decideApprove(facts([incident]), NIGHT)), 'grant')).toHaveLength(1);
    const { conditions: _, ...unknown } = facts([incident]);
    expect(refusalOf(decideApprove(unknown, NIGHT))).toMatchObject({ code: 'cannot_check' });
  });
});

describe('a policy that approves by itself', () => {
  const autoApprove = condition("role == 'read' && duration <= duration('1h')");

  test('commits the grant with the request, asks nobody, and says by which condition', () => {
    const changes = changesOf(ask({ autoApprove }));
    expect(faultsOf(changes)).toEqual([]);
    expect(put(changes, 'request')).toMatchObject([{ state: 'approved', automatic: autoApprove.expression }]);
    expect(put(changes, 'grant')).toMatchObject([{ state: 'adding', holder: ana.id }]);
    expect(put(changes, 'approval')).toEqual([]);
    expect(eventKinds(changes)).toEqual(['request.made', 'request.approved']);
    expect(put(changes, 'event')[1]).toMatchObject({
      actor: { kind: 'hallpass' },
      detail: { automatic: true, condition: autoApprove.expression },
    });
    expect([...jobs(changes).keys()]).toEqual(expect.arrayContaining(['end:G-7KQ2', 'addby:G-7KQ2']));
    expect([...jobs(changes).keys()].filter((id) => id.startsWith('lapse:'))).toEqual([]);
  });

  test('asks people where its condition does not hold, or cannot be judged', () => {
    const long = decideRequest(
      { ...WISH, duration: { ms: 2 * HOUR } },
      requestFacts({ entitlement: guarded({ autoApprove }), standing }),
      T0,
    );
    expect(put(changesOf(long), 'request')).toMatchObject([{ state: 'pending' }]);
    const unknown = ask({ autoApprove: condition('incident.open') }, { incidents: { error: 'no answer' } });
    expect(put(changesOf(unknown), 'request')).toMatchObject([{ state: 'pending' }]);
  });

  test('never goes past who may ask, nor past its other condition', () => {
    const open = condition('true');
    expect(refusalOf(ask({ autoApprove: open }, {}, T0, { subjects: [no(group('engineering'))] }))).toMatchObject({
      code: 'not_eligible',
    });
    expect(refusalOf(ask({ autoApprove: open, when: condition('now.hour == 3') }))).toMatchObject({
      code: 'condition_not_met',
    });
  });

  test('needs nobody who could approve', () => {
    const nobody = { approvers: { people: [ana], complete: true } };
    expect(put(changesOf(ask({ autoApprove }, {}, T0, nobody)), 'grant')).toHaveLength(1);
    expect(refusalOf(ask({}, {}, T0, nobody))).toMatchObject({ code: 'nobody_to_ask' });
  });

  test('prolongs a live grant in the same way, within the same maximum', () => {
    const extend = (ms: number, holder = ana) =>
      decideExtend(
        { duration: { ms } },
        {
          ...requestFacts({
            entitlement: guarded({ autoApprove }),
            standing,
            ids: { short: '9XYZ', opaque: 'card-9' },
          }),
          extended: grantRecord(activeGrant({ holder: holder.id }), [], { request: request({ state: 'approved' }) }),
        },
        T0 + MINUTE,
      );
    const changes = changesOf(extend(HOUR));
    expect(faultsOf(changes)).toEqual([]);
    expect(put(changes, 'grant')).toMatchObject([{ id: 'G-7KQ2', expiresAt: T0 + 90 * MINUTE }]);
    expect(eventKinds(changes)).toEqual(['extension.requested', 'grant.extended']);
    expect(put(changesOf(extend(2 * HOUR)), 'grant')).toEqual([]);
    expect(refusalOf(extend(4 * HOUR))).toMatchObject({ code: 'over_maximum' });
    expect(refusalOf(extend(MINUTE, cat))).toMatchObject({ code: 'not_yours' });
  });
});
