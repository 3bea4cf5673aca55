/** The on-call sources of the file, made once each, with a memory of which of them could not be asked last. */
import type { Accounts, OnCall } from '../access/ports.ts';
import type { AskingParts } from './asking.ts';
import { createGoogleCalendarOnCall, type GoogleCalendarSection } from './google-calendar.ts';
import { createIncidentIoOnCall, type IncidentIoSection } from './incident-io.ts';
import { createPagerDutyOnCall, type PagerDutySection } from './pagerduty.ts';
import { createSlackUserGroupOnCall, type SlackUserGroupSection } from './slack-user-group.ts';
import { createStaticOnCall, type StaticSection } from './static.ts';

export type OnCallSection =
  | StaticSection
  | SlackUserGroupSection
  | PagerDutySection
  | GoogleCalendarSection
  | IncidentIoSection;

export interface OnCallParts extends AskingParts {
  readonly accounts: () => Pick<Accounts, 'groupMembers'>;
  /** For rotations that name none. */
  readonly zone: () => string;
}

export function createOnCall(name: string, section: OnCallSection, parts: OnCallParts): OnCall {
  switch (section.type) {
    case 'static':
      return createStaticOnCall(section, parts.zone);
    case 'slack-user-group':
      return createSlackUserGroupOnCall(section, parts.accounts);
    case 'pagerduty':
      return createPagerDutyOnCall(name, section, parts);
    case 'google-calendar':
      return createGoogleCalendarOnCall(name, section, parts);
    case 'incident-io':
      return createIncidentIoOnCall(name, section, parts);
  }
}

/** What could not be asked the last time it was; for `/readyz` and the log. */
export interface Troubles {
  /** `call`, whose outcome is remembered under this name. */
  watch<T>(what: string, call: () => Promise<T>): Promise<T>;
  list(): readonly { readonly what: string; readonly why: string }[];
  /** What is no longer asked has no troubles any more. */
  forget(): void;
}

export function createTroubles(tell: (what: string, why: string | undefined) => void): Troubles {
  const now = new Map<string, string>();
  return {
    async watch(what, call) {
      try {
        const result = await call();
        // Told when it changes, not at each question.
        if (now.delete(what)) tell(what, undefined);
        return result;
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        if (now.get(what) !== why) tell(what, why);
        now.set(what, why);
        throw error;
      }
    },
    forget: () => now.clear(),
    list: () => [...now].map(([what, why]) => ({ what, why })),
  };
}
