/** `expire --due` on a record in memory and a directory of the test's that says what it was asked. */
import { expect, it } from 'vitest';
import { operation } from '../../src/access/decision.ts';
import type { Change } from '../../src/access/model.ts';
import { PRIORITY } from '../../src/access/model.ts';
import type { Directory } from '../../src/access/ports.ts';
import { expireDue } from '../../src/workers/expire.ts';
import { aGrant, aMembership, aRequest, T0 } from '../contracts/store-rows.ts';
import { handClock } from '../support/clock.ts';
import { openTestStore } from '../support/open-store.ts';

it('removes each membership, and proves those of one group by one listing of it', async () => {
  const store = await openTestStore('sqlite::memory:');
  const clock = handClock(T0);
  const members = new Set(Array.from({ length: 30 }, (_, n) => `u${n}`));
  const asked = { removals: 0, reads: 0, listings: 0 };
  const directory = {
    name: 'okta',
    lagMs: 0,
    callDeadlineMs: 8_000,
    async remove(_: string, userId: string) {
      asked.removals++;
      // Each in its own time, as over a network.
      await new Promise((resolve) => setTimeout(resolve, asked.removals));
      members.delete(userId);
      return 'removed';
    },
    async isMember(_: string, userId: string) {
      asked.reads++;
      return members.has(userId);
    },
    async listMembers() {
      asked.listings++;
      return [...members].map((id) => ({ directory: 'okta', id, login: id, email: id, name: id, active: true }));
    },
  } as unknown as Directory;
  try {
    const changes = [...members].flatMap((userId): Change[] => {
      const key = { directory: 'okta', groupId: 'g1', userId };
      const request = aRequest({ id: `R-${userId}`, entitlement: `db:${userId}`, state: 'approved' });
      return [
        { put: 'request', row: request },
        {
          put: 'grant',
          row: aGrant({
            id: `G-${userId}`,
            requestId: request.id,
            entitlement: request.entitlement,
            state: 'ending',
            endingAt: T0,
            memberships: [key],
          }),
        },
        { put: 'membership', row: aMembership({ key, origin: 'ours', addOutcome: 'accepted', addAttempts: 1 }) },
        operation(key, T0, PRIORITY.removal),
      ];
    });
    await store.commit({ changes });
    const ids = { short: () => 'AAAA', opaque: () => 'x', jitter: () => 0, hash: () => '' };
    const log = { error: () => undefined, warn: () => undefined };
    const parts = { store, directories: new Map([['okta', directory]]), clock, ids, log };
    // A proof counts when it is read after the removal, so that time has to pass between the two.
    const sleep = async (ms: number) => clock.pass(ms);
    const report = await expireDue(parts, 60_000, sleep);
    expect(report.outstanding).toEqual([]);
    expect(report.proven).toHaveLength(30);
    expect(asked).toMatchObject({ removals: 30, reads: 0 });
    expect(asked.listings).toBeLessThanOrEqual(2);
  } finally {
    await store.close();
  }
});

it('does not let a removal or its proof wait for sessions that are ended slowly', async () => {
  const store = await openTestStore('sqlite::memory:');
  const clock = handClock(T0);
  const key = { directory: 'okta', groupId: 'g1', userId: 'u1' };
  const proven = Promise.withResolvers<void>();
  let member = true;
  const directory = {
    name: 'okta',
    lagMs: 0,
    callDeadlineMs: 8_000,
    async remove() {
      member = false;
      return 'removed';
    },
    async isMember() {
      if (!member) proven.resolve();
      return member;
    },
    // Answers only once the membership was read to be gone.
    signOut: () => proven.promise,
  } as unknown as Directory;
  try {
    const grant = aGrant({ state: 'ending', endingAt: T0, endReason: 'revoked', memberships: [key] });
    await store.commit({
      changes: [
        { put: 'request', row: aRequest({ state: 'approved' }) },
        { put: 'grant', row: grant },
        { put: 'membership', row: aMembership({ key, origin: 'ours', addOutcome: 'accepted', addAttempts: 1 }) },
        operation(key, T0, PRIORITY.removal),
        {
          put: 'job',
          row: {
            kind: 'sign_out',
            id: `signout:okta:${grant.id}`,
            lane: 'okta',
            priority: PRIORITY.addition,
            dueAt: T0,
            payload: { grantId: grant.id, userId: 'u1' },
          },
        },
      ],
    });
    const ids = { short: () => 'AAAA', opaque: () => 'x', jitter: () => 0, hash: () => '' };
    const log = { error: () => undefined, warn: () => undefined };
    const parts = { store, directories: new Map([['okta', directory]]), clock, ids, log };
    const report = await expireDue(parts, 60_000, async (ms) => clock.pass(ms));
    expect(report.outstanding).toEqual([]);
    // What was begun is over before the record is closed.
    expect(await store.job(`signout:okta:${grant.id}`)).toBeUndefined();
    expect((await store.grant(grant.id))?.grant.state).toBe('ended');
  } finally {
    await store.close();
  }
}, 8_000);
