/** Access requests: ask, look, wait, take back. */
import { createRoute } from '@hono/zod-openapi';
import type { Command, ListWhich } from '../access/command.ts';
import { isMachine } from '../access/decide-session.ts';
import { cleanReason, parseDuration } from '../access/grammar.ts';
import { requestIdOf } from '../access/handle.ts';
import type { RequestView } from '../access/view.ts';
import { cursorOf, placeOf } from './cursor.ts';
import type { Admitted } from './door.ts';
import { refusalProblem } from './problems.ts';
import {
  type ApiApp,
  body,
  CONFLICT,
  carryOut,
  json,
  NOT_FOUND,
  outcomeOf,
  PROBLEMS,
  type RouteParts,
} from './routes.ts';
import * as shape from './schemas.ts';
import { isChecked, requestShown } from './shown.ts';

export function requestRoutes(app: ApiApp, parts: RouteParts): void {
  const { door, handler, store, waits } = parts;

  app.openapi(
    createRoute({
      method: 'post',
      path: '/requests',
      operationId: 'createRequest',
      tags: ['requests'],
      summary: 'Ask for access',
      ...door.needs('requests:write'),
      request: { headers: shape.onceHeader, body: body(shape.newRequest) },
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
      const outcome = await carryOut(c, parts, command, outcomeOf);
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
      const { items, next } = await listed(parts, c.var.caller, which, cursor);
      return c.json({ items: items.map((item) => requestShown(item)), ...next }, 200);
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
      request: { params: shape.idParam, headers: shape.onceHeader },
      responses: { 200: json(shape.outcome, 'Cancelled.'), ...PROBLEMS, ...NOT_FOUND, ...CONFLICT },
    }),
    async (c) => {
      const target = { typed: c.req.valid('param').id };
      return c.json(await carryOut(c, parts, { do: 'cancel', by: c.var.caller.by, target }, outcomeOf), 200);
    },
  );

  app.openapi(
    createRoute({
      method: 'post',
      path: '/requests/{id}/approve',
      operationId: 'approveRequest',
      tags: ['requests'],
      summary: 'Approve what you were shown; never by a token',
      ...door.needs('requests:write'),
      request: { params: shape.idParam, headers: shape.onceHeader, body: body(shape.approve) },
      responses: { 200: json(shape.outcome, 'What it led to.'), ...PROBLEMS, ...NOT_FOUND, ...CONFLICT },
    }),
    async (c) => {
      const { card, duration } = c.req.valid('json');
      // A card of another request is none of this one.
      if ((await store.card(card))?.requestId !== requestIdOf(c.req.valid('param').id))
        throw refusalProblem({ code: 'expired_button' }, undefined);
      const command: Command = {
        do: 'approve',
        by: c.var.caller.by,
        target: { card },
        ...(duration === undefined ? {} : { durationMs: durationMs(duration) }),
      };
      return c.json(await carryOut(c, parts, command, outcomeOf), 200);
    },
  );

  app.openapi(
    createRoute({
      method: 'post',
      path: '/requests/{id}/deny',
      operationId: 'denyRequest',
      tags: ['requests'],
      summary: 'Deny it; never by a token',
      ...door.needs('requests:write'),
      request: { params: shape.idParam, headers: shape.onceHeader, body: body(shape.deny) },
      responses: { 200: json(shape.outcome, 'Denied.'), ...PROBLEMS, ...NOT_FOUND, ...CONFLICT },
    }),
    async (c) => {
      const { reason } = c.req.valid('json');
      const command: Command = {
        do: 'deny',
        by: c.var.caller.by,
        target: { typed: c.req.valid('param').id },
        ...(reason === undefined ? {} : { reason: reasonOf(reason) }),
      };
      return c.json(await carryOut(c, parts, command, outcomeOf), 200);
    },
  );
}

/** One page of a list as in chat, and where it goes on. */
export async function listed(
  { handler }: RouteParts,
  { by }: Admitted,
  which: ListWhich,
  cursor: string | undefined,
): Promise<{ readonly items: readonly RequestView[]; readonly next: { readonly next?: string } }> {
  const after = cursor === undefined ? undefined : placeOf(cursor);
  const answer = await handler.handle({ do: 'list', by, which, ...(after === undefined ? {} : { after }) });
  if (answer.say === 'refused') throw refusalProblem(answer.refusal, undefined);
  if (answer.say !== 'list') throw new Error(`a list was answered by ${answer.say}`);
  const last = answer.items.at(-1);
  return { items: answer.items, next: answer.more && last !== undefined ? { next: cursorOf(last) } : {} };
}

/** A request that the caller may see, or the reason why not. */
export async function seen({ handler }: RouteParts, { by }: Admitted, id: string) {
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
  // More time on a grant that is there already, and that ends under its own id.
  if (grant === undefined && view.extension !== undefined) return until === 'active' ? 'reached' : 'never';
  if (grant === undefined) return undefined;
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
