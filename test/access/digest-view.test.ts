/** What security reads once a day: the worst first, everything counted, and a quiet day in one line. */
import { describe, expect, test } from 'vitest';
import type { GrantWindow, Use } from '../../src/access/activity.ts';
import { unusedOf } from '../../src/access/digest-control.ts';
import { DIGEST_CSV_HEAD, digestCsvLine } from '../../src/access/digest-csv.ts';
import { digestView, removalDueAt, removalLatenessMs } from '../../src/access/digest-view.ts';
import { fitted, reportText } from '../../src/access/report.ts';
import { lastTimeOfDay, startOfDay } from '../../src/access/zone.ts';
import {
  activeGrant,
  approval,
  ben,
  grant,
  HOUR,
  MINUTE,
  membershipRecord,
  ourMembership,
  request,
  requestRecord,
  SECOND,
  T0,
} from '../support/builders.ts';
import { granted, quietFacts } from '../support/digest-facts.ts';

const window: GrantWindow = {
  grantId: 'G-0',
  requestId: 'R-0',
  holder: 'okta/ana',
  holderName: 'Ana',
  entitlement: 'db-prod:read',
  resource: 'db-prod',
  role: 'read',
  reason: 'fix',
  durationMs: 2 * HOUR,
  breakGlass: false,
  sessionTailMs: 0,
  startsAt: T0,
  accounts: [],
};
const use: Use = {
  grantId: 'G-0',
  version: 1,
  requestId: 'R-0',
  person: 'okta/ana',
  entitlement: 'db-prod:read',
  activities: 3,
  amount: 0,
  kinds: { read: 3 },
  outside: 0,
  after: 0,
  countries: [],
  devices: [],
  firstAt: T0,
  lastAt: T0,
};

const period = { from: T0 - 24 * HOUR, to: T0 };
const pat = { directory: 'okta', group: 'prod-db-read', members: ['Pat Moreau'] };
const nobody = { directory: 'okta', group: 'prod-db-admin', members: [] };
const view = (facts: Parameters<typeof quietFacts>[0] = {}, standing = [pat, nobody], dueAt?: number) =>
  digestView(
    { facts: quietFacts(facts), standing, period, zone: 'Europe/Berlin', ...(dueAt === undefined ? {} : { dueAt }) },
    T0,
  );
const titles = (shown: ReturnType<typeof view>) => shown.sections.map(({ title }) => title);
const all = (shown: ReturnType<typeof view>) => reportText(shown, 100_000);

/** Ended half an hour ago, and not proven gone. */
function failing(failures: number, lateMs = 30 * MINUTE) {
  const over = activeGrant({ state: 'ending', expiresAt: T0 - lateMs, endingAt: T0 - lateMs, endReason: 'expired' });
  const row = ourMembership({ failures, removeStartedAt: T0 - lateMs, lastError: 'HTTP 503 from Okta' });
  return membershipRecord(row, [over]);
}

describe('the trail', () => {
  const seal = { seq: 1_234, hash: 'ab'.repeat(32) };
  const told = (trail: object) =>
    digestView({ facts: quietFacts(), standing: [nobody], trail: { ...seal, ...trail }, period, zone: 'UTC' }, T0);

  test('is noted with its whole end, also on a quiet day, so that a digest is an anchor', () => {
    const shown = told({ verified: { ok: true } });
    expect(shown.severity).toBe('calm');
    expect(all(shown)).toContain('1,234 events, each as it was written and linked to the one before');
    expect(all(shown)).toContain(`Ends at 1234:${'ab'.repeat(32)}`);
  });

  test('that is not as it was written comes first, whatever the day was like', () => {
    const shown = told({ verified: { ok: false, why: 'event 7: event 7 is missing' } });
    expect(shown).toMatchObject({ severity: 'warning', title: expect.stringMatching(/needs attention/) });
    expect(all(shown)).toContain('NOT as it was written: event 7: event 7 is missing');
  });

  test('that was not looked at is not called verified', () => {
    expect(all(told({}))).not.toContain('as it was written');
  });
});

