import { expect, test } from 'vitest';
import { Cache } from '../../src/people/cache.ts';
import { createSlackUserGroupOnCall, createStaticOnCall, slackUserGroupSection } from '../../src/people/on-call.ts';

test('everyone on a static list is on call', async () => {
  const source = createStaticOnCall({ type: 'static', people: ['ben@acme.com', 'cat@acme.com'] });
  expect(await source.now(0)).toEqual([{ email: 'ben@acme.com' }, { email: 'cat@acme.com' }]);
});

test('the members of a Slack user group are on call as the accounts they are', async () => {
  const account = { platform: 'slack', tenant: 'T1', id: 'UBEN' } as const;
  const asked: string[] = [];
  const source = createSlackUserGroupOnCall({ type: 'slack-user-group', group: 'S0DBA' }, () => ({
    groupMembers: async (group) => {
      asked.push(group);
      return [account];
    },
  }));
  expect(await source.now(0)).toEqual([{ account }]);
  expect(asked).toEqual(['S0DBA']);
});

test('a Slack user group is named by its id, never by a handle that members can change', () => {
  expect(slackUserGroupSection.safeParse({ type: 'slack-user-group', group: '@dba' }).success).toBe(false);
});

test('what is remembered is bounded, the oldest answer going first', async () => {
  const asked: string[] = [];
  const cache = new Cache<string>({ monotonic: () => 0, maxAgeMs: 60_000, maxEntries: 2 });
  for (const key of ['a', 'b', 'c', 'c', 'b', 'a'])
    await cache.get(key, async () => {
      asked.push(key);
      return key;
    });
  expect(asked).toEqual(['a', 'b', 'c', 'a']);
});
