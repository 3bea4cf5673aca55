/** Sign-ins at a real issuer, in this process. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { PeopleError } from '../../src/access/ports.ts';
import { type SignedIn, SignInError } from '../../src/access/sign-in.ts';
import { randomIds } from '../../src/ids.ts';
import { createMetrics } from '../../src/metrics.ts';
import { lacks } from '../../src/people/lacks.ts';
import { createSignIn } from '../../src/people/sign-in.ts';
import { proofRule, type StepUpSection, stepUpProblems } from '../../src/people/step-up-section.ts';
import { ACR, type Issuer, startIssuer } from '../../src/sandbox/issuer.ts';
import { handClock } from '../support/clock.ts';
import { visitor } from '../support/visitor.ts';

const ANA = { subject: '00uana', name: 'Ana', email: 'ana@example.com' };
const BACK = 'http://127.0.0.1:9/proof/callback';
const T0 = Date.UTC(2026, 10, 23, 9);
let issuer: Issuer;

beforeAll(async () => {
  const started = await startIssuer({
    people: [ANA],
    clientId: 'hallpass',
    clientSecret: 'secret',
    redirectUris: [BACK],
  });
  if (started === undefined) throw new Error('oidc-provider is not installed');
  issuer = started;
});
afterAll(() => issuer.close());

function section(more: Partial<StepUpSection> = {}): StepUpSection {
  return { type: 'okta', issuer: issuer.url, clientId: 'hallpass', clientSecret: 'secret', personBy: 'sub', ...more };
}

function signIn(more: Partial<StepUpSection> = {}, pins = new Map<string, string>()) {
  const disputes: string[] = [];
  const clock = handClock(T0);
  const active = {
    directory: 'okta',
    id: ANA.subject,
    login: ANA.email,
    email: ANA.email,
    name: ANA.name,
    active: true,
  };
  const signs = createSignIn({
    section: section(more),
    clock,
    wallClock: Date.now,
    metrics: createMetrics(),
    jitter: randomIds().jitter,
    withinMs: 2_000,
    identityDirectory: 'okta',
    people: {
      named: async (email) =>
        email === ANA.email ? { id: 'okta/00uana', name: 'Ana', email, active: true } : undefined,
      userIn: async (_directory, person) => {
        if (person !== 'okta/00uana') throw new PeopleError('unmapped', 'nobody');
        return active;
      },
    },
    store: {
      async pin({ space, name, id }) {
        const key = `${space} ${name}`;
        if (!pins.has(key)) pins.set(key, id);
        return pins.get(key) ?? id;
      },
    },
    disputed: async ({ key }) => void disputes.push(key),
  });
  return { signs, disputes, clock };
}

/** What the issuer sends the browser back with. */
async function comeBack(url: string, form: Readonly<Record<string, string>>): Promise<URLSearchParams> {
  const browser = visitor();
  const page = await browser.go(url);
  const back = await browser.send(page.url, { subject: ANA.subject, ...form }, BACK);
  return new URL(back.url).searchParams;
}

const codeOf = (error: unknown) => (error instanceof SignInError ? error.code : error);

it('a sign-in with a second factor is a proof, of the person with that id in the directory', async () => {
  const { signs, clock } = signIn();
  const { url, kept } = await signs.begin({ redirectUri: BACK, proof: true, hint: ANA.email });
  expect(new URL(url).searchParams.get('acr_values')).toBe(ACR.mfa);
  expect(new URL(url).searchParams.get('max_age')).toBe('300');
  const found = await signs.finish(await comeBack(url, { how: 'mfa' }), kept);
  expect(found).toMatchObject({ issuer: issuer.url, subject: '00uana', acr: ACR.mfa, amr: ['pwd', 'otp', 'mfa'] });
  expect(signs.lacks(found, clock.now())).toBeUndefined();
  expect(await signs.personOf(found)).toBe('okta/00uana');
  expect(signs.trouble()).toBeUndefined();
});

it('an issuer that answers with less than it was asked for has proven nothing', async () => {
  const { signs, clock } = signIn();
  const { url, kept } = await signs.begin({ redirectUri: BACK, proof: true });
  const found = await signs.finish(await comeBack(url, { how: 'password' }), kept);
  expect(signs.lacks(found, clock.now())).toContain('not as strong');
});

it('a session that is too old has proven nothing', async () => {
  const { signs, clock } = signIn();
  const { url, kept } = await signs.begin({ redirectUri: BACK, proof: true });
  const found = await signs.finish(await comeBack(url, { how: 'mfa', minutesAgo: '42' }), kept);
  expect(signs.lacks(found, clock.now())).toContain('42 minutes ago');
});

