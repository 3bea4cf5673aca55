/**
 * Every message that Slack is given, as people meet it: one of each, with nothing in it, with one, and with far too much
 * of everything. Headlines come from the views themselves.
 */
import type { Answer } from '../../src/access/command.ts';
import { digestView } from '../../src/access/digest-view.ts';
import type { AccessRequest, Audience, Grant, Membership, Notice, Review } from '../../src/access/model.ts';
import { reminding, reviewView } from '../../src/access/review-view.ts';
import { storyView } from '../../src/access/story-view.ts';
import { type MessageView, noticeView, type RequestView, viewOf } from '../../src/access/view.ts';
import { whoView } from '../../src/access/who-view.ts';
import { type Rendered, renderAnswer, renderMessage } from '../../src/chat/slack/render.ts';
import * as b from '../support/builders.ts';
import { granted, quietFacts } from '../support/digest-facts.ts';

const NOW = b.T0 + 5 * b.MINUTE;
const ZONE = 'Europe/Berlin';
const LONG = 'Maximiliana-Konstanze von Hohenlohe-Waldenburg-Schillingsfürst';
const WORDY = `${'the orders table lost its index during the migration and every checkout waits for it '.repeat(9)}<!here> *now* https://example.com`;

function shown(of: Grant, rows: readonly Membership[], now = NOW, more: Partial<AccessRequest> = {}): RequestView {
  const approved = b.request({ state: 'approved', decidedAt: b.T0, ...more });
  const record = { ...b.requestRecord(approved, [b.approval(approved, b.ben)]), grant: of };
  return viewOf({ record, grant: b.grantRecord(of, rows, { request: approved }) }, now, ZONE);
}
const waiting = (more: Partial<AccessRequest> = {}, by: readonly (typeof b.ben)[] = []) => {
  const asked = b.request(more);
  const given = by.map((one) => b.approval(asked, one));
  return viewOf({ record: b.requestRecord(asked, given) }, NOW, ZONE);
};
const to = (audience: Audience['kind'], request: RequestView, more: object = {}): MessageView => ({
  kind: 'request',
  audience,
  request,
  ...more,
});

const over = (state: 'ending' | 'ended', more: Partial<Grant> = {}) =>
  b.activeGrant({ state, endReason: 'expired', endingAt: b.T0 + 30 * b.MINUTE, sessionTailMs: b.HOUR, ...more });
const removing = b.ourMembership({ removeStartedAt: b.T0 + 30 * b.MINUTE });
const failing = { ...removing, failures: 7, lastError: 'HTTP 503 from https://acme.okta.com (E0000009)' };
const proven = b.membership({
  provenAbsentAt: b.T0 + 31 * b.MINUTE,
  removeAcceptedAt: b.T0 + 30 * b.MINUTE,
  seen: 'absent',
});
const later = b.T0 + 32 * b.MINUTE;
const many = Array.from({ length: 12 }, (_, n) => b.pinned(`prod-database-of-region-${n}-with-a-long-name`));

const MESSAGES: readonly (readonly [name: string, view: MessageView])[] = [
  ['approval, nobody has answered', to('channel', waiting(), { mention: b.ben.account ? [b.ben.account] : [] })],
  ['approval, one of two', to('approver', waiting({ approvalsNeeded: 2 }, [b.ben]))],
  [
    'approval, far too much of everything',
    to('channel', waiting({ requesterName: LONG, reason: WORDY, groups: many, approvalsNeeded: 3 }, [b.ben, b.cat])),
  ],
  ['denied', to('channel', waiting({ state: 'denied', decidedAt: NOW, closedBy: b.ben.name }))],
  ['lapsed', to('outcome', waiting({ state: 'lapsed', decidedAt: NOW }))],
  [
    'withdrawn',
    to('outcome', waiting({ state: 'withdrawn', decidedAt: NOW, closedNote: 'db-prod is frozen: incident 12' })),
  ],
  ['approved, being added', to('requester', shown(b.grant(), []))],
  [
    'approved, the directory does not answer',
    to(
      'channel',
      shown(b.grant(), [b.ourMembership({ addOutcome: 'unknown', failures: 2, lastError: 'no answer in 10 s' })]),
    ),
  ],
  ['added and seen', to('holder', shown(b.activeGrant(), [b.ourMembership({ seen: 'present', seenAt: NOW })]))],
  [
    'ends soon',
    to('warning', shown(b.activeGrant(), [b.ourMembership({ seen: 'present', seenAt: NOW })], b.T0 + 26 * b.MINUTE)),
  ],
  ['removing', to('channel', shown(over('ending'), [removing], later))],
  ['a removal that fails', to('holder', shown(over('ending'), [failing], later))],
  [
    'ended, checked, sessions may last',
    to('outcome', shown(over('ended', { endedAt: b.T0 + 31 * b.MINUTE }), [proven], later)),
  ],
  [
    'revoked',
    to(
      'outcome',
      shown(over('ended', { endReason: 'revoked', endedBy: 'Sam Haddad', endNote: 'incident 12' }), [proven], later),
    ),
  ],
];

