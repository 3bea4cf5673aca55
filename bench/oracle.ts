/** What a removal engine could do at best: it knows every limit exactly and loses no time. */

export interface OracleLimits {
  /** Calls in each window. */
  readonly limit: number;
  readonly windowMs: number;
  /** Of the window that is open when the first removal is due: what is left of it, and until when. */
  readonly first: { readonly left: number; readonly endsAt: number };
  readonly serviceMs: number;
  readonly atOnce: number;
}

/** Instants of acceptance, in the order due: one call each, first come first served. */
export function bestPossible(dueAt: readonly number[], limits: OracleLimits): readonly number[] {
  const lines = Array.from({ length: limits.atOnce }, () => 0);
  let { left, endsAt } = limits.first;
  let opensAt = 0;
  return dueAt.map((due) => {
    const line = lines.indexOf(Math.min(...lines));
    let at = Math.max(due, lines[line] ?? 0, opensAt);
    // A window opens with the first call after the last one is over, and ends on a whole second, as the server has it.
    if (left <= 0) at = Math.max(at, endsAt);
    if (at >= endsAt) {
      opensAt = at;
      left = limits.limit;
      endsAt = Math.ceil((at + limits.windowMs) / 1_000) * 1_000;
    }
    left -= 1;
    lines[line] = at + limits.serviceMs;
    return at + limits.serviceMs;
  });
}
