/**
 * Conditions in CEL, the Common Expression Language. Compiled and judged when the configuration is read; what runs
 * later can neither loop for long nor reach anything but what it is given.
 */
import { createRequire } from 'node:module';
import type * as Cel from '@bufbuild/cel';
import type * as CelExtensions from '@bufbuild/cel/ext';
import type { ActivityMatch } from '../access/attribution.ts';
import type { Condition, ConditionContext } from '../access/condition.ts';
import type { Detection, DetectionContext, Judged } from '../access/detection.ts';
import { CONTEXT, DETECTION_CONTEXT, MATCH_CONTEXT, type Type } from './context.ts';
import { type Checked, checkExpression, ExpressionError, type Functions } from './types.ts';

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

type Verdict = { readonly holds: boolean } | { readonly error: string };

type Planned =
  | (Checked & { readonly expression: string; run(values: Record<string, Cel.CelInput>): Verdict })
  | { readonly wrong: string };

/** The condition of an expression, or what is wrong with it. Never throws because of the text. */
export function compileCondition(text: string): Compiled {
  const planned = compiled(text, CONTEXT);
  if ('wrong' in planned) return planned;
  const { expression, reads, groups, onCall, run } = planned;
  return {
    condition: {
      expression,
      reads,
      groups,
      onCall,
      evaluate: (context) => run(bindings(context, language ?? load())),
    },
  };
}

/** The same for a detection rule, over what is known where it is judged. */
export function compileDetection(
  text: string,
  judged: Judged,
): Pick<Detection, 'reads' | 'evaluate'> | { readonly wrong: string } {
  const planned = compiled(text, DETECTION_CONTEXT[judged]);
  if ('wrong' in planned) return planned;
  const { reads, run } = planned;
  return { reads, evaluate: (context) => run(recordsOf(context, reads)) };
}

/** Which activity is an entitlement's own. All that it reads is always there, so it cannot fail once it is compiled. */
export function compileMatch(text: string): ActivityMatch | { readonly wrong: string } {
  const planned = compiled(text, MATCH_CONTEXT);
  if ('wrong' in planned) return planned;
  const { expression, reads, run } = planned;
  const told = new Map<string, boolean>();
  return {
    expression,
    matches(activity) {
      const record = { ...activity } as unknown as Readonly<Record<string, string | number>>;
      const key = reads.map((path) => String(record[path.slice(path.indexOf('.') + 1)])).join('\u0000');
      const known = told.get(key);
      if (known !== undefined) return known;
      const verdict = run(recordsOf({ activity: record }, reads));
      const holds = 'holds' in verdict && verdict.holds;
      // What it reads may differ with each activity; then there is nothing to remember.
      if (told.size >= MATCHES_KEPT) told.clear();
      told.set(key, holds);
      return holds;
    },
  };
}

const MATCHES_KEPT = 2_000;

function compiled(text: string, context: Readonly<Record<string, Type>>): Planned {
  const expression = text.trim();
  if (expression === '') return { wrong: 'the expression is empty' };
  if (expression.length > EXPRESSION_MAX)
    return { wrong: `the expression has ${expression.length} characters, and ${EXPRESSION_MAX} are the most` };
  language ??= load();
  const { cel, env, functions } = language;
  try {
    const parsed = cel.parse(expression);
    const checked = checkExpression(parsed.expr, functions, context);
    const plan = cel.plan(env, parsed);
    const tries = cel.plan(env, cel.parse("''.matches(pattern)"));
    for (const pattern of checked.patterns) {
      const tried = tries({ pattern });
      if (cel.isCelError(tried)) return { wrong: `“${pattern}” is not a pattern: ${tried.message}` };
    }
    return {
      ...checked,
      expression,
      run(values) {
        const result = plan(values);
        if (typeof result === 'boolean') return { holds: result };
        return { error: cel.isCelError(result) ? result.message : 'the expression gave neither true nor false' };
      },
    };
  } catch (error) {
    if (error instanceof ExpressionError) return { wrong: error.message };
    return { wrong: syntaxText(error) };
  }
}

/** What is read, and nothing else: an expression is run for each of many thousand activities. Numbers as the language counts. */
function recordsOf(context: DetectionContext, reads: readonly string[]): Record<string, Cel.CelInput> {
  const values: Record<string, Record<string, Cel.CelInput>> = {};
  for (const path of reads) {
    const dot = path.indexOf('.');
    const [name, field] = [path.slice(0, dot), path.slice(dot + 1)];
    const value = context[name]?.[field];
    if (value === undefined) continue;
    values[name] ??= {};
    values[name][field] = typeof value === 'number' ? BigInt(Math.trunc(value)) : value;
  }
  return values;
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
