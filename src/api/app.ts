/** `/api/v1`: the same commands and the same views as in chat, for programs. It decides nothing and writes no row. */
import { OpenAPIHono } from '@hono/zod-openapi';
import { HTTPException } from 'hono/http-exception';
import type { RequestId } from '../access/model.ts';
import { createOversight } from '../access/oversight.ts';
import { type ApiEnv, createDoor, type DoorParts } from './door.ts';
import { grantRoutes } from './grants.ts';
import { describeIngest } from './ingest-described.ts';
import { meRoutes } from './me.ts';
import { createOnce } from './once.ts';
import { overseeingRoutes } from './overseeing.ts';
import { ApiProblem, asResponse, type ProblemStatus } from './problems.ts';
import { requestRoutes } from './requests.ts';
import { respondingRoutes } from './responding.ts';
import type { ApiApp, ApiParts } from './routes.ts';
import { type SessionParts, sessionRoutes } from './sessions.ts';
import { createWaits } from './waits.ts';

const PREFIX = '/api/v1';
/** What is sent here is a few short texts. */
const BODY_MAX = 64 * 1024;

/** An `HttpMount`. */
export interface Api {
  readonly prefix: string;
  /** In bytes. */
  readonly maxBody: number;
  fetch(request: Request, from: { readonly remoteAddress: string }): Promise<Response>;
  refuse(status: 413 | 500): Response;
  /** Whoever waits for one of them looks again. */
  changed(requests: readonly RequestId[]): void;
  /** Forgets what nobody asks for again. Never rejects. */
  tidy(): Promise<void>;
  /** Whoever waits is answered. */
  stop(): void;
}

export interface ApiOptions extends ApiParts, DoorParts, SessionParts {
  readonly store: ApiParts['store'];
  readonly people: ApiParts['people'];
  readonly clock: ApiParts['clock'];
  readonly ids: ApiParts['ids'];
  /** Told of what went wrong by a mistake of ours. */
  readonly onError: (error: unknown, where: string) => void;
}

export function createApi(options: ApiOptions): Api {
  const waits = createWaits();
  const app: ApiApp = new OpenAPIHono<ApiEnv>({
    getPath: (request) => new URL(request.url).pathname.slice(PREFIX.length) || '/',
    defaultHook: (result) => {
      if (result.success) return;
      const errors = result.error.issues.map(({ path, message }) => ({
        path: [PLACES[result.target] ?? result.target, ...path].join('.'),
        message,
      }));
      throw new ApiProblem({
        title: `${errors.length === 1 ? 'One thing does' : `${errors.length} things do`} not fit.`,
        status: 422,
        detail: 'See `errors`, and the shapes in /api/v1/openapi.json.',
        code: 'invalid',
        errors,
      });
    },
  });

  app.onError((error, c) => {
    const problem = problemOf(error) ?? unexpected(error, `${c.req.method} ${c.req.path}`);
    // What was set before it was refused, such as how many calls are left, is said all the same.
    for (const [name, value] of Object.entries(problem.headers)) c.header(name, value);
    return c.body(JSON.stringify(problem.problem), problem.status, { 'content-type': 'application/problem+json' });
  });
  app.notFound((c) => {
    const allowed = methodsAt(c.req.path);
    const problem = allowed.length === 0 ? nothingHere() : otherMethod(allowed);
    return asResponse(problem);
  });

  const once = createOnce(options);
  const oversight = createOversight({ ...options, activity: options.store });
  const parts = { ...options, waits, once, oversight, door: createDoor(options) };
  meRoutes(app, parts);
  requestRoutes(app, parts);
  grantRoutes(app, parts);
  respondingRoutes(app, parts);
  overseeingRoutes(app, parts);
  describeIngest(app);
  sessionRoutes(app, parts);
  describe(app);

  const routes = app.routes.map(({ method, path }) => ({
    method,
    path: new RegExp(`^${path.replaceAll(/:[A-Za-z]+/g, '[^/]+')}$`),
  }));

  function methodsAt(path: string): readonly string[] {
    const found = routes.filter((route) => route.path.test(path)).map(({ method }) => method);
    return [...new Set([...found, ...(found.includes('GET') ? ['HEAD'] : [])])].sort();
  }

  function unexpected(error: unknown, where: string): ApiProblem {
    options.onError(error, `${PREFIX} ${where}`);
    return internal();
  }

  return {
    prefix: PREFIX,
    maxBody: BODY_MAX,
    async fetch(request, { remoteAddress }) {
      const answer = await app.fetch(request, { remoteAddress });
      options.metrics.count('hallpass_api_calls_total', { status: String(answer.status) });
      return answer;
    },
    refuse: (status) => asResponse(status === 413 ? tooLarge() : internal()),
    changed: (requests) => waits.changed(requests),
    tidy: () => once.tidy().catch((error: unknown) => options.onError(error, `${PREFIX}, forgetting answers`)),
    stop: () => waits.stop(),
  };
}

const PLACES: Readonly<Record<string, string>> = { json: 'body', param: 'path' };

function describe(app: ApiApp): void {
  app.openAPIRegistry.registerComponent('securitySchemes', 'bearer', {
    type: 'http',
    scheme: 'bearer',
    description: 'A token that was made with `hallpass token create`, or the session of a person who is signed in.',
  });
  app.openAPIRegistry.registerComponent('securitySchemes', 'job', {
    type: 'http',
    scheme: 'bearer',
    bearerFormat: 'JWT',
    description: 'The ID token of a job of GitHub Actions or GitLab.',
  });
  const document = () =>
    app.getOpenAPI31Document({
      openapi: '3.1.0',
      info: {
        title: 'Hallpass',
        version: '1',
        description: 'Temporary access, asked for, given and ended by programs as by people in chat.',
        license: { name: 'Apache-2.0', url: 'https://www.apache.org/licenses/LICENSE-2.0' },
      },
      servers: [{ url: PREFIX }],
    });
  let drawn: string | undefined;
  app.get('/openapi.json', (c) => {
    drawn ??= JSON.stringify(document());
    return c.body(drawn, 200, { 'content-type': 'application/json' });
  });
}

function problemOf(error: unknown): ApiProblem | undefined {
  if (error instanceof ApiProblem) return error;
  if (!(error instanceof HTTPException)) return undefined;
  const { status } = error;
  if (status === 415)
    return plain(415, 'not_json', 'The body is not JSON.', 'Send it as content-type: application/json.');
  if (status === 400)
    return plain(400, 'bad_json', 'The body cannot be read.', 'Send one JSON object as the schema has it.');
  return undefined;
}

function plain(status: ProblemStatus, code: string, title: string, detail: string): ApiProblem {
  return new ApiProblem({ title, status, detail, code });
}

function nothingHere(): ApiProblem {
  return plain(404, 'no_such_path', 'There is nothing at this path.', 'See /api/v1/openapi.json.');
}

function otherMethod(allowed: readonly string[]): ApiProblem {
  const allow = allowed.join(', ');
  return new ApiProblem(
    { title: 'Not by this method.', status: 405, detail: `It takes ${allow}.`, code: 'other_method' },
    { allow },
  );
}

function tooLarge(): ApiProblem {
  return plain(413, 'too_large', 'The body is too large.', `At most ${BODY_MAX} bytes are taken.`);
}

function internal(): ApiProblem {
  return plain(
    500,
    'our_mistake',
    'This failed for a reason of ours.',
    'It is in the log. Try again, or tell whoever runs Hallpass.',
  );
}
