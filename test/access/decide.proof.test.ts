/** Proof: asked for last, bound to the person and to what would be done, used once, and decided afresh at the click. */
import { describe, expect, test } from 'vitest';
import { type ApproveFacts, decideApprove } from '../../src/access/decide-answer.ts';
import {
  decideSignedIn,
  mayConfirm,
  PROOF_LIFE_MS,
  PROOFS_MOST,
  type Proving,
  ringProof,
  type SignInFound,
} from '../../src/access/decide-proof.ts';
import { decideRequest, previewRequest } from '../../src/access/decide-request.ts';
import { isRefused, type Outcome } from '../../src/access/decision.ts';
import { digestOf } from '../../src/access/digest.ts';
import type { Change, Policy, Proof } from '../../src/access/model.ts';
import { viewOf } from '../../src/access/view.ts';
import {
  approval,
  approveFacts,
  ben,
  cardOf,
  cat,
  entitlement,
  hash,
  MINUTE,
  policy,
  request,
  requestFacts,
  requestRecord,
  T0,
} from '../support/builders.ts';
import { changesOf, eventKinds, faultsOf, jobs, put, refusalOf } from '../support/given.ts';

const NOW = T0 + MINUTE;
const by = { platform: 'slack', tenant: 'T1', id: 'U2' } as const;

/** Approving under a policy that wants a proof for it. */
function facts(proving: Partial<Proving> | 'none', more: Partial<ApproveFacts> = {}, wanted: Partial<Policy> = {}) {
  const guarded = entitlement({ policy: policy({ proof: { approve: 'mfa' }, ...wanted }) });
  const asked = { ...request({ approvalsNeeded: wanted.approvals ?? 1 }), policyHash: guarded.policy.hash };
  const shown = { ...asked, digest: digestOf(asked, hash) };
  return approveFacts({
    entitlement: guarded,
    record: requestRecord(shown),
    card: cardOf(shown),
    ...more,
    ...(proving === 'none'
      ? {}
      : {
          proving: {
            newId: 'p1',
            link: (id) => `https://hallpass.example/proof/${id}`,
            by,
            command: { do: 'approve', by, target: { card: shown.cardId } },
            open: [],
            ...proving,
          },
        }),
  });
}

function changesWith(outcome: Outcome): readonly Change[] {
  return isRefused(outcome) ? (outcome.changes ?? []) : outcome.changes;
}

/** The proof that an approval asks for. */
function asked(more: Partial<ApproveFacts> = {}, wanted: Partial<Policy> = {}): Proof {
  const [proof] = put(changesWith(decideApprove(facts({}, more, wanted), NOW)), 'proof');
  if (proof === undefined) throw new Error('no proof was asked for');
  return proof;
}

const found = (more: Partial<SignInFound> = {}): SignInFound => ({
  person: ben.id,
  authAt: NOW,
  acr: 'phr',
  amr: ['mfa'],
  freshUntil: NOW + 5 * MINUTE,
  sealHash: 'h',
  ...more,
});

function signedIn(proof = asked()): Proof {
  const done = decideSignedIn(proof, found(), undefined, NOW + 1);
  if (done === undefined) throw new Error('it was over');
  return done.proof;
}

