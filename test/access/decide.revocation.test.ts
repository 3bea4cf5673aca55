/**
 * Promise: what is ended is what was shown to whoever confirms it; what waited in its scope becomes nothing; and it is
 * over when the last grant is proven. That nothing is committed in between is the store's part and the simulation's.
 */
import { describe, expect, test } from 'vitest';
import {
  CONFIRM_WITHIN_MS,
  type ConfirmFacts,
  decideConfirm,
  decidePreview,
  isMeant,
  type PreviewFacts,
  type RevocationProgress,
  ringRevocation,
} from '../../src/access/decide-revocation.ts';
import { covers, frozenBy, scopeId } from '../../src/access/freeze.ts';
import type { Freeze, Revocation, Scope } from '../../src/access/model.ts';
import { previewReport, progressReport } from '../../src/access/revocation-view.ts';
import {
  activeGrant,
  ana,
  ben,
  cat,
  grantRecord,
  group,
  HOUR,
  keyOf,
  MINUTE,
  no,
  ourMembership,
  request,
  requestRecord,
  T0,
  yes,
} from '../support/builders.ts';
import { eventKinds, faultsOf, jobs, put } from '../support/given.ts';

const DB: Scope = { kind: 'resource', resource: 'db-prod' };
const ANA: Scope = { kind: 'person', person: ana.id };
const sam = { person: cat, subjects: [yes(group('security'))] };

function revocation(more: Partial<Revocation> = {}): Revocation {
  return {
    id: 'rev-1',
    version: 1,
    state: 'previewed',
    scope: DB,
    name: 'db-prod',
    except: [],
    reason: 'incident',
    by: 'Cat',
    byPerson: cat.id,
    ...(cat.account === undefined ? {} : { byAccount: cat.account }),
    grants: ['G-7KQ2'],
    more: false,
    createdAt: T0,
    ...more,
  };
}

function previewFacts(more: Partial<PreviewFacts> = {}): PreviewFacts {
  return {
    by: sam,
    may: [group('security')],
    id: 'rev-1',
    scope: DB,
    name: 'db-prod',
    except: [],
    grants: [activeGrant()],
    pending: [],
    more: false,
    ...more,
  };
}

function confirmFacts(more: Partial<ConfirmFacts> = {}): ConfirmFacts {
  return {
    by: sam,
    may: [group('security')],
    revocation: revocation(),
    freezes: { version: 3, live: [] },
    first: [grantRecord(activeGrant(), [ourMembership()])],
    pending: [request({ id: 'R-9XYZ' })],
    ...more,
  };
}

function decided<T extends object>(outcome: T | { readonly refusal: unknown }): Exclude<T, { refusal: unknown }> {
  if ('refusal' in outcome) throw new Error(`refused: ${JSON.stringify(outcome.refusal)}`);
  return outcome as Exclude<T, { refusal: unknown }>;
}
const refusal = (outcome: object) => ('refusal' in outcome ? outcome.refusal : undefined);

describe('a preview', () => {
  test('changes nothing but that it was shown', () => {
    const { changes } = decided(decidePreview({ reason: 'incident' }, previewFacts(), T0));
    expect(eventKinds(changes)).toEqual(['revocation.previewed']);
    expect(put(changes, 'revocation')).toMatchObject([{ state: 'previewed', grants: ['G-7KQ2'], byPerson: cat.id }]);
    expect(changes).toHaveLength(2);
  });

  test('is for responders, and refuses what would end nothing; a person can be frozen all the same', () => {
    const by = { person: ben, subjects: [no(group('security'))] };
    expect(decidePreview({ reason: 'x' }, previewFacts({ by }), T0)).toMatchObject({
      refusal: { code: 'not_a_responder' },
      record: { kind: 'revocation.refused' },
    });
    const none = { grants: [], pending: [] };
    expect(refusal(decidePreview({ reason: 'x' }, previewFacts(none), T0))).toMatchObject({
      code: 'nothing_to_revoke',
    });
    decided(decidePreview({ reason: 'x' }, previewFacts({ ...none, scope: ANA }), T0));
  });

  test('counts people, groups and the time it takes at the slowest directory', () => {
    const report = previewReport(
      {
        revocation: revocation({ since: T0 - HOUR, except: [{ person: ben.id, name: 'Ben' }] }),
        records: [{ ...requestRecord(request({ state: 'approved' })), grant: activeGrant() }],
        pending: 2,
        groups: 1,
        loads: [
          { directory: 'okta', removals: 600, perMinute: 300 },
          { directory: 'google', removals: 1 },
        ],
        zone: 'UTC',
      },
      T0,
    );
    expect(report.headline).toMatch(
      /ends 1 grant of 1 person in 1 group\. About 2 min for 600 removals in okta, at the 300/,
    );
    expect(report.headline).toMatch(/2 waiting requests withdrawn/);
    expect(report.note).toMatch(/Nothing has happened yet. Confirm until 09:10 UTC/);
    expect(report.sections[0]?.lines).toEqual([
      { lead: 'Approved since', rest: '08:00 UTC' },
      { lead: 'Except', rest: 'Ben' },
    ]);
  });

  test('means live grants of the time and the people it names', () => {
    const of = (limits: Parameters<typeof isMeant>[0]) => isMeant(limits, activeGrant());
    expect(of({ except: [] })).toBe(true);
    expect(of({ except: [{ person: ana.id, name: 'Ana' }] })).toBe(false);
    expect(of({ except: [], since: T0 + 1 })).toBe(false);
    expect(isMeant({ except: [] }, activeGrant({ state: 'ending' }))).toBe(false);
  });
});

