/**
 * Faults put in on purpose, each a mistake that somebody could make in the code under test. The simulation has to
 * notice every one of them; a simulation that does not is only slow.
 */
import { keyText } from '../../src/access/ledger.ts';
import type { Change, Membership } from '../../src/access/model.ts';
import { type Commit, type Directory, DirectoryError, type People, type Store } from '../../src/access/ports.ts';
import type { Mutant, World } from './world.ts';

type Loose = { -readonly [K in keyof Membership]?: Membership[K] | undefined };

/** Membership rows are read otherwise than they are. */
function misread(change: (row: Membership, world: World) => Loose): Mutant {
  return {
    store: (store, world) => ({
      ...store,
      async membership(key) {
        const record = await store.membership(key);
        if (record.membership === undefined) return record;
        const row = { ...record.membership, ...change(record.membership, world) };
        return { ...record, membership: row as Membership };
      },
    }),
  };
}

/** What is committed is not all that was decided. */
function miscommit(change: (commit: Commit, world: World, store: Store) => Commit | Promise<Commit>): Mutant {
  return {
    store: (store, world) => ({
      ...store,
      commit: async (commit) => store.commit(await change(commit, world, store)),
    }),
  };
}

function without(commit: Commit, drop: (change: Change) => boolean): Commit {
  return { ...commit, changes: commit.changes.filter((change) => !drop(change)) };
}

function withRows(commit: Commit, change: (row: Membership) => Loose): Commit {
  return {
    ...commit,
    changes: commit.changes.map((one) =>
      'put' in one && one.put === 'membership'
        ? { ...one, row: { ...one.row, ...change(one.row) } as Membership }
        : one,
    ),
  };
}

const happened = (commit: Commit, kind: string) =>
  commit.changes.some((change) => 'put' in change && change.put === 'event' && change.row.kind === kind);

const isPut = (change: Change, put: string) => 'put' in change && change.put === put;

function misbehave(change: (directory: Directory, world: World) => Partial<Directory>): Mutant {
  return { directory: (directory, world) => ({ ...directory, ...change(directory, world) }) };
}

function mistake(change: (people: People) => Partial<People>): Mutant {
  return { people: (people) => ({ ...people, ...change(people) }) };
}

