import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Command, Refusal } from '../../src/access/command.ts';
import { cleanReason, parseCommand, parseDuration, REASON_MAX } from '../../src/access/grammar.ts';
import type { AccountRef } from '../../src/access/model.ts';

const by: AccountRef = { platform: 'slack', tenant: 'T1', id: 'U1' };
const MINUTE = 60_000;

function command(text: string): Command {
  const parsed = parseCommand(text, by);
  if ('code' in parsed) throw new Error(`refused: ${JSON.stringify(parsed)}`);
  return parsed;
}

function refusal(text: string): Refusal {
  const parsed = parseCommand(text, by);
  if ('do' in parsed) throw new Error(`accepted: ${JSON.stringify(parsed)}`);
  return parsed;
}

describe('a request', () => {
  test('takes resource, role, duration and reason apart', () => {
    expect(command('request db-prod:admin 1h30m fix stuck migration')).toEqual({
      do: 'request',
      by,
      resource: 'db-prod',
      role: 'admin',
      duration: { ms: 90 * MINUTE },
      reason: 'fix stuck migration',
    });
  });

  test('may leave the duration out, and everything after the resource is the reason', () => {
    expect(command('request db-prod/orders look at order 17')).toEqual({
      do: 'request',
      by,
      resource: 'db-prod/orders',
      reason: 'look at order 17',
    });
  });

  test('takes a time of day', () => {
    expect(command('request db-prod until 17:05 deploy')).toMatchObject({
      duration: { until: { hour: 17, minute: 5 } },
    });
  });

  test('is read in any case and through smart quotes, odd spaces and invisible characters', () => {
    expect(command('\u200bREQUEST\u00a0\u201cdb-\u200bprod\u201d\u2003“30M” \u201cfix  it\u201d')).toEqual({
      do: 'request',
      by,
      resource: 'db-prod',
      duration: { ms: 30 * MINUTE },
      reason: 'fix it',
    });
  });

  test.each([
    '0',
    '0m',
    '0s',
    '-5m',
    '+5m',
    '\u22125m',
    '\u20135m',
    '1e9h',
    'until 25:00',
    'until 17:60',
    'until',
    'until tomorrow',
    'until17:00',
    '9999999d',
    '367d',
    '30x',
    '1.5h',
    '30',
    '1h-30m',
    '30m30m',
    '½h',
    '٣٠m',
    '.5h',
    '99999999999999999999s',
  ])('is refused, not given another duration, when %s stands where the duration does', (duration) => {
    expect(refusal(`request db-prod ${duration} fix it`)).toMatchObject({ code: 'bad_duration', example: '30m' });
  });

  test('takes a quoted reason that begins with a number as the reason', () => {
    expect(command('request db-prod "30 customers wait"')).toMatchObject({ reason: '30 customers wait' });
  });

  test('without a resource is answered with its usage', () => {
    expect(refusal('request')).toMatchObject({ code: 'usage' });
    expect(refusal('request :admin x')).toMatchObject({ code: 'usage' });
    expect(refusal('request db: x')).toMatchObject({ code: 'usage' });
  });

  test('without a reason goes on, since only the policy knows whether one is needed', () => {
    expect(command('request db-prod 30m')).toMatchObject({ reason: '' });
  });

  test('with a reason of fifty thousand characters is refused, quickly', () => {
    const startedAt = performance.now();
    expect(refusal(`request db-prod ${'x'.repeat(50_000)}`)).toEqual({
      code: 'reason_too_long',
      maxLength: REASON_MAX,
      length: 50_000,
    });
    expect(refusal(`request db-prod ${'a \u200b'.repeat(17_000)}`)).toMatchObject({ code: 'reason_too_long' });
    expect(refusal(`request db-prod ${'“'.repeat(50_000)}`)).toMatchObject({ code: 'reason_too_long' });
    expect(performance.now() - startedAt).toBeLessThan(500);
  });
});

