/** Grants: look, ask for more time, give back, end. */
import { createRoute } from '@hono/zod-openapi';
import type { Command } from '../access/command.ts';
import type { RequestView } from '../access/view.ts';
import { refusalProblem } from './problems.ts';
import { durationMs, listed, reasonOf, seen } from './requests.ts';
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
import { grantShown } from './shown.ts';

export function grantRoutes(app: ApiApp, parts: RouteParts): void {
  const { door } = parts;

  app.openapi(
    createRoute({
      method: 'get',
      path: '/grants',
      operationId: 'listGrants',
      tags: ['grants'],
      summary: 'Live grants as far as you may see them; newest request first',
      ...door.needs('requests:read'),
      request: { query: shape.pageQuery },
      responses: { 200: json(shape.grantPage, 'One page.'), ...PROBLEMS },
    }),
    async (c) => {
      const { items, next } = await listed(parts, c.var.caller, 'active', c.req.valid('query').cursor);
      return c.json({ items: items.flatMap(shown), ...next }, 200);
    },
  );

  app.openapi(
    createRoute({
      method: 'get',
      path: '/grants/{id}',
      operationId: 'getGrant',
      tags: ['grants'],
      summary: 'One grant',
      ...door.needs('requests:read'),
      request: { params: shape.idParam },
      responses: { 200: json(shape.grant, 'As it is now.'), ...PROBLEMS, ...NOT_FOUND },
    }),
    async (c) => {
      const { request } = await seen(parts, c.var.caller, c.req.valid('param').id);
      const [grant] = shown(request);
      if (grant === undefined) throw refusalProblem({ code: 'no_grant', requestId: request.id }, undefined);
      return c.json(grant, 200);
    },
  );

  app.openapi(
    createRoute({
      method: 'post',
      path: '/grants/{id}/extend',
      operationId: 'extendGrant',
      tags: ['grants'],
      summary: 'Ask for more time on your own grant',
      ...door.needs('grants:write'),
      request: { params: shape.idParam, headers: shape.onceHeader, body: body(shape.extend) },
      responses: { 200: json(shape.outcome, 'Asked for.'), ...PROBLEMS, ...NOT_FOUND, ...CONFLICT },
    }),
    async (c) => {
      const { duration, reason } = c.req.valid('json');
      const command: Command = {
        do: 'extend',
        by: c.var.caller.by,
        target: { typed: c.req.valid('param').id },
        ...(duration === undefined ? {} : { duration: { ms: durationMs(duration) } }),
        ...(reason === undefined ? {} : { reason: reasonOf(reason) }),
      };
      return c.json(await carryOut(c, parts, command, outcomeOf), 200);
    },
  );

  app.openapi(
    createRoute({
      method: 'post',
      path: '/grants/{id}/return',
      operationId: 'returnGrant',
      tags: ['grants'],
      summary: 'Give your own grant back',
      ...door.needs('grants:write'),
      request: { params: shape.idParam, headers: shape.onceHeader },
      responses: { 200: json(shape.outcome, 'It ends.'), ...PROBLEMS, ...NOT_FOUND, ...CONFLICT },
    }),
    async (c) => {
      const target = { typed: c.req.valid('param').id };
      return c.json(await carryOut(c, parts, { do: 'return', by: c.var.caller.by, target }, outcomeOf), 200);
    },
  );

  app.openapi(
    createRoute({
      method: 'post',
      path: '/grants/{id}/revoke',
      operationId: 'revokeGrant',
      tags: ['grants'],
      summary: 'End one grant, as a responder',
      ...door.needs('revoke'),
      request: { params: shape.idParam, headers: shape.onceHeader, body: body(shape.because) },
      responses: { 200: json(shape.outcome, 'It ends.'), ...PROBLEMS, ...NOT_FOUND, ...CONFLICT },
    }),
    async (c) => {
      const target = { typed: c.req.valid('param').id };
      const command: Command = {
        do: 'revoke',
        by: c.var.caller.by,
        target,
        reason: neededReason(c.req.valid('json').reason),
      };
      return c.json(await carryOut(c, parts, command, outcomeOf), 200);
    },
  );

  app.openapi(
    createRoute({
      method: 'post',
      path: '/grants/{id}/adopt',
      operationId: 'adoptGrant',
      tags: ['grants'],
      summary: 'Make what a live grant added permanent, as an admin; never by a token',
      ...door.needs('grants:write'),
      request: { params: shape.idParam, headers: shape.onceHeader, body: body(shape.because) },
      responses: { 200: json(shape.outcome, 'It stays.'), ...PROBLEMS, ...NOT_FOUND, ...CONFLICT },
    }),
    async (c) => {
      const target = { typed: c.req.valid('param').id };
      const reason = neededReason(c.req.valid('json').reason);
      const command: Command = { do: 'adopt', by: c.var.caller.by, target, reason };
      return c.json(await carryOut(c, parts, command, outcomeOf), 200);
    },
  );
}

function shown(request: RequestView) {
  return request.grant === undefined ? [] : [grantShown(request.grant, request)];
}

/** What ends somebody's access says why. */
export function neededReason(typed: string): string {
  const reason = reasonOf(typed);
  if (reason === '') throw refusalProblem({ code: 'reason_missing', minLength: 1 }, undefined);
  return reason;
}
