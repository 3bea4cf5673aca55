/** How the command line answers: lines for people, one JSON object for machines. */
import type { Problem } from '../config.ts';

/** Done, refused or failed, called wrongly. */
export const EXIT = { done: 0, failed: 1, usage: 2 } as const;

export interface Out {
  readonly json: boolean;
  /** The object with `--json`, the text without. */
  say(object: object, lines: string | readonly string[]): void;
}

export function createOut(json: boolean, write: (text: string) => void): Out {
  return {
    json,
    say: (object, lines) =>
      write(`${json ? JSON.stringify(object) : typeof lines === 'string' ? lines : lines.join('\n')}\n`),
  };
}

export function sayProblems(io: Out, problems: readonly Problem[], warnings: readonly Problem[]): void {
  const { length } = problems;
  io.say({ ok: false, problems, warnings }, [
    `The configuration has ${length} ${length === 1 ? 'problem' : 'problems'}. Nothing was started or changed.`,
    ...problems.map((problem) => `  ${problemLine(problem)}`),
    ...warnings.map((warning) => `  warning: ${problemLine(warning)}`),
  ]);
}

/** `line 12:5  policies.standard.duration.max: … Write: 4h` */
export function problemLine({ path, line, column, message, instead }: Problem): string {
  const at = line === undefined ? '' : `line ${line}${column === undefined ? '' : `:${column}`}  `;
  return `${at}${path === '' ? '' : `${path}: `}${message}${instead === undefined ? '' : ` Write: ${instead}`}`;
}
