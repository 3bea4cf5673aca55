/**
 * Detection rules, judged: expressions over what was done, under which grant, by whom, and what the same person did
 * before. The language is outside; here is what a rule may speak of, and what it flags.
 */
import type { Activity, ActivityKind, FindingLevel, GrantWindow, Use } from './activity.ts';
import { USE_TEXTS_MAX } from './activity.ts';
import type { Attributed } from './attribution.ts';
import type { GrantId } from './model.ts';

/** `activity`: each one by itself. `use`: what was counted of the grant so far. `end`: the same, once, after its end. */
export type Judged = 'activity' | 'use' | 'end';

export interface Detection {
  readonly id: string;
  readonly title: string;
  readonly level: FindingLevel;
  readonly judged: Judged;
  readonly when: string;
  /** Public Sigma rules that look for the same; of each its id. */
  readonly sigma: readonly string[];
  /** Of ours, or of the operator's folder. */
  readonly ours: boolean;
  /** The fields that its expression reads. */
  readonly reads: readonly string[];
  evaluate(context: DetectionContext): { readonly holds: boolean } | { readonly error: string };
}

type Value = string | number | boolean | readonly string[];

/** What an expression can speak of, as records by name; `conditions/context.ts` has their types. */
export type DetectionContext = Readonly<Record<string, Readonly<Record<string, Value>>>>;

export interface JudgedGrant {
  readonly window: GrantWindow;
  /** With everything in it that is being judged. */
  readonly use: Use;
  /** The same before that; absent: nothing was seen before. */
  readonly before?: Use;
  /** The holder's uses under other grants. */
  readonly past: readonly Use[];
}

export function contextOf({ window, use, before, past }: JudgedGrant, attributed?: Attributed): DetectionContext {
  const same = past.filter(({ entitlement }) => entitlement === window.entitlement);
  const most = (count: (one: Use) => number) => Math.max(0, ...same.map(count));
  const known = [...past, ...(before === undefined ? [] : [before])];
  return {
    ...(attributed === undefined ? {} : { activity: activityRecord(attributed) }),
    grant: {
      resource: window.resource,
      role: window.role,
      entitlement: window.entitlement,
      reason: window.reason,
      minutes: Math.round(window.durationMs / 60_000),
      breakGlass: window.breakGlass,
    },
    person: { id: window.holder, name: window.holderName },
    use: {
      activities: use.activities,
      amount: use.amount,
      outside: use.outside,
      after: use.after,
      exports: use.kinds.export ?? 0,
      reads: use.kinds.read ?? 0,
      writes: use.kinds.write ?? 0,
      deletes: use.kinds.delete ?? 0,
    },
    history: {
      grants: same.length,
      mostActivities: most(({ activities }) => activities),
      mostAmount: most(({ amount }) => amount),
      countries: [...new Set(known.flatMap(({ countries }) => countries))],
      devices: [...new Set(known.flatMap(({ devices }) => devices))],
    },
  };
}

function activityRecord({ activity, window, fit }: Attributed): Readonly<Record<string, Value>> {
  const { at, uid: _uid, ...told } = activity;
  return { ...told, fit, minute: Math.floor((at - window.startsAt) / 60_000) };
}

/** Of one grant and one rule: the activities that it flags; none for a rule about the whole grant. */
export interface Hit {
  readonly rule: Detection;
  readonly window: GrantWindow;
  readonly activities: readonly Activity[];
}

export interface Judgement {
  readonly hits: readonly Hit[];
  /** Rules that could not be judged, with one of the errors. */
  readonly failed: ReadonlyMap<string, string>;
}

/**
 * Judges each activity and each grant in it. A rule is run once for each different set of what it reads: of a thousand
 * selects of the same table it sees one.
 */
