/**
 * The Bot Framework, and the only file that knows its SDK: whether an activity is genuine, and calls to the connector.
 * The SDK is archived; docs/decisions/botbuilder.md says what it costs to leave it.
 */
import { ConfigurationBotFrameworkAuthentication } from 'botbuilder';
import { type BotOptions, createBot, type Teams } from './bot.ts';
import { said } from './calls.ts';
import { Unauthenticated, type Wire } from './wire.ts';
import { within } from './within.ts';

export type { Teams, TeamsFacts, TeamsRoute } from './bot.ts';

/** The app registration of the bot. */
export interface TeamsIdentity {
  readonly appId: string;
  readonly type: 'SingleTenant' | 'UserAssignedMsi';
  readonly tenant: string;
  /** Absent for a managed identity. */
  readonly password?: string;
}

export interface TeamsOptions extends Omit<BotOptions, 'wire' | 'local'> {
  /** Left out: nothing is verified, and only this machine is spoken to. For the sandbox, on loopback. */
  readonly identity?: TeamsIdentity;
  /** For tests: whose tokens are believed instead of Bot Framework's; none of our own is fetched then. */
  readonly trust?: { readonly metadataUrl: string };
}

const TOKEN_WITHIN_MS = 15_000;

/** Whether Microsoft gives this bot a token, as it would need one to say anything. Throws with what Microsoft says. */
export async function askForToken(identity: TeamsIdentity): Promise<void> {
  const authentication = authenticationOf(identity, undefined);
  const connector = await authentication.createConnectorFactory(ourClaims(identity.appId)).create(ANY_SERVICE);
  const { credentials } = connector as unknown as {
    readonly credentials: { getToken(fresh: boolean): Promise<string> };
  };
  const asked = credentials.getToken(true).then(
    () => undefined,
    (error: unknown) => new Error(said(error)),
  );
  const answer = await within(asked, TOKEN_WITHIN_MS);
  if (typeof answer !== 'object') throw new Error(`Microsoft gave no answer within ${TOKEN_WITHIN_MS / 1000} s`);
  if (answer.value !== undefined) throw answer.value;
}

type Authentication = ConfigurationBotFrameworkAuthentication;
type Claims = Parameters<Authentication['createConnectorFactory']>[0];
type Credentials = NonNullable<ConstructorParameters<typeof ConfigurationBotFrameworkAuthentication>[1]>;
type Connector = Awaited<ReturnType<ReturnType<Authentication['createConnectorFactory']>['create']>>;
type Conversations = Connector['conversations'];

const ISSUER = 'https://api.botframework.com';
/** A token is for Bot Framework as a whole, not for one of its addresses. */
const ANY_SERVICE = 'https://smba.trafficmanager.net/teams/';
/** Bot Framework and we may disagree about the time by as much as its SDK allows. */
const SKEW_MS = 5 * 60_000;
const CONNECTORS_MAX = 20;
const VERIFY_MS = 5_000;

export function createTeams(options: TeamsOptions): Teams {
  const { identity, trust, ...rest } = options;
  return createBot({
    ...rest,
    local: identity === undefined || trust !== undefined,
    wire: createWire(identity, trust),
  });
}

function authenticationOf(identity: TeamsIdentity | undefined, trust: TeamsOptions['trust']): Authentication {
  return new ConfigurationBotFrameworkAuthentication(
    {
      ...(identity === undefined
        ? {}
        : {
            MicrosoftAppId: identity.appId,
            MicrosoftAppType: identity.type,
            MicrosoftAppTenantId: identity.tenant,
            ...(identity.password === undefined ? {} : { MicrosoftAppPassword: identity.password }),
          }),
      ...(trust === undefined
        ? {}
        : { ToBotFromChannelOpenIdMetadataUrl: trust.metadataUrl, ToBotFromChannelTokenIssuer: ISSUER }),
    },
    identity === undefined || trust === undefined ? undefined : withoutToken(identity.appId),
  );
}

