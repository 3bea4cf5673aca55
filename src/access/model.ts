/**
 * What is true: the words of Hallpass and the shape of its records.
 *
 * Terminology. The code says these words and no others.
 *
 * - resource: a system people ask for (`db-prod`), or a part of one (`db-prod/orders`)
 * - role: a level of access on a resource (`read`); a resource has a default role
 * - entitlement: one resource and role; names the directory groups that confer it and the policy that guards it
 * - policy: who may request, who approves, how many, how long
 * - access request: one person asking for one entitlement, for a time and a reason
 * - approval / denial: one approver's recorded answer
 * - approver: someone the policy lets answer, asked afresh at the click
 * - grant: the right that results; always ends
 * - expiry / revocation / return: a grant ending on time / ended by someone else / given back by its holder
 * - directory, directory group, membership: the outside fact
 * - baseline: a membership that was there before us
 * - job: work committed to: operation (on a directory), notification (to people) or timer; a worker leases it
 * - audit event: what happened, once, for ever, chained to the event before it
 * - command, facts, decision, refusal: what is asked, what is known, what follows, why not
 */

import type { Finding, GrantActivity, SourceCursor, Use } from './activity.ts';
import type { OwnActivity } from './attribution.ts';
import type { ProvenCommand } from './command.ts';
import type { Condition } from './condition.ts';
import type { DigestView } from './digest-view.ts';

/** Milliseconds since the Unix epoch, from the `Clock` port; never read from the air. */
export type Instant = number;

export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

/** `R-7KQ2`: short, read aloud, no look-alike letters. */
export type RequestId = string;
/** `G-7KQ2`: shares its request's letters, since a request has at most one grant. */
export type GrantId = string;
/** `<identity directory>/<immutable user id>`: the same human behind every linked account. */
export type PersonId = string;
/** `db-prod:read` */
export type EntitlementId = string;

/** One account on a chat platform, by immutable ids only; names never identify. */
export interface AccountRef {
  readonly platform: 'slack' | 'teams';
  readonly tenant: string;
  readonly id: string;
}

/**
 * Who asks: a chat account, or whoever holds a credential that we gave out. Either is identified afresh with each
 * command; the door has only made sure that the account or the session is the one it says.
 */
export type Caller = AccountRef | { readonly session: string };

/** `token` and `workload` are machines: they may ask and give back, and never answer. */
export type SessionKind = 'web' | 'cli' | 'token' | 'workload';

/**
 * A credential that we gave out, for one person and a time. Only a hash of its secret is kept: the secret has 256 random
 * bits, so that a plain SHA-256 cannot be guessed back.
 */
export interface Session {
  /** Shown in lists and in the trail; stands for nothing by itself. */
  readonly id: string;
  readonly version: number;
  readonly kind: SessionKind;
  readonly secretHash: string;
  readonly person: PersonId;
  readonly personName: string;
  /** What it is for, in the words of whoever made it. */
  readonly label?: string;
  /** What a machine may do with it; people may do whatever they may. */
  readonly scopes: readonly string[];
  /** What the issuer said of the sign-in: when, how strong, and by what means. */
  readonly signedInAt?: Instant;
  readonly acr?: string;
  readonly amr?: readonly string[];
  /** Of a `workload`: which, and by which run of its pipeline. */
  readonly workload?: Workload;
  readonly createdAt: Instant;
  readonly createdBy: string;
  readonly expiresAt: Instant;
  readonly endedAt?: Instant;
  readonly endedBy?: string;
  /** To the minute. */
  readonly lastUsedAt?: Instant;
}

/** A command line that asks to be somebody, until a person who is signed in says whether it may. */
export interface Device {
  /** SHA-256 of the code that only the device has. */
  readonly id: string;
  readonly version: number;
  readonly state: 'waiting' | 'confirmed' | 'denied' | 'done';
  /** What the person reads off the device: `WDJK-3M7P`. */
  readonly userCode: string;
  /** What it calls itself, and from where it asked: both are only its word. */
  readonly label: string;
  readonly from: string;
  readonly createdAt: Instant;
  readonly expiresAt: Instant;
  /** Who confirmed it, and how they had signed in. */
  readonly person?: PersonId;
  readonly personName?: string;
  readonly signedInAt?: Instant;
  readonly acr?: string;
  readonly amr?: readonly string[];
}

/** A job of a pipeline that acts as its service person, as its issuer's token said. */
export interface Workload {
  /** Of the configuration: `deploy`. */
  readonly name: string;
  /** The run as its issuer numbers it, immutable and whole: what one run asked for, no other touches. */
  readonly run: string;
  /** The same for people: `run 1234`, and where it can be looked at. */
  readonly runName: string;
  readonly runUrl?: string;
  /** The person who set it off: counts as the requester besides the service person. */
  readonly onBehalfOf?: { readonly person: PersonId; readonly name: string; readonly email: string };
}

