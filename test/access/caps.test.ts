/** Limits count what is there, and no order of requests, approvals and extensions gets past them. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { REQUESTS_MAX } from '../../src/access/caps.ts';
import { type Circumstances, heldWithin } from '../../src/access/condition.ts';
import { decideApprove } from '../../src/access/decide-answer.ts';
import { decideExtend, decideRequest } from '../../src/access/decide-request.ts';
import { isRefused } from '../../src/access/decision.ts';
import type { Grant, Instant } from '../../src/access/model.ts';
import { startOfDay } from '../../src/access/zone.ts';
import {
  activeGrant,
  ana,
  approval,
  approveFacts,
  ben,
  entitlement,
  grantRecord,
  HOUR,
  MINUTE,
  person,
  policy,
  request,
  requestFacts,
  requestRecord,
  T0,
} from '../support/builders.ts';
import { changesOf, put, refusalOf } from '../support/given.ts';

const DAILY = policy({ duration: { defaultMs: HOUR, maxMs: 2 * HOUR, perDayMs: 3 * HOUR } });
const FEW = policy({ maxLive: 2 });
const REASON = { reason: 'fix stuck migration' };
/** Held from `from` hours after midnight of T0's day, for so many hours. */
const held = (from: number, hours: number, more: Partial<Grant> = {}): Grant => {
  const at = startOfDay('UTC', T0) + from * HOUR;
  return activeGrant({
    id: `G-${from}`,
    state: 'ended',
    approvedAt: at,
    startsAt: at,
    endingAt: at + hours * HOUR,
    ...more,
  });
};
const ask = (of: typeof DAILY, circumstances: Circumstances, ms: number, now: Instant = T0) =>
  decideRequest(
    { ...REASON, duration: { ms } },
    requestFacts({ entitlement: entitlement({ policy: of }), circumstances }),
    now,
  );

describe('so long a day', () => {
  test('what was held today counts, and what is left can be asked for', () => {
    expect(refusalOf(ask(DAILY, { past: [held(5, 2)] }, 2 * HOUR))).toEqual({
      code: 'over_daily',
      perDayMs: 3 * HOUR,
      usedMs: 2 * HOUR,
      leftMs: HOUR,
    });
    expect(put(changesOf(ask(DAILY, { past: [held(5, 2)] }, HOUR)), 'request')).toHaveLength(1);
  });

  test('what was held yesterday does not, but for the part of it that reached into today', () => {
    expect(put(changesOf(ask(DAILY, { past: [held(-3, 2)] }, 2 * HOUR)), 'request')).toHaveLength(1);
    expect(refusalOf(ask(DAILY, { past: [held(-1, 2.5)] }, 2 * HOUR))).toMatchObject({ usedMs: 1.5 * HOUR });
  });

  test('a grant given back early counts only for as long as it was held, and one that never began not at all', () => {
    const { startsAt: _, ...never } = held(6, 2, { endReason: 'abandoned' });
    expect(put(changesOf(ask(DAILY, { past: [held(5, 0.5), never] }, 2 * HOUR)), 'request')).toHaveLength(1);
  });

  test('the day is that of the file', () => {
    const evening = T0 + 13 * HOUR;
    const facts = (timezone: string) =>
      requestFacts({ entitlement: entitlement({ policy: DAILY }), circumstances: { past: [held(19, 2)] }, timezone });
    const wish = { ...REASON, duration: { ms: 90 * MINUTE } };
    expect(refusalOf(decideRequest(wish, facts('UTC'), evening))).toMatchObject({ code: 'over_daily' });
    // In Nairobi midnight was at nine in the evening, and what was held before it was yesterday.
    expect(put(changesOf(decideRequest(wish, facts('Africa/Nairobi'), evening)), 'request')).toHaveLength(1);
  });

  test('more time on a live grant counts too', () => {
    const live = activeGrant({ expiresAt: T0 + HOUR });
    const extend = (ms: number) =>
      decideExtend(
        { duration: { ms } },
        {
          ...requestFacts({
            entitlement: entitlement({ policy: DAILY }),
            circumstances: { past: [live, held(5, 1.5)] },
          }),
          extended: grantRecord(live, [], { request: request({ state: 'approved' }) }),
        },
        T0 + MINUTE,
      );
    expect(refusalOf(extend(HOUR))).toMatchObject({ code: 'over_daily', leftMs: 0.5 * HOUR });
    expect(put(changesOf(extend(30 * MINUTE)), 'request')).toHaveLength(1);
  });

  test('is judged again at the approval, and not judged where earlier grants are not known', () => {
    const asked = request({ durationMs: 2 * HOUR });
    const decide = (circumstances?: Circumstances) =>
      decideApprove(
        approveFacts({
          record: requestRecord(asked),
          entitlement: entitlement({ policy: DAILY }),
          ...(circumstances === undefined
            ? {}
            : {
                conditions: {
                  person: ana,
                  entitlement: entitlement({ policy: DAILY }),
                  circumstances,
                  timezone: 'UTC',
                },
              }),
        }),
        T0,
      );
    expect(refusalOf(decide({ past: [held(5, 2)] }))).toMatchObject({
      code: 'requester_not_eligible',
      why: 'it would pass the 3 h a day that its policy allows.',
    });
    expect(put(changesOf(decide({ past: [] })), 'grant')).toHaveLength(1);
    expect(refusalOf(decide())).toMatchObject({ code: 'cannot_check' });
  });
});

