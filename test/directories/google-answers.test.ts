/** Google's failures, by reason: what each means is decided here, on answers made by hand. */
import { describe, expect, test } from 'vitest';
import type { DirectoryError } from '../../src/access/ports.ts';
import {
  failure,
  processDelete,
  processInsert,
  processMember,
  processMembers,
  processUser,
} from '../../src/directories/google-answers.ts';
import { signInFailure } from '../../src/directories/google-auth.ts';
import { googleSection, serviceAccountKey } from '../../src/directories/google-section.ts';
import type { Answer, Asked } from '../../src/directories/http.ts';

const NOW = Date.parse('2026-11-23T12:00:00Z');
const read: Asked = { directory: 'google', operation: 'check_member', write: false, secrets: ['s3cret'] };
const write: Asked = { ...read, operation: 'add_member', write: true };

const answer = (status: number, body: unknown = '', headers: Record<string, string> = {}): Answer => ({
  status,
  headers: new Headers(headers),
  body: typeof body === 'string' ? body : JSON.stringify(body),
});
const said = (status: number, reason: string, message = 'words', headers: Record<string, string> = {}) =>
  answer(status, { error: { code: status, message, errors: [{ reason, message, domain: 'global' }] } }, headers);

describe('a failure of Google is known by its reason', () => {
  test.each<[number, string, string, DirectoryError['code'], 'none' | 'unknown']>([
    [403, 'quotaExceeded', 'too many at once', 'rate_limited', 'none'],
    [403, 'userRateLimitExceeded', 'the minute is used up', 'rate_limited', 'none'],
    [403, 'rateLimitExceeded', 'an old form of 429', 'rate_limited', 'none'],
    [429, 'rateLimitExceeded', 'the account', 'rate_limited', 'none'],
    [403, 'dailyLimitExceeded', 'the day is used up', 'rate_limited', 'none'],
    [401, 'authError', 'a token that is no longer good', 'unauthorized', 'none'],
    [401, 'required', 'no token', 'unauthorized', 'none'],
    [403, 'forbidden', 'no role', 'rejected', 'none'],
    [403, 'insufficientPermissions', 'no scope', 'rejected', 'none'],
    [403, 'accessNotConfigured', 'the API is off', 'rejected', 'none'],
    [400, 'invalid', 'a bad key', 'rejected', 'none'],
    [400, 'invalid', 'A system error has occurred', 'unavailable', 'unknown'],
    [409, 'conflict', 'somebody else changes it', 'unavailable', 'unknown'],
    [503, 'backendError', 'Google is at fault', 'unavailable', 'unknown'],
    [403, 'backendError', 'Google is at fault and says 403', 'unavailable', 'unknown'],
    [412, 'conditionNotMet', 'Cyclic memberships not allowed', 'unavailable', 'unknown'],
    [404, 'notFound', 'Resource Not Found: groupKey', 'not_found', 'none'],
  ])('%i %s (%s) is %s, effect %s', (status, reason, message, code, effect) => {
    expect(failure(write, said(status, reason, message), NOW)).toMatchObject({ code, effect });
    expect(failure(read, said(status, reason, message), NOW)).toMatchObject({ code, effect: 'none' });
  });

  test.each<[number, DirectoryError['code']]>([
    [400, 'rejected'],
    [401, 'unauthorized'],
    [403, 'rejected'],
    [404, 'unavailable'],
    [408, 'unavailable'],
    [429, 'rate_limited'],
    [502, 'unavailable'],
  ])('%i without a reason, as a proxy answers, is %s', (status, code) => {
    expect(failure(write, answer(status, '<html>'), NOW)).toMatchObject({ code });
  });

  test.each<[string, Record<string, string>, number]>([
    ['in seconds', { 'retry-after': '17' }, 17_000],
    ['as a date', { 'retry-after': 'Mon, 23 Nov 2026 12:00:30 GMT', date: 'Mon, 23 Nov 2026 12:00:00 GMT' }, 30_000],
    ['as a date by a clock that is an hour ahead', { 'retry-after': 'Mon, 23 Nov 2026 13:00:30 GMT' }, 90_000],
    ['not at all', {}, 2_000],
  ])('a rate limit in a 403 says how long to wait: %s', (_, headers, retryAfterMs) => {
    expect(failure(write, said(403, 'quotaExceeded', 'x', headers), NOW)).toMatchObject({ retryAfterMs });
  });

  test('what Cloud Identity says by status is understood too', () => {
    const by = (status: number, word: string) =>
      answer(status, { error: { code: status, message: 'm', status: word } });
    expect(failure(write, by(429, 'RESOURCE_EXHAUSTED'), NOW)).toMatchObject({ code: 'rate_limited' });
    expect(failure(write, by(403, 'PERMISSION_DENIED'), NOW)).toMatchObject({ code: 'rejected' });
    expect(failure(write, by(503, 'UNAVAILABLE'), NOW)).toMatchObject({ code: 'unavailable', effect: 'unknown' });
    expect(failure(read, by(404, 'NOT_FOUND'), NOW)).toMatchObject({ code: 'not_found' });
  });

  test('an error keeps what is secret, and is one short line', () => {
    const failed = failure(write, said(403, 'forbidden', `no\nway s3cret ${'x'.repeat(500)}`), NOW);
    expect(failed.message).not.toContain('s3cret');
    expect(failed.message).not.toContain('\n');
    expect(failed.message.length).toBeLessThan(300);
  });
});

