/**
 * `GET /api/v1/logs` of the local Okta: the bounded query, with `since` and `until`, by when it was published; and the one
 * without an end, by when it was written down, which always has a link to go on from.
 */
import type { ApiAnswer } from './okta-api.ts';
import type { OktaDeed, OktaLogEvent } from './okta-state.ts';

type Logged = OktaLogEvent | OktaDeed;

const LIMIT_MAX = 1_000;
const LIMIT_USUAL = 100;

/** `undefined`: what is asked is not understood, and must not quietly list everything. */
export function answerLogs(log: readonly Logged[], url: URL, pageMax: number): ApiAnswer | undefined {
  const { searchParams: query } = url;
  if (!query.has('until') && !query.has('filter')) return answerPolling(log, url, pageMax);
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
      (target === undefined || ('groupId' in event && event.groupId === target) || event.userId === target),
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

function answerPolling(log: readonly Logged[], url: URL, pageMax: number): ApiAnswer | undefined {
  const { searchParams: query } = url;
  const since = Date.parse(query.get('since') ?? '');
  const limit = Number(query.get('limit') ?? LIMIT_USUAL);
  const after = query.get('after');
  if (after === null && Number.isNaN(since)) return undefined;
  if (!Number.isInteger(limit) || limit < 1 || limit > LIMIT_MAX || query.get('sortOrder') !== 'ASCENDING')
    return undefined;
  const known = after === null || after === START ? -1 : log.findIndex(({ uuid }) => cursor(uuid) === after);
  if (after !== null && after !== START && known < 0) return undefined;
  const rest = log.slice(known + 1).filter(({ published }) => after !== null || published > since);
  const items = rest.slice(0, Math.min(limit, pageMax));
  const last = items.at(-1);
  const next = new URL(url);
  next.searchParams.set('after', last === undefined ? (after ?? START) : cursor(last.uuid));
  return { status: 200, body: items.map(show), next: next.href };
}

/** The place before the first event. */
const START = Buffer.from('log:start').toString('base64url');

function cursor(uuid: string): string {
  return Buffer.from(`log:${uuid}`).toString('base64url');
}

function show(event: Logged): unknown {
  if (!('groupId' in event)) return showDeed(event);
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

function showDeed(event: OktaDeed): unknown {
  return {
    uuid: event.uuid,
    published: new Date(event.published).toISOString(),
    eventType: event.eventType,
    version: '0',
    severity: 'INFO',
    actor: { id: event.userId, type: 'User', alternateId: event.login, displayName: event.login },
    client: {
      ipAddress: event.ip ?? null,
      device: event.os === undefined ? null : 'Computer',
      userAgent: event.os === undefined ? null : { os: event.os, browser: 'CHROME', rawUserAgent: 'Mozilla/5.0' },
      geographicalContext: event.country === undefined ? null : { country: event.country },
    },
    outcome: { result: event.result ?? 'SUCCESS' },
    transaction: { type: 'WEB', id: 'local', detail: {} },
    target:
      event.target === undefined
        ? null
        : [{ id: 'local', type: 'Policy', alternateId: 'unknown', displayName: event.target }],
  };
}