function createWire(identity: TeamsIdentity | undefined, trust: TeamsOptions['trust']): Wire {
  const authentication = authenticationOf(identity, trust);
  const factory = authentication.createConnectorFactory(ourClaims(identity?.appId ?? ''));
  const connectors = new Map<string, Promise<Conversations>>();

  function conversations(serviceUrl: string): Promise<Conversations> {
    const known = connectors.get(serviceUrl);
    if (known !== undefined) return known;
    if (connectors.size >= CONNECTORS_MAX) connectors.clear();
    const made = factory.create(serviceUrl).then(once);
    connectors.set(serviceUrl, made);
    made.catch(() => connectors.delete(serviceUrl));
    return made;
  }

  return {
    async authenticate(authorization, activity) {
      if (identity === undefined) return;
      if (!looksGenuine(authorization, identity.appId))
        throw new Unauthenticated('no token of Bot Framework for this bot');
      const asked = authentication
        .authenticateRequest(activity as Parameters<Authentication['authenticateRequest']>[0], authorization)
        .then(
          () => undefined,
          (error: unknown) => new Unauthenticated(said(error), error),
        );
      // Its keys are fetched now and then, without a deadline of the SDK's own.
      const verdict = await within(asked, VERIFY_MS);
      if (typeof verdict !== 'object')
        throw new Unauthenticated('the keys of Bot Framework could not be fetched in time');
      if (verdict.value !== undefined) throw verdict.value;
    },
    async send({ serviceUrl, conversation }, activity, abortSignal) {
      const api = await conversations(serviceUrl);
      return api.sendToConversation(conversation, activity as SentActivity, { abortSignal });
    },
    async update({ serviceUrl, conversation }, activityId, activity, abortSignal) {
      const api = await conversations(serviceUrl);
      await api.updateActivity(conversation, activityId, activity as SentActivity, { abortSignal });
    },
    async open(serviceUrl, what, abortSignal) {
      const api = await conversations(serviceUrl);
      const bot = { id: identity === undefined ? '28:hallpass' : `28:${identity.appId}`, name: 'Hallpass' };
      return api.createConversation({ ...what, bot } as OpenedConversation, { abortSignal });
    },
    async member({ serviceUrl, conversation }, id, abortSignal) {
      const api = await conversations(serviceUrl);
      return api.getConversationMember(conversation, id, { abortSignal });
    },
    async members({ serviceUrl, conversation }, continuationToken, abortSignal) {
      const api = await conversations(serviceUrl);
      // Its type forgets what all its calls take.
      const paging = { abortSignal, pageSize: 500, ...(continuationToken === undefined ? {} : { continuationToken }) };
      return (api.getConversationPagedMembers as Paging).call(api, conversation, paging);
    },
  };
}

type SentActivity = Parameters<Conversations['sendToConversation']>[1];
type Paging = (conversation: string, options: object) => ReturnType<Wire['members']>;
type OpenedConversation = Parameters<Conversations['createConversation']>[0];

/** Who we are towards the connector; the SDK reads nothing else of it. */
function ourClaims(appId: string): Claims {
  return { getClaimValue: (type: string) => (type === 'aud' || type === 'appid' ? appId : null) } as Claims;
}

/**
 * Looked at before the signature. The SDK also takes tokens that a tenant issues to whoever holds this bot's own secret,
 * without binding them to an address; nothing but Bot Framework itself may speak for people here.
 */
function looksGenuine(authorization: string, appId: string): boolean {
  const [scheme, token, ...more] = authorization.split(' ');
  const parts = token?.split('.') ?? [];
  if (scheme !== 'Bearer' || parts.length !== 3 || more.length > 0) return false;
  try {
    const header = JSON.parse(Buffer.from(parts[0] ?? '', 'base64url').toString()) as Record<string, unknown>;
    const claims = JSON.parse(Buffer.from(parts[1] ?? '', 'base64url').toString()) as Record<string, unknown>;
    const { iss, aud, exp } = claims;
    const current = typeof exp === 'number' && exp * 1000 > Date.now() - SKEW_MS;
    return /^RS(?:256|384|512)$/.test(String(header.alg)) && iss === ISSUER && aud === appId && current;
  } catch {
    return false;
  }
}

/**
 * Sends once, and to nobody else. Retried by the SDK, a message whose answer was lost would be posted again within the
 * second, and the job decides instead; a redirect would take our token where the address check never looked. The SDK
 * passes no options through to the client that does both, so its policies are taken out.
 */
function once(connector: Connector): Conversations {
  const { client } = connector as unknown as {
    readonly client: { readonly pipeline: { removePolicy(which: object): readonly { readonly name: string }[] } };
  };
  const removed = [
    ...client.pipeline.removePolicy({ phase: 'Retry' }),
    ...client.pipeline.removePolicy({ name: 'redirectPolicy' }),
  ];
  if (removed.length < 2) throw new Error('the Bot Framework SDK retries or follows redirects in a way we do not know');
  return connector.conversations;
}

/** Towards a connector on this machine there is no token to fetch. */
function withoutToken(appId: string): Credentials {
  return {
    isValidAppId: async (given: string) => given === appId,
    isAuthenticationDisabled: async () => false,
    createCredentials: async () => ({ signRequest: async (request: unknown) => request }),
  } as unknown as Credentials;
}
