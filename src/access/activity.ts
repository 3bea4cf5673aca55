/**
 * What people did with their access: activities as sources tell them, whose they are, and what was counted of them.
 *
 * An activity is kept only where it belongs to a grant: what people do without one is not Hallpass's to collect.
 */
import type { EntitlementId, GrantId, Instant, PersonId, RequestId } from './model.ts';

/** What was done, in one word that means the same whatever system it was done in. */
export const ACTIVITY_KINDS = [
  'login',
  'read',
  'write',
  'delete',
  'export',
  'privilege',
  'policy',
  'credential',
  'factor',
  'logging',
  'other',
] as const;
export type ActivityKind = (typeof ACTIVITY_KINDS)[number];

/** One thing that somebody did, as its source tells it. Texts are the source's, and so are nobody's word on anything. */
export interface Activity {
  /** Of the configuration. */
  readonly source: string;
  /** The source's own id for it: the same one twice is the same activity. */
  readonly uid: string;
  /** When it happened, by the source's clock. */
  readonly at: Instant;
  /** As the system calls it: `SELECT`, `user.mfa.factor.reset_all`. */
  readonly action: string;
  readonly kind: ActivityKind;
  /** The account it was done with, as the source names it. */
  readonly account: string;
  readonly outcome: 'success' | 'failure';
  /** The database, cluster or application; empty where the source does not say, as all that follows. */
  readonly resource: string;
  /** What it was done to: a table, a person, a policy. */
  readonly target: string;
  readonly ip: string;
  /** ISO 3166, two letters. */
  readonly country: string;
  readonly device: string;
  /** Rows or objects that it was about; 0 where the source does not count. */
  readonly amount: number;
}

/**
 * How an activity stands to its grant: `within` is what the entitlement calls its own; `outside`, done while the grant
 * ran and in a source of its own, but with something else; `after`, done when the access should have been gone.
 */
export type ActivityFit = 'within' | 'outside' | 'after';

/** An activity that belongs to a grant. */
export interface GrantActivity extends Activity {
  readonly grantId: GrantId;
  readonly fit: ActivityFit;
  readonly receivedAt: Instant;
}

/** What was seen of one grant, counted: kept for as long as the record is, when the activities themselves are forgotten. */
export interface Use {
  readonly grantId: GrantId;
  readonly version: number;
  readonly requestId: RequestId;
  readonly person: PersonId;
  readonly entitlement: EntitlementId;
  /** All of them, whatever their fit. */
  readonly activities: number;
  /** Their amounts, added up. */
  readonly amount: number;
  readonly kinds: Readonly<Partial<Record<ActivityKind, number>>>;
  readonly outside: number;
  readonly after: number;
  /** Each once, at most `USE_TEXTS_MAX`, in the order they were first seen. */
  readonly countries: readonly string[];
  readonly devices: readonly string[];
  /** By when they happened. */
  readonly firstAt: Instant;
  readonly lastAt: Instant;
}

export const USE_TEXTS_MAX = 40;

export const FINDING_LEVELS = ['low', 'medium', 'high', 'critical'] as const;
export type FindingLevel = (typeof FINDING_LEVELS)[number];

/**
 * What a detection rule flags in one grant. `open`: nobody has answered for it; `asked`: its holder was; `explained`:
 * they said something; `dismissed` and `revoked`: over, by somebody's word. While it is not over, more of the same is counted in it.
 */
export type FindingState = 'open' | 'asked' | 'explained' | 'dismissed' | 'revoked';

export interface Finding {
  /** `F-7KQ2M`: what its buttons carry, and what people type. */
  readonly id: string;
  readonly version: number;
  readonly state: FindingState;
  readonly rule: string;
  readonly title: string;
  readonly level: FindingLevel;
  readonly grantId: GrantId;
  readonly requestId: RequestId;
  readonly holder: PersonId;
  readonly holderName: string;
  readonly entitlement: EntitlementId;
  /** Activities that the rule flagged; 0 where it is about the whole grant. */
  readonly count: number;
  /** The first few of them, as they were told. */
  readonly examples: readonly Activity[];
  readonly firstAt: Instant;
  readonly lastAt: Instant;
  readonly createdAt: Instant;
  readonly askedBy?: string;
  readonly askedAt?: Instant;
  /** The holder's own words. */
  readonly explanation?: string;
  readonly explainedAt?: Instant;
  readonly closedBy?: string;
  readonly closedAt?: Instant;
  /** Why it was dismissed. */
  readonly note?: string;
}

