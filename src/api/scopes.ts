/** What a machine may be given. A person who is signed in may do whatever they may, and needs none. */
export const SCOPES = {
  'requests:read': 'see requests and grants that its person may see',
  'requests:write': 'ask for access for its person, and take requests back',
  'grants:write': 'ask for more time on its person’s grants, and give them back',
  revoke: 'end access, where its person is a responder',
  freeze: 'freeze, where its person is a responder',
  'reviews:read': 'see the reviews that are owed, where its person may',
  'directories:read': 'see how directories answer, where its person is an admin or a responder',
  'activity:read': 'see what was done under grants and what was found in it, where its person may',
  'audit:read': 'read the whole audit trail, whoever its person is',
} as const;

export type Scope = keyof typeof SCOPES;

export function isScope(text: string): text is Scope {
  return Object.hasOwn(SCOPES, text);
}