describe('a quiet day', () => {
  test('is one line that also says who needs no grant', () => {
    const shown = view();
    expect(shown).toMatchObject({ quiet: true, severity: 'calm', sections: [] });
    expect(shown.headline).toBe(
      'A quiet time since Mon 9 Mar 10:00 CET: nothing was requested, granted or ended, and nobody holds access through Hallpass. 1 standing member: Pat Moreau in prod-db-read.',
    );
  });

  test('says that nobody does, and which group could not be looked at', () => {
    expect(view({}, [nobody]).headline).toContain('Nobody is a standing member of a governed group.');
    const silent = { directory: 'okta', group: 'prod-db-read', error: 'no answer in 6 s' };
    const one = digestView({ facts: quietFacts(), standing: [silent], period, zone: 'UTC' }, T0);
    expect(one.headline).toContain('Who is in prod-db-read could not be asked.');
    expect(one.headline).not.toContain('Nobody is a standing member');
  });

  test.each([
    ['a request that waits', { counts: { pending: 1 } }],
    ['a denial', { counts: { denied: 1 } }],
    ['an end', { counts: { ending: { expired: 1, revoked: 0, returned: 0, abandoned: 0, removed_outside: 0 } } }],
    ['a removal under way', { counts: { removals: 1 } }],
    ['a live grant', { counts: { live: 1 } }],
  ])('is none with %s', (_what, facts) => {
    expect(view(facts).quiet).toBe(false);
  });
});

describe('what goes wrong', () => {
  const shown = view({
    counts: { removals: 2, live: 1, granted: 1 },
    removals: [failing(6), failing(0, MINUTE)],
    live: [granted(1)],
    granted: [granted(1)],
  });

  test('comes first, in the title and in the sentence', () => {
    expect(shown.title).toBe('Access digest, Tue 10 Mar 10:00 CET: needs attention');
    expect(shown.severity).toBe('warning');
    expect(shown.headline).toMatch(
      /^1 removal failing or late, the oldest due since 09:30 CET\. 1 removal under way\./,
    );
    expect(titles(shown).slice(0, 3)).toEqual(['Removals failing or late', 'Live now', 'Granted']);
  });

  test('says who, where, since when and why', () => {
    expect(shown.sections[0]?.lines).toEqual([
      {
        lead: 'Ana',
        rest: 'db-prod:read (G-7KQ2), not proven gone from prod-db-read in okta. Due 09:30 CET, 30 min late. 6 failures in a row: HTTP 503 from Okta',
      },
    ]);
  });

  test('is told when it was mended too, with the longest lateness', () => {
    const late = activeGrant({
      state: 'ended',
      expiresAt: T0 - HOUR,
      endingAt: T0 - HOUR,
      endedAt: T0 - 18 * MINUTE,
      endReason: 'expired',
    });
    const mended = view({ counts: { proven: 3, late: 1 }, latest: [late] });
    expect(mended.headline).toMatch(/^1 removal proven late, the longest by 42 min\./);
    expect(titles(mended)[0]).toBe('Removed late, and proven gone');
    expect(mended.counts).toMatchObject({ late: 1, longestLatenessMs: 42 * MINUTE });
  });

  test('of more removals than were looked at, no more is said than is known', () => {
    const many = view({ counts: { removals: 900 }, removals: Array.from({ length: 40 }, () => failing(3)) });
    expect(many.headline).toContain('At least 40 removals failing or late');
    expect(many.headline).not.toContain('under way');
  });
});

describe('lateness', () => {
  const over = (more: object) => activeGrant({ state: 'ended', expiresAt: T0, ...more });

  test('counts from the end that was due, also when it was only looked at later', () => {
    expect(removalLatenessMs(over({ endingAt: T0 + HOUR, endedAt: T0 + HOUR + SECOND }))).toBe(HOUR + SECOND);
    expect(removalDueAt(over({ endingAt: T0 - MINUTE }))).toBe(T0 - MINUTE);
  });

  test('is never negative, and there is none while it is not over or never began', () => {
    expect(removalLatenessMs(over({ endingAt: T0, endedAt: T0 - 1 }))).toBe(0);
    expect(removalLatenessMs(over({ state: 'ending', endingAt: T0 }))).toBeUndefined();
    expect(removalLatenessMs(grant({ state: 'ended', endingAt: T0, endedAt: T0 }))).toBeUndefined();
  });
});

test('what was granted says to whom, for how long, by whom and why', () => {
  const shown = view({ counts: { granted: 1 }, granted: [granted(1, 'Ana Sousa')] });
  expect(all(shown)).toContain('Ana Sousa: db-prod:read for 30 min, approved by Ben 10:00 CET: fix stuck migration');
});

test('what was denied, lapsed or ended early says by whom and why', () => {
  const denied = request({ state: 'denied', decidedAt: T0 - HOUR });
  const revoked = granted(2, 'Cat');
  const shown = view({
    counts: { denied: 1, ending: { expired: 4, revoked: 1, returned: 0, abandoned: 0, removed_outside: 0 } },
    refused: [requestRecord(denied, [approval(denied, ben, { answer: 'denied', reason: 'not today' })])],
    endedEarly: [
      {
        ...revoked,
        grant: activeGrant({
          state: 'ended',
          endReason: 'revoked',
          endingAt: T0 - MINUTE,
          endedBy: 'Sam Haddad',
          endNote: 'laptop stolen',
        }),
      },
    ],
  });
  expect(all(shown)).toContain('Ana: db-prod:read denied by Ben 09:00 CET: not today');
  expect(all(shown)).toContain('Cat: db-prod:read revoked by Sam Haddad 09:59 CET: laptop stolen');
  expect(all(shown)).toContain('4 ran out, 1 revoked');
});

