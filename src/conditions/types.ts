/**
 * Judges a parsed expression before it is ever run: every name is known, every operator gets what it takes, the whole
 * is a bool, and it cannot take long. The library evaluates; it does not check types, and an expression that fails
 * only at night, when its other half is asked, would be found out at night.
 */
import type { CelFunc, CelType, parse } from '@bufbuild/cel';
import { nearest } from '../access/catalog.ts';
import { CONTEXT, type Type, typeText } from './context.ts';

type Expr = ReturnType<typeof parse>['expr'];

export interface Checked {
  /** Paths such as `now.hour`, each once, in the order of the text. */
  readonly reads: readonly string[];
  readonly groups: readonly string[];
  readonly onCall: readonly string[];
  /** Patterns of `matches`, to be tried before they are needed. */
  readonly patterns: readonly string[];
}

/** What is wrong with the expression, in words for whoever wrote it. */
export class ExpressionError extends Error {}

/** Functions by name: those of the library. */
export type Functions = ReadonlyMap<string, readonly CelFunc[]>;

/** `exists` within `exists` multiplies; a single one over a list that stands in the text does not. */
const NESTED_MAX = 1;
/** They give up the types that are checked here. */
const REFUSED_FUNCTIONS: ReadonlySet<string> = new Set(['dyn', 'type']);

interface Variable {
  readonly type: Type;
  /** For the variable of a macro: the texts it can stand for, when they stand in the expression. */
  readonly texts?: readonly string[];
}

type Scope = ReadonlyMap<string, Variable>;

const BOOL: Type = { is: 'bool' };
const DYN: Type = { is: 'dyn' };

