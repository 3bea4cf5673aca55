/** The ways out of the core, in the domain's words. Each states what holds when it returns, and what can go wrong. */
import type { ActivitySource } from './activity.ts';
import type { Answer, Command } from './command.ts';
import type { DigestView } from './digest-view.ts';
import type { HomeView } from './home.ts';
import type {
  AccessRequest,
  AccountRef,
  Approval,
  Audience,
  AuditEvent,
  Caller,
  Card,
  Change,
  Device,
  DigestRecord,
  DirectoryErrorCode,
  DirectoryUser,
  Drift,
  EndReason,
  EntitlementId,
  Freeze,
  Freezes,
  Grant,
  GrantId,
  GrantState,
  GroupName,
  Instant,
  Job,
  Membership,
  MembershipKey,
  Person,
  PersonId,
  Pin,
  PinnedGroup,
  Proof,
  RequestId,
  RequestState,
  Review,
  Revocation,
  Ring,
  Session,
  SessionKind,
  Subject,
} from './model.ts';
import type { Choice, FormView, FormWish } from './preview.ts';
import type { MessageView } from './view.ts';

// ---------------------------------------------------------------------------------------------------------- clock

export interface Clock {
  /** Wall clock, shared by all replicas; what is stored. May step either way. */
  now(): Instant;
  /** Milliseconds that only grow; for durations, deadlines and cache ages. */
  monotonic(): number;
}

// -------------------------------------------------------------------------------------------------------- metrics

export interface Metrics {
  /** `by`: how many; one when left out. */
  count(name: string, labels?: Readonly<Record<string, string>>, by?: number): void;
  observe(name: string, value: number, labels?: Readonly<Record<string, string>>): void;
  /** What holds now. Absent where nobody reads it. */
  gauge?(name: string, value: number, labels?: Readonly<Record<string, string>>): void;
}

// ---------------------------------------------------------------------------------------------------------- store

/** Someone changed a row that this decision rests on: load and decide again. */
export class StaleStateError extends Error {
  readonly code = 'stale_state';
  constructor(what: string) {
    super(`${what} has changed since it was read`);
    this.name = 'StaleStateError';
  }
}

/** A job held by one worker until `leaseUntil`. `epoch` grows with every lease, `version` with every put of the job. */
export type LeasedJob = Job & {
  readonly epoch: number;
  readonly version: number;
  readonly leaseUntil: Instant;
  /** Failures in a row. */
  readonly attempts: number;
};

/**
 * What a worker says of its lease, in the same transaction as what it learnt. Guarded by the epoch, so that whoever
 * lost the lease changes nothing; `done` and `later` also by the version, so that a wish that came in meanwhile is
 * not forgotten.
 */
export type JobSettlement =
  | { readonly job: string; readonly epoch: number; readonly keep: { readonly leaseUntil: Instant } }
  | { readonly job: string; readonly epoch: number; readonly version: number; readonly done: true }
  | {
      readonly job: string;
      readonly epoch: number;
      readonly version: number;
      readonly later: {
        readonly dueAt: Instant;
        readonly attempts: number;
        readonly priority?: number;
        readonly lastError?: string;
      };
    };

/** A delivery from a chat platform, durable before it is acknowledged. */
export interface Delivery {
  /** Unique per delivery; a replay or a platform's retry carries the same one. */
  readonly key: string;
  readonly receivedAt: Instant;
  /** The command and where to answer, as JSON text. */
  readonly body: string;
}

/** Everything one commit does, or none of it. */
export interface Commit {
  readonly changes: readonly Change[];
  readonly job?: JobSettlement;
  /** Those of more jobs that are answered together; each is guarded as `job` is. */
  readonly jobs?: readonly JobSettlement[];
  /**
   * What of the inbox this answers; guarded, so that a delivery acts once. By its key when it was received before; the
   * whole of it is received and answered by this very commit, which is stale when it was known already.
   */
  readonly delivery?: string | Delivery;
}

/**
 * A delivery on its way into the inbox. Decided soon enough, it is recorded by the commit that answers it; else it is
 * recorded by itself meanwhile.
 */
export interface Intake {
  readonly key: string;
  /** What the commit is to name; `replayed`: it was here before, and nothing may be committed for it. */
  closing(): Promise<string | Delivery | 'replayed'>;
  /** That commit was stale and changed nothing. */
  overtaken(): void;
}

export interface RequestRecord {
  readonly request: AccessRequest;
  readonly approvals: readonly Approval[];
  readonly grant?: Grant;
}

/** A membership, every grant that is not ended and holds it, and the operation owed on it. */
export interface MembershipRecord {
  readonly key: MembershipKey;
  readonly membership?: Membership;
  readonly grants: readonly Grant[];
}

