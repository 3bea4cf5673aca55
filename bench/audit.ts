/**
 * `audit`: the whole trail verified in a stream, from a SQLite file, beside the least that this could be: the same rows
 * read and hashed, and nothing looked at. What is verified is what commits of ours have linked.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Change } from '../src/access/model.ts';
import { verifyTrail } from '../src/audit/verify.ts';
import { randomIds, salt } from '../src/ids.ts';
import { openStore } from '../src/store/database.ts';
import { median, order, round, say } from './figures.ts';

const TOGETHER = 1_000;
const PAGE = 2_000;

export async function audit(quick: boolean): Promise<object> {
  const events = quick ? 50_000 : 400_000;
  const rounds = quick ? 3 : 7;
  const folder = await mkdtemp(join(tmpdir(), 'hallpass-bench-'));
  const { hash } = randomIds();
  const store = await openStore({ url: `sqlite:${join(folder, 'trail.db')}`, now: Date.now, hash, salt });
  try {
    for (let made = 0; made < events; made += TOGETHER)
      await store.commit({ changes: Array.from({ length: TOGETHER }, (_, n) => eventAt(made + n)) });

    const verified = async () => {
      const source = { page: store.trailLinks, checkpoints: store.checkpoints };
      const report = await verifyTrail(source, { verifiers: [], anchors: [], deep: false, hash });
      if (!report.ok || report.events !== events) throw new Error(`not verified: ${JSON.stringify(report)}`);
    };
    const hashed = async () => {
      for (let seq = 0; ; ) {
        const page = await store.trailLinks(seq, PAGE, false);
        for (const link of page) if (hash(link.canonical) !== link.hash) throw new Error(`event ${link.seq}`);
        if (page.length === 0) return;
        seq = page.at(-1)?.seq ?? seq;
      }
    };
    const taken: { ours: number; baseline: number }[] = [];
    for (let n = 0; n < rounds; n += 1) {
      const per = new Map<() => Promise<void>, number>();
      for (const run of order(n, verified, hashed)) {
        const from = performance.now();
        await run();
        per.set(run, events / ((performance.now() - from) / 1000));
      }
      const one = { ours: Math.round(per.get(verified) ?? 0), baseline: Math.round(per.get(hashed) ?? 0) };
      taken.push(one);
      say(`round ${n + 1}: verified ${one.ours} events/s, read and hashed ${one.baseline} events/s`);
    }
    const ours = median(taken.map((one) => one.ours));
    const baseline = median(taken.map((one) => one.baseline));
    say(`${events} events: ${ours} events/s, ${round(ours / baseline)} of reading and hashing alone`);
    return { name: 'audit', ratio: round(ours / baseline, 3), events, eventsPerSecond: ours, baseline, rounds: taken };
  } finally {
    await store.close();
    await rm(folder, { recursive: true, force: true });
  }
}

/** Like what one grant leaves behind, in size and in shape. */
function eventAt(n: number): Change {
  return {
    put: 'event',
    row: {
      at: 1_700_000_000_000 + n,
      kind: 'membership.addition_started',
      actor: { kind: 'hallpass', part: 'provision' },
      requestId: `R-${n % 10_000}`,
      grantId: `G-${n % 10_000}`,
      membership: { directory: 'okta', groupId: '00gproddbread0000001', userId: '00uana00000000000001' },
      detail: { grants: [`G-${n % 10_000}`], attempt: 1, seenAbsentAt: 1_700_000_000_000 },
      correlation: `op:okta:00gproddbread0000001:00uana0000000000${n}`,
    },
  };
}
