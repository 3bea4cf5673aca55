/**
 * What Okta itself publishes of the operations that Hallpass calls: an extract of its management OpenAPI, version
 * 2026.06.3 (github.com/okta/okta-management-openapi-spec, dist/2026.06.3/management-minimal.yaml). Only names and types.
 */

export interface OktaOperation {
  readonly id: string;
  readonly verb: 'GET' | 'PUT' | 'DELETE';
  readonly path: string;
  readonly query: readonly string[];
  /** The largest `limit`, where one is stated. */
  readonly limitMax?: number;
  readonly statuses: readonly number[];
  readonly scope: string;
}

const READ = [200, 403, 404, 429];
const CHANGE = [204, 403, 404, 429];

export const OKTA_OPERATIONS: readonly OktaOperation[] = [
  {
    id: 'listGroups',
    verb: 'GET',
    path: '/api/v1/groups',
    query: ['search', 'filter', 'q', 'after', 'limit', 'expand', 'sortBy', 'sortOrder'],
    limitMax: 10_000,
    statuses: [200, 403, 429],
    scope: 'okta.groups.read',
  },
  {
    id: 'listGroupRules',
    verb: 'GET',
    path: '/api/v1/groups/rules',
    query: ['limit', 'after', 'search', 'expand'],
    limitMax: 200,
    statuses: [200, 403, 429],
    scope: 'okta.groups.read',
  },
  {
    id: 'getGroup',
    verb: 'GET',
    path: '/api/v1/groups/{groupId}',
    query: [],
    statuses: READ,
    scope: 'okta.groups.read',
  },
  {
    id: 'listGroupUsers',
    verb: 'GET',
    path: '/api/v1/groups/{groupId}/users',
    query: ['after', 'limit'],
    statuses: READ,
    scope: 'okta.groups.read',
  },
  {
    id: 'assignUserToGroup',
    verb: 'PUT',
    path: '/api/v1/groups/{groupId}/users/{userId}',
    query: [],
    statuses: CHANGE,
    scope: 'okta.groups.manage',
  },
  {
    id: 'unassignUserFromGroup',
    verb: 'DELETE',
    path: '/api/v1/groups/{groupId}/users/{userId}',
    query: [],
    statuses: CHANGE,
    scope: 'okta.groups.manage',
  },
  {
    id: 'getUser',
    verb: 'GET',
    path: '/api/v1/users/{id}',
    query: ['expand'],
    statuses: READ,
    scope: 'okta.users.read',
  },
  {
    id: 'listUserGroups',
    verb: 'GET',
    path: '/api/v1/users/{id}/groups',
    query: [],
    statuses: READ,
    scope: 'okta.users.read',
  },
  {
    id: 'revokeUserSessions',
    verb: 'DELETE',
    path: '/api/v1/users/{userId}/sessions',
    query: ['oauthTokens', 'forgetDevices'],
    statuses: CHANGE,
    scope: 'okta.users.manage',
  },
];

/** Properties of what the operations answer with. */
export const OKTA_SCHEMAS = {
  User: 'activated created credentials id lastLogin lastUpdated passwordChanged profile realmId status statusChanged transitioningToStatus type _embedded _links',
  Group: 'created id lastMembershipUpdated lastUpdated objectClass profile type _embedded _links',
  GroupRule: 'actions conditions created id lastUpdated name status type _embedded',
  Error: 'errorCauses errorCode errorId errorLink errorSummary',
} as const;

export const OKTA_STATUSES = {
  user: ['ACTIVE', 'DEPROVISIONED', 'LOCKED_OUT', 'PASSWORD_EXPIRED', 'PROVISIONED', 'RECOVERY', 'STAGED', 'SUSPENDED'],
  group: ['APP_GROUP', 'BUILT_IN', 'OKTA_GROUP'],
  rule: ['ACTIVE', 'INACTIVE', 'INVALID'],
} as const;

/** The published operation that a request is, when its verb, path, query parameters and page size are Okta's own. */
export function oktaOperation(verb: string, address: string): OktaOperation | undefined {
  const url = new URL(address, 'http://127.0.0.1');
  const fits = (operation: OktaOperation) =>
    operation.verb === verb &&
    new RegExp(`^${operation.path.replace(/\{\w+\}/g, '[^/]+')}$`).test(url.pathname) &&
    [...url.searchParams.keys()].every((name) => operation.query.includes(name)) &&
    Number(url.searchParams.get('limit') ?? 1) <= (operation.limitMax ?? Number.POSITIVE_INFINITY);
  // `/groups/rules` is also a path of a group by the name of "rules": the one without parameters is meant.
  return OKTA_OPERATIONS.filter(fits).sort((a, b) => a.path.split('{').length - b.path.split('{').length)[0];
}
