/** `hallpass resolve`: what the directory can no longer settle is closed on a person's word, where no read can prove it. */
import { cleanReason } from '../access/grammar.ts';
import { requestIdOf } from '../access/handle.ts';
import type { Actor, MembershipKey } from '../access/model.ts';
import { type Directory, type GrantRecord, StaleStateError, type Store } from '../access/ports.ts';
import { decideResolve, isOwed, lookAt, notResolvable, type ResolvedMembership } from '../access/resolve.ts';
import { refusalText } from '../access/words.ts';
import type { Settings } from '../config.ts';
import { openDirectories } from '../main/opening.ts';
import { createMetrics } from '../metrics.ts';
import { opened } from './host.ts';
import { EXIT, type Out } from './out.ts';

/** Overtaken by the bot this often in a row, it is left for another try. */
const ATTEMPTS_MAX = 12;
const OWED_MAX = 10_000;

export async function resolveCommand(
  io: Out,
  settings: Settings,
  order: {
    readonly id: string;
    readonly reason: string;
    readonly operator: string;
    /** A directory that is not in the file is gone for good. */
    readonly givenUp?: boolean;
  },
): Promise<number> {
  const no = (error: string): number => {
    io.say({ ok: false, error }, error);
    return EXIT.failed;
  };
  const cleaned = cleanReason(order.reason);
  const reason = cleaned === '' ? ({ code: 'reason_missing', minLength: 1 } as const) : cleaned;
  if (typeof reason !== 'string') {
    const { reason: why, next } = refusalText(reason, settings.catalog.timezone, 'hallpass');
    return no(`${why} ${next}`);
  }
  const { store, clock } = await opened(settings);
  try {
    const owed = await owedBy(store, order.id);
    if (typeof owed === 'string') return no(owed);
    const directories = openDirectories(settings, clock, createMetrics());
    const by: Actor = { kind: 'operator', name: order.operator };
    const resolved: ResolvedMembership[] = [];
    for (const key of owed) {
      const directory = directories.get(key.directory);
      const givenUp = order.givenUp === true;
      resolved.push(...(await resolveOne({ store, now: clock.now, directory, by, reason, givenUp }, key)));
    }
    const done = resolved.every(({ outcome }) => outcome === 'closed' || outcome === 'proven');
    io.say({ ok: done, id: order.id, memberships: resolved }, [
      ...resolved.map(({ says }) => says),
      done ? 'Nothing is owed for it any more.' : 'What is not closed stays owed; Hallpass goes on trying.',
    ]);
    return done ? EXIT.done : EXIT.failed;
  } finally {
    await store.close();
  }
}

/** The memberships owed a removal that were named; or why there are none. */
async function owedBy(store: Store, id: string): Promise<readonly MembershipKey[] | string> {
  const requestId = requestIdOf(id);
  const record = requestId === undefined ? undefined : await store.request(requestId);
  if (record !== undefined) {
    const grant = record.grant === undefined ? undefined : await store.grant(record.grant.id);
    if (grant === undefined) return `${record.request.id} has no grant; there is nothing to resolve.`;
    const why = notResolvable(grant.grant);
    if (why !== undefined) return why;
    return grant.memberships.filter((one) => isOwed(one.membership, one.grants)).map(({ key }) => key);
  }
  // What was never under a grant of this record, as after a loss, has no id of its own.
  const owed = await store.outstandingRemovals(0, OWED_MAX);
  const named = owed.filter(({ key, membership }) =>
    [
      `${key.directory}/${membership?.groupName}/${membership?.login}`,
      `${key.directory}/${key.groupId}/${key.userId}`,
    ].includes(id),
  );
  if (named.length > 0) return named.map(({ key }) => key);
  return `Nothing that is owed is called "${id}". Write the id of a grant that is ending (G-7KQ2), or <directory>/<group>/<login>; hallpass expire --due lists what is owed.`;
}

interface Resolving {
  readonly store: Store;
  readonly now: () => number;
  readonly directory: Directory | undefined;
  readonly by: Actor;
  readonly reason: string;
  readonly givenUp: boolean;
}

async function resolveOne(parts: Resolving, key: MembershipKey): Promise<readonly ResolvedMembership[]> {
  const { store, now, directory, by, reason } = parts;
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const look = await lookAt(directory, key, now, parts.givenUp);
    const record = await store.membership(key);
    // Settled by the bot while it was looked at.
    if (!isOwed(record.membership, record.grants)) return [];
    const grants = await Promise.all(record.grants.map((grant) => store.grant(grant.id)));
    const decision = decideResolve(
      {
        membership: record.membership,
        grants: grants.filter((grant): grant is GrantRecord => grant !== undefined),
        look,
        lagMs: directory?.lagMs ?? 0,
      },
      by,
      reason,
      now(),
    );
    try {
      if (decision.changes.length > 0) await store.commit({ changes: decision.changes });
      return decision.memberships;
    } catch (error) {
      if (!(error instanceof StaleStateError)) throw error;
    }
  }
  const record = await store.membership(key);
  const { groupName = key.groupId, login = key.userId } = record.membership ?? {};
  const says = `${login} in ${groupName} (${key.directory}): the bot is at work on it. Try again.`;
  return [{ key, group: groupName, login, outcome: 'not_yet', says }];
}
