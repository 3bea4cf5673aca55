/** The arithmetic of rounds. */

export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

export function round(value: number, digits = 2): number {
  return Number(value.toFixed(digits));
}

/** Which of the two goes first changes with every round, so that a machine that slows down slows both. */
export function order<T>(roundNumber: number, ours: T, baseline: T): readonly [T, T] {
  return roundNumber % 2 === 0 ? [ours, baseline] : [baseline, ours];
}

export function say(line: string): void {
  process.stderr.write(`${line}\n`);
}