export interface GrantRecord {
  readonly grant: Grant;
  readonly request: AccessRequest;
  /** In the order of `grant.memberships`. */
  readonly memberships: readonly MembershipRecord[];
  /** A pending request for more time on this grant. */
  readonly extension?: AccessRequest;
  /** The approved one of `grant.extending`. */
  readonly extending?: AccessRequest;
}

/**
 * `sending`: the intent, so it may have been posted. `unknown`: the same, of a message posted a second time without
 * being able to look for the first. `unsent`: certainly not posted yet.
 */
export type MessageState = 'sending' | 'posted' | 'unknown' | 'unsent' | 'gone';

/** One message: that it may exist, so that it is not posted twice, and where it is, so that it can be updated. */
export interface MessageRow {
  readonly id: string;
  /** Empty for what is about no request. */
  readonly requestId: RequestId;
  readonly state: MessageState;
  /** The platform's conversation and message id, once posted. */
  readonly conversation?: string;
  readonly ts?: string;
  /** Hash of what was last shown; an equal one is not sent again. */
  readonly shown?: string;
  readonly at: Instant;
}

export interface ListFilter {
  readonly person?: PersonId;
  /** What the person asked for, or set off a pipeline to ask for. */
  readonly concerning?: PersonId;
  readonly states?: readonly RequestState[];
  readonly entitlements?: readonly EntitlementId[];
  /** A resource and its parts. */
  readonly resource?: string;
  readonly grantStates?: readonly GrantState[];
  /** Only requests whose grant is not ended. */
  readonly liveGrants?: boolean;
  /** Only those older than this one; for pages that do not shift when something new comes in front. */
  readonly after?: { readonly createdAt: Instant; readonly id: RequestId };
  /** Only requests whose grant had begun before `to` and was not proven over before `from`. */
  readonly held?: Period;
  /** How many of the newest to leave out; for the pages after the first. */
  readonly offset?: number;
  readonly limit: number;
}

export interface Store {
  /** All reads are of committed state. Absence is `undefined`, never an error. */
  request(id: RequestId): Promise<RequestRecord | undefined>;
  card(id: string): Promise<Card | undefined>;
  /** The freezes that hold, all of one moment. */
  freezes(): Promise<Freezes>;
  revocation(id: string): Promise<Revocation | undefined>;
  review(id: string): Promise<Review | undefined>;
  reviewOf(requestId: RequestId): Promise<Review | undefined>;
  /** Those that nobody has made, oldest first; of one holder, or of all. */
  openReviews(limit: number, holder?: PersonId): Promise<readonly Review[]>;
  /** Those of these ids that there are. */
  grants(ids: readonly GrantId[]): Promise<readonly Grant[]>;
  /** A scope's row, whether it holds or was lifted. */
  freeze(id: string): Promise<Freeze | undefined>;
  grant(id: GrantId): Promise<GrantRecord | undefined>;
  /** Those of these ids that there are, all of one moment, in the order of the ids. */
  grantRecords(ids: readonly GrantId[]): Promise<readonly GrantRecord[]>;
  membership(key: MembershipKey): Promise<MembershipRecord>;
  memberships(keys: readonly MembershipKey[]): Promise<readonly MembershipRecord[]>;
  /** The person's pending requests and unended grants on one entitlement. */
  open(
    person: PersonId,
    entitlement: EntitlementId,
  ): Promise<{ pending: readonly AccessRequest[]; grants: readonly Grant[] }>;
  /** How many requests the person has made since then, or pipelines for them, whatever became of them. */
  requestsSince(person: PersonId, since: Instant): Promise<number>;
  /** Version of the row that guards how much a person has; absent before the first such decision. */
  holder(person: PersonId): Promise<number | undefined>;
  /** Newest first. */
  list(filter: ListFilter): Promise<readonly RequestRecord[]>;
  /**
   * Live grants past their end, pending requests past their lapse, memberships of ours that nobody wants, and those of
   * ending grants that nobody is working on: each without a job that will see to it.
   */
  forgotten(now: Instant, limit: number): Promise<{ rings: readonly Ring[]; memberships: readonly MembershipKey[] }>;
  /** Live grants past their end, the longest past first: whoever holds their timer has not come to it. */
  overdue(now: Instant, limit: number): Promise<readonly GrantId[]>;
  /** Removals owed and not proven, oldest first: what `/readyz` and `expire` report. */
  outstandingRemovals(now: Instant, limit: number): Promise<readonly MembershipRecord[]>;

  /**
   * One transaction. Throws `StaleStateError` and changes nothing when a guarded row has moved on.
   * Events are linked into the chain in the order given.
   */
  commit(commit: Commit): Promise<void>;

