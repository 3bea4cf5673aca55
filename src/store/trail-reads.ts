/** The trail as auditing reads it: in pages from any place on, with its checkpoints and the sinks' cursors. */
import { and, asc, desc, eq, getTableColumns, gt, gte, inArray, lt, or, type SQL, sql } from 'drizzle-orm';
import type { ChainLink, TrailFilter, TrailStore } from '../access/ports.ts';
import { columns, type Prepare, value, valuesFor } from './prepare.ts';
import { inResource } from './reads.ts';
import { toLink, toMessage } from './rows.ts';
import { defineTables, type Tables } from './schema.ts';
import { type Database, type Driver, run } from './session.ts';
import { recall } from './trail.ts';

export function trailStatements(db: Database, t: Tables, prepare: Prepare) {
  const { auditEvents, auditCheckpoints, auditCursors, chainHead, messages } = t;
  const limit = sql.placeholder('limit');
  return {
    readHead: prepare('read_head', db.select().from(chainHead).where(eq(chainHead.id, 1))),
    filed: prepare(
      'filed',
      db
        .select()
        .from(auditEvents)
        .where(gt(auditEvents.seq, value('afterSeq')))
        .orderBy(asc(auditEvents.seq))
        .limit(limit),
    ),
    firstSince: prepare(
      'first_since',
      db
        .select({ seq: sql<number | null>`min(${auditEvents.seq})`.mapWith(Number) })
        .from(auditEvents)
        .where(gte(auditEvents.at, value('at'))),
    ),
    lastOfKind: prepare(
      'last_of_kind',
      db
        .select({ canonical: auditEvents.canonical })
        .from(auditEvents)
        .where(eq(auditEvents.kind, value('kind')))
        .orderBy(desc(auditEvents.seq))
        .limit(1),
    ),
    checkpointsAfter: prepare(
      'checkpoints_after',
      db
        .select()
        .from(auditCheckpoints)
        .where(gt(auditCheckpoints.seq, value('afterSeq')))
        .orderBy(asc(auditCheckpoints.seq))
        .limit(limit),
    ),
    lastCheckpoint: prepare(
      'last_checkpoint',
      db.select().from(auditCheckpoints).orderBy(desc(auditCheckpoints.seq)).limit(1),
    ),
    putCheckpoint: prepare(
      'put_checkpoint',
      db
        .insert(auditCheckpoints)
        .values(columns(auditCheckpoints))
        .onConflictDoNothing()
        .returning({ seq: auditCheckpoints.seq }),
    ),
    messagesOf: prepare(
      'messages_of',
      db
        .select()
        .from(messages)
        .where(eq(messages.requestId, value('requestId')))
        .orderBy(asc(messages.at), asc(messages.id)),
    ),
    cursor: prepare(
      'cursor',
      db
        .select()
        .from(auditCursors)
        .where(eq(auditCursors.sink, value('sink'))),
    ),
    startCursor: prepare(
      'start_cursor',
      db.insert(auditCursors).values(columns(auditCursors)).onConflictDoNothing().returning({ seq: auditCursors.seq }),
    ),
    moveCursor: prepare(
      'move_cursor',
      db
        .update(auditCursors)
        .set({ seq: value('seq') })
        .where(and(eq(auditCursors.sink, value('sink')), eq(auditCursors.seq, value('was'))))
        .returning({ seq: auditCursors.seq }),
    ),
  };
}

