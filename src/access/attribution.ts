/**
 * Whose grant an activity belongs to: by the account it was done with and by when it was done. Pure, and asked for every
 * activity of every source, so it looks at nothing but the few grants of that account.
 */
import type { Activity, ActivityFit, GrantWindow } from './activity.ts';
import type { Instant } from './model.ts';

/** What an entitlement calls its own in a source; without a `match`, everything that its holder does there. */
export interface OwnActivity {
  readonly source: string;
  readonly match?: ActivityMatch;
}

/** An expression over an activity, as it was compiled when the file was read. It reads nothing that could be missing. */
export interface ActivityMatch {
  readonly expression: string;
  matches(activity: Activity): boolean;
}

/** Clocks of sources and of directories are not ours. */
const SKEW_MS = 60_000;
/** What was done after a grant's end is held against it for so long; later, nobody would still call it the same access. */
export const AFTER_MS = 86_400_000;

export interface Attributed {
  readonly activity: Activity;
  readonly window: GrantWindow;
  readonly fit: ActivityFit;
}

export interface SourceFacts {
  /**
   * It tells of the systems that access is granted to, and of nothing else: what a holder does there outside of the
   * grant is worth a look. A directory's log tells of everybody's whole day, which is nobody's business.
   */
  readonly ofItsOwn: boolean;
  /** An activity that comes in later than this after it happened is not believed. */
  readonly lateMs: number;
}

export type Unattributed = 'nobody' | 'none_of_it' | 'too_late' | 'in_the_future';

/**
 * `windows`: the grants of whoever owns the account. Of several that fit, the one that began last: it is the one that the
 * person asked for to do this.
 */
export function attribute(
  activity: Activity,
  windows: readonly GrantWindow[],
  own: (entitlement: string) => readonly OwnActivity[],
  source: SourceFacts,
  now: Instant,
): Attributed | Unattributed {
  if (activity.at > now + SKEW_MS) return 'in_the_future';
  if (activity.at < now - source.lateMs) return 'too_late';
  const mine = windows
    .flatMap((window) => {
      const entries = own(window.entitlement).filter((one) => one.source === activity.source);
      return entries.length === 0 ? [] : [{ window, entries }];
    })
    .sort((a, b) => b.window.startsAt - a.window.startsAt || (a.window.grantId < b.window.grantId ? -1 : 1));
  if (mine.length === 0) return 'nobody';
  const running = mine.filter(
    ({ window }) => activity.at >= window.startsAt - SKEW_MS && activity.at <= goneAt(window),
  );
  for (const { window, entries } of running)
    if (entries.some(({ match }) => match === undefined || match.matches(activity)))
      return { activity, window, fit: 'within' };
  const [first] = running;
  if (source.ofItsOwn && first !== undefined) return { activity, window: first.window, fit: 'outside' };
  for (const { window, entries } of mine) {
    const end = goneAt(window);
    if (activity.at <= end || activity.at > end + AFTER_MS) continue;
    const its = ({ match }: OwnActivity) => (match === undefined ? source.ofItsOwn : match.matches(activity));
    if (entries.some(its)) return { activity, window, fit: 'after' };
  }
  return 'none_of_it';
}

/** When the access should have been gone: proven removed, and sessions that were open run out. */
function goneAt({ endedAt, sessionTailMs }: GrantWindow): Instant {
  return endedAt === undefined ? Number.POSITIVE_INFINITY : endedAt + sessionTailMs + SKEW_MS;
}

/** Grants by the accounts of their holders. `aliases`: account → the login it is another name of; all in lower case. */
export interface WindowIndex {
  /** `directory`: the account is an id of that directory; else it is whatever the source calls people. */
  of(account: string, directory?: string): readonly GrantWindow[];
}

export function indexWindows(windows: readonly GrantWindow[], aliases: ReadonlyMap<string, string>): WindowIndex {
  const byAccount = new Map<string, GrantWindow[]>();
  for (const window of windows)
    for (const account of window.accounts) {
      const known = byAccount.get(account);
      if (known === undefined) byAccount.set(account, [window]);
      else known.push(window);
    }
  return {
    of(account, directory) {
      const name = account.toLowerCase();
      if (directory !== undefined) return byAccount.get(`${directory.toLowerCase()}/${name}`) ?? [];
      const login = aliases.get(name) ?? name;
      // An id of a directory has a slash in it, and no source may claim to be one.
      return login.includes('/') ? [] : (byAccount.get(login) ?? []);
    },
  };
}
