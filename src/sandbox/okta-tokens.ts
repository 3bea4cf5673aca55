/** Who may call the local Okta: API tokens it was told of, and bearer tokens it issued itself. */
import { createPublicKey, type KeyObject, randomBytes } from 'node:crypto';
import { decodeJwt, jwtVerify } from 'jose';
import { OktaProofs } from './okta-dpop.ts';
import type { OktaActor } from './okta-state.ts';

export interface OktaSeedToken {
  readonly token: string;
  /** Its administrator may look and not change. */
  readonly readOnly?: boolean;
}

export interface OktaSeedClient {
  readonly clientId: string;
  /** PEM. */
  readonly publicKey: string;
  readonly keyId?: string;
  /** What a Super Admin granted; default okta.groups.manage and okta.users.read. */
  readonly scopes?: readonly string[];
  /** Whether the app requires proofs of possession. */
  readonly dpop?: boolean;
}

export interface Caller {
  /** Names the rate-limit budget. */
  readonly credential: string;
  readonly scopes: ReadonlySet<string>;
  readonly actor: OktaActor;
}

/** A call as it came in. */
export interface Asked {
  readonly authorization: string | undefined;
  readonly proof: string | undefined;
  readonly method: string;
  /** Without query and fragment. */
  readonly url: string;
}

export interface TokenAnswer {
  readonly status: number;
  readonly body: { readonly [key: string]: string | number };
  readonly nonce?: string;
}

/** The administrator as whom every API token of this server acts. */
export const TOKEN_OWNER: OktaActor = { id: '00utokenowner0000000', type: 'User' };

const ASSERTION_LIFE_MAX_S = 3_600;
const CLIENT_SCOPES = ['okta.groups.manage', 'okta.users.read'];

interface Client {
  readonly key: KeyObject;
  readonly keyId?: string;
  readonly scopes: ReadonlySet<string>;
  readonly dpop: boolean;
}

export class OktaTokens {
  readonly #now: () => number;
  readonly #lifeS: number;
  readonly #apiTokens = new Map<string, Caller>();
  readonly #bearers = new Map<string, Caller & { readonly until: number; readonly key?: string }>();
  readonly #proofs = new OktaProofs();
  readonly #nonce = randomBytes(12).toString('base64url');
  readonly #clients = new Map<string, Client>();
  /** Assertion ids that were used; the same one again is a replay. */
  readonly #used = new Set<string>();
  issued = 0;

  constructor(
    seed: { readonly tokens?: readonly OktaSeedToken[]; readonly clients?: readonly OktaSeedClient[] },
    options: { readonly now: () => number; readonly lifeS: number },
  ) {
    this.#now = options.now;
    this.#lifeS = options.lifeS;
    for (const each of seed.tokens ?? []) this.addApiToken(each);
    for (const each of seed.clients ?? []) {
      const client = {
        key: createPublicKey(each.publicKey),
        scopes: new Set(each.scopes ?? CLIENT_SCOPES),
        dpop: each.dpop === true,
      };
      this.#clients.set(each.clientId, each.keyId === undefined ? client : { ...client, keyId: each.keyId });
    }
  }

  addApiToken({ token, readOnly }: OktaSeedToken): void {
    const scopes =
      readOnly === true
        ? ['okta.groups.read', 'okta.users.read']
        : ['okta.groups.manage', 'okta.users.manage', 'okta.users.read', 'okta.logs.read'];
    const actor: OktaActor = { ...TOKEN_OWNER, apiTokenId: `00T${token.length}${this.#apiTokens.size}` };
    this.#apiTokens.set(token, { credential: `token ${token.slice(0, 4)}…`, scopes: new Set(scopes), actor });
  }

  /** Forgets an API token, or without one every bearer token issued so far. */
  revoke(token?: string): void {
    if (token === undefined) this.#bearers.clear();
    else {
      this.#apiTokens.delete(token);
      this.#bearers.delete(token);
    }
  }

