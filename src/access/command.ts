/** What can be asked, from every door, and what is said back at once. */
import type { FindingView } from './finding-view.ts';
import type {
  AccountRef,
  Caller,
  EntitlementId,
  Freeze,
  GrantId,
  Instant,
  ProofPurpose,
  RequestId,
  Revocation,
} from './model.ts';
import type { ReportView } from './report.ts';
import type { ReviewView } from './review-view.ts';
import type { RequestView } from './view.ts';

/** `30m` is a length; `until 17:00` is a time of day in the person's own zone. */
export type DurationWish =
  | { readonly ms: number }
  | { readonly until: { readonly hour: number; readonly minute: number } };

/** What a person points at: a button's opaque id, or a typed id or resource name. */
export type Target = { readonly card: string } | { readonly typed: string };

/** Whom or what an emergency command is about: a mention, an email, a resource's name, or everything. */
export type Aim =
  | { readonly all: true }
  | { readonly account: AccountRef }
  | { readonly email: string }
  | { readonly resource: string };

/** Whoever asks, identified afresh each time, or a shell on the host. */
export type By = Caller | { readonly operator: string };

export type Command =
  | {
      readonly do: 'request';
      readonly by: Caller;
      readonly resource: string;
      readonly role?: string;
      /** Left out: the policy's default. */
      readonly duration?: DurationWish;
      readonly reason: string;
    }
  | {
      readonly do: 'approve';
      readonly by: Caller;
      readonly target: { readonly card: string };
      /** For less than was asked, never for more; left out: for all of it. */
      readonly durationMs?: number;
    }
  /** `approve <id> [duration]` typed: shows what would be approved, with the button. */
  | { readonly do: 'show'; readonly by: Caller; readonly target: Target; readonly duration?: DurationWish }
  /** The click after a sign-in: what was asked for is decided afresh. `seal`: what the browser that signed in holds. */
  | { readonly do: 'confirm-proof'; readonly by: Caller; readonly proof: string; readonly seal: string }
  | { readonly do: 'deny'; readonly by: Caller; readonly target: Target; readonly reason?: string }
  | { readonly do: 'cancel'; readonly by: Caller; readonly target: Target }
  | {
      readonly do: 'extend';
      readonly by: Caller;
      readonly target: Target;
      /** Left out (the button): as long as the policy's default. */
      readonly duration?: DurationWish;
      readonly reason?: string;
    }
  | { readonly do: 'return'; readonly by: Caller; readonly target: Target }
  | { readonly do: 'revoke'; readonly by: By; readonly target: Target; readonly reason: string }
  /** At once and without approval, where the policy has it. */
  | {
      readonly do: 'break-glass';
      readonly by: Caller;
      readonly resource: string;
      readonly role?: string;
      readonly duration?: DurationWish;
      readonly reason: string;
    }
  | {
      readonly do: 'review';
      readonly by: Caller;
      readonly target: Target;
      readonly verdict: 'sign_off' | 'question';
      readonly note?: string;
    }
  /** Has the holder of a finding's grant asked what it was for. */
  | { readonly do: 'ask-holder'; readonly by: Caller; readonly finding: string }
  /** The holder's answer to that. */
  | {
      readonly do: 'explain-finding';
      readonly by: Caller;
      readonly finding: string;
      readonly explanation: string;
    }
  /** The grant that the finding is about is revoked because of it, and that closes it. */
  | { readonly do: 'revoke-finding'; readonly by: Caller; readonly finding: string }
  | { readonly do: 'dismiss-finding'; readonly by: Caller; readonly finding: string; readonly reason: string }
  /** Shows what it would end, with the button that does it. */
  | {
      readonly do: 'revoke-all';
      readonly by: By;
      readonly aim: Aim;
      /** Only what was approved in the last so many milliseconds. */
      readonly grantedWithinMs?: number;
      readonly except: readonly Aim[];
      readonly reason: string;
    }
  | { readonly do: 'confirm-revocation'; readonly by: By; readonly id: string }
  /** Nothing new is granted there until it is lifted. */
  /** Makes what a live grant added permanent; never given on the host, where nobody is known. */
  | { readonly do: 'adopt'; readonly by: Caller; readonly target: Target; readonly reason: string }
  | { readonly do: 'freeze'; readonly by: By; readonly aim: Aim; readonly reason: string }
  | { readonly do: 'unfreeze'; readonly by: By; readonly aim: Aim }
  | { readonly do: 'status'; readonly by: Caller; readonly target?: Target }
  /** All that happened with one request, for whoever may see its status. */
  | { readonly do: 'story'; readonly by: Caller; readonly target: Target }
  /** `page` counts from 1; left out: the first. */
  | {
      readonly do: 'list';
      readonly by: Caller;
      readonly which: ListWhich;
      readonly page?: number;
      /** Goes on after this one, in place of `page`. */
      readonly after?: { readonly createdAt: Instant; readonly id: RequestId };
    }
  | { readonly do: 'who'; readonly by: Caller; readonly resource: string; readonly role?: string }
  | {
      readonly do: 'explain';
      readonly by: Caller;
      readonly resource: string;
      readonly role?: string;
      readonly duration?: DurationWish;
      /** Left out: what rests on a reason is not judged. */
      readonly reason?: string;
    }
  | { readonly do: 'on-call'; readonly by: Caller; readonly resource?: string; readonly role?: string }
  | { readonly do: 'digest'; readonly by: Caller; readonly span: DigestSpan }
  /** Security has read it. Without a day: the newest. */
  | {
      readonly do: 'sign-digest';
      readonly by: Caller;
      readonly which: { readonly id: string } | { readonly day?: string };
      readonly note?: string;
    }
  /** Says whose a chat account is, by a proof. */
  | { readonly do: 'link'; readonly by: AccountRef }
  | { readonly do: 'help'; readonly by: Caller };

