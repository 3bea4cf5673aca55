/** What Okta's listings of people's groups have shown lately. */

const MAX_AGE_MS = 60_000;
const PEOPLE_MAX = 1_000;

/** Whole listings of a person's groups, for a minute: who asks for one thing is soon asked about another. */
export function createGroupsOf(monotonic: () => number) {
  const listings = new Map<string, { readonly askedAt: number; readonly ids: ReadonlySet<string> }>();
  /** When a person's groups were last changed by us; a listing asked for before that may not show it. */
  const changedAt = new Map<string, number>();
  return {
    put(userId: string, ids: ReadonlySet<string>, askedAt: number): void {
      if (askedAt <= (changedAt.get(userId) ?? Number.NEGATIVE_INFINITY)) return;
      if (listings.size >= PEOPLE_MAX) listings.clear();
      listings.set(userId, { askedAt, ids });
    },
    of(userId: string): ReadonlySet<string> | undefined {
      const known = listings.get(userId);
      return known !== undefined && monotonic() - known.askedAt < MAX_AGE_MS ? known.ids : undefined;
    },
    forget(userId: string): void {
      listings.delete(userId);
      if (changedAt.size >= PEOPLE_MAX) changedAt.clear();
      changedAt.set(userId, monotonic());
    },
  };
}
