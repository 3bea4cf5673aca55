import { describe, expect, test } from 'vitest';
import type { Finding } from '../../src/access/activity.ts';
import { decideApprove, decideDeny } from '../../src/access/decide-answer.ts';
import { decideCancel, decideReturn } from '../../src/access/decide-close.ts';
import { decideDismiss } from '../../src/access/decide-finding.ts';
import { decideExtend, decideRequest } from '../../src/access/decide-request.ts';
import { decideReview } from '../../src/access/decide-review.ts';
import type { Freeze, Person, Review, Subject, Workload } from '../../src/access/model.ts';
import { viewOf } from '../../src/access/view.ts';
import { requestersOf, workloadMay } from '../../src/access/workload.ts';
import {
  activeGrant,
  ana,
  answerFacts,
  approveFacts,
  ben,
  cat,
  grantRecord,
  group,
  HOUR,
  MINUTE,
  no,
  policy,
  request,
  requestFacts,
  requestRecord,
  T0,
  yes,
} from '../support/builders.ts';
import { changesOf, put, refusalOf } from '../support/given.ts';

const workload: Workload = {
  name: 'deploy',
  run: 'github/4001/1234/1',
  runName: 'run 1234',
  runUrl: 'https://github.com/acme/shop/actions/runs/1234',
  onBehalfOf: { person: ben.id, name: ben.name, email: ben.email },
};
/** The builders' requester, here as the service person of a pipeline that Ben has set off. */
const job: Person = { ...ana, workload, via: { kind: 'workload', session: 'S-1' } };
const otherRun: Person = { ...job, workload: { ...workload, run: 'github/4001/1235/1' } };
const asked = request({ workload });
const frozen = (who: Person): Freeze => ({
  id: `person:${who.id}`,
  version: 1,
  scope: { kind: 'person', person: who.id },
  name: who.name,
  reason: 'stolen laptop',
  by: 'Sam',
  at: T0,
});

