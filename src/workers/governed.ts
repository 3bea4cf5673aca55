/** The groups that Hallpass answers for in a directory. */
import type { Catalog } from '../access/catalog.ts';
import type { Directory, DriftStore, Store } from '../access/ports.ts';

const GROUPS_MAX = 2_000;

export interface Governed {
  /** As the configuration names it. */
  readonly group: string;
  readonly groupId: string;
  readonly exclusive: boolean;
}

export interface GovernedParts {
  readonly store: Pick<DriftStore, 'filledGroups'> & Pick<Store, 'pinnedGroup'>;
  readonly catalog: () => Catalog;
}

/** What the configuration grants, and whatever else something of ours is in. What could not be looked up goes to `failed`. */
export async function governed(
  { store, catalog }: GovernedParts,
  directory: Directory,
  failed: { group: string; error: string }[],
): Promise<readonly Governed[]> {
  const found = new Map<string, Governed>();
  const names = new Map<string, boolean>();
  for (const resource of Object.values(catalog().resources))
    for (const entitlement of Object.values(resource.roles))
      for (const { directory: name, group, exclusive } of entitlement.groups)
        if (name === directory.name) names.set(group, names.get(group) === true || exclusive === true);
  for (const [group, exclusive] of names) {
    try {
      const pinned = await store.pinnedGroup(directory.name, group);
      const groupId = pinned?.groupId ?? (await directory.findGroup(group))?.id;
      if (groupId === undefined) failed.push({ group, error: 'there is no such group' });
      else found.set(groupId, { group, groupId, exclusive: exclusive || found.get(groupId)?.exclusive === true });
    } catch (error) {
      failed.push({ group, error: error instanceof Error ? error.message : String(error) });
    }
  }
  for (const filled of await store.filledGroups(GROUPS_MAX))
    if (filled.directory === directory.name && !found.has(filled.groupId))
      found.set(filled.groupId, { group: filled.groupName, groupId: filled.groupId, exclusive: false });
  const all = [...found.values()];
  for (const { group } of all.slice(GROUPS_MAX))
    failed.push({ group, error: `more than ${GROUPS_MAX} groups are not compared` });
  return all.slice(0, GROUPS_MAX);
}
