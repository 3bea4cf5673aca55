/** `GET /api/v1/logs` of the local Okta: the bounded query, with `since` and `until`, by when it was published. */
import type { ApiAnswer } from './okta-api.ts';
import type { OktaLogEvent } from './okta-state.ts';

const LIMIT_MAX = 1_000;
const LIMIT_USUAL = 100;

/** `undefined`: what is asked is not understood, and must not quietly list everything. */
export function answerLogs(log: readonly OktaLogEvent[], url: URL, pageMax: number): ApiAnswer | undefined {
  const { searchParams: query } = url;
  const since = Date.parse(query.get('since') ?? '');
  const until = Date.parse(query.get('until') ?? '');
  const [, eventType, target] =
    /^eventType eq "([\w.]+)"(?: and target\.id eq "(\w+)")?$/.exec(query.get('filter') ?? '') ?? [];
  const limit = Number(query.get('limit') ?? LIMIT_USUAL);
  if (Number.isNaN(since) || Number.isNaN(until) || eventType === undefined) return undefined;
  if (!Number.isInteger(limit) || limit < 1 || limit > LIMIT_MAX || query.get('sortOrder') === 'DESCENDING')
    return undefined;
  const after = query.get('after');
  const found = log.filter(
    (event) =>
      event.published > since &&
      event.published <= until &&
      event.eventType === eventType &&
      (target === undefined || event.groupId === target || event.userId === target),
  );
  const from = after === null ? 0 : found.findIndex(({ uuid }) => cursor(uuid) === after) + 1;
  if (after !== null && from === 0) return undefined;
  const size = Math.min(limit, pageMax);
  const items = found.slice(from, from + size);
  const last = items.at(-1);
  const body = items.map(show);
  if (last === undefined || from + size >= found.length) return { status: 200, body };
  const next = new URL(url);
  next.searchParams.set('after', cursor(last.uuid));
  return { status: 200, body, next: next.href };
}

function cursor(uuid: string): string {
  return Buffer.from(`log:${uuid}`).toString('base64url');
}

function show(event: OktaLogEvent): unknown {
  const { actor } = event;
  return {
    uuid: event.uuid,
    published: new Date(event.published).toISOString(),
    eventType: event.eventType,
    version: '0',
    severity: 'INFO',
    actor: { id: actor.id, type: actor.type, alternateId: '', displayName: '' },
    outcome: { result: 'SUCCESS' },
    transaction: {
      type: 'WEB',
      id: 'local',
      detail: actor.apiTokenId === undefined ? {} : { requestApiTokenId: actor.apiTokenId },
    },
    target: [
      { id: event.userId, type: 'User', alternateId: event.login, displayName: event.login },
      { id: event.groupId, type: 'UserGroup', alternateId: 'unknown', displayName: event.groupName },
    ],
  };
}
