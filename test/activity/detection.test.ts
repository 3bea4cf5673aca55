/** What rules flag in what came in: once for each grant and rule while nobody has answered for it, with the person's own past. */
import { afterEach, describe, expect, test } from 'vitest';
import type { ActivitySource, Finding, Told } from '../../src/access/activity.ts';
import { event } from '../../src/access/decision.ts';
import { DirectoryError } from '../../src/access/ports.ts';
import { activityRoom, matching } from '../support/activity.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
type Room = Awaited<ReturnType<typeof activityRoom>>;
let room: Room;
afterEach(() => room.close());

async function start(): Promise<Room> {
  room = await activityRoom();
  await room.grant('AAAA');
  return room;
}

async function jobs(): Promise<number> {
  const leased = await room.store.lease({
    kind: 'notification',
    lane: 'chat',
    limit: 100,
    now: room.now(),
    leaseUntil: room.now() + 1,
  });
  for (const { id, epoch, version } of leased)
    await room.store.commit({ changes: [], job: { job: id, epoch, version, done: true } });
  return leased.length;
}

const close = async (finding: Finding | undefined) => {
  if (finding === undefined) throw new Error('nothing was found');
  await room.store.commit({
    changes: [
      { put: 'finding', row: { ...finding, version: finding.version + 1, state: 'dismissed' }, was: finding.version },
      event('finding.dismissed', room.now(), { kind: 'operator', name: 'test' }, {}),
    ],
  });
};

describe('a finding', () => {
  test('is one for a flood of the same, said again only when there is ten times as much', async () => {
    await start();
    const exported = (n: number) => room.did(`e${n}`, { kind: 'export', amount: 1 });
    await room.send([exported(1)]);
    expect(await jobs()).toBe(1);
    for (let n = 2; n < 9; n += 1) await room.send([exported(n)]);
    await jobs();
    await room.send([exported(9)]);
    expect(await jobs()).toBe(0);
    await room.send(Array.from({ length: 300 }, (_, n) => exported(10 + n)));
    expect(await jobs()).toBe(1);
    expect(await room.findings('AAAA')).toEqual(['bulk-export 309']);
  });

  test('that was dismissed stays so, and more of the same is a new one', async () => {
    await start();
    await room.send([room.did('1', { kind: 'export' })]);
    await close((await room.store.findingsOf('G-AAAA'))[0]);
    await room.send([room.did('1', { kind: 'export' })]);
    expect(await room.findings('AAAA')).toEqual(['bulk-export 1']);
    await room.send([room.did('2', { kind: 'export' })]);
    expect(await room.findings('AAAA')).toEqual(['bulk-export 1', 'bulk-export 1']);
  });

  test('is in the trail with what it rests on, and without what people wrote', async () => {
    await start();
    await room.send([room.did('1', { kind: 'export', target: 'a secret name' })]);
    const [opened] = (await room.store.story('R-AAAA')).filter(({ kind }) => kind === 'finding.opened');
    expect(opened).toMatchObject({
      grantId: 'G-AAAA',
      detail: { rule: 'bulk-export', level: 'high', uids: ['bastion/1'] },
    });
    expect(JSON.stringify(opened)).not.toContain('a secret name');
  });

  test('of a new country or device rests on what was seen of the same person before', async () => {
    await start();
    await room.send([
      room.did('1', { country: 'DE', device: 'lt-1' }),
      room.did('2', { country: 'DE', device: 'lt-1' }),
    ]);
    expect(await room.findings('AAAA')).toEqual([]);
    room.pass(MINUTE);
    await room.grant('CCCC');
    await room.send([room.did('3', { country: 'DE', device: 'lt-1' })]);
    expect(await room.findings('CCCC')).toEqual([]);
    await room.send([
      room.did('4', { country: 'BR', device: 'lt-2' }),
      room.did('5', { country: 'BR', device: 'lt-2' }),
    ]);
    expect(await room.findings('CCCC')).toEqual(['new-country 2', 'new-device 2']);
  });

  test('of far more than before compares with the earlier grants of the same entitlement, and is told once', async () => {
    room = await activityRoom();
    const some = (grant: string, n: number) => Array.from({ length: n }, (_, i) => room.did(`${grant}-${i}`));
    for (const id of ['CCCC', 'DDDD', 'EEEE']) {
      await room.grant(id);
      await room.send(some(id, 10));
      await room.end(id);
      room.pass(HOUR);
    }
    await room.grant('FFFF');
    await room.send(some('FFFF', 100));
    expect(await room.findings('FFFF')).toEqual([]);
    await room.send(some('FFFF', 102));
    expect(await room.findings('FFFF')).toEqual(['far-more-than-before 0']);
    await close((await room.store.findingsOf('G-FFFF'))[0]);
    await room.send(some('FFFF', 130));
    expect(await room.findings('FFFF')).toHaveLength(1);
  });

  test('of something else than was granted needs another resource, and one of use after the end its time', async () => {
    await start();
    await room.send([
      room.did('1', { resource: 'payments' }),
      room.did('2', { resource: 'payments', outcome: 'failure' }),
    ]);
    expect(await room.findings('AAAA')).toEqual(['outside-resource 1']);
    await room.end('AAAA');
    room.pass(30_000);
    await room.send([room.did('3')]);
    expect(await room.findings('AAAA')).toEqual(['outside-resource 1']);
    room.pass(HOUR);
    await room.send([room.did('4')]);
    expect(await room.findings('AAAA')).toEqual(['outside-resource 1', 'use-after-end 1']);
    room.pass(DAY);
    expect((await room.send([room.did('5')])).body).toMatchObject({ kept: 0, unattributed: 1 });
  });
});