const notice = (code: Notice['code'], severity: Notice['severity'], more: Partial<Notice> = {}): MessageView =>
  noticeView(
    {
      code,
      severity,
      at: NOW,
      grantId: 'G-7KQ2',
      requestId: 'R-7KQ2',
      holderName: b.ana.name,
      entitlement: 'db-prod:read',
      group: 'prod-db-read',
      directory: 'okta',
      ...more,
    },
    ZONE,
  );
const NOTICES: readonly (readonly [string, MessageView])[] = [
  [
    'failing removal',
    notice('removal_failing', 'critical', { failures: 3, error: 'HTTP 503 from Okta', nextAt: NOW + b.MINUTE }),
  ],
  ['removal recovered', notice('removal_recovered', 'info', { failures: 7 })],
  ['abandoned', notice('addition_abandoned', 'warning', { error: 'HTTP 403 (E0000006)' })],
  ['removed outside', notice('removed_outside', 'warning')],
];

const reviewed = (more: Partial<Review> = {}, at = NOW): MessageView => {
  const asked = b.request({ state: 'approved', decidedAt: b.T0 });
  const of: Review = {
    id: 'rev-1',
    version: 1,
    state: 'open',
    why: 'policy',
    grantId: 'G-7KQ2',
    requestId: 'R-7KQ2',
    holder: b.ana.id,
    holderName: b.ana.name,
    entitlement: 'db-prod:read',
    durationMs: 30 * b.MINUTE,
    reason: 'fix stuck migration',
    reviewers: [],
    tell: [],
    createdAt: b.T0,
    dueAt: b.T0 + 24 * b.HOUR,
    ...more,
  };
  const end = b.T0 + 22 * b.MINUTE;
  const ended = b.activeGrant({ state: 'ended', endReason: 'returned', endingAt: end, endedAt: end });
  const record = { request: asked, approvals: [b.approval(asked, b.ben)], grant: ended };
  const activity = {
    kinds: [
      { kind: 'read', count: 1_204 },
      { kind: 'export', count: 2 },
    ],
    findings: ['Bulk export (high, F-7KQ2M)'],
    failing: [],
  };
  const view = reviewView({ review: of, record, ...(of.why === 'policy' ? { activity } : {}) }, at, ZONE);
  return { kind: 'review', review: at > of.dueAt ? reminding(view, 1) : view };
};
const AFTERWARDS: readonly (readonly [string, MessageView])[] = [
  [
    'break-glass was used',
    notice('break_glass_used', 'critical', {
      says: ["Access for 20 min without anybody's approval. Reason: orders are down", 'A review is due within 1 day.'],
    }),
  ],
  ['review, to be made', reviewed()],
  ['review of break-glass', reviewed({ why: 'break_glass', reason: WORDY, holderName: LONG })],
  ['review, reminded of', reviewed({}, b.T0 + 26 * b.HOUR)],
  [
    'review, questioned',
    reviewed({ state: 'questioned', decidedAt: NOW, decidedBy: 'Sam Haddad', note: 'which order?' }),
  ],
];

const day = { from: b.T0 - 24 * b.HOUR, to: b.T0 };
const trail = { seq: 48_213, hash: '9f'.repeat(32), verified: { ok: true as const } };
const standing = [
  { directory: 'okta', group: 'prod-db-read', members: ['Pat Moreau'] },
  { directory: 'okta', group: 'prod-db-admin', members: [] },
];
const digest = (facts: Parameters<typeof quietFacts>[0]): MessageView => ({
  kind: 'digest',
  digest: digestView({ facts: quietFacts(facts), standing, trail, period: day, zone: ZONE }, b.T0),
});
const DIGESTS: readonly (readonly [string, MessageView])[] = [
  ['digest of a quiet day', digest({})],
  ['digest, one grant', digest({ counts: { granted: 1, live: 1 }, granted: [granted(1)], live: [granted(1)] })],
  [
    'digest, five thousand grants and a removal that is late',
    digest({
      counts: { granted: 5_000, live: 312, removals: 1, late: 4, denied: 20, proven: 4_700 },
      granted: Array.from({ length: 40 }, (_, n) =>
        granted(n, n % 5 === 0 ? LONG : `Person ${n}`, n % 7 === 0 ? WORDY : undefined),
      ),
      live: Array.from({ length: 40 }, (_, n) => granted(n)),
      byEntitlement: [
        { entitlement: 'db-prod:read', count: 4_200 },
        { entitlement: 'k8s-eu:admin', count: 800 },
      ],
      removals: [
        b.membershipRecord({ ...failing, removeStartedAt: b.T0 - b.HOUR }, [
          over('ending', { expiresAt: b.T0 - b.HOUR, endingAt: b.T0 - b.HOUR }),
        ]),
      ],
    }),
  ],
];

