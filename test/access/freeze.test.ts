/**
 * Promise: after a freeze nothing in its scope becomes access until it is lifted, and only those who may freeze and lift.
 * That a freeze and an approval at the same moment cannot both win is the store's part: `store-freezes.ts`.
 */
import { describe, expect, test } from 'vitest';
import { mayIn } from '../../src/access/aims.ts';
import { decideApprove } from '../../src/access/decide-answer.ts';
import { decideFreeze, decideUnfreeze, type FreezeFacts, ringFreeze } from '../../src/access/decide-freeze.ts';
import { decideOperation } from '../../src/access/decide-operation.ts';
import { decideRequest } from '../../src/access/decide-request.ts';
import { covers, freezeLines, frozenBy, scopeId, visibleTo } from '../../src/access/freeze.ts';
import type { Freeze, Freezes, Scope } from '../../src/access/model.ts';
import {
  ana,
  approveFacts,
  ben,
  broken,
  cat,
  entitlement,
  grant,
  grantRecord,
  group,
  keyOf,
  MINUTE,
  membership,
  no,
  onCall,
  ourMembership,
  policy,
  request,
  requestFacts,
  requestRecord,
  T0,
  yes,
} from '../support/builders.ts';
import { dropped, eventKinds, faultsOf, jobs, put, refusalOf } from '../support/given.ts';

const ALL: Scope = { kind: 'all' };
const DB: Scope = { kind: 'resource', resource: 'db-prod' };
const ANA: Scope = { kind: 'person', person: ana.id };

function freezeOf(scope: Scope, more: Partial<Freeze> = {}): Freeze {
  return {
    id: scopeId(scope),
    version: 1,
    scope,
    name: 'db-prod',
    reason: 'incident 4711',
    by: 'Cat',
    at: T0,
    ...more,
  };
}
const frozen = (...scopes: readonly Scope[]): Freezes => ({ version: 7, live: scopes.map((scope) => freezeOf(scope)) });

function facts(more: Partial<FreezeFacts> = {}): FreezeFacts {
  return {
    by: { person: cat, subjects: [yes(group('security'))] },
    may: [group('security')],
    scope: DB,
    name: 'db-prod',
    freezes: { version: 6, live: [] },
    inScope: { pending: [], adding: [], more: false },
    tell: [{ platform: 'slack', conversation: 'C0' }],
    ...more,
  };
}

function decided(outcome: ReturnType<typeof decideFreeze>) {
  if ('refusal' in outcome) throw new Error(`refused: ${JSON.stringify(outcome.refusal)}`);
  expect(faultsOf(outcome.changes)).toEqual([]);
  return outcome;
}
const refusal = (outcome: ReturnType<typeof decideFreeze>) => ('refusal' in outcome ? outcome.refusal : undefined);

describe('a scope', () => {
  const what = { person: ana.id, resource: 'db-prod/orders' };
  test('of a resource covers its parts and nothing that only begins alike', () => {
    expect(covers(DB, what)).toBe(true);
    expect(covers(DB, { ...what, resource: 'db-prod-eu' })).toBe(false);
    expect(covers({ kind: 'resource', resource: 'db-prod/orders' }, { ...what, resource: 'db-prod' })).toBe(false);
  });

  test('of a person covers that person anywhere, and everything covers everything', () => {
    expect(covers(ANA, { person: ana.id, resource: 'x' })).toBe(true);
    expect(covers(ANA, { person: ben.id, resource: 'db-prod' })).toBe(false);
    expect(frozenBy(frozen(ANA, DB, ALL), what)?.id).toBe('all');
    expect(frozenBy(frozen({ kind: 'person', person: ben.id }), what)).toBeUndefined();
  });

  test('of somebody else is not everybody’s business', () => {
    const both = frozen(ANA, DB);
    expect(visibleTo(both, ben.id, false)).toHaveLength(1);
    expect(visibleTo(both, ana.id, false)).toHaveLength(2);
    expect(visibleTo(both, ben.id, true)).toHaveLength(2);
  });

  test('says who, why and since when', () => {
    expect(freezeLines([freezeOf(DB)], T0 + MINUTE, 'UTC')).toEqual([
      'db-prod is frozen since 09:00 UTC, by Cat: “incident 4711”.',
    ]);
  });
});

