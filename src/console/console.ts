/**
 * The web view: who holds what now, each request's story, the timeline and the trail. It reads what chat reads, and posts
 * the commands that chat posts. Everything works without script; a script only keeps it live.
 */
import { readFileSync } from 'node:fs';
import { type Context, Hono } from 'hono';
import { html } from 'hono/html';
import type { ActivityStore } from '../access/activity.ts';
import type { Answer } from '../access/command.ts';
import type { Devices } from '../access/devices.ts';
import type { Sources } from '../access/gather.ts';
import { type Handler, requestIdOf } from '../access/handle.ts';
import {
  type Clock,
  type Desk,
  type DigestStore,
  type Ids,
  PeopleError,
  type TrailSeal,
  type TrailStore,
} from '../access/ports.ts';
import { rightsOf } from '../access/rights.ts';
import { type SignIn, SignInError } from '../access/sign-in.ts';
import { commandOf } from './acts.ts';
import { deviceAnswered } from './device-page.ts';
import { createLimiter, ownPath, SECURITY_HEADERS, sameOrigin } from './doors.ts';
import { createLive, seenOf } from './live.ts';
import { document, type Html, plainPage } from './page.ts';
import { createPages } from './pages.ts';
import { answerBanner } from './parts.ts';
import { createWebSessions, type WebSession } from './sessions.ts';
import { createSeals, type TrailFiles, trailFile } from './trail-file.ts';
import { FORMATS, trailQuery, trailWish } from './trail-page.ts';

export interface ConsoleParts extends Sources {
  /** Where browsers reach us. */
  readonly baseUrl: string;
  readonly signIn: Pick<SignIn, 'begin' | 'finish' | 'personOf'>;
  readonly handler: Pick<Handler, 'handle' | 'view' | 'review'>;
  readonly desk: Desk;
  readonly trail: TrailStore;
  readonly digests: Pick<DigestStore, 'unsignedDigests'>;
  readonly activities: Pick<ActivityStore, 'findingsOf' | 'activityOf'>;
  readonly devices: Pick<Devices, 'look' | 'answer'>;
  readonly clock: Clock;
  readonly ids: Ids;
  /** Verifies the whole chain. */
  readonly verify: () => Promise<TrailSeal>;
  /** How an event is written in a file. */
  readonly files: Pick<TrailFiles, 'head' | 'line'>;
  readonly log: { error(facts: object, message: string): void };
}

/** A mount of the one socket, and what it is told of. */
export interface Console {
  readonly prefix: '/console';
  readonly maxBody: number;
  fetch(request: Request, from: { readonly remoteAddress: string }): Promise<Response> | Response;
  /** Somebody has committed something. */
  changed(): void;
  stop(): void;
}

const BODY_MAX = 16 * 1024;
/** Many may come from one address: behind a proxy all of them do. */
const SIGN_INS_A_MINUTE = 120;
const ASKED_A_MINUTE = 300;
const SENT_A_MINUTE = 60;
/** What became of a form is told on the page that follows it. */
const ANSWERS_KEPT = 1_000;

const ASSETS = {
  'console.css': 'text/css; charset=utf-8',
  'console.js': 'text/javascript; charset=utf-8',
  'icon.svg': 'image/svg+xml',
} as const;

interface Env {
  readonly Bindings: { readonly remoteAddress: string };
  readonly Variables: { web: WebSession; form: URLSearchParams };
}

