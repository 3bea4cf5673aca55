/** Promise: the story tells everything in plain words, and a long one shows where it began and how it ended. */
import { expect, test } from 'vitest';
import type { AuditEvent } from '../../src/access/model.ts';
import { storyOf } from '../../src/access/story.ts';
import { storyView } from '../../src/access/story-view.ts';
import { viewOf } from '../../src/access/view.ts';
import { activeGrant, approval, ben, grantRecord, MINUTE, pinned, request, T0 } from '../support/builders.ts';

const asked = request({ state: 'approved', decidedAt: T0 });
const record = { request: asked, approvals: [approval(asked, ben)], grant: activeGrant() };
const shown = viewOf({ record, grant: grantRecord(activeGrant(), [], { request: asked }) }, T0 + MINUTE, 'UTC');
const event = (kind: string, at: number, detail = {}) => ({
  at,
  kind,
  actor: { kind: 'hallpass' as const, part: 'provision' },
  detail,
  membership: { directory: 'okta', groupId: 'id-prod-db-read', userId: 'u' },
});
const tell = (count: number) =>
  storyView(
    {
      request: shown,
      groups: [pinned('prod-db-read')],
      events: Array.from({ length: count }, (_, n) => event(n === 0 ? 'membership.added' : 'membership.seen', T0 + n)),
      messages: [
        { id: 'msg:R-7KQ2:channel:C0', requestId: 'R-7KQ2', state: 'posted', conversation: 'C0', ts: '1', at: T0 },
        { id: 'msg:R-7KQ2:approver:slack:T1:U1', requestId: 'R-7KQ2', state: 'gone', at: T0 },
      ],
    },
    T0 + MINUTE,
    'UTC',
  );

test('each event is a sentence with its time, and each message says to whom and what became of it', () => {
  const { title, sections } = tell(2);
  expect(title).toBe('Story of G-7KQ2');
  expect(sections[0]?.lines[0]).toEqual({
    lead: '09:00 UTC',
    rest: 'The directory accepted the addition to prod-db-read in okta',
  });
  expect(sections[1]?.lines.map(({ rest }) => rest)).toEqual([
    'the request, in its channel: posted in C0',
    'the request, to an approver: given up: it could not be delivered',
  ]);
});

test('a long one leaves out the middle, counted, and says where all of it is', () => {
  const [happened] = tell(500).sections;
  expect(happened?.lines).toHaveLength(41);
  expect(happened?.lines[12]?.rest).toBe('460 more, which hallpass audit show R-7KQ2 tells on the host');
  expect(happened?.lines[0]?.rest).toContain('accepted the addition');
});

test('a proof is told in words: asked, too weak, given', () => {
  const by = { kind: 'person' as const, id: 'okta/00uben', name: 'Ben Okafor' };
  const detail = { proof: '2e32', digest: '081a', person: by.id, purpose: 'approve', entitlement: 'payments:write' };
  const said = (kind: string, more: AuditEvent['detail']) =>
    storyOf([{ at: T0, kind, actor: by, detail: { ...detail, ...more } }], [], 'UTC')[0]?.what;
  expect(said('proof.asked', { expiresAt: T0 + 5 * MINUTE })).toBe(
    'has to confirm with MFA for the approval, by Tue 10 Mar 09:05 UTC: nothing is done until then',
  );
  expect(said('proof.failed', { why: 'too_weak', lacks: 'it was not strong enough' })).toBe(
    'no proof for the approval: the sign-in does not count, it was not strong enough',
  );
  expect(said('proof.failed', { why: 'superseded' })).toBe('no proof for the approval: it was asked for anew');
  expect(said('proof.given', { acr: 'urn:okta:loa:2fa:any', amr: ['pwd', 'otp'], authAt: T0 })).toBe(
    'confirmed with MFA for the approval (urn:okta:loa:2fa:any; pwd, otp)',
  );
});

test('who was asked, reminded and asked besides is told in words', () => {
  const by = { kind: 'hallpass' as const, part: 'timers' };
  const said = (kind: string, detail: AuditEvent['detail']) =>
    storyOf([{ at: T0, kind, actor: by, detail }], [], 'UTC')[0]?.what;
  expect(said('request.asked', { stage: 1, asked: ['okta/1', 'okta/2'], failed: ['on-call:web'] })).toBe(
    'asked 2 people to answer; on-call:web could not be asked who they are',
  );
  expect(said('request.reminded', { stage: 1, number: 2, asked: ['okta/1'] })).toBe('reminded 1 person (number 2)');
  expect(said('request.escalated', { step: 1, to: ['group:okta/dba-leads'], why: 'nobody_answered' })).toBe(
    'asked group:okta/dba-leads too: nobody had answered',
  );
  expect(said('review.opened', { reviewers: ['group:okta/security'], dueAt: T0 + MINUTE })).toBe(
    'asked group:okta/security to review it, by Tue 10 Mar 09:01 UTC',
  );
});
