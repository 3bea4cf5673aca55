/** The one transaction: a list of writes, put in order, each with what must be true for it. */
import type { Change, Grant } from '../access/model.ts';
import { type Commit, type Delivery, type JobSettlement, StaleStateError } from '../access/ports.ts';
import { valuesFor } from './prepare.ts';
import { knownPriority } from './queue.ts';
import {
  fromActivity,
  fromDevice,
  fromDigest,
  fromDrift,
  fromFinding,
  fromFreeze,
  fromGrant,
  fromJob,
  fromKey,
  fromMembership,
  fromProof,
  fromRequest,
  fromReview,
  fromRevocation,
  fromSession,
  fromUse,
} from './rows.ts';
import type { Tables } from './schema.ts';
import { type Program, type Rows, run, type Session } from './session.ts';
import { link, type Secrets } from './trail.ts';

export interface Writing extends Secrets {
  readonly tables: Tables;
  now(): number;
}

interface Write {
  /** Table and row, in the order in which every commit locks them. */
  readonly place: string;
  perform(): Program<void>;
}

/**
 * Rows are written in one order by all commits, so that on Postgres two of them queue up instead of each waiting for
 * the other. Within a row the order of the list stands. The chain comes last: its head is everybody's.
 */
export function* commitProgram(commit: Commit, writing: Writing): Program<void> {
  const writes: Write[] = [];
  const salt = writing.salt();
  if (commit.delivery !== undefined) writes.push(answerDelivery(commit.delivery, writing));
  // Before the list: "done, and here is the next one" is a job with the same id put anew.
  if (commit.job) writes.push(settle(commit.job));
  for (const job of commit.jobs ?? []) writes.push(settle(job));
  for (const change of commit.changes) {
    if ('drop' in change || change.put !== 'event') writes.push(writeFor(change, writing, salt));
  }
  writes.sort((a, b) => (a.place < b.place ? -1 : a.place > b.place ? 1 : 0));
  for (const write of writes) yield* write.perform();
  const events = commit.changes.flatMap((change) => ('put' in change && change.put === 'event' ? [change.row] : []));
  yield* link(events, writing);
}

/** A write that must touch a row. */
function* guard(what: string, step: (session: Session) => Rows<unknown>): Program<void> {
  const rows = yield* run(step);
  if (rows.length === 0) throw new StaleStateError(what);
}

function write(place: string, perform: () => Program<void>): Write {
  return { place, perform };
}

function answerDelivery(delivery: string | Delivery, writing: Writing): Write {
  if (typeof delivery === 'string')
    return write(`0 ${delivery}`, () =>
      guard(`delivery ${delivery}`, (s) => s.statements.answer({ key: delivery, answeredAt: writing.now() })),
    );
  const { key, receivedAt, body } = delivery;
  return write(`0 ${key}`, () =>
    guard(`delivery ${key}`, (s) =>
      s.statements.receive({ key, receivedAt, body, leaseUntil: receivedAt, answeredAt: writing.now() }),
    ),
  );
}