/** `context`: what it may speak of; left out, what a policy's condition may. */
export function checkExpression(
  root: Expr,
  functions: Functions,
  context: Readonly<Record<string, Type>> = CONTEXT,
): Checked {
  const reads = new Set<string>();
  const asked = { groups: new Set<string>(), onCall: new Set<string>() };
  const patterns = new Set<string>();
  const type = typeOf(root, new Map(), 0);
  if (type.is !== 'bool') throw new ExpressionError(`must be true or false, and this is ${typeText(type)}`);
  return {
    reads: [...reads],
    groups: [...asked.groups],
    onCall: [...asked.onCall],
    patterns: [...patterns],
  };

  function typeOf(expr: Expr | undefined, scope: Scope, depth: number): Type {
    const kind = expr?.exprKind;
    switch (kind?.case) {
      case 'constExpr':
        return constantType(kind.value.constantKind.case);
      case 'identExpr':
        return identType(kind.value.name, scope);
      case 'selectExpr':
        return selectType(kind.value, scope, depth);
      case 'callExpr':
        return callType(kind.value, scope, depth);
      case 'listExpr':
        return { is: 'list', of: common(kind.value.elements.map((element) => typeOf(element, scope, depth))) };
      case 'comprehensionExpr':
        return macroType(kind.value, scope, depth);
      default:
        throw new ExpressionError('only values, lists, operators, functions and macros can be used');
    }
  }

  function identType(name: string, scope: Scope): Type {
    const bare = name.replace(/^\./, '');
    const local = scope.get(bare);
    if (local !== undefined) return local.type;
    if (!Object.hasOwn(context, bare)) throw unknown(`there is no “${bare}”`, bare, Object.keys(context));
    const type = context[bare] ?? DYN;
    if (type.is !== 'record') reads.add(bare);
    return type;
  }

  function selectType(
    select: { operand?: Expr | undefined; field: string; testOnly: boolean },
    scope: Scope,
    depth: number,
  ): Type {
    if (select.testOnly) throw new ExpressionError('has() is of no use here: every field is always there');
    const operand = typeOf(select.operand, scope, depth);
    const path = `${pathOf(select.operand) ?? ''}.${select.field}`;
    if (operand.is === 'map') return operand.of;
    if (operand.is !== 'record')
      throw new ExpressionError(`${typeText(operand)} has no fields, and “${select.field}” is asked of it`);
    if (!Object.hasOwn(operand.fields, select.field))
      throw unknown(`${operand.name} has no “${select.field}”`, select.field, Object.keys(operand.fields));
    if (path === 'requester.groups' || path === 'requester.onCall')
      // Nobody can list all the groups of the world for one question: those that the text names are looked up.
      throw new ExpressionError(`write '${EXAMPLE[path]}' in ${path}: those that the expression names are looked up`);
    reads.add(path);
    return operand.fields[select.field] ?? DYN;
  }

  function callType(
    call: { target?: Expr | undefined; function: string; args: readonly Expr[] },
    scope: Scope,
    depth: number,
  ): Type {
    const { args } = call;
    if (call.function === '@in') {
      const path = pathOf(args[1]);
      if (path === 'requester.groups' || path === 'requester.onCall') {
        reads.add(path);
        for (const text of textsOf(args[0], scope, path))
          asked[path === 'requester.groups' ? 'groups' : 'onCall'].add(text);
        return BOOL;
      }
    }
    const target = call.target === undefined ? undefined : typeOf(call.target, scope, depth);
    const types = args.map((arg) => typeOf(arg, scope, depth));
    const name = NAMES[call.function] ?? call.function;
    const wrong = () =>
      new ExpressionError(
        `${name} does not take ${[...(target ? [target] : []), ...types].map(typeText).join(' and ')}`,
      );
    switch (call.function) {
      case '_&&_':
      case '_||_':
      case '@not_strictly_false':
        if (!types.every((type) => fits(type, BOOL))) throw wrong();
        return BOOL;
      case '_?_:_':
        if (!fits(types[0] ?? DYN, BOOL)) throw new ExpressionError(`what stands before ? must be true or false`);
        return common(types.slice(1));
      case '_==_':
      case '_!=_':
        if (!comparable(types[0] ?? DYN, types[1] ?? DYN)) throw wrong();
        return BOOL;
      case '_[_]': {
        const [from, index] = types;
        if (from?.is === 'list' && index?.is === 'int') return from.of;
        if (from?.is === 'map' && fits(index ?? DYN, from.key)) return from.of;
        throw wrong();
      }
      case '@in': {
        const [what, among] = types;
        if (among?.is === 'list' && comparable(what ?? DYN, among.of)) return BOOL;
        if (among?.is === 'map' && comparable(what ?? DYN, among.key)) return BOOL;
        throw wrong();
      }
      case 'matches': {
        const pattern = constantText(args.at(-1));
        // What a person types must not become a pattern.
        if (pattern === undefined) throw new ExpressionError('the pattern of matches must stand in the expression');
        patterns.add(pattern);
        break;
      }
      default:
        break;
    }
    const overloads = REFUSED_FUNCTIONS.has(call.function) ? undefined : functions.get(call.function);
    if (overloads === undefined)
      throw unknown(
        `there is no function “${name}”`,
        name,
        [...functions.keys()].filter((known) => isWord(known) && !REFUSED_FUNCTIONS.has(known)),
      );
    const fitting = overloads.filter(
      (one) =>
        (one.target === undefined) === (target === undefined) &&
        (one.target === undefined || target === undefined || fits(target, typeFrom(one.target))) &&
        one.arguments.length === types.length &&
        one.arguments.every((wanted, i) => fits(types[i] ?? DYN, typeFrom(wanted))),
    );
    if (fitting.length === 0) throw wrong();
    // Joining two lists gives what they hold, which the library's own table does not say.
    if (call.function === '_+_' && types[0]?.is === 'list') return common(types);
    return common(fitting.map((one) => typeFrom(one.result)));
  }

  function macroType(
    macro: {
      iterVar: string;
      iterVar2: string;
      iterRange?: Expr | undefined;
      accuVar: string;
      accuInit?: Expr | undefined;
      loopCondition?: Expr | undefined;
      loopStep?: Expr | undefined;
      result?: Expr | undefined;
    },
    scope: Scope,
    depth: number,
  ): Type {
    if (depth >= NESTED_MAX) throw new ExpressionError('a macro such as exists may not stand within another');
    const range = typeOf(macro.iterRange, scope, depth);
    if (range.is !== 'list') throw new ExpressionError(`a macro goes over a list, and this is ${typeText(range)}`);
    const listed = macro.iterRange?.exprKind.case === 'listExpr' ? macro.iterRange.exprKind.value.elements : undefined;
    const texts = listed?.map(constantText);
    const item: Variable = {
      type: range.of,
      ...(texts?.every((text) => text !== undefined) === true ? { texts: texts as readonly string[] } : {}),
    };
    const inner = (accumulated: Type) =>
      new Map(scope).set(macro.iterVar, item).set(macro.accuVar, { type: accumulated });
    const start = typeOf(macro.accuInit, scope, depth + 1);
    const step = typeOf(macro.loopStep, inner(start), depth + 1);
    if (!fits(step, start))
      throw new ExpressionError(`a macro's condition must be true or false, and this is ${typeText(step)}`);
    const built = start.is === 'list' ? step : start;
    typeOf(macro.loopCondition, inner(built), depth + 1);
    return typeOf(macro.result, inner(built), depth + 1);
  }

  function textsOf(expr: Expr | undefined, scope: Scope, path: keyof typeof EXAMPLE): readonly string[] {
    const text = constantText(expr);
    if (text !== undefined) return [text];
    const name = expr?.exprKind.case === 'identExpr' ? expr.exprKind.value.name : undefined;
    const texts = name === undefined ? undefined : scope.get(name)?.texts;
    if (texts === undefined)
      throw new ExpressionError(
        `what is looked for in ${path} must stand in the expression, such as '${EXAMPLE[path]}'`,
      );
    return texts;
  }
}

