/** Every statement with a fixed shape, prepared once per connection: built for each call they cost more than they do. */
import { and, asc, desc, eq, getTableColumns, gt, or, sql } from 'drizzle-orm';
import { activityStatements, findingStatements } from './activities.ts';
import { answerStatements } from './answers.ts';
import { digestStatements } from './digests.ts';
import { driftStatements } from './drift.ts';
import { forgottenStatements } from './forgotten.ts';
import { freezeStatements } from './freezes.ts';
import { columns, columnsBeside, type Prepare, preparer, value } from './prepare.ts';
import { proofStatements } from './proofs.ts';
import { inboxStatements, queueStatements } from './queue-statements.ts';
import type { Dialect, Tables } from './schema.ts';
import type { Database } from './session.ts';
import { sessionStatements } from './sessions.ts';
import { trailStatements } from './trail-reads.ts';

export type Statements = ReturnType<typeof prepareStatements>;

export function prepareStatements(db: Database, t: Tables, dialect: Dialect) {
  const prepare = preparer(dialect);
  return {
    ...records(db, t, prepare),
    ...queueStatements(db, t, dialect, prepare),
    ...inboxStatements(db, t, dialect, prepare),
    ...trail(db, t, dialect, prepare),
    ...freezeStatements(db, t, dialect, prepare),
    ...sessionStatements(db, t, prepare),
    ...proofStatements(db, t, prepare),
    ...trailStatements(db, t, prepare),
    ...forgottenStatements(db, t, prepare),
    ...digestStatements(db, t, prepare),
    ...driftStatements(db, t, prepare),
    ...activityStatements(db, t, dialect, prepare),
    ...answerStatements(db, t, prepare),
    ...findingStatements(db, t, prepare),
  };
}

