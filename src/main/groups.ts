/** What of the configuration cannot be used, and what it no longer covers: told, and never a reason not to start. */
import type { Directory, People, Store } from '../access/ports.ts';
import type { Settings } from '../config.ts';
import type { Log } from '../log.ts';

const STRANDED_MAX = 10_000;

/** A directory that was dropped or renamed in the file leaves its removals to nobody. */
export async function tellStranded(store: Store, directories: ReadonlyMap<string, Directory>, log: Log): Promise<void> {
  const live = await store.list({ liveGrants: true, limit: STRANDED_MAX });
  const named = new Set(live.flatMap(({ grant }) => grant?.memberships.map(({ directory }) => directory) ?? []));
  for (const directory of named)
    if (!directories.has(directory))
      log.error({ directory }, 'unended grants are in a directory that the configuration no longer has; put it back');
}

/** A group that may not be managed refuses requests for it; everything else, above all removals, goes on. */
export async function tellUnusableGroups(settings: Settings, people: People, log: Log): Promise<void> {
  for (const { problem, entitlement } of await unusableGroups(settings, people))
    log.error({ entitlement, problem }, 'requests for this are refused until its group can be used');
}

export async function unusableGroups(
  settings: Settings,
  people: People,
): Promise<
  readonly {
    readonly entitlement: string;
    readonly directory: string;
    readonly group: string;
    readonly problem: string;
  }[]
> {
  const problems = [];
  for (const resource of Object.values(settings.catalog.resources))
    for (const entitlement of Object.values(resource.roles))
      for (const { directory, group } of entitlement.groups)
        try {
          await people.group(directory, group);
        } catch (error) {
          problems.push({
            entitlement: entitlement.id,
            directory,
            group,
            problem: error instanceof Error ? error.message : String(error),
          });
        }
  return problems;
}