  async caller(asked: Asked): Promise<Caller | undefined> {
    const [, scheme, token] = /^(SSWS|Bearer|DPoP) (\S+)$/.exec(asked.authorization ?? '') ?? [];
    if (token === undefined) return undefined;
    if (scheme === 'SSWS') return this.#apiTokens.get(token);
    const bearer = this.#bearers.get(token);
    if (bearer === undefined || bearer.until <= this.#now()) return undefined;
    // A token that is bound to a key is of no use as a plain one, nor with another's proof.
    if ((bearer.key === undefined) !== (scheme === 'Bearer')) return undefined;
    if (bearer.key === undefined) return bearer;
    const { proof = '', method, url } = asked;
    const checked = await this.#proofs.check({ proof, method, url, token, now: this.#now() });
    return checked?.key === bearer.key ? bearer : undefined;
  }

  /** `POST /oauth2/v1/token`, for client_credentials with private_key_jwt. */
  async issue(form: URLSearchParams, tokenUrl: string, proof?: string): Promise<TokenAnswer> {
    if (form.get('grant_type') !== 'client_credentials') {
      return refuse(400, 'unsupported_grant_type', 'The authorization grant type is not supported.');
    }
    if (form.get('client_assertion_type') !== 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer') {
      return refuse(401, 'invalid_client', 'Client authentication failed.');
    }
    const assertion = form.get('client_assertion') ?? '';
    let clientId: string;
    let client: Client;
    try {
      clientId = String(decodeJwt(assertion).sub);
      const found = this.#clients.get(clientId);
      if (found === undefined) return refuse(401, 'invalid_client', "Invalid value for 'client_id' parameter.");
      client = found;
      const { payload, protectedHeader } = await jwtVerify(assertion, client.key, {
        issuer: clientId,
        subject: clientId,
        audience: tokenUrl,
        algorithms: ['RS256', 'ES256'],
        requiredClaims: ['exp', 'aud', 'iss', 'sub', 'jti'],
        currentDate: new Date(this.#now()),
      });
      if (client.keyId !== undefined && protectedHeader.kid !== client.keyId) throw new Error('kid');
      if (payload.exp !== undefined && payload.exp * 1_000 > this.#now() + ASSERTION_LIFE_MAX_S * 1_000) {
        return refuse(401, 'invalid_client', 'The client_assertion token has an expiration too far into the future.');
      }
      if (this.#used.has(String(payload.jti))) {
        return refuse(401, 'invalid_client', 'The client_assertion token has already been used.');
      }
      this.#used.add(String(payload.jti));
    } catch {
      return refuse(401, 'invalid_client', 'The client_assertion token could not be verified.');
    }
    const asked = (form.get('scope') ?? '').split(' ').filter((scope) => scope !== '');
    if (asked.length === 0) return refuse(400, 'invalid_scope', 'The authorization server does not allow empty scope.');
    if (!asked.every((scope) => client.scopes.has(scope))) {
      return refuse(400, 'invalid_scope', 'One or more scopes are not granted to the client application.');
    }
    let key: string | undefined;
    if (client.dpop) {
      if (proof === undefined) return refuse(400, 'invalid_dpop_proof', 'The DPoP proof JWT header is missing.');
      const checked = await this.#proofs.check({ proof, method: 'POST', url: tokenUrl, now: this.#now() });
      if (checked === undefined) return refuse(400, 'invalid_dpop_proof', 'The DPoP proof JWT is invalid.');
      if (checked.nonce !== this.#nonce)
        return {
          ...refuse(400, 'use_dpop_nonce', 'Authorization server requires nonce in DPoP proof.'),
          nonce: this.#nonce,
        };
      key = checked.key;
    }
    const token = `local.${randomBytes(24).toString('base64url')}`;
    const until = this.#now() + this.#lifeS * 1_000;
    const caller = {
      credential: `client ${clientId}`,
      scopes: new Set(asked),
      until,
      actor: { id: clientId, type: 'PublicClientApp' } as const,
    };
    this.#bearers.set(token, key === undefined ? caller : { ...caller, key });
    this.issued += 1;
    const type = key === undefined ? 'Bearer' : 'DPoP';
    const body = { token_type: type, expires_in: this.#lifeS, access_token: token, scope: asked.join(' ') };
    return { status: 200, body };
  }
}

function refuse(status: number, error: string, description: string): TokenAnswer {
  return { status, body: { error, error_description: description } };
}