describe('freezing', () => {
  test('withdraws what waits and stops what was not sent, in one commit with the freeze', () => {
    const adding = grantRecord(grant({ id: 'G-2222', requestId: 'R-2222' }), [membership()]);
    const inScope = { pending: [request()], adding: [adding], more: false };
    const { changes, closed, ended } = decided(decideFreeze({ reason: 'incident' }, facts({ inScope }), T0));
    expect([closed, ended]).toEqual([1, 1]);
    expect(put(changes, 'request')).toMatchObject([{ id: 'R-7KQ2', state: 'withdrawn', closedBy: 'Cat' }, {}]);
    expect(put(changes, 'grant')).toMatchObject([{ id: 'G-2222', state: 'ended', endReason: 'revoked' }]);
    expect(dropped(changes)).toEqual(expect.arrayContaining(['lapse:R-7KQ2', 'end:G-2222', 'addby:G-2222']));
    expect(put(changes, 'freeze')).toMatchObject([{ id: 'resource:db-prod', version: 1, by: 'Cat' }]);
    expect(put(changes, 'freeze_head')).toEqual([{ version: 7 }]);
    expect(eventKinds(changes)).toEqual(expect.arrayContaining(['freeze.made', 'request.withdrawn', 'grant.revoked']));
    expect(jobs(changes).has('freeze:resource:db-prod')).toBe(true);
    expect([...jobs(changes).keys()].filter((id) => id.startsWith('security:'))).toHaveLength(2);
  });

  test('ends two grants on one membership as one after the other', () => {
    const [one, two] = [grant({ id: 'G-1111', requestId: 'R-1111' }), grant({ id: 'G-2222', requestId: 'R-2222' })];
    const adding = [
      grantRecord(one, [membership()], { others: [two] }),
      grantRecord(two, [membership()], { others: [one] }),
    ];
    const { changes } = decided(
      decideFreeze({ reason: 'x' }, facts({ inScope: { pending: [], adding, more: false } }), T0),
    );
    expect(put(changes, 'membership').map(({ version }) => version)).toEqual([2, 3]);
  });

  test('is for responders; an attempt by anybody else is kept', () => {
    const by = { person: ben, subjects: [no(group('security'))] };
    const outcome = decideFreeze({ reason: 'x' }, facts({ by }), T0);
    expect(outcome).toMatchObject({ refusal: { code: 'not_a_responder' }, record: { kind: 'freeze.refused' } });
    const unsure = facts({ by: { person: ben, subjects: [broken(group('security'))] } });
    expect(refusal(decideFreeze({ reason: 'x' }, unsure, T0))).toMatchObject({ code: 'cannot_check' });
    expect(refusal(decideFreeze({ reason: 'x' }, facts({ by: { operator: 'root' } }), T0))).toBeUndefined();
  });

  test('what is frozen already says by whom, and a lifted one is frozen anew', () => {
    const known = freezeOf(DB);
    expect(refusal(decideFreeze({ reason: 'x' }, facts({ known }), T0))).toMatchObject({
      code: 'already_frozen',
      by: 'Cat',
    });
    const lifted = { ...known, version: 2, liftedAt: T0 };
    const { freeze } = decided(decideFreeze({ reason: 'x' }, facts({ known: lifted }), T0 + 1));
    expect(freeze).toMatchObject({ version: 3, at: T0 + 1 });
    expect(freeze).not.toHaveProperty('liftedAt');
  });

  test('finds later what came in at the same moment, until there is nothing left', () => {
    const some = { pending: [request()], adding: [], more: true };
    const rung = ringFreeze(freezeOf(DB), some, T0);
    expect(put(rung, 'request')).toMatchObject([{ state: 'withdrawn' }]);
    expect(jobs(rung).has('freeze:resource:db-prod')).toBe(true);
    expect(ringFreeze(freezeOf(DB), { pending: [], adding: [], more: true }, T0)).toEqual([]);
    expect(ringFreeze(freezeOf(DB, { liftedAt: T0 }), some, T0)).toEqual([]);
  });

  test('by those on call is for the resources they approve, with all their parts', () => {
    const dba = entitlement();
    const parts = entitlement({ resource: 'db-prod/orders', policy: policy({ approvers: [group('leads')] }) });
    const catalog = (resources: Readonly<Record<string, typeof dba>>) => ({
      resources: Object.fromEntries(
        Object.entries(resources).map(([name, one]) => [
          name,
          { name, title: name, defaultRole: 'read', roles: { read: one } },
        ]),
      ),
      admins: [],
      responders: [],
      viewers: [],
      timezone: 'UTC',
    });
    const subjects = [onCall('dba'), group('security')];
    expect(mayIn(catalog({ 'db-prod': dba }), subjects, DB)).toEqual(subjects);
    expect(mayIn(catalog({ 'db-prod': dba, 'db-prod/orders': parts }), subjects, DB)).toEqual([group('security')]);
    for (const scope of [ALL, ANA])
      expect(mayIn(catalog({ 'db-prod': dba }), subjects, scope)).toEqual([group('security')]);
  });
});