export function trailOn(driver: Driver): TrailStore {
  const { each, writeOne, snapshot } = driver;
  const tables = defineTables(driver.dialect);

  function* events(afterSeq: number, limit: number) {
    return yield* told(yield* run((s) => s.statements.chain({ afterSeq, limit })));
  }

  function* search(filter: TrailFilter) {
    const { auditEvents: e, requests } = tables;
    return yield* told(
      yield* run(({ db, fetch }) => {
        const of = (whose: SQL) => inArray(e.requestId, db.select({ id: requests.id }).from(requests).where(whose));
        const { person, resource, requestId, kinds, from, to, beforeSeq, afterSeq } = filter;
        const wanted = [
          person === undefined ? undefined : or(eq(e.actor, person), of(eq(requests.requester, person))),
          resource === undefined ? undefined : of(inResource(tables, resource)),
          requestId === undefined ? undefined : eq(e.requestId, requestId),
          kinds === undefined ? undefined : inArray(e.kind, [...kinds]),
          from === undefined ? undefined : gte(e.at, from),
          to === undefined ? undefined : lt(e.at, to),
          beforeSeq === undefined ? undefined : lt(e.seq, beforeSeq),
          afterSeq === undefined ? undefined : gt(e.seq, afterSeq),
        ];
        const { seq, prevHash, hash, canonical } = e;
        return fetch(
          db
            .select({ seq, prevHash, hash, canonical })
            .from(e)
            .where(and(...wanted))
            .orderBy(afterSeq === undefined ? desc(seq) : asc(seq))
            .limit(filter.limit),
        );
      }),
    );
  }

  /** With the texts that are still kept. */
  function* told(rows: readonly ChainLink[]) {
    if (rows.length === 0) return [];
    const { auditPersonal } = tables;
    const texts = yield* run(({ db, fetch }) =>
      fetch(
        db
          .select(getTableColumns(auditPersonal))
          .from(auditPersonal)
          .where(
            inArray(
              auditPersonal.seq,
              rows.map(({ seq }) => seq),
            ),
          ),
      ),
    );
    const kept = Map.groupBy(texts, ({ seq }) => seq);
    return rows.map((row) => ({ ...toLink(row), event: recall(row.canonical, kept.get(row.seq) ?? []) }));
  }

  return {
    searchEvents: (filter) => snapshot(search(filter)),
    async chainHead() {
      const [head] = await each(run((s) => s.statements.readHead({})));
      if (head === undefined) throw new Error('the audit chain has lost its head');
      return { seq: head.seq, hash: head.hash };
    },
    async trailLinks(afterSeq, limit, withColumns) {
      if (!withColumns) return each(run((s) => s.statements.chain({ afterSeq, limit })));
      const rows = await each(run((s) => s.statements.filed({ afterSeq, limit })));
      return rows.map((row) => ({
        ...toLink(row),
        columns: {
          at: row.at,
          kind: row.kind,
          ...(row.requestId === null ? {} : { requestId: row.requestId }),
          ...(row.grantId === null ? {} : { grantId: row.grantId }),
        },
      }));
    },
    trailEvents: (afterSeq, limit) => snapshot(events(afterSeq, limit)),
    async lastEvent(kind) {
      const [row] = await each(run((s) => s.statements.lastOfKind({ kind })));
      return row && recall(row.canonical, []);
    },
    async seqBefore(at) {
      const [first] = await each(run((s) => s.statements.firstSince({ at })));
      // `min` of nothing is null, which the mapping to a number makes 0: no event has that place.
      if (first?.seq) return first.seq - 1;
      return (await this.chainHead()).seq;
    },
    checkpoints: (afterSeq, limit) => each(run((s) => s.statements.checkpointsAfter({ afterSeq, limit }))),
    async lastCheckpoint() {
      const [row] = await each(run((s) => s.statements.lastCheckpoint({})));
      return row;
    },
    async putCheckpoint(checkpoint) {
      const values = valuesFor(tables.auditCheckpoints, checkpoint);
      return (await writeOne(() => run((s) => s.statements.putCheckpoint(values)))).length > 0;
    },
    async messagesOf(requestId) {
      return (await each(run((s) => s.statements.messagesOf({ requestId })))).map(toMessage);
    },
    async cursor(sink) {
      const [row] = await each(run((s) => s.statements.cursor({ sink })));
      return row?.seq ?? 0;
    },
    async moveCursor(sink, from, to) {
      // Put at 0 first, where there is none: from then on it only moves.
      if (from === 0) await writeOne(() => run((s) => s.statements.startCursor({ sink, seq: 0 })));
      return (await writeOne(() => run((s) => s.statements.moveCursor({ sink, was: from, seq: to })))).length > 0;
    },
  };
}
