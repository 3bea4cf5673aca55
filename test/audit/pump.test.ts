/**
 * The trail told outside: signed and noted elsewhere, every event to each sink in order and at least once, also while a
 * sink is away, after a restart, and by two processes at once.
 */
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createSigner, newSigningKey } from '../../src/audit/checkpoint.ts';
import { knownVerifiers, openSigner } from '../../src/audit/key.ts';
import { createOutlet, type Outlet } from '../../src/audit/outlet.ts';
import { createPump, type Pump } from '../../src/audit/pump.ts';
import { readAnchors, verifyTrail } from '../../src/audit/verify.ts';
import type { OpenStore } from '../../src/store/database.ts';
import { anEvent, T0 } from '../contracts/store-rows.ts';
import { freshDatabase, openTestStore, sha256, type TestDatabase } from '../support/databases.ts';
import { startListener } from '../support/listener.ts';

let database: TestDatabase;
let store: OpenStore;
let folder: string;
let monotonic = 0;
const pumps: Pump[] = [];
beforeEach(async () => {
  database = await freshDatabase('sqlite');
  store = await openTestStore(database.url, () => T0);
  folder = await mkdtemp(join(tmpdir(), 'hallpass-pump-'));
  monotonic = 0;
});
afterEach(async () => {
  for (const pump of pumps.splice(0)) await pump.stop();
  await store.close();
  await database.drop();
  await rm(folder, { recursive: true, force: true });
});

const signer = createSigner(newSigningKey());
const file = (name: string) => join(folder, name);
const lines = async (name: string) => (await readFile(file(name), 'utf8')).trim().split('\n');
const gauges: Record<string, number> = {};

function pump(more: { anchors?: Record<string, Outlet>; sinks?: Record<string, Outlet> }): Pump {
  const made = createPump({
    store,
    signer,
    anchors: new Map(Object.entries(more.anchors ?? {})),
    sinks: new Map(
      Object.entries(more.sinks ?? {}).map(([name, outlet]) => [name, { outlet, format: 'jsonl' as const }]),
    ),
    clock: { now: () => T0, monotonic: () => monotonic },
    metrics: {
      count: () => undefined,
      observe: () => undefined,
      gauge: (_name, value, labels) => {
        gauges[labels?.sink ?? ''] = value;
      },
    },
    log: { warn: () => undefined, error: () => undefined },
  });
  pumps.push(made);
  return made;
}

const toFile = (path: string) =>
  createOutlet(
    { type: 'file', path },
    (name) => file(name),
    () => T0,
  );

async function happened(events: number): Promise<void> {
  const changes = Array.from({ length: events }, () => ({ put: 'event', row: anEvent() }) as const);
  await store.commit({ changes });
}

describe('the end of the chain', () => {
  it('is signed and noted elsewhere, and what was noted shows that the newest events were cut off', async () => {
    const one = pump({ anchors: { notary: toFile('anchors.jsonl') } });
    await happened(3);
    await one.ring();
    await happened(2);
    await one.ring();
    await one.ring();
    expect(await lines('anchors.jsonl')).toHaveLength(2);

    const anchors = readAnchors(await readFile(file('anchors.jsonl'), 'utf8'));
    const attest = { verifiers: [], anchors, deep: true, hash: sha256 };
    const whole = { page: store.trailLinks, checkpoints: store.checkpoints };
    expect(await verifyTrail(whole, attest)).toMatchObject({ ok: true, anchors: 2 });
    const cut = {
      ...whole,
      page: async (after: number, limit: number) =>
        (await store.trailLinks(after, limit, true)).filter(({ seq }) => seq < 5),
    };
    expect(await verifyTrail(cut, attest)).toMatchObject({ ok: false, contradictions: [{ seq: 5 }, { seq: 5 }] });
  });

  it('is signed once, whichever of two processes rings', async () => {
    await happened(1);
    await Promise.all([pump({}).ring(), pump({}).ring()]);
    expect(await store.checkpoints(0, 10)).toHaveLength(1);
  });
});

describe('a sink', () => {
  it('is told every event once and in order, also by the process that comes after', async () => {
    await happened(700);
    const first = pump({ sinks: { archive: toFile('trail.jsonl') } });
    await first.ring();
    await first.stop();
    await happened(5);
    await pump({ sinks: { archive: toFile('trail.jsonl') } }).ring();
    const told = (await lines('trail.jsonl')).map((line) => JSON.parse(line).seq);
    expect(told).toEqual(Array.from({ length: 705 }, (_, n) => n + 1));
    expect(gauges.archive).toBe(0);
  });

  it('that is away is told later, waits longer and longer, and says that it is behind', async () => {
    const receiver = await startListener();
    receiver.answer(503);
    const outlet = createOutlet(
      { type: 'webhook', url: receiver.url, token: 'secret' },
      (name) => name,
      () => T0,
    );
    const one = pump({ sinks: { siem: outlet } });
    await happened(2);
    for (let n = 0; n < 3; n += 1) {
      await one.ring();
      monotonic += 10_000 * (n + 1);
    }
    expect(one.problems().join()).toMatch(/sink:siem has not taken the trail 3 times in a row: HTTP 503/);
    expect(gauges.siem).toBe(2);
    receiver.answer(200);
    await one.ring();
    expect(one.problems()).toEqual([]);
    expect(gauges.siem).toBe(0);
    await receiver.close();
  });

  it('is told once more what it may have taken when the process ended in that moment', async () => {
    await happened(1);
    let taken = '';
    const lossy: Outlet = {
      write: async (text) => {
        taken += text;
        throw new Error('the answer was lost');
      },
    };
    await pump({ sinks: { siem: lossy } }).ring();
    await pump({
      sinks: {
        siem: {
          write: async (text) => {
            taken += text;
          },
        },
      },
    }).ring();
    expect(
      taken
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line).seq),
    ).toEqual([1, 1]);
  });
});

it('a sink that never answers does not hold a stop up, and is told again afterwards', async () => {
  await happened(1);
  const hanging: Outlet = { write: () => new Promise<void>(() => undefined) };
  const one = pump({ sinks: { siem: hanging } });
  void one.ring();
  await expect.poll(() => store.lastCheckpoint()).toBeDefined();
  await one.stop();
  await pump({ sinks: { siem: toFile('late.jsonl') } }).ring();
  expect(await lines('late.jsonl')).toHaveLength(1);
});

describe('the key', () => {
  it('is made once, for nobody else to read, and found again', async () => {
    const place = { file: file('audit.pem') };
    expect(knownVerifiers(place)).toEqual([]);
    const made = openSigner(place);
    expect(made.made).toBe(true);
    expect((await stat(place.file)).mode & 0o077).toBe(0);
    const again = openSigner(place);
    expect([again.made, again.signer.keyId]).toEqual([false, made.signer.keyId]);
    expect(knownVerifiers(place)[0]?.holds(made.signer.checkpoint({ seq: 1, hash: 'a' }, T0))).toBe(true);
  });

  it('from the environment goes before the file, as PEM or in base64; another kind of key is refused', () => {
    const pem = newSigningKey();
    const place = { file: file('none.pem') };
    const plain = openSigner({ ...place, given: pem }).signer.keyId;
    expect(openSigner({ ...place, given: Buffer.from(pem).toString('base64') }).signer.keyId).toBe(plain);
    expect(() => openSigner({ ...place, given: 'nonsense' })).toThrow();
  });
});
