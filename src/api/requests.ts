/** Access requests: ask, look, wait, take back. */
import { createRoute } from '@hono/zod-openapi';
import type { Answer, Command } from '../access/command.ts';
import { isMachine } from '../access/decide-session.ts';
import { cleanReason, parseDuration } from '../access/grammar.ts';
import type { RequestView } from '../access/view.ts';
import { cursorOf, placeOf } from './cursor.ts';
import type { Admitted } from './door.ts';
import { refusalProblem } from './problems.ts';
import { type ApiApp, body, CONFLICT, json, NOT_FOUND, outcomeOf, PROBLEMS, type RouteParts } from './routes.ts';
import * as shape from './schemas.ts';
import { isChecked, requestShown } from './shown.ts';

const LIST_FIRST = 1;

export function requestRoutes(app: ApiApp, parts: RouteParts): void {
  const { door, handler, waits } = parts;

  app.openapi(
    createRoute({
      method: 'post',
      path: '/requests',
      operationId: 'createRequest',
      tags: ['requests'],
      summary: 'Ask for access',
      ...door.needs('requests:write'),
      request: { body: body(shape.newRequest) },
      responses: { 201: json(shape.outcome, 'Requested; who is asked is in `asked`.'), ...PROBLEMS, ...CONFLICT },
    }),
    async (c) => {
      const { by } = c.var.caller;
      const { resource, role, duration, reason } = c.req.valid('json');
      const command: Command = {
        do: 'request',
        by,
        resource,
        ...(role === undefined ? {} : { role }),
        ...(duration === undefined ? {} : { duration: { ms: durationMs(duration) } }),
        reason: reasonOf(reason),
      };
      const outcome = outcomeOf(await carryOut(parts, command));
      return c.json(outcome, 201, { location: `/api/v1/requests/${outcome.request.id}` });
    },
  );

  app.openapi(
    createRoute({
      method: 'get',
      path: '/requests',
      operationId: 'listRequests',
      tags: ['requests'],
      summary: 'Your requests, those that wait, or live access; newest first',
      ...door.needs('requests:read'),
      request: { query: shape.requestQuery },
      responses: { 200: json(shape.requestPage, 'One page.'), ...PROBLEMS },
    }),
    async (c) => {
      const { which, cursor } = c.req.valid('query');
      const page = placeOf(cursor, LIST_FIRST);
      const answer = await handler.handle({ do: 'list', by: c.var.caller.by, which, page });
      if (answer.say === 'refused') throw refusalProblem(answer.refusal, undefined);
      if (answer.say !== 'list') throw new Error(`a list was answered by ${answer.say}`);
      const items = answer.items.map((item) => requestShown(item));
      return c.json({ items, ...(answer.more ? { next: cursorOf(page + 1) } : {}) }, 200);
    },
  );

  app.openapi(
    createRoute({
      method: 'get',
      path: '/requests/{id}',
      operationId: 'getRequest',
      tags: ['requests'],
      summary: 'One request, with its grant',
      ...door.needs('requests:read'),
      request: { params: shape.idParam },
      responses: { 200: json(shape.accessRequest, 'As it is now.'), ...PROBLEMS, ...NOT_FOUND },
    }),
    async (c) => {
      const { request, notes } = await seen(parts, c.var.caller, c.req.valid('param').id);
      const card = await cardFor(parts, c.var.caller, request);
      return c.json(
        requestShown(request, {
          ...(card === undefined ? {} : { card }),
          ...(notes === undefined ? {} : { notes }),
        }),
        200,
      );
    },
  );

  app.openapi(
    createRoute({
      method: 'get',
      path: '/requests/{id}/wait',
      operationId: 'waitForRequest',
      tags: ['requests'],
      summary: 'Answers when the request is decided, its access is there, or it is over; or when the time is',
      ...door.needs('requests:read'),
      request: { params: shape.idParam, query: shape.waitQuery },
      responses: { 200: json(shape.waited, 'What came of it.'), ...PROBLEMS, ...NOT_FOUND },
    }),
    async (c) => {
      const { until, timeout } = c.req.valid('query');
      const { request } = await seen(parts, c.var.caller, c.req.valid('param').id);
      let latest = request;
      const stands = await waits.until({
        request: request.id,
        session: c.var.caller.session.id,
        timeoutMs: timeout * 1_000,
        gone: c.req.raw.signal,
        async look() {
          latest = (await handler.view(request.id)) ?? latest;
          return reached(latest, until);
        },
      });
      return c.json({ reached: stands === 'reached', final: stands !== undefined, request: requestShown(latest) }, 200);
    },
  );

  app.openapi(
    createRoute({
      method: 'post',
      path: '/requests/{id}/cancel',
      operationId: 'cancelRequest',
      tags: ['requests'],
      summary: 'Take back your own request',
      ...door.needs('requests:write'),
      request: { params: shape.idParam },
      responses: { 200: json(shape.outcome, 'Cancelled.'), ...PROBLEMS, ...NOT_FOUND, ...CONFLICT },
    }),
    async (c) => {
      const target = { typed: c.req.valid('param').id };
      return c.json(outcomeOf(await carryOut(parts, { do: 'cancel', by: c.var.caller.by, target })), 200);
    },
  );
}

/** Into the inbox and out again: what is answered is committed. */
export async function carryOut({ desk, ids }: RouteParts, command: Command): Promise<Answer> {
  const { answer } = await desk.take({ key: `api:${ids.opaque()}`, command });
  return await answer;
}

/** A request that the caller may see, or the reason why not. */
async function seen({ handler }: RouteParts, { by }: Admitted, id: string) {
  const answer = await handler.handle({ do: 'status', by, target: { typed: id } });
  if (answer.say === 'refused') throw refusalProblem(answer.refusal, undefined);
  if (answer.say !== 'status') throw new Error(`a request was answered by ${answer.say}`);
  return answer;
}

/** What an approval has to carry, for people who may look at it to answer it. */
async function cardFor(
  { handler }: RouteParts,
  { by, person }: Admitted,
  request: RequestView,
): Promise<string | undefined> {
  if (request.state !== 'pending' || isMachine(person)) return undefined;
  const answer = await handler.handle({ do: 'show', by, target: { typed: request.id } });
  return answer.say === 'card' ? answer.request.cardId : undefined;
}

/** Absent: it may still come. */
function reached(view: RequestView, until: shape.WaitQuery['until']): 'reached' | 'never' | undefined {
  const { state, grant } = view;
  if (state === 'pending') return undefined;
  if (until === 'decided') return 'reached';
  if (state !== 'approved') return until === 'ended' ? 'reached' : 'never';
  // More time on a grant that is there already.
  if (grant === undefined) return view.extension === undefined ? undefined : 'reached';
  if (until === 'ended') return grant.state === 'ended' ? 'reached' : undefined;
  if (grant.state === 'ending' || grant.state === 'ended') return 'never';
  return grant.state === 'active' && isChecked(grant) ? 'reached' : undefined;
}

export function reasonOf(typed: string): string {
  const reason = cleanReason(typed);
  if (typeof reason !== 'string') throw refusalProblem(reason, undefined);
  return reason;
}

export function durationMs(typed: string): number {
  const ms = parseDuration(typed);
  if (ms === undefined) throw refusalProblem({ code: 'bad_duration', asked: typed, example: '30m' }, undefined);
  return ms;
}