it('a code is good once, and only with what its own browser kept', async () => {
  const { signs } = signIn();
  const first = await signs.begin({ redirectUri: BACK, proof: true });
  const other = await signs.begin({ redirectUri: BACK, proof: true });
  const back = await comeBack(first.url, { how: 'mfa' });
  await expect(signs.finish(back, other.kept).catch(codeOf)).resolves.toBe('invalid');
  await expect(signs.finish(back, { ...first.kept, nonce: other.kept.nonce }).catch(codeOf)).resolves.toBe('invalid');
  await expect(signs.finish(back, first.kept).catch(codeOf)).resolves.toBe('invalid');
});

it('whoever turns round at the issuer has signed nothing', async () => {
  const { signs } = signIn();
  const { url, kept } = await signs.begin({ redirectUri: BACK, proof: false });
  await expect(signs.finish(await comeBack(url, { how: 'not' }), kept).catch(codeOf)).resolves.toBe('declined');
});

it('an issuer that is away, or is another, is said so and lets nobody in', async () => {
  for (const address of ['http://127.0.0.1:9', `${issuer.url}/another`]) {
    const { signs } = signIn({ issuer: address });
    await expect(signs.begin({ redirectUri: BACK, proof: true }).catch(codeOf)).resolves.toBe('unavailable');
    expect(signs.trouble()).toMatch(/issuer/);
  }
});

it('an account of Google’s outside any Workspace is nobody here, whatever its email', async () => {
  for (const [type, who] of [
    ['oidc', 'okta/00uana'],
    ['google', 'unmapped'],
  ] as const) {
    const { signs } = signIn({ type, personBy: 'email', acr: undefined, amr: ['mfa'] });
    const { url, kept } = await signs.begin({ redirectUri: BACK, proof: false });
    const found = await signs.finish(await comeBack(url, { how: 'mfa' }), kept);
    expect(await signs.personOf(found).catch(({ code }: PeopleError) => code)).toBe(who);
  }
});

it('by email, an account and a person stay each other’s', async () => {
  const pins = new Map<string, string>();
  const { signs, disputes } = signIn({ personBy: 'email' }, pins);
  const claims: SignedIn = {
    issuer: 'https://id',
    subject: 's1',
    email: ANA.email,
    emailVerified: true,
    acrs: [],
    amr: [],
  };
  expect(await signs.personOf(claims)).toBe('okta/00uana');
  const { emailVerified: _, ...rest } = claims;
  await expect(signs.personOf({ ...rest, emailVerified: false })).rejects.toMatchObject({ code: 'unmapped' });
  await expect(signs.personOf({ ...claims, subject: 's2' })).rejects.toMatchObject({ code: 'identity_changed' });
  expect(disputes).toEqual(['signs_in https://id okta/00uana s2']);
});

it('each kind of issuer has its own idea of a proof', () => {
  const now = T0;
  const base: SignedIn = { issuer: 'i', subject: 's', emailVerified: false, acrs: [], amr: [], authAt: now };
  const plain = { issuer: 'https://i', clientId: 'c', clientSecret: 's' };
  const entra = proofRule({ ...plain, type: 'entra', acr: ['c1'] });
  expect(lacks(entra, { ...base, acr: 'c1' }, now)).toContain('not as strong');
  expect(lacks(entra, { ...base, acrs: ['c1', 'c2'] }, now)).toBeUndefined();
  const google = proofRule({ ...plain, type: 'google' });
  expect(lacks(google, { ...base, amr: ['pwd'] }, now)).toContain('without "mfa"');
  expect(lacks(google, { ...base, amr: ['pwd', 'mfa'] }, now)).toBeUndefined();
  const { authAt: _, ...silent } = base;
  expect(lacks(google, { ...silent, amr: ['mfa'] }, now)).toContain('does not say when');
  expect(lacks(google, { ...base, amr: ['mfa'], authAt: now + 120_000 }, now)).toContain('future');
});

it('a section that could prove nothing is refused', () => {
  const plain = { issuer: 'https://i', clientId: 'c', clientSecret: 's' };
  const keys = (more: Partial<StepUpSection> & Pick<StepUpSection, 'type'>, emailsTrusted = true) =>
    stepUpProblems({ ...plain, ...more }, { identityOkta: 'https://acme.okta.com', emailsTrusted })
      .filter(({ warning }) => warning !== true)
      .map(({ key }) => key);
  expect(keys({ type: 'okta', issuer: 'https://acme.okta.com/oauth2/default' })).toEqual([]);
  expect(keys({ type: 'okta', issuer: 'https://other.okta.com' })).toEqual(['personBy']);
  expect(keys({ type: 'oidc', personBy: 'sub' })).toEqual(['type']);
  expect(keys({ type: 'entra', personBy: 'sub' })).toEqual(['acr']);
  expect(keys({ type: 'google', personBy: 'email' }, false)).toEqual(['personBy']);
});
