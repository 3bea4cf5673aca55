/**
 * Many reads of one group as one listing of it. Reads that are asked for at nearly the same moment wait for each other;
 * few of a group are asked one by one, many are answered from all its pages.
 */
import type { Directory } from '../access/ports.ts';

/** How long the first read of a group waits for others. */
const GATHER_MS = 20;
/** Fewer than this are asked one by one, whatever the size of the group. */
const MANY = 5;
/** A page of the smallest size there is: what a listing costs, in calls. */
const PAGE = 200;
const GROUPS_REMEMBERED = 1_000;

interface Waiting {
  readonly userId: string;
  resolve(member: boolean): void;
  reject(error: unknown): void;
}

/**
 * The directory, whose `isMember` is answered by `listMembers` where that costs fewer calls. `after` runs something in so
 * many milliseconds.
 */
export function listingWhenMany(
  directory: Directory,
  after: (ms: number, act: () => void) => unknown = (ms, act) => setTimeout(act, ms),
): Directory {
  const waiting = new Map<string, Waiting[]>();
  /** Members at the last listing, by group id; what is not known is taken for one page. */
  const sizes = new Map<string, number>();
  /** Groups whose last listing failed: it may be too long, so that the next reads are asked one by one. */
  const failed = new Set<string>();

  async function answer(groupId: string): Promise<void> {
    const asked = waiting.get(groupId) ?? [];
    waiting.delete(groupId);
    const pages = Math.ceil((sizes.get(groupId) ?? 1) / PAGE);
    if (failed.delete(groupId) || asked.length < Math.max(MANY, pages)) {
      for (const { userId, resolve, reject } of asked) directory.isMember(groupId, userId).then(resolve, reject);
      return;
    }
    try {
      const members = new Set((await directory.listMembers(groupId)).map(({ id }) => id));
      if (sizes.size >= GROUPS_REMEMBERED) sizes.clear();
      sizes.set(groupId, members.size);
      for (const { userId, resolve } of asked) resolve(members.has(userId));
    } catch (error) {
      if (failed.size >= GROUPS_REMEMBERED) failed.clear();
      failed.add(groupId);
      for (const { reject } of asked) reject(error);
    }
  }

  return {
    ...directory,
    isMember: (groupId, userId) =>
      new Promise((resolve, reject) => {
        const others = waiting.get(groupId);
        if (others !== undefined) others.push({ userId, resolve, reject });
        else {
          waiting.set(groupId, [{ userId, resolve, reject }]);
          after(GATHER_MS, () => void answer(groupId));
        }
      }),
  };
}
