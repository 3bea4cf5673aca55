/**
 * The configuration while Hallpass runs: read again on SIGHUP, judged whole, and taken whole or not at all. What is
 * taken is in the trail before it holds, and what is not is said where people look.
 *
 * Who may what changes while it runs; what Hallpass itself is made of (directories, chat, the audit's sinks, the
 * environment) is built once at the start, so a file that changes it is refused until a restart.
 */
import { event, tellSecurity } from './access/decision.ts';
import type { AuditEvent, Change, Instant } from './access/model.ts';
import type { Clock, Store, TrailStore } from './access/ports.ts';
import type { Loaded, Problem, Settings } from './config.ts';
import type { Log } from './log.ts';

/** The rest of the settings needs a restart. */
const RELOADED: ReadonlySet<string> = new Set([
  'catalog',
  'onCall',
  'incidents',
  'digest',
  'identity',
  'people',
  'aliases',
  'activityKeptMs',
  'detections',
  'findingsChannel',
  'named',
  'warnings',
  'fileHash',
]);
const PROBLEMS_TOLD = 5;
const OPEN_MAX = 10_000;

export interface Reloads {
  /** What holds now. */
  current(): Settings;
  /** Puts into the trail what holds from the start on. */
  started(): Promise<void>;
  /** Never rejects; one at a time, so that two signals cannot cross. Resolves to whether the new file holds. */
  reload(): Promise<boolean>;
  /** Why the file as it is now does not hold; for `/readyz`. */
  trouble(): string | undefined;
}

export interface ReloadParts {
  readonly settings: Settings;
  /** Reads the file again. */
  readonly load: () => Loaded;
  /** Makes what is built from the settings anew; called once they hold. */
  readonly swap: (settings: Settings) => void;
  readonly store: Pick<Store, 'commit' | 'list'>;
  readonly trail: Pick<TrailStore, 'lastEvent'>;
  readonly clock: Pick<Clock, 'now'>;
  readonly log: Log;
}

export function createReloads(parts: ReloadParts): Reloads {
  const { store, clock, log } = parts;
  let current = parts.settings;
  let trouble: string | undefined;
  let last: Promise<unknown> = Promise.resolve();

  async function keepOld(why: readonly string[]): Promise<false> {
    const at = clock.now();
    trouble = why.join(' ');
    log.error({ path: current.path, why }, 'the configuration was not taken; the one read before still holds');
    try {
      await store.commit({ changes: refusedChanges(current, why, at) });
    } catch (error) {
      log.error({ error }, 'that the configuration was not taken could not be recorded');
    }
    return false;
  }

  async function once(): Promise<boolean> {
    const loaded = parts.load();
    if (!loaded.ok) return await keepOld(loaded.problems.slice(0, PROBLEMS_TOLD).map(told));
    const { settings } = loaded;
    const fixed = needsRestart(current, settings);
    if (fixed.length > 0) return await keepOld(await restartWords(fixed, current, settings, store));
    try {
      // In the trail before it holds: no decision is ever made under a policy that the trail does not know.
      await store.commit({ changes: loadedChanges(settings, hashesOf(current), 'reload', clock.now()) });
    } catch (error) {
      log.error({ error }, 'the configuration could not be recorded');
      return await keepOld(['The new configuration could not be recorded, so the old one still holds.']);
    }
    current = settings;
    trouble = undefined;
    parts.swap(settings);
    log.info({ path: settings.path, fileHash: settings.fileHash }, 'the configuration was read again and holds now');
    for (const warning of settings.warnings) log.warn({ path: warning.path, line: warning.line }, warning.message);
    return true;
  }

  return {
    current: () => current,
    trouble: () => trouble,
    async started() {
      const before = await parts.trail.lastEvent('config.loaded');
      const changes = loadedChanges(current, before === undefined ? undefined : hashesIn(before), 'start', clock.now());
      await store.commit({ changes });
    },
    reload() {
      const next = last.then(once).catch(async (error: unknown) => {
        log.error({ error }, 'the configuration could not be read again');
        return await keepOld([error instanceof Error ? error.message : String(error)]);
      });
      last = next;
      return next;
    },
  };
}

interface Hashes {
  readonly file: string;
  /** By name; those that guard something. */
  readonly policies: Readonly<Record<string, string>>;
}

