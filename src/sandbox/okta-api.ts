/** The part of Okta's API v1 that the local Okta answers, as functions from a request to an answer. */
import { answerLogs } from './okta-logs.ts';
import type { OktaActor, OktaGroupState, OktaState, OktaUser } from './okta-state.ts';
import { TOKEN_OWNER } from './okta-tokens.ts';

export interface ApiAnswer {
  readonly status: number;
  readonly body?: unknown;
  /** Absolute address of the next page. */
  readonly next?: string;
}

export interface ApiRequest {
  readonly method: string;
  readonly url: URL;
  readonly scopes: ReadonlySet<string>;
  readonly actor: OktaActor;
}

const SUMMARIES: Readonly<Record<string, string>> = {
  E0000001: 'Api validation failed',
  E0000006: 'You do not have permission to perform the requested action',
  E0000009: 'Internal Server Error',
  E0000011: 'Invalid token provided',
  E0000022: 'The endpoint does not support the provided HTTP method',
  E0000031: 'Invalid search criteria.',
  E0000047: 'API call exceeded rate limit due to too many requests.',
};

export function oktaError(status: number, errorCode: string, errorSummary = SUMMARIES[errorCode] ?? ''): ApiAnswer {
  const errorId = `oae${Math.random().toString(36).slice(2, 12)}`;
  return { status, body: { errorCode, errorSummary, errorLink: errorCode, errorId, errorCauses: [] } };
}

const forbidden = () => oktaError(403, 'E0000006');
const notFound = (id: string, kind: string) =>
  oktaError(404, 'E0000007', `Not found: Resource not found: ${id} (${kind})`);

/** `pageMax` cuts every page, so that paging can be seen with few rows. */
export function answerApi(state: OktaState, request: ApiRequest, pageMax: number): ApiAnswer {
  const { method, url } = request;
  let parts: string[];
  try {
    parts = url.pathname.split('/').slice(1).map(decodeURIComponent);
  } catch {
    return oktaError(400, 'E0000001');
  }
  const [api, version, kind, id, sub, subId, ...rest] = parts;
  if (api !== 'api' || version !== 'v1' || rest.length > 0) return notFound(url.pathname, 'Unknown');
  const readOnly = method === 'GET' ? undefined : oktaError(405, 'E0000022');
  const mayReadGroups = request.scopes.has('okta.groups.read') || request.scopes.has('okta.groups.manage');
  const mayReadUsers = request.scopes.has('okta.users.read') || request.scopes.has('okta.users.manage');
  const page = <T>(rows: readonly T[], key: (row: T) => string, show: (row: T) => unknown, usual: number) =>
    paged(url, rows, key, show, usual, pageMax);
  const groupKey = (group: OktaGroupState) => group.id;
  const userKey = (user: OktaUser) => user.id;

  if (kind === 'logs') {
    if (readOnly !== undefined) return readOnly;
    if (!request.scopes.has('okta.logs.read')) return forbidden();
    const found = id === undefined ? answerLogs(state.log, url, pageMax) : notFound(url.pathname, 'Unknown');
    return found ?? oktaError(400, 'E0000053', 'Invalid filter or time.');
  }
  if (kind === 'users' && sub === 'sessions' && id !== undefined && subId === undefined) {
    if (method !== 'DELETE') return oktaError(405, 'E0000022');
    if (!request.scopes.has('okta.users.manage')) return forbidden();
    const user = state.users.get(id);
    if (user === undefined) return notFound(id, 'User');
    state.signedOut.set(user.id, (state.signedOut.get(user.id) ?? 0) + 1);
    return { status: 204 };
  }
  if (kind === 'users') {
    if (readOnly !== undefined) return readOnly;
    // A service app is nobody: it has no user of its own.
    if (id === 'me' && sub === undefined && request.actor.type === 'User')
      return { status: 200, body: showUser({ id: TOKEN_OWNER.id, ...ADMIN }) };
    if (!mayReadUsers) return forbidden();
    if (id === undefined) {
      const users = matching(url, [...state.users.values()], userField, (user) => user.name);
      return users === undefined ? oktaError(400, 'E0000031') : page(users, userKey, showUser, 200);
    }
    const user = state.user(id);
    if (user === undefined) return notFound(id, 'User');
    if (sub === undefined) return { status: 200, body: showUser(user) };
    if (sub !== 'groups' || subId !== undefined) return notFound(url.pathname, 'Unknown');
    const groups = [...state.groups.values()].filter((group) => state.shown(group).has(user.id));
    return page(groups, groupKey, showGroup, 1_000);
  }

  if (kind !== 'groups') return notFound(url.pathname, 'Unknown');
  if (!mayReadGroups) return forbidden();
  if (id === undefined) {
    if (readOnly !== undefined) return readOnly;
    const groups = matching(url, [...state.groups.values()], groupField, (group) => group.name);
    return groups === undefined ? oktaError(400, 'E0000031') : page(groups, groupKey, showGroup, 10_000);
  }
  if (id === 'rules' && sub === undefined) {
    if (readOnly !== undefined) return readOnly;
    return page(
      state.rules,
      (rule) => rule.id,
      ({ id: ruleId, name, status, groupIds }) => ({
        type: 'group_rule',
        id: ruleId,
        name,
        status,
        conditions: { expression: { type: 'urn:okta:expression:1.0', value: 'user.department=="x"' } },
        actions: { assignUserToGroups: { groupIds } },
      }),
      50,
    );
  }
  const group = state.groups.get(id);
  if (sub === undefined) {
    if (readOnly !== undefined) return readOnly;
    return group === undefined ? notFound(id, 'UserGroup') : { status: 200, body: showGroup(group) };
  }
  if (sub !== 'users') return notFound(url.pathname, 'Unknown');
  if (subId === undefined) {
    if (readOnly !== undefined) return readOnly;
    if (group === undefined) return notFound(id, 'UserGroup');
    if (!mayReadUsers) return forbidden();
    const users = [...state.shown(group)].flatMap((userId) => state.users.get(userId) ?? []);
    return page(users, userKey, showUser, 1_000);
  }
  if (method !== 'PUT' && method !== 'DELETE') return oktaError(405, 'E0000022');
  if (!request.scopes.has('okta.groups.manage')) return forbidden();
  if (group === undefined) return notFound(id, 'UserGroup');
  // By id alone: whether Okta takes logins here is not documented, so nobody may come to rely on it.
  const user = state.users.get(subId);
  if (user === undefined) return notFound(subId, 'User');
  if (group.type !== 'OKTA_GROUP') return forbidden();
  if (method === 'PUT') state.add(group, user.id, request.actor);
  else state.remove(group, user.id, request.actor);
  return { status: 204 };
}