describe('confirming', () => {
  test('ends, withdraws and closes the scope in one commit', () => {
    const { changes } = decided(decideConfirm(confirmFacts(), T0 + MINUTE));
    expect(faultsOf(changes)).toEqual([]);
    expect(put(changes, 'grant')).toMatchObject([{ state: 'ending', endReason: 'revoked', endNote: 'incident' }]);
    expect(put(changes, 'request')).toMatchObject([{ id: 'R-9XYZ', state: 'withdrawn' }]);
    expect(put(changes, 'freeze')).toMatchObject([{ id: 'revocation:rev-1', sweeping: 'rev-1', scope: DB }]);
    expect(put(changes, 'freeze_head')).toEqual([{ version: 4 }]);
    expect(jobs(changes).get('revocation:rev-1')).toMatchObject({ dueAt: T0 + MINUTE });
    expect([...jobs(changes).keys()].filter((id) => id.startsWith('msg:revocation:'))).toHaveLength(2);
    expect(eventKinds(changes)).toEqual(expect.arrayContaining(['revocation.confirmed', 'grant.revoked']));
  });

  test('of a person freezes the person until somebody lifts it, and leaves a freeze that holds as it is', () => {
    const facts = confirmFacts({ revocation: revocation({ scope: ANA, name: 'Ana' }) });
    expect(put(decided(decideConfirm(facts, T0 + 1)).changes, 'freeze')).toMatchObject([
      { id: scopeId(ANA), name: 'Ana', reason: 'incident' },
    ]);
    const known: Freeze = { id: scopeId(ANA), version: 1, scope: ANA, name: 'Ana', reason: 'x', by: 'Sam', at: T0 };
    expect(put(decided(decideConfirm({ ...facts, known }, T0 + 1)).changes, 'freeze')).toEqual([]);
  });

  test('closes a request for more time once, with its grant', () => {
    const extension = request({ id: 'R-9XYZ', extendsGrant: 'G-7KQ2' });
    const first = [grantRecord(activeGrant(), [ourMembership()], { extension })];
    const { changes } = decided(decideConfirm(confirmFacts({ first, pending: [extension] }), T0 + 1));
    expect(put(changes, 'request')).toHaveLength(1);
  });

  test('of two grants on one membership removes it once', () => {
    const [one, two] = [
      activeGrant({ id: 'G-1111', requestId: 'R-1111' }),
      activeGrant({ id: 'G-2222', requestId: 'R-2222' }),
    ];
    const first = [
      grantRecord(one, [ourMembership()], { others: [two] }),
      grantRecord(two, [ourMembership()], { others: [one] }),
    ];
    const { changes } = decided(decideConfirm(confirmFacts({ first, pending: [] }), T0 + 1));
    expect(faultsOf(changes)).toEqual([]);
    expect(put(changes, 'membership').map(({ version }) => version)).toEqual([2, 3]);
    expect(jobs(changes).has('op:okta:id-prod-db-read:okta-ana@acme.com')).toBe(true);
  });

  test('is for whoever was shown the preview, in time, once, and still a responder', () => {
    const other = { person: ben, subjects: [yes(group('security'))] };
    const cases: readonly [Partial<ConfirmFacts>, number, string][] = [
      [{ by: other }, T0, 'expired_button'],
      [{ by: { operator: 'root' } }, T0, 'expired_button'],
      [{ revocation: revocation({ state: 'running' }) }, T0, 'expired_button'],
      [{}, T0 + CONFIRM_WITHIN_MS, 'preview_expired'],
      [{ by: { person: cat, subjects: [no(group('security'))] } }, T0, 'not_a_responder'],
    ];
    for (const [more, now, code] of cases)
      expect(refusal(decideConfirm(confirmFacts(more), now)), code).toMatchObject({ code });
  });
});

