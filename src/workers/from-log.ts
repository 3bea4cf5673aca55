/** After a loss: the directory's log read for each governed group, and what we added and do not know of, ended. */
import { actorName } from '../access/decision.ts';
import {
  decideFromLog,
  fromLogFinished,
  isExplained,
  type LogFinding,
  ownAdditions,
  tellFromLog,
} from '../access/from-log.ts';
import type { Actor, Change, Instant } from '../access/model.ts';
import { type Clock, type Directory, type LoggedAddition, StaleStateError, type Store } from '../access/ports.ts';
import { type GovernedParts, governed } from './governed.ts';

const OVERTAKEN_MAX = 5;

export interface FromLogParts extends GovernedParts {
  readonly store: GovernedParts['store'] & Pick<Store, 'commit' | 'memberships'>;
  readonly directory: Directory;
  readonly observe: boolean;
  readonly clock: Clock;
}

export interface FromLogReport {
  readonly directory: string;
  readonly since: Instant;
  readonly groups: number;
  readonly findings: readonly LogFinding[];
  /** Groups whose log or members could not be read, and why. Nothing was decided about them. */
  readonly failed: readonly { readonly group: string; readonly error: string }[];
}

interface Present {
  readonly addition: LoggedAddition;
  readonly group: string;
  readonly groupId: string;
}

/** Throws when the directory keeps no log. */
export async function fromLog(
  parts: FromLogParts,
  order: { readonly since: Instant; readonly apply: boolean; readonly by: Actor },
): Promise<FromLogReport> {
  const { directory } = parts;
  if (directory.additions === undefined)
    throw new Error(`the directory "${directory.name}" keeps no log that says who added whom`);
  const failed: { group: string; error: string }[] = [];
  const present: Present[] = [];
  const groups = await governed(parts, directory, failed);
  for (const { group, groupId } of groups) {
    try {
      for (const addition of ownAdditions(await directory.additions(groupId, order.since))) {
        const { userId } = addition;
        const [record] = await parts.store.memberships([{ directory: directory.name, groupId, userId }]);
        // Asked one by one, and only of those that nothing explains: normally of nobody.
        if (record === undefined || isExplained(record) || !(await directory.isMember(groupId, userId))) continue;
        present.push({ addition, group, groupId });
      }
    } catch (error) {
      failed.push({ group, error: error instanceof Error ? error.message : String(error) });
    }
  }
  const findings = await settle(parts, order, present, failed.length);
  return { directory: directory.name, since: order.since, groups: groups.length, findings, failed };
}

async function settle(
  parts: FromLogParts,
  order: { readonly since: Instant; readonly apply: boolean; readonly by: Actor },
  present: readonly Present[],
  failed: number,
): Promise<readonly LogFinding[]> {
  const { store, directory, observe, clock } = parts;
  for (let attempt = 0; attempt < OVERTAKEN_MAX; attempt++) {
    const now = clock.now();
    const findings: LogFinding[] = [];
    const changes: Change[] = [];
    for (const { addition, group, groupId } of present) {
      const key = { directory: directory.name, groupId, userId: addition.userId };
      const [record] = await store.memberships([key]);
      if (record === undefined || isExplained(record)) continue;
      const decision = decideFromLog({ addition, groupName: group, record, observe }, now);
      findings.push(decision.finding);
      changes.push(...decision.changes);
    }
    if (!order.apply) return findings;
    const zone = parts.catalog().timezone;
    changes.push(...tellFromLog(directory.name, findings, actorName(order.by), now, zone));
    changes.push(fromLogFinished(directory.name, order.since, order.by, findings, failed, now));
    try {
      await store.commit({ changes });
      return findings;
    } catch (error) {
      if (!(error instanceof StaleStateError)) throw error;
    }
  }
  throw new StaleStateError(`what was found in the log of ${directory.name}`);
}
