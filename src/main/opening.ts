/** What the settings name, opened: the record, the directories, the sources, the places that are told of the trail. */
import { dirname, resolve } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Clock, Directory, TrailSeal } from '../access/ports.ts';
import type { DriftRules } from '../access/reconcile.ts';
import type { OpenedSource } from '../activity/open.ts';
import { createOutlet } from '../audit/outlet.ts';
import { createPump, type Pump } from '../audit/pump.ts';
import { type TrailSource, verifyTrail } from '../audit/verify.ts';
import type { Settings } from '../config.ts';
import { driftRules } from '../directories/drift-section.ts';
import { openDirectory } from '../directories/open.ts';
import { randomIds, salt } from '../ids.ts';
import type { RunOptions } from '../main.ts';
import type { MetricsRegistry } from '../metrics.ts';
import type { Trusted } from '../people/identity.ts';
import { type OpenStore, openStore } from '../store/database.ts';

export function openRecord(settings: Settings, clock: Clock): Promise<OpenStore> {
  const ids = randomIds();
  return openStore({ url: settings.env.databaseUrl, now: clock.now, hash: ids.hash, salt });
}

export function openDirectories(
  settings: Settings,
  clock: Clock,
  metrics: MetricsRegistry,
  callDeadlineMs?: number,
): ReadonlyMap<string, Directory> {
  const ids = randomIds();
  return new Map(
    settings.directories.map((directory) => [
      directory.name,
      openDirectory({
        ...directory,
        clock,
        metrics,
        jitter: ids.jitter,
        ...(callDeadlineMs === undefined ? {} : { callDeadlineMs }),
      }),
    ]),
  );
}

/** Each as the file describes it; one whose directory keeps no log is refused with the file already. */
export function activitySources(
  settings: Settings,
  directories: ReadonlyMap<string, Directory>,
): readonly OpenedSource[] {
  return Object.entries(settings.activitySources).flatMap(([name, section]): readonly OpenedSource[] => {
    const { lateMs } = section;
    if (section.type === 'ingest') return [{ name, ofItsOwn: true, lateMs, secret: section.secret }];
    const directory = directories.get(section.directory);
    const reading = directory?.as?.('reconcile') ?? directory;
    const port = reading?.activity?.(name, 'applications' in section ? section.applications : undefined);
    return port === undefined ? [] : [{ name, ofItsOwn: false, lateMs, port }];
  });
}

export function driftRulesOf(settings: Settings): ReadonlyMap<string, DriftRules> {
  return new Map(settings.directories.map(({ name, section }) => [name, driftRules(section)]));
}

/** Being allowed to see is no authority that a grant could give away; the file warns of it. */
export function trustedGroups(settings: Settings): readonly Trusted[] {
  return settings.named.flatMap(({ path, subject, sees }) =>
    subject.kind === 'group' && sees !== true ? [{ directory: subject.directory, group: subject.group, by: path }] : [],
  );
}

/** Files are named relative to the configuration. */
export function openPump(
  options: Pick<RunOptions, 'settings' | 'log' | 'signing'>,
  store: OpenStore,
  clock: Clock,
  metrics: MetricsRegistry,
): Pump {
  const { settings, log, signing } = options;
  const inFolder = (path: string) => resolve(dirname(settings.path), path);
  const { anchors = {}, sinks = {} } = settings.audit;
  return createPump({
    store,
    ...(signing !== undefined && 'signer' in signing ? { signer: signing.signer } : {}),
    ...(signing !== undefined && 'missing' in signing ? { unsigned: signing.missing } : {}),
    anchors: new Map(
      Object.entries(anchors).map(([name, section]) => [name, createOutlet(section, inFolder, clock.now)]),
    ),
    sinks: new Map(
      Object.entries(sinks).map(([name, section]) => [
        name,
        { outlet: createOutlet(section, inFolder, clock.now), format: section.format ?? 'jsonl' },
      ]),
    ),
    clock,
    metrics,
    log,
  });
}

/** The trail is as long as the years: between two pages everybody else gets a turn. */
export async function sealOf(store: OpenStore, hash: (text: string) => string, verify: boolean): Promise<TrailSeal> {
  if (!verify) return await store.chainHead();
  const source: TrailSource = {
    async page(afterSeq, limit, withColumns) {
      await nextTurn();
      return await store.trailLinks(afterSeq, limit, withColumns);
    },
    checkpoints: store.checkpoints,
  };
  const report = await verifyTrail(source, { verifiers: [], anchors: [], deep: false, hash });
  const wrong = report.broken ?? report.contradictions[0];
  const verified =
    wrong === undefined ? { ok: true as const } : { ok: false as const, why: `event ${wrong.seq}: ${wrong.why}` };
  return { ...report.head, verified };
}
