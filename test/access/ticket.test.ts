/** A reason names a ticket: which, where it is read, and which patterns can be looked for in anybody's text. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decideRequest } from '../../src/access/decide-request.ts';
import { patternProblem, ticketIn, ticketUrl } from '../../src/access/ticket.ts';
import { entitlement, policy, requestFacts, T0 } from '../support/builders.ts';
import { changesOf, put, refusalOf } from '../support/given.ts';

const JIRA = '[A-Z][A-Z0-9]+-[0-9]+';

describe('the ticket in a reason', () => {
  test.each([
    ['fix stuck migration INC-42', 'INC-[0-9]+', 'INC-42'],
    ['INC-42: fix stuck migration', JIRA, 'INC-42'],
    ['see (OPS-7) and OPS-8', JIRA, 'OPS-7'],
    ['ticket #1234, please', '#([0-9]+)', '1234'],
    ['Case 77 of today', 'Case [0-9]+', 'Case 77'],
    ['about XINC-42', 'INC-[0-9]+', undefined],
    ['about INC-42b', 'INC-[0-9]+', undefined],
    ['nothing', JIRA, undefined],
    ['', JIRA, undefined],
  ])('%s', (reason, pattern, ticket) => {
    expect(patternProblem(pattern)).toBeUndefined();
    expect(ticketIn(reason, pattern)).toBe(ticket);
  });

  test('goes into the link as one part of it, whatever is in it', () => {
    expect(ticketUrl('INC-42', 'https://acme.example/browse/{ticket}')).toBe('https://acme.example/browse/INC-42');
    expect(ticketUrl('a/../b?c#d', 'https://acme.example/{ticket}')).toBe('https://acme.example/a%2F..%2Fb%3Fc%23d');
  });
});

describe('a pattern', () => {
  test.each([
    ['(a+)+', /must not be repeated/],
    ['(?:[A-Z]{1,9})*-1', /must not be repeated/],
    ['(', /not a regular expression/],
    ['^INC-[0-9]+$', /no place in it/],
    ['(?=INC).+', /looking ahead/],
    ['([A-Z])-\\1', /looking ahead or behind and referring back/],
    ['[a-z]*[a-z]*[a-z]*[a-z]*x', /at most 3/],
    ['[0-9]*', /matches nothing at all/],
    ['x'.repeat(201), /at most 200/],
  ])('%s is refused', (pattern, why) => {
    expect(patternProblem(pattern)).toMatch(why);
  });

  test('that is taken finds its answer soon in any text', () => {
    const slow = '[a-z0-9]+[a-z]+[0-9a-z]+!';
    expect(patternProblem(slow)).toBeUndefined();
    fc.assert(
      fc.property(fc.constantFrom('a', 'a ', 'a-', 'aaaaaaaaa '), (unit) => {
        const began = performance.now();
        ticketIn(unit.repeat(1_000).slice(0, 1_000), slow);
        expect(performance.now() - began).toBeLessThan(1_000);
      }),
      { numRuns: 8 },
    );
  });
});

describe('a policy that wants a ticket', () => {
  const guarded = entitlement({
    policy: policy({ reason: { minLength: 3, pattern: JIRA, link: 'https://acme.example/browse/{ticket}' } }),
  });

  test('refuses a reason without one, and keeps the one that is named', () => {
    expect(refusalOf(decideRequest({ reason: 'fix it' }, requestFacts({ entitlement: guarded }), T0))).toEqual({
      code: 'ticket_missing',
      pattern: JIRA,
    });
    const changes = changesOf(decideRequest({ reason: 'fix INC-42' }, requestFacts({ entitlement: guarded }), T0));
    expect(put(changes, 'request')).toMatchObject([
      { ticket: 'INC-42', ticketUrl: 'https://acme.example/browse/INC-42' },
    ]);
  });
});