export const MUTANTS: Readonly<{ [name: string]: Mutant }> = {
  'an addition is sent without a read before it': misread((row, world) =>
    row.origin === 'none' ? { seen: 'absent', seenAt: world.clock.now() } : {},
  ),
  'an accepted removal needs no proof': miscommit((commit) =>
    happened(commit, 'membership.removed')
      ? withRows(commit, () => ({ origin: 'none', removeStartedAt: undefined, removeOutcome: undefined }))
      : commit,
  ),
  'a lost addition is forgotten': misread(() => ({ addUnknownUntil: undefined, addDeadlineAt: undefined })),
  'a lost addition is taken for none': miscommit((commit) =>
    happened(commit, 'membership.addition_unknown')
      ? withRows(commit, (row) =>
          row.addAttempts > 1 ? {} : { origin: 'none', addAttempts: 0, addOutcome: undefined },
        )
      : commit,
  ),
  'the mark of an addition is not committed': miscommit((commit) =>
    happened(commit, 'membership.addition_started')
      ? withRows(commit, (row) => ({ origin: 'none', addStartedAt: undefined, addAttempts: row.addAttempts - 1 }))
      : commit,
  ),
  'memberships are put without a guard': miscommit((commit, world) => ({
    ...commit,
    changes: commit.changes.map((change) => {
      if (!('put' in change) || change.put !== 'membership' || change.was === undefined) return change;
      const was = world.rows.memberships.get(keyText(change.row.key))?.version ?? change.was;
      return { ...change, was, row: { ...change.row, version: was + 1 } };
    }),
  })),
  'a membership that only rests unchanged is not put': miscommit((commit) =>
    commit.job === undefined || commit.job.job.startsWith('end:')
      ? without(commit, (change) => isPut(change, 'membership') && 'was' in change && change.was !== undefined)
      : commit,
  ),
  'grants are put without a guard': miscommit((commit, world) => ({
    ...commit,
    changes: commit.changes.map((change) => {
      if (!('put' in change) || change.put !== 'grant' || change.was === undefined) return change;
      const was = world.rows.grants.get(change.row.id)?.version ?? change.was;
      return { ...change, was, row: { ...change.row, version: was + 1 } };
    }),
  })),
  'a grant is committed without its end timer': miscommit((commit) =>
    without(commit, (change) => 'put' in change && change.put === 'job' && change.row.id.startsWith('end:')),
  ),
  'the end timer is not tightened when the clock starts': miscommit((commit) =>
    commit.job?.job.startsWith('op:') === true
      ? without(commit, (change) => 'put' in change && change.put === 'job' && change.row.id.startsWith('end:'))
      : commit,
  ),
  'an ending grant owes no removal': miscommit((commit) =>
    happened(commit, 'grant.revoked') || happened(commit, 'grant.expired')
      ? without(commit, (change) => 'put' in change && change.put === 'job' && change.row.id.startsWith('op:'))
      : commit,
  ),
  'a removal is given up after three failures': miscommit((commit, world) => {
    const { job } = commit;
    if (job === undefined || !('later' in job)) return commit;
    const row = commit.changes.flatMap((change) =>
      'put' in change && change.put === 'membership' ? [change.row] : [],
    )[0];
    if (row?.removeStartedAt === undefined || row.failures < 3) return commit;
    const { later: _later, ...held } = job;
    world.say('given up');
    return { ...commit, job: { ...held, done: true } };
  }),
  'a lease is not fenced': {
    store: (store) => {
      const seen = new Map<string, number>();
      return {
        ...store,
        async lease(want) {
          const jobs = await store.lease({ ...want, leaseUntil: want.now + 2_000 });
          for (const { id, epoch } of jobs) seen.set(id, epoch);
          return jobs;
        },
        async job(id) {
          const held = await store.job(id);
          return held && { ...held, epoch: seen.get(id) ?? held.epoch };
        },
        async commit(commit) {
          const job = commit.job;
          const held = job === undefined ? undefined : await store.job(job.job);
          if (job === undefined || held === undefined) return await store.commit(commit);
          await store.commit({ ...commit, job: { ...job, epoch: held.epoch } });
        },
      };
    },
  },
  'a lease ends before the call it is for': {
    store: (store) => ({
      ...store,
      lease: (want) => store.lease({ ...want, leaseUntil: want.now + 3_000 }),
      commit: (commit) =>
        store.commit(
          commit.job !== undefined && 'keep' in commit.job
            ? { ...commit, job: { ...commit.job, keep: { leaseUntil: commit.job.keep.leaseUntil - 14_000 } } }
            : commit,
        ),
    }),
  },
  'a call is thought to be over before its deadline': misbehave(() => ({ callDeadlineMs: 2_000 })),
  'a read that fails counts as absent': misbehave((directory) => ({
    isMember: (groupId, userId) => directory.isMember(groupId, userId).catch(() => false),
  })),
  'a lost answer counts as "nothing happened"': misbehave((directory) => ({
    add: (groupId, userId) => directory.add(groupId, userId).catch(definite),
  })),
  'a removal that fails counts as done': misbehave((directory) => ({
    remove: (groupId, userId) => directory.remove(groupId, userId).catch(() => 'removed' as const),
    isMember: (groupId, userId) => directory.isMember(groupId, userId).catch(() => false),
  })),
  'an addition is sent twice': misbehave((directory) => ({
    async add(groupId, userId) {
      await directory.add(groupId, userId);
      return await directory.add(groupId, userId);
    },
  })),
  'a person with two accounts is two people': mistake((people) => ({
    async identify(account) {
      const person = await people.identify(account);
      return 'platform' in account && account.platform === 'teams' ? { ...person, id: `${person.id}#2` } : person;
    },
    holds: (subject, person) => people.holds(subject, { ...person, id: person.id.replace(/#.*$/, '') }),
    userIn: (directory, person) => people.userIn(directory, person.replace(/#.*$/, '')),
  })),
  'whoever could not be looked up may approve': mistake((people) => ({
    holds: (subject, person) => people.holds(subject, person).catch(() => true),
  })),
  'everybody may approve': mistake((people) => ({
    holds: () => Promise.resolve(true),
    identify: people.identify,
  })),
  'one approver counts as often as they press': {
    store: (store, world) => ({
      ...store,
      async request(id) {
        const record = await store.request(id);
        return (
          record && {
            ...record,
            approvals: record.approvals.map((one, n) => ({ ...one, approver: `${one.approver}#${n}` })),
          }
        );
      },
      commit: (commit) =>
        store.commit({
          ...commit,
          changes: commit.changes.map((change) =>
            'put' in change && change.put === 'approval'
              ? { ...change, row: { ...change.row, approver: `${change.row.approver}#${world.rows.approvals.length}` } }
              : change,
          ),
        }),
    }),
  },
  'a delivery acts as often as it arrives': {
    store: (store) => ({
      ...store,
      async receive(delivery, leaseUntil) {
        await store.receive(delivery, leaseUntil);
        return true;
      },
      async commit(commit) {
        const { delivery, ...rest } = commit;
        await store.commit(rest);
        if (delivery !== undefined) await store.answered(typeof delivery === 'object' ? delivery.key : delivery);
      },
    }),
  },
  'an event is left out of the trail': miscommit((commit) =>
    without(
      commit,
      (change) => 'put' in change && change.put === 'event' && change.row.kind === 'membership.removal_started',
    ),
  ),
  'what is frozen is not looked at': {
    store: (store) => ({ ...store, freezes: async () => ({ ...(await store.freezes()), live: [] }) }),
  },
  'what opens access does not rest on what is frozen': miscommit((commit) =>
    without(commit, (change) => 'put' in change && change.put === 'freeze_head' && change.row.version === change.was),
  ),
  'what waits when a revocation is confirmed is left waiting': miscommit((commit) =>
    happened(commit, 'revocation.confirmed')
      ? without(commit, (change) => isPut(change, 'request') || isPut(change, 'freeze'))
      : commit,
  ),
  'our own late membership is taken for a baseline': misread((row) => ({
    removeAcceptedAt: undefined,
    addAttempts: Math.min(row.addAttempts, 1),
  })),
  'a baseline is removed with everything else': misread((row) =>
    row.origin === 'baseline' ? { origin: 'ours', addAttempts: 1 } : {},
  ),
};

function definite(error: unknown): never {
  if (!(error instanceof DirectoryError)) throw error;
  throw new DirectoryError(error.directory, error.code, error.message, { effect: 'none' });
}