export function judge(
  rules: readonly Detection[],
  grants: ReadonlyMap<GrantId, JudgedGrant>,
  batch: readonly Attributed[],
): Judgement {
  const failed = new Map<string, string>();
  const hits: Hit[] = [];
  const contexts = contextsOf(grants, batch);
  for (const rule of rules) {
    if (rule.judged === 'end') continue;
    const told = new Map<string, boolean>();
    const holds = (context: DetectionContext): boolean => {
      const key = readingsOf(rule, context);
      const known = told.get(key);
      if (known !== undefined) return known;
      const result = rule.evaluate(context);
      if ('error' in result) failed.set(rule.id, result.error);
      const answer = 'holds' in result && result.holds;
      told.set(key, answer);
      return answer;
    };
    if (rule.judged === 'use') {
      for (const judged of grants.values())
        if (holds(contextOf(judged))) hits.push({ rule, window: judged.window, activities: [] });
      continue;
    }
    const flagged = new Map<GrantId, Activity[]>();
    for (const { attributed, context } of contexts) {
      if (!holds(context)) continue;
      const { grantId } = attributed.window;
      const list = flagged.get(grantId);
      if (list === undefined) flagged.set(grantId, [attributed.activity]);
      else list.push(attributed.activity);
    }
    for (const [grantId, activities] of flagged) {
      const window = grants.get(grantId)?.window;
      if (window !== undefined) hits.push({ rule, window, activities });
    }
  }
  return { hits, failed };
}

/** Once, when nothing more is to come of the grant. */
export function judgeEnd(rules: readonly Detection[], judged: JudgedGrant): Judgement {
  const failed = new Map<string, string>();
  const hits: Hit[] = [];
  const context = contextOf(judged);
  for (const rule of rules) {
    if (rule.judged !== 'end') continue;
    const result = rule.evaluate(context);
    if ('error' in result) failed.set(rule.id, result.error);
    else if (result.holds) hits.push({ rule, window: judged.window, activities: [] });
  }
  return { hits, failed };
}

function contextsOf(grants: ReadonlyMap<GrantId, JudgedGrant>, batch: readonly Attributed[]) {
  const shared = new Map([...grants].map(([grantId, judged]) => [grantId, contextOf(judged)]));
  return batch.flatMap((attributed) => {
    const context = shared.get(attributed.window.grantId);
    return context === undefined
      ? []
      : [{ attributed, context: { ...context, activity: activityRecord(attributed) } as DetectionContext }];
  });
}

function readingsOf({ reads }: Detection, context: DetectionContext): string {
  let key = '';
  for (const path of reads) {
    const dot = path.indexOf('.');
    const value = context[path.slice(0, dot)]?.[path.slice(dot + 1)];
    key += `${typeof value === 'object' ? value.join('\u0001') : String(value)}\u0000`;
  }
  return key;
}

/** What is counted of a grant once these are in it. */
export function countedIn(before: Use | undefined, window: GrantWindow, batch: readonly Attributed[]): Use {
  const kinds: Partial<Record<ActivityKind, number>> = { ...before?.kinds };
  const countries = new Set(before?.countries);
  const devices = new Set(before?.devices);
  let { activities, amount, outside, after } = before ?? { activities: 0, amount: 0, outside: 0, after: 0 };
  let firstAt = before?.firstAt ?? Number.POSITIVE_INFINITY;
  let lastAt = before?.lastAt ?? Number.NEGATIVE_INFINITY;
  for (const { activity, fit } of batch) {
    activities += 1;
    amount += activity.amount;
    if (fit === 'outside') outside += 1;
    if (fit === 'after') after += 1;
    kinds[activity.kind] = (kinds[activity.kind] ?? 0) + 1;
    if (activity.country !== '' && countries.size < USE_TEXTS_MAX) countries.add(activity.country);
    if (activity.device !== '' && devices.size < USE_TEXTS_MAX) devices.add(activity.device);
    firstAt = Math.min(firstAt, activity.at);
    lastAt = Math.max(lastAt, activity.at);
  }
  return {
    grantId: window.grantId,
    version: (before?.version ?? 0) + 1,
    requestId: window.requestId,
    person: window.holder,
    entitlement: window.entitlement,
    activities,
    amount,
    kinds,
    outside,
    after,
    countries: [...countries],
    devices: [...devices],
    firstAt,
    lastAt,
  };
}

/** A grant in which nothing was seen. */
export function unused(window: GrantWindow): Use {
  return {
    ...countedIn(undefined, window, []),
    version: 0,
    firstAt: window.startsAt,
    lastAt: window.startsAt,
  };
}
