import type { Condition } from '../../src/access/condition.ts';
import { compileCondition } from '../../src/conditions/cel.ts';

/** An expression as the configuration compiles it. */
export function condition(expression: string): Condition {
  const compiled = compileCondition(expression);
  if ('wrong' in compiled) throw new Error(`${expression}: ${compiled.wrong}`);
  return compiled.condition;
}
