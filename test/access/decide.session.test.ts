import { describe, expect, test } from 'vitest';
import { beginSession, endSession, holds, isMachine, needsPerson } from '../../src/access/decide-session.ts';
import type { Actor, Person, Session, SessionKind } from '../../src/access/model.ts';

const session: Session = {
  id: 'S-1',
  version: 3,
  kind: 'token',
  secretHash: 'hash',
  person: 'okta/00uana',
  personName: 'Ana',
  label: 'nightly export',
  scopes: ['requests:write'],
  createdAt: 0,
  createdBy: 'root (on the host)',
  expiresAt: 1_000,
};
const root: Actor = { kind: 'operator', name: 'root' };

describe('a session', () => {
  test('holds until it is over or ended, and not a moment longer', () => {
    expect([holds(session, 999), holds(session, 1_000), holds({ ...session, endedAt: 5 }, 6)]).toEqual([
      true,
      false,
      false,
    ]);
  });

  test('is in the trail from its beginning to its end, without its secret', () => {
    const began = beginSession(session, root, 0);
    const ended = endSession(session, root, 'root', 500);
    const kinds = [...began, ...ended].flatMap((one) => ('put' in one && one.put === 'event' ? [one.row.kind] : []));
    expect(kinds).toEqual(['session.began', 'session.ended']);
    const events = [...began, ...ended].filter((one) => 'put' in one && one.put === 'event');
    expect(JSON.stringify(events)).not.toContain('hash');
    expect(ended[0]).toMatchObject({ was: 3, row: { version: 4, endedAt: 500, endedBy: 'root' } });
  });

  test('that is over already is not ended again', () => {
    expect(endSession(session, root, 'root', 2_000)).toEqual([]);
  });
});

describe('a machine', () => {
  const person = (kind?: SessionKind): Person => ({
    id: 'okta/00uana',
    name: 'Ana',
    email: 'ana@example.com',
    active: true,
    ...(kind === undefined ? {} : { via: { kind, session: 'S-1' } }),
  });

  test('is whoever acts by a token or as a workload, and nobody else', () => {
    const kinds = [undefined, 'web', 'cli', 'token', 'workload'] as const;
    expect(kinds.map((kind) => isMachine(person(kind)))).toEqual([false, false, false, true, true]);
  });

  test('may ask, give back and end, and gives no answer', () => {
    const by = { session: 'S-1' };
    const target = { typed: 'R-7KQ2' };
    expect(needsPerson({ do: 'approve', by, target: { card: 'c' } })).toBe(true);
    expect(needsPerson({ do: 'deny', by, target })).toBe(true);
    expect(needsPerson({ do: 'review', by, target, verdict: 'sign_off' })).toBe(true);
    expect(needsPerson({ do: 'adopt', by, target, reason: 'x' })).toBe(true);
    expect(needsPerson({ do: 'unfreeze', by, aim: { all: true } })).toBe(true);
    expect(needsPerson({ do: 'return', by, target })).toBe(false);
    expect(needsPerson({ do: 'revoke', by, target, reason: 'x' })).toBe(false);
  });
});
