/** Okta's System Log, as far as it says who was added to a group, and by whom. */
import { z } from 'zod';
import type { Instant } from '../access/model.ts';
import type { LoggedAddition } from '../access/ports.ts';
import type { Answer, Asked } from './http.ts';
import { ID_PATTERN, type Page, processPage } from './okta-answers.ts';

/** The most that Okta gives at once. */
export const LOG_PAGE_SIZE = 1_000;

/** Whose additions are ours: the service app's own, or those the token's owner made with a token. */
export type Ourselves = { readonly clientId: string } | { readonly ownerId: string };

export interface OktaAddition extends LoggedAddition {
  /** The same event may be told twice. */
  readonly uuid: string;
}

const eventSchema = z.object({
  uuid: z.string(),
  published: z.iso.datetime(),
  eventType: z.string(),
  outcome: z.object({ result: z.string() }).nullish(),
  actor: z.object({ id: z.string() }).nullish(),
  transaction: z.object({ detail: z.object({ requestApiTokenId: z.string().nullish() }).nullish() }).nullish(),
  // By type, never by place.
  target: z.array(z.object({ id: z.string(), type: z.string(), alternateId: z.string().nullish() })).nullish(),
});

/** Between two times: such a query is ordered and ends, where one without an end goes on for ever. */
export function additionsQuery(groupId: string, since: Instant, until: Instant): Record<string, string> {
  return {
    since: new Date(since).toISOString(),
    until: new Date(until).toISOString(),
    filter: `eventType eq "group.user_membership.add" and target.id eq "${groupId}"`,
    sortOrder: 'ASCENDING',
    limit: String(LOG_PAGE_SIZE),
  };
}

/** One page of the additions to a group. What was not an addition of a user to this very group is left out. */
export function processAdditions(
  asked: Asked,
  answer: Answer,
  now: Instant,
  from: URL,
  groupId: string,
  we: Ourselves,
): Page<OktaAddition> {
  const page = processPage(asked, answer, now, from, eventSchema, (event): readonly OktaAddition[] => {
    const user = event.target?.find(({ type }) => type === 'User');
    const group = event.target?.find(({ type, id }) => type === 'UserGroup' && id === groupId);
    if (event.eventType !== 'group.user_membership.add' || event.outcome?.result !== 'SUCCESS') return [];
    if (user === undefined || group === undefined || !ID_PATTERN.test(user.id)) return [];
    // An administrator's own work in the console carries no token: it is not ours, although the same person signs in.
    const byUs =
      'clientId' in we
        ? event.actor?.id === we.clientId
        : event.actor?.id === we.ownerId && event.transaction?.detail?.requestApiTokenId != null;
    const at = Date.parse(event.published);
    return [{ uuid: event.uuid, userId: user.id, login: user.alternateId ?? user.id, at, byUs }];
  });
  return { ...page, items: page.items.flat() };
}
