/** The types of what an expression can speak of. The values are put together by the core. */

/** `record`: fields by name. Everything else is a type of the language. */
export type Type =
  | { readonly is: 'bool' | 'int' | 'uint' | 'double' | 'string' | 'bytes' | 'null' | 'type' | 'dyn' }
  | { readonly is: 'duration' | 'timestamp' }
  | { readonly is: 'list'; readonly of: Type }
  | { readonly is: 'map'; readonly key: Type; readonly of: Type }
  | { readonly is: 'record'; readonly name: string; readonly fields: Readonly<Record<string, Type>> };

const bool: Type = { is: 'bool' };
const int: Type = { is: 'int' };
const string: Type = { is: 'string' };
const duration: Type = { is: 'duration' };
const strings: Type = { is: 'list', of: string };

function record(name: string, fields: Readonly<Record<string, Type>>): Type {
  return { is: 'record', name, fields };
}

export const CONTEXT: Readonly<Record<string, Type>> = {
  now: record('now', { hour: int, minute: int, weekday: int, date: string }),
  requester: record('requester', { email: string, name: string, groups: strings, onCall: strings }),
  resource: record('resource', { name: string, tags: strings, owner: string }),
  role: string,
  duration,
  reason: string,
  ticket: string,
  incident: record('incident', { open: bool, id: string, title: string }),
  history: record('history', { grants24h: int, grants7d: int, usedToday: duration, sinceLastEnd: duration }),
};

/** What a detection rule can speak of: an activity where it judges each of them, and what was counted otherwise. */
export const DETECTION_CONTEXT: Readonly<Record<'activity' | 'use' | 'end', Readonly<Record<string, Type>>>> = (() => {
  const use = {
    grant: record('grant', {
      resource: string,
      role: string,
      entitlement: string,
      reason: string,
      minutes: int,
      breakGlass: bool,
    }),
    person: record('person', { id: string, name: string }),
    use: record('use', {
      activities: int,
      amount: int,
      outside: int,
      after: int,
      exports: int,
      reads: int,
      writes: int,
      deletes: int,
    }),
    history: record('history', {
      grants: int,
      mostActivities: int,
      mostAmount: int,
      countries: strings,
      devices: strings,
    }),
  };
  return { activity: { activity: activityOf({ fit: string, minute: int }), ...use }, use, end: use };
})();

/** What an entitlement's `match` can speak of. */
export const MATCH_CONTEXT: Readonly<Record<string, Type>> = { activity: activityOf({}) };

function activityOf(more: Readonly<Record<string, Type>>): Type {
  return record('activity', {
    source: string,
    action: string,
    kind: string,
    account: string,
    outcome: string,
    resource: string,
    target: string,
    ip: string,
    country: string,
    device: string,
    amount: int,
    ...more,
  });
}

export function typeText(type: Type): string {
  switch (type.is) {
    case 'list':
      return `a list of ${typeText(type.of)}`;
    case 'map':
      return 'a map';
    case 'record':
      return `“${type.name}” as a whole`;
    default:
      return type.is;
  }
}