describe('an approval under a policy that wants a proof', () => {
  test('is asked to be confirmed, by a link that is the person’s own; nothing is approved yet', () => {
    const outcome = decideApprove(facts({}), NOW);
    expect(refusalOf(outcome)).toMatchObject({
      code: 'proof_needed',
      purpose: 'approve',
      link: 'https://hallpass.example/proof/p1',
      until: NOW + PROOF_LIFE_MS,
    });
    const changes = changesWith(outcome);
    expect(put(changes, 'approval')).toEqual([]);
    expect(put(changes, 'grant')).toEqual([]);
    expect(eventKinds(changes)).toEqual(['proof.asked']);
    expect(jobs(changes).get('proof:p1')?.dueAt).toBe(NOW + PROOF_LIFE_MS);
    const [row] = put(changes, 'request');
    const view = viewOf({ record: { request: row ?? request(), approvals: [] } }, NOW, 'UTC');
    expect(view.headline).toContain('Waiting for Ben to confirm with MFA.');
    expect(
      viewOf({ record: { request: row ?? request(), approvals: [] } }, NOW + PROOF_LIFE_MS, 'UTC').confirming,
    ).toBe(undefined);
  });

  test('counts once it is proven, with what the issuer said in the trail', () => {
    const given = signedIn();
    const changes = changesOf(decideApprove(facts({ given }), NOW + 2));
    expect(faultsOf(changes)).toEqual([]);
    expect(put(changes, 'approval')).toMatchObject([{ approver: ben.id, proof: 'p1' }]);
    expect(put(changes, 'grant')).toHaveLength(1);
    expect(put(changes, 'proof')).toMatchObject([{ id: 'p1', state: 'used' }]);
    expect(put(changes, 'proof')[0]).not.toHaveProperty('command');
    expect(put(changes, 'event').find(({ kind }) => kind === 'proof.given')?.detail).toMatchObject({
      proof: 'p1',
      acr: 'phr',
      amr: ['mfa'],
      authAt: NOW,
    });
  });

  test('is decided afresh: what was refused meanwhile stays refused, and what changed is not what was confirmed', () => {
    const given = signedIn();
    const denied = requestRecord(request({ state: 'denied' }));
    expect(refusalOf(decideApprove(facts({ given }, { record: denied }), NOW + 2))).toMatchObject({
      code: 'not_pending',
    });
    for (const other of [{ person: 'okta/00ucat' }, { digest: 'another' }, { purpose: 'request' as const }])
      expect(refusalOf(decideApprove(facts({ given: { ...given, ...other } }), NOW + 2))).toEqual({
        code: 'proof_over',
        why: 'changed',
      });
  });

  test('is refused where there is no issuer, and to a machine; and never asked for what is refused anyway', () => {
    expect(refusalOf(decideApprove(facts('none'), NOW))).toMatchObject({ code: 'cannot_check' });
    const robot = { ...ben, via: { kind: 'token' as const, session: 'S-1' } };
    expect(refusalOf(decideApprove(facts({}, { person: robot }), NOW))).toEqual({ code: 'person_needed' });
    const late = decideApprove(facts({}, { record: requestRecord(request({ state: 'denied' })) }), NOW);
    expect(changesWith(late)).toEqual([]);
  });

  test('of several needs one proof each; a first one without does not count', () => {
    const base = facts({}, {}, { approvals: 2 });
    const { digest } = base.record.request;
    const unproven = { ...approval(base.record.request, cat), digest };
    const record = (proof?: string) => ({
      ...base.record,
      approvals: [{ ...unproven, ...(proof === undefined ? {} : { proof }) }],
    });
    const given = { ...signedIn(), digest };
    const first = changesOf(decideApprove(facts({ given }, { record: record() }, { approvals: 2 }), NOW + 2));
    expect(put(first, 'grant')).toEqual([]);
    const second = changesOf(decideApprove(facts({ given }, { record: record('p0') }, { approvals: 2 }), NOW + 2));
    expect(put(second, 'grant')).toHaveLength(1);
  });

  test('pressed again asks anew and puts the older link out of use; too many at a time are refused', () => {
    const older = asked();
    const again = changesWith(decideApprove(facts({ newId: 'p2', open: [older] }), NOW + 1));
    expect(put(again, 'proof').map(({ id, state }) => [id, state])).toEqual([
      ['p1', 'failed'],
      ['p2', 'open'],
    ]);
    const many = Array.from({ length: PROOFS_MOST }, (_, i) => ({ ...older, id: `q${i}`, digest: `d${i}` }));
    expect(refusalOf(decideApprove(facts({ newId: 'p2', open: many }), NOW))).toMatchObject({
      code: 'too_many_requests',
    });
  });
});

