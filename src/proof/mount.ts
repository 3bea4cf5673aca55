/**
 * Where a link for a proof leads: to the issuer, back, to a page that shows what is being confirmed, and to the click.
 * Following a link changes nothing: chat platforms follow links by themselves, and people forward them.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { type Catalog, entitlementById } from '../access/catalog.ts';
import type { Answer, Command } from '../access/command.ts';
import { decideSignedIn } from '../access/decide-proof.ts';
import type { Instant, PersonId, Proof } from '../access/model.ts';
import { type Clock, type Metrics, type People, PeopleError, StaleStateError, type Store } from '../access/ports.ts';
import { proofView } from '../access/proof-view.ts';
import { type SignedIn, type SignIn, SignInError } from '../access/sign-in.ts';
import type { RequestView } from '../access/view.ts';
import { answerText, doneSentence, refusalText } from '../access/words.ts';
import { cookies } from './cookies.ts';
import { confirmPage, POLICY, type Said, saidPage } from './page.ts';

export interface ProofParts {
  /** Where browsers find Hallpass, without a slash at its end. */
  readonly baseUrl: string;
  readonly signIn: SignIn;
  readonly store: Pick<Store, 'proof' | 'request' | 'commit'>;
  readonly people: Pick<People, 'identify' | 'byId'>;
  readonly handler: {
    handle(command: Command): Promise<Answer>;
    view(id: string, zone?: string): Promise<RequestView | undefined>;
  };
  readonly catalog: () => Catalog;
  readonly clock: Clock;
  readonly metrics: Metrics;
  /** 256 random bits or more, as text without `;`. */
  readonly secret: () => string;
  readonly log: { warn(detail: object, message: string): void; error(detail: object, message: string): void };
}

export interface ProofMount {
  readonly prefix: string;
  readonly maxBody: number;
  fetch(request: Request): Promise<Response>;
  refuse(status: 413 | 500): Response;
}

const PREFIX = '/proof';
const ATTEMPTS_MAX = 5;
const ID = /^\/proof\/([0-9a-f]{16,64})$/;

export function proofLink(baseUrl: string): (id: string) => string {
  return (id) => `${baseUrl}${PREFIX}/${id}`;
}

const CHAT = 'Go back to chat and do it again there, for a new link.';
const OVER: Said = {
  title: 'This link is over',
  text: 'It was used, replaced by a newer one, or its time is over.',
  next: CHAT,
};

