/**
 * Detection rules, read from files: ours, and those of the operator's folder. A file is judged whole, its samples
 * included: a rule that does not find what its author says it finds is no rule.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { ACTIVITY_KINDS, FINDING_LEVELS } from './access/activity.ts';
import type { Detection, DetectionContext, Judged } from './access/detection.ts';
import { type Path, parseFile, pathText } from './config-positions.ts';

export interface RuleFile {
  /** As it is named to people. */
  readonly name: string;
  readonly text: string;
}

export interface RuleProblem {
  readonly file: string;
  readonly path: string;
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

export type CompileDetection = (
  expression: string,
  judged: Judged,
) => Pick<Detection, 'reads' | 'evaluate'> | { readonly wrong: string };

const text = z.string().max(500);
const count = z.int().min(0);

const sample = z.strictObject({
  activity: z
    .strictObject({
      source: text,
      action: text,
      kind: z.enum(ACTIVITY_KINDS),
      account: text,
      outcome: z.enum(['success', 'failure']),
      resource: text,
      target: text,
      ip: text,
      country: text,
      device: text,
      amount: count,
      fit: z.enum(['within', 'outside', 'after']),
      minute: z.int(),
    })
    .partial()
    .optional(),
  grant: z
    .strictObject({
      resource: text,
      role: text,
      entitlement: text,
      reason: text,
      minutes: count,
      breakGlass: z.boolean(),
    })
    .partial()
    .optional(),
  person: z.strictObject({ id: text, name: text }).partial().optional(),
  use: z
    .strictObject({
      activities: count,
      amount: count,
      outside: count,
      after: count,
      exports: count,
      reads: count,
      writes: count,
      deletes: count,
    })
    .partial()
    .optional(),
  history: z
    .strictObject({
      grants: count,
      mostActivities: count,
      mostAmount: count,
      countries: z.array(text),
      devices: z.array(text),
    })
    .partial()
    .optional(),
});

type Sample = z.output<typeof sample>;

/** What a sample leaves out: an ordinary read, by somebody without a past. */
const PLAIN: DetectionContext = {
  activity: {
    source: 'bastion',
    action: 'SELECT',
    kind: 'read',
    account: 'ana_ro',
    outcome: 'success',
    resource: 'orders',
    target: '',
    ip: '',
    country: '',
    device: '',
    amount: 0,
    fit: 'within',
    minute: 5,
  },
  grant: { resource: 'db-prod', role: 'read', entitlement: 'db-prod:read', reason: '', minutes: 30, breakGlass: false },
  person: { id: 'okta/00u1', name: 'Ana' },
  use: { activities: 1, amount: 0, outside: 0, after: 0, exports: 0, reads: 1, writes: 0, deletes: 0 },
  history: { grants: 0, mostActivities: 0, mostAmount: 0, countries: [], devices: [] },
};

const ID = /^[a-z][a-z0-9-]{0,62}$/;

const rule = z.strictObject({
  id: z.string().regex(ID, 'must be small letters, digits and -'),
  title: z.string().min(1).max(100),
  level: z.enum(FINDING_LEVELS),
  description: z.string().max(2_000).optional(),
  judged: z.enum(['activity', 'use', 'end']).optional(),
  when: z.string().min(1),
  sigma: z.array(z.uuid('must be the id of a Sigma rule')).max(10).optional(),
  samples: z.strictObject({
    finds: z.array(sample).min(1, 'a rule needs a sample that it finds').max(50),
    passes: z.array(sample).min(1, 'a rule needs a sample that it lets pass').max(50),
  }),
});

/** One of ours that is not wanted. */
const off = z.strictObject({ id: z.string().regex(ID, 'must be small letters, digits and -'), off: z.literal(true) });

/** Never throws, whatever the texts. A rule of the operator's takes the place of ours of the same id. */
export function readDetections(
  ours: readonly RuleFile[],
  theirs: readonly RuleFile[],
  compile: CompileDetection,
): { readonly detections: readonly Detection[]; readonly problems: readonly RuleProblem[] } {
  const problems: RuleProblem[] = [];
  const rules = new Map<string, Detection>();
  const stated = new Map<string, string>();
  for (const file of [...ours, ...theirs]) {
    const mine = ours.includes(file);
    const read = readRule(file, compile, mine, problems);
    if (read === undefined) continue;
    const other = stated.get(read.id);
    if (!mine && other !== undefined)
      problems.push({
        file: file.name,
        path: 'id',
        line: 1,
        column: 1,
        message: `${other} has the id "${read.id}" too`,
      });
    if (!mine) stated.set(read.id, file.name);
    if ('off' in read) {
      if (!rules.delete(read.id))
        problems.push({
          file: file.name,
          path: 'id',
          line: 1,
          column: 1,
          message: `there is no rule "${read.id}" to leave out`,
        });
    } else rules.set(read.id, read);
  }
  return { detections: [...rules.values()], problems };
}

function readRule(
  { name, text: content }: RuleFile,
  compile: CompileDetection,
  ours: boolean,
  problems: RuleProblem[],
): Detection | { readonly id: string; readonly off: true } | undefined {
  const { value, problems: unread, locate } = parseFile(content);
  const report = (path: Path, message: string) =>
    void problems.push({ file: name, path: pathText(path), ...locate(path), message });
  for (const { line, column, message } of unread) problems.push({ file: name, path: '', line, column, message });
  if (unread.length > 0) return undefined;
  const left = off.safeParse(value);
  if (left.success) return left.data;
  const parsed = rule.safeParse(value, { reportInput: false });
  if (!parsed.success) {
    for (const issue of parsed.error.issues) {
      const path = issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part));
      const keys = issue.code === 'unrecognized_keys' ? issue.keys : [];
      if (keys.length === 0) report(path, issue.message.replace(/^Invalid input: /, ''));
      for (const key of keys) report([...path, key], `unknown key "${key}"`);
    }
    return undefined;
  }
  const { id, title, level, judged = 'activity', when, sigma = [], samples } = parsed.data;
  const compiled = compile(when, judged);
  if ('wrong' in compiled) {
    report(['when'], compiled.wrong);
    return undefined;
  }
  let sound = true;
  for (const [list, wanted] of [
    ['finds', true],
    ['passes', false],
  ] as const)
    for (const [i, one] of samples[list].entries()) {
      const said = compiled.evaluate(contextOf(one, judged));
      if ('holds' in said && said.holds === wanted) continue;
      sound = false;
      const what =
        'error' in said ? said.error : wanted ? 'the rule lets this sample pass' : 'the rule finds this sample';
      report(['samples', list, i], what);
    }
  return sound ? { id, title, level, judged, when, sigma, ours, ...compiled } : undefined;
}

function contextOf(one: Sample, judged: Judged): DetectionContext {
  const filled = Object.entries(PLAIN).map(([name, plain]) => {
    const given = one[name as keyof Sample] ?? {};
    return [name, { ...plain, ...given }] as const;
  });
  return Object.fromEntries(
    filled.filter(([name]) => name !== 'activity' || judged === 'activity'),
  ) as DetectionContext;
}

const SHIPPED = fileURLToPath(new URL('../detections/', import.meta.url));

/** The rules that come with Hallpass. */
export function shippedDetections(): readonly RuleFile[] {
  return listYaml(SHIPPED).map((name) => ({
    name: `detections/${name}`,
    text: readFileSync(`${SHIPPED}${name}`, 'utf8'),
  }));
}

/** Throws when there is no such folder. */
export function listYaml(folder: string): readonly string[] {
  return readdirSync(folder)
    .filter((name) => /\.ya?ml$/.test(name))
    .sort();
}
