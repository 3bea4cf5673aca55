/**
 * Takes in what sources tell: finds whose grant each activity belongs to, keeps it, counts it and judges it, in one
 * commit for each hundred. What is told twice is kept once; what belongs to no grant is not kept at all.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { ActivityStore, GrantWindow, Told, Use } from '../access/activity.ts';
import {
  type Attributed,
  attribute,
  type OwnActivity,
  type SourceFacts,
  type Unattributed,
} from '../access/attribution.ts';
import { type Catalog, entitlementById } from '../access/catalog.ts';
import { decideActivity } from '../access/decide-activity.ts';
import { countedIn, type Detection, type JudgedGrant, judge } from '../access/detection.ts';
import type { Change, GrantId, Instant } from '../access/model.ts';
import { type Clock, type Ids, type Metrics, StaleStateError, type Store } from '../access/ports.ts';
import type { Windows } from './windows.ts';

export interface ActivityLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export interface CollectorParts {
  readonly store: ActivityStore & Pick<Store, 'commit'>;
  readonly windows: Windows;
  readonly catalog: () => Catalog;
  readonly detections: () => readonly Detection[];
  readonly clock: Clock;
  readonly ids: Ids;
  readonly metrics: Metrics;
  readonly log: ActivityLog;
}

export type Became = 'kept' | 'known' | Unattributed;

export interface Source extends SourceFacts {
  readonly name: string;
}

export interface Collector {
  /**
   * What became of each, in their order. When it resolves, what was kept is durable. `place`: where the source is once
   * they are, committed with the last of them.
   */
  take(source: Source, told: readonly Told[], place?: Place): Promise<readonly Became[]>;
}

export interface Place {
  readonly cursor: string;
  readonly readAt: Instant;
}

/** So many in one transaction: nobody else who commits waits for longer than these take. */
const TOGETHER = 100;
const OVERTAKEN_MAX = 8;
/** Earlier grants of a person that are looked at. */
const PAST_MAX = 40;
const PAST_KEPT_MS = 60_000;
const PASTS_MAX = 5_000;

