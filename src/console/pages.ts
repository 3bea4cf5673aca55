/** What each address shows: read as chat reads it, and drawn. */
import { html } from 'hono/html';
import type { ActivityStore } from '../access/activity.ts';
import type { Refusal } from '../access/command.ts';
import type { Devices } from '../access/devices.ts';
import type { Sources } from '../access/gather.ts';
import { type Handler, requestIdOf } from '../access/handle.ts';
import { createOverviews } from '../access/overview.ts';
import type { Clock, DigestStore, Ids, TrailSeal, TrailStore } from '../access/ports.ts';
import { createRequestPages } from '../access/request-page.ts';
import { createTimelines } from '../access/timeline.ts';
import { createTrailSearch } from '../access/trail-search.ts';
import { refusalText } from '../access/words.ts';
import { deviceRegions } from './device-page.ts';
import { nowRegions } from './now-page.ts';
import type { Region, Shown } from './page.ts';
import type { Drawing } from './parts.ts';
import { requestRegions } from './request-page.ts';
import type { WebSession } from './sessions.ts';
import { timelineRegions, timelineWish } from './timeline-page.ts';
import { type TrailDrawn, trailQuery, trailRegions, trailWish } from './trail-page.ts';

export interface PageParts extends Sources {
  readonly handler: Pick<Handler, 'handle' | 'view' | 'review'>;
  readonly trail: TrailStore;
  readonly digests: Pick<DigestStore, 'unsignedDigests'>;
  readonly activities: Pick<ActivityStore, 'findingsOf' | 'activityOf'>;
  readonly clock: Clock;
  readonly ids: Pick<Ids, 'opaque'>;
  readonly devices: Pick<Devices, 'look'>;
  /** What the last verification of the chain found. */
  readonly sealed: () => TrailDrawn['sealed'];
}

export interface Drawn extends Pick<Shown, 'title' | 'regions'> {
  readonly status: 200 | 403 | 404;
  readonly place?: Shown['place'];
  /** Whether it is worth telling changes of it. */
  readonly live: boolean;
  readonly zone: string;
}

export type Sealed = { readonly seal: TrailSeal; readonly at: number } | { readonly failed: string };

/** Absent: there is no page there. Throws `PeopleError` when nobody can be acted for. */
export type Draw = (web: WebSession, path: string) => Promise<Drawn | undefined>;

export function createPages(parts: PageParts): Draw {
  const { people, catalog, clock, ids, handler } = parts;
  const overview = createOverviews({ ...parts, view: handler.view, review: handler.review });
  const requestPage = createRequestPages(parts);
  const timeline = createTimelines(parts);
  const trail = createTrailSearch({ ...parts, review: handler.review });
  const resources = () => Object.keys(catalog().resources);

  function drawing(web: WebSession, here: string, zone: string): Drawing {
    return { now: clock.now(), zone, csrf: web.csrf, key: ids.opaque, here };
  }

  async function now(web: WebSession): Promise<Drawn> {
    const seen = await overview({ session: web.session.id });
    const regions = nowRegions(seen, drawing(web, '/console', seen.zone), resources());
    return { status: 200, title: 'Now', place: '/console', regions, live: true, zone: seen.zone };
  }

  async function request(web: WebSession, id: string): Promise<Drawn> {
    const page = await requestPage({ session: web.session.id }, id);
    const zone = web.person.zone ?? catalog().timezone;
    if ('code' in page) return refused(page, zone);
    const { request: shown } = page;
    const title = `${shown.id}: ${shown.requesterName}, ${shown.entitlement}`;
    const regions = requestRegions(page, drawing(web, `/console/requests/${shown.id}`, shown.zone));
    return { status: 200, title, regions, live: true, zone: shown.zone };
  }

  function refused(refusal: Refusal, zone: string): Drawn {
    const { reason, next } = refusalText(refusal, zone);
    const missing = refusal.code === 'unknown_id';
    return {
      status: missing ? 404 : 403,
      title: missing ? 'Not found' : 'Not for you',
      regions: [{ id: 'page', html: html`<section id="page"><p>${reason} ${next}</p></section>` }],
      live: false,
      zone,
    };
  }

  async function times(web: WebSession, query: URLSearchParams): Promise<Drawn> {
    const wish = timelineWish(query, web.person.zone ?? catalog().timezone);
    const seen = await timeline({ session: web.session.id }, wish);
    const regions: readonly Region[] = timelineRegions(seen, wish);
    return { status: 200, title: 'Timeline', place: '/console/timeline', regions, live: true, zone: seen.zone };
  }

  async function events(web: WebSession, search: URLSearchParams): Promise<Drawn> {
    const query = trailQuery(search);
    const before = search.get('before') ?? '';
    const beforeSeq = /^\d{1,15}$/.test(before) ? Number(before) : undefined;
    const named = query.who === '' ? undefined : await people.named(query.who);
    const requestId = query.request === '' ? undefined : requestIdOf(query.request);
    const zone = web.person.zone ?? catalog().timezone;
    const wish = trailWish(query, zone, {
      ...(named === undefined ? {} : { person: named.id }),
      ...(requestId === undefined ? {} : { requestId }),
      ...(beforeSeq === undefined ? {} : { beforeSeq }),
    });
    const page = await trail({ session: web.session.id }, wish);
    const sealed = parts.sealed();
    const drawn: TrailDrawn = {
      page,
      query,
      resources: resources(),
      first: beforeSeq === undefined,
      ...(query.who !== '' && named === undefined ? { unknown: query.who } : {}),
      ...(sealed === undefined ? {} : { sealed }),
    };
    const regions = trailRegions(drawn, drawing(web, '/console/trail', page.zone));
    const status = page.found === undefined ? 403 : 200;
    return { status, title: 'Trail', place: '/console/trail', regions, live: beforeSeq === undefined, zone: page.zone };
  }

  async function device(web: WebSession, query: URLSearchParams): Promise<Drawn> {
    const typed = (query.get('code') ?? '').trim().slice(0, 20);
    const found = typed === '' ? undefined : await parts.devices.look(typed);
    const zone = web.person.zone ?? catalog().timezone;
    const regions = deviceRegions(typed, found, drawing(web, '/console/device', zone));
    const status = typed !== '' && found === undefined ? 404 : 200;
    return { status, title: 'Sign a command line in', regions, live: false, zone };
  }

  return async (web, path) => {
    const url = new URL(path, 'http://console');
    const id = /^\/console\/requests\/([A-Za-z0-9-]{4,9})$/.exec(url.pathname)?.[1];
    if (id !== undefined) return await request(web, id);
    switch (url.pathname) {
      case '/console':
        return await now(web);
      case '/console/timeline':
        return await times(web, url.searchParams);
      case '/console/trail':
        return await events(web, url.searchParams);
      case '/console/device':
        return await device(web, url.searchParams);
      default:
        return undefined;
    }
  };
}