describe('the other commands', () => {
  test.each<[string, object]>([
    ['approve r-7kq2', { do: 'show', target: { typed: 'R-7KQ2' } }],
    ['Approve 7KQ2', { do: 'show', target: { typed: '7KQ2' } }],
    ['deny R-7KQ2', { do: 'deny', target: { typed: 'R-7KQ2' } }],
    ['deny R-7KQ2 not today', { do: 'deny', reason: 'not today' }],
    ['cancel db-prod', { do: 'cancel', target: { typed: 'db-prod' } }],
    ['return g-7kq2', { do: 'return', target: { typed: 'G-7KQ2' } }],
    ['status', { do: 'status' }],
    ['status R-7KQ2', { do: 'status', target: { typed: 'R-7KQ2' } }],
    ['list', { do: 'list', which: 'mine' }],
    ['LIST Pending', { do: 'list', which: 'pending' }],
    ['list active 3', { do: 'list', which: 'active', page: 3 }],
    ['list mine 1', { do: 'list', which: 'mine' }],
    ['who db-prod', { do: 'who', resource: 'db-prod' }],
    ['WHO db-prod/orders:admin please', { do: 'who', resource: 'db-prod/orders', role: 'admin' }],
    ['on-call', { do: 'on-call' }],
    ['on-call “db-prod”', { do: 'on-call', resource: 'db-prod' }],
    ['digest', { do: 'digest', span: 'today' }],
    ['digest 7D', { do: 'digest', span: '7d' }],
    ['extend G-7KQ2 30m still going', { do: 'extend', duration: { ms: 30 * MINUTE }, reason: 'still going' }],
    ['extend G-7KQ2 until 18:00', { do: 'extend', duration: { until: { hour: 18, minute: 0 } } }],
    ['revoke G-7KQ2 laptop stolen', { do: 'revoke', target: { typed: 'G-7KQ2' }, reason: 'laptop stolen' }],
    ['help', { do: 'help' }],
    ['', { do: 'help' }],
    ['  \u200b ', { do: 'help' }],
  ])('%s', (text, expected) => {
    expect(command(text)).toMatchObject({ ...expected, by });
  });

  test.each<[string, object]>([
    ['approve', { code: 'usage' }],
    ['deny', { code: 'usage' }],
    ['list everything', { code: 'usage' }],
    ['list mine 0', { code: 'usage' }],
    ['list mine 1e3', { code: 'usage' }],
    ['list mine 99999', { code: 'usage' }],
    ['who', { code: 'usage' }],
    ['who :admin', { code: 'usage' }],
    ['digest 30d', { code: 'usage' }],
    ['extend G-7KQ2', { code: 'usage' }],
    ['extend G-7KQ2 soon', { code: 'bad_duration', asked: 'soon' }],
    ['revoke', { code: 'usage' }],
    ['revoke G-7KQ2', { code: 'reason_missing' }],
    ['reqest db-prod 30m x', { code: 'unknown_command', suggestions: ['request'] }],
    ['db-prod 30m fix it', { code: 'unknown_command', suggestions: ['request db-prod 30m fix it'] }],
    ['constructor', { code: 'unknown_command', suggestions: [] }],
    ['__proto__', { code: 'unknown_command', suggestions: [] }],
  ])('%s is refused', (text, expected) => {
    expect(refusal(text)).toMatchObject(expected);
  });

  test('an approval may be for less, which is shown before it is given', () => {
    expect(parseCommand('approve r-7kq2 1h', by)).toEqual({
      do: 'show',
      by,
      target: { typed: 'R-7KQ2' },
      duration: { ms: 3_600_000 },
    });
    expect(parseCommand('approve r-7kq2 1x', by)).toMatchObject({ code: 'bad_duration' });
  });

  test('revoking a person, a resource with limits or everything is told from revoking one grant', () => {
    const account = { platform: 'slack', tenant: 'T1', id: 'U123' };
    expect(command('revoke @U123 left the company')).toEqual({
      do: 'revoke-all',
      by,
      aim: { account },
      except: [],
      reason: 'left the company',
    });
    expect(command('revoke ALL Granted-Since:2h except:@U123 except:ana@acme.com incident 4711')).toEqual({
      do: 'revoke-all',
      by,
      aim: { all: true },
      grantedWithinMs: 7_200_000,
      except: [{ account }, { email: 'ana@acme.com' }],
      reason: 'incident 4711',
    });
    expect(command('revoke db-prod granted-since:30m leaked')).toMatchObject({
      do: 'revoke-all',
      aim: { resource: 'db-prod' },
    });
    // Whether a name is an id or a resource only the record can tell.
    expect(command('revoke db-prod leaked')).toMatchObject({ do: 'revoke', target: { typed: 'db-prod' } });
    expect(refusal('revoke @ana leaked')).toMatchObject({ code: 'unknown_person', asked: '@ana' });
    expect(refusal('revoke all granted-since:soon leaked')).toMatchObject({ code: 'bad_duration' });
    expect(refusal('revoke all except:db-prod leaked')).toMatchObject({ code: 'unknown_person' });
    expect(refusal('revoke all except:@U123')).toMatchObject({ code: 'reason_missing' });
  });

  test('break-glass is typed like a request, and a review names its verdict', () => {
    expect(command('break-glass db-prod:admin 20m orders are down')).toEqual({
      do: 'break-glass',
      by,
      resource: 'db-prod',
      role: 'admin',
      duration: { ms: 20 * MINUTE },
      reason: 'orders are down',
    });
    expect(refusal('break-glass')).toMatchObject({ code: 'usage', usage: expect.stringMatching(/^break-glass/) });
    expect(command('review g-7kq2 sign-off')).toEqual({
      do: 'review',
      by,
      target: { typed: 'G-7KQ2' },
      verdict: 'sign_off',
    });
    expect(command('review G-7KQ2 Question which order?')).toMatchObject({ verdict: 'question', note: 'which order?' });
    expect(refusal('review G-7KQ2 fine')).toMatchObject({ code: 'usage' });
  });

  test('freezing names a person by mention or email, never by what they call themselves', () => {
    expect(command('freeze all incident 4711')).toEqual({
      do: 'freeze',
      by,
      aim: { all: true },
      reason: 'incident 4711',
    });
    expect(command('unfreeze ana@acme.com')).toEqual({ do: 'unfreeze', by, aim: { email: 'ana@acme.com' } });
    expect(refusal('freeze @ana incident')).toMatchObject({ code: 'unknown_person' });
    expect(refusal('freeze db-prod')).toMatchObject({ code: 'reason_missing' });
    expect(refusal('unfreeze db-prod because')).toMatchObject({ code: 'usage' });
  });
});