function writeFor(change: Exclude<Change, { put: 'event' }>, writing: Writing, salt: string): Write {
  if ('drop' in change && change.drop === 'drift') {
    return write(`2 ${change.id}`, function* () {
      yield* run((s) => s.statements.dropDrift({ id: change.id }));
    });
  }
  if ('drop' in change && change.drop === 'pin') {
    const { id, space, name } = change;
    return write(`2 pin ${id}`, () => guard(`the pin of ${name}`, (s) => s.statements.dropPin({ space, name })));
  }
  if ('drop' in change && change.drop === 'account_pin') {
    const { platform, tenant, id: accountId } = change.account;
    return write(`2 account ${platform} ${tenant} ${accountId}`, () =>
      guard(`the pin of ${accountId}`, (s) => s.statements.dropAccountPin({ platform, tenant, accountId })),
    );
  }
  if ('drop' in change) {
    return write(`6 ${change.id}`, function* () {
      yield* run((s) => s.statements.dropJob({ id: change.id }));
    });
  }
  const { tables } = writing;
  switch (change.put) {
    case 'request': {
      const { row, was } = change;
      const values = valuesFor(tables.requests, fromRequest(row));
      return write(`1 ${row.id}`, () =>
        versioned(`request ${row.id}`, row.version, was, {
          insert: (s) => s.statements.insertRequest(values),
          update: (s, version) => s.statements.updateRequest({ ...values, was: version }),
        }),
      );
    }
    case 'holder': {
      const { row, was } = change;
      const values = valuesFor(tables.holders, row);
      return write(`0 holder ${row.person}`, () =>
        versioned(`what ${row.person} may have`, row.version, was, {
          insert: (s) => s.statements.insertHolder(values),
          update: (s, version) => s.statements.updateHolder({ ...values, was: version }),
        }),
      );
    }
    case 'card': {
      const values = valuesFor(tables.cards, change.row);
      return write(`2 ${change.row.id}`, () => guard(`card ${change.row.id}`, (s) => s.statements.insertCard(values)));
    }
    case 'freeze': {
      const { row, was } = change;
      const values = valuesFor(tables.freezes, fromFreeze(row));
      return write(`2 freeze ${row.id}`, () =>
        versioned(`freeze ${row.id}`, row.version, was, {
          insert: (s) => s.statements.insertFreeze(values),
          update: (s, version) => s.statements.updateFreeze({ ...values, was: version }),
        }),
      );
    }
    case 'review': {
      const { row, was } = change;
      const values = valuesFor(tables.reviews, fromReview(row));
      return write(`2 review ${row.id}`, () =>
        versioned(`review ${row.id}`, row.version, was, {
          insert: (s) => s.statements.insertReview(values),
          update: (s, version) => s.statements.updateReview({ ...values, was: version }),
        }),
      );
    }
    case 'activities': {
      // In one order by all commits, as everything else.
      const rows = change.row.toSorted((a, b) => (a.uid < b.uid ? -1 : 1)).map(fromActivity);
      const what = `the activities of ${change.row[0]?.source ?? ''}`;
      return write('7 activities', function* () {
        const kept = yield* run((s) => s.statements.insertActivities({ rows: JSON.stringify(rows) }));
        if (kept.length < rows.length) throw new StaleStateError(what);
      });
    }
    case 'uses': {
      const rows = change.row.toSorted((a, b) => (a.grantId < b.grantId ? -1 : 1)).map(fromUse);
      return write('7 uses', function* () {
        const put = yield* run((s) => s.statements.putUses({ rows: JSON.stringify(rows) }));
        if (put.length < rows.length) throw new StaleStateError('what was counted of a grant');
      });
    }
    case 'finding': {
      const { row, was } = change;
      const values = valuesFor(tables.findings, fromFinding(row));
      return write(`2 finding ${row.id}`, () =>
        versioned(`finding ${row.id}`, row.version, was, {
          insert: (s) => s.statements.insertFinding(values),
          update: (s, version) => s.statements.updateFinding({ ...values, was: version }),
        }),
      );
    }
    case 'source_cursor': {
      const { row, was } = change;
      const values = valuesFor(tables.sourceCursors, row);
      return write(`2 source ${row.source}`, () =>
        versioned(`how far ${row.source} was read`, row.version, was, {
          insert: (s) => s.statements.insertSourceCursor(values),
          update: (s, version) => s.statements.updateSourceCursor({ ...values, was: version }),
        }),
      );
    }
    case 'session': {
      const { row, was } = change;
      const values = valuesFor(tables.sessions, fromSession(row));
      return write(`2 session ${row.id}`, () =>
        versioned(`session ${row.id}`, row.version, was, {
          insert: (s) => s.statements.insertSession(values),
          update: (s, version) => s.statements.updateSession({ ...values, was: version }),
        }),
      );
    }
    case 'device': {
      const { row, was } = change;
      const values = valuesFor(tables.devices, fromDevice(row));
      return write(`2 device ${row.id}`, () =>
        versioned(`device ${row.label}`, row.version, was, {
          insert: (s) => s.statements.insertDevice(values),
          update: (s, version) => s.statements.updateDevice({ ...values, was: version }),
        }),
      );
    }
    case 'proof': {
      const { row, was } = change;
      const values = valuesFor(tables.proofs, fromProof(row));
      return write(`2 proof ${row.id}`, () =>
        versioned(`proof ${row.id}`, row.version, was, {
          insert: (s) => s.statements.insertProof(values),
          update: (s, version) => s.statements.updateProof({ ...values, was: version }),
        }),
      );
    }
    case 'revocation': {
      const { row, was } = change;
      const values = valuesFor(tables.revocations, fromRevocation(row));
      return write(`2 revocation ${row.id}`, () =>
        versioned(`revocation ${row.id}`, row.version, was, {
          insert: (s) => s.statements.insertRevocation(values),
          update: (s, version) => s.statements.updateRevocation({ ...values, was: version }),
        }),
      );
    }
    case 'freeze_head': {
      const { was, row } = change;
      const { version } = row;
      return write('0 freeze_head', () =>
        guard('what is frozen', (s) =>
          version === was ? s.statements.restOnFreezes({ was }) : s.statements.moveFreezes({ version, was }),
        ),
      );
    }
    case 'digest': {
      const { row, was } = change;
      const values = valuesFor(tables.digests, fromDigest(row));
      return write(`2 digest ${row.day}`, () =>
        versioned(`the digest of ${row.day}`, row.version, was, {
          insert: (s) => s.statements.insertDigest(values),
          update: (s, version) => s.statements.updateDigest({ ...values, was: version }),
        }),
      );
    }
    case 'pin': {
      const { space, name } = change.row;
      const values = valuesFor(tables.pins, change.row);
      return write(`2 pin ${space} ${name}`, () => guard(`the pin of ${name}`, (s) => s.statements.pin(values)));
    }
    case 'drift': {
      const { id } = change.row;
      const values = valuesFor(tables.drifts, fromDrift(change.row));
      return write(`2 ${id}`, () => guard(id, (s) => s.statements.insertDrift(values)));
    }
    case 'approval': {
      const { requestId, approver } = change.row;
      const values = valuesFor(tables.approvals, change.row);
      return write(`3 ${requestId} ${approver}`, () =>
        guard(`the answer of ${approver} to ${requestId}`, (s) => s.statements.insertApproval(values)),
      );
    }
    case 'grant':
      return write(`4 ${change.row.id}`, () => putGrant(change.row, change.was, tables));
    case 'membership': {
      const { row, was } = change;
      const name = `${row.key.directory}/${row.key.groupId}/${row.key.userId}`;
      const values = valuesFor(tables.memberships, fromMembership(row));
      return write(`5 ${name}`, () =>
        versioned(`membership ${name}`, row.version, was, {
          insert: (s) => s.statements.insertMembership(values),
          update: (s, version) => s.statements.updateMembership({ ...values, was: version }),
        }),
      );
    }
    case 'job': {
      // A job put again after it was done begins at an epoch nobody has held: a worker that lost the old one's lease
      // and wakes up late would otherwise settle the new one.
      const epoch = Number.parseInt(writing.hash(salt + change.row.id).slice(0, 12), 16);
      const values = { ...fromJob(change.row), priority: knownPriority(change.row.priority), epoch };
      return write(`6 ${change.row.id}`, function* () {
        yield* run((s) => s.statements.putJob(values));
      });
    }
  }
}