/** By which credential of ours somebody acts. */
export interface Via {
  readonly kind: SessionKind;
  readonly session: string;
}

export interface DirectoryUser {
  readonly directory: string;
  /** The directory's immutable id; logins and emails can be renamed and re-used. */
  readonly id: string;
  readonly login: string;
  readonly email: string;
  readonly name: string;
  readonly active: boolean;
}

export interface Person {
  readonly id: PersonId;
  readonly name: string;
  readonly email: string;
  /** IANA zone the platform reports for the person; absent when unknown. */
  readonly zone?: string;
  /** The chat account this person was seen with, or the one to write to; absent when none is known. */
  readonly account?: AccountRef;
  /** All the accounts to write to, at most one for each platform; looked up only of people who are to be asked. */
  readonly accounts?: readonly AccountRef[];
  /** Absent: they act in chat. */
  readonly via?: Via;
  /** They are the service person of this pipeline, and act by one run of it. */
  readonly workload?: Workload;
  readonly active: boolean;
}

/** `everyone` means employees of the workspace: guests and bots never become a `Person`. */
export type Subject =
  | { readonly kind: 'everyone' }
  | { readonly kind: 'user'; readonly email: string }
  | { readonly kind: 'group'; readonly directory: string; readonly group: string }
  | { readonly kind: 'on-call'; readonly source: string }
  /** A pipeline by its name in the configuration; no person is ever in it. */
  | { readonly kind: 'workload'; readonly workload: string };

/** One round of answers: the next one begins when it is complete. */
export interface Stage {
  readonly approvers: readonly Subject[];
  /** How many different people must approve in it; at least 1. */
  readonly approvals: number;
  /** Who is asked besides, and may answer from then on, while the stage waits; shortest wait first. */
  readonly escalate: readonly Step[];
}

/** One step of an escalation ladder. */
export interface Step {
  /** Counted from when the stage began to wait. */
  readonly afterMs: number;
  readonly to: readonly Subject[];
}

export interface Policy {
  readonly name: string;
  /** SHA-256 over the policy's content; recorded with every decision made under it. */
  readonly hash: string;
  readonly requesters: readonly Subject[];
  /** Of all stages together; `stagesOf` says who answers when. */
  readonly approvers: readonly Subject[];
  /** How many different people must approve, all stages together; at least 1. */
  readonly approvals: number;
  /** In order; absent: one stage, of `approvers` and `approvals`. */
  readonly stages?: readonly Stage[];
  /** The ladder of the one stage, where there are no `stages`. */
  readonly escalate?: readonly Step[];
  /** Whoever can answer is reminded this often; absent: never. */
  readonly remindEveryMs?: number;
  /** What is asked for while an incident of the resource is open ends with it. */
  readonly endWithIncident?: boolean;
  readonly duration: {
    readonly defaultMs: number;
    readonly maxMs: number;
    /** Most that a person may hold one entitlement on one day of the file's zone; never less than `maxMs`. */
    readonly perDayMs?: number;
  };
  readonly reason: {
    readonly minLength: number;
    /** A regular expression for the ticket that a reason must name; judged when the file is read. */
    readonly pattern?: string;
    /** Where such a ticket is read: an https address with `{ticket}` in it. */
    readonly link?: string;
  };
  /** Most live grants that one person may have under this policy. */
  readonly maxLive?: number;
  /** Access without approval; absent: there is none. */
  readonly breakGlass?: BreakGlass;
  /** Who has to prove at the issuer who they are before it counts; absent: nobody. */
  readonly proof?: ProofWanted;
  /** The post-access review that each grant owes when it has ended; absent: none. */
  readonly review?: ReviewRule;
  /** Must hold when access is asked for and again when it is given; absent: nothing more is asked. */
  readonly when?: Condition;
  /** Where it holds, nobody needs to approve. */
  readonly autoApprove?: Condition;
  readonly lapseAfterMs: number;
  readonly warnBeforeMs: number;
}

/** `request`: whoever asks, for more time and for break-glass too. `approve`: whoever approves. */
export interface ProofWanted {
  readonly request?: 'mfa';
  readonly approve?: 'mfa';
}

/** Who signs off what was done, and how soon. */
export interface ReviewRule {
  readonly by: readonly Subject[];
  readonly withinMs: number;
}

