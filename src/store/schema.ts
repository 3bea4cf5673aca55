/**
 * One schema for both databases.
 *
 * What is asked for is a column; what is only carried along (lists, accounts, payloads) is JSON in a `text` column, in
 * both dialects, so that a row reads back byte for byte. Instants are milliseconds in an integer wide enough for them.
 */
import { sql } from 'drizzle-orm';
import * as pg from 'drizzle-orm/pg-core';
import * as lite from 'drizzle-orm/sqlite-core';
import type { ActivityFit, ActivityKind, FindingState } from '../access/activity.ts';
import type {
  AccessRequest,
  AccountRef,
  Approval,
  Device,
  DirectoryErrorCode,
  DriftClass,
  EndReason,
  GrantState,
  Job,
  Membership,
  Pin,
  Proof,
  RequestState,
  Review,
  Revocation,
  Ruling,
  SessionKind,
} from '../access/model.ts';
import type { MessageState } from '../access/ports.ts';

export type Dialect = 'sqlite' | 'postgres';

const sqliteKit = {
  table: lite.sqliteTable,
  text: (name: string) => lite.text(name),
  number: (name: string) => lite.integer(name),
  index: lite.index,
  uniqueIndex: lite.uniqueIndex,
  primaryKey: lite.primaryKey,
};

const postgresKit = {
  table: pg.pgTable,
  text: (name: string) => pg.text(name),
  number: (name: string) => pg.bigint(name, { mode: 'number' }),
  index: pg.index,
  uniqueIndex: pg.uniqueIndex,
  primaryKey: pg.primaryKey,
};

export type Tables = ReturnType<typeof defineTables>;