describe('a pipeline’s request', () => {
  test('says which run asked and for whom, on the request, in its trail and on its card', () => {
    const changes = changesOf(decideRequest({ reason: 'migrate the orders' }, requestFacts({ person: job }), T0));
    const [row] = put(changes, 'request');
    expect(row?.workload).toEqual(workload);
    const made = put(changes, 'event').find(({ kind }) => kind === 'request.made');
    expect(made?.actor).toMatchObject({ id: ana.id, via: { kind: 'workload', session: 'S-1' } });
    expect(made?.detail.workload).toEqual({ name: 'deploy', run: workload.run, onBehalfOf: ben.id });
    const view = viewOf({ record: requestRecord(asked) }, T0, 'UTC');
    expect(view.requesterName).toBe(`${ana.name} for ${ben.name}`);
    expect(view.pipeline).toEqual({ text: 'deploy · run 1234', url: workload.runUrl });
  });

  test('is approved and denied by neither its service person nor whoever set it off', () => {
    for (const own of [ana, ben]) {
      const facts = { record: requestRecord(asked), person: own };
      expect(refusalOf(decideApprove(approveFacts(facts), T0 + MINUTE))?.code).toBe('own_request');
      expect(refusalOf(decideDeny({}, answerFacts(facts), T0 + MINUTE))?.code).toBe('own_request');
    }
    const other = approveFacts({ record: requestRecord(asked), person: cat });
    expect(put(changesOf(decideApprove(other, T0 + MINUTE)), 'grant')[0]?.holder).toBe(ana.id);
  });

  test('is not made where nobody but whoever set it off could approve it', () => {
    const facts = requestFacts({ person: job, approvers: { people: [ben], complete: true } });
    expect(refusalOf(decideRequest({ reason: 'migrate the orders' }, facts, T0))?.code).toBe('nobody_to_ask');
  });

  test('is not made, and not approved, while whoever set it off is frozen', () => {
    const freezes = { version: 1, live: [frozen(ben)] };
    const facts = requestFacts({ person: job, freezes });
    expect(refusalOf(decideRequest({ reason: 'migrate the orders' }, facts, T0))?.code).toBe('frozen');
    const approval = approveFacts({ record: requestRecord(asked), person: cat, freezes });
    expect(refusalOf(decideApprove(approval, T0 + MINUTE))?.code).toBe('frozen');
    // More time for it, asked for by the service person signed in somewhere else.
    const extended = grantRecord(activeGrant(), [], { request: asked });
    const more = { ...requestFacts({ person: ana, freezes }), extended };
    expect(refusalOf(decideExtend({ duration: { ms: MINUTE } }, more, T0 + MINUTE))?.code).toBe('frozen');
  });

  test('is touched by its own run alone, and more time is asked for the same human', () => {
    const grant = activeGrant();
    const extended = grantRecord(grant, [], { request: asked });
    for (const who of [otherRun, { ...job, workload: { ...workload, name: 'release' } }]) {
      expect(refusalOf(decideCancel({ person: who, record: requestRecord(asked) }, T0))?.code).toBe('not_yours');
      expect(refusalOf(decideReturn({ person: who, record: extended }, T0))?.code).toBe('not_yours');
      const facts = { ...requestFacts({ person: who }), extended };
      expect(refusalOf(decideExtend({ duration: { ms: MINUTE } }, facts, T0 + MINUTE))?.code).toBe('not_yours');
    }
    expect(refusalOf(decideCancel({ person: ben, record: requestRecord(asked) }, T0))?.code).toBe('not_yours');
    expect(put(changesOf(decideReturn({ person: job, record: extended }, T0)), 'grant')[0]?.endReason).toBe('returned');
    // The service person, signed in somewhere else: it stays Ben's.
    const more = decideExtend(
      { duration: { ms: MINUTE } },
      { ...requestFacts({ person: ana }), extended },
      T0 + MINUTE,
    );
    expect(put(changesOf(more), 'request')[0]?.workload).toEqual(workload);
  });

  test('is reviewed by somebody else than whoever set it off', () => {
    const security: Subject = group('security');
    const review: Review = {
      id: 'V',
      version: 1,
      state: 'open',
      why: 'policy',
      grantId: 'G-7KQ2',
      requestId: asked.id,
      holder: ana.id,
      holderName: ana.name,
      entitlement: asked.entitlement,
      durationMs: HOUR,
      reason: asked.reason,
      reviewers: [security],
      tell: [],
      createdAt: T0,
      dueAt: T0 + HOUR,
    };
    const facts = { review, request: asked, subjects: [yes(security)] };
    const decided = decideReview({ verdict: 'sign_off' }, { ...facts, person: ben }, T0);
    expect('refusal' in decided && decided.refusal.code).toBe('own_review');
    expect('review' in decideReview({ verdict: 'sign_off' }, { ...facts, person: cat }, T0)).toBe(true);
  });

  test('has its findings dismissed by somebody else than whoever set it off', () => {
    const security: Subject = group('security');
    const finding: Finding = {
      id: 'F-2222',
      version: 1,
      state: 'open',
      rule: 'bulk-export',
      title: 'Much was taken out at once',
      level: 'high',
      grantId: 'G-7KQ2',
      requestId: asked.id,
      holder: ana.id,
      holderName: ana.name,
      entitlement: asked.entitlement,
      count: 1,
      examples: [],
      firstAt: T0,
      lastAt: T0,
      createdAt: T0,
    };
    const facts = { finding, request: asked, may: [security], subjects: [yes(security)] };
    const decided = decideDismiss({ reason: 'as planned' }, { ...facts, person: ben }, T0);
    expect('refusal' in decided && decided.refusal.code).toBe('own_finding');
    expect('finding' in decideDismiss({ reason: 'as planned' }, { ...facts, person: cat }, T0)).toBe(true);
  });

  test('is nobody’s who is not in its policy', () => {
    const requesters: Subject[] = [{ kind: 'workload', workload: 'deploy' }];
    const facts = requestFacts({ person: job, subjects: requesters.map(no) });
    const entitlement = { ...facts.entitlement, policy: policy({ requesters }) };
    const outcome = decideRequest({ reason: 'migrate the orders' }, { ...facts, entitlement }, T0);
    expect(refusalOf(outcome)).toMatchObject({ code: 'not_eligible', wanted: ['workload:deploy'] });
  });
});

test('a job asks, gives back and looks, and does nothing else', () => {
  const by = { session: 'S-1' };
  const target = { typed: 'R-7KQ2' };
  expect(workloadMay({ do: 'request', by, resource: 'db-prod', reason: 'x' })).toBe(true);
  expect(workloadMay({ do: 'return', by, target })).toBe(true);
  expect(workloadMay({ do: 'revoke', by, target, reason: 'x' })).toBe(false);
  expect(workloadMay({ do: 'freeze', by, aim: { all: true }, reason: 'x' })).toBe(false);
  expect(workloadMay({ do: 'break-glass', by, resource: 'db-prod', reason: 'x' })).toBe(false);
  expect(workloadMay({ do: 'deny', by, target })).toBe(false);
  expect(requestersOf(asked)).toEqual([ana.id, ben.id]);
});
