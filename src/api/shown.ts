/** What people are shown, as the API says it. */
import type { Instant } from '../access/model.ts';
import type { GrantView, MembershipView, RequestView } from '../access/view.ts';
import type { AccessRequest, Grant } from './schemas.ts';

export function iso(at: Instant): string {
  return new Date(at).toISOString();
}

export function seconds(ms: number): number {
  return Math.round(ms / 1000);
}

/** Absent stays absent. */
export function at<K extends string>(key: K, instant: Instant | undefined): { [P in K]?: string } {
  return (instant === undefined ? {} : { [key]: iso(instant) }) as { [P in K]?: string };
}

export function given<K extends string, V>(key: K, value: V | undefined): { [P in K]?: V } {
  return (value === undefined ? {} : { [key]: value }) as { [P in K]?: V };
}

const LIVE_CHECKED: readonly MembershipView['standing'][] = ['seen', 'already_there', 'adopted'];
const OVER_CHECKED: readonly MembershipView['standing'][] = ['checked', 'still_held', 'already_there', 'not_added'];

export function isChecked({ state, memberships }: GrantView): boolean {
  if (state === 'active') return memberships.every(({ standing }) => LIVE_CHECKED.includes(standing));
  return state === 'ended' && memberships.every(({ standing }) => OVER_CHECKED.includes(standing));
}

export function grantShown(view: GrantView, request: RequestView): Grant {
  return {
    id: view.id,
    requestId: request.id,
    state: view.state,
    holder: { name: request.requesterName },
    entitlement: request.entitlement,
    checked: isChecked(view),
    ...at('startsAt', view.startsAt),
    ...at('expiresAt', view.expiresAt),
    addBy: iso(view.addBy),
    hardEndAt: iso(view.hardEndAt),
    ...at('endingAt', view.endingAt),
    ...at('endedAt', view.endedAt),
    ...given('endReason', view.endReason),
    ...given('endedBy', view.endedBy),
    ...given('endNote', view.endNote),
    ...at('sessionsUntil', view.sessionsUntil),
    memberships: view.memberships.map((one) => ({
      directory: one.directory,
      group: one.group,
      standing: one.standing,
      ...at('at', one.at),
      failures: one.failures,
      ...given('error', one.error),
    })),
    ...(view.pendingExtension === undefined
      ? {}
      : {
          pendingExtension: {
            requestId: view.pendingExtension.requestId,
            until: iso(view.pendingExtension.until),
          },
        }),
  };
}

/** `card` only where it was made sure that whoever asks may answer. */
export function requestShown(
  view: RequestView,
  more: { readonly card?: string; readonly notes?: readonly string[] } = {},
): AccessRequest {
  const { ticket, incident, waiting, denial, extension } = view;
  return {
    id: view.id,
    state: view.state,
    requester: { name: view.requesterName },
    ...(view.pipeline === undefined
      ? {}
      : { pipeline: { text: view.pipeline.text, ...given('url', view.pipeline.url) } }),
    resource: view.resource,
    role: view.role,
    entitlement: view.entitlement,
    title: view.title,
    groups: view.groups.map(({ directory, group }) => ({ directory, group })),
    durationSeconds: seconds(view.durationMs),
    reason: view.reason,
    ...(ticket === undefined ? {} : { ticket: { key: ticket.key, ...given('url', ticket.url) } }),
    ...given('link', view.link),
    policy: view.policyName,
    approvalsNeeded: view.approvalsNeeded,
    approvals: view.approvals.map(({ name, at: when, durationMs }) => ({
      by: name,
      at: iso(when),
      ...(durationMs === undefined ? {} : { durationSeconds: seconds(durationMs) }),
    })),
    ...(view.confirming === undefined ? {} : { confirming: [...view.confirming] }),
    ...(view.approvedMs === undefined ? {} : { approvedSeconds: seconds(view.approvedMs) }),
    ...given('automatic', view.automatic),
    breakGlass: view.breakGlass === true,
    ...(incident === undefined
      ? {}
      : { incident: { id: incident.id, title: incident.title, ...given('url', incident.url) } }),
    ...(view.stages === undefined
      ? {}
      : { stages: view.stages.map(({ by, needed, given: names }) => ({ by: [...by], needed, given: [...names] })) }),
    ...(waiting === undefined
      ? {}
      : {
          waiting: {
            stage: waiting.stage,
            by: [...waiting.by],
            asked: [...waiting.asked],
            ...(waiting.next === undefined ? {} : { next: { to: [...waiting.next.to], at: iso(waiting.next.at) } }),
            failed: [...waiting.failed],
          },
        }),
    ...(denial === undefined
      ? {}
      : { denial: { by: denial.name, at: iso(denial.at), ...given('reason', denial.reason) } }),
    createdAt: iso(view.createdAt),
    lapsesAt: iso(view.lapsesAt),
    ...at('decidedAt', view.decidedAt),
    ...given('closedBy', view.closedBy),
    ...given('closedNote', view.closedNote),
    ...(extension === undefined
      ? {}
      : {
          extension: { grantId: extension.grantId, from: iso(extension.from), until: iso(extension.until) },
        }),
    ...(view.grant === undefined ? {} : { grant: grantShown(view.grant, view) }),
    ...given('card', more.card),
    headline: view.headline,
    ...(more.notes === undefined ? {} : { notes: [...more.notes] }),
  };
}
