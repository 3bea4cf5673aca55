import { describe, expect, test } from 'vitest';
import { dayAround, nextTimeOfDay, wallTime } from '../../src/access/zone.ts';

const iso = (at: number | undefined) => (at === undefined ? undefined : new Date(at).toISOString());
const until = (hour: number, minute: number, zone: string, now: string) =>
  iso(nextTimeOfDay({ hour, minute }, zone, Date.parse(now)));

describe('until a time of day', () => {
  test('means today in the person’s own zone', () => {
    expect(until(17, 0, 'Europe/Berlin', '2026-03-10T09:00:00Z')).toBe('2026-03-10T16:00:00.000Z');
    expect(until(17, 0, 'America/New_York', '2026-03-10T09:00:00Z')).toBe('2026-03-10T21:00:00.000Z');
    expect(until(17, 30, 'Asia/Kolkata', '2026-03-10T09:00:00Z')).toBe('2026-03-10T12:00:00.000Z');
    expect(until(23, 45, 'Asia/Kathmandu', '2026-03-10T09:00:00Z')).toBe('2026-03-10T18:00:00.000Z');
    expect(until(9, 0, 'Pacific/Kiritimati', '2026-03-10T11:00:00Z')).toBe('2026-03-10T19:00:00.000Z');
  });

  test('that has passed is not taken for tomorrow', () => {
    expect(until(8, 0, 'Europe/Berlin', '2026-03-10T09:00:00Z')).toBe('2026-03-10T07:00:00.000Z');
  });

  test.each([
    ['Europe/Berlin', '2026-03-29T00:30:00Z', 17, '2026-03-29T15:00:00.000Z'],
    ['Europe/Berlin', '2026-10-24T23:30:00Z', 17, '2026-10-25T16:00:00.000Z'],
    ['America/New_York', '2026-03-08T06:30:00Z', 17, '2026-03-08T21:00:00.000Z'],
    ['America/New_York', '2026-11-01T05:30:00Z', 17, '2026-11-01T22:00:00.000Z'],
  ])('in %s on the day of a clock change counts with the offset of that evening (%s)', (zone, now, hour, end) => {
    expect(until(hour, 0, zone, now)).toBe(end);
  });

  test.each([
    ['Europe/Berlin', '2026-03-29T00:30:00Z'],
    ['America/New_York', '2026-03-08T06:30:00Z'],
  ])('does not exist in the hour that %s skips', (zone, now) => {
    expect(until(2, 30, zone, now)).toBeUndefined();
  });

  test.each([
    [
      'Europe/Berlin',
      2,
      '2026-10-24T23:30:00Z',
      '2026-10-25T00:30:00.000Z',
      '2026-10-25T00:45:00Z',
      '2026-10-25T01:30:00.000Z',
    ],
    [
      'America/New_York',
      1,
      '2026-11-01T04:30:00Z',
      '2026-11-01T05:30:00.000Z',
      '2026-11-01T05:45:00Z',
      '2026-11-01T06:30:00.000Z',
    ],
  ])(
    'in the hour that %s has twice is the earlier one, unless that has passed',
    (zone, hour, before, first, between, second) => {
      expect(until(hour, 30, zone, before)).toBe(first);
      expect(until(hour, 30, zone, between)).toBe(second);
    },
  );

  test('late in the evening is found just after midnight of a day of 25 hours', () => {
    expect(until(23, 59, 'Europe/Berlin', '2026-10-24T22:05:00Z')).toBe('2026-10-25T22:59:00.000Z');
  });
});

test('a zone this machine does not know counts as UTC', () => {
  expect(wallTime(Date.parse('2026-03-10T09:05:00Z'), 'Nowhere/Land')).toMatchObject({ hour: 9, minute: 5 });
});

test('a day is as long as it is where the clock is put forward or back, whatever was asked before', () => {
  const day = (at: string, zone = 'Europe/Berlin') => {
    const { from, to } = dayAround(zone, Date.parse(at));
    return [iso(from), (to - from) / 3_600_000];
  };
  expect(day('2026-03-29T12:00:00Z')).toEqual(['2026-03-28T23:00:00.000Z', 23]);
  expect(day('2026-10-25T12:00:00Z')).toEqual(['2026-10-24T22:00:00.000Z', 25]);
  expect(day('2026-03-28T22:59:59Z')).toEqual(['2026-03-27T23:00:00.000Z', 24]);
  expect(day('2026-03-28T23:00:00Z')).toEqual(['2026-03-28T23:00:00.000Z', 23]);
  expect(day('2026-03-28T23:00:00Z', 'America/New_York')).toEqual(['2026-03-28T04:00:00.000Z', 24]);
});
