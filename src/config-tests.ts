/** Files of policy tests: what is given, what is asked, and what is to come of it. */
import { z } from 'zod';
import { parseDuration } from './access/grammar.ts';
import { parseFile, pathText } from './config-positions.ts';

const duration = z
  .string()
  .refine((value) => parseDuration(value) !== undefined, 'must be a duration such as 30m or 2h')
  .transform((value) => parseDuration(value) ?? 0);

const email = z.email();
const instant = z
  .string()
  .regex(/^\d{4}-\d\d-\d\d[ T]\d\d:\d\d$/, "must be a time such as '2026-03-10 09:00', in the file's own zone");

const test = z.strictObject({
  name: z.string().min(1).max(200),
  given: z.strictObject({
    at: instant,
    groups: z.record(email, z.array(z.string().regex(/^[^/]+\/.+$/, 'must be <directory>/<group>'))).optional(),
    onCall: z.record(z.string(), z.array(email)).optional(),
    incidents: z
      .array(
        z.strictObject({ resource: z.string(), title: z.string().optional(), openedBy: z.array(email).optional() }),
      )
      .optional(),
    history: z
      .array(
        z.strictObject({
          of: z.string().regex(/^[^:]+:[^:]+$/, 'must be <resource>:<role>'),
          from: instant,
          for: duration,
          /** Given back, or ended by somebody, before its time. */
          ended: z.boolean().optional(),
        }),
      )
      .max(200)
      .optional(),
  }),
  when: z.strictObject({
    as: email,
    asks: z.string().min(1),
    for: z.string().optional(),
    reason: z.string().optional(),
  }),
  expect: z.strictObject({
    outcome: z.enum(['allowed', 'auto_approved', 'refused']),
    code: z.string().optional(),
    approvals: z.int().optional(),
    asked: z.array(email).optional(),
  }),
});

const file = z.strictObject({ tests: z.array(test).min(1).max(1_000) });

export type PolicyTest = z.output<typeof test>;

export type TestFile =
  | { readonly tests: readonly (PolicyTest & { readonly line: number })[] }
  | { readonly problems: readonly { readonly line: number; readonly message: string }[] };

/** Never throws, whatever the text. */
export function parseTests(text: string): TestFile {
  const { value, problems, locate } = parseFile(text);
  if (problems.length > 0) return { problems };
  const parsed = file.safeParse(value, { reportInput: false });
  if (!parsed.success)
    return {
      problems: parsed.error.issues.map((issue) => {
        const path = issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part));
        return { line: locate(path).line, message: `${pathText(path)}: ${issue.message}` };
      }),
    };
  return { tests: parsed.data.tests.map((one, i) => ({ ...one, line: locate(['tests', i]).line })) };
}
