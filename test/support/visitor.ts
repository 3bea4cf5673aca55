/** A browser without a screen: cookies by host and path, redirects one at a time. */
export interface Page {
  readonly url: string;
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

type Fetch = (url: string, init: RequestInit) => Promise<Response>;

const HOPS_MAX = 12;

export interface Visitor {
  /** Follows redirects until a page is shown, or until one leads below `stopAt`. */
  go(url: string, stopAt?: string): Promise<Page>;
  send(url: string, form: Readonly<Record<string, string>>, stopAt?: string): Promise<Page>;
  /** What it holds, by name. */
  cookies(url: string): ReadonlyMap<string, string>;
}

/** `ours`: asked instead of the network for addresses below a prefix. */
export function visitor(ours?: { readonly prefix: string; readonly fetch: Fetch }): Visitor {
  const jars = new Map<string, Map<string, { value: string; path: string }>>();
  const jar = (url: string) => {
    const { host } = new URL(url);
    const found = jars.get(host) ?? new Map<string, { value: string; path: string }>();
    jars.set(host, found);
    return found;
  };

  async function once(url: string, init: RequestInit): Promise<Page> {
    const { pathname, origin } = new URL(url);
    const kept = [...jar(url)].filter(([, { path }]) => pathname.startsWith(path));
    const headers = new Headers(init.headers);
    if (kept.length > 0) headers.set('cookie', kept.map(([name, { value }]) => `${name}=${value}`).join('; '));
    if (init.method === 'POST') {
      headers.set('origin', headers.get('origin') ?? origin);
      headers.set('sec-fetch-site', headers.get('sec-fetch-site') ?? 'same-origin');
    }
    const fetched = ours !== undefined && url.startsWith(ours.prefix) ? ours.fetch : fetch;
    const response = await fetched(url, { ...init, headers, redirect: 'manual' });
    for (const line of response.headers.getSetCookie()) {
      const [pair = '', ...attributes] = line.split(';').map((part) => part.trim());
      const at = pair.indexOf('=');
      const path = attributes.find((one) => /^path=/i.test(one))?.slice(5) ?? '/';
      const gone = attributes.some((one) => /^max-age=0$/i.test(one) || /^expires=thu, 01 jan 1970/i.test(one));
      if (gone) jar(url).delete(pair.slice(0, at));
      else jar(url).set(pair.slice(0, at), { value: pair.slice(at + 1), path });
    }
    return { url, status: response.status, headers: response.headers, text: await response.text() };
  }

  async function follow(first: Page, stopAt: string | undefined): Promise<Page> {
    let page = first;
    for (let hop = 0; hop < HOPS_MAX; hop += 1) {
      const location = page.status >= 300 && page.status < 400 ? page.headers.get('location') : null;
      if (location === null) return page;
      const next = new URL(location, page.url).href;
      if (stopAt !== undefined && next.startsWith(stopAt)) return { ...page, url: next, status: 0, text: '' };
      page = await once(next, { method: 'GET' });
    }
    throw new Error(`no page after ${HOPS_MAX} redirects: ${page.url}`);
  }

  return {
    go: async (url, stopAt) => await follow(await once(url, { method: 'GET' }), stopAt),
    send: async (url, form, stopAt) =>
      await follow(await once(url, { method: 'POST', body: new URLSearchParams(form) }), stopAt),
    cookies: (url) => new Map([...jar(url)].map(([name, { value }]) => [name, value])),
  };
}