describe('while it runs', () => {
  const running = revocation({ state: 'running', version: 2, confirmedAt: T0 });
  const sweep: Freeze = {
    id: 'revocation:rev-1',
    version: 1,
    scope: DB,
    name: 'db-prod',
    reason: 'incident',
    by: 'Cat',
    at: T0,
    sweeping: 'rev-1',
    except: [ben.id],
  };
  const facts = (more: Partial<RevocationProgress> = {}): RevocationProgress => ({
    revocation: running,
    freezes: { version: 4, live: [sweep] },
    grants: [activeGrant({ state: 'ending' })],
    next: [],
    pending: [],
    ...more,
  });

  test('the scope is closed for all but those who are excepted', () => {
    const freezes = { version: 4, live: [sweep] };
    expect(frozenBy(freezes, { person: ana.id, resource: 'db-prod' })).toBe(sweep);
    expect(frozenBy(freezes, { person: ben.id, resource: 'db-prod' })).toBeUndefined();
    expect(covers(DB, { person: ben.id, resource: 'db-prod' })).toBe(true);
  });

  test('what came in at the moment of the confirmation is withdrawn before the scope opens again', () => {
    const late = request({ id: 'R-LATE' });
    const first = ringRevocation(facts({ sweep, pending: [late] }), T0 + 1);
    expect(put(first, 'request')).toMatchObject([{ id: 'R-LATE', state: 'withdrawn' }]);
    expect(put(first, 'freeze')).toEqual([]);
    expect(jobs(first).get('revocation:rev-1')?.dueAt).toBe(T0 + 1);
    const second = ringRevocation(facts({ sweep }), T0 + 2);
    expect(put(second, 'freeze')).toMatchObject([{ liftedAt: T0 + 2, version: 2 }]);
    expect(put(second, 'freeze_head')).toEqual([{ version: 5 }]);
    // Afterwards what is asked for is asked for anew.
    expect(put(ringRevocation(facts({ pending: [late] }), T0 + 3), 'request')).toEqual([]);
  });

  test('grants are ended batch by batch, and it looks again ever more slowly until all are proven', () => {
    const live = [activeGrant(), activeGrant({ id: 'G-2222', requestId: 'R-2222', memberships: [keyOf('other')] })];
    const next = [grantRecord(activeGrant(), [ourMembership()])];
    const rung = ringRevocation(facts({ grants: live, next }), T0 + 1);
    expect(put(rung, 'grant')).toMatchObject([{ id: 'G-7KQ2', state: 'ending' }]);
    expect(jobs(rung).get('revocation:rev-1')?.dueAt).toBe(T0 + 1);
    for (const [after, wait] of [
      [MINUTE - 1, 1_000],
      [MINUTE, 5_000],
      [HOUR, 60_000],
    ] as const)
      expect(jobs(ringRevocation(facts(), T0 + after)).get('revocation:rev-1')?.dueAt).toBe(T0 + after + wait);
  });

  test('it is over with the last proof, told once more, and rung again it does nothing', () => {
    const over = ringRevocation(facts({ grants: [activeGrant({ state: 'ended' })] }), T0 + 9);
    expect(put(over, 'revocation')).toMatchObject([{ state: 'done', doneAt: T0 + 9 }]);
    expect(eventKinds(over)).toEqual(['revocation.proven']);
    expect(jobs(over).has('revocation:rev-1')).toBe(false);
    expect(ringRevocation(facts({ revocation: revocation({ state: 'done' }) }), T0 + 10)).toEqual([]);
  });

  test('its progress says how many are proven, what remains, and what began too late to be in it', () => {
    const report = progressReport(
      {
        revocation: running,
        grants: [activeGrant({ state: 'ended' }), activeGrant({ id: 'G-2222', state: 'ending' })],
        remaining: [],
        proven: [],
        later: 1,
        zone: 'UTC',
      },
      T0 + 1,
    );
    expect(report.title).toBe('Revoking all access to db-prod: 1 of 2 proven');
    expect(report.headline).toMatch(/1 of 2 grants proven over, 1 being removed\. By Cat 09:00 UTC: “incident”/);
    expect(report.headline).toMatch(/1 grant began after the preview and is not in it: revoke again/);
  });
});