/** What a policy may want a proof for. */
export type ProvenCommand = Extract<Command, { do: 'request' | 'extend' | 'break-glass' | 'approve' | 'link' }>;

export type ListWhich = 'mine' | 'pending' | 'active';

/** Today so far, or the last seven days. */
export type DigestSpan = 'today' | '7d';

export type ChangeMade =
  | 'requested'
  | 'extension_requested'
  | 'approval_recorded'
  | 'approved'
  | 'denied'
  | 'cancelled'
  | 'returned'
  | 'revoked'
  | 'adopted';

/** Said to the person who asked, and to nobody else. */
export type Answer =
  | { readonly say: 'refused'; readonly refusal: Refusal; readonly request?: RequestView }
  | {
      readonly say: 'done';
      readonly what: ChangeMade;
      readonly request: RequestView;
      /** Names of the people now asked. */
      readonly asked?: readonly string[];
    }
  /** The card, to be looked at before the button is pressed. */
  | {
      readonly say: 'card';
      readonly request: RequestView;
      /** The shorter time that the button offers; absent: what was asked. */
      readonly durationMs?: number;
    }
  /** `notes`: what else holds there, such as a freeze. */
  | { readonly say: 'status'; readonly request: RequestView; readonly notes?: readonly string[] }
  | {
      readonly say: 'list';
      readonly which: ListWhich;
      /** Counts from 1; left out: the first. */
      readonly page?: number;
      readonly items: readonly RequestView[];
      /** There are more than are shown. */
      readonly more: boolean;
      readonly notes?: readonly string[];
    }
  | {
      readonly say: 'report';
      readonly about: 'who' | 'on-call' | 'digest' | 'explain' | 'story' | 'link';
      readonly report: ReportView;
    }
  | { readonly say: 'review'; readonly review: ReviewView }
  | { readonly say: 'finding'; readonly finding: FindingView }
  /** A day's digest is signed. */
  | { readonly say: 'signed'; readonly day: string }
  /** `confirm`: what the button carries; absent once it runs. */
  | {
      readonly say: 'revocation';
      readonly id: string;
      readonly state: Revocation['state'];
      readonly report: ReportView;
      readonly confirm?: string;
    }
  | {
      readonly say: 'freeze';
      readonly what: 'frozen' | 'unfrozen';
      readonly freeze: Freeze;
      /** Requests withdrawn, and additions stopped before they were sent. */
      readonly closed: number;
      readonly ended: number;
    }
  | { readonly say: 'help' };