export interface BreakGlass {
  readonly by: readonly Subject[];
  readonly maxMs: number;
  readonly review: ReviewRule;
  /** Whoever has a use that nobody has reviewed may not use it again. */
  readonly block?: true;
  /** Also where the resource, or everything, is frozen; never by a person who is. */
  readonly underFreeze?: true;
}

/** A group as the configuration names it: by name or by id. */
export interface GroupName {
  readonly directory: string;
  readonly group: string;
  /** It holds nobody without a grant: whoever else is in it is drift. */
  readonly exclusive?: true;
}

/** A group pinned to the directory's immutable id. */
export interface PinnedGroup {
  readonly directory: string;
  readonly groupId: string;
  readonly groupName: string;
}

export interface Entitlement {
  readonly id: EntitlementId;
  readonly resource: string;
  readonly role: string;
  readonly title: string;
  readonly groups: readonly GroupName[];
  readonly policy: Policy;
  /** How long sessions already open may outlive the membership; 0 when the operator states none. */
  readonly sessionTailMs: number;
  /** Conversation id of the resource's own approvals channel in Slack; absent: the workspace's. */
  readonly channel?: string;
  /** The same in Teams. */
  readonly teamsChannel?: string;
  /** The resource's own; conditions can ask for them. */
  readonly tags?: readonly string[];
  readonly owner?: string;
  readonly ownerSubject?: Subject;
  /** Where people can read about it; https. */
  readonly link?: string;
  /** Which activity is done with this access; absent: nothing is looked at. */
  readonly activity?: readonly OwnActivity[];
}

/** An incident that access is tied to. Its title is somebody's text. */
export interface TiedIncident {
  readonly id: string;
  readonly title: string;
  readonly url?: string;
  /** When it was seen to be closed, and the end that followed from it. */
  readonly closedAt?: Instant;
  readonly endsAt?: Instant;
}

export type RequestState = 'pending' | 'approved' | 'denied' | 'cancelled' | 'lapsed' | 'withdrawn';

/** The requester's identity in one directory, pinned when the request is made. */
export interface PinnedUser {
  readonly directory: string;
  readonly userId: string;
  readonly login: string;
}

export interface AccessRequest {
  readonly id: RequestId;
  readonly version: number;
  readonly state: RequestState;
  readonly requester: PersonId;
  readonly requesterName: string;
  readonly requesterAccount?: AccountRef;
  readonly requesterZone?: string;
  /** The pipeline that asked; who set it off is never an approver of it either. */
  readonly workload?: Workload;
  readonly users: readonly PinnedUser[];
  readonly entitlement: EntitlementId;
  readonly resource: string;
  readonly role: string;
  readonly title: string;
  readonly groups: readonly PinnedGroup[];
  readonly durationMs: number;
  readonly reason: string;
  readonly policyName: string;
  readonly policyHash: string;
  readonly approvalsNeeded: number;
  /** The ticket that the reason names, and where it can be read. */
  readonly ticket?: string;
  readonly ticketUrl?: string;
  /** The condition that approved it, where no person had to. */
  readonly automatic?: string;
  /** Who is asked, stage by stage, and how far that has come; absent for what was asked before there were stages. */
  readonly asking?: Asking;
  /** Approvers who have pressed the button and have yet to prove who they are; each counts until its `until`. */
  readonly confirming?: readonly Confirming[];
  /** The access ends with this incident. */
  readonly incident?: TiedIncident;
  /** Set when this asks for more time on a live grant instead of a new one. */
  readonly extendsGrant?: GrantId;
  /** Taken without approval: `under_freeze` where the policy lets that happen in spite of a freeze. */
  readonly breakGlass?: 'usual' | 'under_freeze';
  /** Over what approvers are shown; an approval given for another digest does not count. */
  readonly digest: string;
  /** The opaque id that the buttons of the current digest carry. */
  readonly cardId: string;
  readonly createdAt: Instant;
  readonly lapsesAt: Instant;
  readonly decidedAt?: Instant;
  /** Who closed it and why, in words for people; set for denied, cancelled and withdrawn. */
  readonly closedBy?: string;
  readonly closedNote?: string;
  /** Where its message is shown; every one of them follows the request. */
  readonly audiences: readonly Audience[];
}

/** Who is asked for a request, as the policy said when it was shown, and how far that has come. */
export interface Asking {
  /** In order; at least one. */
  readonly stages: readonly Stage[];
  /** The stage that waits, from 0. */
  readonly stage: number;
  /** When it began to wait: its ladder and the reminders count from here. */
  readonly sinceAt: Instant;
  /** Steps of its ladder that are reached: whom they name may answer. */
  readonly steps: number;
  /** Who was found to be asked when it was last looked at. */
  readonly now: readonly { readonly person: PersonId; readonly name: string }[];
  /** Subjects that could not be looked up then, by their names in the file. */
  readonly failed: readonly string[];
  readonly reminders: number;
  /** When reminded last; the next reminder counts from here. */
  readonly remindedAt?: Instant;
}

