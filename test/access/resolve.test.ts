/** A removal that no read can prove is closed on a person's word; one that a read can prove never is. */
import { describe, expect, test } from 'vitest';
import type { Actor, Grant, Membership } from '../../src/access/model.ts';
import { DirectoryError } from '../../src/access/ports.ts';
import { decideResolve, type Look, lookAt, notResolvable } from '../../src/access/resolve.ts';
import { noticeView, viewOf } from '../../src/access/view.ts';
import {
  activeGrant,
  grant,
  grantRecord,
  HOUR,
  keyOf,
  MINUTE,
  ourMembership,
  request,
  requestRecord,
  T0,
} from '../support/builders.ts';
import { dropped, eventKinds, faultsOf, jobs, put } from '../support/given.ts';

const NOW = T0 + HOUR;
const BY: Actor = { kind: 'operator', name: 'root' };
const A = 'prod-db-read';
const B = 'prod-db-admin';
const ending = activeGrant({ state: 'ending', endReason: 'expired', endingAt: T0 + 30 * MINUTE });
const failing = ourMembership({
  removeStartedAt: NOW - MINUTE,
  removeOutcome: 'unknown',
  failures: 12,
  lastError: 'okta: remove member: the group does not exist',
  lastErrorCode: 'not_found',
});

function resolve(look: Look, row: Membership = failing, grants: readonly Grant[] = [ending], now = NOW) {
  const decision = decideResolve(
    {
      membership: row,
      grants: grants.map((one) => grantRecord(one, [row], { others: grants.filter((other) => other.id !== one.id) })),
      look,
      lagMs: 5_000,
    },
    BY,
    'deleted with the old cluster',
    now,
  );
  expect(faultsOf(decision.changes)).toEqual([]);
  return { ...decision, outcome: decision.memberships[0]?.outcome, says: decision.memberships[0]?.says };
}

describe('a group or an account that the directory no longer has', () => {
  test.each([
    [{ found: 'no_group' } as const, 'group_gone', /prod-db-read no longer exists in the directory; closed by hand/],
    [{ found: 'no_user' } as const, 'user_gone', /The account in prod-db-read no longer exists.*closed by hand/],
  ])('%o is closed on the word of whoever says so, and nothing claims that it was checked', (look, ruling, words) => {
    const { changes, outcome, says } = resolve(look);
    expect(outcome).toBe('closed');
    expect(says).toMatch(/not checked/);
    const [row] = put(changes, 'membership');
    expect(row).toMatchObject({ origin: 'none', ruling, ruledAt: NOW, failures: 0 });
    expect(row).not.toHaveProperty('provenAbsentAt');
    const [over] = put(changes, 'grant');
    expect(over).toMatchObject({ state: 'ended', endedAt: NOW });
    expect(dropped(changes)).toContain('op:okta:id-prod-db-read:okta-ana@acme.com');
    expect(eventKinds(changes)).toEqual(['grant.ended', 'membership.resolved']);
    const event = put(changes, 'event').find(({ kind }) => kind === 'membership.resolved');
    expect(event).toMatchObject({ actor: BY, grantId: 'G-7KQ2', personal: { reason: 'deleted with the old cluster' } });

    const approved = request({ state: 'approved', decidedAt: T0 });
    const view = viewOf(
      {
        record: { ...requestRecord(approved), grant: over as Grant },
        grant: grantRecord(over as Grant, [row as Membership]),
      },
      NOW,
      'UTC',
    );
    expect(view.headline).toMatch(words);
    expect(view.headline).not.toMatch(/checked\./);
  });

  test('security and the webhook, which heard of the failures, hear who closed it and why', () => {
    const { changes } = resolve({ found: 'no_group' });
    const told = [...jobs(changes).values()].filter(({ id }) => id.includes('removal_resolved'));
    expect(told.map(({ id }) => id.split(':')[0])).toEqual(['security', 'alert']);
    const [job] = told;
    if (job?.kind !== 'notification' || !('notice' in job.payload)) throw new Error('not told');
    const said = noticeView(job.payload.notice, 'UTC').lines.join(' ');
    expect(said).toMatch(/root \(on the host\) closed it.*not checked.*deleted with the old cluster/);
  });

  test('two grants that wait for the same removal are both over', () => {
    const other = { ...ending, id: 'G-2222', requestId: 'R-2222' };
    const { changes } = resolve({ found: 'no_group' }, failing, [ending, other]);
    expect(put(changes, 'grant').map(({ id, state }) => [id, state])).toEqual([
      ['G-7KQ2', 'ended'],
      ['G-2222', 'ended'],
    ]);
  });

  test('a grant of two groups stays ending until the other one is gone too', () => {
    const wide = { ...ending, memberships: [keyOf(A), keyOf(B)] };
    const admin = ourMembership({ key: keyOf(B), groupName: B, removeStartedAt: NOW });
    const decision = decideResolve(
      { membership: failing, grants: [grantRecord(wide, [failing, admin])], look: { found: 'no_group' }, lagMs: 0 },
      BY,
      'gone',
      NOW,
    );
    expect(put(decision.changes, 'grant').map(({ state }) => state)).toEqual(['ending']);
  });
});

