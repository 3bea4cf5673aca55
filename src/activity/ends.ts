/**
 * Grants that are over and of which nothing more is to come: rules about a whole grant are judged, once for each. A grant
 * with a source that was not read after its end is left out: what was not looked at is not called unused.
 */
import type { ActivityStore, GrantWindow } from '../access/activity.ts';
import { AFTER_MS, type OwnActivity } from '../access/attribution.ts';
import { type Catalog, entitlementById } from '../access/catalog.ts';
import { findingsFrom } from '../access/decide-activity.ts';
import { type Detection, type Hit, judgeEnd, unused } from '../access/detection.ts';
import type { Change, Instant } from '../access/model.ts';
import { type Clock, type Ids, type Metrics, StaleStateError, type Store } from '../access/ports.ts';
import type { ActivityLog, Source } from './collector.ts';

export interface EndsParts {
  readonly store: ActivityStore & Pick<Store, 'commit'>;
  readonly sources: ReadonlyMap<string, Source>;
  readonly catalog: () => Catalog;
  readonly detections: () => readonly Detection[];
  readonly clock: Clock;
  readonly ids: Ids;
  readonly metrics: Metrics;
  readonly log: ActivityLog;
}

/** The place of this in the list of sources. No source of the file can be called so. */
const PLACE = ':ends';
const PAGE = 200;
const PAST_MAX = 40;

/** Judges a page of grants that ended; whether there may be more. */
export async function judgeEnds(parts: EndsParts): Promise<boolean> {
  const { store, clock, metrics } = parts;
  const lateMs = Math.max(0, ...[...parts.sources.values()].map((source) => source.lateMs));
  const place = await store.sourceCursor(PLACE);
  const to = clock.now() - lateMs;
  // What ended before activity was first read is nobody's to judge.
  const after = place?.readAt ?? to;
  const windows = place === undefined ? [] : await store.windowsEnded(after, to, PAGE);
  const full = windows.length === PAGE;
  const hits: Hit[] = [];
  for (const window of windows) hits.push(...(await judged(parts, window)));
  const known = (await Promise.all(hits.map(({ window }) => store.findingsOf(window.grantId)))).flat();
  const readAt = full ? endOf(windows, to) : Math.max(after, to);
  if (place !== undefined && hits.length === 0 && readAt - place.readAt < MOVES_MS) return full;
  const changes: readonly Change[] = [
    ...findingsFrom({ hits, known, findingId: () => `F-${parts.ids.short(1)}` }, clock.now()),
    {
      put: 'source_cursor',
      row: { source: PLACE, version: (place?.version ?? 0) + 1, cursor: '', readAt },
      ...(place === undefined ? {} : { was: place.version }),
    },
  ];
  try {
    await store.commit({ changes });
    for (const { rule } of hits) metrics.count('hallpass_findings_total', { rule: rule.id });
  } catch (error) {
    // Another process has judged them.
    if (!(error instanceof StaleStateError)) throw error;
  }
  return full;
}

/** What ended in the last millisecond of a full page may go on behind it; a page of nothing else is passed over. */
function endOf(windows: readonly GrantWindow[], to: Instant): Instant {
  const last = windows.at(-1)?.endedAt ?? to;
  return windows[0]?.endedAt === last ? last : last - 1;
}

/** With nothing to tell, the place moves on this seldom. */
const MOVES_MS = 600_000;

async function judged(parts: EndsParts, window: GrantWindow): Promise<readonly Hit[]> {
  const { store } = parts;
  const own = entitlementById(parts.catalog(), window.entitlement)?.activity ?? [];
  if (own.length === 0 || !(await lookedAt(parts, window, own))) return [];
  const [use, past] = await Promise.all([store.activityOf(window.grantId), store.usesOf(window.holder, PAST_MAX)]);
  const judgement = judgeEnd(parts.detections(), {
    window,
    use: use ?? unused(window),
    ...(use === undefined ? {} : { before: use }),
    past: past.filter(({ grantId }) => grantId !== window.grantId),
  });
  for (const [rule, error] of judgement.failed) {
    parts.metrics.count('hallpass_detection_errors_total', { rule });
    parts.log.warn({ rule, error, grant: window.grantId }, 'a detection rule could not be judged');
  }
  return judgement.hits;
}

async function lookedAt(
  { store, sources }: EndsParts,
  { endedAt = 0 }: GrantWindow,
  own: readonly OwnActivity[],
): Promise<boolean> {
  const places = await Promise.all(own.map(({ source }) => store.sourceCursor(source)));
  return places.every(
    (place, i) => sources.has(own[i]?.source ?? '') && place !== undefined && place.readAt >= endedAt,
  );
}

/** How long after its end a grant has to be kept at hand. */
export function keptMs(sources: ReadonlyMap<string, Source>): number {
  return AFTER_MS + Math.max(0, ...[...sources.values()].map(({ lateMs }) => lateMs));
}
