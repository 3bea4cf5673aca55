/** Who may call the local Google: service accounts it was told of, by the tokens it issued them. */
import { createPublicKey, type KeyObject, randomBytes } from 'node:crypto';
import { decodeJwt, jwtVerify } from 'jose';

export interface GoogleSeedAccount {
  readonly email: string;
  /** PEM. */
  readonly publicKey: string;
  /** The role it was assigned, or for domain-wide delegation that of the administrators it may act as. */
  readonly role?: 'groups-admin' | 'read-only' | 'none';
  /** Administrators it may act as; acting as anybody is refused to whoever is not named. */
  readonly delegates?: readonly string[];
}

export interface GoogleCaller {
  readonly credential: string;
  readonly scopes: ReadonlySet<string>;
  readonly role: NonNullable<GoogleSeedAccount['role']>;
}

export interface GoogleTokenAnswer {
  readonly status: number;
  readonly body: Readonly<Record<string, string | number>>;
}

/** The audience that Google's client writes, whatever address it is lent. */
const AUDIENCE = 'https://oauth2.googleapis.com/token';
const ASSERTION_LIFE_MAX_S = 3_600;

interface Account {
  readonly key: KeyObject;
  readonly role: GoogleCaller['role'];
  readonly delegates: ReadonlySet<string>;
}

export class GoogleTokens {
  readonly #now: () => number;
  readonly #lifeS: number;
  readonly #accounts = new Map<string, Account>();
  readonly #issued = new Map<string, GoogleCaller & { readonly until: number }>();
  issued = 0;

  constructor(accounts: readonly GoogleSeedAccount[], options: { readonly now: () => number; readonly lifeS: number }) {
    this.#now = options.now;
    this.#lifeS = options.lifeS;
    for (const { email, publicKey, role, delegates } of accounts)
      this.#accounts.set(email, {
        key: createPublicKey(publicKey),
        role: role ?? 'groups-admin',
        delegates: new Set(delegates),
      });
  }

  /** Forgets every token issued so far, and with `accounts` who may have a new one. */
  revoke(accounts: boolean): void {
    this.#issued.clear();
    if (accounts) this.#accounts.clear();
  }

  caller(authorization: string | undefined): GoogleCaller | undefined {
    const [, token] = /^Bearer (\S+)$/.exec(authorization ?? '') ?? [];
    const found = token === undefined ? undefined : this.#issued.get(token);
    return found !== undefined && found.until > this.#now() ? found : undefined;
  }

  /** `POST /token` with a signed assertion. */
  async issue(form: URLSearchParams): Promise<GoogleTokenAnswer> {
    if (form.get('grant_type') !== 'urn:ietf:params:oauth:grant-type:jwt-bearer')
      return refuse('unsupported_grant_type', 'Invalid grant_type.');
    const assertion = form.get('assertion') ?? '';
    let email: string;
    let account: Account;
    let payload: Awaited<ReturnType<typeof jwtVerify>>['payload'];
    try {
      email = String(decodeJwt(assertion).iss);
      const found = this.#accounts.get(email);
      if (found === undefined) return refuse('invalid_grant', 'Invalid grant: account not found');
      account = found;
      const verified = await jwtVerify(assertion, account.key, {
        issuer: email,
        audience: AUDIENCE,
        algorithms: ['RS256'],
        requiredClaims: ['iss', 'aud', 'exp', 'iat', 'scope'],
        currentDate: new Date(this.#now()),
        clockTolerance: 1,
      });
      payload = verified.payload;
    } catch {
      return refuse('invalid_grant', 'Invalid JWT Signature.');
    }
    if ((payload.exp ?? 0) - (payload.iat ?? 0) > ASSERTION_LIFE_MAX_S)
      return refuse('invalid_grant', 'Invalid JWT: Token must be a short-lived token (60 minutes).');
    if (payload.sub !== undefined && payload.sub !== email && !account.delegates.has(payload.sub))
      return refuse(
        'unauthorized_client',
        'Client is unauthorized to retrieve access tokens using this method, or client not authorized for any of the scopes requested.',
      );
    const scopes = new Set(String(payload.scope).split(' '));
    const token = `ya29.local.${randomBytes(24).toString('base64url')}`;
    const until = this.#now() + this.#lifeS * 1_000;
    this.#issued.set(token, { credential: payload.sub ?? email, scopes, role: account.role, until });
    this.issued += 1;
    return { status: 200, body: { access_token: token, expires_in: this.#lifeS, token_type: 'Bearer' } };
  }
}

function refuse(error: string, description: string): GoogleTokenAnswer {
  return { status: error === 'unauthorized_client' ? 401 : 400, body: { error, error_description: description } };
}
