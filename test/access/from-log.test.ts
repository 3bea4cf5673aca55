import { describe, expect, test } from 'vitest';
import { decideFromLog, isExplained, logFindingText, ownAdditions } from '../../src/access/from-log.ts';
import { nextStep } from '../../src/access/ledger.ts';
import type { Membership } from '../../src/access/model.ts';
import type { MembershipRecord } from '../../src/access/ports.ts';
import { activeGrant, baseline, grant, HOUR, keyOf, membership, ourMembership, T0 } from '../support/builders.ts';
import { eventKinds, faultsOf, jobs, put } from '../support/given.ts';

const NOW = T0 + HOUR;
const added = (userId: string, at: number, byUs: boolean) => ({ userId, login: userId, at, byUs });
const record = (row?: Membership, grants = [] as MembershipRecord['grants']): MembershipRecord => ({
  key: keyOf('prod-db-read'),
  ...(row === undefined ? {} : { membership: row }),
  grants,
});
const decide = (of: MembershipRecord, observe = false) => {
  const decision = decideFromLog(
    {
      addition: { userId: of.key.userId, login: 'ana@acme.com', at: T0, byUs: true },
      groupName: 'prod-db-read',
      record: of,
      observe,
    },
    NOW,
  );
  expect(faultsOf(decision.changes)).toEqual([]);
  return decision;
};

test('only whoever was last added by us counts: somebody may have been added for good since', () => {
  const log = [added('ana', 1, true), added('dan', 2, false), added('ana', 3, false), added('dan', 4, true)];
  expect(ownAdditions(log).map(({ userId }) => userId)).toEqual(['dan']);
});

describe('what we added and do not know of', () => {
  test.each([
    ['never heard of', record()],
    ['known as absent', record(membership())],
  ])('is %s, and is from now on owed a removal like any other', (_, of) => {
    const { finding, changes } = decide(of);
    expect(finding.course).toBe('removing');
    const [row] = put(changes, 'membership');
    expect(row).toMatchObject({ origin: 'ours', ruling: 'from_log' });
    expect(nextStep(row as Membership, { wanted: false, mayAdd: false }, NOW, 0)).toEqual({ do: 'remove' });
    expect(jobs(changes).get('op:okta:id-prod-db-read:okta-ana@acme.com')).toMatchObject({ priority: 0 });
    expect(eventKinds(changes)).toEqual(['membership.claimed']);
  });

  test('is only said while the directory is observed', () => {
    expect(decide(record(), true)).toMatchObject({ finding: { course: 'would_remove' }, changes: [] });
  });

  test('is left to a person where the record has it as permanent', () => {
    const { finding, changes } = decide(record(baseline()));
    expect(finding.course).toBe('recorded_permanent');
    expect(changes).toEqual([]);
    expect(logFindingText(finding, NOW, 'UTC')).toMatch(
      /added by Hallpass 09:00 UTC.*as permanent: look at it yourself/,
    );
  });
});

test.each([
  ['a live grant', record(ourMembership(), [activeGrant()]), true],
  ['a grant that is being added', record(membership(), [grant()]), true],
  ['a removal that is owed already', record(ourMembership({ removeStartedAt: NOW })), true],
  ['an admin who made it permanent', record(baseline({ ruling: 'adopted', ruledAt: T0 })), true],
  ['nothing', record(membership()), false],
  ['a permanent member of old', record(baseline()), false],
])('%s explains it: %#', (_, of, explained) => {
  expect(isExplained(of)).toBe(explained);
});
