/** The parts of the file about activity: where it is read, which of it belongs to what, and who is who in it. */
import type { ActivityMatch, OwnActivity } from './access/attribution.ts';
import { parseDuration } from './access/grammar.ts';
import type { OwnActivitySection } from './activity/section.ts';
import type { Path } from './config-positions.ts';
import { own, type Report, refer } from './config-report.ts';
import type { ConfigFile } from './config-schema.ts';

export type CompileMatch = (expression: string) => ActivityMatch | { readonly wrong: string };

const DEFAULTS = { activity: '90d', late: { okta: '24h', google: '72h', ingest: '24h' } } as const;
/** Later than this nobody would connect it with the grant; and so long are the grants that ended kept at hand. */
const LATE_MAX_MS = 7 * 86_400_000;

/** What a role calls its own; a role's own word replaces the resource's. */
export function ownActivityOf(
  section: OwnActivitySection | undefined,
  path: Path,
  file: ConfigFile,
  compile: CompileMatch,
  report: Report,
): readonly OwnActivity[] | undefined {
  if (section === undefined) return undefined;
  const several = Array.isArray(section);
  const entries = several ? section : [section];
  return entries.map((entry, i) => {
    const at: Path = several ? [...path, i] : path;
    refer(report, [...at, 'source'], 'activity source', entry.source, file.activity ?? {});
    if (entry.match === undefined) return { source: entry.source };
    const match = compile(entry.match);
    if (!('wrong' in match)) return { source: entry.source, match };
    report([...at, 'match'], match.wrong);
    return { source: entry.source };
  });
}

export function checkActivity(file: ConfigFile, report: Report, warn: (path: Path, message: string) => void): void {
  const used = new Set<string>();
  const note = (section: OwnActivitySection | undefined) => {
    for (const { source } of section === undefined ? [] : Array.isArray(section) ? section : [section])
      used.add(source);
  };
  for (const { activity, roles } of Object.values(file.resources)) {
    note(activity);
    for (const role of Object.values(roles)) note(role.activity);
  }
  for (const [name, section] of Object.entries(file.activity ?? {})) {
    const at: Path = ['activity', name];
    if (lateMs(section) > LATE_MAX_MS) report([...at, 'late'], 'this is longer than 7 days', '7d');
    if (!used.has(name)) warn(at, 'no resource calls any activity of this source its own, so nothing of it is kept');
    if (section.type === 'ingest') continue;
    const directory = own(file.directories, section.directory);
    if (directory === undefined) refer(report, [...at, 'directory'], 'directory', section.directory, file.directories);
    else if (directory.type !== section.type)
      report(
        [...at, 'directory'],
        `the directory "${section.directory}" is of type ${directory.type}, and this source reads one of type ${section.type}`,
      );
  }
  const seen = new Map<string, string>();
  for (const [email, accounts] of Object.entries(file.aliases ?? {}))
    for (const [i, account] of accounts.entries()) {
      const other = seen.get(account.toLowerCase());
      if (other !== undefined && other !== email.toLowerCase())
        report(['aliases', email, i], `"${account}" is another name of ${other} already; an account is one person`);
      seen.set(account.toLowerCase(), email.toLowerCase());
    }
}

/** Account → email; both in lower case. */
export function aliasesOf(file: ConfigFile): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(file.aliases ?? {}).flatMap(([email, accounts]) =>
      accounts.map((account) => [account.toLowerCase(), email.toLowerCase()]),
    ),
  );
}

export function activityKeptMs(file: ConfigFile): number {
  return parseDuration(file.retention?.activity ?? DEFAULTS.activity) ?? 0;
}

export function lateMs({ type, late }: NonNullable<ConfigFile['activity']>[string]): number {
  return parseDuration(late ?? DEFAULTS.late[type]) ?? 0;
}
