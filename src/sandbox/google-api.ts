/** The part of Google's Directory API that the local Google answers, as functions from a request to an answer. */
import type { GoogleGroup, GoogleMembership, GoogleState, GoogleUser } from './google-state.ts';
import type { GoogleCaller } from './google-tokens.ts';
import type { Told } from './local-server.ts';

export interface GoogleRequest {
  readonly method: string;
  readonly url: URL;
  readonly body: string;
  readonly caller: GoogleCaller;
}

const SCOPE = 'https://www.googleapis.com/auth/admin.directory';
const PAGE_MAX = 200;
const MEMBER_FIELDS = new Set(['email', 'role', 'kind', 'type', 'delivery_settings']);
const ROLES = new Set(['OWNER', 'MANAGER', 'MEMBER']);

const MESSAGES: Readonly<Record<string, string>> = {
  authError: 'Invalid Credentials',
  backendError: 'Backend Error',
  duplicate: 'Member already exists.',
  forbidden: 'Not Authorized to access this resource/api',
  insufficientPermissions: 'Request had insufficient authentication scopes.',
  invalid: 'Invalid Input',
  quotaExceeded: 'Quota exceeded for quota metric.',
  rateLimitExceeded: 'Request Rate higher than configured.',
  required: 'Login Required.',
  userRateLimitExceeded: 'User Rate Limit Exceeded. Rate of requests for user exceed configured project quota.',
};

/** As Google words its errors: the reason in a list, the same message twice. */
export function googleError(code: number, reason: string, message = MESSAGES[reason] ?? reason): Told {
  return { status: code, body: { error: { code, message, errors: [{ message, domain: 'global', reason }] } } };
}

const notFound = (key: 'groupKey' | 'memberKey' | 'userKey') =>
  googleError(404, 'notFound', `Resource Not Found: ${key}`);
const noMethod = () => googleError(404, 'notFound', 'Not Found');

/** `pageMax` cuts every page, so that paging can be seen with few rows. */
export function answerDirectory(state: GoogleState, request: GoogleRequest, pageMax: number): Told {
  const { method, url, caller } = request;
  let parts: string[];
  try {
    parts = url.pathname.split('/').slice(1).map(decodeURIComponent);
  } catch {
    return googleError(400, 'invalid');
  }
  const [admin, directory, version, kind, key = '', sub, memberKey, ...rest] = parts;
  if (admin !== 'admin' || directory !== 'directory' || version !== 'v1' || rest.length > 0) return noMethod();
  const may = (...scopes: readonly string[]) => scopes.some((scope) => caller.scopes.has(`${SCOPE}.${scope}`));
  if (kind === 'users' && method === 'GET' && key !== '' && sub === undefined) {
    if (!may('user', 'user.readonly')) return googleError(403, 'insufficientPermissions');
    if (caller.role === 'none') return googleError(403, 'forbidden');
    const user = state.user(key);
    if (user !== undefined) return { status: 200, body: showUser(user) };
    // What is outside the account is not said to be missing.
    const foreign = key.includes('@') && !state.domains().has(key.slice(key.indexOf('@') + 1).toLowerCase());
    return foreign ? googleError(403, 'forbidden') : notFound('userKey');
  }
  if (kind !== 'groups' || key === '') return noMethod();
  const writing = method !== 'GET';
  if (sub === undefined) {
    if (writing) return noMethod();
    if (!may('group', 'group.readonly')) return googleError(403, 'insufficientPermissions');
  } else if (!may('group', 'group.member', ...(writing ? [] : ['group.readonly', 'group.member.readonly'])))
    return googleError(403, 'insufficientPermissions');
  if (caller.role === 'none' || (writing && caller.role !== 'groups-admin')) return googleError(403, 'forbidden');
  const group = state.group(key);
  if (group === undefined) return notFound('groupKey');
  if (sub === undefined) return { status: 200, body: showGroup(state, group) };
  if (sub === 'hasMember' && memberKey !== undefined && !writing) return hasMember(state, group, memberKey);
  if (sub !== 'members') return noMethod();
  if (memberKey === undefined) {
    if (method === 'GET') return list(state, group, url, pageMax);
    return method === 'POST' ? insert(state, group, request.body) : noMethod();
  }
  if (method !== 'GET' && method !== 'DELETE') return noMethod();
  const id = idOf(state, memberKey);
  if (method === 'GET') {
    const member = id === undefined ? undefined : state.shown(group).get(id);
    return member === undefined ? notFound('memberKey') : { status: 200, body: showMember(state, member) };
  }
  if (id === undefined || !state.members(group).has(id)) return notFound('memberKey');
  state.remove(group, id);
  return { status: 204 };
}