describe('what the directory still answers for', () => {
  test('a member is not closed: it is removed again at once, and the last attempt is said', () => {
    const { changes, outcome, says } = resolve({ found: 'member', readAt: NOW });
    expect(outcome).toBe('still_member');
    expect(says).toMatch(/still a member.*the group does not exist/);
    expect(put(changes, 'membership')).toEqual([]);
    expect(jobs(changes).get('op:okta:id-prod-db-read:okta-ana@acme.com')?.dueAt).toBe(NOW);
  });

  test('somebody who is not there any more is closed as checked, although no removal was ever accepted', () => {
    const { changes, outcome } = resolve({ found: 'no_member', readAt: NOW });
    expect(outcome).toBe('proven');
    expect(put(changes, 'membership')[0]).toMatchObject({ origin: 'none', provenAbsentAt: NOW });
    expect(put(changes, 'grant')[0]).toMatchObject({ state: 'ended' });
    expect([...jobs(changes).keys()].filter((id) => id.startsWith('security:'))).toEqual([]);
  });

  test('an absence is no proof while an addition may still take effect', () => {
    const row = { ...failing, addOutcome: 'unknown' as const, addUnknownUntil: NOW + 1_000 };
    const { changes, outcome } = resolve({ found: 'no_member', readAt: NOW }, row);
    expect(outcome).toBe('not_yet');
    expect(put(changes, 'membership')).toEqual([]);
  });

  test('an answer that fails leaves everything as it is', () => {
    const { changes, outcome, says } = resolve({ found: 'no_answer', why: 'okta: 401' });
    expect(outcome).toBe('no_answer');
    expect(says).toMatch(/okta: 401/);
    expect(changes).toEqual([]);
  });
});

test('only a grant that is ending can be resolved', () => {
  expect(notResolvable(ending)).toBeUndefined();
  expect(notResolvable(grant())).toMatch(/is live.*hallpass revoke G-7KQ2/);
  expect(notResolvable({ ...ending, state: 'ended' })).toMatch(/has ended/);
});

test('only a missing group or account counts as gone; a refused or failing look-up says nothing', async () => {
  const failingWith = (error: DirectoryError) =>
    lookAt({ isMember: () => Promise.reject(error) } as never, keyOf(A), () => NOW);
  const not = (missing?: 'group' | 'user' | 'member') =>
    new DirectoryError('okta', 'not_found', '404', missing === undefined ? {} : { missing });
  expect(await failingWith(not('group'))).toEqual({ found: 'no_group' });
  expect(await failingWith(not('user'))).toEqual({ found: 'no_user' });
  expect(await failingWith(not())).toMatchObject({ found: 'no_answer' });
  expect(await failingWith(new DirectoryError('okta', 'unauthorized', '401'))).toMatchObject({ found: 'no_answer' });
  expect(await lookAt(undefined, keyOf(A), () => NOW)).toMatchObject({ found: 'no_answer' });
});

describe('a directory that the configuration no longer has', () => {
  const key = keyOf(A);

  test('settles nothing by itself: put back, or given up by whoever says so', async () => {
    const look = await lookAt(undefined, key, () => NOW);
    expect(look).toMatchObject({ found: 'no_answer', why: expect.stringContaining('--directory-given-up') });
    expect(resolve(look)).toMatchObject({ outcome: 'no_answer', changes: [] });
  });

  test('is closed on that word, never called checked, and security hears that they may still be in it', async () => {
    const { changes, outcome, says } = resolve(await lookAt(undefined, key, () => NOW, true));
    expect(outcome).toBe('closed');
    expect(says).toMatch(/not checked.*may still be/);
    expect(put(changes, 'membership')).toMatchObject([{ origin: 'none', ruling: 'directory_gone' }]);
    expect(put(changes, 'grant')).toMatchObject([{ state: 'ended' }]);
    const told = [...jobs(changes).values()].flatMap((job) =>
      job.kind === 'notification' && job.payload.tell === 'security' ? noticeView(job.payload.notice, 'UTC').lines : [],
    );
    expect(told.join(' ')).toMatch(/given up.*may still be a member/);
  });

  test('that is still there is asked, whatever is said of it', async () => {
    const directory = { isMember: async () => true } as unknown as Parameters<typeof lookAt>[0];
    expect(await lookAt(directory, key, () => NOW, true)).toMatchObject({ found: 'member' });
  });
});
