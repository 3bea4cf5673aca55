/** What Teams needs from the environment: without all of it anybody could speak for anybody, so nothing starts. */

/** The app registration behind the bot. */
export interface TeamsCredentials {
  readonly appId: string;
  readonly type: 'SingleTenant' | 'UserAssignedMsi';
  readonly tenant: string;
  /** Absent for a managed identity. */
  readonly password?: string;
}

const GUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const TYPES = ['SingleTenant', 'UserAssignedMsi'] as const;

/** Undefined: something is missing, and was told to `problem`. */
export function readTeamsCredentials(
  env: Readonly<Record<string, string | undefined>>,
  problem: (name: string, message: string, instead?: string) => void,
): TeamsCredentials | undefined {
  const guid = (name: string, what: string): string | undefined => {
    const value = env[name]?.trim().toLowerCase() || undefined;
    if (value === undefined) problem(name, 'is not set, and the file configures chat.teams', what);
    else if (!GUID.test(value)) problem(name, 'must be a GUID', what);
    else return value;
    return undefined;
  };
  const appId = guid('MICROSOFT_APP_ID', 'the application (client) id of the bot’s app registration');
  const tenant = guid('MICROSOFT_APP_TENANT_ID', 'the id of the tenant that the app registration is in');
  const wanted = env.MICROSOFT_APP_TYPE || undefined;
  const type = TYPES.find((one) => one.toLowerCase() === wanted?.trim().toLowerCase());
  if (type === undefined)
    problem(
      'MICROSOFT_APP_TYPE',
      wanted === undefined ? 'is not set, and the file configures chat.teams' : 'is no type that Hallpass runs as',
      'SingleTenant or UserAssignedMsi',
    );
  const password = env.MICROSOFT_APP_PASSWORD || undefined;
  if (type === 'SingleTenant' && password === undefined)
    problem(
      'MICROSOFT_APP_PASSWORD',
      'is not set, and a SingleTenant app needs it',
      'a client secret of the app registration',
    );
  if (type === 'UserAssignedMsi' && password !== undefined)
    problem('MICROSOFT_APP_PASSWORD', 'is set, and a managed identity has none', 'leave it unset');
  if (appId === undefined || tenant === undefined || type === undefined) return undefined;
  return { appId, type, tenant, ...(type === 'SingleTenant' && password !== undefined ? { password } : {}) };
}
