import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Clock, DirectoryError } from '../../src/access/ports.ts';
import type { Answer, Asked } from '../../src/directories/http.ts';
import { createOkta, oktaSection } from '../../src/directories/okta.ts';
import { isActive, nextPage, processChange, processUser, processUsers } from '../../src/directories/okta-answers.ts';
import { processToken } from '../../src/directories/okta-auth.ts';

const NOW = Date.parse('2026-11-23T12:00:00Z');
const asked: Asked = { directory: 'okta', operation: 'list_members', write: false, secrets: [] };
const from = new URL('https://acme.okta.example/api/v1/groups/00g1/users?limit=200');
const answer = (status: number, body: unknown = '', headers: Record<string, string> = {}): Answer => ({
  status,
  headers: new Headers(headers),
  body: typeof body === 'string' ? body : JSON.stringify(body),
});

describe('reading what Okta answers', () => {
  test.each([
    ['ACTIVE', true],
    ['PASSWORD_EXPIRED', true],
    ['RECOVERY', true],
    ['LOCKED_OUT', false],
    ['SUSPENDED', false],
    ['DEPROVISIONED', false],
    ['STAGED', false],
    ['PROVISIONED', false],
    ['something new', false],
  ])('an account that is %s may be given access: %s', (status, active) => {
    expect(isActive(status)).toBe(active);
  });

  test('a person without a display name goes by first and last name, then by login', () => {
    const user = (profile: object) =>
      processUser(
        asked,
        answer(200, { id: '00u1', status: 'ACTIVE', extra: 1, profile: { login: 'a@b.example', ...profile } }),
        NOW,
      );
    expect(user({ displayName: 'Ana A.', firstName: 'Ana' })?.name).toBe('Ana A.');
    expect(user({ firstName: 'Ana', lastName: 'Alves', email: null })).toMatchObject({ name: 'Ana Alves', email: '' });
    expect(user({ lastName: '' })?.name).toBe('a@b.example');
  });

  test('an id that could leave its place in a path is not taken from an answer', () => {
    const user = { id: '../groups', status: 'ACTIVE', profile: { login: 'a@b.example' } };
    expect(() => processUsers(asked, answer(200, [user]), NOW, from)).toThrow(/unreadable answer: at 0.id/);
  });

  test('only a 204 is an accepted change', () => {
    expect(() => processChange(asked, answer(204), NOW)).not.toThrow();
    for (const status of [200, 202, 206]) {
      expect(() => processChange({ ...asked, write: true }, answer(status), NOW)).toThrow(
        expect.objectContaining({ code: 'unavailable', effect: 'unknown' }),
      );
    }
  });

  test('the next page is found among several links', () => {
    const headers = new Headers();
    headers.append('link', `<${from.href}>; rel="self"`);
    headers.append('link', '<https://acme.okta.example/api/v1/groups/00g1/users?after=a,b%3E&limit=200>; rel="next"');
    expect(nextPage(asked, headers, from)?.search).toBe('?after=a,b%3E&limit=200');
    expect(nextPage(asked, new Headers({ link: `<${from.href}>; rel="self"` }), from)).toBeUndefined();
    expect(nextPage(asked, new Headers(), from)).toBeUndefined();
  });

  test.each([
    'https://evil.example/api/v1/groups/00g1/users?after=x',
    'http://acme.okta.example/api/v1/groups/00g1/users?after=x',
    'https://acme.okta.example:8443/api/v1/groups/00g1/users?after=x',
    'https://acme.okta.example@evil.example/api/v1/groups/00g1/users?after=x',
    'https://user:pw@acme.okta.example/api/v1/groups/00g1/users?after=x',
    'https://acme.okta.example/api/v1/groups/00g2/users?after=x',
    '//evil.example/api/v1/groups/00g1/users',
  ])('a next page at %s is not followed', (target) => {
    const headers = new Headers({ link: `<${target}>; rel="next"` });
    expect(() => nextPage(asked, headers, from)).toThrow(DirectoryError);
  });

  test('a token answer that is not a bearer token is an error that does not quote it', () => {
    for (const body of [
      {},
      { access_token: 'hidden', token_type: 'DPoP', expires_in: 60 },
      '{"access_token":"hidden"',
    ]) {
      const reading = () => processToken(asked, answer(200, body), NOW);
      expect(reading).toThrow(expect.objectContaining({ code: 'unavailable' }));
      expect(reading).not.toThrow(/hidden/);
    }
  });
});