describe('reading what Google answers', () => {
  test.each([
    ['Resource Not Found: memberKey', 'member'],
    ['Resource Not Found: groupKey', 'group'],
    ['Resource Not Found: userKey', 'user'],
    ['Not Found', 'unsaid'],
  ])('a 404 "%s" names the %s', (message, missing) => {
    expect(processMember(read, said(404, 'notFound', message), NOW)).toEqual({ missing });
    expect(processDelete(write, said(404, 'notFound', message), NOW)).toEqual({ missing });
  });

  test('an addition that finds a membership says so, whichever way Google puts it', () => {
    expect(processInsert(write, said(409, 'duplicate', 'Member already exists.'), NOW)).toBe('exists');
    expect(processInsert(write, said(412, 'conditionNotMet', 'Condition not met'), NOW)).toBe('exists');
    expect(() => processInsert(write, said(409, 'conflict'), NOW)).toThrow(
      expect.objectContaining({ code: 'unavailable', effect: 'unknown' }),
    );
  });

  test('a removal was accepted only by an answer without a body', () => {
    for (const accepted of [answer(204), answer(200), answer(200, '{}')])
      expect(processDelete(write, accepted, NOW)).toBe('removed');
    expect(processDelete(write, said(412, 'conditionNotMet'), NOW)).toBe('unclear');
    for (const odd of [answer(200, '<html>'), answer(202, '{"done":false}')])
      expect(() => processDelete(write, odd, NOW)).toThrow(
        expect.objectContaining({ code: 'unavailable', effect: 'unknown' }),
      );
  });

  test('a page of members names people, groups and the whole organisation, and only people can act', () => {
    const members = [
      { id: '1', email: 'ana@acme.example', role: 'MEMBER', type: 'USER', status: 'ACTIVE' },
      { id: '2', email: 'ben@acme.example', role: 'MEMBER', type: 'USER', status: 'SUSPENDED' },
      { id: '01g', email: 'dbas@acme.example', role: 'MEMBER', type: 'GROUP' },
      { id: 'C01', role: 'MEMBER', type: 'CUSTOMER' },
    ];
    expect(processMembers(read, answer(200, { members, nextPageToken: 'n' }), NOW)).toMatchObject({
      items: [
        { id: '1', login: 'ana@acme.example', active: true },
        { id: '2', active: false },
        { id: '01g', name: 'everyone in dbas@acme.example', active: false },
        { id: 'C01', name: 'everyone in the organisation', active: false },
      ],
      next: 'n',
    });
    // An empty group has no list at all.
    expect(processMembers(read, answer(200, { kind: 'admin#directory#members' }), NOW)).toEqual({ items: [] });
  });

  test('a suspended or archived account is not active', () => {
    const user = (more: object) =>
      processUser(read, answer(200, { id: '1', primaryEmail: 'a@b.example', name: { fullName: 'A B' }, ...more }), NOW);
    expect(user({})).toMatchObject({ name: 'A B', active: true });
    expect(user({ suspended: true })).toMatchObject({ active: false });
    expect(user({ archived: true })).toMatchObject({ active: false });
  });

  test('an id that could leave its place in a path is not taken from an answer', () => {
    expect(() => processUser(read, answer(200, { id: '../groups', primaryEmail: 'a@b.example' }), NOW)).toThrow(
      /unreadable answer: at id/,
    );
  });
});

describe('signing in', () => {
  const refused = (status: number, error?: string) => ({
    message: 'x',
    response: { status, data: error === undefined ? '<html>' : { error, error_description: 'words' } },
  });

  test.each<[string, unknown, DirectoryError['code']]>([
    ['a grant that is refused', refused(400, 'invalid_grant'), 'unauthorized'],
    ['a client that may not act as others', refused(401, 'unauthorized_client'), 'unauthorized'],
    ['too many', refused(429), 'rate_limited'],
    ['a fault of Google', refused(503), 'unavailable'],
    ['no answer', Object.assign(new Error('fetch failed'), { code: 'ECONNREFUSED' }), 'unavailable'],
    ['no credential', new Error('Could not load the default credentials. Browse to …'), 'unauthorized'],
  ])('%s is told as such, and nothing was sent', (_, error, code) => {
    expect(signInFailure(read, error)).toMatchObject({ code, effect: 'none', directory: 'google' });
  });

  test('the key of a service account is taken, and what is not one is named without quoting it', () => {
    expect(serviceAccountKey('{')).toEqual({ wrong: expect.stringContaining('not the JSON key') });
    expect(serviceAccountKey('{"type":"external_account","audience":"s3cret"}')).toEqual({
      wrong: expect.stringContaining('auth: adc'),
    });
    const odd = JSON.stringify({ type: 'service_account', client_email: 'a@b', private_key: 's3cret' });
    expect(JSON.stringify(serviceAccountKey(odd))).not.toContain('s3cret');
  });

  test.each([
    ['https://admin.googleapis.example/', false],
    ['http://10.0.0.1:8080', false],
    ['http://127.0.0.1:8080', true],
    ['https://localhost:8443/', true],
    ['http://127.0.0.1:8080/path', false],
    ['http://user:pw@127.0.0.1:8080', false],
  ])('a local server at %s is taken: %s', (rootUrl, taken) => {
    expect(googleSection.safeParse({ type: 'google', auth: 'adc', rootUrl }).success).toBe(taken);
  });

  test('acting as somebody takes the key of a service account', () => {
    const { error } = googleSection.safeParse({ type: 'google', auth: { subject: 'admin@acme.example' } });
    expect(error?.issues.map(({ message }) => message).join()).toContain('needs keyFile or key');
  });
});
