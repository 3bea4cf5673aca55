/** The section of `hallpass.yaml` that describes a directory which an executable stands in for. */
import { z } from 'zod';
import { driftKeys } from './drift-section.ts';
import { lag } from './section.ts';

const NUL = '\u0000';

export const commandSection = z
  .strictObject({
    type: z.literal('command').describe('This directory is an executable of yours, asked once for each call.'),
    run: z
      .array(z.string().refine((value) => !value.includes(NUL), 'must not contain NUL'))
      .min(1, 'must name the executable')
      .refine(([file = '']) => file.startsWith('/'), 'must begin with the absolute path of the executable')
      .describe('The executable, by absolute path, and its arguments. No shell is involved.'),
    env: z
      .record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'must be the name of a variable'), z.string())
      .optional()
      .describe('Its whole environment, but for PATH. Hallpass passes on nothing of its own.'),
    deadline: z
      .string()
      .regex(/^[1-9]\d{0,4}(ms|s)$/, 'must be milliseconds or seconds, such as 800ms or 8s')
      .optional()
      .describe('How long one call may take; then the executable and what it started are killed. Default 8s.'),
    lag: lag('2s'),
    ...driftKeys,
  })
  .describe('A directory of your own making, behind an executable.');

export type CommandSection = z.output<typeof commandSection>;