describe('lifting', () => {
  test('needs a freeze, moves the head, and is not for whoever is frozen', () => {
    expect(refusal(decideUnfreeze(facts(), T0))).toMatchObject({ code: 'not_frozen' });
    const known = freezeOf(DB);
    const { changes } = decided(decideUnfreeze(facts({ known, freezes: frozen(DB) }), T0 + 1));
    expect(put(changes, 'freeze')).toMatchObject([{ version: 2, liftedAt: T0 + 1, liftedBy: 'Cat' }]);
    expect(put(changes, 'freeze_head')).toEqual([{ version: 8 }]);
    expect(eventKinds(changes)).toEqual(['freeze.lifted']);
    const self = frozen({ kind: 'person', person: cat.id });
    expect(refusal(decideUnfreeze(facts({ known, freezes: self }), T0))).toMatchObject({ code: 'frozen' });
  });
});

describe('while it is frozen', () => {
  test.each([ALL, DB, ANA])('nobody asks in scope $kind', (scope) => {
    const outcome = decideRequest({ reason: 'fix stuck migration' }, requestFacts({ freezes: frozen(scope) }), T0);
    expect(refusalOf(outcome)).toMatchObject({ code: 'frozen', by: 'Cat', reason: 'incident 4711' });
  });

  test.each([ALL, DB, ANA])('nothing is approved in scope $kind, and what still waits is withdrawn', (scope) => {
    const outcome = decideApprove(approveFacts({ freezes: frozen(scope) }), T0 + 1);
    expect(refusalOf(outcome)).toMatchObject({ code: 'frozen' });
    if (!('refusal' in outcome)) throw new Error('decided');
    expect(put(outcome.changes ?? [], 'request')).toMatchObject([{ state: 'withdrawn' }]);
  });

  test('a person who is frozen approves nothing', () => {
    const outcome = decideApprove(approveFacts({ freezes: frozen({ kind: 'person', person: ben.id }) }), T0 + 1);
    expect(refusalOf(outcome)).toMatchObject({ code: 'frozen' });
    expect(outcome).not.toHaveProperty('changes');
  });

  test('what is asked and approved elsewhere rests on what was frozen when it was looked up', () => {
    const elsewhere = frozen({ kind: 'resource', resource: 'other' });
    for (const outcome of [
      decideRequest({ reason: 'fix stuck migration' }, requestFacts({ freezes: elsewhere }), T0),
      decideApprove(approveFacts({ record: requestRecord(request()), freezes: elsewhere }), T0 + 1),
    ])
      expect('changes' in outcome ? outcome.changes : []).toContainEqual({
        put: 'freeze_head',
        row: { version: 7 },
        was: 7,
      });
  });

  const operate = (freezes: Freezes, row = membership({ seen: 'absent', seenAt: T0 }), of = request()) =>
    decideOperation(
      {
        membership: row,
        grants: [grantRecord(grant(), [row], { request: of })],
        freezes,
        lagMs: 0,
        callDeadlineMs: 10_000,
        jitter: 0.5,
        correlation: 'op',
      },
      undefined,
      T0 + 1,
    );

  test('an addition that was not sent is not sent any more', () => {
    expect(operate(frozen(DB)).next).toEqual({ do: 'done' });
    expect(operate(frozen(ANA)).next).toEqual({ do: 'done' });
    const other = operate(frozen({ kind: 'person', person: ben.id }));
    expect(other.next).toEqual({ do: 'call', call: 'add' });
    // The mark is stale when a freeze comes between the look and the commit.
    expect(other.changes).toContainEqual({ put: 'freeze_head', row: { version: 7 }, was: 7 });
  });

  test('nor one for a pipeline whose human is frozen', () => {
    const onBehalfOf = { person: ben.id, name: ben.name, email: ben.email };
    const asked = request({ workload: { name: 'deploy', run: 'github/1/2/1', runName: 'run 2', onBehalfOf } });
    expect(operate(frozen({ kind: 'person', person: ben.id }), undefined, asked).next).toEqual({ do: 'done' });
  });

  test('one that was sent is looked after as ever: it may have happened', () => {
    const sent = ourMembership({ key: keyOf('prod-db-read'), addOutcome: 'unknown' });
    expect(operate(frozen(DB), sent).next).toEqual({ do: 'call', call: 'read' });
  });
});
