/**
 * How long a decision takes: from the name of a resource to the changes that would be committed, with conditions, limits
 * and a history, over 500 resources and 100 policies. Beside it nothing but the policy's own conditions, planned once
 * and evaluated by the bare library on values that lie ready: what a decision costs besides them is ours.
 *
 * `p99Ms` is over all decisions on the wall; on a machine that others use as well, its slowest hundredth is whoever was put
 * aside for somebody else. `p99OfKindsMs` is over the different decisions, of each its median: the slowest kind.
 *
 * Each outcome is compared with what a plain function says, so that a fast wrong answer is no answer.
 */
import { createHash } from 'node:crypto';
import { type CelInput, celEnv, isCelError, parse, plan } from '@bufbuild/cel';
import { findEntitlement } from '../src/access/catalog.ts';
import { decideRequest, type RequestFacts } from '../src/access/decide-request.ts';
import { isRefused } from '../src/access/decision.ts';
import type { Grant, Person } from '../src/access/model.ts';
import { loadConfig } from '../src/config.ts';
import { median, order, quantile, round, say } from './figures.ts';

const RESOURCES = 500;
const POLICIES = 100;
const HOUR = 3_600_000;
const REASON = 'fix the stuck migration INC-42';

/** What is known of one request, in plain values. */
interface Known {
  readonly hour: number;
  readonly sre: boolean;
  readonly incident: boolean;
  readonly grants24h: number;
  readonly minutes: number;
}

/** Conditions as people write them, each with what a plain function makes of it. */
const CONDITIONS: readonly (readonly [text: string, holds: (known: Known) => boolean])[] = [
  ['now.hour >= 7 && now.hour < 20 || incident.open', ({ hour, incident }) => (hour >= 7 && hour < 20) || incident],
  ["'okta/sre' in requester.groups || now.weekday <= 5 && now.hour < 22", ({ sre, hour }) => sre || hour < 22],
  ["ticket.matches('^INC-[0-9]+$') && history.grants24h < 12", ({ grants24h }) => grants24h < 12],
  ["resource.tags.exists(tag, tag == 'prod') && duration <= duration('2h')", ({ minutes }) => minutes <= 120],
  ["reason.size() >= 10 && !('okta/contractors' in requester.groups) && role in ['read', 'admin']", () => true],
];

const CONFIG = [
  'identity: { match: confirmed-email }',
  'directories:\n  okta: { type: okta, url: https://acme.okta.com, auth: { token: "${OKTA_TOKEN}" } }',
  // The section alone says that there are incidents; what they are is given with the facts.
  'incidents: { type: pagerduty, token: "${PD_TOKEN}", services: { res-0: PABC123 } }',
  'policies:',
  ...Array.from({ length: POLICIES }, (_, n) =>
    [
      `  policy-${n}:`,
      `    requesters: [ group:okta/engineering, group:okta/team-${n} ]`,
      `    approvers: [ group:okta/leads-${n} ]`,
      '    duration: { default: 30m, max: 4h, perDay: 8h }',
      "    reason: { minLength: 10, pattern: '[A-Z]+-[0-9]+', link: 'https://acme.example/{ticket}' }",
      '    maxLive: 5',
      `    when: ${JSON.stringify(CONDITIONS[n % CONDITIONS.length]?.[0])}`,
      `    autoApprove: "role == 'read' && duration <= duration('30m') && history.usedToday < duration('4h')"`,
    ].join('\n'),
  ),
  'resources:',
  ...Array.from({ length: RESOURCES }, (_, n) =>
    [
      `  res-${n}:`,
      `    tags: [ prod, team-${n % 40} ]`,
      '    roles:',
      `      read: { grants: [ { directory: okta, group: res-${n}-read } ], policy: policy-${n % POLICIES} }`,
      `      admin: { grants: [ { directory: okta, group: res-${n}-admin } ], policy: policy-${(n * 7) % POLICIES} }`,
      '    defaultRole: read',
    ].join('\n'),
  ),
].join('\n');

const hash = (text: string) => createHash('sha256').update(text).digest('hex');
const ana: Person = { id: 'okta/ana', name: 'Ana', email: 'ana@acme.com', active: true };