  /** Takes up to `limit` due jobs of a lane, most urgent first; none twice while the lease lasts. */
  lease(want: {
    readonly kind: Job['kind'];
    readonly lane?: string;
    readonly limit: number;
    readonly now: Instant;
    readonly leaseUntil: Instant;
    /** Only jobs of this priority. */
    readonly priority?: number;
    /** Only these timers, for `expire --due`. */
    readonly idPrefix?: readonly string[];
  }): Promise<readonly LeasedJob[]>;
  /** When the next job of this kind can be leased: its due time, or the end of its lease. */
  nextDue(kind: Job['kind'], lane?: string, priority?: number): Promise<Instant | undefined>;
  /** The job's present version, for deciding again under the same lease; absent when it is gone. */
  job(id: string): Promise<{ readonly version: number; readonly epoch: number; readonly dueAt: Instant } | undefined>;

  /** Durable when it returns. `false`: this delivery is known already. */
  receive(delivery: Delivery, leaseUntil: Instant): Promise<boolean>;
  /** Deliveries that were acknowledged and never answered, taken for another try. */
  unanswered(
    now: Instant,
    leaseUntil: Instant,
    limit: number,
  ): Promise<readonly (Delivery & { readonly attempts: number })[]>;
  /** Closes a delivery that ended in nothing to commit. */
  answered(key: string): Promise<void>;
  /** Forgets answered deliveries older than this. */
  forgetDeliveries(before: Instant): Promise<number>;

  message(id: string): Promise<MessageRow | undefined>;
  putMessage(row: MessageRow): Promise<void>;

  /** Pins an account to a person, and a group name to an id, at first use; returns what is pinned, which may differ. */
  pinAccount(account: AccountRef, person: PersonId, now: Instant): Promise<PersonId>;
  pinGroup(group: PinnedGroup, now: Instant): Promise<PinnedGroup>;
  pinnedGroup(directory: string, name: string): Promise<PinnedGroup | undefined>;
  /** Whom an account was pinned to; known also while nobody can be looked up. */
  personOf(account: AccountRef): Promise<PersonId | undefined>;
  /** Pins where nothing is pinned yet; returns the id that is pinned, which may be another. */
  pin(pin: Pin): Promise<string>;
  pinned(space: Pin['space'], name: string): Promise<string | undefined>;
  /** The chat account last pinned to a person on a platform. */
  accountOf(person: PersonId, platform: AccountRef['platform']): Promise<AccountRef | undefined>;

  session(id: string): Promise<Session | undefined>;
  /** The one whose secret hashes to this, live or not. */
  sessionBySecret(secretHash: string): Promise<Session | undefined>;
  /** Newest first; of one kind, or of all. */
  sessions(filter: { readonly kind?: SessionKind; readonly limit: number }): Promise<readonly Session[]>;
  proof(id: string): Promise<Proof | undefined>;
  /** The person's that are neither used nor failed, newest first. */
  openProofs(person: PersonId, limit: number): Promise<readonly Proof[]>;
  /** That it was used, outside the trail: nothing rests on it. */
  sessionUsed(id: string, at: Instant): Promise<void>;

  /** By what only the device has, hashed; or by what its person types. Also one that is over. */
  device(by: { readonly id: string } | { readonly userCode: string }): Promise<Device | undefined>;
  /** Those that were over by then. */
  forgetDevices(before: Instant): Promise<number>;

  /** The chain in order, from `afterSeq`: canonical text as stored, and hashes. */
  chain(afterSeq: number, limit: number): Promise<readonly ChainLink[]>;
  /** Events of one request, oldest first, with the personal texts that are still kept. */
  story(requestId: RequestId): Promise<readonly AuditEvent[]>;

  /** `true` when the database answers. */
  healthy(): Promise<boolean>;
  close(): Promise<void>;
}

/** What happened in a period, counted in full and listed only in part, and what holds now. */
export interface DigestFacts {
  readonly counts: {
    /** By the period: approved to begin, and approved to last longer. */
    readonly granted: number;
    readonly extended: number;
    readonly denied: number;
    readonly lapsed: number;
    readonly cancelled: number;
    readonly withdrawn: number;
    /** By the period: grants whose end was decided, by why. */
    readonly ending: Readonly<Record<EndReason, number>>;
    /** By the period: grants that had begun and were proven over, and how many of them late. */
    readonly proven: number;
    readonly late: number;
    /** By the period: taken without approval. */
    readonly breakGlass: number;
    /** Now. */
    readonly live: number;
    readonly pending: number;
    /** Memberships owed a removal. */
    readonly removals: number;
    /** Differences from a directory that were found and are open. */
    readonly drift: number;
  };
  /** Of those that were proven over; absent where there is none. */
  readonly steps?: { readonly accepted?: Spread; readonly proven: Spread };
  /** Newest first. */
  readonly granted: readonly RequestRecord[];
  /** Granted in the period, by entitlement, most first. */
  readonly byEntitlement: readonly { readonly entitlement: EntitlementId; readonly count: number }[];
  /** Soonest end first. */
  readonly live: readonly RequestRecord[];
  /** Revoked, removed outside, abandoned, returned: newest first. */
  readonly endedEarly: readonly RequestRecord[];
  /** Denied, lapsed or withdrawn: newest first. */
  readonly refused: readonly RequestRecord[];
  /** Proven over in the period, the latest first. */
  readonly latest: readonly Grant[];
  /** Owed now, the oldest first. */
  readonly removals: readonly MembershipRecord[];
  /** Open now, the oldest first. */
  readonly drift: readonly Drift[];
  /** Oldest first. */
  readonly pending: readonly RequestRecord[];
  /** Taken without approval in the period, newest first. */
  readonly breakGlass: readonly RequestRecord[];
  /** Who approved whose requests of those decided in the period, and how many, most first. */
  readonly approvedFor: readonly ApprovedFor[];
  /** `policy.changed` in the period, newest first, without the texts about people. */
  readonly policyChanges: readonly AuditEvent[];
}

