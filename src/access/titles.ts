/** What a message about a request is headed with, on every platform the same. */
import type { Refusal } from './command.ts';
import type { Audience } from './model.ts';
import type { RequestView } from './view.ts';
import { cut } from './words.ts';

/** The rules said no. A look-up that failed, or an attempt that is repeated, is something else. */
export function ruledOut({ code }: Refusal): boolean {
  return code !== 'cannot_check' && code !== 'proof_needed' && code !== 'busy' && code !== 'being_retried';
}

export function titleOf(request: RequestView): string {
  return request.extension === undefined ? `Access request ${request.id}` : `More time, ${request.id}`;
}

/** The requester's later messages ring, so they begin with the news; everybody else's begin with the request. */
export function messageTitle(request: RequestView, audience: Audience['kind']): string {
  const what = `${cut(request.title, 80)} (${request.entitlement})`;
  if (request.grant?.state === 'active') {
    if (audience === 'holder') return `You have access: ${what}`;
    if (audience === 'warning') return `Your access ends soon: ${what}`;
  }
  return `${titleOf(request)}: ${stateOf(request)}`;
}

/** One word for where it stands, so that neither colour nor a symbol is the only sign. */
export function stateOf(request: RequestView): string {
  if (request.state !== 'approved') return request.state === 'pending' ? 'waiting for approval' : request.state;
  const { grant } = request;
  if (grant === undefined) return 'approved';
  switch (grant.state) {
    case 'adding':
      return 'approved, being added';
    case 'active':
      return 'active';
    case 'ending':
      return 'ending';
    case 'ended':
      return 'ended';
    default: {
      const never: never = grant.state;
      return never;
    }
  }
}