function insert(state: GoogleState, group: GoogleGroup, text: string): Told {
  let body: Record<string, unknown>;
  try {
    body = JSON.parse(text) as Record<string, unknown>;
  } catch {
    return googleError(400, 'parseError', 'Parse Error');
  }
  const { email, role } = body;
  // Documented as required; ids are accepted by nobody's word but their own.
  if (typeof email !== 'string' || !email.includes('@'))
    return googleError(400, 'required', 'Missing required field: memberKey');
  if (!Object.keys(body).every((field) => MEMBER_FIELDS.has(field))) return googleError(400, 'invalid');
  if (typeof role !== 'string' || !ROLES.has(role)) return googleError(400, 'invalid', 'Invalid Input: role');
  if (group.dynamic) return googleError(412, 'conditionNotMet', 'Cannot modify members of a dynamic group.');
  if (group.pending.has(email.toLowerCase())) return googleError(409, 'duplicate');
  const id = idOf(state, email);
  if (id === undefined) return notFound('memberKey');
  const inner = state.groups.get(id);
  if (inner !== undefined && (inner.id === group.id || state.within(inner, group.id)))
    return googleError(412, 'conditionNotMet', 'Cyclic memberships not allowed');
  if (state.members(group).has(id)) return googleError(409, 'duplicate');
  const member = { id, role };
  state.put(group, member);
  return { status: 200, body: showMember(state, member) };
}

function list(state: GoogleState, group: GoogleGroup, url: URL, pageMax: number): Told {
  const wanted = url.searchParams.get('maxResults') ?? String(PAGE_MAX);
  if (!/^[1-9]\d{0,2}$/.test(wanted) || Number(wanted) > PAGE_MAX)
    return googleError(400, 'invalid', 'Invalid Input: maxResults');
  const token = url.searchParams.get('pageToken');
  const roles = url.searchParams.get('roles')?.split(',');
  const all = [...state.shown(group).values()].filter((member) => roles === undefined || roles.includes(member.role));
  const from = token === null ? 0 : all.findIndex((member) => cursor(member.id) === token) + 1;
  if (token !== null && from === 0) return googleError(400, 'invalid', 'Invalid Input: pageToken');
  const size = Math.min(Number(wanted), pageMax);
  const page = all.slice(from, from + size);
  const last = page.at(-1);
  const more = last !== undefined && from + size < all.length;
  return {
    status: 200,
    body: {
      kind: 'admin#directory#members',
      // An empty list is left out.
      ...(page.length === 0 ? {} : { members: page.map((member) => showMember(state, member)) }),
      ...(more ? { nextPageToken: cursor(last.id) } : {}),
    },
  };
}

function hasMember(state: GoogleState, group: GoogleGroup, key: string): Told {
  const id = idOf(state, key);
  // Nobody outside the account can be asked for here.
  if (id === undefined) return googleError(400, 'invalid', 'Invalid Input: memberKey');
  return { status: 200, body: { isMember: state.within(group, id) } };
}

/** Opaque, so that nobody builds one. */
function cursor(id: string): string {
  return Buffer.from(`after:${id}`).toString('base64url');
}

function idOf(state: GoogleState, key: string): string | undefined {
  return state.user(key)?.id ?? state.group(key)?.id;
}

function showUser(user: GoogleUser): unknown {
  const [givenName = '', ...others] = user.name.split(' ');
  return {
    kind: 'admin#directory#user',
    id: user.id,
    primaryEmail: user.email,
    name: { givenName, familyName: others.join(' '), fullName: user.name },
    isAdmin: false,
    suspended: user.suspended,
    archived: false,
    ...(user.aliases.length === 0 ? {} : { aliases: user.aliases }),
  };
}

function showGroup(state: GoogleState, group: GoogleGroup): unknown {
  return {
    kind: 'admin#directory#group',
    id: group.id,
    email: group.email,
    name: group.email.split('@')[0],
    directMembersCount: String(state.members(group).size),
    adminCreated: true,
    ...(group.aliases.length === 0 ? {} : { aliases: group.aliases }),
  };
}

function showMember(state: GoogleState, { id, role }: GoogleMembership): unknown {
  const user = state.users.get(id);
  const email = user?.email ?? state.groups.get(id)?.email;
  return {
    kind: 'admin#directory#member',
    id,
    ...(email === undefined ? {} : { email }),
    role,
    type: user === undefined ? 'GROUP' : 'USER',
    ...(user === undefined ? {} : { status: user.suspended ? 'SUSPENDED' : 'ACTIVE' }),
  };
}
