/** Reads of one group that come together, answered from a directory of the test's that says what it was asked. */
import { describe, expect, it } from 'vitest';
import type { DirectoryUser } from '../../src/access/model.ts';
import { type Directory, DirectoryError } from '../../src/access/ports.ts';
import { listingWhenMany } from '../../src/workers/listing.ts';

describe('many reads of one group', () => {
  const asked: string[] = [];
  let listing: () => Promise<readonly DirectoryUser[]>;
  const user = (id: string): DirectoryUser => ({ directory: 'okta', id, login: id, email: id, name: id, active: true });
  const members = ['u0', 'u2'];
  const alarms: (() => void)[] = [];
  const directory = {
    name: 'okta',
    isMember: async (groupId: string, userId: string) => {
      asked.push(`${userId} in ${groupId}`);
      return members.includes(userId);
    },
    listMembers: async (groupId: string) => {
      asked.push(groupId);
      return listing();
    },
  } as unknown as Directory;

  function given() {
    asked.length = 0;
    listing = async () => members.map(user);
    return listingWhenMany(directory, (_, act) => alarms.push(act));
  }
  async function read(from: Directory, group: string, many: number) {
    const answers = Promise.allSettled(Array.from({ length: many }, (_, n) => from.isMember(group, `u${n}`)));
    for (const ring of alarms.splice(0)) ring();
    return (await answers).map((one) => (one.status === 'fulfilled' ? one.value : one.reason));
  }

  it('are answered from one listing', async () => {
    const from = given();
    expect(await read(from, 'g1', 5)).toEqual([true, false, true, false, false]);
    expect(asked).toEqual(['g1']);
  });

  it('are asked one by one while they are few', async () => {
    const from = given();
    expect(await read(from, 'g1', 4)).toEqual([true, false, true, false]);
    expect(asked).toHaveLength(4);
  });

  it('are asked one by one where the group is so large that listing it takes more calls', async () => {
    const from = given();
    listing = async () => Array.from({ length: 1_201 }, (_, n) => user(`u${n}`));
    await read(from, 'g1', 6);
    asked.length = 0;
    await read(from, 'g1', 6);
    expect(asked).toHaveLength(6);
    asked.length = 0;
    await read(from, 'g1', 7);
    expect(asked).toEqual(['g1']);
  });

  it('each hear of it when the listing fails, which is no absence, and the next ones are asked one by one', async () => {
    const from = given();
    listing = () => Promise.reject(new DirectoryError('okta', 'unavailable', 'no answer'));
    for (const answer of await read(from, 'g1', 5)) expect(answer).toBeInstanceOf(DirectoryError);
    asked.length = 0;
    expect(await read(from, 'g1', 5)).toEqual([true, false, true, false, false]);
    expect(asked).toHaveLength(5);
  });
});