const control = digest({
  counts: { granted: 2, live: 1, breakGlass: 1, proven: 1 },
  granted: [granted(1), granted(2)],
  live: [granted(1)],
  breakGlass: [granted(3, 'Ben Okafor', 'orders are down, nobody answers')],
  approvedFor: [
    { approver: 'a', approverName: 'Ana Sousa', requester: 'b', requesterName: 'Ben Okafor', count: 4 },
    { approver: 'b', approverName: 'Ben Okafor', requester: 'a', requesterName: 'Ana Sousa', count: 3 },
  ],
  policyChanges: [
    {
      at: b.T0 - b.HOUR,
      kind: 'policy.changed',
      actor: { kind: 'hallpass', part: 'configuration' },
      detail: { policy: 'standard', before: '1a2b3c4d5e', now: 'ffeeddccbb' },
    },
  ],
});
const signing = { id: 'digest-1', day: '2026-03-10' };
const CONTROLS: readonly (readonly [string, MessageView])[] = [
  ['digest, to be signed', { ...control, signing, note: 'Every line of it is in the file below.' } as MessageView],
  [
    'digest, signed',
    {
      ...digest({}),
      signing: { ...signing, signed: { by: 'Sam Haddad', at: NOW, note: 'quiet indeed' } },
    } as MessageView,
  ],
];
const told = (kind: string, at: number) => ({
  at,
  kind,
  actor: { kind: 'hallpass' as const, part: 'provision' },
  detail: {},
  membership: { directory: 'okta', groupId: 'id-prod-db-read', userId: 'u' },
});
const story: Answer = {
  say: 'report',
  about: 'story',
  report: storyView(
    {
      request: shown(b.activeGrant(), [b.ourMembership({ seen: 'present', seenAt: NOW })]),
      groups: [b.pinned('prod-db-read')],
      events: [
        {
          at: b.T0,
          kind: 'request.made',
          actor: { kind: 'person', id: b.ana.id, name: b.ana.name },
          detail: { entitlement: 'db-prod:read', durationMs: 30 * b.MINUTE },
          personal: { reason: 'fix stuck migration' },
        },
        told('membership.added', b.T0 + 1_000),
        told('membership.seen', b.T0 + 2_000),
      ],
      messages: [
        { id: 'msg:R-7KQ2:channel:C0', requestId: 'R-7KQ2', state: 'posted', conversation: 'C0', ts: '1', at: b.T0 },
      ],
    },
    NOW,
    ZONE,
  ),
};

const list = (which: 'mine' | 'pending' | 'active', items: readonly RequestView[], more = false): Answer => ({
  say: 'list',
  which,
  items,
  more,
});
const who = (count: number): Answer => ({
  say: 'report',
  about: 'who',
  report: whoView(
    {
      what: 'db-prod:read',
      title: 'Orders database',
      records: Array.from({ length: count }, (_, n) => granted(n)),
      shown: 40,
      ownOnly: false,
      zone: ZONE,
      standing,
    },
    b.T0,
  ),
});
const ANSWERS: readonly (readonly [string, Answer])[] = [
  ['requested', { say: 'done', what: 'requested', request: waiting(), asked: [b.ben.name, b.cat.name] }],
  ['refused', { say: 'refused', refusal: { code: 'unknown_resource', asked: 'db-prd', suggestions: ['db-prod'] } }],
  [
    'could not be checked',
    {
      say: 'refused',
      refusal: { code: 'cannot_check', what: 'who is on call', error: 'PagerDuty did not answer in 5 s' },
    },
  ],
  ['status', { say: 'status', request: shown(b.activeGrant(), [b.ourMembership({ seen: 'present', seenAt: NOW })]) }],
  ['an empty list', list('mine', [])],
  ['a list of one', list('active', [shown(b.activeGrant(), [b.ourMembership({ seen: 'present', seenAt: NOW })])])],
  [
    'a long list',
    list(
      'pending',
      Array.from({ length: 30 }, (_, n) => waiting({ id: `R-${n}AAA`, requesterName: n % 3 ? 'Ben' : LONG })),
      true,
    ),
  ],
  ['the story of a request', story],
  ['who, nobody', who(0)],
  ['who, many', who(60)],
  ['help', { say: 'help' }],
];

/** In the order in which they are looked at. */
export function wall(): readonly { readonly name: string; readonly drawn: Rendered }[] {
  const context = { now: NOW, zone: ZONE };
  return [
    ...[...MESSAGES, ...NOTICES, ...AFTERWARDS, ...DIGESTS, ...CONTROLS].map(([name, view]) => ({
      name,
      drawn: renderMessage(view, context),
    })),
    ...ANSWERS.map(([name, answer]) => ({ name, drawn: renderAnswer(answer, { ...context, commandWord: '/access' }) })),
  ];
}
