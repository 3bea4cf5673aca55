/** The sources of the file that holds, under one roof: a reload opens those of another file in their place. */
import type { Incidents, OnCall } from '../access/ports.ts';
import { createIncidents, currentIncidents, type IncidentsSection, remembered, watched } from './incidents.ts';
import { createOnCall, type OnCallParts, type OnCallSection, type Troubles } from './sources.ts';

export interface SourceSections {
  readonly onCall: Readonly<Record<string, OnCallSection>>;
  readonly incidents?: IncidentsSection;
}

export interface OpenSources {
  /** By name; the same map throughout, with what holds now in it. */
  readonly onCall: ReadonlyMap<string, OnCall>;
  readonly incidents: Incidents;
  open(sections: SourceSections): void;
}

export function createSources(parts: OnCallParts, troubles: Troubles): OpenSources {
  const onCall = new Map<string, OnCall>();
  let incidents: Incidents | undefined;
  return {
    onCall,
    incidents: currentIncidents(() => incidents),
    open(sections) {
      troubles.forget();
      onCall.clear();
      for (const [name, section] of Object.entries(sections.onCall)) {
        const source = createOnCall(name, section, parts);
        onCall.set(name, { now: (at) => troubles.watch(`on-call source ${name}`, () => source.now(at)) });
      }
      const source = sections.incidents === undefined ? undefined : createIncidents(sections.incidents, parts);
      incidents = source && remembered(watched(source, troubles), parts.clock);
    },
  };
}