interface Sample {
  readonly resource: string;
  readonly role: string;
  readonly known: Known;
  readonly now: number;
  readonly facts: RequestFacts;
  readonly bare: { readonly run: readonly ReturnType<typeof plan>[]; readonly values: Record<string, CelInput> };
}

export async function policy(quick: boolean): Promise<object> {
  const { rounds, each } = quick ? { rounds: 5, each: 2_000 } : { rounds: 10, each: 20_000 };
  const loaded = loadConfig({
    env: { OKTA_TOKEN: 'okta', PD_TOKEN: 'pager' },
    readFile: () => `${CONFIG}\n`,
    path: 'bench',
  });
  if (!loaded.ok)
    throw new Error(`the benchmark's own file is refused: ${JSON.stringify(loaded.problems.slice(0, 3))}`);
  const { catalog } = loaded.settings;
  const samples = samplesOf(catalog, 2_000);

  const kinds = samples.map((): number[] => []);
  const ours = (count: number): number[] => {
    const took: number[] = [];
    for (let i = 0; i < count; i++) {
      const { resource, role, known, now, facts } = samples[i % samples.length] as Sample;
      const began = performance.now();
      const entitlement = findEntitlement(catalog, resource, role);
      if ('code' in entitlement) throw new Error(`${resource} is not there`);
      const outcome = decideRequest(
        { duration: { ms: known.minutes * 60_000 }, reason: REASON },
        { ...facts, entitlement },
        now,
      );
      took.push(performance.now() - began);
      kinds[i % samples.length]?.push(took.at(-1) ?? 0);
      const holds = CONDITIONS[policyNumber(entitlement.policy.name) % CONDITIONS.length]?.[1](known) === true;
      const expected = holds
        ? role === 'read' && known.minutes <= 30
          ? 'approved'
          : 'requested'
        : 'condition_not_met';
      const came = isRefused(outcome) ? outcome.refusal.code : outcome.done;
      if (came !== expected)
        throw new Error(`${entitlement.id}: ${came} instead of ${expected} for ${JSON.stringify(known)}`);
    }
    return took;
  };
  const bare = (count: number): number[] => {
    const took: number[] = [];
    for (let i = 0; i < count; i++) {
      const { bare } = samples[i % samples.length] as Sample;
      const began = performance.now();
      const results = bare.run.map((run) => run(bare.values));
      took.push(performance.now() - began);
      if (results.some(isCelError)) throw new Error('the bare expression failed');
    }
    return took;
  };

  ours(each / 2);
  for (const kind of kinds) kind.length = 0;
  bare(each / 2);
  const played: { ours: number; bare: number; p99: number; bareP99: number; ratio: number }[] = [];
  const all: number[] = [];
  for (let n = 0; n < rounds; n++) {
    const took = { ours: [] as number[], bare: [] as number[] };
    for (const which of order(n, 'ours' as const, 'bare' as const))
      took[which] = (which === 'ours' ? ours : bare)(each);
    all.push(...took.ours);
    const [mine, theirs] = [median(took.ours), median(took.bare)];
    played.push({
      ours: round(mine, 4),
      bare: round(theirs, 4),
      p99: round(quantile(took.ours, 0.99), 4),
      bareP99: round(quantile(took.bare, 0.99), 4),
      ratio: round(mine / theirs),
    });
    say(
      `round ${n + 1}: a decision ${round(mine, 4)} ms (p99 ${round(quantile(took.ours, 0.99), 4)}), its conditions alone ${round(theirs, 4)} ms`,
    );
  }
  return {
    name: 'policy',
    ratio: round(median(played.map(({ ratio }) => ratio))),
    p99Ms: round(quantile(all, 0.99), 4),
    p99OfKindsMs: round(quantile(kinds.filter((kind) => kind.length > 0).map(median), 0.99), 4),
    resources: RESOURCES,
    policies: POLICIES,
    decisions: all.length,
    rounds: played,
  };
}

function policyNumber(name: string): number {
  return Number(name.slice('policy-'.length));
}

