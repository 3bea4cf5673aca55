/** Where incidents are kept: what is open for a resource's own service, and whether it still is. */
import { type Clock, type Incident, type Incidents, PeopleError } from '../access/ports.ts';
import type { AskingParts } from './asking.ts';
import { Cache } from './cache.ts';
import { createIncidentIoIncidents, type IncidentIoIncidentsSection } from './incident-io-incidents.ts';
import { createPagerDutyIncidents, type PagerDutyIncidentsSection } from './pagerduty-incidents.ts';
import type { Troubles } from './sources.ts';

export type IncidentsSection = PagerDutyIncidentsSection | IncidentIoIncidentsSection;

export function createIncidents(section: IncidentsSection, parts: AskingParts): Incidents {
  switch (section.type) {
    case 'pagerduty':
      return createPagerDutyIncidents(section, parts);
    case 'incident-io':
      return createIncidentIoIncidents(section, parts);
  }
}

export function watched(incidents: Incidents, troubles: Pick<Troubles, 'watch'>): Incidents {
  const what = 'incident source';
  return {
    openFor: (resource) => troubles.watch(what, () => incidents.openFor(resource)),
    isOpen: (id) => troubles.watch(what, () => incidents.isOpen(id)),
  };
}

const MAX_AGE_MS = 60_000;
const MAX_ENTRIES = 2_000;

/** Answers at most a minute old; those who ask at the same moment share one question, and a failure is not kept. */
export function remembered(incidents: Incidents, clock: Pick<Clock, 'monotonic'>): Incidents {
  const options = { monotonic: () => clock.monotonic(), maxAgeMs: MAX_AGE_MS, maxEntries: MAX_ENTRIES };
  const open = new Cache<readonly Incident[]>(options);
  const still = new Cache<boolean>(options);
  return {
    openFor: (resource) => open.get(resource, () => incidents.openFor(resource)),
    isOpen: (id) => still.get(id, () => incidents.isOpen(id)),
  };
}

/** Whatever source there is at the moment; where there is none, nothing is open and nothing can be said to be over. */
export function currentIncidents(current: () => Incidents | undefined): Incidents {
  const source = (): Incidents => {
    const found = current();
    if (found === undefined)
      throw new PeopleError('unavailable', 'The configuration names no source of incidents (`incidents`).');
    return found;
  };
  return {
    openFor: async (resource) => source().openFor(resource),
    isOpen: async (id) => source().isOpen(id),
  };
}