const ADMIN = {
  login: 'hallpass@admin.example',
  email: 'hallpass@admin.example',
  name: 'Hallpass Admin',
  status: 'ACTIVE',
};

function paged<T>(
  url: URL,
  rows: readonly T[],
  key: (row: T) => string,
  show: (row: T) => unknown,
  usual: number,
  pageMax: number,
): ApiAnswer {
  const wanted = url.searchParams.get('limit');
  if (wanted !== null && !/^[1-9]\d{0,5}$/.test(wanted)) return oktaError(400, 'E0000001');
  const limit = Math.min(Number(wanted ?? usual), usual, pageMax);
  const after = url.searchParams.get('after');
  const from = after === null ? 0 : rows.findIndex((row) => cursor(key(row)) === after) + 1;
  if (after !== null && from === 0) return oktaError(400, 'E0000001', 'Invalid paging request');
  const items = rows.slice(from, from + limit);
  const last = items.at(-1);
  const body = items.map(show);
  if (last === undefined || from + limit >= rows.length) return { status: 200, body };
  const next = new URL(url);
  next.searchParams.set('after', cursor(key(last)));
  next.searchParams.set('limit', String(limit));
  return { status: 200, body, next: next.href };
}

/** Opaque, so that nobody builds one. */
function cursor(key: string): string {
  return Buffer.from(`after:${key}`).toString('base64url');
}

/** `undefined`: an expression that is not understood, which must not quietly list everything. */
function matching<T>(
  url: URL,
  rows: readonly T[],
  field: (row: T, name: string) => string | undefined,
  name: (row: T) => string,
): readonly T[] | undefined {
  const q = url.searchParams.get('q')?.toLowerCase();
  const search = url.searchParams.get('search');
  const expression = search ?? url.searchParams.get('filter');
  let found = rows;
  if (q !== undefined) {
    const exact = (row: T) => (name(row).toLowerCase() === q ? 0 : 1);
    found = found.filter((row) => name(row).toLowerCase().startsWith(q)).sort((a, b) => exact(a) - exact(b));
  }
  if (expression !== null) {
    const [, property, quoted] = /^([\w.]+) eq ("(?:[^"\\]|\\.)*")$/.exec(expression) ?? [];
    if (property === undefined || quoted === undefined) return undefined;
    const value: unknown = JSON.parse(quoted);
    if (found.some((row) => field(row, property) === undefined)) return undefined;
    const fold = (each: unknown) => (search === null ? String(each) : String(each).toLowerCase());
    found = found.filter((row) => fold(field(row, property)) === fold(value));
  }
  return found;
}

function userField(user: OktaUser, property: string): string | undefined {
  if (property === 'profile.login') return user.login;
  if (property === 'profile.email') return user.email;
  if (property === 'id') return user.id;
  return property === 'status' ? user.status : undefined;
}

function groupField(group: OktaGroupState, property: string): string | undefined {
  if (property === 'profile.name') return group.name;
  if (property === 'id') return group.id;
  return property === 'type' ? group.type : undefined;
}

function showUser(user: OktaUser): unknown {
  const [firstName = '', ...others] = user.name.split(' ');
  const profile = {
    firstName,
    lastName: others.join(' '),
    displayName: user.name,
    login: user.login,
    email: user.email,
  };
  return { id: user.id, status: user.status, created: '2026-01-05T08:00:00.000Z', profile, _links: {} };
}

function showGroup(group: OktaGroupState): unknown {
  const profile = { name: group.name, description: null };
  return { id: group.id, type: group.type, created: '2026-01-05T08:00:00.000Z', objectClass: [], profile, _links: {} };
}