describe('the section of the configuration', () => {
  const section = (more: object) => oktaSection.safeParse({ type: 'okta', url: 'https://acme.okta.com', ...more });

  test('takes an API token or a service app, and nothing that it does not know', () => {
    expect(section({ auth: { token: 't' } }).success).toBe(true);
    expect(section({ auth: { clientId: 'c', keyFile: 'okta.pem' }, lag: '5s' }).success).toBe(true);
    expect(section({ auth: { token: 't', clientId: 'c' } }).success).toBe(false);
    expect(section({ auth: { clientId: 'c' } }).success).toBe(false);
    expect(section({ auth: { clientId: 'c', keyFile: 'a', key: 'b' } }).success).toBe(false);
    expect(section({ auth: { token: 't' }, tokn: 1 }).success).toBe(false);
    expect(section({ auth: { token: 't' }, lag: '5 seconds' }).success).toBe(false);
  });

  test.each([
    ['https://acme.okta.com', true],
    ['https://acme.okta.com/', true],
    ['http://127.0.0.1:4001', true],
    ['http://localhost:4001', true],
    ['http://acme.okta.com', false],
    ['http://localhost.evil.example', false],
    ['https://acme.okta.com/api/v1', false],
    ['https://user:pw@acme.okta.com', false],
    ['acme.okta.com', false],
  ])('an address %s is accepted: %s', (url, accepted) => {
    expect(section({ url, auth: { token: 't' } }).success).toBe(accepted);
  });
});

describe('addresses', () => {
  const clock: Clock = { now: () => NOW, monotonic: () => 0 };
  const hostile = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc
      .array(
        fc.oneof(
          fc.constantFrom(
            '..',
            '.',
            '/',
            '\\',
            '%2e',
            '%2f',
            '?',
            '#',
            '@',
            ':',
            '//evil.example',
            'api',
            '\t',
            '\ud800',
            '00u1',
          ),
          fc.string({ maxLength: 3 }),
        ),
        { maxLength: 6 },
      )
      .map((parts) => parts.join('')),
  );

  test('no text in place of a name, login or id leads out of the API or to another host', async () => {
    await fc.assert(
      fc.asyncProperty(hostile, hostile, async (a, b) => {
        const visited: URL[] = [];
        const okta = createOkta({
          name: 'okta',
          section: { type: 'okta', url: 'https://acme.okta.example', auth: { token: 't' } },
          clock,
          metrics: { count: () => {}, observe: () => {} },
          jitter: () => 0,
          fetch: async (input) => {
            visited.push(new URL(String(input)));
            const body = { errorCode: 'E0000007', errorSummary: 'Not found' };
            return new Response(JSON.stringify(body), { status: 404 });
          },
        });
        const calls = [
          okta.findGroup(a),
          okta.findUser(a),
          okta.getUser(a),
          okta.isMember(a, b),
          okta.add(a, b),
          okta.remove(a, b),
          okta.listMembers(a),
        ];
        for (const done of await Promise.allSettled(calls)) {
          if (done.status === 'rejected') expect(done.reason).toBeInstanceOf(DirectoryError);
        }
        for (const url of visited) {
          expect(url.origin).toBe('https://acme.okta.example');
          expect(url.pathname).toMatch(/^\/api\/v1\/(groups|users)(\/[^/]+(\/(users|groups)(\/[^/]+)?)?)?$/);
          expect(url.hash).toBe('');
        }
      }),
      { numRuns: 150 },
    );
  });
});
