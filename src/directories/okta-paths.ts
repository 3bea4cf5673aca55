/** Addresses in Okta's API. Nothing that comes from outside can move a call, and its credential, to another place. */
import { type Asked, refusedHere } from './http.ts';
import { ID_PATTERN } from './okta-answers.ts';

type Asking = Pick<Asked, 'directory' | 'operation'>;

const LOGIN_MAX = 320;
const NAME_MAX = 255;

/** The address under `/api/v1`. Throws `rejected` for a segment that is not an id. */
export function apiUrl(
  asked: Asking,
  base: URL,
  segments: readonly string[],
  query: Readonly<Record<string, string>> = {},
): URL {
  if (!segments.every((segment) => ID_PATTERN.test(segment))) throw refusedHere(asked, 'not an id');
  const url = under(asked, base, segments);
  url.search = new URLSearchParams(query).toString();
  return url;
}

/** The address of a user by login. Throws `rejected` for a text that no login can be, or that Okta finds only by id. */
export function loginUrl(asked: Asking, base: URL, login: string): URL {
  const plain =
    login !== '' &&
    login.length <= LOGIN_MAX &&
    login.isWellFormed() &&
    // Okta finds logins with a slash only by id.
    !/[\p{Cc}/\\]/u.test(login) &&
    // `.` and `..` survive percent-encoding and would climb up the path.
    !/^\.+$/.test(login);
  if (!plain) throw refusedHere(asked, 'not a login');
  return under(asked, base, ['users', login]);
}

/** Whether a group may be called so; names travel in queries only. */
export function isPlainName(name: string): boolean {
  return name !== '' && name.length <= NAME_MAX && name.isWellFormed() && !/\p{Cc}/u.test(name);
}

function under(asked: Asking, base: URL, segments: readonly string[]): URL {
  const path = `/api/v1/${segments.map(encodeURIComponent).join('/')}`;
  const url = new URL(path, base);
  // Holds even if the patterns above are loosened one day.
  if (url.origin !== base.origin || url.pathname !== path) throw refusedHere(asked, 'not an address of the API');
  return url;
}
