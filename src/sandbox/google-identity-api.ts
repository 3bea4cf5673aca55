/** The part of Google's Cloud Identity API that the local Google answers: when memberships end by themselves. */
import type { GoogleRequest } from './google-api.ts';
import type { GoogleGroup, GoogleState } from './google-state.ts';
import type { Told } from './local-server.ts';

const SCOPE = 'https://www.googleapis.com/auth/cloud-identity.groups';
/** Google documents the one spelling, and is used with the other. */
const MASKS = new Set(['expiry_detail.expire_time', 'expiryDetail.expireTime']);

/** As this API words its errors: a status, and no list of reasons. */
function identityError(code: number, status: string, message: string): Told {
  return { status: code, body: { error: { code, message, status } } };
}

const denied = (message: string) => identityError(403, 'PERMISSION_DENIED', message);
const invalid = (message: string) => identityError(400, 'INVALID_ARGUMENT', message);
const notFound = () => identityError(404, 'NOT_FOUND', 'Error(4001): Requested entity was not found.');

/** `edition`: the account has memberships that end by themselves. */
export function answerIdentity(state: GoogleState, request: GoogleRequest, edition: boolean): Told {
  const { method, url, caller } = request;
  const [, groupId = '', rest = ''] = /^\/v1\/groups\/([^/]+)\/memberships(.*)$/.exec(url.pathname) ?? [];
  if (groupId === '') return identityError(404, 'NOT_FOUND', 'Method not found.');
  const writing = method !== 'GET';
  if (!caller.scopes.has(SCOPE) && (writing || !caller.scopes.has(`${SCOPE}.readonly`)))
    return denied('Request had insufficient authentication scopes.');
  const group = state.groups.get(groupId);
  // Whoever may not see a group is not told whether there is one.
  if (group === undefined || caller.role === 'none' || (writing && caller.role !== 'groups-admin'))
    return denied('Error(2028): Permission denied for resource (or it may not exist).');
  if (rest === ':lookup' && !writing) return lookUp(state, group, url.searchParams.get('memberKey.id') ?? '');
  if (rest === ':checkTransitiveMembership' && !writing)
    return edition
      ? { status: 200, body: { hasMembership: isIn(state, group, url.searchParams.get('query') ?? '') } }
      : denied('Error(3005): The account lacks the licence for this.');
  const [, memberId] = /^\/([^/]+):modifyMembershipRoles$/.exec(rest) ?? [];
  if (memberId === undefined || method !== 'POST') return identityError(404, 'NOT_FOUND', 'Method not found.');
  return modify(state, group, memberId, request.body, edition);
}

function lookUp(state: GoogleState, group: GoogleGroup, address: string): Told {
  const id = (state.user(address) ?? state.group(address))?.id;
  if (id === undefined || !state.shown(group).has(id)) return notFound();
  return { status: 200, body: { name: `groups/${group.id}/memberships/${id}` } };
}

function isIn(state: GoogleState, group: GoogleGroup, query: string): boolean {
  const [, address = ''] = /^member_key_id == '(.*)'$/.exec(query) ?? [];
  const id = (state.user(address) ?? state.group(address))?.id;
  return id !== undefined && state.within(group, id);
}

function modify(state: GoogleState, group: GoogleGroup, memberId: string, text: string, edition: boolean): Told {
  const member = state.members(group).get(memberId);
  if (member === undefined) return notFound();
  let params: unknown;
  try {
    params = (JSON.parse(text) as { updateRolesParams?: unknown }).updateRolesParams;
  } catch {
    return invalid('Invalid JSON payload received.');
  }
  const [update, ...more] = Array.isArray(params) ? (params as Update[]) : [];
  if (update === undefined || more.length > 0) return invalid('Exactly one role is updated here.');
  if (!MASKS.has(String(update.fieldMask))) return invalid('Invalid field mask.');
  // Owners and managers do not end by themselves.
  if (update.membershipRole?.name !== 'MEMBER' || member.role !== 'MEMBER')
    return invalid('Error(4015): Expiry is supported for the role MEMBER only.');
  if (!edition) return denied('Error(3006): The account lacks the licence for membership expiry.');
  const wanted = update.membershipRole.expiryDetail?.expireTime;
  if (wanted === null || wanted === undefined) {
    state.put(group, { id: member.id, role: member.role });
    return shown(group, memberId);
  }
  const at = Math.floor(Date.parse(wanted) / 1_000) * 1_000;
  if (!Number.isFinite(at)) return invalid('Invalid value at expire_time.');
  if (at <= state.now()) return invalid('Error(4016): The expiry must be in the future.');
  state.put(group, { id: member.id, role: member.role, expiresAt: at });
  return shown(group, memberId, new Date(at).toISOString().replace('.000Z', 'Z'));
}

interface Update {
  readonly fieldMask?: unknown;
  readonly membershipRole?: {
    readonly name?: unknown;
    readonly expiryDetail?: { readonly expireTime?: string | null };
  };
}

function shown(group: GoogleGroup, memberId: string, expireTime?: string): Told {
  const role = { name: 'MEMBER', ...(expireTime === undefined ? {} : { expiryDetail: { expireTime } }) };
  return {
    status: 200,
    body: { membership: { name: `groups/${group.id}/memberships/${memberId}`, roles: [role], type: 'USER' } },
  };
}