/** Both dialects go by SQLite's types; the one cast that this takes is here, and the store contract holds it to account. */
export function defineTables(dialect: Dialect) {
  const kit = dialect === 'sqlite' ? sqliteKit : (postgresKit as unknown as typeof sqliteKit);
  const { table, text, number, index, uniqueIndex, primaryKey } = kit;

  const requests = table(
    'requests',
    {
      id: text('id').primaryKey(),
      version: number('version').notNull(),
      state: text('state').$type<RequestState>().notNull(),
      requester: text('requester').notNull(),
      requesterName: text('requester_name').notNull(),
      requesterAccount: text('requester_account'),
      requesterZone: text('requester_zone'),
      workload: text('workload'),
      onBehalfOf: text('on_behalf_of'),
      users: text('users').notNull(),
      entitlement: text('entitlement').notNull(),
      resource: text('resource').notNull(),
      role: text('role').notNull(),
      title: text('title').notNull(),
      groups: text('groups').notNull(),
      durationMs: number('duration_ms').notNull(),
      reason: text('reason').notNull(),
      policyName: text('policy_name').notNull(),
      policyHash: text('policy_hash').notNull(),
      approvalsNeeded: number('approvals_needed').notNull(),
      ticket: text('ticket'),
      ticketUrl: text('ticket_url'),
      automatic: text('automatic'),
      breakGlass: text('break_glass').$type<NonNullable<AccessRequest['breakGlass']>>(),
      asking: text('asking'),
      confirming: text('confirming'),
      incident: text('incident'),
      extendsGrant: text('extends_grant'),
      digest: text('digest').notNull(),
      cardId: text('card_id').notNull(),
      createdAt: number('created_at').notNull(),
      lapsesAt: number('lapses_at').notNull(),
      decidedAt: number('decided_at'),
      closedBy: text('closed_by'),
      closedNote: text('closed_note'),
      audiences: text('audiences').notNull(),
    },
    (t) => [
      index('requests_by_requester').on(t.requester, t.entitlement, t.state),
      // The guard against the same thing asked for several times at the same moment.
      uniqueIndex('requests_one_pending').on(t.requester, t.entitlement).where(sql`state = 'pending'`),
      index('requests_on_behalf').on(t.onBehalfOf, t.createdAt).where(sql`on_behalf_of is not null`),
      index('requests_newest').on(t.createdAt),
      index('requests_pending').on(t.lapsesAt).where(sql`state = 'pending'`),
      index('requests_extending').on(t.extendsGrant).where(sql`extends_grant is not null`),
      index('requests_decided').on(t.decidedAt).where(sql`decided_at is not null`),
    ],
  );

  const approvals = table(
    'approvals',
    {
      requestId: text('request_id')
        .notNull()
        .references(() => requests.id),
      approver: text('approver').notNull(),
      digest: text('digest').notNull(),
      approverName: text('approver_name').notNull(),
      answer: text('answer').$type<Approval['answer']>().notNull(),
      reason: text('reason'),
      stage: number('stage'),
      durationMs: number('duration_ms'),
      proof: text('proof'),
      at: number('at').notNull(),
    },
    (t) => [primaryKey({ columns: [t.requestId, t.approver, t.digest] })],
  );

  const cards = table(
    'cards',
    {
      id: text('id').primaryKey(),
      requestId: text('request_id')
        .notNull()
        .references(() => requests.id),
      digest: text('digest').notNull(),
      createdAt: number('created_at').notNull(),
    },
    (t) => [index('cards_by_request').on(t.requestId)],
  );

  const grants = table(
    'grants',
    {
      id: text('id').primaryKey(),
      version: number('version').notNull(),
      requestId: text('request_id')
        .notNull()
        .references(() => requests.id),
      state: text('state').$type<GrantState>().notNull(),
      holder: text('holder').notNull(),
      holderName: text('holder_name').notNull(),
      entitlement: text('entitlement').notNull(),
      memberships: text('memberships').notNull(),
      durationMs: number('duration_ms').notNull(),
      maxMs: number('max_ms').notNull(),
      warnBeforeMs: number('warn_before_ms').notNull(),
      sessionTailMs: number('session_tail_ms').notNull(),
      approvedAt: number('approved_at').notNull(),
      addBy: number('add_by').notNull(),
      hardEndAt: number('hard_end_at').notNull(),
      startsAt: number('starts_at'),
      expiresAt: number('expires_at'),
      extending: text('extending'),
      incident: text('incident'),
      review: text('review'),
      endReason: text('end_reason').$type<EndReason>(),
      endingAt: number('ending_at'),
      endedAt: number('ended_at'),
      removedAt: number('removed_at'),
      endedBy: text('ended_by'),
      endNote: text('end_note'),
      signedOut: text('signed_out'),
    },
    (t) => [
      uniqueIndex('grants_one_per_request').on(t.requestId),
      index('grants_by_holder').on(t.holder, t.entitlement, t.state),
      index('grants_unended').on(t.state).where(sql`state <> 'ended'`),
      index('grants_by_approval').on(t.approvedAt),
      index('grants_by_start').on(t.startsAt).where(sql`starts_at is not null`),
      index('grants_by_ending').on(t.endingAt).where(sql`ending_at is not null`),
      index('grants_by_end').on(t.endedAt).where(sql`ended_at is not null`),
    ],
  );

  /** A row that every decision on how much a person may have puts anew. */
  const holders = table('holders', {
    person: text('person').primaryKey(),
    version: number('version').notNull(),
  });

  /** Who holds a membership now: the rows of a grant go when it has ended, so that the years behind cost nothing. */
  const grantMemberships = table(
    'grant_memberships',
    {
      grantId: text('grant_id')
        .notNull()
        .references(() => grants.id),
      directory: text('directory').notNull(),
      groupId: text('group_id').notNull(),
      userId: text('user_id').notNull(),
    },
    (t) => [
      primaryKey({ columns: [t.directory, t.groupId, t.userId, t.grantId] }),
      index('grant_memberships_by_grant').on(t.grantId),
    ],
  );

  const memberships = table(
    'memberships',
    {
      directory: text('directory').notNull(),
      groupId: text('group_id').notNull(),
      userId: text('user_id').notNull(),
      version: number('version').notNull(),
      groupName: text('group_name').notNull(),
      login: text('login').notNull(),
      origin: text('origin').$type<Membership['origin']>().notNull(),
      addStartedAt: number('add_started_at'),
      addDeadlineAt: number('add_deadline_at'),
      addOutcome: text('add_outcome').$type<NonNullable<Membership['addOutcome']>>(),
      addAttempts: number('add_attempts').notNull(),
      addUnknownUntil: number('add_unknown_until'),
      removeStartedAt: number('remove_started_at'),
      removeDeadlineAt: number('remove_deadline_at'),
      removeOutcome: text('remove_outcome').$type<NonNullable<Membership['removeOutcome']>>(),
      removeAcceptedAt: number('remove_accepted_at'),
      removeUnknownUntil: number('remove_unknown_until'),
      seen: text('seen').$type<NonNullable<Membership['seen']>>(),
      seenAt: number('seen_at'),
      missingSinceAt: number('missing_since_at'),
      provenAbsentAt: number('proven_absent_at'),
      nativeExpiryAt: number('native_expiry_at'),
      nativeExpirySent: number('native_expiry_sent'),
      nativeExpiryOutcome: text('native_expiry_outcome').$type<NonNullable<Membership['nativeExpiryOutcome']>>(),
      failures: number('failures').notNull(),
      lastError: text('last_error'),
      lastErrorCode: text('last_error_code').$type<DirectoryErrorCode>(),
      ruling: text('ruling').$type<Ruling>(),
      ruledAt: number('ruled_at'),
    },
    (t) => [
      primaryKey({ columns: [t.directory, t.groupId, t.userId] }),
      index('memberships_ours').on(t.origin).where(sql`origin = 'ours'`),
    ],
  );

  /** What was found to differ from a directory and is still open: told once, and counted until it is over. */
  const drifts = table('drifts', {
    id: text('id').primaryKey(),
    directory: text('directory').notNull(),
    groupId: text('group_id').notNull(),
    userId: text('user_id').notNull(),
    class: text('class').$type<DriftClass>().notNull(),
    groupName: text('group_name').notNull(),
    login: text('login').notNull(),
    sinceAt: number('since_at').notNull(),
  });

  const jobs = table(
    'jobs',
    {
      id: text('id').primaryKey(),
      kind: text('kind').$type<Job['kind']>().notNull(),
      lane: text('lane').notNull(),
      priority: number('priority').notNull(),
      dueAt: number('due_at').notNull(),
      payload: text('payload').notNull(),
      version: number('version').notNull(),
      epoch: number('epoch').notNull(),
      leaseUntil: number('lease_until'),
      attempts: number('attempts').notNull(),
      lastError: text('last_error'),
    },
    (t) => [
      // A lane is asked for by priority, so that what is due stands at the front however much waits behind it.
      index('jobs_free').on(t.kind, t.lane, t.priority, t.dueAt).where(sql`lease_until is null`),
      index('jobs_held').on(t.kind, t.lane, t.leaseUntil).where(sql`lease_until is not null`),
    ],
  );

  const deliveries = table(
    'deliveries',
    {
      key: text('key').primaryKey(),
      receivedAt: number('received_at').notNull(),
      body: text('body').notNull(),
      leaseUntil: number('lease_until').notNull(),
      attempts: number('attempts').notNull(),
      answeredAt: number('answered_at'),
    },
    (t) => [
      index('deliveries_unanswered').on(t.leaseUntil).where(sql`answered_at is null`),
      index('deliveries_answered').on(t.answeredAt).where(sql`answered_at is not null`),
    ],
  );

  const messages = table('messages', {
    id: text('id').primaryKey(),
    requestId: text('request_id').notNull(),
    state: text('state').$type<MessageState>().notNull(),
    conversation: text('conversation'),
    ts: text('ts'),
    shown: text('shown'),
    at: number('at').notNull(),
  });

  /** Where a chat platform's bot may speak, for platforms that only tell it with each delivery. */
  const places = table('places', {
    id: text('id').primaryKey(),
    serviceUrl: text('service_url').notNull(),
    conversation: text('conversation'),
    user: text('user_id'),
    name: text('name'),
    zone: text('zone'),
    closedAt: number('closed_at'),
    seenAt: number('seen_at').notNull(),
  });

  const accountPins = table(
    'account_pins',
    {
      platform: text('platform').$type<AccountRef['platform']>().notNull(),
      tenant: text('tenant').notNull(),
      accountId: text('account_id').notNull(),
      person: text('person').notNull(),
      pinnedAt: number('pinned_at').notNull(),
    },
    (t) => [
      primaryKey({ columns: [t.platform, t.tenant, t.accountId] }),
      index('account_pins_by_person').on(t.person, t.platform, t.pinnedAt),
    ],
  );

  const groupPins = table(
    'group_pins',
    {
      directory: text('directory').notNull(),
      groupName: text('group_name').notNull(),
      groupId: text('group_id').notNull(),
      pinnedAt: number('pinned_at').notNull(),
    },
    (t) => [primaryKey({ columns: [t.directory, t.groupName] })],
  );

  const pins = table(
    'pins',
    {
      space: text('space').$type<Pin['space']>().notNull(),
      name: text('name').notNull(),
      id: text('id').notNull(),
      pinnedAt: number('pinned_at').notNull(),
    },
    (t) => [primaryKey({ columns: [t.space, t.name] })],
  );

  /** Append-only, by a trigger. `canonical` is what counts and is hashed as stored; the other columns are for searching. */
  const auditEvents = table(
    'audit_events',
    {
      seq: number('seq').primaryKey(),
      prevHash: text('prev_hash').notNull(),
      hash: text('hash').notNull(),
      canonical: text('canonical').notNull(),
      at: number('at').notNull(),
      kind: text('kind').notNull(),
      actor: text('actor').notNull(),
      requestId: text('request_id'),
      grantId: text('grant_id'),
    },
    (t) => [
      index('audit_events_by_request').on(t.requestId, t.seq),
      index('audit_events_by_grant').on(t.grantId, t.seq),
      index('audit_events_by_time').on(t.at),
      index('audit_events_by_actor').on(t.actor, t.seq),
      index('audit_events_by_kind').on(t.kind, t.seq),
      index('audit_events_of_policies').on(t.at).where(sql`kind = 'policy.changed'`),
    ],
  );

  /** The texts behind the digests in the chain. A row may be deleted: the chain goes on verifying without it. */
  const auditPersonal = table(
    'audit_personal',
    {
      seq: number('seq')
        .notNull()
        .references(() => auditEvents.seq),
      field: text('field').notNull(),
      salt: text('salt').notNull(),
      text: text('text').notNull(),
    },
    (t) => [primaryKey({ columns: [t.seq, t.field] })],
  );

  /** One row for each day's digest: whoever puts it first makes it, and the others find it made. */
  const digests = table(
    'digests',
    {
      day: text('day').primaryKey(),
      fromAt: number('from_at').notNull(),
      toAt: number('to_at').notNull(),
      madeAt: number('made_at').notNull(),
      version: number('version').notNull().default(1),
      id: text('id'),
      view: text('view'),
      signedAt: number('signed_at'),
      signedBy: text('signed_by'),
      note: text('note'),
    },
    (t) => [
      index('digests_by_end').on(t.toAt),
      uniqueIndex('digests_by_id').on(t.id),
      index('digests_unsigned').on(t.toAt).where(sql`id is not null and signed_at is null`),
    ],
  );

  /** One row for each scope that was ever frozen, as its last freeze left it; the trail has those before. */
  const freezes = table(
    'freezes',
    {
      id: text('id').primaryKey(),
      version: number('version').notNull(),
      scope: text('scope').notNull(),
      name: text('name').notNull(),
      reason: text('reason').notNull(),
      by: text('by').notNull(),
      at: number('at').notNull(),
      liftedAt: number('lifted_at'),
      liftedBy: text('lifted_by'),
      except: text('except'),
      sweeping: text('sweeping'),
    },
    (t) => [index('freezes_live').on(t.at).where(sql`lifted_at is null`)],
  );

  /** For as long as a call may come again. */
  const keptAnswers = table(
    'kept_answers',
    {
      key: text('key').primaryKey(),
      fingerprint: text('fingerprint').notNull(),
      tries: number('tries').notNull(),
      body: text('body'),
      at: number('at').notNull(),
    },
    (t) => [index('kept_answers_by_age').on(t.at)],
  );

  /** Only hashes of secrets: a copy of the database signs nobody in. */
  const sessions = table(
    'sessions',
    {
      id: text('id').primaryKey(),
      version: number('version').notNull(),
      kind: text('kind').$type<SessionKind>().notNull(),
      secretHash: text('secret_hash').notNull(),
      person: text('person').notNull(),
      personName: text('person_name').notNull(),
      label: text('label'),
      scopes: text('scopes').notNull(),
      signedInAt: number('signed_in_at'),
      acr: text('acr'),
      amr: text('amr'),
      workload: text('workload'),
      createdAt: number('created_at').notNull(),
      createdBy: text('created_by').notNull(),
      expiresAt: number('expires_at').notNull(),
      endedAt: number('ended_at'),
      endedBy: text('ended_by'),
      lastUsedAt: number('last_used_at'),
    },
    (t) => [
      uniqueIndex('sessions_by_secret').on(t.secretHash),
      index('sessions_by_kind').on(t.kind, t.createdAt),
      index('sessions_by_age').on(t.createdAt),
    ],
  );

  const devices = table(
    'devices',
    {
      id: text('id').primaryKey(),
      version: number('version').notNull(),
      state: text('state').$type<Device['state']>().notNull(),
      userCode: text('user_code').notNull(),
      label: text('label').notNull(),
      from: text('from').notNull(),
      createdAt: number('created_at').notNull(),
      expiresAt: number('expires_at').notNull(),
      person: text('person'),
      personName: text('person_name'),
      signedInAt: number('signed_in_at'),
      acr: text('acr'),
      amr: text('amr'),
    },
    (t) => [uniqueIndex('devices_by_code').on(t.userCode), index('devices_by_end').on(t.expiresAt)],
  );

  const proofs = table(
    'proofs',
    {
      id: text('id').primaryKey(),
      version: number('version').notNull(),
      state: text('state').$type<Proof['state']>().notNull(),
      person: text('person').notNull(),
      createdAt: number('created_at').notNull(),
      content: text('content').notNull(),
    },
    (t) => [index('proofs_open').on(t.person).where(sql`state in ('open', 'signed_in')`)],
  );

  const reviews = table(
    'reviews',
    {
      id: text('id').primaryKey(),
      version: number('version').notNull(),
      state: text('state').$type<Review['state']>().notNull(),
      why: text('why').$type<Review['why']>().notNull(),
      grantId: text('grant_id').notNull(),
      requestId: text('request_id')
        .notNull()
        .references(() => requests.id),
      holder: text('holder').notNull(),
      holderName: text('holder_name').notNull(),
      entitlement: text('entitlement').notNull(),
      durationMs: number('duration_ms').notNull(),
      reason: text('reason').notNull(),
      reviewers: text('reviewers').notNull(),
      tell: text('tell').notNull(),
      createdAt: number('created_at').notNull(),
      dueAt: number('due_at').notNull(),
      reminders: number('reminders'),
      remindedAt: number('reminded_at'),
      decidedAt: number('decided_at'),
      decidedBy: text('decided_by'),
      note: text('note'),
    },
    (t) => [
      index('reviews_open').on(t.createdAt).where(sql`state = 'open'`),
      index('reviews_by_request').on(t.requestId),
    ],
  );

  /** What is only carried along of a revocation (whom, by whom, which grants) is one text: it is read whole or not at all. */
  const revocations = table('revocations', {
    id: text('id').primaryKey(),
    version: number('version').notNull(),
    state: text('state').$type<Revocation['state']>().notNull(),
    content: text('content').notNull(),
    createdAt: number('created_at').notNull(),
    confirmedAt: number('confirmed_at'),
    doneAt: number('done_at'),
  });

  /** What was done under grants, until it is forgotten. What is only carried along of it is one text. */
  const activities = table(
    'activities',
    {
      source: text('source').notNull(),
      uid: text('uid').notNull(),
      grantId: text('grant_id').notNull(),
      fit: text('fit').$type<ActivityFit>().notNull(),
      kind: text('kind').$type<ActivityKind>().notNull(),
      at: number('at').notNull(),
      receivedAt: number('received_at').notNull(),
      content: text('content').notNull(),
    },
    (t) => [
      primaryKey({ columns: [t.source, t.uid] }),
      index('activities_by_grant').on(t.grantId, t.at),
      index('activities_by_receipt').on(t.receivedAt),
    ],
  );

  /** What was counted of them: one row for each grant in which anything was seen. */
  const grantUses = table(
    'grant_uses',
    {
      grantId: text('grant_id').primaryKey(),
      version: number('version').notNull(),
      person: text('person').notNull(),
      firstAt: number('first_at').notNull(),
      content: text('content').notNull(),
    },
    (t) => [index('grant_uses_by_person').on(t.person, t.firstAt)],
  );

  const findings = table(
    'findings',
    {
      id: text('id').primaryKey(),
      version: number('version').notNull(),
      state: text('state').$type<FindingState>().notNull(),
      grantId: text('grant_id').notNull(),
      rule: text('rule').notNull(),
      createdAt: number('created_at').notNull(),
      content: text('content').notNull(),
    },
    (t) => [
      index('findings_by_grant').on(t.grantId, t.createdAt),
      index('findings_by_creation').on(t.createdAt),
      // While it is not over, more of the same is counted in it.
      uniqueIndex('findings_one_open').on(t.grantId, t.rule).where(sql`state <> 'dismissed' and state <> 'revoked'`),
    ],
  );

  /** How far each source of activities was read. */
  const sourceCursors = table('source_cursors', {
    source: text('source').primaryKey(),
    version: number('version').notNull(),
    cursor: text('cursor').notNull(),
    readAt: number('read_at').notNull(),
  });

  /** The one row that every commit locks that may open access; whoever freezes or lifts moves it on. */
  const freezeHead = table('freeze_head', {
    id: number('id').primaryKey(),
    version: number('version').notNull(),
  });

  /** The end of the chain, signed from time to time. Append-only, like the events. */
  const auditCheckpoints = table('audit_checkpoints', {
    seq: number('seq').primaryKey(),
    hash: text('hash').notNull(),
    at: number('at').notNull(),
    keyId: text('key_id').notNull(),
    signature: text('signature').notNull(),
  });

  /** How far each sink of the trail has been told. */
  const auditCursors = table('audit_cursors', {
    sink: text('sink').primaryKey(),
    seq: number('seq').notNull(),
  });

  /** The one row that every linking commit locks. */
  const chainHead = table('chain_head', {
    id: number('id').primaryKey(),
    seq: number('seq').notNull(),
    hash: text('hash').notNull(),
  });

  return {
    requests,
    approvals,
    cards,
    grants,
    holders,
    grantMemberships,
    memberships,
    drifts,
    jobs,
    deliveries,
    messages,
    places,
    accountPins,
    groupPins,
    pins,
    auditEvents,
    auditPersonal,
    digests,
    freezes,
    freezeHead,
    auditCheckpoints,
    auditCursors,
    revocations,
    reviews,
    activities,
    grantUses,
    findings,
    sourceCursors,
    keptAnswers,
    sessions,
    devices,
    proofs,
    chainHead,
  };
}