/** The rules say no: a value with a code, what is wrong, and the next step. */
export type Refusal =
  | { readonly code: 'unknown_resource'; readonly asked: string; readonly suggestions: readonly string[] }
  | {
      readonly code: 'unknown_role';
      readonly resource: string;
      readonly asked: string;
      readonly roles: readonly string[];
    }
  | { readonly code: 'bad_duration'; readonly asked: string; readonly example: string }
  | { readonly code: 'duration_over_maximum'; readonly askedMs: number; readonly maxMs: number }
  | { readonly code: 'time_past'; readonly at: Instant; readonly zone: string }
  | { readonly code: 'reason_missing'; readonly minLength: number }
  | { readonly code: 'reason_too_short'; readonly minLength: number; readonly length: number }
  | { readonly code: 'reason_too_long'; readonly maxLength: number; readonly length: number }
  | { readonly code: 'ticket_missing'; readonly pattern: string }
  | { readonly code: 'over_daily'; readonly perDayMs: number; readonly usedMs: number; readonly leftMs: number }
  | {
      readonly code: 'too_many_live';
      readonly policy: string;
      readonly most: number;
      readonly grants: readonly GrantId[];
    }
  | { readonly code: 'too_many_requests'; readonly most: number }
  | { readonly code: 'not_eligible'; readonly entitlement: EntitlementId; readonly wanted: readonly string[] }
  /** `now` says what the expression read, in words. */
  | {
      readonly code: 'condition_not_met';
      readonly entitlement: EntitlementId;
      readonly expression: string;
      readonly now: readonly string[];
    }
  | { readonly code: 'already_pending'; readonly requestId: RequestId }
  | { readonly code: 'already_granted'; readonly grantId: GrantId; readonly expiresAt?: Instant }
  | { readonly code: 'already_member'; readonly groups: readonly string[] }
  | { readonly code: 'nobody_to_ask'; readonly entitlement: EntitlementId }
  | { readonly code: 'own_request' }
  /** The token of a pipeline's job does not serve. */
  | { readonly code: 'workload_refused'; readonly fault: WorkloadFault; readonly why: string }
  /** A machine may ask, and never answers. */
  | { readonly code: 'person_needed' }
  /** Nothing is done yet: whoever asked has to prove who they are, by this link of theirs. */
  | {
      readonly code: 'proof_needed';
      readonly purpose: ProofPurpose;
      readonly entitlement: EntitlementId;
      readonly link: string;
      readonly until: Instant;
    }
  | { readonly code: 'proof_over'; readonly why: 'used' | 'expired' | 'failed' | 'stale' | 'changed' | 'elsewhere' }
  | { readonly code: 'not_an_approver'; readonly entitlement: EntitlementId; readonly wanted: readonly string[] }
  | { readonly code: 'already_answered'; readonly requestId: RequestId }
  | { readonly code: 'longer_than_asked'; readonly requestId: RequestId; readonly askedMs: number }
  /** An approver of a later stage; `first` are those whom it waits for, in words. */
  | { readonly code: 'not_your_turn'; readonly requestId: RequestId; readonly first: readonly string[] }
  | { readonly code: 'changed_since_shown'; readonly requestId: RequestId }
  | { readonly code: 'requester_not_eligible'; readonly requestId: RequestId; readonly why: string }
  | { readonly code: 'not_pending'; readonly requestId: RequestId }
  | { readonly code: 'not_yours'; readonly id: string }
  | { readonly code: 'not_live'; readonly grantId: GrantId }
  | { readonly code: 'not_added_yet'; readonly grantId: GrantId }
  | { readonly code: 'no_grant'; readonly requestId: RequestId }
  | { readonly code: 'over_maximum'; readonly grantId: GrantId; readonly leftMs: number; readonly maxMs: number }
  | { readonly code: 'not_a_responder' }
  | { readonly code: 'not_a_viewer' }
  | { readonly code: 'not_an_admin' }
  /** Nobody makes their own access permanent. */
  | { readonly code: 'own_access'; readonly grantId: GrantId }
  | { readonly code: 'nothing_to_adopt'; readonly grantId: GrantId }
  /** Nothing new is granted there. */
  | ({ readonly code: 'frozen' } & FrozenWhy)
  | ({ readonly code: 'already_frozen' } & FrozenWhy)
  | { readonly code: 'not_frozen'; readonly what: string }
  | { readonly code: 'nothing_to_revoke'; readonly what: string }
  | { readonly code: 'preview_expired' }
  | { readonly code: 'no_break_glass'; readonly entitlement: EntitlementId }
  | { readonly code: 'review_open'; readonly grantId: GrantId; readonly dueAt: Instant }
  | { readonly code: 'own_review' }
  | { readonly code: 'not_a_signer'; readonly wanted: readonly string[] }
  | { readonly code: 'signed_already'; readonly day: string; readonly by: string }
  | { readonly code: 'no_digest'; readonly day?: string }
  | { readonly code: 'not_a_reviewer'; readonly wanted: readonly string[] }
  | { readonly code: 'reviewed_already'; readonly grantId: GrantId; readonly by: string }
  /** Nobody dismisses a finding about themselves. */
  | { readonly code: 'own_finding' }
  | { readonly code: 'not_security'; readonly wanted: readonly string[] }
  | { readonly code: 'finding_over'; readonly finding: string; readonly by: string; readonly how: string }
  | { readonly code: 'asked_already'; readonly finding: string; readonly by: string }
  | { readonly code: 'not_asked'; readonly finding: string }
  | { readonly code: 'nobody_to_write_to'; readonly who: string }
  | { readonly code: 'unknown_person'; readonly asked: string }
  | { readonly code: 'unknown_id'; readonly asked: string }
  | { readonly code: 'ambiguous_id'; readonly asked: string; readonly ids: readonly string[] }
  | { readonly code: 'expired_button' }
  | { readonly code: 'unknown_command'; readonly asked: string; readonly suggestions: readonly string[] }
  | { readonly code: 'usage'; readonly usage: string }
  /** A guest, a bot, somebody deactivated, from another workspace, or not mapped to a directory person. */
  | { readonly code: 'not_recognised'; readonly why: string; readonly message: string }
  /** Something had to be looked up and could not be; nothing was decided. */
  | { readonly code: 'cannot_check'; readonly what: string; readonly error: string }
  | { readonly code: 'group_unusable'; readonly group: string; readonly why: string }
  /** Others were faster too often; the delivery is closed, and nothing was done. */
  | { readonly code: 'busy' }
  /** It failed for a reason of ours, is recorded, and is tried again by itself. */
  | { readonly code: 'being_retried' };

export type WorkloadFault =
  | 'not_configured'
  | 'token_invalid'
  | 'foreign_issuer'
  | 'wrong_audience'
  | 'expired'
  | 'replayed'
  | 'no_match'
  | 'pull_request'
  | 'unmapped_actor'
  | 'run_again';

/** Who froze it, why and since when; `what` is the scope in words for people. */
export interface FrozenWhy {
  readonly what: string;
  readonly by: string;
  readonly reason: string;
  readonly at: Instant;
}

export type RefusalCode = Refusal['code'];