describe('what asks for somebody’s judgement', () => {
  const material = {
    facts: quietFacts({
      counts: { granted: 4, breakGlass: 1 },
      breakGlass: [granted(3, 'Ben Okafor', 'orders are down')],
      approvedFor: [
        { approver: 'a', approverName: 'Ana', requester: 'b', requesterName: 'Ben', count: 3 },
        { approver: 'b', approverName: 'Ben', requester: 'a', requesterName: 'Ana', count: 2 },
        { approver: 'b', approverName: 'Ben', requester: 'c', requesterName: 'Cat', count: 9 },
      ],
      policyChanges: [
        {
          at: T0 - HOUR,
          kind: 'policy.changed',
          actor: { kind: 'hallpass', part: 'configuration' },
          detail: { policy: 'standard', before: '1a2b3c4d5e', now: 'ffeeddccbb' },
        },
      ],
    }),
    standing: [nobody],
    period,
    zone: 'UTC',
  };
  const told = (more: Partial<Parameters<typeof digestView>[0]> = {}) => digestView({ ...material, ...more }, T0);

  test('is said: what was taken without approval, who approves for each other, which policies changed', () => {
    const said = all(told());
    expect(said).toContain('Taken without approval: Ben Okafor: db-prod:read (G-1003) for 30 min');
    expect(said).toContain('Approved for each other: Ana and Ben: 3 and 2 times');
    expect(said).not.toContain('Cat:');
    expect(said).toContain('standard: 1a2b3c4d is now ffeeddcc, 08:00 UTC');
    expect(told().counts).toMatchObject({ breakGlass: 1, pairs: 1, policyChanges: 1 });
  });

  test('is also how long the digests have been left unsigned, on a quiet day too', () => {
    const unsigned = [
      { day: '2026-03-06', toAt: T0 - 4 * 24 * HOUR },
      { day: '2026-03-09', toAt: T0 - 24 * HOUR },
    ];
    expect(all(told({ unsigned }))).toContain('Digests not signed: 2, the oldest of 2026-03-06: 4 days unsigned');
    const quiet = told({ facts: quietFacts(), unsigned });
    expect(quiet).toMatchObject({ quiet: true, headline: expect.stringContaining('2 digests not signed') });
  });

  test('comes with what was found and never used, and what was not looked at is not called innocent', () => {
    const finding = {
      id: 'F-7KQ2M',
      version: 1,
      state: 'open',
      rule: 'export',
      title: 'Bulk export',
      level: 'high',
      grantId: 'G-7KQ2',
      requestId: 'R-7KQ2',
      holder: 'okta/ana',
      holderName: 'Ana',
      entitlement: 'db-prod:read',
      count: 1,
      examples: [],
      firstAt: T0,
      lastAt: T0,
      createdAt: T0 - HOUR,
    } as const;
    const activity = {
      found: [finding, { ...finding, id: 'F-OLD2M' }],
      open: [finding],
      failing: ['google'],
      unused: [{ entitlement: 'db-prod:read', ended: 14, unused: 12, longestUseMs: 8 * MINUTE, usualMs: 2 * HOUR }],
    };
    const shown = told({ activity });
    expect(shown.severity).toBe('warning');
    expect(all(shown)).toMatch(
      /Findings: Ana: high: Bulk export under db-prod:read .*nobody has answered.*1 other closed/,
    );
    expect(all(shown)).toContain('Activity not looked at: google: it did not answer');
    expect(all(shown)).toContain(
      'db-prod:read: 12 of 14 grants; nobody used it for longer than 8 min, so 10 min in place of 2 h would do',
    );
  });
});

test('a grant is unused when nothing was seen under it, and how short would do is what the others needed', () => {
  const windows = [0, 1, 2].map((n) => ({ ...window, grantId: `G-${n}` }));
  const used = { ...use, grantId: 'G-1', lastAt: T0 + 8 * MINUTE };
  expect(unusedOf(windows, [used])).toEqual([
    { entitlement: 'db-prod:read', ended: 3, unused: 2, usualMs: 2 * HOUR, longestUseMs: 8 * MINUTE },
  ]);
  expect(unusedOf(windows.slice(1, 2), [used])).toEqual([]);
});