function records(db: Database, t: Tables, prepare: Prepare) {
  const {
    requests,
    approvals,
    cards,
    grants,
    holders,
    grantMemberships,
    memberships,
    messages,
    places,
    accountPins,
    groupPins,
    pins,
  } = t;
  const sameKey = (table: typeof memberships | typeof grantMemberships) =>
    and(
      eq(table.directory, value('directory')),
      eq(table.groupId, value('groupId')),
      eq(table.userId, value('userId')),
    );
  const account = and(
    eq(accountPins.platform, value('platform')),
    eq(accountPins.tenant, value('tenant')),
    eq(accountPins.accountId, value('accountId')),
  );
  const groupPin = and(eq(groupPins.directory, value('directory')), eq(groupPins.groupName, value('groupName')));

  return {
    request: prepare(
      'request',
      db
        .select()
        .from(requests)
        .where(eq(requests.id, value('id'))),
    ),
    insertRequest: prepare(
      'insert_request',
      db.insert(requests).values(columns(requests)).onConflictDoNothing().returning({ id: requests.id }),
    ),
    updateRequest: prepare(
      'update_request',
      db
        .update(requests)
        .set(columnsBeside(requests, 'id'))
        .where(and(eq(requests.id, value('id')), eq(requests.version, value('was'))))
        .returning({ id: requests.id }),
    ),
    pendingOf: prepare(
      'pending_of',
      db
        .select()
        .from(requests)
        .where(
          and(
            eq(requests.requester, value('person')),
            eq(requests.entitlement, value('entitlement')),
            sql`${requests.state} = 'pending'`,
          ),
        )
        .orderBy(asc(requests.createdAt), asc(requests.id)),
    ),
    requestsSince: prepare(
      'requests_since',
      db
        .select({ count: sql<number>`count(*)`.mapWith(Number) })
        .from(requests)
        .where(
          and(
            or(eq(requests.requester, value('person')), eq(requests.onBehalfOf, value('person'))),
            gt(requests.createdAt, value('since')),
          ),
        ),
    ),
    holder: prepare(
      'holder',
      db
        .select()
        .from(holders)
        .where(eq(holders.person, value('person'))),
    ),
    insertHolder: prepare(
      'insert_holder',
      db.insert(holders).values(columns(holders)).onConflictDoNothing().returning({ person: holders.person }),
    ),
    updateHolder: prepare(
      'update_holder',
      db
        .update(holders)
        .set(columnsBeside(holders, 'person'))
        .where(and(eq(holders.person, value('person')), eq(holders.version, value('was'))))
        .returning({ person: holders.person }),
    ),
    extensionOf: prepare(
      'extension_of',
      db
        .select()
        .from(requests)
        .where(and(eq(requests.extendsGrant, value('grantId')), sql`${requests.state} = 'pending'`))
        .orderBy(desc(requests.createdAt), desc(requests.id))
        .limit(1),
    ),

    approvalsOf: prepare(
      'approvals_of',
      db
        .select()
        .from(approvals)
        .where(eq(approvals.requestId, value('requestId')))
        .orderBy(asc(approvals.at), asc(approvals.approver)),
    ),
    insertApproval: prepare(
      'insert_approval',
      db.insert(approvals).values(columns(approvals)).onConflictDoNothing().returning({ at: approvals.at }),
    ),
    card: prepare(
      'card',
      db
        .select()
        .from(cards)
        .where(eq(cards.id, value('id'))),
    ),
    insertCard: prepare(
      'insert_card',
      db.insert(cards).values(columns(cards)).onConflictDoNothing().returning({ id: cards.id }),
    ),

    grant: prepare(
      'grant',
      db
        .select()
        .from(grants)
        .where(eq(grants.id, value('id'))),
    ),
    grantOfRequest: prepare(
      'grant_of_request',
      db
        .select()
        .from(grants)
        .where(eq(grants.requestId, value('requestId'))),
    ),
    insertGrant: prepare(
      'insert_grant',
      db.insert(grants).values(columns(grants)).onConflictDoNothing().returning({ id: grants.id }),
    ),
    updateGrant: prepare(
      'update_grant',
      db
        .update(grants)
        .set(columnsBeside(grants, 'id'))
        .where(and(eq(grants.id, value('id')), eq(grants.version, value('was'))))
        .returning({ id: grants.id }),
    ),
    unendedGrantsOf: prepare(
      'unended_grants_of',
      db
        .select()
        .from(grants)
        .where(
          and(
            eq(grants.holder, value('person')),
            eq(grants.entitlement, value('entitlement')),
            sql`${grants.state} <> 'ended'`,
          ),
        )
        .orderBy(asc(grants.approvedAt), asc(grants.id)),
    ),
    hold: prepare(
      'hold',
      db
        .insert(grantMemberships)
        .values(columns(grantMemberships))
        .onConflictDoNothing()
        .returning({ grantId: grantMemberships.grantId }),
    ),
    letGo: prepare(
      'let_go',
      db
        .delete(grantMemberships)
        .where(eq(grantMemberships.grantId, value('grantId')))
        .returning({ grantId: grantMemberships.grantId }),
    ),
    holders: prepare(
      'holders',
      db
        .select(getTableColumns(grants))
        .from(grantMemberships)
        .innerJoin(grants, eq(grants.id, grantMemberships.grantId))
        .where(sameKey(grantMemberships))
        .orderBy(asc(grants.approvedAt), asc(grants.id)),
    ),

    membership: prepare('membership', db.select().from(memberships).where(sameKey(memberships))),
    insertMembership: prepare(
      'insert_membership',
      db
        .insert(memberships)
        .values(columns(memberships))
        .onConflictDoNothing()
        .returning({ version: memberships.version }),
    ),
    updateMembership: prepare(
      'update_membership',
      db
        .update(memberships)
        .set(columnsBeside(memberships, 'directory', 'groupId', 'userId'))
        .where(and(sameKey(memberships), eq(memberships.version, value('was'))))
        .returning({ version: memberships.version }),
    ),

    message: prepare(
      'message',
      db
        .select()
        .from(messages)
        .where(eq(messages.id, value('id'))),
    ),
    putMessage: prepare(
      'put_message',
      db
        .insert(messages)
        .values(columns(messages))
        .onConflictDoUpdate({ target: messages.id, set: columnsBeside(messages, 'id') })
        .returning({ id: messages.id }),
    ),

    place: prepare(
      'place',
      db
        .select()
        .from(places)
        .where(eq(places.id, value('id'))),
    ),
    putPlace: prepare(
      'put_place',
      db
        .insert(places)
        .values(columns(places))
        .onConflictDoUpdate({ target: places.id, set: columnsBeside(places, 'id') })
        .returning({ id: places.id }),
    ),

    pinAccount: prepare(
      'pin_account',
      db
        .insert(accountPins)
        .values(columns(accountPins))
        .onConflictDoNothing()
        .returning({ person: accountPins.person }),
    ),
    pinnedAccount: prepare('pinned_account', db.select().from(accountPins).where(account)),
    accountOf: prepare(
      'account_of',
      db
        .select()
        .from(accountPins)
        .where(and(eq(accountPins.person, value('person')), eq(accountPins.platform, value('platform'))))
        .orderBy(desc(accountPins.pinnedAt), desc(accountPins.accountId))
        .limit(1),
    ),
    pinGroup: prepare(
      'pin_group',
      db.insert(groupPins).values(columns(groupPins)).onConflictDoNothing().returning({ groupId: groupPins.groupId }),
    ),
    pin: prepare('pin', db.insert(pins).values(columns(pins)).onConflictDoNothing().returning({ id: pins.id })),
    dropPin: prepare(
      'drop_pin',
      db
        .delete(pins)
        .where(and(eq(pins.space, value('space')), eq(pins.name, value('name'))))
        .returning({ id: pins.id }),
    ),
    dropAccountPin: prepare(
      'drop_account_pin',
      db.delete(accountPins).where(account).returning({ person: accountPins.person }),
    ),
    pinned: prepare(
      'pinned',
      db
        .select({ id: pins.id })
        .from(pins)
        .where(and(eq(pins.space, value('space')), eq(pins.name, value('name')))),
    ),
    pinnedGroup: prepare('pinned_group', db.select().from(groupPins).where(groupPin)),
  };
}

