/** An issuer of job tokens, as GitHub and GitLab are: its own keys, found where it says, without a socket. */
import { createHash } from 'node:crypto';
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose';

export const GITHUB = 'https://token.actions.githubusercontent.com';
export const GITLAB = 'https://gitlab.example.com';
export const AUDIENCE = 'https://hallpass.acme.example';

export interface Issuer {
  readonly url: string;
  /** A signed token with these claims over the usual ones; `null` leaves one out. */
  token(claims?: Record<string, unknown>): Promise<string>;
  /** How often its keys were fetched. */
  readonly fetched: number;
  /** It does not answer from now on. */
  down: boolean;
  readonly fetch: typeof fetch;
}

export async function createIssuer(
  url: string,
  usual: () => JWTPayload,
  options: { readonly alg?: 'RS256' | 'ES256'; readonly keyId?: string } = {},
): Promise<Issuer> {
  const { alg = 'RS256', keyId = createHash('sha256').update(url).digest('hex').slice(0, 8) } = options;
  const { publicKey, privateKey } = await generateKeyPair(alg);
  const keys = { keys: [{ ...(await exportJWK(publicKey)), kid: keyId, alg, use: 'sig' }] };
  let fetched = 0;
  const issuer = {
    url,
    down: false,
    get fetched() {
      return fetched;
    },
    async token(claims: Record<string, unknown> = {}) {
      const all = Object.fromEntries(Object.entries({ ...usual(), ...claims }).filter(([, value]) => value !== null));
      return await new SignJWT(all).setProtectedHeader({ alg, kid: keyId, typ: 'JWT' }).sign(privateKey);
    },
    fetch: async (address: string | URL | Request) => {
      if (issuer.down) throw new TypeError('fetch failed');
      const path = String(address).slice(url.length);
      if (path === '/.well-known/openid-configuration') return Response.json({ issuer: url, jwks_uri: `${url}/keys` });
      fetched++;
      return path === '/keys' ? Response.json(keys) : new Response('', { status: 404 });
    },
  };
  return issuer;
}

let tokens = 0;

/** What GitHub says of a deployment of `main` that Ana (account 7001) has set off. */
export function githubClaims(now: number): JWTPayload {
  const seconds = Math.floor(now / 1000);
  return {
    iss: GITHUB,
    aud: AUDIENCE,
    sub: 'repo:acme@9001/shop@4001:environment:production',
    iat: seconds,
    nbf: seconds,
    exp: seconds + 300,
    jti: `github-${++tokens}`,
    repository: 'acme/shop',
    repository_id: '4001',
    repository_owner: 'acme',
    repository_owner_id: '9001',
    actor: 'ana-sousa',
    actor_id: '7001',
    event_name: 'push',
    environment: 'production',
    ref: 'refs/heads/main',
    ref_protected: 'true',
    run_id: '1234',
    run_attempt: '1',
  };
}

/** The same of GitLab. */
export function gitlabClaims(now: number): JWTPayload {
  const seconds = Math.floor(now / 1000);
  return {
    iss: GITLAB,
    aud: AUDIENCE,
    sub: 'project_path:acme/shop:ref_type:branch:ref:main',
    iat: seconds,
    nbf: seconds,
    exp: seconds + 3_600,
    jti: `gitlab-${++tokens}`,
    project_id: '55',
    project_path: 'acme/shop',
    namespace_id: '66',
    user_id: '8001',
    pipeline_source: 'push',
    pipeline_id: '900',
    job_id: '901',
    ref_protected: 'true',
  };
}