function hashesOf({ fileHash, catalog }: Settings): Hashes {
  const policies: Record<string, string> = {};
  for (const resource of Object.values(catalog.resources))
    for (const { policy } of Object.values(resource.roles)) policies[policy.name] = policy.hash;
  return { file: fileHash, policies };
}

/** As an earlier `config.loaded` has them. */
function hashesIn({ detail }: AuditEvent): Hashes {
  const policies = typeof detail.policies === 'object' && detail.policies !== null ? detail.policies : {};
  return {
    file: typeof detail.fileHash === 'string' ? detail.fileHash : '',
    policies: Object.fromEntries(
      Object.entries(policies).flatMap(([name, hash]) => (typeof hash === 'string' ? [[name, hash]] : [])),
    ),
  };
}

function loadedChanges(
  settings: Settings,
  before: Hashes | undefined,
  how: 'start' | 'reload',
  at: Instant,
): readonly Change[] {
  const now = hashesOf(settings);
  const actor = { kind: 'hallpass', part: 'configuration' } as const;
  const names =
    before === undefined ? [] : [...new Set([...Object.keys(before.policies), ...Object.keys(now.policies)])];
  const changed = names.filter((name) => before?.policies[name] !== now.policies[name]).sort();
  return [
    event('config.loaded', at, actor, {
      detail: {
        how,
        fileHash: now.file,
        policies: { ...now.policies },
        ...(before === undefined ? {} : { before: before.file }),
      },
    }),
    ...changed.map((policy) =>
      event('policy.changed', at, actor, {
        // A policy that guards nothing any more, or did not before, has one hash only.
        detail: { policy, before: before?.policies[policy] ?? null, now: now.policies[policy] ?? null },
      }),
    ),
  ];
}

function refusedChanges(settings: Settings, why: readonly string[], at: Instant): readonly Change[] {
  return [
    event(
      'config.refused',
      at,
      { kind: 'hallpass', part: 'configuration' },
      { detail: { stillHolds: settings.fileHash }, personal: { why: why.join('\n') } },
    ),
    ...tellSecurity(`config_refused:${at}`, {
      code: 'config_refused',
      severity: 'warning',
      at,
      says: ['The file was read again and not taken. The configuration that was read before still holds.', ...why],
    }),
  ];
}

function told({ path, line, message }: Problem): string {
  return `${line === undefined ? '' : `Line ${line}: `}${path === '' ? '' : `${path}: `}${message}.`;
}

/** Keys of the settings that differ and cannot be changed while Hallpass runs. */
function needsRestart(before: Settings, now: Settings): readonly string[] {
  const keys = new Set([...Object.keys(before), ...Object.keys(now)]);
  const text = (settings: Settings, key: string) => JSON.stringify(Object.entries(settings).find(([k]) => k === key));
  return [...keys].filter((key) => !RELOADED.has(key) && text(before, key) !== text(now, key)).sort();
}

async function restartWords(
  keys: readonly string[],
  before: Settings,
  now: Settings,
  store: Pick<Store, 'list'>,
): Promise<readonly string[]> {
  const kept = new Set(now.directories.map(({ name }) => name));
  const dropped = before.directories.map(({ name }) => name).filter((name) => !kept.has(name));
  if (dropped.length > 0) {
    const live = await store.list({ liveGrants: true, limit: OPEN_MAX });
    const stranded = dropped.flatMap((name) => {
      const open = live.filter(({ grant }) => grant?.memberships.some(({ directory }) => directory === name));
      return open.length === 0
        ? []
        : [
            `The directory "${name}" is gone from the file, and ${open.length} unended ${open.length === 1 ? 'grant is' : 'grants are'} in it: nobody could take that access away. Put it back.`,
          ];
    });
    if (stranded.length > 0) return stranded;
  }
  const sections = keys.map((key) => SECTIONS[key] ?? key);
  return [`${[...new Set(sections)].join(', ')} cannot change while Hallpass runs. Restart it to use this file.`];
}

/** What the file calls it. */
const SECTIONS: Readonly<Record<string, string>> = {
  identityDirectory: 'directories',
  slack: 'chat.slack',
  teams: 'chat.teams',
  env: 'the environment',
};