/** One place that shows a request. `holder` (added), `warning` (ends soon) and `outcome`
 * (over) are the requester's later messages: an update of the first one would not ring. */
export type Audience =
  | {
      readonly kind: 'channel';
      readonly conversation: string;
      /** Left out: Slack. */
      readonly platform?: AccountRef['platform'];
    }
  | { readonly kind: 'approver'; readonly person: PersonId; readonly account: AccountRef }
  | { readonly kind: 'requester' | 'holder' | 'outcome'; readonly account: AccountRef }
  /** One for each end that is warned of: an extension moves the end, and the next warning rings again. */
  | { readonly kind: 'warning'; readonly account: AccountRef; readonly endsAt: Instant };

export interface Confirming {
  readonly person: PersonId;
  readonly name: string;
  readonly until: Instant;
}

export type ProofPurpose = 'request' | 'extend' | 'break_glass' | 'approve' | 'link';

/** `superseded`: it was asked for anew. */
export type ProofFailure = 'expired' | 'wrong_person' | 'too_weak' | 'superseded';

/**
 * That somebody is to prove who they are before what they asked for is done: bound to the person, to the command, and
 * to what it was about. It is used once.
 */
export interface Proof {
  /** Opaque: what the link carries. It stands for nothing without a sign-in of the same person. */
  readonly id: string;
  readonly version: number;
  readonly state: 'open' | 'signed_in' | 'used' | 'failed';
  readonly purpose: ProofPurpose;
  readonly person: PersonId;
  readonly personName: string;
  readonly by: Caller;
  /** Decided again after the click; gone when it is used or has failed. */
  readonly command?: ProvenCommand;
  readonly entitlement: EntitlementId;
  /** For an approval. */
  readonly requestId?: RequestId;
  /** Over what would be done; another one is not what was confirmed. */
  readonly digest: string;
  readonly createdAt: Instant;
  readonly expiresAt: Instant;
  /** Hash of what only the browser that signed in holds. */
  readonly seal?: string;
  readonly signedInAt?: Instant;
  /** The sign-in is too old after this. */
  readonly freshUntil?: Instant;
  /** What the issuer said: when, how strong, and by what means. */
  readonly authAt?: Instant;
  readonly acr?: string;
  readonly amr?: readonly string[];
  readonly failed?: ProofFailure;
}

/** What a button's opaque id stands for. */
export interface Card {
  readonly id: string;
  readonly requestId: RequestId;
  readonly digest: string;
  readonly createdAt: Instant;
}

export interface Approval {
  readonly requestId: RequestId;
  readonly approver: PersonId;
  readonly approverName: string;
  readonly answer: 'approved' | 'denied';
  readonly reason?: string;
  /** The stage it counts in, from 0; absent: the first. */
  readonly stage?: number;
  /** Approved for less than was asked; absent: for all of it. */
  readonly durationMs?: number;
  /** The proof it was given with, where the policy wants one. */
  readonly proof?: string;
  readonly digest: string;
  readonly at: Instant;
}

export type GrantState = 'adding' | 'active' | 'ending' | 'ended';
export type EndReason = 'expired' | 'revoked' | 'returned' | 'abandoned' | 'removed_outside';

/** Names one membership: a person in a group of a directory, by immutable ids. */
export interface MembershipKey {
  readonly directory: string;
  readonly groupId: string;
  readonly userId: string;
}

export interface Grant {
  readonly id: GrantId;
  readonly version: number;
  readonly requestId: RequestId;
  readonly state: GrantState;
  readonly holder: PersonId;
  readonly holderName: string;
  readonly entitlement: EntitlementId;
  readonly memberships: readonly MembershipKey[];
  readonly durationMs: number;
  /** The policy's maximum when it was granted; `expiresAt − startsAt` never passes it. */
  readonly maxMs: number;
  readonly warnBeforeMs: number;
  readonly sessionTailMs: number;
  readonly approvedAt: Instant;
  /** Not added by then: abandoned, so that an outage never starts access hours later. */
  readonly addBy: Instant;
  /** The end that holds whatever happens: `addBy + durationMs`, until `expiresAt` is fixed. */
  readonly hardEndAt: Instant;
  /** When the first addition was sent that was accepted or may have happened. */
  readonly startsAt?: Instant;
  readonly expiresAt?: Instant;
  /**
   * More time that is approved and not yet in force: a directory ends the membership by itself, and has to move its own
   * end first. Still there when the grant is over: it never came to that.
   */
  readonly extending?: { readonly requestId: RequestId; readonly toAt: Instant };
  readonly incident?: TiedIncident;
  /** Owed once it has ended, as the policy said when it was given. */
  readonly review?: ReviewRule;
  readonly endReason?: EndReason;
  readonly endingAt?: Instant;
  readonly endedAt?: Instant;
  /** When a directory accepted the last of its removals; absent where another grant or a baseline held them all. */
  readonly removedAt?: Instant;
  /** Who ended it, in words for people; absent for an expiry. */
  readonly endedBy?: string;
  readonly endNote?: string;
  /** Revoked, and the holder's sessions in these directories ended with it. */
  readonly signedOut?: readonly { readonly directory: string; readonly at: Instant }[];
}