describe('so many at once', () => {
  const live = (n: number) =>
    Array.from({ length: n }, (_, i) => activeGrant({ id: `G-${i}`, entitlement: `r${i}:read` }));

  test('one more than that is refused, with the ids of those that are held', () => {
    expect(put(changesOf(ask(FEW, { live: live(1) }, HOUR)), 'request')).toHaveLength(1);
    expect(refusalOf(ask(FEW, { live: live(2) }, HOUR))).toEqual({
      code: 'too_many_live',
      policy: 'standard',
      most: 2,
      grants: ['G-0', 'G-1'],
    });
  });

  test('at the approval it is counted again, and the count is guarded against another approval at that moment', () => {
    const decide = (circumstances: Circumstances) =>
      decideApprove(
        approveFacts({
          entitlement: entitlement({ policy: FEW }),
          conditions: { person: ana, entitlement: entitlement({ policy: FEW }), circumstances, timezone: 'UTC' },
        }),
        T0 + MINUTE,
      );
    expect(refusalOf(decide({ live: live(2) }))).toMatchObject({ code: 'requester_not_eligible' });
    const first = changesOf(decide({ live: live(1) }));
    expect(first).toContainEqual({ put: 'holder', row: { person: ana.id, version: 1 } });
    const next = changesOf(decide({ live: live(1), holderVersion: 4 }));
    expect(next).toContainEqual({ put: 'holder', row: { person: ana.id, version: 5 }, was: 4 });
  });
});

test('so many requests an hour', () => {
  const facts = (requestsLately: number) => requestFacts({ requestsLately });
  expect(put(changesOf(decideRequest(REASON, facts(REQUESTS_MAX - 1), T0)), 'request')).toHaveLength(1);
  expect(refusalOf(decideRequest(REASON, facts(REQUESTS_MAX), T0))).toEqual({ code: 'too_many_requests', most: 20 });
});

