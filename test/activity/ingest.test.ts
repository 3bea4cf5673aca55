/**
 * What is sent to us: believed only with its signature, kept only with the grant it belongs to, counted once however often
 * it comes, and answered with what was wrong. Also from a source that repeats, reorders, skips or lies about time.
 */
import { afterEach, describe, expect, test } from 'vitest';
import { activityRoom } from '../support/activity.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
type Room = Awaited<ReturnType<typeof activityRoom>>;
let room: Room;
afterEach(() => room.close());

async function start(): Promise<Room> {
  room = await activityRoom();
  await room.grant('AAAA');
  return room;
}

describe('who may send', () => {
  test.each([
    ['another secret', { secret: 'another secret altogether' }, /signature/],
    ['a body that was changed on the way', { body: '{"activities":[{}]}' }, /signature/],
    ['a source that is not in the file', { source: 'elsewhere' }, /no such source/],
    ['a time that is long past', { timestamp: 1 }, /5 minutes/],
  ])('nobody with %s', async (_, options, why) => {
    await start();
    const { status, body } = await room.send([room.did('1')], options);
    expect([status, body.error]).toEqual([401, 'unauthorized']);
    expect(JSON.stringify(body)).toMatch(why);
    expect(await room.store.activityOf('G-AAAA')).toBeUndefined();
  });

  test('nobody a day ahead, whose request could be sent again all day', async () => {
    await start();
    expect((await room.send([], { timestamp: Math.floor(room.now() / 1_000) + 86_400 })).status).toBe(401);
  });
});

describe('what is kept', () => {
  test('is what the holder did while the grant ran, by login, alias or in other letters, and by nobody else', async () => {
    await start();
    const items = [
      room.did('1'),
      room.did('2', { account: 'ana@acme.com' }),
      room.did('3', { account: 'ANA_RO' }),
      room.did('4', { account: 'ben' }),
      room.did('5', { account: 'okta/00u1' }),
      room.did('6', { at: room.now() - 2 * MINUTE }),
    ];
    expect((await room.send(items)).body).toMatchObject({ kept: 3, unattributed: 3, rejected: 0 });
    expect((await room.store.activitiesOf('G-AAAA', 10)).map(({ uid }) => uid).sort()).toEqual(['1', '2', '3']);
  });

  test('counts once, told twice in one request, in two, or in two at the same moment', async () => {
    await start();
    const items = [room.did('1'), room.did('2'), room.did('1')];
    expect((await room.send(items)).body).toMatchObject({ kept: 2, known: 1 });
    const both = await Promise.all([room.send([...items, room.did('3')]), room.send([room.did('3'), room.did('4')])]);
    expect(both.map(({ status }) => status)).toEqual([200, 200]);
    expect(both.reduce((sum, { body }) => sum + (body.kept ?? 0), 0)).toBe(2);
    expect(await room.store.activityOf('G-AAAA')).toMatchObject({ activities: 4, kinds: { read: 4 } });
  });

  test('may come in any order and late, until it is too late; and never from the future', async () => {
    await start();
    room.pass(30 * MINUTE);
    const early = room.did('1', { at: room.now() - 20 * MINUTE });
    expect((await room.send([room.did('2'), early])).body).toMatchObject({ kept: 2 });
    expect(await room.store.activityOf('G-AAAA')).toMatchObject({ firstAt: early.at, lastAt: room.now() });
    await room.end('AAAA');
    room.pass(23 * HOUR);
    const late = room.did('3', { at: room.now() - 23 * HOUR - 5 * MINUTE });
    expect((await room.send([late])).body).toMatchObject({ kept: 1 });
    const lies = [room.did('4', { at: room.now() - 25 * HOUR }), room.did('5', { at: room.now() + HOUR })];
    expect((await room.send(lies)).body).toMatchObject({
      kept: 0,
      rejected: 2,
      errors: [
        { index: 0, id: '4', code: 'too_late' },
        { index: 1, id: '5', code: 'in_the_future' },
      ],
    });
  });

  test('of two grants that fit belongs to the one that began last', async () => {
    await start();
    room.pass(5 * MINUTE);
    await room.grant('CCCC');
    await room.send([room.did('1'), room.did('2', { at: room.now() - 3 * MINUTE })]);
    expect((await room.store.activitiesOf('G-CCCC', 10)).map(({ uid }) => uid)).toEqual(['1']);
    expect((await room.store.activitiesOf('G-AAAA', 10)).map(({ uid }) => uid)).toEqual(['2']);
  });

  test('belongs to a grant that began a moment ago, and not to one that ended a moment ago', async () => {
    await start();
    await room.send([room.did('1')]);
    await room.end('AAAA');
    room.pass(2 * MINUTE);
    await room.send([room.did('2')]);
    await room.grant('DDDD');
    await room.send([room.did('3')]);
    expect((await room.store.activitiesOf('G-AAAA', 10)).map(({ uid, fit }) => [uid, fit])).toEqual([
      ['2', 'after'],
      ['1', 'within'],
    ]);
    expect((await room.store.activitiesOf('G-DDDD', 10)).map(({ fit }) => fit)).toEqual(['within']);
  });
});