/**
 * The ledger: what we know of one membership.
 *
 * `origin` is its provenance. `none`: not there, as far as we know, or never looked at. `baseline`: a read showed it
 * before anything of ours. `ours`: an addition of ours was accepted or may have happened, and it is not proven gone.
 * Only `ours` is ever removed; only proof of absence leads back from `ours` to `none`.
 */
export interface Membership {
  readonly key: MembershipKey;
  readonly version: number;
  readonly groupName: string;
  readonly login: string;
  readonly origin: 'none' | 'baseline' | 'ours';
  /** The mark committed before the last addition was sent. */
  readonly addStartedAt?: Instant;
  /** When that call can no longer take effect. */
  readonly addDeadlineAt?: Instant;
  /** Absent after a mark: the process ended before it could say; read as `unknown`. */
  readonly addOutcome?: 'accepted' | 'unknown' | 'refused';
  /** Additions sent since the membership was last known absent. */
  readonly addAttempts: number;
  /** Latest instant at which an addition with a lost answer could still take effect. */
  readonly addUnknownUntil?: Instant;
  /** The mark committed before the last removal was sent; cleared by the next addition's mark. */
  readonly removeStartedAt?: Instant;
  readonly removeDeadlineAt?: Instant;
  readonly removeOutcome?: 'accepted' | 'unknown';
  /** When a removal was last accepted; kept, because reads may lag behind it. */
  readonly removeAcceptedAt?: Instant;
  /** Latest instant at which a removal with a lost answer could still undo a later addition. */
  readonly removeUnknownUntil?: Instant;
  /** The last read since the last write; cleared by every write, so that it needs no clock to be compared. */
  readonly seen?: 'present' | 'absent';
  readonly seenAt?: Instant;
  /** First of the absent reads while a grant wants the membership. */
  readonly missingSinceAt?: Instant;
  readonly provenAbsentAt?: Instant;
  /** When the directory ends it by itself, as it last accepted: for when nothing of ours runs. */
  readonly nativeExpiryAt?: Instant;
  /** Sent, and not known to be accepted: it may hold instead. */
  readonly nativeExpirySent?: Instant;
  /** `unavailable`: the directory said that it ends no membership by itself. `unknown`: an answer was lost. */
  readonly nativeExpiryOutcome?: 'unavailable' | 'unknown';
  /** Failures in a row of what is owed now; reset when it succeeds. */
  readonly failures: number;
  readonly lastError?: string;
  readonly lastErrorCode?: DirectoryErrorCode;
  /** What a person ruled where the directory could not settle it; gone with the next addition or a read against it. */
  readonly ruling?: Ruling;
  readonly ruledAt?: Instant;
}

/**
 * `group_gone`, `user_gone`: the directory no longer has it, so that no read can prove the membership absent.
 * `directory_gone`: the directory itself is given up, and is in the configuration no more.
 * `adopted`: it was made permanent. `unknown_member`, `from_log`: nothing explains it, and it was decided to remove it,
 * because the group holds nobody without a grant, or because the directory's own log says that we added it.
 */
export type Ruling = 'group_gone' | 'user_gone' | 'directory_gone' | 'adopted' | 'unknown_member' | 'from_log';

/**
 * `unknown_member`: in a group that holds nobody without a grant. `missing_member`: a live grant's, and not there.
 * `baseline_gone`: a permanent one, and not there any more. `group_gone`: the group itself.
 */
export type DriftClass = 'unknown_member' | 'missing_member' | 'baseline_gone' | 'group_gone';

/** A difference between the record and a directory that was found and is still open. */
export interface Drift {
  /** Class and membership in one, so that the same is found once. */
  readonly id: string;
  readonly class: DriftClass;
  /** `userId` is empty where it is about the group. */
  readonly key: MembershipKey;
  readonly groupName: string;
  /** Empty where it is about the group. */
  readonly login: string;
  readonly sinceAt: Instant;
}