describe('whatever the policy and the history', () => {
  const limits = fc
    .record({
      max: fc.integer({ min: 10, max: 480 }),
      more: fc.integer({ min: 0, max: 300 }),
      zone: fc.constantFrom('UTC', 'Europe/Berlin', 'America/St_Johns', 'Pacific/Apia'),
    })
    .map(({ max, more, zone }) => ({
      zone,
      of: policy({ duration: { defaultMs: 10 * MINUTE, maxMs: max * MINUTE, perDayMs: (max + more) * MINUTE } }),
    }));
  const steps = fc.array(
    fc.record({
      do: fc.constantFrom('grant', 'grant', 'extend', 'return'),
      wait: fc.integer({ min: 1, max: 400 }),
      minutes: fc.integer({ min: 1, max: 500 }),
    }),
    { minLength: 1, maxLength: 25 },
  );

  test('no day and no grant is longer than its limit', () => {
    fc.assert(
      fc.property(limits, steps, fc.integer({ min: 0, max: 400 * 24 }), ({ of, zone }, acts, hours) => {
        let now = T0 + hours * HOUR;
        let grants: Grant[] = [];
        const about = entitlement({ policy: of });
        for (const act of acts) {
          now += act.wait * MINUTE;
          grants = grants.map((one) =>
            one.state === 'active' && (one.expiresAt ?? 0) <= now
              ? { ...one, state: 'ended' as const, endingAt: one.expiresAt ?? 0 }
              : one,
          );
          const live = grants.find(({ state }) => state === 'active');
          const facts = requestFacts({
            entitlement: about,
            circumstances: { past: grants },
            timezone: zone,
            grants: live ? [live] : [],
          });
          const duration = { ms: act.minutes * MINUTE };
          if (act.do === 'grant' && live === undefined) {
            if (isRefused(decideRequest({ ...REASON, duration }, facts, now))) continue;
            // It begins when the directory has taken it, up to ten minutes later.
            const startsAt = now + (act.wait % 10) * MINUTE;
            grants = [
              activeGrant({
                id: `G-${grants.length}`,
                approvedAt: now,
                startsAt,
                expiresAt: startsAt + duration.ms,
                maxMs: of.duration.maxMs,
              }),
              ...grants,
            ];
          } else if (act.do === 'extend' && live !== undefined) {
            const outcome = decideExtend(
              { duration },
              { ...facts, extended: grantRecord(live, [], { request: request({ state: 'approved' }) }) },
              now,
            );
            if (isRefused(outcome)) continue;
            const longer = { ...live, expiresAt: (live.expiresAt ?? 0) + duration.ms };
            grants = grants.map((one) => (one.id === live.id ? longer : one));
          } else if (act.do === 'return' && live !== undefined) {
            grants = grants.map((one) =>
              one.id === live.id
                ? { ...one, state: 'ended' as const, endingAt: Math.max(now, one.startsAt ?? now) }
                : one,
            );
          }
        }
        for (const grant of grants) {
          const end = grant.endingAt ?? grant.expiresAt ?? 0;
          expect(end - (grant.startsAt ?? 0)).toBeLessThanOrEqual(of.duration.maxMs);
          for (const at of [grant.startsAt ?? 0, end]) {
            const day = startOfDay(zone, at);
            const next = startOfDay(zone, day + 26 * HOUR);
            expect(heldWithin(grants, day, next)).toBeLessThanOrEqual(of.duration.perDayMs ?? 0);
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  test("nobody's own identity counts, however many approvals are there", () => {
    const people = [ana, ben, person('cat'), person('dan'), person('eve')];
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 4 }),
        fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 6 }),
        fc.integer({ min: 0, max: 4 }),
        (approvals, before, last) => {
          const asked = request({ approvalsNeeded: approvals });
          const given = [...new Set(before)].flatMap((i) => {
            const by = people[i];
            // The store keeps one answer of each person; the requester's own is never taken, so it is never there.
            return by === undefined || by.id === ana.id ? [] : [approval(asked, by)];
          });
          const by = people[last] ?? ana;
          const outcome = decideApprove(
            approveFacts({
              record: requestRecord(asked, given),
              entitlement: entitlement({ policy: policy({ approvals }) }),
              person: by,
            }),
            T0 + MINUTE,
          );
          if (by.id === ana.id) {
            expect(refusalOf(outcome)).toEqual({ code: 'own_request' });
            return;
          }
          if (isRefused(outcome)) return;
          const different = new Set([...given.map(({ approver }) => approver), by.id]);
          expect(different.has(ana.id)).toBe(false);
          expect(put(outcome.changes, 'grant')).toHaveLength(different.size >= approvals ? 1 : 0);
        },
      ),
      { numRuns: 300 },
    );
  });
});
