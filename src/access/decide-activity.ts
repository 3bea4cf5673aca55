/** What follows from activities that came in: they are kept, counted, and what rules flag in them is told, in one commit. */
import { EXAMPLES_MAX, type Finding, type GrantActivity, isOver, type SourceCursor, type Use } from './activity.ts';
import type { Attributed } from './attribution.ts';
import { event } from './decision.ts';
import type { Hit } from './detection.ts';
import type { AccountRef, Actor, Change, Instant } from './model.ts';
import { PRIORITY } from './model.ts';

export interface ActivityFacts {
  /** New ones only, each once. */
  readonly batch: readonly Attributed[];
  /** Of each grant in the batch, what is counted now. */
  readonly uses: readonly Use[];
  readonly hits: readonly Hit[];
  /** Findings of the grants that were hit, also those that are over. */
  readonly known: readonly Finding[];
  /** Where the source is now, and the version it had. */
  readonly cursor?: { readonly row: SourceCursor; readonly was?: number };
  /** A fresh id for each finding. */
  readonly findingId: () => string;
}

export function decideActivity(facts: ActivityFacts, now: Instant): readonly Change[] {
  const { batch, uses, cursor } = facts;
  const rows = batch.map(
    ({ activity, window, fit }): GrantActivity => ({ ...activity, grantId: window.grantId, fit, receivedAt: now }),
  );
  return [
    ...(rows.length === 0 ? [] : [{ put: 'activities' as const, row: rows }]),
    ...(uses.length === 0 ? [] : [{ put: 'uses' as const, row: uses }]),
    ...(cursor === undefined ? [] : [{ put: 'source_cursor' as const, ...cursor }]),
    ...findingsFrom(facts, now),
  ];
}

/** Counted in the finding that is not over, or else a new one; of what is about the whole grant there is one, whatever became of it. */
export function findingsFrom(
  { hits, known, findingId }: Pick<ActivityFacts, 'hits' | 'known' | 'findingId'>,
  now: Instant,
): readonly Change[] {
  return hits.flatMap(({ rule, window, activities }) => {
    const same = known.filter((one) => one.grantId === window.grantId && one.rule === rule.id);
    if (rule.judged !== 'activity' && same.length > 0) return [];
    const open = same.find((one) => !isOver(one));
    if (open !== undefined) return counted(open, activities, now);
    const times = activities.map(({ at }) => at);
    const finding: Finding = {
      id: findingId(),
      version: 1,
      state: 'open',
      rule: rule.id,
      title: rule.title,
      level: rule.level,
      grantId: window.grantId,
      requestId: window.requestId,
      holder: window.holder,
      holderName: window.holderName,
      entitlement: window.entitlement,
      count: activities.length,
      examples: activities.slice(0, EXAMPLES_MAX),
      firstAt: times.length === 0 ? now : least(times),
      lastAt: times.length === 0 ? now : most(times),
      createdAt: now,
    };
    return [
      { put: 'finding', row: finding },
      event('finding.opened', now, DETECTION, {
        requestId: finding.requestId,
        grantId: finding.grantId,
        detail: {
          finding: finding.id,
          rule: rule.id,
          title: rule.title,
          level: rule.level,
          entitlement: finding.entitlement,
          holder: finding.holder,
          activities: finding.count,
          uids: finding.examples.map(({ source, uid }) => `${source}/${uid}`),
        },
      }),
      showFinding(finding, now),
    ];
  });
}

const DETECTION: Actor = { kind: 'hallpass', part: 'detection' };

/** Said again when there is ten times as much: a flood of one thing is one message, and not a flood of changes to it. */
function counted(known: Finding, activities: Hit['activities'], now: Instant): readonly Change[] {
  const times = activities.map(({ at }) => at);
  const row: Finding = {
    ...known,
    version: known.version + 1,
    count: known.count + activities.length,
    examples: [...known.examples, ...activities].slice(0, EXAMPLES_MAX),
    firstAt: Math.min(known.firstAt, least(times)),
    lastAt: Math.max(known.lastAt, most(times)),
  };
  const grew = String(row.count).length > String(known.count).length || row.examples.length > known.examples.length;
  return [{ put: 'finding', row, was: known.version }, ...(grew ? [showFinding(row, now)] : [])];
}

/** Not `Math.min(...)`: a batch may hold more than a call takes arguments. */
function least(times: readonly Instant[]): Instant {
  return times.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
}

function most(times: readonly Instant[]): Instant {
  return times.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
}

/** In the findings channel, or the holder's own message about it; drawn from what holds when it is sent. */
export function showFinding(finding: Finding, now: Instant, account?: AccountRef): Change {
  const where = account === undefined ? 'security' : `${account.platform}:${account.tenant}:${account.id}`;
  return {
    put: 'job',
    row: {
      kind: 'notification',
      id: `msg:finding:${finding.id}:${where}`,
      lane: 'chat',
      priority: PRIORITY.usual,
      dueAt: now,
      payload: { tell: 'finding', findingId: finding.id, ...(account === undefined ? {} : { account }) },
    },
  };
}
