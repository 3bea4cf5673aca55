/**
 * `digest`: a day of 5,000 grants read, counted, drawn for Slack and written out line by line, from a SQLite file, beside
 * the least that this could be: the same requests, grants and approvals read once, and nothing made of them.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Catalog } from '../src/access/catalog.ts';
import type { Change } from '../src/access/model.ts';
import { renderMessage } from '../src/chat/slack/render.ts';
import { randomIds, salt } from '../src/ids.ts';
import { openStore } from '../src/store/database.ts';
import { createDigests } from '../src/workers/digest.ts';
import { median, order, round, say } from './figures.ts';

const DAY_MS = 86_400_000;
const END = 1_700_000_000_000;
const PERIOD = { from: END - DAY_MS, to: END };
const TOGETHER = 500;
const PAGE = 500;

export async function digest(quick: boolean): Promise<object> {
  const grants = quick ? 1_000 : 5_000;
  const rounds = quick ? 3 : 9;
  const folder = await mkdtemp(join(tmpdir(), 'hallpass-bench-'));
  const ids = randomIds();
  const store = await openStore({ url: `sqlite:${join(folder, 'day.db')}`, now: () => END, hash: ids.hash, salt });
  const catalog: Catalog = { resources: {}, admins: [], responders: [], viewers: [], timezone: 'UTC' };
  const silent = { error: () => undefined, warn: () => undefined };
  const digests = createDigests({
    store,
    standing: async () => [],
    trail: () => store.chainHead(),
    catalog: () => catalog,
    settings: () => undefined,
    clock: { now: () => END, monotonic: () => performance.now() },
    ids,
    log: silent,
  });
  try {
    for (let made = 0; made < grants; made += TOGETHER)
      await store.commit({ changes: Array.from({ length: TOGETHER }, (_, n) => grantedAt(made + n)).flat() });

    let bytes = 0;
    const ours = async () => {
      const view = await digests.digest(PERIOD, 'UTC');
      const drawn = renderMessage({ kind: 'digest', digest: view }, { now: END, zone: 'UTC' });
      const file = await digests.details(PERIOD, '2023-11-14');
      if (view.counts.granted !== grants || drawn.blocks.length < 3) throw new Error('this is not the digest');
      bytes = file.text.length;
    };
    const baseline = async () => {
      const found = await store.digestRequests(PERIOD, grants);
      for (let at = 0; at < found.length; at += PAGE) await store.requestsWithReviews(found.slice(at, at + PAGE));
    };
    const taken: { ours: number; baseline: number }[] = [];
    for (let n = 0; n < rounds; n += 1) {
      const ms = new Map<() => Promise<void>, number>();
      for (const run of order(n, ours, baseline)) {
        const from = performance.now();
        await run();
        ms.set(run, performance.now() - from);
      }
      const one = { ours: round(ms.get(ours) ?? 0, 1), baseline: round(ms.get(baseline) ?? 0, 1) };
      taken.push(one);
      say(`round ${n + 1}: the digest and its file ${one.ours} ms, reading alone ${one.baseline} ms`);
    }
    const oursMs = median(taken.map((one) => one.ours));
    const baselineMs = median(taken.map((one) => one.baseline));
    say(
      `${grants} grants: ${oursMs} ms, ${round(oursMs / baselineMs)} times the reading alone; the file has ${bytes} bytes`,
    );
    return {
      name: 'digest',
      ratio: round(oursMs / baselineMs, 3),
      grants,
      ms: oursMs,
      baselineMs,
      bytes,
      rounds: taken,
    };
  } finally {
    await store.close();
    await rm(folder, { recursive: true, force: true });
  }
}

/** Asked, approved by one of forty people, added and over on time. */
function grantedAt(n: number): readonly Change[] {
  const at = PERIOD.from + ((n * 7_919) % (DAY_MS - 3_600_000));
  const person = `okta/00u${n % 400}`;
  const requestId = `R-${n.toString(36).toUpperCase().padStart(5, '0')}`;
  const entitlement = `db-${n % 60}:read`;
  const key = { directory: 'okta', groupId: `00g${n % 60}`, userId: `00u${n % 400}` };
  return [
    {
      put: 'request',
      row: {
        id: requestId,
        version: 1,
        state: 'approved',
        requester: person,
        requesterName: `Person ${n % 400}`,
        users: [{ directory: 'okta', userId: key.userId, login: `p${n % 400}@example.com` }],
        entitlement,
        resource: `db-${n % 60}`,
        role: 'read',
        title: 'A database',
        groups: [{ directory: 'okta', groupId: key.groupId, groupName: `group-${n % 60}` }],
        durationMs: 1_800_000,
        reason: `INC-${n}: the orders table lost its index during the migration`,
        policyName: 'standard',
        policyHash: 'p1',
        approvalsNeeded: 1,
        digest: `d${n}`,
        cardId: `c${n}`,
        createdAt: at,
        lapsesAt: at + 3_600_000,
        decidedAt: at + 60_000,
        audiences: [{ kind: 'channel', conversation: 'C0' }],
      },
    },
    {
      put: 'approval',
      row: {
        requestId,
        approver: `okta/00u${n % 40}`,
        approverName: `Person ${n % 40}`,
        answer: 'approved',
        digest: `d${n}`,
        at: at + 60_000,
      },
    },
    {
      put: 'grant',
      row: {
        id: `G-${requestId.slice(2)}`,
        version: 1,
        requestId,
        state: 'ended',
        holder: person,
        holderName: `Person ${n % 400}`,
        entitlement,
        memberships: [key],
        durationMs: 1_800_000,
        maxMs: 3_600_000,
        warnBeforeMs: 300_000,
        sessionTailMs: 0,
        approvedAt: at + 60_000,
        addBy: at + 660_000,
        hardEndAt: at + 2_460_000,
        startsAt: at + 61_000,
        expiresAt: at + 1_861_000,
        endReason: 'expired',
        endingAt: at + 1_861_000,
        endedAt: at + 1_862_000,
      },
    },
  ];
}