function trail(db: Database, t: Tables, dialect: Dialect, prepare: Prepare) {
  const { auditEvents, auditPersonal, chainHead } = t;
  const head = db.select().from(chainHead).where(eq(chainHead.id, 1));
  const { seq, prevHash, hash, canonical } = getTableColumns(auditEvents);
  // No more than what is hashed: a whole trail is read this way.
  const linkColumns = { seq, prevHash, hash, canonical };
  return {
    // SQLite holds the whole database while it writes; Postgres holds this row, so that links are made one at a time.
    chainHead: prepare(
      'chain_head',
      dialect === 'sqlite' ? head : (head as unknown as { for(strength: 'update'): typeof head }).for('update'),
    ),
    moveHead: prepare(
      'move_head',
      db
        .update(chainHead)
        .set({ seq: value('seq'), hash: value('hash') })
        .where(eq(chainHead.id, 1))
        .returning({ seq: chainHead.seq }),
    ),
    insertEvent: prepare(
      'insert_event',
      db.insert(auditEvents).values(columns(auditEvents)).returning({ seq: auditEvents.seq }),
    ),
    insertPersonal: prepare(
      'insert_personal',
      db.insert(auditPersonal).values(columns(auditPersonal)).returning({ seq: auditPersonal.seq }),
    ),
    chain: prepare(
      'chain',
      db
        .select(linkColumns)
        .from(auditEvents)
        .where(gt(auditEvents.seq, value('afterSeq')))
        .orderBy(asc(auditEvents.seq))
        .limit(sql.placeholder('limit')),
    ),
    newestEvent: prepare(
      'newest_event',
      db.select({ at: auditEvents.at }).from(auditEvents).orderBy(desc(auditEvents.seq)).limit(1),
    ),
    eventsOf: prepare(
      'events_of',
      db
        .select()
        .from(auditEvents)
        .where(eq(auditEvents.requestId, value('requestId')))
        .orderBy(asc(auditEvents.seq)),
    ),
    personalOf: prepare(
      'personal_of',
      db
        .select(getTableColumns(auditPersonal))
        .from(auditPersonal)
        .innerJoin(auditEvents, eq(auditEvents.seq, auditPersonal.seq))
        .where(eq(auditEvents.requestId, value('requestId'))),
    ),
  };
}