export function createProofMount(parts: ProofParts): ProofMount {
  const { signIn, store, handler, clock, baseUrl, log } = parts;
  const { origin, protocol } = new URL(baseUrl);
  const jar = cookies(protocol === 'https:');
  const redirectUri = `${baseUrl}${PREFIX}/callback`;
  const linkOf = proofLink(baseUrl);

  /** From the link to the issuer. */
  async function leave(id: string): Promise<Response> {
    const proof = await store.proof(id);
    if (proof === undefined || !isOpen(proof, clock.now())) return await say(410, OVER);
    const hint = await parts.people.identify(proof.by).catch(() => undefined);
    try {
      const { url, kept } = await signIn.begin({
        redirectUri,
        proof: true,
        ...(hint === undefined || hint.email === '' ? {} : { hint: hint.email }),
      });
      return new Response(null, {
        status: 302,
        headers: { location: url, 'set-cookie': jar.signIn({ proof: id, kept }) },
      });
    } catch (error) {
      return await failed(error, id);
    }
  }

  /** Back from the issuer. */
  async function come(query: URLSearchParams, header: string | null): Promise<Response> {
    const underWay = jar.readSignIn(header);
    if (underWay === undefined)
      return await say(400, {
        title: 'This sign-in is not known here',
        text: 'It was begun in another browser, is too old, or was finished already.',
        next: 'Open the link from chat again. Nothing was done.',
      });
    // Before the issuer is asked: whoever makes such a cookie up must not have us ask it.
    const proof = await store.proof(underWay.proof);
    if (proof === undefined || !isOpen(proof, clock.now())) return await say(410, OVER, [jar.clearSignIn]);
    try {
      const signedIn = await signIn.finish(query, { ...underWay.kept, redirectUri });
      return await judge(underWay.proof, signedIn);
    } catch (error) {
      return await failed(error, underWay.proof, [jar.clearSignIn]);
    }
  }

  async function judge(id: string, signedIn: SignedIn): Promise<Response> {
    const person = await personOf(signedIn);
    const seal = parts.secret();
    const proof = await settle(id, signedIn, person, seal);
    const clear = [jar.clearSignIn];
    if (proof === undefined) return await say(410, OVER, clear);
    parts.metrics.count('hallpass_proofs_total', { outcome: proof.failed ?? proof.state });
    if (proof.failed === 'wrong_person')
      return await say(
        403,
        {
          title: 'This is somebody else’s link',
          text: 'Whoever signed in is not the person who asked. Nothing was done, the link is out of use, and the attempt is in the audit trail.',
          next: 'If it is yours, go back to chat for a new link and sign in as yourself. Never confirm what somebody else sends you.',
        },
        clear,
      );
    if (proof.state === 'failed')
      return await say(
        403,
        {
          title: 'The sign-in does not prove enough',
          text: `It does not count: ${signIn.lacks(signedIn, clock.now()) ?? 'it is too old by now'}. Nothing was done.`,
          next: 'Go back to chat for a new link, and sign in with your second factor. If the identity provider never asks for it, whoever runs Hallpass has to look at it.',
        },
        clear,
      );
    return await show(proof, seal, clear);
  }

  async function personOf(signedIn: SignedIn): Promise<PersonId | undefined> {
    try {
      return await signIn.personOf(signedIn);
    } catch (error) {
      // Nobody we know is not the person who asked; whoever could not be looked up may yet be.
      if (error instanceof PeopleError && error.code !== 'unavailable') return undefined;
      throw error;
    }
  }

  async function settle(
    id: string,
    signedIn: SignedIn,
    person: PersonId | undefined,
    seal: string,
  ): Promise<Proof | undefined> {
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
      const now = clock.now();
      const proof = await store.proof(id);
      if (proof === undefined) return undefined;
      const about = proof.requestId === undefined ? undefined : await store.request(proof.requestId);
      const lacks = signIn.lacks(signedIn, now);
      const { authAt, acr, amr } = signedIn;
      const name =
        person === undefined || proof.purpose !== 'link' ? undefined : (await parts.people.byId(person)).name;
      const found = {
        ...(person === undefined ? {} : { person }),
        ...(name === undefined ? {} : { personName: name }),
        ...(lacks === undefined ? {} : { lacks }),
        ...(authAt === undefined ? {} : { authAt, freshUntil: authAt + signIn.maxAgeMs }),
        ...(acr === undefined ? {} : { acr }),
        amr,
        sealHash: hash(seal),
      };
      const decided = decideSignedIn(proof, found, about?.request, now);
      if (decided === undefined) return undefined;
      try {
        await store.commit({ changes: decided.changes });
        return decided.proof;
      } catch (error) {
        if (!(error instanceof StaleStateError)) throw error;
      }
    }
    throw new SignInError('unavailable', 'Too much was going on at once.');
  }

  async function show(proof: Proof, seal: string, clear: readonly string[]): Promise<Response> {
    const zone = await zoneOf(proof);
    const request = proof.requestId === undefined ? undefined : await handler.view(proof.requestId, zone);
    const entitlement = entitlementById(parts.catalog(), proof.entitlement);
    const about = {
      ...(request === undefined ? {} : { request }),
      ...(entitlement === undefined ? {} : { entitlement }),
    };
    const view = proofView(proof, about, clock.now(), zone);
    const body = await confirmPage(view, `${PREFIX}/${proof.id}`, formToken(seal));
    return answer(200, body, [...clear, jar.seal(proof.id, seal)]);
  }

  /** The click. */
  async function confirm(id: string, request: Request): Promise<Response> {
    const header = request.headers.get('cookie');
    const seal = jar.readSeal(header, id);
    const token = new URLSearchParams(await request.text()).get('token') ?? '';
    if (!isOurs(request.headers) || seal === undefined || !same(token, formToken(seal)))
      return await say(403, {
        title: 'This was not sent by our page',
        text: 'Nothing was done.',
        next: 'Open the link from chat again, in the browser that you sign in with.',
      });
    const proof = await store.proof(id);
    if (proof === undefined) return await say(410, OVER, [jar.clearSeal(id)]);
    const zone = await zoneOf(proof);
    const said = await handler.handle({ do: 'confirm-proof', by: proof.by, proof: id, seal });
    if (said.say === 'refused') {
      const { reason, next } = refusalText(said.refusal, said.request?.zone ?? zone);
      const stale = said.refusal.code === 'proof_over' && said.refusal.why === 'stale';
      const text = { title: 'Nothing was done', text: reason, next };
      return await say(409, stale ? { ...text, next: 'Nothing was done yet.', again: linkOf(id) } : text);
    }
    const text = said.say === 'done' ? doneSentence(said.what, said.request) : answerText(said);
    return await say(200, { title: 'Confirmed', text, next: 'You can close this page. Chat shows it too.' }, [
      jar.clearSeal(id),
    ]);
  }

  async function zoneOf({ by }: Proof): Promise<string> {
    const person = await parts.people.identify(by).catch(() => undefined);
    return person?.zone ?? parts.catalog().timezone;
  }

  /** `Sec-Fetch-Site` where the browser sends it: our own policy has it leave the origin out. */
  function isOurs(headers: Headers): boolean {
    const site = headers.get('sec-fetch-site');
    if (site !== null) return site === 'same-origin';
    const from = headers.get('origin');
    return from === null || from === 'null' || from === origin;
  }

  async function failed(error: unknown, id: string, clear: readonly string[] = []): Promise<Response> {
    const again = linkOf(id);
    if (error instanceof SignInError && error.code !== 'unavailable') {
      log.warn({ code: error.code, error: error.message }, 'a sign-in for a proof was not finished');
      return await say(
        400,
        { title: 'You are not signed in', text: error.message, next: 'Nothing was done.', again },
        clear,
      );
    }
    log.error({ error }, 'a proof could not be asked for');
    if (!(error instanceof SignInError || error instanceof PeopleError)) throw error;
    return await say(
      503,
      {
        title: 'The identity provider cannot be asked',
        text: 'So nobody can confirm anything at the moment, and nothing was done.',
        next: 'Try again while the link lasts. Access that is held can still be returned and revoked.',
        again,
      },
      clear,
    );
  }

  async function say(status: number, said: Said, set: readonly string[] = []): Promise<Response> {
    return answer(status, await saidPage(said), set);
  }

  return {
    prefix: PREFIX,
    maxBody: 4_096,
    refuse: (status) => new Response(status === 413 ? 'too large\n' : 'Nothing was done. Try again.\n', { status }),
    async fetch(request) {
      const { pathname, searchParams } = new URL(request.url);
      const header = request.headers.get('cookie');
      const reads = request.method === 'GET' || request.method === 'HEAD';
      if (pathname === `${PREFIX}/callback` && request.method === 'GET') return await come(searchParams, header);
      const id = ID.exec(pathname)?.[1];
      if (id !== undefined && reads) return await leave(id);
      if (id !== undefined && request.method === 'POST') return await confirm(id, request);
      return await say(404, { title: 'There is nothing here', text: 'This is no link of ours.', next: CHAT });
    },
  };
}

function isOpen(proof: Proof, now: Instant): boolean {
  return (proof.state === 'open' || proof.state === 'signed_in') && now < proof.expiresAt;
}

/** Known only to who can read the page; the cookie alone, which a browser sends by itself, does not give it. */
function formToken(seal: string): string {
  return hash(`form ${seal}`);
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function same(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)];
  return a.length === b.length && timingSafeEqual(a, b);
}

function answer(status: number, body: string, set: readonly string[]): Response {
  const headers = new Headers({
    'content-type': 'text/html; charset=utf-8',
    'cache-control': 'no-store',
    'content-security-policy': POLICY,
    'referrer-policy': 'no-referrer',
  });
  for (const cookie of set) headers.append('set-cookie', cookie);
  return new Response(body, { status, headers });
}