export function createConsole(parts: ConsoleParts): Console {
  const { store, people, clock, ids, signIn, desk, trail, log, catalog } = parts;
  const origin = new URL(parts.baseUrl).origin;
  const secure = origin.startsWith('https:');
  const redirectUri = `${origin}/console/callback`;
  const sessions = createWebSessions({ store, people, clock, ids, secure });
  const seals = createSeals(parts.verify, clock);
  const draw = createPages({ ...parts, sealed: seals.last });
  const answers = new Map<string, Answer>();
  const live = createLive({
    draw: async (web, path) => (await draw(web, path))?.regions,
    still: sessions.still,
    head: async () => (await trail.chainHead()).seq,
    hash: ids.hash,
    failed(error) {
      if (!(error instanceof PeopleError)) log.error({ error }, 'an open page of the console could not be drawn again');
    },
  });
  const limits = {
    signIn: createLimiter(SIGN_INS_A_MINUTE, clock.monotonic),
    asked: createLimiter(ASKED_A_MINUTE, clock.monotonic),
    sent: createLimiter(SENT_A_MINUTE, clock.monotonic),
  };

  const app = new Hono<Env>({ strict: false }).basePath('/console');
  app.use(async (c, next) => {
    await next();
    for (const [name, value] of Object.entries(SECURITY_HEADERS)) c.header(name, value);
    if (secure) c.header('strict-transport-security', 'max-age=31536000');
  });
  app.onError((error, c) => {
    if (error instanceof PeopleError || (error instanceof SignInError && error.code === 'unavailable'))
      return c.html(
        plainPage('Not now', html`<p>${error.message}</p><p>Nothing was done. Try again in a minute.</p>`),
        503,
      );
    log.error({ error, path: c.req.path }, 'a page of the console could not be served');
    return c.html(plainPage('Something went wrong', html`<p>It is written down. Nothing was done by halves.</p>`), 500);
  });

  for (const [name, type] of Object.entries(ASSETS)) {
    const text = readFileSync(new URL(`./assets/${name}`, import.meta.url), 'utf8');
    app.get(`/assets/${name}`, (c) =>
      c.body(text, 200, { 'content-type': type, 'cache-control': 'private, max-age=300' }),
    );
  }

  // ------------------------------------------------------------------------------------------------------- sign-in

  app.get('/sign-in', async (c) => {
    const wait = limits.signIn.tooMany(c.env.remoteAddress);
    if (wait !== undefined) return tooMany(c, wait);
    try {
      const { url, kept } = await signIn.begin({ redirectUri, proof: false });
      c.header('set-cookie', sessions.keep({ kept, to: ownPath(c.req.query('to')) }));
      return c.redirect(url, 302);
    } catch (error) {
      return await notSignedIn(c, error);
    }
  });

  app.get('/callback', async (c) => {
    const wait = limits.signIn.tooMany(c.env.remoteAddress);
    if (wait !== undefined) return tooMany(c, wait);
    const kept = sessions.kept(c.req.raw);
    c.header('set-cookie', sessions.unkept(), { append: true });
    if (kept === undefined)
      return signInPage(c, 400, '/console', 'This sign-in was begun in another browser, or too long ago. Begin again.');
    try {
      const signedIn = await signIn.finish(new URL(c.req.url).searchParams, kept.kept);
      const person = await signIn.personOf(signedIn);
      const user = await people.userIn(person.slice(0, person.indexOf('/')), person);
      if (!user.active) throw new PeopleError('deactivated', `${user.login} is deactivated in the directory.`);
      const who = { person, personName: user.name || user.email || user.login };
      for (const cookie of await sessions.begin(c.req.raw, who, signedIn))
        c.header('set-cookie', cookie, { append: true });
      return c.redirect(ownPath(kept.to), 303);
    } catch (error) {
      return await notSignedIn(c, error);
    }
  });

  /** What a sign-in is refused with is said; what went wrong with us is not. */
  async function notSignedIn(c: Context<Env>, error: unknown): Promise<Response> {
    if (error instanceof SignInError || error instanceof PeopleError) {
      const away = error.code === 'unavailable';
      return signInPage(c, away ? 503 : 403, '/console', error.message);
    }
    throw error;
  }

  function signInPage(
    c: Context<Env>,
    status: 400 | 401 | 403 | 503,
    to: string,
    why?: string,
  ): Response | Promise<Response> {
    const link = to === '/console' ? '/console/sign-in' : `/console/sign-in?${new URLSearchParams({ to })}`;
    return c.html(
      plainPage(
        'Sign in',
        html`${why === undefined ? '' : html`<p class="banner bad" role="alert">${why}</p>`}<p>Who holds access now, who held it when, and what waits for you. You sign in at your organisation’s own sign-in page.</p>
<p><a class="button primary" href="${link}">Sign in</a></p>`,
      ),
      status,
    );
  }

  // ------------------------------------------------------------------------------------------------- who may come in

  app.use(async (c, next) => {
    const post = c.req.method !== 'GET' && c.req.method !== 'HEAD';
    if (post && !sameOrigin(c.req.raw.headers, origin)) return forged(c);
    const met = await sessions.met(c.req.raw);
    if (met === undefined || 'over' in met) {
      if (met !== undefined) c.header('set-cookie', sessions.forget());
      const url = new URL(c.req.url);
      if (url.pathname === '/console/events') return c.text('signed out', 401);
      return signInPage(c, 401, post ? '/console' : ownPath(url.pathname + url.search), met?.over);
    }
    const wait = (post ? limits.sent : limits.asked).tooMany(met.session.id);
    if (wait !== undefined) return tooMany(c, wait);
    c.set('web', met);
    if (post) {
      if (c.req.method !== 'POST') return c.text('method not allowed', 405);
      if (!/^application\/x-www-form-urlencoded\b/i.test(c.req.header('content-type') ?? '')) return forged(c);
      const form = new URLSearchParams(await c.req.text());
      // Hashed first, so that how long the comparison takes tells nothing of the token.
      if (ids.hash(form.get('csrf') ?? '') !== ids.hash(met.csrf)) return forged(c);
      c.set('form', form);
    }
    return await next();
  });

  function forged(c: Context<Env>): Response | Promise<Response> {
    const why = html`<p>This did not come from a page of your session, so nothing was done. Go back, load the page again, and try once more.</p><p><a href="/console">Back to Now</a></p>`;
    return c.html(plainPage('Not taken', why), 403);
  }

  function tooMany(c: Context<Env>, seconds: number): Response | Promise<Response> {
    c.header('retry-after', String(seconds));
    return c.html(plainPage('Too much at once', html`<p>Nothing was done. Try again in ${seconds} seconds.</p>`), 429);
  }

  const who = ({ person, csrf }: WebSession) => ({ name: person.name, csrf });

  app.post('/sign-out', async (c) => {
    c.header('set-cookie', await sessions.end(c.get('web')));
    live.changed();
    return c.redirect('/console', 303);
  });

  // ---------------------------------------------------------------------------------------------------- what is done

  app.post('/act', async (c) => {
    const web = c.get('web');
    const form = c.get('form');
    const key = form.get('key') ?? '';
    if (!/^\w{8,100}$/.test(key)) return notThere(c, 400);
    const command = await commandOf(form, { session: web.session.id }, parts);
    if (command === undefined) return notThere(c, 400);
    const place = `${web.session.id} ${key}`;
    if ('code' in command) remember(place, { say: 'refused', refusal: command });
    else {
      const { fresh, answer } = await desk.take({ key: `console:${web.session.id}:${key}`, command });
      const said = await answer;
      // Sent twice, it acted once, and what is told is what was told then.
      if (fresh) remember(place, said);
    }
    const back = new URL(ownPath(form.get('to')), origin);
    back.searchParams.set('said', key);
    return c.redirect(`${back.pathname}${back.search}`, 303);
  });

  function remember(place: string, answer: Answer): void {
    for (const oldest of answers.keys()) {
      if (answers.size < ANSWERS_KEPT) break;
      answers.delete(oldest);
    }
    answers.set(place, answer);
  }

  function saidOn(web: WebSession, key: string | null, zone: string): { readonly said?: Html } {
    if (key === null) return {};
    const answer = answers.get(`${web.session.id} ${key}`);
    return answer === undefined ? {} : { said: answerBanner(answer, zone) };
  }

  app.post('/device', async (c) => {
    const web = c.get('web');
    const form = c.get('form');
    const answer = form.get('answer');
    if (answer !== 'confirm' && answer !== 'deny') return notThere(c, 400);
    const given = await parts.devices.answer(form.get('code') ?? '', { session: web.session.id }, answer);
    const fault = 'fault' in given ? given.fault : undefined;
    return c.html(
      plainPage('Sign a command line in', deviceAnswered(fault, answer), who(web)),
      fault === undefined ? 200 : 409,
    );
  });

  app.post('/trail/verify', async (c) => {
    if (!(await rightsOf(parts, c.get('web').person)).audits) return notThere(c, 403);
    await seals.verify();
    return c.redirect('/console/trail', 303);
  });

  app.post('/trail/export', async (c) => {
    const web = c.get('web');
    const form = c.get('form');
    const format = FORMATS.find((known) => known === form.get('format'));
    if (format === undefined) return notThere(c, 400);
    if (!(await rightsOf(parts, web.person)).audits) return notThere(c, 403);
    const query = trailQuery(form);
    const named = query.who === '' ? undefined : await people.named(query.who);
    if (query.who !== '' && named === undefined) return notThere(c, 404);
    const requestId = requestIdOf(query.request);
    const wish = trailWish(query, web.person.zone ?? catalog().timezone, {
      ...(named === undefined ? {} : { person: named.id }),
      ...(requestId === undefined ? {} : { requestId }),
    });
    return await trailFile({ store, trail, clock, ...parts.files }, web, format, query, wish);
  });

  function notThere(c: Context<Env>, status: 400 | 403 | 404): Response | Promise<Response> {
    const why = {
      400: 'This is nothing that a page of the console sends.',
      403: 'This is not for you.',
      404: 'There is nothing here.',
    };
    const web = c.get('web') as WebSession | undefined;
    return c.html(
      plainPage(why[status], html`<p>Nothing was done. <a href="/console">Back to Now</a></p>`, web && who(web)),
      status,
    );
  }

  // ------------------------------------------------------------------------------------------------------- what is read

  app.get('/events', (c) => {
    const { page = '/console', seen = '' } = c.req.query();
    return live.open(c.get('web'), ownPath(page), seen) ?? c.text('too many open pages', 503, { 'retry-after': '60' });
  });

  app.get('*', async (c) => {
    const web = c.get('web');
    const url = new URL(c.req.url);
    const key = url.searchParams.get('said');
    url.searchParams.delete('said');
    const path = `${url.pathname}${url.search}`;
    const drawn = await draw(web, path);
    if (drawn === undefined) return notThere(c, 404);
    const { status, title, place, regions, zone } = drawn;
    const seen = drawn.live ? { live: { from: path, seen: await seenOf(regions, ids.hash), at: clock.now() } } : {};
    const shown = {
      title,
      regions,
      who: who(web),
      ...(place === undefined ? {} : { place }),
      ...saidOn(web, key, zone),
      ...seen,
    };
    return c.html(document(shown), status);
  });

  return {
    prefix: '/console',
    maxBody: BODY_MAX,
    fetch: (request, from) => app.fetch(request, from),
    changed: live.changed,
    stop: live.stop,
  };
}
