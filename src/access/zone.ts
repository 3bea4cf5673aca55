/** Times of day in a person's own zone. Uses the language's own `Intl`; no clock, no package. */
import type { Instant } from './model.ts';

/** A day is 25 hours long when the clock is put back; which one it is, the wall says. */
const LONGEST_DAY_MS = 26 * 3_600_000;

interface WallTime {
  readonly year: number;
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
}

/** What a clock on the wall shows in the zone; an unknown zone counts as UTC. */
export function wallTime(at: Instant, zone: string): WallTime {
  const minute = Math.floor(at / 60_000);
  const last = lastWall.get(zone);
  if (last?.minute === minute) return last.wall;
  const wall = read(formatter(zone), at);
  remember(lastWall, zone, { minute, wall });
  return wall;
}

/** A decision asks for the same minute and the same day many times, and reading a wall takes as long as the rest of it. */
const lastWall = new Map<string, { readonly minute: number; readonly wall: WallTime }>();
const lastDay = new Map<string, { readonly from: Instant; readonly to: Instant }>();
const ZONES_MOST = 500;

function remember<T>(memory: Map<string, T>, zone: string, value: T): void {
  if (memory.size >= ZONES_MOST) memory.clear();
  memory.set(zone, value);
}

function read(format: Intl.DateTimeFormat, at: Instant): WallTime {
  const parts = format.formatToParts(at);
  const of = (type: Intl.DateTimeFormatPartTypes) => Number(parts.find((part) => part.type === type)?.value ?? '0');
  return { year: of('year'), month: of('month'), day: of('day'), hour: of('hour'), minute: of('minute') };
}

/** A zone that knows its clock changes, by its IANA name. */
export function isZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    // An offset such as +02:00 is taken by Intl, but knows no summer time.
    return /^[A-Za-z]/.test(name);
  } catch {
    return false;
  }
}

/** Making one costs more than a whole decision does otherwise. There are as many as zones of people who asked. */
const formatters = new Map<string, Intl.DateTimeFormat>();

function formatter(zone: string): Intl.DateTimeFormat {
  const known = formatters.get(zone);
  if (known !== undefined) return known;
  const made = newFormatter(zone);
  remember(formatters, zone, made);
  return made;
}

function newFormatter(zone: string): Intl.DateTimeFormat {
  const options: Intl.DateTimeFormatOptions = {
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
  };
  try {
    return new Intl.DateTimeFormat('en-GB', { ...options, timeZone: zone });
  } catch {
    return new Intl.DateTimeFormat('en-GB', { ...options, timeZone: 'UTC' });
  }
}

/**
 * The instant of that time today in the zone, past or not: `until 17:00` said at 18:00 is refused, not taken for
 * tomorrow. Absent for a time that does not exist that day (the hour a clock change skips).
 */
export function nextTimeOfDay(
  time: { readonly hour: number; readonly minute: number },
  zone: string,
  now: Instant,
): Instant | undefined {
  const format = formatter(zone);
  const today = read(format, now);
  const asUtc = Date.UTC(today.year, today.month - 1, today.day, time.hour, time.minute);
  // Zones are within ±14 h of UTC and change by whole quarter hours at the finest; look at each offset once.
  const candidates: Instant[] = [];
  for (let offset = -14 * 60; offset <= 14 * 60; offset += 15) {
    const at = asUtc - offset * 60_000;
    if (Math.abs(at - now) > LONGEST_DAY_MS) continue;
    const wall = read(format, at);
    if (wall.day === today.day && wall.month === today.month && wall.hour === time.hour && wall.minute === time.minute)
      candidates.push(at);
  }
  // When the clock is put back an hour exists twice: the earlier one ends access sooner, unless it has passed.
  return candidates.sort((a, b) => a - b).find((at) => at > now) ?? candidates[0];
}

/**
 * The last time it was that late in the zone, now or before, and the date it was. A time that a clock change skips is
 * taken as late after the change as it would have been; of one that comes twice the first counts.
 */
export function lastTimeOfDay(
  time: { readonly hour: number; readonly minute: number },
  zone: string,
  now: Instant,
): { readonly at: Instant; readonly day: string } {
  const format = formatter(zone);
  const today = read(format, now);
  const on = (daysAgo: number) => {
    const noon = new Date(Date.UTC(today.year, today.month - 1, today.day - daysAgo, 12));
    const asUtc = Date.UTC(noon.getUTCFullYear(), noon.getUTCMonth(), noon.getUTCDate(), time.hour, time.minute);
    return { at: instantOf(format, asUtc), day: noon.toISOString().slice(0, 10) };
  };
  // A day back and another: where the date line was moved, a date may be missing.
  return [on(0), on(1)].find(({ at }) => at <= now) ?? on(2);
}

/**
 * The instant of `2026-11-02 09:00` on the wall in the zone, with the same rules for hours that a clock change skips or
 * repeats; absent for what is no such text, and for a day that no calendar has.
 */
export function instantAt(text: string, zone: string): Instant | undefined {
  const [, day, hour, minute] = /^(\d{4}-\d{2}-\d{2}) ([01]\d|2[0-3]):([0-5]\d)$/.exec(text) ?? [];
  const asUtc = Date.parse(`${day}T00:00:00Z`);
  if (Number.isNaN(asUtc) || new Date(asUtc).toISOString().slice(0, 10) !== day) return undefined;
  return instantOf(formatter(zone), asUtc + (Number(hour) * 60 + Number(minute)) * 60_000);
}

/** The day around an instant: from when it began to when the next one does. */
export function dayAround(zone: string, at: Instant): { readonly from: Instant; readonly to: Instant } {
  const last = lastDay.get(zone);
  if (last !== undefined && at >= last.from && at < last.to) return last;
  const from = startOfDay(zone, at);
  const day = { from, to: startOfDay(zone, from + LONGEST_DAY_MS) };
  remember(lastDay, zone, day);
  return day;
}

/** When the day began. */
export function startOfDay(zone: string, now: Instant): Instant {
  return lastTimeOfDay({ hour: 0, minute: 0 }, zone, now).at;
}

/** When the wall in the zone showed this; a time that a clock change skips is taken as late after it. */
export function instantOfWall(wall: WallTime, zone: string): Instant {
  return instantOf(formatter(zone), Date.UTC(wall.year, wall.month - 1, wall.day, wall.hour, wall.minute));
}

const DAY_MS = 86_400_000;

/** The instant at which the wall shows this, written as if the wall were in UTC. */
function instantOf(format: Intl.DateTimeFormat, asUtc: number): Instant {
  const offsetAt = (at: Instant) => {
    const { year, month, day, hour, minute } = read(format, at);
    return Date.UTC(year, month - 1, day, hour, minute) - (at - (at % 60_000));
  };
  // Before and after any change of that day. Where both fit, the larger offset is the earlier instant.
  const before = asUtc - offsetAt(asUtc - DAY_MS);
  const after = asUtc - offsetAt(asUtc + DAY_MS);
  const fits = [before, after].filter((at) => at + offsetAt(at) === asUtc);
  return fits.length === 0 ? before : Math.min(...fits);
}