export type DirectoryErrorCode = 'rate_limited' | 'unavailable' | 'not_found' | 'rejected' | 'unauthorized';

/** Who did it. `operator` is a shell on the host, which may end access but never give it. */
export type Actor =
  | {
      readonly kind: 'person';
      readonly id: PersonId;
      readonly name: string;
      readonly account?: AccountRef;
      readonly via?: Via;
    }
  | { readonly kind: 'account'; readonly account: AccountRef }
  | { readonly kind: 'operator'; readonly name: string }
  | { readonly kind: 'hallpass'; readonly part: string };

/**
 * What happened, once, for ever. `detail` holds ids, states and instants; `personal` holds texts from or about people,
 * which the chain hashes only as salted digests so that a text can be erased later.
 */
export interface AuditEvent {
  readonly at: Instant;
  /** Past tense: `grant.expired`. */
  readonly kind: string;
  readonly actor: Actor;
  readonly requestId?: RequestId;
  readonly grantId?: GrantId;
  readonly membership?: MembershipKey;
  readonly detail: { readonly [key: string]: Json };
  readonly personal?: { readonly [key: string]: string };
  /** The delivery or job this came from. */
  readonly correlation?: string;
}

/** What a freeze or a revocation covers. A resource covers its parts: `db-prod` also `db-prod/orders`. */
export type Scope =
  | { readonly kind: 'all' }
  | { readonly kind: 'resource'; readonly resource: string }
  | { readonly kind: 'person'; readonly person: PersonId };

/** Nothing new is granted in its scope until it is lifted. One row for each scope: a later freeze of it takes the row over. */
export interface Freeze {
  /** The scope as text, see `scopeId`. */
  readonly id: string;
  readonly version: number;
  readonly scope: Scope;
  /** In words for people: `everything`, `db-prod`, a person's name. */
  readonly name: string;
  readonly reason: string;
  readonly by: string;
  readonly at: Instant;
  readonly liftedAt?: Instant;
  readonly liftedBy?: string;
  /** Whom it does not cover. */
  readonly except?: readonly PersonId[];
  /** The revocation that lifts it by itself as soon as it has looked through the scope. */
  readonly sweeping?: string;
}

/** Many grants ended at once: previewed, confirmed by whoever previewed it, and over when the last one is proven. */
export interface Revocation {
  /** Opaque: what the button carries. */
  readonly id: string;
  readonly version: number;
  readonly state: 'previewed' | 'running' | 'done';
  readonly scope: Scope;
  /** In words for people. */
  readonly name: string;
  readonly except: readonly { readonly person: PersonId; readonly name: string }[];
  /** Only what was approved at this time or later. */
  readonly since?: Instant;
  readonly reason: string;
  readonly by: string;
  /** Absent: a shell on the host. */
  readonly byPerson?: PersonId;
  readonly byAccount?: AccountRef;
  readonly byZone?: string;
  /** What was previewed: these are ended, and no others. */
  readonly grants: readonly GrantId[];
  /** There was more in its scope than one revocation takes. */
  readonly more: boolean;
  readonly createdAt: Instant;
  readonly confirmedAt?: Instant;
  /** When the last of its grants was proven over. */
  readonly doneAt?: Instant;
}

/** The freezes that hold, and how often there was a change of them: what may open access rests on both. */
export interface Freezes {
  readonly version: number;
  readonly live: readonly Freeze[];
}

/** A timer is a doorbell, not an order: it names what to look at again, and may ring early, late or twice. */
export type Ring =
  /** `incident`: whether the incident that a grant is tied to is still open. `review`: whether one is owed or overdue. */
  | { readonly ring: 'end' | 'add_by' | 'warn' | 'incident' | 'review'; readonly grantId: GrantId }
  | { readonly ring: 'lapse'; readonly requestId: RequestId }
  /** Who is to be asked now: the next stage, a step of the ladder, whoever came on call, a reminder. */
  | { readonly ring: 'ask'; readonly requestId: RequestId }
  | { readonly ring: 'freeze'; readonly freezeId: string }
  | { readonly ring: 'proof'; readonly proofId: string }
  | { readonly ring: 'revocation'; readonly revocationId: string };

