/** Why not, as the API says it: problem details (RFC 9457), with the refusal's own code. */
import type { Refusal, RefusalCode } from '../access/command.ts';
import { refusalText } from '../access/words.ts';
import type { Problem } from './schemas.ts';

export type ProblemStatus = 400 | 401 | 403 | 404 | 405 | 409 | 413 | 415 | 422 | 429 | 500 | 503;

/** Thrown by whatever finds it; the app turns it into the answer. */
export class ApiProblem extends Error {
  readonly problem: Problem;
  readonly headers: Readonly<Record<string, string>>;
  constructor(
    problem: Omit<Problem, 'type'> & { readonly type?: string },
    headers: Readonly<Record<string, string>> = {},
  ) {
    super(problem.title);
    this.name = 'ApiProblem';
    this.problem = { type: `urn:hallpass:problem:${problem.code}`, ...problem };
    this.headers = headers;
  }

  get status(): ProblemStatus {
    return this.problem.status as ProblemStatus;
  }
}

/** Whoever sent it has to change it (422), has no right to it (403), or came at the wrong moment (409). */
const STATUS: Readonly<Record<RefusalCode, ProblemStatus>> = {
  unknown_resource: 422,
  unknown_role: 422,
  bad_duration: 422,
  duration_over_maximum: 422,
  time_past: 422,
  reason_missing: 422,
  reason_too_short: 422,
  reason_too_long: 422,
  ticket_missing: 422,
  longer_than_asked: 422,
  over_maximum: 422,
  unknown_person: 422,
  unknown_command: 422,
  usage: 422,
  no_break_glass: 422,
  not_eligible: 403,
  condition_not_met: 403,
  own_request: 403,
  workload_refused: 403,
  person_needed: 403,
  proof_needed: 403,
  not_an_approver: 403,
  not_your_turn: 403,
  not_yours: 403,
  not_a_responder: 403,
  not_a_viewer: 403,
  not_an_admin: 403,
  own_access: 403,
  own_review: 403,
  own_finding: 403,
  not_security: 403,
  not_a_signer: 403,
  signed_already: 409,
  no_digest: 404,
  not_a_reviewer: 403,
  not_recognised: 403,
  unknown_id: 404,
  no_grant: 404,
  over_daily: 409,
  too_many_live: 409,
  already_pending: 409,
  already_granted: 409,
  already_member: 409,
  nobody_to_ask: 409,
  already_answered: 409,
  changed_since_shown: 409,
  proof_over: 409,
  requester_not_eligible: 409,
  not_pending: 409,
  not_live: 409,
  not_added_yet: 409,
  nothing_to_adopt: 409,
  frozen: 409,
  already_frozen: 409,
  not_frozen: 409,
  nothing_to_revoke: 409,
  preview_expired: 409,
  review_open: 409,
  reviewed_already: 409,
  finding_over: 409,
  asked_already: 409,
  not_asked: 409,
  nobody_to_write_to: 409,
  ambiguous_id: 409,
  expired_button: 409,
  group_unusable: 409,
  too_many_requests: 429,
  cannot_check: 503,
  busy: 503,
  being_retried: 503,
};

/** Nothing was decided for these: the same call may end otherwise in a while. */
const LATER_S: Partial<Record<RefusalCode, number>> = {
  too_many_requests: 600,
  cannot_check: 30,
  busy: 1,
  being_retried: 10,
};

/** Something could not be looked up, it was too often, or the person has to prove first who they are: it may be sent again. */
export function isUndecided(refusal: Refusal): boolean {
  const status = STATUS[refusal.code];
  return status === 503 || status === 429 || refusal.code === 'proof_needed';
}

export function refusalProblem(refusal: Refusal, zone: string | undefined): ApiProblem {
  const { code } = refusal;
  const { reason, next } = refusalText(refusal, zone, 'hallpass');
  const later = LATER_S[code];
  return new ApiProblem(
    {
      title: reason,
      status: STATUS[code],
      detail: next,
      code,
      ...('requestId' in refusal ? { requestId: refusal.requestId } : {}),
      ...('grantId' in refusal ? { grantId: refusal.grantId } : {}),
      ...(refusal.code === 'proof_needed' ? { link: refusal.link } : {}),
    },
    later === undefined ? {} : { 'retry-after': String(later) },
  );
}

/** The same words for every credential that does not hold: none says which of them there are. */
export function unauthorized(): ApiProblem {
  return new ApiProblem(
    {
      title: 'There is no credential here that holds.',
      status: 401,
      detail: 'Send a token that was made with hallpass token create, or sign in: Authorization: Bearer …',
      code: 'unauthorized',
    },
    { 'www-authenticate': 'Bearer realm="hallpass"' },
  );
}

export function tooOften(seconds: number): ApiProblem {
  return new ApiProblem(
    {
      title: 'Too many calls.',
      status: 429,
      detail: `Nothing was done. Call again in ${seconds} s.`,
      code: 'too_many_calls',
    },
    { 'retry-after': String(seconds) },
  );
}

export function asResponse({ problem, headers }: ApiProblem): Response {
  return new Response(JSON.stringify(problem), {
    status: problem.status,
    headers: { ...headers, 'content-type': 'application/problem+json' },
  });
}
