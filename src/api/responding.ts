/** What responders do: revoke many grants after a preview, freeze, and lift. */
import { createRoute, type z } from '@hono/zod-openapi';
import type { Aim, Answer, Command } from '../access/command.ts';
import type { Freeze } from '../access/model.ts';
import type { Admitted } from './door.ts';
import { neededReason } from './grants.ts';
import { refusalProblem } from './problems.ts';
import { durationMs } from './requests.ts';
import { type ApiApp, body, CONFLICT, carryOut, json, NOT_FOUND, PROBLEMS, type RouteParts } from './routes.ts';
import { onceHeader } from './schemas.ts';
import * as shape from './schemas-oversight.ts';
import { at, given, iso } from './shown.ts';

export function respondingRoutes(app: ApiApp, parts: RouteParts): void {
  const { door, oversight } = parts;

  app.openapi(
    createRoute({
      method: 'post',
      path: '/revocations',
      operationId: 'previewRevocation',
      tags: ['revocations'],
      summary: 'Show what a revocation would end; ends nothing',
      ...door.needs('revoke'),
      request: { headers: onceHeader, body: body(shape.newRevocation) },
      responses: { 201: json(shape.revocation, 'Confirm it to end them.'), ...PROBLEMS, ...CONFLICT },
    }),
    async (c) => {
      const { scope, grantedWithin, except = [], reason } = c.req.valid('json');
      const command: Command = {
        do: 'revoke-all',
        by: c.var.caller.by,
        aim: aimOf(scope),
        except: except.map((email) => ({ email })),
        reason: neededReason(reason),
        ...(grantedWithin === undefined ? {} : { grantedWithinMs: durationMs(grantedWithin) }),
      };
      const said = await carryOut(c, parts, command, (answer) => revocationOf(parts, c.var.caller, answer));
      return c.json(said, 201, { location: `/api/v1/revocations/${said.id}` });
    },
  );

  app.openapi(
    createRoute({
      method: 'post',
      path: '/revocations/{id}/confirm',
      operationId: 'confirmRevocation',
      tags: ['revocations'],
      summary: 'End what was previewed',
      ...door.needs('revoke'),
      request: { params: shape.revocationParam, headers: onceHeader },
      responses: { 200: json(shape.revocation, 'It runs.'), ...PROBLEMS, ...CONFLICT },
    }),
    async (c) => {
      const { id } = c.req.valid('param');
      const command: Command = { do: 'confirm-revocation', by: c.var.caller.by, id };
      return c.json(await carryOut(c, parts, command, (answer) => revocationOf(parts, c.var.caller, answer)), 200);
    },
  );

  app.openapi(
    createRoute({
      method: 'get',
      path: '/revocations/{id}',
      operationId: 'getRevocation',
      tags: ['revocations'],
      summary: 'How far a revocation is',
      ...door.needs('revoke'),
      request: { params: shape.revocationParam },
      responses: { 200: json(shape.revocation, 'As it is now.'), ...PROBLEMS, ...NOT_FOUND },
    }),
    async (c) => c.json(await revocationShown(parts, c.var.caller, c.req.valid('param').id), 200),
  );

  app.openapi(
    createRoute({
      method: 'get',
      path: '/freezes',
      operationId: 'listFreezes',
      tags: ['freezes'],
      summary: 'What is frozen, as far as it concerns you',
      ...door.needs('requests:read'),
      responses: { 200: json(shape.freezes, 'Those that hold.'), ...PROBLEMS },
    }),
    async (c) => c.json({ items: (await oversight.freezes(c.var.caller.person)).map(freezeShown) }, 200),
  );

  app.openapi(
    createRoute({
      method: 'post',
      path: '/freezes',
      operationId: 'freeze',
      tags: ['freezes'],
      summary: 'Grant nothing new there until it is lifted',
      ...door.needs('freeze'),
      request: { headers: onceHeader, body: body(shape.newFreeze) },
      responses: { 201: json(shape.frozen, 'Frozen.'), ...PROBLEMS, ...CONFLICT },
    }),
    async (c) => {
      const { scope, reason } = c.req.valid('json');
      const command: Command = {
        do: 'freeze',
        by: c.var.caller.by,
        aim: aimOf(scope),
        reason: neededReason(reason),
      };
      return c.json(await carryOut(c, parts, command, frozenOf), 201);
    },
  );

  app.openapi(
    createRoute({
      method: 'post',
      path: '/freezes/lift',
      operationId: 'liftFreeze',
      tags: ['freezes'],
      summary: 'Lift a freeze; never by a token',
      ...door.needs('freeze'),
      request: { headers: onceHeader, body: body(shape.lift) },
      responses: { 200: json(shape.frozen, 'Lifted.'), ...PROBLEMS, ...CONFLICT },
    }),
    async (c) => {
      const command: Command = { do: 'unfreeze', by: c.var.caller.by, aim: aimOf(c.req.valid('json').scope) };
      return c.json(await carryOut(c, parts, command, frozenOf), 200);
    },
  );
}

function aimOf(scope: z.output<typeof shape.scope>): Aim {
  return 'person' in scope ? { email: scope.person } : scope;
}

async function revocationOf(parts: RouteParts, caller: Admitted, answer: Answer) {
  if (answer.say === 'refused') throw refusalProblem(answer.refusal, undefined);
  if (answer.say !== 'revocation') throw new Error(`a revocation was answered by ${answer.say}`);
  return await revocationShown(parts, caller, answer.id);
}

async function revocationShown(
  { oversight }: RouteParts,
  { person }: Admitted,
  id: string,
): Promise<z.output<typeof shape.revocation>> {
  const found = await oversight.revocation(person, id);
  if ('code' in found) throw refusalProblem(found, undefined);
  const { revocation, grants } = found;
  return {
    id: revocation.id,
    state: revocation.state,
    scope: { kind: revocation.scope.kind, name: revocation.name },
    except: revocation.except.map(({ name }) => name),
    reason: revocation.reason,
    by: revocation.by,
    createdAt: iso(revocation.createdAt),
    ...at('confirmedAt', revocation.confirmedAt),
    ...at('doneAt', revocation.doneAt),
    total: grants.length,
    over: grants.filter(({ state }) => state === 'ended').length,
    grants: grants.map(({ id: grant, holderName, entitlement, state }) => ({
      id: grant,
      holder: holderName,
      entitlement,
      state,
    })),
    more: revocation.more,
  };
}

function freezeShown(freeze: Freeze): z.output<typeof shape.freeze> {
  return {
    scope: { kind: freeze.scope.kind, name: freeze.name },
    reason: freeze.reason,
    by: freeze.by,
    at: iso(freeze.at),
    ...at('liftedAt', freeze.liftedAt),
    ...given('liftedBy', freeze.liftedBy),
  };
}

function frozenOf(answer: Answer): z.output<typeof shape.frozen> {
  if (answer.say === 'refused') throw refusalProblem(answer.refusal, undefined);
  if (answer.say !== 'freeze') throw new Error(`a freeze was answered by ${answer.say}`);
  const { what, freeze, closed, ended } = answer;
  return { did: what, freeze: freezeShown(freeze), withdrawn: closed, stopped: ended };
}
