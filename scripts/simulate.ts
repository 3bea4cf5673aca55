/**
 * Runs many histories, or one again with its story: `npm run simulate -- --seeds 5000 --from 1`,
 * `npm run simulate -- --seeds 1 --from 4711 --story`.
 */
import { parseArgs } from 'node:util';
import { simulate } from '../test/simulation/history.ts';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '1000' },
    from: { type: 'string', default: '1' },
    steps: { type: 'string' },
    story: { type: 'boolean', default: false },
  },
});
const from = Number(values.from);
const count = Number(values.seeds);
const startedAt = performance.now();
const found = new Map<string, number[]>();
let grants = 0;
for (let seed = from; seed < from + count; seed++) {
  try {
    const steps = values.steps === undefined ? {} : { steps: Number(values.steps) };
    grants += (await simulate({ seed, ...steps })).grants;
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const [first = ''] = message.split('\n');
    const kind = first
      .replace(/^seed \d+: /, '')
      .replace(/[RG]-[A-Z]+/g, '…')
      .replace(/\d+/g, '#');
    if (!found.has(kind)) console.log(values.story ? message : first);
    found.set(kind, [...(found.get(kind) ?? []), seed]);
  }
}
const seconds = (performance.now() - startedAt) / 1_000;
for (const [kind, seeds] of found) console.log(`${seeds.length} × ${kind}: seeds ${seeds.slice(0, 10).join(', ')}`);
console.log(
  `${count} histories with ${grants} grants in ${seconds.toFixed(0)} s (${(count / seconds).toFixed(1)} a second), ` +
    `${[...found.values()].flat().length} broken`,
);
process.exitCode = found.size === 0 ? 0 : 1;
