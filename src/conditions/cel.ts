/**
 * Conditions in CEL, the Common Expression Language. Compiled and judged when the configuration is read; what runs
 * later can neither loop for long nor reach anything but what it is given.
 */
import { createRequire } from 'node:module';
import type * as Cel from '@bufbuild/cel';
import type * as CelExtensions from '@bufbuild/cel/ext';
import type { Condition, ConditionContext } from '../access/condition.ts';
import { checkExpression, ExpressionError, type Functions } from './types.ts';

/** In characters. What needs more is several policies. */
export const EXPRESSION_MAX = 2_000;

type Compiled = { readonly condition: Condition } | { readonly wrong: string };

interface Language {
  readonly cel: typeof Cel;
  readonly env: ReturnType<typeof Cel.celEnv>;
  readonly functions: Functions;
  /** A length of time as the language has it. */
  duration(ms: number): Cel.CelInput;
}

let language: Language | undefined;

/** Loaded with the first condition: it takes longer than all the rest of the program, and most files have none. */
function load(): Language {
  const require = createRequire(import.meta.url);
  const cel = require('@bufbuild/cel') as typeof Cel;
  const { strings } = require('@bufbuild/cel/ext') as typeof CelExtensions;
  const env = cel.celEnv({ funcs: [...strings] });
  const functions = new Map<string, Cel.CelFunc[]>();
  for (const one of env.funcs) functions.set(one.name, [...(functions.get(one.name) ?? []), one]);
  const seconds = cel.plan(env, cel.parse('duration(text)'));
  return {
    cel,
    env,
    functions,
    duration(ms) {
      const value = seconds({ text: `${Math.floor(ms / 1000)}s` });
      if (cel.isCelError(value)) throw value;
      return value;
    },
  };
}

/** The condition of an expression, or what is wrong with it. Never throws because of the text. */
export function compileCondition(text: string): Compiled {
  const expression = text.trim();
  if (expression === '') return { wrong: 'the expression is empty' };
  if (expression.length > EXPRESSION_MAX)
    return { wrong: `the expression has ${expression.length} characters, and ${EXPRESSION_MAX} are the most` };
  language ??= load();
  const { cel, env, functions } = language;
  try {
    const parsed = cel.parse(expression);
    const { reads, groups, onCall, patterns } = checkExpression(parsed.expr, functions);
    const run = cel.plan(env, parsed);
    const tries = cel.plan(env, cel.parse("''.matches(pattern)"));
    for (const pattern of patterns) {
      const tried = tries({ pattern });
      if (cel.isCelError(tried)) return { wrong: `“${pattern}” is not a pattern: ${tried.message}` };
    }
    return {
      condition: {
        expression,
        reads,
        groups,
        onCall,
        evaluate(context) {
          const result = run(bindings(context, language ?? load()));
          if (typeof result === 'boolean') return { holds: result };
          return { error: cel.isCelError(result) ? result.message : 'the expression gave neither true nor false' };
        },
      },
    };
  } catch (error) {
    if (error instanceof ExpressionError) return { wrong: error.message };
    return { wrong: syntaxText(error) };
  }
}

/** `@bufbuild/cel` says where it stopped, counted from 1. */
function syntaxText(error: unknown): string {
  const { message } = error instanceof Error ? error : { message: String(error) };
  const said = /<input>:(\d+):(\d+): (.*)/s.exec(message);
  return said === null
    ? `not an expression: ${message}`
    : `not an expression: at line ${said[1]}, character ${said[2]} of it: ${said[3]}`;
}

function bindings(context: ConditionContext, { duration }: Language): Record<string, Cel.CelInput> {
  const { now, requester, resource, incident, history } = context;
  return {
    now: {
      hour: BigInt(now.hour),
      minute: BigInt(now.minute),
      weekday: BigInt(now.weekday),
      date: now.date,
    },
    requester: {
      email: requester.email,
      name: requester.name,
      // What was not looked up, or could not be, is not there: asking for it is an error and not an empty list.
      ...(requester.groups === undefined ? {} : { groups: requester.groups }),
      ...(requester.onCall === undefined ? {} : { onCall: requester.onCall }),
    },
    resource: { name: resource.name, tags: resource.tags, owner: resource.owner },
    role: context.role,
    duration: duration(context.durationMs),
    reason: context.reason,
    ticket: context.ticket,
    ...(incident === undefined ? {} : { incident: { open: incident.open, id: incident.id, title: incident.title } }),
    ...(history === undefined
      ? {}
      : {
          history: {
            grants24h: BigInt(history.grants24h),
            grants7d: BigInt(history.grants7d),
            usedToday: duration(history.usedTodayMs),
            sinceLastEnd: duration(history.sinceLastEndMs),
          },
        }),
  };
}
