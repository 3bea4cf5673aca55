/** Adapter × case: what the contract has shown of whom. An empty cell is a promise that nobody has seen kept. */

export const CASES = [
  'add',
  'add again',
  'remove',
  'remove again',
  'unknown group',
  'unknown user',
  'baseline',
  'page boundaries',
  'read lag',
  'group not ours to manage',
  'native expiry',
  '401',
  '403',
  '429',
  '403 that is a rate limit',
  'clock-skewed reset',
  'reserve for removals',
  '5xx',
  'reset before the effect',
  'reset after the effect',
  'hung socket',
  'slow drip',
  'malformed body',
  'nothing listens',
  'secrets stay out of errors',
] as const;

export type Case = (typeof CASES)[number];

export class ContractTable {
  readonly #adapters = new Map<string, { passed: Map<Case, number>; without: Partial<Record<Case, string>> }>();

  /** `without`: cases that the vendor cannot produce, each with the reason. */
  adapter(title: string, without: Partial<Record<Case, string>>): void {
    this.#adapters.set(title, { passed: new Map(), without });
  }

  passed(title: string, cases: readonly Case[]): void {
    const counts = this.#adapters.get(title)?.passed;
    for (const each of cases) counts?.set(each, (counts.get(each) ?? 0) + 1);
  }

  /** `adapter: case` for each cell that holds neither a test that passed nor a reason. */
  empty(): readonly string[] {
    return [...this.#adapters].flatMap(([title, { passed, without }]) =>
      CASES.filter((each) => !passed.has(each) && without[each] === undefined).map((each) => `${title}: ${each}`),
    );
  }

  text(): string {
    const titles = [...this.#adapters.keys()];
    const notes: string[] = [];
    const mark = (title: string, each: Case) => {
      const { passed, without } = this.#adapters.get(title) ?? { passed: new Map<Case, number>(), without: {} };
      const count = passed.get(each);
      if (count !== undefined) return `✓ ${count}`;
      const why = without[each];
      if (why === undefined) return 'EMPTY';
      const known = notes.indexOf(why);
      return `– (${known >= 0 ? known + 1 : notes.push(why)})`;
    };
    const rows = [['', ...titles], ...CASES.map((each) => [each, ...titles.map((title) => mark(title, each))])];
    const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => [...(row[column] ?? '')].length))) ?? [];
    const lines = rows.map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    );
    return [...lines, ...notes.map((why, at) => `(${at + 1}) ${why}`)].join('\n');
  }
}