describe('asking under a policy that wants a proof', () => {
  const guarded = entitlement({ policy: policy({ proof: { request: 'mfa' } }) });
  const WISH = { reason: 'fix stuck migration' };
  const proving: Proving = {
    newId: 'p1',
    link: (id) => id,
    by,
    command: { do: 'request', by, resource: 'db-prod', ...WISH },
    open: [],
  };

  test('waits for the proof, and a preview does not', () => {
    const outcome = decideRequest(WISH, requestFacts({ entitlement: guarded, proving }), NOW);
    expect(refusalOf(outcome)).toMatchObject({ code: 'proof_needed', purpose: 'request' });
    expect(put(changesWith(outcome), 'request')).toEqual([]);
    expect(isRefused(previewRequest(WISH, requestFacts({ entitlement: guarded }), NOW))).toBe(false);
    const [proof] = put(changesWith(outcome), 'proof');
    if (proof === undefined) throw new Error('no proof was asked for');
    const facts = requestFacts({ entitlement: guarded, proving: { ...proving, given: proof } });
    expect(eventKinds(changesOf(decideRequest(WISH, facts, NOW)))).toEqual(['proof.given', 'request.made']);
  });
});

describe('a sign-in', () => {
  test('of somebody else, or one that is too weak, fails the proof, is in the trail, and the card says so no more', () => {
    const waiting = requestRecord(
      request({ confirming: [{ person: ben.id, name: 'Ben', until: NOW + PROOF_LIFE_MS }] }),
    ).request;
    for (const [wrong, why] of [
      [{ person: 'okta/00ucat' }, 'wrong_person'],
      [{ lacks: 'it was made without "mfa"' }, 'too_weak'],
    ] as const) {
      const done = decideSignedIn(asked(), found(wrong), waiting, NOW + 1);
      expect(done?.proof).toMatchObject({ state: 'failed', failed: why });
      expect(put(done?.changes ?? [], 'event')).toMatchObject([{ kind: 'proof.failed', detail: { why } }]);
      expect(put(done?.changes ?? [], 'request')).toMatchObject([{ confirming: [] }]);
    }
    const unknown = { ...found() };
    delete (unknown as { person?: string }).person;
    expect(decideSignedIn(asked(), unknown, undefined, NOW + 1)?.proof.failed).toBe('wrong_person');
  });

  test('after its time, or of what is over, changes nothing', () => {
    expect(decideSignedIn(asked(), found(), undefined, NOW + PROOF_LIFE_MS)).toBeUndefined();
    expect(decideSignedIn({ ...asked(), state: 'used' }, found(), undefined, NOW)).toBeUndefined();
  });
});

describe('the click', () => {
  test('counts in the browser that signed in, once, in time, and while the sign-in is fresh', () => {
    const proof = signedIn();
    expect(mayConfirm(proof, 'h', NOW + 2)).toBeUndefined();
    expect(mayConfirm(proof, 'other', NOW + 2)).toMatchObject({ why: 'elsewhere' });
    expect(mayConfirm(asked(), 'h', NOW + 2)).toMatchObject({ why: 'elsewhere' });
    expect(mayConfirm(proof, 'h', NOW + PROOF_LIFE_MS)).toMatchObject({ why: 'expired' });
    expect(mayConfirm({ ...proof, freshUntil: NOW }, 'h', NOW + 2)).toMatchObject({ why: 'stale' });
    expect(mayConfirm({ ...proof, state: 'used' }, 'h', NOW + 2)).toMatchObject({ why: 'used' });
    expect(mayConfirm(undefined, 'h', NOW + 2)).toMatchObject({ why: 'expired' });
  });

  test('that nobody makes lets the proof expire, not before its time', () => {
    expect(ringProof(asked(), undefined, NOW)).toEqual({ dueAt: NOW + PROOF_LIFE_MS });
    const rung = ringProof(asked(), undefined, NOW + PROOF_LIFE_MS);
    expect('dueAt' in rung ? [] : put(rung, 'proof')).toMatchObject([{ state: 'failed', failed: 'expired' }]);
    expect(ringProof({ ...asked(), state: 'used' }, undefined, NOW + PROOF_LIFE_MS)).toEqual([]);
  });
});

test('a request that was made before its policy wanted a proof of whoever asks is asked for anew', () => {
  const guarded = entitlement({ policy: policy({ proof: { request: 'mfa' }, hash: 'now with a proof' }) });
  const outcome = decideApprove(approveFacts({ entitlement: guarded }), NOW);
  expect(refusalOf(outcome)).toMatchObject({ code: 'requester_not_eligible' });
  expect(put(changesWith(outcome), 'request')[0]?.state).toBe('withdrawn');
});
