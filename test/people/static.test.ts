/** Rotations: whose turn it is follows the wall of the zone, across both clock changes, and nobody is guessed. */
import { expect, test } from 'vitest';
import { createStaticOnCall, type StaticSection, staticSection } from '../../src/people/static.ts';

const ZONE = 'Europe/Berlin';
const at = (text: string) => Date.parse(text);

async function onCall(section: StaticSection, when: string, zone = ZONE): Promise<readonly string[]> {
  const entries = await createStaticOnCall(section, () => zone).now(at(when));
  return entries.map((entry) => ('email' in entry ? entry.email : entry.account.id));
}

const rotation = (more: Partial<NonNullable<StaticSection['rotation']>> = {}): StaticSection => ({
  type: 'static',
  rotation: {
    people: ['ann@acme.com', 'ben@acme.com', 'cat@acme.com'],
    from: '2026-03-23 09:00',
    every: '1w',
    ...more,
  },
});

test('everyone on a static list is on call', async () => {
  expect(await onCall({ type: 'static', people: ['ben@acme.com', 'cat@acme.com'] }, '2026-03-23T09:00:00Z')).toEqual([
    'ben@acme.com',
    'cat@acme.com',
  ]);
});

test('the turn passes to the minute, and comes round', async () => {
  expect(await onCall(rotation(), '2026-03-23T08:00:00+01:00')).toEqual([]);
  expect(await onCall(rotation(), '2026-03-23T09:00:00+01:00')).toEqual(['ann@acme.com']);
  expect(await onCall(rotation(), '2026-03-30T08:59:59+02:00')).toEqual(['ann@acme.com']);
  expect(await onCall(rotation(), '2026-03-30T09:00:00+02:00')).toEqual(['ben@acme.com']);
  expect(await onCall(rotation(), '2026-04-06T09:00:00+02:00')).toEqual(['cat@acme.com']);
  expect(await onCall(rotation(), '2026-04-13T09:00:00+02:00')).toEqual(['ann@acme.com']);
});

test('before the first turn nobody is on call', async () => {
  expect(await onCall(rotation(), '2026-03-22T12:00:00Z')).toEqual([]);
});

test('hand-overs stay at nine on the wall after the clock went forward and back', async () => {
  const daily = rotation({ every: '1d' });
  // 29 March 2026 has 23 hours in Berlin, 25 October has 25.
  expect(await onCall(daily, '2026-03-28T09:00:00+01:00')).toEqual(['cat@acme.com']);
  expect(await onCall(daily, '2026-03-29T08:59:00+02:00')).toEqual(['cat@acme.com']);
  expect(await onCall(daily, '2026-03-29T09:00:00+02:00')).toEqual(['ann@acme.com']);
  const autumn = rotation({ every: '1d', from: '2026-10-24 09:00' });
  expect(await onCall(autumn, '2026-10-24T09:00:00+02:00')).toEqual(['ann@acme.com']);
  expect(await onCall(autumn, '2026-10-25T08:59:00+01:00')).toEqual(['ann@acme.com']);
  expect(await onCall(autumn, '2026-10-25T09:00:00+01:00')).toEqual(['ben@acme.com']);
});

test('a hand-over in the hour that is skipped is as late after the change, and one that comes twice happens once', async () => {
  const night = rotation({ every: '1d', from: '2026-03-28 02:30' });
  expect(await onCall(night, '2026-03-29T01:59:00+01:00')).toEqual(['ann@acme.com']);
  expect(await onCall(night, '2026-03-29T03:29:00+02:00')).toEqual(['ann@acme.com']);
  expect(await onCall(night, '2026-03-29T03:30:00+02:00')).toEqual(['ben@acme.com']);
  const twice = rotation({ every: '1d', from: '2026-10-24 02:30' });
  expect(await onCall(twice, '2026-10-25T02:29:00+02:00')).toEqual(['ann@acme.com']);
  expect(await onCall(twice, '2026-10-25T02:30:00+02:00')).toEqual(['ben@acme.com']);
  expect(await onCall(twice, '2026-10-25T02:29:00+01:00')).toEqual(['ben@acme.com']);
  expect(await onCall(twice, '2026-10-25T02:31:00+01:00')).toEqual(['ben@acme.com']);
});

test("a rotation's own zone goes before the file's", async () => {
  const tokyo = rotation({ zone: 'Asia/Tokyo' });
  expect(await onCall(tokyo, '2026-03-23T00:00:00Z')).toEqual(['ann@acme.com']);
  expect(await onCall(tokyo, '2026-03-29T23:59:00Z')).toEqual(['ann@acme.com']);
  expect(await onCall(tokyo, '2026-03-30T00:00:00Z')).toEqual(['ben@acme.com']);
});

test('an override replaces whoever has the turn, in the wall time of the zone, and then the turn goes on', async () => {
  const section = rotation({
    overrides: [
      { person: 'dan@acme.com', from: '2026-03-29 00:00', until: '2026-03-29 09:00' },
      { person: 'eve@acme.com', from: '2026-03-29 08:00', until: '2026-03-29 12:00' },
    ],
  });
  expect(await onCall(section, '2026-03-28T23:59:00+01:00')).toEqual(['ann@acme.com']);
  expect(await onCall(section, '2026-03-29T00:00:00+01:00')).toEqual(['dan@acme.com']);
  expect(await onCall(section, '2026-03-29T08:30:00+02:00')).toEqual(['dan@acme.com', 'eve@acme.com']);
  expect(await onCall(section, '2026-03-29T09:00:00+02:00')).toEqual(['eve@acme.com']);
  expect(await onCall(section, '2026-03-29T12:00:00+02:00')).toEqual(['ann@acme.com']);
});

test('a rotation that cannot be meant is refused', () => {
  const refused = (section: unknown) => !staticSection.safeParse(section).success;
  expect(refused({ type: 'static' })).toBe(true);
  expect(refused({ ...rotation(), people: ['ann@acme.com'] })).toBe(true);
  expect(refused(rotation({ zone: '+02:00' }))).toBe(true);
  expect(refused(rotation({ zone: 'Europe/Atlantis' }))).toBe(true);
  expect(refused(rotation({ every: '0d' }))).toBe(true);
  expect(refused(rotation({ every: '12h' }))).toBe(true);
  expect(refused(rotation({ from: '2026-02-30 09:00' }))).toBe(true);
  expect(refused(rotation({ from: '9 o’clock' }))).toBe(true);
  expect(
    refused(rotation({ overrides: [{ person: 'dan@acme.com', from: '2026-03-29 09:00', until: '2026-03-29 09:00' }] })),
  ).toBe(true);
  expect(refused(rotation())).toBe(false);
});