describe('bad input', () => {
  test.each([
    ['no JSON', '{"activities": ['],
    ['no list', '{"activities": 7}'],
    ['a text', '"hello"'],
    ['too many', JSON.stringify({ activities: Array.from({ length: 10_001 }, () => ({})) })],
  ])('is refused as a whole: %s', async (_, body) => {
    await start();
    expect((await room.send(body)).status).toBe(400);
  });

  test('is refused item by item, with its place and id, and the rest is kept', async () => {
    await start();
    const items = [
      room.did('1'),
      7,
      room.did('2', { at: 'yesterday' }),
      room.did('3', { kind: 'sabotage' }),
      room.did('', {}),
      room.did('5', { at: Math.floor(room.now() / 1_000) }),
      { ...room.did('6'), extra: { deep: [[[[]]]] } },
    ];
    const { status, body } = await room.send(items);
    expect([status, body.kept, body.rejected]).toEqual([200, 2, 5]);
    expect(body.errors?.map(({ index, id, code }) => [index, id, code])).toEqual([
      [1, undefined, 'malformed'],
      [2, '2', 'malformed'],
      [3, '3', 'malformed'],
      [4, undefined, 'malformed'],
      [5, '5', 'malformed'],
    ]);
  });

  test('of one item does not get past its size: texts are cut, counts have a limit', async () => {
    await start();
    const huge = '🙂'.repeat(5_000);
    expect((await room.send([room.did('1', { action: huge, target: huge, device: huge })])).body.kept).toBe(1);
    const [kept] = await room.store.activitiesOf('G-AAAA', 1);
    expect([...(kept?.action ?? '')].length).toBeLessThanOrEqual(200);
    expect(kept?.action.isWellFormed()).toBe(true);
    expect((await room.send([room.did('2', { amount: 1e300 })])).body.rejected).toBe(1);
    expect(room.room.routes[0]?.maxBody).toBe(5 * 1024 * 1024);
  });

  test('of one that no database or trail could hold keeps nothing else from being found', async () => {
    await start();
    // Whoever is watched writes these texts: half a character, and the one that Postgres has no place for.
    const odd = 'x\ud800\u0000\u001by';
    const items = [
      room.did(`1${odd}`, { action: odd, kind: 'export', amount: 1_000_000, target: odd, device: odd }),
      room.did('2', { resource: `orders${odd}` }),
      room.did('3'),
    ];
    expect((await room.send(items)).body).toMatchObject({ kept: 3 });
    expect((await room.send(items)).body).toMatchObject({ known: 3 });
    const kept = (await room.store.activitiesOf('G-AAAA', 10)).map(({ uid, action }) => [uid, action]);
    expect(kept.sort()).toEqual([
      ['1x\ufffd  y', 'x\ufffd  y'],
      ['2', 'SELECT'],
      ['3', 'SELECT'],
    ]);
    expect((await room.store.findingsOf('G-AAAA')).map(({ rule }) => rule)).toContain('bulk-export');
  });

  test('is an event in OCSF as good as one in plain JSON, and one without a person is refused', async () => {
    await start();
    const event = {
      class_uid: 6005,
      activity_id: 4,
      time: room.now(),
      metadata: { uid: 'o-1', version: '1.8.0' },
      actor: { user: { name: 'ana_ro' } },
      database: { name: 'orders' },
      table: { name: 'customers' },
      src_endpoint: { ip: '192.0.2.7', location: { country: 'DE' } },
      status_id: 1,
      count: 12,
    };
    const api = {
      ...event,
      class_uid: 6003,
      activity_id: 3,
      metadata: { uid: 'o-2' },
      api: { operation: 'StopLogging' },
    };
    const { body } = await room.send([event, api, { ...event, metadata: { uid: 'o-3' }, actor: { user: {} } }]);
    expect(body).toMatchObject({ kept: 2, rejected: 1, errors: [{ index: 2, id: 'o-3' }] });
    const kept = await room.store.activitiesOf('G-AAAA', 10);
    expect(kept.find(({ uid }) => uid === 'o-1')).toMatchObject({
      kind: 'read',
      resource: 'orders',
      target: 'customers',
      country: 'DE',
      amount: 12,
    });
    expect(kept.find(({ uid }) => uid === 'o-2')).toMatchObject({ kind: 'logging', action: 'StopLogging' });
    expect(await room.findings('AAAA')).toEqual(['logging-disabled 1']);
  });
});

describe('when it cannot be kept', () => {
  test('that is said, and sent again it is kept once', async () => {
    await start();
    const { commit } = room.store;
    let broken = true;
    Object.assign(room.store, {
      commit: (what: Parameters<typeof commit>[0]) => {
        if (broken) throw new Error('the disk is full');
        return commit(what);
      },
    });
    const refused = await room.send([room.did('1')]);
    expect([refused.status, refused.body.error]).toEqual([503, 'unavailable']);
    broken = false;
    expect((await room.send([room.did('1')])).body.kept).toBe(1);
    expect(await room.store.activityOf('G-AAAA')).toMatchObject({ activities: 1 });
  });

  test('more than is worked off at a time is turned away, and can come again', async () => {
    await start();
    const sent = await Promise.all(Array.from({ length: 12 }, (_, i) => room.send([room.did(String(i))])));
    const statuses = sent.map(({ status }) => status);
    expect(statuses.filter((status) => status === 503)).toHaveLength(4);
    for (const [i, status] of statuses.entries()) if (status === 503) await room.send([room.did(String(i))]);
    expect(await room.store.activityOf('G-AAAA')).toMatchObject({ activities: 12 });
  });
});

test('single activities are forgotten after their time; what was counted, and what was found, stays', async () => {
  await start();
  await room.send([room.did('1'), room.did('2', { kind: 'export' })]);
  room.pass(91 * 24 * HOUR);
  await room.room.ring();
  expect(await room.store.activitiesOf('G-AAAA', 10)).toEqual([]);
  expect(await room.store.activityOf('G-AAAA')).toMatchObject({ activities: 2 });
  expect(await room.findings('AAAA')).toEqual(['bulk-export 1']);
});
