/** `hallpass reconcile`: what grants want, what the ledger holds and who the directories list, compared now. */
import { logFindingText } from '../access/from-log.ts';
import { keyText } from '../access/ledger.ts';
import type { MembershipKey } from '../access/model.ts';
import { findingText, worstFirst } from '../access/reconcile.ts';
import { timeText } from '../access/words.ts';
import type { Settings } from '../config.ts';
import { randomIds } from '../ids.ts';
import { createLog } from '../log.ts';
import { driftRulesOf, openDirectories } from '../main/opening.ts';
import { createMetrics } from '../metrics.ts';
import { expireDue } from '../workers/expire.ts';
import { fromLog } from '../workers/from-log.ts';
import { createReconciler, type DirectoryReport } from '../workers/reconcile.ts';
import { sleep, stillOwed } from './end.ts';
import { opened } from './host.ts';
import { EXIT, type Out } from './out.ts';

const STDERR = 2;

export interface ReconcileOptions {
  readonly directory?: string;
  readonly apply: boolean;
  readonly waitMs: number;
}

export async function reconcileCommand(io: Out, settings: Settings, options: ReconcileOptions): Promise<number> {
  const { directory, apply, waitMs } = options;
  if (directory !== undefined && !settings.directories.some(({ name }) => name === directory)) {
    const error = `There is no directory "${directory}" in ${settings.path}.`;
    io.say({ ok: false, error }, error);
    return EXIT.failed;
  }
  const { store, clock } = await opened(settings);
  try {
    const log = createLog(settings.env.logLevel, STDERR);
    const metrics = createMetrics();
    const directories = openDirectories(settings, clock, metrics);
    const catalog = () => settings.catalog;
    const reconciler = createReconciler({
      store,
      directories,
      rules: driftRulesOf(settings),
      catalog,
      clock,
      metrics,
      log,
    });
    // Whoever runs this with --apply has seen the list without it.
    const reports = await reconciler.reconcile({
      apply,
      unlimited: true,
      ...(directory === undefined ? {} : { directory }),
    });
    const removing = reports.flatMap(({ findings }) =>
      findings.filter(({ course }) => course === 'removing').map(({ drift }) => drift.key),
    );
    const owed =
      apply && removing.length > 0
        ? await removed({ store, directories, clock, ids: randomIds(), log }, removing, waitMs)
        : [];
    const failed = reports.some((report) => report.failed.length > 0);
    const now = clock.now();
    io.say({ ok: !failed && owed.length === 0, applied: apply, directories: reports, outstanding: owed }, [
      ...reports.flatMap((report) => lines(report, now, settings.catalog.timezone)),
      ...(apply && removing.length > 0 ? [`Removed and checked: ${removing.length - owed.length}.`] : []),
      ...owed.map((line) => `STILL A MEMBER, as far as is known: ${line}`),
      apply
        ? 'Written down, and told to security where it is new.'
        : 'Only looked at: nothing was written down, told or done. With --apply it is, as the configuration says.',
    ]);
    return failed || owed.length > 0 ? EXIT.failed : EXIT.done;
  } finally {
    await store.close();
  }
}

/** Works the removals off here, whether a bot lives or not. Returns those that are still owed. */
async function removed(
  parts: Parameters<typeof expireDue>[0],
  keys: readonly MembershipKey[],
  waitMs: number,
): Promise<readonly string[]> {
  const wanted = new Set(keys.map(keyText));
  const open = async () =>
    (await parts.store.memberships(keys)).filter(({ membership }) => membership?.origin === 'ours');
  const report = await expireDue(parts, waitMs, sleep, async () => (await open()).length === 0);
  return report.outstanding.filter(({ membership }) => wanted.has(keyText(membership))).map(stillOwed);
}

export interface FromLogOptions {
  readonly directory: string;
  readonly sinceMs: number;
  readonly apply: boolean;
  readonly waitMs: number;
  readonly operator: string;
}

/** After a restored database: what the directory's log says that we added, and the record does not. */
export async function fromLogCommand(io: Out, settings: Settings, options: FromLogOptions): Promise<number> {
  const { apply, waitMs, operator } = options;
  const no = (error: string): number => {
    io.say({ ok: false, error }, error);
    return EXIT.failed;
  };
  const { store, clock } = await opened(settings);
  try {
    const log = createLog(settings.env.logLevel, STDERR);
    const directories = openDirectories(settings, clock, createMetrics());
    const directory = directories.get(options.directory);
    if (directory === undefined) return no(`There is no directory "${options.directory}" in ${settings.path}.`);
    if (directory.additions === undefined)
      return no(
        `${directory.name} keeps no log that says who added whom. Compare its groups by hand: hallpass reconcile.`,
      );
    const observe = driftRulesOf(settings).get(directory.name)?.observe === true;
    const since = clock.now() - options.sinceMs;
    const by = { kind: 'operator', name: operator } as const;
    const catalog = () => settings.catalog;
    const report = await fromLog({ store, directory, observe, clock, catalog }, { since, apply, by });
    const removing = report.findings.filter(({ course }) => course === 'removing').map(({ key }) => key);
    const owed =
      apply && removing.length > 0
        ? await removed({ store, directories, clock, ids: randomIds(), log }, removing, waitMs)
        : [];
    const now = clock.now();
    const zone = settings.catalog.timezone;
    const ok = report.failed.length === 0 && owed.length === 0;
    io.say({ ok, applied: apply, ...report, outstanding: owed }, [
      `${directory.name}: the log of ${report.groups} ${report.groups === 1 ? 'group' : 'groups'} since ${timeText(since, undefined, zone)}. ${
        report.findings.length === 0 ? 'The record explains every membership that Hallpass added.' : 'Not explained:'
      }`,
      ...report.findings.map((one) => `  ${logFindingText(one, now, zone)}`),
      ...report.failed.map(({ group, error }) => `  NOT COMPARED ${group}: ${error}`),
      ...(apply && removing.length > 0 ? [`Removed and checked: ${removing.length - owed.length}.`] : []),
      ...owed.map((line) => `STILL A MEMBER, as far as is known: ${line}`),
      apply
        ? 'Written down. The log may lag: run it once more in a few minutes.'
        : 'Only looked at: nothing was written down, told or done. With --apply it is.',
    ]);
    return ok ? EXIT.done : EXIT.failed;
  } finally {
    await store.close();
  }
}

function lines(report: DirectoryReport, now: number, zone: string): readonly string[] {
  const { directory, groups, members, findings, failed, observe } = report;
  return [
    `${directory}: ${groups} ${groups === 1 ? 'group' : 'groups'} compared, ${members} ${members === 1 ? 'member' : 'members'}${observe ? '; only observed' : ''}. ${
      findings.length === 0
        ? 'No difference.'
        : `${findings.length} ${findings.length === 1 ? 'difference' : 'differences'}:`
    }`,
    ...worstFirst(findings).map((one) => `  ${findingText(one, now, zone)}`),
    ...failed.map(({ group, error }) => `  NOT COMPARED ${group}: ${error}`),
  ];
}
