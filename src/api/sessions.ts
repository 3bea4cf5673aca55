/**
 * How a program comes by a credential without a person copying one: a pipeline's job gives in the token that its
 * platform signed, a command line is confirmed by whoever is signed in to the console (RFC 8628). And how one is ended.
 */
import { createRoute } from '@hono/zod-openapi';
import { DEVICE_WAITS_MS } from '../access/decide-device.ts';
import { endSession } from '../access/decide-session.ts';
import { personActor } from '../access/decision.ts';
import type { Devices } from '../access/devices.ts';
import type { Workloads } from '../access/workload.ts';
import { createLimit, type Limit } from './limits.ts';
import { ApiProblem, refusalProblem, tooOften, unauthorized } from './problems.ts';
import { type ApiApp, json, PROBLEMS, type RouteParts } from './routes.ts';
import * as shape from './schemas.ts';
import { iso } from './shown.ts';

export interface SessionParts {
  readonly workloads: Workloads;
  readonly devices: Devices;
  /** Where people reach the console; absent: nowhere, and no device can be confirmed. */
  readonly baseUrl?: string;
}

const MINUTE_MS = 60_000;
/** From one address in a minute: tokens of jobs that do not serve, devices that begin, codes that nobody has. */
const REFUSED_MOST = 120;
const BEGUN_MOST = 10;
/** As the device is told to wait; a little sooner is forgiven. */
const INTERVAL_S = 5;
const ASKED_EVERY_MS = 4_000;
const JOB_TOKEN = /^Bearer ([A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*)$/i;
const DEVICE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code';

export function sessionRoutes(app: ApiApp, parts: RouteParts & SessionParts): void {
  const { clock, devices, door, ids, store, workloads } = parts;
  const refused = createLimit({ clock, most: REFUSED_MOST, windowMs: MINUTE_MS });
  const begun = createLimit({ clock, most: BEGUN_MOST, windowMs: MINUTE_MS });
  const asked = createLimit({ clock, most: 1, windowMs: ASKED_EVERY_MS });

  app.openapi(
    createRoute({
      method: 'post',
      path: '/workloads/{name}/session',
      operationId: 'beginWorkloadSession',
      tags: ['sessions'],
      summary: 'Give in the token of a pipeline’s job for a session of its service person',
      description: 'The token that GitHub or GitLab signed for the job is the bearer token. Each serves once.',
      security: [{ job: [] }],
      request: { params: shape.workloadParam },
      responses: { 201: json(shape.workloadSession, 'A session, for six hours at most.'), ...PROBLEMS },
    }),
    async (c) => {
      const from = c.env.remoteAddress;
      roomIn(refused, from);
      const token = JOB_TOKEN.exec(c.req.header('authorization') ?? '')?.[1];
      if (token === undefined) {
        refused.take(from);
        throw unauthorized();
      }
      const given = await workloads.exchange(c.req.valid('param').name, token);
      if ('refusal' in given) {
        refused.take(from);
        throw refusalProblem(given.refusal, undefined);
      }
      const { workload } = given;
      return c.json(
        {
          token: given.secret,
          expiresAt: iso(given.expiresAt),
          person: given.person,
          workload: workload.name,
          run: workload.runName,
          ...(workload.onBehalfOf === undefined ? {} : { onBehalfOf: workload.onBehalfOf.name }),
        },
        201,
      );
    },
  );

  app.openapi(
    createRoute({
      method: 'post',
      path: '/device/code',
      operationId: 'beginDevice',
      tags: ['sessions'],
      summary: 'A command line asks to be somebody (RFC 8628)',
      security: [],
      request: { body: form(shape.deviceBegin) },
      responses: { 200: json(shape.deviceCodes, 'What to show, and what to ask with.'), ...PROBLEMS },
    }),
    async (c) => {
      if (parts.baseUrl === undefined) throw noConsole();
      const taken = begun.take(c.env.remoteAddress);
      if (!taken.ok) throw tooOften(taken.resetS);
      const { deviceCode, userCode } = await devices.begin(c.req.valid('form').label, c.env.remoteAddress);
      const page = `${parts.baseUrl.replace(/\/$/, '')}/console/device`;
      return c.json(
        {
          device_code: deviceCode,
          user_code: userCode,
          verification_uri: page,
          verification_uri_complete: `${page}?code=${userCode}`,
          expires_in: DEVICE_WAITS_MS / 1_000,
          interval: INTERVAL_S,
        },
        200,
      );
    },
  );

  app.openapi(
    createRoute({
      method: 'post',
      path: '/device/token',
      operationId: 'redeemDevice',
      tags: ['sessions'],
      summary: 'Whether the person has confirmed it; the session, if so (RFC 8628)',
      security: [],
      request: { body: form(shape.deviceToken) },
      responses: {
        200: json(shape.deviceSession, 'A session, for twelve hours.'),
        400: json(shape.deviceError, 'Not yet, or not at all, as RFC 8628 says it.'),
        ...PROBLEMS,
      },
    }),
    async (c) => {
      const { device_code: code, grant_type: kind } = c.req.valid('form');
      if (kind !== DEVICE_GRANT) return c.json({ error: 'unsupported_grant_type' as const }, 400);
      const from = c.env.remoteAddress;
      roomIn(refused, from);
      if (!asked.take(ids.hash(code)).ok) return c.json({ error: 'slow_down' as const }, 400);
      const given = await devices.redeem(code);
      if ('secret' in given)
        return c.json(
          {
            access_token: given.secret,
            token_type: 'Bearer' as const,
            expires_in: Math.floor((given.expiresAt - clock.now()) / 1_000),
            person: given.personName,
          },
          200,
        );
      if (given.is === 'over') refused.take(from);
      return c.json({ error: DEVICE_ERRORS[given.is] }, 400);
    },
  );

  app.openapi(
    createRoute({
      method: 'delete',
      path: '/session',
      operationId: 'endSession',
      tags: ['sessions'],
      summary: 'End the credential that is sent with this',
      ...door.needs(),
      responses: { 204: { description: 'It holds no longer.' }, ...PROBLEMS },
    }),
    async (c) => {
      const { session, person } = c.var.caller;
      // Anew, since its last use may have moved it on.
      const current = (await store.session(session.id)) ?? session;
      const changes = endSession(current, personActor(person), person.name, clock.now());
      if (changes.length > 0) await store.commit({ changes });
      return c.body(null, 204);
    },
  );
}

const DEVICE_ERRORS = { waiting: 'authorization_pending', denied: 'access_denied', over: 'expired_token' } as const;

function form<T>(schema: T) {
  return { required: true, content: { 'application/x-www-form-urlencoded': { schema } } };
}

function roomIn(limit: Limit, from: string): void {
  const { left, resetS } = limit.look(from);
  if (left === 0) throw tooOften(resetS);
}

function noConsole(): ApiProblem {
  return new ApiProblem({
    title: 'Nobody can sign in here.',
    status: 503,
    detail: 'Hallpass does not know its own address: HALLPASS_BASE_URL.',
    code: 'no_address',
  });
}