const EXAMPLE = { 'requester.groups': 'okta/dba', 'requester.onCall': 'dba' } as const;

/** Operators as people write them. */
const NAMES: Readonly<Record<string, string>> = {
  '_&&_': '&&',
  '_||_': '||',
  '!_': '!',
  '-_': '-',
  '_==_': '==',
  '_!=_': '!=',
  '_<_': '<',
  '_<=_': '<=',
  '_>_': '>',
  '_>=_': '>=',
  '_+_': '+',
  '_-_': '-',
  '_*_': '*',
  '_/_': '/',
  '_%_': '%',
  '_[_]': '[]',
  '@in': 'in',
};

function isWord(name: string): boolean {
  return /^[a-z]\w*$/i.test(name);
}

function unknown(what: string, asked: string, known: readonly string[]): ExpressionError {
  const near = nearest(asked.toLowerCase(), known);
  const instead = near.length > 0 ? `did you mean ${near.join(' or ')}?` : `there is ${known.join(', ')}`;
  return new ExpressionError(known.length > 20 && near.length === 0 ? what : `${what}: ${instead}`);
}

function constantType(kind: string | undefined): Type {
  switch (kind) {
    case 'boolValue':
      return BOOL;
    case 'int64Value':
      return { is: 'int' };
    case 'uint64Value':
      return { is: 'uint' };
    case 'doubleValue':
      return { is: 'double' };
    case 'stringValue':
      return { is: 'string' };
    case 'bytesValue':
      return { is: 'bytes' };
    case 'nullValue':
      return { is: 'null' };
    default:
      throw new ExpressionError('a value of a kind that cannot be used here');
  }
}

function constantText(expr: Expr | undefined): string | undefined {
  if (expr?.exprKind.case !== 'constExpr') return undefined;
  const kind = expr.exprKind.value.constantKind;
  return kind.case === 'stringValue' ? kind.value : undefined;
}

function pathOf(expr: Expr | undefined): string | undefined {
  if (expr?.exprKind.case === 'identExpr') return expr.exprKind.value.name.replace(/^\./, '');
  if (expr?.exprKind.case !== 'selectExpr') return undefined;
  const operand = pathOf(expr.exprKind.value.operand);
  return operand === undefined ? undefined : `${operand}.${expr.exprKind.value.field}`;
}

function typeFrom(type: CelType): Type {
  switch (type.kind) {
    case 'list':
      return { is: 'list', of: typeFrom(type.element) };
    case 'map':
      return { is: 'map', key: typeFrom(type.key), of: typeFrom(type.value) };
    case 'object':
      if (type.name === 'google.protobuf.Duration') return { is: 'duration' };
      if (type.name === 'google.protobuf.Timestamp') return { is: 'timestamp' };
      return DYN;
    case 'scalar':
      return { is: type.scalar === 'null_type' ? 'null' : type.scalar };
  }
}

function fits(type: Type, wanted: Type): boolean {
  if (wanted.is === 'dyn' || type.is === 'dyn') return true;
  if (type.is === 'list' && wanted.is === 'list') return fits(type.of, wanted.of);
  if (type.is === 'map' && wanted.is === 'map') return fits(type.of, wanted.of);
  return type.is === wanted.is && type.is !== 'record';
}

const NUMBERS: ReadonlySet<string> = new Set(['int', 'uint', 'double']);

/** Whether it makes sense to ask if one is the other: a number is never a text, and that is a slip, not a question. */
function comparable(some: Type, other: Type): boolean {
  if (some.is === 'record' || other.is === 'record') return false;
  return (NUMBERS.has(some.is) && NUMBERS.has(other.is)) || fits(some, other) || fits(other, some);
}

function common(types: readonly Type[]): Type {
  const [first, ...others] = types;
  if (first === undefined) return DYN;
  return others.reduce((all, type) => {
    if (all.is === 'list' && type.is === 'list') return { is: 'list', of: all.of.is === 'dyn' ? type.of : all.of };
    if (!fits(type, all)) throw new ExpressionError(`${typeText(all)} and ${typeText(type)} stand where one kind must`);
    return all.is === 'dyn' ? type : all;
  }, first);
}