describe('every line of it', () => {
  test('is a row that no spreadsheet takes for a formula', () => {
    const asked = granted(1, '=cmd|calc', '+SUM(A1), "quoted"\nand more');
    const line = digestCsvLine({ record: asked, findings: [] });
    expect(line).toContain(`R-1001,G-1001,'=cmd|calc,db-prod:read,"'+SUM(A1), ""quoted""\nand more",approved,`);
    expect(line.endsWith('\r\n')).toBe(true);
    expect(DIGEST_CSV_HEAD.split(',')).toHaveLength(23);
  });
});

test('a digest that is late says so', () => {
  expect(view({ counts: { live: 1 } }, [pat], T0 - 3 * HOUR).note).toContain('It was due 07:00 CET and is late.');
  expect(view({ counts: { live: 1 } }, [pat], T0 - MINUTE).note).not.toContain('late');
});

describe('many', () => {
  const facts = {
    counts: { granted: 5_000 },
    granted: Array.from({ length: 40 }, (_, index) => granted(index)),
    byEntitlement: [
      { entitlement: 'db-prod:read', count: 4_000 },
      { entitlement: 'db-prod:admin', count: 1_000 },
    ],
  };

  test('are counted in full, and the rest of the list is a number', () => {
    const [section] = fitted(view(facts).sections, 11_000);
    expect(section?.lines).toHaveLength(10);
    expect(section?.left).toBe(4_990);
    expect(section?.note).toBe('In all: db-prod:read 4,000, db-prod:admin 1,000');
    expect(all(view(facts))).toContain('and 4,990 more');
  });

  test('leave every section some room, however short it is', () => {
    const shown = fitted(view({ ...facts, counts: { granted: 5_000, live: 70 }, live: facts.granted }).sections, 100);
    for (const section of shown) expect(section.lines.length).toBeGreaterThan(0);
    expect(shown.map(({ left }) => left)).toEqual([67, 4_997, 0]);
  });
});

describe('the time of day it is due', () => {
  const berlin = (hour: number, minute: number, now: number) => {
    const { at, day } = lastTimeOfDay({ hour, minute }, 'Europe/Berlin', now);
    return `${day} ${new Date(at).toISOString()}`;
  };

  test('is today’s when it has come, else yesterday’s', () => {
    expect(berlin(9, 0, Date.UTC(2026, 2, 10, 8, 0))).toBe('2026-03-10 2026-03-10T08:00:00.000Z');
    expect(berlin(9, 0, Date.UTC(2026, 2, 10, 7, 59, 59))).toBe('2026-03-09 2026-03-09T08:00:00.000Z');
  });

  test('is taken as later when the clock change skips it, and as the first when it comes twice', () => {
    expect(berlin(2, 30, Date.UTC(2026, 2, 29, 12))).toBe('2026-03-29 2026-03-29T01:30:00.000Z');
    expect(berlin(2, 30, Date.UTC(2026, 9, 25, 12))).toBe('2026-10-25 2026-10-25T00:30:00.000Z');
    expect(berlin(9, 0, Date.UTC(2026, 9, 25, 12))).toBe('2026-10-25 2026-10-25T08:00:00.000Z');
  });

  test('knows zones with odd offsets, and midnights that do not exist', () => {
    const kathmandu = lastTimeOfDay({ hour: 9, minute: 0 }, 'Asia/Kathmandu', Date.UTC(2026, 2, 10, 12));
    expect(new Date(kathmandu.at).toISOString()).toBe('2026-03-10T03:15:00.000Z');
    expect(startOfDay('UTC', T0 + 1)).toBe(Date.UTC(2026, 2, 10));
    const start = startOfDay('America/Santiago', Date.UTC(2026, 8, 6, 20));
    expect(new Date(start).toISOString()).toBe('2026-09-06T04:00:00.000Z');
  });
});

test('from due to accepted and to proven, in halves and hundredths, once there are enough of them', () => {
  const spread = (ms: number) => ({ p50Ms: ms, p99Ms: 4 * ms, maxMs: 9 * ms });
  const latest = [activeGrant({ state: 'ended', endedAt: T0 + 30 * MINUTE + 9_000, endingAt: T0 + 30 * MINUTE })];
  const facts = (proven: number) =>
    quietFacts({ counts: { proven }, latest, steps: { accepted: spread(1_000), proven: spread(2_000) } });
  const lines = (proven: number) =>
    digestView({ facts: facts(proven), standing: [], period: { from: T0, to: T0 + HOUR }, zone: 'UTC' }, T0 + HOUR)
      .sections.find(({ title }) => title === 'Ended')
      ?.lines.map(({ lead, rest }) => `${lead}: ${rest}`);
  expect(lines(120)).toEqual([
    expect.stringContaining('120 proven gone'),
    'From due to accepted by the directory: half within 1 s, 99 of 100 within 4 s, all within 9 s',
    'From due to proven: half within 2 s, 99 of 100 within 8 s, all within 18 s',
  ]);
  expect(lines(2)).toHaveLength(1);
});
