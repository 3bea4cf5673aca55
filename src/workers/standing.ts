/** Default deny, measured: who is in a governed group although no grant put them there. */
import { cleanName } from '../access/grammar.ts';
import type { DirectoryUser, GroupName } from '../access/model.ts';
import type { Clock, DigestStore, Directory, GroupStanding, People } from '../access/ports.ts';

/** A member list is asked of the directory at most this often. */
const MAX_AGE_MS = 60_000;
/** Groups asked for at the same time, so that a digest never crowds out removals. */
const AT_ONCE = 4;
/** More groups than this are not asked one by one while somebody waits. */
const GROUPS_MAX = 200;
/** Of one group; whoever the ledger explains beyond that would show as standing, and nobody has such groups. */
const EXPLAINED_MAX = 20_000;
/** Directories answer from copies: somebody removed this recently may still be listed. */
const LISTED_STILL_MS = 10 * 60_000;

export interface StandingParts {
  readonly store: Pick<DigestStore, 'explained'>;
  readonly people: Pick<People, 'group'>;
  readonly directories: ReadonlyMap<string, Directory>;
  readonly clock: Clock;
  /** How long a whole measurement may take. */
  readonly withinMs?: number;
}

const WITHIN_MS = 6_000;

type Measured = (groups: readonly GroupName[]) => Promise<readonly GroupStanding[]>;

export function createStanding(parts: StandingParts): Measured {
  const { store, people, directories, clock, withinMs = WITHIN_MS } = parts;
  const lists = new Map<string, { readonly askedAt: number; readonly answer: Promise<readonly DirectoryUser[]> }>();

  /** Those who ask at the same moment share one call; a failure is not kept. */
  function membersOf(directory: Directory, groupId: string): Promise<readonly DirectoryUser[]> {
    const key = JSON.stringify([directory.name, groupId]);
    const known = lists.get(key);
    if (known !== undefined && clock.monotonic() - known.askedAt <= MAX_AGE_MS) return known.answer;
    const entry = { askedAt: clock.monotonic(), answer: directory.listMembers(groupId) };
    if (lists.size >= GROUPS_MAX) lists.clear();
    lists.set(key, entry);
    entry.answer.catch(() => {
      if (lists.get(key) === entry) lists.delete(key);
    });
    return entry.answer;
  }

  async function measure({ directory: name, group }: GroupName): Promise<GroupStanding> {
    try {
      const directory = directories.get(name);
      if (directory === undefined) return { directory: name, group, error: 'there is no such directory' };
      const { groupId } = await people.group(name, group);
      // The list first: whoever is added after it is not in it, and whoever was removed before it is not either.
      const members = await membersOf(directory, groupId);
      const since = clock.now() - LISTED_STILL_MS;
      const explained = new Set(await store.explained(name, groupId, since, EXPLAINED_MAX));
      const standing = members.filter((member) => !explained.has(member.id));
      return {
        directory: name,
        group,
        members: standing.map((one) => cleanName(one.name) || cleanName(one.login)).sort(),
      };
    } catch (error) {
      return { directory: name, group, error: error instanceof Error ? error.message : String(error) };
    }
  }

  return async (groups) => {
    const asked = groups.slice(0, GROUPS_MAX);
    const answers: (GroupStanding | undefined)[] = groups.map(() => undefined);
    let next = 0;
    let over = false;
    const work = async () => {
      for (let at = next++; at < asked.length && !over; at = next++) {
        const group = asked[at];
        if (group !== undefined) answers[at] = await measure(group);
      }
    };
    let alarm: NodeJS.Timeout | undefined;
    const bell = new Promise<void>((resolve) => {
      alarm = setTimeout(resolve, withinMs);
    });
    await Promise.race([Promise.all(Array.from({ length: AT_ONCE }, work)), bell]);
    clearTimeout(alarm);
    over = true;
    return groups.map(
      ({ directory, group }, index) =>
        answers[index] ?? {
          directory,
          group,
          error:
            index < GROUPS_MAX ? `no answer in ${withinMs / 1000} s` : `more than ${GROUPS_MAX} groups are not asked`,
        },
    );
  };
}
