/** Who is on call by the file alone: everybody on a list, or its people in turn. */
import { z } from 'zod';
import type { Instant } from '../access/model.ts';
import type { OnCall, OnCallEntry } from '../access/ports.ts';
import { instantAt, isZone, lastTimeOfDay } from '../access/zone.ts';

const DAY_MS = 86_400_000;

const person = z.email().describe('The email of a person, as the identity directory knows it.');

const wall = z
  .string()
  .refine(
    (text) => instantAt(text, 'UTC') !== undefined,
    "must be a day and a time in quotes, such as '2026-11-02 09:00'",
  );

const rotation = z
  .strictObject({
    people: z.array(person).min(2, 'a rotation needs two people or more').describe('In the order of their turns.'),
    zone: z
      .string()
      .refine(isZone, 'must be an IANA time zone such as Europe/Berlin')
      .optional()
      .describe('In which every time here is meant. Default: `timezone`.'),
    from: wall.describe(
      "When the first person's first turn begins, such as '2026-11-02 09:00'. Every hand-over is at that time of day; nobody is on call before.",
    ),
    every: z
      .string()
      .regex(/^[1-9]\d?[dw]$/, 'must be a number of days or weeks, such as 1d, 1w or 2w')
      .describe('The length of a turn in days or weeks on the wall: 1d, 1w, 2w.'),
    overrides: z
      .array(
        z
          .strictObject({ person, from: wall.describe('From then'), until: wall.describe('Until then') })
          // Of two texts of this form the later instant is the greater text.
          .refine(({ from, until }) => from < until, 'must end after it begins')
          .describe('This person instead of whoever has the turn.'),
      )
      .max(500)
      .optional()
      .describe('Exceptions; where several hold at once, all of their people are on call.'),
  })
  .describe('People who take turns.');

export const staticSection = z
  .strictObject({
    type: z.literal('static').describe('People named in this file.'),
    people: z.array(person).min(1).optional().describe('All of them are on call at the same time.'),
    rotation: rotation.optional(),
  })
  .refine(
    (section) => (section.people === undefined) !== (section.rotation === undefined),
    'needs people (all of them on call) or rotation (in turn), one of them',
  )
  .describe('People named in this file: all of them on call, or in turn.');

export type StaticSection = z.infer<typeof staticSection>;
type Rotation = z.infer<typeof rotation>;

/** `zone`: for a rotation that names none. */
export function createStaticOnCall({ people, rotation: turns }: StaticSection, zone: () => string): OnCall {
  const all = entriesOf(people ?? []);
  return { now: async (at) => (turns === undefined ? all : entriesOf(onTurn(turns, turns.zone ?? zone(), at))) };
}

function onTurn(turns: Rotation, zone: string, at: Instant): readonly string[] {
  const instead = (turns.overrides ?? []).filter(
    ({ from, until }) => at >= (instantAt(from, zone) ?? Infinity) && at < (instantAt(until, zone) ?? -Infinity),
  );
  if (instead.length > 0) return [...new Set(instead.map((one) => one.person))];
  const [day = '', time = ''] = turns.from.split(' ');
  const [hour = 0, minute = 0] = time.split(':').map(Number);
  // In days of the calendar, not in hours: a day with a clock change is a day, and the next hand-over is on time.
  const last = lastTimeOfDay({ hour, minute }, zone, at);
  const days = (Date.parse(last.day) - Date.parse(day)) / DAY_MS;
  const turn = Math.floor(days / lengthInDays(turns.every));
  const one = turn < 0 ? undefined : turns.people[turn % turns.people.length];
  return one === undefined ? [] : [one];
}

function lengthInDays(every: string): number {
  return Number(every.slice(0, -1)) * (every.endsWith('w') ? 7 : 1);
}

function entriesOf(emails: readonly string[]): readonly OnCallEntry[] {
  return emails.map((email) => ({ email, written: true as const }));
}