/** A person's word on what was done under a grant: owed when it has ended, of break-glass from when it was taken. */
export interface Review {
  /** Opaque: what its buttons carry. */
  readonly id: string;
  readonly version: number;
  readonly state: 'open' | 'signed_off' | 'questioned';
  /** What made it necessary. */
  readonly why: 'break_glass' | 'policy';
  readonly grantId: GrantId;
  readonly requestId: RequestId;
  readonly holder: PersonId;
  readonly holderName: string;
  readonly entitlement: EntitlementId;
  readonly durationMs: number;
  readonly reason: string;
  /** Who may make it, by the policy it began under; the present one goes before it. */
  readonly reviewers: readonly Subject[];
  readonly tell: readonly AccountRef[];
  readonly createdAt: Instant;
  readonly dueAt: Instant;
  /** How often, and when last, it was said that it is overdue. */
  readonly reminders?: number;
  readonly remindedAt?: Instant;
  readonly decidedAt?: Instant;
  readonly decidedBy?: string;
  readonly note?: string;
}

/** A conversation on a chat platform. */
export interface Place {
  readonly platform: AccountRef['platform'];
  readonly conversation: string;
}

/** What people are told. A `request` notification is a projection: it shows whatever holds when it is sent. */
export type Notification =
  | { readonly tell: 'request'; readonly requestId: RequestId; readonly audience: Audience }
  /** Under the request's own message, to those who can answer it; said once, and only while it still waits. */
  | {
      readonly tell: 'reminder';
      readonly requestId: RequestId;
      readonly audience: Audience;
      readonly number: number;
      /** Named in it, so that it rings for them. */
      readonly mention: readonly AccountRef[];
    }
  /** In the security channels, or in one other place. */
  | { readonly tell: 'security'; readonly notice: Notice; readonly place?: Place }
  | { readonly tell: 'alert'; readonly notice: Notice }
  /** In the security channels, in person, or below the request's own message; `reminder`: that it is overdue. */
  | {
      readonly tell: 'review';
      readonly reviewId: string;
      readonly account?: AccountRef;
      readonly below?: Audience;
      readonly reminder?: number;
    }
  /** Where findings are told, or to the holder who is asked about it. */
  | { readonly tell: 'finding'; readonly findingId: string; readonly account?: AccountRef }
  /** How far a revocation is, in the security channels or to whoever confirmed it. */
  | { readonly tell: 'revocation'; readonly revocationId: string; readonly account?: AccountRef }
  /** A day's digest in its channels, as it was drawn, with who signed it. */
  | { readonly tell: 'digest'; readonly day: string }
  /** Every line of a digest as a file: below the digest of a day, or for one person who asked. */
  | {
      readonly tell: 'details';
      readonly fromAt: Instant;
      readonly toAt: Instant;
      readonly to: { readonly day: string } | { readonly account: AccountRef };
    };

/** Something that went wrong, or right again, for security and for the alert webhook. */
export interface Notice {
  readonly code:
    | 'removal_failing'
    | 'removal_recovered'
    | 'removal_resolved'
    | 'drift_found'
    | 'adopted'
    | 'addition_failing'
    | 'addition_abandoned'
    | 'removed_outside'
    | 'native_expiry_unavailable'
    | 'native_expiry_failing'
    | 'sign_out_failing'
    | 'message_undeliverable'
    | 'delivery_failed'
    | 'identity_changed'
    | 'account_linked'
    | 'config_refused'
    | 'frozen'
    | 'unfrozen'
    | 'break_glass_used';
  readonly severity: 'info' | 'warning' | 'critical';
  readonly at: Instant;
  readonly grantId?: GrantId;
  readonly requestId?: RequestId;
  readonly holderName?: string;
  readonly entitlement?: EntitlementId;
  readonly group?: string;
  readonly directory?: string;
  readonly error?: string;
  readonly errorCode?: DirectoryErrorCode;
  readonly failures?: number;
  /** Who did it, and why, in words for people. */
  readonly by?: string;
  readonly reason?: string;
  readonly nextAt?: Instant;
  /** What happened, where the code alone does not say it. */
  readonly says?: readonly string[];
}

/** 0 goes first. Proof reads come after every change that is due. */
export const PRIORITY = { removal: 0, addition: 1, proof: 2, usual: 5 } as const;

/** Work committed to. Putting a job with the same id again moves it: at most one operation per membership is owed. */
export type Job =
  | {
      readonly kind: 'operation';
      readonly id: string;
      /** Jobs of one lane are worked off by one worker; the directory's name. */
      readonly lane: string;
      readonly priority: number;
      readonly dueAt: Instant;
      readonly payload: MembershipKey;
    }
  /** A person whose access was revoked is signed out of a directory, where that is configured for it. */
  | {
      readonly kind: 'sign_out';
      readonly id: string;
      readonly lane: string;
      readonly priority: number;
      readonly dueAt: Instant;
      readonly payload: { readonly grantId: GrantId; readonly userId: string };
    }
  | {
      readonly kind: 'notification';
      readonly id: string;
      readonly lane: string;
      readonly priority: number;
      readonly dueAt: Instant;
      readonly payload: Notification;
    }
  | {
      readonly kind: 'timer';
      readonly id: string;
      readonly lane: string;
      readonly priority: number;
      readonly dueAt: Instant;
      readonly payload: Ring;
    };

