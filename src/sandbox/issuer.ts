/**
 * A local OpenID Connect issuer on loopback: a real one, `oidc-provider`, with the people of the sandbox and a page on
 * which one of them is chosen, with a second factor or without. It is a dependency of development only, so it is
 * loaded where it is wanted, and missing where it was not installed.
 */
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { AdapterPayload, Configuration, Provider } from 'oidc-provider';
import { chooser } from './issuer-page.ts';

export interface IssuerPerson {
  /** What its tokens name as `sub`. */
  readonly subject: string;
  readonly name: string;
  readonly email: string;
}

export interface IssuerOptions {
  readonly people: readonly IssuerPerson[];
  readonly clientId: string;
  readonly clientSecret: string;
  readonly redirectUris: readonly string[];
}

export interface Issuer {
  /** `http://127.0.0.1:<port>`: the address that its tokens name. */
  readonly url: string;
  close(): Promise<void>;
}

export const ACR = { password: 'urn:okta:loa:1fa:any', mfa: 'urn:okta:loa:2fa:any' } as const;

/** What is posted by the page: `minutesAgo` makes the sign-in an old one. */
const FORM_MAX_BYTES = 4_096;

/** Absent where `oidc-provider` is not installed. */
export async function startIssuer(options: IssuerOptions): Promise<Issuer | undefined> {
  const library = await import('oidc-provider').catch(() => undefined);
  if (library === undefined) return undefined;
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const provider = new library.Provider(url, configuration(options));
  const callback = provider.callback();
  server.on('request', (request, response) => {
    const path = (request.url ?? '').split('?')[0] ?? '';
    if (path.startsWith('/interaction/'))
      void interact(provider, options, request, response).catch(() => response.writeHead(400).end('start again\n'));
    else {
      // Each time somebody is chosen anew: in a sandbox one browser is several people.
      if (path.startsWith('/auth')) forgetSession(request);
      void callback(request, response);
    }
  });
  return {
    url,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function forgetSession({ headers }: IncomingMessage): void {
  const kept = (headers.cookie ?? '').split('; ').filter((one) => !one.startsWith('_session'));
  headers.cookie = kept.join('; ');
}

function configuration({ people, clientId, clientSecret, redirectUris }: IssuerOptions): Configuration {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 });
  const jwk = privateKey.export({ format: 'jwk' });
  return {
    adapter: memory(),
    clients: [
      {
        client_id: clientId,
        client_secret: clientSecret,
        redirect_uris: [...redirectUris],
        token_endpoint_auth_method: 'client_secret_post',
      },
    ],
    jwks: { keys: [{ ...jwk, kid: 'sandbox', use: 'sig', alg: 'RS256' } as never] },
    cookies: { keys: [randomBytes(16).toString('hex')], short: { sameSite: 'lax' } },
    acrValues: Object.values(ACR),
    claims: { openid: ['sub', 'acr', 'amr', 'auth_time'], email: ['email', 'email_verified'] },
    conformIdTokenClaims: false,
    pkce: { required: () => true },
    features: { devInteractions: { enabled: false } },
    ttl: { AccessToken: 300, AuthorizationCode: 60, Grant: 3_600, IdToken: 300, Interaction: 600, Session: 3_600 },
    interactions: { url: (_context, interaction) => `/interaction/${interaction.uid}` },
    findAccount: (_context, subject) => {
      const person = people.find((one) => one.subject === subject);
      if (person === undefined) return undefined;
      return {
        accountId: subject,
        claims: () => ({ sub: subject, email: person.email, email_verified: true }),
      };
    },
    // Whoever signs in here has agreed to what the sandbox is for.
    async loadExistingGrant({ oidc }) {
      const grant = new oidc.provider.Grant({
        ...(oidc.session?.accountId === undefined ? {} : { accountId: oidc.session.accountId }),
        ...(oidc.client === undefined ? {} : { clientId: oidc.client.clientId }),
      });
      grant.addOIDCScope('openid email');
      await grant.save();
      return grant;
    },
  };
}

async function interact(
  provider: Provider,
  { people }: IssuerOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { uid, params } = await provider.interactionDetails(request, response);
  if (request.method !== 'POST') {
    const hint = typeof params['login_hint'] === 'string' ? params['login_hint'] : undefined;
    response
      .writeHead(200, {
        'content-type': 'text/html; charset=utf-8',
        'cache-control': 'no-store',
        'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
      })
      .end(chooser(uid, people, hint));
    return;
  }
  const form = new URLSearchParams(await textOf(request));
  const subject = form.get('subject') ?? '';
  if (form.get('how') === 'not') {
    const declined = { error: 'access_denied', error_description: 'declined' };
    return await provider.interactionFinished(request, response, declined, { mergeWithLastSubmission: false });
  }
  if (!people.some((one) => one.subject === subject)) throw new Error('nobody was chosen');
  const strong = form.get('how') === 'mfa';
  const minutesAgo = Number(form.get('minutesAgo') ?? 0);
  await provider.interactionFinished(request, response, {
    login: {
      accountId: subject,
      acr: strong ? ACR.mfa : ACR.password,
      amr: strong ? ['pwd', 'otp', 'mfa'] : ['pwd'],
      remember: false,
      ts: Math.floor(Date.now() / 1_000) - minutesAgo * 60,
    },
  });
}

async function textOf(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request as AsyncIterable<Buffer>) {
    text += chunk.toString('utf8');
    if (text.length > FORM_MAX_BYTES) throw new Error('the form is too large');
  }
  return text;
}

/** What is held of sign-ins under way, for as long as the process lives. */
function memory(): NonNullable<Configuration['adapter']> {
  const kept = new Map<string, AdapterPayload>();
  return (model) => {
    const key = (id: string) => `${model}:${id}`;
    const uids = (uid: string) => [...kept].find(([at, one]) => at.startsWith(`${model}:`) && one.uid === uid)?.[1];
    return {
      async upsert(id, payload) {
        kept.set(key(id), payload);
      },
      find: async (id) => kept.get(key(id)),
      findByUid: async (uid) => uids(uid),
      findByUserCode: async () => undefined,
      async consume(id) {
        const found = kept.get(key(id));
        if (found !== undefined) found['consumed'] = Math.floor(Date.now() / 1_000);
      },
      async destroy(id) {
        kept.delete(key(id));
      },
      async revokeByGrantId(grantId) {
        for (const [at, one] of kept) if (one.grantId === grantId) kept.delete(at);
      },
    };
  };
}