describe('a reason', () => {
  test('keeps what was written but for control characters, direction overrides and runs of blanks', () => {
    expect(cleanReason('  fix\u0000 \u202eevil\u202c\n\tthe   “table” \u2066x\u2069 👩‍💻 ')).toBe(
      'fix evil the “table” x 👩‍💻',
    );
  });

  test('loses one pair of quotes around the whole, and no others', () => {
    expect(cleanReason('"fix it"')).toBe('fix it');
    expect(cleanReason('„fix it“')).toBe('fix it');
    expect(cleanReason('"a" and "b"')).toBe('"a" and "b"');
  });

  test('of nothing but invisible characters is empty', () => {
    expect(cleanReason('\u200b\u200d\u2060 \u00ad\ufeff')).toBe('');
  });

  test('counts code points, not halves of them', () => {
    expect(cleanReason('😀'.repeat(REASON_MAX))).toBe('😀'.repeat(REASON_MAX));
    expect(cleanReason('😀'.repeat(REASON_MAX + 1))).toMatchObject({ length: REASON_MAX + 1 });
  });
});

describe('whatever is typed', () => {
  const nasty = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 60 }),
    fc.constantFrom('request', 'extend', 'until', '30m', '"', '\u200b', '-', 'x:y', '\ud800', '@U1', 'db-prod'),
  );
  const typed = fc.array(nasty, { maxLength: 8 }).map((parts) => parts.join(' '));

  test('never throws, and a reason never carries a control character', () => {
    fc.assert(
      fc.property(typed, (text) => {
        const parsed = parseCommand(text, by);
        if ('do' in parsed && 'reason' in parsed && parsed.reason !== undefined)
          expect(parsed.reason).not.toMatch(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/u);
      }),
      { numRuns: 1000 },
    );
  });

  test('a duration is more than nothing and at most 366 days', () => {
    const near = fc.stringMatching(/^(\d{1,12}[dhmsDHMS]){1,4}$/);
    fc.assert(
      fc.property(fc.oneof(near, fc.string()), (text) => {
        const ms = parseDuration(text);
        if (ms !== undefined) {
          expect(Number.isSafeInteger(ms)).toBe(true);
          expect(ms).toBeGreaterThan(0);
          expect(ms).toBeLessThanOrEqual(366 * 86_400_000);
        }
      }),
      { numRuns: 1000 },
    );
  });

  test('durations are read', () => {
    expect(['45s', '30m', '1h', '1h30m', '2d', '366d', '366d1s', ''].map(parseDuration)).toEqual([
      45_000,
      30 * MINUTE,
      60 * MINUTE,
      90 * MINUTE,
      2 * 86_400_000,
      366 * 86_400_000,
      undefined,
      undefined,
    ]);
  });
});