/** That a day's digest was made, and who signed it. `toAt` is where the next one begins. */
export interface DigestRecord {
  /** The date it was due on, in the configured zone: `2026-11-23`. */
  readonly day: string;
  readonly version: number;
  readonly fromAt: Instant;
  readonly toAt: Instant;
  readonly madeAt: Instant;
  /** Opaque: what its button carries. Absent, like `view`, for the mark that the first start leaves. */
  readonly id?: string;
  /** As it was drawn: what it counted is in the trail. */
  readonly view?: DigestView;
  readonly signedAt?: Instant;
  readonly signedBy?: string;
  readonly note?: string;
}

/** One row for each person whose grants are counted. */
export interface Holder {
  readonly person: PersonId;
  readonly version: number;
}

/**
 * What something stood for when it was first used, and stays: `email` (written in the configuration) for a person,
 * `user` (`<directory> <person>`) for that person's account in another directory, `owner` (`<directory> <user id>`) for
 * the person whose account that is; `subject` (`<issuer> <sub>`) for the person who signed in with it, `signs_in`
 * (`<issuer> <person>`) for that account; `linked` (`slack:T1/U1`) for the person who proved to be behind an account;
 * `told` for what security has been told of.
 */
export interface Pin {
  readonly space: 'email' | 'user' | 'owner' | 'subject' | 'signs_in' | 'linked' | 'told';
  readonly name: string;
  readonly id: string;
  readonly pinnedAt: Instant;
}

/**
 * A row's worth of change. `was` is the version the decision was made on (absent: the row must not exist yet); a row
 * that has moved on since undoes the whole list with `StaleStateError`.
 */
export type Change =
  | { readonly put: 'request'; readonly row: AccessRequest; readonly was?: number }
  | { readonly put: 'grant'; readonly row: Grant; readonly was?: number }
  | { readonly put: 'membership'; readonly row: Membership; readonly was?: number }
  /** At most one per request, approver and digest. */
  | { readonly put: 'approval'; readonly row: Approval }
  | { readonly put: 'card'; readonly row: Card }
  | { readonly put: 'freeze'; readonly row: Freeze; readonly was?: number }
  | { readonly put: 'review'; readonly row: Review; readonly was?: number }
  | { readonly put: 'revocation'; readonly row: Revocation; readonly was?: number }
  /** Each only once; one that is known makes the whole list stale. */
  | { readonly put: 'activities'; readonly row: readonly GrantActivity[] }
  /** Each under the version that follows the one it had; 1 where there was none. */
  | { readonly put: 'uses'; readonly row: readonly Use[] }
  | { readonly put: 'finding'; readonly row: Finding; readonly was?: number }
  | { readonly put: 'source_cursor'; readonly row: SourceCursor; readonly was?: number }
  | { readonly put: 'session'; readonly row: Session; readonly was?: number }
  | { readonly put: 'device'; readonly row: Device; readonly was?: number }
  | { readonly put: 'proof'; readonly row: Proof; readonly was?: number }
  /**
   * Moved on by whatever freezes or lifts; put under the version it had by whatever may open access, which is then
   * stale when somebody froze anything in between.
   */
  | { readonly put: 'freeze_head'; readonly row: { readonly version: number }; readonly was: number }
  /** At most one for each day. */
  | { readonly put: 'digest'; readonly row: DigestRecord; readonly was?: number }
  /** Only where nothing is pinned yet. */
  | { readonly put: 'pin'; readonly row: Pin }
  | { readonly drop: 'pin'; readonly id: string; readonly space: Pin['space']; readonly name: string }
  | { readonly drop: 'account_pin'; readonly id: string; readonly account: AccountRef }
  /** At most one of each id. */
  | { readonly put: 'drift'; readonly row: Drift }
  | { readonly drop: 'drift'; readonly id: string }
  | { readonly put: 'job'; readonly row: Job }
  | { readonly drop: 'job'; readonly id: string }
  /**
   * That it was decided how much a person may have. Two such decisions at the same moment each rest on a row that the
   * other is about to add, which no version of an existing row would show.
   */
  | { readonly put: 'holder'; readonly row: Holder; readonly was?: number }
  | { readonly put: 'event'; readonly row: AuditEvent };