describe('a rule that cannot be judged', () => {
  test('is said, finds nothing, and keeps nothing else from being found', async () => {
    const broken = {
      id: 'broken',
      title: 'Broken',
      level: 'low' as const,
      judged: 'activity' as const,
      when: '',
      sigma: [],
      ours: false,
      reads: ['activity.kind'],
      evaluate: () => ({ error: 'no such thing' }),
    };
    room = await activityRoom({ detections: [broken] });
    await room.grant('AAAA');
    expect((await room.send([room.did('1')])).body.kept).toBe(1);
    expect(room.logged).toEqual(['a detection rule could not be judged']);
    expect(room.counted).toContain('hallpass_detection_errors_total broken 1');
  });
});

describe('access that was not used', () => {
  test('is told once its time is over, and only where somebody looked', async () => {
    await start();
    await room.room.ring();
    room.pass(MINUTE);
    await room.grant('CCCC');
    await room.send([room.did('1')]);
    room.pass(30 * MINUTE);
    await room.end('AAAA');
    await room.end('CCCC');
    room.pass(HOUR);
    await room.send([]);
    await room.room.ring();
    expect(await room.findings('AAAA')).toEqual([]);
    room.pass(DAY);
    await room.room.ring();
    expect(await room.findings('AAAA')).toEqual(['unused 0']);
    expect(await room.findings('CCCC')).toEqual([]);
    room.pass(DAY);
    await room.room.ring();
    expect(await room.findings('AAAA')).toHaveLength(1);
  });

  test('is not told of where the source was silent', async () => {
    await start();
    await room.room.ring();
    room.pass(30 * MINUTE);
    await room.end('AAAA');
    room.pass(2 * DAY);
    await room.room.ring();
    expect(await room.findings('AAAA')).toEqual([]);
  });
});

describe('a source that is read', () => {
  const told = (uid: string, at: number, more: object = {}): Told => ({
    activity: {
      source: 'okta-log',
      uid,
      at,
      action: 'policy.rule.update',
      kind: 'policy',
      account: 'ana@acme.com',
      outcome: 'success',
      resource: '',
      target: '',
      ip: '',
      country: '',
      device: '',
      amount: 0,
      ...more,
    },
    who: { directory: 'okta', id: '00u1' },
  });
  async function reading(read: ActivitySource['read']) {
    room = await activityRoom({
      sources: [{ name: 'okta-log', ofItsOwn: false, lateMs: DAY, port: { everyMs: MINUTE, read } }],
      own: [{ source: 'okta-log', match: matching("activity.kind == 'policy'") }],
    });
    await room.grant('AAAA');
  }

  test('is read on from where it was, page by page; what it repeats is known', async () => {
    const asked: (string | undefined)[] = [];
    await reading(async (cursor) => {
      asked.push(cursor);
      const n = Number(cursor ?? 0);
      return {
        told: [told('a', room.now()), told(`b${n}`, room.now())],
        cursor: String(n + 1),
        readTo: room.now(),
        more: n < 2,
      };
    });
    await room.room.ring();
    expect(asked).toEqual([undefined, '1', '2']);
    expect(await room.store.activityOf('G-AAAA')).toMatchObject({ activities: 4 });
    await room.room.ring();
    expect(asked).toHaveLength(3);
    room.pass(2 * MINUTE);
    await room.room.ring();
    expect(asked.at(-1)).toBe('3');
    expect(await room.findings('AAAA')).toEqual(['policy-changed 5']);
  });

  test("does not tell of the rest of the holder's day", async () => {
    await reading(async () => ({
      told: [told('a', room.now(), { kind: 'login' })],
      cursor: '1',
      readTo: room.now(),
      more: false,
    }));
    await room.room.ring();
    expect(await room.store.activityOf('G-AAAA')).toBeUndefined();
  });

  test('that fails waits longer each time, is told of, and is not taken for one in which nothing happened', async () => {
    let asked = 0;
    await reading(async () => {
      asked += 1;
      throw new DirectoryError('okta', 'unavailable', 'okta: read activity failed: 503');
    });
    for (let minute = 0; minute < 8; minute += 1) {
      await room.room.ring();
      room.pass(MINUTE);
    }
    expect(asked).toBe(4);
    expect(room.room.problems()).toEqual([expect.stringMatching(/"okta-log" could not be read 4 times.*503/)]);
    await room.end('AAAA');
    room.pass(2 * DAY);
    await room.room.ring();
    expect(await room.findings('AAAA')).toEqual([]);
  });
});