export const EXAMPLES_MAX = 3;

export function isOver({ state }: Finding): boolean {
  return state === 'dismissed' || state === 'revoked';
}

/** How far a source was read, or what it last delivered. */
export interface SourceCursor {
  readonly source: string;
  readonly version: number;
  /** The source's own place; opaque here. */
  readonly cursor: string;
  /** It was looked at up to here: what happened before is known, late events apart. */
  readonly readAt: Instant;
}

/** A grant as far as activities can belong to it. */
export interface GrantWindow {
  readonly grantId: GrantId;
  readonly requestId: RequestId;
  readonly holder: PersonId;
  readonly holderName: string;
  readonly entitlement: EntitlementId;
  readonly resource: string;
  readonly role: string;
  readonly reason: string;
  readonly durationMs: number;
  readonly breakGlass: boolean;
  readonly sessionTailMs: number;
  readonly startsAt: Instant;
  /** When its memberships were proven gone; absent while they are not. */
  readonly endedAt?: Instant;
  /** `<directory>/<user id>` and logins, in lower case: the holder's accounts in the directories of the grant. */
  readonly accounts: readonly string[];
}

/** The record as the activity room asks it. Every answer is bounded. */
export interface ActivityStore {
  /** Absent: nothing was seen. Whether anything was looked at is for the sources to say. */
  activityOf(grantId: GrantId): Promise<Use | undefined>;
  /** Oldest first. */
  findingsOf(grantId: GrantId): Promise<readonly Finding[]>;
  /** Newest first. */
  activitiesOf(grantId: GrantId, limit: number): Promise<readonly GrantActivity[]>;
  finding(id: string): Promise<Finding | undefined>;
  /** Those that are not over, oldest first. */
  openFindings(limit: number): Promise<readonly Finding[]>;
  /** Those made in a period, oldest first. */
  findingsSince(from: Instant, limit: number): Promise<readonly Finding[]>;
  /** Those of these ids that there are. */
  uses(grantIds: readonly GrantId[]): Promise<readonly Use[]>;
  /** The newest of a person's earlier grants in which anything was seen. */
  usesOf(person: PersonId, limit: number): Promise<readonly Use[]>;
  /** Of these ids of one source, those that are known. */
  knownActivities(source: string, uids: readonly string[]): Promise<ReadonlySet<string>>;
  /** Grants that have begun and are not ended, by id, from after this one on. */
  openWindows(afterId: GrantId, limit: number): Promise<readonly GrantWindow[]>;
  /** Grants that have begun at this time or later, in order of that. */
  windowsBegun(since: Instant, limit: number): Promise<readonly GrantWindow[]>;
  /** Grants that had begun and were proven over in this time, `to` included, in order of that. */
  windowsEnded(after: Instant, to: Instant, limit: number): Promise<readonly GrantWindow[]>;
  sourceCursor(source: string): Promise<SourceCursor | undefined>;
  /** Forgets activities received before this, at most so many; how many. What was counted of them stays. */
  forgetActivities(before: Instant, limit: number): Promise<number>;
}

/** An activity as it was told, and whose id in which directory it is; left out: the account says it, as the source calls people. */
export interface Told {
  readonly activity: Activity;
  readonly who?: { readonly directory: string; readonly id: string };
}

export interface ActivityPage {
  readonly told: readonly Told[];
  /** Where to go on. */
  readonly cursor: string;
  /** What happened up to here has been read, late events apart. */
  readonly readTo: Instant;
  /** There is more to be read at once. */
  readonly more: boolean;
}

/** A source that has to be asked. */
export interface ActivitySource {
  /** How often it is worth asking. */
  readonly everyMs: number;
  /**
   * A page from the cursor on, or from `since` where there is none; in any order, and the same may come again. What makes
   * no sense in it is left out. Within a deadline of its own; throws `DirectoryError`.
   */
  read(cursor: string | undefined, since: Instant): Promise<ActivityPage>;
}
