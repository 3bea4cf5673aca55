/** What people do about a finding: who may, in which order, and that nobody closes what is about themselves. */
import { describe, expect, test } from 'vitest';
import type { Finding } from '../../src/access/activity.ts';
import {
  closeByRevocation,
  decideAskHolder,
  decideDismiss,
  decideExplain,
  type FindingOutcome,
  notAboutOneself,
} from '../../src/access/decide-finding.ts';
import { aFinding } from '../contracts/store-activities.ts';
import { ana, ben, group, MINUTE, T0 } from '../support/builders.ts';
import { put } from '../support/given.ts';

const SECURITY = group('security');
const account = { platform: 'slack', tenant: 'T1', id: 'U-ana' } as const;
const facts = (finding: Partial<Finding> = {}, person = ben, holds = true) => ({
  person,
  finding: aFinding({ holder: ana.id, holderName: 'Ana', ...finding }),
  may: [SECURITY],
  subjects: [{ subject: SECURITY, holds }],
  account,
});
const refusal = (outcome: FindingOutcome) => ('refusal' in outcome ? outcome.refusal.code : 'decided');
const decided = (outcome: FindingOutcome) => {
  if ('refusal' in outcome) throw new Error(`refused: ${outcome.refusal.code}`);
  return outcome;
};
const told = (outcome: FindingOutcome) =>
  put(decided(outcome).changes, 'job').map(({ payload }) => ('account' in payload ? 'holder' : 'security'));

describe('asking the holder', () => {
  test('is told to both, and noted with who asked', () => {
    const outcome = decideAskHolder(facts(), T0);
    expect(decided(outcome).finding).toMatchObject({ state: 'asked', askedBy: 'Ben', askedAt: T0, version: 2 });
    expect(told(outcome)).toEqual(['security', 'holder']);
    expect(put(decided(outcome).changes, 'event').map(({ kind }) => kind)).toEqual(['finding.asked']);
  });

  test('is for whoever may, once, and where somebody can be written to', () => {
    expect(refusal(decideAskHolder(facts({}, ben, false), T0))).toBe('not_security');
    expect(refusal(decideAskHolder(facts({ state: 'asked', askedBy: 'Sam' }), T0))).toBe('asked_already');
    expect(refusal(decideAskHolder(facts({ state: 'dismissed' }), T0))).toBe('finding_over');
    const { account: _nowhere, ...unknown } = facts();
    expect(refusal(decideAskHolder(unknown, T0))).toBe('nobody_to_write_to');
  });

  test('cannot be decided while it cannot be looked up who may', () => {
    const unsure = { ...facts(), subjects: [{ subject: SECURITY, error: 'okta is down' }] };
    expect(refusal(decideAskHolder(unsure, T0))).toBe('cannot_check');
  });
});

describe('the answer', () => {
  test('is the holder’s own, after having been asked, and can be given again', () => {
    const first = decideExplain({ explanation: 'a backup' }, facts({ state: 'asked' }, ana), T0);
    expect(decided(first).finding).toMatchObject({ state: 'explained', explanation: 'a backup' });
    expect(put(decided(first).changes, 'event')[0]?.personal).toEqual({ explanation: 'a backup' });
    const again = decideExplain({ explanation: 'the nightly one' }, facts({ state: 'explained' }, ana), T0);
    expect(decided(again).finding.explanation).toBe('the nightly one');
    expect(refusal(decideExplain({ explanation: 'x' }, facts({ state: 'asked' }), T0))).toBe('not_yours');
    expect(refusal(decideExplain({ explanation: 'x' }, facts({}, ana), T0))).toBe('not_asked');
    expect(refusal(decideExplain({ explanation: '' }, facts({ state: 'asked' }, ana), T0))).toBe('reason_missing');
    expect(refusal(decideExplain({ explanation: 'x' }, facts({ state: 'revoked' }, ana), T0))).toBe('finding_over');
  });
});

describe('closing it', () => {
  test('takes a reason, and the holder hears of it only if asked', () => {
    expect(refusal(decideDismiss({ reason: '' }, facts(), T0))).toBe('reason_missing');
    expect(told(decideDismiss({ reason: 'planned' }, facts(), T0))).toEqual(['security']);
    const asked = decideDismiss({ reason: 'planned' }, facts({ state: 'explained', askedAt: T0 - MINUTE }), T0);
    expect(told(asked)).toEqual(['security', 'holder']);
    expect(decided(asked).finding).toMatchObject({ state: 'dismissed', closedBy: 'Ben', note: 'planned' });
  });

  test('is not for its holder, whatever else they may do; the attempt is kept', () => {
    for (const outcome of [
      decideDismiss({ reason: 'it was me' }, facts({}, ana), T0),
      decideAskHolder(facts({}, ana), T0),
      notAboutOneself(facts({}, ana), 'revoke', T0),
    ]) {
      if (outcome === undefined) throw new Error('it went through');
      expect(refusal(outcome)).toBe('own_finding');
      expect('record' in outcome && outcome.record?.kind).toBe('finding.refused');
    }
  });

  test('by a revocation happens once, and leaves alone what is closed already', () => {
    const changes = closeByRevocation(facts(), T0);
    expect(put(changes, 'finding')[0]).toMatchObject({ state: 'revoked', closedBy: 'Ben' });
    expect(closeByRevocation(facts({ state: 'dismissed' }), T0)).toEqual([]);
  });
});