function samplesOf(catalog: Parameters<typeof findEntitlement>[0], count: number): readonly Sample[] {
  const env = celEnv();
  const seconds = plan(env, parse('duration(text)'));
  const duration = (ms: number): CelInput => {
    const value = seconds({ text: `${Math.floor(ms / 1000)}s` });
    if (isCelError(value)) throw value;
    return value;
  };
  const planned = new Map<string, ReturnType<typeof plan>>();
  const planOf = (text: string) => {
    const known = planned.get(text) ?? plan(env, parse(text));
    planned.set(text, known);
    return known;
  };
  return Array.from({ length: count }, (_, i) => {
    const resource = `res-${(i * 131) % RESOURCES}`;
    const role = i % 3 === 0 ? 'admin' : 'read';
    const known: Known = {
      hour: (9 + i * 5) % 24,
      sre: i % 4 === 0,
      incident: i % 5 === 0,
      grants24h: i % 15,
      minutes: [15, 30, 60, 150][i % 4] ?? 30,
    };
    const now = Date.UTC(2026, 2, 10, known.hour, 5);
    const entitlement = findEntitlement(catalog, resource, role);
    if ('code' in entitlement) throw new Error(`${resource} is not there`);
    // So many within a day as the condition counts, the others days ago.
    const past = Array.from({ length: 20 }, (_, n) =>
      pastGrant(entitlement.id, now - (n < known.grants24h ? 1 : 60) * HOUR - n * 60_000, n),
    );
    const groups = ['okta/engineering', ...(known.sre ? ['okta/sre'] : [])];
    const open = known.incident
      ? [{ id: 'P1', title: 'Orders are stuck', openedAt: now - HOUR, openedBy: ['ben@acme.com'] }]
      : [];
    const { when, autoApprove } = entitlement.policy;
    return {
      resource,
      role,
      known,
      now,
      facts: {
        person: ana,
        entitlement,
        subjects: [{ subject: { kind: 'group', directory: 'okta', group: 'engineering' }, holds: true }],
        users: [{ directory: 'okta', userId: 'u1', login: ana.email }],
        groups: [{ directory: 'okta', groupId: 'g1', groupName: `${resource}-${role}` }],
        pending: [],
        grants: [],
        standing: [{ record: { key: { directory: 'okta', groupId: 'g1', userId: 'u1' }, grants: [] } }],
        approvers: { people: [{ ...ana, id: 'okta/ben', name: 'Ben' }], complete: true, steps: 0, failed: [] },
        circumstances: { groups: { value: groups }, onCall: { value: [] }, incidents: { value: open }, past, live: [] },
        requestsLately: 0,
        freezes: { version: 0, live: [] },
        timezone: 'UTC',
        ids: { short: '7KQ2', opaque: 'card' },
        hash,
      },
      bare: {
        run: [when, autoApprove].flatMap((one) => (one === undefined ? [] : [planOf(one.expression)])),
        values: {
          now: { hour: BigInt(known.hour), minute: 5n, weekday: 2n, date: '2026-03-10' },
          requester: { email: ana.email, name: ana.name, groups, onCall: [] },
          resource: { name: resource, tags: [...(entitlement.tags ?? [])], owner: '' },
          role,
          duration: duration(known.minutes * 60_000),
          reason: REASON,
          ticket: 'INC-42',
          incident: { open: known.incident, id: '', title: '' },
          history: {
            grants24h: BigInt(known.grants24h),
            grants7d: 20n,
            usedToday: duration(0),
            sinceLastEnd: duration(HOUR),
          },
        },
      },
    };
  });
}

function pastGrant(entitlement: string, at: number, n: number): Grant {
  return {
    id: `G-${n}`,
    version: 3,
    requestId: `R-${n}`,
    state: 'ended',
    holder: ana.id,
    holderName: ana.name,
    entitlement,
    memberships: [],
    durationMs: 60_000,
    maxMs: 4 * HOUR,
    warnBeforeMs: 0,
    sessionTailMs: 0,
    approvedAt: at,
    addBy: at,
    hardEndAt: at + 60_000,
    startsAt: at,
    expiresAt: at + 60_000,
    endReason: 'expired',
    endingAt: at + 60_000,
    endedAt: at + 60_000,
  };
}