export interface ApprovedFor {
  readonly approver: PersonId;
  readonly approverName: string;
  readonly requester: PersonId;
  readonly requesterName: string;
  readonly count: number;
}

/** From when a removal was due: what half of them took at most, what 99 of 100 did, and the longest. */
export interface Spread {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** The record as the digest asks it. Every answer is bounded. */
export interface DigestStore {
  /** The newest digest made. */
  lastDigest(): Promise<DigestRecord | undefined>;
  digestOf(day: string): Promise<DigestRecord | undefined>;
  digestById(id: string): Promise<DigestRecord | undefined>;
  /** Those that nobody has signed, oldest first. */
  unsignedDigests(limit: number): Promise<readonly { readonly day: string; readonly toAt: Instant }[]>;
  /** `from` belongs to the period, `to` to the next one. A removal is late when its proof came `lateMs` after it was due. */
  digestFacts(period: Period, lateMs: number, limit: number): Promise<DigestFacts>;
  /**
   * Requests that a digest of the period speaks of: decided or ended in it, live or waiting now. At most so many, the
   * newest; each once.
   */
  digestRequests(period: Period, limit: number): Promise<readonly RequestId[]>;
  /** Those of these ids that there are, newest first, with the reviews that they owe. */
  requestsWithReviews(
    ids: readonly RequestId[],
  ): Promise<readonly { readonly record: RequestRecord; readonly review?: Review }[]>;
  /** Ids of those whom the ledger explains in a group: added by us, or removed by us at `removedSince` or later. */
  explained(directory: string, groupId: string, removedSince: Instant, limit: number): Promise<readonly string[]>;
}

/** What was answered to a call that may come again, so that its sender hears the same once more. */
export interface KeptAnswer {
  /** Whose call, and the key that they gave it. */
  readonly key: string;
  /** Hash of what was asked: the same key for something else is a mistake of theirs. */
  readonly fingerprint: string;
  /** How often it came to nothing for want of something that may come back: each of these may be tried again. */
  readonly tries: number;
  /** Absent: nothing was decided yet. */
  readonly body?: string;
  readonly at: Instant;
}

export interface AnswerStore {
  keptAnswer(key: string): Promise<KeptAnswer | undefined>;
  /** In place of one of the same key. */
  keepAnswer(answer: KeptAnswer): Promise<void>;
  forgetAnswers(before: Instant): Promise<number>;
}

/** The record as reconciliation asks it. Every answer is bounded. */
export interface DriftStore {
  /** Of one group: what is ours, baseline, held by an unended grant, or was removed by us at `removedSince` or later. */
  ledgerOf(
    directory: string,
    groupId: string,
    removedSince: Instant,
    limit: number,
  ): Promise<readonly MembershipRecord[]>;
  /** Groups in which something is ours, whatever the configuration says of them now. */
  filledGroups(limit: number): Promise<readonly PinnedGroup[]>;
  /** What was found and is open, oldest first. */
  drifts(limit: number): Promise<readonly Drift[]>;
}

export interface Period {
  readonly from: Instant;
  readonly to: Instant;
}

/** Where the audit trail ends, to be noted where the digest is read: that place can then no longer be changed unseen. */
export interface TrailSeal {
  readonly seq: number;
  readonly hash: string;
  /** Whether all of it was verified up to there; absent when it was not looked at. */
  readonly verified?: { readonly ok: true } | { readonly ok: false; readonly why: string };
}

/** Who is in a governed group without a grant: default deny, measured. */
export interface GroupStanding {
  readonly directory: string;
  readonly group: string;
  /** Absent: the directory did not tell, and `error` says why. */
  readonly members?: readonly string[];
  readonly error?: string;
}

/** What is drawn from the record and the directories together. Never rejects because of a directory. */
export interface Reports {
  digest(period: Period, zone: string): Promise<DigestView>;
  /** By what its button carries, by its day, or the newest. */
  made(which: { readonly id: string } | { readonly day?: string }): Promise<DigestRecord | undefined>;
  /** In the order asked, within a few seconds; a group that takes longer says so. */
  standing(groups: readonly GroupName[]): Promise<readonly GroupStanding[]>;
}

/**
 * Where a bot may speak on a platform that does not say so by itself. Learnt from verified deliveries, and from what
 * the platform answers; never from what a person wrote.
 */
export interface Place {
  /** Whom or what it is about, by immutable ids: `teams:person:<tenant>/<id>`. */
  readonly id: string;
  /** The platform's own address for it. */
  readonly serviceUrl: string;
  /** The conversation to speak in; absent while none is known. */
  readonly conversation?: string;
  /** What the platform calls a person towards this bot. */
  readonly user?: string;
  /** As the platform gave it; for mentions. */
  readonly name?: string;
  /** IANA zone that the person's own client told. */
  readonly zone?: string;
  /** Since then nothing can be said there: the app was removed, or the bot is blocked. */
  readonly closedAt?: Instant;
  readonly seenAt: Instant;
}

export interface PlaceStore {
  place(id: string): Promise<Place | undefined>;
  putPlace(place: Place): Promise<void>;
}

export interface ChainLink {
  readonly seq: number;
  readonly prevHash: string;
  readonly hash: string;
  readonly canonical: string;
}

/** A link with what stands beside it: columns for searching, which count for nothing. */
export interface TrailLink extends ChainLink {
  readonly columns?: {
    readonly at: Instant;
    readonly kind: string;
    readonly requestId?: RequestId;
    readonly grantId?: GrantId;
  };
}

/** An event as it can be told: with the texts that are still kept, and its link. */
export interface TrailEvent extends ChainLink {
  readonly event: AuditEvent;
}

/** The end of the chain at one moment, signed: what stood there cannot be changed unseen by who has no key. */
export interface Checkpoint {
  readonly seq: number;
  readonly hash: string;
  readonly at: Instant;
  readonly keyId: string;
  /** Base64. */
  readonly signature: string;
}

/** What of the trail is looked for; everything that is named must fit. */
export interface TrailFilter {
  /** What the person did, and what happened to their own requests. */
  readonly person?: PersonId;
  /** A resource and its parts. */
  readonly resource?: string;
  readonly requestId?: RequestId;
  readonly kinds?: readonly string[];
  readonly from?: Instant;
  readonly to?: Instant;
  /** Only those before this place; for the pages after the first. */
  readonly beforeSeq?: number;
  /** Only those after this place, and the oldest first. */
  readonly afterSeq?: number;
  readonly limit: number;
}

/** The record of what happened, as auditing reads it. Pages are in order; an empty one is the end. */
export interface TrailStore {
  /** Newest first, unless `afterSeq` is given. */
  searchEvents(filter: TrailFilter): Promise<readonly TrailEvent[]>;
  /** Where the chain ends now. */
  chainHead(): Promise<{ readonly seq: number; readonly hash: string }>;
  /** `withColumns`: with the columns for searching, which cost as much to read as the rest. */
  trailLinks(afterSeq: number, limit: number, withColumns: boolean): Promise<readonly TrailLink[]>;
  trailEvents(afterSeq: number, limit: number): Promise<readonly TrailEvent[]>;
  /** The newest of its kind, without the texts about people. */
  lastEvent(kind: string): Promise<AuditEvent | undefined>;
  /** The place before the first event at or after an instant; the head when there is none. */
  seqBefore(at: Instant): Promise<number>;
  checkpoints(afterSeq: number, limit: number): Promise<readonly Checkpoint[]>;
  lastCheckpoint(): Promise<Checkpoint | undefined>;
  /** `false`: another process has signed that place already. */
  putCheckpoint(checkpoint: Checkpoint): Promise<boolean>;
  /** Every message that was posted, or was to be, about a request. */
  messagesOf(requestId: RequestId): Promise<readonly MessageRow[]>;
  /** How far a sink has been told; 0 at first. */
  cursor(sink: string): Promise<number>;
  /** Guarded by where it was; `false`: another process has moved it. */
  moveCursor(sink: string, from: number, to: number): Promise<boolean>;
}

// ------------------------------------------------------------------------------------------------------ directory

/**
 * What a directory could not do. By code, the caller
 * - `rate_limited`: waits `retryAfterMs`; nothing happened;
 * - `unavailable`: waits and tries again;
 * - `not_found`: looks at `missing`: only a missing *member* means absent, never a missing group or user;
 * - `rejected`: stops adding; for a removal goes on, more slowly, and tells someone;
 * - `unauthorized`: the same, and the credential needs a person. Never "gone".
 *
 * `effect` says whether the call may have taken place all the same: `unknown` after a lost answer, a timeout, a 5xx.
 */
export class DirectoryError extends Error {
  readonly code: DirectoryErrorCode;
  readonly directory: string;
  readonly effect: 'none' | 'unknown';
  // Declared only: absent must stay absent, not become an own property that is `undefined`.
  declare readonly retryAfterMs?: number;
  declare readonly missing?: 'group' | 'user' | 'member';
  /** It was held back here, for the sake of the budget: the directory was not asked. */
  declare readonly heldBack?: true;
  constructor(
    directory: string,
    code: DirectoryErrorCode,
    message: string,
    more: {
      effect?: 'none' | 'unknown';
      retryAfterMs?: number;
      missing?: 'group' | 'user' | 'member';
      heldBack?: true;
      cause?: unknown;
    } = {},
  ) {
    super(message, more.cause === undefined ? undefined : { cause: more.cause });
    this.name = 'DirectoryError';
    this.directory = directory;
    this.code = code;
    this.effect = more.effect ?? 'none';
    if (more.retryAfterMs !== undefined) this.retryAfterMs = more.retryAfterMs;
    if (more.missing !== undefined) this.missing = more.missing;
    if (more.heldBack !== undefined) this.heldBack = more.heldBack;
  }
}

export interface DirectoryGroup {
  readonly id: string;
  readonly name: string;
  /** Why Hallpass must not manage this group (fed by a rule, app-mastered, built in); absent when it may. */
  readonly unmanageable?: string;
}

/**
 * How urgent a call to a directory is. Removals go before everything else, and a part of the budget is theirs alone;
 * proofs wait for what people wait for, and reconciliation for all.
 */
export type CallLane = 'removal' | 'ordinary' | 'proof' | 'reconcile';

/** `calls` may be sent now; where there are none, it is worth asking again in `inMs`. */
export interface Room {
  readonly calls: number;
  readonly inMs: number;
}

/** Where membership lives. Every call has its own deadline (`callDeadlineMs`) and throws `DirectoryError` only. */
export interface Directory {
  readonly name: string;
  /** How long after a write a read may still show the state before it. */
  readonly lagMs: number;
  /** No call outlives this. */
  readonly callDeadlineMs: number;
  /** Removals a minute that it allows, as it last told; absent while it has not. */
  removalsPerMinute?(): number | undefined;
  /** By exact name or by id. Absent: there is no such group. More than one of that name: `rejected`. */
  findGroup(nameOrId: string): Promise<DirectoryGroup | undefined>;
  /** By login, which is the person's email where the directory uses emails as logins. */
  findUser(login: string): Promise<DirectoryUser | undefined>;
  getUser(id: string): Promise<DirectoryUser | undefined>;
  /** Direct membership. */
  isMember(groupId: string, userId: string): Promise<boolean>;
  /** What was seen of a membership less than a minute ago, without asking; absent: nothing was. It proves nothing. */
  lastSeen?(groupId: string, userId: string): boolean | undefined;
  /** When it returns, the directory has accepted the membership. `already_member` only where the vendor says so. */
  add(groupId: string, userId: string): Promise<'added' | 'already_member'>;
  /** When it returns, the directory has accepted the removal; a 404 that names the member counts as `was_not_member`. */
  remove(groupId: string, userId: string): Promise<'removed' | 'was_not_member'>;
  /**
   * Has the directory end a direct membership by itself at that time, for when nothing of ours runs; without a time, no
   * longer. `set`: it has accepted that. `unavailable`: it ends none by itself, and nothing happened. Absent where it is
   * not to.
   */
  expireAt?(groupId: string, userId: string, at: Instant | undefined): Promise<'set' | 'unavailable'>;
  /**
   * Ends every session and token that the directory has given the person. When it returns, it has accepted that; somebody
   * who no longer exists has none. Absent where it is not to.
   */
  signOut?(userId: string): Promise<void>;
  /** Whether it would, asked of a group without changing anything. */
  canExpire?(groupId: string): Promise<boolean>;
  /** Every member, all pages. */
  listMembers(groupId: string): Promise<readonly DirectoryUser[]>;
  /** What the vendor's answers have said so far of how much may be asked, and what an administrator should know of it. */
  rateLimits?(): { readonly perMinute: Readonly<Record<string, number>>; readonly note: string };
  /**
   * Who was added to the group since then, by the directory's own log, oldest first. Each page within a deadline of its
   * own. Absent where the directory keeps no such log.
   */
  additions?(groupId: string, since: Instant): Promise<readonly LoggedAddition[]>;
  /**
   * What people did in the directory itself, by its own log; `source` is what the activities are told under. Absent where
   * it keeps no such log. `of` names the parts of the log to read, where it has several.
   */
  activity?(source: string, of?: readonly string[]): ActivitySource;
  /** The same directory, whose reads queue in that lane; left out, or absent, they are `ordinary`. */
  as?(lane: CallLane): Directory;
  /** For asking before work is taken on. While the directory is failing there is none for additions but a probe. */
  room?(lane: CallLane): Room;
  /** Why additions wait, while they do. */
  failing?(): string | undefined;
  /** It does not take our credential, by its last word on it: nothing can be added there, and nothing removed. */
  refusesUs?(): boolean;
}

export interface LoggedAddition {
  readonly userId: string;
  readonly login: string;
  readonly at: Instant;
  /** Made with the credential that Hallpass uses. */
  readonly byUs: boolean;
}

// --------------------------------------------------------------------------------------------------------- people

export type PeopleErrorCode =
  | 'guest'
  | 'bot'
  | 'deactivated'
  | 'foreign'
  | 'unmapped'
  | 'ambiguous'
  | 'identity_changed'
  | 'signed_out'
  | 'unavailable';

/** Why an account is nobody we may act for. `unavailable`: could not be looked up, so it approves nothing. */
export class PeopleError extends Error {
  readonly code: PeopleErrorCode;
  constructor(code: PeopleErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'PeopleError';
    this.code = code;
  }
}

/** Who is who. Answers are at most 60 s old. Throws `PeopleError`, and `unavailable` rather than guessing. */
export interface People {
  /** The employee behind an account, pinned at first use, or behind a session that holds. */
  identify(caller: Caller): Promise<Person>;
  /** Whether the person is (in) the subject now. */
  holds(subject: Subject, person: Person): Promise<boolean>;
  /** The people a subject stands for now, with a chat account where one is known; for asking them. */
  membersOf(subject: Subject): Promise<readonly Person[]>;
  /** The person of that email in the identity directory, active or not; absent when there is none. */
  named(email: string): Promise<Person | undefined>;
  /** Whoever the file means by that email, pinned at first use. Throws `PeopleError` for nobody, or nobody active. */
  stated(email: string): Promise<Person>;
  /** The person as the identity directory has them now. Throws `PeopleError` where they are not active. */
  byId(id: PersonId): Promise<Person>;
  /** The person's account in a directory, active or not. */
  userIn(directory: string, person: PersonId): Promise<DirectoryUser>;
  /** The group a configured name stands for, pinned; refuses one that is unknown, re-created or unmanageable. */
  group(directory: string, name: string): Promise<PinnedGroup>;
}

/** Whose chat accounts are. */
export interface AccountOwners {
  /** An employee's account, and whose it is where that is known. Throws `PeopleError`: guests and bots are nobody's. */
  ownerOf(account: AccountRef): Promise<{
    readonly name: string;
    readonly person?: PersonId;
    /** Where the platform has confirmed it. */
    readonly email?: string;
  }>;
}

/** Facts about a chat account, as the platform tells them. */
export interface AccountFacts {
  readonly account: AccountRef;
  readonly name: string;
  readonly email?: string;
  readonly emailConfirmed: boolean;
  readonly zone?: string;
  readonly deleted: boolean;
  readonly bot: boolean;
  readonly guest: boolean;
  /** From another workspace or organisation, or known to the workspace only as a stranger or an invitation. */
  readonly foreign: boolean;
}

/** A chat platform's own record of its accounts. Throws `MessengerError`. */
export interface Accounts {
  lookup(account: AccountRef): Promise<AccountFacts | undefined>;
  byEmail(email: string): Promise<AccountFacts | undefined>;
  /** Members of a platform's user group, for on-call sources that live in chat. */
  groupMembers(group: string): Promise<readonly AccountRef[]>;
}

/** Who is on call now. Each entry is an email or a chat account. Throws when it cannot tell. */
export interface OnCall {
  now(at: Instant): Promise<readonly OnCallEntry[]>;
}

/** `written`: by hand in the configuration, so that it stands for whoever it stood for when it was first used. */
export type OnCallEntry = { readonly email: string; readonly written?: true } | { readonly account: AccountRef };

/** An incident that is open for a resource's own service, as its source tells. */
export interface Incident {
  /** The source's own id. */
  readonly id: string;
  readonly title: string;
  readonly url?: string;
  readonly openedAt: Instant;
  /** Emails of whoever opened it, in lower case; empty when a machine did, or nobody is named. */
  readonly openedBy: readonly string[];
}

/** Where incidents are kept. Answers are at most 60 s old. Throws when it cannot tell; that never opens anything. */
export interface Incidents {
  /** Those open now for the service of this very resource; none for a resource that has no service. */
  openFor(resource: string): Promise<readonly Incident[]>;
  /** Whether that incident is still open; one that is gone is closed. */
  isOpen(incidentId: string): Promise<boolean>;
}

// ------------------------------------------------------------------------------------------------------ messenger

/**
 * `effect: 'unknown'` means that the message may have been posted. `missing` says what can be used no more: this one
 * message, or the whole conversation.
 */
export class MessengerError extends Error {
  readonly code: 'rate_limited' | 'unavailable' | 'not_found' | 'rejected' | 'unauthorized';
  readonly effect: 'none' | 'unknown';
  declare readonly retryAfterMs?: number;
  declare readonly missing?: 'message' | 'conversation';
  constructor(
    code: MessengerError['code'],
    message: string,
    more: {
      effect?: 'none' | 'unknown';
      retryAfterMs?: number;
      missing?: 'message' | 'conversation';
      cause?: unknown;
    } = {},
  ) {
    super(message, more.cause === undefined ? undefined : { cause: more.cause });
    this.name = 'MessengerError';
    this.code = code;
    this.effect = more.effect ?? 'none';
    if (more.retryAfterMs !== undefined) this.retryAfterMs = more.retryAfterMs;
    if (more.missing !== undefined) this.missing = more.missing;
  }
}

/** Says things. Never retries by itself: the job does. */
export interface Messenger {
  readonly platform: AccountRef['platform'];
  /** Posts a message; `mark` travels with it so that it can be recognised after a lost answer. */
  post(to: MessageTarget, view: MessageView, mark: string): Promise<{ conversation: string; ts: string }>;
  /**
   * The message of ours that carries the mark, posted no earlier than `since`; absent when it is certainly not there.
   * Throws when it cannot be looked for.
   */
  find(to: MessageTarget, mark: string, since: Instant): Promise<{ conversation: string; ts: string } | undefined>;
  /**
   * Milliseconds after which it makes sense to post there, or to update; 0 when there is room now. For asking before
   * anything is drawn or written down.
   */
  roomIn?(to: MessageTarget | 'update'): number;
  /**
   * Shares a file, below a message or with one person. It cannot be looked for afterwards. Absent where the platform lets
   * no bot do that.
   */
  attach?(to: MessageTarget, file: SharedFile): Promise<void>;
  /** Replaces what a posted message shows. */
  update(at: { conversation: string; ts: string }, view: MessageView): Promise<void>;
}

export interface SharedFile {
  /** `digest-2026-11-23.csv` */
  readonly name: string;
  readonly title: string;
  readonly text: string;
}

/** `thread`: below that message, where the platform has threads; else as a message of its own. */
export type MessageTarget =
  | { readonly conversation: string; readonly thread?: string }
  | { readonly account: AccountRef };

/** Where an audience is to be told. */
export function platformOf(audience: Audience): AccountRef['platform'] {
  return audience.kind === 'channel' ? (audience.platform ?? 'slack') : audience.account.platform;
}

/** The place of an audience. */
export function targetOf(audience: Audience): MessageTarget {
  return audience.kind === 'channel' ? { conversation: audience.conversation } : { account: audience.account };
}

// ------------------------------------------------------------------------------------------------- ids and hashes

export interface Ids {
  /** Four letters of the alphabet without look-alikes; five from the second attempt on. */
  short(attempt: number): string;
  /** 128 bits, opaque. */
  opaque(): string;
  /** Uniform in [0, 1), for jitter. */
  jitter(): number;
  /** SHA-256, hex. */
  hash(text: string): string;
}

// ----------------------------------------------------------------------------------------------------------- doors

/** Where the answer to a delivery goes when it comes after the acknowledgement. */
export interface ReplyTo {
  readonly account: AccountRef;
  /** The platform's own address for late answers, where it gave one; valid for a short while only. */
  readonly url?: string;
}

/** What a door hands in. `key` is unique per delivery. */
export interface HandedIn {
  readonly key: string;
  readonly command: Command;
  /** Absent: whoever sent it waits for the answer, or asks again. */
  readonly reply?: ReplyTo;
}

/** What comes from chat, where an answer can be said later. */
export interface Incoming extends HandedIn {
  readonly reply: ReplyTo;
}

/** Where doors hand commands in. */
export interface Desk {
  /**
   * Resolves when the delivery is durable, so that the door may acknowledge. `fresh: false`: it was here before, and
   * there is nothing to say. `answer` resolves when it is decided and committed, and never rejects.
   */
  take(incoming: HandedIn): Promise<{ readonly fresh: boolean; readonly answer: Promise<Answer> }>;
}

/**
 * What a door may ask to draw a form or a person's own page. Changes nothing, and a look-up that fails is part of the
 * answer; rejects only when the record cannot be read or we were wrong.
 */
export interface Questions {
  /** Resources that fit what was typed, at most `CHOICES_MAX`; none for somebody Hallpass does not act for. */
  choices(by: AccountRef, typed: string): Promise<readonly Choice[]>;
  form(by: AccountRef, wish: FormWish): Promise<FormView>;
  /** What an own request asked for, by its card; absent for anybody else's. */
  again(by: AccountRef, card: string): Promise<FormWish | undefined>;
  /** `ChosenView.stamp` as it would be now; absent when there is no such resource or role. */
  stamp(resource: string, role?: string): string | undefined;
  home(by: Caller): Promise<HomeView>;
}

/** Says a late answer to one person. Throws `MessengerError`. */
export interface Replier {
  readonly platform: AccountRef['platform'];
  say(reply: ReplyTo, answer: Answer): Promise<void>;
}
