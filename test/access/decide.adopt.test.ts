/** The one way in which something of ours becomes permanent: an admin says so, for somebody else, and security hears. */
import { describe, expect, test } from 'vitest';
import { type AdoptFacts, decideAdopt } from '../../src/access/decide-adopt.ts';
import { endGrant } from '../../src/access/lifecycle.ts';
import type { Grant, Membership } from '../../src/access/model.ts';
import { viewOf } from '../../src/access/view.ts';
import {
  activeGrant,
  baseline,
  cat,
  grant,
  grantRecord,
  group,
  MINUTE,
  membership,
  no,
  ourMembership,
  request,
  requestRecord,
  T0,
  yes,
} from '../support/builders.ts';
import { changesOf, eventKinds, faultsOf, jobs, put, refusalOf } from '../support/given.ts';

const NOW = T0 + 5 * MINUTE;
const admins = [group('platform')];
const NONE = { version: 1, live: [] };

function decide(of: Grant = activeGrant(), row: Membership = ourMembership(), more: Partial<AdoptFacts> = {}) {
  const facts = {
    person: cat,
    admins,
    subjects: [yes(group('platform'))],
    freezes: NONE,
    record: grantRecord(of, [row]),
    ...more,
  };
  return decideAdopt({ reason: 'joins the team for good' }, facts as AdoptFacts, NOW);
}

test('what a live grant added becomes permanent, is said to security, and is not removed at the end', () => {
  const changes = changesOf(decide());
  expect(faultsOf(changes)).toEqual([]);
  const [row] = put(changes, 'membership') as [Membership];
  expect(row).toMatchObject({ origin: 'baseline', ruling: 'adopted', ruledAt: NOW });
  expect(eventKinds(changes)).toEqual(['membership.adopted']);
  expect([...jobs(changes).keys()].filter((id) => id.startsWith('security:'))).toHaveLength(1);
  const [after] = put(changes, 'grant') as [Grant];
  const ended = endGrant(
    grantRecord(after, [row]),
    { reason: 'expired', by: { kind: 'hallpass', part: 'timers' } },
    NOW,
  );
  const [over] = put(ended, 'grant') as [Grant];
  expect(over.state).toBe('ended');
  expect([...jobs(ended).keys()].filter((id) => id.startsWith('op:'))).toEqual([]);
  const shown = (of: Grant) =>
    viewOf(
      { record: { ...requestRecord(request({ state: 'approved' })), grant: of }, grant: grantRecord(of, [row]) },
      NOW,
      'UTC',
    ).headline;
  expect(shown(after)).toMatch(/prod-db-read was made permanent by an admin and stays/);
  expect(shown(over)).toMatch(/The time is over\. prod-db-read was made permanent by an admin and stays/);
});

describe('is refused', () => {
  test('to whoever is no admin, before anything is said of the grant', () => {
    const outcome = decide(activeGrant(), ourMembership(), { subjects: [no(group('platform'))] });
    expect(refusalOf(outcome)).toEqual({ code: 'not_an_admin' });
    const unknown = decide(activeGrant(), ourMembership(), {
      subjects: [no(group('platform'))],
      missing: { code: 'unknown_id', asked: 'X' },
    } as never);
    expect(refusalOf(unknown)).toEqual({ code: 'not_an_admin' });
  });

  test('to the holder, though an admin', () => {
    expect(refusalOf(decide(activeGrant({ holder: cat.id })))).toMatchObject({ code: 'own_access' });
  });

  test.each([
    ['the person', { kind: 'person', person: activeGrant().holder }],
    ['the resource', { kind: 'resource', resource: 'db-prod' }],
    ['the admin', { kind: 'person', person: cat.id }],
  ] as const)('while %s is frozen', (_, scope) => {
    const freeze = { id: 'f', version: 1, scope, name: 'x', by: 'Sam', reason: 'incident', at: T0 };
    const freezes = { version: 2, live: [freeze] } as unknown as AdoptFacts['freezes'];
    expect(refusalOf(decide(activeGrant(), ourMembership(), { freezes }))).toMatchObject({ code: 'frozen' });
  });

  test.each<[string, Grant, Membership, string]>([
    ['a grant that is over', activeGrant({ state: 'ended' }), membership(), 'not_live'],
    ['a grant that is ending', activeGrant({ state: 'ending' }), ourMembership(), 'not_live'],
    ['an addition whose answer was lost', activeGrant(), ourMembership({ addOutcome: 'unknown' }), 'nothing_to_adopt'],
    ['what was there before', activeGrant(), baseline(), 'nothing_to_adopt'],
    ['what is not added yet', grant(), membership(), 'nothing_to_adopt'],
  ])('for %s', (_, of, row, code) => {
    expect(refusalOf(decide(of, row))).toMatchObject({ code });
  });
});
