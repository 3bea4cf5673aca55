/** What every group of routes is built with, and the parts of a route's description that they share. */
import type { OpenAPIHono, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import type { ActivityStore } from '../access/activity.ts';
import type { Catalog } from '../access/catalog.ts';
import type { Answer, Command } from '../access/command.ts';
import type { Handler } from '../access/handle.ts';
import type { Oversight } from '../access/oversight.ts';
import type { AnswerStore, Clock, Desk, Directory, Ids, People, Store, TrailStore } from '../access/ports.ts';
import type { ApiEnv, Door } from './door.ts';
import { type Once, REPLAYED } from './once.ts';
import { refusalProblem } from './problems.ts';
import { type Outcome, problem } from './schemas.ts';
import { requestShown } from './shown.ts';
import type { Waits } from './waits.ts';

export interface ApiParts {
  readonly handler: Handler;
  readonly desk: Desk;
  readonly store: Store & AnswerStore & TrailStore & ActivityStore;
  readonly people: People;
  readonly directories: ReadonlyMap<string, Directory>;
  readonly clock: Clock;
  readonly ids: Ids;
  /** As it is now; replaced whole on reload. */
  readonly catalog: () => Catalog;
}

export interface RouteParts extends ApiParts {
  readonly door: Door;
  readonly waits: Waits;
  readonly once: Once;
  readonly oversight: Oversight;
}

export type ApiApp = OpenAPIHono<ApiEnv>;

export function json<T extends z.ZodType>(schema: T, description: string) {
  return { description, content: { 'application/json': { schema } } };
}

export function body<T extends z.ZodType>(schema: T) {
  return { required: true, content: { 'application/json': { schema } } };
}

const why = (description: string) => ({ description, content: { 'application/problem+json': { schema: problem } } });

/** What any route that takes a credential may answer besides what it is for. */
export const PROBLEMS = {
  401: why('No credential that holds.'),
  403: why('The credential lacks the scope, or its person may not.'),
  422: why('What was sent does not fit, or the rules say no to it.'),
  429: why('Too many calls.'),
  503: why('Something could not be looked up, so nothing was done.'),
} as const;

export const NOT_FOUND = { 404: why('There is no such thing.') } as const;
export const CONFLICT = { 409: why('Not as things are now.') } as const;

/** Carries a command out, once for each `Idempotency-Key`. */
export async function carryOut<T>(
  c: Context<ApiEnv>,
  { once }: RouteParts,
  command: Command,
  shown: (answer: Answer) => T | Promise<T>,
): Promise<T> {
  const key = c.req.header('idempotency-key');
  const { value, replayed } = await once.carryOut({ caller: c.var.caller, key, command, shown });
  if (replayed) for (const [name, said] of Object.entries(REPLAYED)) c.header(name, said);
  return value;
}

/** What a command led to; throws the problem where it was refused. */
export function outcomeOf(answer: Answer): Outcome {
  if (answer.say === 'refused') throw refusalProblem(answer.refusal, answer.request?.zone);
  if (answer.say !== 'done') throw new Error(`a command was answered by ${answer.say}`);
  const { what, request, asked } = answer;
  return { did: what, request: requestShown(request), ...(asked === undefined ? {} : { asked: [...asked] }) };
}