export function createCollector(parts: CollectorParts): Collector {
  const { store, windows, catalog, clock, ids, metrics, log } = parts;
  const own = (entitlement: string): readonly OwnActivity[] => entitlementById(catalog(), entitlement)?.activity ?? [];

  const pasts = new Map<GrantId, { readonly at: number; readonly past: readonly Use[] }>();

  async function take(source: Source, told: readonly Told[], place?: Place): Promise<readonly Became[]> {
    const became: Became[] = [];
    const startedAt = clock.monotonic();
    for (let from = 0; from < told.length || (from === 0 && place !== undefined); from += TOGETHER) {
      const some = told.slice(from, from + TOGETHER).map(storable);
      const last = from + TOGETHER >= told.length;
      became.push(...(await together(source, some, startedAt, last ? place : undefined)));
      if (!last) await nextTurn();
    }
    const counts = new Map<Became, number>();
    for (const one of became) counts.set(one, (counts.get(one) ?? 0) + 1);
    for (const [outcome, count] of counts)
      metrics.count('hallpass_activities_total', { source: source.name, outcome }, count);
    return became;
  }

  async function together(
    source: Source,
    some: readonly Told[],
    startedAt: number,
    place: Place | undefined,
  ): Promise<readonly Became[]> {
    const found = await attributed(source, some, startedAt);
    for (let attempt = 0; attempt < OVERTAKEN_MAX; attempt++) {
      const known = await store.knownActivities(source.name, uidsIn(found));
      const fresh = onlyNew(found, known);
      const changes = await decide(source, fresh, place);
      if (changes.length === 0) return outcomes(found, fresh);
      try {
        await store.commit({ changes });
        for (const change of changes)
          if ('put' in change && change.put === 'finding' && change.was === undefined)
            metrics.count('hallpass_findings_total', { rule: change.row.rule });
        return outcomes(found, fresh);
      } catch (error) {
        // Somebody counted in the same grant, or told the same: looked at afresh.
        if (!(error instanceof StaleStateError)) throw error;
      }
    }
    throw new StaleStateError(`what ${source.name} tells of`);
  }

  /** By the grants as they are now: what was done just after an end must not look as if it were before it. */
  async function attributed(source: Source, some: readonly Told[], startedAt: number): Promise<Found> {
    const now = clock.now();
    const index = await windows.since(startedAt);
    return some.map(({ activity, who }) =>
      attribute(activity, index.of(who?.id ?? activity.account, who?.directory), own, source, now),
    );
  }

  /** What the holder did under other grants; looked up once a minute, since it changes only when they use two at once. */
  async function pastOf({ grantId, holder }: GrantWindow): Promise<readonly Use[]> {
    const known = pasts.get(grantId);
    if (known !== undefined && clock.monotonic() - known.at < PAST_KEPT_MS) return known.past;
    if (pasts.size >= PASTS_MAX) pasts.clear();
    const past = (await store.usesOf(holder, PAST_MAX)).filter((one) => one.grantId !== grantId);
    pasts.set(grantId, { at: clock.monotonic(), past });
    return past;
  }

  async function decide(
    source: Source,
    batch: readonly Attributed[],
    place: Place | undefined,
  ): Promise<readonly Change[]> {
    const rules = parts.detections();
    const byGrant = new Map<GrantId, Attributed[]>();
    for (const one of batch) {
      const list = byGrant.get(one.window.grantId);
      if (list === undefined) byGrant.set(one.window.grantId, [one]);
      else list.push(one);
    }
    const before = new Map((await store.uses([...byGrant.keys()])).map((use) => [use.grantId, use]));
    const history = rules.some(({ reads }) => reads.some((path) => path.startsWith('history.')));
    const grants = new Map<GrantId, JudgedGrant>();
    const uses: Use[] = [];
    for (const [grantId, ofIt] of byGrant) {
      const window = ofIt[0]?.window;
      if (window === undefined) continue;
      const known = before.get(grantId);
      const use = countedIn(known, window, ofIt);
      const past = history ? await pastOf(window) : [];
      uses.push(use);
      grants.set(grantId, { window, use, ...(known === undefined ? {} : { before: known }), past });
    }
    const { hits, failed } = judge(rules, grants, batch);
    for (const [rule, error] of failed) {
      metrics.count('hallpass_detection_errors_total', { rule });
      log.warn({ rule, error, source: source.name }, 'a detection rule could not be judged');
    }
    const hitGrants = [...new Set(hits.map(({ window }) => window.grantId))];
    const known = (await Promise.all(hitGrants.map((grantId) => store.findingsOf(grantId)))).flat();
    const cursor = place === undefined ? undefined : await store.sourceCursor(source.name);
    return decideActivity(
      {
        batch,
        uses,
        hits,
        known,
        findingId: () => `F-${ids.short(1)}`,
        ...(place === undefined
          ? {}
          : {
              cursor: {
                row: { source: source.name, version: (cursor?.version ?? 0) + 1, ...place },
                ...(cursor === undefined ? {} : { was: cursor.version }),
              },
            }),
      },
      clock.now(),
    );
  }

  return { take };
}

/**
 * Whoever is watched writes some of these texts. Half a character or a NUL would keep the whole batch from being kept,
 * now and whenever it is told again, and what is sorted by several texts at once is told apart by control characters.
 */
function storable({ activity, ...rest }: Told): Told {
  const { uid, action, account, resource, target, ip, country, device } = activity;
  const texts = { uid, action, account, resource, target, ip, country, device };
  for (const name of Object.keys(texts) as (keyof typeof texts)[])
    texts[name] = texts[name].toWellFormed().replace(/\p{Cc}/gu, ' ');
  return { ...rest, activity: { ...activity, ...texts } };
}

type Found = readonly (Attributed | Unattributed)[];

function uidsIn(found: Found): readonly string[] {
  return found.flatMap((one) => (typeof one === 'string' ? [] : [one.activity.uid]));
}

/** Each once, also where one batch tells it twice. */
function onlyNew(found: Found, known: ReadonlySet<string>): readonly Attributed[] {
  const seen = new Set(known);
  return found.flatMap((one) => {
    if (typeof one === 'string' || seen.has(one.activity.uid)) return [];
    seen.add(one.activity.uid);
    return [one];
  });
}

function outcomes(found: Found, fresh: readonly Attributed[]): readonly Became[] {
  const kept = new Set(fresh);
  return found.map((one) => (typeof one === 'string' ? one : kept.has(one) ? 'kept' : 'known'));
}