function* versioned(
  what: string,
  version: number,
  was: number | undefined,
  as: { insert(session: Session): Rows<unknown>; update(session: Session, was: number): Rows<unknown> },
): Program<void> {
  if (was === undefined) return yield* guard(what, (s) => as.insert(s));
  // The guard of whoever comes next would let them through.
  if (version === was) throw new Error(`${what} was put again under the same version ${version}`);
  yield* guard(what, (s) => as.update(s, was));
}

function* putGrant(row: Grant, was: number | undefined, tables: Tables): Program<void> {
  const values = valuesFor(tables.grants, fromGrant(row));
  yield* versioned(`grant ${row.id}`, row.version, was, {
    insert: (s) => s.statements.insertGrant(values),
    update: (s, version) => s.statements.updateGrant({ ...values, was: version }),
  });
  if (row.state === 'ended') {
    yield* run((s) => s.statements.letGo({ grantId: row.id }));
  } else if (was === undefined) {
    for (const key of row.memberships) {
      yield* run((s) => s.statements.hold({ grantId: row.id, ...fromKey(key) }));
    }
  }
}

function settle(settlement: JobSettlement): Write {
  const { job: id, epoch } = settlement;
  return write(`6 ${id}`, () =>
    guard(`job ${id}`, ({ statements }) => {
      if ('keep' in settlement) return statements.keepJob({ id, epoch, leaseUntil: settlement.keep.leaseUntil });
      const { version } = settlement;
      if ('done' in settlement) return statements.doneJob({ id, epoch, version });
      const { dueAt, attempts, priority, lastError } = settlement.later;
      const values = { id, epoch, version, dueAt, attempts, lastError: lastError ?? null };
      return priority === undefined
        ? statements.laterJob(values)
        : statements.laterJobAt({ ...values, priority: knownPriority(priority) });
    }),
  );
}
