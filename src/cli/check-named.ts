/** What `hallpass check` asks about everybody and every group that the file relies on, each with its line. */
import type { DirectoryUser, GroupName } from '../access/model.ts';
import { type Accounts, type Directory, DirectoryError, type OnCallEntry } from '../access/ports.ts';
import { systemClock } from '../clock.ts';
import type { Settings } from '../config.ts';
import { createMetrics } from '../metrics.ts';
import { createIncidents } from '../people/incidents.ts';
import { createOnCall } from '../people/sources.ts';

export interface Asked {
  readonly what: string;
  readonly ok: boolean;
  /** Said, and no reason to fail. */
  readonly warning?: true;
  readonly why?: string;
}

type Directories = ReadonlyMap<string, Directory>;

/** Group lookups by directory and name, each asked once however often it is named. */
export function groupFinder(directories: Directories): (group: GroupName) => ReturnType<Directory['findGroup']> {
  const found = new Map<string, ReturnType<Directory['findGroup']>>();
  return (one) => {
    const key = JSON.stringify([one.directory, one.group]);
    const known = found.get(key) ?? findIn(directories, one);
    found.set(key, known);
    return known;
  };
}

async function findIn(directories: Directories, { directory, group }: GroupName): ReturnType<Directory['findGroup']> {
  return await directories.get(directory)?.findGroup(group);
}

/** One line for each directory whose credential is dead: everything else that is wrong follows from it. */
export async function askCredentials(directories: Directories, someGroup: readonly GroupName[]): Promise<Asked[]> {
  const find = groupFinder(directories);
  const answers = await Promise.all(
    [...directories.keys()].map(async (name): Promise<Asked | undefined> => {
      const group = someGroup.find((one) => one.directory === name);
      try {
        if (group !== undefined) await find(group);
        return undefined;
      } catch (error) {
        if (!(error instanceof DirectoryError) || error.code !== 'unauthorized') return undefined;
        const why = 'IT REFUSES THE CREDENTIAL. Nothing can be added there, and nothing removed';
        return { what: `directory ${name}`, ok: false, why: `${why}: ${error.message}` };
      }
    }),
  );
  return answers.filter((answer) => answer !== undefined);
}

/** Each group and person by where the file names it first. */
export async function askNamed(settings: Settings, directories: Directories): Promise<readonly Asked[]> {
  const find = groupFinder(directories);
  const first = new Map<string, Settings['named'][number]>();
  for (const one of settings.named)
    if (!first.has(JSON.stringify(one.subject))) first.set(JSON.stringify(one.subject), one);
  const granted = await grantedIds(settings, find);
  const asked = await Promise.all(
    [...first.values()].map(async ({ path, line, subject, sees }): Promise<Asked | undefined> => {
      const at = `${line === undefined ? '' : `line ${line}  `}${path}: `;
      try {
        if (subject.kind === 'group') {
          const what = `${at}group ${subject.group} in ${subject.directory}`;
          const found = await find(subject);
          if (found === undefined) return { what, ok: false, why: 'there is no such group' };
          const entitlement = granted.get(`${subject.directory}/${found.id}`);
          if (entitlement === undefined)
            return { what, ok: true, why: found.name === subject.group ? found.id : found.name };
          const why = `${entitlement} grants this very group (${found.name}, ${found.id})`;
          return sees === true
            ? { what, ok: true, warning: true, why: `${why}, so whoever gets it may also see who holds what` }
            : { what, ok: false, why: `${why}, so whoever gets it also gets this authority` };
        }
        if (subject.kind !== 'user') return undefined;
        const what = `${at}${subject.email}`;
        return { what, ...person(await directories.get(settings.identityDirectory)?.findUser(subject.email)) };
      } catch (error) {
        return { what: `${at}${subject.kind === 'user' ? subject.email : 'group'}`, ok: false, why: messageOf(error) };
      }
    }),
  );
  return asked.filter((one) => one !== undefined);
}

function person(user: DirectoryUser | undefined): Omit<Asked, 'what'> {
  if (user === undefined) return { ok: false, why: 'the directory has nobody with this login' };
  return user.active ? { ok: true, why: user.id } : { ok: true, warning: true, why: 'is deactivated in the directory' };
}

/** `<directory>/<group id>` to the entitlement that grants it. What cannot be looked up is reported where it is asked. */
async function grantedIds(
  settings: Settings,
  find: (group: GroupName) => ReturnType<Directory['findGroup']>,
): Promise<ReadonlyMap<string, string>> {
  const ids = new Map<string, string>();
  for (const resource of Object.values(settings.catalog.resources))
    for (const entitlement of Object.values(resource.roles))
      for (const group of entitlement.groups) {
        const found = await find(group).catch(() => undefined);
        if (found !== undefined) ids.set(`${group.directory}/${found.id}`, entitlement.id);
      }
  return ids;
}

/** Who is on call by each source at this moment, and what the incident source says. */
export async function askSources(
  settings: Settings,
  directories: Directories,
  accounts: Pick<Accounts, 'groupMembers'> | undefined,
): Promise<readonly Asked[]> {
  const clock = systemClock();
  const parts = {
    clock,
    metrics: createMetrics(),
    jitter: Math.random,
    zone: () => settings.catalog.timezone,
    accounts: () => {
      if (accounts === undefined) throw new Error('Slack could not be asked');
      return accounts;
    },
  };
  const identity = directories.get(settings.identityDirectory);
  const onCall = Object.entries(settings.onCall).map(async ([name, section]): Promise<Asked> => {
    const what = `on-call source ${name}`;
    try {
      const entries = await createOnCall(name, section, parts).now(clock.now());
      if (entries.length === 0) return { what, ok: true, warning: true, why: 'nobody is on call now' };
      return { what, ...(await covered(identity, entries)) };
    } catch (error) {
      return { what, ok: false, why: messageOf(error) };
    }
  });
  const { incidents } = settings;
  const source = incidents === undefined ? undefined : createIncidents(incidents, parts);
  const open = Object.entries(incidents?.services ?? {}).map(async ([resource, service]): Promise<Asked> => {
    const what = `incidents of ${resource} (${service})`;
    try {
      return { what, ok: true, why: `${(await source?.openFor(resource))?.length ?? 0} open now` };
    } catch (error) {
      return { what, ok: false, why: messageOf(error) };
    }
  });
  return await Promise.all([...onCall, ...open]);
}

/** On call means nothing for somebody whom the directory does not know. */
async function covered(identity: Directory | undefined, entries: readonly OnCallEntry[]): Promise<Omit<Asked, 'what'>> {
  const people = await Promise.all(
    entries.map(async (entry) => {
      if ('account' in entry) return { name: entry.account.id, known: true };
      const user = await identity?.findUser(entry.email);
      return { name: entry.email, known: user?.active === true };
    }),
  );
  const strangers = people.filter(({ known }) => !known).map(({ name }) => name);
  const all = people.map(({ name }) => name).join(', ');
  if (strangers.length === 0) return { ok: true, why: `on call now: ${all}` };
  const why = `${strangers.join(', ')}: not an active login of the first directory, so nobody's approver`;
  return strangers.length < people.length
    ? { ok: true, warning: true, why: `on call now: ${all}; ${why}` }
    : { ok: false, why };
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
