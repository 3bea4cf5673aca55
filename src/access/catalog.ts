/** What can be asked for, as the configuration file says at this moment. Plain data, replaced whole when it is reloaded. */
import type { Refusal } from './command.ts';
import type { Entitlement, Subject } from './model.ts';

export interface Resource {
  readonly name: string;
  readonly title: string;
  readonly defaultRole: string;
  /** By role name. */
  readonly roles: Readonly<Record<string, Entitlement>>;
}

export interface Catalog {
  /** By name, in the order of the file. */
  readonly resources: Readonly<Record<string, Resource>>;
  readonly admins: readonly Subject[];
  readonly responders: readonly Subject[];
  readonly viewers: readonly Subject[];
  /** IANA zone for times in channels, and for people whose own zone is unknown. */
  readonly timezone: string;
  /** The approvals channel for resources without one of their own; absent when Slack is not configured. */
  readonly approvalsChannel?: string;
  /** The same in Teams. */
  readonly teamsChannel?: string;
}

/** Own keys only: a resource asked for as `constructor` must not be found. */
function own<T>(record: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(record, key) ? record[key] : undefined;
}

export function resourceNamed(catalog: Catalog, name: string): Resource | undefined {
  const wanted = name.toLowerCase();
  return (
    own(catalog.resources, name) ??
    Object.values(catalog.resources).find((candidate) => candidate.name.toLowerCase() === wanted)
  );
}

export function findEntitlement(catalog: Catalog, resourceName: string, role?: string): Entitlement | Refusal {
  const wanted = resourceName.toLowerCase();
  const resource = resourceNamed(catalog, resourceName);
  if (resource === undefined)
    return {
      code: 'unknown_resource',
      asked: resourceName,
      suggestions: nearest(wanted, Object.keys(catalog.resources)),
    };
  const roleName = role?.toLowerCase() ?? resource.defaultRole;
  const entitlement =
    own(resource.roles, roleName) ??
    Object.values(resource.roles).find((candidate) => candidate.role.toLowerCase() === roleName);
  if (entitlement === undefined)
    return {
      code: 'unknown_role',
      resource: resource.name,
      asked: role ?? roleName,
      roles: Object.keys(resource.roles),
    };
  return entitlement;
}

/** The entitlement of an id such as `db-prod:read`; absent when the file no longer has it. */
export function entitlementById(catalog: Catalog, id: string): Entitlement | undefined {
  for (const resource of Object.values(catalog.resources))
    for (const entitlement of Object.values(resource.roles)) if (entitlement.id === id) return entitlement;
  return undefined;
}

const SUGGESTIONS_MAX = 3;

/** Up to three names that were probably meant, best first; none rather than a far-fetched one. */
export function nearest(asked: string, names: readonly string[]): readonly string[] {
  const scored = names
    .map((name) => {
      const lower = name.toLowerCase();
      const affix = asked.length >= 2 && (lower.includes(asked) || asked.includes(lower));
      return { name, score: affix ? 1 : distance(asked, lower) };
    })
    .filter(({ name, score }) => score <= Math.max(1, Math.floor(Math.max(asked.length, name.length) / 3)))
    .sort((a, b) => a.score - b.score || (a.name < b.name ? -1 : 1));
  return scored.slice(0, SUGGESTIONS_MAX).map(({ name }) => name);
}

/** Edit distance with swapped neighbours counted once (`prdo` is one slip from `prod`). */
function distance(a: string, b: string): number {
  // Names are short; a 50,000-character one is nobody's slip of the finger.
  if (a.length > 80 || b.length > 80) return Number.POSITIVE_INFINITY;
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1;
      let best = Math.min((rows[i - 1]?.[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (rows[i - 1]?.[j - 1] ?? 0) + cost);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        best = Math.min(best, (rows[i - 2]?.[j - 2] ?? 0) + 1);
      row.push(best);
    }
    rows.push(row);
  }
  return rows[a.length]?.[b.length] ?? Number.POSITIVE_INFINITY;
}
